//! One tile of features, shifted, in the number type in which it is multiplied.

use ndarray::{ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::Error;

/// Columns whose means one thread takes at a time; any value gives the same bytes.
const COLUMNS_PER_PIECE: usize = 256;
/// Partial sums along a row. Part of the order of summation, so changing it changes the last bits.
const LANES: usize = 8;

/// Number type of features as they are given: `f32` or `f64`.
pub trait Feature: Copy + Send + Sync + Into<f64> {
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
pub(crate) fn check_finite<T: Feature>(first_feature: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
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

/// What one pass down the columns of a shifted tile tells.
pub(super) struct Columns {
    /// The shift, and the sum over the stimuli of z times the stimulus' [`sign`].
    pub signed: Vec<(f64, f64)>,
    /// Least sum of squares over the stimuli of a feature that varies.
    pub faintest: f64,
}

/// A fixed pattern of 1 and -1 over the stimuli, with no structure that features could share.
pub(super) fn sign(stimulus: usize) -> f64 {
    let mixed = (stimulus as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    if mixed >> 63 == 0 { 1.0 } else { -1.0 }
}

/// Goes down the columns of a tile.
pub(super) fn columns<T: Feature>(tile: ArrayView2<'_, T>, shifts: &[f64]) -> Columns {
    let mut signed = vec![0.0; tile.ncols()];
    let mut squares = vec![0.0; tile.ncols()];
    signed
        .par_chunks_mut(COLUMNS_PER_PIECE)
        .zip(squares.par_chunks_mut(COLUMNS_PER_PIECE))
        .zip(shifts.par_chunks(COLUMNS_PER_PIECE))
        .enumerate()
        .for_each_init(Vec::new, |copied, (piece, ((signed, squares), shifts))| {
            let start = piece * COLUMNS_PER_PIECE;
            let columns = tile.slice(s![.., start..start + shifts.len()]);
            for (stimulus, row) in columns.outer_iter().enumerate() {
                let sign = sign(stimulus);
                let row = as_slice(&row, copied).iter().zip(shifts);
                for (((&x, shift), signed), square) in row.zip(&mut *signed).zip(&mut *squares) {
                    let z = x.into() - shift;
                    *signed += sign * z;
                    *square += z * z;
                }
            }
        });
    let n = tile.nrows() as f64;
    // What is left of a constant is the rounding of its mean.
    let rounding = |shift: f64| n * (n * f64::EPSILON * shift).powi(2);
    let varying = squares.iter().zip(shifts).filter(|(square, shift)| **square > rounding(**shift));
    let signed = shifts.iter().copied().zip(signed).collect();
    Columns { signed, faintest: varying.fold(f64::INFINITY, |least, (square, _)| least.min(*square)) }
}

/// Sums over the features of a tile that grow with it, one number per stimulus.
pub(super) struct RowSums<'a> {
    /// z.
    pub sums: &'a mut [f64],
    /// z times the shift.
    pub shift_products: &'a mut [f64],
    /// z, before it is rounded, times the signed sum of its column: products of this stimulus with all, times their signs.
    pub signed_products: &'a mut [f64],
}

/// Writes `x - shift` row by row into `shifted` (n x w, row-major) and adds to each row's sums.
pub(super) fn subtract<T: Feature, Z: Factor>(
    tile: ArrayView2<'_, T>,
    shifts: &[f64],
    columns: &[(f64, f64)],
    shifted: &mut [Z],
    rows: RowSums<'_>,
) {
    shifted
        .par_chunks_mut(shifts.len())
        .zip(rows.sums.par_iter_mut())
        .zip(rows.shift_products.par_iter_mut())
        .zip(rows.signed_products.par_iter_mut())
        .zip(tile.axis_iter(Axis(0)).into_par_iter())
        .for_each_init(Vec::new, |copied, ((((z, sum), product), signed_product), x)| {
            let x = as_slice(&x, copied);
            for ((z, &x), &shift) in z.iter_mut().zip(x).zip(shifts) {
                *z = Z::round(x.into() - shift);
            }
            *sum += sum_in_lanes(z, shifts, |z, _| z.into());
            *product += sum_in_lanes(z, shifts, |z, shift| z.into() * shift);
            *signed_product += sum_in_lanes(x, columns, |x, (shift, signed)| (x.into() - shift) * signed);
        });
}

/// Sum of `term` over a row, in a fixed order that the compiler can keep in vector registers.
fn sum_in_lanes<A: Copy, B: Copy>(a: &[A], b: &[B], term: impl Fn(A, B) -> f64) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    let rest = a_rest.iter().zip(b_rest);
    sums.iter().sum::<f64>() + rest.map(|(&a, &b)| term(a, b)).sum::<f64>()
}
