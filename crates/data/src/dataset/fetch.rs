//! Downloads that resume.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::{Response, StatusCode, header};

use super::place::{place, prepare};
use super::{DatasetFile, FetchProgress, MAX_DATASET_FILE_BYTES};
use crate::error::{Error, Result};

/// Times that a broken connection is taken up again before giving up.
const MAX_RESUMPTIONS: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The slowest connection that is waited for.
const MIN_BYTES_PER_SECOND: u64 = 4096;
/// Bytes written between two reports of progress.
const CHUNK_BYTES: usize = 1 << 16;

/// Downloads a file through `<name>.part` beside its place, which a later call continues.
pub(super) fn download(
    file: &DatasetFile,
    url: &str,
    target: &Path,
    progress: &dyn Fn(FetchProgress<'_>),
) -> Result<()> {
    prepare(target)?;
    let bytes = match file.bytes {
        Some(bytes) => bytes,
        None => announced(url)?,
    };
    let part = part_of(target);
    let mut problem = String::new();
    for _ in 0..=MAX_RESUMPTIONS {
        let before = length(&part);
        if before >= bytes {
            break;
        }
        problem = match attempt((file, bytes), url, &part, before, progress)? {
            Some(problem) => problem,
            None => break,
        };
        // Without a byte of progress another try is no better.
        if length(&part) <= before {
            break;
        }
    }
    if bytes == 0 {
        File::create(&part).map_err(|e| Error::io(&part, e))?;
    }
    if length(&part) < bytes {
        let (done, total) = (length(&part), bytes);
        let problem = format!("{problem}; {done} of {total} bytes are here, run again to continue");
        return Err(Error::Fetch { url: url.to_string(), problem });
    }
    place(&part, target, file.expected())
}

/// Length of a file that the manifest does not know, as the server tells it.
fn announced(url: &str) -> Result<u64> {
    let failed = |problem: String| Error::Fetch { url: url.to_string(), problem };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .build();
    let response = Agent::new_with_config(config).head(url).call();
    let response = response.map_err(|e| failed(format!("{e}; check the network, or use --mirror DIR")))?;
    if !response.status().is_success() {
        let status = response.status();
        return Err(failed(format!("the server answered {status}; correct the URL or use --mirror DIR")));
    }
    let length = response.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    match length.and_then(|text| text.parse().ok()) {
        Some(length) if length <= MAX_DATASET_FILE_BYTES => Ok(length),
        Some(length) => Err(failed(format!(
            "{length} bytes, the limit is {MAX_DATASET_FILE_BYTES} (MAX_DATASET_FILE_BYTES)"
        ))),
        None => {
            Err(failed("the server does not say how long the file is; add `bytes` to the manifest".into()))
        }
    }
}

fn part_of(target: &Path) -> PathBuf {
    let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    target.with_file_name(format!("{name}.part"))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// One request; `Some` says why the connection ended early.
fn attempt(
    (file, bytes): (&DatasetFile, u64),
    url: &str,
    part: &Path,
    start: u64,
    progress: &dyn Fn(FetchProgress<'_>),
) -> Result<Option<String>> {
    let failed = |problem: String| Error::Fetch { url: url.to_string(), problem };
    let patience = Duration::from_secs(ANSWER_TIMEOUT.as_secs() + bytes / MIN_BYTES_PER_SECOND);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .timeout_recv_body(Some(patience))
        .build();
    let mut request = Agent::new_with_config(config).get(url).header(header::ACCEPT_ENCODING, "identity");
    if start > 0 {
        request = request.header(header::RANGE, format!("bytes={start}-"));
    }
    let response = match request.call() {
        Ok(response) => response,
        // Worth another try only if something has arrived already.
        Err(e) if start > 0 => return Ok(Some(e.to_string())),
        Err(e) => return Err(failed(format!("{e}; check the network, or use --mirror DIR"))),
    };
    let resumed = match response.status() {
        StatusCode::PARTIAL_CONTENT if starts_at(&response, start) => true,
        StatusCode::OK => false,
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
            let _ = fs::remove_file(part);
            return Err(failed("the server has another file than when the download began; run again".into()));
        }
        status => {
            return Err(failed(format!("the server answered {status}; correct the URL or use --mirror DIR")));
        }
    };
    let opened = if resumed { OpenOptions::new().append(true).open(part) } else { File::create(part) };
    let out = opened.map_err(|e| Error::io(part, e))?;
    let done = if resumed { start } else { 0 };
    let body = response.into_body().into_reader();
    let report = |done| progress(FetchProgress { path: &file.path, done, total: bytes });
    match copy(body, out, done, bytes, &report) {
        Ok(end) => Ok(end),
        Err(e) => Err(Error::io(part, e)),
    }
}

fn starts_at<B>(response: &Response<B>, start: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
    range.is_some_and(|r| r.starts_with(&format!("bytes {start}-")))
}

/// Appends the body until `total`; `Ok(Some)` is a network failure, `Err` one of the disk.
fn copy(
    mut body: impl Read,
    mut out: File,
    mut done: u64,
    total: u64,
    report: &dyn Fn(u64),
) -> std::io::Result<Option<String>> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let n = match body.read(&mut buffer) {
            Ok(0) => {
                out.sync_all()?;
                return Ok((done < total).then(|| "the connection ended early".to_string()));
            }
            Ok(n) => n,
            Err(e) => {
                out.sync_all()?;
                return Ok(Some(e.to_string()));
            }
        };
        out.write_all(&buffer[..n])?;
        done += n as u64;
        report(done);
        // More than announced: the digest will be wrong, and there may be no end.
        if done > total {
            return Ok(None);
        }
    }
}
