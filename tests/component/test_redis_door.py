#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A Redis door from end to end: a real redis-server that wants a password, which only the door knows; redis-cli and RESP by hand
as agents; what is allowed, denied, held and approved, too often, renewed, taken back, judged by a new policy, and what happens
while the audit child is away.  TAP output; needs root, Python's own modules, redis-server, redis-cli.  Arguments: names of tests
to run alone."""
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import wait_until  # noqa: E402
from door_rig import assert_equal, check, run_door_tests  # noqa: E402
from redis_wire import BackendServer, Connection, Error, pack  # noqa: E402

PASSWORD = "backend-password-of-nobody-else"
RULES = """
in:     allow agent agent-* to redis:connect on cache
chat:   allow agent agent-* to redis:@session
pick:   allow agent agent-* to redis:SELECT
never:  deny anyone to redis:* on "secret:*" because "not for agents; ask platform@example.org"
read:   allow agent agent-* to redis:@read on "cache:*" with log summary
write:  allow agent agent-* to redis:SET,DEL,INCR on "cache:*" if scope has cache.write
often:  allow agent agent-* to redis:INCR on "often:*" with rate 3/1h
change: hold agent agent-* to redis:SET,DEL on "held:*" with wait 5m
brief:  hold agent agent-* to redis:SET on "brief:*" with wait 1s
oncall: hold agent agent-* to redis:SET on "oncall:*" with approver user nobody
"""
SERVER = {}


def redis_door(rig, rules=RULES, **keys):
    """One server for all tests; each has its own keys."""
    if not SERVER:
        SERVER["server"] = BackendServer(PASSWORD)
    SERVER["server"].inside.call("FLUSHALL")
    SERVER["server"].door(rig, rules=rules, **keys)
    return SERVER["server"].inside


class Agent(Connection):
    def __init__(self, rig, token, user=None):
        super().__init__(rig.path + "/run/cache.sock")
        self.granted = self.call("AUTH", *([user] if user else []), token)


class Over(Connection):
    """RESP over a socket that is connected."""

    def __init__(self, sock):
        self.sock, self.file = sock, sock.makefile("rb", 1 << 20)


def _connect(rig, **claims):
    claims.setdefault("scope", "door.use cache.write")
    a = Agent(rig, rig.token("cache", **claims))
    assert_equal(a.granted, b"OK", "the login")
    return a


def refused(answer, reason):
    check(isinstance(answer, Error), "a refusal, not %r" % (answer,))
    check(answer.startswith("NOPERM"), answer)
    check(reason in answer, "%s in %r" % (reason, answer))
    return answer


def actions_are_allowed_denied_and_recorded(rig):
    inside = redis_door(rig)
    rig.start()
    a = _connect(rig)
    assert_equal(a.call("PING"), b"PONG", "PING")
    assert_equal(a.call("SET", "cache:a", "1"), b"OK", "SET")
    assert_equal(a.call("GET", "cache:a"), b"1", "GET")
    assert_equal(a.call("MGET", "cache:a", "cache:b"), [b"1", None], "MGET of two")
    refused(a.call("GET", "other"), "policy")
    refused(a.call("MGET", "cache:a", "other"), "policy")
    said = refused(a.call("GET", "secret:a"), "policy")
    check("platform@example.org" in said, said)
    refused(a.call("FLUSHALL"), "policy")
    refused(a.call("CONFIG", "GET", "requirepass"), "policy")
    assert_equal(inside.call("KEYS", "*"), [b"cache:a"], "what the backend has")
    r = rig.wait_record(event="action", action="redis:SET")
    assert_equal((r["outcome"], r["rule"], r["resource"], r["agent"]), ("proved", "cache:write", "cache:a", "agent-7"), r)
    check(len(r["args_digest"]) == 43, r)
    r = rig.wait_record(event="action", action="redis:GET", resource="secret:a")
    assert_equal((r["outcome"], r["reason"], r["rule"]), ("rejected", "policy", "cache:never"), r)
    check(r["ref"] in said, "the reference that the agent was told")
    check(r["because"].startswith("not for agents"), r)
    r = rig.wait_record(event="action", action="redis:MGET", reason="policy")
    assert_equal((r["resource"], r["more_resources"]), ("other", 1), r)
    # What `log summary` allowed is counted.
    wait_until(lambda: sum(r["count"] for r in rig.records(event="actions", action="redis:GET")) >= 1, "counted reads")
    # In a pipeline, each answer in its turn.
    a.send(pack("GET", "cache:a") + pack("GET", "no") + pack("INCR", "cache:a") + pack("GET", "no") + pack("GET", "cache:a"))
    assert_equal([x if not isinstance(x, Error) else "no" for x in (a.read() for _ in range(5))], [b"1", "no", 2, "no", b"2"], "a pipeline")
    a.close()
    # A scope that is wanting is named.
    b = _connect(rig, scope="door.use")
    said = refused(b.call("SET", "cache:a", "2"), "insufficient_scope")
    check("cache.write" in said, said)
    b.close()
    wait_until(lambda: len(rig.records(event="end")) == 2, "both ends")


def redis_cli_is_an_agent_without_change(rig):
    redis_door(rig)
    rig.start()
    token = rig.token("cache", scope="door.use cache.write")
    program = shutil.which("redis-cli") or os.environ["POSTERN_SERVERS"] + "/usr/bin/redis-cli"

    def cli(*words, stdin=None):
        done = subprocess.run([program, "-h", "127.0.0.1", "-p", str(rig.ports["cache"]), "--no-auth-warning"] + list(words), input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=60,
                              env=dict(os.environ, REDISCLI_AUTH=token))
        return done.stdout

    assert_equal(cli("SET", "cache:cli", "v"), "OK\n", "SET")
    assert_equal(cli("GET", "cache:cli"), "v\n", "GET")
    assert_equal(cli("-3", "GET", "cache:cli"), "v\n", "GET with RESP 3")
    check("NOPERM" in cli("GET", "other"), "a refusal")
    check("OK" in cli("--tls", "--cacert", rig.path + "/run/door.pem", "--sni", "localhost", "SET", "cache:tls", "1"), "TLS")
    assert_equal(cli(stdin="SET cache:x 1\nGET cache:x\n"), "OK\n1\n", "commands from standard input")
    check("NOAUTH" in subprocess.run([program, "-h", "127.0.0.1", "-p", str(rig.ports["cache"]), "GET", "cache:cli"],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=60).stdout,
          "nothing without a token")


def who_talks_before_its_login_is_answered_and_not_recorded(rig):
    redis_door(rig, login_timeout="2m")
    rig.start()
    for how in ("unix", "plain", "tls"):
        a = Over(rig.dial("cache", how))
        for words in (("COMMAND", "DOCS"), ("HELLO", "3"), ("PING",), ("GET", "cache:a")):
            said = a.call(*words)
            check(isinstance(said, Error) and said.startswith("NOAUTH"), (how, words, said))
        assert_equal(rig.records(event="login", outcome="rejected"), [], "what is recorded of it")
        assert_equal(a.call("AUTH", rig.token("cache", scope="door.use cache.write")), b"OK", "the login over " + how)
        assert_equal(a.call("PING"), b"PONG", "each answer in its turn")
        a.close()
        rig.wait_record(event="end")
    # In one piece: the same answers, once.
    a = Over(rig.dial("cache"))
    a.send(pack("PING") * 3 + pack("AUTH", rig.token("cache")) + pack("PING"))
    assert_equal([str(a.read())[:6] if i < 3 else a.read() for i in range(5)], ["NOAUTH"] * 3 + [b"OK", b"PONG"], "a pipeline")
    a.close()
    # One record for whoever goes on without a login, however much was said.
    a = Over(rig.dial("cache"))
    for _ in range(16):
        check(a.call("PING").startswith("NOAUTH"), "an answer")
    a.call("PING")
    rig.wait_record(event="login", reason="no_token")
    assert_equal(len(rig.records(event="login", reason="no_token")), 1, "records of it")
    a.close()


def what_is_held_passes_once_when_it_is_approved(rig):
    inside = redis_door(rig)
    rig.start()
    a = _connect(rig)
    said = refused(a.call("SET", "held:a", "1"), "held")
    held = json.loads(rig.control("held", "--json").stdout)
    assert_equal([(h["agent"], h["action"], h["resource"], h["state"], h["rule"]) for h in held],
                 [("agent-7", "redis:SET", "held:a", "waits", "cache:change")], "held")
    ref = held[0]["ref"]
    check(ref in said, said)
    check(ref in refused(a.call("SET", "held:a", "1"), "held"), "the same request has the same reference")
    check(ref not in refused(a.call("SET", "held:a", "2"), "held"), "another argument has another")
    assert_equal(inside.call("EXISTS", "held:a"), 0, "nothing was written")
    # Others' users may not, whoever is named by no rule.
    nobody = pwd.getpwnam("nobody")

    def as_nobody():
        os.setgroups([])
        os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
        os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)

    r = rig.control("approve", ref, status=1, preexec_fn=as_nobody, cwd="/")
    check("somebody else" in r.stderr, r.stderr)
    rig.wait_record(event="approve", reason="peer_not_allowed", approver="nobody")
    out = rig.control("approve", ref, "--reason", "ticket 42").stdout
    check(ref in out and "approved" in out, out)
    r = rig.wait_record(event="approve", outcome="proved")
    assert_equal((r["approver"], r["action"], r["agent"], r["because"]), ("root", "redis:SET", "agent-7", "ticket 42"), r)
    check("held" in refused(a.call("SET", "held:a", "3"), "held"), "not for other arguments")
    b = _connect(rig, agent="agent-8")
    refused(b.call("SET", "held:a", "1"), "held")  # nor for another agent
    b.close()
    a.close()
    a = _connect(rig)  # by the same agent, also in another session
    assert_equal(a.call("SET", "held:a", "1"), b"OK", "the approved one")
    r = rig.wait_record(event="action", action="redis:SET", outcome="proved")
    assert_equal((r["approver"], r["resource"]), ("root", "held:a"), r)
    refused(a.call("SET", "held:a", "1"), "held")  # once
    assert_equal(inside.call("GET", "held:a"), b"1", "what was written")
    # Denied: it is told, with the reason.
    refused(a.call("DEL", "held:a"), "held")
    ref = [h["ref"] for h in json.loads(rig.control("held", "--json").stdout) if h["action"] == "redis:DEL"][0]
    rig.control("deny", ref, "--reason", "keep it")
    check("keep it" in refused(a.call("DEL", "held:a"), "policy"), "the reason")
    rig.control("approve", ref, status=1)
    rig.control("approve", "R-NOSUCHTHIN", status=1)
    # A rule's own approver, and nobody else: not even root.
    refused(a.call("SET", "oncall:a", "1"), "held")
    ref = [h["ref"] for h in json.loads(rig.control("held", "--json").stdout) if h["rule"] == "cache:oncall"][0]
    rig.control("approve", ref, status=1)
    rig.control("approve", ref, preexec_fn=as_nobody, cwd="/")
    assert_equal(a.call("SET", "oncall:a", "1"), b"OK", "approved by its approver")
    # Nobody approves his own request: not as its client either.
    c = _connect(rig, agent="agent-9", client_id="nobody", act={"sub": "agent-9"})
    refused(c.call("SET", "oncall:c", "1"), "held")
    ref = [h["ref"] for h in json.loads(rig.control("held", "--json").stdout) if h["resource"] == "oncall:c"][0]
    r = rig.control("approve", ref, status=1, preexec_fn=as_nobody, cwd="/")
    check("his own" in r.stderr, r.stderr)
    # One agent cannot fill the list, and what waits too long is gone.
    for i in range(40):
        a.call("SET", "brief:%d" % i, "1")
    own = [h for h in json.loads(rig.control("held", "--json").stdout) if h["agent"] == "agent-7"]
    check(len(own) <= 16, len(own))
    wait_until(lambda: not [h for h in json.loads(rig.control("held", "--json").stdout) if h["rule"] == "cache:brief"],
               "the brief ones are over")
    a.close()
    c.close()


def digest(rig, database, *words):
    return rig.postern("audit", "digest", "--key", rig.path + "/audit-keys/args.key", "--database", database, *words).stdout.strip()


def _check_databases_in_records(rig):
    """What the test below has done; the first database is left out."""
    def found(**members):
        return [r.get("database") for r in rig.records(**members)]

    assert_equal(found(event="action", action="redis:DEL", outcome="proved"), [None, 3], "what was done")
    assert_equal(found(event="held"), [None, 3, 3, None], "what was held")
    assert_equal(found(event="approve"), [None, 3], "what was approved")
    assert_equal(found(action="redis:unknown", reason="policy"), [3], "what was refused")
    assert_equal(set(found(event="login")), {None}, "a login is in none")
    shown = rig.postern("audit", "show", "--action", "redis:DEL", "--file", rig.audit_path).stdout
    assert_equal((shown.count(", redis:DEL held:a in database 3, arguments "), shown.count(", redis:DEL held:a, arguments ")),
                 (4, 4), shown)


def what_is_approved_in_one_database_is_not_in_another(rig):
    inside = redis_door(rig)
    rig.start()

    def held(database):
        return [h for h in json.loads(rig.control("held", "--json").stdout) if h.get("database") == database]

    def kept(database):
        inside.call("SELECT", str(database))
        return inside.call("EXISTS", "held:a")

    for database in (3, 0):
        inside.call("SELECT", str(database))
        inside.call("SET", "held:a", "1")
    a = _connect(rig)
    in_first = refused(a.call("DEL", "held:a"), "held")
    ref = held(None)[0]["ref"]
    rig.control("approve", ref)
    # The first is approved; the third is not the first, however fast one is there.
    a.send(pack("SELECT", "3") + pack("DEL", "held:a"))
    assert_equal(a.read(), b"OK", "SELECT")
    check(ref not in refused(a.read(), "held"), "another database has another request")
    assert_equal(held("3")[0]["state"], "waits", held("3"))
    check("held:a (database 3)" in rig.control("held").stdout, "what approvers see")
    check(isinstance(a.call("SELECT", "9999"), Error), "there is no such database")
    refused(a.call("DEL", "held:a"), "held")  # still in the third
    refused(a.call("SELECT", "00"), "policy")
    # Nor inside a transaction.
    assert_equal(a.call("SELECT", "0"), b"OK", "back")
    assert_equal(a.call("MULTI"), b"OK", "MULTI")
    check("not allowed" in a.call("SELECT", "3"), "SELECT in a transaction")
    check("EXECABORT" in a.call("EXEC"), "EXEC")
    assert_equal((kept(0), kept(3)), (1, 1), "what the backend has")
    # A session begins in the first, whatever the one before it selected.
    assert_equal(a.call("SELECT", "3"), b"OK", "SELECT")
    a.close()
    a = _connect(rig)
    assert_equal(a.call("DEL", "held:a"), 1, "the approved one")
    assert_equal((kept(0), kept(3)), (0, 1), "what the backend has")
    rig.control("approve", held("3")[0]["ref"])
    refused(a.call("DEL", "held:a"), "held")
    assert_equal(a.call("SELECT", "3"), b"OK", "SELECT")
    assert_equal(a.call("DEL", "held:a"), 1, "the one that was approved there")
    # The digests of both can be made again.
    wait_until(lambda: len(rig.records(event="action", action="redis:DEL", outcome="proved")) == 2, "both records")
    assert_equal([r["args_digest"] for r in rig.records(event="action", action="redis:DEL", outcome="proved")],
                 [digest(rig, database, "redis:DEL", "held:a") for database in ("0", "3")], "digests")
    _check_databases_in_records(rig)
    # A script's own SELECT ends with it, so the door need not know of it.
    inside.call("SELECT", "0")
    inside.call("EVAL", "return redis.call('SELECT', '3')", "0")
    check(b" db=0 " in inside.call("CLIENT", "INFO"), "the database behind a script")
    a.close()


def too_often_is_refused_for_a_while(rig):
    inside = redis_door(rig)
    rig.start()
    a, b = _connect(rig), _connect(rig)
    assert_equal([a.call("INCR", "often:a"), b.call("INCR", "often:a"), a.call("INCR", "often:a")], [1, 2, 3], "as often as allowed")
    for one in (a, b):
        refused(one.call("INCR", "often:a"), "rate")
    other = _connect(rig, agent="agent-8")
    assert_equal(other.call("INCR", "often:a"), 4, "another agent")
    assert_equal(inside.call("GET", "often:a"), b"4", "what the backend has")
    r = rig.wait_record(event="action", reason="rate")
    assert_equal((r["outcome"], r["rule"]), ("rejected", "cache:often"), r)
    for one in (a, b, other):
        one.close()


def a_door_that_is_killed_gives_nobody_a_new_budget(rig):
    redis_door(rig)
    rig.start()

    def connect(**claims):
        """A door that had not heard of blocks when its patience was over says "later" first."""
        def attempt():
            a = Agent(rig, rig.token("cache", scope="door.use cache.write", **claims))
            return a if a.granted == b"OK" else None
        return wait_until(attempt, "a login")
    for _ in range(3):
        a = connect()
        check(isinstance(a.call("INCR", "often:a"), int), "as often as allowed")
        rig.kill_child("door")()
        a.close()
    a, other = connect(), connect(agent="agent-8")
    refused(a.call("INCR", "often:a"), "rate")
    check(isinstance(other.call("INCR", "often:a"), int), "another agent")
    rig.reload()
    refused(a.call("INCR", "often:a"), "rate")
    a.close()
    other.close()


def a_session_is_renewed_inside_and_for_its_own_identity_alone(rig):
    redis_door(rig)
    rig.start()
    a = _connect(rig, life=60)
    before = rig.sessions()[0]["lease_end"]
    assert_equal(a.call("AUTH", rig.token("cache", life=600, scope="door.use")), b"OK", "a renewal")
    after = rig.sessions()[0]["lease_end"]
    check(after > before + 60, (before, after))
    refused(a.call("SET", "cache:a", "1"), "insufficient_scope")  # by the rights of the new token
    assert_equal(a.call("GET", "cache:a"), None, "GET")
    check(isinstance(a.call("AUTH", rig.token("cache", agent="agent-8")), Error), "another's token")
    check(isinstance(a.call("AUTH", "no.token.at-all"), Error), "no token")
    assert_equal(a.call("GET", "cache:a"), None, "the session goes on")
    assert_equal(rig.sessions()[0]["lease_end"], after, "the lease")
    rig.wait_record(event="renew", outcome="proved")
    rig.wait_record(event="renew", reason="renewal")
    a.close()


def what_is_taken_back_ends_and_a_new_policy_counts_at_once(rig):
    inside = redis_door(rig)
    rig.start()
    a, b = _connect(rig), _connect(rig, agent="agent-8")
    assert_equal(a.call("SET", "cache:a", "1"), b"OK", "before")
    rig.policy("cache", RULES.replace("redis:SET,DEL,INCR on \"cache:*\"", "redis:DEL,INCR on \"cache:*\""))
    rig.reload()
    refused(a.call("SET", "cache:a", "2"), "policy")
    assert_equal(a.call("DEL", "cache:a"), 1, "what is allowed still")
    rig.control("block", "agent-7", "--reason", "misled")
    got = b""
    try:
        while True:
            piece = a.sock.recv(4096)
            if not piece:
                break
            got += piece
    except ConnectionResetError:
        pass
    rig.wait_record(event="end", end="revoked", agent="agent-7")
    assert_equal(b.call("GET", "cache:a"), None, "another agent lives on")
    rig.control("kill", "--agent", "agent-8")
    rig.wait_record(event="end", end="killed", agent="agent-8")
    assert_equal(inside.call("DBSIZE"), 0, "keys")
    b.close()


def nothing_is_done_while_the_audit_child_is_away(rig):
    inside = redis_door(rig)
    rig.start()
    a = _connect(rig)
    assert_equal(a.call("SET", "cache:a", "1"), b"OK", "before")
    os.kill(rig.child("audit"), signal.SIGSTOP)
    try:
        said = a.call("SET", "cache:a", "2")
        check(isinstance(said, Error) and "audit" in said, said)
        assert_equal(inside.call("GET", "cache:a"), b"1", "nothing was written")
    finally:
        os.kill(rig.child("audit"), signal.SIGCONT)
    wait_until(lambda: a.call("SET", "cache:a", "3") == b"OK", "it writes again")
    a.close()


def in_shadow_mode_nothing_is_obeyed_and_everything_is_said(rig):
    inside = redis_door(rig, policy_mode="shadow")
    rig.start()
    a = _connect(rig)
    assert_equal(a.call("SET", "other", "1"), b"OK", "what is denied")
    assert_equal(a.call("SET", "held:a", "1"), b"OK", "what is held")
    assert_equal(inside.call("GET", "other"), b"1", "what the backend has")
    r = rig.wait_record(event="action", action="redis:SET", resource="other")
    assert_equal((r["outcome"], r["would"]), ("proved", "deny"), r)
    r = rig.wait_record(event="action", action="redis:SET", resource="held:a")
    assert_equal((r["outcome"], r["would"], r["rule"]), ("proved", "hold", "cache:change"), r)
    a.close()


def a_door_whose_password_is_wrong_grants_nothing(rig):
    redis_door(rig)
    with open(rig.path + "/backend.password", "w") as f:
        f.write("wrong-password\n")
    rig.start()
    said = Agent(rig, rig.token("cache")).granted
    check(isinstance(said, Error), said)
    r = rig.wait_record(event="login", reason="backend")
    check("wrong-password" not in json.dumps(r) and PASSWORD not in json.dumps(r), r)


if __name__ == "__main__":
    try:
        status = run_door_tests(sys.modules[__name__], sys.argv[1:])
    finally:
        if SERVER:
            SERVER["server"].stop()
    sys.exit(status)
