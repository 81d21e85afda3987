//! The simulation with known truth: natural images blur the layers' maps, the residual method brings them apart again.

use ndarray::{Array2, ArrayView2};
use ventral_searchlight::group::{GroupOptions, Tail, analyse_group};
use ventral_searchlight::layermap::{
    Standardisation, hierarchy, overlap_table, significant, standardise, top_share, winner_take_all,
};
use ventral_searchlight::simulation::{
    NATURAL_ALPHA, Scene, Stimuli, activation_rsms, layer_activations, rsm_factor, simulate_subject,
};
use ventral_searchlight::{
    Comparison, Edge, Grid, LayerDesign, LayerRsms, Neighbourhoods, Options, Patterns, Radius, Residual,
    Shape, fisher_z, map_range_parallel,
};

const LAYERS: usize = 12;
const FEATURES: usize = 200;

/// An ellipsoid in a box of 3 mm voxels.
pub fn ellipsoid(shape: [usize; 3]) -> (Grid, Vec<u32>) {
    let affine =
        [[3.0, 0.0, 0.0, -90.0], [0.0, 3.0, 0.0, -120.0], [0.0, 0.0, 3.0, -60.0], [0.0, 0.0, 0.0, 1.0]];
    let grid = Grid::new(shape, affine).unwrap();
    let inside = |&v: &u32| {
        let place = grid.position(v as usize);
        let share = (0..3)
            .map(|a| ((place[a] as f64 + 0.5) / shape[a] as f64 - 0.5) / 0.47)
            .map(|d| d * d)
            .sum::<f64>();
        share <= 1.0
    };
    let voxels = (0..grid.len() as u32).filter(inside).collect();
    (grid, voxels)
}

struct Study {
    grid: Grid,
    voxels: Vec<u32>,
    scene: Scene,
    layers: LayerRsms,
    raw: Array2<f64>,
}

impl Study {
    fn new(shape: [usize; 3], stimuli: Stimuli, images: usize, snr: f64, seed: u64) -> Self {
        Self::of_subject(shape, stimuli, images, snr, seed, seed + 1)
    }

    /// Another subject sees the same images.
    fn of_subject(
        shape: [usize; 3],
        stimuli: Stimuli,
        images: usize,
        snr: f64,
        seed: u64,
        subject: u64,
    ) -> Self {
        let (grid, voxels) = ellipsoid(shape);
        let rsms = activation_rsms(&layer_activations(stimuli, images, LAYERS, FEATURES, seed).unwrap());
        let scene = Scene::new(LAYERS, &grid, &voxels, snr).unwrap();
        let values = simulate_subject(rsms.view(), images, &grid, &voxels, subject, snr).unwrap();
        let names = (0..LAYERS).map(|l| format!("layer{l}")).collect();
        let layers = LayerRsms::new(names, images, rsms, Comparison::Pearson).unwrap();
        let shape = Shape::Ball { radius: Radius::Voxels(3.0), edge: Edge::Inclusive };
        let neighbourhoods = Neighbourhoods::in_volume(&grid, &voxels, &shape).unwrap();
        let patterns = Patterns::new(voxels.clone(), values.view()).unwrap();
        let options = Options::default();
        let map = map_range_parallel(&patterns, &neighbourhoods, 0..voxels.len(), &layers, &options, &|_| {})
            .unwrap();
        Self { grid, voxels, scene, layers, raw: map.values }
    }

    fn maps(&self, method: Residual) -> Array2<f64> {
        let design = LayerDesign::new(&self.layers).unwrap();
        let prepared = design.prepare(method).unwrap();
        prepared.apply(self.raw.view()).unwrap().reversed_axes()
    }

    fn overlap(&self, maps: ArrayView2<f64>) -> f64 {
        overlap_table(top_share(maps, 0.03).unwrap().view()).unwrap().mean_dice
    }

    /// Share of the voxels near a blob's centre that its own layer wins.
    fn accuracy(&self, maps: ArrayView2<f64>) -> f64 {
        let comparable = standardise(maps, Standardisation::OverVoxels).unwrap();
        let winner = winner_take_all(comparable.view(), None, 0.0).unwrap();
        let core = |v: usize| self.scene.truth(&self.grid, self.voxels[v], 3.0).map(|layer| (v, layer));
        let cores: Vec<(usize, usize)> = (0..self.voxels.len()).filter_map(core).collect();
        let right = cores.iter().filter(|&&(v, layer)| winner.labels[v] as usize == layer + 1).count();
        right as f64 / cores.len() as f64
    }
}

const SHAPE: [usize; 3] = [48, 56, 32];
const NATURAL: Stimuli = Stimuli::Natural { alpha: NATURAL_ALPHA };

