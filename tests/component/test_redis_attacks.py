#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Attacks on a Redis door with a real redis-server behind it: by an agent that may read little, by strangers, and by a server that
misbehaves.  TAP output; needs root, Python's own modules, redis-server.  Arguments: names of tests to run alone."""
import json
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import wait_until  # noqa: E402
from door_rig import Backend, assert_equal, check, run_door_tests  # noqa: E402
from redis_wire import BackendServer, Connection, Error, Push, pack  # noqa: E402

PASSWORD = "backend-password-of-nobody-else"
TREASURE = "treasure-that-nobody-may-read"
RULES = """
in:     allow agent agent-* to redis:connect on cache
chat:   allow agent agent-* to redis:@session
read:   allow agent agent-* to redis:@read on "cache:*"
write:  allow agent agent-* to redis:SET,DEL,BLPOP,LPUSH on "cache:*" if scope has cache.write
bound:  allow agent agent-* to redis:GET on "bound:*" with bytes 100
hear:   allow agent agent-* to redis:SUBSCRIBE on "cache:*"
change: hold agent agent-* to redis:SET on "held:*" with wait 5m
"""
SERVER = {}


def redis_server():
    if not SERVER:
        SERVER["server"] = BackendServer(PASSWORD)
    inside = SERVER["server"].inside
    inside.call("FLUSHALL")
    inside.call("SET", "secret", TREASURE)
    inside.call("RPUSH", "secret:list", TREASURE)
    inside.call("ZADD", "secret:set", "1", TREASURE)
    inside.call("XADD", "secret:stream", "1-1", "f", TREASURE)
    inside.call("SET", "w_1", TREASURE)
    inside.call("SET", "cache:a", "1")
    inside.call("RPUSH", "cache:list", "1")
    inside.call("ZADD", "cache:set", "1", "m")
    inside.call("GEOADD", "cache:geo", "13.3", "38.1", "m")
    inside.call("XADD", "cache:stream", "1-1", "f", "v")
    inside.call("SET", "bound:a", "x" * 10000)
    return inside


def redis_door(rig, address=None, rules=RULES, **keys):
    inside = redis_server()
    if address is not None:
        keys["backend"] = address
    SERVER["server"].door(rig, rules=rules, **keys)
    return inside


def _connect(rig, **claims):
    claims.setdefault("scope", "door.use cache.write")
    a = Connection(rig.path + "/run/cache.sock")
    assert_equal(a.call("AUTH", rig.token("cache", **claims)), b"OK", "the login")
    return a


def _raw(rig):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(rig.path + "/run/cache.sock")
    return s


def read_all(s):
    got = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return got
            got += piece
    except ConnectionResetError:
        return got


def refused(answer):
    check(isinstance(answer, Error) and answer.startswith("NOPERM"), "a refusal, not %r" % (answer,))
    return answer


def contents(inside):
    return sorted((k, inside.call("DUMP", k)) for k in inside.call("KEYS", "*"))


