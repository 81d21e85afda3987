use std::future::Future;
use std::path::Path;

use tonic::Code;
use ventral_client::{Client, Error, Target, TargetError};

use super::RemoteArgs;
use crate::exit::{Exit, Outcome};

/// Environment variable with the token.
const TOKEN: &str = "VENTRAL_TOKEN";

/// Environment variable with the W3C trace context that this command is part of.
const TRACEPARENT: &str = "TRACEPARENT";

/// A connection to a coordinator.
pub struct Remote {
    /// Its client.
    pub client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Remote {
    /// A connection, if the arguments name a coordinator. Nothing is sent yet.
    pub fn open(arguments: &RemoteArgs) -> Outcome<Option<Self>> {
        let Some(url) = arguments.coordinator.as_deref().filter(|url| !url.is_empty()) else {
            return Ok(None);
        };
        let mut target = Target::new(url);
        target.token = token(arguments.token_file.as_deref())?;
        target.ca = arguments.coordinator_ca.clone();
        target.certificate = match (&arguments.client_certificate, &arguments.client_key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => return Err(Exit::input("--client-certificate and --client-key go together")),
        };
        target.traceparent = Some(traceparent(std::env::var(TRACEPARENT).ok()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Exit::Internal(error.into()))?;
        let client = {
            let _inside = runtime.enter();
            Client::new(&target)?
        };
        Ok(Some(Self { client, runtime }))
    }

    /// Runs a call to its end.
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }
}

/// The trace of all calls of this command, and of the units of what it submits: the caller's, or one of its own.
fn traceparent(given: Option<String>) -> String {
    given.filter(|text| !text.is_empty() && text.is_ascii()).unwrap_or_else(|| {
        let span = uuid::Uuid::new_v4().as_u64_pair().0;
        format!("00-{}-{span:016x}-01", uuid::Uuid::new_v4().simple())
    })
}

fn token(file: Option<&Path>) -> Outcome<Option<String>> {
    if let Some(path) = file {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Exit::input(format!("{}: {error}", path.display())))?;
        return Ok(Some(text.trim().to_owned()));
    }
    Ok(std::env::var(TOKEN).ok().filter(|token| !token.is_empty()))
}

impl From<TargetError> for Exit {
    fn from(error: TargetError) -> Self {
        Self::Input(error.into())
    }
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        match &error {
            Error::Unreachable { .. } => Self::Machine(anyhow::anyhow!(
                "{error}; is a coordinator running there? (--coordinator, VENTRAL_COORDINATOR)"
            )),
            Error::Refused { code, reason, message, .. } => {
                let told = if reason.is_empty() { message.clone() } else { format!("{message} [{reason}]") };
                match code {
                    Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted => {
                        Self::Machine(anyhow::anyhow!("{told}"))
                    }
                    Code::Internal | Code::Unknown | Code::DataLoss => {
                        Self::Internal(anyhow::anyhow!("{told}"))
                    }
                    _ => Self::Input(anyhow::anyhow!("{told}")),
                }
            }
            Error::File { .. } => Self::Input(error.into()),
            Error::Output(_) => Self::Machine(error.into()),
            Error::Protocol(_) => Self::Internal(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_part_of_a_trace() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(traceparent(Some(given.to_owned())), given);
        let (one, other) = (traceparent(None), traceparent(Some(String::new())));
        assert_ne!(one, other);
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [2, 32, 16, 2], "{one}");
    }
}
