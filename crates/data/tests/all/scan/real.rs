//! Published scans.

use std::path::{Path, PathBuf};

use ventral_data::{NiftiReader, Removed, load_scan, load_subject};

use crate::support::real_data;

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

#[test]
fn the_halves_of_six_animals_are_loaded() {
    let Some(data) = real_data() else { return };
    let scan = load_scan(&repository("scans/ak6"), Some(&data)).unwrap();
    assert_eq!(scan.conditions, ["monkey", "lemur", "mallard", "warbler", "ladybug", "luna moth"]);
    assert_eq!(scan.rdms[0].values[..5], [0.1015, 1.052, 1.0976, 1.6778, 1.7459]);
    // Voxels of the mask as nibabel reads it; by affine the mask covers exactly the voxels with data.
    for (index, voxels) in [(0, 43_822), (1, 47_190)] {
        let found = load_subject(&scan, index).unwrap();
        assert_eq!(found.voxels.len(), voxels);
        let removed = Removed { outside_mask: 80 * 80 * 43 - voxels, non_finite: 0, constant: 0 };
        assert_eq!(found.removed, removed);
        assert_eq!(found.runs.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["even", "odd"]);
        assert_eq!(found.runs[1].values.dim(), (voxels, 6));
        assert_eq!(found.regions.iter().map(|r| r.1.len()).collect::<Vec<_>>(), [300, 400]);
    }
    assert_eq!(scan.notes.iter().filter(|n| n.contains("reordered")).count(), 6, "{:?}", scan.notes);
}

/// By index, as in what was published, the mask is a mirror image of the brain: voxels without data are in it, and 27 of those
/// of the first subject have no voxel with data within three voxels.
#[test]
fn laid_on_by_index_the_masks_miss_the_data() {
    let Some(data) = real_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let card = std::fs::read_to_string(repository("scans/ak6/scan.toml")).unwrap();
    std::fs::write(
        folder.path().join("scan.toml"),
        card.replace("space =", "alignment = \"index\"\nspace ="),
    )
    .unwrap();
    let scan = load_scan(folder.path(), Some(&data)).unwrap();
    let empty = |index: usize| {
        let found = load_subject(&scan, index).unwrap();
        let [nx, ny, nz] = found.grid.shape;
        let mut usable = vec![false; nx * ny * nz];
        found.voxels.iter().for_each(|&v| usable[v as usize] = true);
        let mut mask = Vec::new();
        NiftiReader::open(&data.join(format!("ak6-fmri/s0{}_brain_mask.nii.gz", index + 1)))
            .and_then(|mut reader| reader.next(None, &mut mask))
            .unwrap();
        let near = |voxel: usize| {
            let at = [voxel % nx, voxel / nx % ny, voxel / nx / ny].map(|c| c as i64);
            let offsets = (0..343).map(|i| [i % 7 - 3, i / 7 % 7 - 3, i / 49 - 3]);
            offsets.filter(|o| o.iter().map(|c| c * c).sum::<i64>() <= 9).any(|o| {
                let p = [at[0] + o[0], at[1] + o[1], at[2] + o[2]];
                let inside = p.iter().zip([nx, ny, nz]).all(|(&c, n)| (0..n as i64).contains(&c));
                inside && usable[p[0] as usize + nx * (p[1] as usize + ny * p[2] as usize)]
            })
        };
        let alone = (0..mask.len()).filter(|&v| mask[v] > 0.0 && !near(v)).count();
        (found.removed.constant, alone)
    };
    assert_eq!(empty(0), (4252, 27));
    assert_eq!(empty(1), (3458, 0));
}

#[test]
fn a_series_is_averaged_by_block_and_run() {
    let Some(data) = real_data() else { return };
    let scan = load_scan(&repository("scans/haxby2001-slice"), Some(&data)).unwrap();
    assert_eq!((scan.conditions.len(), scan.subjects[0].volumes), (8, 864));
    let found = load_subject(&scan, 0).unwrap();
    assert_eq!(found.runs.len(), 12);
    assert_eq!(found.runs[11].name, "11");
    // Means of numpy over the volumes that nibabel reads: voxel (20, 10, 0), faces and houses, runs 0 and 11.
    let row = found.voxels.iter().position(|&v| v == 20 + 40 * 10).unwrap();
    let means = [0, 11].map(|run| [0, 1].map(|condition| found.runs[run].values[[row, condition]]));
    assert_eq!(means, [[1030.1111, 1125.5555], [1036.2222, 1021.1111]]);
    // Voxels whose means are equal in some run, after NumPy: those outside of the head.
    assert_eq!(found.removed, Removed { outside_mask: 0, non_finite: 0, constant: 270 });
    assert_eq!(found.noise.unwrap().len(), found.voxels.len());
}
