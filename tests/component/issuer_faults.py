# SPDX-License-Identifier: BSD-2-Clause
"""What goes wrong with an issuer (tests/support/misbehaving_issuer.py), as rows of tables: faults of connections, of answers, of
metadata; and how a table of scenarios is run, many at a time, because most of them wait.  Who asks the issuer, and what has to come
of it, is the tests' own: test_misbehaving_issuer.py, test_misled_agent.py."""
import concurrent.futures
import gzip
import json
import os
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + "/../support"]
from daemon import free_port, report  # noqa: E402
from misbehaving_issuer import (CUT, HANG, RESET, Issuer, Pause, chunked, drip, endless, head_of, http, redirect)  # noqa: E402

SECRET = "s3cr3t of:the+door/%"
TOGETHER = 24  # scenarios at one time, unless a test says otherwise

UNREACHABLE = ("undecided", "issuer_unreachable")
UNTRUSTED = ("undecided", "issuer_untrusted")
ANSWER = ("undecided", "issuer_answer")
SLOW = ("undecided", "timeout")
PROVED = "proved"

ELSEWHERE = "https://elsewhere.example.org"
BOMB = gzip.compress(b" " * (64 << 20))
BIG = 300 << 10
DEEP = "[" * 64 + "]" * 64


def silently(*_):
    """An honest issuer."""


def connection(how):
    return lambda s: s.issuer.connect(how)


def answer(place, what):
    """`what`: an answer, or a function of the scenario that gives one."""
    def act(s):
        s.issuer.behave(place, what(s) if callable(what) else what)
    return act


def document(**changes):
    """Metadata that is changed; a value may be a function of the scenario."""
    def act(s):
        s.issuer.metadata = {name: value(s) if callable(value) else value for name, value in changes.items()}
    return act


def text_of(change):
    """The metadata as text, changed as no JSON library would write it."""
    return lambda s: http(change(json.dumps(s.issuer.document())))


def members(*keys):
    """The key set holds these; each may be a function of the scenario."""
    def act(s):
        s.issuer.keys = [k(s) if callable(k) else k for k in keys]
    return act


def wire_faults(make_body):
    """(name, answer, want): what can go wrong between a request and a whole answer, wherever it is asked; `make_body(s)` is what an
    honest issuer says there."""
    def whole(s):
        return http(make_body(s))
    return (
        ("status 404", http(status=404), ANSWER),
        ("status 500", http({"error": "server_error"}, 500), UNREACHABLE),
        ("status 503 and Retry-After: 1", http(status=503, headers=[("Retry-After", "1")]), UNREACHABLE),
        ("status 429 and Retry-After: 1", http(status=429, headers=[("Retry-After", "1")]), UNREACHABLE),
        ("status 204", http(status=204, content_type=None), ANSWER),
        ("a redirect 301 to a place of its own", lambda s: redirect(s.issuer.endpoint("moved"), 301), ANSWER),
        ("a redirect 302 to http at a cloud's metadata address", redirect("http://169.254.169.254/latest/meta-data/", 302), ANSWER),
        ("a redirect 307 to a place of its own", lambda s: redirect(s.issuer.endpoint("moved"), 307), ANSWER),
        ("a redirect 308 to another host", redirect(ELSEWHERE, 308), ANSWER),
        ("another type", lambda s: http(make_body(s), content_type="text/html"), ANSWER),
        ("no body", http(b""), ANSWER),
        ("what is not JSON", http("<html>no</html>"), ANSWER),
        ("an array", http([]), ANSWER),
        ("a number that is none in JSON", lambda s: http(json.dumps(dict(make_body(s), more=float("nan")))), ANSWER),
        ("a NUL in a name", lambda s: http(json.dumps(dict(make_body(s), **{"active\0": False, "keys\0": []}))), ANSWER),
        ("64 levels of arrays", lambda s: http(json.dumps(make_body(s))[:-1] + ', "deep": ' + DEEP + "}"), ANSWER),
        ("bytes behind the JSON", lambda s: http(json.dumps(make_body(s)) + "{}"), ANSWER),
        ("300 KiB", lambda s: http(json.dumps(make_body(s)) + " " * BIG), ANSWER),
        ("a body without end", lambda s: endless(head_of(http(length=False))), ANSWER),
        ("less than its length", lambda s: [whole(s)[:-2], CUT], ANSWER),
        ("chunks that are none", chunked(b"{", end=b"zz\r\n"), UNREACHABLE),
        ("HTTP/0.9", lambda s: json.dumps(make_body(s)).encode(), ANSWER),
        ("a bomb of gzip", http(BOMB, headers=[("Content-Encoding", "gzip")]), ANSWER),
        ("360 KiB of headers", http(headers=[("X-%d" % i, "a" * 9000) for i in range(40)]), ANSWER),
        ("a reset before the headers", [RESET], UNREACHABLE),
        ("a reset in the body", lambda s: [whole(s)[:-2], RESET], UNREACHABLE),
        ("the end before the headers", [CUT], UNREACHABLE),
        ("silence before the headers", [HANG], SLOW),
        ("silence in the headers", lambda s: [whole(s)[:20], HANG], SLOW),
        ("silence in the body", lambda s: [whole(s)[:-2], HANG], SLOW),
        ("a byte each 100 ms", lambda s: drip(whole(s), 1, 0.1), SLOW),
        ("no whole answer for 10 s", lambda s: [Pause(10), whole(s)], SLOW),
    )


