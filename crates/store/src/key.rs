//! Where things lie in a store, on any kind of store.

use ventral_plan::Digest;

use crate::Error;

/// Longest job id or document name in bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// How much of a refused name an error repeats, in characters.
const SHOWN_CHARS: usize = 80;

/// Directory of objects.
pub(crate) const OBJECTS: &str = "objects";

/// Directory of blobs.
pub(crate) const BLOBS: &str = "blobs";

/// Directory of checkpoints.
pub(crate) const CHECKPOINTS: &str = "checkpoints";
/// Directory of what tenants have uploaded.
pub(crate) const TENANTS: &str = "tenants";

/// Directory of jobs.
pub(crate) const JOBS: &str = "jobs";

/// A relative path with `/`, made of checked parts only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    pub fn object(digest: &Digest) -> Self {
        Self::addressed(OBJECTS, digest)
    }

    pub fn blob(digest: &Digest) -> Self {
        Self::addressed(BLOBS, digest)
    }

    pub fn checkpoint(digest: &Digest) -> Self {
        Self::addressed(CHECKPOINTS, digest)
    }

    pub fn document(job: &str, name: &str) -> Result<Self, Error> {
        check_name("job id", job)?;
        check_name("document name", name)?;
        Ok(Self(format!("{JOBS}/{job}/{name}")))
    }

    pub fn probe() -> Self {
        Self("ping".to_owned())
    }

    pub fn holding(tenant: &Digest, name: &str) -> Self {
        Self(format!("{TENANTS}/{tenant}/{name}"))
    }

    /// What a listing found: it need not be a name that this store gives.
    pub fn listed(path: String) -> Self {
        Self(path)
    }

    fn addressed(kind: &str, digest: &Digest) -> Self {
        let name = digest.as_str();
        Self(format!("{kind}/{}/{name}", &name[..2]))
    }

    /// Directory, shelf or job, and name.
    pub fn parts(&self) -> Option<(&str, &str, &str)> {
        let (directory, rest) = self.0.split_once('/')?;
        let (shelf, name) = rest.split_once('/')?;
        Some((directory, shelf, name))
    }

    /// Whether it is listed where only folders lie.
    pub fn is_misplaced(&self) -> bool {
        self.parts().is_none() && self.0.split_once('/').is_some_and(|(_, name)| !name.starts_with('.'))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Refuses what is no plain file name: job ids and document names come from elsewhere.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let refuse =
        |problem: String| Error::Name { what, name: name.chars().take(SHOWN_CHARS).collect(), problem };
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(refuse(format!("has {} bytes; 1 to {MAX_NAME_BYTES} are allowed", name.len())));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.starts_with('.') || !name.bytes().all(allowed) {
        return Err(refuse(
            "may have letters, digits, '.', '_' and '-', and must not begin with '.'".to_owned(),
        ));
    }
    Ok(())
}
