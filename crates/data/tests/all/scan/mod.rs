//! Scans: conditions by name, files laid on each other, everything that can be wrong with them.

mod beside;
mod real;

use std::path::{Path, PathBuf};

use ventral_data::{Error, Removed, Scan, ScanCard, SubjectData, load_anatomy, load_scan, load_subject};

use crate::support::{Nifti, write_nifti};

const SHAPE: [usize; 3] = [4, 3, 2];
const VOXELS: usize = 24;

/// A scan of one subject in a folder: two runs of the conditions a, b and c, the second in another order.
struct Lab {
    folder: tempfile::TempDir,
    card: String,
}

const CARD: &str = r#"identifier = "Lab"
version = "1"
space = "native"

[[subject]]
id = "01"
mask = { file = "mask.nii.gz" }
regions = { left = { file = "left.nii" } }
anatomy = { file = "anatomy.nii" }

[[subject.run]]
volumes = [{ file = "run1.nii.gz" }]
labels = { conditions = ["a", "b", "c"] }

[[subject.run]]
name = "second"
volumes = [{ file = "run2.nii" }]
labels = { file = "run2.tsv" }
"#;

/// Value of a voxel under a condition in a run.
fn value(run: usize, condition: usize, voxel: usize) -> f32 {
    ((voxel * 7 + condition * 5 + run * 3 + voxel * condition) % 101) as f32 * 0.5 - 3.0
}

fn series(run: usize, order: &[usize]) -> Nifti {
    let mut series = Nifti::new(SHAPE, order.len());
    series.values = order.iter().flat_map(|&c| (0..VOXELS).map(move |v| value(run, c, v))).collect();
    series
}

