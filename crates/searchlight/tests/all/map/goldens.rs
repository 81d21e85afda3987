//! Numbers of other programs, and of `scripts/goldens/searchlight.py`.

use ndarray::{Array1, Array2};
use serde::Deserialize;
use ventral_searchlight::{
    Comparison, Edge, LayerDesign, LayerRsms, Neighbourhoods, Options, Patterns, Permutations, Residual,
    RsmKind, compare_vector, image_permutations, map_range, permute_range,
};

use super::plain::{ball, grid, pearson, ranks};

#[derive(Deserialize)]
struct Golden {
    shape: [usize; 3],
    images: usize,
    layers: usize,
    minimum_voxels: usize,
    voxels: Vec<u32>,
    maps: Vec<GoldenMap>,
    null: GoldenNull,
    residuals: Vec<GoldenResidual>,
    cosmomvpa: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct GoldenMap {
    strict: bool,
    spearman: bool,
    values: Vec<Vec<Option<f64>>>,
    counts: Vec<u32>,
}

#[derive(Deserialize)]
struct GoldenNull {
    seed: u32,
    orders: Vec<Vec<usize>>,
    reached: Vec<Vec<u32>>,
    maxima: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct GoldenResidual {
    centre: usize,
    methods: std::collections::BTreeMap<String, Vec<f64>>,
}

/// The generator of the script: splitmix64 of three counters, a multiple of 2^-20 in [-8, 8).
fn draw(i: u64, j: u64, stream: u64) -> f64 {
    let mut h = (i << 40) ^ (j << 8) ^ stream;
    h = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (((h ^ (h >> 31)) >> 40) as f64 - f64::from(1 << 23)) / f64::from(1 << 20)
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../data/maps.json")).expect("golden")
    }

    fn patterns(&self) -> Patterns {
        let value = |(v, i): (usize, usize)| {
            let voxel = u64::from(self.voxels[v]);
            (draw(voxel, i as u64, 1) + 2.0 * draw(voxel / 4, i as u64, 2)) as f32
        };
        let values = Array2::from_shape_fn((self.voxels.len(), self.images), value);
        Patterns::new(self.voxels.clone(), values.view()).expect("patterns")
    }

    fn layers(&self, comparison: Comparison) -> LayerRsms {
        let pairs = self.images * (self.images - 1) / 2;
        let value = |(l, p): (usize, usize)| draw(p as u64, 0, 5) + draw(p as u64, l as u64 + 1, 6);
        let names = (0..self.layers).map(|l| format!("layer{l}")).collect();
        LayerRsms::new(names, self.images, Array2::from_shape_fn((self.layers, pairs), value), comparison)
            .expect("layers")
    }

    fn neighbourhoods(&self, edge: Edge) -> Neighbourhoods {
        Neighbourhoods::in_volume(&grid(self.shape), &self.voxels, &ball(2.0, edge)).expect("neighbourhoods")
    }

