#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A login to libvirtd by OAUTHBEARER as libvirt's remote protocol has it (remote_protocol.x), with a token that virsh would not send.

  libvirt_login.py SOCKET USER     the token on stdin; "in", or what libvirtd said
"""
import socket
import struct
import sys

PROGRAM, VERSION, SASL_INIT, SASL_START, SASL_STEP = 0x20008086, 1, 67, 68, 69
CALL, ERROR = 0, 1


def opaque(data):
    return struct.pack(">I", len(data)) + data + b"\0" * (-len(data) % 4)


def chars(data):
    """char<>: XDR takes four bytes for each."""
    return struct.pack(">I", len(data)) + b"".join(b"\0\0\0" + bytes((c,)) for c in data)


def take(stream, size):
    data = stream.read(size)
    if len(data) != size:
        raise SystemExit("closed")
    return data


def call(stream, serial, procedure, payload):
    """What was answered; an error ends this program with its text."""
    body = struct.pack(">IIIIII", PROGRAM, VERSION, procedure, CALL, serial, 0) + payload
    stream.write(struct.pack(">I", len(body) + 4) + body)
    stream.flush()
    answer = take(stream, struct.unpack(">I", take(stream, 4))[0] - 4)
    if struct.unpack(">I", answer[20:24])[0] == ERROR:
        raise SystemExit(answer[24:].decode("latin1"))
    return answer[24:]


def main(path, user):
    token = sys.stdin.buffer.readline().strip()
    message = b"n,a=" + user.encode() + b",\x01auth=Bearer " + token + b"\x01\x01"
    with socket.socket(socket.AF_UNIX) as s, s.makefile("rwb") as stream:
        s.settimeout(30)
        s.connect(path)
        call(stream, 1, SASL_INIT, b"")
        answer = call(stream, 2, SASL_START, opaque(b"OAUTHBEARER") + struct.pack(">I", 0) + chars(message))
        if struct.unpack(">I", answer[:4])[0] == 0:  # not complete: a challenge, which is answered as RFC 7628 says
            answer = call(stream, 3, SASL_STEP, struct.pack(">I", 0) + chars(b"\x01"))
    print("in")


main(*sys.argv[1:])
