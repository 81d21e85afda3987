//! Synthesis: specs, units and their names, natural images.

use ventral_plan::synthesis::{MAX_RESTARTS, MAX_SEED, ParametrisationName};
use ventral_plan::{
    BenchmarkFacts, Digest, Error, Facts, GradientFacts, JobSpec, ModelFacts, Plan, PoolFacts, SpecError,
    UnitRef, plan_without,
};
use ventral_synthesis::{MAX_IMAGES, MAX_STEPS, Parametrisation, REVISION};

use crate::{benchmark, machine, model, spec};

const SPEC: &str = "name='images'\nmodels=['m']\n[synthesis]\n";

/// A model of three layers, the last of which is the readout.
fn differentiable(identifier: &str) -> ModelFacts {
    let gradient = GradientFacts {
        engine: "engine-1".into(),
        size: [64, 64],
        trace_bytes: 10 << 20,
        working_bytes: 5 << 20,
        seconds_per_image: 0.01,
    };
    let facts = model(identifier, &[("x", 1000), ("y", 500), ("logits", 10)]);
    ModelFacts { gradient: Some(gradient), readout: Some(2), ..facts }
}

fn pool(count: usize) -> PoolFacts {
    let stimuli = Digest::of_bytes(b"photographs");
    PoolFacts { identifier: "photographs".into(), version: "1".into(), stimuli, count, citation: None }
}

fn planned(text: &str, facts: Facts) -> Result<Plan, Error> {
    plan_without(facts, spec(text).expect("a spec"), machine(8 << 30))
}

fn facts() -> Facts {
    Facts { models: vec![differentiable("a")], pools: vec![pool(1200)], ..Facts::default() }
}

fn refused(text: &str) -> (String, String) {
    match spec(text).expect_err("a bad spec") {
        SpecError::Field { field, problem, .. } => (field.to_owned(), problem),
        other => panic!("{other}"),
    }
}

#[test]
fn an_empty_section_is_the_definition_and_needs_models_alone() {
    let JobSpec { synthesis, .. } = spec(SPEC).expect("a spec");
    let synthesis = synthesis.expect("a section");
    assert_eq!((synthesis.images, synthesis.steps, synthesis.restarts, synthesis.seed), (16, 2500, 4, 0));
    assert_eq!((synthesis.checkpoint_steps, synthesis.draws, &synthesis.natural), (100, 1000, &None));
    let settings = synthesis.settings([224, 224], 3);
    assert_eq!(settings, ventral_synthesis::Settings { seed: 3, ..Default::default() });
    let (field, problem) = refused("name='images'\n[synthesis]\n");
    assert_eq!(field, "models");
    assert!(problem.contains("empty"), "{problem}");
}

#[test]
fn every_field_reaches_the_settings() {
    let text = format!(
        "{SPEC}images=20\nsteps=7\nseed=5\nparametrisation='pixels'\nlearning_rate=0.1\n\
         [synthesis.objective]\nsoft_max=2.0\ntotal_variation=0.0\n[synthesis.transforms]\nrotate=false\nuntil=0.5\n\
         [synthesis.stop]\nmean_abs_r=0.0\n"
    );
    let synthesis = spec(&text).expect("a spec").synthesis.expect("a section");
    let settings = synthesis.settings([64, 32], 6);
    assert_eq!((settings.images, settings.size, settings.seed), (20, [64, 32], 6));
    assert_eq!(settings.parametrisation, Parametrisation::Pixels);
    assert_eq!((settings.learning_rate, settings.stop.steps, settings.stop.mean_abs_r), (0.1, 7, 0.0));
    assert_eq!(settings.stop.relative_change, 1e-3);
    assert_eq!((settings.objective.soft_max, settings.objective.total_variation), (2.0, 0.0));
    assert!(!settings.transforms.rotate && settings.transforms.jitter);
    assert_eq!(settings.transforms.until, 0.5);
}

