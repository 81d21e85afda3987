//! Manifests, mirrors, and downloads from a server that misbehaves.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};
use ventral_data::{
    BenchmarkCard, DatasetManifest, Error, FetchFrom, FileState, ScanCard, scan_references, tree_digest,
};

use crate::support::real_data;

/// What the server does with one request.
#[derive(Clone, Copy)]
enum Answer {
    /// The content, or the range asked for.
    Whole,
    /// The announced length, but only so many bytes.
    Cut(usize),
    /// The whole content, whatever was asked for.
    IgnoreRange,
    /// A status without content.
    Status(u16),
}

/// Serves `content`, one answer per connection; gives back the `Range` header of each request.
fn serve(content: &[u8], answers: &[Answer]) -> (String, JoinHandle<Vec<Option<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let (content, answers) = (content.to_vec(), answers.to_vec());
    let server = move || {
        answers.iter().map(|answer| respond(listener.accept().unwrap().0, &content, *answer)).collect()
    };
    (url, std::thread::spawn(server))
}

fn respond(mut stream: TcpStream, content: &[u8], answer: Answer) -> Option<String> {
    let lines =
        BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap).take_while(|l| !l.is_empty());
    let mut range = None;
    for line in lines {
        if let Some(value) = line.to_lowercase().strip_prefix("range: bytes=") {
            range = Some(value.to_string());
        }
    }
    let start = range.as_ref().map_or(0, |r| r.trim_end_matches('-').parse::<usize>().unwrap());
    let start = if matches!(answer, Answer::IgnoreRange) { 0 } else { start };
    let rest = &content[start.min(content.len())..];
    let status = match answer {
        Answer::Status(code) => format!("HTTP/1.1 {code} x\r\nContent-Length: 0\r\n"),
        _ if start == 0 => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", rest.len()),
        _ => format!(
            "HTTP/1.1 206 Partial\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{}\r\n",
            rest.len(),
            content.len() - 1,
            content.len()
        ),
    };
    write!(stream, "{status}Connection: close\r\n\r\n").unwrap();
    let sent = match answer {
        Answer::Status(_) => 0,
        Answer::Cut(bytes) => bytes.min(rest.len()),
        _ => rest.len(),
    };
    // The client may hang up first.
    let _ = stream.write_all(&rest[..sent]);
    range
}

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A manifest of one file in a directory of its own.
fn manifest(directory: &Path, origin: &str, digest: &str, bytes: usize) -> DatasetManifest {
    let text = format!(
        "id = \"test\"\ntitle = \"t\"\nlicence = \"l\"\ncitation = \"c\"\n\
         [[files]]\npath = \"set/file.bin\"\n{origin}\nsha256 = \"{digest}\"\nbytes = {bytes}\n"
    );
    std::fs::write(directory.join("test.toml"), text).unwrap();
    DatasetManifest::load(&directory.join("test.toml")).unwrap()
}

struct Place {
    directory: tempfile::TempDir,
    manifest: DatasetManifest,
}

impl Place {
    fn new(url: &str) -> Place {
        let (directory, content) = (tempfile::tempdir().unwrap(), content());
        let manifest =
            manifest(directory.path(), &format!("url = \"{url}\""), &sha256(&content), content.len());
        Place { directory, manifest }
    }

