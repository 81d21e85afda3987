//! Noise ceilings: how well the RSM of the others predicts a subject's, at each centre.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::compare::Ranks;
use crate::layers::{Comparison, LayerRsms};
use crate::neighbourhood::Neighbourhoods;
use crate::patterns::LANES;
use crate::range::{Centre, Options, Visit, check, chunks};
use crate::rsm::pairs;
use crate::{Error, Patterns, RangeMap};

/// Bounds of what a perfect model could reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceiling {
    /// Mean over subjects of the comparison with the other subjects' pooled RSM.
    pub lower: f64,
    /// Mean over subjects of the comparison with all subjects' pooled RSM.
    pub upper: f64,
}

/// Noise ceilings of a range of centres.
#[derive(Debug, Clone, PartialEq)]
pub struct CeilingMap {
    /// Lower bound of each centre; NaN where a subject has no RSM.
    pub lower: Vec<f64>,
    /// Upper bound of each centre; NaN where a subject has no RSM.
    pub upper: Vec<f64>,
    /// Centres without ceilings.
    pub undefined: usize,
}

/// Ceilings of one list of RSM vectors, one per subject.
///
/// RSMs are pooled so that each subject has the same say under the comparison: z-scored for Pearson, ranked for Spearman,
/// rho-a and tau-a (for tau-a an approximation), made unit vectors for cosine. NaN where a vector does not vary.
///
/// # Errors
/// [`Error::TooFew`] for fewer than 2 subjects or 2 pairs, [`Error::Mismatch`] where vectors differ in length,
/// [`Error::NonFinite`].
pub fn noise_ceiling(subjects: &[Vec<f64>], comparison: Comparison) -> Result<Ceiling, Error> {
    if subjects.len() < 2 {
        return Err(Error::TooFew { what: "subjects for a noise ceiling", needed: 2, found: subjects.len() });
    }
    let pairs = subjects[0].len();
    if pairs < 2 {
        return Err(Error::TooFew { what: "image pairs for a noise ceiling", needed: 2, found: pairs });
    }
    for vector in subjects {
        if vector.len() != pairs {
            return Err(Error::Mismatch {
                what: "image pairs of a subject",
                expected: pairs,
                found: vector.len(),
            });
        }
        if let Some(index) = vector.iter().position(|value| !value.is_finite()) {
            let advice = "leave the subject or the image out";
            return Err(Error::NonFinite { what: "similarity of image pair", index, advice });
        }
    }
    Ok(pooled(subjects, comparison, &mut Ranks::default()))
}

fn pooled(subjects: &[Vec<f64>], comparison: Comparison, ranks: &mut Ranks) -> Ceiling {
    let nothing = Ceiling { lower: f64::NAN, upper: f64::NAN };
    let units: Option<Vec<Vec<f64>>> =
        subjects.iter().map(|vector| normalised(vector, comparison, ranks)).collect();
    let Some(units) = units else { return nothing };
    let mut total = vec![0.0; subjects[0].len()];
    for unit in &units {
        total.iter_mut().zip(unit).for_each(|(sum, value)| *sum += value);
    }
    let (mut lower, mut upper) = (0.0, 0.0);
    let mut others = vec![0.0; total.len()];
    for (vector, unit) in subjects.iter().zip(&units) {
        others.iter_mut().zip(total.iter().zip(unit)).for_each(|(slot, (sum, own))| *slot = sum - own);
        upper += similarity(vector, &total, comparison, ranks);
        lower += similarity(vector, &others, comparison, ranks);
    }
    let count = subjects.len() as f64;
    Ceiling { lower: lower / count, upper: upper / count }
}

/// What is added up over subjects.
fn normalised(vector: &[f64], comparison: Comparison, ranks: &mut Ranks) -> Option<Vec<f64>> {
    let mut values = vector.to_vec();
    if comparison.ranks() {
        // Ranks are not rescaled: without ties all subjects' have one variance, and sums of them stay exact.
        ranks.ranker.rank(&mut values);
        return values.iter().any(|value| *value != values[0]).then_some(values);
    }
    let norm = centre(&mut values, comparison)?;
    values.iter_mut().for_each(|value| *value /= norm);
    Some(values)
}

/// Takes the mean off where the comparison does; the norm of what is left, if there is anything.
fn centre(values: &mut [f64], comparison: Comparison) -> Option<f64> {
    let square = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    let raw = square(values);
    if comparison != Comparison::Cosine {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter_mut().for_each(|value| *value -= mean);
    }
    let left = square(values);
    (left > 1e-26 * raw && left > 0.0).then(|| left.sqrt())
}

/// The comparison of two vectors; NaN where one does not vary.
pub(crate) fn similarity(x: &[f64], y: &[f64], comparison: Comparison, ranks: &mut Ranks) -> f64 {
    let (mut x, mut y) = (x.to_vec(), y.to_vec());
    if comparison == Comparison::TauA {
        let dense = [ranks.ranker.dense(&y)];
        let all = x.len() as f64 * (x.len() as f64 - 1.0) / 2.0;
        let mut tau = f64::NAN;
        ranks.ranker.concordance(&x, &dense, |_, difference| tau = difference as f64 / all);
        return tau;
    }
    if comparison.ranks() {
        ranks.ranker.rank(&mut x);
        ranks.ranker.rank(&mut y);
    }
    let (Some(a), Some(b)) = (centre(&mut x, comparison), centre(&mut y, comparison)) else {
        return f64::NAN;
    };
    let product: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    let count = x.len() as f64;
    match comparison {
        Comparison::RhoA => 12.0 * product / (count.powi(3) - count),
        _ => (product / (a * b)).clamp(-1.0, 1.0),
    }
}

