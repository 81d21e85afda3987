//! Bodies: read with a limit and a deadline for silence, written in parts.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{GetResult, ObjectStoreExt, WriteMultipart};
use sha2::{Digest as _, Sha256};
use ventral_plan::Digest;

use super::fault::Trouble;
use super::{Inner, Remote};
use crate::Error;
use crate::backend::{Hashing, Pieces, Scanned, Scanning, digest_of};
use crate::local::{check_blob, new_file_in};

/// Smallest part of an upload; a larger file has larger parts.
const PART_BYTES: u64 = 16 << 20;
/// Most parts of an upload, below S3's 10,000.
const MAX_PARTS: u64 = 9_000;
/// Parts on their way at a time.
const CONCURRENT_PARTS: usize = 4;

impl Remote {
    /// The first `head` bytes and the rest; `None` if there is no such key.
    pub(super) async fn download(&self, key: &str, head: usize, limit: u64) -> Result<Option<Pieces>, Error> {
        let place = PathBuf::from(self.0.url_of(key));
        self.attempt("cannot read", key, move |inner, path| {
            let place = place.clone();
            Box::pin(async move {
                let Some(found) = begin(&inner, &path).await? else { return Ok(None) };
                let size = found.meta.size;
                if size > limit {
                    let problem = format!("{size} bytes, more than the {limit} it may have");
                    return Err(Error::Damaged { path: place, problem }.into());
                }
                let (mut first, mut rest) = (Vec::with_capacity(head), Vec::new());
                let wanted = usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(head);
                rest.try_reserve_exact(wanted)
                    .map_err(|e| Error::io("cannot read", &place, io::Error::other(e)))?;
                body(&inner, found, limit, |bytes| {
                    let (to_first, to_rest) = bytes.split_at(bytes.len().min(head - first.len()));
                    first.extend_from_slice(to_first);
                    rest.extend_from_slice(to_rest);
                    Ok(())
                })
                .await?;
                Ok(Some((first, rest)))
            })
        })
        .await
    }

    /// The first `start` bytes, and the digest of all but the first `skip`.
    pub(super) async fn scanned(
        &self,
        key: &str,
        skip: usize,
        start: usize,
    ) -> Result<Option<Scanned>, Error> {
        self.attempt("cannot read", key, move |inner, path| {
            Box::pin(async move {
                let Some(found) = begin(&inner, &path).await? else { return Ok(None) };
                let (size, mut scanning) = (found.meta.size, Scanning::new(skip, start));
                body(&inner, found, size, |bytes| {
                    scanning.take(bytes);
                    Ok(())
                })
                .await?;
                Ok(Some(scanning.finish()))
            })
        })
        .await
    }

    /// Writes a blob to a new file beside `target` and moves it there once its digest is the expected one.
    pub(super) async fn download_to(
        &self,
        key: &str,
        expected: Digest,
        target: PathBuf,
    ) -> Result<bool, Error> {
        let place = PathBuf::from(self.0.url_of(key));
        self.attempt("cannot read", key, move |inner, path| {
            let (place, expected, target) = (place.clone(), expected.clone(), target.clone());
            Box::pin(async move {
                let Some(found) = begin(&inner, &path).await? else { return Ok(false) };
                let write_error = |e| Error::io("cannot write", &target, e);
                let mut file = new_file_in(target.parent().unwrap_or(Path::new("."))).map_err(write_error)?;
                let mut hashing = Hashing::new(file.as_file_mut());
                let size = found.meta.size;
                body(&inner, found, size, |bytes| hashing.write_all(bytes).map_err(write_error)).await?;
                check_blob(&place, &expected, &hashing.finish())?;
                file.persist(&target).map_err(|refused| write_error(refused.error))?;
                Ok(true)
            })
        })
        .await
    }

    /// Uploads a large file in parts. It is named by its content, so that two uploads of it are the same.
    pub(super) async fn upload(
        &self,
        key: &str,
        file: PathBuf,
        bytes: u64,
        expected: Digest,
    ) -> Result<(), Error> {
        self.attempt("cannot write", key, move |inner, path| {
            let (file, expected) = (file.clone(), expected.clone());
            Box::pin(async move {
                let started = tokio::time::timeout(inner.idle, inner.client.put_multipart(&path)).await;
                let upload = started.map_err(|_| Trouble::Silent(inner.idle))??;
                let part = PART_BYTES.max(bytes.div_ceil(MAX_PARTS));
                let mut parts = WriteMultipart::new_with_chunk_size(upload, part as usize);
                match send_parts(&inner, &mut parts, &file, part, &expected).await {
                    Ok(()) => {
                        let allowance = inner.allowance(part * CONCURRENT_PARTS as u64);
                        let finished = tokio::time::timeout(allowance, parts.finish()).await;
                        finished.map_err(|_| Trouble::Silent(allowance))??;
                        Ok(())
                    }
                    Err(trouble) => {
                        // The bucket's life-cycle rule removes what cannot be aborted.
                        let _ = tokio::time::timeout(inner.idle, parts.abort()).await;
                        Err(trouble)
                    }
                }
            })
        })
        .await
    }
}

async fn begin(inner: &Arc<Inner>, path: &ObjectPath) -> Result<Option<GetResult>, Trouble> {
    match tokio::time::timeout(inner.idle, inner.client.get(path)).await {
        Err(_) => Err(Trouble::Silent(inner.idle)),
        Ok(Err(object_store::Error::NotFound { .. })) => Ok(None),
        Ok(answer) => Ok(Some(answer?)),
    }
}

/// Hands a body on piece by piece; a body longer than announced is cut, and found out by its digest.
async fn body(
    inner: &Inner,
    found: GetResult,
    limit: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Trouble> {
    let idle: Duration = inner.idle;
    let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut pieces = found.into_stream();
    loop {
        match tokio::time::timeout(idle, pieces.next()).await {
            Err(_) => return Err(Trouble::Silent(idle)),
            Ok(None) => return Ok(()),
            Ok(Some(piece)) => {
                let piece = piece?;
                let taken = piece.len().min(left);
                take(&piece[..taken])?;
                left -= taken;
            }
        }
    }
}

async fn send_parts(
    inner: &Inner,
    parts: &mut WriteMultipart,
    path: &Path,
    part_bytes: u64,
    expected: &Digest,
) -> Result<(), Trouble> {
    let read_error = |e| Error::io("cannot read", path, e);
    let mut file = File::open(path).map_err(read_error)?;
    let mut hash = Sha256::new();
    loop {
        let mut part = Vec::new();
        (&mut file).take(part_bytes).read_to_end(&mut part).map_err(read_error)?;
        if part.is_empty() {
            break;
        }
        hash.update(&part);
        let allowance = inner.allowance(part_bytes * CONCURRENT_PARTS as u64);
        let room = tokio::time::timeout(allowance, parts.wait_for_capacity(CONCURRENT_PARTS)).await;
        room.map_err(|_| Trouble::Silent(allowance))??;
        parts.put(Bytes::from(part));
    }
    let found = digest_of(hash);
    if found == *expected {
        return Ok(());
    }
    Err(Error::Changed { path: path.to_owned(), expected: expected.clone(), found }.into())
}
