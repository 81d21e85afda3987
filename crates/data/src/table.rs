//! Columns with names: the labels of presentations, neuroids and stimuli.

use std::cmp::Ordering;
use std::path::Path;

use crate::error::{Error, ParseError, Result};
use crate::limits;

/// The cells of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Text, identifiers included even if they look like numbers.
    Text(Vec<String>),
    /// Whole numbers.
    Integer(Vec<i64>),
    /// Numbers; NaN is an empty cell.
    Real(Vec<f64>),
    /// Truth values.
    Boolean(Vec<bool>),
}

impl Values {
    /// Number of cells.
    pub fn len(&self) -> usize {
        match self {
            Values::Text(v) => v.len(),
            Values::Integer(v) => v.len(),
            Values::Real(v) => v.len(),
            Values::Boolean(v) => v.len(),
        }
    }

    /// Whether there are no cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cells of `rows`, in that order; `None` when a row does not exist.
    pub fn select(&self, rows: &[usize]) -> Option<Values> {
        fn pick<T: Clone>(values: &[T], rows: &[usize]) -> Option<Vec<T>> {
            rows.iter().map(|&row| values.get(row).cloned()).collect()
        }
        Some(match self {
            Values::Text(v) => Values::Text(pick(v, rows)?),
            Values::Integer(v) => Values::Integer(pick(v, rows)?),
            Values::Real(v) => Values::Real(pick(v, rows)?),
            Values::Boolean(v) => Values::Boolean(pick(v, rows)?),
        })
    }

    /// Order of two cells: text by code point, numbers by value with NaN last. Rows beyond the end compare equal.
    pub fn compare(&self, a: usize, b: usize) -> Ordering {
        fn of<T>(values: &[T], a: usize, b: usize, compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
            match (values.get(a), values.get(b)) {
                (Some(x), Some(y)) => compare(x, y),
                _ => Ordering::Equal,
            }
        }
        match self {
            Values::Text(v) => of(v, a, b, Ord::cmp),
            Values::Integer(v) => of(v, a, b, Ord::cmp),
            Values::Real(v) => of(v, a, b, |x, y| {
                x.is_nan().cmp(&y.is_nan()).then(x.partial_cmp(y).unwrap_or(Ordering::Equal))
            }),
            Values::Boolean(v) => of(v, a, b, Ord::cmp),
        }
    }

    /// Every cell as text: integers without a point, NaN as nothing, truth values as `True` and `False`.
    pub fn to_text(&self) -> Vec<String> {
        match self {
            Values::Text(v) => v.clone(),
            Values::Integer(v) => v.iter().map(i64::to_string).collect(),
            Values::Real(v) => {
                v.iter().map(|x| if x.is_nan() { String::new() } else { format!("{x:?}") }).collect()
            }
            Values::Boolean(v) => v.iter().map(|&b| if b { "True" } else { "False" }.to_string()).collect(),
        }
    }
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name, unique in its table.
    pub name: String,
    /// The cells.
    pub values: Values,
}

