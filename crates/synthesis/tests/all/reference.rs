//! A whole run on a small network (spec §1.6). Thresholds are those of the spec; what is reached stands beside them.

use ndarray::{Array1, Array2, Array4, ArrayView1, ArrayView4, Axis};
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation, Statistics, rsms};
use ventral_synthesis::parametrisation::Decoder;
use ventral_synthesis::quantise::{quantise, to_unit};
use ventral_synthesis::{Network, Parametrisation, Run, Settings, StopRule, Transforms};

use crate::toy::{Activation, EIGHT, Toy, normal};

const SIDE: usize = 32;
/// Noise of a brain region, in units of an RSM's spread, at which natural images recover 7 layers of 10. Frozen.
const NOISE: f64 = 2.7;

/// Shifts of 6 pixels are a fifth of these images, so the transforms end half-way.
fn settings() -> Settings {
    let stop = StopRule { steps: 300, mean_abs_r: 0.0, relative_change: 0.0 };
    let transforms = Transforms { until: 0.5, ..Transforms::default() };
    Settings { size: [SIDE, SIDE], stop, transforms, ..Settings::default() }
}

fn similarities(net: &Toy<f32>, images: ArrayView4<'_, f32>) -> Array2<f64> {
    let Ok(layers) = net.activations(images);
    rsms(&layers).unwrap()
}

fn judge(rsms: &Array2<f64>) -> Statistics {
    LayerCorrelation::new(rsms.view(), Coefficient::Pearson).unwrap().statistics().unwrap()
}

/// Images with the spectrum of natural ones and twelve times the contrast of a start.
fn natural_images(seed: u64) -> Array4<f32> {
    let decoder = Decoder::new(&settings()).unwrap();
    let parameters: Vec<f64> = decoder.start(seed).iter().map(|&value| 12.0 * f64::from(value)).collect();
    to_unit(quantise(decoder.decode(&parameters).unwrap().view()).view())
}

fn correlation(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    let (a, b) = (&a - a.mean().unwrap(), &b - b.mean().unwrap());
    a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
}

fn most_alike(images: &Array4<f32>) -> f64 {
    let flat: Vec<Array1<f64>> =
        images.outer_iter().map(|image| image.iter().map(|&value| f64::from(value)).collect()).collect();
    let mut largest: f64 = -1.0;
    for (index, first) in flat.iter().enumerate() {
        for second in &flat[..index] {
            largest = largest.max(correlation(first.view(), second.view()));
        }
    }
    largest
}

/// In how many of `draws` noisy copies of each layer's RSM that layer correlates most.
fn recovered(rsms: &Array2<f64>, noise: f64, draws: usize) -> f64 {
    let mut state = 21;
    let mut hits = 0;
    for (layer, own) in rsms.outer_iter().enumerate() {
        let scale = own.std(0.0) * noise;
        for _ in 0..draws {
            let brain = own.mapv(|value| value + scale * normal(&mut state));
            let fits: Vec<f64> = rsms.outer_iter().map(|other| correlation(brain.view(), other)).collect();
            hits += usize::from(fits.iter().all(|&fit| fit <= fits[layer]));
        }
    }
    hits as f64 / (draws * rsms.nrows()) as f64
}

#[test]
fn a_small_run_reaches_its_thresholds() {
    let net = Toy::<f32>::new([SIDE, SIDE], EIGHT, Activation::Relu, 1);
    for parametrisation in [Parametrisation::default(), Parametrisation::Pixels] {
        let mut run = Run::<f32>::new(Settings { parametrisation, ..settings() }).unwrap();
        let before = judge(&similarities(&net, run.images().view()));
        while run.stopped().is_none() {
            run.step(&net).unwrap();
        }
        let float = judge(&similarities(&net, run.images().view()));
        let images: Array4<f32> = to_unit(run.quantised().view());
        let found = similarities(&net, images.view());
        let eight_bit = judge(&found);
        let natural = similarities(&net, natural_images(1).view());
        println!(
            "{parametrisation:?}: start {:.3}, float {:.4}, 8 bit {:.4} (max {:.4}), natural {:.3}, alike {:.3}",
            before.mean_abs_r,
            float.mean_abs_r,
            eight_bit.mean_abs_r,
            eight_bit.max_abs_r,
            judge(&natural).mean_abs_r,
            most_alike(&images)
        );
        assert!(before.mean_abs_r > 0.3);
        assert!(float.mean_abs_r < 0.02, "{float:?}");
        assert!(eight_bit.mean_abs_r < 0.03 && eight_bit.max_abs_r < 0.10, "{eight_bit:?}");
        assert!(judge(&natural).mean_abs_r > 0.3);
        assert!(eight_bit.sd.iter().all(|&sd| sd > 0.025), "{eight_bit:?}");
        assert!(most_alike(&images) < 0.95);
        let (before, after) = (recovered(&natural, NOISE, 500), recovered(&found, NOISE, 500));
        println!("layer recovered: natural {before:.3}, synthesised {after:.3}");
        assert!((0.65..0.75).contains(&before) && after >= 0.95, "{before} {after}");
    }
}

#[test]
fn images_have_the_axis_order_that_is_promised() {
    let run = Run::<f32>::new(settings()).unwrap();
    let (images, bytes) = (run.images(), run.quantised());
    assert_eq!((images.dim(), bytes.dim()), ((16, 3, SIDE, SIDE), (16, SIDE, SIDE, 3)));
    assert_eq!(bytes, quantise(images.view()));
    assert!(images.axis_iter(Axis(0)).all(|image| image.iter().all(|&value| value > 0.0 && value < 1.0)));
}