/// Ceilings of a range of centres, on all threads of the current pool: subject by subject patterns of the same voxels.
///
/// # Errors
/// [`Error::TooFew`] for fewer than 2 subjects, [`Error::Mismatch`] where subjects differ in voxels or images; see
/// [`crate::map_range`].
pub fn ceiling_range(
    subjects: &[Patterns],
    neighbourhoods: &Neighbourhoods,
    range: Range<usize>,
    comparison: Comparison,
    options: &Options,
) -> Result<CeilingMap, Error> {
    let [first, others @ ..] = subjects else {
        return Err(Error::TooFew { what: "subjects for a noise ceiling", needed: 2, found: 0 });
    };
    if others.is_empty() {
        return Err(Error::TooFew { what: "subjects for a noise ceiling", needed: 2, found: 1 });
    }
    for patterns in subjects {
        check(patterns, neighbourhoods, &range, first.images(), options)?;
        if patterns.voxels() != first.voxels() {
            let (expected, found) = (first.voxels().len(), patterns.voxels().len());
            return Err(Error::Mismatch {
                what: "voxels of a subject (use the common ones)",
                expected,
                found,
            });
        }
    }
    let parts: Vec<Vec<Ceiling>> = chunks(&range)
        .into_par_iter()
        .map(|chunk| {
            let rsms: Vec<_> = subjects
                .iter()
                .map(|patterns| local_rsms(patterns, neighbourhoods, chunk.clone(), options))
                .collect();
            let mut ranks = Ranks::default();
            (0..chunk.len())
                .map(|centre| {
                    let vectors: Option<Vec<Vec<f64>>> =
                        rsms.iter().map(|rsms| rsms[centre].clone()).collect();
                    vectors.map_or(Ceiling { lower: f64::NAN, upper: f64::NAN }, |v| {
                        pooled(&v, comparison, &mut ranks)
                    })
                })
                .collect()
        })
        .collect();
    let ceilings: Vec<Ceiling> = parts.into_iter().flatten().collect();
    Ok(CeilingMap {
        undefined: ceilings.iter().filter(|ceiling| ceiling.upper.is_nan()).count(),
        lower: ceilings.iter().map(|ceiling| ceiling.lower).collect(),
        upper: ceilings.iter().map(|ceiling| ceiling.upper).collect(),
    })
}

/// A map as a share of a ceiling: NaN where the ceiling is not above 0.
///
/// # Errors
/// [`Error::Mismatch`] for another number of centres.
pub fn share_of_ceiling(map: &RangeMap, ceiling: &[f64]) -> Result<ndarray::Array2<f64>, Error> {
    if ceiling.len() != map.values.nrows() {
        return Err(Error::Mismatch { what: "ceilings", expected: map.values.nrows(), found: ceiling.len() });
    }
    Ok(ndarray::Array2::from_shape_fn(map.values.dim(), |(centre, layer)| {
        if ceiling[centre] > 0.0 { map.values[[centre, layer]] / ceiling[centre] } else { f64::NAN }
    }))
}

/// RSM vectors of a few centres, in f64; none where a centre is too small or an image has zero norm.
pub(crate) fn local_rsms(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    range: Range<usize>,
    options: &Options,
) -> Vec<Option<Vec<f64>>> {
    let count = pairs(patterns.images());
    let centres: Vec<usize> = range.collect();
    let visit =
        Visit { patterns, neighbourhoods, centres: &centres, options, padded: count.next_multiple_of(LANES) };
    Arch::new().dispatch(Collect { visit, count })
}

struct Collect<'a> {
    visit: Visit<'a>,
    count: usize,
}

impl WithSimd for Collect<'_> {
    type Output = Vec<Option<Vec<f64>>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let mut found = Vec::with_capacity(self.visit.centres.len());
        let count = self.count;
        self.visit.each::<f64, S>(simd, |_, _, state, values| {
            found.push((state == Centre::Defined).then(|| values[..count].to_vec()));
        });
        found
    }
}

/// The RSMs of a few centres as vectors (strict upper triangles, row by row), for figures and regions of interest.
///
/// # Errors
/// See [`crate::map_range`].
pub fn rsm_range(
    patterns: &Patterns,
    neighbourhoods: &Neighbourhoods,
    range: Range<usize>,
    options: &Options,
) -> Result<Vec<Option<Vec<f64>>>, Error> {
    check(patterns, neighbourhoods, &range, patterns.images(), options)?;
    Ok(local_rsms(patterns, neighbourhoods, range, options))
}

/// The comparison of one given vector of similarities with all layers, as in a map.
///
/// # Errors
/// [`Error::Mismatch`] for another number of pairs, [`Error::NonFinite`].
pub fn compare_vector(vector: &[f64], layers: &LayerRsms) -> Result<Vec<f64>, Error> {
    let expected = pairs(layers.images());
    if vector.len() != expected {
        return Err(Error::Mismatch { what: "image pairs", expected, found: vector.len() });
    }
    if let Some(index) = vector.iter().position(|value| !value.is_finite()) {
        return Err(Error::NonFinite {
            what: "similarity of image pair",
            index,
            advice: "leave the image out",
        });
    }
    let mut values = vec![0.0; layers.padded()];
    values[..expected].copy_from_slice(vector);
    let mut out = vec![f64::NAN; layers.layers()];
    crate::compare::compare(&mut values, layers, &mut Ranks::default(), &mut out);
    Ok(out)
}
