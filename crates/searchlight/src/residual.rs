//! What is left of a layer's map when the other layers are taken into account.
//!
//! Everything follows from the layers' correlations C and a centre's raw correlations g with them; the image pairs are not
//! needed again. With Ω = C⁻¹ and β = Ωg: semi-partial β_l/√Ω_ll, partial t/√(1+t²) with t = β_l/√(Ω_ll(1-gᵀβ)).

use std::collections::BTreeSet;

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};
use serde::{Deserialize, Serialize};

use crate::{Error, LayerRsms};

/// Variance inflation above which a warning is due.
pub const WARN_INFLATION: f64 = 10.0;
/// Variance inflation above which methods that invert the layer correlations refuse.
pub const MAX_INFLATION: f64 = 100.0;
/// Condition number above which these methods refuse.
pub const MAX_CONDITION: f64 = 1e4;

/// How the other layers are taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residual {
    /// Not at all: the correlation itself.
    Raw,
    /// All other layers are regressed out of the layer, not out of the brain (R1).
    #[default]
    SemiPartial,
    /// All other layers are regressed out of the layer and of the brain (R4).
    Partial,
    /// Semi-partial with the neighbours in depth only (R2).
    Adjacent,
    /// Semi-partial with the earlier layers only: what this layer adds (R3).
    Earlier,
    /// Standardised weight in the regression of the brain on all layers (R5). Not a correlation: the sign can flip between
    /// similar layers.
    Regression,
    /// The same with a penalty on the weights, (C + λI)⁻¹g (R6). Works for collinear layers.
    Ridge {
        /// The penalty λ.
        lambda: f64,
    },
    /// Regression with weights that are not negative (R7).
    NonNegative,
    /// Variance explained by all layers minus that by all others: the square of semi-partial (R8).
    UniqueVariance,
    /// Correlation with the orthonormal set nearest to the layers, C^(-1/2)g (R9).
    Loewdin,
}

impl Residual {
    /// Ridge with the usual penalty.
    pub const RIDGE: Self = Self::Ridge { lambda: 0.1 };

    fn inverts(self) -> bool {
        matches!(
            self,
            Self::SemiPartial
                | Self::Partial
                | Self::Adjacent
                | Self::Earlier
                | Self::Regression
                | Self::NonNegative
                | Self::UniqueVariance
        )
    }
}

/// The layers as predictors of brain RSMs: how alike they are, and their inverses.
#[derive(Debug, Clone)]
pub struct LayerDesign {
    names: Vec<String>,
    correlations: Array2<f64>,
    /// Eigenvalues in ascending order, and eigenvectors in columns.
    eigenvalues: Vec<f64>,
    eigenvectors: Array2<f64>,
    inflation: Vec<f64>,
    rank: usize,
}

/// Share of the largest eigenvalue below which one counts as zero.
const RANK_SHARE: f64 = 1e-8;

impl LayerDesign {
    /// The design of layers whose comparison has residuals.
    ///
    /// # Errors
    /// [`Error::Invalid`] for rho-a and tau-a; see [`LayerDesign::from_correlations`].
    pub fn new(layers: &LayerRsms) -> Result<Self, Error> {
        if !layers.comparison().has_residuals() {
            return Err(Error::Invalid {
                what: "comparison with a residual method",
                found: format!("{:?}", layers.comparison()),
                advice: "use Pearson, Spearman or cosine",
            });
        }
        Self::from_correlations(layers.names().to_vec(), layers.correlations().to_owned())
    }

