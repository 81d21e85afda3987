//! Synthesis units of a plan as a job works through them.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use ventral_coordinator::core::Phase;
use ventral_plan::{
    Digest, Facts, GradientFacts, JobSpec, LayerFacts, MachineFacts, ModelFacts, Plan, PoolFacts, UnitReport,
    plan_without,
};

use crate::evaluation::{check, job, take_all, whatever_happens};

/// Two restarts of a model of two layers, 1 and 2, and the reading of its natural images, 0.
fn synthesis_plan() -> Arc<Plan> {
    let gradient = GradientFacts {
        engine: "engine".into(),
        size: [32, 32],
        trace_bytes: 1000,
        working_bytes: 0,
        seconds_per_image: 0.01,
    };
    let model = ModelFacts {
        identifier: "a".into(),
        digest: Digest::of_bytes(b"a"),
        layers: ["x", "y"].map(|name| LayerFacts { name: name.into(), features: 10 }).into(),
        commitments: BTreeMap::new(),
        degrees: None,
        seconds_per_stimulus: 0.01,
        weight_bytes: 1,
        imagenet_top1: None,
        time_bins: Vec::new(),
        readout: None,
        committed: Vec::new(),
        gradient: Some(gradient),
    };
    let pool = PoolFacts {
        identifier: "photographs".into(),
        version: "1".into(),
        stimuli: Digest::of_bytes(b"photographs"),
        count: 50,
        citation: None,
    };
    let rate = 1e10;
    let machine = MachineFacts {
        profile: "p".into(),
        memory_bytes: 8 << 30,
        threads: 1,
        f64_rate: rate,
        f32_rate: rate,
    };
    let facts = Facts { models: vec![model], pools: vec![pool], ..Facts::default() };
    let text = "name = 'j'\nmodels = ['m']\n[synthesis]\nrestarts = 2\nnatural = 'b'";
    let spec = JobSpec::from_toml(text, "j.toml").expect("a spec");
    Arc::new(plan_without(facts, spec, machine).expect("a plan"))
}

#[test]
fn syntheses_wait_for_nothing_and_the_end_for_all() {
    let plan = synthesis_plan();
    let mut job = job(&plan, &|_| false);
    assert_eq!(job.counts().total, 3);
    assert_eq!(take_all(&mut job), [0, 1, 2]);
    for unit in [2, 0] {
        job.finished(unit, &UnitReport::default());
        assert!(!job.is_settled());
    }
    job.finished(1, &UnitReport::default());
    assert!(job.is_settled() && job.failures().is_empty() && job.what_is_missing().is_none());
    check(&job);
}

#[test]
fn what_is_in_the_store_is_not_made_again() {
    let plan = synthesis_plan();
    let made = &plan.syntheses[1].digest;
    let mut one = job(&plan, &|digest| digest == made);
    assert_eq!(take_all(&mut one), [0, 1]);
    // The Grams of the natural images are results: each must be there.
    let gram = |layer: usize| &plan.features[0].layers[layer].gram;
    let mut half = job(&plan, &|digest| digest == gram(0));
    assert_eq!(take_all(&mut half), [0, 1, 2]);
    let mut read = job(&plan, &|digest| digest == gram(0) || digest == gram(1));
    assert_eq!(take_all(&mut read), [1, 2]);
    assert!(job(&plan, &|_| true).is_settled());
}

#[test]
fn what_is_lost_is_named_and_the_rest_goes_on() {
    let plan = synthesis_plan();
    let mut dead = job(&plan, &|_| false);
    take_all(&mut dead);
    dead.died(0, "no such file");
    dead.died(2, "out of memory");
    assert_eq!(
        (dead.phase(0), dead.phase(1), dead.phase(2)),
        (Phase::Failed, Phase::Admitted, Phase::Failed)
    );
    dead.finished(1, &UnitReport::default());
    assert!(dead.is_settled());
    let failures = dead.failures();
    let named: Vec<_> =
        failures.iter().map(|failure| (failure.unit.as_str(), failure.reason.as_str())).collect();
    assert_eq!(
        named,
        [
            ("synthesising 16 images for a, seed 1", "out of memory"),
            ("a, layer x, on the natural images of photographs", "no such file"),
            ("a, layer y, on the natural images of photographs", "no such file"),
        ]
    );
    assert_eq!(failures[0].digest, plan.syntheses[1].digest);
    assert_eq!(failures[2].digest, plan.features[0].layers[1].gram);
    let missing = dead.what_is_missing().expect("something");
    assert!(missing.contains("1 sets of images could not be made"), "{missing}");
    assert!(missing.contains("2 layers could not be read on the natural images"), "{missing}");
    check(&dead);

    let mut layer = job(&plan, &|_| false);
    take_all(&mut layer);
    let report = UnitReport { failed_layers: vec![(1, "not finite".into())], ..UnitReport::default() };
    layer.finished(0, &report);
    let failures = layer.failures();
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (&failures[0].digest, failures[0].reason.as_str()),
        (&plan.features[0].layers[1].gram, "not finite")
    );
}

proptest! {
    /// Whatever happens in whatever order, no unit is lost or counted twice, and the job ends.
    #[test]
    fn any_order_of_events_ends(choices in proptest::collection::vec((0u8..6, any::<u16>()), 0..40)) {
        whatever_happens(&synthesis_plan(), choices);
    }
}
