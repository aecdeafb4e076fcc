#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The embedded issuer in a real posternd, asked by curl, by raw sockets and by `postern client`: endpoints, errors, limits, the
administration socket and who may use it, and that nothing acknowledged is lost."""
import base64
import concurrent.futures
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import Daemon, OTHER_UID, run_tests, wait_until  # noqa: E402
from test_posternd import ask  # noqa: E402

BUILD = os.environ["POSTERN_BUILD"]
RESOURCE = "https://localhost/ldap"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def start(folder, daemons):
    d = Daemon(BUILD + "/posternd", folder)
    daemons.append(d)
    d.wait_ready()
    return d


def assert_equal(got, want, what):
    assert got == want, "%s: got %r, want %r" % (what, got, want)


# ---- asking ----

def raw(folder, data, deadline_s=60, source="127.0.0.1"):
    """Send bytes, return everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", folder.port), deadline_s, (source, 0)) as s:
        s.sendall(data)
        got = b""
        while True:
            try:
                chunk = s.recv(65536)
            except ConnectionResetError:
                return got
            if not chunk:
                return got
            got += chunk


def request(folder, method, path, headers=None, body=b"", source="127.0.0.1"):
    """(status, headers in lower case, body)"""
    lines = {"Host": "127.0.0.1:%d" % folder.port, "Content-Length": str(len(body))}
    lines.update(headers or {})
    head = "%s %s HTTP/1.1\r\n%s\r\n" % (method, path, "".join("%s: %s\r\n" % kv for kv in lines.items()))
    return parse(raw(folder, head.encode() + body, source=source))


