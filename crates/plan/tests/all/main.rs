//! Planning: specs, identities, estimates, refusals.

mod placement;
mod searchlight;
mod synthesis;

use std::collections::BTreeMap;

use proptest::prelude::*;
use ventral_metrics::{CeilingRule, Precision};
use ventral_plan::planner::MAX_UNITS;
use ventral_plan::spec::{MAX_ENTRIES, MAX_NAME_CHARS};
use ventral_plan::{
    BehaviorFacts, BenchmarkFacts, Consumes, Digest, Error, Facts, JobSpec, LayerFacts, MachineFacts,
    ModelFacts, Plan, Scoring, SpecError, plan,
};

fn spec(text: &str) -> Result<JobSpec, SpecError> {
    JobSpec::from_toml(text, "evaluation.toml")
}

fn small_spec() -> JobSpec {
    spec("name = 'v4'\nmodels = ['m']\nbenchmarks = ['b']").expect("a good spec")
}

fn model(identifier: &str, layers: &[(&str, u64)]) -> ModelFacts {
    let layers =
        layers.iter().map(|(name, features)| LayerFacts { name: (*name).into(), features: *features });
    ModelFacts {
        identifier: identifier.into(),
        digest: Digest::of_bytes(identifier.as_bytes()),
        layers: layers.collect(),
        commitments: BTreeMap::new(),
        degrees: Some(8.0),
        seconds_per_stimulus: 0.05,
        weight_bytes: 1 << 20,
        imagenet_top1: None,
        time_bins: Vec::new(),
        readout: None,
        committed: Vec::new(),
        gradient: None,
    }
}

fn benchmark(identifier: &str, stimuli: &str) -> BenchmarkFacts {
    BenchmarkFacts {
        identifier: identifier.into(),
        version: "1".into(),
        region: "V4".into(),
        digest: Digest::of_bytes(identifier.as_bytes()),
        stimuli: Digest::of_bytes(stimuli.as_bytes()),
        stimulus_count: 1200,
        targets: 89,
        neuroids: Vec::new(),
        splits: 10,
        consumes: Consumes::Gram,
        degrees: None,
        metric: "pls".into(),
        ceiling: None,
        rule: CeilingRule::Raw,
        private: false,
        citation: None,
        notes: Vec::new(),
        variant: Default::default(),
    }
}

fn machine(memory_bytes: u64) -> MachineFacts {
    MachineFacts { profile: "test".into(), memory_bytes, threads: 2, f64_rate: 5e10, f32_rate: 1e11 }
}

fn planned(models: Vec<ModelFacts>, benchmarks: Vec<BenchmarkFacts>) -> Plan {
    plan(small_spec(), models, benchmarks, machine(8 << 30)).expect("a plan")
}

#[test]
fn benchmarks_on_the_same_stimuli_share_one_reading() {
    let plan = planned(
        vec![model("a", &[("x", 10), ("y", 20)]), model("b", &[("x", 10)])],
        vec![benchmark("p", "s"), benchmark("q", "s"), benchmark("r", "t")],
    );
    assert_eq!(plan.features.len(), 4, "two models on two stimulus sets");
    assert_eq!(plan.scores.len(), 3 * 3);
    assert_eq!(plan.unit_count(), 9, "scored where they are read");
    let shared: Vec<_> =
        plan.scores.iter().filter(|s| s.model == 0 && s.layer == 1 && s.benchmark < 2).collect();
    assert_eq!(shared[0].gram, shared[1].gram);
    assert_ne!(shared[0].digest, shared[1].digest);
}

#[test]
fn a_model_that_nothing_is_compared_with_is_left_out() {
    let mut answers = model("answers", &[("probabilities", 10)]);
    (answers.committed, answers.readout) = (vec![0], Some(0));
    let behavioral = || {
        let mut benchmark = benchmark("i1", "s");
        benchmark.variant.behavior =
            Some(BehaviorFacts { summary: Default::default(), ceilings: Vec::new() });
        benchmark
    };
    let reasons = |model: &ModelFacts, benchmarks: Vec<BenchmarkFacts>| -> Vec<String> {
        planned(vec![model.clone()], benchmarks).refused.into_iter().map(|card| card.reason).collect()
    };
    let found = reasons(&answers, vec![benchmark("v4", "s")]);
    assert_eq!(found, ["it gives answers, and no benchmark of the job is behavioural"]);
    assert!(reasons(&answers, vec![benchmark("v4", "s"), behavioral()]).is_empty());
    let network = model("network", &[("x", 10)]);
    let found = reasons(&network, vec![behavioral()]);
    assert!(found.len() == 1 && found[0].contains("`readout`"), "{found:?}");
}

