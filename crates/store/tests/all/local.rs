//! A store in a directory.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use ventral_store::{Error, Locked, Put, Store};

use crate::suite::name;

fn open(directory: &Path) -> Store {
    Store::open(directory.join("store")).expect("a fresh store opens")
}

#[test]
fn an_object_is_written_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let digest = name("unit");
    assert!(!store.contains(&digest));
    assert_eq!(store.get(&digest).expect("readable"), None);
    assert_eq!(store.put(&digest, b"result").expect("written"), Put::Created);
    assert_eq!(store.put(&digest, b"result").expect("the same"), Put::Identical);
    assert!(matches!(store.put(&digest, b"other"), Err(Error::Conflict { .. })));
    assert_eq!(store.get(&digest).expect("readable").as_deref(), Some(&b"result"[..]));
}

#[test]
fn damage_is_seen_and_can_be_discarded() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let digest = name("unit");
    store.put(&digest, b"result").expect("written");
    let path = store.path(&digest);
    let whole = fs::read(&path).expect("an object");
    for (what, bytes) in [
        ("truncated", whole[..whole.len() - 1].to_vec()),
        ("empty", Vec::new()),
        ("header only", whole[..39].to_vec()),
        ("bit flip", whole.iter().enumerate().map(|(i, b)| if i == 41 { b ^ 1 } else { *b }).collect()),
        ("foreign", b"something else that is long enough to be an object".to_vec()),
    ] {
        fs::remove_file(&path).expect("removable");
        fs::write(&path, bytes).expect("writable");
        assert!(matches!(store.get(&digest), Err(Error::Damaged { .. })), "{what}");
    }
    store.discard(&digest).expect("removable");
    assert_eq!(store.put(&digest, b"result").expect("written again"), Put::Created);
}

#[test]
fn writers_of_the_same_unit_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let payload = vec![7_u8; 1 << 20];
    let created: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| store.put(&name("unit"), &payload).expect("same bytes never conflict")))
            .collect();
        writers.into_iter().map(|w| usize::from(w.join().expect("no panic") == Put::Created)).sum()
    });
    assert_eq!(created, 1);
    assert_eq!(fs::read_dir(store.temporary()).expect("listable").count(), 0, "no temporary file is left");
}

#[test]
fn an_unwritable_place_is_a_clear_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, "in the way").expect("writable");
    let error = Store::open(file.join("store")).expect_err("a file is no directory");
    assert!(error.to_string().contains("cannot create"), "{error}");
}

#[test]
fn a_directory_passes_the_suite() {
    let directory = tempfile::tempdir().expect("a directory");
    crate::suite::all(&open(directory.path()));
    let url = format!("file://{}", directory.path().join("other").display());
    crate::suite::all(&Store::from_url(&url).expect("a file URL is a directory"));
    assert!(directory.path().join("other/objects").is_dir());
}

#[test]
fn others_may_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    store.put(&name("unit"), b"result").expect("written");
    let mode = fs::metadata(store.path(&name("unit"))).expect("there").permissions().mode();
    assert_eq!(mode & 0o044, 0o044, "{mode:o}");
}

/// This test starts itself again as another process, told apart by a variable.
#[test]
fn two_processes_race_for_the_same_names() {
    const PLACE: &str = "VENTRAL_TEST_RACE";
    const UNITS: usize = 200;
    if let Ok(place) = std::env::var(PLACE) {
        let store = Store::open(place).expect("opens");
        let puts = (0..UNITS).map(|i| store.put(&name(&i.to_string()), &payload(i)).expect("no conflict"));
        println!("CREATED {}", puts.filter(|put| *put == Put::Created).count());
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let start = || {
        Command::new(std::env::current_exe().expect("a test"))
            .args(["two_processes_race_for_the_same_names", "--nocapture"])
            .env(PLACE, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts")
    };
    let children = [start(), start()];
    let created: usize = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().expect("ends");
            assert!(output.status.success());
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let count = text.split("CREATED ").nth(1).and_then(|rest| rest.split_whitespace().next());
            count.and_then(|count| count.parse::<usize>().ok()).expect("a count")
        })
        .sum();
    assert_eq!(created, UNITS, "every object was created by exactly one of the two");
    let store = Store::open(directory.path()).expect("opens");
    for i in 0..UNITS {
        assert_eq!(store.get(&name(&i.to_string())).expect("readable"), Some(payload(i)));
    }
}

