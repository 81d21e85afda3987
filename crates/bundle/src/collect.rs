//! From a spec to the files that its job reads.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use ventral_data::{CardFiles, SCAN_FILE, benchmark_files, scan_files};
use ventral_models::ModelCard;
use ventral_plan::{CardKind, JobSpec};

use crate::manifest::{CardEntry, DATA, FILES, FileEntry, Manifest, REVISION, check_path};
use crate::{Error, resolve, resolve_natural};

/// The files of a job on this machine.
#[derive(Debug, Clone)]
pub struct Collected {
    /// What they are.
    pub manifest: Manifest,
    /// Where they are, in the order of the manifest's files.
    pub sources: Vec<PathBuf>,
    /// Cards that cannot be used as they are, and why; they are part of the bundle, and fail alone.
    pub problems: Vec<String>,
}

/// A file before it has a virtual path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    source: PathBuf,
    in_data: bool,
}

struct FoundCard {
    kind: CardKind,
    /// The card first.
    files: Vec<Found>,
}

/// Finds and hashes all files that a job reads: its spec, the cards, and what these name.
///
/// Paths below the nearest common folder of spec, cards and the files beside them stay as they are, and so do those below the
/// data directory, so that a spec and its cards mean the same in a [`crate::Workspace`].
///
/// # Errors
/// A spec that cannot be used, an entry without a card, a card or file that cannot be read, limits of a manifest. What is wrong
/// inside a card is in [`Collected::problems`].
pub fn collect(spec_file: &Path, data_dir: Option<&Path>) -> Result<Collected, Error> {
    let spec = read_spec(spec_file)?;
    let mut problems = Vec::new();
    let mut cards = Vec::new();
    for file in resolve(spec_file, "models", &spec.models, "model.toml")? {
        cards.push(model_card(file, data_dir, &mut problems));
    }
    for file in resolve(spec_file, "benchmarks", &spec.benchmarks, "benchmark.toml")? {
        cards.push(listed_card(CardKind::Benchmark, benchmark_files(&file, data_dir), &mut problems));
    }
    let scans = spec.searchlight.iter().flat_map(|searchlight| searchlight.scans.clone()).collect::<Vec<_>>();
    for file in resolve(spec_file, "searchlight.scans", &scans, SCAN_FILE)? {
        cards.push(listed_card(CardKind::Scan, scan_files(&file, data_dir), &mut problems));
    }
    if let Some(file) = resolve_natural(spec_file, &spec)? {
        cards.push(listed_card(CardKind::Pool, benchmark_files(&file, data_dir), &mut problems));
    }
    let spec_file = Found { source: spec_file.to_owned(), in_data: false };
    let names = Names::of(&spec_file, &cards, data_dir)?;
    let mut files = BTreeMap::new();
    let spec = names.path(&spec_file)?;
    files.insert(spec.clone(), spec_file.source);
    let mut listed = Vec::with_capacity(cards.len());
    for card in cards {
        let paths = named(&card, &names, &mut files, &mut problems)?;
        listed.push((card.kind, paths));
    }
    let (files, sources) = hashed(files)?;
    let mut manifest = Manifest { revision: REVISION, spec, files, cards: Vec::new() };
    let mut cards: Vec<CardEntry> = Vec::with_capacity(listed.len());
    let mut seen = HashSet::with_capacity(listed.len());
    for (kind, paths) in listed {
        let mut positions: Vec<usize> = paths.iter().filter_map(|path| manifest.position(path)).collect();
        positions.sort_unstable();
        positions.dedup();
        let path = paths.into_iter().next().unwrap_or_default();
        if seen.insert((kind, path.clone())) {
            cards.push(CardEntry { kind, path, files: positions });
        }
    }
    manifest.cards = cards;
    manifest.check()?;
    Ok(Collected { manifest, sources, problems })
}

fn read_spec(path: &Path) -> Result<JobSpec, Error> {
    let text = ventral_input::read_card(path).map_err(|e| Error::io("cannot read", path, e))?;
    Ok(JobSpec::from_toml(&text, &path.display().to_string())?)
}

fn listed_card(kind: CardKind, listed: CardFiles, problems: &mut Vec<String>) -> FoundCard {
    problems.extend(listed.problem.map(|problem| problem.to_string()));
    let files = listed.files.into_iter().map(|file| Found { source: file.path, in_data: file.in_data });
    FoundCard { kind, files: files.collect() }
}

