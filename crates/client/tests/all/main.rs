//! Tests of ventral-client that need no coordinator; those of the services are the coordinator's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ventral_client::{Client, Error, Target, TargetError, request_id};
use ventral_proto::limits::MAX_REQUEST_ID_CHARS;
use ventral_proto::v1::JobState;

fn refused(target: &Target) -> String {
    match Client::new(target) {
        Ok(_) => panic!("{target:?} was taken"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn targets_are_checked_before_anything_is_sent() {
    assert_eq!(Target::new("host:7070").url, "http://host:7070");
    for bad in ["ftp://host:1", "http://", "not a url", "http://host:port", "http://me@host:1"] {
        let error = refused(&Target::new(bad));
        assert!(error.contains("host:port"), "{error}");
    }
    for good in ["host", "10.0.0.1:7070", "[::1]:7070", "http://[::1]"] {
        assert!(Client::new(&Target::new(good)).is_ok(), "{good}");
    }
    assert!(matches!(Client::new(&Target::new("https://host:1")), Err(TargetError::NoCa)));
    let mut target = Target::new("host:1");
    target.token = Some("two\nlines".to_owned());
    assert!(refused(&target).contains("token"));
    let mut target = Target::new("https://host:1");
    target.ca = Some("/nowhere/ca.pem".into());
    assert!(refused(&target).contains("/nowhere/ca.pem"));
}

#[tokio::test]
async fn patience_ends() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    let mut target = Target::new(&address.to_string());
    target.patience = Duration::from_millis(700);
    let client = Client::new(&target).expect("a target");
    let started = Instant::now();
    let error = client.jobs(JobState::Unspecified, 1).await.expect_err("nobody is there");
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(
        error.to_string().contains("refused") && error.to_string().contains(&address.to_string()),
        "{error}"
    );
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(200) && waited < Duration::from_secs(10), "{waited:?}");
    assert!(matches!(client.watch("job").next().await, Err(Error::Unreachable { .. })));
    let told = Arc::new(AtomicUsize::new(0));
    let heard = told.clone();
    let mut patient = client.watch("job").for_ever(move |error| {
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        heard.fetch_add(1, Ordering::SeqCst);
    });
    let waiting = tokio::time::timeout(Duration::from_secs(2), patient.next());
    assert!(waiting.await.is_err(), "it gave up");
    assert_eq!(told.load(Ordering::SeqCst), 1, "once per outage");
}

#[test]
fn request_ids_are_new_and_fit() {
    let (one, other) = (request_id(), request_id());
    assert_ne!(one, other);
    assert!(one.len() <= MAX_REQUEST_ID_CHARS && one.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
}
