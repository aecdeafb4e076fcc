#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`postern token` while the authorization server misbehaves (tests/support/misbehaving_issuer.py): a table of scenarios.  What is the
server's or the network's fault is undecided (exit status 3) with its reason; the secret goes to the token endpoint alone and into no
message; nothing is asked twice or followed elsewhere; when the server is honest again, there is a token.  TAP output; needs
openssl(1) and Python's own modules."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402
from issuer_faults import (CONNECTIONS, PROVED, SECRET, WRONG_ISSUERS, Fault, answer, connection, document, run_all, silently,  # noqa: E402
                           wire_faults)
from issuer_keys import Authority  # noqa: E402
from misbehaving_issuer import METADATA, OTHER, TOKEN  # noqa: E402

POSTERN = os.environ.get("POSTERN_BUILD", ".") + "/postern"
OUTCOMES = {0: "proved", 1: "rejected", 3: "undecided"}  # exit status, see postern(1)


class World:
    def __init__(self, folder):
        self.folder, self.authority, self.secret_file = folder, Authority(folder), folder + "/secret"
        with open(self.secret_file, "w") as f:
            f.write(SECRET)
        os.chmod(self.secret_file, 0o600)


class Scenario(Fault):
    most_requests = {METADATA: 2, TOKEN: 1, OTHER: 0}

    def ask(self):
        """(outcome, reason)"""
        home = self.world.folder
        r = subprocess.run([POSTERN, "token", "--no-cache", "--issuer", self.issuer.url, "--client-id", "door 1", "--secret-file",
                            self.world.secret_file, "--tls-ca-file", self.world.authority.file], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=60,
                           env=dict(os.environ, HOME=home, XDG_STATE_HOME=home))
        assert SECRET not in r.stdout + r.stderr, r.stderr
        reason = re.search(r"reason: (\w+)", r.stderr)
        return OUTCOMES.get(r.returncode, "exit status %d" % r.returncode), reason and reason.group(1)

    def check_secret(self):
        for request in self.issuer.requests():
            if request.place == TOKEN:
                assert request.client == ("basic", "door 1", SECRET) and request.method == "POST", request.headers
            else:
                assert "authorization" not in request.headers and not request.body, request.headers

    def run(self):
        self.act(self)
        self.check_verdict(self.ask(), "postern token")
        self.check_requests()
        if self.recovers:
            self.recover()
            daemon.wait_until(lambda: self.ask() == ("proved", None), "a token after the issuer recovered", 60)  # a busy machine may need a second try
        self.check_secret()


def make_table():
    yield Scenario("an honest issuer", silently, PROVED)
    for how, want in CONNECTIONS:
        yield Scenario("a connection that is " + how, connection(how), want, most={METADATA: 0, TOKEN: 0})
    for name, what, want in wire_faults(lambda s: s.issuer.document()):
        yield Scenario("metadata: " + name, answer(METADATA, what), want, most={TOKEN: 0})
    for name, changes, want in WRONG_ISSUERS:
        yield Scenario("metadata: " + name, document(**changes), want, most={TOKEN: 0})
    for name, what, want in wire_faults(lambda s: {"access_token": "x", "token_type": "Bearer", "expires_in": 300}):
        yield Scenario("token: " + name, answer(TOKEN, what), want)


def main():
    scenarios = [s for s in make_table() if len(sys.argv) == 1 or re.search(sys.argv[1], s.name)]
    with tempfile.TemporaryDirectory(prefix="postern-test.") as folder:
        world = World(folder)
        for s in scenarios:
            s.start_issuer(world)
        run_all(scenarios)
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


sys.exit(main())
