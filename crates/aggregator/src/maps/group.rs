//! Statistics over subjects that lie on one grid of a common space.

use ndarray::{Array2, ArrayView2, Axis};
use ventral_plan::{Correction, GroupSpec, ScanFacts, SearchlightSpec, Threshold};
use ventral_searchlight::group::{
    Adjacency, ClusterForming, ClusterMeasure, DEFAULT_CLUSTER_DRAWS, Flips, MapStatistic, MaxStatistic,
    SignFlipTest, Tail, Tfce, fdr_adjusted, fwe, fwe_over_layers, joint_maxima, max_statistic, one_sample_t,
    sign_flip_test, t_of_upper_tail,
};
use ventral_searchlight::{Grid, fisher_z, inverse_fisher_z};

use super::design::{Design, is_correlation};
use super::layers::{LayerMap, Scale, Space, connectivity, layer_map, top_masks, top_overlap, top_rule};
use super::subject::SubjectMaps;
use crate::Error;

/// Maps of a group. Arrays are layers x centres.
#[derive(Debug, Clone)]
pub(crate) struct GroupMaps {
    pub(crate) subjects: usize,
    pub(crate) grid: Grid,
    /// Centres that all subjects have.
    pub(crate) places: Vec<u32>,
    /// Mean over subjects of each method; of correlations the one whose Fisher z is the mean z.
    pub(crate) means: Vec<Array2<f64>>,
    /// t over subjects of the deciding method.
    pub(crate) t: Array2<f64>,
    /// p of each voxel from its own sign flips.
    pub(crate) p: Array2<f64>,
    pub(crate) corrections: Vec<Corrected>,
    pub(crate) layers: LayerMap,
    /// Mean Dice index of the highest t of each method.
    pub(crate) overlaps: Vec<f64>,
    /// Those of `p`.
    pub(crate) flips: Draws,
}

/// How many sign flips there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draws {
    /// Their number, the identity included.
    pub(crate) count: usize,
    /// Whether they are all there are.
    pub(crate) exhaustive: bool,
}

impl Draws {
    fn of(flips: &Flips) -> Self {
        Self { count: flips.count(), exhaustive: flips.exhaustive() }
    }

    /// The smallest two-sided p that they can give: of all flips, each and its mirror image have one |t|.
    fn smallest_p(self) -> f64 {
        if self.exhaustive { 2.0 / self.count as f64 } else { 1.0 / self.count as f64 }
    }
}

/// A correction for the search over the brain.
#[derive(Debug, Clone)]
pub(crate) struct Corrected {
    pub(crate) correction: Correction,
    /// What was compared with its largest value, where it is not t.
    pub(crate) statistic: Option<Array2<f64>>,
    /// p, or for the false discovery rate q.
    pub(crate) p: Array2<f64>,
    /// The sign flips that p is from; none for a p from t.
    pub(crate) flips: Option<Draws>,
}

/// Statistics over subjects; none with fewer than two, or where a note says why not.
pub(crate) fn group(
    spec: &SearchlightSpec,
    facts: &ScanFacts,
    design: &Design,
    subjects: &[SubjectMaps],
    notes: &mut Vec<String>,
) -> Result<Option<GroupMaps>, Error> {
    let [first, _, ..] = subjects else { return Ok(None) };
    let places = match together(facts, subjects) {
        Ok(places) => places,
        Err(why) => {
            notes.push(why);
            return Ok(None);
        }
    };
    let flips = Flips::new(subjects.len(), spec.group.flips, u64::from(spec.seed))?;
    let stacks = |method: usize| {
        stack(subjects, &places, is_correlation(design.methods[method].method), |maps| &maps.methods[method])
    };
    let last = design.methods.len() - 1;
    let stacked: Vec<Vec<Array2<f64>>> = (0..design.methods.len()).map(stacks).collect();
    for (layer, name) in stacked[last].iter().zip(&design.layers) {
        if one_sample_t(layer.view())?.t.iter().all(|t| t.is_nan()) {
            notes.push(format!(
                "There are no group maps: at no centre have all subjects a value for `{name}` that differs between them."
            ));
            return Ok(None);
        }
    }
    let tests = sign_flip_test(&views(&stacked[last]), &flips, Tail::TwoSided)?;
    let t = rows(tests.iter().map(|test| test.group.t.as_slice()));
    let space = Space { grid: &first.grid, places: &places };
    let corrections =
        corrections(&spec.group, &stacked[last], &tests, (&flips, u64::from(spec.seed)), space)?;
    let (masks, rule) = masks(&spec.group, &t, &corrections, subjects.len(), notes)?;
    let layers = layer_map(t.view(), masks, rule, Scale::Comparable, space, &spec.group)?;
    let overlap = |method: usize| -> Result<f64, Error> {
        if method == last {
            return top_overlap(t.view(), &spec.group);
        }
        let tests = stacked[method].iter().map(|layer| Ok(one_sample_t(layer.view())?.t));
        let t: Vec<Vec<f64>> = tests.collect::<Result<_, Error>>()?;
        top_overlap(rows(t.iter().map(Vec::as_slice)).view(), &spec.group)
    };
    let overlaps = (0..=last).map(overlap).collect::<Result<_, _>>()?;
    let means = (0..=last)
        .map(|method| means(&stacked[method], is_correlation(design.methods[method].method)))
        .collect();
    Ok(Some(GroupMaps {
        subjects: subjects.len(),
        grid: first.grid,
        means,
        p: rows(tests.iter().map(|test| test.p.as_slice())),
        t,
        corrections,
        layers,
        overlaps,
        flips: Draws::of(&flips),
        places,
    }))
}

