use ventral_searchlight::{Edge, Error, Grid, MAX_REACH_VOXELS, Neighbourhoods, Radius, Shape};

use super::plain::{ball, grid, mask};

fn sizes(grid: &Grid, voxels: &[u32], shape: &Shape) -> Vec<usize> {
    let neighbourhoods = Neighbourhoods::in_volume(grid, voxels, shape).expect("neighbourhoods");
    let mut members = Vec::new();
    (0..neighbourhoods.centres())
        .map(|centre| {
            neighbourhoods.members(centre, &mut members);
            members.len()
        })
        .collect()
}

#[test]
fn balls_have_the_published_sizes() {
    let grid = grid([4, 4, 4]);
    for (radius, strict, inclusive) in
        [(1.0, 1, 7), (2.0, 27, 33), (3.0, 93, 123), (4.0, 251, 257), (5.0, 485, 515)]
    {
        assert_eq!(
            ball(radius, Edge::Strict).offsets(&grid).expect("offsets").len(),
            strict,
            "strict {radius}"
        );
        assert_eq!(
            ball(radius, Edge::Inclusive).offsets(&grid).expect("offsets").len(),
            inclusive,
            "inclusive {radius}"
        );
    }
    assert_eq!(ball(0.5, Edge::Inclusive).offsets(&grid).expect("offsets"), [[0, 0, 0]]);
    assert_eq!(Shape::Cube { half_width: 3 }.offsets(&grid).expect("offsets").len(), 343);
}

/// 3 mm voxels with binary-inexact sizes: multiples of the voxel size are not decided by rounding.
#[test]
fn millimetre_balls_do_not_depend_on_rounding() {
    for size in [0.1, 0.3, 1.1, 2.2, 3.0, 3.3] {
        let affine =
            [[size, 0.0, 0.0, 0.0], [0.0, -size, 0.0, 0.0], [0.0, 0.0, size, 0.0], [0.0, 0.0, 0.0, 1.0]];
        let grid = Grid::new([4, 4, 4], affine).expect("grid");
        for (steps, strict, inclusive) in [(1.0, 1, 7), (2.0, 27, 33), (3.0, 93, 123), (5.0, 485, 515)] {
            let count = |edge| {
                Shape::Ball { radius: Radius::Millimetres(size * steps), edge }
                    .offsets(&grid)
                    .expect("offsets")
                    .len()
            };
            assert_eq!(
                (count(Edge::Strict), count(Edge::Inclusive)),
                (strict, inclusive),
                "{size} mm x {steps}"
            );
        }
    }
}

/// Voxels are tested one by one with the affine itself; the transposed affine gives other balls.
#[test]
fn oblique_anisotropic_affines_are_measured_in_space() {
    let a = [[2.3, -0.4, 0.5, 10.0], [0.6, 2.4, -0.3, -20.0], [-0.2, 0.7, 2.9, 5.0], [0.0, 0.0, 0.0, 1.0]];
    let grid = Grid::new([21, 21, 21], a).expect("grid");
    let found = Shape::Ball { radius: Radius::Millimetres(8.0), edge: Edge::Inclusive }
        .offsets(&grid)
        .expect("offsets");
    let centre = grid.millimetres([10.0; 3]);
    let (mut expected, mut transposed) = (Vec::new(), 0);
    for voxel in 0..grid.len() {
        let p = grid.position(voxel).map(|v| v as f64);
        let mm = grid.millimetres(p);
        let d = p.map(|v| v - 10.0);
        let wrong: f64 = (0..3).map(|c| (0..3).map(|r| a[r][c] * d[r]).sum::<f64>().powi(2)).sum();
        transposed += usize::from(wrong <= 64.0);
        if (0..3).map(|axis| (mm[axis] - centre[axis]).powi(2)).sum::<f64>() <= 64.0 {
            expected.push(d.map(|v| v as i32));
        }
    }
    assert_eq!(found, expected);
    assert!(expected.len() > 100);
    let asymmetric = (0..3).any(|i| (0..3).any(|j| (a[i][j] - a[j][i]).abs() > 0.5));
    assert!(asymmetric && transposed > 0);
}

#[test]
fn spheres_of_cosmomvpa() {
    let grid = grid([3, 2, 1]);
    let all: Vec<u32> = (0..6).collect();
    assert_eq!(sizes(&grid, &all, &ball(1.5, Edge::Inclusive)), [4, 6, 4, 4, 6, 4]);
}

/// Its 3 x 2 x 5 synthetic set without the features that have a value beyond 3.
#[test]
fn searchlight_sizes_of_cosmomvpa() {
    let left_out = [6, 12, 18, 19, 25, 28];
    let voxels: Vec<u32> = (0..30).filter(|voxel| !left_out.contains(voxel)).collect();
    let expected = [8, 12, 10, 9, 12, 10, 16, 13, 12, 17, 14, 15, 13, 11, 15, 14, 10, 9, 14, 11, 5, 7, 6, 7];
    assert_eq!(sizes(&grid([3, 2, 5]), &voxels, &ball(2.0, Edge::Inclusive)), expected);
}

