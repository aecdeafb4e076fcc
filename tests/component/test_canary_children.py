#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Nothing secret leaves, and nothing stays: after logins at doors, at the helper and at the embedded issuer no piece of a token is in a
log, a record, anybody's argv or environment, or the memory of a child of posternd (what a core of it would hold).  The finder is
tests/support/canary.  TAP output; needs root."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import redis_wire  # noqa: E402
from door_rig import BUILD, Backend, assert_equal, auth_line, check, connect_head, plain_only, run_door_tests, wait_until, with_options  # noqa: E402

CANARY = BUILD + "/tests/support/canary"
SANITIZED = os.environ.get("POSTERN_SANITIZED") == "address"  # there freed memory is kept, and shadowed
LIFE_S = 300 if SANITIZED else 30  # long enough for all logins on a busy machine; what is scanned at the end waits for it, and is not there


def marked(rig, door, **claims):
    return rig.token(door, **dict({"life": LIFE_S, "canary": os.urandom(40).hex(), "jti": os.urandom(9).hex()}, **claims))


def forged(rig, door):
    return marked(rig, door).rsplit(".", 1)[0] + "." + marked(rig, door).rsplit(".", 1)[1]


def post(rig, path, **fields):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(rig.issuer + path, urllib.parse.urlencode(fields).encode(), 20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def ask(rig, token, op="verify", **more):
    frame = {"v": 1, "op": op, "nonce": "AAECAwQFBgcICQoLDA0ODw", "service": "imap", "token": token}
    if op == "verify":
        frame.update(carrier="sasl", tls="local")
    frame.update(more)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(20)
        s.connect(rig.path + "/run/helper.sock")
        s.send(json.dumps(frame).encode())
        return json.loads(s.recv(40000))


class Watcher:
    """Looks at everybody's argv and environment meanwhile."""

    def __init__(self, rig, tokens):
        self.process = subprocess.Popen([CANARY, "watch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        rig.processes.append(self.process)  # a test that fails ends it, too
        self.process.stdin.write(("\n".join(tokens) + "\n").encode())
        self.process.stdin.close()
        assert_equal(self.process.stdout.readline(), b"watching\n", "the watcher")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        said = self.process.stdout.read().decode()
        assert_equal(self.process.wait(), 0, "pieces of tokens in argv or environment: " + said)
        check(int(said.split()[0]) > 3, "it looked more than once: " + said)


def scan(rig, tokens):
    """What is found, place by place."""
    places = ["file:" + path for path in rig.places()]
    if not SANITIZED:
        places += ["pid:%d" % pid for pid in list(rig.daemon.children().values()) + [rig.daemon.process.pid]]
    names = dict((str(pid), role) for role, pid in rig.daemon.children().items())
    r = subprocess.run([CANARY, "scan"] + places, input="\n".join(tokens) + "\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       universal_newlines=True)
    check(r.returncode in (0, 1), r.stdout)
    return "\n".join([r.stdout] + ["%s is %s" % row for row in names.items()]) if r.returncode else ""


def doors_log_in(rig, tokens):
    answers = [rig.login("cache", tokens[0]), rig.login("cache", tokens[1], how="tls"), rig.login("cache", tokens[2], how="unix")]
    for answer in answers:
        answer.talk()
    renewed = rig.renew("cache", answers[0]["session"], tokens[3])
    check(renewed is not None, "an answer to RENEW")
    head = rig.send("cache", connect_head(tokens[4]))
    assert_equal(head.status, 200, "CONNECT")
    rig.refused("cache", auth_line(tokens[5]))
    rig.refused("cache", connect_head(tokens[6]), how="tls")
    for answer in answers + [renewed, head]:
        answer.close()


@with_options(has_issuer=True)
def no_piece_of_a_token_is_left_in_any_child_record_log_or_argument(rig):
    rig.write("services/imap.conf", {"audience": rig.audience("imap"), "issuers": "test", "helper_peers": "root"})
    rig.echo_door()
    rig.echo_door("own", issuers="local")
    rig.start()
    secret_file = rig.add_agent(resources=("own",))
    with open(secret_file) as f:
        secret = f.read().strip()
    at_door = [marked(rig, "cache") for _ in range(5)] + [marked(rig, "other"), forged(rig, "cache")]
    at_helper = [marked(rig, "imap") for _ in range(3)] + [marked(rig, "other"), marked(rig, "imap", exp=1), forged(rig, "imap")]
    watcher = Watcher(rig, at_door + at_helper)

    doors_log_in(rig, at_door)
    for token in at_helper + at_helper:
        ask(rig, token)
    assert_equal(ask(rig, at_helper[0])["outcome"], "proved", "a login at the helper")
    ask(rig, at_helper[0], junk=at_helper[1])
    own = [rig.issue("own") for _ in range(3)]
    rig.login("own", own[0]).close()
    fields = {"client_id": "agent-7", "client_secret": secret}
    assert_equal(post(rig, "/oauth/introspect", token=own[1], **fields)[0], 200, "introspection")
    assert_equal(post(rig, "/oauth/introspect", token=at_helper[0], **fields)[0], 200, "introspection of another's")
    assert_equal(post(rig, "/oauth/revoke", token=own[2], **fields)[0], 200, "revocation")
    wait_until(lambda: not rig.send("own", auth_line(own[2])).is_granted, "the door has heard of the revocation")
    status, body = post(rig, "/oauth/token", grant_type="urn:ietf:params:oauth:grant-type:token-exchange", subject_token=own[1],
                        subject_token_type="urn:ietf:params:oauth:token-type:access_token", resource=rig.audience("own"), **fields)
    tokens = at_door + at_helper + own
    if status == 200:
        tokens.append(json.loads(body)["access_token"])
    watcher.end()
    # Claims of a proved token are remembered for the next login, until its end at most; LIFE and a few seconds.
    end, found = time.monotonic() + 2 * LIFE_S, scan(rig, tokens + [secret])
    while found and time.monotonic() < end:
        time.sleep(0.5)
        found = scan(rig, tokens + [secret])
    assert_equal(found, "", "pieces of tokens")


@plain_only("there freed memory is kept, and shadowed")
def no_piece_of_a_token_is_left_by_doors_that_judge_every_action(rig):
    """In a password's place, in the session, refused, and before an MCP session; the backend's password is the door's to keep."""
    server = redis_wire.BackendServer("of-the-backend")
    rig.processes.append(server.process)
    server.door(rig, rules='read: allow agent agent-* to redis:@read on "cache:*" with log summary')
    rig.door("tools", Backend(), rules="call: allow agent agent-* to mcp:tools/call", protocol="mcp")
    rig.start()
    tokens = [marked(rig, "cache") for _ in range(4)] + [marked(rig, "other"), forged(rig, "cache"), marked(rig, "tools"), marked(rig, "other")]
    for i, hello in ((0, ("AUTH",)), (1, ("AUTH", "agent-7")), (2, ("HELLO", "3", "AUTH", "agent-7"))):
        c = redis_wire.Connection(rig.path + "/run/cache.sock")
        said = c.call(*hello, tokens[i])
        check(said is not None and not isinstance(said, redis_wire.Error), said)
        assert_equal(c.call("GET", "cache:a"), None, "a read")
        if i == 0:
            assert_equal(c.call("AUTH", tokens[3]), b"OK", "a longer lease")
            check(isinstance(c.call("AUTH", tokens[4]), redis_wire.Error), "another audience")
        c.close()
    for token in tokens[4:6]:
        c = redis_wire.Connection(rig.path + "/run/cache.sock")
        check(isinstance(c.call("AUTH", token), redis_wire.Error), "a refusal")
        c.close()
    rig.login("tools", tokens[6]).close()
    rig.refused("tools", auth_line(tokens[7]))
    end, found = time.monotonic() + 2 * LIFE_S, scan(rig, tokens)
    while found and time.monotonic() < end:
        time.sleep(0.5)
        found = scan(rig, tokens)
    assert_equal(found, "", "pieces of tokens")
    server.stop()


@plain_only("its memory is not scanned there")
def a_token_in_the_memory_of_a_child_would_be_found(rig):
    """What the test above rests on: a handle keeps its token for a minute, a login what its token said, and both are seen."""
    rig.write("services/imap.conf", {"audience": rig.audience("imap"), "issuers": "test", "helper_peers": "root"})
    rig.echo_door()
    rig.start()
    kept, known, other = marked(rig, "imap"), marked(rig, "imap"), os.urandom(60).hex()
    assert_equal(ask(rig, kept, op="handle")["outcome"], "proved", "a handle")
    found = scan(rig, [kept])
    check(": payload of token 1" in found and "is helper" in found, "its token is in the helper's memory: " + found)
    assert_equal(ask(rig, known)["outcome"], "proved", "a login")
    found = scan(rig, [known])
    check("decoded payload of token 1" in found, "what it said is remembered for the next login: " + found)
    assert_equal(scan(rig, [other]), "", "what was never sent")


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