def parse(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("HTTP/1.1 "), answer[:200]
    return int(lines[0].split()[1]), dict((k.lower(), v) for k, v in (x.split(": ", 1) for x in lines[1:])), body


def get_json(folder, url):
    assert url.startswith(folder.issuer), url
    status, headers, body = request(folder, "GET", url[len(folder.issuer):])
    assert_equal(status, 200, url)
    return json.loads(body)


def assert_error(answer, status, error):
    got, headers, body = answer
    assert_equal(got, status, body)
    assert_equal(headers["content-type"], "application/json", "type")
    assert_equal(headers["cache-control"], "no-store", "cache")
    j = json.loads(body)
    assert_equal(j["error"], error, body)
    assert j["error_description"] and j["message"], body
    return headers


def ask_token(folder, name, secret, **more):
    form = dict({"grant_type": "client_credentials", "client_id": name, "client_secret": secret}, **more)
    body = "&".join("%s=%s" % kv for kv in form.items()).encode()
    return request(folder, "POST", "/oauth/token", FORM, body)


def client(folder, *arguments, prefix=(), check=None):
    r = subprocess.run(list(prefix) + [BUILD + "/postern", "client"] + list(arguments) + ["--config", folder.path + "/etc"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=60)
    if check is not None and r.returncode != check:
        time.sleep(1)  # whatever happened to the issuer is in the log that is shown with this
    if check is not None:
        assert_equal(r.returncode, check, r.stdout + r.stderr)
    return r


def add(folder, name="agent-7", scopes="ldap.read"):
    path = "%s/%s.secret" % (folder.path, name)
    client(folder, "add", name, "--scope", scopes, "--resource", RESOURCE, "--secret-file", path, check=0)
    with open(path) as f:
        secret = f.read()
    os.unlink(path)
    return secret


def administer(folder, line, deadline_s=60):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(deadline_s)
        s.connect(folder.path + "/run/issuer-admin.sock")
        s.sendall(line)
        with s.makefile() as f:
            return json.loads(f.readline())


# ---- endpoints ----

def curl_gets_a_token_both_ways_and_whoami_names_the_agent(folder, daemons):
    start(folder, daemons)
    secret = add(folder)
    whoami = folder.issuer + "/oauth/whoami"
    for way in (["-u", "agent-7:" + secret], ["-d", "client_id=agent-7", "-d", "client_secret=" + secret]):
        r = subprocess.run(["curl", "-sS", "--noproxy", "*", "-d", "grant_type=client_credentials", "--data-urlencode",
                            "resource=" + whoami] + way + [folder.issuer + "/oauth/token"],
                           stdout=subprocess.PIPE, universal_newlines=True, timeout=20, check=True)
        answer = json.loads(r.stdout)
        assert_equal((answer["token_type"], answer["expires_in"], answer["scope"]), ("Bearer", 300, "ldap.read"), r.stdout)
        r = subprocess.run(["curl", "-sS", "--noproxy", "*", "--oauth2-bearer", answer["access_token"], whoami],
                           stdout=subprocess.PIPE, universal_newlines=True, timeout=20, check=True)
        assert_equal(json.loads(r.stdout)["client_id"], "agent-7", r.stdout)


def a_token_of_the_issuer_opens_a_login(folder, daemons):
    start(folder, daemons)
    status, headers, body = ask_token(folder, "agent-7", add(folder))
    assert_equal((status, headers["cache-control"], headers["pragma"]), (200, "no-store", "no-cache"), body)
    assert_equal(ask(folder, json.loads(body)["access_token"])[0], "proved", "login")


def a_401_leads_an_agent_to_the_token_endpoint(folder, daemons):
    start(folder, daemons)
    secret = add(folder)
    headers = assert_error(request(folder, "GET", "/oauth/whoami"), 401, "missing_token")
    assert "error" not in headers["www-authenticate"], headers
    url = re.search(r'resource_metadata="([^"]+)"', headers["www-authenticate"]).group(1)
    resource = get_json(folder, url)
    assert_equal(resource["resource"], folder.issuer + "/oauth/whoami", url)
    issuer, = resource["authorization_servers"]
    for document in ("oauth-authorization-server", "openid-configuration"):
        server = get_json(folder, issuer + "/.well-known/" + document)
        assert_equal(server["issuer"], issuer, document)
        assert get_json(folder, server["jwks_uri"])["keys"][0]["kid"]
        for r in server["protected_resources"]:
            assert r in (RESOURCE, folder.issuer + "/oauth/whoami"), r
    assert_equal(server["token_endpoint"], folder.issuer + "/oauth/token", "token endpoint")
    status, _, body = ask_token(folder, "agent-7", secret, resource=resource["resource"])
    token = json.loads(body)["access_token"]
    status, _, body = request(folder, "GET", "/oauth/whoami", {"Authorization": "Bearer " + token})
    assert_equal((status, json.loads(body)["sub"]), (200, "agent-7"), body)
    headers = assert_error(request(folder, "GET", "/oauth/whoami", {"Authorization": "Bearer " + token[:-4] + "AAAA"}), 401,
                           "invalid_token")
    assert 'error="invalid_token"' in headers["www-authenticate"], headers
    service = get_json(folder, folder.issuer + "/.well-known/oauth-protected-resource/ldap")
    assert_equal((service["resource"], service["authorization_servers"], service["scopes_supported"]),
                 (RESOURCE, [folder.issuer], ["ldap.read"]), "service")


def errors_are_json_that_says_what_to_do(folder, daemons):
    start(folder, daemons)
    big = b"grant_type=client_credentials&x=" + b"a" * 70000
    assert_error(request(folder, "GET", "/nothing"), 404, "not_found")
    assert_equal(assert_error(request(folder, "PUT", "/oauth/token"), 405, "method_not_allowed")["allow"], "POST", "Allow")
    assert_error(request(folder, "POST", "/oauth/token", {"Content-Type": "application/json"}, b"{}"), 415, "invalid_request")
    assert_error(request(folder, "POST", "/oauth/token", FORM, big), 413, "invalid_request")
    assert_error(request(folder, "POST", "/oauth/token?grant_type=client_credentials", FORM), 400, "invalid_request")
    assert_error(request(folder, "GET", "/oauth/jwks", {"Host": "evil.example"}), 421, "misdirected_request")
    assert_error(request(folder, "GET", "http://evil.example/oauth/jwks"), 421, "misdirected_request")
    assert_equal(request(folder, "GET", folder.issuer + "/oauth/jwks")[0], 200, "absolute target of ours")
    assert_error(parse(raw(folder, b"GET /oauth/jwks HTTP/1.0\r\n\r\n").replace(b"HTTP/1.0", b"HTTP/1.1", 1)), 400, "invalid_request")
    assert_error(ask_token(folder, "agent-7", "wrong"), 401, "invalid_client")


def head_has_the_length_and_no_body(folder, daemons):
    start(folder, daemons)
    status, headers, body = request(folder, "HEAD", "/oauth/jwks")
    assert_equal((status, body), (200, b""), "HEAD")
    assert_equal(int(headers["content-length"]), len(request(folder, "GET", "/oauth/jwks")[2]), "length")


def requests_that_two_readers_could_read_differently_are_refused(folder, daemons):
    d = start(folder, daemons)
    host = b"Host: 127.0.0.1:%d\r\n" % folder.port
    for text in (b"GET /oauth/jwks HTTP/1.1\r\n" + host + b"Host: evil\r\n\r\n",
                 b"GET /oauth/whoami HTTP/1.1\r\n" + host + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
                 b"POST /oauth/token HTTP/1.1\r\n" + host + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nabcde",
                 b"POST /oauth/token HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n",
                 b"POST /oauth/token HTTP/1.1\r\n" + host + b"Content-Length: 99999999999999999999\r\n\r\n",
                 b"GET /oauth/jwks\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"GET  HTTP/9.9\r\n\r\n",
                 b"GET /oauth/jwks HTTP/1.1\r\n" + host + b"X: " + b"a" * 30000 + b"\r\n\r\n"):
        answer = raw(folder, text)
        assert not answer or re.match(rb"HTTP/1\.[01] (400|401|411|413|414|431|501|505) ", answer), (text[:80], answer[:80])
        assert b'"keys"' not in answer, text[:80]
    assert_equal(request(folder, "GET", "/oauth/jwks")[0], 200, "afterwards")
    assert_equal(len(re.findall("issuer .* started", d.log())), 1, "starts of the issuer")


# ---- limits ----

def wrong_secrets_are_slowed_down_and_the_right_one_is_not(folder, daemons):
    start(folder, daemons)
    secret = add(folder)
    statuses = [ask_token(folder, "agent-7", "wrong")[0] for _ in range(14)]
    assert_equal(statuses[:10], [401] * 10, "first")
    assert 429 in statuses[10:], statuses
    for _ in range(5):  # every six seconds one more is let in
        answer = ask_token(folder, "agent-7", "wrong")
        if answer[0] == 429:
            break
    assert int(assert_error(answer, 429, "too_many_requests")["retry-after"]) >= 1
    assert_equal(ask_token(folder, "agent-7", secret)[0], 200, "the right secret")


def a_guesser_with_all_addresses_of_loopback_is_one_guesser(folder, daemons):
    """Every local user may bind any of the sixteen million addresses of 127.0.0.0/8."""
    start(folder, daemons)
    secret = add(folder)
    form = b"grant_type=client_credentials&client_id=agent-7&client_secret=wrong"
    statuses = [request(folder, "POST", "/oauth/token", FORM, form, "127.9.%d.%d" % (i, 1 + 5 * i))[0] for i in range(14)]
    assert_equal(statuses[:10], [401] * 10, "first")
    assert 429 in statuses[10:], statuses
    assert_equal(ask_token(folder, "agent-7", secret)[0], 200, "the right secret")


def connections_that_say_nothing_give_way_when_all_places_are_taken(folder, daemons):
    d = start(folder, daemons)
    held = []
    for _ in range(300):  # more than there are places; none of them is ever closed by its client
        s = socket.create_connection(("127.0.0.1", folder.port), 20)
        s.sendall(b"GET /oauth/jwks HTTP/1.1\r\n")  # and nothing more
        held.append(s)
    began = time.monotonic()
    assert_equal(request(folder, "GET", "/oauth/jwks")[0], 200, "behind 300 that say nothing")
    assert time.monotonic() - began < 8, "served only when the others were too late anyway"
    for s in held:
        s.close()
    assert_equal(len(re.findall("issuer .* started", d.log())), 1, "starts of the issuer")


def a_shortage_of_descriptors_is_survived(folder, daemons):
    d = Daemon(BUILD + "/posternd", folder, prefix=["prlimit", "--nofile=48:48"])
    daemons.append(d)
    d.wait_ready()
    issuer = d.child("issuer")
    held = [socket.create_connection(("127.0.0.1", folder.port), 20) for _ in range(60)]
    d.wait_log("issuer: accept: Too many open files")
    for s in held:
        s.close()
    wait_until(lambda: request(folder, "GET", "/oauth/jwks")[0] == 200, "an answer")
    assert_equal(d.child("issuer"), issuer, "the same issuer")
    assert len(re.findall("accept: Too many", d.log())) < 10, "a flood of lines"


def a_request_that_never_ends_is_cut_off(folder, daemons):
    start(folder, daemons)
    with socket.create_connection(("127.0.0.1", folder.port), 40) as s:
        s.sendall(b"GET /oauth/jwks HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % folder.port)
        ended = threading.Event()

        def drip():
            while not ended.wait(2):  # always sooner than the idle limit
                try:
                    s.sendall(b"X: y\r\n")
                except OSError:
                    return

        t = threading.Thread(target=drip)
        t.start()
        try:
            assert_equal(s.recv(1000), b"", "the server's end")
        except ConnectionResetError:
            pass
        finally:
            ended.set()
            t.join()


def many_clients_at_once_all_get_their_tokens(folder, daemons):
    start(folder, daemons)
    secrets = {"agent-%d" % i: add(folder, "agent-%d" % i) for i in range(8)}
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda i: ("agent-%d" % (i % 8),) + ask_token(folder, "agent-%d" % (i % 8), secrets["agent-%d" % (i % 8)]),
                                range(400)))
    seen = set()
    for name, status, _, body in answers:
        assert_equal(status, 200, body)
        claims = json.loads(body)["access_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        assert_equal(claims["client_id"], name, "client")
        seen.add(claims["jti"])
    assert_equal(len(seen), 400, "different jti")


# ---- administration ----

def a_secret_goes_into_its_file_and_nowhere_else(folder, daemons):
    d = start(folder, daemons)
    path = folder.path + "/secret"
    arguments = ["add", "agent-7", "--scope", "ldap.read ldap.write", "--scope", "x", "--resource", RESOURCE, "--secret-file", path]
    r = client(folder, *arguments, check=0)
    with open(path) as f:
        secret = f.read()
    assert_equal((len(secret), stat.S_IMODE(os.stat(path).st_mode)), (43, 0o600), "secret")
    assert secret not in r.stdout + r.stderr
    r = client(folder, *arguments, check=2)
    assert "exists" in r.stderr, r.stderr
    with open(path) as f:
        assert_equal(f.read(), secret, "the file that was there")
    status, _, body = ask_token(folder, "agent-7", secret)
    assert_equal((status, json.loads(body)["scope"]), (200, "ldap.read ldap.write x"), body)
    assert secret not in d.log() and json.loads(body)["access_token"] not in d.log()
    r = client(folder, "list", check=0)
    assert "agent-7\n  scopes: ldap.read ldap.write x\n  resources: " + RESOURCE + "\n  authenticates by: secret\n  added: 20" in r.stdout, r.stdout
    listed, = json.loads(client(folder, "list", "--json", check=0).stdout)
    assert_equal((listed["name"], listed["resources"]), ("agent-7", [RESOURCE]), "list")
    for name in os.listdir(folder.path + "/state/issuer"):
        with open(folder.path + "/state/issuer/" + name, "rb") as f:
            assert secret.encode() not in f.read(), name


def what_the_issuer_refuses_leaves_no_file(folder, daemons):
    start(folder, daemons)
    add(folder, "there")
    path = folder.path + "/secret"
    for status, word, arguments in ((1, "exists", ["there", "--resource", RESOURCE]), (1, "reserved", ["root", "--resource", RESOURCE]),
                                    (1, "a-z", ["Agent", "--resource", RESOURCE]), (1, RESOURCE, ["a"]),
                                    (1, RESOURCE, ["a", "--resource", "https://other.example/x"]),
                                    (2, "name one", ["--resource", RESOURCE]), (2, "bad option", ["a", "--json"]),
                                    (2, "no option", ["a", "b"]), (2, "bad option", ["a", "--nonsense"])):
        word = "already" if word == "exists" else word
        r = client(folder, "add", "--secret-file", path, *arguments, check=status)
        assert word in r.stderr, (arguments, r.stderr)
        assert not os.path.exists(path), arguments
    assert "--secret-file" in client(folder, "add", "a", "--resource", RESOURCE, check=2).stderr
    assert "no client" in client(folder, "remove", "nobody-here", check=1).stderr
    assert_equal(len(json.loads(client(folder, "list", "--json", check=0).stdout)), 1, "clients")
    client(folder, "remove", "there", check=0)
    assert_equal(json.loads(client(folder, "list", "--json", check=0).stdout), [], "clients")


def without_a_daemon_the_command_says_what_to_do(folder, daemons):
    path = folder.path + "/secret"
    r = client(folder, "add", "a", "--resource", RESOURCE, "--secret-file", path, check=3)
    assert "is posternd running" in r.stderr and not os.path.exists(path), r.stderr
    client(folder, "list", check=3)
    assert_equal(client(folder, "list", "--socket", folder.path + "/nothing").returncode, 3, "--socket")


def only_named_users_and_groups_may_administer(folder, daemons):
    line = b'{"verb":"client_list"}\n'

    def as_uid(uid, gid, groups=None):
        prefix = ["setpriv", "--reuid", str(uid), "--regid", str(gid)] + (["--groups", groups] if groups else ["--clear-groups"])
        return client(folder, "list", "--socket", folder.path + "/run/issuer-admin.sock", prefix=prefix).returncode

    d = start(folder, daemons)
    assert_equal(administer(folder, line)["ok"], True, "root")
    assert_equal(as_uid(OTHER_UID, OTHER_UID), 1, "a stranger")
    d.wait_log(r"administration: uid %d \(pid \d+\) is none of admin_peers:" % OTHER_UID)
    d.stop()
    folder.set(**{})
    folder.server_keys["admin_peers"] = "%d group:64900 no-such-user-here" % OTHER_UID
    folder.set()
    d = start(folder, daemons)
    d.wait_log("there is no no-such-user-here here")
    assert_equal(as_uid(OTHER_UID, OTHER_UID), 0, "named by number")
    assert_equal(as_uid(64901, 64900), 0, "primary group")
    assert_equal(as_uid(64901, 64901, "64900"), 0, "supplementary group")
    assert_equal(as_uid(64901, OTHER_UID), 1, "a group with a user's number")
    assert_equal(administer(folder, line)["ok"], True, "root always")


def strangers_at_the_administration_socket_do_not_fill_the_log(folder, daemons):
    d = start(folder, daemons)
    script = ("import os, socket, sys\nos.setresuid(%d, %d, %d)\nfor _ in range(200):\n"
              "    s = socket.socket(socket.AF_UNIX)\n    s.connect(sys.argv[1])\n    assert b'not_allowed' in s.recv(1000)\n"
              % (OTHER_UID, OTHER_UID, OTHER_UID))
    subprocess.run([sys.executable, "-c", script, folder.path + "/run/issuer-admin.sock"], check=True, timeout=60)
    lines = len(re.findall("none of admin_peers:", d.log()))
    assert 1 <= lines <= 22, lines


def what_is_no_request_is_refused_and_hurts_nobody(folder, daemons):
    d = start(folder, daemons)
    for line in (b"\n", b"x\n", b"[]\n", b'{"verb":"client_list","verb":"client_list"}\n', b"\0\n", b"a" * 40000 + b"\n", b"a" * 40000):
        reply = administer(folder, line)
        assert_equal((reply["ok"], reply["error"]), (False, "bad_request"), line[:40])
        assert reply["message"], reply
    half = []
    for _ in range(12):  # more than are served at one time
        s = socket.socket(socket.AF_UNIX)
        s.connect(folder.path + "/run/issuer-admin.sock")
        s.sendall(b'{"verb":')
        half.append(s)
    for s in half:
        s.close()
    assert_equal(administer(folder, b'{"verb":"client_list"}\n')["ok"], True, "afterwards")
    assert_equal(len(re.findall("issuer .* started", d.log())), 1, "starts of the issuer")


# ---- removal ----

def a_removal_is_confirmed_by_the_helper(folder, daemons):
    start(folder, daemons)
    for n in range(5):  # a helper that had no turn for two seconds is late, and said to be
        name = "agent-%d" % n
        token = json.loads(ask_token(folder, name, add(folder, name))[2])["access_token"]
        assert_equal(ask(folder, token)[0], "proved", "before")
        r = client(folder, "remove", name)
        if r.returncode == 0:
            break
    assert_equal(r.returncode, 0, r.stdout + r.stderr)
    assert "refuses its tokens" in r.stdout, r.stdout
    assert_equal(ask(folder, token)[:2], ("rejected", "revoked"), "after")


def a_removal_that_the_helper_does_not_confirm_says_so(folder, daemons):
    d = start(folder, daemons)
    token = json.loads(ask_token(folder, "agent-7", add(folder))[2])["access_token"]
    assert_equal(ask(folder, token)[0], "proved", "before")
    helper = d.child("helper")
    os.kill(helper, signal.SIGSTOP)
    try:
        r = client(folder, "remove", "agent-7", check=3)
        assert "not confirmed" in r.stdout, r.stdout
    finally:
        os.kill(helper, signal.SIGCONT)
    wait_until(lambda: ask(folder, token)[:2] == ("rejected", "revoked"), "the removal to arrive")


def a_removal_outlives_the_helper_and_the_daemon(folder, daemons):
    d = start(folder, daemons)
    token = json.loads(ask_token(folder, "agent-7", add(folder))[2])["access_token"]
    client(folder, "remove", "agent-7", check=0)
    os.kill(d.child("helper"), signal.SIGKILL)
    wait_until(lambda: reached(folder, token) == ("rejected", "revoked"), "the next helper to know")
    d.stop()
    start(folder, daemons)
    wait_until(lambda: reached(folder, token) == ("rejected", "revoked"), "the next daemon to know")


def reached(folder, token):
    """The verdict; None while nobody answers, or the issuer has not told yet."""
    try:
        outcome, reason, _ = ask(folder, token)
    except (OSError, AssertionError):
        return None
    assert outcome != "proved", "a removed client's token was accepted"
    return outcome, reason


def a_client_added_again_gets_tokens_that_count(folder, daemons):
    start(folder, daemons)
    for _ in range(3):
        secret = add(folder)
        status, headers, body = ask_token(folder, "agent-7", secret)
        if status == 503:
            assert_equal(headers["retry-after"], "1", "Retry-After")
            wait_until(lambda: ask_token(folder, "agent-7", secret)[0] == 200, "the next second")
            status, headers, body = ask_token(folder, "agent-7", secret)
        assert_equal(status, 200, body)
        assert_equal(ask(folder, json.loads(body)["access_token"])[0], "proved", "a login")
        client(folder, "remove", "agent-7", check=0)


def what_comes_in_pieces_behind_an_answer_is_not_taken_by_the_connection_before(folder, daemons):
    """The descriptor of an answered HTTP request is the next one's to be given; its reader must be gone by then."""
    start(folder, daemons)
    secret = add(folder)
    line = json.dumps({"verb": "client_show", "name": "agent-7"}).encode() + b"\n"
    for _ in range(20):
        assert_equal(ask_token(folder, "agent-7", secret)[0] in (200, 429), True, "a token")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(folder.path + "/run/issuer-admin.sock")
            for i in range(len(line)):
                s.sendall(line[i:i + 1])
            with s.makefile() as f:
                assert_equal(json.loads(f.readline() or "{}").get("ok"), True, "an answer")


def no_acknowledged_client_is_lost_when_the_issuer_is_killed(folder, daemons):
    d = start(folder, daemons)
    done, stop = {}, threading.Event()

    def add_until_stopped():
        i = 0
        while not stop.is_set():
            name = "agent-%d" % i
            try:
                reply = administer(folder, json.dumps({"verb": "client_add", "name": name, "resources": [RESOURCE]}).encode() + b"\n")
                if reply["ok"]:
                    done[name] = reply["client_secret"]
            except (OSError, ValueError):
                pass  # killed meanwhile: this one was not acknowledged
            i += 1

    t = threading.Thread(target=add_until_stopped)
    t.start()
    try:
        for _ in range(3):
            before = len(done)
            wait_until(lambda: len(done) > before + 10, "some clients")
            os.kill(d.child("issuer"), signal.SIGKILL)
    finally:
        stop.set()
        t.join()
    d.wait_log(r"issuer \d+ is ready", 4)
    listed, after = set(), ""
    while True:
        page = administer(folder, json.dumps({"verb": "client_list", "after": after}).encode() + b"\n" if after else b'{"verb":"client_list"}\n')
        listed |= {c["name"] for c in page["clients"]}
        if not page["more"]:
            break
        after = page["clients"][-1]["name"]
    assert set(done) <= listed, set(done) - listed
    name, secret = sorted(done.items())[-1]
    assert_equal(ask_token(folder, name, secret)[0], 200, "a token for " + name)
    assert_equal(len(json.loads(client(folder, "list", "--json", check=0).stdout)), len(listed), "all pages by the command")


TESTS = [f for name, f in list(globals().items())
         if callable(f) and getattr(f, "__module__", "") == "__main__" and f.__code__.co_argcount == 2
         and f.__code__.co_varnames[:2] == ("folder", "daemons") and name != "start"]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    sys.exit(run_tests([t for t in TESTS if not wanted or t.__name__ in wanted]))
