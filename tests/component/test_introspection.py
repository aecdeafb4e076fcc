#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tokens whose issuer is asked about them (RFC 7662), through the helper of a real posternd: signed ones of the embedded issuer and
of Debian's glewlwyd (`introspection: always`), opaque ones of npm oidc-provider.  TAP output; needs root."""
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402
import test_foreign_issuer as foreign  # noqa: E402
import test_glewlwyd as glewlwyd  # noqa: E402
from test_posternd import add_agent, administer, ask, fetch_token  # noqa: E402

BUILD = os.environ.get("POSTERN_BUILD", ".")
PEERS = os.environ.get("POSTERN_PEERS", "")
IMAP = "https://mail.example.org/imap"


def decide(folder, token, service="ldap", is_undecided=None):
    """As ask(), until there is a verdict, or none for that reason: a busy machine may take longer than a login waits."""
    last = []

    def is_decided():
        last[:] = [ask(folder, token, service)]
        return last[0][0] != "undecided" or last[0][1] == is_undecided

    daemon.wait_until(is_decided, "a verdict on a token")
    return last[0]


class Place:
    """A posternd whose issuer files can be changed while it runs."""

    def __init__(self):
        self.folder, self.daemon, self.ready = daemon.Folder(), None, 0
        os.makedirs(self.folder.path + "/etc/clients")

    def reload(self):
        self.ready += 1
        if self.daemon is None:
            self.daemon = daemon.Daemon(BUILD + "/posternd", self.folder)
        else:
            self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_ready(self.ready)
        if self.ready > 1:  # the helper before listens until it has heard that it shall drain
            self.daemon.wait_log(r"^posternd: helper \d+ drained", self.ready - 1)

    def put_client(self, issuer, client_id, credential, auth="secret"):
        path = self.folder.path + "/credential"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(credential)
        self.folder.write("clients/posternd.conf", {"issuer": issuer, "client_id": client_id, "client_auth": auth,
                                                    "client_credential_file": path, "allow_loopback_http": "yes"})

    def put_issuer(self, name, issuer, jwks, mode, **more):
        self.folder.write("issuers/%s.conf" % name, dict({"issuer": issuer, "jwks_file": jwks, "allow_loopback_http": "yes",
                                                          "introspection": mode, "client": "posternd", "introspection_cache": "0s"}, **more))

    def verify(self, token, service, *more):
        p = subprocess.run([BUILD + "/postern", "verify", "--config", self.folder.path + "/etc", "--service", service] + list(more), input=token,
                           capture_output=True, text=True, timeout=60)
        assert token not in p.stdout + p.stderr, "the token is said"
        return p.stdout

    def record(self):
        return [r for r in daemon.records_in(self.folder.path + "/log/audit.jsonl") if r["event"] == "verify"][-1]

    def remove(self):
        if self.daemon is not None:
            self.daemon.stop()
            if daemon.failed:
                print("".join("# %s\n" % line for line in self.daemon.log().splitlines()[-30:]), end="")
            self.daemon.dispose()
        self.folder.remove()


def test_the_embedded_issuer(place):
    place.reload()
    issuer, jwks = place.folder.issuer, place.folder.path + "/run/jwks.json"
    token = fetch_token(place.folder, add_agent(place.folder))
    secret = administer(place.folder, verb="client_add", name="introspector", scopes=["ldap.read"], resources=["https://localhost/ldap"], may_introspect=True)["client_secret"]
    place.put_client(issuer, "introspector", secret)
    place.put_issuer("local", issuer, jwks, "always")
    place.reload()
    got = decide(place.folder, token)
    daemon.report(got[0] == "proved", "a signed token that its issuer calls active is proved", got)
    text = place.verify(token, "ldap", "--explain")
    daemon.report("active       passed" in text and 'as "introspector"; active' in text and "user         passed" in text,
                  "postern verify --explain shows that the issuer was asked, behind all that was found good before", text)
    place.put_client(issuer, "introspector", "not-" + secret)
    place.reload()
    got = decide(place.folder, token, is_undecided="issuer_answer")
    detail = place.record()
    daemon.report(got[:2] == ("undecided", "issuer_answer") and "clients/" in json.dumps(detail) + place.daemon.log(),
                  "credentials that the issuer refuses are undecided, and the operator is told where to look", (got, detail))
    place.put_client(issuer, "introspector", secret)
    place.reload()
    got = ask(place.folder, token[:-8] + "AAAAAAAA")
    daemon.report(got[:2] == ("rejected", "bad_signature"), "a signed token with another signature is not asked about", got)
    got = decide(place.folder, "opq_8xLOxBtZp8")
    daemon.report(got[:2] == ("rejected", "inactive"), "an opaque token that the issuer does not know is refused", (got, place.record()))
    administer(place.folder, verb="client_remove", name="agent-7")
    got = decide(place.folder, token)
    daemon.report(got[0] == "rejected" and got[1] in ("inactive", "revoked"), "a token of a client that was removed is refused", got)
    place.folder.write("issuers/local.conf", {"issuer": issuer, "jwks_file": jwks, "allow_loopback_http": "yes"})


