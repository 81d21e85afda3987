use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use ventral_client::{Client, Error, Target};
use ventral_coordinator::server::{ServeError, Server, ServerConfig};
use ventral_plan::Digest;

use super::fake::Fake;

/// Tokens that every test server knows: name, tenant, role.
const TOKENS: [(&str, &str, &str); 5] = [
    ("reader-a", "a", "reader"),
    ("submitter-a", "a", "submitter"),
    ("operator", "ops", "operator"),
    ("reader-b", "b", "reader"),
    ("submitter-b", "b", "submitter"),
];

/// How long tests wait for what must happen.
pub const SOON: Duration = Duration::from_secs(20);

pub struct Running {
    pub address: SocketAddr,
    pub core: Arc<Fake>,
    pub identities: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<Result<(), ServeError>>>,
    _folder: tempfile::TempDir,
}

/// A server with [`TOKENS`], on a free port.
pub async fn start() -> Running {
    start_with(Fake::new(), |_| {}).await
}

pub async fn start_with(core: Fake, change: impl FnOnce(&mut ServerConfig)) -> Running {
    let folder = tempfile::tempdir().expect("a directory");
    let identities = folder.path().join("identities.toml");
    std::fs::write(&identities, tokens(&TOKENS)).expect("a file");
    let mut config = ServerConfig::local("p");
    config.identities = Some(identities.clone());
    change(&mut config);
    let core = Arc::new(core);
    let server = Server::bind(config, core.clone()).await.expect("a server");
    let address = server.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    Running { address, core, identities, stop: Some(stop), task: Some(task), _folder: folder }
}

/// A file of identities in which every token is its own name.
pub fn tokens(entries: &[(&str, &str, &str)]) -> String {
    let entry = |(name, tenant, role): &(&str, &str, &str)| {
        let sha256 = Digest::of_bytes(name.as_bytes());
        format!("[[token]]\nname = '{name}'\ntenant = '{tenant}'\nrole = '{role}'\nsha256 = '{sha256}'\n")
    };
    entries.iter().map(entry).collect()
}

impl Running {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The typed client, as `token`.
    pub fn client(&self, token: &str) -> Client {
        client_at(self.address, token)
    }

    /// A bare channel that sends `token`.
    pub fn wire(
        &self,
        token: &str,
    ) -> InterceptedService<Channel, impl Fn(Request<()>) -> Result<Request<()>, Status> + Clone + use<>>
    {
        let channel = Endpoint::from_shared(self.url()).expect("a URL").connect_lazy();
        let header = MetadataValue::try_from(format!("Bearer {token}")).expect("ASCII");
        InterceptedService::new(channel, move |mut request: Request<()>| {
            request.metadata_mut().insert("authorization", header.clone());
            Ok(request)
        })
    }

    /// Ends the server and waits until it has ended.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        let task = self.task.take().expect("it runs");
        task.await.expect("no panic").expect("it ends well");
    }
}

pub fn client_at(address: SocketAddr, token: &str) -> Client {
    let mut target = Target::new(&address.to_string());
    target.token = Some(token.into());
    target.patience = Duration::from_secs(10);
    Client::new(&target).expect("a target")
}

/// The reason of a refusal.
pub fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no reason: {status:?}"));
    assert_eq!(info.domain, "ventral");
    info.reason
}

/// Asserts that a call was refused so.
#[track_caller]
pub fn refused<T>(result: Result<T, Status>, code: Code, wanted: &str) {
    let status = result.err().expect("it must be refused");
    assert_eq!((status.code(), reason(&status).as_str()), (code, wanted), "{status:?}");
}

/// Asserts that a call of the typed client was refused so.
#[track_caller]
pub fn refused_call<T>(result: Result<T, Error>, wanted: &str) {
    let error = result.err().expect("it must be refused");
    assert_eq!(error.reason(), Some(wanted), "{error:?}");
}
