//! From an assembly to a NetCDF-4 file that xarray and the reference read.

use std::path::Path;

use netcdf_reader::NcAttrValue;
use netcdf_writer::{NcFileBuilder, NcWriteFormat, NcWriteOptions};

use crate::assembly::Assembly;
use crate::error::{Error, ParseError, Result};
use crate::table::{Table, Values};

type Written<T> = std::result::Result<T, ParseError>;

/// Level of compression of the responses; 4 is where the size stops falling.
const DEFLATE_LEVEL: u8 = 4;

/// Writes a BrainIO assembly, all or nothing; an existing file is replaced.
///
/// Responses are stored as f64 with `_FillValue` NaN under the name `data`, labels as one variable each.
///
/// # Errors
/// [`Error::Io`], or [`Error::Parse`] if a label cannot be stored (a NUL in a text, a name NetCDF does not allow).
pub fn write_assembly(path: &Path, assembly: &Assembly) -> Result<()> {
    let bytes =
        assembly_to_bytes(assembly).map_err(|e| Error::parse(path, "a NetCDF assembly to write", e))?;
    crate::files::write_atomic(path, &bytes)
}

/// [`write_assembly`] into memory.
///
/// # Errors
/// [`ParseError`] as there.
pub fn assembly_to_bytes(assembly: &Assembly) -> Written<Vec<u8>> {
    let (presentations, neuroids, bins) = assembly.values.dim();
    let timed = !assembly.time_bins.is_empty();
    if bins != assembly.time_bins.len().max(1) {
        return Err(ParseError::Invalid(format!(
            "{bins} time bins of data, {} labels",
            assembly.time_bins.len()
        )));
    }
    let mut file = NcFileBuilder::new();
    let mut dimensions = vec![
        file.add_dimension("presentation", presentations as u64).map_err(invalid)?,
        file.add_dimension(assembly.neuroid_axis.as_str(), neuroids as u64).map_err(invalid)?,
    ];
    let mut coordinates = Vec::new();
    add_table(&mut file, dimensions[0], &assembly.presentation, &mut coordinates)?;
    add_table(&mut file, dimensions[1], &assembly.neuroid, &mut coordinates)?;
    if timed {
        let time = file.add_dimension("time_bin", bins as u64).map_err(invalid)?;
        dimensions.push(time);
        let mut table = Table::new(bins);
        table.push("time_bin_start", Values::Real(assembly.time_bins.iter().map(|b| b.0).collect()))?;
        table.push("time_bin_end", Values::Real(assembly.time_bins.iter().map(|b| b.1).collect()))?;
        add_table(&mut file, time, &table, &mut coordinates)?;
    }
    let data = file.add_variable::<f64>("data", &dimensions).map_err(invalid)?;
    file.set_variable_fill_value(data, f64::NAN).map_err(invalid)?;
    if !assembly.values.is_empty() {
        let shape = [presentations, neuroids, bins];
        let chunk: Vec<u64> = shape[..dimensions.len()].iter().map(|&n| (n as u64).min(1024)).collect();
        file.set_variable_chunking(data, chunk).map_err(invalid)?;
        file.set_variable_deflate(data, Some(DEFLATE_LEVEL), true).map_err(invalid)?;
    }
    let text = |s: String| NcAttrValue::Chars(s);
    file.add_variable_attribute(data, "coordinates", text(coordinates.join(" "))).map_err(invalid)?;
    file.add_variable_attribute(data, "identifier", text(assembly.identifier.clone())).map_err(invalid)?;
    let values: Vec<f64> = assembly.values.iter().copied().collect();
    file.write_variable(data, &values).map_err(invalid)?;
    let (_, bytes) = file.to_vec(NcWriteOptions { format: NcWriteFormat::Nc4 }).map_err(invalid)?;
    Ok(bytes)
}

fn invalid(e: netcdf_writer::Error) -> ParseError {
    ParseError::Invalid(e.to_string())
}

fn add_table(
    file: &mut NcFileBuilder,
    dimension: netcdf_writer::DimensionId,
    table: &Table,
    names: &mut Vec<String>,
) -> Written<()> {
    for column in table.columns() {
        let (name, on) = (column.name.as_str(), &[dimension]);
        match &column.values {
            Values::Text(values) => {
                let variable = file.add_string_variable(name, on).map_err(invalid)?;
                file.write_string_variable(variable, values).map_err(invalid)?;
            }
            Values::Integer(values) => {
                let variable = file.add_variable::<i64>(name, on).map_err(invalid)?;
                file.write_variable(variable, values).map_err(invalid)?;
            }
            Values::Real(values) => {
                let variable = file.add_variable::<f64>(name, on).map_err(invalid)?;
                file.set_variable_fill_value(variable, f64::NAN).map_err(invalid)?;
                file.write_variable(variable, values).map_err(invalid)?;
            }
            Values::Boolean(values) => {
                let variable = file.add_variable::<i8>(name, on).map_err(invalid)?;
                let flags: Vec<i8> = values.iter().map(|&b| i8::from(b)).collect();
                file.add_variable_attribute(variable, "dtype", NcAttrValue::Chars("bool".into()))
                    .map_err(invalid)?;
                file.write_variable(variable, &flags).map_err(invalid)?;
            }
        }
        if names.iter().any(|n| n == name) {
            return Err(ParseError::Invalid(format!("coordinate `{name}` is on two axes; rename one")));
        }
        names.push(column.name.clone());
    }
    Ok(())
}