    fn fetch(&self) -> Result<ventral_data::FetchReport, Error> {
        self.manifest.fetch(self.directory.path(), FetchFrom::Network, &|_| ())
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path().join("set")).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn a_download_is_checked_placed_and_not_repeated() {
    let (url, server) = serve(&content(), &[Answer::Whole]);
    let place = Place::new(&url);
    let reports = RefCell::new(Vec::new());
    let report = |p: ventral_data::FetchProgress<'_>| reports.borrow_mut().push((p.done, p.total));
    let fetched = place.manifest.fetch(place.directory.path(), FetchFrom::Network, &report).unwrap();
    assert_eq!(fetched.fetched, [Path::new("set/file.bin")]);
    assert_eq!(reports.borrow().last(), Some(&(300_000, 300_000)));
    assert_eq!(std::fs::read(place.directory.path().join("set/file.bin")).unwrap(), content());
    assert_eq!(place.names(), ["file.bin"]);
    server.join().unwrap();
    let again = place.fetch().unwrap();
    assert_eq!((again.present.len(), again.fetched.len()), (1, 0), "no server is needed");
    assert_eq!(place.manifest.status(place.directory.path()).unwrap()[0].state, FileState::Present);
}

#[test]
fn an_interrupted_download_resumes_where_it_stopped() {
    let (url, server) = serve(&content(), &[Answer::Cut(100_000), Answer::Cut(50_000), Answer::Whole]);
    let place = Place::new(&url);
    assert_eq!(place.fetch().unwrap().fetched.len(), 1);
    assert_eq!(std::fs::read(place.directory.path().join("set/file.bin")).unwrap(), content());
    let ranges = server.join().unwrap();
    assert_eq!(ranges, [None, Some("100000-".to_string()), Some("150000-".to_string())]);
}

#[test]
fn a_later_call_resumes_what_an_earlier_one_left() {
    let (url, server) = serve(&content(), &[Answer::Cut(120_000), Answer::Status(503)]);
    let place = Place::new(&url);
    let error = place.fetch().unwrap_err().to_string();
    assert!(error.contains("503"), "{error}");
    assert_eq!(place.names(), ["file.bin.part"]);
    server.join().unwrap();
    let (url, server) = serve(&content(), &[Answer::Whole]);
    let mut place = place;
    place.manifest.files[0].url = Some(url);
    place.fetch().unwrap();
    assert_eq!(server.join().unwrap(), [Some("120000-".to_string())]);
    assert_eq!(place.names(), ["file.bin"]);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let (url, server) = serve(&content(), &[Answer::Cut(100_000), Answer::IgnoreRange]);
    let place = Place::new(&url);
    place.fetch().unwrap();
    assert_eq!(std::fs::read(place.directory.path().join("set/file.bin")).unwrap(), content());
    server.join().unwrap();
}

#[test]
fn wrong_bytes_are_refused_and_removed() {
    for change in [|c: &mut Vec<u8>| c[7] ^= 1, |c: &mut Vec<u8>| c.extend([0; 200_000])] {
        let mut wrong = content();
        change(&mut wrong);
        let (url, server) = serve(&wrong, &[Answer::Whole]);
        let place = Place::new(&url);
        let error = place.fetch().unwrap_err();
        assert!(matches!(error, Error::Digest { .. }), "{error}");
        assert!(place.names().is_empty(), "{:?}", place.names());
        server.join().unwrap();
    }
}

#[test]
fn failures_of_server_and_network_are_explained() {
    let (url, server) = serve(&content(), &[Answer::Status(404)]);
    let place = Place::new(&url);
    let error = place.fetch().unwrap_err().to_string();
    assert!(error.contains(&url) && error.contains("404") && error.contains("--mirror"), "{error}");
    server.join().unwrap();
    let error = place.fetch().unwrap_err().to_string();
    assert!(error.contains("check the network"), "nobody listens any more: {error}");
    let (url, server) = serve(&content(), &[Answer::Cut(1000), Answer::Cut(0)]);
    let error = Place::new(&url).fetch().unwrap_err().to_string();
    assert!(error.contains("1000 of 300000 bytes are here, run again"), "{error}");
    server.join().unwrap();
}

#[test]
fn files_that_are_there_are_never_replaced() {
    let place = Place::new("http://127.0.0.1:1/unreachable");
    let target = place.directory.path().join("set/file.bin");
    std::fs::create_dir(target.parent().unwrap()).unwrap();
    std::fs::write(&target, "mine").unwrap();
    let error = place.fetch().unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    assert_eq!(std::fs::read(&target).unwrap(), b"mine");
    let state = &place.manifest.status(place.directory.path()).unwrap()[0].state;
    assert_eq!(*state, FileState::Damaged { digest: sha256(b"mine") });
}

/// Two processes that finish the same download: the second finds the name taken.
#[test]
fn a_file_that_appears_meanwhile_is_kept() {
    let (release, wait) = mpsc::channel::<()>();
    let (url, server) = serve(&content(), &[Answer::Whole]);
    let place = Place::new(&url);
    let target = place.directory.path().join("set/file.bin");
    let appear = |_: ventral_data::FetchProgress<'_>| {
        let _ = release.send(());
        std::fs::write(&target, "other").unwrap();
    };
    let error = place.manifest.fetch(place.directory.path(), FetchFrom::Network, &appear).unwrap_err();
    assert!(
        matches!(&error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists),
        "{error}"
    );
    assert_eq!(std::fs::read(&target).unwrap(), b"other");
    wait.recv().unwrap();
    server.join().unwrap();
}

