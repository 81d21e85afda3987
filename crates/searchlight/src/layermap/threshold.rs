//! Which voxels belong to a layer.

use ndarray::{Array2, ArrayView2, Axis};

use crate::Error;
use crate::group::check::share;

/// Share of the voxels in a mask of the largest values unless another is asked for.
pub const DEFAULT_TOP_SHARE: f64 = 0.03;

/// Voxels with p below `alpha`, per layer. Undefined p are not significant.
///
/// # Errors
/// [`Error::Invalid`] unless 0 < `alpha` < 1.
pub fn significant(p: ArrayView2<f64>, alpha: f64) -> Result<Array2<bool>, Error> {
    share("significance level", alpha)?;
    Ok(p.mapv(|p| p < alpha))
}

/// The `top` share of each layer's defined voxels with the largest values, at least one; of equal values the first voxels.
///
/// The same number of voxels for every layer that is defined in the same voxels, however strong it is.
/// # Errors
/// [`Error::Invalid`] unless `top` lies between 0 (excluded) and 1.
pub fn top_share(maps: ArrayView2<f64>, top: f64) -> Result<Array2<bool>, Error> {
    if top != 1.0 {
        share("share of the voxels", top)?;
    }
    let mut masks = Array2::from_elem(maps.dim(), false);
    for (map, mut mask) in maps.axis_iter(Axis(0)).zip(masks.axis_iter_mut(Axis(0))) {
        let mut order: Vec<usize> = (0..map.len()).filter(|&v| !map[v].is_nan()).collect();
        order.sort_by(|&a, &b| map[b].total_cmp(&map[a]).then(a.cmp(&b)));
        let kept = (top * order.len() as f64).round().max(1.0) as usize;
        order.iter().take(kept).for_each(|&v| mask[v] = true);
    }
    Ok(masks)
}
