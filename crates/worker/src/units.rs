//! Single units of a layer: the distribution of a property, or the share of units for a factor.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use ventral_data::{Benchmark, Target, UnitTask};
use ventral_metrics::{
    Error, FactorDimensionality, Feature, SplitScores, TileConsumer, UnitProperties, ks_similarity,
};

/// Reads the tiles of one layer.
pub struct UnitReader {
    benchmark: Arc<Benchmark>,
    kernel: Kernel,
}

enum Kernel {
    Factors(FactorDimensionality),
    Property(UnitProperties),
}

impl UnitReader {
    /// # Errors
    /// Those of the metric, and a benchmark that is not of single units.
    pub fn new(benchmark: Arc<Benchmark>) -> Result<Self, Error> {
        let rows = benchmark.rows();
        let kernel = match task(&benchmark)? {
            UnitTask::Factors { factors, .. } => {
                Kernel::Factors(FactorDimensionality::new(rows, factors.clone())?)
            }
            UnitTask::Property { property, .. } => {
                Kernel::Property(UnitProperties::new(rows, property.clone())?)
            }
        };
        Ok(Self { benchmark, kernel })
    }

    /// Takes the next tile.
    pub fn push<T: Feature>(&mut self, first: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        match &mut self.kernel {
            Kernel::Factors(metric) => metric.push(first, tile),
            Kernel::Property(metric) => metric.push(first, tile),
        }
    }

    /// One value, or one row with a value for each resampling.
    pub fn finish(self) -> Result<SplitScores, Error> {
        let values = match (self.kernel, task(&self.benchmark)?) {
            (Kernel::Factors(metric), UnitTask::Factors { wanted, .. }) => {
                let share = metric.finish()?.get(*wanted).copied().unwrap_or(f64::NAN);
                vec![share]
            }
            (Kernel::Property(metric), UnitTask::Property { neurons, edges, resamplings, seed, .. }) => {
                ks_similarity(&metric.finish()?, neurons, edges, *resamplings, *seed)?.per_split
            }
            _ => return Err(mismatch()),
        };
        let values = Array2::from_shape_fn((1, values.len()), |(_, column)| values[column]);
        Ok(SplitScores { values, alphas: Vec::new() })
    }
}

fn task(benchmark: &Benchmark) -> Result<&UnitTask, Error> {
    match &benchmark.target {
        Target::Units(task) => Ok(task),
        _ => Err(mismatch()),
    }
}

fn mismatch() -> Error {
    Error::Parameter {
        name: "metric",
        value: "of single units".to_owned(),
        allowed: "needs a benchmark whose sections fit it; `ventral benchmarks check CARD` checks the card",
    }
}
