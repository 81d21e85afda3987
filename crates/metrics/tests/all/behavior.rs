//! Behaviour: spec §4.3, §9.2, scipy and scikit-learn goldens, and what the metrics must not depend on.

use ndarray::{Array1, Array2};
use proptest::prelude::*;
use serde_json::Value;
use ventral_metrics::{
    CategoryMap, CategoryRule, ChoiceTrial, ChoiceTrials, Error, Judgement, LayerGram, Panel, Pattern,
    Precision, Psychometric, Similarity, SplitScores, StandardisedGram, Summary, ThresholdScoring,
    TileConsumer, Triplet, accuracy, cohens_kappa, confusion, confusion_similarity, d_prime_pattern,
    logistic_probabilities, normal_cdf, normal_quantile, odd_one_out, rates_of_probabilities, shape_bias,
    threshold, threshold_ceiling, threshold_nearness, value_delta,
};

use crate::support::{golden, u};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let same = found == expected || found.is_nan() && expected.is_nan();
        assert!(same || (found - expected).abs() <= tolerance, "{found} is not {expected}");
    }
}

/// The trials of spec §9.2 and the model's probabilities.
fn golden_trials() -> (ChoiceTrials, Array2<f64>) {
    let mut trials = Vec::new();
    for image in 0..30 {
        let sample = image % 6;
        for (d, distractor) in (0..6).filter(|&o| o != sample).enumerate() {
            for t in 0..8 {
                let right = u(trials.len(), t, 12) < 0.55 + 0.4 * u(image, d, 11);
                let choice = if right { sample } else { distractor };
                trials.push(ChoiceTrial { image, sample, distractor, choice });
            }
        }
    }
    let own = |k: usize, j: usize| f64::from(u8::from(j == k % 6));
    let mut p = Array2::from_shape_fn((30, 6), |(k, j)| u(k, j, 13) + own(k, j) + 0.8 * u(k, j, 11));
    for mut row in p.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    (ChoiceTrials { truth: (0..30).map(|k| k % 6).collect(), objects: 6, trials }, p)
}

#[test]
fn i2n_is_that_of_the_specification() {
    let (human, p) = golden_trials();
    assert_eq!(human.trials.iter().filter(|t| t.choice == t.sample).count(), 886);
    let halves = human.halves();
    assert_eq!(halves[0][0][..5], [198, 328, 45, 263, 621]);
    let rates = rates_of_probabilities(p.view(), &human.truth).unwrap();
    let first = [f64::NAN, 0.254_698, 0.346_956_34, 0.248_037_69, 0.218_571_39, 0.331_561_02];
    assert_near(&rates.row(0).to_vec(), &first, 5e-9);
    let d = d_prime_pattern(rates.view(), &human.truth, Pattern::I2n).unwrap().to_vec();
    let first = [f64::NAN, 0.235_373_54, -0.173_259_65, 0.288_439_58, 0.240_142_1, -0.065_860_39];
    assert_near(&d[..6], &first, 5e-9);

    let raw = human.score(p.view(), Pattern::I2n).unwrap();
    let values = Array2::from_shape_vec((2, 1), raw).unwrap();
    let score = SplitScores { values, alphas: Vec::new() }.summary(Summary::Mean);
    assert_near(&[score.value, score.error], &[-0.160_631_165_576_644_33, 0.078_518_708_406_130_1], 1e-12);
    let ceilings = human.ceiling(Pattern::I2n).unwrap();
    let values = Array2::from_shape_vec((2, 1), ceilings.clone()).unwrap();
    let ceiling = SplitScores { values, alphas: Vec::new() }.summary(Summary::Mean);
    assert_near(&[ceiling.value, ceiling.error], &[0.229_032_280_062_741_3, 0.038_673_634_803_973_97], 1e-12);
    let rule = ventral_metrics::CeilingRule::PerSplitOverSqrtC;
    let ceiled = rule.apply_per_split(&score, ceiling.value, &ceilings).unwrap();
    assert_near(&[ceiled.value, ceiled.error], &[-0.353_415_750_925_187_57, 0.194_714_604_175_055_14], 1e-12);
}

