//! Results over the wire.

use ndarray::array;
use tonic::Code;
use ventral_coordinator::services::CoreApi as _;
use ventral_metrics::SplitScores;
use ventral_proto::v1;
use ventral_proto::v1::leaderboard_cell::Value;
use ventral_proto::v1::scores_client::ScoresClient;
use ventral_store::{JobRecord, ScoreRecord};

use super::fake::drill;
use super::support::{Running, refused, refused_call, start};
use crate::evaluation::small_plan;

const RESULTS: &str = r#"{
  "layers": [
    {"model": "m1", "layer": "conv,1", "depth_index": 0, "benchmark": "v4", "version": "1",
     "raw": {"value": 0.5, "error": 0.01, "per_split": [0.5]}, "ceiled": {"score": {"value": 0.25, "error": null, "per_split": []}},
     "precision": "f64", "undefined": {"values": 3}},
    {"model": "m2", "layer": "fc", "depth_index": 1, "benchmark": "v4", "version": "1",
     "raw": null, "ceiled": {"failed": {"reason": "it \"broke\""}}}
  ],
  "missing": 2,
  "selections": [],
  "leaderboard": {
    "ranking": "two_decimals",
    "columns": [
      {"identifier": "brain_score", "depth": 0, "version": null},
      {"identifier": "v4", "depth": 2, "version": "1"}
    ],
    "rows": [
      {"rank": 1, "model": "m1", "cells": [
        {"value": {"number": 0.25}, "error": 0.03, "raw": null, "layer": null, "chosen_by": null},
        {"value": {"number": 0.25}, "error": 0.03, "raw": 0.5, "layer": "conv,1", "chosen_by": null, "note": "3 of 9 values are undefined"}]},
      {"rank": 2, "model": "m2", "cells": [
        {"value": {"number": 0.125}, "error": 0.04, "raw": null, "layer": null, "chosen_by": null},
        {"value": {"failed": {"reason": "it broke"}}, "error": null, "raw": null, "layer": null, "chosen_by": null}]},
      {"rank": null, "model": "m3", "cells": [
        {"value": "missing", "error": null, "raw": null, "layer": null, "chosen_by": null},
        {"value": "missing", "error": null, "raw": null, "layer": null, "chosen_by": null}]}
    ]
  }
}"#;

async fn with_results(server: &Running) -> String {
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    server.core.store.write_document(&job, "results.json", RESULTS.as_bytes()).expect("a document");
    job
}

async fn export(server: &Running, job: &str, table: v1::ExportTable, format: v1::ExportFormat) -> String {
    let mut bytes = Vec::new();
    let request = v1::ExportRequest { job: job.into(), table: table.into(), format: format.into() };
    server.client("reader-a").export(&request, &mut bytes).await.expect("a table");
    String::from_utf8(bytes).expect("UTF-8")
}

#[tokio::test]
async fn documents_come_as_they_were_written() {
    let server = start().await;
    let job = with_results(&server).await;
    let client = server.client("reader-a");
    let found = client.document(&job, v1::ScoresDocument::Results).await.expect("the results");
    assert_eq!(found, RESULTS.as_bytes());
    refused_call(client.document(&job, v1::ScoresDocument::Record).await, "RESULTS_NOT_READY");
    server.core.store.write_document(&job, "results.json", b"{\"layers\": 3}").expect("a document");
    refused_call(client.leaderboard(&job).await, "DAMAGED");
    server.stop().await;
}

#[tokio::test]
async fn missing_failed_and_a_number_stay_apart() {
    let server = start().await;
    let job = with_results(&server).await;
    let rows = server.client("reader-a").leaderboard(&job).await.expect("rows");
    let value = |row: usize, cell: usize| rows[row].cells[cell].value.clone();
    assert_eq!(rows.iter().map(|row| row.rank).collect::<Vec<_>>(), [Some(1), Some(2), None]);
    assert_eq!(value(0, 1), Some(Value::Number(0.25)));
    assert_eq!(value(1, 1), Some(Value::Failed("it broke".into())));
    assert_eq!(value(2, 1), Some(Value::Missing(true)));
    assert_eq!(
        (rows[0].cells[1].note.as_str(), rows[1].cells[1].note.as_str()),
        ("3 of 9 values are undefined", "")
    );
    let mut scores = ScoresClient::new(server.wire("reader-a"));
    let page = |token: String| v1::LeaderboardRequest { job: job.clone(), page_size: 2, page_token: token };
    let first = scores.leaderboard(page(String::new())).await.expect("a page").into_inner();
    assert_eq!((first.rows.len(), first.columns.len(), first.missing), (2, 2, 2));
    let second = scores.leaderboard(page(first.next_page_token)).await.expect("a page").into_inner();
    assert_eq!((second.rows.len(), second.next_page_token.as_str()), (1, ""));
    server.stop().await;
}

