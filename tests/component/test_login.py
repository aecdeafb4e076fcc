#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`postern login`, `exchange`, `logout`, `status` and `token --login` against an authorization server, browsers and resources that
misbehave on command: what leaves, where it goes, what is stored.  TAP output; needs nothing but Python's own modules."""
import base64
import glob
import hashlib
import http.server
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402

POSTERN = os.environ.get("POSTERN_BUILD", ".") + "/postern"
SECRET = "s3cr3t-of-agent-7"
IMAP, LDAP = "https://mail.example.org/imap", "https://ldap.example.org/ldap"
ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"
TOKENS = ("acc3ss", "r3fr3sh", "n3w-token", "c0de")
STRANGER = 23456  # another user of this machine


class Server(http.server.ThreadingHTTPServer):
    """One issuer; `mode` says how it misbehaves; `posts` is what it was asked; codes are bound to their challenge."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.issuer = "http://127.0.0.1:%d" % self.server_address[1]
        self.mode, self.gets, self.posts, self.challenge, self.count = "good", [], [], None, 0
        self.hold = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def asked(self, grant):
        return [p for p in self.posts if p.get("grant_type", "").endswith(grant)]

    def metadata(self):
        m = {"issuer": self.issuer, "code_challenge_methods_supported": ["S256"], "authorization_response_iss_parameter_supported": True}
        for name in ("authorization", "token", "revocation"):
            m[name + "_endpoint"] = self.issuer + "/" + name
        lies = {"lie issuer": {"issuer": "https://evil.example"}, "lie token": {"token_endpoint": EVIL.issuer + "/token"},
                "lie page": {"authorization_endpoint": EVIL.issuer + "/authorization"}, "lie scheme": {"authorization_endpoint": "file:///etc/passwd"},
                "no S256": {"code_challenge_methods_supported": ["plain"]}, "no PKCE": {"code_challenge_methods_supported": None},
                "post only": {"token_endpoint_auth_methods_supported": ["client_secret_post"]}}
        m.update(lies.get(self.mode, {}))
        return {k: v for k, v in m.items() if v is not None}

    def token_answer(self, form):
        self.count += 1
        answer = {"access_token": "acc3ss-%d" % self.count, "token_type": "Bearer", "expires_in": 600, "scope": "mail.read", "sub": "alice"}
        if form["grant_type"] != "refresh_token" or self.mode != "keep":
            answer["refresh_token"] = "r3fr3sh-%d" % self.count
        if form["grant_type"].endswith("token-exchange"):
            answer.update({"access_token": "n3w-token", "issued_token_type": ACCESS_TYPE})
            answer.update({"refresh type": {"issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
                           "no type": {"issued_token_type": None}, "DPoP": {"token_type": "DPoP"}, "N_A": {"token_type": "N_A"},
                           "wider": {"scope": "mail.read admin"}, "narrower": {"scope": ""}}.get(self.mode, {}))
        return {k: v for k, v in answer.items() if v is not None}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, body, **headers):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.server.gets.append(self.path)
        if self.path == "/.well-known/oauth-protected-resource/x":
            return self.answer(200, {"resource": self.server.issuer + "/x", "authorization_servers": [self.server.issuer]})
        return self.answer(200, self.server.metadata())

    def do_POST(self):
        s = self.server
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        form["path"], form["authorization"] = self.path, self.headers.get("Authorization", "")
        s.posts.append(form)
        if s.mode == "redirect":
            return self.answer(307, {}, Location=EVIL.issuer + "/token")
        if s.mode == "503":
            return self.answer(503, {})
        if s.mode == "hang up":
            return self.connection.close()
        if s.mode == "hold":
            s.hold.wait(20)
        if self.path == "/revocation":
            return self.answer(200, {})
        if form["grant_type"] == "authorization_code":
            verifier = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
            if verifier != s.challenge or form["code"] != "c0de":
                return self.answer(400, {"error": "invalid_grant", "error_description": "not the code of this verifier: " + form["code_verifier"]})
        return self.answer(200, s.token_answer(form))


def environment(**more):
    e = {"PATH": os.environ.get("PATH", ""), "HOME": FOLDER, "XDG_STATE_HOME": FOLDER + "/state"}
    e.update({n: os.environ[n] for n in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if n in os.environ})
    return dict(e, **more)


def words(server, command, *more):
    return [POSTERN, command, "--issuer", server.issuer, "--client-id", "agent-7", "--secret-file", FOLDER + "/secret",
            "--allow-loopback-http", "--loopback-user", str(os.getuid())] + list(more)


class Run:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __str__(self):
        return "status %s\nout: %s\nerr: %s" % (self.status, self.out, self.err)


def postern(server, command, *more):
    p = subprocess.run(words(server, command, *more), env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
    return Run(p.returncode, p.stdout, p.stderr)


def report(ok, name, run, *more):
    """Nothing secret is ever on standard error."""
    for secret in (SECRET,) + TOKENS:
        ok = ok and secret not in run.err
    daemon.report(ok, name, "\n".join([str(run)] + [str(m) for m in more]))


def get(url):
    try:
        with urllib.request.urlopen(url, None, 60) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


class Login:
    """A `postern login` that waits for its browser."""

    def __init__(self, server, *more, **env):
        self.server = server
        self.p = subprocess.Popen(words(server, "login", *(more or ("--no-browser", "--resource", IMAP, "--scope", "mail.read"))),
                                  env=environment(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = self.p.stdout.readline().strip()
        self.asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.url).query))
        self.state, self.redirect, server.challenge = self.asked.get("state"), self.asked.get("redirect_uri"), self.asked.get("code_challenge")

    def bring(self, **more):
        q = {"code": "c0de", "state": self.state, "iss": self.server.issuer}
        q.update(more)
        return get(self.redirect + "?" + urllib.parse.urlencode({k: v for k, v in q.items() if v is not None}))

    def end(self):
        out, err = self.p.communicate(timeout=60)
        return Run(self.p.returncode, out, err)


def entries():
    folder = FOLDER + "/state/postern/logins"
    return sorted(n for n in os.listdir(folder) if len(n) == 64) if os.path.isdir(folder) else []


def read_entry():
    with open(FOLDER + "/state/postern/logins/" + entries()[0]) as f:
        return json.load(f)


def forget():
    shutil.rmtree(FOLDER + "/state", ignore_errors=True)
    os.makedirs(FOLDER + "/state")


def log_in(server):
    """A clean store with one login whose access token has expired, and a server that behaves."""
    forget()
    server.mode = "good"
    login = Login(server)
    login.bring()
    run = login.end()
    assert run.status == 0, run
    path = FOLDER + "/state/postern/logins/" + entries()[0]
    e = dict(read_entry(), expires=1)
    with open(path, "w") as f:
        json.dump(e, f)
    server.posts.clear()
    return e


# ---- the browser ----

def a_stranger_at_the_callback_gets_404_and_ends_nothing(server):
    login = Login(server)
    base = login.redirect.rsplit("/", 1)[0]
    seen = [get(base + "/")[0], get(base + "/favicon.ico")[0], get(login.redirect)[0], login.bring(state=None)[0], login.bring(state="x" * 43)[0],
            login.bring(state=login.state + "x")[0], get(login.redirect + "?state=%s&state=%s&code=c0de" % (login.state, login.state))[0]]
    alive = login.p.poll() is None
    ok = login.bring()
    run = login.end()
    report(seen == [404] * 7 and alive and ok[0] == 200 and run.status == 0 and len(server.asked("authorization_code")) == 1,
           "a stranger at the callback gets 404 and ends nothing", run, seen, ok)


def rubbish_huge_requests_and_silence_do_not_stop_a_login(server):
    login = Login(server)
    port = urllib.parse.urlsplit(login.redirect).port
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    answers = []
    for data in (b"\x16\x03\x01\x00rubbish\r\n\r\n", b"GET /callback?" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"GET /callback?state=%s HTTP/1.1\r\nHost: evil.example\r\n\r\n" % login.state.encode()):
        with socket.create_connection(("127.0.0.1", port)) as s:
            try:
                s.sendall(data)
                answers.append(s.recv(100)[:12])
            except OSError:  # it was not read to its end
                answers.append(b"HTTP/1.1 400")
    ok = login.bring()
    run = login.end()
    for s in silent:
        s.close()
    report(answers == [b"HTTP/1.1 400"] * 3 and ok[0] == 200 and run.status == 0, "rubbish, huge requests and silence do not stop a login",
           run, answers)


def a_second_callback_finds_nobody(server):
    login = Login(server)
    login.bring()
    run = login.end()
    try:
        again = login.bring()
    except (urllib.error.URLError, OSError):
        again = None
    report(run.status == 0 and again is None and len(server.asked("authorization_code")) == 1, "a second callback finds nobody", run, again)


def the_page_holds_no_script_and_nothing_of_the_request(server):
    login = Login(server)
    status, page = login.bring()
    run = login.end()
    report(status == 200 and "close this window" in page and "<script" not in page and "c0de" not in page and login.state not in page,
           "the page holds no script and nothing of the request", run, page)


def an_answer_of_another_issuer_is_a_mix_up_and_the_code_stays_here(server):
    for iss in ("https://evil.example", server.issuer + "/", None):
        login = Login(server)
        login.bring(iss=iss)
        run = login.end()
        report(run.status == 3 and "issuer_untrusted" in run.err and not server.posts and not entries(),
               "an answer that names the issuer %s is a mix-up: the code stays here" % iss, run, server.posts)


def an_injected_code_is_worth_nothing(server):
    login = Login(server)
    server.challenge = "challenge-of-another-login"  # the attacker's code belongs to the attacker's own login
    login.bring()
    run = login.end()
    report(run.status == 1 and "invalid_grant" in run.err and not entries(), "an injected code is worth nothing", run)


def a_person_who_says_no_is_understood(server):
    login = Login(server)
    login.bring(code=None, error="access_denied", error_description="no\x1b[2J")
    run = login.end()
    report(run.status == 1 and "access_denied" in run.err and "\x1b" not in run.err and not server.posts and not entries(),
           "a person who says no is understood", run)


def nobody_comes(server):
    login = Login(server, "--no-browser", "--timeout", "1")
    run = login.end()
    report(run.status == 3 and "timeout" in run.err and not entries(), "a login for which nobody comes ends by itself", run)


def a_registered_port_serves_one_login_after_the_other(server):
    """The connection to the callback that was closed first on our side keeps its port for a minute."""
    port, runs = str(daemon.free_port()), []
    for _ in range(3):
        login = Login(server, "--no-browser", "--port", port, "--resource", IMAP)
        login.bring()
        runs.append(login.end())
    report([r.status for r in runs] == [0] * 3 and login.redirect == "http://127.0.0.1:%s/callback" % port,
           "a registered port serves one login after the other", runs[-1])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(port)))
        other.listen()
        run = Login(server, "--no-browser", "--port", port).end()
    report(run.status == 3 and "in use" in run.err, "a port that somebody listens on is not shared", run)


def the_browser_gets_an_address_as_one_word(server):
    os.makedirs(FOLDER + "/bin", exist_ok=True)
    with open(FOLDER + "/bin/xdg-open", "w") as f:
        f.write('#!/bin/sh\nprintf "%%s\\n" "$#" "$1" >"%s/argv.new" && mv "%s/argv.new" "%s/argv"\n' % (FOLDER, FOLDER, FOLDER))
    os.chmod(FOLDER + "/bin/xdg-open", 0o755)
    path = FOLDER + "/bin:" + os.environ.get("PATH", "")
    login = Login(server, "--scope", "mail.read", DISPLAY=":99", PATH=path)
    daemon.wait_until(lambda: os.path.exists(FOLDER + "/argv"), "the browser was started")
    with open(FOLDER + "/argv") as f:
        argv = f.read().splitlines()
    os.unlink(FOLDER + "/argv")
    login.bring()
    run = login.end()
    report(run.status == 0 and argv == ["1", login.redirect.replace("/callback", "/start")], "the browser gets an address as one word", run, argv)
    login = Login(server, "--no-browser", DISPLAY=":99", PATH=path)
    login.bring()
    report(login.end().status == 0 and not os.path.exists(FOLDER + "/argv"), "with --no-browser none is started", run)


def arguments_of_all(uid):
    """What a process of `uid` reads of the arguments of everybody's."""
    def read():
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as f:
                    found += [w.decode(errors="replace") for w in f.read().split(b"\0") if w.startswith(b"http")]
            except OSError:
                pass  # ended meanwhile
        return found
    return as_user(uid, read)