def no_key_hides_in_another_commands_words(rig):
    inside = redis_door(rig, rules=RULES + "more: allow agent agent-* to redis:@write on \"cache:*\"\n"
                                           "script: allow agent agent-* to redis:EVAL,EVAL_RO,FCALL on \"cache:*\"\n")
    rig.start()
    before = contents(inside)
    a = _connect(rig)
    geo = ["cache:geo", "13.3", "38.1", "5", "km"]
    for words in [
            ["SORT", "cache:list", "BY", "w_*", "GET", "w_*"], ["SORT", "cache:list", "GET", "secr*t"],
            ["SORT", "cache:list", "STORE", "secret"], ["SORT", "cache:list", "store", "cache:x", "STORE", "secret"],
            ["SORT", "cache:list", "LIMIT", "0", "STORE", "secret", "STORE", "secret"],
            ["SORT_RO", "cache:list", "BY", "\0w_*"], ["SORT_RO", "cache:list", "GET", "#\0*"],
            ["GEORADIUS", *geo, "STORE", "secret"], ["GEORADIUS", *geo, "COUNT", "STORE", "STOREDIST", "secret"],
            ["GEORADIUSBYMEMBER", "cache:geo", "m", "5", "km", "STOREDIST", "secret"],
            ["GEOSEARCHSTORE", "secret", "cache:geo", "FROMMEMBER", "m", "BYRADIUS", "5", "km"],
            ["XREAD", "STREAMS", "secret:stream", "0"], ["XREAD", "COUNT", "STREAMS", "STREAMS", "secret:stream", "0"],
            ["XREAD", "BLOCK", "1", "STREAMS", "cache:stream", "secret:stream", "0", "0"],
            ["XREAD", "STREAMS", "cache:stream", "0", "secret:stream"], ["XREADGROUP", "GROUP", "STREAMS", "c", "STREAMS", "secret:stream", ">"],
            ["EVAL", "return redis.call('GET','secret')", "0"], ["EVAL", "return redis.call('GET','secret')", "1", "cache:a"],
            ["EVAL", "return 1", "-1", "cache:a"], ["EVAL", "return 1", "+1", "cache:a"], ["EVAL", "return 1", "01", "cache:a"],
            ["EVAL", "return 1", "99999999999999999999", "cache:a"], ["EVAL_RO", "return redis.call('GET','secret')", "1", "cache:a"],
            ["FCALL", "f", "1", "cache:a"], ["ZUNION", "2", "cache:set", "secret:set"], ["ZUNION", "1", "secret:set", "WEIGHTS", "1"],
            ["ZUNIONSTORE", "cache:d", "2", "cache:set", "secret:set"], ["ZUNIONSTORE", "secret", "1", "cache:set"],
            ["ZUNIONSTORE", "cache:d", " 1", "cache:set"], ["ZDIFF", "3", "cache:set", "secret:set"], ["BITOP", "OR", "cache:d", "cache:a", "secret"],
            ["BITOP", "NOT", "secret", "cache:a"], ["LMPOP", "2", "cache:none", "secret:list", "LEFT"], ["BLMPOP", "1", "1", "secret:list", "LEFT"],
            ["LMPOP", "0", "cache:list", "LEFT"], ["BLPOP", "cache:none", "secret:list", "1"], ["SINTERCARD", "2", "cache:s", "secret"],
            ["OBJECT", "ENCODING", "secret"], ["MEMORY", "USAGE", "secret"], ["XINFO", "STREAM", "secret:stream", "FULL"],
            ["XGROUP", "CREATE", "secret:stream", "g", "0"], ["COPY", "secret", "cache:b"], ["COPY", "cache:a", "cache:b", "DB", "1"],
            ["COPY", "cache:a", "cache:b", "db", "1", "REPLACE"], ["MOVE", "cache:a", "1"], ["RENAME", "cache:a", "secret"],
            ["RENAME", "secret", "cache:b"], ["LMOVE", "secret:list", "cache:b", "LEFT", "LEFT"], ["RPOPLPUSH", "secret:list", "cache:b"],
            ["SMOVE", "secret", "cache:b", "x"], ["PFMERGE", "cache:h", "secret"], ["MSET", "cache:b", "1", "secret", "2"], ["MSETNX", "secret", "2"],
            ["MGET", "cache:a", "secret"], ["LCS", "cache:a", "secret"], ["DEL", "cache:none", "secret"], ["EXISTS", "secret"],
            ["MIGRATE", "127.0.0.1", "1", "", "0", "1", "KEYS", "cache:a"], ["MIGRATE", "127.0.0.1", "1", "cache:a", "0", "1"],
            ["ZRANGESTORE", "secret", "cache:set", "0", "-1"], ["SINTERSTORE", "secret", "cache:s"], ["SDIFF", "cache:s", "secret"],
            ["KEYS", "cache:*"], ["SCAN", "0", "MATCH", "cache:*"], ["RANDOMKEY"], ["DBSIZE"], ["SELECT", "1"], ["SWAPDB", "0", "1"], ["FLUSHDB"],
            ["PSUBSCRIBE", "cache:*"], ["SUBSCRIBE", "cache:a", "secret"], ["SSUBSCRIBE", "secret"], ["DEBUG", "OBJECT", "secret"],
            ["FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('f', function() return redis.call('GET','secret') end)"],
            ["SCRIPT", "LOAD", "return 1"], ["MONITOR"], ["CLIENT", "LIST"], ["CLIENT", "REPLY", "OFF"], ["client", "reply", "skip"], ["RESET"],
            ["CONFIG", "GET", "requirepass"], ["CONFIG\0", "GET", "requirepass"], ["CONFIG|GET", "requirepass"], ["\xe7onfig".encode("latin-1"), "GET", "x"],
            ["ACL", "WHOAMI"], ["SLAVEOF", "NO", "ONE"], ["REPLICAOF", "127.0.0.1", "1"], ["SYNC"], ["PSYNC", "?", "-1"], ["GET"], ["GET", "secret", "cache:a"],
            ["SUBSTR", "secret", "0", "-1"], ["TOUCH", "cache:a", "secret"], ["WATCH", "secret"], ["DUMP", "secret"], ["RESTORE", "secret", "0", "x"],
            ["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"], ["", "GET", "secret"], [" GET", "secret"], ["GET ", "secret"]]:
        refused(a.call(*words))
    assert_equal(a.call("GET", "cache:a"), b"1", "the session goes on, and each answer was its own")
    assert_equal(contents(inside), before, "what the backend has")
    a.close()


