//! numpy's legacy `RandomState`, bit for bit (spec §1.6).

use rand_mt::Mt;

use crate::Error;

/// Mersenne Twister with the draws of `numpy.random.RandomState(seed)`.
///
/// Splits of the reference depend on every single draw, so the order and number of draws of each method is part of its contract.
#[derive(Debug, Clone)]
pub struct RandomState {
    generator: Mt,
    second_normal: Option<f64>,
}

impl RandomState {
    /// The generator seeded by an integer (`init_genrand`).
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self { generator: Mt::new(seed), second_normal: None }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        self.generator.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        high << 32 | u64::from(self.next_u32())
    }

    /// Uniform integer in 0..=`max` by masked rejection; draws nothing if `max` is 0.
    pub fn interval(&mut self, max: u64) -> u64 {
        if max == 0 {
            return 0;
        }
        let mask = u64::MAX >> max.leading_zeros();
        loop {
            let bits = if max <= u64::from(u32::MAX) { u64::from(self.next_u32()) } else { self.next_u64() };
            if bits & mask <= max {
                return bits & mask;
            }
        }
    }

    /// Fisher-Yates from the last element down.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            let j = self.interval(i as u64) as usize;
            values.swap(i, j);
        }
    }

    /// The integers 0..`n`, shuffled.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut values: Vec<usize> = (0..n).collect();
        self.shuffle(&mut values);
        values
    }

    /// `size` of the values without replacement: the first of a permutation of all. Always consumes a whole permutation.
    ///
    /// # Errors
    /// [`Error::TooFew`] if there are fewer values than `size`.
    pub fn choice<T: Clone>(&mut self, values: &[T], size: usize) -> Result<Vec<T>, Error> {
        if size > values.len() {
            return Err(Error::TooFew {
                what: "values to choose from without replacement",
                needed: size,
                found: values.len(),
            });
        }
        let order = self.permutation(values.len());
        Ok(order.into_iter().take(size).map(|i| values[i].clone()).collect())
    }

    /// Uniform in \[0, 1) with 53 bits.
    pub fn random_sample(&mut self) -> f64 {
        let high = f64::from(self.next_u32() >> 5);
        let low = f64::from(self.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// Standard normal by the polar method; every second call returns the value kept from the one before.
    pub fn randn(&mut self) -> f64 {
        if let Some(value) = self.second_normal.take() {
            return value;
        }
        loop {
            let x = 2.0 * self.random_sample() - 1.0;
            let y = 2.0 * self.random_sample() - 1.0;
            let radius = x * x + y * y;
            if radius < 1.0 && radius != 0.0 {
                let factor = (-2.0 * radius.ln() / radius).sqrt();
                self.second_normal = Some(factor * x);
                return factor * y;
            }
        }
    }
}
