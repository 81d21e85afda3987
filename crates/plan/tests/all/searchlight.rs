//! Searchlights: specs, map units and their names.

use ventral_plan::{
    CardKind, CommonFacts, Digest, Error, Facts, JobSpec, MapSource, MapUnit, Plan, Refused, ScanFacts,
    ScanStimuli, SubjectFacts, UnitRef, plan_without,
};
use ventral_searchlight::{Grid, MAX_LAYERS};

use crate::{benchmark, machine, model, spec};

const SPEC: &str = "name='maps'\nmodels=['m']\n[searchlight]\nscans=['s']\n";

fn subject(id: &str, centres: usize, runs: usize) -> SubjectFacts {
    let mut affine = [[0.0; 4]; 4];
    (0..4).for_each(|i| affine[i][i] = 1.0);
    SubjectFacts {
        id: id.into(),
        digest: Digest::of_bytes(id.as_bytes()),
        grid: Grid::new([30, 30, 30], affine).expect("a grid"),
        placement: serde_json::Value::Null,
        centres,
        voxels: centres,
        outside_mask: 0,
        non_finite: 0,
        constant: 0,
        largest: 123,
        runs,
    }
}

fn scan(subjects: Vec<SubjectFacts>) -> ScanFacts {
    let common = (subjects.len() >= 3).then_some(CommonFacts { centres: 100, largest: 123 });
    ScanFacts {
        identifier: "scan".into(),
        version: "1".into(),
        digest: Digest::of_bytes(b"scan"),
        conditions: (0..8).map(|i| format!("c{i}")).collect(),
        stimuli: Some(ScanStimuli {
            digest: Digest::of_bytes(b"images"),
            count: 80,
            degrees: None,
            pools: Digest::of_bytes(b"pools"),
        }),
        rdms: vec!["given".into()],
        rdms_digest: Some(Digest::of_bytes(b"rdms")),
        subjects,
        common,
        space: None,
        citation: None,
        notes: Vec::new(),
    }
}

fn planned(text: &str, facts: Facts) -> Result<Plan, Error> {
    plan_without(facts, spec(text).expect("a spec"), machine(8 << 30))
}

fn facts(scan: ScanFacts) -> Facts {
    Facts { models: vec![model("a", &[("x", 10_000), ("y", 20_000)])], scans: vec![scan], ..Facts::default() }
}

#[test]
fn ranges_cover_every_centre_of_every_source_once() {
    let subjects = vec![subject("01", 4096 * 2 + 1, 2), subject("02", 4096, 1), subject("03", 5, 1)];
    let plan = planned(SPEC, facts(scan(subjects))).expect("a plan");
    let of = |source: MapSource, subject: Option<usize>| -> Vec<[usize; 2]> {
        let units = plan.maps.iter().filter(|unit| unit.source == source && unit.subject == subject);
        units.map(|unit| unit.centres).collect()
    };
    for source in [MapSource::Model(0), MapSource::Rdms, MapSource::Reliability] {
        assert_eq!(of(source, Some(0)), [[0, 4096], [4096, 8192], [8192, 8193]], "{source:?}");
    }
    assert_eq!(of(MapSource::Model(0), Some(1)), [[0, 4096]]);
    assert!(of(MapSource::Reliability, Some(1)).is_empty(), "one run has no halves");
    assert_eq!(of(MapSource::Ceiling, None), [[0, 100]]);
    assert_eq!(plan.features.len(), 1);
    assert_eq!((plan.features[0].scan, plan.features[0].layers.len()), (Some(0), 2));
    assert!(
        plan.maps.iter().all(|unit| unit.features == matches!(unit.source, MapSource::Model(_)).then_some(0))
    );
    assert_eq!(plan.unit_count(), 2 + plan.maps.len());
    let title = plan.map_title(&plan.maps[2]);
    assert_eq!(title, "searchlight scan 01, centres 8192-8192, a");
    assert!(plan.maps.iter().all(|unit| unit.estimate.seconds > 0.0));
    assert_eq!(plan.unit_digest(UnitRef::Map(0)), Some(plan.maps[0].digest.clone()));
}

#[test]
fn names_of_maps_follow_what_changes_their_bytes_and_nothing_else() {
    let unit = |text: &str, change: &dyn Fn(&mut ScanFacts)| -> MapUnit {
        let mut scan = scan(vec![subject("01", 50, 1)]);
        change(&mut scan);
        planned(text, facts(scan)).expect("a plan").maps[0].clone()
    };
    let base = unit(SPEC, &|_| ());
    let with = |more: &str| unit(&format!("{SPEC}{more}\n"), &|_| ());
    for same in ["methods=['raw']", "seed=7", "[searchlight.group]\nflips=10", "ridge_lambda=0.5"] {
        assert_eq!(with(same).digest, base.digest, "{same}");
    }
    assert_eq!(unit(SPEC, &|scan| scan.citation = Some("x".into())).digest, base.digest);
    let permuted = with("permutations=10").digest;
    for other in [
        with("radius=2.0"),
        with("rule='strict'"),
        with("shape='cube'"),
        with("unit='mm'"),
        with("minimum_voxels=11"),
        with("rsm='cosine'"),
        with("comparison='spearman'"),
        with("zscore_runs=true"),
        with("permutations=10"),
        unit(SPEC, &|scan| scan.subjects[0].digest = Digest::of_bytes(b"other volumes")),
        unit(SPEC, &|scan| scan.subjects[0].centres = 49),
        unit(SPEC, &|scan| scan.stimuli.as_mut().expect("images").pools = Digest::of_bytes(b"other")),
    ] {
        assert_ne!(other.digest, base.digest);
    }
    assert_ne!(with("permutations=10\nseed=1").digest, permuted);
    assert_ne!(with("permutations=10\nmethods=['raw']").digest, permuted);
    let precise =
        unit("name='maps'\nmodels=['m']\n[features]\nprecision='f64'\n[searchlight]\nscans=['s']", &|_| ());
    assert_ne!(precise.digest, base.digest, "it reads other Grams");
}

