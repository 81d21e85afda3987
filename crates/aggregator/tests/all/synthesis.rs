//! Synthesised images: from records of restarts to files and the page.

use std::collections::BTreeMap;

use ndarray::{Array2, Array4};
use ventral_aggregator::{
    Error, JobFile, SYNTHESIS_DOCUMENT, Syntheses, load_synthesis, save_synthesis, synthesis_files,
};
use ventral_data::{ScanCard, StimulusSet};
use ventral_metrics::{GramBuilder, Precision, TileConsumer};
use ventral_plan::{
    CardKind, Digest, Facts, GradientFacts, JobSpec, LayerFacts, ModelFacts, Plan, PoolFacts, Refused,
    plan_without,
};
use ventral_searchlight::simulation::{Stimuli, activation_rsms, layer_activations};
use ventral_store::{Failure, LayerGramRecord, Store, SynthesisRecord};
use ventral_synthesis::StepRecord;
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation};

use crate::maps::{machine, store, text};

const LAYERS: [&str; 5] = ["conv1/7x7", "conv2", "mixed3a", "mixed4e", "mixed5b"];
const IMAGES: usize = 8;
const SIDE: usize = 24;
const POOL: usize = 40;
const STEPS: u64 = 60;
const MODEL: &str = "SomeNet";
const FOLDER: &str = "somenet";