    /// The design of given layer correlations (layers x layers, ones on the diagonal).
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another shape, [`Error::NonFinite`], and [`Error::Invalid`] if the matrix is not symmetric with
    /// a diagonal of ones.
    pub fn from_correlations(names: Vec<String>, correlations: Array2<f64>) -> Result<Self, Error> {
        let layers = names.len();
        if correlations.dim() != (layers, layers) {
            let found = correlations.len();
            return Err(Error::Mismatch { what: "layer correlations", expected: layers * layers, found });
        }
        if let Some(index) = correlations.iter().position(|value| !value.is_finite()) {
            let advice = "leave the layer out";
            return Err(Error::NonFinite { what: "layer correlation", index, advice });
        }
        let unit = correlations.diag().iter().all(|value| (value - 1.0).abs() < 1e-6);
        if !unit || (&correlations - &correlations.t()).iter().any(|difference| difference.abs() > 1e-9) {
            let advice = "a correlation matrix is symmetric with ones on its diagonal";
            return Err(Error::Invalid {
                what: "layer correlations",
                found: format!("{layers} layers"),
                advice,
            });
        }
        let (eigenvalues, eigenvectors) = eigen(&correlations)?;
        let largest = eigenvalues.last().copied().unwrap_or(0.0);
        let kept = |value: &&f64| **value > RANK_SHARE * largest;
        let rank = eigenvalues.iter().filter(kept).count();
        let inflation = if rank == layers {
            inverse(&correlations)?.diag().to_vec()
        } else {
            vec![f64::INFINITY; layers]
        };
        Ok(Self { names, correlations, eigenvalues, eigenvectors, inflation, rank })
    }

    /// Names of the layers.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Correlations of the layers with each other.
    #[must_use]
    pub fn correlations(&self) -> ArrayView2<'_, f64> {
        self.correlations.view()
    }

    /// Variance inflation factor of each layer: 1 if it is unrelated to the others. A semi-partial correlation of the layer
    /// cannot exceed 1/√VIF. Infinite for all where one layer is a mixture of others.
    #[must_use]
    pub fn variance_inflation(&self) -> &[f64] {
        &self.inflation
    }

    /// Ratio of the largest to the smallest eigenvalue of the correlations.
    #[must_use]
    pub fn condition_number(&self) -> f64 {
        match (self.eigenvalues.first(), self.eigenvalues.last()) {
            (Some(&smallest), Some(&largest)) if smallest > 0.0 => largest / smallest,
            _ => f64::INFINITY,
        }
    }

    /// Number of eigenvalues above 1e-8 of the largest.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Layers whose variance inflation exceeds [`WARN_INFLATION`], with it.
    #[must_use]
    pub fn warnings(&self) -> Vec<(&str, f64)> {
        let pairs = self.names.iter().map(String::as_str).zip(self.inflation.iter().copied());
        pairs.filter(|&(_, inflation)| inflation > WARN_INFLATION).collect()
    }

    /// That a method has something to say about these layers.
    ///
    /// # Errors
    /// [`Error::Collinear`] for methods that invert the correlations, beyond [`MAX_INFLATION`] or [`MAX_CONDITION`];
    /// [`Error::Invalid`] for a ridge penalty that is not a finite number above 0.
    pub fn check(&self, method: Residual) -> Result<(), Error> {
        if let Residual::Ridge { lambda } = method
            && !(lambda.is_finite() && lambda > 0.0)
        {
            let advice = "give a finite number above 0, such as 0.1";
            return Err(Error::Invalid { what: "ridge penalty lambda", found: lambda.to_string(), advice });
        }
        let condition = self.condition_number();
        let worst = self.inflation.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let Some((layer, &inflation)) = worst else { return Ok(()) };
        if method.inverts() && (inflation > MAX_INFLATION || condition > MAX_CONDITION) {
            return Err(Error::Collinear {
                layer: self.names[layer].clone(),
                inflation,
                inflation_limit: MAX_INFLATION,
                condition,
                condition_limit: MAX_CONDITION,
            });
        }
        Ok(())
    }

    /// The method, made ready to be applied to many centres.
    ///
    /// # Errors
    /// See [`LayerDesign::check`].
    pub fn prepare(&self, method: Residual) -> Result<ResidualMap, Error> {
        self.check(method)?;
        let c = &self.correlations;
        let layers = self.names.len();
        let semi = || -> Result<_, Error> {
            let omega = inverse(c)?;
            let scale = omega.diag().mapv(|value| 1.0 / value.sqrt());
            Ok(&omega * &scale.insert_axis(ndarray::Axis(1)))
        };
        let step = match method {
            Residual::Raw => Step::Linear(Array2::eye(layers)),
            Residual::SemiPartial => Step::Linear(semi()?),
            Residual::UniqueVariance => Step::Squared(semi()?),
            Residual::Partial => Step::Partial(inverse(c)?),
            Residual::Regression => Step::Linear(inverse(c)?),
            Residual::Ridge { lambda } => {
                Step::Linear(inverse(&(c + &(Array2::<f64>::eye(layers) * lambda)))?)
            }
            Residual::Adjacent => Step::Linear(self.among(|l| l.saturating_sub(1)..layers.min(l + 2))?),
            Residual::Earlier => Step::Linear(self.among(|l| 0..l + 1)?),
            Residual::NonNegative => Step::NonNegative(c.clone()),
            Residual::Loewdin => Step::Linear(self.inverse_root()),
        };
        Ok(ResidualMap { layers, step })
    }

    /// Semi-partial weights of each layer within a range of layers around it.
    fn among(&self, range: impl Fn(usize) -> std::ops::Range<usize>) -> Result<Array2<f64>, Error> {
        let mut weights = Array2::zeros(self.correlations.dim());
        for layer in 0..self.names.len() {
            let range = range(layer);
            let omega = inverse(&self.correlations.slice(s![range.clone(), range.clone()]).to_owned())?;
            let own = layer - range.start;
            let row = omega.row(own).mapv(|value| value / omega[[own, own]].sqrt());
            weights.slice_mut(s![layer, range]).assign(&row);
        }
        Ok(weights)
    }

    /// C^(-1/2) without the directions that count as zero.
    fn inverse_root(&self) -> Array2<f64> {
        let largest = self.eigenvalues.last().copied().unwrap_or(0.0);
        let scale = |value: &f64| if *value > RANK_SHARE * largest { 1.0 / value.sqrt() } else { 0.0 };
        let scales: Array1<f64> = self.eigenvalues.iter().map(scale).collect();
        (&self.eigenvectors * &scales).dot(&self.eigenvectors.t())
    }
}

