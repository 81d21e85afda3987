//! NumPy arrays and safetensors, as given activations.

use std::io::{self, Write};
use std::path::Path;

use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::Case;
use crate::base::{self, npy, npy_head, repeat, write};
use crate::case::words;

const FAMILY: &str = "arrays";
const COMMAND: &str = "models check model.toml";

fn model(folder: &Path, file: &str) -> io::Result<Vec<String>> {
    base::good(folder)?;
    write(folder, "model.toml", base::MODEL.replace("layer.npy", file))?;
    Ok(words(COMMAND))
}

/// An archive with one array of a repeated piece.
fn npz(folder: &Path, descr: &str, shape: &str, piece: &[u8], bytes: u64) -> io::Result<Vec<String>> {
    let file = std::fs::File::create(folder.join("layer.npz"))?;
    let mut archive = zip::ZipWriter::new(file);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .large_file(bytes > 1 << 31);
    archive.start_file("stimulus_id.npy", options)?;
    archive.write_all(&npy_head(descr, shape))?;
    repeat(&mut archive, piece, bytes)?;
    archive.finish()?;
    model(folder, "layer.npz")
}

pub(crate) fn cases() -> Vec<Case> {
    [archives(), arrays(), tensors()].into_iter().flatten().collect()
}

fn archives() -> Vec<Case> {
    let mut cases = Vec::new();
    for (millions, heavy) in [(2u64, false), (300, true)] {
        let texts = |kind: &'static str, piece: &'static [u8]| {
            Case::refused(
                FAMILY,
                format!("npz: {millions} million texts of {kind}"),
                &["layer.npz"],
                move |folder| {
                    let count = millions * 1_000_000;
                    npz(folder, kind, &format!("({count},)"), piece, count * piece.len() as u64)
                },
            )
        };
        for case in [texts("|S1", b"a"), texts("<U1", b"a\0\0\0"), texts("|S0", b"a")] {
            cases.push(if heavy { case.heavy() } else { case });
        }
    }
    cases.push(
        Case::refused(FAMILY, "npz: inflates to 6 GB", &["layer.npz"], |folder| {
            npz(folder, "<f4", "(4, 375000000)", &[0], 6_000_000_000)
        })
        .heavy(),
    );
    cases
}

fn arrays() -> Vec<Case> {
    let mut cases = Vec::new();
    let npys: [(&'static str, &str, &str); 12] = [
        ("more than there is", "<f4", "(4, 1000000)"),
        ("an absurd axis", "<f4", "(18446744073709551615, 4)"),
        ("a product beyond 64 bits", "<f4", "(4294967296, 4294967296, 4)"),
        ("nothing beside an absurd axis", "<f4", "(0, 1152921504606846976)"),
        (
            "a hundred axes",
            "<f4",
            "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)",
        ),
        ("a negative axis", "<f4", "(-4, 6)"),
        ("no tuple", "<f4", "4"),
        ("objects", "|O", "(4, 6)"),
        ("an absurd text", "<U4611686018427387904", "(4,)"),
        ("a text beyond 64 bits", "|S99999999999999999999", "(4,)"),
        ("no byte order", "f4", "(4, 6)"),
        ("no type", "", "(4, 6)"),
    ];
    for (name, descr, shape) in npys {
        let bytes = npy(descr, shape, &[0; 96]);
        cases.push(Case::refused(FAMILY, format!("npy: {name}"), &["layer.npy"], move |folder| {
            let words = model(folder, "layer.npy")?;
            write(folder, "layer.npy", &bytes)?;
            Ok(words)
        }));
    }
    cases
}

fn tensors() -> Vec<Case> {
    let mut cases = Vec::new();
    let tensors: [(&'static str, u64, &[u8]); 6] = [
        ("an absurd header", u64::MAX, b"{}"),
        ("a header beyond its end", 1 << 20, b"{}"),
        (
            "an absurd shape",
            0,
            br#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,8]}}"#,
        ),
        (
            "offsets beyond the end",
            0,
            br#"{"a":{"dtype":"F32","shape":[4,2],"data_offsets":[0,99999999999]}}"#,
        ),
        ("offsets backwards", 0, br#"{"a":{"dtype":"F32","shape":[4,2],"data_offsets":[8,0]}}"#),
        ("nothing", 0, b"{}"),
    ];
    for (name, length, header) in tensors {
        cases.push(Case::refused(
            FAMILY,
            format!("safetensors: {name}"),
            &["layer.safetensors"],
            move |folder| {
                let length = if length == 0 { header.len() as u64 } else { length };
                write(folder, "layer.safetensors", [&length.to_le_bytes(), header].concat())?;
                model(folder, "layer.safetensors")
            },
        ));
    }
    cases
}
