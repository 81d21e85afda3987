//! Brain maps of made people, from stored records to files and the page.

use std::collections::BTreeMap;

use ndarray::Array2;
use ventral_aggregator::{Error, JobFile, MAPS_DOCUMENT, Maps, map_files, save_maps};
use ventral_data::BidsName;
use ventral_plan::{
    Digest, Facts, JobSpec, MachineFacts, MapSource, Plan, ScanFacts, SubjectFacts, plan_without,
};
use ventral_searchlight::simulation::{Scene, Stimuli, activation_rsms, layer_activations};
use ventral_searchlight::{
    Grid, LayerDesign, LayerRsms, Neighbourhoods, Patterns, Permutations, Residual, image_permutations,
    map_range, permute_range,
};
use ventral_store::{Failure, MapRecord, PermutationRecord, Store};

const SHAPE: [usize; 3] = [18, 20, 14];
const IMAGES: usize = 48;
const SUBJECTS: usize = 6;
const LAYERS: [&str; 4] = ["conv_1", "conv.2", "conv2", "fc"];
const SPEC: &str = "name='maps'\n[searchlight]\nscans=['s']\nradius=2.0\n";

pub struct Made {
    pub grid: Grid,
    scene: Scene,
    pub layers: Array2<f64>,
    pub patterns: Vec<Patterns>,
}

fn grid() -> Grid {
    // The first axis runs from right to left, voxels are not cubes.
    let affine =
        [[-3.0, 0.0, 0.0, 27.0], [0.0, 3.0, 0.0, -30.0], [0.0, 0.0, 4.0, -28.0], [0.0, 0.0, 0.0, 1.0]];
    Grid::new(SHAPE, affine).expect("a grid")
}

fn made(layers: usize) -> Made {
    made_of(Stimuli::Natural { alpha: 0.8 }, layers)
}

pub fn made_of(stimuli: Stimuli, layers: usize) -> Made {
    let grid = grid();
    let activations = layer_activations(stimuli, IMAGES, layers, 200, 3).expect("layers");
    let voxels: Vec<u32> = (0..grid.len() as u32).collect();
    let mut scene = Scene::new(layers, &grid, &voxels, 2.0).expect("a scene");
    scene.sigma_voxels = 2.0;
    let patterns = |seed: usize| {
        let values = scene.subject(&activations, &grid, &voxels, seed as u64).expect("a subject");
        Patterns::new(voxels.clone(), values.view()).expect("patterns")
    };
    let patterns = (1..=SUBJECTS).map(patterns).collect();
    Made { grid, layers: activation_rsms(&activations), patterns, scene }
}

pub fn machine() -> MachineFacts {
    MachineFacts { profile: "test".into(), memory_bytes: 8 << 30, threads: 2, f64_rate: 5e10, f32_rate: 1e11 }
}

fn planned(made: &Made, names: &[&str], more: &str) -> Plan {
    let scan = scan_facts(made, "made-1", names);
    let spec = JobSpec::from_toml(&format!("{SPEC}{more}"), "spec.toml").expect("a spec");
    plan_without(Facts { scans: vec![scan], ..Facts::default() }, spec, machine()).expect("a plan")
}

pub fn scan_facts(made: &Made, identifier: &str, names: &[&str]) -> ScanFacts {
    let subject = |index: usize| SubjectFacts {
        id: format!("{:02}", index + 1),
        digest: Digest::of_bytes(format!("{identifier} {index}").as_bytes()),
        grid: made.grid,
        placement: serde_json::Value::Null,
        centres: made.grid.len(),
        voxels: made.grid.len(),
        outside_mask: 0,
        non_finite: 0,
        constant: 0,
        largest: 33,
        runs: 1,
    };
    ScanFacts {
        identifier: identifier.into(),
        version: "1".into(),
        digest: Digest::of_bytes(b"scan"),
        conditions: (0..IMAGES).map(|i| format!("c{i}")).collect(),
        stimuli: None,
        rdms: names.iter().map(|name| (*name).to_owned()).collect(),
        rdms_digest: Some(Digest::of_bytes(identifier.as_bytes())),
        subjects: (0..SUBJECTS).map(subject).collect(),
        common: None,
        space: Some("made".into()),
        citation: Some("Nobody (2026)".into()),
        notes: Vec::new(),
    }
}

/// Puts the records of all ranges into a store, as a worker does.
fn compute(made: &Made, plan: &Plan, store: &Store) {
    compute_scan(made, plan, store, 0);
}

