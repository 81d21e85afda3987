//! Differentiable execution: values against the scorer's engine.

use std::path::Path;

use ndarray::{Array1, Array3, ArrayView1};
use ventral_models::{ActivationSource, Differentiable, ModelCard, Network, NetworkActivations};

use crate::support::{data_dir, repository_card};

fn picture(size: [usize; 2], seed: usize) -> Array3<u8> {
    Array3::from_shape_fn((size[0], size[1], 3), |(y, x, c)| {
        let wave = ((y * (3 + c) + seed * 7) as f64 / 9.0).sin() + ((x * (c + 2)) as f64 / 11.0 + seed as f64).cos();
        let noise = ((y * 31 + x * 17 + c * 5 + seed).wrapping_mul(2_654_435_761) >> 7) % 64;
        (wave * 40.0 + 96.0 + noise as f64).clamp(0.0, 255.0) as u8
    })
}

fn unit(picture: &Array3<u8>) -> Array3<f32> {
    picture.mapv(|level| f32::from(level) / 255.0).permuted_axes([2, 0, 1]).as_standard_layout().to_owned()
}

fn rows(model: &Differentiable<f32>, image: &Array3<f32>) -> Vec<Array1<f32>> {
    let mut rows: Vec<Array1<f32>> =
        model.layers().iter().map(|layer| Array1::zeros(layer.features as usize)).collect();
    let mut views: Vec<_> = rows.iter_mut().map(|row| row.view_mut()).collect();
    model.forward(image.view(), &mut views).unwrap();
    rows
}

/// Largest difference from the scorer's engine, relative to the largest value of the layer.
fn difference(card: &ModelCard) -> f64 {
    let network = Network::load(card).unwrap();
    let names: Vec<String> = network.layers().iter().map(|layer| layer.name.clone()).collect();
    let model = Differentiable::<f32>::load(card, &names).unwrap();
    let pictures = vec![picture(model.size(), 1), picture(model.size(), 2)];
    let all: Vec<usize> = (0..names.len()).collect();
    let expected = NetworkActivations::new(&network, &pictures, None).activations(0..2, &all).unwrap();
    let mut worst = 0f64;
    for (index, picture) in pictures.iter().enumerate() {
        for (layer, found) in rows(&model, &unit(picture)).iter().enumerate() {
            let expected: ArrayView1<f32> = expected[layer].row(index);
            let scale = expected.iter().fold(0f32, |scale, value| scale.max(value.abs()));
            let most = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            let relative = f64::from(most / scale);
            assert!(relative <= 1e-5, "{} {}: {relative:e}", card.identifier, names[layer]);
            worst = worst.max(relative);
        }
    }
    worst
}

#[test]
fn values_are_those_of_the_scorers_engine() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo/models");
    for name in ["convnet_random", "convnet_trained", "gabor_v1"] {
        let card = ModelCard::load(&demo.join(name).join("model.toml"), None).unwrap();
        eprintln!("{name}: {:e}", difference(&card));
    }
    let Some(data) = data_dir() else { return };
    for name in crate::real::ALL {
        eprintln!("{name}: {:e}", difference(&repository_card(name, &data)));
    }
}
