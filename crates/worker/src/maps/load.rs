//! Subjects in memory: their responses, and what lies around each centre.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::{Array2, ArrayView2};
use ventral_data::{Removed, Scan, SubjectData, load_neighbourhoods, load_subject};
use ventral_plan::{MapSource, MapUnit, SearchlightSpec};
use ventral_searchlight::{Neighbourhoods, Patterns, RsmKind, noise_sd, prepare};

use super::Layers;
use crate::{Error, Execution};

/// Layers of so many models and scans are kept.
const MAX_LAYERS_KEPT: usize = 4;

/// Scans of a plan, by their index, and what of them is in memory.
pub trait Scans: Sync {
    /// The scan, loaded if it is not in memory.
    ///
    /// # Errors
    /// A card or data file that cannot be used.
    fn scan(&self, index: usize) -> Result<Arc<Scan>, Error>;

    /// What is kept in memory of its subjects and of layers.
    fn cache(&self) -> &MapCache;
}

/// Responses of a subject, or of all subjects to the voxels they have in common, with the neighbourhoods.
pub(crate) struct Voxels {
    /// Per subject, as maps are computed from them.
    pub patterns: Vec<Patterns>,
    /// Run by run, where `patterns` are the mean.
    pub runs: Option<Patterns>,
    /// Around each centre.
    pub neighbourhoods: Neighbourhoods,
    /// Linear index of each centre.
    pub places: Vec<u32>,
    /// Voxels that were left out, and why.
    pub left_out: Removed,
}

/// A scan, and a subject of it, or all.
type Place = (usize, Option<usize>);
type LayersKey = (MapSource, usize);

/// The subject that maps were computed of last, and layers.
#[derive(Default)]
pub struct MapCache {
    voxels: Mutex<Option<(Place, Arc<Voxels>)>>,
    layers: Mutex<VecDeque<(LayersKey, Arc<Layers>)>>,
}

impl MapCache {
    /// The responses of a subject. One is kept: a job goes through its subjects one after the other.
    pub(crate) fn voxels(
        &self,
        scans: &dyn Scans,
        spec: &SearchlightSpec,
        scan: usize,
        subject: Option<usize>,
    ) -> Result<Arc<Voxels>, Error> {
        // Held while it is loaded: two threads must not load the same.
        let mut kept = self.voxels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((place, voxels)) = kept.as_ref()
            && *place == (scan, subject)
        {
            return Ok(voxels.clone());
        }
        // The one before goes first: both need not fit.
        *kept = None;
        let loaded = scans.scan(scan)?;
        let voxels = Arc::new(match subject {
            Some(subject) => Voxels::of_subject(&loaded, subject, spec)?,
            None => Voxels::of_all(&loaded, spec)?,
        });
        *kept = Some(((scan, subject), voxels.clone()));
        Ok(voxels)
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        *self.voxels.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn layers(
        &self,
        key: LayersKey,
        make: impl FnOnce() -> Result<Arc<Layers>, Error>,
    ) -> Result<Arc<Layers>, Error> {
        let mut kept = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(other, _)| *other == key).and_then(|at| kept.remove(at));
        let layers = match known {
            Some((_, layers)) => layers,
            None => make()?,
        };
        kept.push_front((key, layers.clone()));
        kept.truncate(MAX_LAYERS_KEPT);
        Ok(layers)
    }
}

impl Voxels {
    /// One subject, made ready as the spec says.
    pub fn of_subject(scan: &Scan, index: usize, spec: &SearchlightSpec) -> Result<Self, Error> {
        let data = load_subject(scan, index)?;
        let id = data.id.clone();
        let named = |source| Error::Map { context: format!("{} {id}", scan.identifier()), source };
        let grid = data.grid;
        let mut left_out = data.removed;
        let (patterns, removed) = ready(data, spec).map_err(&named)?;
        left_out.non_finite += removed.non_finite;
        left_out.constant += removed.constant;
        let (neighbourhoods, places) = match load_neighbourhoods(scan, index)? {
            Some(lists) => {
                let (starts, members) = of_usable(&lists.starts, &lists.members, patterns.voxels());
                let hoods = Neighbourhoods::supplied(starts, members, patterns.voxels().len());
                (hoods.map_err(&named)?, lists.centres)
            }
            None => {
                let hoods = Neighbourhoods::in_volume(&grid, patterns.voxels(), &spec.neighbourhood());
                (hoods.map_err(&named)?, patterns.voxels().to_vec())
            }
        };
        let (patterns, runs) = if spec.rsm == RsmKind::Crossnobis || patterns.runs() == 1 {
            (patterns, None)
        } else {
            (patterns.averaged(), Some(patterns))
        };
        Ok(Self { patterns: vec![patterns], runs, neighbourhoods, places, left_out })
    }

