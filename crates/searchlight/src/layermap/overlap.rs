//! How much masks and maps of layers coincide.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::Error;
use crate::group::check::at_least;

/// Sizes of two masks and of what they share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Voxels of the first.
    pub first: usize,
    /// Voxels of the second.
    pub second: usize,
    /// Voxels of both.
    pub both: usize,
}

impl Overlap {
    /// Of two masks over the same voxels.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for different numbers of voxels.
    pub fn of(first: ArrayView1<bool>, second: ArrayView1<bool>) -> Result<Self, Error> {
        crate::group::check::same_size("voxels of the second mask", first.len(), second.len())?;
        let count = |mask: ArrayView1<bool>| mask.iter().filter(|m| **m).count();
        let both = first.iter().zip(second).filter(|(a, b)| **a && **b).count();
        Ok(Self { first: count(first), second: count(second), both })
    }

    /// An index of overlap with an empty mask has no meaning.
    #[must_use]
    pub fn defined(&self) -> bool {
        self.first > 0 && self.second > 0
    }

    fn ratio(&self, above: usize, below: usize) -> f64 {
        if self.defined() { above as f64 / below as f64 } else { f64::NAN }
    }

    /// 2|A∩B|/(|A|+|B|); NaN if a mask is empty.
    #[must_use]
    pub fn dice(&self) -> f64 {
        self.ratio(2 * self.both, self.first + self.second)
    }

    /// |A∩B|/|A∪B|; NaN if a mask is empty.
    #[must_use]
    pub fn jaccard(&self) -> f64 {
        self.ratio(self.both, self.first + self.second - self.both)
    }

    /// |A∩B|/min(|A|, |B|); NaN if a mask is empty.
    #[must_use]
    pub fn coefficient(&self) -> f64 {
        self.ratio(self.both, self.first.min(self.second))
    }
}

/// Overlap of all pairs of layers (layers x layers).
#[derive(Debug, Clone, PartialEq)]
pub struct OverlapTable {
    /// Voxels of each layer's mask.
    pub sizes: Vec<usize>,
    /// Dice index; NaN where a mask is empty.
    pub dice: Array2<f64>,
    /// Jaccard index; NaN where a mask is empty.
    pub jaccard: Array2<f64>,
    /// Overlap coefficient; NaN where a mask is empty.
    pub coefficient: Array2<f64>,
    /// Mean Dice index over the pairs of different layers with voxels; NaN without any.
    pub mean_dice: f64,
    /// Pairs of different layers of which a mask is empty.
    pub undefined_pairs: usize,
    /// Mean over the voxels in any mask of (masks with the voxel - 1)/(layers - 1): 0 if masks are disjoint, 1 if they are equal.
    /// NaN if all are empty.
    pub multiple: f64,
}

/// The overlap of masks (layers x voxels).
///
/// # Errors
/// [`Error::TooFew`] for fewer than two layers.
pub fn overlap_table(masks: ArrayView2<bool>) -> Result<OverlapTable, Error> {
    let layers = masks.nrows();
    at_least("layers of an overlap table", 2, layers)?;
    let mut table = OverlapTable {
        sizes: masks.axis_iter(Axis(0)).map(|mask| mask.iter().filter(|m| **m).count()).collect(),
        dice: Array2::from_elem((layers, layers), f64::NAN),
        jaccard: Array2::from_elem((layers, layers), f64::NAN),
        coefficient: Array2::from_elem((layers, layers), f64::NAN),
        mean_dice: f64::NAN,
        undefined_pairs: 0,
        multiple: multiple(masks),
    };
    let (mut sum, mut pairs) = (0.0, 0);
    for i in 0..layers {
        for j in i..layers {
            let overlap = Overlap::of(masks.row(i), masks.row(j))?;
            for (a, b) in [(i, j), (j, i)] {
                table.dice[[a, b]] = overlap.dice();
                table.jaccard[[a, b]] = overlap.jaccard();
                table.coefficient[[a, b]] = overlap.coefficient();
            }
            if i != j && overlap.defined() {
                sum += overlap.dice();
                pairs += 1;
            }
        }
    }
    table.mean_dice = sum / f64::from(pairs);
    table.undefined_pairs = layers * (layers - 1) / 2 - pairs as usize;
    Ok(table)
}

fn multiple(masks: ArrayView2<bool>) -> f64 {
    let counts = masks.axis_iter(Axis(1)).map(|voxel| voxel.iter().filter(|m| **m).count());
    let (sum, voxels) = counts.filter(|&c| c > 0).fold((0, 0), |(sum, voxels), c| (sum + c - 1, voxels + 1));
    sum as f64 / (voxels * (masks.nrows() - 1)) as f64
}

/// Pearson correlation over voxels of all pairs of maps (layers x voxels), each pair over the voxels where both are defined.
/// NaN with fewer than three such voxels or a constant map.
#[must_use]
pub fn spatial_correlations(maps: ArrayView2<f64>) -> Array2<f64> {
    let layers = maps.nrows();
    let mut table = Array2::from_elem((layers, layers), f64::NAN);
    for i in 0..layers {
        for j in i..layers {
            let r = spatial_correlation(maps.row(i), maps.row(j));
            table[[i, j]] = r;
            table[[j, i]] = r;
        }
    }
    table
}

/// Fewest voxels of a correlation of maps.
const MIN_VOXELS: usize = 3;

/// Pearson correlation of two maps over the voxels where both are defined; NaN as for [`spatial_correlations`].
#[must_use]
pub fn spatial_correlation(first: ArrayView1<f64>, second: ArrayView1<f64>) -> f64 {
    let both = || first.iter().zip(second).filter(|(a, b)| a.is_finite() && b.is_finite());
    let n = both().count();
    if n < MIN_VOXELS {
        return f64::NAN;
    }
    let (sum_a, sum_b) = both().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mean_a, mean_b) = (sum_a / n as f64, sum_b / n as f64);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in both() {
        let (a, b) = (a - mean_a, b - mean_b);
        (aa, bb, ab) = (aa + a * a, bb + b * b, ab + a * b);
    }
    if aa > 0.0 && bb > 0.0 { (ab / (aa * bb).sqrt()).clamp(-1.0, 1.0) } else { f64::NAN }
}
