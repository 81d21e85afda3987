//! The voxel grid of a volume and its place in space.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Most voxels of a grid: indices are 32-bit and one value is kept for "no voxel".
pub const MAX_GRID_VOXELS: usize = 1 << 30;
/// Two affines are the same when no entry differs by more than this (mm).
pub const AFFINE_TOLERANCE_MM: f64 = 1e-4;

/// Shape of a volume and the affine from voxel to millimetre coordinates.
///
/// Linear indices run with x fastest, as in NIfTI files: `i = x + nx * (y + ny * z)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Voxels along x, y, z.
    pub shape: [usize; 3],
    /// Voxel coordinates (x, y, z, 1) to mm; the last row is 0 0 0 1.
    pub affine: [[f64; 4]; 4],
}

impl Grid {
    /// A grid whose shape and affine make sense.
    ///
    /// # Errors
    /// [`Error::TooFew`] for an empty axis, [`Error::TooMany`] beyond [`MAX_GRID_VOXELS`], [`Error::NonFinite`] or
    /// [`Error::Invalid`] for an affine that is not one.
    pub fn new(shape: [usize; 3], affine: [[f64; 4]; 4]) -> Result<Self, Error> {
        let grid = Self { shape, affine };
        grid.check()?;
        Ok(grid)
    }

    /// The checks of [`Grid::new`], for a grid that was put together by hand.
    ///
    /// # Errors
    /// See [`Grid::new`].
    pub fn check(&self) -> Result<(), Error> {
        if let Some(&found) = self.shape.iter().find(|&&length| length == 0) {
            return Err(Error::TooFew { what: "voxels along an axis of the grid", needed: 1, found });
        }
        let voxels = self.shape.iter().try_fold(1usize, |product, &length| product.checked_mul(length));
        if voxels.is_none_or(|voxels| voxels > MAX_GRID_VOXELS) {
            let found = voxels.unwrap_or(usize::MAX);
            return Err(Error::TooMany { what: "voxels of the grid", limit: MAX_GRID_VOXELS, found });
        }
        if let Some(index) = self.affine.as_flattened().iter().position(|value| !value.is_finite()) {
            let advice = "give the image a valid sform or qform";
            return Err(Error::NonFinite { what: "affine entry", index, advice });
        }
        let scale: f64 =
            (0..3).map(|c| (0..3).map(|r| self.affine[r][c].powi(2)).sum::<f64>().sqrt()).product();
        let volume = self.determinant().abs();
        if volume.is_nan() || volume <= 1e-9 * scale {
            return Err(Error::Invalid {
                what: "affine",
                found: format!("{:?}", self.affine),
                advice: "its voxel axes do not span a volume; give the image a valid sform or qform",
            });
        }
        Ok(())
    }

    fn determinant(&self) -> f64 {
        let a = &self.affine;
        a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) - a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0])
            + a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0])
    }

    /// Number of voxels of the box.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the box has no voxel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Linear index of voxel (x, y, z), which must lie in the grid.
    #[must_use]
    pub fn linear(&self, [x, y, z]: [usize; 3]) -> usize {
        x + self.shape[0] * (y + self.shape[1] * z)
    }

    /// Voxel (x, y, z) of a linear index.
    #[must_use]
    pub fn position(&self, index: usize) -> [usize; 3] {
        let [nx, ny, _] = self.shape;
        [index % nx, index / nx % ny, index / nx / ny]
    }

    /// Millimetre coordinates of a voxel.
    #[must_use]
    pub fn millimetres(&self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|row| {
            let a = &self.affine[row];
            a[0] * x + a[1] * y + a[2] * z + a[3]
        })
    }

    /// The metric tensor AᵀA (mm²) of the affine's linear part A: an offset d in voxels is √(dᵀAᵀA d) mm long.
    #[must_use]
    pub fn metric(&self) -> [[f64; 3]; 3] {
        std::array::from_fn(|i| {
            std::array::from_fn(|j| (0..3).map(|row| self.affine[row][i] * self.affine[row][j]).sum())
        })
    }

    /// That another volume lies on this grid: same shape, and affine up to [`AFFINE_TOLERANCE_MM`].
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another shape, [`Error::Invalid`] for another affine.
    pub fn same(&self, other: &Self) -> Result<(), Error> {
        for (axis, (&expected, &found)) in self.shape.iter().zip(&other.shape).enumerate() {
            if expected != found {
                let what = ["voxels along x", "voxels along y", "voxels along z"][axis];
                return Err(Error::Mismatch { what, expected, found });
            }
        }
        let pairs = self.affine.as_flattened().iter().zip(other.affine.as_flattened());
        let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        if largest <= AFFINE_TOLERANCE_MM {
            return Ok(());
        }
        Err(Error::Invalid {
            what: "affine",
            found: format!("{:?}", other.affine),
            advice: "it differs from the affine of the other volumes; resample them to one grid",
        })
    }
}
