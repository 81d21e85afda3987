//! Runs a model over pictures, times it, and writes activations for comparison with other engines.
//!
//!     cargo run --release -p ventral-models --example forward -- CARD DATA PICTURES.npy THREADS REPEATS [OUT.npz]
//!
//! PICTURES.npy is n x height x width x 3, uint8. The time is that of the best repeat, all layers of the card asked for.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array3, Array4, Axis};
use ndarray_npy::{NpzWriter, ReadNpyExt};
use ventral_models::{ActivationSource, ModelCard, Network, NetworkActivations};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [card, data, pictures, threads, repeats, out @ ..] = arguments.as_slice() else {
        return Err("usage: forward CARD DATA PICTURES.npy THREADS REPEATS [OUT.npz]".into());
    };
    let network = Network::load(&ModelCard::load(Path::new(card), Some(Path::new(data)))?)?;
    let pictures = Array4::<u8>::read_npy(File::open(pictures)?)?;
    let pictures: Vec<Array3<u8>> = pictures.axis_iter(Axis(0)).map(|picture| picture.to_owned()).collect();
    let source = NetworkActivations::new(&network, &pictures, None);
    let layers: Vec<usize> = (0..network.layers().len()).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
    let mut best = f64::INFINITY;
    for _ in 0..repeats.parse::<usize>()? {
        let start = Instant::now();
        pool.install(|| source.activations(0..pictures.len(), &layers))?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{:.2}", pictures.len() as f64 / best);
    if let [out] = out {
        let mut npz = NpzWriter::new(File::create(out)?);
        for (layer, values) in network.layers().iter().zip(source.activations(0..pictures.len(), &layers)?) {
            npz.add_array(layer.name.replace('/', "|"), &values)?;
        }
        npz.finish()?;
    }
    Ok(())
}
