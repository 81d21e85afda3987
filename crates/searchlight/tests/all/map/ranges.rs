use ndarray::{Array2, Axis, s};
use ventral_searchlight::{
    Comparison, Edge, LayerRsms, Neighbourhoods, Options, Patterns, RangeMap, RsmKind, compare_vector,
    map_range, map_range_parallel,
};

use super::plain;

struct Case {
    values: Vec<Array2<f32>>,
    patterns: Patterns,
    neighbourhoods: Neighbourhoods,
    vectors: Array2<f64>,
    images: usize,
}

impl Case {
    fn new(images: usize, runs: usize, offset: f64) -> Self {
        let grid = plain::grid([9, 8, 7]);
        let voxels = plain::mask(&grid);
        let values: Vec<_> =
            (0..runs).map(|run| plain::responses(voxels.len(), images, offset, 10 * run as u64)).collect();
        let views: Vec<_> = values.iter().map(|v| v.view()).collect();
        let patterns = Patterns::from_runs(voxels.clone(), &views).expect("patterns");
        let shape = plain::ball(2.0, Edge::Inclusive);
        let neighbourhoods = Neighbourhoods::in_volume(&grid, &voxels, &shape).expect("neighbourhoods");
        Self { values, patterns, neighbourhoods, vectors: plain::layer_vectors(5, images), images }
    }

    fn layers(&self, comparison: Comparison) -> LayerRsms {
        let names = (0..5).map(|l| format!("layer{l}")).collect();
        LayerRsms::new(names, self.images, self.vectors.clone(), comparison).expect("layers")
    }

    fn map(&self, rsm: RsmKind, comparison: Comparison) -> RangeMap {
        let options = Options { rsm, minimum_voxels: 16 };
        map_range(
            &self.patterns,
            &self.neighbourhoods,
            0..self.neighbourhoods.centres(),
            &self.layers(comparison),
            &options,
        )
        .expect("map")
    }

    fn expected(&self, centre: usize, rsm: RsmKind, comparison: Comparison) -> Vec<f64> {
        let mut members = Vec::new();
        self.neighbourhoods.members(centre, &mut members);
        let y = self.rsm(&members, rsm);
        let each = |x: &[f64]| match comparison {
            Comparison::Pearson => plain::pearson(&y, x),
            Comparison::Cosine => plain::cosine(&y, x),
            Comparison::Spearman => plain::pearson(&plain::ranks(&y), &plain::ranks(x)),
            Comparison::TauA => plain::tau_a(&y, x),
            Comparison::RhoA => {
                let p = y.len() as f64;
                let middle = (p + 1.0) / 2.0;
                let (a, b) = (plain::ranks(&y), plain::ranks(x));
                let sum: f64 = a.iter().zip(&b).map(|(a, b)| (a - middle) * (b - middle)).sum();
                12.0 * sum / (p.powi(3) - p)
            }
        };
        self.vectors.rows().into_iter().map(|row| each(&row.to_vec())).collect()
    }

    fn rsm(&self, members: &[u32], rsm: RsmKind) -> Vec<f64> {
        let distance =
            |x: &[f64], y: &[f64]| -x.iter().zip(y).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let first = plain::local(&self.values[0], members);
        match rsm {
            RsmKind::Pearson => plain::triangle(&first, plain::pearson),
            RsmKind::Cosine => plain::triangle(&first, plain::cosine),
            RsmKind::Euclidean => plain::triangle(&first, distance),
            RsmKind::Crossnobis => {
                let runs: Vec<_> = self.values.iter().map(|values| plain::local(values, members)).collect();
                let mut total = vec![0.0; self.images * (self.images - 1) / 2];
                for a in 0..runs.len() {
                    for b in (0..runs.len()).filter(|&b| b != a) {
                        let pairs = (0..self.images).flat_map(|i| (i + 1..self.images).map(move |j| (i, j)));
                        for (slot, (i, j)) in total.iter_mut().zip(pairs) {
                            let product =
                                |k: usize| (runs[a][i][k] - runs[a][j][k]) * (runs[b][i][k] - runs[b][j][k]);
                            *slot -= (0..members.len()).map(product).sum::<f64>() / members.len() as f64;
                        }
                    }
                }
                total.iter().map(|d| d / (runs.len() * (runs.len() - 1)) as f64).collect()
            }
        }
    }

