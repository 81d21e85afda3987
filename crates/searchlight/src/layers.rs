//! The RSMs of a model's layers, ready to be compared with brain RSMs.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::patterns::LANES;
use crate::rank::Ranker;
use crate::rsm::pairs;

/// Most layers compared at once. From 315 on, the eigendecomposition of their correlations is cut up by the number of threads, and
/// so would its roundings be.
pub const MAX_LAYERS: usize = 256;

/// How a brain RSM is compared with a layer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Pearson correlation over image pairs.
    #[default]
    Pearson,
    /// Pearson correlation of average ranks.
    Spearman,
    /// Spearman's rho expected under random breaking of ties.
    RhoA,
    /// Kendall's tau-a: concordant minus discordant over all pairs of image pairs.
    TauA,
    /// Cosine: right for measures with a true zero, such as crossnobis.
    Cosine,
}

impl Comparison {
    /// Whether only the order of the similarities matters.
    #[must_use]
    pub fn ranks(self) -> bool {
        matches!(self, Self::Spearman | Self::RhoA | Self::TauA)
    }

    /// Whether map values are inner products of unit vectors, which residual methods need.
    #[must_use]
    pub fn has_residuals(self) -> bool {
        matches!(self, Self::Pearson | Self::Spearman | Self::Cosine)
    }
}

/// Named layer RSMs (similarities; strict upper triangles, row by row), standardised for one comparison.
#[derive(Debug, Clone)]
pub struct LayerRsms {
    names: Vec<String>,
    images: usize,
    comparison: Comparison,
    /// As given: layers x pairs.
    vectors: Array2<f64>,
    /// What a brain vector is multiplied with, rows padded with zeros to [`LayerRsms::padded`].
    pub(crate) wide: Vec<f64>,
    pub(crate) narrow: Vec<f32>,
    /// Dense ranks and pairs of equal ones, for tau-a.
    pub(crate) dense: Vec<(Vec<u32>, u64)>,
    correlations: Array2<f64>,
}

impl LayerRsms {
    /// Layers x pairs, similarities of `images` images.
    ///
    /// # Errors
    /// [`Error::TooFew`] for fewer than 3 images or no layer, [`Error::TooMany`] beyond [`MAX_LAYERS`], [`Error::Mismatch`]
    /// for another number of pairs or names, [`Error::NonFinite`], and [`Error::ConstantLayer`].
    pub fn new(
        names: Vec<String>,
        images: usize,
        vectors: Array2<f64>,
        comparison: Comparison,
    ) -> Result<Self, Error> {
        check(&names, images, vectors.view())?;
        let padded = pairs(images).next_multiple_of(LANES);
        let mut ranker = Ranker::default();
        let mut units = Array2::zeros(vectors.dim());
        let mut wide = vec![0.0; names.len() * padded];
        let mut dense = Vec::new();
        for (layer, vector) in vectors.rows().into_iter().enumerate() {
            let (unit, weight) = standardise(vector, comparison, &mut ranker)
                .ok_or_else(|| Error::ConstantLayer { layer: names[layer].clone() })?;
            wide[layer * padded..].iter_mut().zip(&unit).for_each(|(slot, value)| *slot = value * weight);
            units.row_mut(layer).assign(&unit);
            if comparison == Comparison::TauA {
                dense.push(ranker.dense(&vector.to_vec()));
            }
        }
        let narrow = wide.iter().map(|&value| value as f32).collect();
        let correlations = units.dot(&units.t());
        Ok(Self { names, images, comparison, vectors, wide, narrow, dense, correlations })
    }

    /// The same from dissimilarities: every value changes its sign.
    ///
    /// # Errors
    /// See [`LayerRsms::new`].
    pub fn from_dissimilarities(
        names: Vec<String>,
        images: usize,
        vectors: Array2<f64>,
        comparison: Comparison,
    ) -> Result<Self, Error> {
        Self::new(names, images, -vectors, comparison)
    }

