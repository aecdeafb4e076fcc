#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many SASL binds to slapd by ldapi://, each on a connection of its own; ldapwhoami would take a process for each.

  ldap_many.py SOCKET COUNT     the token on stdin; "in" if each was, or what slapd said first
"""
import socket
import sys

SEQUENCE, INTEGER, OCTETS, BIND, SASL, UNBIND = 0x30, 0x02, 0x04, 0x60, 0xa3, b"\x30\x05\x02\x01\x02\x42\x00"


def element(tag, content):
    length = len(content)
    if length < 128:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def main(path, count):
    token = sys.stdin.buffer.readline().strip()
    message = b"n,,\x01auth=Bearer " + token + b"\x01\x01"
    bind = element(BIND, element(INTEGER, b"\x03") + element(OCTETS, b"") +
                   element(SASL, element(OCTETS, b"OAUTHBEARER") + element(OCTETS, message)))
    request = element(SEQUENCE, element(INTEGER, b"\x01") + bind)
    for n in range(int(count)):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(path)
            s.sendall(request)
            answer = s.recv(4096)
            # LDAPMessage { 1, BindResponse { resultCode 0, ...
            if answer[2:6] != b"\x02\x01\x01\x61" or answer[7:10] != b"\x0a\x01\x00":
                raise SystemExit("bind %d: %r" % (n, answer))
            s.sendall(UNBIND)
    print("in")


main(*sys.argv[1:])
