#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What posternd's helper says of a token while the token's issuer misbehaves (tests/support/misbehaving_issuer.py): a table of
scenarios, two dozen at the same time against one helper, each with an issuer and a service of its own.  A row's fault is there before
posternd starts, which looks for keys at once; a story's issuer is honest at first.

In every scenario:
- What is the issuer's or the network's fault is undecided, never rejected, never proved; what is the token's fault is rejected.
- Logins that come while the issuer is at fault cause no more requests than the scenario allows.
- When the fault was the issuer's and it is honest again, the same token logs in.

TAP output.  Needs root, openssl(1), Python's own modules."""
import concurrent.futures
import hmac
import json
import os
import re
import resource
import select
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402
from daemon import Daemon, Folder, wait_until  # noqa: E402
from issuer_faults import (ANSWER, CONNECTIONS, ELSEWHERE, PROVED, SECRET, SLOW, UNREACHABLE, UNTRUSTED, WRONG_ISSUERS, Fault,  # noqa: E402
                           answer, connection, document, members, run_all, silently, text_of, wire_faults)
from issuer_keys import Authority, Key, base64url, compact, from_base64url  # noqa: E402
from misbehaving_issuer import HANG, INTROSPECTION, KEYS, METADATA, OTHER, chunked, drip, http  # noqa: E402

BUILD = os.environ.get("POSTERN_BUILD", ".")
LATER = 3600
RECOVERY_S = 25
SOURCE_BURST, SOURCE_PER_S = 64, 16  # lib/oauth/source_buckets.h
AFTERWARDS = 2  # logins behind the first, at the same moment
WORLDS = 2  # posternds at one time
# Scenarios: few enough that a login's five seconds do for a burst of them on two busy processors.  (Credentials of clients are
# descriptors, too, and a child gets no more than 32.)
FOR_EACH_HELPER = 24
SHORTEST_PAUSES_S = (0.5, 1, 2, 4, 8, 16)  # after one, two ... failures in a row: lib/oauth/retry.c
COOL_DOWN_S = 30  # between two looks for keys that a stranger's kid causes: lib/oauth/key_fetch.h
UNUSABLE = ("undecided", "keys_unavailable")
LATE = ("undecided", "keys_unavailable timeout")  # the login's own time ends soon after the fetch's


# ---- asking the helper ----

class Login:
    """One question as a plugin asks it; the answer may be waited for later."""

    def __init__(self, folder, service, token, **more):
        self.ask_again = lambda: Login(folder, service, token, **more)
        self.nonce = base64url(os.urandom(16))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        self.socket.connect(folder.path + "/run/helper.sock")
        self.socket.send(json.dumps(dict({"v": 1, "op": "verify", "nonce": self.nonce, "service": service, "token": token,
                                          "carrier": "sasl", "tls": "local"}, **more)).encode())

    def verdict(self, attempts=3):
        """(outcome, reason); what is proved has none.  That the audit child had no turn for three seconds says nothing of the issuer."""
        with self.socket as s:
            reply = json.loads(s.recv(65536))
        assert reply["nonce"] == self.nonce
        if reply.get("reason") == "audit" and attempts > 1:
            return self.ask_again().verdict(attempts - 1)
        return reply["outcome"], reply.get("reason") if reply["outcome"] != "proved" else None


# ---- scenarios ----

