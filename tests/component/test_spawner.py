#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Programs behind doors (backend: exec:), started by a real posternd as root: whose they are, what they may, and that nothing of them
outlives its session.  The door speaks the raw door's protocol (tests/support/posternd_programs.c)."""
import ctypes
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import Daemon, is_alive, status_of  # noqa: E402
from door_rig import (BUILD, DEADLINE_S, IS_SANITIZED, USERS, Answer, assert_equal, auth_line, check, read_answer,  # noqa: E402
                      run_door_tests, wait_until, with_options)

POSTERND = BUILD + "/tests/support/posternd_programs"
HERE = os.path.dirname(os.path.abspath(__file__))
SPAWNER_UID, PROGRAM_UID, OTHER_UID = 64737, 64738, 64739
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "USER": str(PROGRAM_UID), "LOGNAME": str(PROGRAM_UID),
               "LANG": "C.UTF-8"}
# Kill, setgid, setuid: bits 5 to 7.
SPAWNER_CAPABILITIES, KEEPER_CAPABILITIES = 0xe0, 0x20
# What a program gets that tries its hand at somebody else's process.
UNTOUCHED = {"signal": "EPERM", "kill": "EPERM", "memory": "EACCES", "environ": "EACCES", "fds": "EACCES", "trace": "EPERM",
             "descriptor": "EPERM", "limits": "EPERM"}

_spawner = with_options(spawner_user=SPAWNER_UID)


def _program(rig):
    """Root's, where nobody else can write."""
    path = rig.path + "/probe.py"
    if not os.path.exists(path):
        shutil.copyfile(HERE + "/probe_program.py", path)
        os.chmod(path, 0o755)
    return path


def _door(rig, name="tools", arguments="", **keys):
    row = {"protocol": "mcp", "exec_user": PROGRAM_UID}
    row.update(keys)
    rig.door(name, "exec:/usr/bin/python3 -I -S %s %s" % (_program(rig), arguments), **row)


def _start(rig):
    rig.daemons.append(Daemon(POSTERND, rig))
    rig.daemon.wait_ready()


class Session:
    """A client whose bytes are a program's standard input and output."""

    def __init__(self, rig, door="tools"):
        self.answer = rig.login(door)
        self.lines = self.answer.sock.makefile("rb")
        self.about = self.ask("describe")
        self.pid = self.about["pid"]
        self.pidfd = os.pidfd_open(self.pid)

    def tell(self, *words):
        self.answer.sock.sendall((" ".join(map(str, words)) + "\n").encode())

    def ask(self, *words):
        self.tell(*words)
        line = self.lines.readline()
        check(line, "the program ended at %r" % (words,))
        return json.loads(line)

    def close(self):
        self.lines.close()
        self.answer.close()

    def wait_end(self):
        _wait_end(self.pidfd, "the program")


def _wait_end(pidfd, what):
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    check(poller.poll(DEADLINE_S * 1000), what + " has not ended")
    os.close(pidfd)


def _open_all(pids):
    return [os.pidfd_open(pid) for pid in pids]


def _wait_all(pidfds):
    for n, fd in enumerate(pidfds):
        _wait_end(fd, "process %d" % n)


