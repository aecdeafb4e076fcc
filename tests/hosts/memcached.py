#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A client of memcached's binary protocol with SASL, which no packaged client speaks with OAUTHBEARER.

  memcached.py mechanisms          what is offered
  memcached.py login USER          the token on stdin; "in", or what the server said and the JSON of its challenge
  memcached.py raw                 OAUTHBEARER with stdin as the whole message
  memcached.py many USER COUNT     so many logins, each on a connection of its own; "in" if all were
  memcached.py others USER COUNT   a login, and while it waits, a request on each of COUNT other connections that are logged in already:
                                   a first line on stdout when these are, then waits for a line on stdin; the seconds of the slowest
"""
import socket
import struct
import sys
import time

ADDRESS = ("127.0.0.1", 11211)
VERSION, LIST, AUTH, STEP = 0x0b, 0x20, 0x21, 0x22
DEADLINE_S = 30


class Connection:
    def __init__(self):
        self.socket = socket.create_connection(ADDRESS, DEADLINE_S)

    def send(self, operation, key=b"", value=b""):
        self.socket.sendall(struct.pack(">BBHBBHIIQ", 0x80, operation, len(key), 0, 0, 0, len(key) + len(value), 0, 0) + key + value)

    def receive(self):
        head = self.read(24)
        status, length = struct.unpack(">6xHI12x", head)
        return status, self.read(length).decode("utf-8", "replace")

    def read(self, length):
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise SystemExit("closed")
            data += piece
        return data

    def ask(self, *request):
        self.send(*request)
        return self.receive()

    def login(self, message):
        """(status, text, challenge): with the step that RFC 7628 asks for after a challenge."""
        status, text = self.ask(AUTH, b"OAUTHBEARER", message)
        if status != 0x21:
            return status, text, ""
        challenge = text
        return self.ask(STEP, b"OAUTHBEARER", b"\x01") + (challenge,)


def message_of(user, token):
    return b"n,a=%s,\x01host=localhost\x01port=11211\x01auth=Bearer %s\x01\x01" % (user.encode(), token)


def say(status, text, challenge):
    print("in" if status == 0 else "0x%02x %s %s" % (status, text, challenge))


def others(message, count):
    ready = [Connection() for _ in range(count)]
    for connection in ready:
        status, text, _ = connection.login(message)
        if status != 0:
            raise SystemExit(text)
    waiting = Connection()
    print("ready", flush=True)
    sys.stdin.buffer.readline()
    started, slowest = time.monotonic(), 0.0
    waiting.send(AUTH, b"OAUTHBEARER", message)
    for connection in ready:
        connection.send(VERSION)
    for connection in ready:
        if connection.receive()[0] != 0:
            raise SystemExit("a connection is no longer logged in")
        slowest = time.monotonic() - started
    status, text = waiting.receive()
    print("%.2f %.2f 0x%02x %s" % (slowest, time.monotonic() - started, status, text))


def main(what, user="", count="0"):
    if what == "mechanisms":
        print(Connection().ask(LIST)[1])
        return
    if what == "raw":
        say(*Connection().login(sys.stdin.buffer.read()))
        return
    message = message_of(user, sys.stdin.buffer.readline().strip())
    if what == "login":
        connection = Connection()
        answer = connection.login(message)
        if answer[0] == 0 and connection.ask(VERSION)[0] != 0:
            raise SystemExit("in, and not served")
        say(*answer)
    elif what == "many":
        failed = [a for a in (Connection().login(message) for _ in range(int(count))) if a[0] != 0]
        print(failed[0] if failed else "in")
    elif what == "others":
        others(message, int(count))
    else:
        raise SystemExit(__doc__)


main(*sys.argv[1:])