class Scenario(Fault):
    """`token(s)` makes what is shown; `by` is how the issuer's keys or words are found; `story(s)` comes before the login.  What the
    issuer may see is for each attempt; failed ones are repeated by posternd itself, later and later."""
    most_requests = {METADATA: 3, KEYS: 1, INTROSPECTION: 1, OTHER: 0}

    def __init__(self, name, act, want, token=None, by="discovery", story=silently, auth="secret", **more):
        super().__init__(name, act, want, **more)
        self.by, self.story, self.auth = by, story, auth
        self.make_token = token or (lambda s: s.opaque() if by == "opaque" else s.sign())

    def prepare(self, world, number):
        self.label = "s%d" % number
        self.start_issuer(world)
        self.issuer.keys = [world.key]
        self.audience = "https://localhost/" + self.label
        self.act(self)
        keys = {"issuer": self.issuer.url, "tls_ca_file": world.ca_file}
        if self.by == "jwks_uri":
            keys["jwks_uri"] = self.issuer.endpoint("jwks")
        if self.by in ("opaque", "always"):
            keys.update(introspection=self.by, client=self.label)
            world.folder.write("clients/%s.conf" % self.label, {
                "issuer": self.issuer.url, "client_id": "door 1", "client_auth": self.auth,
                "client_credential_file": world.secret_file if self.auth == "secret" else world.other.path})
        world.folder.write("issuers/%s.conf" % self.label, keys)
        world.folder.write("services/%s.conf" % self.label, {"audience": self.audience, "issuers": self.label, "helper_peers": "root",
                                                             "required_scopes": "mail"})

    # -- what a scenario's functions use --

    def claims(self, **changes):
        now = int(time.time())
        whole = {"iss": self.issuer.url, "aud": self.audience, "sub": "alice", "client_id": "agent-7", "scope": "mail",
                 "iat": now, "exp": now + LATER, "jti": base64url(os.urandom(9))}
        whole.update(changes)
        return {name: value for name, value in whole.items() if value is not None}

    def sign(self, key=None, header=None, **changes):
        return (key or self.world.key).sign(self.claims(**changes), **(header or {}))

    def opaque(self, answer=None, **changes):
        """A token that only the issuer can read, and what it says of it."""
        token = "opaque-" + base64url(os.urandom(24))
        self.issuer.opaque[token] = dict({"active": True, "token_type": "Bearer"}, **self.claims(**changes)) if answer is None else answer
        return token

    def login(self, token):
        return Login(self.world.folder, self.label, token)

    def expect_proof(self, token, what):
        got = self.login(token).verdict()
        assert got == ("proved", None), "%s: %s" % (what, got)

    # -- the run --

    def recover(self):
        super().recover()
        self.issuer.keys = [self.world.key]

    def check_requests(self):
        # One more: on a busy machine a helper may stand still for a second, and then a fetch is taken for abandoned and begun anew.
        left_s, attempts = time.monotonic() - self.world.began, 2
        for pause_s in SHORTEST_PAUSES_S if self.outcome == "undecided" else ():
            left_s -= pause_s
            attempts += left_s > 0
        for place, most in self.most.items():
            assert self.issuer.count(place) <= most * attempts, "%d attempts, requests: %s" % (attempts, self.issuer.requests())

    def run(self):
        self.story(self)
        token = self.make_token(self)
        self.check_verdict(self.login(token).verdict(), "first login")
        for login in [self.login(token) for _ in range(AFTERWARDS)]:
            got = login.verdict()
            assert got[0] == self.outcome, "a login right behind: %s %s" % got
        self.check_requests()
        for request in self.issuer.requests():
            assert token not in request.target and (request.place == INTROSPECTION or "authorization" not in request.headers), request
        if self.recovers:
            self.recover()
            wait_until(lambda: self.login(token).verdict()[0] == "proved" or time.sleep(0.3), "a login after the issuer recovered", RECOVERY_S)


TABLE = []


def scenario(name, act, want, **more):
    TABLE.append(Scenario(name, act, want, **more))


def add_honest():
    for by in ("discovery", "jwks_uri"):
        scenario("an honest issuer, keys by " + by, silently, PROVED, by=by)
    scenario("an honest issuer with a name", silently, PROVED, host="localhost")
    scenario("an honest issuer with a path", silently, PROVED, path="/realms/agents")
    scenario("an honest issuer of opaque tokens", silently, PROVED, by="opaque")
    scenario("an honest issuer that is always asked", silently, PROVED, by="always", token=lambda s: remember(s, s.sign()))
    scenario("a key set without Content-Length", answer(KEYS, lambda s: http(s.issuer.key_set(), length=False)), PROVED)
    scenario("a key set in chunks of a byte", answer(KEYS, lambda s: chunked(*[bytes([b]) for b in json.dumps(s.issuer.key_set()).encode()])), PROVED)
    scenario("a key set in drops, in time", answer(KEYS, lambda s: drip(http(s.issuer.key_set()), 64, 0.02)), PROVED)
    scenario("metadata at OpenID Connect's place alone", lambda s: s.issuer.behave(METADATA, http(status=404), times=1), PROVED)


