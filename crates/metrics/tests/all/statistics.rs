//! numpy's and xarray's reductions.

use ventral_metrics::statistics::{
    mean, median, nan_mean, nan_median, nan_standard_deviation, sem, standard_deviation, standard_error,
};

const NAN: f64 = f64::NAN;

#[test]
fn median_of_an_even_count_is_the_mean_of_the_middle_two() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    assert_eq!(median(&[-1.0, f64::INFINITY, 0.0]), 0.0);
    assert!(median(&[1.0, NAN, 2.0]).is_nan() && median(&[]).is_nan());
}

#[test]
fn nan_reductions_skip_and_plain_ones_propagate() {
    assert_eq!(nan_median(&[NAN, 5.0, 1.0, NAN]), 3.0);
    assert_eq!(nan_mean(&[NAN, 5.0, 1.0]), 3.0);
    assert!(mean(&[NAN, 5.0]).is_nan() && nan_mean(&[NAN]).is_nan() && nan_median(&[]).is_nan());
    assert!(standard_deviation(&[NAN, 1.0]).is_nan());
    assert_eq!(nan_standard_deviation(&[NAN, 1.0, 3.0]), 1.0);
}

#[test]
fn standard_error_divides_by_the_number_of_all_splits() {
    assert_eq!(sem(&[1.0, 3.0, 1.0, 3.0]), 0.5);
    assert_eq!(sem(&[1.0, 3.0, NAN, NAN]), 0.5, "std over the present, root of all, as the reference");
    assert_eq!(sem(&[2.0]), 0.0);
}

#[test]
fn standard_error_of_a_sample_is_that_of_scipy() {
    assert!((standard_error(&[1.0, 2.0, 4.0]) - 0.881_917_103_688_197).abs() < 1e-14);
    assert!(
        standard_error(&[1.0]).is_nan()
            && standard_error(&[]).is_nan()
            && standard_error(&[1.0, NAN]).is_nan()
    );
}
