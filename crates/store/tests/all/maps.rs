//! Pieces of maps as bytes.

use ndarray::{Array2, array};
use proptest::prelude::*;
use ventral_store::{MapRecord, PermutationRecord, ScoreRecord};

fn record() -> MapRecord {
    MapRecord {
        columns: vec!["x".into(), "y".into()],
        first: 4096,
        places: vec![7, 9, 4_000_000_000],
        values: array![[0.25, f32::NAN], [-0.0, 1e-40], [1.0, -1.0]],
        voxels: vec![93, 5, 123],
        too_small: 1,
        undefined: 2,
        correlation: array![[1.0, 0.3], [0.3, 1.0]],
        rsms: array![[0.1, 0.2, -0.3], [0.5, f32::MIN_POSITIVE, 0.7]],
        permutation: Some(PermutationRecord {
            exceed: array![[0, 1], [2, 3], [4, u32::MAX]],
            max: array![[0.5, f32::NEG_INFINITY]],
        }),
    }
}

#[test]
fn records_keep_every_bit() {
    let full = record();
    let plain = MapRecord { permutation: None, correlation: Array2::zeros((0, 0)), ..record() };
    for record in [full, plain] {
        let bytes = record.encode();
        let decoded = MapRecord::decode(&bytes).expect("decodes");
        let bits = |record: &MapRecord| record.values.mapv(f32::to_bits);
        assert_eq!(bits(&decoded), bits(&record));
        assert_eq!(decoded.encode(), bytes, "the same result has the same bytes");
        let same = MapRecord { values: record.values.clone(), ..decoded.clone() };
        assert_eq!(format!("{same:?}"), format!("{record:?}"));
        assert_eq!(decoded.permutation, record.permutation);
        assert!(ScoreRecord::decode(&bytes).is_err(), "a map is no score");
    }
}

proptest! {
    #[test]
    fn damaged_records_are_errors(cut in 0_usize..900, flip in 0_usize..900, bit in 0_u8..8) {
        let mut bytes = record().encode();
        let flip = flip % bytes.len();
        bytes[flip] ^= 1 << bit;
        let _ = MapRecord::decode(&bytes);
        bytes.truncate(cut);
        let _ = MapRecord::decode(&bytes);
    }
}