def as_user(uid, act):
    """What act() returns, JSON, in a process of that user's."""
    ends = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.write(ends[1], json.dumps(act()).encode())
        finally:
            os._exit(0)
    os.close(ends[1])
    with os.fdopen(ends[0]) as f:
        text = f.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def ask_plainly(url):
    """Status, Location and page, without a library that is loaded late."""
    at = urllib.parse.urlsplit(url)
    with socket.create_connection((at.hostname, at.port), 60) as s:
        s.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (at.path + ("?" + at.query if at.query else ""), at.netloc)).encode())
        head, page = b"".join(iter(lambda: s.recv(65536), b"")).decode().split("\r\n\r\n", 1)
    head = head.split("\r\n")
    return int(head[0].split()[1]), dict(line.split(": ", 1) for line in head[1:]).get("Location"), page


def another_user_who_reads_the_browsers_arguments_brings_no_answer(server):
    """With state and challenge of the address one could have a code made for it, as oneself, and bring that: the agent would act for
    the wrong person."""
    if os.getuid() != 0:
        return daemon.report(True, "another user who reads the browser's arguments brings no answer # SKIP needs root")
    with open(FOLDER + "/bin/xdg-open", "w") as f:
        f.write("#!/bin/sh\nsleep 3\n")
    path = FOLDER + "/bin:" + os.environ.get("PATH", "")
    login = Login(server, "--scope", "mail.read", DISPLAY=":99", PATH=path)
    start = login.redirect.replace("/callback", "/start")
    seen = daemon.wait_until(lambda: (lambda all: all if [a for a in all if a.startswith(login.redirect.rsplit("/", 1)[0]) or "code_challenge" in a]
                                      else None)(arguments_of_all(STRANGER)), "the browser's arguments")
    told = as_user(STRANGER, lambda: ask_plainly(start))
    ours = ask_plainly(start)
    alive = login.p.poll() is None
    login.bring()
    run = login.end()
    report("Open the address that the program printed" in told[2], "who is not led is told to open the address that was printed", run, told)
    report(start in seen and not [a for a in seen if login.state in a or server.challenge in a] and told[:2] == [404, None] and
           not [w for w in (login.state, server.challenge) if w in told[2]] and ours[:2] == (303, login.url) and alive and run.status == 0, "another user who reads the browser's arguments brings no answer", run, seen, told, ours)


