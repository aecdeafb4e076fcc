# SPDX-License-Identifier: BSD-2-Clause
"""Start posternd on a temporary configuration, wait for lines of its log, look at its children; TAP output.  Needs nothing but
Python's own modules; waits for conditions with a deadline, never for time to pass."""
import fcntl
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

IS_SANITIZED = bool(os.environ.get("POSTERN_SANITIZED"))
DEADLINE_S = 60 if IS_SANITIZED else 20  # what does not come in so much time never comes
# Added to what a time may be at most: a sanitizer is there for faults and is several times slower, promises of time are kept without.
BUSY_S = 6 if IS_SANITIZED else 0
HELPER_UID, ISSUER_UID, OTHER_UID, AUDIT_UID, DOOR_UID, CONTROL_UID = 64801, 64802, 64803, 64804, 64805, 64806
UIDS = {"audit": AUDIT_UID, "issuer": ISSUER_UID, "helper": HELPER_UID, "door": DOOR_UID, "control": CONTROL_UID}

# The kernel cuts the name of a process after 15 bytes.
ROLE_NAMES = dict({"posternd-" + role: role for role in UIDS}, **{"posternd-spawn": "spawner", "posternd-ctl": "control"})

passed = failed = 0


def report(ok, name, detail=""):
    global passed, failed
    print(("ok - " if ok else "not ok - ") + name)
    if ok:
        passed += 1
    else:
        failed += 1
        for line in str(detail).splitlines()[-60:]:
            print("# " + line)
    sys.stdout.flush()


