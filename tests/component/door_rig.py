# SPDX-License-Identifier: BSD-2-Clause
"""A posternd with doors, backends that count what reaches them, and clients of every form of login: what the tests of doors share.
Tokens are signed by tests/support/token_tool as an issuer would, so a test may have any claims; the embedded issuer is there when
asked for.  Needs root, Python's own modules, openssl(1)."""
import base64
import hashlib
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import BUSY_S, DEADLINE_S, IS_SANITIZED, Daemon, free_port, lines_and_records, records_in, report, wait_until  # noqa: E402

BUILD = os.environ.get("POSTERN_BUILD", ".")
POSTERN, TOKEN_TOOL = BUILD + "/postern", BUILD + "/tests/support/token_tool"
USERS = {"helper_user": 64731, "issuer_user": 64732, "audit_user": 64733, "door_user": 64734, "control_user": 64735}
AGENT_UID = 64736
ISSUER = "https://sso.test.example"
REF = r"R-[0-9A-Z]{10}"


def check(condition, what="it holds"):
    assert condition, str(what)


def assert_equal(got, want, what):
    assert got == want, "%s: got %r, want %r" % (what, got, want)


# ---- backends ----

class Call:
    """One connection that a backend got."""

    def __init__(self, sock):
        self.sock, self.received, self.is_over = sock, 0, False


class Nobody:
    """An address at which nobody listens: its port is taken, so that no other test comes to listen there."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]


class Backend:
    """Counts connections and bytes; `serve(call)` is what it does with one: by default it sends back what it gets."""

    def __init__(self, serve=None, path=None, backlog=256):
        self.serve, self.calls, self.is_open = serve or echo, [], True
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(path)
            os.chmod(path, 0o666)
            self.address = "unix:" + path
        else:
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.socket.listen(backlog)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.is_open:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            call = Call(sock)
            self.calls.append(call)
            threading.Thread(target=self.run, args=(call,), daemon=True).start()

    def run(self, call):
        try:
            self.serve(call)
        except OSError:
            pass
        finally:
            call.is_over = True
            call.sock.close()

    def received(self):
        return sum(c.received for c in self.calls)

    def live(self):
        return sum(not c.is_over for c in self.calls)

    def wait_live(self, count):
        wait_until(lambda: self.live() == count, "%d live connections at the backend, there are %d" % (count, self.live()))

    def close(self):
        self.is_open = False
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        for c in list(self.calls):
            try:
                c.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def receive(call, size=65536):
    piece = call.sock.recv(size)
    call.received += len(piece)
    return piece


def echo(call):
    while True:
        piece = receive(call)
        if not piece:
            return
        call.sock.sendall(piece)


def pour(call):
    """Sends as fast as it is taken, and reads nothing."""
    while True:
        call.sock.sendall(b"x" * 65536)


def stall(call):
    """Reads one byte when it is told to go on, that is never; sees a reset all the same."""
    poller = select.poll()
    poller.register(call.sock, 0)  # POLLHUP and POLLERR are always told
    poller.poll()


# ---- what a door answers ----

class Answer:
    """`is_granted`, the members of the object, and the connection."""

    def __init__(self, sock, text):
        self.sock, self.text, self.status, self.headers, self.members = sock, text, None, {}, {}
        if text.startswith(b"HTTP/"):
            head, _, body = text.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            self.status = int(lines[0].split()[1])
            self.headers = {}
            for line in lines[1:]:
                name, value = line.split(": ", 1)
                self.headers.setdefault(name.lower(), []).append(value)
            self.is_granted = self.status == 200
            self.members = json.loads(body) if body.strip() else {
                name[8:].replace("-", "_"): values[0] for name, values in self.headers.items() if name.startswith("postern-")}
        else:
            word, _, rest = text.partition(b" ")
            self.is_granted = word == b"OK"
            self.members = json.loads(rest) if rest.strip() else {}

    def __getitem__(self, name):
        return self.members.get(name)

    def __str__(self):
        return self.text.decode(errors="replace")

    def talk(self, data=b"ping"):
        """Through the door to a backend that sends back, and back."""
        self.sock.sendall(data)
        got = b""
        while len(got) < len(data):
            piece = self.sock.recv(len(data) - len(got))
            assert piece, "the session ended after %r" % got
            got += piece
        assert_equal(got, data, "what came back")
        return self

    def wait_end(self, deadline_s=DEADLINE_S):
        """Reads until the door ends it; returns (seconds, what was read)."""
        begin, got = time.monotonic(), 0
        self.sock.settimeout(deadline_s)
        while True:
            try:
                piece = self.sock.recv(1 << 20)
            except (ConnectionResetError, BrokenPipeError, ssl.SSLError) as e:
                assert not isinstance(e, ssl.SSLError) or "timed out" not in str(e), "not ended"
                break
            if not piece:
                break
            got += len(piece)
        return time.monotonic() - begin, got

    def is_live(self):
        self.sock.setblocking(False)
        try:
            return self.sock.recv(1, socket.MSG_PEEK) != b""
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        finally:
            self.sock.settimeout(DEADLINE_S)

    def close(self):
        self.sock.close()


def read_answer(sock):
    """The answer and not a byte more: what follows is the backend's."""
    text = b""
    while not text.endswith(b"\n"):
        piece = sock.recv(1)
        if not piece:
            break
        text += piece
    if not text.startswith(b"HTTP/"):
        return text
    while b"\r\n\r\n" not in text:
        piece = sock.recv(1)
        assert piece, "cut: %r" % text
        text += piece
    length = re.search(rb"Content-Length: (\d+)", text)
    left = int(length.group(1)) if length else 0
    while left:
        piece = sock.recv(left)
        assert piece, "cut: %r" % text
        text += piece
        left -= len(piece)
    return text


