//! Ceilings from repetitions and subjects, and the rules that apply them (spec §5, §9).

use ndarray::{Array2, Array3, ArrayView2, Axis, array};
use ventral_metrics::statistics::median;
use ventral_metrics::{
    CeilingRule, Error, Repeats, Score, bounded, even_odd_consistency, internal_consistency, rsa_ceiling,
    spearman_brown, split_half_even_odd,
};

use crate::support::{golden, real_data, u};

/// Spec §9.2: 5 repetitions x 20 stimuli x 6 neuroids.
fn golden_repeats() -> Array3<f64> {
    Array3::from_shape_fn((5, 20, 6), |(r, i, k)| u(i, k, 4) + 0.5 * u(1000 * r + i, k, 5))
}

fn repeats(values: &Array3<f64>) -> Repeats<'_> {
    Repeats { values: values.view() }
}

#[test]
fn golden_internal_consistency() {
    let values = golden_repeats();
    let ceiling = internal_consistency(repeats(&values), 10, 1).unwrap();
    assert!((ceiling.value - 0.948_730_420_842_175_4).abs() < 1e-13, "{}", ceiling.value);
    assert!((ceiling.error - 0.001_617_950_076_047_974_7).abs() < 1e-13, "{}", ceiling.error);
    let first = [
        0.942_033_500_993,
        0.935_366_951_734,
        0.954_442_711_146,
        0.982_302_233_305,
        0.952_361_787_419,
        0.969_801_044_177,
    ];
    assert_eq!(ceiling.splits.dim(), (10, 6));
    for (ours, theirs) in ceiling.splits.row(0).iter().zip(first) {
        assert!((ours - theirs).abs() < 1e-12, "{ours} {theirs}");
    }
    assert!((ceiling.per_neuroid[0] - ceiling.splits.column(0).mean().unwrap()).abs() < 1e-15);
}

#[test]
fn a_missing_repetition_is_skipped_and_a_missing_half_is_not() {
    let mut values = golden_repeats();
    values[[0, 3, 2]] = f64::NAN;
    let complete = internal_consistency(repeats(&golden_repeats()), 10, 1).unwrap();
    let ceiling = internal_consistency(repeats(&values), 10, 1).unwrap();
    assert!(ceiling.splits.iter().all(|v| v.is_finite()));
    assert_ne!(ceiling.splits.column(2), complete.splits.column(2));
    assert_eq!(ceiling.splits.column(1), complete.splits.column(1));

    // Neuroid 2 was never recorded in repetitions 0 and 3, the smaller half of split 0.
    values.slice_mut(ndarray::s![0, 3, 2]).fill(f64::NAN);
    values.slice_mut(ndarray::s![3, 3, 2]).fill(f64::NAN);
    let ceiling = internal_consistency(repeats(&values), 10, 1).unwrap();
    assert!(ceiling.splits[[0, 2]].is_nan() && ceiling.splits[[0, 1]].is_finite());
    assert!(ceiling.value.is_finite() && ceiling.per_neuroid[2].is_finite());

    values.slice_mut(ndarray::s![0, 7, ..]).fill(f64::NAN);
    values.slice_mut(ndarray::s![3, 7, ..]).fill(f64::NAN);
    assert_eq!(
        internal_consistency(repeats(&values), 10, 1),
        Err(Error::EmptyHalf { stimulus: 7, split: 0 })
    );
}

#[test]
fn one_repetition_has_no_halves() {
    let values = golden_repeats().slice_move(ndarray::s![..1, .., ..]);
    let expected = Error::TooFew { what: "repetitions for a split-half", needed: 2, found: 1 };
    assert_eq!(internal_consistency(repeats(&values), 10, 1), Err(expected.clone()));
    assert_eq!(split_half_even_odd(repeats(&values)), Err(expected));
}

#[test]
fn even_and_odd_repetitions_use_the_stimuli_that_have_both() {
    let nan = f64::NAN;
    // One neuroid, 4 stimuli, 3 repetitions; the last stimulus has no odd repetition.
    let values =
        Array3::from_shape_vec((3, 4, 1), vec![1.0, 2.0, 3.0, 9.0, 1.0, 3.0, 5.0, nan, 3.0, 2.0, 7.0, nan])
            .unwrap();
    let r = split_half_even_odd(repeats(&values)).unwrap();
    // Means of the even repetitions 2, 2, 5 against 1, 3, 5.
    let expected = 3.0 * 2.0 / (6.0_f64.sqrt() * 8.0_f64.sqrt());
    assert!((r[0] - expected).abs() < 1e-15, "{}", r[0]);
    let ceiling = even_odd_consistency(repeats(&values)).unwrap();
    assert!((ceiling.value - spearman_brown(expected, 2.0)).abs() < 1e-15);
    assert_eq!((ceiling.error, ceiling.splits.dim()), (0.0, (1, 1)));
}

