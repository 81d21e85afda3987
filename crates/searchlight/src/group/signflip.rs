//! The sign-flip null of t over voxels and layers.
//!
//! Under a flip the sum of squares of a voxel does not change, so t is a rising function of the sum of the flipped values scaled
//! to norm 1. Those sums come from tables of the partial sums of [`BLOCK`] subjects, for [`TILE`] voxels at a time.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::check::{at_least, invalid, same_size};
use super::fdr::{Tail, exceedance};
use super::flips::{BLOCK, Flips};
use super::t::{GroupT, one_sample_t};
use crate::Error;

/// Voxels of one tile: a table fits the first-level cache.
const TILE: usize = 32;
/// Voxels of one piece of work.
const PIECE: usize = 128 * TILE;
/// Sums of unit-norm values that differ by less are equal up to rounding.
const SUM_TOLERANCE: f64 = 1e-12;
/// Statistics that differ by less than this share are equal up to rounding.
const SHARE_TOLERANCE: f64 = 1e-10;

/// Group statistic of one layer under sign flips.
#[derive(Debug, Clone, PartialEq)]
pub struct SignFlipTest {
    /// t, parametric p and mean.
    pub group: GroupT,
    /// p per voxel from its own flips, NaN where t is undefined.
    pub p: Vec<f64>,
    /// p per voxel against the largest statistic over the layer's voxels: family-wise error, NaN where undefined.
    pub p_fwe: Vec<f64>,
    /// Largest t over the layer's voxels under each flip, the identity first; magnitudes if two-sided. Of all flips of a small
    /// group a two-sided test keeps one of each mirrored pair.
    pub maxima: Vec<f64>,
}

/// Tests every voxel of every layer (subjects x voxels) against sign flips shared by voxels and layers.
///
/// A voxel counts if all subjects have a value there. `tail`: [`Tail::TwoSided`] for max-|t|, [`Tail::Larger`] for positive
/// effects only. Results are the same bytes for any number of threads.
///
/// # Errors
/// [`Error::Mismatch`] if a layer has not the flips' subjects; [`Error::Invalid`] for [`Tail::Smaller`];
/// [`Error::TooFew`] if no voxel of a layer is defined.
pub fn sign_flip_test(
    layers: &[ArrayView2<f64>],
    flips: &Flips,
    tail: Tail,
) -> Result<Vec<SignFlipTest>, Error> {
    layers.iter().map(|layer| test_layer(layer, flips, tail)).collect()
}

/// p of every voxel of every layer against the largest statistic over voxels *and* layers: for claims across layers.
///
/// # Errors
/// As [`exceedance`]; [`Error::Mismatch`] if the layers were not tested with the same flips.
pub fn fwe_over_layers(tests: &[SignFlipTest], tail: Tail) -> Result<Vec<Vec<f64>>, Error> {
    let joint = joint_maxima(&tests.iter().map(|test| test.maxima.as_slice()).collect::<Vec<_>>())?;
    tests.iter().map(|test| fwe(&test.group.t, &joint, tail)).collect()
}

/// The largest value of each flip over several families tested with the same flips.
///
/// # Errors
/// [`Error::TooFew`] for no family, [`Error::Mismatch`] for different numbers of flips.
pub fn joint_maxima(families: &[&[f64]]) -> Result<Vec<f64>, Error> {
    at_least("families of tests", 1, families.len())?;
    let mut joint = families[0].to_vec();
    for family in &families[1..] {
        same_size("sign flips of each family", joint.len(), family.len())?;
        joint.iter_mut().zip(*family).for_each(|(joint, value)| *joint = joint.max(*value));
    }
    Ok(joint)
}

/// p of each statistic against the null of the largest one, in which the identity is contained.
///
/// # Errors
/// As [`exceedance`].
pub fn fwe(statistics: &[f64], maxima: &[f64], tail: Tail) -> Result<Vec<f64>, Error> {
    // A flip that gives the same value again must count although it was summed in another order.
    let lowered = |&v: &f64| tail.extremity(v) - SHARE_TOLERANCE * v.abs();
    exceedance(&statistics.iter().map(lowered).collect::<Vec<_>>(), maxima, Tail::Larger)
}

fn test_layer(values: &ArrayView2<f64>, flips: &Flips, tail: Tail) -> Result<SignFlipTest, Error> {
    offered(tail)?;
    same_size("subjects of the sign flips", values.nrows(), flips.subjects())?;
    let group = one_sample_t(values.view())?;
    let defined: Vec<usize> = (0..group.t.len()).filter(|&v| group.t[v].is_finite()).collect();
    at_least("voxels with a value in every subject", 1, defined.len())?;
    let used = flips.distinct(tail == Tail::TwoSided);
    let pieces: Vec<Piece> =
        defined.par_chunks(PIECE).map(|voxels| Piece::compute(values, voxels, flips, used, tail)).collect();
    let mut sums = vec![f64::NEG_INFINITY; used];
    let mut p = vec![f64::NAN; group.t.len()];
    for (piece, voxels) in pieces.iter().zip(defined.chunks(PIECE)) {
        sums.iter_mut().zip(&piece.maxima).for_each(|(sum, m)| *sum = sum.max(*m));
        voxels.iter().zip(&piece.counts).for_each(|(&v, &count)| p[v] = count as f64 / used as f64);
    }
    let mut p_fwe = vec![f64::NAN; group.t.len()];
    let observed: Vec<f64> = pieces.iter().flat_map(|piece| piece.observed.iter().copied()).collect();
    let shares = exceedance(&observed, &sums, Tail::Larger)?;
    defined.iter().zip(shares).for_each(|(&v, share)| p_fwe[v] = share);
    let maxima = sums.iter().map(|&sum| t_of_sum(sum, flips.subjects())).collect();
    Ok(SignFlipTest { group, p, p_fwe, maxima })
}

