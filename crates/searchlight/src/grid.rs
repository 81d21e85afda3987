//! Where voxels are.

use serde::{Deserialize, Serialize};

/// A box of voxels and their place in space.
///
/// The linear index of voxel (x, y, z) is `x + nx * (y + ny * z)`: x varies fastest, as in NIfTI files.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// From voxel indices to millimetres, row by row; the last row is 0 0 0 1.
    pub affine: [[f64; 4]; 4],
}

impl Grid {
    /// Number of voxels of the box.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the box has no voxel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
