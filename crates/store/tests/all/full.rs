//! Full disks.

use std::path::Path;
use std::process::Command;

use ventral_store::{Error, Store};

use crate::fake_s3::FakeS3;
use crate::suite::name;

/// A disk of 256 KiB; `None` where it cannot be mounted.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(directory.path())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            println!("SKIPPED: a small disk can only be mounted by root");
        }
        mounted.then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_store_is_a_clear_error_and_leaves_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = Store::open(disk.path()).expect("opens");
    store.put(&name("small"), &[1; 50_000]).expect("fits");
    for _ in 0..3 {
        let error = store.put(&name("large"), &[2; 300_000]).expect_err("no room");
        assert!(
            matches!(error, Error::Io { .. }) && error.to_string().contains("free some space"),
            "{error}"
        );
        assert!(store.put_blob(&[3; 300_000]).is_err());
        assert!(store.write_document("job", "plan.json", &[4; 300_000]).is_err());
    }
    assert_eq!(std::fs::read_dir(store.temporary()).expect("there").count(), 0);
    assert!(!store.contains(&name("large")));
    assert_eq!(store.get(&name("small")).expect("whole").map(|bytes| bytes.len()), Some(50_000));
    store.put(&name("other"), &[5; 50_000]).expect("there is still room for this");
}

#[test]
fn a_full_cache_disk_fails_no_read() {
    let Some(disk) = SmallDisk::mount() else { return };
    let server = FakeS3::start();
    let store = server.store().with_cache(disk.path().join("cache"), 1 << 30);
    for i in 0..20_u8 {
        let unit = name(&i.to_string());
        store.put(&unit, &[i; 50_000]).expect("written");
        assert_eq!(store.get(&unit).expect("readable"), Some(vec![i; 50_000]));
    }
    assert_eq!(std::fs::read_dir(store.temporary()).expect("there").count(), 0);
    server.requests();
    assert!(store.get(&name("0")).expect("readable").is_some());
    assert_eq!(server.requests(), Vec::<String>::new(), "what fitted is kept");
}
