#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tokens that are bound to a client certificate (RFC 8705) at a real door, with real certificates in real handshakes: who holds the key comes
in, and nobody else does, neither at the login nor at a renewal.  TAP output; needs root, Python's own modules and openssl(1)."""
import base64
import hashlib
import os
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from door_rig import (POSTERN, assert_equal, auth_line, check, run_door_tests, wait_until, with_options)  # noqa: E402


def thumbprint(cert):
    """x5t#S256: of the DER, in base64url without padding."""
    with open(cert[0]) as f:
        der = ssl.PEM_cert_to_DER_cert(f.read())
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def bound(rig, cert, door="cache", **claims):
    return rig.token(door, cnf={"x5t#S256": thumbprint(cert)}, **claims)


def who_holds_the_key_comes_in_and_nobody_else(rig):
    backend = rig.echo_door(tls_client_certificate="ask")
    mine, theirs = rig.certificate("mine"), rig.certificate("theirs")
    twin = rig.certificate("twin")  # another key under the same name
    same = rig.path + "/same"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=mine", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", same + ".key", "-out", same + ".crt"],
                   check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    rig.start()
    rig.login(token=bound(rig, mine), how="tls", cert=mine).talk()
    rig.login(token=bound(rig, theirs), how="tls", cert=theirs).talk()
    for what, how in (("no certificate", {"how": "tls"}), ("another", {"how": "tls", "cert": theirs}),
                      ("another of the same issuer", {"how": "tls", "cert": twin}),
                      ("the same subject, another key", {"how": "tls", "cert": (same + ".crt", same + ".key")}),
                      ("no TLS", {}), ("a unix socket", {"how": "unix"})):
        answer = rig.refused("cache", auth_line(bound(rig, mine)), **how)
        assert_equal([answer[k] for k in ("reason", "error")], ["cnf", "invalid_token"], what)
        answer.close()
    assert_equal(len(backend.calls), 2, "connections at the backend")
    check("tls_client_certificate" in rig.why(answer["ref"]), "why names the setting")
    # A certificate that nothing asks for changes nothing, and a stranger's key proves nothing.
    rig.login(how="tls").talk()
    rig.login(how="tls", cert=theirs).talk()
    rig.login().talk()


def what_cannot_be_proved_is_refused_with_every_certificate(rig):
    rig.echo_door(tls_client_certificate="ask")
    mine = rig.certificate("mine")
    rig.start()
    for cnf, reason in (({"jkt": thumbprint(mine)}, "cnf"), ({"x5t#S256": thumbprint(mine), "jkt": thumbprint(mine)}, "cnf"),
                        ({}, "cnf"), ({"x5t#S256": thumbprint(mine) + "="}, "malformed_claim"), ("x", "malformed_claim")):
        answer = rig.refused("cache", auth_line(rig.token("cache", cnf=cnf)), how="tls", cert=mine)
        assert_equal(answer["reason"], reason, cnf)


def a_door_that_does_not_ask_refuses_bound_tokens(rig):
    rig.echo_door()
    mine = rig.certificate("mine")
    rig.start()
    answer = rig.refused("cache", auth_line(bound(rig, mine)), how="tls", cert=mine)
    assert_equal(answer["reason"], "cnf", answer)
    rig.login(how="tls", cert=mine).talk()


def a_session_of_a_bound_token_is_renewed_with_the_proof_alone(rig):
    rig.echo_door(tls_client_certificate="ask")
    mine, theirs = rig.certificate("mine"), rig.certificate("theirs")
    rig.start()
    live = rig.login(token=bound(rig, mine), how="tls", cert=mine)
    secret = live["session"]
    for what, token, how, reason in (
            ("no certificate", bound(rig, mine), {"how": "tls", "source": "127.0.3.1"}, "cnf"),
            ("no TLS", bound(rig, mine), {"source": "127.0.3.2"}, "cnf"),
            ("another's certificate", bound(rig, mine), {"how": "tls", "cert": theirs, "source": "127.0.3.3"}, "cnf"),
            ("a bearer token", rig.token("cache"), {"how": "tls", "source": "127.0.3.4"}, "renewal"),
            ("a bearer token beside the certificate", rig.token("cache"), {"how": "tls", "cert": mine, "source": "127.0.3.5"}, "renewal")):
        answer = rig.renew("cache", secret, token, **how)
        check(not answer.is_granted and answer["reason"] == reason, "%s: %s" % (what, answer))
        answer.close()
    live.talk()
    good = rig.renew("cache", secret, bound(rig, mine, life=600), how="tls", cert=mine)
    check(good.is_granted and good["lease"] > 590, good)
    moved = rig.renew("cache", secret, bound(rig, theirs, life=700), how="tls", cert=theirs)
    check(moved.is_granted, "a renewed certificate: %s" % moved)
    live.talk()
    plain = rig.login()
    answer = rig.renew("cache", plain["session"], bound(rig, mine), how="tls", cert=mine)
    assert_equal(answer["reason"], "renewal", "a session does not become a bound one")


