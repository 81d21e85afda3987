//! A store in a bucket, with everything that can go wrong on the way.

use std::fs;
use std::time::{Duration, Instant};

use ventral_plan::Digest;
use ventral_store::{Error, Put, Settings, Store};

use crate::fake_s3::{FakeS3, Fault};
use crate::suite::name;

#[test]
fn a_bucket_passes_the_suite() {
    let server = FakeS3::start();
    crate::suite::all(&server.store());
    assert!(server.keys().iter().all(|key| key.starts_with("some/prefix/")), "{:?}", server.keys());
}

/// The same against any server: `VENTRAL_TEST_S3=s3://bucket/prefix` (empty), with the usual `AWS_*` variables.
#[test]
fn a_real_endpoint_passes_the_suite() {
    let Ok(url) = std::env::var("VENTRAL_TEST_S3") else {
        println!("SKIPPED: VENTRAL_TEST_S3 names no bucket");
        return;
    };
    crate::suite::all(&Store::from_url(&url).expect("a store"));
    large_blob(&Store::from_url(&url).expect("a store"));
}

#[test]
fn errors_of_the_server_are_retried_and_bounded() {
    let server = FakeS3::start();
    let store = server.store();
    for faults in
        [&[Fault::Status(500), Fault::Status(503)][..], &[Fault::Silent], &[Fault::Lost, Fault::Lost]]
    {
        let unit = name(&format!("{faults:?}"));
        server.fail_next(faults);
        // A create whose answer got lost finds its own bytes.
        store.put(&unit, b"result").unwrap_or_else(|e| panic!("{faults:?}: {e}"));
        server.fail_next(faults);
        assert_eq!(store.get(&unit).expect("readable").as_deref(), Some(&b"result"[..]), "{faults:?}");
        server.fail_next(faults);
        assert_eq!(store.contains_many(&[unit]).expect("known"), [true], "{faults:?}");
    }
    server.requests();
    server.fail_always(Some(Fault::Status(503)));
    let error = store.get(&name("unit")).expect_err("it never answers");
    assert!(error.is_transient(), "{error}");
    let text = error.to_string();
    assert!(text.contains("s3://bucket/some/prefix/objects/") && text.contains("503"), "{text}");
    assert_eq!(server.requests().len(), 4, "one request and three retries");
}

#[test]
fn a_silent_server_is_given_up() {
    let server = FakeS3::start();
    let store = server.store();
    server.fail_always(Some(Fault::Silent));
    let started = Instant::now();
    let error = store.put(&name("unit"), b"result").expect_err("it never answers");
    assert!(error.is_transient() && error.to_string().contains("no answer for 0.7 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(server.requests().len(), 3, "as many attempts as the settings say");
    server.fail_always(None);
    store.put(&name("unit"), b"result").expect("it answers again");
}

#[test]
fn a_body_that_ends_early_is_read_again() {
    let server = FakeS3::start();
    let store = server.store();
    let payload: Vec<u8> = (0..200_000_u32).map(|i| i as u8).collect();
    store.put(&name("unit"), &payload).expect("written");
    let digest = store.put_blob(&payload).expect("written");
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("target");
    server.fail_next(&[Fault::Cut]);
    assert_eq!(store.get(&name("unit")).expect("read again"), Some(payload.clone()));
    server.fail_next(&[Fault::Cut]);
    assert!(store.blob_to_file(&digest, &target).expect("read again"));
    assert_eq!(fs::read(&target).expect("there"), payload);
    server.fail_always(Some(Fault::Cut));
    let error = store.blob_to_file(&digest, &directory.path().join("other")).expect_err("never whole");
    assert!(error.is_transient(), "{error}");
    assert_eq!(fs::read_dir(directory.path()).expect("listable").count(), 1, "nothing half-written is left");
}

#[test]
fn damage_in_the_bucket_is_seen() {
    let server = FakeS3::start();
    let store = server.store();
    let (unit, directory) = (name("unit"), tempfile::tempdir().expect("a directory"));
    store.put(&unit, b"result").expect("written");
    let digest = store.put_blob(b"weights").expect("written");
    type Damage = fn(&[u8]) -> Vec<u8>;
    let damages: [Damage; 4] = [
        |bytes| bytes[..bytes.len() - 1].to_vec(),
        |_| Vec::new(),
        |bytes| {
            bytes.iter().enumerate().map(|(i, b)| if i == bytes.len() - 1 { b ^ 1 } else { *b }).collect()
        },
        |_| b"something else that is long enough to be an object".to_vec(),
    ];
    for damage in damages {
        server.change(unit.as_str(), damage);
        let error = store.get(&unit).expect_err("damaged");
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("s3://bucket/some/prefix/objects/"), "{error}");
        assert_eq!(store.put(&unit, b"result").expect("replaced"), Put::Created);

        server.change(digest.as_str(), damage);
        assert!(matches!(store.blob(&digest), Err(Error::Damaged { .. })));
        let target = directory.path().join("target");
        assert!(matches!(store.blob_to_file(&digest, &target), Err(Error::Damaged { .. })));
        assert!(!target.exists());
        store.discard_blob(&digest).expect("removable");
        store.put_blob(b"weights").expect("written again");
    }
}

#[test]
fn a_large_blob_travels_in_parts() {
    let server = FakeS3::start();
    let store = server.store();
    large_blob(&store);
    let requests = server.requests();
    let parts = requests.iter().filter(|request| request.contains("partNumber=")).count();
    assert_eq!(parts, 5, "65 MiB in parts of 16");
    // A part that is refused for good leaves no upload behind.
    let directory = tempfile::tempdir().expect("a directory");
    let (path, digest) = large_file(directory.path(), 2);
    server.fail_next(&[Fault::Status(404), Fault::Status(200), Fault::Status(403)]);
    assert!(store.put_blob_file(&path, &digest).is_err());
    assert_eq!(server.open_uploads(), 0);
}

fn large_file(directory: &std::path::Path, seed: u8) -> (std::path::PathBuf, Digest) {
    let bytes: Vec<u8> = (0..65_u32 << 20).map(|i| (i >> 7) as u8 ^ seed).collect();
    let path = directory.join("large");
    fs::write(&path, &bytes).expect("writable");
    (path, Digest::of_bytes(&bytes))
}

fn large_blob(store: &Store) {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, digest) = large_file(directory.path(), 1);
    assert_eq!(store.put_blob_file(&path, &digest).expect("uploaded"), Put::Created);
    assert_eq!(store.put_blob_file(&path, &digest).expect("there"), Put::Identical);
    let target = directory.path().join("target");
    assert!(store.blob_to_file(&digest, &target).expect("readable"));
    assert!(fs::read(&target).expect("there") == fs::read(&path).expect("there"));
}

