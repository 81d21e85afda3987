//! What must not change the objective (spec §1.6).

use ndarray::{Array2, Axis};
use ventral_synthesis::evaluate::{rsm, rsms};
use ventral_synthesis::objective::of_activations;
use ventral_synthesis::{Error, Objective};

use crate::toy::normal;

fn layers() -> Vec<Array2<f64>> {
    let mut state = 3;
    [40, 2000, 33_000]
        .iter()
        .map(|&units| Array2::from_shape_fn((7, units), |_| normal(&mut state).max(0.0)))
        .collect()
}

fn j(layers: &[Array2<f64>]) -> f64 {
    let (terms, _) =
        of_activations(layers.to_vec(), &Objective { spread_floor: 0.5, ..Objective::default() }).unwrap();
    terms.correlation + terms.spread
}

fn same(what: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-10 * expected, "{what}: {found} is not {expected}");
}

#[test]
fn order_of_images() {
    let layers = layers();
    let order = [4, 2, 6, 0, 1, 5, 3];
    let mixed: Vec<_> = layers.iter().map(|layer| layer.select(Axis(0), &order)).collect();
    same("order", j(&mixed), j(&layers));
    let (_, adjoints) = of_activations(layers.clone(), &Objective::default()).unwrap();
    let (_, moved) = of_activations(mixed, &Objective::default()).unwrap();
    for (adjoint, moved) in adjoints.iter().zip(&moved) {
        let difference = (&adjoint.select(Axis(0), &order) - moved).mapv(f64::abs).sum();
        assert!(difference <= 1e-10 * adjoint.mapv(f64::abs).sum());
    }
}

#[test]
fn a_constant_for_one_image_and_a_factor_for_a_layer() {
    let mut layers = layers();
    let before = j(&layers);
    layers[1].row_mut(3).mapv_inplace(|value| value + 17.0);
    same("constant", j(&layers), before);
    layers[2].mapv_inplace(|value| value * 1e-6);
    layers[0].mapv_inplace(|value| value * 1e6);
    same("factor", j(&layers), before);
}

#[test]
fn gradients_have_no_mean_and_do_not_lengthen() {
    let layers = layers();
    let (_, adjoints) = of_activations(layers.clone(), &Objective::default()).unwrap();
    for (layer, adjoint) in layers.iter().zip(&adjoints) {
        for (row, slopes) in layer.rows().into_iter().zip(adjoint.rows()) {
            let size = slopes.dot(&slopes).sqrt();
            assert!(slopes.sum().abs() <= 1e-10 * size * (row.len() as f64).sqrt());
            assert!(slopes.dot(&row).abs() <= 1e-10 * size * row.dot(&row).sqrt());
        }
    }
}

#[test]
fn activations_in_f32_of_little_contrast_keep_their_differences() {
    let mut state = 3;
    // Similarities of 0.9999 that differ by 1e-5.
    let common: Vec<f64> = (0..50_000).map(|_| 1.0 + normal(&mut state)).collect();
    let exact = Array2::from_shape_fn((6, 50_000), |(_, unit)| common[unit] + 0.01 * normal(&mut state));
    let single = exact.mapv(|value| value as f32);
    let (exact, single) = (rsm(exact.view()).unwrap(), rsm(single.view()).unwrap());
    for (a, b) in exact.iter().zip(&single) {
        assert!(*a > 0.999 && (a - b).abs() < 1e-9, "{a} {b}");
    }
}

#[test]
fn degenerate_layers_are_named() {
    let refused =
        |layers: &[Array2<f64>]| of_activations(layers.to_vec(), &Objective::default()).unwrap_err();
    let mut dead = layers();
    dead[1].row_mut(2).fill(0.0);
    assert_eq!(refused(&dead), Error::ConstantImage { layer: 1, image: 2 });
    dead[1].row_mut(2).fill(0.1);
    assert_eq!(refused(&dead), Error::ConstantImage { layer: 1, image: 2 });
    let mut infinite = layers();
    infinite[2][[5, 100]] = f64::INFINITY;
    assert_eq!(refused(&infinite), Error::Activation { layer: 2, image: 5 });
    infinite[2][[5, 100]] = f64::NAN;
    assert_eq!(refused(&infinite), Error::Activation { layer: 2, image: 5 });
    let mut constant = layers();
    constant[0] = Array2::eye(7);
    assert_eq!(refused(&constant), Error::ConstantRsm { layer: 0 });
    let mut single = layers();
    single.truncate(1);
    assert_eq!(refused(&single), Error::TooFew { what: "layers", needed: 2, found: 1 });
    assert_eq!(refused(&[]), Error::TooFew { what: "layers", needed: 2, found: 0 });
    let two: Vec<_> = layers().iter().map(|layer| layer.select(Axis(0), &[0, 1])).collect();
    assert_eq!(refused(&two), Error::TooFew { what: "pairs of images", needed: 3, found: 1 });
    let mut uneven = layers();
    uneven[1] = uneven[1].select(Axis(0), &[0, 1, 2]);
    assert!(matches!(refused(&uneven), Error::Mismatch { .. }));
    assert!(matches!(rsms(&uneven), Err(Error::Mismatch { .. })));
    let narrow = vec![Array2::<f64>::zeros((7, 1)), Array2::zeros((7, 1))];
    assert_eq!(refused(&narrow), Error::TooFew { what: "units of a layer", needed: 2, found: 1 });
}

#[test]
fn two_layers_without_a_weight() {
    let layers = &layers()[..2];
    let objective = Objective { adjacent_weight: 0.0, ..Objective::default() };
    let error = of_activations(layers.to_vec(), &objective).unwrap_err();
    assert!(error.to_string().starts_with("objective.adjacent_weight = 0"), "{error}");
}

#[test]
fn identical_layers_have_a_finite_objective() {
    let mut layers = layers();
    layers[1] = layers[0].clone();
    let (terms, adjoints) = of_activations(layers.clone(), &Objective::default()).unwrap();
    assert!((terms.matrix[[0, 1]] - 1.0).abs() < 1e-12 && terms.correlation.is_finite());
    assert!(adjoints.iter().all(|layer| layer.iter().all(|slope| slope.is_finite())));
}
