//! What every kind of store does alike.

use std::fs;

use ventral_plan::Digest;
use ventral_store::verify::Kind;
use ventral_store::{Error, Holding, MAX_NAME_BYTES, Put, Store};

pub fn name(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

/// Everything, on an empty store.
pub fn all(store: &Store) {
    store.ping().expect("reachable");
    objects(store);
    racing(store);
    blobs(store);
    documents(store);
    checkpoints(store);
    everything(store);
    holdings(store);
    names(store);
    store.ping().expect("still reachable");
}

/// All that the other parts left, and one of each that was cut short.
fn everything(store: &Store) {
    store.save_checkpoint(&name("unfinished"), b"steps").expect("written");
    store.write_document("zz0", "plan.json", b"{\"units\": 3}").expect("written");
    let blob = store.put_blob(b"a file").expect("written");
    assert!(store.verify(&name("unit")).expect("whole") && !store.verify(&name("absent")).expect("known"));
    assert!(store.verify_blob(&blob).expect("whole") && !store.verify_blob(&name("absent")).expect("known"));
    let entries = store.entries().expect("listed");
    let mut kinds = Vec::new();
    for entry in &entries {
        let checked = store.check(entry).expect("readable");
        let bad = checked.path.ends_with("submission.json") || checked.path.ends_with("control.json");
        // Those are not JSON in these tests.
        assert!(checked.problem.is_none() || bad || checked.path.ends_with("job.json"), "{checked:?}");
        kinds.push(checked.kind);
    }
    for kind in [Kind::Object, Kind::Checkpoint, Kind::Blob, Kind::Document] {
        assert!(kinds.contains(&kind), "{kind:?} of {kinds:?}");
    }
    let at = kinds.iter().position(|kind| *kind == Kind::Blob).expect("a blob");
    store.discard_entry(&entries[at]).expect("removable");
    assert_eq!(store.entries().expect("listed").len(), entries.len() - 1);
    store.remove_checkpoint(&name("unfinished")).expect("removable");
}

fn objects(store: &Store) {
    let (unit, other) = (name("unit"), name("other"));
    assert!(!store.contains(&unit));
    assert_eq!(store.get(&unit).expect("readable"), None);
    assert_eq!(store.put(&unit, b"result").expect("written"), Put::Created);
    assert_eq!(store.put(&unit, b"result").expect("the same"), Put::Identical);
    let error = store.put(&unit, b"other!").expect_err("a conflict");
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    assert!(error.to_string().contains(unit.as_str()), "{error}");
    assert_eq!(store.get(&unit).expect("readable").as_deref(), Some(&b"result"[..]));
    assert_eq!(store.put(&other, b"").expect("an empty result is one"), Put::Created);
    assert_eq!(store.get(&other).expect("readable").as_deref(), Some(&b""[..]));
    let asked = [name("absent"), unit.clone(), other.clone(), name("absent too")];
    assert_eq!(store.contains_many(&asked).expect("known"), [false, true, true, false]);
    store.discard(&unit).expect("removable");
    store.discard(&unit).expect("another process was faster");
    assert!(!store.contains(&unit));
    assert_eq!(store.put(&unit, b"result").expect("written again"), Put::Created);
}

fn holdings(store: &Store) {
    assert!(store.holdings().expect("a listing").is_empty());
    let holding = |tenant: &str, blob: &str, bytes: u64| Holding {
        tenant: name(tenant),
        blob: name(blob),
        bytes,
        seconds: 1_700_000_000,
    };
    let mut all: Vec<Holding> = (0..40)
        .map(|index| holding(if index % 2 == 0 { "a" } else { "b" }, &index.to_string(), index))
        .collect();
    for holding in &all {
        store.hold(holding).expect("noted");
        store.hold(holding).expect("noted twice");
    }
    all.sort_by(|a, b| (&a.tenant, &a.blob).cmp(&(&b.tenant, &b.blob)));
    assert_eq!(store.holdings().expect("a listing"), all);
    store.release(&all[7]).expect("forgotten");
    store.release(&all[7]).expect("forgotten twice");
    all.remove(7);
    assert_eq!(store.holdings().expect("a listing"), all);
}

fn checkpoints(store: &Store) {
    let unit = name("long");
    assert_eq!(store.checkpoint(&unit).expect("readable"), None);
    store.remove_checkpoint(&unit).expect("nothing to remove");
    for state in [&b"first"[..], b"the second, which is longer", b""] {
        store.save_checkpoint(&unit, state).expect("written");
        assert_eq!(store.checkpoint(&unit).expect("readable").as_deref(), Some(state), "replaced");
    }
    assert!(!store.contains(&unit), "a checkpoint is no result");
    store.remove_checkpoint(&unit).expect("removable");
    assert_eq!(store.checkpoint(&unit).expect("readable"), None);
}

fn racing(store: &Store) {
    let payload = vec![7_u8; 1 << 18];
    let created: usize = std::thread::scope(|scope| {
        let put = || store.put(&name("raced for"), &payload).expect("same bytes never conflict");
        let writers: Vec<_> = (0..8).map(|_| scope.spawn(put)).collect();
        writers.into_iter().map(|w| usize::from(w.join().expect("no panic") == Put::Created)).sum()
    });
    assert_eq!(created, 1);
    let won: usize = std::thread::scope(|scope| {
        let create = |i: u8| store.create_document("race", "submission.json", &[i]).expect("written");
        let writers: Vec<_> = (0..8).map(|i| scope.spawn(move || usize::from(create(i)))).collect();
        writers.into_iter().map(|w| w.join().expect("no panic")).sum()
    });
    assert_eq!(won, 1, "one of many submissions wins");
}

fn blobs(store: &Store) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("file");
    fs::write(&path, b"weights").expect("writable");
    let digest = Digest::of_bytes(b"weights");
    assert!(!store.has_blob(&digest).expect("known"));
    assert_eq!(store.blob(&digest).expect("known"), None);
    assert!(!store.blob_to_file(&digest, &directory.path().join("none")).expect("known"));
    assert!(!directory.path().join("none").exists());
    assert_eq!(store.put_blob_file(&path, &digest).expect("stored"), Put::Created);
    assert_eq!(store.put_blob_file(&path, &digest).expect("stored"), Put::Identical);
    assert_eq!(store.put_blob(b"weights").expect("stored"), digest);
    assert_eq!(store.blob(&digest).expect("readable").as_deref(), Some(&b"weights"[..]));
    let target = directory.path().join("target");
    fs::write(&target, b"in the way").expect("writable");
    assert!(store.blob_to_file(&digest, &target).expect("readable"));
    assert_eq!(fs::read(&target).expect("there"), b"weights");
    let error = store.put_blob_file(&path, &name("something else")).expect_err("changed meanwhile");
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    let asked = [name("absent"), digest.clone(), name("also")];
    assert_eq!(store.missing_blobs(&asked).expect("known"), [name("absent"), name("also")]);
    store.discard_blob(&digest).expect("removable");
    assert!(!store.has_blob(&digest).expect("known"));
}