#[test]
fn mirrors_serve_files_and_folders() {
    let (mirror, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = mirror.path().join("set");
    std::fs::create_dir_all(source.join("many/deep")).unwrap();
    std::fs::write(source.join("file.bin"), content()).unwrap();
    std::fs::write(source.join("many/a.txt"), "a").unwrap();
    std::fs::write(source.join("many/deep/b.txt"), "bb").unwrap();
    let (digest, files, bytes) = tree_digest(&source.join("many")).unwrap();
    assert_eq!((files, bytes), (2, 3));
    let listed = format!("{}  a.txt\n{}  deep/b.txt\n", sha256(b"a"), sha256(b"bb"));
    assert_eq!(digest, sha256(listed.as_bytes()), "what sha256sum lists");
    let origin = "derived = \"made here\"";
    manifest(here.path(), origin, &sha256(&content()), 300_000);
    let folder = format!(
        "[[folders]]\npath = \"set/many\"\nderived = \"made here\"\nfiles = 2\nbytes = 3\nsha256 = \"{digest}\"\n"
    );
    let text = std::fs::read_to_string(here.path().join("test.toml")).unwrap();
    std::fs::write(here.path().join("test.toml"), text + &folder).unwrap();
    let manifest = DatasetManifest::load(&here.path().join("test.toml")).unwrap();
    let error = manifest.fetch(here.path(), FetchFrom::Network, &|_| ()).unwrap_err();
    assert!(matches!(&error, Error::NotAvailable { problem, .. } if problem.contains("--mirror")), "{error}");
    let report = manifest.fetch(here.path(), FetchFrom::Mirror(mirror.path()), &|_| ()).unwrap();
    assert_eq!(report.fetched.len(), 2);
    assert!(manifest.status(here.path()).unwrap().iter().all(|s| s.state == FileState::Present));
    std::fs::remove_dir_all(here.path().join("set")).unwrap();
    std::fs::write(source.join("many/a.txt"), "x").unwrap();
    let error = manifest.fetch(here.path(), FetchFrom::Mirror(mirror.path()), &|_| ()).unwrap_err();
    assert!(matches!(&error, Error::Digest { path, .. } if path.ends_with("set/many")), "{error}");
    let left: Vec<_> =
        std::fs::read_dir(here.path().join("set")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["file.bin"]);
}

#[test]
fn bad_manifests_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bad.toml");
    let good = format!(
        "id = \"x\"\ntitle = \"t\"\nlicence = \"l\"\ncitation = \"c\"\n[[files]]\npath = \"a/b\"\nurl = \"http://x\"\nsha256 = \"{}\"\nbytes = 1\n",
        sha256(b"")
    );
    std::fs::write(&path, &good).unwrap();
    DatasetManifest::load(&path).unwrap();
    for (from, to, reason) in [
        ("a/b", "../b", "outside of the data directory"),
        ("a/b", "/b", "outside of the data directory"),
        ("url = \"http://x\"\n", "", "needs one of `url`, `derived` and `supply`"),
        ("sha256 = \"e3", "sha256 = \"E3", "not 64 lower-case"),
        ("licence", "license", "unknown field `license`; did you mean `licence`?"),
        ("bytes = 1", "bytes = 1099511627777", "MAX_DATASET_FILE_BYTES"),
        ("bytes = 1\n", "", "needs `bytes` beside `sha256`"),
    ] {
        std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let error = DatasetManifest::load(&path).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("bad.toml"), "{error}");
    }
    std::fs::write(&path, good.replacen("bytes = 1", "bytes = 1099511627776", 1)).unwrap();
    DatasetManifest::load(&path).unwrap();
}

fn repository(folder: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder)
}

/// Every `data = "..."` of a card, whatever the section.
fn data_paths(card: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(card).unwrap();
    let value = |line: &str| Some(line.strip_prefix("data = \"")?.strip_suffix('"')?.to_string());
    text.lines().filter_map(value).collect()
}

