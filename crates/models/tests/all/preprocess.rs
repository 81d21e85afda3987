use std::borrow::Cow;

use ndarray::{Array1, Array3};
use ventral_models::{
    BACKGROUND, Channels, Layout, MAX_SCREEN_SIDE, Preprocessing, Resize, Scale, place_on_screen, resize,
};

use crate::support::npz;

fn preprocessing(height: u32, width: u32) -> Preprocessing {
    Preprocessing {
        size: [height, width],
        channels: Channels::Rgb,
        scale: Scale::One,
        mean: [0.0; 3],
        std: [1.0; 3],
        resize: Resize::Exact,
        layout: Layout::Nchw,
        degrees: 8.0,
    }
}

/// Largest difference in grey levels.
fn distance(a: &Array3<u8>, b: &Array3<u8>) -> u8 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn resizing_is_that_of_pil() {
    for case in 0..6 {
        let source: Array3<u8> = npz("images.npz", &format!("resize{case}:in"));
        let golden: Array3<u8> = npz("images.npz", &format!("resize{case}:out"));
        let (height, width, _) = golden.dim();
        let found = resize(source.view(), height as u32, width as u32).unwrap();
        assert_eq!(distance(&found, &golden), 0, "case {case}");
    }
}

#[test]
fn the_shorter_side_rule_resizes_and_crops_the_centre() {
    for case in 0..2 {
        let source: Array3<u8> = npz("images.npz", &format!("shorter{case}:in"));
        let golden: Array3<u8> = npz("images.npz", &format!("shorter{case}:out"));
        let rule: Array1<i64> = npz("images.npz", &format!("shorter{case}:rule"));
        let mut rules = preprocessing(rule[1] as u32, rule[1] as u32);
        rules.resize = Resize::Shorter(rule[0] as u32);
        let found = rules.apply(source.view()).unwrap();
        let levels = Array3::from_shape_fn(golden.dim(), |(y, x, c)| found[[0, c, y, x]] as u8);
        assert_eq!(distance(&levels, &golden), 0, "case {case}");
    }
}

#[test]
fn the_screen_is_that_of_the_reference() {
    for case in 0..5 {
        let source: Array3<u8> = npz("images.npz", &format!("screen{case}:in"));
        let golden: Array3<u8> = npz("images.npz", &format!("screen{case}:out"));
        let degrees: Array1<f64> = npz("images.npz", &format!("screen{case}:degrees"));
        let found = place_on_screen(&source, degrees[0], degrees[1]).unwrap();
        assert_eq!(found.as_ref(), &golden, "case {case}");
    }
}

#[test]
fn a_ring_of_grey_surrounds_an_image_shown_at_more_degrees() {
    let image = Array3::from_elem((1855, 1855, 3), 0u8);
    let found = place_on_screen(&image, 10.0, 8.0).unwrap();
    assert_eq!(found.dim(), (2319, 2319, 3), "2318.75 is rounded");
    assert_eq!(found[[231, 231, 0]], BACKGROUND);
    assert_eq!(found[[232, 232, 0]], 0);
}

#[test]
fn an_image_at_the_models_degrees_is_untouched() {
    let image = Array3::from_elem((3, 5, 3), 9u8);
    assert!(matches!(place_on_screen(&image, 8.0, 8.0).unwrap(), Cow::Borrowed(_)));
}

#[test]
fn impossible_screens_are_refused() {
    let image = Array3::from_elem((2, MAX_SCREEN_SIDE / 2, 3), 9u8);
    place_on_screen(&image, 16.0, 8.0).unwrap();
    for (target, source) in
        [(16.01, 8.0), (1.0, 8.0), (f64::NAN, 8.0), (8.0, 0.0), (-8.0, 8.0), (f64::INFINITY, 8.0)]
    {
        place_on_screen(&image, target, source).unwrap_err();
    }
}

#[test]
fn values_are_scaled_shifted_and_reordered() {
    let image = Array3::from_shape_fn((1, 2, 3), |(_, x, c)| [[10, 20, 30], [255, 0, 51]][x][c]);
    let mut rules = preprocessing(1, 2);
    rules.mean = [1.0, 2.0, 4.0];
    rules.std = [2.0, 4.0, 8.0];
    let rgb = rules.apply(image.view()).unwrap();
    assert_eq!(rgb.as_slice().unwrap(), [4.5, 127.0, 4.5, -0.5, 3.25, 5.875]);
    rules.channels = Channels::Bgr;
    let bgr = rules.apply(image.view()).unwrap();
    assert_eq!(bgr.as_slice().unwrap(), [14.5, 25.0, 4.5, -0.5, 0.75, 31.375]);
    rules.layout = Layout::Nhwc;
    let last = rules.apply(image.view()).unwrap();
    assert_eq!(last.as_slice().unwrap(), [14.5, 4.5, 0.75, 25.0, -0.5, 31.375]);
    rules.scale = Scale::By255;
    assert_eq!(rules.apply(image.view()).unwrap()[[0, 0, 1, 2]], (1.0 - 4.0) / 8.0);
}

#[test]
fn images_without_pixels_or_colours_are_refused() {
    for shape in [(0, 4, 3), (4, 0, 3), (4, 4, 1), (4, 4, 4)] {
        preprocessing(8, 8).apply(Array3::<u8>::zeros(shape).view()).unwrap_err();
    }
}

#[test]
fn a_sliver_is_not_blown_up_without_limit() {
    let mut rules = preprocessing(64, 64);
    rules.resize = Resize::Shorter(64);
    rules.apply(Array3::<u8>::zeros((1, 100_000, 3)).view()).unwrap_err();
}
