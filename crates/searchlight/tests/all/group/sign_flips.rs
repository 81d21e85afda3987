//! Sign-flip tests against numbers of a plain NumPy/SciPy script and against the definition.

use ndarray::{Array2, ArrayView2, s};
use ventral_searchlight::group::{
    Adjacency, ClusterForming, ClusterMeasure, ClusterOptions, Connectivity, DEFAULT_DRAWS, Flips,
    GroupOptions, MAX_DRAWS, MapStatistic, Tail, Tfce, analyse_group, clusters, fdr_adjusted,
    fwe_over_layers, joint_maxima, max_statistic, one_sample_t, sign_flip_test, z_of_t,
};

use super::{assert_close, noise};

/// Six subjects x five voxels.
fn small() -> Array2<f64> {
    ndarray::arr2(&[
        [2.341, -2.256, 0.718, -0.268, -0.153],
        [0.084, -1.72, 0.068, -0.565, 3.623],
        [0.526, -0.053, 0.019, -0.368, -0.755],
        [-0.091, 0.782, 0.061, 1.258, 0.1],
        [0.324, 1.846, 0.845, -0.205, 0.117],
        [0.841, 2.235, 0.03, 0.056, 1.302],
    ])
}

const T: [f64; 5] =
    [1.8642779841163772, 0.18492675512497012, 1.8551010173566072, -0.0572396065142628, 1.0953779282515146];

#[test]
fn t_equals_scipy() {
    let group = one_sample_t(small().view()).unwrap();
    assert_close(&group.t, &T, 1e-12);
    let p =
        [0.1213020717157726, 0.8605535849261768, 0.12274121450012741, 0.956571378828082, 0.3232869448484914];
    assert_close(&group.p, &p, 1e-12);
    assert_eq!((group.df, group.undefined), (5, 0));
}

#[test]
fn exhaustive_p_equals_scipy_over_all_flips() {
    let flips = Flips::new(6, DEFAULT_DRAWS, 0).unwrap();
    assert_eq!((flips.count(), flips.exhaustive()), (64, true));
    let both = &sign_flip_test(&[small().view()], &flips, Tail::TwoSided).unwrap()[0];
    assert_close(&both.p, &[0.09375, 0.8125, 0.03125, 1.0, 0.375], 1e-12);
    assert_close(&both.p_fwe, &[0.25, 1.0, 0.25, 1.0, 0.96875], 1e-12);
    let first =
        [1.8642779841163772, 1.3913993994126561, 1.7377803399868408, 3.9137923894523254, 1.7882340664124203];
    assert_close(&both.maxima[..5], &first, 1e-10);
    let larger = &sign_flip_test(&[small().view()], &flips, Tail::Larger).unwrap()[0];
    assert_close(&larger.p, &[0.046875, 0.40625, 0.015625, 0.515625, 0.1875], 1e-12);
    assert_close(&larger.p_fwe, &[0.140625, 0.96875, 0.140625, 0.984375, 0.625], 1e-12);
    assert_eq!((both.maxima.len(), larger.maxima.len()), (32, 64));
}

#[test]
fn random_flips_begin_with_the_identity_and_come_from_the_seed() {
    let flips = Flips::new(14, 500, 7).unwrap();
    assert_eq!((flips.count(), flips.exhaustive(), flips.subjects()), (500, false, 14));
    assert_eq!(flips.changed(0), [false; 14]);
    assert_eq!(flips, Flips::new(14, 500, 7).unwrap());
    assert_ne!(flips, Flips::new(14, 500, 8).unwrap());
    for subject in 0..14 {
        let changed = (0..500).filter(|&flip| flips.changed(flip)[subject]).count();
        assert!((190..310).contains(&changed), "subject {subject}: {changed}");
    }
    assert!(Flips::new(14, 0, 7).is_err() && Flips::new(14, MAX_DRAWS + 1, 7).is_err());
    assert!(Flips::new(1, 500, 7).is_err() && Flips::all(14).is_err());
}

/// Largest |t| of every flip by flipping the values and testing them again.
fn maxima_by_definition(values: ArrayView2<f64>, flips: &Flips, used: usize) -> Vec<f64> {
    let flipped = |flip: usize| {
        let changed = flips.changed(flip);
        Array2::from_shape_fn(
            values.dim(),
            |(s, v)| if changed[s] { -values[[s, v]] } else { values[[s, v]] },
        )
    };
    let largest =
        |flip| one_sample_t(flipped(flip).view()).unwrap().t.iter().fold(0.0, |m: f64, t| m.max(t.abs()));
    (0..used).map(largest).collect()
}

