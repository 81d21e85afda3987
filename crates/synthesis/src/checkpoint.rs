//! Everything that the next step depends on, as bytes.
//!
//! Magic, revision, total length, digest of settings and number type, length of the JSON part, number of parameters; then the
//! JSON part (steps' records, units, what is known of pairs), parameters, first and second moments as little-endian f32; last
//! the SHA-256 of all that. Random numbers are counted by step and need no state.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Adam, CheckpointError, Error, Settings, StepRecord};

const MAGIC: &[u8; 8] = b"VTSYNTH\n";
/// Raised when the bytes change their meaning; a step that changes its result raises [`crate::REVISION`].
const REVISION: u32 = 1;
const HEADER: usize = 8 + 4 + 8 + 32 + 8 + 8;
const CHECKSUM: usize = 32;

/// The part of a run that changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub parameters: Vec<f32>,
    pub adam: Adam,
    pub progress: Progress,
}

/// What is known of the steps so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// Units per layer of the network; empty before the first step.
    pub units: Vec<usize>,
    /// Pairs of layers that were the same in the last measurements, and in how many in a row.
    pub same: Vec<([usize; 2], usize)>,
    pub irreducible: Vec<[usize; 2]>,
    pub records: Vec<StepRecord>,
}

/// Digest of what must be the same for a run to go on: algorithm, number type, settings.
fn identity(settings: &Settings, number_bytes: usize) -> [u8; 32] {
    let settings = serde_json::to_vec(settings).unwrap_or_default();
    let hash = Sha256::new().chain_update(crate::REVISION.to_le_bytes()).chain_update([number_bytes as u8]);
    hash.chain_update(settings).finalize().into()
}

pub(crate) fn encode(settings: &Settings, number_bytes: usize, state: &State) -> Vec<u8> {
    let progress = serde_json::to_vec(&state.progress).unwrap_or_default();
    let lists = [&state.parameters, &state.adam.first, &state.adam.second];
    let total = HEADER + progress.len() + lists.iter().map(|list| 4 * list.len()).sum::<usize>() + CHECKSUM;
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&REVISION.to_le_bytes());
    bytes.extend_from_slice(&(total as u64).to_le_bytes());
    bytes.extend_from_slice(&identity(settings, number_bytes));
    bytes.extend_from_slice(&(progress.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&(state.parameters.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&progress);
    for list in lists {
        bytes.extend(list.iter().flat_map(|value| value.to_le_bytes()));
    }
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

/// Bytes that are taken from the front, piece by piece.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (piece, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(piece)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn floats(&mut self, count: usize) -> Option<Vec<f32>> {
        let bytes = self.take(count.checked_mul(4)?)?;
        Some(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
    }
}

/// The state of a run with these settings and so many parameters.
pub(crate) fn decode(
    settings: &Settings,
    number_bytes: usize,
    parameters: usize,
    bytes: &[u8],
) -> Result<State, CheckpointError> {
    let foreign = CheckpointError::Foreign { bytes: bytes.len() };
    let mut reader = Reader(bytes);
    if reader.array::<8>().as_ref() != Some(MAGIC) {
        return Err(foreign);
    }
    let found = reader.array().map(u32::from_le_bytes).ok_or(foreign.clone())?;
    if found != REVISION {
        return Err(CheckpointError::Revision { expected: REVISION, found });
    }
    let expected = reader.number().ok_or(foreign.clone())?;
    let found = bytes.len() as u64;
    if expected != found || bytes.len() < HEADER + CHECKSUM {
        return Err(CheckpointError::Length { expected, found });
    }
    let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    if Sha256::digest(content).as_slice() != checksum {
        return Err(CheckpointError::Damaged);
    }
    if reader.array::<32>() != Some(identity(settings, number_bytes)) {
        return Err(CheckpointError::OtherSettings);
    }
    body(Reader(content.get(HEADER - 16..).unwrap_or_default()), parameters)
        .and_then(|state| check(settings, state))
}

fn body(mut reader: Reader<'_>, parameters: usize) -> Result<State, CheckpointError> {
    let wrong = CheckpointError::Inconsistent;
    let short = || wrong("a part is missing");
    let length = reader.number().and_then(|length| usize::try_from(length).ok()).ok_or_else(short)?;
    if reader.number() != Some(parameters as u64) {
        return Err(wrong("another number of parameters"));
    }
    let progress = reader.take(length).ok_or_else(short)?;
    let progress: Progress =
        serde_json::from_slice(progress).map_err(|_| wrong("the records cannot be read"))?;
    let mut floats = || reader.floats(parameters).ok_or_else(short);
    let (own, first, second) = (floats()?, floats()?, floats()?);
    if !reader.0.is_empty() {
        return Err(wrong("there is more than there should be"));
    }
    let steps = progress.records.len() as u64;
    Ok(State { parameters: own, adam: Adam { first, second, steps }, progress })
}

fn check(settings: &Settings, state: State) -> Result<State, CheckpointError> {
    let records = &state.progress.records;
    if records.len() as u64 > settings.stop.steps
        || records.iter().zip(0..).any(|(record, step)| record.step != step)
    {
        return Err(CheckpointError::Inconsistent("the records are not those of its steps"));
    }
    let lists = [&state.parameters, &state.adam.first, &state.adam.second];
    if let Some(index) = lists.iter().find_map(|list| list.iter().position(|value| !value.is_finite())) {
        return Err(Error::NonFinite { what: "parameter", index }.into());
    }
    Ok(state)
}
