//! Map units: a range of centres of one subject, compared with the layers of a model.

use serde::{Deserialize, Serialize};
use ventral_searchlight::{Comparison, Grid, MAX_LAYERS, Options, Preparation, Residual, RsmKind, Shape};

use crate::cost::{self, MapShape};
use crate::planner::MAX_UNITS;
use crate::unit::RESULT_REVISION;
use crate::{Digest, Error, Estimate, Plan, SearchlightSpec};

/// Centres of one unit.
pub const CENTRES_PER_UNIT: usize = 4096;

/// Spaces that are another one for each subject, in lower case.
const INDIVIDUAL_SPACES: [&str; 9] =
    ["t1w", "t2w", "native", "individual", "scanner", "anat", "func", "boldref", "fsnative"];

/// Fewest subjects that noise ceilings are computed of.
pub const CEILING_SUBJECTS: usize = 3;

/// A scan, as far as planning and assembling are concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanFacts {
    /// Identifier on the card.
    pub identifier: String,
    /// Version on the card.
    pub version: String,
    /// Digest of the card's meaning and of all its data.
    pub digest: Digest,
    /// Conditions, in the order of all results.
    pub conditions: Vec<String>,
    /// The images that were shown; without them no model can be read.
    pub stimuli: Option<ScanStimuli>,
    /// Names of the given RDMs.
    pub rdms: Vec<String>,
    /// Digest of the given RDMs.
    pub rdms_digest: Option<Digest>,
    /// The subjects.
    pub subjects: Vec<SubjectFacts>,
    /// What all subjects have in common, where noise ceilings can be computed.
    pub common: Option<CommonFacts>,
    /// Name of the space that the volumes are in.
    pub space: Option<String>,
    /// Whom to cite.
    pub citation: Option<String>,
    /// What is peculiar about the data.
    pub notes: Vec<String>,
}

/// Images of a scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanStimuli {
    /// Digest of the stimuli: ids and image bytes, in order.
    pub digest: Digest,
    /// Their number.
    pub count: usize,
    /// Visual degrees they were shown at, when stated.
    pub degrees: Option<f64>,
    /// Digest of which images belong to which condition.
    pub pools: Digest,
}

/// A subject of a scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectFacts {
    /// Label.
    pub id: String,
    /// Digest of what was measured.
    pub digest: Digest,
    /// Where the voxels are.
    pub grid: Grid,
    /// The fields that place the voxels in the subject's files, as `ventral_data::Placement` writes them.
    pub placement: serde_json::Value,
    /// Number of centres: usable voxels, or supplied neighbourhoods.
    pub centres: usize,
    /// Usable voxels.
    pub voxels: usize,
    /// Voxels outside of the mask.
    pub outside_mask: usize,
    /// Voxels that are NaN or infinite somewhere.
    pub non_finite: usize,
    /// Voxels that are the same under all conditions of a run.
    pub constant: usize,
    /// Most voxels of a neighbourhood.
    pub largest: usize,
    /// Runs.
    pub runs: usize,
}

/// Voxels that are usable in all subjects, who lie on one grid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommonFacts {
    /// Their number, which is that of the centres.
    pub centres: usize,
    /// Most voxels of a neighbourhood.
    pub largest: usize,
}

/// What a map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapSource {
    /// The comparison with all layers of a model, by its index.
    Model(usize),
    /// The comparison with the given RDMs of the scan.
    Rdms,
    /// Agreement of odd and even runs.
    Reliability,
    /// Lower and upper noise ceiling over subjects.
    Ceiling,
}

/// A range of centres of a subject, or of all together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapUnit {
    /// Name of the resulting record.
    pub digest: Digest,
    /// What it shows.
    pub source: MapSource,
    /// Index into the plan's scans.
    pub scan: usize,
    /// Index into the scan's subjects; none for what is over all of them.
    pub subject: Option<usize>,
    /// First centre, and the one after the last.
    pub centres: [usize; 2],
    /// Index into the plan's features units of the one it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<usize>,
    /// Predicted memory and time.
    pub estimate: Estimate,
}