def nothing_but_whole_requests_of_one_form_is_taken(rig):
    inside = redis_door(rig)
    rig.start()
    before = contents(inside)
    token = rig.token("cache", scope="door.use cache.write")
    evil = pack("FLUSHALL")
    for said in [b"FLUSHALL\r\n", b"\r\nFLUSHALL\r\n", b"*0\r\n" + evil, b"*-1\r\n" + evil, b"*+1\r\n$8\r\nFLUSHALL\r\n", b"*01\r\n$8\r\nFLUSHALL\r\n",
                 b"*1\r\n$08\r\nFLUSHALL\r\n", b"*1\r\n$+8\r\nFLUSHALL\r\n", b"*1\r\n$ 8\r\nFLUSHALL\r\n", b"* 1\r\n$8\r\nFLUSHALL\r\n", b"*1\n$8\nFLUSHALL\n",
                 b"*1\r\n$8\r\nFLUSHALLxx", b"*1\r\n$-1\r\n" + evil, b"*2\r\n$3\r\nGET\r\n*1\r\n$6\r\nsecret\r\n", b"*1048577\r\n", b"*99999999999\r\n",
                 b"*1\r\n$536870913\r\n", b"*1\r\n$18446744073709551617\r\nx\r\n", b"*2\r\n$3\r\nGET\r\n$7\r\ncache:aXX" + evil, b"$8\r\nFLUSHALL\r\n",
                 b">1\r\n$8\r\nFLUSHALL\r\n", b"%1\r\n$8\r\nFLUSHALL\r\n$1\r\nx\r\n", b"+FLUSHALL\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + evil,
                 b"*1\r\n:1\r\n", b"*\r\n", b"*1\r\n$\r\n", b"*1\x00\r\n$8\r\nFLUSHALL\r\n"]:
        s = _raw(rig)
        s.sendall(pack("AUTH", token))
        assert_equal(s.recv(5), b"+OK\r\n", "the login")
        s.sendall(said + evil)
        s.shutdown(socket.SHUT_WR)
        got = read_all(s)
        s.close()
        check(b"+OK" not in got and b"treasure" not in got, (said, got))
        s = _raw(rig)  # and by a stranger
        try:
            s.sendall(said + evil)
            s.shutdown(socket.SHUT_WR)
        except BrokenPipeError:
            pass
        got = read_all(s)
        s.close()
        check(b"+OK" not in got and b"treasure" not in got, (said, got))
    assert_equal(contents(inside), before, "what the backend has")
    broken = wait_until(lambda: rig.records(event="end", end="protocol"), "sessions that made no sense are on record")
    check(all(r["reason"] == "message_malformed" and r["detail"] for r in broken), broken)
    check("treasure" not in str(broken) and "secret" not in str(broken), broken)


