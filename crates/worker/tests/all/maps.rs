//! Maps of a small made scan: the same bytes however they are cut, nothing twice, failures alone.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, concatenate};
use ventral_data::{Intent, MapValues, NiftiMap, Placement, load_scan, load_subject};
use ventral_plan::{JobSpec, MapSource, Work};
use ventral_searchlight::Grid;
use ventral_store::{MapRecord, Store};
use ventral_worker::{Job, measure, run, work};

use super::{Silent, given_model, root, stimulus_ids};

/// More voxels than one unit has centres.
const SHAPE: [usize; 3] = [20, 20, 13];
const CONDITIONS: usize = 8;

/// A number between 0 and 1 that depends on all of these.
fn noise(parts: [usize; 4]) -> f32 {
    let mix =
        |hash: u64, part: &usize| (hash ^ *part as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let hash = parts.iter().fold(0x1234_5678_9abc_def0, mix);
    (hash >> 40) as f32 / 16_777_216.0
}

/// Writes a scan of so many subjects, two runs each, with a given RDM; the card's directory.
pub fn made_scan(directory: &Path, subjects: usize) -> PathBuf {
    fs::create_dir_all(directory).expect("writable");
    let affine =
        [[3.0, 0.0, 0.0, -30.0], [0.0, 3.0, 0.0, -30.0], [0.0, 0.0, 3.0, -20.0], [0.0, 0.0, 0.0, 1.0]];
    let grid = Grid::new(SHAPE, affine).expect("a grid");
    let placement = Placement {
        qform_code: 0,
        sform_code: 1,
        quaternion: [0.0; 3],
        offset: [0.0; 3],
        srow: [affine[0], affine[1], affine[2]],
        pixdim: [1.0, 3.0, 3.0, 3.0, 1.0, 0.0, 0.0, 0.0],
        units: 2,
    };
    let ids = &stimulus_ids()[..CONDITIONS];
    let mut card =
        format!("identifier = 'made'\nversion = '1'\nspace = 'made'\n[conditions]\nnames = {ids:?}\n");
    card.push_str(&format!("[labels]\nconditions = {ids:?}\n"));
    for subject in 1..=subjects {
        card.push_str(&format!("[[subject]]\nid = '{subject:02}'\n"));
        for repeat in 0..2 {
            let value = |volume: usize, voxel: usize| {
                noise([subject, volume, voxel, 7]) + noise([subject, volume, voxel, repeat])
            };
            let volumes =
                (0..CONDITIONS).flat_map(|volume| (0..grid.len()).map(move |voxel| value(volume, voxel)));
            let values: Vec<f32> = volumes.collect();
            let name = format!("s{subject}r{repeat}.nii.gz");
            let (description, intent) = ("made", Intent::None);
            let values = MapValues::F32(&values);
            let map = NiftiMap { grid: &grid, placement: &placement, intent, description, values };
            map.write(&directory.join(&name)).expect("writable");
            card.push_str(&format!("[[subject.run]]\nvolumes = [{{ file = '{name}' }}]\n"));
        }
    }
    let mut table = ids.join(",");
    for i in 0..CONDITIONS {
        let distance = |j: usize| if i == j { 0.0 } else { noise([i.min(j), i.max(j), 0, 99]) };
        let row: Vec<String> = (0..CONDITIONS).map(|j| distance(j).to_string()).collect();
        table.push_str(&format!("\n{}", row.join(",")));
    }
    fs::write(directory.join("rdm.csv"), format!("{table}\n")).expect("writable");
    card.push_str("[[rdm]]\nname = 'made'\nfile = 'rdm.csv'\n");
    fs::write(directory.join("scan.toml"), card).expect("writable");
    directory.to_owned()
}

/// Adds the demo's images to a scan.
fn with_images(scan: &Path) {
    let card = fs::read_to_string(scan.join("scan.toml")).expect("a card");
    for name in ["stimulus_demo.csv", "stimulus_demo.zip"] {
        fs::copy(root().join("examples/demo").join(name), scan.join(name)).expect("copied");
    }
    let stimuli = "[stimuli]\nformat = 'table'\nfile = 'stimulus_demo.zip'\ntable = 'stimulus_demo.csv'\n";
    fs::write(scan.join("scan.toml"), format!("{card}{stimuli}")).expect("writable");
}

fn job(directory: &Path, models: &str, more: &str) -> Job {
    let text = format!("name = 'maps'\nmodels = [{models}]\n[searchlight]\nscans = ['scan*']\n{more}");
    let spec = JobSpec::from_toml(&text, "spec.toml").expect("a spec");
    Job::load(spec, &directory.join("spec.toml"), None, measure(Some(2 << 30))).expect("a job")
}

fn record(job: &Job, store: &Store, unit: usize) -> MapRecord {
    let bytes = store.get(&job.plan.maps[unit].digest).expect("readable").expect("stored");
    MapRecord::decode(&bytes).expect("a record")
}

/// All records of a subject and source, joined.
fn joined(job: &Job, store: &Store, source: MapSource, subject: Option<usize>) -> MapRecord {
    let units = job.plan.maps.iter().enumerate();
    let units = units.filter(|(_, unit)| unit.source == source && unit.subject == subject);
    let parts: Vec<MapRecord> = units.map(|(index, _)| record(job, store, index)).collect();
    let mut all = parts[0].clone();
    for part in &parts[1..] {
        assert_eq!(part.first, all.places.len() as u64);
        all.places.extend(&part.places);
        all.voxels.extend(&part.voxels);
        all.values = concatenate(Axis(0), &[all.values.view(), part.values.view()]).expect("one width");
        all.too_small += part.too_small;
        all.undefined += part.undefined;
        if let (Some(all), Some(part)) = (&mut all.permutation, &part.permutation) {
            all.exceed = concatenate(Axis(0), &[all.exceed.view(), part.exceed.view()]).expect("one width");
            all.max.zip_mut_with(&part.max, |largest, value| *largest = largest.max(*value));
        }
    }
    all
}

#[test]
fn records_do_not_depend_on_threads_or_on_how_centres_are_cut() {
    let directory = tempfile::tempdir().expect("a directory");
    made_scan(&directory.path().join("scan"), 1);
    let job = job(directory.path(), "", "permutations = 20\n");
    let sources = [MapSource::Rdms, MapSource::Reliability];
    assert_eq!(job.plan.maps.len(), 4, "two ranges of each");
    let computed = |job: &Job, threads: usize, name: &str| -> Vec<Vec<u8>> {
        let store = Store::open(directory.path().join(name)).expect("a store");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let report = pool.install(|| run(job, &store, &Silent)).expect("a run");
        assert_eq!(report.failures, []);
        sources.iter().map(|&source| joined(job, &store, source, Some(0)).encode()).collect()
    };
    let one = computed(&job, 1, "one");
    assert_eq!(computed(&job, 2, "two"), one);
    let mut cut = self::job(directory.path(), "", "permutations = 20\n");
    cut.plan.maps = job
        .plan
        .maps
        .iter()
        .flat_map(|unit| {
            let [start, end] = unit.centres;
            let middle = start + 321;
            [[start, middle], [middle, end]].map(|centres| {
                let digest = ventral_plan::Digest::of_identity(&(&unit.digest, centres));
                ventral_plan::MapUnit { centres, digest, ..unit.clone() }
            })
        })
        .collect();
    assert_eq!(computed(&cut, 2, "cut"), one, "other ranges");
    let record = MapRecord::decode(&one[0]).expect("a record");
    assert_eq!((record.columns.as_slice(), record.values.nrows()), (["made".to_owned()].as_slice(), 5200));
    assert_eq!(record.correlation.dim(), (1, 1));
    assert_eq!(record.permutation.expect("permutations").max.dim(), (20, 1));
}

/// Pearson correlation, by the book.
fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(x, y)| f(x - ma, y - mb)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

#[test]
fn values_are_those_of_plain_arithmetic() {
    let directory = tempfile::tempdir().expect("a directory");
    let scan = made_scan(&directory.path().join("scan"), 1);
    let job = job(directory.path(), "", "radius = 2.0\n");
    let store = Store::open(directory.path().join("store")).expect("a store");
    run(&job, &store, &Silent).expect("a run");
    let record = joined(&job, &store, MapSource::Rdms, Some(0));
    let loaded = load_scan(&scan, None).expect("a scan");
    let data = load_subject(&loaded, 0).expect("a subject");
    let mean = |voxel: usize, image: usize| {
        data.runs.iter().map(|run| f64::from(run.values[[voxel, image]])).sum::<f64>() / 2.0
    };
    for centre in [0, 2605, 5199] {
        let at = |index: usize| data.grid.position(data.voxels[index] as usize).map(|x| x as i64);
        let here = at(centre);
        let near = |voxel: &usize| at(*voxel).iter().zip(here).map(|(a, b)| (a - b).pow(2)).sum::<i64>() <= 4;
        let members: Vec<usize> = (0..data.voxels.len()).filter(near).collect();
        let patterns: Vec<Vec<f64>> =
            (0..CONDITIONS).map(|image| members.iter().map(|&voxel| mean(voxel, image)).collect()).collect();
        let pairs = (0..CONDITIONS).flat_map(|i| (i + 1..CONDITIONS).map(move |j| (i, j)));
        let brain: Vec<f64> = pairs.map(|(i, j)| pearson(&patterns[i], &patterns[j])).collect();
        let layer: Vec<f64> = loaded.rdms[0].values.iter().map(|distance| -distance).collect();
        let (found, expected) = (f64::from(record.values[[centre, 0]]), pearson(&brain, &layer));
        assert_eq!(record.voxels[centre] as usize, members.len());
        assert_eq!(record.places[centre], data.voxels[centre]);
        assert!((found - expected).abs() < 1e-5, "centre {centre}: {found} for {expected}");
    }
}

#[test]
fn resuming_computes_only_what_is_missing() {
    let directory = tempfile::tempdir().expect("a directory");
    made_scan(&directory.path().join("scan"), 1);
    let job = job(directory.path(), "", "");
    let store = Store::open(directory.path().join("store")).expect("a store");
    let first = run(&job, &store, &Silent).expect("a run").usage;
    assert_eq!((first.computed, first.cached), (4, 0));
    store.discard(&job.plan.maps[1].digest).expect("removed");
    assert_eq!(work(&job, &store).maps, [1]);
    let second = run(&job, &store, &Silent).expect("a run").usage;
    assert_eq!((second.computed, second.cached), (1, 3));
    let third = run(&job, &store, &Silent).expect("a run").usage;
    assert_eq!((third.computed, third.cached), (0, 4));
}

#[test]
fn layers_of_a_model_are_read_on_the_images_of_the_scan() {
    let directory = tempfile::tempdir().expect("a directory");
    let scan = made_scan(&directory.path().join("scan"), 1);
    with_images(&scan);
    let ids = stimulus_ids();
    let model = given_model(&directory.path().join("good"), &ids, |_, value| value);
    // All units alike for one condition: it has no correlation.
    given_model(&directory.path().join("flat"), &ids, |row, value| if row == 2 { 1.0 } else { value });
    let card = fs::read_to_string(directory.path().join("flat/model.toml")).expect("a card");
    fs::write(directory.path().join("flat/model.toml"), card.replace("'given'", "'flat'")).expect("writable");
    let job = job(directory.path(), "'good', 'flat'", "");
    assert_eq!(job.plan.features.iter().map(|unit| unit.scan).collect::<Vec<_>>(), [Some(0), Some(0)]);
    let store = Store::open(directory.path().join("store")).expect("a store");
    let report = run(&job, &store, &Silent).expect("a run");
    let record = joined(&job, &store, MapSource::Model(0), Some(0));
    assert_eq!(record.columns, ["layer"]);
    assert!(record.values.iter().all(|value| value.is_finite()));
    joined(&job, &store, MapSource::Rdms, Some(0));
    let units: Vec<&str> = report.failures.iter().map(|failure| failure.unit.as_str()).collect();
    assert_eq!(
        units,
        ["searchlight made 01, centres 0-4095, flat", "searchlight made 01, centres 4096-5199, flat"]
    );
    let reason = &report.failures[0].reason;
    assert!(reason.contains("layer layer") && reason.contains("leave the layer out"), "{reason}");
    assert!(model.is_dir());
}

#[test]
fn layers_that_are_too_alike_are_permuted_raw() {
    let directory = tempfile::tempdir().expect("a directory");
    let scan = made_scan(&directory.path().join("scan"), 1);
    let card = fs::read_to_string(scan.join("scan.toml")).expect("a card");
    fs::write(scan.join("scan.toml"), format!("{card}[[rdm]]\nname = 'again'\nfile = 'rdm.csv'\n"))
        .expect("writable");
    let exceed = |methods: &str| {
        let job = job(directory.path(), "", &format!("permutations = 20\nmethods = [{methods}]\n"));
        let store = Store::open(directory.path().join("store")).expect("a store");
        assert_eq!(run(&job, &store, &Silent).expect("a run").failures, []);
        joined(&job, &store, MapSource::Rdms, Some(0)).permutation.expect("permutations").exceed
    };
    let raw = exceed("'raw'");
    assert_eq!(exceed("'raw', 'semi_partial'"), raw, "one layer is the other");
    assert!(raw.iter().any(|count| *count > 0));
}

#[test]
fn a_layer_that_cannot_be_read_takes_its_maps_along() {
    let directory = tempfile::tempdir().expect("a directory");
    with_images(&made_scan(&directory.path().join("scan"), 1));
    // Not all images of the scan.
    given_model(&directory.path().join("bad"), &stimulus_ids()[..4], |_, value| value);
    let job = job(directory.path(), "'bad'", "");
    let store = Store::open(directory.path().join("store")).expect("a store");
    let report = run(&job, &store, &Silent).expect("a run");
    assert_eq!(report.failures.len(), 2, "{:?}", report.failures);
    assert!(report.failures.iter().all(|failure| failure.reason.contains("layer layer cannot be read")));
    joined(&job, &store, MapSource::Rdms, Some(0));
}

#[test]
fn a_scan_that_cannot_be_used_fails_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    made_scan(&directory.path().join("scan1"), 1);
    let broken = made_scan(&directory.path().join("scan2"), 1);
    fs::remove_file(broken.join("s1r1.nii.gz")).expect("removed");
    let job = job(directory.path(), "", "");
    assert_eq!(job.plan.scans.len(), 1);
    let store = Store::open(directory.path().join("store")).expect("a store");
    let report = run(&job, &store, &Silent).expect("a run");
    assert_eq!(report.failures.len(), 1);
    let failure = &report.failures[0];
    assert!(failure.unit.starts_with("scan ") && failure.reason.contains("s1r1.nii.gz"), "{failure:?}");
}

