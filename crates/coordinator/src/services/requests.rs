//! Request ids: a mutation happens once however often it is sent.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message;
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};

use super::status::{Reason, refuse};

/// Ids that are remembered per tenant.
pub const MAX_REMEMBERED: usize = 4_096;

/// The ids of late.
#[derive(Default)]
pub struct Requests {
    tenants: Mutex<HashMap<String, Recent>>,
}

#[derive(Default)]
struct Recent {
    entries: HashMap<String, Arc<Entry>>,
    order: VecDeque<String>,
}

struct Entry {
    fingerprint: [u8; 32],
    /// Whether the request has been carried out; locked while it is.
    done: tokio::sync::Mutex<bool>,
}

impl Requests {
    /// Carries out `act(false)`, or `act(true)` if the same request succeeded before. A request that failed may be sent again, changed or not.
    ///
    /// # Errors
    /// `REQUEST_ID_REUSED` for another request of this id; else what `act` says.
    pub async fn once<T, F>(
        &self,
        tenant: &str,
        request_id: &str,
        method: &str,
        request: &impl Message,
        act: impl FnOnce(bool) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let fingerprint = fingerprint(method, request);
        let entry = self.entry(tenant, request_id, fingerprint);
        if entry.fingerprint != fingerprint {
            let message =
                format!("request id '{request_id}' was used for another request; use a new id for a new one");
            return Err(refuse(Code::AlreadyExists, Reason::RequestIdReused, message));
        }
        let mut done = entry.done.lock().await;
        let result = act(*done).await;
        match &result {
            Ok(_) => *done = true,
            Err(_) if !*done => self.forget(tenant, request_id, &entry),
            Err(_) => {}
        }
        result
    }

    fn entry(&self, tenant: &str, id: &str, fingerprint: [u8; 32]) -> Arc<Entry> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = tenants.entry(tenant.to_owned()).or_default();
        if let Some(entry) = recent.entries.get(id) {
            return entry.clone();
        }
        let entry = Arc::new(Entry { fingerprint, done: tokio::sync::Mutex::new(false) });
        recent.entries.insert(id.to_owned(), entry.clone());
        recent.order.push_back(id.to_owned());
        while recent.order.len() > MAX_REMEMBERED {
            if let Some(oldest) = recent.order.pop_front() {
                recent.entries.remove(&oldest);
            }
        }
        entry
    }

    fn forget(&self, tenant: &str, id: &str, entry: &Arc<Entry>) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recent) = tenants.get_mut(tenant)
            && recent.entries.get(id).is_some_and(|known| Arc::ptr_eq(known, entry))
        {
            recent.entries.remove(id);
            recent.order.retain(|known| known != id);
        }
    }
}

fn fingerprint(method: &str, request: &impl Message) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((method.len() as u64).to_le_bytes());
    hash.update(method);
    hash.update(request.encode_to_vec());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ventral_proto::v1::DrainRequest;

    fn drain(worker: &str) -> DrainRequest {
        DrainRequest { request_id: "id".to_owned(), worker: worker.to_owned() }
    }

    #[tokio::test]
    async fn a_request_is_done_once_and_another_body_is_refused() {
        let requests = Requests::default();
        let send = |tenant: &'static str, worker: &'static str| {
            let requests = &requests;
            async move {
                requests.once(tenant, "id", "Drain", &drain(worker), |again| async move { Ok(again) }).await
            }
        };
        assert!(!send("a", "w").await.expect("first"));
        assert!(send("a", "w").await.expect("again"));
        assert_eq!(send("a", "v").await.expect_err("another body").code(), Code::AlreadyExists);
        assert!(!send("b", "v").await.expect("another tenant"));
    }

    #[tokio::test]
    async fn a_request_that_failed_may_be_mended() {
        let requests = Requests::default();
        let (wrong, right) = (drain("w"), drain("v"));
        let failed =
            requests.once("a", "id", "Drain", &wrong, |_| async { Err::<(), _>(Status::internal("no")) });
        assert!(failed.await.is_err());
        let mended = requests.once("a", "id", "Drain", &right, |again| async move { Ok(again) });
        assert!(!mended.await.expect("mended"));
    }

    #[tokio::test]
    async fn ids_are_forgotten_in_order() {
        let requests = Requests::default();
        let send = |id: usize| {
            let requests = &requests;
            async move {
                requests
                    .once("a", &id.to_string(), "Drain", &drain("w"), |again| async move { Ok(again) })
                    .await
            }
        };
        for id in 0..=MAX_REMEMBERED {
            assert!(!send(id).await.expect("new"));
        }
        assert!(send(1).await.expect("kept"));
        assert!(!send(0).await.expect("forgotten"));
    }
}
