//! What must not change a score: the order of stimuli and of neuroids, and shifts, scales and copies of features.

use ndarray::{Array2, Array3, Axis, concatenate};
use proptest::prelude::*;
use ventral_metrics::{
    CkaEstimator, LayerGram, NeuronToNeuron, Regression, Repeats, ReversePredictivity, Split, SplitScores,
    TileConsumer, cka, cka_scores, grouped_regression_scores, internal_consistency, predictor_consistency,
    principal_components, rdm, rdm_of, rdm_scores, rdm_similarity, regression_scores, shuffle_split,
    span_time_scores, split_half_even_odd,
};

use crate::support::u;

const STIMULI: usize = 40;
const NEUROIDS: usize = 6;

/// Features, responses that depend on them, and splits.
#[derive(Debug, Clone)]
struct Data {
    x: Array2<f64>,
    y: Array2<f64>,
    splits: Vec<Split>,
}

fn data(features: std::ops::Range<usize>) -> impl Strategy<Value = Data> {
    (features, 0_usize..1000).prop_map(|(p, seed)| {
        let x = Array2::from_shape_fn((STIMULI, p), |(i, j)| u(i, j, 2 * seed + 1000));
        let weights = Array2::from_shape_fn((p, NEUROIDS), |(j, k)| u(j, k, 3) - 0.5);
        let y =
            x.dot(&weights) + Array2::from_shape_fn((STIMULI, NEUROIDS), |(i, k)| u(i, k, 2 * seed + 1001));
        Data { x, y, splits: shuffle_split(STIMULI, 2, 0.75, 1).expect("splits") }
    })
}

/// A permutation that depends on a number.
fn order(n: usize, seed: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| u(a, seed, 9).total_cmp(&u(b, seed, 9)));
    order
}

impl Data {
    fn gram(&self) -> LayerGram {
        LayerGram::from_features(self.x.view()).expect("a Gram matrix")
    }

    fn with(&self, x: Array2<f64>) -> Self {
        Self { x, ..self.clone() }
    }

    /// The same data with its stimuli in another order.
    fn reordered(&self, seed: usize) -> Self {
        let order = order(STIMULI, seed);
        let place = |row: &usize| order.iter().position(|old| old == row).expect("a place");
        let moved = |rows: &[usize]| rows.iter().map(place).collect();
        Self {
            x: self.x.select(Axis(0), &order),
            y: self.y.select(Axis(0), &order),
            splits: self
                .splits
                .iter()
                .map(|s| Split { train: moved(&s.train), test: moved(&s.test) })
                .collect(),
        }
    }

    fn doubled(&self) -> Self {
        self.with(concatenate(Axis(1), &[self.x.view(), self.x.view()]).expect("columns"))
    }

    fn fitted(&self, regression: &Regression) -> SplitScores {
        regression_scores(regression, &self.gram(), self.y.view(), &self.splits).expect("scores")
    }

    fn nearest(&self) -> SplitScores {
        let mut metric = NeuronToNeuron::new(self.y.view(), &self.splits).expect("a metric");
        metric.push(0, self.x.mapv(|v| v as f32).view()).expect("a tile");
        metric.finish().expect("scores")
    }

    fn reversed(&self, regression: &Regression) -> SplitScores {
        let x = self.x.mapv(|v| v as f32);
        let gram = LayerGram::from_features(x.mapv(f64::from).view()).expect("a Gram matrix");
        let mut metric =
            ReversePredictivity::new(regression, self.y.view(), &self.splits, Some(&gram)).expect("a metric");
        metric.push(0, x.view()).expect("a tile");
        metric.finish().expect("scores")
    }

    /// RDM and both CKA, of everything and on the test stimuli.
    fn similarities(&self) -> Vec<f64> {
        let (gram, target) = (self.gram(), LayerGram::from_features(self.y.view()).expect("a Gram matrix"));
        let rdm_of_y = rdm_of(self.y.view());
        let mut found =
            vec![rdm_similarity(rdm(&gram).expect("an RDM").view(), rdm_of_y.view()).expect("a similarity")];
        found.extend(
            rdm_scores(&gram, rdm_of_y.view().insert_axis(Axis(0)), &self.splits).expect("scores").values,
        );
        for estimator in [CkaEstimator::Biased, CkaEstimator::Unbiased] {
            found.push(cka(&gram, &target, estimator).expect("a similarity"));
            found.extend(cka_scores(&gram, &target, estimator, &self.splits).expect("scores").values);
        }
        found
    }

    fn alignments(&self) -> Vec<f64> {
        self.similarities().split_off(1 + self.splits.len())
    }
}

fn regressions() -> [Regression; 4] {
    [
        Regression::Pls { components: 4 },
        Regression::Ridge { alpha: 0.7 },
        Regression::RidgeCv { alphas: vec![0.1, 1.0, 10.0] },
        Regression::Linear,
    ]
}

