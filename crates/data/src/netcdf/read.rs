//! From a NetCDF-4 file to an assembly.

use std::path::Path;
use std::sync::Arc;

use hdf5_reader::Hdf5File;
use ndarray::{Array3, ArrayD};
use netcdf_reader::{NcDimension, NcFile, NcGroup, NcOpenOptions, NcReadable, NcType, NcVariable};

use crate::assembly::Assembly;
use crate::error::{Error, ParseError, Result};
use crate::limits;
use crate::table::{Table, Values};

type Parsed<T> = std::result::Result<T, ParseError>;

/// NetCDF-3: everything else is HDF5, perhaps behind a block of the user's.
const CLASSIC_MAGIC: &[u8] = b"CDF";
const FORMAT: &str = "NetCDF assembly";
/// Names that writers give to the main variable, in order of preference.
const MAIN_NAMES: [&str; 2] = ["data", "__xarray_dataarray_variable__"];
const PRESENTATION: &str = "presentation";
const NEUROID: &str = "neuroid";
const TIME_BIN: &str = "time_bin";
/// Deflate makes nothing more than this many times smaller: a variable that claims more is a bomb.
const MAX_INFLATION: u64 = 1100;
/// Read whatever the size of the file.
const SMALL_READ_BYTES: u64 = 1 << 20;
/// Bytes of a reference to a variable-length string in a file with 8-byte offsets.
const STRING_REFERENCE_BYTES: usize = 16;

/// Reads a BrainIO assembly.
///
/// The main variable is the one that is no coordinate; every other variable over `presentation`, `neuroid` or `time_bin`
/// becomes a column. Fill values become NaN, `int8` marked `dtype = bool` become truth values, and a trailing
/// underscore of an old single-level index is dropped.
///
/// # Errors
/// [`Error::Io`], or [`Error::Parse`] for a damaged file, one without presentations, or one beyond [`crate::limits`].
pub fn read_assembly(path: &Path) -> Result<Assembly> {
    let bytes = crate::files::read_file(path, limits::MAX_FILE_BYTES, "MAX_FILE_BYTES")?;
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_prefix("assy_").unwrap_or(&name);
    parse_assembly(bytes, name).map_err(|e| Error::parse(path, FORMAT, e))
}

/// [`read_assembly`] from bytes; `name` is the identifier if the file has none.
///
/// # Errors
/// [`ParseError`] as there.
pub fn parse_assembly(bytes: Vec<u8>, name: &str) -> Parsed<Assembly> {
    let decoded = (bytes.len() as u64).saturating_mul(MAX_INFLATION).saturating_add(SMALL_READ_BYTES);
    let max_read_bytes = decoded.min(limits::MAX_ELEMENTS * 8) as usize;
    let options = NcOpenOptions { max_read_bytes, ..NcOpenOptions::default() };
    let bytes = Shared(Arc::new(bytes));
    if !bytes.as_ref().starts_with(CLASSIC_MAGIC) {
        check_groups(&bytes)?;
    }
    let file = NcFile::from_owner(bytes, options).map_err(invalid)?;
    let root = file.root_group().map_err(invalid)?;
    let main = main_variable(root, name)?;
    let axes = Axes::of(main)?;
    let mut assembly = Assembly {
        identifier: identifier(root, main).unwrap_or_else(|| name.to_string()),
        values: read_main(&file, main, &axes)?,
        presentation: Table::new(axes.length(0)?),
        neuroid: Table::new(axes.length(1)?),
        time_bins: Vec::new(),
        neuroid_axis: axes.neuroid.map_or(NEUROID, |d| d.name.as_str()).to_string(),
        extra_groups: root.groups.iter().map(|g| g.name.trim_start_matches('/').to_string()).collect(),
    };
    let mut time = Table::new(axes.length(2)?);
    for variable in root.variables.iter().filter(|v| v.name != main.name) {
        let [dimension] = variable.dimensions() else { continue };
        let Some(axis) = axes.position(&dimension.name) else { continue };
        let table = [&mut assembly.presentation, &mut assembly.neuroid, &mut time].into_iter().nth(axis);
        if let Some(table) = table {
            let name = column_name(root, &variable.name);
            table.push(name, read_column(&file, variable)?)?;
        }
    }
    assembly.time_bins = if axes.time.is_some() { time_bins(&time)? } else { Vec::new() };
    Ok(assembly)
}

