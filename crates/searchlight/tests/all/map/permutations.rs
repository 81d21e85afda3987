use ndarray::{Array2, s};
use ventral_searchlight::{
    Comparison, Edge, Error, LayerDesign, LayerRsms, MAX_PERMUTATIONS, Neighbourhoods, Options, Patterns,
    Permutations, RangeNull, Residual, RsmKind, image_permutations, map_range, permute_range,
};

use super::plain;

struct Case {
    patterns: Patterns,
    neighbourhoods: Neighbourhoods,
    layers: LayerRsms,
    options: Options,
}

impl Case {
    fn new(comparison: Comparison) -> Self {
        let grid = plain::grid([9, 8, 7]);
        let voxels = plain::mask(&grid);
        let values = plain::responses(voxels.len(), 10, 0.0, 3);
        let patterns = Patterns::new(voxels.clone(), values.view()).expect("patterns");
        let shape = plain::ball(2.0, Edge::Inclusive);
        let neighbourhoods = Neighbourhoods::in_volume(&grid, &voxels, &shape).expect("neighbourhoods");
        let names = (0..3).map(|l| format!("layer{l}")).collect();
        let layers = LayerRsms::new(names, 10, plain::layer_vectors(3, 10), comparison).expect("layers");
        Self {
            patterns,
            neighbourhoods,
            layers,
            options: Options { rsm: RsmKind::Pearson, minimum_voxels: 16 },
        }
    }

    fn observed(&self, layers: &LayerRsms, method: Residual) -> Array2<f64> {
        let range = 0..self.neighbourhoods.centres();
        let map = map_range(&self.patterns, &self.neighbourhoods, range, layers, &self.options).expect("map");
        self.method(method).apply(map.values.view()).expect("values")
    }

    fn method(&self, method: Residual) -> ventral_searchlight::ResidualMap {
        let names = self.layers.names().to_vec();
        let design =
            LayerDesign::from_correlations(names, self.layers.correlations().to_owned()).expect("design");
        design.prepare(method).expect("method")
    }

    fn null(&self, method: Residual, orders: &[Vec<usize>]) -> (Array2<f64>, RangeNull) {
        let observed = self.observed(&self.layers, method);
        let permutations =
            Permutations::new(&self.layers, &self.method(method), orders.to_vec()).expect("permutations");
        let range = 0..self.neighbourhoods.centres();
        let null = permute_range(
            &self.patterns,
            &self.neighbourhoods,
            range,
            &permutations,
            observed.view(),
            &self.options,
        );
        (observed, null.expect("null"))
    }
}

/// Every permuted map computed on its own, with the layers themselves reordered.
#[test]
fn nulls_equal_maps_of_reordered_layers() {
    let orders = image_permutations(10, 35, 7).expect("orders");
    for (comparison, method) in [
        (Comparison::Pearson, Residual::Raw),
        (Comparison::Pearson, Residual::SemiPartial),
        (Comparison::Pearson, Residual::Partial),
        (Comparison::Spearman, Residual::UniqueVariance),
        (Comparison::Cosine, Residual::RIDGE),
        (Comparison::RhoA, Residual::Raw),
    ] {
        let case = Case::new(comparison);
        let (observed, null) = case.null(method, &orders);
        let mut reached = Array2::<u32>::zeros(observed.dim());
        for (b, order) in orders.iter().enumerate() {
            let values = case.observed(&case.layers.reordered(order).expect("order"), method);
            for ((slot, value), observed) in reached.iter_mut().zip(&values).zip(&observed) {
                *slot += u32::from(*value >= observed - 1e-5);
            }
            for layer in 0..3 {
                let largest = values.column(layer).iter().copied().fold(f64::MIN, f64::max);
                assert!(
                    (f64::from(null.maxima[[b, layer]]) - largest).abs() < 1e-5,
                    "{comparison:?} {method:?}"
                );
            }
        }
        let different = reached.iter().zip(&null.reached).filter(|(a, b)| a != b).count();
        assert!(different <= 2, "{comparison:?} {method:?}: {different} counts differ");
        assert!(observed.iter().any(|value| value.is_nan()));
    }
}

#[test]
fn the_identity_reaches_every_value() {
    let case = Case::new(Comparison::Pearson);
    let identity: Vec<usize> = (0..10).collect();
    let (observed, null) = case.null(Residual::SemiPartial, &[identity.clone(), identity]);
    let p = null.p_values(observed.view()).expect("p");
    let corrected = null.corrected_p(observed.view(), false).expect("p");
    for ((observed, reached), (p, corrected)) in
        observed.iter().zip(&null.reached).zip(p.iter().zip(&corrected))
    {
        if observed.is_nan() {
            assert!(*reached == 0 && p.is_nan() && corrected.is_nan());
        } else {
            assert_eq!((*reached, *p, *corrected), (2, 1.0, 1.0));
        }
    }
}

#[test]
fn ranges_join_exactly() {
    let case = Case::new(Comparison::Pearson);
    let orders = image_permutations(10, 50, 1).expect("orders");
    let method = case.method(Residual::SemiPartial);
    let permutations = Permutations::new(&case.layers, &method, orders.clone()).expect("permutations");
    let (observed, whole) = case.null(Residual::SemiPartial, &orders);
    let centres = case.neighbourhoods.centres();
    for step in [1, 17, 100] {
        let parts: Vec<_> = (0..centres)
            .step_by(step)
            .map(|start| {
                let range = start..centres.min(start + step);
                let observed = observed.slice(s![range.clone(), ..]);
                permute_range(
                    &case.patterns,
                    &case.neighbourhoods,
                    range,
                    &permutations,
                    observed,
                    &case.options,
                )
                .expect("null")
            })
            .collect();
        assert_eq!(RangeNull::join(&parts).expect("join"), whole);
    }
}

#[test]
fn corrected_p_counts_the_largest_values() {
    let maxima = Array2::from_shape_vec((3, 2), vec![0.1, 0.5, 0.3, 0.2, 0.2, 0.2]).expect("maxima");
    let null = RangeNull { reached: Array2::zeros((1, 2)), maxima };
    let observed = Array2::from_shape_vec((2, 2), vec![0.25, 0.25, 0.6, f64::NAN]).expect("observed");
    let by_layer = null.corrected_p(observed.view(), false).expect("p");
    assert_eq!((by_layer[[0, 0]], by_layer[[0, 1]], by_layer[[1, 0]]), (0.5, 0.5, 0.25));
    assert!(by_layer[[1, 1]].is_nan());
    // Largest over layers: 0.5, 0.3, 0.2.
    assert_eq!(null.corrected_p(observed.view(), true).expect("p")[[0, 0]], 0.75);
}

#[test]
fn orders_are_checked() {
    assert!(matches!(image_permutations(10, 0, 1), Err(Error::TooFew { .. })));
    assert!(matches!(image_permutations(3, MAX_PERMUTATIONS + 1, 1), Err(Error::TooMany { .. })));
    assert_eq!(image_permutations(3, MAX_PERMUTATIONS, 1).expect("orders").len(), MAX_PERMUTATIONS);
    let case = Case::new(Comparison::Pearson);
    let raw = case.method(Residual::Raw);
    for order in [vec![0; 10], (0..9).collect::<Vec<_>>(), (1..11).collect()] {
        assert!(matches!(Permutations::new(&case.layers, &raw, vec![order]), Err(Error::Invalid { .. })));
    }
    let tau = Case::new(Comparison::TauA);
    let orders = image_permutations(10, 2, 1).expect("orders");
    assert!(matches!(Permutations::new(&tau.layers, &raw, orders), Err(Error::Invalid { .. })));
}
