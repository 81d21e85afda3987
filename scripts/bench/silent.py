#!/usr/bin/env python3
"""How long honest callers wait while thousands of connections say nothing.

    scripts/bench/silent.py target/release/ventral [CONNECTIONS]

Starts `ventral serve all` on this machine, opens CONNECTIONS (5,000) silent connections of each kind, from one address and from many, and
prints the slowest of five calls of `ventral jobs` (a new process each, which waits no longer than 30 s) and of five scrapes of /metrics.
"""
import hashlib
import os
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SOME_HEADERS = bytes([0, 0, 100, 1, 0, 0, 0, 0, 1, 0x83])
THREADS = 4
WAIT = 30


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(binary, folder, tls):
    token = os.path.join(folder, "tokens.toml")
    with open(token, "w") as file:
        digest = hashlib.sha256(b"ada").hexdigest()
        file.write(f'[[token]]\nname = "ada"\ntenant = "lab"\nrole = "operator"\nsha256 = "{digest}"\n')
    port, metrics = free_port(), free_port()
    command = [binary, "serve", "all", "--listen", f"127.0.0.1:{port}", "--tokens", token, "--metrics-listen", f"127.0.0.1:{metrics}"]
    environment = dict(os.environ, VENTRAL_STORE=os.path.join(folder, "store"), VENTRAL_TOKEN="ada")
    environment["VENTRAL_COORDINATOR"] = f"127.0.0.1:{port}"
    if tls:
        cert, key = os.path.join(folder, "c.crt"), os.path.join(folder, "c.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", cert],
            check=True, capture_output=True)
        command += ["--tls-cert", cert, "--tls-key", key]
        environment.update(VENTRAL_COORDINATOR=f"https://localhost:{port}", VENTRAL_COORDINATOR_CA=cert)
    log = open(os.path.join(folder, "log"), "w")
    process = subprocess.Popen(command, env=environment, stderr=log)
    for _ in range(300):
        if subprocess.run([binary, "jobs"], env=environment, capture_output=True).returncode == 0:
            return process, environment, port, metrics
        time.sleep(0.2)
    raise SystemExit(f"it does not answer: {open(log.name).read()}")


def attack(port, count, many, tls, beginning):
    """Opens the connections, some threads at a time; returns them."""
    opened, lock = [], threading.Lock()
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2"])

    def some(first):
        for index in range(first, count, THREADS):
            connection = socket.socket()
            connection.settimeout(WAIT)
            try:
                if many:
                    connection.bind((f"127.0.{1 + index // 250 % 20}.{1 + index % 250}", 0))
                connection.connect(("127.0.0.1", port))
                if tls:
                    connection = context.wrap_socket(connection, server_hostname="localhost")
                connection.sendall(beginning)
            except OSError:
                pass
            with lock:
                opened.append(connection)

    threads = [threading.Thread(target=some, args=(first,)) for first in range(THREADS)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return opened


def slowest(act):
    times = []
    for _ in range(5):
        began = time.monotonic()
        try:
            act()
            times.append(time.monotonic() - began)
        except Exception:
            return f"no answer in {time.monotonic() - began:.0f} s"
    return f"{max(times) * 1000:.0f} ms"


def main():
    binary, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5_000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kinds = [("plain TCP", False, b"", "grpc"), ("after the preface", False, PREFACE + SETTINGS, "grpc"),
             ("within the headers", False, PREFACE + SETTINGS + SOME_HEADERS, "grpc"), ("after the TLS handshake", True, b"", "grpc"),
             ("metrics, within the headers", False, b"GET /metrics HTTP/1.1\r\nhost: x\r\n", "metrics")]
    print("| silence | from | opened in | ventral jobs | /metrics |\n|---|---|---|---|---|", flush=True)
    for tls in [False, True]:
        with tempfile.TemporaryDirectory() as folder:
            process, environment, port, metrics = start(binary, folder, tls)
            jobs = lambda: subprocess.run([binary, "jobs"], env=environment, check=True, capture_output=True, timeout=WAIT)
            scrape = lambda: urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=WAIT).read()
            try:
                print(f"| none{', TLS' if tls else ''} | | | {slowest(jobs)} | {slowest(scrape)} |", flush=True)
                for name, with_tls, beginning, target in kinds:
                    if with_tls != tls:
                        continue
                    for many in [False, True]:
                        began = time.monotonic()
                        held = attack(port if target == "grpc" else metrics, count, many, tls, beginning)
                        opened = time.monotonic() - began
                        print(f"| {name} | {'many' if many else 'one'} | {opened:.1f} s | {slowest(jobs)} | {slowest(scrape)} |", flush=True)
                        [connection.close() for connection in held]
            finally:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
