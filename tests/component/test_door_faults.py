#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# alone: it floods, or measures time
"""What a network does to the sessions of a door: client, posternd and backend stand in three network namespaces, and the lines between
them (network.py) grow slow, lose packets and fall silent.  After each test the door has no socket left that it did not begin with."""
import contextlib
import functools
import os
import re
import resource
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from door_rig import (BUSY_S, DEADLINE_S, IS_SANITIZED, Answer, Backend, assert_equal, auth_line, check, echo, pour, read_answer,  # noqa: E402
                      receive, run_door_tests, wait_until)
from network import Line, ManyEchoes, NameServer, Namespace  # noqa: E402

CLIENT, DOOR = "10.70.1.1", "10.70.1.2"  # the line that agents come by
DOOR_INSIDE, BACKEND, BACKEND_2 = "10.70.2.2", "10.70.2.1", "10.70.2.3"
LINE = 24
BACKEND_PORT = 7070
CONNECT_S = 10 + BUSY_S  # a backend that does not answer is given up by then
TAKEN_BACK_S = 3 + BUSY_S  # a revocation ends a session in so much time
TICK_S = 4.5 + BUSY_S  # what a lease or an idle time may be late by: the door's tick, and a busy machine
LEASE_S = 10 if IS_SANITIZED else 5  # short, and long enough for the login


class FarBackend(Backend):
    """At an address of the backend's namespace; with `tls`, an SSLContext, it counts what comes out of TLS."""

    def __init__(self, namespace, serve=None, address=BACKEND, port=BACKEND_PORT, tls=None):
        self.serve, self.calls, self.is_open, self.tls = serve or echo, [], True, tls
        self.handshakes = []
        with namespace:
            self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.address = "%s:%d" % (address, port)
        self.socket.listen(256)
        threading.Thread(target=self.accept, daemon=True).start()

    def run(self, call):
        if self.tls is not None:
            try:
                call.sock = self.tls.wrap_socket(call.sock, server_side=True)
                self.handshakes.append("done")
            except (ssl.SSLError, OSError) as e:
                self.handshakes.append(str(e))
                call.is_over = True
                call.sock.close()
                return
        super().run(call)


