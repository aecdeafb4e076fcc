#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Both halves of "on behalf of" against each other: `postern login`, `exchange`, `token --login`, `status` and `logout` at the embedded
issuer of a real posternd, with a secret, with a key and as a public client; the person is at the issuer's own pages."""
import base64
import json
import os
import subprocess
import sys
import threading
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import Daemon, run_tests  # noqa: E402
from person import Person  # noqa: E402

BUILD = os.environ["POSTERN_BUILD"]
LDAP, IMAP, PASSWORD = "https://localhost/ldap", "https://localhost/imap", "correct horse battery"


def admin(folder, *words, stdin=""):
    p = subprocess.run([BUILD + "/postern"] + list(words) + ["--socket", folder.path + "/run/issuer-admin.sock"], input=stdin,
                       capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, "%s: %s%s" % (words, p.stdout, p.stderr)
    return p.stdout


def make_key(folder):
    """An agent's key in PEM, and its public half as a key set."""
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", folder.path + "/key.pem"],
                   check=True, stderr=subprocess.DEVNULL)
    os.chmod(folder.path + "/key.pem", 0o600)
    der = subprocess.run(["openssl", "pkey", "-in", folder.path + "/key.pem", "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    x, y = der[-64:-32], der[-32:]  # of the uncompressed point at the end
    jwk = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1"}
    jwk.update({n: base64.urlsafe_b64encode(v).rstrip(b"=").decode() for n, v in (("x", x), ("y", y))})
    with open(folder.path + "/keys.json", "w") as f:
        json.dump({"keys": [jwk]}, f)


class Agent:
    def __init__(self, folder, name, auth="secret", file="secret"):
        self.folder, self.name = folder, name
        self.words = ["--issuer", folder.issuer, "--client-id", name, "--client-auth", auth, "--allow-loopback-http", "--loopback-user", "64802"]
        self.words += ["--secret-file", folder.path + "/" + file] if file else []
        self.env = dict(os.environ, HOME=folder.path, XDG_STATE_HOME=folder.path + "/state-" + name, XDG_RUNTIME_DIR=folder.path)
        os.makedirs(self.env["XDG_STATE_HOME"], exist_ok=True)

    def start(self, command, *more):
        return subprocess.Popen([BUILD + "/postern", command] + self.words + list(more), env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, command, *more, want=0):
        p = self.start(command, *more)
        out, err = p.communicate(timeout=90)
        assert p.returncode == want, "%s %s: status %s, not %s\n%s%s" % (command, more, p.returncode, want, out, err)
        return out if want == 0 else err

    def log_in(self, person, press="approve", untick=(), want=0):
        p = self.start("login", "--no-browser", "--resource", LDAP, "--resource", IMAP, "--scope", "ldap.read ldap.write",
                       "--timeout", "60")
        watchdog = threading.Timer(60, p.kill)
        watchdog.start()
        back = person.authorize(p.stdout.readline().strip(), press=press, untick=untick)
        with urllib.request.urlopen(back, None, 60) as r:
            assert "close this window" in r.read().decode()
        out, err = p.communicate(timeout=90)
        watchdog.cancel()
        assert p.returncode == want, (p.returncode, out, err)
        return err

    def status(self):
        p = subprocess.run([BUILD + "/postern", "status", "--json"], env=self.env, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(p.stdout)["logins"]


def claims(token):
    part = token.strip().split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def verify(folder, service, token):
    """What the service's own rules say of it."""
    p = subprocess.run([BUILD + "/postern", "verify", "--issuer", folder.issuer, "--audience", service, "--jwks", folder.path + "/run/jwks.json"],
                       input=token, capture_output=True, text=True, timeout=60)
    return json.loads(p.stdout)


def prepare(folder, daemons):
    folder.write("services/imap.conf", {"audience": IMAP, "helper_peers": "root"})
    d = Daemon(BUILD + "/posternd", folder)
    daemons.append(d)
    d.wait_ready()
    make_key(folder)
    common = ("--resource", LDAP, "--resource", IMAP, "--scope", "ldap.read ldap.write mail.read", "--redirect-uri", "http://127.0.0.1/callback")
    admin(folder, "client", "add", "agent-7", "--secret-file", folder.path + "/secret", *common)
    admin(folder, "client", "add", "agent-8", "--jwks", folder.path + "/keys.json", *common)
    admin(folder, "client", "add", "agent-9", "--public", *common)
    admin(folder, "user", "add", "alice", stdin=PASSWORD + "\n")
    return Person("alice", PASSWORD, folder.issuer)


def whole_story(folder, agent, alice):
    said = agent.log_in(alice)
    token = agent.run("token", "--login", "--resource", LDAP)
    own = claims(token)
    assert own["sub"] == "alice" and own["client_id"] == agent.name and own["aud"] == LDAP and "act" not in own, (own, said)
    assert agent.run("token", "--login", "--resource", LDAP) == token, "a token that is good is not fetched again"
    return own


def an_agent_with_a_secret_acts_for_a_person(folder, daemons):
    alice = prepare(folder, daemons)
    agent = Agent(folder, "agent-7")
    own = whole_story(folder, agent, alice)
    answer = json.loads(agent.run("exchange", "--resource", IMAP, "--purpose", "find the invoice", "--json"))
    new = claims(answer["access_token"])
    assert new["sub"] == "alice" and new["aud"] == IMAP and new["client_id"] == "agent-7" and new["act"]["sub"] == "agent-7", new
    assert new["purpose"] == "find the invoice" and own["jti"] in new["derived_from"] and new["grant_id"] == own["grant_id"], new
    assert set(new["scope"].split()) <= set(own["scope"].split()) and new["exp"] <= own["exp"], (new, own)
    assert verify(folder, IMAP, answer["access_token"])["outcome"] == "proved"


def an_agent_with_a_key_acts_for_a_person(folder, daemons):
    alice = prepare(folder, daemons)
    agent = Agent(folder, "agent-8", "private_key_jwt", "key.pem")
    assert claims(agent.run("token", "--no-cache", "--resource", LDAP))["sub"] == "agent-8"
    whole_story(folder, agent, alice)
    assert claims(agent.run("token", "--login", "--resource", IMAP))["act"]["sub"] == "agent-8"


def a_public_client_acts_for_a_person_and_never_for_itself(folder, daemons):
    alice = prepare(folder, daemons)
    agent = Agent(folder, "agent-9", "none", None)
    whole_story(folder, agent, alice)
    agent.run("token", "--resource", LDAP, want=2)


def a_person_may_grant_less_or_nothing(folder, daemons):
    alice = prepare(folder, daemons)
    agent = Agent(folder, "agent-7")
    said = agent.log_in(alice, press="deny", want=1)
    assert "access_denied" in said and agent.status() == [], said
    agent.log_in(alice, untick=("ldap.write",))
    assert agent.status()[0]["scope"] == "ldap.read", agent.status()


def twenty_processes_refresh_once_and_logout_ends_it(folder, daemons):
    alice = prepare(folder, daemons)
    agent = Agent(folder, "agent-7")
    whole_story(folder, agent, alice)
    store = agent.env["XDG_STATE_HOME"] + "/postern/logins/"
    name = store + next(n for n in os.listdir(store) if len(n) == 64)
    with open(name) as f:
        old = json.load(f)
    with open(name, "w") as f:
        json.dump(dict(old, expires=1), f)
    many = [agent.start("token", "--login", "--resource", LDAP) for _ in range(20)]
    out = [p.communicate(timeout=120) for p in many]
    assert len({o for o, _ in out}) == 1 and all(p.returncode == 0 for p in many), out
    with open(name) as f:
        new = json.load(f)
    assert new["refresh_token"] != old["refresh_token"], "the issuer rotates"
    agent.run("logout")
    assert agent.status() == []
    with open(name, "w") as f:  # a copy from before: given back is given back
        json.dump(dict(new, expires=1), f)
    os.chmod(name, 0o600)
    said = agent.run("token", "--login", "--resource", LDAP, want=1)
    assert "login_needed" in said and "postern login" in said, said


if __name__ == "__main__":
    sys.exit(run_tests([an_agent_with_a_secret_acts_for_a_person, an_agent_with_a_key_acts_for_a_person,
                        a_public_client_acts_for_a_person_and_never_for_itself, a_person_may_grant_less_or_nothing,
                        twenty_processes_refresh_once_and_logout_ends_it]))
