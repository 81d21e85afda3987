//! Goldens of `scripts/goldens/neural.py`: reverse predictivity, test-only similarities, time bins, principal components,
//! distributions, dimensionality, predictor consistency.

use ndarray::{Array2, Array3, ArrayView2, Axis, s};
use serde_json::Value;
use ventral_metrics::{
    CkaEstimator, Error, FactorDimensionality, FactorPairs, LayerGram, NeuronToNeuron, Pcg64, Regression,
    Repeats, ReversePredictivity, Share, Split, TILE_FEATURES, TileConsumer, cka, cka_scores,
    grouped_regression_scores, ks_similarity, predictor_consistency, principal_components, rdm, rdm_of,
    rdm_scores, rdm_similarity, regression_scores, ridge_alphas, shuffle_split, span_time_scores,
    stratified_shuffle_split,
};

use crate::support::{golden, golden_features, golden_responses, u};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

fn assert_close(found: impl IntoIterator<Item = f64>, expected: &[f64], tolerance: f64, what: &str) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{what}: {a} and {b}");
    }
}

fn grid(n: usize, p: usize, stream: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, p), |(i, j)| u(i, j, stream))
}

fn objects(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("o{}", i % 6)).collect()
}

fn stratified() -> Vec<Split> {
    stratified_shuffle_split(&objects(60), 10, 0.9, 1).unwrap()
}

/// More features than stimuli; 30 neuroids; the first feature is constant.
fn wide() -> (Array2<f32>, Array2<f64>, Vec<Split>) {
    let mut x = grid(80, 120, 61).mapv(|v| (v + 0.5) as f32);
    x.column_mut(0).fill(2.0);
    let varying = x.slice(s![.., 1..]).mapv(f64::from);
    let y = varying.dot(&(grid(119, 30, 62) - 0.5)) + grid(80, 30, 63) * 0.5;
    (x, y, shuffle_split(80, 3, 0.8, 1).unwrap())
}

fn reversed(regression: &Regression, x: ArrayView2<'_, f32>, y: &Array2<f64>, splits: &[Split]) -> Vec<f64> {
    let gram = LayerGram::from_features(x.mapv(f64::from).view()).unwrap();
    let gram = ReversePredictivity::needs_gram(regression).then_some(&gram);
    let mut metric = ReversePredictivity::new(regression, y.view(), splits, gram).unwrap();
    for start in (0..x.ncols()).step_by(TILE_FEATURES) {
        let end = x.ncols().min(start + TILE_FEATURES);
        metric.push(start as u64, x.slice(s![.., start..end])).unwrap();
    }
    metric.finish().unwrap().values.into_iter().collect()
}

#[test]
fn neuroids_predict_features_as_in_scikit_learn() {
    let expected = &golden("neural.json")["reverse"];
    let (x, y) = (golden_features(), golden_responses());
    // Features of the spec's goldens are 64-bit; tiles are 32-bit, which moves r by about 1e-8.
    let narrow = x.mapv(|v| v as f32);
    for (name, regression) in [
        ("pls_5", Regression::Pls { components: 5 }),
        ("ridge", Regression::Ridge { alpha: 1.0 }),
        ("linear", Regression::Linear),
    ] {
        let found = reversed(&regression, narrow.view(), &y, &stratified());
        assert_close(found, &numbers(&expected["spec"][name]), 1e-6, name);
    }
    let (x, y, splits) = wide();
    for (name, regression, tolerance) in [
        ("pls_25", Regression::Pls { components: 25 }, 1e-9),
        ("ridge", Regression::Ridge { alpha: 1.0 }, 1e-11),
        ("linear", Regression::Linear, 1e-11),
    ] {
        let found = reversed(&regression, x.view(), &y, &splits);
        assert_close(found, &numbers(&expected["wide"][name]), tolerance, name);
    }
}

