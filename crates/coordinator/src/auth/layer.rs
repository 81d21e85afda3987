use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::transport::server::TlsConnectInfo;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::table::{Access, Method, Shape, find};
use super::{Identities, Identity, Refusals, Role};
use crate::limits::{Gate, Pass, Refusal};
use crate::server::{OnLine, Peer};
use crate::services::status::{Reason, refuse, undecoded};

/// Longest `authorization` header in bytes.
const MAX_AUTHORIZATION_BYTES: usize = 1_024;

/// Who may come in, and how often.
pub struct Door {
    /// Tokens and certificates; `None` lets everybody in as [`Identity::local`].
    pub identities: Option<Identities>,
    /// Whether the scaler may be asked by anybody.
    pub open_scaler: bool,
    /// The limits.
    pub gate: Arc<Gate>,
    /// Longest unary call.
    pub call_time: Duration,
    /// Makes the span of a call part of its caller's trace.
    pub link: Option<Link>,
    /// What has been written of refused calls.
    pub refusals: Refusals,
}

/// Makes a span part of the trace that a W3C trace context names.
pub type Link = fn(&tracing::Span, &str);

/// Puts a [`Guard`] in front of the services.
#[derive(Clone)]
pub struct GuardLayer(pub Arc<Door>);

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, door: self.0.clone() }
    }
}

/// Decides about each call from its headers and connection alone. Nothing of a refused call's body is read.
#[derive(Clone)]
pub struct Guard<S> {
    inner: S,
    door: Arc<Door>,
}

struct Admitted {
    method: Method,
    identity: Option<Identity>,
    pass: Pass,
}

impl Door {
    fn admit(&self, request: &Request<Body>) -> Result<Admitted, Status> {
        let path = request.uri().path();
        let address = address(request);
        let found = find(path);
        let shape = found.map_or(Shape::Unary, |method| method.shape);
        let open = match found.map(|method| method.access) {
            Some(Access::Open) => true,
            Some(Access::Scaler) => self.open_scaler,
            _ => false,
        };
        let identity = if open { None } else { Some(self.identify(request, address)?) };
        let pass = match &identity {
            None => self.gate.address(address, shape),
            Some(identity) => self.gate.tenant(&identity.tenant, shape),
        };
        let pass = pass.map_err(too_much)?;
        // Only a known caller is told that an RPC does not exist.
        let method = found.ok_or_else(|| {
            refuse(
                Code::Unimplemented,
                Reason::MethodUnknown,
                "no such method; reflection lists those there are",
            )
        })?;
        let needed = match method.access {
            Access::Role(role) => role,
            Access::Scaler | Access::Open => Role::Reader,
        };
        if let Some(identity) = &identity
            && identity.role < needed
        {
            let (have, need) = (identity.role.name(), needed.name());
            let message = format!("this needs the role '{need}'; '{}' has '{have}'", identity.name);
            return Err(refuse(Code::PermissionDenied, Reason::RoleTooLow, message));
        }
        Ok(Admitted { method, identity, pass })
    }

    fn span(&self, request: &Request<Body>, method: &'static str) -> tracing::Span {
        let identity = request.extensions().get::<Identity>();
        let caller = identity.map_or("", |identity| identity.name.as_str());
        let span = tracing::info_span!("call", method, caller);
        let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
        if let (Some(link), Some(traceparent)) = (self.link, traceparent) {
            link(&span, traceparent);
        }
        span
    }

    fn identify(&self, request: &Request<Body>, address: Option<IpAddr>) -> Result<Identity, Status> {
        let Some(identities) = &self.identities else { return Ok(Identity::local()) };
        let known = match bearer(request.headers()) {
            Some(Ok(token)) => identities
                .by_token(token)
                .ok_or((Reason::TokenUnknown, "this token is not known here; ask the operator for one")),
            Some(Err(problem)) => Err((Reason::TokenUnknown, problem)),
            None => match leaf(request) {
                Some(certificate) => identities.by_certificate(&certificate).ok_or((
                    Reason::CertificateUnknown,
                    "the names of this certificate are not known here; ask the operator to add one of them",
                )),
                None => Err((
                    Reason::NoToken,
                    "send the header 'authorization: Bearer TOKEN' or connect with a client certificate",
                )),
            },
        };
        known.map_err(|(reason, message)| {
            // Guessing is slowed down per address.
            match self.gate.address(address, Shape::Unary) {
                Ok(_) => refuse(Code::Unauthenticated, reason, message),
                Err(refusal) => too_much(refusal),
            }
        })
    }
}

