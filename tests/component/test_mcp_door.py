#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An MCP door from end to end: the SDK's own client, unmodified, over `postern connect --stdio`, and the real filesystem and
"everything" servers behind it, one that the spawner starts for each session.  A scripted agent's day: reading is allowed, writing held until somebody approves, moving denied;
lists show what may be used; what a server asks of the client is judged.  TAP output; needs root and POSTERN_PEERS.  Arguments: names
of tests to run alone."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import is_alive, wait_until  # noqa: E402
from door_rig import BUILD, Backend, assert_equal, auth_line, check, run_door_tests, with_options  # noqa: E402

PEERS = os.environ.get("POSTERN_PEERS", "")
HERE = os.path.dirname(os.path.abspath(__file__))
SERVERS = PEERS + "/node_modules/@modelcontextprotocol"
ANSWER_S = 60
SPAWNER_UID, PROGRAM_UID = 64741, 64742  # not those of test_spawner.py, which counts its processes
_served = with_options(has_issuer=True, spawner_user=SPAWNER_UID)


class Host:
    """An MCP host as another user: orders in, answers out."""

    def __init__(self, rig, client, roots=()):
        for name in ("line.mjs", "mcp_door.mjs"):
            shutil.copyfile("%s/../peers/%s" % (HERE, name), rig.path + "/" + name)
        if not os.path.exists(rig.path + "/node_modules"):
            os.symlink(PEERS + "/node_modules", rig.path + "/node_modules")
        self.answers, self.count = {}, 0
        log = "%s/host-%s.log" % (rig.path, client)
        rig.log_paths.append(log)
        with open(log, "w") as f:
            self.process = subprocess.Popen([PEERS + "/node", rig.path + "/mcp_door.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=f, universal_newlines=True, env=rig.agent_environment(), preexec_fn=rig.as_agent, cwd="/")
        self.log = log
        self.tell({"command": os.path.abspath(BUILD) + "/postern", "args": ["connect", "--stdio", client], "env": rig.agent_environment(),
                   "roots": list(roots)})
        threading.Thread(target=self.listen, daemon=True).start()
        self.connected = self.do("connect")

    def tell(self, order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def listen(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            self.answers[answer["n"]] = answer

    def begin(self, call, *words):
        self.count += 1
        self.tell({"n": self.count, "call": call, "with": list(words)})
        return self.count

    def log_text(self):
        with open(self.log) as f:
            return f.read()

    def wait(self, n):
        def there():
            if self.process.poll() is not None:
                raise AssertionError("the host ended: " + self.log_text())
            return self.answers.get(n)
        return wait_until(there, "the answer to step %d" % n, ANSWER_S)

    def do(self, call, *words):
        answer = self.wait(self.begin(call, *words))
        assert "error" not in answer, "%s %r: %r %s" % (call, words, answer, self.log_text())
        return answer["result"]

    def refused(self, call, *words):
        answer = self.wait(self.begin(call, *words))
        assert "error" in answer, "%s %r: %r" % (call, words, answer)
        return answer["error"]

    def tool(self, name, **arguments):
        return self.do("callTool", {"name": name, "arguments": arguments})

    def close(self):
        self.do("close")
        self.tell({"call": "end"})
        self.process.wait(ANSWER_S)


FILES = """
in:     allow agent agent-* to mcp:connect,@session
never:  deny anyone to mcp:tools/call on move_file because "nothing is moved; ask platform@example.org"
roots:  allow agent agent-* to mcp:roots/list
where:  allow agent agent-* to mcp:tools/call on list_allowed_directories
look:   allow agent agent-* to mcp:tools/call on read_text_file,list_directory if arg.path under "%(root)s"
change: hold agent agent-* to mcp:tools/call on write_file if arg.path under "%(root)s" with wait 5m
step:   allow agent agent-* to mcp:tools/call on create_directory if scope has files.create
"""
EVERYTHING = """
in:     allow agent agent-* to mcp:connect,@session
no:     deny anyone to mcp:sampling/*,elicitation/*,roots/*
tools:  allow agent agent-* to mcp:tools/call on echo,get-sum,trigger-sampling-request,trigger-elicitation-request
long:   allow agent agent-* to mcp:tools/call on trigger-long-running-operation with log each
static: allow agent agent-* to mcp:resources/read on "demo://resource/static/*"
prompt: allow agent agent-* to mcp:prompts/get on simple-prompt
"""


def _start(rig, name, rules, *program):
    rig.door(name, "exec:%s %s" % (os.path.realpath(PEERS + "/node"), " ".join(program)), rules=rules, protocol="mcp",
             issuers="local", exec_user=PROGRAM_UID)
    rig.start()
    rig.add_agent(resources=[name])
    rig.write_client(name, name)


def _programs():
    """The pid of each process of the programs' user that lives."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat("/proc/" + name).st_uid == PROGRAM_UID and is_alive(int(name)):
                found.append(int(name))
        except FileNotFoundError:
            pass
    return found


def _wait_none():
    wait_until(lambda: not _programs(), "no program is left: %r" % _programs())


@_served
def a_day_of_an_agent_with_files(rig):
    root = os.path.realpath(rig.path) + "/files"
    os.makedirs(root)
    os.chown(root, PROGRAM_UID, PROGRAM_UID)
    with open(root + "/q3.csv", "w") as f:
        f.write("1;2;3\n")
    with open(os.path.realpath(rig.path) + "/secret", "w") as f:
        f.write("not for agents\n")
    _start(rig, "files", FILES % {"root": root}, SERVERS + "/server-filesystem/dist/index.js", root)
    host = Host(rig, "files", roots=["file://" + root])
    check("secure-filesystem-server" in json.dumps(host.connected), host.connected)
    names = sorted(t["name"] for t in host.do("listTools")["tools"])
    assert_equal(names, ["list_allowed_directories", "list_directory", "read_text_file", "write_file"], "the tools that are shown")
    # Reading.
    check("1;2;3" in json.dumps(host.tool("read_text_file", path=root + "/q3.csv")), "what is in the file")
    check("q3.csv" in json.dumps(host.tool("list_directory", path=root)), "the folder")
    said = host.refused("callTool", {"name": "read_text_file", "arguments": {"path": root + "/../secret"}})
    assert_equal((said["code"], said["data"]["error"], said["data"]["retry"]), (-32001, "access_denied", "never"), said)
    host.refused("callTool", {"name": "read_text_file", "arguments": {}})
    # Deleting, as near as this server comes to it.
    said = host.refused("callTool", {"name": "move_file", "arguments": {"source": root + "/q3.csv", "destination": root + "/gone"}})
    check(said["data"]["because"].startswith("nothing is moved") and said["data"]["ref"].startswith("R-"), said)
    check(os.path.exists(root + "/q3.csv"), "the file")
    r = rig.wait_record(event="action", action="mcp:tools/call", resource="move_file")
    assert_equal((r["outcome"], r["rule"], r["ref"]), ("rejected", "files:never", said["data"]["ref"]), r)
    # A scope that is wanting is named.
    said = host.refused("callTool", {"name": "create_directory", "arguments": {"path": root + "/new"}})
    assert_equal((said["data"]["error"], said["data"]["scope"], said["data"]["retry"]), ("insufficient_scope", "files.create", "more_scope"), said)
    # Writing waits; others go on.
    write = host.begin("callTool", {"name": "write_file", "arguments": {"path": root + "/new.txt", "content": "written"}})
    held = wait_until(lambda: json.loads(rig.control("held", "--json").stdout), "something is held")
    assert_equal([(h["action"], h["resource"], h["agent"]) for h in held], [("mcp:tools/call", "write_file", "agent-7")], "what is held")
    check("1;2;3" in json.dumps(host.tool("read_text_file", path=root + "/q3.csv")), "another call meanwhile")
    check(write not in host.answers and not os.path.exists(root + "/new.txt"), "nothing was written")
    rig.control("approve", held[0]["ref"], "--reason", "ticket 42")
    check("error" not in host.wait(write), host.answers[write])
    with open(root + "/new.txt") as f:
        assert_equal(f.read(), "written", "what was written")
    # Held and denied.
    write = host.begin("callTool", {"name": "write_file", "arguments": {"path": root + "/new.txt", "content": "again"}})
    held = wait_until(lambda: json.loads(rig.control("held", "--json").stdout), "something is held again")
    rig.control("deny", held[0]["ref"], "--reason", "keep it")
    said = host.wait(write)["error"]
    check("keep it" in json.dumps(said), said)
    # What is no method of MCP's, and what is none of ours.
    assert_equal(host.refused("request", {"method": "no/such"})["code"], -32601, "an unknown method")
    said = host.refused("request", {"method": "server/discover"})
    assert_equal((said["code"], said["data"]["supported"][0]), (-32022, "2025-11-25"), said)
    wait_until(lambda: host.do("seen")["roots"] > 0, "the server asked for the roots")
    # A program a session, and none that outlives it.
    wait_until(lambda: len(_programs()) == 1, "one session's program")
    other = Host(rig, "files", roots=["file://" + root])
    wait_until(lambda: len(_programs()) == 2, "two sessions' programs")
    other.close()
    wait_until(lambda: len(_programs()) == 1, "one session's program ends with it")
    check("1;2;3" in json.dumps(host.tool("read_text_file", path=root + "/q3.csv")), "the other session")
    host.close()
    _wait_none()
    rig.wait_record(event="end")


def _is_called(rig, tool):
    return any(r.get("resource") == tool for r in rig.records(event="action"))


@_served
def what_a_server_asks_is_judged_and_lists_are_cut(rig):
    _start(rig, "everything", EVERYTHING, SERVERS + "/server-everything/dist/index.js", "stdio")
    host = Host(rig, "everything")
    names = {t["name"] for t in host.do("listTools")["tools"]}
    check(names <= {"echo", "get-sum", "trigger-sampling-request", "trigger-elicitation-request", "trigger-long-running-operation"} and
          "echo" in names, names)
    check("hello" in json.dumps(host.tool("echo", message="hello")), "echo")
    check("5" in json.dumps(host.tool("get-sum", a=2, b=3)), "a sum")
    resources = [r["uri"] for r in host.do("listResources")["resources"]]
    check(resources and all(u.startswith("demo://resource/static/") for u in resources), resources)
    host.do("readResource", {"uri": resources[0]})
    host.refused("readResource", {"uri": "demo://resource/dynamic/text/1"})
    assert_equal([p["name"] for p in host.do("listPrompts")["prompts"]], ["simple-prompt"], "prompts")
    host.do("getPrompt", {"name": "simple-prompt"})
    host.refused("getPrompt", {"name": "args-prompt", "arguments": {"city": "x"}})
    host.do("ping")
    if "trigger-sampling-request" in names:
        answer = host.wait(host.begin("callTool", {"name": "trigger-sampling-request", "arguments": {"prompt": "p", "maxTokens": 5}}))
        check("sampled" not in json.dumps(answer), answer)
        r = rig.wait_record(event="action", action="mcp:sampling/createMessage")
        assert_equal((r["outcome"], r["rule"]), ("rejected", "everything:no"), r)
    assert_equal({k: v for k, v in host.do("seen").items() if k != "roots"}, {"sampling": 0, "elicitation": 0}, "what the client was asked")
    # The program dies: so does the session, and what waits for an answer is told.
    programs = _programs()
    assert_equal(len(programs), 1, "programs")
    with open("/proc/%d/environ" % programs[0], "rb") as f:
        rig.assert_no_secret({"its environment": f.read()})
    wait = host.begin("callTool", {"name": "trigger-long-running-operation", "arguments": {"duration": 600, "steps": 2}})
    wait_until(lambda: _is_called(rig, "trigger-long-running-operation"), "the call is on record")
    os.kill(programs[0], signal.SIGKILL)
    check("error" in host.wait(wait), host.answers[wait])
    rig.daemon.wait_log(r"program %d died of signal 9" % programs[0])
    wait_until(lambda: not rig.sessions(), "no session is left")
    _wait_none()
    host.tell({"call": "end"})
    host.process.wait(ANSWER_S)


def strangers_are_told_in_their_own_protocol(rig):
    rig.door("files", Backend(), rules=FILES % {"root": "/srv"}, protocol="mcp")
    rig.start()
    s = rig.dial("files")
    s.sendall(b'{"jsonrpc":"2.0","id":"first","method":"initialize","params":{}}\n')
    got = b""
    while not got.endswith(b"\n"):
        piece = s.recv(4096)
        check(piece, "an end instead of an answer")
        got += piece
    said = json.loads(got)
    assert_equal((said["id"], said["error"]["code"], said["error"]["data"]["error"]), ("first", -32001, "invalid_request"), said)
    check("ref" in said["error"]["data"] and said["error"]["data"]["retry"] == "new_token", said)
    try:
        assert_equal(s.recv(1), b"", "the connection")
    except ConnectionResetError:
        pass
    s.close()
    check("ERR " in str(rig.refused("files", auth_line("no.token.at-all"))), "a login that is none")
    assert_equal(sum(len(b.calls) for b in rig.backends), 0, "connections at the backend")


def every_cut_of_a_conversation_is_one_conversation(rig):
    """The same bytes, cut at random places, over a real socket, echoed by a server that answers each line."""
    def answer(call):
        with call.sock.makefile("rwb") as f:
            for line in f:
                m = json.loads(line)
                if "id" in m:
                    f.write(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": {"method": m["method"]}}).encode() + b"\n")
                    f.flush()
    rig.door("files", Backend(serve=answer), rules=FILES % {"root": "/srv"}, protocol="mcp")
    rig.start()
    words = b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":{%s}}\n' % (
        i, b"ping" if i % 2 else b"tools/call", b"" if i % 2 else b'"name":"move_file"') for i in range(20))
    for size in (1, 7, 64, len(words)):
        a = rig.login("files")
        a.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(words), size):
            a.sock.sendall(words[at:at + size])
        got = b""
        while got.count(b"\n") < 20:
            piece = a.sock.recv(65536)
            check(piece, "the session ended after %r" % got)
            got += piece
        answers = {m["id"]: m for m in map(json.loads, got.splitlines())}
        assert_equal(sorted(answers), list(range(20)), "ids")
        for i, m in answers.items():
            assert_equal("result" in m, i % 2 == 1, m)
        a.close()


if __name__ == "__main__":
    if not os.path.exists(SERVERS + "/server-everything"):
        print("ok - an MCP door # SKIP POSTERN_PEERS is not set: tests/peers/fetch FOLDER")
        sys.exit(0)
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
