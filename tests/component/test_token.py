#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`postern token` against an authorization server that behaves and misbehaves on command: what is asked, what is printed, the exit
status, and that a stolen port gets not one byte.  TAP output; needs nothing but Python's own modules and openssl(1) for a certificate."""
import base64
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402

POSTERN = os.environ.get("POSTERN_BUILD", ".") + "/postern"
SECRET = "s3cr3t-of-agent-7+/%"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"
IS_ROOT = os.getuid() == 0
NOBODY = 65534


class Server(http.server.ThreadingHTTPServer):
    """One issuer; `mode` says how it misbehaves; `requests` is what it was asked."""
    daemon_threads = True

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode, self.requests, self.scheme, self.expires_in = "good", [], "http", 300
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self.issuer = "%s://127.0.0.1:%d" % (self.scheme, self.server_address[1])
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass


METADATA = {
    "other issuer": lambda s: {"issuer": "https://evil.example", "token_endpoint": s.issuer + "/token"},
    "endpoint elsewhere": lambda s: {"issuer": s.issuer, "token_endpoint": "http://127.0.0.1:1/token"},
    "endpoint public": lambda s: {"issuer": s.issuer, "token_endpoint": "https://evil.example/token"},
}
REFUSALS = {
    "invalid_client": (401, {"error": "invalid_client"}),
    "invalid_target": (400, {"error": "invalid_target", "error_description": "no such resource"}),
    "echo": (400, {"error": "invalid_client", "error_description": "wrong secret " + SECRET}),
    "busy": (429, {}),
    "broken": (503, {}),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, body, kind="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        s = self.server
        s.requests.append(("GET", self.path, dict(self.headers), ""))
        if s.mode == "redirect":
            return self.answer(302, b"", Location="https://evil.example/")
        if s.mode == "html":
            return self.answer(200, b"<html>Please log in</html>", "text/html")
        if s.mode == "huge":
            return self.answer(200, b"{" + b" " * 300000 + b"}")
        document = METADATA.get(s.mode, lambda s: {"issuer": s.issuer, "token_endpoint": s.issuer + "/token"})(s)
        return self.answer(200, document)

    def do_POST(self):
        s = self.server
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        s.requests.append(("POST", self.path, dict(self.headers), body))
        if s.mode in REFUSALS:
            status, document = REFUSALS[s.mode]
            return self.answer(status, document, Retry_After="17")
        scope = "mail.read" if s.mode == "fewer scopes" else "mail.read mail.write"
        return self.answer(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": s.expires_in, "scope": scope})


class Run:
    def __init__(self, *arguments, env=None, user=None, cache=False):
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": FOLDER}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        environment.update(env or {})
        demote = (lambda: (os.setgroups([]), os.setgid(NOBODY), os.setuid(NOBODY))) if user else None
        p = subprocess.run([POSTERN, "token"] + ([] if cache else ["--no-cache"]) + list(arguments), env=environment, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=60, preexec_fn=demote, text=True)
        self.status, self.out, self.err = p.returncode, p.stdout, p.stderr

    def __str__(self):
        return "status %s\nout: %s\nerr: %s" % (self.status, self.out, self.err)


def check(name, run, status, reason=None, out=""):
    """Status, reason and standard output are as said, and nothing secret is in any output."""
    ok = run.status == status and run.out == out
    if reason:
        ok = ok and ("reason: %s\n" % reason) in run.err
    basic = base64.b64encode(("agent-7:" + SECRET).encode()).decode()
    for secret in (SECRET, "s3cr3t", basic) + (() if out else (TOKEN,)):
        ok = ok and secret not in run.err and (secret not in run.out)
    daemon.report(ok, name, run)


def write(name, text, mode=0o600):
    path = os.path.join(FOLDER, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def client_file(name, server, **more):
    keys = {"issuer": server.issuer, "client_id": "agent-7", "client_credential_file": SECRET_FILE,
            "loopback_user": str(os.getuid()), "allow_loopback_http": "yes"}
    keys.update(more)
    return write(name, "".join("%s: %s\n" % kv for kv in keys.items()), 0o644)


def flags(server, *more):
    return ["--issuer", server.issuer, "--client-id", "agent-7", "--secret-file", SECRET_FILE, "--allow-loopback-http",
            "--loopback-user", str(os.getuid())] + list(more)


def test_success(server):
    run = Run(*flags(server, "--resource", "https://mail.example.org/imap", "--scope", "mail.read mail.write"))
    check("the token alone is on standard output", run, 0, out=TOKEN + "\n")
    daemon.report(run.err == "", "success says nothing on standard error", run)
    method, path, headers, body = server.requests[-1]
    want = base64.b64encode(b"agent-7:s3cr3t-of-agent-7%2B%2F%25").decode()
    daemon.report(headers.get("Authorization") == "Basic " + want, "the secret goes by client_secret_basic, form-encoded first")
    daemon.report(body == "grant_type=client_credentials&resource=https%3A%2F%2Fmail.example.org%2Fimap&scope=mail.read+mail.write",
                  "the body asks for resource and scope", body)
    daemon.report([r[1] for r in server.requests] == ["/.well-known/oauth-authorization-server", "/token"],
                  "metadata is read first", server.requests)
    run = Run(*flags(server, "--json"))
    daemon.report(run.status == 0 and json.loads(run.out) == {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300,
                                                             "scope": "mail.read mail.write"}, "--json prints RFC 6749's members", run)


def test_misbehaviour(server):
    for mode, status, reason in (
            ("redirect", 3, "issuer_answer"), ("html", 3, "issuer_answer"), ("huge", 3, "issuer_answer"),
            ("other issuer", 3, "issuer_untrusted"), ("endpoint elsewhere", 3, "issuer_answer"),
            ("endpoint public", 3, "issuer_answer"), ("invalid_client", 1, "token_refused"),
            ("invalid_target", 1, "token_refused"), ("echo", 1, "token_refused"), ("busy", 3, "issuer_unreachable"),
            ("broken", 3, "issuer_unreachable"), ("fewer scopes", 1, "insufficient_scope")):
        server.mode, server.requests[:] = mode, []
        run = Run(*flags(server, "--scope", "mail.read mail.write"))
        check("misbehaving server: " + mode, run, status, reason)
        if mode in ("redirect", "html", "huge", "other issuer", "endpoint elsewhere", "endpoint public"):
            daemon.report(all(r[0] == "GET" and "Authorization" not in r[2] for r in server.requests),
                          "nothing secret is sent after metadata that is not the issuer's: " + mode, server.requests)
    server.mode = "invalid_client"
    run = Run(*flags(server, "--quiet"))
    daemon.report(run.status == 1 and run.err.count("\n") == 1 and "invalid_client" in run.err, "--quiet says one line", run)
    server.mode = "good"


def test_usage(server):
    for name, arguments in (("unknown option", ["--password", SECRET]),
                            ("an abbreviation, and a secret", ["--secret", SECRET]), ("with =", ["--secret=" + SECRET]),
                            ("missing value", ["--issuer"]), ("short option", ["-q"]), ("flag with value", ["--json=x"]), ("an argument", ["x"]), ("empty value", ["--issuer="]),
                            ("--for-host alone", flags(server, "--for-host", "h")),
                            ("a service with a slash", flags(server, "--for-host", "h", "--for-service", "a/b"))):
        run = Run(*arguments)
        daemon.report(run.status == 2 and run.out == "" and SECRET not in run.err, "usage: " + name, run)
    run = Run("--help")
    daemon.report(run.status == 0 and "--for-host" in run.out, "--help", run)


def test_client_files(server):
    server.requests[:] = []
    check("no client file at all", Run(), 3, "config_file")
    path = client_file("agent.conf", server, scope="mail.read")
    check("--client FILE", Run("--client", path), 0, out=TOKEN + "\n")
    daemon.report("scope=mail.read" in server.requests[-1][3], "the file's scope is asked for", server.requests[-1])
    check("POSTERN_CLIENT=FILE", Run(env={"POSTERN_CLIENT": path}), 0, out=TOKEN + "\n")
    check("an option wins over the file", Run("--client", path, "--scope", "mail.write"), 0, out=TOKEN + "\n")
    daemon.report("scope=mail.write" in server.requests[-1][3], "the option's scope is asked for", server.requests[-1])
    client_file(".config/postern/clients/seven.conf", server)
    check("--client NAME below ~/.config", Run("--client", "seven"), 0, out=TOKEN + "\n")
    check("POSTERN_CLIENT=NAME below XDG_CONFIG_HOME", Run(env={"POSTERN_CLIENT": "eight", "XDG_CONFIG_HOME": FOLDER + "/xdg"}), 3,
          "config_file")
    client_file("xdg/postern/clients/eight.conf", server)
    check("and when it is there", Run(env={"POSTERN_CLIENT": "eight", "XDG_CONFIG_HOME": FOLDER + "/xdg"}), 0, out=TOKEN + "\n")
    check("a name that climbs out of its folder", Run("--client", "../seven"), 3, "config_file")
    check("a name that begins with a dot", Run("--client", ".seven"), 3, "config_file")
    client_file(".config/postern/client.conf", server)
    check("~/.config/postern/client.conf by itself", Run(), 0, out=TOKEN + "\n")
    os.unlink(FOLDER + "/.config/postern/client.conf")
    check("an unknown key", Run("--client", client_file("bad.conf", server, colour="red")), 3, "config_key")
    check("an unknown loopback_user", Run("--client", client_file("bad.conf", server, loopback_user="nobody-of-that-name")), 3,
          "config_value")


def test_secret_files(server):
    for name, mode in (("world-readable", 0o644), ("group-writable", 0o660)):
        path = write("bad.secret", SECRET, mode)
        check("a %s secret file" % name, Run(*flags(server, "--secret-file", path)), 3, "config_file")
    check("a missing secret file", Run(*flags(server, "--secret-file", FOLDER + "/none")), 3, "config_file")
    check("an empty secret file", Run(*flags(server, "--secret-file", write("empty.secret", "\n"))), 3, "config_file")


def test_hosts(server):
    path = client_file("hosts.conf", server, hosts="mail.example.org *.ldap.example.org")
    check("a host of hosts:", Run("--client", path, "--for-host", "Mail.Example.org", "--for-service", "imap"), 0, out=TOKEN + "\n")
    daemon.report("resource=https%3A%2F%2Fmail.example.org%2Fimap" in server.requests[-1][3],
                  "the resource is https://HOST/SERVICE", server.requests[-1])
    check("a host by its glob", Run("--client", path, "--for-host", "a.ldap.example.org", "--for-service", "ldap"), 0, out=TOKEN + "\n")
    server.requests[:] = []
    for host in ("evil.example", "a.b.ldap.example.org", "mail.example.org.evil.example", "example.org"):
        run = Run("--client", path, "--for-host", host, "--for-service", "imap")
        check("a host that hosts: does not name: " + host, run, 1, "policy")
    check("a file without hosts:", Run("--client", FOLDER + "/agent.conf", "--for-host", "mail.example.org", "--for-service", "imap"),
          1, "policy")
    daemon.report(server.requests == [], "a refused host causes no request", server.requests)
    path = client_file("resource.conf", server, hosts="mail.example.org", resource="https://other.example/x")
    check("resource: of the file", Run("--client", path, "--for-host", "mail.example.org", "--for-service", "imap"), 0, out=TOKEN + "\n")
    daemon.report("resource=https%3A%2F%2Fother.example%2Fx" in server.requests[-1][3], "wins over HOST and SERVICE")


def entries(folder):
    return sorted(n for n in os.listdir(folder) if len(n) == 64) if os.path.isdir(folder) else []


def test_cache(server):
    def posts():
        return sum(r[0] == "POST" for r in server.requests)

    def expect(name, wanted, *more, env=None):
        before = posts()
        run = Run(*flags(server), *more, env=env, cache=True)
        check(name, run, 0, out=TOKEN + "\n")
        daemon.report(posts() - before == wanted, "%s: %d requests" % (name, wanted), posts() - before)

    home, runtime = FOLDER + "/.cache/postern", {"XDG_RUNTIME_DIR": FOLDER + "/runtime"}
    os.mkdir(FOLDER + "/runtime", 0o700)
    expect("the first run fetches", 1)
    expect("the second takes the stored token", 0)
    expect("another resource is another entry", 1, "--resource", "https://a.example/x")
    expect("and is stored too", 0, "--resource", "https://a.example/x")
    expect("another scope is another entry", 1, "--scope", "mail.read")
    expect("XDG_RUNTIME_DIR is another place", 1, env=runtime)
    expect("and holds it", 0, env=runtime)
    run = Run(*flags(server, "--json"), cache=True)
    daemon.report(0 < json.loads(run.out)["expires_in"] <= 300 and json.loads(run.out)["scope"] == "mail.read mail.write",
                  "--json of a stored token says what is left", run)
    modes = [os.stat(home + "/" + n).st_mode & 0o777 for n in os.listdir(home)] + [os.stat(home).st_mode & 0o777]
    daemon.report(set(modes) == {0o600, 0o700} and len(entries(home)) == 3, "files are 0600 in a folder of 0700", modes)
    write("agent-7.secret", SECRET + "\n")
    expect("a secret file that was written anew never gets an old token", 1)
    stored = home + "/" + max(entries(home), key=lambda n: os.stat(home + "/" + n).st_mtime_ns)
    expect("and then it is stored", 0)
    good = open(stored).read()
    for name, text in (("cut", good[:-9]), ("empty", ""), ("not JSON", "x"), ("too large", good + " " * 30000),
                       ("token with a blank", good.replace(TOKEN, "a b")), ("over", good.replace('"expires":', '"expires":-')),
                       ("life of years", good.replace('"expires":', '"expires":9'))):
        open(stored, "w").write(text)
        expect("an entry that is %s is fetched anew" % name, 1)
    os.chmod(stored, 0o644)
    expect("an entry that others can read does not count", 1)
    os.chmod(home, 0o755)
    expect("a folder that others can enter is not used", 1)
    os.chmod(home, 0o700)
    os.rename(home, FOLDER + "/elsewhere")
    os.symlink(FOLDER + "/elsewhere", home)
    expect("nor is a link", 1)
    os.unlink(home)
    server.expires_in = 30
    expect("a token with no more than the margin left", 1)
    expect("is never stored", 1)
    server.expires_in = 300
    before = posts()
    crowd = [subprocess.Popen([POSTERN, "token"] + flags(server), env=dict(os.environ, HOME=FOLDER, XDG_RUNTIME_DIR=""),
                              stdout=subprocess.PIPE) for _ in range(8)]
    outs = [p.communicate(timeout=60)[0].decode() for p in crowd]
    daemon.report(outs == [TOKEN + "\n"] * 8 and posts() - before == 1, "eight runs at one time cause one request", posts() - before)


class Thief:
    """A listener of another user; counts connections and bytes, in a process of its own."""

    def __init__(self, port):
        self.read_end, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            if IS_ROOT:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            s.listen(8)
            os.write(write_end, b"L")
            while True:
                c, _ = s.accept()
                os.write(write_end, b"C")
                while c.recv(4096):
                    os.write(write_end, b"B")
                c.close()
        os.close(write_end)
        assert os.read(self.read_end, 1) == b"L"

    def end(self):
        """What it saw: C for each connection, B for each piece of data."""
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        seen = b""
        while True:
            piece = os.read(self.read_end, 100)
            if not piece:
                os.close(self.read_end)
                return seen
            seen += piece


def test_listener(server):
    port = daemon.free_port()
    dead = ["--issuer", "http://127.0.0.1:%d" % port, "--client-id", "agent-7", "--secret-file", SECRET_FILE]
    trusted = "root" if not IS_ROOT else str(daemon.ISSUER_UID)  # neither is the thief
    check("nobody listens", Run(*dead, "--allow-loopback-http", "--loopback-user", trusted), 3, "issuer_unreachable")
    thief = Thief(port)
    run = Run(*dead, "--allow-loopback-http", "--loopback-user", trusted)
    seen = thief.end()
    check("a stolen port while posternd is down: undecided", run, 3, "issuer_untrusted")
    daemon.report(seen == b"", "the thief saw no connection and not one byte", seen)
    thief = Thief(port)
    run = Run(*dead)
    daemon.report(run.status == 3 and thief.end() == b"", "http without --allow-loopback-http is not even tried", run)
    if IS_ROOT:
        os.chmod(FOLDER, 0o755)
        theirs = write("nobody.secret", SECRET)
        os.chown(theirs, NOBODY, NOBODY)
        run = Run(*flags(server), "--secret-file", theirs, "--loopback-user", "root", user=NOBODY)
        check("an ordinary user sees that root listens", run, 0, out=TOKEN + "\n")
        thief = Thief(port)
        run = Run(*dead, "--secret-file", theirs, "--allow-loopback-http", user=NOBODY)
        check("a listener of the agent's own user is not posternd either", run, 3, "issuer_untrusted")
        daemon.report(thief.end() == b"", "and gets nothing")


def make_certificate(name, alternative):
    path = FOLDER + "/" + name
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=" + name, "-addext", "subjectAltName=" + alternative, "-keyout", path + ".key", "-out", path + ".crt"],
                   check=True, capture_output=True)
    with open(path + ".both", "w") as f:
        f.write(open(path + ".key").read() + open(path + ".crt").read())
    return path


def test_tls():
    good, wrong = make_certificate("good", "IP:127.0.0.1"), make_certificate("wrong", "DNS:elsewhere.example")
    server = Server(good + ".both")
    base = ["--issuer", server.issuer, "--client-id", "agent-7", "--secret-file", SECRET_FILE]
    check("a certificate of the named authority", Run(*base, "--tls-ca-file", good + ".crt"), 0, out=TOKEN + "\n")
    server.requests[:] = []
    check("a certificate that nobody vouches for", Run(*base), 3, "issuer_untrusted")
    check("a certificate of another authority", Run(*base, "--tls-ca-file", wrong + ".crt"), 3, "issuer_untrusted")
    check("an authorities file that is not there", Run(*base, "--tls-ca-file", FOLDER + "/none.crt"), 3, "config_file")
    env = {"SSL_CERT_FILE": good + ".crt", "CURL_CA_BUNDLE": good + ".crt", "https_proxy": server.issuer}
    check("authorities of the environment do not count", Run(*base, env=env), 3, "issuer_untrusted")
    daemon.report(server.requests == [], "none of them got a request", server.requests)
    server = Server(wrong + ".both")
    base[1] = server.issuer
    check("a certificate for another name", Run(*base, "--tls-ca-file", wrong + ".crt"), 3, "issuer_untrusted")
    daemon.report(server.requests == [], "and got no request", server.requests)


def test_posternd():
    """The real daemon: its issuer accepts as another user than the listener's, and its port is stolen while it is down."""
    if not IS_ROOT:
        return  # the daemon as root is the case; test_listener has the rest
    folder = daemon.Folder()
    d = daemon.Daemon(os.environ["POSTERN_BUILD"] + "/posternd", folder)
    try:
        d.wait_ready()
        secret = FOLDER + "/agent-8.secret"
        subprocess.run([POSTERN, "client", "add", "agent-8", "--config", folder.path + "/etc", "--resource", "https://localhost/ldap",
                        "--scope", "ldap.read", "--secret-file", secret], check=True, capture_output=True, timeout=60)
        base = ["--issuer", folder.issuer, "--client-id", "agent-8", "--secret-file", secret, "--allow-loopback-http"]
        runs = [Run(*base) for _ in range(20)]  # some before the accept, some after
        good = [r for r in runs if r.status == 0 and r.out.count(".") == 2 and r.err == ""]
        daemon.report(len(good) == 20, "posternd as root, its issuer as another user: trusted with loopback_user root",
                      [str(r) for r in runs if r not in good][:1])
        refused = Run(*base, "--resource", "https://localhost/imap")
        check("a resource that the client may not have", refused, 1, "token_refused")
        daemon.report("invalid_target" in refused.err, "is invalid_target", refused)
        d.stop()
        thief = Thief(folder.port)
        run = Run(*base)
        seen = thief.end()
        check("its port stolen while it is down", run, 3, "issuer_untrusted")
        daemon.report(seen == b"", "the thief saw no connection and not one byte of posternd's agent", seen)
        check("nobody there", Run(*base), 3, "issuer_unreachable")
    finally:
        d.dispose()
        folder.remove()


with tempfile.TemporaryDirectory(prefix="postern-token.") as FOLDER:
    SECRET_FILE = write("agent-7.secret", SECRET + "\n")
    SERVER = Server()
    test_success(SERVER)
    test_misbehaviour(SERVER)
    test_usage(SERVER)
    test_client_files(SERVER)
    test_secret_files(SERVER)
    test_hosts(SERVER)
    test_cache(SERVER)
    test_listener(SERVER)
    test_tls()
    test_posternd()
print("1..%d" % (daemon.passed + daemon.failed))
sys.exit(1 if daemon.failed else 0)
