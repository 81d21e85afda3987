//! The other way round: neuroids predict the features of a layer (spec §1.1, `reverse_pls`).
//!
//! For every regression here the prediction of a feature y is linear in it: ŷ = L R (y - mean) + mean, with L (test stimuli x r) and
//! R (r x training stimuli) the same for all features. So a layer is read once, tile by tile, and its features never lie side by side.
//! For ridge and least squares L and R follow from the responses alone. For PLS they follow from the responses, the inner products of
//! the features (the layer's Gram matrix, from a pass before) and one feature to start from, which the first tile brings.

mod map;
mod nipals;

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use self::map::Map;
use self::nipals::Start;
use crate::correlation::pearson_columns;
use crate::gram::{Feature, check_finite, check_tile};
use crate::regression::{
    at_least, check_alpha, check_splits, check_targets, column_means, each_split, product,
};
use crate::statistics::nan_median;
use crate::{Error, LayerGram, Regression, Split, SplitScores, TileConsumer};

/// Features that one thread predicts at a time. Part of the shape of the products, hence of their last bits.
const FEATURES_PER_PIECE: usize = 256;

/// What a split still needs before it can predict.
enum Fit {
    Ready(Map),
    /// PLS before its first feature that is not constant.
    Waiting,
}

/// What PLS starts from, kept until no split is waiting.
struct Source {
    gram: LayerGram,
    responses: Array2<f64>,
    components: usize,
}

/// Fits every feature of a layer on the neuroids and scores it on the test stimuli.
///
/// Reads the tile stream of a layer once. Memory: one tile, one number per split and feature, and for PLS, until the first tile, the
/// Gram matrix and once more per thread.
pub struct ReversePredictivity {
    splits: Vec<Split>,
    stimuli: usize,
    fits: Vec<Fit>,
    source: Option<Source>,
    /// r of every feature so far, per split.
    scores: Vec<Vec<f64>>,
    features: u64,
}

impl ReversePredictivity {
    /// Whether the regression needs the layer's Gram matrix before its features.
    #[must_use]
    pub fn needs_gram(regression: &Regression) -> bool {
        matches!(regression, Regression::Pls { .. })
    }

    /// Starts with the responses `y` (stimuli x neuroids), the splits to score, and for PLS the layer's Gram matrix.
    ///
    /// # Errors
    /// As [`predict`](crate::predict) for `y` and the splits; [`Error::TooFew`] for PLS with fewer neuroids or training stimuli than
    /// components; [`Error::Mismatch`] if PLS has no Gram matrix or one of other stimuli; [`Error::Parameter`] for a penalty that is
    /// not above zero, and for RidgeCV, which would have to keep all features to choose its penalty.
    pub fn new(
        regression: &Regression,
        y: ArrayView2<'_, f64>,
        splits: &[Split],
        gram: Option<&LayerGram>,
    ) -> Result<Self, Error> {
        check_targets(y.nrows(), y)?;
        check_splits(y.nrows(), splits)?;
        let (fits, source) = match regression {
            Regression::Ridge { alpha } => {
                check_alpha(*alpha)?;
                (linear(y, splits, *alpha)?, None)
            }
            Regression::Linear => (linear(y, splits, 0.0)?, None),
            Regression::Pls { components } => {
                let waiting = splits.iter().map(|_| Fit::Waiting).collect();
                (waiting, Some(source(y, splits, gram, *components)?))
            }
            Regression::RidgeCv { .. } => {
                return Err(Error::Parameter {
                    name: "regression",
                    value: "ridge_cv".to_owned(),
                    allowed: "pls, ridge and linear can be reversed; RidgeCV would have to keep all features",
                });
            }
        };
        Ok(Self {
            splits: splits.to_vec(),
            stimuli: y.nrows(),
            scores: vec![Vec::new(); splits.len()],
            fits,
            source,
            features: 0,
        })
    }

    /// Median over the features of the correlation over the test stimuli, one value per split.
    ///
    /// A feature that is constant over the test stimuli, or predicted to be, is left out; NaN if all are.
    ///
    /// # Errors
    /// [`Error::TooFew`] if no tile was pushed.
    pub fn finish(self) -> Result<SplitScores, Error> {
        at_least("features of a layer", 1, usize::try_from(self.features).unwrap_or(usize::MAX))?;
        let medians: Vec<f64> = self.scores.iter().map(|scores| nan_median(scores)).collect();
        let values = Array2::from_shape_fn((medians.len(), 1), |(split, _)| medians[split]);
        Ok(SplitScores { values, alphas: Vec::new() })
    }