/// The bytes of a file, read by two readers.
#[derive(Clone)]
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The reader follows every link to a group, and a group may contain itself: what it will visit is counted before.
fn check_groups(bytes: &Shared) -> Parsed<()> {
    let damaged = |e: hdf5_reader::error::Error| invalid(e.into());
    let file = Hdf5File::from_owner(bytes.clone(), hdf5_reader::OpenOptions::default()).map_err(damaged)?;
    let mut open = vec![(file.root_group().map_err(damaged)?, 0)];
    let (mut groups, mut variables) = (0, 0);
    while let Some((group, depth)) = open.pop() {
        let (children, datasets) = group.members().map_err(damaged)?;
        groups += children.len() as u64;
        variables += datasets.len() as u64;
        ParseError::check("nesting of groups", depth, limits::MAX_NESTING as u64, "MAX_NESTING")?;
        ParseError::check("number of groups", groups, limits::MAX_GROUPS, "MAX_GROUPS")?;
        ParseError::check("number of variables", variables, limits::MAX_VARIABLES, "MAX_VARIABLES")?;
        open.extend(children.into_iter().map(|child| (child, depth + 1)));
    }
    Ok(())
}

fn invalid(e: netcdf_reader::Error) -> ParseError {
    ParseError::Invalid(format!("{e}; the file is damaged or not NetCDF-4, fetch or export it again"))
}

/// The dimensions of the main variable, by role.
struct Axes<'f> {
    presentation: &'f NcDimension,
    neuroid: Option<&'f NcDimension>,
    time: Option<&'f NcDimension>,
    /// Position in the file of presentation, neuroid and time bin.
    order: [Option<usize>; 3],
}

impl<'f> Axes<'f> {
    fn of(main: &'f NcVariable) -> Parsed<Self> {
        let dimensions = main.dimensions();
        let position = |name: &str| dimensions.iter().position(|d| d.name == name);
        let names = dimensions.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(" x ");
        let Some(presentation) = position(PRESENTATION) else {
            return Err(ParseError::Invalid(format!(
                "variable `{}` has the dimensions {names}; an assembly needs `{PRESENTATION}`",
                main.name
            )));
        };
        let time = position(TIME_BIN);
        let rest: Vec<usize> =
            (0..dimensions.len()).filter(|&i| i != presentation && Some(i) != time).collect();
        let neuroid = match rest[..] {
            [] => None,
            [one] => Some(one),
            _ => {
                let problem = format!("variable `{}` with the dimensions {names}", main.name);
                return Err(ParseError::Unsupported(problem, "give presentation x neuroid [x time_bin]"));
            }
        };
        Ok(Axes {
            presentation: &dimensions[presentation],
            neuroid: neuroid.map(|i| &dimensions[i]),
            time: time.map(|i| &dimensions[i]),
            order: [Some(presentation), neuroid, time],
        })
    }

    fn length(&self, axis: usize) -> Parsed<usize> {
        let dimension = [Some(self.presentation), self.neuroid, self.time][axis];
        let size = dimension.map_or(1, |d| d.size);
        ParseError::check("dimension", size, limits::MAX_ELEMENTS, "MAX_ELEMENTS")?;
        Ok(size as usize)
    }

    fn position(&self, name: &str) -> Option<usize> {
        [Some(self.presentation), self.neuroid, self.time]
            .iter()
            .position(|d| d.is_some_and(|d| d.name == name))
    }
}