def a_reload_keeps_the_sessions_of_bound_tokens(rig):
    backend = rig.echo_door(tls_client_certificate="ask")
    mine = rig.certificate("mine")
    rig.start()
    live, plain = rig.login(token=bound(rig, mine), how="tls", cert=mine), rig.login()
    rig.reload()
    live.talk(), plain.talk()
    rig.door("cache", backend, tls_client_certificate="ask", allowed_clients="agent-8")
    rig.reload()
    live.wait_end(), plain.wait_end()
    wait_until(lambda: len(rig.records(event="end")) == 2, "two ends")
    assert_equal(rig.refused("cache", auth_line(bound(rig, mine)), how="tls", cert=mine)["reason"], "client_not_allowed", "now")


def a_door_may_want_certificates_of_one_authority(rig):
    ca, ca_key = rig.certificate("authority")
    crt, key = rig.path + "/leaf.crt", rig.path + "/leaf.key"
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=agent-7", "-keyout",
                    key, "-out", crt + ".csr"], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    subprocess.run(["openssl", "x509", "-req", "-in", crt + ".csr", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2", "-out",
                    crt], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    leaf, theirs = (crt, key), rig.certificate("theirs")
    rig.echo_door(tls_client_certificate="require", tls_client_ca_file=ca)
    rig.start()
    rig.login(how="tls", cert=leaf).talk()
    rig.login(token=bound(rig, leaf), how="tls", cert=leaf).talk()
    assert_equal(rig.refused("cache", auth_line(bound(rig, theirs)), how="tls", cert=leaf)["reason"], "cnf", "bound to another")
    for how in ({"how": "plain"}, {"how": "unix"}):
        assert_equal(rig.refused("cache", auth_line(rig.token("cache")), **how)["reason"], "tls_required", how)
    for cert in (None, theirs):
        try:
            s = rig.dial("cache", how="tls", cert=cert)
            s.sendall(auth_line(rig.token("cache")))
            check(s.recv(1) == b"", "an answer without a certificate that counts")
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
            pass


def openssl_s_client_shows_its_certificate(rig):
    rig.echo_door(tls_client_certificate="ask")
    mine = rig.certificate("mine")
    rig.start()
    command = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % rig.ports["cache"], "-servername", "localhost", "-CAfile",
               rig.path + "/run/door.pem", "-verify_return_error", "-quiet"]
    for more, word in ((["-cert", mine[0], "-key", mine[1]], b"OK "), ([], b"ERR ")):
        p = subprocess.Popen(command + more, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdin.write(auth_line(bound(rig, mine)))
        p.stdin.flush()
        answer = p.stdout.readline()
        p.kill(), p.communicate()
        check(answer.startswith(word), "with %s: %r" % (more, answer))


@with_options(has_issuer=True)
def postern_connect_shows_the_certificate_of_its_client_file(rig):
    crt, key = rig.certificate("agent")
    rig.echo_door(issuers="local", tls_client_certificate="require", tls_client_ca_file=crt)
    rig.start()
    rig.add_agent("agent-7", ["cache"])
    os.chown(key, 64736, 64736)
    rig.write_client("with", "cache", tls_cert_file=crt, tls_key_file=key)
    rig.write_client("without", "cache")
    for name, is_in in (("with", True), ("without", False)):
        r = subprocess.run([POSTERN, "connect", "--stdio", name], input=b"ping", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                           env=rig.agent_environment(), preexec_fn=rig.as_agent)
        assert_equal(r.stdout == b"ping", is_in, "%s: %s" % (name, r.stderr.decode()))
    os.chmod(key, 0o644)
    r = subprocess.run([POSTERN, "connect", "--stdio", "with"], input=b"ping", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                       env=rig.agent_environment(), preexec_fn=rig.as_agent)
    check(r.returncode != 0 and r.stdout == b"" and key in r.stderr.decode(), "a key that others read: %s" % r.stderr.decode())


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
