#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Logs in at a mail host by OAUTHBEARER, XOAUTH2 or PLAIN with Python's own imaplib, poplib and smtplib, and with a few lines of
ManageSieve, and says how each login ended:

    in                       logged in
    refused TEXT             the host said no
    temporary TEXT           the host said that it cannot say now
    json {…}                 before it: the challenge of RFC 7628, section 3.2.2

The token comes on standard input; several, one a line, are for --at-once, and %d in the name of the user is the number of the line.  Exit status: 0 all in, 1 all refused, 3 all temporary, 2 anything else."""
import argparse
import base64
import imaplib
import poplib
import re
import smtplib
import socket
import ssl
import sys
import threading

PORTS = {"imap": (143, 993), "pop3": (110, 995), "smtp": (587, 465), "sieve": (4190, None)}
PATIENCE_S = 60
TEMPORARY = {
    "imap": re.compile(r"\[UNAVAILABLE\]|generic failure|unavailable|not available", re.I),
    "pop3": re.compile(r"\[SYS/TEMP\]|generic failure|unavailable|not available", re.I),
    "sieve": re.compile(r"TRYLATER"),  # timsieved never says it
    "smtp": re.compile(r"^4\d\d"),
}


class No(Exception):
    """What the host said instead of yes."""


class Session:
    """One message of the client and what is answered to a challenge."""

    def __init__(self, mech, user, token):
        self.mech, self.user, self.challenge = mech, user, None
        if mech == "OAUTHBEARER":
            self.message = "n,a=%s,\x01auth=Bearer %s\x01\x01" % (user, token)
        elif mech == "XOAUTH2":
            self.message = "user=%s\x01auth=Bearer %s\x01\x01" % (user, token)
        else:
            self.message = "\0%s\0%s" % (user, token)

    def answer(self, challenge=None):
        if not challenge:
            return self.message
        self.challenge = challenge.decode() if isinstance(challenge, bytes) else challenge
        return "\x01" if self.mech == "OAUTHBEARER" else ""


def imap(o, context, s):
    if o.tls == "ssl":
        c = imaplib.IMAP4_SSL(o.host, o.port, ssl_context=context, timeout=PATIENCE_S)
    else:
        c = imaplib.IMAP4(o.host, o.port, timeout=PATIENCE_S)
        if o.tls == "starttls":
            c.starttls(context)
    if o.offers:
        raise No(" ".join(c.capabilities))
    try:
        c.authenticate(s.mech, s.answer)
    except imaplib.IMAP4.error as e:
        raise No(str(e))
    return lambda: c.logout()


def pop3(o, context, s):
    if o.tls == "ssl":
        c = poplib.POP3_SSL(o.host, o.port, context=context, timeout=PATIENCE_S)
    else:
        c = poplib.POP3(o.host, o.port, timeout=PATIENCE_S)
        if o.tls == "starttls":
            c.stls(context)
    if o.offers:
        raise No(" ".join("AUTH=" + m for m in c.capa().get("SASL", [])))
    try:
        line = c._shortcmd("AUTH " + s.mech)
        while line.startswith(b"+ "):
            if line.startswith(b"+ OK"):
                break
            line = c._shortcmd(base64.b64encode(s.answer(base64.b64decode(line[2:])).encode()).decode())
    except poplib.error_proto as e:
        raise No(str(e))
    return lambda: c.quit()


def smtp(o, context, s):
    if o.tls == "ssl":
        c = smtplib.SMTP_SSL(o.host, o.port, context=context, timeout=PATIENCE_S, local_hostname="localhost")
    else:
        c = smtplib.SMTP(o.host, o.port, timeout=PATIENCE_S, local_hostname="localhost")
        if o.tls == "starttls":
            c.starttls(context=context)
    c.ehlo_or_helo_if_needed()
    if o.offers:
        raise No(" ".join("AUTH=" + m for m in c.esmtp_features.get("auth", "").split()))
    try:
        c.auth(s.mech, s.answer, initial_response_ok=not o.two_steps)
    except smtplib.SMTPResponseException as e:
        raise No("%d %s" % (e.smtp_code, e.smtp_error.decode()))
    if o.send:
        try:
            c.sendmail(o.sender or s.user + "@mail.example.org", ["alice@example.net"], "Subject: By a token\r\n\r\nHello.\r\n")
        except smtplib.SMTPRecipientsRefused as e:  # smtpd waits for a recipient before it says no to a sender
            raise No("%d %s" % (e.recipients["alice@example.net"][0], e.recipients["alice@example.net"][1].decode()))
    return lambda: c.quit()


class Sieve:
    """RFC 5804, as far as a login needs it."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), PATIENCE_S)
        self.lines = self.socket.makefile("rb")

    def send(self, line):
        self.socket.sendall(line.encode() + b"\r\n")

    def read(self):
        """A response: the lines before it, and OK, NO or BYE with what stands behind; or a challenge alone."""
        before = []
        while True:
            line = self.lines.readline().decode()
            if not line:
                raise EOFError("the host closed the connection")
            literal = re.search(r"\{(\d+)\+?\}\r\n$", line)
            if literal:
                line = line[:literal.start()] + '"' + self.lines.read(int(literal.group(1))).decode() + '"' + self.lines.readline().decode()
            line = line.rstrip("\r\n")
            if re.match(r"(OK|NO|BYE)\b", line):
                return before, line
            if before == [] and re.match(r'"[A-Za-z0-9+/=]*"$', line):
                return line.strip('"'), None
            before.append(line)

    def start_tls(self, context, host):
        self.send("STARTTLS")
        line = self.read()[1]
        if not line.startswith("OK"):
            raise No(line)
        self.socket = context.wrap_socket(self.socket, server_hostname=host)
        self.lines = self.socket.makefile("rb")
        return self.read()[0]


