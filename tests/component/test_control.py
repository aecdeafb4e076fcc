#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The control child of a real posternd: who may what, what a block does at a host that asks the helper, the file of blocks, reload,
restart, kill -9, and the status listener."""
import json
import os
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import Daemon, OTHER_UID, free_port, records_in, run_tests, wait_until  # noqa: E402
from test_posternd import add_agent, ask, fetch_token  # noqa: E402

BUILD = os.environ["POSTERN_BUILD"]
WATCHER_UID, CONTROL_UID, AUDIT_UID = 64805, 64806, 64807


def start(folder, daemons):
    folder.status_port = free_port()
    folder.set(control_socket=folder.path + "/run/control.sock", blocks_file=folder.path + "/control/blocks",
               control_user=str(CONTROL_UID), audit_user=str(AUDIT_UID), control_watchers=str(WATCHER_UID),
               block_contact="security@example.org", status_listen="127.0.0.1:%d" % folder.status_port)
    d = Daemon(BUILD + "/posternd", folder)
    daemons.append(d)
    d.wait_ready()
    return d


def postern(folder, *arguments, uid=None):
    def become():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    return subprocess.run([BUILD + "/postern", *arguments, "--socket", folder.path + "/run/control.sock"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                          timeout=60, preexec_fn=become if uid is not None else None)


def must(folder, *arguments):
    done = postern(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def get(folder, page, method="GET"):
    with socket.create_connection(("127.0.0.1", folder.status_port), 20) as s:
        s.sendall(("%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % (method, page)).encode())
        data = b""
        while True:
            chunk = s.recv(65536)
            if not chunk:
                break
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def records(folder, event):
    return [r for r in records_in(folder.path + "/log/audit.jsonl") if r.get("event") == event]


def assert_login(folder, token, outcome, reason):
    got = ask(folder, token)
    assert (got[0], got[1]) == (outcome, reason), got


def assert_blocked(folder, token, what):
    """A helper that has not heard of blocks yet is undecided; it never lets one in."""
    def is_told():
        got = ask(folder, token)[:2]
        assert got[0] != "proved", (what, got)
        return got == ("rejected", "blocked")
    wait_until(is_told, "the block " + what)


def a_blocked_agent_is_refused_until_it_is_unblocked(folder, daemons):
    start(folder, daemons)
    token = fetch_token(folder, add_agent(folder))
    assert_login(folder, token, "proved", None)
    out = must(folder, "block", "agent-7", "--for", "1h", "--reason", "stolen laptop")
    assert "helper: knows" in out and "ldap: 1 login," in out, out
    assert_login(folder, token, "rejected", "blocked")
    assert "stolen laptop" in must(folder, "blocks")
    record = records(folder, "block")[-1]
    assert record["agent"] == "agent-7" and record["uid"] == 0 and record["because"] == "stolen laptop", record
    must(folder, "unblock", "agent-7")
    assert_login(folder, token, "proved", None)
    assert postern(folder, "unblock", "agent-7").returncode == 1


def a_block_survives_reload_restart_and_the_death_of_each_child(folder, daemons):
    d = start(folder, daemons)
    token = fetch_token(folder, add_agent(folder))
    must(folder, "block", "agent-7")
    for role in ("helper", "control"):
        before = d.child(role)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: d.children().get(role, before) != before, "a new " + role)
        wait_until(lambda: ask(folder, token)[:2] == ("rejected", "blocked"), "the block after kill -9 of " + role)
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    assert_blocked(folder, token, "after a reload")
    d.stop()
    start(folder, daemons)
    assert_blocked(folder, token, "after a restart")


def thousands_of_blocks_are_all_shown(folder, daemons):
    start(folder, daemons)
    names = ["agent-%d" % i for i in range(4000)]
    longest = ['"' * 1000 + "%024d" % i for i in range(700)]  # twice as long in JSON: 500 are no answer
    with open(folder.path + "/control/blocks.new", "w") as f:
        for i, name in enumerate(names + longest):
            f.write("%s - %s\n" % ('"%s"' % name.replace('"', '\\"') if i >= 4000 else name, '"' * 200 + "reason of %d" % i))
    os.rename(folder.path + "/control/blocks.new", folder.path + "/control/blocks")
    wait_until(lambda: "agent-3999 " in must(folder, "blocks"), "the new file")
    assert [line.split()[0] for line in must(folder, "blocks").splitlines()[:4000]] == names
    listed = json.loads(must(folder, "blocks", "--json"))
    assert [b["agent"] for b in listed] == names + longest
    assert listed[4699]["reason"] == '"' * 200 + "reason of 4699", listed[4699]
    done = postern(folder, "unblock", "agent-0")
    assert done.returncode in (0, 3), done.stdout + done.stderr  # a busy helper may need more than its two seconds for so long a list
    assert len(json.loads(must(folder, "blocks", "--json"))) == 4699


def a_file_that_a_fleet_shares_is_obeyed(folder, daemons):
    start(folder, daemons)
    token = fetch_token(folder, add_agent(folder))
    path = folder.path + "/control/blocks"
    with open(path + ".new", "w") as f:
        f.write("# from afar\nagent-7 2099-01-01T00:00:00Z by hand\n")
    os.rename(path + ".new", path)
    wait_until(lambda: ask(folder, token)[:2] == ("rejected", "blocked"), "the block of the file")
    must(folder, "block", "agent-8")
    with open(path) as f:
        assert f.readline() == "# from afar\n"
    with open(path, "w") as f:
        f.write("broken\n")
    wait_until(lambda: "degraded" in get(folder, "/readyz")[1], "degraded")
    assert_login(folder, token, "rejected", "blocked")
    assert postern(folder, "block", "agent-9").returncode == 3
    open(path, "w").close()
    wait_until(lambda: ask(folder, token)[0] == "proved", "the end of all blocks")
    wait_until(lambda: get(folder, "/readyz")[0] == 200, "ready")


def who_may_not_is_denied_and_recorded(folder, daemons):
    start(folder, daemons)
    for uid, may_look in ((WATCHER_UID, True), (OTHER_UID, False)):
        for arguments in (["sessions"], ["blocks"]):
            assert postern(folder, *arguments, uid=uid).returncode == (0 if may_look else 1), (uid, arguments)
        for arguments in (["block", "agent-7"], ["unblock", "agent-7"], ["kill", "--sub", "x"]):
            done = postern(folder, *arguments, uid=uid)
            assert done.returncode == 1 and "control_admins" in done.stderr, done.stderr
    denied = [r for e in ("block", "unblock", "kill") for r in records(folder, e) if r["reason"] == "peer_not_allowed"]
    assert sorted(r["uid"] for r in denied) == sorted([WATCHER_UID, OTHER_UID] * 3), denied
    assert must(folder, "blocks") == ""


def a_broken_file_of_blocks_is_a_start_error(folder, daemons):
    d = start(folder, daemons)
    d.stop()
    with open(folder.path + "/control/blocks", "w") as f:
        f.write("agent-7 sometimes\n")
    d = Daemon(BUILD + "/posternd", folder)
    daemons.append(d)
    assert d.wait_exit() != 0
    assert "line 1" in d.log(), d.log()


def the_status_listener_answers_probes_and_changes_nothing(folder, daemons):
    start(folder, daemons)
    assert get(folder, "/healthz")[0] == 200
    wait_until(lambda: get(folder, "/readyz")[0] == 200, "ready")
    status, metrics = get(folder, "/metrics")
    assert status == 200 and 'postern_helper_verdicts_total{outcome="proved"} 0' in metrics, metrics
    assert get(folder, "/metrics", "POST")[0] == 405
    assert get(folder, "/block")[0] == 404


TESTS = [f for name, f in list(globals().items())
         if hasattr(f, "__code__") and f.__module__ == "__main__" and f.__code__.co_argcount == 2
         and f.__code__.co_varnames[:2] == ("folder", "daemons") and name != "start"]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
