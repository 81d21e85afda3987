//! Synthesis of small sets: the same bytes whenever and however it is interrupted, failures alone.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use ndarray::{Array2, Array4, Axis, s};
use ventral_data::Image;
use ventral_models::ModelCard;
use ventral_plan::{CardKind, JobSpec, Work};
use ventral_store::{LayerGramRecord, Store, SynthesisRecord};
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation, rsms};
use ventral_synthesis::quantise::{to_unit, with_grey_noise};
use ventral_synthesis::transforms::Transform;
use ventral_synthesis::{Network as _, Run, Transforms};
use ventral_worker::{Batch, Error, Event, Job, Observer, SynthesisModel, measure, run, work};

use super::slot::{Slot, finished};
use super::{Silent, given_model, root, stimulus_ids};

const STEPS: u64 = 5;
/// Six images, a few steps.
const SMALL: &str = "[layers]\nconvnet_trained=['conv1','block3','pool']\n[synthesis]\nimages=6\nsteps=5\nrestarts=1\ncheckpoint_steps=2\n";

fn demo(path: &str) -> PathBuf {
    root().join("examples/demo").join(path).canonicalize().expect("a part of the demo")
}

fn load(models: &[PathBuf], section: &str, memory: u64) -> Result<Job, Error> {
    let text = format!("name='images'\nmodels={models:?}\n{section}");
    let spec = JobSpec::from_toml(&text, "spec.toml").expect("a spec");
    Job::load(spec, &root().join("spec.toml"), None, measure(Some(memory)))
}

fn small() -> Job {
    load(&[demo("models/convnet_trained")], SMALL, 4 << 30).expect("a job")
}

fn bytes(job: &Job, store: &Store, unit: usize) -> Vec<u8> {
    store.get(&job.plan.syntheses[unit].digest).expect("readable").expect("stored")
}

/// What an uninterrupted run of a job makes of its units.
fn made(job: &Job, directory: &Path) -> Vec<Vec<u8>> {
    let store = Store::open(directory).expect("a store");
    let report = run(job, &store, &Silent).expect("a run");
    assert_eq!(report.failures, []);
    (0..job.plan.syntheses.len()).map(|unit| bytes(job, &store, unit)).collect()
}

/// Ends a run after so many steps: politely, or by a panic, as a killed process would.
struct After {
    steps: u64,
    politely: bool,
    seen: AtomicU64,
}

impl After {
    fn new(steps: u64, politely: bool) -> Self {
        Self { steps, politely, seen: AtomicU64::new(0) }
    }
}

impl Observer for After {
    fn on(&self, event: &Event<'_>) {
        if let Event::Step { done, .. } = event {
            self.seen.fetch_add(1, Ordering::SeqCst);
            assert!(self.politely || *done < self.steps, "killed");
        }
    }

    fn interrupted(&self) -> bool {
        self.politely && self.seen.load(Ordering::SeqCst) >= self.steps
    }
}

/// Writes down what happens.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Observer for Diary {
    fn on(&self, event: &Event<'_>) {
        let text = match event {
            Event::SynthesisStarted { done, .. } => format!("from {done}"),
            Event::Step { done, total, mean_abs_r, max_abs_r, .. } => {
                assert!((0.0..=1.0).contains(mean_abs_r) && max_abs_r >= mean_abs_r);
                format!("{done}/{total}")
            }
            Event::Evaluating { stop, .. } => (*stop).to_owned(),
            Event::SynthesisStored { unit, .. } => format!("stored {}", unit.seed),
            Event::Failed { reason, .. } => format!("failed {reason}"),
            _ => return,
        };
        self.0.lock().expect("no panic").push(text);
    }
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = small();
    let expected = made(&job, &directory.path().join("whole"));
    let unit = &job.plan.syntheses[0].digest;
    for steps in 1..=STEPS {
        let store = Store::open(directory.path().join(format!("polite-{steps}"))).expect("a store");
        assert!(
            matches!(run(&job, &store, &After::new(steps, true)), Err(Error::Interrupted)),
            "after {steps}"
        );
        assert!(store.checkpoint(unit).expect("readable").is_some(), "what was done is kept");
        assert_eq!(work(&job, &store).syntheses, [0]);
        let diary = Diary::default();
        run(&job, &store, &diary).expect("goes on");
        assert!(bytes(&job, &store, 0) == expected[0], "interrupted after {steps}");
        assert_eq!(diary.0.lock().expect("no panic")[0], format!("from {steps}"));
        assert_eq!(store.checkpoint(unit).expect("readable"), None, "it is of no more use");
    }
    for steps in 1..=STEPS {
        let store = Store::open(directory.path().join(format!("killed-{steps}"))).expect("a store");
        let killed = catch_unwind(AssertUnwindSafe(|| run(&job, &store, &After::new(steps, false))));
        assert!(killed.is_err());
        let diary = Diary::default();
        run(&job, &store, &diary).expect("goes on");
        assert!(bytes(&job, &store, 0) == expected[0], "killed in step {steps}");
        // The step that it was killed in was not yet kept.
        let kept = (steps - 1) / 2 * 2;
        assert_eq!(diary.0.lock().expect("no panic")[0], format!("from {kept}"));
    }
}