def sieve(o, context, s):
    c = Sieve(o.host, o.port)
    capabilities = c.read()[0]
    if o.tls == "starttls":
        capabilities = c.start_tls(context, o.host)
    if o.offers:
        raise No(" ".join("AUTH=" + m for line in capabilities if line.startswith('"SASL"') for m in line.split('"')[3].split()))
    # The token as a literal: a quoted string has 1024 bytes at most.
    message = base64.b64encode(s.message.encode()).decode()
    c.send('AUTHENTICATE "%s" {%d+}\r\n%s' % (s.mech, len(message), message))
    before, line = c.read()
    while line is None:
        c.send('"%s"' % base64.b64encode(s.answer(base64.b64decode(before)).encode()).decode())
        before, line = c.read()
    if not line.startswith("OK"):
        raise No(line)
    c.send("LISTSCRIPTS")
    if not c.read()[1].startswith("OK"):
        raise No("LISTSCRIPTS is refused after the login")
    return lambda: c.send("LOGOUT")


def log_in(o, context, token, together, results, at):
    s = Session(o.mech, o.user.replace("%d", str(at)), token)
    try:
        together.wait(PATIENCE_S)
        log_out = globals()[o.protocol](o, context, s)
        results[at] = ("in", s.challenge)
        if o.hold:
            together.wait(PATIENCE_S)
        log_out()
    except No as e:
        kind = "offers" if o.offers else "temporary" if TEMPORARY[o.protocol].search(str(e)) else "refused"
        results[at] = ("%s %s" % (kind, e), s.challenge)
    except Exception as e:  # for the test to show
        results[at] = ("failed %s: %s" % (type(e).__name__, e), s.challenge)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("protocol", choices=sorted(PORTS))
    p.add_argument("user")
    p.add_argument("--mech", default="OAUTHBEARER", choices=["OAUTHBEARER", "XOAUTH2", "PLAIN"])
    p.add_argument("--tls", default="starttls", choices=["no", "starttls", "ssl"])
    p.add_argument("--host", default="mail.example.org")
    p.add_argument("--port", type=int)
    p.add_argument("--ca", required=True)
    p.add_argument("--at-once", type=int, default=1)
    p.add_argument("--hold", action="store_true", help="all are logged in at one time")
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--send", action="store_true", help="SMTP: a message after the login")
    p.add_argument("--sender", help="of that message [USER@mail.example.org]")
    p.add_argument("--two-steps", action="store_true", help="SMTP: no initial response")
    p.add_argument("--offers", action="store_true", help="what the host offers, no login")
    o = p.parse_args()
    o.port = o.port or PORTS[o.protocol][o.tls == "ssl"]
    tokens = sys.stdin.read().split("\n")
    context = ssl.create_default_context(cafile=o.ca)
    results = []
    for _ in range(o.rounds):
        part = [None] * o.at_once
        together = threading.Barrier(o.at_once)
        threads = [threading.Thread(target=log_in, args=(o, context, tokens[at % len(tokens)].strip(), together, part, at)) for at in range(o.at_once)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        results += part
    for outcome, challenge in results:
        if challenge is not None:
            print("json " + challenge.replace("\n", " "))
        print(outcome.replace("\r\n", " "))
    kinds = {outcome.split(" ")[0] for outcome, _ in results}
    sys.exit({"in": 0, "offers": 0, "refused": 1, "temporary": 3}.get(kinds.pop(), 2) if len(kinds) == 1 else 2)


if __name__ == "__main__":
    main()
