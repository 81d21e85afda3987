//! Checks of untrusted fields.

use tonic::{Request, Status};
use ventral_plan::Digest;
use ventral_proto::limits::{
    MAX_JOB_ID_CHARS, MAX_JOB_NAME_CHARS, MAX_PROFILE_BYTES, MAX_REQUEST_ID_CHARS, MAX_WORKER_NAME_BYTES,
    MIN_UNIT_PREFIX,
};

use super::status::{internal, invalid};
use crate::auth::Identity;

/// Most characters of a value that an error repeats.
const MAX_SHOWN: usize = 80;

/// The caller; the guard has put it there.
pub fn caller<T>(request: &Request<T>) -> Result<Identity, Status> {
    request.extensions().get::<Identity>().cloned().ok_or_else(|| internal("a call without identity got in"))
}

/// A request id.
pub fn request_id(text: &str) -> Result<(), Status> {
    let problem =
        format!("write 1 to {MAX_REQUEST_ID_CHARS} letters, digits, '.', '_' or '-', best a random UUID");
    plain("request_id", text, MAX_REQUEST_ID_CHARS, &problem)
}

/// Name of a job to be.
pub fn job_name(text: &str) -> Result<(), Status> {
    let problem =
        format!("write 1 to {MAX_JOB_NAME_CHARS} letters, digits, '.', '_' or '-', not beginning with '.'");
    if text.starts_with('.') {
        return Err(invalid("name", format!("'{}': {problem}", shown(text))));
    }
    plain("name", text, MAX_JOB_NAME_CHARS, &problem)
}

/// Id of a job: something that could be one, so that no path gets near the store.
pub fn job_id(field: &str, text: &str) -> Result<(), Status> {
    if text.starts_with('.') {
        return Err(invalid(field, format!("'{}' is no job id", shown(text))));
    }
    plain(field, text, MAX_JOB_ID_CHARS, "is no job id: they have letters, digits, '.', '_' and '-'")
}

/// Numeric profile.
pub fn profile(text: &str) -> Result<(), Status> {
    let problem = format!(
        "write at most {MAX_PROFILE_BYTES} letters, digits, '.', '_', '+' or '-', as `ventral doctor` prints it"
    );
    let fits = text.len() <= MAX_PROFILE_BYTES;
    if fits && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+')) {
        return Ok(());
    }
    Err(invalid("profile", format!("'{}': {problem}", shown(text))))
}

/// Name of a worker.
pub fn worker(text: &str) -> Result<(), Status> {
    if text.is_empty() || text.len() > MAX_WORKER_NAME_BYTES || text.chars().any(char::is_control) {
        return Err(invalid(
            "worker",
            format!("write 1 to {MAX_WORKER_NAME_BYTES} bytes, as the list of workers shows it"),
        ));
    }
    Ok(())
}

/// A digest.
pub fn digest(field: &str, text: &str) -> Result<Digest, Status> {
    Digest::try_from(text.to_owned()).map_err(|_| {
        invalid(field, format!("'{}' is no SHA-256: 64 lower-case hexadecimal characters", shown(text)))
    })
}

/// The first characters of a unit's digest.
pub fn unit_prefix(text: &str) -> Result<(), Status> {
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if (MIN_UNIT_PREFIX..=64).contains(&text.len()) && text.bytes().all(hexadecimal) {
        return Ok(());
    }
    let problem =
        format!("'{}': write {MIN_UNIT_PREFIX} to 64 lower-case hexadecimal characters", shown(text));
    Err(invalid("unit", problem))
}

fn plain(field: &str, text: &str, most: usize, problem: &str) -> Result<(), Status> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !text.is_empty() && text.len() <= most && text.chars().all(allowed) {
        return Ok(());
    }
    Err(invalid(field, format!("'{}': {problem}", shown(text))))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect()
}
