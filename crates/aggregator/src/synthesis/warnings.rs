//! What a reader must be warned of before the images are shown to anybody.

use ndarray::{ArrayView4, Axis};
use ventral_plan::SynthesisSpec;

use super::collect::Set;
use crate::picture::{number, two};

/// Images whose pixels correlate by so much look the same.
const ALIKE: f64 = 0.95;
/// A spread of a layer's similarities below this share of the floor cannot be measured in a brain.
const SPREAD_SHARE: f64 = 0.5;
/// Most names in one warning.
const MAX_NAMED: usize = 8;

/// The warnings about a set.
pub(super) fn warnings(spec: &SynthesisSpec, set: &Set) -> Vec<String> {
    let found = [irreducible(set), flat(spec, set), alike(set), few(set), unusable(set), blank(set)];
    found.into_iter().flatten().collect()
}

fn irreducible(set: &Set) -> Option<String> {
    let name = |layer: usize| format!("`{}`", set.layers[layer]);
    let pairs =
        set.irreducible.iter().map(|[first, second]| format!("{} and {}", name(*first), name(*second)));
    let pairs = named(pairs.collect())?;
    Some(format!(
        "Layers that no image can tell apart, as one follows from the other: {pairs}. Leave one of them out under [layers]."
    ))
}

fn flat(spec: &SynthesisSpec, set: &Set) -> Option<String> {
    let least = SPREAD_SHARE * spec.objective.spread_floor;
    let flat = set.layers.iter().zip(&set.after.pearson.sd).filter(|(_, sd)| **sd < least);
    let layers = named(flat.map(|(layer, sd)| format!("`{layer}` {}", number(*sd))).collect())?;
    Some(format!(
        "Layers in which all pairs of images are nearly equally alike (spread of the similarities below {}): {layers}. Such a fingerprint \
         can hardly be found in a brain; raise synthesis.objective.spread or take more steps.",
        number(least)
    ))
}

fn alike(set: &Set) -> Option<String> {
    let pairs = alike_pairs(set.images.view());
    let words = |(first, second, r): &(usize, usize, f64)| {
        format!("{:02} and {:02} (r = {})", first + 1, second + 1, two(*r))
    };
    let pairs = named(pairs.iter().map(words).collect())?;
    Some(format!(
        "Images that look alike, pixel by pixel: {pairs}. People will confuse them; use another seed."
    ))
}

fn few(set: &Set) -> Option<String> {
    let (images, layers) = (set.images.dim().0, set.layers.len());
    (images < layers + 2).then(|| {
        format!(
            "{images} images have {} pairs, which is little for {layers} layers: use at least {} images.",
            images * (images - 1) / 2,
            layers + 2
        )
    })
}

fn unusable(set: &Set) -> Option<String> {
    let reasons = set.restarts.iter().filter_map(|restart| {
        let reason = restart.values.as_ref().err()?;
        Some(format!("seed {}: {reason}", restart.seed))
    });
    Some(format!("Restarts that have no value: {}.", named(reasons.collect())?))
}

fn blank(set: &Set) -> Option<String> {
    let pool = set.natural.as_ref()?;
    Some(format!(
        "Natural images of {} that are blank to a layer (all its units have the same activation) were left out of the comparison: {}.",
        pool.identifier,
        named(pool.blank.clone())?
    ))
}

/// "a; b; c and 4 more"; none of nothing.
fn named(all: Vec<String>) -> Option<String> {
    let more = all.len().saturating_sub(MAX_NAMED);
    let mut text = all.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    (!all.is_empty()).then_some(text)
}

/// Pairs of images whose pixels are the same, or correlate by at least [`ALIKE`]. Exact but for the last division.
fn alike_pairs(images: ArrayView4<'_, u8>) -> Vec<(usize, usize, f64)> {
    let pixels: Vec<Vec<u8>> =
        images.axis_iter(Axis(0)).map(|image| image.iter().copied().collect()).collect();
    let product = |a: &[u8], b: &[u8]| {
        a.iter().zip(b).map(|(&a, &b)| u64::from(u32::from(a) * u32::from(b))).sum::<u64>()
    };
    let sums: Vec<u64> = pixels.iter().map(|image| image.iter().map(|&v| u64::from(v)).sum()).collect();
    // Whole numbers beyond what f64 holds, whose difference is small.
    let covariance = |i: usize, j: usize| {
        let products = i128::from(product(&pixels[i], &pixels[j])) * pixels[i].len() as i128;
        (products - i128::from(sums[i]) * i128::from(sums[j])) as f64
    };
    let spread: Vec<f64> = (0..pixels.len()).map(|i| covariance(i, i).sqrt()).collect();
    let mut pairs = Vec::new();
    for first in 0..pixels.len() {
        for second in first + 1..pixels.len() {
            // Plain images have no correlation, but may be the same.
            let same = pixels[first] == pixels[second];
            let r = if same { 1.0 } else { covariance(first, second) / (spread[first] * spread[second]) };
            if r >= ALIKE {
                pairs.push((first, second, r.min(1.0)));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::alike_pairs;

    #[test]
    fn small_differences_on_bright_large_images_are_not_lost() {
        // Two images of 254 and 255 that have nothing to do with each other, and a third that is the first but for one pixel:
        // the products differ from each other by less than f64 holds of them.
        let at = |image: usize, row: usize, column: usize| match image {
            0 => row % 2,
            1 => column % 2,
            _ => (row + usize::from(row == 0 && column == 0)) % 2,
        };
        let images = Array4::from_shape_fn((3, 2048, 2048, 1), |(i, y, x, _)| 254 + at(i, y, x) as u8);
        let found = alike_pairs(images.view());
        let [(0, 2, r)] = found[..] else { panic!("{found:?}") };
        let pixels = f64::from(2048 * 2048);
        // Both variances and the covariance, by hand: of 0 and 1 half and half, one pixel turned.
        let (half, turned) = (0.5, 1.0 / pixels);
        let share = half + turned;
        let expected = (half - half * share) / (0.5 * (share * (1.0 - share)).sqrt());
        assert!((r - expected).abs() < 1e-14, "{r} {expected}");
    }
}