#[test]
fn every_pattern_is_that_of_its_definition() {
    let (human, p) = golden_trials();
    let goldens = &golden("behavior.json")["discrimination"];
    let patterns = [Pattern::I1, Pattern::I1n, Pattern::I2, Pattern::I2n, Pattern::O1, Pattern::O2];
    for (pattern, name) in patterns.into_iter().zip(["i1", "i1n", "i2", "i2n", "o1", "o2"]) {
        let case = &goldens[name];
        let rates = rates_of_probabilities(p.view(), &human.truth).unwrap();
        let found = d_prime_pattern(rates.view(), &human.truth, pattern).unwrap().to_vec();
        assert_near(&found, &numbers(&case["model"]), 1e-12);
        assert_near(&human.score(p.view(), pattern).unwrap(), &numbers(&case["scores"]), 1e-12);
        assert_near(&human.ceiling(pattern).unwrap(), &numbers(&case["ceilings"]), 1e-12);
    }
}

#[test]
fn d_prime_is_clipped_and_what_nobody_was_asked_is_left_out() {
    let p = ndarray::arr2(&[[1.0, 0.0], [0.0, 1.0]]);
    let rates = rates_of_probabilities(p.view(), &[0, 1]).unwrap();
    let d = d_prime_pattern(rates.view(), &[0, 1], Pattern::I2).unwrap().to_vec();
    assert_near(&d, &[f64::NAN, 5.0, 5.0, f64::NAN], 0.0);
    let (mut human, p) = golden_trials();
    human.trials.retain(|t| t.image != 7 || t.distractor != 4);
    assert!(human.score(p.view(), Pattern::I2n).unwrap().iter().all(|r| r.is_finite()));
    let mut broken = p.clone();
    broken.row_mut(3).fill(0.0);
    assert!(matches!(human.score(broken.view(), Pattern::I2n), Err(Error::NonFiniteTarget { .. })));
    human.trials[0].choice = 6;
    assert!(matches!(human.score(p.view(), Pattern::I2n), Err(Error::OutOfRange { index: 6, .. })));
}

#[test]
fn the_normal_distribution_is_that_of_scipy() {
    let golden = &golden("behavior.json")["normal"];
    for (x, expected) in numbers(&golden["x"]).into_iter().zip(numbers(&golden["cdf"])) {
        assert!((normal_cdf(x) - expected).abs() <= 2e-15 * expected.max(1e-300) + 1e-16, "{x}");
    }
    for (p, expected) in numbers(&golden["p"]).into_iter().zip(numbers(&golden["quantile"])) {
        assert!((normal_quantile(p) - expected).abs() <= 3e-15 * expected.abs(), "{p}");
    }
    assert_eq!([normal_quantile(0.0), normal_quantile(1.0)], [f64::NEG_INFINITY, f64::INFINITY]);
    assert!(
        normal_quantile(-0.1).is_nan() && normal_quantile(f64::NAN).is_nan() && normal_cdf(f64::NAN).is_nan()
    );
}

fn standardised(x: &Array2<f32>, fit: &[usize]) -> LayerGram {
    let mut gram = StandardisedGram::new(x.nrows(), fit, Precision::F64).unwrap();
    gram.push(0, x.view()).unwrap();
    gram.finish().unwrap()
}

#[test]
fn logistic_regression_reaches_the_optimum_of_scikit_learn() {
    for case in golden("behavior.json")["logistic"].as_array().unwrap() {
        let x = matrix(&case["x"]).mapv(|v| (v / 64.0) as f32);
        let labels: Vec<usize> = numbers(&case["labels"]).into_iter().map(|v| v as usize).collect();
        let fit: Vec<usize> = (0..labels.len()).collect();
        let test: Vec<usize> = (labels.len()..x.nrows()).collect();
        let (classes, c) = (case["classes"].as_u64().unwrap() as usize, case["c"].as_f64().unwrap());
        let gram = standardised(&x, &fit);
        let found = logistic_probabilities(&gram, &fit, &labels, &test, classes, c).unwrap();
        let expected = matrix(&case["probabilities"]);
        let gap = (&found.probabilities - &expected).fold(0.0, |a: f64, b| a.max(b.abs()));
        assert!(gap < 1e-9, "{gap:e} after {} steps", found.steps);
        assert!((found.objective - case["objective"].as_f64().unwrap()).abs() < 1e-12);
        assert!(gap < case["early_stop"].as_f64().unwrap() / 100.0, "the reference stops farther from it");
    }
}

