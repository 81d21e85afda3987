//! Reading `[assembly]`, `[neuroids]` and `[repeats]` into responses by presentation and neuroid.

use std::path::Path;

use ndarray::{Array2, Array3, ArrayD, Axis, Ix3, s};

use super::card::{ArrayAxis, ArrayFormat, AssemblyCard, BenchmarkCard};
use super::locate::{ArrayFile, Roots};
use crate::arrays::NumericArray;
use crate::assembly::{Assembly, REPETITION, STIMULUS_ID};
use crate::error::{Error, Result};
use crate::netcdf::read_assembly;
use crate::table::{Table, Values, read_table};

use super::time::{self, OverTime};

/// Column of the neuroids' names.
pub(super) const NEUROID_ID: &str = "neuroid_id";
/// Column of the labels that a MATLAB file gives to neuroids.
const LABEL: &str = "label";

/// Responses before they are matched with stimuli.
pub(super) struct Recording {
    /// The file, for messages.
    pub(super) path: std::path::PathBuf,
    /// Presentation x neuroid.
    pub(super) values: Array2<f64>,
    /// Repetition x presentation x neuroid.
    pub(super) repeats: Option<Array3<f64>>,
    /// Identifiers of the rows, if the file has them.
    pub(super) ids: Option<Vec<String>>,
    /// Labels of the rows.
    pub(super) presentation: Table,
    /// Labels of the columns.
    pub(super) neuroid: Table,
    /// Which neuroids of the file the columns are.
    pub(super) kept: Vec<usize>,
    /// Number of neuroids in the file.
    pub(super) in_file: usize,
    /// What was left out.
    pub(super) notes: Vec<String>,
    /// Start and end of the time bins the columns are of, when known.
    pub(super) bins: Vec<[f64; 2]>,
}

pub(super) fn read(card: &BenchmarkCard, roots: &Roots<'_>) -> Result<Recording> {
    let path = roots.path("assembly", &card.assembly.file, &card.assembly.data)?;
    super::time::check_neuroids(card.time.as_ref(), &card.neuroids, roots)?;
    let mut recording = match card.assembly.format {
        ArrayFormat::Nc => from_assembly(&path, read_assembly(&path)?, card, roots)?,
        ArrayFormat::Csv => from_assembly(&path, table_assembly(&path)?, card, roots)?,
        ArrayFormat::Npy | ArrayFormat::Mat => from_array(&path, card, roots)?,
    };
    recording = recording.check_not_empty()?;
    recording.in_file = recording.values.ncols();
    if let Some(repeats) = &card.repeats {
        recording.repeats = Some(read_repeats(repeats, &recording, roots)?);
    }
    select_neuroids(&mut recording, card, roots)?;
    Ok(recording)
}

fn from_assembly(
    path: &Path,
    mut assembly: Assembly,
    card: &BenchmarkCard,
    roots: &Roots<'_>,
) -> Result<Recording> {
    let invalid = |e| Error::parse(path, "assembly", e);
    let ignore = &card.assembly.ignore;
    for name in ignore {
        if assembly.presentation.column(name).is_none() {
            let problem =
                format!("there is no coordinate `{name}`; there are: {}", assembly.presentation.names());
            return Err(roots.field("assembly.ignore", &problem));
        }
    }
    let ignored: Vec<&str> = ignore.iter().map(String::as_str).collect();
    assembly.presentation = assembly.presentation.without(&ignored);
    let repeated = assembly.presentation.column(REPETITION).is_some();
    let averaged = if repeated { Some(assembly.average_repetitions().map_err(invalid)?) } else { None };
    let (averaged, repeated) = match averaged {
        Some(averaged) => (averaged, Some(assembly)),
        None => (assembly, None),
    };
    let OverTime { values, repeats, neuroid, bins } = match &card.time {
        Some(time) if card.assembly.time_bin.is_none() => {
            time::of_assembly(time, &averaged, repeated.as_ref(), roots)?
        }
        Some(_) => return Err(roots.field("assembly.time_bin", "and [time] exclude each other; keep one")),
        None => {
            let bin = time_bin(&averaged, &card.assembly, roots)?;
            OverTime {
                values: averaged.values.slice(s![.., .., bin]).to_owned(),
                repeats: repeated.map(|assembly| assembly.repeats(bin)).transpose().map_err(invalid)?,
                bins: averaged.time_bins.get(bin).map(|&(start, end)| [start, end]).into_iter().collect(),
                neuroid: averaged.neuroid.clone(),
            }
        }
    };
    Ok(Recording {
        path: path.to_path_buf(),
        values,
        repeats,
        ids: Some(averaged.stimulus_ids().map_err(invalid)?),
        presentation: averaged.presentation,
        kept: (0..neuroid.len()).collect(),
        in_file: neuroid.len(),
        neuroid,
        notes: Vec::new(),
        bins,
    })
}

