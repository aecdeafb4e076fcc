#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`postern connect` with tokens of the real embedded issuer against a door that behaves and misbehaves on command: what it is told, what the
local client gets, the exit status, and that a token goes nowhere else.  TAP output; needs root, Python's own modules and openssl(1)."""
import base64
import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402

BUILD = os.environ.get("POSTERN_BUILD", ".")
POSTERN = BUILD + "/postern"
AGENT_UID, STRANGER_UID = daemon.OTHER_UID, 64804
SESSION = "c2Vzc2lvbi1zZWNyZXQ"
IS_SANITIZED = b"__asan_init" in open(os.path.realpath(BUILD + "/.libs/postern" if os.path.exists(BUILD + "/.libs/postern") else POSTERN), "rb").read()


def line(word, **members):
    return ("%s %s\r\n" % (word, json.dumps(members))).encode()


def granted(**more):
    members = {"service": "cache", "lease_end": int(time.time()) + 300, "lease": 300, "session": SESSION, "ref": "R-1"}
    members.update(more)
    return line("OK", **members)


def echo_at_end(c):
    """Like a backend that reads all and then answers: needs the half-close to be passed on."""
    got = b""
    while True:
        piece = c.recv(65536)
        if not piece:
            break
        got += piece
    c.sendall(got[::-1])


def echo(c):
    while True:
        piece = c.recv(65536)
        if not piece:
            return
        c.sendall(piece)


warnings.filterwarnings("ignore", category=DeprecationWarning)  # a server of TLS 1.1 is what a test wants


class Door:
    """A raw door on a loopback port (TLS) or a unix socket.  `login`, `renew`: functions from the line to an answer; `serve` plays the
    backend.  Every login and renewal is kept."""

    def __init__(self, pem=None, path=None, port=0, tls=None):
        self.logins, self.renewals, self.raw, self.connections = [], [], [], 0
        self.login, self.renew, self.serve = (lambda text: granted()), (lambda text: granted()), echo_at_end
        self.abort = False
        self.context = None
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(path)
        else:
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(("127.0.0.1", port))
            self.port = self.socket.getsockname()[1]
            self.url = "redis://localhost:%d" % self.port
            if pem:
                self.context = tls or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self.context.load_cert_chain(pem + ".both")
        self.socket.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.handle, args=(c,), daemon=True).start()

    def handle(self, c):
        self.connections += 1
        try:
            if self.context:
                c = self.context.wrap_socket(c, server_side=True, suppress_ragged_eofs=False)
            self.talk(c)
            if self.context:
                c.unwrap()
        except (OSError, ValueError):
            pass
        finally:
            c.close()

    def talk(self, c):
        text = b""
        while not text.endswith(b"\n"):
            piece = c.recv(1)
            if not piece:
                return
            text += piece
            self.raw.append(piece)
        if text.startswith(b"RENEW "):
            self.renewals.append((time.monotonic(), text.decode().split()))
            c.sendall(self.renew(text))
            return
        message = base64.b64decode(text.split()[2]).decode()
        fields = dict(f.split("=", 1) for f in message.split("\x01") if "=" in f[1:] and not f.startswith("n,"))
        self.logins.append({"gs2": message.split("\x01")[0], "host": fields.get("host"), "port": fields.get("port"),
                            "token": fields["auth"].split()[1]})
        answer = self.login(text)
        self.answered = time.monotonic()
        c.sendall(answer)
        if answer.startswith(b"OK ") and b"\r\n" in answer:
            self.serve(c)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Place:
    """A running issuer, an agent of it, certificates, and a home."""

    def __init__(self, folder, daemons, **more):
        self.folder = folder
        folder.write("services/redis.conf", {"audience": "https://localhost/redis https://elsewhere.example/redis", "helper_peers": "root"})
        folder.server_keys.update(more)
        folder.set()
        self.daemon = daemon.Daemon(BUILD + "/posternd", folder)
        daemons.append(self.daemon)
        self.daemon.wait_ready()
        self.secret = folder.path + "/agent-7.secret"
        subprocess.run([POSTERN, "client", "add", "agent-7", "--config", folder.path + "/etc", "--secret-file", self.secret,
                        "--resource", "https://localhost/redis", "--resource", "https://elsewhere.example/redis"],
                       check=True, capture_output=True, timeout=60)
        self.home = folder.path + "/home"
        os.makedirs(self.home + "/.config/postern/clients")
        os.mkdir(self.home + "/run", 0o700)
        self.pem = self.certificate("good", "DNS:localhost,IP:127.0.0.1")
        self.write_client()

    def write_client(self, name="client.conf", **more):
        keys = {"issuer": self.folder.issuer, "client_id": "agent-7", "client_credential_file": self.secret, "allow_loopback_http": "yes",
                "hosts": "localhost", "door_tls_ca_file": self.pem + ".crt"}
        keys.update(more)
        with open(self.home + "/.config/postern/" + name, "w") as f:
            f.write("".join("%s: %s\n" % kv for kv in keys.items() if kv[1]))

    def certificate(self, name, alternative):
        path = self.folder.path + "/" + name
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=" + alternative, "-keyout", path + ".key", "-out", path + ".crt"],
                       check=True, capture_output=True)
        with open(path + ".both", "w") as f:
            f.write(open(path + ".key").read() + open(path + ".crt").read())
        return path

    def environment(self, env=None):
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": self.home}
        # A process that is not dumpable, or that a signal ends, cannot look for its own leaks.
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        environment.update(env or {})
        return environment

    def start(self, *arguments, user=None, env=None, program=POSTERN, **pipes):
        demote = (lambda: (os.setgroups([]), os.setgid(user), os.setuid(user))) if user else None
        return subprocess.Popen([program, "connect"] + list(arguments), env=self.environment(env), preexec_fn=demote,
                                **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes})

    def run(self, *arguments, send=b"hello", timeout=60, **more):
        p = self.start(*arguments, **more)
        out, err = p.communicate(send, timeout=timeout)
        return Result(p.returncode, out, err.decode())

    @contextlib.contextmanager
    def listener(self, *arguments):
        """(process, where it listens)"""
        err = open(self.folder.path + "/listener.err", "w+")
        p = self.start(*arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
        try:
            def where():
                assert p.poll() is None, "it ended: " + open(err.name).read()
                return re.search(r"listening on (\S+)", open(err.name).read())
            p.where = daemon.wait_until(where, "a line about where it listens").group(1)
            p.said = lambda: open(err.name).read()
            yield p
        finally:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
                p.wait(daemon.DEADLINE_S)
            err.close()


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __str__(self):
        return "status %s\nout: %s\nerr: %s" % (self.status, self.out[:300], self.err)


def check(condition, what):
    assert condition, str(what)


def join(where):
    if where.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX)
        s.connect(where[5:])
    else:
        host, port = where.rsplit(":", 1)
        s = socket.create_connection((host.strip("[]"), int(port)))
    s.settimeout(daemon.DEADLINE_S)
    return s


