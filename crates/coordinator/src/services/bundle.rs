//! The manifest of a submission: its tenant must have uploaded it, and every file it names.

use tonic::{Code, Status};
use ventral_bundle::{MAX_MANIFEST_BYTES, Manifest};
use ventral_plan::Digest;

use super::Shared;
use super::shared::ending;
use super::status::{Reason, invalid, refuse};

impl Shared {
    /// Whether a tenant may submit a bundle. What other tenants have uploaded makes no difference.
    ///
    /// # Errors
    /// `ARTIFACT_NOT_FOUND` unless the tenant has uploaded all of it; `FIELD_INVALID` for what is no manifest.
    pub(super) async fn check_bundle(&self, tenant: &str, bundle: &Digest) -> Result<(), Status> {
        self.holdings.load().await?;
        let absent = |what: String| {
            let message = format!("bundle: {what}; upload the manifest and all it names first");
            refuse(Code::NotFound, Reason::ArtifactNotFound, message)
        };
        let not_uploaded = || absent(format!("blob {bundle} was not uploaded by this tenant"));
        let bytes = self.holdings.bytes(tenant, bundle).ok_or_else(not_uploaded)?;
        if bytes > MAX_MANIFEST_BYTES as u64 {
            return Err(invalid(
                "bundle",
                format!("{bytes} bytes; a manifest has at most {MAX_MANIFEST_BYTES}"),
            ));
        }
        let _few = self.manifests.acquire().await.map_err(|_| ending())?;
        let wanted = bundle.clone();
        let bytes = self.on_store(move |store| store.blob(&wanted)).await?.ok_or_else(not_uploaded)?;
        let parsed = tokio::task::spawn_blocking(move || Manifest::from_bytes(&bytes)).await;
        let manifest = parsed.map_err(|_| ending())?.map_err(|error| invalid("bundle", error.to_string()))?;
        let lacking = self.holdings.lacking(tenant, &manifest.blobs());
        match lacking.first() {
            None => Ok(()),
            Some(first) => {
                let count = lacking.len();
                Err(absent(format!(
                    "{count} of its files were not uploaded by this tenant, blob {first} for one"
                )))
            }
        }
    }
}
