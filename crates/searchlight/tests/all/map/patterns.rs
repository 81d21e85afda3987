use ndarray::{Array2, array};
use ventral_searchlight::{Error, MAX_IMAGES, Patterns, Preparation, Removed, noise_sd, prepare};

use super::plain;

#[test]
fn unusable_voxels_are_removed_and_counted() {
    let mut first = plain::responses(6, 4, 0.0, 1);
    let second = plain::responses(6, 4, 0.0, 2);
    first[[1, 2]] = f32::NAN;
    first[[2, 0]] = f32::INFINITY;
    first.row_mut(4).fill(3.0);
    let mask = [2, 3, 5, 7, 11, 13];
    let (patterns, removed) = Patterns::from_mask(&mask, &[first.view(), second.view()]).expect("patterns");
    assert_eq!(patterns.voxels(), [2, 7, 13]);
    assert_eq!(removed, Removed { non_finite: 2, constant: 1 });
    assert_eq!(patterns.response(1, 1), second.row(3).as_slice().expect("row"));
    let nothing = Array2::zeros((6, 4));
    assert!(matches!(Patterns::from_mask(&mask, &[nothing.view()]), Err(Error::TooFew { .. })));
}

#[test]
fn bad_patterns_are_refused() {
    let good = plain::responses(3, 4, 0.0, 1);
    let new = |voxels: Vec<u32>, values: &Array2<f32>| Patterns::new(voxels, values.view());
    assert!(new(vec![0, 1, 2], &good).is_ok());
    assert!(matches!(new(vec![0, 1], &good), Err(Error::Mismatch { .. })));
    assert!(matches!(new(vec![0, 2, 2], &good), Err(Error::Invalid { .. })));
    assert!(matches!(new(vec![2, 1, 0], &good), Err(Error::Invalid { .. })));
    assert!(matches!(new(vec![0], &plain::responses(1, 2, 0.0, 1)), Err(Error::TooFew { found: 2, .. })));
    assert!(matches!(new(vec![], &Array2::zeros((0, 4))), Err(Error::TooFew { found: 0, .. })));
    assert!(new(vec![0], &Array2::zeros((1, MAX_IMAGES))).is_ok());
    assert!(matches!(new(vec![0], &Array2::zeros((1, MAX_IMAGES + 1))), Err(Error::TooMany { .. })));
    let mut bad = good.clone();
    bad[[1, 3]] = f32::NEG_INFINITY;
    assert!(matches!(new(vec![0, 1, 2], &bad), Err(Error::NonFinite { index: 1, .. })));
    let other = plain::responses(3, 5, 0.0, 1);
    assert!(matches!(
        Patterns::from_runs(vec![0, 1, 2], &[good.view(), other.view()]),
        Err(Error::Mismatch { expected: 4, found: 5, .. })
    ));
}

#[test]
fn runs_are_averaged_and_chosen() {
    let runs: Vec<_> = (0..3).map(|run| plain::responses(4, 5, 0.0, run)).collect();
    let views: Vec<_> = runs.iter().map(|run| run.view()).collect();
    let patterns = Patterns::from_runs(vec![1, 2, 3, 4], &views).expect("patterns");
    let averaged = patterns.averaged();
    assert_eq!((averaged.runs(), averaged.images()), (1, 5));
    let mean = (f64::from(runs[0][[2, 3]]) + f64::from(runs[1][[2, 3]]) + f64::from(runs[2][[2, 3]])) / 3.0;
    assert_eq!(averaged.response(2, 0)[3], mean as f32);
    let chosen = patterns.select_runs(&[2, 0]).expect("runs");
    assert_eq!(chosen, Patterns::from_runs(vec![1, 2, 3, 4], &[views[2], views[0]]).expect("patterns"));
    assert!(matches!(patterns.select_runs(&[3]), Err(Error::Mismatch { .. })));
    assert!(matches!(patterns.select_runs(&[]), Err(Error::TooFew { .. })));
}

#[test]
fn preparation_does_what_it_says() {
    let original = array![[1.0f32, 2.0, 6.0], [4.0, 4.0, 4.0]];
    let run = |preparation: Preparation, sd: Option<&[f64]>| {
        let mut runs = [original.clone()];
        prepare(&mut runs, &preparation, sd).map(|()| runs[0].clone())
    };
    let blank = Preparation { cocktail_blank: true, ..Preparation::default() };
    assert_eq!(run(blank, None).expect("blank"), array![[-2.0, -1.0, 3.0], [0.0, 0.0, 0.0]]);
    let scored = run(Preparation { z_score_runs: true, ..Preparation::default() }, None).expect("z");
    let sd = (14.0f32 / 3.0).sqrt();
    assert!((scored[[0, 2]] - 3.0 / sd).abs() < 1e-6 && scored.row(1).iter().all(|value| value.is_nan()));
    let noise = Preparation { noise_normalisation: true, ..Preparation::default() };
    assert_eq!(run(noise, Some(&[2.0, 4.0])).expect("noise"), array![[0.5, 1.0, 3.0], [1.0, 1.0, 1.0]]);
    assert!(run(noise, Some(&[0.0, 1.0])).expect("noise").row(0).iter().all(|value| value.is_nan()));
    assert!(matches!(run(noise, None), Err(Error::TooFew { .. })));
    assert!(matches!(run(noise, Some(&[1.0])), Err(Error::Mismatch { .. })));
    assert_eq!(run(Preparation::default(), None).expect("nothing"), original);
}

#[test]
fn noise_is_the_spread_of_an_image_over_runs() {
    let a = array![[1.0f32, 5.0, 0.0]];
    let b = array![[3.0f32, 5.0, 2.0]];
    // Squares around the means: 2, 0, 2 with one degree of freedom each.
    let sd = noise_sd(&[a.view(), b.view()]).expect("sd");
    assert!((sd[0] - (4.0f64 / 3.0).sqrt()).abs() < 1e-12);
    assert!(matches!(noise_sd(&[a.view()]), Err(Error::TooFew { .. })));
    let other = array![[1.0f32, 2.0]];
    assert!(matches!(noise_sd(&[a.view(), other.view()]), Err(Error::Mismatch { .. })));
}
