#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# alone: it floods, or measures time
"""What a stranger on the network tries at a door, and what the audit log says of it: stalls, floods, injections, guesses; where secrets
could be found; a disk that is full."""
import base64
import glob
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import free_port  # noqa: E402
from door_rig import (BUSY_S, DEADLINE_S, IS_SANITIZED, Answer, assert_equal, auth_line, check, connect_head, has_command, read_answer,  # noqa: E402
                      run_door_tests, wait_until)

CLIENT_HELLO_HALF = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)


def _is_closed(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.setblocking(True)


def _rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def _metric(rig, name):
    return float(re.search(r"^%s (\S+)$" % re.escape(name), rig.status_page(), re.M).group(1))


# ---- stalls and floods ----

def who_stalls_is_closed_within_the_time_of_a_login_and_holds_up_nobody(rig):
    """A byte a second, half a ClientHello, nothing at all, a head without an end; the time of a login is absolute."""
    backend = rig.echo_door(login_timeout="3s")
    rig.start()
    token = rig.token("cache")
    begin = time.monotonic()
    stalls = {"silent": rig.dial("cache"), "half a ClientHello": rig.dial("cache"), "half a line": rig.dial("cache"),
              "half a head": rig.dial("cache"), "silent in TLS": rig.dial("cache", how="tls"), "unix": rig.dial("cache", how="unix")}
    stalls["half a ClientHello"].sendall(CLIENT_HELLO_HALF)
    stalls["half a line"].sendall(auth_line(token)[:60])
    stalls["half a head"].sendall(connect_head(token)[:-2])
    stalls["silent in TLS"].sendall(b"AUTH ")
    slow, sent, ended = rig.dial("cache"), [0], {}

    def drip():
        for byte in auth_line(token):
            try:
                slow.sendall(bytes([byte]))
                sent[0] += 1
            except OSError:
                return
            if ended.get("drip"):
                return
            time.sleep(0.2)  # a slow client is slow

    def watch():
        while len(ended) < len(stalls) + 1 and time.monotonic() < begin + 20 + BUSY_S:
            for name, s in list(stalls.items()) + [("drip", slow)]:
                if name not in ended and (_is_closed_tls(s) if isinstance(s, ssl.SSLSocket) else _is_closed(s)):
                    ended[name] = time.monotonic() - begin
            time.sleep(0.02)  # the pause of a poll
    threads = [threading.Thread(target=f) for f in (drip, watch)]
    for t in threads:
        t.start()
    for _ in range(10):
        rig.login(token=token).talk().close()
    for t in threads:
        t.join(30)
    assert_equal(sorted(ended), sorted(list(stalls) + ["drip"]), "closed")
    late = {name: round(t, 2) for name, t in ended.items() if not 2.5 <= t <= 12 + BUSY_S}
    assert_equal(late, {}, "seconds until they were closed")
    check(sent[0] > 5, "bytes that dripped: %d" % sent[0])
    assert_equal(len(backend.calls), 10, "connections at the backend")


def _is_closed_tls(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    except OSError:
        return True


def a_source_that_takes_all_its_places_leaves_the_others_theirs(rig):
    rig.echo_door(login_timeout="60s")
    rig.set(login_max="512", login_max_per_source="32", status_listen="127.0.0.1:%d" % free_port())
    rig.start()
    token = rig.token("cache")
    flood = [rig.dial("cache", source="127.0.5.1") for _ in range(32)]
    wait_until(lambda: _metric(rig, "postern_door_logins") == 32, "all of them are at the door")
    check(not _try(rig, token, "127.0.5.1"), "its thirty-third is closed at once")
    begin = time.monotonic()
    for n in range(10):
        rig.login(token=token, source="127.0.5.%d" % (n + 2)).talk().close()
    check(time.monotonic() - begin < 10 + BUSY_S, "ten logins beside the flood: %.1f s" % (time.monotonic() - begin))
    # All that were let in are still there: nobody was thrown out for it.
    assert_equal(sum(_is_closed(s) for s in flood), 0, "closed of the thirty-two")
    for s in flood[:4]:
        s.close()
    wait_until(lambda: _try(rig, token, "127.0.5.1"), "places that were given back")
    # A session is no login any more: it takes no place.
    live = [rig.login(token=token, source="127.0.5.9") for _ in range(40)]
    for answer in live:
        answer.talk()


def _try(rig, token, source):
    s = rig.dial("cache", source=source)
    try:
        s.sendall(auth_line(token))
        return Answer(s, read_answer(s)).is_granted
    except OSError:
        return False
    finally:
        s.close()


def when_all_places_are_taken_the_oldest_goes_and_a_good_client_gets_in(rig):
    rig.echo_door(login_timeout="60s")
    rig.set(login_max="64", login_max_per_source="16")
    rig.start()
    token = rig.token("cache")
    over, errors, good = threading.Event(), [], [0]

    def flood(source):
        held = []
        while not over.is_set():
            try:
                held.append(rig.dial("cache", source=source))
            except OSError:
                pass
            held = held[-20:]

    threads = [threading.Thread(target=flood, args=("127.0.6.%d" % n,)) for n in range(1, 7)]
    for t in threads:
        t.start()
    try:
        for _ in range(30):
            begin = time.monotonic()
            while True:
                # Thrown out for a newer one now and then, as it would be; it comes again.
                if _try(rig, token, "127.0.6.200"):
                    break
                check(time.monotonic() - begin < 5 + BUSY_S, "no login in five seconds of flood")
            good[0] += 1
    except AssertionError as e:
        errors.append(e)
    finally:
        over.set()
        for t in threads:
            t.join(30)
    assert_equal((errors, good[0]), ([], 30), "good logins in the flood")


def five_hundred_stalled_logins_take_little_memory_and_give_it_back(rig):
    rig.echo_door(login_timeout="120s")
    rig.set(login_max="1024", login_max_per_source="1000", status_listen="127.0.0.1:%d" % free_port())
    rig.start()
    pid = rig.child("door")
    rig.login().talk().close()
    before = _rss_kib(pid)
    # The worst that each form can hold: TLS with a login that lacks its last byte, a head without end, a ClientHello without end.
    held = []
    big_head = connect_head("x" * 15000)[:-2]
    for n in range(500):
        if n % 10 == 0:
            s = rig.dial("cache", how="tls")
            s.sendall(("AUTH OAUTHBEARER " + "A" * 20000).encode())
        else:
            s = rig.dial("cache")
            s.sendall([big_head, ("AUTH OAUTHBEARER " + "A" * 20000).encode(), CLIENT_HELLO_HALF][n % 3])
        held.append(s)
    wait_until(lambda: _metric(rig, "postern_door_logins") >= 500, "all of them are at the door")
    grown = _rss_kib(pid) - before
    check(grown < (30 << 10) * (4 if IS_SANITIZED else 1), "the door grew by %d KiB" % grown)
    rig.login(source="127.0.7.1").talk()
    for s in held:
        s.close()
    wait_until(lambda: _metric(rig, "postern_door_logins") == 0, "all of them are gone")
    rig.login(source="127.0.7.1").talk()


# ---- injections ----

def a_login_on_a_network_address_is_not_read_without_tls(rig):
    """127.0.0.2 stands for a network: only 127.0.0.1 and ::1 are this machine's own."""
    crt, key = rig.certificate("net", "DNS:localhost,IP:127.0.0.2")
    backend = rig.echo_door()
    rig.door("cache", backend, listen="127.0.0.2:%d" % rig.ports["cache"], tls_cert_file=crt, tls_key_file=key)
    rig.start()
    token = rig.token("cache")
    for n, data in enumerate((auth_line(token), connect_head(token), b"A", ("RENEW %s %s\r\n" % ("A" * 32, token)).encode())):
        s = rig.dial("cache", address="127.0.0.2", source="127.0.8.%d" % (n + 1))
        s.sendall(data)
        answer = Answer(s, read_answer(s))
        assert_equal([answer.is_granted, answer["reason"], answer["retry"]], [False, "tls_required", "never"], answer)
        record = rig.wait_record(ref=answer["ref"])
        check("fingerprint" not in record and "jti" not in record, "the token was read: %r" % record)
    # Letter by letter: refused at the first one, before there is a token at all.
    s = rig.dial("cache", address="127.0.0.2", source="127.0.8.9")
    s.sendall(b"A")
    check(b"tls_required" in read_answer(s), "one byte is enough")
    answer = rig.login(how="tls", ca=crt, name="127.0.0.2", address="127.0.0.2")
    answer.talk()
    assert_equal((len(backend.calls), backend.received()), (1, 4), "what reached the backend")
    # The same without a certificate is a start error.
    rig.daemon.stop()
    rig.door("cache", backend, listen="127.0.0.2:%d" % rig.ports["cache"])
    r = rig.start(ready=False)
    assert_equal(r.wait_exit(), 78, "exit status")
    check(re.search(r"doors/cache\.conf:\d+.*tls_cert_file", r.log()), r.log())


def plain_bytes_before_or_within_tls_change_nothing(rig):
    """STARTTLS injection and its kin: what came in plain never counts behind the handshake, and TLS in TLS is nonsense."""
    backend = rig.echo_door()
    rig.start()
    token = rig.token("cache")
    line = auth_line(token)
    # A plain login and a ClientHello in one packet: the plain login counts, what follows is the backend's.
    answer = rig.login(token=token, early=CLIENT_HELLO_HALF)
    got = b""
    while len(got) < len(CLIENT_HELLO_HALF):
        got += answer.sock.recv(64)
    assert_equal(got, CLIENT_HELLO_HALF, "what the backend sent back")
    before = len(backend.calls)
    # A ClientHello, then plain bytes where a record should be.
    s = rig.dial("cache", source="127.0.9.1")
    s.sendall(CLIENT_HELLO_HALF + line)
    check(_reads_to_end(s) is not None, "closed")
    # Half a login in plain, the rest in TLS: a TLS record is no part of a login.
    s = rig.dial("cache", source="127.0.9.2")
    s.sendall(line[:30] + b"\x16\x03\x01\x00\x05hello" + line[30:])
    check(b"message_malformed" in _reads_to_end(s), "refused")
    # TLS in TLS.
    s = rig.dial("cache", how="tls", source="127.0.9.3")
    s.sendall(CLIENT_HELLO_HALF)
    check(b"message_malformed" in _reads_to_end(s), "refused")
    # TLS cut in the middle of a login, by a FIN without close_notify.
    s = rig.dial("cache", how="tls", source="127.0.9.4")
    s.sendall(line[:-2])
    s.shutdown(socket.SHUT_RDWR)
    s.close()
    assert_equal(len(backend.calls), before, "connections at the backend")


def _reads_to_end(s):
    got = b""
    s.settimeout(DEADLINE_S)
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return got
            got += piece
    except (ConnectionResetError, ssl.SSLError):
        return got


def commands_behind_a_refused_login_go_nowhere(rig):
    backend = rig.echo_door()
    rig.start()
    good, bad = rig.token("cache"), rig.token("cache", "mallory")
    for n, data in enumerate((
            auth_line(bad) + auth_line(good) + b"FLUSHALL\r\n",
            auth_line(rig.token("cache", life=-1)) + auth_line(good),
            connect_head(bad) + connect_head(good),
            b"PING\r\n" + auth_line(good),
            b"\r\n" + auth_line(good),
            b"auth oauthbearer " + auth_line(good)[17:],
            auth_line(good).replace(b" OAUTHBEARER ", b"  OAUTHBEARER "),
            auth_line(good).replace(b"\r\n", b" \r\n"),
            auth_line(good).replace(b"\r\n", b"\rFLUSHALL\r\n"),
            auth_line(good).replace(b"\r\n", b"\0\r\n"),
            ("RENEW %s %s\r\n" % ("A" * 32, good)).encode() + auth_line(good),
            connect_head(good).replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nProxy-Authorization: Bearer x\r\n"),
            connect_head(good).replace(b"Bearer ", b"Bearer\t"),
            connect_head(good, "cache"), connect_head(good, "localhost:0"), connect_head(good, "localhost:1@evil.example:2"),
            connect_head(good, "http://localhost:1/"))):
        s = rig.dial("cache", source="127.0.10.%d" % (n + 1))
        s.sendall(data)
        try:
            got = _reads_to_end(s)
        except TimeoutError:
            raise AssertionError("case %d is let in: %r" % (n, data[:40] + data[-40:]))
        answers = re.findall(rb"^(?:OK|ERR|HTTP/1\.1 \d+)", got, re.M)
        check(len(answers) == 1 and answers[0] not in (b"OK", b"HTTP/1.1 200"), "case %d: %r" % (n, got))
        assert_equal((len(backend.calls), backend.received()), (0, 0), "what reached the backend after case %d" % n)


def a_login_that_is_too_long_is_refused_where_it_gets_too_long(rig):
    backend = rig.echo_door()
    rig.start()
    big = rig.token("cache", pad="x" * 11000)
    check(12000 < len(big) <= 16384, "a big token")
    rig.login(token=big).talk()
    too_big = big + "A" * (16385 - len(big))
    for n, (data, reasons) in enumerate(((auth_line(too_big), ("limit",)),
                                         (b"AUTH OAUTHBEARER " + b"A" * 40000, ("limit", "message_malformed")),
                                         (b"A" * 40000, ("message_malformed",)),
                                         (connect_head("A" * 40000), ("limit", "message_malformed")),
                                         (connect_head(None)[:-2] + b"X: y\r\n" * 100, ("limit", "message_malformed")),
                                         (b"RENEW " + b"A" * 40000, ("limit", "message_malformed", "renewal")))):
        answer = rig.refused("cache", data, source="127.0.11.%d" % (n + 1))
        check(answer["reason"] in reasons and answer["retry"] == "never", "case %d: %s" % (n, answer))
        check(len(answer.text) < 3000, "a long answer")
    # Who goes on sending for ever after a refusal is not listened to for ever.
    s = rig.dial("cache", source="127.0.11.99")
    sent = 0
    try:
        s.sendall(b"X")
        while True:
            s.sendall(b"x" * 65536)
            sent += 65536
            check(sent < 64 << 20, "it listens for ever")
    except OSError:
        pass
    assert_equal(len(backend.calls), 1, "connections at the backend")


# ---- the status listener ----

def the_status_listener_tells_and_changes_nothing(rig):
    rig.echo_door()
    rig.set(status_listen="127.0.0.1:%d" % free_port())
    rig.start()
    live = rig.login(source="127.0.12.1")
    wait_until(lambda: '"status":"ready"' in rig.status_page("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), "ready")
    wait_until(lambda: 'postern_door_sessions{state="open"} 1' in rig.status_page(), "one session in the metrics")  # they are a second old
    pages = {path: rig.status_page("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path) for path in ("/healthz", "/readyz", "/metrics")}
    for path, page in pages.items():
        check(page.startswith("HTTP/1.1 200 "), page)
    check('"status":"ready"' in pages["/readyz"], pages["/readyz"])
    check('postern_door_sessions{state="open"} 1' in pages["/metrics"], pages["/metrics"])
    check("agent-7" not in pages["/metrics"], "names in metrics")
    for line in pages["/metrics"].split("\r\n\r\n", 1)[1].splitlines():
        check(re.fullmatch(r'# (HELP|TYPE) \w+ .*|\w+(\{\w+="[^"\\]*"(,\w+="[^"\\]*")*\})? [0-9.e+]+', line), "no metric: %r" % line)
    for request, status in (("POST /metrics", 405), ("DELETE /healthz", 405), ("PUT /readyz", 405), ("GET /", 404), ("GET /sessions", 404),
                            ("GET /metrics/../control", 404), ("GET //healthz", 404), ("BLOCK /agent-7", 405)):
        answer = rig.status_page("%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % request)
        assert_equal(int(answer.split()[1]), status, "status of %s" % request)
    for request in ("GET /healthz\r\n\r\n", "x\r\n\r\n", "GET /healthz HTTP/1.1\r\n" + "X: y\r\n" * 5000 + "\r\n"):
        check(" 200 " not in rig.status_page(request).split("\r\n")[0], request[:40])
    live.talk()
    # Not ready while audit is away.
    rig.kill_child("audit")
    answers = set()

    def is_back():
        answers.add(rig.status_page("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").split()[1])
        return "200" in answers
    wait_until(is_back, "ready again")
    wait_until(lambda: rig.send("cache", auth_line(rig.token("cache"))).is_granted, "a login")


# ---- secrets ----

def no_secret_is_found_in_logs_audit_metrics_or_proc(rig):
    crt, key = rig.certificate("one")
    backend = rig.echo_door(tls_cert_file=crt, tls_key_file=key, required_scopes="door.use")
    rig.set(status_listen="127.0.0.1:%d" % free_port())
    environment = {"POSTERN_TEST_CANARY": "none"}
    rig.start(env=environment)
    live = rig.login(how="tls", ca=crt)
    check(live["session"] in rig.secrets, "the session's secret is among those looked for")
    rig.renew("cache", live["session"], rig.token("cache"), how="tls", ca=crt)
    rig.send("cache", auth_line(rig.token("cache", "mallory")), source="127.0.13.1")
    rig.send("cache", auth_line(rig.token("cache")[:-5] + "AAAAA"), source="127.0.13.2")
    rig.send("cache", connect_head(rig.token("cache"), "evil.example:1"), source="127.0.13.3")
    rig.send("cache", auth_line("a-password-of-somebody"), source="127.0.13.4")
    rig.send("cache", b"AUTH OAUTHBEARER %s\r\n" % base64.b64encode(rig.token("cache").encode()), source="127.0.13.5")
    rig.send("cache", ("RENEW %s x\r\n" % live["session"]).encode(), source="127.0.13.6")
    rig.secrets += ["a-password-of-somebody", base64.b64encode(b"a-password-of-somebody").decode().rstrip("=")]
    backend.close()
    rig.send("cache", auth_line(rig.token("cache")), source="127.0.13.7")
    places = rig.places()
    places["metrics"] = rig.status_page().encode()
    places["sessions"] = rig.control("sessions", "--json", status=None).stdout.encode()
    for pid in [rig.daemon.process.pid] + list(rig.daemon.children().values()):
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (pid, name), "rb") as f:
                places["%s of %d" % (name, pid)] = f.read()
    rig.assert_no_secret(places)
    for ref in {r["ref"] for r in rig.audit() if "ref" in r}:
        rig.assert_no_secret({"why": rig.why(ref).encode()})
    # The key of the door is read by the door alone, and the file stays root's.
    check(any(b"\x00" in p or p for p in places.values()), "there was something to look at")
    others = [pid for role, pid in rig.daemon.children().items() if role != "door"]
    for pid in others:
        for fd in glob.glob("/proc/%d/fd/*" % pid):
            check(not os.readlink(fd).endswith("one.key"), "the key is open in process %d" % pid)


# ---- audit ----

def the_chain_holds_over_a_rotation_and_refusals_of_strangers_are_summed_up(rig):
    rig.echo_door()
    rig.set(door_loops="1")
    rig.start()
    live = rig.login()
    for _ in range(200):
        rig.send("cache", auth_line(rig.token("cache", life=-1)) if _ < 2 else b"nonsense\r\n", source="127.0.14.1").close()
    shown = [r for r in rig.records(event="login", outcome="rejected") if r["peer"].startswith("127.0.14.1:")]
    check(2 <= len(shown) <= 20, "records of two hundred refusals of one stranger: %d" % len(shown))
    # Verdicts on a proved token have a record each time.
    for _ in range(20):
        rig.send("cache", auth_line(rig.token("cache", "mallory")), source="127.0.14.1").close()
    assert_equal(len(rig.records(event="login", reason="policy")), 20, "records of verdicts")
    first, second = rig.audit_path + ".1", rig.audit_path
    os.rename(rig.audit_path, first)
    rig.login(agent="agent-8").talk().close()
    rig.reload()
    wait_until(lambda: os.path.exists(second), "a new file")
    rig.login(agent="agent-9").talk().close()
    live.talk().close()
    assert_equal(rig.daemon.stop(), 0, "exit status")
    check(not rig.records(agent="agent-8", event="login"), "what was written before the reload stands in the old file")
    check([r for r in rig.audit(first) if r.get("agent") == "agent-8"], "what was written before the reload")
    chain = rig.records(event="chain")
    assert_equal([r["reason"] for r in chain], ["rotated"], "the new file says where the chain stands")
    rig.verify_audit(first, second)
    summaries = rig.records(event="refused")
    assert_equal(sum(r["count"] for r in summaries) + len(shown), 200, "refusals, each counted once: %r" % summaries)
    check(all(r["peer"] in ("127.0.14.1", "others") for r in summaries), summaries)
    if has_command("audit"):
        # A line that was changed is found.
        with open(first, "rb") as f:
            text = f.read()
        with open(rig.path + "/forged", "wb") as f:
            f.write(text.replace(b'"agent":"mallory"', b'"agent":"nobody1"', 1))
        rig.postern("audit", "verify", rig.path + "/forged", status=1)
    os.rename(second, second + ".2")  # the chain of two files was looked at above; by itself it begins in the middle


def a_full_disk_lets_nobody_in_ends_no_session_and_is_over_when_there_is_room(rig):
    folder = rig.path + "/log"
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", folder], check=True)
    try:
        backend = rig.echo_door()
        rig.start()
        live = rig.login()
        fd = os.open(folder + "/filler", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(fd, b"x" * 512)
        except OSError:
            os.close(fd)
        token = rig.token("cache")

        def is_refused():
            answer = rig.send("cache", auth_line(token))
            if answer.is_granted:  # the last page of the log had room
                answer.talk()  # the backend has counted it
                return False
            assert_equal([answer[k] for k in ("error", "reason", "retry")], ["temporarily_unavailable", "audit", "later"], answer)
            return True
        wait_until(is_refused, "no room for a record")
        count = len(backend.calls)
        answer = rig.send("cache", auth_line(rig.token("cache", "mallory")))
        assert_equal([answer[k] for k in ("reason", "retry")], ["audit", "later"], "a verdict without its record")
        assert_equal(len(backend.calls), count, "connections at the backend")
        again = rig.renew("cache", live["session"], rig.token("cache"))
        check(not again.is_granted and again["retry"] == "later", again)
        live.talk()
        wait_until(lambda: open(rig.audit_path, "rb").read().endswith(b"\n"), "no half a line is left")
        os.unlink(folder + "/filler")
        wait_until(lambda: rig.send("cache", auth_line(token)).is_granted, "a login when there is room again")
        live.talk()
        check(rig.renew("cache", live["session"], rig.token("cache")).is_granted, "a renewal")
        assert_equal(rig.daemon.stop(), 0, "exit status")
        rig.verify_audit()
    finally:
        text = open(rig.audit_path, "rb").read() if os.path.exists(rig.audit_path) else b""
        for d in rig.daemons:
            if d.process.poll() is None:
                d.stop()
        subprocess.run(["umount", folder], check=True)
        with open(rig.audit_path, "wb") as f:
            f.write(text)


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
