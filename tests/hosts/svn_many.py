#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many logins to svnserve, each on a connection of its own and up to its description of the repository; svn would take a process for each, and sends
no token that is too long.

  svn_many.py COUNT     the token on stdin; "in" if each was, or what svnserve said first
"""
import base64
import socket
import sys

URL = b"svn://svn.example.org/repo"


def item(stream):
    """Everything until the list ends that begins here; no string that svnserve sends in these answers has a bracket in it."""
    text, depth = b"", 0
    while True:
        byte = stream.read(1)
        if not byte:
            raise SystemExit("closed after %r" % text)
        text += byte
        depth += (byte == b"(") - (byte == b")")
        if byte == b")" and depth == 0:
            stream.read(1)
            return text


def main(count):
    token = sys.stdin.buffer.readline().strip()
    message = base64.b64encode(b"n,,\x01auth=Bearer " + token + b"\x01\x01")
    for n in range(int(count)):
        with socket.create_connection(("127.0.0.1", 3690), 30) as s, s.makefile("rwb") as stream:
            item(stream)
            stream.write(b"( 2 ( edit-pipeline svndiff1 ) %d:%s ) " % (len(URL), URL))
            stream.flush()
            item(stream)
            stream.write(b"( OAUTHBEARER ( %d:%s ) ) " % (len(message), message))
            stream.flush()
            answer = item(stream)
            if answer.startswith(b"( step "):  # RFC 7628, section 3.2.3: who is told why says that it has heard
                stream.write(b"4:AQ== ")
                stream.flush()
                answer = item(stream)
            elif answer.startswith(b"( success"):
                answer = item(stream)
            if b"( success ( 36:" not in answer:
                raise SystemExit("login %d: %r" % (n, answer))
    print("in")


main(*sys.argv[1:])