def a_bracket_with_arguments_leads_around_no_bound(rig):
    redis_door(rig)
    rig.start()
    a = _connect(rig)
    check("longer" in refused(a.call("GET", "bound:a")), "the bound")
    for bracket in (["DISCARD", "x"], ["EXEC", "x"], ["MULTI", "x"]):
        a.send(pack("MULTI") + pack(*bracket) + pack("SUBSCRIBE", "cache:a", "cache:b") + pack("EXEC") + pack("GET", "bound:a") * 4 + pack("PING", "end"))
        got = []
        while not got or got[-1] not in (b"end", [b"pong", b"end"]):
            got.append(a.read())
        check(not [x for x in got if isinstance(x, bytes) and len(x) > 100], "no answer beyond its bound")
        a.close()
        a = _connect(rig)
    a.close()


def a_transaction_does_not_outlive_the_rights_it_was_queued_with(rig):
    inside = redis_door(rig)
    rig.start()
    a = _connect(rig)
    assert_equal([a.call("MULTI"), a.call("SET", "cache:a", "2")], [b"OK", b"QUEUED"], "while it may")
    assert_equal(a.call("AUTH", rig.token("cache", scope="door.use")), b"OK", "a token that may less")
    said = a.call("EXEC")
    check(isinstance(said, Error) and said.startswith("EXECABORT"), said)
    assert_equal(inside.call("GET", "cache:a"), b"1", "what the backend has")
    a.close()
    a, b = _connect(rig), _connect(rig)
    for one in (a, b):
        assert_equal([one.call("MULTI"), one.call("SET", "cache:a", "3")], [b"OK", b"QUEUED"], "while it may")
    assert_equal(b.call("EXEC"), [b"OK"], "with the rights it began with")
    rig.policy("cache", RULES.replace("redis:SET,DEL", "redis:DEL"))
    rig.reload()
    said = a.call("EXEC")
    check(isinstance(said, Error) and said.startswith("EXECABORT"), said)
    assert_equal(a.call("DEL", "cache:a"), 1, "the session goes on, outside of a transaction")
    a.close()
    b.close()


def neither_transactions_nor_subscriptions_outlive_their_time(rig):
    limit = "if auth_age <= 1m\n"
    inside = redis_door(rig, rules=RULES.replace('"cache:*" if scope has cache.write\n', '"cache:*" ' + limit)
                        .replace('redis:SUBSCRIBE on "cache:*"\n', 'redis:SUBSCRIBE on "cache:*" ' + limit) + 'always: allow agent agent-* to redis:SUBSCRIBE,SET on "day:*"\n')
    rig.start()
    end = int(time.time()) + 10
    a, b, c, d, e = [_connect(rig, auth_time=end - 60) for _ in range(5)]
    for one in (a, b):
        assert_equal([one.call("MULTI"), one.call("SET", "cache:a", "late")], [b"OK", b"QUEUED"], "within its time")
    assert_equal(b.call("EXEC"), [b"OK"], "and done within it")
    inside.call("SET", "cache:a", "1")
    check(not isinstance(c.call("SUBSCRIBE", "cache:news", "day:news"), Error) and c.read(), "within its time")
    d.call("SUBSCRIBE", "day:news")
    inside.call("PUBLISH", "cache:news", "in time")
    assert_equal(c.read(), [b"message", b"cache:news", b"in time"], "within its time")
    check(time.time() < end, "all that within it")
    wait_until(lambda: time.time() >= end + 1.1, "it is over")
    inside.call("PUBLISH", "cache:news", "late")
    inside.call("PUBLISH", "day:news", "late")
    _ends_unheard(c)
    assert_equal(d.read(), [b"message", b"day:news", b"late"], "what has no end goes on")
    said = a.call("EXEC")
    check(isinstance(said, Error) and said.startswith("EXECABORT"), said)
    assert_equal(inside.call("GET", "cache:a"), b"1", "what the backend has")
    refused(e.call("SET", "cache:a", "late"))
    assert_equal([a.call("MULTI"), a.call("SET", "day:a", "1"), a.call("EXEC")], [b"OK", b"QUEUED", [b"OK"]], "the session goes on")
    for one in (a, b, d, e):
        one.close()


