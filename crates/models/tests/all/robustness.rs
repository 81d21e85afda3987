//! Damaged model files are refused; they never panic.

use std::path::Path;
use std::sync::LazyLock;

use ndarray::{Array1, Array3};
use proptest::prelude::*;
use ventral_models::{Differentiable, ModelCard, Network, OnnxFile};

use crate::support::{card, fixture};

static TINY: LazyLock<Vec<u8>> = LazyLock::new(|| std::fs::read(fixture("tiny.onnx")).unwrap());

/// Reads, loads and runs whatever is in `bytes`; errors are fine.
fn load(bytes: &[u8]) {
    if OnnxFile::from_bytes(Path::new("m.onnx"), bytes).is_err() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path().join("m.onnx");
    std::fs::write(&model, bytes).unwrap();
    let card = card(directory.path(), &model, "", "").unwrap();
    match Network::load(&card) {
        Ok(network) => differentiate(&card, &network),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Goes forwards and backwards through what can be loaded.
fn differentiate(card: &ModelCard, network: &Network) {
    let names: Vec<String> = network.layers().iter().map(|layer| layer.name.clone()).collect();
    let Ok(model) = Differentiable::<f32>::load(card, &names) else { return };
    let [height, width] = model.size();
    let image = Array3::from_elem((3, height, width), 0.3);
    let mut rows: Vec<Array1<f32>> =
        model.layers().iter().map(|layer| Array1::zeros(layer.features as usize)).collect();
    let mut views: Vec<_> = rows.iter_mut().map(|row| row.view_mut()).collect();
    if let Ok(trace) = model.forward(image.view(), &mut views) {
        let adjoints: Vec<_> = rows.iter().map(|row| row.view()).collect();
        model.backward(trace, &adjoints).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn truncated(length in 0..5538usize) {
        load(&TINY[..length.min(TINY.len() - 1)]);
    }

    #[test]
    fn flipped_bits_in_the_structure(flips in prop::collection::vec((0..900usize, 0..8u32), 1..4)) {
        let mut bytes = TINY.clone();
        for (at, bit) in flips {
            bytes[at] ^= 1 << bit;
        }
        load(&bytes);
    }

    #[test]
    fn flipped_bits_anywhere(flips in prop::collection::vec((0..5538usize, 0..8u32), 1..6)) {
        let mut bytes = TINY.clone();
        for (at, bit) in flips {
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= 1 << bit;
        }
        load(&bytes);
    }

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        load(&bytes);
    }
}