fn payload(i: usize) -> Vec<u8> {
    vec![i as u8; 10_000 + i]
}

#[test]
fn blobs_are_linked_out_of_a_directory() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let digest = store.put_blob(b"weights").expect("stored");
    let target = directory.path().join("target");
    assert!(store.blob_to_file(&digest, &target).expect("there"));
    assert_eq!(fs::metadata(&target).expect("there").nlink(), 2);
    let blob = directory.path().join("store/blobs").join(&digest.as_str()[..2]).join(digest.as_str());
    fs::write(&blob, b"weightz").expect("writable");
    let other = directory.path().join("other");
    let error = store.blob_to_file(&digest, &other).expect_err("damaged");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(!other.exists());
    store.discard_blob(&digest).expect("removable");
    assert_eq!(store.missing_blobs(std::slice::from_ref(&digest)).expect("known"), [digest]);
}

#[test]
fn a_put_replaces_a_damaged_object_of_its_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    store.put(&name("unit"), b"result").expect("written");
    fs::write(store.path(&name("unit")), b"VENTRAL1 cut").expect("writable");
    assert_eq!(store.put(&name("unit"), b"result").expect("replaced"), Put::Created);
    assert_eq!(store.get(&name("unit")).expect("whole").as_deref(), Some(&b"result"[..]));
}

#[test]
fn an_object_under_the_name_of_another_is_damaged() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let (one, other) = (name("one"), name("other"));
    store.put(&one, b"first").expect("written");
    store.put(&other, b"other").expect("written");
    let beside = directory.path().join("beside");
    fs::rename(store.path(&one), &beside).expect("movable");
    fs::rename(store.path(&other), store.path(&one)).expect("movable");
    fs::rename(&beside, store.path(&other)).expect("movable");
    for unit in [&one, &other] {
        assert!(matches!(store.get(unit), Err(Error::Damaged { .. })));
        assert!(matches!(store.verify(unit), Err(Error::Damaged { .. })));
    }
    let problems = store
        .entries()
        .expect("listed")
        .into_iter()
        .filter_map(|entry| store.check(&entry).expect("read").problem);
    assert_eq!(problems.count(), 2);
}

#[test]
fn a_file_in_the_place_of_a_folder_is_damage() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let unit = name("unit");
    store.put(&unit, b"result").expect("written");
    let shelf = store.path(&unit).parent().expect("a shelf").to_owned();
    fs::remove_dir_all(&shelf).expect("removable");
    fs::write(&shelf, b"no folder").expect("writable");
    assert!(!store.contains(&unit));
    assert!(matches!(store.get(&unit), Err(Error::Damaged { .. })));
    let entries = store.entries().expect("listed");
    let problem = store.check(&entries[0]).expect("read").problem;
    assert_eq!(problem.as_deref(), Some("it lies where a folder belongs"));
    store.discard(&unit).expect("removable");
    assert_eq!(store.put(&unit, b"result").expect("written"), Put::Created);
    assert!(
        store.entries().expect("listed").iter().all(|entry| store
            .check(entry)
            .expect("read")
            .problem
            .is_none())
    );
}

