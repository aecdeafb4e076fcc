#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The misbehaving issuer of tests/support itself, seen by curl(1): it does on the wire what a test tells it to, and remembers what it
was asked.  Without this, a scenario that it fails to play would look like one that Postern stands.  TAP output."""
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + "/../support"]
import daemon  # noqa: E402
from issuer_keys import Authority, Key, base64url, from_base64url, openssl  # noqa: E402
from misbehaving_issuer import (CUT, HANG, INTROSPECTION, KEYS, METADATA, RESET, TOKEN, Issuer, Pause, chunked, drip, endless,  # noqa: E402
                                head_of, http, redirect)

# What curl(1) ends with, from its manual.
COULD_NOT_CONNECT, WEIRD_REPLY, PARTIAL, TOO_SLOW, TLS_FAILED, EMPTY, RECEIVE_FAILED, CERTIFICATE = 7, 1, 18, 28, 35, 52, 56, 60

BODY_MAX = 65536
METADATA_PATH = "/.well-known/oauth-authorization-server"
HELLO = http({"hello": "world"})


def curl(issuer, path, *more, patience_s=30):
    """(exit status, HTTP status, content type, body up to a limit)"""
    with tempfile.NamedTemporaryFile() as f:
        r = subprocess.run(["curl", "-q", "--silent", "--noproxy", "*", "--max-time", str(patience_s), "--output", f.name,
                            "--cacert", issuer.authority.file, "--write-out", "%{http_code} %{content_type}",
                            "https://%s:%d%s" % (issuer.host, issuer.port, path)] + list(more), stdout=subprocess.PIPE)
        status, _, content_type = r.stdout.decode().partition(" ")
        return r.returncode, int(status), content_type, f.read(BODY_MAX).decode("latin-1")


def expect(name, got, want):
    """Compares as much as `want` has."""
    daemon.report(tuple(got)[:len(want)] == tuple(want), name, "got %.500r, want %.500r" % (got, want))


def test_honest(issuer, key):
    for path in (METADATA_PATH, "/.well-known/openid-configuration"):
        status, code, kind, body = curl(issuer, path)
        document = json.loads(body)
        expect("honest: metadata at " + path, (status, code, kind, document["issuer"]), (0, 200, "application/json", issuer.url))
    status, code, _, body = curl(issuer, document["jwks_uri"][len(issuer.url):])
    expect("honest: its key set", (status, code, json.loads(body)), (0, 200, {"keys": [key.jwk()]}))
    issuer.opaque["T1"] = {"active": True, "sub": "alice"}
    status, code, _, body = curl(issuer, "/introspect", "--data", "token=T1", "--user", "door%2F1:s%3Acret")
    expect("honest: introspection knows its tokens", (status, code, json.loads(body)), (0, 200, issuer.opaque["T1"]))
    expect("the client's credentials are read as RFC 6749 encodes them", issuer.requests(INTROSPECTION)[-1].client, ("basic", "door/1", "s:cret"))
    curl(issuer, "/introspect", "--data", "token=T2&client_id=door&client_secret=x%20y")
    expect("credentials in the body are read", issuer.requests(INTROSPECTION)[-1].client, ("post", "door", "x y"))
    assertion = key.sign({"iss": "door", "sub": "door"})
    curl(issuer, "/introspect", "--data", "token=T2&client_assertion=" + assertion)
    expect("an assertion is read", issuer.requests(INTROSPECTION)[-1].client[:2], ("private_key_jwt", "door"))
    expect("requests are counted by place", [issuer.count(p) for p in (METADATA, KEYS, INTROSPECTION, TOKEN)], [2, 1, 3, 0])


def as_der(raw):
    """The sequence of two integers (SEC 1, C.5) of r || s."""
    numbers = [raw[at:at + 32].lstrip(b"\0") for at in (0, 32)]
    numbers = [b"\0" + n if n[0] & 0x80 else n for n in numbers]
    body = b"".join(b"\x02" + bytes([len(n)]) + n for n in numbers)
    return b"\x30" + bytes([len(body)]) + body


def test_signatures(folder, key):
    """What it signs is checked by openssl(1)."""
    rsa = Key(folder, "rsa", "RS256")
    for k in (rsa, key):
        token = k.sign({"iss": "x"}, typ=None)
        text, _, signature = token.rpartition(".")
        raw = from_base64url(signature)
        if k is key:
            raw = as_der(raw)
        with open(folder + "/signature", "wb") as f:
            f.write(raw)
        openssl("pkey", "-in", k.path, "-pubout", "-out", folder + "/public.pem")
        said = openssl("dgst", "-sha256", "-verify", folder + "/public.pem", "-signature", folder + "/signature", given=text.encode())
        expect("its %s signature verifies" % k.alg, (said,), (b"Verified OK\n",))
        expect("the header beside it is what was asked for", (json.loads(from_base64url(token.split(".")[0])),), ({"alg": k.alg, "kid": k.kid},))
    expect("base64url has no padding", (base64url(b"\xff\xfe"),), ("__4",))


def test_answers(issuer):
    for name, answer, want in (
            ("a status", http(status=503, headers=[("Retry-After", "7")]), (0, 503)),
            ("another type", http("<html>", content_type="text/html"), (0, 200, "text/html")),
            ("no type", http("x", content_type=None), (0, 200, "")),
            ("a body that ends before its length", [http(b"abc", length=99), CUT], (PARTIAL, 200, "application/json", "abc")),
            ("a body that ends with the connection", http(b"abc", length=False), (0, 200, "application/json", "abc")),
            ("a body in chunks", chunked(b"abc", b"def"), (0, 200, "application/json", "abcdef")),
            ("chunks that are none", chunked(b"abc", end=b"zz\r\n"), (RECEIVE_FAILED,)),
            ("a reset before the headers", [RESET], (RECEIVE_FAILED,)),
            ("a reset in the middle of the headers", [HELLO[:30], RESET], (RECEIVE_FAILED,)),
            ("an end before the headers", [CUT], (EMPTY,)),
            ("a goodbye before the headers", [], (EMPTY,)),
            ("HTTP/0.9", b"{}", (WEIRD_REPLY,)),
            ("a redirect that curl does not follow", redirect("http://169.254.169.254/", 307), (0, 307)),
            ("large headers", http(headers=[("X-%d" % i, "a" * 9000) for i in range(40)]), (RECEIVE_FAILED,)),
            ("a whole answer in drops", drip(HELLO, 16, 0.001), (0, 200, "application/json", '{"hello": "world"}'))):
        issuer.behave(KEYS, answer, times=1)
        expect("it can send " + name, curl(issuer, "/jwks"), want)
    for name, answer in (("before its headers", [HANG]), ("in its headers", [HELLO[:20], HANG]), ("in its body", [HELLO[:-3], HANG]),
                         ("between drops", drip(HELLO, 1, 0.1))):
        issuer.behave(KEYS, answer, times=1)
        asked = issuer.count(KEYS)
        for patience_s in (0.5, 2, 8, 30):  # so much of it that the question comes
            got = curl(issuer, "/jwks", patience_s=patience_s)
            if issuer.count(KEYS) > asked:
                break
        expect("it can be silent " + name, got, (TOO_SLOW,))
    issuer.behave(KEYS, endless(head_of(http(length=False))), times=1)
    got = curl(issuer, "/jwks", "--limit-rate", "1M", patience_s=3)
    expect("it can send a body without end", got[:2] + (len(got[3]),), (TOO_SLOW, 200, BODY_MAX))
    issuer.behave(KEYS, [Pause(0.2), HELLO], times=1)
    before = time.monotonic()
    expect("it can be late", curl(issuer, "/jwks") + (time.monotonic() - before >= 0.2,), (0, 200, "application/json", '{"hello": "world"}', True))


def test_connections(issuer):
    for how, want in (("expired", CERTIFICATE), ("not_yet_valid", CERTIFICATE), ("wrong_host", CERTIFICATE), ("no_host", CERTIFICATE),
                      ("stranger", CERTIFICATE), ("self_signed", CERTIFICATE), ("old_tls", TLS_FAILED), ("reset", TLS_FAILED),
                      ("close", TLS_FAILED), ("plain", TLS_FAILED), ("noise", TLS_FAILED), ("silent", TOO_SLOW), ("half_handshake", TOO_SLOW)):
        issuer.connect(how, times=1)
        requests = issuer.count()
        got = curl(issuer, "/jwks", "--tlsv1.2", patience_s=30 if want != TOO_SLOW else 0.5)
        expect("a connection can be " + how, got[:1] + (issuer.count() - requests,), (want, 0))
    issuer.connect("old_tls", times=1)
    expect("it does speak TLS 1.1", curl(issuer, "/jwks", "--tlsv1.0", "--ciphers", "ALL:@SECLEVEL=0"), (0, 200))
    expect("afterwards it is honest", curl(issuer, "/jwks"), (0, 200))
    issuer.close_listener()
    expect("it can be away", curl(issuer, "/jwks"), (COULD_NOT_CONNECT,))
    issuer.listen()
    expect("it comes back to the same port", curl(issuer, "/jwks"), (0, 200))


def test_steering(issuer):
    issuer.behave(KEYS, http(status=500), times=2)
    issuer.behave(KEYS, http(status=502), times=1)
    expect("answers come in their order, then it is honest", [curl(issuer, "/jwks")[1] for _ in range(4)], [500, 500, 502, 200])
    issuer.behave(KEYS, http(status=503))
    expect("an answer without a count stays", [curl(issuer, "/jwks")[1] for _ in range(3)], [503] * 3)
    issuer.recover()
    expect("until it recovers", curl(issuer, "/jwks"), (0, 200))
    issuer.behave(KEYS, lambda request: http(request.target, content_type="text/plain"), times=1)
    expect("an answer may depend on the request", curl(issuer, "/jwks?x=1"), (0, 200, "text/plain", "/jwks?x=1"))
    gate, got = threading.Event(), []
    issuer.behave(KEYS, [gate, HELLO], times=1)
    before = issuer.count(KEYS)
    asker = threading.Thread(target=lambda: got.append(curl(issuer, "/jwks")))
    asker.start()
    daemon.wait_until(lambda: issuer.count(KEYS) == before + 1, "the request is there")
    expect("an answer may wait for the test", (got,), ([],))
    gate.set()
    asker.join()
    expect("and comes when the test says so", got[0], (0, 200))
    issuer.metadata = {"issuer": "https://other.example.org", "jwks_uri": None}
    document = json.loads(curl(issuer, METADATA_PATH)[3])
    expect("members of the document can be lies or missing", (document["issuer"], "jwks_uri" in document), ("https://other.example.org", False))
    issuer.recover()


def main():
    with tempfile.TemporaryDirectory(prefix="postern-test.") as folder:
        key = Key(folder, "k1")
        issuer = Issuer(Authority(folder), keys=[key])
        try:
            test_honest(issuer, key)
            test_signatures(folder, key)
            test_answers(issuer)
            test_connections(issuer)
            test_steering(issuer)
        finally:
            issuer.behave(KEYS, [HANG])
            issuer.stop()
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


sys.exit(main())
