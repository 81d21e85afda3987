//! Map units of a plan as a job works through them.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use ventral_coordinator::core::Phase;
use ventral_plan::{
    Digest, Facts, JobSpec, LayerFacts, MachineFacts, ModelFacts, Plan, ScanFacts, ScanStimuli, SubjectFacts,
    UnitReport, plan_without,
};

use crate::evaluation::{check, job, take_all, whatever_happens};

/// A model of two layers on a scan of two subjects: per subject two ranges of the model and two of given RDMs.
fn mapped_plan() -> Arc<Plan> {
    let text = "name = 'j'\nmodels = ['m']\n[searchlight]\nscans = ['s']";
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
        gradient: None,
    };
    let affine = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
    let subject = |id: &str| SubjectFacts {
        id: id.into(),
        digest: Digest::of_bytes(id.as_bytes()),
        grid: ventral_searchlight::Grid::new([20, 20, 20], affine).expect("a grid"),
        placement: serde_json::Value::Null,
        centres: 8000,
        voxels: 8000,
        outside_mask: 0,
        non_finite: 0,
        constant: 0,
        largest: 123,
        runs: 1,
    };
    let digest = |text: &str| Digest::of_bytes(text.as_bytes());
    let stimuli = ScanStimuli { digest: digest("images"), count: 8, degrees: None, pools: digest("pools") };
    let scan = ScanFacts {
        identifier: "scan".into(),
        version: "1".into(),
        digest: digest("scan"),
        conditions: (0..8).map(|i| i.to_string()).collect(),
        stimuli: Some(stimuli),
        rdms: vec!["given".into()],
        rdms_digest: Some(digest("rdms")),
        subjects: vec![subject("01"), subject("02")],
        common: None,
        space: None,
        citation: None,
        notes: Vec::new(),
    };
    let rate = 1e10;
    let machine = MachineFacts {
        profile: "p".into(),
        memory_bytes: 8 << 30,
        threads: 1,
        f64_rate: rate,
        f32_rate: rate,
    };
    let facts = Facts { models: vec![model], scans: vec![scan], ..Facts::default() };
    let spec = JobSpec::from_toml(text, "j.toml").expect("a spec");
    Arc::new(plan_without(facts, spec, machine).expect("a plan"))
}

/// Units 1, 2, 5, 6 are of the model, 3, 4, 7, 8 of given RDMs; 0 reads the model.
const OF_MODEL: [u32; 4] = [1, 2, 5, 6];

#[test]
fn maps_of_a_model_wait_for_its_reading_and_others_do_not() {
    let plan = mapped_plan();
    let mut job = job(&plan, &|_| false);
    assert_eq!(job.counts().total, 9);
    let mut first = take_all(&mut job);
    first.sort_unstable();
    assert_eq!(first, [0, 3, 4, 7, 8]);
    job.finished(0, &UnitReport::default());
    let mut then = take_all(&mut job);
    then.sort_unstable();
    assert_eq!(then, OF_MODEL);
    first.iter().chain(&then).for_each(|&unit| job.finished(unit, &UnitReport::default()));
    assert!(job.is_settled() && job.failures().is_empty() && job.what_is_missing().is_none());
    check(&job);
}

#[test]
fn maps_in_the_store_need_no_reading() {
    let plan = mapped_plan();
    let all = job(&plan, &|digest| plan.maps.iter().any(|unit| unit.digest == *digest));
    assert!(all.is_settled(), "Grams whose maps are all there are not needed");
    let missing = &plan.maps[0].digest;
    let mut one =
        job(&plan, &|digest| plan.maps.iter().any(|unit| unit.digest == *digest) && digest != missing);
    assert_eq!(take_all(&mut one), [0]);
    let grams = &plan.features[0].layers;
    let mut read = job(&plan, &|digest| grams.iter().any(|layer| layer.gram == *digest));
    assert_eq!(take_all(&mut read).len(), 8, "the Grams are there");
}

#[test]
fn a_layer_that_is_lost_takes_the_maps_of_its_model_along() {
    let plan = mapped_plan();
    let mut job = job(&plan, &|_| false);
    let first = take_all(&mut job);
    let report = UnitReport { failed_layers: vec![(1, "not finite".into())], ..UnitReport::default() };
    job.finished(0, &report);
    first.iter().skip(1).for_each(|&unit| job.finished(unit, &UnitReport::default()));
    assert!(job.is_settled());
    let failures = job.failures();
    assert_eq!(failures.len(), 4);
    assert!(failures.iter().all(|failure| failure.reason == "layer y cannot be read: not finite"));
    assert_eq!(failures[0].unit, "searchlight scan 01, centres 0-4095, a");
    assert_eq!(failures[0].digest, plan.maps[0].digest);
    let missing = job.what_is_missing().expect("something");
    assert!(missing.starts_with("4 pieces of maps could not be computed"), "{missing}");
    check(&job);
}

#[test]
fn a_dead_reading_fails_its_maps_and_a_missing_gram_is_made_again() {
    let plan = mapped_plan();
    let mut dead = job(&plan, &|_| false);
    take_all(&mut dead);
    dead.died(0, "no such operator");
    OF_MODEL.iter().for_each(|&unit| assert_eq!(dead.phase(unit), Phase::Failed));
    check(&dead);
    let mut again = job(&plan, &|_| false);
    take_all(&mut again);
    again.finished(0, &UnitReport::default());
    take_all(&mut again);
    again.needs_input(1, "the Gram is damaged");
    assert_eq!((again.phase(1), take_all(&mut again)), (Phase::Blocked, vec![0]));
    again.finished(0, &UnitReport::default());
    assert_eq!(take_all(&mut again), [1]);
    check(&again);
}

proptest! {
    /// Whatever happens in whatever order, no unit is lost or counted twice, and the job ends.
    #[test]
    fn any_order_of_events_ends(choices in proptest::collection::vec((0u8..6, any::<u16>()), 0..100)) {
        whatever_happens(&mapped_plan(), choices);
    }
}
