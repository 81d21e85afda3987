//! TLS, and certificates that stand for callers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use ventral_client::{Client, Error, Target};
use ventral_coordinator::server::{ServerConfig, TlsFiles};

use super::fake::Fake;
use super::support::{Running, refused_call, start_with, tokens};

pub struct Authority {
    pub pem: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(folder: &Path, name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let pem = folder.join(format!("{name}.pem"));
    std::fs::write(&pem, certificate.pem()).expect("a file");
    Authority { pem, issuer: Issuer::new(params, key) }
}

impl Authority {
    /// Writes a certificate with a common name and alternative names, and its key.
    fn issue(
        &self,
        folder: &Path,
        common: &str,
        names: &[&str],
        usage: ExtendedKeyUsagePurpose,
    ) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, common);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let stem = self.pem.file_stem().expect("a name").to_string_lossy().into_owned();
        let files =
            (folder.join(format!("{stem}-{common}.pem")), folder.join(format!("{stem}-{common}.key")));
        std::fs::write(&files.0, certificate.pem()).expect("a file");
        std::fs::write(&files.1, key.serialize_pem()).expect("a file");
        files
    }
}

async fn server(folder: &Path, client_ca: Option<&Authority>, required: bool) -> (Running, Authority) {
    server_with(folder, client_ca, required, |_| {}).await
}

/// A server under TLS.
pub async fn server_with(
    folder: &Path,
    client_ca: Option<&Authority>,
    required: bool,
    more: impl FnOnce(&mut ServerConfig),
) -> (Running, Authority) {
    let authority = authority(folder, "server-ca");
    let (certificate, key) =
        authority.issue(folder, "coordinator", &["localhost"], ExtendedKeyUsagePurpose::ServerAuth);
    let identities = folder.join("identities.toml");
    let certificates = "[[certificate]]\nname = 'ada'\ntenant = 'a'\nrole = 'reader'\n\
                        [[certificate]]\nname = 'worker.lab'\ntenant = 'a'\nrole = 'operator'\n";
    std::fs::write(&identities, tokens(&[("reader-a", "a", "reader")]) + certificates).expect("a file");
    let tls = TlsFiles {
        certificate,
        key,
        client_ca: client_ca.map(|ca| ca.pem.clone()),
        require_client_certificate: required,
    };
    let change = |config: &mut ServerConfig| {
        config.tls = Some(tls);
        config.identities = Some(identities);
        more(config);
    };
    (start_with(Fake::new(), change).await, authority)
}

/// A client under TLS.
pub fn client(server: &Running, ca: Option<&Authority>, change: impl FnOnce(&mut Target)) -> Client {
    let mut target = Target::new(&format!("https://localhost:{}", server.address.port()));
    target.ca = ca.map(|ca| ca.pem.clone());
    target.patience = Duration::from_millis(300);
    change(&mut target);
    Client::new(&target).expect("a target")
}

fn unreachable<T>(result: Result<T, Error>) {
    let error = result.err().expect("no connection");
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn tokens_travel_under_tls_to_the_right_server_only() {
    let folder = tempfile::tempdir().expect("a directory");
    let (server, ca) = server(folder.path(), None, false).await;
    let with_token = |target: &mut Target| target.token = Some("reader-a".into());
    assert_eq!(client(&server, Some(&ca), with_token).workers().await.expect("under TLS").len(), 3);
    refused_call(client(&server, Some(&ca), |_| {}).workers().await, "NO_TOKEN");
    let impostor = authority(folder.path(), "impostor");
    unreachable(client(&server, Some(&impostor), with_token).workers().await);
    let other_name = |target: &mut Target| {
        with_token(target);
        target.server_name = Some("elsewhere".into());
    };
    unreachable(client(&server, Some(&ca), other_name).workers().await);
    let plain = |target: &mut Target| target.url = format!("http://{}", server.address);
    unreachable(client(&server, None, plain).workers().await);
    let mut target = Target::new(&format!("https://localhost:{}", server.address.port()));
    assert!(Client::new(&target).is_err(), "https without a CA");
    target.ca = Some(folder.path().join("nothing.pem"));
    assert!(Client::new(&target).is_err(), "a CA that is not there");
    server.stop().await;
}

#[tokio::test]
async fn certificates_stand_for_callers_by_name() {
    let folder = tempfile::tempdir().expect("a directory");
    let people = authority(folder.path(), "people");
    let (server, ca) = server(folder.path(), Some(&people), false).await;
    let usage = ExtendedKeyUsagePurpose::ClientAuth;
    let as_certificate =
        |files: (PathBuf, PathBuf)| client(&server, Some(&ca), |target| target.certificate = Some(files));
    let ada = as_certificate(people.issue(folder.path(), "ada", &[], usage.clone()));
    assert_eq!(ada.workers().await.expect("by common name").len(), 3);
    refused_call(ada.drain("one", "x").await, "ROLE_TOO_LOW");
    let worker =
        as_certificate(people.issue(folder.path(), "w", &["other.lab", "worker.lab"], usage.clone()));
    worker.drain("one", "x").await.expect("by DNS name, as operator");
    let eve = as_certificate(people.issue(folder.path(), "eve", &["ada.lab"], usage.clone()));
    refused_call(eve.workers().await, "CERTIFICATE_UNKNOWN");
    let stranger = authority(folder.path(), "strangers").issue(folder.path(), "ada", &[], usage);
    unreachable(as_certificate(stranger).workers().await);
    let with_token = client(&server, Some(&ca), |target| target.token = Some("reader-a".into()));
    with_token.workers().await.expect("a token will do where certificates are optional");
    refused_call(client(&server, Some(&ca), |_| {}).workers().await, "NO_TOKEN");
    server.stop().await;
}

#[tokio::test]
async fn where_certificates_are_required_a_token_will_not_do() {
    let folder = tempfile::tempdir().expect("a directory");
    let people = authority(folder.path(), "people");
    let (server, ca) = server(folder.path(), Some(&people), true).await;
    unreachable(client(&server, Some(&ca), |target| target.token = Some("reader-a".into())).workers().await);
    let files = people.issue(folder.path(), "ada", &[], ExtendedKeyUsagePurpose::ClientAuth);
    let ada = client(&server, Some(&ca), |target| target.certificate = Some(files));
    assert_eq!(ada.workers().await.expect("a certificate").len(), 3);
    server.stop().await;
}

#[tokio::test]
async fn a_client_ca_without_names_is_refused() {
    let folder = tempfile::tempdir().expect("a directory");
    let people = authority(folder.path(), "people");
    let (certificate, key) =
        people.issue(folder.path(), "c", &["localhost"], ExtendedKeyUsagePurpose::ServerAuth);
    let mut config = ServerConfig::local("p");
    let tls = |client_ca, required| {
        let (certificate, key) = (certificate.clone(), key.clone());
        Some(TlsFiles { certificate, key, client_ca, require_client_certificate: required })
    };
    config.tls = tls(Some(people.pem.clone()), false);
    assert!(config.check().expect_err("no names").to_string().contains("identities"));
    config.tls = tls(None, true);
    assert!(config.check().expect_err("no CA").to_string().contains("client CA"));
    config.tls = tls(None, false);
    config.check().expect("this machine alone");
}