/// Everything that can change the bytes of a map record.
#[derive(Serialize)]
struct MapIdentity<'a> {
    kind: &'static str,
    revision: u32,
    profile: &'a str,
    source: &'static str,
    subjects: Vec<&'a Digest>,
    /// Names and Grams of the layers.
    layers: Vec<(&'a str, &'a Digest)>,
    rdms: Option<&'a Digest>,
    pools: Option<&'a Digest>,
    shape: Shape,
    options: Options,
    preparation: Preparation,
    comparison: Comparison,
    permutations: Option<(usize, u32, Vec<Residual>)>,
    centres: [usize; 2],
}

/// Whether a voxel of one subject is the same place in another: a grid can be shared by chance, as scanners hand out the same ones.
#[must_use]
pub fn is_common_space(space: Option<&str>) -> bool {
    space.is_some_and(|space| !INDIVIDUAL_SPACES.contains(&space.to_ascii_lowercase().as_str()))
}

impl ScanFacts {
    /// Whether its `space` is one for all subjects; see [`is_common_space`].
    #[must_use]
    pub fn has_common_space(&self) -> bool {
        is_common_space(self.space.as_deref())
    }

    /// Whether the runs of a subject have two halves that can be compared.
    #[must_use]
    pub fn has_halves(&self, subject: usize, rsm: RsmKind) -> bool {
        // Crossnobis needs two runs in each half.
        let needed = if rsm == RsmKind::Crossnobis { 4 } else { 2 };
        self.subjects.get(subject).is_some_and(|subject| subject.runs >= needed)
    }
}

impl Plan {
    /// Plans the maps of all scans: per subject those of the models, of given RDMs and of reliability, then the ceilings.
    pub(crate) fn add_maps(&mut self) -> Result<(), Error> {
        let Some(spec) = self.spec.searchlight.clone() else { return Ok(()) };
        let found = self.count_maps(&spec).saturating_add(self.scores.len());
        if found > MAX_UNITS {
            return Err(Error::TooManyUnits { found });
        }
        self.check_maps(&spec)?;
        for scan in 0..self.scans.len() {
            for subject in 0..self.scans[scan].subjects.len() {
                for source in self.sources(scan, subject, &spec) {
                    self.add_ranges(&spec, source, scan, Some(subject));
                }
            }
            if self.scans[scan].common.is_some() {
                self.add_ranges(&spec, MapSource::Ceiling, scan, None);
            }
        }
        let compared = |unit: &MapUnit| matches!(unit.source, MapSource::Model(_) | MapSource::Rdms);
        if !self.scans.is_empty() && !self.maps.iter().any(compared) {
            let problem = if self.spec.models.is_empty() {
                "no scan has given RDMs, and the spec names no model; add models, or `[[rdm]]` to a scan card"
            } else {
                "no scan has images that a model could be read on, nor given RDMs; add `[stimuli]` or `[[rdm]]` to a scan card"
            };
            return Err(Error::Searchlight { problem: problem.to_owned() });
        }
        Ok(())
    }

    /// Refuses what no worker could compute.
    fn check_maps(&self, spec: &SearchlightSpec) -> Result<(), Error> {
        spec.check_sets(&self.scans, self.models.len(), &self.refused)?;
        for scan in &self.scans {
            if let Some(small) = scan.subjects.iter().find(|subject| subject.largest < spec.minimum_voxels) {
                return Err(Error::Neighbourhoods {
                    scan: scan.identifier.clone(),
                    subject: small.id.clone(),
                    largest: small.largest,
                    minimum: spec.minimum_voxels,
                });
            }
        }
        let images = self.scans.iter().any(|scan| scan.stimuli.is_some());
        let models = self.models.iter().filter(|_| images);
        let models = models.map(|model| (&model.identifier, model.mapped(), "choose fewer under [layers]"));
        let rdms = self.scans.iter().map(|scan| (&scan.identifier, scan.rdms.len(), "list fewer [[rdm]]"));
        match models.chain(rdms).find(|(_, layers, _)| *layers > MAX_LAYERS) {
            Some((whose, found, advice)) => {
                let problem =
                    format!("{whose} has {found} layers, a map compares at most {MAX_LAYERS}; {advice}");
                Err(Error::Searchlight { problem })
            }
            None => Ok(()),
        }
    }