fn differ(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| if a.is_nan() && b.is_nan() { 0.0 } else { (a - b).abs() })
        .fold(0.0, f64::max)
}

fn values(scores: &SplitScores) -> Vec<f64> {
    scores.values.iter().copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_stimuli_does_not_matter(data in data(5..90), seed in 0_usize..50) {
        let other = data.reordered(seed);
        for regression in regressions() {
            let (a, b) = (data.fitted(&regression), other.fitted(&regression));
            prop_assert!(differ(&values(&a), &values(&b)) < 1e-7, "{regression:?}");
        }
        prop_assert!(differ(&values(&data.nearest()), &values(&other.nearest())) < 1e-9);
        prop_assert!(differ(&data.similarities(), &other.similarities()) < 1e-9);
        for regression in [Regression::Pls { components: 3 }, Regression::Ridge { alpha: 0.7 }, Regression::Linear] {
            prop_assert!(differ(&values(&data.reversed(&regression)), &values(&other.reversed(&regression))) < 1e-6);
        }
    }

    /// PLS starts from the first neuroid and stops before close components are told apart, as the reference does (spec 1.3): of several
    /// components the order matters.
    #[test]
    fn the_order_of_neuroids_does_not_matter(data in data(5..90), seed in 0_usize..50) {
        let order = order(NEUROIDS, seed);
        let other = Data { y: data.y.select(Axis(1), &order), ..data.clone() };
        for regression in &regressions()[1..] {
            let (a, b) = (data.fitted(regression), other.fitted(regression));
            let a: Vec<f64> = a.values.select(Axis(1), &order).into_iter().collect();
            prop_assert!(differ(&a, &values(&b)) < 1e-8, "{regression:?}");
        }
        let nearest: Vec<f64> = data.nearest().values.select(Axis(1), &order).into_iter().collect();
        prop_assert!(differ(&nearest, &values(&other.nearest())) == 0.0);
        prop_assert!(differ(&data.similarities(), &other.similarities()) < 1e-9);
        for regression in [Regression::Pls { components: 3 }, Regression::Ridge { alpha: 0.7 }, Regression::Linear] {
            prop_assert!(differ(&values(&data.reversed(&regression)), &values(&other.reversed(&regression))) < 1e-7);
        }
        let groups: Vec<Vec<usize>> = vec![(0..2).collect(), (2..NEUROIDS).collect()];
        let ridge = Regression::Ridge { alpha: 0.7 };
        let grouped = grouped_regression_scores(&ridge, &data.gram(), data.y.view(), &data.splits, &groups).unwrap();
        prop_assert!(differ(&values(&grouped), &values(&data.fitted(&ridge))) < 1e-9, "a fixed penalty knows no groups");
    }

    #[test]
    fn shifts_of_features_do_not_matter(data in data(5..90), shift in -30.0_f64..30.0) {
        let other = data.with(&data.x + &Array2::from_shape_fn((1, data.x.ncols()), |(_, j)| shift * u(0, j, 11)));
        for regression in regressions() {
            prop_assert!(differ(&values(&data.fitted(&regression)), &values(&other.fitted(&regression))) < 1e-6, "{regression:?}");
        }
        prop_assert!(differ(&values(&data.nearest()), &values(&other.nearest())) < 1e-3, "32-bit features");
        prop_assert!(differ(&data.alignments(), &other.alignments()) < 1e-7);
    }

    /// The penalty of ridge is in the units of the squared features.
    #[test]
    fn scales_of_features_do_not_matter(data in data(5..90), scale in 0.05_f64..40.0) {
        let other = data.with(&data.x * scale);
        for regression in regressions() {
            let scaled = match &regression {
                Regression::Ridge { alpha } => Regression::Ridge { alpha: alpha * scale * scale },
                Regression::RidgeCv { alphas } => Regression::RidgeCv { alphas: alphas.iter().map(|a| a * scale * scale).collect() },
                other => other.clone(),
            };
            prop_assert!(differ(&values(&data.fitted(&regression)), &values(&other.fitted(&scaled))) < 1e-6, "{regression:?}");
        }
        prop_assert!(differ(&values(&data.nearest()), &values(&other.nearest())) < 1e-4, "32-bit features");
        prop_assert!(differ(&data.similarities(), &other.similarities()) < 1e-6);
        for regression in [Regression::Pls { components: 3 }, Regression::Ridge { alpha: 0.7 }] {
            prop_assert!(differ(&values(&data.reversed(&regression)), &values(&other.reversed(&regression))) < 1e-4, "32-bit features");
        }
    }

    /// Copies double every inner product, hence the penalty that does the same.
    #[test]
    fn copies_of_features_do_not_matter(data in data(5..60)) {
        let other = data.doubled();
        for regression in regressions() {
            let doubled = match &regression {
                Regression::Ridge { alpha } => Regression::Ridge { alpha: 2.0 * alpha },
                Regression::RidgeCv { alphas } => Regression::RidgeCv { alphas: alphas.iter().map(|a| 2.0 * a).collect() },
                other => other.clone(),
            };
            prop_assert!(differ(&values(&data.fitted(&regression)), &values(&other.fitted(&doubled))) < 1e-6, "{regression:?}");
        }
        prop_assert!(differ(&values(&data.nearest()), &values(&other.nearest())) == 0.0);
        prop_assert!(differ(&data.similarities(), &other.similarities()) < 1e-9);
        for regression in [Regression::Pls { components: 3 }, Regression::Linear] {
            prop_assert!(differ(&values(&data.reversed(&regression)), &values(&other.reversed(&regression))) < 1e-9);
        }
    }

    #[test]
    fn units_of_responses_do_not_matter(data in data(5..90), scale in 0.1_f64..20.0, shift in -9.0_f64..9.0) {
        let other = Data { y: &data.y * scale + shift, ..data.clone() };
        for regression in regressions() {
            prop_assert!(differ(&values(&data.fitted(&regression)), &values(&other.fitted(&regression))) < 1e-7, "{regression:?}");
        }
        prop_assert!(differ(&values(&data.nearest()), &values(&other.nearest())) < 1e-9);
        prop_assert!(differ(&data.alignments(), &other.alignments()) < 1e-7);
        let linear = Regression::Linear;
        prop_assert!(differ(&values(&data.reversed(&linear)), &values(&other.reversed(&linear))) < 1e-8);
    }

    /// The components of a layer are those of its inner products: rotations, copies and shifts of features do nothing to them.
    #[test]
    fn components_know_inner_products_alone(data in data(30..60), shift in -5.0_f64..5.0) {
        let (fit, rows): (Vec<usize>, Vec<usize>) = (0..STIMULI).partition(|row| row % 2 == 0);
        let reduced = |data: &Data, fit: &[usize]| {
            principal_components(&data.gram(), fit, &rows, 7).unwrap().raw_products().into_iter().collect::<Vec<f64>>()
        };
        let expected = reduced(&data, &fit);
        prop_assert!(differ(&expected, &reduced(&data.with(&data.x + shift), &fit)) < 1e-7);
        let halved = data.doubled();
        let halved = halved.with(&halved.x / 2.0_f64.sqrt());
        prop_assert!(differ(&expected, &reduced(&halved, &fit)) < 1e-7);
        let backwards: Vec<usize> = fit.iter().rev().copied().collect();
        prop_assert!(differ(&expected, &reduced(&data, &backwards)) < 1e-7);
    }

    #[test]
    fn ceilings_know_neither_units_nor_order(seed in 0_usize..1000, scale in 0.1_f64..9.0, shift in -9.0_f64..9.0) {
        let cube = Array3::from_shape_fn((4, 15, 3), |(r, i, k)| u(i, k, seed) + u(1000 * r + i, k, seed + 1));
        let order = order(15, seed);
        let back: Vec<usize> = (0..15).map(|i| order.iter().position(|&o| o == i).unwrap()).collect();
        let all: Vec<usize> = (0..15).collect();
        let changed = (&cube * scale + shift).select(Axis(1), &order);
        let (a, b) = (Repeats { values: cube.view() }, Repeats { values: changed.view() });
        let consistency = |r| internal_consistency(r, 5, 1).unwrap().splits.into_iter().collect::<Vec<f64>>();
        prop_assert!(differ(&consistency(a), &consistency(b)) < 1e-9);
        let halves = |r| split_half_even_odd(r).unwrap().to_vec();
        prop_assert!(differ(&halves(a), &halves(b)) < 1e-9);
        let drawn = |r, order: &[usize]| predictor_consistency(r, order, 5, 0).unwrap().splits.into_iter().collect::<Vec<f64>>();
        prop_assert!(differ(&drawn(a, &all), &drawn(b, &back)) < 1e-9);
    }

    #[test]
    fn the_order_of_time_bins_does_not_matter(data in data(5..60)) {
        let later = &data.y * 1.5 + &Array2::from_shape_fn((STIMULI, NEUROIDS), |(i, k)| u(i, k, 12));
        let both = |a: &Array2<f64>, b: &Array2<f64>| concatenate(Axis(1), &[a.view(), b.view()]).unwrap();
        let scores = |y: Array2<f64>| {
            span_time_scores(&Regression::Ridge { alpha: 0.7 }, &data.gram(), y.view(), 2, &data.splits).unwrap().values
        };
        let (found, swapped) = (scores(both(&data.y, &later)), scores(both(&later, &data.y)));
        let swapped = swapped.select(Axis(1), &(0..2 * NEUROIDS).map(|c| (c + NEUROIDS) % (2 * NEUROIDS)).collect::<Vec<_>>());
        prop_assert!(differ(&found.into_iter().collect::<Vec<_>>(), &swapped.into_iter().collect::<Vec<_>>()) < 1e-9);
    }
}
