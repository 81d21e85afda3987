//! Clusters against CoSMoMVPA, nilearn and PyMVPA.

use ventral_searchlight::group::{Adjacency, ClusterForming, ClusterMeasure, Connectivity, Tail, clusters};

use super::{assert_close, chain};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn above(threshold: f64) -> ClusterForming {
    ClusterForming { threshold, tail: Tail::Larger }
}

fn measured(samples: &[f64; 7], threshold: f64, measure: ClusterMeasure) -> Vec<f64> {
    clusters(samples, &chain(7), &above(threshold)).unwrap().map(measure)
}

#[test]
fn measures_equal_cosmomvpa() {
    use ClusterMeasure::{Extent, Mass, Peak, Sum};
    let samples = [-1.0, 2.0, 1.0, 1.0, NAN, 2.0, 2.0];
    assert_eq!(measured(&samples, 1.0, Peak), [0.0, 2.0, 2.0, 2.0, 0.0, 2.0, 2.0]);
    assert_eq!(measured(&samples, 2.0, Peak), [0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
    assert_eq!(measured(&samples, 1.0, Extent), [0.0, 3.0, 3.0, 3.0, 0.0, 2.0, 2.0]);
    assert_eq!(measured(&samples, 2.0, Extent), [0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
    assert_eq!(measured(&samples, 1.0, Sum), [0.0, 4.0, 4.0, 4.0, 0.0, 4.0, 4.0]);
    assert_eq!(measured(&samples, 2.0, Sum), [0.0, 2.0, 0.0, 0.0, 0.0, 4.0, 4.0]);
    for measure in [Peak, Extent, Sum, Mass] {
        assert_eq!(measured(&samples, 3.0, measure), [0.0; 7]);
    }
    let samples = [-INF, INF, INF, 1.0, NAN, 2.0, INF];
    assert_eq!(measured(&samples, 1.0, Peak), [0.0, INF, INF, INF, 0.0, INF, INF]);
    assert_eq!(measured(&samples, 2.0, Extent), [0.0, 2.0, 2.0, 0.0, 0.0, 2.0, 2.0]);
    assert_eq!(measured(&samples, 3.0, Extent), [0.0, 2.0, 2.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(measured(&samples, 2.0, Sum), [0.0, INF, INF, 0.0, 0.0, INF, INF]);
}

/// The map of nilearn's `test_calculate_cluster_measures`.
fn nilearn_map() -> Vec<f64> {
    let mut map = vec![0.0; 1000];
    let mut paint = |from: [usize; 3], to: [usize; 3], value: f64| {
        for z in from[2]..to[2] {
            for y in from[1]..to[1] {
                (from[0]..to[0]).for_each(|x| map[x + 10 * (y + 10 * z)] = value);
            }
        }
    };
    paint([0; 3], [2; 3], 5.0);
    paint([7; 3], [10; 3], 1.0);
    paint([6; 3], [7; 3], 1.0);
    paint([6, 6, 8], [7, 7, 9], 1.0);
    paint([3; 3], [5; 3], -10.0);
    paint([5, 3, 3], [6, 5, 5], 1.0);
    map
}

#[test]
fn extent_and_mass_equal_nilearn() {
    let voxels: Vec<u32> = (0..1000).collect();
    let cases = [
        (Connectivity::Faces, Tail::Larger, 27.0, 39.992),
        (Connectivity::Faces, Tail::TwoSided, 27.0, 79.992),
        (Connectivity::Edges, Tail::TwoSided, 28.0, 79.992),
        (Connectivity::Corners, Tail::TwoSided, 29.0, 79.992),
    ];
    for (connectivity, tail, extent, mass) in cases {
        let adjacency = Adjacency::volume(&voxels, [10; 3], connectivity).unwrap();
        let found = clusters(&nilearn_map(), &adjacency, &ClusterForming { threshold: 0.001, tail }).unwrap();
        let largest = |measure| found.map(measure).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        assert_close(
            &[largest(ClusterMeasure::Extent), largest(ClusterMeasure::Mass)],
            &[extent, mass],
            1e-12,
        );
        assert_eq!(found.table.iter().any(|c| c.sign < 0.0), tail == Tail::TwoSided);
    }
}

/// The 9 x 16 matrix of PyMVPA's `test_cluster_count`.
const MATRIX: [&str; 9] = [
    "1010011011010110",
    "0010010011011011",
    "1000000000011011",
    "0011010011000001",
    "1000010001000110",
    "0011010001011010",
    "1000000010001010",
    "0010010011011010",
    "1010011010000110",
];

#[test]
fn histograms_equal_pymvpa() {
    let flat: Vec<f64> = MATRIX.concat().bytes().map(|b| f64::from(b - b'0')).collect();
    let slice: Vec<u32> = (0..144).collect();
    let adjacency = Adjacency::volume(&slice, [16, 9, 1], Connectivity::Faces).unwrap();
    let found = clusters(&flat, &adjacency, &above(1.0)).unwrap();
    assert_eq!(found.histogram(), [5, 4, 3, 3, 2, 0, 2]);
    let stack: Vec<u32> = (0..288).collect();
    let adjacency = Adjacency::volume(&stack, [16, 9, 2], Connectivity::Faces).unwrap();
    let found = clusters(&[flat.clone(), flat].concat(), &adjacency, &above(1.0)).unwrap();
    assert_eq!(found.histogram(), [0, 5, 0, 4, 0, 3, 0, 3, 0, 2, 0, 0, 0, 2]);
    // test_group_clusterthreshold_simple: a blob and a speck.
    let blob = [0.0, 0.0, 0.5, 3.0, 5.0, 3.0, 3.0, 0.0, 2.0, 0.0];
    let found = clusters(&blob, &chain(10), &above(1.0)).unwrap();
    let table: Vec<(usize, u32, f64)> = found.table.iter().map(|c| (c.extent, c.peak_voxel, c.sum)).collect();
    assert_eq!(table, [(4, 4, 14.0), (1, 8, 2.0)]);
    assert_eq!(found.labels, [0, 0, 0, 1, 1, 1, 1, 0, 2, 0]);
    assert!(clusters(&blob, &chain(10), &above(9.0)).unwrap().histogram().is_empty());
}

#[test]
fn neighbours_are_counted_as_named() {
    let all: Vec<u32> = (0..27).collect();
    for connectivity in [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners] {
        let adjacency = Adjacency::volume(&all, [3; 3], connectivity).unwrap();
        assert_eq!(adjacency.of(13).len(), connectivity.neighbours());
        let asymmetric = (0..27u32)
            .find(|&v| adjacency.of(v as usize).iter().any(|&n| !adjacency.of(n as usize).contains(&v)));
        assert_eq!(asymmetric, None);
    }
    // The last voxel of a row does not touch the first of the next.
    let adjacency = Adjacency::volume(&[2, 3], [3, 2, 1], Connectivity::Corners).unwrap();
    assert!(adjacency.of(0).is_empty());
}

#[test]
fn bad_neighbourhoods_and_thresholds_are_errors() {
    assert!(Adjacency::volume(&[0, 27], [3; 3], Connectivity::Faces).is_err());
    assert!(Adjacency::volume(&[1, 1], [3; 3], Connectivity::Faces).is_err());
    assert!(Adjacency::volume(&[2, 1], [3; 3], Connectivity::Faces).is_err());
    assert!(Adjacency::volume(&[0], [usize::MAX; 3], Connectivity::Faces).is_ok());
    assert!(Adjacency::from_lists(&[vec![1]]).is_err());
    assert_eq!(Adjacency::from_lists(&[vec![0, 1], vec![]]).unwrap().of(1), [0]);
    assert!(clusters(&[1.0; 6], &chain(7), &above(1.0)).is_err());
    assert!(clusters(&[1.0; 7], &chain(7), &above(NAN)).is_err());
    let both = ClusterForming { threshold: 0.0, tail: Tail::TwoSided };
    assert!(clusters(&[1.0; 7], &chain(7), &both).is_err());
}
