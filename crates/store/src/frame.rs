//! What surrounds an object's payload: a mark and its SHA-256.

use std::path::Path;

use sha2::{Digest as _, Sha256};
use ventral_plan::Digest;

use crate::Error;

/// First bytes of every object.
const MAGIC: &[u8; 8] = b"VENTRAL1";
/// Length of the SHA-256 that follows the mark.
const CHECKSUM_BYTES: usize = 32;
/// Bytes before the payload.
pub(crate) const HEAD_BYTES: usize = MAGIC.len() + CHECKSUM_BYTES;

/// The bytes before `payload`.
pub(crate) fn head(payload: &[u8]) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..MAGIC.len()].copy_from_slice(MAGIC);
    head[MAGIC.len()..].copy_from_slice(&Sha256::digest(payload));
    head
}

/// Refuses a payload that is not the one `found` was written for; `place` names it in the error.
pub(crate) fn verify(place: &Path, found: &[u8], payload: &[u8]) -> Result<(), Error> {
    verify_digest(place, found, &Digest::of_bytes(payload))
}

/// [`verify`] for a payload of this digest.
pub(crate) fn verify_digest(place: &Path, found: &[u8], payload: &Digest) -> Result<(), Error> {
    let damaged = |problem: String| Err(Error::Damaged { path: place.to_owned(), problem });
    if found.len() < HEAD_BYTES {
        return damaged(format!("{} bytes is no size of an object", found.len()));
    }
    if !found.starts_with(MAGIC) {
        return damaged("it does not begin as an object".to_owned());
    }
    let expected: String = found[MAGIC.len()..HEAD_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    if expected != payload.as_str() {
        return damaged("its bytes do not match their checksum".to_owned());
    }
    Ok(())
}
