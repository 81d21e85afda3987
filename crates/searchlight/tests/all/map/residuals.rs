use ndarray::Array2;
use proptest::prelude::*;
use ventral_searchlight::{
    Comparison, Error, LayerDesign, LayerRsms, MAX_INFLATION, Residual, WARN_INFLATION,
};

use super::plain;

fn names(layers: usize) -> Vec<String> {
    (0..layers).map(|l| format!("layer{l}")).collect()
}

/// Two layers that correlate by r have variance inflation 1 / (1 - r²).
fn pair(inflation: f64) -> LayerDesign {
    let r = (1.0f64 - 1.0 / inflation).sqrt();
    let correlations = Array2::from_shape_fn((2, 2), |(a, b)| if a == b { 1.0 } else { r });
    LayerDesign::from_correlations(names(2), correlations).expect("design")
}

const INVERTING: [Residual; 7] = [
    Residual::SemiPartial,
    Residual::Partial,
    Residual::Adjacent,
    Residual::Earlier,
    Residual::Regression,
    Residual::NonNegative,
    Residual::UniqueVariance,
];

#[test]
fn collinear_layers_are_refused_with_advice() {
    let below = pair(MAX_INFLATION * 0.99);
    let beyond = pair(MAX_INFLATION * 1.01);
    assert!((below.variance_inflation()[0] - MAX_INFLATION * 0.99).abs() < 1e-6);
    for method in INVERTING {
        assert!(below.check(method).is_ok());
        let error = beyond.prepare(method).expect_err("collinear");
        assert!(matches!(&error, Error::Collinear { layer, .. } if layer.starts_with("layer")));
        assert!(error.to_string().contains("ridge"), "{error}");
    }
    for method in [Residual::Raw, Residual::RIDGE, Residual::Loewdin] {
        assert!(beyond.prepare(method).is_ok());
    }
    assert!(pair(WARN_INFLATION * 0.99).warnings().is_empty());
    assert_eq!(pair(WARN_INFLATION * 1.01).warnings().len(), 2);
}

#[test]
fn the_same_layer_twice_is_an_error_not_noise() {
    let mut vectors = plain::layer_vectors(4, 12);
    let copy = vectors.row(1).to_owned();
    vectors.row_mut(3).assign(&copy);
    let layers = LayerRsms::new(names(4), 12, vectors, Comparison::Pearson).expect("layers");
    let design = LayerDesign::new(&layers).expect("design");
    assert_eq!(design.rank(), 3);
    assert!(design.condition_number() > 1e8);
    for method in INVERTING {
        assert!(matches!(design.prepare(method), Err(Error::Collinear { .. })));
    }
    let raw = Array2::from_elem((1, 4), 0.3);
    for method in [Residual::RIDGE, Residual::Loewdin] {
        let values = design.prepare(method).expect("method").apply(raw.view()).expect("values");
        assert!(values.iter().all(|value| value.is_finite() && value.abs() < 1.0));
        assert!((values[[0, 1]] - values[[0, 3]]).abs() < 1e-6, "equal layers have equal values");
    }
}

#[test]
fn comparisons_that_are_no_inner_products_have_no_residuals() {
    for comparison in [Comparison::RhoA, Comparison::TauA] {
        let layers = LayerRsms::new(names(3), 12, plain::layer_vectors(3, 12), comparison).expect("layers");
        assert!(matches!(LayerDesign::new(&layers), Err(Error::Invalid { .. })));
    }
}

