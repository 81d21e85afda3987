use ndarray::Array2;
use ventral_searchlight::{
    Comparison, Edge, Error, Neighbourhoods, Options, Patterns, RangeMap, RsmKind, ceiling_range,
    noise_ceiling, odd_even, reliability_range, rsm_range, share_of_ceiling, spearman_brown,
};

use super::plain;

const COMPARISONS: [Comparison; 5] =
    [Comparison::Pearson, Comparison::Spearman, Comparison::RhoA, Comparison::TauA, Comparison::Cosine];

fn subject(stream: u64) -> Vec<f64> {
    (0..45).map(|p| 0.4 + plain::noise(p, 0, 70) + plain::noise(p, 1, stream)).collect()
}

fn normalised(v: &[f64], comparison: Comparison) -> Vec<f64> {
    let mean = v.iter().sum::<f64>() / v.len() as f64;
    let spread = (v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / v.len() as f64).sqrt();
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    match comparison {
        Comparison::Pearson => v.iter().map(|x| (x - mean) / spread).collect(),
        Comparison::Cosine => v.iter().map(|x| x / norm).collect(),
        _ => plain::ranks(v),
    }
}

fn compared(x: &[f64], y: &[f64], comparison: Comparison) -> f64 {
    match comparison {
        Comparison::Pearson => plain::pearson(x, y),
        Comparison::Cosine => plain::cosine(x, y),
        Comparison::TauA => plain::tau_a(x, y),
        // No ties here: rho-a is Spearman's rho.
        Comparison::Spearman | Comparison::RhoA => plain::pearson(&plain::ranks(x), &plain::ranks(y)),
    }
}

#[test]
fn ceilings_equal_their_definition() {
    let subjects: Vec<Vec<f64>> = (80..85).map(subject).collect();
    let mean = |rows: &[&Vec<f64>]| -> Vec<f64> {
        (0..45).map(|p| rows.iter().map(|row| row[p]).sum::<f64>() / rows.len() as f64).collect()
    };
    for comparison in COMPARISONS {
        let units: Vec<_> = subjects.iter().map(|v| normalised(v, comparison)).collect();
        let (mut lower, mut upper) = (0.0, 0.0);
        for (s, own) in subjects.iter().enumerate() {
            let all: Vec<_> = units.iter().collect();
            let others: Vec<_> = units.iter().enumerate().filter(|(k, _)| *k != s).map(|(_, v)| v).collect();
            upper += compared(own, &mean(&all), comparison) / 5.0;
            lower += compared(own, &mean(&others), comparison) / 5.0;
        }
        let ceiling = noise_ceiling(&subjects, comparison).expect("ceiling");
        // Pooled ranks have ties, which rho-a and tau-a count against.
        let tolerance = if comparison == Comparison::RhoA { 1e-3 } else { 1e-12 };
        assert!((ceiling.upper - upper).abs() < tolerance, "{comparison:?} {} {upper}", ceiling.upper);
        assert!((ceiling.lower - lower).abs() < tolerance, "{comparison:?} {} {lower}", ceiling.lower);
        assert!(ceiling.lower < ceiling.upper && ceiling.upper < 1.0);
    }
}

#[test]
fn ceilings_of_one_rsm_for_all_are_one() {
    let subjects = vec![subject(80); 3];
    for comparison in COMPARISONS {
        let ceiling = noise_ceiling(&subjects, comparison).expect("ceiling");
        assert!((ceiling.lower - 1.0).abs() < 1e-12 && (ceiling.upper - 1.0).abs() < 1e-12, "{comparison:?}");
    }
    let constant = noise_ceiling(&[subject(80), vec![0.5; 45]], Comparison::Pearson).expect("ceiling");
    assert!(constant.lower.is_nan() && constant.upper.is_nan());
    assert!(matches!(noise_ceiling(&subjects[..1], Comparison::Pearson), Err(Error::TooFew { .. })));
    assert!(matches!(
        noise_ceiling(&[subject(1), vec![0.0; 3]], Comparison::Pearson),
        Err(Error::Mismatch { .. })
    ));
}

struct Case {
    voxels: Vec<u32>,
    neighbourhoods: Neighbourhoods,
    options: Options,
}

impl Case {
    fn new() -> Self {
        let grid = plain::grid([9, 8, 7]);
        let voxels = plain::mask(&grid);
        let shape = plain::ball(2.0, Edge::Inclusive);
        let neighbourhoods = Neighbourhoods::in_volume(&grid, &voxels, &shape).expect("neighbourhoods");
        Self { voxels, neighbourhoods, options: Options { rsm: RsmKind::Pearson, minimum_voxels: 16 } }
    }

