//! How long a unit may run.

use std::time::Duration;

use ventral_plan::{Assignment, Work};

/// Time that every unit may take, in seconds.
pub const LEAST_SECONDS: u64 = 600;
/// Times its predicted time that a unit may take: predictions are for all threads of the machine that planned.
pub const FACTOR: u32 = 20;
/// Time that planning a job may take, in seconds; nothing predicts it.
pub const PLAN_SECONDS: u64 = 1_800;

/// Limits of time: a unit that runs for longer is ended, which counts as a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Time that every unit may take.
    pub least: Duration,
    /// Times its predicted time that a unit may take.
    pub factor: u32,
    /// Time that planning a job may take.
    pub plan: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        let (least, plan) = (Duration::from_secs(LEAST_SECONDS), Duration::from_secs(PLAN_SECONDS));
        Self { least, factor: FACTOR, plan }
    }
}

impl TimeLimits {
    /// How long a unit may run.
    pub fn of(&self, assignment: &Assignment) -> Duration {
        if let Work::Plan { .. } = assignment.work {
            return self.plan;
        }
        let seconds = f64::from(self.factor) * predicted(assignment).unwrap_or(0.0);
        // Centuries are no limit, and no prediction either.
        self.least.max(Duration::try_from_secs_f64(seconds).unwrap_or(self.least))
    }
}

/// Predicted seconds of a unit.
pub fn predicted(assignment: &Assignment) -> Option<f64> {
    match assignment.work {
        Work::Drill { milliseconds } => Some(milliseconds as f64 / 1e3),
        _ => assignment.predicted_seconds,
    }
}

/// Why a unit was ended.
pub fn overrun(assignment: &Assignment, ran: Duration, limit: Duration) -> String {
    let predicted = predicted(assignment).map_or("nothing".to_owned(), |seconds| format!("{seconds:.1} s"));
    format!("ran {} s, limit {} s, predicted {predicted}: it was ended", ran.as_secs(), limit.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignment(work: Work, predicted_seconds: Option<f64>) -> Assignment {
        Assignment { job: "j".to_owned(), work, traceparent: None, predicted_seconds }
    }

    #[test]
    fn the_prediction_decides_from_half_a_minute_on() {
        let limits = TimeLimits::default();
        let cases =
            [(None, 600), (Some(0.0), 600), (Some(30.0), 600), (Some(31.0), 620), (Some(3_600.0), 72_000)];
        let odd = [f64::NAN, f64::INFINITY, -1.0].map(|seconds| (Some(seconds), 600));
        for (predicted, limit) in cases.into_iter().chain(odd) {
            let of = limits.of(&assignment(Work::Score { index: 0 }, predicted));
            assert_eq!(of, Duration::from_secs(limit), "{predicted:?}");
        }
        let hour = assignment(Work::Drill { milliseconds: 3_600_000 }, None);
        assert_eq!(limits.of(&hour), Duration::from_secs(72_000));
        let bundle = ventral_plan::Digest::of_identity(&"bundle");
        let plan = assignment(Work::Plan { bundle }, None);
        assert_eq!(limits.of(&plan), Duration::from_secs(1_800));
        let said = overrun(&plan, Duration::from_secs(1_801), limits.of(&plan));
        assert_eq!(said, "ran 1801 s, limit 1800 s, predicted nothing: it was ended");
    }
}
