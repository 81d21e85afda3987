//! What a set of images is worth, measured on its layers' RSMs.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::gram::{moments, triangle};
use crate::objective::{Summary, all_moments, correlations, stack};
use crate::{Error, Real};

/// Eigenvalues of R below this share of L count as 0: rounding of f32 activations is larger.
const SINGULAR: f64 = 1e-9;

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
        if let Some(index) = rsms.iter().position(|value| !value.is_finite()) {
            return Err(Error::NonFinite { what: "similarity", index });
        }
        let (matrix, sd) = correlations(rsms, f64::NO_SPREAD)?;
        if coefficient == Coefficient::Pearson {
            return Ok(Self { matrix, sd });
        }
        let mut ranked = Array2::zeros(rsms.raw_dim());
        for (mut row, rsm) in ranked.rows_mut().into_iter().zip(rsms.rows()) {
            row.assign(&ArrayView1::from(&ranks(rsm)));
        }
        let (matrix, _) = correlations(ranked.view(), f64::NO_SPREAD)?;
        Ok(Self { matrix, sd })
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
        let layers = self.matrix.nrows();
        let summary = Summary::of(self.matrix.view());
        let adjacent: f64 = (1..layers).map(|layer| self.matrix[[layer - 1, layer]]).sum();
        let eigenvalues = self.eigenvalues()?;
        let entropy: f64 = eigenvalues
            .iter()
            .map(|value| value / layers as f64)
            .filter(|&share| share > 0.0)
            .map(|share| -share * share.ln())
            .sum();
        let smallest = eigenvalues.iter().copied().fold(f64::INFINITY, f64::min);
        Ok(Statistics {
            mean_abs_r: summary.mean_abs_r,
            max_abs_r: summary.max_abs_r,
            worst: summary.worst,
            mean_adjacent_r: adjacent / (layers - 1) as f64,
            effective_rank: entropy.exp(),
            inflation: (smallest > SINGULAR * layers as f64).then(|| self.inflation()).flatten(),
            sd: self.sd.clone(),
        })
    }

    fn faer(&self) -> Mat<f64> {
        Mat::from_fn(self.matrix.nrows(), self.matrix.nrows(), |i, j| self.matrix[[i, j]])
    }

    fn eigenvalues(&self) -> Result<Vec<f64>, Error> {
        let failed = |_| Error::Eigenvalues { layers: self.matrix.nrows() };
        self.faer().self_adjoint_eigenvalues(Side::Lower).map_err(failed)
    }

    fn inflation(&self) -> Option<Vec<f64>> {
        let layers = self.matrix.nrows();
        let inverse = self.faer().llt(Side::Lower).ok()?.solve(Mat::<f64>::identity(layers, layers));
        Some((0..layers).map(|layer| inverse[(layer, layer)]).collect())
    }
}

/// The RSM of one layer: Pearson correlations over units of the activations (images x units) of each pair of images, strict
/// upper triangle, row by row.
///
/// # Errors
/// [`Error::TooFew`] for fewer than two images or units, [`Error::Activation`], [`Error::ConstantImage`]; the layer is 0.
pub fn rsm<T: Real>(activations: ArrayView2<'_, T>) -> Result<Vec<f64>, Error> {
    Ok(triangle(&moments(activations, 0)?.similarity))
}

/// The RSMs of all layers, L x P.
///
/// # Errors
/// As [`rsm`], and [`Error::Mismatch`] if layers have not the same images.
pub fn rsms<T: Real>(layers: &[Array2<T>]) -> Result<Array2<f64>, Error> {
    Ok(stack(&all_moments(layers)?))
}

/// Average ranks from 1; equal values share the mean of theirs.
#[must_use]
pub fn ranks(values: ArrayView1<'_, f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = start as f64 + (same.len() + 1) as f64 / 2.0;
        same.iter().for_each(|&index| ranks[index] = rank);
        start += same.len();
    }
    ranks
}
