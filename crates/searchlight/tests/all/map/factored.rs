use ndarray::{Array2, ArrayView2};
use ventral_searchlight::{
    Comparison, Edge, Error, FactoredLayers, LayerRsms, Neighbourhoods, Options, Patterns, RangeMap, RsmKind,
    map_range, map_range_factored,
};

use super::plain;

const IMAGES: usize = 30;

fn features(layer: u64, units: usize) -> Array2<f64> {
    Array2::from_shape_fn((IMAGES, units), |(i, k)| {
        3.0 + plain::noise(k, i, 200) + 0.7 * plain::noise(k, i, 201 + layer)
    })
}

fn correlations(features: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((IMAGES, IMAGES), |(i, j)| {
        plain::pearson(&features.row(i).to_vec(), &features.row(j).to_vec())
    })
}

fn names(layers: usize) -> Vec<String> {
    (0..layers).map(|l| format!("layer{l}")).collect()
}

struct Case {
    patterns: Patterns,
    neighbourhoods: Neighbourhoods,
    features: Vec<Array2<f64>>,
}

impl Case {
    fn new() -> Self {
        let grid = plain::grid([9, 8, 7]);
        let voxels = plain::mask(&grid);
        let values = plain::responses(voxels.len(), IMAGES, 2.0, 3);
        let patterns = Patterns::new(voxels.clone(), values.view()).expect("patterns");
        let shape = plain::ball(2.0, Edge::Inclusive);
        let neighbourhoods = Neighbourhoods::in_volume(&grid, &voxels, &shape).expect("neighbourhoods");
        Self { patterns, neighbourhoods, features: vec![features(0, 12), features(1, 20), features(2, 7)] }
    }

    fn rsms(&self) -> Vec<Array2<f64>> {
        self.features.iter().map(correlations).collect()
    }

    fn direct(&self, rsm: RsmKind) -> (LayerRsms, RangeMap) {
        let rsms = self.rsms();
        let pairs: Vec<_> = (0..IMAGES).flat_map(|i| (i + 1..IMAGES).map(move |j| [i, j])).collect();
        let vectors = Array2::from_shape_fn((3, pairs.len()), |(l, p)| rsms[l][pairs[p]]);
        let layers = LayerRsms::new(names(3), IMAGES, vectors, Comparison::Pearson).expect("layers");
        let range = 0..self.neighbourhoods.centres();
        let options = Options { rsm, minimum_voxels: 16 };
        let map = map_range(&self.patterns, &self.neighbourhoods, range, &layers, &options).expect("map");
        (layers, map)
    }

    fn factored(&self, layers: &FactoredLayers, rsm: RsmKind) -> RangeMap {
        let range = 0..self.neighbourhoods.centres();
        let options = Options { rsm, minimum_voxels: 16 };
        map_range_factored(&self.patterns, &self.neighbourhoods, range, layers, &options, &|_| ())
            .expect("map")
    }
}

fn largest_difference(a: &RangeMap, b: &RangeMap) -> f64 {
    assert_eq!((&a.voxels, a.too_small, a.undefined), (&b.voxels, b.too_small, b.undefined));
    let pairs = a.values.iter().zip(&b.values);
    assert!(pairs.clone().all(|(a, b)| a.is_nan() == b.is_nan()));
    pairs.map(|(a, b)| (a - b).abs()).filter(|d| !d.is_nan()).fold(0.0, f64::max)
}

#[test]
fn all_factors_give_the_direct_map() {
    let case = Case::new();
    let views: Vec<ArrayView2<'_, f64>> = case.features.iter().map(|features| features.view()).collect();
    let by_features = FactoredLayers::from_features(names(3), &views).expect("layers");
    let rsms = case.rsms();
    let views: Vec<ArrayView2<'_, f64>> = rsms.iter().map(|rsm| rsm.view()).collect();
    let by_rsms = FactoredLayers::from_similarities(names(3), &views, IMAGES).expect("layers");
    for rsm in [RsmKind::Pearson, RsmKind::Cosine] {
        let (layers, direct) = case.direct(rsm);
        for factored in [&by_features, &by_rsms] {
            assert!(largest_difference(&case.factored(factored, rsm), &direct) < 2e-6);
            let difference = &factored.correlations() - &layers.correlations();
            assert!(difference.iter().all(|value| value.abs() < 1e-9));
            assert!(factored.error_bounds().iter().all(|&bound| bound < 1e-7));
        }
    }
}

#[test]
fn what_few_factors_cost_stays_within_the_bound() {
    let case = Case::new();
    let rsms = case.rsms();
    let views: Vec<ArrayView2<'_, f64>> = rsms.iter().map(|rsm| rsm.view()).collect();
    let (_, direct) = case.direct(RsmKind::Pearson);
    let mut last = f64::INFINITY;
    for rank in [3, 5, 9] {
        let layers = FactoredLayers::from_similarities(names(3), &views, rank).expect("layers");
        let map = case.factored(&layers, RsmKind::Pearson);
        let mut worst = 0.0f64;
        for (layer, &bound) in layers.error_bounds().iter().enumerate() {
            for (a, b) in map.values.column(layer).iter().zip(direct.values.column(layer)) {
                if !a.is_nan() {
                    assert!((a - b).abs() <= bound + 2e-6, "rank {rank}: {a} {b}, bound {bound}");
                    worst = worst.max((a - b).abs());
                }
            }
        }
        assert!(worst < last, "more factors, smaller error");
        last = worst;
    }
}

/// Similarities of 1 - 1e-3.
#[test]
fn a_pattern_that_all_images_share_is_computed_in_f64() {
    let mut case = Case::new();
    let voxels = case.patterns.voxels().to_vec();
    let mut values = plain::responses(voxels.len(), IMAGES, 0.0, 3);
    for (voxel, mut row) in values.rows_mut().into_iter().enumerate() {
        row.mapv_inplace(|value| value + (60.0 * plain::noise(voxel, 0, 7)) as f32);
    }
    case.patterns = Patterns::new(voxels, values.view()).expect("patterns");
    let views: Vec<ArrayView2<'_, f64>> = case.features.iter().map(|features| features.view()).collect();
    let layers = FactoredLayers::from_features(names(3), &views).expect("layers");
    let (_, direct) = case.direct(RsmKind::Pearson);
    assert!(largest_difference(&case.factored(&layers, RsmKind::Pearson), &direct) < 1e-6);
}

#[test]
fn factors_are_checked() {
    let case = Case::new();
    let views: Vec<ArrayView2<'_, f64>> = case.features.iter().map(|features| features.view()).collect();
    assert!(matches!(FactoredLayers::from_features(names(2), &views), Err(Error::Mismatch { .. })));
    assert!(matches!(FactoredLayers::from_similarities(names(3), &views, 4), Err(Error::Mismatch { .. })));
    let rsm = correlations(&case.features[0]);
    assert!(matches!(
        FactoredLayers::from_similarities(names(1), &[rsm.view()], 0),
        Err(Error::TooFew { .. })
    ));
    let same = Array2::from_elem((IMAGES, 5), 1.0);
    assert!(matches!(
        FactoredLayers::from_features(names(1), &[same.view()]),
        Err(Error::ConstantLayer { .. })
    ));
    let layers = FactoredLayers::from_features(names(3), &views).expect("layers");
    let options = Options { rsm: RsmKind::Euclidean, minimum_voxels: 16 };
    assert!(matches!(
        map_range_factored(&case.patterns, &case.neighbourhoods, 0..1, &layers, &options, &|_| ()),
        Err(Error::Invalid { .. })
    ));
}
