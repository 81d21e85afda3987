//! Nulls by relabelling the images: the layers' rows and columns move together, the brain stays.
//!
//! The permutations are the same for all centres, layers and workers, so the largest value over a map, or over maps of all
//! layers, has a null too. Values of permuted layers are one matrix product of brain RSMs with permuted layer vectors; each
//! is one chain of f32 multiply-adds over the pairs, the same for any cut of the centres into ranges.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};
use pulp::{Arch, Simd, WithSimd};
use rand_mt::Mt;
use rayon::prelude::*;

use crate::compare::{Ranks, Weights, prepare};
use crate::layers::{Comparison, LayerRsms, pair_order};
use crate::neighbourhood::Neighbourhoods;
use crate::patterns::LANES;
use crate::range::{Centre, Options, Visit, check, needs_f64};
use crate::residual::ResidualMap;
use crate::rsm::kernel::{Real, Tile};
use crate::rsm::pairs;
use crate::{Error, Patterns};

/// Most permutations of one null.
pub const MAX_PERMUTATIONS: usize = 100_000;
/// A permuted value this much below the observed one counts as reaching it: permutations that change nothing are ties.
pub const TIE: f64 = 1e-5;

/// Centres whose RSMs are held at once.
const CHUNK_CENTRES: usize = 2048;
/// Permutations whose layer vectors are held at once by a thread.
const BLOCK_PERMUTATIONS: usize = 32;
/// Pairs multiplied before the next tile has its turn.
const BLOCK_PAIRS: usize = 256;

/// `count` random orders of `images` images: those that NumPy's `RandomState(seed).permutation(images)` gives, one after the
/// other.
///
/// # Errors
/// [`Error::TooFew`] for no permutation, [`Error::TooMany`] beyond [`MAX_PERMUTATIONS`].
pub fn image_permutations(images: usize, count: usize, seed: u32) -> Result<Vec<Vec<usize>>, Error> {
    if count == 0 {
        return Err(Error::TooFew { what: "permutations", needed: 1, found: 0 });
    }
    if count > MAX_PERMUTATIONS {
        return Err(Error::TooMany { what: "permutations", limit: MAX_PERMUTATIONS, found: count });
    }
    let mut random = Mt::new(seed);
    let mut below = |limit: usize| {
        // The smallest number of ones that covers `limit`, which is at least 1.
        let mask = u32::MAX >> (limit as u32).leading_zeros();
        loop {
            let value = (random.next_u32() & mask) as usize;
            if value <= limit {
                return value;
            }
        }
    };
    let one = |_| {
        let mut order: Vec<usize> = (0..images).collect();
        (1..images).rev().for_each(|i| order.swap(i, below(i)));
        order
    };
    Ok((0..count).map(one).collect())
}

/// Layers under many permutations of their images, for one residual method.
#[derive(Debug, Clone)]
pub struct Permutations {
    orders: Vec<Vec<usize>>,
    images: usize,
    comparison: Comparison,
    /// What brain vectors are multiplied with: layers x pairs.
    weights: Array2<f64>,
    /// What is done with the products.
    method: Option<ResidualMap>,
}

impl Permutations {
    /// The layers under the given orders ([`image_permutations`]) of their images.
    ///
    /// # Errors
    /// [`Error::Invalid`] for tau-a, which is no product, and for orders that are no permutations; [`Error::Mismatch`] where
    /// the method is of other layers; [`Error::TooFew`], [`Error::TooMany`] for the number of orders.
    pub fn new(layers: &LayerRsms, method: &ResidualMap, orders: Vec<Vec<usize>>) -> Result<Self, Error> {
        if layers.comparison() == Comparison::TauA {
            let advice = "use rho-a, which takes ties as tau-a does, or Spearman";
            return Err(Error::Invalid {
                what: "comparison with permutations",
                found: "TauA".into(),
                advice,
            });
        }
        if orders.is_empty() {
            return Err(Error::TooFew { what: "permutations", needed: 1, found: 0 });
        }
        if orders.len() > MAX_PERMUTATIONS {
            return Err(Error::TooMany {
                what: "permutations",
                limit: MAX_PERMUTATIONS,
                found: orders.len(),
            });
        }
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if sorted.len() != layers.images() || sorted.iter().enumerate().any(|(i, &image)| i != image) {
                let advice = "each order names every image once";
                return Err(Error::Invalid {
                    what: "permutation of images",
                    found: format!("{order:?}"),
                    advice,
                });
            }
        }
        let count = pairs(layers.images());
        let units = Array2::from_shape_fn((layers.layers(), count), |(l, pair)| {
            layers.wide[l * layers.padded() + pair]
        });
        method.apply(Array2::zeros((1, layers.layers())).view())?;
        let (weights, method) = match method.weights() {
            Some(mix) => (mix.dot(&units), None),
            None => (units, Some(method.clone())),
        };
        Ok(Self { orders, images: layers.images(), comparison: layers.comparison(), weights, method })
    }

    /// Number of permutations.
    #[must_use]
    pub fn count(&self) -> usize {
        self.orders.len()
    }

    /// Number of layers.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.weights.nrows()
    }

    /// Panels of pairs x 16 permutations: those of the first layer, then of the next.
    fn panels(&self, block: Range<usize>) -> Vec<[f32; LANES]> {
        let count = pairs(self.images);
        let width = block.len().div_ceil(LANES);
        let mut panels = vec![[0.0; LANES]; self.layers() * width * count];
        for (lane, permutation) in block.enumerate() {
            let source = pair_order(&self.orders[permutation]);
            for (layer, weights) in self.weights.rows().into_iter().enumerate() {
                let start = (layer * width + lane / LANES) * count;
                let panel = &mut panels[start..start + count];
                panel
                    .iter_mut()
                    .zip(&source)
                    .for_each(|(row, &pair)| row[lane % LANES] = weights[pair as usize] as f32);
            }
        }
        panels
    }
}