def revoke(server, token):
    """As agent-secret, the token's own client (RFC 7009)."""
    body = urllib.parse.urlencode({"token": token, "client_id": "agent-secret", "client_secret": foreign.SECRET}).encode()
    with urllib.request.urlopen(server.issuer + "/token/revocation", body, 20) as r:
        assert r.status == 200


def test_oidc_provider(place):
    server = foreign.Server()
    try:
        oidc_provider(place, server)
    finally:
        server.stop()


def oidc_provider(place, server):
    jwks = place.folder.path + "/foreign-jwks.json"
    with urllib.request.urlopen(server.issuer + "/jwks", None, 20) as r, open(jwks, "wb") as f:
        f.write(r.read())
    place.folder.write("services/ldap.conf", {"audience": "https://localhost/ldap", "helper_peers": "root", "issuers": "local"})
    place.folder.write("services/imap.conf", {"audience": IMAP, "helper_peers": "root", "issuers": "foreign", "required_scopes": "mail.read"})
    place.put_client(server.issuer, "agent-secret", foreign.SECRET)
    place.put_issuer("foreign", server.issuer, jwks, "opaque")
    place.reload()
    foreign.forget()
    said = foreign.log_in(server, "--resource", IMAP, "--scope", "openid offline_access mail.read")
    assert said[0] == 0, said
    person = foreign.entry()[1]
    token = person["access_token"]
    own = foreign.postern(server, "token", "--no-cache", "--resource", IMAP, "--scope", "mail.read")[1].strip()
    elsewhere = foreign.postern(server, "token", "--no-cache", "--resource", foreign.LDAP, "--scope", "ldap.read")[1].strip()
    got = decide(place.folder, token, "imap")
    record = place.record()
    daemon.report(got[0] == "proved" and record["agent"] == "agent-secret" and record["human"] == "alice" and token not in json.dumps(record),
                  "an opaque token of a person is proved by its issuer's word", (got, record))
    asked = server.requests(path="/token/introspection", status=200, client="agent-secret")
    daemon.report(len(asked) >= 1 and asked[0]["method"] == "POST" and asked[0]["method_used"] == "client_secret_basic",
                  "the issuer saw a POST with our own credentials", asked)
    got = decide(place.folder, person["refresh_token"], "imap")
    daemon.report(got[0] == "rejected" and got[1] in ("aud", "typ"), "a refresh token, which is active too, is no access token", got)
    got = decide(place.folder, elsewhere, "imap")
    daemon.report(got[0] == "rejected" and got[1] in ("aud", "claim_missing"), "an opaque token for another service is refused", got)
    got = decide(place.folder, own, "imap")
    daemon.report(got[:2] == ("rejected", "claim_missing"), "an agent's own token has no sub here, and is refused", got)
    place.put_client(server.issuer, "agent-es256", open(foreign.FOLDER + "/ES256.pem").read(), "private_key_jwt")
    place.put_issuer("foreign", server.issuer, jwks, "opaque", introspection_claims="client_id", username_claim="client_id")
    place.reload()
    got = decide(place.folder, own, "imap")
    asked = server.requests(path="/token/introspection", status=200, client="agent-es256")
    daemon.report(got[0] == "proved" and len(asked) >= 1, "with introspection_claims: client_id it is proved, and asked by a signed assertion", (got, asked))
    text = json.loads(place.verify(own, "imap"))
    daemon.report(text["outcome"] == "proved" and text["user"] == "agent-secret" and text["claims"]["active"] is True,
                  "postern verify asks as well", text)
    revoke(server, token)
    revoke(server, own)
    got = [decide(place.folder, t, "imap")[:2] for t in (token, own, "made-up")]
    daemon.report(got == [("rejected", "inactive")] * 3, "what was taken back at the issuer, or was never given, is refused", got)
    before = len(server.requests(path="/token/introspection"))
    got = decide(place.folder, "with.two.dots", "imap")
    daemon.report(got[0] == "rejected" and len(server.requests(path="/token/introspection")) == before,
                  "what looks like a JWT is not asked about as opaque", got)


