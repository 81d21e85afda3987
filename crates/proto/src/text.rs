//! Names of enum values without their prefix: `running` for `JOB_STATE_RUNNING`.

use crate::v1::{JobState, PendingReason, UnitState};

/// Name of a job's state.
pub fn job_state(state: JobState) -> String {
    name(state.as_str_name(), "JOB_STATE_")
}

/// Name of a unit's state.
pub fn unit_state(state: UnitState) -> String {
    name(state.as_str_name(), "UNIT_STATE_")
}

/// Name of a reason.
pub fn pending_reason(reason: PendingReason) -> String {
    name(reason.as_str_name(), "PENDING_REASON_")
}

/// The state of this name.
pub fn parse_job_state(text: &str) -> Option<JobState> {
    JobState::from_str_name(&format!("JOB_STATE_{}", text.to_ascii_uppercase()))
}

/// The state of this name.
pub fn parse_unit_state(text: &str) -> Option<UnitState> {
    UnitState::from_str_name(&format!("UNIT_STATE_{}", text.to_ascii_uppercase()))
}

fn name(full: &str, prefix: &str) -> String {
    full.strip_prefix(prefix).unwrap_or(full).to_ascii_lowercase()
}