fn time_bin(assembly: &Assembly, card: &AssemblyCard, roots: &Roots<'_>) -> Result<usize> {
    let bins = &assembly.time_bins;
    match card.time_bin {
        None if bins.len() <= 1 => Ok(0),
        None => {
            let shown: Vec<_> = bins.iter().take(20).collect();
            let problem =
                format!("or a section [time] is needed, the file has {} bins: {shown:?}", bins.len());
            Err(roots.field("assembly.time_bin", &problem))
        }
        Some([start, end]) => bins.iter().position(|&b| b == (start, end)).ok_or_else(|| {
            roots.field("assembly.time_bin", &format!("is not in the file, which has {bins:?}"))
        }),
    }
}

/// An assembly from a table: labels, and one column of numbers per neuroid.
fn table_assembly(path: &Path) -> Result<Assembly> {
    let table = read_table(path)?;
    let invalid = |e| Error::parse(path, "table of responses", e);
    let mut presentation = Table::new(table.len());
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    for column in table.columns() {
        let label = STIMULUS_ID.contains(&column.name.as_str()) || column.name == REPETITION;
        match &column.values {
            values if label => presentation.push(column.name.as_str(), values.clone()).map_err(invalid)?,
            Values::Integer(v) => columns.push(v.iter().map(|&x| x as f64).collect::<Vec<f64>>()),
            Values::Real(v) => columns.push(v.clone()),
            values => return Err(Error::field(path, column.name.as_str(), no_numbers(values))),
        }
        if !label {
            names.push(column.name.clone());
        }
    }
    let mut neuroid = Table::new(names.len());
    neuroid.push(NEUROID_ID, Values::Text(names)).map_err(invalid)?;
    let values = Array3::from_shape_fn((table.len(), columns.len(), 1), |(i, j, _)| columns[j][i]);
    Ok(Assembly {
        identifier: path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        values,
        presentation,
        neuroid,
        time_bins: Vec::new(),
        neuroid_axis: "neuroid".into(),
        extra_groups: Vec::new(),
    })
}

/// What is wrong with a column of a neuroid that holds something else than numbers.
fn no_numbers(values: &Values) -> String {
    let cells = values.to_text();
    let wrong = |(_, cell): &(usize, &String)| !cell.is_empty() && cell.parse::<f64>().is_err();
    let found = match cells.iter().enumerate().find(wrong) {
        Some((row, cell)) => format!("has `{cell}` in row {} below the head", row + 1),
        None => "is empty".to_owned(),
    };
    format!(
        "{found}; a column is `stimulus_id`, `repetition`, or the numbers of a neuroid: correct it or remove the column"
    )
}

fn from_array(path: &Path, card: &BenchmarkCard, roots: &Roots<'_>) -> Result<Recording> {
    let invalid = |e| Error::parse(path, "array", e);
    let file = ArrayFile::open(path)?;
    let array = file.numeric(roots, "assembly.variable", &card.assembly.variable)?;
    let default = [ArrayAxis::Presentation, ArrayAxis::Neuroid];
    let axes = card.assembly.axes.as_deref().unwrap_or(&default);
    let order = [ArrayAxis::Presentation, ArrayAxis::Neuroid];
    let cube = match &card.time {
        Some(_) => {
            let order = [ArrayAxis::Presentation, ArrayAxis::Neuroid, ArrayAxis::TimeBin];
            permuted(array, axes, &order, roots, "assembly.axes")?
        }
        None => permuted(array, axes, &order, roots, "assembly.axes")?.insert_axis(Axis(2)),
    };
    let cube = cube.into_dimensionality::<Ix3>().map_err(|e| roots.field("assembly.axes", &e.to_string()))?;
    let (presentations, neuroids, _) = cube.dim();
    let mut neuroid = Table::new(neuroids);
    let names = (0..neuroids).map(|i| i.to_string()).collect();
    neuroid.push(NEUROID_ID, Values::Text(names)).map_err(invalid)?;
    let (mut presentation, mut ids) = (Table::new(presentations), None);
    if let Some(variable) = &card.assembly.presentation_ids {
        let field = "assembly.presentation_ids";
        let ArrayFile::Mat(mat) = &file else {
            return Err(roots.field(field, "works for format `mat` only; remove it"));
        };
        let texts = mat.texts(variable).map_err(|e| roots.field(field, &e))?;
        check_length(path, "identifiers of presentations", texts.len(), presentations, "presentations")?;
        presentation.push(STIMULUS_ID[0], Values::Text(texts.clone())).map_err(invalid)?;
        ids = Some(texts);
    }
    if let Some(labels) = neuroid_labels(&file, card, roots)? {
        check_length(path, "labels of neuroids", labels.len(), neuroids, "neuroids")?;
        neuroid.push(LABEL, Values::Text(labels)).map_err(invalid)?;
    }
    let OverTime { values, neuroid, bins, .. } = match &card.time {
        Some(time) => array_over_time(path, time, cube.view(), &neuroid, roots)?,
        None => {
            OverTime { values: cube.index_axis_move(Axis(2), 0), repeats: None, neuroid, bins: Vec::new() }
        }
    };
    Ok(Recording {
        path: path.to_path_buf(),
        values,
        repeats: None,
        ids,
        presentation,
        kept: (0..neuroid.len()).collect(),
        in_file: neuroid.len(),
        neuroid,
        notes: Vec::new(),
        bins,
    })
}

