use std::path::PathBuf;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

const CONNECT_TIME: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long calls are tried again while the coordinator does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the coordinator is and who calls.
#[derive(Debug, Clone)]
pub struct Target {
    /// `http://host:port`, `https://host:port` or `host:port`, which means http.
    pub url: String,
    /// The caller's token.
    pub token: Option<String>,
    /// CA of the coordinator's certificate, a PEM file; needed for https.
    pub ca: Option<PathBuf>,
    /// Client certificate and its key, PEM files.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Name on the coordinator's certificate, where it is not the host of the URL.
    pub server_name: Option<String>,
    /// W3C trace context, sent with every call.
    pub traceparent: Option<String>,
    /// How long a call is tried again while the coordinator does not answer.
    pub patience: Duration,
}

/// A target that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The URL.
    #[error("coordinator '{url}': {problem}; write host:port, http://host:port or https://host:port")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The token.
    #[error("the token cannot be sent: it must be one line of printable ASCII characters")]
    Token,
    /// A certificate file.
    #[error("{path}: {problem}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        problem: String,
    },
    /// https without a CA.
    #[error(
        "https needs the CA of the coordinator's certificate: name its PEM file (the system's is often /etc/ssl/certs/ca-certificates.crt)"
    )]
    NoCa,
}

impl Target {
    /// A target without TLS and token.
    pub fn new(url: &str) -> Self {
        Self {
            url: if url.contains("://") { url.to_owned() } else { format!("http://{url}") },
            token: None,
            ca: None,
            certificate: None,
            server_name: None,
            traceparent: None,
            patience: PATIENCE,
        }
    }

    pub(crate) fn channel(&self) -> Result<Channel, TargetError> {
        let bad = |problem: String| TargetError::Url { url: self.url.clone(), problem };
        let endpoint = Endpoint::from_shared(self.url.clone()).map_err(|error| bad(error.to_string()))?;
        let tls = match endpoint.uri().scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("the scheme must be http or https".to_owned())),
        };
        if endpoint.uri().host().is_none_or(str::is_empty) {
            return Err(bad("it names no host".to_owned()));
        }
        let authority = endpoint.uri().authority().map(|authority| authority.as_str()).unwrap_or_default();
        let behind_host = authority.rsplit(']').next().unwrap_or_default();
        if authority.contains('@') || (behind_host.contains(':') && endpoint.uri().port_u16().is_none()) {
            return Err(bad("the port is no number, or there is a user name".to_owned()));
        }
        let mut endpoint = endpoint
            .connect_timeout(CONNECT_TIME)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        if tls {
            endpoint = endpoint.tls_config(self.tls()?).map_err(|error| bad(error.to_string()))?;
        }
        Ok(endpoint.connect_lazy())
    }

    fn tls(&self) -> Result<ClientTlsConfig, TargetError> {
        let ca = self.ca.as_ref().ok_or(TargetError::NoCa)?;
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?));
        if let Some((certificate, key)) = &self.certificate {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        if let Some(name) = &self.server_name {
            tls = tls.domain_name(name.clone());
        }
        Ok(tls)
    }

    pub(crate) fn headers(&self) -> Result<Headers, TargetError> {
        let ascii = |text: &str| MetadataValue::try_from(text).map_err(|_| TargetError::Token);
        let token =
            self.token.as_deref().map(|token| ascii(&format!("Bearer {}", token.trim()))).transpose()?;
        let traceparent = self.traceparent.as_deref().map(ascii).transpose()?;
        Ok(Headers { token, traceparent })
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, TargetError> {
    std::fs::read(path).map_err(|error| TargetError::File { path: path.clone(), problem: error.to_string() })
}

/// Puts the caller's headers on every call.
#[derive(Clone)]
pub(crate) struct Headers {
    token: Option<MetadataValue<Ascii>>,
    traceparent: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        if let Some(traceparent) = &self.traceparent {
            request.metadata_mut().insert("traceparent", traceparent.clone());
        }
        Ok(request)
    }
}
