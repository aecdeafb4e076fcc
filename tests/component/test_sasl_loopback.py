#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whom the SASL client gives a token that it found by itself when there is no TLS: an agent, real sockets on loopback, and whoever of this
machine's users answers there.  TAP output; root, for users of other numbers; nothing but libsasl and Python's own modules."""
import ctypes
import ctypes.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemon  # noqa: E402

BUILD = os.environ.get("POSTERN_BUILD", ".")
AGENT, MALLORY = 23456, 23457
TOKEN = "t0ken-of-agent-7"
SASL = None


class Callback(ctypes.Structure):
    _fields_ = [("id", ctypes.c_ulong), ("proc", ctypes.c_void_p), ("context", ctypes.c_void_p)]


# Names and tokens by prompt, as programs of people have them: SASL_CB_AUTHNAME, SASL_CB_PASS, the end.
PROMPTS = (Callback * 3)(Callback(0x4002), Callback(0x4004), Callback(0))
SASL_INTERACT = 2


def become(uid):
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


class Server:
    """Somebody of `uid` who accepts what comes to the port and keeps it.  binds_as: whose the port is (0: opened by root and handed on)."""

    def __init__(self, uid, host="127.0.0.1", port=0, binds_as=None, accepts=True):
        told, ready = os.pipe()
        self.hold, end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(end)
                become(uid if binds_as is None else binds_as) if binds_as != 0 else None
                s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((host, port))
                s.listen()
                if os.getuid() != uid:
                    become(uid)
                os.write(ready, b"%d" % s.getsockname()[1])
                kept = []
                while accepts:
                    kept.append(s.accept()[0])
                    kept[-1].sendall(b"hello\n")
                os.read(self.hold, 1)
            finally:
                os._exit(0)
        os.close(ready)
        self.end, self.address = end, (host, int(os.read(told, 16)))
        os.close(told)

    def stop(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self.end)
        os.close(self.hold)


def first_words(s, host, local, remote, service):
    """What the client would send first, by libsasl; None: nothing."""
    conn, need, out, length, mech = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint(), ctypes.c_char_p()
    code = SASL.sasl_client_new(service, host, local, remote, PROMPTS, 0, ctypes.byref(conn))
    if code != 0:
        return "sasl_client_new %d" % code
    code = SASL.sasl_client_start(conn, b"OAUTHBEARER", ctypes.byref(need), ctypes.byref(out), ctypes.byref(length), ctypes.byref(mech))
    if code not in (0, 1):
        return "%d: %s" % (code, ctypes.string_at(SASL.sasl_errdetail(conn)).decode())
    return ctypes.string_at(out, length.value).decode()


def ask(address, host, greeted=True, says=None, service=b"svn", **env):
    """The words of an agent that connected there, and calls the server `host`; `says`: the addresses that its program tells libsasl."""
    told, to = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(AGENT)
            os.environ.update({"BEARER_TOKEN": TOKEN, "HOME": "/nonexistent"})
            os.environ.update(env)
            s = socket.create_connection(address)
            if greeted:
                s.recv(16)
            ends = ["%s;%d" % s.getsockname()[:2], "%s;%d" % s.getpeername()[:2]] if says is None else list(says)
            ends = [None if e is None else e.encode() for e in ends]
            SASL.sasl_client_init(None)
            os.write(to, first_words(s, host.encode(), ends[0], ends[1], service).encode())
        except BaseException as e:
            os.write(to, repr(e).encode())
        finally:
            os._exit(0)
    os.close(to)
    with os.fdopen(told) as f:
        words = f.read()
    os.waitpid(pid, 0)
    return words


def given(words):
    return "auth=Bearer " + TOKEN in words


def kept(words):
    """The person is asked for one, and told why none that lies there is sent."""
    return TOKEN not in words and words.startswith("%d: " % SASL_INTERACT) and "TLS" in words


def by_whom(uid, host="localhost", where="127.0.0.1", **more):
    keep = {k: more.pop(k) for k in ("port", "binds_as", "accepts") if k in more}
    server = Server(uid, where, **keep)
    try:
        return ask(server.address, host, **more)
    finally:
        server.stop()


def main():
    global SASL
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root")
        return 0
    folder = tempfile.mkdtemp(prefix="postern-test.", dir="/tmp")
    os.chmod(folder, 0o755)
    shutil.copy(BUILD + "/sasl-plugin/.libs/liboauthbearer.so", folder)
    os.environ.update({"SASL_PATH": folder, "SASL_CONF_PATH": folder})
    for name in ("BEARER_TOKEN", "BEARER_TOKEN_FILE", "XDG_RUNTIME_DIR", "POSTERN_CLIENT", "POSTERN_SERVER_USER"):
        os.environ.pop(name, None)
    SASL = ctypes.CDLL(ctypes.util.find_library("sasl2") or "libsasl2.so.2")
    SASL.sasl_errdetail.restype = ctypes.c_void_p
    socket.getaddrinfo("127.0.0.1", 80)  # loads what a process that changed its user may not
    "a".encode("idna")
    try:
        cases = [
            ("another user who answers where the daemon is not gets no token", kept, lambda: by_whom(MALLORY)),
            ("nor over IPv6", kept, lambda: by_whom(MALLORY, where="::1")),
            ("nor at another address of loopback", kept, lambda: by_whom(MALLORY, where="127.9.9.9")),
            ("nor when the host is written as an address", kept, lambda: by_whom(MALLORY, "127.0.0.1")),
            ("nor when it is another's name that DNS has put here", kept, lambda: by_whom(MALLORY, "mail.example.org")),
            ("not even root's program gets what is for mail.example.org", kept, lambda: by_whom(0, "mail.example.org")),
            ("root's program gets a token", given, lambda: by_whom(0)),
            ("root's program gets a token over IPv6", given, lambda: by_whom(0, "::1", "::1")),
            ("the agent's own user's gets one, a tunnel", given, lambda: by_whom(AGENT)),
            ("another's gets one where it is named", given, lambda: by_whom(MALLORY, POSTERN_SERVER_USER=str(MALLORY))),
            ("and not where somebody else is named", kept, lambda: by_whom(MALLORY, POSTERN_SERVER_USER=str(MALLORY + 1))),
            ("nor where nobody has the name", kept, lambda: by_whom(MALLORY, POSTERN_SERVER_USER="no-such-user")),
            ("uid 65534 may be anybody of another namespace, and is not told to be named", lambda w: kept(w) and "POSTERN_SERVER_USER" not in w,
             lambda: by_whom(65534, POSTERN_SERVER_USER="65534")),
            ("a port that root opened and gave to another user is that user's", kept, lambda: by_whom(MALLORY, binds_as=0)),
            ("nobody has accepted: nobody is known", kept, lambda: by_whom(0, accepts=False, greeted=False)),
            ("addresses that no connection has are nobody's", kept, lambda: by_whom(0, says=("127.0.0.1;60001", "127.0.0.1;60002"))),
            ("without addresses nobody knows who answers", kept, lambda: by_whom(MALLORY, says=(None, None))),
            ("a unix socket, which libvirt calls port 0, has its folder", given, lambda: by_whom(0, says=("127.0.0.1;0", "127.0.0.1;0"), service=b"libvirt")),
        ]
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
            first = int(f.read())
        if first >= 1024:
            cases.append(("a port that only root can open is root's, whoever accepts there", given, lambda: by_whom(MALLORY, port=917, binds_as=0)))
        for name, is_right, act in cases:
            words = act()
            daemon.report(is_right(words), name, words)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("1..%d" % (daemon.passed + daemon.failed))
    return daemon.failed != 0


def load_sanitizer():
    """Begins this program again with the runtime that a plugin of a sanitized build wants to find; Python's own leaks are not ours."""
    runtime = subprocess.run(["clang", "-print-file-name=libclang_rt.asan-x86_64.so"], check=True, capture_output=True, text=True).stdout.strip()
    os.execve(sys.executable, [sys.executable] + sys.argv, dict(os.environ, LD_PRELOAD=runtime, ASAN_OPTIONS="detect_leaks=0:abort_on_error=1"))


if __name__ == "__main__":
    if daemon.IS_SANITIZED and "LD_PRELOAD" not in os.environ:
        load_sanitizer()
    sys.exit(main())