pub fn compute_scan(made: &Made, plan: &Plan, store: &Store, scan: usize) {
    let spec = plan.spec.searchlight.as_ref().expect("searchlights");
    let names = plan.scans[scan].rdms.clone();
    let layers = LayerRsms::new(names, IMAGES, made.layers.clone(), spec.comparison).expect("layers");
    let voxels = made.patterns[0].voxels();
    let hoods = Neighbourhoods::in_volume(&made.grid, voxels, &spec.neighbourhood()).expect("neighbourhoods");
    for unit in plan.maps.iter().filter(|unit| unit.scan == scan) {
        let patterns = &made.patterns[unit.subject.expect("a subject")];
        let range = unit.centres[0]..unit.centres[1];
        let map = map_range(patterns, &hoods, range.clone(), &layers, &spec.options()).expect("a map");
        let null = (spec.permutations > 0).then(|| {
            let method = LayerDesign::new(&layers).and_then(|design| design.prepare(Residual::SemiPartial));
            let method = method.expect("a method");
            let orders = image_permutations(IMAGES, spec.permutations, spec.seed).expect("orders");
            let permutations = Permutations::new(&layers, &method, orders).expect("permutations");
            let observed = method.apply(map.values.view()).expect("values");
            let options = spec.options();
            permute_range(patterns, &hoods, range.clone(), &permutations, observed.view(), &options)
                .expect("a null")
        });
        let record = MapRecord {
            columns: layers.names().to_vec(),
            first: range.start as u64,
            places: voxels[range.clone()].to_vec(),
            values: map.values.mapv(|value| value as f32),
            voxels: map.voxels,
            too_small: map.too_small as u64,
            undefined: map.undefined as u64,
            correlation: layers.correlations().to_owned(),
            rsms: if range.start == 0 { layers.vectors().mapv(|v| v as f32) } else { Array2::zeros((0, 0)) },
            permutation: null.map(|null| PermutationRecord { exceed: null.reached, max: null.maxima }),
        };
        store.put(&unit.digest, &record.encode()).expect("stored");
    }
}

pub fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path()).expect("a store");
    (directory, store)
}

pub fn found(plan: &Plan, store: &Store, failures: &[Failure]) -> (Maps, BTreeMap<String, JobFile>) {
    let (maps, files) = map_files(plan, store, failures).expect("maps").expect("a job with maps");
    let count = files.len();
    let files: BTreeMap<String, JobFile> = files.into_iter().map(|file| (file.name.clone(), file)).collect();
    assert_eq!(files.len(), count, "names are unique");
    (maps, files)
}

/// The values of the only volume whose name has all these parts.
fn volume(files: &BTreeMap<String, JobFile>, parts: &[&str]) -> Vec<f32> {
    let has = |name: &&String| name.ends_with(".nii.gz") && parts.iter().all(|part| name.contains(part));
    let names: Vec<&String> = files.keys().filter(has).collect();
    assert_eq!(names.len(), 1, "{parts:?}: {names:?}");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("map.nii.gz");
    std::fs::write(&path, &files[names[0]].bytes).expect("written");
    let volume = ventral_data::read_volume(&path).expect("a volume");
    volume.header.grid.same(&grid()).expect("the grid of the scan");
    volume.values
}

pub fn text(files: &BTreeMap<String, JobFile>, name: &str) -> String {
    String::from_utf8(files[name].bytes.clone()).expect("text")
}

