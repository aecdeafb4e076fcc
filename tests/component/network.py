# SPDX-License-Identifier: BSD-2-Clause
"""Network namespaces of a test's own, and lines between them that a test can slow, thin and cut.  They have no name and vanish with
the process.  A line is two veth pairs whose inner ends meet in this process: it carries each frame over, or does not, so that no
traffic control of the kernel is needed and what is lost is lost by count, not by chance.  Needs root, iproute2, util-linux."""
import collections
import contextlib
import ctypes
import itertools
import os
import select
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
SO_RCVBUFFORCE, SO_SNDBUFFORCE = 33, 32
FRAME_MAX = 1 << 17  # a frame as the stack hands it over, before it is cut into segments: 64 KiB and headers
QUEUE_BYTES = 32 << 20

libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Namespace:
    """`with namespace:` the calling thread is in it; sockets made there stay in it, processes started there too."""

    def __init__(self):
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _call(libc.unshare, CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        finally:
            _call(libc.setns, before, CLONE_NEWNET)
            os.close(before)
        self.path = "/proc/%d/fd/%d" % (os.getpid(), self.fd)
        self.outer = threading.local()
        with self:
            # Nobody speaks here unasked: the frames that a test counts are its own.
            for family in ("all", "default"):
                with contextlib.suppress(OSError), open("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % family, "w") as f:
                    f.write("1")
        self.ip("link", "set", "lo", "up")

    def __enter__(self):
        self.outer.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _call(libc.setns, self.fd, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        _call(libc.setns, self.outer.fd, CLONE_NEWNET)
        os.close(self.outer.fd)

    def ip(self, *arguments):
        with self:
            r = subprocess.run(("ip",) + arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               universal_newlines=True, timeout=20)
        assert r.returncode == 0, "ip %s: %s" % (" ".join(arguments), r.stderr)

    def rows(self, port):
        """Lines of /proc/net/tcp, in words, of the connections that this namespace still knows from the local port."""
        with self, open("/proc/thread-self/net/tcp") as f:
            rows = [line.split() for line in f.read().splitlines()[1:]]
        return [r for r in rows if int(r[1].split(":")[1], 16) == port and r[3] != "0A"]

    def connections(self, port):
        """Their states: "01" established, "04" FIN sent …"""
        return [r[3] for r in self.rows(port)]

    def unanswered(self, port):
        """Bytes on their way that nobody has confirmed."""
        return sum(int(r[4].split(":")[0], 16) for r in self.rows(port))

    def close(self):
        os.close(self.fd)


class Line:
    """Joins two namespaces.  `delay_s` each way; `is_cut`: nothing comes over; `loses_every`: each so manieth frame of each way is
    lost, 0: none."""
    numbers = itertools.count()

    def __init__(self, left, left_address, right, right_address):
        self.delay_s, self.is_cut, self.loses_every = 0.0, False, 0
        self.lost = [0, 0]
        self.middle, self.is_open = Namespace(), True
        self.ends, number = [], next(Line.numbers)
        for side, namespace, address in ((0, left, left_address), (1, right, right_address)):
            name, inner = "p%x-%d" % (number, side), "i%x-%d" % (number, side)
            self.middle.ip("link", "add", inner, "type", "veth", "peer", "name", name, "netns", namespace.path)
            self.middle.ip("link", "set", inner, "up")
            namespace.ip("address", "add", address, "dev", name)
            namespace.ip("link", "set", name, "gso_max_segs", "1", "up")  # frames as on a wire
            self.ends.append(self.open_end(inner))
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def open_end(self, name):
        with self.middle:
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        # Checksums and sizes of segments come as the sender left them to its device, and go on so.
        s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        for option in (SO_RCVBUFFORCE, SO_SNDBUFFORCE):
            s.setsockopt(socket.SOL_SOCKET, option, QUEUE_BYTES)
        s.bind((name, 3))
        s.setblocking(False)
        return s

    def carry(self):
        queue, counts = collections.deque(), [0, 0]
        poll = select.poll()
        for end in self.ends:
            poll.register(end, select.POLLIN)
        while self.is_open:
            wait_s = 0.2 if not queue else max(0.0, queue[0][0] - time.monotonic())
            ready = {fd for fd, _ in poll.poll(min(0.2, wait_s) * 1000)}
            for side in (0, 1):
                if self.ends[side].fileno() in ready:
                    self.take(side, counts, queue)
            while queue and queue[0][0] <= time.monotonic():
                _, side, frame = queue.popleft()
                with contextlib.suppress(OSError):  # a full queue or a link that is down: lost
                    self.ends[1 - side].send(frame)

    def take(self, side, counts, queue):
        for _ in range(64):
            try:
                frame = self.ends[side].recv(FRAME_MAX)
            except OSError:
                return
            counts[side] += 1
            # Who asks for an address (ARP) is heard, as on any wire that is plugged in.
            is_arp = struct.unpack_from("!H", frame, 10 + 12)[0] == 0x0806
            if self.is_cut or (self.loses_every and not is_arp and counts[side] % self.loses_every == 0):
                self.lost[side] += 1
            else:
                queue.append((time.monotonic() + self.delay_s, side, frame))

    def close(self):
        self.is_open = False
        self.thread.join()
        for end in self.ends:
            end.close()
        self.middle.close()


class NameServer:
    """A name server for one test: each name has the addresses of `names` (a list), unknown names have none; `is_silent`: no answer."""

    def __init__(self, namespace, address):
        self.names, self.is_silent, self.asked = {}, False, 0
        with namespace:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            self.asked += 1
            if not self.is_silent:
                with contextlib.suppress(OSError):
                    self.socket.sendto(self.answer(question), peer)

    def answer(self, question):
        """RFC 1035 §4: the question again, and an A record of an hour for each address."""
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode().lower())
            at += 1 + question[at]
        end = at + 5
        kind = struct.unpack_from("!H", question, at + 1)[0]
        known = self.names.get(".".join(labels))
        addresses = known or [] if kind == 1 else []
        head = question[:2] + struct.pack("!HHHHH", 0x8580 | (0 if known is not None else 3), 1, len(addresses), 0, 0)
        rows = b"".join(struct.pack("!HHHIH", 0xc00c, 1, 1, 3600, 4) + socket.inet_aton(a) for a in addresses)
        return head + question[12:end] + rows

    def close(self):
        self.socket.close()


class ManyEchoes:
    """An echo server of one thread, for more connections than threads are good for."""

    def __init__(self, namespace=None):
        with namespace or contextlib.nullcontext():
            self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.socket.listen(4096)
        self.poll, self.live, self.is_open = select.epoll(), {}, True
        self.poll.register(self.socket, select.EPOLLIN)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.is_open:
            for fd, _ in self.poll.poll(0.2):
                if fd == self.socket.fileno():
                    sock, _ = self.socket.accept()
                    self.live[sock.fileno()] = sock
                    self.poll.register(sock, select.EPOLLIN)
                    continue
                try:
                    piece = self.live[fd].recv(4096)
                    self.live[fd].sendall(piece)
                except OSError:
                    piece = b""
                if not piece:
                    self.poll.unregister(fd)
                    self.live.pop(fd).close()

    def close(self):
        self.is_open = False
        self.thread.join()
        for s in self.live.values():
            s.close()
        self.socket.close()