    fn count_maps(&self, spec: &SearchlightSpec) -> usize {
        let ranges = |centres: usize| centres.div_ceil(CENTRES_PER_UNIT);
        let of_scan = |(index, scan): (usize, &ScanFacts)| {
            let subjects = scan.subjects.iter().enumerate();
            let all =
                subjects.map(|(i, s)| ranges(s.centres).saturating_mul(self.sources(index, i, spec).len()));
            let common = scan.common.as_ref().map_or(0, |common| ranges(common.centres));
            all.fold(common, usize::saturating_add)
        };
        self.scans.iter().enumerate().map(of_scan).fold(0, usize::saturating_add)
    }

    fn sources(&self, scan: usize, subject: usize, spec: &SearchlightSpec) -> Vec<MapSource> {
        let facts = &self.scans[scan];
        let models = facts.stimuli.iter().flat_map(|_| (0..self.models.len()).map(MapSource::Model));
        let rdms = (!facts.rdms.is_empty()).then_some(MapSource::Rdms);
        let halves = facts.has_halves(subject, spec.rsm).then_some(MapSource::Reliability);
        models.chain(rdms).chain(halves).collect()
    }

    fn add_ranges(&mut self, spec: &SearchlightSpec, source: MapSource, scan: usize, subject: Option<usize>) {
        let facts = &self.scans[scan];
        let count = match subject {
            Some(subject) => facts.subjects[subject].centres,
            None => facts.common.as_ref().map_or(0, |common| common.centres),
        };
        let features = match source {
            MapSource::Model(model) => self.features_for_scan(model, scan),
            _ => None,
        };
        for start in (0..count).step_by(CENTRES_PER_UNIT) {
            let centres = [start, count.min(start + CENTRES_PER_UNIT)];
            let mut unit = MapUnit {
                digest: Digest::of_bytes(&[]),
                source,
                scan,
                subject,
                centres,
                features,
                estimate: Estimate::default(),
            };
            unit.digest = self.map_digest(spec, &unit);
            unit.estimate = cost::map(&self.map_shape(spec, &unit), &self.machine);
            self.maps.push(unit);
        }
    }

    /// The features unit of a model on the images of a scan.
    fn features_for_scan(&self, model: usize, scan: usize) -> Option<usize> {
        let stimuli = self.scans[scan].stimuli.as_ref()?;
        let screen = crate::planner::screen(self.models[model].degrees, stimuli.degrees);
        let all = self.models[model].layers.len();
        self.features.iter().position(|unit| {
            let same = unit.stimuli == stimuli.digest && unit.screen == screen;
            unit.model == model && same && unit.plain().count() == all
        })
    }

    fn map_digest(&self, spec: &SearchlightSpec, unit: &MapUnit) -> Digest {
        let facts = &self.scans[unit.scan];
        let subjects = facts.subjects.iter().enumerate();
        let subjects = subjects.filter(|(index, _)| unit.subject.is_none_or(|subject| subject == *index));
        let is_model = matches!(unit.source, MapSource::Model(_));
        let compared = is_model || unit.source == MapSource::Rdms;
        // Where layers are too alike for the last method, the one before it decides.
        let methods = || spec.methods.iter().map(|method| spec.residual(*method)).collect();
        Digest::of_identity(&MapIdentity {
            kind: "map",
            revision: RESULT_REVISION,
            profile: &self.machine.profile,
            source: unit.source.name(),
            subjects: subjects.map(|(_, subject)| &subject.digest).collect(),
            layers: self.map_grams(unit),
            rdms: facts.rdms_digest.as_ref().filter(|_| unit.source == MapSource::Rdms),
            pools: facts.stimuli.as_ref().filter(|_| is_model).map(|stimuli| &stimuli.pools),
            shape: spec.neighbourhood(),
            options: spec.options(),
            preparation: spec.preparation(),
            comparison: spec.comparison,
            permutations: (compared && spec.permutations > 0).then_some((
                spec.permutations,
                spec.seed,
                methods(),
            )),
            centres: unit.centres,
        })
    }

