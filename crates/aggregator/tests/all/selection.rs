//! Which layer stands for a region, and where its score is reported (spec §2.3).

use ventral_aggregator::{
    BenchmarkRef, Ceiled, ChosenBy, Commitment, LayerScore, LeafScore, RegionRule, Reported, Selection,
    SkippedLayer, Value, select,
};

use crate::support::{benchmark, failed_layer, scored_layer};

fn rule(select_on: &str, report_on: &[&str]) -> RegionRule {
    RegionRule {
        region: "V4".into(),
        select_on: benchmark(select_on),
        report_on: report_on.iter().map(|name| benchmark(name)).collect(),
    }
}

fn one(scores: &[LayerScore], rule: RegionRule, commitments: &[Commitment]) -> Selection {
    let mut found = select(&["net".into()], scores, &[rule], commitments);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// Layer b is best on the public benchmark, layer c on the private one.
fn scores() -> Vec<LayerScore> {
    vec![
        scored_layer("net", "c", 2, "public", 0.3),
        scored_layer("net", "a", 0, "public", 0.2),
        scored_layer("net", "b", 1, "public", 0.4),
        scored_layer("net", "a", 0, "private", 0.1),
        scored_layer("net", "b", 1, "private", 0.5),
        scored_layer("net", "c", 2, "private", 0.6),
        scored_layer("other", "d", 0, "public", 0.9),
    ]
}

#[test]
fn best_layer_on_one_benchmark_is_reported_on_another() {
    let found = one(&scores(), rule("public", &["private"]), &[]);
    assert_eq!(found.layer.as_deref(), Some("b"));
    assert_eq!(found.value(LeafScore::Ceiled), Value::Number(0.5));
    assert_eq!(found.chosen_by, ChosenBy::OtherBenchmark(benchmark("public")));
}

#[test]
fn selecting_on_the_reported_benchmark_says_so() {
    let found = one(&scores(), rule("private", &["private"]), &[]);
    assert_eq!((found.layer.as_deref(), found.chosen_by), (Some("c"), ChosenBy::SameBenchmark));
}

#[test]
fn a_commitment_overrides_the_search() {
    let commitment = |region: &str, layer: &str| Commitment {
        model: "net".into(),
        region: region.into(),
        layer: layer.into(),
    };
    let found = one(&scores(), rule("public", &["private"]), &[commitment("IT", "c"), commitment("V4", "a")]);
    assert_eq!((found.layer.as_deref(), found.value(LeafScore::Ceiled)), (Some("a"), Value::Number(0.1)));
    assert_eq!(found.chosen_by, ChosenBy::Commitment);

    let absent = one(&scores(), rule("public", &["private"]), &[commitment("V4", "z")]);
    assert!(
        matches!(&absent.reported, Reported::Failed { reason } if reason.contains("layer z") && reason.contains("private"))
    );
}

#[test]
fn of_equal_layers_the_first_along_the_depth_wins() {
    let mut scores = scores();
    scores[0] = scored_layer("net", "c", 2, "public", 0.4);
    assert_eq!(one(&scores, rule("public", &["private"]), &[]).layer.as_deref(), Some("b"));
}

#[test]
fn failed_layers_do_not_take_part_and_are_listed() {
    let mut scores = scores();
    scores[2] = failed_layer("net", "b", 1, "public", "not finite");
    let found = one(&scores, rule("public", &["private"]), &[]);
    assert_eq!(found.layer.as_deref(), Some("c"));
    assert_eq!(found.skipped, [SkippedLayer { layer: "b".into(), reason: "not finite".into() }]);

    scores[0] = scored_layer("net", "c", 2, "public", f64::NAN);
    scores[1] = failed_layer("net", "a", 0, "public", "no");
    let found = one(&scores, rule("public", &["private"]), &[]);
    assert_eq!((found.layer.as_deref(), found.skipped.len()), (None, 3));
    assert!(
        matches!(found.value(LeafScore::Ceiled), Value::Failed { reason } if reason.contains("none of 3 layers"))
    );
}

#[test]
fn what_was_not_run_is_missing() {
    assert_eq!(one(&[], rule("public", &["private"]), &[]).reported, Reported::Missing);
    let found = one(&scores()[..3], rule("public", &["private"]), &[]);
    assert_eq!((found.layer.as_deref(), found.reported), (Some("b"), Reported::Missing));
    let wrong_version = RegionRule {
        select_on: BenchmarkRef { version: "2".into(), ..benchmark("public") },
        ..rule("public", &["private"])
    };
    assert_eq!(one(&scores(), wrong_version, &[]).reported, Reported::Missing);
}

#[test]
fn a_failed_report_of_a_chosen_layer_is_a_failure() {
    let mut scores = scores();
    scores[4] = failed_layer("net", "b", 1, "private", "disk full");
    let found = one(&scores, rule("public", &["private"]), &[]);
    assert_eq!(found.value(LeafScore::Ceiled), Value::Failed { reason: "disk full".into() });
}

#[test]
fn a_raw_score_survives_a_failed_ceiling() {
    let mut score = scored_layer("net", "b", 1, "private", 0.5);
    score.ceiled = Ceiled::Failed { reason: "no ceiling".into() };
    let mut scores = scores();
    scores[4] = score;
    let found = one(&scores, rule("public", &["private"]), &[]);
    assert_eq!(found.value(LeafScore::Raw), Value::Number(0.5));
    assert!(matches!(found.value(LeafScore::Ceiled), Value::Failed { .. }));
}

#[test]
fn several_models_and_benchmarks_keep_their_order() {
    let found =
        select(&["other".into(), "net".into()], &scores(), &[rule("public", &["public", "private"])], &[]);
    let names: Vec<(&str, &str)> =
        found.iter().map(|s| (s.model.as_str(), s.benchmark.identifier.as_str())).collect();
    assert_eq!(names, [("other", "public"), ("other", "private"), ("net", "public"), ("net", "private")]);
    assert_eq!(found[1].reported, Reported::Missing);
}