fn model_card(file: PathBuf, data_dir: Option<&Path>, problems: &mut Vec<String>) -> FoundCard {
    let mut files = vec![Found { source: file.clone(), in_data: false }];
    match ModelCard::load(&file, data_dir) {
        Err(error) => problems.push(error.to_string()),
        Ok(card) if names_absolute(&card) => problems.push(format!(
            "{}: an absolute path means nothing on another machine; make it relative to the card or the data directory",
            file.display()
        )),
        Ok(card) => {
            let named = card.files().unwrap_or_else(|error| {
                problems.push(error.to_string());
                // A damaged model is sent as it is: what is wrong with it is found there too.
                vec![card.source().to_owned()]
            });
            let exists = |path: &PathBuf| path.is_file();
            let in_data = card.is_in_data_dir();
            files.extend(named.into_iter().filter(exists).map(|source| Found { source, in_data }));
        }
    }
    FoundCard { kind: CardKind::Model, files }
}

fn names_absolute(card: &ModelCard) -> bool {
    let given = card.given().into_iter().flat_map(|given| [&given.file, &given.data]);
    [&card.file, &card.data].into_iter().chain(given).flatten().any(|path| path.is_absolute())
}

/// The virtual paths of a card's files, the card's first; what cannot have one is a problem of the card.
fn named(
    card: &FoundCard,
    names: &Names,
    files: &mut BTreeMap<String, PathBuf>,
    problems: &mut Vec<String>,
) -> Result<Vec<String>, Error> {
    let mut paths = Vec::with_capacity(card.files.len());
    for (index, file) in card.files.iter().enumerate() {
        match names.path(file) {
            Ok(path) => {
                files.entry(path.clone()).or_insert_with(|| file.source.clone());
                paths.push(path);
            }
            Err(error) if index == 0 => return Err(error),
            Err(error) => problems.push(error.to_string()),
        }
    }
    Ok(paths)
}

fn hashed(files: BTreeMap<String, PathBuf>) -> Result<(Vec<FileEntry>, Vec<PathBuf>), Error> {
    let mut entries = Vec::with_capacity(files.len());
    let mut sources = Vec::with_capacity(files.len());
    for (path, source) in files {
        let (text, bytes) = ventral_data::sha256_file(&source).map_err(|error| match error {
            ventral_data::Error::Io { path, source } => Error::io("cannot read", path, source),
            other => Error::File { path: source.clone(), problem: other.to_string() },
        })?;
        let digest = text.try_into().map_err(|e: ventral_plan::InvalidDigest| Error::File {
            path: source.clone(),
            problem: e.to_string(),
        })?;
        entries.push(FileEntry { path, digest, bytes });
        sources.push(source);
    }
    Ok((entries, sources))
}

/// Where virtual paths begin.
struct Names {
    /// Nearest common folder of what does not lie in the data directory.
    ancestor: PathBuf,
    data_dir: Option<PathBuf>,
}

impl Names {
    fn of(spec: &Found, cards: &[FoundCard], data_dir: Option<&Path>) -> Result<Self, Error> {
        let mut ancestor = folder(&plain(&spec.source)?);
        for file in cards.iter().flat_map(|card| &card.files).filter(|file| !file.in_data) {
            let folder = folder(&plain(&file.source)?);
            while !folder.starts_with(&ancestor) && ancestor.pop() {}
        }
        Ok(Self { ancestor, data_dir: data_dir.map(plain).transpose()? })
    }

    fn path(&self, file: &Found) -> Result<String, Error> {
        let refuse = |problem: String| Error::File { path: file.source.clone(), problem };
        let path = plain(&file.source)?;
        let (top, base) = match &self.data_dir {
            Some(data_dir) if file.in_data => (DATA, data_dir),
            _ => (FILES, &self.ancestor),
        };
        let relative = path
            .strip_prefix(base)
            .map_err(|_| refuse(format!("is outside of {}; keep it below", base.display())))?;
        let mut text = top.to_owned();
        for part in relative.components() {
            let part = part.as_os_str().to_str();
            let part = part.ok_or_else(|| refuse("its path is not UTF-8; rename it".to_owned()))?;
            text.push('/');
            text.push_str(part);
        }
        check_path(&text)
            .map_err(|problem| refuse(format!("its path in the bundle, {text:?}, {problem}")))?;
        if !fs::metadata(&file.source).is_ok_and(|metadata| metadata.is_file()) {
            return Err(refuse("is no file that can be read".to_owned()));
        }
        Ok(text)
    }
}

/// The absolute path without `.` and `..`, as it will be where there are no links.
fn plain(path: &Path) -> Result<PathBuf, Error> {
    let absolute = std::path::absolute(path).map_err(|e| Error::io("cannot find", path, e))?;
    Ok(without_dots(&absolute))
}

/// A path without `.`, and with every `..` and the part before it left out.
pub(crate) fn without_dots(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

fn folder(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}