fn main_variable<'f>(root: &'f NcGroup, name: &str) -> Parsed<&'f NcVariable> {
    let listed: Vec<String> = root
        .variables
        .iter()
        .filter_map(|v| v.attribute("coordinates").and_then(|a| a.value.as_string()))
        .flat_map(|names| names.split_whitespace().map(str::to_string).collect::<Vec<_>>())
        .collect();
    let candidates: Vec<&NcVariable> = root
        .variables
        .iter()
        .filter(|v| v.ndim() > 0 && !listed.contains(&v.name) && !v.is_coordinate_variable())
        .collect();
    let preferred = MAIN_NAMES.iter().copied().chain([name]);
    let by_name = preferred.filter_map(|n| candidates.iter().find(|v| v.name == n).copied()).next();
    let deepest = candidates.iter().map(|v| v.ndim()).max().unwrap_or(0);
    let mut deep = candidates.iter().filter(|v| v.ndim() == deepest && deepest > 1);
    let only = match (deep.next(), deep.next()) {
        (Some(v), None) => Some(*v),
        _ => None,
    };
    by_name.or(only).ok_or_else(|| {
        let names = candidates.iter().map(|v| v.name.as_str()).collect::<Vec<_>>().join(", ");
        ParseError::Invalid(format!(
            "no main variable: none is called `data` and the candidates are [{names}]"
        ))
    })
}

fn identifier(root: &NcGroup, main: &NcVariable) -> Option<String> {
    let of_main = main.attribute("identifier").and_then(|a| a.value.as_string());
    of_main
        .or_else(|| root.attributes.iter().find(|a| a.name == "identifier").and_then(|a| a.value.as_string()))
}

/// Old single-level indexes are stored with a trailing underscore (spec §7.1).
fn column_name(root: &NcGroup, name: &str) -> String {
    match name.strip_suffix('_') {
        Some(stripped) if !stripped.is_empty() && !root.variables.iter().any(|v| v.name == stripped) => {
            stripped.to_string()
        }
        _ => name.to_string(),
    }
}

fn read_main(file: &NcFile, main: &NcVariable, axes: &Axes<'_>) -> Parsed<Array3<f64>> {
    check_elements(main)?;
    let values = read_numbers(file, main)?;
    if values.ndim() != main.ndim() {
        return Err(ParseError::invalid("the main variable's shape and dimensions disagree"));
    }
    let order: Vec<usize> = axes.order.iter().flatten().copied().collect();
    let values = values.permuted_axes(order);
    let shape = (axes.length(0)?, axes.length(1)?, axes.length(2)?);
    let contiguous = values.as_standard_layout().into_owned();
    contiguous
        .into_shape_with_order(shape)
        .map_err(|e| ParseError::Invalid(format!("the main variable's data do not fill its dimensions: {e}")))
}

fn check_elements(variable: &NcVariable) -> Parsed<()> {
    let count = variable.shape().iter().try_fold(1u64, |n, &d| n.checked_mul(d)).unwrap_or(u64::MAX);
    let what = format!("number of elements of variable `{}`", variable.name);
    ParseError::check(&what, count, limits::MAX_ELEMENTS, "MAX_ELEMENTS")
}

fn read_numbers(file: &NcFile, variable: &NcVariable) -> Parsed<ArrayD<f64>> {
    if matches!(variable.dtype(), NcType::String | NcType::Char) {
        return Err(ParseError::Invalid(format!(
            "variable `{}` holds text, numbers are needed",
            variable.name
        )));
    }
    let unpack = variable.attribute("scale_factor").is_some() || variable.attribute("add_offset").is_some();
    if unpack {
        return file.read_variable_unpacked_masked(&variable.name).map_err(invalid);
    }
    let mut values = file.read_variable_as_f64(&variable.name).map_err(invalid)?;
    if let Some(fill) = fill_value(variable) {
        values.mapv_inplace(|v| if v == fill { f64::NAN } else { v });
    }
    Ok(values)
}

