//! Draws of numpy's legacy generator (spec §1.6 and `scripts/goldens/metrics.py`).

use ventral_metrics::{Error, PythonRandom, RandomState};

use crate::support::golden;

#[test]
fn first_draws_are_those_of_the_reference() {
    let mut rng = RandomState::new(1);
    assert_eq!(
        [rng.next_u32(), rng.next_u32(), rng.next_u32()],
        [1_791_095_845, 4_282_876_139, 3_093_770_124]
    );
    let mut rng = RandomState::new(1);
    let doubles = [rng.random_sample(), rng.random_sample(), rng.random_sample()];
    assert_eq!(doubles, [0.417_022_004_702_574, 0.720_324_493_442_158_1, 1.143_748_173_448_866_4e-4]);
}

#[test]
fn permutations_are_those_of_the_reference() {
    assert_eq!(RandomState::new(1).permutation(10), [2, 9, 6, 4, 0, 3, 1, 7, 8, 5]);
    assert_eq!(RandomState::new(0).permutation(10), [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]);
}

#[test]
fn choice_takes_the_start_of_a_permutation() {
    let values: Vec<usize> = (1..12).collect();
    assert_eq!(RandomState::new(0).choice(&values, 5).unwrap(), [5, 10, 3, 11, 7]);
    let (mut one, mut all) = (RandomState::new(0), RandomState::new(0));
    one.choice(&values, 1).unwrap();
    all.choice(&values, 11).unwrap();
    assert_eq!(one.next_u32(), all.next_u32(), "the number of draws does not depend on the size");
    let too_many = RandomState::new(0).choice(&values, 12);
    assert!(matches!(too_many, Err(Error::TooFew { needed: 12, found: 11, .. })));
}

#[test]
fn interval_draws_nothing_for_zero_and_two_words_beyond_32_bits() {
    let mut rng = RandomState::new(1);
    assert_eq!(rng.interval(0), 0);
    assert_eq!(rng.interval(u64::from(u32::MAX)), 1_791_095_845);
    let mut rng = RandomState::new(1);
    assert_eq!(rng.interval(u64::MAX), 1_791_095_845 << 32 | 4_282_876_139);
}

/// One generator through normal, uniform and integer draws, with a kept normal in between.
#[test]
fn mixed_draws_agree_with_numpy() {
    let golden = golden("draws.json");
    let floats = |key: &str| -> Vec<f64> { serde_json::from_value(golden[key].clone()).unwrap() };
    let integers = |key: &str| -> Vec<usize> { serde_json::from_value(golden[key].clone()).unwrap() };
    let mut rng = RandomState::new(7);
    let normals: Vec<f64> = (0..9).map(|_| rng.randn()).collect();
    for (ours, theirs) in normals.iter().zip(floats("randn")) {
        assert!((ours - theirs).abs() < 1e-15, "{ours} {theirs}");
    }
    assert_eq!((0..3).map(|_| rng.random_sample()).collect::<Vec<_>>(), floats("random_sample"));
    assert_eq!(rng.choice(&(100..120).collect::<Vec<usize>>(), 6).unwrap(), integers("choice"));
    assert_eq!(rng.permutation(17), integers("permutation"));
    assert!((rng.randn() - golden["next_randn"].as_f64().unwrap()).abs() < 1e-15);
}

/// `g = random.Random(seed); [g.choice(range(n)) for n in (2, 4, 19, 1, 300, 2, 2, 1000000)]`
#[test]
fn choices_of_python() {
    for (seed, expected) in [
        (1751, [0, 2, 6, 0, 203, 0, 1, 351_256]),
        (0, [1, 3, 1, 0, 261, 1, 1, 962_838]),
        (u32::MAX, [0, 1, 16, 0, 174, 1, 1, 372_333]),
    ] {
        let mut random = PythonRandom::new(seed);
        assert_eq!([2, 4, 19, 1, 300, 2, 2, 1_000_000].map(|n| random.below(n)), expected, "seed {seed}");
        assert_eq!(random.below(0), 0);
    }
}
