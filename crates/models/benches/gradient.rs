//! Activations and gradients with respect to the image.
//!
//! `cargo bench -p ventral-models --bench gradient -- CARD DATA THREADS IMAGES REPEATS [LAYER ...]`
//!
//! Without layers, the card's own but the readout. Prints one line of JSON: the best of the repeats in wall and CPU milliseconds per
//! image, what a trace holds, and the peak memory of the process. The last line runs one image at a time.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array1, Array3};
use rayon::prelude::*;
use ventral_models::{Differentiable, ModelCard, Network};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [card, data, threads, images, repeats, layers @ ..] = arguments.as_slice() else {
        return Err("usage: gradient CARD DATA THREADS IMAGES REPEATS [LAYER ...]".into());
    };
    let card = ModelCard::load(Path::new(card), Some(Path::new(data)))?;
    let layers = if layers.is_empty() { layers_of(&card)? } else { layers.to_vec() };
    let model = Differentiable::<f32>::load(&card, &layers)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
    let [height, width] = model.size();
    let images: Vec<Array3<f32>> = (0..images.parse()?)
        .map(|seed| Array3::from_shape_fn((3, height, width), |place| noise(place, seed)))
        .collect();
    for (name, images) in [("side by side", images.as_slice()), ("alone", &images[..1])] {
        let mut best = [f64::INFINITY; 4];
        for _ in 0..repeats.parse()? {
            let measured = pool.install(|| step(&model, images));
            best = [0, 1, 2, 3].map(|i| f64::min(best[i], measured[i] / images.len() as f64));
        }
        println!(
            "{{\"images\": {:?}, \"count\": {}, \"threads\": {threads}, \"layers\": {}, \"forward_ms\": {:.1}, \"step_ms\": {:.1}, \"forward_cpu_ms\": {:.1}, \"step_cpu_ms\": {:.1}, \"trace_mb\": {:.1}, \"peak_mb\": {}}}",
            name,
            images.len(),
            layers.len(),
            best[0],
            best[1],
            best[2],
            best[3],
            model.trace_bytes() as f64 / 1e6,
            status("VmHWM") / 1024,
        );
    }
    Ok(())
}

fn layers_of(card: &ModelCard) -> Result<Vec<String>> {
    let network = Network::load(card)?;
    let readout = network.layer("logits").ok();
    let names = network.layers().iter().enumerate().filter(|(index, _)| Some(*index) != readout);
    Ok(names.map(|(_, layer)| layer.name.clone()).collect())
}

/// Wall and CPU milliseconds of the forward pass, and of forward and backward together: wall, wall, CPU, CPU.
fn step(model: &Differentiable<f32>, images: &[Array3<f32>]) -> [f64; 4] {
    let (start, cpu) = (Instant::now(), cpu_ms());
    let traces: Vec<_> = images
        .par_iter()
        .map(|image| {
            let mut rows: Vec<Array1<f32>> =
                model.layers().iter().map(|layer| Array1::zeros(layer.features as usize)).collect();
            let mut views: Vec<_> = rows.iter_mut().map(|row| row.view_mut()).collect();
            let trace = model.forward(image.view(), &mut views);
            (rows, trace)
        })
        .collect();
    let (forward, forward_cpu) = (start.elapsed().as_secs_f64() * 1e3, cpu_ms() - cpu);
    let gradients: f32 = traces
        .into_par_iter()
        .map(|(rows, trace)| {
            let adjoints: Vec<_> = rows.iter().map(|row| row.view()).collect();
            trace
                .and_then(|trace| model.backward(trace, &adjoints))
                .map_or(f32::NAN, |gradient| gradient.sum())
        })
        .collect::<Vec<f32>>()
        .iter()
        .sum();
    assert!(gradients.is_finite());
    [forward, start.elapsed().as_secs_f64() * 1e3, forward_cpu, cpu_ms() - cpu]
}

fn noise((channel, y, x): (usize, usize, usize), seed: u64) -> f32 {
    let mut h = (channel as u64) << 50 ^ (y as u64) << 30 ^ (x as u64) << 10 ^ seed;
    h = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (h >> 40) as f32 / (1u32 << 24) as f32
}

/// CPU time of all threads of this process, in ticks of 10 ms.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) * 10.0
}

fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