    /// Correlations so far that are not defined, and of how many: [`finish`](Self::finish) leaves them out.
    #[must_use]
    pub fn undefined(&self) -> (usize, usize) {
        let all = || self.scores.iter().flatten();
        (all().filter(|r| r.is_nan()).count(), all().count())
    }

    /// Starts the PLS fits that were waiting for a feature that varies over their training stimuli.
    fn start<T: Feature>(&mut self, tile: ArrayView2<'_, T>) {
        let Some(Source { gram, responses, components }) = &self.source else { return };
        let splits = &self.splits;
        self.fits.par_iter_mut().zip(splits).with_max_len(1).for_each(|(fit, split)| {
            if matches!(fit, Fit::Waiting)
                && let Some(feature) = nipals::first_varying(tile, &split.train)
            {
                *fit = Fit::Ready(Start::new(gram, responses.view(), split, *components).extract(feature));
            }
        });
        if !self.fits.iter().any(|fit| matches!(fit, Fit::Waiting)) {
            self.source = None;
        }
    }

    /// r of the features `start..` of a tile, as many as a piece has, for one split.
    fn piece<T: Feature>(
        &self,
        split: usize,
        tile: ArrayView2<'_, T>,
        start: usize,
    ) -> Result<Vec<f64>, Error> {
        let end = tile.ncols().min(start + FEATURES_PER_PIECE);
        let columns = tile.slice(s![.., start..end]);
        let Fit::Ready(map) = &self.fits[split] else {
            return Ok(vec![f64::NAN; end - start]);
        };
        let Split { train, test } = &self.splits[split];
        let mut fitted = columns.select(Axis(0), train).mapv(Into::<f64>::into);
        fitted -= &column_means(fitted.view());
        let predicted = map.apply(fitted.view());
        let recorded = columns.select(Axis(0), test).mapv(Into::<f64>::into);
        Ok(pearson_columns(predicted.view(), recorded.view())?.to_vec())
    }
}

impl TileConsumer for ReversePredictivity {
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::TileOrder`] and [`Error::Mismatch`] if the tile is not the next one.
    fn push<T: Feature>(&mut self, first_feature: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        check_tile(self.stimuli, self.features, first_feature, tile.dim())?;
        check_finite(first_feature, tile)?;
        self.start(tile);
        let starts: Vec<usize> = (0..tile.ncols()).step_by(FEATURES_PER_PIECE).collect();
        let pieces: Vec<(usize, usize)> = (0..self.splits.len())
            .flat_map(|split| starts.iter().map(move |&start| (split, start)))
            .collect();
        let found: Vec<Vec<f64>> = pieces
            .par_iter()
            .with_max_len(1)
            .map(|&(split, start)| self.piece(split, tile, start))
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Result<_, Error>>()?;
        for ((split, _), scores) in pieces.into_iter().zip(found) {
            self.scores[split].extend(scores);
        }
        self.features += tile.ncols() as u64;
        Ok(())
    }
}

fn linear(y: ArrayView2<'_, f64>, splits: &[Split], alpha: f64) -> Result<Vec<Fit>, Error> {
    each_split(splits, |split| Ok(Fit::Ready(Map::ridge(y, split, alpha)?)))
}

fn source(
    y: ArrayView2<'_, f64>,
    splits: &[Split],
    gram: Option<&LayerGram>,
    components: usize,
) -> Result<Source, Error> {
    let stimuli = gram.map_or(0, LayerGram::stimuli);
    let Some(gram) = gram.filter(|_| stimuli == y.nrows()) else {
        let what = "stimuli of the Gram matrix that reversed PLS starts from";
        return Err(Error::Mismatch { what, expected: y.nrows(), found: stimuli });
    };
    at_least("PLS components", 1, components)?;
    at_least("neuroids for this number of PLS components", components, y.ncols())?;
    for split in splits {
        at_least("training stimuli for this number of PLS components", components + 1, split.train.len())?;
    }
    Ok(Source { gram: gram.clone(), responses: y.to_owned(), components })
}

/// Responses of some stimuli, centred by their mean over the training stimuli.
fn centred(y: ArrayView2<'_, f64>, split: &Split) -> (Array2<f64>, Array2<f64>) {
    let mut train = y.select(Axis(0), &split.train);
    let means = column_means(train.view());
    train -= &means;
    (train, y.select(Axis(0), &split.test) - &means)
}

/// `aᵀ b` of matrices with the same rows.
fn inner(a: &Array2<f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    product(a.t(), b)
}