#[test]
fn ceilings_need_three_subjects_on_one_grid() {
    let directory = tempfile::tempdir().expect("a directory");
    made_scan(&directory.path().join("scan"), 3);
    let job = job(directory.path(), "", "radius = 1.0\nminimum_voxels = 5\n");
    let store = Store::open(directory.path().join("store")).expect("a store");
    assert_eq!(run(&job, &store, &Silent).expect("a run").failures, []);
    let record = joined(&job, &store, MapSource::Ceiling, None);
    assert_eq!(record.columns, ["lower", "upper"]);
    assert_eq!(record.values.nrows(), 5200);
    let defined = record.values.rows().into_iter().filter(|row| row[0].is_finite());
    assert!(defined.clone().count() > 5000 && defined.clone().all(|row| row[0] < row[1]));
    assert_eq!(record.too_small, record.voxels.iter().filter(|&&size| size < 5).count() as u64);
    assert_eq!(record.undefined, 0);
    let no = Array2::<f64>::zeros((0, 0));
    assert_eq!(record.correlation, no);
    let path = directory.path().join("scan/scan.toml");
    let card = fs::read_to_string(&path).expect("a card").replace("'made'\n[cond", "'T1w'\n[cond");
    fs::write(&path, card).expect("writable");
    let job = self::job(directory.path(), "", "radius = 1.0\nminimum_voxels = 5\n");
    assert!(job.plan.scans[0].common.is_none(), "one grid, and another place in each subject");
    let demo = load_scan(&root().join("examples/demo/scan"), None).expect("a scan");
    assert!(ventral_plan::maps::is_common_space(demo.space.as_deref()), "the demo has a group");
}

