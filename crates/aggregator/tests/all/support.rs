//! What several modules need.

use std::path::PathBuf;

use ventral_aggregator::{BenchmarkRef, Ceiled, LayerScore};
use ventral_metrics::Score;

/// Version 1 of a benchmark.
pub fn benchmark(identifier: &str) -> BenchmarkRef {
    BenchmarkRef { identifier: identifier.into(), version: "1".into() }
}

/// A layer whose raw and ceiled scores are equal.
pub fn scored_layer(model: &str, layer: &str, depth_index: usize, benchmark: &str, value: f64) -> LayerScore {
    let score = Score { value, error: 0.01, per_split: vec![value - 0.02, value, value + 0.02] };
    LayerScore {
        model: model.into(),
        layer: layer.into(),
        depth_index,
        benchmark: benchmark.into(),
        version: "1".into(),
        raw: Some(score.clone()),
        ceiling: Some(0.75),
        ceiled: Ceiled::Score(score),
        precision: None,
        undefined: None,
    }
}

/// A layer whose metric failed.
pub fn failed_layer(
    model: &str,
    layer: &str,
    depth_index: usize,
    benchmark: &str,
    reason: &str,
) -> LayerScore {
    LayerScore {
        raw: None,
        ceiled: Ceiled::Failed { reason: reason.into() },
        ..scored_layer(model, layer, depth_index, benchmark, 0.0)
    }
}

/// The directory of real data, or `None` after saying that the test is skipped.
pub fn real_data() -> Option<PathBuf> {
    let directory = std::env::var_os("VENTRAL_DATA").map(PathBuf::from);
    if directory.is_none() {
        eprintln!("SKIPPED: VENTRAL_DATA is not set");
    }
    directory
}
