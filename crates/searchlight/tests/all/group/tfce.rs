//! Threshold-free cluster enhancement against CoSMoMVPA, nilearn and a slow integral.

use ventral_searchlight::group::{Adjacency, Connectivity, Integral, MAX_STEPS, Tfce};

use super::{assert_close, chain, noise};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;
/// The chain of test_measure_clusters.m.
const SAMPLES: [f64; 7] = [-1.0, 2.0, 1.0, 1.0, NAN, 2.0, 2.0];

fn stepped(dh: f64, extent_power: f64, height_power: f64) -> Tfce {
    Tfce { extent_power, height_power, integral: Integral::Stepped { dh } }
}

fn enhanced(tfce: Tfce, samples: &[f64]) -> Vec<f64> {
    tfce.enhance(samples, &chain(7), None).unwrap()
}

#[test]
fn stepped_enhancement_equals_cosmomvpa() {
    let expect = |tfce: Tfce, alone: f64, pair: f64, both: f64| {
        assert_close(&enhanced(tfce, &SAMPLES), &[0.0, alone, pair, pair, 0.0, both, both], 1e-4);
    };
    expect(stepped(0.1, 0.5, 2.0), 2.7518, 0.6668, 3.4931);
    expect(stepped(0.05, 0.5, 2.0), 2.7935, 0.5348, 3.6310);
    expect(stepped(0.05, 1.0, 2.0), 3.1850, 0.9263, 5.1350);
    expect(stepped(0.05, 0.5, 1.0), 2.2977, 0.8227, 2.7577);
    expect(stepped(3.0, 0.5, 2.0), 0.0, 0.0, 0.0);
    let sizes = stepped(0.05, 0.5, 1.0).enhance(&SAMPLES, &chain(7), Some(&[2.0; 7])).unwrap();
    assert_close(&sizes, &[0.0, 3.2495, 1.1635, 1.1635, 0.0, 3.9000, 3.9000], 1e-4);
}

#[test]
fn infinite_values_are_as_in_cosmomvpa() {
    let samples = [-INF, INF, INF, 1.0, NAN, 2.0, INF];
    let expected = [0.0, INF, INF, 0.6668, 0.0, 3.4931, INF];
    assert_close(&enhanced(stepped(0.1, 0.5, 2.0), &samples), &expected, 1e-4);
    let exact = enhanced(Tfce::default(), &samples);
    assert_close(&exact, &[0.0, INF, INF, 3f64.sqrt() / 3.0, 0.0, 2f64.sqrt() * 8.0 / 3.0, INF], 1e-12);
}

#[test]
fn the_closed_form_is_the_integral() {
    // Extent 3 up to 1, then 1 (or 2) up to 2.
    let low = 3f64.sqrt() / 3.0;
    let expected = [0.0, low + 7.0 / 3.0, low, low, 0.0, 2f64.sqrt() * 8.0 / 3.0, 2f64.sqrt() * 8.0 / 3.0];
    assert_close(&enhanced(Tfce::default(), &SAMPLES), &expected, 1e-14);
}

/// The sum over thresholds by growing every component from its voxel, nothing shared with the program.
fn by_definition(values: &[f64], adjacency: &Adjacency, dh: f64, tfce: &Tfce) -> Vec<f64> {
    let extent = |voxel: usize, h: f64| {
        let (mut seen, mut stack, mut count) = (vec![false; values.len()], vec![voxel], 0.0);
        seen[voxel] = true;
        while let Some(v) = stack.pop() {
            count += 1.0;
            for &n in adjacency.of(v) {
                if !seen[n as usize] && values[n as usize] >= h {
                    seen[n as usize] = true;
                    stack.push(n as usize);
                }
            }
        }
        count
    };
    let steps = |value: f64| (1..).map(|i| f64::from(i) * dh).take_while(move |h| *h <= value);
    let term =
        |voxel, h: f64| f64::powf(extent(voxel, h), tfce.extent_power) * h.powf(tfce.height_power) * dh;
    (0..values.len()).map(|voxel| steps(values[voxel]).map(|h| term(voxel, h)).sum()).collect()
}