fn array_over_time(
    path: &Path,
    time: &super::TimeCard,
    cube: ndarray::ArrayView3<'_, f64>,
    neuroid: &Table,
    roots: &Roots<'_>,
) -> Result<OverTime> {
    let field = "time.bins";
    let bins = time.bins.as_deref();
    let bins = bins.ok_or_else(|| roots.field(field, "is missing; give start and end of each bin in ms"))?;
    check_length(path, "time bins", cube.dim().2, bins.len(), "time.bins has")?;
    let bins: Vec<(f64, f64)> = bins.iter().map(|&[start, end]| (start, end)).collect();
    if let Some(bin) =
        bins.iter().find(|(start, end)| start.partial_cmp(end) != Some(std::cmp::Ordering::Less))
    {
        return Err(roots.field(field, &format!("{bin:?} does not end after it begins")));
    }
    let chosen = time::chosen(time, &bins, roots)?;
    time::columns(time.mode, &chosen, &bins, cube, None, neuroid)
        .map_err(|e| Error::parse(path, "time bins", e))
}

fn neuroid_labels(file: &ArrayFile, card: &BenchmarkCard, roots: &Roots<'_>) -> Result<Option<Vec<String>>> {
    let (field, neuroids) = ("neuroids.labels", &card.neuroids);
    let Some(variable) = &neuroids.labels else { return Ok(None) };
    let ArrayFile::Mat(mat) = file else {
        return Err(roots.field(field, "works for format `mat` only; remove it"));
    };
    let Some(names) = &neuroids.names else {
        let texts = mat.texts(variable).map_err(|e| roots.field(field, &e))?;
        return Ok(Some(texts));
    };
    let names = mat.texts(names).map_err(|e| roots.field("neuroids.names", &e))?;
    let codes = mat.numeric(variable).map_err(|e| roots.field(field, &e))?.numbers().to_f64();
    let name = |&code: &f64| {
        let index = (code >= 1.0 && code.fract() == 0.0).then_some(code as usize - 1);
        index.and_then(|i| names.get(i).cloned()).ok_or_else(|| {
            roots.field(field, &format!("label {code} stands for none of the {} names", names.len()))
        })
    };
    codes.iter().map(name).collect::<Result<_>>().map(Some)
}

/// The array as f64 with its axes in `order`; `axes` says what they are in the file.
fn permuted(
    array: &NumericArray,
    axes: &[ArrayAxis],
    order: &[ArrayAxis],
    roots: &Roots<'_>,
    field: &str,
) -> Result<ArrayD<f64>> {
    let position = |wanted: &ArrayAxis| axes.iter().position(|a| a == wanted);
    let permutation: Option<Vec<usize>> = order.iter().map(position).collect();
    let Some(permutation) = permutation.filter(|_| axes.len() == order.len()) else {
        let list =
            |axes: &[ArrayAxis]| axes.iter().map(|axis| format!("\"{axis}\"")).collect::<Vec<_>>().join(", ");
        let advice = match (axes.contains(&ArrayAxis::Repetition), axes.contains(&ArrayAxis::TimeBin)) {
            (true, _) if !order.contains(&ArrayAxis::Repetition) => {
                "; average the repetitions here, and give them in a file of their own under [repeats]"
            }
            (_, true) if !order.contains(&ArrayAxis::TimeBin) => "; time bins need a section [time]",
            _ => "",
        };
        let problem =
            format!("is [{}]; [{}] are needed, each once, in any order{advice}", list(axes), list(order));
        return Err(roots.field(field, &problem));
    };
    if array.shape().len() != axes.len() {
        let problem = format!("names {} axes, the array has the shape {:?}", axes.len(), array.shape());
        return Err(roots.field(field, &problem));
    }
    Ok(array.to_f64().permuted_axes(permutation).as_standard_layout().into_owned())
}