/// A residual method of one set of layers.
#[derive(Debug, Clone)]
pub struct ResidualMap {
    layers: usize,
    step: Step,
}

#[derive(Debug, Clone)]
enum Step {
    Linear(Array2<f64>),
    Squared(Array2<f64>),
    Partial(Array2<f64>),
    NonNegative(Array2<f64>),
}

impl ResidualMap {
    /// Applies the method to centres x layers of raw values; rows with NaN become NaN.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of layers.
    pub fn apply(&self, values: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        if values.ncols() != self.layers {
            return Err(Error::Mismatch {
                what: "layers of a map",
                expected: self.layers,
                found: values.ncols(),
            });
        }
        let mut out = Array2::zeros(values.dim());
        for (row, mut out) in values.rows().into_iter().zip(out.rows_mut()) {
            out.assign(&self.one(row));
        }
        Ok(out)
    }

    /// The weights on raw values where the method is a linear function of them.
    #[must_use]
    pub fn weights(&self) -> Option<ArrayView2<'_, f64>> {
        match &self.step {
            Step::Linear(weights) => Some(weights.view()),
            _ => None,
        }
    }

    /// One centre, in f64 and in a fixed order of terms.
    pub(crate) fn one(&self, raw: ArrayView1<'_, f64>) -> Array1<f64> {
        if raw.iter().any(|value| value.is_nan()) {
            return Array1::from_elem(self.layers, f64::NAN);
        }
        let product = |weights: &Array2<f64>| -> Array1<f64> {
            weights.rows().into_iter().map(|row| row.iter().zip(raw).map(|(a, b)| a * b).sum()).collect()
        };
        match &self.step {
            Step::Linear(weights) => product(weights),
            Step::Squared(weights) => product(weights).mapv(|value| value * value),
            Step::NonNegative(correlations) => non_negative(correlations, raw),
            Step::Partial(omega) => {
                let beta = product(omega);
                let explained: f64 = raw.iter().zip(&beta).map(|(a, b)| a * b).sum();
                let left = (1.0 - explained).max(0.0);
                Array1::from_shape_fn(self.layers, |layer| {
                    let (beta, own) = (beta[layer], omega[[layer, layer]]);
                    // β/√(Ω(1-R²) + β²) is t/√(1+t²) without a division by zero where the fit is perfect.
                    let norm = (own * left + beta * beta).sqrt();
                    if norm > 0.0 { beta / norm } else { 0.0 }
                })
            }
        }
    }
}

