//! Every derivative against central differences.

use ndarray::{Array2, Array4, ArrayView4, ShapeBuilder, Zip};
use ventral_synthesis::objective::{of_activations, of_rsms};
use ventral_synthesis::parametrisation::Decoder;
use ventral_synthesis::transforms::Transform;
use ventral_synthesis::{Error, MAX_LAYERS, Network, Objective, Parametrisation, Settings, regulariser};

use crate::toy::{Activation, THREE, Toy, normal};

const SIDE: usize = 12;

fn settings(parametrisation: Parametrisation) -> Settings {
    Settings { images: 6, size: [SIDE, SIDE], parametrisation, ..Settings::default() }
}

const BOTH: [Parametrisation; 2] = [Parametrisation::Fourier { decay: 1.0 }, Parametrisation::Pixels];

/// Slope along a direction, from values on both sides; the step is halved once and the error of second order removed.
fn slope(at: impl Fn(f64) -> f64, step: f64) -> f64 {
    let plain = |step: f64| (at(step) - at(-step)) / (2.0 * step);
    (4.0 * plain(step / 2.0) - plain(step)) / 3.0
}

fn agree(what: &str, analytic: f64, numeric: f64) {
    let error = (analytic - numeric).abs() / analytic.abs().max(1e-7);
    assert!(error <= 1e-5, "{what}: derivative {analytic:e}, difference {numeric:e}, error {error:e}");
}

fn directions(count: usize, length: usize) -> Vec<Vec<f64>> {
    (0..count as u64)
        .map(|seed| {
            let mut state = 77 + seed;
            (0..length).map(|_| normal(&mut state)).collect()
        })
        .collect()
}