    /// The same layers with their images in another order: image i becomes what was image `order[i]`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `order` is not a permutation of the images.
    pub fn reordered(&self, order: &[usize]) -> Result<Self, Error> {
        let mut seen = vec![false; self.images];
        let each_once =
            order.iter().all(|&i| seen.get_mut(i).is_some_and(|seen| !std::mem::replace(seen, true)));
        if order.len() != self.images || !each_once {
            let advice = "name each image once";
            return Err(Error::Invalid { what: "order of images", found: format!("{order:?}"), advice });
        }
        let places = pair_order(order);
        let vectors = Array2::from_shape_fn(self.vectors.dim(), |(layer, pair)| {
            self.vectors[[layer, places[pair] as usize]]
        });
        Self::new(self.names.clone(), self.images, vectors, self.comparison)
    }

    /// Names of the layers.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of layers.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.names.len()
    }

    /// Number of images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.images
    }

    /// How brain RSMs are compared with these.
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        self.comparison
    }

    /// The similarities as given: layers x pairs.
    #[must_use]
    pub fn vectors(&self) -> ArrayView2<'_, f64> {
        self.vectors.view()
    }

    /// Similarity of the layers with each other under the comparison (its Spearman form for rho-a and tau-a).
    #[must_use]
    pub fn correlations(&self) -> ArrayView2<'_, f64> {
        self.correlations.view()
    }

    /// Length of a row of `wide` and `narrow`.
    pub(crate) fn padded(&self) -> usize {
        pairs(self.images).next_multiple_of(LANES)
    }
}

/// For a reordering of images, where each pair's value is found before it.
pub(crate) fn pair_order(order: &[usize]) -> Vec<u32> {
    let images = order.len();
    let place = |a: usize, b: usize| {
        let (i, j) = (a.min(b), a.max(b));
        (i * (2 * images - i - 1) / 2 + j - i - 1) as u32
    };
    (0..images)
        .flat_map(|i| (i + 1..images).map(move |j| (i, j)))
        .map(|(i, j)| place(order[i], order[j]))
        .collect()
}

fn check(names: &[String], images: usize, vectors: ArrayView2<'_, f64>) -> Result<(), Error> {
    if images < 3 {
        return Err(Error::TooFew { what: "images", needed: 3, found: images });
    }
    if images > crate::patterns::MAX_IMAGES {
        return Err(Error::TooMany { what: "images", limit: crate::patterns::MAX_IMAGES, found: images });
    }
    if names.is_empty() {
        return Err(Error::TooFew { what: "layers", needed: 1, found: 0 });
    }
    if names.len() > MAX_LAYERS {
        return Err(Error::TooMany { what: "layers", limit: MAX_LAYERS, found: names.len() });
    }
    if vectors.nrows() != names.len() {
        return Err(Error::Mismatch { what: "layer RSMs", expected: names.len(), found: vectors.nrows() });
    }
    if vectors.ncols() != pairs(images) {
        return Err(Error::Mismatch {
            what: "image pairs of a layer",
            expected: pairs(images),
            found: vectors.ncols(),
        });
    }
    for row in vectors.rows() {
        if let Some(index) = row.iter().position(|value| !value.is_finite()) {
            let advice =
                "a unit that is the same for all images, or an image without data, has no similarity";
            return Err(Error::NonFinite { what: "similarity of image pair", index, advice });
        }
    }
    Ok(())
}

/// A unit vector, and what to multiply it with so that its product with a prepared brain vector is the comparison.
fn standardise(
    vector: ArrayView1<'_, f64>,
    comparison: Comparison,
    ranker: &mut Ranker,
) -> Option<(Array1<f64>, f64)> {
    let mut values = vector.to_vec();
    if comparison.ranks() {
        ranker.rank(&mut values);
    }
    let mut unit = Array1::from(values);
    let raw = unit.dot(&unit);
    if comparison != Comparison::Cosine {
        let mean = unit.sum() / unit.len() as f64;
        unit -= mean;
    }
    let norm = unit.dot(&unit).sqrt();
    if norm <= 1e-13 * raw.sqrt() || norm <= 0.0 {
        return None;
    }
    unit /= norm;
    let count = unit.len() as f64;
    let weight = if comparison == Comparison::RhoA { norm * 12.0 / (count.powi(3) - count) } else { 1.0 };
    Some((unit, weight))
}
