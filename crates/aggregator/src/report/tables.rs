//! What the page's tables and cards say, as text.

use std::collections::BTreeSet;

use super::svg::{escape, shorten};
use super::{BenchmarkInfo, Cost, Report};
use crate::{Cell, ChosenBy, Column, LeafScore, Value};

/// A name as markup that may be broken after its separators only.
pub(crate) fn breakable(name: &str) -> String {
    name.split_inclusive(['_', '-', '.', '/']).map(escape).collect::<Vec<_>>().join("<wbr>")
}

/// The most entries of the list of failures.
pub(crate) const MAX_PROBLEMS: usize = 300;

/// A column of the leaderboard.
pub(crate) struct Heading {
    pub(crate) name: String,
    pub(crate) detail: String,
    pub(crate) depth: usize,
}

/// A cell of the leaderboard.
pub(crate) struct BoardCell {
    pub(crate) text: String,
    pub(crate) error: String,
    pub(crate) layer: String,
    /// Full text under the pointer.
    pub(crate) hint: String,
    /// What the column is sorted by; empty last.
    pub(crate) sort: String,
    /// Length of the bar in percent.
    pub(crate) share: String,
    pub(crate) class: &'static str,
}

/// A row of the leaderboard.
pub(crate) struct BoardRow {
    pub(crate) rank: String,
    pub(crate) model: String,
    /// The name as markup.
    pub(crate) name: String,
    pub(crate) cells: Vec<BoardCell>,
}

/// Columns to show: a branch with a single benchmark stands for it.
pub(crate) fn shown_columns(columns: &[Column]) -> Vec<(usize, Option<&Column>)> {
    let mut shown = Vec::new();
    let mut index = 0;
    while let Some(column) = columns.get(index) {
        let below = columns.iter().skip(index + 1).take_while(|c| c.depth > column.depth);
        let only = match (column.version.is_none(), below.clone().count(), below.clone().next()) {
            (true, 1, Some(child)) if index > 0 => Some(child),
            _ => None,
        };
        shown.push((index, only));
        index += 1 + usize::from(only.is_some());
    }
    shown
}

pub(crate) fn heading(column: &Column, only: Option<&Column>) -> Heading {
    let versioned = |c: &Column| c.version.as_ref().map(|version| format!("{} v{version}", c.identifier));
    let detail = match (only, &column.version) {
        (Some(child), _) => versioned(child).unwrap_or_default(),
        (None, Some(version)) => format!("v{version}"),
        (None, None) if column.depth == 0 => "mean of regions".to_owned(),
        (None, None) => "mean of benchmarks".to_owned(),
    };
    Heading { name: column.identifier.replace('_', " "), detail, depth: column.depth.min(2) }
}

pub(crate) fn reason_of_choice(chosen: Option<&ChosenBy>) -> String {
    match chosen {
        Some(ChosenBy::Commitment) => "layer committed to by the model's card".to_owned(),
        Some(ChosenBy::OtherBenchmark(other)) => format!("layer chosen on {}", other.identifier),
        Some(ChosenBy::SameBenchmark) => "best layer on this very benchmark".to_owned(),
        None => String::new(),
    }
}

pub(crate) fn board_cell(cell: &Cell, source: &Cell, is_root: bool) -> BoardCell {
    let error =
        source.error.filter(|_| !is_root).map_or_else(String::new, |e| format!("±{}", Value::Number(e)));
    let hint = match &cell.value {
        Value::Missing => "not run".to_owned(),
        Value::Failed { reason } => format!("failed: {reason}"),
        Value::Number(number) => {
            let parts = [
                Some(number.to_string()),
                source.layer.clone(),
                Some(reason_of_choice(source.chosen_by.as_ref())),
                cell.note.clone(),
            ];
            parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
        }
    };
    BoardCell {
        text: cell.text(),
        error,
        layer: source
            .layer
            .as_ref()
            .filter(|_| !is_root)
            .map_or_else(String::new, |layer| shorten(layer, 20)),
        hint,
        sort: cell.value.number().map_or_else(String::new, |n| n.to_string()),
        share: format!("{:.1}", 100.0 * cell.value.number().unwrap_or(0.0).clamp(0.0, 1.0)),
        class: match cell.value {
            Value::Missing => "missing",
            Value::Failed { .. } => "fail",
            Value::Number(_) if is_root => "root",
            Value::Number(_) => "",
        },
    }
}

/// Headings and rows of the leaderboard.
pub(crate) fn board(report: &Report) -> (Vec<Heading>, Vec<BoardRow>) {
    let board = &report.leaderboard;
    let shown = shown_columns(&board.columns);
    let headings =
        shown.iter().filter_map(|(i, only)| Some(heading(board.columns.get(*i)?, *only))).collect();
    let row = |row: &crate::Row| {
        let cell = |(index, only): &(usize, Option<&Column>)| {
            let cell = row.cells.get(*index)?;
            let source = row.cells.get(index + usize::from(only.is_some()))?;
            Some(board_cell(cell, source, *index == 0))
        };
        BoardRow {
            rank: row.rank.map_or_else(String::new, |rank| rank.to_string()),
            model: row.model.clone(),
            name: breakable(&row.model),
            cells: shown.iter().filter_map(cell).collect(),
        }
    };
    (headings, board.rows.iter().map(row).collect())
}