fn documents(store: &Store) {
    assert_eq!(store.document("one", "control.json").expect("known"), None);
    assert!(store.create_document("one", "submission.json", b"first").expect("written"));
    assert!(!store.create_document("one", "submission.json", b"second").expect("kept"));
    assert_eq!(store.document("one", "submission.json").expect("known").as_deref(), Some(&b"first"[..]));
    for state in ["paused", "running"] {
        store.write_document("one", "control.json", state.as_bytes()).expect("written");
    }
    assert_eq!(store.document("one", "control.json").expect("known").as_deref(), Some(&b"running"[..]));
    for job in ["three", "two"] {
        store.write_document(job, "job.json", b"{}").expect("written");
    }
    let mut expected = vec!["one", "race", "three", "two"];
    assert_eq!(store.job_ids().expect("listed"), expected);
    let with_record: Vec<String> = store.jobs().expect("listed").into_iter().map(|job| job.id).collect();
    assert!(with_record.len() == 2 && with_record.contains(&"two".to_owned()), "{with_record:?}");
    assert!(matches!(store.load_job("two"), Err(Error::Damaged { .. })), "a record has fields");
    for i in 0..5 {
        store.write_document(&format!("zz{i}"), "submission.json", b"{}").expect("written");
    }
    expected.extend(["zz0", "zz1", "zz2", "zz3", "zz4"]);
    assert_eq!(store.job_ids().expect("listed"), expected, "over several pages");
}

fn names(store: &Store) {
    let longest = "x".repeat(MAX_NAME_BYTES);
    store.write_document(&longest, &longest, b"{}").expect("the bound is allowed");
    for bad in ["", ".", "..", ".hidden", "a/b", "../one", "a\\b", "a\0", "ä", "a b", &format!("{longest}x")]
    {
        for result in [
            store.write_document(bad, "control.json", b"").map(drop),
            store.create_document("one", bad, b"").map(drop),
            store.document(bad, "control.json").map(drop),
            store.document("one", bad).map(drop),
            store.load_job(bad).map(drop),
        ] {
            let error = result.expect_err(bad);
            assert!(matches!(error, Error::Name { .. }), "{bad:?}: {error}");
        }
    }
}