#[test]
fn cosines_with_given_matrices_share_the_zero_of_the_brain() {
    let directory = tempfile::tempdir().expect("a directory");
    let scan = made_scan(&directory.path().join("scan"), 1);
    let distances = load_scan(&scan, None).expect("a scan").rdms[0].values.clone();
    let layer = |rsm: &str, similarity: bool| -> Vec<f32> {
        let path = scan.join("scan.toml");
        let card = fs::read_to_string(&path).expect("a card").replace("similarity = true\n", "");
        let more = if similarity { "similarity = true\n" } else { "" };
        fs::write(&path, format!("{card}{more}")).expect("writable");
        let job = job(directory.path(), "", &format!("radius = 2.0\nrsm = '{rsm}'\ncomparison = 'cosine'\n"));
        let place = directory.path().join(format!("{rsm}-{similarity}"));
        let store = Store::open(place).expect("a store");
        assert_eq!(run(&job, &store, &Silent).expect("a run").failures, []);
        joined(&job, &store, MapSource::Rdms, Some(0)).rsms.row(0).to_vec()
    };
    for (rsm, similarity, shift, sign) in [
        ("pearson", false, 1.0, -1.0),
        ("pearson", true, 0.0, 1.0),
        ("euclidean", false, 0.0, -1.0),
        ("euclidean", true, -1.0, 1.0),
    ] {
        let expected: Vec<f64> = distances.iter().map(|value| shift + sign * value).collect();
        let found = layer(rsm, similarity);
        let close = found.iter().zip(&expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6);
        assert!(close, "{rsm}, similarity {similarity}");
    }
}

