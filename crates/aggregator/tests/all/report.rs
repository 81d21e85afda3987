//! The HTML page.

use ventral_aggregator::{
    BenchmarkInfo, BenchmarkRef, Ceiled, Cost, LayerScore, Provenance, Ranking, RegionRule, Report, TopOne,
    html, leaderboard, region_tree, select,
};
use ventral_metrics::{CeilingRule, RandomState, Score};

use crate::support::benchmark;

const REGIONS: [(&str, &str); 3] =
    [("V4", "cowley2023.V4-pls"), ("IT", "kriegeskorte2008.IT-rdm"), ("behavior", "objects.i2n")];

/// Name, number of layers, depth of the best layer, height of the curve, top-1 accuracy.
const MODELS: [(&str, usize, f64, f64, f64); 10] = [
    ("googlenet", 60, 0.55, 0.62, 69.8),
    ("squeezenet1_1", 26, 0.6, 0.58, 58.2),
    ("resnet20_cifar10", 20, 0.7, 0.44, 40.0),
    ("resnet56_cifar10", 56, 0.75, 0.47, 45.5),
    ("v4_distilled_ensemble_filters", 5, 0.8, 0.69, 0.0),
    ("v4_direct_fit", 5, 0.7, 0.6, 0.0),
    ("v4_linear", 5, 0.4, 0.31, 0.0),
    ("gabor_v1", 4, 0.2, 0.38, 0.0),
    ("random_convnet", 12, 0.3, 0.29, 0.1),
    ("densenet-169", 60, 0.5, 0.66, 75.9),
];

fn score(rng: &mut RandomState, value: f64) -> Score {
    Score::from_splits((0..10).map(|_| value + 0.025 * rng.randn()).collect())
}

fn layer(
    rng: &mut RandomState,
    (name, count, peak, height, _): (&str, usize, f64, f64, f64),
    index: usize,
    region: usize,
) -> LayerScore {
    let depth = index as f64 / (count - 1) as f64;
    let bump = (-((depth - peak - 0.12 * region as f64) / 0.35).powi(2)).exp();
    let value = height * (0.45 + 0.55 * bump) - 0.05 * region as f64;
    let score = score(rng, value);
    let failed = name == "random_convnet" && index == 7;
    let layer = match name {
        "googlenet" => format!(
            "inception_{}{}/{}",
            3 + index / 24,
            ["a", "b", "c", "d"][index / 6 % 4],
            ["1x1", "3x3_reduce", "3x3", "5x5", "pool_proj", "output"][index % 6]
        ),
        _ => format!("block{}.conv{}", index / 4 + 1, index % 4 + 1),
    };
    LayerScore {
        model: name.into(),
        layer,
        depth_index: index,
        benchmark: REGIONS[region].1.into(),
        version: "1".into(),
        raw: (!failed).then(|| score.clone()),
        ceiling: None,
        ceiled: if failed {
            Ceiled::Failed {
                reason: "feature 1024 of stimulus 17 is not a finite number; check the model's preprocessing"
                    .into(),
            }
        } else {
            Ceiled::Score(score)
        },
        precision: None,
        undefined: None,
    }
}

fn layers() -> Vec<LayerScore> {
    let mut rng = RandomState::new(5);
    let mut layers = Vec::new();
    for model in MODELS {
        let regions = if model.0 == "v4_linear" { 1 } else { 3 };
        for region in 0..regions {
            layers.extend((0..model.1).map(|index| layer(&mut rng, model, index, region)));
        }
    }
    layers
}

fn info(region: usize) -> BenchmarkInfo {
    let rules = [CeilingRule::R2OverC, CeilingRule::Ratio, CeilingRule::Raw];
    BenchmarkInfo {
        identifier: REGIONS[region].1.into(),
        version: "1".into(),
        region: REGIONS[region].0.into(),
        metric: ["pls, 25 components", "rdm", "i2n"][region].into(),
        stimuli: 1200,
        targets: 89,
        splits: 10,
        ceiling: Some([0.773, 0.69, 0.48][region]),
        rule: rules[region],
        error_bar: Some("standard error over splits".into()),
        citation: Some("Cowley, Stan, Pillow & Smith (2023)".into()),
    }
}

