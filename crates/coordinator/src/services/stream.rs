//! Byte streams.

use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tonic::Status;
use ventral_proto::limits::MAX_CHUNK_BYTES;
use ventral_proto::v1::DataChunk;

/// A stream of messages.
pub type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// `bytes` from `offset`, in chunks; at least one, so that the size is told.
pub fn chunks(bytes: Bytes, offset: usize) -> Messages<DataChunk> {
    let total = bytes.len();
    let mut starts: Vec<usize> = (offset.min(total)..total).step_by(MAX_CHUNK_BYTES).collect();
    if starts.is_empty() {
        starts.push(total);
    }
    let chunk = move |start: usize| {
        let data = bytes.slice(start..total.min(start + MAX_CHUNK_BYTES));
        Ok(DataChunk { data, total_bytes: Some(total as u64) })
    };
    futures::stream::iter(starts).map(chunk).boxed()
}
