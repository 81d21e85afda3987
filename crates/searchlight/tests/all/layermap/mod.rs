//! Masks, winners, overlap and order of layers against hand-made cases and properties.

use ndarray::{Array2, arr2};
use proptest::prelude::*;
use ventral_searchlight::Grid;
use ventral_searchlight::layermap::{
    LayerMaps, Overlap, Shares, Standardisation, hierarchy, overlap_table, selectivity_entropy, significant,
    spatial_correlations, standardise, synthesis_benchmark, top_share, winner_take_all,
};

const NAN: f64 = f64::NAN;

fn masks(rows: &[&str]) -> Array2<bool> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(r, c)| rows[r].as_bytes()[c] == b'1')
}

fn identity(shape: [usize; 3], affine: [[f64; 4]; 3]) -> Grid {
    Grid::new(shape, [affine[0], affine[1], affine[2], [0.0, 0.0, 0.0, 1.0]]).unwrap()
}

#[test]
fn thresholds_leave_undefined_voxels_out() {
    let p = arr2(&[[0.01, 0.05, NAN, 0.049]]);
    assert_eq!(significant(p.view(), 0.05).unwrap(), masks(&["1001"]));
    assert!(significant(p.view(), 0.0).is_err() && significant(p.view(), NAN).is_err());
    let maps = arr2(&[[1.0, 5.0, NAN, 5.0, 4.0], [NAN; 5], [0.0, 0.0, 0.0, 0.0, -1.0]]);
    assert_eq!(top_share(maps.view(), 0.4).unwrap(), masks(&["01010", "00000", "11000"]));
    assert_eq!(top_share(maps.view(), 0.001).unwrap(), masks(&["01000", "00000", "10000"]));
    assert_eq!(top_share(maps.view(), 1.0).unwrap(), masks(&["11011", "00000", "11111"]));
    for bad in [0.0, -0.1, 1.1, NAN] {
        assert!(top_share(maps.view(), bad).is_err());
    }
}

#[test]
fn overlap_indices_are_their_definitions() {
    let table = overlap_table(masks(&["1111000", "0011110", "0000001", "0000000"]).view()).unwrap();
    assert_eq!(table.sizes, [4, 4, 1, 0]);
    assert_eq!((table.dice[[0, 1]], table.jaccard[[0, 1]], table.coefficient[[0, 1]]), (0.5, 2.0 / 6.0, 0.5));
    assert_eq!((table.dice[[0, 2]], table.jaccard[[2, 0]], table.dice[[0, 0]]), (0.0, 0.0, 1.0));
    // Empty masks have no overlap, neither 0 nor 1, and are counted.
    assert!(
        table.dice[[0, 3]].is_nan() && table.jaccard[[3, 3]].is_nan() && table.coefficient[[3, 1]].is_nan()
    );
    assert_eq!(table.undefined_pairs, 3);
    assert!((table.mean_dice - 0.5 / 3.0).abs() < 1e-15);
    // Two of seven voxels belong to two of four layers.
    assert!((table.multiple - 2.0 / (7.0 * 3.0)).abs() < 1e-15);
    let small_in_large = Overlap { first: 10, second: 2, both: 2 };
    assert_eq!((small_in_large.coefficient(), small_in_large.dice()), (1.0, 4.0 / 12.0));
}

#[test]
fn overlap_of_nothing_is_undefined_and_of_everything_is_one() {
    let none = overlap_table(masks(&["000", "000"]).view()).unwrap();
    assert!(none.mean_dice.is_nan() && none.multiple.is_nan());
    assert_eq!(none.undefined_pairs, 1);
    let all = overlap_table(masks(&["101", "101", "101"]).view()).unwrap();
    assert_eq!((all.mean_dice, all.multiple, all.undefined_pairs), (1.0, 1.0, 0));
    assert!(overlap_table(masks(&["101"]).view()).is_err());
}

#[test]
fn maps_are_correlated_where_both_are_defined() {
    let maps = arr2(&[
        [1.0, 2.0, 3.0, 4.0, NAN],
        [2.0, 4.0, 6.0, 9.0, 1.0],
        [5.0, 5.0, 5.0, 5.0, 7.0],
        [NAN, NAN, 1.0, 2.0, 3.0],
    ]);
    let r = spatial_correlations(maps.view());
    assert!((r[[0, 1]] - 11.5 / 133.75f64.sqrt()).abs() < 1e-15 && r[[0, 1]] == r[[1, 0]]);
    assert_eq!(r[[1, 1]], 1.0);
    assert!(r[[0, 2]].is_nan() && r[[0, 3]].is_nan());
}

