//! The same made brains with synthesised and with natural images.

use std::collections::BTreeMap;

use ventral_aggregator::{JobFile, Maps};
use ventral_plan::{Facts, JobSpec, Plan, plan_without};
use ventral_searchlight::simulation::Stimuli;
use ventral_store::Store;

use crate::maps::{Made, compute_scan, found, machine, made_of, scan_facts, store, text};

const LAYERS: [&str; 6] = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc"];
const SPEC: &str = "name='sets'\n[searchlight]\nscans=['n','s']\nradius=2.0\n[searchlight.stimulus_sets]\nsynthesised='made'\nnatural='seen'\n";

fn brains() -> [Made; 2] {
    [Stimuli::Natural { alpha: 0.9 }, Stimuli::Synthesised].map(|stimuli| made_of(stimuli, LAYERS.len()))
}

fn planned(brains: &[Made; 2], change: impl Fn(&mut Plan)) -> Plan {
    let [natural, synthesised] = brains;
    let scans = vec![scan_facts(natural, "seen", &LAYERS), scan_facts(synthesised, "made", &LAYERS)];
    let spec = JobSpec::from_toml(SPEC, "spec.toml").expect("a spec");
    let mut plan = plan_without(Facts { scans, ..Facts::default() }, spec, machine()).expect("a plan");
    change(&mut plan);
    plan
}

fn compute(brains: &[Made; 2], plan: &Plan, store: &Store) {
    brains.iter().enumerate().for_each(|(scan, made)| compute_scan(made, plan, store, scan));
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().expect("a number")
}

fn summary(files: &BTreeMap<String, JobFile>) -> serde_json::Value {
    serde_json::from_str(&text(files, "stimulus-sets/rdms/summary.json")).expect("JSON")
}

fn of(plan: &Plan, brains: &[Made; 2]) -> (Maps, BTreeMap<String, JobFile>) {
    let (_directory, store) = store();
    compute(brains, plan, &store);
    found(plan, &store, &[])
}

#[test]
fn residual_maps_of_natural_images_overlap_as_little_as_maps_of_synthesised_ones() {
    let brains = brains();
    let plan = planned(&brains, |_| ());
    let (maps, files) = of(&plan, &brains);
    assert!(!maps.is_partial(), "{:?}", maps.gaps);
    let [found] = &maps.comparisons[..] else { panic!("{:?}", maps.comparisons) };
    let overlap = |value: Option<f64>| value.expect("an overlap");
    let (synthesised, raw) = (overlap(found.synthesised_overlap), overlap(found.natural_overlap));
    let residual = overlap(found.residual_overlap);
    assert!(raw > 2.0 * residual && raw > 2.0 * synthesised, "{synthesised} {raw} {residual}");
    assert_eq!((found.level.as_str(), found.method.as_deref()), ("group", Some("semi-partial")));
    let summary = summary(&files);
    let levels = summary["levels"].as_array().expect("levels");
    assert_eq!(levels.len(), 1 + 6, "the group and six subjects");
    assert_eq!(levels[0]["level"], "group");
    assert_eq!(number(&levels[0]["overlap"]["natural_raw"]), raw);
    let agreement = &levels[0]["agreement_with_synthesised"]["correlation"];
    assert!(number(&agreement["residual"]) > number(&agreement["raw"]), "{agreement}");
    assert!(number(&agreement["p"]) < 0.1, "{agreement}");
    let difference = number(&agreement["residual"]) - number(&agreement["raw"]);
    assert!((difference - number(&agreement["difference"])).abs() < 1e-12);
}