fn read_repeats(
    card: &super::card::RepeatsCard,
    recording: &Recording,
    roots: &Roots<'_>,
) -> Result<Array3<f64>> {
    if !matches!(card.format, ArrayFormat::Npy | ArrayFormat::Mat) {
        return Err(roots.field(
            "repeats.format",
            "must be `npy` or `mat`; assemblies carry their repetitions themselves",
        ));
    }
    let path = roots.path("repeats", &card.file, &card.data)?;
    let file = ArrayFile::open(&path)?;
    let array = file.numeric(roots, "repeats.variable", &card.variable)?;
    let order = [ArrayAxis::Repetition, ArrayAxis::Presentation, ArrayAxis::Neuroid];
    let cube = permuted(array, &card.axes, &order, roots, "repeats.axes")?
        .into_dimensionality::<Ix3>()
        .map_err(|e| roots.field("repeats.axes", &e.to_string()))?;
    let (presentations, neuroids) = recording.values.dim();
    check_length(&path, "presentations", cube.dim().1, presentations, "the assembly")?;
    check_length(&path, "neuroids", cube.dim().2, neuroids, "the assembly")?;
    Ok(cube)
}

pub(super) fn check_length(
    path: &Path,
    what: &str,
    found: usize,
    expected: usize,
    reason: &str,
) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let (what, reason) = (what.to_string(), format!("as many as {reason}"));
    Err(Error::Shape { path: path.to_path_buf(), what, found, expected, reason })
}

fn select_neuroids(recording: &mut Recording, card: &BenchmarkCard, roots: &Roots<'_>) -> Result<()> {
    let neuroids = &card.neuroids;
    if let Some(select) = &neuroids.select {
        let default = if neuroids.labels.is_some() { LABEL } else { NEUROID_ID };
        let column = neuroids.column.as_deref().unwrap_or(default);
        let labels = recording.neuroid.column(column).map(Values::to_text).ok_or_else(|| {
            let problem = format!("there is no column `{column}`; there are: {}", recording.neuroid.names());
            roots.field("neuroids.column", &problem)
        })?;
        if let Some(absent) = select.iter().find(|s| !labels.contains(s)) {
            let mut known = labels.clone();
            known.sort();
            known.dedup();
            known.truncate(20);
            let problem = format!("no neuroid has {column} `{absent}`; there are: {}", known.join(", "));
            return Err(roots.field("neuroids.select", &problem));
        }
        keep(recording, |i, _| select.contains(&labels[i]));
    } else if neuroids.column.is_some() {
        return Err(roots.field("neuroids.column", "needs `select`; add it"));
    }
    if !neuroids.exclude.is_empty() {
        let ids = neuroid_ids(&recording.neuroid);
        if let Some(absent) = neuroids.exclude.iter().find(|e| !ids.contains(e)) {
            return Err(roots.field("neuroids.exclude", &format!("there is no neuroid `{absent}`")));
        }
        keep(recording, |i, _| !neuroids.exclude.contains(&ids[i]));
        recording.notes.push(format!("{} neuroids are left out by the card", neuroids.exclude.len()));
    }
    note_constant(recording, neuroids.exclude_constant);
    if recording.kept.is_empty() {
        return Err(roots.field("neuroids", "no neuroid is left; select others"));
    }
    Ok(())
}

/// Constant neuroids have no correlation with anything: they are named, and left out if the card says so.
fn note_constant(recording: &mut Recording, exclude: bool) {
    let ids = neuroid_ids(&recording.neuroid);
    let constant: Vec<bool> =
        recording.values.columns().into_iter().map(|c| c.iter().all(|v| *v == c[0])).collect();
    let names: Vec<&str> =
        ids.iter().zip(&constant).filter(|(_, c)| **c).map(|(id, _)| id.as_str()).collect();
    if names.is_empty() {
        return;
    }
    let (count, shown) = (names.len(), names.iter().take(10).copied().collect::<Vec<_>>().join(", "));
    let fate = if exclude { "left out" } else { "scored NaN, which the median leaves out" };
    recording.notes.push(format!("{count} neuroids respond the same to everything and are {fate}: {shown}"));
    if exclude {
        keep(recording, |i, _| !constant[i]);
    }
}

fn keep(recording: &mut Recording, predicate: impl Fn(usize, usize) -> bool) {
    let chosen: Vec<usize> = (0..recording.kept.len()).filter(|&i| predicate(i, recording.kept[i])).collect();
    recording.values = recording.values.select(Axis(1), &chosen);
    recording.repeats = recording.repeats.take().map(|cube| cube.select(Axis(2), &chosen));
    recording.neuroid = recording.neuroid.select(&chosen).unwrap_or_default();
    recording.kept = chosen.into_iter().map(|i| recording.kept[i]).collect();
}

/// Names of the neuroids, or their positions.
pub(super) fn neuroid_ids(table: &Table) -> Vec<String> {
    let positions = || (0..table.len()).map(|i| i.to_string()).collect();
    table.column(NEUROID_ID).map(Values::to_text).unwrap_or_else(positions)
}
