//! Correlations as scipy computes them (`scripts/goldens/metrics.py`).

use ndarray::{Array1, array};
use ventral_metrics::Error;
use ventral_metrics::correlation::{average_ranks, pearson, pearson_columns, spearman};

use crate::support::golden;

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    x: Vec<Option<f64>>,
    y: Vec<Option<f64>>,
    pearson: Option<f64>,
    spearman: Option<f64>,
    ranks: Vec<Option<f64>>,
}

fn array_of(values: &[Option<f64>]) -> Array1<f64> {
    values.iter().map(|v| v.unwrap_or(f64::NAN)).collect()
}

fn assert_close(ours: f64, theirs: Option<f64>, name: &str) {
    match theirs {
        Some(theirs) => assert!((ours - theirs).abs() < 1e-14, "{name}: {ours} {theirs}"),
        None => assert!(ours.is_nan(), "{name}: {ours}"),
    }
}

#[test]
fn agree_with_scipy_for_ties_constants_missing_values_and_extreme_scales() {
    let cases: Vec<Case> = serde_json::from_value(golden("correlations.json")).unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let (x, y) = (array_of(&case.x), array_of(&case.y));
        assert_close(pearson(x.view(), y.view()).unwrap(), case.pearson, &case.name);
        assert_close(spearman(x.view(), y.view()).unwrap(), case.spearman, &case.name);
        for (ours, theirs) in average_ranks(y.view()).iter().zip(&case.ranks) {
            assert_close(*ours, *theirs, &case.name);
        }
    }
}

#[test]
fn undefined_correlations_are_nan() {
    let nan = |a: Array1<f64>, b: Array1<f64>| pearson(a.view(), b.view()).unwrap().is_nan();
    assert!(nan(array![], array![]));
    assert!(nan(array![1.0], array![2.0]));
    assert!(nan(array![0.0, 0.0, 0.0], array![1.0, 2.0, 3.0]));
    assert!(nan(array![1.0, f64::INFINITY, 0.0], array![1.0, 2.0, 3.0]));
}

#[test]
fn columns_are_correlated_one_by_one() {
    let x = array![[1.0, 5.0, 1.0], [2.0, 5.0, 2.0], [3.0, 5.0, 4.0]];
    let y = array![[2.0, 1.0, 3.0], [4.0, 2.0, 2.0], [6.0, 3.0, 0.0]];
    let r = pearson_columns(x.view(), y.view()).unwrap();
    assert!((r[0] - 1.0).abs() < 1e-15);
    assert!(r[1].is_nan());
    assert_eq!(r[2], pearson(x.column(2), y.column(2)).unwrap());
    assert!(r[2] < -0.99);
}

#[test]
fn different_lengths_are_an_error() {
    let (x, y) = (array![1.0, 2.0], array![1.0, 2.0, 3.0]);
    assert!(matches!(pearson(x.view(), y.view()), Err(Error::Mismatch { expected: 2, found: 3, .. })));
    assert!(matches!(spearman(x.view(), y.view()), Err(Error::Mismatch { expected: 2, found: 3, .. })));
    let (x, y) = (array![[1.0, 2.0]], array![[1.0]]);
    assert!(matches!(
        pearson_columns(x.view(), y.view()),
        Err(Error::Mismatch { expected: 2, found: 1, .. })
    ));
}