#[test]
fn a_store_that_overwrites_is_refused() {
    let server = FakeS3::start();
    server.ignore_conditions();
    let error = server.store().ping().expect_err("results would not be safe");
    assert!(error.to_string().contains("overwrites what is create-only"), "{error}");
}

#[test]
fn errors_name_the_object_and_no_secret() {
    let server = FakeS3::start();
    let store = server.store();
    for status in [400, 403, 404, 500] {
        server.fail_always(Some(Fault::Status(status)));
        let error = store.put(&name("unit"), b"result").expect_err("refused");
        let text = format!("{error} {error:?}");
        assert!(text.contains("s3://bucket/some/prefix/objects/"), "{text}");
        assert!(text.contains(&status.to_string()) && text.contains("as ordered"), "{text}");
        assert!(!text.contains("secret") && !text.contains("test-key"), "{text}");
        assert_eq!(error.is_transient(), status == 500, "{text}");
    }
    let settings = format!("{:?}", server.settings());
    assert!(!settings.contains("secret") && settings.contains("AWS_REGION"), "{settings}");
}

#[test]
fn an_emulator_of_gcs_is_reached_over_plain_http_where_that_is_allowed() {
    let server = FakeS3::start();
    let reached = |allow: &str| {
        let mut settings = server.google_settings();
        settings.variables.push(("GOOGLE_ALLOW_HTTP".to_owned(), allow.to_owned()));
        // This server knows none of GCS's conditions, so the store is refused; what counts is whether it was asked.
        Store::from_url_with("gs://bucket/prefix", &settings).expect("a store").ping().expect_err("no GCS");
        !server.requests().is_empty()
    };
    assert!(!reached("false"));
    assert!(reached("true"));
}

#[test]
fn locations_that_cannot_be_used_are_refused() {
    let none = Settings { variables: Vec::new(), ..Settings::from_env() };
    for bad in [
        "ftp://host/dir",
        "s3://",
        "s3:///prefix",
        "s3://key:very-secret@bucket/prefix",
        "s3://bucket/prefix?X-Amz-Credential=very-secret",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/a b",
        "file://relative",
        "file:///a%20b",
        "az://container/prefix",
        &format!("s3://bucket/{}", "x".repeat(3000)),
    ] {
        let error = Store::from_url_with(bad, &none).expect_err(bad);
        assert!(matches!(error, Error::Location { .. }), "{bad}: {error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    for good in ["s3://bucket", "s3://bucket/", "s3://bucket/a/b/"] {
        let store = Store::from_url_with(good, &none).expect(good);
        assert!(store.is_remote() && store.temporary().is_dir());
        let path = store.path(&name("unit")).display().to_string();
        assert!(path.starts_with(&format!("{}/objects/", good.trim_end_matches('/'))), "{path}");
    }
}

#[test]
fn a_store_may_be_used_and_dropped_anywhere() {
    let server = FakeS3::start();
    let store = server.store();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let used = tokio::task::spawn_blocking({
            let store = store.clone();
            move || store.put(&name("unit"), b"result")
        });
        assert_eq!(used.await.expect("no panic").expect("written"), Put::Created);
        drop(store);
    });
}
