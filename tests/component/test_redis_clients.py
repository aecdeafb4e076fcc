#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ordinary use of Redis through a door by clients that know nothing of Postern, a token in the password's place: redis-cli, Python's
redis, hiredis, npm ioredis and redis.  TAP output; needs root, redis-server, redis-cli, python3-redis, libhiredis-dev when Postern
was configured, POSTERN_PEERS.  Arguments: names of tests to run alone."""
import json
import os
import shutil
import subprocess
import sys

if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3") and "POSTERN_PYTHON" not in os.environ:
    # Debian's module is for Debian's Python.
    os.execve("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv, dict(os.environ, POSTERN_PYTHON="1"))

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import redis  # noqa: E402
from door_rig import BUILD, assert_equal, check, run_door_tests, wait_until  # noqa: E402
from redis_wire import BackendServer  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.environ.get("POSTERN_PEERS", "")
PASSWORD = "backend-password-of-nobody-else"
WAIT_S = 60
SCOPE = "door.use cache.write"
RULES = """
in:     allow agent agent-* to redis:connect,@session on cache
hello:  allow agent agent-* to redis:@session
ready:  allow agent agent-* to redis:INFO
never:  deny anyone to redis:@admin,@scripting because "not for agents"
all:    allow agent agent-* to redis:@read,@write,@blocking,@transaction on "cache:*"
news:   allow agent agent-* to redis:@pubsub on "cache:*"
scan:   allow agent agent-s to redis:SCAN,PSUBSCRIBE
"""
SERVER = {}


def _door(rig, **keys):
    """A server whose default user has a password and is not the door's: that one is in its ACL."""
    if not SERVER:
        SERVER["server"] = BackendServer("another" + PASSWORD)
        assert_equal(SERVER["server"].inside.call("ACL", "SETUSER", "postern", "on", ">" + PASSWORD, "~*", "&*", "+@all"), b"OK", "the door's user")
    SERVER["server"].inside.call("FLUSHALL")
    SERVER["server"].door(rig, PASSWORD, rules=RULES, backend_user="postern", **keys)
    rig.start()


def _client(rig, token=None, **more):
    more.setdefault("decode_responses", True)
    return redis.Redis(host="127.0.0.1", port=rig.ports["cache"], password=token or rig.token("cache", scope=SCOPE),
                       socket_timeout=WAIT_S, **more)


def _refused(call, *words):
    try:
        said = call(*words)
    except redis.exceptions.ResponseError as e:
        check("policy" in str(e), e)
        return
    check(False, "not refused: %r" % (said,))


def redis_cli_in_each_of_its_ways(rig):
    _door(rig)
    token = rig.token("cache", scope=SCOPE)
    program = shutil.which("redis-cli") or os.environ["POSTERN_SERVERS"] + "/usr/bin/redis-cli"

    def cli(*words, stdin=""):
        done = subprocess.run([program, "-h", "127.0.0.1", "-p", str(rig.ports["cache"])] + list(words), input=stdin.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT_S)
        return done.stdout.decode()

    check(cli("-a", token, "--no-auth-warning", "SET", "cache:cli", "v") == "OK\n", "-a")
    assert_equal(cli("--user", "default", "--pass", token, "--no-auth-warning", "GET", "cache:cli"), "v\n", "--user")
    assert_equal(cli("-3", "-a", token, "--no-auth-warning", "HGETALL", "cache:none"), "\n", "-3")
    # AUTH within: what came before is answered as a server with a password answers it.
    said = cli(stdin="GET cache:cli\nAUTH %s\nGET cache:cli\nGET other\n" % token).split("\n")
    check(said[0].startswith("NOAUTH"), said)
    check("OK" in said and "v" in said, said)
    check(any(s.startswith("NOPERM") for s in said), said)
    # What it asks for its hints when it is started at a terminal.
    check("NOAUTH" in cli("COMMAND", "DOCS"), "COMMAND DOCS without a token")
    check("NOPERM" not in cli("-a", token, "--no-auth-warning", "COMMAND", "COUNT"), "COMMAND COUNT")
    mass = "".join("*3\r\n$3\r\nSET\r\n$%d\r\ncache:m%d\r\n$1\r\n1\r\n" % (len("cache:m%d" % i), i) for i in range(1000))
    said = cli("-a", token, "--no-auth-warning", "--pipe", stdin=mass)
    check("errors: 0, replies: 1000" in said, said)
    assert_equal(SERVER["server"].inside.call("EXISTS", "cache:m999"), 1, "the last of them")