def add_tokens():
    """What is no token of the issuer's by its looks is refused before anybody is asked about it."""
    for name, token, reason in (
            ("no token by its shape", lambda s: "a.b", "malformed"), ("an encrypted one", lambda s: "e30.AA.AA.AA.AA", "malformed"),
            ("a signature of none", lambda s: s.sign(header={"alg": "none"}), "alg_not_allowed"),
            ("an ID token's type", lambda s: s.sign(header={"typ": "JWT"}), "typ"),
            ("a critical extension", lambda s: s.sign(header={"crit": ["x"], "x": 1}), "crit")):
        for by in ("discovery", "always"):
            if not (by == "always" and name.startswith("no token")):
                scenario("%s: %s is not asked about" % (by, name), silently, ("rejected", reason), by=by, most={INTROSPECTION: 0}, token=token)
    scenario("discovery: an opaque token is not asked about", silently, ("rejected", "malformed"), most={INTROSPECTION: 0},
             token=lambda s: s.opaque())


def remember(s, token):
    """The issuer says of a signed token what stands in it."""
    s.issuer.opaque[token] = dict({"active": True, "token_type": "Bearer"}, **json.loads(from_base64url(token.split(".")[1])))
    return token


def late_or(want):
    """What a login is told of keys that could not be had, whatever it was."""
    return LATE if want == SLOW else UNUSABLE


def add_connections():
    for by in ("discovery", "jwks_uri"):
        for how, want in CONNECTIONS:
            scenario("%s: a connection that is %s" % (by, how), connection(how), late_or(want), by=by, most={METADATA: 0, KEYS: 0},
                     is_slow=want == SLOW)
    scenario("nobody is at home", silently, UNUSABLE, listen=False)


def add_metadata():
    for name, what, want in wire_faults(lambda s: s.issuer.document()):
        scenario("metadata: " + name, answer(METADATA, what), late_or(want), most={KEYS: 0}, is_slow=want == SLOW)
    for name, changes, _ in WRONG_ISSUERS:
        scenario("metadata: " + name, document(**changes), UNUSABLE, most={KEYS: 0})
    for member in ("issuer", "jwks_uri"):
        scenario("metadata: %s twice" % member, answer(METADATA, text_of(lambda t, m=member: '{"%s": "%s", ' % (m, ELSEWHERE) + t[1:])), UNUSABLE,
                 most={KEYS: 0})
    # A document that is well formed is kept for a while, wherever it points to: only the next one mends it.
    for name, uri in (
            ("at a cloud's metadata address", "https://169.254.169.254/latest/"),
            ("at a cloud's IPv6 metadata address", "https://[fd00:ec2::254]/latest/"),
            ("at a private address", "https://10.0.0.1/jwks"),
            ("at another private address", "https://192.168.1.1/jwks"),
            ("at another loopback address", lambda s: "https://127.0.0.2:%d/jwks" % s.issuer.port),
            ("at loopback, mapped to IPv6", lambda s: "https://[::ffff:127.0.0.1]:%d/jwks" % s.issuer.port),
            ("at loopback by name", lambda s: "https://localhost:%d/jwks" % s.issuer.port),
            ("at 0.0.0.0", lambda s: "https://0.0.0.0:%d/jwks" % s.issuer.port)):
        scenario("metadata: jwks_uri " + name, document(jwks_uri=uri), UNUSABLE, most={KEYS: 0}, recovers=False)
    for name, uri in (
            ("of http", lambda s: "http://127.0.0.1:%d/jwks" % s.issuer.port),
            ("at loopback in decimal", lambda s: "https://2130706433:%d/jwks" % s.issuer.port),
            ("at a short form of loopback", lambda s: "https://127.1:%d/jwks" % s.issuer.port),
            ("with user and password", lambda s: "https://a:b@127.0.0.1:%d/jwks" % s.issuer.port),
            ("with a fragment", lambda s: s.issuer.endpoint("jwks#x")),
            ("with a blank", lambda s: s.issuer.endpoint("jwks") + " "),
            ("with a backslash", lambda s: "https://127.0.0.1:%d\\@elsewhere.example.org/jwks" % s.issuer.port),
            ("of a file", "file:///etc/passwd"), ("of gopher", "gopher://127.0.0.1:70/"), ("that is empty", ""), ("that is no text", {"a": 1}),
            ("that is missing", None), ("of 3000 bytes", lambda s: s.issuer.endpoint("a" * 3000))):
        scenario("metadata: jwks_uri " + name, document(jwks_uri=uri), UNUSABLE, most={KEYS: 0})


