#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""In a stream of actions each is released when its record is on its way (sidecar/audit/line.h).  Whatever dies then, and whatever is
full: what reached the server is on record, and the log is a chain.  The server is a real one, and its keys say what reached it."""
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import DEADLINE_S, IS_SANITIZED, status_of  # noqa: E402
from door_rig import assert_equal, check, run_door_tests, wait_until  # noqa: E402
from redis_wire import BackendServer, Connection, Error, pack  # noqa: E402

RULES = """chat:  allow agent agent-* to redis:@session
write: allow agent agent-* to redis:SET on "cache:*"
"""
PIPELINE = 8
LONG_S = 4 * DEADLINE_S
SERVER = {}


def _redis_door(rig):
    """One server for all tests; each begins with an empty one."""
    if not SERVER:
        SERVER["server"] = BackendServer("of-the-backend")
    SERVER["server"].inside.call("FLUSHALL")
    SERVER["server"].door(rig, rules=RULES)
    return SERVER["server"].inside


def _reached(inside):
    return {key.decode() for key in inside.call("KEYS", "cache:*")}


def _recorded(rig):
    """Key: how many records of an allowed action on it."""
    found = {}
    for r in rig.records(action="redis:SET", outcome="proved"):
        found[r["resource"]] = found.get(r["resource"], 0) + 1
    return found


class Agent:
    """Sets one key after another, as fast as it may; logs in again when its session ends."""

    def __init__(self, rig, name=""):
        self.rig, self.name, self.token, self.number, self.refused, self.is_over = rig, name, rig.token("cache"), 0, 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def connect(self):
        c = Connection(self.rig.path + "/run/cache.sock")
        if c.call("AUTH", self.token) != b"OK":
            c.close()
            raise EOFError("a login is refused")
        return c

    def pipeline(self, c):
        keys = ["cache:%s%d" % (self.name, self.number + i) for i in range(PIPELINE)]
        self.number += PIPELINE
        c.send(b"".join(pack("SET", key, "x") for key in keys))
        for _ in keys:
            self.refused += isinstance(c.read(), Error)

    def run(self):
        c = None
        while not self.is_over:
            try:
                c = c or self.connect()
                self.pipeline(c)
            except (OSError, EOFError):
                if c:
                    c.close()
                c = None
                time.sleep(0.01)
        if c:
            c.close()

    def wait(self, count):
        """Until so many more were sent."""
        first = self.number
        wait_until(lambda: self.number >= first + count, "%d actions" % count, LONG_S)

    def end(self):
        self.is_over = True
        self.thread.join(LONG_S)
        check(not self.thread.is_alive(), "the agent has ended")


def _assert_recorded(rig, inside, most_twice):
    """Everything that is in the server is in the log; what is there twice is of a moment in which somebody died."""
    there = _reached(inside)
    wait_until(lambda: not there - set(_recorded(rig)), "%d keys are on record" % len(there), LONG_S)
    twice = sum(count > 1 for count in _recorded(rig).values())
    check(twice <= most_twice, "%d records stand twice" % twice)
    check(len(there) > 200, "%d keys" % len(there))
    assert_equal(rig.daemon.stop(), 0, "exit status")
    rig.verify_audit()


def _pass_without_the_audit_child(rig, inside):
    """Actions that reach the server after the audit child was stopped; how many, before the last one waits."""
    audit = rig.child("audit")
    os.kill(audit, signal.SIGSTOP)
    try:
        wait_until(lambda: status_of(audit)["State"].startswith("T"), "the audit child stands still")
        first = inside.call("DBSIZE")
        last = []

        def is_over():
            last.append(inside.call("DBSIZE"))
            time.sleep(0.2)  # four times what a stream lasts without a word of it; who was stopped in between goes on behind it
            return inside.call("DBSIZE") == last[-1]
        wait_until(is_over, "the end of the stream")
        return last[-1] - first
    finally:
        os.kill(audit, signal.SIGCONT)


def a_stream_goes_on_for_a_moment_without_the_audit_child_and_everything_is_on_record(rig):
    inside = _redis_door(rig)
    rig.start()
    agent = Agent(rig)
    for _ in range(20):  # a busy machine may take the moment away
        agent.wait(400)
        if _pass_without_the_audit_child(rig, inside) > PIPELINE:
            break
    else:
        raise AssertionError("never was an action released before its record was written")
    agent.wait(200)
    agent.end()
    _assert_recorded(rig, inside, 0)


def what_reached_the_server_is_on_record_when_the_audit_child_is_killed(rig):
    inside = _redis_door(rig)
    rig.start()
    agent = Agent(rig)
    for _ in range(4):
        agent.wait(400)
        rig.kill_child("audit")()
    agent.wait(400)
    agent.end()
    _assert_recorded(rig, inside, 4 * 1024)


def what_reached_the_server_is_on_record_when_the_door_is_killed(rig):
    inside = _redis_door(rig)
    rig.start()
    agent = Agent(rig)
    for _ in range(4):
        agent.wait(400)
        rig.kill_child("door")()
    agent.wait(400)
    agent.end()
    _assert_recorded(rig, inside, 0)


def what_reached_the_server_is_on_record_when_the_audit_child_is_killed_and_all_ends(rig):
    """Whoever holds what it released waits for another audit child, also when it is told to end."""
    inside = _redis_door(rig)
    for _ in range(5):
        inside.call("FLUSHALL")
        rig.start()
        agent = Agent(rig)
        agent.wait(400)
        os.kill(rig.child("audit"), signal.SIGKILL)
        rig.daemon.signal(signal.SIGTERM)
        agent.is_over = True
        assert_equal(rig.daemon.wait_exit(), 0, "exit status")
        agent.end()
        if "may be missing" not in rig.daemon.log():
            break  # the next audit child was there in the three seconds that are waited for one: a busy machine may need more
    else:
        raise AssertionError("somebody gave up each time")
    _assert_recorded(rig, inside, 1024)


def what_reached_the_server_is_on_record_when_all_ends_in_the_middle(rig):
    inside = _redis_door(rig)
    rig.start()
    agent = Agent(rig)
    agent.wait(400)
    rig.daemon.signal(signal.SIGTERM)
    first = agent.number
    # A session that is not quiet goes on for a while; on a machine that stood still it may have been taken for quiet.
    wait_until(lambda: agent.number >= first + 100 or rig.daemon.process.poll() is not None, "100 actions or the end", LONG_S)
    agent.is_over = True
    assert_equal(rig.daemon.wait_exit(), 0, "exit status")
    agent.end()
    _assert_recorded(rig, inside, 0)


def what_reached_the_server_is_on_record_over_a_reload_and_a_hung_audit_child(rig):
    inside = _redis_door(rig)
    rig.set(door_loops="4")
    rig.start()
    agents = [Agent(rig, "%d-" % i) for i in range(3)]
    for agent in agents:
        agent.wait(100)
    audit = rig.child("audit")
    os.kill(audit, signal.SIGSTOP)
    time.sleep(0.3)  # as long as something hangs: not a condition that is waited for
    os.kill(audit, signal.SIGCONT)
    os.rename(rig.audit_path, rig.audit_path + ".1")
    rig.reload()
    for agent in agents:
        agent.wait(100)
    for agent in agents:
        agent.end()
    assert_equal(rig.daemon.stop(), 0, "exit status")
    recorded = {r["resource"] for path in (rig.audit_path + ".1", rig.audit_path) for r in rig.audit(path)
                if r.get("action") == "redis:SET" and r.get("outcome") == "proved"}
    there = _reached(inside)
    check(len(there) > 500, "%d keys" % len(there))
    assert_equal(there - recorded, set(), "keys without a record")
    rig.verify_audit(rig.audit_path + ".1", rig.audit_path)
    os.rename(rig.audit_path, rig.audit_path + ".2")  # it does not begin a chain


def a_stream_ends_with_the_disk_and_nothing_that_was_released_is_missing_afterwards(rig):
    folder = rig.path + "/log"
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk,mode=0755" % (1024 if IS_SANITIZED else 4096), "tmpfs", folder], check=True)
    try:
        inside = _redis_door(rig)
        rig.start()
        agent = Agent(rig)
        wait_until(lambda: agent.refused > 100, "the disk is full and actions are refused", LONG_S)
        first, there = agent.number, len(_reached(inside))
        agent.wait(400)
        assert_equal(len(_reached(inside)), there, "keys, while nothing can be written")
        check(agent.refused >= agent.number - first, "all were refused")
        check(len(_reached(inside)) >= len(_recorded(rig)) > 200, "what is written was released")
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
        wait_until(lambda: len(_reached(inside)) > there + 400, "actions pass again", LONG_S)
        agent.end()
        _assert_recorded(rig, inside, 0)
    finally:
        text = open(rig.audit_path, "rb").read() if os.path.exists(rig.audit_path) else b""
        for d in rig.daemons:
            if d.process.poll() is None:
                d.stop()
        subprocess.run(["umount", folder], check=True)
        with open(rig.audit_path, "wb") as f:
            f.write(text)


if __name__ == "__main__":
    try:
        status = run_door_tests(sys.modules[__name__], sys.argv[1:])
    finally:
        if SERVER:
            SERVER["server"].stop()
    sys.exit(status)
