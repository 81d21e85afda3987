use ndarray::{Array2, Axis, concatenate};
use serde_json::Value;
use ventral_metrics::{
    Error, LayerGram, Prediction, Regression, Split, SplitScores, predict, regression_scores,
    regression_scores_each, ridge_alphas, shuffle_split, stratified_shuffle_split,
};

use crate::support::{golden, golden_features, golden_responses, u};

const PLS: Regression = Regression::Pls { components: 25 };

fn matrix(value: &Value, scale: f64) -> Array2<f64> {
    let rows = value.as_array().unwrap();
    let columns = rows[0].as_array().unwrap().len();
    Array2::from_shape_fn((rows.len(), columns), |(i, j)| rows[i][j].as_f64().unwrap() / scale)
}

fn indices(value: &Value) -> Vec<usize> {
    let values = value.as_array().unwrap();
    values.iter().map(|i| i.as_u64().unwrap() as usize).collect()
}

struct Case {
    value: Value,
    gram: LayerGram,
    y: Array2<f64>,
    split: Split,
}

impl Case {
    fn name(&self) -> &str {
        self.value["name"].as_str().unwrap()
    }

    fn predict(&self, regression: &Regression) -> Prediction {
        let splits = std::slice::from_ref(&self.split);
        predict(regression, &self.gram, self.y.view(), splits).unwrap().remove(0)
    }

    fn assert_predicts(&self, regression: &Regression, expected: &str, tolerance: f64) -> Prediction {
        let found = self.predict(regression);
        let expected = matrix(&self.value[expected], 1.0);
        assert_eq!(found.values.dim(), expected.dim());
        let error = (&found.values - &expected).fold(0.0_f64, |max, x| max.max(x.abs()));
        assert!(error < tolerance, "{}: {regression:?} is off by {error:e}", self.name());
        found
    }
}

/// Cases that `scripts/goldens/regression.py` ran through scikit-learn.
fn cases() -> Vec<Case> {
    ["regression.json", "regression_googlenet.json"]
        .iter()
        .flat_map(|file| golden(file).as_array().unwrap().clone())
        .map(|value| Case {
            gram: LayerGram::from_features(matrix(&value["x"], value["x_scale"].as_f64().unwrap()).view())
                .unwrap(),
            y: matrix(&value["y"], 1024.0),
            split: Split { train: indices(&value["train"]), test: indices(&value["test"]) },
            value,
        })
        .collect()
}

#[test]
fn pls_predicts_what_scikit_learn_predicts_in_as_many_iterations() {
    for case in cases() {
        let found = case.assert_predicts(&PLS, "pls", 1e-9);
        assert_eq!(found.iterations, indices(&case.value["pls_iterations"]), "{}", case.name());
    }
}

#[test]
fn ridge_predicts_what_scikit_learn_predicts() {
    for case in cases() {
        case.assert_predicts(&Regression::Ridge { alpha: 1.0 }, "ridge", 1e-8);
    }
}

#[test]
fn leave_one_out_chooses_the_penalty_that_scikit_learn_chooses() {
    let regression = Regression::RidgeCv { alphas: ridge_alphas() };
    for case in cases() {
        let found = case.assert_predicts(&regression, "ridge_cv", 1e-8);
        assert_eq!(found.alpha, case.value["ridge_cv_alpha"].as_f64(), "{}", case.name());
    }
}

#[test]
fn linear_regression_predicts_what_scikit_learn_predicts() {
    for case in cases() {
        // The Gram matrix squares the span of the features' singular values, and nothing holds back the small ones.
        let tolerance = match case.name() {
            "nearly collinear features" => 1e-6,
            _ => 1e-9,
        };
        case.assert_predicts(&Regression::Linear, "linear", tolerance);
    }
}

#[test]
fn penalties_are_those_of_the_reference() {
    let alphas = ridge_alphas();
    assert_eq!(alphas.len(), 99);
    assert_eq!(alphas[..9], [0.01, 0.1, 0.5, 1.0, 10.0, 32.5, 55.0, 77.5, 100.0]);
    assert_eq!(alphas[97..], [9.5e6, 1e7]);
    assert!(alphas.windows(2).all(|pair| pair[0] < pair[1]));
}