#[test]
fn features_of_64_bit_are_read_as_they_are() {
    let (x, y, splits) = wide();
    let (narrow, shifted) = (x.mapv(f64::from), x.mapv(|v| f64::from(v) + 1e8));
    let forward = |x: &Array2<f64>| -> Vec<f64> {
        let mut metric = NeuronToNeuron::new(y.view(), &splits).unwrap();
        metric.push(0, x.view()).unwrap();
        metric.finish().unwrap().values.into_iter().collect()
    };
    assert_close(forward(&shifted), &forward(&narrow), 1e-6, "neuron to neuron");
    let backward = |x: &Array2<f64>| {
        let mut metric =
            ReversePredictivity::new(&Regression::Ridge { alpha: 1.0 }, y.view(), &splits, None).unwrap();
        metric.push(0, x.view()).unwrap();
        let undefined = metric.undefined();
        (undefined, metric.finish().unwrap().values.into_iter().collect::<Vec<f64>>())
    };
    assert_close(backward(&shifted).1, &backward(&narrow).1, 1e-6, "reversed ridge");
    // The constant feature has no r in any split.
    assert_eq!(backward(&narrow).0, (splits.len(), splits.len() * x.ncols()));
}

#[test]
fn reverse_predictivity_does_not_depend_on_threads_or_tiles_of_constants() {
    let (_, y, splits) = wide();
    // The first tile is constant: PLS starts with the second.
    let p = TILE_FEATURES + 300;
    let x = Array2::from_shape_fn((80, p), |(i, j)| if j < TILE_FEATURES { 1.0 } else { u(i, j, 64) as f32 });
    let regression = Regression::Pls { components: 4 };
    let expected = reversed(&regression, x.view(), &y, &splits);
    let varying = x.slice(s![.., TILE_FEATURES..]);
    assert_close(
        reversed(&regression, varying, &y, &splits),
        &expected,
        1e-9,
        "without the constant features",
    );
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert_eq!(pool.install(|| reversed(&regression, x.view(), &y, &splits)), expected);
    let constant = x.slice(s![.., ..TILE_FEATURES]);
    let metric = |regression: &Regression| {
        let gram = LayerGram::from_features(constant.mapv(f64::from).view()).unwrap();
        let mut metric = ReversePredictivity::new(regression, y.view(), &splits, Some(&gram)).unwrap();
        metric.push(0, constant).unwrap();
        metric.finish().unwrap().values
    };
    assert!(metric(&regression).iter().chain(&metric(&Regression::Linear)).all(|r| r.is_nan()));
}

#[test]
fn reverse_predictivity_refuses_what_it_cannot_fit() {
    let (x, y, splits) = wide();
    let gram = LayerGram::from_features(x.mapv(f64::from).view()).unwrap();
    let new =
        |regression, gram| ReversePredictivity::new(&regression, y.view(), &splits, gram).err().unwrap();
    let pls = |components| Regression::Pls { components };
    assert!(matches!(new(pls(31), Some(&gram)), Error::TooFew { needed: 31, found: 30, .. }));
    assert!(ReversePredictivity::new(&pls(30), y.view(), &splits, Some(&gram)).is_ok());
    assert!(matches!(new(pls(25), None), Error::Mismatch { expected: 80, found: 0, .. }));
    let other = gram.select(&[0, 1, 2]).unwrap();
    assert!(matches!(new(pls(25), Some(&other)), Error::Mismatch { expected: 80, found: 3, .. }));
    assert!(matches!(new(Regression::RidgeCv { alphas: ridge_alphas() }, None), Error::Parameter { .. }));
    assert!(matches!(new(Regression::Ridge { alpha: 0.0 }, None), Error::Parameter { .. }));
    let empty = ReversePredictivity::new(&Regression::Linear, y.view(), &splits, None).unwrap();
    assert!(matches!(empty.finish(), Err(Error::TooFew { .. })));
}

