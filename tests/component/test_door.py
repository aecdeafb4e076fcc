#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A door of the real posternd, from the first byte of a login to the last record: who gets in, who does not, how long a session lives,
who takes it back, and what a reload, a stop or a killed child does to it."""
import datetime
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import door_rig  # noqa: E402
from door_rig import (BUSY_S, DEADLINE_S, IS_SANITIZED, REF, Backend, Nobody, assert_equal, auth_line, check, connect_head,  # noqa: E402
                      message, pour, receive, run_door_tests, stall, wait_until, with_options)

TAKEN_BACK_S = 3 + BUSY_S  # a revocation ends a session in so much time
SHORT_S = 8 if IS_SANITIZED else 2  # a life that is short, and long enough for the login


# ---- getting in ----

def a_token_opens_the_door_in_every_form_of_login(rig):
    backend = rig.echo_door(server_names="localhost cache.example.org")
    rig.start()
    for how in ("plain", "tls", "unix"):
        answer = rig.login(how=how)
        answer.talk(b"hello by " + how.encode())
        assert_equal(answer["service"], "cache", "service")
        check(240 <= answer["lease"] <= 300 and re.fullmatch(REF, answer["ref"]) and len(answer["session"]) >= 22, answer)
        answer.close()
        for header in ("Authorization", "Proxy-Authorization"):
            answer = rig.send("cache", connect_head(rig.token("cache"), "cache.example.org:6380", header), how=how)
            assert_equal(answer.status, 200, "status by %s" % how)
            answer.talk(b"tunnelled")
            answer.close()
    backend.wait_live(0)
    logins = rig.records(event="login", outcome="proved")
    assert_equal(len(logins), 9, "logins in the audit log")
    assert_equal({(r["agent"], r["action"], r["resource"], r["rule"]) for r in logins}, {("agent-7", "raw:connect", "cache", "cache:in")},
                 "what they say")
    assert_equal([r["tls"] for r in logins], ["local"] * 3 + ["on"] * 3 + ["local"] * 3, "TLS")
    wait_until(lambda: len(rig.records(event="end")) == 9, "nine ends")
    assert_equal({r["session"] for r in rig.records(event="end")}, {r["session"] for r in logins}, "sessions that ended")


def bytes_behind_the_login_are_held_and_come_first(rig):
    backend = rig.echo_door()
    rig.start()
    answer = rig.login(early=b"first ")
    answer.sock.sendall(b"second")
    got = b""
    while len(got) < 12:
        got += answer.sock.recv(12)
    assert_equal(got, b"first second", "order")
    big = os.urandom(20000)
    answer = rig.login(early=big, how="tls")
    got = b""
    while len(got) < len(big):
        got += answer.sock.recv(65536)
    assert_equal(got, big, "pipelined bytes")
    assert_equal(backend.received(), 20012, "bytes at the backend")


def a_login_cut_into_single_bytes_is_the_same_login(rig):
    rig.echo_door()
    rig.start()
    s = rig.dial("cache")
    for byte in auth_line(rig.token("cache")):
        s.sendall(bytes([byte]))
    answer = door_rig.Answer(s, door_rig.read_answer(s))
    check(answer.is_granted, answer)
    answer.talk()


def half_a_close_reaches_the_other_side_and_the_answer_comes_back(rig):
    def answer_at_end(call):
        got = b""
        while True:
            piece = receive(call)
            if not piece:
                break
            got += piece
        call.sock.sendall(got[::-1])
    rig.door("cache", Backend(answer_at_end))
    rig.start()
    for how in ("plain", "unix"):
        answer = rig.login(how=how)
        answer.sock.sendall(b"drawer")
        answer.sock.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            piece = answer.sock.recv(64)
            if not piece:
                break
            got += piece
        assert_equal(got, b"reward", "answer after half a close by " + how)
    assert_equal(rig.wait_record(event="end")["end"], "finished", "how it ended")


def backends_by_name_and_by_unix_socket_are_reached_and_missing_ones_are_told(rig):
    path = rig.path + "/backend.sock"
    rig.door("cache", Backend(path=path))
    named = Backend()
    rig.backends.append(named)
    rig.door("named", named.address.replace("127.0.0.1", "localhost"), backend_tls="disable")
    gone = Nobody()
    rig.door("gone", gone.address)
    rig.door("nowhere", "unix:" + rig.path + "/nothing.sock")
    rig.start()
    rig.login("cache").talk()
    rig.login("named").talk()
    for door in ("gone", "nowhere"):
        answer = rig.refused(door, auth_line(rig.token(door)))
        assert_equal([answer[k] for k in ("error", "reason", "retry")], ["temporarily_unavailable", "backend", "later"], answer)
        check(answer["retry_after"] > 0, answer)
        answer = rig.refused(door, connect_head(rig.token(door)))
        assert_equal(answer.status, 503, "status")
        check("retry-after" in answer.headers, answer)


# ---- not getting in ----

def nothing_reaches_the_backend_before_the_grant_and_each_refusal_says_why(rig):
    backend = rig.echo_door(required_scopes="door.use", server_names="localhost",
                            rules='no-visitors: deny agent agent-visitor to raw:connect on cache because "visitors use the front door"\n'
                                  'step-up: allow agent stepper to raw:connect on cache if scope has cache.admin\n'
                                  'in: allow agent agent-* to raw:connect on cache')
    other = rig.echo_door("other")
    rig.start()
    rig.control("block", "agent-blocked", "--reason", "runaway loop")
    evil = rig.make_key("evil")
    good = rig.token("cache")
    # A stranger's signature with the issuer's key id.
    forged = good.rsplit(".", 1)[0] + "." + rig.token("cache").rsplit(".", 1)[1]
    t = rig.token
    metadata = "https://localhost/.well-known/oauth-protected-resource/cache"
    # reason, error, retry, setting and where it stands, the login
    cases = [
        ("aud", "invalid_token", "new_token", "audience", "doors/cache.conf:3", auth_line(t("other"))),
        ("expired", "invalid_token", "new_token", "clock_skew", "issuers/test.conf:3", auth_line(t("cache", life=-1))),
        ("not_yet_valid", "invalid_token", "later", "clock_skew", "issuers/test.conf:3", auth_line(t("cache", nbf=int(time.time()) + 900))),
        ("bad_signature", "invalid_token", "new_token", None, None, auth_line(forged)),
        ("unknown_kid", "invalid_token", "new_token", "jwks_file", "issuers/test.conf:2", auth_line(t("cache", key=evil))),
        ("iss", "invalid_token", "new_token", "issuers", "doors/cache.conf:4", auth_line(t("cache", iss="https://evil.example"))),
        ("typ", "invalid_token", "new_token", "token_types", "default", auth_line(t("cache", typ="JWT"))),
        ("claim_missing", "invalid_token", "never", "required_claims", "default", auth_line(t("cache", jti=None))),
        ("cnf", "invalid_token", "new_token", None, None, auth_line(t("cache", cnf={"jkt": "x"}))),
        ("insufficient_scope", "insufficient_scope", "more_scope", "required_scopes", "doors/cache.conf:7",
         auth_line(t("cache", scope="other.use"))),
        ("insufficient_scope", "insufficient_scope", "more_scope", "policy", "doors/cache.conf:6", auth_line(t("cache", "stepper"))),
        ("policy", "access_denied", "never", "policy", "doors/cache.conf:6", auth_line(t("cache", "mallory"))),
        ("policy", "access_denied", "never", "policy", "doors/cache.conf:6", auth_line(t("cache", "agent-visitor"))),
        ("blocked", "access_denied", "never", "blocks_file", "postern.conf:3", auth_line(t("cache", "agent-blocked"))),
        ("user_denied", "access_denied", "never", "deny_users", "default", auth_line(t("cache", sub="root"))),
        ("authzid", "access_denied", "never", None, None, ("AUTH OAUTHBEARER %s\r\n" % message(good, "n,a=root,")).encode()),
        ("no_token", "invalid_request", "new_token", None, None, b"AUTH OAUTHBEARER biwsAWF1dGg9AQE=\r\n"),
        ("message_malformed", "invalid_request", "never", None, None, auth_line("")),
        ("malformed", "invalid_token", "new_token", None, None, auth_line("garbage")),
        ("message_server", "invalid_request", "never", "server_names", "doors/cache.conf:8",
         auth_line(good, host="evil.example", port="1")),
        ("message_server", "invalid_request", "never", "server_names", "doors/cache.conf:8", connect_head(good, "backend.internal:22")),
        ("no_token", "invalid_request", "new_token", None, None, connect_head(None)),
        ("message_malformed", "invalid_request", "never", None, None, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("message_malformed", "invalid_request", "never", None, None, b"AUTH PLAIN AGEAYg==\r\n"),
        ("message_malformed", "invalid_request", "never", None, None, b"PING\r\n"),
        ("message_malformed", "invalid_request", "never", None, None, b"\0\0\0\x08\x04\xd2\x16\x2f"),  # PostgreSQL's SSLRequest
        ("renewal", "access_denied", "never", None, None, ("RENEW %s %s\r\n" % ("A" * 32, good)).encode()),
    ]
    for n, (reason, error, retry, setting, origin, data) in enumerate(cases):
        # Each from its own source: refusals of one are summed up after a few.
        answer = rig.refused("cache", data + b"SET stolen 1\r\n", source="127.0.1.%d" % (n + 1), how="tls" if n % 3 == 2 else "plain")
        assert_equal([answer[k] for k in ("reason", "error", "retry")], [reason, error, retry], "case %d: %s" % (n, answer))
        check(answer["error_description"] and re.fullmatch(REF, answer["ref"]), answer)
        assert_equal(answer["resource_metadata"], metadata, "resource_metadata of %s" % answer)
        assert_equal(answer["contact"], "ask platform@example.org", "contact of %s" % answer)
        record = rig.wait_record(ref=answer["ref"])
        assert_equal((record["event"], record["reason"]), ("renew" if reason == "renewal" else "login", reason), "record of case %d" % n)
        check(record["outcome"] == "rejected" and record["peer"].startswith("127.0.1.%d:" % (n + 1)) and record["resource"] == "cache",
              record)
        if setting:
            assert_equal((record.get("setting"), record.get("origin")), (setting, origin), "setting of case %d, %s" % (n, reason))
        why = rig.why(answer["ref"])
        check(answer["ref"] + ": refused" in why or answer["ref"] + ": rejected" in why, why)
        check(reason in why and "advice" in why and (not origin or origin in why), "case %d: %s" % (n, why))
        if reason == "blocked":
            assert_equal((answer["because"], record["because"]), ("runaway loop", "runaway loop"), "because")
        if "visitor" in record.get("agent", ""):
            assert_equal((answer["because"], record["rule"]), ("visitors use the front door", "cache:no-visitors"), "because")
        if reason == "insufficient_scope":
            assert_equal(answer["scope"], "cache.admin" if setting == "policy" else "door.use", "scope")
        answer.close()
        assert_equal((len(backend.calls), len(other.calls), backend.received()), (0, 0, 0), "what reached a backend after case %d" % n)
    rig.login().talk()
    assert_equal((len(backend.calls), backend.received()), (1, 4), "what a good login brings to the backend")


def http_clients_get_the_status_and_challenge_that_http_knows(rig):
    backend = rig.echo_door(required_scopes="door.use", rules="in: allow agent agent-* to raw:connect on cache")
    rig.start()
    t = rig.token
    basic = b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\nProxy-Authorization: Basic %s\r\n\r\n"
    for n, (status, challenge, schemes, data) in enumerate([
            (401, "www-authenticate", ["Bearer"], connect_head(t("cache", life=-1))),
            (407, "proxy-authenticate", ["Bearer", "Basic"], connect_head(t("cache", life=-1), header="Proxy-Authorization")),
            (407, "proxy-authenticate", ["Bearer", "Basic"], connect_head(None)),
            (407, "proxy-authenticate", ["Bearer", "Basic"], basic % b"YWxpY2U6aHVudGVyMg=="),  # alice:hunter2
            (403, "www-authenticate", ["Bearer"], connect_head(t("cache", scope="x"))),
            (403, None, [], connect_head(t("cache", "mallory"))),
            (421, None, [], connect_head(t("cache"), "other.example:1")),
            (400, None, [], connect_head(t("cache")).replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n")),
            (400, None, [], connect_head(t("cache")).replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")),
            (400, None, [], connect_head(t("cache")).replace(b"\r\n\r\n", b"\r\nHost: localhost:1\r\n\r\n")),
            (400, None, [], connect_head(t("cache")).replace(b"Authorization:", b"Authorization :")),
            (431, None, [], connect_head("x" * 30000))]):
        answer = rig.refused("cache", data, source="127.0.2.%d" % (n + 1))
        assert_equal(answer.status, status, "status of case %d" % n)
        check(answer["reason"] and answer["retry"] and re.fullmatch(REF, answer["ref"]), answer)
        for name in ("www-authenticate", "proxy-authenticate"):
            got = [v.split()[0] for v in answer.headers.get(name, [])]
            assert_equal(got, schemes if name == challenge else [], "%s of case %d" % (name, n))
        check(b"hunter2" not in answer.text and b"alice" not in answer.text, answer)
        answer.close()
    assert_equal(len(backend.calls), 0, "connections at the backend")
    check(b"hunter2" not in open(rig.audit_path, "rb").read(), "a password in the audit log")


def rules_judge_who_for_whom_from_where_and_with_what_scope(rig):
    backend = rig.echo_door(rules="""near: allow agent agent-7 for user alice to raw:connect on cache if source in (127.0.0.0/24)