#[test]
fn fields_without_meaning_are_refused_by_name_at_their_bounds() {
    let fields: [(&str, String, String); 8] = [
        ("images", "5".into(), "6".into()),
        ("images", (MAX_IMAGES + 1).to_string(), MAX_IMAGES.to_string()),
        ("steps", (MAX_STEPS + 1).to_string(), MAX_STEPS.to_string()),
        ("steps", "0".into(), "1".into()),
        ("restarts", (MAX_RESTARTS + 1).to_string(), MAX_RESTARTS.to_string()),
        ("checkpoint_steps", "0".into(), "1".into()),
        ("learning_rate", "0.0".into(), "1e-6".into()),
        ("decay", "4.5".into(), "4.0".into()),
    ];
    for (field, bad, good) in &fields {
        let (named, problem) = refused(&format!("{SPEC}{field}={bad}\n"));
        assert_eq!(named, format!("synthesis.{field}"));
        assert!(problem.starts_with(&format!("found {}", bad.trim_end_matches(".0"))), "{problem}");
        assert!(spec(&format!("{SPEC}{field}={good}\n")).is_ok(), "{field}={good}");
    }
    let nested = [
        ("objective", "spread", "-1.0", "0.0"),
        ("objective", "soft_max", "nan", "0.0"),
        ("objective", "spread_floor", "1.5", "1.0"),
        ("objective", "adjacent_weight", "inf", "2.0"),
        ("transforms", "until", "1.1", "0.0"),
        ("stop", "mean_abs_r", "-0.1", "0.0"),
        ("stop", "relative_change", "2.0", "1.0"),
    ];
    for (section, field, bad, good) in nested {
        let (named, _) = refused(&format!("{SPEC}[synthesis.{section}]\n{field}={bad}\n"));
        assert_eq!(named, format!("synthesis.{section}.{field}"));
        assert!(spec(&format!("{SPEC}[synthesis.{section}]\n{field}={good}\n")).is_ok());
    }
    let (named, _) = refused(&format!("{SPEC}seed={MAX_SEED}\n"));
    assert_eq!(named, "synthesis.seed");
    for unknown in ["sheets=1\n", "parametrisation='wavelets'\n", "[synthesis.objective]\nbeta=1.0\n"] {
        assert!(matches!(spec(&format!("{SPEC}{unknown}")), Err(SpecError::Syntax { .. })), "{unknown}");
    }
}

#[test]
fn every_model_has_its_restarts_and_one_reading_of_the_natural_images() {
    let models = vec![differentiable("a"), differentiable("b")];
    let plan = planned(&format!("{SPEC}restarts=3\nseed=7\n"), Facts { models, ..facts() }).expect("a plan");
    let seeds: Vec<_> = plan.syntheses.iter().map(|unit| (unit.model, unit.restart, unit.seed)).collect();
    assert_eq!(seeds, [(0, 0, 7), (0, 1, 8), (0, 2, 9), (1, 0, 7), (1, 1, 8), (1, 2, 9)]);
    // The readout is not told apart.
    assert!(plan.syntheses.iter().all(|unit| unit.layers == [0, 1]));
    assert_eq!(plan.features.len(), 2);
    assert!(plan.features.iter().all(|unit| unit.pool == Some(0) && unit.layers.len() == 2));
    assert_eq!(plan.unit_count(), 2 * 2 + 6);
    assert_eq!(plan.natural_features(1), Some(1));
    let grams = plan.natural_grams(&plan.syntheses[3]).expect("Grams");
    assert_eq!(grams, [&plan.features[1].layers[0].gram, &plan.features[1].layers[1].gram]);
    assert_eq!(plan.natural_layers(1), [0, 1]);
    assert_eq!(plan.features_title(&plan.features[0]), "reading a on 1200 stimuli of photographs");
    assert_eq!(plan.synthesis_title(&plan.syntheses[1]), "synthesising 16 images for a, seed 8");
    assert_eq!(plan.natural_title(0, 1), "a, layer y, on the natural images of photographs");
    assert_eq!(plan.unit_digest(UnitRef::Synthesis(2)).as_ref(), Some(&plan.syntheses[2].digest));
}

#[test]
fn layers_are_those_asked_for() {
    let text = format!("{}[layers]\na=['y','logits']\n[synthesis]\n", "name='images'\nmodels=['m']\n");
    let committed = ModelFacts { committed: vec![0], ..differentiable("a") };
    let plan = planned(&text, Facts { models: vec![committed], ..facts() }).expect("a plan");
    assert_eq!(
        plan.syntheses[0].layers,
        [1, 2],
        "one that a region commits to is not asked for, a readout by name is"
    );
    let read: Vec<usize> = plan.features[0].layers.iter().map(|target| target.layer).collect();
    assert_eq!((read, plan.natural_layers(0)), (vec![1, 2], vec![0, 1]));
}

