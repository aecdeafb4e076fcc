#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients, keys and self-registration on a real posternd: keys rotate under a loop of logins and under a resource server that
caches the key set, through kills and reloads; assertions count once though the issuer is killed; an invitation is used as often
as it says, however many ask at once; nothing that was acknowledged is lost, nothing is issued twice."""
import base64
import concurrent.futures
import json
import os
import random
import re
import signal
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import IS_SANITIZED, run_tests, wait_until  # noqa: E402
from test_issuer import (BUILD, FORM, RESOURCE, add, ask_token, assert_equal, assert_error, client, request,  # noqa: E402
                         start)
from test_posternd import assert_login  # noqa: E402

JSON = {"Content-Type": "application/json"}
TOOL = BUILD + "/tests/support/token_tool"
AGENT = json.dumps({"grant_types": ["client_credentials"]}).encode()


def settings(folder, **keys):
    folder.server_keys.update(keys)
    folder.set()


def header_of(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))


def fetch(folder, secret, name="agent-7"):
    status, headers, body = ask_token(folder, name, secret, resource=RESOURCE)
    assert_equal(status, 200, body)
    return json.loads(body)["access_token"]


def keys(folder, *arguments):
    r = subprocess.run([BUILD + "/postern", "keys"] + list(arguments) + ["--json", "--config", folder.path + "/etc"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=30)
    assert_equal(r.returncode, 0, r.stdout + r.stderr)
    return json.loads(r.stdout)


def signer(folder):
    return [k["kid"] for k in keys(folder)["keys"] if k["state"] == "signs"][0]


def published(folder):
    with open(folder.path + "/run/jwks.json") as f:
        return {k["kid"] for k in json.load(f)["keys"]}


# ---- keys ----

class Cache:
    """A resource server far away: keeps the key set as long as it may, and never asks because of a kid."""

    def __init__(self, folder):
        self.folder, self.until, self.kids = folder, 0, set()

    def knows(self, kid):
        if time.monotonic() >= self.until:
            status, headers, body = request(self.folder, "GET", "/oauth/jwks")
            assert_equal(status, 200, body)
            self.until = time.monotonic() + int(re.search(r"max-age=(\d+)", headers["cache-control"]).group(1))
            self.kids = {k["kid"] for k in json.loads(body)["keys"]}
        return kid in self.kids


def keys_rotate_and_no_login_fails_meanwhile(folder, daemons):
    announced_s = 8 if IS_SANITIZED else 3
    settings(folder, key_announcement="%ds" % announced_s)
    start(folder, daemons)
    looks = 0  # in time: a busy machine may be too late for one
    secret, cache, seen, failures = add(folder), Cache(folder), [], []
    stop = threading.Event()

    def log_in_until_stopped():
        held = []
        while not stop.is_set():
            try:
                token = fetch(folder, secret)
                kid = header_of(token)["kid"]
                if kid not in seen:
                    seen.append(kid)
                    held.append(token)
                assert cache.knows(kid), "a cached key set lacks " + kid
                for t in [token] + held:  # those of old keys go on
                    assert_login(folder, t, "while keys rotate")
            except Exception as e:
                failures.append(repr(e))
                return
            time.sleep(0.05)  # tokens of one agent have a rate

    t = threading.Thread(target=log_in_until_stopped)
    t.start()
    try:
        for n in range(1, 4):
            wait_until(lambda: len(seen) >= n or failures, "a token by key %d" % n)
            began = time.monotonic()
            kid = keys(folder, "rotate")["kid"]
            again = keys(folder, "rotate")["kid"]
            wait_until(lambda: kid in published(folder), "the key set with the next key")
            is_early = kid in seen
            if time.monotonic() < began + announced_s:
                looks += 1
                assert_equal(again, kid, "a key that is announced already")
                assert not is_early, "it signs before it was announced long enough"
        wait_until(lambda: len(seen) >= 4 or failures, "a token by the last key")
    finally:
        stop.set()
        t.join()
    assert_equal(failures, [], "logins")
    assert looks > 0, "no look at a key that was announced came in time"
    assert set(seen) <= published(folder), "old keys are kept for their tokens"
    for name in ("signing-key.pem",):
        assert_equal(stat.S_IMODE(os.stat(folder.path + "/state/issuer/" + name).st_mode), 0o600, name)
    assert not os.path.exists(folder.path + "/state/issuer/signing-key-next.pem")


def a_rotation_goes_on_through_kills_and_reloads(folder, daemons):
    settings(folder, key_announcement="1s")
    d = start(folder, daemons)
    secret = add(folder)
    tokens = [fetch(folder, secret)]
    kids = [signer(folder)]
    for n in range(6):
        kid = keys(folder, "rotate")["kid"]
        assert kid not in kids, "a kid came back"
        time.sleep(random.Random(n).random() * 1.5)  # anywhere between made and taken over: the kill is what is tested
        if n % 3 == 2:
            d.signal(signal.SIGHUP)
            d.wait_ready(2 + n // 3)
        else:
            os.kill(d.child("issuer"), signal.SIGKILL)
        wait_until(lambda: try_signer(folder) == kid, "the new key signs")
        kids.append(kid)
        tokens.append(fetch(folder, secret))
        assert_equal(header_of(tokens[-1])["kid"], kid, "who signs")
    for i, token in enumerate(tokens):
        wait_until(lambda: logs_in(folder, token), "a login by key %d" % i)
    assert set(kids) <= published(folder), "all are kept"


def try_signer(folder):
    try:
        return signer(folder)
    except AssertionError:
        return None  # its process is being started


def logs_in(folder, token):
    try:
        assert_login(folder, token, "")
    except (AssertionError, OSError):
        return False
    return True


# ---- clients that sign ----

def make_key_client(folder, name="signer-7"):
    key = folder.path + "/client.pem"
    with open(key, "wb") as f:
        f.write(subprocess.run([TOOL, "key"], stdout=subprocess.PIPE, check=True).stdout)
    with open(folder.path + "/client.jwks", "wb") as f:
        f.write(subprocess.run([TOOL, "jwks", key], stdout=subprocess.PIPE, check=True).stdout)
    client(folder, "add", name, "--scope", "ldap.read", "--resource", RESOURCE, "--jwks", folder.path + "/client.jwks", check=0)
    return key


def assertion(folder, key, jti, name="signer-7", **more):
    claims = dict({"iss": name, "sub": name, "aud": folder.issuer, "exp": int(time.time()) + 120, "jti": jti}, **more)
    return subprocess.run([TOOL, "sign", key, "client-authentication+jwt"], input=json.dumps(claims).encode(),
                          stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def ask_signed(folder, text):
    body = ("grant_type=client_credentials&client_assertion_type="
            "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=" + text).encode()
    return request(folder, "POST", "/oauth/token", FORM, body)


def an_assertion_counts_once_though_the_issuer_is_killed(folder, daemons):
    d = start(folder, daemons)
    key = make_key_client(folder)
    for n in range(3):
        text = assertion(folder, key, "once-%d" % n)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:  # many at the same time
            got = [r[0] for r in pool.map(lambda _: ask_signed(folder, text), range(8))]
        assert_equal(sorted(set(got)), [200, 401], got)
        assert_equal(got.count(200), 1, got)
        os.kill(d.child("issuer"), signal.SIGKILL)
        d.wait_log(r"issuer \d+ is ready", 2 + n)
        assert_error(ask_signed(folder, text), 401, "invalid_client")
    token = json.loads(ask_signed(folder, assertion(folder, key, "last"))[2])["access_token"]
    assert_login(folder, token, "by a token of a client that signs")
    assert_error(ask_signed(folder, token), 401, "invalid_client")  # it is no assertion
    assert_error(ask_signed(folder, assertion(folder, key, "x", aud=folder.issuer + "/oauth/token")), 401, "invalid_client")


def administrators_see_what_clients_have_and_no_secret(folder, daemons):
    start(folder, daemons)
    make_key_client(folder)
    secret = add(folder)
    client(folder, "add", "app-7", "--resource", RESOURCE, "--public", "--redirect-uri", "http://127.0.0.1/cb", "--title",
           "Mail app", check=0)
    shown = json.loads(client(folder, "show", "signer-7", "--json", check=0).stdout)
    assert_equal((shown["auth"], len(shown["jwks"]["keys"])), ("private_key_jwt", 1), shown)
    shown = client(folder, "show", "app-7", check=0).stdout
    assert "Mail app" in shown and "http://127.0.0.1/cb" in shown and "none" in shown, shown
    listed = client(folder, "list", "--json", check=0).stdout
    assert_equal({c["name"]: c["auth"] for c in json.loads(listed)},
                 {"signer-7": "private_key_jwt", "agent-7": "secret", "app-7": "none"}, listed)
    assert secret not in listed and "sha256" not in listed
    assert_equal(client(folder, "show", "nobody-7").returncode, 1, "an unknown one")
    for wrong in (["add", "x", "--resource", RESOURCE, "--public", "--jwks", "k"], ["add", "x", "--resource", RESOURCE],
                  ["rotate-secret", "x"], ["invite", "--uses", "0"], ["invite", "--for", "1"], ["show", "x", "--public"]):
        assert_equal(client(folder, *wrong).returncode, 2, wrong)
    assert_equal(client(folder, "invite").returncode, 1, "registration is off")
    assert_equal(client(folder, "rotate-secret", "app-7", "--secret-file", folder.path + "/s").returncode, 1, "no secret")
    assert not os.path.exists(folder.path + "/s") and not os.path.exists(folder.path + "/s.new")


# ---- self-registration ----

def register(folder, bearer=None, body=AGENT):
    return request(folder, "POST", "/oauth/register", dict(JSON, **({"Authorization": "Bearer " + bearer} if bearer else {})), body)


def by_invitation(folder, mode="token"):
    settings(folder, registration=mode, registration_scopes="ldap.read", registration_resources=RESOURCE)


def an_invitation_is_taken_as_often_as_it_says_whoever_asks_at_once(folder, daemons):
    by_invitation(folder)
    d = start(folder, daemons)
    bearer = client(folder, "invite", "--uses", "2", "--for", "1h", check=0).stdout.strip()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        got = list(pool.map(lambda _: register(folder, bearer), range(12)))
    assert_equal(sorted(r[0] for r in got), [201, 201] + [401] * 10, "answers")
    made = [json.loads(r[2]) for r in got if r[0] == 201]
    os.kill(d.child("issuer"), signal.SIGKILL)
    d.wait_log(r"issuer \d+ is ready", 2)
    assert_equal(register(folder, bearer)[0], 401, "after a kill")
    for me in made:
        assert_login(folder, fetch(folder, me["client_secret"], me["client_id"]), "of who registered")
    assert_error(register(folder), 401, "missing_token")
    listed = json.loads(client(folder, "list", "--json", check=0).stdout)
    assert_equal({c["name"] for c in listed if c["self_registered"]}, {me["client_id"] for me in made}, listed)
    client(folder, "remove", made[0]["client_id"], check=0)
    assert_error(ask_token(folder, made[0]["client_id"], made[0]["client_secret"]), 401, "invalid_client")


def what_was_registered_is_there_after_a_kill(folder, daemons):
    by_invitation(folder, "open")
    d = start(folder, daemons)
    made = {}
    for n in range(4):
        killer = threading.Timer(0.01 * n, lambda: os.kill(d.child("issuer"), signal.SIGKILL))
        killer.start()
        for _ in range(4):
            try:
                status, headers, body = register(folder)
                if status == 201:
                    made[json.loads(body)["client_id"]] = json.loads(body)["client_secret"]
            except (OSError, AssertionError, ValueError):
                pass  # killed meanwhile: this one was not acknowledged
        killer.join()
        d.wait_log(r"issuer \d+ is ready", 2 + n)
    listed = {c["name"] for c in json.loads(client(folder, "list", "--json", check=0).stdout)}
    assert made and set(made) <= listed, set(made) - listed
    for name, secret in made.items():
        assert_equal(ask_token(folder, name, secret)[0], 200, name)


def a_configuration_that_gives_strangers_nothing_definite_is_refused(folder, daemons):
    settings(folder, registration="open")
    r = subprocess.run([BUILD + "/posternd", "--check", "--config", folder.path + "/etc"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=30)
    assert r.returncode != 0 and "registration_resources" in r.stdout, r.stdout
    settings(folder, registration="off", key_rotation="10m")
    r = subprocess.run([BUILD + "/posternd", "--check", "--config", folder.path + "/etc"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=30)
    assert r.returncode != 0 and "key_rotation" in r.stdout, r.stdout


TESTS = [f for name, f in list(globals().items())
         if hasattr(f, "__code__") and getattr(f, "__module__", "") == "__main__" and f.__code__.co_argcount == 2
         and f.__code__.co_varnames[:2] == ("folder", "daemons")]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    sys.exit(run_tests([t for t in TESTS if not wanted or t.__name__ in wanted]))
