//! Pools: units that the same workers can run. A worker takes from every pool of its numeric profile whose memory class it covers.

/// Smallest memory class: 2^28 bytes, 256 MiB.
pub const MIN_CLASS: u32 = 28;
/// Largest memory class: 2^42 bytes, 4 TiB.
pub const MAX_CLASS: u32 = 42;
/// Pool of the units that assemble results; the aggregator takes from it.
pub const ASSEMBLE_POOL: &str = "assemble";
/// Pool of the units that do nothing, for drills.
pub const DRILL_POOL: &str = "drill";

/// The memory class of a unit that needs `bytes`: the exponent of the next power of two.
pub fn unit_class(bytes: u64) -> u32 {
    let exponent = u64::BITS - bytes.saturating_sub(1).leading_zeros();
    exponent.clamp(MIN_CLASS, MAX_CLASS)
}

/// The largest class whose units surely fit into `bytes`, or `None` below the smallest.
pub fn worker_class(bytes: u64) -> Option<u32> {
    let exponent = bytes.checked_ilog2()?;
    (exponent >= MIN_CLASS).then(|| exponent.min(MAX_CLASS))
}

/// Name of the pool of a profile and a class.
pub fn pool_name(profile: &str, class: u32) -> String {
    format!("{profile}/m{class}")
}

/// Pools a worker takes from, the largest class first: large units have fewer workers to wait for.
pub fn worker_pools(profile: &str, slot_bytes: u64) -> Vec<String> {
    let largest = worker_class(slot_bytes);
    largest.map_or(Vec::new(), |largest| {
        (MIN_CLASS..=largest).rev().map(|class| pool_name(profile, class)).collect()
    })
}
