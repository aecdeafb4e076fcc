#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The seven steps of "client_credentials in 30 minutes", proved present on a real posternd: a token endpoint; the grant; errors that
say what to do next; scopes; short lives; discovery; limits that say when to come back, and rotation by programs."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import run_tests, wait_until  # noqa: E402
from test_five_habits import JSON, open_registration, token_of  # noqa: E402
from test_issuer import (FORM, RESOURCE, add, ask_token, assert_equal, assert_error, client, get_json,  # noqa: E402
                         request, start)
from test_posternd import ask, assert_login  # noqa: E402


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
