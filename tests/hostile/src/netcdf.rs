//! NetCDF-4 files, which are HDF5: groups that contain each other.

use std::io;
use std::path::Path;

use crate::Case;
use crate::base::{self, write};
use crate::case::words;

const FAMILY: &str = "netcdf";
const FILE: &str = "responses.nc";
/// What there is in groups without numbers.
const NOTHING: &str = "no main variable";
const UNDEFINED: u64 = u64::MAX;
/// Bytes of a group in the file: object header, tree, heap, table of symbols.
const GROUP_BYTES: u64 = 40 + 544 + 32 + HEAP_BYTES + 8 + 8 * 40;
const HEAP_BYTES: u64 = 64;
const SUPERBLOCK_BYTES: u64 = 96;

fn benchmark(folder: &Path) -> io::Result<Vec<String>> {
    base::good(folder)?;
    let card = base::BENCHMARK
        .replace("format = \"csv\"\nfile = \"responses.csv\"", "format = \"nc\"\nfile = \"responses.nc\"");
    write(folder, "benchmark.toml", card)?;
    Ok(words("benchmarks check benchmark.toml"))
}

fn address(group: usize) -> u64 {
    SUPERBLOCK_BYTES + group as u64 * GROUP_BYTES
}

fn words_of(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A file of groups, the first is the root; each has links, at most eight, to others by number.
fn hdf5(groups: &[Vec<usize>]) -> Vec<u8> {
    let mut bytes = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\x04\0\x10\0\0\0\0\0".to_vec();
    bytes.extend(words_of(&[0, UNDEFINED, address(groups.len()), UNDEFINED, 0, address(0), 0, 0, 0]));
    for (index, links) in groups.iter().enumerate() {
        let start = address(index);
        let (tree, heap) = (start + 40, start + 40 + 544);
        let (names, symbols) = (heap + 32, heap + 32 + HEAP_BYTES);
        bytes.extend([1, 0, 1, 0, 1, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0x11, 0, 16, 0, 0, 0, 0, 0]);
        bytes.extend(words_of(&[tree, heap]));
        bytes.extend(b"TREE\0\0");
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(words_of(&[UNDEFINED, UNDEFINED, 0, symbols, 8 * links.len() as u64]));
        bytes.resize((tree + 544) as usize, 0);
        bytes.extend(b"HEAP\0\0\0\0");
        bytes.extend(words_of(&[HEAP_BYTES, 1, names]));
        bytes.extend([0; 8]);
        (1..8).for_each(|link| bytes.extend(format!("g{link}\0\0\0\0\0\0").as_bytes()));
        bytes.resize(symbols as usize, 0);
        bytes.extend(b"SNOD\x01\0");
        bytes.extend((links.len() as u16).to_le_bytes());
        for (link, target) in links.iter().enumerate() {
            bytes.extend(words_of(&[8 * (link as u64 + 1), address(*target), 0, 0, 0]));
        }
        bytes.resize(address(index + 1) as usize, 0);
    }
    bytes
}

pub(crate) fn cases() -> Vec<Case> {
    let chain = |length: usize, links: usize| -> Vec<Vec<usize>> {
        (0..length).map(|i| if i + 1 < length { vec![i + 1; links] } else { Vec::new() }).collect()
    };
    // Seven in each, `last` beside the root.
    let tree = |last: usize| -> Vec<Vec<usize>> {
        (0..=last).map(|i| (7 * i + 1..=7 * i + 7).filter(|&child| child <= last).collect()).collect()
    };
    let (deep, many) = ("MAX_NESTING", "MAX_GROUPS");
    let graphs: [(&'static str, &'static str, Vec<Vec<usize>>); 10] = [
        ("a group in itself", deep, vec![vec![0]]),
        ("two groups in each other", deep, vec![vec![1], vec![2], vec![1]]),
        ("seven groups in each other", deep, vec![(0..7).collect(); 7]),
        ("a chain of 60 groups, each twice in the one above", deep, chain(60, 2)),
        ("a chain of 15 groups, each seven times in the one above", many, chain(15, 7)),
        ("a chain of 3000 groups", deep, chain(3000, 1)),
        ("groups as deep as they may be", NOTHING, chain(17, 1)),
        ("one group too deep", deep, chain(18, 1)),
        ("as many groups as there may be", NOTHING, tree(1000)),
        ("one group too many", many, tree(1001)),
    ];
    let mut cases = Vec::new();
    for (name, text, groups) in graphs {
        let bytes = hdf5(&groups);
        cases.push(Case::refused(FAMILY, name, &[FILE, text], move |folder| {
            write(folder, FILE, &bytes)?;
            benchmark(folder)
        }));
    }
    cases
}
