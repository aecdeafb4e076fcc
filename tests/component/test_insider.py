#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An agent with valid tokens that wants more: a longer life than its token or the policy gives, a door after it was blocked, records that
do not tell what it did, room on the disk of the audit log; and backends that mean harm."""
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import door_rig  # noqa: E402
from door_rig import BUSY_S, IS_SANITIZED, Backend, assert_equal, auth_line, check, pour, run_door_tests, wait_until  # noqa: E402

TAKEN_BACK_S = 3 + BUSY_S  # a session that is taken back ends in so much time


def _lease_ends(answer, high, what):
    took, _ = answer.wait_end(high + 5)
    check(took <= high, "%s: the session ended after %.1f s, not %.1f" % (what, took, high))


# ---- a longer life ----

def a_renewal_from_a_better_place_gives_the_session_no_better_lease(rig):
    rig.echo_door(expiry_grace="0s", rules="near: allow agent agent-* to raw:connect if source in (127.0.0.2/32) with lease 200s\n"
                  "far: allow agent agent-* to raw:connect with lease 4s")
    rig.start()
    token = rig.token("cache", life=600)
    live = rig.login()
    check(live["lease"] <= 4, live)
    renewed = rig.renew("cache", live["session"], token, source="127.0.0.2")
    check(renewed.is_granted and renewed["lease"] <= 4, "the lease is the session's own source's: %s" % renewed)
    _lease_ends(live, 10 + BUSY_S, "renewed from elsewhere")


def a_renewal_that_is_refused_late_names_agent_and_session(rig):
    rig.door("cache", Backend(pour), session_max="2s", expiry_grace="60s")  # nobody reads what is poured: it is never silent
    rig.start()
    live, begin = rig.login(), time.monotonic()
    session = rig.wait_record(event="login")["session"]
    wait_until(lambda: time.monotonic() > begin + 3.5 and [s["state"] for s in rig.sessions()] == ["draining"], "its grace")
    answer = rig.renew("cache", live["session"], rig.token("cache", life=600))
    check(not answer.is_granted and answer["reason"] == "renewal", answer)
    record = rig.wait_record(event="renew", reason="renewal")
    assert_equal([record.get(k) for k in ("agent", "client_id", "session")], ["agent-7", "agent-7", session], record)


# ---- names ----

def who_has_no_client_is_blocked_and_killed_by_its_subject(rig):
    rig.echo_door(rules="in: allow anyone to raw:connect on cache")
    rig.write("issuers/test.conf", {"issuer": door_rig.ISSUER, "jwks_file": rig.path + "/run/test-jwks.json", "clock_skew": "0s",
                                    "required_claims": "sub jti"})
    rig.start()
    token = rig.token("cache", sub="robot-9", client_id=None)
    live = rig.login(token=token)
    rig.control("block", "robot-9")
    took, _ = live.wait_end()
    check(took < TAKEN_BACK_S, "ended after %.1f s" % took)
    answer = rig.refused("cache", auth_line(token))
    assert_equal([answer["reason"], answer["retry"]], ["blocked", "never"], answer)
    rig.control("unblock", "robot-9")
    live = rig.login(token=token)
    rig.control("kill", "--agent", "robot-9")
    live.wait_end()
    # The subject of a token with a client is the human that it is for: blocking an agent of that name is not meant.
    other = rig.login(token=rig.token("cache", sub="robot-9", client_id="agent-7"))
    rig.control("block", "robot-9")
    other.talk()


# ---- records ----

def ends_while_the_audit_child_is_away_are_recorded_when_it_is_back(rig):
    rig.echo_door()
    rig.start()
    live = [rig.login() for _ in range(20)]
    sessions = {r["session"] for r in wait_until(lambda: len(rig.records(event="login")) == 20 and rig.records(event="login"), "20 logins")}
    ready = rig.kill_child("audit")
    for answer in live:
        answer.close()
    ready()
    wait_until(lambda: {r["session"] for r in rig.records(event="end")} == sessions, "the ends of all sessions")


def an_agent_that_is_refused_again_and_again_does_not_fill_the_disk(rig):
    rig.echo_door(rules="in: allow agent agent-7 to raw:connect on cache")
    rig.start()
    line = auth_line(rig.token("cache", "agent-8"))
    wrong = "RENEW %s %s\r\n" % ("A" * 32, rig.token("cache"))
    for _ in range(300):
        rig.refused("cache", line).close()
        rig.refused("cache", wrong.encode()).close()
    other = rig.refused("cache", auth_line(rig.token("cache", "agent-9")))
    assert_equal(rig.wait_record(ref=other["ref"])["agent"], "agent-9", "another agent's record")
    assert_equal(rig.daemon.stop(), 0, "exit status")
    by = [len(rig.records(event="login", outcome="rejected", agent="agent-8")), len(rig.records(event="renew", outcome="rejected"))]
    check(20 <= by[0] <= 120 and 20 <= by[1] <= 120, "records of 300 refusals each: %r" % by)
    summaries = rig.records(event="refused")
    assert_equal(sum(by) + sum(r["count"] for r in summaries), 600, "refusals in the log")
    check(all(r.get("agent") in (None, "agent-7", "agent-8") for r in summaries), summaries)


# ---- what holds ----

def _ends_are_logins(rig):
    logins = [r["session"] for r in rig.records(event="login", outcome="proved")]
    wait_until(lambda: len(rig.records(event="end")) >= len(logins), "an end for each of %d sessions" % len(logins))
    assert_equal(sorted(r["session"] for r in rig.records(event="end")), sorted(logins), "one end for each session")


def a_session_that_is_renewed_all_the_time_is_ended_like_any_other(rig):
    rig.set(door_loops="4", login_max="4000", login_max_per_source="4000")
    rig.echo_door(expiry_grace="0s")
    rig.start()
    token, is_over = rig.token("cache", life=600), threading.Event()

    def renew(answer, source):
        while not is_over.is_set():
            try:
                rig.renew("cache", answer["session"], token, source=source).close()
            except (OSError, AssertionError):
                pass  # refused and closed while it is blocked
    for act in (lambda: rig.control("kill", "--agent", "agent-7"), lambda: rig.control("block", "agent-7")):
        live = [rig.login(token=token, how="unix" if i % 2 else "plain") for i in range(8)]
        is_over.clear()
        threads = [threading.Thread(target=renew, args=(a, "127.0.6.%d" % (i + 1))) for i, a in enumerate(live)]
        for t in threads:
            t.start()
        wait_until(lambda: len(rig.records(event="renew", outcome="proved")) > 40, "renewals")
        act()
        for answer in live:
            took, _ = answer.wait_end()
            check(took < TAKEN_BACK_S, "ended after %.1f s" % took)
        is_over.set()
        for t in threads:
            t.join()
        wait_until(lambda: not rig.sessions(), "no session left")
    _ends_are_logins(rig)


def who_waits_for_a_backend_is_taken_back_at_once_and_told_why(rig):
    listener, fillers = socket.socket(socket.AF_UNIX), []
    path = rig.path + "/slow.sock"
    listener.bind(path)
    os.chmod(path, 0o666)
    listener.listen(0)
    for _ in range(3):  # its queue is full: the door tries until the time is over
        fillers.append(socket.socket(socket.AF_UNIX))
        fillers[-1].setblocking(False)
        fillers[-1].connect_ex(path)
    rig.door("cache", "unix:" + path)
    rig.start()

    def change_policy():
        rig.policy("cache", "in: allow agent agent-8 to raw:connect on cache")
        rig.reload()
    for act, reason, retry in ((lambda: rig.control("kill", "--agent", "agent-7"), "busy", "later"),
                               (lambda: rig.control("block", "agent-7"), "blocked", "never"),
                               (change_policy, "policy", "never")):
        s = rig.dial("cache")
        s.sendall(auth_line(rig.token("cache")))
        wait_until(lambda: [x["state"] for x in rig.sessions()] == ["connecting"], "a session that is connecting")
        begin = time.monotonic()
        act()
        answer = door_rig.Answer(s, door_rig.read_answer(s))
        assert_equal([answer["reason"], answer["retry"]], [reason, retry], answer)
        check(IS_SANITIZED or time.monotonic() - begin < 4, "told after its backend's time-out")
        record = wait_until(lambda: len(rig.records(ref=answer["ref"])) >= 2 and rig.records(ref=answer["ref"]), "both records")
        check(len(record) == 2 and record[0]["session"] == record[1]["session"], record)
        if reason == "blocked":
            rig.control("unblock", "agent-7")
    _ends_are_logins(rig)


def the_longest_names_are_listed_killed_and_blocked(rig):
    rig.set(door_loops="3")
    rig.echo_door(rules="in: allow anyone to raw:connect on cache")
    rig.write("issuers/test.conf", {"issuer": door_rig.ISSUER, "jwks_file": rig.path + "/run/test-jwks.json", "clock_skew": "0s",
                                    "username_claim": "login"})
    rig.start()
    live = [rig.login(how="unix", token=rig.token("cache", login="bob", sub='"\\' * 500 + "%03d" % i, client_id='\\"' * 500 + "%03d" % i,
                                                  jti='"' * 1000 + "%03d" % i, purpose='"' * 200, act={"sub": '"' * 1000 + "%03d" % i}))
            for i in range(40)]
    assert_equal(len({s["id"] for s in rig.sessions()}), 40, "sessions of all pages")
    for i, arguments in enumerate((("kill", "--sub", '"\\' * 500 + "000"), ("kill", "--jti", '"' * 1000 + "001"),
                                   ("kill", "--agent", '"' * 1000 + "002"), ("block", '\\"' * 500 + "003"))):
        rig.control(*arguments)
        live[i].wait_end()
    wait_until(lambda: len(rig.sessions()) == 36, "36 sessions are left")


def _reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _close_half(sock):
    sock.shutdown(socket.SHUT_WR)


def a_backend_that_means_harm_ends_its_own_sessions_and_nothing_else(rig):
    how_to_serve = [None]
    backend = Backend(lambda call: how_to_serve[0](call.sock))
    rig.door("cache", backend)
    rig.echo_door("other")
    rig.start()
    bystander, token = rig.login("other"), rig.token("cache")
    deeds = {
        "resets at once": _reset,
        "closes at once": lambda s: None,
        "half a close": lambda s: (_close_half(s), s.recv(10)),
        "half a close and a reset": lambda s: (_close_half(s), _reset(s)),
        "pours and resets": lambda s: (s.sendall(b"x" * 3000000), _reset(s)),
        "pours and closes half": lambda s: (s.sendall(b"x" * 300000), _close_half(s)),
        "reads nothing": lambda s: (s.shutdown(socket.SHUT_RD), s.sendall(b"y" * 100000)),
        "urgent data": lambda s: (s.send(b"z", socket.MSG_OOB), s.sendall(b"abc")),
        "plays the door": lambda s: (s.sendall(b'OK {"service":"cache"}\r\n'), s.recv(5)),
    }
    for name, deed in deeds.items():
        how_to_serve[0] = deed
        for how in ("plain", "tls", "unix"):
            for ending in (lambda s: None, _reset, lambda s: s.sendall(b"q" * 2000000),
                           lambda s: s.unwrap() if how == "tls" else _close_half(s)):
                try:
                    s = rig.dial("cache", how=how)
                    s.settimeout(5)
                    s.sendall(auth_line(token) + b"early")
                    door_rig.read_answer(s)
                    ending(s)
                    while s.recv(65536):
                        pass
                    s.close()
                except (OSError, AssertionError):
                    pass  # reset, or cut: the backend did it
        bystander.talk(name.encode())
    bystander.close()
    wait_until(lambda: not rig.sessions(), "the end of all sessions")
    _ends_are_logins(rig)


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
