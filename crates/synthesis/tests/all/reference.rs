//! A whole run on a small network (spec §1.6).

use ndarray::{Array4, ArrayView4};
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation, Statistics, rsms};
use ventral_synthesis::quantise::to_unit;
use ventral_synthesis::{Network, Run, Settings, StopRule};

use crate::toy::{Activation, EIGHT, Toy};

pub fn settings() -> Settings {
    let stop = StopRule { steps: 300, mean_abs_r: 0.0, relative_change: 0.0 };
    Settings { size: [32, 32], stop, ..Settings::default() }
}

pub fn net() -> Toy<f32> {
    Toy::new([32, 32], EIGHT, Activation::Relu, 1)
}

pub fn judge(net: &Toy<f32>, images: ArrayView4<'_, f32>) -> Statistics {
    let layers = net.activations(images).unwrap();
    LayerCorrelation::new(rsms(&layers).unwrap().view(), Coefficient::Pearson).unwrap().statistics().unwrap()
}

#[test]
fn a_small_run_reaches_its_thresholds() {
    let net = net();
    let mut run = Run::<f32>::new(settings()).unwrap();
    eprintln!("start {:?}", judge(&net, run.images().view()));
    while run.stopped().is_none() {
        let record = run.step(&net).unwrap();
        if record.step % 25 == 0 { eprintln!("{}", record.to_json()); }
    }
    eprintln!("float {:?}", judge(&net, run.images().view()));
    let quantised: Array4<f32> = to_unit(run.quantised().view());
    eprintln!("8 bit {:?}", judge(&net, quantised.view()));
}