#[test]
fn any_number_of_voxels_and_subjects_equals_the_definition() {
    for (subjects, voxels) in [(2, 33), (5, 31), (6, 64), (11, 200), (17, 65)] {
        let values = noise(subjects, voxels, 3) + 0.2;
        let flips = Flips::new(subjects, 200, 1).unwrap();
        let test = &sign_flip_test(&[values.view()], &flips, Tail::TwoSided).unwrap()[0];
        let expected = maxima_by_definition(values.view(), &flips, test.maxima.len());
        assert_close(&test.maxima, &expected, 1e-9);
        for (voxel, p) in test.p_fwe.iter().enumerate() {
            let reached = expected.iter().filter(|m| **m >= test.group.t[voxel].abs() * (1.0 - 1e-9)).count();
            assert_eq!(*p, reached as f64 / expected.len() as f64);
        }
    }
}

#[test]
fn undefined_voxels_are_left_out_and_counted() {
    let mut values = small();
    values[[2, 1]] = f64::NAN;
    values.column_mut(3).fill(0.5);
    let flips = Flips::all(6).unwrap();
    let test = &sign_flip_test(&[values.view()], &flips, Tail::TwoSided).unwrap()[0];
    assert_eq!(test.group.undefined, 2);
    assert!(test.p[1].is_nan() && test.p_fwe[1].is_nan() && test.p_fwe[3].is_nan());
    assert_eq!(test.group.mean[3], 0.5);
    let kept = ndarray::concatenate![
        ndarray::Axis(1),
        small().slice(s![.., 0..1]),
        small().slice(s![.., 2..3]),
        small().slice(s![.., 4..])
    ];
    let without = &sign_flip_test(&[kept.view()], &flips, Tail::TwoSided).unwrap()[0];
    assert_eq!(test.maxima, without.maxima);
    assert_eq!([test.p_fwe[0], test.p_fwe[2], test.p_fwe[4]].as_slice(), without.p_fwe);
    values.fill(f64::NAN);
    assert!(sign_flip_test(&[values.view()], &flips, Tail::TwoSided).is_err());
}

#[test]
fn error_over_layers_is_that_of_the_joined_maps() {
    let (a, b) = (noise(8, 70, 1) + 0.3, noise(8, 70, 2));
    let flips = Flips::all(8).unwrap();
    let tests = sign_flip_test(&[a.view(), b.view()], &flips, Tail::Larger).unwrap();
    let over = fwe_over_layers(&tests, Tail::Larger).unwrap();
    let joined = ndarray::concatenate![ndarray::Axis(1), a, b];
    let whole = &sign_flip_test(&[joined.view()], &flips, Tail::Larger).unwrap()[0];
    assert_eq!(over.concat(), whole.p_fwe);
    assert!(over[0].iter().zip(&tests[0].p_fwe).all(|(over, own)| over >= own));
    assert!(joint_maxima(&[&[1.0, 2.0], &[1.0]]).is_err() && joint_maxima(&[]).is_err());
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let values = noise(9, 9_000, 4);
    let flips = Flips::all(9).unwrap();
    let voxels: Vec<u32> = (0..9_000).collect();
    let adjacency = Adjacency::volume(&voxels, [30, 30, 10], Connectivity::Corners).unwrap();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let few = Flips::random(9, 20, 1).unwrap();
            let tfce = Tfce::default();
            let enhanced =
                max_statistic(values.view(), &few, &adjacency, MapStatistic::Tfce(&tfce), Tail::Larger);
            (sign_flip_test(&[values.view()], &flips, Tail::TwoSided).unwrap(), enhanced.unwrap())
        })
    };
    let alone = run(1);
    assert_eq!(alone, run(3));
    assert_eq!(alone.0[0].maxima.len(), 256);
}

