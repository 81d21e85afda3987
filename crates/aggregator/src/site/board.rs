//! The table of all models, with columns that open.

use super::Files;
use crate::report::tables::{BoardCell, board_cell, breakable, heading, shown_columns};
use crate::{Column, Leaderboard, Report, Row, Value, ranks};

/// A heading of the table.
pub(super) struct SiteHeading {
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) depth: usize,
    /// Position among the headings of the branch that this column belongs to.
    pub(super) parent: Option<usize>,
    /// Whether columns belong to it.
    pub(super) opens: bool,
    /// Page of the benchmark.
    pub(super) link: Option<String>,
}

/// A row of the table.
pub(super) struct SiteRow {
    pub(super) rank: String,
    pub(super) model: String,
    /// The name as markup.
    pub(super) name: String,
    pub(super) link: String,
    pub(super) cells: Vec<BoardCell>,
    /// ImageNet top-1 accuracy in percent.
    pub(super) top1: String,
}

pub(super) fn headings(board: &Leaderboard, files: &Files) -> Vec<SiteHeading> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut headings: Vec<SiteHeading> = Vec::new();
    for (index, only) in shown_columns(&board.columns) {
        let Some(column) = board.columns.get(index) else { continue };
        let text = heading(column, only);
        open.retain(|(depth, _)| *depth < column.depth);
        let parent = open.last().map(|(_, position)| *position);
        if let Some(above) = parent.and_then(|p| headings.get_mut(p)) {
            above.opens = true;
        }
        open.push((column.depth, headings.len()));
        let benchmark = only.unwrap_or(column);
        let link = Some(benchmark).filter(|c| c.version.is_some() && files.benchmarks.has(&c.identifier));
        headings.push(SiteHeading {
            name: text.name,
            detail: text.detail,
            depth: text.depth,
            parent: parent.filter(|_| column.depth > 1),
            opens: false,
            link: link.map(|c| files.benchmarks.path(&c.identifier).to_owned()),
        });
    }
    // The root is always open: what is right below it is always shown.
    if let Some(root) = headings.first_mut() {
        root.opens = false;
    }
    headings
}

pub(super) fn rows(report: &Report, files: &Files) -> Vec<SiteRow> {
    let board = &report.leaderboard;
    let shown: Vec<(usize, Option<&Column>)> = shown_columns(&board.columns);
    let row = |row: &Row| {
        let cell = |(index, only): &(usize, Option<&Column>)| {
            let cell = row.cells.get(*index)?;
            let source = row.cells.get(index + usize::from(only.is_some()))?;
            Some(board_cell(cell, source, *index == 0))
        };
        SiteRow {
            rank: row.rank.map_or_else(String::new, |rank| rank.to_string()),
            name: breakable(&row.model),
            link: files.models.path(&row.model).to_owned(),
            cells: shown.iter().filter_map(cell).collect(),
            top1: top1(report, &row.model).map_or_else(String::new, |percent| format!("{percent:.1}")),
            model: row.model.clone(),
        }
    };
    board.rows.iter().map(row).collect()
}

/// ImageNet top-1 accuracy of a model in percent.
pub(super) fn top1(report: &Report, model: &str) -> Option<f64> {
    report.imagenet_top1.iter().find(|t| t.model == model).map(|t| t.percent).filter(|p| p.is_finite())
}

/// Ranks at one node of the tree.
pub(super) struct ColumnRanks {
    /// In the order of the rows.
    pub(super) ranks: Vec<Option<usize>>,
    /// How many models have one.
    pub(super) of: usize,
}

/// Ranks of all models at every node, by the same rule as those of the brain score.
pub(super) fn ranks_by_column(board: &Leaderboard) -> Vec<ColumnRanks> {
    let column = |index: usize| {
        let value = |row: &Row| row.cells.get(index).map_or(Value::Missing, |cell| cell.value.clone());
        let values: Vec<Value> = board.rows.iter().map(value).collect();
        let ranks = ranks(&values, board.ranking);
        let of = ranks.iter().flatten().count();
        ColumnRanks { ranks, of }
    };
    (0..board.columns.len()).map(column).collect()
}