#[test]
fn spearman_brown_is_the_reliability_of_more_data() {
    assert_eq!(spearman_brown(0.5, 2.0), 2.0 / 3.0);
    assert_eq!(spearman_brown(0.5, 1.0), 0.5);
    assert!((spearman_brown(spearman_brown(0.3, 2.0), 3.0) - spearman_brown(0.3, 6.0)).abs() < 1e-15);
    assert_eq!(spearman_brown(-1.0, 2.0), f64::NEG_INFINITY);
}

/// Macaque V4, 50 neurons x 640 images with 6 to 10 repetitions each (Cowley et al. 2023, session 210325).
#[test]
fn v4_session_210325() {
    let Some(directory) = real_data() else { return };
    let file = directory.join("v4-cowley/responses_raw_210325.npy");
    let raw: Array3<f64> = ndarray_npy::read_npy(file).unwrap();
    assert_eq!(raw.dim(), (50, 640, 10));
    let values = raw.permuted_axes([2, 1, 0]);
    let r = split_half_even_odd(repeats(&values)).unwrap();
    assert!((median(&r.to_vec()) - 0.630_163_505_230_573_5).abs() < 1e-12, "{}", median(&r.to_vec()));
    let ceiling = even_odd_consistency(repeats(&values)).unwrap();
    assert!((ceiling.value - 0.773_099_702_032_863_8).abs() < 1e-12, "{}", ceiling.value);
    // Every image has 6 repetitions or more, so a random half of 5 out of 10 always holds one.
    let random_halves = internal_consistency(repeats(&values), 10, 1).unwrap();
    assert!((random_halves.value - ceiling.value).abs() < 0.05, "{}", random_halves.value);
}

#[test]
fn noise_ceiling_of_similarity() {
    let golden = golden("rsa_ceiling.json");
    let rows: Vec<Vec<f64>> = serde_json::from_value(golden["subjects"].clone()).unwrap();
    let subjects = Array2::from_shape_vec((5, 12), rows.concat()).unwrap();
    let ceiling = rsa_ceiling(subjects.view()).unwrap();
    assert!((ceiling.upper - golden["upper"].as_f64().unwrap()).abs() < 1e-14);
    assert!((ceiling.lower - golden["lower"].as_f64().unwrap()).abs() < 1e-14);
    assert!(ceiling.lower < ceiling.upper && ceiling.lower_per_subject.len() == 5);

    let mut poisoned = subjects.clone();
    poisoned[[2, 3]] = f64::NAN;
    let ceiling = rsa_ceiling(poisoned.view()).unwrap();
    assert!(ceiling.upper.is_nan() && ceiling.lower.is_nan(), "plain means, as the reference");
}

#[test]
fn noise_ceiling_of_one_subject_or_none() {
    let one = rsa_ceiling(array![[1.0, 3.0, 2.0]].view()).unwrap();
    assert!((one.upper - 1.0).abs() < 1e-15);
    assert!(one.lower.is_nan() && one.lower_per_subject.is_empty());
    let none = rsa_ceiling(ArrayView2::from_shape((0, 3), &[]).unwrap());
    assert!(matches!(none, Err(Error::TooFew { needed: 1, found: 0, .. })));
    let pair = array![[1.0], [2.0]];
    assert!(matches!(rsa_ceiling(pair.view()), Err(Error::TooFew { needed: 2, found: 1, .. })));
    assert_eq!(pair.len_of(Axis(0)), 2);
}

fn raw(value: f64) -> Score {
    Score { value, error: 0.01, per_split: vec![value - 0.1, value + 0.1] }
}

/// Published scores of the reference's site (spec §9.1).
#[test]
fn rules_reproduce_published_ceiled_scores() {
    let ratio_squared = |r: f64, c: f64| CeilingRule::RatioSquared.apply(&raw(r), Some(c)).unwrap();
    let it = ratio_squared(0.596_068_946_897_665_4, 0.821_840_643_882_751_5);
    let v4 = ratio_squared(0.683_026_115_706_410_4, 0.895_030_021_667_480_5);
    assert!((it.value - 0.526_038_782_187_731_7).abs() < 1e-15, "{}", it.value);
    assert!((v4.value - 0.582_370_560_626_534_9).abs() < 1e-15, "{}", v4.value);
    let i2n =
        CeilingRule::PerSplitOverSqrtC.apply(&raw(0.386_725_586_145_749_76), Some(0.484_839_9)).unwrap();
    assert!((i2n.value - 0.555_412_902_519_105_2).abs() < 6.1e-5, "{}", i2n.value);
    let frankenstein = CeilingRule::Ratio.apply(&raw(0.2847), Some(0.8498)).unwrap();
    assert!((frankenstein.value - 0.3350).abs() < 5e-5);
}

