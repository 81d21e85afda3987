//! Results as bytes.

use ndarray::{Array2, array};
use proptest::prelude::*;
use ventral_metrics::{LayerGram, Precision, SplitScores};
use ventral_store::{LayerGramRecord, ScoreRecord};

#[test]
fn records_keep_every_bit() {
    let features = Array2::from_shape_fn((5, 7), |(i, j)| (i * 3 + j) as f64 * 0.37 - 1e-3 * (j * j) as f64);
    let gram = LayerGram::from_features(features.view()).expect("finite");
    let decoded = LayerGramRecord::decode(&LayerGramRecord(gram.clone()).encode()).expect("decodes").0;
    assert_eq!(decoded.products, gram.products);
    assert_eq!((decoded.sums, decoded.shift_products), (gram.sums.clone(), gram.shift_products.clone()));
    assert_eq!((decoded.features, decoded.shift_sum), (gram.features, gram.shift_sum));

    let scores = SplitScores { values: array![[0.25, f64::NAN], [-0.0, 1e-310]], alphas: vec![0.1, 10.0] };
    let record = ScoreRecord { scores, precision: Some(Precision::F64), undefined: Some([1, 400]) };
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
        let mut bytes = ScoreRecord { scores, precision: None, undefined: None }.encode();
        let flip = flip % bytes.len();
        bytes[flip] ^= 1 << bit;
        let _ = ScoreRecord::decode(&bytes);
        let _ = LayerGramRecord::decode(&bytes);
        bytes.truncate(cut);
        let _ = ScoreRecord::decode(&bytes);
    }
}