    fn check(&self, rsm: RsmKind, comparison: Comparison, tolerance: f64) {
        let map = self.map(rsm, comparison);
        assert!(map.too_small > 0, "the mask has lonely voxels");
        assert_eq!(map.undefined, 0);
        let mut worst = 0.0f64;
        for centre in (0..map.voxels.len()).step_by(7) {
            let row = map.values.row(centre);
            if map.voxels[centre] < 16 {
                assert!(row.iter().all(|value| value.is_nan()));
                continue;
            }
            for (found, expected) in row.iter().zip(self.expected(centre, rsm, comparison)) {
                worst = worst.max((found - expected).abs());
            }
        }
        assert!(worst < tolerance, "{rsm:?} {comparison:?} {}: {worst:e}", self.images);
    }
}

const COMPARISONS: [Comparison; 5] =
    [Comparison::Pearson, Comparison::Spearman, Comparison::RhoA, Comparison::TauA, Comparison::Cosine];

#[test]
fn every_rsm_and_comparison_equals_its_definition() {
    for images in [3, 15, 16, 17, 40] {
        let case = Case::new(images, 1, 0.0);
        for rsm in [RsmKind::Pearson, RsmKind::Cosine, RsmKind::Euclidean] {
            for comparison in COMPARISONS {
                // Correlation divides by the spread of 3 numbers where there are 3 images.
                let tolerance = if images == 3 { 1e-4 } else { 1e-6 };
                case.check(rsm, comparison, tolerance);
            }
        }
    }
}

#[test]
fn crossnobis_equals_its_definition() {
    let case = Case::new(18, 3, 0.5);
    for comparison in COMPARISONS {
        case.check(RsmKind::Crossnobis, comparison, 1e-9);
    }
}

/// Raw scanner units, a hundred thousand times the differences between images in variance.
#[test]
fn a_large_offset_costs_no_more_than_the_data_have_lost() {
    for offset in [100.0, 3000.0] {
        let case = Case::new(16, 1, offset);
        case.check(RsmKind::Pearson, Comparison::Pearson, 1e-6);
        case.check(RsmKind::Euclidean, Comparison::Pearson, 1e-6);
    }
}

/// Anatomy: a pattern that all images share, a thousand times as large as what differs. Similarities are 1 - 1e-6.
#[test]
fn a_pattern_that_all_images_share_costs_nothing() {
    for images in [8, 20] {
        let mut case = Case::new(images, 1, 0.0);
        for (voxel, mut row) in case.values[0].rows_mut().into_iter().enumerate() {
            row.mapv_inplace(|value| value + (2000.0 * plain::noise(voxel, 0, 7)) as f32);
        }
        let voxels = case.patterns.voxels().to_vec();
        case.patterns = Patterns::new(voxels, case.values[0].view()).expect("patterns");
        case.check(RsmKind::Pearson, Comparison::Pearson, 1e-6);
        case.check(RsmKind::Cosine, Comparison::Pearson, 1e-6);
    }
}

/// One voxel with data in a neighbourhood of zeros: all similarities are 1, up to rounding.
#[test]
fn a_single_voxel_with_data_is_undefined_not_noise() {
    let mut case = Case::new(8, 1, 0.0);
    case.values[0].fill(0.0);
    let voxel = case.values[0].nrows() / 2;
    case.values[0].row_mut(voxel).assign(&ndarray::Array1::from_shape_fn(8, |i| 0.3 + 0.1 * i as f32));
    let voxels = case.patterns.voxels().to_vec();
    case.patterns = Patterns::new(voxels, case.values[0].view()).expect("patterns");
    let map = case.map(RsmKind::Pearson, Comparison::Pearson);
    assert!(map.values.iter().all(|value| value.is_nan()));
    assert_eq!(map.undefined + map.too_small, map.voxels.len());
}