# ---- the server ----

def lying_metadata_begins_no_login(server):
    for mode in ("lie issuer", "lie token", "lie page", "lie scheme", "no S256", "no PKCE"):
        server.mode = mode
        run = postern(server, "login", "--no-browser")
        report(run.status == 3 and run.out == "" and not server.posts and not EVIL.posts and not EVIL.gets, "lying metadata (%s) begins no login" % mode,
               run, EVIL.gets)


def a_redirect_of_the_token_endpoint_is_not_followed(server):
    for command in (("exchange", "--resource", LDAP), ("token", "--login", "--resource", IMAP)):
        log_in(server)
        server.mode = "redirect"
        run = postern(server, *command)
        report(run.status == 3 and "issuer_answer" in run.err and len(server.posts) == 1 and not EVIL.posts and not EVIL.gets,
               "a redirect of the token endpoint is not followed (%s)" % command[0], run, EVIL.posts)


def a_resource_that_names_another_server_gets_nothing(server):
    log_in(server)
    run = postern(server, "exchange", "--resource", "https://127.0.0.1:%d/x" % EVIL.server_address[1])
    report(run.status == 0 and not EVIL.posts and not EVIL.gets and server.asked("token-exchange")[0]["resource"].endswith("/x"),
           "a resource whose metadata names another server gets nothing: it is not even asked", run, EVIL.gets)


