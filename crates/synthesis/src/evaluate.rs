//! What a set of images is worth, measured on its layers' RSMs.

use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::{Error, Real};

/// How two RSMs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coefficient {
    /// Pearson's r of the strict upper triangles.
    #[default]
    Pearson,
    /// The same of average ranks.
    Spearman,
}

/// How alike the layers are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// E1: mean absolute correlation of two layers.
    pub mean_abs_r: f64,
    /// E2: the largest absolute one.
    pub max_abs_r: f64,
    /// The layers that have it, the earlier first.
    pub worst: [usize; 2],
    /// E3: mean correlation, with its sign, of adjacent layers.
    pub mean_adjacent_r: f64,
    /// E4: exp of the entropy of the eigenvalues of R/L; L when all layers are orthogonal, 1 when all are the same.
    pub effective_rank: f64,
    /// E5: variance inflation factor of each layer, (R⁻¹)_ll; none if R has no inverse.
    pub inflation: Option<Vec<f64>>,
    /// E8: spread of each layer's RSM over image pairs, sd(v) with divisor P; of the similarities, not their ranks.
    pub sd: Vec<f64>,
}

/// Correlations of L layers' RSMs.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerCorrelation {
    matrix: Array2<f64>,
    sd: Vec<f64>,
}

impl LayerCorrelation {
    /// From L x P similarities: a row per layer, a column per image pair.
    ///
    /// # Errors
    /// [`Error::TooFew`] for fewer than two layers or three pairs, [`Error::TooMany`] layers, [`Error::NonFinite`],
    /// [`Error::ConstantRsm`].
    pub fn new(rsms: ArrayView2<'_, f64>, coefficient: Coefficient) -> Result<Self, Error> {
        todo!("{rsms:?} {coefficient:?}")
    }

    /// The L x L matrix R.
    #[must_use]
    pub fn matrix(&self) -> ArrayView2<'_, f64> {
        self.matrix.view()
    }

    /// E1 to E5 and E8.
    ///
    /// # Errors
    /// [`Error::Eigenvalues`].
    pub fn statistics(&self) -> Result<Statistics, Error> {
        todo!("{:?}", self.sd)
    }
}

/// The RSM of one layer: Pearson correlations over units of the activations (images x units) of each pair of images, strict
/// upper triangle, row by row.
///
/// # Errors
/// [`Error::TooFew`] for fewer than two images or units, [`Error::Activation`], [`Error::ConstantImage`]; the layer is 0.
pub fn rsm<T: Real>(activations: ArrayView2<'_, T>) -> Result<Vec<f64>, Error> {
    todo!("{:?}", activations.dim())
}

/// The RSMs of all layers, L x P.
///
/// # Errors
/// As [`rsm`], and [`Error::Mismatch`] if layers have not the same images.
pub fn rsms<T: Real>(layers: &[Array2<T>]) -> Result<Array2<f64>, Error> {
    todo!("{:?}", layers.len())
}

/// Average ranks from 1; equal values share the mean of theirs.
#[must_use]
pub fn ranks(values: ArrayView1<'_, f64>) -> Vec<f64> {
    todo!("{values:?}")
}
