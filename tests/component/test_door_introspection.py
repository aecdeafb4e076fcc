#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Live sessions of a door whose issuer is asked about them again (revocation_check:): how long its word counts, what ends them when it
says no, when it says nothing, and what does not.  The issuer is tests/support/misbehaving_issuer.py, which does as it is told; opaque
tokens of one that nobody here wrote (npm oidc-provider) go to a real redis, where both are installed.  TAP output; needs root."""
import hashlib
import os
import shutil
import ssl
import sys
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + "/../support"]
import test_foreign_issuer as foreign  # noqa: E402
from daemon import DEADLINE_S, free_port, wait_until  # noqa: E402
from door_rig import BUSY_S, IS_SANITIZED, Backend, assert_equal, auth_line, check, pour, run_door_tests  # noqa: E402
from issuer_keys import Authority, Key, base64url  # noqa: E402
from misbehaving_issuer import INTROSPECTION, KEYS, METADATA, Issuer, http  # noqa: E402

PEERS = os.environ.get("POSTERN_PEERS", "")
SECRET = "s3cr3t of:the+door/%"
CHECK_S = 4  # revocation_check:, unless a test says otherwise
SOON_S = 3 + BUSY_S  # beside it
# The word of the login, and that of one look, which comes when half of that time is over; the door's tick is a quarter of a second.
LIVED_S = CHECK_S + CHECK_S / 2 - 0.5


class Asked:
    """An issuer, a door that trusts it and asks it about tokens, and a running posternd."""

    def __init__(self, rig, mode, backend=None, check_s=CHECK_S, start=True, **door):
        self.rig, self.mode, self.count = rig, mode, 0
        folder = rig.path + "/asked"
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        self.key = Key(folder, "k1")
        self.authority = Authority(folder)
        self.issuer = Issuer(self.authority, [self.key], port=free_port())
        os.makedirs(rig.path + "/etc/clients")
        write_client(rig, self.issuer.url, "door 1", SECRET)
        rig.secrets.append(SECRET)
        rig.write("issuers/asked.conf", {"issuer": self.issuer.url, "tls_ca_file": self.authority.file, "introspection": mode,
                                         "client": "asked", "clock_skew": "0s", "username_claim": "asked-${sub}"})
        self.door_keys = dict({"issuers": "asked", "revocation_check": "%ds" % check_s}, **door)
        self.backend = backend or Backend()
        rig.set(status_listen="127.0.0.1:%d" % free_port())
        self.write_door()
        if start:
            rig.start()

    def write_door(self, **changes):
        self.door_keys.update(changes)
        self.rig.door("cache", self.backend, **self.door_keys)

    def token(self, agent="agent-7", life=300, answer=None, **claims):
        """One that the issuer knows; `answer` changes what it says of it."""
        now = int(time.time())
        self.count += 1
        whole = {"iss": self.issuer.url, "aud": self.rig.audience("cache"), "sub": agent, "client_id": agent, "iat": now, "exp": now + life,
                 "jti": "j-%d" % self.count, "scope": "door.use"}
        whole.update(claims)
        token = self.key.sign(whole) if self.mode == "always" else "opaque-" + base64url(os.urandom(24))
        self.issuer.opaque[token] = dict(whole, active=True, token_type="Bearer", **(answer or {}))
        self.rig.secrets.append(token.rsplit(".", 1)[-1])
        return token

    def revoke(self, token):
        self.issuer.opaque[token] = {"active": False}

    def asked(self):
        return self.issuer.count(INTROSPECTION)

    def wait_asked(self, more):
        want = self.asked() + more
        wait_until(lambda: self.asked() >= want, "%d questions" % want)

    def wait_rechecked(self, count):
        """So many looks at live sessions were heard, not just asked."""
        def enough():
            page = self.rig.status_page()
            return any(line.startswith("postern_door_rechecked_total ") and int(line.split()[1]) >= count for line in page.splitlines())
        wait_until(enough, "%d looks" % count, 2 * DEADLINE_S)

    def stop(self):
        self.issuer.stop()


def write_client(rig, issuer, client_id, secret):
    path = rig.path + "/asked.secret"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(secret)
    rig.write("clients/asked.conf", {"issuer": issuer, "client_id": client_id, "client_auth": "secret", "client_credential_file": path,
                                     "allow_loopback_http": "yes"})


def check_end(rig, answer, within_s, end, reason, lived_s=0):
    """`lived_s`: so long it lives at least, from its beginning."""
    seconds, _ = answer.wait_end(within_s + 20)
    check(seconds <= within_s, "ended after %.2f s, not within %s" % (seconds, within_s))
    record = rig.wait_record(event="end", end=end)
    assert_equal((record.get("reason"), record["agent"]), (reason, "agent-7"), record)
    check(record["duration_ms"] >= 1000 * lived_s, "it lived for %d ms, not %s s" % (record["duration_ms"], lived_s))
    return record


# ---- what the issuer says no to ----

def _revoked(rig, mode):
    asked = Asked(rig, mode)
    token = asked.token()
    answer = rig.login(token=token)
    check(answer["lease"] > 290, "the client is told of a lease that it can renew: %s" % answer)
    asked.wait_asked(2)
    answer.talk()
    asked.revoke(token)
    record = check_end(rig, answer, CHECK_S + SOON_S, "revoked", "inactive")
    assert_equal(record["outcome"], "rejected", record)
    check(rig.refused("cache", auth_line(token))["reason"] == "inactive", "nor does it log in")
    asked.backend.wait_live(0)
    asked.stop()


def what_the_issuer_takes_back_ends_within_revocation_check_with_an_opaque_token(rig):
    _revoked(rig, "opaque")


def what_the_issuer_takes_back_ends_within_revocation_check_with_a_signed_token(rig):
    _revoked(rig, "always")


def keys_of_a_signed_token_are_found_by_a_door_itself(rig):
    asked = Asked(rig, "always")
    rig.login(token=asked.token()).talk()
    check(asked.issuer.count(METADATA) >= 1 and asked.issuer.count(KEYS) >= 1, asked.issuer.requests())
    assert_equal(asked.issuer.requests(INTROSPECTION)[0].client, ("basic", "door 1", SECRET), "as whom the door asks")
    asked.stop()


def a_token_that_became_another_ends_its_session(rig):
    asked = Asked(rig, "opaque", required_scopes="door.use")
    narrowed, renamed, kept = (asked.token() for _ in range(3))
    a, b, c = (rig.login(token=t) for t in (narrowed, renamed, kept))
    asked.issuer.opaque[narrowed]["scope"] = "other"
    check_end(rig, a, CHECK_S + SOON_S, "policy", "insufficient_scope")
    asked.issuer.opaque[renamed]["sub"] = "agent-8"
    seconds, _ = b.wait_end()
    check(seconds <= CHECK_S + SOON_S, seconds)
    rig.wait_record(event="end", end="policy", reason="renewal")
    asked.issuer.opaque[kept]["scope"] = "door.use and.more"
    asked.wait_asked(2)
    c.talk()
    asked.stop()


# ---- what the issuer says nothing to ----

def a_session_whose_issuer_is_away_ends_when_its_last_word_is_too_old(rig):
    asked = Asked(rig, "opaque")
    answer = rig.login(token=asked.token())
    asked.wait_rechecked(1)
    asked.issuer.close_listener()
    record = check_end(rig, answer, CHECK_S + SOON_S, "undecided", "issuer_unreachable", lived_s=LIVED_S)
    assert_equal(record["outcome"], "undecided", record)
    rig.daemon.wait_log("an issuer says nothing about live sessions")
    wait_until(lambda: "postern_door_unheard_total 1" in rig.status_page(), "it is counted")
    asked.stop()


def an_answer_that_cannot_be_used_is_none(rig):
    asked = Asked(rig, "opaque")
    answer = rig.login(token=asked.token())
    asked.wait_rechecked(1)
    asked.issuer.behave(INTROSPECTION, http(b"<html>"))
    check_end(rig, answer, CHECK_S + SOON_S, "undecided", "issuer_answer", lived_s=LIVED_S)
    asked.stop()


def a_session_whose_issuer_is_back_in_time_lives_on(rig):
    asked = Asked(rig, "opaque", check_s=9)
    answer = rig.login(token=asked.token())
    asked.issuer.behave(INTROSPECTION, http(status=503), times=1)
    asked.wait_rechecked(2)
    check(asked.asked() >= 4, "a login, a failure, two looks: %d" % asked.asked())
    answer.talk()
    assert_equal(rig.records(event="end"), [], "ends")
    asked.stop()


# ---- leases and renewals ----

def the_end_of_a_token_is_no_revocation(rig):
    # Nobody reads what is poured: it is never silent, so it has its grace.
    asked = Asked(rig, "opaque", backend=Backend(pour), check_s=3, expiry_grace="60s")

    def log_in():  # on a busy machine the token may be over before it is shown
        answer = rig.send("cache", auth_line(asked.token(life=5)))
        return answer if answer.is_granted else None
    answer = wait_until(log_in, "a login")
    wait_until(lambda: time.time() > answer["lease_end"] + 3, "what was said of the token counts no longer")
    assert_equal(rig.records(event="end"), [], "ends in the grace")
    renewed = rig.renew("cache", answer["session"], asked.token())
    check(renewed.is_granted, renewed)
    asked.wait_asked(2)
    assert_equal([s["state"] for s in rig.sessions()], ["open"], "state of the session")
    assert_equal(rig.records(event="end"), [], "ends")
    answer.close()
    asked.stop()


def after_a_renewal_it_is_the_newer_token_that_counts(rig):
    asked = Asked(rig, "always")
    first, second = asked.token(), asked.token()
    answer = rig.login(token=first)
    check(rig.renew("cache", answer["session"], second).is_granted, "renewed")
    asked.revoke(first)
    asked.wait_rechecked(2)
    answer.talk()
    asked.revoke(second)
    check_end(rig, answer, CHECK_S + SOON_S, "revoked", "inactive")
    asked.stop()


def a_bound_token_survives_being_asked_about(rig):
    cert = rig.certificate("agent", "DNS:agent")
    with open(cert[0]) as f:
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).digest()
    asked = Asked(rig, "opaque", tls_client_certificate="ask")
    token = asked.token(cnf={"x5t#S256": base64url(digest)})
    assert_equal(rig.refused("cache", auth_line(token), how="tls")["reason"], "cnf", "without its certificate")
    answer = rig.login(token=token, how="tls", cert=cert)
    asked.wait_rechecked(2)
    answer.talk()
    asked.revoke(token)
    check_end(rig, answer, CHECK_S + SOON_S, "revoked", "inactive")
    asked.stop()


def a_reload_changes_how_long_a_word_counts(rig):
    asked = Asked(rig, "opaque", check_s=600)
    token = asked.token()
    answer = rig.login(token=token)
    asked.write_door(revocation_check="3s")
    rig.reload()
    asked.wait_rechecked(1)
    answer.talk()
    asked.write_door(revocation_check="off")
    rig.reload()
    before = asked.asked()
    time.sleep(3)  # nothing is to happen
    assert_equal(asked.asked(), before, "questions by a door that asks no more")
    answer.talk()
    asked.stop()


# ---- many ----

def sessions_of_one_token_share_the_question(rig):
    asked = Asked(rig, "opaque", check_s=8)
    token = asked.token()
    answers = [rig.login(token=token) for _ in range(40)]
    asked.wait_rechecked(80)
    check(asked.asked() <= 40, "%d questions for 40 logins and 80 looks" % asked.asked())
    asked.revoke(token)
    begin = time.monotonic()
    for answer in answers:
        answer.wait_end()
    check(time.monotonic() - begin <= 8 + SOON_S, "all of them end in time")
    asked.stop()


def many_sessions_from_one_address_are_asked_about_one_by_one(rig):
    asked = Asked(rig, "opaque", check_s=24 if IS_SANITIZED else 6)
    answers = [rig.login(token=asked.token()) for _ in range(60)]  # more in a second than a source may have of logins
    asked.wait_rechecked(60 if IS_SANITIZED else 180)
    assert_equal(rig.records(event="end"), [], "ends")
    for answer in answers:
        answer.talk()
        answer.close()
    asked.stop()


# ---- what is shown ----

def sessions_say_when_their_issuer_was_asked_and_who_it_is(rig):
    asked = Asked(rig, "opaque", start=False)
    asked.write_door(issuers="asked test", rules="\n".join(
        'allow agent agent-* to raw:connect on cache if issuer = "%s"' % i for i in (asked.issuer.url, "https://sso.test.example")))
    with open(rig.path + "/etc/issuers/test.conf", "a") as f:
        f.write("username_claim: test-${sub}\n")
    rig.start()
    a = rig.login(token=asked.token())
    b = rig.login(token=rig.token("cache", agent="agent-8"))
    asked.wait_rechecked(1)
    rows = {s["agent"]: s for s in rig.sessions()}
    check(abs(rows["agent-7"]["asked"] - time.time()) < CHECK_S + SOON_S and "asked" not in rows["agent-8"], rows)
    assert_equal([rows[n]["issuer"] for n in ("agent-7", "agent-8")], [asked.issuer.url, "https://sso.test.example"], "issuers")
    check(asked.issuer.url in rig.control("sessions").stdout, "the table says it as well")
    asked.issuer.close_listener()  # whose issuer is not asked has nothing to do with it
    check_end(rig, a, CHECK_S + SOON_S, "undecided", "issuer_unreachable")
    b.talk()
    asked.stop()


# ---- an issuer that nobody here wrote, and a real daemon ----

def _ask_redis(answer, command, want):
    answer.sock.sendall(command)
    got = b""
    while len(got) < len(want):
        piece = answer.sock.recv(64)
        check(piece, "redis is gone after %r" % got)
        got += piece
    assert_equal(got, want, command)


def _oidc_provider(rig, server):
    port = free_port()
    rig.spawn("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", rig.path, "--save", "", "--appendonly", "no")
    os.makedirs(rig.path + "/etc/clients")
    write_client(rig, server.issuer, "agent-secret", foreign.SECRET)
    rig.write("issuers/foreign.conf", {"issuer": server.issuer, "introspection": "opaque", "client": "asked", "allow_loopback_http": "yes",
                                       "introspection_claims": "client_id", "username_claim": "client_id"})
    rig.door("redis", "127.0.0.1:%d" % port, issuers="foreign", audience=foreign.IMAP, revocation_check="3s")
    rig.start()
    token = foreign.postern(server, "token", "--no-cache", "--resource", foreign.IMAP, "--scope", "mail.read")[1].strip()
    rig.secrets += [token, foreign.SECRET]
    answer = rig.login("redis", token=token)
    _ask_redis(answer, b"SET a 1\r\n", b"+OK\r\n")
    asked = len(server.requests(path="/token/introspection", status=200))
    wait_until(lambda: len(server.requests(path="/token/introspection", status=200)) >= asked + 2, "it is asked again")
    _ask_redis(answer, b"GET a\r\n", b"$1\r\n1\r\n")
    body = urllib.parse.urlencode({"token": token, "client_id": "agent-secret", "client_secret": foreign.SECRET}).encode()
    with urllib.request.urlopen(server.issuer + "/token/revocation", body, 20) as r:
        assert_equal(r.status, 200, "revocation")
    seconds, _ = answer.wait_end()
    check(seconds <= 3 + SOON_S, "ended after %.2f s" % seconds)
    rig.wait_record(event="end", end="revoked", reason="inactive", agent="agent-secret")


def an_opaque_token_of_oidc_provider_opens_redis_until_it_is_revoked(rig):
    if not os.path.exists(PEERS + "/node") or shutil.which("redis-server") is None:
        print("# skipped: POSTERN_PEERS or redis-server is missing")
        return
    foreign.FOLDER = rig.path + "/foreign"
    os.mkdir(foreign.FOLDER)
    foreign.prepare()
    server = foreign.Server()
    try:
        _oidc_provider(rig, server)
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
