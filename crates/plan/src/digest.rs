use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Length of a digest in hexadecimal characters.
pub const DIGEST_CHARS: usize = 64;

/// Length of the digest prefix shown to people.
pub const SHORT_CHARS: usize = 12;

/// SHA-256 in lower-case hexadecimal: the name of everything that can be computed once and kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// A text that is not a SHA-256 in lower-case hexadecimal.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a digest: {DIGEST_CHARS} lower-case hexadecimal characters are needed")]
pub struct InvalidDigest(pub String);

impl Digest {
    /// The digest of `bytes`.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let hash = Sha256::digest(bytes);
        Self(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digest of `identity` as canonical JSON (fields in declaration order, shortest floats).
    ///
    /// Identities are plain structs of text, numbers and lists: these always serialise.
    pub fn of_identity<T: Serialize>(identity: &T) -> Self {
        match serde_json::to_vec(identity) {
            Ok(json) => Self::of_bytes(&json),
            Err(error) => unreachable!("an identity is plain data: {error}"),
        }
    }

    /// All 64 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first [`SHORT_CHARS`] characters, for tables and logs.
    pub fn short(&self) -> &str {
        &self.0[..SHORT_CHARS]
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == DIGEST_CHARS && text.bytes().all(hexadecimal) {
            Ok(Self(text))
        } else {
            Err(InvalidDigest(text))
        }
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}
