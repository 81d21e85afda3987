//! Lines about refused calls: a few, however many calls are refused.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines about one reason and address.
const EVERY: Duration = Duration::from_secs(1);
/// Most pairs of reason and address that are remembered; they are forgotten together.
const MAX_REMEMBERED: usize = 1_024;

/// When something was last written, and how often it was passed over since.
type Last = (Instant, u64);

/// Which refusals have been written lately.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<(String, Option<IpAddr>), Last>>);

impl Refusals {
    /// Whether a line is to be written, and how many were passed over since the last.
    pub fn line(&self, reason: &str, address: Option<IpAddr>, now: Instant) -> Option<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_REMEMBERED {
            seen.clear();
        }
        match seen.get_mut(&(reason.to_owned(), address)) {
            Some((last, more)) if now.duration_since(*last) < EVERY => {
                *more += 1;
                None
            }
            Some(last) => Some(std::mem::replace(last, (now, 0)).1),
            None => {
                seen.insert((reason.to_owned(), address), (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_line_a_second() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let at =
            |milliseconds| refusals.line("RATE_LIMITED", None, start + Duration::from_millis(milliseconds));
        assert_eq!(at(0), Some(0));
        assert!((1..1_000).all(|milliseconds| at(milliseconds).is_none()));
        assert_eq!(at(1_000), Some(999));
        assert_eq!(refusals.line("NO_TOKEN", None, start), Some(0), "another reason");
        let other = |last| Some(IpAddr::from([127, 0, (last / 256) as u8, last as u8]));
        assert!((0..2 * MAX_REMEMBERED).all(|last| refusals.line("NO_TOKEN", other(last), start) == Some(0)));
        assert!(refusals.0.lock().unwrap().len() <= MAX_REMEMBERED);
    }
}