#[test]
fn every_file_that_a_card_reads_is_in_a_manifest() {
    let manifests = DatasetManifest::load_all(&repository("datasets")).unwrap();
    for (folder, file) in [("benchmarks", "benchmark.toml"), ("models", "model.toml")] {
        for entry in std::fs::read_dir(repository(folder)).unwrap() {
            let directory = entry.unwrap().path();
            if !directory.join(file).is_file() {
                continue;
            }
            let name = directory.file_name().unwrap().to_string_lossy().into_owned();
            for path in data_paths(&directory.join(file)) {
                let owner = manifests.iter().find(|m| {
                    m.files.iter().any(|f| f.path == Path::new(&path))
                        || m.folders.iter().any(|f| f.path == Path::new(&path))
                });
                let owner =
                    owner.unwrap_or_else(|| panic!("{folder}/{name} reads {path}, which no manifest names"));
                let listed = if folder == "models" { &owner.models } else { &owner.benchmarks };
                assert!(listed.contains(&name), "{} does not list {folder}/{name}", owner.id);
            }
        }
    }
    for name in manifests.iter().flat_map(|m| &m.benchmarks) {
        BenchmarkCard::load(&repository("benchmarks").join(name)).unwrap();
    }
}

#[test]
fn every_file_that_a_scan_reads_is_in_a_manifest() {
    let manifests = DatasetManifest::load_all(&repository("datasets")).unwrap();
    for entry in std::fs::read_dir(repository("scans")).unwrap() {
        let directory = entry.unwrap().path();
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        let references = scan_references(&directory, Path::new("")).unwrap();
        assert!(!references.is_empty(), "scans/{name}");
        for path in references {
            let owner = manifests.iter().find(|m| m.files.iter().any(|f| f.path == path));
            let owner = owner
                .unwrap_or_else(|| panic!("scans/{name} reads {}, which no manifest names", path.display()));
            assert!(owner.scans.contains(&name), "{} does not list scans/{name}", owner.id);
        }
    }
    for name in manifests.iter().flat_map(|m| &m.scans) {
        ScanCard::load(&repository("scans").join(name)).unwrap();
    }
}

#[test]
fn manifests_name_the_real_files() {
    let Some(data) = real_data() else { return };
    // What has no known location is with those whom its owners have given it.
    let manifests = DatasetManifest::load_all(&repository("datasets")).unwrap();
    for manifest in manifests.iter().filter(|manifest| manifest.is_available()) {
        for status in manifest.status(&data).unwrap() {
            assert_eq!(status.state, FileState::Present, "{}: {}", manifest.id, status.path.display());
            let target = data.join(&status.path);
            let bytes = if target.is_dir() {
                tree_digest(&target).unwrap().2
            } else {
                target.metadata().unwrap().len()
            };
            assert_eq!(Some(bytes), status.bytes, "{}", status.path.display());
        }
    }
}

/// A file that no one can fetch, with and without a digest.
const SUPPLIED: &str = "id = \"lab\"\ntitle = \"t\"\nlicence = \"l\"\ncitation = \"c\"\n\
    [[files]]\npath = \"lab/a.nc\"\nsupply = \"ask its authors\"\n\
    [[files]]\npath = \"lab/b.nc\"\nsupply = \"ask its authors\"\nsha1 = \"SHA1\"\n";

/// SHA-1 of `abc` (FIPS 180-2, appendix A).
const SHA1_OF_ABC: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";

#[test]
fn files_without_a_known_location_say_how_to_supply_them() {
    let manifest =
        DatasetManifest::parse(&SUPPLIED.replace("SHA1", SHA1_OF_ABC), Path::new("lab.toml")).unwrap();
    assert!(!manifest.is_available());
    let (data, mirror) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let error = manifest.fetch(data.path(), FetchFrom::Network, &|_| ()).unwrap_err().to_string();
    for part in ["lab/a.nc", "lab/b.nc", "ask its authors", "ventral datasets fetch lab --mirror DIR"] {
        assert!(error.contains(part), "{error}");
    }
    std::fs::create_dir(mirror.path().join("lab")).unwrap();
    std::fs::write(mirror.path().join("lab/a.nc"), b"anything").unwrap();
    std::fs::write(mirror.path().join("lab/b.nc"), b"abd").unwrap();
    let from = FetchFrom::Mirror(mirror.path());
    let error = manifest.fetch(data.path(), from, &|_| ()).unwrap_err().to_string();
    assert!(error.contains("b.nc: sha1 is") && error.contains(SHA1_OF_ABC), "{error}");
    assert!(!data.path().join("lab/b.nc").exists(), "other bytes are not placed");
    std::fs::write(mirror.path().join("lab/b.nc"), b"abc").unwrap();
    let report = manifest.fetch(data.path(), from, &|_| ()).unwrap();
    assert_eq!(report.unverified, [Path::new("lab/a.nc")]);
    let states: Vec<FileState> =
        manifest.status(data.path()).unwrap().into_iter().map(|status| status.state).collect();
    assert_eq!(states, [FileState::Unverified { digest: sha256(b"anything") }, FileState::Present]);
    assert!(manifest.fetch(data.path(), FetchFrom::Network, &|_| ()).is_ok(), "everything is here");
}

