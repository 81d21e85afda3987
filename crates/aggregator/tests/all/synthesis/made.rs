//! Made-up records of restarts, and natural images whose layers are alike.

use std::collections::BTreeMap;

use ndarray::{Array2, Array4};
use ventral_aggregator::{JobFile, Syntheses, synthesis_files};
use ventral_metrics::{GramBuilder, Precision, TileConsumer};
use ventral_plan::{
    Digest, Facts, GradientFacts, JobSpec, LayerFacts, ModelFacts, Plan, PoolFacts, Refused, plan_without,
};
use ventral_searchlight::simulation::{Stimuli, layer_activations};
use ventral_store::{Failure, LayerGramRecord, Store, SynthesisRecord};
use ventral_synthesis::StepRecord;

use crate::maps::{machine, store, text};

pub const LAYERS: [&str; 5] = ["conv1/7x7", "conv2", "mixed3a", "mixed4e", "mixed5b"];
pub const IMAGES: usize = 8;
pub const SIDE: usize = 24;
pub const POOL: usize = 40;
pub const STEPS: u64 = 60;
pub const MODEL: &str = "SomeNet";
pub const FOLDER: &str = "somenet";

pub fn model(identifier: &str) -> ModelFacts {
    let layer =
        |(index, name): (usize, &&str)| LayerFacts { name: (*name).into(), features: 1000 + index as u64 };
    ModelFacts {
        identifier: identifier.into(),
        digest: Digest::of_bytes(identifier.as_bytes()),
        layers: LAYERS.iter().enumerate().map(layer).collect(),
        commitments: BTreeMap::new(),
        degrees: None,
        seconds_per_stimulus: 0.01,
        weight_bytes: 1 << 20,
        imagenet_top1: None,
        time_bins: Vec::new(),
        readout: None,
        committed: Vec::new(),
        gradient: Some(GradientFacts {
            engine: "made-1".into(),
            size: [SIDE, SIDE],
            trace_bytes: 1 << 20,
            working_bytes: 0,
            seconds_per_image: 0.01,
        }),
    }
}

pub fn planned(more: &str, refused: Vec<Refused>) -> Plan {
    let text = format!(
        "name='images'\ntitle='Made & up'\nmodels=['m']\n[synthesis]\nimages={IMAGES}\nrestarts=3\nseed=7\ndraws=200\n{more}"
    );
    let spec = JobSpec::from_toml(&text, "spec.toml").expect("a spec");
    let pools = more.contains("natural").then(|| PoolFacts {
        identifier: "Pictures".into(),
        version: "2".into(),
        stimuli: Digest::of_bytes(b"pictures"),
        count: POOL,
        citation: Some("Nobody (2026)".into()),
    });
    let facts =
        Facts { models: vec![model(MODEL)], pools: pools.into_iter().collect(), refused, ..Facts::default() };
    plan_without(facts, spec, machine()).expect("a plan")
}

pub fn natural() -> Plan {
    planned("natural='b'\n", Vec::new())
}

/// Numbers between 0 and 1 that follow from a seed.
pub fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Similarities whose layers are orthogonal but for a share that all have.
pub fn rsms(seed: u64, shared: f64) -> Array2<f64> {
    let pairs = IMAGES * (IMAGES - 1) / 2;
    let mut random = uniform(seed + 1);
    let common: Vec<f64> = (0..pairs).map(|_| random() - 0.5).collect();
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for _ in LAYERS {
        let mut row: Vec<f64> = (0..pairs).map(|_| random() - 0.5).collect();
        let mean = row.iter().sum::<f64>() / pairs as f64;
        row.iter_mut().for_each(|v| *v -= mean);
        for other in &rows {
            let dot: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
            row.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
        }
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter_mut().for_each(|v| *v /= norm);
        rows.push(row);
    }
    Array2::from_shape_fn((LAYERS.len(), pairs), |(layer, pair)| {
        0.3 + 0.6 * rows[layer][pair] + shared * common[pair]
    })
}

pub fn images(seed: u64) -> Array4<u8> {
    let mut random = uniform(seed + 99);
    let waves: Vec<[f64; 4]> =
        (0..IMAGES * 3).map(|_| [random() * 0.9, random() * 0.9, random() * 6.0, random()]).collect();
    Array4::from_shape_fn((IMAGES, SIDE, SIDE, 3), |(image, row, column, channel)| {
        let [a, b, phase, level] = waves[image * 3 + channel];
        (255.0 * (0.5 + 0.3 * (a * row as f64 + b * column as f64 + phase).sin() + 0.2 * (level - 0.5))) as u8
    })
}