fn moved(base: &[f64], direction: &[f64], step: f64) -> Vec<f64> {
    base.iter().zip(direction).map(|(a, b)| a + step * b).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn objectives() -> Vec<(&'static str, Objective)> {
    let usual = Objective { total_variation: 0.3, range: 2.0, spread_floor: 0.2, ..Objective::default() };
    vec![
        ("mean", usual),
        ("adjacent", Objective { adjacent_weight: 4.0, ..usual }),
        ("soft maximum", Objective { soft_max: 30.0, ..usual }),
        ("all", Objective { soft_max: 3.0, adjacent_weight: 0.0, ..usual }),
    ]
}

/// J from parameters, as a run computes it, and its gradient.
fn whole(decoder: &Decoder, net: &Toy<f64>, objective: &Objective, parameters: &[f64]) -> (f64, Vec<f64>) {
    let transform = Transform { down: 1.0, right: -2.0, scale: 0.94, degrees: 6.0 };
    let images = decoder.decode(parameters).unwrap();
    let (layers, trace) = net.forward(transform.apply(images.view()).view()).unwrap();
    let (terms, adjoints) = of_activations(layers, objective).unwrap();
    let mut gradient = transform.pull_back(net.backward(trace, &adjoints).unwrap().view());
    let variation = regulariser::total_variation(images.view(), objective.total_variation, &mut gradient);
    let range = regulariser::range(images.view(), objective.range, &mut gradient);
    let j =
        terms.correlation + terms.spread + objective.total_variation * variation + objective.range * range;
    (j, decoder.pull_back(images.view(), gradient.view()).unwrap())
}

#[test]
fn whole_objective() {
    let net = Toy::<f64>::new([SIDE, SIDE], THREE, Activation::Softplus, 5);
    for parametrisation in BOTH {
        let decoder = Decoder::new(&settings(parametrisation)).unwrap();
        // Large enough that the range costs something.
        let parameters: Vec<f64> = decoder.start(3).iter().map(|&value| 12.0 * f64::from(value)).collect();
        for (name, objective) in objectives() {
            let (_, gradient) = whole(&decoder, &net, &objective, &parameters);
            for direction in directions(4, parameters.len()) {
                let at = |step| whole(&decoder, &net, &objective, &moved(&parameters, &direction, step)).0;
                agree(name, dot(&gradient, &direction), slope(at, 1e-5));
            }
        }
    }
}

#[test]
fn each_activation() {
    let mut state = 8;
    let layers: Vec<Array2<f64>> = [5, 9, 7]
        .iter()
        .map(|&units| Array2::from_shape_fn((6, units), |_| 1.0 + normal(&mut state)))
        .collect();
    for (name, objective) in objectives() {
        let value = |layers: &[Array2<f64>]| {
            let terms = of_activations(layers.to_vec(), &objective).unwrap().0;
            terms.correlation + terms.spread
        };
        let (_, adjoints) = of_activations(layers.clone(), &objective).unwrap();
        for (index, adjoint) in adjoints.iter().enumerate() {
            for place in (0..layers[index].len()).step_by(3) {
                let place = (place / layers[index].ncols(), place % layers[index].ncols());
                let at = |step: f64| {
                    let mut other = layers.clone();
                    other[index][place] += step;
                    value(&other)
                };
                agree(name, adjoint[place], slope(at, 1e-3));
            }
        }
    }
}

#[test]
fn each_similarity() {
    let mut state = 4;
    let rsms = Array2::from_shape_fn((4, 15), |_| 0.1 * normal(&mut state));
    for (name, objective) in objectives() {
        let (_, gradient) = of_rsms::<f64>(rsms.view(), &objective).unwrap();
        for (place, &analytic) in gradient.indexed_iter() {
            let at = |step: f64| {
                let mut other = rsms.clone();
                other[place] += step;
                let terms = of_rsms::<f64>(other.view(), &objective).unwrap().0;
                terms.correlation + terms.spread
            };
            agree(name, analytic, slope(at, 1e-4));
        }
    }
}

fn random_images(spread: f64) -> Array4<f64> {
    let mut state = 15;
    Array4::from_shape_fn((2, 3, 5, 6), |_| (0.5 + spread * normal(&mut state)).clamp(0.01, 0.99))
}

/// Gradient of one regulariser, entry by entry.
fn check_regulariser(name: &str, term: fn(ArrayView4<'_, f64>, f64, &mut Array4<f64>) -> f64, spread: f64) {
    let images = random_images(spread);
    let mut gradient = Array4::zeros(images.raw_dim());
    term(images.view(), 0.7, &mut gradient);
    for (place, &analytic) in gradient.indexed_iter() {
        let at = |step: f64| {
            let mut other = images.clone();
            other[place] += step;
            0.7 * term(other.view(), 0.0, &mut Array4::zeros(images.raw_dim()))
        };
        agree(name, analytic, slope(at, 1e-4));
    }
}

#[test]
fn total_variation() {
    check_regulariser("total variation", regulariser::total_variation, 0.2);
    let flat = Array4::from_elem((2, 3, 4, 4), 0.3);
    let mut gradient = Array4::zeros(flat.raw_dim());
    assert_eq!(regulariser::total_variation(flat.view(), 1.0, &mut gradient), 0.0);
    assert!(gradient.iter().all(|&slope| slope == 0.0));
    // Memory may be in any order.
    let images = random_images(0.2);
    let mut reversed = Array4::zeros(images.raw_dim().f());
    let mut gradient = Array4::zeros(images.raw_dim());
    let values = [&mut reversed, &mut gradient]
        .map(|gradient| regulariser::total_variation(images.view(), 1.0, gradient));
    assert_eq!((values[0], reversed), (values[1], gradient));
    // A step of 0.5 in one column of differences: 3 of 12 pairs to the right per plane of 12 pixels.
    let step = Array4::from_shape_fn((1, 3, 3, 4), |(_, _, _, column)| if column < 2 { 0.0 } else { 0.5 });
    let value = regulariser::total_variation(step.view(), 1.0, &mut Array4::zeros(step.raw_dim()));
    assert!((value - 3.0 * 0.499001 / 12.0).abs() < 1e-7, "{value}");
}

#[test]
fn range() {
    check_regulariser("range", regulariser::range, 0.6);
    let calm = random_images(0.1);
    let mut gradient = Array4::zeros(calm.raw_dim());
    assert_eq!(regulariser::range(calm.view(), 1.0, &mut gradient), 0.0);
    assert!(gradient.iter().all(|&slope| slope == 0.0));
    let extreme = Array4::from_elem((2, 3, 4, 4), 1.0);
    let value = regulariser::range(extreme.view(), 1.0, &mut Array4::zeros(extreme.raw_dim()));
    assert!((value - 0.17).abs() < 1e-12);
}

#[test]
fn spread_floor() {
    let mut state = 4;
    let rsms = Array2::from_shape_fn((3, 15), |(layer, _)| [0.01, 0.02, 0.5][layer] * normal(&mut state));
    let only = Objective { spread_floor: 0.05, ..Objective::default() };
    let (terms, gradient) = of_rsms::<f64>(rsms.view(), &only).unwrap();
    let expected: f64 = terms.sd.iter().map(|sd| 10.0 * (0.05 - sd).max(0.0).powi(2)).sum();
    assert!((terms.spread - expected).abs() < 1e-15);
    // A step along the gradient's negative widens what is too narrow.
    let mut wider = rsms.clone();
    wider.scaled_add(-1e-4, &gradient);
    let after = of_rsms::<f64>(wider.view(), &only).unwrap().0;
    assert!(after.sd[0] > terms.sd[0] && after.sd[1] > terms.sd[1]);
    let none = Objective { spread: 0.0, ..only };
    assert_eq!(of_rsms::<f64>(rsms.view(), &none).unwrap().0.spread, 0.0);
}

#[test]
fn soft_maximum_lies_between_mean_and_worst() {
    let mut state = 4;
    let rsms = Array2::from_shape_fn((4, 15), |_| normal(&mut state));
    let value = |soft_max| {
        let objective = Objective { soft_max, ..Objective::default() };
        of_rsms::<f64>(rsms.view(), &objective).unwrap().0
    };
    let mean = value(0.0);
    let worst =
        mean.matrix.indexed_iter().filter(|((i, j), _)| i < j).map(|(_, r)| r * r).fold(0.0, f64::max);
    let values: Vec<f64> = [1e-9, 1.0, 10.0, 100.0, 1e4].map(|beta| value(beta).correlation).to_vec();
    assert!((values[0] - mean.correlation).abs() < 1e-9);
    assert!(values.windows(2).all(|two| two[0] < two[1]), "{values:?}");
    assert!((values[4] - worst).abs() < 1e-3 && values[4] < worst);
}

#[test]
fn soft_maximum_of_pairs_that_count() {
    // Adjacent layers are alike, others are not: with no weight, the adjacent pairs are far above the largest that counts.
    let mut state = 4;
    let mut rsms = Array2::from_shape_fn((3, 15), |_| normal(&mut state));
    let middle = &rsms.row(0) + &rsms.row(2);
    rsms.row_mut(1).assign(&middle);
    let objective = Objective { soft_max: 1e4, adjacent_weight: 0.0, ..Objective::default() };
    let (terms, gradient) = of_rsms::<f64>(rsms.view(), &objective).unwrap();
    let counted = terms.matrix[[0, 2]];
    assert!(terms.matrix[[0, 1]].powi(2) > counted * counted + 0.1);
    assert!((terms.correlation - counted * counted).abs() < 1e-12, "{}", terms.correlation);
    let alone = of_rsms::<f64>(rsms.select(ndarray::Axis(0), &[0, 2]).view(), &Objective::default()).unwrap();
    assert_eq!(gradient.row(1).sum(), 0.0);
    for (own, expected) in [(0, 0), (2, 1)] {
        let error =
            (&gradient.row(own) - &alone.1.row(expected)).iter().fold(0f64, |most, e| most.max(e.abs()));
        assert!(error < 1e-12, "{error:e}");
    }
}

#[test]
fn most_layers() {
    let mut state = 4;
    let rsms = Array2::from_shape_fn((MAX_LAYERS + 1, 6), |_| normal(&mut state));
    let most = rsms.slice(ndarray::s![..MAX_LAYERS, ..]);
    assert_eq!(of_rsms::<f64>(most, &Objective::default()).unwrap().0.sd.len(), MAX_LAYERS);
    let error = of_rsms::<f64>(rsms.view(), &Objective::default()).unwrap_err();
    assert_eq!(error, Error::TooMany { what: "layers", limit: MAX_LAYERS, found: MAX_LAYERS + 1 });
}

/// Promised by [`of_activations`] for images whose activations vary about as much as their mean.
const F32_BOUND: f64 = 1e-5;

#[test]
fn f32_activations() {
    let net = Toy::<f64>::new([SIDE, SIDE], THREE, Activation::Relu, 5);
    let images = Decoder::new(&settings(BOTH[0])).unwrap();
    let images = images.decode(&images.start(3)).unwrap();
    let wide = net.forward(images.view()).unwrap().0;
    for (name, objective) in objectives() {
        let narrow: Vec<Array2<f32>> = wide.iter().map(|layer| layer.mapv(|value| value as f32)).collect();
        // The same numbers, so that only what is done with them differs.
        let same = narrow.iter().map(|layer| layer.mapv(f64::from)).collect();
        let (terms, adjoints) = of_activations(narrow, &objective).unwrap();
        let (expected, exact) = of_activations::<f64>(same, &objective).unwrap();
        assert_eq!(terms, expected, "{name}: similarities are made in f64 always");
        for (layer, (found, exact)) in adjoints.iter().zip(&exact).enumerate() {
            let largest = exact.iter().fold(0f64, |most, value| most.max(value.abs()));
            let error =
                Zip::from(found).and(exact).fold(0f64, |most, &a, b| most.max((f64::from(a) - b).abs()));
            eprintln!("{name}, layer {layer}: {:.1e}", error / largest);
            assert!(error <= F32_BOUND * largest, "{name}, layer {layer}: {:e}", error / largest);
        }
    }
}

#[test]
fn parametrisations() {
    for parametrisation in [BOTH[0], BOTH[1], Parametrisation::Fourier { decay: 0.5 }] {
        for size in [[8, 10], [9, 11], [11, 8], [8, 9]] {
            let settings = Settings { size, ..settings(parametrisation) };
            let decoder = Decoder::new(&settings).unwrap();
            let parameters: Vec<f64> =
                decoder.start(1).iter().map(|&value| 10.0 * f64::from(value)).collect();
            let images = decoder.decode(&parameters).unwrap();
            let mut state = 2;
            let weights = images.map(|_| normal(&mut state));
            let gradient = decoder.pull_back(images.view(), weights.view()).unwrap();
            let value = |parameters: &[f64]| {
                let mut sum = 0.0;
                Zip::from(&decoder.decode(parameters).unwrap()).and(&weights).for_each(|a, b| sum += a * b);
                sum
            };
            for direction in directions(3, parameters.len()) {
                let at = |step| value(&moved(&parameters, &direction, step));
                agree("parametrisation", dot(&gradient, &direction), slope(at, 1e-4));
            }
            for place in (0..parameters.len()).step_by(37) {
                let mut direction = vec![0.0; parameters.len()];
                direction[place] = 1.0;
                let at = |step| value(&moved(&parameters, &direction, step));
                let (analytic, numeric) = (gradient[place], slope(at, 1e-3));
                assert!((analytic - numeric).abs() <= 1e-5 * analytic.abs() + 1e-9, "{analytic} {numeric}");
            }
        }
    }
}
