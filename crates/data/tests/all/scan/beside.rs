//! What lies beside the volumes: dissimilarities, images, directories, names, neighbourhoods.

use std::path::Path;

use ventral_data::{
    BidsName, bids_label, dataset_description, load_neighbourhoods, load_scan, load_subject,
    parse_neighbourhoods, scan_files, scan_references, write_json,
};

use super::{Lab, SHAPE, series, value};
use crate::support::Nifti;

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
        ("c,a,b\n0,,3\n,0,5\n3,5,0\n", "stimuli 0 and 1 (from 0) is NaN"),
    ] {
        std::fs::write(named.path("model.csv"), text).unwrap();
        assert!(named.problem().contains(reason), "{}", named.problem());
    }
}

#[test]
fn similarities_are_taken_only_where_the_card_says_so() {
    let card = |more: &str| {
        let rdm = format!("run2.tsv\" }}\n[[rdm]]\nname = \"model\"\nfile = \"model.csv\"\n{more}");
        let lab = Lab::new().with("run2.tsv\" }", &rdm);
        std::fs::write(lab.path("model.csv"), "c,a,b\n1,0.5,0.3\n0.5,1,0.2\n0.3,0.2,1\n").unwrap();
        lab
    };
    let problem = card("").problem();
    for part in ["model.csv", "stimulus 0 (from 0)", "by 1,", "1 - similarity", "similarity = true"] {
        assert!(problem.contains(part), "{problem}");
    }
    assert_eq!(card("similarity = true\n").scan().unwrap().rdms[0].values, [0.2, 0.5, 0.3]);
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
    let lab = lab.with("[[subject]]", "[conditions]\nnames = [\"a\", \"b\", \"c\"]\n[[subject]]");
    assert_eq!(digest(&lab), masked, "the same order, said otherwise");
    let lab = lab.with("[\"a\", \"b\", \"c\"] }", "[\"a\", \"c\", \"b\"] }");
    assert_ne!(digest(&lab).1, masked.1, "which volume shows what counts");
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
