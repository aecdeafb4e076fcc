#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""backend_auth: exchange: a door logs in at a backend that is a raw door itself, with a token that it got for the agent's.  The
authorization server is one that says whatever a test wants; the backend is a second door, or a server that plays one."""
import base64
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from door_rig import (BUILD, Backend, assert_equal, auth_line, check, receive, run_door_tests, wait_until)  # noqa: E402

SECRET = "a-secret-of-the-front-door"


class Server:
    """Metadata and a token endpoint on loopback.  `answer(form)` gives (status, object); by default a token for the resource, in the
    front door's name, with the agent behind it."""

    def __init__(self, rig, door="inner"):
        self.rig, self.door, self.forms, self.life, self.answer = rig, door, [], 300, self.exchange
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def reply(self, status, body):
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Cache-Control", "no-store")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_GET(self):
                self.reply(200, {"issuer": outer.issuer, "token_endpoint": outer.issuer + "/token", "response_types_supported": ["code"],
                                 "grant_types_supported": ["urn:ietf:params:oauth:grant-type:token-exchange"],
                                 "token_endpoint_auth_methods_supported": ["client_secret_basic"]})

            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {k: v[0] for k, v in urllib.parse.parse_qs(text).items()}
                form["authorization"] = self.headers.get("Authorization", "")
                outer.forms.append(form)
                self.reply(*outer.answer(form))

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = "http://127.0.0.1:%d" % self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def exchange(self, form):
        claims = form["subject_token"].split(".")[1]
        parent = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        token = self.rig.token(self.door, "front-door", self.life, sub=parent["sub"], derived_from=[parent["jti"]],
                               act={"sub": "front-door", "act": {"sub": parent["client_id"]}})
        return 200, {"access_token": token, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                     "token_type": "Bearer", "expires_in": self.life}


def _write_front(rig, server, backend, **keys):
    """Door "front", which asks `server` as front-door."""
    os.makedirs(rig.path + "/etc/clients", exist_ok=True)
    secret = rig.path + "/front-door.secret"
    if not os.path.exists(secret):
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(SECRET + "\n")
        rig.secrets.append(SECRET)
    rig.write("clients/front.conf", {"issuer": server.issuer, "allow_loopback_http": "yes", "client_id": "front-door",
                                     "client_credential_file": secret})
    row = {"backend_auth": "exchange", "backend_resource": rig.audience("inner"), "client": "front"}
    row.update(keys)
    rig.door("front", backend, **row)


def _two_doors(rig):
    """front → inner → a backend that sends back."""
    server, backend = Server(rig), Backend()
    rig.door("inner", backend, rules="in: allow agent front-door for user alice to raw:connect on inner")
    _write_front(rig, server, "127.0.0.1:%d" % rig.ports["inner"])
    rig.start()
    return server, backend


def _alice(rig, **claims):
    return rig.token("front", sub="alice", **claims)


def the_backend_gets_a_token_of_its_own_audience_and_both_names(rig):
    server, backend = _two_doors(rig)
    token = _alice(rig)
    session = rig.login("front", token, early=b"early ")
    assert_equal(session.sock.recv(6), b"early ", "what came behind the login")
    session.talk()
    form = server.forms[-1]
    assert_equal(form["subject_token"], token, "subject_token")
    assert_equal(form["resource"], rig.audience("inner"), "resource")
    assert_equal(form["grant_type"], "urn:ietf:params:oauth:grant-type:token-exchange", "grant_type")
    assert_equal(base64.b64decode(form["authorization"].split()[1]).decode(), "front-door:" + SECRET, "who asked")
    check(token not in form.get("actor_token", ""), "the agent's token is no actor token")
    record = wait_until(lambda: rig.records(event="login", service="inner"), "the inner door's record")[-1]
    assert_equal((record["outcome"], record["agent"], record["human"], record["act"], record["aud"]),
                 ("proved", "front-door", "alice", ["front-door", "agent-7"], rig.audience("inner")), "the inner door's record")
    outer = rig.records(event="login", service="front")[-1]
    assert_equal((outer["agent"], outer["human"]), ("agent-7", "alice"), "the front door's record")
    assert_equal(backend.live(), 1, "connections at the backend")
    session.close()
    backend.wait_live(0)


def the_agent_s_token_itself_opens_nothing_behind(rig):
    _two_doors(rig)
    answer = rig.refused("inner", auth_line(_alice(rig)))
    assert_equal(answer["reason"], "aud", "why")