def add_keys():
    for by in ("discovery", "jwks_uri"):
        for name, what, want in wire_faults(lambda s: s.issuer.key_set()):
            if by == "discovery" or want == SLOW:
                scenario("keys by %s: %s" % (by, name), answer(KEYS, what), late_or(want), by=by, is_slow=want == SLOW)
    for name, body in (("no member keys", {}), ("keys that are no array", {"keys": {}}), ("keys that are null", {"keys": None}),
                       ("members that are no objects", {"keys": [1, "x", None]})):
        scenario("keys: " + name, answer(KEYS, http(body)), UNUSABLE)
    scenario("keys: keys twice", answer(KEYS, lambda s: http('{"keys": [], ' + json.dumps(s.issuer.key_set())[1:])), UNUSABLE)
    scenario("keys: 101 of them", members(*strangers(100), lambda s: s.world.key.jwk()), UNUSABLE)
    scenario("keys: an empty set", members(), UNUSABLE)
    scenario("keys: 99 strangers before the right one", members(*strangers(99), lambda s: s.world.key.jwk()), PROVED)
    for value in ("max-age=0", "no-store", "max-age=-1", "max-age=99999999999999999999", "max-age=x, max-age=1", "x" * 5000):
        scenario("keys: Cache-Control: " + value[:40], lambda s, v=value: s.issuer.key_headers.append(("Cache-Control", v)), PROVED)
    scenario("keys: not modified, though there were none", answer(KEYS, http(status=304, content_type=None, headers=[("ETag", '"x"')])), UNUSABLE)
    add_single_keys()


def strangers(count):
    """Members of a key set, none of which signed anything here."""
    return [lambda s, i=i: s.world.other.jwk(kid="k%d" % i) for i in range(count)]


def add_single_keys():
    """A key set with one more member; whatever that is, another member's tokens go on working.  A token by the bad key itself is
    refused: what the set does not hold in good form, the issuer does not publish."""
    def off_curve(s):
        y = bytearray(from_base64url(s.world.other.jwk()["y"]))
        y[31] ^= 1
        return s.world.other.jwk(y=base64url(bytes(y)))
    strange = base64url(b"k" * 32)
    for name, jwk, reasons in (
            ("a symmetric key", lambda s: {"kty": "oct", "kid": s.world.other.kid, "k": strange, "alg": "HS256"}, "unknown_kid alg_key_mismatch"),
            ("a symmetric key without alg", lambda s: {"kty": "oct", "kid": s.world.other.kid, "k": strange}, "unknown_kid alg_key_mismatch"),
            ("a point off the curve", off_curve, "unknown_kid weak_key"),
            ("a private member", lambda s: s.world.other.jwk(d=strange), "unknown_kid weak_key key_not_for_sig"),
            ("use: enc", lambda s: s.world.other.jwk(use="enc"), "unknown_kid key_not_for_sig"),
            ("key_ops without verify", lambda s: s.world.other.jwk(use=None, key_ops=["sign"]), "unknown_kid key_not_for_sig"),
            ("another alg", lambda s: s.world.other.jwk(alg="ES384"), "unknown_kid alg_key_mismatch weak_key"),
            ("an alg of another family", lambda s: s.world.other.jwk(alg="RS256"), "unknown_kid alg_key_mismatch weak_key"),
            ("a coordinate that is too short", lambda s: s.world.other.jwk(x=s.world.other.jwk()["x"][:-4]), "unknown_kid weak_key"),
            ("a coordinate with padding", lambda s: s.world.other.jwk(x=s.world.other.jwk()["x"] + "="), "unknown_kid weak_key"),
            ("a curve that nobody knows", lambda s: s.world.other.jwk(crv="P-257"), "unknown_kid weak_key alg_key_mismatch"),
            ("a kty that nobody knows", lambda s: s.world.other.jwk(kty="XX"), "unknown_kid alg_key_mismatch"),
            ("a kid that is no text", lambda s: s.world.other.jwk(kid=7), "unknown_kid")):
        bad = [jwk, lambda s: s.world.key.jwk()]
        scenario("keys: by a key with %s" % name, members(*bad), ("rejected", reasons), most={KEYS: 2}, token=lambda s: s.sign(s.world.other))
        scenario("keys: beside a key with %s" % name, members(*bad), PROVED)
    for name, key in (("RSA of 1024 bits", lambda s: s.world.weak.jwk()), ("RSA with an even modulus", even_modulus),
                      ("RSA with exponent 1", lambda s: s.world.rsa.jwk(kid=s.world.weak.kid, e="AQ"))):
        scenario("keys: by " + name, members(key, lambda s: s.world.key.jwk()), ("rejected", "unknown_kid weak_key"),
                 most={KEYS: 2}, token=lambda s: s.sign(s.world.weak))
    scenario("keys: a public key as a secret of HMAC", members(lambda s: s.world.key.jwk()), ("rejected", "alg_not_allowed"), most={KEYS: 0},
             token=lambda s: sign_hmac(s))


