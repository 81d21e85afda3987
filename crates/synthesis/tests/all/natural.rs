//! Draws of natural images, and statistics of known matrices.

use ndarray::{Array1, Array2, Array4, ShapeBuilder, array};
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation, ranks, rsms};
use ventral_synthesis::natural::{MAX_DRAWS, MAX_POOL, distribution, natural, quantile};
use ventral_synthesis::quantise::{quantise, to_unit, with_grey_noise};
use ventral_synthesis::{Error, MAX_IMAGES};

use crate::toy::normal;

const POOL: usize = 30;

/// RSMs of a pool: three layers that share half of what they say.
fn pool() -> (Vec<Array2<f64>>, Vec<Array1<f64>>) {
    let mut state = 6;
    let common = Array2::from_shape_fn((POOL, 50), |_| normal(&mut state));
    let layers: Vec<Array2<f64>> =
        (0..3).map(|_| &common + &Array2::from_shape_fn((POOL, 50), |_| normal(&mut state))).collect();
    let triangles = rsms(&layers).unwrap().outer_iter().map(|row| row.to_owned()).collect();
    (layers, triangles)
}

#[test]
fn draws_are_sets_of_the_pool() {
    let (layers, triangles) = pool();
    let views: Vec<_> = triangles.iter().map(|layer| layer.view()).collect();
    // All images of the pool: every draw is the pool itself.
    let all = natural(&views, POOL, POOL, 3, 1).unwrap();
    let expected = LayerCorrelation::new(rsms(&layers).unwrap().view(), Coefficient::Pearson).unwrap();
    let expected = expected.statistics().unwrap();
    assert_eq!(all.pearson.mean_abs_r, vec![expected.mean_abs_r; 3]);
    assert_eq!(all.pearson.effective_rank, vec![expected.effective_rank; 3]);
    let some = natural(&views, POOL, 8, 200, 1).unwrap();
    assert_eq!(some, natural(&views, POOL, 8, 200, 1).unwrap());
    assert_eq!(some.pearson.mean_abs_r[..50], natural(&views, POOL, 8, 50, 1).unwrap().pearson.mean_abs_r);
    assert_ne!(some, natural(&views, POOL, 8, 200, 2).unwrap());
    assert_ne!(some.pearson, some.spearman);
    let found = distribution(&some.pearson.mean_abs_r).unwrap();
    assert!((found.mean - expected.mean_abs_r).abs() < 0.05 && found.sd > 0.01, "{found:?} {expected:?}");
}

#[test]
fn draws_of_a_small_pool_take_all_sets_alike() {
    // With 3 of 5 images there are ten sets; each makes its own value of E3.
    let mut state = 2;
    let triangles: Vec<Array1<f64>> =
        (0..2).map(|_| Array1::from_shape_fn(10, |_| normal(&mut state))).collect();
    let views: Vec<_> = triangles.iter().map(|layer| layer.view()).collect();
    let mut values = natural(&views, 5, 3, 5000, 1).unwrap().pearson.mean_adjacent_r;
    values.sort_by(f64::total_cmp);
    let counts: Vec<usize> = values.chunk_by(|a, b| a == b).map(<[f64]>::len).collect();
    assert_eq!(counts.len(), 10);
    assert!(counts.iter().all(|count| (400..600).contains(count)), "{counts:?}");
}

#[test]
fn bounds_of_draws() {
    let (_, triangles) = pool();
    let views: Vec<_> = triangles.iter().map(|layer| layer.view()).collect();
    let few = |what, needed, found| Error::TooFew { what, needed, found };
    assert_eq!(natural(&views[..1], POOL, 8, 5, 1), Err(few("layers", 2, 1)));
    assert_eq!(natural(&views, POOL, 2, 5, 1), Err(few("images", 3, 2)));
    assert_eq!(natural(&views, POOL, POOL + 1, 5, 1), Err(few("images of the pool", POOL + 1, POOL)));
    assert_eq!(natural(&views, POOL, 8, 0, 1), Err(few("draws", 1, 0)));
    let many = |what, limit| Error::TooMany { what, limit, found: limit + 1 };
    assert_eq!(natural(&views, POOL, 8, MAX_DRAWS + 1, 1), Err(many("draws", MAX_DRAWS)));
    assert_eq!(natural(&views, MAX_POOL + 1, 8, 1, 1), Err(many("images of the pool", MAX_POOL)));
    assert_eq!(natural(&views, MAX_POOL, MAX_IMAGES + 1, 1, 1), Err(many("images", MAX_IMAGES)));
    assert!(matches!(natural(&views, POOL + 1, 8, 1, 1), Err(Error::Mismatch { .. })));
    let pairs = MAX_IMAGES * (MAX_IMAGES - 1) / 2;
    let large = Array2::from_shape_fn((2, pairs), |(layer, pair)| ((pair * (7 + layer)) % 1009) as f64);
    let large: Vec<_> = large.outer_iter().collect();
    assert!(natural(&large, MAX_IMAGES, MAX_IMAGES, 1, 1).is_ok());
    assert!(natural(&views, POOL, 3, 5, 1).is_ok());
    let mut bad = triangles.clone();
    bad[1].fill(f64::NAN);
    let views: Vec<_> = bad.iter().map(|layer| layer.view()).collect();
    assert!(matches!(natural(&views, POOL, 8, 5, 1), Err(Error::NonFinite { .. })));
    bad[1].fill(0.25);
    let views: Vec<_> = bad.iter().map(|layer| layer.view()).collect();
    assert_eq!(natural(&views, POOL, 8, 5, 1), Err(Error::ConstantRsm { layer: 1 }));
}