#[test]
fn logistic_regression_refuses_what_it_cannot_fit() {
    let gram = standardised(&Array2::from_shape_fn((6, 3), |(i, j)| u(i, j, 1) as f32), &[0, 1, 2, 3]);
    let fit = |fit: &[usize], labels: &[usize], test: &[usize], classes, c| {
        logistic_probabilities(&gram, fit, labels, test, classes, c).unwrap_err()
    };
    assert!(matches!(fit(&[0, 1], &[0, 1], &[6], 2, 1.0), Error::OutOfRange { index: 6, .. }));
    assert!(matches!(fit(&[0, 1], &[0, 2], &[4], 2, 1.0), Error::OutOfRange { index: 2, .. }));
    assert!(matches!(fit(&[0, 1], &[0], &[4], 2, 1.0), Error::Mismatch { .. }));
    assert!(matches!(fit(&[0, 1], &[0, 0], &[4], 1, 1.0), Error::TooFew { .. }));
    assert!(matches!(fit(&[0, 1], &[0, 1], &[4], 2, 0.0), Error::Parameter { .. }));
    assert!(matches!(fit(&[], &[], &[4], 2, 1.0), Error::TooFew { .. }));
    assert!(StandardisedGram::new(3, &[3], Precision::F64).is_err());
    assert!(StandardisedGram::new(3, &[], Precision::F64).is_err());
}

#[test]
fn psychometric_functions_are_as_likely_as_those_of_scipy() {
    for case in golden("behavior.json")["thresholds"]["fits"].as_array().unwrap() {
        let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
        let fit = Psychometric::fit(&x, &y).unwrap();
        let loss: f64 =
            x.iter().zip(&y).map(|(&x, y)| -(y * fit.at(x).ln() + (1.0 - y) * (1.0 - fit.at(x)).ln())).sum();
        assert!(loss <= case["loss"].as_f64().unwrap() + 1e-9, "{fit:?}");
        assert_near(&x.iter().map(|&x| fit.at(x)).collect::<Vec<_>>(), &numbers(&case["at"]), 2e-3);
        assert!((fit.r_squared(&x, &y) - case["r2"].as_f64().unwrap()).abs() < 2e-3);
    }
}

#[test]
fn thresholds_are_where_the_curve_crosses_and_failures_are_none() {
    // 40 answers per value, right as often as the curve says.
    let curve = Psychometric { slope: 0.5, mean: 6.0, lapse: 0.05 };
    let x: Vec<f64> = (0..12).flat_map(|v| [f64::from(v); 40]).collect();
    let right: Vec<bool> = (0..x.len()).map(|i| (i % 40) as f64 + 0.5 < 40.0 * curve.at(x[i])).collect();
    let found = threshold(&x, &right, Some(0.75)).unwrap().unwrap();
    assert!((found.value - curve.inverse(0.75)).abs() < 0.2, "{found:?}");
    let middle = threshold(&x, &right, None).unwrap().unwrap();
    assert!((middle.level - (curve.at(0.0) + curve.at(11.0)) / 2.0).abs() < 0.02);
    assert_eq!(threshold(&x, &vec![false; x.len()], None).unwrap(), None, "always wrong");
    assert_eq!(threshold(&x, &vec![true; x.len()], None).unwrap(), None, "nothing varies");
    assert_eq!(threshold(&x, &right, Some(0.99)).unwrap(), None, "never reached");
    assert!(threshold(&x[1..], &right, None).is_err());
    assert_eq!(threshold_nearness(12.0, &[8.0, 16.0], ThresholdScoring::Pool).unwrap(), [1.0]);
    assert_eq!(threshold_nearness(12.0, &[8.0, 16.0], ThresholdScoring::Individual).unwrap(), [0.5, 0.75]);
    assert_eq!(threshold_nearness(99.0, &[8.0], ThresholdScoring::Pool).unwrap(), [0.0]);
    let golden = &golden("behavior.json")["thresholds"];
    let people = numbers(&golden["people"]);
    let found = threshold_ceiling(&people, ThresholdScoring::Pool).unwrap();
    assert_near(&found, &numbers(&golden["ceiling"]), 1e-15);
}

