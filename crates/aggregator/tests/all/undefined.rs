//! Undefined values: counted, named, marked wherever the score is shown.

use ndarray::array;
use ventral_aggregator::{
    LayerScore, Leaderboard, Ranking, RegionRule, Undefined, UndefinedRule, layers_csv, layers_markdown,
    leaderboard, leaderboard_csv, leaderboard_markdown, region_tree, select,
};

use crate::support::{benchmark, scored_layer};

const NAN: f64 = f64::NAN;

fn of_five_folds() -> Undefined {
    let values = array![[0.9], [0.93], [NAN], [0.91], [0.92]];
    Undefined::of(&values, &["n7".to_owned()], UndefinedRule::Skipped).expect("one is undefined")
}

#[test]
fn what_is_undefined_is_counted_and_named() {
    assert_eq!(Undefined::of(&array![[0.1, 0.2]], &[], UndefinedRule::Skipped), None);
    let one = of_five_folds();
    assert_eq!((one.values, one.of, one.empty_splits, one.splits), (1, 5, 1, 5));
    assert_eq!(
        one.to_string(),
        "1 of 5 values are undefined (n7 in split 2): skipped, as the reference's means and medians do (xarray); split 2 has no value, the \
         score is that of the other 4 of 5"
    );
    let many =
        Undefined::of(&ndarray::Array2::from_elem((9, 2), NAN), &[], UndefinedRule::NotScored).expect("all");
    assert_eq!(
        (many.values, many.places.len(), many.first_empty.len()),
        (18, 5, 5),
        "only the first are named"
    );
    assert!(
        many.to_string().contains("value 1 in split 0"),
        "without names the number of the column: {many}"
    );
    assert!(
        many.to_string().starts_with("18 of 18 values are undefined (")
            && many.to_string().ends_with(", ...)")
    );
    let some = Undefined::of(&array![[NAN, 0.2]], &[], UndefinedRule::Skipped).expect("one");
    assert!(!some.to_string().contains("no value"), "a neuroid is skipped, not the split: {some}");
}

#[test]
fn features_without_an_r_are_counted_and_not_named() {
    let found = Undefined::of_features(3, 400, &array![[0.4], [NAN]], UndefinedRule::Skipped).to_string();
    assert!(
        found.starts_with("3 of 400 values are undefined: skipped") && found.contains("split 1 has no value"),
        "{found}"
    );
}

#[test]
fn halvings_and_people_are_called_what_they_are() {
    let of = |metric: &str, values: &ndarray::Array2<f64>| {
        Undefined::of(values, &[], UndefinedRule::NotScored).expect("some").of_metric(metric).to_string()
    };
    let halvings = of("i1", &array![[NAN], [NAN]]);
    assert!(halvings.starts_with("2 of 2 values are undefined (halving 0, halving 1)"), "{halvings}");
    assert!(halvings.contains("d'") && halvings.contains("all equal"), "{halvings}");
    let person = of("accuracy_distance", &array![[0.1], [NAN]]);
    assert!(person.contains("(person 1)"), "{person}");
    let people = of("error_consistency", &array![[0.1, NAN], [0.2, 0.3]]);
    assert!(people.contains("(person 0, condition 1)"), "{people}");
    assert!(of("ridge", &array![[NAN]]).contains("(value 0 in split 0)"));
}

fn scores() -> Vec<LayerScore> {
    let noted =
        LayerScore { undefined: Some(Box::new(of_five_folds())), ..scored_layer("odd", "a", 0, "v4", 0.915) };
    vec![noted, scored_layer("even", "a", 0, "v4", 0.5)]
}

fn board() -> Leaderboard {
    let rule =
        RegionRule { region: "V4".into(), select_on: benchmark("v4"), report_on: vec![benchmark("v4")] };
    let models = ["odd", "even"].map(String::from);
    let tree = region_tree("brain score", &[("V4".into(), vec![benchmark("v4")])]);
    leaderboard(&tree, &models, &select(&models, &scores(), &[rule], &[]), Ranking::TwoDecimals)
        .expect("a board")
}

#[test]
fn a_score_that_passes_over_undefined_values_is_marked_wherever_it_is_shown() {
    let board = board();
    let cell = board.cell("odd", "v4").expect("a cell");
    assert_eq!((cell.text().as_str(), cell.value.to_string().as_str()), (".915†", ".915"));
    assert!(cell.note.as_ref().is_some_and(|note| note.contains("n7 in split 2")), "{cell:?}");
    assert_eq!(board.cell("odd", "V4").expect("a cell").note.as_deref(), Some("undefined values in v4"));
    assert_eq!(board.cell("odd", "brain score").expect("a cell").text(), ".915†", "up to the root");
    assert_eq!(board.cell("even", "v4").expect("a cell").note, None);
    assert_eq!(board.notes().count(), 1);

    let json = serde_json::to_value(&board).expect("JSON");
    assert!(json["rows"][1]["cells"][0].get("note").is_none(), "{json}");
    let csv = leaderboard_csv(&board).expect("CSV");
    assert!(csv.contains("1 of 5 values are undefined"), "{csv}");
    let text = leaderboard_markdown(&board);
    assert!(text.contains(".915† ± .010") && text.contains("\n† odd, v4: 1 of 5 values"), "{text}");
    let csv = layers_csv(&scores()).expect("CSV");
    assert!(
        csv.contains(",scored,,,1,\"1 of 5 values are undefined") && csv.contains(",scored,,,0,\n"),
        "{csv}"
    );
    let text = layers_markdown(&scores());
    assert!(text.contains(".915†") && text.contains("\n† odd, a, v4: 1 of 5 values"), "{text}");
}

#[test]
fn the_report_says_so() {
    let mut report = crate::report::example();
    assert!(!ventral_aggregator::html(&report).expect("a page").contains("<h2>Undefined values</h2>"));
    report.leaderboard = board();
    let page = ventral_aggregator::html(&report).expect("a page");
    assert!(page.contains("<h2>Undefined values</h2>") && page.contains(".915†"), "the mark and the list");
    assert!(page.contains("split 2 has no value, the score is that of the other 4 of 5"), "what counted");
    assert!(page.contains("± standard error over splits"), "what the error bar is");
}