def a_secret_goes_by_post_where_only_that_is_taken(server):
    log_in(server)
    server.mode = "post only"
    run = postern(server, "token", "--login", "--resource", IMAP)
    post = server.asked("refresh_token")[0]
    report(run.status == 0 and post["authorization"] == "" and post["client_secret"] == SECRET, "a secret goes by post where only that is taken", run)


def what_is_no_access_token_is_not_printed(server):
    for mode, status in (("refresh type", 3), ("no type", 3), ("DPoP", 3), ("N_A", 3), ("narrower", 1)):
        log_in(server)
        server.mode = mode
        run = postern(server, "exchange", "--resource", LDAP, "--scope", "mail.read")
        report(run.status == status and run.out == "", "an exchange that is answered with %s prints nothing" % mode, run)
    log_in(server)
    server.mode = "wider"
    run = postern(server, "exchange", "--resource", LDAP, "--scope", "mail.read", "--json")
    report(run.status == 0 and json.loads(run.out)["scope"] == "mail.read admin", "a wider scope than asked is told as it is", run)


def an_exchange_says_whom_for_what_and_why(server):
    log_in(server)
    run = postern(server, "exchange", "--resource", LDAP, "--scope", "mail.read", "--purpose", "look up", "--json")
    post, answer = server.asked("token-exchange")[0], json.loads(run.out)
    report(run.status == 0 and post["subject_token"].startswith("acc3ss") and post["purpose"] == "look up" and "actor_token" not in post and
           answer == {"access_token": "n3w-token", "issued_token_type": ACCESS_TYPE, "token_type": "Bearer", "expires_in": 600, "scope": "mail.read"},
           "an exchange says for whom, for what and why", run, post)
    for name, data in (("subject", "subject.token\n"), ("actor", "actor.token")):
        with open(FOLDER + "/" + name, "w") as f:
            f.write(data)
        os.chmod(FOLDER + "/" + name, 0o600)
    server.posts.clear()
    run = postern(server, "exchange", "--resource", LDAP, "--subject-token-file", FOLDER + "/subject", "--actor-token", FOLDER + "/actor")
    post = server.asked("token-exchange")[0]
    report(run.status == 0 and post["subject_token"] == "subject.token" and post["actor_token"] == "actor.token" and len(server.posts) == 1,
           "tokens of an exchange come from files", run, post)
    server.posts.clear()
    run = postern(server, "exchange", "--resource", LDAP, "--subject-token-file", FOLDER + "/subject", "--actor-token", "self")
    report(run.status == 0 and len(server.asked("client_credentials")) == 1 and server.asked("token-exchange")[0]["actor_token"].startswith("acc3ss"),
           "the actor is the agent's own token where that is asked", run)
    os.chmod(FOLDER + "/subject", 0o644)
    run = postern(server, "exchange", "--resource", LDAP, "--subject-token-file", FOLDER + "/subject")
    report(run.status == 3 and "subject.token" not in run.err, "a token's file that others may read is refused", run)


