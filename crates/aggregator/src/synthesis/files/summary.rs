//! All values of a set as one JSON document.

use serde_json::{Value, json};
use ventral_synthesis::natural::{distribution, quantile};

use crate::synthesis::collect::{Restart, Set, Stage};
use crate::synthesis::measure::{Measured, unrelated};
use crate::synthesis::natural::MAX_NATURAL;

/// The document, with a newline at its end.
pub(super) fn json(stage: &Stage<'_>, set: &Set) -> Vec<u8> {
    // Plain data.
    let mut bytes = serde_json::to_vec_pretty(&summary(stage, set)).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn summary(stage: &Stage<'_>, set: &Set) -> Value {
    let facts = &stage.plan.models[set.model];
    let (images, height, width, _) = set.images.dim();
    let [transforms, jpeg, noise] = set.chosen().robust;
    let layers = set.layers.iter().zip(&set.units);
    json!({
        "model": facts.identifier,
        "model_digest": facts.digest.to_string(),
        "gradient_engine": facts.gradient.as_ref().map(|gradient| &gradient.engine),
        "numeric_profile": stage.plan.machine.profile,
        "images": images,
        "size": [height, width],
        "layers": layers.map(|(name, units)| json!({ "name": name, "units": units })).collect::<Vec<_>>(),
        "restart": restart(set.chosen()),
        "synthesised": measured(&set.after, set),
        "E6_mean_abs_r_under_transforms": finite(transforms),
        "E7_mean_abs_r_as_jpeg": finite(jpeg),
        "E7_mean_abs_r_with_noise": finite(noise),
        "initial": set.before.as_ref().map(|before| measured(before, set)),
        "natural": natural(set),
        "expected_of_unrelated_layers": { "mean_abs_r": unrelated(images) },
        "restarts": set.restarts.iter().map(restart).collect::<Vec<_>>(),
        "restarts_planned": set.planned,
        "irreducible_pairs": set.irreducible.iter().map(|pair| names(set, *pair)).collect::<Vec<_>>(),
        "settings": stage.spec.settings([height, width], set.chosen().seed),
        "warnings": set.warnings,
        "missing": stage.gaps_of(set.model).map(|gap| format!("{}: {}", gap.unit, gap.reason)).collect::<Vec<_>>(),
        "generated_by": { "name": "ventral", "version": env!("CARGO_PKG_VERSION") },
    })
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn names(set: &Set, pair: [usize; 2]) -> [&str; 2] {
    pair.map(|layer| set.layers[layer].as_str())
}

fn restart(restart: &Restart) -> Value {
    let [transforms, jpeg, noise] = restart.robust.map(finite);
    json!({
        "seed": restart.seed,
        "unit": restart.digest.to_string(),
        "steps": restart.steps,
        "stop": restart.stop,
        "E1_mean_abs_r": restart.values.as_ref().ok().map(|values| values[0]),
        "E2_max_abs_r": restart.values.as_ref().ok().map(|values| values[1]),
        "E6_mean_abs_r_under_transforms": transforms,
        "E7_mean_abs_r_as_jpeg": jpeg,
        "E7_mean_abs_r_with_noise": noise,
        "problem": restart.values.as_ref().err(),
    })
}

fn measured(found: &Measured, set: &Set) -> Value {
    let (values, ranks) = (&found.pearson, &found.spearman);
    json!({
        "E1_mean_abs_r": values.mean_abs_r,
        "E2_max_abs_r": values.max_abs_r,
        "E2_pair": names(set, values.worst),
        "E3_mean_adjacent_r": values.mean_adjacent_r,
        "E4_effective_rank": values.effective_rank,
        "E5_variance_inflation": values.inflation,
        "E8_sd": values.sd,
        "spearman": {
            "E1_mean_abs_r": ranks.mean_abs_r,
            "E2_max_abs_r": ranks.max_abs_r,
            "E2_pair": names(set, ranks.worst),
            "E3_mean_adjacent_r": ranks.mean_adjacent_r,
        },
    })
}

/// Mean, spread and ends of the draws, and the share of them below the synthesised value.
fn natural(set: &Set) -> Option<Value> {
    let pool = set.natural.as_ref()?;
    let of = |values: &[f64], synthesised: f64| {
        let found = distribution(values).ok();
        json!({
            "mean": found.map(|found| found.mean),
            "sd": found.map(|found| found.sd),
            "min": found.map(|found| found.min),
            "max": found.map(|found| found.max),
            "quantile_of_synthesised": quantile(values, synthesised),
        })
    };
    let [values, ranks] = pool.both();
    let (after, after_ranks) = (&set.after.pearson, &set.after.spearman);
    Some(json!({
        "pool": pool.identifier,
        "version": pool.version,
        "pool_images": pool.count,
        "pool_images_compared": pool.used,
        "pool_images_blank_in_layers": pool.blank,
        "pool_images_compared_at_most": MAX_NATURAL,
        "draws": values.mean_abs_r.len(),
        "E1_mean_abs_r": of(&values.mean_abs_r, after.mean_abs_r),
        "E2_max_abs_r": of(&values.max_abs_r, after.max_abs_r),
        "E3_mean_adjacent_r": of(&values.mean_adjacent_r, after.mean_adjacent_r),
        "E4_effective_rank": of(&values.effective_rank, after.effective_rank),
        "spearman": {
            "E1_mean_abs_r": of(&ranks.mean_abs_r, after_ranks.mean_abs_r),
            "E2_max_abs_r": of(&ranks.max_abs_r, after_ranks.max_abs_r),
            "E3_mean_adjacent_r": of(&ranks.mean_adjacent_r, after_ranks.mean_adjacent_r),
        },
    }))
}
