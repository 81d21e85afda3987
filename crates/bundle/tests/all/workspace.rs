//! The files of a bundle on another disk.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use ventral_bundle::{Collected, Error, FetchError, Manifest, Workspace, collect};
use ventral_plan::{CardKind, Digest};

use crate::{demo, root, write};

/// Blobs by digest, and how often one was asked for.
struct Blobs {
    sources: HashMap<String, PathBuf>,
    fetched: AtomicUsize,
}

impl Blobs {
    fn of(collected: &Collected) -> Self {
        let digests = collected.manifest.files.iter().map(|entry| entry.digest.as_str().to_owned());
        Self { sources: digests.zip(collected.sources.clone()).collect(), fetched: AtomicUsize::new(0) }
    }

    fn fetch(&self, digest: &Digest, path: &Path) -> Result<bool, FetchError> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        match self.sources.get(digest.as_str()) {
            None => Ok(false),
            Some(source) => Ok(fs::copy(source, path).map(|_| true)?),
        }
    }

    fn taken(&self) -> usize {
        self.fetched.swap(0, Ordering::Relaxed)
    }
}

#[test]
fn files_come_when_needed_and_once() {
    let (demo, place) = (demo(), tempfile::tempdir().expect("a directory"));
    let blobs = Blobs::of(&demo);
    let fetch = |digest: &Digest, path: &Path| blobs.fetch(digest, path);
    let workspace = Workspace::open(&place.path().join("w"), &demo.manifest).expect("opens");
    assert_eq!((workspace.size_bytes(), workspace.spec().exists()), (0, false));
    workspace.need(&[&demo.manifest.spec], &fetch).expect("fetched");
    assert_eq!(blobs.taken(), 1);
    assert_eq!(
        fs::read(workspace.spec()).expect("there"),
        fs::read(root().join("examples/demo.toml")).expect("there")
    );
    let card = "files/demo/models/gabor_v1/model.toml";
    let path = workspace.need_card(CardKind::Model, card, &fetch).expect("fetched");
    assert_eq!(workspace.virtual_path(&path).as_deref(), Some(card));
    assert_eq!(workspace.card_files(CardKind::Model, card).expect("listed").len(), blobs.taken());
    workspace.all(&fetch).expect("fetched");
    assert_eq!(workspace.size_bytes(), demo.manifest.total_bytes());
    for (entry, source) in demo.manifest.files.iter().zip(&demo.sources) {
        assert_eq!(fs::read(workspace.path(&entry.path)).expect("there"), fs::read(source).expect("there"));
    }
    blobs.taken();
    let again = Workspace::open(workspace.root(), &demo.manifest).expect("opens again");
    again.all(&fetch).expect("there");
    assert_eq!(blobs.taken(), 0, "nothing is fetched twice");
    // A file that was cut is fetched again.
    fs::write(again.spec(), "cut").expect("writable");
    again.all(&fetch).expect("fetched");
    assert_eq!(blobs.taken(), 1);
    assert_eq!(fs::read_dir(place.path().join("w/tmp")).expect("there").count(), 0);
    assert!(Workspace::last_used(workspace.root()).is_some());
    Workspace::remove(workspace.root()).expect("removed");
    Workspace::remove(workspace.root()).expect("another process was faster");
    assert_eq!(Workspace::last_used(workspace.root()), None);
}

#[test]
fn many_may_fill_one_workspace() {
    let (demo, place) = (demo(), tempfile::tempdir().expect("a directory"));
    let blobs = Blobs::of(&demo);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let workspace = Workspace::open(place.path(), &demo.manifest).expect("opens");
                workspace.all(&|digest, path| blobs.fetch(digest, path)).expect("fetched");
                assert_eq!(workspace.size_bytes(), demo.manifest.total_bytes());
            });
        }
    });
    assert_eq!(fs::read_dir(place.path().join("tmp")).expect("there").count(), 0);
}

