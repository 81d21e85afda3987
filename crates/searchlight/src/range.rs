//! Maps of a range of centres: the unit of work.

use std::ops::Range;

use ndarray::{Array2, Axis, concatenate};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::compare::{Ranks, Weights, compare};
use crate::layers::{Comparison, LayerRsms};
use crate::neighbourhood::Neighbourhoods;
use crate::rsm::{LocalRsm, RsmKind};
use crate::{Error, Patterns};

/// Centres that a thread takes at once. Values do not depend on it.
const CHUNK_CENTRES: usize = 256;

/// What is computed in each neighbourhood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// How alike two images' patterns are.
    pub rsm: RsmKind,
    /// Centres with fewer voxels get NaN.
    pub minimum_voxels: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { rsm: RsmKind::Pearson, minimum_voxels: 10 }
    }
}

/// Values of a range of centres.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeMap {
    /// Centres x layers: the comparison of the brain RSM with each layer; NaN where there is none.
    pub values: Array2<f64>,
    /// Voxels of each centre.
    pub voxels: Vec<u32>,
    /// Centres with fewer voxels than the minimum.
    pub too_small: usize,
    /// Centres with enough voxels where an image's pattern has zero norm or the RSM does not vary.
    pub undefined: usize,
}

/// Whether RSMs are computed in f64 from the start. In f32, two pairs of images that are almost equally alike could change
/// places, which moves rank correlations of few images a lot; distances cancel. Where f32 is used, a centre whose
/// similarities hardly differ (a pattern that all images share) is computed again in f64.
pub(crate) fn needs_f64(rsm: RsmKind, comparison: Comparison) -> bool {
    comparison.ranks() || matches!(rsm, RsmKind::Euclidean | RsmKind::Crossnobis)
}

pub(crate) fn check(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    range: &Range<usize>,
    images: usize,
    options: &Options,
) -> Result<(), Error> {
    options.rsm.check_runs(patterns.runs())?;
    if neighbourhoods.voxels() != patterns.voxels().len() {
        let (expected, found) = (patterns.voxels().len(), neighbourhoods.voxels());
        return Err(Error::Mismatch { what: "voxels of the neighbourhoods", expected, found });
    }
    if images != patterns.images() {
        return Err(Error::Mismatch {
            what: "images of the layers",
            expected: patterns.images(),
            found: images,
        });
    }
    if range.end > neighbourhoods.centres() || range.start > range.end {
        let expected = neighbourhoods.centres();
        return Err(Error::Mismatch { what: "centres (end of the range)", expected, found: range.end });
    }
    let needed = options.rsm.least_voxels();
    if options.minimum_voxels < needed {
        return Err(Error::TooFew { what: "minimum_voxels", needed, found: options.minimum_voxels });
    }
    Ok(())
}

/// The maps of a range of centres, on one thread.
///
/// # Errors
/// [`Error::Mismatch`] where patterns, neighbourhoods and layers do not belong together or the range is beyond the centres;
/// [`Error::TooFew`] or [`Error::TooMany`] for the wrong number of runs or too low a minimum of voxels.
pub fn map_range(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    range: Range<usize>,
    layers: &LayerRsms,
    options: &Options,
) -> Result<RangeMap, Error> {
    check(patterns, neighbourhoods, &range, layers.images(), options)?;
    Ok(compute(patterns, neighbourhoods, range, layers, options))
}

