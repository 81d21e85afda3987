//! Simulated recordings have the reliability that was asked for.

use ndarray::{Array2, Axis, s};
use ventral_metrics::correlation::pearson;
use ventral_metrics::statistics::median;
use ventral_metrics::{Error, RandomState, SimulatedNeurons, Simulation, TileConsumer, spearman_brown};

fn simulation() -> Simulation {
    Simulation { neurons: 40, units: 16, repeats: 8, reliability: 0.8, seed: 3 }
}

fn layer(stimuli: usize, features: usize) -> Array2<f32> {
    let mut random = RandomState::new(9);
    // Every third unit is silent.
    Array2::from_shape_fn(
        (stimuli, features),
        |(_, unit)| if unit % 3 == 0 { 1.0 } else { random.randn() as f32 },
    )
}

#[test]
fn the_average_over_repeats_is_as_reliable_as_asked() {
    let layer = layer(400, 300);
    let mut neurons = SimulatedNeurons::new(simulation(), 400, 300).unwrap();
    neurons.push(0, layer.slice(s![.., ..200])).unwrap();
    neurons.push(200, layer.slice(s![.., 200..])).unwrap();
    let recordings = neurons.finish().unwrap();
    assert_eq!(recordings.dim(), (8, 400, 40));
    let half =
        |range: std::ops::Range<usize>| recordings.slice(s![range, .., ..]).mean_axis(Axis(0)).unwrap();
    let (first, second) = (half(0..4), half(4..8));
    let reliability: Vec<f64> =
        (0..40).map(|k| spearman_brown(pearson(first.column(k), second.column(k)).unwrap(), 2.0)).collect();
    assert!((median(&reliability) - 0.8).abs() < 0.03, "{}", median(&reliability));
}

#[test]
fn impossible_simulations_are_refused() {
    let change = |change: &dyn Fn(&mut Simulation)| {
        let mut simulation = simulation();
        change(&mut simulation);
        SimulatedNeurons::new(simulation, 10, 300).err()
    };
    assert!(change(&|_| ()).is_none());
    assert!(change(&|s| s.reliability = 1.0).is_none());
    for bad in [0.0, 1.000_001, f64::NAN, -1.0] {
        assert!(matches!(
            change(&|s| s.reliability = bad),
            Some(Error::Parameter { name: "reliability", .. })
        ));
    }
    assert!(matches!(change(&|s| s.neurons = 0), Some(Error::Parameter { name: "neurons", .. })));
    assert!(matches!(change(&|s| s.units = usize::MAX), Some(Error::TooMany { .. })));
    let silent = Array2::<f32>::ones((10, 300));
    let mut neurons = SimulatedNeurons::new(simulation(), 10, 300).unwrap();
    assert!(matches!(neurons.push(1, silent.view()), Err(Error::TileOrder { .. })));
    neurons.push(0, silent.view()).unwrap();
    assert!(matches!(neurons.finish(), Err(Error::TooFew { .. })));
}