impl Lab {
    fn new() -> Lab {
        let lab = Lab { folder: tempfile::tempdir().unwrap(), card: CARD.to_owned() };
        series(0, &[0, 1, 2]).write(&lab.path("run1.nii.gz"));
        series(1, &[2, 0, 1]).write(&lab.path("run2.nii"));
        std::fs::write(lab.path("run2.tsv"), "onset\tcondition\n0\tc\n2\ta\n4\tb\n").unwrap();
        lab.volume("mask.nii.gz", |v| f32::from(v >= 4));
        lab.volume("left.nii", |v| f32::from(v % 4 < 2));
        lab.volume("anatomy.nii", |v| v as f32);
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn volume(&self, name: &str, value: impl Fn(usize) -> f32) {
        let mut volume = Nifti::new(SHAPE, 1);
        volume.values = (0..VOXELS).map(value).collect();
        volume.write(&self.path(name));
    }

    fn with(mut self, from: &str, to: &str) -> Lab {
        assert!(self.card.contains(from), "{from}");
        self.card = self.card.replace(from, to);
        self
    }

    fn scan(&self) -> Result<Scan, Error> {
        std::fs::write(self.path("scan.toml"), &self.card).unwrap();
        load_scan(self.folder.path(), None)
    }

    fn data(&self) -> SubjectData {
        load_subject(&self.scan().unwrap(), 0).unwrap()
    }

    /// What loading fails with, wherever it does.
    fn problem(&self) -> String {
        let failed = self.scan().and_then(|scan| load_subject(&scan, 0).map(|_| ()));
        failed.unwrap_err().to_string()
    }
}

#[test]
fn volumes_are_ordered_by_the_names_of_their_conditions() {
    let lab = Lab::new();
    let scan = lab.scan().unwrap();
    assert_eq!(scan.conditions, ["a", "b", "c"]);
    assert_eq!((scan.space.as_deref(), scan.identifier()), (Some("native"), "Lab"));
    assert_eq!((scan.subjects[0].mask_voxels, scan.subjects[0].volumes), (20, 6));
    assert_eq!(scan.subjects[0].runs, ["1", "second"]);
    assert!(scan.notes.is_empty(), "{:?}", scan.notes);
    let data = load_subject(&scan, 0).unwrap();
    assert_eq!(data.removed, Removed { outside_mask: 4, non_finite: 0, constant: 0 });
    assert_eq!(data.voxels, (4..24).collect::<Vec<u32>>());
    for (run, found) in data.runs.iter().enumerate() {
        assert_eq!(found.values.dim(), (20, 3));
        for ((row, condition), &found) in found.values.indexed_iter() {
            assert_eq!(found, value(run, condition, row + 4));
        }
    }
    assert_eq!(data.regions, [("left".to_owned(), (0..24).filter(|v| v % 4 < 2).collect::<Vec<u32>>())]);
    assert_eq!(data.noise, None, "nothing is repeated");
    assert_eq!(load_anatomy(&scan, 0).unwrap().unwrap().values[5], 5.0);
    assert!(load_subject(&scan, 1).unwrap_err().to_string().contains("no subject 1"));
    let named =
        Lab::new().with("[[subject]]", "[conditions]\nnames = [\"c\", \"a\", \"b\"]\n[[subject]]").data();
    assert_eq!(named.conditions, ["c", "a", "b"]);
    assert_eq!(named.runs[1].values[[0, 0]], value(1, 2, 4));
}

#[test]
fn the_same_scan_in_other_files_is_the_same() {
    let expected = Lab::new().data();
    let same = |lab: &Lab| {
        let found = lab.data();
        assert_eq!((&found.runs, &found.voxels), (&expected.runs, &expected.voxels));
    };
    let plain = Lab::new().with("run1.nii.gz", "run1.nii");
    series(0, &[0, 1, 2]).write(&plain.path("run1.nii"));
    same(&plain);
    // Values are multiples of 0.5.
    let scaled = Lab::new();
    write_nifti(&scaled.path("run1.nii.gz"), &series(0, &[0, 1, 2]).scaled_bytes(0.5, -3.0));
    same(&scaled);
    let single = Lab::new().with(
        "[{ file = \"run1.nii.gz\" }]",
        "[{ file = \"a.nii\" }, { file = \"b.nii.gz\" }, { file = \"c.nii\" }]",
    );
    for (condition, name) in ["a.nii", "b.nii.gz", "c.nii"].into_iter().enumerate() {
        series(0, &[condition]).write(&single.path(name));
    }
    same(&single);
    // Both runs in one file, told apart by a column.
    let joined = Lab::new();
    let [first, second] = [series(0, &[0, 1, 2]), series(1, &[2, 0, 1])];
    let mut both = Nifti::new(SHAPE, 8);
    both.values = [first.values, vec![f32::NAN; VOXELS], second.values, vec![9.0; VOXELS]].concat();
    both.write(&joined.path("both.nii.gz"));
    std::fs::write(
        joined.path("labels.txt"),
        "a 1\nb 1\nc 1\nrest 1\nc second\na second\nb second\nrest second\n",
    )
    .unwrap();
    let (head, _) = joined.card.split_once("[[subject.run]]").unwrap();
    let labels = "labels = { file = \"labels.txt\", columns = [\"condition\", \"run\"], run = \"run\" }";
    let card = format!("{head}[[subject.run]]\nvolumes = [{{ file = \"both.nii.gz\" }}]\n{labels}\n");
    let joined = Lab {
        card: card.replace("[[subject]]", "[conditions]\nexclude = [\"rest\"]\n[[subject]]"),
        ..joined
    };
    same(&joined);
    assert_eq!(joined.scan().unwrap().subjects[0].runs, ["1", "second"]);
}

#[test]
fn files_in_another_orientation_are_laid_on_by_their_affines() {
    let expected = Lab::new().data();
    // x runs the other way, and z is stored first: (z, -x, y).
    let turn = |from: &Nifti| {
        let [nx, ny, nz] = SHAPE;
        let mut to = Nifti::new([nz, nx, ny], from.volumes);
        to.affine = [[0.0, -3.0, 0.0, -10.0 + 9.0], [0.0, 0.0, 3.0, -20.0], [3.0, 0.0, 0.0, 5.0]];
        for volume in 0..from.volumes {
            for (x, y, z) in (0..nx * ny * nz).map(|i| (i % nx, i / nx % ny, i / nx / ny)) {
                let place = z + nz * ((nx - 1 - x) + nx * y);
                to.values[volume * VOXELS + place] = from.values[volume * VOXELS + x + nx * (y + ny * z)];
            }
        }
        to
    };
    let lab = Lab::new();
    let mut mask = Nifti::new(SHAPE, 1);
    mask.values = (0..VOXELS).map(|v| f32::from(v >= 4)).collect();
    turn(&mask).write(&lab.path("mask.nii.gz"));
    turn(&series(1, &[2, 0, 1])).write(&lab.path("run2.nii"));
    let found = lab.data();
    assert_eq!(
        (&found.runs, &found.voxels, &found.removed),
        (&expected.runs, &expected.voxels, &expected.removed)
    );
    let notes = lab.scan().unwrap().notes;
    assert!(notes.len() == 2 && notes.iter().all(|n| n.contains("reordered")), "{notes:?}");
    // By index, the shapes no longer agree.
    let error = lab.with("space", "alignment = \"index\"\nspace").problem();
    assert!(
        error.contains("run2.nii")
            && error.contains("its shape is 2 x 4 x 3, that of the volumes is 4 x 3 x 2"),
        "{error}"
    );
}

#[test]
fn other_affines_and_shapes_are_refused_by_name() {
    let moved = |by: f32| {
        let lab = Lab::new();
        let mut run = series(1, &[2, 0, 1]);
        run.affine[1][3] += by;
        run.write(&lab.path("run2.nii"));
        lab
    };
    assert_eq!(moved(9e-5).data().voxels.len(), 20);
    let lab = moved(2e-4);
    let error = lab.problem();
    for part in ["run2.nii", "run[second].volumes[0]", "row 2, column 4", "theirs has -20"] {
        assert!(error.contains(part), "{error}");
    }
    let by_index = lab.with("space", "alignment = \"index\"\nspace");
    assert_eq!(by_index.data().voxels.len(), 20);
    assert!(by_index.scan().unwrap().notes[0].contains("another affine"));
    let lab = Lab::new();
    Nifti::new([4, 3, 3], 1).write(&lab.path("mask.nii.gz"));
    let error = lab.problem();
    assert!(
        error.contains("mask.nii.gz") && error.contains("4 x 3 x 3") && error.contains("4 x 3 x 2"),
        "{error}"
    );
    let lab = Lab::new();
    let mut finer = Nifti::new(SHAPE, 1);
    finer.affine[0][0] = 1.5;
    finer.write(&lab.path("left.nii"));
    let error = lab.problem();
    assert!(error.contains("left.nii") && error.contains("regions.left") && error.contains("1.5"), "{error}");
}

#[test]
fn voxels_without_data_are_left_out_and_counted() {
    let lab = Lab::new();
    let mut run = series(0, &[0, 1, 2]);
    run.values[6] = f32::NAN;
    run.values[VOXELS + 6] = f32::NAN;
    run.values[2 * VOXELS + 9] = f32::INFINITY;
    run.values[1] = f32::NAN; // Outside of the mask.
    run.write(&lab.path("run1.nii.gz"));
    let mut run = series(1, &[2, 0, 1]);
    for volume in 0..3 {
        run.values[volume * VOXELS + 9] = 1.0; // Counted once, as not finite.
        run.values[volume * VOXELS + 20] = -2.0;
    }
    run.write(&lab.path("run2.nii"));
    let data = lab.data();
    assert_eq!(data.removed, Removed { outside_mask: 4, non_finite: 2, constant: 1 });
    assert_eq!(data.voxels, (4..24).filter(|v| ![6, 9, 20].contains(v)).collect::<Vec<u32>>());
    for (run, found) in data.runs.iter().enumerate() {
        for (row, &voxel) in data.voxels.iter().enumerate() {
            assert_eq!(found.values[[row, 1]], value(run, 1, voxel as usize));
        }
    }
}

#[test]
fn repetitions_are_averaged_and_their_spread_kept() {
    let lab = Lab::new().with("[\"a\", \"b\", \"c\"]", "[\"a\", \"b\", \"a\", \"c\", \"a\"]");
    let mut run = series(0, &[0, 1, 0, 2, 0]);
    for voxel in 0..VOXELS {
        run.values[2 * VOXELS + voxel] += 3.0;
        run.values[4 * VOXELS + voxel] += 6.0;
    }
    run.write(&lab.path("run1.nii.gz"));
    let data = lab.data();
    for row in 0..20 {
        assert_eq!(data.runs[0].values[[row, 0]], value(0, 0, row + 4) + 3.0);
        assert_eq!(data.runs[0].values[[row, 2]], value(0, 2, row + 4));
    }
    // Deviations -3, 0 and 3 with two degrees of freedom.
    assert_eq!(data.noise.unwrap(), vec![3.0f32; 20]);
}

#[test]
fn wrong_conditions_are_named() {
    let names = |list: &str| Lab::new().with("[[subject]]", &format!("[conditions]\n{list}\n[[subject]]"));
    for (lab, parts) in [
        (names("names = [\"a\", \"b\", \"c\", \"d\"]"), ["run[1]", "1 of 4 conditions", "`d`"]),
        (names("names = [\"a\", \"b\"]"), ["run[1]", "volume 3 shows `c`", "conditions.exclude"]),
        (names("names = [\"a\", \"b\", \"c\", \"a\"]"), ["conditions.names", "`a` twice", "remove"]),
        (names("exclude = [\"a\", \"b\"]"), ["conditions", "1 condition", "too few"]),
        (names("names = [\"a\", \"b\"]\nexclude = [\"a\"]"), ["conditions.exclude", "`a`", "`names`"]),
        (names("stimuli = { a = \"x.png\" }"), ["conditions.stimuli.a", "`[stimuli]`", "add it"]),
        (
            Lab::new().with("\"a\", \"b\", \"c\"", "\"a\", \"b\""),
            ["run[1]", "3 volumes in 1 files", "2 labels"],
        ),
        (
            Lab::new().with("\"a\", \"b\", \"c\"", "\"a\", \"b\", \"b\""),
            ["run[second]", "shows `c`", "run2.tsv"],
        ),
        (
            Lab::new().with("\"run2.tsv\" }", "\"run2.tsv\", column = \"name\" }"),
            ["run2.tsv", "`name`", "onset, condition"],
        ),
        (
            Lab::new().with("labels = { file = \"run2.tsv\" }", ""),
            ["run[second].labels", "missing", "`[labels]`"],
        ),
        (Lab::new().with("id = \"01\"", "id = \"s_01\""), ["subject[0].id", "`s_01`", "letters and digits"]),
        (Lab::new().with("mask = {", "masks = {"), ["unknown field", "masks", "did you mean"]),
        (
            Lab::new().with("mask.nii.gz", "none.nii.gz"),
            ["subject[01].mask", "none.nii.gz", "does not exist"],
        ),
        (
            Lab::new().with("file = \"run2.nii\"", "data = \"run2.nii\""),
            ["volumes[0].data", "run2.nii", "VENTRAL_DATA"],
        ),
    ] {
        let error = lab.problem();
        assert!(parts.iter().all(|part| error.contains(part)), "{parts:?}: {error}");
    }
}

#[test]
fn wrong_volumes_are_named() {
    let lab = Lab::new();
    lab.volume("mask.nii.gz", |_| 0.0);
    let error = lab.problem();
    assert!(error.contains("mask.nii.gz") && error.contains("the mask is empty"), "{error}");

    let lab = Lab::new();
    let mut run = series(0, &[0, 1, 2]);
    run.values[VOXELS + 4..2 * VOXELS].fill(f32::NAN);
    run.write(&lab.path("run1.nii.gz"));
    let error = lab.problem();
    for part in ["run1.nii.gz", "volume 2 (condition `b`)", "no finite value"] {
        assert!(error.contains(part), "{error}");
    }

    let lab = Lab::new();
    Nifti::new(SHAPE, 3).write(&lab.path("run1.nii.gz"));
    let error = lab.problem();
    assert!(error.contains("no voxel is left") && error.contains("20 are constant"), "{error}");

    let lab = Lab::new();
    let whole = std::fs::read(lab.path("run1.nii.gz")).unwrap();
    std::fs::write(lab.path("run1.nii.gz"), &whole[..whole.len() - 30]).unwrap();
    let error = lab.problem();
    assert!(error.contains("run1.nii.gz") && error.contains("truncated"), "{error}");

    let lab = Lab::new();
    series(0, &[0, 1]).write(&lab.path("mask.nii.gz"));
    assert!(lab.problem().contains("2 volumes, one is needed"));
}

#[test]
fn a_card_needs_subjects() {
    let parse = |text: &str| ScanCard::parse(text, Path::new("scan.toml")).unwrap_err().to_string();
    let head = "identifier = \"x\"\nversion = \"1\"\n";
    assert!(parse(head).contains("`[[subject]]` or `[bids]`"));
    assert!(
        parse(&format!("{head}[bids]\nfile = \"x\"\nsuffix = \"bold\"\n[[subject]]\nid = \"1\""))
            .contains("keep one")
    );
    assert!(parse(&format!("{head}[[subject]]\nid = \"1\"")).contains("subject[1].run"));
    assert!(
        parse(&format!("{head}[[subject]]\nid = \"1\"\n[[subject.run]]\nvolumes = []"))
            .contains("run[0].volumes")
    );
    let twice = "[[subject]]\nid = \"1\"\n[[subject.run]]\nvolumes = [{ file = \"a\" }]\n";
    assert!(parse(&format!("{head}{twice}{twice}")).contains("the id of two subjects"));
    assert!(parse("identifier = \"a b\"\nversion = \"1\"").contains("identifier"));
    assert!(parse(&head.replace("\"1\"", "\" \"")).contains("version"));
}

#[test]
fn numbers_of_things_have_limits() {
    let named = |count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("\"c{i}\"")).collect();
        Lab::new()
            .with("[[subject]]", &format!("[conditions]\nnames = [{}]\n[[subject]]", names.join(", ")))
            .problem()
    };
    assert!(named(100_000).contains("is no condition"));
    assert!(named(100_001).contains("MAX_CONDITIONS"));
    let subjects = |count: usize| {
        let subject =
            |i| format!("[[subject]]\nid = \"{i}\"\n[[subject.run]]\nvolumes = [{{ file = \"a\" }}]\n");
        let subjects: String = (0..count).map(subject).collect();
        ScanCard::parse(&format!("identifier = \"x\"\nversion = \"1\"\n{subjects}"), Path::new("scan.toml"))
    };
    assert_eq!(subjects(10_000).unwrap().subjects.len(), 10_000);
    assert!(subjects(10_001).unwrap_err().to_string().contains("MAX_SUBJECTS"));
    // Headers alone: 2^30 voxels, two runs, two or three conditions.
    let lab = Lab::new()
        .with("mask = { file = \"mask.nii.gz\" }\nregions = { left = { file = \"left.nii\" } }\n", "");
    let large = |lab: &Lab, volumes: usize| {
        let mut header = Nifti::new([1, 1, 1], volumes);
        (header.shape, header.values) = ([1024; 3], Vec::new());
        header.write(&lab.path("run1.nii.gz"));
        header.write(&lab.path("run2.nii.gz"));
    };
    let lab = lab.with("run2.nii\"", "run2.nii.gz\"");
    large(&lab, 3);
    assert!(lab.scan().unwrap_err().to_string().contains("MAX_SCAN_VALUES"));
    let lab = lab.with("\"a\", \"b\", \"c\"", "\"a\", \"b\"");
    large(&lab, 2);
    std::fs::write(lab.path("run2.tsv"), "condition\nb\na\n").unwrap();
    assert_eq!(lab.scan().unwrap().subjects[0].mask_voxels, 1 << 30);
}
