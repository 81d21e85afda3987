use std::time::{Duration, Instant};

/// A token bucket. Pure: the caller tells the time.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    rate: f64,
    size: f64,
    level: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket of `size` tokens that gains `rate` per second.
    pub fn new(rate: f64, size: u32, now: Instant) -> Self {
        Self { rate, size: f64::from(size), level: f64::from(size), filled: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long to wait until there is one.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        if self.level >= 1.0 {
            self.level -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(((1.0 - self.level) / self.rate).clamp(0.001, 60.0)))
    }

    /// Whether nothing has been taken for long enough: a new bucket would be the same.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level >= self.size
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.rate;
        self.level = (self.level + gained).min(self.size);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_size_at_once_and_its_rate_in_the_long_run() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, 5, start);
        for _ in 0..5 {
            assert_eq!(bucket.take(start), Ok(()));
        }
        let wait = bucket.take(start).expect_err("it is empty");
        assert!((wait.as_secs_f64() - 0.1).abs() < 1e-9, "{wait:?}");
        assert!(bucket.take(start + wait / 2).is_err());
        assert_eq!(bucket.take(start + wait), Ok(()));
        assert!(!bucket.is_full(start + wait));
        assert!(bucket.is_full(start + Duration::from_secs(1)));
    }
}
