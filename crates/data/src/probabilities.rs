//! A model's answers, computed elsewhere: the probability of every label for every stimulus.

use std::collections::HashSet;
use std::path::Path;

use ndarray::{Array2, Axis};

use crate::assembly::STIMULUS_ID;
use crate::error::{Error, ParseError, Result};
use crate::netcdf::parse_assembly;
use crate::stimuli::check_unique;
use crate::table::{Table, Values, parse_table};
use crate::{hdf5, limits};

const FORMAT: &str = "probabilities";
/// Largest deviation from 1 of the sum over labels.
const SUM_TOLERANCE: f64 = 1e-3;

/// Probabilities of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Probabilities {
    /// Identifier of the stimulus of each row.
    pub ids: Vec<String>,
    /// Label of each column.
    pub labels: Vec<String>,
    /// Stimulus x label; each row sums to 1.
    pub values: Array2<f64>,
}

/// Reads a NetCDF file (presentation x label, as BrainIO writes the answers of models; the labels are the coordinate of the second
/// dimension, for instance `choice`) or a CSV file (`stimulus_id`, and a column per label).
///
/// # Errors
/// [`Error::Io`], or [`Error::Parse`] for damaged files, sizes beyond [`crate::limits`], a stimulus or label that occurs twice, fewer
/// than two labels, and rows that are no probabilities.
pub fn read_probabilities(path: &Path) -> Result<Probabilities> {
    let bytes = crate::files::read_file(path, limits::MAX_FILE_BYTES, "MAX_FILE_BYTES")?;
    let found = if hdf5::is_hdf5(&bytes) { from_netcdf(bytes) } else { from_table(bytes) };
    let found = found.map_err(|e| Error::parse(path, FORMAT, e))?;
    check_unique(path, "stimulus", &found.ids)?;
    check(&found).map_err(|problem| Error::parse(path, FORMAT, ParseError::Invalid(problem)))?;
    Ok(found)
}

fn check(found: &Probabilities) -> std::result::Result<(), String> {
    let mut seen = HashSet::new();
    if let Some(twice) = found.labels.iter().find(|label| !seen.insert(label.as_str())) {
        return Err(format!("the label `{twice}` occurs twice; rename one"));
    }
    if found.labels.len() < 2 {
        return Err(format!("there is {} label, two are needed to choose from", found.labels.len()));
    }
    for (id, row) in found.ids.iter().zip(found.values.rows()) {
        let wrong = row.iter().zip(&found.labels).find(|(p, _)| !(0.0..=1.0).contains(*p));
        if let Some((p, label)) = wrong {
            return Err(format!(
                "stimulus `{id}`, label `{label}`: {p} is no probability; give numbers from 0 to 1"
            ));
        }
        let sum: f64 = row.sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(format!(
                "stimulus `{id}`: the probabilities sum to {sum:.4}, not to 1; give those of all labels"
            ));
        }
    }
    Ok(())
}

fn from_netcdf(bytes: Vec<u8>) -> std::result::Result<Probabilities, ParseError> {
    let assembly = parse_assembly(bytes, FORMAT)?;
    let axis = &assembly.neuroid_axis;
    let labels = assembly.neuroid.column(axis).ok_or_else(|| {
        let names = assembly.neuroid.names();
        ParseError::Invalid(format!(
            "the dimension `{axis}` has no coordinate of its name with the labels; it has: {names}"
        ))
    })?;
    if assembly.values.len_of(Axis(2)) != 1 {
        return Err(ParseError::invalid("there are several time bins; average them"));
    }
    Ok(Probabilities {
        ids: assembly.stimulus_ids()?,
        labels: labels.to_text(),
        values: assembly.values.index_axis(Axis(2), 0).to_owned(),
    })
}

fn from_table(bytes: Vec<u8>) -> std::result::Result<Probabilities, ParseError> {
    let text = String::from_utf8(bytes)
        .map_err(|_| ParseError::invalid("it is neither a NetCDF-4 file nor a table of UTF-8 text (CSV)"))?;
    let table: Table = parse_table(&text)?;
    let ids = table.first_of(&STIMULUS_ID).ok_or_else(|| {
        ParseError::Invalid(format!(
            "there is no column `{}`; the table has: {}",
            STIMULUS_ID[0],
            table.names()
        ))
    })?;
    let columns: Vec<_> =
        table.columns().iter().filter(|column| !STIMULUS_ID.contains(&column.name.as_str())).collect();
    let mut values = Array2::zeros((table.len(), columns.len()));
    for (column, mut into) in columns.iter().zip(values.columns_mut()) {
        let numbers: Vec<f64> = match &column.values {
            Values::Real(v) => v.clone(),
            Values::Integer(v) => v.iter().map(|&x| x as f64).collect(),
            _ => return Err(ParseError::Invalid(format!("the column `{}` holds no numbers", column.name))),
        };
        into.iter_mut().zip(numbers).for_each(|(into, p)| *into = p);
    }
    let labels = columns.iter().map(|column| column.name.clone()).collect();
    Ok(Probabilities { ids: ids.to_text(), labels, values })
}
