//! numpy's `default_rng`: PCG64 seeded through `SeedSequence`, bit for bit (spec §5.2).

/// Multiplier of the 128-bit linear congruential generator.
const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// The generator of `numpy.random.default_rng(seed)`.
///
/// What is drawn depends on every draw before it, so the order and number of draws of each method is part of its contract.
#[derive(Debug, Clone)]
pub struct Pcg64 {
    state: u128,
    increment: u128,
    /// Upper half of the last 64 bits that a 32-bit draw took the lower half of.
    kept: Option<u32>,
}

impl Pcg64 {
    /// `default_rng(seed)`.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        let [high, low, high_stream, low_stream] = seed_words(seed);
        let wide = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let increment = wide(high_stream, low_stream) << 1 | 1;
        let mut generator = Self { state: 0, increment, kept: None };
        generator.step();
        generator.state = generator.state.wrapping_add(wide(high, low));
        generator.step();
        generator
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    /// The next 32 bits: the lower, then the upper half of 64.
    pub fn next_u32(&mut self) -> u32 {
        if let Some(upper) = self.kept.take() {
            return upper;
        }
        let bits = self.next_u64();
        self.kept = Some((bits >> 32) as u32);
        bits as u32
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

    /// Fisher-Yates from the last element down (`Generator.shuffle`; on a copy, `Generator.permutation`).
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
}

const POOL: usize = 4;
const XSHIFT: u32 = 16;

/// A multiplicative hash whose constant changes with every word.
struct Hash {
    constant: u32,
    factor: u32,
}

impl Hash {
    fn word(&mut self, value: u32) -> u32 {
        let value = value ^ self.constant;
        self.constant = self.constant.wrapping_mul(self.factor);
        let value = value.wrapping_mul(self.constant);
        value ^ value >> XSHIFT
    }
}

fn mix(x: u32, y: u32) -> u32 {
    let mixed = 0xca01_f9dd_u32.wrapping_mul(x).wrapping_sub(0x4973_f715_u32.wrapping_mul(y));
    mixed ^ mixed >> XSHIFT
}

/// `SeedSequence(seed).generate_state(4, uint64)`.
fn seed_words(seed: u32) -> [u64; 4] {
    let mut hash = Hash { constant: 0x43b0_d7e5, factor: 0x931e_8875 };
    let entropy = [seed, 0, 0, 0];
    let mut pool: [u32; POOL] = entropy.map(|word| hash.word(word));
    for source in 0..POOL {
        for target in 0..POOL {
            if source != target {
                pool[target] = mix(pool[target], hash.word(pool[source]));
            }
        }
    }
    let mut hash = Hash { constant: 0x8b51_f9dd, factor: 0x58f3_8ded };
    let words: [u32; 2 * POOL] = std::array::from_fn(|i| hash.word(pool[i % POOL]));
    std::array::from_fn(|i| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32)
}