#[test]
fn the_winner_must_be_significant_and_ahead() {
    let maps = arr2(&[
        [3.0, 1.0, 2.0, NAN, NAN, 1.0, 5.0],
        [1.0, 1.5, 2.0, 4.0, NAN, 9.0, 5.2],
        [2.0, 0.0, 0.0, NAN, NAN, 2.0, 0.0],
    ]);
    let free = winner_take_all(maps.view(), None, 0.0).unwrap();
    assert_eq!(free.labels, [1, 2, 1, 2, 0, 2, 2]);
    assert_eq!(free.margin[..3], [1.0, 0.5, 0.0]);
    assert!(free.margin[3].is_nan() && free.margin[4].is_nan());
    assert_eq!(free.tied, [false, false, true, false, false, false, false]);
    assert_eq!((free.undefined, free.voxels.clone()), (1, vec![2, 4, 0]));
    let significant = masks(&["1111111", "1111101", "1111111"]);
    let strict = winner_take_all(maps.view(), Some(significant.view()), 0.4).unwrap();
    assert_eq!(strict.labels, [1, 2, 0, 2, 0, 0, 0]);
    assert_eq!((strict.not_significant, strict.too_close, strict.undefined), (1, 2, 1));
    assert!(winner_take_all(maps.view(), Some(masks(&["111"]).view()), 0.0).is_err());
    assert!(winner_take_all(maps.view(), None, -1.0).is_err());
    assert!(winner_take_all(Array2::zeros((0, 3)).view(), None, 0.0).is_err());
}

#[test]
fn maps_are_standardised_over_voxels_or_by_their_null() {
    let maps = arr2(&[[1.0, 3.0, NAN], [2.0, 2.0, 2.0]]);
    let over = standardise(maps.view(), Standardisation::OverVoxels).unwrap();
    assert_eq!(over.row(0).to_vec()[..2], [-1.0, 1.0]);
    assert!(over[[0, 2]].is_nan() && over.row(1).iter().all(|v| v.is_nan()));
    let null = Standardisation::Null { mean: &[1.0, 0.0], sd: &[2.0, 0.5] };
    let by_null = standardise(maps.view(), null).unwrap();
    assert_eq!((by_null[[0, 1]], by_null[[1, 0]]), (1.0, 4.0));
    assert!(standardise(maps.view(), Standardisation::Null { mean: &[1.0], sd: &[2.0, 0.5] }).is_err());
    assert!(standardise(maps.view(), Standardisation::Null { mean: &[1.0, 0.0], sd: &[2.0, 0.0] }).is_err());
}

#[test]
fn entropy_is_zero_for_one_layer_and_largest_for_all() {
    let maps = arr2(&[[0.3, 0.2, -1.0, NAN, 0.2], [-0.2, 0.2, -2.0, NAN, NAN], [0.0, 0.2, 0.0, NAN, 0.2]]);
    let squares = selectivity_entropy(maps.view(), Shares::SquaredPositive).unwrap();
    assert_eq!(squares[0], 0.0);
    assert!((squares[1] - 3f64.ln()).abs() < 1e-15 && (squares[4] - 2f64.ln()).abs() < 1e-15);
    assert!(squares[2].is_nan() && squares[3].is_nan());
    let soft = selectivity_entropy(maps.view(), Shares::Softmax { temperature: 0.1 }).unwrap();
    let weights = [1.0, (-5.0f64).exp(), (-3.0f64).exp()];
    let total: f64 = weights.iter().sum();
    let expected: f64 = -weights.iter().map(|w| w / total * (w / total).ln()).sum::<f64>();
    assert!((soft[0] - expected).abs() < 1e-14 && soft[3].is_nan());
    assert!(selectivity_entropy(maps.view(), Shares::Softmax { temperature: 0.0 }).is_err());
}

