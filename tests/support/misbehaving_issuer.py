# SPDX-License-Identifier: BSD-2-Clause
"""An authorization server on loopback that does whatever a test says, request by request: honest until told otherwise.

HTTPS only, a thread for each connection, one request on each.  It serves metadata (RFC 8414 and OpenID Connect Discovery), a key
set (RFC 7517), introspection (RFC 7662) and a token endpoint, and remembers every request and connection.

    issuer = Issuer(Authority(folder), keys=[key])
    issuer.behave(KEYS, http(status=503), times=2)      # the next two requests for keys, then honest again
    issuer.behave(KEYS, [http(b"{}", length=99), RESET])  # from now on
    issuer.connect("expired")                           # certificates and what happens below HTTP
    issuer.count(KEYS), issuer.requests(INTROSPECTION)[0].client

An answer is bytes, or a list of steps, or a function of the request that gives either.  A step is bytes to send, Pause(seconds), an
Event to wait for, RESET, CUT (the connection ends without TLS's own goodbye) or HANG (silence until the other side leaves)."""
import base64
import collections
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
import urllib.parse

from issuer_keys import from_base64url

METADATA, KEYS, INTROSPECTION, TOKEN, OTHER = "metadata", "keys", "introspection", "token", "other"
RESET, CUT, HANG = "reset", "cut", "hang"
Pause = collections.namedtuple("Pause", "seconds")

# What can happen to a connection before HTTP, beside the names of Authority.contexts.
CONNECTION_FAULTS = ("reset", "close", "silent", "plain", "noise", "half_handshake")

REQUEST_MAX = 1 << 20
PATIENCE_S = 30  # nobody holds a connection for longer


# ---- answers ----

def http(body=b"", status=200, content_type="application/json", length=None, headers=(), version="HTTP/1.1"):
    """One answer as bytes.  `body` may be bytes, text or a value for JSON; `length` is what Content-Length says, False: nothing."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = ["%s %d Said so" % (version, status), "Connection: close"]
    if content_type is not None:
        lines.append("Content-Type: " + content_type)
    if length is not False:
        lines.append("Content-Length: %d" % (len(body) if length is None else length))
    lines += ["%s: %s" % pair for pair in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def head_of(answer):
    """Its header lines alone."""
    return answer[:answer.index(b"\r\n\r\n") + 4]


def redirect(where, status=302):
    return http(status=status, headers=[("Location", where)])


def chunked(*pieces, end=b"0\r\n\r\n", **more):
    """A body in chunks; `end` is what stands in place of the last."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + end
    return http(body, length=False, headers=[("Transfer-Encoding", "chunked")], **more)


def drip(answer, size, every_s):
    """The same bytes, a few at a time."""
    for at in range(0, len(answer), size):
        yield answer[at:at + size]
        yield Pause(every_s)


def endless(first, piece=b" " * 16384):
    """What begins like an answer and never ends."""
    yield first
    while True:
        yield piece


# ---- what was asked ----