pub(super) fn offered(tail: Tail) -> Result<(), Error> {
    let advice = "ask for two-sided or larger, and negate the maps to test for smaller values";
    let refused = || invalid("tail of a sign-flip test", "smaller", advice);
    if tail == Tail::Smaller { Err(refused()) } else { Ok(()) }
}

/// t of a voxel whose values have norm 1 and this sum.
pub(super) fn t_of_sum(sum: f64, subjects: usize) -> f64 {
    let n = subjects as f64;
    let share = (sum * sum / n).min(1.0);
    sum * ((n - 1.0) / (n * (1.0 - share))).sqrt()
}

/// What one piece of voxels contributes: its largest sum under each flip, and per voxel how many flips reach the observed sum.
struct Piece {
    maxima: Vec<f64>,
    counts: Vec<u64>,
    /// Observed sums, lowered by the tolerance.
    observed: Vec<f64>,
}

impl Piece {
    fn compute(values: &ArrayView2<f64>, voxels: &[usize], flips: &Flips, used: usize, tail: Tail) -> Self {
        let mut maxima = vec![f64::NEG_INFINITY; used];
        let (mut counts, mut observed) = (Vec::new(), Vec::new());
        for tile in voxels.chunks(TILE) {
            let tables = Tables::new(values, tile, flips.blocks());
            let mut lowered = tables.sums(flips.codes(0));
            lowered.iter_mut().for_each(|sum| *sum = tail.extremity(*sum) - SUM_TOLERANCE);
            let tile_counts = match tail {
                Tail::TwoSided => tables.count::<true>(flips, &lowered, &mut maxima),
                _ => tables.count::<false>(flips, &lowered, &mut maxima),
            };
            counts.extend_from_slice(&tile_counts[..tile.len()]);
            observed.extend_from_slice(&lowered[..tile.len()]);
        }
        Self { maxima, counts, observed }
    }
}

/// Per block of subjects the sum of its values under each of its flips, for one tile of voxels.
struct Tables {
    rows: Vec<[f64; TILE]>,
}

const PATTERNS: usize = 1 << BLOCK;

impl Tables {
    /// Voxels beyond the end of the tile repeat its last one, which changes no maximum.
    fn new(values: &ArrayView2<f64>, tile: &[usize], blocks: usize) -> Self {
        let subjects = values.nrows();
        let place = |lane: usize| tile[lane.min(tile.len() - 1)];
        let norm = std::array::from_fn::<f64, TILE, _>(|lane| {
            values.column(place(lane)).iter().map(|v| v * v).sum::<f64>().sqrt()
        });
        let mut rows = vec![[0.0; TILE]; blocks * PATTERNS];
        for subject in 0..subjects {
            let scaled: [f64; TILE] = std::array::from_fn(|lane| values[[subject, place(lane)]] / norm[lane]);
            let (block, bit) = (subject / BLOCK, subject % BLOCK);
            for (pattern, row) in rows[block * PATTERNS..(block + 1) * PATTERNS].iter_mut().enumerate() {
                let sign = if pattern >> bit & 1 == 1 { -1.0 } else { 1.0 };
                row.iter_mut().zip(scaled).for_each(|(sum, value)| *sum += sign * value);
            }
        }
        Self { rows }
    }

    #[inline]
    fn sums(&self, codes: &[u8]) -> [f64; TILE] {
        let mut sums = self.rows[codes[0] as usize];
        for (block, &code) in codes.iter().enumerate().skip(1) {
            let row = &self.rows[block * PATTERNS + code as usize];
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
        sums
    }

    /// Raises `maxima` to the tile's; returns per voxel the number of flips whose sum reaches `lowered`.
    fn count<const TWO_SIDED: bool>(
        &self,
        flips: &Flips,
        lowered: &[f64; TILE],
        maxima: &mut [f64],
    ) -> [u64; TILE] {
        let mut counts = [0u64; TILE];
        for (flip, maximum) in maxima.iter_mut().enumerate() {
            let mut sums = self.sums(flips.codes(flip));
            if TWO_SIDED {
                sums.iter_mut().for_each(|sum| *sum = sum.abs());
            }
            for ((count, sum), bound) in counts.iter_mut().zip(&sums).zip(lowered) {
                *count += u64::from(sum >= bound);
            }
            *maximum = largest(&sums).max(*maximum);
        }
        counts
    }
}

#[inline]
fn largest(sums: &[f64; TILE]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [f64::NEG_INFINITY; LANES];
    for chunk in sums.chunks_exact(LANES) {
        for (lane, &sum) in lanes.iter_mut().zip(chunk) {
            *lane = if sum > *lane { sum } else { *lane };
        }
    }
    lanes.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b))
}
