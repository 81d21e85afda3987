//! Rows, columns, error bars and order of the leaderboard.

use ventral_aggregator::{
    Error, Leaderboard, LeafScore, Node, Ranking, RegionRule, Value, leaderboard, region_tree, select,
};

use crate::support::{benchmark, failed_layer, scored_layer};

/// Two regions with one benchmark each; four models: good, tied with it, failed in IT, never run.
pub fn example() -> Leaderboard {
    let scores = [
        scored_layer("good", "conv1", 0, "v4", 0.3),
        scored_layer("good", "conv2", 1, "v4", 0.614),
        scored_layer("good", "conv2", 1, "it", 0.5),
        scored_layer("also", "a", 0, "v4", 0.612),
        scored_layer("also", "b", 1, "it", 0.5),
        scored_layer("partly", "a", 0, "v4", 0.9),
        failed_layer("partly", "a", 0, "it", "out of memory"),
        failed_layer("broken", "a", 0, "v4", "bad | file"),
    ];
    let region = |region: &str, name: &str| RegionRule {
        region: region.into(),
        select_on: benchmark(name),
        report_on: vec![benchmark(name)],
    };
    let models = ["never", "partly", "broken", "good", "also"].map(String::from);
    let selections = select(&models, &scores, &[region("V4", "v4"), region("IT", "it")], &[]);
    let tree = region_tree(
        "brain score",
        &[("V4".into(), vec![benchmark("v4")]), ("IT".into(), vec![benchmark("it")])],
    );
    leaderboard(&tree, &models, &selections, Ranking::TwoDecimals).unwrap()
}

#[test]
fn best_first_then_by_name_then_failed_then_missing() {
    let board = example();
    let rows: Vec<(Option<usize>, &str)> =
        board.rows.iter().map(|row| (row.rank, row.model.as_str())).collect();
    assert_eq!(
        rows,
        [(Some(1), "also"), (Some(1), "good"), (Some(3), "partly"), (Some(4), "broken"), (None, "never")]
    );
    assert_eq!(board.rows[2].brain_score(), &Value::Number(0.45), "the failed region counts 0");
    assert!(
        matches!(board.rows[3].brain_score(), Value::Failed { reason } if reason == "V4: v4: layer a: bad | file")
    );
    assert_eq!(board.rows[4].brain_score(), &Value::Missing);
}

#[test]
fn cells_carry_error_raw_and_layer() {
    let board = example();
    let cell = board.cell("good", "v4").unwrap();
    assert_eq!((cell.error, cell.raw, cell.layer.as_deref()), (Some(0.01), Some(0.614), Some("conv2")));
    let region = board.cell("good", "V4").unwrap();
    assert_eq!((region.error, region.layer.as_deref()), (Some(0.01), Some("conv2")), "of the only child");
    let root = board.cell("good", "brain score").unwrap();
    assert_eq!((root.error, root.layer.as_deref()), (None, Some("conv2")), "both regions agree");
    assert_eq!(board.cell("also", "brain score").unwrap().layer, None);
    assert_eq!(board.cell("nobody", "V4"), None);
}

#[test]
fn scores_of_other_versions_are_ignored_and_the_highest_raw_of_duplicates_counts() {
    let rule =
        RegionRule { region: "V4".into(), select_on: benchmark("v4"), report_on: vec![benchmark("v4")] };
    let models = ["net".to_owned()];
    let select_one = |score| select(&models, &[score], std::slice::from_ref(&rule), &[]);
    let mut selections = select_one(failed_layer("net", "a", 0, "v4", "first try"));
    selections.extend(select_one(scored_layer("net", "b", 0, "v4", 0.4)));
    selections.extend(select_one(scored_layer("net", "c", 0, "v4", 0.5)));
    selections.extend(select_one(scored_layer("net", "d", 0, "v4", 0.3)));
    let value = |version: &str| {
        let tree = Node::branch("root", vec![Node::leaf("v4", version, LeafScore::Ceiled)]);
        let board = leaderboard(&tree, &models, &selections, Ranking::Exact).unwrap();
        (board.rows[0].cells[1].value.clone(), board.rows[0].cells[1].layer.clone())
    };
    assert_eq!(value("1"), (Value::Number(0.5), Some("c".into())));
    assert_eq!(value("2"), (Value::Missing, None));
}

#[test]
fn ceiled_scores_are_clipped_and_raw_ones_are_not() {
    let rule =
        RegionRule { region: "V4".into(), select_on: benchmark("v4"), report_on: vec![benchmark("v4")] };
    let models = ["net".to_owned()];
    let selections = select(&models, &[scored_layer("net", "a", 0, "v4", 1.3)], &[rule], &[]);
    let value = |score: LeafScore| {
        let tree = Node::branch("root", vec![Node::leaf("v4", "1", score)]);
        leaderboard(&tree, &models, &selections, Ranking::Exact).unwrap().rows[0].brain_score().clone()
    };
    assert_eq!((value(LeafScore::Ceiled), value(LeafScore::Raw)), (Value::Number(1.0), Value::Number(1.3)));
}

#[test]
fn a_tree_that_means_nothing_is_refused() {
    let tree = Node::branch("root", vec![]);
    assert!(matches!(leaderboard(&tree, &[], &[], Ranking::Exact), Err(Error::EmptyBranch { .. })));
}

#[test]
fn json_goes_there_and_back_in_the_same_bytes() {
    let board = example();
    let json = serde_json::to_string(&board).unwrap();
    let back: Leaderboard = serde_json::from_str(&json).unwrap();
    assert_eq!(back, board);
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
}
