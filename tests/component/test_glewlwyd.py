#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The agent's side against a second authorization server that nobody here wrote: Debian's glewlwyd, written in C, with a database of
its own in a temporary folder.  Its tokens go through the helper of a real posternd as well.  TAP output; the last part needs root.

What differs from the server of test_foreign_issuer.py, and which settings make it work:
- Metadata is openid-configuration below the issuer's path alone; `iss` in an answer (RFC 9207) is a setting: oauth-as-iss-id.
- A redirect URI is compared as a whole, with its port: `postern login --port`.  With scope openid it wants a nonce, so the agent
  asks for its own scopes only: allow-non-oidc.
- `resource` (RFC 8707) is a setting, resource-allowed, takes https URLs only, and is what the token is for.  Without it aud is the
  list of scopes, which is no service's name here.
- A client that it does not know gets 403 and no body: not an answer by RFC 6749, section 5.2, and reported as such.
- An assertion (RFC 7523) must be for its token endpoint.  Ours are for the issuer alone (rfc7523bis), so that no other server can
  use one; private_key_jwt is therefore not to be had here, and a test says so.
- Access tokens are at+jwt with client_id, jti and scope (RFC 9068).  A person's sub is a random word: who it is comes from a claim
  that is added by additional-parameters, and `username_claim` of issuers/NAME.conf names it.
- It has no token exchange.
"""
import base64
import http.cookiejar
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402
from test_posternd import ask  # noqa: E402

BUILD = os.environ.get("POSTERN_BUILD", ".")
POSTERN, TOKEN_TOOL = BUILD + "/postern", BUILD + "/tests/support/token_tool"
IMAP, LDAP = "https://mail.example.org/imap", "https://ldap.example.org/ldap"
SECRET, PASSWORD, ADMIN = "s3cr3t-of-agent-7", "correct horse battery", "password"  # the last is of its init script
INIT = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
CONFIGURATION = "/etc/glewlwyd/glewlwyd.conf"
SCOPES = ("mail.read", "ldap.read")
OWN_KEYS = ("port", "external_url", "log_mode", "log_file", "login_url", "use_secure_connection", "secure_connection_", "@include")


class Stop(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        return None


class Browser:
    """Somebody with a session cookie at glewlwyd's own API."""

    def __init__(self, base, name, password):
        self.base = base
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), Stop)
        status, body, _ = self.ask("POST", "/api/auth", {"username": name, "password": password})
        assert status == 200, (name, status, body)

    def ask(self, method, path, body=None):
        """(status, body, Location)"""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(urllib.parse.urljoin(self.base, path), data, {"Content-Type": "application/json"}, method=method)
        try:
            answer = self.opener.open(request, timeout=20)
        except urllib.error.HTTPError as e:
            answer = e
        with answer:
            return answer.code, answer.read().decode(), answer.headers.get("Location")

    def must(self, method, path, body=None):
        status, text, _ = self.ask(method, path, body)
        assert status == 200, (method, path, status, text)
        return text


