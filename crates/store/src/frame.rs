//! What surrounds an object's payload: a mark, and a SHA-256 of its name and payload: an object under another's name is damage.

use std::path::Path;

use sha2::{Digest as _, Sha256};
use ventral_plan::Digest;

use crate::Error;
use crate::key::Key;

/// First bytes of every object.
const MAGIC: &[u8; 8] = b"VENTRAL2";
/// Those of versions whose checksum was of the payload alone.
const OLD_MAGIC: &[u8; 8] = b"VENTRAL1";
/// Length of the SHA-256 that follows the mark.
const CHECKSUM_BYTES: usize = 32;
/// Bytes before the payload.
pub(crate) const HEAD_BYTES: usize = MAGIC.len() + CHECKSUM_BYTES;

/// The bytes before `payload` under this name.
pub(crate) fn head(key: &Key, payload: &[u8]) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..MAGIC.len()].copy_from_slice(MAGIC);
    head[MAGIC.len()..].copy_from_slice(&checksum(key, &Digest::of_bytes(payload)));
    head
}

fn checksum(key: &Key, payload: &Digest) -> [u8; CHECKSUM_BYTES] {
    Sha256::new().chain_update(key.as_str()).chain_update(payload.as_str()).finalize().into()
}

/// Refuses a payload that is not the one `found` was written for; `place` names it in the error.
pub(crate) fn verify(place: &Path, key: &Key, found: &[u8], payload: &[u8]) -> Result<(), Error> {
    verify_digest(place, key, found, &Digest::of_bytes(payload))
}

/// [`verify`] for a payload of this digest.
pub(crate) fn verify_digest(place: &Path, key: &Key, found: &[u8], payload: &Digest) -> Result<(), Error> {
    let damaged = |problem: String| Err(Error::Damaged { path: place.to_owned(), problem });
    if found.len() < HEAD_BYTES {
        return damaged(format!("{} bytes is no size of an object", found.len()));
    }
    let stored = &found[MAGIC.len()..HEAD_BYTES];
    if found.starts_with(OLD_MAGIC) && hex(stored) == payload.as_str() {
        return Ok(());
    }
    if !found.starts_with(MAGIC) {
        return damaged("it does not begin as an object".to_owned());
    }
    if stored != checksum(key, payload) {
        return damaged("its bytes do not match the checksum of name and bytes".to_owned());
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
