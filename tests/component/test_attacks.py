#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Attacks on a real posternd by strangers on the network and by users of the machine who have no right here: what they can hold, fill or
starve."""
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import free_port  # noqa: E402
from door_rig import BUSY_S, IS_SANITIZED, assert_equal, auth_line, check, run_door_tests, wait_until  # noqa: E402

STRANGER_UID, OTHER_STRANGER_UID = 64741, 64742
LOGIN_SHARE = 64  # login_max_per_source, by default
HELPER_SHARE = 512  # of one user, of helper_max_connections by default


class _Holder:
    """A process of another user that opens what `take` opens and holds it."""

    def __init__(self, uid, take):
        told, tell = os.pipe()
        stay, let_go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(let_go)
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                held = take()
                os.write(tell, b"+" if held else b"-")
                os.read(stay, 1)
            finally:
                os._exit(0)
        os.close(tell)
        os.close(stay)
        self.let_go = let_go
        check(os.read(told, 1) == b"+", "uid %d could take nothing" % uid)
        os.close(told)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.let_go)
        os.waitpid(self.pid, 0)


def _metric(rig, name):
    return float(re.search(r"^%s (\S+)$" % re.escape(name), rig.status_page(), re.M).group(1))


def _rss_kib(rig, role):
    with open("/proc/%d/status" % rig.child(role)) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def _cpu_s(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- places ----

def a_local_user_who_holds_his_share_of_a_unix_socket_shuts_out_nobody_else(rig):
    rig.echo_door(login_timeout="120s")
    rig.set(status_listen="127.0.0.1:%d" % free_port())
    rig.start()
    with _Holder(STRANGER_UID, lambda: [rig.dial("cache", how="unix") for _ in range(LOGIN_SHARE)]):
        wait_until(lambda: _metric(rig, "postern_door_logins") >= LOGIN_SHARE, "his connections are at the door")
        for _ in range(3):
            rig.login(how="unix").talk().close()
        # He himself has no more.
        with _Holder(STRANGER_UID, lambda: _is_shut_out(rig)):
            pass


def _is_shut_out(rig):
    s = rig.dial("cache", how="unix")
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def a_local_user_who_says_nothing_on_loopback_shuts_out_nobody_else(rig):
    rig.echo_door(login_timeout="120s")
    rig.set(status_listen="127.0.0.1:%d" % free_port())
    rig.start()
    with _Holder(STRANGER_UID, lambda: [rig.dial("cache") for _ in range(LOGIN_SHARE)]):
        wait_until(lambda: _metric(rig, "postern_door_logins") >= LOGIN_SHARE, "his connections are at the door")
        for _ in range(5):
            rig.login().talk().close()
        rig.login(how="tls").talk().close()


def two_users_without_a_right_do_not_shut_the_services_out_of_the_helper(rig):
    rig.echo_door()
    rig.start()

    def hold():
        held = []
        for _ in range(HELPER_SHARE):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.connect(rig.path + "/run/helper.sock")
            held.append(s)
        return held

    with _Holder(STRANGER_UID, hold), _Holder(OTHER_STRANGER_UID, hold):
        begin = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(20)
            s.connect(rig.path + "/run/helper.sock")
            s.send(b'{"v":1}')
            check(b"helper_protocol" in s.recv(4096), "an answer")
        check(time.monotonic() - begin < 4 + BUSY_S, "it waited for %.1f s" % (time.monotonic() - begin))


def silent_connections_do_not_keep_a_probe_waiting(rig):
    rig.echo_door()
    rig.set(status_listen="127.0.0.1:%d" % free_port())
    rig.start()
    host, port = rig.daemon_keys["status_listen"].rsplit(":", 1)
    held = [socket.create_connection((host, int(port))) for _ in range(48)]
    begin = time.monotonic()
    check(rig.status_page("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").startswith("HTTP/1.1 200 "), "alive")
    check(time.monotonic() - begin < 4 + BUSY_S, "the probe waited for %.1f s" % (time.monotonic() - begin))
    for s in held:
        s.close()


# ---- memory, disk, processor ----

def a_client_hello_without_end_is_not_kept(rig):
    """OpenSSL takes 128 KiB of one; a record after the other, none of them the last."""
    rig.echo_door(login_timeout="120s")
    rig.set(login_max="1024", login_max_per_source="1000", status_listen="127.0.0.1:%d" % free_port())
    rig.start()
    rig.login(how="tls").talk().close()
    before, held = _rss_kib(rig, "door"), []
    hello = b"\x01" + (131000).to_bytes(3, "big") + bytes(130000)
    records = b"".join(b"\x16\x03\x01" + len(p).to_bytes(2, "big") + p for p in (hello[i:i + 16000] for i in range(0, len(hello), 16000)))
    for _ in range(300):
        s = rig.dial("cache", source="127.0.20.1")
        held.append(s)
        try:
            s.sendall(records)
        except OSError:
            pass
    wait_until(lambda: _metric(rig, "postern_door_logins") == 0, "all are closed")
    grown = _rss_kib(rig, "door") - before
    check(IS_SANITIZED or grown < 15 << 10, "the door grew by %d KiB" % grown)  # a sanitizer keeps what is freed
    # Half of what is allowed may wait for the rest.
    s = rig.dial("cache", source="127.0.20.2")
    s.sendall(records[:8000])
    wait_until(lambda: _metric(rig, "postern_door_logins") == 1, "it is there")
    rig.login(how="tls").talk().close()


def refusals_of_strangers_have_one_quota_of_records_however_many_loops_there_are(rig):
    rig.echo_door()
    rig.set(door_loops="8")
    rig.start()
    for _ in range(80):
        rig.send("cache", b"nonsense\r\n", source="127.0.21.1").close()
    shown = rig.records(event="login", outcome="rejected")
    check(5 <= len(shown) <= 6, "records of eighty refusals of one stranger: %d" % len(shown))


def a_refusal_on_a_unix_socket_is_put_down_to_its_user(rig):
    rig.echo_door()
    rig.start()

    def flood():
        for _ in range(20):
            rig.send("cache", b"nonsense\r\n", how="unix").close()
        return True

    with _Holder(STRANGER_UID, flood):
        pass
    # Somebody else's first refusal has its record all the same.
    answer = rig.refused("cache", b"nonsense\r\n", how="unix")
    rig.wait_record(ref=answer["ref"])
    assert_equal(rig.daemon.stop(), 0, "exit status")
    assert_equal([r["peer"] for r in rig.records(event="refused")], ["unix uid %d" % STRANGER_UID], "whom the summary names")


def without_descriptors_the_log_is_not_filled_and_it_goes_on_afterwards(rig):
    """A machine that allows too few, and a stranger who takes them."""
    rig.echo_door(login_timeout="120s")
    rig.set(login_max_per_source="500", door_loops="2")
    rig.start(prefix=("sh", "-c", 'ulimit -n 64; exec "$0" "$@"'))
    rig.login().talk().close()
    held = [rig.dial("cache", source="127.0.23.%d" % (n % 5 + 1)) for n in range(200)]
    rig.daemon.wait_log("door: no more connections for a moment", 1)
    time.sleep(2)  # what is counted is lines in a time
    count = len(re.findall("no more connections for a moment", rig.daemon.log()))
    check(count <= 2, "%d lines of log" % count)
    for s in held:
        s.close()
    wait_until(lambda: rig.send("cache", auth_line(rig.token("cache"))).is_granted, "a login when there is room again")


def half_closed_and_odd_connections_do_not_keep_a_processor_busy(rig):
    rig.echo_door(login_timeout="120s")
    rig.set(status_listen="127.0.0.1:%d" % free_port())
    rig.start()
    rig.login().talk().close()
    held = []
    cases = ((b"", None, None), (b"AUTH", None, None), (b"AUTH", socket.SHUT_WR, None), (b"\x16\x03\x01", None, None),
             (b"\x16\x03\x01", socket.SHUT_WR, None), (b"XXXX", None, None), (b"XXXX", socket.SHUT_WR, None), (b"", socket.SHUT_RD, None),
             (b"AUTH ", None, b"!"), (b"", None, b"!"))
    for n, (data, end, urgent) in enumerate(cases):
        for how in ("plain", "unix"):
            s = rig.dial("cache", how=how, source="127.0.22.%d" % (n + 1) if how == "plain" else None)
            held.append(s)
            s.sendall(data)
            if urgent is not None and how == "plain":
                s.send(urgent, socket.MSG_OOB)
            if end is not None:
                s.shutdown(end)
    for kind, path, data in ((socket.SOCK_STREAM, "control.sock", b""), (socket.SOCK_STREAM, "control.sock", b"{}"),
                             (socket.SOCK_SEQPACKET, "helper.sock", b"")):
        s = socket.socket(socket.AF_UNIX, kind)
        held.append(s)
        s.connect("%s/run/%s" % (rig.path, path))
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    host, port = rig.daemon_keys["status_listen"].rsplit(":", 1)
    for data in (b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/1.1\r\n\r\n"):
        s = socket.create_connection((host, int(port)))
        held.append(s)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    before = {role: _cpu_s(pid) for role, pid in rig.daemon.children().items()}
    time.sleep(2)  # what is measured is a time
    busy = {role: _cpu_s(pid) - before[role] for role, pid in rig.daemon.children().items()}
    check(all(s < 0.7 for s in busy.values()), "seconds of processor in two: %r" % busy)
    rig.login(source="127.0.22.99").talk().close()


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