    fn values(&self, stream: u64) -> Array2<f32> {
        let shared = plain::responses(self.voxels.len(), 9, 0.0, 40);
        shared + 0.5 * plain::responses(self.voxels.len(), 9, 0.0, stream)
    }

    fn rsms(&self, patterns: &Patterns) -> Vec<Option<Vec<f64>>> {
        rsm_range(patterns, &self.neighbourhoods, 0..self.neighbourhoods.centres(), &self.options)
            .expect("rsms")
    }
}

#[test]
fn ceiling_maps_are_ceilings_of_each_centre() {
    let case = Case::new();
    let subjects: Vec<Patterns> = (0..3)
        .map(|s| Patterns::new(case.voxels.clone(), case.values(10 * s).view()).expect("patterns"))
        .collect();
    let rsms: Vec<_> = subjects.iter().map(|patterns| case.rsms(patterns)).collect();
    let all = 0..case.neighbourhoods.centres();
    let map =
        ceiling_range(&subjects, &case.neighbourhoods, all.clone(), Comparison::Spearman, &case.options)
            .expect("ceilings");
    assert!(map.undefined > 0 && map.undefined < all.len());
    for centre in all {
        let vectors: Option<Vec<Vec<f64>>> = rsms.iter().map(|rsms| rsms[centre].clone()).collect();
        let Some(vectors) = vectors else {
            assert!(map.upper[centre].is_nan());
            continue;
        };
        let ceiling = noise_ceiling(&vectors, Comparison::Spearman).expect("ceiling");
        assert_eq!((ceiling.lower, ceiling.upper), (map.lower[centre], map.upper[centre]));
    }
    let fewer = Patterns::new(case.voxels[1..].to_vec(), case.values(1).slice(ndarray::s![1.., ..]))
        .expect("patterns");
    let mixed = [subjects[0].clone(), fewer];
    let error = ceiling_range(&mixed, &case.neighbourhoods, 0..1, Comparison::Pearson, &case.options);
    assert!(matches!(error, Err(Error::Mismatch { .. })));
}

#[test]
fn shares_of_a_ceiling_that_is_not_positive_are_undefined() {
    let values = Array2::from_shape_vec((3, 1), vec![0.2, 0.2, 0.2]).expect("values");
    let map = RangeMap { values, voxels: vec![30; 3], too_small: 0, undefined: 0 };
    let share = share_of_ceiling(&map, &[0.5, 0.0, -0.1]).expect("share");
    assert!((share[[0, 0]] - 0.4).abs() < 1e-15 && share[[1, 0]].is_nan() && share[[2, 0]].is_nan());
}

#[test]
fn reliability_compares_the_halves() {
    let case = Case::new();
    let runs: Vec<_> = (0..4).map(|run| case.values(10 * run)).collect();
    let views: Vec<_> = runs.iter().map(|run| run.view()).collect();
    let patterns = Patterns::from_runs(case.voxels.clone(), &views).expect("patterns");
    let halves = odd_even(4);
    assert_eq!(halves, [vec![0, 2], vec![1, 3]]);
    let all = 0..case.neighbourhoods.centres();
    let found = reliability_range(
        &patterns,
        &halves,
        &case.neighbourhoods,
        all.clone(),
        Comparison::Pearson,
        &case.options,
    )
    .expect("reliability");
    let half = |runs: &[usize]| case.rsms(&patterns.select_runs(runs).expect("runs").averaged());
    let (a, b) = (half(&halves[0]), half(&halves[1]));
    for centre in all {
        match (&a[centre], &b[centre]) {
            (Some(a), Some(b)) => {
                let r = plain::pearson(a, b);
                assert!((found.halves[centre] - r).abs() < 1e-12);
                assert!((found.corrected[centre] - 2.0 * r / (1.0 + r)).abs() < 1e-12);
            }
            _ => assert!(found.halves[centre].is_nan()),
        }
    }
    let shared = [vec![0, 1], vec![1, 2]];
    assert!(matches!(
        reliability_range(&patterns, &shared, &case.neighbourhoods, 0..1, Comparison::Pearson, &case.options),
        Err(Error::Invalid { .. })
    ));
    let crossnobis = Options { rsm: RsmKind::Crossnobis, ..case.options };
    let thin = [vec![0], vec![1]];
    assert!(matches!(
        reliability_range(&patterns, &thin, &case.neighbourhoods, 0..1, Comparison::Pearson, &crossnobis),
        Err(Error::TooFew { .. })
    ));
    assert!((spearman_brown(0.5) - 2.0 / 3.0).abs() < 1e-15 && spearman_brown(-1.0).is_nan());
}
