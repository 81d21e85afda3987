//! Numbers made by NumPy and SciPy (`scripts/goldens/synthesis.py`).

use ndarray::{Array2, ArrayView2, ArrayView4};
use serde_json::Value;
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation, rsms};
use ventral_synthesis::objective::of_activations;
use ventral_synthesis::parametrisation::Decoder;
use ventral_synthesis::transforms::Transform;
use ventral_synthesis::{Adam, Objective, Parametrisation, Settings};

fn goldens() -> Value {
    serde_json::from_str(include_str!("../data/synthesis.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// splitmix64 of a counter, as in the script.
fn draw(count: usize, stream: u64) -> Vec<f64> {
    (0..count as u64)
        .map(|i| {
            let mut h = (i << 8 ^ stream).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            h = (h ^ (h >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            h = (h ^ (h >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (((h ^ (h >> 31)) >> 40) as f64 - f64::from(1 << 23)) / f64::from(1 << 20)
        })
        .collect()
}

fn near(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what} {index}: {a} is not {b}");
    }
}

#[test]
fn spatial_frequencies_and_colour() {
    for (case, stream) in goldens()["fourier"].as_array().unwrap().iter().zip(1..) {
        let settings = Settings {
            images: serde_json::from_value(case["images"].clone()).unwrap(),
            size: serde_json::from_value(case["size"].clone()).unwrap(),
            parametrisation: Parametrisation::Fourier { decay: case["decay"].as_f64().unwrap() },
            few_images: true,
            ..Settings::default()
        };
        let decoder = Decoder::new(&settings).unwrap();
        let parameters: Vec<f64> =
            draw(decoder.parameters(), stream).iter().map(|value| value / 64.0).collect();
        let images = decoder.decode(&parameters).unwrap();
        near("image", images.as_slice().unwrap(), &numbers(&case["values"]), 1e-13);
    }
}

#[test]
fn adam() {
    let golden = &goldens()["adam"];
    let mut parameters: Vec<f32> = draw(12, 40).iter().map(|&value| value as f32).collect();
    let mut adam = Adam::new(12);
    for step in 1..=golden["steps"].as_u64().unwrap() {
        let factor = 10f64.powi(step as i32 - 4);
        let gradient: Vec<f64> = draw(12, 40 + step).iter().map(|value| value * factor).collect();
        adam.step(&mut parameters, &gradient, golden["rate"].as_f64().unwrap());
    }
    let found: Vec<f64> = parameters.iter().map(|&value| f64::from(value)).collect();
    near("parameter", &found, &numbers(&golden["values"]), 2e-7);
}

#[test]
fn transforms() {
    for (case, stream) in goldens()["transforms"].as_array().unwrap().iter().zip(60..) {
        let [height, width]: [usize; 2] = serde_json::from_value(case["size"].clone()).unwrap();
        let [down, right, scale, degrees]: [f64; 4] =
            serde_json::from_value(case["transform"].clone()).unwrap();
        let image: Vec<f64> = draw(height * width, stream).iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect();
        let image = ArrayView4::from_shape((1, 1, height, width), &image).unwrap();
        let found = Transform { down, right, scale, degrees }.apply(image);
        near("pixel", found.as_slice().unwrap(), &numbers(&case["values"]), 1e-12);
    }
}

fn layers<T: ventral_synthesis::Real>(units: &[usize]) -> Vec<Array2<T>> {
    let layer = |(&units, stream): (&usize, u64)| {
        let values = draw(7 * units, stream).into_iter().map(T::from_f64).collect();
        Array2::from_shape_vec((7, units), values).unwrap()
    };
    units.iter().zip(100..).map(layer).collect()
}

fn judge(rsms: ArrayView2<'_, f64>, coefficient: Coefficient, golden: &Value) {
    let found = LayerCorrelation::new(rsms, coefficient).unwrap();
    near(
        "matrix",
        found.matrix().as_standard_layout().as_slice().unwrap(),
        &numbers(&golden["matrix"]),
        1e-12,
    );
    let found = found.statistics().unwrap();
    let single = [found.mean_abs_r, found.max_abs_r, found.mean_adjacent_r, found.effective_rank];
    let names = ["mean_abs_r", "max_abs_r", "mean_adjacent_r", "effective_rank"];
    near("statistic", &single, &names.map(|name| golden[name].as_f64().unwrap()), 1e-12);
    near("inflation", &found.inflation.unwrap(), &numbers(&golden["inflation"]), 1e-11);
    near("sd", &found.sd, &numbers(&golden["sd"]), 1e-12);
}

#[test]
fn evaluation() {
    let golden = &goldens()["evaluation"];
    let units: Vec<usize> = serde_json::from_value(golden["units"].clone()).unwrap();
    for found in [rsms(&layers::<f64>(&units)).unwrap(), rsms(&layers::<f32>(&units)).unwrap()] {
        near("rsm", found.as_slice().unwrap(), &numbers(&golden["rsms"]), 1e-12);
        judge(found.view(), Coefficient::Pearson, &golden["pearson"]);
        let coarse = found.mapv(|value| (value * 8.0).round_ties_even() / 8.0);
        judge(coarse.view(), Coefficient::Spearman, &golden["spearman_coarse"]);
    }
}

#[test]
fn objective() {
    let golden = goldens();
    let units: Vec<usize> = serde_json::from_value(golden["evaluation"]["units"].clone()).unwrap();
    let golden = &golden["objective"];
    let layers = layers::<f64>(&units);
    let mut objective = Objective { adjacent_weight: 3.0, spread_floor: 0.3, ..Objective::default() };
    for (name, beta) in [("mean", 0.0), ("soft_max_20", 20.0)] {
        objective.soft_max = beta;
        let (terms, _) = of_activations(layers.clone(), &objective).unwrap();
        near(name, &[terms.correlation], &[golden[name].as_f64().unwrap()], 1e-12);
        near("spread", &[terms.spread], &[golden["spread"].as_f64().unwrap()], 1e-12);
    }
}
