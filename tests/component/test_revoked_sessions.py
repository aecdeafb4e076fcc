#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a revocation at the issuer does to sessions that doors relay at that moment: they end within seconds, whatever way their token
came from what was ended, nobody else's does, and the token opens nothing any more, neither a door nor a login at the helper."""
import json
import os
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from door_rig import BUSY_S, POSTERN, assert_equal, auth_line, check, run_door_tests, wait_until, with_options  # noqa: E402
from person import Person  # noqa: E402
from test_grants import ACCESS, CHALLENGE, EXCHANGE, REDIRECT, VERIFIER, form, post  # noqa: E402
from test_posternd import ask  # noqa: E402

ENDS_IN_S = 3 + BUSY_S
PASSWORD = "correct horse battery"
DOORS = ("cache", "store")


# ---- who is there ----

def _postern(rig, *words, stdin=""):
    p = subprocess.run([POSTERN] + list(words) + ["--config", rig.path + "/etc"], input=stdin, capture_output=True, text=True, timeout=60)
    assert_equal(p.returncode, 0, p.stdout + p.stderr)


def _add(rig, name):
    path = "%s/%s.secret" % (rig.path, name)
    words = [w for door in DOORS for w in ("--resource", rig.audience(door))]
    _postern(rig, "client", "add", name, "--secret-file", path, "--scope", "door.use", "--redirect-uri", REDIRECT, *words)
    with open(path) as f:
        secret = f.read().strip()
    rig.secrets.append(secret)
    return secret


class World:
    """alice and three agents; two doors in front of backends that send back; a service of each name asks the helper."""

    def __init__(self, rig):
        self.rig, rig.port = rig, rig.issuer_port
        for door in DOORS:
            rig.echo_door(door, issuers="local", shared_audience="yes")
            rig.write("services/%s-service.conf" % door, {"audience": rig.audience(door), "shared_audience": "yes", "issuers": "local",
                                                          "helper_peers": "root"})
        rig.start()
        self.secret = {name: _add(rig, name) for name in ("agent-7", "agent-8", "agent-mcp")}
        _postern(rig, "user", "add", "alice", stdin=PASSWORD + "\n")
        self.alice = Person("alice", PASSWORD, rig.issuer)
        self.bystander = rig.login("cache", self.own_token("agent-8")).talk()

    def ask(self, name, **more):
        status, _, body = post(self.rig, "/oauth/token", form(name, self.secret[name], **more))
        return status, json.loads(body)

    def token(self, name, **more):
        status, answer = self.ask(name, **more)
        assert_equal(status, 200, answer)
        self.rig.secrets.append(answer["access_token"].split(".")[2])
        return answer

    def own_token(self, name, door="cache"):
        return self.token(name, grant_type="client_credentials", resource=self.rig.audience(door))["access_token"]

    def for_alice(self, door="cache"):
        """alice says yes to agent-7 at both doors; the answer with both tokens."""
        asked = [("response_type", "code"), ("client_id", "agent-7"), ("redirect_uri", REDIRECT), ("state", "s"), ("scope", "door.use"),
                 ("code_challenge", CHALLENGE), ("code_challenge_method", "S256")] + [("resource", self.rig.audience(d)) for d in DOORS]
        back = self.alice.authorize(self.rig.issuer + "/oauth/authorize?" + urllib.parse.urlencode(asked))
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["code"][0]
        return self.token("agent-7", grant_type="authorization_code", code=code, code_verifier=VERIFIER, redirect_uri=REDIRECT,
                          resource=self.rig.audience(door))

    def exchange(self, token, door="store", name="agent-mcp"):
        answer = self.token(name, grant_type=EXCHANGE, subject_token=token, subject_token_type=ACCESS, resource=self.rig.audience(door))
        return answer["access_token"]

    def revoke(self, token, name="agent-7"):
        assert_equal(post(self.rig, "/oauth/revoke", form(name, self.secret[name], token=token))[0], 200, "status of a revocation")

    def assert_ends(self, how, *sessions):
        """`how()` ends them within seconds; (token, door) of none of them opens anything afterwards."""
        for session, token, door in sessions:
            session.talk()
            assert_equal(ask(self.rig, token, door + "-service")[0], "proved", "at the helper before")
        begin = time.monotonic()
        how()
        for session, token, door in sessions:
            session.wait_end(ENDS_IN_S)
        took = time.monotonic() - begin
        check(took < ENDS_IN_S, "%.1f s" % took)
        for session, token, door in sessions:
            # The helper has a line of its own to the issuer: it may hear of it behind the door.
            wait_until(lambda: ask(self.rig, token, door + "-service")[:2] == ("rejected", "revoked"), "at the helper")
            assert_equal(self.rig.refused(door, auth_line(token))["reason"], "revoked", "at the door")
        self.bystander.talk()

    def open(self, token, door="cache"):
        return self.rig.login(door, token), token, door


# ---- tests ----

@with_options(has_issuer=True)
def an_exchanged_token_s_session_ends_with_its_parent(rig):
    w = World(rig)
    parent, other = w.for_alice()["access_token"], w.for_alice()["access_token"]
    child, cousin = w.open(w.exchange(parent), "store"), w.open(w.exchange(other), "store")
    w.assert_ends(lambda: w.revoke(parent), child, w.open(parent))
    cousin[0].talk()
    w.open(other)[0].talk()