    fn options(&self) -> Options {
        Options { rsm: RsmKind::Pearson, minimum_voxels: self.minimum_voxels }
    }
}

#[test]
fn volume_maps_equal_the_plain_reference() {
    let golden = Golden::read();
    let patterns = golden.patterns();
    assert_eq!(golden.maps.len(), 4);
    for expected in &golden.maps {
        let comparison = if expected.spearman { Comparison::Spearman } else { Comparison::Pearson };
        let edge = if expected.strict { Edge::Strict } else { Edge::Inclusive };
        let (layers, neighbourhoods) = (golden.layers(comparison), golden.neighbourhoods(edge));
        let range = 0..golden.voxels.len();
        let map = map_range(&patterns, &neighbourhoods, range, &layers, &golden.options()).expect("map");
        assert_eq!(map.voxels, expected.counts);
        let mut worst = 0.0f64;
        for (row, expected) in map.values.rows().into_iter().zip(&expected.values) {
            for (found, expected) in row.iter().zip(expected) {
                match expected {
                    Some(expected) => worst = worst.max((found - expected).abs()),
                    None => assert!(found.is_nan()),
                }
            }
        }
        assert!(worst < 1e-6, "{comparison:?} {edge:?}: {worst:e}");
    }
}

#[test]
fn residual_methods_equal_explicit_least_squares() {
    let golden = Golden::read();
    let (patterns, layers) = (golden.patterns(), golden.layers(Comparison::Pearson));
    let neighbourhoods = golden.neighbourhoods(Edge::Inclusive);
    let design = LayerDesign::new(&layers).expect("design");
    let range = 0..golden.voxels.len();
    let map = map_range(&patterns, &neighbourhoods, range, &layers, &golden.options()).expect("map");
    assert!(golden.residuals.len() >= 3);
    for (name, method) in [
        ("raw", Residual::Raw),
        ("semi_partial", Residual::SemiPartial),
        ("partial", Residual::Partial),
        ("adjacent", Residual::Adjacent),
        ("earlier", Residual::Earlier),
        ("regression", Residual::Regression),
        ("ridge", Residual::RIDGE),
        ("non_negative", Residual::NonNegative),
        ("unique_variance", Residual::UniqueVariance),
        ("loewdin", Residual::Loewdin),
    ] {
        let values = design.prepare(method).expect("method").apply(map.values.view()).expect("values");
        for case in &golden.residuals {
            for (layer, expected) in case.methods[name].iter().enumerate() {
                let found = values[[case.centre, layer]];
                assert!((found - expected).abs() < 1e-6, "{name} {}: {found} {expected}", case.centre);
            }
        }
    }
}

#[test]
fn permutation_nulls_equal_the_plain_reference() {
    let golden = Golden::read();
    let (patterns, layers) = (golden.patterns(), golden.layers(Comparison::Pearson));
    let neighbourhoods = golden.neighbourhoods(Edge::Inclusive);
    let orders =
        image_permutations(golden.images, golden.null.maxima.len(), golden.null.seed).expect("orders");
    assert_eq!(orders[..3], golden.null.orders);
    let raw = LayerDesign::new(&layers).expect("design").prepare(Residual::Raw).expect("raw");
    let permutations = Permutations::new(&layers, &raw, orders).expect("permutations");
    let range = 0..golden.voxels.len();
    let map = map_range(&patterns, &neighbourhoods, range.clone(), &layers, &golden.options()).expect("map");
    let null =
        permute_range(&patterns, &neighbourhoods, range, &permutations, map.values.view(), &golden.options())
            .expect("null");
    assert_eq!(null.reached.iter().copied().collect::<Vec<_>>(), golden.null.reached.concat());
    for (found, expected) in null.maxima.iter().zip(golden.null.maxima.concat()) {
        assert!((f64::from(*found) - expected).abs() < 1e-6);
    }
}

const TARGET: [f64; 15] = [1.0, 2.0, 3.0, 4.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 2.0, 2.0];

/// The comparison of the whole synthetic set of CoSMoMVPA with target dissimilarities, after a residual method.
fn cosmomvpa(targets: &[&[f64]], rsm: RsmKind, comparison: Comparison, method: Residual) -> Vec<f64> {
    let golden = Golden::read();
    let values = Array2::from_shape_fn((6, 6), |(voxel, image)| golden.cosmomvpa[image][voxel] as f32);
    let patterns = Patterns::new((0..6).collect(), values.view()).expect("patterns");
    let neighbourhoods = Neighbourhoods::supplied(vec![0, 6], (0..6).collect(), 6).expect("one region");
    let vectors = Array2::from_shape_fn((targets.len(), 15), |(l, p)| targets[l][p]);
    let names = (0..targets.len()).map(|l| format!("target{l}")).collect();
    let layers = LayerRsms::from_dissimilarities(names, 6, vectors, comparison).expect("layers");
    let options = Options { rsm, minimum_voxels: 6 };
    let map = map_range(&patterns, &neighbourhoods, 0..1, &layers, &options).expect("map");
    let method = LayerDesign::new(&layers).expect("design").prepare(method).expect("method");
    method.apply(map.values.view()).expect("values").row(0).to_vec()
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= tolerance);
    assert!(same, "{found:?} {expected:?}");
}