#[test]
fn similarities_on_test_stimuli_are_those_of_the_reference() {
    let expected = &golden("neural.json")["test_only"];
    let splits = stratified_shuffle_split(&objects(60), 10, Share::Test(0.9), 1).unwrap();
    assert_eq!(vec![splits[0].train.len(), splits[0].test.len()], indices(&expected["sizes"]));
    assert_eq!(splits[0].test, indices(&expected["first_test"]));
    assert_eq!(splits[9].test, indices(&expected["last_test"]));
    let shuffled = shuffle_split(50, 4, Share::Test(0.33), 1).unwrap();
    assert_eq!(vec![shuffled[0].train.len(), shuffled[0].test.len()], indices(&expected["shuffle_sizes"]));
    assert_eq!(shuffled[3].test, indices(&expected["shuffle_test"]));
    let (x, y) = (golden_features(), golden_responses());
    let gram = LayerGram::from_features(x.view()).unwrap();
    let target = LayerGram::from_features(y.view()).unwrap();
    let found = rdm_scores(&gram, rdm_of(y.view()).insert_axis(Axis(0)).view(), &splits).unwrap();
    assert_close(found.values, &numbers(&expected["rdm"]), 1e-12, "rdm");
    let found = cka_scores(&gram, &target, CkaEstimator::Unbiased, &splits).unwrap();
    assert_close(found.values, &numbers(&expected["cka"]), 1e-9, "cka");
    // One split of everything is the metric without splits.
    let all = [Split { train: vec![], test: (0..60).collect() }];
    let whole = rdm_similarity(rdm(&gram).unwrap().view(), rdm_of(y.view()).view()).unwrap();
    assert_eq!(
        rdm_scores(&gram, rdm_of(y.view()).insert_axis(Axis(0)).view(), &all).unwrap().values[[0, 0]],
        whole
    );
    // Two targets are two columns; without splits all stimuli count.
    let two = ndarray::stack![Axis(0), rdm_of(y.view()), rdm_of(x.view())];
    let found = rdm_scores(&gram, two.view(), &[]).unwrap().values;
    assert_eq!((found.dim(), found[[0, 0]]), ((1, 2), whole));
    assert!((found[[0, 1]] - 1.0).abs() < 1e-12);
    let few = [Split { train: vec![], test: vec![0, 1] }];
    assert!(matches!(rdm_scores(&gram, two.view(), &few), Err(Error::TooFew { needed: 3, found: 2, .. })));
    let whole = cka(&gram, &target, CkaEstimator::Biased).unwrap();
    assert_eq!(cka_scores(&gram, &target, CkaEstimator::Biased, &all).unwrap().values[[0, 0]], whole);
    let outside = [Split { train: vec![], test: vec![0, 60] }];
    assert!(matches!(
        rdm_scores(&gram, rdm_of(y.view()).insert_axis(Axis(0)).view(), &outside),
        Err(Error::OutOfRange { .. })
    ));
    assert!(matches!(rdm_scores(&gram, Array2::zeros((1, 3)).view(), &all), Err(Error::Mismatch { .. })));
}

/// 60 stimuli x (4 bins x 8 neuroids).
fn temporal_responses() -> Array2<f64> {
    let y = golden_responses();
    Array2::from_shape_fn((60, 32), |(i, column)| {
        let (t, k) = (column / 8, column % 8);
        y[[i, k]] * (1.0 - 0.2 * t as f64) + 0.4 * u(i, k, 70 + t)
    })
}

/// (4 bins x 60 stimuli) x 40 features.
fn temporal_features() -> Array2<f64> {
    let x = golden_features();
    Array2::from_shape_fn((240, 40), |(row, j)| x[[row % 60, j]] + 0.5 * u(row % 60, j, 80 + row / 60))
}

#[test]
fn one_mapping_for_all_time_bins() {
    let expected = &golden("neural.json")["time"];
    let splits = &stratified()[..3];
    let y = temporal_responses();
    let grams = [("static", golden_features()), ("temporal", temporal_features())];
    for (kind, features) in grams {
        let gram = LayerGram::from_features(features.view()).unwrap();
        for (name, regression) in [
            ("pls_10", Regression::Pls { components: 10 }),
            ("ridge", Regression::Ridge { alpha: 1.0 }),
            ("linear", Regression::Linear),
        ] {
            let found = span_time_scores(&regression, &gram, y.view(), 4, splits).unwrap();
            for (split, bins) in expected[kind][name].as_array().unwrap().iter().enumerate() {
                let medians = (0..4).map(|t| {
                    let r = found.values.slice(s![split, t * 8..(t + 1) * 8]).to_vec();
                    ventral_metrics::statistics::nan_median(&r)
                });
                assert_close(medians, &numbers(bins), 1e-9, &format!("{kind} {name}"));
            }
        }
    }
}