#[test]
fn natural_images_share_the_reading_of_a_benchmark_that_fills_the_input() {
    let shared = |degrees: Option<f64>| {
        let benchmark = BenchmarkFacts { degrees, ..benchmark("p", "photographs") };
        planned(SPEC, Facts { benchmarks: vec![benchmark], ..facts() }).expect("a plan")
    };
    let plan = shared(Some(8.0));
    assert_eq!((plan.features.len(), plan.features[0].pool, plan.natural_features(0)), (1, None, Some(0)));
    assert_eq!(
        (plan.features[0].layers.len(), plan.natural_layers(0)),
        (3, vec![0, 1]),
        "the readout is for the benchmark"
    );
    let plan = shared(Some(5.0));
    assert_eq!(
        (plan.features.len(), plan.natural_features(0)),
        (2, Some(1)),
        "shown smaller they are other images"
    );
    let none = planned(SPEC, Facts { pools: Vec::new(), ..facts() }).expect("a plan");
    assert!(none.features.is_empty() && none.natural_grams(&none.syntheses[0]).is_none());
}

#[test]
fn names_follow_everything_that_changes_images_and_nothing_else() {
    let name = |text: &str, change: &dyn Fn(&mut ModelFacts)| {
        let mut model = differentiable("a");
        change(&mut model);
        let plan = planned(&format!("{SPEC}{text}"), Facts { models: vec![model], ..facts() });
        plan.expect("a plan").syntheses[1].digest.clone()
    };
    let base = name("", &|_| {});
    for same in [
        name("restarts=9\n", &|_| {}),
        name("checkpoint_steps=3\ndraws=7\n", &|_| {}),
        name("natural='b'\n", &|_| {}),
        name("", &|model| model.identifier = "renamed".into()),
        name("", &|model| model.seconds_per_stimulus = 9.0),
        name("", &|model| model.gradient.as_mut().expect("one").trace_bytes += 1),
    ] {
        assert_eq!(same, base);
    }
    for other in [
        name("seed=1\n", &|_| {}),
        name("images=17\n", &|_| {}),
        name("steps=2499\n", &|_| {}),
        name("decay=1.5\n", &|_| {}),
        name("parametrisation='pixels'\n", &|_| {}),
        name("learning_rate=0.04\n", &|_| {}),
        name("[synthesis.objective]\nrange=0.0\n", &|_| {}),
        name("[synthesis.transforms]\njitter=false\n", &|_| {}),
        name("[synthesis.stop]\nrelative_change=0.0\n", &|_| {}),
        name("", &|model| model.digest = Digest::of_bytes(b"other weights")),
        name("", &|model| model.layers[0].name = "z".into()),
        name("", &|model| model.readout = None),
        name("", &|model| model.gradient.as_mut().expect("one").engine = "engine-2".into()),
        name("", &|model| model.gradient.as_mut().expect("one").size = [32, 64]),
    ] {
        assert_ne!(other, base);
    }
    // Decay has no meaning for pixels.
    let pixels = "parametrisation='pixels'\n";
    assert_eq!(name(pixels, &|_| {}), name(&format!("{pixels}decay=2.0\n"), &|_| {}));
    assert_eq!(ParametrisationName::default(), ParametrisationName::Fourier);
}

