#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the project promises to agents, each promise a test on a real posternd.  First the five habits that lock agents out
(a browser is needed; a CAPTCHA; cookies; a person must approve; credentials rotate and no program can follow), proved absent.
Then the seven steps of "client_credentials in 30 minutes" (a token endpoint; the grant; errors that say what to do; scopes; short
lives; discovery; limits that say when, and rotation by programs), proved present."""
import base64
import json
import os
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import run_tests, wait_until  # noqa: E402
from test_issuer import (BUILD, FORM, RESOURCE, add, ask_token, assert_equal, assert_error, client, get_json,  # noqa: E402
                         request, start)
from test_posternd import ask, assert_login  # noqa: E402

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


# ---- seven steps to client_credentials, present ----

def step_1_there_is_a_token_endpoint_that_takes_a_form(folder, daemons):
    start(folder, daemons)
    metadata = get_json(folder, folder.issuer + "/.well-known/oauth-authorization-server")
    assert_equal(metadata["token_endpoint"], folder.issuer + "/oauth/token", metadata)
    token_of(ask_token(folder, "agent-7", add(folder)))
    assert_error(request(folder, "GET", "/oauth/token"), 405, "method_not_allowed")


def step_2_client_credentials_is_a_grant_of_it(folder, daemons):
    start(folder, daemons)
    metadata = get_json(folder, folder.issuer + "/.well-known/oauth-authorization-server")
    assert "client_credentials" in metadata["grant_types_supported"], metadata
    for method in ("client_secret_basic", "client_secret_post", "private_key_jwt"):
        assert method in metadata["token_endpoint_auth_methods_supported"], metadata
    answer = json.loads(ask_token(folder, "agent-7", add(folder))[2])
    assert_equal((answer["token_type"], "refresh_token" in answer), ("Bearer", False), answer)


def step_3_every_error_is_json_that_says_what_to_do_next(folder, daemons):
    start(folder, daemons)
    secret = add(folder)
    cases = [
        (request(folder, "POST", "/oauth/token", FORM, b""), 400, "invalid_request", "grant_type"),
        (ask_token(folder, "agent-7", "wrong"), 401, "invalid_client", "secret"),
        (ask_token(folder, "agent-7", secret, scope="admin"), 400, "invalid_scope", "ldap.read"),
        (ask_token(folder, "agent-7", secret, resource="https://other.example/x"), 400, "invalid_target", RESOURCE),
        (ask_token(folder, "agent-7", secret, grant_type="password"), 400, "unsupported_grant_type", "client_credentials"),
        (request(folder, "GET", "/oauth/whoami"), 401, "missing_token", "oauth/token"),
        (request(folder, "GET", "/nowhere"), 404, "not_found", "/.well-known/"),
        (request(folder, "POST", "/oauth/register", JSON, b"{}"), 404, "not_found", "postern client add"),
    ]
    for answer, status, error, hint in cases:
        assert_error(answer, status, error)
        assert hint in json.loads(answer[2])["message"], (error, answer[2])


def step_4_scopes_narrow_a_token_and_never_widen_it(folder, daemons):
    start(folder, daemons)
    secret = add(folder, scopes="ldap.read ldap.write")
    narrow = json.loads(ask_token(folder, "agent-7", secret, scope="ldap.write")[2])
    assert_equal(narrow["scope"], "ldap.write", narrow)
    assert_equal(ask(folder, narrow["access_token"])[:2], ("rejected", "insufficient_scope"), "a login without the service's scope")
    assert_login(folder, token_of(ask_token(folder, "agent-7", secret)), "with all scopes")
    assert_error(ask_token(folder, "agent-7", secret, scope="ldap.read admin"), 400, "invalid_scope")


def step_5_tokens_are_short_lived_and_say_so(folder, daemons):
    folder.server_keys["token_lifetime"] = "5s"
    folder.set()
    with open(folder.path + "/etc/issuers/local.conf", "a") as f:
        f.write("clock_skew: 0s\n")
    start(folder, daemons)
    secret = add(folder)
    answer = json.loads(ask_token(folder, "agent-7", secret)[2])
    assert_equal(answer["expires_in"], 5, answer)
    assert_login(folder, answer["access_token"], "at once")
    wait_until(lambda: ask(folder, answer["access_token"])[0] == "rejected", "the token's end")
    assert_login(folder, token_of(ask_token(folder, "agent-7", secret)), "with the next one")


def step_6_everything_is_found_from_one_address(folder, daemons):
    open_registration(folder)
    folder.add_door("cache")
    start(folder, daemons)
    metadata = get_json(folder, folder.issuer + "/.well-known/oauth-authorization-server")
    assert_equal(metadata["issuer"], folder.issuer, metadata)
    document = get_json(folder, folder.issuer + "/openapi.json")
    flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert_equal(flow["tokenUrl"], metadata["token_endpoint"], flow)
    assert_equal(set(flow["scopes"]), set(metadata["scopes_supported"]), flow)
    assert_equal(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer", document)
    for name in ("token", "introspection", "revocation", "registration"):
        path = metadata[name + "_endpoint"][len(folder.issuer):]
        assert "post" in document["paths"][path], path
    for resource in ("https://localhost/ldap", "https://localhost/cache"):  # a service and a door
        assert resource in metadata["protected_resources"], metadata
        about = get_json(folder, folder.issuer + "/.well-known/oauth-protected-resource/" + resource.rsplit("/", 1)[1])
        assert_equal((about["resource"], about["authorization_servers"]), (resource, [folder.issuer]), about)
    check_openapi(document)


def check_openapi(document):
    """Every reference leads somewhere, every operation is whole; and openapi-spec-validator agrees, where Python has it."""
    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                found = document
                for part in node["$ref"].split("/")[1:]:
                    found = found[part]
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)
    walk(document)
    ids = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert_equal(len(ids), len(set(ids)), "operation ids are unique")
    for path in document["paths"].values():
        for op in path.values():
            assert op["summary"] and op["responses"], op
            for need in op.get("security", []):
                assert set(need) <= set(document["components"]["securitySchemes"]), op
    program = "import sys, json\ntry:\n    import openapi_spec_validator as v\nexcept ImportError:\n    sys.exit(77)\n" \
              "v.validate(json.load(sys.stdin)) if hasattr(v, 'validate') else v.validate_spec(json.load(sys.stdin))\n"
    r = subprocess.run(["python3", "-c", program], input=json.dumps(document), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       universal_newlines=True, timeout=60)
    assert r.returncode in (0, 77), r.stdout


def step_7_limits_say_when_to_come_back_and_rotation_is_a_command(folder, daemons):
    start(folder, daemons)
    secret = add(folder)

    end = time.monotonic() + 60
    status = 200
    while status != 429:
        assert time.monotonic() < end, "no limit"
        status, headers, body = ask_token(folder, "agent-7", secret)
    assert_error((status, headers, body), 429, "too_many_requests")
    assert 1 <= int(headers["retry-after"]) <= 5, headers
    end = time.monotonic() + 20
    while ask_token(folder, "agent-7", secret)[0] == 429:
        assert time.monotonic() < end, "still refused"
        time.sleep(int(headers["retry-after"]))  # what the header says, as a good agent does
    r = client(folder, "rotate-secret", "agent-7", "--secret-file", folder.path + "/new.secret", check=0)
    with open(folder.path + "/new.secret") as f:
        token_of(ask_token(folder, "agent-7", f.read()))
    assert "void" in r.stdout, r.stdout


TESTS = [f for name, f in list(globals().items())
         if callable(f) and getattr(f, "__module__", "") == "__main__" and f.__code__.co_argcount == 2
         and f.__code__.co_varnames[:2] == ("folder", "daemons")]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    sys.exit(run_tests([t for t in TESTS if not wanted or t.__name__ in wanted]))
