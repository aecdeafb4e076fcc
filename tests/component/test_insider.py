#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An agent with valid tokens that wants more: a longer life than its token or the policy gives, a door after it was blocked, records that
do not tell what it did, room on the disk of the audit log; and backends that mean harm."""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import door_rig  # noqa: E402
from door_rig import (POSTERN, Backend, assert_equal, auth_line, check, receive, run_door_tests, wait_until)  # noqa: E402,F401


def _lease_ends(answer, high, what):
    took, _ = answer.wait_end(high + 5)
    check(took <= high, "%s: the session ended after %.1f s, not %d" % (what, took, high))


# ---- a longer life ----

def a_renewal_from_a_better_place_gives_the_session_no_better_lease(rig):
    rig.echo_door(expiry_grace="0s", rules="near: allow agent agent-* to raw:connect if source in (127.0.0.2/32) with lease 200s\n"
                  "far: allow agent agent-* to raw:connect with lease 4s")
    rig.start()
    live = rig.login()
    check(live["lease"] <= 4, live)
    renewed = rig.renew("cache", live["session"], rig.token("cache", life=600), source="127.0.0.2")
    check(renewed.is_granted and renewed["lease"] <= 4, "the lease is the session's own source's: %s" % renewed)
    _lease_ends(live, 6, "renewed from elsewhere")


def a_renewal_that_is_refused_late_names_agent_and_session(rig):
    rig.echo_door(session_max="2s", expiry_grace="20s")
    rig.start()
    live = rig.login()
    session = rig.wait_record(event="login")["session"]
    end = time.monotonic() + 3.5
    while time.monotonic() < end:  # never quiet for a second: the grace goes on
        live.talk(b"x")
        time.sleep(0.3)
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
    took, _ = live.wait_end(5)
    check(took < 3, "ended after %.1f s" % took)
    answer = rig.refused("cache", auth_line(token))
    assert_equal([answer["reason"], answer["retry"]], ["blocked", "never"], answer)
    rig.control("unblock", "robot-9")
    live = rig.login(token=token)
    rig.control("kill", "--agent", "robot-9")
    live.wait_end(5)
    # The subject of a token with a client is the human that it is for: blocking an agent of that name is not meant.
    other = rig.login(token=rig.token("cache", sub="robot-9", client_id="agent-7"))
    rig.control("block", "robot-9")
    other.talk()


# ---- records ----

def ends_while_the_audit_child_is_away_are_recorded_when_it_is_back(rig):
    rig.echo_door()
    rig.start()
    live = [rig.login() for _ in range(20)]
    sessions = {r["session"] for r in rig.records(event="login")}
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
    by = [len(rig.records(event="login", outcome="rejected")), len(rig.records(event="renew", outcome="rejected"))]
    check(20 <= by[0] <= 120 and 20 <= by[1] <= 120, "records of 300 refusals each: %r" % by)
    other = rig.refused("cache", auth_line(rig.token("cache", "agent-9")))
    assert_equal(rig.wait_record(ref=other["ref"])["agent"], "agent-9", "another agent's record")
    assert_equal(rig.daemon.stop(), 0, "exit status")
    summaries = rig.records(event="refused")
    assert_equal(sum(by) + sum(r["count"] for r in summaries), 600, "refusals in the log")
    check(all(r.get("agent") in (None, "agent-7", "agent-8") for r in summaries), summaries)


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
