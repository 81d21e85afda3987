//! The store: create-only, verified, nothing half-written, nothing lost.

use std::fs;
use std::path::Path;

use ndarray::{Array2, array};
use proptest::prelude::*;
use ventral_metrics::{LayerGram, SplitScores};
use ventral_plan::Digest;
use ventral_store::{Error, LayerGramRecord, Put, ScoreRecord, Store};

fn open(directory: &Path) -> Store {
    Store::open(directory.join("store")).expect("a fresh store opens")
}

fn name(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

#[test]
fn an_object_is_written_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let digest = name("unit");
    assert!(!store.contains(&digest));
    assert_eq!(store.get(&digest).expect("readable"), None);
    assert_eq!(store.put(&digest, b"result").expect("written"), Put::Created);
    assert_eq!(store.put(&digest, b"result").expect("the same"), Put::Identical);
    assert!(matches!(store.put(&digest, b"other"), Err(Error::Conflict { .. })));
    assert_eq!(store.get(&digest).expect("readable").as_deref(), Some(&b"result"[..]));
}

#[test]
fn damage_is_seen_and_can_be_discarded() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let digest = name("unit");
    store.put(&digest, b"result").expect("written");
    let path = store.path(&digest);
    let whole = fs::read(&path).expect("an object");
    for (what, bytes) in [
        ("truncated", whole[..whole.len() - 1].to_vec()),
        ("empty", Vec::new()),
        ("header only", whole[..39].to_vec()),
        ("bit flip", whole.iter().enumerate().map(|(i, b)| if i == 41 { b ^ 1 } else { *b }).collect()),
        ("foreign", b"something else that is long enough to be an object".to_vec()),
    ] {
        fs::remove_file(&path).expect("removable");
        fs::write(&path, bytes).expect("writable");
        assert!(matches!(store.get(&digest), Err(Error::Damaged { .. })), "{what}");
    }
    store.discard(&digest).expect("removable");
    assert_eq!(store.put(&digest, b"result").expect("written again"), Put::Created);
}

#[test]
fn writers_of_the_same_unit_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let payload = vec![7_u8; 1 << 20];
    let created: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| store.put(&name("unit"), &payload).expect("same bytes never conflict")))
            .collect();
        writers.into_iter().map(|w| usize::from(w.join().expect("no panic") == Put::Created)).sum()
    });
    assert_eq!(created, 1);
    assert_eq!(fs::read_dir(store.temporary()).expect("listable").count(), 0, "no temporary file is left");
}

#[test]
fn an_unwritable_place_is_a_clear_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, "in the way").expect("writable");
    let error = Store::open(file.join("store")).expect_err("a file is no directory");
    assert!(error.to_string().contains("cannot create"), "{error}");
}

#[test]
fn records_keep_every_bit() {
    let features = Array2::from_shape_fn((5, 7), |(i, j)| (i * 3 + j) as f64 * 0.37 - 1e-3 * (j * j) as f64);
    let gram = LayerGram::from_features(features.view()).expect("finite");
    let decoded = LayerGramRecord::decode(&LayerGramRecord(gram.clone()).encode()).expect("decodes").0;
    assert_eq!(decoded.products, gram.products);
    assert_eq!((decoded.sums, decoded.shift_products), (gram.sums.clone(), gram.shift_products.clone()));
    assert_eq!((decoded.features, decoded.shift_sum), (gram.features, gram.shift_sum));

    let scores = SplitScores { values: array![[0.25, f64::NAN], [-0.0, 1e-310]], alphas: vec![0.1, 10.0] };
    let record = ScoreRecord { scores };
    let bytes = record.encode();
    let decoded = ScoreRecord::decode(&bytes).expect("decodes");
    let bits = |record: &ScoreRecord| record.scores.values.mapv(f64::to_bits);
    assert_eq!(bits(&decoded), bits(&record));
    assert_eq!(decoded.scores.alphas, [0.1, 10.0]);
    assert_eq!(decoded.encode(), bytes, "the same result has the same bytes");
    assert!(LayerGramRecord::decode(&bytes).is_err(), "a score is no Gram");
}

proptest! {
    #[test]
    fn damaged_records_are_errors(cut in 0_usize..400, flip in 0_usize..400, bit in 0_u8..8) {
        let scores = SplitScores { values: Array2::from_elem((2, 3), 0.5), alphas: Vec::new() };
        let mut bytes = ScoreRecord { scores }.encode();
        let flip = flip % bytes.len();
        bytes[flip] ^= 1 << bit;
        let _ = ScoreRecord::decode(&bytes);
        let _ = LayerGramRecord::decode(&bytes);
        bytes.truncate(cut);
        let _ = ScoreRecord::decode(&bytes);
    }
}
