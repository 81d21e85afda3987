//! MATLAB level-5 files, as responses.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::Case;
use crate::base::{self, repeat, write};
use crate::case::words;

const FAMILY: &str = "matlab";
const FILE: &str = "responses.mat";
const INT8: u32 = 1;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
const CELL: u32 = 1;
const STRUCT: u32 = 2;
const CHAR: u32 = 4;
const DOUBLE: u32 = 6;

fn benchmark(folder: &Path) -> io::Result<Vec<String>> {
    base::good(folder)?;
    let card = base::BENCHMARK.replace(
        "format = \"csv\"\nfile = \"responses.csv\"",
        "format = \"mat\"\nvariable = \"x\"\nfile = \"responses.mat\"",
    );
    write(folder, "benchmark.toml", card)?;
    Ok(words("benchmarks check benchmark.toml"))
}

fn header() -> Vec<u8> {
    let mut bytes = vec![b' '; 124];
    bytes.extend([0, 1, b'I', b'M']);
    bytes
}

fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// Flags, dimensions and name of an array.
fn head(class: u32, shape: &[i32], name: &str) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|axis| axis.to_le_bytes()).collect();
    let flags = [class.to_le_bytes(), [0; 4]].concat();
    [element(UINT32, &flags), element(INT32, &shape), element(INT8, name.as_bytes())].concat()
}

fn plain(matrix: &[u8]) -> Vec<u8> {
    [header(), element(MATRIX, matrix)].concat()
}

/// A compressed array: its head, then a piece again and again.
fn inflating(folder: &Path, head: &[u8], piece: &[u8], bytes: u64) -> io::Result<Vec<String>> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(&MATRIX.to_le_bytes())?;
    zlib.write_all(&((head.len() as u64 + bytes) as u32).to_le_bytes())?;
    zlib.write_all(head)?;
    repeat(&mut zlib, piece, bytes)?;
    let compressed = zlib.finish()?;
    let size = (compressed.len() as u32).to_le_bytes();
    write(folder, FILE, [&header(), COMPRESSED.to_le_bytes().as_slice(), &size, &compressed].concat())?;
    benchmark(folder)
}

/// Cells of as many empty arrays as there may be, and of one more.
fn cells_at_the_bound(empty: &[u8]) -> impl Iterator<Item = Case> {
    let bound = [(1 << 22, "it is a cell array [4194304, 1]"), ((1 << 22) + 1, "MAX_NESTED_VALUES")];
    bound.into_iter().map(|(count, text)| {
        let (head, empty) = (head(CELL, &[count, 1], "x"), empty.to_vec());
        Case::refused(FAMILY, format!("a cell of {count} empty arrays"), &[text], move |folder| {
            inflating(folder, &head, &empty, count as u64 * 8)
        })
    })
}

pub(crate) fn cases() -> Vec<Case> {
    let empty = [MATRIX.to_le_bytes(), [0; 4]].concat();
    let mut cases: Vec<Case> = cells_at_the_bound(&empty).collect();
    for (millions, heavy) in [(5u64, false), (60, true)] {
        let count = millions * 1_000_000;
        for (name, class) in [("cell", CELL), ("struct", STRUCT)] {
            let mut head = head(class, &[count as i32, 1], "x");
            if class == STRUCT {
                head.extend(element(INT32, &2i32.to_le_bytes()));
                head.extend(element(INT8, b"a\0"));
            }
            let empty = empty.clone();
            let case = Case::refused(
                FAMILY,
                format!("a {name} of {millions} million empty arrays"),
                &[FILE],
                move |folder| inflating(folder, &head, &empty, count * 8),
            );
            cases.push(if heavy { case.heavy() } else { case });
        }
    }
    let doubles = head(DOUBLE, &[4, 2], "x");
    cases.push(
        Case::refused(FAMILY, "inflates to 3 GB", &[FILE], move |folder| {
            inflating(folder, &doubles, &[0], 3_000_000_000)
        })
        .heavy(),
    );
    let text = head(CHAR, &[100_000_000, 1], "x");
    cases.push(
        Case::refused(FAMILY, "a column of 100 million characters", &[FILE], move |folder| {
            let body =
                [text.as_slice(), &element(INT8, &[])[..0], &[1, 0, 0, 0], &100_000_000u32.to_le_bytes()]
                    .concat();
            inflating(folder, &body, b"a", 100_000_000)
        })
        .heavy(),
    );
    let mut nested = head(DOUBLE, &[1, 1], "");
    for _ in 0..2000 {
        nested = [head(CELL, &[1, 1], ""), element(MATRIX, &nested)].concat();
    }
    let fields = |length: i32, names: &[u8]| {
        [head(STRUCT, &[1, 1], "x"), element(INT32, &length.to_le_bytes()), element(INT8, names)].concat()
    };
    let bad: [(&'static str, Vec<u8>); 9] = [
        ("nothing", Vec::new()),
        ("a header alone", header()),
        ("cells in cells", plain(&nested)),
        ("an absurd shape", plain(&head(DOUBLE, &[-1, -1, -1], "x"))),
        ("more cells than bytes", plain(&head(CELL, &[1000, 1000, 1000], "x"))),
        ("nothing beside an absurd axis", plain(&head(CELL, &[0, i32::MAX], "x"))),
        ("fields of no length", plain(&fields(0, b"abc"))),
        ("fields of negative length", plain(&fields(-1, b"abc"))),
        (
            "an element beyond the end",
            [header(), MATRIX.to_le_bytes().to_vec(), u32::MAX.to_le_bytes().to_vec()].concat(),
        ),
    ];
    for (name, bytes) in bad {
        cases.push(Case::refused(FAMILY, name, &[], move |folder| {
            write(folder, FILE, &bytes)?;
            benchmark(folder)
        }));
    }
    cases
}
