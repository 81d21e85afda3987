use ndarray::{Array2, s};
use serde_json::Value;
use ventral_metrics::{Error, NeuronToNeuron, Split, TILE_FEATURES, TileConsumer, shuffle_split};

use crate::support::{golden, u};

fn indices(value: &Value) -> Vec<usize> {
    let values = value.as_array().unwrap();
    values.iter().map(|i| i.as_u64().unwrap() as usize).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows = value.as_array().unwrap();
    let columns = rows[0].as_array().unwrap().len();
    Array2::from_shape_fn((rows.len(), columns), |(i, j)| rows[i][j].as_f64().unwrap())
}

#[test]
fn scores_are_those_of_numpy() {
    let expected = golden("neuron_to_neuron.json");
    let x = matrix(&expected["x"]).mapv(|x| x as f32);
    let splits: Vec<Split> = expected["splits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|split| Split { train: indices(&split["train"]), test: indices(&split["test"]) })
        .collect();
    let mut metric = NeuronToNeuron::new(matrix(&expected["y"]).view(), &splits).unwrap();
    metric.push(0, x.view()).unwrap();
    let found = metric.finish().unwrap();
    let scores = matrix(&expected["scores"]);
    assert!((&found.values - &scores).iter().all(|x| x.abs() < 1e-12));
    assert!(found.alphas.is_empty());
}

/// Two tiles; neuroid 0 is a noisy copy of a feature in the first, neuroid 1 of one in the second.
fn planted() -> (Array2<f32>, Array2<f64>, Vec<Split>) {
    let p = TILE_FEATURES + 600;
    let x = Array2::from_shape_fn((50, p), |(i, j)| (1e3 + u(i, j, 51)) as f32);
    let y = Array2::from_shape_fn((50, 2), |(i, k)| {
        let feature = [300, TILE_FEATURES + 500][k];
        f64::from(x[(i, feature)]) + 0.01 * u(i, k, 52)
    });
    (x, y, shuffle_split(50, 4, 0.8, 1).unwrap())
}

fn scores(x: &Array2<f32>, y: &Array2<f64>, splits: &[Split]) -> Array2<f64> {
    let mut metric = NeuronToNeuron::new(y.view(), splits).unwrap();
    for start in (0..x.ncols()).step_by(TILE_FEATURES) {
        let end = x.ncols().min(start + TILE_FEATURES);
        metric.push(start as u64, x.slice(s![.., start..end])).unwrap();
    }
    metric.finish().unwrap().values
}

#[test]
fn the_best_feature_is_found_in_any_tile_with_any_number_of_threads() {
    let (x, y, splits) = planted();
    let expected = scores(&x, &y, &splits);
    assert!(expected.iter().all(|&r| r > 0.99));
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| scores(&x, &y, &splits)), expected);
    }
}

#[test]
fn of_equal_features_the_first_is_taken() {
    let (x, y, splits) = planted();
    // Whole numbers: sums are exact, so features that are equal over the training stimuli tie exactly.
    let mut x = x.mapv(|x| (1e4 * (x - 1e3)).round());
    let first = x.column(300).to_owned();
    let test = &splits[0].test;
    for copy in [310, TILE_FEATURES - 1, TILE_FEATURES + 10] {
        x.column_mut(copy).assign(&first);
        for (&to, &from) in test.iter().zip(test.iter().rev()) {
            x[(to, copy)] = first[from];
        }
    }
    assert!(scores(&x, &y, &splits[..1])[(0, 0)] > 0.99);
}

#[test]
fn constant_neurons_are_marked_and_constant_features_are_skipped() {
    let (mut x, mut y, splits) = planted();
    y.column_mut(0).fill(0.1);
    x.column_mut(7).fill(0.1);
    let found = scores(&x, &y, &splits);
    assert!(found.column(0).iter().all(|r| r.is_nan()));
    assert!(found.column(1).iter().all(|&r| r > 0.99));
    // With nothing but constant features there is no prediction.
    let constant = Array2::from_elem((50, 3), 0.1_f32);
    assert!(scores(&constant, &y, &splits).iter().all(|r| r.is_nan()));
}

#[test]
fn what_cannot_be_correlated_is_an_error() {
    let (mut x, y, splits) = planted();
    let metric = NeuronToNeuron::new(y.view(), &splits).unwrap();
    assert!(matches!(metric.finish(), Err(Error::TooFew { .. })));
    let mut metric = NeuronToNeuron::new(y.view(), &splits).unwrap();
    assert!(matches!(metric.push(5, x.view()), Err(Error::TileOrder { .. })));
    assert!(matches!(metric.push(0, x.slice(s![..49, ..])), Err(Error::Mismatch { .. })));
    x[(4, 9)] = f32::NAN;
    assert_eq!(metric.push(0, x.view()), Err(Error::NonFinite { stimulus: 4, feature: 9 }));
    assert!(matches!(NeuronToNeuron::new(y.view(), &[]), Err(Error::TooFew { .. })));
}
