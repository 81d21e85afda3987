use ndarray::{Array2, ArrayView2, Axis, s};
use ventral_metrics::{Error, GramBuilder, LayerGram, MAX_STIMULI, Precision, TILE_FEATURES, TileConsumer};

use crate::support::u;

/// Values with a spread of 1 around `mean`.
fn features(n: usize, p: usize, mean: f64) -> Array2<f32> {
    Array2::from_shape_fn((n, p), |(i, j)| (mean + 3.46 * (u(i, j, 21) - 0.5) * (1.0 + u(j, 0, 22))) as f32)
}

fn build(x: ArrayView2<'_, f32>, precision: Precision) -> LayerGram {
    let mut builder = GramBuilder::new(x.nrows(), precision).unwrap();
    for start in (0..x.ncols()).step_by(TILE_FEATURES) {
        let end = x.ncols().min(start + TILE_FEATURES);
        builder.push(start as u64, x.slice(s![.., start..end])).unwrap();
    }
    builder.finish().unwrap()
}

fn largest_difference(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    a.iter().zip(b).fold(0.0, |max, (a, b)| max.max((a - b).abs()))
}

/// The products in plain 64-bit loops, features minus the mean over stimuli (rounded to 32 bit).
fn direct(x: &Array2<f32>) -> Array2<f64> {
    let mut z = x.mapv(f64::from);
    let shift = (z.sum_axis(Axis(0)) / z.nrows() as f64).mapv(|mean| f64::from(mean as f32));
    z -= &shift;
    Array2::from_shape_fn((z.nrows(), z.nrows()), |(i, j)| {
        z.row(i).iter().zip(z.row(j)).map(|(a, b)| a * b).sum()
    })
}

#[test]
fn tiles_give_the_products_of_the_whole_layer() {
    // Two block rows and a bit, one tile and a bit: every edge is crossed.
    let x = features(300, TILE_FEATURES + 77, 2.0);
    let expected = direct(&x);
    let scale = expected.diag().iter().fold(0.0_f64, |max, &x| max.max(x));
    let double = build(x.view(), Precision::F64);
    assert!(largest_difference(&double.products, &expected) < 1e-14 * scale);
    let single = build(x.view(), Precision::F32);
    let error = largest_difference(&single.products, &expected) / scale;
    assert!(error < 1e-6 && error > 1e-10, "{error}");
    assert_eq!(double.features, (TILE_FEATURES + 77) as u64);
    assert_eq!(double.products, double.products.t());
    assert_eq!(single.products, single.products.t());
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let x = features(290, TILE_FEATURES + 300, 5.0);
    for precision in [Precision::F64, Precision::F32] {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| build(x.view(), precision))
        };
        let one = with(1);
        assert!(one == with(2) && one == with(3));
    }
}

#[test]
fn column_major_tiles_and_wide_tiles_give_the_same_bytes() {
    let x = features(40, 2 * TILE_FEATURES + 5, 1.0);
    let expected = build(x.view(), Precision::F32);
    let mut builder = GramBuilder::new(40, Precision::F32).unwrap();
    builder.push(0, x.view()).unwrap();
    assert_eq!(builder.finish().unwrap(), expected);
    let column_major = x.t().as_standard_layout().to_owned();
    assert_eq!(build(column_major.t(), Precision::F32), expected);
}

#[test]
fn a_large_mean_costs_no_digits() {
    let (n, p) = (20, 3000);
    let x = features(n, p, 1e4);
    let gram = build(x.view(), Precision::F64);
    let expected = direct(&x);
    assert!(largest_difference(&gram.products, &expected) < 1e-10);
    // Without the shift, 64-bit products of 1e4 + noise would be off by about 1e-4.
    let centred = |k: &Array2<f64>| {
        let rows = k.sum_axis(Axis(1)) / n as f64;
        let mean = rows.sum() / n as f64;
        Array2::from_shape_fn((n, n), |(i, j)| k[(i, j)] - rows[i] - rows[j] + mean)
    };
    assert!(largest_difference(&centred(&gram.products), &centred(&expected)) < 1e-10);
    let raw = gram.raw_products();
    for (i, j) in [(0, 0), (3, 17), (19, 2)] {
        let exact: f64 = (0..p).map(|f| f64::from(x[(i, f)]) * f64::from(x[(j, f)])).sum();
        assert!((raw[(i, j)] / exact - 1.0).abs() < 1e-14);
    }
    let sum: f64 = x.row(4).iter().map(|&x| f64::from(x)).sum();
    assert!(((gram.sums[4] + gram.shift_sum) / sum - 1.0).abs() < 1e-14);
}

