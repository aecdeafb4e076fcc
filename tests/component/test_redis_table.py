#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""include/postern-private/redis_commands.def against what a real redis-server says of its commands: names, categories, and
where their keys stand.  TAP output; needs Python's own modules and redis-server."""
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402
from daemon import report  # noqa: E402
from redis_wire import Connection, Error, Server, flatten, pack, words_for  # noqa: E402

JUDGE = os.environ.get("POSTERN_BUILD", ".") + "/tests/support/redis_judge"
# Of later Redis and Valkey; a server that knows one is compared like with any other.
LATER = set("""CLIENT|CAPA CLIENT|IMPORT-SOURCE CLIENT|NO-TOUCH CLIENT|SETINFO CLUSTER|CANCELSLOTMIGRATIONS CLUSTER|GETSLOTMIGRATIONS
    CLUSTER|MIGRATESLOTS CLUSTER|MYSHARDID CLUSTER|SLOT-STATS CLUSTER|SYNCSLOTS COMMANDLOG|GET COMMANDLOG|HELP COMMANDLOG|LEN
    COMMANDLOG|RESET DELEX DELIFEQ DIGEST HEXPIRE HEXPIREAT HEXPIRETIME HGETDEL HGETEX HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME
    HPTTL HSETEX HTTL MSETEX SCRIPT|SHOW WAITAOF XACKDEL XDELEX""".split())
# Redis names more keys, fewer keys, or says nothing: ours are looked at below.
OWN_WAYS = {"PUBLISH", "SUBSCRIBE", "SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE"}


def names_and_categories(server, table):
    theirs = flatten(server, {})
    missing = sorted(set(theirs) - set(table))
    report(not missing, "every command of the server stands in the table", missing)
    more = sorted(set(table) - set(theirs) - LATER)
    report(not more, "the table has no command that nobody has", more)
    wrong = []
    for name in sorted(set(table) & set(theirs)):
        want = {c.decode().lstrip("@") for c in theirs[name][6]}
        if set(table[name]) - {"session"} != want:
            wrong.append("%s: %s, not %s" % (name, sorted(want), table[name]))
    report(not wrong, "each has the categories that the server gives it", "\n".join(wrong))
    report(sorted(table) == list(table), "the table is in the order of the alphabet")
    session = {n for n, c in table.items() if "session" in c}
    report(not [n for n in session if {"admin", "dangerous", "write", "read"} & set(table[n])],
           "nothing of the session touches keys or the server")
    return theirs


def keys_of(command, words):
    answer = command.call("COMMAND", "GETKEYS", *words)
    if isinstance(answer, Error):
        return None if "no key arguments" not in answer else []
    return answer


def ours(requests):
    out = subprocess.run([JUDGE, "keys"], input=b"".join(pack(*w) for w in requests), stdout=subprocess.PIPE, check=True).stdout
    for line in out.decode().splitlines():
        name, more, *keys = line.split(" ")
        yield name, more == "more", [bytes.fromhex(k[1:]) for k in keys]


def keys(command, theirs):
    rng = random.Random(7)
    requests = [words_for(rng, name, row) for name, row in sorted(theirs.items()) if name not in OWN_WAYS for _ in range(40)]
    wrong, compared = [], 0
    for words, (name, more, found) in zip(requests, ours(requests)):
        want = keys_of(command, words)
        if want is None:
            continue
        compared += 1
        if sorted(want) != sorted(found) and not (more and set(want) <= set(found)):
            wrong.append("%r: the server has %r, we %r%s" % (words, want, found, " and more" if more else ""))
    report(not wrong, "each names the keys that the server finds in it", "\n".join(wrong[:20]))
    report(compared > 4000, "enough of them could be compared", compared)


def own_ways():
    cases = [
        (("SUBSCRIBE", "a", "b"), False, [b"a", b"b"]), (("PUBLISH", "c", "text"), False, [b"c"]),
        (("PSUBSCRIBE", "a*"), False, []), (("MOVE", "k", "1"), True, [b"k"]), (("COPY", "a", "b"), False, [b"a", b"b"]),
        (("COPY", "a", "b", "DB", "1"), True, [b"a", b"b"]), (("copy", "a", "b", "replace"), False, [b"a", b"b"]),
        (("EVAL", "x", "2", "a", "b", "c"), True, [b"a", b"b"]), (("EVAL", "x", "02", "a", "b"), True, []),
        (("EVAL", "x", "-1", "a"), True, []), (("EVAL", "x", "3", "a", "b"), True, []),
        (("SORT", "a", "BY", "nosort"), False, [b"a"]), (("SORT", "a", "BY", "w_*"), True, [b"a"]),
        (("SORT", "a", "GET", "#", "STORE", "d"), False, [b"a", b"d"]), (("SORT", "a", "WHAT", "STORE", "d"), True, [b"a"]),
        (("XREAD", "STREAMS", "a", "b", "0"), True, []), (("FT.SEARCH", "i", "q"), True, []),
    ]
    wrong = [(w, got) for (w, more, want), got in zip(cases, ours([c[0] for c in cases])) if got[1:] != (more, want)]
    report(not wrong, "where our ways are stricter than the server's", wrong)


def main():
    rows = subprocess.run([JUDGE, "table"], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    table = {name: classes.split() for name, classes in (r.split("\t") for r in rows)}
    server = Server()
    try:
        c = Connection(server.path)
        theirs = names_and_categories(c.call("COMMAND"), table)
        keys(c, theirs)
        own_ways()
        c.close()
    finally:
        server.stop()
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


sys.exit(main())
