//! From a location and the environment to a client.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::{Remote, runtime};
use crate::{Error, Store};

/// How long a server may be silent.
const IDLE: Duration = Duration::from_secs(60);
/// How often a request is sent again after an error of the server, before [`Settings::attempts`] counts one.
const RETRIES: usize = 6;
/// No more retries after this time.
const RETRY_TIMEOUT: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Longest location.
const MAX_LOCATION_BYTES: usize = 2048;

/// How a remote store is reached.
#[derive(Clone)]
pub struct Settings {
    /// The variables that `AWS_*`, `GOOGLE_*` and `AZURE_*` are looked up in, such as `AWS_ENDPOINT_URL`.
    pub variables: Vec<(String, String)>,
    /// How long a server may be silent before a request is given up.
    pub idle: Duration,
    /// How often an operation is begun in all, when answers get lost or cut.
    pub attempts: usize,
    /// How often each request is repeated when the server reports an error of its own.
    pub retries: usize,
}

impl Settings {
    /// Those of this process.
    pub fn from_env() -> Self {
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            ["AWS_", "GOOGLE_", "AZURE_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
                .then_some((name, value))
        });
        Self { variables: texts.collect(), idle: IDLE, attempts: 3, retries: RETRIES }
    }

    /// Plain HTTP, as emulators speak it, only where `<prefix>ALLOW_HTTP` is `true` or `1`.
    fn client(&self, prefix: &str) -> ClientOptions {
        let allow = format!("{prefix}ALLOW_HTTP");
        let http = |(name, value): &(String, String)| *name == allow && (value == "true" || value == "1");
        ClientOptions::new()
            .with_timeout_disabled()
            .with_allow_http(self.variables.iter().any(http))
            .with_connect_timeout(self.idle.min(Duration::from_secs(5)))
    }

    fn retry(&self) -> RetryConfig {
        let backoff = BackoffConfig {
            init_backoff: FIRST_PAUSE,
            max_backoff: LONGEST_PAUSE,
            ..BackoffConfig::default()
        };
        RetryConfig { backoff, max_retries: self.retries, retry_timeout: RETRY_TIMEOUT }
    }

    /// Variables with this prefix, as the clients' options are spelled.
    fn of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (String, &'a str)> {
        self.variables
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
    }
}

impl std::fmt::Debug for Settings {
    /// Without the values of variables: they are credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.variables.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Settings")
            .field("variables", &names)
            .field("idle", &self.idle)
            .field("attempts", &self.attempts)
            .field("retries", &self.retries)
            .finish()
    }
}

impl Store {
    /// Opens the store at a directory, `file:///directory`, `s3://bucket/prefix`, `gs://bucket/prefix` or
    /// `az://container/prefix`, with the credentials that the environment has for it.
    ///
    /// Nothing is asked of a remote store yet: [`Store::ping`] does.
    ///
    /// # Errors
    /// [`Error::Location`] for a text that is none of these, or incomplete credentials; [`Error::Io`] as [`Store::open`].
    pub fn from_url(text: &str) -> Result<Self, Error> {
        Self::from_url_with(text, &Settings::from_env())
    }

    /// [`Store::from_url`] with settings of one's own.
    ///
    /// # Errors
    /// As there.
    pub fn from_url_with(text: &str, settings: &Settings) -> Result<Self, Error> {
        let Some((scheme, rest)) = text.split_once("://") else { return Self::open(text) };
        let refuse = |problem: &str| Error::Location { location: shown(text), problem: problem.to_owned() };
        if text.len() > MAX_LOCATION_BYTES {
            return Err(refuse("is too long"));
        }
        if scheme == "file" {
            return match rest {
                path if !path.starts_with('/') => {
                    Err(refuse("needs an absolute directory: file:///directory"))
                }
                path if path.contains(['%', '?', '#']) => {
                    Err(refuse("has '%', '?' or '#'; give the directory itself, without file://"))
                }
                path => Self::open(path),
            };
        }
        if rest.contains(['@', '?', '#']) {
            return Err(refuse(
                "has '@', '?' or '#'; credentials belong into the environment, not into a location",
            ));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if bucket.is_empty() || !bucket.bytes().all(plain) {
            return Err(refuse("names no bucket; write s3://bucket/prefix"));
        }
        let prefix = ObjectPath::parse(prefix.trim_end_matches('/'))
            .map_err(|_| refuse("has a prefix that is no plain path"))?;
        if !prefix.as_ref().bytes().all(|byte| plain(byte) || byte == b'/') {
            return Err(refuse("may have letters, digits, '.', '_', '-' and '/' in its prefix"));
        }
        runtime::start()?;
        let client = client(scheme, bucket, settings).map_err(|problem| refuse(&problem))?;
        let url = format!("{scheme}://{bucket}/{prefix}").trim_end_matches('/').to_owned();
        let remote = Remote::new(client, prefix, url.clone(), settings);
        Ok(Self::on_remote(Arc::new(remote), PathBuf::from(url)))
    }
}

fn client(scheme: &str, bucket: &str, settings: &Settings) -> Result<Arc<dyn ObjectStore>, String> {
    // The library's messages name settings, not their values.
    let text = |e: object_store::Error| format!("cannot be used: {e}");
    Ok(match scheme {
        "s3" => {
            let known = settings.of("AWS_").filter_map(|(name, value)| Some((name.parse().ok()?, value)));
            let builder = known.fold(AmazonS3Builder::new(), |b, (key, value)| b.with_config(key, value));
            // Not every store that speaks S3 removes many objects at once.
            let builder = builder.with_disable_bulk_delete(true);
            let builder = builder.with_bucket_name(bucket).with_retry(settings.retry());
            Arc::new(builder.with_client_options(settings.client("AWS_")).build().map_err(text)?)
        }
        "gs" => {
            let known = settings.of("GOOGLE_").filter_map(|(name, value)| Some((name.parse().ok()?, value)));
            let builder =
                known.fold(GoogleCloudStorageBuilder::new(), |b, (key, value)| b.with_config(key, value));
            let builder = builder.with_bucket_name(bucket).with_retry(settings.retry());
            Arc::new(builder.with_client_options(settings.client("GOOGLE_")).build().map_err(text)?)
        }
        "az" => {
            let known = settings.of("AZURE_").filter_map(|(name, value)| Some((name.parse().ok()?, value)));
            let builder =
                known.fold(MicrosoftAzureBuilder::new(), |b, (key, value)| b.with_config(key, value));
            let builder = builder.with_container_name(bucket).with_retry(settings.retry());
            Arc::new(builder.with_client_options(settings.client("AZURE_")).build().map_err(text)?)
        }
        other => {
            return Err(format!(
                "'{other}' is no kind of store; use a directory, file://, s3://, gs:// or az://"
            ));
        }
    })
}

/// A location without what may be a credential.
fn shown(text: &str) -> String {
    let text: String = text.chars().take(MAX_LOCATION_BYTES).collect();
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    format!("{scheme}://{}", &rest[..end])
}