#[test]
fn threads_and_batches_change_no_byte() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = small();
    let all: Vec<_> = [1, 2, 5]
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| made(&job, &directory.path().join(threads.to_string())))
        })
        .into();
    assert!(all[1..].iter().all(|other| *other == all[0]));
}

#[test]
fn a_damaged_checkpoint_costs_time_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = small();
    let expected = made(&job, &directory.path().join("whole"));
    let unit = &job.plan.syntheses[0].digest;
    let store = Store::open(directory.path().join("store")).expect("a store");
    assert!(run(&job, &store, &After::new(3, true)).is_err());
    let good = store.checkpoint(unit).expect("readable").expect("a checkpoint");
    let mut changed = good.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    for bad in [&changed[..], &good[..good.len() - 9], b"", b"anything"] {
        store.save_checkpoint(unit, bad).expect("writable");
        let diary = Diary::default();
        run(&job, &store, &diary).expect("begins anew");
        assert_eq!(diary.0.lock().expect("no panic")[0], "from 0");
        assert!(bytes(&job, &store, 0) == expected[0]);
        store.discard(unit).expect("removable");
    }
    let path = directory.path().join("store/checkpoints").join(&unit.as_str()[..2]).join(unit.as_str());
    store.save_checkpoint(unit, &good).expect("writable");
    let mut file = fs::read(&path).expect("a file");
    file.truncate(file.len() / 2);
    fs::write(&path, file).expect("writable");
    run(&job, &store, &Silent).expect("begins anew");
    assert!(bytes(&job, &store, 0) == expected[0]);
}

#[test]
fn a_store_that_fails_costs_no_checkpoint() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = small();
    let unit = &job.plan.syntheses[0].digest;
    let store = Store::open(directory.path()).expect("a store");
    assert!(run(&job, &store, &After::new(3, true)).is_err());
    let path = directory.path().join("checkpoints").join(&unit.as_str()[..2]).join(unit.as_str());
    let aside = directory.path().join("aside");
    fs::rename(&path, &aside).expect("movable");
    std::os::unix::fs::symlink("a".repeat(256), &path).expect("something that cannot be opened");
    let diary = Diary::default();
    assert!(matches!(run(&job, &store, &diary), Err(Error::Store(_))));
    assert_eq!(*diary.0.lock().expect("no panic"), [""; 0], "not one step");
    fs::remove_file(&path).expect("removable");
    fs::rename(&aside, &path).expect("movable");
    run(&job, &store, &diary).expect("goes on");
    assert_eq!(diary.0.lock().expect("no panic")[0], "from 3");
}

#[test]
fn a_checkpoint_of_a_stored_unit_is_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = small();
    made(&job, directory.path());
    let unit = &job.plan.syntheses[0].digest;
    let store = Store::open(directory.path()).expect("a store");
    store.save_checkpoint(unit, b"left behind").expect("writable");
    run(&job, &store, &Silent).expect("nothing to do");
    assert_eq!(store.checkpoint(unit).expect("readable"), None);
    // One that cannot be removed does no harm.
    let path = directory.path().join("checkpoints").join(&unit.as_str()[..2]).join(unit.as_str());
    fs::create_dir(&path).expect("something that is no file");
    run(&job, &store, &Silent).expect("nothing to do");
}

/// Another process that stores the second unit while the first is computed.
struct Faster<'a> {
    diary: Diary,
    store: &'a Store,
    job: &'a Job,
    second: &'a [u8],
}

impl Observer for Faster<'_> {
    fn on(&self, event: &Event<'_>) {
        self.diary.on(event);
        if let Event::SynthesisStarted { .. } = event {
            self.store.put(&self.job.plan.syntheses[1].digest, self.second).expect("writable");
        }
    }
}

