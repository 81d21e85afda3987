//! From splits x neuroids to a score (spec §1.2).

use ndarray::array;
use ventral_metrics::{Score, SplitScores, Summary};

const NAN: f64 = f64::NAN;

fn splits(values: ndarray::Array2<f64>) -> SplitScores {
    SplitScores { values, alphas: Vec::new() }
}

#[test]
fn median_over_neuroids_then_mean_over_splits() {
    let score = splits(array![[0.1, 0.9, 0.2], [0.4, 0.6, 0.5], [0.0, 0.8, 0.3], [0.4, 0.6, 0.5]]).score();
    assert_eq!(score.per_split, [0.2, 0.5, 0.3, 0.5]);
    assert!((score.value - 0.375).abs() < 1e-15);
    assert!((score.error - 0.129_903_810_567_665_8 / 2.0).abs() < 1e-15);
}

#[test]
fn undefined_neuroids_and_splits_are_skipped_but_stay_visible() {
    let score = splits(array![[NAN, 0.4, 0.2], [NAN, NAN, NAN], [0.5, NAN, NAN]]).score();
    assert!((score.per_split[0] - 0.3).abs() < 1e-15 && score.per_split[1].is_nan());
    assert!((score.value - 0.4).abs() < 1e-15);
    assert!((score.error - 0.1 / 3.0_f64.sqrt()).abs() < 1e-15);
    assert!(splits(array![[NAN]]).score().value.is_nan());
}

#[test]
fn a_sample_has_no_undefined_member() {
    let one = splits(array![[0.1, 0.2, 0.6]]).summary(Summary::Sample);
    assert!((one.value - 0.3).abs() < 1e-15 && one.per_split.is_empty());
    assert!((one.error - 0.152_752_523_165_194_66).abs() < 1e-15, "over the columns: {}", one.error);
    let two = splits(array![[0.1, 0.5], [0.3, 0.7]]).summary(Summary::Sample);
    assert!((two.value - 0.4).abs() < 1e-15 && (two.error - 0.2).abs() < 1e-15);
    assert_eq!(two.per_split.len(), 2);
    assert!(splits(array![[0.1, NAN, 0.6]]).summary(Summary::Sample).value.is_nan());
}

#[test]
fn json_keeps_nan_and_infinities_apart() {
    let score = Score { value: NAN, error: f64::INFINITY, per_split: vec![0.1, NAN, f64::NEG_INFINITY] };
    let json = serde_json::to_string(&score).unwrap();
    assert_eq!(json, r#"{"value":null,"error":"inf","per_split":[0.1,null,"-inf"]}"#);
    let back: Score = serde_json::from_str(&json).unwrap();
    assert!(back.value.is_nan() && back.error == f64::INFINITY);
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
    assert!(serde_json::from_str::<Score>(r#"{"value":"high","error":0,"per_split":[]}"#).is_err());
}
