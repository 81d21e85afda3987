//! The layer that a voxel answers to most.

use ndarray::{Array2, ArrayView2, Axis};

use crate::Error;
use crate::group::check::{at_least, at_most, invalid, same_size};

/// Most layers of a winner map: labels are stored in 16 bits.
pub const MAX_LABELS: usize = 10_000;

/// How maps of different layers are made comparable: residual maps of layers that resemble others are smaller by construction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Standardisation<'a> {
    /// Subtract each map's mean over voxels, divide by its standard deviation.
    #[default]
    OverVoxels,
    /// Subtract the mean and divide by the standard deviation of each layer's null distribution.
    Null {
        /// Mean per layer.
        mean: &'a [f64],
        /// Standard deviation per layer.
        sd: &'a [f64],
    },
    /// Maps are comparable already (t, z).
    None,
}

/// Maps (layers x voxels) made comparable. A map that is constant becomes NaN.
///
/// # Errors
/// [`Error::Mismatch`] if a null is not given per layer, [`Error::Invalid`] for a null without spread.
pub fn standardise(maps: ArrayView2<f64>, by: Standardisation) -> Result<Array2<f64>, Error> {
    let mut scaled = maps.to_owned();
    match by {
        Standardisation::None => {}
        Standardisation::OverVoxels => {
            for mut map in scaled.axis_iter_mut(Axis(0)) {
                let defined: Vec<f64> = map.iter().copied().filter(|v| v.is_finite()).collect();
                let n = defined.len() as f64;
                let mean = defined.iter().sum::<f64>() / n;
                let sd = (defined.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
                map.mapv_inplace(|v| if sd > 0.0 { (v - mean) / sd } else { f64::NAN });
            }
        }
        Standardisation::Null { mean, sd } => {
            same_size("means of the layers' nulls", maps.nrows(), mean.len())?;
            same_size("standard deviations of the layers' nulls", maps.nrows(), sd.len())?;
            let usable = |mean: f64, sd: f64| mean.is_finite() && sd.is_finite() && sd > 0.0;
            for (mut map, (&mean, &sd)) in scaled.axis_iter_mut(Axis(0)).zip(mean.iter().zip(sd)) {
                if !usable(mean, sd) {
                    let advice = "it must be finite with a spread above 0; use more permutations";
                    return Err(invalid("null of a layer", format!("{mean} ± {sd}"), advice));
                }
                map.mapv_inplace(|v| (v - mean) / sd);
            }
        }
    }
    Ok(scaled)
}

/// Which layer wins at each voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct WinnerMap {
    /// 1 + the winning layer; 0 where none wins.
    pub labels: Vec<u16>,
    /// Winner's value minus the runner-up's; NaN where fewer than two layers are defined.
    pub margin: Vec<f64>,
    /// Whether the largest value is that of several layers: the lowest of them wins.
    pub tied: Vec<bool>,
    /// Voxels won by each layer.
    pub voxels: Vec<usize>,
    /// Voxels where no layer is defined.
    pub undefined: usize,
    /// Voxels where the winner is not significant.
    pub not_significant: usize,
    /// Voxels where the winner is significant but too close to the runner-up.
    pub too_close: usize,
}

/// The winner among `maps` (layers x voxels, comparable: see [`standardise`]) at each voxel.
///
/// A voxel has no winner where the layer with the largest value is not `significant` (layers x voxels; all if not given) or
/// leads by less than `least_margin`. Equal values: the lowest layer, flagged.
/// # Errors
/// [`Error::TooFew`] without layers, [`Error::TooMany`] beyond [`MAX_LABELS`], [`Error::Mismatch`] for masks of another shape,
/// [`Error::Invalid`] for a margin below 0.
pub fn winner_take_all(
    maps: ArrayView2<f64>,
    significant: Option<ArrayView2<bool>>,
    least_margin: f64,
) -> Result<WinnerMap, Error> {
    let (layers, voxels) = maps.dim();
    at_least("layers", 1, layers)?;
    at_most("layers", MAX_LABELS, layers)?;
    if let Some(masks) = significant {
        same_size("layers of the masks", layers, masks.nrows())?;
        same_size("voxels of the masks", voxels, masks.ncols())?;
    }
    if least_margin.is_nan() || least_margin < 0.0 {
        return Err(invalid("least margin", least_margin, "it must be 0 or more"));
    }
    let mut map = WinnerMap {
        labels: vec![0; voxels],
        margin: vec![f64::NAN; voxels],
        tied: vec![false; voxels],
        voxels: vec![0; layers],
        undefined: 0,
        not_significant: 0,
        too_close: 0,
    };
    for voxel in 0..voxels {
        let Some(contest) = Contest::of(maps.column(voxel).iter().copied()) else {
            map.undefined += 1;
            continue;
        };
        map.margin[voxel] = contest.margin;
        map.tied[voxel] = contest.margin == 0.0;
        if significant.is_some_and(|masks| !masks[[contest.winner, voxel]]) {
            map.not_significant += 1;
        } else if contest.margin < least_margin {
            map.too_close += 1;
        } else {
            map.labels[voxel] = contest.winner as u16 + 1;
            map.voxels[contest.winner] += 1;
        }
    }
    Ok(map)
}

struct Contest {
    winner: usize,
    margin: f64,
}

impl Contest {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut best: Option<(usize, f64)> = None;
        let mut second = f64::NAN;
        for (layer, value) in values.enumerate().filter(|(_, v)| v.is_finite()) {
            match best {
                Some((_, largest)) if value <= largest => second = second.max(value),
                Some((_, largest)) => (best, second) = (Some((layer, value)), largest),
                None => best = Some((layer, value)),
            }
        }
        best.map(|(winner, largest)| Self { winner, margin: largest - second })
    }
}
