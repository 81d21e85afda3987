//! A redis-server for one test.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::free_port;

/// Longest time for the server to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Ports tried before the start fails.
const PORT_TRIES: usize = 5;
/// Name and password of the user that [`RedisServer::command`] is, where users have rights of their own.
const OWN_USER: &str = "testkit";
/// Name of the ACL file in the server's directory.
const ACL_FILE: &str = "users.acl";
/// Ends the server when the pipe to the shell closes: also when the test is killed.
const KEEPER: &str =
    "redis-server \"$@\" >>server.log 2>&1 & server=$!; read -r _; kill -9 $server; wait $server";

/// How the server is started.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// Keep an append-only file, written through on every command: a kill loses nothing that was answered.
    pub append_only: bool,
    /// Password of the default user.
    pub password: Option<String>,
    /// Users by an ACL file instead of a password.
    pub users: Option<RedisUsers>,
    /// Serve TLS instead of plain TCP.
    pub tls: Option<RedisTls>,
    /// More arguments of redis-server, such as `--maxmemory`, `50mb`.
    pub arguments: Vec<String>,
}

/// Users of the server.
#[derive(Debug, Clone)]
pub struct RedisUsers {
    /// The ACL file; [`RedisServer::command`] has a user of its own beside those.
    pub acl: String,
    /// User and password, joined by `:`, that URLs of the server have.
    pub login: String,
}

impl RedisUsers {
    /// The users that `deploy/secrets.sh` makes for a cluster.
    ///
    /// # Errors
    /// When the script fails.
    pub fn shipped() -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let secrets = dir.path().join("secrets");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/secrets.sh");
        let made = Command::new("bash").arg(script).arg(&secrets).output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        let url = fs::read_to_string(secrets.join("ventral-redis/url"))?;
        let login = url.strip_prefix("redis://").and_then(|rest| rest.split_once('@'));
        let (login, _) = login.ok_or_else(|| io::Error::other(format!("no login in {url}")))?;
        let acl = fs::read_to_string(secrets.join("ventral-redis-users/users.acl"))?;
        Ok(Self { acl, login: login.to_owned() })
    }
}

/// TLS files of the server, PEM.
#[derive(Debug, Clone)]
pub struct RedisTls {
    /// Certificate of the authority that signed the others.
    pub ca: PathBuf,
    /// Certificate of the server.
    pub cert: PathBuf,
    /// Key of the server.
    pub key: PathBuf,
    /// Whether clients must show a certificate.
    pub client_certs: bool,
}

/// A redis-server on a port of 127.0.0.1, with a temporary directory of its own.
#[derive(Debug)]
pub struct RedisServer {
    options: RedisOptions,
    port: u16,
    dir: TempDir,
    keeper: Option<Child>,
}

impl RedisServer {
    /// Whether redis-server can be run here.
    pub fn available() -> bool {
        let mut version = Command::new("redis-server");
        let version = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    }

    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// When it cannot be started, with the end of its log.
    pub fn start(options: RedisOptions) -> io::Result<Self> {
        let mut error = io::Error::other("no port was tried");
        for _ in 0..PORT_TRIES {
            let dir = tempfile::Builder::new().prefix("redis").tempdir()?;
            let mut server = Self { options: options.clone(), port: free_port()?, dir, keeper: None };
            match server.run() {
                Ok(()) => return Ok(server),
                Err(e) => error = e,
            }
        }
        Err(error)
    }

