#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A program behind a door (backend: exec:), which does what a line tells it: WORD ARGUMENT ..., one JSON line back."""
import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time


def describe(*_):
    with open("/proc/self/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    with open("/proc/self/environ") as f:  # as it was; Python adds to its own
        environment = dict(text.split("=", 1) for text in f.read().split("\0") if text)
    return {"pid": os.getpid(), "parent": os.getppid(), "argv": sys.argv, "env": environment, "uid": os.getresuid(),
            "gid": os.getresgid(), "groups": os.getgroups(), "cwd": os.getcwd(), "session": os.getsid(0), "group": os.getpgid(0),
            "fds": sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1], "status": status}


def tried(do):
    try:
        do()
        return "done"
    except OSError as e:
        return errno.errorcode[e.errno]
    except MemoryError:
        return "MemoryError"


def read_memory(pid):
    with open("/proc/%s/mem" % pid, "rb") as f:
        f.read(1)


def call(number, *arguments):
    """A system call that Python does not know."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments]) < 0:
        raise OSError(ctypes.get_errno(), "call %d" % number)


def seize(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    if libc.ptrace(0x4206, pid, 0, 0) < 0:  # PTRACE_SEIZE
        raise OSError(ctypes.get_errno(), "ptrace")


def take_descriptor(pid):
    pidfd = os.pidfd_open(pid)
    try:
        call(438, pidfd, 0, 0)  # pidfd_getfd(2)
    finally:
        os.close(pidfd)


def limit(pid):
    """As it is already: nothing comes of it where it passes."""
    resource.prlimit(pid, resource.RLIMIT_CPU, resource.prlimit(pid, resource.RLIMIT_CPU))


def touch(pid):
    """What this process may do to another."""
    return {"signal": tried(lambda: os.kill(int(pid), 0)), "kill": tried(lambda: os.kill(int(pid), signal.SIGKILL)),
            "memory": tried(lambda: read_memory(pid)), "environ": tried(lambda: open("/proc/%s/environ" % pid).read()),
            "fds": tried(lambda: os.readlink("/proc/%s/fd/0" % pid)), "trace": tried(lambda: seize(int(pid))),
            "descriptor": tried(lambda: take_descriptor(int(pid))), "limits": tried(lambda: limit(int(pid)))}


def become(uid):
    return {"setuid": tried(lambda: os.setuid(int(uid))), "setgroups": tried(lambda: os.setgroups([0]))}


def allocate(mebibytes):
    kept = []

    def fill():
        for _ in range(int(mebibytes)):
            kept.append(b"x" * (1 << 20))
    return tried(fill)


def fork(count):
    children = []

    def many():
        for _ in range(int(count)):
            pid = os.fork()
            if pid == 0:
                time.sleep(1000)
            children.append(pid)
    result = tried(many)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return {"result": result, "count": len(children)}


def burn(*_):
    while True:
        pass


def hide(*_):
    """A child, one in a session of its own, and a daemon by two forks; none of them hears SIGTERM, nor does this one."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleeper = "import os, signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid(), flush=True)\n"
    deeper = sleeper + "os.close(1)\ntime.sleep(1000)\n"
    daemon = "import os, sys\nif os.fork(): sys.exit()\nos.setsid()\nif os.fork(): sys.exit()\n" + deeper
    pids = [os.getpid()]
    for text, own_session in ((deeper, False), (deeper, True), (daemon, False)):
        p = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                             start_new_session=own_session)
        pids.append(int(p.stdout.readline()))
    return pids


def say(*words):
    sys.stderr.buffer.write((" ".join(words) + "\n").encode().decode("unicode_escape").encode("latin-1"))
    sys.stderr.flush()
    return "said"


def leave(status):
    sys.exit(int(status))


def main():
    words = {f.__name__: f for f in (describe, touch, become, allocate, fork, burn, hide, say, leave)}
    for line in iter(sys.stdin.readline, ""):
        word, *arguments = line.split()
        print(json.dumps(words[word](*arguments)), flush=True)


main()
