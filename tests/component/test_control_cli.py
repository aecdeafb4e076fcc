#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`postern sessions`, `kill`, `block`, `unblock`, `blocks`, `held`, `approve` and `deny` against a control socket that this file plays: what is asked, what a
person is shown, and the exit status.  Needs no daemon."""
import json
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import run_tests  # noqa: E402

BUILD = os.environ["POSTERN_BUILD"]


class Posternd:
    """Answers each connection with the next of `replies` (bytes, or an object); keeps what was asked."""

    def __init__(self, folder, replies):
        self.path = folder.path + "/control.sock"
        self.replies = list(replies)
        self.asked = []
        self.listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.listener.settimeout(20)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        for reply in self.replies:
            connection, _ = self.listener.accept()
            with connection, connection.makefile("rb") as lines:
                self.asked.append(json.loads(lines.readline()))
                if not isinstance(reply, bytes):
                    reply = json.dumps(reply).encode() + b"\n"
                connection.sendall(reply)


def run(folder, replies, *arguments):
    """(exit status, standard output, standard error, what was asked)"""
    posternd = Posternd(folder, replies)
    done = subprocess.run([BUILD + "/postern", *arguments, "--socket", posternd.path], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=30)
    posternd.thread.join(20 if len(replies) else 0)
    posternd.listener.close()
    return done.returncode, done.stdout, done.stderr, posternd.asked


def assert_equal(got, want, what):
    assert got == want, "%s: got %r, want %r" % (what, got, want)


SESSION = {"id": "S-1", "door": "cache", "agent": "agent-7", "human": "alice", "user": "alice", "client": "app", "sub": "a", "jti": "j", "peer": "::1",
           "state": "open", "since": 1780000000, "lease_end": 1780000001, "up": 5, "down": 6000000000}


def sessions_are_a_table_page_by_page(folder, daemons):
    pages = [{"ok": True, "sessions": [SESSION], "next": "S-1"}, {"ok": True, "sessions": [], "next": "S-2"},
             {"ok": True, "sessions": [dict(SESSION, id="S-3", agent="x", state="draining", asked=1780000000,
                                              issuer="https://sso.example.org")]}]
    status, out, err, asked = run(folder, pages, "sessions", "--door", "cache", "--user", "alice")
    assert_equal(status, 0, err)
    assert_equal(asked, [{"verb": "sessions", "door": "cache", "user": "alice"},
                         {"verb": "sessions", "door": "cache", "user": "alice", "after": "S-1"},
                         {"verb": "sessions", "door": "cache", "user": "alice", "after": "S-2"}], "asked")
    lines = out.splitlines()
    assert_equal(len(lines), 3, out)
    assert_equal(lines[0].split(), ["SESSION", "AGENT", "FOR", "DOOR", "SINCE", "LEASE", "UP", "DOWN", "STATE", "ASKED", "ISSUER"], "heading")
    assert_equal(lines[1].split(), ["S-1", "agent-7", "alice", "cache", "2026-05-28T20:26:40Z", "over", "5", "6000000000", "open", "-", "-"],
                 "row")
    assert_equal(lines[2].split()[-3], "draining", "state")
    assert_equal((lines[2].split()[-2][-1], lines[2].split()[-1]), ("s", "https://sso.example.org"), "when its issuer was asked, and who that is")


HELD = {"ref": "R-1", "state": "waits", "until": 1780000000, "agent": "agent-7", "human": "alice", "door": "cache", "action": "redis:SET",
        "rule": "cache:change", "resource": "k\u001b[2J", "asked": 1779999400}


def what_is_held_is_a_table_page_by_page(folder, daemons):
    pages = [{"ok": True, "held": [HELD], "next": "R-1"}, {"ok": True, "held": [dict(HELD, ref="R-2", state="approved", database="3\n")]}]
    status, out, err, asked = run(folder, pages, "held")
    assert_equal(status, 0, err)
    assert_equal(asked, [{"verb": "held"}, {"verb": "held", "after": "R-1"}], "asked")
    lines = out.splitlines()
    assert_equal(lines[0].split(), ["REF", "STATE", "UNTIL", "AGENT", "FOR", "DOOR", "ACTION", "RULE", "ON"], "heading")
    assert_equal(lines[1].split(), ["R-1", "waits", "2026-05-28T20:26:40Z", "agent-7", "alice", "cache", "redis:SET", "cache:change", "k\\x1b[2J"],
                 "row")
    assert_equal((lines[2].split()[:2], len(lines)), (["R-2", "approved"], 3), "row")
    assert_equal(lines[2].split()[-3:], ["k\\x1b[2J", "(database", "3\\x0a)"], "where")
    status, out, err, asked = run(folder, pages, "held", "--json")
    assert_equal([h["ref"] for h in json.loads(out)], ["R-1", "R-2"], out)
    status, out, err, asked = run(folder, [{"ok": True, "held": []}], "held")
    assert_equal((status, out), (0, ""), err)


def approve_and_deny_name_a_reference(folder, daemons):
    for verb, word in (("approve", "approved"), ("deny", "denied")):
        reply = {"ok": True, "held": "R-1", "by": "root", "ref": "R-9"}
        status, out, err, asked = run(folder, [reply], verb, "R-1", "--reason", "ticket 42")
        assert_equal((status, out), (0, "R-1 is %s by root (R-9)\n" % word), err)
        assert_equal(asked, [{"verb": verb, "ref": "R-1", "reason": "ticket 42"}], "asked")
        status, out, err, asked = run(folder, [reply], verb, "R-1", "--json")
        assert_equal(json.loads(out), reply, err)
        for error in ("not_held", "own_request", "not_allowed"):
            status, out, err, asked = run(folder, [{"ok": False, "error": error, "message": "because so"}], verb, "R-1")
            assert_equal((status, out), (1, ""), err)
            assert_equal("because so" in err, True, err)
        status, out, err, asked = run(folder, [{"ok": False, "error": "door_silent", "message": "m"}], verb, "R-1")
        assert_equal(status, 3, err)
        for wrong in ([], ["R-1", "R-2"], ["R-1", "--for", "1h"]):
            status, out, err, asked = run(folder, [], verb, *wrong)
            assert_equal((status, asked), (2, []), err)


def no_sessions_is_an_empty_output(folder, daemons):
    status, out, err, _ = run(folder, [{"ok": True, "sessions": []}], "sessions")
    assert_equal((status, out, err), (0, "", "no sessions\n"), "none")
    status, out, err, _ = run(folder, [{"ok": True, "sessions": []}], "sessions", "--json")
    assert_equal((status, json.loads(out)), (0, []), err)


def sessions_as_json_are_one_array(folder, daemons):
    pages = [{"ok": True, "sessions": [SESSION, SESSION], "next": "S-1"}, {"ok": True, "sessions": [SESSION]}]
    status, out, err, _ = run(folder, pages, "sessions", "--json")
    assert_equal((status, json.loads(out)), (0, [SESSION] * 3), err)


def what_a_token_named_itself_cannot_write_on_the_terminal(folder, daemons):
    name = "a\x1b]0;owned\x07\u202e\u009b31m\n\\x"
    status, out, err, _ = run(folder, [{"ok": True, "sessions": [dict(SESSION, agent=name, user=name)]}], "sessions")
    assert_equal(status, 0, err)
    assert all(c == "\n" or " " <= c <= "~" for c in out), repr(out)
    assert_equal(len(out.splitlines()), 2, out)
    status, out, err, _ = run(folder, [{"ok": False, "error": "failed", "message": name}], "blocks")
    assert all(c == "\n" or " " <= c <= "~" for c in out + err), repr(err)


def kill_says_how_many_ended(folder, daemons):
    status, out, err, asked = run(folder, [{"ok": True, "ended": 2, "ref": "R-1"}], "kill", "--client", "app", "--reason", "why not")
    assert_equal((status, out), (0, "2 sessions ended (R-1)\n"), err)
    assert_equal(asked, [{"verb": "kill", "by": "client", "value": "app", "reason": "why not"}], "asked")
    status, out, err, _ = run(folder, [{"ok": True, "ended": 0, "ref": "R-1"}], "kill", "--session", "S-1")
    assert_equal((status, out), (1, ""), err)
    assert "no session matched" in err, err


def kill_wants_exactly_one_name(folder, daemons):
    for arguments in ([], ["--sub", "a", "--agent", "b"], ["--agent", ""], ["--agent"], ["agent-7"], ["--door", "cache"]):
        status, out, err, asked = run(folder, [], "kill", *arguments)
        assert_equal((status, out, asked), (2, "", []), arguments)


def block_says_what_is_in_force_and_what_is_not(folder, daemons):
    reply = {"ok": True, "agent": "agent-7", "ref": "R-1", "door": "knows", "helper": "knows", "until": 1796083200, "ended": 3,
             "logins": [{"service": "imap", "count": 2, "last": 1780000000}]}
    status, out, err, asked = run(folder, [reply], "block", "agent-7", "--for", "12h", "--reason", "stolen")
    assert_equal(status, 0, err)
    assert_equal(asked, [{"verb": "block", "agent": "agent-7", "reason": "stolen", "for": 43200}], "asked")
    assert "agent-7 is blocked until 2026-12-01T00:00:00Z (R-1)" in out, out
    assert "sessions ended at doors: 3" in out and "imap: 2 logins, the last at 2026-05-28T20:26:40Z" in out, out
    status, out, err, _ = run(folder, [dict(reply, until=0, logins=[], door="none")], "block", "agent-7")
    assert_equal(status, 0, err)
    assert "agent-7 is blocked (R-1)" in out and "no login at hosts" in out and "none is configured" in out, out
    del reply["logins"]
    status, out, err, _ = run(folder, [dict(reply, helper="away")], "block", "agent-7")
    assert_equal(status, 0, err)
    assert "helper: away" in out and "is not known" in out, out


def a_block_that_is_not_confirmed_is_not_done(folder, daemons):
    reply = {"ok": True, "agent": "a", "ref": "R-1", "door": "knows", "helper": "knows", "until": 0, "ended": 0, "logins": []}
    for change in ({"door": "silent"}, {"helper": "silent"}, {"helper": "whatever"}, {"door": 1}):
        status, out, err, _ = run(folder, [dict(reply, **change)], "block", "a")
        assert_equal(status, 3, (change, out, err))


def durations_have_a_unit(folder, daemons):
    for text in ("12", "h", "", "0s", "-1h", "1.5h", "12 h", "12hh", "99999999999d", "1w"):
        status, out, err, asked = run(folder, [], "block", "a", "--for", text)
        assert_equal((status, out, asked), (2, "", []), text)
    for arguments in ([], ["a", "b"], [""], ["a", "--json"]):
        status, out, err, asked = run(folder, [], "block", *arguments)
        assert_equal((status, out, asked), (2, "", []), arguments)


def unblock_and_blocks(folder, daemons):
    status, out, err, asked = run(folder, [{"ok": True, "agent": "a", "ref": "R-1", "door": "knows", "helper": "knows"}], "unblock", "a")
    assert_equal((status, asked), (0, [{"verb": "unblock", "agent": "a"}]), err)
    assert "a is not blocked any more (R-1)" in out and "ended" not in out, out
    blocks = [{"agent": "a", "until": 0, "reason": "x y"}, {"agent": "b", "until": 1796083200}]
    pages = [{"ok": True, "blocks": blocks[:1], "next": 500}, {"ok": True, "blocks": blocks[1:]}]
    status, out, err, asked = run(folder, pages, "blocks")
    assert_equal((status, asked), (0, [{"verb": "blocks", "from": 0}, {"verb": "blocks", "from": 500}]), err)
    assert_equal([line.split() for line in out.splitlines()], [["a", "-", "x", "y"], ["b", "2026-12-01T00:00:00Z"]], "lines")
    status, out, err, _ = run(folder, pages, "blocks", "--json")
    assert_equal(json.loads(out), blocks, "json")
    status, out, err, _ = run(folder, [{"ok": True, "blocks": [], "trouble": "blocks: line 1: what"}], "blocks")
    assert_equal((status, out), (0, ""), err)
    assert "line 1: what" in err, err
    status, out, err, asked = run(folder, [{"ok": True, "blocks": [], "next": 0}], "blocks")  # goes back: not for ever
    assert_equal((status, len(asked)), (0, 1), err)


def a_list_of_blocks_that_changed_between_pages_is_read_again(folder, daemons):
    a, b, c = ({"agent": name, "until": 0} for name in "abc")
    pages = [{"ok": True, "blocks": [a], "next": 1, "list": "1"}, {"ok": True, "blocks": [c], "list": "2"},
             {"ok": True, "blocks": [b], "next": 1, "list": "2"}, {"ok": True, "blocks": [c], "list": "2"}]
    status, out, err, asked = run(folder, pages, "blocks")
    assert_equal((status, [r["from"] for r in asked]), (0, [0, 1, 0, 1]), err)
    assert_equal(out.split(), ["b", "-", "c", "-"], "neither twice nor of the list before")
    status, out, err, _ = run(folder, pages, "blocks", "--json")
    assert_equal(json.loads(out), [b, c], "json")
    changing = [{"ok": True, "blocks": [a], "next": 1, "list": str(i)} for i in range(16)]
    status, out, err, asked = run(folder, changing, "blocks")
    assert_equal((status, out, len(asked)), (3, "", 16), err)
    assert "try again" in err, err


def refusals_and_failures_have_their_status(folder, daemons):
    for error, want in (("not_allowed", 1), ("bad_request", 1), ("not_blocked", 1), ("no_doors", 1), ("audit", 3), ("busy", 3),
                        ("not_written", 3), ("door_away", 3), ("door_silent", 3), ("failed", 3), ("news", 3)):
        status, out, err, _ = run(folder, [{"ok": False, "error": error, "message": "Because."}], "block", "a")
        assert_equal((status, out, err), (want, "", "postern block: Because.\n"), error)
    for reply in (b"", b"nonsense\n", b"[]\n", b"{}\n", b"{\"ok\":1}\n", b"{\"ok\":true"):
        status, out, err, _ = run(folder, [reply], "block", "a")
        assert_equal((status, out), (3, ""), reply)
        assert "whether it was done is not known" in err, err
    done = subprocess.run([BUILD + "/postern", "block", "a", "--socket", folder.path + "/nothing"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=30)
    assert_equal(done.returncode, 3, done.stderr)
    assert "is posternd running" in done.stderr and "not known" not in done.stderr, done.stderr


TESTS = [f for name, f in list(globals().items())
         if hasattr(f, "__code__") and f.__module__ == "__main__" and f.__code__.co_argcount == 2
         and f.__code__.co_varnames[:2] == ("folder", "daemons")]

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, needs_root=False))
