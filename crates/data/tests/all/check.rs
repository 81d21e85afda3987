//! All that is wrong with a card, at once.

use ventral_data::{CardProblem, MAX_PROBLEMS, check_benchmark};

use crate::benchmarks::Folder;

fn problems(folder: &Folder) -> Vec<CardProblem> {
    let checked = check_benchmark(folder.path(), None);
    assert_eq!(checked.benchmark.is_some(), checked.problems.is_empty());
    checked.problems
}

fn of<'a>(problems: &'a [CardProblem], field: &str) -> &'a CardProblem {
    let found = problems.iter().find(|p| p.field.as_deref() == Some(field));
    found.unwrap_or_else(|| panic!("no problem of {field} in {problems:#?}"))
}

#[test]
fn a_good_card_gives_its_benchmark() {
    let folder = Folder::new();
    let checked = check_benchmark(folder.path(), None);
    let benchmark = checked.benchmark.unwrap_or_else(|| panic!("{:#?}", checked.problems));
    assert_eq!((benchmark.rows(), benchmark.targets(), benchmark.splits.len()), (12, 2, 4));
}

#[test]
fn wrong_fields_are_all_reported_with_their_lines() {
    let folder = Folder::new();
    let card = r#"identifier = "Test V4"
region = "V4"
visibilty = "public"

[stimuli]
format = "table"
file = "stimuli.zip"
table = "stimuli.csv"
degree = 8.0

[assembly]
format = "xls"
file = "responses.csv"

[metric]
name = "plz"

[splits]
scheme = "shuffle"
count = "four"
train_size = 0.5
"#;
    folder.write("benchmark.toml", card);
    let problems = problems(&folder);
    assert!(of(&problems, "identifier").problem.contains("Test V4"));
    assert!(of(&problems, "version").problem.contains("is missing"));
    assert!(of(&problems, "visibilty").problem.contains("did you mean `visibility`?"));
    assert!(of(&problems, "stimuli.degree").problem.contains("`stimuli.degrees`"));
    for (field, line, found) in [
        ("assembly.format", "line 12:", "xls"),
        ("metric.name", "line 16:", "plz"),
        ("splits.count", "line 20:", "four"),
    ] {
        let problem = &of(&problems, field).problem;
        assert!(problem.contains(line) && problem.contains(found), "{field}: {problem}");
    }
    assert_eq!(problems.len(), 7, "{problems:#?}");
}

#[test]
fn absent_files_are_all_named() {
    let folder = Folder::new();
    for name in ["stimuli.zip", "stimuli.csv", "responses.csv"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let problems = problems(&folder);
    for (field, name) in
        [("stimuli", "stimuli.zip"), ("stimuli.table", "stimuli.csv"), ("assembly", "responses.csv")]
    {
        let problem = &of(&problems, field).problem;
        assert!(problem.contains(name) && problem.contains("does not exist"), "{problem}");
    }
}

#[test]
fn files_are_judged_each_by_itself() {
    let folder = Folder::new();
    folder.write("stimuli.csv", "stimulus_id,file\ns00,0.png\n");
    folder.write("responses.csv", "stimulus_id,n1\ns00,many\n");
    let problems = problems(&folder);
    let named: Vec<String> =
        problems.iter().map(|p| p.file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(named.len(), 2, "{problems:#?}");
    assert!(named.contains(&"stimuli.csv".to_string()) && named.contains(&"responses.csv".to_string()));
}

#[test]
fn every_image_is_looked_into() {
    let folder = Folder::new();
    let zip = folder.path().join("stimuli.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    for i in 0..12 {
        writer.start_file(format!("{i}.png"), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, b"no picture").unwrap();
    }
    writer.finish().unwrap();
    let problems = problems(&folder);
    assert_eq!(problems.len(), 12, "{problems:#?}");
    assert!(problems.iter().all(|p| p.file.to_string_lossy().contains("stimuli.zip!")));
}

#[test]
fn syntax_and_hostile_cards_end_in_a_problem() {
    let folder = Folder::new();
    let many: String = (0..200).map(|i| format!("wrong{i} = 1\n")).collect();
    for (text, least) in [
        ("[metric", 1),
        ("", 1),
        ("stimuli = 1\nassembly = 2\nmetric = []", 3),
        ("[[stimuli]]\nformat = 1\n[[stimuli]]\nformat = 2", 1),
        (&many, MAX_PROBLEMS),
    ] {
        folder.write("benchmark.toml", text);
        let found = problems(&folder);
        assert!(found.len() >= least && found.len() <= MAX_PROBLEMS, "{text}: {found:#?}");
    }
}
