#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients that nobody here wrote against the embedded issuer of a real posternd: npm openid-client, oauth4webapi, the MCP SDK's
machine-to-machine providers, swagger-parser, and the authorization suite of the MCP conformance tests."""
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402
from daemon import Daemon, free_port, run_tests  # noqa: E402
from person import Person  # noqa: E402

BUILD = os.environ["POSTERN_BUILD"]
TOP = os.environ.get("TOP", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
PEERS = os.environ.get("POSTERN_PEERS", "")
RESOURCE, SCOPE, PASSWORD = "https://localhost/ldap", "ldap.read", "correct horse battery"


def postern(folder, *arguments, stdin=""):
    done = subprocess.run([BUILD + "/postern"] + list(arguments) + ["--socket", folder.path + "/run/issuer-admin.sock"],
                          input=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, "%s: %s%s" % (arguments, done.stdout, done.stderr)
    return done.stdout.strip()


def start(folder, daemons):
    d = Daemon(BUILD + "/posternd", folder)
    daemons.append(d)
    d.wait_ready()
    return d


def make_orders(folder, redirect):
    """Clients and a person, as the peer scripts want to hear of them."""
    key_file, jwks_file = folder.path + "/key.jwk", folder.path + "/keys.json"
    subprocess.run([PEERS + "/node", "--input-type=module", "-e",
                    "import { generateKeyPairSync as g } from 'node:crypto'; import { writeFileSync as w } from 'node:fs';"
                    "const k = g('ec', { namedCurve: 'P-256' }), m = { kid: 'k1', alg: 'ES256' };"
                    "w('%s', JSON.stringify({ ...k.privateKey.export({ format: 'jwk' }), ...m }));"
                    "w('%s', JSON.stringify({ keys: [{ ...k.publicKey.export({ format: 'jwk' }), ...m, use: 'sig' }] }));"
                    % (key_file, jwks_file)], check=True, timeout=60)
    common = ("--resource", RESOURCE, "--scope", SCOPE)
    def add_with_secret(name, *more):
        file = "%s/%s.secret" % (folder.path, name)
        postern(folder, "client", "add", name, *common, "--secret-file", file, *more)
        with open(file) as f:
            return f.read().strip()

    secret = add_with_secret("agent-7")
    postern(folder, "client", "add", "agent-8", "--jwks", jwks_file, *common)
    postern(folder, "client", "add", "app", "--public", "--redirect-uri", redirect, "--title", "Calendar", *common)
    app_secret = add_with_secret("web", "--redirect-uri", redirect)
    postern(folder, "user", "add", "alice", stdin=PASSWORD + "\n")
    with open(key_file) as f:
        jwk = json.load(f)
    return {"issuer": folder.issuer, "resource": RESOURCE, "scope": SCOPE, "person": "alice", "whoami": folder.issuer + "/oauth/whoami",
            "agent": {"id": "agent-7", "secret": secret}, "key": {"id": "agent-8", "jwk": jwk},
            "app": {"id": "app", "redirect": redirect}, "web": {"id": "web", "redirect": redirect, "secret": app_secret}}


def place(name):
    """A module finds its packages from where it lies: beside them."""
    with tempfile.NamedTemporaryFile("w", dir=PEERS, delete=False) as f, open("%s/tests/peers/%s" % (TOP, name)) as source:
        f.write(source.read())
    os.replace(f.name, PEERS + "/" + name)


def run_peer(folder, name, orders):
    """Passes on the script's TAP lines; plays the person where it asks for one."""
    place("line.mjs")
    place(name + ".mjs")
    alice = Person("alice", PASSWORD, folder.issuer)
    peer = subprocess.Popen([PEERS + "/node", "%s/%s.mjs" % (PEERS, name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, cwd=PEERS, env=dict(os.environ, NODE_NO_WARNINGS="1"))
    watchdog = threading.Timer(120, peer.kill)
    watchdog.start()
    peer.stdin.write(json.dumps(orders) + "\n")
    peer.stdin.flush()
    seen = details = 0
    try:
        for line in peer.stdout:
            if line.startswith("person "):
                peer.stdin.write(alice.authorize(line.split()[1]) + "\n")
                peer.stdin.flush()
            elif line.startswith(("ok - ", "not ok - ")):
                seen += 1
                daemon.report(line.startswith("ok"), line.split(" - ", 1)[1].strip())
            else:
                print("# " + line.rstrip())
                details += 1
    finally:
        watchdog.cancel()
        peer.stdin.close()
        status = peer.wait(20)
    assert seen > 0 and status in (0, 1), "%s ended with %s after %d findings" % (name, status, seen)


def openid_client_does_all_that_an_agent_and_an_application_do(folder, daemons):
    start(folder, daemons)
    run_peer(folder, "openid_client", make_orders(folder, "http://127.0.0.1:%d/callback" % free_port()))


def oauth4webapi_finds_nothing_to_object_to(folder, daemons):
    start(folder, daemons)
    orders = make_orders(folder, "http://127.0.0.1:%d/callback" % free_port())
    run_peer(folder, "oauth4webapi", dict(orders, app=orders["web"]))


def a_generator_of_clients_reads_the_openapi_document(folder, daemons):
    start(folder, daemons)
    run_peer(folder, "swagger_parser", {"issuer": folder.issuer})


def the_mcp_sdk_authorizes_itself(folder, daemons):
    start(folder, daemons)
    run_peer(folder, "mcp_sdk", make_orders(folder, "http://127.0.0.1:%d/callback" % free_port()))


def the_mcp_conformance_suite_passes_the_authorization_server(folder, daemons):
    start(folder, daemons)
    port = free_port()
    orders = make_orders(folder, "http://127.0.0.1:%d/callback" % port)
    alice = Person("alice", PASSWORD, folder.issuer)
    suite = subprocess.Popen([PEERS + "/node", PEERS + "/node_modules/@modelcontextprotocol/conformance/dist/index.js", "authorization",
                              "--url", folder.issuer, "--client-id", "app", "--resource", RESOURCE, "--port", str(port)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=PEERS)
    watchdog = threading.Timer(120, suite.kill)
    watchdog.start()
    text = ""
    try:
        for line in suite.stdout:
            text += line
            found = re.search(r"http://\S+/oauth/authorize\?\S+", line)
            if found:
                with urllib.request.urlopen(alice.authorize(found.group(0)), timeout=20):
                    pass
        status = suite.wait(20)
    finally:
        watchdog.cancel()
        suite.kill()
    print("".join("# %s\n" % line for line in text.splitlines()))
    assert status == 0, "it ended with %s" % status


if __name__ == "__main__":
    if not os.path.exists(PEERS + "/node"):
        print("ok - foreign clients # SKIP POSTERN_PEERS is not set: tests/peers/fetch FOLDER")
        sys.exit(0)
    sys.exit(run_tests([openid_client_does_all_that_an_agent_and_an_application_do, oauth4webapi_finds_nothing_to_object_to,
                        a_generator_of_clients_reads_the_openapi_document, the_mcp_sdk_authorizes_itself,
                        the_mcp_conformance_suite_passes_the_authorization_server]))