/// What permutations say about a range of centres.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeNull {
    /// Centres x layers: permutations whose value reaches the observed one. 0 where there is no value.
    pub reached: Array2<u32>,
    /// Permutations x layers: the largest value over the centres of the range; -∞ where there is none.
    pub maxima: Array2<f32>,
}

impl RangeNull {
    /// Joins the nulls of adjoining ranges, in order: counts one after the other, the largest of the maxima. Exact.
    ///
    /// # Errors
    /// [`Error::TooFew`] for none, [`Error::Mismatch`] for different numbers of layers or permutations.
    pub fn join(parts: &[Self]) -> Result<Self, Error> {
        let first = parts.first().ok_or(Error::TooFew { what: "ranges to join", needed: 1, found: 0 })?;
        let mut maxima = first.maxima.clone();
        for part in parts {
            if part.maxima.dim() != maxima.dim() || part.reached.ncols() != first.reached.ncols() {
                let (expected, found) = (maxima.len(), part.maxima.len());
                return Err(Error::Mismatch { what: "permutations x layers of a range", expected, found });
            }
            maxima.zip_mut_with(&part.maxima, |largest, &value| *largest = largest.max(value));
        }
        let views: Vec<_> = parts.iter().map(|part| part.reached.view()).collect();
        let mismatch =
            |_| Error::Mismatch { what: "layers of a range", expected: first.reached.ncols(), found: 0 };
        let reached = ndarray::concatenate(ndarray::Axis(0), &views).map_err(mismatch)?;
        Ok(Self { reached, maxima })
    }

    /// Uncorrected one-sided p of each value: (1 + reached) / (1 + permutations); NaN where `observed` is.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another shape.
    pub fn p_values(&self, observed: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        if observed.dim() != self.reached.dim() {
            let (expected, found) = (self.reached.len(), observed.len());
            return Err(Error::Mismatch { what: "observed values", expected, found });
        }
        let all = 1.0 + self.maxima.nrows() as f64;
        Ok(Array2::from_shape_fn(observed.dim(), |at| {
            if observed[at].is_nan() { f64::NAN } else { (1.0 + f64::from(self.reached[at])) / all }
        }))
    }

    /// One-sided p corrected for the search over the map: the share of permutations (the observed one included) whose
    /// largest value reaches the observed one. `over_layers` corrects for the choice of layer too.
    ///
    /// The maxima must be those of the whole map: join all ranges first.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of layers.
    pub fn corrected_p(
        &self,
        observed: ArrayView2<'_, f64>,
        over_layers: bool,
    ) -> Result<Array2<f64>, Error> {
        if observed.ncols() != self.maxima.ncols() {
            let (expected, found) = (self.maxima.ncols(), observed.ncols());
            return Err(Error::Mismatch { what: "layers of the observed map", expected, found });
        }
        let sorted = |column: ArrayView1<'_, f32>| {
            let mut column: Vec<f64> = column.iter().map(|&value| f64::from(value)).collect();
            column.sort_by(f64::total_cmp);
            column
        };
        let over_all: Array1<f32> = self
            .maxima
            .rows()
            .into_iter()
            .map(|row| row.iter().copied().fold(f32::NEG_INFINITY, f32::max))
            .collect();
        let nulls: Vec<Vec<f64>> = (0..observed.ncols())
            .map(|layer| sorted(if over_layers { over_all.view() } else { self.maxima.column(layer) }))
            .collect();
        let all = 1.0 + self.maxima.nrows() as f64;
        Ok(Array2::from_shape_fn(observed.dim(), |(centre, layer)| {
            let (value, null) = (observed[[centre, layer]], &nulls[layer]);
            let below = null.partition_point(|&largest| largest < value - TIE);
            if value.is_nan() { f64::NAN } else { (1.0 + (null.len() - below) as f64) / all }
        }))
    }
}

