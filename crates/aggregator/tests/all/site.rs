//! The pages of the leaderboard: their files, their links, what they load, and what they do in a browser.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ventral_aggregator::site::{BenchmarkRecord, ModelRecord, ResultRecord, Site, write_site};
use ventral_aggregator::{BenchmarkRef, Error, Ranking, Report, leaderboard, region_tree};

use crate::report::example;
use crate::support::benchmark;

/// Widths of a phone and of a desk, in CSS pixels.
const WIDTHS: [u32; 2] = [390, 1280];

fn pages(site: &Site) -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    write_site(site, &mut |path: &str, page: &str| {
        assert!(pages.insert(path.to_owned(), page.to_owned()).is_none(), "{path} twice");
        Ok::<(), Error>(())
    })
    .unwrap();
    pages
}

/// The example of the report, with V4 and IT below one branch, so that there are columns to open.
fn site() -> Site {
    let mut report = example();
    let models: Vec<String> = report.leaderboard.rows.iter().map(|row| row.model.clone()).collect();
    let names: Vec<String> = report.benchmarks.iter().map(|b| b.identifier.clone()).collect();
    let refs = |range: &[String]| -> Vec<BenchmarkRef> { range.iter().map(|name| benchmark(name)).collect() };
    let tree = region_tree(
        "brain_score",
        &[("neural".into(), refs(&names[..2])), ("behavior".into(), refs(&names[2..]))],
    );
    report.leaderboard = leaderboard(&tree, &models, &report.selections, Ranking::TwoDecimals).unwrap();
    with_records(report)
}

fn with_records(report: Report) -> Site {
    let model = |name: &String| {
        let record = ModelRecord {
            digest: Some(format!("digest-of-{name}")),
            commitments: [("V1".to_owned(), "conv1".to_owned())].into(),
            degrees: Some(8.0),
            features: [("block1.conv1".to_owned(), 802_816)].into(),
        };
        (name.clone(), record)
    };
    let names: Vec<String> = report.leaderboard.rows.iter().map(|row| row.model.clone()).collect();
    let notes = vec!["2 neuroids are constant".to_owned()];
    let record = BenchmarkRecord { digest: Some("digest-of-benchmark".into()), notes, ..Default::default() };
    let results = report.selections.iter().filter_map(|selection| {
        Some(ResultRecord {
            model: selection.model.clone(),
            benchmark: selection.benchmark.identifier.clone(),
            layer: selection.layer.clone()?,
            scores: "digest-of-scores".into(),
            gram: "digest-of-gram".into(),
        })
    });
    Site {
        models: names.iter().map(model).collect(),
        benchmarks: report.benchmarks.iter().map(|b| (b.identifier.clone(), record.clone())).collect(),
        results: results.collect(),
        report,
    }
}

fn links(page: &str) -> Vec<&str> {
    page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn there_is_a_page_for_all_and_every_link_leads_to_one() {
    let pages = pages(&site());
    let names: Vec<&String> = pages.keys().collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("models/")).count(), 11);
    assert_eq!(names.iter().filter(|name| name.starts_with("benchmarks/")).count(), 3);
    for (path, page) in pages.iter().filter(|(path, _)| path.ends_with(".html")) {
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{path}: {outside}");
        }
        let mut count = 0;
        for link in links(page) {
            let target = match (link.strip_prefix("../"), link.strip_prefix('#')) {
                _ if link == "data:," => continue,
                (_, Some(anchor)) => {
                    assert!(page.contains(&format!("id=\"{anchor}\"")), "{path}: #{anchor}");
                    continue;
                }
                (Some(up), _) => up.to_owned(),
                (None, None) => link.to_owned(),
            };
            assert!(pages.contains_key(&target), "{path} links to {link}");
            count += 1;
        }
        assert!(count > 0, "{path} leads nowhere");
    }
    assert_eq!(pages, self::pages(&site()), "same bytes each time");
}

