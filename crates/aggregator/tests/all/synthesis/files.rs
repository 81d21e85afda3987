//! Files and the page of a complete job.

use ventral_data::{ScanCard, StimulusSet};
use ventral_metrics::{GramBuilder, Precision, TileConsumer};
use ventral_searchlight::simulation::activation_rsms;
use ventral_store::LayerGramRecord;
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation};

use super::made::*;
use crate::maps::{store, text};

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
    let layers = natural_layers();
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
fn blank_natural_images_are_left_out_and_named() {
    let plan = natural();
    let (_directory, store) = store();
    compute(&store, &plan);
    read_pool_with(&store, &plan, |layer, activations| {
        if layer == 2 {
            activations.row_mut(7).fill(0.0);
            activations.row_mut(9).fill(0.0);
        }
    });
    let (syntheses, files) = found(&plan, &store, &[]);
    assert!(!syntheses.is_partial(), "{:?}", syntheses.gaps);
    let set = &syntheses.sets[0];
    let natural = set.natural.as_ref().expect("natural images");
    assert!(natural.mean.is_finite() && natural.draws == 200);
    assert!(
        set.warnings.len() == 1 && set.warnings[0].contains("2 in layer `mixed3a`"),
        "{:?}",
        set.warnings
    );
    let summary = json(&files);
    assert_eq!(
        (&summary["natural"]["pool_images"], &summary["natural"]["pool_images_compared"]),
        (&40.into(), &38.into())
    );
    assert!(page(&files).contains("38 of the 40 images of Pictures"));
    // The others are compared as if the blank ones were not there.
    let layers = natural_layers();
    let kept: Vec<usize> = (0..POOL).filter(|image| ![7, 9].contains(image)).collect();
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| layer.select(ndarray::Axis(0), &kept).mapv(|value| f64::from(value as f32)))
        .collect();
    let all =
        LayerCorrelation::new(activation_rsms(&layers).view(), Coefficient::Pearson).expect("correlations");
    let table = text(&files, &file("correlation.csv"));
    let line = table.lines().find(|line| line.starts_with("natural,conv2,mixed3a,")).expect("a row");
    let value: f64 = line.split(',').nth(3).expect("a value").parse().expect("a number");
    assert!((value - all.matrix()[[1, 2]]).abs() < 1e-6, "{value}");
    // Too few that are left are a gap that says why.
    read_pool_with(&store, &plan, |layer, activations| {
        if layer == 4 {
            activations.slice_mut(ndarray::s![7.., ..]).fill(0.0);
        }
    });
    let (syntheses, _) = found(&plan, &store, &[]);
    assert!(
        syntheses.gaps.len() == 1 && syntheses.gaps[0].contains("33 in layer `mixed5b`"),
        "{:?}",
        syntheses.gaps
    );
}

#[test]
fn of_very_many_natural_images_some_are_compared_with() {
    let mut plan = natural();
    let count = 2_001;
    plan.pools[0].count = count;
    let (_directory, store) = store();
    compute(&store, &plan);
    let mut random = uniform(5);
    for gram in plan.natural_grams(&plan.syntheses[0]).expect("Grams") {
        let mut activations = ndarray::Array2::from_shape_fn((count, 12), |_| random() as f32);
        // The only one that is not taken, which would be a warning.
        activations.row_mut(count - 1).fill(1.0);
        let mut builder = GramBuilder::new(count, Precision::F64).expect("a builder");
        builder.push(0, activations.view()).expect("pushed");
        store.discard(gram).expect("discarded");
        let record = LayerGramRecord(builder.finish().expect("a Gram"));
        store.put(gram, &record.encode()).expect("stored");
    }
    let (syntheses, files) = found(&plan, &store, &[]);
    assert!(syntheses.gaps.is_empty() && syntheses.sets[0].warnings.is_empty(), "{syntheses:?}");
    let summary = &json(&files)["natural"];
    assert_eq!((&summary["pool_images"], &summary["pool_images_compared"]), (&2_001.into(), &2_000.into()));
    assert!(page(&files).contains("2,000 of the 2,001 images of Pictures (evenly spaced)"));
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
    for seed in 7..10u64 {
        let steps = text(&files, &file(&format!("convergence/{seed}.jsonl")));
        assert_eq!(steps.lines().count(), STEPS as usize);
        let last = serde_json::from_str(steps.lines().last().expect("a line"));
        let last: serde_json::Value = last.expect("JSON");
        assert_eq!((&last["seed"], &last["step"]), (&seed.into(), &(STEPS - 1).into()));
        assert!(last["mean_abs_r"].is_number() && last["untransformed"].is_null());
    }
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
}