/// The null of a range of centres, on all threads of the current pool. `observed` has the values of the residual method for
/// the range (centres x layers).
///
/// # Errors
/// See [`crate::map_range`]; [`Error::Mismatch`] for another shape of `observed`.
pub fn permute_range(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    range: Range<usize>,
    permutations: &Permutations,
    observed: ArrayView2<'_, f64>,
    options: &Options,
) -> Result<RangeNull, Error> {
    check(patterns, neighbourhoods, &range, permutations.images, options)?;
    if observed.dim() != (range.len(), permutations.layers()) {
        let (expected, found) = (range.len() * permutations.layers(), observed.len());
        return Err(Error::Mismatch { what: "observed values of the range", expected, found });
    }
    let mut parts = vec![RangeNull {
        reached: Array2::zeros((0, permutations.layers())),
        maxima: Array2::from_elem((permutations.count(), permutations.layers()), f32::NEG_INFINITY),
    }];
    for start in range.clone().step_by(CHUNK_CENTRES) {
        let chunk = start..range.end.min(start + CHUNK_CENTRES);
        let rows = observed.slice(s![start - range.start..chunk.end - range.start, ..]);
        let brain = brain_panels(patterns, neighbourhoods, chunk, permutations, options);
        parts.push(permute_chunk(&brain, permutations, rows));
    }
    RangeNull::join(&parts)
}

/// Panels of pairs x 16 centres of prepared unit vectors, zero where there is none.
fn brain_panels(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    chunk: Range<usize>,
    permutations: &Permutations,
    options: &Options,
) -> Vec<[f32; LANES]> {
    let count = pairs(patterns.images());
    let mut panels = vec![[0.0; LANES]; chunk.len().div_ceil(LANES) * count];
    panels.par_chunks_mut(count).enumerate().for_each(|(panel, out)| {
        let start = chunk.start + panel * LANES;
        let centres: Vec<usize> = (start..chunk.end.min(start + LANES)).collect();
        let mut lanes: Vec<usize> = (0..centres.len()).collect();
        let padded = count.next_multiple_of(LANES);
        let comparison = permutations.comparison;
        let visit = Visit { patterns, neighbourhoods, centres: &centres, options, padded };
        if !needs_f64(options.rsm, comparison) {
            let work =
                Prepare::<f32> { visit, comparison, lanes: &lanes, out, real: std::marker::PhantomData };
            lanes = Arch::new().dispatch(work);
        }
        let rest: Vec<usize> = lanes.iter().map(|&lane| centres[lane]).collect();
        let visit = Visit { centres: &rest, ..visit };
        Arch::new().dispatch(Prepare::<f64> {
            visit,
            comparison,
            lanes: &lanes,
            out,
            real: std::marker::PhantomData,
        });
    });
    panels
}

/// Fills lanes of a panel; returns the lanes whose RSM does not vary enough for the number type.
struct Prepare<'a, T> {
    visit: Visit<'a>,
    comparison: Comparison,
    lanes: &'a [usize],
    out: &'a mut [[f32; LANES]],
    real: std::marker::PhantomData<T>,
}

impl<T: Weights> WithSimd for Prepare<'_, T> {
    type Output = Vec<usize>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<usize> {
        let Self { visit, comparison, lanes, out, .. } = self;
        let mut ranks = Ranks::default();
        let mut left = Vec::new();
        visit.each::<T, S>(simd, |position, _, state, values| {
            if state != Centre::Defined {
                return;
            }
            let lane = lanes[position];
            let Some(norm) = prepare(values, out.len(), comparison, &mut ranks) else {
                left.push(lane);
                return;
            };
            let scale = if comparison == Comparison::RhoA { 1.0 } else { 1.0 / norm };
            out.iter_mut().zip(values).for_each(|(row, value)| row[lane] = (value.wide() * scale) as f32);
        });
        left
    }
}

