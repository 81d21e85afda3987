//! Axial slices of a brain as small pictures, a pixel per voxel: pages scale them to the voxels' size.

use ventral_searchlight::Grid;

use crate::Error;
use crate::maps::layers::Space;
use crate::picture::palette::Rgb;
use crate::picture::png;

/// Most slices of a montage.
const MAX_SLICES: usize = 15;
/// Voxels shown around those with data.
const MARGIN: usize = 1;
/// A grid that is tilted by more is said to be (degrees).
const TILT_DEGREES: f64 = 2.0;

/// How a grid is looked at from above: left is on the left, the front is up.
#[derive(Debug, Clone)]
pub(crate) struct View {
    grid: Grid,
    /// Voxel axis along left-right, back-front, down-up.
    axes: [usize; 3],
    /// Whether it runs the other way.
    flipped: [bool; 3],
    /// First and last index along each displayed axis.
    window: [[usize; 2]; 3],
    /// Size of a voxel along each displayed axis in mm.
    size_mm: [f64; 3],
    step: usize,
    /// Largest angle between a voxel axis and the axis of the world it is shown along, in degrees.
    tilt: f64,
}

/// One slice.
pub(crate) struct Slice {
    /// Index along the displayed third axis.
    index: usize,
    /// Height in the middle of the picture.
    pub(crate) mm: f64,
}

impl View {
    /// The view of a grid that shows all centres; none without any.
    pub(crate) fn new(space: Space<'_>) -> Option<Self> {
        let grid = *space.grid;
        let (axes, tilt) = nearest_axes(&grid);
        let flipped = std::array::from_fn(|world| grid.affine[world][axes[world]] < 0.0);
        let metric = grid.metric();
        let size_mm = std::array::from_fn(|world| metric[axes[world]][axes[world]].sqrt());
        let mut view = Self { grid, axes, flipped, window: [[0, 0]; 3], size_mm, step: 1, tilt };
        let mut window: Option<[[usize; 2]; 3]> = None;
        for &place in space.places {
            let shown = view.shown(grid.position(place as usize));
            let found = window.get_or_insert(shown.map(|index| [index, index]));
            for (bounds, index) in found.iter_mut().zip(shown) {
                *bounds = [bounds[0].min(index), bounds[1].max(index)];
            }
        }
        let mut window = window?;
        let slices = window[2][1] - window[2][0] + 1;
        for (world, bounds) in window.iter_mut().enumerate().take(2) {
            let last = grid.shape[axes[world]] - 1;
            *bounds = [bounds[0].saturating_sub(MARGIN), (bounds[1] + MARGIN).min(last)];
        }
        view.window = window;
        view.step = slices.div_ceil(MAX_SLICES);
        Some(view)
    }

    /// Displayed indices of a voxel.
    fn shown(&self, voxel: [usize; 3]) -> [usize; 3] {
        std::array::from_fn(|world| {
            let index = voxel[self.axes[world]];
            if self.flipped[world] { self.grid.shape[self.axes[world]] - 1 - index } else { index }
        })
    }

    /// The voxel at displayed indices.
    fn voxel(&self, shown: [usize; 3]) -> [usize; 3] {
        let mut voxel = [0; 3];
        for world in 0..3 {
            let last = self.grid.shape[self.axes[world]] - 1;
            voxel[self.axes[world]] = if self.flipped[world] { last - shown[world] } else { shown[world] };
        }
        voxel
    }

    /// The slices of a montage, from below.
    pub(crate) fn slices(&self) -> Vec<Slice> {
        let [low, high] = self.window[2];
        let first = low + (high - low) % self.step / 2;
        let middle = |axis: usize| (self.window[axis][0] + self.window[axis][1]) / 2;
        let slice = |index: usize| {
            let voxel = self.voxel([middle(0), middle(1), index]).map(|c| c as f64);
            Slice { index, mm: self.grid.millimetres(voxel)[2] }
        };
        (first..=high).step_by(self.step).map(slice).collect()
    }

    /// Width over height of a picture in space.
    pub(crate) fn aspect(&self) -> f64 {
        let [width, height] = self.pixels();
        width as f64 * self.size_mm[0] / (height as f64 * self.size_mm[1])
    }

