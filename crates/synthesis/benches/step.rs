//! Cost of a step without the network, at the size of GoogLeNet's twelve layers.
//!
//! `RAYON_NUM_THREADS=1 cargo bench -p ventral-synthesis --bench step`

use std::convert::Infallible;
use std::time::Instant;

use ndarray::{Array2, Array4, ArrayView4};
use ventral_synthesis::objective::of_activations;
use ventral_synthesis::parametrisation::Decoder;
use ventral_synthesis::transforms::Transform;
use ventral_synthesis::{Adam, Network, Objective, Run, Settings, regulariser};

const UNITS: [usize; 12] =
    [802_816, 200_704, 602_112, 200_704, 376_320, 99_568, 100_352, 100_352, 103_488, 163_072, 40_768, 50_176];
const REPEATS: u32 = 10;

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

/// CPU seconds of all threads of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn time(what: &str, mut work: impl FnMut()) {
    work();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    (0..REPEATS).for_each(|_| work());
    let each = 1e3 / f64::from(REPEATS);
    let (wall, cpu) = (each * start.elapsed().as_secs_f64(), each * (cpu_seconds() - cpu));
    println!("{what:40} {cpu:8.1} ms of CPU {wall:8.1} ms");
}

/// The images' side of a step.
fn parts() {
    let decoder = Decoder::new(&Settings::default()).expect("usual settings");
    let parameters = decoder.start(0);
    let images = decoder.decode(&parameters).expect("as many as needed");
    let transform = Transform { down: 3.0, right: -2.0, scale: 0.94, degrees: 4.0 };
    let seen = transform.apply(images.view());
    let mut gradient = Array4::zeros(images.raw_dim());
    time("decode", || drop(decoder.decode(&parameters)));
    time("transform", || drop(transform.apply(images.view())));
    time("transpose of the transform", || drop(transform.pull_back(seen.view())));
    time("total variation", || {
        regulariser::total_variation(images.view(), 1.0, &mut gradient);
    });
    time("range", || {
        regulariser::range(images.view(), 1.0, &mut gradient);
    });
    time("gradient of the parameters", || drop(decoder.pull_back(images.view(), seen.view())));
    let (mut adam, mut moved) = (Adam::new(parameters.len()), parameters.clone());
    let gradient: Vec<f64> = parameters.iter().map(|&value| f64::from(value)).collect();
    time("Adam", || adam.step(&mut moved, &gradient, 0.05));
}

fn main() {
    let network = Constant { layers: layers(16) };
    println!("{} threads", rayon::current_num_threads());
    time("copy, objective and its gradient", || {
        of_activations(network.layers.clone(), &Objective::default()).expect("layers that vary");
    });
    time("similarities alone", || {
        ventral_synthesis::evaluate::rsms(&network.layers).expect("layers that vary");
    });
    time("the copy", || {
        std::hint::black_box(network.layers.clone());
    });
    let mut run = Run::<f32>::new(Settings::default()).expect("usual settings");
    run.step(&network).expect("a step");
    time("whole step with a copy for the network", || {
        run.step(&network).expect("a step");
    });
    parts();
    time("checkpoint", || {
        std::hint::black_box(run.checkpoint());
    });
    println!("checkpoint of {} bytes", run.checkpoint().len());
}
