//! Time bins of a recording: which count, and how they become columns.

use ndarray::{Array2, Array3, ArrayView3, Axis, concatenate};

use super::card::NeuroidsCard;
use super::locate::Roots;
use super::variants::{TimeCard, TimeMode};
use crate::assembly::{Assembly, mean_of_present};
use crate::error::{Error, ParseError, Result};
use crate::limits;
use crate::table::{Table, Values};

/// Columns of the neuroids that say which bin they are of.
pub(super) const START: &str = "time_bin_start";
const END: &str = "time_bin_end";

/// Responses of the chosen bins as a plain matrix.
pub(super) struct OverTime {
    /// Presentation x column.
    pub(super) values: Array2<f64>,
    /// Repetition x presentation x column.
    pub(super) repeats: Option<Array3<f64>>,
    /// One row per column.
    pub(super) neuroid: Table,
    /// The chosen bins.
    pub(super) bins: Vec<[f64; 2]>,
}

/// Positions of the bins that a card asks for, and the bins.
pub(super) fn chosen(card: &TimeCard, bins: &[(f64, f64)], roots: &Roots<'_>) -> Result<Vec<usize>> {
    let inside = |&(start, end): &(f64, f64)| {
        card.from.is_none_or(|from| start >= from) && card.to.is_none_or(|to| end <= to)
    };
    let found: Vec<usize> = (0..bins.len()).filter(|&i| inside(&bins[i])).collect();
    if found.is_empty() {
        let shown: Vec<_> = bins.iter().take(20).collect();
        return Err(roots.field("time", &format!("no time bin is left; the file begins with {shown:?}")));
    }
    Ok(found)
}

/// Columns of the chosen bins: bins slowest for `each` and `span`, neuroids slowest for `flatten`.
pub(super) fn columns(
    mode: TimeMode,
    chosen: &[usize],
    bins: &[(f64, f64)],
    values: ArrayView3<'_, f64>,
    repeats: Option<Vec<Array3<f64>>>,
    neuroid: &Table,
) -> std::result::Result<OverTime, ParseError> {
    let neuroids = neuroid.len();
    let kept: Vec<[f64; 2]> = chosen.iter().map(|&b| [bins[b].0, bins[b].1]).collect();
    if mode == TimeMode::Mean {
        let mean =
            |row: usize, column: usize| mean_of_present(chosen.iter().map(|&b| values[[row, column, b]]));
        let repeats = repeats.map(|cubes| {
            Array3::from_shape_fn(cubes[0].dim(), |at| mean_of_present(cubes.iter().map(|cube| cube[at])))
        });
        let values = Array2::from_shape_fn((values.dim().0, neuroids), |(row, column)| mean(row, column));
        return Ok(OverTime { values, repeats, neuroid: neuroid.clone(), bins: kept });
    }
    let count = (chosen.len() as u64).saturating_mul(neuroids as u64);
    let cells = count.saturating_mul(values.dim().0 as u64);
    ParseError::check("presentations x bins x neuroids", cells, limits::MAX_ELEMENTS, "MAX_ELEMENTS")?;
    // (bin, neuroid) of every column.
    let order: Vec<(usize, usize)> = match mode {
        TimeMode::Flatten => (0..neuroids).flat_map(|k| (0..chosen.len()).map(move |b| (b, k))).collect(),
        _ => (0..chosen.len()).flat_map(|b| (0..neuroids).map(move |k| (b, k))).collect(),
    };
    let found = Array2::from_shape_fn((values.dim().0, order.len()), |(row, column)| {
        let (bin, neuroid) = order[column];
        values[[row, neuroid, chosen[bin]]]
    });
    let repeats = repeats.map(|cubes| {
        let views: Vec<_> = cubes.iter().map(|cube| cube.view()).collect();
        // Bins slowest, which is put in the order of the columns.
        let places: Vec<usize> = order.iter().map(|(bin, neuroid)| bin * neuroids + neuroid).collect();
        concatenate(Axis(2), &views).map(|all| all.select(Axis(2), &places))
    });
    let repeats = repeats.transpose().map_err(|e| ParseError::Invalid(e.to_string()))?;
    let rows: Vec<usize> = order.iter().map(|(_, neuroid)| *neuroid).collect();
    let mut table =
        neuroid.select(&rows).ok_or_else(|| ParseError::invalid("coordinates of different lengths"))?;
    for (name, side) in [(START, 0), (END, 1)] {
        table = table.without(&[name]);
        table.push(name, Values::Real(order.iter().map(|(bin, _)| kept[*bin][side]).collect()))?;
    }
    Ok(OverTime { values: found, repeats, neuroid: table, bins: kept })
}

/// The columns of an assembly whose repetitions are averaged; `repeated` is the same with them.
pub(super) fn of_assembly(
    card: &TimeCard,
    averaged: &Assembly,
    repeated: Option<&Assembly>,
    roots: &Roots<'_>,
) -> Result<OverTime> {
    let bins = &averaged.time_bins;
    if bins.is_empty() {
        return Err(roots.field("time", "is given, but the assembly has no time bins; remove it"));
    }
    let chosen = chosen(card, bins, roots)?;
    let invalid = |e| Error::parse(roots.card, "time bins", e);
    let cubes = repeated.map(|assembly| chosen.iter().map(|&bin| assembly.repeats(bin)).collect());
    let cubes = cubes.transpose().map_err(invalid)?;
    columns(card.mode, &chosen, bins, averaged.values.view(), cubes, &averaged.neuroid).map_err(invalid)
}

/// Leaving out a neuroid in some bins only would take one mapping of all bins apart.
pub(super) fn check_neuroids(time: Option<&TimeCard>, card: &NeuroidsCard, roots: &Roots<'_>) -> Result<()> {
    match time {
        Some(time) if card.exclude_constant && matches!(time.mode, TimeMode::Each | TimeMode::Span) => {
            let problem = "would leave out neuroids in some time bins only; name them in `exclude`";
            Err(roots.field("neuroids.exclude_constant", problem))
        }
        _ => Ok(()),
    }
}