    fn pixels(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.window[axis][1] - self.window[axis][0] + 1)
    }

    /// What a reader must know of slices, in words.
    pub(crate) fn words(&self) -> String {
        let step = self.step as f64 * self.size_mm[2];
        let tilted = if self.tilt > TILT_DEGREES {
            format!("; slices follow the voxels, which are tilted by {:.0}°", self.tilt)
        } else {
            String::new()
        };
        format!(
            "Axial slices every {} mm, heights in mm; left is left, the front is up{tilted}.",
            short(step)
        )
    }

    /// A slice as PNG: the colour of each voxel by its linear index, nothing where it has none.
    pub(crate) fn tile(&self, slice: &Slice, colour: impl Fn(u32) -> Option<Rgb>) -> Result<Vec<u8>, Error> {
        let [width, height] = self.pixels();
        let mut pixels = Vec::with_capacity(4 * width * height);
        for row in 0..height {
            for column in 0..width {
                let shown = [self.window[0][0] + column, self.window[1][1] - row, slice.index];
                let found = colour(self.grid.linear(self.voxel(shown)) as u32);
                let [r, g, b] = found.unwrap_or_default();
                pixels.extend([r, g, b, if found.is_some() { 255 } else { 0 }]);
            }
        }
        png(&pixels, width, height)
    }
}

/// Pixels of the smallest side of a voxel on a sheet.
const SHEET_SCALE: f64 = 3.0;
/// Slices in a row of a sheet.
const SHEET_COLUMNS: usize = 8;
/// Pixels between slices.
const SHEET_GAP: usize = 8;

impl View {
    /// All slices of a montage as one PNG in true proportions, row by row from below, without text; clear around the brain.
    pub(crate) fn sheet(&self, colour: impl Fn(u32) -> Option<Rgb>) -> Result<Vec<u8>, Error> {
        let slices = self.slices();
        let unit = self.size_mm.iter().copied().fold(f64::INFINITY, f64::min) / SHEET_SCALE;
        let [width, height] = self.pixels();
        let side =
            |count: usize, axis: usize| ((count as f64 * self.size_mm[axis] / unit).round() as usize).max(1);
        let (tile_width, tile_height) = (side(width, 0), side(height, 1));
        let columns = slices.len().clamp(1, SHEET_COLUMNS);
        let rows = slices.len().div_ceil(columns).max(1);
        let total_width = columns * (tile_width + SHEET_GAP) - SHEET_GAP;
        let total_height = rows * (tile_height + SHEET_GAP) - SHEET_GAP;
        let mut pixels = vec![0u8; 4 * total_width * total_height];
        for (number, slice) in slices.iter().enumerate() {
            let left = number % columns * (tile_width + SHEET_GAP);
            let top = number / columns * (tile_height + SHEET_GAP);
            for y in 0..tile_height {
                for x in 0..tile_width {
                    let (column, row) = (x * width / tile_width, y * height / tile_height);
                    let shown = [self.window[0][0] + column, self.window[1][1] - row, slice.index];
                    let Some([r, g, b]) = colour(self.grid.linear(self.voxel(shown)) as u32) else {
                        continue;
                    };
                    let at = 4 * ((top + y) * total_width + left + x);
                    pixels[at..at + 4].copy_from_slice(&[r, g, b, 255]);
                }
            }
        }
        png(&pixels, total_width, total_height)
    }
}

/// "3", "2.5".
pub(crate) fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).replace('-', "−")
}

/// The assignment of voxel axes to those of the world with the smallest angles, and the largest of these angles in degrees.
fn nearest_axes(grid: &Grid) -> ([usize; 3], f64) {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let metric = grid.metric();
    let cosine = |world: usize, axis: usize| grid.affine[world][axis].abs() / metric[axis][axis].sqrt();
    let sum = |order: &[usize; 3]| (0..3).map(|world| cosine(world, order[world])).sum::<f64>();
    let best = ORDERS.into_iter().reduce(|best, next| if sum(&next) > sum(&best) { next } else { best });
    let order = best.unwrap_or(ORDERS[0]);
    let smallest = (0..3).map(|world| cosine(world, order[world])).fold(1.0, f64::min);
    (order, smallest.clamp(0.0, 1.0).acos().to_degrees())
}