def _of_user(uid):
    """Processes that live."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat("/proc/" + name).st_uid == uid and is_alive(int(name)):
                found.append(int(name))
        except FileNotFoundError:
            pass
    return found


def _wait_none():
    wait_until(lambda: not _of_user(PROGRAM_UID), "no process of the programs' user is left: %r" % _of_user(PROGRAM_UID))


def _refused(rig, door="tools"):
    sock = rig.dial(door)
    sock.sendall(auth_line(rig.token(door)))
    answer = Answer(sock, read_answer(sock))
    check(not answer.is_granted, "a grant: %s" % answer)
    return answer


def _spawner_pid(rig):
    def look():
        with open("/proc/%d/task/%d/children" % (rig.daemon.process.pid, rig.daemon.process.pid)) as f:
            for pid in f.read().split():
                try:
                    with open("/proc/%s/comm" % pid) as comm:
                        if comm.read() == "posternd-spawn\n":
                            return int(pid)
                except FileNotFoundError:
                    pass
        return None
    return wait_until(look, "the spawner")


# ---- whose it is ----

@_spawner
def a_program_is_its_users_and_has_nothing_of_posternds(rig):
    _door(rig, arguments='"two words" $HOME', exec_env='"GREETING=good day" LANG=C', exec_dir=rig.path)
    os.environ["POSTERN_TEST_SECRET"] = "from our own environment"
    try:
        _start(rig)
    finally:
        del os.environ["POSTERN_TEST_SECRET"]
    s = Session(rig)
    about = s.about
    assert_equal(about["uid"] + about["gid"], [PROGRAM_UID] * 6, "real, effective, saved")
    assert_equal(about["groups"], [], "further groups")
    assert_equal(about["argv"][1:], ["two words", "$HOME"], "arguments")
    assert_equal(about["env"], dict(ENVIRONMENT, LANG="C", GREETING="good day"), "environment")
    assert_equal(about["cwd"], rig.path, "folder")
    assert_equal(about["fds"], [0, 1, 2], "descriptors")
    assert_equal((about["session"], about["group"]), (s.pid, s.pid), "session and group of its own")
    status = about["status"]
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert_equal(int(status[name], 16), 0, name)
    assert_equal(int(status["CapBnd"], 16) & ~SPAWNER_CAPABILITIES, 0, "what any program below could get")
    assert_equal(status["NoNewPrivs"], "1", "no_new_privs")
    for name in ("SigIgn", "SigBlk"):
        # Python itself ignores SIGPIPE and SIGXFSZ.
        assert_equal(int(status[name], 16) & ~(1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)), 0, name)
    with open("/proc/%d/cmdline" % s.pid, "rb") as f:
        rig.assert_no_secret({"its arguments": f.read()})
    with open("/proc/%d/environ" % s.pid, "rb") as f:
        text = f.read()
    rig.assert_no_secret({"its environment": text})
    check(b"POSTERN" not in text, "nothing of ours in %r" % text)
    s.close()
    s.wait_end()


@_spawner
def a_program_touches_neither_posternd_nor_its_keeper_and_never_becomes_root(rig):
    _door(rig)
    _start(rig)
    s = Session(rig)
    assert_equal(os.stat("/proc/%d/mem" % s.about["parent"]).st_uid, 0, "the keeper is not dumpable")
    for pid in [rig.daemon.process.pid, s.about["parent"], _spawner_pid(rig)] + list(rig.daemon.children().values()):
        assert_equal(s.ask("touch", pid), UNTOUCHED, "what it can do to %d" % pid)
    assert_equal(s.ask("become", 0), {"setuid": "EPERM", "setgroups": "EPERM"}, "root")
    assert_equal(s.ask("become", USERS["door_user"]), {"setuid": "EPERM", "setgroups": "EPERM"}, "the door's user")
    s.close()


def _landlock_abi():
    return ctypes.CDLL(None).syscall(444, None, 0, 1)  # landlock_create_ruleset(2) is asked for its version


@_spawner
def programs_of_one_door_do_not_touch_each_other(rig):
    _door(rig)
    _start(rig)
    first, second = Session(rig), Session(rig)
    assert_equal(first.about["uid"], second.about["uid"], "their user")
    said = "programs of one user can end, and look into, each other" in rig.daemon.log()
    assert_equal(said, _landlock_abi() < 6, "the spawner says when this kernel cannot keep them apart")
    own = first.ask("hide")[1]
    limited = "done" if IS_SANITIZED else "EPERM"  # the filter of system calls
    if not said:
        assert_equal(first.ask("touch", second.pid), dict(UNTOUCHED, limits=limited), "what one can do to the other")
    assert_equal(second.ask("describe")["pid"], second.pid, "the other one lives")
    got = first.ask("touch", own)
    assert_equal((got["signal"], got["kill"], got["limits"]), ("done", "done", limited), "to its own child")
    first.close()
    second.close()


@_spawner
def the_spawner_keeps_three_capabilities_and_a_keeper_one(rig):
    _door(rig)
    _start(rig)
    s = Session(rig)
    for pid, want in ((_spawner_pid(rig), SPAWNER_CAPABILITIES), (s.about["parent"], KEEPER_CAPABILITIES)):
        status = status_of(pid)
        assert_equal(status["Uid"].split(), [str(SPAWNER_UID)] * 4, "user")
        assert_equal(status["Gid"].split(), [str(SPAWNER_UID)] * 4, "group")
        assert_equal(status["Groups"].split(), [], "further groups")
        assert_equal((int(status["CapEff"], 16), int(status["CapPrm"], 16)), (want, want), "capabilities")
        assert_equal((int(status["CapInh"], 16), int(status["CapAmb"], 16)), (0, 0), "what a program would inherit")
        assert_equal(status["NoNewPrivs"], "1", "no_new_privs")
        if not IS_SANITIZED:
            assert_equal(status["Seccomp"], "2", "a filter")
    s.close()


@_spawner
def limits_hold(rig):
    _door(rig, exec_memory_max=128, exec_processes_max=20, exec_cpu_max="1s")
    _start(rig)
    s = Session(rig)
    assert_equal(s.ask("allocate", 64), "done", "64 MiB")
    assert_equal(s.ask("allocate", 256), "MemoryError", "256 MiB")
    got = s.ask("fork", 100)
    assert_equal(got["result"], "EAGAIN", "the process that was too much")
    check(1 <= got["count"] <= 19, "processes: %d" % got["count"])
    s.tell("burn")
    s.wait_end()
    s.answer.wait_end()
    rig.daemon.wait_log(r"tools [0-9a-zA-Z_-]+: program %d died of signal (24|9) " % s.pid)


# ---- how long it lives ----

@_spawner
def everything_that_a_program_made_ends_with_its_session(rig):
    _door(rig)
    _start(rig)
    other = Session(rig)
    s = Session(rig)
    pids = s.ask("hide")
    assert_equal(len(set(pids)), 4, "processes")
    fds = _open_all(pids)
    s.close()
    _wait_all(fds)
    assert_equal(other.ask("describe")["pid"], other.pid, "another session's program")
    other.close()
    other.wait_end()
    _wait_none()


@_spawner
def a_killed_session_takes_its_program_along(rig):
    _door(rig)
    _start(rig)
    s = Session(rig)
    fds = _open_all(s.ask("hide"))
    rig.control("kill", "--session", rig.sessions()[0]["id"])
    _wait_all(fds)
    s.answer.wait_end()
    _wait_none()


@_spawner
def a_program_that_ends_is_told_and_its_daemons_go(rig):
    _door(rig)
    _start(rig)
    s = Session(rig)
    fds = _open_all(s.ask("hide"))
    s.tell("leave", 3)
    _wait_all(fds)
    s.answer.wait_end()
    rig.daemon.wait_log(r"tools \S+: program %d exited with status 3" % s.pid)
    s.close()
    end = rig.wait_record(event="end")
    check(end["end"] in ("backend", "finished"), "how it ended: %r" % end)


@_spawner
def nobody_is_left_when_posternd_or_a_child_is_killed(rig):
    _door(rig)
    _start(rig)
    # The spawner, then the door: each takes the programs along, and the next one works.
    for victim in (_spawner_pid, lambda rig: rig.child("door")):
        wait_until(lambda: _is_served(rig), "a session")
        s = Session(rig)
        fds = _open_all(s.ask("hide"))
        ready = len(re.findall(r"is ready$", rig.daemon.log(), re.M))
        os.kill(victim(rig), signal.SIGKILL)
        _wait_all(fds)
        s.answer.wait_end()
        rig.daemon.wait_log(r"is ready$", ready + 1)
        s.close()
    wait_until(lambda: _is_served(rig), "a session after that")
    s = Session(rig)
    fds = _open_all(s.ask("hide"))
    rig.daemon.process.kill()
    rig.daemon.wait_exit()
    _wait_all(fds)
    _wait_none()
    rig.daemons.clear()


def _is_served(rig):
    sock = rig.dial("tools")
    sock.sendall(auth_line(rig.token("tools")))
    answer = Answer(sock, read_answer(sock))
    answer.close()
    return answer.is_granted


@with_options(spawner_user=SPAWNER_UID, drain_timeout="5s")
def who_does_not_want_to_end_ends_when_posternd_stops(rig):
    _door(rig)
    _start(rig)
    s = Session(rig)
    fds = _open_all(s.ask("hide"))
    assert_equal(rig.daemon.stop(), 0, "exit status of posternd")
    _wait_all(fds)
    _wait_none()
    check("it is killed" not in rig.daemon.log(), "each child ended by itself")


# ---- reload ----

@_spawner
def a_reload_changes_programs_to_come_and_spares_those_that_run(rig):
    rig.echo_door("cache")
    _start(rig)
    check("spawner" not in rig.daemon.log(), "no spawner without a program")
    _door(rig, arguments="one")
    rig.reload()
    spawner, before = _spawner_pid(rig), Session(rig)
    assert_equal(before.about["argv"][1:], ["one"], "arguments")
    _door(rig, arguments="two", exec_user=OTHER_UID)
    _door(rig, "more", arguments="three")
    rig.reload()
    after, more = Session(rig), Session(rig, "more")
    assert_equal((after.about["argv"][1:], after.about["uid"][0]), (["two"], OTHER_UID), "arguments and user")
    assert_equal(more.about["argv"][1:], ["three"], "arguments")
    assert_equal(before.ask("describe")["argv"][1:], ["one"], "the program of before")
    assert_equal(_spawner_pid(rig), spawner, "the spawner")
    # A configuration that cannot be: nothing changes.
    _door(rig, arguments="four", exec_user="no-such-user")
    rig.reload_fails("there is no user")
    assert_equal(Session(rig).about["argv"][1:], ["two"], "arguments")
    # No door, no session, no program.
    os.unlink(rig.path + "/etc/doors/more.conf")
    _door(rig, arguments="five")
    rig.reload()
    more.wait_end()
    assert_equal(before.ask("describe")["pid"], before.pid, "a program that outlives three reloads")
    os.unlink(rig.path + "/etc/doors/tools.conf")
    rig.reload()
    before.wait_end()
    after.wait_end()
    wait_until(lambda: not is_alive(spawner), "the spawner goes with the last program")
    _wait_none()


# ---- what is refused ----

@_spawner
def what_cannot_be_started_is_said_before_and_when_it_is_tried(rig):
    path = rig.path + "/tool"
    shutil.copyfile("/bin/cat", path)

    def complains(pattern, backend="exec:" + path, **keys):
        row = {"protocol": "mcp", "exec_user": PROGRAM_UID}
        row.update(keys)
        rig.door("tools", backend, **row)
        r = subprocess.run([POSTERND, "--config", rig.path + "/etc", "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           universal_newlines=True, timeout=60)
        check(re.search(pattern, r.stdout), "--check says /%s/: %s" % (pattern, r.stdout))
        assert_equal(r.returncode, 0 if "is good" in pattern else 78, "status of --check")

    complains("doors/tools.conf:5: /nonexistent/tool No such file", "exec:/nonexistent/tool")
    os.chmod(path, 0o644)
    complains("%s is not executable" % path)
    os.chmod(path, 0o775)
    complains("%s can be written by others" % path)
    os.chmod(path, 0o755)
    complains("is good")
    os.chown(path, PROGRAM_UID, 0)
    complains("belongs neither to root nor to posternd's user")
    os.chown(path, 0, 0)
    os.mkdir(rig.path + "/open")
    os.chmod(rig.path + "/open", 0o777)
    os.symlink(path, rig.path + "/open/link")
    complains("%s/open can be written by others" % rig.path, "exec:%s/open/link" % rig.path)
    os.symlink(rig.path + "/open/link", rig.path + "/link")
    complains("%s/open can be written by others" % rig.path, "exec:%s/link" % rig.path)
    complains("exec_user when posternd starts as root", exec_user=None)
    complains("exec_user is the user of door_user", exec_user=USERS["door_user"])
    complains("exec_user is the user of spawner_user", exec_user=SPAWNER_UID)
    complains("is root", exec_user="root")
    complains("there is no user", exec_user="no-such-user")
    complains("exec: is for protocol: mcp", protocol="raw")
    complains("is good")
    _start(rig)
    assert_equal(_cat(rig), b"hello\n", "what a program sends back")
    os.unlink(path)
    answer = _refused(rig)
    assert_equal(answer["reason"], "backend", "what the client is told")
    check("its program was not started" in rig.wait_record(ref=answer["ref"])["detail"], "the record")
    rig.daemon.wait_log(r"tools \S+: its program was not started: exec %s: No such file or directory" % path)
    check("No such file" not in str(answer), "the client is not told of our files")


def _cat(rig):
    s = rig.login("tools")
    s.sock.sendall(b"hello\n")
    line = s.sock.makefile("rb").readline()
    s.close()
    return line


# ---- what it says ----

@_spawner
def what_a_program_says_is_in_the_log_a_line_at_a_time(rig):
    _door(rig)
    _start(rig)
    s = Session(rig)
    s.ask("say", r"all\040is\040well\nposternd:\040a\040lie\n\033[2J")
    s.ask("say", "x" * 1000)
    name = r"^posternd spawner: tools \S+: "
    rig.daemon.wait_log(name + "all is well$")
    rig.daemon.wait_log(name + "posternd: a lie$")
    rig.daemon.wait_log(name + r"\\x1b\[2J$")
    rig.daemon.wait_log(name + "x{400}\\.\\.\\.$")
    for n in range(200):
        s.ask("say", "line", n)
    s.close()
    s.wait_end()
    rig.daemon.wait_log(name + r"\d+ lines are left out$")
    said = len(re.findall(name + "line", rig.daemon.log(), re.M))
    check(20 <= said < 150, "lines in the log: %d" % said)


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