def _ends_unheard(a):
    """It ends, and nothing more is said that somebody published."""
    try:
        got = a.file.read()
    except ConnectionResetError:
        got = b""
    check(b"late" not in got and b"message" not in got, got)
    a.close()


def _hears(inside, a, channel, text):
    inside.call("PUBLISH", channel, text)
    got = a.read()
    assert_equal(list(got)[-2:], [channel.encode(), text.encode()], "a message")


def a_subscription_does_not_outlive_the_rights_that_allowed_it(rig):
    rules = RULES.replace('redis:SUBSCRIBE on "cache:*"\n', 'redis:SUBSCRIBE,SSUBSCRIBE on "cache:*" if scope has cache.write\n') + \
        "wide: allow agent agent-* to redis:PSUBSCRIBE,MONITOR,CLIENT|TRACKING if scope has cache.write\n" + \
        'plain: allow agent agent-* to redis:SUBSCRIBE on "open:*"\n'
    inside = redis_door(rig, rules=rules)
    rig.start()

    def subscribe(*words, protocol="3"):
        a = _connect(rig)
        a.call("HELLO", protocol)
        check(not isinstance(a.call(*words), Error), words)
        return a

    def renew(a, scope):
        a.send(pack("AUTH", rig.token("cache", scope=scope)))
        got = a.read()
        while got != b"OK":  # a message of before
            check(not isinstance(got, Error), got)
            got = a.read()

    makers = [["SUBSCRIBE", "cache:news"], ["PSUBSCRIBE", "cache:*"], ["SSUBSCRIBE", "cache:news"]]
    for words in makers:
        for protocol in ("2", "3"):
            a = subscribe(*words, protocol=protocol)
            publish = "SPUBLISH" if words[0] == "SSUBSCRIBE" else "PUBLISH"
            for i in range(3):  # the same rights once more cut nobody off
                renew(a, "door.use cache.write")
                inside.call(publish, "cache:news", "still")
                assert_equal(list(a.read())[-1], b"still", words)
            renew(a, "door.use")
            inside.call(publish, "cache:news", "late")
            _ends_unheard(a)
    a = subscribe("CLIENT", "TRACKING", "ON", "BCAST")
    renew(a, "door.use")
    inside.call("SET", "cache:late", "1")
    _ends_unheard(a)
    a = subscribe("MONITOR", protocol="2")
    renew(a, "door.use")
    inside.call("SET", "cache:late", "1")
    _ends_unheard(a)
    # What is left, and what needs no such scope, costs nobody the session.
    a = subscribe("SUBSCRIBE", "cache:news", "open:news")
    a.read()
    a.call("UNSUBSCRIBE", "cache:news")
    renew(a, "door.use")
    _hears(inside, a, "open:news", "goes on")
    refused(a.call("SUBSCRIBE", "cache:news"))
    a.close()
    # A reload: of something else, and of the rule.
    a, b = subscribe("SUBSCRIBE", "cache:news"), subscribe("SUBSCRIBE", "open:news")
    rig.policy("cache", rules + "more: allow agent agent-* to redis:INCR on \"cache:*\"\n")
    rig.reload()
    _hears(inside, a, "cache:news", "still")
    rig.policy("cache", rules.replace("hear:   allow", "hear:   deny"))
    rig.reload()
    inside.call("PUBLISH", "cache:news", "late")
    _ends_unheard(a)
    _hears(inside, b, "open:news", "goes on")
    b.close()
    ends = wait_until(lambda: (lambda r: r if len(r) == 9 else None)(rig.records(event="end", end="policy")), "each is on record")
    check(any(r.get("detail") == "what it listens to is allowed no more" for r in ends), ends)