#[test]
fn what_another_process_has_stored_meanwhile_is_not_computed() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = load(&[demo("models/convnet_trained")], &SMALL.replace("restarts=1", "restarts=2"), 4 << 30);
    let job = job.expect("a job");
    let expected = made(&job, &directory.path().join("whole"));
    let store = Store::open(directory.path().join("store")).expect("a store");
    let faster = Faster { diary: Diary::default(), store: &store, job: &job, second: &expected[1] };
    let report = run(&job, &store, &faster).expect("a run");
    assert_eq!(report.failures, []);
    let told = faster.diary.0.lock().expect("no panic");
    assert_eq!(told.iter().filter(|line| line.starts_with("from")).count(), 1, "{told:?}");
    assert!(bytes(&job, &store, 1) == expected[1]);
}

#[test]
fn a_record_says_what_the_images_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = small();
    let made = made(&job, directory.path());
    let record = SynthesisRecord::decode(&made[0]).expect("a record");
    assert_eq!(record.layers, ["conv1", "block3", "pool"]);
    assert_eq!(record.images.dim(), (6, 64, 64, 3));
    assert_eq!((record.seed, record.steps, record.stop.as_str()), (0, STEPS, "step limit"));
    assert_eq!(record.convergence.len() as u64, STEPS);
    assert!(record.convergence[0].untransformed.is_some());
    assert_eq!((record.before.dim(), record.rsms.dim()), ((3, 15), (3, 15)));
    assert!(record.before != record.rsms && record.irreducible.is_empty());
    // The same similarities from the images alone, by the engine of the gradients: another program, the same numbers.
    let card = ModelCard::load(&demo("models/convnet_trained/model.toml"), None).expect("a card");
    let model = SynthesisModel::with_layers(&card, &record.layers).expect("a model");
    let floats: Array4<f32> = to_unit(record.images.view());
    let layers = Batch::new(&model.gradient).activations(floats.view()).expect("activations");
    let again = rsms(&layers).expect("similarities");
    assert!(differ(&again, &record.rsms) < 1e-4, "{}", differ(&again, &record.rsms));
    let settings = job.plan.spec.synthesis.as_ref().expect("a section").settings([64, 64], 0);
    let first = Run::<f32>::new(settings).expect("a run").quantised();
    assert_eq!(rsms(&model.scored(&first).expect("scored")).expect("similarities"), record.before);
    // E6: 64 transforms of a fixed seed, by the gradient's engine; E7: what the scorer sees of files and noise.
    let mut transformed = 0.0;
    for step in 0..64 {
        let transform = Transform::draw(&Transforms::default(), 20_251_125, step);
        let images = transform.apply(floats.view());
        transformed +=
            mean_abs(&Batch::new(&model.gradient).activations(images.view()).expect("activations"));
    }
    assert!((transformed / 64.0 - record.transforms).abs() < 1e-12);
    let scored = |images: &Array4<u8>| mean_abs(&model.scored(images).expect("scored"));
    assert!((scored(&compressed(&record.images)) - record.jpeg).abs() < 1e-12);
    let noisy = with_grey_noise(record.images.view(), 20_251_125);
    assert!(noisy != record.images);
    assert!((scored(&noisy) - record.noise).abs() < 1e-12);
    let distinct = [record.transforms, record.jpeg, record.noise];
    assert!(distinct[0] != distinct[1] && distinct[1] != distinct[2] && distinct[2] != distinct[0]);
}

fn mean_abs(layers: &[Array2<f32>]) -> f64 {
    let rsms = rsms(layers).expect("similarities");
    let correlation = LayerCorrelation::new(rsms.view(), Coefficient::Pearson).expect("correlations");
    let (matrix, count) = (correlation.matrix(), layers.len());
    let above = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
    above.map(|pair| matrix[pair].abs()).sum::<f64>() / (count * (count - 1) / 2) as f64
}

/// Each image through a JPEG file of quality 75.
fn compressed(images: &Array4<u8>) -> Array4<u8> {
    let mut read = images.clone();
    let (_, height, width, _) = images.dim();
    for mut image in read.outer_iter_mut() {
        let pixels: Vec<u8> = image.iter().copied().collect();
        let mut file = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut file, 75);
        encoder.write_image(&pixels, width as u32, height as u32, ExtendedColorType::Rgb8).expect("a file");
        image.assign(&Image::decode(&file).expect("an image").pixels);
    }
    read
}

fn differ(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a - b).iter().fold(0.0, |largest: f64, value| largest.max(value.abs()))
}