def read_all(s):
    got = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            return got
        got += piece


def exchange(where, send=b"hello"):
    with join(where) as s:
        try:
            s.sendall(send)
            s.shutdown(socket.SHUT_WR)
            return read_all(s)
        except OSError:  # closed before it read: nothing came back either
            return b""


# ---- what is said to the door, and what comes back ----

def stdin_is_relayed_and_its_end_passed_on(folder, daemons):
    p, door = Place(folder, daemons), None
    door = Door(p.pem)
    run = p.run(door.url)
    check(run.status == 0 and run.out == b"olleh" and run.err == "", run)
    login = door.logins[0]
    check(len(door.logins) == 1 and login["gs2"] == "n,," and login["host"] == "localhost" and login["port"] == str(door.port), door.logins)
    check(claims(login["token"])["aud"] in ("https://localhost/redis", ["https://localhost/redis"]), claims(login["token"]))
    run = p.run("--stdio", door.url.upper().replace("LOCALHOST", "localhost"))
    check(run.status == 0 and door.logins[1]["token"] == login["token"], "the stored token is used again, the scheme ignores case")
    run = p.run("--resource", "https://elsewhere.example/redis", door.url)
    check(run.status == 0 and "https://elsewhere.example/redis" in str(claims(door.logins[2]["token"])["aud"]), run)


