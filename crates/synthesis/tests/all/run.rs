//! The loop: same bytes, stop rules, failures.

use std::cell::Cell;

use ndarray::{Array2, Array4, ArrayView4, Axis};
use ventral_synthesis::{
    Error, Network, Parametrisation, Run, Settings, StepError, StepRecord, StopReason, StopRule, Transforms,
};

use crate::toy::{Activation, THREE, Toy};

const SIDE: usize = 12;

pub fn settings() -> Settings {
    let stop = StopRule { steps: 60, mean_abs_r: 0.0, relative_change: 0.0 };
    let transforms = Transforms { until: 0.6, ..Transforms::default() };
    Settings { images: 6, size: [SIDE, SIDE], seed: 3, stop, transforms, ..Settings::default() }
}

pub fn net() -> Toy<f32> {
    Toy::new([SIDE, SIDE], THREE, Activation::Relu, 5)
}

pub fn finish(mut run: Run<f32>, net: &Toy<f32>) -> Run<f32> {
    while run.stopped().is_none() {
        run.step(net).unwrap();
    }
    run
}

#[test]
fn same_seed_same_bytes_for_any_number_of_threads() {
    for parametrisation in [Parametrisation::default(), Parametrisation::Pixels] {
        let settings = Settings { parametrisation, ..settings() };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| finish(Run::new(settings.clone()).unwrap(), &net()))
        };
        let first = with(1);
        for other in [with(2), with(3)] {
            assert_eq!(first.checkpoint(), other.checkpoint());
            assert_eq!(first.quantised(), other.quantised());
            assert_eq!(first.images(), other.images());
        }
        let other_seed = finish(Run::new(Settings { seed: 4, ..settings.clone() }).unwrap(), &net());
        assert_ne!(first.quantised(), other_seed.quantised());
    }
}

#[test]
fn records_hold_what_happened() {
    let run = finish(Run::new(settings()).unwrap(), &net());
    assert_eq!((run.steps(), run.records().len()), (60, 60));
    assert_eq!(run.stopped(), Some(StopReason::StepLimit));
    for (record, step) in run.records().iter().zip(0..) {
        assert_eq!(record.step, step);
        assert_eq!(record.untransformed.is_some(), step % 25 == 0, "{step}");
        assert_eq!(record.sd.len(), 3);
        let line = record.to_json();
        assert!(!line.contains('\n'));
        assert_eq!(&serde_json::from_str::<StepRecord>(&line).unwrap(), record);
    }
    // Transforms end after 36 steps: from there the measurement is that of the step.
    let (transformed, plain) = (&run.records()[25], &run.records()[50]);
    assert_ne!(transformed.untransformed, Some(transformed.mean_abs_r));
    assert_eq!(plain.untransformed, Some(plain.mean_abs_r));
    let (first, last) = (&run.records()[0], &run.records()[59]);
    assert!(last.j < 0.5 * first.j, "{} {}", first.j, last.j);
}

#[test]
fn transforms_end_at_their_share_of_the_steps() {
    for (until, plain) in [(0.5, true), (0.52, false)] {
        let transforms = Transforms { until, ..Transforms::default() };
        let stop = StopRule { steps: 50, ..settings().stop };
        let run = finish(Run::new(Settings { stop, transforms, ..settings() }).unwrap(), &net());
        let record = &run.records()[25];
        assert_eq!(record.untransformed == Some(record.mean_abs_r), plain, "{until}");
    }
}

#[test]
fn a_stopped_run_takes_no_step() {
    let mut run = finish(Run::new(settings()).unwrap(), &net());
    let before = run.checkpoint();
    assert!(matches!(run.step(&net()), Err(StepError::Stopped { steps: 60 })));
    assert_eq!(run.checkpoint(), before);
}

#[test]
fn converged_and_stalled() {
    let stop = StopRule { steps: 500, mean_abs_r: 0.02, relative_change: 0.0 };
    let run = finish(Run::new(Settings { stop, transforms: Transforms::OFF, ..settings() }).unwrap(), &net());
    assert_eq!(run.stopped(), Some(StopReason::Converged));
    assert!(run.steps() < 400 && run.steps() % 25 == 1, "{}", run.steps());
    // Within 200 steps it falls to less than two fifths of what it was: it does not stay within 0.6 of it.
    let stop = StopRule { steps: 230, mean_abs_r: 0.0, relative_change: 0.6 };
    let run = finish(Run::new(Settings { stop, transforms: Transforms::OFF, ..settings() }).unwrap(), &net());
    assert_eq!(run.stopped(), Some(StopReason::StepLimit));
}

