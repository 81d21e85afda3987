//! The maps of a job as files: volumes with sidecars, tables. All are made before any is written.

mod figures;
pub(crate) mod group;
pub(crate) mod names;
pub(crate) mod quality;
pub(crate) mod sidecar;
pub(crate) mod subject;
pub(crate) mod tables;
pub(crate) mod volume;

use serde_json::{Map, Value, json};
use ventral_data::{Intent, dataset_description};
use ventral_plan::{MapSource, Method};

use super::design::is_correlation;
use super::stage::{Source, Stage};
use crate::Error;
use crate::output::JobFile;
use names::Naming;

/// Collects the files of one folder.
pub(crate) struct Folder<'a> {
    pub(crate) path: String,
    pub(crate) naming: Naming,
    /// What the sidecars of all its maps say.
    pub(crate) common: Map<String, Value>,
    pub(crate) files: &'a mut Vec<JobFile>,
}

/// What a map's file is called and says.
pub(crate) struct Labels<'a> {
    pub(crate) subject: Option<&'a str>,
    pub(crate) entities: &'a [(&'a str, &'a str)],
    pub(crate) suffix: &'a str,
    pub(crate) what: String,
    /// What its sidecar says besides what is common.
    pub(crate) special: Value,
}

impl<'a> Labels<'a> {
    pub(crate) fn new(
        subject: Option<&'a str>,
        entities: &'a [(&'a str, &'a str)],
        suffix: &'a str,
        what: &str,
        special: &Value,
    ) -> Self {
        Self { subject, entities, suffix, what: what.to_owned(), special: special.clone() }
    }
}

impl Folder<'_> {
    pub(crate) fn add(&mut self, name: &str, what: &str, bytes: Vec<u8>) {
        self.files.push(JobFile::new(format!("{}/{name}", self.path), what, bytes));
    }

    /// A volume and its sidecar.
    pub(crate) fn add_map(&mut self, labels: Labels<'_>, bytes: Vec<u8>) -> Result<(), Error> {
        let below = labels.subject.map_or("group".to_owned(), |subject| format!("sub-{subject}/func"));
        let name = |extension: &str| -> Result<String, Error> {
            let name = self.naming.name(labels.subject, labels.entities, labels.suffix, extension)?;
            Ok(format!("{below}/{name}"))
        };
        let (volume, sidecar) = (name(".nii.gz")?, name(".json")?);
        let mut special = labels.special;
        if let Value::Object(map) = &mut special {
            map.insert("Description".to_owned(), json!(labels.what));
        }
        let text = sidecar::with(&self.common, special);
        self.add(&volume, &labels.what, bytes);
        self.add(&sidecar, "sidecar", text);
        Ok(())
    }

    /// `dataset_description.json`, without which the folder is no BIDS data set.
    fn describe(&mut self, name: &str, citation: Option<&String>) {
        let sources: Vec<String> = citation.cloned().into_iter().collect();
        let value = dataset_description(name, env!("CARGO_PKG_VERSION"), &sources);
        self.add("dataset_description.json", "what this folder is", sidecar::pretty(&value));
    }
}

/// All files of a stage but its page, in a fixed order.
pub(crate) fn files(stage: &Stage<'_>) -> Result<Vec<JobFile>, Error> {
    let mut files = Vec::new();
    for source in &stage.sources {
        add_source(stage, source, &mut files)?;
    }
    for quality in &stage.quality {
        let facts = &stage.plan.scans[quality.scan];
        let mut folder = folder(stage, quality.scan, MapSource::Reliability, &[], &mut files);
        folder.describe(&format!("Quality of {}", facts.identifier), facts.citation.as_ref());
        quality::add(stage, quality, &mut folder)?;
    }
    Ok(files)
}

fn folder<'a>(
    stage: &Stage<'_>,
    scan: usize,
    source: MapSource,
    layers: &[String],
    files: &'a mut Vec<JobFile>,
) -> Folder<'a> {
    Folder {
        path: names::folder(stage.plan, scan, source),
        naming: Naming::new(stage.plan, stage.spec, scan),
        common: sidecar::common(stage, scan, source, layers),
        files,
    }
}

fn add_source(stage: &Stage<'_>, source: &Source, files: &mut Vec<JobFile>) -> Result<(), Error> {
    let facts = &stage.plan.scans[source.scan];
    let layers = &source.design.layers;
    let mut folder = folder(stage, source.scan, source.source, layers, files);
    let name = format!("Searchlight maps of {} on {}", title(stage, source), facts.identifier);
    folder.describe(&name, facts.citation.as_ref());
    for maps in &source.subjects {
        subject::add(stage, source, maps, &mut folder)?;
    }
    if let Some(maps) = &source.group {
        group::add(stage, source, maps, &mut folder)?;
    }
    figures::add(source, &mut folder)?;
    folder.add("layers.tsv", "layers: variance inflation, voxels, peak, cluster", tables::layers(source)?);
    if layers.len() > 1 {
        folder.add("overlap.tsv", "overlap of each pair of layers", tables::overlap(source)?);
        folder.add("winners.tsv", "voxels won by each layer", tables::winners(source)?);
    }
    Ok(())
}

/// What was compared with the brain.
pub(crate) fn title(stage: &Stage<'_>, source: &Source) -> String {
    source_title(stage, source.source)
}

/// The same of what a source shows.
pub(crate) fn source_title(stage: &Stage<'_>, source: MapSource) -> String {
    match source {
        MapSource::Model(model) => stage.plan.models[model].identifier.clone(),
        _ => "given RDMs".to_owned(),
    }
}

/// Label of the values of a method, and their intent.
pub(crate) fn statistic(method: Method) -> (&'static str, Intent) {
    match method {
        Method::UniqueVariance => ("rsquare", Intent::Estimate),
        method if is_correlation(method) => ("r", Intent::Correlation(0.0)),
        _ => ("beta", Intent::Estimate),
    }
}