pub fn record(plan: &Plan, restart: usize, shared: f64) -> SynthesisRecord {
    let unit = &plan.syntheses[restart];
    let mut random = uniform(unit.seed);
    let step = |step: u64| {
        let level = 0.02 + 0.5 * (-(step as f64) / (8.0 + restart as f64)).exp();
        let mean = level * (0.8 + 0.4 * random());
        StepRecord {
            step,
            j: mean * mean,
            mean_abs_r: mean,
            max_abs_r: 2.5 * mean,
            worst: [1, 2],
            sd: vec![0.1; LAYERS.len()],
            gradient_norm: 0.5,
            clipped: 0.01,
            learning_rate: 0.05,
            untransformed: step.is_multiple_of(25).then_some(0.9 * level),
        }
    };
    SynthesisRecord {
        layers: LAYERS.map(str::to_owned).to_vec(),
        images: images(unit.seed),
        seed: unit.seed,
        steps: STEPS,
        stop: "step limit".into(),
        before: rsms(unit.seed + 50, 0.9),
        rsms: rsms(unit.seed, shared),
        transforms: 0.05,
        jpeg: 0.03,
        noise: 0.02,
        convergence: (0..STEPS).map(step).collect(),
        irreducible: Vec::new(),
    }
}

/// Restart 1 is the best one.
pub const SHARED: [f64; 3] = [0.3, 0.05, 0.2];

pub fn put(store: &Store, plan: &Plan, restart: usize, record: &SynthesisRecord) {
    store.put(&plan.syntheses[restart].digest, &record.encode()).expect("stored");
}

pub fn compute(store: &Store, plan: &Plan) {
    for (restart, shared) in SHARED.into_iter().enumerate() {
        put(store, plan, restart, &record(plan, restart, shared));
    }
    read_pool(store, plan);
}

/// The Grams of natural images, whose layers are alike.
pub fn read_pool(store: &Store, plan: &Plan) {
    read_pool_with(store, plan, |_, _| ());
}

/// The same of other activations, in place of those that are there.
pub fn read_pool_with(store: &Store, plan: &Plan, change: impl Fn(usize, &mut Array2<f64>)) {
    let Some(grams) = plan.natural_grams(&plan.syntheses[0]) else { return };
    for ((layer, gram), mut activations) in grams.into_iter().enumerate().zip(natural_layers()) {
        change(layer, &mut activations);
        let mut builder = GramBuilder::new(POOL, Precision::F64).expect("a builder");
        builder.push(0, activations.mapv(|value| value as f32).view()).expect("pushed");
        let record = LayerGramRecord(builder.finish().expect("a Gram"));
        store.discard(gram).expect("discarded");
        store.put(gram, &record.encode()).expect("stored");
    }
}

/// What the layers make of the natural images.
pub fn natural_layers() -> Vec<Array2<f64>> {
    layer_activations(Stimuli::Natural { alpha: 0.9 }, POOL, LAYERS.len(), 300, 3).expect("layers")
}

pub fn found(plan: &Plan, store: &Store, failures: &[Failure]) -> (Syntheses, BTreeMap<String, JobFile>) {
    let (syntheses, files) =
        synthesis_files(plan, store, failures).expect("files").expect("a job with synthesis");
    let count = files.len();
    let files: BTreeMap<String, JobFile> = files.into_iter().map(|file| (file.name.clone(), file)).collect();
    assert_eq!(files.len(), count, "names are unique");
    (syntheses, files)
}

pub fn of(plan: &Plan) -> (Syntheses, BTreeMap<String, JobFile>) {
    let (_directory, store) = store();
    compute(&store, plan);
    found(plan, &store, &[])
}

pub fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

pub fn json(files: &BTreeMap<String, JobFile>) -> serde_json::Value {
    serde_json::from_str(&text(files, &file("summary.json"))).expect("JSON")
}

pub fn page(files: &BTreeMap<String, JobFile>) -> String {
    text(files, &file("report.html"))
}

pub fn write_out(folder: &std::path::Path, files: &BTreeMap<String, JobFile>) {
    for file in files.values() {
        let path = folder.join(&file.name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, &file.bytes).expect("written");
    }
}
