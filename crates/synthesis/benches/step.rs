//! Cost of a step without the network, at the size of GoogLeNet's twelve layers.
//!
//! `RAYON_NUM_THREADS=1 cargo bench -p ventral-synthesis --bench step`

use std::convert::Infallible;
use std::time::Instant;

use ndarray::{Array2, Array4, ArrayView4};
use ventral_synthesis::objective::of_activations;
use ventral_synthesis::{Network, Objective, Run, Settings};

const UNITS: [usize; 12] =
    [802_816, 200_704, 602_112, 200_704, 376_320, 99_568, 100_352, 100_352, 103_488, 163_072, 40_768, 50_176];
const REPEATS: u32 = 5;

/// Costs nothing: the same activations whatever the images.
struct Constant {
    layers: Vec<Array2<f32>>,
}

impl Network<f32> for Constant {
    type Trace = [usize; 4];
    type Error = Infallible;

    fn units(&self) -> &[usize] {
        &UNITS
    }

    fn forward(&self, images: ArrayView4<'_, f32>) -> Result<(Vec<Array2<f32>>, [usize; 4]), Infallible> {
        let (n, channels, height, width) = images.dim();
        Ok((self.layers.clone(), [n, channels, height, width]))
    }

    fn backward(&self, shape: [usize; 4], _: &[Array2<f32>]) -> Result<Array4<f32>, Infallible> {
        Ok(Array4::from_elem(shape, 1e-3))
    }
}

fn layers(images: usize) -> Vec<Array2<f32>> {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / 8_388_608.0 - 1.0).max(0.0)
    };
    UNITS.iter().map(|&units| Array2::from_shape_simple_fn((images, units), &mut next)).collect()
}

fn time(what: &str, mut work: impl FnMut()) {
    work();
    let start = Instant::now();
    (0..REPEATS).for_each(|_| work());
    println!("{what:40} {:8.1} ms", 1e3 * start.elapsed().as_secs_f64() / f64::from(REPEATS));
}

fn main() {
    let network = Constant { layers: layers(16) };
    println!("{} threads", rayon::current_num_threads());
    time("objective and its gradient", || {
        of_activations(&network.layers, &Objective::default()).expect("layers that vary");
    });
    time("copy of the activations (in the next)", || {
        std::hint::black_box(network.layers.clone());
    });
    let mut run = Run::<f32>::new(Settings::default()).expect("usual settings");
    run.step(&network).expect("a step");
    time("whole step without the network", || {
        run.step(&network).expect("a step");
    });
    time("checkpoint", || {
        std::hint::black_box(run.checkpoint());
    });
    println!("checkpoint of {} bytes", run.checkpoint().len());
}
