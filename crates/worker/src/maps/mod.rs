//! Map units: the RSMs of a range of neighbourhoods, compared with layers.

mod load;
mod run;
mod scans;

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, stack};
use ventral_metrics::rdm;
use ventral_plan::{MapSource, MapUnit, SearchlightSpec};
use ventral_searchlight::{
    Comparison, LayerDesign, LayerRsms, Permutations, RangeMap, Residual, ResidualMap, RsmKind,
    ceiling_range, image_permutations, map_range_parallel, odd_even, permute_range, reliability_range,
};
use ventral_store::{MapRecord, PermutationRecord};

use crate::score::load_gram;
use crate::{Error, Execution};

pub(crate) use load::Voxels;
pub use load::{MapCache, Scans};
pub(crate) use run::map_all;
pub(crate) use scans::of_scan;

/// Conditions up to which the RSMs of the layers are kept for figures.
const MAX_DRAWN_CONDITIONS: usize = 128;

/// Layers as a map compares with them.
pub(crate) struct Layers {
    rsms: LayerRsms,
    null: Option<(ResidualMap, Permutations)>,
}

/// Computes and stores a map unit; `progress` gets the number of centres done since it was last called.
///
/// # Errors
/// [`Error::NoGram`] as for scores; [`Error::Data`] for volumes that cannot be read any more; [`Error::Map`] where layers or
/// neighbourhoods have no maps.
pub fn execute(
    execution: &Execution<'_>,
    unit: &MapUnit,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(), Error> {
    let threads = execution.plan.map_threads(unit, execution.memory_bytes, execution.threads);
    if threads >= execution.threads {
        return compute_and_store(execution, unit, progress);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Mismatch(format!("cannot start {threads} threads: {error}")))?;
    pool.install(|| compute_and_store(execution, unit, progress))
}

fn compute_and_store(
    execution: &Execution<'_>,
    unit: &MapUnit,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(), Error> {
    let spec = spec_of(execution)?;
    let voxels = execution.scans.cache().voxels(execution.scans, spec, unit.scan, unit.subject)?;
    let range = unit.centres[0]..unit.centres[1];
    if range.is_empty() || range.end > voxels.neighbourhoods.centres() {
        return Err(Error::Mismatch(format!(
            "{}: there are {} centres; the files are not those that were planned for",
            execution.plan.map_title(unit),
            voxels.neighbourhoods.centres()
        )));
    }
    let mut record = match unit.source {
        MapSource::Model(_) | MapSource::Rdms => {
            let layers =
                execution.scans.cache().layers((unit.source, unit.scan), || layers_of(execution, unit))?;
            compared(execution, unit, &voxels, &layers, progress)?
        }
        MapSource::Reliability => reliability(execution, unit, &voxels)?,
        MapSource::Ceiling => ceiling(execution, unit, &voxels)?,
    };
    if !matches!(unit.source, MapSource::Model(_) | MapSource::Rdms) {
        progress(range.len());
    }
    record.first = range.start as u64;
    record.places = voxels.places[range].to_vec();
    execution.put(&unit.digest, &record.encode())
}

fn spec_of<'a>(execution: &Execution<'a>) -> Result<&'a SearchlightSpec, Error> {
    let missing = || Error::Mismatch("the plan has maps and its spec has no [searchlight]".to_owned());
    execution.plan.spec.searchlight.as_ref().ok_or_else(missing)
}

/// What a message about a unit begins with.
fn named(execution: &Execution<'_>, unit: &MapUnit) -> impl Fn(ventral_searchlight::Error) -> Error {
    let context = execution.plan.map_title(unit);
    move |source| Error::Map { context: context.clone(), source }
}