fn golden_scores(regression: &Regression, splits: &[Split]) -> SplitScores {
    let gram = LayerGram::from_features(golden_features().view()).unwrap();
    regression_scores(regression, &gram, golden_responses().view(), splits).unwrap()
}

fn golden_splits() -> Vec<Split> {
    let labels: Vec<String> = (0..60).map(|i| format!("o{}", i % 6)).collect();
    stratified_shuffle_split(&labels, 10, 0.9, 1).unwrap()
}

fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-10, "{found} is not {expected}");
}

#[test]
fn cross_validated_scores_are_those_of_the_reference() {
    let cases = [
        (PLS, 0.9153241696823218, 0.011814064733998741, [0.977671076801, 0.960111076338, 0.888896422018]),
        (
            Regression::Ridge { alpha: 1.0 },
            0.9010608218222185,
            0.012564220140609188,
            [0.945051379801, 0.953170644063, 0.914904946071],
        ),
        (
            Regression::Linear,
            0.9529846636818494,
            0.00671952958651941,
            [0.9810771125, 0.963907666094, 0.978311070908],
        ),
    ];
    for (regression, value, error, medians) in cases {
        let score = golden_scores(&regression, &golden_splits()).score();
        assert_close(score.value, value);
        assert_close(score.error, error);
        for (found, expected) in score.per_split.iter().zip(medians) {
            assert_close(*found, expected);
        }
    }
    let first = golden_scores(&PLS, &golden_splits()).values;
    for (found, expected) in first.row(0).iter().zip([0.823450500943, 0.994528033138, 0.945094830508]) {
        assert_close(*found, expected);
    }
    let random = golden_scores(&PLS, &shuffle_split(60, 10, 0.9, 1).unwrap()).score();
    assert_close(random.value, 0.9195507316824708);
    assert_close(random.error, 0.006808880220324138);
}

#[test]
fn scores_of_a_fixed_split_are_those_of_the_reference() {
    let split = Split { train: (0..45).collect(), test: (45..60).collect() };
    let alphas = ridge_alphas();
    let cases = [
        (PLS, 0.7606391797915111),
        (Regression::Ridge { alpha: 1.0 }, 0.7641791220075098),
        (Regression::Linear, 0.8802941195741716),
        (Regression::RidgeCv { alphas }, 0.8764777329024533),
    ];
    for (regression, expected) in cases {
        let scores = golden_scores(&regression, std::slice::from_ref(&split));
        assert_close(scores.score().value, expected);
        let chosen: &[f64] = match regression {
            Regression::RidgeCv { .. } => &[0.1],
            _ => &[],
        };
        assert_eq!(scores.alphas, chosen);
    }
}

fn every_regression() -> [Regression; 4] {
    [
        Regression::Pls { components: 5 },
        Regression::Ridge { alpha: 1.0 },
        Regression::RidgeCv { alphas: vec![0.1, 10.0] },
        Regression::Linear,
    ]
}

/// 150 stimuli: more than one piece of every parallel product.
fn synthetic() -> (LayerGram, Array2<f64>, Vec<Split>) {
    let x = Array2::from_shape_fn((150, 60), |(i, j)| u(i, j, 31));
    let weights = Array2::from_shape_fn((60, 7), |(j, k)| u(j, k, 32) - 0.5);
    let y = x.dot(&weights) + Array2::from_shape_fn((150, 7), |(i, k)| 0.5 * u(i, k, 33));
    let gram = LayerGram::from_features(x.view()).unwrap();
    (gram, y, shuffle_split(150, 20, 0.8, 1).unwrap())
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let (gram, y, splits) = synthetic();
    for regression in every_regression() {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| predict(&regression, &gram, y.view(), &splits).unwrap())
        };
        let one = with(1);
        assert!(one == with(2) && one == with(3), "{regression:?}");
    }
}

#[test]
fn a_split_is_fitted_from_its_training_set_alone() {
    let (gram, y, splits) = synthetic();
    // Half of the stimuli are in neither set, so the smaller part of K Y is the training set's own.
    let split = Split { train: splits[0].train[..50].to_vec(), test: splits[0].test[..10].to_vec() };
    let rows: Vec<usize> = split.train.iter().chain(&split.test).copied().collect();
    let alone = gram.select(&rows).unwrap();
    let renamed = Split { train: (0..50).collect(), test: (50..60).collect() };
    for regression in every_regression() {
        let found = predict(&regression, &gram, y.view(), std::slice::from_ref(&split)).unwrap();
        let expected =
            predict(&regression, &alone, y.select(Axis(0), &rows).view(), std::slice::from_ref(&renamed))
                .unwrap();
        let error = (&found[0].values - &expected[0].values).fold(0.0_f64, |max, x| max.max(x.abs()));
        assert!(error < 1e-11, "{regression:?}: {error:e}");
    }
}

