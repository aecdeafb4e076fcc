#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An agent that may call read_file below /srv/reports and nothing else tries everything else at a real MCP door; what the server gets
is counted byte for byte.  What is held is approved too late: when the agent has cancelled it, has left, or may do less.  TAP output; needs root.  Arguments: names of tests to run alone."""
import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import wait_until  # noqa: E402
from door_rig import Backend, assert_equal, check, run_door_tests  # noqa: E402

RULES = """
in:   allow agent agent-* to mcp:connect,@session
read: allow agent agent-* to mcp:tools/call on read_file if arg.path under "/srv/reports"
"""
CALL = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"read_file","arguments":%s}}'
PATHS = [b'"/etc/passwd"', b'"/srv/reports/../secret"', b'"/srv/reports/./../x"', b'"/srv/reportsx"', b'"/SRV/reports/a"', b'""', b'null', b'1',
         b'"~/x"', b'["/srv/reports/a","/etc/passwd"]', b'{"path":"/srv/reports/a"}', b'"srv/reports/a"', b'"/srv/reports/a\\u0000/x"',
         b'"/srv/reports\\\\..\\\\x"', b'"file:///srv/reports/a"', b'"/srv/reports/\\u002e\\u002e/x"']
GOOD = b'{"path":"/srv/reports/a"}'
LINES = [CALL % (1, b'{"path":' + p + b'}') for p in PATHS] + [
    CALL % (1, a) for a in (b'{}', b'[]', b'null', b'"x"', b'{"path":"/srv/reports/a","path":"/etc/x"}', b'{"path":"/srv/reports/a","Path":"/etc/x"}',
                            b'{"path":"/srv/reports/a","p\\u0061th":"/etc/x"}', b'{"PATH":"/srv/reports/a"}')] + [
    (CALL % (1, GOOD)).replace(old, new) for old, new in (
        (b'"name"', b'"Name"'), (b'"read_file"', b'"Read_file"'), (b'"read_file"', b'"read_file "'), (b'"id":1', b'"id":1.5'), (b'"id":1', b'"id":true'),
        (b'"id":1', b'"id":null'), (b'"id":1', b'"id":1e400'), (b'"id":1', b'"id":99999999999999999999'), (b'"id":1', b'"id":[1]'), (b'"2.0"', b'"2.00"'),
        (b'"method"', b'"METHOD"'), (b'tools/call', b'tools\\/call2'), (b'"params":', b'"params":[],"params":'), (b'}}}', b'}}},'), (b'{"jsonrpc"', b'\xef\xbb\xbf{"jsonrpc"'),
        (b'{"jsonrpc"', b'[{"jsonrpc"'), (b'"params"', b'\r"params"'), (b'"arguments"', b'"arguments":{"path":"/etc/x"},"arguments"'), (b'/a"', b'/\xff"'),
        (b'/a"', b'/\\ud800"'), (b'"name"', b'"name":"delete_file","name"'), (b'{"path"', b'{"x":' + b'[' * 40 + b']' * 40 + b',"path"'),
        (b',"id":1', b''))]


def nothing_but_what_is_allowed_reaches_the_server(rig):
    got = []

    def keep(call):
        with call.sock.makefile("rb") as f:
            got.extend(f)
    rig.door("files", Backend(serve=keep), rules=RULES, protocol="mcp")
    rig.start()
    a = rig.login("files")
    first, last = CALL % (1000, GOOD), CALL % (1001, GOOD)
    a.sock.sendall(b"\n".join([first] + LINES + [last, b""]))
    rig.backends[0].wait_live(1)
    wait_until(lambda: len(got) >= 2, "what is allowed")
    assert_equal(got, [first + b"\n", last + b"\n"], "what the server got")
    rig.wait_record(event="action", outcome="rejected")
    a.close()


HELD = """
in:   allow agent agent-* to mcp:connect,@session
save: hold agent agent-* to mcp:tools/call on save_file if scope has files.save and arg.path under "/srv/reports" with wait 5m
"""
SAVE = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"save_file","arguments":{"path":"/srv/reports/%d"}}}\n'
CANCEL = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}\n'


def a_bound_is_not_lost_with_a_call_that_was_forgotten(rig):
    """The late answer to a cancelled call is nobody's, however many calls came since, whatever id they have."""
    release, seen = threading.Event(), []

    def serve(call):  # one line after the other, as a server that blocks
        with call.sock.makefile("rb") as f:
            for line in f:
                m = json.loads(line)
                seen.append(m["method"])
                result = {}
                if m["method"] == "tools/call":
                    release.wait(60)
                    result = {"content": [{"type": "text", "text": "row" * 1000}]}
                if "id" in m:
                    call.sock.sendall(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": result}).encode() + b"\n")
    rig.door("files", Backend(serve), protocol="mcp", rules="""
in:  allow agent agent-* to mcp:connect,@session
few: allow agent agent-* to mcp:tools/call on export with bytes 2000
""")
    rig.start()
    a = rig.login("files")
    a.sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"export","arguments":{}}}\n')
    wait_until(lambda: "tools/call" in seen, "the call is running")
    a.sock.sendall(CANCEL % 1 + b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n' % (100 + i) for i in range(1023)))
    a.sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    with a.sock.makefile("rb") as f:
        refused = json.loads(f.readline())
        assert_equal((refused["id"], refused["error"]["code"]), (None, -32600), "an id whose answer may still come")
        release.set()
        for i in range(1023):
            assert_equal(json.loads(f.readline()), {"jsonrpc": "2.0", "id": 100 + i, "result": {}}, "the answers")
    a.close()


def _held(rig, count):
    """So many are held at once; their references in the order of asking."""
    def there():
        refs = [h["ref"] for h in json.loads(rig.control("held", "--json").stdout)]
        return (refs,) if len(refs) == count else None
    return wait_until(there, "%d actions are held" % count)[0]


def _is_gone(rig, ref):
    said = rig.control("approve", ref, status=1)
    check("waits for approval" in said.stdout + said.stderr, said)


def an_approval_that_comes_too_late_is_of_nothing(rig):
    got = []

    def keep(call):
        with call.sock.makefile("rb") as f:
            got.extend(f)
    rig.door("files", Backend(serve=keep), rules=HELD, protocol="mcp")
    rig.start()
    a = rig.login("files", rig.token("files", scope="files.save"))
    lines = a.sock.makefile("rb")
    for n in (1, 2, 3):
        a.sock.sendall(SAVE % (n, n))
        _held(rig, n)
    first, second, third = _held(rig, 3)
    a.sock.sendall(CANCEL % 2)
    assert_equal(_held(rig, 2), [first, third], "what is held")
    _is_gone(rig, second)
    # The same rights once more, and what was approved passes.
    check(rig.renew("files", a["session"], rig.token("files", scope="files.save files.read")).is_granted, "a renewal")
    rig.control("approve", first)
    wait_until(lambda: got, "what is approved")
    # Fewer.
    check(rig.renew("files", a["session"], rig.token("files", scope="files.read")).is_granted, "a renewal with less")
    rig.control("approve", third)
    said = json.loads(lines.readline())
    assert_equal((said["id"], said["error"]["code"], said["error"]["data"]["error"]), (3, -32001, "insufficient_scope"), said)
    r = rig.wait_record(event="action", outcome="rejected", ref=third, reason="insufficient_scope")
    check(r["approver"], r)
    _held(rig, 0)
    check(rig.renew("files", a["session"], rig.token("files", scope="files.save")).is_granted, "a renewal with more")
    a.sock.sendall(SAVE % (4, 4))
    last, = _held(rig, 1)
    lines.close()
    a.close()
    _held(rig, 0)
    _is_gone(rig, last)
    rig.wait_record(event="end")
    assert_equal(got, [SAVE % (1, 1)], "what the server got")


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