#[test]
fn copies_of_a_static_model_are_what_the_short_way_computes() {
    let features = golden_features();
    let short = LayerGram::from_features(features.view()).unwrap();
    let copied = short.select(&(0..240).map(|row| row % 60).collect::<Vec<_>>()).unwrap();
    let (y, splits) = (temporal_responses(), stratified());
    for regression in
        [Regression::Pls { components: 6 }, Regression::Ridge { alpha: 3.0 }, Regression::Linear]
    {
        let a = span_time_scores(&regression, &short, y.view(), 4, &splits).unwrap();
        let b = span_time_scores(&regression, &copied, y.view(), 4, &splits).unwrap();
        assert!((&a.values - &b.values).iter().all(|d| d.abs() < 1e-8), "{regression:?}");
    }
    let refused = span_time_scores(&Regression::RidgeCv { alphas: vec![1.0] }, &short, y.view(), 4, &splits);
    assert!(matches!(refused, Err(Error::Parameter { .. })));
    let odd = span_time_scores(&Regression::Linear, &short, y.view(), 5, &splits);
    assert!(matches!(odd, Err(Error::Mismatch { found: 32, .. })));
}

#[test]
fn principal_components_from_inner_products_are_those_of_the_features() {
    let expected = &golden("neural.json")["pca"];
    let features = Array2::from_shape_fn((75, 200), |(i, j)| u(i, j, 90) * (1.0 + 4.0 * u(0, j, 91)) + 3.0);
    let y = grid(45, 5, 92) + features.slice(s![30.., ..5]);
    let gram = LayerGram::from_features(features.view()).unwrap();
    let (fit, rows): (Vec<usize>, Vec<usize>) = ((0..30).collect(), (30..75).collect());
    let splits = shuffle_split(45, 3, 0.8, 1).unwrap();
    for count in [10, 29] {
        let reduced = principal_components(&gram, &fit, &rows, count).unwrap();
        assert_eq!((reduced.features, reduced.stimuli()), (count as u64, 45));
        let products = reduced.raw_products();
        for (i, row) in expected["products"][count.to_string()].as_array().unwrap().iter().enumerate() {
            assert_close(products.slice(s![i, ..6]).to_vec(), &numbers(row), 1e-8, "inner products");
        }
        let scores =
            regression_scores(&Regression::Pls { components: 5 }, &reduced, y.view(), &splits).unwrap();
        let medians = scores.score().per_split;
        assert_close(medians, &numbers(&expected["pls"][count.to_string()]), 1e-9, "PLS on components");
    }
    // As many components as images: the last one is no direction.
    assert_eq!(principal_components(&gram, &fit, &rows, 30).unwrap().features, 29);
    assert_eq!(principal_components(&gram, &fit, &rows, 200).unwrap(), gram.select(&rows).unwrap());
    assert!(matches!(
        principal_components(&gram, &fit, &rows, 31),
        Err(Error::TooFew { needed: 31, found: 30, .. })
    ));
    assert!(matches!(principal_components(&gram, &fit, &rows, 0), Err(Error::TooFew { .. })));
    assert!(matches!(principal_components(&gram, &fit, &[75], 5), Err(Error::OutOfRange { .. })));
    let same = principal_components(&gram, &[3; 30], &rows, 5);
    assert!(matches!(same, Err(Error::TooFew { .. })), "{same:?}");
}

#[test]
fn distributions_are_compared_with_the_draws_of_numpy() {
    let expected = &golden("neural.json")["distribution"];
    let units: Vec<f64> = (0..500).map(|i| 2.0 * u(i, 0, 95) - 0.3).collect();
    let neurons: Vec<f64> = (0..37).map(|i| u(i, 0, 96).powi(2)).collect();
    let edges = numbers(&expected["bins"]);
    let score = ks_similarity(&units, &neurons, &edges, 200, 3).unwrap();
    assert_close(score.per_split[..5].to_vec(), &numbers(&expected["first"]), 1e-12, "resamplings");
    assert_close([score.value], &[expected["value"].as_f64().unwrap()], 1e-12, "mean");
    assert_close([score.error], &[expected["error"].as_f64().unwrap()], 1e-12, "deviation");
    let own = ks_similarity(&neurons, &neurons, &edges, 200, 3).unwrap().value;
    assert!(own > 0.85 && own < 1.0, "{own}");
    let undefined = ks_similarity(&[f64::NAN; 4], &neurons, &edges, 20, 0).unwrap();
    assert_eq!((undefined.value, undefined.error), (0.0, 0.0));
    assert!(matches!(ks_similarity(&units, &neurons, &[0.0, 0.0], 1, 0), Err(Error::Parameter { .. })));
    assert!(matches!(ks_similarity(&units, &neurons, &[0.0], 1, 0), Err(Error::TooFew { .. })));
    assert!(matches!(ks_similarity(&[], &neurons, &edges, 1, 0), Err(Error::TooFew { .. })));
    assert!(matches!(ks_similarity(&units, &neurons, &edges, 100_001, 0), Err(Error::TooMany { .. })));
}

