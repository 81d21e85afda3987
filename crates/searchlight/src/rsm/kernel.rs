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
    /// A variance below this share of the mean square is rounding.
    const CONSTANT_SHARE: f64;
    fn of(value: f32) -> Self;
    fn narrow(value: f64) -> Self;
    fn wide(self) -> f64;
    fn fma(self, factor: Self, addend: Self) -> Self;
    /// Adds to `out`; `left` and `right` have one row of 16 images per voxel.
    fn multiply<S: Simd>(simd: S, left: &[[Self; LANES]], right: &[[Self; LANES]], out: &mut Tile<Self>);
}

macro_rules! real {
    ($type:ident, $vector:ident, $lanes:ident, $splat:ident, $fma:ident, $cast:ident, $cast_mut:ident, $share:expr, $micro:ident) => {
        /// `R` rows x `C` vectors of the tile, from row `row` and vector `column`.
        #[inline(always)]
        fn $micro<S: Simd, const R: usize, const C: usize>(
            simd: S,
            left: &[[$type; LANES]],
            right: &[[$type; LANES]],
            (row, column): (usize, usize),
            out: &mut Tile<$type>,
        ) {
            let mut sums = [[simd.$splat(0.0); C]; R];
            for r in 0..R {
                sums[r].copy_from_slice(&S::$cast(out[row + r].as_slice()).0[column..column + C]);
            }
            for (a, b) in left.iter().zip(right) {
                let b = &S::$cast(b.as_slice()).0[column..column + C];
                for r in 0..R {
                    let a = simd.$splat(a[row + r]);
                    for c in 0..C {
                        sums[r][c] = simd.$fma(a, b[c], sums[r][c]);
                    }
                }
            }
            for r in 0..R {
                let out = S::$cast_mut(out[row + r].as_mut_slice()).0;
                for c in 0..C {
                    out[column + c] = sums[r][c];
                }
            }
        }

        impl Real for $type {
            const CONSTANT_SHARE: f64 = $share;

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
                match S::$lanes {
                    16 => $micro::<S, 16, 1>(simd, left, right, (0, 0), out),
                    8 => (0..LANES)
                        .step_by(4)
                        .for_each(|row| $micro::<S, 4, 2>(simd, left, right, (row, 0), out)),
                    lanes => {
                        let vectors = LANES / lanes;
                        for row in (0..LANES).step_by(4) {
                            for column in (0..vectors).step_by(2) {
                                $micro::<S, 4, 2>(simd, left, right, (row, column), out);
                            }
                        }
                    }
                }
            }
        }
    };
}

real!(f32, f32s, F32_LANES, splat_f32s, mul_add_f32s, as_simd_f32s, as_mut_simd_f32s, 1e-12, micro_f32);
real!(f64, f64s, F64_LANES, splat_f64s, mul_add_f64s, as_simd_f64s, as_mut_simd_f64s, 1e-26, micro_f64);
