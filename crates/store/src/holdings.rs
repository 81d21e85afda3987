//! Which tenant has uploaded which blobs: `tenants/<tenant>/<blob>.<bytes>.<seconds>`, an empty file each, so that a listing tells all.

use ventral_plan::Digest;

use crate::key::{Key, TENANTS};
use crate::{Error, Store};

/// A blob that a tenant has uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Digest of the tenant's name: names may have any characters.
    pub tenant: Digest,
    /// The blob.
    pub blob: Digest,
    /// Its size.
    pub bytes: u64,
    /// Unix time of the upload in seconds.
    pub seconds: u64,
}

impl Holding {
    fn key(&self) -> Key {
        let Self { tenant, blob, bytes, seconds } = self;
        Key::holding(tenant, &format!("{blob}.{bytes}.{seconds}"))
    }

    fn parse(key: &Key) -> Option<Self> {
        let (_, tenant, name) = key.parts()?;
        let mut parts = name.split('.');
        let digest = |text: &str| Digest::try_from(text.to_owned()).ok();
        let holding = Self {
            tenant: digest(tenant)?,
            blob: digest(parts.next()?)?,
            bytes: parts.next()?.parse().ok()?,
            seconds: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(holding)
    }
}

impl Store {
    /// Notes that a tenant has uploaded a blob.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn hold(&self, holding: &Holding) -> Result<(), Error> {
        self.backend.create(&holding.key(), &[]).map(drop)
    }

    /// Forgets that a tenant has uploaded a blob.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn release(&self, holding: &Holding) -> Result<(), Error> {
        self.backend.remove(&holding.key())
    }

    /// What tenants have uploaded, sorted by tenant and blob; what is no holding is left out.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Remote`].
    pub fn holdings(&self) -> Result<Vec<Holding>, Error> {
        let listed = self.backend.list(TENANTS)?;
        Ok(listed.iter().filter_map(|listed| Holding::parse(&listed.key)).collect())
    }
}
