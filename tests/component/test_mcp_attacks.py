#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An agent that may call read_file below /srv/reports and nothing else tries everything else at a real MCP door; what the server gets
is counted byte for byte.  TAP output; needs root.  Arguments: names of tests to run alone."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import wait_until  # noqa: E402
from door_rig import Backend, assert_equal, run_door_tests  # noqa: E402

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


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