def test_server_that_is_down(place):
    got = ask(place.folder, "made-up-2", "imap")
    daemon.report(got[0] == "undecided" and got[1] in ("issuer_unreachable", "issuer_untrusted", "timeout"), "an issuer that is down leaves the token undecided", got)


def test_glewlwyd(place):
    if shutil.which("glewlwyd") is None or not os.path.exists(glewlwyd.INIT):
        daemon.report(True, "glewlwyd # SKIP it is not installed")
        return
    glewlwyd.make_keys()
    glewlwyd.forget()
    server = glewlwyd.Server()
    try:
        of_glewlwyd(place, server)
    finally:
        server.stop()


def of_glewlwyd(place, server):
    jwks = place.folder.path + "/glewlwyd-jwks.json"
    with urllib.request.urlopen(server.issuer + "/jwks", None, 20) as r, open(jwks, "wb") as f:
        f.write(r.read())
    place.folder.write("services/imap.conf", {"audience": IMAP, "helper_peers": "root", "issuers": "foreign", "required_scopes": "mail.read"})
    place.put_client(server.issuer, "agent-7", glewlwyd.SECRET)
    place.put_issuer("foreign", server.issuer, jwks, "always")
    place.reload()
    token, other = (glewlwyd.postern(server, "token", "--no-cache", "--resource", r, "--scope", "mail.read")[1].strip()
                    for r in (IMAP, glewlwyd.LDAP))
    got = decide(place.folder, token, "imap")
    daemon.report(got[0] == "proved", "glewlwyd: a signed token that is active is proved", (got, place.verify(token, "imap", "--explain")))
    got = decide(place.folder, other, "imap")
    daemon.report(got[:2] == ("rejected", "aud"), "glewlwyd: one for another service is refused", got)
    request = urllib.request.Request(server.issuer + "/revoke", urllib.parse.urlencode({"token": token}).encode())
    request.add_header("Authorization", "Basic " + base64.b64encode(("agent-7:" + glewlwyd.SECRET).encode()).decode())
    with urllib.request.urlopen(request, None, 20) as r:
        assert r.status == 200
    got = decide(place.folder, token, "imap")
    daemon.report(got[:2] == ("rejected", "inactive"), "glewlwyd: a signed token that was revoked there is refused at once", got)


def main():
    if os.geteuid() != 0:
        print("ok - introspection # SKIP needs root")
        return 0
    with tempfile.TemporaryDirectory(prefix="postern-test.") as folder:
        foreign.FOLDER = glewlwyd.FOLDER = folder
        tests = [test_the_embedded_issuer]
        if os.path.exists(PEERS + "/node"):
            foreign.prepare()
            tests += [test_oidc_provider, test_server_that_is_down]
        else:
            print("ok - oidc-provider # SKIP POSTERN_PEERS is not set")
        tests.append(test_glewlwyd)
        place = Place()
        try:
            for test in tests:
                try:
                    test(place)
                except Exception:  # a failed test must not stop the others
                    daemon.report(False, test.__name__.replace("_", " "), traceback.format_exc())
        finally:
            place.remove()
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


if __name__ == "__main__":
    sys.exit(main())
