//! Files by digest: up, in pieces that can be resumed, and down.

mod collect;
mod download;
mod holdings;
mod partial;
mod tend;
mod upload;

use std::collections::HashSet;
use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};
use ventral_plan::Digest;
use ventral_proto::limits::MAX_DIGESTS;
use ventral_proto::v1;
use ventral_proto::v1::artifacts_server::Artifacts;

pub use collect::collect;
pub use holdings::Holdings;
pub use partial::Partials;

use super::status::invalid;
use super::stream::Messages;
use super::{Shared, check};

/// The service.
pub struct Files {
    shared: Arc<Shared>,
    partials: Arc<Partials>,
}

impl Files {
    /// Keeps unfinished uploads in the store's directory for temporary files.
    pub fn new(shared: Arc<Shared>) -> Self {
        let partials =
            Arc::new(Partials::new(shared.core.store().temporary().join("uploads"), shared.limits));
        Self { shared, partials }
    }

    /// Those of the blobs that the tenant must upload, in order: what others have uploaded makes no difference.
    async fn missing(&self, tenant: &str, digests: Vec<Digest>) -> Result<Vec<Digest>, Status> {
        self.shared.holdings.load().await?;
        let mut missing: HashSet<Digest> =
            self.shared.holdings.lacking(tenant, &digests).into_iter().collect();
        let held: Vec<Digest> = digests.iter().filter(|digest| !missing.contains(*digest)).cloned().collect();
        missing.extend(self.shared.on_store(move |store| store.missing_blobs(&held)).await?);
        Ok(digests.into_iter().filter(|digest| missing.contains(digest)).collect())
    }
}

#[tonic::async_trait]
impl Artifacts for Files {
    async fn find_missing(
        &self,
        request: Request<v1::FindMissingRequest>,
    ) -> Result<Response<v1::FindMissingResponse>, Status> {
        let caller = check::caller(&request)?;
        let asked = request.into_inner().digests;
        if asked.len() > MAX_DIGESTS {
            return Err(invalid("digests", format!("{}; at most {MAX_DIGESTS} at a time", asked.len())));
        }
        let digests: Vec<Digest> =
            asked.iter().map(|text| check::digest("digests", text)).collect::<Result<_, _>>()?;
        let missing = self.missing(&caller.tenant, digests).await?.into_iter().map(String::from).collect();
        Ok(Response::new(v1::FindMissingResponse { missing }))
    }

    async fn query_upload(
        &self,
        request: Request<v1::QueryUploadRequest>,
    ) -> Result<Response<v1::QueryUploadResponse>, Status> {
        let caller = check::caller(&request)?;
        let digest = check::digest("digest", &request.into_inner().digest)?;
        if self.missing(&caller.tenant, vec![digest.clone()]).await?.is_empty() {
            return Ok(Response::new(v1::QueryUploadResponse { offset: 0, complete: true }));
        }
        let offset = self.partials.offset(&caller.tenant, &digest);
        Ok(Response::new(v1::QueryUploadResponse { offset, complete: false }))
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<v1::UploadResponse>, Status> {
        let caller = check::caller(&request)?;
        upload::receive(self, &caller, request.into_inner()).await.map(Response::new)
    }

    type DownloadStream = Messages<v1::DataChunk>;

    async fn download(
        &self,
        request: Request<v1::DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let caller = check::caller(&request)?;
        download::send(&self.shared, &caller, &request.into_inner()).await.map(Response::new)
    }
}