#[test]
fn the_winner_map_of_a_group_finds_every_layer_in_its_place() {
    let made = made(LAYERS.len());
    let plan =
        planned(&made, &LAYERS, "[searchlight.group]\ncorrection=['cluster_mass','max_t']\ncluster_p=0.01\n");
    let (_directory, store) = store();
    compute(&made, &plan, &store);
    let (maps, files) = found(&plan, &store, &[]);
    assert!(maps.gaps.is_empty() && maps.sources.len() == 1 && maps.sources[0].group);
    let labels = volume(&files, &["group/", "desc-winner_dseg"]);
    let (mut right, mut won) = (0, 0);
    for (place, &label) in labels.iter().enumerate().filter(|(_, label)| **label > 0.0) {
        let Some(truth) = made.scene.truth(&made.grid, place as u32, 3.0) else { continue };
        won += 1;
        right += usize::from(label as usize == truth + 1);
    }
    assert!(won > 100 && right as f64 >= 0.99 * f64::from(won as u32), "{right} of {won}");
    // t by the book from the subjects' z.
    let z: Vec<Vec<f32>> = (1..=SUBJECTS)
        .map(|s| volume(&files, &[&format!("sub-{s:02}/"), "contrast-fc_", "stat-z"]))
        .collect();
    let t = volume(&files, &["group/", "contrast-fc_", "stat-t_"]);
    for place in (0..t.len()).step_by(37) {
        let values: Vec<f64> = z.iter().map(|map| f64::from(map[place])).collect();
        let mean = values.iter().sum::<f64>() / SUBJECTS as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (SUBJECTS as f64 - 1.0);
        let expected = mean / (variance / SUBJECTS as f64).sqrt();
        assert!((f64::from(t[place]) - expected).abs() < 1e-3 * expected.abs().max(1.0), "{place}");
    }
    // Of all flips of six subjects the smallest two-sided p is 1/32.
    let p = volume(&files, &["group/", "contrast-fc_", "clustermass_stat-pfwe"]);
    assert!(p.contains(&0.031_25) && p.iter().all(|&p| p.is_nan() || p >= 0.031_25));
    let p = volume(&files, &["group/", "contrast-fc_", "maxT_stat-pfwe"]);
    assert!(p.iter().all(|&p| p.is_nan() || p >= 0.031_25));
    let overlap = &maps.sources[0].overlap;
    assert_eq!((overlap[0].0.as_str(), overlap[1].0.as_str()), ("raw", "semi_partial"));
    assert!(overlap[0].1 > overlap[1].1, "residual maps overlap less: {overlap:?}");
}

