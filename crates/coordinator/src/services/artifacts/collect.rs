//! Removing blobs that no job needs any more.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ventral_bundle::Manifest;
use ventral_plan::{Digest, MAPS_DOCUMENT, SYNTHESIS_DOCUMENT};
use ventral_store::Store;

use super::Partials;
use super::holdings::{Holdings, ago};
use crate::core::{Bundle, Error, bundles};

/// Removes what tenants have uploaded, unless it was uploaded, asked for or submitted within `age`, or a job needs it that has not
/// ended or did so within `age`. Returns how many blobs tenants lost.
///
/// # Errors
/// What the store says, or that a job's submission cannot be read: then nobody knows what is needed, and nothing is removed.
pub fn collect(
    store: &Store,
    holdings: &Holdings,
    partials: &Arc<Partials>,
    age: Duration,
) -> Result<usize, Error> {
    let before = ago(age);
    let old = holdings.older(before);
    if old.is_empty() {
        return Ok(0);
    }
    let needed = needed(store, before)?;
    let mut removed = 0;
    for holding in old.iter().filter(|holding| !needed.contains(&holding.blob)) {
        let Some(_leaving) = partials.leave(&holding.blob) else { continue };
        if holdings.collect(holding, before)? {
            tracing::info!(blob = %holding.blob, bytes = holding.bytes, "a blob that no job needs is removed");
            removed += 1;
        }
    }
    Ok(removed)
}

/// The blobs that jobs need which have not ended before so many seconds (Unix time), and the files of all results.
fn needed(store: &Store, before: u64) -> Result<HashSet<Digest>, Error> {
    let (mut needed, mut read) = (HashSet::new(), HashSet::new());
    for job in store.job_ids()? {
        for document in [MAPS_DOCUMENT, SYNTHESIS_DOCUMENT] {
            // A document that cannot be read names nothing that can be had.
            let value = store.document(&job, document)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            value.iter().for_each(|value| digests(value, &mut needed));
        }
    }
    for Bundle { digest, ended_ms } in bundles(store)? {
        let over = ended_ms.is_some_and(|ended| ended / 1_000 < before);
        if over || !read.insert(digest.clone()) {
            continue;
        }
        let manifest = store.blob(&digest)?.and_then(|bytes| Manifest::from_bytes(&bytes).ok());
        needed.extend(manifest.iter().flat_map(Manifest::blobs));
        needed.insert(digest);
    }
    Ok(needed)
}

/// Every digest in a document.
fn digests(value: &serde_json::Value, found: &mut HashSet<Digest>) {
    match value {
        serde_json::Value::String(text) => found.extend(Digest::try_from(text.clone()).ok()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| digests(value, found)),
        serde_json::Value::Object(values) => values.values().for_each(|value| digests(value, found)),
        _ => {}
    }
}