    /// All subjects on the voxels that every one of them has.
    fn of_all(scan: &Scan, spec: &SearchlightSpec) -> Result<Self, Error> {
        let named = |source| Error::Map { context: format!("all subjects of {}", scan.identifier()), source };
        let mut subjects: Vec<Patterns> = Vec::with_capacity(scan.subjects.len());
        for index in 0..scan.subjects.len() {
            let (patterns, _) = ready(load_subject(scan, index)?, spec).map_err(named)?;
            let one = spec.rsm == RsmKind::Crossnobis || patterns.runs() == 1;
            subjects.push(if one { patterns } else { patterns.averaged() });
        }
        let common = common_voxels(subjects.iter().map(Patterns::voxels));
        let missing = || Error::Mismatch(format!("{} has no subject", scan.identifier()));
        let grid = scan.subjects.first().ok_or_else(missing)?.grid;
        let neighbourhoods =
            Neighbourhoods::in_volume(&grid, &common, &spec.neighbourhood()).map_err(named)?;
        let patterns = subjects.into_iter().map(|patterns| restricted(&patterns, &common));
        let patterns = patterns.collect::<Result<_, _>>().map_err(named)?;
        Ok(Self { patterns, runs: None, neighbourhoods, places: common, left_out: Removed::default() })
    }

    /// The patterns of the one subject.
    pub fn only(&self, execution: &Execution<'_>, unit: &MapUnit) -> Result<&Patterns, Error> {
        let missing = || Error::Mismatch(format!("{}: no subject", execution.plan.map_title(unit)));
        self.patterns.first().ok_or_else(missing)
    }
}

/// Prepared responses, run by run, of the voxels that can be used.
fn ready(
    data: SubjectData,
    spec: &SearchlightSpec,
) -> Result<(Patterns, ventral_searchlight::Removed), ventral_searchlight::Error> {
    let preparation = spec.preparation();
    let mut runs: Vec<Array2<f32>> = data.runs.into_iter().map(|run| run.values).collect();
    let views: Vec<ArrayView2<'_, f32>> = runs.iter().map(|run| run.view()).collect();
    let noise: Option<Vec<f64>> = match (preparation.noise_normalisation, data.noise) {
        (false, _) => None,
        (true, Some(noise)) => Some(noise.into_iter().map(f64::from).collect()),
        (true, None) => Some(noise_sd(&views)?),
    };
    prepare(&mut runs, &preparation, noise.as_deref())?;
    let views: Vec<ArrayView2<'_, f32>> = runs.iter().map(|run| run.view()).collect();
    Patterns::from_mask(&data.voxels, &views)
}

/// Supplied lists of voxels as positions of usable ones; the others are left out.
fn of_usable(starts: &[usize], members: &[u32], voxels: &[u32]) -> (Vec<usize>, Vec<u32>) {
    let mut kept = Vec::with_capacity(members.len());
    let mut begins = vec![0];
    for pair in starts.windows(2) {
        let list = members.get(pair[0]..pair[1]).unwrap_or_default();
        kept.extend(list.iter().filter_map(|voxel| voxels.binary_search(voxel).ok()).map(|at| at as u32));
        begins.push(kept.len());
    }
    (begins, kept)
}

/// Voxels that all lists have, ascending as they are.
pub fn common_voxels<'a>(lists: impl Iterator<Item = &'a [u32]>) -> Vec<u32> {
    let both = |kept: Vec<u32>, list: &[u32]| -> Vec<u32> {
        kept.into_iter().filter(|voxel| list.binary_search(voxel).is_ok()).collect()
    };
    let mut lists = lists;
    let first = lists.next().map(<[u32]>::to_vec).unwrap_or_default();
    lists.fold(first, both)
}

fn restricted(patterns: &Patterns, voxels: &[u32]) -> Result<Patterns, ventral_searchlight::Error> {
    let rows: Vec<usize> =
        voxels.iter().filter_map(|voxel| patterns.voxels().binary_search(voxel).ok()).collect();
    let run = |run: usize| {
        Array2::from_shape_fn((rows.len(), patterns.images()), |(row, image)| {
            patterns.response(rows[row], run)[image]
        })
    };
    let runs: Vec<Array2<f32>> = (0..patterns.runs()).map(run).collect();
    let views: Vec<ArrayView2<'_, f32>> = runs.iter().map(|run| run.view()).collect();
    Patterns::from_runs(voxels.to_vec(), &views)
}
