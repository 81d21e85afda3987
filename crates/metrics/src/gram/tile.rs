//! One tile of features, shifted, in the number type in which it is multiplied.

use ndarray::{ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::Error;

/// Columns whose means one thread takes at a time; any value gives the same bytes.
const COLUMNS_PER_PIECE: usize = 256;
/// Partial sums along a row. Part of the order of summation, so changing it changes the last bits.
const LANES: usize = 8;

/// A feature as it is given.
pub(super) trait Feature: Copy + Send + Sync + Into<f64> {
    /// The shift for features of this mean, such that a feature minus its shift loses nothing that matters.
    fn shift(mean: f64) -> f64;
}

impl Feature for f32 {
    /// Rounded to 32 bit: the difference of two 32-bit numbers of similar size is exact in 64 bit.
    fn shift(mean: f64) -> f64 {
        f64::from(mean as f32)
    }
}

impl Feature for f64 {
    fn shift(mean: f64) -> f64 {
        mean
    }
}

/// A feature as it is multiplied.
pub(super) trait Factor: Copy + Default + Send + Sync + Into<f64> {
    fn round(value: f64) -> Self;
}

impl Factor for f32 {
    fn round(value: f64) -> Self {
        value as f32
    }
}

impl Factor for f64 {
    fn round(value: f64) -> Self {
        value
    }
}

/// The shift of every feature of a tile: its mean over all stimuli.
///
/// # Errors
/// [`Error::NonFinite`] names the first feature that is NaN or infinite for some stimulus.
pub(super) fn shifts<T: Feature>(first_feature: u64, tile: ArrayView2<'_, T>) -> Result<Vec<f64>, Error> {
    let mut means = vec![0.0; tile.ncols()];
    means.par_chunks_mut(COLUMNS_PER_PIECE).enumerate().for_each(|(piece, means)| {
        let start = piece * COLUMNS_PER_PIECE;
        column_means(tile.slice(s![.., start..start + means.len()]), means);
    });
    finite_columns(first_feature, tile, &means)?;
    Ok(means.into_iter().map(T::shift).collect())
}

/// Checks that all features of a tile are finite numbers.
///
/// # Errors
/// As [`shifts`].
pub(crate) fn check_finite(first_feature: u64, tile: ArrayView2<'_, f32>) -> Result<(), Error> {
    let mut means = vec![0.0; tile.ncols()];
    column_means(tile, &mut means);
    finite_columns(first_feature, tile, &means)
}

fn finite_columns<T: Feature>(
    first_feature: u64,
    tile: ArrayView2<'_, T>,
    means: &[f64],
) -> Result<(), Error> {
    match means.iter().position(|mean| !mean.is_finite()) {
        Some(column) => Err(non_finite(first_feature, tile, column)),
        None => Ok(()),
    }
}

fn column_means<T: Feature>(columns: ArrayView2<'_, T>, means: &mut [f64]) {
    let mut copied = Vec::new();
    for row in columns.axis_iter(Axis(0)) {
        for (sum, &x) in means.iter_mut().zip(as_slice(&row, &mut copied)) {
            *sum += x.into();
        }
    }
    let n = columns.nrows() as f64;
    for mean in means {
        *mean /= n;
    }
}

/// The values of a row, copied only if they do not lie next to each other.
fn as_slice<'a, T: Copy>(row: &'a ArrayView1<'_, T>, copied: &'a mut Vec<T>) -> &'a [T] {
    match row.as_slice() {
        Some(values) => values,
        None => {
            copied.clear();
            copied.extend(row);
            copied
        }
    }
}

fn non_finite<T: Feature>(first_feature: u64, tile: ArrayView2<'_, T>, column: usize) -> Error {
    let mut values = tile.column(column).into_iter();
    Error::NonFinite {
        stimulus: values.position(|&x| !x.into().is_finite()).unwrap_or(0),
        feature: first_feature + column as u64,
    }
}

/// Writes `x - shift` row by row into `shifted` (n x w, row-major) and adds each row's sum and product with the shift.
pub(super) fn subtract<T: Feature, Z: Factor>(
    tile: ArrayView2<'_, T>,
    shifts: &[f64],
    shifted: &mut [Z],
    sums: &mut [f64],
    shift_products: &mut [f64],
) {
    shifted
        .par_chunks_mut(shifts.len())
        .zip(sums.par_iter_mut())
        .zip(shift_products.par_iter_mut())
        .zip(tile.axis_iter(Axis(0)).into_par_iter())
        .for_each_init(Vec::new, |copied, (((z, sum), product), x)| {
            let (row_sum, row_product) = subtract_row(as_slice(&x, copied), shifts, z);
            *sum += row_sum;
            *product += row_product;
        });
}

/// Shifts one row and returns its sum and its product with the shifts.
fn subtract_row<T: Feature, Z: Factor>(x: &[T], shifts: &[f64], z: &mut [Z]) -> (f64, f64) {
    for ((z, &x), &shift) in z.iter_mut().zip(x).zip(shifts) {
        *z = Z::round(x.into() - shift);
    }
    let sum = sum_in_lanes(z, shifts, |z, _| z);
    (sum, sum_in_lanes(z, shifts, |z, shift| z * shift))
}

/// Sum of `term` over a row, in a fixed order that the compiler can keep in vector registers.
fn sum_in_lanes<Z: Factor>(z: &[Z], shifts: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let (z, z_rest) = z.as_chunks::<LANES>();
    let (shifts, shifts_rest) = shifts.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (z, shifts) in z.iter().zip(shifts) {
        for lane in 0..LANES {
            sums[lane] += term(z[lane].into(), shifts[lane]);
        }
    }
    let rest = z_rest.iter().zip(shifts_rest);
    sums.iter().sum::<f64>() + rest.map(|(&z, &shift)| term(z.into(), shift)).sum::<f64>()
}