fn model(identifier: &str) -> ModelFacts {
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

fn planned(more: &str, refused: Vec<Refused>) -> Plan {
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

fn natural() -> Plan {
    planned("natural='b'\n", Vec::new())
}

/// Numbers between 0 and 1 that follow from a seed.
fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Similarities whose layers are orthogonal but for a share that all have.
fn rsms(seed: u64, shared: f64) -> Array2<f64> {
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

fn images(seed: u64) -> Array4<u8> {
    let mut random = uniform(seed + 99);
    let waves: Vec<[f64; 4]> =
        (0..IMAGES * 3).map(|_| [random() * 0.9, random() * 0.9, random() * 6.0, random()]).collect();
    Array4::from_shape_fn((IMAGES, SIDE, SIDE, 3), |(image, row, column, channel)| {
        let [a, b, phase, level] = waves[image * 3 + channel];
        (255.0 * (0.5 + 0.3 * (a * row as f64 + b * column as f64 + phase).sin() + 0.2 * (level - 0.5))) as u8
    })
}

fn record(plan: &Plan, restart: usize, shared: f64) -> SynthesisRecord {
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
const SHARED: [f64; 3] = [0.3, 0.05, 0.2];

fn put(store: &Store, plan: &Plan, restart: usize, record: &SynthesisRecord) {
    store.put(&plan.syntheses[restart].digest, &record.encode()).expect("stored");
}

fn compute(store: &Store, plan: &Plan) {
    for (restart, shared) in SHARED.into_iter().enumerate() {
        put(store, plan, restart, &record(plan, restart, shared));
    }
    read_pool(store, plan);
}

/// The Grams of natural images, whose layers are alike.
fn read_pool(store: &Store, plan: &Plan) {
    let Some(grams) = plan.natural_grams(&plan.syntheses[0]) else { return };
    let layers =
        layer_activations(Stimuli::Natural { alpha: 0.9 }, POOL, LAYERS.len(), 300, 3).expect("layers");
    for (gram, activations) in grams.into_iter().zip(&layers) {
        let mut builder = GramBuilder::new(POOL, Precision::F64).expect("a builder");
        builder.push(0, activations.mapv(|value| value as f32).view()).expect("pushed");
        let record = LayerGramRecord(builder.finish().expect("a Gram"));
        store.put(gram, &record.encode()).expect("stored");
    }
}

fn found(plan: &Plan, store: &Store, failures: &[Failure]) -> (Syntheses, BTreeMap<String, JobFile>) {
    let (syntheses, files) =
        synthesis_files(plan, store, failures).expect("files").expect("a job with synthesis");
    let count = files.len();
    let files: BTreeMap<String, JobFile> = files.into_iter().map(|file| (file.name.clone(), file)).collect();
    assert_eq!(files.len(), count, "names are unique");
    (syntheses, files)
}

fn of(plan: &Plan) -> (Syntheses, BTreeMap<String, JobFile>) {
    let (_directory, store) = store();
    compute(&store, plan);
    found(plan, &store, &[])
}

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

fn json(files: &BTreeMap<String, JobFile>) -> serde_json::Value {
    serde_json::from_str(&text(files, &file("summary.json"))).expect("JSON")
}

fn page(files: &BTreeMap<String, JobFile>) -> String {
    text(files, &file("report.html"))
}

fn write_out(folder: &std::path::Path, files: &BTreeMap<String, JobFile>) {
    for file in files.values() {
        let path = folder.join(&file.name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, &file.bytes).expect("written");
    }
}

#[test]
fn the_best_restart_is_the_set_and_its_values_are_those_of_the_formulas() {
    let plan = natural();
    let (syntheses, files) = of(&plan);
    assert!(!syntheses.is_partial(), "{:?}", syntheses.gaps);
    let [set] = &syntheses.sets[..] else { panic!("{:?}", syntheses.sets) };
    assert_eq!((set.model.as_str(), set.folder.as_str(), set.seed), (MODEL, FOLDER, 8));
    assert_eq!((set.restarts, set.restarts_planned, set.images), (3, 3, IMAGES));
    let expected = LayerCorrelation::new(record(&plan, 1, SHARED[1]).rsms.view(), Coefficient::Pearson)
        .and_then(|correlation| correlation.statistics())
        .expect("values");
    assert_eq!((set.mean_abs_r, set.max_abs_r), (expected.mean_abs_r, expected.max_abs_r));
    assert_eq!(set.worst, expected.worst.map(|layer| LAYERS[layer].to_owned()));
    let natural = set.natural.as_ref().expect("natural images");
    assert_eq!((natural.pool.as_str(), natural.draws, natural.quantile), ("Pictures", 200, 0.0));
    assert!(natural.mean > 0.3 && natural.sd > 0.0 && set.mean_abs_r < 0.1, "{set:?}");
    assert!(set.initial_mean_abs_r.expect("a value") > set.mean_abs_r);
    let summary = json(&files);
    assert_eq!(summary["synthesised"]["E4_effective_rank"], expected.effective_rank);
    assert_eq!(summary["synthesised"]["E8_sd"].as_array().expect("a list").len(), LAYERS.len());
    assert_eq!(summary["natural"]["E1_mean_abs_r"]["mean"], natural.mean);
    assert!(summary["natural"]["spearman"]["E3_mean_adjacent_r"]["sd"].is_number());
    assert_eq!(summary["restarts"].as_array().expect("a list").len(), 3);
    assert_eq!((&summary["restart"]["seed"], &summary["settings"]["seed"]), (&8.into(), &8.into()));
    assert_eq!(summary["E6_mean_abs_r_under_transforms"], 0.05);
}

#[test]
fn natural_images_are_those_of_the_pools_grams() {
    let plan = natural();
    let (_, files) = of(&plan);
    // All images of the pool, from the features themselves.
    let layers =
        layer_activations(Stimuli::Natural { alpha: 0.9 }, POOL, LAYERS.len(), 300, 3).expect("layers");
    let layers: Vec<_> = layers.iter().map(|layer| layer.mapv(|value| f64::from(value as f32))).collect();
    let all =
        LayerCorrelation::new(activation_rsms(&layers).view(), Coefficient::Pearson).expect("correlations");
    let table = text(&files, &file("correlation.csv"));
    let row = format!("natural,{},{},", LAYERS[1], LAYERS[3]);
    let line = table.lines().find(|line| line.starts_with(&row)).expect("a row");
    let value: f64 = line.split(',').nth(3).expect("a value").parse().expect("a number");
    assert!((value - all.matrix()[[1, 3]]).abs() < 1e-6, "{value}");
    assert_eq!(table.lines().count(), 1 + 3 * 10);
}

#[test]
fn the_folder_is_a_stimulus_set_of_the_same_pixels() {
    let plan = natural();
    let (_, files) = of(&plan);
    let directory = tempfile::tempdir().expect("a directory");
    write_out(directory.path(), &files);
    let folder = directory.path().join(FOLDER);
    let set =
        StimulusSet::from_table("made", &folder.join("stimuli.csv"), &folder.join("images")).expect("a set");
    assert_eq!((set.len(), set.ids[0].as_str()), (IMAGES, "synth01"));
    let expected = images(8);
    for index in 0..IMAGES {
        let image = set.image(index).expect("an image");
        assert_eq!(image.pixels, expected.index_axis(ndarray::Axis(0), index), "{index}");
    }
    let readme = text(&files, &file("README.txt"));
    // The lines of the text make a whole card together with somebody's volumes.
    let lines = readme.lines().skip_while(|line| *line != "[stimuli]");
    let lines = lines.filter(|line| !line.starts_with("In a scan card")).collect::<Vec<_>>().join("\n");
    let card = format!(
        "identifier = \"made\"\nversion = \"1\"\n{lines}\n[[subject]]\nid = \"01\"\n[[subject.run]]\nvolumes = [{{ file = \"x.nii\" }}]\n"
    );
    let card = ScanCard::parse(&card, std::path::Path::new("scan.toml")).expect("a card");
    assert_eq!(card.conditions.names.expect("names"), set.ids);
    assert!(card.stimuli.is_some() && card.labels.is_some());
}

#[test]
fn tables_and_steps_are_complete() {
    let plan = natural();
    let (_, files) = of(&plan);
    let pairs = IMAGES * (IMAGES - 1) / 2;
    assert_eq!(text(&files, &file("rsms.csv")).lines().count(), 1 + 2 * LAYERS.len() * pairs);
    let steps = text(&files, &file("convergence.jsonl"));
    assert_eq!(steps.lines().count(), 3 * STEPS as usize);
    let last: serde_json::Value = serde_json::from_str(steps.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["seed"], &last["step"]), (&9.into(), &(STEPS - 1).into()));
    assert!(last["mean_abs_r"].is_number() && last["untransformed"].is_null());
    for figure in
        ["convergence", "natural", "correlation-synthesised", "correlation-natural", "correlation-initial"]
    {
        let svg = text(&files, &file(&format!("figures/{figure}.svg")));
        assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"), "{figure}");
    }
    let (_directory, store) = store();
    compute(&store, &plan);
    assert!(found(&plan, &store, &[]).1 == files, "the same bytes twice");
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let plan = natural();
    let (_, files) = of(&plan);
    let page = page(&files);
    for outside in ["src=\"http", "href=\"http", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for inside in [
        "data:image/png;base64,",
        "Made &#38; up",
        "Among natural images",
        "8 (these images)",
        "conv1/7x7",
        "best of 3 of 3 restarts",
    ] {
        assert!(page.contains(inside), "{inside}");
    }
    assert_eq!(page.matches("alt=\"synthesised image").count(), IMAGES);
    for bad in ["This job is partial", "Warning.", ">NaN", ">inf"] {
        assert!(!page.contains(bad), "{bad}");
    }
    if let Some(folder) = std::env::var_os("VENTRAL_TEST_PAGES") {
        std::fs::write(std::path::Path::new(&folder).join("small.html"), page).expect("written");
    }
}

#[test]
fn ties_go_to_the_least_worst_pair_and_then_to_the_least_seed() {
    let plan = planned("", Vec::new());
    let (_directory, store) = store();
    for restart in 0..3 {
        let mut record = record(&plan, restart, 0.1);
        record.rsms = rsms(1, 0.1);
        put(&store, &plan, restart, &record);
    }
    let (syntheses, _) = found(&plan, &store, &[]);
    assert_eq!((syntheses.sets[0].seed, &syntheses.sets[0].natural), (7, &None));
}

#[test]
fn without_natural_images_the_page_says_how_to_name_them() {
    let plan = planned("", Vec::new());
    let (syntheses, files) = of(&plan);
    assert!(!syntheses.is_partial());
    let page = page(&files);
    assert!(page.contains("No natural images to compare with") && !page.contains("Among natural images"));
    assert!(json(&files)["natural"].is_null());
    assert!(!files.contains_key(&file("figures/natural.svg")));
}

#[test]
fn what_is_missing_or_failed_is_named_and_the_rest_is_there() {
    let refused = Refused { kind: CardKind::Model, card: "other.toml".into(), reason: "no such file".into() };
    let plan = planned("natural='b'\n", vec![refused]);
    let (_directory, store) = store();
    put(&store, &plan, 2, &record(&plan, 2, 0.1));
    let failure = Failure {
        digest: plan.syntheses[1].digest.clone(),
        unit: plan.synthesis_title(&plan.syntheses[1]),
        reason: "out of memory".into(),
    };
    let (syntheses, files) = found(&plan, &store, &[failure]);
    assert!(syntheses.is_partial());
    let gaps = syntheses.gaps.join("\n");
    for gap in [
        "seed 7: not computed",
        "seed 8: out of memory",
        "other.toml: no such file",
        "layer conv2, on the natural images of Pictures: not computed",
    ] {
        assert!(gaps.contains(gap), "{gap}: {gaps}");
    }
    assert_eq!((syntheses.sets[0].seed, syntheses.sets[0].restarts), (9, 1));
    let page = page(&files);
    assert!(page.contains("This job is partial") && page.contains("out of memory"));
    assert!(page.contains("best of 1 of 3 restarts"));
}

#[test]
fn a_model_without_a_complete_restart_is_a_gap() {
    let plan = planned("", Vec::new());
    let (_directory, store) = store();
    let (syntheses, files) = found(&plan, &store, &[]);
    assert!(syntheses.sets.is_empty() && files.is_empty());
    assert_eq!(syntheses.gaps.len(), 3);
}

#[test]
fn restarts_without_a_value_are_never_the_best() {
    let plan = planned("", Vec::new());
    let (_directory, store) = store();
    let mut flat = record(&plan, 0, 0.1);
    flat.rsms.row_mut(2).fill(0.5);
    put(&store, &plan, 0, &flat);
    put(&store, &plan, 1, &record(&plan, 1, 0.5));
    let (syntheses, files) = found(&plan, &store, &[]);
    assert_eq!(syntheses.sets[0].seed, 8);
    assert!(
        syntheses.sets[0].warnings[0].contains("seed 7: layer `mixed3a`"),
        "{:?}",
        syntheses.sets[0].warnings
    );
    assert!(json(&files)["restarts"][0]["problem"].is_string());
    assert!(page(&files).contains("no value: layer `mixed3a`"));
    // And where no other is there, the reason is.
    store.discard(&plan.syntheses[1].digest).expect("discarded");
    let (syntheses, files) = found(&plan, &store, &[]);
    assert!(syntheses.sets.is_empty() && files.is_empty());
    assert!(
        syntheses.gaps.iter().any(|gap| gap.contains(&format!("images for {MODEL}: layer `mixed3a`"))),
        "{:?}",
        syntheses.gaps
    );
}

#[test]
fn what_makes_a_set_doubtful_is_a_warning() {
    let plan = planned("", Vec::new());
    let warned = |change: &dyn Fn(&mut SynthesisRecord)| {
        let (_directory, store) = store();
        let mut record = record(&plan, 0, 0.1);
        change(&mut record);
        put(&store, &plan, 0, &record);
        let (syntheses, files) = found(&plan, &store, &[]);
        let warnings = syntheses.sets[0].warnings.clone();
        assert_eq!(page(&files).matches("<b>Warning.</b>").count(), warnings.len());
        warnings
    };
    assert!(warned(&|_| ()).is_empty());
    let found = warned(&|record| record.irreducible = vec![[1, 2]]);
    assert!(found.len() == 1 && found[0].contains("`conv2` and `mixed3a`"), "{found:?}");
    let found = warned(&|record| record.rsms.row_mut(3).mapv_inplace(|v| 0.3 + 0.1 * (v - 0.3)));
    assert!(found.len() == 1 && found[0].contains("`mixed4e`") && found[0].contains(".025"), "{found:?}");
    let found = warned(&|record| {
        let first = record.images.index_axis(ndarray::Axis(0), 0).mapv(|v| v / 2 + 20);
        record.images.index_axis_mut(ndarray::Axis(0), 3).assign(&first);
    });
    assert!(found.len() == 1 && found[0].contains("01 and 04 (r = 1.00)"), "{found:?}");
    // A plain image correlates with none.
    let found = warned(&|record| record.images.index_axis_mut(ndarray::Axis(0), 3).fill(7));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn few_images_for_the_layers_are_a_warning() {
    let mut plan = planned("", Vec::new());
    let spec = plan.spec.synthesis.as_mut().expect("synthesis");
    spec.images = 6;
    let (_directory, store) = store();
    let mut record = record(&plan, 0, 0.1);
    let kept: Vec<usize> = (0..15).collect();
    record.images = record.images.select(ndarray::Axis(0), &[0, 1, 2, 3, 4, 5]);
    record.rsms = record.rsms.select(ndarray::Axis(1), &kept);
    record.before = record.before.select(ndarray::Axis(1), &kept);
    put(&store, &plan, 0, &record);
    let (syntheses, _) = found(&plan, &store, &[]);
    let warnings = &syntheses.sets[0].warnings;
    assert!(
        warnings.iter().any(|warning| warning.contains("15 pairs") && warning.contains("at least 7")),
        "{warnings:?}"
    );
}

#[test]
fn layers_that_follow_from_each_other_have_no_inflation() {
    let plan = planned("", Vec::new());
    let (_directory, store) = store();
    let mut record = record(&plan, 0, 0.1);
    let first = record.rsms.row(0).to_owned();
    record.rsms.row_mut(1).assign(&first);
    put(&store, &plan, 0, &record);
    let (syntheses, files) = found(&plan, &store, &[]);
    assert!((syntheses.sets[0].max_abs_r - 1.0).abs() < 1e-9);
    assert!(json(&files)["synthesised"]["E5_variance_inflation"].is_null());
    assert!(!page(&files).contains(">NaN"));
}

#[test]
fn a_record_that_is_not_what_was_planned_is_refused() {
    let plan = planned("", Vec::new());
    let (_directory, store) = store();
    let refused = |problem: &str| {
        let error = save_synthesis(&plan, &store, "job", &[]).expect_err(problem);
        assert!(matches!(&error, Error::Record { problem: found, .. } if found.contains(problem)), "{error}");
        assert!(store.document("job", SYNTHESIS_DOCUMENT).expect("readable").is_none());
        store.discard(&plan.syntheses[0].digest).expect("discarded");
    };
    store.put(&plan.syntheses[0].digest, b"no record").expect("stored");
    refused("not a stored synthesis");
    let mut other = record(&plan, 0, 0.1);
    other.seed = 1;
    put(&store, &plan, 0, &other);
    refused("of seed 1");
    let mut other = record(&plan, 0, 0.1);
    other.layers[0] = "another".into();
    put(&store, &plan, 0, &other);
    refused("for 5 layers");
}

#[test]
fn documents_name_all_files() {
    let plan = natural();
    let (_directory, store) = store();
    compute(&store, &plan);
    let (syntheses, files) = save_synthesis(&plan, &store, "job", &[]).expect("saved").expect("images");
    assert_eq!(load_synthesis(&store, "job").expect("readable").expect("images"), (syntheses.clone(), files));
    assert!(load_synthesis(&store, "other").expect("readable").is_none());
    assert!(syntheses.files.iter().any(|entry| entry.name == syntheses.sets[0].page));
    let mut none = plan;
    none.spec.synthesis = None;
    assert!(synthesis_files(&none, &store, &[]).expect("readable").is_none());
}

#[test]
fn models_have_folders_of_their_own() {
    let spec = "name='images'\nmodels=['m']\n[synthesis]\nimages=8\nrestarts=1\nseed=7\n";
    let spec = JobSpec::from_toml(spec, "spec.toml").expect("a spec");
    let facts = Facts { models: vec![model("a/b"), model("a:b")], ..Facts::default() };
    let plan = plan_without(facts, spec, machine()).expect("a plan");
    let (_directory, store) = store();
    for restart in 0..2 {
        put(&store, &plan, restart, &record(&plan, restart, 0.1));
    }
    let (syntheses, _) = found(&plan, &store, &[]);
    let folders: Vec<&str> = syntheses.sets.iter().map(|set| set.folder.as_str()).collect();
    assert!(folders.len() == 2 && folders[0] != folders[1], "{folders:?}");
    assert!(folders.iter().all(|folder| !folder.contains(['/', ':'])));
}