class Request:
    def __init__(self, place, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.place, self.at, self.body = place, time.monotonic(), body
        self.method, self.target = (lines[0].split(" ") + ["", ""])[:2]
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()

    @property
    def form(self):
        """Each field once; one that stands twice is no form of ours."""
        pairs = urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert len(pairs) == len(dict(pairs)), "a field stands twice: %s" % [name for name, _ in pairs]
        return dict(pairs)

    @property
    def client(self):
        """(way, client_id, secret or the assertion's claims); the ways of RFC 6749, section 2.3.1, and RFC 7523, section 2.2."""
        word, _, rest = self.headers.get("authorization", "").partition(" ")
        if word.lower() == "basic":
            name, _, secret = base64.b64decode(rest).decode().partition(":")
            return "basic", urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(secret)
        form = self.form
        if "client_assertion" in form:
            claims = json.loads(from_base64url(form["client_assertion"].split(".")[1]))
            return "private_key_jwt", claims.get("sub"), claims
        return ("post", form.get("client_id"), form["client_secret"]) if "client_secret" in form else ("none", form.get("client_id"), None)

    def __repr__(self):
        return "%s %s" % (self.method, self.target)


# ---- the server ----

class Issuer:
    """`metadata` changes members of the document (None leaves one out), `keys` is what the key set holds, `opaque` maps tokens to
    introspection answers.  All may be changed at any time."""

    def __init__(self, authority, keys=(), host="127.0.0.1", path="", port=0, listen=True):
        self.authority, self.host, self.path = authority, host, path
        self.keys, self.metadata, self.opaque, self.key_headers = list(keys), {}, {}, []
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.plans = {place: collections.deque() for place in (METADATA, KEYS, INTROSPECTION, TOKEN, OTHER, "connection")}
        self.seen, self.connections, self.faults, self.live = [], 0, [], set()
        self.listener, self.port = None, port
        if listen:
            self.listen()
        self.url = "https://%s:%d%s" % (host, self.port, path)

    # -- steering --

    def behave(self, place, answer, times=None):
        """The next `times` requests for `place` get this answer; None: all, until something else is said.  `answer` None: honest."""
        with self.lock:
            if times is None:
                self.plans[place].clear()
            self.plans[place].append([answer, times])

    def connect(self, how, times=None):
        """The same for connections: a name of Authority.contexts, or one of CONNECTION_FAULTS."""
        assert how in self.authority.contexts or how in CONNECTION_FAULTS, how
        self.behave("connection", how, times)

    def recover(self):
        """Honest from now on."""
        with self.lock:
            for plan in self.plans.values():
                plan.clear()
            self.metadata = {}

    def plan_of(self, place):
        with self.lock:
            plan = self.plans[place]
            if not plan:
                return None
            answer, times = plan[0]
            if times is not None:
                plan[0][1] -= 1
                if plan[0][1] == 0:
                    plan.popleft()
            return answer

    # -- what happened --

    def requests(self, place=None):
        with self.lock:
            return [r for r in self.seen if place in (None, r.place)]

    def count(self, place=None):
        return len(self.requests(place))

    # -- what an honest one says --

    def endpoint(self, name):
        return "https://%s:%d/%s" % (self.host, self.port, name)

    def document(self):
        whole = {"issuer": self.url, "jwks_uri": self.endpoint("jwks"), "token_endpoint": self.endpoint("token"),
                 "introspection_endpoint": self.endpoint("introspect"), "authorization_endpoint": self.endpoint("authorize"),
                 "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
                 "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
                 "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"]}
        whole.update(self.metadata)
        return {name: value for name, value in whole.items() if value is not None}

    def key_set(self):
        return {"keys": [k if isinstance(k, dict) else k.jwk() for k in self.keys]}

    def honest(self, request):
        if request.place == METADATA:
            return http(self.document())
        if request.place == KEYS:
            return http(self.key_set(), headers=self.key_headers)
        if request.place == INTROSPECTION:
            return http(self.opaque.get(request.form.get("token"), {"active": False}))
        if request.place == TOKEN:
            return http({"access_token": "opaque-%d" % len(self.seen), "token_type": "Bearer", "expires_in": 300})
        return http(status=404)

    def place_of(self, target):
        path = target.partition("?")[0]
        if path in ("/.well-known/oauth-authorization-server" + self.path, "/.well-known/openid-configuration" + self.path,
                    self.path + "/.well-known/openid-configuration"):
            return METADATA
        return {"/jwks": KEYS, "/introspect": INTROSPECTION, "/token": TOKEN}.get(path, OTHER)

    # -- connections --

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def close_listener(self):
        """Nobody is at home; connections that stand stay."""
        if self.listener is not None:
            self.listener.shutdown(socket.SHUT_RDWR)  # close() alone leaves accept(2) waiting
            self.listener.close()
            self.listener = None

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.attend, args=(sock,), daemon=True).start()

    def attend(self, sock):
        try:
            sock.settimeout(PATIENCE_S)
            with self.hold(sock):
                tls = self.greet(sock, self.plan_of("connection") or "good")
            if tls is not None:
                self.converse(tls)
        except (OSError, ssl.SSLError, ValueError):
            pass  # the other side left, or has had enough
        except Exception as e:  # a mistake in a test, which has to say so
            self.faults.append(e)
        finally:
            sock.close()

    @contextlib.contextmanager
    def hold(self, sock):
        """stop() ends it, whatever it waits for."""
        with self.lock:
            self.live.add(sock)
        try:
            yield
        finally:
            with self.lock:
                self.live.discard(sock)

    def greet(self, sock, how):
        """The TLS connection, or None when it has come to its end."""
        if how in self.authority.contexts:
            return self.authority.contexts[how].wrap_socket(sock, server_side=True)
        if how == "silent":
            wait_for_end(sock)
        elif how == "noise":
            sock.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n" * 8)
        sock.recv(REQUEST_MAX)  # the other side's greeting; unread, it would make every end a reset
        if how == "reset":
            reset(sock)
        elif how == "plain":
            sock.sendall(http({"issuer": self.url}, status=400))
        elif how == "half_handshake":  # a TLS record that promises more than comes
            sock.sendall(b"\x16\x03\x03\x02\x00\x02")
            wait_for_end(sock)
        return None

    def converse(self, tls):
        with self.hold(tls), tls:
            request = self.read(tls)
            with self.lock:
                self.seen.append(request)
            answer = self.plan_of(request.place)
            answer = self.honest(request) if answer is None else answer
            answer = answer(request) if callable(answer) else answer
            for step in [answer] if isinstance(answer, bytes) else answer:
                if self.stopped.is_set() or not self.take_step(tls, step):
                    return
            tls.settimeout(2)
            tls.unwrap().close()

    def read(self, tls):
        got = b""
        while b"\r\n\r\n" not in got:
            piece = tls.recv(65536)
            if not piece or len(got) > REQUEST_MAX:
                raise ValueError("no request")
            got += piece
        head, _, body = got.partition(b"\r\n\r\n")
        request = Request(None, head, b"")
        request.place = self.place_of(request.target)
        while len(body) < int(request.headers.get("content-length", 0)):
            piece = tls.recv(65536)
            if not piece:
                raise ValueError("half a request")
            body += piece
        request.body = body
        return request

    def take_step(self, tls, step):
        """False when the connection is over."""
        if isinstance(step, bytes):
            tls.sendall(step)
        elif isinstance(step, Pause):
            self.stopped.wait(step.seconds)
        elif isinstance(step, threading.Event):
            step.wait(PATIENCE_S)
        elif step == RESET:
            reset(tls)
            return False
        elif step == HANG:
            wait_for_end(tls)
            return False
        else:
            assert step == CUT, step
            return False
        return True

    def stop(self):
        """Ends everything; a mistake of the test's own is raised here."""
        self.stopped.set()
        self.close_listener()
        with self.lock:
            for sock in self.live:
                try:
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
                except OSError:
                    pass
        if self.faults:
            raise self.faults[0]


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket.close(sock)


def wait_for_end(sock):
    while sock.recv(65536):
        pass
