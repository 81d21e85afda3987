//! A precision never costs a wrong number: 32 bit as asked for, 64 bit and scikit-learn agree, or the score is refused.

use ndarray::{Array2, ArrayView2, s};
use ventral_metrics::{
    Error, GramBuilder, LayerGram, MAX_NOISE_SHARE, Precision, Regression, Split, TILE_FEATURES,
    TileConsumer, predict, regression_scores, ridge_alphas,
};

use crate::support::{golden, u};

/// As in `scripts/goldens/precision.py`.
const STIMULI: usize = 96;
const TRAINING: usize = 72;
const NEUROIDS: usize = 3;
const LATENTS: usize = 5;
const COMPONENTS: usize = 10;

/// What r may be off.
const TOLERANCE: f64 = 1e-6;

fn grid(rows: usize, columns: usize, stream: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| u(i, j, stream) - 0.5)
}

fn mixed(latents: &Array2<f64>, mixing: &Array2<f64>, rest: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn(rest.raw_dim(), |(i, j)| {
        (0..LATENTS).map(|l| latents[(i, l)] * mixing[(l, j)]).fold(0.0, |sum, term| sum + term)
            + rest[(i, j)]
    })
}

fn features(p: usize, scale: &str) -> Array2<f32> {
    let latents = grid(STIMULI, LATENTS, 71);
    let even = mixed(&latents, &grid(LATENTS, p, 74), &grid(STIMULI, p, 75));
    let scale = |feature: usize| match scale.split_once(' ') {
        None => scale.parse::<f64>().unwrap(),
        Some((which, factor)) => {
            let count = if which == "one" { 1 } else { p / 2 };
            if feature < count { factor.parse().unwrap() } else { 1.0 }
        }
    };
    Array2::from_shape_fn((STIMULI, p), |(i, j)| (even[(i, j)] * scale(j)) as f32)
}

fn responses() -> Array2<f64> {
    let latents = grid(STIMULI, LATENTS, 71);
    mixed(&latents, &grid(LATENTS, NEUROIDS, 72), &(0.2 * grid(STIMULI, NEUROIDS, 73)))
}

fn built(x: ArrayView2<'_, f32>, precision: Precision) -> Result<LayerGram, Error> {
    let mut builder = GramBuilder::new(x.nrows(), precision)?;
    for start in (0..x.ncols()).step_by(TILE_FEATURES) {
        let end = x.ncols().min(start + TILE_FEATURES);
        builder.push(start as u64, x.slice(s![.., start..end]))?;
    }
    builder.finish()
}

/// As a job multiplies a layer.
fn gram(x: ArrayView2<'_, f32>, asked: Precision, regression: &Regression) -> LayerGram {
    let precision = asked.needed(regression.solves(), x.nrows(), x.ncols() as u64);
    match built(x, precision) {
        Ok(gram) if precision == Precision::F64 || gram.noise_share() <= MAX_NOISE_SHARE => gram,
        Err(Error::Overflow { .. }) | Ok(_) => built(x, Precision::F64).unwrap(),
        Err(error) => panic!("{error}"),
    }
}

