use std::collections::HashSet;
use std::net::TcpListener;
use std::time::Duration;

use ventral_testkit::{free_port, wait_until, wait_until_async};

#[test]
fn ports_are_free_and_differ() {
    let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
    assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
    let held = TcpListener::bind(("127.0.0.1", ports[0])).unwrap();
    assert!((0..50).all(|_| free_port().unwrap() != held.local_addr().unwrap().port()));
}

#[test]
fn waiting_ends_with_the_condition() {
    let mut looks = 0;
    wait_until("third look", Duration::from_secs(5), || {
        looks += 1;
        looks == 3
    });
    assert_eq!(looks, 3);
}

#[test]
#[should_panic(expected = "the impossible: not within")]
fn waiting_gives_up() {
    wait_until("the impossible", Duration::from_millis(30), || false);
}

#[tokio::test]
#[should_panic(expected = "the hanging: not within")]
async fn async_waiting_gives_up_on_a_hanging_look() {
    wait_until_async("the hanging", Duration::from_millis(30), std::future::pending).await;
}
