//! The similarity of all pairs of images within one neighbourhood.

pub(crate) mod kernel;

use pulp::Simd;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::patterns::{LANES, Patterns};
use kernel::{Real, Tile};

/// How alike two images' patterns are. Every kind is a similarity: larger is more alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RsmKind {
    /// Pearson correlation over the voxels of the neighbourhood.
    #[default]
    Pearson,
    /// Cosine of the patterns as they are.
    Cosine,
    /// Minus the Euclidean distance.
    Euclidean,
    /// Minus the cross-validated squared distance per voxel, over all pairs of different runs: zero on average where
    /// images do not differ. Divide voxels by their noise first ([`crate::Preparation::noise_normalisation`]) for the
    /// diagonal form.
    Crossnobis,
}

impl RsmKind {
    /// Fewest voxels for which the RSM means anything.
    #[must_use]
    pub fn least_voxels(self) -> usize {
        match self {
            Self::Pearson => 2,
            _ => 1,
        }
    }

    /// That the patterns have the runs that this kind needs: several for crossnobis, one otherwise.
    ///
    /// # Errors
    /// [`Error::TooFew`] or [`Error::TooMany`].
    pub fn check_runs(self, runs: usize) -> Result<(), Error> {
        match self {
            Self::Crossnobis if runs < 2 => {
                Err(Error::TooFew { what: "runs for crossnobis", needed: 2, found: runs })
            }
            Self::Pearson | Self::Cosine | Self::Euclidean if runs > 1 => Err(Error::TooMany {
                what: "runs (average them before this kind of RSM)",
                limit: 1,
                found: runs,
            }),
            _ => Ok(()),
        }
    }
}

/// Number of image pairs.
pub(crate) fn pairs(images: usize) -> usize {
    images * images.saturating_sub(1) / 2
}

/// The RSM of one neighbourhood after another, in the same memory.
pub(crate) struct LocalRsm<T> {
    kind: RsmKind,
    /// Block of 16 images x voxel x image.
    right: Vec<[T; LANES]>,
    /// The same with the sign of each term, where terms have signs.
    left: Vec<[T; LANES]>,
    /// Each image's product with itself, then its scale.
    diagonal: Vec<[T; LANES]>,
    /// Strict upper triangle, row by row.
    pub(crate) pairs: Vec<T>,
}

impl<T: Real> LocalRsm<T> {
    pub(crate) fn new(kind: RsmKind, images: usize, padded_pairs: usize) -> Self {
        let blocks = images.div_ceil(LANES);
        Self {
            kind,
            right: Vec::new(),
            left: Vec::new(),
            diagonal: vec![[T::default(); LANES]; blocks],
            pairs: vec![T::default(); padded_pairs.max(pairs(images))],
        }
    }

    /// Fills `pairs`; false if an image's pattern has zero norm.
    #[inline(always)]
    pub(crate) fn compute<S: Simd>(&mut self, simd: S, patterns: &Patterns, members: &[u32]) -> bool {
        let images = patterns.images();
        let terms = self.gather(patterns, members);
        if !self.scales(images, members.len(), patterns.runs()) {
            return false;
        }
        let signed = self.kind == RsmKind::Crossnobis;
        for (row, right_rows) in self.right.chunks_exact(terms).enumerate() {
            let left = if signed { &self.left[row * terms..(row + 1) * terms] } else { right_rows };
            for (offset, right) in self.right[row * terms..].chunks_exact(terms).enumerate() {
                let column = row + offset;
                let mut tile = [[T::default(); LANES]; LANES];
                T::multiply(simd, left, right, &mut tile);
                finish(self.kind, &mut tile, &self.diagonal[row], &self.diagonal[column]);
                place(&tile, row * LANES, column * LANES, images, &mut self.pairs);
            }
        }
        true
    }

    /// Lays the members' responses out block by block; returns the number of terms of each product.
    #[inline(always)]
    fn gather(&mut self, patterns: &Patterns, members: &[u32]) -> usize {
        let terms = if self.kind == RsmKind::Crossnobis {
            members.len() * (patterns.runs() + 1)
        } else {
            members.len()
        };
        let blocks = patterns.stride() / LANES;
        self.right.resize(blocks * terms, [T::default(); LANES]);
        if self.kind == RsmKind::Crossnobis {
            self.left.resize(blocks * terms, [T::default(); LANES]);
        }
        for block in 0..blocks {
            let out = &mut self.right[block * terms..(block + 1) * terms];
            self.diagonal[block] = match self.kind {
                RsmKind::Pearson => centred(patterns, members, block, out),
                RsmKind::Cosine => plain(patterns, members, block, out),
                RsmKind::Euclidean => differences(patterns, members, block, out),
                RsmKind::Crossnobis => {
                    let left = &mut self.left[block * terms..(block + 1) * terms];
                    signed_runs(patterns, members, block, left, out)
                }
            };
        }
        terms
    }

    /// Turns the diagonal into what [`finish`] needs.
    #[inline(always)]
    fn scales(&mut self, images: usize, voxels: usize, runs: usize) -> bool {
        let diagonal = &mut self.diagonal;
        match self.kind {
            RsmKind::Pearson | RsmKind::Cosine => {
                let own = diagonal.as_flattened_mut();
                if own[..images].iter().any(|&square| square <= T::default()) {
                    return false;
                }
                own[..images].iter_mut().for_each(|square| *square = T::narrow(1.0 / square.wide().sqrt()));
            }
            RsmKind::Euclidean => {}
            RsmKind::Crossnobis => {
                // Every product is divided by the same number: done on one side here, on the other by `finish`.
                let count = (voxels * runs * (runs - 1)) as f64;
                let scale = T::narrow(1.0 / count);
                diagonal.as_flattened_mut().iter_mut().for_each(|square| *square = *square * scale);
                self.right.as_flattened_mut().iter_mut().for_each(|value| *value = *value * scale);
            }
        }
        true
    }
}