class Network:
    """The three namespaces and the rig in them."""

    def __init__(self, rig):
        self.rig = rig
        self.client, self.door, self.inside = Namespace(), Namespace(), Namespace()
        self.outer_line = Line(self.client, "%s/%d" % (CLIENT, LINE), self.door, "%s/%d" % (DOOR, LINE))
        self.inner_line = Line(self.door, "%s/%d" % (DOOR_INSIDE, LINE), self.inside, "%s/%d" % (BACKEND, LINE))
        with self.inside:
            subprocess.run(["ip", "address", "add", "%s/%d" % (BACKEND_2, LINE), "dev", self.device()], check=True)
        self.resolvers, self.others, self.token_of, self.sockets = [BACKEND], [], {}, None

    def device(self):
        """Of the backend's namespace: all but loopback."""
        with open("/proc/thread-self/net/dev") as f:
            return [line.split(":")[0].strip() for line in f if ":" in line and line.split(":")[0].strip() != "lo"][0]

    # -- the parts

    def backend(self, serve=None, **more):
        b = FarBackend(self.inside, serve, **more)
        self.rig.backends.append(b)
        return b

    def near_backend(self, serve=None):
        """On the door's own loopback: no line leads there."""
        with self.door:
            b = Backend(serve)
        self.rig.backends.append(b)
        return b

    def name_server(self, address=BACKEND):
        s = NameServer(self.inside, address)
        self.others.append(s)
        return s

    def add_door(self, name="cache", backend="%s:%d" % (BACKEND, BACKEND_PORT), **keys):
        """Stands on loopback, and with TLS on the line that agents come by."""
        port = self.rig.ports.setdefault(name, 20001 + len(self.rig.ports))
        if not os.path.exists(self.rig.path + "/far.crt"):
            self.rig.certificate("far", "DNS:door.test.example,IP:" + DOOR)
        row = {"listen": "127.0.0.1:%d %s:%d" % (port, DOOR, port), "tls_cert_file": self.rig.path + "/far.crt",
               "tls_key_file": self.rig.path + "/far.key", "backend_tls": "disable"}
        row.update(keys)
        if isinstance(backend, Backend):
            backend = backend.address
        self.rig.door(name, backend, **row)

    def write_resolvers(self, addresses):
        with open(self.rig.path + "/resolv.conf", "w") as f:  # in place: it is mounted
            f.write("".join("nameserver %s\n" % a for a in addresses))
        os.chmod(f.name, 0o644)
        return f.name

    def start(self):
        resolv = self.write_resolvers(self.resolvers)
        own_resolver = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolv]
        with self.door:
            self.rig.start(prefix=own_resolver)
        self.sockets = self.settled_sockets()

    # -- clients

    def dial(self, name="cache", far=True, tls=None):
        """A TLS connection from the client's namespace, or a plain one on the door's loopback."""
        with self.client if far else self.door:
            s = socket.socket()
        s.settimeout(DEADLINE_S)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.connect((DOOR if far else "127.0.0.1", self.rig.ports[name]))
        if far if tls is None else tls:
            context = ssl.create_default_context(cafile=self.rig.path + "/far.crt")
            s = context.wrap_socket(s, server_hostname="door.test.example", suppress_ragged_eofs=False)  # a cut is told
        return s

    def send(self, name="cache", agent="agent-7", life=300, token=None, **how):
        token = token or self.rig.token(name, agent, life)
        s = self.dial(name, **how)
        s.sendall(auth_line(token))
        return Answer(s, read_answer(s))

    def login(self, *arguments, **how):
        answer = self.send(*arguments, **how)
        assert answer.is_granted, "no grant: %s" % answer
        return answer

    # -- what the door has

    def door_descriptors(self, kind):
        folder, count = "/proc/%d/fd/" % self.rig.child("door"), 0
        for name in os.listdir(folder):
            try:
                count += os.readlink(folder + name).startswith(kind)
            except FileNotFoundError:  # closed meanwhile
                pass
        return count

    def door_sockets(self):
        return self.door_descriptors("socket:")

    def settled_sockets(self):
        """When the door is ready its lines to the other children may still be on their way to it, or be made anew."""
        seen = []

        def is_settled():
            seen.append(self.door_sockets())
            return len(seen) >= 10 and len(set(seen[-10:])) == 1
        wait_until(lambda: self.rig.control("sessions", status=None).returncode == 0, "control speaks with the door")
        wait_until(is_settled, "as many sockets for a while")
        return seen[-1]

    def wait_nothing_left(self):
        wait_until(lambda: self.door_sockets() == self.sockets,
                   "the door has the %d sockets it began with, now %d" % (self.sockets, self.door_sockets()))
        pipes = self.door_descriptors("pipe:")
        check(pipes <= 2 * 64 * os.cpu_count(), "%d ends of pipes are kept" % pipes)  # PIPES_KEPT of each loop, for the next transfer
        wait_until(lambda: not self.rig.sessions(), "no session is left in the list")

    def wait_no_connection(self, name):
        """None of the kernel's, at the port of that door."""
        seen = []

        def is_none():
            seen[:] = self.door.connections(self.rig.ports[name])
            return seen == []
        try:
            wait_until(is_none, "no connection of the kernel's is left")
        except AssertionError as e:
            raise AssertionError("%s: states %r" % (e, seen)) from None

    def end_of(self, answer):
        """The record of its end, when there is one."""
        login = self.rig.wait_record(event="login", ref=answer["ref"])
        return self.rig.wait_record(event="end", session=login["session"])

    def close(self):
        for o in self.others + [self.outer_line, self.inner_line, self.client, self.door, self.inside]:
            o.close()


def on_a_network(test):
    @functools.wraps(test)
    def run(rig):
        net = Network(rig)
        try:
            test(net)
            if rig.daemons[-1].process.poll() is None:
                net.wait_nothing_left()
        finally:
            net.close()
    return run


def stopwatch(action):
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def receive_all(sock, size):
    got = bytearray()
    while len(got) < size:
        piece = sock.recv(min(1 << 16, size - len(got)))
        assert piece, "ended after %d of %d bytes" % (len(got), size)
        got += piece
    return bytes(got)


def exchange(sock, data):
    """Sends it to a backend that sends it back; both ways at once, in one thread: Python lets two into one SSL object, and OpenSSL
    does not bear that."""
    sent, got, view = 0, bytearray(), memoryview(data)
    patience_s = sock.gettimeout()
    sock.setblocking(False)
    while len(got) < len(data):
        is_stuck = True
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            piece = sock.recv(1 << 16)
            assert piece, "ended after %d of %d bytes" % (len(got), len(data))
            got += piece
            is_stuck = False
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if sent < len(data):
                sent += sock.send(view[sent:sent + (1 << 14)])
                is_stuck = False
        if is_stuck:
            ready = select.select([sock], [sock] if sent < len(data) else [], [], patience_s)
            assert ready[0] or ready[1], "nothing moves after %d of %d bytes" % (len(got), len(data))
    sock.settimeout(patience_s)
    return bytes(got)