#[test]
fn names_follow_everything_that_changes_bytes_and_nothing_else() {
    let name = |change: &dyn Fn(&mut JobSpec, &mut ModelFacts, &mut BenchmarkFacts, &mut MachineFacts)| {
        let (mut spec, mut model, mut benchmark, mut machine) =
            (small_spec(), model("a", &[("x", 10_000)]), benchmark("p", "s"), machine(8 << 30));
        change(&mut spec, &mut model, &mut benchmark, &mut machine);
        plan(spec, vec![model], vec![benchmark], machine).expect("a plan").scores[0].digest.clone()
    };
    let base = name(&|_, _, _, _| {});
    for same in [
        name(&|spec, _, _, _| spec.title = Some("another".into())),
        name(&|_, model, _, _| model.identifier = "renamed".into()),
        name(&|_, model, _, _| model.seconds_per_stimulus = 9.0),
        name(&|_, _, benchmark, _| benchmark.region = "IT".into()),
        name(&|_, _, _, machine| machine.threads = 64),
        name(&|_, _, _, machine| machine.memory_bytes = 1 << 40),
    ] {
        assert_eq!(same, base);
    }
    for other in [
        name(&|spec, _, _, _| spec.features.precision = Precision::F64),
        name(&|_, model, _, _| model.digest = Digest::of_bytes(b"other weights")),
        name(&|_, model, _, _| model.layers[0].name = "y".into()),
        name(&|_, _, benchmark, _| benchmark.digest = Digest::of_bytes(b"other card")),
        name(&|_, _, benchmark, _| benchmark.stimuli = Digest::of_bytes(b"other images")),
        name(&|_, _, benchmark, _| benchmark.degrees = Some(5.0)),
        name(&|_, _, _, machine| machine.profile = "another CPU".into()),
    ] {
        assert_ne!(other, base);
    }
}