#[test]
fn cluster_and_enhanced_nulls_equal_the_definition() {
    let voxels: Vec<u32> = (0..120).collect();
    let adjacency = Adjacency::volume(&voxels, [6, 5, 4], Connectivity::Faces).unwrap();
    let mut values = noise(7, 120, 9);
    values.slice_mut(s![.., 30..45]).mapv_inplace(|v| v + 1.5);
    values[[3, 100]] = f64::NAN;
    let flips = Flips::all(7).unwrap();
    let forming = ClusterForming { threshold: 2.0, tail: Tail::TwoSided };
    let tfce = Tfce::default();
    let map_of =
        |flip: usize, enhanced: bool| {
            let changed = flips.changed(flip);
            let flipped = Array2::from_shape_fn(values.dim(), |(s, v)| {
                if changed[s] { -values[[s, v]] } else { values[[s, v]] }
            });
            let t = one_sample_t(flipped.view()).unwrap().t;
            match enhanced {
                true => tfce.enhance_both(&t, &adjacency, None).unwrap(),
                false => clusters(&t, &adjacency, &forming).unwrap().map(ClusterMeasure::Mass),
            }
        };
    for enhanced in [false, true] {
        let statistic = match enhanced {
            true => MapStatistic::Tfce(&tfce),
            false => MapStatistic::Cluster(&forming, ClusterMeasure::Mass),
        };
        let found = max_statistic(values.view(), &flips, &adjacency, statistic, Tail::TwoSided).unwrap();
        assert_close(&found.statistic, &map_of(0, enhanced), 1e-9);
        let maxima: Vec<f64> =
            (0..64).map(|flip| map_of(flip, enhanced).iter().fold(0.0, |m: f64, v| m.max(v.abs()))).collect();
        assert_close(&found.maxima, &maxima, 1e-9);
        assert!(found.p_fwe[100].is_nan());
        let inside = found.p_fwe[30..45].iter().filter(|p| **p < 0.05).count();
        assert!(inside > 8, "{inside}");
        let outside = (0..120).find(|&v| found.statistic[v] == 0.0 && v != 100);
        assert!(outside.is_none_or(|v| found.p_fwe[v] == 1.0));
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let flips = Flips::all(5).unwrap();
    assert!(sign_flip_test(&[small().view()], &flips, Tail::TwoSided).is_err());
    let flips = Flips::all(6).unwrap();
    assert!(sign_flip_test(&[small().view()], &flips, Tail::Smaller).is_err());
    let tfce = Tfce::default();
    let chain = super::chain(4);
    assert!(max_statistic(small().view(), &flips, &chain, MapStatistic::Tfce(&tfce), Tail::Larger).is_err());
    assert!(one_sample_t(small().slice(s![..1, ..])).is_err());
}

#[test]
fn an_analysis_is_its_parts() {
    let (a, b) = (noise(7, 60, 1) + 0.8, noise(7, 60, 2));
    let voxels: Vec<u32> = (0..60).collect();
    let adjacency = Adjacency::volume(&voxels, [5, 4, 3], Connectivity::Faces).unwrap();
    let clusters_wanted = ClusterOptions { forming_p: 0.05, measure: ClusterMeasure::Mass };
    let options = GroupOptions {
        tail: Tail::Larger,
        enhancement: Some(Tfce::default()),
        clusters: Some(clusters_wanted),
        ..GroupOptions::default()
    };
    let found = analyse_group(&[a.view(), b.view()], Some(&adjacency), &options).unwrap();
    let flips = Flips::all(7).unwrap();
    let tests = sign_flip_test(&[a.view(), b.view()], &flips, Tail::Larger).unwrap();
    assert_eq!(found[1].test, tests[1]);
    assert_eq!(found[0].p_over_layers, fwe_over_layers(&tests, Tail::Larger).unwrap()[0]);
    assert_eq!(found[0].q, fdr_adjusted(&tests[0].p));
    assert_eq!(found[1].z[5], z_of_t(tests[1].group.t[5], 6));
    let (map, tested) = found[0].clusters.as_ref().unwrap();
    // t of 6 degrees of freedom with p = .05 in one tail.
    assert!(
        map.table.iter().all(|cluster| cluster.peak >= 1.943_180_28 && cluster.sign > 0.0)
            && !map.table.is_empty()
    );
    assert_close(&map.map(ClusterMeasure::Mass), &tested.statistic, 1e-9);
    assert_eq!(tested.maxima.len(), 128);
    let statistic = MapStatistic::Tfce(&Tfce::default());
    let enhanced = max_statistic(a.view(), &flips, &adjacency, statistic, Tail::Larger).unwrap();
    assert_eq!(found[0].enhanced.as_ref().unwrap(), &enhanced);
    let few = GroupOptions { cluster_draws: 50, ..options.clone() };
    let fewer = analyse_group(&[a.view()], Some(&adjacency), &few).unwrap();
    assert_eq!(fewer[0].enhanced.as_ref().unwrap().maxima.len(), 50);
    assert!(
        analyse_group(&[a.view()], None, &options).is_err() && analyse_group(&[], None, &options).is_err()
    );
    let plain = analyse_group(&[a.view()], None, &GroupOptions::default()).unwrap();
    assert!(plain[0].enhanced.is_none() && plain[0].clusters.is_none());
    let bad = ClusterOptions { forming_p: 1.0, ..clusters_wanted };
    assert!(
        analyse_group(&[a.view()], Some(&adjacency), &GroupOptions { clusters: Some(bad), ..options })
            .is_err()
    );
}