    /// Names and Grams of the layers that a map compares with, in order.
    pub fn map_grams(&self, unit: &MapUnit) -> Vec<(&str, &Digest)> {
        let Some(features) = unit.features.and_then(|index| self.features.get(index)) else {
            return Vec::new();
        };
        let model = &self.models[features.model];
        let plain = features.plain().map(|position| &features.layers[position]);
        let named = plain.filter(|target| !model.committed.contains(&target.layer));
        named.map(|target| (model.layers[target.layer].name.as_str(), &target.gram)).collect()
    }

    fn map_shape(&self, spec: &SearchlightSpec, unit: &MapUnit) -> MapShape {
        let facts = &self.scans[unit.scan];
        let largest_of = |of: fn(&SubjectFacts) -> usize| facts.subjects.iter().map(of).max().unwrap_or(0);
        let subject = unit.subject.and_then(|index| facts.subjects.get(index));
        let compared = matches!(unit.source, MapSource::Model(_) | MapSource::Rdms);
        MapShape {
            centres: unit.centres[1] - unit.centres[0],
            voxels: subject.map_or_else(|| largest_of(|s| s.voxels), |subject| subject.voxels),
            grid: subject.map_or_else(|| largest_of(|s| s.grid.len()), |subject| subject.grid.len()),
            members: match (subject, &facts.common) {
                (Some(subject), _) => subject.largest,
                (None, common) => common.as_ref().map_or(0, |common| common.largest),
            },
            images: facts.conditions.len(),
            runs: subject.map_or_else(|| largest_of(|s| s.runs), |subject| subject.runs),
            subjects: if unit.subject.is_some() { 1 } else { facts.subjects.len() },
            layers: match unit.source {
                MapSource::Model(model) => self.models[model].mapped(),
                MapSource::Rdms => facts.rdms.len(),
                _ => 0,
            },
            stimuli: match unit.source {
                MapSource::Model(model) => {
                    facts.stimuli.as_ref().map_or(0, |stimuli| self.models[model].rows(stimuli.count))
                }
                _ => 0,
            },
            permutations: if compared { spec.permutations } else { 0 },
            crossnobis: spec.rsm == RsmKind::Crossnobis,
            ranks: spec.comparison.ranks(),
        }
    }

    /// Threads of at most `threads` with which a map unit fits into `memory_bytes`; at least one.
    pub fn map_threads(&self, unit: &MapUnit, memory_bytes: u64, threads: usize) -> usize {
        let Some(spec) = &self.spec.searchlight else { return 1 };
        let shape = self.map_shape(spec, unit);
        let fits = |&count: &usize| cost::map_bytes(&shape, count as u64) <= memory_bytes;
        (2..=threads).rev().find(fits).unwrap_or(1)
    }

    /// What a map shows, in words: the model, or what takes its place.
    pub fn map_source(&self, unit: &MapUnit) -> String {
        match unit.source {
            MapSource::Model(model) => self.models[model].identifier.clone(),
            MapSource::Rdms => "given RDMs".to_owned(),
            MapSource::Reliability => "split halves".to_owned(),
            MapSource::Ceiling => "noise ceiling".to_owned(),
        }
    }

    /// Subject, centres and model of a map unit, in words.
    pub fn map_title(&self, unit: &MapUnit) -> String {
        let scan = &self.scans[unit.scan];
        let subject = unit.subject.map_or("all subjects", |subject| scan.subjects[subject].id.as_str());
        let [first, end] = unit.centres;
        let last = end.saturating_sub(1);
        format!(
            "searchlight {} {subject}, centres {first}-{last}, {}",
            scan.identifier,
            self.map_source(unit)
        )
    }
}

impl MapSource {
    fn name(self) -> &'static str {
        match self {
            Self::Model(_) => "model",
            Self::Rdms => "rdms",
            Self::Reliability => "reliability",
            Self::Ceiling => "ceiling",
        }
    }
}