#[test]
fn quantiles_and_distributions() {
    let values = [1.0, 2.0, 2.0, 4.0];
    assert_eq!(quantile(&values, 0.0), 0.0);
    assert_eq!(quantile(&values, 2.0), 0.5);
    assert_eq!(quantile(&values, 3.0), 0.75);
    assert_eq!(quantile(&values, 9.0), 1.0);
    let found = distribution(&values).unwrap();
    assert_eq!((found.mean, found.min, found.max), (2.25, 1.0, 4.0));
    assert!((found.sd - (4.75f64 / 3.0).sqrt()).abs() < 1e-15);
    assert_eq!(distribution(&[3.0]).unwrap().sd, 0.0);
    assert!(distribution(&[]).is_err());
}

#[test]
fn known_matrices() {
    // Orthogonal layers: effective rank L, no inflation.
    let rsms = array![[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]];
    let found = LayerCorrelation::new(rsms.view(), Coefficient::Pearson).unwrap().statistics().unwrap();
    assert_eq!((found.mean_abs_r, found.max_abs_r, found.mean_adjacent_r), (0.0, 0.0, 0.0));
    assert!((found.effective_rank - 3.0).abs() < 1e-12);
    assert_eq!(found.inflation, Some(vec![1.0; 3]));
    assert_eq!(found.sd, [1.0; 3]);
    // The same layer three times, once with its sign turned: rank one, no inverse.
    let rsms = array![[1.0, 2.0, 4.0], [2.0, 4.0, 8.0], [-1.0, -2.0, -4.0]];
    let found = LayerCorrelation::new(rsms.view(), Coefficient::Spearman).unwrap();
    assert!((found.matrix()[[1, 2]] + 1.0).abs() < 1e-12);
    let found = found.statistics().unwrap();
    assert!((found.effective_rank - 1.0).abs() < 1e-6 && found.inflation.is_none(), "{found:?}");
    assert!((found.max_abs_r - 1.0).abs() < 1e-12);
    assert!(found.mean_adjacent_r.abs() < 1e-12);
    assert_eq!(ranks(array![3.0, -0.0, 3.0, 0.0, 9.0].view()), [3.5, 1.5, 3.5, 1.5, 5.0]);
}

#[test]
fn eight_bits() {
    let images = Array2::from_shape_fn((1, 256), |(_, value)| f64::from(value as u32) / 255.0);
    let images = images.into_shape_with_order((1, 1, 16, 16)).unwrap();
    let bytes = quantise(images.view());
    assert!(bytes.iter().copied().eq(0..=255));
    assert_eq!(to_unit::<f64>(bytes.view()), images);
    // Halves go to even.
    let halves = array![0.5, 1.5, 2.5, 254.5, 300.0, -3.0].mapv(|value: f64| value / 255.0);
    let halves = halves.into_shape_with_order((1, 1, 1, 6)).unwrap();
    assert_eq!(quantise(halves.view()).into_raw_vec_and_offset().0, [0, 2, 2, 254, 255, 0]);
    let noisy = with_grey_noise(bytes.view(), 1);
    assert_eq!(noisy, with_grey_noise(bytes.view(), 1));
    // The same images in another order in memory.
    let images = Array4::from_shape_fn((2, 3, 4, 3), |(n, y, x, c)| (n * 90 + y * 20 + x * 5 + c) as u8);
    let mut turned = Array4::zeros(images.raw_dim().f());
    turned.assign(&images);
    assert_eq!(with_grey_noise(images.view(), 2), with_grey_noise(turned.view(), 2));
    let steps: Vec<i16> = noisy.iter().zip(&bytes).map(|(a, b)| i16::from(*a) - i16::from(*b)).collect();
    assert!(steps.iter().all(|step| step.abs() <= 1));
    for wanted in [-1, 0, 1] {
        assert!(steps.iter().filter(|&&step| step == wanted).count() > 50);
    }
}
