//! How long a failed unit waits.

use crate::types::Timing;

/// Prime modulus of the jitter's hash. With [`FACTOR`] every step stays below 2^53, so that Lua's numbers hold it exactly.
const MODULUS: u64 = 4_294_967_291;
/// Factor of the jitter's hash.
const FACTOR: u64 = 65_599;

/// Milliseconds until a unit with `failures` failures (attempts and crashes) is queued again: between half and all of a time that doubles with
/// every failure. The jitter depends on the unit and the number of failures only, so that every implementation waits equally long.
pub fn backoff_ms(timing: &Timing, unit: &str, failures: u32) -> u64 {
    let doublings = failures.saturating_sub(1).min(32);
    let full = timing.backoff_ms.saturating_mul(1 << doublings).min(timing.max_backoff_ms);
    let half = full / 2;
    half + hash(unit, failures) % (full - half + 1)
}

fn hash(unit: &str, failures: u32) -> u64 {
    unit.bytes().fold(u64::from(failures), |hash, byte| (hash * FACTOR + u64::from(byte)) % MODULUS)
}
