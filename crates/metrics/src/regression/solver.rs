//! What all targets of a split share: the centred Gram matrix and its factorisation.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;

use super::eigen::Eigen;
use super::kernel::{SplitKernel, centred_targets};
use super::{Prediction, Regression, linear, pls, ridge, ridge_cv};
use crate::{Error, LayerGram, Split};

/// Responses of a training set, centred.
pub(super) struct Targets {
    /// m x q.
    pub values: Array2<f64>,
    /// Mean response of each neuroid over the training stimuli.
    pub means: Array1<f64>,
}

impl Targets {
    fn new(y: ArrayView2<'_, f64>, split: &Split) -> Self {
        let (values, means) = centred_targets(y, &split.train);
        Self { values, means }
    }
}

/// A regression on the training set of one split, before it knows the targets.
pub(super) struct Solver<'a> {
    pub gram: &'a LayerGram,
    pub kernel: SplitKernel,
    eigen: OnceLock<Result<Eigen, Error>>,
    method: Method<'a>,
}

enum Method<'a> {
    Ridge { alpha: f64, factor: Option<Array2<f64>> },
    RidgeCv { alphas: &'a [f64], search: Result<ridge_cv::Search, Error> },
    Linear,
}

impl<'a> Solver<'a> {
    /// `None` for PLS, whose power iteration begins with the targets.
    fn new(regression: &'a Regression, gram: &'a LayerGram, split: &Split) -> Option<Self> {
        let kernel = SplitKernel::new(gram, split);
        let method = match regression {
            Regression::Pls { .. } => return None,
            Regression::Ridge { alpha } => {
                Method::Ridge { alpha: *alpha, factor: ridge::factor(&kernel, *alpha) }
            }
            Regression::RidgeCv { alphas } => {
                Method::RidgeCv { alphas, search: ridge_cv::Search::new(&kernel, gram.noise) }
            }
            Regression::Linear => Method::Linear,
        };
        Some(Self { gram, kernel, eigen: OnceLock::new(), method })
    }

    fn predict(&self, targets: &Targets) -> Result<Prediction, Error> {
        match &self.method {
            Method::Ridge { alpha, factor } => ridge::predict(self, targets, *alpha, factor.as_ref()),
            Method::RidgeCv { alphas, search } => {
                ridge_cv::predict(self, targets, alphas, search.as_ref().map_err(Clone::clone)?)
            }
            Method::Linear => linear::by_eigenvectors(self, targets, 0.0),
        }
    }

    /// The eigendecomposition of the training set's Gram matrix, once for all targets.
    pub fn eigen(&self) -> Result<&Eigen, Error> {
        let eigen = self.eigen.get_or_init(|| Eigen::of_gram(self.kernel.train.view(), self.gram.noise));
        eigen.as_ref().map_err(Clone::clone)
    }
}

/// Predictions of all targets in all splits, each as if it were alone; what `take` makes of them, by target and split.
pub(super) fn predict_all<T: Send>(
    regression: &Regression,
    gram: &LayerGram,
    targets: &[ArrayView2<'_, f64>],
    splits: &[Split],
    take: impl Fn(usize, &Split, Prediction) -> Result<T, Error> + Sync,
) -> Vec<Result<Vec<T>, Error>> {
    if let Regression::Pls { components } = regression {
        let of_one = |(index, y): (usize, &ArrayView2<'_, f64>)| {
            let predictions = pls::predict(gram, *y, splits, *components)?;
            splits.iter().zip(predictions).map(|(split, prediction)| take(index, split, prediction)).collect()
        };
        return targets.iter().enumerate().map(of_one).collect();
    }
    let mut taken: Vec<Result<Vec<T>, Error>> = targets.iter().map(|_| Ok(Vec::new())).collect();
    // As many splits are held at a time as there are threads; of a target that fails the first split says why, whatever the threads.
    for splits in splits.chunks(rayon::current_num_threads().max(1)) {
        let solvers: Vec<(&Split, Solver<'_>)> = splits
            .par_iter()
            .with_max_len(1)
            .filter_map(|split| Some((split, Solver::new(regression, gram, split)?)))
            .collect();
        let of_target = |(index, taken): (usize, &mut Result<Vec<T>, Error>)| {
            let Ok(list) = taken else { return };
            let of_split = |(split, solver): &(&Split, Solver<'_>)| {
                take(index, split, solver.predict(&Targets::new(targets[index], split))?)
            };
            let found: Vec<Result<T, Error>> = solvers.par_iter().with_max_len(1).map(of_split).collect();
            match found.into_iter().collect::<Result<Vec<T>, Error>>() {
                Ok(found) => list.extend(found),
                Err(error) => *taken = Err(error),
            }
        };
        taken.par_iter_mut().with_max_len(1).enumerate().for_each(of_target);
    }
    taken
}
