#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many SASL binds to slapd by ldapi://, each on a connection of its own; ldapwhoami would take a process for each, and sends no token that
is too long.

  ldap_many.py SOCKET COUNT     the token on stdin; "in" if each was, or what slapd said first: the code of its result in brackets
"""
import socket
import sys

SEQUENCE, INTEGER, OCTETS, BIND, SASL, UNBIND = 0x30, 0x02, 0x04, 0x60, 0xa3, b"\x30\x05\x02\x01\x02\x42\x00"
SASL_BIND_IN_PROGRESS = 14


def element(tag, content):
    length = len(content)
    if length < 128:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def content(data):
    """Of the element at the beginning, and what stands behind it."""
    length, at = data[1], 2
    if length & 0x80:
        at += length & 0x7f
        length = int.from_bytes(data[2:at], "big")
    return data[at:at + length], data[at + length:]


def bind_request(number, message):
    bind = element(BIND, element(INTEGER, b"\x03") + element(OCTETS, b"") +
                   element(SASL, element(OCTETS, b"OAUTHBEARER") + element(OCTETS, message)))
    return element(SEQUENCE, element(INTEGER, bytes((number,))) + bind)


def bind(s, request):
    """What slapd said, and the code of its result: LDAPMessage { number, BindResponse { code, ..."""
    s.sendall(request)
    answer = s.recv(4096)
    return answer, content(content(content(content(answer)[0])[1])[0])[0][0]


def main(path, count):
    token = sys.stdin.buffer.readline().strip()
    request = bind_request(1, b"n,,\x01auth=Bearer " + token + b"\x01\x01")
    for n in range(int(count)):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(path)
            answer, code = bind(s, request)
            if code == SASL_BIND_IN_PROGRESS:  # RFC 7628, section 3.2.3: who is told why says that it has heard
                answer, code = bind(s, bind_request(2, b"\x01"))
            if code != 0:
                raise SystemExit("bind %d: (%d) %r" % (n, code, answer))
            s.sendall(UNBIND)
    print("in")


main(*sys.argv[1:])
