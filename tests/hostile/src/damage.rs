//! Good files with bits flipped and ends cut off, deterministic from their number.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ventral_tests::binary::repository;

use crate::base::{self, write};
use crate::case::words;
use crate::{Case, Expect};

const FAMILY: &str = "damage";
/// Damaged copies of each file, and how many of them are in the dose.
const COPIES: u64 = 40;
const DOSE: u64 = 1;
/// Half of the damage is done where headers are.
const HEAD_BYTES: usize = 400;

/// A good file of a crate's tests, the card's fields that read it, and as what.
const FILES: [(&str, &str); 9] = [
    ("recording.nc", "format = \"nc\""),
    ("odd.nc", "format = \"nc\""),
    ("f64.npy", "format = \"npy\""),
    ("plain.mat", "format = \"mat\"\nvariable = \"x\""),
    ("compressed.mat", "format = \"mat\"\nvariable = \"x\""),
    ("stimuli.csv", "format = \"csv\""),
    ("layers.npz", ""),
    ("layers.safetensors", ""),
    ("odd.nc", ""),
];

/// SplitMix64 (Steele et al. 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn damaged(mut bytes: Vec<u8>, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let range = if random.below(2) == 0 { bytes.len().min(HEAD_BYTES) } else { bytes.len() };
    for _ in 0..=random.below(5) {
        let place = random.below(range);
        if let Some(byte) = bytes.get_mut(place) {
            // Whole bytes of all ones make sizes absurd.
            *byte = if random.below(4) == 0 { 0xff } else { *byte ^ (1 << random.below(8)) };
        }
    }
    if random.below(4) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
    bytes
}

fn fixture(name: &str) -> PathBuf {
    repository().join("crates/data/tests/data").join(name)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, (file, fields)) in FILES.into_iter().enumerate() {
        for copy in 0..COPIES {
            let make = move |folder: &Path| -> io::Result<Vec<String>> {
                base::good(folder)?;
                write(folder, file, damaged(fs::read(fixture(file))?, 1000 * index as u64 + copy))?;
                if fields.is_empty() {
                    write(folder, "model.toml", base::MODEL.replace("layer.npy", file))?;
                    return Ok(words("models check model.toml"));
                }
                let to = format!("{fields}\nfile = \"{file}\"");
                write(
                    folder,
                    "benchmark.toml",
                    base::BENCHMARK.replace("format = \"csv\"\nfile = \"responses.csv\"", &to),
                )?;
                Ok(words("benchmarks check benchmark.toml"))
            };
            let case = Case::new(FAMILY, format!("{file}, copy {copy}"), Expect::Either, make);
            cases.push(if copy < DOSE { case } else { case.heavy() });
        }
    }
    for (file, text, command) in crate::cards::KINDS {
        for copy in 0..COPIES {
            let make = move |folder: &Path| {
                let place = crate::cards::around(folder, file)?;
                write(folder, &place, damaged(text.as_bytes().to_vec(), copy))?;
                Ok(words(command))
            };
            let case = Case::new(FAMILY, format!("{file}, copy {copy}"), Expect::Either, make);
            cases.push(if copy < DOSE { case } else { case.heavy() });
        }
    }
    cases
}
