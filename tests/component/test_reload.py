#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What "ready" promises after a reload (doc/decisions/0129): nobody is let in by the settings before any more, and no caller is lost on
the way there.  A real helper and a real door, callers who never pause, and a rule that is tightened and loosened."""
import json
import os
import signal
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import DEADLINE_S, IS_SANITIZED  # noqa: E402
from door_rig import Answer, assert_equal, auth_line, read_answer, run_door_tests, with_options  # noqa: E402

ROUNDS = 15 if IS_SANITIZED else 100
HELPERS, DOORS = 3, 2  # who call all the time
AUDIENCE = "https://localhost/imap"


def ask(rig, token):
    """One login at the helper: "proved", or the reason why not; "" without an answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(DEADLINE_S)
        s.connect(rig.path + "/run/helper.sock")
        s.send(json.dumps({"v": 1, "op": "verify", "nonce": "AAECAwQFBgcICQoLDA0ODw", "service": "imap", "token": token,
                           "carrier": "sasl", "tls": "local"}).encode())
        reply = s.recv(40000)
    if not reply:
        return ""
    reply = json.loads(reply)
    return "proved" if reply["outcome"] == "proved" else reply["reason"]


def knock(rig, token):
    """The same at the door."""
    with rig.dial("cache") as s:
        s.sendall(auth_line(token))
        answer = Answer(s, read_answer(s))
    return "proved" if answer.is_granted else answer["reason"] or ""


class Caller(threading.Thread):
    """Calls and calls; `calls` has (when it called, when it was answered, how)."""

    def __init__(self, call, *arguments):
        super().__init__(daemon=True)
        self.call, self.arguments, self.calls, self.is_over = call, arguments, [], False
        self.start()

    def run(self):
        while not self.is_over:
            begin = time.monotonic()
            try:
                how = self.call(*self.arguments)
            except (OSError, ValueError, KeyError) as e:
                how = "lost: %r" % e
            self.calls.append((begin, time.monotonic(), how))


class Manager:
    """The service manager: READY=1 reaches it at the moment it is said."""

    def __init__(self, rig):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = rig.path + "/notify"
        self.socket.bind(self.path)
        self.socket.settimeout(DEADLINE_S)

    def wait_ready(self):
        while self.socket.recv(256) != b"READY=1":
            pass
        return time.monotonic()


def set_rules(rig, verdict):
    rig.policy("imap", "it: %s agent agent-7 to imap:login" % verdict)
    rig.policy("cache", "it: %s agent agent-7 to raw:connect on cache" % verdict)


def _start(rig):
    rig.write("services/imap.conf", {"audience": AUDIENCE, "helper_peers": "root", "issuers": "test", "policy": "imap"})
    rig.echo_door()
    set_rules(rig, "allow")
    manager = Manager(rig)
    rig.start(env={"NOTIFY_SOCKET": manager.path})
    manager.wait_ready()
    return manager


def _start_door(rig):
    rig.echo_door()
    manager = Manager(rig)
    rig.start(env={"NOTIFY_SOCKET": manager.path})
    manager.wait_ready()
    return manager


def judge(calls, spans, log):
    """What each call was answered is one of two things, and after "ready" the new one until the next reload begins."""
    # On a machine that stood still the new helper's patience may be over before the others had their turn.
    known = ["proved", "policy"] + ["revocations_unknown"] * ("is silent about" in log)
    for begin, end, how in calls:
        assert how in known, "a caller got %r" % how
        for ready, over, want in spans:
            assert not (ready < begin and end < over) or how in (want, "revocations_unknown"), "%.1f ms after ready: %s, and not %s" % (
                (begin - ready) * 1000, how, want)