#[test]
fn a_models_page_has_scores_ranks_layers_curves_and_digests() {
    let pages = pages(&site());
    let page = &pages["models/googlenet.html"];
    for part in [
        "cowley2023.V4-pls v1",
        "best layer on this very benchmark",
        " of 10</td>",
        "inception_3a/1x1",
        "<td class=\"num\">",
        "digest-of-googlenet",
        "digest-of-scores",
        "googlenet on cowley2023.V4-pls: score of each of",
        "the region was not scored",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(pages["models/random_convnet.html"].contains("stimulus 17"), "failures have their reason");
    let benchmark = &pages["benchmarks/cowley2023.v4-pls.html"];
    for part in
        ["Cowley, Stan", "digest-of-benchmark", "2 neuroids are constant", "along the depth of 10 models"]
    {
        assert!(benchmark.contains(part), "{part}");
    }
}

#[test]
fn undefined_values_are_marked_and_listed_on_every_page() {
    let mut site = site();
    let plain = pages(&site);
    assert!(plain.values().all(|page| !page.contains("Undefined values") && !page.contains("†</span>")));
    let row = site.report.leaderboard.rows.iter_mut().find(|row| row.model == "googlenet").unwrap();
    row.cells.iter_mut().for_each(|cell| cell.note = Some("1 of 5 values is undefined".into()));
    let marked = pages(&site);
    let benchmark = "benchmarks/cowley2023.v4-pls.html";
    for path in ["index.html", "models/googlenet.html", benchmark] {
        let page = &marked[path];
        assert!(page.contains("†</span>") && page.contains("1 of 5 values is undefined</td>"), "{path}");
        assert!(page.contains("\n1 of 5 values is undefined\""), "{path}: under the pointer");
    }
    assert_eq!(marked["models/random_convnet.html"], plain["models/random_convnet.html"]);
}

#[test]
fn names_cannot_break_out_of_pages_or_directories() {
    let text = serde_json::to_string(&example()).unwrap();
    let text = text.replace("v4_linear", "../../<script>alert('1')</script>&\\\"x");
    let text = text.replace("objects.i2n", "\\\"><img onerror=alert(2)>/..");
    let site = with_records(serde_json::from_str(&text).unwrap());
    for (path, page) in pages(&site) {
        let safe = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        assert!(path.chars().all(safe) && !path.contains("..") && path.matches('/').count() <= 1, "{path}");
        if path.ends_with(".html") {
            assert_eq!(page.matches("<script").count(), 1, "{path}");
            assert!(!page.contains("('1')") && !page.contains("<img"), "{path}");
        }
    }
}

#[test]
fn what_the_sink_answers_is_passed_on() {
    #[derive(Debug)]
    struct Full;
    impl From<Error> for Full {
        fn from(error: Error) -> Self {
            panic!("{error}")
        }
    }
    let mut written = 0;
    let result = write_site(&site(), &mut |_: &str, _: &str| {
        written += 1;
        if written == 3 { Err(Full) } else { Ok(()) }
    });
    assert!(matches!(result, Err(Full)) && written == 3);
}

/// The directory that the pages were put into, or `None` after saying that there is no browser.
fn in_browser(directory: &str) -> Option<PathBuf> {
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no chromium");
        return None;
    }
    // Kept for people to look at.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory);
    for (path, page) in pages(&site()) {
        let file = directory.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, page).unwrap();
    }
    Some(directory)
}

/// Loads a page of this width, runs `script` on its `document` and `window`, and returns the text that it makes.
fn evaluate(directory: &Path, path: &str, width: u32, script: &str) -> String {
    let page = fs::read_to_string(directory.join(path)).unwrap();
    // A frame, because a window of a browser has a least width, which is that of no phone.
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    let harness = format!(
        "<!doctype html><title>harness</title><iframe id=\"f\" width=\"{width}\" height=\"900\" style=\"border:0\" srcdoc=\"{page}\"></iframe>\
         <script>document.getElementById('f').onload = (e) => {{ const window = e.target.contentWindow, document = window.document;\
         let said; try {{ said = String((() => {{ {script} }})()); }} catch (error) {{ said = 'threw ' + error; }}\
         self.document.title = said; }};</script>"
    );
    let file = directory.join(format!("harness-{}-{width}.html", path.replace('/', "-")));
    fs::write(&file, harness).unwrap();
    let profile = directory.join("profile");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    said.unwrap_or_else(|| panic!("{path}: {}", String::from_utf8_lossy(&output.stderr))).to_owned()
}

#[test]
fn a_browser_sorts_opens_and_searches_by_click_and_key() {
    let Some(directory) = in_browser("site") else { return };
    let said = evaluate(
        &directory,
        "index.html",
        1280,
        r#"
        const board = document.getElementById("board");
        const heads = [...board.tHead.rows[0].cells];
        const names = () => [...board.tBodies[0].rows].filter((r) => !r.hidden).map((r) => r.dataset.s);
        const visible = () => heads.filter((h) => h.getClientRects().length).length;
        const said = [visible()];
        const open = board.querySelector("button.open");
        said.push(open.getAttribute("aria-expanded"), open.getAttribute("aria-label"));
        open.click();
        said.push(open.getAttribute("aria-expanded"), visible());
        open.click();
        said.push(visible());
        const first = names()[0];
        const score = heads[2].querySelector("button.sort");
        score.focus();
        said.push(document.activeElement === score);
        score.click();
        said.push(heads[2].getAttribute("aria-sort"), names()[0] === first);
        score.click();
        said.push(heads[2].getAttribute("aria-sort"), names()[0] === first, heads[0].hasAttribute("aria-sort"));
        heads[1].querySelector("button.sort").click();
        said.push(names()[0]);
        const input = document.querySelector("input[type=search]");
        input.value = "V4 Direct";
        input.dispatchEvent(new window.Event("input"));
        said.push(names().join("+"), document.querySelector("output").textContent);
        return said.join(" | ");
        "#,
    );
    let expected = "6 | false | Benchmarks of neural | true | 8 | 6 | true | descending | true | ascending | false | false \
                    | densenet-169 | v4_direct_fit | 1 of 11";
    assert_eq!(said, expected);
}

#[test]
fn pages_fit_a_phone_and_a_desk() {
    let Some(directory) = in_browser("site-widths") else { return };
    for path in ["index.html", "models/googlenet.html", "benchmarks/cowley2023.v4-pls.html"] {
        for width in WIDTHS {
            let script = r#"
                const shown = (n) => n.getClientRects().length > 0;
                const charts = [...document.querySelectorAll("svg[role=img]")].filter(shown);
                const text = charts.flatMap((c) => [...c.querySelectorAll("text")]).map((t) => t.getBoundingClientRect().height);
                const root = document.documentElement;
                return [root.scrollWidth <= window.innerWidth, charts.length > 0, Math.min(...text) > 8,
                  charts.every((c) => c.getBoundingClientRect().right <= window.innerWidth)].join(" ");
            "#;
            assert_eq!(evaluate(&directory, path, width, script), "true true true true", "{path} at {width}");
        }
    }
}