#[test]
fn rules_by_hand() {
    let apply = |rule: CeilingRule, r: f64, c: f64| rule.apply(&raw(r), Some(c)).unwrap().value;
    assert_eq!(apply(CeilingRule::R2OverC, 0.6, 0.9), 0.6_f64.powi(2) / 0.9);
    for rule in [CeilingRule::R2OverC, CeilingRule::RatioSquared] {
        assert_eq!(
            apply(rule, -0.6, 0.9),
            -apply(rule, 0.6, 0.9),
            "the sign is kept, the reference squares it away"
        );
    }
    assert!((apply(CeilingRule::PerSplitOverSqrtC, 0.3, 0.25) - 0.6).abs() < 1e-15);
    assert!(apply(CeilingRule::Ratio, 0.9, 0.6) > 1.0, "not clamped by itself");
    let chance = CeilingRule::ChanceRatio { chance: 1.0 / 3.0 };
    assert!((apply(chance, 0.5, 0.6767) - (0.5 - 1.0 / 3.0) / (0.6767 - 1.0 / 3.0)).abs() < 1e-15);
    assert_eq!((apply(chance, 0.2, 0.6767), apply(chance, 0.9, 0.6767)), (0.0, 1.0));
    assert_eq!(CeilingRule::Raw.apply(&raw(0.3), None), Ok(raw(0.3)));
    assert!(CeilingRule::R2OverC.apply(&raw(f64::NAN), Some(0.9)).unwrap().value.is_nan());
}

#[test]
fn error_bars_are_copied_except_per_split() {
    for rule in [CeilingRule::R2OverC, CeilingRule::RatioSquared, CeilingRule::Ratio] {
        assert_eq!(rule.apply(&raw(0.4), Some(0.5)).unwrap().error, 0.01);
    }
    let i2n = CeilingRule::PerSplitOverSqrtC.apply(&raw(0.4), Some(0.25)).unwrap();
    assert!((i2n.error - 0.2).abs() < 1e-15, "standard deviation of .6 and 1.0");
    assert!(Score::from_splits(vec![0.4]).error.is_nan(), "one split has no spread");
    let without_splits = CeilingRule::PerSplitOverSqrtC.apply(&Score::single(0.4), Some(0.25)).unwrap();
    assert_eq!(without_splits.value, 0.8);
}

#[test]
fn unusable_ceilings_are_errors() {
    let rules = [
        CeilingRule::R2OverC,
        CeilingRule::RatioSquared,
        CeilingRule::PerSplitOverSqrtC,
        CeilingRule::Ratio,
        CeilingRule::ChanceRatio { chance: 0.5 },
    ];
    for rule in rules {
        assert_eq!(rule.apply(&raw(0.5), None), Err(Error::CeilingMissing { rule: rule.name() }));
        for c in [0.0, -0.2, f64::NAN, f64::INFINITY] {
            assert!(
                matches!(rule.apply(&raw(0.5), Some(c)), Err(Error::Parameter { name: "ceiling", .. })),
                "{rule:?} {c}"
            );
        }
    }
    let at_chance = CeilingRule::ChanceRatio { chance: 0.5 }.apply(&raw(0.5), Some(0.5));
    assert!(matches!(at_chance, Err(Error::Parameter { .. })));
}

#[test]
fn bounded_scores_stay_within_0_and_1() {
    let score = bounded(&Score { value: 1.2, error: 0.3, per_split: vec![-0.1, 0.5, 2.0, f64::NAN] });
    assert_eq!((score.value, score.error, &score.per_split[..3]), (1.0, 0.3, &[0.0, 0.5, 1.0][..]));
    assert!(score.per_split[3].is_nan());
}

#[test]
fn rules_have_the_names_of_cards() {
    let named = |name: &str| serde_json::from_str::<CeilingRule>(name).unwrap();
    assert_eq!(named("\"r2_over_c\""), CeilingRule::R2OverC);
    assert_eq!(named("\"per_split_over_sqrt_c\""), CeilingRule::PerSplitOverSqrtC);
    assert_eq!(named("{\"chance_ratio\":{\"chance\":0.25}}"), CeilingRule::ChanceRatio { chance: 0.25 });
    for rule in [
        CeilingRule::R2OverC,
        CeilingRule::RatioSquared,
        CeilingRule::PerSplitOverSqrtC,
        CeilingRule::Ratio,
        CeilingRule::Raw,
    ] {
        assert_eq!(serde_json::to_string(&rule).unwrap(), format!("\"{}\"", rule.name()));
    }
}
