#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What people authorized, in a real posternd over HTTP: a code or refresh token that fifty bring at the same moment, an exchange that
leads to a login, revocations that helper and issuer hear of, and the daemon killed while it answers.  The page where a person says
yes is another test's: grants are put into the store as it would.  POSTERN_CRASH_ROUNDS: how often it is killed (a round takes half
a second to a second)."""
import base64
import hashlib
import json
import os
import signal
import socket
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import is_alive, run_tests, wait_until  # noqa: E402
from test_issuer import FORM, RESOURCE, add, ask_token, assert_equal, assert_error, parse, request, start  # noqa: E402
from test_posternd import ask  # noqa: E402

TOGETHER = 50
ROUNDS = int(os.environ.get("POSTERN_CRASH_ROUNDS", "20"))
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1:9/cb"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


def sha256(text):
    return hashlib.sha256(text.encode()).digest()


def allow(folder, grant, code, client="agent-7", resource=RESOURCE, life_s=3600):
    """alice lets the client read the directory."""
    now = int(time.time())
    with sqlite3.connect(folder.path + "/state/issuer/clients.db", timeout=20) as db:
        db.execute("INSERT INTO grants (id, user, client, scopes, resources, purpose, details, created_s, auth_time_s, ends_s)"
                   " VALUES (?, 'alice', ?, 'ldap.read', ?, 'find people', '', ?, ?, ?)", (grant, client, resource, now, now, now + life_s))
        db.execute("INSERT INTO code (sha256, grant_id, redirect, challenge, expires_s) VALUES (?, ?, ?, ?, ?)",
                   (sha256(code), grant, REDIRECT, CHALLENGE, now + 600))
    db.close()


def form(client, secret, **more):
    fields = dict({"client_id": client, "client_secret": secret}, **more)
    return "&".join("%s=%s" % kv for kv in fields.items()).encode()


def post(folder, path, body):
    return request(folder, "POST", path, FORM, body)


def code_form(secret, code):
    return form("agent-7", secret, grant_type="authorization_code", code=code, code_verifier=VERIFIER, redirect_uri=REDIRECT)


def refresh_form(secret, token):
    return form("agent-7", secret, grant_type="refresh_token", refresh_token=token)


def redeem(folder, secret, code):
    status, _, body = post(folder, "/oauth/token", code_form(secret, code))
    assert_equal(status, 200, body)
    return json.loads(body)


def is_active(folder, secret, token):
    status, headers, body = post(folder, "/oauth/introspect", form("agent-7", secret, token=token))
    assert_equal(status, 200, body)
    answer = json.loads(body)
    assert answer["active"] or answer == {"active": False}, body
    return answer["active"]


def all_at_once(folder, body):
    """The same form on fifty connections that are all open, and all but sent, before the last byte of the first goes out."""
    head = ("POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: %d\r\n\r\n" % (folder.port, len(body))).encode()
    connections = [socket.create_connection(("127.0.0.1", folder.port), 60) for _ in range(TOGETHER)]
    for s in connections:
        s.sendall(head + body[:-1])
    for s in connections:
        s.sendall(body[-1:])
    answers = []
    for s in connections:
        got = b""
        while True:
            chunk = s.recv(65536)
            if not chunk:
                break
            got += chunk
        s.close()
        answers.append(parse(got))
    return answers


def the_only_good_one(answers):
    good = [json.loads(body) for status, _, body in answers if status == 200]
    for status, _, body in answers:
        assert status == 200 or (status == 400 and json.loads(body)["error"] == "invalid_grant"), (status, body)
    assert_equal(len(good), 1, "answers with a token")
    return good[0]


# ---- once ----

def of_fifty_redemptions_of_a_code_at_once_one_gets_a_token_and_the_grant_ends(folder, daemons):
    start(folder, daemons)
    secret = add(folder)
    allow(folder, "g1", "c1")
    answer = the_only_good_one(all_at_once(folder, code_form(secret, "c1")))
    assert not is_active(folder, secret, answer["access_token"]), "forty-nine thieves"
    assert_error(post(folder, "/oauth/token", refresh_form(secret, answer["refresh_token"])), 400, "invalid_grant")
    wait_until(lambda: ask(folder, answer["access_token"])[0] == "rejected", "the helper refuses it")


def of_fifty_rotations_at_once_one_gets_a_pair_and_the_family_ends(folder, daemons):
    start(folder, daemons)
    secret = add(folder)
    allow(folder, "g1", "c1")
    first = redeem(folder, secret, "c1")
    answer = the_only_good_one(all_at_once(folder, refresh_form(secret, first["refresh_token"])))
    for token in (first["access_token"], answer["access_token"]):
        assert not is_active(folder, secret, token), token
    assert_error(post(folder, "/oauth/token", refresh_form(secret, answer["refresh_token"])), 400, "invalid_grant")


# ---- on behalf of ----

def an_exchanged_token_opens_a_login_and_dies_with_its_parent(folder, daemons):
    start(folder, daemons)
    secret, other = add(folder), add(folder, "mcp")
    allow(folder, "g1", "c1")
    token = redeem(folder, secret, "c1")["access_token"]
    status, _, body = post(folder, "/oauth/token", form("mcp", other, grant_type=EXCHANGE, subject_token=token,
                                                        subject_token_type=ACCESS))
    assert_equal(status, 200, body)
    child = json.loads(body)["access_token"]
    assert_equal(json.loads(body)["issued_token_type"], ACCESS, body)
    status, _, body = post(folder, "/oauth/introspect", form("mcp", other, token=child))
    answer = json.loads(body)
    assert_equal((answer["sub"], answer["client_id"], answer["act"], answer["purpose"]),
                 ("alice", "mcp", {"sub": "mcp", "act": {"sub": "agent-7"}}, "find people"), body)
    assert_equal(ask(folder, child)[0], "proved", "a login with it")
    assert_equal(post(folder, "/oauth/revoke", form("mcp", other, token=token))[0], 400, "of another client")
    assert is_active(folder, secret, token)
    assert_equal(post(folder, "/oauth/revoke", form("agent-7", secret, token=token))[0], 200, "its own")
    assert not is_active(folder, secret, token)
    assert_equal(json.loads(post(folder, "/oauth/introspect", form("mcp", other, token=child))[2]), {"active": False}, "child")
    for dead in (token, child):
        wait_until(lambda: ask(folder, dead)[0] == "rejected", "the helper heard of it")


# ---- killed ----

class Worker(threading.Thread):
    """Redeems a code, rotates what it gets, revokes some; remembers what was answered."""

    def __init__(self, folder, secret, code, may_revoke):
        super().__init__()
        self.folder, self.secret, self.code, self.may_revoke = folder, secret, code, may_revoke
        self.spent, self.newest, self.access, self.revoked = [], None, [], []

    def run(self):
        try:
            answer = redeem(self.folder, self.secret, self.code)
            self.newest = answer["refresh_token"]
            self.access.append(answer["access_token"])
            for i in range(6):
                status, _, body = post(self.folder, "/oauth/token", refresh_form(self.secret, self.newest))
                assert_equal(status, 200, body)
                self.spent.append(self.newest)
                self.newest = json.loads(body)["refresh_token"]
                self.access.append(json.loads(body)["access_token"])
                if self.may_revoke and post(self.folder, "/oauth/revoke",
                                            form("agent-7", self.secret, token=self.access[-1]))[0] == 200:
                    self.revoked.append(self.access[-1])
        except (OSError, AssertionError, IndexError, ValueError):
            pass  # killed meanwhile: what was not answered is not known


def kill(d):
    issuer, children = d.child("issuer"), d.children()
    os.kill(issuer, signal.SIGKILL)
    d.process.kill()
    d.process.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in children.values()), "all children are gone")


def nothing_is_given_twice_and_nothing_revoked_comes_back_when_posternd_is_killed(folder, daemons):
    d = start(folder, daemons)
    secret, seen = add(folder), set()
    for i in range(ROUNDS):
        codes = ["c%d-%d" % (i, k) for k in range(4)]
        for code in codes:
            allow(folder, "g" + code, code)
        workers = [Worker(folder, secret, code, k % 2 == 1) for k, code in enumerate(codes)]
        for w in workers:
            w.start()
        wait_until(lambda: sum(len(w.access) for w in workers) >= 3 + i % 12, "some answers")
        kill(d)
        for w in workers:
            w.join()
        d = start(folder, daemons)
        for w in workers:
            for token in w.access:
                assert token not in seen, "issued twice"
                seen.add(token)
            for token in w.revoked:
                assert not is_active(folder, secret, token), "a revoked token is back"
            if w.spent:  # ends the family: whatever comes now is refused
                assert_error(post(folder, "/oauth/token", refresh_form(secret, w.spent[-1])), 400, "invalid_grant")
            if w.newest and w.spent:
                assert_error(post(folder, "/oauth/token", refresh_form(secret, w.newest)), 400, "invalid_grant")
            if w.newest:
                assert_error(post(folder, "/oauth/token", code_form(secret, w.code)), 400, "invalid_grant")
                for token in w.access:
                    assert not is_active(folder, secret, token), "the grant has ended"


TESTS = [f for name, f in list(globals().items())
         if hasattr(f, "__code__") and getattr(f, "__module__", "") == "__main__" and f.__code__.co_argcount == 2
         and f.__code__.co_varnames[:2] == ("folder", "daemons")]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    sys.exit(run_tests([t for t in TESTS if not wanted or t.__name__ in wanted]))
