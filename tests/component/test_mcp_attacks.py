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


def _log_in(rig, rules, **claims):
    """An agent, and the lines that its server gets."""
    got = []

    def keep(call):
        with call.sock.makefile("rb") as f:
            got.extend(f)
    rig.door("files", Backend(serve=keep), rules=rules, protocol="mcp")
    rig.start()
    return rig.login("files", rig.token("files", **claims)), got


def nothing_but_what_is_allowed_reaches_the_server(rig):
    a, got = _log_in(rig, RULES)
    first, last = CALL % (1000, GOOD), CALL % (1001, GOOD)
    # An id that was used is refused for that alone.
    lines = [line.replace(b'"id":1,', b'"id":%d,' % (2000 + i)) for i, line in enumerate(LINES)]
    a.sock.sendall(b"\n".join([first] + lines + [last, b""]))
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
    a, got = _log_in(rig, HELD, scope="files.save")
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


NUMBERS = """
in:   allow agent agent-* to mcp:connect,@session
no:   deny agent agent-* to mcp:tools/call on pay if arg.account = 123456789
cap:  allow agent agent-* to mcp:tools/call on pay if arg.amount < 1000000
"""
PAY = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"pay","arguments":{"account":%s,"amount":%s}}}\n'
ACCOUNTS = [b"123456789", b"123456789.0", b"123456789.0000000001", b"123456788.99999999999", b"1.23456789e8", b"123456789e0", b"12345678.9E1",
            b"123456789.000000000000000000000000001"]
AMOUNTS = [b"1000000", b"999999.99999999999", b"999999.9999999999999999999", b"1e6", b"9e5", b"0.0000000000000000000001e28",
           b"1000000.0000000001", b"18446744073709551621"]


def a_number_is_what_a_server_reads(rig):
    """Servers keep a number in a double: 123456789.0000000001 is 123456789 to them."""
    for account in ACCOUNTS:
        assert_equal(json.loads(account), 123456789, account)
    a, got = _log_in(rig, NUMBERS)
    good = [PAY % (1000, b"5", b"5"), PAY % (1003, b"5.0000000000000004", b"19.990000000000002"), PAY % (1001, b"123456789.000001", b"999999.999999999"), PAY % (1002, b"5", b"-0")]
    bad = [PAY % (i, n, b"5") for i, n in enumerate(ACCOUNTS)] + [PAY % (100 + i, b"5", n) for i, n in enumerate(AMOUNTS)]
    a.sock.sendall(b"".join([good[0]] + bad + good[1:]))
    wait_until(lambda: good[-1] in got, "what is allowed")
    assert_equal(got, good, "what the server got")
    rig.wait_record(event="action", outcome="rejected")
    a.close()


PLACES = """
in:   allow agent agent-* to mcp:connect,@session
no:   deny agent agent-* to mcp:resources/read on "file:///etc/*","http://169.254.169.254/*"
rest: allow agent agent-* to mcp:resources/read on "*"
"""
READ = b'{"jsonrpc":"2.0","id":%d,"method":"resources/read","params":{"uri":"%s"}}\n'
DENIED = [b"file:///etc/passwd", b"file:////etc/passwd", b"file://localhost/etc/passwd", b"file:/etc/passwd", b"file:etc/passwd", b"FILE:/etc/passwd",
          b"File:///etc/passwd", b"file:\\\\/etc/passwd", b"file:\\/\\/\\/etc/passwd", b"\\u0066ile:/etc/passwd", b"file:\\u0009///etc/passwd",
          b"http://169.254.169.254/latest", b"http:/169.254.169.254/latest", b"http:169.254.169.254/latest", b"http:///169.254.169.254/latest",
          b"http:////169.254.169.254/latest", b"http:\\\\169.254.169.254/latest", b"HTTP://169.254.169.254/latest", b"http://169.254.169.254:80/latest",
          b"http://169.254.169.254:/latest", b"http://169.254.169.254:0080/latest", b"http://x@169.254.169.254/latest", b"http://x:y@169.254.169.254/latest",
          b"http://@169.254.169.254/latest", b"http://169.254.169.254./latest", b"http://169.254.169%2E254/latest", b"http://%31%36%39.254.169.254/latest",
          b"http://2852039166/latest", b"http://0xa9fea9fe/latest", b"http://0XA9.254.169.254/latest", b"http://0251.0376.0251.0376/latest",
          b"http://169.16689662/latest", b"http://169.254.43518/latest", b"http://169.254.169.254", b"http://169.254.169.254?x=/latest",
          b"http://169.254.169.254#x"]


def a_place_in_another_spelling_is_not_read(rig):
    """What Node's URL reads as a place that is denied."""
    a, got = _log_in(rig, PLACES)
    good = [READ % (1000 + i, u) for i, u in enumerate((b"file:///srv/a", b"http://169.254.169.253/latest", b"http://169.254.169.254:8080/latest",
                                                        b"https://[::1]/a", b"demo://x", b"urn:isbn:0451450523", b"file:///tmp/last"))]
    a.sock.sendall(b"".join([good[0]] + [READ % (i, u) for i, u in enumerate(DENIED)] + good[1:]))
    wait_until(lambda: good[-1] in got, "what is allowed")
    assert_equal(got, good, "what the server got")
    rig.wait_record(event="action", outcome="rejected")
    a.close()


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
