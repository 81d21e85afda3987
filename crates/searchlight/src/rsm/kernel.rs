//! Products of 16 images with 16 images over the voxels of a neighbourhood, in registers.
//!
//! Each product is one chain of fused multiply-adds over the voxels in their order, whatever the width of the machine's
//! vectors: the same bits everywhere.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use pulp::Simd;

use crate::patterns::LANES;

/// Products of one block of images with another.
pub(crate) type Tile<T> = [[T; LANES]; LANES];

/// f32 or f64.
pub(crate) trait Real:
    Copy
    + Default
    + PartialOrd
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + Send
    + Sync
    + 'static
{
    /// Similarities whose variance is below this share of their mean square are lost in rounding.
    const LEAST_SHARE: f64;
    fn of(value: f32) -> Self;
    fn narrow(value: f64) -> Self;
    fn wide(self) -> f64;
    fn fma(self, factor: Self, addend: Self) -> Self;
    /// Adds to `out`; `left` and `right` have one row of 16 images per voxel.
    fn multiply<S: Simd>(simd: S, left: &[[Self; LANES]], right: &[[Self; LANES]], out: &mut Tile<Self>);
}

/// The same sums without vectors.
fn plain<T: Real>(left: &[[T; LANES]], right: &[[T; LANES]], out: &mut Tile<T>) {
    for (a, b) in left.iter().zip(right) {
        for (line, &a) in out.iter_mut().zip(a) {
            line.iter_mut().zip(b).for_each(|(sum, &b)| *sum = a.fma(b, *sum));
        }
    }
}

macro_rules! real {
    ($type:ident, $vector:ident, $lanes:ident, $splat:ident, $fma:ident, $cast:ident, $cast_mut:ident, $share:expr, $micro:ident) => {
        /// `R` rows x `C` vectors of the tile, from row `ROW` and vector `COLUMN`.
        #[inline(always)]
        fn $micro<S: Simd, const R: usize, const C: usize, const ROW: usize, const COLUMN: usize>(
            simd: S,
            left: &[[$type; LANES]],
            right: &[[$type; LANES]],
            out: &mut Tile<$type>,
        ) {
            let mut sums = [[simd.$splat(0.0); C]; R];
            for r in 0..R {
                sums[r].copy_from_slice(&S::$cast(out[ROW + r].as_slice()).0[COLUMN..COLUMN + C]);
            }
            for (a, b) in left.iter().zip(right) {
                let b = &S::$cast(b.as_slice()).0[COLUMN..COLUMN + C];
                for r in 0..R {
                    let a = simd.$splat(a[ROW + r]);
                    for c in 0..C {
                        sums[r][c] = simd.$fma(a, b[c], sums[r][c]);
                    }
                }
            }
            for r in 0..R {
                let out = S::$cast_mut(out[ROW + r].as_mut_slice()).0;
                for c in 0..C {
                    out[COLUMN + c] = sums[r][c];
                }
            }
        }

        impl Real for $type {
            const LEAST_SHARE: f64 = $share;

            #[inline(always)]
            fn of(value: f32) -> Self {
                $type::from(value)
            }

            #[inline(always)]
            fn narrow(value: f64) -> Self {
                value as $type
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn fma(self, factor: Self, addend: Self) -> Self {
                self.mul_add(factor, addend)
            }

            #[inline(always)]
            fn multiply<S: Simd>(
                simd: S,
                left: &[[Self; LANES]],
                right: &[[Self; LANES]],
                out: &mut Tile<Self>,
            ) {
                // Twelve sums, two vectors of the right side and one number of the left fill 16 registers.
                match S::$lanes {
                    16 => $micro::<S, 16, 1, 0, 0>(simd, left, right, out),
                    8 => {
                        $micro::<S, 6, 2, 0, 0>(simd, left, right, out);
                        $micro::<S, 6, 2, 6, 0>(simd, left, right, out);
                        $micro::<S, 4, 2, 12, 0>(simd, left, right, out);
                    }
                    4 => {
                        $micro::<S, 6, 2, 0, 0>(simd, left, right, out);
                        $micro::<S, 6, 2, 6, 0>(simd, left, right, out);
                        $micro::<S, 4, 2, 12, 0>(simd, left, right, out);
                        $micro::<S, 6, 2, 0, 2>(simd, left, right, out);
                        $micro::<S, 6, 2, 6, 2>(simd, left, right, out);
                        $micro::<S, 4, 2, 12, 2>(simd, left, right, out);
                    }
                    _ => plain(left, right, out),
                }
            }
        }
    };
}

real!(f32, f32s, F32_LANES, splat_f32s, mul_add_f32s, as_simd_f32s, as_mut_simd_f32s, 1e-4, micro_f32);
real!(f64, f64s, F64_LANES, splat_f64s, mul_add_f64s, as_simd_f64s, as_mut_simd_f64s, 1e-26, micro_f64);