#[test]
fn target_similarity_of_cosmomvpa() {
    let one = |rsm, comparison| cosmomvpa(&[&TARGET], rsm, comparison, Residual::Raw);
    near(&one(RsmKind::Pearson, Comparison::Pearson), &[0.2507], 5e-5);
    near(&one(RsmKind::Euclidean, Comparison::Pearson), &[0.3037], 5e-5);
    near(&one(RsmKind::Pearson, Comparison::Spearman), &[0.2558], 5e-5);
    let mut reversed = TARGET;
    reversed.reverse();
    let two =
        |other: &[f64], method| cosmomvpa(&[&TARGET, other], RsmKind::Pearson, Comparison::Pearson, method);
    near(&two(&reversed, Residual::Partial)[..1], &[0.3082], 5e-5);
    near(&two(&reversed, Residual::SemiPartial)[..1], &[0.3076], 5e-5);
    let mut half = TARGET;
    half[..10].reverse();
    near(&two(&half, Residual::Regression), &[0.3505, 0.3994], 5e-5);
    let pairs = (0..6).flat_map(|i| (i + 1..6).map(move |j| (i, j)));
    let blocks: Vec<f64> = pairs.map(|(i, j)| if i / 2 == j / 2 { 0.0 } else { 1.0 }).collect();
    near(&cosmomvpa(&[&blocks], RsmKind::Pearson, Comparison::Pearson, Residual::Raw), &[0.562], 5e-4);
}

/// Method on raw vectors of any length.
fn of_vectors(y: &[f64], x: &[&[f64]], method: Residual) -> Vec<f64> {
    let layers = x.len();
    let correlations =
        Array2::from_shape_fn((layers, layers), |(a, b)| if a == b { 1.0 } else { pearson(x[a], x[b]) });
    let names = (0..layers).map(|l| l.to_string()).collect();
    let design = LayerDesign::from_correlations(names, correlations).expect("design");
    let raw = Array2::from_shape_fn((1, layers), |(_, l)| pearson(y, x[l]));
    design.prepare(method).expect("method").apply(raw.view()).expect("values").row(0).to_vec()
}

#[test]
fn partial_correlation_and_regression_of_mne_rsa() {
    let x: [&[f64]; 2] = [&[1.0, 2.0, 3.0, 4.0], &[0.0, 0.0, 1.0, 1.0]];
    near(&of_vectors(&[2.0, 4.0, 15.0, 20.0], &x, Residual::Partial), &[0.919_145, 0.912_871], 1e-6);
    let ranked: Vec<Vec<f64>> = x.iter().map(|x| ranks(x)).collect();
    let ranked: Vec<&[f64]> = ranked.iter().map(Vec::as_slice).collect();
    near(&of_vectors(&ranks(&[2.0, 4.0, 20.0, 15.0]), &ranked, Residual::Partial), &[0.0, 2.0 / 3.0], 1e-12);
    let y: Vec<f64> = (0..4).map(|k| 3.0 * x[0][k] + 5.0 * x[1][k]).collect();
    let spread = |v: &[f64]| Array1::from(v.to_vec()).std(0.0);
    let weights = of_vectors(&y, &x, Residual::Regression);
    let unscaled: Vec<f64> = weights.iter().zip(x).map(|(w, x)| w * spread(&y) / spread(x)).collect();
    near(&unscaled, &[3.0, 5.0], 1e-12);
}

#[test]
fn kendall_tau_a_of_mne_rsa() {
    let vectors = Array2::from_shape_vec((1, 3), vec![1.0, 3.0, 3.0]).expect("vector");
    let layers = LayerRsms::new(vec!["x".into()], 3, vectors, Comparison::TauA).expect("layers");
    near(&compare_vector(&[1.0, 2.0, 3.0], &layers).expect("tau"), &[2.0 / 3.0], 1e-15);
}