def the_backend_s_policy_decides_for_whom(rig):
    server, backend = _two_doors(rig)
    answer = rig.refused("front", auth_line(rig.token("front", sub="bob")))
    assert_equal((answer["reason"], answer["retry"]), ("backend", "later"), "what the agent is told")
    record = wait_until(lambda: rig.records(event="login", service="front", outcome="undecided"), "a record")[-1]
    check("refuses the door's own token: policy" in record["detail"], record)
    assert_equal((len(server.forms), len(backend.calls)), (1, 0), "exchanges, connections behind")


# ---- a server that plays the inner door ----

class Inner:
    """Takes a line and answers it; keeps the lines.  `answers` may hold what is said instead of a grant, one after the other."""

    def __init__(self, lease=300):
        self.lines, self.answers, self.lease = [], [], lease
        self.backend = Backend(self.serve)

    def serve(self, call):
        line = b""
        while not line.endswith(b"\n"):
            piece = receive(call, 65536)
            if not piece:
                return
            line += piece
        self.lines.append(line.decode())
        if self.answers:
            answer = self.answers.pop(0)
            for piece in answer if isinstance(answer, list) else [answer]:
                call.sock.sendall(piece)
                time.sleep(0.05)  # pieces, as a network cuts them
        elif line.startswith(b"RENEW "):
            call.sock.sendall(b'OK {"service":"inner","lease_end":1,"lease":%d}\r\n' % self.lease)
            return
        else:
            call.sock.sendall(b'OK {"service":"inner","lease_end":1,"lease":%d,"session":"c2Vzc2lvbg","ref":"R-1"}\r\nhello ' % self.lease)
        while True:
            piece = receive(call)
            if not piece:
                return
            call.sock.sendall(piece)


def _played(rig, lease=300):
    server, inner = Server(rig), Inner(lease)
    _write_front(rig, server, inner.backend)
    rig.start()
    return server, inner


def never_the_agent_s_token_on_the_backend_s_wire(rig):
    server, inner = _played(rig)
    token = _alice(rig)
    session = rig.login("front", token)
    assert_equal(session.sock.recv(6), b"hello ", "what the backend says first, behind its answer")
    session.talk()
    said = base64.b64decode(inner.lines[0].split()[2]).decode()
    check(token not in said and token not in inner.lines[0], "the agent's token")
    check(said.startswith("n,,\x01auth=Bearer ey") and said.endswith("\x01\x01"), said[:20])
    check(inner.lines[0].endswith("\r\n"), "the end of the line")


def a_renewal_in_front_is_one_behind_with_a_new_token(rig):
    server, inner = _played(rig)
    session = rig.login("front", _alice(rig))
    newer = _alice(rig)
    check(rig.renew("front", session["session"], newer).is_granted, "the renewal in front")
    wait_until(lambda: len(inner.lines) == 2, "a renewal behind")
    word, secret, token = inner.lines[1].split()
    assert_equal((word, secret), ("RENEW", "c2Vzc2lvbg"), "the renewal behind")
    check(token != newer and server.forms[-1]["subject_token"] == newer, "exchanged for the newer one")
    assert_equal(session.sock.recv(6), b"hello ", "first bytes")
    session.talk()


def before_its_lease_ends_the_session_behind_is_renewed(rig):
    server, inner = _played(rig, lease=6)
    session = rig.login("front", _alice(rig))
    assert_equal(session.sock.recv(6), b"hello ", "first bytes")
    wait_until(lambda: len(inner.lines) >= 2, "a renewal without the agent's doing")
    check(inner.lines[1].startswith("RENEW c2Vzc2lvbg "), inner.lines[1][:10])
    session.talk()


def a_renewal_that_fails_behind_is_tried_again(rig):
    server, inner = _played(rig, lease=6)
    session = rig.login("front", _alice(rig))
    inner.answers = [b'ERR {"error":"x","reason":"audit","ref":"R-2"}\r\n']
    wait_until(lambda: len(inner.lines) >= 3, "a second try")
    check(rig.daemon.log().count("refuses the door's own token: audit, ref R-2") == 1, "the log says why")
    assert_equal(session.sock.recv(6), b"hello ", "first bytes")
    session.talk()


