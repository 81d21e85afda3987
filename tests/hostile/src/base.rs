//! Small good inputs, which cases then spoil in one place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A benchmark card over [`images`] and `responses.csv`.
pub(crate) const BENCHMARK: &str = r#"identifier = "Hostile"
version = "1"
region = "IT"
title = "Four images"

[stimuli]
format = "directory"
file = "images"

[assembly]
format = "csv"
file = "responses.csv"

[metric]
name = "rdm"
"#;

/// A model card over given activations.
pub(crate) const MODEL: &str = r#"identifier = "given"
description = "Numbers"

[activations]
file = "layer.npy"
"#;

/// A scan card whose volumes are not there.
pub(crate) const SCAN: &str = r#"identifier = "Scan"
version = "1"

[labels]
conditions = ["a", "b", "c", "d"]

[[subject]]
id = "01"

[[subject.run]]
volumes = [{ file = "volume.nii" }]
"#;

/// A spec of the model and the benchmark.
pub(crate) const SPEC: &str =
    "name = \"hostile\"\nmodels = [\"model.toml\"]\nbenchmarks = [\"benchmark.toml\"]\n";

/// A manifest of one file.
pub(crate) const DATASET: &str = r#"id = "set"
title = "A file"
licence = "CC0"
citation = "Nobody 2024"

[[files]]
path = "set/file.bin"
supply = "ask"
"#;

/// Identifiers of the images.
pub(crate) const IMAGES: [&str; 4] = ["a", "b", "c", "d"];

/// Writes a file and the folders above it.
pub(crate) fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> io::Result<()> {
    let path = folder.join(name);
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    fs::write(path, content)
}

/// A file that is written piece by piece: the kit itself stays small.
pub(crate) fn stream(folder: &Path, name: &str) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(folder.join(name))?))
}

/// Writes `piece` so often that there are `bytes` of it.
pub(crate) fn repeat(to: &mut impl Write, piece: &[u8], bytes: u64) -> io::Result<()> {
    let block = piece.repeat((1 << 16) / piece.len() + 1);
    let mut left = bytes - bytes % piece.len() as u64;
    while left > 0 {
        let part = left.min(block.len() as u64) as usize;
        to.write_all(&block[..part])?;
        left -= part as u64;
    }
    Ok(())
}

/// The good benchmark, model and spec.
pub(crate) fn good(folder: &Path) -> io::Result<()> {
    write(folder, "benchmark.toml", BENCHMARK)?;
    write(folder, "model.toml", MODEL)?;
    write(folder, "spec.toml", SPEC)?;
    images(folder)?;
    write(folder, "responses.csv", "stimulus_id,n0,n1,n2\na,1,2,3\nb,2,1,5\nc,4,4,1\nd,0,7,2\n")?;
    write(folder, "layer.npy", layer())
}

/// Activations of four images.
fn layer() -> Vec<u8> {
    let values = (0..24u16).flat_map(|i| f32::from(i * i * 7 % 23).to_le_bytes());
    npy("<f4", "(4, 6)", &values.collect::<Vec<u8>>())
}

/// Four images of 4 x 4 pixels.
pub(crate) fn images(folder: &Path) -> io::Result<()> {
    for (index, name) in IMAGES.iter().enumerate() {
        write(folder, &format!("images/{name}.bmp"), bmp(4, 4, 40 * index as u8))?;
    }
    Ok(())
}

/// An uncompressed picture of one colour.
pub(crate) fn bmp(width: i32, height: i32, grey: u8) -> Vec<u8> {
    let row = (3 * width as usize).next_multiple_of(4);
    let size = row * height as usize;
    let mut bytes = b"BM".to_vec();
    bytes.extend((54 + size as u32).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(54u32.to_le_bytes());
    bytes.extend(40u32.to_le_bytes());
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    bytes.extend(vec![grey; size]);
    bytes
}

/// An npy file.
pub(crate) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = npy_head(descr, shape);
    bytes.extend(data);
    bytes
}

/// What comes before the numbers of an npy file.
pub(crate) fn npy_head(descr: &str, shape: &str) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes
}
