#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""100,000 generated commands through the Redis adapter to a real redis-server: what was judged and let through is what MONITOR
says was executed, in that order, and nothing else; every command has its one answer in its turn.
TAP output; needs Python's own modules and redis-server.  POSTERN_REDIS_COMMANDS: another number of them."""
import os
import random
import re
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402
from daemon import report, wait_until  # noqa: E402
from redis_wire import Connection, Error, Server, flatten, pack, words_for  # noqa: E402

JUDGE = os.environ.get("POSTERN_BUILD", ".") + "/tests/support/redis_judge"
COUNT = int(os.environ.get("POSTERN_REDIS_COMMANDS", "100000"))
SEED = int(os.environ.get("POSTERN_REDIS_SEED", "20261128"))
BATCH, BATCHES = 100, 5  # commands that are sent in one go; such of one session
# They end or stop the server or the connection, wait, take long, or answer more or less than once.
LEFT_OUT = re.compile(r"^(SHUTDOWN|DEBUG|MONITOR|P?S?SUBSCRIBE|P?S?UNSUBSCRIBE|REPLICAOF|SLAVEOF|FAILOVER|MIGRATE|CLUSTER\|.*|MODULE\|.*"
                      r"|BG.*|SAVE|ACL\|.*|CONFIG\|.*|CLIENT\|(KILL|PAUSE|UNBLOCK|TRACKING|LIST|NO-EVICT)|QUIT|WAIT|PFSELFTEST|PFDEBUG"
                      r"|COMMAND.*|INFO|LOLWUT|MEMORY\|(DOCTOR|MALLOC-STATS|PURGE)|LATENCY\|.*|FUNCTION\|KILL|SCRIPT\|KILL|AUTH"
                      r"|HELLO|RESTORE.*|READONLY|READWRITE|ASKING|SWAPDB)$")
NEVER = ["RESET", "SYNC", "PSYNC", "REPLCONF", "CLIENT|REPLY", "SCRIPT|DEBUG"]
# Refused before they are called, so that MONITOR does not see them.
NOT_CALLED = ("ERR wrong number", "ERR unknown", "ERR Command not allowed", "EXECABORT")


def commands(rng, theirs):
    names = [n for n, row in sorted(theirs.items()) if not LEFT_OUT.match(n) and "@blocking" not in map(bytes.decode, row[6])]
    names += ["XREAD", "XREADGROUP", "SET", "SET", "GET", "GET", "MSET", "DEL"] * 4 + NEVER
    scripts = [["EVAL", "return redis.call('SET',KEYS[1],ARGV[1])", "1", "k1", "v"], ["EVAL", "return 1", "0"],
               ["HELLO", "3"], ["HELLO", "2"], ["NOSUCH", "k1"], ["NO SUCH"], [""], ["GET\x00", "k1"], ["CONFIG|GET", "x"],
               ["SET", "k1", "\r\n*1\r\n$8\r\nFLUSHALL\r\n"], ["GET", "k1\r\n"], ["CONFIG", "NOSUCH"]]
    while True:
        if rng.random() < .05:
            words = list(rng.choice(scripts))
        else:
            name = rng.choice(names)
            words = words_for(rng, name, theirs[name])
        if any(w.upper() == "BLOCK" for w in words):
            continue
        if rng.random() < .3:
            words[0] = words[0].lower()
        yield words


def transactions(rng, theirs):
    """Some of them inside MULTI, nested, discarded, left open."""
    stream = commands(rng, theirs)
    while True:
        if rng.random() < .03:
            yield ["MULTI"]
            for _ in range(rng.randint(0, 6)):
                yield next(stream)
            yield [rng.choice(["EXEC", "exec", "EXEC", "DISCARD"])]
        yield next(stream)


class Monitor:
    LINE = re.compile(rb'^[\d.]+ \[(\d+) ([^\]]*)\] (.*)$')
    WORD = re.compile(r'"((?:[^"\\]|\\.)*)"')

    def __init__(self, path):
        self.connection = Connection(path, timeout=120)
        assert self.connection.call("MONITOR") == b"OK"
        self.seen, self.end = [], b"postern-test-ends"
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            line = self.connection.read()
            source, words = self.LINE.match(line).group(2), self.LINE.match(line).group(3).decode("latin-1")
            words = [w.encode("latin-1").decode("unicode_escape").encode("latin-1") for w in self.WORD.findall(words)]
            if words == [b"ECHO", self.end]:
                return
            if source != b"lua":
                self.seen.append(words)


def record_of(line):
    mark, name, *words = line.split(" ")
    return mark, name, [bytes.fromhex(w[1:]) for w in words]