scoped: allow agent agent-7 for nobody to raw:connect on cache if scope has cache.write
old: allow agent agent-7 for user bob to raw:connect on cache if time until 2020-01-01
meant: allow agent agent-7 for user carol to raw:connect on cache if purpose like "invoice-*"
expect allow agent agent-7 for user alice to raw:connect on cache given source = 127.0.0.1
expect deny agent agent-8 for user alice to raw:connect on cache given source = 127.0.0.1""")
    rig.start()
    acting = {"client_id": "agent-7", "act": {"sub": "agent-7"}}
    cases = [("near", "127.0.0.9", dict(acting, sub="alice")), (None, "127.0.20.9", dict(acting, sub="alice")),
             (None, "unix", dict(acting, sub="alice")), (None, "127.0.0.9", dict(acting, sub="mallory")),
             # Only the outermost actor counts; those within are history.
             (None, "127.0.0.9", {"client_id": "x", "sub": "alice", "act": {"sub": "agent-8", "act": {"sub": "agent-7"}}}),
             ("near", "127.0.0.9", {"client_id": "x", "sub": "alice", "act": {"sub": "agent-7", "act": {"sub": "agent-8"}}}),
             ("scoped", "127.0.20.9", {"scope": "door.use cache.write"}), (None, "127.0.20.9", {"scope": "door.use cache.writer"}),
             (None, "127.0.0.9", dict(acting, sub="bob")),
             ("meant", "unix", dict(acting, sub="carol", purpose="invoice-17")), (None, "unix", dict(acting, sub="carol", purpose="x")),
             (None, "unix", dict(acting, sub="carol"))]
    for n, (rule, source, claims) in enumerate(cases):
        how = {"how": "unix"} if source == "unix" else {"source": source}
        answer = rig.send("cache", auth_line(rig.token("cache", **claims)), **how)
        assert_equal(answer.is_granted, rule is not None, "case %d: %s" % (n, answer))
        record = rig.wait_record(ref=answer["ref"])
        assert_equal(record.get("rule") or None, rule and "cache:" + rule, "rule of case %d: %r" % (n, record))
        assert_equal(record["agent"], claims.get("act", {"sub": "agent-7"})["sub"], "agent of case %d" % n)
        if rule:
            answer.talk()
        answer.close()
    assert_equal(len(backend.calls), sum(rule is not None for rule, _, _ in cases), "connections at the backend")


def a_door_that_is_full_says_later_and_bothers_no_backend(rig):
    backend = rig.echo_door(max_connections="2")
    rig.start()
    first, second = rig.login().talk(), rig.login(how="tls").talk()
    answer = rig.refused("cache", auth_line(rig.token("cache")))
    assert_equal([answer[k] for k in ("error", "reason", "retry")], ["temporarily_unavailable", "busy", "later"], answer)
    assert_equal(len(backend.calls), 2, "connections at the backend")
    first.talk(), second.talk()
    first.close()
    wait_until(lambda: rig.send("cache", auth_line(rig.token("cache"))).is_granted, "a place that was given back")


def one_agent_cannot_have_a_door_to_itself(rig):
    backend = rig.echo_door(max_connections="4", max_connections_per_agent="2")
    rig.start()
    mine = [rig.login().talk(), rig.login(how="tls").talk()]
    answer = rig.refused("cache", auth_line(rig.token("cache", sub="alice", act={"sub": "agent-7"})))
    assert_equal([answer[k] for k in ("error", "reason", "retry")], ["temporarily_unavailable", "agent_busy", "later"], answer)
    check(answer["retry_after"] > 0, answer)
    record = rig.wait_record(ref=answer["ref"], reason="agent_busy")
    assert_equal((record["outcome"], record["agent"], record["setting"], record["origin"]),
                 ("undecided", "agent-7", "max_connections_per_agent", "doors/cache.conf:8"), record)
    check("max_connections_per_agent" in rig.why(answer["ref"]), "why")
    assert_equal(len(backend.calls), 2, "connections at the backend")
    rig.login(agent="agent-8").talk()
    mine[0].close()
    wait_until(lambda: rig.send("cache", auth_line(rig.token("cache"))).is_granted, "a place that was given back")
    mine[1].talk()


@with_options(has_issuer=True)
def a_removed_client_is_refused_and_told_so(rig):
    backend = rig.echo_door(issuers="local")
    rig.start()
    rig.add_agent("agent-7", ["cache"])
    token = rig.issue("cache")
    rig.login(token=token).talk().close()
    rig.postern("client", "remove", "agent-7", "--config", rig.path + "/etc")
    answer = rig.refused("cache", auth_line(token))
    assert_equal([answer[k] for k in ("reason", "error")], ["revoked", "invalid_token"], answer)
    check("revoked" in rig.why(answer["ref"]), "why")
    assert_equal(len(backend.calls), 1, "connections at the backend")


def secrets_of_sessions_cannot_be_guessed_stolen_or_taken_elsewhere(rig):
    rig.echo_door()
    rig.echo_door("other")
    rig.start()
    live = rig.login()
    secret = live["session"]
    near = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    mine, theirs = rig.token("cache"), rig.token("cache", "agent-8")
    for n, (door, guess, token) in enumerate([
            ("cache", "A" * len(secret), mine), ("cache", near, mine), ("cache", secret[:-1], mine), ("cache", secret + "A", mine),
            ("cache", secret.swapcase(), mine), ("cache", secret, theirs), ("cache", secret, rig.token("cache", sub="agent-8")),
            ("cache", secret, rig.token("cache", act={"sub": "agent-8"})), ("other", secret, rig.token("other"))]):
        answer = rig.renew(door, guess, token, source="127.0.3.%d" % (n + 1))
        check(not answer.is_granted and answer["reason"] == "renewal" and answer["retry"] == "never", "case %d: %s" % (n, answer))
        check(secret not in str(answer), answer)
        answer.close()
    expired = rig.renew("cache", secret, rig.token("cache", life=-1))
    assert_equal(expired["reason"], "expired", expired)
    other_audience = rig.renew("cache", secret, rig.token("other"))
    assert_equal(other_audience["reason"], "aud", other_audience)
    live.talk()
    good = rig.renew("cache", secret, rig.token("cache", life=600))
    check(good.is_granted and good["lease"] > 590 and good["session"] is None, good)
    live.talk()
    live.close()
    wait_until(lambda: not rig.sessions(), "the end of the session")
    late = rig.renew("cache", secret, rig.token("cache"), source="127.0.3.99")
    assert_equal(late["reason"], "renewal", late)


# ---- how long a session lives ----

def _ends_in(answer, low, high, what, since=None):
    begin = since or time.monotonic()
    answer.wait_end()
    took = time.monotonic() - begin
    check(low <= took <= high + BUSY_S, "%s: ended after %.2f s, wanted %.1f to %.1f" % (what, took, low, high + BUSY_S))


def _time_of(record):
    """By the door's own clock."""
    return datetime.datetime.strptime(record["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def _late_s(record):
    """How long behind its lease a session ended."""
    return _time_of(record) - record["lease_end"]


def a_lease_ends_as_it_says(rig):
    """All at once, because each takes its time: each session in its thread."""
    rig.echo_door("quiet", expiry_grace="10s")
    for name, grace in (("busy", "3s"), ("renewed", "2s"), ("late", "5s")):
        rig.door(name, Backend(pour), expiry_grace=grace)  # what its client does not read waits there: it is never silent
    rig.echo_door("idle", idle_timeout="4s")
    rig.echo_door("longest", session_max="%ds" % (SHORT_S + 1), expiry_grace="0s")
    rig.echo_door("lent", rules="in: allow agent agent-* to raw:connect on lent with lease 2s", expiry_grace="0s")
    rig.start()
    results, threads = {}, []

    def chatter(answer, until):
        end = time.monotonic() + until
        try:
            while time.monotonic() < end:
                answer.talk(b"x")
                time.sleep(0.05)  # slower than a session, faster than silence
        except (OSError, AssertionError):
            return True
        return False

    def end_of(name):
        return wait_until(lambda: rig.records(event="end", service=name), "the end of " + name)[-1]

    def quiet(name):
        answer = rig.login_brief(name, SHORT_S)
        check(answer["lease"] <= SHORT_S, answer)
        answer.wait_end()
        late = _late_s(end_of(name))
        check(-0.2 <= late <= 6 + BUSY_S, "a silent session and a grace of 10 s: %.2f s behind" % late)

    def busy(name):
        answer = rig.login_brief(name, SHORT_S)
        late = _late_s(end_of(name))
        answer.close()
        check(2.8 <= late <= 8 + BUSY_S, "a busy session and a grace of 3 s: %.2f s behind the end of the lease" % late)

    def renewed(name):
        answer, life = rig.login_brief(name, SHORT_S + 1), SHORT_S + 3
        for _ in range(4):
            again = rig.renew(name, answer["session"], rig.token(name, life=life))
            check(again.is_granted, again)
            again.close()
            time.sleep(1.5)  # the time is what is tested
        record = end_of(name)
        check(1.8 <= _late_s(record) <= 8 + BUSY_S, "after the last renewal: %.2f s behind" % _late_s(record))
        check(IS_SANITIZED or record["lease_end"] > answer["lease_end"] + 2, "a renewed session ended with its first lease and grace")

    def late(name):
        answer = rig.login_brief(name, SHORT_S)
        wait_until(lambda: [s for s in rig.sessions("--door", name) if s["state"] == "draining"], "a session in its grace")
        again = rig.renew(name, answer["session"], rig.token(name, life=120))
        check(again.is_granted, again)
        wait_until(lambda: time.time() > answer["lease_end"] + 6.5, "the grace would be over")
        assert_equal([s["state"] for s in rig.sessions("--door", name)], ["open"], "state after a renewal in the grace, and after that")
        assert_equal(rig.records(event="end", service=name), [], "a session that was renewed in its grace ended with it")
        answer.close()

    def idle(name):
        answer = rig.login(name)
        check(not chatter(answer, 5), "a session that talks is not idle")
        since = time.monotonic()
        answer.talk(b"x")
        _ends_in(answer, 3.5, 10, "an idle session", since)

    def longest(name):
        token, begin = rig.token(name), time.monotonic()
        answer = rig.login(name)
        check(answer["lease"] <= SHORT_S + 1, answer)
        again = rig.renew(name, answer["session"], token)
        check(again.is_granted and again["lease"] <= SHORT_S + 1, again)
        check(chatter(answer, SHORT_S + 8 + BUSY_S), "a session lives longer than session_max")
        took = time.monotonic() - begin
        check(SHORT_S - 0.1 <= took <= SHORT_S + 8 + BUSY_S, "session_max of %d s: %.2f s" % (SHORT_S + 1, took))
        over = rig.renew(name, answer["session"], rig.token(name))
        assert_equal(over["reason"], "renewal", over)

    def lent(name):
        answer = rig.login(name)
        check(answer["lease"] <= 2, answer)
        check(chatter(answer, 10 + BUSY_S), "a lease of the policy is none")

    def run(f):
        try:
            f(f.__name__)
            results[f.__name__] = None
        except Exception as e:
            results[f.__name__] = e

    for f in (quiet, busy, renewed, late, idle, longest, lent):
        threads.append(threading.Thread(target=run, args=(f,)))
        threads[-1].start()
    for t in threads:
        t.join(120)
    wrong = {name: repr(e) for name, e in results.items() if e is not None}
    assert_equal((wrong, len(results)), ({}, 7), "leases")
    expected = {"quiet": "expired", "busy": "expired", "renewed": "expired", "idle": "idle", "longest": "expired", "lent": "expired"}

    def ends():
        # "late" has its client's end, whenever that is: it says nothing about the others.
        return {r["service"]: r["end"] for r in rig.records(event="end") if r["service"] in expected}

    wait_until(lambda: len(ends()) == len(expected), "records of the ends")
    assert_equal(ends(), expected, "ends")
    renewals = rig.records(event="renew", service="renewed", outcome="proved")
    assert_equal(len(renewals), 4, "renewals in the audit log")
    check(all(r["lease_end"] >= r["exp"] - 1 for r in renewals), renewals)


@with_options(has_issuer=True)
def the_connector_renews_a_session_beyond_three_lifetimes_of_its_token(rig):
    lifetime_s = 10 if IS_SANITIZED else 5
    rig.set(token_lifetime="%ds" % lifetime_s)
    backend = rig.echo_door(issuers="local", expiry_grace="2s")
    rig.start()
    rig.add_agent("agent-7", ["cache"])
    rig.write_client("cache", "cache")
    connector = rig.connector("cache", "unix:%s/home/run/cache.sock" % rig.path)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(DEADLINE_S)
        s.connect(rig.path + "/home/run/cache.sock")
        s.sendall(b"x")
        assert_equal(s.recv(1), b"x", "through the connector")
        session = wait_until(rig.sessions, "a session")[0]["id"]
        begin = time.monotonic()
        while time.monotonic() < begin + 3 * lifetime_s + 1:
            s.sendall(b"x")
            assert_equal(s.recv(1), b"x", "after %.1f s" % (time.monotonic() - begin))
            time.sleep(0.1)  # the time is what is tested
        assert_equal([x["id"] for x in rig.sessions()], [session], "the session is the same one")
    check(len(rig.records(event="renew", session=session, outcome="proved")) >= 3, "renewals")
    assert_equal(len(backend.calls), 1, "connections at the backend")
    rig.stop_process(connector)


CLOCK_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *jump; /* [0] seconds of the wall clock, [1] seconds of time since boot */
__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("CLOCK_JUMP"), O_RDONLY | O_CLOEXEC);
    jump = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
}
int clock_gettime(clockid_t which, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(which, t);
    if (which == CLOCK_REALTIME) t->tv_sec += jump[0];
    if (which == CLOCK_BOOTTIME) t->tv_sec += jump[1];
    return r;
}
time_t time(time_t *ret)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (ret) *ret = t.tv_sec;
    return t.tv_sec;
}
"""


def a_clock_that_jumps_ends_leases_early_and_lengthens_none(rig):
    """The clocks of posternd alone jump: a preloaded library adds to them what a page of shared memory says."""
    source, library, page = (rig.path + "/clock" + e for e in (".c", ".so", ".page"))
    with open(source, "w") as f:
        f.write(CLOCK_SHIM)
    subprocess.run(["gcc", "-w", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    with open(page, "wb") as f:
        f.write(bytes(4096))

    def jump(wall, boot):
        with open(page, "r+b") as f:
            f.write(wall.to_bytes(8, "little", signed=True) + boot.to_bytes(8, "little", signed=True))

    rig.echo_door(expiry_grace="0s", idle_timeout="7d")
    rig.start(env={"LD_PRELOAD": library, "CLOCK_JUMP": page})
    live = rig.login(life=3000)
    jump(2000, 0)
    other = rig.login(life=3000 + 2000)
    live.talk(), other.talk()
    jump(3500, 0)
    _ends_in(live, 0, 10, "a wall clock set forward behind the end")
    other.talk()
    # Back again: the token of `short` would be good for an hour more by the wall clock, its lease is not.
    jump(0, 0)
    since = time.monotonic()
    short = rig.login_brief("cache", SHORT_S)
    jump(-3600, 0)
    _ends_in(short, 0.9, SHORT_S + 10, "a wall clock set back", since)
    other.talk()
    # A machine that slept: time since boot goes on, the lease is over.
    jump(0, 0)
    slept = rig.login(life=600)
    jump(0, 601)
    _ends_in(slept, 0, 10, "a machine that slept")
    other.talk()
    wait_until(lambda: len(rig.records(event="end")) == 3, "records of three ends")
    assert_equal([r["end"] for r in rig.records(event="end")], ["expired"] * 3, "ends")


# ---- taking a session back ----

class _Kinds:
    """Four sessions: idle, in the middle of a transfer, with a backend that does not read, and one that is renewed all the time."""

    def __init__(self, rig, issue):
        self.rig, self.over, self.busy_end = rig, threading.Event(), None
        self.idle, self.busy, self.stalled, self.renewing = (
            rig.login(door, token=issue(door)) for door in ("idle", "busy", "stalled", "renewing"))
        self.fill(self.stalled.sock)
        self.token = issue("renewing")
        self.threads = [threading.Thread(target=f) for f in (self.renew, self.drain)]
        for t in self.threads:
            t.start()
        wait_until(lambda: rig.records(event="renew", outcome="proved"), "a renewal")

    def fill(self, sock):
        sock.setblocking(False)
        try:
            while True:
                sock.send(b"x" * 65536)
        except BlockingIOError:
            pass

    def renew(self):
        while not self.over.is_set():
            try:
                self.rig.renew("renewing", self.renewing["session"], self.token).close()
            except (OSError, ValueError):
                pass

    def drain(self):
        try:
            while self.busy.sock.recv(1 << 16):
                pass
        except OSError:
            pass
        self.busy_end = time.monotonic()

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join(30)


def _kinds_of_sessions(rig, issue=None):
    return _Kinds(rig, issue or rig.token)


def _assert_all_end(rig, kinds, act, end):
    """act() ends all four in time; returns the records of their ends."""
    begin = time.monotonic()
    try:
        act()
        for answer, name in ((kinds.idle, "idle"), (kinds.renewing, "renewing"), (kinds.stalled, "stalled")):
            answer.wait_end(TAKEN_BACK_S)
            check(time.monotonic() - begin <= TAKEN_BACK_S, "%s: %.2f s" % (name, time.monotonic() - begin))
        wait_until(lambda: kinds.busy_end, "the end of the busy one", TAKEN_BACK_S)
        check(kinds.busy_end - begin <= TAKEN_BACK_S, "busy: %.2f s" % (kinds.busy_end - begin))
    finally:
        kinds.stop()
    wait_until(lambda: len(rig.records(event="end", end=end)) >= 4, "four ends")
    ends = rig.records(event="end", end=end)
    assert_equal(sorted(r["service"] for r in ends), ["busy", "idle", "renewing", "stalled"], "records of ends")
    return ends


def _revocation_doors(rig, **keys):
    backends = [Backend(), Backend(pour), Backend(stall), Backend()]
    for name, b in zip(("idle", "busy", "stalled", "renewing"), backends):
        rig.door(name, b, **keys)
    return backends


@with_options(has_issuer=True)
def a_removed_client_loses_its_sessions_within_three_seconds(rig):
    backends = _revocation_doors(rig, issuers="local")
    rig.start()
    rig.add_agent("agent-7", ["idle", "busy", "stalled", "renewing"])
    rig.add_agent("agent-8", ["idle"])
    other = rig.login("idle", token=rig.issue("idle", "agent-8"))
    _assert_all_end(rig, _kinds_of_sessions(rig, rig.issue), lambda: rig.postern("client", "remove", "agent-7", "--config",
                                                                                 rig.path + "/etc"), "revoked")
    other.talk()
    wait_until(lambda: len(rig.sessions()) == 1, "one session in the list")
    for b, count in zip(backends, (1, 0, 0, 0)):
        b.wait_live(count)
    rig.daemon.wait_log(r"taken back: \d+ sessions ended \d+ us after the word came")
    # Whether the round of judgement ended it or its own renewal, which asks anew: each counts once.
    assert_equal(re.findall(r"taken back: (\d+) sessions", rig.daemon.log()), ["4"], "the number in the log")


def a_blocked_agent_loses_its_sessions_and_stays_out_until_it_is_unblocked(rig):
    _revocation_doors(rig)
    rig.start()
    other = rig.login("idle", agent="agent-8")
    said = []
    ends = _assert_all_end(rig, _kinds_of_sessions(rig), lambda: said.append(
        rig.control("block", "agent-7", "--for", "1h", "--reason", "runaway loop").stdout), "revoked")
    check("sessions ended at doors: 4\n" in said[0], said)  # the one under renewal, too, whatever ended it
    other.talk()
    assert_equal({r["because"] for r in ends}, {"runaway loop"}, "because")
    for token in (rig.token("idle"), rig.token("idle", sub="someone", act={"sub": "agent-7"}), rig.token("idle", sub="someone")):
        answer = rig.refused("idle", auth_line(token))
        assert_equal([answer[k] for k in ("reason", "retry", "because", "contact")],
                     ["blocked", "never", "runaway loop", "ask platform@example.org"], answer)
    check("agent-7" in rig.control("blocks").stdout, "the list of blocks")
    # It survives a restart, a reload, and the death of each child that knows of it.
    assert_equal(rig.daemon.stop(), 0, "exit status")
    rig.start()
    assert_equal(rig.refused("idle", auth_line(rig.token("idle")))["reason"], "blocked", "after a restart")
    rig.reload()
    assert_equal(rig.refused("idle", auth_line(rig.token("idle")))["reason"], "blocked", "after a reload")
    for role in ("control", "door"):
        rig.kill_child(role)()
        answer = wait_until(lambda: rig.send("idle", auth_line(rig.token("idle"))), "an answer")
        check(not answer.is_granted, "after the death of %s: %s" % (role, answer))
    wait_until(lambda: rig.send("idle", auth_line(rig.token("idle", "agent-8"))).is_granted, "others get in")
    wait_until(lambda: rig.control("unblock", "agent-7", status=None).returncode == 0, "unblock")
    rig.login("idle").talk()


def a_killed_session_ends_at_once_and_may_come_back(rig):
    backends = _revocation_doors(rig)
    rig.start()
    ends = _assert_all_end(rig, _kinds_of_sessions(rig), lambda: rig.control("kill", "--agent", "agent-7", "--reason", "maintenance"),
                           "killed")
    for b in backends:
        b.wait_live(0)
    assert_equal({r["because"] for r in ends}, {"maintenance"}, "because")
    for by, value in (("session", None), ("sub", "someone"), ("client", "agent-9"), ("jti", "the-token")):
        answer = rig.login("idle", token=rig.token("idle", "agent-9", sub="someone", jti="the-token"))
        bystander = rig.login("idle", agent="agent-8")
        mine = [s for s in rig.sessions() if s["client"] == "agent-9"] if "client" in rig.sessions()[0] else \
            [s for s in rig.sessions() if s["agent"] == "agent-9"]
        r = rig.control("kill", "--" + by, value or mine[0]["id"])
        took, _ = answer.wait_end(TAKEN_BACK_S)
        check("1" in r.stdout and took <= TAKEN_BACK_S, r.stdout)
        bystander.talk()
        bystander.close()
        wait_until(lambda: not rig.sessions(), "an empty list")
    assert_equal(rig.control("kill", "--agent", "agent-7", status=None).returncode, 1, "killing nobody")


def the_file_of_blocks_may_be_edited_and_replaced_by_hand(rig):
    rig.echo_door()
    rig.start()
    path = rig.path + "/control/blocks"
    live = rig.login()
    with open(path, "a") as f:
        f.write("agent-7 - by hand\n")
    _ends_in(live, 0, 8, "a line written by hand")
    answer = rig.refused("cache", auth_line(rig.token("cache")))
    assert_equal((answer["reason"], answer["because"]), ("blocked", "by hand"), answer)
    live = rig.login(agent="agent-8")

    def replace(text):
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chmod(path + ".new", 0o644)  # root's, as a mounted ConfigMap would be
        os.rename(path + ".new", path)
    replace("agent-8 - replaced\n")
    _ends_in(live, 0, 8, "a file put in its place")
    wait_until(lambda: rig.send("cache", auth_line(rig.token("cache"))).is_granted, "agent-7, who is not in the new file")
    # Nonsense changes nothing: what was blocked stays blocked, and /readyz would tell.
    live = rig.login()
    replace("agent-7 2026-99-99T00:00:00Z nonsense\n")
    rig.daemon.wait_log(r"file of blocks: .*line 1: ")
    live.talk()
    assert_equal(rig.refused("cache", auth_line(rig.token("cache", "agent-8")))["reason"], "blocked", "after nonsense")
    replace("")
    wait_until(lambda: rig.send("cache", auth_line(rig.token("cache", "agent-8"))).is_granted, "an empty file blocks nobody")


def the_helper_refuses_a_blocked_agent_too(rig):
    rig.echo_door()
    rig.write("services/ldap.conf", {"audience": "https://localhost/ldap", "issuers": "test", "helper_peers": "root"})
    rig.start()

    def ask():
        nonce = "AAAAAAAAAAAAAAAAAAAAAA"
        request = {"v": 1, "op": "verify", "nonce": nonce, "service": "ldap", "token": rig.token("ldap"), "carrier": "sasl", "tls": "local"}
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(DEADLINE_S)
            s.connect(rig.path + "/run/helper.sock")
            s.send(json.dumps(request).encode())
            reply = json.loads(s.recv(65536))
        return reply["outcome"], reply.get("reason")
    assert_equal(ask()[0], "proved", "before")
    said = rig.control("block", "agent-7", "--reason", "x").stdout
    assert_equal(ask(), ("rejected", "blocked"), "blocked")
    check("ldap" in said, "which logins of plugins it cannot end: " + said)
    rig.control("unblock", "agent-7")
    assert_equal(ask()[0], "proved", "unblocked")


def only_those_who_may_can_end_or_see_sessions(rig):
    rig.echo_door()
    rig.set(control_watchers="64737")
    rig.start()
    live = rig.login()

    def as_user(uid):
        return lambda: (os.setgroups([]), os.setresgid(uid, uid, uid), os.setresuid(uid, uid, uid))
    socket_path = ["--socket", rig.path + "/run/control.sock"]
    for uid, verb, status in ((64737, ["sessions"], 0), (64737, ["blocks"], 0), (64737, ["kill", "--agent", "agent-7"], 1),
                              (64737, ["block", "agent-7"], 1), (64738, ["sessions"], 1), (64738, ["unblock", "agent-7"], 1),
                              (64738, ["kill", "--sub", "agent-7"], 1)):
        r = rig.postern(*(verb + socket_path), status=None, preexec_fn=as_user(uid), cwd="/")
        assert_equal(r.returncode, status, "status of %s by %d: %s" % (verb, uid, r.stderr))
    live.talk()


# ---- reload ----

def _is_shut(rig, door):
    try:
        rig.dial(door).close()
        return False
    except ConnectionRefusedError:
        return True


def a_new_certificate_is_shown_to_new_clients_and_live_sessions_go_on(rig):
    crt, key = rig.certificate("one")
    rig.echo_door(tls_cert_file=crt, tls_key_file=key)
    rig.start()
    live = rig.login(how="tls", ca=crt)
    old = open(crt).read()
    rig.certificate("one")
    check(open(crt).read() != old, "another certificate")
    rig.reload()
    live.talk()
    rig.login(how="tls", ca=crt).talk()
    with open(rig.path + "/old.crt", "w") as f:
        f.write(old)
    try:
        rig.dial("cache", how="tls", ca=rig.path + "/old.crt")
        raise AssertionError("the old certificate is still shown")
    except ssl.SSLCertVerificationError:
        pass
    live.talk()


def a_session_that_the_new_configuration_would_refuse_ends_and_others_stay(rig):
    backend = rig.echo_door()
    rig.echo_door("gone")
    rig.echo_door("scoped")
    rig.echo_door("renamed")
    rig.start()
    mine, theirs = rig.login(), rig.login(agent="agent-8")
    gone, scoped, renamed = (rig.login(d) for d in ("gone", "scoped", "renamed"))
    wide = rig.login("scoped", token=rig.token("scoped", scope="door.use more.use"))
    rig.policy("cache", 'out: deny agent agent-7 to raw:connect on cache because "moved"\nin: allow agent agent-* to raw:connect on cache')
    os.unlink(rig.path + "/etc/doors/gone.conf")
    rig.door("scoped", rig.backends[2], required_scopes="more.use")
    rig.door("renamed", rig.backends[3], audience="https://localhost/another")
    rig.reload()
    for answer, what in ((mine, "policy"), (gone, "door removed"), (scoped, "scope"), (renamed, "audience")):
        _ends_in(answer, 0, 10, what)
    theirs.talk(), wide.talk()
    wait_until(lambda: len(rig.records(event="end")) == 4, "records of four ends")
    assert_equal(sorted((r["service"], r["end"]) for r in rig.records(event="end")),
                 [(n, "policy") for n in ("cache", "gone", "renamed", "scoped")], "records")
    why = {r["service"]: r["detail"] for r in rig.records(event="end")}
    for service, word in (("cache", "cache:out (policies/cache.rules:1)"), ("gone", "taken out"), ("scoped", "more.use"), ("renamed", "aud does not")):
        check(word in why[service], why)
    assert_equal(rig.refused("cache", auth_line(rig.token("cache")))["reason"], "policy", "a new login")
    wait_until(lambda: _is_shut(rig, "gone"), "a door that was taken out listens no more")
    backend.wait_live(1)


def a_configuration_that_cannot_be_used_changes_nothing(rig):
    crt, key = rig.certificate("one")
    rig.echo_door(tls_cert_file=crt, tls_key_file=key)
    rig.start()
    live = rig.login(how="tls", ca=crt)
    good_policy = "in: allow agent agent-* to raw:connect on cache"
    backend = rig.backends[0]

    def still_the_same(what):
        live.talk()
        rig.login(how="tls", ca=crt).talk().close()
        assert_equal(rig.refused("cache", auth_line(rig.token("cache", "mallory")))["reason"], "policy", what)

    rig.policy("cache", "in: allow agent agent-* to raw:conect on cache")
    rig.reload_fails(r"cache\.rules:1")
    still_the_same("a policy with a mistake")
    rig.policy("cache", good_policy + "\nexpect deny agent agent-7 to raw:connect on cache")
    rig.reload_fails(r"cache\.rules:2")
    still_the_same("an expectation that fails")
    rig.policy("cache", good_policy)
    text = open(crt).read()
    with open(crt, "w") as f:
        f.write(text.replace("BEGIN", "BEGINN"))
    rig.reload_fails(r"cache: tls_cert_file %s: no certificate in the file" % crt)
    with open(crt, "w") as f:
        f.write(text)
    still_the_same("a broken certificate")
    _, other_key = rig.certificate("two")
    rig.door("cache", backend, tls_cert_file=crt, tls_key_file=other_key)
    rig.reload_fails(r"posternd: door: cache: tls_key_file %s: key and certificate: " % other_key)
    still_the_same("a key of another certificate")
    rig.door("cache", backend, tls_cert_file=crt, tls_key_file=key, lisen="x")
    rig.reload_fails(r"doors/cache\.conf:\d+:1: .*did you mean \"listen\"")
    still_the_same("an unknown key")
    rig.door("cache", backend, tls_cert_file=crt, tls_key_file=key)
    rig.reload()
    still_the_same("a good configuration again")


def no_login_fails_while_the_configuration_is_read_again(rig):
    rig.echo_door()
    rig.start()
    token, over, counts, errors = rig.token("cache"), threading.Event(), [0], []

    def log_in():
        while not over.is_set():
            try:
                answer = rig.login(token=token)
                answer.talk().close()
                counts[0] += 1
            except Exception as e:
                errors.append(repr(e))
    live = rig.login()
    threads = [threading.Thread(target=log_in) for _ in range(20)]
    for t in threads:
        t.start()
    try:
        for _ in range(5):
            before = counts[0]
            rig.reload()
            wait_until(lambda: counts[0] > before + 20 or errors, "logins after a reload")
    finally:
        over.set()
        for t in threads:
            t.join(60)
    assert_equal(errors[:3], [], "failed logins of %d" % counts[0])
    live.talk()


# ---- the end ----

def a_stop_closes_quiet_sessions_writes_their_ends_and_refuses_newcomers(rig):
    backend, pouring = rig.echo_door(), Backend(pour)
    rig.door("busy", pouring)
    rig.start()
    quiet = rig.login()
    busy = rig.login("busy", agent="agent-8")  # its client does not read what is poured: it is never silent
    waiting = rig.dial("cache")
    begin = time.time()
    rig.daemon.signal(signal.SIGTERM)
    quiet.wait_end()
    try:
        assert_equal(waiting.recv(1), b"", "a connection that had not logged in")
    except ConnectionResetError:
        pass  # nobody had come to take it
    wait_until(lambda: _is_shut(rig, "cache"), "it listens no more")
    assert_equal(rig.daemon.wait_exit(), 0, "exit status")
    took = time.time() - begin
    check(took <= 12 + BUSY_S, "drain_timeout of 5 s: %.1f s" % took)
    ends = {r["agent"]: r for r in rig.records(event="end")}
    assert_equal(sorted((r["agent"], r["end"]) for r in ends.values()), [("agent-7", "drained"), ("agent-8", "drained")], "records")
    after = {agent: _time_of(r) - begin for agent, r in ends.items()}
    check(after["agent-7"] < 3.5 or IS_SANITIZED, "a quiet session ends at once, while a busy one goes on: %r" % after)
    check(after["agent-8"] >= 3.5, "a busy session has drain_timeout: %r" % after)
    backend.wait_live(0)
    pouring.wait_live(0)
    busy.close()


def _finish(answers):
    """Their clients have said all; the door closes them behind the records of their ends."""
    for answer in answers:
        answer.sock.shutdown(socket.SHUT_WR)
    for answer in answers:
        answer.wait_end()


def ends_are_written_in_their_time_in_order_and_before_the_door_goes(rig):
    rig.set(door_loops="1")  # each loop has an order of its own
    rig.echo_door()
    rig.start()
    token = rig.token("cache")
    _finish([rig.login(token=token).talk()])
    begin = time.monotonic()
    rig.wait_record(event="end")  # nothing comes behind it: it is sent by its own time, which is 20 ms
    check(time.monotonic() - begin < 10 + BUSY_S, "an end that has no company: %.1f s" % (time.monotonic() - begin))
    for _ in range(10):
        _finish([rig.login(token=token).talk()])
    wait_until(lambda: len(rig.records(event="end")) == 11, "ends of 11")
    story = [(r["event"], r["session"]) for r in rig.audit() if r["event"] in ("login", "end")]
    assert_equal([event for event, _ in story], ["login", "end"] * 11, "an end goes before the next login")
    assert_equal([s for _, s in story[::2]], [s for _, s in story[1::2]], "each of its own login")

    def assert_all_ended(count):
        ends = [r["session"] for r in rig.records(event="end")]
        assert_equal(sorted(ends), sorted(r["session"] for r in rig.records(event="login")), "one end for each login")
        assert_equal(len(ends), count, "ends")
    _finish([rig.login(token=token).talk() for _ in range(5)])
    rig.reload()
    wait_until(lambda: len(rig.records(event="end")) >= 16, "ends behind a reload")
    assert_all_ended(16)
    _finish([rig.login(token=token).talk() for _ in range(5)])
    rig.daemon.signal(signal.SIGTERM)
    assert_equal(rig.daemon.wait_exit(), 0, "exit status")
    assert_all_ended(21)  # not waited for: whoever stops a daemon may move its files away


def a_killed_door_leaves_nobody_half_open_and_opens_again(rig):
    backend, pouring = rig.echo_door(), Backend(pour)
    rig.door("busy", pouring)
    rig.start()
    idle, busy, tls = rig.login(), rig.login("busy"), rig.login(how="tls")
    backend.wait_live(2)
    ready = rig.kill_child("door")
    for answer in (idle, busy, tls):
        answer.wait_end()
    backend.wait_live(0)
    pouring.wait_live(0)
    ready()
    wait_until(lambda: rig.send("cache", auth_line(rig.token("cache"))).is_granted, "a login")
    rig.login(how="tls").talk()
    rig.login(how="unix").talk()
    wait_until(lambda: rig.control("sessions", status=None).returncode == 0, "control speaks with the new door")


def while_audit_is_away_nobody_gets_in_and_sessions_go_on(rig):
    backend = rig.echo_door()
    rig.start()
    live = rig.login()
    rig.kill_child("audit")
    live.talk()
    early = rig.send("cache", auth_line(rig.token("cache")))
    check(early.is_granted or early["retry"] == "later", early)
    back = []
    wait_until(lambda: back.append(rig.send("cache", auth_line(rig.token("cache")))) or back[-1].is_granted, "a login when audit is back")
    for answer in [early] + back:
        if answer.is_granted:
            answer.talk()  # the backend has counted it
    live.talk()
    # It cannot come back at all: no login is decided, no session ends.
    before = len(backend.calls)
    os.kill(rig.child("audit"), signal.SIGSTOP)
    try:
        answer = rig.send("cache", auth_line(rig.token("cache")))
        assert_equal([answer[k] for k in ("error", "reason", "retry")], ["temporarily_unavailable", "audit", "later"], answer)
        answer = rig.send("cache", auth_line(rig.token("cache", "mallory")))
        check(not answer.is_granted and answer["retry"] == "later", "a refusal without its record is undecided: %s" % answer)
        live.talk()
        assert_equal(len(backend.calls), before, "connections at the backend")
    finally:
        os.kill(rig.child("audit"), signal.SIGCONT)
    wait_until(lambda: rig.send("cache", auth_line(rig.token("cache"))).is_granted, "a login after the pause")
    live.talk()


@with_options(has_issuer=True)
def control_helper_and_issuer_may_die_without_a_session_or_a_revocation_lost(rig):
    rig.echo_door(issuers="local")
    rig.start()
    rig.add_agent("agent-7", ["cache"])
    rig.add_agent("agent-8", ["cache"])
    live, other = rig.login(token=rig.issue("cache")), rig.login(token=rig.issue("cache", "agent-8"))
    for role in ("control", "helper", "issuer"):
        ready = rig.kill_child(role)
        live.talk()
        ready()
        wait_until(lambda: rig.send("cache", auth_line(rig.issue("cache"))).is_granted, "a login after the death of " + role)
        live.talk()
    wait_until(lambda: rig.control("sessions", status=None).returncode == 0, "the new control speaks with the door")
    rig.postern("client", "remove", "agent-7", "--config", rig.path + "/etc")
    took, _ = live.wait_end(TAKEN_BACK_S)
    check(took <= TAKEN_BACK_S, "a removal told by the new issuer: %.1f s" % took)
    wait_until(lambda: rig.control("kill", "--agent", "agent-8", status=None).returncode == 0, "a kill told by the new control")
    other.wait_end(TAKEN_BACK_S)
    # The door dies: the new one hears from the issuer who was removed before anybody gets in.
    rig.add_agent("agent-9", ["cache"])
    token = rig.issue("cache", "agent-9")
    rig.postern("client", "remove", "agent-9", "--config", rig.path + "/etc")
    rig.kill_child("door")()
    for _ in range(20):
        answer = rig.send("cache", auth_line(token))
        check(not answer.is_granted and answer["reason"] in ("revoked", "revocations_unknown"), answer)
        if answer["reason"] == "revoked":
            break
    wait_until(lambda: rig.send("cache", auth_line(token))["reason"] == "revoked", "the word of the issuer")


def a_backend_that_dies_ends_its_sessions_and_is_found_again(rig):
    backend = rig.echo_door()
    rig.start()
    answers = [rig.login(), rig.login(how="tls"), rig.login(how="unix")]
    backend.wait_live(3)
    for call in list(backend.calls):
        call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        call.sock.shutdown(socket.SHUT_RD)  # wakes the thread, which closes with a reset
    for answer in answers:
        answer.wait_end()
    wait_until(lambda: len(rig.records(event="end")) == 3, "three ends")
    rig.login().talk()


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
