//! TLS, also with certificates of clients.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use ventral_queue::{Error, Queue, Redis, TlsFiles};
use ventral_testkit::redis::RedisTls;
use ventral_testkit::{RedisOptions, RedisServer};

use crate::support::TIMING;

/// An authority, and the certificate and key `NAME.pem`, `NAME.key` of each name, in a directory.
fn certificates(dir: &Path, authority: &str, names: &[&str]) -> PathBuf {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, authority);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let path = dir.join(format!("{authority}.pem"));
    fs::write(&path, issuer.pem()).unwrap();
    for name in names {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, *name);
        fs::write(dir.join(format!("{name}.pem")), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
        fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    path
}

fn files(dir: &Path, ca: &Path, client: Option<&str>) -> TlsFiles {
    TlsFiles {
        ca: Some(ca.to_owned()),
        cert: client.map(|name| dir.join(format!("{name}.pem"))),
        key: client.map(|name| dir.join(format!("{name}.key"))),
    }
}

#[tokio::test]
async fn both_sides_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let ca = certificates(dir.path(), "ca", &["server", "client"]);
    let other = certificates(dir.path(), "other", &["stranger"]);
    let path = |name: &str| dir.path().join(name);
    let tls =
        RedisTls { ca: ca.clone(), cert: path("server.pem"), key: path("server.key"), client_certs: true };
    let options = RedisOptions { tls: Some(tls), ..RedisOptions::default() };
    let Some(server) = RedisServer::start_or_skip(options).unwrap() else { return };
    let ping = async |url: &str, tls: TlsFiles| Redis::connect(url, "test", TIMING, &tls).await?.ping().await;
    let url = server.url();
    assert!(url.starts_with("rediss://"));
    ping(&url, files(dir.path(), &ca, Some("client"))).await.unwrap();
    let queue = Redis::connect(&url, "test", TIMING, &files(dir.path(), &ca, Some("client"))).await.unwrap();
    queue.open().await.unwrap();
    for (what, tls) in [
        ("no certificate", files(dir.path(), &ca, None)),
        ("a stranger's certificate", files(dir.path(), &ca, Some("stranger"))),
        ("a server of another authority", files(dir.path(), &other, Some("client"))),
        ("a server that the system does not trust", TlsFiles::default()),
    ] {
        assert!(matches!(ping(&url, tls).await, Err(Error::Unavailable(_))), "{what}");
    }
    let plain = url.replace("rediss://", "redis://");
    assert!(ping(&plain, TlsFiles::default()).await.is_err());
    for (url, tls) in [
        (&plain, files(dir.path(), &ca, None)),
        (&url, files(dir.path(), &path("none.pem"), None)),
        (&url, files(dir.path(), &path("server.key"), Some("client"))),
        (&url, TlsFiles { key: None, ..files(dir.path(), &ca, Some("client")) }),
        (&url, TlsFiles { key: Some(path("ca.pem")), ..files(dir.path(), &ca, Some("client")) }),
    ] {
        let error = ping(url, tls.clone()).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{tls:?}: {error}");
    }
}