fn compared(
    execution: &Execution<'_>,
    unit: &MapUnit,
    voxels: &Voxels,
    layers: &Layers,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<MapRecord, Error> {
    let options = spec_of(execution)?.options();
    let named = named(execution, unit);
    let patterns = voxels.only(execution, unit)?;
    let range = unit.centres[0]..unit.centres[1];
    let hoods = &voxels.neighbourhoods;
    let map = map_range_parallel(patterns, hoods, range.clone(), &layers.rsms, &options, progress)
        .map_err(&named)?;
    let null = layers.null.as_ref().map(|(method, permutations)| {
        let observed = method.apply(map.values.view())?;
        permute_range(patterns, hoods, range, permutations, observed.view(), &options)
    });
    let null = null.transpose().map_err(&named)?;
    let permutation = null.map(|null| PermutationRecord { exceed: null.reached, max: null.maxima });
    let record = of_map(map, layers.rsms.names().to_vec());
    let drawn = unit.centres[0] == 0 && layers.rsms.images() <= MAX_DRAWN_CONDITIONS;
    let rsms = if drawn { layers.rsms.vectors().mapv(|value| value as f32) } else { Array2::zeros((0, 0)) };
    Ok(MapRecord { correlation: layers.rsms.correlations().to_owned(), rsms, permutation, ..record })
}

fn of_map(map: RangeMap, columns: Vec<String>) -> MapRecord {
    MapRecord {
        columns,
        first: 0,
        places: Vec::new(),
        values: map.values.mapv(|value| value as f32),
        voxels: map.voxels,
        too_small: map.too_small as u64,
        undefined: map.undefined as u64,
        correlation: Array2::zeros((0, 0)),
        rsms: Array2::zeros((0, 0)),
        permutation: None,
    }
}

fn reliability(execution: &Execution<'_>, unit: &MapUnit, voxels: &Voxels) -> Result<MapRecord, Error> {
    let spec = spec_of(execution)?;
    let patterns = match &voxels.runs {
        Some(runs) => runs,
        None => voxels.only(execution, unit)?,
    };
    let halves = odd_even(patterns.runs());
    let range = unit.centres[0]..unit.centres[1];
    let hoods = &voxels.neighbourhoods;
    let options = spec.options();
    let found = reliability_range(patterns, &halves, hoods, range.clone(), spec.comparison, &options);
    let found = found.map_err(named(execution, unit))?;
    let names = ["halves", "reliability"];
    Ok(of_columns(voxels, range, options.minimum_voxels, names, [&found.halves, &found.corrected]))
}

fn ceiling(execution: &Execution<'_>, unit: &MapUnit, voxels: &Voxels) -> Result<MapRecord, Error> {
    let spec = spec_of(execution)?;
    let range = unit.centres[0]..unit.centres[1];
    let options = spec.options();
    let hoods = &voxels.neighbourhoods;
    let found = ceiling_range(&voxels.patterns, hoods, range.clone(), spec.comparison, &options);
    let found = found.map_err(named(execution, unit))?;
    let names = ["lower", "upper"];
    Ok(of_columns(voxels, range, options.minimum_voxels, names, [&found.lower, &found.upper]))
}

/// A record of two columns, which are undefined where the first is.
fn of_columns(
    voxels: &Voxels,
    range: Range<usize>,
    minimum: usize,
    names: [&str; 2],
    columns: [&Vec<f64>; 2],
) -> MapRecord {
    let mut members = Vec::new();
    let sizes = range.map(|centre| {
        voxels.neighbourhoods.members(centre, &mut members);
        members.len() as u32
    });
    let sizes: Vec<u32> = sizes.collect();
    let small = |size: u32| (size as usize) < minimum;
    let missing =
        columns[0].iter().zip(&sizes).filter(|(value, size)| value.is_nan() && !small(**size)).count();
    let values = Array2::from_shape_fn((sizes.len(), 2), |(centre, column)| columns[column][centre]);
    let map = RangeMap {
        values,
        too_small: sizes.iter().filter(|size| small(**size)).count(),
        undefined: missing,
        voxels: sizes,
    };
    of_map(map, names.map(str::to_owned).to_vec())
}

/// The layers of a unit: those of its model from their Grams, or the given RDMs.
fn layers_of(execution: &Execution<'_>, unit: &MapUnit) -> Result<Arc<Layers>, Error> {
    let spec = spec_of(execution)?;
    let scan = execution.scans.scan(unit.scan)?;
    let (names, vectors) = match unit.source {
        MapSource::Model(model) => model_vectors(execution, unit, model, &scan.pools, spec.rsm)?,
        _ => given_vectors(&scan.rdms, spec),
    };
    let views: Vec<_> = vectors.iter().map(|vector| vector.view()).collect();
    let vectors = stack(ndarray::Axis(0), &views).map_err(|error| Error::Mismatch(error.to_string()))?;
    let context = format!("{} and {}", execution.plan.map_source(unit), scan.identifier());
    let named = |source| Error::Map { context: context.clone(), source };
    let images = scan.conditions.len();
    let rsms = LayerRsms::new(names, images, vectors, spec.comparison).map_err(named)?;
    Ok(Arc::new(Layers { null: null_of(spec, &rsms).map_err(named)?, rsms }))
}

/// Permutations for the last method that these layers allow; without them the raw maps and the others are still right.
fn null_of(
    spec: &SearchlightSpec,
    rsms: &LayerRsms,
) -> Result<Option<(ResidualMap, Permutations)>, ventral_searchlight::Error> {
    if spec.permutations == 0 {
        return Ok(None);
    }
    let names = rsms.names().to_vec();
    let design = if rsms.comparison().has_residuals() {
        LayerDesign::new(rsms)?
    } else {
        // Raw values alone: the spec was checked for it.
        LayerDesign::from_correlations(names, Array2::eye(rsms.layers()))?
    };
    // Raw maps are always possible.
    let methods = spec.methods.iter().rev().map(|method| spec.residual(*method)).chain([Residual::Raw]);
    let too_alike =
        |found: &Result<ResidualMap, _>| matches!(found, Err(ventral_searchlight::Error::Collinear { .. }));
    let prepared =
        methods.map(|method| design.prepare(method)).find(|found| !too_alike(found)).transpose()?;
    let Some(method) = prepared else { return Ok(None) };
    let orders = image_permutations(rsms.images(), spec.permutations, spec.seed)?;
    let permutations = Permutations::new(rsms, &method, orders)?;
    Ok(Some((method, permutations)))
}

type Vectors = (Vec<String>, Vec<ndarray::Array1<f64>>);

/// Similarities of the conditions in each layer; features of the images of a condition, and of a model's time bins, are averaged.
fn model_vectors(
    execution: &Execution<'_>,
    unit: &MapUnit,
    model: usize,
    pools: &[Vec<usize>],
    rsm: RsmKind,
) -> Result<Vectors, Error> {
    let facts = &execution.plan.models[model];
    let scan = &execution.plan.scans[unit.scan];
    let stimuli = scan.stimuli.as_ref().map_or(0, |stimuli| stimuli.count);
    let bins = facts.time_bins.len().max(1);
    let over_time = |pool: &Vec<usize>| {
        (0..bins).flat_map(|bin| pool.iter().map(move |row| bin * stimuli + row)).collect()
    };
    let pools: Vec<Vec<usize>> = pools.iter().map(over_time).collect();
    let mut names = Vec::new();
    let mut vectors = Vec::new();
    for (name, gram) in execution.plan.map_grams(unit) {
        let context =
            |source| Error::Metric { context: format!("{}, layer {name}", facts.identifier), source };
        let gram = load_gram(execution, gram)?;
        let distances = gram.pooled(&pools).and_then(|gram| rdm(&gram)).map_err(context)?;
        if distances.iter().any(|distance| distance.is_nan()) {
            return Err(Error::Mismatch(format!(
                "{}, layer {name}: all features are equal for a condition of {}, which has no correlation; leave the layer out",
                facts.identifier, scan.identifier
            )));
        }
        names.push(name.to_owned());
        // Zero means the same for both sides where the comparison has a true zero.
        let distance = matches!(rsm, RsmKind::Euclidean | RsmKind::Crossnobis);
        vectors.push(if distance { -distances } else { 1.0 - distances });
    }
    Ok((names, vectors))
}

fn given_vectors(rdms: &[ventral_data::GivenRdm], spec: &SearchlightSpec) -> Vectors {
    let distance = matches!(spec.rsm, RsmKind::Euclidean | RsmKind::Crossnobis);
    let vector = |rdm: &ventral_data::GivenRdm| {
        let sign = if rdm.similarity { 1.0 } else { -1.0 };
        // Only the cosine knows a zero, which must be that of the brain; for all others a shift would be but rounding.
        let shift = match (spec.comparison, rdm.similarity, distance) {
            (Comparison::Cosine, false, false) => 1.0,
            (Comparison::Cosine, true, true) => -1.0,
            _ => 0.0,
        };
        rdm.values.iter().map(|value| shift + sign * value).collect()
    };
    (rdms.iter().map(|rdm| rdm.name.clone()).collect(), rdms.iter().map(vector).collect())
}
