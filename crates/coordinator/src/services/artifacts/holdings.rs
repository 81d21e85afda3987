//! What each tenant has uploaded: what it is told about, what counts against its quota, what is collected when nobody needs it.
//!
//! Bytes are kept once, whoever uploads them; answers know only what the asking tenant has uploaded itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tonic::Status;
use ventral_plan::Digest;
use ventral_store::{Error, Holding, Store};

use crate::services::shared::ending;
use crate::services::status::of_store;

/// The blobs of all tenants, as the store knows them.
pub struct Holdings {
    store: Store,
    state: Mutex<State>,
    loading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    loaded: bool,
    tenants: HashMap<Digest, Account>,
}

#[derive(Default)]
struct Account {
    blobs: HashMap<Digest, Held>,
    bytes: u64,
    /// Unix time in seconds at which all of it was last asked for.
    touched: u64,
}

#[derive(Clone, Copy)]
struct Held {
    bytes: u64,
    uploaded: u64,
    touched: u64,
}

/// A tenant, by the digest of its name.
pub fn key(tenant: &str) -> Digest {
    Digest::of_bytes(tenant.as_bytes())
}

/// Unix time in seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl Holdings {
    /// The holdings of a store; they are read when first asked for.
    pub fn new(store: Store) -> Self {
        Self { store, state: Mutex::default(), loading: tokio::sync::Mutex::default() }
    }

    /// Reads what the store knows, unless that has been done.
    ///
    /// # Errors
    /// What the store says, on the wire.
    pub async fn load(self: &Arc<Self>) -> Result<(), Status> {
        let _one = self.loading.lock().await;
        if self.lock().loaded { Ok(()) } else { self.read().await }
    }

    /// Reads afresh what the store knows: another coordinator may have written to it.
    ///
    /// # Errors
    /// What the store says, on the wire.
    pub async fn reload(self: &Arc<Self>) -> Result<(), Status> {
        let _one = self.loading.lock().await;
        self.read().await
    }

    async fn read(self: &Arc<Self>) -> Result<(), Status> {
        let holdings = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let began = now();
            holdings.store.holdings().map(|listed| holdings.replace(&listed, began))
        });
        read.await.map_err(|_| ending())?.map_err(of_store)
    }

    /// Takes over a listing, with what came in after it `began`.
    fn replace(&self, listed: &[Holding], began: u64) {
        let mut state = self.lock();
        let old = std::mem::take(&mut state.tenants);
        state.loaded = true;
        for holding in listed {
            let account = state.tenants.entry(holding.tenant.clone()).or_default();
            account.add(holding.blob.clone(), holding.bytes, holding.seconds);
        }
        for (tenant, known) in old {
            let account = state.tenants.entry(tenant).or_default();
            account.touched = known.touched;
            for (blob, held) in known.blobs {
                match account.blobs.get_mut(&blob) {
                    Some(same) => same.touched = same.touched.max(held.touched),
                    None if held.uploaded >= began => account.add(blob, held.bytes, held.uploaded),
                    None => {}
                }
            }
        }
    }

    /// Size of a blob that the tenant has uploaded; asking keeps it from being collected.
    pub fn bytes(&self, tenant: &str, blob: &Digest) -> Option<u64> {
        let mut state = self.lock();
        let held = state.tenants.get_mut(&key(tenant))?.blobs.get_mut(blob)?;
        held.touched = now();
        Some(held.bytes)
    }

    /// Those of the blobs that the tenant has not uploaded, in order; the others are kept from being collected.
    pub fn lacking(&self, tenant: &str, blobs: &[Digest]) -> Vec<Digest> {
        let mut state = self.lock();
        let (now, account) = (now(), state.tenants.entry(key(tenant)).or_default());
        let lacks = |blob: &&Digest| match account.blobs.get_mut(*blob) {
            Some(held) => {
                held.touched = now;
                false
            }
            None => true,
        };
        blobs.iter().filter(lacks).cloned().collect()
    }

    /// Keeps everything of a tenant from being collected for now.
    pub fn touch_all(&self, tenant: &str) {
        self.lock().tenants.entry(key(tenant)).or_default().touched = now();
    }

    /// Bytes and number of a tenant's blobs.
    pub fn totals(&self, tenant: &str) -> (u64, usize) {
        let state = self.lock();
        state.tenants.get(&key(tenant)).map_or((0, 0), |account| (account.bytes, account.blobs.len()))
    }

    /// Notes, durably, that a tenant has uploaded a blob that is in the store.
    ///
    /// # Errors
    /// What the store says.
    pub fn add(&self, tenant: &str, blob: &Digest, bytes: u64) -> Result<(), Error> {
        let holding = Holding { tenant: key(tenant), blob: blob.clone(), bytes, seconds: now() };
        if self.bytes(tenant, blob).is_none() {
            self.store.hold(&holding)?;
            self.lock().tenants.entry(holding.tenant).or_default().add(holding.blob, bytes, holding.seconds);
        }
        Ok(())
    }

    /// What nobody has uploaded, asked for or submitted since `before` (Unix time in seconds), sorted.
    pub fn older(&self, before: u64) -> Vec<Holding> {
        let state = self.lock();
        let mut old = Vec::new();
        for (tenant, account) in &state.tenants {
            let stale = account.blobs.iter().filter(|(_, held)| account.last(held) < before);
            old.extend(stale.map(|(blob, held)| Holding {
                tenant: tenant.clone(),
                blob: blob.clone(),
                bytes: held.bytes,
                seconds: held.uploaded,
            }));
        }
        old.sort_by(|a, b| (&a.tenant, &a.blob).cmp(&(&b.tenant, &b.blob)));
        old
    }

    /// Takes a blob from a tenant unless it was asked for since `before`, and removes its bytes if it was the last tenant that had it;
    /// nobody may upload it meanwhile. Whether it did.
    ///
    /// # Errors
    /// What the store says; the next [`Holdings::reload`] then knows what is left.
    pub fn collect(&self, holding: &Holding, before: u64) -> Result<bool, Error> {
        let others = {
            // Forgotten first: from here on it is missing for whoever asks.
            let mut state = self.lock();
            let Some(account) = state.tenants.get_mut(&holding.tenant) else { return Ok(false) };
            let held = account.blobs.get(&holding.blob);
            if held.is_none_or(|held| account.last(held) >= before) {
                return Ok(false);
            }
            account.remove(&holding.blob);
            state.tenants.values().any(|account| account.blobs.contains_key(&holding.blob))
        };
        if !others {
            self.store.discard_blob(&holding.blob)?;
        }
        self.store.release(holding)?;
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn add(&mut self, blob: Digest, bytes: u64, uploaded: u64) {
        self.remove(&blob);
        self.bytes = self.bytes.saturating_add(bytes);
        self.blobs.insert(blob, Held { bytes, uploaded, touched: uploaded });
    }

    fn remove(&mut self, blob: &Digest) {
        if let Some(held) = self.blobs.remove(blob) {
            self.bytes = self.bytes.saturating_sub(held.bytes);
        }
    }

    /// When a blob was last uploaded or asked for.
    fn last(&self, held: &Held) -> u64 {
        held.touched.max(self.touched)
    }
}

/// Unix time in seconds, so long ago.
pub fn ago(age: Duration) -> u64 {
    now().saturating_sub(age.as_secs())
}