#[test]
fn what_cannot_be_fetched_is_named() {
    let (demo, place) = (demo(), tempfile::tempdir().expect("a directory"));
    let workspace = Workspace::open(place.path(), &demo.manifest).expect("opens");
    let spec = [demo.manifest.spec.as_str()];
    let missing = workspace.need(&spec, &|_, _| Ok(false)).expect_err("not uploaded");
    assert!(matches!(&missing, Error::Missing { path, .. } if path == spec[0]), "{missing}");
    let failed = workspace.need(&spec, &|_, _| Err("no route".into())).expect_err("refused");
    assert!(failed.to_string().contains("no route") && failed.to_string().contains(spec[0]), "{failed}");
    let cut = workspace.need(&spec, &|_, path| fs::write(path, "cut").map(|()| true).map_err(Into::into));
    assert!(matches!(cut, Err(Error::Fetch { .. })), "{cut:?}");
    assert!(!workspace.spec().exists());
    assert_eq!(fs::read_dir(place.path().join("tmp")).expect("there").count(), 0);
    let unknown = workspace.need(&["files/none"], &|_, _| Ok(true)).expect_err("not listed");
    assert!(matches!(unknown, Error::NotListed { .. }), "{unknown}");
    assert!(workspace.card_files(CardKind::Benchmark, "files/demo/models/gabor_v1/model.toml").is_err());
}

#[test]
fn a_directory_belongs_to_one_bundle() {
    let (demo, place) = (demo(), tempfile::tempdir().expect("a directory"));
    Workspace::open(place.path(), &demo.manifest).expect("opens");
    let other = Manifest { cards: Vec::new(), ..demo.manifest };
    assert!(matches!(Workspace::open(place.path(), &other), Err(Error::File { .. })));
    let hostile = Manifest { spec: "../x".to_owned(), ..other };
    assert!(matches!(Workspace::open(&place.path().join("b"), &hostile), Err(Error::Manifest { .. })));
}

/// A submitted card that names a file of the worker is refused before anything of it is read.
#[test]
fn cards_cannot_lead_out() {
    let place = tempfile::tempdir().expect("a directory");
    let secret = place.path().join("secret.npy");
    write(&secret, "secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("allowed");
    let absolute = format!("file = '{}'", secret.display());
    let benchmark = |stimuli: &str| {
        format!(
            "identifier = 'B'\nversion = '1'\nregion = 'V4'\n[stimuli]\nformat = 'zip'\n{stimuli}\n\
             [assembly]\nformat = 'npy'\nfile = 'a.npy'\n[metric]\nname = 'rdm'\n"
        )
    };
    let model = |file: &str| format!("identifier = 'm'\n[activations]\n{file}\n");
    for (number, (model_file, stimuli, inside)) in [
        ("file = 'a.npy'", "file = 'a.npy'", [true, true]),
        (absolute.as_str(), "file = 'a.npy'", [false, true]),
        ("file = '../../../../secret.npy'", "file = '../../../../secret.npy'", [false, false]),
        ("data = '../../secret.npy'", "data = '../../secret.npy'", [false, false]),
        (
            "file = '../../../../work0/files/m/a.npy'",
            "file = '../../../../../../../../etc/x'",
            [false, false],
        ),
        ("data = 'a.npy'", "data = 'a.npy'", [true, true]),
        ("file = '../b/a.npy'", "file = '../../files/b/a.npy'", [true, true]),
    ]
    .into_iter()
    .enumerate()
    {
        let job = place.path().join(format!("job{number}"));
        write(&job.join("spec.toml"), "name = 'x'\nmodels = ['m']\nbenchmarks = ['b']\n");
        write(&job.join("m/a.npy"), "a");
        write(&job.join("b/a.npy"), "b");
        write(&job.join("m/model.toml"), model(model_file));
        write(&job.join("b/benchmark.toml"), benchmark(stimuli));
        let collected = collect(&job.join("spec.toml"), None).expect("collected");
        let blobs = Blobs::of(&collected);
        let workspace =
            Workspace::open(&place.path().join(format!("work{number}")), &collected.manifest).expect("opens");
        let cards =
            [(CardKind::Model, "files/m/model.toml"), (CardKind::Benchmark, "files/b/benchmark.toml")];
        for ((kind, card), inside) in cards.into_iter().zip(inside) {
            let card =
                collected.manifest.files.iter().find(|entry| entry.path.ends_with(&card["files".len()..]));
            let Some(card) = card else { panic!("the card is in the bundle") };
            let found = workspace.need_card(kind, &card.path, &|digest, path| blobs.fetch(digest, path));
            match (inside, &found) {
                (true, Ok(_)) | (false, Err(Error::Outside { .. })) => {}
                _ => panic!("{number} {kind}: {found:?}"),
            }
        }
    }
}
