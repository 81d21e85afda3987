//! The units of a plan as a job works through them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use ventral_coordinator::core::{
    ControlDocument, Job, JobRequest, JobState, MAX_INPUT_RETURNS, Phase, Submission, UnitRef,
};
use ventral_metrics::CeilingRule;
use ventral_plan::{
    BenchmarkFacts, Consumes, Digest, JobSpec, LayerFacts, MachineFacts, ModelFacts, Plan, Scoring,
    UnitReport, plan,
};

/// Two models of two layers, two benchmarks on the same stimuli, the second of which reads tiles if `tiles`.
pub fn small_plan(tiles: bool) -> Arc<Plan> {
    plan_scored(tiles, Scoring::Apart)
}

fn plan_scored(tiles: bool, scoring: Scoring) -> Arc<Plan> {
    let text = "name = 'j'\nmodels = ['m']\nbenchmarks = ['b']";
    let mut spec = JobSpec::from_toml(text, "j.toml").expect("a spec");
    spec.features.scoring = scoring;
    let model = |identifier: &str| ModelFacts {
        identifier: identifier.into(),
        digest: Digest::of_bytes(identifier.as_bytes()),
        layers: ["x", "y"].map(|name| LayerFacts { name: name.into(), features: 10 }).into(),
        commitments: BTreeMap::new(),
        degrees: None,
        seconds_per_stimulus: 0.01,
        weight_bytes: 1,
        imagenet_top1: None,
        time_bins: Vec::new(),
        readout: None,
        committed: Vec::new(),
        gradient: None,
    };
    let benchmark = |identifier: &str, consumes| BenchmarkFacts {
        identifier: identifier.into(),
        version: "1".into(),
        region: "V4".into(),
        digest: Digest::of_bytes(identifier.as_bytes()),
        stimuli: Digest::of_bytes(b"stimuli"),
        stimulus_count: 100,
        targets: 10,
        neuroids: Vec::new(),
        splits: 10,
        consumes,
        degrees: None,
        metric: "pls".into(),
        ceiling: None,
        rule: CeilingRule::Raw,
        private: false,
        citation: None,
        notes: Vec::new(),
        variant: Default::default(),
    };
    let machine = MachineFacts {
        profile: "p".into(),
        memory_bytes: 8 << 30,
        threads: 1,
        f64_rate: 1e10,
        f32_rate: 1e10,
    };
    let second = if tiles { Consumes::Tiles } else { Consumes::Gram };
    let benchmarks = vec![benchmark("one", Consumes::Gram), benchmark("two", second)];
    Arc::new(plan(spec, vec![model("a"), model("b")], benchmarks, machine).expect("a plan"))
}

pub fn job(plan: &Arc<Plan>, present: &dyn Fn(&Digest) -> bool) -> Job {
    let request = JobRequest::Evaluation { name: "j".into(), bundle: Digest::of_bytes(b"bundle") };
    let submission = Submission {
        tenant: "t".into(),
        request_id: "r".into(),
        request,
        priority: 0,
        profile: "p".into(),
        dry_run: false,
        submitted_ms: 0,
        traceparent: None,
    };
    let mut job = Job::new("j-1".into(), submission, ControlDocument::default());
    job.planned(plan.clone(), present);
    job
}

pub fn take_all(job: &mut Job) -> Vec<u32> {
    let pools: Vec<String> = job.wanted_pools().map(|(pool, _)| pool.clone()).collect();
    let mut units = Vec::new();
    for pool in pools {
        while let Some(unit) = job.next_ready(&pool) {
            match unit {
                UnitRef::Body(index) => units.push(index),
                other => panic!("{other:?}"),
            }
        }
    }
    units
}

pub fn check(job: &Job) {
    let counts = job.counts();
    let sum = counts.cached + counts.done + counts.admitted + counts.waiting + counts.failed;
    assert_eq!(sum, counts.total, "{counts:?}");
}