/// What lies in the place of a file and is none.
#[test]
fn directories_pipes_and_dangling_links_are_damage_that_goes_away() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    type Obstacle = (&'static str, fn(&Path));
    let in_the_way: [Obstacle; 4] = [
        ("a directory", |path| fs::create_dir_all(path.join("inside")).expect("writable")),
        ("a pipe", |path| {
            let made = Command::new("mkfifo").arg(path).status();
            assert!(made.expect("mkfifo").success());
        }),
        ("a link", |path| std::os::unix::fs::symlink("nowhere", path).expect("writable")),
        ("a link to itself", |path| std::os::unix::fs::symlink(path, path).expect("writable")),
    ];
    let unit = name("unit");
    for (what, put_there) in in_the_way {
        store.put(&unit, b"result").expect("written");
        let blob = store.put_blob(b"weights").expect("written");
        store.save_checkpoint(&unit, b"steps").expect("written");
        store.write_document("job", "job.json", b"{}").expect("written");
        let blobs = directory.path().join("store/blobs");
        let places = [
            store.path(&unit),
            store.checkpoint_path(&unit),
            blobs.join(&blob.as_str()[..2]).join(blob.as_str()),
            store.job_dir("job").join("job.json"),
        ];
        for place in &places {
            fs::remove_file(place).expect("removable");
            put_there(place);
        }
        for found in [
            store.get(&unit).map(|found| found.is_some()),
            store.verify(&unit),
            store.checkpoint(&unit).map(|found| found.is_some()),
            store.blob(&blob).map(|found| found.is_some()),
            store.document("job", "job.json").map(|found| found.is_some()),
        ] {
            // A link that leads nowhere is nothing.
            assert!(matches!(found, Err(Error::Damaged { .. }) | Ok(false)), "{what}: {found:?}");
        }
        assert_eq!(store.put(&unit, b"result").expect("written again"), Put::Created, "{what}");
        assert_eq!(store.put_blob(b"weights").expect("written again"), blob);
        store.save_checkpoint(&unit, b"more").expect("written again");
        store.write_document("job", "job.json", b"{}").expect("written again");
        assert_eq!(store.get(&unit).expect("whole").as_deref(), Some(&b"result"[..]), "{what}");
        assert_eq!(store.blob(&blob).expect("whole").as_deref(), Some(&b"weights"[..]), "{what}");
        assert_eq!(store.checkpoint(&unit).expect("whole").as_deref(), Some(&b"more"[..]), "{what}");
        assert_eq!(store.document("job", "job.json").expect("whole").as_deref(), Some(&b"{}"[..]));
        store.discard(&unit).expect("removable");
        store.discard_blob(&blob).expect("removable");
    }
}

#[test]
fn a_blob_that_lost_a_bit_is_written_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let file = directory.path().join("weights");
    fs::write(&file, b"weights").expect("writable");
    let digest = store.put_blob(b"weights").expect("stored");
    let place = directory.path().join("store/blobs").join(&digest.as_str()[..2]).join(digest.as_str());
    for again in [true, false] {
        fs::write(&place, b"weightz").expect("writable");
        if again {
            store.put_blob(b"weights").expect("stored");
        } else {
            assert_eq!(store.put_blob_file(&file, &digest).expect("stored"), Put::Created);
        }
        assert_eq!(fs::read(&place).expect("there"), b"weights");
    }
    assert_eq!(store.put_blob_file(&file, &digest).expect("there"), Put::Identical);
}

#[test]
fn a_job_has_one_owner_at_a_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    assert_eq!(store.running("job").expect("known"), None);
    let Locked::Mine(lock) = store.lock_job("job").expect("free") else { panic!("nobody has it") };
    let Locked::By(Some(owner)) = store.lock_job("job").expect("known") else { panic!("it is taken") };
    assert_eq!((owner.pid, owner.is_here()), (std::process::id(), true));
    assert_eq!(store.running("job").expect("known"), Some(Some(owner)));
    assert!(matches!(store.lock_job("other").expect("free"), Locked::Mine(_)));
    drop(lock);
    assert_eq!(store.running("job").expect("known"), None);
    assert!(matches!(store.lock_job("job").expect("free"), Locked::Mine(_)));
    assert!(matches!(store.lock_job("../job"), Err(Error::Name { .. })));
}