/// The centres of all subjects, or why a group of them makes no sense.
fn together(facts: &ScanFacts, subjects: &[SubjectMaps]) -> Result<Vec<u32>, String> {
    let first = &subjects[0].grid;
    if subjects.iter().any(|other| first.same(&other.grid).is_err()) {
        return Err(
            "The subjects do not lie on one grid, so there are no group maps: resample them to one space."
                .to_owned(),
        );
    }
    if !facts.has_common_space() {
        let found =
            facts.space.as_ref().map_or("there is none".to_owned(), |space| format!("found: {space}"));
        return Err(format!(
            "The subjects lie on one grid, but no common `space` is declared on the card ({found}), so there are no group maps and no \
             noise ceilings: a voxel may be another place in each subject. If they were resampled to one space, name it there."
        ));
    }
    let places = common(subjects);
    if places.is_empty() {
        return Err(
            "The subjects lie on one grid but share no centre, so there are no group maps: look at their masks."
                .to_owned(),
        );
    }
    Ok(places)
}

/// Centres of all subjects, ascending.
fn common(subjects: &[SubjectMaps]) -> Vec<u32> {
    let (first, others) = (&subjects[0].raw.places, &subjects[1..]);
    let everywhere = |place: &&u32| others.iter().all(|other| other.raw.places.binary_search(place).is_ok());
    first.iter().filter(everywhere).copied().collect()
}

/// t over subjects (layers x centres) of some of their values, at centres that all have.
pub(super) fn t_over_subjects(
    subjects: &[SubjectMaps],
    places: &[u32],
    correlations: bool,
    of: impl Fn(&SubjectMaps) -> &Array2<f64>,
) -> Result<Array2<f64>, Error> {
    let layers = stack(subjects, places, correlations, of);
    let t: Vec<Vec<f64>> =
        layers.iter().map(|layer| Ok(one_sample_t(layer.view())?.t)).collect::<Result<_, Error>>()?;
    Ok(rows(t.iter().map(Vec::as_slice)))
}

/// Of each layer, subjects x centres; correlations become Fisher's z.
fn stack(
    subjects: &[SubjectMaps],
    places: &[u32],
    correlations: bool,
    of: impl Fn(&SubjectMaps) -> &Array2<f64>,
) -> Vec<Array2<f64>> {
    let rows: Vec<Vec<usize>> = subjects
        .iter()
        .map(|subject| {
            places.iter().filter_map(|place| subject.raw.places.binary_search(place).ok()).collect()
        })
        .collect();
    let value = |value: f64| if correlations { fisher_z(value) } else { value };
    let layers = of(&subjects[0]).nrows();
    (0..layers)
        .map(|layer| {
            Array2::from_shape_fn((subjects.len(), places.len()), |(subject, centre)| {
                value(of(&subjects[subject])[[layer, rows[subject][centre]]])
            })
        })
        .collect()
}

fn views(layers: &[Array2<f64>]) -> Vec<ArrayView2<'_, f64>> {
    layers.iter().map(|layer| layer.view()).collect()
}

fn rows<'a>(layers: impl ExactSizeIterator<Item = &'a [f64]>) -> Array2<f64> {
    let layers: Vec<&[f64]> = layers.collect();
    let centres = layers.first().map_or(0, |layer| layer.len());
    Array2::from_shape_fn((layers.len(), centres), |(layer, centre)| layers[layer][centre])
}

fn means(layers: &[Array2<f64>], correlations: bool) -> Array2<f64> {
    let back = |value: f64| if correlations { inverse_fisher_z(value) } else { value };
    let mean = |layer: &Array2<f64>| -> Vec<f64> {
        let subjects = layer.nrows() as f64;
        layer.axis_iter(Axis(1)).map(|centre| back(centre.sum() / subjects)).collect()
    };
    let found: Vec<Vec<f64>> = layers.iter().map(mean).collect();
    rows(found.iter().map(Vec::as_slice))
}