/// Overlap of natural images' maps, raw and semi-partial, and of synthesised images' raw maps; accuracy of all three.
fn scenario(images: usize, snr: f64, seed: u64) -> ([f64; 3], [f64; 3]) {
    let natural = Study::new(SHAPE, NATURAL, images, snr, seed);
    let synthesised = Study::new(SHAPE, Stimuli::Synthesised, images, snr, seed);
    let maps =
        [natural.maps(Residual::Raw), natural.maps(Residual::SemiPartial), synthesised.maps(Residual::Raw)];
    let studies = [&natural, &natural, &synthesised];
    let overlap = std::array::from_fn(|i| studies[i].overlap(maps[i].view()));
    let accuracy = std::array::from_fn(|i| studies[i].accuracy(maps[i].view()));
    println!("{images} images, seed {seed}: overlap {overlap:.3?}, accuracy {accuracy:.3?}");
    (overlap, accuracy)
}

#[test]
fn sixteen_natural_images_overlap_until_other_layers_are_regressed_out() {
    for seed in [1, 2, 3] {
        let (overlap, accuracy) = scenario(16, 2.0, seed);
        assert!(overlap[0] > 5.0 * overlap[1] && overlap[1] <= 2.5 * overlap[2], "{overlap:?}");
        assert!(accuracy[2] > 0.95 && accuracy[0] > 0.8 && accuracy[1] > 0.7, "{accuracy:?}");
    }
}

#[test]
fn ninety_two_images_find_every_layer() {
    // With less noise blobs are found so well that no two maps share a voxel and there is nothing to compare.
    let (overlap, accuracy) = scenario(92, 1.0, 1);
    assert!(overlap[0] > 5.0 * overlap[1] && overlap[1] <= 2.5 * overlap[2], "{overlap:?}");
    assert!(accuracy.iter().all(|a| *a >= 0.99), "{accuracy:?}");
}

#[test]
fn a_group_of_subjects_finds_every_layer_in_its_place() {
    const SUBJECTS: u64 = 9;
    let study = |subject| Study::of_subject([36, 44, 24], NATURAL, 16, 2.0, 1, subject);
    let studies: Vec<Study> = (0..SUBJECTS).map(study).collect();
    let maps: Vec<Array2<f64>> = studies.iter().map(|s| s.maps(Residual::SemiPartial)).collect();
    let (grid, voxels, scene) = (&studies[0].grid, &studies[0].voxels, &studies[0].scene);
    let of_layer = |layer| {
        Array2::from_shape_fn((maps.len(), voxels.len()), |(subject, v)| fisher_z(maps[subject][[layer, v]]))
    };
    let layers: Vec<Array2<f64>> = (0..LAYERS).map(of_layer).collect();
    let views: Vec<ArrayView2<f64>> = layers.iter().map(|layer| layer.view()).collect();
    let options = GroupOptions { tail: Tail::Larger, ..GroupOptions::default() };
    let groups = analyse_group(&views, None, &options).unwrap();
    let shape = (LAYERS, voxels.len());
    let t = Array2::from_shape_fn(shape, |(l, v)| groups[l].test.group.t[v]);
    let mean = Array2::from_shape_fn(shape, |(l, v)| groups[l].test.group.mean[v]);
    let p = Array2::from_shape_fn(shape, |(l, v)| groups[l].test.p_fwe[v]);
    let masks = significant(p.view(), 0.05).unwrap();
    let winner = winner_take_all(t.view(), Some(masks.view()), 0.0).unwrap();
    let (mut right, mut wrong, mut stray) = (0, 0, 0);
    for (&label, &voxel) in winner.labels.iter().zip(voxels).filter(|(label, _)| **label > 0) {
        match scene.truth(grid, voxel, 10.0) {
            Some(layer) if layer + 1 == label as usize => right += 1,
            Some(_) => wrong += 1,
            None => stray += 1,
        }
    }
    println!("{right} right, {wrong} wrong, {stray} stray; won {:?}", winner.voxels);
    assert!(wrong + stray <= right / 20, "{right} right, {wrong} wrong, {stray} stray");
    assert!(winner.voxels.iter().all(|&won| won > 0), "{:?}", winner.voxels);
    let place = hierarchy(masks.view(), Some(mean.view()), voxels, grid).unwrap();
    assert_eq!(place.empty, 0);
    assert!(place.rank_correlation > 0.95, "{place:?}");
}