fn fill_value(variable: &NcVariable) -> Option<f64> {
    let attribute = variable.attribute("_FillValue").or_else(|| variable.attribute("missing_value"))?;
    attribute.value.as_f64().filter(|f| !f.is_nan())
}

fn read_column(file: &NcFile, variable: &NcVariable) -> Parsed<Values> {
    check_elements(variable)?;
    let name = &variable.name;
    let is_bool = variable.attribute("dtype").and_then(|a: &netcdf_reader::NcAttribute| a.value.as_string());
    Ok(match variable.dtype() {
        NcType::String | NcType::Char => {
            check_text_bytes(file, variable)?;
            Values::Text(file.read_variable_as_strings(name).map_err(invalid)?)
        }
        NcType::Byte if is_bool.as_deref() == Some("bool") => {
            Values::Boolean(flat::<i8>(file, name)?.into_iter().map(|b| b != 0).collect())
        }
        _ if fill_value(variable).is_some() || variable.attribute("scale_factor").is_some() => {
            reals(file, variable)?
        }
        NcType::Byte => integers::<i8>(file, name)?,
        NcType::UByte => integers::<u8>(file, name)?,
        NcType::Short => integers::<i16>(file, name)?,
        NcType::UShort => integers::<u16>(file, name)?,
        NcType::Int => integers::<i32>(file, name)?,
        NcType::UInt => integers::<u32>(file, name)?,
        NcType::Int64 => integers::<i64>(file, name)?,
        NcType::UInt64 => {
            let values = flat::<u64>(file, name)?;
            match values.iter().map(|&v| i64::try_from(v).ok()).collect() {
                Some(values) => Values::Integer(values),
                None => Values::Real(values.into_iter().map(|v| v as f64).collect()),
            }
        }
        NcType::Float | NcType::Double => reals(file, variable)?,
        other => {
            let problem = format!("coordinate `{name}` of type {other:?}");
            return Err(ParseError::Unsupported(problem, "store it as text or numbers"));
        }
    })
}

/// Many references may point at one long string: the sum of their lengths is bounded before any is resolved.
fn check_text_bytes(file: &NcFile, variable: &NcVariable) -> Parsed<()> {
    let Ok(references) = file.read_variable_raw_bytes(&variable.name) else { return Ok(()) };
    let lengths = references.chunks_exact(STRING_REFERENCE_BYTES).filter_map(|r| r.first_chunk::<4>());
    let total: u64 = lengths.map(|b| u64::from(u32::from_le_bytes(*b))).sum();
    let what = format!("text of coordinate `{}` in bytes", variable.name);
    if *variable.dtype() == NcType::String {
        ParseError::check(&what, total, limits::MAX_TEXT_BYTES, "MAX_TEXT_BYTES")?;
    }
    Ok(())
}

fn reals(file: &NcFile, variable: &NcVariable) -> Parsed<Values> {
    Ok(Values::Real(read_numbers(file, variable)?.into_iter().collect()))
}

fn flat<T: NcReadable + Clone>(file: &NcFile, name: &str) -> Parsed<Vec<T>> {
    Ok(file.read_variable::<T>(name).map_err(invalid)?.into_iter().collect())
}

fn integers<T: NcReadable + Clone + Into<i64>>(file: &NcFile, name: &str) -> Parsed<Values> {
    Ok(Values::Integer(flat::<T>(file, name)?.into_iter().map(Into::into).collect()))
}

fn time_bins(time: &Table) -> Parsed<Vec<(f64, f64)>> {
    let numbers = |name: &str| match time.column(name) {
        Some(Values::Integer(v)) => Ok(v.iter().map(|&x| x as f64).collect::<Vec<_>>()),
        Some(Values::Real(v)) => Ok(v.clone()),
        _ => Err(ParseError::Invalid(format!("dimension {TIME_BIN} needs a numeric coordinate `{name}`"))),
    };
    Ok(numbers("time_bin_start")?.into_iter().zip(numbers("time_bin_end")?).collect())
}
