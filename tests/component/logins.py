#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many logins at a host, by clients that count what they were told.

    logins.py ldap PORT COUNT CLIENTS      SASL binds with OAUTHBEARER, each client on one connection, and who the server thinks it is
    logins.py imap PORT COUNT CLIENTS      AUTHENTICATE OAUTHBEARER, a connection each
    logins.py helper SOCKET COUNT CLIENTS  the helper itself, a connection each

COUNT 0: until SIGTERM.  Standard input: "USER TOKEN" a line; client number i is the user of line i, in turn.  Prints one line of JSON
with the number of each answer ("ok", an LDAP code, a reason), of logins as somebody else ("wrong") and without an answer ("lost"),
and the longest wait in milliseconds.  With COUNT 0 "begun" stands on standard error when the first
was answered."""
import base64
import json
import signal
import socket
import sys
import threading
import time

NONCE = "AAECAwQFBgcICQoLDA0ODw"
over, begun = threading.Event(), threading.Event()


def message(token):
    return b"n,,\x01auth=Bearer " + token.encode() + b"\x01\x01"


# ---- LDAP, as much of BER as it takes ----

def ber(tag, content):
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(length)]) + length + content


def read_exactly(s, count):
    data = b""
    while len(data) < count:
        piece = s.recv(count - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return data


def read_element(s):
    size = read_exactly(s, 2)[1]
    if size & 128:
        size = int.from_bytes(read_exactly(s, size & 127), "big")
    return read_exactly(s, size)


def split(data):
    """[(tag, content)] of what is in an element."""
    found, at = [], 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 128:
            count = size & 127
            size, at = int.from_bytes(data[at:at + count], "big"), at + count
        found.append((tag, data[at:at + size]))
        at += size
    return found


class Ldap:
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", int(port)), 30)
        self.number = 0

    def ask(self, tag, content):
        self.number = self.number % 30000 + 1
        self.s.sendall(ber(0x30, ber(2, self.number.to_bytes(2, "big")) + ber(tag, content)))
        return split(split(read_element(self.s))[1][1])

    def login(self, user, token):
        sasl = ber(0xa3, ber(4, b"OAUTHBEARER") + ber(4, message(token)))
        answer = self.ask(0x60, ber(2, b"\3") + ber(4, b"") + sasl)
        code = int.from_bytes(answer[0][1], "big")
        if code == 14:  # saslBindInProgress: the error challenge
            answer = self.ask(0x60, ber(2, b"\3") + ber(4, b"") + ber(0xa3, ber(4, b"OAUTHBEARER") + ber(4, b"\1")))
            code = int.from_bytes(answer[0][1], "big")
        if code != 0:
            return str(code)
        who = self.ask(0x77, ber(0x80, b"1.3.6.1.4.1.4203.1.11.3"))
        names = [content for tag, content in who if tag == 0x8b]
        return "ok" if names == [b"dn:uid=%s,dc=example,dc=org" % user.encode()] else "wrong"


class Imap:
    def __init__(self, port):
        self.port = int(port)

    def login(self, user, token):
        with socket.create_connection(("127.0.0.1", self.port), 30) as s:
            f = s.makefile("rwb")
            f.readline()
            f.write(b"a AUTHENTICATE OAUTHBEARER " + base64.b64encode(message(token)) + b"\r\n")
            f.flush()
            line = f.readline()
            while line.startswith(b"+"):
                f.write(b"AQ==\r\n")
                f.flush()
                line = f.readline()
            f.write(b"b LOGOUT\r\n")
            f.flush()
            while f.readline():
                pass
        words = line.split()
        return "ok" if words[:2] == [b"a", b"OK"] else words[1].decode().lower() if len(words) > 1 else "lost"


class Helper:
    def __init__(self, path):
        self.path = path

    def login(self, user, token):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(30)
            s.connect(self.path)
            s.send(json.dumps({"v": 1, "op": "verify", "nonce": NONCE, "service": "ldap", "token": token, "carrier": "sasl",
                               "tls": "local"}).encode())
            reply = s.recv(40000)
        if not reply:
            return "lost"
        reply = json.loads(reply)
        if reply.get("outcome") != "proved":
            return reply["reason"]
        return "ok" if (reply["grant"]["user"], reply["nonce"]) == (user, NONCE) else "wrong"


def work(make, where, count, user, token, tally, longest):
    done, client = 0, None
    while not over.is_set() and (count == 0 or done < count):
        begin = time.monotonic()
        try:
            client = client or make(where)
            told = client.login(user, token)
        except (OSError, ValueError, IndexError):
            told, client = "lost", None
        tally[told] = tally.get(told, 0) + 1
        longest[0] = max(longest[0], time.monotonic() - begin)
        done += 1
        begun.set()


def main():
    make = {"ldap": Ldap, "imap": Imap, "helper": Helper}[sys.argv[1]]
    where, count, clients = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    users = [line.split() for line in sys.stdin]
    signal.signal(signal.SIGTERM, lambda *ignored: (over.set(), begun.set()))
    tallies = [({}, [0.0]) for _ in range(clients)]
    threads = [threading.Thread(target=work, args=(make, where, count) + tuple(users[i % len(users)]) + tallies[i])
               for i in range(clients)]
    for t in threads:
        t.start()
    if count == 0:
        begun.wait()
        print("begun", file=sys.stderr, flush=True)
    for t in threads:
        t.join()
    total = {"wrong": 0, "lost": 0, "longest_ms": int(1000 * max(longest[0] for _, longest in tallies))}
    for tally, _ in tallies:
        for told, n in tally.items():
            total[told] = total.get(told, 0) + n
    print(json.dumps(total))


if __name__ == "__main__":
    main()
