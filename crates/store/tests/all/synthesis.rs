//! Sets of synthesised images and checkpoints: exact, and refused where damaged.

use std::fs;

use ndarray::{Array2, Array4};
use proptest::prelude::*;
use ventral_plan::Digest;
use ventral_store::{Error, Store, SynthesisRecord};
use ventral_synthesis::StepRecord;

fn step(step: u64) -> StepRecord {
    StepRecord {
        step,
        j: 0.1 + step as f64 / 3.0,
        mean_abs_r: 1.0 / 7.0,
        max_abs_r: 0.5,
        worst: [0, 1],
        sd: vec![0.1, f64::MIN_POSITIVE],
        gradient_norm: 1e-300,
        clipped: 0.0,
        learning_rate: 0.05,
        untransformed: step.is_multiple_of(25).then_some(0.3),
    }
}

fn record(images: usize, side: usize, steps: u64) -> SynthesisRecord {
    let pairs = images * (images - 1) / 2;
    let pixel = |(i, y, x, c)| (i * 31 + y * 7 + x * 3 + c) as u8;
    SynthesisRecord {
        layers: vec!["conv".into(), "\u{e9}tage \"2\"".into()],
        images: Array4::from_shape_fn((images, side, side + 1, 3), pixel),
        seed: u64::MAX,
        steps,
        stop: "step limit".into(),
        before: Array2::from_shape_fn((2, pairs), |(l, p)| (l + p) as f64 / 3.0),
        rsms: Array2::from_shape_fn((2, pairs), |(l, p)| -((l * p) as f64) / 7.0),
        transforms: 0.1,
        jpeg: 0.2,
        noise: 1.0 / 3.0,
        convergence: (0..steps).map(step).collect(),
        irreducible: vec![[0, 1]],
    }
}

#[test]
fn records_come_back_as_they_were() {
    for (images, side, steps) in [(6, 8, 30), (2, 1, 0), (16, 3, 1)] {
        let record = record(images, side, steps);
        let bytes = record.encode();
        assert_eq!(SynthesisRecord::decode(&bytes).expect("a record"), record);
        assert_eq!(bytes, record.encode(), "the same bytes each time");
    }
}

#[test]
fn other_bytes_are_refused() {
    let mut other = record(6, 8, 3);
    other.irreducible = vec![[0, 2]];
    let error = SynthesisRecord::decode(&other.encode()).expect_err("a layer that is not there").to_string();
    assert!(error.contains("[0, 2]"), "{error}");
    let good = record(6, 8, 3).encode();
    for end in [0, 7, 100, good.len() / 2, good.len() - 1] {
        assert!(SynthesisRecord::decode(&good[..end]).is_err(), "{end} bytes");
    }
    let mut broken = good.clone();
    let place = broken.windows(8).position(|w| w == b"\"step\":2").expect("the last step");
    broken[place + 7] = b'x';
    assert!(SynthesisRecord::decode(&broken).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(flips in prop::collection::vec((0usize..3000, any::<u8>()), 1..4)) {
        let mut bytes = record(6, 8, 2).encode();
        for (place, value) in flips {
            let place = place % bytes.len();
            bytes[place] = value;
        }
        let _ = SynthesisRecord::decode(&bytes);
    }
}

#[test]
fn a_damaged_checkpoint_is_noticed_and_can_be_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path()).expect("a store");
    let unit = Digest::of_bytes(b"unit");
    store.save_checkpoint(&unit, b"how far it came").expect("writable");
    let path = directory.path().join("checkpoints").join(&unit.as_str()[..2]).join(unit.as_str());
    let mut bytes = fs::read(&path).expect("a file");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&path, &bytes).expect("writable");
    assert!(matches!(store.checkpoint(&unit), Err(Error::Damaged { .. })));
    fs::write(&path, &bytes[..10]).expect("writable");
    assert!(matches!(store.checkpoint(&unit), Err(Error::Damaged { .. })));
    store.save_checkpoint(&unit, b"again").expect("replaced");
    assert_eq!(store.checkpoint(&unit).expect("readable").as_deref(), Some(&b"again"[..]));
}
