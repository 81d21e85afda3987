//! Tables for people.

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// Rules above, below the head and at the end; none between rows.
const STYLE: TableStyle = TableStyle::new().top_border(RULE).header_separator(RULE).bottom_border(RULE);

/// A table with this head.
pub fn new(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().map(Cell::new));
    table
}

/// Right-aligns the columns from `first` on.
pub fn align_numbers(table: &mut Table, first: usize) {
    for column in table.column_iter_mut().skip(first) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// Longest text of a cell that has a table to share.
const MAX_CELL_CHARS: usize = 100;

/// The first line of a text, cut to what a table has room for; `…` says that there is more.
pub fn one_line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let cut: String = first.chars().take(MAX_CELL_CHARS).collect();
    if cut.len() == text.trim_end().len() { cut } else { format!("{}…", cut.trim_end()) }
}

/// A score in three decimals, as the field prints it: `.549`, `-.021`, `1.000`.
pub fn score(value: f64) -> String {
    if value.is_nan() {
        return "n/a".to_owned();
    }
    let text = format!("{value:.3}");
    match text.strip_prefix("0.") {
        Some(decimals) => format!(".{decimals}"),
        None => text.replacen("-0.", "-.", 1),
    }
}

/// `.549 ± .010`, or the score alone where there is no error bar.
pub fn score_with_error(value: f64, error: f64) -> String {
    if error.is_nan() { score(value) } else { format!("{} ± {}", score(value), score(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_one_line() {
        assert_eq!(one_line("short"), "short");
        assert_eq!(one_line("ends with a line\n"), "ends with a line");
        assert_eq!(one_line("first\nsecond"), "first…");
        assert_eq!(one_line(&"ü".repeat(100)), "ü".repeat(100));
        assert_eq!(one_line(&"ü".repeat(101)), format!("{}…", "ü".repeat(100)));
    }

    #[test]
    fn scores_are_printed_as_the_field_does() {
        assert_eq!(score(0.5487), ".549");
        assert_eq!(score(-0.0214), "-.021");
        assert_eq!(score(1.0), "1.000");
        assert_eq!(score(f64::NAN), "n/a");
        assert_eq!(score_with_error(0.5, f64::NAN), ".500");
        assert_eq!(score_with_error(0.5, 0.0123), ".500 ± .012");
    }
}