/// The same on all threads of the current pool, with the same bits; `progress` gets the number of centres done since it was
/// last called.
///
/// # Errors
/// See [`map_range`].
pub fn map_range_parallel(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    range: Range<usize>,
    layers: &LayerRsms,
    options: &Options,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<RangeMap, Error> {
    check(patterns, neighbourhoods, &range, layers.images(), options)?;
    let parts: Vec<RangeMap> = chunks(&range)
        .into_par_iter()
        .map(|chunk| {
            let part = compute(patterns, neighbourhoods, chunk.clone(), layers, options);
            progress(chunk.len());
            part
        })
        .collect();
    RangeMap::join(&parts)
}

pub(crate) fn chunks(range: &Range<usize>) -> Vec<Range<usize>> {
    // An empty range is one empty chunk, so that there is always a map.
    let starts = (range.start..range.end.max(range.start + 1)).step_by(CHUNK_CENTRES);
    starts.map(|start| start..range.end.min(start + CHUNK_CENTRES)).collect()
}

impl RangeMap {
    /// Joins the maps of adjoining ranges, in order.
    ///
    /// # Errors
    /// [`Error::TooFew`] for no map, [`Error::Mismatch`] for maps of different numbers of layers.
    pub fn join(parts: &[Self]) -> Result<Self, Error> {
        let first = parts.first().ok_or(Error::TooFew { what: "ranges to join", needed: 1, found: 0 })?;
        let layers = first.values.ncols();
        let views: Vec<_> = parts.iter().map(|part| part.values.view()).collect();
        let found =
            parts.iter().map(|part| part.values.ncols()).find(|&found| found != layers).unwrap_or(layers);
        let values = concatenate(Axis(0), &views).map_err(|_| Error::Mismatch {
            what: "layers of a range",
            expected: layers,
            found,
        })?;
        Ok(Self {
            values,
            voxels: parts.iter().flat_map(|part| part.voxels.iter().copied()).collect(),
            too_small: parts.iter().map(|part| part.too_small).sum(),
            undefined: parts.iter().map(|part| part.undefined).sum(),
        })
    }
}

fn compute(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    range: Range<usize>,
    layers: &LayerRsms,
    options: &Options,
) -> RangeMap {
    let centres: Vec<usize> = range.collect();
    let mut map = RangeMap {
        values: Array2::from_elem((centres.len(), layers.layers()), f64::NAN),
        voxels: vec![0; centres.len()],
        too_small: 0,
        undefined: 0,
    };
    let mut rows: Vec<usize> = (0..centres.len()).collect();
    let visit = Visit { patterns, neighbourhoods, centres: &centres, options, padded: layers.padded() };
    if !needs_f64(options.rsm, layers.comparison()) {
        let work =
            Compare::<f32> { visit, layers, rows: &rows, map: &mut map, real: std::marker::PhantomData };
        rows = Arch::new().dispatch(work);
    }
    let rest: Vec<usize> = rows.iter().map(|&row| centres[row]).collect();
    let visit = Visit { centres: &rest, ..visit };
    let work = Compare::<f64> { visit, layers, rows: &rows, map: &mut map, real: std::marker::PhantomData };
    map.undefined += Arch::new().dispatch(work).len();
    map
}

/// Visits the brain RSM of every centre of a list.
#[derive(Clone, Copy)]
pub(crate) struct Visit<'a> {
    pub(crate) patterns: &'a Patterns,
    pub(crate) neighbourhoods: &'a Neighbourhoods,
    pub(crate) centres: &'a [usize],
    pub(crate) options: &'a Options,
    pub(crate) padded: usize,
}

/// State of a centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Centre {
    TooSmall,
    ZeroNorm,
    Defined,
}

impl Visit<'_> {
    /// Calls `each` with the position in the list, the number of voxels, the state, and the RSM's pairs (of no meaning
    /// unless defined; padding must be left zero).
    #[inline(always)]
    pub(crate) fn each<T: Weights, S: Simd>(
        self,
        simd: S,
        mut each: impl FnMut(usize, u32, Centre, &mut [T]),
    ) {
        let images = self.patterns.images();
        let mut members = Vec::with_capacity(self.neighbourhoods.largest());
        let mut local = LocalRsm::<T>::new(self.options.rsm, images, self.padded);
        for (position, &centre) in self.centres.iter().enumerate() {
            self.neighbourhoods.members(centre, &mut members);
            let state = if members.len() < self.options.minimum_voxels {
                Centre::TooSmall
            } else if local.compute(simd, self.patterns, &members) {
                Centre::Defined
            } else {
                Centre::ZeroNorm
            };
            each(position, members.len() as u32, state, &mut local.pairs);
        }
    }
}

/// Fills rows of a map; returns the rows whose RSM does not vary enough for the number type.
struct Compare<'a, T> {
    visit: Visit<'a>,
    layers: &'a LayerRsms,
    rows: &'a [usize],
    map: &'a mut RangeMap,
    real: std::marker::PhantomData<T>,
}

impl<T: Weights> WithSimd for Compare<'_, T> {
    type Output = Vec<usize>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<usize> {
        let mut ranks = Ranks::default();
        let mut left = Vec::new();
        let Self { visit, layers, rows, map, .. } = self;
        let count = layers.layers();
        let values = map.values.as_slice_mut().unwrap_or_default();
        visit.each::<T, S>(simd, |position, voxels, state, pairs| {
            let row = rows[position];
            map.voxels[row] = voxels;
            let out = &mut values[row * count..(row + 1) * count];
            match state {
                Centre::TooSmall => map.too_small += 1,
                Centre::ZeroNorm => map.undefined += 1,
                Centre::Defined if compare(pairs, layers, &mut ranks, out) => {}
                Centre::Defined => left.push(row),
            }
        });
        left
    }
}
