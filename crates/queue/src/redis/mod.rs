//! The queue in Redis (6.2 or newer, or Valkey): one Lua script for each operation, so that each is atomic, and the server's clock.
//!
//! Ready units are entries of a stream for each pool and shard, read by one consumer group; an entry stays pending as long as its unit is
//! leased. When a lease ends is kept in one sorted set rather than in the pending lists' idle times: a reap then looks at what has ended, not
//! at every stream, and a beat costs one write per lease. All keys of a queue have one hash tag.
//!
//! - module [`connect`]: addresses, TLS files
//! - module [`link`]: bounded calls, lost scripts
//! - module `scripts`: the scripts' texts
//! - module `reply`: reading answers

pub mod connect;
pub mod link;
mod operations;
mod reply;
mod scripts;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redis::Value;
use uuid::Uuid;

use self::link::Link;
use self::scripts::{Script, Scripts, Time};
use crate::types::{Error, Generation, Timing};

pub use self::connect::TlsFiles;

/// A queue in Redis. Clones are handles of the same connection; each remembers the generation that it opened.
pub struct Redis {
    shared: Arc<Shared>,
    opened: Mutex<Option<Generation>>,
}

struct Shared {
    link: Link,
    scripts: Scripts,
    /// Name of the generation's key.
    key: String,
    /// The queue's name as a hash tag: keys begin with it.
    tag: String,
    /// Names the requests of this handle apart from those of others.
    origin: Uuid,
    requests: AtomicU64,
    /// Requests to take, by worker, whose answers were lost.
    in_doubt: Mutex<HashMap<String, String>>,
}

impl Clone for Redis {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), opened: Mutex::default() }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("name", &self.shared.tag).finish_non_exhaustive()
    }
}

impl Redis {
    /// A handle of the queue `name` (letters, digits, `_`, `.`, `-`) at `redis[s]://[user:password@]host:port[/db]`. The connection is made by the
    /// first call, and again whenever it fails; [`Redis::ping`] tells whether the server answers.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address, name, timing or TLS file that cannot be used. No error shows the address.
    pub async fn connect(url: &str, name: &str, timing: Timing, tls: &TlsFiles) -> Result<Self, Error> {
        Self::build(url, name, timing, tls, Time::Server)
    }

    /// As [`Redis::connect`], for tests: time stands still but for [`Redis::set_clock`].
    ///
    /// # Errors
    /// As [`Redis::connect`].
    pub async fn connect_with_manual_clock(url: &str, name: &str, timing: Timing) -> Result<Self, Error> {
        Self::build(url, name, timing, &TlsFiles::default(), Time::Manual)
    }

    fn build(url: &str, name: &str, timing: Timing, tls: &TlsFiles, time: Time) -> Result<Self, Error> {
        connect::name(name)?;
        connect::timing(&timing)?;
        let tag = format!("{{{name}}}");
        let shared = Shared {
            link: Link::new(connect::client(url, tls)?)?,
            scripts: Scripts::new(&tag, &timing, time),
            key: format!("{tag}:generation"),
            tag,
            origin: Uuid::new_v4(),
            requests: AtomicU64::new(0),
            in_doubt: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared), opened: Mutex::default() })
    }

    /// Whether the server answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.shared.link.plain(&["PING"]).await.map(|_| ())
    }

    /// Moves the clock of a handle of [`Redis::connect_with_manual_clock`]; others do not look at it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the server does not answer.
    pub async fn set_clock(&self, now_ms: u64) -> Result<(), Error> {
        let key = format!("{}-clock", self.shared.tag);
        self.shared.link.plain(&["SET", &key, &now_ms.to_string()]).await.map(|_| ())
    }

    /// Says so when the server may drop keys for want of memory: units would be lost one by one. Nothing is said where the user may not ask.
    async fn warn_of_eviction(&self) {
        let answer = self.shared.link.plain(&["INFO", "memory"]).await;
        let Ok(info) = answer.and_then(|value| reply::text("memory", value)) else { return };
        let policy = info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).map(str::trim);
        if policy.is_some_and(|policy| policy != "noeviction") {
            let policy = policy.unwrap_or_default();
            tracing::warn!(policy, "Redis may evict keys of the queue: set maxmemory-policy noeviction");
        }
    }

    /// Runs a script that wants the generation first.
    async fn gated(&self, script: &Script, mut arguments: Arguments) -> Result<Value, Error> {
        let opened = lock(&self.opened).as_ref().map_or(String::new(), |generation| generation.0.clone());
        arguments.0.insert(0, opened.into_bytes());
        self.shared.link.run(script, &self.shared.key, &arguments.0).await
    }

    /// Runs a script that does without.
    async fn bare(&self, script: &Script, arguments: Arguments) -> Result<Value, Error> {
        self.shared.link.run(script, &self.shared.key, &arguments.0).await
    }

    /// Name of a request to take: that of the last one, if its answer was lost.
    fn request(&self, worker: &str) -> String {
        let number = self.shared.requests.fetch_add(1, Ordering::Relaxed);
        let fresh = || format!("{}-{number}", self.shared.origin.simple());
        lock(&self.shared.in_doubt).get(worker).cloned().unwrap_or_else(fresh)
    }

    fn answered(&self, worker: &str, request: String, lost: bool) {
        let mut in_doubt = lock(&self.shared.in_doubt);
        if lost {
            in_doubt.insert(worker.to_owned(), request);
        } else if !in_doubt.is_empty() {
            in_doubt.remove(worker);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Arguments of a script.
#[derive(Default)]
struct Arguments(Vec<Vec<u8>>);

impl Arguments {
    fn with(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.push(argument);
        self
    }

    fn push(&mut self, argument: impl AsRef<[u8]>) {
        self.0.push(argument.as_ref().to_vec());
    }

    fn number(self, number: u64) -> Self {
        self.with(number.to_string())
    }

    fn all<T: AsRef<[u8]>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        arguments.into_iter().for_each(|argument| self.push(argument));
        self
    }
}