def even_modulus(s):
    n = bytearray(from_base64url(s.world.rsa.jwk()["n"]))
    n[-1] &= 0xfe
    return s.world.rsa.jwk(kid=s.world.weak.kid, n=base64url(bytes(n)))


def sign_hmac(s):
    with open(s.world.key.path, "rb") as f:
        secret = f.read()
    text = base64url(compact({"alg": "HS256", "typ": "at+jwt", "kid": s.world.key.kid})) + "." + base64url(compact(s.claims()))
    return text + "." + base64url(hmac.new(secret, text.encode(), "sha256").digest())


def add_introspection():
    for name, what, want in wire_faults(lambda s: dict({"active": True}, **s.claims())):
        # An answer that cannot be used may be about one token alone: only an issuer that is not there is left in peace for a while.
        scenario("introspection: " + name, answer(INTROSPECTION, what), want, by="opaque",
                 most={INTROSPECTION: 1 + AFTERWARDS if want == ANSWER else 1})
    for name, status in (("400", 400), ("401 to our own credentials", 401), ("403 to our own credentials", 403)):
        scenario("introspection: status " + name, answer(INTROSPECTION, http({"error": "invalid_client"}, status)), ANSWER, by="opaque")
    for how, want in (("expired", UNTRUSTED), ("stranger", UNTRUSTED), ("reset", UNREACHABLE)):
        scenario("introspection: a connection that is " + how, silently, want, by="opaque",
                 story=lambda s, how=how: introspect_by(s, how))
    for name, active in (("\"true\"", "true"), ("1", 1), ("null", None), ("an array", [True]), ("an object", {"a": True}), ("\"false\"", "false")):
        scenario("introspection: active is " + name, silently, ANSWER, by="opaque", recovers=False,
                 token=lambda s, v=active: s.opaque(dict(s.claims(), active=v)))
    scenario("introspection: active is missing", silently, ANSWER, by="opaque", recovers=False, token=lambda s: s.opaque(s.claims()))
    scenario("introspection: active twice", answer(INTROSPECTION, lambda s: http('{"active": false, "active": true, ' + json.dumps(s.claims())[1:])),
             ANSWER, by="opaque")
    scenario("introspection: Active in capitals", silently, ANSWER, by="opaque", recovers=False,
             token=lambda s: s.opaque(dict(s.claims(), Active=True)))
    add_introspected_claims()
    for name, uri in (("of http", lambda s: "http://127.0.0.1:%d/introspect" % s.issuer.port),
                      ("at loopback by name", lambda s: "https://localhost:%d/introspect" % s.issuer.port),
                      ("at a cloud's metadata address", "https://169.254.169.254/"), ("that is missing", None)):
        scenario("introspection: an endpoint " + name, document(introspection_endpoint=uri), ("undecided", "issuer_untrusted issuer_answer"),
                 by="opaque", most={INTROSPECTION: 0}, recovers=not name.startswith("at "))
    scenario("introspection: a token that it does not know", silently, ("rejected", "inactive"), by="opaque", token=lambda s: "never-heard-of")
    scenario("introspection: a token that is inactive", silently, ("rejected", "inactive"), by="opaque", token=lambda s: s.opaque({"active": False}))
    scenario("introspection: inactive with all claims of a good one", silently, ("rejected", "inactive"), by="opaque",
             token=lambda s: s.opaque(dict(s.claims(), active=False)))
    scenario("always: a signed token that is inactive", silently, ("rejected", "inactive"), by="always")
    scenario("always: a signature that is none is not asked about", silently, ("rejected", "bad_signature"), by="always", most={INTROSPECTION: 0},
             token=lambda s: remember(s, s.sign())[:-8] + "AAAAAAAA")
    scenario("always: an issuer that is out of order", answer(INTROSPECTION, http(status=503)), UNREACHABLE, by="always",
             token=lambda s: remember(s, s.sign()))
    scenario("always: the answer is of another person", silently, ANSWER, by="always", recovers=False, token=lambda s: told_otherwise(s, sub="bob"))
    scenario("always: the answer takes the scope away", silently, ("rejected", "insufficient_scope"), by="always",
             most={INTROSPECTION: 1 + AFTERWARDS}, token=lambda s: told_otherwise(s, scope="other"))
    scenario("opaque: a signed token is not asked about", silently, PROVED, by="opaque", most={INTROSPECTION: 0}, token=lambda s: s.sign())
    scenario("opaque: a signed token with a bad signature is not asked about", silently, ("rejected", "bad_signature"), by="opaque",
             most={INTROSPECTION: 0}, token=lambda s: remember(s, s.sign())[:-8] + "AAAAAAAA")