fn regressions(p: usize) -> [(&'static str, Regression); 4] {
    [
        ("pls", Regression::Pls { components: COMPONENTS.min(p) }),
        ("ridge", Regression::Ridge { alpha: 1.0 }),
        ("ridge_cv", Regression::RidgeCv { alphas: ridge_alphas() }),
        ("linear", Regression::Linear),
    ]
}

#[test]
fn f32_f64_and_scikit_learn_agree_or_the_score_is_refused() {
    let y = responses();
    let split = Split { train: (0..TRAINING).collect(), test: (TRAINING..STIMULI).collect() };
    let (mut wrong, mut in_single) = (Vec::new(), false);
    for case in golden("precision.json").as_array().unwrap() {
        let (p, scale) = (case["features"].as_u64().unwrap() as usize, case["scale"].as_str().unwrap());
        let x = features(p, scale);
        // Predictions from very small features under a penalty are constant up to rounding.
        let clear = !scale.contains(' ') && scale != "1e-06";
        let mut line = format!("| {p} | {scale} |");
        for (name, regression) in regressions(p) {
            let expected: Vec<f64> =
                case[name].as_array().unwrap().iter().map(|r| r.as_f64().unwrap()).collect();
            for asked in [Precision::F32, Precision::F64] {
                let gram = gram(x.view(), asked, &regression);
                let found = regression_scores(&regression, &gram, y.view(), std::slice::from_ref(&split));
                match found {
                    Ok(found) => {
                        let error = found.values.iter().zip(&expected).map(|(a, b)| (a - b).abs());
                        let error = error.fold(0.0, f64::max);
                        if error.is_nan() || error > TOLERANCE {
                            wrong.push(format!("{name} on {p} features x {scale} in {asked}: {error:.1e}"));
                        }
                        line += &format!(" {error:.0e} ({}) |", gram.precision);
                    }
                    Err(Error::Rounding { share, .. }) => {
                        line += &format!(" refused, {share:.0e} |");
                        if clear {
                            wrong.push(format!("{name} on {p} features x {scale} in {asked} is refused"));
                        }
                    }
                    Err(error) => panic!("{name} on {p} features x {scale}: {error}"),
                }
            }
        }
        println!("{line}");
        in_single |= line.contains("(f32)");
    }
    assert!(in_single, "nothing was multiplied in 32 bit");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_coarse_gram_is_refused_where_it_would_be_wrong() {
    let y = responses();
    let split = Split { train: (0..TRAINING).collect(), test: (TRAINING..STIMULI).collect() };
    let coarse = built(features(384, "one 1e5").view(), Precision::F32).unwrap();
    assert!(coarse.noise_share() > MAX_NOISE_SHARE);
    for (name, regression) in regressions(384) {
        let found = regression_scores(&regression, &coarse, y.view(), std::slice::from_ref(&split));
        let refused = matches!(found, Err(Error::Rounding { precision: Precision::F32, .. }));
        assert!(refused, "{name}: {found:?}");
    }
}

#[test]
fn of_the_splits_that_fail_the_first_says_why() {
    let y = responses();
    let coarse = built(features(384, "one 1e5").view(), Precision::F32).unwrap();
    let test: Vec<usize> = (TRAINING..STIMULI).collect();
    let splits: Vec<Split> = (0..8)
        .map(|split| Split { train: (0..TRAINING - 6 * split).collect(), test: test.clone() })
        .collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    let mut differ = false;
    for (name, regression) in regressions(384) {
        let why = |splits: &[Split]| {
            regression_scores(&regression, &coarse, y.view(), splits).unwrap_err().to_string()
        };
        let expected = why(&splits[..1]);
        differ |= (1..8).any(|split| why(&splits[split..=split]) != expected);
        for _ in 0..10 {
            assert_eq!(pool.install(|| why(&splits)), expected, "{name}");
        }
    }
    assert!(differ, "all splits fail alike");
}

#[test]
fn the_noise_of_a_gram_is_measured() {
    for (p, scale) in [(9600, "1"), (9600, "1e-6"), (384, "half 1e4"), (9600, "one 1e2")] {
        let x = features(p, scale);
        let (single, double) =
            (built(x.view(), Precision::F32).unwrap(), built(x.view(), Precision::F64).unwrap());
        let errors = &single.products - &double.products;
        let rms = errors.mapv(|error| error * error).mean().unwrap().sqrt();
        assert!(single.noise > 0.5 * rms && single.noise < 2.0 * rms, "{p} {scale}: {} {rms}", single.noise);
        assert!(double.noise < 1e-7 * single.noise);
    }
    // Products below the range of 32 bit are noise as well.
    let faint = built(features(9600, "1e-25").view(), Precision::F32).unwrap();
    assert!(faint.noise_share() > MAX_NOISE_SHARE);
}

#[test]
fn more_neuroids_than_stimuli_are_fitted_in_as_many_iterations() {
    let x = features(384, "1");
    let gram = built(x.view(), Precision::F64).unwrap();
    let few = mixed(&grid(STIMULI, LATENTS, 71), &grid(LATENTS, 40, 76), &(0.3 * grid(STIMULI, 40, 77)));
    let split = Split { train: (0..TRAINING).collect(), test: (TRAINING..STIMULI).collect() };
    let fit = |y: &Array2<f64>| {
        let pls = Regression::Pls { components: 25 };
        predict(&pls, &gram, y.view(), std::slice::from_ref(&split)).unwrap().remove(0)
    };
    // Constant neuroids count for nothing but the choice of the side.
    let constant = Array2::from_elem((STIMULI, 70), 0.25);
    let many = ndarray::concatenate![ndarray::Axis(1), few, constant];
    let (of_neuroids, of_stimuli) = (fit(&few), fit(&many));
    assert_eq!(of_neuroids.iterations, of_stimuli.iterations);
    assert_eq!(of_neuroids.iterations.len(), 25);
    let error =
        (&of_neuroids.values - &of_stimuli.values.slice(s![.., ..40])).fold(0.0_f64, |m, x| m.max(x.abs()));
    assert!(error < 1e-9, "{error:e}");
}
