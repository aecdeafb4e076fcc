#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The five habits of authorization servers that lock agents out, proved absent on a real posternd: a browser is needed; a CAPTCHA
comes; cookies are set; a person must approve; credentials rotate and no program can follow."""
import base64
import json
import os
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import run_tests, wait_until  # noqa: E402
from test_issuer import (BUILD, FORM, RESOURCE, add, ask_token, assert_equal, assert_error, client,  # noqa: E402
                         request, start)
from test_posternd import assert_login  # noqa: E402

JSON = {"Content-Type": "application/json"}
FOR_AGENTS = ("/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/register", "/oauth/whoami", "/oauth/jwks",
              "/openapi.json", "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource")


def open_registration(folder):
    folder.server_keys.update({"registration": "open", "registration_scopes": "ldap.read",
                               "registration_resources": RESOURCE})
    folder.set()


def token_of(answer):
    status, headers, body = answer
    assert_equal(status, 200, body)
    return json.loads(body)["access_token"]


# ---- five habits that lock agents out, absent ----

def no_browser_is_needed_for_anything_that_an_agent_asks(folder, daemons):
    open_registration(folder)
    start(folder, daemons)
    secret = add(folder)
    # Bytes on a socket: no user agent, no script, no Origin, no Accept.
    token = token_of(ask_token(folder, "agent-7", secret))
    assert_login(folder, token, "a login with it")
    for path in FOR_AGENTS:
        for method in ("GET", "POST"):
            status, headers, body = request(folder, method, path)
            assert status not in range(300, 400) and "location" not in headers, "%s %s redirects" % (method, path)
            assert headers["content-type"] in ("application/json", "application/jwk-set+json"), (path, headers)
            assert b"<html" not in body.lower(), path
            json.loads(body)


def no_captcha_comes_however_often_an_agent_fails(folder, daemons):
    start(folder, daemons)
    secret = add(folder)
    seen = set()
    for _ in range(40):
        status, headers, body = ask_token(folder, "agent-7", "wrong")
        seen.add(status)
        assert_equal(headers["content-type"], "application/json", body)
        assert b"captcha" not in body.lower() and b"robot" not in body.lower(), body
        if status == 429:
            assert int(headers["retry-after"]) > 0, headers
    assert_equal(seen, {401, 429}, "answers to wrong secrets")
    token_of(ask_token(folder, "agent-7", secret))  # whoever has the right one is not held up


def no_cookie_is_set_and_none_is_looked_at(folder, daemons):
    open_registration(folder)
    start(folder, daemons)
    secret = add(folder)
    form = ("grant_type=client_credentials&client_id=agent-7&client_secret=" + secret).encode()
    for extra in ({}, {"Cookie": "session=stale; postern=x"}):
        status, headers, body = request(folder, "POST", "/oauth/token", dict(FORM, **extra), form)
        assert_equal(status, 200, body)
        assert "set-cookie" not in headers, headers
    for path in FOR_AGENTS:
        for method in ("GET", "POST"):
            assert "set-cookie" not in request(folder, method, path)[1], path
    # A cookie alone is nobody.
    assert_error(request(folder, "POST", "/oauth/token", dict(FORM, Cookie="session=1"), b"grant_type=client_credentials"),
                 401, "invalid_client")


def no_person_approves_an_agent_before_its_first_token(folder, daemons):
    open_registration(folder)
    start(folder, daemons)
    # By itself, from nothing to a login: three requests.
    status, headers, body = request(folder, "POST", "/oauth/register", JSON,
                                    json.dumps({"client_name": "night shift", "grant_types": ["client_credentials"]}).encode())
    assert_equal(status, 201, body)
    me = json.loads(body)
    token = token_of(ask_token(folder, me["client_id"], me["client_secret"], resource=RESOURCE))
    assert_login(folder, token, "a login of who registered itself")
    # By an administrator's script: one command, without a terminal.
    token_of(ask_token(folder, "agent-7", add(folder)))


def what_rotates_is_followed_by_a_program(folder, daemons):
    folder.server_keys.update({"key_announcement": "1s"})
    folder.set()
    start(folder, daemons)
    add(folder)
    path = folder.path + "/agent.secret"
    r = client(folder, "rotate-secret", "agent-7", "--secret-file", path, check=0)
    assert "agent-7" in r.stdout and open(path).read() not in r.stdout
    assert_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "mode of the new secret's file")
    # The agent reads its file at each use: a new secret needs nothing but the file.
    with open(folder.path + "/client.conf", "w") as f:
        f.write("issuer: %s\nclient_id: agent-7\nclient_credential_file: %s\nresource: %s\nallow_loopback_http: yes\n"
                % (folder.issuer, path, RESOURCE))

    def fetch():
        r = subprocess.run([BUILD + "/postern", "token", "--client", folder.path + "/client.conf", "--no-cache", "--quiet"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                           timeout=30, env=dict(os.environ, HOME=folder.path))
        assert_equal(r.returncode, 0, r.stderr)
        return r.stdout.strip()

    old = open(path).read()
    assert_login(folder, fetch(), "with the first secret")
    client(folder, "rotate-secret", "agent-7", "--secret-file", path, check=0)
    assert_error(ask_token(folder, "agent-7", old), 401, "invalid_client")
    assert_login(folder, fetch(), "with the second secret, by the same file")
    # Keys of tokens change and nobody is told but by the key set.
    first = kid_of(fetch())
    subprocess.run([BUILD + "/postern", "keys", "rotate", "--config", folder.path + "/etc"], check=True,
                   stdout=subprocess.DEVNULL, timeout=30)
    wait_until(lambda: kid_of(fetch()) != first, "a token by the new key")
    assert_login(folder, fetch(), "with a token by the new key")


def kid_of(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


TESTS = [f for name, f in list(globals().items())
         if callable(f) and getattr(f, "__module__", "") == "__main__" and f.__code__.co_argcount == 2
         and f.__code__.co_varnames[:2] == ("folder", "daemons")]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    sys.exit(run_tests([t for t in TESTS if not wanted or t.__name__ in wanted]))