/// Columns of equal length with different names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    /// A table with `rows` rows and no column yet.
    pub fn new(rows: usize) -> Self {
        Table { columns: Vec::new(), rows }
    }

    /// Adds a column.
    ///
    /// # Errors
    /// [`ParseError::Invalid`] if the length differs from the table's or the name is taken.
    pub fn push(&mut self, name: impl Into<String>, values: Values) -> std::result::Result<(), ParseError> {
        let name = name.into();
        if values.len() != self.rows {
            let problem = format!("column `{name}` has {} rows, the table has {}", values.len(), self.rows);
            return Err(ParseError::Invalid(problem));
        }
        if self.column(&name).is_some() {
            return Err(ParseError::Invalid(format!("column `{name}` appears twice")));
        }
        ParseError::check(
            "number of columns",
            self.columns.len() as u64 + 1,
            limits::MAX_COLUMNS as u64,
            "MAX_COLUMNS",
        )?;
        self.columns.push(Column { name, values });
        Ok(())
    }

    /// The columns in file order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The cells of a column.
    pub fn column(&self, name: &str) -> Option<&Values> {
        self.columns.iter().find(|c| c.name == name).map(|c| &c.values)
    }

    /// The first of the named columns that exists.
    pub fn first_of(&self, names: &[&str]) -> Option<&Values> {
        names.iter().find_map(|name| self.column(name))
    }

    /// The names of the columns, for messages.
    pub fn names(&self) -> String {
        self.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The table without the named columns.
    pub fn without(&self, names: &[&str]) -> Table {
        let columns = self.columns.iter().filter(|c| !names.contains(&c.name.as_str())).cloned().collect();
        Table { columns, rows: self.rows }
    }

    /// The given rows, in that order; `None` when a row does not exist.
    pub fn select(&self, rows: &[usize]) -> Option<Table> {
        let pick = |c: &Column| c.values.select(rows).map(|values| Column { name: c.name.clone(), values });
        let columns = self.columns.iter().map(pick).collect::<Option<Vec<_>>>()?;
        if rows.iter().any(|&row| row >= self.rows) {
            return None;
        }
        Some(Table { columns, rows: rows.len() })
    }

    /// Lexicographic order of two rows by the columns in order.
    pub fn compare_rows(&self, a: usize, b: usize) -> Ordering {
        self.columns
            .iter()
            .map(|c| c.values.compare(a, b))
            .find(|o| *o != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }
}

/// Columns that hold identifiers: text, whatever they look like (spec §7.2).
const IDENTIFIER_COLUMNS: [&str; 5] =
    ["stimulus_id", "image_id", "filename", "neuroid_id", "image_file_name"];

/// Reads a comma-separated file with a header row.
///
/// A column is whole numbers, numbers (empty cells are NaN), `True`/`False`, or else text; identifier columns are always text.
///
/// # Errors
/// [`Error::Io`], or [`Error::Parse`] for ragged rows, repeated column names or too many columns.
pub fn read_table(path: &Path) -> Result<Table> {
    let text = crate::files::read_text(path)?;
    parse_table(&text).map_err(|e| Error::parse(path, "CSV", e))
}

/// [`read_table`] from text.
///
/// # Errors
/// [`ParseError`] as there.
pub fn parse_table(text: &str) -> std::result::Result<Table, ParseError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let problem = |e: csv::Error| ParseError::Invalid(e.to_string());
    let names: Vec<String> =
        reader.headers().map_err(problem)?.iter().map(|n| n.trim().to_string()).collect();
    ParseError::check("number of columns", names.len() as u64, limits::MAX_COLUMNS as u64, "MAX_COLUMNS")?;
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    for record in reader.records() {
        for (column, cell) in cells.iter_mut().zip(record.map_err(problem)?.iter()) {
            column.push(cell.to_string());
        }
    }
    let mut table = Table::new(cells.first().map_or(0, Vec::len));
    for (index, (name, cells)) in names.into_iter().zip(cells).enumerate() {
        // pandas writes its row index under an empty name.
        let name = if name.is_empty() { format!("column_{index}") } else { name };
        let values =
            if IDENTIFIER_COLUMNS.contains(&name.as_str()) { Values::Text(cells) } else { infer(cells) };
        table.push(name, values)?;
    }
    Ok(table)
}

fn infer(cells: Vec<String>) -> Values {
    if cells.iter().all(String::is_empty) {
        return Values::Text(cells);
    }
    if let Some(values) = cells.iter().map(|c| c.parse::<i64>().ok()).collect() {
        return Values::Integer(values);
    }
    let real = |c: &String| if c.is_empty() { Some(f64::NAN) } else { c.parse::<f64>().ok() };
    if let Some(values) = cells.iter().map(real).collect() {
        return Values::Real(values);
    }
    let boolean = |c: &String| match c.as_str() {
        "True" | "true" => Some(true),
        "False" | "false" => Some(false),
        _ => None,
    };
    match cells.iter().map(boolean).collect() {
        Some(values) => Values::Boolean(values),
        None => Values::Text(cells),
    }
}