#[test]
fn natural_layers_are_alike_and_synthesised_ones_are_not() {
    let mean_adjacent = |stimuli| {
        let rsms = activation_rsms(&layer_activations(stimuli, 92, LAYERS, FEATURES, 5).unwrap());
        let names = (0..LAYERS).map(|l| l.to_string()).collect();
        let layers = LayerRsms::new(names, 92, rsms, Comparison::Pearson).unwrap();
        (1..LAYERS).map(|l| layers.correlations()[[l, l - 1]]).sum::<f64>() / 11.0
    };
    // Rectification takes the squared .9 to .75.
    assert!((mean_adjacent(NATURAL) - 0.75).abs() < 0.03);
    assert!(mean_adjacent(Stimuli::Synthesised).abs() < 0.03);
}

#[test]
fn a_factor_gives_the_rsm_back() {
    let rsms = activation_rsms(&layer_activations(NATURAL, 20, 2, 8, 3).unwrap());
    let factor = rsm_factor(&rsms.row(1).to_vec(), 20).unwrap();
    // Eight centred features have rank 7.
    assert_eq!(factor.dim(), (20, 7));
    let gram = factor.dot(&factor.t());
    let pairs = (0..20).flat_map(|i| (i + 1..20).map(move |j| (i, j)));
    pairs.zip(rsms.row(1)).for_each(|(pair, r)| assert!((gram[pair] - r).abs() < 1e-12));
    assert!((0..20).all(|i| (gram[[i, i]] - 1.0).abs() < 1e-12));
    assert!(rsm_factor(&[0.1, 0.2], 3).is_err() && rsm_factor(&[0.1, 0.2, f64::NAN], 3).is_err());
}

#[test]
fn blobs_follow_y_and_keep_apart() {
    let (grid, voxels) = ellipsoid(SHAPE);
    let scene = Scene::new(LAYERS, &grid, &voxels, 1.0).unwrap();
    let places: Vec<[f64; 3]> = scene
        .centres
        .iter()
        .map(|&c| grid.millimetres(grid.position(c as usize).map(|c| c as f64)))
        .collect();
    assert!(places.windows(2).all(|pair| pair[0][1] <= pair[1][1]), "{places:?}");
    for (i, a) in places.iter().enumerate() {
        for b in &places[..i] {
            let distance = (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt();
            assert!(distance > 2.0 * 3.5 * 3.0, "{a:?} {b:?}");
        }
    }
    // Any mask with a voxel per layer will do.
    assert_eq!(Scene::new(3, &grid, &[5, 6, 7], 1.0).unwrap().centres.len(), 3);
}

#[test]
fn a_voxel_depends_on_seed_and_place_alone() {
    let (grid, voxels) = ellipsoid([20, 24, 16]);
    let scene = Scene::new(3, &grid, &voxels, 1.0).unwrap();
    let factors: Vec<Array2<f64>> =
        (0..3).map(|l| layer_activations(NATURAL, 6, 3, 10, 1).unwrap().swap_remove(l)).collect();
    let whole = scene.subject(&factors, &grid, &voxels, 9).unwrap();
    let half: Vec<u32> = voxels.iter().copied().filter(|v| v % 2 == 0).collect();
    let part = scene.subject(&factors, &grid, &half, 9).unwrap();
    let kept: Vec<usize> = (0..voxels.len()).filter(|&i| voxels[i] % 2 == 0).collect();
    assert_eq!(part, whole.select(ndarray::Axis(0), &kept));
    assert_ne!(whole, scene.subject(&factors, &grid, &voxels, 10).unwrap());
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (grid, voxels) = ellipsoid([10, 10, 10]);
    assert!(layer_activations(Stimuli::Natural { alpha: 1.1 }, 6, 3, 10, 1).is_err());
    assert!(
        layer_activations(NATURAL, 2, 3, 10, 1).is_err() && layer_activations(NATURAL, 6, 3, 1, 1).is_err()
    );
    for snr in [0.0, -1.0, f64::NAN] {
        assert!(Scene::new(3, &grid, &voxels, snr).is_err());
    }
    assert!(
        Scene::new(3, &grid, &voxels[..2], 1.0).is_err()
            && Scene::new(3, &grid, &[1, 2, 9_999], 1.0).is_err()
    );
    let scene = Scene::new(2, &grid, &voxels, 1.0).unwrap();
    let layer = |images| Array2::from_shape_fn((images, 3), |(i, k)| (i * k) as f64);
    assert!(scene.subject(&[layer(6), layer(5)], &grid, &voxels, 1).is_err());
    assert!(scene.subject(&[layer(6)], &grid, &voxels, 1).is_err());
    assert!(scene.subject(&[layer(6), Array2::ones((6, 3))], &grid, &voxels, 1).is_err());
    assert!(simulate_subject(Array2::zeros((2, 4)).view(), 4, &grid, &voxels, 1, 1.0).is_err());
}