def what_was_claimed_counts_as_rows(rig):
    inside = redis_door(rig, rules=RULES + 'claim: allow agent agent-* to redis:XAUTOCLAIM on "cache:*" with rows 3\n')
    inside.call("XGROUP", "CREATE", "cache:stream", "g", "0")
    for i in range(2, 6):
        inside.call("XADD", "cache:stream", "%d-1" % i, "f", TREASURE)
    inside.call("XREADGROUP", "GROUP", "g", "other", "STREAMS", "cache:stream", ">")
    rig.start()
    a = _connect(rig)
    assert_equal(len(a.call("XAUTOCLAIM", "cache:stream", "g", "me", "0", "0", "COUNT", "3")[1]), 3, "three")
    check("longer" in refused(a.call("XAUTOCLAIM", "cache:stream", "g", "me", "0", "0")), "five")
    check("longer" in refused(a.call("XAUTOCLAIM", "cache:stream", "g", "me", "0", "0", "JUSTID")), "five names")
    a.close()


def what_stands_behind_a_blocking_command_is_judged_when_it_is_over(rig):
    inside = redis_door(rig)
    rig.start()
    a = _connect(rig)
    a.send(pack("BLPOP", "cache:gate", "0") + pack("SET", "cache:a", "2"))
    wait_until(lambda: b"blocked_clients:1" in inside.call("INFO", "clients"), "it blocks")
    rig.policy("cache", RULES.replace("redis:SET,DEL", "redis:DEL"))
    rig.reload()
    inside.call("LPUSH", "cache:gate", "x")
    assert_equal(a.read(), [b"cache:gate", b"x"], "the blocking one")
    refused(a.read())
    assert_equal(inside.call("GET", "cache:a"), b"1", "what the backend has")
    a.close()


def what_is_too_long_to_be_seen_whole_is_never_approved(rig):
    inside = redis_door(rig)
    rig.start()
    a = _connect(rig)
    said = a.call("SET", "held:a", "x" * 2000000)
    refused(said)
    for h in json.loads(rig.control("held", "--json").stdout):
        rig.control("approve", h["ref"])
    refused(a.call("SET", "held:a", "y" * 3000000))
    assert_equal(inside.call("EXISTS", "held:a"), 0, "nothing was written")
    assert_equal(a.call("SET", "cache:b", "y" * 3000000), b"OK", "what is allowed may be long")
    assert_equal(inside.call("STRLEN", "cache:b"), 3000000, "and arrives")
    a.close()


def others_are_answered_while_one_names_all_keys_it_can(rig):
    redis_door(rig)
    rig.start()
    a, b = _connect(rig), _connect(rig, agent="agent-8")
    words = pack("EXISTS", *["cache:%d" % i for i in range(4000)])
    count, got = 300, []

    def flood():
        a.send(words * count)

    def drain():
        for _ in range(count):
            got.append(a.read())

    threads = [threading.Thread(target=t, daemon=True) for t in (flood, drain)]
    for t in threads:
        t.start()
    worst, asked = 0.0, 0
    while threads[1].is_alive():
        began = time.monotonic()
        assert_equal(b.call("PING"), b"PONG", "another's")
        worst, asked = max(worst, time.monotonic() - began), asked + 1
    assert_equal(len(got), count, "answers")
    print("# the longest of %d answers took %d ms" % (asked, worst * 1000))
    # Whole turns of it would be two or three; how many of one agent's fit between those of the other is the processor's to say.
    check(asked >= 20, "%d answers while another had %d of 4000 keys" % (asked, count))
    a.close()
    b.close()


