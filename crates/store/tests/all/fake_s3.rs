//! A small server that speaks as much of S3 as the store uses, with faults on demand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use ventral_store::{Settings, Store};

/// Keys on a page of a listing.
const PAGE: usize = 2;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// An answer with this status; nothing is done.
    Status(u16),
    /// No answer at all.
    Silent,
    /// It is done, but the answer is lost.
    Lost,
    /// The answer's body ends half-way.
    Cut,
}

#[derive(Default)]
struct Contents {
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    faults: VecDeque<Fault>,
    always: Option<Fault>,
    requests: Vec<String>,
    ignores_conditions: bool,
}

/// The server; it ends with the test.
#[derive(Clone)]
pub struct FakeS3 {
    contents: Arc<Mutex<Contents>>,
    runtime: Arc<tokio::runtime::Runtime>,
    endpoint: String,
}

impl FakeS3 {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let contents = Arc::new(Mutex::new(Contents::default()));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(contents.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { contents, runtime: Arc::new(runtime), endpoint }
    }

    pub fn settings(&self) -> Settings {
        settings(&[
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "test-key"),
            ("AWS_SECRET_ACCESS_KEY", "very-secret"),
            ("AWS_REGION", "us-east-1"),
        ])
    }

    /// Of a client of GCS that is sent here.
    pub fn google_settings(&self) -> Settings {
        settings(&[("GOOGLE_BASE_URL", self.endpoint.as_str()), ("GOOGLE_BEARER_TOKEN", "any")])
    }

    pub fn store(&self) -> Store {
        Store::from_url_with("s3://bucket/some/prefix", &self.settings()).expect("a store")
    }

    /// These befall the next requests, one each.
    pub fn fail_next(&self, faults: &[Fault]) {
        self.with(|contents| contents.faults = faults.iter().copied().collect());
    }

    /// Befalls every request, until told otherwise.
    pub fn fail_always(&self, fault: Option<Fault>) {
        self.with(|contents| contents.always = fault);
    }

    pub fn ignore_conditions(&self) {
        self.with(|contents| contents.ignores_conditions = true);
    }

    /// Takes the list of requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.with(|contents| std::mem::take(&mut contents.requests))
    }

    /// Changes the stored bytes of the one object whose key ends so.
    pub fn change(&self, end: &str, change: impl FnOnce(&[u8]) -> Vec<u8>) {
        self.with(|contents| {
            let object = contents.objects.iter_mut().find(|(key, _)| key.ends_with(end));
            let (_, bytes) = object.expect("such an object");
            *bytes = Bytes::from(change(bytes));
        });
    }

    pub fn keys(&self) -> Vec<String> {
        self.with(|contents| contents.objects.keys().cloned().collect())
    }

    pub fn open_uploads(&self) -> usize {
        self.with(|contents| contents.uploads.len())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Contents) -> T) -> T {
        act(&mut self.contents.lock().expect("no test panics with it"))
    }
}

fn settings(variables: &[(&str, &str)]) -> Settings {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Settings { variables, idle: Duration::from_millis(700), attempts: 3, retries: 3 }
}

impl Drop for FakeS3 {
    fn drop(&mut self) {
        if let Some(runtime) = Arc::get_mut(&mut self.runtime) {
            let idle = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            std::mem::replace(runtime, idle).shutdown_background();
        }
    }
}

async fn answer(State(contents): State<Arc<Mutex<Contents>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let fault = {
        let mut contents = contents.lock().expect("no test panics with it");
        contents.requests.push(format!("{} {}", parts.method, parts.uri));
        contents.faults.pop_front().or(contents.always)
    };
    match fault {
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).expect("a status");
            let text = "<Error><Code>Trouble</Code><Message>as ordered</Message></Error>";
            return (status, text).into_response();
        }
        Some(Fault::Silent) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            unreachable!("the client gives up before");
        }
        Some(Fault::Lost | Fault::Cut) | None => {}
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let key = parts.uri.path().trim_start_matches("/bucket").trim_start_matches('/').to_owned();
    let only_new = parts.headers.get(header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    let response = {
        let mut contents = contents.lock().expect("no test panics with it");
        serve(&mut contents, &parts.method, &key, &query, only_new, body)
    };
    match fault {
        Some(Fault::Lost) => cut(response, 0).await,
        Some(Fault::Cut) => cut(response, 2).await,
        _ => response,
    }
}

