//! Whether deeper layers lie further along the brain.

use ndarray::{ArrayView2, Axis};

use crate::group::check::same_size;
use crate::{Error, Grid};

/// Where the layers lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Hierarchy {
    /// Centre of gravity of each layer's mask in mm (x, y, z of the grid's affine); `None` for an empty mask.
    pub centres_mm: Vec<Option<[f64; 3]>>,
    /// Rank correlation (Spearman, ties by average rank) of depth with y over the layers with a centre; positive if deeper layers
    /// lie further anterior where the affine's y runs so. NaN with fewer than three layers or all at one place.
    pub rank_correlation: f64,
    /// Layers without a voxel.
    pub empty: usize,
}

/// Fewest layers of the rank correlation.
const MIN_LAYERS: usize = 3;

/// Centres of gravity of `masks` (layers x voxels, from the first layer of the network to the last) and their order along y.
///
/// `voxels`: linear index in `grid` of each column. `weights` (layers x voxels): what a voxel counts, where above 0; 1 if not given.
/// # Errors
/// [`Error::Mismatch`] for sizes that differ, [`Error::Invalid`] for a voxel outside the grid.
pub fn hierarchy(
    masks: ArrayView2<bool>,
    weights: Option<ArrayView2<f64>>,
    voxels: &[u32],
    grid: &Grid,
) -> Result<Hierarchy, Error> {
    same_size("voxels of the masks", voxels.len(), masks.ncols())?;
    if let Some(weights) = weights {
        same_size("layers of the weights", masks.nrows(), weights.nrows())?;
        same_size("voxels of the weights", masks.ncols(), weights.ncols())?;
    }
    if let Some(&outside) = voxels.iter().find(|&&v| v as usize >= grid.len()) {
        return Err(crate::group::check::invalid("voxel index", outside, "it lies outside the grid"));
    }
    let places: Vec<[f64; 3]> =
        voxels.iter().map(|&v| grid.millimetres(grid.position(v as usize).map(|c| c as f64))).collect();
    let centres_mm: Vec<Option<[f64; 3]>> = masks
        .axis_iter(Axis(0))
        .enumerate()
        .map(|(layer, mask)| {
            let weight = |voxel: usize| match weights {
                _ if !mask[voxel] => 0.0,
                Some(weights) => weights[[layer, voxel]].max(0.0),
                None => 1.0,
            };
            centre(&places, weight)
        })
        .collect();
    let with_centre: Vec<(f64, f64)> =
        centres_mm.iter().enumerate().filter_map(|(depth, c)| c.map(|c| (depth as f64, c[1]))).collect();
    let empty = centres_mm.len() - with_centre.len();
    let rank_correlation = if with_centre.len() < MIN_LAYERS { f64::NAN } else { spearman(&with_centre) };
    Ok(Hierarchy { centres_mm, rank_correlation, empty })
}

fn centre(places: &[[f64; 3]], weight: impl Fn(usize) -> f64) -> Option<[f64; 3]> {
    let (mut sums, mut total) = ([0.0; 3], 0.0);
    for (voxel, place) in places.iter().enumerate() {
        // A NaN map value has become 0 by `max`.
        let w = weight(voxel);
        total += w;
        sums.iter_mut().zip(place).for_each(|(sum, c)| *sum += w * c);
    }
    (total > 0.0).then(|| sums.map(|sum| sum / total))
}

fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let first = ranks(pairs.iter().map(|p| p.0));
    let second = ranks(pairs.iter().map(|p| p.1));
    super::spatial_correlation(first.as_slice().into(), second.as_slice().into())
}

/// Ranks from 1; equal values share their average rank.
fn ranks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.collect();
    let rank = |v: f64| {
        let below = values.iter().filter(|&&o| o < v).count() as f64;
        let equal = values.iter().filter(|&&o| o == v).count() as f64;
        below + (equal + 1.0) / 2.0
    };
    values.iter().map(|&v| rank(v)).collect()
}