def a_server_that_ends_in_the_middle_of_an_answer_takes_nobody_with_it(rig):
    answers = [b"$100\r\nabc", b"*3\r\n$1\r\na\r\n", b"-ERR", b"*4294967296\r\n", b":12", b"+OK\r\n+OK\r\n", b"$-2\r\n", b"*1\r\n" * 40, b"?", b"\r\n",
               b"$5\r\nabcdeXX", b">1\r\n>1\r\n", b"+x\ny\r\n", b"*-1\r\n*-1\r\n"]
    turn = iter(answers)

    def serve(call):
        try:
            call.sock.recv(4096)
            call.sock.sendall(b"+OK\r\n")
            call.sock.recv(4096)
            call.sock.sendall(next(turn))
        except OSError:
            pass
        call.sock.close()

    backend = Backend(serve)
    redis_door(rig, address=backend.address)
    rig.start()
    for _ in answers:
        a = _connect(rig)
        a.send(pack("GET", "cache:a"))
        got = read_all(a.sock)
        check(PASSWORD.encode() not in got, got)
        a.close()
    ends = wait_until(lambda: (lambda r: r if len(r) == len(answers) else None)(rig.records(event="end")), "each has its end")
    check(all(r["detail"] for r in ends if r["end"] == "protocol"), ends)
    check({"protocol"} <= {r["end"] for r in ends}, ends)
    backend.close()


def answers_stay_with_their_requests_whatever_opens_and_closes(rig):
    """Sequences by chance of all that changes what an answer is; then a refusal between two answers shows whether they are in step."""
    redis_door(rig, rules="never: deny anyone to redis:TTL\nall: allow agent agent-* to redis:*\n")
    rig.start()
    rng = random.Random(int(os.environ.get("POSTERN_TEST_SEED", "7")))
    pool = [["MULTI"]] * 5 + [["DISCARD", "x"]] * 3 + [["SUBSCRIBE", "a", "a", "b"]] * 3 + [["PSUBSCRIBE", "c*", "d*"]] * 2 + [
            ["MULTI", "x"], ["EXEC"], ["EXEC"], ["EXEC", "x"], ["DISCARD"], ["DISCARD", "x"], ["WATCH", "cache:a"], ["UNWATCH"],
            ["HELLO", "3"], ["HELLO", "2"], ["HELLO"], ["HELLO", "4"], ["HELLO", "3", "SETNAME", "a b"], ["HELLO", "3", "SETNAME", "n"], ["hello", "3", "x"],
            ["SUBSCRIBE", "a"], ["SUBSCRIBE", "a", "a", "b"], ["SUBSCRIBE"], ["UNSUBSCRIBE"], ["UNSUBSCRIBE", "a", "zz"], ["PSUBSCRIBE", "a*", "b*"],
            ["PUNSUBSCRIBE"], ["PUNSUBSCRIBE", "a*"], ["SSUBSCRIBE", "s", "t"], ["SUNSUBSCRIBE"], ["SUNSUBSCRIBE", "s"], ["TTL", "a"], ["GET", "cache:a"], ["LRANGE", "l", "0", "-1"], ["PING"], ["PING", "subscribe"], ["RESET"],
            ["CLIENT", "REPLY", "OFF"], ["CLIENT", "TRACKING", "ON", "BCAST"], ["CLIENT", "TRACKING", "OFF"], ["SET", "cache:a", "1"], ["BLPOP", "none", "0.001"],
            ["EVAL", "return {'message','a','b'}", "0"], ["EVAL", "return redis.error_reply('MOVED 1 x:1')", "0"], ["EVAL", "return {}", "0"],
            ["EVAL", "redis.setresp(3); return {map={a={1,2}}}", "0"], ["NOSUCH", "x"], ["GET"], ["XREAD", "BLOCK", "1", "STREAMS", "st", "$"], ["CLIENT"],
            ["AUTH"], ["AUTH", "x"], ["SELECT", "0"], ["SWAPDB", "0", "x"], ["DEBUG", "SLEEP", "0"], ["ECHO", "1"]]
    number = 0
    SERVER["server"].inside.call("RPUSH", "l", "message", "a", "b")
    is_over = threading.Event()

    def publish():
        inside = Connection(SERVER["server"].path)
        inside.call("AUTH", PASSWORD)
        while not is_over.wait(.002):
            inside.send(pack("PUBLISH", "a", "from inside") + pack("SPUBLISH", "s", "from inside"))
            inside.read()
            inside.read()
        inside.close()

    def is_answer(got):
        return not isinstance(got, Push) and not (isinstance(got, list) and got[-1:] == [b"from inside"])

    publisher = threading.Thread(target=publish, daemon=True)
    publisher.start()
    for _ in range(6):
        a = _connect(rig)
        for _ in range(60):
            words = [rng.choice(pool) for _ in range(rng.randint(1, 12))]
            number += 1
            probe = [["EXEC"], ["UNSUBSCRIBE"], ["PUNSUBSCRIBE"], ["SUNSUBSCRIBE"], ["PING", "x%d" % number], ["TTL", "a"], ["PING", "y%d" % number]]
            a.send(b"".join(pack(*w) for w in words + probe))
            seen = []
            try:
                while not seen or seen[-1] not in (b"y%d" % number, [b"pong", b"y%d" % number]):
                    got = a.read()
                    if is_answer(got):
                        seen.append(got)
            except (EOFError, OSError) as e:
                raise AssertionError("%s behind %r: %r" % (e, words, seen))
            check(len(seen) > 2 and isinstance(seen[-2], Error) and seen[-3] in (b"x%d" % number, [b"pong", b"x%d" % number]), (words, seen))
        a.close()
    is_over.set()
    publisher.join(20)


