#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The helper of a real posternd, in its sandbox, as a resource server of authorization servers that nobody here wrote: npm
oidc-provider, Debian's glewlwyd and, for tokens that are altered before they are signed, npm oauth2-mock-server.  Each by HTTPS with
an authority of the test's own; keys are found by discovery and change while posternd runs; opaque tokens are asked about.  Every
verdict is compared with the record in the audit log.  TAP output; needs root, and POSTERN_PEERS for the two of npm."""
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + "/../support"]
import daemon  # noqa: E402
import test_foreign_issuer as foreign  # noqa: E402
import test_glewlwyd as glewlwyd  # noqa: E402
from issuer_keys import Authority, Key, base64url, from_base64url, openssl  # noqa: E402
from test_posternd import ask  # noqa: E402

BUILD, PEERS = os.environ.get("POSTERN_BUILD", "."), os.environ.get("POSTERN_PEERS", "")
IMAP, LDAP = "https://mail.example.org/imap", "https://ldap.example.org/ldap"
OPAQUE_IMAP, OPAQUE_LDAP = "https://opaque.example.org/imap", "https://opaque.example.org/ldap"
MOCK, BOTH = "https://mock.example.org/imap", "https://both.example.org/imap"
AGENT_SECRET, INTROSPECTOR_SECRET = "s3cr3t of:agent 7", "s3cr3t of:the+door/%"  # what Basic and a form have to encode
KEYS_COUNT_S = 60  # the shortest that a key set counts, POSTERN_KEY_FETCH_TTL_MIN_MS
FAR_S, NEVER_THERE = 3600, "https://elsewhere.example.org"


# ---- keys and servers ----

def private_jwk(key):
    """As servers want it: `d` from the key in its traditional form (RFC 5915: 30 len 02 01 01 04 20 d)."""
    return key.jwk(d=base64url(openssl("ec", "-in", key.path, "-outform", "DER")[7:39]))


class Peer:
    """A server of tests/peers; `issuer` is its URL."""

    def __init__(self, script, *words):
        self.log = open(os.path.join(FOLDER, "peer-%d.log" % self.port), "w+")
        self.issuer = "https://127.0.0.1:%d" % self.port
        self.process = subprocess.Popen([PEERS + "/node", HERE + "/../peers/" + script] + list(words), stdin=subprocess.PIPE,
                                        stdout=self.log, stderr=self.log, text=True)

    def requests(self, **want):
        with open(self.log.name) as f:
            rows = [json.loads(line) for line in f if line.endswith("\n") and line.startswith("{")]
        return [r for r in rows if all(r.get(k) == v for k, v in want.items())]

    def wait(self, count=1, **want):
        def seen():
            assert self.process.poll() is None, open(self.log.name).read()
            return len(self.requests(**want)) >= count
        daemon.wait_until(seen, "%s of a server" % want)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate()
        self.log.close()


class OidcProvider(Peer):
    def __init__(self, *auth, **more):
        self.port, self.keys, self.turns = daemon.free_port(), [self.make_key()], 0
        self.token_auth = auth[0]
        super().__init__("oidc_issuer.mjs", json.dumps(dict({
            "port": self.port, "cert": CERTIFICATE[0], "key": CERTIFICATE[1], "keys": list(map(private_jwk, self.keys)), "auth": auth,
            "client_key": CLIENT_KEY.jwk()}, **more)))

    def make_key(self):
        return Key(FOLDER, "k-%s" % os.urandom(6).hex())

    def publish(self, *keys):
        """From now on the first one signs, and no other is in the key set."""
        self.process.stdin.write(json.dumps(list(map(private_jwk, keys))) + "\n")
        self.process.stdin.flush()
        self.turns += 1
        self.wait(self.turns, event="keys")

    def token(self, resource, scope="mail.read"):
        """An agent's own."""
        got = foreign.postern(self, "token", "--no-cache", "--tls-ca-file", AUTHORITY.file, "--resource", resource, "--scope", scope,
                              client="agent-7", file="secret-7")
        assert got[0] == 0, got
        return got[1].strip()

    def log_in(self, resource, scope="openid offline_access mail.read"):
        """A person's: `postern login` and somebody who says yes; what it kept."""
        foreign.forget()
        got = foreign.log_in(self, "--tls-ca-file", AUTHORITY.file, "--resource", resource, "--scope", scope, client="agent-7",
                             file="secret-7")
        assert got[0] == 0, got
        return foreign.entry()[1]

    def revoke(self, token):
        form = {"token": token, "client_id": "agent-7", "client_secret": AGENT_SECRET}
        assert self.token_auth == "client_secret_post"
        post(self.issuer + "/token/revocation", form)


