//! Files of the group.

use ndarray::ArrayView2;
use serde_json::json;
use ventral_data::Intent;
use ventral_plan::{Correction, Method};

use super::names::{labels, method_label};
use super::volume::{Frame, placement};
use super::{Folder, Labels, statistic};
use crate::Error;
use crate::maps::design::words;
use crate::maps::group::{Corrected, Draws, GroupMaps, correction_words};
use crate::maps::stage::{Source, Stage};

/// Adds the maps of the group to the folder.
pub(crate) fn add(
    stage: &Stage<'_>,
    source: &Source,
    maps: &GroupMaps,
    folder: &mut Folder<'_>,
) -> Result<(), Error> {
    let first = source.subjects.first().map_or(0, |subject| subject.index);
    let facts = &stage.plan.scans[source.scan].subjects[first];
    let frame =
        Frame { grid: &maps.grid, placement: placement(&facts.placement, &maps.grid), places: &maps.places };
    let what = "centres that all subjects have";
    let ids: Vec<&str> = source.subjects.iter().map(|subject| subject.id.as_str()).collect();
    let special = json!({ "Subjects": ids, "Centres": maps.places.len() });
    let labels =
        Labels { subject: None, entities: &[("desc", "brain")], suffix: "mask", what: what.into(), special };
    folder.add_map(labels, frame.mask(what)?)?;
    let mut writer = Writer { stage, source, maps, frame: &frame, folder };
    for (prepared, means) in source.design.methods.iter().zip(&maps.means) {
        let (stat, intent) = statistic(prepared.method);
        let what = format!("mean {} map", words(prepared.method));
        let values = Values { stat, intent, what: &what, values: means.view(), flips: None };
        writer.layers("mean", prepared.method, values)?;
    }
    let method = source.design.deciding();
    let freedom = (maps.subjects - 1) as f32;
    let (intent, what) = (Intent::TTest(freedom), "t over subjects");
    writer.layers("", method, Values { stat: "t", intent, what, values: maps.t.view(), flips: None })?;
    let (intent, what, flips) = (Intent::PValue, "two-sided p of sign flips", Some(maps.flips));
    writer.layers("", method, Values { stat: "p", intent, what, values: maps.p.view(), flips })?;
    for corrected in &maps.corrections {
        writer.correction(corrected)?;
    }
    writer.share_of_ceiling()?;
    super::subject::add_layer_map(source, &maps.layers, None, &frame, folder)
}

/// A map of each layer, and what it is.
struct Values<'a> {
    stat: &'a str,
    intent: Intent,
    what: &'a str,
    values: ArrayView2<'a, f64>,
    /// The sign flips that it is from.
    flips: Option<Draws>,
}

struct Writer<'a, 'b> {
    stage: &'a Stage<'a>,
    source: &'a Source,
    maps: &'a GroupMaps,
    frame: &'a Frame<'a>,
    folder: &'a mut Folder<'b>,
}

impl Writer<'_, '_> {
    /// A map of each layer.
    fn layers(&mut self, desc: &str, method: Method, of: Values<'_>) -> Result<(), Error> {
        let Values { stat, intent, what, values, flips } = of;
        let names = labels(&self.source.design.layers);
        let desc = format!("{}{}{desc}", self.folder.naming.searchlight, method_label(method));
        let group = &self.stage.spec.group;
        for (layer, (row, name)) in values.rows().into_iter().zip(&names).enumerate() {
            let shown = &self.source.design.layers[layer];
            let special = json!({
                "Layer": shown,
                "Method": method.name(),
                "VarianceInflation": self.source.design.inflation.get(layer),
                "Subjects": self.maps.subjects,
                "SignFlips": flips.map(|flips| flips.count),
                "SignFlipsExhaustive": flips.map(|flips| flips.exhaustive),
                "Connectivity": group.connectivity,
                "ClusterFormingP": group.cluster_p,
                "Alpha": group.alpha,
            });
            let what = format!("{what} of {shown}");
            let entities = [("contrast", name.as_str()), ("desc", &desc), ("stat", stat)];
            let bytes = self.frame.numbers(row.iter().copied(), intent, &what)?;
            let labels = Labels { subject: None, entities: &entities, suffix: "statmap", what, special };
            self.folder.add_map(labels, bytes)?;
        }
        Ok(())
    }

    fn correction(&mut self, corrected: &Corrected) -> Result<(), Error> {
        let method = self.source.design.deciding();
        let (desc, stat, name) = match corrected.correction {
            Correction::MaxT => ("maxT", "pfwe", ""),
            Correction::Tfce => ("tfce", "pfwe", "tfce"),
            Correction::Fdr => ("fdr", "q", ""),
            Correction::ClusterMass => ("clustermass", "pfwe", "mass"),
        };
        if let Some(statistic) = &corrected.statistic {
            let what = if name == "tfce" { "enhanced t" } else { "sum of t of the cluster" };
            let (intent, values) = (Intent::Estimate, statistic.view());
            self.layers(desc, method, Values { stat: name, intent, what, values, flips: None })?;
        }
        let what = correction_words(corrected.correction);
        let (intent, values, flips) = (Intent::PValue, corrected.p.view(), corrected.flips);
        self.layers(desc, method, Values { stat, intent, what, values, flips })
    }

    /// The mean raw map as a share of the upper noise ceiling, where the lower one is above 0.
    fn share_of_ceiling(&mut self) -> Result<(), Error> {
        let scan = self.source.scan;
        let quality = self.stage.quality.iter().find(|quality| quality.scan == scan);
        let Some(ceiling) = quality.and_then(|quality| quality.ceiling.as_ref()) else { return Ok(()) };
        let methods = &self.source.design.methods;
        let Some(raw) = methods.iter().position(|prepared| prepared.method == Method::Raw) else {
            return Ok(());
        };
        let (lower, upper) = (ceiling.values.row(0), ceiling.values.row(1));
        let mut share = self.maps.means[raw].clone();
        for (centre, place) in self.maps.places.iter().enumerate() {
            let found = ceiling.places.binary_search(place).ok().filter(|&at| lower[at] > 0.0);
            share.column_mut(centre).mapv_inplace(|value| found.map_or(f64::NAN, |at| value / upper[at]));
        }
        let what = "mean raw map as a share of the upper noise ceiling";
        let (stat, intent, values) = ("share", Intent::Estimate, share.view());
        self.layers("ceiling", Method::Raw, Values { stat, intent, what, values, flips: None })
    }
}
