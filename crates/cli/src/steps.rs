//! How a synthesis gets on, in one line.

use std::time::{Duration, Instant};

use crate::units;

/// Time between two lines where there is no terminal to overwrite them on.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The clock of a restart.
pub struct StepClock {
    started: Instant,
    first: u64,
    told: Instant,
}

impl StepClock {
    /// A restart that begins, or goes on, after `first` steps.
    pub fn start(first: u64) -> Self {
        let now = Instant::now();
        Self { started: now, first, told: now }
    }

    /// Seconds per step since it started here.
    fn pace(&self, done: u64) -> f64 {
        self.started.elapsed().as_secs_f64() / done.saturating_sub(self.first).max(1) as f64
    }

    /// What a step tells: how alike the layers are, the pace.
    pub fn message(&self, done: u64, mean_abs_r: f64, max_abs_r: f64) -> String {
        format!("mean |r| {mean_abs_r:.3}, max |r| {max_abs_r:.3}, {:.2} s/step", self.pace(done))
    }

    /// The same as a line of its own with the time that is left, every now and then.
    pub fn line(&mut self, done: u64, total: u64, mean_abs_r: f64, max_abs_r: f64) -> Option<String> {
        if self.told.elapsed() < TELL_EVERY {
            return None;
        }
        self.told = Instant::now();
        let left = self.pace(done) * total.saturating_sub(done) as f64;
        let message = self.message(done, mean_abs_r, max_abs_r);
        Some(format!(
            "step {}/{}, {message}, at most {} left",
            units::count(done),
            units::count(total),
            units::duration(left)
        ))
    }
}