def told_otherwise(s, **changes):
    token = remember(s, s.sign())
    s.issuer.opaque[token].update(changes)
    return token


def introspect_by(s, how):
    """Metadata came over a good connection; those behind it are not."""
    s.expect_proof(s.opaque(), "before")
    s.issuer.connect(how)


def add_introspected_claims():
    """What an active token's answer says is judged like a signed token's claims; what it says wrong is the token's fault."""
    now = int(time.time())
    for name, changes, want in (
            ("another issuer", {"iss": ELSEWHERE}, ("rejected", "iss")),
            ("another audience", {"aud": ELSEWHERE}, ("rejected", "aud")),
            ("an audience that ours begins with", {"aud": "https://localhost/"}, ("rejected", "aud")),
            ("no audience", {"aud": None}, "rejected"),
            ("an expiry that is past", {"exp": now - 600}, ("rejected", "expired")),
            ("an expiry that is a text", {"exp": str(now + LATER)}, ("rejected", "malformed_claim")),
            ("no expiry", {"exp": None}, ("rejected", "claim_missing")),
            ("a beginning in the future", {"nbf": now + LATER}, ("rejected", "not_yet_valid")),
            ("a refresh token's type", {"token_type": "refresh_token"}, ("rejected", "typ")),
            ("a DPoP token's type", {"token_type": "DPoP"}, ("rejected", "cnf")),
            ("a key that it is bound to", {"cnf": {"jkt": "x" * 43}}, ("rejected", "cnf")),
            ("scopes in an array", {"scope": ["mail"]}, ("rejected", "malformed_claim")),
            ("no scope", {"scope": None}, ("rejected", "insufficient_scope")),
            ("a longer scope", {"scope": "mail.read mailx"}, ("rejected", "insufficient_scope")),
            ("no subject", {"sub": None}, ("rejected", "claim_missing")),
            ("a subject with a line's end", {"sub": "alice\nroot"}, ("rejected", "unsafe_identity")),
            ("the subject root", {"sub": "root"}, ("rejected", "user_denied"))):
        scenario("introspection: " + name, silently, want, by="opaque", most={INTROSPECTION: 1 + AFTERWARDS},
                 token=lambda s, c=changes: s.opaque(**c))


# ---- what takes more than a row ----

def add_stories():
    def story(name, function, want=PROVED, act=silently, **more):
        scenario(name, act, want, story=function, **more)
    story("rotation: a new key's first token is proved by one more request", rotate, most={KEYS: 2}, is_slow=True)
    story("rotation: a flood of names of keys that are none", flood_of_kids, most={KEYS: 2})
    story("rotation: keys that are known outlive the issuer", outlive, most={KEYS: 2})
    story("one request however many wait: keys", wait_together, act=lambda s: close_gate(s, KEYS))
    story("one request however many wait: introspection", wait_together, act=lambda s: close_gate(s, INTROSPECTION), by="opaque")
    story("one request however late somebody comes", come_later, act=answer(INTROSPECTION, [HANG]), want=("undecided", "issuer_unreachable"),
          by="opaque", is_slow=True)
    story("one connection however late somebody comes", connect_later, want=("undecided", "issuer_unreachable timeout"), by="opaque",
          most={INTROSPECTION: 2}, is_slow=True)
    story("a silent issuer holds up nobody else", hold_up_nobody, act=answer(INTROSPECTION, [HANG]), want=("undecided", "issuer_unreachable"),
          by="opaque", is_slow=True)
    story("introspection: a flood of tokens that nobody issued", flood_of_tokens, by="opaque")
    story("introspection: an answer counts for the next logins, too", ask_twice, by="opaque")
    story("introspection: credentials are sent as RFC 6749 encodes them, the token in the body alone", see_credentials, by="opaque")
    story("introspection: credentials are in the body where the issuer takes them there alone", see_credentials_in_body, by="opaque",
          act=document(introspection_endpoint_auth_methods_supported=["client_secret_post"]))
    story("introspection: an assertion is for the issuer alone, and each time another", see_assertions, by="opaque", auth="private_key_jwt")


