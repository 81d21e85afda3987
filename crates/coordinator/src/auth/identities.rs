use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Identity, Role};

/// Most tokens and certificates of a file.
pub const MAX_IDENTITIES: usize = 10_000;
/// Largest file in bytes.
pub const MAX_IDENTITIES_BYTES: u64 = 4 << 20;
/// Longest name or tenant in bytes.
const MAX_NAME_BYTES: usize = 100;
/// Time between looks at the file.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file of identities that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentitiesError {
    /// It cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its content cannot be used.
    #[error("{path}: {problem}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// Tokens and certificates and whom they stand for.
///
/// ```toml
/// [[token]]
/// name = "ada"                # for logs
/// tenant = "lab"
/// role = "submitter"          # reader, submitter or operator
/// sha256 = "9f86d0…"          # of the token: printf %s "$TOKEN" | sha256sum
///
/// [[certificate]]
/// name = "worker.lab.example" # common name, DNS name or URI of a client certificate that the client CA has signed
/// tenant = "lab"
/// role = "operator"
/// ```
pub struct Identities {
    path: PathBuf,
    table: RwLock<Arc<Table>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Table {
    tokens: Vec<([u8; 32], Identity)>,
    certificates: Vec<(String, Identity)>,
}

struct Seen {
    stamp: Option<Stamp>,
    looked: Instant,
}

type Stamp = (SystemTime, u64);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<TokenEntry>,
    #[serde(default)]
    certificate: Vec<CertificateEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    name: String,
    tenant: String,
    role: Role,
    sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateEntry {
    name: String,
    tenant: String,
    role: Role,
}

impl Identities {
    /// Reads a file.
    ///
    /// # Errors
    /// [`IdentitiesError`]: it cannot be read, is too large, has an unknown field, a digest that is none, or a name twice.
    pub fn open(path: &Path) -> Result<Self, IdentitiesError> {
        let stamp = stamp(path);
        let table = read(path)?;
        Ok(Self {
            path: path.to_owned(),
            table: RwLock::new(Arc::new(table)),
            seen: Mutex::new(Seen { stamp, looked: Instant::now() }),
        })
    }

    /// Whom a token stands for. Takes the same time for every wrong token.
    pub fn by_token(&self, token: &str) -> Option<Identity> {
        let presented: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut found = None;
        for (digest, identity) in &self.table().tokens {
            if bool::from(digest.ct_eq(&presented)) {
                found = Some(identity.clone());
            }
        }
        found
    }

    /// Whom a verified certificate stands for.
    pub fn by_certificate(&self, der: &[u8]) -> Option<Identity> {
        let names = super::certificate::names(der);
        let table = self.table();
        table.certificates.iter().find(|(name, _)| names.contains(name)).map(|(_, identity)| identity.clone())
    }

    /// Reads the file again if it has changed; one that cannot be used leaves things as they were.
    pub fn refresh(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.looked = Instant::now();
        let stamp = stamp(&self.path);
        if stamp == seen.stamp {
            return;
        }
        seen.stamp = stamp;
        match read(&self.path) {
            Ok(table) => {
                tracing::info!(path = %self.path.display(), tokens = table.tokens.len(), "identities read again");
                *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
            }
            Err(error) => {
                tracing::error!(%error, "the identities have changed but cannot be used; the old ones stay")
            }
        }
    }

    fn table(&self) -> Arc<Table> {
        let due = self.seen.lock().unwrap_or_else(PoisonError::into_inner).looked.elapsed() >= LOOK_EVERY;
        if due {
            self.refresh();
        }
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(path: &Path) -> Result<Table, IdentitiesError> {
    let unreadable = |source| IdentitiesError::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    let refuse = |problem: String| IdentitiesError::Content { path: path.to_owned(), problem };
    if size > MAX_IDENTITIES_BYTES {
        return Err(refuse(format!("{size} bytes; at most {MAX_IDENTITIES_BYTES}")));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    parse(&text).map_err(refuse)
}

fn parse(text: &str) -> Result<Table, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let count = file.token.len() + file.certificate.len();
    if count > MAX_IDENTITIES {
        return Err(format!("{count} entries; at most {MAX_IDENTITIES}"));
    }
    let mut table = Table::default();
    for entry in file.token {
        let identity = identity(&entry.name, &entry.tenant, entry.role)?;
        let digest = digest(&entry.sha256).ok_or_else(|| {
            format!(
                "token '{}': sha256 must be 64 hexadecimal characters: printf %s \"$TOKEN\" | sha256sum",
                entry.name
            )
        })?;
        if table.tokens.iter().any(|(known, _)| *known == digest) {
            return Err(format!("token '{}': its sha256 is there twice", entry.name));
        }
        table.tokens.push((digest, identity));
    }
    for entry in file.certificate {
        let identity = identity(&entry.name, &entry.tenant, entry.role)?;
        if table.certificates.iter().any(|(known, _)| *known == entry.name) {
            return Err(format!("certificate '{}' is there twice", entry.name));
        }
        table.certificates.push((entry.name, identity));
    }
    Ok(table)
}

fn identity(name: &str, tenant: &str, role: Role) -> Result<Identity, String> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(format!("name '{name}': write 1 to {MAX_NAME_BYTES} bytes"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if tenant.is_empty() || tenant.len() > MAX_NAME_BYTES || !tenant.chars().all(plain) {
        return Err(format!(
            "tenant '{tenant}' of '{name}': write 1 to {MAX_NAME_BYTES} letters, digits, '-', '_' or '.'"
        ));
    }
    Ok(Identity { name: name.to_owned(), tenant: tenant.to_owned(), role })
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let bytes = crate::services::hex::decode(hex)?;
    bytes.try_into().ok()
}
