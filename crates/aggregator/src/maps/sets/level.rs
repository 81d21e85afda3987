//! The maps of a group or a subject with both sets of images.

use ndarray::{Array2, ArrayView2, Axis};
use ventral_plan::GroupSpec;
use ventral_searchlight::layermap::{Benchmark, LayerMaps, OverlapTable, overlap_table, synthesis_benchmark};

use crate::Error;
use crate::maps::design::is_correlation;
use crate::maps::group::t_over_subjects;
use crate::maps::layers::top_masks;
use crate::maps::stage::Source;
use crate::maps::subject::SubjectMaps;

/// Overlap and agreement of a group, or of one subject.
#[derive(Debug)]
pub(crate) struct Level {
    /// `group`, or `sub-01`.
    pub(crate) name: String,
    /// Centres that both have.
    pub(crate) centres: usize,
    /// Overlap of the layers' maps, synthesised images.
    pub(crate) synthesised: OverlapTable,
    /// The same, natural images.
    pub(crate) natural: OverlapTable,
    /// The same, natural images and the residual method.
    pub(crate) residual: Option<OverlapTable>,
    /// How near the maps of natural images come to those of synthesised ones.
    pub(crate) agreement: Option<Benchmark>,
}

/// Maps (layers x centres) over the same centres.
struct Maps {
    synthesised: Array2<f64>,
    natural: Array2<f64>,
    residual: Option<Array2<f64>>,
}

/// t of the groups at the centres that both have; none without any.
pub(super) fn group_level(
    spec: &GroupSpec,
    seed: u64,
    synthesised: &Source,
    natural: &Source,
) -> Result<Option<Level>, Error> {
    let (Some(one), Some(other)) = (&synthesised.group, &natural.group) else { return Ok(None) };
    let places = shared(&one.places, &other.places);
    let raw = |source: &Source| t_over_subjects(&source.subjects, &places, true, |maps| &maps.raw.values);
    let deciding = natural.design.deciding();
    let residual = (deciding != ventral_plan::Method::Raw)
        .then(|| {
            t_over_subjects(&natural.subjects, &places, is_correlation(deciding), |maps| maps.deciding())
        })
        .transpose()?;
    let maps = Maps { synthesised: raw(synthesised)?, natural: raw(natural)?, residual };
    level(spec, seed, "group".to_owned(), &maps)
}

/// The maps of a subject at the centres of both; none without any.
pub(super) fn subject_level(
    spec: &GroupSpec,
    seed: u64,
    residual: bool,
    synthesised: &SubjectMaps,
    natural: &SubjectMaps,
) -> Result<Option<Level>, Error> {
    let places = shared(&synthesised.raw.places, &natural.raw.places);
    let maps = Maps {
        synthesised: at(&synthesised.raw.places, &synthesised.raw.values, &places),
        natural: at(&natural.raw.places, &natural.raw.values, &places),
        residual: residual.then(|| at(&natural.raw.places, natural.deciding(), &places)),
    };
    level(spec, seed, format!("sub-{}", synthesised.id), &maps)
}

fn shared(one: &[u32], other: &[u32]) -> Vec<u32> {
    one.iter().copied().filter(|place| other.binary_search(place).is_ok()).collect()
}

/// Columns of these places.
fn at(all: &[u32], values: &Array2<f64>, places: &[u32]) -> Array2<f64> {
    let columns: Vec<usize> = places.iter().filter_map(|place| all.binary_search(place).ok()).collect();
    values.select(Axis(1), &columns)
}

fn level(spec: &GroupSpec, seed: u64, name: String, maps: &Maps) -> Result<Option<Level>, Error> {
    let centres = maps.natural.ncols();
    if centres == 0 {
        return Ok(None);
    }
    let masks = |maps: &Array2<f64>| top_masks(maps.view(), spec);
    let synthesised = masks(&maps.synthesised)?;
    let natural = masks(&maps.natural)?;
    let residual = maps.residual.as_ref().map(&masks).transpose()?;
    let agreement = match (&maps.residual, &residual) {
        (Some(values), Some(mask)) => Some(synthesis_benchmark(
            of(&maps.synthesised, &synthesised),
            of(values, mask),
            of(&maps.natural, &natural),
            seed,
        )?),
        _ => None,
    };
    let table = |masks: ArrayView2<'_, bool>| overlap_table(masks);
    Ok(Some(Level {
        name,
        centres,
        synthesised: table(synthesised.view())?,
        natural: table(natural.view())?,
        residual: residual.as_ref().map(|masks| table(masks.view())).transpose()?,
        agreement,
    }))
}

fn of<'a>(values: &'a Array2<f64>, masks: &'a Array2<bool>) -> LayerMaps<'a> {
    LayerMaps { values: values.view(), masks: masks.view() }
}