def rotate(s):
    s.expect_proof(s.sign(), "by the old key")
    s.issuer.keys = [s.world.other, s.world.key]
    token = s.sign(s.world.other)
    wait_until(lambda: s.login(token).verdict()[0] == "proved" or time.sleep(1), "a login by the new key", COOL_DOWN_S + 10)


def flood_of_kids(s):
    s.expect_proof(s.sign(), "before")
    for login in [s.login(s.sign(header={"kid": "none-%d" % i})) for i in range(40)]:
        got = login.verdict()
        assert got == ("rejected", "unknown_kid"), got


def outlive(s):
    s.expect_proof(s.sign(), "before")
    s.issuer.close_listener()
    got = s.login(s.sign(header={"kid": "not-there"})).verdict()
    assert got[0] != "proved", got


def close_gate(s, place):
    """The first answer comes when the test says so."""
    s.place, s.gate = place, threading.Event()
    s.issuer.behave(place, lambda request: [s.gate, s.issuer.honest(request)], times=1)


def wait_together(s):
    token = s.make_token(s)
    logins = [s.login(token) for _ in range(40)]
    wait_until(lambda: s.issuer.count(s.place) == 1, "the one request")
    s.gate.set()
    verdicts = {login.verdict() for login in logins}
    assert verdicts == {("proved", None)}, verdicts
    assert s.issuer.count(s.place) == 1, s.issuer.requests()
    s.issuer.seen.clear()


def come_later(s):
    """A question that gets no answer is not asked again for whoever comes while it stands."""
    token = s.make_token(s)
    first = s.login(token)
    wait_until(lambda: s.issuer.count(INTROSPECTION) == 1, "the request that gets no answer")
    late = []
    while not select.select([first.socket], [], [], 1.2)[0]:
        late.append(s.login(token))
        assert s.issuer.count(INTROSPECTION) == 1, s.issuer.requests()
    assert late and first.verdict()[0] == "undecided" and s.issuer.count(INTROSPECTION) == 1, s.issuer.requests()
    for login in late:
        assert login.verdict()[0] == "undecided"


def connect_later(s):
    """The same while TLS is not there yet: nothing happens on that connection until its time is over."""
    s.expect_proof(s.opaque(), "before")
    s.expect_proof(s.sign(), "keys, before")
    s.issuer.connect("silent")
    token, before = s.opaque(), s.issuer.connections
    first = s.login(token)
    wait_until(lambda: s.issuer.connections == before + 1, "the connection that comes to nothing")
    late = []
    while not select.select([first.socket], [], [], 1.2)[0]:
        late.append(s.login(token))
    count = s.issuer.connections - before
    assert late and first.verdict()[0] == "undecided" and count == 1, "%d connections" % count
    for login in late:
        assert login.verdict()[0] == "undecided"


def hold_up_nobody(s):
    token = s.make_token(s)
    stuck = [s.login(token) for _ in range(30)]
    wait_until(lambda: s.issuer.count(INTROSPECTION) == 1, "the request that gets no answer")
    s.world.neighbour.expect_proof(s.world.neighbour.sign(), "a login by another issuer")
    assert not select.select([login.socket for login in stuck], [], [], 0)[0], "those who wait had their answer first"
    for login in stuck:
        assert login.verdict()[0] == "undecided"


def flood_of_tokens(s):
    """All of one source: what is more than its bucket holds is undecided, and the issuer does not hear of it."""
    began = time.monotonic()
    verdicts = [login.verdict() for login in [s.login("nobody-issued-%d" % i) for i in range(200)]]
    took_s = time.monotonic() - began
    assert {("rejected", "inactive"), ("undecided", "busy")} <= set(verdicts) <= {("rejected", "inactive"), ("undecided", "busy"), SLOW}, \
        set(verdicts)
    assert s.issuer.count(INTROSPECTION) <= SOURCE_BURST + SOURCE_PER_S * (took_s + 1), "%d questions in %.1f s" % (
        s.issuer.count(INTROSPECTION), took_s)
    token = s.make_token(s)
    wait_until(lambda: s.login(token).verdict() == ("proved", None), "a login when the flood is over")
    s.issuer.seen.clear()


def ask_twice(s):
    token = s.make_token(s)
    for _ in range(5):
        s.expect_proof(token, "again")
    assert s.issuer.count(INTROSPECTION) == 1, s.issuer.requests()
    s.issuer.seen.clear()