@with_options(has_issuer=True)
def a_grandchild_s_session_ends_with_the_first_token(rig):
    w = World(rig)
    parent = w.own_token("agent-7")
    child = w.exchange(parent)
    grandchild = w.exchange(child, "cache", "agent-8")
    w.assert_ends(lambda: w.revoke(parent), w.open(grandchild, "cache"), w.open(child, "store"))


@with_options(has_issuer=True)
def a_child_that_is_revoked_leaves_its_parent_alone(rig):
    w = World(rig)
    parent = w.open(w.for_alice()["access_token"])
    child = w.open(w.exchange(parent[1]), "store")
    w.assert_ends(lambda: w.revoke(child[1], "agent-mcp"), child)
    parent[0].talk()


@with_options(has_issuer=True)
def a_refresh_token_that_comes_twice_ends_every_session_of_its_grant(rig):
    w = World(rig)
    first = w.for_alice()
    second = w.token("agent-7", grant_type="refresh_token", refresh_token=first["refresh_token"], resource=rig.audience("store"))
    own = w.open(w.own_token("agent-7"))

    def steal():
        status, answer = w.ask("agent-7", grant_type="refresh_token", refresh_token=first["refresh_token"])
        assert_equal((status, answer["error"]), (400, "invalid_grant"), answer)

    w.assert_ends(steal, w.open(first["access_token"]), w.open(second["access_token"], "store"),
                  w.open(w.exchange(first["access_token"]), "store"))
    own[0].talk()
    assert_equal(w.ask("agent-7", grant_type="refresh_token", refresh_token=second["refresh_token"])[0], 400, "the newest refresh token")


@with_options(has_issuer=True)
def a_refresh_token_that_is_revoked_ends_the_sessions_of_its_grant(rig):
    w = World(rig)
    answer, other = w.for_alice(), w.open(w.for_alice()["access_token"])
    w.assert_ends(lambda: w.revoke(answer["refresh_token"]), w.open(answer["access_token"]))
    other[0].talk()


@with_options(has_issuer=True)
def a_person_who_ends_a_grant_ends_its_sessions(rig):
    w = World(rig)
    session = w.open(w.for_alice()["access_token"])
    child = w.open(w.exchange(session[1]), "store")
    own = w.open(w.own_token("agent-7"))

    def end():
        page, _ = w.alice.open(rig.issuer + "/oauth/account")
        page, _ = w.alice.submit(page, page.form("grant"), press="end")
        assert_equal(page.status, 200, page.text)

    w.assert_ends(end, session, child)
    own[0].talk()


@with_options(has_issuer=True)
def a_token_s_session_ends_with_the_token_and_no_other_does(rig):
    w = World(rig)
    one, two = w.open(w.own_token("agent-7")), w.open(w.own_token("agent-7"))
    w.assert_ends(lambda: w.revoke(one[1]), one)
    two[0].talk()
    assert_equal(post(rig, "/oauth/revoke", form("agent-8", w.secret["agent-8"], token=two[1]))[0], 400, "somebody else's token")
    two[0].talk()
    assert_equal(ask(rig, two[1], "cache-service")[0], "proved", "at the helper")
    records = wait_until(lambda: [r for r in rig.audit() if r.get("reason") == "revoked" and r["event"] == "end"], "the end is in the audit")
    assert_equal({r["agent"] for r in records}, {"agent-7"}, "whose sessions ended")


@with_options(has_issuer=True)
def a_person_s_end_reaches_through_a_door_that_exchanges(rig):
    """agent-7 for alice → door cache → (a token of its own, from our issuer) → door store → its backend."""
    w = World(rig)
    w.secret["front-door"] = _add(rig, "front-door")
    os.makedirs(rig.path + "/etc/clients", exist_ok=True)
    rig.write("clients/front.conf", {"issuer": rig.issuer, "allow_loopback_http": "yes", "client_id": "front-door", "loopback_user": "root",
                                     "client_credential_file": rig.path + "/front-door.secret"})
    rig.door("cache", "127.0.0.1:%d" % rig.ports["store"], issuers="local", shared_audience="yes", backend_auth="exchange",
             backend_resource=rig.audience("store"), client="front")
    rig.policy("store", "in: allow agent front-door for user alice to raw:connect on store\nown: allow agent agent-* to raw:connect on store")
    rig.reload()
    session = w.open(w.for_alice()["access_token"])
    session[0].talk()
    record = wait_until(lambda: rig.records(event="login", service="store", outcome="proved"), "the login behind")[-1]
    assert_equal((record["agent"], record["human"], record["act"], record["aud"], record["client_id"]),
                 ("front-door", "alice", ["front-door", "agent-7"], rig.audience("store"), "front-door"), "the login behind")
    front = rig.records(event="login", service="cache", outcome="proved")[-1]
    assert_equal((front["agent"], front["human"]), ("agent-7", "alice"), "the login in front")
    check(record["grant_id"] == front["grant_id"] and record["jti"] != front["jti"], "one authorization, two tokens")

    def end():
        page, _ = w.alice.open(rig.issuer + "/oauth/account")
        w.alice.submit(page, page.form("grant"), press="end")

    w.assert_ends(end, session)
    wait_until(lambda: rig.records(event="end", service="store"), "the end behind")


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