/// The same answer, whose body breaks off; with `share` 0 at once, else after that part of it.
async fn cut(response: Response, share: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = body.slice(..body.len().checked_div(share).unwrap_or(0));
    parts.headers.insert(header::CONTENT_LENGTH, (body.len().max(1)).into());
    let pieces = [Ok(half), Err(std::io::Error::other("the connection broke"))];
    Response::from_parts(parts, Body::from_stream(stream::iter(pieces)))
}

fn serve(
    contents: &mut Contents,
    method: &Method,
    key: &str,
    query: &str,
    only_new: bool,
    body: Bytes,
) -> Response {
    let parameter = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(found, _)| *found == name).map(|(_, value)| value.replace("%2F", "/")).next()
    };
    let missing = || (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response();
    match (method.as_str(), parameter("uploadId")) {
        ("GET", _) if parameter("list-type").is_some() => list(contents, &parameter),
        ("GET" | "HEAD", _) => match contents.objects.get(key) {
            None => missing(),
            Some(bytes) => {
                let length = [(header::CONTENT_LENGTH, bytes.len().to_string())];
                let body = if method == Method::HEAD { Bytes::new() } else { bytes.clone() };
                (with_tag(bytes), length, body).into_response()
            }
        },
        ("PUT", Some(id)) => {
            let number = parameter("partNumber").and_then(|n| n.parse().ok()).expect("a part number");
            let Some(upload) = contents.uploads.get_mut(&id) else { return missing() };
            upload.insert(number, body.clone());
            with_tag(&body).into_response()
        }
        ("PUT", None) => {
            if only_new && !contents.ignores_conditions && contents.objects.contains_key(key) {
                let text = "<Error><Code>PreconditionFailed</Code></Error>";
                return (StatusCode::PRECONDITION_FAILED, text).into_response();
            }
            contents.objects.insert(key.to_owned(), body.clone());
            with_tag(&body).into_response()
        }
        ("POST", None) => {
            let id = format!("upload{}", contents.uploads.len());
            contents.uploads.insert(id.clone(), BTreeMap::new());
            format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            )
            .into_response()
        }
        ("POST", Some(id)) => {
            let Some(upload) = contents.uploads.remove(&id) else { return missing() };
            let whole: Vec<u8> = upload.into_values().flatten().collect();
            contents.objects.insert(key.to_owned(), Bytes::from(whole));
            "<CompleteMultipartUploadResult><ETag>tag</ETag></CompleteMultipartUploadResult>".into_response()
        }
        ("DELETE", Some(id)) => {
            contents.uploads.remove(&id);
            StatusCode::NO_CONTENT.into_response()
        }
        ("DELETE", None) => {
            contents.objects.remove(key);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

fn with_tag(bytes: &[u8]) -> [(header::HeaderName, String); 2] {
    let tag = ventral_plan::Digest::of_bytes(bytes);
    let modified = "Sat, 21 Nov 2026 10:00:00 GMT".to_owned();
    [(header::ETAG, format!("\"{}\"", tag.short())), (header::LAST_MODIFIED, modified)]
}

fn list(contents: &Contents, parameter: &dyn Fn(&str) -> Option<String>) -> Response {
    let prefix = parameter("prefix").unwrap_or_default();
    let after = parameter("continuation-token").unwrap_or_default();
    let keys = contents.objects.keys().filter(|key| key.starts_with(&prefix));
    let whole = parameter("delimiter").is_none();
    let directory = |key: &String| key[prefix.len()..].split_once('/').map(|(d, _)| format!("{prefix}{d}/"));
    let name = |key: &String| if whole { Some(key.clone()) } else { directory(key) };
    let names: BTreeSet<String> = keys.filter_map(name).filter(|name| *name > after).collect();
    let page: Vec<&String> = names.iter().take(PAGE).collect();
    let entry = |name: &&String| match contents.objects.get(*name).filter(|_| whole) {
        Some(object) => format!(
            "<Contents><Key>{name}</Key><Size>{}</Size><LastModified>2026-11-21T10:00:00.000Z</LastModified></Contents>",
            object.len()
        ),
        None => format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
    };
    let entries: String = page.iter().map(entry).collect();
    let next = match page.last() {
        Some(last) if names.len() > PAGE => {
            format!("<NextContinuationToken>{last}</NextContinuationToken>")
        }
        _ => String::new(),
    };
    format!("<ListBucketResult>{entries}{next}</ListBucketResult>").into_response()
}
