//! The sign flips of a group, shared by all voxels, layers and machines.

use rand_mt::Mt64;

use super::check::{at_least, at_most};
use super::t::check_subjects;
use crate::Error;

/// Up to this many subjects all flips are made, beyond it they are drawn.
pub const MAX_EXHAUSTIVE_SUBJECTS: usize = 13;
/// Draws unless another number is asked for.
pub const DEFAULT_DRAWS: usize = 10_000;
/// Most draws.
pub const MAX_DRAWS: usize = 1_000_000;
/// Subjects whose signs make up one code.
pub(super) const BLOCK: usize = 5;

/// Signs for every subject, many times over; the first time nobody's is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flips {
    subjects: usize,
    exhaustive: bool,
    /// Flips x blocks: bit i of block b says whether subject [`BLOCK`] b + i is flipped.
    codes: Vec<u8>,
}

impl Flips {
    /// All 2^N flips for up to [`MAX_EXHAUSTIVE_SUBJECTS`], else the identity and `draws` - 1 random ones from `seed`.
    ///
    /// # Errors
    /// Too few or many subjects; fewer than one or more than [`MAX_DRAWS`] draws.
    pub fn new(subjects: usize, draws: usize, seed: u64) -> Result<Self, Error> {
        if subjects <= MAX_EXHAUSTIVE_SUBJECTS {
            Self::all(subjects)
        } else {
            Self::random(subjects, draws, seed)
        }
    }

    /// All 2^N flips if they are no more than `limit`, else the identity and `limit` - 1 random ones from `seed`.
    ///
    /// # Errors
    /// As [`Flips::new`].
    pub fn at_most(subjects: usize, limit: usize, seed: u64) -> Result<Self, Error> {
        let all = subjects <= MAX_EXHAUSTIVE_SUBJECTS && 1 << subjects <= limit;
        if all { Self::all(subjects) } else { Self::random(subjects, limit, seed) }
    }

    /// All 2^N flips; the k-th changes the subjects whose bit in k is set, so the second half mirrors the first.
    ///
    /// # Errors
    /// Fewer than two subjects or more than [`MAX_EXHAUSTIVE_SUBJECTS`].
    pub fn all(subjects: usize) -> Result<Self, Error> {
        check_subjects(subjects)?;
        at_most("subjects for all sign flips", MAX_EXHAUSTIVE_SUBJECTS, subjects)?;
        let blocks = subjects.div_ceil(BLOCK);
        let code = |flip: usize, block: usize| (flip >> (BLOCK * block) & ((1 << BLOCK) - 1)) as u8;
        let codes = (0..1usize << subjects).flat_map(|flip| (0..blocks).map(move |block| code(flip, block)));
        Ok(Self { subjects, exhaustive: true, codes: codes.collect() })
    }

    /// The identity and `draws` - 1 random flips (64-bit Mersenne Twister, one draw per flip and block).
    ///
    /// # Errors
    /// Too few or many subjects; fewer than one or more than [`MAX_DRAWS`] draws.
    pub fn random(subjects: usize, draws: usize, seed: u64) -> Result<Self, Error> {
        check_subjects(subjects)?;
        at_least("sign flips", 1, draws)?;
        at_most("sign flips", MAX_DRAWS, draws)?;
        let blocks = subjects.div_ceil(BLOCK);
        let mut random = Mt64::new(seed);
        let codes = (0..draws * blocks).map(|i| {
            let size = BLOCK.min(subjects - BLOCK * (i % blocks));
            let bits = (random.next_u64() >> (64 - size)) as u8;
            if i < blocks { 0 } else { bits }
        });
        Ok(Self { subjects, exhaustive: false, codes: codes.collect() })
    }

    /// Number of flips, the identity included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.codes.len() / self.blocks()
    }

    /// Number of subjects.
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.subjects
    }

    /// Whether these are all flips there are.
    #[must_use]
    pub fn exhaustive(&self) -> bool {
        self.exhaustive
    }

    /// The signs of one flip: true where a subject's is changed.
    ///
    /// # Panics
    /// If there is no such flip.
    #[must_use]
    pub fn changed(&self, flip: usize) -> Vec<bool> {
        let codes = self.codes(flip);
        (0..self.subjects).map(|subject| codes[subject / BLOCK] >> (subject % BLOCK) & 1 == 1).collect()
    }

    pub(super) fn blocks(&self) -> usize {
        self.subjects.div_ceil(BLOCK)
    }

    pub(super) fn codes(&self, flip: usize) -> &[u8] {
        &self.codes[flip * self.blocks()..(flip + 1) * self.blocks()]
    }

    /// Flips that a symmetric statistic needs: the mirrored half of all flips gives the same values again.
    pub(super) fn distinct(&self, symmetric: bool) -> usize {
        if self.exhaustive && symmetric { self.count() / 2 } else { self.count() }
    }
}
