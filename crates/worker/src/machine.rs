//! The machine a job runs on: numeric profile, memory, measured rates.

use std::fs;
use std::time::Instant;

use ndarray::Array2;
use ventral_metrics::{GramBuilder, Precision, TILE_FEATURES, TileConsumer};
use ventral_plan::MachineFacts;

/// Revision of the kernels: changes whenever the same input may give other bytes.
pub const KERNEL_REVISION: u32 = 2;

/// Share of the free memory a job takes by default.
const MEMORY_SHARE: f64 = 0.6;

/// Memory assumed where the system does not tell.
const UNKNOWN_MEMORY_BYTES: u64 = 4 << 30;

/// Stimuli of the calibration product: large enough for the full rate, small enough for 50 ms.
const CALIBRATION_STIMULI: usize = 768;

/// What can change the bytes of a result besides its inputs: the CPU feature class that kernels dispatch on, and their revision.
///
/// Results of different profiles never share a name (ARCHITECTURE.md, promise 1).
pub fn numeric_profile() -> String {
    format!("{}-k{KERNEL_REVISION}", cpu_class())
}

#[cfg(target_arch = "x86_64")]
fn cpu_class() -> &'static str {
    let has_avx512 = std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vl");
    let has_vnni = std::arch::is_x86_feature_detected!("avx512vnni");
    let has_avx2 = std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
    match (has_avx512, has_vnni, has_avx2) {
        (true, true, _) => "x86_64-avx512-vnni",
        (true, false, _) => "x86_64-avx512",
        (false, _, true) => "x86_64-avx2-fma",
        (false, _, false) => "x86_64-sse2",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_class() -> &'static str {
    std::env::consts::ARCH
}

/// Memory this process may still take, in bytes: free memory, or what the cgroup leaves if that is less.
pub fn available_memory_bytes() -> u64 {
    let free = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| kib_field(&text, "MemAvailable:"))
        .unwrap_or(UNKNOWN_MEMORY_BYTES);
    let limits = [
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ];
    let left = limits.iter().filter_map(|(limit, used)| {
        let read = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        Some(read(limit)?.saturating_sub(read(used)?))
    });
    left.fold(free, u64::min)
}

/// Memory a job takes when the user names no limit, in bytes.
pub fn default_memory_bytes() -> u64 {
    (available_memory_bytes() as f64 * MEMORY_SHARE) as u64
}

/// Most memory this process has held so far, in bytes; `None` where the system does not tell.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    kib_field(&status, "VmHWM:")
}

/// Begins to measure [`peak_memory_bytes`] anew, where the system can.
pub(crate) fn reset_peak_memory() {
    // 5 resets the peak (proc(5)); elsewhere the peak is that of the whole process.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn kib_field(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(field))?;
    let kib: u64 = line[field.len()..].trim().split(' ').next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// Measures this machine; takes about a tenth of a second.
pub fn measure(memory_bytes: Option<u64>) -> MachineFacts {
    MachineFacts {
        profile: numeric_profile(),
        memory_bytes: memory_bytes.unwrap_or_else(default_memory_bytes),
        threads: rayon::current_num_threads(),
        f64_rate: gram_rate(Precision::F64),
        f32_rate: gram_rate(Precision::F32),
    }
}

/// Operations (n² p) per second of Gram accumulation.
fn gram_rate(precision: Precision) -> f64 {
    let n = CALIBRATION_STIMULI;
    let tile = Array2::from_shape_fn((n, TILE_FEATURES), |(i, j)| ((i * 31 + j * 17) % 97) as f32);
    let started = Instant::now();
    // Small integers are finite, and the size is within limits.
    let accepted = GramBuilder::new(n, precision).and_then(|mut builder| builder.push(0, tile.view()));
    debug_assert!(accepted.is_ok());
    let operations = (n * n) as f64 * TILE_FEATURES as f64;
    operations / started.elapsed().as_secs_f64().max(1e-6)
}
