//! From an address to a client.

use std::fs;
use std::path::{Path, PathBuf};

use ::redis::{Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, TlsCertificates};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::types::{Error, Timing};

/// Longest name of a queue in characters.
pub const MAX_QUEUE_NAME: usize = 64;
/// Largest time of a timing: 2^40 ms, 34 years.
pub const MAX_TIMING_MS: u64 = 1 << 40;

/// PEM files for `rediss://`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities to trust; without, those that the system trusts.
    pub ca: Option<PathBuf>,
    /// Certificate to show to the server, with `key`.
    pub cert: Option<PathBuf>,
    /// Key of `cert`.
    pub key: Option<PathBuf>,
}

fn invalid(field: &'static str, problem: impl Into<String>) -> Error {
    Error::Invalid { field, problem: problem.into() }
}

/// Never shows the address: it may hold a password.
pub(super) fn client(url: &str, tls: &TlsFiles) -> Result<Client, Error> {
    let form = "cannot be read; its form is redis[s]://[user:password@]host:port[/db]";
    if !(url.starts_with("redis://") || url.starts_with("rediss://")) {
        return Err(invalid("redis", form));
    }
    let info = url.into_connection_info().map_err(|_| invalid("redis", form))?;
    match info.addr() {
        ConnectionAddr::Tcp(..) if *tls != TlsFiles::default() => {
            Err(invalid("redis", "TLS files are given, but the address begins with redis://; use rediss://"))
        }
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            Err(invalid("redis", "#insecure is refused: the server's certificate is always checked"))
        }
        ConnectionAddr::TcpTls { .. } => {
            // Fails when a provider is installed already, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let certificates = certificates(tls)?;
            let bad = |e: ::redis::RedisError| invalid("redis TLS files", e.to_string());
            Client::build_with_tls(info, certificates).map_err(bad)
        }
        _ => Client::open(info).map_err(|_| invalid("redis", form)),
    }
}

fn certificates(tls: &TlsFiles) -> Result<TlsCertificates, Error> {
    let root_cert = tls.ca.as_deref().map(|path| read_certificates("redis CA file", path)).transpose()?;
    let client_tls = match (&tls.cert, &tls.key) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some(ClientTlsConfig {
            client_cert: read_certificates("redis certificate file", cert)?,
            client_key: read("redis key file", key)?,
        }),
        _ => {
            return Err(invalid("redis TLS files", "a certificate needs its key, and a key its certificate"));
        }
    };
    Ok(TlsCertificates { client_tls, root_cert })
}

/// The library takes a file without certificates for an empty list.
fn read_certificates(field: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    let pem = read(field, path)?;
    match CertificateDer::pem_slice_iter(&pem).next() {
        Some(Ok(_)) => Ok(pem),
        _ => Err(invalid(field, format!("{} has no certificate in PEM form", path.display()))),
    }
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|e| invalid(field, format!("{} cannot be read: {e}", path.display())))
}

/// A queue's name is part of every key.
pub(super) fn name(name: &str) -> Result<(), Error> {
    let fits = (1..=MAX_QUEUE_NAME).contains(&name.len());
    if !fits || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
        let problem =
            format!("{name:?}: 1 to {MAX_QUEUE_NAME} letters, digits, '_', '.' and '-' are allowed");
        return Err(invalid("queue name", problem));
    }
    Ok(())
}

pub(super) fn timing(timing: &Timing) -> Result<(), Error> {
    let Timing { lease_ms, backoff_ms, max_backoff_ms } = *timing;
    if lease_ms == 0 || [lease_ms, backoff_ms, max_backoff_ms].iter().any(|&ms| ms > MAX_TIMING_MS) {
        let problem = format!("{timing:?}: a lease of 1 ms or more, and no time above {MAX_TIMING_MS} ms");
        return Err(invalid("timing", problem));
    }
    Ok(())
}
