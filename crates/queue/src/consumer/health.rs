//! Whether this machine can be trusted with units: it pauses after its faults, and after a few in a row takes nothing until it has passed a test.

use std::time::{Duration, Instant};

/// Faults of the machine in a row before it is quarantined.
pub const QUARANTINE_AFTER: u32 = 3;
/// Pause after the first fault; it doubles with every further one and with every test that is not passed.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Faults since the last unit that succeeded.
#[derive(Debug, Default)]
pub(super) struct Health {
    faults: u32,
    /// Doublings of the pause.
    pauses: u32,
    quarantined: bool,
    trouble: String,
    until: Option<Instant>,
}

impl Health {
    /// The machine failed a unit.
    pub fn fault(&mut self, now: Instant, reason: &str) {
        self.faults += 1;
        self.quarantined |= self.faults >= QUARANTINE_AFTER;
        self.rest(now, reason);
    }

    /// The machine did not pass the test that ends a quarantine.
    pub fn refused(&mut self, now: Instant, reason: &str) {
        self.rest(now, reason);
    }

    /// The machine passed the test; the next fault is still one too many until a unit has succeeded.
    pub fn passed(&mut self) {
        (self.quarantined, self.until) = (false, None);
        self.trouble.clear();
    }

    /// A unit succeeded: what ailed the machine is over, unless it is quarantined and a slot only finished what it had begun.
    pub fn succeeded(&mut self) {
        if !self.quarantined {
            *self = Self::default();
        }
    }

    /// How long to take nothing.
    pub fn pause(&self, now: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Whether nothing is taken until a test is passed.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined
    }

    /// What ails the machine; empty when nothing does.
    pub fn trouble(&self) -> String {
        match (self.trouble.is_empty(), self.quarantined) {
            (true, _) => String::new(),
            (false, false) => self.trouble.clone(),
            (false, true) => format!("quarantined after {} faults in a row: {}", self.faults, self.trouble),
        }
    }

    fn rest(&mut self, now: Instant, reason: &str) {
        let pause = FIRST_PAUSE * 2_u32.pow(self.pauses.min(16));
        self.pauses += 1;
        self.until = Some(now + pause.min(LONGEST_PAUSE));
        reason.clone_into(&mut self.trouble);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_faults_in_a_row_are_a_quarantine_and_pauses_grow_to_their_bound() {
        let now = Instant::now();
        let mut health = Health::default();
        for fault in 1..=QUARANTINE_AFTER {
            assert!(!health.is_quarantined(), "{fault}");
            health.fault(now, "the disk is full");
            assert_eq!(health.pause(now), FIRST_PAUSE * 2_u32.pow(fault - 1));
        }
        assert!(health.is_quarantined());
        assert_eq!(health.trouble(), "quarantined after 3 faults in a row: the disk is full");
        health.succeeded();
        assert!(health.is_quarantined(), "what another slot had begun proves nothing");
        for _ in 0..100 {
            health.refused(now, "the disk is full");
        }
        assert_eq!(health.pause(now), LONGEST_PAUSE);
        health.passed();
        assert_eq!((health.is_quarantined(), health.trouble().as_str()), (false, ""));
        health.fault(now, "the disk is full");
        assert!(health.is_quarantined(), "no unit has succeeded since");
        health.passed();
        health.succeeded();
        health.fault(now, "the disk is full");
        assert_eq!((health.is_quarantined(), health.pause(now)), (false, FIRST_PAUSE));
    }

    #[test]
    fn a_success_between_faults_ends_the_row() {
        let now = Instant::now();
        let mut health = Health::default();
        for _ in 0..10 {
            health.fault(now, "the disk is full");
            assert!(!health.trouble().is_empty());
            health.succeeded();
            assert_eq!((health.is_quarantined(), health.pause(now)), (false, Duration::ZERO));
        }
    }
}
