//! What must hold for any maps.

use ndarray::{Array2, Axis};
use proptest::prelude::*;
use ventral_searchlight::group::{
    Adjacency, Connectivity, Flips, Integral, Tail, Tfce, one_sample_t, sign_flip_test,
};

use super::noise;

fn groups() -> impl Strategy<Value = Array2<f64>> {
    (3usize..9, 1usize..60, any::<u64>(), -1.0..1.0f64)
        .prop_map(|(n, v, seed, shift)| noise(n, v, seed) + shift)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn family_wise_p_is_never_below_the_voxel_s_own(values in groups(), two_sided: bool) {
        let tail = if two_sided { Tail::TwoSided } else { Tail::Larger };
        let flips = Flips::all(values.nrows()).unwrap();
        let test = &sign_flip_test(&[values.view()], &flips, tail).unwrap()[0];
        let least = 1.0 / test.maxima.len() as f64;
        for (own, fwe) in test.p.iter().zip(&test.p_fwe) {
            prop_assert!(fwe >= own && *own >= least && *fwe <= 1.0);
        }
    }

    #[test]
    fn a_far_shifted_null_is_reached_by_the_identity_alone(values in groups()) {
        let flips = Flips::all(values.nrows()).unwrap();
        let test = &sign_flip_test(&[(values + 50.0).view()], &flips, Tail::Larger).unwrap()[0];
        let least = 1.0 / flips.count() as f64;
        prop_assert!(test.p.iter().all(|p| *p == least));
    }

    #[test]
    fn flipping_all_subjects_changes_no_two_sided_p(values in groups()) {
        let flips = Flips::all(values.nrows()).unwrap();
        let test = &sign_flip_test(&[values.view()], &flips, Tail::TwoSided).unwrap()[0];
        let negated = &sign_flip_test(&[(-&values).view()], &flips, Tail::TwoSided).unwrap()[0];
        prop_assert_eq!(&test.p_fwe, &negated.p_fwe);
        prop_assert_eq!(&test.maxima, &negated.maxima);
    }

    #[test]
    fn the_order_of_voxels_changes_no_statistic(values in groups(), by in 0usize..60) {
        let voxels = values.ncols();
        let order: Vec<usize> = (0..voxels).map(|v| (v + by) % voxels).collect();
        let moved = values.select(Axis(1), &order);
        let flips = Flips::all(values.nrows()).unwrap();
        let test = &sign_flip_test(&[values.view()], &flips, Tail::Larger).unwrap()[0];
        let other = &sign_flip_test(&[moved.view()], &flips, Tail::Larger).unwrap()[0];
        prop_assert_eq!(&test.maxima, &other.maxima);
        for (place, &v) in order.iter().enumerate() {
            prop_assert_eq!(test.group.t[v].to_bits(), other.group.t[place].to_bits());
            prop_assert_eq!(test.p_fwe[v], other.p_fwe[place]);
        }
    }

    #[test]
    fn a_scaled_voxel_has_the_same_p(values in groups(), scale in 0.01..100.0f64) {
        let t = one_sample_t(values.view()).unwrap().t;
        let scaled = one_sample_t((&values * scale).view()).unwrap().t;
        for (a, b) in t.iter().zip(&scaled) {
            prop_assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0));
        }
    }

    #[test]
    fn enhancement_scales_with_the_power_of_the_height(seed: u64, scale in 0.1..10.0f64) {
        let voxels: Vec<u32> = (0..60).collect();
        let adjacency = Adjacency::volume(&voxels, [5, 4, 3], Connectivity::Corners).unwrap();
        let map = noise(1, 60, seed).into_raw_vec_and_offset().0;
        let scaled: Vec<f64> = map.iter().map(|v| v * scale).collect();
        let tfce = Tfce::default();
        let expected: Vec<f64> =
            tfce.enhance(&map, &adjacency, None).unwrap().iter().map(|v| v * scale.powi(3)).collect();
        super::assert_close(&tfce.enhance(&scaled, &adjacency, None).unwrap(), &expected, 1e-10);
        // Steps that follow the maximum scale without the step's height.
        let steps = Tfce { integral: Integral::StepsToMaximum { steps: 50 }, ..tfce };
        let both = steps.enhance_both(&map, &adjacency, None).unwrap();
        let negated: Vec<f64> = map.iter().map(|v| -v).collect();
        let mirrored: Vec<f64> = steps.enhance_both(&negated, &adjacency, None).unwrap().iter().map(|v| -v).collect();
        prop_assert_eq!(both, mirrored);
    }

    #[test]
    fn enhancement_rises_with_the_value_inside_a_component(seed: u64) {
        let voxels: Vec<u32> = (0..60).collect();
        let adjacency = Adjacency::volume(&voxels, [5, 4, 3], Connectivity::Faces).unwrap();
        let map = noise(1, 60, seed).into_raw_vec_and_offset().0;
        let enhanced = Tfce::default().enhance(&map, &adjacency, None).unwrap();
        for v in 0..60 {
            prop_assert_eq!(enhanced[v] > 0.0, map[v] > 0.0);
            for &n in adjacency.of(v).iter().filter(|&&n| map[n as usize] > map[v].max(0.0)) {
                prop_assert!(enhanced[n as usize] >= enhanced[v]);
            }
        }
    }
}