#[test]
fn centres_are_in_millimetres_and_ordered_along_y() {
    // x is turned over, y is 3 mm long, and shifted.
    let grid = identity([2, 5, 1], [[-2.0, 0.0, 0.0, 10.0], [0.0, 3.0, 0.0, -50.0], [0.0, 0.0, 2.0, 0.0]]);
    let voxels: Vec<u32> = (0..10).collect();
    let layers = masks(&["1100000000", "0011000000", "0000000000", "0000001010", "0000001111"]);
    let found = hierarchy(layers.view(), None, &voxels, &grid).unwrap();
    assert_eq!(found.centres_mm[0], Some([9.0, -50.0, 0.0]));
    assert_eq!(found.centres_mm[3], Some([10.0, -39.5, 0.0]));
    assert_eq!((found.centres_mm[2], found.empty), (None, 1));
    // y: -50, -47, -39.5, -39.5 by depth: one tie.
    assert!((found.rank_correlation - 0.948_683_298).abs() < 1e-8, "{}", found.rank_correlation);
    let mut weights = Array2::from_elem((5, 10), 1.0);
    weights[[0, 0]] = 3.0;
    weights[[1, 2]] = NAN;
    let weighted = hierarchy(layers.view(), Some(weights.view()), &voxels, &grid).unwrap();
    assert_eq!(weighted.centres_mm[0], Some([9.5, -50.0, 0.0]));
    assert_eq!(weighted.centres_mm[1], Some([8.0, -47.0, 0.0]));
    assert!(hierarchy(layers.view(), None, &voxels[..9], &grid).is_err());
    let outside: Vec<u32> = (1..11).collect();
    assert!(hierarchy(layers.view(), None, &outside, &grid).is_err());
    let two = masks(&["1100000000", "0011000000"]);
    assert!(hierarchy(two.view(), None, &voxels, &grid).unwrap().rank_correlation.is_nan());
}

#[test]
fn the_residual_is_measured_against_synthesised_images() {
    let values = crate::group::noise(6, 40, 1);
    let raw = Array2::from_shape_fn((6, 40), |(l, v)| values[[l, v]] + 3.0 * values[[0, (v + 3 * l) % 40]]);
    let residual =
        Array2::from_shape_fn((6, 40), |(l, v)| values[[l, v]] + 0.1 * values[[1, (v + 7 * l) % 40]]);
    let top = |maps: &Array2<f64>| top_share(maps.view(), 0.2).unwrap();
    let (a, b, c) = (top(&values), top(&residual), top(&raw));
    let maps = |values, masks| LayerMaps { values, masks };
    let synthesised = maps(values.view(), a.view());
    let found =
        synthesis_benchmark(synthesised, maps(residual.view(), b.view()), maps(raw.view(), c.view()), 1)
            .unwrap();
    assert!(found.residual.correlation.iter().all(|r| *r > 0.9));
    // The raw map of the first layer is 4 times the synthesised one; the others differ.
    assert!(found.correlation.mean > 0.3 && found.dice.mean > 0.2);
    assert!(found.correlation.p <= 4.0 / 64.0 && found.correlation.undefined == 0, "{found:?}");
    let same = synthesis_benchmark(synthesised, synthesised, synthesised, 1).unwrap();
    assert_eq!(same.dice.mean, 0.0);
    assert!(same.dice.p.is_nan());
    let mut emptied = a.clone();
    emptied.row_mut(2).fill(false);
    let gap =
        synthesis_benchmark(maps(values.view(), emptied.view()), synthesised, maps(raw.view(), c.view()), 1);
    assert_eq!(gap.unwrap().dice.undefined, 1);
    let short = values.slice(ndarray::s![.., ..39]);
    assert!(synthesis_benchmark(synthesised, maps(short, a.view()), synthesised, 1).is_err());
}

proptest! {
    #[test]
    fn overlap_is_symmetric_and_ordered(a in prop::collection::vec(any::<(bool, bool)>(), 1..80)) {
        let (first, second): (Vec<bool>, Vec<bool>) = a.into_iter().unzip();
        let there = Overlap::of(first.as_slice().into(), second.as_slice().into()).unwrap();
        let back = Overlap::of(second.as_slice().into(), first.as_slice().into()).unwrap();
        for (x, y) in [(there.dice(), back.dice()), (there.jaccard(), back.jaccard()), (there.coefficient(), back.coefficient())] {
            prop_assert!(x == y || (x.is_nan() && !there.defined()));
        }
        if there.defined() {
            prop_assert!(there.jaccard() <= there.dice() && there.dice() <= there.coefficient());
            // J = D/(2 - D)
            prop_assert!((there.jaccard() - there.dice() / (2.0 - there.dice())).abs() < 1e-15);
        }
    }

    #[test]
    fn a_winner_is_the_largest(seed: u64, layers in 2usize..6) {
        let maps = crate::group::noise(layers, 20, seed);
        let map = winner_take_all(maps.view(), None, 0.0).unwrap();
        for voxel in 0..20 {
            let winner = map.labels[voxel] as usize - 1;
            prop_assert!((0..layers).all(|l| l == winner || maps[[l, voxel]] <= maps[[winner, voxel]] - map.margin[voxel] + 1e-12));
        }
        prop_assert_eq!(map.voxels.iter().sum::<usize>(), 20);
    }
}