class MockServer(Peer):
    def __init__(self):
        self.port = daemon.free_port()
        super().__init__("mock_issuer.mjs", str(self.port), *CERTIFICATE)

    def token(self, kid="ec", **alter):
        post(self.issuer + "/turn", {"kid": kid})
        got = post(self.issuer + "/token", {"grant_type": "client_credentials", "alter": json.dumps(alter)})
        return json.loads(got)["access_token"]

    def say(self, **answer):
        post(self.issuer + "/say", {"answer": json.dumps(answer)})


class Glewlwyd(glewlwyd.Server):
    """By HTTPS, with private JWKs of the test."""

    def __init__(self):
        self.signers = [self.make_key()]
        super().__init__(CERTIFICATE)

    def make_key(self):
        return Key(FOLDER, "g-%s" % os.urandom(6).hex())

    def keys(self):
        return {"jwks-private": json.dumps({"keys": list(map(private_jwk, self.signers))}), "default-kid": self.signers[0].kid}

    def publish(self, *keys):
        self.signers = list(keys)
        admin = glewlwyd.Browser(self.base, "admin", glewlwyd.ADMIN)
        admin.must("PUT", "/api/mod/plugin/oidc", self.plugin(self.keys()))
        admin.must("PUT", "/api/mod/plugin/oidc/reset")

    def token(self, resource, scope="mail.read"):
        got = glewlwyd.postern(self, "token", "--no-cache", "--tls-ca-file", AUTHORITY.file, "--resource", resource, "--scope", scope)
        assert got[0] == 0, got
        return got[1].strip()


def post(url, form, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, urllib.parse.urlencode(form).encode(), headers), None, 60) as r:
        return r.read().decode()


# ---- posternd ----

