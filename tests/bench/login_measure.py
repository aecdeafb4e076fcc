# SPDX-License-Identifier: BSD-2-Clause
"""One part of tests/bench/login, which has started everything: logins by this client, CPU time of what serves them.

    login_measure.py FOLDER DRIVER ROOM POSTERND ROUNDS LOGINS PART PID ..."""
import base64
import hashlib
import hmac
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

T, DRIVER, ROOM = sys.argv[1:4]
POSTERND, ROUNDS, LOGINS = map(int, sys.argv[4:7])
PART, PIDS = sys.argv[7], [int(p) for p in sys.argv[8:]]
PASSWORD = "secretpw"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def tree(pid):
    found = [pid]
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as f:
                for child in f.read().split():
                    found += tree(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass  # it ended meanwhile
    return found


def settle(roots):
    """Processes of logins that are over have ended, and those above them know."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if all(len(tree(root)) <= AT_REST[root] for root in roots):
            return
        time.sleep(0.002)


def cpu_s(*roots):
    """Of all processes below: those that live by the scheduler's clock, in nanoseconds; those that have ended and were waited for, in
    the kernel's ticks."""
    total = 0
    for root in roots:
        for pid in tree(root):
            with open("/proc/%d/schedstat" % pid) as f:
                total += sum(int(open("/proc/%d/task/%s/schedstat" % (pid, t)).read().split()[0]) for t in os.listdir("/proc/%d/task" % pid)) / 1e9
            with open("/proc/%d/stat" % pid) as f:
                fields = f.read().rpartition(")")[2].split()
                total += (int(fields[13]) + int(fields[14])) * TICK_S
    return total


AT_REST = {}  # processes below each root when nobody logs in


def median(numbers):
    return sorted(numbers)[len(numbers) // 2]


def say(name, value, unit, **more):
    print(json.dumps(dict({"name": "login/" + name, "value": round(value, 3), "unit": unit}, **more)), flush=True)


def tokens(name):
    with open("%s/%s/tokens" % (T, name)) as f:
        return f.read().split()


def in_rounds(candidates):
    """{name: a sample of each round}: (CPU us a login, share of posternd's tree in it), in an order that rotates."""
    found = {name: [] for name, *_ in candidates}
    time.sleep(0.5)
    AT_REST.update((root, len(tree(root))) for root in [POSTERND] + PIDS)
    for n in range(ROUNDS):
        at = n % len(candidates)
        for name, roots, work in candidates[at:] + candidates[:at]:
            before, before_ours = cpu_s(*roots), cpu_s(POSTERND)
            own = work(n)  # seconds of a process of its own that served
            ours = cpu_s(POSTERND) - before_ours
            settle(roots)
            total = cpu_s(*roots) - before + own
            found[name].append((total * 1e6 / LOGINS, (ours if POSTERND in roots else 0) * 1e6 / LOGINS))
    return found


def report(found, ratios):
    for name, samples in found.items():
        say(name, median([s[0] for s in samples]), "us", posternd=round(median([s[1] for s in samples]), 1),
            least=round(min(s[0] for s in samples), 1), per_cpu_s=round(1e6 / median([s[0] for s in samples])))
    for ours, other in ratios:
        if ours in found and other in found:
            say(ours, median([s[0] for s in found[ours]]), "us", against=other,
                ratio=round(median([a[0] / b[0] for a, b in zip(found[ours], found[other])]), 3))


def slice_of(lines, n):
    return lines[n * LOGINS:(n + 1) * LOGINS]


def write_slice(name, n):
    path = "%s/%s/slice" % (T, name)
    with open(path, "w") as f:
        f.write("\n".join(slice_of(tokens(name), n)) + "\n")
    return path


def drive(*words):
    """CPU seconds of the driver's own, and seconds on the wall."""
    out = subprocess.run([DRIVER] + list(words), stdout=subprocess.PIPE, check=True).stdout.split()
    return int(out[0]) / 1e9, int(out[1]) / 1e9


# ---- the helper alone ----

def measure_helper():
    one, sock, walls = T + "/rs256/one", "/run/postern/helper.sock", {}

    def run(name, *words):
        cpu, wall = drive(*words)
        walls.setdefault(name, []).append(wall * 1e6 / LOGINS)
        return cpu

    found = in_rounds([
        ("helper/cached", [POSTERND], lambda n: run("helper/cached", "helper", sock, "rs256", str(LOGINS), one)),
        ("helper/proof", [POSTERND], lambda n: run("helper/proof", "helper", sock, "rs256", str(LOGINS), write_slice("rs256", n))),
        ("helper/echo", PIDS[:1], lambda n: run("helper/echo", "echoes", T + "/echo.sock", str(LOGINS), one)),
        ("helper/recorded-echo", PIDS[1:], lambda n: run("helper/recorded-echo", "echoes", T + "/recorded.sock", str(LOGINS), one)),
    ])
    report(found, [("helper/cached", "helper/echo"), ("helper/proof", "helper/echo"), ("helper/recorded-echo", "helper/echo"),
                   ("helper/cached", "helper/recorded-echo")])
    for name in ("helper/cached", "helper/proof"):
        say(name + "/wall", median(walls[name]), "us", per_s=round(1e6 / median(walls[name])), against="helper/echo",
            ratio=round(median([a / b for a, b in zip(walls[name], walls["helper/echo"])]), 3))


# ---- libsasl2 alone, and Dovecot's auth process ----

class DovecotAuth:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.f, self.id = self.s.makefile("rwb"), 0
        self.f.write(b"VERSION\t1\t2\nCPID\t%d\n" % os.getpid())
        self.f.flush()
        while self.f.readline() != b"DONE\n":
            pass

    def log_in(self, token):
        self.id += 1
        message = base64.b64encode(b"n,a=alice,\1auth=Bearer " + token.encode() + b"\1\1")
        self.f.write(b"AUTH\t%d\tOAUTHBEARER\tservice=imap\tsecured\tresp=%s\n" % (self.id, message))
        self.f.flush()
        answer = self.f.readline()
        assert answer.startswith(b"OK\t%d\t" % self.id), answer


def measure_sasl():
    candidates, ratios = [], []
    for alg, pid in zip(("rs256", "es256"), PIDS):
        auth = DovecotAuth("%s/run/dovecot-%s/auth-bench" % (ROOM, alg))

        def dovecot(n, auth=auth, alg=alg):
            for token in slice_of(tokens("dovecot-" + alg), n):
                auth.log_in(token)
            return 0

        candidates += [
            ("sasl/%s/proof" % alg, [POSTERND], lambda n, alg=alg: drive("sasl", "OAUTHBEARER", alg, str(LOGINS), write_slice(alg, n))[0]),
            ("sasl/%s/cached" % alg, [POSTERND], lambda n, alg=alg: drive("sasl", "OAUTHBEARER", alg, str(LOGINS), T + "/%s/one" % alg)[0]),
            ("sasl/%s/dovecot-auth" % alg, [pid], dovecot),
        ]
        ratios += [("sasl/%s/proof" % alg, "sasl/%s/dovecot-auth" % alg), ("sasl/%s/cached" % alg, "sasl/%s/dovecot-auth" % alg)]
    report(in_rounds(candidates), ratios)


# ---- slapd ----

def ber(tag, *parts):
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack("!H", len(body))
    return bytes([tag]) + size + body


class Ldap:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.id = 0

    def bind(self, mech, credentials):
        self.id = self.id % 30000 + 1
        self.s.sendall(ber(0x30, ber(2, struct.pack("!H", self.id)),
                           ber(0x60, b"\x02\x01\x03", b"\x04\x00", ber(0xa3, ber(4, mech), ber(4, credentials)))))
        answer = self.s.recv(4096)
        assert b"\x0a\x01\x00" in answer[:24], answer


def bearer(token):
    return b"n,,\1auth=Bearer " + token.encode() + b"\1\1"


def measure_slapd():
    ldap, lines = Ldap(ROOM + "/tmp/ldapi"), tokens("ldap")

    def by_token(several):
        for token in several:
            ldap.bind(b"OAUTHBEARER", bearer(token))
        return 0

    def by_password(n):
        for _ in range(LOGINS):
            ldap.bind(b"PLAIN", b"\0alice\0" + PASSWORD.encode())
        return 0

    by_token(lines[-20:])
    by_password(0)
    found = in_rounds([
        ("slapd/oauthbearer/proof", [POSTERND] + PIDS, lambda n: by_token(slice_of(lines, n))),
        ("slapd/oauthbearer/cached", [POSTERND] + PIDS, lambda n: by_token([lines[-1]] * LOGINS)),
        ("slapd/plain", PIDS, by_password),
    ])
    report(found, [("slapd/oauthbearer/cached", "slapd/plain"), ("slapd/oauthbearer/proof", "slapd/plain")])


# ---- Cyrus imapd ----

def imap_login(mech, credentials):
    with socket.create_connection(("127.0.0.1", 143)) as s:
        f = s.makefile("rwb")
        f.readline()
        f.write(b"a AUTHENTICATE " + mech + b" " + base64.b64encode(credentials) + b"\r\n")
        f.flush()
        answer = f.readline()
        assert answer.startswith(b"a OK"), answer
        f.write(b"b LOGOUT\r\n")
        f.flush()
        assert b"b OK" in f.read()


def measure_imapd():
    lines = tokens("imap")

    def by_token(several):
        for token in several:
            imap_login(b"OAUTHBEARER", bearer(token))
        return 0

    def by_password(n):
        for _ in range(LOGINS):
            imap_login(b"PLAIN", b"\0alice\0" + PASSWORD.encode())
        return 0

    by_token(lines[-20:])
    by_password(0)
    found = in_rounds([
        ("imapd/oauthbearer/proof", [POSTERND] + PIDS, lambda n: by_token(slice_of(lines, n))),
        ("imapd/oauthbearer/cached", [POSTERND] + PIDS, lambda n: by_token([lines[-1]] * LOGINS)),
        ("imapd/plain", PIDS, by_password),
    ])
    report(found, [("imapd/oauthbearer/proof", "imapd/plain"), ("imapd/oauthbearer/cached", "imapd/plain")])


# ---- PostgreSQL ----

class Postgres:
    """One login: the wire protocol's startup and SASL."""

    def __init__(self, role):
        self.s = socket.create_connection(("127.0.0.1", 5432))
        body = struct.pack("!I", 196608) + b"user\0" + role + b"\0database\0postgres\0\0"
        self.s.sendall(struct.pack("!I", len(body) + 4) + body)
        self.f = self.s.makefile("rb")

    def message(self):
        kind, size = struct.unpack("!cI", self.f.read(5))
        return kind, self.f.read(size - 4)

    def authentication(self, want):
        kind, body = self.message()
        assert kind == b"R" and struct.unpack("!I", body[:4])[0] == want, (kind, body)
        return body[4:]

    def send(self, body):
        self.s.sendall(b"p" + struct.pack("!I", len(body) + 4) + body)

    def start(self, mech, body):
        self.authentication(10)
        self.send(mech + b"\0" + struct.pack("!I", len(body)) + body)

    def finish(self):
        self.authentication(0)
        while self.message()[0] != b"Z":
            pass
        self.s.sendall(b"X" + struct.pack("!I", 4))
        self.f.read()
        self.s.close()


def pg_by_token(several):
    for token in several:
        p = Postgres(b"alice")
        p.start(b"OAUTHBEARER", bearer(token))
        p.finish()
    return 0


KEYS = {}


def pg_by_scram(n):
    for _ in range(LOGINS):
        p = Postgres(b"bob")
        first = b"n=,r=" + base64.b64encode(os.urandom(18))
        p.start(b"SCRAM-SHA-256", b"n,," + first)
        told = p.authentication(11)
        nonce, salt, count = re.match(rb"r=([^,]+),s=([^,]+),i=(\d+)$", told).groups()
        if salt not in KEYS:  # the client's work is not measured
            KEYS[salt] = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), base64.b64decode(salt), int(count))
        key = hmac.digest(KEYS[salt], b"Client Key", "sha256")
        last = b"c=biws,r=" + nonce
        signature = hmac.digest(hashlib.sha256(key).digest(), first + b"," + told + b"," + last, "sha256")
        p.send(last + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))))
        p.authentication(12)
        p.finish()
    return 0


def measure_postgresql():
    lines = tokens("pg")
    pg_by_token(lines[-20:])
    pg_by_scram(0)
    found = in_rounds([
        ("postgresql18/oauth/proof", [POSTERND] + PIDS, lambda n: pg_by_token(slice_of(lines, n))),
        ("postgresql18/oauth/cached", [POSTERND] + PIDS, lambda n: pg_by_token([lines[-1]] * LOGINS)),
        ("postgresql18/scram-sha-256", PIDS, pg_by_scram),
    ])
    report(found, [("postgresql18/oauth/proof", "postgresql18/scram-sha-256"), ("postgresql18/oauth/cached", "postgresql18/scram-sha-256")])


{"helper": measure_helper, "sasl": measure_sasl, "slapd": measure_slapd, "imapd": measure_imapd, "postgresql": measure_postgresql}[PART]()
