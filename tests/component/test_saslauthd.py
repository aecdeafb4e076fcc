#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""saslauthd's protocol on a real posternd: Cyrus SASL's own testsaslauthd, libsasl's sample server with `pwcheck_method: saslauthd`, and
clients that misbehave.  A token is the password; a person's password is refused and leaves no trace."""
import base64
import concurrent.futures
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import Daemon, IS_SANITIZED, OTHER_UID, free_port, records_in, run_tests, wait_until  # noqa: E402

BUILD = os.environ["POSTERN_BUILD"]
POSTERND, POSTERN, TOKEN_TOOL = BUILD + "/posternd", BUILD + "/postern", BUILD + "/tests/support/token_tool"
ISSUER = "https://sso.test.example"
PASSWORD = "correct-horse-battery-staple"


class Rig:
    """posternd that trusts a test issuer, with saslauthd_socket: for imap and not for smtp."""

    def __init__(self, folder, daemons, **more):
        self.folder, self.path = folder, folder.path
        self.socket = folder.path + "/run/saslauthd/mux"
        self.key = folder.path + "/issuer.pem"
        with open(self.key, "w") as f:
            subprocess.run([TOKEN_TOOL, "key"], stdout=f, check=True)
        with open(folder.path + "/test-jwks.json", "w") as f:
            subprocess.run([TOKEN_TOOL, "jwks", self.key], stdout=f, check=True)
        os.unlink(folder.path + "/etc/services/ldap.conf")
        folder.write("issuers/test.conf", {"issuer": ISSUER, "jwks_file": folder.path + "/test-jwks.json", "clock_skew": "0s"})
        self.write_service("imap", required_scopes="mail.read", username_strip_domain="example.org", service_names="imap pop")
        self.write_service("smtp")
        folder.set(saslauthd_socket=self.socket, services="imap", **more)
        self.daemon = Daemon(POSTERND, folder)
        daemons.append(self.daemon)
        self.daemon.wait_ready()

    def write_service(self, name, **more):
        self.folder.write("services/%s.conf" % name, dict({"audience": "https://localhost/" + name, "issuers": "test",
                                                           "helper_peers": "root", "require_tls": "host"}, **more))

    def token(self, service="imap", **more):
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": "alice", "client_id": "agent-7", "aud": "https://localhost/" + service, "iat": now,
                  "exp": now + 300, "jti": os.urandom(6).hex(), "scope": "mail.read"}
        claims.update(more)
        return subprocess.run([TOKEN_TOOL, "sign", self.key, "at+jwt"], input=json.dumps(claims).encode(), stdout=subprocess.PIPE,
                              check=True).stdout.decode().strip()

    def records(self):
        return [r for r in records_in(self.path + "/log/audit.jsonl") if r["event"] not in ("chain",)]

    def last(self):
        return self.records()[-1]

    def dial(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(60)
        s.connect(self.socket)
        return s

    def ask(self, *fields, after=b""):
        """The whole answer, b"" for a connection that was closed without one."""
        with self.dial() as s:
            s.sendall(b"".join(map(counted, fields)) + after)
            return read_all(s)

    def everything_written(self):
        text = self.daemon.log()
        with open(self.path + "/log/audit.jsonl") as f:
            return text + f.read()


def counted(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(data)) + data


def read_all(s):
    data = b""
    try:
        while True:
            piece = s.recv(64)
            if not piece:
                return data
            data += piece
    except ConnectionResetError:
        return data


OK, NO, NOTHING = b"\0\2OK", b"\0\2NO", b""


def testsaslauthd(rig, user, password, service="imap", realm=None):
    """(exit status, what it said)"""
    command = ["testsaslauthd", "-f", rig.socket, "-s", service, "-u", user, "-p", password]
    done = subprocess.run(command + (["-r", realm] if realm else []), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout.decode()


def expect(got, want, what):
    if got != want:
        raise AssertionError("%s: %r, wanted %r" % (what, got, want))


def expect_refused(rig, answer, reason):
    expect(answer, NO, reason)
    expect((rig.last()["outcome"], rig.last()["reason"], rig.last().get("carrier")), ("rejected", reason, "password"), "the record")


def testsaslauthd_logs_in_with_a_token(folder, daemons):
    rig = Rig(folder, daemons)
    status, said = testsaslauthd(rig, "alice", rig.token())
    expect((status, "OK" in said), (0, True), said)
    record = rig.last()
    expect([record[k] for k in ("event", "service", "outcome", "carrier", "tls", "user", "client_id")],
           ["verify", "imap", "proved", "password", "unknown", "alice", "agent-7"], "the record")
    status, said = testsaslauthd(rig, "alice", rig.token(), realm="example.org")
    expect((status, "OK" in said), (0, True), "a realm that username_strip_domain names: " + said)
    status, said = testsaslauthd(rig, "alice", rig.token(), service="pop")
    expect((status, "OK" in said), (0, True), "another name of the service: " + said)


def a_wrong_token_is_refused_by_its_reason(folder, daemons):
    rig = Rig(folder, daemons)
    status, said = testsaslauthd(rig, "alice", rig.token("smtp"))
    expect(("NO" in said, status != 0), (True, True), said)
    now = int(time.time())
    expect_refused(rig, rig.ask("alice", rig.token("smtp"), "imap", ""), "aud")
    expect_refused(rig, rig.ask("alice", rig.token(exp=now - 1), "imap", ""), "expired")
    expect_refused(rig, rig.ask("alice", rig.token(scope="x"), "imap", ""), "insufficient_scope")
    expect_refused(rig, rig.ask("bob", rig.token(), "imap", ""), "authzid")
    expect_refused(rig, rig.ask("alice", rig.token(), "imap", "other.example"), "authzid")
    expect_refused(rig, rig.ask("root", rig.token(sub="root"), "imap", ""), "user_denied")
    expect_refused(rig, rig.ask("alice", rig.token()[:-4] + "AAAA", "imap", ""), "bad_signature")
    expect_refused(rig, rig.ask("alice", "", "imap", ""), "no_token")
    expect(rig.ask("", rig.token(), "imap", ""), NO, "no login")


def a_persons_password_is_refused_and_leaves_no_trace(folder, daemons):
    rig = Rig(folder, daemons)
    digest = base64.b16encode(__import__("hashlib").sha256(PASSWORD.encode()).digest()).decode().lower()
    expect_refused(rig, rig.ask("alice", PASSWORD, "imap", ""), "malformed")
    for other in (PASSWORD + ".a.b", "p\xe4ss w\0rd", "eyJ", "a" * 4000):
        expect_refused(rig, rig.ask("alice", other.encode("latin1"), "imap", ""), "malformed")
    status, said = testsaslauthd(rig, "alice", PASSWORD)
    expect("NO" in said, True, said)
    written = rig.everything_written()
    expect([PASSWORD[i:i + 8] for i in range(len(PASSWORD) - 7) if PASSWORD[i:i + 8] in written], [], "pieces of it in a log")
    expect((digest[:12] in written, "fingerprint" in json.dumps(rig.records())), (False, False), "its hash")


def a_service_that_is_not_listed_is_closed_without_an_answer(folder, daemons):
    rig = Rig(folder, daemons)
    expect(rig.ask("alice", rig.token("smtp"), "smtp", ""), NOTHING, "smtp has a file, but services: does not name it")
    expect(rig.last()["reason"], "service_unknown", "the record")
    expect(rig.ask("alice", rig.token(), "nowhere", ""), NOTHING, "a service without a file")
    expect(rig.ask("alice", rig.token(), "", ""), NOTHING, "no service")


def a_process_that_helper_peers_does_not_name_is_closed_without_an_answer(folder, daemons):
    rig = Rig(folder, daemons)
    program = ("import os,sys,socket\nos.setgroups([]); os.setgid(%d); os.setuid(%d)\ns=socket.socket(socket.AF_UNIX)\n"
               "s.connect(sys.argv[1])\ns.sendall(sys.stdin.buffer.read())\nsys.stdout.buffer.write(s.recv(64))\n" % (OTHER_UID, OTHER_UID))
    data = b"".join(map(counted, ("alice", rig.token(), "imap", "")))
    done = subprocess.run([sys.executable, "-c", program, rig.socket], input=data, stdout=subprocess.PIPE, timeout=60)
    expect((done.returncode, done.stdout), (0, b""), "a stranger")
    expect((rig.last()["reason"], rig.last()["uid"]), ("peer_not_allowed", OTHER_UID), "the record")


def what_is_undecided_is_closed_without_an_answer(folder, daemons):
    rig = Rig(folder, daemons)
    os.unlink(rig.path + "/test-jwks.json")
    rig.daemon.signal(signal.SIGHUP)
    rig.daemon.wait_log(r"^posternd: helper \d+ drained")
    expect(rig.ask("alice", rig.token(), "imap", ""), NOTHING, "no keys")
    expect((rig.last()["outcome"], rig.last()["reason"]), ("undecided", "keys_unavailable"), "the record")


def a_fifth_field_is_for_the_record_alone(folder, daemons):
    rig = Rig(folder, daemons)
    expect(rig.ask("alice", rig.token(), "imap", "", "192.0.2.7"), OK, "with an address")
    expect(rig.last()["peer"], "192.0.2.7", "the record")
    expect(rig.ask("alice", rig.token(), "imap", "", "\x1b[2J"), OK, "an address that is none")
    expect("peer" in rig.last(), False, "it in the record")
    expect(rig.ask("alice", rig.token(), "imap", "", after=b""), OK, "an empty one... ")
    expect(rig.ask("alice", rig.token(), "imap", "", after=b"\0\x09192"), OK, "half of one is not waited for")
    expect(rig.ask("alice", rig.token(), "imap", "", "192.0.2.7", after=b"\0"), NO, "something behind it")


def slow_writers_are_answered_and_slower_ones_closed(folder, daemons):
    rig = Rig(folder, daemons)
    data = b"".join(map(counted, ("alice", rig.token(), "imap", "")))
    with rig.dial() as s:
        for i in range(len(data)):
            s.sendall(data[i:i + 1])
        expect(read_all(s), OK, "byte by byte")
    begin = time.monotonic()
    with rig.dial() as drips, rig.dial() as silent:
        def drip():
            try:
                for i in range(len(data) - 1):
                    drips.sendall(data[i:i + 1])
                    if gone.wait(0.2):
                        return
            except OSError:
                pass
        gone = threading.Event()
        thread = threading.Thread(target=drip)
        thread.start()
        expect(read_all(silent), NOTHING, "a silent one")
        expect(read_all(drips), NOTHING, "one that drips")
        gone.set()
        thread.join()
    expect(8 < time.monotonic() - begin < 16, True, "its total time %.1f" % (time.monotonic() - begin))


def oversize_lengths_are_refused_at_once(folder, daemons):
    rig = Rig(folder, daemons)
    for what, start in (("login", b"\xff\xff"), ("login just too long", b"\x01\0"), ("password", counted("alice") + b"\x40\x01"),
                        ("service", counted("alice") + counted("x") + b"\x01\0"),
                        ("realm", counted("alice") + counted("x") + counted("imap") + b"\xff\xff")):
        with rig.dial() as s:
            s.sendall(start)
            expect(read_all(s), NO, what)
    expect(rig.last()["reason"], "limit", "the record")
    expect(rig.ask("alice", rig.token(pad="x" * 5500), "imap", ""), OK, "a token of 8 KB")
    expect(rig.ask("alice", rig.token(), "imap", ""), OK, "and nobody else is harmed")


def a_caller_that_hangs_up_is_forgotten(folder, daemons):
    rig = Rig(folder, daemons)
    data = b"".join(map(counted, ("alice", rig.token(), "imap", "")))
    for cut in (0, 1, 2, 9, len(data) - 1, len(data)):
        with rig.dial() as s:
            s.sendall(data[:cut])
    with rig.dial() as s:
        s.sendall(data + b"GARBAGE" * 1000)
        expect(read_all(s) in (NOTHING, NO), True, "pipelined garbage")
    expect(rig.ask("alice", rig.token(), "imap", ""), OK, "and the next")
    wait_until(lambda: len(os.listdir("/proc/%d/fd" % rig.daemon.child("helper"))) < 40, "its descriptors are closed")


def a_reload_under_load_loses_no_login(folder, daemons):
    rig = Rig(folder, daemons)
    tokens = [rig.token(sub="user%d" % i) for i in range(4)]
    answers, stop = [], threading.Event()

    def work(i):
        while not stop.is_set():
            answers.append(rig.ask("user%d" % i, tokens[i], "imap", ""))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    try:
        for i in range(3):
            enough = len(answers) + 20
            wait_until(lambda: len(answers) > enough, "logins before reload %d" % i)
            rig.daemon.signal(signal.SIGHUP)
            rig.daemon.wait_log(r"^posternd: reloaded,", i + 1)
        enough = len(answers) + 20
        wait_until(lambda: len(answers) > enough, "logins after the reloads")
    finally:
        stop.set()
        for t in threads:
            t.join()
    expect(set(answers), {OK}, "answers of %d logins" % len(answers))


def sample_login(rig, user, password):
    """What Cyrus SASL's sample server says of a login by PLAIN, with saslauthd's protocol behind it."""
    conf = rig.path + "/sasl"
    os.makedirs(conf, exist_ok=True)
    with open(conf + "/sample.conf", "w") as f:
        f.write("pwcheck_method: saslauthd\nsaslauthd_path: %s\nmech_list: PLAIN\n" % rig.socket)
    lines = "C: %s\n" % base64.b64encode(("PLAIN\0\0%s\0%s" % (user, password)).encode()).decode()
    server = subprocess.Popen(["sasl-sample-server", "-m", "PLAIN", "-s", "imap"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=dict(os.environ, SASL_CONF_PATH=conf))
    return server.communicate(lines.encode(), timeout=60)[0].decode(errors="replace")


def the_sample_server_takes_a_token_by_plain(folder, daemons):
    rig = Rig(folder, daemons)
    out = sample_login(rig, "alice", rig.token())
    expect("Username: alice" in out or "successful" in out.lower(), True, out)
    expect(rig.last()["outcome"], "proved", "the record")
    out = sample_login(rig, "alice@example.org", rig.token())
    expect(("authentication failed" in out, rig.last()["outcome"]), (False, "proved"), "libsasl takes the name apart: " + out)
    out = sample_login(rig, "bob", rig.token())
    expect(("Username: bob" in out, rig.last()["reason"]), (False, "authzid"), out)
    sample_login(rig, "alice", PASSWORD)
    expect((rig.last()["outcome"], rig.last()["reason"]), ("rejected", "malformed"), "a person's password")


def an_issuer_that_is_away_is_no_bad_password(folder, daemons):
    """The issuer's keys would come by http from a port at which nobody listens.  libsasl has no word for "later": it says that it could
    read no answer, and that is another error than a refusal."""
    rig = Rig(folder, daemons)
    issuer = "http://127.0.0.1:%d" % free_port()
    folder.write("issuers/test.conf", {"issuer": issuer, "allow_loopback_http": "yes", "clock_skew": "0s"})
    rig.daemon.signal(signal.SIGHUP)
    rig.daemon.wait_log(r"^posternd: helper \d+ drained")
    token = rig.token(iss=issuer)

    def said_of(password, want, reason, heard, unheard):
        for what, said in (("testsaslauthd", testsaslauthd(rig, "alice", password)[1]), ("sample server", sample_login(rig, "alice", password))):
            expect((heard[what] in said, unheard[what] in said), (True, False), "%s, %s: %s" % (what, reason, said))
            expect((rig.last()["outcome"], rig.last()["reason"]), (want, reason), "the record of " + what)

    later = {"testsaslauthd": "size read failed", "sample server": "SASL negotiation: generic failure"}
    no = {"testsaslauthd": 'NO "authentication failed"', "sample server": "SASL negotiation: authentication failure"}
    said_of(token, "undecided", "keys_unavailable", later, no)
    said_of(PASSWORD, "rejected", "malformed", no, later)

    answers = []
    threads = [threading.Thread(target=lambda: answers.append(rig.ask("alice", token, "imap", ""))) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    expect(answers, [NOTHING] * 20, "twenty at a time")


def five_hundred_logins_leave_nothing(folder, daemons):
    """After the first hundred the helper has what it keeps: at most four descriptors by chance, and less than 4 KiB a login."""
    rig = Rig(folder, daemons)
    token, helper = rig.token(), rig.daemon.child("helper")

    def logins(count):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            expect(set(pool.map(lambda _: rig.ask("alice", token, "imap", ""), range(count))), {OK}, "answers")

    def size():
        with open("/proc/%d/smaps_rollup" % helper) as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Private_Dirty:"))

    logins(100)
    open_before, kib_before = len(os.listdir("/proc/%d/fd" % helper)), size()
    logins(400)
    wait_until(lambda: len(os.listdir("/proc/%d/fd" % helper)) <= open_before + 4, "its descriptors are closed")
    if not IS_SANITIZED:  # whose quarantine keeps what was freed
        expect(size() - kib_before < 1600, True, "%d and %d KiB" % (kib_before, size()))


def handle(rig, token, *options, service="imap", as_uid=None):
    """(exit status, the handle, the message)"""
    def drop():
        if as_uid is not None:
            os.setgroups([])
            os.setgid(as_uid)
            os.setuid(as_uid)
    done = subprocess.run([POSTERN, "handle", "--service", service, "--socket", rig.path + "/run/helper.sock"] + list(options),
                          input=token.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=drop, timeout=60)
    return done.returncode, done.stdout.decode().strip(), done.stderr.decode()


def mint(rig, token, *options, **more):
    status, text, message = handle(rig, token, *options, **more)
    expect((status, len(text) <= 64, text[:4]), (0, True, "pst_"), message)
    return text


def a_handle_logs_in_once(folder, daemons):
    rig = Rig(folder, daemons)
    token = rig.token()
    text = mint(rig, token)
    expect([rig.last()[k] for k in ("event", "outcome", "user")], ["handle", "proved", "alice"], "the record of minting")
    expect("handle" in rig.last(), False, "the token itself came")
    status, said = testsaslauthd(rig, "alice", text)
    expect((status, "OK" in said), (0, True), said)
    expect([rig.last()[k] for k in ("event", "outcome", "user", "carrier", "handle")], ["verify", "proved", "alice", "password", True],
           "the record")
    expect_refused(rig, rig.ask("alice", text, "imap", ""), "handle")
    twice = mint(rig, token, "--uses", "2")
    expect([rig.ask("alice", twice, "imap", "") for _ in range(3)], [OK, OK, NO], "two uses")
    expect_refused(rig, rig.ask("alice", "pst_" + "A" * 32, "imap", ""), "handle")
    written = rig.everything_written()
    expect([t for t in (text[4:], twice[4:], token.rsplit(".")[-1]) if t in written], [], "handles or tokens in a log")


def a_handle_opens_no_more_than_its_token(folder, daemons):
    rig = Rig(folder, daemons)
    expect_refused(rig, rig.ask("bob", mint(rig, rig.token()), "imap", ""), "authzid")
    expect_refused(rig, rig.ask("alice", mint(rig, rig.token("smtp"), service="smtp"), "imap", ""), "aud")
    end = int(time.time()) + (12 if IS_SANITIZED else 5)
    soon = mint(rig, rig.token(exp=end))
    wait_until(lambda: time.time() >= end, "the token's end")
    expect_refused(rig, rig.ask("alice", soon, "imap", ""), "expired")
    old = mint(rig, rig.token())
    rig.daemon.signal(signal.SIGHUP)
    rig.daemon.wait_log(r"^posternd: helper \d+ drained")  # until then it may still be who accepts
    expect_refused(rig, rig.ask("alice", old, "imap", ""), "handle")


def a_handle_is_minted_for_a_good_token_and_for_who_may(folder, daemons):
    rig = Rig(folder, daemons)
    for token, service, want in ((rig.token("smtp"), "imap", "aud"), (rig.token(exp=1), "imap", "expired"),
                                 (PASSWORD, "imap", "malformed"), (mint(rig, rig.token()), "imap", "malformed")):
        status, text, message = handle(rig, token, service=service)
        expect((status, text, rig.last()["reason"], rig.last()["event"]), (1, "", want, "handle"), message)
    expect(handle(rig, rig.token(), service="nowhere")[:2], (3, ""), "a service without a file")
    expect(handle(rig, rig.token(), "--uses", "9")[:2], (2, ""), "nine uses")
    if subprocess.run([POSTERN, "--version"], preexec_fn=lambda: os.setuid(OTHER_UID), stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode == 0:
        expect(handle(rig, rig.token(), as_uid=OTHER_UID)[:2], (3, ""), "a stranger")
        expect((rig.last()["reason"], rig.last()["setting"]), ("peer_not_allowed", "handle_peers"), "the record")
        rig.write_service("imap", required_scopes="mail.read", handle_peers=str(OTHER_UID))
        rig.daemon.signal(signal.SIGHUP)
        rig.daemon.wait_log(r"^posternd: helper \d+ drained")
        expect(rig.ask("alice", mint(rig, rig.token(), as_uid=OTHER_UID), "imap", ""), OK, "an agent whom handle_peers names")
    token = rig.token()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:  # they live for a minute, and all at one time
        told = {h[0] for h in pool.map(lambda _: handle(rig, token), range(80))}
    expect(told, {0, 3}, "too many of one user")
    expect([r["outcome"] for r in rig.records() if r["event"] == "handle" and r["reason"] == "busy"][:1], ["undecided"], "the record")


def settings_that_say_half_are_start_errors(folder, daemons):
    rig = Rig(folder, daemons)
    for keys, want in (({"saslauthd_socket": "/run/x/mux"}, "needs services"), ({"services": "imap"}, "means nothing without"),
                       ({"saslauthd_socket": "/run/x/mux", "services": "imap nowhere"}, "there is no services/nowhere.conf"),
                       ({"saslauthd_socket": "mux", "services": "imap"}, "absolute")):
        for key in ("saslauthd_socket", "services"):
            folder.daemon_keys.pop(key, None)
        folder.set(**keys)
        done = subprocess.run([POSTERND, "--config", rig.path + "/etc", "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        expect((done.returncode, want in done.stdout.decode()), (78, True), done.stdout.decode())


TESTS = [testsaslauthd_logs_in_with_a_token, a_wrong_token_is_refused_by_its_reason, a_persons_password_is_refused_and_leaves_no_trace,
         a_service_that_is_not_listed_is_closed_without_an_answer,
         a_process_that_helper_peers_does_not_name_is_closed_without_an_answer, what_is_undecided_is_closed_without_an_answer,
         a_fifth_field_is_for_the_record_alone, slow_writers_are_answered_and_slower_ones_closed, oversize_lengths_are_refused_at_once,
         a_caller_that_hangs_up_is_forgotten, five_hundred_logins_leave_nothing, a_reload_under_load_loses_no_login, the_sample_server_takes_a_token_by_plain, an_issuer_that_is_away_is_no_bad_password,
         a_handle_logs_in_once, a_handle_opens_no_more_than_its_token, a_handle_is_minted_for_a_good_token_and_for_who_may,
         settings_that_say_half_are_start_errors]

if __name__ == "__main__":
    if shutil.which("testsaslauthd") is None or shutil.which("sasl-sample-server") is None:
        print("not ok - needs testsaslauthd and sasl-sample-server (Debian: sasl2-bin)")
        sys.exit(1)
    sys.exit(run_tests(TESTS))
