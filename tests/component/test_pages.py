#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The issuer's pages in a real posternd: `postern user`, logins that do not hold up the loop, and real Chromium through login,
consent, narrowing, denial and the account (tests/e2e/pages/walk.mjs)."""
import concurrent.futures
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import Daemon, run_tests  # noqa: E402
import daemon  # noqa: E402
import test_issuer  # noqa: E402

BUILD = os.environ["POSTERN_BUILD"]
TOP = os.path.abspath(os.path.dirname(__file__) + "/../..")
PASSWORD = "correct horse battery staple"
RESOURCES = ["https://localhost/imap", "https://localhost/ldap"]


def start(folder, daemons):
    folder.write("services/imap.conf", {"audience": RESOURCES[0], "helper_peers": "root", "required_scopes": "mail.read"})
    d = Daemon(BUILD + "/posternd", folder)
    daemons.append(d)
    d.wait_ready()
    return d


def postern(folder, *arguments, stdin=""):
    return subprocess.run([BUILD + "/postern"] + list(arguments) + ["--config", folder.path + "/etc"], input=stdin, text=True,
                          capture_output=True, timeout=60)


def add_user(folder, name="alice", password=PASSWORD):
    r = postern(folder, "user", "add", name, stdin=password + "\n")
    assert r.returncode == 0, r.stderr


def add_agent(folder, name, title):
    r = postern(folder, "client", "add", name, "--resource", RESOURCES[0], "--resource", RESOURCES[1],
                "--scope", "mail.read mail.send", "--public", "--redirect-uri", "http://127.0.0.1/callback", "--title", title)
    assert r.returncode == 0, r.stderr


def mark_self_registered(folder, name):
    """As if it had come by RFC 7591, which has tests of its own."""
    db = sqlite3.connect(folder.path + "/state/issuer/clients.db", timeout=10)
    with db:
        db.execute("UPDATE client SET flags = 2 WHERE name = ?", (name,))
    db.close()


def assert_equal(got, want, what):
    assert got == want, "%s: got %r, want %r" % (what, got, want)


# ---- tests ----

def people_are_added_listed_and_removed(folder, daemons):
    start(folder, daemons)
    add_user(folder)
    r = postern(folder, "user", "add", "bob", "--generate")
    assert r.returncode == 0 and re.fullmatch(r"[\w-]{24}\n", r.stdout), r
    with open(folder.path + "/password", "w") as f:
        f.write(PASSWORD + "\n")
    os.chmod(folder.path + "/password", 0o644)
    r = postern(folder, "user", "add", "carol", "--password-file", folder.path + "/password")
    assert r.returncode == 3 and "chmod 600" in r.stderr, r
    os.chmod(folder.path + "/password", 0o600)
    r = postern(folder, "user", "add", "carol", "--password-file", folder.path + "/password")
    assert r.returncode == 0, r
    names = [u["name"] for u in json.loads(postern(folder, "user", "list", "--json").stdout)]
    assert_equal(names, ["alice", "bob", "carol"], "users")
    assert "alice  added 20" in postern(folder, "user", "list").stdout
    r = postern(folder, "user", "remove", "bob")
    assert r.returncode == 0 and "authorizations ended: 0" in r.stdout, r
    assert_equal(postern(folder, "user", "remove", "bob").returncode, 1, "removing nobody")


def names_and_passwords_that_may_not_be_are_refused(folder, daemons):
    start(folder, daemons)
    add_user(folder)
    add_agent(folder, "agent-7", "Mail helper")
    for name, password, word in (("alice", PASSWORD, "already"), ("agent-7", PASSWORD, "already"), ("root", PASSWORD, "reserved"),
                                 ("Alice", PASSWORD, "characters"), ("-x", PASSWORD, ""), ("dave", "short", "15 bytes"),
                                 ("dave", "tab\tis no text at all", "control"), ("dave", "", "")):
        r = postern(folder, "user", "add", "--", name, stdin=password + "\n") if name[0] == "-" else \
            postern(folder, "user", "add", name, stdin=password + "\n")
        assert r.returncode in (1, 2) and word in r.stderr, (name, r)
    r = postern(folder, "client", "add", "alice", "--resource", RESOURCES[0], "--secret-file", folder.path + "/s")
    assert r.returncode == 1 and "already" in r.stderr, r


def a_password_in_the_wrong_place_is_in_no_message(folder, daemons):
    start(folder, daemons)
    for words in (("--password", PASSWORD), ("--pass=" + PASSWORD,), (PASSWORD,), ("--json", "--generate", PASSWORD), ("--secret", PASSWORD)):
        r = postern(folder, "user", "add", "eve", *words)
        assert r.returncode == 2 and PASSWORD not in r.stdout + r.stderr, (words, r)
    assert_equal(postern(folder, "user", "list").stdout, "", "people")


def logins_do_not_hold_up_tokens_and_too_many_are_sent_away(folder, daemons):
    start(folder, daemons)
    status, headers, body = test_issuer.request(folder, "GET", "/oauth/login")
    assert_equal(status, 200, "login page")
    cookie = headers["set-cookie"].split(";")[0]
    token = re.search(r'name="form_token" value="([^"]+)"', body.decode()).group(1)
    form = ("form_token=%s&name=nobody&password=%s" % (token, PASSWORD.replace(" ", "+"))).encode()

    def attempt(_):
        return test_issuer.request(folder, "POST", "/oauth/login", dict(test_issuer.FORM, Cookie=cookie), form)

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        many = [pool.submit(attempt, i) for i in range(30)]
        times = []
        while not all(m.done() for m in many):
            begin = time.monotonic()
            assert_equal(test_issuer.request(folder, "GET", "/oauth/jwks")[0], 200, "keys")
            times.append(time.monotonic() - begin)
        answers = [m.result() for m in many]
    statuses = sorted({a[0] for a in answers})
    assert set(statuses) <= {403, 429, 503} and 403 in statuses, statuses
    for status, headers, _ in answers:
        assert status == 403 or int(headers["retry-after"]) > 0, headers
    times.sort()
    # A hash takes a tenth of a second; the middle one of many small answers waits for none.
    assert times[len(times) // 2] < 0.1, times


def a_browser_that_goes_away_while_its_password_is_hashed_harms_nobody(folder, daemons):
    import socket
    d = start(folder, daemons)
    _, headers, body = test_issuer.request(folder, "GET", "/oauth/login")
    cookie = headers["set-cookie"].split(";")[0]
    token = re.search(r'name="form_token" value="([^"]+)"', body.decode()).group(1)
    form = "form_token=%s&name=nobody&password=%s" % (token, PASSWORD.replace(" ", "+"))
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", folder.port)) as s:
            s.sendall(("POST /oauth/login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nCookie: %s\r\nContent-Length: %d\r\n"
                       "Content-Type: application/x-www-form-urlencoded\r\n\r\n%s" % (folder.port, cookie, len(form), form)).encode())
    d.wait_log("a login of somebody unknown failed", 4)
    assert_equal(test_issuer.request(folder, "GET", "/oauth/jwks")[0], 200, "keys")
    assert_equal(d.stop(), 0, "posternd's end")


def a_drain_waits_for_a_login(folder, daemons):
    d = start(folder, daemons)
    add_user(folder)
    _, headers, body = test_issuer.request(folder, "GET", "/oauth/login")
    cookie = headers["set-cookie"].split(";")[0]
    token = re.search(r'name="form_token" value="([^"]+)"', body.decode()).group(1)
    form = ("form_token=%s&name=alice&password=%s" % (token, PASSWORD.replace(" ", "+"))).encode()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(test_issuer.request, folder, "POST", "/oauth/login", dict(test_issuer.FORM, Cookie=cookie), form)
        import signal
        d.wait_log("user alice was added")
        time.sleep(0.02)  # likely in the middle of the hash; either way the answer must come
        d.signal(signal.SIGHUP)
        status, headers, _ = answer.result(60)
    assert_equal((status, headers["location"]), (303, "/oauth/account"), "the login")
    assert_equal(headers["cache-control"], "no-store", "cache")


class Browser:
    """Keeps cookies."""

    def __init__(self, folder):
        self.folder, self.cookies = folder, {}

    def ask(self, method, headers=None, form=b""):
        lines = {"Host": "127.0.0.1:%d" % self.folder.port, "Content-Length": str(len(form)), **(headers or {})}
        if self.cookies:
            lines["Cookie"] = "; ".join("%s=%s" % kv for kv in self.cookies.items())
        head = "%s /oauth/login HTTP/1.1\r\n%s\r\n" % (method, "".join("%s: %s\r\n" % kv for kv in lines.items()))
        answer = test_issuer.raw(self.folder, head.encode() + form)
        for name, value in re.findall(rb"^Set-Cookie: ([^=]+)=([^;\r]*)", answer.partition(b"\r\n\r\n")[0], re.M):
            self.cookies[name.decode()] = value.decode()
        return test_issuer.parse(answer)

    def log_in(self, name, password):
        body = self.ask("GET")[2].decode()
        token = re.search(r'name="form_token" value="([^"]+)"', body).group(1)
        return self.ask("POST", test_issuer.FORM, ("form_token=%s&name=%s&password=%s" % (token, name, password.replace(" ", "+"))).encode())[0]

    def close(self):
        """What lives as long as the browser goes."""
        self.cookies = {k: v for k, v in self.cookies.items() if k == "postern-known"}


def a_guesser_of_this_machine_locks_nobody_out_who_was_in_before(folder, daemons):
    start(folder, daemons)
    add_user(folder)
    alice, guesser = Browser(folder), Browser(folder)
    assert_equal(alice.log_in("alice", PASSWORD), 303, "the first login")
    alice.close()
    statuses = [guesser.log_in("alice", "guess guess guess guess") for _ in range(12)]
    assert_equal((statuses[:10], statuses[-1]), ([403] * 10, 429), "guesses")
    assert_equal(Browser(folder).log_in("alice", PASSWORD), 429, "a browser that nobody knows")
    assert_equal(alice.log_in("alice", PASSWORD), 303, "alice's browser")
    alice.close()
    assert_equal([alice.log_in("alice", "guess guess guess guess") for _ in range(11)], [403] * 10 + [429], "guesses in it")
    guesser.cookies["postern-known"] = "A" * 43
    assert_equal(guesser.log_in("alice", PASSWORD), 429, "a cookie that we did not make")


def chromium_walks_through_every_page(folder, daemons):
    peers = os.environ.get("POSTERN_PEERS", "")
    chromium, node, modules = shutil.which("chromium"), peers + "/node", peers + "/node_modules"
    assert chromium and os.path.isdir(modules + "/playwright-core"), \
        "needs chromium and POSTERN_PEERS: tests/peers/fetch FOLDER (tests/run gets both)"
    start(folder, daemons)
    add_user(folder)
    add_agent(folder, "agent-7", "Mail helper")
    add_agent(folder, "stranger", "Totally your bank")
    mark_self_registered(folder, "stranger")
    setup = {"issuer": folder.issuer, "password": PASSWORD, "resources": RESOURCES, "chromium": chromium, "modules": modules,
             "shots": os.environ.get("POSTERN_SHOTS")}
    r = subprocess.run([node, TOP + "/tests/e2e/pages/walk.mjs", json.dumps(setup)], text=True, capture_output=True, timeout=240)
    for line in r.stdout.splitlines():
        match = re.fullmatch(r"(not )?ok - (.*)", line)
        if match:
            daemon.report(not match.group(1), match.group(2))
        else:
            print(line)
    assert r.returncode == 0 and "ok - " in r.stdout, r.stdout + r.stderr


if __name__ == "__main__":
    # Chromium looks at pages; what the sanitizers look at is covered by the others and by the unit tests.
    browser = [] if os.environ.get("POSTERN_SANITIZED") else [chromium_walks_through_every_page]
    sys.exit(run_tests([
        people_are_added_listed_and_removed,
        names_and_passwords_that_may_not_be_are_refused,
        a_password_in_the_wrong_place_is_in_no_message,
        logins_do_not_hold_up_tokens_and_too_many_are_sent_away,
        a_browser_that_goes_away_while_its_password_is_hashed_harms_nobody,
        a_drain_waits_for_a_login,
        a_guesser_of_this_machine_locks_nobody_out_who_was_in_before,
    ] + browser))
