//! Dissimilarity matrices and centred kernel alignment: goldens of spec §9.2 and invariances.

use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;
use ventral_metrics::{CkaEstimator, Error, LayerGram, cka, rdm, rdm_of, rdm_similarity};

use crate::support::{golden_features, golden_responses};

fn gram(features: &Array2<f64>) -> LayerGram {
    LayerGram::from_features(features.view()).unwrap()
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance || (a.is_nan() && b.is_nan())
}

#[test]
fn golden_rdm_similarity() {
    let (x, y) = (golden_features(), golden_responses());
    let golden = 0.286_938_456_487_052_6;
    let from_features = rdm_similarity(rdm_of(x.view()).view(), rdm_of(y.view()).view()).unwrap();
    let from_gram = rdm_similarity(rdm(&gram(&x)).unwrap().view(), rdm(&gram(&y)).unwrap().view()).unwrap();
    assert!(close(from_features, golden, 1e-14), "{from_features}");
    assert!(close(from_gram, golden, 1e-14), "{from_gram}");
}

#[test]
fn golden_alignment() {
    let (x, y) = (gram(&golden_features()), gram(&golden_responses()));
    let unbiased = cka(&x, &y, CkaEstimator::Unbiased).unwrap();
    let biased = cka(&x, &y, CkaEstimator::Biased).unwrap();
    assert!(close(unbiased, 0.380_550_712_790_841, 1e-13), "{unbiased}");
    assert!(close(biased, 0.477_619_072_151_242, 1e-13), "{biased}");
}

/// Exactly equal dissimilarities of patterns of zeros and ones, by whole numbers: r = a / √b for a = p Σxy - Σx Σy.
fn exact_rdm(patterns: &Array2<f64>) -> Array1<f64> {
    let whole = patterns.mapv(|v| v as i128);
    let p = whole.ncols() as i128;
    let product = |i: usize, j: usize| {
        p * (&whole.row(i) * &whole.row(j)).sum() - whole.row(i).sum() * whole.row(j).sum()
    };
    let gcd = |mut a: i128, mut b: i128| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let mut known = std::collections::BTreeMap::new();
    let pairs = (0..whole.nrows()).flat_map(|i| (i + 1..whole.nrows()).map(move |j| (i, j)));
    pairs
        .map(|(i, j)| {
            let (a, b) = (product(i, j), product(i, i) * product(j, j));
            let common = gcd(a * a, b).max(1);
            let r = a as f64 / (b as f64).sqrt();
            *known.entry((a.signum(), a * a / common, b / common)).or_insert(1.0 - r)
        })
        .collect()
}

#[test]
fn dissimilarities_that_are_equal_are_ties() {
    let patterns = Array2::from_shape_fn((24, 9), |(i, j)| {
        // Every stimulus has a zero and a one.
        f64::from(j == 0 || (j > 1 && crate::support::u(i, j, 71) < 0.5))
    });
    let own = exact_rdm(&patterns);
    assert!(own.iter().map(|v| v.to_bits()).collect::<std::collections::BTreeSet<_>>().len() < own.len() / 2);
    for subject in 0..5 {
        let target = Array1::from_shape_fn(own.len(), |pair| crate::support::u(pair, subject, 72));
        let expected = rdm_similarity(own.view(), target.view()).unwrap();
        for scale in [1.0, 0.1, 1e3 / 7.0] {
            let found = rdm(&gram(&(&patterns * scale))).unwrap();
            let found = rdm_similarity(found.view(), target.view()).unwrap();
            assert!(close(found, expected, 1e-12), "{scale}: {found} {expected}");
        }
    }
}

#[test]
fn order_of_pairs_is_row_by_row() {
    let features = array![[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.5], [0.0, 5.0, 0.0]];
    let r = |i: usize, j: usize| {
        1.0 - ventral_metrics::correlation::pearson(features.row(i), features.row(j)).unwrap()
    };
    let expected = Array1::from(vec![r(0, 1), r(0, 2), r(0, 3), r(1, 2), r(1, 3), r(2, 3)]);
    assert_eq!(rdm_of(features.view()), expected);
    for (ours, theirs) in rdm(&gram(&features)).unwrap().iter().zip(&expected) {
        assert!(close(*ours, *theirs, 1e-14), "{ours} {theirs}");
    }
}

/// Features with a mean thousands of times their spread.
#[test]
fn large_means_do_not_cost_the_dissimilarities() {
    let features = golden_features() + 1e3;
    let expected = rdm_of(features.view());
    for (ours, theirs) in rdm(&gram(&features)).unwrap().iter().zip(&expected) {
        assert!(close(*ours, *theirs, 1e-8), "{ours} {theirs}");
    }
}