    /// As [`RedisServer::start`]; `None`, and a line that says so, where redis-server is missing.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub fn start_or_skip(options: RedisOptions) -> io::Result<Option<Self>> {
        if Self::available() {
            return Self::start(options).map(Some);
        }
        eprintln!("SKIPPED: no redis-server");
        Ok(None)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its data are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its URL, with the password when it has one.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// Its URL by way of another port of 127.0.0.1, such as a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        let scheme = if self.options.tls.is_some() { "rediss" } else { "redis" };
        let password = self.options.password.as_ref().map(|password| format!(":{password}@"));
        let user = self.options.users.as_ref().map(|users| format!("{}@", users.login));
        let login = user.or(password).unwrap_or_default();
        format!("{scheme}://{login}127.0.0.1:{port}/")
    }

    /// Ends the server as `kill -9` does; what it holds in memory only is lost.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait()?;
        }
        Ok(())
    }

    /// Kills the server if it runs, starts it on the same port with what its files hold, waits until it answers.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        self.run()
    }

    /// Kills the server if it runs, cuts so many bytes off the end of its append-only file (half of it at most), as a loss of power does, and
    /// starts it on the same port with what is left; the bytes cut off.
    ///
    /// # Errors
    /// As [`RedisServer::start`]; also when it keeps no such file.
    pub fn restart_cut(&mut self, bytes: u64) -> io::Result<u64> {
        self.kill()?;
        let files = fs::read_dir(self.dir.path().join("appendonlydir"))?.filter_map(Result::ok);
        let grows = |path: &PathBuf| path.to_string_lossy().ends_with(".incr.aof");
        let last = files.map(|entry| entry.path()).filter(grows).max();
        let path = last.ok_or_else(|| io::Error::other("no append-only file"))?;
        let file = File::options().write(true).open(path)?;
        let length = file.metadata()?.len();
        let cut = bytes.min(length / 2);
        file.set_len(length - cut)?;
        self.run()?;
        Ok(cut)
    }

    /// Kills the server if it runs, removes its files, starts it empty on the same port, waits until it answers.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub fn restart_empty(&mut self) -> io::Result<()> {
        self.kill()?;
        for entry in fs::read_dir(self.dir.path())? {
            let path = entry?.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        self.run()
    }

    /// Sends one command and gives the raw reply, such as `+OK`: for `FLUSHALL` and `SCRIPT FLUSH`. Words must not contain
    /// white space.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn command(&self, words: &[&str]) -> io::Result<String> {
        let mut socket = UnixStream::connect(self.socket())?;
        socket.set_read_timeout(Some(START_LIMIT))?;
        if let Some(password) = &self.options.password {
            exchange(&mut socket, &["AUTH", password])?;
        }
        if self.options.users.is_some() {
            exchange(&mut socket, &["AUTH", OWN_USER, OWN_USER])?;
        }
        exchange(&mut socket, words)
    }

    fn run(&mut self) -> io::Result<()> {
        if let Some(users) = &self.options.users {
            let own = format!("user {OWN_USER} on >{OWN_USER} ~* &* +@all\n");
            fs::write(self.dir.path().join(ACL_FILE), format!("{}{own}", users.acl))?;
        }
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .args(self.arguments())
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        self.keeper = Some(keeper);
        let begin = Instant::now();
        while !self.command(&["PING"]).is_ok_and(|reply| reply.starts_with("+PONG")) {
            if begin.elapsed() > START_LIMIT || self.refused() {
                self.kill()?;
                return Err(io::Error::other(format!("redis-server does not answer: {}", self.log_end())));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn arguments(&self) -> Vec<String> {
        let port = self.port.to_string();
        let socket = self.socket().display().to_string();
        let mut words = vec!["--bind", "127.0.0.1", "--unixsocket", &socket, "--save", ""];
        words.extend(["--appendonly", if self.options.append_only { "yes" } else { "no" }]);
        words.extend(["--appendfsync", "always"]);
        if let Some(password) = &self.options.password {
            words.extend(["--requirepass", password]);
        }
        if self.options.users.is_some() {
            words.extend(["--aclfile", ACL_FILE]);
        }
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        match &self.options.tls {
            None => words.extend(["--port".to_owned(), port]),
            Some(tls) => {
                let path = |path: &Path| path.display().to_string();
                let clients = if tls.client_certs { "yes" } else { "no" };
                let pairs = [
                    ("--port", "0".to_owned()),
                    ("--tls-port", port),
                    ("--tls-ca-cert-file", path(&tls.ca)),
                    ("--tls-cert-file", path(&tls.cert)),
                    ("--tls-key-file", path(&tls.key)),
                    ("--tls-auth-clients", clients.to_owned()),
                ];
                words.extend(pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
            }
        }
        words.extend(self.options.arguments.iter().cloned());
        words
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// Whether the log says that the server has given up, such as for a port that is taken.
    fn refused(&self) -> bool {
        let log = self.log_end();
        ["Could not create server TCP listening socket", "FATAL", "Failed listening"]
            .iter()
            .any(|text| log.contains(text))
    }

    /// All that the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default()
    }

    fn log_end(&self) -> String {
        let mut text = String::new();
        let read = File::open(self.dir.path().join("server.log"))
            .and_then(|mut file| file.read_to_string(&mut text));
        if let Err(e) = read {
            return format!("no log: {e}");
        }
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Dropping must not panic; a server that cannot be waited for ends with this process.
        let _ = self.kill();
    }
}

fn exchange(socket: &mut UnixStream, words: &[&str]) -> io::Result<String> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    socket.write_all(request.as_bytes())?;
    let mut reply = vec![0; 64 << 10];
    let length = socket.read(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply[..length]).trim_end().to_owned())
}
