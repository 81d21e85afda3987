//! Brain maps on a cluster.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use ventral_data::{Intent, MapValues, NiftiMap, Placement};
use ventral_proto::v1::JobState;
use ventral_searchlight::Grid;
use ventral_tests::binary::repository;
use ventral_tests::cluster::{Cluster, JOB, Options};
use ventral_tests::compare::assert_same_objects;

use crate::api::Api;
use crate::reference::{reference, submit};

/// More voxels than one unit has centres.
const SHAPE: [usize; 3] = [17, 17, 15];
const CONDITIONS: usize = 6;

/// A number between 0 and 1 that depends on all of these.
fn noise(parts: [usize; 3]) -> f32 {
    let mix =
        |hash: u64, part: &usize| (hash ^ *part as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    (parts.iter().fold(0x1234_5678_9abc_def0, mix) >> 40) as f32 / 16_777_216.0
}

/// A spec of one network of the demo on a made scan of two subjects, who saw six of the demo's images.
fn made(directory: &Path) -> PathBuf {
    let demo = repository().join("examples/demo").canonicalize().expect("the demo");
    let table = fs::read_to_string(demo.join("stimulus_demo.csv")).expect("the demo's images");
    let ids: Vec<&str> =
        table.lines().skip(1).filter_map(|line| line.split(',').next()).take(CONDITIONS).collect();
    let affine = [[3.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
    let grid = Grid::new(SHAPE, affine).expect("a grid");
    let placement = Placement {
        qform_code: 0,
        sform_code: 1,
        quaternion: [0.0; 3],
        offset: [0.0; 3],
        srow: [affine[0], affine[1], affine[2]],
        pixdim: [1.0, 3.0, 3.0, 3.0, 1.0, 0.0, 0.0, 0.0],
        units: 2,
    };
    for name in ["stimulus_demo.csv", "stimulus_demo.zip"] {
        fs::copy(demo.join(name), directory.join(name)).expect("copied");
    }
    let mut card = format!(
        "identifier = 'made'\nversion = '1'\n[conditions]\nnames = {ids:?}\n[labels]\nconditions = {ids:?}\n\
         [stimuli]\nformat = 'table'\ntable = 'stimulus_demo.csv'\nfile = 'stimulus_demo.zip'\n"
    );
    for subject in 1..=2 {
        let name = format!("s{subject}.nii.gz");
        let volumes =
            (0..CONDITIONS).flat_map(|v| (0..grid.len()).map(move |voxel| noise([subject, v, voxel])));
        let values: Vec<f32> = volumes.collect();
        let values = MapValues::F32(&values);
        let map = NiftiMap {
            grid: &grid,
            placement: &placement,
            intent: Intent::None,
            description: "made",
            values,
        };
        map.write(&directory.join(&name)).expect("writable");
        card.push_str(&format!(
            "[[subject]]\nid = '{subject:02}'\n[[subject.run]]\nvolumes = [{{ file = '{name}' }}]\n"
        ));
    }
    fs::write(directory.join("scan.toml"), card).expect("writable");
    let model = demo.join("models/convnet_random");
    let spec = directory.join("spec.toml");
    let text = format!(
        "name = 'maps'\nmodels = [{model:?}]\n[searchlight]\nscans = ['.']\nradius = 2.0\npermutations = 10\n"
    );
    fs::write(&spec, text).expect("writable");
    spec
}

#[test]
fn maps_are_byte_equal_to_those_of_one_process() {
    let Some(cluster) = Cluster::start(&Options { workers: 2, ..Options::default() }) else { return };
    let directory = TempDir::new().expect("a folder");
    let spec = made(directory.path());
    let spec = spec.to_str().expect("a temporary path");
    let api = Api::new(&cluster.url());
    let id = submit(&cluster, spec);
    let job = api.ended(&id, JOB);
    assert_eq!(job.state(), JobState::Succeeded, "{}", job.reason);
    let counts = job.counts.expect("counts");
    // One reading, and two ranges of each of two subjects.
    assert_eq!((counts.total, counts.done, counts.failed), (5, 5, 0), "{counts:?}");
    assert_same_objects(&reference(spec), cluster.store());
    let units = cluster.run(&["units", &id]);
    assert!(units.contains("map") && units.contains("searchlight made 02, centres 4096-4334"), "{units}");
}
