//! Shared random transforms.

use std::collections::BTreeSet;

use ndarray::{Array4, s};
use ventral_synthesis::Transforms;
use ventral_synthesis::transforms::{OUTSIDE, Transform};

use crate::toy::normal;

fn random(shape: (usize, usize, usize, usize), mut seed: u64) -> Array4<f64> {
    Array4::from_shape_fn(shape, |_| normal(&mut seed))
}

fn dot(a: &Array4<f64>, b: &Array4<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn pull_back_is_the_transpose() {
    let shape = (2, 3, 13, 10);
    let (x, y) = (random(shape, 1), random(shape, 2));
    let nothing = Array4::<f64>::zeros(shape);
    for step in 0..200 {
        let transform = Transform::draw(&Transforms::default(), 4, step);
        let linear = transform.apply(x.view()) - transform.apply(nothing.view());
        let (left, right) = (dot(&linear, &y), dot(&x, &transform.pull_back(y.view())));
        assert!((left - right).abs() <= 1e-11 * left.abs().max(1.0), "{transform:?}: {left} {right}");
    }
}

#[test]
fn nothing_changes_nothing() {
    let x = random((2, 3, 9, 8), 1);
    assert_eq!(Transform::IDENTITY.apply(x.view()), x);
    assert_eq!(Transform::IDENTITY.pull_back(x.view()), x);
}

#[test]
fn whole_pixels_move_without_blur() {
    let x = random((1, 3, 9, 8), 1);
    let moved = Transform { down: 2.0, right: -3.0, ..Transform::IDENTITY }.apply(x.view());
    assert_eq!(moved.slice(s![.., .., ..7, 3..]), x.slice(s![.., .., 2.., ..5]));
    assert!(moved.slice(s![.., .., 7.., ..]).iter().all(|&value| value == OUTSIDE));
    assert!(moved.slice(s![.., .., .., ..3]).iter().all(|&value| value == OUTSIDE));
}

#[test]
fn enlarging_shows_the_middle() {
    let x = Array4::from_shape_fn((1, 1, 21, 21), |(_, _, row, column)| (row + 100 * column) as f64);
    let seen = Transform { scale: 1.1, ..Transform::IDENTITY }.apply(x.view());
    assert!((seen[[0, 0, 20, 10]] - (10.0 + 10.0 / 1.1 + 1000.0)).abs() < 1e-9);
    // A turn of 90 degrees maps the canvas to itself.
    let turned = Transform { degrees: 90.0, ..Transform::IDENTITY }.apply(x.view());
    assert!((turned[[0, 0, 0, 10]] - (10.0 + 0.0)).abs() < 1e-6, "{}", turned[[0, 0, 0, 10]]);
}

#[test]
fn draws_depend_on_seed_and_step_and_stay_in_range() {
    let all: Vec<Transform> =
        (0..4000).map(|step| Transform::draw(&Transforms::default(), 9, step)).collect();
    assert_eq!(all[17], Transform::draw(&Transforms::default(), 9, 17));
    assert_ne!(all[17], Transform::draw(&Transforms::default(), 10, 17));
    let values = |get: fn(&Transform) -> f64| -> BTreeSet<i64> {
        all.iter().map(|transform| (100.0 * get(transform)).round() as i64).collect()
    };
    assert_eq!(values(|t| t.down), (-6..=6).map(|value| 100 * value).collect());
    assert_eq!(values(|t| t.right), (-6..=6).map(|value| 100 * value).collect());
    assert_eq!(values(|t| t.scale), (0..11).map(|value| 90 + 2 * value).collect());
    assert_eq!(values(|t| t.degrees), (-10..=10).map(|value| 100 * value).collect());
    let level = all.iter().filter(|transform| transform.degrees == 0.0).count() as f64 / 4000.0;
    assert!((level - 6.0 / 26.0).abs() < 0.02, "{level}");
}

#[test]
fn each_kind_can_be_off() {
    let only = |transforms: Transforms, step| Transform::draw(&transforms, 1, step);
    let full = only(Transforms::default(), 3);
    let jitter = only(Transforms { jitter: true, ..Transforms::OFF }, 3);
    assert_eq!(jitter, Transform { scale: 1.0, degrees: 0.0, ..full });
    let scale = only(Transforms { scale: true, ..Transforms::OFF }, 3);
    assert_eq!(scale, Transform { scale: full.scale, ..Transform::IDENTITY });
    let rotate = only(Transforms { rotate: true, ..Transforms::OFF }, 3);
    assert_eq!(rotate, Transform { degrees: full.degrees, ..Transform::IDENTITY });
    assert!(Transforms::OFF.is_off() && Transforms { until: 0.0, ..Transforms::default() }.is_off());
    assert!(!Transforms::default().is_off());
}
