//! False discovery rate and empirical p against nilearn, PyMVPA and CoSMoMVPA.

use ventral_searchlight::group::{
    Tail, bounded_exceedance, exceedance, fdr_adjusted, fdr_threshold, permutation_p, two_tailed_z,
    z_of_upper_tail,
};

use super::assert_close;

/// nilearn `test_fdr`: (k - 0.5)/100 with the first ten .0005.
fn nilearn_p() -> Vec<f64> {
    (0..100).map(|k| if k < 10 { 0.0005 } else { (k as f64 + 0.5) / 100.0 }).collect()
}

#[test]
fn threshold_equals_nilearn() {
    let threshold = fdr_threshold(&nilearn_p(), 0.1).unwrap().unwrap();
    assert!((z_of_upper_tail(threshold) - 3.290_526_731_491_894_5).abs() < 1e-10);
    assert_eq!(fdr_threshold(&nilearn_p(), 0.001).unwrap(), None);
    // nilearn #2879: one small p among ten.
    let few: Vec<f64> = (1..=10).map(|k| if k == 1 { 0.007 } else { k as f64 / 10.0 }).collect();
    assert_eq!(fdr_threshold(&few, 0.1).unwrap(), Some(0.007));
    // A p that is exactly k q/M is significant.
    assert_eq!(fdr_threshold(&[0.25, 0.9, 0.2, 0.8], 0.5).unwrap(), Some(0.25));
    assert!(fdr_threshold(&few, -0.1).is_err() && fdr_threshold(&few, 1.5).is_err());
}

#[test]
fn adjusted_p_is_significant_exactly_below_the_threshold() {
    let mut p = nilearn_p();
    p.insert(3, f64::NAN);
    p.swap(0, 60);
    let adjusted = fdr_adjusted(&p);
    for q in [0.004, 0.0051, 0.1, 0.5, 0.9] {
        let threshold = fdr_threshold(&p, q).unwrap();
        for (p, adjusted) in p.iter().zip(&adjusted) {
            assert_eq!(threshold.is_some_and(|t| *p <= t), *adjusted <= q, "q {q}, p {p}");
        }
    }
    assert!(adjusted[3].is_nan());
    // statsmodels: fdr_bh of .01, .02, .03, .5.
    assert_close(&fdr_adjusted(&[0.01, 0.02, 0.03, 0.5]), &[0.04, 0.04, 0.04, 0.5], 1e-15);
}

#[test]
fn bounded_exceedance_equals_nilearn() {
    let null = [-10, -9, -9, -3, -2, -1, -1, 0, 1, 1, 1, 2, 3, 3, 4, 4, 7, 8, 8, 9].map(f64::from);
    let larger = bounded_exceedance(&[9.0, -9.0, 0.0], &null, Tail::Larger).unwrap();
    assert_close(&larger, &[0.05, 0.95, 0.65], 1e-12);
    let smaller = bounded_exceedance(&[9.0, -9.0, 0.0], &null, Tail::Smaller).unwrap();
    assert_close(&smaller, &[0.95, 0.15, 0.4], 1e-12);
    let both = bounded_exceedance(&[0.0, 9.0, 10.0, 20.0, -9.0, -20.0], &null, Tail::TwoSided).unwrap();
    assert_close(&both, &[0.95, 0.2, 0.05, 0.05, 0.2, 0.05], 1e-12);
}

#[test]
fn exceedance_equals_pymvpa() {
    let null: Vec<f64> = (0..100).map(f64::from).collect();
    let values: Vec<f64> = (0..20).map(|i| f64::from(5 * i)).collect();
    let expected: Vec<f64> = (0..20).map(|i| 1.0 - 0.05 * f64::from(i)).collect();
    assert_close(&exceedance(&values, &null, Tail::Larger).unwrap(), &expected, 1e-12);
    assert_close(
        &permutation_p(&[95.0, 200.0], &null, Tail::Larger).unwrap(),
        &[6.0 / 101.0, 1.0 / 101.0],
        1e-12,
    );
}

#[test]
fn z_of_extreme_statistics_equals_cosmomvpa() {
    // test_montecarlo_cluster_stat.m, norminv(1 - 1/niter) for niter 1..40.
    let table = [
        f64::NEG_INFINITY,
        0.0000,
        0.4307,
        0.6745,
        0.8416,
        0.9674,
        1.0676,
        1.1503,
        1.2206,
        1.2816,
        1.3352,
        1.3830,
        1.4261,
        1.4652,
        1.5011,
        1.5341,
        1.5647,
        1.5932,
        1.6199,
        1.6449,
        1.6684,
        1.6906,
        1.7117,
        1.7317,
        1.7507,
        1.7688,
        1.7862,
        1.8027,
        1.8186,
        1.8339,
        1.8486,
        1.8627,
        1.8764,
        1.8895,
        1.9022,
        1.9145,
        1.9264,
        1.9379,
        1.9491,
        1.9600,
    ];
    let signed: Vec<f64> = (1..=40).map(|niter| two_tailed_z(7.5, 0.0, niter)).collect();
    assert_close(&signed, &table, 5.1e-5);
    let negative: Vec<f64> = (1..=40).map(|niter| -two_tailed_z(-7.5, 0.0, niter)).collect();
    assert_eq!(negative, signed);
    // 4 of 10 null maxima below: p = .5 + 4/20.
    assert!((two_tailed_z(1.0, 0.6, 10) - z_of_upper_tail(0.3)).abs() < 1e-12);
    assert_eq!(two_tailed_z(0.0, 1.0, 10), 0.0);
}

#[test]
fn an_empty_or_undefined_null_is_an_error() {
    assert!(exceedance(&[1.0], &[], Tail::Larger).is_err());
    assert!(exceedance(&[1.0], &[1.0, f64::NAN], Tail::Larger).is_err());
    assert!(exceedance(&[f64::NAN], &[1.0], Tail::Larger).unwrap()[0].is_nan());
}
