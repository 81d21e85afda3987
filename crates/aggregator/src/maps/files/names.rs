//! Names of files after BIDS derivatives.

use std::collections::BTreeSet;

use ventral_data::{BidsName, bids_label};
use ventral_plan::{MapSource, Method, Plan, SearchlightSpec};
use ventral_searchlight::{Radius, Shape};

use crate::Error;

/// What all files of a folder have in their names.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    task: String,
    space: Option<String>,
    /// Shape and radius: `slR3`, `slR8mm`, `slC1`.
    pub(crate) searchlight: String,
}

impl Naming {
    pub(crate) fn new(plan: &Plan, spec: &SearchlightSpec, scan: usize) -> Self {
        let facts = &plan.scans[scan];
        Self {
            task: or(bids_label(&facts.identifier), "scan"),
            space: facts.space.clone(),
            searchlight: searchlight_label(spec),
        }
    }

    /// The name of a file of a subject, or of the group: `rest` are further entities in their order.
    pub(crate) fn name(
        &self,
        subject: Option<&str>,
        rest: &[(&str, &str)],
        suffix: &str,
        extension: &str,
    ) -> Result<String, Error> {
        let mut entities: Vec<(&str, &str)> = subject.map(|subject| ("sub", subject)).into_iter().collect();
        entities.push(("task", &self.task));
        entities.extend(self.space.as_deref().map(|space| ("space", space)));
        entities.extend(rest);
        let name = BidsName::new(&entities, suffix, extension);
        let name = name.map_err(|source| Error::Volume { name: suffix.to_owned(), source })?;
        Ok(if subject.is_some() { name.to_string() } else { format!("group_{name}") })
    }
}

fn or(label: String, instead: &str) -> String {
    if label.is_empty() { instead.to_owned() } else { label }
}

fn searchlight_label(spec: &SearchlightSpec) -> String {
    let radius = |radius: f64| radius.to_string().replace('.', "p");
    let text = match spec.neighbourhood() {
        Shape::Cube { half_width } => format!("slC{half_width}"),
        Shape::Ball { radius: Radius::Voxels(voxels), .. } => format!("slR{}", radius(voxels)),
        Shape::Ball { radius: Radius::Millimetres(mm), .. } => format!("slR{}mm", radius(mm)),
    };
    or(bids_label(&text), "sl")
}

/// Folders of all sources of a plan: scan and model, or what takes the model's place.
pub(crate) fn folder(plan: &Plan, scan: usize, source: MapSource) -> String {
    let scans: Vec<&str> = plan.scans.iter().map(|scan| scan.identifier.as_str()).collect();
    format!("{}/{}", labels(&scans)[scan], source_folder(plan, source))
}

/// The model, or what takes its place.
pub(crate) fn source_folder(plan: &Plan, source: MapSource) -> String {
    let models: Vec<&str> = plan.models.iter().map(|model| model.identifier.as_str()).collect();
    match source {
        MapSource::Model(model) => format!("model-{}", labels(&models)[model]),
        MapSource::Rdms => "rdms".to_owned(),
        MapSource::Reliability | MapSource::Ceiling => "quality".to_owned(),
    }
}

/// Texts as labels, each different: those that would be the same get their number.
pub(crate) fn labels<T: AsRef<str>>(texts: &[T]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let label = or(bids_label(text.as_ref()), "layer");
        let unique = if seen.contains(&label) { format!("{label}x{}", index + 1) } else { label };
        seen.insert(unique.clone());
        found.push(unique);
    }
    found
}

/// A method in a label.
pub(crate) fn method_label(method: Method) -> String {
    bids_label(method.name())
}