#[inline(always)]
fn lanes<T: Real>(patterns: &Patterns, voxel: u32, run: usize, block: usize) -> [T; LANES] {
    let row = &patterns.padded(voxel as usize, run)[block * LANES..(block + 1) * LANES];
    std::array::from_fn(|lane| T::of(row[lane]))
}

/// Each image's pattern minus its mean over the neighbourhood; returns the squared norms.
#[inline(always)]
fn centred<T: Real>(
    patterns: &Patterns,
    members: &[u32],
    block: usize,
    out: &mut [[T; LANES]],
) -> [T; LANES] {
    let pivot = lanes::<T>(patterns, members[0], 0, block);
    let mut mean = [T::default(); LANES];
    for (slot, &member) in out.iter_mut().zip(members) {
        let row = lanes::<T>(patterns, member, 0, block);
        for lane in 0..LANES {
            slot[lane] = row[lane] - pivot[lane];
            mean[lane] += slot[lane];
        }
    }
    let share = T::narrow(1.0 / members.len() as f64);
    mean.iter_mut().for_each(|sum| *sum = *sum * share);
    let mut squares = [T::default(); LANES];
    for slot in out.iter_mut() {
        for lane in 0..LANES {
            slot[lane] = slot[lane] - mean[lane];
            squares[lane] = slot[lane].fma(slot[lane], squares[lane]);
        }
    }
    squares
}

#[inline(always)]
fn plain<T: Real>(patterns: &Patterns, members: &[u32], block: usize, out: &mut [[T; LANES]]) -> [T; LANES] {
    let mut squares = [T::default(); LANES];
    for (slot, &member) in out.iter_mut().zip(members) {
        *slot = lanes(patterns, member, 0, block);
        for lane in 0..LANES {
            squares[lane] = slot[lane].fma(slot[lane], squares[lane]);
        }
    }
    squares
}

/// Each image minus the first one: the same distances from smaller numbers.
#[inline(always)]
fn differences<T: Real>(
    patterns: &Patterns,
    members: &[u32],
    block: usize,
    out: &mut [[T; LANES]],
) -> [T; LANES] {
    let mut squares = [T::default(); LANES];
    for (slot, &member) in out.iter_mut().zip(members) {
        let first = T::of(patterns.padded(member as usize, 0)[0]);
        let row = lanes::<T>(patterns, member, 0, block);
        for lane in 0..LANES {
            slot[lane] = row[lane] - first;
            squares[lane] = slot[lane].fma(slot[lane], squares[lane]);
        }
    }
    squares
}

/// Sum over runs with sign +, then each run with sign -: their products add up to the products of all pairs of different runs.
#[inline(always)]
fn signed_runs<T: Real>(
    patterns: &Patterns,
    members: &[u32],
    block: usize,
    left: &mut [[T; LANES]],
    right: &mut [[T; LANES]],
) -> [T; LANES] {
    let mut squares = [T::default(); LANES];
    let (sums, runs) = right.split_at_mut(members.len());
    sums.iter_mut().for_each(|slot| *slot = [T::default(); LANES]);
    for run in 0..patterns.runs() {
        let out = &mut runs[run * members.len()..(run + 1) * members.len()];
        for ((slot, sum), &member) in out.iter_mut().zip(sums.iter_mut()).zip(members) {
            let first = T::of(patterns.padded(member as usize, run)[0]);
            let row = lanes::<T>(patterns, member, run, block);
            for lane in 0..LANES {
                slot[lane] = row[lane] - first;
                sum[lane] += slot[lane];
            }
        }
    }
    for (term, (left, right)) in left.iter_mut().zip(right.iter()).enumerate() {
        *left = if term < members.len() { *right } else { right.map(|value| -value) };
        for lane in 0..LANES {
            squares[lane] = left[lane].fma(right[lane], squares[lane]);
        }
    }
    squares
}

/// Products to similarities.
#[inline(always)]
fn finish<T: Real>(kind: RsmKind, tile: &mut Tile<T>, rows: &[T; LANES], columns: &[T; LANES]) {
    match kind {
        RsmKind::Pearson | RsmKind::Cosine => {
            for (line, &row) in tile.iter_mut().zip(rows) {
                for lane in 0..LANES {
                    line[lane] = line[lane] * row * columns[lane];
                }
            }
        }
        RsmKind::Euclidean | RsmKind::Crossnobis => {
            for (line, &row) in tile.iter_mut().zip(rows) {
                for lane in 0..LANES {
                    let square = (row + columns[lane] - (line[lane] + line[lane])).wide();
                    let distance = if kind == RsmKind::Euclidean { square.max(0.0).sqrt() } else { square };
                    line[lane] = T::narrow(-distance);
                }
            }
        }
    }
}

/// Copies a tile's entries above the diagonal to their places in the triangle.
#[inline(always)]
fn place<T: Real>(tile: &Tile<T>, row: usize, column: usize, images: usize, pairs: &mut [T]) {
    let end = LANES.min(images - column);
    for (r, line) in tile.iter().enumerate().take(images - row) {
        let i = row + r;
        let begin = (i + 1).saturating_sub(column);
        if begin >= end {
            continue;
        }
        let start = i * (2 * images - i - 1) / 2 + column + begin - i - 1;
        if begin == 0 && end == LANES {
            pairs[start..start + LANES].copy_from_slice(line);
        } else {
            pairs[start..start + end - begin].copy_from_slice(&line[begin..end]);
        }
    }
}