def what_is_no_grant_opens_nothing(rig):
    server, inner = _played(rig)
    cases = [
        (b'ERR {"error":"access_denied","reason":"policy","ref":"R-9"}\r\n', "policy, ref R-9"),
        (b'ERR {}\r\n', "-, ref -"),
        (b'OK {"lease":300}\r\n', "names no session"),
        (b'OK {"lease":300,"session":"a b"}\r\n', "malformed"),
        (b'OK {"lease":300,"session":"%s"}\r\n' % (b"a" * 65), "malformed"),
        (b'OK {"session":"abc"}\r\n', "no lease"),
        (b'OK {"lease":-1,"session":"abc"}\r\n', "no lease"),
        (b'OK {"lease":300,"lease":300,"session":"abc"}\r\n', "no JSON object"),
        (b'OK []\r\n', "no JSON object"),
        (b'OK \r\n', "no JSON object"),
        (b'ok {"lease":300,"session":"abc"}\r\n', "no raw door"),
        (b'+OK dovecot ready\r\n', "no raw door"),
        (b'\n', "no raw door"),
        (b'OK ' + b" " * 5000, "no end"),
    ]
    for answer, why in cases:
        inner.answers = [answer]
        refusal = rig.refused("front", auth_line(_alice(rig)))
        assert_equal((refusal["reason"], refusal["retry"]), ("backend", "later"), answer)
        detail = rig.records(event="login", service="front")[-1]["detail"]
        check(why in detail, "%r: %s" % (answer, detail))
    inner.answers = [[b'O', b'K {"lease":300,"se', b'ssion":"abc"}\r', b'\nrest']]
    session = rig.login("front", _alice(rig))
    assert_equal(session.sock.recv(4), b"rest", "what follows an answer in pieces")
    session.talk()


def a_backend_that_says_nothing_has_its_time(rig):
    server, inner = _played(rig)
    inner.answers = [b""]
    begin = time.monotonic()
    refusal = rig.refused("front", auth_line(_alice(rig)))
    assert_equal(refusal["reason"], "backend", "why")
    check(4 < time.monotonic() - begin < 15, "%.1f s" % (time.monotonic() - begin))
    check("does not answer" in rig.records(event="login", service="front")[-1]["detail"], "detail")


def without_a_token_from_the_server_nothing_is_dialled(rig):
    server, inner = _played(rig)
    answers = {
        "refused": (400, {"error": "invalid_grant", "error_description": "no"}),
        "not a bearer token": (200, {"access_token": "ey.a.b", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                                     "token_type": "DPoP"}),
        "another type": (200, {"access_token": "ey.a.b", "issued_token_type": "urn:ietf:params:oauth:token-type:id_token",
                               "token_type": "Bearer"}),
        "no token": (200, {"token_type": "Bearer"}),
        "an error of its own": (503, {"error": "temporarily_unavailable"}),
    }
    for what, answer in answers.items():
        server.answer = lambda form, answer=answer: answer
        refusal = rig.refused("front", auth_line(_alice(rig)))
        assert_equal((refusal["reason"], refusal["retry"]), ("backend", "later"), what)
    check(any("invalid_grant" in r.get("detail", "") for r in rig.records(event="login", service="front")), "the server's word")
    server.http.shutdown()
    server.http.server_close()
    assert_equal(rig.refused("front", auth_line(_alice(rig)))["reason"], "backend", "nobody listens")
    assert_equal(len(inner.backend.calls), 0, "connections")


def what_ends_in_front_ends_behind(rig):
    server, backend = _two_doors(rig)
    session = rig.login("front", _alice(rig))
    session.talk()
    assert_equal(len(rig.sessions()), 2, "sessions")
    rig.control("kill", "--session", [s["id"] for s in rig.sessions() if s["door"] == "front"][0])
    session.wait_end()
    backend.wait_live(0)
    wait_until(lambda: rig.sessions() == [], "no session left")


def a_configuration_that_would_send_a_token_astray_is_refused(rig):
    server = Server(rig)
    cases = [
        ({"client": None}, "exchange needs backend_resource and client"),
        ({"backend_resource": None}, "exchange needs backend_resource and client"),
        ({"backend_auth": None}, "means nothing without backend_auth: exchange"),
        ({"backend_tls": "disable", "backend": "192.0.2.1:7000"}, "it needs TLS to the backend"),
        ({"client": "../front"}, "a name has at most"),
        ({"client": "nobody"}, "clients/nobody.conf"),
        ({"backend_resource": "http://localhost/inner#x"}, "backend_resource"),
    ]
    for keys, why in cases:
        _write_front(rig, server, keys.pop("backend", "127.0.0.1:7000"), **keys)
        r = subprocess.run([BUILD + "/posternd", "--check", "--config", rig.path + "/etc"], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, universal_newlines=True, timeout=60)
        check(r.returncode == 78 and why in r.stdout, "%s: %d %s" % (keys, r.returncode, r.stdout))
    _write_front(rig, server, "127.0.0.1:7000")
    rig.write("clients/front.conf", {"issuer": server.issuer, "allow_loopback_http": "yes", "client_id": "a", "client_auth": "none"})
    r = subprocess.run([BUILD + "/posternd", "--check", "--config", rig.path + "/etc"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       universal_newlines=True, timeout=60)
    check(r.returncode == 78 and "cannot ask for a token" in r.stdout, r.stdout)


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