CONNECTIONS = (("expired", UNTRUSTED), ("not_yet_valid", UNTRUSTED), ("wrong_host", UNTRUSTED), ("no_host", UNTRUSTED), ("stranger", UNTRUSTED),
               ("self_signed", UNTRUSTED), ("old_tls", UNREACHABLE), ("reset", UNREACHABLE), ("close", UNREACHABLE), ("plain", UNREACHABLE),
               ("noise", UNREACHABLE), ("silent", SLOW), ("half_handshake", SLOW))
WRONG_ISSUERS = (("another issuer", {"issuer": ELSEWHERE}, UNTRUSTED),
                 ("a slash behind the issuer", {"issuer": lambda s: s.issuer.url + "/"}, UNTRUSTED),
                 ("the issuer in capitals", {"issuer": lambda s: s.issuer.url.upper()}, UNTRUSTED), ("no issuer", {"issuer": None}, UNTRUSTED),
                 ("an issuer that is no text", {"issuer": ["x"]}, ANSWER))


class Fault:
    """`act(s)` makes the issuer s.issuer misbehave; `want` is the outcome, or (outcome, reasons); `most` how many requests of a kind it
    may see in all.  A fault of the issuer is over when it is honest again: `recovers`."""
    most_requests, issuer = {}, None

    def __init__(self, name, act, want, most=None, host="127.0.0.1", path="", recovers=None, listen=True, is_slow=None):
        self.name, self.act, self.host, self.path, self.is_listening = name, act, host, path, listen
        self.most = dict(self.most_requests, **(most or {}))
        self.outcome, self.reasons = (want, None) if isinstance(want, str) else (want[0], want[1].split())
        self.recovers = self.outcome == "undecided" if recovers is None else recovers
        self.is_slow = want == SLOW if is_slow is None else is_slow

    def start_issuer(self, world):
        self.world = world
        self.issuer = Issuer(world.authority, [], self.host, self.path, free_port(), self.is_listening)

    def check_verdict(self, got, what):
        assert got[0] == self.outcome and (self.reasons is None or got[1] in self.reasons), \
            "%s: got %s %s, want %s %s" % (what, got[0], got[1], self.outcome, self.reasons)

    def check_requests(self):
        for place, most in self.most.items():
            assert self.issuer.count(place) <= most, "requests: %s, at most %d to %s" % (self.issuer.requests(), most, place)

    def recover(self):
        self.issuer.recover()
        if self.issuer.listener is None:
            self.issuer.listen()


def run_one(s):
    """None, or what went wrong: a scenario that fails must not stop the others."""
    try:
        s.run()
        return None
    except Exception:
        return traceback.format_exc() + "requests: %s" % s.issuer.requests()
    finally:
        s.issuer.stop()


def run_all(scenarios, together=TOGETHER):
    """Reported in their order, but those that wait begin first."""
    with concurrent.futures.ThreadPoolExecutor(together) as pool:
        running = {s: pool.submit(run_one, s) for s in sorted(scenarios, key=lambda s: not s.is_slow)}
        for s in scenarios:
            report_one(s, running[s])


def report_one(s, future):
    try:
        fault = future.result()
    except Exception as e:  # a mistake in an answer, which the issuer's own thread found
        fault = repr(e)
    report(fault is None, s.name, fault or "")
