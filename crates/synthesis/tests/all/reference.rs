use ndarray::{Array4, ArrayView4};
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation, Statistics, rsms};
use ventral_synthesis::quantise::to_unit;
use ventral_synthesis::*;
use crate::toy::{Activation, EIGHT, Toy};
pub fn settings() -> Settings {
    let stop = StopRule { steps: 300, mean_abs_r: 0.0, relative_change: 0.0 };
    Settings { size: [32, 32], stop, ..Settings::default() }
}
pub fn judge(net: &Toy<f32>, images: ArrayView4<'_, f32>) -> Statistics {
    let layers = net.activations(images).unwrap();
    LayerCorrelation::new(rsms(&layers).unwrap().view(), Coefficient::Pearson).unwrap().statistics().unwrap()
}
#[test]
fn experiment() {
    let off = Transforms::OFF;
    let base = settings();
    let o = Objective::default();
    let list: Vec<(&str, Settings)> = vec![
        ("default", base.clone()),
        ("off", Settings { transforms: off, ..base.clone() }),
        ("off pixels", Settings { transforms: off, parametrisation: Parametrisation::Pixels, ..base.clone() }),
        ("off lr .02", Settings { transforms: off, learning_rate: 0.02, ..base.clone() }),
        ("off lr .01", Settings { transforms: off, learning_rate: 0.01, ..base.clone() }),
        ("off decay 0", Settings { transforms: off, parametrisation: Parametrisation::Fourier { decay: 0.0 }, ..base.clone() }),
        ("off nospread", Settings { transforms: off, objective: Objective { spread: 0.0, ..o }, ..base.clone() }),
        ("off notv", Settings { transforms: off, objective: Objective { total_variation: 0.0, range: 0.0, ..o }, ..base.clone() }),
        ("jitter", Settings { transforms: Transforms { scale: false, rotate: false, ..Default::default() }, ..base.clone() }),
        ("scale", Settings { transforms: Transforms { jitter: false, rotate: false, ..Default::default() }, ..base.clone() }),
        ("until .5", Settings { transforms: Transforms { until: 0.5, ..Default::default() }, ..base.clone() }),
    ];
    let net = Toy::<f32>::new([32, 32], EIGHT, Activation::Relu, 1);
    for (name, settings) in list {
        let mut run = Run::<f32>::new(settings).unwrap();
        let mut text = String::new();
        while run.stopped().is_none() {
            let record = run.step(&net).unwrap();
            if [25, 50, 100, 200].contains(&record.step) { text += &format!(" {}:{:.4}", record.step, record.untransformed.unwrap()); }
        }
        let q: Array4<f32> = to_unit(run.quantised().view());
        let (f, q) = (judge(&net, run.images().view()), judge(&net, q.view()));
        eprintln!("{name:14}{text} float {:.4} {:.4} 8bit {:.4} {:.4} sd {:.3?} clipped {:.2}", f.mean_abs_r, f.max_abs_r, q.mean_abs_r, q.max_abs_r, q.sd, run.records().last().unwrap().clipped);
    }
}
