//! Checkpoints of a synthesis whose checksum fits: a run that goes on from one can be looked at and written again.
#![no_main]

use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use ventral_synthesis::{Run, Settings};

/// Bytes before the records: magic, revision, length, digest of the settings, length of the records, number of parameters.
const HEADER: usize = 8 + 4 + 8 + 32 + 8 + 8;
const LENGTH: std::ops::Range<usize> = 12..20;
const RECORDS: std::ops::Range<usize> = 52..60;
const CHECKSUM: usize = 32;

fn settings() -> Settings {
    Settings { size: [8, 8], ..Settings::default() }
}

static START: LazyLock<Vec<u8>> =
    LazyLock::new(|| Run::<f32>::new(settings()).expect("a run").checkpoint());

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (&[how, place, value], text) = bytes.split_first_chunk().unwrap_or((&[0; 3], &[]));
    let end = START.len() - CHECKSUM;
    let old = usize::from_le_bytes(START[RECORDS].try_into().expect("eight bytes"));
    let mut checkpoint = START[..HEADER].to_vec();
    checkpoint.extend(if how & 1 == 0 { text } else { &START[HEADER..HEADER + old] });
    let records = (checkpoint.len() - HEADER) as u64;
    checkpoint[RECORDS].copy_from_slice(&records.to_le_bytes());
    checkpoint.extend(&START[HEADER + old..end]);
    if how & 2 != 0 {
        // Anything in the numbers, or in the counts of the header.
        let range = if how & 4 == 0 { RECORDS.start..HEADER } else { checkpoint.len() - 64..checkpoint.len() };
        let place = range.start + usize::from(place) % range.len();
        checkpoint[place] = value;
    }
    let length = (checkpoint.len() + CHECKSUM) as u64;
    checkpoint[LENGTH].copy_from_slice(&length.to_le_bytes());
    let checksum = Sha256::digest(&checkpoint);
    checkpoint.extend_from_slice(&checksum);
    if let Ok(run) = Run::<f32>::resume(settings(), &checkpoint) {
        let again = Run::<f32>::resume(settings(), &run.checkpoint()).expect("what was read can be read again");
        assert_eq!(again.steps(), run.steps());
        let _ = (run.stopped(), run.images(), run.quantised());
    }
});
