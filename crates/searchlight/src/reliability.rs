//! How well the RSM of one half of a subject's runs agrees with that of the other half, at each centre.

use std::ops::Range;

use rayon::prelude::*;

use crate::ceiling::{local_rsms, similarity};
use crate::compare::Ranks;
use crate::layers::Comparison;
use crate::neighbourhood::Neighbourhoods;
use crate::range::{Options, check, chunks};
use crate::{Error, Patterns};

/// Split-half reliability of a range of centres.
#[derive(Debug, Clone, PartialEq)]
pub struct Reliability {
    /// The comparison of the two halves' RSMs; NaN where there is none.
    pub halves: Vec<f64>,
    /// The same for all runs ([`spearman_brown`]).
    pub corrected: Vec<f64>,
    /// Centres without a value.
    pub undefined: usize,
}

/// Reliability of twice as much data: 2r / (1 + r); NaN for r of -1 or less.
#[must_use]
pub fn spearman_brown(r: f64) -> f64 {
    if r > -1.0 { 2.0 * r / (1.0 + r) } else { f64::NAN }
}

/// Odd runs (first, third, ...) and even runs.
#[must_use]
pub fn odd_even(runs: usize) -> [Vec<usize>; 2] {
    [(0..runs).step_by(2).collect(), (1..runs).step_by(2).collect()]
}

/// Reliability between two sets of runs ([`odd_even`]), on all threads of the current pool. Runs of a half are averaged,
/// except for crossnobis, which needs two runs in each half.
///
/// # Errors
/// [`Error::Invalid`] for halves that share a run; [`Error::TooFew`], [`Error::Mismatch`] for an empty half or a run that is
/// not there; see [`crate::map_range`].
pub fn reliability_range(
    patterns: &Patterns,
    halves: &[Vec<usize>; 2],
    neighbourhoods: &Neighbourhoods,
    range: Range<usize>,
    comparison: Comparison,
    options: &Options,
) -> Result<Reliability, Error> {
    if halves[0].iter().any(|run| halves[1].contains(run)) {
        let advice = "a run belongs to one half";
        return Err(Error::Invalid { what: "halves", found: format!("{halves:?}"), advice });
    }
    let half = |runs: &[usize]| -> Result<Patterns, Error> {
        let chosen = patterns.select_runs(runs)?;
        let one = options.rsm.check_runs(2).is_err();
        let chosen = if one { chosen.averaged() } else { chosen };
        check(&chosen, neighbourhoods, &range, patterns.images(), options)?;
        Ok(chosen)
    };
    let (first, second) = (half(&halves[0])?, half(&halves[1])?);
    let parts: Vec<Vec<f64>> = chunks(&range)
        .into_par_iter()
        .map(|chunk| {
            let a = local_rsms(&first, neighbourhoods, chunk.clone(), options);
            let b = local_rsms(&second, neighbourhoods, chunk, options);
            let mut ranks = Ranks::default();
            let pairs = a.iter().zip(&b);
            pairs
                .map(|pair| match pair {
                    (Some(a), Some(b)) => similarity(a, b, comparison, &mut ranks),
                    _ => f64::NAN,
                })
                .collect()
        })
        .collect();
    let halves: Vec<f64> = parts.into_iter().flatten().collect();
    Ok(Reliability {
        undefined: halves.iter().filter(|value| value.is_nan()).count(),
        corrected: halves.iter().map(|&value| spearman_brown(value)).collect(),
        halves,
    })
}
