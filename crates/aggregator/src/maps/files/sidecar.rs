//! What a map says about itself in its JSON sidecar: everything that is needed to make it again.

use serde_json::{Map, Value, json};
use ventral_plan::{CENTRES_PER_UNIT, MapSource};
use ventral_searchlight::RsmKind;

use crate::maps::stage::Stage;

/// What holds for all maps of a scan and source.
pub(crate) fn common(
    stage: &Stage<'_>,
    scan: usize,
    source: MapSource,
    layers: &[String],
) -> Map<String, Value> {
    let (plan, spec) = (stage.plan, stage.spec);
    let facts = &plan.scans[scan];
    let unit = plan.maps.iter().find(|unit| unit.scan == scan && unit.source == source);
    let grams = unit.map(|unit| plan.map_grams(unit)).unwrap_or_default();
    let digest = |layer: &String| {
        grams.iter().find(|(name, _)| name == layer).map_or(Value::Null, |(_, gram)| json!(gram.to_string()))
    };
    let compared = match source {
        MapSource::Model(index) => json!({
            "Model": plan.models[index].identifier,
            "ModelDigest": plan.models[index].digest.to_string(),
            "Layers": layers.iter().map(|layer| json!({"Name": layer, "Gram": digest(layer)})).collect::<Vec<_>>(),
        }),
        MapSource::Rdms => json!({
            "GivenRDMs": layers,
            "Digest": facts.rdms_digest.as_ref().map(ToString::to_string),
        }),
        MapSource::Reliability => json!("odd against even runs"),
        MapSource::Ceiling => json!("each subject against all (upper) and against the others (lower)"),
    };
    let whole = json!({
        "Scan": { "Identifier": facts.identifier, "Version": facts.version, "Digest": facts.digest.to_string() },
        "SpatialReference": facts.space,
        "Compared": compared,
        "Conditions": facts.conditions,
        "StimuliDigest": facts.stimuli.as_ref().map(|stimuli| stimuli.digest.to_string()),
        "Searchlight": {
            "Shape": spec.shape,
            "Radius": spec.radius,
            "RadiusUnit": spec.unit,
            "Rule": spec.rule,
            "Edge": "neighbourhoods are cut at the mask and at the edge of the volume",
            "MinimumVoxels": spec.minimum_voxels,
        },
        "RSM": spec.rsm,
        "RSMDirection": if spec.rsm == RsmKind::Pearson || spec.rsm == RsmKind::Cosine {
            "similarities"
        } else {
            "minus dissimilarities"
        },
        "Comparison": spec.comparison,
        "Preparation": {
            "RemoveMeanPattern": spec.remove_mean_pattern,
            "ZScoreRuns": spec.zscore_runs,
            "NoiseNormalisation": spec.noise_normalise,
        },
        "Methods": spec.methods.iter().map(|method| method.name()).collect::<Vec<_>>(),
        "RidgeLambda": spec.ridge_lambda,
        "Permutations": spec.permutations,
        "Seed": spec.seed,
        "CentresPerUnit": CENTRES_PER_UNIT,
        "NumericProfile": plan.machine.profile,
        "GeneratedBy": { "Name": "ventral", "Version": env!("CARGO_PKG_VERSION") },
    });
    match whole {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A sidecar: what is common, and what is special to one map.
pub(crate) fn with(common: &Map<String, Value>, special: Value) -> Vec<u8> {
    let mut all = common.clone();
    if let Value::Object(special) = special {
        all.extend(special);
    }
    pretty(&Value::Object(all))
}

/// JSON for people, with a newline at its end.
pub(crate) fn pretty(value: &Value) -> Vec<u8> {
    // Plain data.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
