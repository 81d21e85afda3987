//! Metrics that read the features themselves, tile by tile.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use ventral_data::{Benchmark, Metric};
use ventral_metrics::{
    Error, Feature, LayerGram, NeuronToNeuron, ReversePredictivity, SplitScores, TileConsumer,
};

use crate::behavior::ReadoutReader;
use crate::rows::{self, Mixture};
use crate::units::UnitReader;

enum Kernel {
    NeuronToNeuron(NeuronToNeuron),
    Reverse(ReversePredictivity),
    Behavior(ReadoutReader),
    Units(UnitReader),
}

/// A metric that reads the tiles of one layer.
pub struct TileMetric {
    kernel: Kernel,
    mixture: Option<Mixture>,
}

impl TileMetric {
    /// `labels` are those of the features where these are probabilities. `gram` is the layer's, whose rows are those of the activations, for metrics that need it.
    ///
    /// # Errors
    /// Those of the metric, and a metric that does not read tiles.
    pub fn new(
        benchmark: &Arc<Benchmark>,
        model_bins: &[[f64; 2]],
        labels: &[String],
        gram: Option<LayerGram>,
    ) -> Result<Self, Error> {
        let none = Array2::zeros((0, 0));
        let responses = benchmark.responses().unwrap_or(none.view());
        let splits = &benchmark.splits;
        let kernel = match &benchmark.metric {
            Metric::NeuronToNeuron => Kernel::NeuronToNeuron(NeuronToNeuron::new(responses, splits)?),
            Metric::Reverse(regression) => {
                let gram =
                    gram.as_ref().map(|gram| rows::prepared(benchmark, model_bins, gram)).transpose()?;
                Kernel::Reverse(ReversePredictivity::new(regression, responses, splits, gram.as_deref())?)
            }
            Metric::Behavior => Kernel::Behavior(ReadoutReader::new(benchmark.clone(), labels)?),
            Metric::Units => Kernel::Units(UnitReader::new(benchmark.clone())?),
            metric => {
                return Err(Error::Parameter {
                    name: "metric",
                    value: format!("{metric:?}"),
                    allowed: "this one works from the Gram matrix and reads no tiles",
                });
            }
        };
        Ok(Self { kernel, mixture: rows::mixture(benchmark, model_bins)? })
    }

    /// Values that are left out of what a split has one value of, and of how many, if there are any.
    pub fn undefined(&self) -> Option<[usize; 2]> {
        let Kernel::Reverse(metric) = &self.kernel else { return None };
        let (undefined, of) = metric.undefined();
        (undefined > 0).then_some([undefined, of])
    }

    /// # Errors
    /// Those of the metric.
    pub fn finish(self) -> Result<SplitScores, Error> {
        match self.kernel {
            Kernel::NeuronToNeuron(metric) => metric.finish(),
            Kernel::Reverse(metric) => metric.finish(),
            Kernel::Behavior(reader) => reader.finish(),
            Kernel::Units(reader) => reader.finish(),
        }
    }
}

impl TileConsumer for TileMetric {
    fn push<T: Feature>(&mut self, first: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        match &self.mixture {
            Some(mixture) => self.kernel.push(first, rows::mixed(tile, mixture).view()),
            None => self.kernel.push(first, tile),
        }
    }
}

impl Kernel {
    fn push<T: Feature>(&mut self, first: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        match self {
            Self::NeuronToNeuron(metric) => metric.push(first, tile),
            Self::Reverse(metric) => metric.push(first, tile),
            Self::Behavior(reader) => reader.push(first, tile),
            Self::Units(reader) => reader.push(first, tile),
        }
    }
}