#[test]
fn bits_do_not_depend_on_ranges_or_threads() {
    let case = Case::new(20, 1, 0.0);
    let layers = case.layers(Comparison::Pearson);
    let options = Options { rsm: RsmKind::Pearson, minimum_voxels: 16 };
    let centres = case.neighbourhoods.centres();
    let bits = |map: &RangeMap| map.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let whole = map_range(&case.patterns, &case.neighbourhoods, 0..centres, &layers, &options).expect("map");
    for step in [1, 7, 100, 255, 256, 257] {
        let parts: Vec<_> = (0..centres)
            .step_by(step)
            .map(|start| start..centres.min(start + step))
            .map(|range| {
                map_range(&case.patterns, &case.neighbourhoods, range, &layers, &options).expect("map")
            })
            .collect();
        assert_eq!(bits(&RangeMap::join(&parts).expect("join")), bits(&whole));
    }
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        let done = std::sync::atomic::AtomicUsize::new(0);
        let count = |centres: usize| {
            done.fetch_add(centres, std::sync::atomic::Ordering::Relaxed);
        };
        let map = pool.install(|| {
            map_range_parallel(&case.patterns, &case.neighbourhoods, 0..centres, &layers, &options, &count)
                .expect("map")
        });
        assert_eq!(
            (bits(&map), map.voxels, map.too_small),
            (bits(&whole), whole.voxels.clone(), whole.too_small)
        );
        assert_eq!(done.into_inner(), centres);
    }
    let empty = map_range_parallel(&case.patterns, &case.neighbourhoods, 3..3, &layers, &options, &|_| ());
    assert_eq!(empty.expect("map").values.dim(), (0, 5));
}

