use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::auth::{IdentitiesError, Link};
use crate::limits::Limits;

/// Largest certificate or key file in bytes.
const MAX_PEM_BYTES: u64 = 1 << 20;

/// How a server is run.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Numeric profile of jobs that name none.
    pub profile: String,
    /// TLS; without it the wire is readable.
    pub tls: Option<TlsFiles>,
    /// File of tokens and certificates ([`Identities`](crate::auth::Identities)); without it everybody is the operator `local`.
    pub identities: Option<PathBuf>,
    /// Listen beyond this machine even without TLS or identities.
    pub insecure: bool,
    /// Let anybody ask the scaler for the backlog: KEDA has no tokens.
    pub open_scaler: bool,
    /// The limits.
    pub limits: Limits,
    /// Makes the spans of calls part of their callers' traces.
    pub link: Option<Link>,
}

/// Files for TLS, in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate, and those that lead to its CA.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// CA of client certificates; without it none are asked for.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without certificate is turned away before it says anything; else it needs a token.
    pub require_client_certificate: bool,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It would let strangers in.
    #[error(
        "listening on {address} without {lacks} would let strangers in or read along: add {lacks}, listen on 127.0.0.1, or say --insecure"
    )]
    Insecure {
        /// The address.
        address: SocketAddr,
        /// What is missing.
        lacks: &'static str,
    },
    /// Certificates are verified but nobody is named by them.
    #[error("a client CA needs a file of identities that says which certificate names stand for whom")]
    NoNames,
    /// A certificate must be shown but there is no CA to check it.
    #[error("client certificates can be required only with a client CA")]
    NoClientCa,
    /// A file of TLS cannot be read.
    #[error("{path}: {problem}", path = path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The file of identities cannot be used.
    #[error(transparent)]
    Identities(#[from] IdentitiesError),
}

impl ServerConfig {
    /// A server for this machine alone, on a free port, without TLS and tokens.
    pub fn local(profile: &str) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            profile: profile.to_owned(),
            tls: None,
            identities: None,
            insecure: false,
            open_scaler: false,
            limits: Limits::default(),
            link: None,
        }
    }

    /// Refuses what would let strangers in.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let lacks = match (&self.tls, &self.identities) {
            (None, None) => Some("TLS and identities"),
            (None, Some(_)) => Some("TLS"),
            (Some(_), None) => Some("identities"),
            (Some(_), Some(_)) => None,
        };
        if let Some(lacks) = lacks
            && !self.listen.ip().is_loopback()
            && !self.insecure
        {
            return Err(ConfigError::Insecure { address: self.listen, lacks });
        }
        match &self.tls {
            Some(tls) if tls.client_ca.is_some() && self.identities.is_none() => Err(ConfigError::NoNames),
            Some(tls) if tls.client_ca.is_none() && tls.require_client_certificate => {
                Err(ConfigError::NoClientCa)
            }
            _ => Ok(()),
        }
    }
}

impl TlsFiles {
    /// Reads the files.
    pub(super) fn load(&self) -> Result<ServerTlsConfig, ConfigError> {
        let identity = Identity::from_pem(pem(&self.certificate)?, pem(&self.key)?);
        let mut config = ServerTlsConfig::new().identity(identity);
        if let Some(ca) = &self.client_ca {
            config = config
                .client_ca_root(Certificate::from_pem(pem(ca)?))
                .client_auth_optional(!self.require_client_certificate);
        }
        Ok(config)
    }
}

fn pem(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let failed = |problem: String| ConfigError::Tls { path: path.to_owned(), problem };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > MAX_PEM_BYTES {
        return Err(failed(format!("{size} bytes; a PEM file has at most {MAX_PEM_BYTES}")));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    if !bytes.windows(10).any(|window| window == b"-----BEGIN") {
        return Err(failed("this is no PEM file: it has no line -----BEGIN ...".to_owned()));
    }
    Ok(bytes)
}
