//! Tables as text.

use ndarray::array;
use ventral_aggregator::{
    Error, LayerScore, RawScores, layers_csv, layers_json, layers_markdown, leaderboard_csv,
    leaderboard_json, leaderboard_markdown, raw_csv, raw_rows,
};

use crate::leaderboard::example;
use crate::support::{failed_layer, scored_layer};

fn layers() -> Vec<LayerScore> {
    vec![
        scored_layer("net, v2", "conv|1", 0, "v4", 0.123_456_789_012_345_67),
        failed_layer("net, v2", "fc", 1, "v4", "line\nbreak"),
    ]
}

fn records(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(String::from).collect()).collect()
}

#[test]
fn leaderboard_as_csv() {
    let rows = records(&leaderboard_csv(&example()).unwrap());
    let headings = "rank,model,brain score,V4,v4,v4.error,v4.raw,v4.layer,v4.note,IT,it,it.error,it.raw,it.layer,it.note,status,reason";
    assert_eq!(rows[0].join(","), headings);
    assert_eq!(
        rows[1],
        [
            "1", "also", "0.556", "0.612", "0.612", "0.01", "0.612", "a", "", "0.5", "0.5", "0.01", "0.5",
            "b", "", "scored", ""
        ]
    );
    assert_eq!(rows[3][9..13], ["NaN", "NaN", "", ""], "failed is not empty");
    assert_eq!(
        (rows[4][0].as_str(), rows[4][15].as_str(), rows[4][16].as_str()),
        ("4", "failed", "V4: v4: layer a: bad | file")
    );
    assert_eq!((rows[5][0].as_str(), rows[5][2].as_str(), rows[5][15].as_str()), ("", "", "missing"));
}

#[test]
fn leaderboard_as_markdown() {
    let text = leaderboard_markdown(&example());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{text}");
    assert!(lines[0].starts_with("| rank | model  | brain score |"), "{text}");
    assert!(lines[1].starts_with("|-----:|--------|------------:|"), "{text}");
    assert!(lines[2].contains(".612 ± .010") && lines[2].contains("v4: a, it: b"), "{text}");
    assert!(lines[4].contains("| X |") || lines[4].contains(" X |"), "{text}");
}

#[test]
fn leaderboard_as_json() {
    let text = leaderboard_json(&example()).unwrap();
    assert_eq!(serde_json::from_str::<ventral_aggregator::Leaderboard>(&text).unwrap(), example());
    assert!(text.ends_with("}\n"));
}

#[test]
fn layers_as_csv_keep_every_digit_and_quote() {
    let rows = records(&layers_csv(&layers()).unwrap());
    assert_eq!(rows[1][..4], ["net, v2", "conv|1", "0", "v4"]);
    assert_eq!(rows[1][7], "0.75", "the ceiling");
    assert_eq!(rows[1][8].parse::<f64>().unwrap(), 0.123_456_789_012_345_67);
    assert_eq!(rows[2][5..], ["NaN", "", "0.75", "NaN", "", "failed", "line break", "", "0", ""]);
}

#[test]
fn layers_as_markdown_escape_bars() {
    let text = layers_markdown(&layers());
    assert!(text.contains("conv\\|1"), "{text}");
    assert_eq!(text.lines().count(), 4);
}

#[test]
fn layers_as_json_keep_every_split() {
    let back: Vec<LayerScore> = serde_json::from_str(&layers_json(&layers()).unwrap()).unwrap();
    assert_eq!(back, layers());
    assert_eq!(back[0].raw.as_ref().unwrap().per_split.len(), 3);
}

fn raw() -> RawScores {
    RawScores {
        model: "net".into(),
        layer: "conv1".into(),
        benchmark: "v4".into(),
        version: "1".into(),
        neuroids: vec!["n0".into(), "n1".into()],
        values: array![[0.25, f64::NAN], [0.5, -0.125]],
    }
}

#[test]
fn raw_scores_as_a_long_table() {
    let mut text = Vec::new();
    raw_csv(&[raw(), raw()], &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let expected = "net,conv1,v4,1,0,n0,0.25\nnet,conv1,v4,1,0,n1,\nnet,conv1,v4,1,1,n0,0.5\nnet,conv1,v4,1,1,n1,-0.125\n";
    assert_eq!(text, format!("model,layer,benchmark,version,split,neuroid,value\n{expected}{expected}"));
    assert_eq!(raw_rows(&[raw()]).unwrap().count(), 4);
}

#[test]
fn names_must_fit_the_columns() {
    let mut bad = raw();
    bad.neuroids.pop();
    let result = raw_csv(&[raw(), bad], Vec::new());
    assert!(matches!(result, Err(Error::NeuroidNames { expected: 2, found: 1, .. })));
}