#[test]
fn joint_reordering_of_images_and_scaling_of_an_image_change_nothing() {
    let case = Case::new(16, 1, 0.0);
    let before = case.map(RsmKind::Pearson, Comparison::Pearson);
    let order: Vec<usize> = (0..16).map(|i| (i * 5 + 3) % 16).collect();
    let options = Options { rsm: RsmKind::Pearson, minimum_voxels: 16 };
    let map = |values: &Array2<f32>, layers: &LayerRsms| {
        let patterns = Patterns::new(case.patterns.voxels().to_vec(), values.view()).expect("patterns");
        map_range(&patterns, &case.neighbourhoods, 0..case.neighbourhoods.centres(), layers, &options)
            .expect("map")
    };
    let close = |a: &RangeMap, b: &RangeMap| {
        a.values.iter().zip(&b.values).all(|(a, b)| (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-6)
    };
    let layers = case.layers(Comparison::Pearson);
    let moved = map(&case.values[0].select(Axis(1), &order), &layers.reordered(&order).expect("order"));
    assert!(close(&before, &moved));
    let one_sided = map(&case.values[0].select(Axis(1), &order), &layers);
    assert!(!close(&before, &one_sided));
    let mut scaled = case.values[0].clone();
    scaled.slice_mut(s![.., 3]).mapv_inplace(|value| 7.0 * value + 2.0);
    assert!(close(&before, &map(&scaled, &layers)));
    // A volume added to all images is not an offset of an image: it changes the map.
    let mut shifted = case.values[0].clone();
    for (voxel, mut row) in shifted.rows_mut().into_iter().enumerate() {
        row += plain::noise(voxel, 0, 7) as f32;
    }
    assert!(!close(&before, &map(&shifted, &layers)));
}

#[test]
fn dissimilarities_are_similarities_with_the_other_sign() {
    let case = Case::new(16, 1, 0.0);
    let names: Vec<String> = (0..5).map(|l| format!("layer{l}")).collect();
    for comparison in COMPARISONS {
        let layers = LayerRsms::from_dissimilarities(names.clone(), 16, case.vectors.clone(), comparison)
            .expect("layers");
        let options = Options { rsm: RsmKind::Pearson, minimum_voxels: 16 };
        let map = map_range(&case.patterns, &case.neighbourhoods, 0..50, &layers, &options).expect("map");
        let direct = case.map(RsmKind::Pearson, comparison);
        for (a, b) in map.values.iter().zip(&direct.values.slice(s![..50, ..])) {
            assert!((a.is_nan() && b.is_nan()) || (a + b).abs() < 1e-12, "{comparison:?}");
        }
    }
}

#[test]
fn images_without_variation_are_counted_not_computed() {
    let case = Case::new(16, 1, 0.0);
    let layers = case.layers(Comparison::Pearson);
    let mut values = case.values[0].clone();
    values.slice_mut(s![.., 2]).fill(1.25);
    let patterns = Patterns::new(case.patterns.voxels().to_vec(), values.view()).expect("patterns");
    let options = Options { rsm: RsmKind::Pearson, minimum_voxels: 16 };
    let all = 0..case.neighbourhoods.centres();
    let map = map_range(&patterns, &case.neighbourhoods, all.clone(), &layers, &options).expect("map");
    assert!(map.values.iter().all(|value| value.is_nan()));
    assert_eq!(map.undefined + map.too_small, all.len());
    let same = Array2::from_shape_fn(values.dim(), |(voxel, _)| values[[voxel, 0]]);
    let patterns = Patterns::new(case.patterns.voxels().to_vec(), same.view()).expect("patterns");
    for (rsm, comparison) in [
        (RsmKind::Pearson, Comparison::Pearson),
        (RsmKind::Euclidean, Comparison::Spearman),
        (RsmKind::Pearson, Comparison::TauA),
    ] {
        let options = Options { rsm, ..options };
        let map = map_range(&patterns, &case.neighbourhoods, all.clone(), &case.layers(comparison), &options)
            .expect("map");
        assert!(map.values.iter().all(|value| value.is_nan()), "{rsm:?} {comparison:?}");
        assert_eq!(map.undefined + map.too_small, all.len());
    }
}

/// Few levels, negative ones and both zeros among them; 780 pairs are sorted by digits, 28 by comparison.
#[test]
fn ties_are_ranked_and_counted() {
    let levels = |p: usize, stream: u64| {
        let level = (plain::noise(p, 0, stream) * 6.0).round() / 8.0;
        if level == 0.0 && p.is_multiple_of(2) { -0.0 } else { level }
    };
    for images in [8, 40] {
        let pairs = images * (images - 1) / 2;
        let x: Vec<f64> = (0..pairs).map(|p| levels(p, 1)).collect();
        let y: Vec<f64> = (0..pairs).map(|p| levels(p, 2) + 0.5 * x[p]).collect();
        let (a, b) = (plain::ranks(&y), plain::ranks(&x));
        let (middle, p) = ((pairs as f64 + 1.0) / 2.0, pairs as f64);
        let product: f64 = a.iter().zip(&b).map(|(a, b)| (a - middle) * (b - middle)).sum();
        for (comparison, expected) in [
            (Comparison::Spearman, plain::pearson(&a, &b)),
            (Comparison::RhoA, 12.0 * product / (p.powi(3) - p)),
            (Comparison::TauA, plain::tau_a(&y, &x)),
        ] {
            let vectors = Array2::from_shape_vec((1, pairs), x.clone()).expect("vector");
            let layers = LayerRsms::new(vec!["x".into()], images, vectors, comparison).expect("layers");
            let found = compare_vector(&y, &layers).expect("value")[0];
            assert!((found - expected).abs() < 1e-12, "{images} {comparison:?}: {found} {expected}");
        }
    }
}

#[test]
fn a_lonely_voxel_is_no_neighbourhood() {
    let grid = plain::grid([5, 5, 5]);
    let values = plain::responses(1, 6, 0.0, 1);
    let patterns = Patterns::new(vec![62], values.view()).expect("patterns");
    let shape = plain::ball(2.0, Edge::Inclusive);
    let neighbourhoods = Neighbourhoods::in_volume(&grid, &[62], &shape).expect("neighbourhoods");
    let names = vec!["a".into(), "b".into()];
    let layers = LayerRsms::new(names, 6, plain::layer_vectors(2, 6), Comparison::Pearson).expect("layers");
    let options = Options { rsm: RsmKind::Pearson, minimum_voxels: 2 };
    let map = map_range(&patterns, &neighbourhoods, 0..1, &layers, &options).expect("map");
    assert_eq!((map.too_small, map.voxels), (1, vec![1]));
}
