//! Splits equal scikit-learn's, index by index (spec §1.6 and `scripts/goldens/metrics.py`).

use ventral_metrics::{Error, MAX_SPLITS, Split, shuffle_split, stratified_shuffle_split};

use crate::support::golden;

fn labels(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

fn test_rows(splits: &[Split], split: usize) -> &[usize] {
    &splits[split].test
}

#[test]
fn balanced_classes() {
    let splits = stratified_shuffle_split(&labels(&"abc".repeat(10)), 10, 0.9, 1).unwrap();
    assert_eq!(splits.len(), 10);
    assert_eq!((splits[0].train.len(), splits[0].test.len()), (27, 3));
    assert_eq!(test_rows(&splits, 0), [8, 22, 15]);
    assert_eq!(test_rows(&splits, 1), [11, 9, 22]);
    assert_eq!(test_rows(&splits, 9), [13, 3, 8]);
    assert_eq!(splits[0].train[..8], [10, 26, 18, 1, 4, 29, 5, 0]);
}

#[test]
fn unbalanced_classes() {
    let text = "x".repeat(7) + &"y".repeat(13) + &"z".repeat(11);
    let splits = stratified_shuffle_split(&labels(&text), 10, 0.9, 1).unwrap();
    assert_eq!((splits[0].train.len(), splits[0].test.len()), (27, 4));
    assert_eq!(test_rows(&splits, 0), [22, 12, 7, 5]);
    assert_eq!(test_rows(&splits, 1), [9, 1, 14, 23]);
    assert_eq!(test_rows(&splits, 9), [6, 17, 23, 12]);
}

#[test]
fn as_many_stimuli_and_objects_as_majaj_hong_2015() {
    let objects: Vec<String> = (0..2560).map(|i| format!("o{:02}", i % 64)).collect();
    let splits = stratified_shuffle_split(&objects, 10, 0.9, 1).unwrap();
    assert_eq!((splits[0].train.len(), splits[0].test.len()), (2304, 256));
    let start = [2173, 761, 878, 243, 1809, 1063, 1172, 1674, 984, 1215, 1354, 1622];
    assert_eq!(splits[0].test[..12], start);
}

#[test]
fn without_stratification() {
    let splits = shuffle_split(5, 10, 0.5, 1).unwrap();
    assert_eq!(splits[0], Split { train: vec![0, 3], test: vec![2, 1, 4] });
    let splits = shuffle_split(20, 10, 0.5, 1).unwrap();
    assert_eq!(splits[0].train[..10], [13, 0, 19, 18, 9, 15, 8, 12, 11, 5]);
}

fn checksum(rows: &[usize]) -> u64 {
    rows.iter().enumerate().map(|(place, &row)| (place as u64 + 1) * row as u64).sum()
}

#[derive(serde::Deserialize)]
struct Case {
    label_set: Option<usize>,
    n: usize,
    splits: usize,
    train_size: f64,
    seed: u32,
    sizes: (usize, usize),
    train_checksums: Vec<u64>,
    test_checksums: Vec<u64>,
    last_test_starts: Vec<usize>,
}

/// Seven label distributions with ties among the remainders, three shares, three seeds; and unstratified splits.
#[test]
fn many_sizes_seeds_and_distributions() {
    let golden = golden("splits.json");
    let label_sets: Vec<Vec<String>> = serde_json::from_value(golden["label_sets"].clone()).unwrap();
    let cases: Vec<Case> = serde_json::from_value(golden["cases"].clone()).unwrap();
    assert!(cases.len() > 50);
    for case in cases {
        let splits = match case.label_set {
            Some(set) => stratified_shuffle_split(&label_sets[set], case.splits, case.train_size, case.seed),
            None => shuffle_split(case.n, case.splits, case.train_size, case.seed),
        }
        .unwrap();
        let name = format!(
            "labels {:?}, n {}, share {}, seed {}",
            case.label_set, case.n, case.train_size, case.seed
        );
        assert_eq!((splits[0].train.len(), splits[0].test.len()), case.sizes, "{name}");
        assert_eq!(
            splits.iter().map(|s| checksum(&s.train)).collect::<Vec<_>>(),
            case.train_checksums,
            "{name}"
        );
        assert_eq!(
            splits.iter().map(|s| checksum(&s.test)).collect::<Vec<_>>(),
            case.test_checksums,
            "{name}"
        );
        assert!(splits[case.splits - 1].test.starts_with(&case.last_test_starts), "{name}");
    }
}

#[test]
fn labels_that_cannot_be_stratified() {
    let alone = stratified_shuffle_split(&labels("aaaabbbbc"), 10, 0.5, 1);
    assert_eq!(alone, Err(Error::ClassTooSmall { class: "c".into(), members: 1 }));
    let test = stratified_shuffle_split(&labels(&"abcde".repeat(4)), 10, 0.8, 1);
    assert!(matches!(test, Err(Error::TooFew { needed: 5, found: 4, .. })), "{test:?}");
    let train = stratified_shuffle_split(&labels(&"abcde".repeat(4)), 10, 0.2, 1);
    assert!(matches!(train, Err(Error::TooFew { needed: 5, found: 4, .. })), "{train:?}");
    assert!(
        stratified_shuffle_split(&labels(&"abcde".repeat(4)), 10, 0.75, 1).is_ok(),
        "one test row per class is enough"
    );
}

#[test]
fn sizes_that_cannot_be_split() {
    for share in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
        assert!(
            matches!(shuffle_split(10, 1, share, 1), Err(Error::Parameter { name: "train_size", .. })),
            "{share}"
        );
    }
    for n in [0, 1] {
        assert!(matches!(shuffle_split(n, 1, 0.5, 1), Err(Error::TooFew { needed: 1, found: 0, .. })), "{n}");
    }
    assert!(matches!(shuffle_split(10, 0, 0.5, 1), Err(Error::TooFew { what: "splits", .. })));
    assert!(matches!(
        shuffle_split(10, MAX_SPLITS + 1, 0.5, 1),
        Err(Error::TooMany { limit: MAX_SPLITS, .. })
    ));
    assert_eq!(shuffle_split(2, MAX_SPLITS, 0.5, 1).map(|s| s.len()), Ok(MAX_SPLITS));
    assert!(matches!(stratified_shuffle_split(&[], 1, 0.5, 1), Err(Error::TooFew { .. })));
}
