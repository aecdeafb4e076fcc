# SPDX-License-Identifier: BSD-2-Clause
"""RESP for tests, and a real redis-server of a test's own on a unix socket."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from daemon import DEADLINE_S, free_port, wait_until


def pack(*words):
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(out)


class Error(str):
    """An error reply; its text without the minus."""


class Push(list):
    """A push of RESP 3."""


class Connection:
    def __init__(self, path, timeout=DEADLINE_S):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb", 1 << 20)

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("the connection ended: %r" % line)
        return line[:-2]

    def read(self):
        line = self.line()
        kind, text = line[:1], line[1:]
        if kind == b"+":
            return text
        if kind in b"-":
            return Error(text.decode("utf-8", "replace"))
        if kind in b":(":
            return int(text)
        if kind == b",":
            return float(text)
        if kind == b"#":
            return text == b"t"
        if kind == b"_" or text == b"-1":
            return None
        if kind in b"$=!":
            data = self.file.read(int(text) + 2)[:-2]
            return Error(data.decode("utf-8", "replace")) if kind == b"!" else data
        if kind in b"*~":
            return [self.read() for _ in range(int(text))]
        if kind == b">":
            return Push(self.read() for _ in range(int(text)))
        if kind == b"%":
            return {repr(self.read()): self.read() for _ in range(int(text))}
        raise AssertionError("no reply of RESP: %r" % line)

    def call(self, *words):
        self.send(pack(*words))
        return self.read()

    def close(self):
        self.file.close()
        self.sock.close()


class Server:
    """redis-server without a port and without a file."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="postern-redis.", dir="/tmp")
        self.path = self.folder + "/redis.sock"
        program = shutil.which("redis-server") or os.environ.get("POSTERN_SERVERS", "") + "/usr/bin/redis-server"
        self.process = subprocess.Popen([program, "--port", "0", "--unixsocket", self.path, "--save", "", "--dir", self.folder,
                                         "--appendonly", "no", *options], stdout=subprocess.DEVNULL)
        wait_until(self.answers, "redis-server answers")

    def answers(self):
        try:
            c = Connection(self.path)
        except OSError:
            return False
        try:
            return isinstance(c.call("PING"), (bytes, Error))
        finally:
            c.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE_S)
        shutil.rmtree(self.folder, ignore_errors=True)


class BackendServer(Server):
    """Behind doors: on TCP, where their user may come, and with a password; `inside` has given it."""

    def __init__(self, password):
        self.port, self.password = free_port(), password
        super().__init__("--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", password)
        self.inside = Connection(self.path)
        assert self.inside.call("AUTH", password) == b"OK", "the backend's password"

    def door(self, rig, password=None, **keys):
        """doors/cache.conf in front of it; what it logs in with is written nowhere else."""
        path = rig.path + "/backend.password"
        with open(path, "w") as f:
            f.write((password or self.password) + "\n")
        os.chmod(path, 0o600)
        rig.secrets.append(password or self.password)
        keys.setdefault("backend", "127.0.0.1:%d" % self.port)
        rig.door("cache", protocol="redis", backend_auth="password", backend_password_file=path, **keys)


def flatten(rows, found):
    """What COMMAND says, by name as policies write it."""
    for row in rows:
        if not row[9] or row[0] == b"command":
            found[row[0].decode().upper()] = row
        flatten(row[9], found)
    return found


def words_for(rng, name, row):
    """Words that such a command may have: options, numbers and keys, mixed so that every form of it comes up."""
    options = {
        "SORT": ["BY", "w_*", "BY", "nosort", "GET", "#", "GET", "o_*->f", "LIMIT", "0", "5", "ASC", "DESC", "ALPHA", "STORE", "dest"],
        "SORT_RO": ["BY", "w_*", "GET", "#", "LIMIT", "0", "5", "ASC", "ALPHA"],
    }
    key = lambda: rng.choice(["k1", "k2", "no:k", "\x00b", "STORE", "streams", "", "a b"])  # noqa: E731
    base = name.split("|")
    if name in ("XREAD", "XREADGROUP"):
        count = rng.randint(1, 4)
        head = rng.choice([[], ["COUNT", "2"], ["BLOCK", "0"], ["count", "1", "block", "5"]])
        if name == "XREADGROUP":
            head = ["GROUP", rng.choice(["g", "streams"]), "c"] + head + rng.choice([[], ["NOACK"]])
        return base + head + [rng.choice(["STREAMS", "streams"])] + [key() for _ in range(count)] + ["0"] * count
    if name in ("GEORADIUS", "GEORADIUSBYMEMBER"):
        head = [key()] + (["1", "2"] if name == "GEORADIUS" else ["m"]) + ["5", "km"]
        tail = rng.choice([[], ["WITHDIST"], ["COUNT", "3", "ANY"], ["ASC", "STORE", key()], ["STOREDIST", key()],
                           ["COUNT", "1", "DESC", "STOREDIST", key()]])
        return base + head + tail
    if name in options:
        tail = []
        for _ in range(rng.randint(0, 3)):
            tail += rng.choice([["BY", "w_*"], ["GET", "o_*"], ["LIMIT", "0", "1"], ["ASC"], ["ALPHA"]])
        if name == "SORT" and rng.random() < .5:
            tail += ["STORE", key()]
        return base + [key()] + tail
    if name == "MIGRATE":
        tail = rng.choice([[], ["COPY"], ["COPY", "REPLACE"], ["AUTH", "pw"], ["AUTH2", "u", "pw"]])
        if rng.random() < .5:
            return base + ["h", "1", "", "0", "10"] + tail + ["KEYS"] + [key() for _ in range(rng.randint(1, 3))]
        return base + ["h", "1", key() or "k", "0", "10"] + tail
    arity = int(row[1])
    count = abs(arity) - 1 + (rng.randint(0, 4) if arity < 0 else 0)
    words = [key() if rng.random() < .6 else str(rng.randint(0, 3)) for _ in range(max(0, count + 1 - len(base)))]
    return base + words