def see_credentials(s):
    token = s.make_token(s)
    s.expect_proof(token, "a login")
    request = s.issuer.requests(INTROSPECTION)[0]
    assert request.client == ("basic", "door 1", SECRET) and request.form["token"] == token and request.method == "POST", request.headers
    assert "client_secret" not in request.form and token not in request.target
    s.issuer.seen.clear()


def see_credentials_in_body(s):
    s.expect_proof(s.make_token(s), "a login")
    request = s.issuer.requests(INTROSPECTION)[0]
    assert request.client == ("post", "door 1", SECRET) and "authorization" not in request.headers, request.headers
    s.issuer.seen.clear()


def see_assertions(s):
    for _ in range(2):
        s.expect_proof(s.make_token(s), "a login")
    clients = [request.client for request in s.issuer.requests(INTROSPECTION)]
    assert [c[:2] for c in clients] == [("private_key_jwt", "door 1")] * 2, clients
    for claims in (c[2] for c in clients):
        assert claims["iss"] == "door 1" and claims["aud"] == s.issuer.url and 0 < claims["exp"] - time.time() <= 300, claims
    assert clients[0][2]["jti"] != clients[1][2]["jti"]
    s.issuer.seen.clear()


# ---- the world that they share ----

class World:
    """A posternd with some of the scenarios, and a neighbour who is always honest."""

    def __init__(self, ca, scenarios):
        self.authority, self.key, self.other, self.rsa, self.weak = ca.authority, ca.key, ca.other, ca.rsa, ca.weak
        self.scenarios, self.daemon, self.folder = scenarios, None, Folder()
        for name in ("issuer.conf", "issuers/local.conf", "services/ldap.conf"):  # the embedded issuer is not of interest here
            os.unlink(self.folder.path + "/etc/" + name)
        os.makedirs(self.folder.path + "/etc/clients")
        self.ca_file, self.secret_file = self.folder.path + "/ca.crt", self.folder.path + "/secret"
        shutil.copy(ca.authority.file, self.ca_file)
        with open(self.secret_file, "w") as f:
            f.write(SECRET)
        os.chmod(self.secret_file, 0o600)
        self.neighbour = Scenario("a neighbour", silently, PROVED)

    def start(self):
        for number, s in enumerate(self.scenarios + [self.neighbour]):
            s.prepare(self, number)
        self.began = time.monotonic()
        self.daemon = Daemon(BUILD + "/posternd", self.folder)
        self.daemon.wait_ready()

    def dispose(self):
        for s in self.scenarios + [self.neighbour]:
            if s.issuer is not None:
                s.issuer.stop()
        if self.daemon is not None:
            self.daemon.dispose()
        self.folder.remove()


class Keys:
    """What is made once: an authority, and keys of several kinds."""

    def __init__(self, folder):
        self.authority = Authority(folder)
        self.key, self.other = Key(folder, "key"), Key(folder, "other")
        self.rsa, self.weak = Key(folder, "rsa", "RS256"), Key(folder, "weak", "RS256", 1024)


def run_world(keys, scenarios):
    """One posternd from its beginning to its end, with all its scenarios at once."""
    world = World(keys, scenarios)
    try:
        world.start()
        run_all(scenarios, len(scenarios))
        ended = world.daemon.stop()
        daemon.report(ended == 0, "posternd ends well", "exit status %d" % ended)
    except Exception:
        daemon.report(False, "a posternd with %d scenarios" % len(scenarios), (world.daemon.log() if world.daemon else "") + traceback.format_exc())
    finally:
        world.dispose()


def split_by_pace(scenarios):
    """Those that wait first: the others' helpers start and end meanwhile."""
    return [s for s in scenarios if s.is_slow], [s for s in scenarios if not s.is_slow]


def main():
    if os.geteuid() != 0:
        print("not ok - needs root")
        return 1
    for add in (add_honest, add_connections, add_metadata, add_keys, add_tokens, add_introspection, add_stories):
        add()
    chosen = [s for s in TABLE if len(sys.argv) == 1 or re.search(sys.argv[1], s.name)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))  # a listener for each scenario, and connections
    with tempfile.TemporaryDirectory(prefix="postern-test.") as folder:
        keys = Keys(folder)
        groups = [pace[at:at + FOR_EACH_HELPER] for pace in split_by_pace(chosen) for at in range(0, len(pace), FOR_EACH_HELPER)]
        with concurrent.futures.ThreadPoolExecutor(WORLDS) as pool:
            list(pool.map(lambda group: run_world(keys, group), groups))
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


sys.exit(main())
