//! Files by digest: what the store lacks is uploaded in parallel, going on where a cut transfer stopped.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tonic::Code;
use ventral_bundle::Collected;
use ventral_plan::Digest;
use ventral_proto::limits::{MAX_DIGESTS, MAX_UPLOAD_DATA_BYTES};
use ventral_proto::v1;
use ventral_proto::v1::upload_request::Part;

use crate::{Client, Error};

/// Files that are uploaded at a time.
const PARALLEL: usize = 4;

/// Something to upload.
#[derive(Debug, Clone)]
pub struct Item {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// Where it is.
    pub source: Source,
}

/// Where bytes come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Memory.
    Memory(Bytes),
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files that the store lacked.
    pub files: usize,
    /// Of these, uploaded.
    pub files_done: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, sent or there already.
    pub bytes_done: u64,
}

/// Told whenever an upload gets on.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Sync);

impl Client {
    /// Uploads a bundle: its files, then its manifest. Returns the manifest's digest, to be submitted.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn upload_bundle(&self, bundle: &Collected, on: OnProgress<'_>) -> Result<Digest, Error> {
        let manifest = Bytes::from(bundle.manifest.to_bytes());
        let digest = Digest::of_bytes(&manifest);
        let files = bundle.manifest.files.iter().zip(&bundle.sources);
        let mut items: Vec<Item> = files
            .map(|(entry, path)| Item {
                digest: entry.digest.clone(),
                bytes: entry.bytes,
                source: Source::File(path.clone()),
            })
            .collect();
        items.push(Item {
            digest: digest.clone(),
            bytes: manifest.len() as u64,
            source: Source::Memory(manifest),
        });
        self.upload(items, on).await?;
        Ok(digest)
    }

    /// Uploads what the store lacks of `items`.
    ///
    /// # Errors
    /// [`Error`]; reason `DIGEST_MISMATCH` for a file that has changed since its digest was taken.
    pub async fn upload(&self, mut items: Vec<Item>, on: OnProgress<'_>) -> Result<(), Error> {
        items.sort_by(|a, b| a.digest.cmp(&b.digest));
        items.dedup_by(|a, b| a.digest == b.digest);
        let mut lacking = Vec::new();
        for page in items.chunks(MAX_DIGESTS) {
            let missing = self.missing(page.iter().map(|item| &item.digest)).await?;
            lacking.extend(page.iter().filter(|item| missing.contains(&item.digest)).cloned());
        }
        let progress = Progress {
            files: lacking.len(),
            bytes: lacking.iter().map(|item| item.bytes).sum(),
            ..Progress::default()
        };
        on(progress);
        let counter = Counter { progress: Mutex::new(progress), on };
        let uploads = lacking.into_iter().map(|item| self.upload_one(item, &counter));
        futures::stream::iter(uploads).buffer_unordered(PARALLEL).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    /// Which of these blobs the store lacks; at most [`MAX_DIGESTS`] at a time.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn missing<'a>(&self, digests: impl Iterator<Item = &'a Digest>) -> Result<Vec<Digest>, Error> {
        let request = v1::FindMissingRequest { digests: digests.map(ToString::to_string).collect() };
        let found = self
            .call(&request, |client, request| async move { client.artifacts().find_missing(request).await })
            .await?;
        let parse = |text: String| {
            Digest::try_from(text)
                .map_err(|error: ventral_plan::InvalidDigest| Error::Protocol(error.to_string()))
        };
        found.missing.into_iter().map(parse).collect()
    }

    async fn upload_one(&self, item: Item, counter: &Counter<'_>) -> Result<(), Error> {
        let mut backoff = self.backoff();
        let mut counted = 0;
        loop {
            let query = v1::QueryUploadRequest { digest: item.digest.to_string() };
            let state = self
                .call(&query, |client, request| async move { client.artifacts().query_upload(request).await })
                .await?;
            if state.complete {
                break;
            }
            // An upload that another version of the file began is begun anew.
            let offset = if state.offset <= item.bytes { state.offset } else { 0 };
            counter.set(&mut counted, offset);
            let failure = Failure::default();
            let messages = messages(&item, offset, failure.clone())?;
            match self.artifacts().upload(messages).await {
                Ok(_) => break,
                Err(status) => {
                    if let Some(error) = failure.take() {
                        return Err(error);
                    }
                    // What has arrived is kept: where to go on is asked anew.
                    let cut = status.code() == Code::Aborted || status.code() == Code::FailedPrecondition;
                    let again = if cut { tonic::Status::unavailable(status.message()) } else { status };
                    backoff.wait(self.url(), &again).await?;
                }
            }
        }
        counter.set(&mut counted, item.bytes);
        counter.done();
        Ok(())
    }
}

struct Counter<'a> {
    progress: Mutex<Progress>,
    on: OnProgress<'a>,
}

impl Counter<'_> {
    fn set(&self, counted: &mut u64, offset: u64) {
        let old = std::mem::replace(counted, offset);
        self.change(|progress| progress.bytes_done = (progress.bytes_done + offset).saturating_sub(old));
    }

    fn done(&self) {
        self.change(|progress| progress.files_done += 1);
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        (self.on)(*progress);
    }
}

/// What went wrong on this side while messages were made.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    fn set(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Messages = std::pin::Pin<Box<dyn Stream<Item = v1::UploadRequest> + Send>>;

/// Header and data from `offset` on.
fn messages(item: &Item, offset: u64, failure: Failure) -> Result<Messages, Error> {
    let header = v1::UploadHeader { digest: item.digest.to_string(), total_bytes: item.bytes, offset };
    let first = futures::stream::iter([v1::UploadRequest { part: Some(Part::Header(header)) }]);
    let data = match &item.source {
        Source::File(path) => read(path.clone(), offset, item.bytes, failure)?.boxed(),
        Source::Memory(bytes) => {
            let rest = bytes.slice(usize::try_from(offset).unwrap_or(bytes.len()).min(bytes.len())..);
            let starts = (0..rest.len()).step_by(MAX_UPLOAD_DATA_BYTES);
            let part = move |start: usize| rest.slice(start..rest.len().min(start + MAX_UPLOAD_DATA_BYTES));
            futures::stream::iter(starts).map(part).boxed()
        }
    };
    Ok(first.chain(data.map(|data| v1::UploadRequest { part: Some(Part::Data(data)) })).boxed())
}

fn read(
    path: PathBuf,
    offset: u64,
    total: u64,
    failure: Failure,
) -> Result<impl Stream<Item = Bytes> + Send, Error> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| Error::File {
        path: path.display().to_string(),
        problem: error.to_string(),
    };
    let mut file = File::open(&path).map_err(|error| failed(&path, &error))?;
    file.seek(SeekFrom::Start(offset)).map_err(|error| failed(&path, &error))?;
    let state = (file, total.saturating_sub(offset));
    Ok(futures::stream::unfold(state, move |(mut file, left)| {
        let (path, failure) = (path.clone(), failure.clone());
        async move {
            if left == 0 {
                return None;
            }
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(MAX_UPLOAD_DATA_BYTES);
            let read = tokio::task::spawn_blocking(move || {
                let mut data = vec![0; size];
                file.read_exact(&mut data).map(|()| (file, data))
            });
            match read.await {
                Ok(Ok((file, data))) => Some((Bytes::from(data), (file, left - size as u64))),
                Ok(Err(error)) => {
                    failure.set(failed(&path, &format!("{error}; the file changed while it was uploaded")));
                    None
                }
                Err(_) => None,
            }
        }
    }))
}