#[test]
fn an_image_does_not_depend_on_its_company() {
    let card = ModelCard::load(&demo("models/convnet_trained/model.toml"), None).expect("a card");
    let names = ["conv1", "block5"].map(str::to_owned);
    let model = SynthesisModel::with_layers(&card, &names).expect("a model");
    let batch = Batch::new(&model.gradient);
    let images = Array4::from_shape_fn((4, 3, 64, 64), |(i, c, y, x)| {
        ((i * 31 + c * 17 + y * 5 + x * 3) % 29) as f32 / 29.0
    });
    let (all, trace) = batch.forward(images.view()).expect("forward");
    assert_eq!(all, batch.activations(images.view()).expect("activations"), "with and without a trace");
    let adjoint = |layer: &Array2<f32>| layer.mapv(|value| 0.1 - value);
    let adjoints: Vec<_> = all.iter().map(adjoint).collect();
    let gradient = batch.backward(trace, &adjoints).expect("backward");
    assert_eq!(gradient.dim(), images.dim());
    for image in 0..4 {
        let one = images.slice(s![image..=image, .., .., ..]);
        let (layers, trace) = batch.forward(one).expect("forward");
        let rows: Vec<_> =
            adjoints.iter().map(|layer| layer.slice(s![image..=image, ..]).to_owned()).collect();
        assert!(layers.iter().zip(&all).all(|(one, all)| one.row(0) == all.row(image)));
        let alone = batch.backward(trace, &rows).expect("backward");
        assert_eq!(alone.index_axis(Axis(0), 0), gradient.index_axis(Axis(0), image));
    }
    // What the scorer sees of the same images, as far as eight bits go.
    let eight = ventral_synthesis::quantise::quantise(images.view());
    let floats: Array4<f32> = to_unit(eight.view());
    let ours = batch.activations(floats.view()).expect("activations");
    for (layer, (ours, scored)) in ours.iter().zip(model.scored(&eight).expect("scored")).enumerate() {
        let scale = scored.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let worst = (ours - &scored).iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(worst <= 1e-4 * scale, "layer {layer}: {worst} of {scale}");
    }
}

#[test]
fn natural_images_are_read_once_and_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    let section = SMALL.replace("restarts=1", &format!("restarts=2\nnatural={:?}", demo("benchmarks/v4")));
    let job = load(&[demo("models/convnet_trained")], &section, 4 << 30).expect("a job");
    let plan = &job.plan;
    assert_eq!((plan.features.len(), plan.syntheses.len(), plan.pools.len()), (1, 2, 1));
    let store = Store::open(directory.path().join("store")).expect("a store");
    let before = work(&job, &store);
    assert_eq!((before.features.len(), before.syntheses.len(), before.cached), (1, 2, 0));
    let diary = Diary::default();
    let report = run(&job, &store, &diary).expect("a run");
    assert_eq!((report.failures.len(), report.usage.computed), (0, 5));
    let mut expected = vec!["from 0".to_owned()];
    expected.extend((1..=STEPS).map(|step| format!("{step}/{STEPS}")));
    expected.extend(["step limit".to_owned(), "stored 0".to_owned()]);
    let told = diary.0.lock().expect("no panic");
    assert_eq!(told[..expected.len()], expected[..]);
    assert_eq!(told.last().map(String::as_str), Some("stored 1"));
    assert!(bytes(&job, &store, 0) != bytes(&job, &store, 1), "another seed, other images");
    let left = work(&job, &store);
    assert!(left.features.is_empty() && left.syntheses.is_empty());
    assert_eq!(left.cached, plan.unit_count());
    let grams = plan.natural_grams(&plan.syntheses[0]).expect("Grams");
    assert_eq!(grams.len(), 3);
    for gram in &grams {
        let payload = store.get(gram).expect("readable").expect("stored");
        let gram = LayerGramRecord::decode(&payload).expect("a Gram").0;
        assert_eq!(gram.stimuli(), plan.pools[0].count);
    }
    store.discard(grams[1]).expect("removable");
    let missing = work(&job, &store).features;
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].1.grams, plan.natural_layers(0)[1..2]);
}

