//! Where scores are computed.

use ventral_plan::{BenchmarkFacts, Consumes, Plan, SCORING_SECONDS, Scoring, plan};

use super::{benchmark, machine, model, small_spec};

/// A benchmark whose scores on one layer are predicted to take `seconds` more or less.
fn costly(identifier: &str, splits: usize) -> BenchmarkFacts {
    BenchmarkFacts { splits, ..benchmark(identifier, "s") }
}

fn placed(scoring: Scoring, keep_grams: bool, benchmarks: Vec<BenchmarkFacts>) -> Plan {
    let mut spec = small_spec();
    (spec.features.scoring, spec.features.keep_grams) = (scoring, keep_grams);
    let models = vec![model("a", &[("x", 10_000), ("y", 20_000)])];
    plan(spec, models, benchmarks, machine(8 << 30)).expect("a plan")
}

fn apart(plan: &Plan) -> Vec<usize> {
    (0..plan.scores.len()).filter(|&score| plan.scores[score].apart).collect()
}

#[test]
fn cheap_scores_are_computed_where_the_layer_is_read_and_no_gram_is_stored() {
    let plan = placed(Scoring::Auto, false, vec![costly("p", 1), costly("q", 1)]);
    assert!(apart(&plan).is_empty());
    assert_eq!(plan.features[0].scores, [0, 1, 2, 3]);
    assert_eq!(plan.features[0].kept().count(), 0);
    assert_eq!(plan.unit_count(), 4);
    let scoring: f64 = plan.scores.iter().map(|unit| unit.estimate.seconds).sum();
    let (whole, reading) = (plan.features[0].estimate.seconds, plan.reading_seconds(0));
    assert!((whole - reading - scoring).abs() < 1e-9 && reading > 0.0, "{whole} {reading} {scoring}");
}

#[test]
fn benchmarks_that_cost_more_than_the_bound_are_units_of_their_own() {
    let seconds = |plan: &Plan| plan.scores[..2].iter().map(|unit| unit.estimate.seconds).sum::<f64>();
    let of_one = seconds(&placed(Scoring::Apart, false, vec![costly("p", 1)]));
    let of_two = seconds(&placed(Scoring::Apart, false, vec![costly("p", 2)]));
    let bound = SCORING_SECONDS.max(placed(Scoring::Apart, false, vec![costly("p", 1)]).reading_seconds(0));
    let splits = 1 + ((bound - of_one) / (of_two - of_one)).floor() as usize;
    let at_the_bound = placed(Scoring::Auto, false, vec![costly("p", splits)]);
    assert!(apart(&at_the_bound).is_empty());
    let beyond = placed(Scoring::Auto, false, vec![costly("p", splits + 1)]);
    assert_eq!(apart(&beyond), [0, 1]);
    assert!(beyond.features[0].scores.is_empty());
    assert_eq!(beyond.features[0].kept().count(), 2, "they read the stored Gram");
    // The cheap one is taken on, whatever comes first.
    let both = placed(Scoring::Auto, false, vec![costly("p", splits + 1), costly("q", 1)]);
    assert_eq!(apart(&both), [0, 1]);
    assert_eq!(both.features[0].scores, [2, 3]);
}

#[test]
fn a_score_that_does_not_fit_beside_the_reading_is_a_unit_of_its_own() {
    let roomy = placed(Scoring::Auto, false, vec![costly("p", 1)]);
    let needed = roomy.features[0].estimate.least_bytes;
    let with = |memory: u64| {
        plan(small_spec(), roomy.models.clone(), roomy.benchmarks.clone(), machine(memory)).expect("a plan")
    };
    assert!(apart(&with(needed)).is_empty(), "at the bound");
    let beyond = with(needed - 1);
    assert_eq!(apart(&beyond), [0, 1], "beyond it");
    assert!(beyond.unfit(needed - 1).is_empty(), "each of them fits by itself");
}

#[test]
fn a_spec_can_say_where() {
    let mut tiles = costly("n2n", 1);
    tiles.consumes = Consumes::Tiles;
    let dear = costly("p", 10_000);
    let together = placed(Scoring::Together, false, vec![dear.clone(), tiles.clone()]);
    assert_eq!((apart(&together).len(), together.features[0].kept().count()), (0, 0));
    let own = placed(Scoring::Apart, false, vec![costly("p", 1), tiles.clone()]);
    assert_eq!((apart(&own), own.features[0].kept().count()), (vec![0, 1], 2));
    let kept = placed(Scoring::Auto, true, vec![costly("p", 1), tiles.clone()]);
    assert_eq!((apart(&kept).len(), kept.features[0].kept().count()), (0, 2));
    tiles.variant.needs_gram = true;
    let read_twice = placed(Scoring::Auto, false, vec![tiles]);
    assert_eq!((apart(&read_twice).len(), read_twice.features[0].kept().count()), (0, 2));
    let digests = |plan: &Plan| plan.scores.iter().map(|unit| unit.digest.clone()).collect::<Vec<_>>();
    let same = [Scoring::Auto, Scoring::Together, Scoring::Apart]
        .map(|scoring| digests(&placed(scoring, false, vec![dear.clone()])));
    assert!(same.iter().all(|other| *other == same[0]), "no name depends on the place");
}