#[test]
fn tables_hold_every_pair_and_layer_and_means_are_theirs() {
    let brains = brains();
    let plan = planned(&brains, |_| ());
    let (_, files) = of(&plan, &brains);
    let overlap = text(&files, "stimulus-sets/rdms/overlap.tsv");
    assert_eq!(overlap.lines().count(), 1 + 7 * 3 * 15);
    let mean = |images: &str, method: &str| {
        let rows = overlap.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let values: Vec<f64> = rows
            .filter(|row| row[..3] == ["group", images, method])
            .map(|row| row[5].parse().expect("a number"))
            .collect();
        assert_eq!(values.len(), 15);
        values.iter().sum::<f64>() / 15.0
    };
    let summary = summary(&files);
    let means = &summary["levels"][0]["overlap"];
    for (images, method, key) in [
        ("synthesised", "raw", "synthesised"),
        ("natural", "raw", "natural_raw"),
        ("natural", "semi-partial", "natural_residual"),
    ] {
        assert!((mean(images, method) - number(&means[key])).abs() < 1e-6, "{key}");
    }
    let agreement = text(&files, "stimulus-sets/rdms/agreement.tsv");
    assert_eq!(agreement.lines().count(), 1 + 7 * 6);
    assert_eq!(summary["images"]["synthesised"], 48);
}

#[test]
fn the_figure_is_on_the_page_and_a_file() {
    let brains = brains();
    let plan = planned(&brains, |_| ());
    let (_, files) = of(&plan, &brains);
    let page = text(&files, "report.html");
    for inside in [
        "Synthesised against natural images: given RDMs",
        "How to read it",
        "brings it nearer to that",
        "Overlap of pairs of layers",
    ] {
        assert!(page.contains(inside), "{inside}");
    }
    assert!(!page.contains(">NaN") && !page.contains("This job is partial"));
    let svg = text(&files, "stimulus-sets/rdms/comparison.svg");
    assert!(svg.starts_with("<svg xmlns=") && svg.contains("<style>") && svg.trim_end().ends_with("</svg>"));
    // A dot per pair and column, two circles per layer and panel.
    assert_eq!(svg.matches(r#"class="dot""#).count(), 45);
    assert_eq!(svg.matches("<circle").count(), 2 * 2 * 6);
}

#[test]
fn subjects_without_a_common_space_are_compared_one_by_one() {
    let brains = brains();
    let plan = planned(&brains, |plan| plan.scans.iter_mut().for_each(|scan| scan.space = None));
    let (maps, files) = of(&plan, &brains);
    assert_eq!(maps.comparisons[0].level, "sub-01");
    assert_eq!(summary(&files)["levels"].as_array().expect("levels").len(), 6);
    // One of them was scanned elsewhere.
    let plan = planned(&brains, |plan| {
        plan.scans.iter_mut().for_each(|scan| scan.space = None);
        plan.scans[1].subjects[0].grid.affine[0][3] += 1.0;
    });
    let (maps, _) = of(&plan, &brains);
    assert_eq!(maps.comparisons[0].level, "sub-02");
}

#[test]
fn layers_too_alike_for_the_method_are_compared_raw() {
    let mut brains = brains();
    let second = brains[0].layers.row(1).to_owned();
    brains[0].layers.row_mut(2).assign(&second);
    let plan = planned(&brains, |_| ());
    let (maps, files) = of(&plan, &brains);
    assert_eq!((&maps.comparisons[0].method, maps.comparisons[0].residual_overlap), (&None, None));
    let page = text(&files, "report.html");
    assert!(page.contains("too alike for a residual method"));
    assert_eq!(text(&files, "stimulus-sets/rdms/agreement.tsv").lines().count(), 1);
    assert!(summary(&files)["levels"][0]["agreement_with_synthesised"].is_null());
}

#[test]
fn a_comparison_that_cannot_be_made_is_a_gap() {
    let brains = brains();
    let plan = planned(&brains, |_| ());
    let (_directory, store) = store();
    compute_scan(&brains[0], &plan, &store, 0);
    let (maps, files) = found(&plan, &store, &[]);
    assert!(maps.comparisons.is_empty());
    assert!(
        maps.gaps.iter().any(|gap| gap.contains("comparison") && gap.contains("made and seen")),
        "{:?}",
        maps.gaps
    );
    assert!(files.keys().all(|name| !name.starts_with("stimulus-sets")));
    let apart = planned(&brains, |plan| {
        plan.scans.iter_mut().for_each(|scan| scan.space = None);
        plan.scans[1].subjects.iter_mut().for_each(|subject| subject.id.push('x'));
    });
    let (maps, _) = of(&apart, &brains);
    assert!(maps.gaps.iter().any(|gap| gap.contains("share no space")), "{:?}", maps.gaps);
}