def python_redis_with_every_kind_of_value(rig):
    _door(rig)
    r = _client(rig, client_name="an-agent")
    check(r.ping(), "PING")
    check(r.set("cache:s", "v") and r.get("cache:s") == "v", "a string")
    assert_equal(r.incrbyfloat("cache:f", 1.5), 1.5, "a number")
    r.hset("cache:h", mapping={"a": "1", "b": "2"})
    assert_equal(r.hgetall("cache:h"), {"a": "1", "b": "2"}, "a hash")
    r.rpush("cache:l", "1", "2", "3")
    assert_equal((r.lrange("cache:l", 0, -1), r.blpop("cache:l", 5)), (["1", "2", "3"], ("cache:l", "1")), "a list")
    assert_equal(r.blpop("cache:none", 1), None, "a list that nobody fills")
    r.sadd("cache:set", "x", "y")
    assert_equal(r.smembers("cache:set"), {"x", "y"}, "a set")
    r.zadd("cache:z", {"one": 1, "two": 2})
    assert_equal(r.zrange("cache:z", 0, -1, withscores=True), [("one", 1.0), ("two", 2.0)], "a sorted set")
    first = r.xadd("cache:x", {"k": "v"})
    r.xgroup_create("cache:x", "g", "0")
    assert_equal(r.xreadgroup("g", "c", {"cache:x": ">"}, count=1, block=1000), [["cache:x", [(first, {"k": "v"})]]], "a stream")
    assert_equal(r.xack("cache:x", "g", first), 1, "XACK")
    with r.pipeline(transaction=True) as p:
        p.watch("cache:s")
        p.multi()
        p.set("cache:s", "w").get("cache:s")
        assert_equal(p.execute(), [True, "w"], "a transaction")
    for many in (r.pipeline(transaction=False),):
        for _ in range(1000):
            many.incr("cache:n")
        assert_equal(many.execute()[-1], 1000, "a pipeline of 1,000")
    for call, words in ((r.get, ("other",)), (r.mget, ("cache:s", "other")), (r.eval, ("return 1", 0)), (r.scan, ()), (r.keys, ("*",)),
                        (r.flushall, ()), (r.config_get, ("*",)), (r.publish, ("other", "x"))):
        _refused(call, *words)
    with r.pipeline(transaction=True) as p:  # refused when it is queued: nothing of it is done
        p.set("cache:s", "never").get("other")
        _refused(p.execute)
    assert_equal(r.get("cache:s"), "w", "what it was")
    assert_equal(SERVER["server"].inside.call("GET", "cache:s"), b"w", "what the server has")
    check(isinstance(_client(rig, rig.token("cache", agent="agent-s")).scan(count=1000)[1], list), "SCAN where it is allowed")
    raw = _client(rig, decode_responses=False)
    for value in (bytes(range(256)), b"", b"*1\r\n$4\r\nPING\r\n", os.urandom(5 << 20)):
        raw.set("cache:b", value)
        check(raw.get("cache:b") == value, "a value of %d bytes" % len(value))
    r.close()
    raw.close()


