//! Whole-brain t-maps of six animal species (Connolly 2012), from the directory in `VENTRAL_DATA`.

use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD, IxDyn};
use nifti::{IntoNdArray, NiftiObject, ReaderOptions};
use ventral_searchlight::{
    Comparison, Edge, LayerRsms, Neighbourhoods, Options, Patterns, RangeMap, RsmKind, map_range_parallel,
    odd_even, reliability_range,
};

use super::plain::{ball, grid};

fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("VENTRAL_DATA")?).join("ak6-fmri");
    folder.is_dir().then_some(folder)
}

fn volume(path: &Path) -> ArrayD<f32> {
    let object = ReaderOptions::new().read_file(path).expect("NIfTI file");
    object.into_volume().into_ndarray::<f32>().expect("volume")
}

struct Subject {
    patterns: Patterns,
    shape: [usize; 3],
    visual: [Vec<bool>; 2],
}

impl Subject {
    fn read(folder: &Path) -> Self {
        let file = |name: &str| volume(&folder.join(format!("s01_{name}.nii.gz")));
        let runs = [file("glm_T_stats_odd"), file("glm_T_stats_even")];
        let masks = [file("brain_mask"), file("vt_mask"), file("ev_mask")];
        let shape: [usize; 3] = std::array::from_fn(|axis| masks[0].shape()[axis]);
        let grid = grid(shape);
        let inside = |mask: &ArrayD<f32>, voxel: u32| mask[IxDyn(&grid.position(voxel as usize))] > 0.0;
        let voxels: Vec<u32> = (0..grid.len() as u32).filter(|&voxel| inside(&masks[0], voxel)).collect();
        let values = runs.map(|run| {
            Array2::from_shape_fn((voxels.len(), 6), |(v, image)| {
                let [x, y, z] = grid.position(voxels[v] as usize);
                run[IxDyn(&[x, y, z, image])]
            })
        });
        let visual = [1, 2].map(|mask| voxels.iter().map(|&voxel| inside(&masks[mask], voxel)).collect());
        let patterns = Patterns::from_runs(voxels, &[values[0].view(), values[1].view()]).expect("patterns");
        Self { patterns, shape, visual }
    }

    fn neighbourhoods(&self) -> Neighbourhoods {
        Neighbourhoods::in_volume(&grid(self.shape), self.patterns.voxels(), &ball(3.0, Edge::Inclusive))
            .expect("neighbourhoods")
    }
}

fn mean(values: &[f64], mask: &[bool]) -> f64 {
    let inside: Vec<f64> = values
        .iter()
        .zip(mask)
        .filter(|(value, inside)| **inside && !value.is_nan())
        .map(|(value, _)| *value)
        .collect();
    inside.iter().sum::<f64>() / inside.len() as f64
}

fn animacy(subject: &Subject, folder: &Path) -> RangeMap {
    let square: Array2<f64> = ndarray_npy::read_npy(folder.join("gt_rdm.npy")).expect("reference RDM");
    let pairs: Vec<_> = (0..6).flat_map(|i| (i + 1..6).map(move |j| [i, j])).collect();
    let vectors = Array2::from_shape_fn((1, 15), |(_, pair)| square[pairs[pair]]);
    let layers = LayerRsms::from_dissimilarities(vec!["species".into()], 6, vectors, Comparison::Pearson)
        .expect("layer");
    let options = Options { rsm: RsmKind::Pearson, minimum_voxels: 2 };
    let neighbourhoods = subject.neighbourhoods();
    let all = 0..neighbourhoods.centres();
    map_range_parallel(&subject.patterns.averaged(), &neighbourhoods, all, &layers, &options, &|_| ())
        .expect("map")
}

/// Means in ventral temporal and early visual cortex, and the number of centres without data, computed with NumPy.
#[test]
fn species_are_represented_in_ventral_temporal_cortex() {
    let Some(folder) = folder() else {
        println!("SKIPPED: no ak6-fmri in VENTRAL_DATA");
        return;
    };
    let subject = Subject::read(&folder);
    let map = animacy(&subject, &folder);
    let values = map.values.column(0).to_vec();
    assert_eq!(map.values.nrows(), 43_822);
    // 27 have an image without variation; in 12, one voxel has data, and all images are alike.
    assert_eq!((map.undefined, map.too_small), (27 + 12, 0));
    let [ventral, early] = &subject.visual;
    assert!((mean(&values, ventral) - 0.574_019_761).abs() < 1e-6, "{}", mean(&values, ventral));
    assert!((mean(&values, early) - 0.237_814_643).abs() < 1e-6, "{}", mean(&values, early));
}

#[test]
fn odd_and_even_runs_agree_more_in_visual_cortex_than_elsewhere() {
    let Some(folder) = folder() else {
        println!("SKIPPED: no ak6-fmri in VENTRAL_DATA");
        return;
    };
    let subject = Subject::read(&folder);
    let neighbourhoods = subject.neighbourhoods();
    let options = Options { rsm: RsmKind::Pearson, minimum_voxels: 2 };
    let all = 0..neighbourhoods.centres();
    let found = reliability_range(
        &subject.patterns,
        &odd_even(2),
        &neighbourhoods,
        all,
        Comparison::Pearson,
        &options,
    )
    .expect("reliability");
    let [ventral, early] = &subject.visual;
    let elsewhere: Vec<bool> = ventral.iter().zip(early).map(|(a, b)| !a && !b).collect();
    let [ventral, elsewhere] = [ventral, &elsewhere].map(|mask| mean(&found.halves, mask));
    assert!(ventral > elsewhere + 0.2, "{ventral} {elsewhere}");
}
