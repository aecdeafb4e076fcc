#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""PostgreSQL's protocol as far as a login by OAUTHBEARER goes, for what libpq does not do: odd sizes, empty tokens, many logins, a
client that waits.  Prints a line for each login: "ok", "SQLSTATE message", with "challenge JSON" before it where the server sent one.

    pg_wire.py [--plain] [--probe] [--count N] [--together N] [--raw] [--port N] ROLE DATABASE <TOKEN
"""
import argparse
import concurrent.futures
import json
import socket
import ssl
import struct
import sys


class Login:
    def __init__(self, options):
        self.sock = socket.create_connection((options.host, options.port), timeout=options.timeout)
        self.challenge = None
        if not options.plain:
            self.sock.sendall(struct.pack("!II", 8, 80877103))
            if self.sock.recv(1) != b"S":
                raise OSError("the server has no TLS")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)

    def take(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise EOFError("the server closed the connection")
            data += more
        return data

    def message(self):
        kind = self.take(1)
        (size,) = struct.unpack("!I", self.take(4))
        return kind, self.take(size - 4)

    def send(self, kind, body):
        self.sock.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def run(self, role, database, first):
        body = struct.pack("!I", 196608) + b"user\0" + role.encode() + b"\0database\0" + database.encode() + b"\0\0"
        self.sock.sendall(struct.pack("!I", len(body) + 4) + body)
        while True:
            kind, data = self.message()
            if kind == b"E":
                fields = {field[:1]: field[1:].decode() for field in data.split(b"\0") if field}
                return " ".join([fields[b"C"], fields[b"M"]] + ["(%s)" % fields[f] for f in (b"D", b"H") if f in fields])
            if kind == b"Z":
                return "ok"
            if kind != b"R":
                continue
            (code,) = struct.unpack("!I", data[:4])
            if code == 10:
                if b"OAUTHBEARER\0" not in data[4:]:
                    return "no OAUTHBEARER"
                self.send(b"p", b"OAUTHBEARER\0" + struct.pack("!I", len(first)) + first)
            elif code == 11:
                self.challenge = json.loads(data[4:])
                self.send(b"p", b"\x01")
            elif code != 0:
                return "the server asks for %d" % code


def attempt(options, first):
    login = None
    try:
        login = Login(options)
        result = login.run(options.role, options.database, first)
    except (OSError, EOFError) as e:
        result = "lost: %s" % e
    said = "" if login is None or login.challenge is None else "challenge %s\n" % json.dumps(login.challenge, sort_keys=True)
    if login is not None:
        login.sock.close()
    return said + result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5432)
    parser.add_argument("--timeout", type=float, default=20)
    parser.add_argument("--plain", action="store_true", help="no TLS")
    parser.add_argument("--probe", action="store_true", help="an empty auth: RFC 7628 section 4.3")
    parser.add_argument("--raw", action="store_true", help="standard input is the whole message")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--together", type=int, default=1)
    parser.add_argument("role")
    parser.add_argument("database")
    options = parser.parse_args()
    text = b"" if options.probe else sys.stdin.buffer.read()
    if not options.raw:
        text = b"n,,\x01auth=" + (b"Bearer " + text if text else b"") + b"\x01\x01"
    with concurrent.futures.ThreadPoolExecutor(options.together) as pool:
        for result in pool.map(lambda _: attempt(options, text), range(options.count)):
            print(result, flush=True)


main()
