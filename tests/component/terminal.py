#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Drives a program that wants a terminal: starts it on one of its own, waits until its output holds a text, presses keys, and waits for
the end.  What it wrote goes to standard output.

    terminal.py [--wait SECONDS] [--on TEXT KEYS]... -- COMMAND...

Exit status: 0 when each TEXT came in its order and the program ended; 1 otherwise, and the program is ended."""
import argparse
import os
import pty
import re
import select
import signal
import sys
import time

CONTROL = re.compile(rb"\x1b(\[[0-9;?]*[ -/]*[@-~]|\([A-Z0-9]|[=>])|\r")


def read_some(fd, until):
    ready, _, _ = select.select([fd], [], [], max(0, until - time.monotonic()))
    if not ready:
        return None
    try:
        return os.read(fd, 65536)
    except OSError:  # the other end is closed
        return b""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--wait", type=float, default=60)
    p.add_argument("--on", nargs=2, action="append", default=[])
    p.add_argument("command", nargs="+")
    o = p.parse_args()
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(o.command[0], o.command)
    until, screen, steps, seen_to = time.monotonic() + o.wait, b"", list(o.on), 0
    while True:
        data = read_some(fd, until)
        if not data:
            break
        screen = CONTROL.sub(b"", screen + data)
        while steps and steps[0][0].encode() in screen[seen_to:]:
            text, keys = steps.pop(0)
            seen_to = screen.index(text.encode(), seen_to) + len(text)
            os.write(fd, keys.encode().decode("unicode_escape").encode())
    if data is None:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    sys.stdout.buffer.write(screen)
    sys.exit(0 if not steps and data is not None else 1)


if __name__ == "__main__":
    main()