fn judged(subject: &[(usize, usize, usize, usize)]) -> Vec<Judgement> {
    let one = |&(stimulus, condition, truth, choice)| Judgement {
        stimulus,
        condition,
        truth,
        choice: Some(choice),
    };
    subject.iter().map(one).collect()
}

#[test]
fn kappas_and_accuracy_distances_follow_their_definitions() {
    assert_eq!(cohens_kappa(&[(true, true), (false, false)]), 1.0);
    assert_eq!(cohens_kappa(&[(true, false), (false, true)]), -1.0);
    assert!(cohens_kappa(&[(true, true)]).is_nan());
    // Accuracies 1/2 and 3/4 with 3 of 4 in agreement: (.75 - .5) / .5.
    let pairs = [(true, true), (true, true), (false, true), (false, false)];
    assert!((cohens_kappa(&pairs) - 0.5).abs() < 1e-15);
    let subjects = vec![
        judged(&[(0, 0, 0, 0), (1, 0, 0, 1), (2, 1, 1, 1), (3, 1, 1, 1)]),
        judged(&[(3, 1, 1, 0), (2, 1, 1, 1), (1, 0, 0, 1), (0, 0, 0, 0)]),
    ];
    let panel = Panel { subjects, conditions: 2 };
    let model = [true, false, true, false];
    let kappa = panel.error_consistency(&model).unwrap();
    assert_near(&kappa.iter().copied().collect::<Vec<_>>(), &[1.0, 0.0, 1.0, 1.0], 1e-15);
    assert_near(&panel.error_consistency_ceiling().unwrap().row(0).to_vec(), &[1.0, 0.0], 1e-15);
    // Accuracies: model 1/2, people 3/4 and 1/2.
    let distance = panel.accuracy_distance(&model, false).unwrap();
    assert_near(&distance.column(0).to_vec(), &[2.0 / 3.0, 1.0], 1e-15);
    assert_near(&panel.accuracy_distance(&model, true).unwrap().column(0).to_vec(), &[0.75, 1.0], 1e-15);
    assert_near(&panel.accuracy_distance_ceiling(false).unwrap().column(0).to_vec(), &[0.5], 1e-15);
    assert_eq!(panel.mean_accuracy().unwrap(), 0.625);
    assert!(panel.error_consistency(&model[..3]).is_err(), "a stimulus that does not exist");
    let alone = Panel { subjects: panel.subjects[..1].to_vec(), conditions: 2 };
    assert!(matches!(alone.error_consistency_ceiling(), Err(Error::TooFew { .. })));
}

#[test]
fn decisions_take_the_rule_they_are_given() {
    let readout = ndarray::arr2(&[[3.0f64, 0.0, 2.0, 2.0], [900.0, 0.0, 899.9, 899.9], [1.0, 1.0, 1.0, 1.0]]);
    let map = CategoryMap { classes: 4, categories: vec![vec![0, 1], vec![2, 3]] };
    assert_eq!(map.decide(readout.view(), CategoryRule::Max).unwrap(), [0, 0, 0]);
    assert_eq!(map.decide(readout.view(), CategoryRule::Mean).unwrap(), [0, 1, 0]);
    let narrow = readout.slice(ndarray::s![.., ..3]);
    assert!(matches!(
        map.decide(narrow, CategoryRule::Max),
        Err(Error::Mismatch { expected: 4, found: 3, .. })
    ));
    let empty = CategoryMap { classes: 4, categories: vec![vec![0], vec![]] };
    assert!(empty.decide(readout.view(), CategoryRule::Max).is_err());
    let beyond = CategoryMap { classes: 4, categories: vec![vec![4]] };
    assert!(beyond.decide(readout.view(), CategoryRule::Max).is_err());
}

