#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The helper of a real posternd, in its sandbox, against an issuer by HTTPS: metadata and keys are found, rotated, cached, withdrawn and
lost; certificates and addresses that are wrong.  TAP output; needs root, Python's own modules, openssl(1)."""
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402
from test_posternd import ask  # noqa: E402

BUILD = os.environ.get("POSTERN_BUILD", ".")
POSTERN, TOKEN_TOOL = BUILD + "/postern", BUILD + "/tests/support/token_tool"
AUDIENCE = "https://mail.example.org/imap"


def make_certificate(folder, name, alternative="DNS:localhost,IP:127.0.0.1"):
    crt, key = "%s/%s.crt" % (folder.path, name), "%s/%s.key" % (folder.path, name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=" + name, "-addext", "subjectAltName=" + alternative, "-keyout", key, "-out", crt], check=True,
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return crt, key


class Issuer:
    """An authorization server that publishes what a test puts into it, and counts what is asked."""

    def __init__(self, folder, is_plain=False):
        self.folder, self.keys, self.asked, self.count, self.is_down = folder, [], [], 0, False
        self.headers, self.port = {}, daemon.free_port()
        self.ca, key = make_certificate(folder, "issuer-%d" % self.port)
        self.url = "%s://127.0.0.1:%d" % ("http" if is_plain else "https", self.port)
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.answer(self)

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a client that does not like our certificate

        self.server = Server(("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        if not is_plain:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, request):
        body, headers, status = b"{}", dict(self.headers), 200
        self.asked.append((request.path, request.headers.get("If-None-Match")))
        if self.is_down:
            status, body = 503, b"down"
        elif request.path == "/.well-known/openid-configuration":
            body = json.dumps({"issuer": self.url, "jwks_uri": self.url + "/jwks"}).encode()
        elif request.path == "/jwks":
            body = json.dumps({"keys": self.keys}).encode()
        else:
            status = 404
        request.send_response(status)
        for name, value in dict(headers, **{"Content-Type": "application/json", "Content-Length": str(len(body))}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    def add_key(self):
        """A new signing key; published when the caller says so."""
        self.count += 1
        path = "%s/key-%d-%d.pem" % (self.folder.path, self.port, self.count)
        with open(path, "wb") as f:
            f.write(subprocess.run([TOKEN_TOOL, "key"], check=True, stdout=subprocess.PIPE).stdout)
        jwks = json.loads(subprocess.run([TOKEN_TOOL, "jwks", path], check=True, stdout=subprocess.PIPE).stdout)
        return path, jwks["keys"][0]

    def sign(self, path):
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "alice", "client_id": "agent-7", "jti": os.urandom(8).hex(), "iat": now,
                  "exp": now + 300, "scope": "mail.read"}
        p = subprocess.run([TOKEN_TOOL, "sign", path, "at+jwt"], input=json.dumps(claims).encode(), check=True, stdout=subprocess.PIPE)
        return p.stdout.decode().strip()

    def count_of(self, path):
        return len([a for a in self.asked if a[0] == path])

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def configure(folder, issuer, **keys):
    settings = {"issuer": issuer.url, "tls_ca_file": issuer.ca, **keys}
    folder.write("issuers/sso.conf", {k: v for k, v in settings.items() if v is not None})
    folder.write("services/ldap.conf", {"audience": "https://localhost/ldap", "helper_peers": "root", "issuers": "local"})
    folder.write("services/imap.conf", {"audience": AUDIENCE, "helper_peers": "root", "issuers": "sso"})


def start(folder, daemons):
    d = daemon.Daemon(BUILD + "/posternd", folder)
    daemons.append(d)
    d.wait_ready()
    return d


def reason(folder, token):
    """None: let in (the name has no account here, which is the last check before that).  Again while it is undecided for want of
    time: a machine may be busy."""
    def once():
        got[:] = ask(folder, token, "imap")
        return got[:2] != ["undecided", "timeout"]
    got = []
    daemon.wait_until(once, "a verdict")
    outcome, why, _ = got
    return None if outcome == "proved" or why in ("no_mapping", "user_denied", "unknown_user") else why


def assert_reason(folder, token, want):
    got = reason(folder, token)
    assert got == want, "wanted %s, got %s" % (want, got)


def keys_are_found_by_the_issuers_metadata_and_fetched_ahead_of_logins(folder, daemons):
    issuer = Issuer(folder)
    path, jwk = issuer.add_key()
    issuer.keys = [jwk]
    configure(folder, issuer)
    d = start(folder, daemons)
    d.wait_log("helper: keys.loaded: .*keys=1")
    assert issuer.asked[0][0] == "/.well-known/oauth-authorization-server", issuer.asked
    before = len(issuer.asked)
    for _ in range(20):
        assert_reason(folder, issuer.sign(path), None)
    assert len(issuer.asked) == before, issuer.asked
    p = subprocess.run([POSTERN, "verify", "--config", folder.path + "/etc", "--service", "imap", "--explain"], input=issuer.sign(path),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=60)
    assert "jwks_uri of " + issuer.url in p.stdout + p.stderr and "signature    passed" in p.stdout + p.stderr, p.stdout + p.stderr
    issuer.stop()


def a_rotated_key_counts_while_running_and_a_withdrawn_one_no_longer(folder, daemons):
    issuer = Issuer(folder)
    old, old_jwk = issuer.add_key()
    new, new_jwk = issuer.add_key()
    issuer.keys = [old_jwk]
    configure(folder, issuer, jwks_uri=issuer.url + "/jwks")
    d = start(folder, daemons)
    d.wait_log("helper: keys.loaded")
    assert_reason(folder, issuer.sign(old), None)
    token = issuer.sign(old)
    assert_reason(folder, token, None)
    issuer.keys = [new_jwk]
    assert_reason(folder, issuer.sign(new), None)  # its kid is not known: one fetch, which the login waits for
    assert issuer.count_of("/jwks") == 2, issuer.asked
    assert_reason(folder, issuer.sign(old), "unknown_kid")
    assert_reason(folder, token, "unknown_kid")  # though it was proved a moment ago
    stranger, _ = issuer.add_key()
    for _ in range(10 if daemon.IS_SANITIZED else 30):
        assert_reason(folder, issuer.sign(stranger), "unknown_kid")
    assert issuer.count_of("/jwks") == 2, issuer.asked  # in the cool-down
    issuer.stop()


def an_issuer_that_is_down_leaves_its_keys_in_force(folder, daemons):
    issuer = Issuer(folder)
    path, jwk = issuer.add_key()
    issuer.keys, issuer.is_down = [jwk], True
    configure(folder, issuer, jwks_uri=issuer.url + "/jwks")
    d = start(folder, daemons)
    d.wait_log("helper: keys.unusable: .*503")
    outcome, why, _ = ask(folder, issuer.sign(path), "imap")
    assert (outcome, why) == ("undecided", "keys_unavailable"), (outcome, why)
    issuer.is_down = False
    d.wait_log("helper: keys.loaded")  # upkeep asks again by itself
    assert_reason(folder, issuer.sign(path), None)
    issuer.is_down = True
    stranger, _ = issuer.add_key()
    assert_reason(folder, issuer.sign(stranger), "unknown_kid")  # the fetch for its sake fails
    d.wait_log("helper: keys.unusable", 2)
    assert_reason(folder, issuer.sign(path), None)
    issuer.stop()


def a_wrong_certificate_gives_no_keys(folder, daemons):
    issuer, other = Issuer(folder), Issuer(folder)
    path, jwk = issuer.add_key()
    issuer.keys = [jwk]
    configure(folder, issuer, jwks_uri=issuer.url + "/jwks", tls_ca_file=other.ca)
    d = start(folder, daemons)
    d.wait_log("helper: keys.unusable: .*not the authorization server")
    outcome, why, _ = ask(folder, issuer.sign(path), "imap")
    assert (outcome, why) == ("undecided", "keys_unavailable"), (outcome, why)
    assert issuer.asked == [], issuer.asked
    issuer.stop()
    other.stop()


def a_document_of_another_issuer_gives_no_keys(folder, daemons):
    issuer = Issuer(folder)
    path, jwk = issuer.add_key()
    issuer.keys = [jwk]
    configure(folder, issuer)
    issuer.url += "/other"  # what its metadata says
    d = start(folder, daemons)
    d.wait_log("helper: metadata.unusable")
    assert issuer.count_of("/jwks") == 0, issuer.asked
    issuer.stop()


def over_http_only_a_listener_of_root_on_loopback_is_believed(folder, daemons):
    issuer = Issuer(folder, is_plain=True)
    path, jwk = issuer.add_key()
    issuer.keys = [jwk]
    configure(folder, issuer, tls_ca_file=None, allow_loopback_http="yes")
    d = start(folder, daemons)
    d.wait_log("helper: keys.loaded")
    assert_reason(folder, issuer.sign(path), None)
    d.stop()
    issuer.stop()
    pid, heard = start_stranger(issuer.port)
    start(folder, daemons).wait_log("helper: metadata.unusable: .*not the authorization server")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(heard, "rb") as f:
        assert f.read() == b"", "a stranger heard something"


def start_stranger(port):
    """Another user's listener: (its pid, a pipe with the first byte of each who connects)."""
    heard, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgid(daemon.OTHER_UID)
        os.setuid(daemon.OTHER_UID)
        s = socket.create_server(("127.0.0.1", port))
        os.write(tell, b"L")
        while True:
            os.write(tell, s.accept()[0].recv(1))
    os.close(tell)
    assert os.read(heard, 1) == b"L"
    return pid, heard


if __name__ == "__main__":
    sys.exit(daemon.run_tests([keys_are_found_by_the_issuers_metadata_and_fetched_ahead_of_logins,
                               a_rotated_key_counts_while_running_and_a_withdrawn_one_no_longer,
                               an_issuer_that_is_down_leaves_its_keys_in_force, a_wrong_certificate_gives_no_keys,
                               a_document_of_another_issuer_gives_no_keys,
                               over_http_only_a_listener_of_root_on_loopback_is_believed]))
