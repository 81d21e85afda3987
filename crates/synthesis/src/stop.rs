//! When a run ends.

use serde::{Deserialize, Serialize};

use crate::{Settings, StepRecord};

/// Every so many steps the images are measured without a transform.
pub const MEASURE_EVERY: u64 = 25;
/// Steps over which progress is judged.
pub const STALL_STEPS: u64 = 200;
/// Steps that the exponential average spans: weight 2/(1 + 50) per step.
const SPAN: f64 = 50.0;
/// A pair is irreducible when so many measurements in a row found the two layers to be the same.
pub(crate) const SAME_MEASUREMENTS: usize = 2;

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum StopReason {
    /// The smoothed mean absolute correlation fell below [`StopRule::mean_abs_r`].
    Converged,
    /// It no longer changed, and transforms, where they end before the run does, had ended.
    Stalled,
    /// All steps were taken.
    StepLimit,
    /// Layers have the same RSM whatever the images; no gradient can tell them apart.
    Irreducible {
        /// Pairs of layers, the earlier first.
        pairs: Vec<[usize; 2]>,
    },
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Converged => f.write_str("converged"),
            Self::Stalled => f.write_str("stalled"),
            Self::StepLimit => f.write_str("step limit"),
            Self::Irreducible { pairs } => {
                f.write_str("irreducible layers ")?;
                for (index, [first, second]) in pairs.iter().enumerate() {
                    write!(f, "{}{first}-{second}", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

/// Exponential average of the measurements; they are [`MEASURE_EVERY`] steps apart, so each counts as many steps.
pub(crate) fn smoothed(records: &[StepRecord]) -> Vec<f64> {
    let keep = (1.0 - 2.0 / (SPAN + 1.0)).powi(MEASURE_EVERY as i32);
    let mut averages: Vec<f64> = Vec::new();
    for value in records.iter().filter_map(|record| record.untransformed) {
        averages.push(averages.last().map_or(value, |last| keep * last + (1.0 - keep) * value));
    }
    averages
}

/// Whether to stop after the steps taken so far.
pub(crate) fn verdict(
    settings: &Settings,
    records: &[StepRecord],
    irreducible: &[[usize; 2]],
) -> Option<StopReason> {
    let rule = &settings.stop;
    if !irreducible.is_empty() {
        return Some(StopReason::Irreducible { pairs: irreducible.to_vec() });
    }
    let measured = records.last().is_some_and(|record| record.untransformed.is_some());
    if measured {
        if smoothed(records).last().is_some_and(|&last| last < rule.mean_abs_r) {
            return Some(StopReason::Converged);
        }
        if stalled(&smoothed(judged(settings, records)), rule.relative_change) {
            return Some(StopReason::Stalled);
        }
    }
    (records.len() as u64 >= rule.steps).then_some(StopReason::StepLimit)
}

/// The steps that can tell whether progress has ended: where transforms end before the run does, what follows brings most of the
/// gain, so those without.
fn judged<'a>(settings: &Settings, records: &'a [StepRecord]) -> &'a [StepRecord] {
    if settings.transforms.until >= 1.0 {
        return records;
    }
    let plain = records.partition_point(|record| settings.is_transformed(record.step));
    &records[plain..]
}

/// All averages of the last [`STALL_STEPS`] steps lie within a share of the largest. Two points that happen to be near each
/// other, as they are when a noisy curve crosses its own past, are not enough.
fn stalled(averages: &[f64], share: f64) -> bool {
    let needed = (STALL_STEPS / MEASURE_EVERY) as usize + 1;
    let Some(start) = averages.len().checked_sub(needed) else { return false };
    let window = &averages[start..];
    let largest = window.iter().copied().fold(0.0, f64::max);
    let smallest = window.iter().copied().fold(f64::INFINITY, f64::min);
    largest - smallest < share * largest
}