#[test]
fn names_follow_bids_and_sidecars_say_how_a_map_was_made() {
    let made = made(LAYERS.len());
    let plan = planned(
        &made,
        &LAYERS,
        "permutations=40\nseed=5\n[searchlight.group]\ncorrection=['max_t','tfce','fdr','cluster_mass']\nflips=16\n",
    );
    let (_directory, store) = store();
    compute(&made, &plan, &store);
    let (maps, files) = found(&plan, &store, &[]);
    for name in files.keys().filter(|name| name.ends_with(".nii.gz")) {
        let file = name.rsplit('/').next().expect("a file");
        let name = BidsName::parse(file.strip_prefix("group_").unwrap_or(file)).expect(file);
        assert_eq!(name.entity("task"), Some("made1"), "{file}");
        assert_eq!(name.entity("space"), Some("made"));
        assert!(["statmap", "mask", "dseg"].contains(&name.suffix()), "{file}");
    }
    // Two layers whose labels would be the same.
    assert!(files.keys().any(|name| name.contains("contrast-conv2_")));
    assert!(files.keys().any(|name| name.contains("contrast-conv2x3_")));
    for stat in ["tfce_stat-pfwe", "fdr_stat-q", "clustermass_stat-pfwe", "clustermass_stat-mass"] {
        assert_eq!(
            files.keys().filter(|name| name.contains(stat) && name.ends_with(".nii.gz")).count(),
            4,
            "{stat}"
        );
    }
    let sidecar = "made1/rdms/sub-01/func/sub-01_task-made1_space-made_contrast-fc_desc-slR2semipartial_stat-r_statmap.json";
    let value: serde_json::Value = serde_json::from_slice(&files[sidecar].bytes).expect("JSON");
    assert_eq!(value["Searchlight"]["Radius"], 2.0);
    assert_eq!(value["Searchlight"]["Rule"], "inclusive");
    assert_eq!((&value["Permutations"], &value["Seed"]), (&40.into(), &5.into()));
    assert_eq!(value["Layer"], "fc");
    assert!(value["VarianceInflation"].as_f64().expect("a number") >= 1.0);
    assert_eq!(value["Conditions"].as_array().expect("conditions").len(), IMAGES);
    let p = volume(&files, &["sub-01/", "contrast-fc_", "stat-pfwe"]);
    assert!(p.iter().all(|&p| p.is_nan() || (1.0 / 41.0 - 1e-6..=1.0).contains(&f64::from(p))));
    let flips = |stat: &str| -> serde_json::Value {
        let name = files.keys().find(|name| name.contains(stat) && name.ends_with(".json")).expect(stat);
        serde_json::from_slice::<serde_json::Value>(&files[name].bytes).expect("JSON")["SignFlips"].clone()
    };
    assert_eq!((flips("maxT_stat-pfwe"), flips("tfce_stat-pfwe")), (64.into(), 16.into()));
    assert!(flips("fdr_stat-q").is_null(), "from t");
    let layers = text(&files, "made1/rdms/layers.tsv");
    assert_eq!(layers.lines().count(), 1 + (SUBJECTS + 1) * LAYERS.len());
    assert_eq!(text(&files, "made1/rdms/overlap.tsv").lines().count(), 1 + (SUBJECTS + 1) * 6);
    assert!(maps.sources[0].rule.contains("largest |t|"), "{}", maps.sources[0].rule);
    let again = found(&plan, &store, &[]).1;
    assert!(again == files, "the same bytes twice");
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let made = made(LAYERS.len());
    let plan = planned(&made, &LAYERS, "");
    let (_directory, store) = store();
    compute(&made, &plan, &store);
    let (_, files) = found(&plan, &store, &[]);
    let page = text(&files, "report.html");
    for outside in ["src=\"http", "href=\"http", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for inside in
        ["data:image/png;base64,", "Variance inflation", "conv_1", "left is left", "Condition number"]
    {
        assert!(page.contains(inside), "{inside}");
    }
    assert!(!page.contains("This job is partial"));
    for whose in ["group", "sub-01", "sub-06"] {
        let picture = &files[&format!("made1/rdms/figures/{whose}_winner.png")].bytes;
        assert!(picture.starts_with(b"\x89PNG"), "{whose}");
    }
}

#[test]
fn what_is_missing_or_failed_is_named_and_the_rest_is_there() {
    let made = made(LAYERS.len());
    let plan = planned(&made, &LAYERS, "");
    let (_directory, store) = store();
    compute(&made, &plan, &store);
    let of = |subject: usize| plan.maps.iter().find(|unit| unit.subject == Some(subject)).expect("a unit");
    store.discard(&of(1).digest).expect("discarded");
    store.discard(&of(4).digest).expect("discarded");
    let failure = Failure {
        digest: of(4).digest.clone(),
        unit: plan.map_title(of(4)),
        reason: "the disk is full".into(),
    };
    let (maps, files) = found(&plan, &store, &[failure]);
    assert!(maps.is_partial());
    assert_eq!(maps.gaps.len(), 2);
    assert!(
        maps.gaps.iter().any(|gap| gap.contains("02") && gap.ends_with("not computed")),
        "{:?}",
        maps.gaps
    );
    assert!(
        maps.gaps.iter().any(|gap| gap.contains("05") && gap.ends_with("the disk is full")),
        "{:?}",
        maps.gaps
    );
    assert!(files.keys().all(|name| !name.contains("sub-02") && !name.contains("sub-05")));
    assert!(files.keys().any(|name| name.contains("sub-03")));
    assert!(
        maps.sources[0].notes.iter().any(|note| note.contains("Only 4 of 6")),
        "{:?}",
        maps.sources[0].notes
    );
    // Four subjects cannot be significant, and the page says what is shown instead.
    assert!(maps.sources[0].notes.iter().any(|note| note.contains("0.125")), "{:?}", maps.sources[0].notes);
    let page = text(&files, "report.html");
    assert!(page.contains("This job is partial") && page.contains("the disk is full"));
}

#[test]
fn too_few_flips_or_relabellings_show_the_highest_voxels() {
    let made = made(LAYERS.len());
    let group = "permutations=10\n[searchlight.group]\ncorrection=['tfce']\nflips=16\n";
    let plan = planned(&made, &LAYERS, group);
    let (_directory, store) = store();
    compute(&made, &plan, &store);
    let (maps, files) = found(&plan, &store, &[]);
    let notes = maps.sources[0].notes.join("\n");
    assert!(notes.contains("16 sign flips the smallest p is 0.0625"), "{notes}");
    assert!(notes.contains("10 relabellings") && notes.contains("0.0909"), "{notes}");
    assert!(maps.sources[0].rule.contains("the 3 % of voxels"), "{}", maps.sources[0].rule);
    assert!(text(&files, "report.html").contains("; 16 sign flips"));
}

#[test]
fn a_group_that_makes_no_sense_is_a_note() {
    let made = made(LAYERS.len());
    let plan = planned(&made, &LAYERS, "");
    let (_directory, store) = store();
    compute(&made, &plan, &store);
    let refused = |plan: &Plan, note: &str| {
        let (maps, files) = found(plan, &store, &[]);
        let notes = &maps.sources[0].notes;
        assert!(
            !maps.sources[0].group && notes.iter().any(|found| found.contains(note)),
            "{note}: {notes:?}"
        );
        assert!(files.keys().any(|name| name.contains("sub-06")));
    };
    for (space, note) in [(None, "(there is none)"), (Some("T1w"), "(found: T1w)")] {
        let mut plan = plan.clone();
        plan.scans[0].space = space.map(str::to_owned);
        refused(&plan, note);
    }
    let of_first = || plan.maps.iter().filter(|unit| unit.subject == Some(0));
    let change = |change: &dyn Fn(&mut MapRecord)| {
        for unit in of_first() {
            let bytes = store.get(&unit.digest).expect("readable").expect("stored");
            let mut record = MapRecord::decode(&bytes).expect("a record");
            change(&mut record);
            store.discard(&unit.digest).expect("discarded");
            store.put(&unit.digest, &record.encode()).expect("stored");
        }
    };
    change(&|record| record.values.fill(f32::NAN));
    refused(&plan, "at no centre have all subjects a value for `conv_1`");
    let mut other = plan.clone();
    other.scans[0].subjects[0].grid.affine[0][3] += 3.0;
    refused(&other, "do not lie on one grid");
}

#[test]
fn sidecars_of_ceilings_say_what_was_compared() {
    let made = made(LAYERS.len());
    let mut plan = planned(&made, &LAYERS, "");
    plan.maps.retain(|unit| unit.subject == Some(0));
    let (_directory, store) = store();
    compute(&made, &plan, &store);
    for (number, mut unit) in plan.maps.clone().into_iter().enumerate() {
        let bytes = store.get(&unit.digest).expect("readable").expect("stored");
        let mut record = MapRecord::decode(&bytes).expect("a record");
        record.columns = ["lower", "upper"].map(str::to_owned).to_vec();
        record.values = record.values.slice(ndarray::s![.., ..2]).to_owned();
        (record.correlation, record.rsms) = (Array2::zeros((0, 0)), Array2::zeros((0, 0)));
        (unit.source, unit.subject) = (MapSource::Ceiling, None);
        unit.digest = Digest::of_bytes(&[b'c', number as u8]);
        store.put(&unit.digest, &record.encode()).expect("stored");
        plan.maps.push(unit);
    }
    let (_, files) = found(&plan, &store, &[]);
    let name = files.keys().find(|name| name.contains("ceilinglower") && name.ends_with(".json"));
    let sidecar: serde_json::Value =
        serde_json::from_slice(&files[name.expect("a sidecar")].bytes).expect("JSON");
    assert!(sidecar["Compared"].as_str().expect("words").contains("against the others"), "{sidecar}");
}

#[test]
fn layers_that_cannot_be_told_apart_have_raw_maps_and_a_note() {
    let mut made = made(3);
    let second = made.layers.row(1).to_owned();
    made.layers.row_mut(2).assign(&second);
    let plan = planned(&made, &["a", "b", "c"], "");
    let (_directory, store) = store();
    compute(&made, &plan, &store);
    let (maps, files) = found(&plan, &store, &[]);
    let notes = &maps.sources[0].notes;
    assert!(
        notes.iter().any(|note| note.contains("`semi_partial`") && note.contains("cannot be told apart")),
        "{notes:?}"
    );
    assert_eq!(maps.sources[0].method, "raw");
    assert!(files.keys().any(|name| name.contains("desc-slR2raw_stat-r")));
    assert!(files.keys().all(|name| !name.contains("semipartial")));
}

#[test]
fn nothing_is_named_unless_all_of_it_is_there() {
    let made = made(LAYERS.len());
    let plan = planned(&made, &LAYERS, "");
    let (_directory, store) = store();
    compute(&made, &plan, &store);
    let last = &plan.maps.last().expect("units").digest;
    store.discard(last).expect("discarded");
    store.put(last, b"no record").expect("stored");
    let error = save_maps(&plan, &store, "job", &[]).expect_err("a damaged record");
    assert!(matches!(error, Error::Record { .. }), "{error}");
    assert!(store.document("job", MAPS_DOCUMENT).expect("readable").is_none());
    store.discard(last).expect("discarded");
    compute(&made, &plan, &store);
    let (maps, files) = save_maps(&plan, &store, "job", &[]).expect("saved").expect("maps");
    let document = store.document("job", MAPS_DOCUMENT).expect("readable").expect("maps");
    assert_eq!(serde_json::from_slice::<Maps>(&document).expect("JSON").files, maps.files);
    assert_eq!(maps.files.len(), files.len());
    for (entry, file) in maps.files.iter().zip(&files) {
        let blob = store.blob(&entry.digest).expect("readable").expect("a blob");
        assert!(entry.name == file.name && blob == file.bytes, "{}", entry.name);
    }
}