#[test]
fn a_scan_shares_the_reading_with_benchmarks_on_its_images() {
    let mut facts = facts(scan(vec![subject("01", 50, 1)]));
    facts.benchmarks = vec![benchmark("p", "images")];
    let text = "name='both'\nmodels=['m']\nbenchmarks=['b']\n[searchlight]\nscans=['s']";
    let plan = planned(text, facts).expect("a plan");
    assert_eq!(plan.features.len(), 1);
    assert_eq!(plan.features[0].scan, None);
    assert_eq!(plan.maps[0].features, Some(0));
    assert_eq!(plan.map_grams(&plan.maps[0]).len(), 2);
}

#[test]
fn jobs_without_searchlights_are_named_as_before() {
    let text = "name='v4'\nmodels=['m']\nbenchmarks=['b']";
    let facts = Facts {
        models: vec![model("a", &[("x", 10_000)])],
        benchmarks: vec![benchmark("p", "s")],
        ..Facts::default()
    };
    let plan = planned(text, facts).expect("a plan");
    assert_eq!(plan.job_id(), "v4-b97a99a6");
    let json = serde_json::to_string(&plan).expect("plain data");
    assert!(!json.contains("maps") && !json.contains("scan"), "{json}");
}

#[test]
fn maps_of_nothing_are_refused() {
    let mut none = scan(vec![subject("01", 50, 2)]);
    (none.rdms, none.rdms_digest) = (Vec::new(), None);
    let without_models = "name='maps'\n[searchlight]\nscans=['s']";
    let alone = Facts { scans: vec![none.clone()], ..Facts::default() };
    assert!(
        matches!(planned(without_models, alone), Err(Error::Searchlight { problem }) if problem.contains("add models"))
    );
    none.stimuli = None;
    assert!(
        matches!(planned(SPEC, facts(none)), Err(Error::Searchlight { problem }) if problem.contains("[stimuli]"))
    );
    let many = scan(vec![subject("01", 4096 * 1_000_001, 1)]);
    assert!(matches!(planned(SPEC, facts(many)), Err(Error::TooManyUnits { .. })));
}

#[test]
fn neighbourhoods_that_are_all_too_small_are_refused() {
    let mut small = subject("02", 50, 1);
    small.largest = 9;
    let error = planned(SPEC, facts(scan(vec![subject("01", 50, 1), small.clone()]))).expect_err("too small");
    let found = matches!(&error, Error::Neighbourhoods { largest: 9, minimum: 10, .. });
    assert!(found && error.to_string().contains("scan 02"), "{error}");
    small.largest = 10;
    planned(SPEC, facts(scan(vec![small]))).expect("one centre may have a value");
}

#[test]
fn a_map_compares_no_more_layers_than_its_results_allow() {
    let names: Vec<String> = (0..=MAX_LAYERS).map(|i| format!("l{i}")).collect();
    let layers: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 10)).collect();
    let of = |count: usize| Facts {
        models: vec![model("deep", &layers[..count])],
        ..facts(scan(vec![subject("01", 50, 1)]))
    };
    planned(SPEC, of(MAX_LAYERS)).expect("as many as allowed");
    let error = planned(SPEC, of(MAX_LAYERS + 1)).expect_err("too many").to_string();
    assert!(error.contains("deep") && error.contains("257") && error.contains("[layers]"), "{error}");
}

#[test]
fn only_a_space_of_all_subjects_makes_a_group() {
    let mut scan = scan(vec![subject("01", 50, 1)]);
    let mut common = |space: Option<&str>| {
        scan.space = space.map(str::to_owned);
        scan.has_common_space()
    };
    assert!(common(Some("MNI152NLin2009cAsym")) && common(Some("simulated")));
    for space in [None, Some("T1w"), Some("t2W"), Some("Native"), Some("individual"), Some("scanner")] {
        assert!(!common(space), "{space:?}");
    }
}