#[test]
fn a_constant_neuron_is_marked_and_changes_no_other() {
    let (gram, y, splits) = synthetic();
    let constant = Array2::from_elem((150, 1), 0.1);
    let wider = concatenate![Axis(1), constant, y, constant];
    for regression in every_regression() {
        let with = regression_scores(&regression, &gram, wider.view(), &splits).unwrap();
        let without = regression_scores(&regression, &gram, y.view(), &splits).unwrap();
        assert!(with.values.column(0).iter().chain(with.values.column(8)).all(|r| r.is_nan()));
        for (a, b) in with.values.slice(ndarray::s![.., 1..8]).iter().zip(&without.values) {
            assert!((a - b).abs() < 1e-11, "{regression:?}: {a} {b}");
        }
        assert!((with.score().value - without.score().value).abs() < 1e-11);
    }
}

#[test]
fn responses_that_are_all_constant_are_predicted_by_their_mean() {
    let (gram, _, splits) = synthetic();
    let y = Array2::from_elem((150, 3), 0.7);
    for regression in every_regression() {
        let predictions = predict(&regression, &gram, y.view(), &splits).unwrap();
        assert!(predictions.iter().all(|p| p.values.iter().all(|x| (x - 0.7).abs() < 1e-12)));
    }
}

#[test]
fn features_of_low_rank_are_used_up() {
    let basis = Array2::from_shape_fn((80, 4), |(i, j)| u(i, j, 41));
    let mixing = Array2::from_shape_fn((4, 50), |(j, k)| u(j, k, 42) - 0.5);
    let gram = LayerGram::from_features(basis.dot(&mixing).view()).unwrap();
    let y = basis.dot(&Array2::from_shape_fn((4, 3), |(j, k)| u(j, k, 43)))
        + Array2::from_shape_fn((80, 3), |(i, k)| 0.1 * u(i, k, 44));
    let splits = shuffle_split(80, 3, 0.8, 1).unwrap();
    let pls = predict(&PLS, &gram, y.view(), &splits).unwrap();
    let linear = predict(&Regression::Linear, &gram, y.view(), &splits).unwrap();
    for (pls, linear) in pls.iter().zip(&linear) {
        assert_eq!(pls.iterations.len(), 4);
        let error = (&pls.values - &linear.values).fold(0.0_f64, |max, x| max.max(x.abs()));
        assert!(error < 1e-9, "{error:e}");
    }
}

#[test]
fn equal_features_predict_the_mean() {
    let gram = LayerGram::from_features(Array2::from_elem((60, 30), 5.0).view()).unwrap();
    let y = golden_responses();
    let splits = shuffle_split(60, 2, 0.8, 1).unwrap();
    for regression in every_regression() {
        let scores = regression_scores(&regression, &gram, y.view(), &splits).unwrap();
        assert!(scores.values.iter().all(|r| r.is_nan()), "{regression:?}: {:?}", scores.values);
    }
}

