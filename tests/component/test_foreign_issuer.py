#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The agent's side against an authorization server that nobody here wrote: npm oidc-provider, of the folder that
tests/peers/fetch fills.  TAP output."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402
from person import Person  # noqa: E402

POSTERN = os.environ.get("POSTERN_BUILD", ".") + "/postern"
PEERS = os.environ.get("POSTERN_PEERS", "")
HERE = os.path.dirname(os.path.abspath(__file__))
IMAP, LDAP = "https://mail.example.org/imap", "https://ldap.example.org/ldap"
SECRET = "s3cr3t-of-agent"
KEYS = {"ES256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "RS256": ["-algorithm", "RSA"], "EdDSA": ["-algorithm", "ed25519"]}
JWK = """const c = require('crypto'), fs = require('fs');
for (const f of process.argv.slice(1)) console.log(JSON.stringify(c.createPublicKey(fs.readFileSync(f)).export({ format: 'jwk' })));"""


class Server:
    def __init__(self, access_ttl=600):
        self.port = daemon.free_port()
        self.issuer = "http://127.0.0.1:%d" % self.port
        self.log = open(os.path.join(FOLDER, "server-%d.log" % self.port), "w+")
        self.process = subprocess.Popen([PEERS + "/node", HERE + "/../peers/oidc_provider.mjs", str(self.port), FOLDER + "/jwks"], stdout=self.log,
                                        stderr=subprocess.DEVNULL, env=dict(os.environ, ACCESS_TTL=str(access_ttl)))
        daemon.wait_until(lambda: any(r.get("event") == "listening" for r in self.requests()), "the server listens")

    def requests(self, **want):
        with open(self.log.name) as f:
            rows = [json.loads(line) for line in f if line.endswith("\n") and line.startswith("{")]
        return [r for r in rows if all(r.get(k) == v for k, v in want.items())]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def environment():
    e = {"PATH": os.environ.get("PATH", ""), "HOME": FOLDER, "XDG_STATE_HOME": FOLDER + "/state"}
    e.update({n: os.environ[n] for n in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if n in os.environ})
    return e


def postern(server, command, *more, client="agent-secret", auth="secret", file="secret", **options):
    """The finished command: status, out, err."""
    words = [POSTERN, command, "--issuer", server.issuer, "--client-id", client, "--client-auth", auth, "--allow-loopback-http",
             "--loopback-user", str(os.getuid())]
    words += ["--secret-file", os.path.join(FOLDER, file)] if auth != "none" else []
    p = subprocess.run(words + list(more), env=environment(), capture_output=True, text=True, timeout=60, **options)
    leak = [s for s in (SECRET,) if s in p.stdout + p.stderr]
    return p.returncode, p.stdout, p.stderr + "".join("LEAK " + s for s in leak)


def say_yes(server, url, name):
    """The development pages of oidc-provider: a login, then a consent; the address that the browser is sent to in the end."""
    person = Person(name, "x", server.issuer)
    page, outside = person.open(url)
    for _ in range(3):
        if outside is not None:
            return outside
        form = page.forms[0]
        fields = {a.get("name") for _, a in form["fields"]}
        page, outside = person.submit(page, form, **({"login": name, "password": "x"} if "login" in fields else {}))
    assert outside is not None, page.text[:500]
    return outside


def log_in(server, *more, person="alice", client="agent-secret", auth="secret", file="secret"):
    """`postern login` and a browser that says yes: (status, what it said)."""
    words = [POSTERN, "login", "--no-browser", "--issuer", server.issuer, "--client-id", client, "--client-auth", auth,
             "--allow-loopback-http", "--loopback-user", str(os.getuid()), "--timeout", "60"]
    words += ["--secret-file", os.path.join(FOLDER, file)] if auth != "none" else []
    p = subprocess.Popen(words + list(more), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    url = p.stdout.readline().strip()
    if url:
        back = say_yes(server, url, person)
        with urllib.request.urlopen(back, None, 60) as r:
            page = r.read().decode()
        assert "<script" not in page and "close this window" in page, page
    _, err = p.communicate(timeout=60)
    return p.returncode, url, err


def entry():
    folder = FOLDER + "/state/postern/logins"
    names = [n for n in os.listdir(folder) if len(n) == 64]
    assert len(names) == 1, names
    with open(os.path.join(folder, names[0])) as f:
        return os.path.join(folder, names[0]), json.load(f)


def forget():
    shutil.rmtree(FOLDER + "/state", ignore_errors=True)
    os.makedirs(FOLDER + "/state")


def expire():
    """Make the stored access token a thing of the past."""
    path, e = entry()
    e["expires"] = 1
    with open(path, "w") as f:
        json.dump(e, f)


def test_client_authentication(server):
    for alg in KEYS:
        got = postern(server, "token", "--no-cache", "--resource", IMAP, "--scope", "mail.read", client="agent-" + alg.lower(),
                      auth="private_key_jwt", file=alg + ".pem")
        daemon.report(got[0] == 0 and len(got[1]) > 20, "a foreign server takes an assertion by " + alg, got)
    got = postern(server, "token", "--no-cache", "--resource", IMAP, client="agent-es256", auth="private_key_jwt", file="RS256.pem")
    daemon.report(got[0] == 1 and "invalid_client" in got[2], "another key is refused by the server", got)
    got = postern(server, "token", "--no-cache", client="agent-public", auth="none")
    daemon.report(got[0] == 2, "a public client gets no token of its own", got)


def test_login(server, client, auth, file):
    forget()
    status, url, err = log_in(server, "--resource", IMAP, "--scope", "openid offline_access mail.read", client=client, auth=auth, file=file)
    daemon.report(status == 0 and "code_challenge_method=S256" in url and "alice" in err, "login of %s: a person says yes in a browser" % client,
                  (status, url, err))
    path, e = entry()
    mode = os.stat(path).st_mode & 0o777
    daemon.report(mode == 0o600 and e["subject"] == "alice" and e["refresh_token"] and e["access_token"],
                  "login of %s: tokens and the person's name are stored, mode 0600" % client, (oct(mode), list(e)))
    a = dict(client=client, auth=auth, file=file)
    got = postern(server, "token", "--login", "--resource", IMAP, **a)
    daemon.report(got[0] == 0 and got[1] == e["access_token"] + "\n", "token --login of %s gives the stored token" % client, got)
    got = postern(server, "exchange", "--resource", LDAP, "--scope", "ldap.read", "--purpose", "look up a phone number", "--json", **a)
    answer = json.loads(got[1] or "{}")
    daemon.report(got[0] == 0 and answer["issued_token_type"].endswith(":access_token") and answer["access_token"] != e["access_token"] and
                  server.requests(purpose="look up a phone number"), "exchange of %s gives a token for another service" % client, got)
    got = postern(server, "token", "--login", "--resource", LDAP, **a)
    daemon.report(got[0] == 0 and got[1] != e["access_token"] + "\n", "token --login of %s exchanges for another resource" % client, got)
    before = len(server.requests(grant="refresh_token", status=200))
    expire()
    got = [subprocess.Popen([POSTERN, "token", "--login", "--issuer", server.issuer, "--client-id", client, "--client-auth", auth,
                             "--allow-loopback-http", "--loopback-user", str(os.getuid()), "--resource", IMAP] +
                            (["--secret-file", os.path.join(FOLDER, file)] if auth != "none" else []),
                            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(20)]
    out = [p.communicate(timeout=60) for p in got]
    after = len(server.requests(grant="refresh_token", status=200))
    new = entry()[1]
    daemon.report(after - before == 1 and len({o for o, _ in out}) == 1 and out[0][0] == new["access_token"] + "\n" and
                  not server.requests(grant="refresh_token", error="invalid_grant"),
                  "20 processes of %s at once: one refresh, one token" % client, (before, after, out[:2]))
    daemon.report(new["refresh_token"] != e["refresh_token"] and "refreshing" not in new, "the rotated refresh token of %s is stored" % client)
    got = subprocess.run([POSTERN, "status", "--json"], env=environment(), capture_output=True, text=True, timeout=60)
    row = json.loads(got.stdout)["logins"][0]
    daemon.report(row["sub"] == "alice" and row["resource"] == IMAP and row["refresh_token"] is True and 0 < row["expires_in"] <= 600 and
                  new["access_token"] not in got.stdout and new["refresh_token"] not in got.stdout, "status shows no token", got)
    got = postern(server, "logout", "--resource", IMAP, **a)
    daemon.report(got[0] == 0 and server.requests(path="/token/revocation", status=200, client=client) and
                  os.listdir(FOLDER + "/state/postern/logins") == [], "logout of %s revokes and forgets" % client, got)
    got = postern(server, "token", "--login", "--resource", IMAP, **a)
    daemon.report(got[0] == 1 and "login_needed" in got[2], "after logout a person is needed again (%s)" % client, got)


def test_reuse(server):
    """The old refresh token in the file, as a copy from a backup would bring it: the server ends the family, and we say what to do."""
    forget()
    log_in(server, "--resource", IMAP, "--scope", "openid offline_access mail.read")
    path, old = entry()
    expire()
    postern(server, "token", "--login", "--resource", IMAP)
    old["expires"] = 1
    with open(path, "w") as f:
        json.dump(old, f)
    got = postern(server, "token", "--login", "--resource", IMAP)
    e = entry()[1]
    daemon.report(got[0] == 1 and "login_needed" in got[2] and "postern login" in got[2] and "refresh_token" not in e,
                  "a refresh token that was used before ends the login with a clear word", got)
    refreshes = len(server.requests(grant="refresh_token"))
    got = postern(server, "token", "--login", "--resource", IMAP)
    daemon.report(got[0] == 1 and len(server.requests(grant="refresh_token")) == refreshes, "an ended login is not tried again", got)


def prepare():
    """Keys and secrets of the agents, in FOLDER."""
    for alg, words in KEYS.items():
        subprocess.run(["openssl", "genpkey", "-out", FOLDER + "/%s.pem" % alg] + words, check=True, stderr=subprocess.DEVNULL)
    with open(FOLDER + "/jwks", "w") as f:
        subprocess.run([PEERS + "/node", "-e", JWK] + [FOLDER + "/%s.pem" % alg for alg in KEYS], check=True, stdout=f)
    with open(FOLDER + "/secret", "w") as f:
        f.write(SECRET)
    for name in os.listdir(FOLDER):
        os.chmod(os.path.join(FOLDER, name), 0o600)


def main():
    global FOLDER
    if not os.path.exists(PEERS + "/node"):
        print("ok - foreign issuer # SKIP POSTERN_PEERS is not set: tests/peers/fetch FOLDER")
        return 0
    with tempfile.TemporaryDirectory(prefix="postern-test.") as FOLDER:
        prepare()
        forget()
        server = Server()
        try:
            test_client_authentication(server)
            test_login(server, "agent-secret", "secret", "secret")
            test_login(server, "agent-es256", "private_key_jwt", "ES256.pem")
            test_login(server, "agent-public", "none", "")
            test_reuse(server)
        finally:
            server.stop()
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


if __name__ == "__main__":
    sys.exit(main())