#[test]
fn a_constant_stimulus_has_no_dissimilarity() {
    let mut features = golden_features();
    features.row_mut(1).fill(0.7);
    let pairs = rdm(&gram(&features)).unwrap();
    let undefined: Vec<bool> = rdm_of(features.view()).iter().map(|v| v.is_nan()).collect();
    assert_eq!(undefined.iter().filter(|v| **v).count(), 59);
    assert_eq!(pairs.iter().map(|v| v.is_nan()).collect::<Vec<_>>(), undefined);
    assert!(rdm_similarity(pairs.view(), pairs.view()).unwrap().is_nan());
}

#[test]
fn too_little_to_compare() {
    let one = gram(&array![[1.0, 2.0, 3.0]]);
    assert!(matches!(rdm(&one), Err(Error::TooFew { needed: 2, found: 1, .. })));
    assert!(matches!(rdm(&gram(&array![[1.0], [2.0]])), Err(Error::TooFew { needed: 2, found: 1, .. })));
    let three = gram(&golden_features().select(Axis(0), &[0, 1, 2]));
    let four = gram(&golden_features().select(Axis(0), &[0, 1, 2, 3]));
    let unbiased = |a, b| cka(a, b, CkaEstimator::Unbiased);
    assert!(matches!(unbiased(&three, &three), Err(Error::TooFew { needed: 4, found: 3, .. })));
    assert!(matches!(unbiased(&four, &three), Err(Error::Mismatch { expected: 4, found: 3, .. })));
    assert!(unbiased(&four, &four).is_ok());
    assert!(matches!(cka(&one, &one, CkaEstimator::Biased), Err(Error::TooFew { needed: 2, found: 1, .. })));
}

#[test]
fn one_representation_is_aligned_with_itself_and_not_with_noise() {
    let features = golden_features();
    let x = gram(&features);
    let other = gram(&Array2::from_shape_fn((60, 40), |(i, j)| crate::support::u(i, j, 77)));
    assert!(close(cka(&x, &x, CkaEstimator::Biased).unwrap(), 1.0, 1e-14));
    assert!(close(cka(&x, &x, CkaEstimator::Unbiased).unwrap(), 1.0, 1e-9));
    assert!(cka(&x, &other, CkaEstimator::Unbiased).unwrap().abs() < 0.1);
    assert!(cka(&x, &other, CkaEstimator::Biased).unwrap() > 0.25, "the bias the other estimator removes");
}

fn features(n: std::ops::Range<usize>, p: std::ops::Range<usize>) -> impl Strategy<Value = Array2<f64>> {
    (n, p, any::<u16>()).prop_map(|(n, p, seed)| {
        Array2::from_shape_fn((n, p), |(i, j)| crate::support::u(i, j, usize::from(seed)) - 0.5)
    })
}

proptest! {
    #[test]
    fn rdm_ignores_each_stimulus_shift_and_scale(x in features(3..9, 3..30), scale in 0.1_f64..50.0, shift in -20.0_f64..20.0) {
        let mut changed = x.clone();
        for (i, mut row) in changed.rows_mut().into_iter().enumerate() {
            row.mapv_inplace(|v| v * scale * (i as f64 + 1.0) + shift * i as f64);
        }
        for (a, b) in rdm(&gram(&x)).unwrap().iter().zip(&rdm(&gram(&changed)).unwrap()) {
            prop_assert!(close(*a, *b, 1e-8), "{} {}", a, b);
        }
    }

    #[test]
    fn rdm_from_the_gram_is_that_of_the_features(x in features(2..9, 2..60), offset in -5.0_f64..5.0) {
        let x = x + offset;
        for (a, b) in rdm(&gram(&x)).unwrap().iter().zip(&rdm_of(x.view())) {
            prop_assert!(close(*a, *b, 1e-9), "{} {}", a, b);
        }
    }

    #[test]
    fn alignment_ignores_isotropic_scale_feature_shift_and_order(
        x in features(6..7, 2..20), y in features(6..7, 2..20), scale in 0.1_f64..100.0, shift in -5.0_f64..5.0,
    ) {
        let order = [4, 0, 5, 2, 1, 3];
        let moved = x.mapv(|v| v * scale + shift).select(Axis(0), &order);
        let y_moved = y.select(Axis(0), &order);
        for estimator in [CkaEstimator::Biased, CkaEstimator::Unbiased] {
            let before = cka(&gram(&x), &gram(&y), estimator).unwrap();
            let after = cka(&gram(&moved), &gram(&y_moved), estimator).unwrap();
            prop_assert!(close(before, after, 1e-6), "{estimator:?} {} {}", before, after);
        }
    }
}
