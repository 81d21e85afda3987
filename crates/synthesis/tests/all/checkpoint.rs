//! Going on from bytes.

use ventral_synthesis::{
    CheckpointError, MAX_LAYERS, MAX_STEPS, Network, Parametrisation, Run, Settings, StepRecord,
};

use crate::run::{finish, net, settings};

fn after(steps: usize) -> Run<f32> {
    let mut run = Run::new(settings()).unwrap();
    for _ in 0..steps {
        run.step(&net()).unwrap();
    }
    run
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    let whole = finish(after(0), &net());
    // Before the first step, about measurements, about the end of the transforms, at the end.
    for cut in [0, 1, 25, 26, 35, 37, 59, 60] {
        let bytes = after(cut).checkpoint();
        let resumed = Run::<f32>::resume(settings(), &bytes).unwrap();
        assert_eq!(resumed.checkpoint(), bytes);
        assert_eq!(resumed.steps(), cut as u64);
        let finished = finish(resumed, &net());
        assert_eq!(finished.checkpoint(), whole.checkpoint(), "cut at {cut}");
        assert_eq!(finished.quantised(), whole.quantised());
        assert_eq!(finished.records(), whole.records());
        assert_eq!(finished.stopped(), whole.stopped());
    }
}

#[test]
fn a_checkpoint_is_as_large_as_said() {
    let run = after(60);
    let layers = net().units().len();
    let parameters = ventral_synthesis::parametrisation::Decoder::new(&settings()).unwrap().parameters();
    let most = 12 * parameters + 60 * (400 + 24 * layers) + 1000;
    let bytes = run.checkpoint().len();
    assert!(12 * parameters < bytes && bytes <= most, "{bytes} {most}");
    // No record can be longer than said.
    let number = -f64::MIN_POSITIVE;
    let widest = StepRecord {
        step: MAX_STEPS,
        j: number,
        mean_abs_r: number,
        max_abs_r: number,
        worst: [MAX_LAYERS, MAX_LAYERS],
        sd: vec![number.abs(); MAX_LAYERS],
        gradient_norm: number,
        clipped: number,
        learning_rate: number,
        untransformed: Some(number),
    };
    let bytes = widest.to_json().len();
    assert!(bytes < 400 + 24 * MAX_LAYERS && bytes > 300 + 24 * MAX_LAYERS, "{bytes}");
}

#[test]
fn irreducible_pairs_survive() {
    let net = net().showing(&[0, 1, 1, 2]);
    let mut run = Run::<f32>::new(settings()).unwrap();
    for _ in 0..10 {
        run.step(&net).unwrap();
    }
    let resumed = finish(Run::resume(settings(), &run.checkpoint()).unwrap(), &net);
    assert_eq!(resumed.checkpoint(), finish(run, &net).checkpoint());
    assert_eq!(resumed.irreducible(), [[1, 2]]);
    let again = Run::<f32>::resume(settings(), &resumed.checkpoint()).unwrap();
    assert_eq!(again.stopped(), resumed.stopped());
}

fn refused(settings: Settings, bytes: &[u8]) -> CheckpointError {
    Run::<f32>::resume(settings, bytes).err().expect("refused")
}

#[test]
fn other_settings_are_refused() {
    let bytes = after(2).checkpoint();
    let others = [
        Settings { seed: 4, ..settings() },
        Settings { learning_rate: 0.051, ..settings() },
        Settings { images: 7, ..settings() },
        Settings { parametrisation: Parametrisation::Pixels, ..settings() },
    ];
    for other in others {
        assert_eq!(refused(other, &bytes), CheckpointError::OtherSettings);
    }
    assert_eq!(Run::<f64>::resume(settings(), &bytes).err(), Some(CheckpointError::OtherSettings));
    let wrong = Settings { images: 0, ..settings() };
    assert!(matches!(refused(wrong, &bytes), CheckpointError::Settings(_)));
}

#[test]
fn every_cut_is_noticed() {
    let bytes = after(2).checkpoint();
    let lengths = (0..200).chain((200..bytes.len()).step_by(997)).chain([bytes.len() - 1]);
    for length in lengths {
        let error = refused(settings(), &bytes[..length]);
        let fits = match error {
            CheckpointError::Foreign { bytes } => bytes == length && length < 20,
            CheckpointError::Length { expected, found } => {
                (expected, found) == (bytes.len() as u64, length as u64)
            }
            _ => false,
        };
        assert!(fits, "{length}: {error}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(refused(settings(), &longer), CheckpointError::Length { .. }));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = after(2).checkpoint();
    for place in (0..400).chain((400..bytes.len()).step_by(499)).chain([bytes.len() - 1]) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        let error = refused(settings(), &damaged);
        let fits = match place {
            0..8 => matches!(error, CheckpointError::Foreign { .. }),
            8..12 => matches!(error, CheckpointError::Revision { expected: 1, .. }),
            12..20 => matches!(error, CheckpointError::Length { .. }),
            _ => error == CheckpointError::Damaged,
        };
        assert!(fits, "{place}: {error}");
    }
    assert!(matches!(refused(settings(), b"\x89PNG\r\n\x1a\n"), CheckpointError::Foreign { bytes: 8 }));
}

/// Whoever can write into a store can make the checksum right.
#[test]
fn damage_under_a_right_checksum_ends_nothing() {
    use sha2::{Digest, Sha256};
    let bytes = after(2).checkpoint();
    let end = bytes.len() - 32;
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..1000 {
        let mut damaged = bytes.clone();
        for _ in 0..=next(3) {
            // Behind magic, revision and length; half of it where the other lengths and the records are.
            let range = if next(2) == 0 { end.min(600) } else { end };
            let place = 20 + next(range - 20);
            damaged[place] = if next(3) == 0 { 0xff } else { damaged[place] ^ 1 << next(8) };
        }
        let checksum = Sha256::digest(&damaged[..end]);
        damaged[end..].copy_from_slice(&checksum);
        if let Ok(mut run) = Run::<f32>::resume(settings(), &damaged) {
            // Numbers may still be absurd: then a step says so.
            let _ = run.step(&net());
        }
    }
}
