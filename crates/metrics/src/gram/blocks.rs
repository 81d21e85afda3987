//! The lower triangle of a Gram matrix in square blocks of fixed size, so that threads share nothing and the order of
//! every sum depends on the shape alone.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatRef, Par};
use faer_ext::IntoFaer;
use ndarray::{Array2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

/// Side of a block: a multiple of the rows that the product's kernels take at a time (48 in 64 bit, 96 in 32 bit on AVX-512).
const BLOCK: usize = 192;
/// Features that a 32-bit product adds up before the sum moves to 64 bit.
const SINGLE_PRECISION_RUN: usize = 1024;

struct Block {
    row: usize,
    column: usize,
    products: Array2<f64>,
}

/// `z zᵀ`, growing tile by tile. Block (i, j) with j <= i is element i (i + 1) / 2 + j.
pub(super) struct Blocks {
    stimuli: usize,
    blocks: Vec<Block>,
}

impl Blocks {
    pub(super) fn zeros(stimuli: usize) -> Self {
        let size = |index: usize| BLOCK.min(stimuli - index * BLOCK);
        let blocks = (0..stimuli.div_ceil(BLOCK))
            .flat_map(|i| (0..=i).map(move |j| (i, j)))
            .map(|(i, j)| Block {
                row: i * BLOCK,
                column: j * BLOCK,
                products: Array2::zeros((size(i), size(j))),
            })
            .collect();
        Self { stimuli, blocks }
    }

    /// Adds the 64-bit products of `z`, row-major, stimuli x `width`.
    pub(super) fn add_f64(&mut self, z: &[f64], width: usize) {
        let z = MatRef::from_row_major_slice(z, self.stimuli, width);
        self.blocks.par_iter_mut().with_max_len(1).for_each(|b| {
            let left = z.subrows(b.row, b.products.nrows());
            let right = z.subrows(b.column, b.products.ncols());
            let products = b.products.view_mut().into_faer();
            matmul(products, Accum::Add, left, right.transpose(), 1.0, Par::Seq);
        });
    }

    /// Adds the 32-bit products of `z`, row-major, stimuli x `width`.
    pub(super) fn add_f32(&mut self, z: &[f32], width: usize) {
        let z = MatRef::from_row_major_slice(z, self.stimuli, width);
        self.blocks
            .par_iter_mut()
            .with_max_len(1)
            .for_each_init(|| Array2::zeros((BLOCK, BLOCK)), |run, b| add_runs(b, z, run.view_mut()));
    }

    /// The full symmetric matrix, stimuli x stimuli.
    pub(super) fn into_symmetric(self) -> Array2<f64> {
        let mut full = Array2::zeros((self.stimuli, self.stimuli));
        full.axis_chunks_iter_mut(Axis(0), BLOCK)
            .into_par_iter()
            .enumerate()
            .for_each(|(i, band)| self.copy_band(i, band));
        full
    }

    /// Rows `i * BLOCK ..` of the symmetric matrix.
    fn copy_band(&self, i: usize, mut band: ArrayViewMut2<'_, f64>) {
        for b in self.blocks.iter().skip(i * (i + 1) / 2).take(i) {
            let end = b.column + b.products.ncols();
            band.slice_mut(s![.., b.column..end]).assign(&b.products);
        }
        for b in &self.blocks {
            if b.column != i * BLOCK {
                continue;
            }
            let mut right = band.slice_mut(s![.., b.row..b.row + b.products.nrows()]);
            right.assign(&b.products.t());
            if b.row == b.column {
                for (row, values) in b.products.outer_iter().enumerate() {
                    right.slice_mut(s![row, ..row]).assign(&values.slice(s![..row]));
                }
            }
        }
    }
}

/// `run` is room for the 32-bit products of one block.
fn add_runs(block: &mut Block, z: MatRef<'_, f32>, run: ArrayViewMut2<'_, f32>) {
    let (rows, columns) = block.products.dim();
    let left = z.subrows(block.row, rows);
    let right = z.subrows(block.column, columns);
    let mut run = run.slice_move(s![..rows, ..columns]);
    for start in (0..z.ncols()).step_by(SINGLE_PRECISION_RUN) {
        let length = SINGLE_PRECISION_RUN.min(z.ncols() - start);
        matmul(
            run.view_mut().into_faer(),
            Accum::Replace,
            left.subcols(start, length),
            right.subcols(start, length).transpose(),
            1.0,
            Par::Seq,
        );
        block.products.zip_mut_with(&run, |sum, &x| *sum += f64::from(x));
    }
}
