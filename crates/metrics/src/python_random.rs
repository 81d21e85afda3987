//! Python's `random.Random`, as far as the reference draws with it (spec §1.6).

use rand_mt::Mt;

/// `random.Random(seed)`: the Mersenne Twister seeded by an array, integers by rejection.
#[derive(Debug, Clone)]
pub struct PythonRandom(Mt);

impl PythonRandom {
    /// The generator seeded by an integer.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self(Mt::new_with_key([seed]))
    }

    /// `_randbelow(n)`, hence `choice` of a list of `n`: as many bits as `n` has until they are below it. Draws nothing for 0.
    pub fn below(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        let shift = n.leading_zeros();
        loop {
            let bits = self.0.next_u32() >> shift;
            if bits < n {
                return bits;
            }
        }
    }
}