fn permute_chunk(
    brain: &[[f32; LANES]],
    permutations: &Permutations,
    observed: ArrayView2<'_, f64>,
) -> RangeNull {
    let (count, layers) = (permutations.count(), permutations.layers());
    let blocks: Vec<_> = (0..count)
        .step_by(BLOCK_PERMUTATIONS)
        .map(|start| start..count.min(start + BLOCK_PERMUTATIONS))
        .collect();
    let parts: Vec<RangeNull> = blocks
        .into_par_iter()
        .map(|block| {
            let panels = permutations.panels(block.clone());
            let length = pairs(permutations.images);
            let tiles = Arch::new().dispatch(Product { brain, panels: &panels, length });
            count_block(&tiles, block.len(), permutations, observed)
        })
        .collect();
    let mut reached = Array2::zeros((observed.nrows(), layers));
    let mut maxima = Vec::with_capacity(count * layers);
    for part in parts {
        reached += &part.reached;
        maxima.extend(part.maxima);
    }
    let maxima =
        Array2::from_shape_fn((count, layers), |(permutation, layer)| maxima[permutation * layers + layer]);
    RangeNull { reached, maxima }
}

/// Tiles of 16 centres x 16 columns: all panels of columns for the first panel of centres, and so on.
struct Product<'a> {
    brain: &'a [[f32; LANES]],
    panels: &'a [[f32; LANES]],
    length: usize,
}

impl WithSimd for Product<'_> {
    type Output = Vec<Tile<f32>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let (rows, columns) = (self.brain.len() / self.length, self.panels.len() / self.length);
        let mut tiles = vec![[[0.0; LANES]; LANES]; rows * columns];
        for start in (0..self.length).step_by(BLOCK_PAIRS) {
            let part = start..self.length.min(start + BLOCK_PAIRS);
            for (column, right) in self.panels.chunks_exact(self.length).enumerate() {
                for (row, left) in self.brain.chunks_exact(self.length).enumerate() {
                    let tile = &mut tiles[row * columns + column];
                    f32::multiply(simd, &left[part.clone()], &right[part.clone()], tile);
                }
            }
        }
        tiles
    }
}

/// Counts and maxima of one block of permutations.
fn count_block(
    tiles: &[Tile<f32>],
    block: usize,
    permutations: &Permutations,
    observed: ArrayView2<'_, f64>,
) -> RangeNull {
    let layers = permutations.layers();
    let width = block.div_ceil(LANES);
    let mut reached = Array2::zeros(observed.dim());
    let mut maxima = Array2::from_elem((block, layers), f32::NEG_INFINITY);
    if let Some(method) = &permutations.method {
        count_each(tiles, block, method, observed, &mut reached, &mut maxima);
        return RangeNull { reached, maxima };
    }
    for (panel, row_tiles) in tiles.chunks_exact(layers * width).enumerate() {
        let first = panel * LANES;
        for (column, tile) in row_tiles.iter().enumerate() {
            let (layer, start) = (column / width, column % width * LANES);
            let lanes = LANES.min(block - start);
            let mut largest = [f32::NEG_INFINITY; LANES];
            for (row, line) in tile.iter().enumerate().take(observed.nrows() - first) {
                let value = observed[[first + row, layer]];
                if value.is_nan() {
                    continue;
                }
                let threshold = (value - TIE) as f32;
                let mut count = 0;
                for lane in 0..lanes {
                    count += u32::from(line[lane] >= threshold);
                    largest[lane] = largest[lane].max(line[lane]);
                }
                reached[[first + row, layer]] += count;
            }
            for (lane, &value) in largest.iter().enumerate().take(lanes) {
                let slot = &mut maxima[[start + lane, layer]];
                *slot = slot.max(value);
            }
        }
    }
    RangeNull { reached, maxima }
}

/// The same for methods that are not linear: the method is applied to the products of each centre and permutation.
fn count_each(
    tiles: &[Tile<f32>],
    block: usize,
    method: &ResidualMap,
    observed: ArrayView2<'_, f64>,
    reached: &mut Array2<u32>,
    maxima: &mut Array2<f32>,
) {
    let layers = observed.ncols();
    let width = block.div_ceil(LANES);
    let mut raw = Array1::zeros(layers);
    for (centre, values) in observed.rows().into_iter().enumerate() {
        if values.iter().any(|value| value.is_nan()) {
            continue;
        }
        let tiles = &tiles[centre / LANES * layers * width..];
        for permutation in 0..block {
            for (layer, slot) in raw.iter_mut().enumerate() {
                let tile = &tiles[layer * width + permutation / LANES];
                *slot = f64::from(tile[centre % LANES][permutation % LANES]);
            }
            for (layer, &value) in method.one(raw.view()).iter().enumerate() {
                reached[[centre, layer]] += u32::from(value >= values[layer] - TIE);
                let slot = &mut maxima[[permutation, layer]];
                *slot = slot.max(value as f32);
            }
        }
    }
}