#[test]
fn settings_and_shapes_are_checked() {
    let design = pair(2.0);
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(design.prepare(Residual::Ridge { lambda }), Err(Error::Invalid { .. })));
    }
    let method = design.prepare(Residual::Partial).expect("method");
    assert!(matches!(method.apply(Array2::zeros((1, 3)).view()), Err(Error::Mismatch { .. })));
    let missing = Array2::from_shape_vec((2, 2), vec![0.1, f64::NAN, 0.1, 0.2]).expect("values");
    for method in INVERTING.into_iter().chain([Residual::Raw, Residual::RIDGE, Residual::Loewdin]) {
        let values = design.prepare(method).expect("method").apply(missing.view()).expect("values");
        assert!(values.row(0).iter().all(|value| value.is_nan()));
        assert!(values.row(1).iter().all(|value| value.is_finite()));
    }
    let asymmetric = Array2::from_shape_vec((2, 2), vec![1.0, 0.1, 0.2, 1.0]).expect("values");
    assert!(matches!(LayerDesign::from_correlations(names(2), asymmetric), Err(Error::Invalid { .. })));
    let large = Array2::from_shape_vec((2, 2), vec![1.5, 0.1, 0.1, 1.0]).expect("values");
    assert!(matches!(LayerDesign::from_correlations(names(2), large), Err(Error::Invalid { .. })));
}

#[test]
fn layers_without_variation_or_numbers_are_refused() {
    let mut vectors = plain::layer_vectors(3, 6);
    vectors.row_mut(1).fill(0.7);
    let constant = LayerRsms::new(names(3), 6, vectors.clone(), Comparison::Pearson).expect_err("constant");
    assert_eq!(constant, Error::ConstantLayer { layer: "layer1".into() });
    assert!(LayerRsms::new(names(3), 6, vectors.clone(), Comparison::Cosine).is_ok());
    vectors[[2, 4]] = f64::NAN;
    assert!(matches!(
        LayerRsms::new(names(3), 6, vectors, Comparison::Cosine),
        Err(Error::NonFinite { index: 4, .. })
    ));
    let short = plain::layer_vectors(3, 5);
    assert!(matches!(LayerRsms::new(names(3), 6, short, Comparison::Pearson), Err(Error::Mismatch { .. })));
}

proptest! {
    /// With y = Xw + e: full fit explains what it should, R1² is unique variance, NNLS weights are the constrained optimum.
    #[test]
    fn algebra_of_the_methods(seed in 0u64..500, layers in 2usize..7) {
        let pairs = 60;
        let x: Vec<Vec<f64>> = (0..layers)
            .map(|l| (0..pairs).map(|p| plain::noise(p, 0, 3 * seed + 1) + plain::noise(p, l + 1, 3 * seed + 2)).collect())
            .collect();
        let y: Vec<f64> = (0..pairs).map(|p| x[0][p] - 0.5 * x[1][p] + plain::noise(p, 99, seed)).collect();
        let c = Array2::from_shape_fn((layers, layers), |(a, b)| if a == b { 1.0 } else { plain::pearson(&x[a], &x[b]) });
        let g = Array2::from_shape_fn((1, layers), |(_, l)| plain::pearson(&y, &x[l]));
        let design = LayerDesign::from_correlations(names(layers), c.clone()).expect("design");
        let apply = |method| design.prepare(method).expect("method").apply(g.view()).expect("values");
        let (semi, unique) = (apply(Residual::SemiPartial), apply(Residual::UniqueVariance));
        for (semi, unique) in semi.iter().zip(&unique) {
            prop_assert!((semi * semi - unique).abs() < 1e-12);
        }
        let beta = apply(Residual::Regression);
        let back = beta.dot(&c);
        prop_assert!(back.iter().zip(&g).all(|(a, b)| (a - b).abs() < 1e-10));
        let loewdin = apply(Residual::Loewdin);
        let explained: f64 = beta.iter().zip(&g).map(|(a, b)| a * b).sum();
        prop_assert!((loewdin.iter().map(|v| v * v).sum::<f64>() - explained).abs() < 1e-10);
        // Karush, Kuhn and Tucker.
        let weights = apply(Residual::NonNegative);
        let gradient = &g - &weights.dot(&c);
        for (weight, slope) in weights.iter().zip(&gradient) {
            prop_assert!(*weight >= 0.0 && *slope < 1e-9 && (weight * slope).abs() < 1e-9);
        }
    }
}