#[test]
fn the_smaller_metrics_follow_their_definitions() {
    let values = accuracy(&[true, false, true, true]).unwrap();
    let score = SplitScores { values, alphas: Vec::new() }.summary(Summary::Sample);
    assert_eq!(
        (score.value, score.error),
        (0.75, (0.1875f64 / 3.0).sqrt()),
        "the standard error over images"
    );
    assert!(accuracy(&[]).is_err());
    // The third has no conflict, the fourth is neither.
    assert_eq!(shape_bias(&[0, 1, 2, 3, 0], &[0, 0, 2, 0, 0], &[1, 1, 2, 1, 1]).unwrap(), 2.0 / 3.0);
    assert!(shape_bias(&[2], &[0], &[1]).is_err());
    let a = confusion(&[(0, 0), (0, 1), (1, 2), (2, 0), (2, 0)], 3).unwrap();
    assert_eq!(a, ndarray::arr2(&[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [2.0, 0.0, 0.0]]));
    assert!((confusion_similarity(a.view(), (&a * 3.0).view()).unwrap() - 1.0).abs() < 1e-15);
    assert!(confusion(&[(0, 3)], 3).is_err());
    assert!((value_delta(0.5, 1.0, 1.0) - 0.606_530_659_712_633_4).abs() < 1e-15);
    assert!((value_delta(1.0, -1.0, 1.0) - 0.135_335_283_236_612_7).abs() < 1e-15);
}

#[test]
fn the_odd_one_out_is_the_least_similar() {
    let x = ndarray::arr2(&[[1.0, 0.0], [0.9, 0.1], [0.0, 5.0]]);
    let gram = LayerGram::from_features(x.view()).unwrap();
    let triplets = [Triplet { odd: 2, alike: [0, 1] }, Triplet { odd: 0, alike: [1, 2] }];
    let found = |s| odd_one_out(&gram, &triplets, s).unwrap().row(0).to_vec();
    assert_eq!(found(Similarity::Dot), [1.0, 0.0]);
    assert_eq!(found(Similarity::Cosine), [1.0, 0.0]);
    let long = [Triplet { odd: 3, alike: [0, 1] }];
    assert!(
        odd_one_out(&gram, &long, Similarity::Dot).is_err()
            && odd_one_out(&gram, &[], Similarity::Dot).is_err()
    );
    let zero = LayerGram::from_features(ndarray::arr2(&[[1.0], [2.0], [0.0]]).view()).unwrap();
    assert!(odd_one_out(&zero, &triplets, Similarity::Cosine).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn standardised_fits_ignore_scale_shift_and_order_of_features(
        seed in 0usize..1000, scale in 0.01f32..100.0, shift in -5f32..5.0,
    ) {
        let fit: Vec<usize> = (0..24).collect();
        let labels: Vec<usize> = fit.iter().map(|i| i % 3).collect();
        let x = Array2::from_shape_fn((30, 10), |(i, j)| u(i, j, seed) as f32);
        let mut y = Array2::from_shape_fn((30, 10), |(i, j)| x[(i, 9 - j)]);
        y.column_mut(4).mapv_inplace(|v| v * scale + shift);
        let predict = |x: &Array2<f32>| {
            let gram = standardised(x, &fit);
            logistic_probabilities(&gram, &fit, &labels, &[24, 25, 29], 3, 0.1).unwrap().probabilities
        };
        let gap = (predict(&x) - predict(&y)).fold(0.0f64, |a, b| a.max(b.abs()));
        // The scaled feature is rounded to 32 bit again.
        prop_assert!(gap < 2e-4, "{gap}");
    }

    #[test]
    fn probabilities_sum_to_one_and_patterns_ignore_their_scale(seed in 0usize..1000, factor in 0.1f64..10.0) {
        let truth: Vec<usize> = (0..12).map(|i| i % 4).collect();
        let p = Array2::from_shape_fn((12, 4), |(i, j)| 0.05 + u(i, j, seed));
        let mut scaled = p.clone();
        scaled.row_mut(5).mapv_inplace(|v| v * factor);
        let pattern = |p: &Array2<f64>| -> Array1<f64> {
            d_prime_pattern(rates_of_probabilities(p.view(), &truth).unwrap().view(), &truth, Pattern::I2n).unwrap()
        };
        assert_near(&pattern(&p).to_vec(), &pattern(&scaled).to_vec(), 1e-9);
        let gram = LayerGram::from_features(p.view()).unwrap();
        let fit: Vec<usize> = (0..8).collect();
        let found = logistic_probabilities(&gram, &fit, &truth[..8], &[8, 9, 10, 11], 4, 1.0).unwrap();
        assert_near(&found.probabilities.sum_axis(ndarray::Axis(1)).to_vec(), &[1.0; 4], 1e-12);
    }
}
