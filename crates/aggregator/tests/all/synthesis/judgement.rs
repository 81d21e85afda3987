//! Which restart counts, what is doubtful, what is not there.

use ventral_aggregator::{Error, SYNTHESIS_DOCUMENT, Syntheses, save_synthesis, synthesis_files};
use ventral_plan::{CardKind, Facts, JobSpec, Refused, plan_without};
use ventral_store::{Failure, SynthesisRecord};

use super::made::*;
use crate::maps::{machine, store};

#[test]
fn of_equal_sets_the_one_with_the_least_seed_counts() {
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
fn a_page_names_the_gaps_of_its_model_alone() {
    let of = |kind| {
        let refused = Refused { kind, card: "other.toml".into(), reason: "no such file".into() };
        let plan = planned("", vec![refused]);
        let (_directory, store) = store();
        compute(&store, &plan);
        let (syntheses, files) = found(&plan, &store, &[]);
        assert!(
            syntheses.gaps.len() == 1 && syntheses.gaps[0].contains("other.toml"),
            "{:?}",
            syntheses.gaps
        );
        let missing = json(&files)["missing"].as_array().expect("a list").len();
        (page(&files).contains("This job is partial"), missing)
    };
    assert_eq!(of(CardKind::Model), (false, 0));
    assert_eq!(of(CardKind::Benchmark), (false, 0));
    assert_eq!(of(CardKind::Pool), (true, 1));
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
    // A plain image correlates with none, but may be the same as another.
    let found = warned(&|record| record.images.index_axis_mut(ndarray::Axis(0), 3).fill(7));
    assert!(found.is_empty(), "{found:?}");
    let found = warned(&|record| {
        record.images.index_axis_mut(ndarray::Axis(0), 3).fill(7);
        record.images.index_axis_mut(ndarray::Axis(0), 5).fill(7);
    });
    assert!(found.len() == 1 && found[0].contains("04 and 06 (r = 1.00)"), "{found:?}");
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
    let document = store.document("job", SYNTHESIS_DOCUMENT).expect("readable").expect("images");
    assert_eq!(serde_json::from_slice::<Syntheses>(&document).expect("JSON"), syntheses);
    assert_eq!(syntheses.files.len(), files.len());
    for (entry, file) in syntheses.files.iter().zip(&files) {
        let blob = store.blob(&entry.digest).expect("readable").expect("a blob");
        assert!(entry.name == file.name && blob == file.bytes, "{}", entry.name);
    }
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
