//! Tables as text, column by column: no more columns and cells than the limits allow, counted while they are read.

use csv_core::{ReadFieldResult, ReaderBuilder};

use crate::error::ParseError;
use crate::limits;

/// The cells of a column, the head included if there is one.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    /// The cells in the order of the rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }
}

/// The columns of a table; a byte order mark and empty lines are left out.
///
/// # Errors
/// [`ParseError::Invalid`] for a row with more or fewer cells than the first, [`ParseError::Limit`] beyond [`limits::MAX_COLUMNS`] and
/// [`limits::MAX_CELLS`].
pub(crate) fn columns(text: &str, delimiter: u8) -> Result<Vec<Cells>, ParseError> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).as_bytes();
    let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
    let (mut columns, mut buffer, mut cell) = (Vec::<Cells>::new(), vec![0; 4096], Vec::new());
    let (mut row, mut column, mut cells) = (0u64, 0usize, 0u64);
    loop {
        let (result, read, written) = reader.read_field(rest, &mut buffer);
        let consumed = &rest[..read];
        rest = &rest[read..];
        cell.extend_from_slice(&buffer[..written]);
        ParseError::check("bytes of a cell", cell.len() as u64, limits::MAX_CELL_BYTES, "MAX_CELL_BYTES")?;
        let ends_row = match result {
            ReadFieldResult::End => return Ok(columns),
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => continue,
            ReadFieldResult::Field { record_end } => record_end,
        };
        if row == 0 {
            ParseError::check(
                "number of columns",
                column as u64 + 1,
                limits::MAX_COLUMNS as u64,
                "MAX_COLUMNS",
            )?;
            columns.push(Cells::default());
        }
        cells += 1;
        ParseError::check("number of cells", cells, limits::MAX_CELLS, "MAX_CELLS")?;
        let cell_text = std::str::from_utf8(&cell).map_err(|e| ParseError::Invalid(e.to_string()))?;
        let width = columns.len();
        // The last cell of a row has to be that of the last column.
        let Some(place) = columns.get_mut(column).filter(|_| row == 0 || !ends_row || column + 1 == width)
        else {
            // Once the end of the line is read, the reader counts the next one.
            let line = reader.line() - u64::from(consumed.ends_with(b"\n"));
            let count = if column < width { "fewer" } else { "more" };
            return Err(ParseError::Invalid(format!(
                "row {row} (line {line}) has {count} cells than the first row, which has {width}"
            )));
        };
        place.push(cell_text);
        cell.clear();
        (row, column) = if ends_row { (row + 1, 0) } else { (row, column + 1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Vec<String>>, String> {
        let cells = |column: &Cells| column.iter().map(str::to_owned).collect();
        columns(text, b',').map(|columns| columns.iter().map(cells).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn cells_go_into_columns() {
        let found = read("\u{feff}a,b\n1,\"x,\n\"\"y\"\"\"\n\n,\n").unwrap();
        assert_eq!(found, [vec!["a", "1", ""], vec!["b", "x,\n\"y\"", ""]]);
        assert_eq!(read("").unwrap(), Vec::<Vec<String>>::new());
        assert_eq!(read("a,b").unwrap(), [vec!["a"], vec!["b"]]);
        let long = "é".repeat(10_000);
        assert_eq!(read(&long).unwrap(), [vec![long]]);
    }

    #[test]
    fn rows_are_as_wide_as_the_first() {
        for (text, part) in
            [("a,b\n1,2,3\n", "row 1"), ("a,b\n1,2\n3\n", "row 2"), ("a\n1,2", "more cells than")]
        {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn columns_are_counted_while_they_are_read() {
        let wide = |columns: usize| read(&",".repeat(columns - 1));
        assert_eq!(wide(limits::MAX_COLUMNS).unwrap().len(), limits::MAX_COLUMNS);
        let error = wide(limits::MAX_COLUMNS + 1).unwrap_err();
        assert_eq!(error, "number of columns is 100001, the limit is 100000 (MAX_COLUMNS)");
        let long = |bytes: u64| read(&"x".repeat(bytes as usize));
        assert!(long(limits::MAX_CELL_BYTES).is_ok());
        assert!(long(limits::MAX_CELL_BYTES + 1).unwrap_err().contains("MAX_CELL_BYTES"));
    }

    #[test]
    fn cells_are_counted_while_they_are_read() {
        let mut text = "a\n".repeat(limits::MAX_CELLS as usize);
        assert_eq!(columns(&text, b',').unwrap()[0].ends.len() as u64, limits::MAX_CELLS);
        text.push_str("a\n");
        let error = columns(&text, b',').unwrap_err().to_string();
        assert_eq!(error, "number of cells is 33554433, the limit is 33554432 (MAX_CELLS)");
    }
}
