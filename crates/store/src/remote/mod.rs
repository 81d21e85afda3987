//! A store in a bucket. Every request has a deadline, every retry a bound, and a create never overwrites.

mod fault;
mod runtime;
mod settings;
mod transfer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use ventral_plan::Digest;

use crate::backend::{Backend, Pieces};
use crate::key::{JOBS, Key, check_name};
use crate::{Error, JobEntry};
use fault::Trouble;
pub use settings::Settings;

/// Largest object of a remote store in bytes: what one request of S3 may carry. Uploaded files may be as large, in parts.
pub const MAX_REMOTE_OBJECT_BYTES: u64 = 5 << 30;
/// Blobs of at least this size are uploaded in parts.
const MULTIPART_BYTES: u64 = 64 << 20;
/// Requests at a time when many keys are asked for.
const CONCURRENT: usize = 64;
/// A request may take as long as its bytes at this rate, beyond the time for silence.
const SLOWEST_BYTES_PER_SECOND: u64 = 1 << 20;
/// Parts of every key: its directory, shelf or job, and name.
const LISTED_PARTS: usize = 3;
/// Pause before another attempt, doubled each time.
const PAUSE: Duration = Duration::from_millis(200);

/// A bucket, or a directory in one.
#[derive(Debug, Clone)]
pub(crate) struct Remote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    url: String,
    idle: Duration,
    attempts: usize,
}

type Attempt<T> = BoxFuture<'static, Result<T, Trouble>>;

impl Remote {
    fn new(client: Arc<dyn ObjectStore>, prefix: ObjectPath, url: String, settings: &Settings) -> Self {
        let (idle, attempts) = (settings.idle, settings.attempts.max(1));
        Self(Arc::new(Inner { client, prefix, url, idle, attempts }))
    }