# ---- refresh ----

def token(server):
    return postern(server, "token", "--login", "--resource", IMAP)


def a_refresh_without_a_new_refresh_token_keeps_the_old(server):
    old = log_in(server)
    server.mode = "keep"
    run = token(server)
    new = read_entry()
    report(run.status == 0 and new["refresh_token"] == old["refresh_token"] and new["access_token"] != old["access_token"] and
           run.out == new["access_token"] + "\n", "a refresh without a new refresh token keeps the old", run)


def twenty_processes_refresh_once(server):
    log_in(server)
    many = [subprocess.Popen(words(server, "token", "--login", "--resource", IMAP), env=environment(), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) for _ in range(20)]
    out = [p.communicate(timeout=90) for p in many]
    run = Run(max(p.returncode for p in many), out[0][0], "".join(e for _, e in out))
    report(run.status == 0 and len(server.asked("refresh_token")) == 1 and len({o for o, _ in out}) == 1, "20 processes at once: one refresh", run)


def a_refresh_that_was_turned_away_may_be_tried_again(server):
    old = log_in(server)
    server.mode = "503"
    run = token(server)
    server.mode = "good"
    again = token(server)
    report(run.status == 3 and again.status == 0 and [p["refresh_token"] for p in server.asked("refresh_token")] == [old["refresh_token"]] * 2,
           "a refresh that was turned away may be tried again", again, run)


