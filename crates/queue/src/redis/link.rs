//! The connection: scripts that survive SCRIPT FLUSH, calls that end in bounded time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, Cmd, RedisError, RedisResult, Value};

use super::scripts::Script;
use crate::types::Error;

/// Longest time for a connection to be made.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// Longest time for an answer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Longest time for a call with all its tries.
pub const CALL_LIMIT: Duration = Duration::from_secs(5);
/// Tries of a call whose connection fails.
const TRIES: u32 = 3;
/// Pause before the second try; the third waits twice as long.
const PAUSE: Duration = Duration::from_millis(25);

/// One connection, shared by all calls of a handle, made anew when it fails.
pub(super) struct Link {
    client: Client,
    /// The connection and how many there were before it.
    manager: Mutex<(u64, ConnectionManager)>,
}

impl Link {
    pub(super) fn new(client: Client) -> Result<Self, Error> {
        let manager = manager(&client).map_err(|e| unavailable(&e))?;
        Ok(Self { client, manager: Mutex::new((0, manager)) })
    }

    /// Runs a script; loads it where the server does not know it.
    pub(super) async fn run(
        &self,
        script: &Script,
        key: &str,
        arguments: &[Vec<u8>],
    ) -> Result<Value, Error> {
        let short = command("EVALSHA", &script.hash, key, arguments);
        let began = Instant::now();
        let answer = match self.call(&short).await {
            Err(e) if e.code() == Some("NOSCRIPT") => {
                self.call(&command("EVAL", &script.code, key, arguments)).await
            }
            other => other,
        };
        metrics::histogram!("ventral_queue_request_seconds", "script" => script.name)
            .record(began.elapsed().as_secs_f64());
        answer.map_err(|e| typed(script.name, &e))
    }

    /// Runs a plain command.
    pub(super) async fn plain(&self, words: &[&str]) -> Result<Value, Error> {
        let mut plain = Cmd::new();
        for word in words {
            plain.arg(word);
        }
        self.call(&plain).await.map_err(|e| typed("command", &e))
    }

    async fn call(&self, command: &Cmd) -> RedisResult<Value> {
        let limited = tokio::time::timeout(CALL_LIMIT, self.try_calls(command)).await;
        limited.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }

    async fn try_calls(&self, command: &Cmd) -> RedisResult<Value> {
        let mut tries = 1;
        loop {
            let (number, mut manager) = self.current();
            match manager.send_packed_command(command).await {
                Err(e) if e.is_io_error() => {
                    // After a timeout the library would go on with the same connection, which may be half open.
                    self.renew(number);
                    if tries == TRIES {
                        return Err(e);
                    }
                }
                other => return other.and_then(Value::extract_error),
            }
            tokio::time::sleep(PAUSE * tries).await;
            tries += 1;
        }
    }

    fn current(&self) -> (u64, ConnectionManager) {
        self.manager.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces a connection that failed, unless another call has done so already.
    fn renew(&self, failed: u64) {
        let mut current = self.manager.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == failed
            && let Ok(fresh) = manager(&self.client)
        {
            *current = (failed + 1, fresh);
        }
    }
}

fn manager(client: &Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

fn command(verb: &str, script: &str, key: &str, arguments: &[Vec<u8>]) -> Cmd {
    let mut command = ::redis::cmd(verb);
    command.arg(script).arg(1).arg(key);
    for argument in arguments {
        command.arg(argument.as_slice());
    }
    command
}

/// What an error of the library means. Its texts name commands, codes and causes, never the address or the password.
fn typed(name: &str, error: &RedisError) -> Error {
    match error.code() {
        Some("VENTRAL_LOST") => Error::Lost,
        Some("ERR" | "WRONGTYPE" | "NOGROUP") => {
            Error::Corrupt(format!("{name}: {}", error.detail().unwrap_or("no details")))
        }
        _ => unavailable(error),
    }
}

fn unavailable(error: &RedisError) -> Error {
    let detail = error.detail().unwrap_or_default();
    let text = error.to_string();
    Error::Unavailable(if text.contains(detail) { text } else { format!("{text}: {detail}") })
}