/// Ten models of 4 to 60 layers, three regions, a failed layer, a model that was run on one region only.
pub fn example() -> Report {
    let layers = layers();
    let models: Vec<String> =
        MODELS.iter().map(|model| model.0.to_owned()).chain(["never_run".to_owned()]).collect();
    let rule = |(region, name): &(&str, &str)| RegionRule {
        region: (*region).into(),
        select_on: benchmark(name),
        report_on: vec![benchmark(name)],
    };
    let selections = select(&models, &layers, &REGIONS.iter().map(rule).collect::<Vec<_>>(), &[]);
    let branch = |(region, name): &(&str, &str)| -> (String, Vec<BenchmarkRef>) {
        ((*region).into(), vec![benchmark(name)])
    };
    let tree = region_tree("brain_score", &REGIONS.iter().map(branch).collect::<Vec<_>>());
    let board = leaderboard(&tree, &models, &selections, Ranking::TwoDecimals).unwrap();
    let accurate = MODELS.iter().filter(|model| model.4 > 0.0);
    Report {
        title: "Ten networks on macaque V4, IT and behaviour".into(),
        summary: Some("Every layer of ten networks, scored on three benchmarks with ten splits each.".into()),
        leaderboard: board,
        selections,
        layers,
        benchmarks: (0..3).map(info).collect(),
        imagenet_top1: accurate.map(|model| TopOne { model: model.0.into(), percent: model.4 }).collect(),
        costs: vec![
            Cost {
                name: "googlenet".into(),
                predicted_seconds: Some(62.0),
                actual_seconds: Some(58.3),
                predicted_bytes: Some(1_200_000_000),
                actual_bytes: Some(1_100_000_000),
            },
            Cost {
                name: "scores".into(),
                predicted_seconds: Some(0.4),
                actual_seconds: Some(4021.0),
                predicted_bytes: None,
                actual_bytes: Some(900),
            },
        ],
        provenance: vec![Provenance {
            name: "numeric profile".into(),
            value: "x86-64 avx512, revision 1".into(),
        }],
    }
}