def nothing_happens_without_a_record_when_the_audit_child_dies_in_between(rig):
    inside = redis_door(rig)
    rig.start()
    a = _connect(rig)
    total, got = 2000, []
    sent = threading.Thread(target=lambda: a.send(b"".join(pack("SET", "cache:%d" % i, "1") for i in range(total))), daemon=True)
    sent.start()
    try:
        for i in range(total):
            if i == 300:
                rig.kill_child("audit")
            got.append(a.read())
    except (EOFError, OSError):
        pass
    sent.join(20)
    a.close()
    check(len(got) >= 300, "answers before it died")
    wait_until(lambda: inside.call("CLIENT", "LIST", "TYPE", "NORMAL").count(b"\n") <= 1, "the backend has let go")
    done = {k.decode() for k in inside.call("KEYS", "cache:*") if k[6:].isdigit()}
    wait_until(lambda: done <= {r["resource"] for r in rig.records(event="action", action="redis:SET", outcome="proved")},
               "each that happened is on record")


def who_does_not_read_costs_no_more_than_his_share(rig):
    inside = redis_door(rig)
    rig.start()
    inside.call("SET", "cache:big", "x" * (1 << 18))
    sessions = [_connect(rig) for _ in range(4)]
    for one in sessions:  # 200 MiB of answers in all, and a part of a request each
        one.send(pack("GET", "cache:big") * 200)
        one.send(b"*3\r\n$3\r\nSET\r\n$7\r\ncache:x\r\n$1000000\r\n" + b"y" * 100000)
    other = _connect(rig, agent="agent-8")
    for _ in range(200):
        assert_equal(other.call("GET", "cache:a"), b"1", "another's answer")
    with open("/proc/%d/statm" % rig.child("door")) as f:
        size = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    check(size < (100 << 20), "%d MiB" % (size >> 20))
    for one in sessions:
        one.close()
    wait_until(lambda: len(rig.records(event="end")) >= 4, "all are over")
    other.close()


if __name__ == "__main__":
    try:
        status = run_door_tests(sys.modules[__name__], sys.argv[1:])
    finally:
        if SERVER:
            SERVER["server"].stop()
    sys.exit(status)