fn factors(expected: &Value) -> Vec<FactorPairs> {
    let pair = |v: &Value| <[usize; 2]>::try_from(indices(v)).unwrap();
    ["shape", "texture"]
        .map(|name| FactorPairs {
            name: name.to_owned(),
            pairs: expected["pairs"][name].as_array().unwrap().iter().map(pair).collect(),
        })
        .to_vec()
}

#[test]
fn factors_get_their_share_of_the_units() {
    let expected = &golden("neural.json")["dimensionality"];
    let mut x = grid(40, 64, 97).mapv(|v| f64::from(v as f32));
    let first = x.slice(s![..20, ..]).to_owned();
    for (j, mut column) in x.slice_mut(s![20.., ..]).columns_mut().into_iter().enumerate() {
        column.scaled_add(6.0 * j as f64 / 63.0, &first.column(j));
    }
    let mut metric = FactorDimensionality::new(40, factors(expected)).unwrap();
    metric.push(0, x.mapv(|v| v as f32).view()).unwrap();
    assert_eq!(metric.finish().unwrap(), numbers(&expected["shares"]));
    let mut constant = FactorDimensionality::new(40, factors(expected)).unwrap();
    constant.push(0, Array2::<f64>::ones((40, 3)).view()).unwrap();
    assert!(constant.finish().unwrap().iter().all(|share| share.is_nan()));
    let outside = FactorPairs { name: "x".into(), pairs: vec![[0, 40]] };
    assert!(matches!(FactorDimensionality::new(40, vec![outside]), Err(Error::OutOfRange { index: 40, .. })));
    assert!(matches!(FactorDimensionality::new(40, vec![]), Err(Error::TooFew { .. })));
}

#[test]
fn predictor_consistency_draws_as_numpy_does() {
    let expected = &golden("neural.json")["predictor"];
    let mut values = Array3::from_shape_fn((5, 12, 6), |(r, i, k)| u(i, k, 4) + 0.5 * u(1000 * r + i, k, 5));
    values.slice_mut(s![4, 3..7, ..]).fill(f64::NAN);
    values.slice_mut(s![2.., 8, ..]).fill(f64::NAN);
    let order: Vec<usize> = (0..12).collect();
    let repeats = Repeats { values: values.view() };
    let found = predictor_consistency(repeats, &order, 10, 0).unwrap();
    assert_close(
        [found.value, found.error],
        &numbers(&serde_json::json!([expected["value"], expected["error"]])),
        1e-12,
        "ceiling",
    );
    let medians =
        found.splits.rows().into_iter().map(|r| ventral_metrics::statistics::nan_median(&r.to_vec()));
    assert_close(medians, &numbers(&expected["per_split"]), 1e-12, "splits");
    // Nine stimuli are too few for a split.
    let few = values.slice(s![.., ..9, ..]);
    assert!(predictor_consistency(Repeats { values: few }, &order[..9], 10, 0).unwrap().value.is_nan());
    assert!(matches!(predictor_consistency(repeats, &order[..3], 10, 0), Err(Error::Mismatch { .. })));
    assert!(matches!(predictor_consistency(repeats, &[12; 12], 10, 0), Err(Error::OutOfRange { .. })));
}

#[test]
fn default_rng_is_numpys() {
    for case in golden("neural.json")["draws"].as_array().unwrap() {
        let seed = case["seed"].as_u64().unwrap() as u32;
        let mut words = Pcg64::new(seed);
        for word in case["words"].as_array().unwrap() {
            assert_eq!(format!("{:016x}", words.next_u64()), word.as_str().unwrap());
        }
        let mut orders = Pcg64::new(seed);
        for order in case["orders"].as_array().unwrap() {
            assert_eq!(orders.permutation(order.as_array().unwrap().len()), indices(order));
        }
    }
    assert_eq!(Pcg64::new(0).permutation(10), [4, 6, 2, 7, 3, 5, 9, 0, 8, 1]);
    let mut wide = Pcg64::new(7);
    assert!((0..50).all(|_| wide.interval(1 << 40) <= 1 << 40));
}