#[test]
fn metrics_that_read_tiles_ride_with_the_reading() {
    let mut neuron = benchmark("n2n", "s");
    neuron.consumes = Consumes::Tiles;
    let plan = planned(vec![model("a", &[("x", 10), ("y", 20)])], vec![benchmark("p", "s"), neuron]);
    assert_eq!(plan.features.len(), 1);
    let mut apart = small_spec();
    apart.features.scoring = Scoring::Apart;
    let benchmarks = plan.benchmarks.clone();
    let apart = ventral_plan::plan(apart, plan.models, benchmarks, machine(8 << 30)).expect("a plan");
    let tiles = &apart.features[0].scores;
    assert_eq!(tiles.iter().map(|&i| apart.scores[i].benchmark).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn units_that_cannot_fit_are_listed_with_the_number_and_the_others_are_planned() {
    let mut large = benchmark("large", "many");
    large.stimulus_count = 20_000;
    let plan = planned(vec![model("a", &[("x", 10)])], vec![benchmark("small", "few"), large]);
    let needed = |benchmark: usize| {
        let scores = plan.scores.iter().filter(|unit| unit.benchmark == benchmark);
        let features = plan.features.iter().filter(|unit| unit.benchmark == benchmark);
        scores.map(|u| u.estimate.least_bytes).chain(features.map(|u| u.estimate.least_bytes)).max()
    };
    let (small, large) = (needed(0).expect("units"), needed(1).expect("units"));
    assert!(plan.unfit(large).is_empty(), "at the bound");
    let one = plan.unfit(large - 1);
    assert_eq!(one.len(), 1, "beyond the bound");
    assert!(one[0].reason().contains("MiB") && one[0].title.contains("large"), "{one:?}");
    assert_eq!((one[0].needed_bytes, one[0].available_bytes), (large, large - 1));
    assert_eq!(
        plan.unfit(small).len(),
        2,
        "reading and scoring the large benchmark, nothing of the small one"
    );
    assert!(plan.unfit(small).iter().all(|unfit| plan.unit_digest(unfit.unit).is_some()));
}

#[test]
fn a_score_takes_fewer_threads_when_memory_is_short() {
    use ventral_plan::cost::{score_bytes, score_threads};
    let facts = benchmark("p", "s");
    let two = score_bytes(&facts, facts.stimulus_count, 2);
    assert_eq!(score_threads(&facts, facts.stimulus_count, two, 8), 2, "at the bound");
    assert_eq!(score_threads(&facts, facts.stimulus_count, two - 1, 8), 1, "beyond the bound");
    assert_eq!(score_threads(&facts, facts.stimulus_count, u64::MAX, 8), 8);
    let tight =
        plan(small_spec(), vec![model("a", &[("x", 1)])], vec![facts], machine(two - 1)).expect("a plan");
    let estimate = tight.scores[0].estimate;
    assert!(estimate.memory_bytes < two && estimate.least_bytes == estimate.memory_bytes, "{estimate:?}");
}

#[test]
fn metrics_that_solve_have_grams_of_their_own() {
    let models = || vec![model("a", &[("small", 1199), ("large", 10_000)])];
    let solving = || {
        let mut linear = benchmark("linear", "s");
        linear.variant.solves = true;
        linear
    };
    let both = planned(models(), vec![benchmark("pls", "s"), solving()]);
    let targets: Vec<(usize, Precision)> =
        both.features[0].layers.iter().map(|target| (target.layer, target.precision)).collect();
    assert_eq!(targets, [(0, Precision::F64), (1, Precision::F32), (1, Precision::F64)]);
    assert_eq!(both.features[0].plain().collect::<Vec<_>>(), [0, 1]);
    let layer = |plan: &Plan, digest: &Digest| {
        plan.features[0].layers.iter().find(|target| target.gram == *digest).map(|target| target.precision)
    };
    let of = |plan: &Plan, range: std::ops::Range<usize>| -> Vec<_> {
        plan.scores[range].iter().map(|unit| layer(plan, &unit.gram).expect("a target")).collect()
    };
    assert_eq!(of(&both, 0..2), [Precision::F64, Precision::F32]);
    assert_eq!(of(&both, 2..4), [Precision::F64, Precision::F64]);
    // What a unit is called does not depend on what else is in the job.
    let alone = planned(models(), vec![solving()]);
    assert_eq!(alone.features[0].layers.len(), 2);
    assert_eq!(alone.scores[0].digest, both.scores[2].digest);
    assert_eq!(alone.scores[1].digest, both.scores[3].digest);
    assert_eq!(planned(models(), vec![benchmark("pls", "s")]).scores[..], both.scores[..2]);
}

#[test]
fn a_square_of_the_neuroids_is_counted_where_there_is_one() {
    use ventral_plan::cost::score_bytes;
    let bytes = |stimulus_count, targets| {
        let facts = BenchmarkFacts { stimulus_count, targets, ..benchmark("p", "s") };
        score_bytes(&facts, stimulus_count, 1)
    };
    let square = 8 * 1000 * 1000;
    assert!(bytes(1000, 1000) > bytes(1000, 1) + 10 * square);
    // With more neuroids than stimuli memory grows with their number alone.
    let [one, two] = [20_000, 40_000].map(|targets| bytes(100, targets));
    assert!(two < 2 * one);
}

#[test]
fn a_job_goes_on_without_refused_cards() {
    let refused =
        |kind| ventral_plan::Refused { kind, card: "x.toml".into(), reason: "field 'a': bad".into() };
    let text = "name='a'\nmodels=['m']\nbenchmarks=['b']\n[[selection]]\nregion='V4'\nselect_on='gone'";
    let make = |kind| {
        let models = vec![model("a", &[("x", 1)])];
        ventral_plan::plan_without(
            Facts {
                models,
                benchmarks: vec![benchmark("p", "s")],
                refused: vec![refused(kind)],
                ..Facts::default()
            },
            spec(text).expect("a spec"),
            machine(8 << 30),
        )
    };
    let plan =
        make(ventral_plan::CardKind::Benchmark).expect("the selecting benchmark may be the refused one");
    assert_eq!((plan.refused.len(), plan.scores.len()), (1, 1));
    assert!(plan.refused[0].title().contains("benchmark x.toml"));
    let wrong = make(ventral_plan::CardKind::Model);
    assert!(matches!(wrong, Err(Error::Selection { .. })), "a refused model explains no missing benchmark");
}

#[test]
fn more_memory_than_the_limit_is_never_predicted_while_passes_can_help() {
    let wide = vec![model("a", &[("conv1", 802_816), ("conv2", 602_112)])];
    let limit = 2 << 30;
    let tight = plan(small_spec(), wide.clone(), vec![benchmark("p", "s")], machine(limit)).expect("a plan");
    let estimate = tight.features[0].estimate;
    assert!(estimate.memory_bytes <= limit);
    let roomy = plan(small_spec(), wide, vec![benchmark("p", "s")], machine(64 << 30)).expect("a plan");
    assert!(estimate.seconds > roomy.features[0].estimate.seconds + 5.0, "what does not fit costs time");
}

#[test]
fn twins_and_wrong_selections_are_refused() {
    let twins = plan(
        small_spec(),
        vec![model("a", &[("x", 1)]), model("a", &[("x", 1)])],
        vec![benchmark("p", "s")],
        machine(8 << 30),
    );
    assert!(matches!(twins, Err(Error::Duplicate { kind: "model", .. })));
    let select = |on: &str, region: &str, benchmarks: Vec<BenchmarkFacts>| {
        let text = format!(
            "name='a'\nmodels=['m']\nbenchmarks=['b']\n[[selection]]\nregion='{region}'\nselect_on='{on}'"
        );
        plan(spec(&text).expect("a spec"), vec![model("a", &[("x", 1)])], benchmarks, machine(8 << 30))
    };
    let two = || vec![benchmark("p", "s"), benchmark("q", "s")];
    assert!(select("p", "V4", two()).is_ok());
    for (on, region, benchmarks) in
        [("nowhere", "V4", two()), ("p", "IT", two()), ("p", "V4", vec![benchmark("p", "s")])]
    {
        assert!(matches!(select(on, region, benchmarks), Err(Error::Selection { .. })), "{on} {region}");
    }
}

#[test]
fn a_private_benchmark_may_not_choose_layers() {
    let text = "name='a'\nmodels=['m']\nbenchmarks=['b']\n[[selection]]\nregion='V4'\nselect_on='p'";
    let select = |chooses: bool, reported: bool| {
        let benchmarks = vec![
            BenchmarkFacts { private: chooses, ..benchmark("p", "s") },
            BenchmarkFacts { private: reported, ..benchmark("q", "s") },
        ];
        plan(spec(text).expect("a spec"), vec![model("a", &[("x", 1)])], benchmarks, machine(8 << 30))
    };
    assert!(select(false, true).is_ok(), "it is there to be reported");
    let error = select(true, false).expect_err("refused").to_string();
    for part in ["region 'V4'", "'p'", "private", "public"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn too_many_units_are_refused_at_the_bound() {
    let layers: Vec<(String, u64)> = (0..MAX_UNITS / 2 + 1).map(|i| (i.to_string(), 1)).collect();
    let named: Vec<(&str, u64)> = layers.iter().map(|(name, p)| (name.as_str(), *p)).collect();
    let refused = plan(
        small_spec(),
        vec![model("a", &named)],
        vec![benchmark("p", "s"), benchmark("q", "s")],
        machine(8 << 30),
    );
    assert!(matches!(refused, Err(Error::TooManyUnits { found }) if found == MAX_UNITS + 2));
}

#[test]
fn spec_errors_name_file_field_and_cure() {
    let cases = [
        ("name = 'a'\nmodels = ['m']\nbenchmarks = ['b']\nmodel = 1", "model"),
        ("name = 'a b'\nmodels = ['m']\nbenchmarks = ['b']", "letters, digits"),
        ("name = '../x'\nmodels = ['m']\nbenchmarks = ['b']", "letters, digits"),
        ("name = '.x'\nmodels = ['m']\nbenchmarks = ['b']", "not starting with"),
        ("name = 'a'\nmodels = []\nbenchmarks = ['b']", "models"),
        ("name = 'a'\nmodels = ['m']\nbenchmarks = ['b']\n[features]\nprecision = 'f16'", "f16"),
        ("name = ", "line 1"),
    ];
    for (text, expected) in cases {
        let error = spec(text).expect_err(text).to_string();
        assert!(error.contains("evaluation.toml") && error.contains(expected), "{error}");
    }
}

#[test]
fn spec_limits_hold_at_the_bound() {
    let named = |chars: usize| spec(&format!("name='{}'\nmodels=['m']\nbenchmarks=['b']", "x".repeat(chars)));
    assert!(named(MAX_NAME_CHARS).is_ok());
    assert!(named(MAX_NAME_CHARS + 1).is_err());
    let listed =
        |entries: usize| spec(&format!("name='a'\nmodels=[{}]\nbenchmarks=['b']", "'m',".repeat(entries)));
    assert!(listed(MAX_ENTRIES).is_ok());
    assert!(listed(MAX_ENTRIES + 1).is_err());
}

#[test]
fn plans_and_digests_survive_json() {
    let plan = planned(vec![model("a", &[("x", 10)])], vec![benchmark("p", "s")]);
    let json = serde_json::to_string(&plan).expect("plain data");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("the same data"), plan);
    for bad in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
        assert!(serde_json::from_str::<Digest>(&format!("\"{bad}\"")).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_as_a_spec(text in ".{0,400}") {
        let _ = spec(&text);
    }
}