#[test]
fn selecting_stimuli_is_selecting_features() {
    let x = features(12, 50, 3.0);
    let gram = build(x.view(), Precision::F64);
    let rows = [7, 2, 11];
    let selected = gram.select(&rows).unwrap();
    assert_eq!(selected.stimuli(), 3);
    let raw = gram.raw_products();
    let expected = Array2::from_shape_fn((3, 3), |(i, j)| raw[(rows[i], rows[j])]);
    assert_eq!(selected.raw_products(), expected);
    assert_eq!(selected.sums[1], gram.sums[2]);
    assert_eq!(
        gram.select(&[0, 12]),
        Err(Error::OutOfRange { what: "rows of a selection", index: 12, len: 12 })
    );
    assert!(matches!(gram.select(&[]), Err(Error::TooFew { .. })));
}

#[test]
fn pooling_stimuli_is_averaging_features() {
    let x = features(9, 70, 3.0);
    let gram = build(x.view(), Precision::F64);
    let groups = vec![vec![0, 4, 8], vec![1], vec![2, 3]];
    let pooled = gram.pooled(&groups).unwrap();
    let averaged = Array2::from_shape_fn((3, 70), |(g, j)| {
        let sum: f64 = groups[g].iter().map(|&i| f64::from(x[(i, j)])).sum();
        sum / groups[g].len() as f64
    });
    let expected = LayerGram::from_features(averaged.view()).unwrap();
    assert!(largest_difference(&pooled.raw_products(), &expected.raw_products()) < 1e-10);
    let sums = |gram: &LayerGram, i: usize| gram.sums[i] + gram.shift_sum;
    assert!((sums(&pooled, 2) - sums(&expected, 2)).abs() < 1e-10);
    assert!(matches!(gram.pooled(&[vec![0], vec![]]), Err(Error::TooFew { .. })));
    assert!(matches!(gram.pooled(&[]), Err(Error::TooFew { .. })));
    assert!(matches!(gram.pooled(&[vec![9]]), Err(Error::OutOfRange { index: 9, .. })));
}

#[test]
fn a_feature_that_is_not_finite_is_named() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = features(10, TILE_FEATURES + 900, 0.0);
        x[(6, TILE_FEATURES + 400)] = value;
        x[(2, TILE_FEATURES + 700)] = value;
        let mut builder = GramBuilder::new(10, Precision::F64).unwrap();
        let expected = Error::NonFinite { stimulus: 6, feature: (TILE_FEATURES + 400) as u64 };
        assert_eq!(builder.push(0, x.view()), Err(expected));
    }
}

#[test]
fn products_beyond_the_number_type_are_an_error() {
    let x = Array2::from_shape_fn((4, 6), |(i, j)| if (i + j) % 2 == 0 { 2e19 } else { -2e19 });
    let mut builder = GramBuilder::new(4, Precision::F32).unwrap();
    builder.push(0, x.view()).unwrap();
    let expected = Error::Overflow { stimulus: 0, precision: Precision::F32 };
    assert_eq!(builder.finish(), Err(expected));
    assert!(build(x.view(), Precision::F64).products[(0, 0)] > 1e39);
    let advice = |precision| Error::Overflow { stimulus: 0, precision }.to_string();
    assert!(advice(Precision::F32).contains("features.precision = \"f64\""), "{}", advice(Precision::F32));
    let exact = advice(Precision::F64);
    assert!(exact.contains("rescale") && !exact.contains("use f64"), "{exact}");
}

#[test]
fn tiles_must_follow_each_other() {
    let x = features(5, TILE_FEATURES, 0.0);
    let mut builder = GramBuilder::new(5, Precision::F64).unwrap();
    assert_eq!(builder.push(1, x.view()), Err(Error::TileOrder { expected: 0, found: 1 }));
    builder.push(0, x.view()).unwrap();
    assert!(matches!(builder.push(0, x.view()), Err(Error::TileOrder { .. })));
    let next = TILE_FEATURES as u64;
    assert!(matches!(builder.push(next, x.slice(s![..4, ..])), Err(Error::Mismatch { .. })));
    assert!(matches!(builder.push(next, x.slice(s![.., ..0])), Err(Error::TooFew { .. })));
    builder.push(next, x.slice(s![.., ..3])).unwrap();
    // A narrow tile is the last one.
    assert!(matches!(builder.push(next + 3, x.view()), Err(Error::Mismatch { .. })));
}

#[test]
fn sizes_have_bounds() {
    assert!(matches!(GramBuilder::new(0, Precision::F64), Err(Error::TooFew { .. })));
    assert!(matches!(GramBuilder::new(MAX_STIMULI + 1, Precision::F64), Err(Error::TooMany { .. })));
    let empty = GramBuilder::new(3, Precision::F64).unwrap();
    assert!(matches!(empty.finish(), Err(Error::TooFew { .. })));
}

#[test]
fn precision_is_written_as_it_is_read() {
    for (precision, text) in [(Precision::F64, "f64"), (Precision::F32, "f32")] {
        assert_eq!(precision.to_string(), text);
        assert_eq!(text.parse(), Ok(precision));
        assert_eq!(serde_json::to_value(precision).unwrap(), text);
    }
    assert!("double".parse::<Precision>().is_err());
}