fn corrections(
    spec: &GroupSpec,
    stacked: &[Array2<f64>],
    tests: &[SignFlipTest],
    (flips, seed): (&Flips, u64),
    space: Space<'_>,
) -> Result<Vec<Corrected>, Error> {
    let adjacency = Adjacency::volume(space.places, space.grid.shape, connectivity(spec))?;
    // Each of these costs a pass over the neighbours of a map.
    let few = Flips::at_most(flips.subjects(), spec.flips.min(DEFAULT_CLUSTER_DRAWS), seed)?;
    let one = |&correction: &Correction| -> Result<Corrected, Error> {
        let maximum = |statistic: MapStatistic<'_>| -> Result<Corrected, Error> {
            let found: Vec<MaxStatistic> = stacked
                .iter()
                .map(|layer| max_statistic(layer.view(), &few, &adjacency, statistic, Tail::TwoSided))
                .collect::<Result<_, _>>()?;
            over_layers(correction, &found, Draws::of(&few))
        };
        match correction {
            Correction::MaxT => {
                let p = fwe_over_layers(tests, Tail::TwoSided)?;
                let p = rows(p.iter().map(Vec::as_slice));
                Ok(Corrected { correction, statistic: None, p, flips: Some(Draws::of(flips)) })
            }
            Correction::Fdr => {
                let q: Vec<Vec<f64>> = tests.iter().map(|test| fdr_adjusted(&test.group.p)).collect();
                let p = rows(q.iter().map(Vec::as_slice));
                Ok(Corrected { correction, statistic: None, p, flips: None })
            }
            Correction::Tfce => maximum(MapStatistic::Tfce(&Tfce::default())),
            Correction::ClusterMass => {
                let threshold = t_of_upper_tail(spec.cluster_p / 2.0, flips.subjects() - 1);
                let forming = ClusterForming { threshold, tail: Tail::TwoSided };
                maximum(MapStatistic::Cluster(&forming, ClusterMeasure::Sum))
            }
        }
    };
    spec.correction.iter().map(one).collect()
}

/// p against the largest statistic over the voxels of all layers.
fn over_layers(correction: Correction, layers: &[MaxStatistic], flips: Draws) -> Result<Corrected, Error> {
    let joint = joint_maxima(&layers.iter().map(|layer| layer.maxima.as_slice()).collect::<Vec<_>>())?;
    let p = |layer: &MaxStatistic| -> Result<Vec<f64>, Error> {
        let mut p = fwe(&layer.statistic, &joint, Tail::TwoSided)?;
        // A voxel without t has none here either.
        p.iter_mut().zip(&layer.p_fwe).filter(|(_, own)| own.is_nan()).for_each(|(p, _)| *p = f64::NAN);
        Ok(p)
    };
    let p: Vec<Vec<f64>> = layers.iter().map(p).collect::<Result<_, _>>()?;
    Ok(Corrected {
        correction,
        statistic: Some(rows(layers.iter().map(|layer| layer.statistic.as_slice()))),
        p: rows(p.iter().map(Vec::as_slice)),
        flips: Some(flips),
    })
}

/// Voxels of each layer: those with a positive effect that survive the first correction, or the highest ones.
fn masks(
    spec: &GroupSpec,
    t: &Array2<f64>,
    corrections: &[Corrected],
    subjects: usize,
    notes: &mut Vec<String>,
) -> Result<(Array2<bool>, String), Error> {
    let top = |notes: &mut Vec<String>, note: Option<String>| {
        notes.extend(note);
        Ok((top_masks(t.view(), spec)?, top_rule(spec)))
    };
    let (Threshold::Fwe, Some(first)) = (spec.threshold, corrections.first()) else {
        return top(notes, None);
    };
    if let Some(flips) = first.flips.filter(|flips| flips.smallest_p() >= spec.alpha) {
        let note = format!(
            "With {subjects} subjects and {} sign flips the smallest p is {}, so nothing can be significant at {}: the voxels of a layer \
             are its highest {} % instead.",
            flips.count,
            flips.smallest_p(),
            spec.alpha,
            spec.top_percent
        );
        return top(notes, Some(note));
    }
    let masks = Array2::from_shape_fn(t.dim(), |at| first.p[at] < spec.alpha && t[at] > 0.0);
    let rule = format!("t > 0 and {} < {}", correction_words(first.correction), spec.alpha);
    Ok((masks, rule))
}

/// What a correction's p is, for people.
pub(crate) fn correction_words(correction: Correction) -> &'static str {
    match correction {
        Correction::MaxT => "p over voxels and layers (sign flips, largest |t|)",
        Correction::Tfce => "p over voxels and layers (sign flips, TFCE)",
        Correction::Fdr => "false discovery rate of each layer (from t)",
        Correction::ClusterMass => "p over voxels and layers (sign flips, cluster mass)",
    }
}