#[test]
fn what_a_job_has_computed_was_not_found_after_a_restart() {
    let plan = small_plan(false);
    let found: std::collections::BTreeSet<Digest> = [plan.scores[0].digest.clone()].into();
    let before = job(&plan, &|digest| found.contains(digest));
    assert_eq!((before.counts().cached, before.counts().done), (1, 0));
    let mut after = Job::new(before.id.clone(), before.submission.clone(), before.control.clone());
    after.planned(plan.clone(), |digest| plan.scores[..3].iter().any(|score| score.digest == *digest));
    assert_eq!((after.counts().cached, after.counts().done), (1, 2));
    check(&after);
    after.retry();
    after.planned(plan.clone(), |digest| plan.scores[..3].iter().any(|score| score.digest == *digest));
    assert_eq!((after.counts().cached, after.counts().done), (3, 0), "a new round finds it");
}

#[test]
fn scores_that_are_computed_where_the_layer_is_read_are_no_units_and_fail_by_themselves() {
    let plan = plan_scored(false, Scoring::Together);
    let mut job = job(&plan, &|_| false);
    assert_eq!(job.counts().total, 2);
    assert_eq!(take_all(&mut job), [0, 1]);
    // Three of the first model's four: by itself, with its layer, and one of the other model, which is no news of this unit.
    let (own, layer) = (plan.features[0].scores[1], plan.scores[plan.features[0].scores[3]].layer);
    let report = UnitReport {
        failed_layers: vec![(layer, "not finite".into())],
        failed_scores: vec![(own, "not defined".into()), (plan.features[1].scores[0], "strange".into())],
        ..UnitReport::default()
    };
    job.finished(0, &report);
    job.finished(1, &UnitReport::default());
    assert!(job.is_settled());
    let lost: BTreeSet<Digest> = job.failures().into_iter().map(|failure| failure.digest).collect();
    let of_layer = plan.features[0].scores.iter().filter(|&&score| plan.scores[score].layer == layer);
    let expected = of_layer.chain([&own]).map(|&score| plan.scores[score].digest.clone());
    assert_eq!(lost, expected.collect());
    check(&job);
}

#[test]
fn scores_wait_for_their_grams() {
    let plan = small_plan(false);
    let mut job = job(&plan, &|_| false);
    assert_eq!(job.counts().total, 2 + 8);
    let features = take_all(&mut job);
    assert_eq!(features, [0, 1], "only the features units have their inputs");
    job.finished(0, &UnitReport::default());
    let scores = take_all(&mut job);
    assert_eq!(scores.len(), 4, "the scores of the first model");
    scores.iter().for_each(|&unit| job.finished(unit, &UnitReport::default()));
    assert!(!job.is_settled());
    job.finished(1, &UnitReport::default());
    take_all(&mut job).into_iter().for_each(|unit| job.finished(unit, &UnitReport::default()));
    assert!(job.is_settled() && job.failures().is_empty());
    check(&job);
}

#[test]
fn what_is_in_the_store_is_not_computed_again() {
    let plan = small_plan(false);
    let scores: BTreeSet<&Digest> = plan.scores.iter().map(|unit| &unit.digest).collect();
    let all = job(&plan, &|digest| scores.contains(digest));
    assert!(all.is_settled(), "a Gram whose scores are all there is not needed");
    assert_eq!(all.counts().cached, 10);

    let missing = &plan.scores[0];
    let mut one = job(&plan, &|digest| *digest != missing.digest && *digest != missing.gram);
    assert_eq!(take_all(&mut one), [0]);
    let gram_is_there = job(&plan, &|digest| *digest != missing.digest);
    assert_eq!(gram_is_there.wanted_pools().count(), 1);
    assert_eq!(gram_is_there.counts().waiting, 1);
    assert_eq!(gram_is_there.phase(2), Phase::Ready);
}

