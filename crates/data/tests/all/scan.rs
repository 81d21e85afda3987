//! Scans: conditions by name, files laid on each other, everything that can be wrong with them.

use std::path::{Path, PathBuf};

use ventral_data::{
    BidsName, Error, NiftiReader, Removed, Scan, ScanCard, SubjectData, bids_label, dataset_description,
    load_anatomy, load_neighbourhoods, load_scan, load_subject, parse_neighbourhoods, scan_files,
    scan_references, write_json,
};

use crate::support::{Nifti, real_data, write_nifti};

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
fn given_dissimilarities_are_brought_into_the_order_of_the_conditions() {
    let rdm = "\n[[rdm]]\nname = \"model\"\nfile = \"FILE\"\nconditions = [\"c\", \"a\", \"extra\", \"b\"]\n";
    let lab =
        |file: &str| Lab::new().with("run2.tsv\" }", &format!("run2.tsv\" }}{}", rdm.replace("FILE", file)));
    // Rows c, a, extra, b.
    let square = [[0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 4.0, 5.0], [2.0, 4.0, 0.0, 6.0], [3.0, 5.0, 6.0, 0.0]];
    let npy = |shape: &str, values: &[f64]| {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
        let header = format!("{header:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        bytes
    };
    // Pairs ab, ac, bc.
    let expected = [5.0, 1.0, 3.0];
    let values = |lab: &Lab| lab.scan().unwrap().rdms[0].values.clone();
    let made = lab("model.npy");
    std::fs::write(made.path("model.npy"), npy("4, 4", square.as_flattened())).unwrap();
    assert_eq!(values(&made), expected);
    std::fs::write(made.path("model.npy"), npy("6,", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).unwrap();
    assert_eq!(values(&made), expected);
    std::fs::write(made.path("model.npy"), npy("3,", &[1.0, 2.0, 3.0])).unwrap();
    assert!(made.problem().contains("names 4 conditions, which have 6 pairs"), "{}", made.problem());
    let named =
        lab("model.csv").with("conditions = [\"c\", \"a\", \"extra\", \"b\"]\n", "similarity = true\n");
    for text in
        ["c,a,extra,b\n0,1,2,3\n1,0,4,5\n2,4,0,6\n3,5,6,0\n", "id,c,a,b\nc,0,1,3\na,1,0,5\nb,3,5,0.0\n"]
    {
        std::fs::write(named.path("model.csv"), text).unwrap();
        let rdm = &named.scan().unwrap().rdms[0];
        assert_eq!((&rdm.values[..], rdm.name.as_str(), rdm.similarity), (&expected[..], "model", true));
    }
    for (text, reason) in [
        ("c,a\n0,1\n1,0\n", "lacks the condition `b`"),
        ("c,a,b\n0,1,3\n1,0,5\n", "a square is needed"),
        ("c,a,b\n0,1,3\n2,0,5\n3,5,0\n", "not symmetric"),
        ("c,a,b\n0,1,x\n2,0,5\n3,5,0\n", "`b` does not hold numbers"),
        ("c,a,b\n0,,3\n,0,5\n3,5,0\n", "pair 0 is NaN"),
    ] {
        std::fs::write(named.path("model.csv"), text).unwrap();
        assert!(named.problem().contains(reason), "{}", named.problem());
    }
}

#[test]
fn images_belong_to_conditions_by_name() {
    let lab = Lab::new().with(
        "[[subject]]",
        "[stimuli]\nformat = \"directory\"\nfile = \"images\"\n[conditions.stimuli]\na = [\"one\", \"two\"]\nb = \"three\"\n[[subject]]",
    );
    std::fs::create_dir(lab.path("images")).unwrap();
    for name in ["c", "one", "three", "two"] {
        std::fs::write(lab.path("images").join(format!("{name}.png")), name).unwrap();
    }
    let scan = lab.scan().unwrap();
    assert_eq!(scan.stimuli.as_ref().unwrap().ids, ["c", "one", "three", "two"]);
    assert_eq!(scan.pools, [vec![1, 3], vec![2], vec![0]]);
    let files = scan_files(lab.folder.path(), None);
    assert!(files.problem.is_none());
    assert_eq!(files.files.len(), 1 + 6 + 4, "card, 6 files, 4 images");
    std::fs::remove_file(lab.path("images/c.png")).unwrap();
    assert!(lab.problem().contains("there is no image `c`"), "{}", lab.problem());
    let lab = lab.with("b = \"three\"", "x = \"three\"");
    assert!(lab.problem().contains("conditions.stimuli.x"), "{}", lab.problem());
}

#[test]
fn the_digest_is_of_what_can_change_a_map() {
    let lab = Lab::new();
    let digest = |lab: &Lab| {
        let scan = lab.scan().unwrap();
        (scan.digest().unwrap(), scan.subject_digest(0).unwrap())
    };
    let first = digest(&lab);
    assert_eq!(first.0.len(), 64);
    lab.volume("anatomy.nii", |_| 1.0);
    let lab = lab.with("space =", "note = \"other\"\nspace =");
    assert_eq!(digest(&lab), first);
    lab.volume("mask.nii.gz", |v| f32::from(v >= 5));
    let masked = digest(&lab);
    assert!(masked.0 != first.0 && masked.1 != first.1);
    let lab = lab.with("[\"a\", \"b\", \"c\"]", "[\"a\", \"c\", \"b\"]");
    assert_ne!(digest(&lab).1, masked.1, "the order of labels counts");
    let space = lab.with("\"native\"", "\"other\"");
    assert_eq!(space.scan().unwrap().space.as_deref(), Some("other"));
    assert!(space.scan().unwrap().subject_digest(9).is_err());
}

#[test]
fn a_card_lists_its_files_even_if_some_are_missing() {
    let lab = Lab::new();
    lab.scan().unwrap();
    std::fs::remove_file(lab.path("left.nii")).unwrap();
    let listed = scan_files(lab.folder.path(), None);
    let names: Vec<String> =
        listed.files.iter().map(|f| f.path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["scan.toml", "run1.nii.gz", "run2.nii", "run2.tsv", "mask.nii.gz", "anatomy.nii"]);
    assert!(listed.problem.unwrap().to_string().contains("regions.left"));
    let references = scan_references(lab.folder.path(), Path::new("/data")).unwrap();
    assert_eq!(references.len(), 6);
}

/// Derivatives of two subjects: volumes named by condition, and series with a table beside them.
fn bids_directory(folder: &Path) {
    for (subject, session) in [("01", "1"), ("02", "1"), ("02", "2")] {
        let func = folder.join(format!("glm/sub-{subject}/ses-{session}/func"));
        std::fs::create_dir_all(&func).unwrap();
        let stem = format!("sub-{subject}_ses-{session}_task-animals_space-T1w");
        for (condition, name) in ["cat", "dog", "owl"].into_iter().enumerate() {
            for (stat, run) in [("t", 0), ("beta", 1)] {
                let file = format!("{stem}_contrast-{name}_stat-{stat}_statmap.nii.gz");
                series(run, &[condition]).write(&func.join(file));
            }
        }
        series(0, &[2, 0, 1]).write(&func.join(format!("{stem}_desc-betas_bold.nii")));
        std::fs::write(func.join(format!("{stem}_desc-betas_bold.tsv")), "trial_type\nowl\ncat\ndog\n")
            .unwrap();
        let anat = folder.join(format!("glm/sub-{subject}/anat"));
        std::fs::create_dir_all(&anat).unwrap();
        let mut mask = Nifti::new(SHAPE, 1);
        mask.values[5..].fill(1.0);
        mask.write(&anat.join(format!("sub-{subject}_space-T1w_desc-brain_mask.nii.gz")));
        std::fs::write(anat.join("notes.txt"), "").unwrap();
    }
}

#[test]
fn a_bids_directory_is_found_by_entities() {
    let folder = tempfile::tempdir().unwrap();
    bids_directory(folder.path());
    let card = folder.path().join("scan.toml");
    let head = "identifier = \"B\"\nversion = \"1\"\n";
    let maps = "[bids]\nfile = \"glm\"\nsuffix = \"statmap\"\ncondition = \"contrast\"\nentities = { task = \"animals\", space = \"T1w\", stat = \"t\" }\n";
    let load = |text: &str| {
        std::fs::write(&card, format!("{head}{text}")).unwrap();
        load_scan(&card, None)
    };
    let scan = load(maps).unwrap();
    assert_eq!(scan.conditions, ["cat", "dog", "owl"]);
    assert_eq!(scan.space.as_deref(), Some("T1w"));
    let runs: Vec<_> = scan.subjects.iter().map(|s| (s.id.as_str(), s.runs.join(" "))).collect();
    assert_eq!(runs, [("01", "ses-1".to_owned()), ("02", "ses-1 ses-2".to_owned())]);
    let data = load_subject(&scan, 1).unwrap();
    assert_eq!((data.voxels.len(), data.runs[1].values[[0, 2]]), (19, value(0, 2, 5)));
    assert_eq!(scan_files(&card, None).files.len(), 1 + 2 + 3 * 3);
    let series = "[bids]\nfile = \"glm\"\nsuffix = \"bold\"\nsubjects = [\"02\"]\nentities = { desc = \"betas\" }\nmask = { desc = \"brain\" }\n";
    let scan = load(series).unwrap();
    assert_eq!((scan.conditions.join(" "), scan.subjects.len()), ("owl cat dog".to_owned(), 1));
    assert_eq!(load_subject(&scan, 0).unwrap().runs[0].values[[0, 0]], value(0, 2, 5));
    for (from, to, reason) in [
        ("stat = \"t\"", "stat = \"z\"", "sub-01 has no volume with the suffix `statmap`"),
        (", stat = \"t\"", "", "several files for `cat`"),
        ("\"contrast\"", "\"trial\"", "has no entity `trial`"),
        (
            "suffix = \"statmap\"",
            "suffix = \"statmap\"\nmask = { desc = \"gray\" }",
            "fits 0 files of sub-01",
        ),
        ("file = \"glm\"", "file = \"none\"", "does not exist"),
        ("file = \"glm\"", "file = \"glm/sub-01\"", "no folder `sub-...`"),
    ] {
        let error = load(&maps.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn names_are_made_of_letters_and_digits() {
    let entities = [("sub", "01"), ("space", "T1w"), ("contrast", "mixed4e"), ("stat", "r")];
    let name = BidsName::new(&entities, "statmap", ".nii.gz").unwrap();
    assert_eq!(name.to_string(), "sub-01_space-T1w_contrast-mixed4e_stat-r_statmap.nii.gz");
    assert_eq!(BidsName::parse(&name.to_string()), Some(name.clone()));
    assert_eq!((name.entity("contrast"), name.entity("run")), (Some("mixed4e"), None));
    assert_eq!((name.suffix(), name.extension()), ("statmap", ".nii.gz"));
    for (key, label) in [("sub", "0_1"), ("sub", ""), ("su-b", "01"), ("sub", "é"), ("sub", "../x")] {
        let error = BidsName::new(&[(key, label)], "statmap", ".json").unwrap_err().to_string();
        assert!(error.contains("letters and digits"), "{error}");
    }
    assert!(BidsName::new(&[("sub", &"x".repeat(64))], "dseg", ".json").is_ok());
    assert!(BidsName::new(&[("sub", &"x".repeat(65))], "dseg", ".json").is_err());
    assert!(
        BidsName::new(&[("sub", "1"), ("sub", "2")], "dseg", ".json")
            .unwrap_err()
            .to_string()
            .contains("twice")
    );
    assert_eq!(BidsName::parse("dataset_description.json"), None);
    assert_eq!(bids_label("inception_4e/output"), "inception4eoutput");
}

#[test]
fn sidecars_are_json_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dataset_description.json");
    write_json(&path, &dataset_description("maps", "0.1.0", &["https://example.org".into()])).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.ends_with("}\n") && text.contains("\n  \"Name\": \"maps\""));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["GeneratedBy"][0], serde_json::json!({ "Name": "ventral", "Version": "0.1.0" }));
    assert_eq!(json["DatasetType"], "derivative");
}

#[test]
fn neighbourhoods_come_from_tables_and_sparse_matrices() {
    let table = |text: &str| parse_neighbourhoods(text.as_bytes(), Path::new("n.csv"), 10);
    let lists = table("centre,member\n4,5\n4,3\n2,2\n4,5\n").unwrap();
    assert_eq!(
        (&lists.centres[..], &lists.starts[..], &lists.members[..]),
        (&[2, 4][..], &[0, 1, 3][..], &[2, 3, 5][..])
    );
    assert_eq!((lists.of(1), lists.of(2)), (&[3, 5][..], &[][..]));
    assert_eq!(lists.among(&[1, 3, 5, 9]), (vec![0, 0, 2], vec![1, 2]));
    let tabs = parse_neighbourhoods(b"centre\tmember\n2\t2\n", Path::new("n.tsv"), 10).unwrap();
    assert_eq!(tabs.centres, [2]);
    for (text, reason) in [
        ("centre,member\n4,10\n", "voxel 10 is outside of the grid, which has 10"),
        ("centre,member\n10,4\n", "voxel 10"),
        ("centre,member\n-1,4\n", "-1 is no index"),
        ("centre,member\n1,4.5\n", "whole numbers"),
        ("centre,voxel\n1,4\n", "no column `member`"),
        ("centre,member\n", "whole numbers"),
    ] {
        let error = table(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    assert!(parse_neighbourhoods(b"", Path::new("n.gii"), 10).unwrap_err().to_string().contains("gii"));
    let lab = Lab::new().with("anatomy = {", "neighbourhoods = { file = \"n.csv\" }\nanatomy = {");
    std::fs::write(lab.path("n.csv"), "centre,member\n4,5\n23,22\n").unwrap();
    assert_eq!(load_neighbourhoods(&lab.scan().unwrap(), 0).unwrap().unwrap().centres, [4, 23]);
    assert_eq!(load_neighbourhoods(&Lab::new().scan().unwrap(), 0).unwrap(), None);
    let sparse = std::fs::read(crate::support::fixture("neighbours.npz")).unwrap();
    let lists = parse_neighbourhoods(&sparse, Path::new("n.npz"), 6).unwrap();
    assert_eq!((&lists.centres[..], &lists.members[..]), (&[0, 2, 5][..], &[0, 1, 1, 2, 3, 5][..]));
    assert!(parse_neighbourhoods(&sparse, Path::new("n.npz"), 5).is_err());
}

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