#[test]
fn every_unusable_field_is_named() {
    let refused = |lines: &str| {
        JobSpec::from_toml(&format!("{SPEC}{lines}"), "spec.toml").expect_err(lines).to_string()
    };
    for (lines, field) in [
        ("radius=0.0", "searchlight.radius"),
        ("radius=-1.0", "searchlight.radius"),
        ("radius=inf", "searchlight.radius"),
        ("shape='cube'\nradius=1.5", "searchlight.radius"),
        ("shape='cube'\nunit='mm'", "searchlight.radius"),
        ("minimum_voxels=1", "searchlight.minimum_voxels"),
        ("methods=[]", "searchlight.methods"),
        ("methods=['raw','raw']", "searchlight.methods"),
        ("comparison='tau_a'", "searchlight.methods"),
        ("methods=['raw','unique_variance']", "searchlight.methods"),
        ("methods=['non_negative']", "searchlight.methods"),
        ("ridge_lambda=0.0", "searchlight.ridge_lambda"),
        ("permutations=100001", "searchlight.permutations"),
        ("comparison='tau_a'\nmethods=['raw']\npermutations=1", "searchlight.permutations"),
        ("[searchlight.group]\ntop_percent=0.0", "searchlight.group.top_percent"),
        ("[searchlight.group]\nalpha=1.0", "searchlight.group.alpha"),
        ("[searchlight.group]\ncluster_p=nan", "searchlight.group.cluster_p"),
        ("[searchlight.group]\ncorrection=['fdr','max_t','fdr']", "searchlight.group.correction"),
        ("[searchlight.group]\nconnectivity=8", "searchlight.group.connectivity"),
        ("[searchlight.group]\nflips=0", "searchlight.group.flips"),
        ("[searchlight.stimulus_sets]\nsynthesised='a'\nnatural='a'", "searchlight.stimulus_sets"),
        ("methods=['raw']\n[searchlight.stimulus_sets]\nsynthesised='a'\nnatural='b'", "searchlight.methods"),
    ] {
        let message = refused(lines);
        assert!(message.contains(&format!("field '{field}'")), "{lines}: {message}");
    }
    assert!(refused("methods=['non_negative']").contains("put it before another method"));
    assert!(refused("radios=1").contains("radios"));
    let empty =
        JobSpec::from_toml("name='a'\n[searchlight]\nscans=[]", "s").expect_err("no scan").to_string();
    assert!(empty.contains("searchlight.scans"), "{empty}");
    let bare = JobSpec::from_toml("name='a'\nbenchmarks=['b']\n[searchlight]\nscans=['s']", "s")
        .expect_err("no model");
    assert!(bare.to_string().contains("field 'models'"), "{bare}");
    assert!(JobSpec::from_toml("name='a'\n[searchlight]\nscans=['s']\npermutations=100000", "s").is_ok());
}

#[test]
fn sets_of_images_are_compared_where_their_maps_can_be() {
    const SETS: &str = "[searchlight.stimulus_sets]\nsynthesised='made'\nnatural='seen'\n";
    let pair = || {
        ["made", "seen"].map(|name| ScanFacts {
            identifier: name.into(),
            space: Some("common".into()),
            ..scan(vec![subject("01", 50, 1)])
        })
    };
    let planned_with = |change: &dyn Fn(&mut ScanFacts), text: &str| {
        let mut scans = pair();
        change(&mut scans[1]);
        planned(&format!("{text}{SETS}"), Facts { scans: scans.to_vec(), ..facts(scan(Vec::new())) })
    };
    let plan = planned_with(&|_| (), SPEC).expect("a plan");
    let without = planned(SPEC, Facts { scans: pair().to_vec(), ..facts(scan(Vec::new())) }).expect("a plan");
    assert_eq!(plan.maps, without.maps, "what is compared changes no record");
    assert!(!serde_json::to_string(&without).expect("plain data").contains("stimulus_sets"));
    for fits in [
        (&|scan: &mut ScanFacts| scan.subjects[0].id = "x".into()) as &dyn Fn(&mut ScanFacts),
        &|scan| scan.space = None,
        &|scan| scan.rdms = Vec::new(),
        &|scan| scan.stimuli = None,
    ] {
        planned_with(fits, SPEC).expect("the same place and layers");
    }
    for (change, problem) in [
        (
            &(|scan: &mut ScanFacts| scan.identifier = "other".into()) as &dyn Fn(&mut ScanFacts),
            "no scan is called 'seen'",
        ),
        (&|scan| (scan.stimuli, scan.rdms) = (None, vec!["another".into()]), "no layers in common"),
        (&|scan| (scan.space, scan.subjects[0].id) = (None, "x".into()), "do not lie in one space"),
        (&|scan| scan.subjects[0].grid.affine[0][3] = 1.0, "do not lie in one space"),
    ] {
        let error = planned_with(change, SPEC).expect_err(problem).to_string();
        assert!(error.contains("stimulus_sets") && error.contains(problem), "{error}");
    }
    let refused = vec![Refused { kind: CardKind::Scan, card: "s2".into(), reason: "no file".into() }];
    let scans = vec![pair()[0].clone()];
    let facts = Facts { scans, refused, ..facts(scan(Vec::new())) };
    planned(&format!("{SPEC}{SETS}"), facts).expect("the job goes on without the scan");
}