#[test]
fn a_run_stalls_only_after_its_transforms() {
    // Any change is little: as soon as there are 200 steps to look back on.
    let stop = StopRule { steps: 700, mean_abs_r: 0.0, relative_change: 1.0 };
    let on = |until| Transforms { until, ..Transforms::default() };
    let off = Transforms { until: 0.5, ..Transforms::OFF };
    // Transforms end with step 280, before the measurement of step 300.
    for (transforms, steps) in [(on(1.0), 201), (Transforms::OFF, 201), (off, 201), (on(0.4), 501)] {
        let run = finish(Run::new(Settings { stop, transforms, ..settings() }).unwrap(), &net());
        assert_eq!((run.stopped(), run.steps()), (Some(StopReason::Stalled), steps), "{transforms:?}");
    }
    // Too few steps are left to be judged.
    let run = finish(Run::new(Settings { stop, transforms: on(0.8), ..settings() }).unwrap(), &net());
    assert_eq!((run.stopped(), run.steps()), (Some(StopReason::StepLimit), 700));
}

#[test]
fn identical_layers_stop_the_run_by_name() {
    let net = net().showing(&[0, 1, 1, 2]);
    for transforms in [Transforms::OFF, Transforms::default()] {
        let run = finish(Run::new(Settings { transforms, ..settings() }).unwrap(), &net);
        assert_eq!(run.stopped(), Some(StopReason::Irreducible { pairs: vec![[1, 2]] }));
        assert_eq!(run.irreducible(), [[1, 2]]);
        assert_eq!(run.steps(), 26);
        assert!(run.records().iter().all(|record| record.j.is_finite() && record.worst == [1, 2]));
        assert_eq!(run.stopped().unwrap().to_string(), "irreducible layers 1-2");
    }
}

/// Spoils what the network gives at one step.
struct Faulty {
    net: Toy<f32>,
    units: Vec<usize>,
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Activation,
    Dead,
    Gradient,
    Huge,
    Shape,
    Layers,
    Own,
}

impl Network<f32> for Faulty {
    type Trace = <Toy<f32> as Network<f32>>::Trace;
    type Error = &'static str;

    fn units(&self) -> &[usize] {
        &self.units
    }

    fn forward(&self, images: ArrayView4<'_, f32>) -> Result<(Vec<Array2<f32>>, Self::Trace), &'static str> {
        let Ok((mut layers, trace)) = self.net.forward(images);
        match self.fault {
            Fault::Activation => layers[1][[4, 7]] = f32::NAN,
            Fault::Dead => layers[2].row_mut(5).fill(0.0),
            Fault::Layers => layers.truncate(2),
            Fault::Own => return Err("out of memory"),
            _ => {}
        }
        Ok((layers, trace))
    }

    fn backward(&self, trace: Self::Trace, adjoints: &[Array2<f32>]) -> Result<Array4<f32>, &'static str> {
        let Ok(mut gradient) = self.net.backward(trace, adjoints);
        match self.fault {
            Fault::Gradient => gradient[[3, 1, 2, 2]] = f32::NAN,
            Fault::Huge => gradient.index_axis_mut(Axis(0), 3).fill(1e30),
            Fault::Shape => gradient = Array4::zeros((6, 3, SIDE, SIDE - 1)),
            _ => {}
        }
        Ok(gradient)
    }
}

#[test]
fn a_faulty_network_is_named_and_changes_nothing() {
    let faulty = |fault| Faulty { net: net(), units: net().units().to_vec(), fault };
    let mut run = Run::<f32>::new(settings()).unwrap();
    for _ in 0..3 {
        run.step(&faulty(Fault::None)).unwrap();
    }
    let before = run.checkpoint();
    let count = Cell::new(0);
    let mut refused = |fault| {
        let error = run.step(&faulty(fault)).unwrap_err();
        assert_eq!(run.checkpoint(), before);
        assert!(error.to_string().starts_with("step 3: "), "{error}");
        count.set(count.get() + 1);
        error
    };
    let mut because = |fault| match refused(fault) {
        StepError::Synthesis { source, .. } => source,
        other => panic!("{other}"),
    };
    assert_eq!(because(Fault::Activation), Error::Activation { layer: 1, image: 4 });
    assert_eq!(because(Fault::Dead), Error::ConstantImage { layer: 2, image: 5 });
    assert_eq!(because(Fault::Gradient), Error::Gradient { image: 3 });
    assert_eq!(because(Fault::Huge), Error::Gradient { image: 3 });
    assert!(matches!(because(Fault::Shape), Error::Mismatch { .. }));
    assert!(matches!(because(Fault::Layers), Error::Mismatch { .. }));
    assert!(matches!(refused(Fault::Own), StepError::Network { step: 3, source: "out of memory" }));
    assert_eq!(count.get(), 7);
    let other = net().showing(&[0, 2]);
    assert!(matches!(run.step(&other), Err(StepError::Synthesis { source: Error::Mismatch { .. }, .. })));
    let single = net().showing(&[0]);
    let few = Error::TooFew { what: "layers", needed: 2, found: 1 };
    assert!(matches!(run.step(&single), Err(StepError::Synthesis { source, .. }) if source == few));
    run.step(&net()).unwrap();
}