#[test]
fn a_dead_features_unit_fails_all_that_reads_it_and_nothing_else() {
    for tiles in [false, true] {
        let plan = small_plan(tiles);
        let mut job = job(&plan, &|_| false);
        take_all(&mut job);
        job.died(0, "no such operator");
        job.finished(1, &UnitReport::default());
        take_all(&mut job).into_iter().for_each(|unit| job.finished(unit, &UnitReport::default()));
        assert!(job.is_settled());
        let failures = job.failures();
        assert_eq!(
            failures.len(),
            4,
            "all four scores of model a, also those computed while features are read"
        );
        assert!(failures.iter().all(|f| f.reason == "no such operator" && f.unit.starts_with("a, ")));
        check(&job);
    }
}

#[test]
fn a_failed_layer_fails_its_scores_alone() {
    let plan = small_plan(true);
    let mut job = job(&plan, &|_| false);
    take_all(&mut job);
    let report = UnitReport { failed_layers: vec![(1, "not finite".into())], ..UnitReport::default() };
    job.finished(0, &report);
    job.finished(1, &UnitReport::default());
    take_all(&mut job).into_iter().for_each(|unit| job.finished(unit, &UnitReport::default()));
    assert!(job.is_settled());
    let failed: Vec<String> = job.failures().into_iter().map(|failure| failure.unit).collect();
    assert_eq!(failed, ["a, layer y, on one", "a, layer y, on two"]);
}

#[test]
fn a_missing_input_is_made_again_a_few_times() {
    let plan = small_plan(false);
    let mut job = job(&plan, &|_| false);
    take_all(&mut job);
    job.finished(0, &UnitReport::default());
    for _ in 0..MAX_INPUT_RETURNS {
        let units = take_all(&mut job);
        assert!(units.contains(&2));
        job.needs_input(2, "the Gram is damaged");
        check(&job);
        assert_eq!(take_all(&mut job), [0], "the features unit runs again");
        job.finished(0, &UnitReport::default());
    }
    take_all(&mut job);
    job.needs_input(2, "the Gram is damaged");
    assert_eq!(job.phase(2), Phase::Failed);
    assert_eq!(job.failures()[0].reason, "the Gram is damaged");
    check(&job);
}

#[test]
fn late_and_repeated_news_change_nothing() {
    let plan = small_plan(false);
    let mut job = job(&plan, &|_| false);
    take_all(&mut job);
    job.finished(0, &UnitReport::default());
    let before = job.counts();
    job.finished(0, &UnitReport::default());
    job.died(0, "late");
    job.needs_input(0, "late");
    job.unadmit(UnitRef::Body(0));
    assert_eq!(job.counts(), before);
    job.end(JobState::Cancelled, String::new(), 5);
    job.unadmit(UnitRef::Body(1));
    assert_eq!(job.wanted_pools().count(), 0, "an ended job admits nothing");
}

/// More units than a plan of these tests has.
const MANY_UNITS: usize = 200;

/// Things happen to units as `choices` say, then all are finished; no unit is lost or counted twice, and the job ends.
pub fn whatever_happens(plan: &Arc<Plan>, choices: Vec<(u8, u16)>) {
    let mut job = job(plan, &|_| false);
    let mut held: Vec<u32> = Vec::new();
    for (choice, pick) in choices {
        held.extend(take_all(&mut job));
        if held.is_empty() {
            break;
        }
        let unit = held.swap_remove(usize::from(pick) % held.len());
        match choice {
            0 => job.died(unit, "dead"),
            1 => job.needs_input(unit, "missing"),
            2 => job.unadmit(UnitRef::Body(unit)),
            _ => job.finished(unit, &UnitReport::default()),
        }
        check(&job);
    }
    for _ in 0..MANY_UNITS {
        held.extend(take_all(&mut job));
        let Some(unit) = held.pop() else { break };
        job.finished(unit, &UnitReport::default());
        check(&job);
    }
    assert!(job.is_settled(), "{:?}", job.counts());
    assert_eq!(job.in_flight, 0);
}

proptest! {
    /// Whatever happens in whatever order, no unit is lost or counted twice, and the job ends.
    #[test]
    fn any_order_of_events_ends(choices in proptest::collection::vec((0u8..6, any::<u16>()), 0..300), tiles in any::<bool>()) {
        whatever_happens(&small_plan(tiles), choices);
    }
}
