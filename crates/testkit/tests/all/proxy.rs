use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use ventral_testkit::TcpProxy;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(5);

async fn echo_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.into_split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    port
}

async fn proxy() -> (TcpProxy, TcpStream) {
    let proxy = TcpProxy::to_port(echo_port().await).await.unwrap();
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    (proxy, stream)
}

async fn round(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"hello").await?;
    let mut back = [0; 5];
    stream.read_exact(&mut back).await?;
    assert_eq!(&back, b"hello");
    Ok(())
}

#[tokio::test]
async fn forwards() {
    let (proxy, mut stream) = proxy().await;
    round(&mut stream).await.unwrap();
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn cut_resets_what_is_open_and_nothing_else() {
    let (proxy, mut stream) = proxy().await;
    round(&mut stream).await.unwrap();
    proxy.cut();
    let error = timeout(LONG, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    round(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn refuses_until_healed() {
    let (proxy, mut stream) = proxy().await;
    round(&mut stream).await.unwrap();
    proxy.refuse();
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(timeout(LONG, round(&mut second)).await.unwrap().is_err());
    round(&mut stream).await.unwrap();
    proxy.heal();
    round(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn delays() {
    let (proxy, mut stream) = proxy().await;
    proxy.delay(50);
    let begin = Instant::now();
    round(&mut stream).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(100), "50 ms each way");
}

#[tokio::test]
async fn half_open_swallows_then_resets() {
    let (proxy, mut stream) = proxy().await;
    round(&mut stream).await.unwrap();
    proxy.half_open();
    assert!(timeout(SHORT, round(&mut stream)).await.is_err(), "no answer, no error");
    proxy.heal();
    assert!(timeout(LONG, stream.read_u8()).await.unwrap().is_err());
    round(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn forgotten_connections_are_silent_and_new_ones_work() {
    let (proxy, mut stream) = proxy().await;
    round(&mut stream).await.unwrap();
    proxy.forget();
    assert!(timeout(SHORT, round(&mut stream)).await.is_err(), "no answer, no error");
    round(&mut TcpStream::connect(proxy.address()).await.unwrap()).await.unwrap();
}
