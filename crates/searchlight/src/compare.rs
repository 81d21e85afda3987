//! One brain RSM against all layers.

use crate::layers::{Comparison, LayerRsms};
use crate::patterns::LANES;
use crate::rank::Ranker;
use crate::rsm::kernel::Real;

/// Fisher's z of a correlation; the correlation is clipped to ±(1 - 1e-7) first.
#[must_use]
pub fn fisher_z(r: f64) -> f64 {
    r.clamp(-(1.0 - 1e-7), 1.0 - 1e-7).atanh()
}

/// The correlation of a Fisher z.
#[must_use]
pub fn inverse_fisher_z(z: f64) -> f64 {
    z.tanh()
}

/// Terms that are added in the narrow type before the sum goes on in f64.
const RUN: usize = 1024;

/// Weights of the layers in the number type of the brain RSM.
pub(crate) trait Weights: Real {
    fn weights(layers: &LayerRsms) -> &[Self];
}

impl Weights for f32 {
    fn weights(layers: &LayerRsms) -> &[Self] {
        &layers.narrow
    }
}

impl Weights for f64 {
    fn weights(layers: &LayerRsms) -> &[Self] {
        &layers.wide
    }
}

#[inline(always)]
fn sum_lanes<T: Real>(lanes: [T; LANES]) -> f64 {
    lanes.iter().map(|value| value.wide()).sum()
}

/// Sums over runs of up to [`RUN`] values of lanes; the slices have a multiple of 16 values.
#[inline(always)]
fn sum<T: Real>(values: &[T]) -> f64 {
    let mut total = 0.0;
    for run in values.chunks(RUN) {
        let mut lanes = [T::default(); LANES];
        for chunk in run.as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                lanes[lane] += chunk[lane];
            }
        }
        total += sum_lanes(lanes);
    }
    total
}

/// `N` dot products at once.
#[inline(always)]
fn dots<T: Real, const N: usize>(values: &[T], weights: [&[T]; N]) -> [f64; N] {
    let mut totals = [0.0; N];
    for (start, run) in (0..values.len()).step_by(RUN).zip(values.chunks(RUN)) {
        let mut lanes = [[T::default(); LANES]; N];
        let rows: [&[[T; LANES]]; N] =
            std::array::from_fn(|n| weights[n][start..start + run.len()].as_chunks::<LANES>().0);
        for (k, chunk) in run.as_chunks::<LANES>().0.iter().enumerate() {
            for n in 0..N {
                let row = &rows[n][k];
                for lane in 0..LANES {
                    lanes[n][lane] = chunk[lane].fma(row[lane], lanes[n][lane]);
                }
            }
        }
        for n in 0..N {
            totals[n] += sum_lanes(lanes[n]);
        }
    }
    totals
}

/// Makes a brain RSM what the comparison needs (`values` padded with zeros to a multiple of 16, `pairs` of them real):
/// ranked, centred. Returns its norm; `None` where it does not vary enough for the number type.
#[inline(always)]
pub(crate) fn prepare<T: Real>(
    values: &mut [T],
    pairs: usize,
    comparison: Comparison,
    ranks: &mut Ranks,
) -> Option<f64> {
    if comparison.ranks() {
        ranks.wide.clear();
        ranks.wide.extend(values[..pairs].iter().map(|value| value.wide()));
        ranks.ranker.rank(&mut ranks.wide);
        values.iter_mut().zip(&ranks.wide).for_each(|(slot, &rank)| *slot = T::narrow(rank));
    }
    let [raw] = dots(values, [values]);
    let mut square = raw;
    if comparison != Comparison::Cosine {
        let mean = T::narrow(sum(values) / pairs as f64);
        values[..pairs].iter_mut().for_each(|value| *value = *value - mean);
        let [centred] = dots(values, [values]);
        // What rounding of the mean has left of it.
        let rest = sum(values);
        square = centred - rest * rest / pairs as f64;
    }
    (square > T::LEAST_SHARE * raw && square > 0.0).then(|| square.sqrt())
}

/// Memory for ranking.
#[derive(Default)]
pub(crate) struct Ranks {
    pub(crate) ranker: Ranker,
    wide: Vec<f64>,
}

/// Compares a brain RSM with all layers; false, and NaN everywhere, where it does not vary enough for the number type.
///
/// `values` has the layers' padded length; what is behind the pairs is zero and stays so.
#[inline(always)]
pub(crate) fn compare<T: Weights>(
    values: &mut [T],
    layers: &LayerRsms,
    ranks: &mut Ranks,
    out: &mut [f64],
) -> bool {
    let pairs = crate::rsm::pairs(layers.images());
    let comparison = layers.comparison();
    if comparison == Comparison::TauA {
        return concordance(&values[..pairs], layers, ranks, out);
    }
    let Some(norm) = prepare(values, pairs, comparison, ranks) else {
        out.fill(f64::NAN);
        return false;
    };
    // Weights of rho-a are not unit vectors, its brain ranks are not divided by their norm.
    let scale = if comparison == Comparison::RhoA { 1.0 } else { 1.0 / norm };
    let weights = T::weights(layers);
    let row = |layer: usize| &weights[layer * layers.padded()..(layer + 1) * layers.padded()];
    let mut layer = 0;
    while layer + 4 <= out.len() {
        let four = dots(values, std::array::from_fn::<_, 4, _>(|n| row(layer + n)));
        out[layer..layer + 4].copy_from_slice(&four);
        layer += 4;
    }
    while layer < out.len() {
        [out[layer]] = dots(values, [row(layer)]);
        layer += 1;
    }
    let limited = |value: f64| (value * scale).clamp(-1.0, 1.0);
    out.iter_mut().for_each(|value| *value = limited(*value));
    true
}

#[inline(always)]
fn concordance<T: Real>(values: &[T], layers: &LayerRsms, ranks: &mut Ranks, out: &mut [f64]) -> bool {
    ranks.wide.clear();
    ranks.wide.extend(values.iter().map(|value| value.wide()));
    if ranks.wide.iter().all(|value| *value == ranks.wide[0]) {
        out.fill(f64::NAN);
        return false;
    }
    let all = values.len() as f64 * (values.len() as f64 - 1.0) / 2.0;
    ranks
        .ranker
        .concordance(&ranks.wide, &layers.dense, |layer, difference| out[layer] = difference as f64 / all);
    true
}
