#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""posternd as it is, asked as a plugin asks: logins through kills, reloads and restarts of its children and of itself."""
import base64
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import (Daemon, HELPER_UID, ISSUER_UID, OTHER_UID, UIDS, descriptors_of, is_alive, run_tests, status_of,  # noqa: E402
                    wait_until)

BUILD = os.environ["POSTERN_BUILD"]
RESOURCE = "https://localhost/ldap"


def start(folder, daemons, ready=True, **options):
    d = Daemon(BUILD + "/posternd", folder, **options)
    daemons.append(d)
    if ready:
        d.wait_ready()
    return d


def assert_equal(got, want, what):
    assert got == want, "%s: got %r, want %r" % (what, got, want)


def administer(folder, **request):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(folder.path + "/run/issuer-admin.sock")
        s.sendall(json.dumps(request).encode() + b"\n")
        with s.makefile() as f:
            reply = json.loads(f.readline())
    assert reply.get("ok"), reply
    return reply


def add_agent(folder, name="agent-7"):
    return administer(folder, verb="client_add", name=name, scopes=["ldap.read"], resources=[RESOURCE])["client_secret"]


def fetch_token(folder, secret, name="agent-7"):
    body = urllib.parse.urlencode({"grant_type": "client_credentials", "resource": RESOURCE, "scope": "ldap.read",
                                   "client_id": name, "client_secret": secret}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(folder.issuer + "/oauth/token", body, 60) as answer:
        return json.load(answer)["access_token"]


def ask(folder, token, service="ldap"):
    """One login, as the SASL plugin asks for it: (outcome, reason, ref)."""
    nonce = base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()
    request = {"v": 1, "op": "verify", "nonce": nonce, "service": service, "token": token, "carrier": "sasl", "tls": "local"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(60)
        s.connect(folder.path + "/run/helper.sock")
        s.send(json.dumps(request).encode())
        reply = s.recv(65536)
    assert reply, "no reply"
    reply = json.loads(reply)
    assert_equal(reply["nonce"], nonce, "nonce")
    return reply["outcome"], reply.get("reason"), reply["ref"]


def assert_login(folder, token, what):
    outcome, reason, _ = ask(folder, token)
    assert_equal((outcome, reason if outcome != "proved" else None), ("proved", None), what)


def why(folder, ref):
    return subprocess.run([BUILD + "/postern", "why", "--config", folder.path + "/etc", ref], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=60)


# ---- tests ----

def a_token_opens_a_login_and_why_tells_of_it(folder, daemons):
    start(folder, daemons)
    token = fetch_token(folder, add_agent(folder))
    outcome, _, ref = ask(folder, token)
    assert_equal(outcome, "proved", "login")
    r = why(folder, ref)
    assert_equal(r.returncode, 0, r.stderr)
    assert ref + ": accepted at 20" in r.stdout and "client agent-7" in r.stdout, r.stdout


def why_explains_a_refusal_with_check_line_and_advice(folder, daemons):
    folder.write("services/imap.conf", {"audience": "https://localhost/imap", "helper_peers": "root"})
    start(folder, daemons)
    token = fetch_token(folder, add_agent(folder))
    for service, shown, reason, origin in (("imap", token, "aud", "services/imap.conf:1"),
                                           ("ldap", token[:-10] + "AAAAAAAAAA", "bad_signature", ""),
                                           ("ldap", "no-token", "malformed", "")):
        outcome, got, ref = ask(folder, shown, service)
        assert_equal((outcome, got), ("rejected", reason), service)
        r = why(folder, ref)
        assert_equal(r.returncode, 0, r.stderr)
        assert re.search(r": %s \(RFC " % reason, r.stdout), r.stdout
        assert origin in r.stdout and "  advice   " in r.stdout, r.stdout
        assert shown not in r.stdout
    assert_equal(why(folder, "R-0000000000").returncode, 1, "an unknown reference")
    assert_equal(why(folder, "no reference").returncode, 2, "what is no reference")


def what_why_prints_steers_no_terminal(folder, daemons):
    ref = "R-AAAAAAAAAA"
    hostile = "red\u009b31m del\u007f line\u2028 turned\u202e \U0001f600 osc\u001b]0;x\u0007"
    record = {"ref": ref, "time": hostile, "outcome": "rejected", "reason": "expired", "detail": hostile, "user": hostile}
    path = folder.path + "/hostile.jsonl"
    with open(path, "w") as f:
        # Controls below U+0020 cannot stand raw in JSON; a tab between values can.
        f.write(json.dumps(record, ensure_ascii=False).replace(", ", ",\t") + "\n")
    for more in ([], ["--json"]):
        r = subprocess.run([BUILD + "/postern", "why", "--audit-file", path] + more + [ref], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert_equal(r.returncode, 0, r.stderr)
        shown = r.stdout.replace("\u00a7".encode(), b"")  # the sign before a section's number is ours
        assert all(0x20 <= c < 0x7f or c == 0x0a for c in shown), r.stdout
        if more:
            assert_equal(json.loads(r.stdout.decode()), record, "the record by --json")


def each_role_has_given_up_its_privileges(folder, daemons):
    folder.add_door()
    d = start(folder, daemons)
    for role, uid in UIDS.items():
        pid = d.child(role)
        st = status_of(pid)
        assert_equal(st["Uid"].split(), [str(uid)] * 4, "uids of " + role)
        assert_equal(st["Gid"].split(), [str(uid)] * 4, "gids of " + role)
        assert_equal(st["Groups"].strip(), "", "groups of " + role)
        assert_equal(st["NoNewPrivs"], "1", "no_new_privs of " + role)
        assert_equal(st["CapPrm"], "0" * 16, "capabilities of " + role)
        assert_equal(os.stat("/proc/%d/mem" % pid).st_uid, 0, "dumpable " + role)


def the_helper_cannot_read_the_signing_key(folder, daemons):
    start(folder, daemons)
    files = os.listdir(folder.path + "/state/issuer")
    assert files, "no key"
    for name in files:
        st = os.stat(folder.path + "/state/issuer/" + name)
        assert_equal((st.st_uid, stat.S_IMODE(st.st_mode) & 0o077), (ISSUER_UID, 0), name)
    for what in ["/state/issuer"] + ["/state/issuer/" + name for name in files]:
        r = subprocess.run(["setpriv", "--reuid", str(HELPER_UID), "--regid", str(HELPER_UID), "--clear-groups", "test", "-r",
                            folder.path + what])
        assert_equal(r.returncode, 1, what)


def logins_work_again_after_a_child_was_killed(folder, daemons):
    d = start(folder, daemons)
    secret = add_agent(folder)
    token = fetch_token(folder, secret)
    for n, role in ((2, "helper"), (2, "issuer"), (2, "audit"), (2, "control"), (3, "helper"), (3, "audit")):
        os.kill(d.child(role), signal.SIGKILL)
        d.wait_log(r"posternd: %s \d+ is ready" % role, n)
        wait_until(lambda: ask(folder, token)[0] == "proved", "a login after the death of the " + role)
        assert_login(folder, fetch_token(folder, secret), "a new token after the death of the " + role)


def no_login_is_lost_during_reloads(folder, daemons):
    d = start(folder, daemons)
    secret = add_agent(folder)
    token = fetch_token(folder, secret)
    wait_until(lambda: ask(folder, token)[0] == "proved", "the first login")
    over, outcomes, errors = threading.Event(), {}, []

    def log_in():
        while not over.is_set():
            try:
                key = ask(folder, token)[:2]
                outcomes[key] = outcomes.get(key, 0) + 1
            except Exception as e:
                errors.append(repr(e))

    threads = [threading.Thread(target=log_in) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        for n in range(2, 6):
            before = d.children()
            d.signal(signal.SIGHUP)
            d.wait_ready(n)
            fetch_token(folder, secret)
            audit = before.pop("audit")
            wait_until(lambda: not any(is_alive(p) for p in before.values()), "the old children's end")
            assert_equal(d.child("audit"), audit, "the audit child")
    finally:
        over.set()
        for t in threads:
            t.join()
    assert_equal(errors, [], "logins without an answer")
    assert_equal([k for k in outcomes if k[0] != "proved"], [], "outcomes")
    assert sum(outcomes.values()) > 20, outcomes


def a_removed_agent_stays_out_through_kills_reload_and_restart(folder, daemons):
    d = start(folder, daemons)
    token = fetch_token(folder, add_agent(folder))
    other = fetch_token(folder, add_agent(folder, "agent-8"), "agent-8")
    wait_until(lambda: ask(folder, token)[0] == "proved", "the first login")
    administer(folder, verb="client_remove", name="agent-7")
    assert_equal(ask(folder, token)[:2], ("rejected", "revoked"), "at once")
    for n, role in ((2, "helper"), (2, "issuer")):
        os.kill(d.child(role), signal.SIGKILL)
        d.wait_log(r"posternd: %s \d+ is ready" % role, n)
        wait_until(lambda: ask(folder, other)[0] == "proved", "a login of another agent")
        assert_equal(ask(folder, token)[:2], ("rejected", "revoked"), "after the death of the " + role)
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    wait_until(lambda: ask(folder, other)[0] == "proved", "a login of another agent")
    assert_equal(ask(folder, token)[:2], ("rejected", "revoked"), "after a reload")
    assert_equal(d.stop(), 0, "exit status")
    start(folder, daemons)
    wait_until(lambda: ask(folder, other)[0] == "proved", "a login of another agent")
    assert_equal(ask(folder, token)[:2], ("rejected", "revoked"), "after a restart")


def a_door_answers_through_reloads_and_the_deaths_of_the_others(folder, daemons):
    host, port = folder.add_door().split(":")
    d = start(folder, daemons)
    with open(folder.path + "/run/door-cert.pem") as f:
        assert "BEGIN CERTIFICATE" in f.read()

    def is_refused():
        """The door reads a login and says no: it is at work."""
        with socket.create_connection((host, int(port)), 60) as s:
            s.sendall(b"AUTH OAUTHBEARER bm90aGluZw==\r\n")
            with s.makefile("rb") as f:
                return f.readline().startswith(b"ERR ")

    door = d.child("door")
    wait_until(is_refused, "a word of the door")
    for n in (2, 3):
        d.signal(signal.SIGHUP)
        d.wait_ready(n)
        assert is_refused(), "after a reload"
    for role in ("helper", "issuer", "control", "audit"):
        seen = len(re.findall(r"posternd: %s \d+ is ready" % role, d.log()))
        os.kill(d.child(role), signal.SIGKILL)
        d.wait_log(r"posternd: %s \d+ is ready" % role, seen + 1)
        wait_until(is_refused, "a word of the door after the death of " + role)
    assert_equal(d.child("door"), door, "the door")
    os.kill(door, signal.SIGKILL)
    d.wait_log(r"posternd: door \d+ is ready", 2)
    wait_until(is_refused, "a word of the next door")
    assert_equal(d.stop(), 0, "exit status")


def reloads_cost_no_descriptor(folder, daemons):
    folder.add_door()
    d = start(folder, daemons)
    n, counts = 1, []
    for round_ in range(3):
        for _ in range(1 if round_ == 0 else 5):
            n += 1
            before = d.children()
            d.signal(signal.SIGHUP)
            d.wait_ready(n)
            wait_until(lambda: not any(is_alive(p) for r, p in before.items() if r not in ("audit", "door")), "the old children's end")

        def is_settled():
            now = {role: len(descriptors_of(pid)) for role, pid in dict(d.children(), supervisor=d.process.pid).items()}
            seen.append(now)
            # For a while the same; and no more than before, when what was on its way may still have been counted.
            return len(now) == 6 and seen[-8:] == [now] * 8 and (not counts or all(now[r] <= counts[0][r] for r in now))
        seen = []
        wait_until(is_settled, "as few descriptors as before: %r" % counts)
        counts.append(seen[-1])
    assert_equal(d.stop(), 0, "exit status")


def a_process_of_another_user_may_not_ask(folder, daemons):
    start(folder, daemons)
    token = fetch_token(folder, add_agent(folder))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(OTHER_UID, OTHER_UID, OTHER_UID)
            os.setresuid(OTHER_UID, OTHER_UID, OTHER_UID)
            status = 0 if ask(folder, token)[:2] == ("undecided", "peer_not_allowed") else 2
        finally:
            os._exit(status)
    assert_equal(os.waitpid(child, 0)[1], 0, "status of the asking process")


def without_root_it_works_as_well(folder, daemons):
    os.chown(folder.path, OTHER_UID, OTHER_UID)
    folder.server_keys["admin_peers"] = "root " + str(OTHER_UID)
    folder.set()
    d = start(folder, daemons, prefix=["setpriv", "--reuid", str(OTHER_UID), "--regid", str(OTHER_UID), "--clear-groups"])
    token = fetch_token(folder, add_agent(folder))
    wait_until(lambda: ask(folder, token)[0] == "proved", "a login")
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    wait_until(lambda: ask(folder, token)[0] == "proved", "a login")
    assert_equal(d.stop(), 0, "exit status")


def relaxed_settings_are_named_at_start(folder, daemons):
    folder.write("services/smtp.conf", {"audience": "https://localhost/smtp", "helper_peers": "root", "require_tls": "host"})
    log = start(folder, daemons).log()
    assert re.search(r"^posternd: relaxed: services/smtp\.conf:3: require_tls: host: ", log, re.M), log
    assert re.search(r"^posternd: relaxed: issuers/local\.conf:3: allow_loopback_http: ", log, re.M), log


def a_stop_lets_requests_finish_and_the_files_stay(folder, daemons):
    d = start(folder, daemons)
    token = fetch_token(folder, add_agent(folder))
    wait_until(lambda: ask(folder, token)[0] == "proved", "a login")
    assert_equal(d.stop(), 0, "exit status")
    assert_equal(re.findall(r"(\w+) \d+ drained, exited with status 0", d.log())[3:], ["audit"], "the fourth and last to go")
    assert stat.S_ISSOCK(os.stat(folder.path + "/run/helper.sock").st_mode)
    start(folder, daemons)
    wait_until(lambda: ask(folder, token)[0] == "proved", "a login with the token of before: the key was kept")


TESTS = [f for name, f in list(globals().items())
         if callable(f) and getattr(f, "__module__", "") == "__main__" and f.__code__.co_argcount == 2
         and f.__code__.co_varnames[:2] == ("folder", "daemons") and name != "start"]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    sys.exit(run_tests([t for t in TESTS if not wanted or t.__name__ in wanted]))