def wait_until(condition, what, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("not in %d s: %s" % (deadline_s, what))
        time.sleep(0.02)


def whole_lines(path):
    """What a file that others append to has in lines that are ended: a write that crosses a page is seen in parts."""
    with open(path, "rb") as f:
        text = f.read()
    return text[:text.rfind(b"\n") + 1].decode(errors="replace")


SETTLE_S = 0.03  # in a stream a record stands in the file some milliseconds after its decision was told
_writers = {}  # path: who had it open when it was looked for last


def _holds(pid, path):
    try:
        with open("/proc/%s/comm" % pid) as f:
            return f.read() == "posternd-audit\n" and path in descriptors_of(int(pid)).values()
    except (OSError, ValueError):
        return False


def _is_at_rest(path):
    """The audit child that writes it, if any, has nothing to do.  What was sent to one has woken it: on a busy machine it may
    stand in line for a processor for long."""
    path = os.path.realpath(path)
    if not _holds(_writers.get(path, 0), path):
        _writers[path] = next((pid for pid in os.listdir("/proc") if pid.isdigit() and _holds(pid, path)), 0)
    try:
        with open("/proc/%s/stat" % _writers[path]) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "RD"
    except OSError:
        return True


def records_in(path):
    """The records of an audit file, oldest first, when nothing more comes; or what is there after some seconds in which something
    always came."""
    end = time.monotonic() + 2
    text, is_settled = whole_lines(path), False
    while not is_settled and time.monotonic() < end:
        is_settled = _is_at_rest(path)
        time.sleep(SETTLE_S)
        before, text = text, whole_lines(path)
        is_settled = is_settled and before == text and _is_at_rest(path)
    return _parse(text)


def lines_and_records(text):
    """(line, record) of each line.  A piece of a line is none where the next one says so: a killed audit child left it, and its
    successor ended it."""
    lines, found = [line for line in text.split("\n") if line], []
    for line, after in zip(lines, lines[1:] + [""]):
        try:
            found.append((line, json.loads(line)))
        except ValueError:
            if '"event":"chain"' not in after or '"reason":"torn"' not in after:
                raise
    return found


def _parse(text):
    return [record for _, record in lines_and_records(text)]


def free_port():
    """A port below those that the kernel gives out by itself, in turn for every test that runs on this machine: nobody else gets
    it before it is bound."""
    with open("/tmp/postern-test-ports", "a+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.seek(0)
        last = int(f.read() or 0)
        for step in range(1, 12000):
            port = 20000 + (last + step) % 12000
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    continue
            f.truncate(0)
            f.write(str(port - 20000))
            return port
    raise AssertionError("no free port")


class Folder:
    """A configuration with an embedded issuer and one service, in a folder of root's; doors as a test adds them."""

    def __init__(self, **more):
        self.path = tempfile.mkdtemp(prefix="postern-test.", dir="/tmp")
        os.chmod(self.path, 0o755)
        self.port = free_port()
        for name in ("etc/issuers", "etc/services", "etc/doors", "etc/policies", "orders"):
            os.makedirs(self.path + "/" + name)
        self.issuer = "http://127.0.0.1:%d" % self.port
        self.daemon_keys = {
            "helper_socket": self.path + "/run/helper.sock",
            "helper_user": str(HELPER_UID),
            "issuer_user": str(ISSUER_UID),
            "audit_user": str(AUDIT_UID),
            "door_user": str(DOOR_UID),
            "control_user": str(CONTROL_UID),
            "control_socket": self.path + "/run/control.sock",
            "blocks_file": self.path + "/state/control/blocks",
            "door_cert_file": self.path + "/run/door-cert.pem",
            "door_loops": "2",
            "audit_file": self.path + "/log/audit.jsonl",
            "audit_key_dir": self.path + "/state/audit",
            "drain_timeout": "5s",
        }
        self.server_keys = {
            "issuer": self.issuer,
            "listen": "127.0.0.1:%d" % self.port,
            "state_dir": self.path + "/state/issuer",
            "admin_socket": self.path + "/run/issuer-admin.sock",
            "jwks_file": self.path + "/run/jwks.json",
        }
        self.write("issuers/local.conf", {"issuer": self.issuer, "jwks_file": self.path + "/run/jwks.json",
                                          "allow_loopback_http": "yes"})
        self.write("services/ldap.conf", {"audience": "https://localhost/ldap", "helper_peers": "root",
                                          "required_scopes": "ldap.read"})
        self.set(**more)

    def write(self, name, keys):
        with open(self.path + "/etc/" + name, "w") as f:
            for key, value in keys.items():
                f.write("%s: %s\n" % (key, value))

    def set(self, **keys):
        for key, value in keys.items():
            (self.server_keys if key in self.server_keys else self.daemon_keys)[key] = value
        self.write("postern.conf", self.daemon_keys)
        self.write("issuer.conf", self.server_keys)

    def add_door(self, name="cache", **keys):
        """doors/NAME.conf, and a policy that lets everybody in; returns the address that agents connect to."""
        listen = keys.get("listen", "127.0.0.1:%d" % free_port())
        with open(self.path + "/etc/policies/all.rules", "w") as f:
            f.write("allow anyone to raw:connect\n")
        self.write("doors/%s.conf" % name, dict({"listen": listen, "protocol": "raw", "backend": "127.0.0.1:9",
                                                 "audience": "https://localhost/" + name, "policy": "all"}, **keys))
        return listen

    def remove_door(self, name="cache"):
        os.unlink(self.path + "/etc/doors/%s.conf" % name)

    def order(self, role, word):
        with open(self.path + "/orders/" + role, "w") as f:
            f.write(word + "\n")

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Daemon:
    def __init__(self, program, folder, prefix=(), env=None, arguments=(), pass_fds=()):
        self.folder = folder
        fd, self.log_path = tempfile.mkstemp(prefix="log.", dir=folder.path)
        os.close(fd)
        environment = dict(os.environ, FAKE_ORDERS=folder.path + "/orders")
        # A process that is not dumpable cannot look for its own leaks (LeakSanitizer traces it).
        options = environment.get("ASAN_OPTIONS", "")
        environment["ASAN_OPTIONS"] = options + ":detect_leaks=0"
        environment.update(env or {})
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(list(prefix) + [program, "--config", folder.path + "/etc"] + list(arguments),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                            pass_fds=pass_fds)

    def log(self):
        return whole_lines(self.log_path)

    def wait_log(self, pattern, count=1):
        def seen():
            if len(re.findall(pattern, self.log(), re.M)) >= count:
                return True
            if self.process.poll() is not None:
                end = time.monotonic() + 5  # its children may have a word left to say
                while time.monotonic() < end:
                    if len(re.findall(pattern, self.log(), re.M)) >= count:
                        return True
                    time.sleep(0.05)
                raise AssertionError("posternd ended (%s) before its log said: %s" % (self.process.returncode, pattern))
            return False
        wait_until(seen, "line %d of /%s/" % (count, pattern))

    def wait_ready(self, count=1):
        self.wait_log(r"^posternd: ready$", count)

    def wait_exit(self):
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError("posternd did not end")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait_exit()

    def children(self):
        """{name: pid} of the newest child of each role."""
        found = {}
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            for pid in f.read().split():
                try:
                    with open("/proc/%s/comm" % pid) as comm:
                        found[ROLE_NAMES.get(comm.read().strip(), "?")] = int(pid)
                except (FileNotFoundError, ProcessLookupError):
                    pass
        return found

    def child(self, role):
        # While another child ends, the kernel's list may lack one; and one that was just born has no name yet.
        return wait_until(lambda: self.children().get(role), "the child " + role)

    def dispose(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.unlink(self.log_path)


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def descriptors_of(pid):
    found = {}
    for path in glob.glob("/proc/%d/fd/*" % pid):
        try:
            found[int(os.path.basename(path))] = os.readlink(path)
        except (FileNotFoundError, ProcessLookupError):
            pass  # closed meanwhile
    return found


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def run_tests(tests, needs_root=True):
    if needs_root and os.geteuid() != 0:
        print("not ok - needs root")
        return 1
    for test in tests:
        name = test.__name__.replace("_", " ")
        folder, daemons = Folder(), []
        try:
            test(folder, daemons)
            report(True, name)
        except Exception as e:  # a failed test must not stop the others
            import traceback
            logs = "\n".join(d.log() for d in daemons)
            report(False, name, logs + "\n--- end of log\n" + traceback.format_exc())
        finally:
            for d in daemons:
                d.dispose()
            folder.remove()
    print("1..%d" % (passed + failed))
    return 1 if failed else 0