@with_options(has_issuer=True)
def nobody_is_let_in_by_the_rules_before_once_ready_is_said(rig):
    manager = _start(rig)
    tokens = rig.token("imap", life=3600, aud=AUDIENCE), rig.token("cache", life=3600)
    callers = [Caller(ask, rig, tokens[0]) for _ in range(HELPERS)] + [Caller(knock, rig, tokens[1]) for _ in range(DOORS)]
    spans = []
    for number in range(ROUNDS):
        verdict, want = ("allow", "proved") if number % 2 else ("deny", "policy")
        set_rules(rig, verdict)
        rig.daemon.signal(signal.SIGHUP)
        ready = manager.wait_ready()
        assert_equal((ask(rig, tokens[0]), knock(rig, tokens[1])), (want, want), "round %d, directly after ready" % number)
        spans.append((ready, time.monotonic(), want))
    for c in callers:
        c.is_over = True
    log = rig.daemon.log()
    for c in callers:
        c.join()
        judge(c.calls, spans, log)
    print("# %d reloads, %d calls at the helper, %d at the door" % (ROUNDS, sum(len(c.calls) for c in callers[:HELPERS]),
                                                                   sum(len(c.calls) for c in callers[HELPERS:])))
    assert "has not left the settings before" not in log and "it is killed" not in log
    assert_equal(log.count("new configuration read"), ROUNDS, "reloads")


@with_options(has_issuer=True)
def callers_who_hold_on_and_say_nothing_cost_no_child_its_life(rig):
    """One at each socket; and one that asks the helper just in time, and one whose request drips."""
    rig.set(saslauthd_socket=rig.path + "/run/mux", services="imap")
    manager = _start(rig)
    token = rig.token("imap", aud=AUDIENCE)
    old, control = rig.child("helper"), rig.child("control")
    held = []
    for kind, address in ((socket.SOCK_STREAM, rig.path + "/run/control.sock"), (socket.SOCK_STREAM, rig.path + "/run/issuer-admin.sock"),
                          (socket.SOCK_SEQPACKET, rig.path + "/run/helper.sock"), (socket.SOCK_STREAM, rig.path + "/run/mux")):
        s = socket.socket(socket.AF_UNIX, kind)
        s.connect(address)
        held.append(s)
    held.append(socket.create_connection(("127.0.0.1", rig.issuer_port)))
    assert_equal(ask(rig, token), "proved", "who comes meanwhile")  # by then the helper has accepted the others

    def drip():
        try:
            held[3].sendall(struct.pack(">H", 200))
            while True:
                held[3].sendall(b"a")
                time.sleep(0.3)
        except OSError:
            pass
    set_rules(rig, "deny")
    rig.daemon.signal(signal.SIGHUP)
    dripping = threading.Thread(target=drip, daemon=True)
    dripping.start()
    manager.wait_ready()
    assert_equal(ask(rig, token), "policy", "by the new rules")
    rig.daemon.wait_log(r"helper %d drained" % old)
    log = rig.daemon.log()
    assert "has not left the settings before" not in log
    # the helper waits one second for a request, also for the rest of one; the control child five
    assert log.index("helper %d drained" % old) < log.index("control %d drained" % control), "whose end is first"
    for s in held:
        s.close()
    dripping.join()


def a_login_under_way_meets_the_demands_of_after_ready(rig):
    manager = _start_door(rig)
    token = rig.token("cache")

    def reload(**keys):
        rig.echo_door(**keys)
        rig.daemon.signal(signal.SIGHUP)
        manager.wait_ready()

    def log_in(sock):
        with sock:
            sock.sendall(auth_line(token))
            answer = Answer(sock, read_answer(sock))
            return "proved" if answer.is_granted else (answer["error"], answer["retry"])
    for names, want in ((None, "proved"), ("other.test.example", ("temporarily_unavailable", "later")), ("other.test.example", "proved")):
        before = rig.dial("cache")
        reload(**({"server_names": names} if names else {}))
        assert_equal(log_in(before), want, "who came before, with names %s" % names)
        assert_equal(log_in(rig.dial("cache")), "proved", "who comes after")
    before = rig.dial("cache")
    reload(tls_client_certificate="ask")
    assert_equal(log_in(before), ("temporarily_unavailable", "later"), "who was not asked for a certificate")


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
