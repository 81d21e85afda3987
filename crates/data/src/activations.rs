//! Activations that someone else computed: layers by stimuli by features.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Array2, ArrayD, Axis};

use crate::arrays::{NpyArray, parse_npy, parse_npz, parse_safetensors};
use crate::assembly::STIMULUS_ID;
use crate::error::{Error, ParseError, Result};
use crate::limits;
use crate::netcdf::parse_assembly;
use crate::table::Values;

/// Column of the neuroids that names the layer in a NetCDF file of several layers.
const LAYER: &str = "layer";
/// Further names under which files carry the stimuli's identifiers.
const ID_NAMES: [&str; 4] = [STIMULUS_ID[0], STIMULUS_ID[1], "stimulus_ids", "ids"];
/// Where the JSON header of a safetensors file begins: behind its length.
const SAFETENSORS_HEADER_AT: usize = 8;

type Parsed<T> = std::result::Result<T, ParseError>;

/// Activations of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Activations {
    /// Identifier of each stimulus, if the file has them; otherwise rows are in the order of the stimulus set.
    pub ids: Option<Vec<String>>,
    /// Start and end in ms of each time bin; empty without a time axis. With one, rows are bins x stimuli, bins slowest.
    pub time_bins: Vec<[f64; 2]>,
    /// Name and values (stimulus x feature) of each layer, in file order (safetensors: sorted by name).
    pub layers: Vec<(String, Array2<f32>)>,
    /// The layers whose numbers 32 bit would round, as they are in the file.
    pub exact: BTreeMap<String, Array2<f64>>,
}

impl Activations {
    fn of(ids: Option<Vec<String>>, time_bins: Vec<[f64; 2]>, layers: Vec<(String, Array2<f64>)>) -> Self {
        let rounded = layers.iter().map(|(name, values)| (name.clone(), values.mapv(|v| v as f32))).collect();
        let is_rounded =
            |values: &Array2<f64>| values.iter().any(|&v| f64::from(v as f32) != v && !v.is_nan());
        let exact = layers.into_iter().filter(|(_, values)| is_rounded(values)).collect();
        Self { ids, time_bins, layers: rounded, exact }
    }
}

/// Reads activations from an npy, npz, safetensors or NetCDF file, told apart by its first bytes.
///
/// The first axis is the stimuli; further axes are flattened, last axis fastest. An npy file is one layer with the name
/// of the file. Identifiers come from an array of text (npz) or a JSON list in the metadata (safetensors) called
/// `stimulus_id`, or from the coordinate of that name (NetCDF, where a coordinate `layer` separates the layers). Only NetCDF files
/// have time bins.
///
/// # Errors
/// [`Error::Io`], or [`Error::Parse`] for damaged files, sizes beyond [`crate::limits`], no layer, or layers and
/// identifiers of different lengths.
pub fn read_activations(path: &Path) -> Result<Activations> {
    let bytes = crate::files::read_file(path, limits::MAX_FILE_BYTES, "MAX_FILE_BYTES")?;
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    parse_activations(bytes, &name).map_err(|e| Error::parse(path, "activations", e))
}

/// [`read_activations`] from bytes; `name` is the layer of an npy file.
///
/// # Errors
/// [`ParseError`] as there.
pub fn parse_activations(bytes: Vec<u8>, name: &str) -> Parsed<Activations> {
    let activations = if bytes.starts_with(b"\x93NUMPY") {
        from_npy(&bytes, name)?
    } else if bytes.starts_with(b"PK") {
        from_npz(&bytes)?
    } else if bytes.starts_with(b"\x89HDF") || bytes.starts_with(b"CDF") {
        from_netcdf(bytes, name)?
    } else if bytes.get(SAFETENSORS_HEADER_AT).is_some_and(|byte| *byte != b'{') {
        return Err(ParseError::invalid(
            "its first bytes are those of no npy, npz, safetensors or NetCDF file; save the array with numpy.save",
        ));
    } else {
        from_safetensors(&bytes)?
    };
    check(activations)
}

fn check(activations: Activations) -> Parsed<Activations> {
    let Some((first, values)) = activations.layers.first() else {
        return Err(ParseError::invalid("there is no layer in it"));
    };
    let bins = activations.time_bins.len().max(1);
    let stimuli = values.nrows();
    if let Some((name, other)) = activations.layers.iter().find(|(_, v)| v.nrows() != stimuli) {
        let problem = format!("layer `{first}` has {stimuli} stimuli, layer `{name}` has {}", other.nrows());
        return Err(ParseError::Invalid(problem));
    }
    match &activations.ids {
        Some(ids) if ids.len() * bins != stimuli => {
            Err(ParseError::Invalid(format!("{} identifiers for {} stimuli", ids.len(), stimuli / bins)))
        }
        _ => Ok(activations),
    }
}