#[test]
fn every_subject_has_a_penalty_of_its_own() {
    let expected = &golden("neural.json")["subjects"];
    let gram = LayerGram::from_features(golden_features().view()).unwrap();
    let y = golden_responses();
    let noise = [0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 3.0, 9.0];
    let noisy = Array2::from_shape_fn((60, 8), |(i, k)| y[[i, k]] + u(i, k, 99) * noise[k]);
    let split = [Split { train: (0..45).collect(), test: (45..60).collect() }];
    let groups = [vec![0, 1, 2], vec![3, 4, 5, 6], vec![7]];
    let ridge_cv = Regression::RidgeCv { alphas: ridge_alphas() };
    let found = grouped_regression_scores(&ridge_cv, &gram, noisy.view(), &split, &groups).unwrap();
    assert_eq!(found.alphas, numbers(&expected["alphas"]));
    assert!(found.alphas[0] < found.alphas[1], "the golden does not tell penalties apart");
    assert_close(found.values, &numbers(&expected["r"]), 1e-9, "r");
    let together = regression_scores(&ridge_cv, &gram, y.view(), &split).unwrap();
    assert_eq!(together.alphas, [0.1]);
    assert_close([together.score().value], &[0.876_477_732_902_453_3], 1e-12, "spec 9.2");
    for (name, regression, golden) in [
        ("pls", Regression::Pls { components: 25 }, 0.760_639_179_791_511_1),
        ("ridge", Regression::Ridge { alpha: 1.0 }, 0.764_179_122_007_509_8),
        ("linear", Regression::Linear, 0.880_294_119_574_171_6),
    ] {
        let score = regression_scores(&regression, &gram, y.view(), &split).unwrap().score().value;
        assert_close([score], &[golden], 1e-12, name);
    }
    let outside = grouped_regression_scores(&ridge_cv, &gram, y.view(), &split, &[vec![8]]);
    assert!(matches!(outside, Err(Error::OutOfRange { index: 8, len: 8, .. })));
}

#[test]
fn weighted_means_of_stimuli_are_those_of_their_features() {
    let x = golden_features();
    let gram = LayerGram::from_features(x.view()).unwrap();
    let means = vec![vec![(0, 1.0), (5, 3.0)], vec![(7, 0.25)]];
    let mixed = gram.mixed(&means).unwrap();
    let by_hand = ndarray::stack![ndarray::Axis(0), &x.row(0) * 0.25 + &x.row(5) * 0.75, x.row(7).to_owned()];
    let expected = by_hand.dot(&by_hand.t());
    assert!((mixed.raw_products() - expected).iter().all(|d| d.abs() < 1e-12));
    assert_close(rdm(&mixed).unwrap(), &rdm_of(by_hand.view()).to_vec(), 1e-12, "rdm");
    assert!(matches!(gram.mixed(&[vec![]]), Err(Error::TooFew { .. })));
    assert!(matches!(gram.mixed(&[vec![(60, 1.0)]]), Err(Error::OutOfRange { .. })));
    assert!(matches!(gram.mixed(&[vec![(0, 0.0)]]), Err(Error::Parameter { .. })));
}

#[test]
fn bins_of_a_model_are_weighted_by_their_share_of_a_recordings_bin() {
    let source = [[0.0, 100.0], [100.0, 200.0], [200.0, 300.0]];
    let align = |target| ventral_metrics::align_time_bin(&source, target);
    assert_eq!(align([0.0, 50.0]).unwrap(), [(0, 0.5)]);
    assert_eq!(align([50.0, 200.0]).unwrap(), [(0, 0.5), (1, 1.0)]);
    assert_eq!(align([0.0, 300.0]).unwrap(), [(0, 1.0), (1, 1.0), (2, 1.0)]);
    for outside in [[-10.0, 50.0], [250.0, 310.0], [400.0, 500.0], [50.0, 50.0], [f64::NAN, 1.0]] {
        assert!(matches!(align(outside), Err(Error::Parameter { .. })), "{outside:?}");
    }
    assert!(ventral_metrics::align_time_bin(&[], [0.0, 1.0]).is_err());
}
