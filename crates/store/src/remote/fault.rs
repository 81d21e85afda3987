//! What a remote store said, in words, without credentials.

use std::error::Error as _;
use std::time::Duration;

use object_store::client::{HttpError, HttpErrorKind};

use crate::Error;

/// Longest part of a server's message that is repeated, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Why an attempt failed.
pub(super) enum Trouble {
    /// The client gave up, or the server refused.
    Refused(object_store::Error),
    /// Nothing came for this long.
    Silent(Duration),
    /// Another attempt cannot help.
    Final(Error),
}

impl From<object_store::Error> for Trouble {
    fn from(error: object_store::Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Trouble {
    /// Whether the answer got lost, so that another attempt may help now. Errors that a server reports were retried already.
    pub fn is_lost_answer(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Refused(error) => {
                matches!(transport(error), Some(kind) if !matches!(kind, HttpErrorKind::Connect))
            }
            Self::Final(_) => false,
        }
    }

    pub fn into_error(self, action: &'static str, url: String) -> Error {
        match self {
            Self::Final(error) => error,
            Self::Silent(idle) => Error::Remote {
                action,
                url,
                problem: format!("no answer for {:.1} s", idle.as_secs_f64()),
                hint: "; check that the store is up and can be reached",
                transient: true,
            },
            Self::Refused(error) => {
                let text = error.to_string();
                let (problem, hint, transient) = match &error {
                    object_store::Error::NotFound { .. } => {
                        (summary(&text), "; check that the bucket exists", false)
                    }
                    object_store::Error::PermissionDenied { .. }
                    | object_store::Error::Unauthenticated { .. } => (
                        summary(&text),
                        "; the credentials must allow to read, write, delete and list",
                        false,
                    ),
                    other if transport(other).is_some() => {
                        (summary(&text), "; check that the store is up and can be reached", true)
                    }
                    _ => (summary(&text), "", is_server_error(&text)),
                };
                Error::Remote { action, url, problem, hint, transient }
            }
        }
    }
}

fn transport(error: &object_store::Error) -> Option<HttpErrorKind> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(http) = inner.downcast_ref::<HttpError>() {
            return Some(http.kind());
        }
        source = inner.source();
    }
    None
}

fn is_server_error(text: &str) -> bool {
    let status = text.split("status code: ").nth(1).unwrap_or_default();
    status.starts_with('5') || status.starts_with("429") || status.starts_with("408")
}

/// Status, code and message of an answer, or the whole error without the queries of URLs.
fn summary(text: &str) -> String {
    let field = |name: &str| {
        let begin = text.find(&format!("<{name}>"))? + name.len() + 2;
        let end = text[begin..].find(&format!("</{name}>"))? + begin;
        Some(text[begin..end].to_owned())
    };
    let status = text.split("status code: ").nth(1).and_then(|rest| rest.split(':').next());
    let known = [status.map(str::to_owned), field("Code"), field("Message")];
    let known: Vec<String> = known.into_iter().flatten().collect();
    let text = if known.is_empty() { text.to_owned() } else { known.join(", ") };
    let words = text.split_whitespace().map(|word| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => address,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ").chars().take(MAX_MESSAGE_CHARS).collect()
}