class Place:
    """A posternd and its configuration."""

    def __init__(self):
        self.folder, self.daemon, self.starts = daemon.Folder(), None, 0
        os.makedirs(self.folder.path + "/etc/clients")
        self.put("services/ldap.conf", audience="https://localhost/ldap", helper_peers="root", issuers="local")
        PLACES.append(self)

    def put(self, name, **keys):
        self.folder.write(name, {k: v for k, v in keys.items() if v is not None})

    def put_issuer(self, name, server, **more):
        self.put("issuers/%s.conf" % name, **dict({"issuer": server.issuer, "tls_ca_file": AUTHORITY.file}, **more))

    def put_service(self, name, issuers, audience, **more):
        self.put("services/%s.conf" % name, **dict({"audience": audience, "issuers": issuers, "helper_peers": "root",
                                                    "required_scopes": "mail.read"}, **more))

    def put_client(self, name, server, client_id, credential, auth="secret"):
        path = "%s/credential-%s" % (self.folder.path, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(credential)
        self.put("clients/%s.conf" % name, issuer=server.issuer, client_id=client_id, client_auth=auth, client_credential_file=path)

    def start(self):
        self.starts += 1
        self.began = time.monotonic()
        if self.daemon is None:  # what the test itself trusts is no help to posternd
            self.daemon = daemon.Daemon(BUILD + "/posternd", self.folder, env={"SSL_CERT_FILE": "/nonexistent"})
        else:
            self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_ready(self.starts)
        if self.starts > 1:
            self.daemon.wait_log(r"^posternd: helper \d+ drained", self.starts - 1)

    def record(self, ref):
        return [r for r in daemon.records_in(self.folder.path + "/log/audit.jsonl") if r.get("ref") == ref][0]

    def judge(self, service, token):
        """(outcome, reason or None, record); again while undecided for want of time: a machine may be busy."""
        def once():
            outcome, reason, ref = ask(self.folder, token, service)
            got[:] = outcome, reason if outcome != "proved" else None, self.record(ref)
            return got[:2] != ["undecided", "timeout"]
        got = []
        daemon.wait_until(once, "a verdict")
        record = got[2]
        assert token not in json.dumps(record), "the token is in the audit log"
        assert record["outcome"] == got[0] and record["service"] == service and got[1] in (None, record["reason"]), got
        return got

    def takes(self, what, service, token, **facts):
        """`facts`: members of the audit record."""
        outcome, reason, record = self.judge(service, token)
        daemon.report(outcome == "proved" and all(record.get(k) == v for k, v in facts.items()), what, (outcome, reason, record, facts))

    def refuses(self, what, service, token, reason, outcome="rejected"):
        got = self.judge(service, token)
        daemon.report(tuple(got[:2]) == (outcome, reason), "%s: %s" % (what, reason),
                      (got, self.daemon.log() if got[0] == "undecided" else ""))

    def remove(self):
        if self.daemon is not None:
            self.daemon.stop()
            if daemon.failed:
                print("".join("# %s\n" % line for line in self.daemon.log().splitlines()[-30:]), end="")
            self.daemon.dispose()
        self.folder.remove()


def damaged(token):
    """Another signature of the same length."""
    head, _, signature = token.rpartition(".")
    return head + "." + ("A" if signature[0] != "A" else "B") + signature[1:]


# ---- oidc-provider: signed tokens ----

def test_signed_tokens(place, server):
    agent = server.token(IMAP)
    place.takes("oidc-provider: an agent's own signed token", "imap", agent, user="sso-agent-7", client_id="agent-7", iss=server.issuer,
                aud=IMAP, agent="agent-7", human=None)
    person = server.log_in(IMAP)["access_token"]
    place.takes("oidc-provider: a person's", "imap", person, user="sso-alice", agent="agent-7", human="sso-alice")
    place.takes("oidc-provider: the same again, from what was proved", "imap", person, user="sso-alice", agent="agent-7", human="sso-alice")
    place.refuses("oidc-provider: one for another service", "imap", server.token(LDAP), "aud")
    place.refuses("oidc-provider: one with another scope", "imap", server.token(IMAP, "mail.write"), "insufficient_scope")
    place.refuses("oidc-provider: another signature", "imap", damaged(agent), "bad_signature")
    place.refuses("oidc-provider: the person's signature under the agent's claims", "imap",
                  ".".join(agent.split(".")[:2] + person.split(".")[2:]), "bad_signature")
    place.refuses("oidc-provider: another key of its curve", "imap",
                  Key(FOLDER, "stranger").sign(claims_of(person), kid=server.keys[0].kid), "bad_signature")
    asked = {r.get("path", "") for r in server.requests()}
    daemon.report("/jwks" in asked and any("well-known" in p for p in asked), "oidc-provider: metadata and keys were asked for by HTTPS",
                  asked)


def claims_of(token):
    return json.loads(from_base64url(token.split(".")[1]))


def test_a_new_key(place, server):
    """Returns what has to come true when the key set is old, and two tokens by the key that stays."""
    if time.monotonic() > place.began + KEYS_COUNT_S / 3:  # upkeep may fetch in the middle of what is counted here: it has its turn first
        known = len(server.requests(path="/jwks"))
        daemon.wait_until(lambda: len(server.requests(path="/jwks")) > known, "upkeep", KEYS_COUNT_S + daemon.DEADLINE_S)
    fetched = len(server.requests(path="/jwks"))
    first = server.token(IMAP)
    old, new, third = server.keys[0], server.make_key(), server.make_key()
    server.publish(new, old)
    second = server.token(IMAP)
    place.takes("oidc-provider: a token by a key that came while posternd runs", "imap", second, agent="agent-7")
    place.takes("oidc-provider: and by the old one, which is still published", "imap", first, agent="agent-7")
    daemon.report(len(server.requests(path="/jwks")) == fetched + 1, "oidc-provider: one fetch for it", server.requests(path="/jwks"))
    kept = server.token(BOTH), server.token(MOCK)
    server.publish(third, new)
    last = server.token(IMAP)
    for _ in range(10):
        outcome, reason, _ = place.judge("imap", last)
        assert (outcome, reason) == ("rejected", "unknown_kid"), (outcome, reason)
    place.refuses("oidc-provider: one more key within half a minute", "imap", last, "unknown_kid")
    daemon.report(len(server.requests(path="/jwks")) == fetched + 1, "oidc-provider: no fetch for that", server.requests(path="/jwks"))
    before = len(server.requests(path="/jwks"))

    def later():
        daemon.wait_until(lambda: len(server.requests(path="/jwks")) > before, "upkeep fetches the keys", KEYS_COUNT_S + daemon.DEADLINE_S)
        daemon.wait_until(lambda: place.judge("imap", first)[:2] == ["rejected", "unknown_kid"], "the withdrawn key counts no longer")
        place.refuses("oidc-provider: a key that was withdrawn, when the set is old, though no login asked for a new one", "imap", first,
                      "unknown_kid")
        place.takes("oidc-provider: the key that stayed", "imap", second, agent="agent-7")
        place.takes("oidc-provider: the key that came meanwhile", "imap", last, agent="agent-7")
    return later, kept


# ---- oidc-provider: opaque tokens ----

def test_opaque_tokens(place, server, how):
    person = server.log_in(OPAQUE_IMAP)
    token = person["access_token"]
    before = len(server.requests(path="/token/introspection"))
    place.takes("%s: a person's opaque token" % how, "opaque", token, user="sso-alice", agent="agent-7", human="sso-alice",
                iss=server.issuer, aud=OPAQUE_IMAP)
    asked = server.requests(path="/token/introspection")[before:]
    daemon.report(len(asked) >= 1 and all(a["method"] == "POST" and a["status"] == 200 and is_asked_by(how, a) for a in asked),
                  "%s: that is how the issuer was asked" % how, asked)
    place.refuses("%s: an opaque token for another service" % how, "opaque", server.log_in(OPAQUE_LDAP)["access_token"], "aud")
    place.refuses("%s: a refresh token, which is active too" % how, "opaque", person["refresh_token"], "aud")
    place.refuses("%s: what the issuer never gave" % how, "opaque", "made-up-token", "inactive")
    place.refuses("%s: an agent's own, of which the issuer names no subject" % how, "opaque", server.token(OPAQUE_IMAP), "claim_missing")
    return token


def is_asked_by(how, request):
    body = request["body"]
    return {"client_secret_basic": request["basic"] and request["client"] == "introspector" and "client_secret" not in body,
            "client_secret_post": not request["basic"] and request["client"] == "introspector" and "client_secret" in body,
            "private_key_jwt": not request["basic"] and request["client"] == "introspector-key" and "client_assertion" in body}[how]


def test_other_credentials(place, server):
    """Without the authority first; then the secret in the form; a wrong secret; a key."""
    place.put_client("door", server, "introspector", INTROSPECTOR_SECRET)
    settings = dict(client="door", introspection_cache="0s", username_claim="sso-${sub}")
    place.put_issuer("sso", server, tls_ca_file=None, introspection="opaque", **settings)
    place.put_service("opaque", "sso", OPAQUE_IMAP)
    place.put_service("imap", "sso", IMAP)
    place.start()
    signed = server.token(IMAP)
    place.refuses("an authority that nobody here trusts: signed", "imap", signed, "keys_unavailable", "undecided")
    place.refuses("an authority that nobody here trusts: opaque", "opaque", "made-up-token", "issuer_untrusted", "undecided")
    daemon.report(server.requests(path="/jwks") == server.requests(path="/token/introspection") == [], "and it was told nothing")
    place.put_issuer("sso", server, introspection="opaque", **settings)
    place.start()
    place.takes("with tls_ca_file: signed", "imap", signed, user="sso-agent-7")
    token = test_opaque_tokens(place, server, "client_secret_post")
    server.revoke(token)
    place.refuses("client_secret_post: a token that was taken back at the issuer", "opaque", token, "inactive")
    place.put_client("door", server, "introspector", "not-" + INTROSPECTOR_SECRET)
    place.start()
    place.refuses("credentials that the issuer does not take", "opaque", token, "issuer_answer", "undecided")
    place.put_client("door", server, "introspector-key", open(CLIENT_KEY.path).read(), "private_key_jwt")
    place.start()
    token = test_opaque_tokens(place, server, "private_key_jwt")
    server.revoke(token)
    place.refuses("private_key_jwt: a token that was taken back at the issuer", "opaque", token, "inactive")
    place.put_issuer("sso", server, introspection="always", **settings)
    place.start()
    place.refuses("an issuer that says nothing of the tokens that it signs, always asked", "imap", signed, "issuer_answer", "undecided")
    detail = place.judge("imap", signed)[2]["detail"]
    daemon.report("unsupported_token_type" in detail, "and the record says what it answered", detail)
    place.refuses("that is no failure of the issuer: it is asked about the next one", "opaque", "another-made-up-token", "inactive")


# ---- glewlwyd ----

def test_glewlwyd():
    if shutil.which("glewlwyd") is None or not os.path.exists(glewlwyd.INIT):
        daemon.report(True, "glewlwyd # SKIP it is not installed")
        return
    server = Glewlwyd()
    try:
        of_glewlwyd(Place(), server)
    finally:
        server.stop()


def of_glewlwyd(place, server):
    place.put_client("door", server, "agent-7", glewlwyd.SECRET)
    place.put_issuer("sso", server)
    place.put_service("imap", "sso", IMAP)
    place.start()
    old, new = server.signers[0], server.make_key()
    first = server.token(IMAP)
    place.takes("glewlwyd: a signed token", "imap", first, user="agent-7", client_id="agent-7", iss=server.issuer, aud=IMAP)
    place.refuses("glewlwyd: one for another service", "imap", server.token(LDAP), "aud")
    place.refuses("glewlwyd: one with another scope", "imap", server.token(IMAP, "ldap.read"), "insufficient_scope")
    place.refuses("glewlwyd: another signature", "imap", damaged(first), "bad_signature")
    server.publish(new)
    second = server.token(IMAP)
    place.takes("glewlwyd: a token by a key that came while posternd runs", "imap", second, user="agent-7")
    place.refuses("glewlwyd: the old key's, which the new set has not", "imap", first, "unknown_kid")
    place.refuses("glewlwyd: the old key under the new one's name", "imap", old.sign(claims_of(second), kid=new.kid), "bad_signature")
    place.put_issuer("sso", server, introspection="always", client="door", introspection_cache="0s")
    place.start()
    place.takes("glewlwyd: a signed token that is active there", "imap", second, user="agent-7")
    place.refuses("glewlwyd: one by another key is not asked about", "imap", old.sign(claims_of(second)), "unknown_kid")
    glewlwyd_revokes(server, second)
    place.refuses("glewlwyd: a signed token that was taken back there", "imap", second, "inactive")
    third = server.token(IMAP)
    place.takes("glewlwyd: another one goes on", "imap", third, user="agent-7")
    server.stop()
    place.refuses("glewlwyd is down: its keys count, its word is missing", "imap", third, "issuer_unreachable", "undecided")


def glewlwyd_revokes(server, token):
    basic = base64.b64encode(("agent-7:" + glewlwyd.SECRET).encode()).decode()
    post(server.issuer + "/revoke", {"token": token}, Authorization="Basic " + basic)


# ---- oauth2-mock-server: tokens that are altered ----

def altered(now):
    """(what, keyword arguments of a token, reason); None: it is taken."""
    def payload(what, reason, **members):
        return what, {"payload": members}, reason

    def header(what, reason, kid="ec", **members):
        return what, {"header": members, "kid": kid}, reason

    def cut(what, reason, **parts):
        return what, {"cut": parts}, reason
    ec = {"alg": "ES256", "typ": "at+jwt", "kid": "ec"}
    return (
        payload("as it should be", None),
        payload("another issuer", "iss", iss=NEVER_THERE),
        payload("a slash behind the issuer", "iss", iss=MOCK_SERVER.issuer + "/"),
        payload("no issuer", "iss", iss=None),
        payload("an issuer that is no text", "iss", iss=[MOCK_SERVER.issuer]),
        payload("ours among other audiences", None, aud=[NEVER_THERE, MOCK]),
        payload("another audience", "aud", aud=NEVER_THERE),
        payload("our audience in capitals", "aud", aud=MOCK.upper()),
        payload("no audience in a list", "aud", aud=[]),
        payload("no audience", "aud", aud=None),
        payload("past, within the skew", None, exp=now - 20),
        payload("past", "expired", exp=now - 120),
        payload("no end", "claim_missing", exp=None),
        payload("an end that is text", "malformed_claim", exp=str(now + FAR_S)),
        payload("issued in the future", "not_yet_valid", iat=now + FAR_S, exp=now + 2 * FAR_S),
        payload("not yet valid", "not_yet_valid", nbf=now + FAR_S),
        payload("no time of issue", "claim_missing", iat=None),
        payload("no subject", "claim_missing", sub=None),
        payload("no client", "claim_missing", client_id=None),
        payload("no name of its own", "claim_missing", jti=None),
        payload("more claims than anybody asked for", None, roles=["x"], address={"country": "AT"}),
        payload("a subject with a line end", "unsafe_identity", sub="alice\nroot"),
        payload("a subject that is a number", "malformed_claim", sub=7),
        payload("a subject that is no local name", "no_mapping", sub="../alice"),
        payload("no scope", "insufficient_scope", scope=None),
        payload("a scope that begins alike", "insufficient_scope", scope="mail.reader mail"),
        payload("a list of scopes", "malformed_claim", scope=["mail.read"]),
        payload("bound to a key that nobody proves", "cnf", cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        payload("an actor that may not act", "actor_not_allowed", act={"sub": "agent-8"}, may_act={"sub": "agent-9"}),
        payload("an ID token's hash", "typ", at_hash="x"),
        header("the type with its prefix", None, typ="application/at+jwt"),
        header("a plain JWT's type", "typ", typ="JWT"),
        header("a logout token's type", "typ", typ="logout+jwt"),
        header("no type", "typ", typ=""),
        header("an RSA key", None, kid="rsa"),
        header("an algorithm that this issuer may not use", "alg_not_allowed", kid="pss"),
        cut("an algorithm that does not fit the named key", "alg_key_mismatch", header=dict(ec, kid="rsa")),
        cut("another key's name", "bad_signature", header=dict(ec, kid="ec-2")),
        cut("a key that is not published", "unknown_kid", header=dict(ec, kid="ec-3")),
        cut("an algorithm of none", "alg_not_allowed", header=dict(ec, alg="none"), signature=""),
        cut("a secret's algorithm", "alg_not_allowed", header=dict(ec, alg="HS256")),
        cut("an extension that must be understood", "crit", header=dict(ec, crit=["x"], x=1)),
        cut("a payload put in its place", "bad_signature", payload={"iss": MOCK_SERVER.issuer, "sub": "root"}),
        cut("no signature", "malformed", signature=""),
        cut("a signature with a padding", "malformed", signature="AA=="),
    )


def test_altered_tokens(place):
    for what, changes, reason in altered(int(time.time())):
        token = MOCK_SERVER.token(**changes)
        if reason is None:
            place.takes("altered: " + what, "mock", token, user="mock-alice", agent="agent-7", iss=MOCK_SERVER.issuer)
        else:
            place.refuses("altered: " + what, "mock", token, reason)


def test_altered_words(place):
    """What an issuer says of an opaque token."""
    now = int(time.time())
    good = {"active": True, "iss": MOCK_SERVER.issuer, "sub": "alice", "client_id": "agent-7", "aud": MOCK, "scope": "mail.read",
            "exp": now + FAR_S, "token_type": "Bearer"}
    place.put_client("mock", MOCK_SERVER, "door", "any")
    place.put_issuer("mock", MOCK_SERVER, introspection="opaque", client="mock", introspection_cache="0s", username_claim="mock-${sub}")
    place.put_service("mock", "mock", MOCK)
    place.start()
    for number, (what, changes, want) in enumerate((
            ("all that is needed", {}, None),
            ("without iss", {"iss": None}, None),
            ("active and nothing else", dict.fromkeys(set(good) - {"active"}), ("rejected", "aud")),
            ("no audience", {"aud": None}, ("rejected", "aud")),
            ("no end", {"exp": None}, ("rejected", "claim_missing")),
            ("past", {"exp": now - 120}, ("rejected", "expired")),
            ("another issuer", {"iss": NEVER_THERE}, ("rejected", "iss")),
            ("another audience", {"aud": NEVER_THERE}, ("rejected", "aud")),
            ("another scope", {"scope": "mail.write"}, ("rejected", "insufficient_scope")),
            ("a refresh token", {"token_type": "refresh_token"}, ("rejected", "typ")),
            ("not active", {"active": False}, ("rejected", "inactive")),
            ("active as text", {"active": "true"}, ("undecided", "issuer_answer")),
            ("no word on whether it is active", {"active": None}, ("undecided", "issuer_answer")))):
        MOCK_SERVER.say(**{k: v for k, v in dict(good, **changes).items() if v is not None})
        token = "opaque-%d" % number
        if want is None:
            place.takes("the issuer's word: " + what, "mock", token, user="mock-alice", agent="agent-7")
        else:
            place.refuses("the issuer's word: " + what, "mock", token, want[1], want[0])


# ---- two at once ----

def test_two_at_once(place, server, for_both, for_mock):
    place.takes("two issuers: the first one's token", "both", for_both, user="sso-agent-7", iss=server.issuer)
    place.takes("two issuers: the second one's", "both", MOCK_SERVER.token(payload={"aud": BOTH, "sub": "agent-7"}), user="mock-agent-7",
                iss=MOCK_SERVER.issuer)
    forged = MOCK_SERVER.token(payload={"aud": BOTH, "iss": server.issuer})
    place.refuses("two issuers: the first one's name, signed by the second", "both", forged, "unknown_kid")
    place.refuses("two issuers: a third one's name", "both", MOCK_SERVER.token(payload={"aud": BOTH, "iss": NEVER_THERE}), "iss")
    place.refuses("two issuers: nobody's name", "both", MOCK_SERVER.token(payload={"aud": BOTH, "iss": None}), "iss")
    place.refuses("two issuers: a claim that only the other one's rules want", "both",
                  MOCK_SERVER.token(payload={"aud": BOTH, "tenant": None}), "claim_missing")
    place.refuses("two issuers: the second one's token where the first alone counts", "imap",
                  MOCK_SERVER.token(payload={"aud": IMAP}), "unknown_kid")
    place.refuses("two issuers: the first one's where the second alone counts", "mock", for_mock, "unknown_kid")


# ---- the run ----

def prepare(folder):
    global FOLDER, AUTHORITY, CERTIFICATE, CLIENT_KEY
    FOLDER = foreign.FOLDER = glewlwyd.FOLDER = folder
    AUTHORITY = Authority(folder)
    os.chmod(folder, 0o755)  # the helper reads the authority
    CERTIFICATE = folder + "/good.crt", folder + "/good.key"
    CLIENT_KEY = Key(folder, "client")
    os.environ["SSL_CERT_FILE"] = AUTHORITY.file
    glewlwyd.make_keys()
    for name, text in (("secret-7", AGENT_SECRET), ("secret", glewlwyd.SECRET)):
        with open(os.open(folder + "/" + name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)
    foreign.forget()


def attempt(test, *arguments):
    try:
        return test(*arguments)
    except Exception:  # a failed test must not stop the others
        daemon.report(False, test.__name__.replace("_", " "), traceback.format_exc())
        return None


def of_npm():
    global MOCK_SERVER
    servers = [OidcProvider("client_secret_basic", cache="max-age=1"), OidcProvider("client_secret_post", "private_key_jwt"), MockServer()]
    try:
        first, second, MOCK_SERVER = servers
        for server in servers:
            server.wait(event="listening")
        place = Place()
        place.put_client("door", first, "introspector", INTROSPECTOR_SECRET)
        place.put_issuer("sso", first, introspection="opaque", client="door", introspection_cache="0s", username_claim="sso-${sub}")
        place.put_issuer("mock", MOCK_SERVER, algorithms="RS256 ES256", username_claim="mock-${sub}",
                         required_claims="sub client_id jti iat tenant")
        for name, issuers, audience in (("imap", "sso", IMAP), ("opaque", "sso", OPAQUE_IMAP), ("mock", "mock", MOCK),
                                        ("both", "sso mock", BOTH)):
            place.put_service(name, issuers, audience)
        place.start()
        attempt(test_signed_tokens, place, first)
        later, kept = attempt(test_a_new_key, place, first) or (None, None)
        attempt(test_opaque_tokens, place, first, "client_secret_basic")
        attempt(test_altered_tokens, place)
        if kept is not None:
            attempt(test_two_at_once, place, first, *kept)
        attempt(test_other_credentials, Place(), second)
        attempt(test_altered_words, Place())
        attempt(test_glewlwyd)
        if later is not None:
            attempt(later)
    finally:
        while PLACES:
            PLACES.pop().remove()
        for server in servers:
            server.stop()


def main():
    global PLACES
    PLACES = []
    if os.geteuid() != 0:
        print("ok - real issuers # SKIP needs root")
        return 0
    with tempfile.TemporaryDirectory(prefix="postern-test.") as folder:
        prepare(folder)
        if os.path.exists(PEERS + "/node"):
            of_npm()
        else:
            print("ok - oidc-provider, oauth2-mock-server # SKIP POSTERN_PEERS is not set: tests/peers/fetch FOLDER")
            attempt(test_glewlwyd)
            while PLACES:
                PLACES.pop().remove()
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


if __name__ == "__main__":
    sys.exit(main())
