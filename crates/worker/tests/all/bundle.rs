//! A job means the same in a workspace of its bundle as where it was written.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use ventral_bundle::{Manifest, Workspace, collect};
use ventral_data::{load_benchmark, load_scan};
use ventral_models::ModelCard;
use ventral_plan::{CardKind, Digest, JobSpec};
use ventral_store::Store;
use ventral_worker::{Job, measure};

use super::root;

/// Uploads a job's files into a store and brings them back elsewhere.
fn moved(spec: &Path, data_dir: Option<&Path>, place: &Path) -> Workspace {
    let collected = collect(spec, data_dir).expect("collected");
    assert_eq!(collected.problems, Vec::<String>::new());
    let store = Store::open(place.join("store")).expect("a store");
    for (entry, source) in collected.manifest.files.iter().zip(&collected.sources) {
        store.put_blob_file(source, &entry.digest).expect("uploaded");
    }
    let name = store.put_blob(&collected.manifest.to_bytes()).expect("uploaded");
    let bytes = store.blob(&name).expect("readable").expect("there");
    let manifest = Manifest::from_bytes(&bytes).expect("its own");
    let workspace = Workspace::open(&place.join("workspace"), &manifest).expect("opens");
    let fetch = |digest: &Digest, path: &Path| Ok(store.blob_to_file(digest, path)?);
    for card in &manifest.cards {
        workspace.need_card(card.kind, &card.path, &fetch).expect("inside");
    }
    workspace.all(&fetch).expect("fetched");
    workspace
}

fn digests(spec_file: &Path, data_dir: Option<&Path>) -> (Vec<Digest>, String) {
    let spec = JobSpec::from_toml(&fs::read_to_string(spec_file).expect("a spec"), "spec").expect("a spec");
    let plan = Job::load(spec, spec_file, data_dir, measure(Some(4 << 30))).expect("a job").plan;
    assert!(plan.refused.is_empty());
    let id = plan.job_id();
    (plan.scores.into_iter().map(|unit| unit.digest).collect(), id)
}

#[test]
fn the_demo_has_the_same_units_elsewhere() {
    let place = tempfile::tempdir().expect("a directory");
    let spec = root().join("examples/demo.toml");
    let workspace = moved(&spec, None, place.path());
    let here = digests(&spec, None);
    assert!(here.0.len() > 10);
    assert_eq!(digests(&workspace.spec(), Some(&workspace.data_dir())), here);
}

#[test]
fn real_data_have_the_same_digests_elsewhere() {
    let Some(data) = std::env::var_os("VENTRAL_DATA").map(PathBuf::from) else {
        eprintln!("SKIPPED: VENTRAL_DATA is not set");
        return;
    };
    let place = tempfile::tempdir().expect("a directory");
    let spec = root().join("examples/v4.toml");
    let workspace = moved(&spec, Some(&data), place.path());
    let digest_of = |kind: CardKind, card: &Path, data: &Path| match kind {
        CardKind::Model => ModelCard::load(card, Some(data)).expect("a card").digest().expect("a model"),
        CardKind::Benchmark | CardKind::Pool => {
            load_benchmark(card, Some(data)).expect("a card").digest().expect("data")
        }
        CardKind::Scan => load_scan(card, Some(data)).expect("a card").digest().expect("data"),
    };
    let mut found = HashMap::new();
    for card in &workspace.manifest().cards {
        let moved = digest_of(card.kind, &workspace.path(&card.path), &workspace.data_dir());
        let original = root().join(card.path.strip_prefix("files/").expect("below the repository"));
        assert_eq!(moved, digest_of(card.kind, &original, &data), "{}", card.path);
        found.insert(moved, card.kind);
    }
    assert!(found.len() > 7, "{}", found.len());
}