def reset(sock):
    """Closed as the kernel closes the connections of a killed process that has not read everything."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# ---- slow and lossy ----

@on_a_network
def a_login_from_far_away_only_takes_its_time(net):
    net.backend()
    net.add_door()
    net.start()
    net.outer_line.delay_s = net.inner_line.delay_s = 0.2
    begin = time.monotonic()
    answer = net.login()
    spent = time.monotonic() - begin
    # TCP, TLS and the login are a round trip each; the way to the backend is one more.
    check(1.6 <= spent <= 8 + BUSY_S, "a login took %.1f s" % spent)
    spent = stopwatch(lambda: answer.talk(b"over both lines and back"))
    check(0.8 <= spent <= 4 + BUSY_S, "a round trip took %.1f s" % spent)
    answer.sock.unwrap()
    end = net.end_of(answer)
    assert_equal((end["end"], end.get("detail")), ("finished", None), "end")


@on_a_network
def a_line_that_loses_packets_loses_no_byte(net):
    net.backend()
    net.add_door()
    net.start()
    net.outer_line.loses_every = net.inner_line.loses_every = 17
    answer = net.login()
    data = os.urandom(1 << 20)
    check(exchange(answer.sock, data) == data, "the bytes came back")
    check(min(net.outer_line.lost + net.inner_line.lost) > 5, "lost: %r %r" % (net.outer_line.lost, net.inner_line.lost))
    net.outer_line.loses_every = net.inner_line.loses_every = 0
    answer.close()
    end = net.end_of(answer)
    assert_equal((end["up"], end["down"]), (len(data), len(data)), "bytes in the record")


# ---- resets ----

@on_a_network
def a_backend_killed_in_a_transfer_cuts_the_client_off_and_does_not_look_like_an_end(net):
    with net.inside:
        # A process of its own: it takes a byte and pours; what it has not read when it is killed makes its kernel reset.
        listener = socket.socket()
        listener.bind((BACKEND, BACKEND_PORT))
        listener.listen()
    child = os.fork()
    if child == 0:
        sock, _ = listener.accept()
        sock.recv(1)
        while True:
            sock.send(b"x" * 65536)
    listener.close()
    try:
        net.add_door()
        net.start()
        answer = net.login()
        answer.sock.sendall(b"go" * 1000)
        receive_all(answer.sock, 1 << 20)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    cut = None
    try:
        while answer.sock.recv(1 << 16):
            pass
    except OSError as e:  # a reset, or TLS without its last word
        cut = e
    check(cut is not None, "the client was told an orderly end")
    end = net.end_of(answer)
    assert_equal((end["end"], end["detail"].partition(":")[0]), ("backend", "backend"), "end")


@on_a_network
def a_client_that_is_reset_takes_the_backends_connection_with_it(net):
    backend = net.backend(pour)
    net.add_door()
    net.start()
    for far in (True, False):
        answer = net.login(far=far)
        receive_all(answer.sock, 1 << 20)
        reset(answer.sock)
        backend.wait_live(0)
        end = net.end_of(answer)
        assert_equal((end["end"], end["detail"].partition(":")[0]), ("client", "client"), "end")


@on_a_network
def a_client_that_vanishes_before_its_answer_leaves_nothing(net):
    backend = net.backend()
    net.add_door()
    net.start()
    for data in (b"", b"AUTH OAUTHBEARER ", auth_line(net.rig.token("cache"))):
        for far in (True, False):
            sock = net.dial(far=far)
            sock.sendall(data)
            reset(sock)
    net.wait_nothing_left()
    backend.wait_live(0)


# ---- silence between client and door ----

@on_a_network
def a_silent_line_ends_at_idle_timeout(net):
    backend = net.backend()
    net.add_door(idle_timeout="4s")
    net.start()
    answer = net.login()
    begin = time.monotonic()
    answer.talk()
    net.outer_line.is_cut = True
    backend.wait_live(0)
    spent = time.monotonic() - begin
    check(3.5 <= spent <= 4 + TICK_S, "ended after %.1f s" % spent)
    assert_equal(net.end_of(answer)["end"], "idle", "end")


@on_a_network
def a_lease_ends_on_time_though_nobody_takes_what_the_backend_pours(net):
    backend = net.backend(pour)
    net.add_door(expiry_grace="1s")
    net.start()
    answer = net.login(life=LEASE_S)
    receive_all(answer.sock, 1 << 20)
    net.outer_line.is_cut = True
    backend.wait_live(0)
    late = time.time() - (answer["lease_end"] + 1)
    check(late <= TICK_S, "ended %.1f s after lease and grace" % late)
    assert_equal(net.end_of(answer)["end"], "expired", "end")
    # Nor does the kernel go on sending for it: what was not taken is thrown away.
    net.wait_no_connection("cache")


@on_a_network
def a_lease_that_ends_on_a_silent_line_is_left_to_the_kernel_for_seconds_only(net):
    """The last word, to which nobody answers, would be said again and again for minutes."""
    net.add_door("quiet", net.near_backend(), expiry_grace="1s")
    net.start()
    answer = net.login("quiet", life=LEASE_S).talk()
    wait_until(lambda: net.door.unanswered(net.rig.ports["quiet"]) == 0, "all that was said is confirmed")
    net.outer_line.is_cut = True
    assert_equal(net.end_of(answer)["end"], "expired", "end")
    net.wait_no_connection("quiet")


@on_a_network
def a_client_that_pauses_while_the_door_goes_misses_nothing(net):
    """Its kernel answers, though not each probe at once, and has no room for more: that is no silent line."""
    size, given = 300000, []

    def give(call):
        receive(call)
        call.sock.sendall(b"x" * size)
        given.append(time.monotonic())
        while receive(call):
            pass
    net.add_door(backend=net.near_backend(give))
    net.start()
    with net.door:
        slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    slow.settimeout(DEADLINE_S)
    slow.connect(("127.0.0.1", net.rig.ports["cache"]))
    slow.sendall(auth_line(net.rig.token("cache")))
    answer = Answer(slow, read_answer(slow))
    check(answer.is_granted, answer)
    slow.sendall(b"?")
    wait_until(lambda: given, "the backend has given all")
    net.rig.daemon.stop()  # at the first quiet moment, a second later
    receive_all(slow, size)
    assert_equal(slow.recv(1), b"", "the end")
    slow.close()


@on_a_network
def what_is_taken_back_ends_at_once_on_a_silent_line(net):
    net.backend(pour)
    quiet = net.near_backend()
    net.add_door()
    net.add_door("quiet", quiet)
    net.start()
    for name in ("cache", "quiet"):
        for verb in (("kill", "--agent", "agent-7"), ("block", "agent-7", "--for", "1h")):
            answer = net.login(name)
            if name == "cache":
                receive_all(answer.sock, 1 << 20)
            net.outer_line.is_cut = True
            spent = stopwatch(lambda: (net.rig.control(*verb), net.wait_nothing_left()))
            check(spent <= TAKEN_BACK_S, "%s of a session of %s took %.1f s" % (verb[0], name, spent))
            check(net.end_of(answer)["end"] in ("killed", "revoked", "policy"), net.end_of(answer))
            net.wait_no_connection(name)
            net.outer_line.is_cut = False
            answer.close()
        net.rig.control("unblock", "agent-7")


# ---- silence between door and backend ----

def check_others_get_in(net, answers):
    """At the door "near", on every loop that somebody waits on, as long as nobody who waits has an answer."""
    line, count = auth_line(net.rig.token("near")), 0
    while not answers:
        sock = net.dial("near", far=False)
        sock.sendall(line)
        answer = Answer(sock, read_answer(sock))
        check(answer.is_granted, answer)
        answer.talk().close()
        count += not answers
    check(count >= 3, "%d logins at another door before the first answer" % count)


@on_a_network
def a_backend_that_does_not_answer_is_given_up_and_disturbs_nobody(net):
    far = net.backend()
    net.add_door()
    net.add_door("near", net.near_backend())
    net.start()
    net.login(far=False).close()
    wait_until(lambda: far.live() == 0 and net.rig.sessions() == [], "the first session has ended")
    net.inner_line.is_cut = True
    answers, spent = [], []
    token = net.rig.token("cache")

    def try_far():
        begin = time.monotonic()
        answers.append(net.send(far=False, token=token))
        spent.append(time.monotonic() - begin)

    threads = [threading.Thread(target=try_far) for _ in range(8)]
    for t in threads:
        t.start()
    wait_until(lambda: answers or len(net.rig.sessions()) == len(threads), "all of them wait for the backend")
    check_others_get_in(net, answers)
    for t in threads:
        t.join()
    check(max(spent) <= CONNECT_S, "given up after %.1f s" % max(spent))
    for answer in answers:
        assert_equal((answer.is_granted, answer["error"], answer["retry"]), (False, "temporarily_unavailable", "later"), answer)
    net.inner_line.is_cut = False
    net.login(far=False).talk().close()


@on_a_network
def a_blocked_agent_whose_backend_is_silent_hears_it_at_once(net):
    net.add_door()
    net.start()
    net.inner_line.is_cut = True
    answers = []
    t = threading.Thread(target=lambda: answers.append(net.send(far=False)))
    t.start()
    wait_until(lambda: net.rig.sessions(), "the session waits for its backend")
    spent = stopwatch(lambda: (net.rig.control("block", "agent-7", "--for", "1h", "--reason", "runaway"), t.join()))
    check(spent <= TAKEN_BACK_S, "%.1f s" % spent)
    assert_equal((answers[0].is_granted, answers[0]["retry"]), (False, "never"), answers[0])


@on_a_network
def a_session_outlives_a_silence_of_its_backend(net):
    net.backend()
    net.add_door()
    net.start()
    answer = net.login()
    net.inner_line.is_cut = True
    answer.sock.sendall(b"ping")
    wait_until(lambda: sum(net.inner_line.lost) >= 2, "packets were lost")
    assert_equal([x["state"] for x in net.rig.sessions()], ["open"], "state of the session")
    net.inner_line.is_cut = False
    assert_equal(receive_all(answer.sock, 4), b"ping", "what came late")
    answer.close()


# ---- names ----

@on_a_network
def the_name_of_a_backend_is_asked_anew_for_each_session(net):
    first, second = net.backend(), net.backend(address=BACKEND_2)
    names = net.name_server()
    names.names["daemon.test.example"] = [BACKEND]
    net.add_door(backend="daemon.test.example:%d" % BACKEND_PORT)
    net.start()
    old = net.login(far=False).talk()
    names.names["daemon.test.example"] = [BACKEND_2]
    new = net.login(far=False).talk()
    assert_equal((first.live(), second.live()), (1, 1), "live connections at the old and the new address")
    old.talk().close()
    new.close()
    names.names["daemon.test.example"] = []
    answer = net.send(far=False)
    assert_equal((answer.is_granted, answer["retry"]), (False, "later"), "a name without address")
    del names.names["daemon.test.example"]
    answer = net.send(far=False)
    assert_equal((answer.is_granted, answer["retry"]), (False, "later"), "a name that is not there")
    # Two addresses, and at the first nobody answers: the second has its turn in the same login.
    names.names["daemon.test.example"] = ["10.70.2.77", BACKEND_2]
    net.login(far=False).talk().close()


@on_a_network
def a_silent_name_server_leaves_a_login_undecided_and_the_others_alone(net):
    net.backend()
    names = net.name_server()
    names.names["daemon.test.example"] = [BACKEND]
    net.add_door(backend="daemon.test.example:%d" % BACKEND_PORT)
    net.add_door("near", net.near_backend())
    net.start()
    names.is_silent = True
    answers, spent = [], []
    token = net.rig.token("cache")

    def try_named():
        begin = time.monotonic()
        answers.append(net.send(far=False, token=token))
        spent.append(time.monotonic() - begin)

    threads = [threading.Thread(target=try_named) for _ in range(8)]
    for t in threads:
        t.start()
    wait_until(lambda: answers or len(net.rig.sessions()) == len(threads), "all of them wait for the name")
    check_others_get_in(net, answers)
    for t in threads:
        t.join()
    check(max(spent) <= CONNECT_S, "given up after %.1f s" % max(spent))
    for answer in answers:
        assert_equal((answer.is_granted, answer["error"], answer["retry"]), (False, "temporarily_unavailable", "later"), answer)
    names.is_silent = False
    net.login(far=False).talk().close()


@on_a_network
def one_dead_name_server_of_two_fails_no_login(net):
    net.backend()
    dead, living = net.name_server(BACKEND), net.name_server(BACKEND_2)
    dead.is_silent = True
    living.names["daemon.test.example"] = [BACKEND]
    net.resolvers = [BACKEND, BACKEND_2]
    net.add_door(backend="daemon.test.example:%d" % BACKEND_PORT)
    net.start()
    for _ in range(4):
        spent = stopwatch(lambda: net.login(far=False).talk().close())
        check(spent <= CONNECT_S, "%.1f s" % spent)
    check(dead.asked > 0, "the dead one was asked too")


@on_a_network
def a_reload_reads_anew_who_the_name_servers_are(net):
    net.backend()
    net.resolvers = [BACKEND_2]  # nobody is there
    net.name_server(BACKEND).names["daemon.test.example"] = [BACKEND]
    net.add_door(backend="daemon.test.example:%d" % BACKEND_PORT)
    net.start()
    check(not net.send(far=False).is_granted, "a grant without a name server")
    net.write_resolvers([BACKEND])
    net.rig.reload()
    net.sockets = net.settled_sockets()
    net.login(far=False).talk().close()


# ---- a backend's certificate ----

def _make_authority(rig):
    """ca.crt, and a function that signs server certificates with any dates."""
    path = rig.path + "/ca"
    os.makedirs(path)
    authority = rig.certificate("authority", "DNS:authority.test.example")
    for name, text in (("index", ""), ("serial", "1000\n"), ("rand", "")):
        with open(path + "/" + name, "w") as f:
            f.write(text)
    with open(path + "/ca.conf", "w") as f:
        f.write("[ca]\ndefault_ca=x\n[x]\ndatabase=%(p)s/index\nserial=%(p)s/serial\nnew_certs_dir=%(p)s\ndefault_md=sha256\n"
                "policy=any\ncopy_extensions=copy\nunique_subject=no\n[any]\ncommonName=supplied\n" % {"p": path})

    def sign(name, alternative, first="20200101000000Z", last="20400101000000Z"):
        base = "%s/%s" % (path, name)
        for command in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                         "-addext", "subjectAltName=" + alternative, "-keyout", base + ".key", "-out", base + ".csr"],
                        ["ca", "-batch", "-config", path + "/ca.conf", "-cert", authority[0], "-keyfile",
                         authority[1], "-in", base + ".csr", "-out", base + ".crt", "-notext", "-startdate", first,
                         "-enddate", last]):
            r = subprocess.run(["openssl"] + command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
            assert_equal(r.returncode, 0, r.stdout)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(base + ".crt", base + ".key")
        return context
    return authority[0], sign


@on_a_network
def a_backend_is_sent_nothing_until_its_certificate_is_proved(net):
    authority, sign = _make_authority(net.rig)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(*net.rig.certificate("self-signed", "IP:" + BACKEND))
    cases = (("good", sign("good", "IP:" + BACKEND), None),
             ("wrong-name", sign("wrong-name", "DNS:daemon.test.example,IP:" + BACKEND_2), "is not for " + BACKEND),
             ("expired", sign("expired", "IP:" + BACKEND, last="20210101000000Z"), "expired"),
             ("not-yet", sign("not-yet", "IP:" + BACKEND, first="20390101000000Z"), "not yet valid"),
             ("stranger", own, "is not valid"))
    backends = {}
    for i, (name, context, _) in enumerate(cases):
        backends[name] = net.backend(port=7100 + i, tls=context)
        net.add_door(name, backends[name], backend_tls=None, backend_tls_ca_file=authority)
    plain = net.backend(receive, port=7100 + len(cases))  # speaks no TLS at all
    net.add_door("plain", plain, backend_tls=None, backend_tls_ca_file=authority)
    net.start()
    for name, _, why in cases:
        sock = net.dial(name)
        sock.sendall(auth_line(net.rig.token(name)) + b"SECRET")
        answer = Answer(sock, read_answer(sock))
        if why is None:
            check(answer.is_granted, answer)
            assert_equal(receive_all(sock, 6), b"SECRET", "what the backend sent back")
            answer.talk().close()
            continue
        assert_equal((answer.is_granted, answer["error"], answer["retry"]), (False, "temporarily_unavailable", "later"), name)
        check("certificate" not in str(answer), "the client is told no more than that")
        wait_until(lambda: backends[name].handshakes, "the backend saw a handshake")
        assert_equal(backends[name].received(), 0, "bytes at the backend with a certificate that is " + name)
        record = net.rig.wait_record(ref=answer["ref"], outcome="undecided")
        check(why in record["detail"], record)
    sock = net.dial("plain")
    sock.sendall(auth_line(net.rig.token("plain")) + b"SECRET")
    check(not Answer(sock, read_answer(sock)).is_granted, "a grant without TLS to the backend")
    plain.wait_live(0)
    check(plain.received() == 0 or b"SECRET" not in str(plain.calls).encode(), "the login's bytes reached it")


# ---- a door on a network ----

@on_a_network
def a_door_on_a_network_reads_no_login_without_tls(net):
    backend = net.backend()
    net.add_door()
    net.start()
    net.login().talk().close()
    sock = net.dial(tls=False)
    sock.sendall(auth_line(net.rig.token("cache")))
    answer = Answer(sock, read_answer(sock))
    assert_equal((answer.is_granted, answer["reason"], answer["retry"]), (False, "tls_required", "never"), answer)
    assert_equal(len(backend.calls), 1, "connections at the backend")
    records = net.rig.records(event="login", outcome="proved")
    assert_equal([(r["tls"], r["peer"].split(":")[0]) for r in records], [("on", CLIENT)], "who came")
    with_name = ssl.create_default_context(cafile=net.rig.path + "/far.crt")
    try:
        with_name.wrap_socket(net.dial(tls=False), server_hostname="other.test.example")
        raise AssertionError("the door proved a name that is not its own")
    except ssl.SSLCertVerificationError:
        pass


# ---- half an end ----

def count_then_pour(size):
    """Reads to the end, then sends."""
    def serve(call):
        while receive(call):
            pass
        call.sock.sendall(b"y" * size)
    return serve


@on_a_network
def a_client_that_has_finished_sending_still_hears_everything(net):
    size = 3 << 20
    backend = net.backend(count_then_pour(size))
    net.add_door()
    net.start()
    answer = net.login(far=False)
    answer.sock.sendall(b"question")
    answer.sock.shutdown(socket.SHUT_WR)
    receive_all(answer.sock, size)
    assert_equal((answer.sock.recv(1), backend.received()), (b"", 8), "the end, and what the backend got")
    assert_equal(net.end_of(answer)["end"], "finished", "end")

    # With TLS the end is close_notify; Python's sockets would wait for the other's, so this one is done by hand.
    sock = net.dial(tls=False)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=net.rig.path + "/far.crt").wrap_bio(incoming, outgoing, server_hostname="door.test.example")

    def drive(step):
        while True:
            try:
                result = step()
                sock.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                piece = sock.recv(1 << 16)
                assert piece, "cut"
                incoming.write(piece)
    drive(tls.do_handshake)
    drive(lambda: tls.write(auth_line(net.rig.token("cache")) + b"question"))
    answer = Answer(sock, drive(lambda: tls.read(4096)))
    check(answer.is_granted, answer)
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        sock.sendall(outgoing.read())
    got = 0
    while got < size:
        piece = drive(lambda: tls.read(1 << 16))
        assert piece, "ended after %d" % got
        got += len(piece)
    assert_equal(net.end_of(answer)["end"], "finished", "end with TLS")
    sock.close()


@on_a_network
def a_backend_that_has_finished_sending_still_hears_the_client(net):
    heard = []

    def speak_first(call):
        call.sock.sendall(b"z" * 1000)
        call.sock.shutdown(socket.SHUT_WR)
        while receive(call):
            pass
        heard.append(call.received)
    net.backend(speak_first)
    net.add_door()
    net.start()
    for far in (False, True):
        answer = net.login(far=far)
        receive_all(answer.sock, 1000)
        assert_equal(answer.sock.recv(1), b"", "the backend's end")
        answer.sock.sendall(b"a" * 100000)
        if far:
            answer.sock.unwrap()
        answer.close()
        wait_until(lambda: heard, "the backend has read to the end")
        assert_equal(heard.pop(), 100000, "bytes")


# ---- many ----

def pss_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


def read_line(sock):
    got = b""
    while not got.endswith(b"\n"):
        piece = sock.recv(4096)
        assert piece, "cut: %r" % got
        got += piece
    return got


def log_in_many(net, count, agents):
    """{agent: sessions}; each tenth with TLS."""
    line = {a: auth_line(net.rig.token("cache", a)) for a in agents}
    sessions = {a: [] for a in agents}
    for begin in range(0, count, 50):
        batch = []
        for i in range(begin, min(begin + 50, count)):
            sock = net.dial(far=False, tls=i % 10 == 0)
            sock.sendall(line[agents[i % len(agents)]])
            batch.append((agents[i % len(agents)], sock))
        for agent, sock in batch:
            answer = read_line(sock)
            check(answer.startswith(b"OK "), answer)
            sessions[agent].append(sock)
    return sessions


def are_alive(sockets):
    """Each carries a byte to the backend and back."""
    for begin in range(0, len(sockets), 500):
        some = sockets[begin:begin + 500]
        for s in some:
            s.sendall(b"?")
        for s in some:
            assert_equal(s.recv(1), b"?", "echo")
    return True


@on_a_network
def five_thousand_sessions_stand_at_once_and_a_block_ends_its_agents_own(net):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = 500 if IS_SANITIZED else min(5000, (most - 1000) // 2)
    if count < (500 if IS_SANITIZED else 5000):
        print("# only %d: this system allows %d descriptors" % (count, most))
    backend = ManyEchoes(net.door)
    net.others.append(backend)
    net.add_door(backend=backend.address, max_connections="6000", max_connections_per_agent="6000")
    net.rig.set(login_max_per_source="512")
    net.start()
    door = net.rig.child("door")
    # What any first sessions leave behind is not of their number.
    for s in log_in_many(net, 64, ["agent-0"])["agent-0"]:
        s.close()
    net.wait_nothing_left()
    before = pss_kib(door)
    agents = ["agent-%d" % i for i in range(1, 6)]
    sessions = log_in_many(net, count, agents)
    full = pss_kib(door)
    assert_equal(net.door_sockets() - net.sockets, 2 * count, "sockets of the door")
    are_alive(sum(sessions.values(), []))

    spent = stopwatch(lambda: net.rig.control("block", "agent-3", "--for", "1h", "--reason", "runaway"))
    for s in sessions.pop("agent-3"):
        try:
            assert_equal(s.recv(1), b"", "a blocked session")
        except OSError:
            pass
        s.close()
    check(spent <= TAKEN_BACK_S, "the block was obeyed after %.2f s" % spent)
    rest = sum(sessions.values(), [])
    assert_equal(len(rest), count - count // 5, "sessions that are left")
    are_alive(rest)
    pattern = r"taken back: (\d+) sessions ended (\d+) us after the word came"
    net.rig.daemon.wait_log(pattern)
    note = re.search(pattern, net.rig.daemon.log())
    assert_equal(int(note.group(1)), count // 5, "sessions that the door has ended")
    check(int(note.group(2)) <= TAKEN_BACK_S * 1000000, note.group(0))

    for s in rest:
        s.close()
    net.wait_nothing_left()
    wait_until(lambda: len(backend.live) == 0, "no connection is left at the backend")
    print("# %d sessions: %.1f KiB each; block %.0f ms; left after all closed: %d KiB" %
          (count, (full - before) / count, spent * 1000, pss_kib(door) - before))
    if not IS_SANITIZED:  # AddressSanitizer keeps what was freed
        wait_until(lambda: pss_kib(door) - before <= 10240, "10 MiB over the start after all have closed, there are %d KiB"
                   % (pss_kib(door) - before))


@on_a_network
def a_thousand_faults_leave_no_memory_behind(net):
    authority, _ = _make_authority(net.rig)
    echoes = net.near_backend()
    unproved = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    unproved.load_cert_chain(*net.rig.certificate("self-signed", "IP:" + BACKEND))
    net.add_door("good", echoes)
    net.add_door("refused", "127.0.0.1:9")
    net.add_door("unproved", net.backend(tls=unproved), backend_tls=None, backend_tls_ca_file=authority)
    net.start()
    door = net.rig.child("door")
    line = {name: auth_line(net.rig.token(name)) for name in ("good", "refused", "unproved")}

    def faults(rounds):
        for i in range(rounds):
            for name in line:
                sock = net.dial(name, far=i % 2 == 0)
                sock.sendall(line[name])
                check(Answer(sock, read_answer(sock)).is_granted == (name == "good"), name)
                reset(sock)
            sock = net.dial("good", far=False)
            sock.sendall(b"NONSENSE\r\n")
            reset(sock)
        net.wait_nothing_left()

    faults(60)
    before = pss_kib(door)
    faults(40 if IS_SANITIZED else 190)
    grown = pss_kib(door) - before
    print("# grown by %d KiB" % grown)
    check(grown <= 1024 or IS_SANITIZED, "the door has grown by %d KiB" % grown)


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