fn volume() -> (Vec<f64>, Adjacency) {
    let voxels: Vec<u32> = (0..7 * 6 * 5).filter(|v| v % 11 != 0).collect();
    let adjacency = Adjacency::volume(&voxels, [7, 6, 5], Connectivity::Edges).unwrap();
    // Quarters: many ties.
    let values = noise(1, voxels.len(), 5).iter().map(|v| (v * 4.0).round() / 4.0).collect();
    (values, adjacency)
}

#[test]
fn a_volume_with_ties_equals_the_definition() {
    let (values, adjacency) = volume();
    for (extent_power, height_power) in [(0.5, 2.0), (1.0, 1.0), (0.7, 1.3)] {
        let tfce = stepped(0.25, extent_power, height_power);
        let found = tfce.enhance(&values, &adjacency, None).unwrap();
        assert_close(&found, &by_definition(&values, &adjacency, 0.25, &tfce), 1e-12);
    }
}

#[test]
fn steps_converge_to_the_closed_form() {
    let (values, adjacency) = volume();
    let exact = Tfce::default().enhance(&values, &adjacency, None).unwrap();
    let error = |dh: f64| {
        let found = stepped(dh, 0.5, 2.0).enhance(&values, &adjacency, None).unwrap();
        found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    let (coarse, fine) = (error(0.01), error(0.001));
    assert!(fine < 0.2 * coarse && fine < 0.02, "{coarse} {fine}");
}

#[test]
fn both_sides_without_dh_equal_nilearn() {
    let index = |x: usize, y: usize, z: usize| x + 10 * (y + 10 * z);
    let mut map = vec![0.0; 1000];
    let mut paint = |low: usize, high: usize, value: f64| {
        for (x, y, z) in (0..8).map(|i| (i % 2, i / 2 % 2, i / 4)) {
            map[index(low + x, low + y, low + z)] = value;
        }
        map[index(low, high, low)] = value;
        map[index(high, low, low)] = value;
    };
    paint(0, 2, 10.0);
    paint(3, 5, -11.0);
    let voxels: Vec<u32> = (0..1000).collect();
    let adjacency = Adjacency::volume(&voxels, [10; 3], Connectivity::Faces).unwrap();
    let largest = |values: Vec<f64>| values.into_iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let hundred =
        Tfce { extent_power: 1.0, height_power: 1.0, integral: Integral::StepsToMaximum { steps: 100 } };
    assert_close(&[largest(hundred.enhance(&map, &adjacency, None).unwrap())], &[5050.0], 1e-12);
    let both = hundred.enhance_both(&map, &adjacency, None).unwrap();
    assert_close(&[largest(both.clone()), both[index(3, 3, 3)]], &[5555.0, -5555.0], 1e-12);
    let ones = stepped(1.0, 1.0, 1.0).enhance(&map, &adjacency, None).unwrap();
    assert_eq!(largest(ones), 550.0);
}

#[test]
fn bad_settings_are_errors() {
    let refused = |tfce: Tfce| tfce.enhance(&SAMPLES, &chain(7), None).is_err();
    for bad in [0.0, -0.1, NAN, INF] {
        assert!(
            refused(stepped(bad, 0.5, 2.0))
                && refused(stepped(0.1, bad, 2.0))
                && refused(stepped(0.1, 0.5, bad))
        );
    }
    let last = 2.0 / MAX_STEPS as f64;
    assert!(!refused(stepped(last * 1.000_001, 0.5, 2.0)) && refused(stepped(last * 0.999, 0.5, 2.0)));
    for steps in [0, MAX_STEPS + 1] {
        assert!(refused(Tfce { integral: Integral::StepsToMaximum { steps }, ..Tfce::default() }));
    }
    assert!(Tfce::default().enhance(&SAMPLES, &chain(6), None).is_err());
    assert!(Tfce::default().enhance(&SAMPLES, &chain(7), Some(&[1.0; 6])).is_err());
}
