//! Average ranks, and Kendall's count of discordant pairs.

/// Values sorted ascending with their positions, in memory that is used again.
#[derive(Default)]
pub(crate) struct Ranker {
    sorted: Vec<(u64, u32)>,
    other: Vec<(u64, u32)>,
    ranks: Vec<u32>,
    merged: Vec<u32>,
}

/// Bits that sort like the number; 0 and -0 are one number.
#[inline(always)]
fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;
/// Below this, comparison sorting is faster than counting.
const SMALL: usize = 512;

impl Ranker {
    /// Sorts finite values.
    fn sort(&mut self, values: &[f64]) {
        self.sorted.clear();
        self.sorted.extend(values.iter().enumerate().map(|(position, &value)| (key(value), position as u32)));
        if values.len() < SMALL {
            self.sorted.sort_unstable();
            return;
        }
        self.other.resize(values.len(), (0, 0));
        // Three digits cover sign, exponent and 21 bits of the mantissa; the few values alike in these come last.
        for shift in [31, 31 + DIGIT_BITS, 31 + 2 * DIGIT_BITS] {
            let digit = |key: u64| (key >> shift) as usize & (DIGITS - 1);
            let mut places = [0u32; DIGITS];
            self.sorted.iter().for_each(|&(key, _)| places[digit(key)] += 1);
            let mut next = 0;
            places.iter_mut().for_each(|place| next += std::mem::replace(place, next));
            for &entry in &self.sorted {
                let place = &mut places[digit(entry.0)];
                self.other[*place as usize] = entry;
                *place += 1;
            }
            std::mem::swap(&mut self.sorted, &mut self.other);
        }
        self.finish_sort();
    }

    fn finish_sort(&mut self) {
        let mut moves = 0;
        for end in 1..self.sorted.len() {
            let entry = self.sorted[end];
            let mut place = end;
            while place > 0 && self.sorted[place - 1] > entry {
                self.sorted[place] = self.sorted[place - 1];
                place -= 1;
            }
            self.sorted[place] = entry;
            moves += end - place;
            if moves > 8 * self.sorted.len() {
                self.sorted.sort_unstable();
                return;
            }
        }
    }

    /// Replaces finite values by their ranks 1.., equal ones by the mean of theirs.
    pub(crate) fn rank(&mut self, values: &mut [f64]) {
        self.sort(values);
        let mut start = 0;
        while start < self.sorted.len() {
            let end = self.group(start);
            let rank = (start + end + 1) as f64 / 2.0;
            self.sorted[start..end].iter().for_each(|&(_, position)| values[position as usize] = rank);
            start = end;
        }
    }

    /// Ranks 0.. in which equal values share one, and the number of pairs of equal values.
    pub(crate) fn dense(&mut self, values: &[f64]) -> (Vec<u32>, u64) {
        self.sort(values);
        let mut ranks = vec![0; values.len()];
        let (mut start, mut rank, mut ties) = (0, 0, 0);
        while start < self.sorted.len() {
            let end = self.group(start);
            self.sorted[start..end].iter().for_each(|&(_, position)| ranks[position as usize] = rank);
            ties += pairs_of(end - start);
            rank += 1;
            start = end;
        }
        (ranks, ties)
    }

    fn group(&self, start: usize) -> usize {
        let same = self.sorted[start..].iter().take_while(|entry| entry.0 == self.sorted[start].0).count();
        start + same
    }

    /// Concordant minus discordant pairs of `values` with each of `layers` (dense ranks, pairs of equal ranks).
    pub(crate) fn concordance(
        &mut self,
        values: &[f64],
        layers: &[(Vec<u32>, u64)],
        mut each: impl FnMut(usize, i64),
    ) {
        self.sort(values);
        let all = pairs_of(values.len());
        for (layer, (ranks, layer_ties)) in layers.iter().enumerate() {
            self.ranks.clear();
            self.ranks.extend(self.sorted.iter().map(|&(_, position)| ranks[position as usize]));
            let (mut ties, mut both, mut start) = (0, 0, 0);
            while start < self.sorted.len() {
                let end = self.group(start);
                if end - start > 1 {
                    ties += pairs_of(end - start);
                    self.ranks[start..end].sort_unstable();
                    both += self.ranks[start..end]
                        .chunk_by(|a, b| a == b)
                        .map(|same| pairs_of(same.len()))
                        .sum::<u64>();
                }
                start = end;
            }
            let discordant = inversions(&mut self.ranks, &mut self.merged);
            each(layer, (all + both) as i64 - (ties + layer_ties) as i64 - 2 * discordant as i64);
        }
    }
}

fn pairs_of(count: usize) -> u64 {
    let count = count as u64;
    count * count.saturating_sub(1) / 2
}

/// Pairs that stand in the wrong order; sorts the list by merging.
fn inversions(list: &mut Vec<u32>, merged: &mut Vec<u32>) -> u64 {
    merged.resize(list.len(), 0);
    let mut count = 0;
    let mut width = 1;
    while width < list.len() {
        for (source, target) in list.chunks(2 * width).zip(merged.chunks_mut(2 * width)) {
            let (left, right) = source.split_at(width.min(source.len()));
            let (mut l, mut r) = (0, 0);
            for slot in target {
                if r == right.len() || (l < left.len() && left[l] <= right[r]) {
                    *slot = left[l];
                    l += 1;
                } else {
                    *slot = right[r];
                    r += 1;
                    count += (left.len() - l) as u64;
                }
            }
        }
        std::mem::swap(list, merged);
        width *= 2;
    }
    count
}