/// Stimulus x feature: every axis but the first flattened.
fn flatten<T: Clone>(name: &str, values: ArrayD<T>) -> Parsed<Array2<T>> {
    let Some(&stimuli) = values.shape().first() else {
        return Err(ParseError::Invalid(format!("layer `{name}` is a single number")));
    };
    let features: usize = values.shape().iter().skip(1).product();
    let values = values.as_standard_layout().into_owned().into_shape_with_order((stimuli, features));
    values.map_err(|e| ParseError::Invalid(format!("layer `{name}`: {e}")))
}

fn from_npy(bytes: &[u8], name: &str) -> Parsed<Activations> {
    match parse_npy(bytes)? {
        NpyArray::Numeric(array) => {
            let layers = vec![(name.to_string(), flatten(name, array.to_f64())?)];
            Ok(Activations::of(None, Vec::new(), layers))
        }
        NpyArray::Text(_) => Err(ParseError::invalid("it holds text, numbers are needed")),
    }
}

fn from_npz(bytes: &[u8]) -> Parsed<Activations> {
    let (mut ids, mut layers) = (None, Vec::new());
    for (name, array) in parse_npz(bytes)? {
        match array {
            NpyArray::Text(texts) if ID_NAMES.contains(&name.as_str()) => ids = Some(texts),
            NpyArray::Text(_) => {
                let problem = format!("array `{name}` holds text; only identifiers called `stimulus_id` may");
                return Err(ParseError::Invalid(problem));
            }
            NpyArray::Numeric(array) => {
                let values = flatten(&name, array.to_f64())?;
                layers.push((name, values));
            }
        }
    }
    Ok(Activations::of(ids, Vec::new(), layers))
}

fn from_safetensors(bytes: &[u8]) -> Parsed<Activations> {
    let file = parse_safetensors(bytes)?;
    let list = file.metadata.iter().find(|(key, _)| ID_NAMES.contains(&key.as_str()));
    let ids = list.map(|(key, text)| {
        serde_json::from_str::<Vec<String>>(text)
            .map_err(|e| ParseError::Invalid(format!("metadata `{key}` is not a JSON list of texts: {e}")))
    });
    let layer = |(name, array): &(String, crate::arrays::NumericArray)| {
        Ok((name.clone(), flatten(name, array.to_f64())?))
    };
    let layers = file.tensors.iter().map(layer).collect::<Parsed<_>>()?;
    Ok(Activations::of(ids.transpose()?, Vec::new(), layers))
}

fn from_netcdf(bytes: Vec<u8>, name: &str) -> Parsed<Activations> {
    let assembly = parse_assembly(bytes, name)?;
    let bins = assembly.values.dim().2;
    if bins != 1 && assembly.time_bins.len() != bins {
        let problem = format!("{bins} time bins without time_bin_start and time_bin_end");
        return Err(ParseError::Unsupported(problem, "add these coordinates"));
    }
    let time_bins = match bins {
        1 => Vec::new(),
        _ => assembly.time_bins.iter().map(|&(start, end)| [start, end]).collect(),
    };
    let ids = assembly.stimulus_ids().ok();
    let of_bins: Vec<_> = assembly.values.axis_iter(Axis(2)).collect();
    let values = ndarray::concatenate(Axis(0), &of_bins).map_err(|e| ParseError::Invalid(e.to_string()))?;
    let Some(labels) = assembly.neuroid.column(LAYER).map(Values::to_text) else {
        return Ok(Activations::of(ids, time_bins, vec![(assembly.identifier, values)]));
    };
    let mut order: Vec<(String, Vec<usize>)> = Vec::new();
    let mut positions = std::collections::HashMap::new();
    for (column, label) in labels.into_iter().enumerate() {
        let position = *positions.entry(label.clone()).or_insert(order.len());
        if position == order.len() {
            order.push((label, Vec::new()));
        }
        order[position].1.push(column);
    }
    let layers =
        order.into_iter().map(|(label, columns)| (label, values.select(Axis(1), &columns))).collect();
    Ok(Activations::of(ids, time_bins, layers))
}
