//! Files of one subject.

use serde_json::json;
use ventral_data::Intent;
use ventral_searchlight::fisher_z;

use super::names::{labels, method_label};
use super::volume::{Frame, placement};
use super::{Folder, Labels, statistic};
use crate::Error;
use crate::maps::design::{is_correlation, words};
use crate::maps::layers::LayerMap;
use crate::maps::stage::{Source, Stage};
use crate::maps::subject::SubjectMaps;

/// Adds the maps of a subject to its folder.
pub(crate) fn add(
    stage: &Stage<'_>,
    source: &Source,
    maps: &SubjectMaps,
    folder: &mut Folder<'_>,
) -> Result<(), Error> {
    let facts = &stage.plan.scans[source.scan].subjects[maps.index];
    let placement = placement(&facts.placement, &maps.grid);
    let frame = Frame { grid: &maps.grid, placement, places: &maps.raw.places };
    let light = folder.naming.searchlight.clone();
    let counts = json!({
        "Centres": maps.raw.places.len(),
        "CentresTooSmall": maps.raw.too_small,
        "CentresUndefined": maps.raw.undefined,
        "VoxelsOutsideMask": facts.outside_mask,
        "VoxelsNonFinite": facts.non_finite,
        "VoxelsConstant": facts.constant,
        "Runs": facts.runs,
    });
    let id = Some(maps.id.as_str());
    let what = "centres: usable voxels";
    folder.add_map(Labels::new(id, &[("desc", "brain")], "mask", what, &counts), frame.mask(what)?)?;
    let sizes = maps.raw.voxels.iter().map(|&voxels| i16::try_from(voxels).unwrap_or(i16::MAX));
    let what = "voxels of each neighbourhood";
    let entities = [("desc", light.as_str()), ("stat", "voxels")];
    let bytes = frame.integers(sizes, Intent::None, what)?;
    folder.add_map(Labels::new(id, &entities, "statmap", what, &counts), bytes)?;
    let layers = labels(&source.design.layers);
    for (prepared, values) in source.design.methods.iter().zip(&maps.methods) {
        let (stat, intent) = statistic(prepared.method);
        let desc = format!("{light}{}", method_label(prepared.method));
        for (layer, (row, name)) in values.rows().into_iter().zip(&layers).enumerate() {
            let what = format!("{} map of {}", words(prepared.method), source.design.layers[layer]);
            let entities = [("contrast", name.as_str()), ("desc", &desc), ("stat", stat)];
            let special = method_sidecar(source, layer, prepared.method.name(), &counts);
            let labels = Labels::new(id, &entities, "statmap", &what, &special);
            folder.add_map(labels, frame.numbers(row.iter().copied(), intent, &what)?)?;
        }
    }
    add_deciding(source, maps, &frame, folder, &layers)?;
    add_layer_map(source, &maps.layers, Some(&maps.id), &frame, folder)
}

fn method_sidecar(
    source: &Source,
    layer: usize,
    method: &str,
    counts: &serde_json::Value,
) -> serde_json::Value {
    let mut special = counts.clone();
    if let Some(map) = special.as_object_mut() {
        map.insert("Layer".to_owned(), json!(source.design.layers[layer]));
        map.insert("Method".to_owned(), json!(method));
        map.insert("VarianceInflation".to_owned(), json!(source.design.inflation.get(layer)));
        map.insert("ConditionNumber".to_owned(), json!(source.design.condition));
    }
    special
}

/// Fisher's z and p of the method that decides.
fn add_deciding(
    source: &Source,
    maps: &SubjectMaps,
    frame: &Frame<'_>,
    folder: &mut Folder<'_>,
    layers: &[String],
) -> Result<(), Error> {
    let method = source.design.deciding();
    let desc = format!("{}{}", folder.naming.searchlight, method_label(method));
    for (layer, name) in layers.iter().enumerate() {
        let shown = &source.design.layers[layer];
        let mut write = |stat: &str, what: String, intent: Intent, values: Vec<f64>| -> Result<(), Error> {
            let entities = [("contrast", name.as_str()), ("desc", &desc), ("stat", stat)];
            let special = json!({ "Layer": shown, "Method": method.name() });
            let labels =
                Labels { subject: Some(&maps.id), entities: &entities, suffix: "statmap", what, special };
            let bytes = frame.numbers(values, intent, &labels.what)?;
            folder.add_map(labels, bytes)
        };
        if is_correlation(method) {
            let z = maps.deciding().row(layer).iter().map(|&r| fisher_z(r)).collect();
            write("z", format!("Fisher z of the {} map of {shown}", words(method)), Intent::None, z)?;
        }
        if let Some(p) = &maps.p {
            let words = words(method);
            let what = format!("p of the {words} map of {shown}, {} relabellings of the images", p.count);
            write("p", what.clone(), Intent::PValue, p.uncorrected.row(layer).to_vec())?;
            let what = format!("{what}, over the brain");
            write("pfwe", what, Intent::PValue, p.fwe.row(layer).to_vec())?;
        }
    }
    Ok(())
}

/// Winner, margin and entropy of a subject or a group.
pub(crate) fn add_layer_map(
    source: &Source,
    map: &LayerMap,
    subject: Option<&str>,
    frame: &Frame<'_>,
    folder: &mut Folder<'_>,
) -> Result<(), Error> {
    let special = json!({ "Voxels": map.rule, "Layers": source.design.layers });
    let Some(winner) = &map.winner else { return Ok(()) };
    let what = "the layer with the largest value: 1 is the first, 0 none";
    let labels = winner.labels.iter().map(|&label| i16::try_from(label).unwrap_or(i16::MAX));
    let bytes = frame.integers(labels, Intent::Label, what)?;
    folder.add_map(Labels::new(subject, &[("desc", "winner")], "dseg", what, &special), bytes)?;
    let below = subject.map_or("group".to_owned(), |subject| format!("sub-{subject}/func"));
    let name = folder.naming.name(subject, &[("desc", "winner")], "dseg", ".tsv")?;
    let names = super::tables::labels(&source.design.layers)?;
    folder.add(&format!("{below}/{name}"), "names and colours of the labels", names);
    let what = "value of the winner minus that of the next layer";
    let entities = [("desc", "winner"), ("stat", "margin")];
    let bytes = frame.numbers(winner.margin.iter().copied(), Intent::Estimate, what)?;
    folder.add_map(Labels::new(subject, &entities, "statmap", what, &special), bytes)?;
    let what = "entropy over layers in nats: 0 where one layer has it all";
    let entities = [("desc", "layers"), ("stat", "entropy")];
    let bytes = frame.numbers(map.entropy.iter().copied(), Intent::Estimate, what)?;
    folder.add_map(Labels::new(subject, &entities, "statmap", what, &special), bytes)
}
