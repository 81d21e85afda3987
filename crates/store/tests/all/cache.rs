//! The cache in front of a remote store.

use std::fs;
use std::path::{Path, PathBuf};

use ventral_store::{Put, Store};

use crate::fake_s3::{FakeS3, Fault};
use crate::suite::name;

const ROOM: u64 = 1 << 20;

fn cached(server: &FakeS3, directory: &Path) -> Store {
    server.store().with_cache(directory.join("cache"), ROOM)
}

/// Files below `objects` and `blobs`, and their bytes.
fn kept(directory: &Path) -> Vec<(PathBuf, u64)> {
    let shelves = ["objects", "blobs"].map(|kind| directory.join("cache").join(kind));
    let shelves = shelves.iter().flat_map(|kind| fs::read_dir(kind).into_iter().flatten().flatten());
    let files = shelves.flat_map(|shelf| fs::read_dir(shelf.path()).into_iter().flatten().flatten());
    files.map(|file| (file.path(), file.metadata().map_or(0, |m| m.len()))).collect()
}

#[test]
fn a_cached_bucket_passes_the_suite() {
    let (server, directory) = (FakeS3::start(), tempfile::tempdir().expect("a directory"));
    let store = cached(&server, directory.path());
    crate::suite::all(&store);
    assert_eq!(store.temporary(), directory.path().join("cache/tmp"));
    assert_eq!(fs::read_dir(store.temporary()).expect("there").count(), 0);
}

#[test]
fn what_was_read_is_read_from_the_disk_and_verified_again() {
    let (server, directory) = (FakeS3::start(), tempfile::tempdir().expect("a directory"));
    let store = cached(&server, directory.path());
    let unit = name("unit");
    store.put(&unit, b"result").expect("written");
    let digest = store.put_blob(b"weights").expect("written");
    let target = directory.path().join("target");
    let read = || {
        assert_eq!(store.get(&unit).expect("readable").as_deref(), Some(&b"result"[..]));
        assert_eq!(store.blob(&digest).expect("readable").as_deref(), Some(&b"weights"[..]));
        assert!(store.blob_to_file(&digest, &target).expect("readable"));
        assert_eq!(fs::read(&target).expect("there"), b"weights");
    };
    read();
    server.requests();
    read();
    assert_eq!(server.requests(), Vec::<String>::new(), "all came from the cache");
    for (path, _) in kept(directory.path()) {
        let mut bytes = fs::read(&path).expect("readable");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::remove_file(&path).expect("removable");
        fs::write(&path, bytes).expect("writable");
    }
    read();
    assert!(!server.requests().is_empty(), "damaged copies are not used");
    read();
    assert_eq!(server.requests(), Vec::<String>::new(), "and are replaced");
    store.discard(&unit).expect("removable");
    assert_eq!(store.get(&unit).expect("known"), None, "discarded in the cache, too");
}

#[test]
fn the_least_recently_used_go_first() {
    let (server, directory) = (FakeS3::start(), tempfile::tempdir().expect("a directory"));
    let store = cached(&server, directory.path());
    let payload = vec![1_u8; 100_000];
    for i in 0..40 {
        let unit = name(&i.to_string());
        assert_eq!(store.put(&unit, &payload).expect("written"), Put::Created);
        store.get(&unit).expect("readable");
        // Used between all others: it stays.
        store.get(&name("0")).expect("readable");
        let total: u64 = kept(directory.path()).iter().map(|(_, bytes)| bytes).sum();
        assert!(total <= ROOM, "{total} bytes after {i}");
    }
    assert!(kept(directory.path()).len() >= 5, "the room is used");
    server.requests();
    store.get(&name("0")).expect("readable");
    assert_eq!(server.requests(), Vec::<String>::new(), "what is used often stays");
    store.get(&name("1")).expect("readable");
    assert_eq!(server.requests().len(), 1, "what is not goes");
    let large = name("large");
    store.put(&large, &vec![2; ROOM as usize + 1]).expect("written");
    assert!(store.get(&large).expect("readable").is_some(), "too large to be kept is no error");
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    let (server, directory) = (FakeS3::start(), tempfile::tempdir().expect("a directory"));
    fs::write(directory.path().join("file"), "in the way").expect("writable");
    let store = server.store().with_cache(directory.path().join("file/cache"), ROOM);
    store.put(&name("unit"), b"result").expect("written");
    assert_eq!(store.get(&name("unit")).expect("readable").as_deref(), Some(&b"result"[..]));
    server.fail_always(Some(Fault::Status(503)));
    assert!(store.get(&name("unit")).is_err(), "nothing was kept");
}

#[test]
fn a_directory_needs_no_cache() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path().join("store")).expect("opens");
    let store = store.with_cache(directory.path().join("cache"), ROOM);
    store.put(&name("unit"), b"result").expect("written");
    store.get(&name("unit")).expect("readable");
    assert!(!directory.path().join("cache").exists());
}