/// A card at the top of the page: who is first where.
pub(crate) struct Highlight {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The model's name as markup.
    pub(crate) model: String,
    pub(crate) layer: String,
}

/// The leader of the root and of each node right below it.
pub(crate) fn highlights(report: &Report) -> Vec<Highlight> {
    let board = &report.leaderboard;
    let leader = |(index, column): (usize, &Column)| {
        let numbers = board.rows.iter().filter_map(|row| {
            let cell = row.cells.get(index)?;
            Some((cell.value.number()?, row, cell))
        });
        let (_, row, cell) = numbers.fold(None, |best: Option<(f64, _, _)>, candidate| match best {
            Some(held) if held.0 >= candidate.0 => Some(held),
            _ => Some(candidate),
        })?;
        Some(Highlight {
            name: column.identifier.replace('_', " "),
            value: cell.value.to_string(),
            model: breakable(&row.model),
            layer: cell.layer.clone().filter(|_| index > 0).unwrap_or_default(),
        })
    };
    board.columns.iter().enumerate().filter(|(_, column)| column.depth < 2).filter_map(leader).collect()
}

/// Something that has no score.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    pub(crate) model: String,
    pub(crate) benchmark: String,
    pub(crate) layer: String,
    pub(crate) reason: String,
}

/// Failed layers, and reported scores that failed or are missing, without repetition.
pub(crate) fn problems(report: &Report) -> Vec<Problem> {
    let failed_layers = report.layers.iter().filter_map(|layer| match layer.value() {
        Value::Failed { reason } => Some(Problem {
            model: layer.model.clone(),
            benchmark: layer.benchmark.clone(),
            layer: layer.layer.clone(),
            reason,
        }),
        _ => None,
    });
    let unreported =
        report.selections.iter().filter(|s| s.layer_score().is_none()).map(|selection| Problem {
            model: selection.model.clone(),
            benchmark: selection.benchmark.identifier.clone(),
            layer: selection.layer.clone().unwrap_or_default(),
            reason: match selection.value(LeafScore::Ceiled) {
                Value::Failed { reason } => reason,
                _ => "not run".to_owned(),
            },
        });
    failed_layers.chain(unreported).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Reported scores that pass over undefined values.
pub(crate) fn undefined(report: &Report) -> Vec<Problem> {
    let problem = |(model, column, cell, note): (&str, &Column, &Cell, &str)| Problem {
        model: model.to_owned(),
        benchmark: column.identifier.clone(),
        layer: cell.layer.clone().unwrap_or_default(),
        reason: note.to_owned(),
    };
    report.leaderboard.notes().map(problem).collect()
}

/// The number in full, and on a line of its own what must be said of it.
pub(crate) fn exact_and_note(number: f64, note: Option<&String>) -> String {
    note.map_or_else(|| number.to_string(), |note| format!("{number}\n{note}"))
}

/// One line about a benchmark.
pub(crate) fn benchmark_line(benchmark: &BenchmarkInfo) -> String {
    let ceiling = benchmark
        .ceiling
        .map_or_else(|| "no ceiling".to_owned(), |c| format!("ceiling {}", Value::Number(c)));
    let error_bar = benchmark.error_bar.as_ref().map_or_else(String::new, |kind| format!(", ± {kind}"));
    let splits = if benchmark.splits > 1 { format!(", {} splits", benchmark.splits) } else { String::new() };
    format!(
        "{}, {} stimuli × {} targets{splits}, {ceiling}, rule {}{error_bar}",
        benchmark.metric,
        benchmark.stimuli,
        benchmark.targets,
        benchmark.rule.name(),
    )
}

/// A row of predicted and actual costs.
pub(crate) struct CostRow {
    pub(crate) name: String,
    pub(crate) cells: [String; 4],
}

/// Costs with their units.
pub(crate) fn costs(costs: &[Cost]) -> Vec<CostRow> {
    let row = |cost: &Cost| CostRow {
        name: cost.name.clone(),
        cells: [
            cost.predicted_seconds.map_or_else(String::new, duration),
            cost.actual_seconds.map_or_else(String::new, duration),
            cost.predicted_bytes.map_or_else(String::new, bytes),
            cost.actual_bytes.map_or_else(String::new, bytes),
        ],
    };
    costs.iter().map(row).collect()
}

/// "420 ms", "3.4 s", "2 min 05 s", "3 h 07 min".
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match seconds {
        s if !s.is_finite() => String::new(),
        s if s < 1.0 => format!("{:.0} ms", 1000.0 * s.max(0.0)),
        s if s < 60.0 => format!("{s:.1} s"),
        _ if whole < 3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// "812 B", "3.4 MiB".
pub(crate) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}