def expected(records, answers):
    """What the server has to have called: (name, arguments, is it certain)."""
    calls, queue, in_multi, is_lost = [], [], False, False
    for (mark, name, words), answer in zip(records, answers):
        certain = not (isinstance(answer, Error) and answer.startswith(NOT_CALLED))
        if name == "EXEC" and in_multi:
            if is_lost or mark == "-":
                calls.append(("DISCARD", [], True))
            else:
                # None: a key that is watched was touched
                was_run = not isinstance(answer, Error) and answer is not None
                calls += [(n, w, was_run) for n, w in queue] + [(name, words, False)]
            in_multi = False
        elif mark == "-":
            is_lost = is_lost or in_multi
        elif name in ("HELLO", "SELECT") and in_multi:
            is_lost = True
        elif name == "MULTI" and not in_multi:
            calls.append((name, words, certain))
            in_multi, is_lost, queue = certain, False, []
        elif name == "DISCARD" and in_multi:
            calls.append((name, words, certain))
            in_multi = not certain
        elif in_multi and not isinstance(answer, Error):
            queue.append((name, words))
        elif in_multi:
            calls.append((name, words, False))  # WATCH and MULTI are called at once, to say that they may not
        elif not in_multi:
            calls.append((name, words, certain and not isinstance(answer, Error)))
    return calls


def name_of(words, names):
    name = words[0].decode("latin-1").upper()
    if len(words) > 1 and name + "|" + words[1].decode("latin-1").upper() in names:
        return name + "|" + words[1].decode("latin-1").upper(), words[2:]
    return name, words[1:]


def compare(calls, seen, names, silent):
    """Each call that was seen is the next one that was let through; what is passed over was not certain."""
    at = 0
    for words in seen:
        name, arguments = name_of(words, names)
        while at < len(calls) and (calls[at][0], calls[at][1]) != (name, arguments):
            if calls[at][2] and calls[at][0] not in silent:
                return "%r was let through and not seen; seen instead: %r" % (calls[at], words)
            at += 1
        if at == len(calls):
            return "seen, and not let through: %r" % words
        at += 1
    left = [c for c in calls[at:] if c[2] and c[0] not in silent]
    return "let through and never seen: %r" % left[:3] if left else ""


def send_cut(rng, connection, data):
    while data:
        size = rng.choice([1, 2, 3, 7, 20, 100, 1000, 8000, 60000])
        connection.send(data[:size])
        data = data[size:]


def run_sessions(rng, path, theirs):
    stream, answers, sent = transactions(rng, theirs), [], 0
    while sent < COUNT:
        c = Connection(path)
        for _ in range(BATCHES):
            batch = [next(stream) for _ in range(BATCH)]
            send_cut(rng, c, b"".join(pack(*[w.encode("latin-1") for w in words]) for words in batch))
            answers += [c.read() for _ in batch]
            sent += len(batch)
        answers.append(c.call("DISCARD"))  # the next session begins outside
        answers.append(c.call("PING"))
        c.close()
    return answers


def _listens(path):
    """Its file is there before it listens; who connects to see that would be its first session."""
    with open("/proc/net/unix") as f:
        return any(line.split()[3] == "00010000" and line.split()[-1] == path for line in f if len(line.split()) > 7)


def main():
    server = Server()
    listen, record = server.folder + "/door.sock", server.folder + "/record"
    door = subprocess.Popen([JUDGE, "serve", listen, server.path, record])
    rng = random.Random(SEED)
    try:
        wait_until(lambda: _listens(listen), "the adapter listens")
        control = Connection(server.path)
        theirs = flatten(control.call("COMMAND"), {})
        silent = {n for n, row in theirs.items() if {b"admin", b"skip_monitor"} & set(row[2])}
        monitor = Monitor(server.path)
        answers = run_sessions(rng, listen, theirs)
        last = Connection(listen)
        last.call("PING")  # it was taken when the session before had ended: the record of that is complete
        lines = open(record).read().splitlines()
        records = [record_of(line) for line in lines if line[0] != "!"][:len(answers)]
        control.call("ECHO", monitor.end)
        monitor.thread.join(60)
        report(not [line for line in lines if line[0] == "!"], "no session was broken", [line for line in lines if line[0] == "!"][:5])
        report(len(records) == len(answers), "every command was judged once and answered once", "%d, %d" % (len(records), len(answers)))
        report(all(isinstance(a, Error) for (m, _, _), a in zip(records, answers) if m == "-"), "what was refused was answered by an error")
        calls = expected(records, answers)
        seen = monitor.seen[:-1]  # the last is the PING of the session whose record is not there
        wrong = compare(calls, seen, set(theirs), silent)
        report(not wrong, "what was let through is what the server executed, in that order", wrong)
        report(len(seen) > COUNT // 4, "the server executed a good part of %d commands" % len(answers), len(seen))
        refused = sum(m == "-" for m, _, _ in records)
        report(refused > COUNT // 20, "many were refused", refused)
        report(not any(any(a.startswith(b"no:") for a in w[1:2]) and w[0].upper() in (b"GET", b"SET", b"DEL") for w in seen),
               "no forbidden key was read, written or deleted")
    finally:
        door.send_signal(signal.SIGTERM)
        door.wait(20)
        server.stop()
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


sys.exit(main())