def a_server_that_cannot_be_reached_costs_nothing(server):
    old = log_in(server)
    server.shutdown()
    server.server_close()
    with socket.socket() as nobody:  # so that no other test comes to listen there
        nobody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        nobody.bind(server.server_address)
        run = token(server)
    report(run.status == 3 and "issuer_unreachable" in run.err and read_entry() == old, "a server that cannot be reached costs nothing", run)


def a_refresh_token_that_may_be_used_up_is_never_sent_again(server):
    log_in(server)
    server.mode = "hang up"
    run = token(server)
    server.mode = "good"
    again, shown = token(server), postern_status()
    report(run.status == 3 and again.status == 1 and "login_needed" in again.err and "postern login" in again.err and
           len(server.asked("refresh_token")) == 1 and shown["interrupted"] is True, "a refresh token that may be used up is never sent again", again, run)
    login = Login(server)
    login.bring()
    run = login.end()
    report(run.status == 0 and "refreshing" not in read_entry() and token(server).status == 0, "a new login makes it good again", run)


def whoever_waits_may_be_killed(server):
    """The SASL plugin kills a helper that takes too long: the answer is stored all the same."""
    log_in(server)
    server.hold.clear()
    server.mode = "hold"
    p = subprocess.Popen(words(server, "token", "--login", "--resource", IMAP), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    daemon.wait_until(lambda: server.asked("refresh_token"), "the refresh is sent")
    p.send_signal(signal.SIGKILL)
    p.wait()
    server.mode = "good"
    server.hold.set()
    daemon.wait_until(lambda: "refreshing" not in read_entry(), "the answer is stored")
    run = token(server)
    report(run.status == 0 and len(server.asked("refresh_token")) == 1, "whoever waits for a refresh may be killed: its answer is stored", run)


def stat_of(pid):
    """(state, parent), or (None, None) when it is gone."""
    try:
        with open("/proc/%s/stat" % pid) as f:
            state, parent = f.read().rsplit(")", 1)[1].split()[:2]
            return state, int(parent)
    except (OSError, IndexError):
        return None, None


def kill_all_of(p):
    """Whoever refreshes, then whoever waits; stopped first, so that none is born meanwhile."""
    p.send_signal(signal.SIGSTOP)
    daemon.wait_until(lambda: p.poll() is not None or stat_of(p.pid)[0] in ("T", "Z", None), "it stands still")
    for entry in os.listdir("/proc"):
        if entry.isdigit() and stat_of(entry)[1] == p.pid:
            try:
                os.kill(int(entry), signal.SIGKILL)
            except OSError:
                pass  # it ended meanwhile
    p.kill()
    p.wait()


def no_refresh_token_is_ever_sent_twice(server):
    """Refreshes that are killed at any moment: the store stays whole, and the server never sees a refresh token again."""
    seen, lost, stored = [], 0, 0
    log_in(server)
    for round_ in range(30):
        p = subprocess.Popen(words(server, "token", "--login", "--resource", IMAP), env=environment(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            p.wait(random.uniform(0.001, 0.3))
        except subprocess.TimeoutExpired:
            pass
        kill_all_of(p)
        e = read_entry()  # JSON, whatever happened
        if e.get("refreshing"):
            run = token(server)
            assert run.status == 1 and "login_needed" in run.err, run
            lost += 1
            seen += [q["refresh_token"] for q in server.asked("refresh_token")]
            log_in(server)
        else:
            stored += e["expires"] != 1
            with open(FOLDER + "/state/postern/logins/" + entries()[0], "w") as f:
                json.dump(dict(e, expires=1), f)
    seen += [q["refresh_token"] for q in server.asked("refresh_token")]
    report(len(seen) == len(set(seen)) and seen, "no refresh token is ever sent twice, whatever is killed when (%d sent, %d logins lost)" %
           (len(seen), lost), Run(0, "", ""), seen)


# ---- status and logout ----

def postern_status():
    p = subprocess.run([POSTERN, "status", "--json"], env=environment(), capture_output=True, text=True, timeout=60)
    assert not any(t in p.stdout + p.stderr for t in TOKENS), p.stdout
    return json.loads(p.stdout)["logins"][0]


def status_shows_whom_and_no_token(server):
    log_in(server)
    row = postern_status()
    p = subprocess.run([POSTERN, "status"], env=environment(), capture_output=True, text=True, timeout=60)
    run = Run(p.returncode, p.stdout, p.stderr)
    report(row == {"issuer": server.issuer, "client_id": "agent-7", "sub": "alice", "resource": IMAP, "scope": "mail.read", "expires_in": 0,
                   "refresh_token": True, "interrupted": False} and run.status == 0 and "alice" in run.out and not any(t in run.out for t in TOKENS),
           "status shows for whom, and no token", run, row)


def logout_gives_back_or_keeps(server):
    old = log_in(server)
    server.mode = "503"
    run = postern(server, "logout", "--resource", IMAP)
    report(run.status == 3 and len(entries()) == 1, "a logout that the server could not be told keeps the login", run)
    run = postern(server, "logout", "--resource", IMAP, "--local")
    report(run.status == 0 and not entries(), "unless it is to be forgotten here all the same", run)
    old = log_in(server)
    run = postern(server, "logout", "--all")
    post = server.posts[0]
    report(run.status == 0 and not entries() and post["path"] == "/revocation" and post["token"] == old["refresh_token"] and
           post["token_type_hint"] == "refresh_token", "logout gives the refresh token back and forgets it", run, post)
    run = postern(server, "logout")
    report(run.status == 1 and "login_needed" in run.err, "a second logout says that there is nothing", run)


def a_client_file_may_say_login(server):
    log_in(server)
    with open(FOLDER + "/client.conf", "w") as f:
        f.write("issuer: %s\nclient_id: agent-7\nclient_credential_file: %s/secret\nallow_loopback_http: yes\nloopback_user: %d\n"
                "login: yes\nhosts: *.example.org\n" % (server.issuer, FOLDER, os.getuid()))
    for host, service, first in (("mail.example.org", "imap", "acc3ss"), ("ldap.example.org", "ldap", "n3w-token")):
        p = subprocess.run([POSTERN, "token", "--client", FOLDER + "/client.conf", "--for-host", host, "--for-service", service],
                           env=environment(), capture_output=True, text=True, timeout=60)
        report(p.returncode == 0 and p.stdout.startswith(first), "a client file with login: yes acts for the person at %s" % host,
               Run(p.returncode, p.stdout, p.stderr))


def main():
    global FOLDER, EVIL
    tests = [a_stranger_at_the_callback_gets_404_and_ends_nothing, rubbish_huge_requests_and_silence_do_not_stop_a_login,
             a_second_callback_finds_nobody, the_page_holds_no_script_and_nothing_of_the_request,
             an_answer_of_another_issuer_is_a_mix_up_and_the_code_stays_here, an_injected_code_is_worth_nothing, a_person_who_says_no_is_understood,
             nobody_comes, a_registered_port_serves_one_login_after_the_other, the_browser_gets_an_address_as_one_word, another_user_who_reads_the_browsers_arguments_brings_no_answer,
             lying_metadata_begins_no_login, a_redirect_of_the_token_endpoint_is_not_followed,
             a_resource_that_names_another_server_gets_nothing, a_secret_goes_by_post_where_only_that_is_taken, what_is_no_access_token_is_not_printed,
             an_exchange_says_whom_for_what_and_why, a_refresh_without_a_new_refresh_token_keeps_the_old, twenty_processes_refresh_once,
             a_refresh_that_was_turned_away_may_be_tried_again, a_server_that_cannot_be_reached_costs_nothing,
             a_refresh_token_that_may_be_used_up_is_never_sent_again, whoever_waits_may_be_killed, no_refresh_token_is_ever_sent_twice, status_shows_whom_and_no_token,
             logout_gives_back_or_keeps, a_client_file_may_say_login]
    with tempfile.TemporaryDirectory(prefix="postern-test.") as FOLDER:
        with open(FOLDER + "/secret", "w") as f:
            f.write(SECRET)
        os.chmod(FOLDER + "/secret", 0o600)
        for test in tests:
            forget()
            EVIL = Server()
            try:
                test(Server())
            except Exception:  # a failed test must not stop the others
                import traceback
                daemon.report(False, test.__name__.replace("_", " "), traceback.format_exc())
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


sys.exit(main())