#[test]
fn very_large_features_do_not_break_ridge() {
    let x = golden_features().mapv(|x| x * 1e12);
    let gram = LayerGram::from_features(x.view()).unwrap();
    let splits = golden_splits();
    let ridge = Regression::Ridge { alpha: 1.0 };
    let score = regression_scores(&ridge, &gram, golden_responses().view(), &splits).unwrap().score();
    // The penalty vanishes beside the features: what is left is least squares.
    assert!((score.value - 0.9529846636818494).abs() < 1e-9, "{}", score.value);
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let (gram, y, splits) = synthetic();
    let fit = |regression: &Regression, splits: &[Split]| predict(regression, &gram, y.view(), splits);
    let pls = |components| Regression::Pls { components };
    assert!(fit(&pls(60), &splits).is_ok());
    assert_eq!(
        fit(&pls(61), &splits),
        Err(Error::TooFew {
            what: "features of the layer for this number of PLS components",
            needed: 61,
            found: 60
        })
    );
    assert!(matches!(fit(&pls(0), &splits), Err(Error::TooFew { .. })));
    let short = |m: usize| Split { train: (0..m).collect(), test: vec![148, 149] };
    assert!(fit(&PLS, &[short(26)]).is_ok());
    assert!(matches!(fit(&PLS, &[short(25)]), Err(Error::TooFew { needed: 26, found: 25, .. })));

    let linear = &Regression::Linear;
    let split = |train: &[usize], test: &[usize]| Split { train: train.to_vec(), test: test.to_vec() };
    assert!(fit(linear, &[split(&[0, 1], &[2, 3])]).is_ok());
    assert!(matches!(fit(linear, &[]), Err(Error::TooFew { .. })));
    assert!(matches!(fit(linear, &[split(&[0], &[2, 3])]), Err(Error::TooFew { .. })));
    assert!(matches!(fit(linear, &[split(&[0, 1], &[2])]), Err(Error::TooFew { .. })));
    assert!(matches!(fit(linear, &[split(&[0, 150], &[2, 3])]), Err(Error::OutOfRange { index: 150, .. })));
    assert!(matches!(fit(linear, &[split(&[0, 1], &[2, 1])]), Err(Error::Repeated { stimulus: 1, .. })));

    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(fit(&Regression::Ridge { alpha }, &splits), Err(Error::Parameter { .. })));
        let alphas = vec![1.0, alpha];
        assert!(matches!(fit(&Regression::RidgeCv { alphas }, &splits), Err(Error::Parameter { .. })));
    }
    assert!(matches!(fit(&Regression::RidgeCv { alphas: vec![] }, &splits), Err(Error::TooFew { .. })));
    let alphas = vec![1.0; 10_001];
    assert!(matches!(fit(&Regression::RidgeCv { alphas }, &splits), Err(Error::TooMany { .. })));

    let mut missing = y.clone();
    missing[(3, 2)] = f64::NAN;
    assert_eq!(
        predict(linear, &gram, missing.view(), &splits),
        Err(Error::NonFiniteTarget { stimulus: 3, neuroid: 2 })
    );
    let fewer = y.slice(ndarray::s![..149, ..]);
    assert!(matches!(predict(linear, &gram, fewer, &splits), Err(Error::Mismatch { .. })));
    let none = y.slice(ndarray::s![.., ..0]);
    assert!(matches!(predict(linear, &gram, none, &splits), Err(Error::TooFew { .. })));
}

#[test]
fn targets_that_share_a_factorisation_have_the_bits_they_have_alone() {
    let x = golden_features();
    let gram = LayerGram::from_features(x.view()).unwrap();
    let n = x.nrows();
    let splits = shuffle_split(n, 5, 0.8, 1).unwrap();
    let targets: Vec<Array2<f64>> =
        (0..51).map(|k| Array2::from_shape_fn((n, 1 + k % 7), |(i, j)| u(i, j, 40 + k))).collect();
    let bits = |scores: &SplitScores| {
        let values: Vec<u64> = scores.values.iter().map(|value| value.to_bits()).collect();
        (values, scores.alphas.clone())
    };
    let regressions = [
        Regression::Ridge { alpha: 1.0 },
        // Too small for Cholesky: all share the eigenvectors.
        Regression::Ridge { alpha: 1e-300 },
        Regression::RidgeCv { alphas: ridge_alphas() },
        Regression::Linear,
        Regression::Pls { components: 3 },
    ];
    for regression in &regressions {
        let alone = regression_scores(regression, &gram, targets[0].view(), &splits).map(|one| bits(&one));
        for others in [0, 1, 7, 50] {
            let mut views: Vec<_> = targets[..=others].iter().map(|y| y.view()).collect();
            // Who cannot be scored costs nobody else.
            let short = Array2::<f64>::zeros((n - 1, 1));
            views.insert(0, short.view());
            let mut found = regression_scores_each(regression, &gram, &views, &splits).into_iter();
            assert!(matches!(found.next(), Some(Err(Error::Mismatch { .. }))), "{regression:?}");
            let first = found.next().unwrap().map(|one| bits(&one));
            assert_eq!(first, alone, "{regression:?} with {others} others");
            assert_eq!(found.filter(|one| one.is_err() != alone.is_err()).count(), 0, "{regression:?}");
        }
    }
}