    /// Attempts `operation` until an answer comes, a bounded number of times.
    async fn attempt<T>(
        &self,
        action: &'static str,
        key: &str,
        operation: impl Fn(Arc<Inner>, ObjectPath) -> Attempt<T>,
    ) -> Result<T, Error> {
        let path = self.0.path(key);
        let mut pause = PAUSE;
        let mut left = self.0.attempts;
        loop {
            left -= 1;
            match operation(self.0.clone(), path.clone()).await {
                Ok(value) => return Ok(value),
                Err(trouble) if left > 0 && trouble.is_lost_answer() => {
                    metrics::counter!("ventral_store_retries_total").increment(1);
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(trouble) => return Err(trouble.into_error(action, self.0.url_of(key))),
            }
        }
    }

    async fn put(&self, key: &str, payload: PutPayload, mode: PutMode) -> Result<bool, Error> {
        self.attempt("cannot write", key, move |inner, path| {
            let (payload, mode) = (payload.clone(), mode.clone());
            Box::pin(async move {
                let allowance = inner.allowance(payload.content_length() as u64);
                let put = inner.client.put_opts(&path, payload, mode.into());
                match tokio::time::timeout(allowance, put).await {
                    Err(_) => Err(Trouble::Silent(allowance)),
                    Ok(Err(object_store::Error::AlreadyExists { .. })) => Ok(false),
                    Ok(answer) => Ok(answer.map(|_| true)?),
                }
            })
        })
        .await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, Error> {
        self.attempt("cannot look up", key, |inner, path| {
            Box::pin(async move {
                match tokio::time::timeout(inner.idle, inner.client.head(&path)).await {
                    Err(_) => Err(Trouble::Silent(inner.idle)),
                    Ok(Err(object_store::Error::NotFound { .. })) => Ok(None),
                    Ok(answer) => Ok(Some(answer?)),
                }
            })
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        self.attempt("cannot remove", key, |inner, path| {
            Box::pin(async move {
                match tokio::time::timeout(inner.idle, inner.client.delete(&path)).await {
                    Err(_) => Err(Trouble::Silent(inner.idle)),
                    Ok(Err(object_store::Error::NotFound { .. })) => Ok(()),
                    Ok(answer) => Ok(answer?),
                }
            })
        })
        .await
    }

    async fn heads(&self, keys: Vec<String>) -> Result<Vec<Option<ObjectMeta>>, Error> {
        let look = keys.into_iter().map(|key| {
            let remote = self.clone();
            async move { remote.head(&key).await }
        });
        stream::iter(look).buffered(CONCURRENT).try_collect().await
    }

    async fn list_keys(&self, directory: String) -> Result<Vec<Key>, Error> {
        let listed = self.attempt("cannot list", &directory, |inner, path| {
            Box::pin(async move {
                let depth = inner.prefix.parts().count();
                let (mut found, mut metas) = (Vec::new(), inner.client.list(Some(&path)));
                while let Some(meta) = tokio::time::timeout(inner.idle, metas.next())
                    .await
                    .map_err(|_| Trouble::Silent(inner.idle))?
                {
                    let meta = meta?;
                    let parts: Vec<_> = meta.location.parts().skip(depth).collect();
                    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
                    if parts.len() == LISTED_PARTS {
                        found.push(Key::listed(parts.join("/")));
                    }
                }
                Ok(found)
            })
        });
        let mut listed = listed.await?;
        listed.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        Ok(listed)
    }

    async fn list_jobs(&self) -> Result<Vec<String>, Error> {
        let listed = self.attempt("cannot list", JOBS, |inner, path| {
            Box::pin(async move {
                // Pages come one after the other: each gets its time.
                let allowance = inner.allowance(inner.idle.as_secs() << 24);
                match tokio::time::timeout(allowance, inner.client.list_with_delimiter(Some(&path))).await {
                    Err(_) => Err(Trouble::Silent(allowance)),
                    Ok(answer) => Ok(answer?.common_prefixes),
                }
            })
        });
        let directories = listed.await?;
        let names = directories.iter().filter_map(|path| path.filename().map(str::to_owned));
        let mut ids: Vec<String> = names.filter(|name| check_name("job id", name).is_ok()).collect();
        ids.sort();
        Ok(ids)
    }
}

impl Inner {
    fn path(&self, key: &str) -> ObjectPath {
        self.prefix.parts().chain(ObjectPath::from(key).parts()).collect()
    }

    fn url_of(&self, key: &str) -> String {
        format!("{}/{key}", self.url)
    }

    /// How long a request with so many bytes may take.
    fn allowance(&self, bytes: u64) -> Duration {
        self.idle + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND)
    }
}

impl Backend for Remote {
    fn place(&self, key: &Key) -> PathBuf {
        PathBuf::from(self.0.url_of(key.as_str()))
    }

    fn max_bytes(&self) -> u64 {
        MAX_REMOTE_OBJECT_BYTES
    }

    fn create(&self, key: &Key, parts: &[&[u8]]) -> Result<bool, Error> {
        let payload: PutPayload = parts.iter().map(|part| Bytes::copy_from_slice(part)).collect();
        let (remote, key) = (self.clone(), key.clone());
        runtime::wait(async move { remote.put(key.as_str(), payload, PutMode::Create).await })
    }

    fn create_from(&self, key: &Key, file: &Path, bytes: u64, expected: &Digest) -> Result<bool, Error> {
        if bytes < MULTIPART_BYTES {
            let read_error = |e| Error::io("cannot read", file, e);
            let content = std::fs::read(file).map_err(read_error)?;
            let found = Digest::of_bytes(&content);
            if found != *expected {
                return Err(Error::Changed { path: file.to_owned(), expected: expected.clone(), found });
            }
            return self.create(key, &[&content]);
        }
        let (remote, key) = (self.clone(), key.clone());
        let (file, expected) = (file.to_owned(), expected.clone());
        runtime::wait(async move { remote.upload(key.as_str(), file, bytes, expected).await.map(|()| true) })
    }

    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Error> {
        let payload = PutPayload::from_bytes(Bytes::copy_from_slice(bytes));
        let (remote, key) = (self.clone(), key.clone());
        runtime::wait(async move { remote.put(key.as_str(), payload, PutMode::Overwrite).await.map(drop) })
    }

    fn read(&self, key: &Key, head: usize, limit: u64) -> Result<Option<Pieces>, Error> {
        let (remote, key) = (self.clone(), key.clone());
        runtime::wait(async move { remote.download(key.as_str(), head, limit).await })
    }

    fn fetch(&self, key: &Key, expected: &Digest, target: &Path) -> Result<bool, Error> {
        let (remote, key) = (self.clone(), key.clone());
        let (expected, target) = (expected.clone(), target.to_owned());
        runtime::wait(async move { remote.download_to(key.as_str(), expected, target).await })
    }

    fn list(&self, directory: &str) -> Result<Vec<Key>, Error> {
        let (remote, directory) = (self.clone(), directory.to_owned());
        runtime::wait(async move { remote.list_keys(directory).await })
    }

    fn size(&self, key: &Key) -> Result<Option<u64>, Error> {
        let (remote, key) = (self.clone(), key.clone());
        runtime::wait(async move { Ok(remote.head(key.as_str()).await?.map(|meta| meta.size)) })
    }

    fn exist(&self, keys: &[Key]) -> Result<Vec<bool>, Error> {
        let keys: Vec<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
        let remote = self.clone();
        runtime::wait(async move {
            Ok(remote.heads(keys).await?.into_iter().map(|meta| meta.is_some()).collect())
        })
    }

    fn remove(&self, key: &Key) -> Result<(), Error> {
        let (remote, key) = (self.clone(), key.clone());
        runtime::wait(async move { remote.delete(key.as_str()).await })
    }

    fn job_ids(&self) -> Result<Vec<String>, Error> {
        let remote = self.clone();
        runtime::wait(async move { remote.list_jobs().await })
    }

    fn jobs_with(&self, name: &str) -> Result<Vec<JobEntry>, Error> {
        let (remote, name) = (self.clone(), name.to_owned());
        runtime::wait(async move {
            let ids = remote.list_jobs().await?;
            let keys = ids.iter().map(|id| format!("{JOBS}/{id}/{name}")).collect();
            let metas = remote.heads(keys).await?;
            let entry =
                |(id, meta): (String, Option<ObjectMeta>)| Some(JobEntry { id, modified: modified(&meta?) });
            Ok(ids.into_iter().zip(metas).filter_map(entry).collect())
        })
    }

    fn ping(&self) -> Result<(), Error> {
        let key = Key::probe();
        self.replace(&key, b"ping")?;
        let overwritten = self.create(&key, &[b"pong"])?;
        let answer = self.read(&key, 0, MULTIPART_BYTES)?;
        let problem = match answer {
            Some((_, bytes)) if bytes == b"ping" && !overwritten => return Ok(()),
            Some(_) if overwritten => {
                "it overwrites what is create-only (If-None-Match is ignored), so results would not be safe; \
                 use a newer version or another store"
            }
            _ => "it does not return what was written",
        };
        Err(Error::Remote {
            action: "cannot use",
            url: self.0.url.clone(),
            problem: problem.to_owned(),
            hint: "",
            transient: false,
        })
    }
}

fn modified(meta: &ObjectMeta) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since
}
