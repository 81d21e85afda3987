//! Parts of the neuroids that are fitted or scored by themselves: subjects, time bins.

use std::collections::BTreeMap;

use ndarray::Array2;
use ventral_metrics::statistics::{mean, median, nan_median};

use super::card::{BenchmarkCard, CeilingSource};
use super::locate::Roots;
use super::variants::{Part, Time, TimeMode};
use super::{CeilingEstimate, Metric};
use crate::error::Result;
use crate::table::Table;

/// A ceiling and what it is a summary of.
pub(super) struct Found {
    pub(super) estimate: Option<CeilingEstimate>,
    /// Split x column, for ceilings from repetitions.
    pub(super) splits: Option<Array2<f64>>,
}

/// Columns of the neuroids by the values of a column, sorted by value.
pub(super) fn by_value(
    field: &str,
    column: &str,
    neuroids: &Table,
    roots: &Roots<'_>,
) -> Result<Vec<(String, Vec<usize>)>> {
    let labels = neuroids.column(column).ok_or_else(|| {
        let problem = format!("the neuroids have no column `{column}`; they have: {}", neuroids.names());
        roots.field(field, &problem)
    })?;
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, label) in labels.to_text().into_iter().enumerate() {
        groups.entry(label).or_default().push(index);
    }
    Ok(groups.into_iter().collect())
}

/// Columns that are fitted apart, and parts that are scored apart.
pub(super) fn resolve(
    card: &BenchmarkCard,
    metric: &Metric,
    time: Option<&Time>,
    neuroids: Option<&Table>,
    ceiling: &Found,
    roots: &Roots<'_>,
) -> Result<(Vec<Vec<usize>>, Vec<Part>)> {
    let Some(neuroids) = neuroids else { return Ok((Vec::new(), Vec::new())) };
    let in_bins = time.filter(|time| matches!(time.mode, TimeMode::Each | TimeMode::Span));
    match (&card.metric.groups, in_bins) {
        (None, None) => Ok((Vec::new(), Vec::new())),
        (Some(_), Some(_)) => Err(roots.field(
            "metric.groups",
            "and time bins that are scored apart exclude each other; use the mode `mean` or `flatten`",
        )),
        (Some(column), None) => {
            let groups = by_value("metric.groups", column, neuroids, roots)?;
            // The reference takes plain medians here: a NaN stays one (spec §5.3).
            let part = |(name, columns): &(String, Vec<usize>)| Part {
                name: name.clone(),
                columns: columns.clone(),
                ceiling: of_columns(card, ceiling, columns, median),
            };
            let parts = groups.iter().map(part).collect();
            Ok((groups.into_iter().map(|(_, columns)| columns).collect(), parts))
        }
        (None, Some(time)) => {
            let width = neuroids.len() / time.bins.len();
            if !matches!(metric, Metric::Regression(_) | Metric::Rdm | Metric::Cka(_)) {
                let problem =
                    "must be a regression, rdm or cka to be scored per time bin; use the mode `mean`";
                return Err(roots.field("metric.name", problem));
            }
            if time.mode == TimeMode::Span && !matches!(metric, Metric::Regression(_)) {
                return Err(roots.field("time.mode", "`span` fits one mapping; use `each` for rdm and cka"));
            }
            let part = |(bin, [start, end]): (usize, &[f64; 2])| {
                let columns: Vec<usize> = (bin * width..(bin + 1) * width).collect();
                let ceiling = of_columns(card, ceiling, &columns, nan_median);
                Part { name: format!("{start}-{end} ms"), columns, ceiling }
            };
            Ok((Vec::new(), time.bins.iter().enumerate().map(part).collect()))
        }
    }
}

/// Mean over splits of the median over these columns; where there are no splits, of the ceilings of the columns; else the ceiling.
fn of_columns(
    card: &BenchmarkCard,
    found: &Found,
    columns: &[usize],
    middle: fn(&[f64]) -> f64,
) -> Option<f64> {
    let estimate = found.estimate.as_ref()?;
    if let Some(splits) = &found.splits {
        let of_split = |row: ndarray::ArrayView1<'_, f64>| {
            middle(&columns.iter().map(|&column| row[column]).collect::<Vec<_>>())
        };
        return Some(mean(&splits.rows().into_iter().map(of_split).collect::<Vec<_>>()));
    }
    if card.ceiling.source == CeilingSource::PerNeuroid {
        let own: Vec<f64> = columns.iter().filter_map(|&c| estimate.per_neuroid.get(c).copied()).collect();
        return Some(middle(&own));
    }
    Some(estimate.value)
}