#[tokio::test]
async fn two_models_are_compared_node_by_node() {
    let server = start().await;
    let job = with_results(&server).await;
    let other = server.core.submit(drill("a", "other")).await.expect("a job").id;
    let renamed = RESULTS.replace("\"version\": \"1\"}", "\"version\": \"2\"}");
    server.core.store.write_document(&other, "results.json", renamed.as_bytes()).expect("a document");
    let compare = |job_b: &str, model_b: &str| v1::CompareRequest {
        job_a: job.clone(),
        model_a: "m1".into(),
        job_b: job_b.into(),
        model_b: model_b.into(),
    };
    let client = server.client("reader-a");
    let rows = client.compare(&compare("", "m2")).await.expect("rows").rows;
    assert_eq!((rows.len(), rows[0].difference), (2, Some(0.125)));
    assert!((rows[0].error.expect("an error") - 0.05).abs() < 1e-15);
    assert_eq!((rows[1].difference, rows[1].error), (None, None));
    let rows = client.compare(&compare(&other, "m1")).await.expect("rows").rows;
    let seen: Vec<(&str, &str, Option<f64>)> =
        rows.iter().map(|row| (row.identifier.as_str(), row.version.as_str(), row.difference)).collect();
    assert_eq!(seen, [("brain_score", "", Some(0.0)), ("v4", "1", None), ("v4", "2", None)]);
    refused_call(client.compare(&compare("", "m9")).await, "MODEL_NOT_FOUND");
    let empty = ScoresClient::new(server.wire("reader-a")).compare(compare("", "")).await;
    refused(empty, Code::InvalidArgument, "FIELD_INVALID");
    server.stop().await;
}

#[tokio::test]
async fn tables_are_exported() {
    use v1::ExportFormat::{Csv, JsonLines};
    let server = start().await;
    let job = with_results(&server).await;
    let layers = export(&server, &job, v1::ExportTable::Layers, Csv).await;
    assert_eq!(
        layers,
        "model,layer,depth,benchmark,version,raw,raw_error,ceiled,ceiled_error,status,reason,precision,undefined\n\
         m1,\"conv,1\",0,v4,1,0.5,0.01,0.25,,ok,,f64,3\n\
         m2,fc,1,v4,1,,,,,failed,\"it \"\"broke\"\"\",,0\n"
    );
    let board = export(&server, &job, v1::ExportTable::Leaderboard, JsonLines).await;
    let lines: Vec<serde_json::Value> =
        board.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 6);
    assert_eq!((lines[1]["score"].as_f64(), lines[1]["raw"].as_f64()), (Some(0.25), Some(0.5)));
    assert_eq!((lines[3]["status"].as_str(), lines[3]["score"].is_null()), (Some("failed"), true));
    assert_eq!(lines[5]["status"], "missing");
    assert_eq!((&lines[1]["note"], &lines[3]["note"]), (&"3 of 9 values are undefined".into(), &"".into()));
    server.stop().await;
}

#[tokio::test]
async fn raw_scores_are_exported_from_the_store() {
    let server = start().await;
    let job = server.core.submit(drill("a", "r")).await.expect("a job").id;
    let plan = small_plan(false);
    let record = ScoreRecord {
        scores: SplitScores { values: array![[0.5, f64::NAN], [0.25, -1.0]], alphas: Vec::new() },
        precision: None,
        undefined: None,
    };
    for unit in plan.scores.iter().take(2) {
        server.core.store.put(&unit.digest, &record.encode()).expect("an object");
    }
    let record = JobRecord {
        plan: (*plan).clone(),
        spec_file: "j.toml".into(),
        data_dir: None,
        unscored: 0,
        failures: Vec::new(),
        usage: None,
    };
    server.core.store.save_job(&job, &record).expect("a record");
    let raw = export(&server, &job, v1::ExportTable::Raw, v1::ExportFormat::Csv).await;
    let lines: Vec<&str> = raw.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 4, "{raw}");
    assert_eq!(lines[0], "model,layer,benchmark,version,split,neuroid,value");
    assert_eq!(&lines[1..5], ["a,x,one,1,0,,0.5", "a,x,one,1,0,,", "a,x,one,1,1,,0.25", "a,x,one,1,1,,-1.0"]);
    server.stop().await;
}

#[tokio::test]
async fn the_catalog_knows_what_the_tenants_jobs_name() {
    let server = start().await;
    let plan = serde_json::json!({ "plan": *small_plan(false), "bundle": "x" }).to_string();
    for (tenant, id) in [("a", "one"), ("a", "two"), ("b", "three")] {
        let job = server.core.submit(drill(tenant, id)).await.expect("a job").id;
        server.core.store.write_document(&job, "plan.json", plan.as_bytes()).expect("a document");
    }
    let client = server.client("reader-a");
    let models = client.models().await.expect("models");
    let seen: Vec<(&str, usize, usize)> = models
        .iter()
        .map(|model| (model.identifier.as_str(), model.layers.len(), model.jobs.len()))
        .collect();
    assert_eq!(seen, [("a", 2, 2), ("b", 2, 2)]);
    let benchmarks = client.benchmarks().await.expect("benchmarks");
    assert_eq!(benchmarks.iter().map(|b| b.identifier.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    let metrics = client.metrics().await.expect("metrics");
    assert_eq!((metrics.len(), metrics[0].name.as_str(), metrics[0].benchmarks.len()), (1, "pls", 2));
    assert_eq!(server.client("operator").models().await.expect("models")[0].jobs.len(), 3);
    server.stop().await;
}
