//! The 2018 table reproduced from its own columns (spec §11).

use ventral_aggregator::{
    BenchmarkRef, Ceiled, ChosenBy, LayerScore, Leaderboard, Ranking, Reported, Selection, brain_score_2018,
    leaderboard,
};
use ventral_metrics::{Score, correlation::pearson};

use crate::support::real_data;

#[derive(serde::Deserialize)]
struct Published {
    model: String,
    brain_score: f64,
    #[serde(rename = "V4")]
    v4: f64,
    #[serde(rename = "IT")]
    it: f64,
    behavior: f64,
    imagenet_top1: f64,
    #[serde(rename = "V4_layer")]
    v4_layer: String,
}

fn published() -> Option<Vec<Published>> {
    let file = real_data()?.join("brain-score-2018.csv");
    let mut reader = csv::Reader::from_path(file).unwrap();
    Some(reader.deserialize().map(|row| row.unwrap()).collect())
}

fn selection(row: &Published, region: &str, value: f64) -> Selection {
    let benchmark = BenchmarkRef { identifier: region.into(), version: "2018".into() };
    let score = LayerScore {
        model: row.model.clone(),
        layer: row.v4_layer.clone(),
        depth_index: 0,
        benchmark: region.into(),
        version: "2018".into(),
        raw: Some(Score::single(value)),
        ceiling: None,
        ceiled: Ceiled::Failed { reason: "2018 scores were not ceiled".into() },
        precision: None,
        undefined: None,
    };
    Selection {
        model: row.model.clone(),
        region: region.into(),
        benchmark,
        layer: Some(row.v4_layer.clone()),
        chosen_by: ChosenBy::SameBenchmark,
        skipped: Vec::new(),
        reported: Reported::Scored(score),
    }
}

/// The rows in reverse, so that their order has to be found.
fn board(rows: &[Published]) -> Leaderboard {
    let selections: Vec<Selection> = rows
        .iter()
        .flat_map(|row| {
            [("V4", row.v4), ("IT", row.it), ("behavior", row.behavior)].map(|(r, v)| selection(row, r, v))
        })
        .collect();
    let models: Vec<String> = rows.iter().rev().map(|row| row.model.clone()).collect();
    leaderboard(&brain_score_2018(), &models, &selections, Ranking::Exact).unwrap()
}

#[test]
fn brain_scores_and_order() {
    let Some(rows) = published() else { return };
    assert_eq!(rows.len(), 61);
    let board = board(&rows);
    for (place, (ours, theirs)) in board.rows.iter().zip(&rows).enumerate() {
        assert_eq!(ours.model, theirs.model, "place {place}");
        assert_eq!(ours.rank, Some(place + 1));
        let score = ours.brain_score().number().unwrap();
        assert!((score - theirs.brain_score).abs() < 1e-15, "{}: {score} {}", ours.model, theirs.brain_score);
    }
}

#[test]
fn correlations_with_object_recognition() {
    let Some(rows) = published() else { return };
    let board = board(&rows);
    let node = |row: &Published, name: &str| board.cell(&row.model, name).unwrap().value.number().unwrap();
    let top1 = |row: &Published| row.imagenet_top1;
    let r = |keep: &dyn Fn(f64) -> bool, x: &dyn Fn(&Published) -> f64, y: &dyn Fn(&Published) -> f64| {
        let kept: Vec<&Published> = rows.iter().filter(|row| keep(row.imagenet_top1)).collect();
        let [x, y] = [x, y].map(|f| kept.iter().map(|row| f(row)).collect::<ndarray::Array1<f64>>());
        (kept.len(), (1000.0 * pearson(x.view(), y.view()).unwrap()).round() / 1000.0)
    };
    let all = |_: f64| true;
    let score = |row: &Published| node(row, "brain_score");
    assert_eq!(r(&all, &score, &top1), (61, 0.915));
    assert_eq!(r(&|t| t >= 70.0, &score, &top1), (24, 0.312));
    assert_eq!(r(&|t| t < 70.0, &score, &top1), (37, 0.904));
    assert_eq!(r(&|t| t > 70.0, &score, &top1), (23, 0.235));
    let (v4, it, behaviour) = (
        |row: &Published| node(row, "V4"),
        |row: &Published| node(row, "IT"),
        |row: &Published| node(row, "behavior"),
    );
    assert_eq!(
        (r(&all, &v4, &top1).1, r(&all, &it, &top1).1, r(&all, &behaviour, &top1).1),
        (0.565, 0.718, 0.859)
    );
    assert_eq!(
        (r(&all, &v4, &it).1, r(&all, &v4, &behaviour).1, r(&all, &it, &behaviour).1),
        (0.155, 0.345, 0.755)
    );
    let good = |t: f64| t >= 70.0;
    assert_eq!(
        (r(&good, &v4, &top1).1, r(&good, &it, &top1).1, r(&good, &behaviour, &top1).1),
        (0.277, -0.033, 0.208)
    );
}