def bytes_behind_the_answer_are_the_backends(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    door.login = lambda text: granted() + b"220 banner\r\n\0\xff"
    run = p.run(door.url, send=b"x")
    check(run.status == 0 and run.out == b"220 banner\r\n\0\xffx", run)
    # A byte at a time is the same answer.
    door.login = lambda text: b""
    door.serve = None
    answer = granted() + b"tail"

    def slowly(text):
        return answer
    door.login = slowly
    door.serve = echo_at_end
    run = p.run(door.url, send=b"")
    check(run.out == b"tail", run)


def megabytes_both_ways_are_identical(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    door.serve = echo
    data = os.urandom(1 << 20) * 24
    run = p.run(door.url, send=data)
    check(run.status == 0 and run.out == data, "stdio: %d of %d" % (len(run.out), len(data)))
    with p.listener("--listen", "127.0.0.1:0", door.url) as listener:
        with join(listener.where) as s:
            writer = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
            writer.start()
            got = read_all(s)
            writer.join()
        check(got == data, "TCP: %d of %d" % (len(got), len(data)))


def what_the_door_does_not_take_is_not_read(folder, daemons):
    p = Place(folder, daemons)
    door, release = Door(p.pem), threading.Event()
    door.serve = lambda c: release.wait(60)
    run = p.start(door.url)
    os.set_blocking(run.stdin.fileno(), False)
    sent, last = 0, time.monotonic()
    while time.monotonic() - last < 1.0:  # nothing was taken for a second: it is stuck
        try:
            sent += os.write(run.stdin.fileno(), b"x" * 65536)
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
        check(sent < 64 << 20, "64 MiB went somewhere")
    rss = int(daemon.status_of(run.pid)["VmRSS"].split()[0])
    check(IS_SANITIZED or rss < 32768, "resident: %d KiB" % rss)
    release.set()
    run.kill()
    run.communicate()


def a_client_that_stops_reading_ends_the_session(folder, daemons):
    p = Place(folder, daemons)
    door, ended = Door(p.pem), threading.Event()

    def flood(c):
        try:
            while True:
                c.sendall(b"y" * 65536)
        finally:
            ended.set()
    door.serve = flood
    run = p.start(door.url)
    run.stdout.read(100)
    run.stdout.close()
    check(ended.wait(daemon.DEADLINE_S), "the door still sends")
    run.stdin.close()
    check(run.wait(daemon.DEADLINE_S) == 0, run.returncode)
    run.stderr.close()


# ---- doors that misbehave ----

BOMB = b"OK " + b'{"a":' * 600 + b"1" + b"}" * 600 + b"\r\n"
ANSWERS = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "an overlong line": b"OK {" + b" " * 5000,
    "an overlong line with an end": b"OK {" + b" " * 5000 + b"}\r\n",
    "a nested bomb": BOMB,
    "an array": b"OK []\r\n",
    "no JSON": b"OK {]\r\n",
    "a name twice": b'OK {"lease":1,"lease":300,"session":"abc"}\r\n',
    "a bare line feed": granted().replace(b"\r\n", b"\n"),
    "no lease": line("OK", session=SESSION),
    "a lease that is a word": line("OK", session=SESSION, lease="300"),
    "a lease of centuries": line("OK", session=SESSION, lease=9007199254740991),
    "a negative lease": line("OK", session=SESSION, lease=-1),
    "no session": line("OK", lease=300),
    "a session that is two lines": line("OK", lease=300, session="x\r\nAUTH y"),
    "a session of a kilobyte": line("OK", lease=300, session="x" * 1024),
    "a refusal that is a number": b"ERR 5\r\n",
    "a refusal whose reason is an object": b'ERR {"reason":{}}\r\n',
    "lower case": b"ok {}\r\n",
    "a NUL": b"OK {\"lease\":300\0}\r\n",
    "nothing": b"",
    "half a line": b"OK {\"lease\":300",
}


def a_door_that_answers_what_cannot_be_used_is_undecided(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    for name, answer in ANSWERS.items():
        door.login = lambda text, answer=answer: answer
        run = p.run(door.url)
        check(run.status == 3 and run.out == b"", "%s: %s" % (name, run))
        check(("closed the connection" if name in ("nothing", "half a line") else "answered what cannot be used") in run.err,
              "%s: %s" % (name, run))
        check(door.logins[-1]["token"] not in run.err and run.err.isascii() and run.err.count("\n") == 1, run)
    run = p.run("--json", door.url)
    check(json.loads(run.err)["reason"] == "door_unreachable" and json.loads(run.err)["retry"] == "later", run)


def a_door_that_stalls_is_left_after_ten_seconds(folder, daemons):
    p, hold = Place(folder, daemons), threading.Event()
    door, silent, slow = Door(p.pem), Door(), Door(p.pem)
    door.login = lambda text: hold.wait(60) and b""
    silent.talk = lambda c: hold.wait(60)

    def drip(c):  # one byte now and then: the deadline is for all of them
        for byte in granted(ref="R-" + "1" * 40):
            c.sendall(bytes([byte]))
            if hold.wait(0.3):
                return
    slow.login, slow.talk = None, lambda c: (c.recv(1), drip(c))
    runs = {name: p.start(url) for name, url in (("no answer", door.url), ("no TLS", "redis://localhost:%d" % silent.port),
                                                 ("a byte at a time", slow.url))}
    begin = time.monotonic()
    for name, run in runs.items():
        out, err = run.communicate(b"", timeout=60)
        took = time.monotonic() - begin
        check(run.returncode == 3 and b"within the deadline" in err and 9 < took < 20 + daemon.BUSY_S, "%s: %s %s %.1f s" % (name, run.returncode, err, took))
    hold.set()
    check(silent.logins == [], silent.logins)


def a_refusal_is_one_sentence_and_never_steers_the_terminal(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    for status, want, members in (
            (1, "another token is needed", {"error": "invalid_token", "reason": "expired", "retry": "new_token"}),
            (1, '--scope "cache.write"', {"error": "insufficient_scope", "reason": "insufficient_scope", "retry": "more_scope", "scope": "cache.write"}),
            (3, "nothing is wrong with the token", {"reason": "keys_unavailable", "retry": "later"}),
            (1, "ask ops@example.org", {"error": "access_denied", "reason": "blocked", "retry": "never", "contact": "ops@example.org",
                                        "because": "no writes on Sunday"}),
            (1, "waits for an approval", {"error": "access_denied", "retry": "approval"}),
            (1, "\\x1b]0;owned\\x07", {"reason": "x", "because": "\x1b]0;owned\x07\r\n", "retry": "never"}),
            (1, "\\xe2\\x80\\xae", {"reason": "\u202eevil", "contact": "\x9b31m", "retry": "never"}),
            (1, "it does not say why", {})):
        door.login = lambda text, members=members: line("ERR", ref="R-7f\x1b[2J", **members)
        run = p.run("--no-cache", door.url)
        check(run.status == status and want in run.err and "postern why R-7f\\x1b[2J" in run.err, run)
        check(run.err.isascii() and run.err.count("\n") == 1 and "\x1b" not in run.err and "\r" not in run.err, run)
        check("refused agent-7" in run.err and run.out == b"", run)
        run = p.run("--no-cache", "--json", door.url)
        check(run.status == status and run.err.isascii() and "\x1b" not in run.err, run)
        check(json.loads(run.err) == dict(members, ref="R-7f\x1b[2J"), run)


def an_mcp_host_without_a_session_gets_its_answer(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    url, words = door.url.replace("redis:", "mcp:"), ("--no-cache", "--resource", "https://localhost/redis")
    refusal = {"error": "access_denied", "reason": "blocked", "retry": "never", "because": "no\u2028writes", "ref": "R-7"}
    door.login = lambda text: line("ERR", **refusal)

    def answer(run, status):
        check(run.status == status and run.err and run.out.endswith(b"\n") and run.out.count(b"\n") == 1, run)
        said = json.loads(run.out)
        check(said.pop("jsonrpc") == "2.0" and list(said) == ["id", "error"] and said["error"]["code"] == -32001, run)
        return said["id"], said["error"]["message"], said["error"]["data"]
    for mcp_id in (1, "a\"\u00e9", -7, 0):
        request = json.dumps({"jsonrpc": "2.0", "id": mcp_id, "method": "initialize", "params": {"x": "y" * 20000}}).encode()
        want = (mcp_id, "agent was blocked by an administrator", refusal)
        check(answer(p.run(*words, url, send=request + b"\nmore"), 1) == want, mcp_id)
    check(answer(p.run(*words, "--json", url, send=request + b"\n"), 1) == want, "with --json")
    # However the door writes its object: one line to every host, also to those that end one at CR or U+2028.
    raw = 'ERR {"error":"access_denied",\r"reason":\t"blocked","retry":"never",\r"because":"no\u2028writes\x85","ref":"R-7"}\r\n'
    door.login = lambda text: raw.encode()
    run = p.run(*words, url, send=request + b"\n")
    check(len(run.out.decode().splitlines()) == 1 and run.out.isascii() and run.out.endswith(b"}\n"), run)
    check(answer(run, 1)[2] == dict(refusal, because="no\u2028writes\x85"), run)
    door.login = lambda text: line("ERR", reason="\u00e9" * 40, retry="never")  # its sentence is cut within a character
    check(answer(p.run(*words, url, send=request + b"\n"), 1)[1].startswith("\u00e9" * 31), "a long reason")
    door.login = lambda text: line("ERR", **refusal)
    # What is no request has no answer: nor has one of another protocol, and nobody is waited for for long.
    for send in (b"", b"hello\n", b'{"jsonrpc":"2.0","method":"ping"}\n', b'{"id":null}\n', b'{"id":{}}\n', b"[1]\n", b'{"id":1}',
                 b'{"id":1,"id":2}\n', b'{"id":1,"x":"' + b"y" * 70000 + b'"}\n'):
        run = p.run(*words, url, send=send)
        check(run.status == 1 and run.out == b"" and "refused agent-7" in run.err, "%r: %s" % (send[:40], run))
    check(p.run("--no-cache", door.url, send=request + b"\n").out == b"", "a door that is none for MCP")
    silent = p.start(*words, url)  # keeps its input open and says nothing
    check(silent.wait(daemon.DEADLINE_S) == 1, "a host that says nothing")
    # The same where it did not come to a login.
    with p.listener("--listen", "127.0.0.1:0", *words, url) as listener:
        check(json.loads(exchange(listener.where, request + b"\n"))["error"]["data"] == refusal, "by a listener")
    host = answer(p.run("--no-cache", "mcp://elsewhere.example:1", send=request + b"\n"), 1)
    check(host[2]["reason"] == "policy" and "hosts:" in host[2]["because"] and host[2]["retry"] == "never", host)
    door.close()
    gone = answer(p.run(*words, url, send=request + b"\n"), 3)
    check(gone[2]["outcome"] == "undecided" and gone[2]["retry"] == "later", gone)


def a_stored_token_that_is_refused_is_fetched_anew_once(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    p.run(door.url)
    door.logins.clear()
    door.login = lambda text: granted() if len(door.logins) > 1 else line("ERR", reason="revoked", retry="new_token")
    run = p.run(door.url)
    check(run.status == 0 and run.out == b"olleh" and len(door.logins) == 2, run)
    check(door.logins[0]["token"] != door.logins[1]["token"], "the same token again")
    door.logins.clear()
    door.login = lambda text: line("ERR", reason="revoked", retry="new_token")
    run = p.run(door.url)
    check(run.status == 1 and len(door.logins) == 2, "a door cannot make it ask for ever: %d" % len(door.logins))
    door.logins.clear()
    run = p.run("--no-cache", door.url)
    check(run.status == 1 and len(door.logins) == 1, "a fresh one is not tried twice: %d" % len(door.logins))


def a_session_that_is_cut_is_no_end(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)

    def cut(c):
        c.recv(5)
        c.sendall(b"half of it")
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        socket.socket(fileno=c.detach()).close()
    door.serve = cut
    run = p.run(door.url)
    check(run.status == 3 and "cut" in run.err, run)

    def stop_short(c):  # an orderly end of TCP, but without TLS's goodbye: somebody in between may have done that
        while c.recv(100):  # to the end, so that nothing unread turns the close into a reset
            pass
        c.sendall(b"half of it")
        socket.socket(fileno=c.detach()).close()
    door.serve = stop_short
    run = p.run(door.url)
    check(run.status == 3 and run.out == b"half of it", run)


# ---- where a token may go ----

def a_door_that_cannot_prove_its_name_gets_no_login(folder, daemons):
    p = Place(folder, daemons)
    wrong = p.certificate("wrong", "DNS:elsewhere.example")
    subject_only = p.certificate("subject", "DNS:nothing.example")  # CN=localhost counts for nothing
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    doors = {
        "another name": (Door(wrong), ["--door-tls-ca-file", wrong + ".crt"], {}),
        "the name in CN alone": (Door(subject_only), ["--door-tls-ca-file", subject_only + ".crt"], {}),
        "another authority": (Door(p.pem), ["--door-tls-ca-file", wrong + ".crt"], {}),
        "an authority of the environment": (Door(wrong), [], {"SSL_CERT_FILE": wrong + ".crt", "SSL_CERT_DIR": p.folder.path}),
        "TLS 1.1": (Door(p.pem, tls=old), [], {}),
        "no TLS": (Door(), [], {}),
    }
    doors["no TLS"][0].talk = lambda c: (c.sendall(b"220 hello\r\n"), doors["no TLS"][0].raw.append(c.recv(100)))
    for name, (door, options, env) in doors.items():
        run = p.run(*options, door.url, env=env)
        check(run.status == 3 and "is not the door" in run.err, "%s: %s" % (name, run))
        check(door.logins == [] and b"AUTH" not in b"".join(door.raw), name)
    run = p.run("--json", doors["another authority"][0].url.replace("localhost", "127.0.0.2"), "--resource", "https://localhost/redis")
    check(run.status == 3 and json.loads(run.err)["reason"] == "door_unreachable", run)
    run = p.run("--json", *doors["another authority"][1], doors["another authority"][0].url)
    check(run.status == 3 and json.loads(run.err)["reason"] == "door_untrusted", run)
    run = p.run("--door-tls-ca-file", p.folder.path + "/none", doors["another name"][0].url)
    check(run.status == 3 and "configured file" in run.err, run)
    door = Door(p.pem)
    run = p.run("redis://127.0.0.1:%d" % door.port, "--resource", "https://localhost/redis")
    check(run.status == 0 and door.logins[0]["host"] == "127.0.0.1", "an address in the certificate: %s" % run)
    p.write_client(door_tls_ca_file=None, tls_ca_file=p.pem + ".crt")
    check(p.run(door.url).status == 0, "tls_ca_file counts where door_tls_ca_file is not there")
    p.write_client(tls_ca_file=p.pem + ".crt", door_tls_ca_file=wrong + ".crt")
    check(p.run(door.url).status == 3, "door_tls_ca_file counts alone")
    check(p.run("--tls-ca-file", p.pem + ".crt", door.url).status == 0, "and an option wins over both")


def a_token_goes_to_hosts_of_the_client_file_alone(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    for hosts in (None, "elsewhere.example", "*.localhost"):
        p.write_client(hosts=hosts)
        run = p.run(door.url)
        check(run.status == 1 and "policy does not allow" in run.err and door.connections == 0, run)
        check(not os.path.exists(p.home + "/.cache"), "a token was fetched")
    run = p.run(door.url, "--resource", "https://localhost/redis")
    check(run.status == 0, "typed with what the token is for: %s" % run)
    p.write_client("clients/cache.conf", door=door.url, hosts=None)
    run = p.run("cache")
    check(run.status == 1 and "policy" in run.err, "a door of a file is not typed: %s" % run)
    run = p.run("cache", "--resource", "https://localhost/redis")
    check(run.status == 1 and "policy" in run.err, run)
    p.write_client("clients/cache.conf", door=door.url)
    check(p.run("cache").status == 0 and len(door.logins) == 2, "a door of a file")
    p.write_client("clients/cache.conf", door=door.url, resource="https://elsewhere.example/redis")
    check(p.run("cache").status == 0 and "elsewhere" in str(claims(door.logins[-1]["token"])["aud"]), "resource: of the file")
    p.write_client("clients/cache.conf", door="redis://localhost")
    check(p.run("cache").status == 3, "a door without a port")
    p.write_client("clients/cache.conf")
    check(p.run("cache").status == 2 and p.run("nothing").status == 3, "a file without a door; no file")


def what_the_door_claims_changes_nothing(folder, daemons):
    p = Place(folder, daemons)
    door, other = Door(p.pem), Door(p.pem)
    claim = {"service": "evil", "resource": "https://elsewhere.example/redis", "door": other.url, "scope": "everything",
             "resource_metadata": other.url.replace("redis", "https"), "openid-configuration": other.url.replace("redis", "https")}
    door.login = lambda text: granted(lease=3, **claim)
    door.renew = lambda text: granted(lease=3, **dict(claim, session="b3RoZXItc2Vzc2lvbg"))
    run = p.start(door.url)
    daemon.wait_until(lambda: len(door.renewals) >= 2, "two renewals")
    run.communicate(timeout=60)
    check(run.returncode == 0 and other.connections == 0, other.connections)
    for _, words in door.renewals:
        check(words[1] == SESSION and "https://localhost/redis" in str(claims(words[2])["aud"]), words[:2])
    door.login = lambda text: line("ERR", retry="new_token", **claim)
    p.run(door.url)
    check(all("https://localhost/redis" in str(claims(l["token"])["aud"]) for l in door.logins) and other.connections == 0, "another audience")


def a_unix_socket_of_somebody_else_gets_no_login(folder, daemons):
    p = Place(folder, daemons)
    path = folder.path + "/door.sock"
    door = Door(path=path)
    run = p.run("redis+unix://" + path)
    check(run.status == 0 and run.out == b"olleh" and door.logins[0]["host"] is None, run)
    check("https://localhost/redis" in str(claims(door.logins[0]["token"])["aud"]), "its resource is localhost's")
    door.close()
    os.unlink(path)
    run = p.run("redis+unix://" + path)
    check(run.status == 3 and "cannot be reached" in run.err, run)
    os.chmod(folder.path, 0o1777)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgid(STRANGER_UID)
        os.setuid(STRANGER_UID)
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(8)
        os.write(write_end, b"L")
        c, _ = s.accept()
        c.settimeout(10)
        os.write(write_end, b"got " + c.recv(100))
        os._exit(0)
    os.read(read_end, 1)
    os.chmod(folder.path, 0o755)
    run = p.run("redis+unix://" + path)
    os.waitpid(pid, 0)
    check(run.status == 3 and "is not the door" in run.err and os.read(read_end, 100) == b"got ", run)


# ---- renewal ----

def a_session_outlives_its_lease_by_renewing_it(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    door.login, door.renew, door.serve = (lambda text: granted(lease=8)), (lambda text: granted(lease=3, session=None)), echo
    run = p.start(door.url)
    daemon.wait_until(lambda: len(door.renewals) >= 3, "three renewals", 2 * daemon.DEADLINE_S)
    run.stdin.write(b"still here")
    run.stdin.flush()
    check(os.read(run.stdout.fileno(), 100) == b"still here", "the relayed pair")
    out, err = run.communicate(timeout=60)
    check(run.returncode == 0 and err == b"" and len(door.logins) == 1, err)
    spent = door.renewals[0][0] - door.answered
    check(1.0 < spent < 8.0 + daemon.BUSY_S, "renewed before the end: %.1f s" % spent)
    check(all(r[1][1] == SESSION for r in door.renewals), "by the session's secret")
    # The stored token lives long enough for such leases; one that ends with the lease would renew nothing.
    p.daemon.stop()


def a_renewal_brings_a_token_that_lives_longer(folder, daemons):
    p = Place(folder, daemons, token_lifetime="35s")  # stored, and has fewer than 32 s left when the lease of 6 s is renewed
    door = Door(p.pem)
    door.login, door.serve = (lambda text: granted(lease=6)), echo
    run = p.start(door.url)
    daemon.wait_until(lambda: door.renewals, "a renewal")
    check(door.renewals[0][1][2] != door.logins[0]["token"], "the same token renews nothing")
    run.communicate(timeout=60)


def a_renewal_that_is_put_off_is_tried_again(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    door.login, door.serve = (lambda text: granted(lease=9)), echo
    door.renew = lambda text: line("ERR", reason="busy", retry="later", ref="R-9") if len(door.renewals) < 3 else granted(lease=300)
    run = p.start(door.url)
    daemon.wait_until(lambda: len(door.renewals) >= 3, "three tries")
    out, err = run.communicate(timeout=60)
    check(run.returncode == 0 and err.count(b"R-9") == 1, "said once: %s" % err)
    gaps = [b[0] - a[0] for a, b in zip(door.renewals, door.renewals[1:])]
    check(all(0.4 < g < 8 + daemon.BUSY_S for g in gaps), gaps)


def a_renewal_that_is_refused_is_said_once_and_the_session_goes_on(folder, daemons):
    p = Place(folder, daemons)
    for retry in ("never", "new_token", "more_scope"):
        door = Door(p.pem)
        door.login, door.serve = (lambda text: granted(lease=3)), echo
        door.renew = lambda text: line("ERR", reason="policy", retry=retry, ref="R-8", because="\x1b[31m")
        with p.listener("--listen", "unix:" + p.home + "/run/s", door.url) as listener:
            with join(listener.where) as s:
                daemon.wait_until(lambda: "R-8" in listener.said(), "a word about it")
                daemon.wait_until(lambda: time.monotonic() > door.renewals[0][0] + 2.5, "the lease is over", 10)
                s.sendall(b"ping")
                check(s.recv(4) == b"ping", "the session goes on")
            said = listener.said()
            # new_token may cost one more try: the first token came from the store
            check(len(door.renewals) <= 2 and said.count("R-8") == 1 and "\x1b" not in said and "not renewed" in said, said)


def a_renewal_goes_to_the_same_door_or_nowhere(folder, daemons):
    p = Place(folder, daemons)
    door, wrong = Door(p.pem), p.certificate("wrong", "DNS:localhost")
    door.login, door.serve = (lambda text: granted(lease=3)), echo
    run = p.start(door.url)
    daemon.wait_until(lambda: door.logins, "a login")
    evil = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    evil.load_cert_chain(wrong + ".both")
    door.context = evil  # from here on somebody else answers on that port
    said = run.stderr.readline()
    check(b"is not the door" in said and door.connections >= 2, said)
    run.stdin.write(b"ping")
    run.stdin.flush()
    check(os.read(run.stdout.fileno(), 4) == b"ping" and door.renewals == [] and b"RENEW" not in b"".join(door.raw), "a token went out")
    run.communicate(timeout=60)


def a_lease_of_no_length_is_not_a_flood(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    door.login, door.renew, door.serve = (lambda text: granted(lease=0)), (lambda text: granted(lease=0)), echo
    begin = time.monotonic()
    run = p.start(door.url)
    daemon.wait_until(lambda: len(door.renewals) >= 3, "three renewals")
    check(time.monotonic() - begin > 2.5, "one a second at most")
    run.communicate(timeout=60)
    tokens = {r[1][2] for r in door.renewals} | {door.logins[0]["token"]}
    check(len(tokens) == 1, "the stored token does: the issuer is not asked each time")


# ---- listening ----

def a_unix_listener_is_the_users_alone(folder, daemons):
    p = Place(folder, daemons)
    door, path = Door(p.pem), p.home + "/run/cache.sock"
    where = "unix:" + path
    with p.listener("--listen", where, door.url) as listener:
        check(listener.where == where and stat.S_IMODE(os.stat(path).st_mode) == 0o600, oct(os.stat(path).st_mode))
        check(exchange(where) == b"olleh" and exchange(where, b"abc") == b"cba" and len(door.logins) == 2, "two connections, two sessions")
        run = p.run("--listen", where, door.url)
        check(run.status == 3 and "in use" in run.err and exchange(where) == b"olleh", "a live one is not replaced: %s" % run)
    check(listener.returncode == 0 and not os.path.exists(path), "unlinked at the end")
    left = socket.socket(socket.AF_UNIX)
    left.bind(path)
    left.close()
    with p.listener("--listen", where, door.url):
        check(exchange(where) == b"olleh", "a socket that was left over is replaced")
        os.rename(path, path + ".old")
        open(path, "w").close()
    check(os.path.exists(path), "what took its place is left alone")
    run = p.run("--listen", where, door.url)
    check(run.status == 3 and "something else" in run.err and os.path.isfile(path), run)
    os.unlink(path)
    os.symlink("/etc/passwd", path)
    check(p.run("--listen", where, door.url).status == 3 and os.path.islink(path), "nor is a link followed")
    os.unlink(path)
    held = os.open(p.home + "/run", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    check(p.run("--listen", where, door.url).status == 3, "a folder whose lock somebody keeps does not hold it for ever")
    os.close(held)
    os.mkdir(p.home + "/shared")
    os.chmod(p.home + "/shared", 0o775)
    for bad in ("/shared/s", "/none/s"):
        run = p.run("--listen", "unix:" + p.home + bad, door.url)
        check(run.status == 3, run)
    for bad in ("unix:relative", "unix:/" + "x" * 120, "0.0.0.0:0", "localhost:0", "127.0.0.1:65536", "127.0.0.1:", "127.0.0.2:0", "[::]:0", "x"):
        check(p.run("--listen", bad, door.url).status == 2, bad)


def a_loopback_port_takes_connections_of_its_own_user_alone(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    probe = ("import socket,sys; s=socket.create_connection((sys.argv[1], int(sys.argv[2]))); s.settimeout(20)\n"
             "try:\n s.sendall(b'FLUSHALL'); s.shutdown(1)\n print(s.recv(100))\nexcept OSError as e: print('reset')")

    def knock(where, uid):
        host, port = where.rsplit(":", 1)
        return subprocess.run(["setpriv", "--reuid=%d" % uid, "--clear-groups", sys.executable, "-c", probe, host.strip("[]"), port],
                              capture_output=True, text=True, timeout=60).stdout.strip()
    for where in ("127.0.0.1:0", "[::1]:0"):
        door.logins.clear()
        with p.listener("--listen", where, door.url) as listener:
            check(exchange(listener.where) == b"olleh", "our own")
            check(len(door.logins) == 1, door.logins)
            for uid in (STRANGER_UID, 65534):
                check(knock(listener.where, uid) in ("b''", "reset"), "a stranger got an answer")
            check(len(door.logins) == 1, "a stranger reached the door")
            daemon.wait_until(lambda: "of uid %d connected; only uid 0 may" % STRANGER_UID in listener.said(), "a word about it")
            check(listener.said().count("a connection was closed") == 1, "said once in ten seconds: " + listener.said())
            check(knock(listener.where, 0) == "b'LLAHSULF'", "our own again")


def a_stranger_that_writes_and_goes_is_not_taken_for_its_successor(folder, daemons):
    """Same port, first a stranger's connection that is reset at once, then one of ours: what the stranger wrote goes nowhere."""
    p = Place(folder, daemons)
    door = Door(p.pem)
    with p.listener("--listen", "127.0.0.1:0", door.url) as listener:
        port = int(listener.where.rsplit(":", 1)[1])
        listener.send_signal(signal.SIGSTOP)  # so that both wait in the queue
        program = ("import socket,sys; s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', %d))\n"
                   "s.connect(('127.0.0.1', %d)); s.sendall(b'FLUSHALL')\n"
                   "s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\\1\\0\\0\\0\\0\\0\\0\\0'); s.close()") % (daemon.free_port(), port)
        source = int(re.search(r"'127.0.0.1', (\d+)", program).group(1))
        subprocess.run(["setpriv", "--reuid=%d" % STRANGER_UID, "--clear-groups", sys.executable, "-c", program], check=True, timeout=60)
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", source))
        s.connect(("127.0.0.1", port))
        listener.send_signal(signal.SIGCONT)
        s.settimeout(daemon.DEADLINE_S)
        s.sendall(b"ours")
        s.shutdown(socket.SHUT_WR)
        check(read_all(s) == b"sruo", "our own is served")
        s.close()
        check(len(door.logins) == 1, "the stranger's bytes got a session: %d" % len(door.logins))


def the_listener_outlives_door_and_issuer(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem, port=daemon.free_port())  # it is nobody else's while the door is down
    with p.listener("--listen", "unix:" + p.home + "/run/s", "--no-cache", door.url) as listener:
        check(exchange(listener.where) == b"olleh", "at first")
        door.close()
        check(exchange(listener.where) == b"", "while the door is down")
        daemon.wait_until(lambda: "door cannot be reached" in listener.said(), "a word about it")
        door = Door(p.pem, port=door.port)
        check(exchange(listener.where) == b"olleh", "when the door is back")
        p.daemon.stop()
        check(exchange(listener.where) == b"", "while the issuer is down")
        daemon.wait_until(lambda: "authorization server cannot be reached" in listener.said(), "a word about it")
        again = daemon.Daemon(BUILD + "/posternd", folder)
        daemons.append(again)
        again.wait_ready()
        check(exchange(listener.where) == b"olleh", "when the issuer is back")


def sessions_end_with_their_listener(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    door.serve = echo
    with p.listener("--listen", "unix:" + p.home + "/run/s", door.url) as listener:
        s = join(listener.where)
        s.sendall(b"ping")
        check(s.recv(4) == b"ping", "a session")
        listener.kill()  # not even asked
        listener.wait()
        check(s.recv(1) == b"", "it is over")
        s.close()


# ---- secrets ----

def no_secret_is_in_arguments_environment_messages_or_reach(folder, daemons):
    p = Place(folder, daemons)
    door = Door(p.pem)
    door.serve, door.login = echo, lambda text: granted(lease=3)
    os.chmod(p.secret, 0o600)
    for path, folders, files in os.walk(p.home):
        os.chown(path, AGENT_UID, AGENT_UID)
        for name in files:
            os.chown(path + "/" + name, AGENT_UID, AGENT_UID)
    os.chown(p.secret, AGENT_UID, AGENT_UID)
    run = p.start(door.url, user=AGENT_UID)
    daemon.wait_until(lambda: door.renewals, "a renewal")
    secrets = [open(p.secret).read().strip().encode(), door.logins[0]["token"].encode(), SESSION.encode()]
    for name in ("cmdline", "environ"):
        text = open("/proc/%d/%s" % (run.pid, name), "rb").read()
        check(not any(s in text for s in secrets), name)
    check(os.stat("/proc/%d/mem" % run.pid).st_uid == 0, "the user's other processes may read its memory")
    out, err = run.communicate(timeout=60)
    check(run.returncode == 0 and not any(s in err for s in secrets), err)
    for name in os.listdir(p.home + "/.cache/postern"):
        check(stat.S_IMODE(os.stat(p.home + "/.cache/postern/" + name).st_mode) == 0o600, name)
    setuid = folder.path + "/postern"
    subprocess.run(["cp", os.path.realpath(POSTERN), setuid], check=True)
    os.chmod(setuid, 0o4755)
    run = p.run(door.url, user=AGENT_UID, program=setuid)
    check(run.status == 2 and "setuid" in run.err, run)


def bad_words_are_usage(folder, daemons):
    p = Place(folder, daemons)
    for words in (["redis://localhost"], ["redis://localhost:0"], ["redis://localhost:6380/"], ["redis://u@localhost:1"], ["redis://:1"],
                  ["://localhost:1"], ["redis://[localhost]:1"], ["redis://::1:1"], ["redis+unix://relative"], ["redis://a:1", "redis://b:1"],
                  ["--stdio", "--listen", "unix:/x", "redis://localhost:1"], ["--client", "x", "name"], ["--bogus"], ["--listen="], ["--stdi", "x"]):
        run = p.run(*words)
        check(run.status == 2 and run.err.count("\n") == 1, "%s: %s" % (words, run))
    run = p.run("--help")
    check(run.status == 0 and b"--listen" in run.out, run)
    check(p.run().status == 2, "no door at all")


if __name__ == "__main__":
    chosen = sys.argv[1:]
    tests = [f for n, f in list(globals().items()) if callable(f) and getattr(f, "__code__", None) and
             f.__code__.co_varnames[:2] == ("folder", "daemons") and f.__code__.co_argcount == 2]
    sys.exit(daemon.run_tests([t for t in tests if not chosen or t.__name__ in chosen]))
