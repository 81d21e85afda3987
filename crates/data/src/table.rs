//! Columns with names: the labels of presentations, neuroids and stimuli.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, ParseError, Result};
use crate::limits;

/// Most names of columns in a message.
const MAX_SHOWN: usize = 20;

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
    /// Where a name is among the columns.
    positions: BTreeMap<String, usize>,
    rows: usize,
}

impl Table {
    /// A table with `rows` rows and no column yet.
    pub fn new(rows: usize) -> Self {
        Table { rows, ..Table::default() }
    }

    /// Columns of another table.
    fn of(columns: Vec<Column>, rows: usize) -> Self {
        let positions = columns.iter().enumerate().map(|(i, column)| (column.name.clone(), i)).collect();
        Table { columns, positions, rows }
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
        self.positions.insert(name.clone(), self.columns.len());
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
        Some(&self.columns.get(*self.positions.get(name)?)?.values)
    }

    /// The first of the named columns that exists.
    pub fn first_of(&self, names: &[&str]) -> Option<&Values> {
        names.iter().find_map(|name| self.column(name))
    }

    /// The names of the columns, for messages.
    pub fn names(&self) -> String {
        let shown: Vec<&str> = self.columns.iter().take(MAX_SHOWN).map(|c| c.name.as_str()).collect();
        let left = self.columns.len() - shown.len();
        let more = if left == 0 { String::new() } else { format!(" and {left} more") };
        format!("{}{more}", shown.join(", "))
    }

    /// The table without the named columns.
    pub fn without(&self, names: &[&str]) -> Table {
        let columns = self.columns.iter().filter(|c| !names.contains(&c.name.as_str())).cloned().collect();
        Table::of(columns, self.rows)
    }

    /// The given rows, in that order; `None` when a row does not exist.
    pub fn select(&self, rows: &[usize]) -> Option<Table> {
        let pick = |c: &Column| c.values.select(rows).map(|values| Column { name: c.name.clone(), values });
        let columns = self.columns.iter().map(pick).collect::<Option<Vec<_>>>()?;
        if rows.iter().any(|&row| row >= self.rows) {
            return None;
        }
        Some(Table::of(columns, rows.len()))
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
    let columns = crate::csv::columns(text, b',')?;
    let rows = columns.first().map_or(0, |cells| cells.iter().skip(1).count());
    let mut table = Table::new(rows);
    for (index, cells) in columns.iter().enumerate() {
        let name = cells.iter().next().unwrap_or_default().trim();
        // pandas writes its row index under an empty name.
        let name = if name.is_empty() { format!("column_{index}") } else { name.to_owned() };
        let cells = || cells.iter().skip(1);
        let identifies = IDENTIFIER_COLUMNS.contains(&name.as_str());
        let values = if identifies { None } else { infer(cells) };
        table.push(name, values.unwrap_or_else(|| Values::Text(cells().map(str::to_owned).collect())))?;
    }
    Ok(table)
}

/// The cells as numbers or truth values, if all of them are.
fn infer<'c, C: Iterator<Item = &'c str>>(cells: impl Fn() -> C) -> Option<Values> {
    if cells().all(str::is_empty) {
        return None;
    }
    if let Some(values) = cells().map(|c| c.parse::<i64>().ok()).collect() {
        return Some(Values::Integer(values));
    }
    let real = |c: &str| if c.is_empty() { Some(f64::NAN) } else { c.parse::<f64>().ok() };
    if let Some(values) = cells().map(real).collect() {
        return Some(Values::Real(values));
    }
    let boolean = |c: &str| match c {
        "True" | "true" => Some(true),
        "False" | "false" => Some(false),
        _ => None,
    };
    cells().map(boolean).collect::<Option<_>>().map(Values::Boolean)
}
