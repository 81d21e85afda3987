//! Truncated and flipped files: every parser returns, none panics.

use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use ventral_data::{
    BenchmarkCard, DatasetManifest, Image, NiftiReader, ScanCard, StimulusSet, parse_activations,
    parse_assembly, parse_mat, parse_neighbourhoods, parse_npy, parse_npz, parse_safetensors, parse_table,
};

use crate::support::fixture;

/// Where headers are.
const HEAD_BYTES: usize = 400;

/// Parses bytes and says whether they were accepted.
type Parser = fn(&[u8]) -> bool;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn archive(bytes: &[u8]) -> bool {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    StimulusSet::from_zip("damaged", file.path(), "*")
        .is_ok_and(|set| (0..set.len()).all(|i| set.image(i).is_ok()))
}

fn repository(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

fn parsers() -> Vec<(std::path::PathBuf, Parser)> {
    let image: Parser = |b| Image::decode(b).is_ok();
    let netcdf: Parser = |b| parse_assembly(b.to_vec(), "x").is_ok();
    let mut all: Vec<(std::path::PathBuf, Parser)> = vec![
        (fixture("recording.nc"), netcdf),
        (fixture("odd.nc"), netcdf),
        (fixture("odd.nc"), |b| parse_activations(b.to_vec(), "x").is_ok()),
        (fixture("f64.npy"), |b| parse_npy(b).is_ok()),
        (fixture("layers.npz"), |b| parse_npz(b).is_ok()),
        (fixture("layers.npz"), |b| parse_activations(b.to_vec(), "x").is_ok()),
        (fixture("layers.safetensors"), |b| parse_safetensors(b).is_ok()),
        (fixture("plain.mat"), |b| parse_mat(b).is_ok()),
        (fixture("compressed.mat"), |b| parse_mat(b).is_ok()),
        (fixture("stimuli.csv"), |b| parse_table(&text(b)).is_ok()),
        (fixture("stimuli.zip"), archive),
        (repository("benchmarks/object2vec-subj001-loc/benchmark.toml"), |b| {
            BenchmarkCard::parse(&text(b), Path::new("card")).is_ok()
        }),
        (repository("scans/ak6/scan.toml"), |b| ScanCard::parse(&text(b), Path::new("card")).is_ok()),
        (fixture("nifti/int32.nii.gz"), |b| NiftiReader::from_bytes(b.to_vec(), Path::new("volume")).is_ok()),
        (fixture("neighbours.npz"), |b| parse_neighbourhoods(b, Path::new("lists.npz"), 6).is_ok()),
        (repository("datasets/object2vec-fmri.toml"), |b| {
            DatasetManifest::parse(&text(b), Path::new("manifest")).is_ok()
        }),
    ];
    for entry in std::fs::read_dir(fixture("images")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("jpeg_cmyk.jpg") && !path.ends_with("png_gray16.png") {
            all.push((path, image));
        }
    }
    all
}

#[test]
fn undamaged_files_are_accepted() {
    for (path, parser) in parsers() {
        assert!(parser(&std::fs::read(&path).unwrap()), "{}", path.display());
    }
}

#[test]
fn every_truncation_returns() {
    for (path, parser) in parsers() {
        let bytes = std::fs::read(&path).unwrap();
        for end in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
            parser(&bytes[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_return(
        flips in prop::collection::vec((0.0..1.0f64, 0..8u32), 1..6),
        // Most structure is at the beginning: half of the damage is done there.
        only_head in any::<bool>(),
        cut in prop::option::of(0.0..1.0f64),
    ) {
        for (path, parser) in parsers() {
            let mut bytes = std::fs::read(&path).unwrap();
            let range = if only_head { bytes.len().min(HEAD_BYTES) } else { bytes.len() };
            for (position, bit) in &flips {
                bytes[(position * range as f64) as usize] ^= 1 << bit;
            }
            let end = cut.map_or(bytes.len(), |c| (c * bytes.len() as f64) as usize);
            parser(&bytes[..end]);
        }
    }
}