#[test]
fn a_file_with_a_sha1_alone_is_fetched_and_checked() {
    let text = |url: &str, sha1: &str| {
        format!(
            "id = \"test\"\ntitle = \"t\"\nlicence = \"l\"\ncitation = \"c\"\n\
             [[files]]\npath = \"file.bin\"\nurl = \"{url}\"\nsha1 = \"{sha1}\"\n"
        )
    };
    for (sha1, right) in [(SHA1_OF_ABC, true), ("0000000000000000000000000000000000000000", false)] {
        // The first request asks for the length alone.
        let (url, server) = serve(b"abc", &[Answer::Whole, Answer::Whole]);
        let manifest = DatasetManifest::parse(&text(&url, sha1), Path::new("m.toml")).unwrap();
        let data = tempfile::tempdir().unwrap();
        let fetched = manifest.fetch(data.path(), FetchFrom::Network, &|_| ());
        server.join().unwrap();
        assert_eq!(fetched.is_ok(), right, "{fetched:?}");
        assert_eq!(data.path().join("file.bin").exists(), right);
    }
}

#[test]
fn a_manifest_says_where_a_file_is_and_what_it_must_be() {
    let entry = |fields: &str| {
        let text = format!(
            "id = \"test\"\ntitle = \"t\"\nlicence = \"l\"\ncitation = \"c\"\n[[files]]\npath = \"f\"\n{fields}"
        );
        DatasetManifest::parse(&text, Path::new("m.toml")).map_err(|e| e.to_string())
    };
    let sha256 = "0".repeat(64);
    for (fields, part) in [
        (String::new(), "needs one of"),
        (format!("url = \"u\"\nsupply = \"s\"\nsha1 = \"{SHA1_OF_ABC}\""), "needs one of"),
        ("url = \"u\"".to_string(), "needs `sha256`"),
        (format!("url = \"u\"\nsha256 = \"{sha256}\""), "needs `bytes`"),
        ("supply = \"s\"\nsha1 = \"12\"".to_string(), "40 lower-case"),
    ] {
        let error = entry(&fields).unwrap_err();
        assert!(error.contains(part) && error.contains("f: "), "{error}");
    }
    assert!(entry("supply = \"s\"").is_ok());
}

#[test]
fn cards_whose_data_is_not_here_name_the_file_and_the_data_set() {
    let empty = tempfile::tempdir().unwrap();
    let manifests = DatasetManifest::load_all(&repository("datasets")).unwrap();
    let mut cards = 0;
    for manifest in manifests.iter().filter(|manifest| manifest.id.starts_with("brainscore-")) {
        for folder in &manifest.benchmarks {
            cards += 1;
            let path = repository("benchmarks").join(folder);
            let card = BenchmarkCard::load(&path).unwrap();
            assert_eq!(card.dataset.as_ref(), Some(&manifest.id), "{folder}");
            let fetch = format!("ventral datasets fetch {}", manifest.id);
            let error = ventral_data::load_benchmark(&path, Some(empty.path())).unwrap_err().to_string();
            assert!(
                error.contains("stimuli.zip does not exist") && error.contains(&fetch),
                "{folder}: {error}"
            );
            let problems = ventral_data::check_benchmark(&path, Some(empty.path())).problems;
            for file in data_paths(&path.join("benchmark.toml")) {
                let named = problems.iter().any(|p| p.problem.contains(&file) && p.problem.contains(&fetch));
                assert!(named, "{folder}: {file} is not named in {problems:#?}");
            }
            let error = ventral_data::load_benchmark(&path, None).unwrap_err().to_string();
            assert!(error.contains("VENTRAL_DATA") && error.contains(&fetch), "{folder}: {error}");
        }
    }
    assert!(cards >= 21, "{cards} cards of Brain-Score");
}