/// Lawson and Hanson's active set for min ‖y - Xw‖, w ≥ 0, from C = XᵀX and g = Xᵀy.
fn non_negative(correlations: &Array2<f64>, raw: ArrayView1<'_, f64>) -> Array1<f64> {
    let layers = raw.len();
    let mut weights = Array1::<f64>::zeros(layers);
    let mut passive: BTreeSet<usize> = BTreeSet::new();
    for _ in 0..3 * layers + 10 {
        let gradient = &raw - &correlations.dot(&weights);
        let free = (0..layers).filter(|layer| !passive.contains(layer));
        let Some(next) = free.max_by(|&a, &b| gradient[a].total_cmp(&gradient[b])) else { break };
        if gradient[next] <= 1e-12 {
            break;
        }
        passive.insert(next);
        loop {
            let set: Vec<usize> = passive.iter().copied().collect();
            let Some(solution) = solve_subset(correlations, raw, &set) else { return weights };
            if solution.iter().all(|&value| value > 0.0) {
                weights.fill(0.0);
                set.iter().zip(&solution).for_each(|(&layer, &value)| weights[layer] = value);
                break;
            }
            let blocking = set.iter().zip(&solution).filter(|(_, value)| **value <= 0.0);
            let step = blocking
                .map(|(&layer, &value)| weights[layer] / (weights[layer] - value))
                .fold(1.0, f64::min);
            for (&layer, &value) in set.iter().zip(&solution) {
                weights[layer] += step * (value - weights[layer]);
            }
            let before = passive.len();
            passive.retain(|&layer| weights[layer] > 1e-14);
            weights.iter_mut().filter(|value| **value <= 1e-14).for_each(|value| *value = 0.0);
            if passive.len() == before || passive.is_empty() {
                break;
            }
        }
    }
    weights
}

fn solve_subset(correlations: &Array2<f64>, raw: ArrayView1<'_, f64>, set: &[usize]) -> Option<Vec<f64>> {
    let matrix = Mat::from_fn(set.len(), set.len(), |i, j| correlations[[set[i], set[j]]]);
    let side = Mat::from_fn(set.len(), 1, |i, _| raw[set[i]]);
    let solution = matrix.llt(Side::Lower).ok()?.solve(&side);
    Some((0..set.len()).map(|i| solution[(i, 0)]).collect())
}

fn numeric(what: &'static str, layers: usize) -> Error {
    let advice = "drop or group similar layers, or use ridge or raw maps";
    Error::Invalid { what, found: format!("{layers} layers"), advice }
}

fn eigen(matrix: &Array2<f64>) -> Result<(Vec<f64>, Array2<f64>), Error> {
    let size = matrix.nrows();
    let failed = |_| numeric("eigenvalues of the layer correlations", size);
    let decomposition =
        Mat::from_fn(size, size, |i, j| matrix[[i, j]]).self_adjoint_eigen(Side::Lower).map_err(failed)?;
    let values = (0..size).map(|i| decomposition.S()[i]).collect();
    Ok((values, Array2::from_shape_fn((size, size), |(i, j)| decomposition.U()[(i, j)])))
}

fn inverse(matrix: &Array2<f64>) -> Result<Array2<f64>, Error> {
    let size = matrix.nrows();
    let failed = |_| numeric("inverse of the layer correlations", size);
    let factor = Mat::from_fn(size, size, |i, j| matrix[[i, j]]).llt(Side::Lower).map_err(failed)?;
    let result = factor.solve(Mat::<f64>::identity(size, size));
    Ok(Array2::from_shape_fn((size, size), |(i, j)| (result[(i, j)] + result[(j, i)]) / 2.0))
}