/// An identity, written down once more.
#[derive(serde::Serialize)]
struct Identity {
    kind: &'static str,
    revision: u32,
    algorithm: u32,
    profile: String,
    engine: &'static str,
    model: Digest,
    layers: [&'static str; 2],
    settings: ventral_synthesis::Settings,
}

#[test]
fn names_follow_the_revision_of_the_mathematics() {
    let plan = planned(SPEC, facts()).expect("a plan");
    let named = |algorithm: u32| {
        Digest::of_identity(&Identity {
            kind: "synthesis",
            revision: 2,
            algorithm,
            profile: plan.machine.profile.clone(),
            engine: "engine-1",
            model: plan.models[0].digest.clone(),
            layers: ["x", "y"],
            settings: ventral_synthesis::Settings { size: [64, 64], ..Default::default() },
        })
    };
    assert_eq!(plan.syntheses[0].digest, named(REVISION));
    assert_ne!(plan.syntheses[0].digest, named(REVISION + 1));
}

#[test]
fn jobs_without_synthesis_keep_their_ids_and_their_text() {
    let plan = plan_without(
        Facts {
            models: vec![model("a", &[("x", 10)])],
            benchmarks: vec![benchmark("p", "s")],
            ..Facts::default()
        },
        spec("name='v4'\nmodels=['m']\nbenchmarks=['b']").expect("a spec"),
        machine(8 << 30),
    )
    .expect("a plan");
    let digests: Vec<_> = plan.scores.iter().map(|unit| &unit.digest).collect();
    let expected = Digest::of_identity(&(&plan.spec, digests));
    assert_eq!(plan.job_id(), format!("v4-{}", &expected.as_str()[..8]));
    let text = serde_json::to_string(&plan).expect("JSON");
    for word in ["synthes", "pool", "gradient"] {
        assert!(!text.contains(word), "{word}");
    }
    let read: Plan = serde_json::from_str(&text).expect("a plan");
    assert_eq!(read, plan);
}

#[test]
fn the_id_of_a_job_follows_its_images_and_the_natural_ones() {
    let id = |text: &str, count: u8| {
        let pool = PoolFacts { stimuli: Digest::of_bytes(&[count]), ..pool(100) };
        planned(&format!("{SPEC}{text}"), Facts { pools: vec![pool], ..facts() }).expect("a plan").job_id()
    };
    assert_eq!(id("", 1), id("", 1));
    assert_ne!(id("", 1), id("", 2));
    assert_ne!(id("", 1), id("restarts=5\n", 1));
}

#[test]
fn what_cannot_be_made_is_refused_with_the_reason() {
    let reason = |text: &str, facts: Facts| match planned(&format!("{SPEC}{text}"), facts) {
        Err(error @ (Error::Synthesis { .. } | Error::TooManyUnits { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let of = |model: ModelFacts| Facts { models: vec![model], ..facts() };
    let plain = reason("", of(model("a", &[("x", 10), ("y", 10)])));
    assert!(plain.contains("model a") && plain.contains("no gradient"), "{plain}");
    let one = ModelFacts { committed: vec![0], ..differentiable("a") };
    assert!(reason("", of(one)).contains("1 layers to tell apart"));
    let few = reason("", Facts { pools: vec![pool(15)], ..facts() });
    assert!(few.contains("15 natural images") && few.contains("16"), "{few}");
    assert!(planned(SPEC, Facts { pools: vec![pool(16)], ..facts() }).is_ok());
    assert!(reason("", of(sized([4096, 64]))).contains("4096"));
    let many = vec![differentiable("a"); 1001];
    let models =
        many.into_iter().enumerate().map(|(i, m)| ModelFacts { identifier: i.to_string(), ..m }).collect();
    assert!(reason("restarts=1000\n", Facts { models, ..facts() }).contains("1001000 units"));
    let unweighted = "[synthesis.objective]\nadjacent_weight=0.0\n";
    let pair = reason(unweighted, facts());
    assert!(pair.contains("synthesis.objective.adjacent_weight"), "{pair}");
    let three = ModelFacts { readout: None, ..differentiable("a") };
    assert!(planned(&format!("{SPEC}{unweighted}"), of(three)).is_ok(), "three layers have another pair");
}

fn sized(size: [usize; 2]) -> ModelFacts {
    let mut facts = differentiable("a");
    facts.gradient.as_mut().expect("one").size = size;
    facts
}

#[test]
fn images_of_too_many_pixels_are_named_with_the_number_that_fits() {
    let with = |images: usize| {
        let pools = vec![pool(1200)];
        planned(
            &format!("{SPEC}images={images}\n"),
            Facts { models: vec![sized([512, 512])], pools, ..facts() },
        )
    };
    let error = with(65).expect_err("too many pixels").to_string();
    for part in ["synthesis.images: found 65", "512 x 512", "at most 64 fit"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(with(64).expect("a plan").syntheses.len(), 4);
}

#[test]
fn a_model_that_no_images_can_be_made_for_leaves_the_others_theirs() {
    let many: Vec<(String, u64)> = (0..257).map(|layer| (format!("l{layer}"), 10)).collect();
    let many: Vec<(&str, u64)> = many.iter().map(|(name, features)| (name.as_str(), *features)).collect();
    let gradient = differentiable("a").gradient;
    let models = vec![
        ModelFacts { committed: vec![0], ..differentiable("short") },
        ModelFacts { gradient, ..model("long", &many) },
        ModelFacts { identifier: "large".into(), ..sized([4096, 64]) },
        differentiable("good"),
    ];
    let plan = planned(SPEC, Facts { models, ..facts() }).expect("a plan");
    assert_eq!(plan.syntheses.len(), 4);
    assert!(plan.syntheses.iter().all(|unit| unit.model == 3));
    let read: Vec<usize> = plan.features.iter().map(|unit| unit.model).collect();
    assert_eq!(read, [3], "natural images are for those with images of their own");
    let refused: Vec<_> = plan.refused.iter().map(|refused| refused.card.as_str()).collect();
    assert_eq!(refused, ["short", "long", "large"]);
    for (refused, part) in plan.refused.iter().zip(["1 layers", "257 layers", "4096"]) {
        assert!(refused.reason.starts_with("no images can be made for it: "), "{}", refused.reason);
        assert!(refused.reason.contains(part), "{}", refused.reason);
    }
}

#[test]
fn a_model_without_a_gradient_is_scored_all_the_same() {
    let text = "name='both'\nmodels=['m']\nbenchmarks=['b']\n[synthesis]\n";
    let models = vec![model("plain", &[("x", 10), ("y", 10)]), differentiable("a")];
    let facts = Facts { models, benchmarks: vec![benchmark("p", "s")], ..facts() };
    let plan = planned(text, facts).expect("a plan");
    assert!(plan.syntheses.iter().all(|unit| unit.model == 1) && plan.syntheses.len() == 4);
    assert_eq!(plan.scores.iter().filter(|unit| unit.model == 0).count(), 2);
    let natural: Vec<_> =
        plan.features.iter().filter(|unit| unit.pool.is_some()).map(|unit| unit.model).collect();
    assert_eq!(natural, [1], "natural images are for those with images of their own");
}

#[test]
fn time_and_memory_follow_images_steps_and_traces() {
    let estimate =
        |text: &str| planned(&format!("{SPEC}{text}"), facts()).expect("a plan").syntheses[0].estimate;
    let base = estimate("");
    assert!(base.seconds > 2500.0 * 8.0 * 0.01 && base.seconds < 2.0 * 2500.0 * 8.0 * 0.01, "{base:?}");
    assert!(estimate("steps=5000\n").seconds > 1.9 * base.seconds);
    let twice = estimate("images=32\n");
    assert!(twice.seconds > 1.9 * base.seconds);
    assert!(twice.memory_bytes - base.memory_bytes >= 16 * (10 << 20), "a trace per image");
    let mut tiny = differentiable("a");
    tiny.gradient.as_mut().expect("one").seconds_per_image = 0.0;
    let tiny = planned(SPEC, Facts { models: vec![tiny], ..facts() }).expect("a plan").syntheses[0].estimate;
    assert!(tiny.seconds > 2500.0 * 1e-3, "pixels cost time even if the network costs none: {tiny:?}");
    let plan = planned(SPEC, facts()).expect("a plan");
    assert_eq!(
        plan.peak_bytes(),
        plan.syntheses[0].estimate.memory_bytes.max(plan.features[0].estimate.memory_bytes)
    );
    let needed = base.least_bytes;
    let unfit = |bytes: u64| {
        plan.unfit(bytes).into_iter().filter(|u| matches!(u.unit, UnitRef::Synthesis(_))).count()
    };
    assert_eq!((unfit(needed), unfit(needed - 1)), (0, 4));
    let unit = &plan.syntheses[0];
    let threads = |memory: u64, most: usize| plan.synthesis_threads(unit, memory, most);
    assert_eq!((threads(needed, 64), threads(u64::MAX, 64), threads(0, 64)), (1, 64, 1));
    assert_eq!(threads(needed + 2 * (5 << 20), 64), 3, "each image on its way takes memory");
    assert_eq!(threads(needed + 15 * (5 << 20), 64), 64, "there are no more than 16 at once");
    let reason = plan.unfit(needed - 1).pop().expect("one").reason();
    assert!(reason.contains("synthesising 16 images for a, seed 3 needs at least"), "{reason}");
}
