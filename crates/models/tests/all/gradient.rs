//! Differentiable execution: values against the scorer's engine.

use std::path::Path;

use ndarray::{Array1, Array3, ArrayView1};
use ventral_models::{ActivationSource, Differentiable, ModelCard, Network, NetworkActivations, Real, Trace};

use crate::derivatives::gradient_error;
use crate::support::{card, data_dir, fixture, repository_card};

fn picture(size: [usize; 2], seed: usize) -> Array3<u8> {
    Array3::from_shape_fn((size[0], size[1], 3), |(y, x, c)| {
        let wave =
            ((y * (3 + c) + seed * 7) as f64 / 9.0).sin() + ((x * (c + 2)) as f64 / 11.0 + seed as f64).cos();
        let noise = ((y * 31 + x * 17 + c * 5 + seed).wrapping_mul(2_654_435_761) >> 7) % 64;
        (wave * 40.0 + 96.0 + noise as f64).clamp(0.0, 255.0) as u8
    })
}

fn unit(picture: &Array3<u8>) -> Array3<f32> {
    picture.mapv(|level| f32::from(level) / 255.0).permuted_axes([2, 0, 1]).as_standard_layout().to_owned()
}

/// Activations of all layers, and the trace.
pub fn evaluate<T: Real>(model: &Differentiable<T>, image: &Array3<T>) -> (Vec<Array1<T>>, Trace<T>) {
    let mut rows: Vec<Array1<T>> =
        model.layers().iter().map(|layer| Array1::zeros(layer.features as usize)).collect();
    let mut views: Vec<_> = rows.iter_mut().map(|row| row.view_mut()).collect();
    let trace = model.forward(image.view(), &mut views).unwrap();
    (rows, trace)
}

/// Largest difference from the scorer's engine, relative to the largest value of the layer.
pub fn difference(card: &ModelCard, names: &[String], tolerance: f64) -> f64 {
    let network = Network::load(card).unwrap();
    let model = Differentiable::<f32>::load(card, names).unwrap_or_else(|error| panic!("{error}"));
    let pictures = vec![picture(model.size(), 1), picture(model.size(), 2)];
    let all: Vec<usize> = names.iter().map(|name| network.layer(name).unwrap()).collect();
    let expected = NetworkActivations::new(&network, &pictures, None).activations(0..2, &all).unwrap();
    let mut worst = 0f64;
    for (index, picture) in pictures.iter().enumerate() {
        for (layer, found) in evaluate(&model, &unit(picture)).0.iter().enumerate() {
            let expected: ArrayView1<f32> = expected[layer].row(index);
            assert_eq!(model.layers()[layer], network.layers()[all[layer]]);
            let scale = expected.iter().fold(0f32, |scale, value| scale.max(value.abs()));
            let most = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            let relative = f64::from(most / scale);
            assert!(relative <= tolerance, "{} {}: {relative:e}", card.identifier, names[layer]);
            worst = worst.max(relative);
        }
    }
    worst
}

pub fn all_layers(card: &ModelCard) -> Vec<String> {
    Network::load(card).unwrap().layers().iter().map(|layer| layer.name.clone()).collect()
}

pub fn demo_card(name: &str) -> ModelCard {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo/models");
    ModelCard::load(&demo.join(name).join("model.toml"), None).unwrap()
}

pub const DEMO: [&str; 3] = ["convnet_random", "convnet_trained", "gabor_v1"];

#[test]
fn values_are_those_of_the_scorers_engine() {
    let value = |card: &ModelCard| difference(card, &all_layers(card), 1e-5);
    for name in DEMO {
        eprintln!("{name}: {:e}", value(&demo_card(name)));
    }
    let directory = tempfile::tempdir().unwrap();
    let tiny = card(directory.path(), &fixture("tiny.onnx"), "", "").unwrap();
    eprintln!("tiny: {:e}", value(&tiny));
    let Some(data) = data_dir() else { return };
    for name in crate::real::ALL {
        eprintln!("{name}: {:e}", value(&repository_card(name, &data)));
    }
}

#[test]
fn gradients_of_whole_networks_are_those_of_central_differences() {
    let check = |card: &ModelCard, pixels: usize| {
        let error = gradient_error(card, &all_layers(card), pixels);
        eprintln!("{}: gradient {error:e}", card.identifier);
        assert!(error <= 1e-5, "{}: {error:e}", card.identifier);
    };
    for name in DEMO {
        check(&demo_card(name), 20);
    }
    let Some(data) = data_dir() else { return };
    check(&repository_card("googlenet", &data), 3);
    check(&repository_card("resnet20_cifar10", &data), 10);
    check(&repository_card("v4_from_ensemble_model_5", &data), 5);
}
