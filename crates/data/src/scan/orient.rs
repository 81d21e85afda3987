//! Laying one grid on another that has the same voxels, perhaps with its axes in another order or direction.

use ventral_searchlight::Grid;

/// Largest difference of two affines, entry by entry, that is none (mm).
pub(super) const TOLERANCE: f64 = 1e-4;

/// Where the voxels of a grid are in another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Orientation {
    /// Linear index, in the file, of voxel (0, 0, 0) of the grid.
    start: i64,
    /// Change of that index along each axis of the grid.
    steps: [i64; 3],
}

impl Orientation {
    /// The file stores its voxels as the grid does.
    pub(super) fn same(grid: &Grid) -> Self {
        let [nx, ny, _] = grid.shape.map(|n| n as i64);
        Self { start: 0, steps: [1, nx, nx * ny] }
    }

    /// How `file` stores the voxels of `grid`, by their place in space.
    ///
    /// # Errors
    /// What differs, when they are not the same voxels.
    pub(super) fn between(grid: &Grid, file: &Grid) -> Result<Self, String> {
        if grid.shape == file.shape && difference(&grid.affine, &file.affine).is_none() {
            return Ok(Self::same(grid));
        }
        Self::turned(grid, file).ok_or_else(|| describe(grid, file))
    }

    /// Index in the file of each voxel of the grid.
    pub(super) fn positions(&self, grid: &Grid, voxels: &[u32]) -> Vec<u32> {
        let [nx, ny, _] = grid.shape.map(|n| n as u32);
        let [x, y, z] = self.steps;
        let place = |&voxel: &u32| {
            let (i, j, k) = (voxel % nx, voxel / nx % ny, voxel / nx / ny);
            (self.start + x * i64::from(i) + y * i64::from(j) + z * i64::from(k)) as u32
        };
        voxels.iter().map(place).collect()
    }

    /// The axes permuted and turned round, if that is all.
    fn turned(grid: &Grid, file: &Grid) -> Option<Self> {
        let steps = in_steps_of(&file.affine, &grid.affine)?;
        let strides = Self::same(file).steps;
        let mut turned = Self { start: 0, steps: [0; 3] };
        // The file's affine, read in the order of the grid: it must come out as the grid's.
        let mut affine = file.affine;
        let mut used = [false; 3];
        for axis in 0..3 {
            // Column `axis` says along which axis of the file, and which way, this axis of the grid runs.
            let along = (0..3).find(|&row| steps[row][axis].abs() > 0.5)?;
            if std::mem::replace(&mut used[along], true) || file.shape[along] != grid.shape[axis] {
                return None;
            }
            let direction = steps[along][axis].signum();
            turned.steps[axis] = direction as i64 * strides[along];
            let last = (file.shape[along] - 1) as i64;
            let first = if direction < 0.0 { last } else { 0 };
            turned.start += first * strides[along];
            for (row, file) in affine.iter_mut().zip(&file.affine).take(3) {
                row[axis] = direction * file[along];
                row[3] += first as f64 * file[along];
            }
        }
        difference(&affine, &grid.affine).is_none().then_some(turned)
    }
}

/// The axes of `grid` in units of the axes of `file`; nothing if those span no volume.
fn in_steps_of(file: &[[f64; 4]; 4], grid: &[[f64; 4]; 4]) -> Option<[[f64; 3]; 3]> {
    let column = |m: &[[f64; 4]; 4], j: usize| [m[0][j], m[1][j], m[2][j]];
    let [a, b, c] = [column(file, 0), column(file, 1), column(file, 2)];
    let volume = dot(a, cross(b, c));
    let rows = [cross(b, c), cross(c, a), cross(a, b)];
    let finite = volume != 0.0 && volume.is_finite();
    finite.then(|| rows.map(|row| std::array::from_fn(|j| dot(row, column(grid, j)) / volume)))
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Row and column of the first entry in which two affines differ.
fn difference(a: &[[f64; 4]; 4], b: &[[f64; 4]; 4]) -> Option<(usize, usize)> {
    let mut entries = (0..4).flat_map(|row| (0..4).map(move |column| (row, column)));
    entries.find(|&(row, column)| (a[row][column] - b[row][column]).abs() > TOLERANCE)
}

fn describe(grid: &Grid, file: &Grid) -> String {
    if let Err(problem) = same_shape(grid, file) {
        return problem;
    }
    match difference(&grid.affine, &file.affine) {
        Some((row, column)) => format!(
            "its affine has {} in row {}, column {}, theirs has {}; resample it to their grid, or correct its header",
            file.affine[row][column],
            row + 1,
            column + 1,
            grid.affine[row][column]
        ),
        None => "its voxels are not those of the volumes; resample it to their grid".to_owned(),
    }
}

/// An error unless the shapes are equal, axis by axis.
pub(super) fn same_shape(grid: &Grid, file: &Grid) -> Result<(), String> {
    if grid.shape == file.shape {
        return Ok(());
    }
    let text = |shape: [usize; 3]| shape.map(|n| n.to_string()).join(" x ");
    Err(format!(
        "its shape is {}, that of the volumes is {}; resample it to their grid",
        text(file.shape),
        text(grid.shape)
    ))
}
