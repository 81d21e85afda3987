//! Sending a blob or result.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use bytes::Bytes;
use futures::StreamExt as _;
use tonic::{Code, Status};
use ventral_plan::Digest;
use ventral_proto::limits::MAX_CHUNK_BYTES;
use ventral_proto::v1;

use crate::auth::Identity;
use crate::services::shared::ending;
use crate::services::status::{Reason, internal, invalid, refuse};
use crate::services::stream::{Messages, chunks};
use crate::services::{Shared, check};

/// The stream of a download.
pub async fn send(
    shared: &Shared,
    caller: &Identity,
    request: &v1::DownloadRequest,
) -> Result<Messages<v1::DataChunk>, Status> {
    let digest = check::digest("digest", &request.digest)?;
    let beyond = |size: u64| invalid("offset", format!("{}; it has {size} bytes", request.offset));
    if request.kind() == v1::ArtifactKind::Object {
        let wanted = digest.clone();
        let Some(payload) = shared.on_store(move |store| store.get(&wanted)).await? else {
            return Err(absent("result", &digest));
        };
        let offset = usize::try_from(request.offset).ok().filter(|offset| *offset <= payload.len());
        let offset = offset.ok_or_else(|| beyond(payload.len() as u64))?;
        return Ok(chunks(Bytes::from(payload), offset));
    }
    shared.holdings.load().await?;
    // Operators see all; others what their tenant has uploaded, and are not told of more.
    if caller.scope().is_some() && shared.holdings.bytes(&caller.tenant, &digest).is_none() {
        return Err(absent("blob", &digest));
    }
    let (mut file, total) = blob(shared, digest).await?;
    if request.offset > total {
        return Err(beyond(total));
    }
    file.seek(SeekFrom::Start(request.offset)).map_err(internal)?;
    Ok(read(file, request.offset, total))
}

/// A blob as an open file without a name: it goes away by itself.
async fn blob(shared: &Shared, digest: Digest) -> Result<(File, u64), Status> {
    let wanted = digest.clone();
    let found = shared.on_store(move |store| {
        let name = format!("download-{}", uuid::Uuid::new_v4().simple());
        let path = store.temporary().join(name);
        let there = store.blob_to_file(&wanted, &path)?;
        let opened = there.then(|| File::open(&path));
        let _ = std::fs::remove_file(&path);
        Ok(opened)
    });
    let file = found.await?.ok_or_else(|| absent("blob", &digest))?.map_err(internal)?;
    let total = file.metadata().map_err(internal)?.len();
    Ok((file, total))
}

fn read(file: File, offset: u64, total: u64) -> Messages<v1::DataChunk> {
    let state = Some((file, offset, true));
    let stream = futures::stream::unfold(state, move |state| async move {
        let (mut file, offset, first) = state?;
        if offset >= total && !first {
            return None;
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut data =
                vec![0; MAX_CHUNK_BYTES.min(usize::try_from(total - offset).unwrap_or(MAX_CHUNK_BYTES))];
            file.read_exact(&mut data).map(|()| (file, data))
        });
        match read.await {
            Ok(Ok((file, data))) => {
                let next = offset + data.len() as u64;
                let chunk = v1::DataChunk { data: data.into(), total_bytes: Some(total) };
                Some((Ok(chunk), Some((file, next, false))))
            }
            Ok(Err(error)) => Some((Err(internal(error)), None)),
            Err(_) => Some((Err(ending()), None)),
        }
    });
    stream.boxed()
}

fn absent(what: &str, digest: &Digest) -> Status {
    refuse(Code::NotFound, Reason::ArtifactNotFound, format!("no {what} {digest}"))
}
