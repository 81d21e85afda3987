use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Bucket, Limits};
use crate::auth::table::Shape;

/// Most addresses without identity that are remembered.
const MAX_ADDRESSES: usize = 10_000;

/// Why a call is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many calls per second; wait so long.
    Rate(Duration),
    /// Too many calls or streams at a time.
    Concurrent,
}

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Tenant(String),
    Address(Option<IpAddr>),
}

struct Account {
    bucket: Bucket,
    calls: u32,
    streams: u32,
}

/// Counts the calls of tenants and addresses.
pub struct Gate {
    limits: Limits,
    accounts: Mutex<HashMap<Who, Account>>,
}

/// A call that was let in; counts until it is dropped.
pub struct Pass {
    gate: Arc<Gate>,
    who: Who,
    shape: Shape,
}

impl Gate {
    /// Nobody has called yet.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, accounts: Mutex::default() })
    }

    /// Lets a tenant's call in, or not.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn tenant(self: &Arc<Self>, tenant: &str, shape: Shape) -> Result<Pass, Refusal> {
        self.enter(Who::Tenant(tenant.to_owned()), shape)
    }

    /// Lets a call without identity in, or not.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn address(self: &Arc<Self>, address: Option<IpAddr>, shape: Shape) -> Result<Pass, Refusal> {
        self.enter(Who::Address(address), shape)
    }

    fn enter(self: &Arc<Self>, who: Who, shape: Shape) -> Result<Pass, Refusal> {
        let now = Instant::now();
        let limits = &self.limits;
        let known = matches!(who, Who::Tenant(_));
        let (rate, burst, most) = match (known, shape) {
            (true, Shape::Unary) => (limits.calls_per_second, limits.burst, limits.calls),
            (true, Shape::Stream) => (limits.calls_per_second, limits.burst, limits.streams),
            (false, _) => (limits.anonymous_per_second, limits.anonymous_burst, limits.anonymous_calls),
        };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= MAX_ADDRESSES && !accounts.contains_key(&who) {
            accounts.retain(|_, account| account.calls + account.streams > 0 || !account.bucket.is_full(now));
            if !known && accounts.len() >= MAX_ADDRESSES {
                return Err(Refusal::Concurrent);
            }
        }
        let new = || Account { bucket: Bucket::new(rate, burst, now), calls: 0, streams: 0 };
        let account = accounts.entry(who.clone()).or_insert_with(new);
        account.bucket.take(now).map_err(Refusal::Rate)?;
        let count = match shape {
            Shape::Unary => &mut account.calls,
            Shape::Stream => &mut account.streams,
        };
        if *count >= most {
            return Err(Refusal::Concurrent);
        }
        *count += 1;
        Ok(Pass { gate: self.clone(), who, shape })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut accounts = self.gate.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get_mut(&self.who) {
            match self.shape {
                Shape::Unary => account.calls = account.calls.saturating_sub(1),
                Shape::Stream => account.streams = account.streams.saturating_sub(1),
            }
        }
    }
}
