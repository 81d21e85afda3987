//! Receiving a blob.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use tonic::{Code, Status, Streaming};
use ventral_plan::Digest;
use ventral_proto::limits::{MAX_BLOB_BYTES, MAX_UPLOAD_DATA_BYTES};
use ventral_proto::v1;
use ventral_proto::v1::upload_request::Part;

use super::Files;
use super::partial::Claim;
use crate::auth::Identity;
use crate::services::shared::ending;
use crate::services::status::{Reason, invalid, of_store, refuse};
use crate::services::{Shared, check};

/// Receives the messages of one stream; what has arrived is kept if it is cut.
pub async fn receive(
    files: &Files,
    caller: &Identity,
    mut stream: Streaming<v1::UploadRequest>,
) -> Result<v1::UploadResponse, Status> {
    let shared = files.shared.as_ref();
    let Some(Part::Header(header)) = next(shared, &mut stream).await? else {
        return Err(invalid("header", "the first message must be the header"));
    };
    let digest = check::digest("header.digest", &header.digest)?;
    let total = header.total_bytes;
    if total > MAX_BLOB_BYTES {
        return Err(invalid("header.total_bytes", format!("{total}; at most {MAX_BLOB_BYTES}")));
    }
    if files.missing(&caller.tenant, vec![digest.clone()]).await?.is_empty() {
        return Ok(v1::UploadResponse { existed: true });
    }
    let claim = claim(files, caller, digest.clone(), total).await?;
    let mut file = open(&claim.path, header.offset, total)?;
    let mut arrived = header.offset;
    while arrived < total {
        let data = match next(shared, &mut stream).await? {
            Some(Part::Data(data)) => data,
            Some(Part::Header(_)) => return Err(invalid("header", "only the first message may be a header")),
            None => return Err(cut(arrived, total)),
        };
        if data.is_empty() || data.len() > MAX_UPLOAD_DATA_BYTES {
            let problem = format!("{} bytes; write 1 to {MAX_UPLOAD_DATA_BYTES}", data.len());
            return Err(invalid("data", problem));
        }
        arrived += data.len() as u64;
        if arrived > total {
            discard(&claim);
            return Err(invalid("data", format!("more bytes than the {total} that the header announced")));
        }
        file = write(file, data).await?;
    }
    if next(shared, &mut stream).await?.is_some() {
        return Err(invalid("data", format!("more bytes than the {total} that the header announced")));
    }
    drop(file);
    keep(shared, claim, caller.tenant.clone(), digest, total).await?;
    Ok(v1::UploadResponse { existed: false })
}

/// Claims an upload, with all the room that it will need.
async fn claim(files: &Files, caller: &Identity, digest: Digest, total: u64) -> Result<Claim, Status> {
    let (partials, holdings) = (files.partials.clone(), files.shared.holdings.clone());
    let quota = files.shared.core.max_stored_bytes(&caller.tenant);
    let tenant = caller.tenant.clone();
    let claimed = tokio::task::spawn_blocking(move || {
        partials.claim(&tenant, &digest, total, quota, || holdings.totals(&tenant))
    });
    claimed.await.map_err(|_| ending())?
}

/// The next message; `None` at the end. A client that says nothing for too long is let go.
async fn next(shared: &Shared, stream: &mut Streaming<v1::UploadRequest>) -> Result<Option<Part>, Status> {
    let mut stop = shared.stop.clone();
    let message = tokio::select! {
        message = tokio::time::timeout(shared.limits.upload_silence, stream.message()) => message,
        _ = stop.wait_for(|stop| *stop) => return Err(ending()),
    };
    let Ok(message) = message else {
        let seconds = shared.limits.upload_silence.as_secs();
        let message = format!(
            "nothing arrived for {seconds} s; what had arrived is kept, go on from QueryUpload's offset"
        );
        return Err(refuse(Code::DeadlineExceeded, Reason::UploadStalled, message));
    };
    match message? {
        None => Ok(None),
        Some(v1::UploadRequest { part: Some(part) }) => Ok(Some(part)),
        Some(v1::UploadRequest { part: None }) => Err(invalid("part", "a message has the header or data")),
    }
}

fn open(path: &Path, offset: u64, total: u64) -> Result<File, Status> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| unwritable(path, &error))?;
    }
    let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if offset != 0 && offset != length || offset > total {
        let message =
            format!("offset {offset}, but {length} bytes have arrived: go on there, or begin anew with 0");
        return Err(refuse(Code::FailedPrecondition, Reason::UploadOffset, message));
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    let file = options.open(path).map_err(|error| unwritable(path, &error))?;
    if offset == 0 {
        file.set_len(0).map_err(|error| unwritable(path, &error))?;
    }
    Ok(file)
}

async fn write(mut file: File, data: bytes::Bytes) -> Result<File, Status> {
    let written = tokio::task::spawn_blocking(move || file.write_all(&data).map(|()| file)).await;
    written.map_err(|_| ending())?.map_err(|error| unwritable(Path::new("an upload"), &error))
}

/// Moves a complete upload into the store, which verifies it. Whether another tenant had uploaded it before is not told.
async fn keep(
    shared: &Shared,
    claim: Claim,
    tenant: String,
    digest: Digest,
    total: u64,
) -> Result<(), Status> {
    let (store, holdings) = (shared.core.store().clone(), shared.holdings.clone());
    let kept = tokio::task::spawn_blocking(move || {
        let put = store.put_blob_file(&claim.path, &digest);
        let put = put.and_then(|_| holdings.add(&tenant, &digest, total));
        let lost =
            matches!(put, Err(ventral_store::Error::Changed { .. } | ventral_store::Error::TooLarge { .. }));
        if put.is_ok() || lost {
            discard(&claim);
        }
        put
    });
    match kept.await.map_err(|_| ending())? {
        Ok(()) => Ok(()),
        Err(ventral_store::Error::Changed { expected, found, .. }) => {
            let message = format!(
                "the bytes have the SHA-256 {found}, announced was {expected}; nothing is kept, upload it anew"
            );
            Err(refuse(Code::InvalidArgument, Reason::DigestMismatch, message))
        }
        Err(error) => Err(of_store(error)),
    }
}

fn discard(claim: &Claim) {
    if let Err(error) = fs::remove_file(&claim.path) {
        tracing::warn!(path = %claim.path.display(), %error, "an upload cannot be removed");
    }
}

fn cut(arrived: u64, total: u64) -> Status {
    let message = format!("the stream ended after {arrived} of {total} bytes; they are kept, go on there");
    refuse(Code::Aborted, Reason::UploadCut, message)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Status {
    tracing::error!(path = %path.display(), %error, "an upload cannot be written");
    let message = "the coordinator cannot keep the upload; its log says why";
    refuse(Code::Unavailable, Reason::StoreUnavailable, message)
}