fn too_much(refusal: Refusal) -> Status {
    use crate::services::status::refuse_for;
    match refusal {
        Refusal::Rate(wait) => {
            refuse_for(wait, Code::ResourceExhausted, Reason::RateLimited, "too many calls per second")
        }
        Refusal::Concurrent => refuse_for(
            Duration::from_secs(1),
            Code::ResourceExhausted,
            Reason::TooManyCalls,
            "too many calls or streams at a time: end some before opening others",
        ),
    }
}

fn bearer(headers: &HeaderMap) -> Option<Result<&str, &'static str>> {
    let value = headers.get(AUTHORIZATION)?;
    if value.len() > MAX_AUTHORIZATION_BYTES {
        return Some(Err("the authorization header is longer than 1,024 bytes"));
    }
    let text = value.to_str().ok();
    let token =
        text.and_then(|text| text.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    Some(token.map(|(_, token)| token.trim()).ok_or("write 'authorization: Bearer TOKEN'"))
}

fn peer(request: &Request<Body>) -> Option<&Peer> {
    let extensions = request.extensions();
    let tls = || extensions.get::<TlsConnectInfo<Peer>>().map(TlsConnectInfo::get_ref);
    extensions.get::<Peer>().or_else(tls)
}

fn address(request: &Request<Body>) -> Option<IpAddr> {
    peer(request)?.address.map(|address| address.ip())
}

/// The client's own certificate; the TLS layer has verified that the client CA signed it.
fn leaf(request: &Request<Body>) -> Option<Vec<u8>> {
    let info = request.extensions().get::<TlsConnectInfo<Peer>>()?;
    Some(info.peer_certs()?.first()?.as_ref().to_vec())
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let door = self.door.clone();
        Box::pin(async move {
            let Admitted { method, identity, pass } = match door.admit(&request) {
                Ok(admitted) => admitted,
                Err(status) => return Ok(refused(&door.refusals, &request, status)),
            };
            let on_line = peer(&request).map(|peer| peer.line.call(identity.is_some()));
            if let Some(identity) = identity {
                request.extensions_mut().insert(identity);
            }
            let started = Instant::now();
            let span = door.span(&request, method.path);
            let call = span.in_scope(|| inner.call(request)).instrument(span.clone());
            let response = match method.shape {
                Shape::Stream => call.await?,
                Shape::Unary => match tokio::time::timeout(door.call_time, call).await {
                    Ok(response) => response?,
                    Err(_) => {
                        refuse(Code::DeadlineExceeded, Reason::Deadline, "the call took too long").into_http()
                    }
                },
            };
            let (mut parts, body) = response.into_parts();
            undecoded(&mut parts.headers);
            let code =
                parts.headers.get("grpc-status").and_then(|value| value.to_str().ok()).map(str::to_owned);
            let held = Held { body, _pass: pass, _on_line: on_line, path: method.path, started, code };
            Ok(Response::from_parts(parts, Body::new(held)))
        })
    }
}

fn refused(refusals: &Refusals, request: &Request<Body>, status: Status) -> Response<Body> {
    let reason = crate::services::status::reason(&status);
    let path: String = request.uri().path().chars().take(100).collect();
    metrics::counter!("ventral_rpc_refused_total", "reason" => reason.clone()).increment(1);
    let address = address(request);
    if let Some(unwritten) = refusals.line(&reason, address, Instant::now()) {
        let peer = address.map(|address| address.to_string()).unwrap_or_default();
        tracing::warn!(reason, method = path, peer, unwritten, "call refused");
    }
    status.into_http()
}

/// A response whose call counts until its last byte is sent or the client is gone.
struct Held {
    body: Body,
    _pass: Pass,
    _on_line: Option<OnLine>,
    path: &'static str,
    started: Instant,
    code: Option<String>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            undecoded(trailers);
            let code = trailers.get("grpc-status").and_then(|value| value.to_str().ok());
            self.code = code.map(str::to_owned);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A client that went away has seen no status.
        let code = self.code.take().unwrap_or_else(|| "1".to_owned());
        metrics::counter!("ventral_rpc_total", "method" => self.path, "code" => code).increment(1);
        metrics::histogram!("ventral_rpc_seconds", "method" => self.path)
            .record(self.started.elapsed().as_secs_f64());
    }
}