def message(token, gs2="n,,", **more):
    fields = "".join("%s=%s\x01" % kv for kv in more.items())
    return base64.b64encode(("%s\x01%sauth=Bearer %s\x01\x01" % (gs2, fields, token)).encode()).decode()


def auth_line(token, **more):
    return ("AUTH OAUTHBEARER %s\r\n" % message(token, **more)).encode()


def connect_head(token, target="localhost:1", header="Authorization", **more):
    lines = ["CONNECT %s HTTP/1.1" % target, "Host: %s" % target]
    if token is not None:
        lines.append("%s: Bearer %s" % (header, token))
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


# ---- the whole ----

class Rig:
    def __init__(self, has_issuer=False, **more):
        self.path = tempfile.mkdtemp(prefix="postern-door.", dir="/tmp")
        os.chmod(self.path, 0o755)
        for name in ("etc/issuers", "etc/services", "etc/doors", "etc/policies", "run", "orders"):
            os.makedirs(self.path + "/" + name)
        self.daemons, self.backends, self.processes, self.secrets, self.ports = [], [], [], [], {}
        self.audit_path, self.log_paths, self.counter = self.path + "/log/audit.jsonl", [], 0
        self.key = self.make_key("issuer")
        self.keep_jwks()
        self.daemon_keys = {
            "helper_socket": self.path + "/run/helper.sock", "control_socket": self.path + "/run/control.sock",
            "blocks_file": self.path + "/control/blocks", "door_cert_file": self.path + "/run/door.pem",
            "audit_file": self.audit_path, "audit_key_dir": self.path + "/audit-keys", "drain_timeout": "5s",
            "block_contact": "ask platform@example.org"}
        self.daemon_keys.update({k: str(v) for k, v in USERS.items()})
        if not has_issuer:
            del self.daemon_keys["issuer_user"]
        self.write("issuers/test.conf", {"issuer": ISSUER, "jwks_file": self.path + "/run/test-jwks.json", "clock_skew": "0s"})
        self.has_issuer = has_issuer
        if has_issuer:
            self.issuer_port = free_port()
            self.issuer = "http://127.0.0.1:%d" % self.issuer_port
            self.server_keys = {"issuer": self.issuer, "listen": "127.0.0.1:%d" % self.issuer_port,
                                "state_dir": self.path + "/state/issuer", "admin_socket": self.path + "/run/issuer-admin.sock",
                                "jwks_file": self.path + "/run/jwks.json", "token_lifetime": "5m"}
            self.write("issuers/local.conf", {"issuer": self.issuer, "jwks_file": self.path + "/run/jwks.json",
                                              "allow_loopback_http": "yes", "clock_skew": "0s"})
        self.set(**more)

    # -- configuration

    def write(self, name, keys):
        with open(self.path + "/etc/" + name, "w") as f:
            f.write("".join("%s: %s\n" % kv for kv in keys.items() if kv[1] is not None))

    def set(self, **keys):
        for key, value in keys.items():
            (self.server_keys if self.has_issuer and key in self.server_keys else self.daemon_keys)[key] = value
        self.write("postern.conf", self.daemon_keys)
        if self.has_issuer:
            self.write("issuer.conf", self.server_keys)

    def make_key(self, name):
        path = "%s/%s.pem" % (self.path, name)
        with open(path, "wb") as f:
            f.write(subprocess.run([TOKEN_TOOL, "key"], check=True, stdout=subprocess.PIPE).stdout)
        return path

    def keep_jwks(self):
        path = self.path + "/run/test-jwks.json"
        with open(path + ".new", "wb") as f:
            f.write(subprocess.run([TOKEN_TOOL, "jwks", self.key], check=True, stdout=subprocess.PIPE).stdout)
        os.rename(path + ".new", path)

    def audience(self, door):
        return "https://localhost/" + door

    def door(self, name, backend, rules=None, **keys):
        """doors/NAME.conf with a policy of the same name; port and paths are kept over rewrites.  A value of None leaves a key out."""
        if isinstance(backend, Backend):
            if backend not in self.backends:
                self.backends.append(backend)
            backend = backend.address
        self.ports.setdefault(name, free_port())
        row = {"listen": "127.0.0.1:%d unix:%s/run/%s.sock" % (self.ports[name], self.path, name), "protocol": "raw",
               "audience": self.audience(name), "issuers": "test", "backend": backend, "policy": name}
        row.update(keys)
        self.write("doors/%s.conf" % name, row)
        self.policy(name, rules or "in: allow agent agent-* to raw:connect on " + name)
        return name

    def policy(self, name, text):
        with open("%s/etc/policies/%s.rules" % (self.path, name), "w") as f:
            f.write(text + "\n")

    def echo_door(self, name="cache", **keys):
        backend = Backend()
        self.door(name, backend, **keys)
        return backend

    def certificate(self, name, alternative="DNS:localhost,IP:127.0.0.1"):
        """(certificate, key): the key is for the door's user through the supervisor: root's, 0600."""
        crt, key = "%s/%s.crt" % (self.path, name), "%s/%s.key" % (self.path, name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=" + name, "-addext", "subjectAltName=" + alternative, "-keyout", key + ".new", "-out",
                        crt + ".new"], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.chmod(key + ".new", 0o600)
        os.rename(key + ".new", key)
        os.rename(crt + ".new", crt)
        with open(key) as f:
            self.secrets.append("".join(f.read().split("\n")[1:-2]))
        return crt, key

    # -- the daemon

    def start(self, ready=True, **options):
        for _ in range(3):
            d = Daemon(BUILD + "/posternd", self, **options)
            self.daemons.append(d)
            if ready:
                d.wait_ready()
            # On a machine that stood still the door's patience may be over before the others had their turn.
            if not ready or "is silent about what was taken back" not in d.log():
                break
            d.stop()
        return d

    @property
    def daemon(self):
        return self.daemons[-1]

    def reload(self):
        count = len(re.findall(r"^posternd: ready$", self.daemon.log(), re.M))
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_ready(count + 1)

    def reload_fails(self, pattern):
        """A reload that must not come to pass."""
        ready = len(re.findall(r"^posternd: ready$", self.daemon.log(), re.M))
        before = len(re.findall(pattern, self.daemon.log(), re.M))
        failed = len(re.findall("posternd: reload failed", self.daemon.log()))
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_log("posternd: reload failed", failed + 1)
        self.daemon.wait_log(pattern, before + 1)
        assert_equal(len(re.findall(r"^posternd: ready$", self.daemon.log(), re.M)), ready, "lines that say ready")

    def child(self, role):
        return self.daemon.child(role)

    def kill_child(self, role):
        """kill -9, then until its successor is ready."""
        pattern = r"posternd: %s \d+ is ready" % role
        count = len(re.findall(pattern, self.daemon.log()))
        os.kill(self.child(role), signal.SIGKILL)
        return lambda: self.daemon.wait_log(pattern, count + 1)

    # -- tokens

    def token(self, door, agent="agent-7", life=300, key=None, typ="at+jwt", **claims):
        """A token of the test issuer; a claim of None is left out."""
        now = int(time.time())
        self.counter += 1
        all_claims = {"iss": ISSUER, "sub": agent, "client_id": agent, "aud": self.audience(door), "iat": now, "exp": now + life,
                      "jti": "j-%d" % self.counter, "scope": "door.use"}
        all_claims.update(claims)
        text = json.dumps({k: v for k, v in all_claims.items() if v is not None})
        r = subprocess.run([TOKEN_TOOL, "sign", key or self.key, typ], input=text.encode(), check=True, stdout=subprocess.PIPE)
        token = r.stdout.decode().strip()
        self.secrets.append(token.split(".")[2])
        return token

    def add_agent(self, name="agent-7", resources=()):
        path = "%s/%s.secret" % (self.path, name)
        args = [POSTERN, "client", "add", name, "--config", self.path + "/etc", "--secret-file", path, "--scope", "door.use"]
        for door in resources:
            args += ["--resource", self.audience(door)]
        subprocess.run(args, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        os.chown(path, AGENT_UID, AGENT_UID)
        with open(path) as f:
            self.secrets.append(f.read().strip())
        return path

    def issue(self, door, agent="agent-7"):
        """A token of the embedded issuer."""
        r = subprocess.run([POSTERN, "token", "--issuer", self.issuer, "--allow-loopback-http", "--client-id", agent,
                            "--secret-file", "%s/%s.secret" % (self.path, agent),
                            "--resource", self.audience(door), "--no-cache"], check=True, stdout=subprocess.PIPE, timeout=60,
                           env=self.agent_environment(), preexec_fn=self.as_agent, cwd="/")
        token = r.stdout.decode().strip()
        self.secrets.append(token.split(".")[2])
        return token

    # -- clients

    def dial(self, door, how="plain", source=None, ca=None, name="localhost", address="127.0.0.1", cert=None):
        """`cert`: (certificate, key) that the client shows when it is asked."""
        if how == "unix":
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(DEADLINE_S)
            s.connect("%s/run/%s.sock" % (self.path, door))
            return s
        s = socket.create_connection((address, self.ports[door]), DEADLINE_S, source_address=(source, 0) if source else None)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if how == "tls":
            context = ssl.create_default_context(cafile=ca or self.path + "/run/door.pem")
            if cert:
                context.load_cert_chain(*cert)
            s = context.wrap_socket(s, server_hostname=name)
        return s

    def send(self, door, data, **how):
        s = self.dial(door, **how)
        s.sendall(data)
        answer = Answer(s, read_answer(s))
        if answer["session"]:
            self.secrets.append(answer["session"])
        return answer

    def login(self, door="cache", token=None, agent="agent-7", life=300, early=b"", **how):
        answer = self.send(door, auth_line(token or self.token(door, agent, life)) + early, **how)
        assert answer.is_granted, "no grant: %s" % answer
        return answer

    def login_brief(self, door, life):
        """A login by a token that lives no longer than that: on a busy machine it may be over before it is shown."""
        def attempt():
            answer = self.send(door, auth_line(self.token(door, life=life)))
            assert answer.is_granted or answer["reason"] == "expired", "no grant: %s" % answer
            return answer if answer.is_granted else None
        return wait_until(attempt, "a login by a token of %d s" % life)

    def refused(self, door, data, **how):
        answer = self.send(door, data, **how)
        assert not answer.is_granted, "a grant: %s" % answer
        return answer

    def renew(self, door, secret, token, **how):
        return self.send(door, ("RENEW %s %s\r\n" % (secret, token)).encode(), **how)

    def postern(self, *arguments, status=0, **options):
        options.setdefault("timeout", 60)
        r = subprocess.run([POSTERN] + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           universal_newlines=True, **options)
        if status is not None:
            assert_equal(r.returncode, status, "status of postern %s: %s%s" % (" ".join(arguments), r.stdout, r.stderr))
        return r

    def control(self, verb, *arguments, **options):
        return self.postern(verb, *arguments, "--socket", self.path + "/run/control.sock", **options)

    def sessions(self, *arguments):
        r = self.control("sessions", "--json", *arguments, status=None)
        return json.loads(r.stdout) if r.stdout.strip() else []

    def status_page(self, request="GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
        host, port = self.daemon_keys["status_listen"].rsplit(":", 1)
        with socket.create_connection((host, int(port)), DEADLINE_S) as s:
            s.sendall(request.encode())
            got = b""
            while True:
                piece = s.recv(65536)
                if not piece:
                    return got.decode()
                got += piece

    # -- the agent's connector, as another user

    def write_client(self, name, door, **more):
        home = self.path + "/home"
        folder = home + "/.config/postern/clients"
        os.makedirs(folder, exist_ok=True)
        os.makedirs(home + "/run", exist_ok=True)
        keys = {"issuer": self.issuer, "client_id": "agent-7", "client_credential_file": self.path + "/agent-7.secret",
                "allow_loopback_http": "yes", "hosts": "localhost",
                "door_tls_ca_file": self.path + "/run/door.pem", "door": "%s://localhost:%d" % (door, self.ports[door])}
        keys.update(more)
        with open("%s/%s.conf" % (folder, name), "w") as f:
            f.write("".join("%s: %s\n" % kv for kv in keys.items() if kv[1]))
        subprocess.run(["chown", "-R", "%d:%d" % (AGENT_UID, AGENT_UID), home], check=True)
        os.chmod(home + "/run", 0o700)

    def agent_environment(self):
        home = self.path + "/home"
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "UBSAN_OPTIONS")}
        keep["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # a signal ends it, or it is not dumpable
        return dict(keep, HOME=home, XDG_RUNTIME_DIR=home + "/run")

    def as_agent(self):
        os.setgroups([])
        os.setresgid(AGENT_UID, AGENT_UID, AGENT_UID)
        os.setresuid(AGENT_UID, AGENT_UID, AGENT_UID)

    def connector(self, name, where):
        """`postern connect NAME --listen WHERE` in the background; returns where it listens."""
        log = "%s/connect-%d.log" % (self.path, len(self.processes))
        self.log_paths.append(log)
        with open(log, "w") as f:
            p = subprocess.Popen([POSTERN, "connect", "--listen", where, name], stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                                 env=self.agent_environment(), preexec_fn=self.as_agent)
        self.processes.append(p)
        p.log = log

        def listens():
            with open(log) as f:
                text = f.read()
            assert p.poll() is None, "the connector ended: " + text
            return re.search(r"listening on (\S+)", text)
        p.where = wait_until(listens, "the connector listens").group(1)
        return p

    def spawn(self, *arguments, log=None, **options):
        log = log or "%s/process-%d.log" % (self.path, len(self.processes))
        with open(log, "w") as f:
            p = subprocess.Popen(list(arguments), stdin=subprocess.DEVNULL, stdout=f, stderr=f, **options)
        p.log = log
        self.processes.append(p)
        return p

    def stop_process(self, p, number=signal.SIGTERM):
        if p.poll() is None:
            p.send_signal(number)
        try:
            p.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()

    # -- audit

    def audit(self, path=None):
        return records_in(path or self.audit_path)

    def records(self, **members):
        return [r for r in self.audit() if all(r.get(k) == v for k, v in members.items())]

    def wait_record(self, **members):
        return wait_until(lambda: self.records(**members), "an audit record with %r" % members)[-1]

    def verify_audit(self, *paths):
        """The chain by our own reading, and by the command."""
        seq, digest = 0, "0" * 64
        for path in paths or [self.audit_path]:
            with open(path, "rb") as f:
                text = f.read()
            assert not text or text.endswith(b"\n"), "a line without an end"
            for line, record in lines_and_records(text.decode(errors="surrogateescape")):
                assert_equal((record["seq"], record["prev"]), (seq + 1, digest), "the link of %r" % line)
                seq, digest = record["seq"], hashlib.sha256(line.encode(errors="surrogateescape")).hexdigest()
        if has_command("audit"):
            self.postern("audit", "verify", *(paths or [self.audit_path]))

    def why(self, ref):
        return self.postern("why", "--audit-file", self.audit_path, ref).stdout

    # -- no secret anywhere

    def places(self):
        """{name: bytes} of everything that may not hold a secret."""
        found = {}
        for path in [self.audit_path] + [d.log_path for d in self.daemons] + self.log_paths:
            if os.path.exists(path):
                with open(path, "rb") as f:
                    found[path] = f.read()
        return found

    def assert_no_secret(self, places):
        for name, text in places.items():
            for secret in self.secrets:
                assert secret.encode() not in text, "a secret in " + name

    # -- the end

    def finish(self):
        """What holds after every test: the chain, and that nothing secret was written."""
        for d in self.daemons:
            if d.process.poll() is None:
                assert_equal(d.stop(), 0, "exit status of posternd")
            assert "Sanitizer" not in d.log() and "runtime error" not in d.log(), "a sanitizer spoke"
        if os.path.exists(self.audit_path):
            self.verify_audit()
        self.assert_no_secret(self.places())

    def dispose(self):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
                p.wait()
        for d in self.daemons:
            d.dispose()
        for b in self.backends:
            b.close()
        shutil.rmtree(self.path, ignore_errors=True)


def has_command(name):
    text = subprocess.run([POSTERN, "--help"], stdout=subprocess.PIPE, universal_newlines=True, timeout=60).stdout
    return re.search(r"^  %s\b" % name, text, re.M) is not None


def run_door_tests(module, wanted):
    """Each function whose only parameter is `rig` is a test; its attribute `options` goes to Rig()."""
    if os.geteuid() != 0:
        print("not ok - needs root")
        return 1
    tests = [f for f in vars(module).values() if callable(f) and hasattr(f, "__code__") and f.__module__ == module.__name__
             and f.__code__.co_varnames[:f.__code__.co_argcount] == ("rig",) and not f.__name__.startswith("_")]
    counted = failed = 0
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        if IS_SANITIZED and hasattr(test, "plain_only"):
            print("# not run under a sanitizer: %s: %s" % (test.__name__.replace("_", " "), test.plain_only))
            continue
        counted += 1
        begin = time.monotonic()
        rig = Rig(**getattr(test, "options", {}))
        try:
            test(rig)
            rig.finish()
            report(True, test.__name__.replace("_", " "))
        except Exception:  # a failed test must not stop the others
            import traceback
            failed += 1
            logs = "\n".join(d.log() for d in rig.daemons)
            report(False, test.__name__.replace("_", " "), logs[-6000:] + "\n--- end of log\n" + traceback.format_exc())
        finally:
            rig.dispose()
        print("# %.1f s" % (time.monotonic() - begin))
        sys.stdout.flush()
    print("1..%d" % counted)
    return 1 if failed else 0


def plain_only(why):
    """A test that a sanitizer leaves nothing to see of: it counts in the plain phase alone."""
    def mark(f):
        f.plain_only = why
        return f
    return mark


def with_options(**options):
    def mark(f):
        f.options = options
        return f
    return mark
