//! How much of a pool is in the queue: enough for workers to go on while the coordinator is away, little enough for fairness to act soon.

use std::collections::HashMap;

use ventral_plan::UnitReport;

/// Units of a pool in the queue, at least.
pub const MIN_WINDOW: u64 = 64;
/// Units of a pool in the queue per slot of its workers.
pub const WINDOW_PER_SLOT: u64 = 4;
/// Units of a pool in the queue, at most.
pub const MAX_WINDOW: u64 = 20_000;
/// Work in the queue for each slot while one tenant alone has work for the pool, in milliseconds: workers go on for so long while the coordinator is
/// away. Another tenant that comes waits for as long at most.
pub const WINDOW_MS: u64 = 30_000;
/// What a unit counts at least, in milliseconds: it has to be taken and reported.
pub const MIN_UNIT_MS: u64 = 50;
/// What a unit counts that nothing predicts, in milliseconds.
const UNKNOWN_MS: u64 = 60_000;
/// Weight of the last unit in the ratio of observed to predicted time.
const NEWS: f64 = 0.1;
/// Bounds of that ratio.
const MIN_PACE: f64 = 0.01;
const MAX_PACE: f64 = 100.0;

/// What is in the queue, by pool.
#[derive(Debug, Default)]
pub struct Loads(HashMap<String, Load>);

#[derive(Debug)]
struct Load {
    units: u64,
    work_ms: u64,
    /// Observed time of a unit by its predicted time, lately.
    pace: f64,
}

impl Default for Load {
    fn default() -> Self {
        Self { units: 0, work_ms: 0, pace: 1.0 }
    }
}

/// Most units of a pool in the queue whatever they cost, for so many slots.
pub fn units(slots: u64) -> u64 {
    slots.saturating_mul(WINDOW_PER_SLOT).clamp(MIN_WINDOW, MAX_WINDOW)
}

impl Loads {
    /// Whether one more unit may be queued for so many slots; `alone` says that one tenant has work for the pool.
    pub fn has_room(&self, pool: &str, slots: u64, alone: bool) -> bool {
        let (queued, work_ms) = self.0.get(pool).map_or((0, 0), |load| (load.units, load.work_ms));
        let short = work_ms < slots.saturating_mul(WINDOW_MS);
        queued < units(slots) || (alone && short && queued < MAX_WINDOW)
    }

    /// Counts a unit that is queued; what it counts, for [`Loads::remove`].
    pub fn add(&mut self, pool: &str, predicted_seconds: Option<f64>) -> u64 {
        let load = self.0.entry(pool.to_owned()).or_default();
        // Casting saturates.
        let work_ms = predicted_seconds.map_or(UNKNOWN_MS, |seconds| (seconds * load.pace * 1e3) as u64);
        let work_ms = work_ms.max(MIN_UNIT_MS);
        load.units += 1;
        load.work_ms = load.work_ms.saturating_add(work_ms);
        work_ms
    }

    /// A unit is not in the queue any more.
    pub fn remove(&mut self, pool: &str, work_ms: u64) {
        if let Some(load) = self.0.get_mut(pool) {
            load.units = load.units.saturating_sub(1);
            load.work_ms = load.work_ms.saturating_sub(work_ms);
        }
    }

    /// Learns from a unit that was computed.
    pub fn observe(&mut self, pool: &str, predicted_seconds: Option<f64>, report: &UnitReport) {
        let least = MIN_UNIT_MS as f64 / 1e3;
        let (Some(load), Some(predicted)) = (self.0.get_mut(pool), predicted_seconds) else { return };
        let ratio = report.seconds.max(least) / predicted.max(least);
        if report.computed > 0 && ratio.is_finite() {
            load.pace = (load.pace + NEWS * (ratio - load.pace)).clamp(MIN_PACE, MAX_PACE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(loads: &mut Loads, slots: u64, alone: bool, seconds: Option<f64>) -> Vec<u64> {
        let mut counted = Vec::new();
        while loads.has_room("p", slots, alone) {
            counted.push(loads.add("p", seconds));
        }
        counted
    }

    #[test]
    fn a_lone_tenant_fills_seconds_of_work_and_several_a_few_units_per_slot() {
        // Slots, alone, predicted seconds: units.
        let cases = [
            (0, true, Some(0.0), 64),
            (2, true, Some(1.0), 64),
            (2, true, Some(0.1), 600),
            (2, true, Some(0.0), 1_200),
            (2, true, None, 64),
            (2, false, Some(0.1), 64),
            (100, false, Some(0.1), 400),
            (100, true, Some(1.0), 3_000),
            (1_000, true, Some(0.0), 20_000),
            (10_000, false, Some(0.0), 20_000),
        ];
        for (slots, alone, seconds, units) in cases {
            let mut loads = Loads::default();
            let counted = fill(&mut loads, slots, alone, seconds);
            assert_eq!(counted.len(), units, "{slots} slots, alone {alone}, {seconds:?}");
            counted.iter().for_each(|work_ms| loads.remove("p", *work_ms));
            assert_eq!(fill(&mut loads, slots, alone, seconds).len(), units, "again");
        }
    }

    #[test]
    fn observed_times_correct_predicted_ones() {
        let mut loads = Loads::default();
        loads.add("p", Some(1.0));
        let report = |seconds, computed| UnitReport { seconds, computed, ..UnitReport::default() };
        for _ in 0..200 {
            loads.observe("p", Some(1.0), &report(0.1, 1));
            loads.observe("p", Some(1.0), &report(0.0, 0));
            loads.observe("p", Some(1.0), &report(f64::NAN, 0));
        }
        assert!((99..=101).contains(&loads.add("p", Some(1.0))), "ten times as fast as predicted");
        for seconds in [f64::INFINITY, f64::NAN, 1e300, -1.0] {
            loads.observe("p", Some(1.0), &report(seconds, 1));
            let work_ms = loads.add("p", Some(1.0));
            assert!((MIN_UNIT_MS..=100_000).contains(&work_ms), "{seconds}: {work_ms}");
        }
    }
}