def python_redis_hears_channels(rig):
    _door(rig)
    r = _client(rig)
    denied = r.pubsub()  # nobody knows what a pattern touches
    denied.psubscribe("cache:*")
    _refused(denied.get_message, False, WAIT_S)
    heard = _client(rig, rig.token("cache", agent="agent-s")).pubsub()
    heard.subscribe("cache:news")
    heard.psubscribe("cache:*")
    assert_equal([heard.get_message(timeout=WAIT_S)["type"] for _ in range(2)], ["subscribe", "psubscribe"], "what it hears first")
    assert_equal(r.publish("cache:news", "hello"), 2, "who heard it")
    assert_equal(sorted((m["type"], m["data"]) for m in (heard.get_message(timeout=WAIT_S) for _ in range(2))),
                 [("message", "hello"), ("pmessage", "hello")], "what it hears")
    heard.close()
    r.close()


def a_new_token_goes_on_where_the_old_one_ended(rig):
    _door(rig)
    def begins():
        r = _client(rig, rig.token("cache", scope=SCOPE, life=3))
        try:
            return r if r.set("cache:a", "1") else None
        except redis.exceptions.RedisError:  # on a busy machine it may be over before it is shown
            r.close()
            return None
    r = wait_until(begins, "a session with the first")
    rig.wait_record(event="end", end="expired")
    try:
        r.get("cache:a")  # its library connects again by itself, with what it has
        check(False, "an expired token was taken")
    except (redis.exceptions.AuthenticationError, redis.exceptions.ResponseError, redis.exceptions.ConnectionError) as e:
        check(PASSWORD not in str(e), e)
    rig.wait_record(event="login", reason="expired")
    r.close()
    r = _client(rig)
    assert_equal(r.get("cache:a"), "1", "with the second")
    assert_equal(r.execute_command("AUTH", rig.token("cache", scope=SCOPE, life=900)), True, "and a third within")
    rig.wait_record(event="renew", outcome="proved")
    # Newer libraries say this behind their login.
    for words in (("CLIENT", "SETINFO", "LIB-NAME", "x"), ("CLIENT", "SETNAME", "x"), ("CLIENT", "ID")):
        try:
            r.execute_command(*words)
        except redis.exceptions.ResponseError as e:
            check("NOPERM" not in str(e), (words, e))  # the server may be too old for it
    assert_equal(r.get("cache:a"), "1", "the session lives")
    r.close()


def hiredis_as_a_program_uses_it(rig):
    _door(rig)
    done = subprocess.run([BUILD + "/tests/support/hiredis_client", "127.0.0.1", str(rig.ports["cache"])],
                          input=rig.token("cache", scope=SCOPE) + "\n", stdout=subprocess.PIPE, universal_newlines=True, timeout=WAIT_S)
    assert_equal((done.returncode, done.stdout), (0, ""), "what it says")
    assert_equal(SERVER["server"].inside.call("GET", "cache:hi:n"), b"1000", "what it counted")


def _peer(rig, name):
    _door(rig)
    for f in ("line.mjs", name + ".mjs"):
        shutil.copyfile("%s/../peers/%s" % (HERE, f), rig.path + "/" + f)
    orders = {"port": rig.ports["cache"], "good": rig.token("cache", scope=SCOPE), "bad": rig.token("cache", aud="https://other.example")}
    done = subprocess.run([PEERS + "/node", "%s/%s.mjs" % (rig.path, name)], input=json.dumps(orders) + "\n", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, timeout=WAIT_S)
    check(done.returncode == 0 and done.stdout.count("ok - ") >= 3 and "not ok" not in done.stdout, done.stdout)
    rig.wait_record(event="login", outcome="rejected")


def npm_ioredis(rig):
    _peer(rig, "ioredis")


def npm_redis_with_both_protocols(rig):
    _peer(rig, "node_redis")


if __name__ == "__main__":
    if not os.path.exists(PEERS + "/node"):
        print("ok - clients of Redis # SKIP POSTERN_PEERS is not set: tests/peers/fetch FOLDER")
        sys.exit(1 if os.environ.get("CI") else 0)
    try:
        status = run_door_tests(sys.modules[__name__], sys.argv[1:])
    finally:
        if SERVER:
            SERVER["server"].stop()
    sys.exit(status)