#[test]
fn what_cannot_be_used_is_named_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let given = given_model(&directory.path().join("given"), &stimulus_ids(), |_, value| value);
    let section = SMALL.replace("restarts=1", "restarts=1\nnatural='nowhere'");
    let error =
        load(&[demo("models/convnet_trained")], &section, 4 << 30).err().expect("no such card").to_string();
    assert!(error.contains("synthesis.natural") && error.contains("nowhere"), "{error}");
    let broken = directory.path().join("benchmark.toml");
    fs::write(&broken, "identifier = 3\n").expect("writable");
    let section = SMALL.replace("restarts=1", &format!("restarts=1\nnatural={broken:?}"));
    let job = load(&[demo("models/convnet_trained"), given], &section, 4 << 30).expect("a job");
    let refused: Vec<_> = job.plan.refused.iter().map(|refused| refused.kind).collect();
    assert_eq!(refused, [CardKind::Pool, CardKind::Model], "{:?}", job.plan.refused);
    assert!(job.plan.pools.is_empty() && job.plan.syntheses.len() == 1);
    let store = Store::open(directory.path().join("store")).expect("a store");
    let report = run(&job, &store, &Silent).expect("the rest goes on");
    assert_eq!(report.failures.len(), 2, "{report:?}");
    assert!(store.contains(&job.plan.syntheses[0].digest));
}

#[test]
fn a_model_that_has_no_gradient_keeps_its_scores() {
    let directory = tempfile::tempdir().expect("a directory");
    let given = given_model(&directory.path().join("given"), &stimulus_ids(), |_, value| value);
    let section = format!("benchmarks=[{:?}]\n{SMALL}", demo("benchmarks/v4"));
    let job = load(&[demo("models/convnet_trained"), given], &section, 4 << 30).expect("a job");
    let refused: Vec<_> = job.plan.refused.iter().map(|refused| refused.reason.as_str()).collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].starts_with("no images can be made for it: "), "{refused:?}");
    assert!(job.plan.syntheses.iter().all(|unit| unit.model == 0) && job.plan.syntheses.len() == 1);
    assert_eq!(job.plan.scores.iter().filter(|unit| unit.model == 1).count(), 1);
}

#[test]
fn a_unit_that_does_not_fit_fails_with_the_number() {
    let roomy = small();
    let needed = roomy.plan.syntheses[0].estimate.least_bytes;
    let tight = load(&[demo("models/convnet_trained")], SMALL, needed - 1).expect("plans");
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path()).expect("a store");
    let error = run(&tight, &store, &Silent).expect_err("nothing fits").to_string();
    assert!(error.contains("seed 0 needs at least") && error.contains("MiB"), "{error}");
    let enough = load(&[demo("models/convnet_trained")], SMALL, needed).expect("plans");
    assert!(work(&enough, &store).unfit.is_empty());
}

#[test]
fn layers_that_are_not_there_or_alone_are_refused() {
    let section = SMALL.replace("['conv1','block3','pool']", "['conv1','nowhere']");
    let error =
        load(&[demo("models/convnet_trained")], &section, 4 << 30).err().expect("no layer").to_string();
    assert!(error.contains("nowhere"), "{error}");
    let section = SMALL.replace("['conv1','block3','pool']", "['block3']");
    let error =
        load(&[demo("models/convnet_trained")], &section, 4 << 30).err().expect("one layer").to_string();
    assert!(error.contains("1 layers"), "{error}");
}

#[test]
fn a_checkpoint_that_stays_fails_no_unit_that_is_stored() {
    let slot = Slot::new();
    let directory = tempfile::tempdir().expect("a directory");
    let spec = directory.path().join("spec.toml");
    fs::write(&spec, format!("name='images'\nmodels=[{:?}]\n{SMALL}", demo("models/convnet_trained")))
        .expect("writable");
    let (bundle, unit) = (slot.upload_spec(&spec), Work::Synthesis { index: 0 });
    let replies = slot.ask(4 << 30, u64::MAX, &[("j", Work::Plan { bundle }), ("j", unit.clone())]);
    assert_eq!(finished(&replies[1]), (1, 0));
    let digest = &slot.plan("j").plan.syntheses[0].digest;
    slot.store.save_checkpoint(digest, b"left behind").expect("writable");
    assert_eq!(finished(&slot.ask(4 << 30, u64::MAX, &[("j", unit.clone())])[0]), (0, 1));
    assert_eq!(slot.store.checkpoint(digest).expect("readable"), None);
    let path = slot.store.root().join("checkpoints").join(&digest.as_str()[..2]).join(digest.as_str());
    fs::create_dir(&path).expect("something that is no file");
    assert_eq!(finished(&slot.ask(4 << 30, u64::MAX, &[("j", unit)])[0]), (0, 1));
}
