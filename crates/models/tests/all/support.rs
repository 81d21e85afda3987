//! Fixtures and helpers.

use std::fs::File;
use std::path::{Path, PathBuf};

use ndarray::{Array, Dimension};
use ndarray_npy::{NpzReader, ReadableElement};
use ventral_models::{ModelCard, Network};

/// A file of the small committed fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The real data, or `None` with a note when they are not there.
pub fn data_dir() -> Option<PathBuf> {
    let directory = std::env::var_os("VENTRAL_DATA").map(PathBuf::from);
    if directory.is_none() {
        eprintln!("SKIPPED: VENTRAL_DATA is not set");
    }
    directory
}

/// Card of one of the repository's models.
pub fn repository_card(name: &str, data: &Path) -> ModelCard {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models").join(name).join("model.toml");
    ModelCard::load(&path, Some(data)).unwrap()
}

/// One array of an npz file.
pub fn npz<T: ReadableElement, D: Dimension>(file: &str, array: &str) -> Array<T, D> {
    let mut reader = NpzReader::new(File::open(fixture(file)).unwrap()).unwrap();
    reader.by_name(array).unwrap_or_else(|error| panic!("{file} {array}: {error}"))
}

/// The preprocessing that the small model's goldens were made with.
pub const TINY_INPUT: &str = r#"
[input]
size = [16, 16]
channels = "rgb"
scale = "1/255"
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
"#;

/// Writes a card for a fixture, with more lines before and after its `[input]`, and loads it.
pub fn card(
    directory: &Path,
    model: &Path,
    before: &str,
    after: &str,
) -> Result<ModelCard, ventral_models::Error> {
    let text = format!("identifier = \"tiny\"\nfile = {model:?}\n{before}\n{TINY_INPUT}\n{after}\n");
    let path = directory.join("model.toml");
    std::fs::write(&path, text).unwrap();
    ModelCard::load(&path, None)
}

/// The small network with the layers of `patterns`.
pub fn tiny(patterns: &str) -> Network {
    let directory = tempfile::tempdir().unwrap();
    let card = card(directory.path(), &fixture("tiny.onnx"), "", patterns).unwrap();
    Network::load(&card).unwrap()
}

/// Runs `work` on a pool of `threads` threads.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}
