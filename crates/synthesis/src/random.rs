//! Random numbers that depend on a seed, a purpose and a counter, never on what was drawn before.

use rand_mt::Mt64;

/// What numbers are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// First parameters; counted by image and plane.
    Start = 1,
    /// Transforms; counted by step.
    Transform = 2,
    /// Draws of natural images; counted by draw.
    Natural = 3,
    /// Grey noise.
    Noise = 4,
}

/// The generator of one purpose and count.
pub(crate) fn stream(seed: u64, stream: Stream, count: u64) -> Mt64 {
    Mt64::new_with_key([seed, stream as u64, count])
}

/// Uniform integer below `bound`, which must not be 0.
pub(crate) fn below(random: &mut Mt64, bound: u64) -> u64 {
    // Values of the last, incomplete block would favour small results.
    let excess = (u64::MAX % bound + 1) % bound;
    loop {
        let value = random.next_u64();
        if value <= u64::MAX - excess {
            return value % bound;
        }
    }
}

/// Uniform number in 0..1, 53 bits.
fn unit(random: &mut Mt64) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Two independent standard normal numbers (Box and Muller).
pub(crate) fn normals(random: &mut Mt64) -> [f64; 2] {
    let radius = (-2.0 * (1.0 - unit(random)).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * unit(random)).sin_cos();
    [radius * cos, radius * sin]
}