#[test]
fn a_slot_computes_the_same_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    made_scan(&directory.path().join("scan"), 1);
    let text = "name = 'maps'\n[searchlight]\nscans = ['scan']\n";
    let file = directory.path().join("spec.toml");
    fs::write(&file, text).expect("writable");
    let slot = super::slot::Slot::new();
    let bundle = slot.upload_spec(&file);
    let replies = slot.ask(
        2 << 30,
        u64::MAX,
        &[
            ("j", Work::Plan { bundle }),
            ("j", Work::Map { index: 0 }),
            ("j", Work::Map { index: 1 }),
            ("j", Work::Map { index: 0 }),
            ("j", Work::Map { index: 4 }),
        ],
    );
    let finished = replies[..4].iter().map(super::slot::finished).collect::<Vec<_>>();
    assert_eq!(finished, [(1, 0), (1, 0), (1, 0), (0, 1)]);
    let (_, reason) = super::slot::failed(&replies[4]);
    assert!(reason.contains("no map unit 4"), "{reason}");
    let plan = slot.plan("j").plan;
    assert_eq!(slot.plan("j").scan_cards, ["files/scan/scan.toml"]);
    let here = job(directory.path(), "", "");
    let store = Store::open(directory.path().join("store")).expect("a store");
    run(&here, &store, &Silent).expect("a run");
    for unit in 0..2 {
        assert_eq!(plan.maps[unit].digest, here.plan.maps[unit].digest);
        let bytes = |store: &Store| store.get(&plan.maps[unit].digest).expect("readable").expect("stored");
        assert_eq!(bytes(&slot.store), bytes(&store));
    }
}
