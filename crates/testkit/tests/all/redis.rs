use ventral_testkit::{RedisOptions, RedisServer};

fn start(options: RedisOptions) -> Option<RedisServer> {
    RedisServer::start_or_skip(options).unwrap()
}

#[test]
fn data_survive_a_kill_with_a_log_only() {
    let Some(mut server) = start(RedisOptions { append_only: true, ..RedisOptions::default() }) else {
        return;
    };
    let port = server.port();
    assert_eq!(server.command(&["SET", "key", "value"]).unwrap(), "+OK");
    server.kill().unwrap();
    assert!(server.command(&["PING"]).is_err());
    server.restart().unwrap();
    assert_eq!(server.command(&["GET", "key"]).unwrap(), "$5\r\nvalue");
    server.restart_empty().unwrap();
    assert_eq!(server.command(&["GET", "key"]).unwrap(), "$-1");
    assert_eq!(server.port(), port);
}

#[test]
fn servers_are_apart() {
    let (Some(one), Some(two)) = (start(RedisOptions::default()), start(RedisOptions::default())) else {
        return;
    };
    one.command(&["SET", "key", "1"]).unwrap();
    assert_eq!(two.command(&["GET", "key"]).unwrap(), "$-1");
    assert!(std::net::TcpStream::connect(("127.0.0.1", one.port())).is_ok());
}

#[test]
fn a_dropped_server_is_gone() {
    let Some(server) = start(RedisOptions::default()) else { return };
    let port = server.port();
    drop(server);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_server_that_cannot_start_says_why() {
    if !RedisServer::available() {
        return;
    }
    let options =
        RedisOptions { arguments: vec!["--nonsense".into(), "1".into()], ..RedisOptions::default() };
    let error = RedisServer::start(options).unwrap_err().to_string();
    assert!(error.contains("nonsense"), "{error}");
}