#[test]
fn the_page_stands_alone_and_shows_every_model() {
    let page = html(&example()).unwrap();
    // Kept for people to look at.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/report.html"), &page).unwrap();
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    for model in MODELS {
        assert!(page.contains(&format!(r#"scope="row" data-v="{}""#, model.0)), "{}", model.0);
    }
    assert!(page.contains(">never_<wbr>run</th>"));
    assert_eq!(page, html(&example()).unwrap(), "same bytes each time");
}

#[test]
fn a_chart_has_one_line_per_model_and_its_ceiling() {
    let report = example();
    let page = html(&report).unwrap();
    let label = "cowley2023.V4-pls: score of each layer along the depth of 10 models";
    let charts: Vec<&str> = page.split("<svg ").filter(|svg| svg.contains(label)).collect();
    assert_eq!(charts.len(), 2, "wide and narrow");
    let chart = charts[0].split("</svg>").next().unwrap();
    // The line of random_convnet has a gap at its failed layer.
    assert_eq!(chart.matches("<polyline").count(), 11);
    assert_eq!(chart.matches("failed: feature 1024").count(), 1);
    assert_eq!(chart.matches("reported layer").count(), 10);
    assert!(chart.contains("ceiling (c = .773)") && chart.contains("ceiled score, r² / c"));
    let raw = page.split("<svg ").find(|svg| svg.contains("objects.i2n: score of each layer")).unwrap();
    assert!(raw.contains("ceiling .480"));
}

#[test]
fn every_split_of_the_reported_layer_is_a_dot() {
    let page = html(&example()).unwrap();
    let strip = page
        .split("<svg ")
        .find(|svg| svg.contains("objects.i2n: score of each split for 9 models"))
        .unwrap();
    assert_eq!(strip.split("</svg>").next().unwrap().matches(r#"class="dot""#).count(), 90);
}

#[test]
fn failures_and_missing_scores_are_listed_with_their_reason() {
    let page = html(&example()).unwrap();
    let list = page.split(r#"id="problems""#).nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!(list.matches("not run").count(), 5, "two regions of v4_linear, three of never_run");
    assert_eq!(list.matches("stimulus 17").count(), 3);
}

#[test]
fn the_correlation_with_accuracy_is_shown_from_three_models_on() {
    let mut report = example();
    assert!(html(&report).unwrap().contains("Pearson r = .9"));
    report.imagenet_top1.truncate(2);
    assert!(!html(&report).unwrap().contains("Pearson r"));
}

#[test]
fn names_cannot_break_out_of_the_page() {
    let text =
        serde_json::to_string(&example()).unwrap().replace("v4_linear", "<script>alert('1')</script>&\\\"x");
    let report: Report = serde_json::from_str(&text).unwrap();
    let page = html(&report).unwrap();
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("('1')") && page.contains("&lt;script&gt;alert(&#39;1&#39;)"));
}

#[test]
fn an_empty_report_is_a_page() {
    let report = example();
    let board = leaderboard(
        &region_tree("brain_score", &[("V4".into(), vec![benchmark("b")])]),
        &[],
        &[],
        Ranking::Exact,
    );
    let empty = Report {
        summary: None,
        leaderboard: board.unwrap(),
        selections: vec![],
        layers: vec![],
        benchmarks: vec![info(0)],
        imagenet_top1: vec![],
        costs: vec![],
        provenance: vec![],
        ..report
    };
    let page = html(&empty).unwrap();
    assert!(page.contains("0 models · 1 benchmark · 0 layer scores") && !page.contains("NaN"));
}

#[test]
fn degenerate_scores_draw_finite_coordinates() {
    let mut report = example();
    for layer in &mut report.layers {
        layer.ceiled = Ceiled::Score(Score {
            value: 0.5,
            error: f64::NAN,
            per_split: vec![0.5, f64::NAN, f64::INFINITY],
        });
    }
    for selection in &mut report.selections {
        if let ventral_aggregator::Reported::Scored(layer) = &mut selection.reported {
            layer.ceiled =
                Ceiled::Score(Score { value: f64::NAN, error: f64::NAN, per_split: vec![0.5, f64::NAN] });
        }
    }
    let page = html(&report).unwrap();
    let coordinates = page.split("<svg ").skip(1).map(|svg| svg.split("</svg>").next().unwrap());
    assert!(coordinates.clone().count() > 20);
    for svg in coordinates {
        assert!(!svg.contains("\"NaN") && !svg.contains("\"inf") && !svg.contains(" NaN"), "{svg}");
    }
}

/// `models` times `layers` times `benchmarks` scores.
fn large(models: usize, layers: usize, benchmarks: usize) -> Report {
    let mut report = example();
    let names: Vec<String> = (0..models).map(|model| format!("network_number_{model}")).collect();
    let tests: Vec<String> = (0..benchmarks).map(|index| format!("MajajHong2015.IT-{index}-pls")).collect();
    let mut rng = RandomState::new(7);
    report.layers.clear();
    for (model, name) in names.iter().enumerate() {
        for test in &tests {
            report.layers.extend((0..layers).map(|index| {
                let mut scored = layer(&mut rng, MODELS[0], index % 60, 0);
                scored.model.clone_from(name);
                scored.layer = format!("features.{index}.block.{}", model % 7);
                scored.benchmark.clone_from(test);
                scored.depth_index = index;
                scored
            }));
        }
    }
    let rule = |test: &String| RegionRule {
        region: "IT".into(),
        select_on: benchmark(test),
        report_on: vec![benchmark(test)],
    };
    report.selections = select(&names, &report.layers, &tests.iter().map(rule).collect::<Vec<_>>(), &[]);
    let branch = ("IT".to_owned(), tests.iter().map(|test| benchmark(test)).collect());
    let tree = region_tree("brain_score", &[branch]);
    report.leaderboard = leaderboard(&tree, &names, &report.selections, Ranking::TwoDecimals).unwrap();
    report.benchmarks =
        tests.iter().map(|test| BenchmarkInfo { identifier: test.clone(), ..info(1) }).collect();
    report.imagenet_top1 = names
        .iter()
        .enumerate()
        .map(|(i, model)| TopOne { model: model.clone(), percent: (i % 90) as f64 })
        .collect();
    let fact = |name: &String| Provenance { name: format!("model {name}"), value: "0".repeat(64) };
    report.provenance = names.iter().map(fact).collect();
    report
}

/// The page of 20,000 scores had 14.7 MB.
#[test]
fn the_page_stays_small_however_many_scores_there_are() {
    const MAX_BYTES: usize = 3 << 20;
    let page = html(&large(200, 20, 5)).unwrap();
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/large.html"), &page).unwrap();
    assert!(page.len() < MAX_BYTES, "20,000 scores: {} bytes", page.len());
    assert!(page.contains("further models are not drawn here") && page.contains("leaderboard --html"));
    assert_eq!(page.matches("<summary>Best layers</summary>").count(), 5);
    let wide = html(&large(20, 5, 100)).unwrap();
    assert!(wide.len() < MAX_BYTES, "100 benchmarks: {} bytes", wide.len());
    let long = html(&large(1000, 4, 2)).unwrap();
    assert!(long.len() < MAX_BYTES, "1,000 models: {} bytes", long.len());
    assert!(long.contains("further models are not shown here"));
}
