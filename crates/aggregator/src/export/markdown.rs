//! Markdown tables with columns padded to the same width.

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

fn escaped(cell: &str) -> String {
    let line =
        cell.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r', '\t'], " ");
    ventral_input::printable(&line).into_owned()
}

fn line(cells: &[String], widths: &[usize], aligns: &[Align]) -> String {
    let padded = cells.iter().zip(widths.iter().zip(aligns)).map(|(cell, (width, align))| match align {
        Align::Left => format!(" {cell:<width$} "),
        Align::Right => format!(" {cell:>width$} "),
    });
    format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
}

/// A table from headings and rows of as many cells.
pub(super) fn table(headings: &[(String, Align)], rows: &[Vec<String>]) -> String {
    let aligns: Vec<Align> = headings.iter().map(|(_, align)| *align).collect();
    let names: Vec<String> = headings.iter().map(|(name, _)| escaped(name)).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| escaped(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(names.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let rule = widths.iter().zip(&aligns).map(|(width, align)| match align {
        Align::Left => "-".repeat(width + 2),
        Align::Right => "-".repeat(width + 1) + ":",
    });
    let mut text = line(&names, &widths, &aligns);
    text += &format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    text.extend(rows.iter().map(|row| line(row, &widths, &aligns)));
    text
}

/// One line per score with undefined values: whose it is, and what counted.
pub(super) fn footnotes<'a>(notes: impl Iterator<Item = (String, impl AsRef<str> + 'a)>) -> String {
    let line = |(what, note): (String, _)| {
        format!("\n{} {}: {}\n", crate::UNDEFINED_MARK, escaped(&what), escaped(AsRef::<str>::as_ref(&note)))
    };
    notes.map(line).collect()
}