class Server:
    """A glewlwyd of our own, as the user who runs the test; `certificate`: (its file, its key's file), for HTTPS."""

    def __init__(self, certificate=None):
        self.port, self.redirect_port = daemon.free_port(), daemon.free_port()
        self.certificate = certificate
        self.base = "%s://127.0.0.1:%d" % ("https" if certificate else "http", self.port)
        self.issuer = self.base + "/api/oidc"
        self.prepare()
        self.log = open(FOLDER + "/glewlwyd.log", "w")
        self.process = subprocess.Popen(["glewlwyd", "--config-file=" + FOLDER + "/glewlwyd.conf"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT)
        try:
            daemon.wait_until(self.answers, "glewlwyd answers")
            self.register()
        except BaseException:
            self.stop()
            raise

    def prepare(self):
        with open(INIT) as f, sqlite3.connect(FOLDER + "/glewlwyd.db") as db:
            db.executescript(f.read())
        db.close()
        with open(CONFIGURATION) as f:
            kept = [line for line in f if not line.strip().startswith(OWN_KEYS)]
        with open(FOLDER + "/glewlwyd.conf", "w") as f:
            f.write("".join(kept))
            f.write('port=%d\nbind_address="127.0.0.1"\nexternal_url="%s"\n' % (self.port, self.base))
            f.write('login_url="login.html"\nlog_mode="console"\n')
            if self.certificate:
                f.write('use_secure_connection=true\nsecure_connection_pem_file="%s"\nsecure_connection_key_file="%s"\n' % self.certificate)
            f.write('database={type="sqlite3";path="%s/glewlwyd.db"};\n' % FOLDER)

    def answers(self):
        assert self.process.poll() is None, "glewlwyd ended; see %s" % self.log.name
        try:
            with urllib.request.urlopen(self.base + "/config", None, 5):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def keys(self):
        """The settings of its signing key."""
        return {"jwt-type": "ecdsa", "jwt-key-size": "256", "key": read("server.pem"), "cert": read("server.pub")}

    def plugin(self, keys):
        return {"module": "oidc", "name": "oidc", "display_name": "oidc", "enabled": True, "parameters": dict(keys, **{
            "iss": self.issuer, "oauth-as-iss-id": True, "allow-non-oidc": True, "subject-type": "public", "jwks-show": True,
            "access-token-duration": 600, "refresh-token-duration": 3600, "code-duration": 60,
            "refresh-token-rolling": False, "refresh-token-one-use": "always", "auth-type-code-revoke-replayed": True,
            "auth-type-code-enabled": True, "auth-type-client-enabled": True, "auth-type-refresh-enabled": True,
            "allowed-scope": ["openid"] + list(SCOPES), "pkce-allowed": True, "pkce-required": True, "pkce-method-plain-allowed": False,
            "introspection-revocation-allowed": True, "introspection-revocation-allow-target-client": True,
            "resource-allowed": True, "resource-client-property": "resource", "resource-scope-and-client-property": False,
            "request-parameter-allow": True, "request-maximum-exp": 3600, "client-pubkey-parameter": "pubkey",
            "additional-parameters": [{"user-parameter": "username", "token-parameter": "preferred_username"}]})}

    def register(self):
        admin = Browser(self.base, "admin", ADMIN)
        for scope in SCOPES + ("admin.all",):
            admin.must("POST", "/api/scope/", {"name": scope, "display_name": scope, "password_required": False})
        admin.must("POST", "/api/mod/plugin/", self.plugin(self.keys()))
        admin.must("POST", "/api/user/", {"username": "alice", "name": "Alice", "password": PASSWORD, "enabled": True,
                                          "scope": ["g_profile"] + list(SCOPES)})
        common = {"enabled": True, "confidential": True, "scope": list(SCOPES), "resource": [IMAP, LDAP],
                  "authorization_type": ["code", "client_credentials", "refresh_token"],
                  "redirect_uri": ["http://127.0.0.1:%d/callback" % self.redirect_port]}
        for name, more in (("agent-7", {"client_secret": SECRET, "token_endpoint_auth_method": ["client_secret_basic"]}),
                           ("agent-8", {"pubkey": read("agent.pub"), "token_endpoint_auth_method": ["private_key_jwt"]})):
            admin.must("POST", "/api/client/", dict(common, client_id=name, name=name, **more))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(daemon.DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def read(name):
    with open(FOLDER + "/" + name) as f:
        return f.read()


def make_keys():
    for name in ("server", "agent", "other"):
        path = "%s/%s" % (FOLDER, name)
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path + ".pem"], check=True,
                       stderr=subprocess.DEVNULL)
        os.chmod(path + ".pem", 0o600)
        subprocess.run(["openssl", "pkey", "-in", path + ".pem", "-pubout", "-out", path + ".pub"], check=True)
    for name, text in (("secret", SECRET), ("wrong", "not-" + SECRET)):
        with open(os.open(FOLDER + "/" + name, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(text)


# ---- the agent ----



def environment():
    e = {"PATH": os.environ.get("PATH", ""), "HOME": FOLDER, "XDG_STATE_HOME": FOLDER + "/state", "XDG_RUNTIME_DIR": FOLDER}
    e.update({n: os.environ[n] for n in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if n in os.environ})
    return e


def start(server, command, *more, client="agent-7", auth="secret", file="secret"):
    words = [POSTERN, command, "--issuer", server.issuer, "--client-id", client, "--client-auth", auth, "--allow-loopback-http",
             "--loopback-user", str(os.getuid()), "--secret-file", FOLDER + "/" + file]
    return subprocess.Popen(words + list(more), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


def postern(server, command, *more, **who):
    """(status, out, err); no secret is ever said."""
    p = start(server, command, *more, **who)
    out, err = p.communicate(timeout=60)
    assert SECRET not in out + err, "the secret is said"
    return p.returncode, out, err


def part(token, i):
    text = token.strip().split(".")[i]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def claims(token):
    return part(token, 1)


def log_in(server, *more, scope="mail.read", grants="mail.read", **who):
    """`postern login`; the person logs in, consents, and is sent back, all over glewlwyd's own API: (status, url, err)."""
    p = start(server, "login", "--no-browser", "--port", str(server.redirect_port), "--timeout", "60", "--resource", IMAP, "--scope", scope,
              *more, **who)
    try:
        url = p.stdout.readline().strip()
        if url:
            person = Browser(server.base, "alice", PASSWORD)
            person.must("PUT", "/api/auth/grant/" + who.get("client", "agent-7"), {"scope": grants})
            status, text, back = person.ask("GET", url + "&g_continue")
            assert back and back.startswith("http://127.0.0.1:%d/callback" % server.redirect_port), (status, text, back)
            with urllib.request.urlopen(back, None, 60) as r:
                assert r.status == 200
        _, err = p.communicate(timeout=60)
    finally:
        if p.poll() is None:
            p.kill()
            p.communicate()
    return p.returncode, url, err


def entry():
    folder = FOLDER + "/state/postern/logins"
    names = [n for n in os.listdir(folder) if len(n) == 64]
    assert len(names) == 1, names
    with open(os.path.join(folder, names[0])) as f:
        return os.path.join(folder, names[0]), json.load(f)


def keep(**members):
    path, e = entry()
    with open(path, "w") as f:
        json.dump(dict(e, **members), f)
    return e


def forget():
    shutil.rmtree(FOLDER + "/state", ignore_errors=True)
    os.makedirs(FOLDER + "/state")


# ---- tests ----

def test_client_credentials(server):
    got = postern(server, "token", "--no-cache", "--resource", IMAP, "--scope", "mail.read")
    own = claims(got[1]) if got[0] == 0 else {}
    daemon.report(got[0] == 0 and part(got[1], 0)["typ"] == "at+jwt" and own["aud"] == IMAP and own["scope"] == "mail.read" and
                  (own["iss"], own["sub"], own["client_id"]) == (server.issuer, "agent-7", "agent-7"), "an agent gets a token with its secret",
                  (got, own))
    got = postern(server, "token", "--no-cache", "--resource", IMAP, "--scope", "mail.read", file="wrong")
    daemon.report(got[0] == 3 and "status 403" in got[2] and got[1] == "", "a wrong secret gets nothing", got)
    got = postern(server, "token", "--no-cache", "--resource", IMAP, "--scope", "mail.read", client="agent-9")
    daemon.report(got[0] == 3 and "status 403" in got[2] and got[1] == "", "a client that nobody registered gets nothing", got)
    got = postern(server, "token", "--no-cache", "--resource", IMAP, "--scope", "admin.all")
    daemon.report(got[0] == 1 and "scope" in got[2] and got[1] == "", "a scope that the client may not have gets nothing", got)
    got = postern(server, "token", "--no-cache", "--resource", "https://other.example.org/", "--scope", "mail.read")
    daemon.report(got[0] == 1 and "invalid_target" in got[2] and got[1] == "", "a resource of somebody else gets nothing", got)


def ask_with_assertion(server, audience, key="agent"):
    """client_credentials with an assertion of our own making: (status, answer)."""
    now = int(time.time())
    text = json.dumps({"iss": "agent-8", "sub": "agent-8", "aud": audience, "iat": now, "exp": now + 60, "jti": os.urandom(12).hex()})
    run = subprocess.run([TOKEN_TOOL, "sign", "%s/%s.pem" % (FOLDER, key), "JWT"], input=text, check=True, capture_output=True, text=True)
    form = {"grant_type": "client_credentials", "scope": "mail.read", "resource": IMAP, "client_id": "agent-8",
            "client_assertion": run.stdout.strip(), "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    try:
        with urllib.request.urlopen(server.issuer + "/token", urllib.parse.urlencode(form).encode(), 20) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def test_assertions_go_to_the_issuer_alone(server):
    endpoint = server.issuer + "/token"
    good, bad, other = (ask_with_assertion(server, *a) for a in ((endpoint,), (server.issuer,), (endpoint, "other")))
    daemon.report(good[0] == 200 and bad[0] != 200 and other[0] != 200, "this server takes assertions for its token endpoint alone",
                  (good, bad, other))
    who = dict(client="agent-8", auth="private_key_jwt", file="agent.pem")
    got = postern(server, "token", "--no-cache", "--resource", IMAP, "--scope", "mail.read", **who)
    daemon.report(got[0] == 3 and "status 403" in got[2] and got[1] == "", "an agent does not sign for an endpoint that its server would like better", got)


def test_login(server):
    forget()
    status, url, err = log_in(server)
    daemon.report(status == 0 and "code_challenge_method=S256" in url and "may now act" in err, "a person says yes to an agent", (status, url, err))
    path, e = entry()
    own = claims(e["access_token"])
    daemon.report(os.stat(path).st_mode & 0o777 == 0o600 and e["refresh_token"] and own["aud"] == IMAP and own["client_id"] == "agent-7" and
                  own["preferred_username"] == "alice" and own["scope"] == "mail.read", "the token says who, for whom and where", own)
    got = postern(server, "token", "--login", "--resource", IMAP)
    daemon.report(got[0] == 0 and got[1] == e["access_token"] + "\n", "the stored token is used while it is good", got)
    keep(expires=1)
    got = postern(server, "token", "--login", "--resource", IMAP)
    new = entry()[1]
    daemon.report(got[0] == 0 and got[1] == new["access_token"] + "\n" and got[1] != e["access_token"] + "\n" and
                  new["refresh_token"] != e["refresh_token"] and claims(got[1])["preferred_username"] == "alice",
                  "a token that is past is refreshed, and the refresh token rotates", (got, e, new))
    got = postern(server, "logout", "--resource", IMAP)
    daemon.report(got[0] == 0 and "Refresh token generated for client 'agent-7' revoked" in read("glewlwyd.log") and
                  os.listdir(FOLDER + "/state/postern/logins") == [], "logout revokes at the server and forgets", got)
    got = postern(server, "token", "--login", "--resource", IMAP)
    daemon.report(got[0] == 1 and "login_needed" in got[2], "after logout a person is needed again", got)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:  # a copy from before
        json.dump(dict(new, expires=1), f)
    got = postern(server, "token", "--login", "--resource", IMAP)
    daemon.report(got[0] != 0 and got[1] == "", "a copy of what was given back is worth nothing", got)


def test_reuse(server):
    """The old refresh token in the file, as a copy from a backup would bring it: the server ends the family."""
    forget()
    said = log_in(server)
    assert said[0] == 0, said
    old = keep(expires=1)
    postern(server, "token", "--login", "--resource", IMAP)
    newest = entry()[1]["refresh_token"]
    keep(expires=1, refresh_token=old["refresh_token"])
    got = postern(server, "token", "--login", "--resource", IMAP)
    daemon.report(got[0] != 0 and got[1] == "" and newest != old["refresh_token"], "a refresh token that was used before gets nothing", got)
    keep(expires=1, refresh_token=newest)
    got = postern(server, "token", "--login", "--resource", IMAP)
    daemon.report(got[0] != 0 and got[1] == "", "its second use ends the one that came after it", got)


def test_narrower(server):
    forget()
    status, _, err = log_in(server, scope="mail.read ldap.read", grants="mail.read")
    e = entry()[1] if status == 0 else {}
    daemon.report(status == 0 and e["scope"] == "mail.read" and claims(e["access_token"])["scope"] == "mail.read", "a person may grant less",
                  (status, err, e))


def commented(text):
    return "".join("# %s\n" % line for line in text.splitlines()[-30:])


def verify(folder, token):
    p = subprocess.run([POSTERN, "verify", "--config", folder.path + "/etc", "--service", "imap"], input=token, capture_output=True, text=True,
                       timeout=60)
    return json.loads(p.stdout)


def test_at_a_service(server):
    """Both kinds of token through `postern verify` and the helper of a posternd that trusts this server by a key set in a file."""
    if os.geteuid() != 0:
        daemon.report(True, "a service takes its tokens # SKIP needs root")
        return
    forget()
    said = log_in(server)
    assert said[0] == 0, said
    person = entry()[1]["access_token"]
    token, elsewhere = (postern(server, "token", "--no-cache", "--resource", r, "--scope", "mail.read")[1].strip() for r in (IMAP, LDAP))
    nowhere = postern(server, "token", "--no-cache", "--scope", "mail.read")[1].strip()
    folder, d = daemon.Folder(), None
    try:
        with urllib.request.urlopen(server.issuer + "/jwks", None, 20) as r, open(folder.path + "/run-jwks.json", "wb") as f:
            f.write(r.read())
        trust = {"issuer": server.issuer, "jwks_file": folder.path + "/run-jwks.json", "allow_loopback_http": "yes"}
        folder.write("issuers/glewlwyd.conf", trust)
        folder.write("services/ldap.conf", {"audience": LDAP, "helper_peers": "root", "issuers": "local"})
        folder.write("services/imap.conf", {"audience": IMAP, "helper_peers": "root", "issuers": "glewlwyd", "required_scopes": "mail.read"})
        d = daemon.Daemon(BUILD + "/posternd", folder)
        d.wait_ready()
        got = [(ask(folder, t, "imap")[:2], verify(folder, t)) for t in (token, elsewhere, nowhere, token[:-8] + "AAAAAAAA")]
        daemon.report([g[0][0] for g in got] == ["proved", "rejected", "rejected", "rejected"] and [g[0][1] for g in got[1:3]] == ["aud", "aud"],
                      "the helper takes an agent's token, at the service that it is for", got)
        daemon.report([g[1]["outcome"] for g in got] == ["proved", "rejected", "rejected", "rejected"] and got[0][1]["user"] == "agent-7",
                      "postern verify says the same", got)
        folder.write("issuers/glewlwyd.conf", dict(trust, username_claim="preferred_username"))
        d.signal(signal.SIGHUP)
        d.wait_ready(2)
        d.wait_log(r"^posternd: helper \d+ drained")  # until then it may still be who accepts
        verdict = verify(folder, person)
        asked = ask(folder, person, "imap")
        record = [r for r in daemon.records_in(folder.path + "/log/audit.jsonl") if r["event"] == "verify"][-1]
        daemon.report(asked[0] == "proved" and verdict["user"] == "alice" and (record["agent"], record["human"]) == ("agent-7", "alice"),
                      "of a person's token both names are known", (asked, verdict, record))
    finally:
        if d is not None:
            d.stop()
            print(commented(d.log()), end="")
            d.dispose()
        folder.remove()


def main():
    global FOLDER
    if shutil.which("glewlwyd") is None or not os.path.exists(INIT):
        print("ok - glewlwyd # SKIP it is not installed")
        return 0
    with tempfile.TemporaryDirectory(prefix="postern-test.") as FOLDER:
        make_keys()
        forget()
        server = Server()
        try:
            for test in (test_client_credentials, test_assertions_go_to_the_issuer_alone, test_login, test_reuse, test_narrower,
                         test_at_a_service):
                try:
                    test(server)
                except Exception:  # a failed test must not stop the others
                    daemon.report(False, test.__name__.replace("_", " "), traceback.format_exc())
        finally:
            print(commented(read("glewlwyd.log")) if daemon.failed else "", end="")
            server.stop()
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


if __name__ == "__main__":
    sys.exit(main())