#[test]
fn members_are_the_voxels_of_the_mask_within_reach_in_order() {
    let grid = grid([9, 7, 5]);
    let voxels = mask(&grid);
    assert!(voxels.len() > 100);
    let neighbourhoods =
        Neighbourhoods::in_volume(&grid, &voxels, &ball(2.0, Edge::Inclusive)).expect("neighbourhoods");
    assert_eq!((neighbourhoods.centres(), neighbourhoods.largest()), (voxels.len(), 33));
    let mut members = Vec::new();
    for (centre, &voxel) in voxels.iter().enumerate() {
        neighbourhoods.members(centre, &mut members);
        let p = grid.position(voxel as usize);
        let near = |other: u32| {
            let q = grid.position(other as usize);
            (0..3).map(|axis| p[axis].abs_diff(q[axis]).pow(2)).sum::<usize>() <= 4
        };
        let expected: Vec<u32> = (0..voxels.len() as u32).filter(|&k| near(voxels[k as usize])).collect();
        assert_eq!(members, expected);
    }
}

/// A ball planted in a volume contains the whole neighbourhood of its own centre only.
#[test]
fn only_the_centre_of_a_planted_shape_has_all_its_voxels() {
    let grid = grid([20, 20, 20]);
    for shape in [ball(3.0, Edge::Inclusive), ball(3.0, Edge::Strict), Shape::Cube { half_width: 3 }] {
        let offsets = shape.offsets(&grid).expect("offsets");
        let voxels: Vec<u32> =
            offsets.iter().map(|o| grid.linear(o.map(|d| (9 + d) as usize)) as u32).collect();
        let full = offsets.len();
        let complete: Vec<_> = sizes(&grid, &voxels, &shape)
            .iter()
            .enumerate()
            .filter(|(_, size)| **size == full)
            .map(|(c, _)| grid.position(voxels[c] as usize))
            .collect();
        assert_eq!(complete, [[9, 9, 9]]);
    }
}

#[test]
fn supplied_lists_are_checked() {
    let good = Neighbourhoods::supplied(vec![0, 2, 2, 5], vec![3, 1, 0, 4, 2], 5).expect("lists");
    let mut members = Vec::new();
    good.members(0, &mut members);
    assert_eq!((good.centres(), good.largest(), members.as_slice()), (3, 3, &[3, 1][..]));
    for (starts, members) in [
        (vec![1, 2], vec![0, 1]),
        (vec![0, 2, 1, 2], vec![0, 1]),
        (vec![0, 1], vec![0, 1]),
        (vec![0, 2], vec![0, 5]),
        (vec![0, 2], vec![1, 1]),
    ] {
        let error = Neighbourhoods::supplied(starts, members, 5).expect_err("bad lists");
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
    assert!(matches!(Neighbourhoods::supplied(vec![0], vec![], 5), Err(Error::TooFew { .. })));
}

#[test]
fn radii_masks_and_affines_that_make_no_sense_are_refused() {
    let grid = grid([4, 4, 4]);
    for radius in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for radius in [Radius::Voxels(radius), Radius::Millimetres(radius)] {
            let error = Shape::Ball { radius, edge: Edge::Inclusive }.offsets(&grid).expect_err("radius");
            assert!(matches!(error, Error::Invalid { what: "radius", .. }), "{error}");
        }
    }
    let limit = MAX_REACH_VOXELS as f64;
    assert!(ball(limit, Edge::Inclusive).offsets(&grid).is_ok());
    assert!(matches!(ball(limit + 1.0, Edge::Inclusive).offsets(&grid), Err(Error::TooMany { .. })));
    for voxels in [vec![3, 2], vec![2, 2], vec![64]] {
        let error = Neighbourhoods::in_volume(&grid, &voxels, &ball(1.0, Edge::Inclusive)).expect_err("mask");
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
    assert!(matches!(
        Neighbourhoods::in_volume(&grid, &[], &ball(1.0, Edge::Inclusive)),
        Err(Error::TooFew { .. })
    ));
    let mut flat = grid.affine;
    flat[2] = flat[1];
    assert!(matches!(Grid::new([4; 3], flat), Err(Error::Invalid { .. })));
    assert!(matches!(Grid::new([4, 0, 4], grid.affine), Err(Error::TooFew { .. })));
    assert!(matches!(Grid::new([1 << 15, 1 << 15, 2], grid.affine), Err(Error::TooMany { .. })));
    flat[0][0] = f64::NAN;
    assert!(matches!(Grid::new([4; 3], flat), Err(Error::NonFinite { .. })));
}

#[test]
fn volumes_on_another_grid_are_noticed() {
    let grid = grid([4, 4, 4]);
    let mut other = grid;
    other.affine[0][3] += 0.9e-4;
    assert!(grid.same(&other).is_ok());
    other.affine[0][3] += 0.2e-4;
    assert!(matches!(grid.same(&other), Err(Error::Invalid { what: "affine", .. })));
    assert_eq!(
        grid.same(&super::plain::grid([4, 5, 4])),
        Err(Error::Mismatch { what: "voxels along y", expected: 4, found: 5 })
    );
}
