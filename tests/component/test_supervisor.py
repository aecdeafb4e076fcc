#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""posternd's supervisor with roles that misbehave on command (tests/support/posternd_fake.c): privileges, restarts, reload, stop."""
import fcntl
import itertools
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import (CONTROL_UID, Daemon, HELPER_UID, ISSUER_UID, OTHER_UID, UIDS, descriptors_of, free_port, is_alive,  # noqa: E402
                    run_tests, status_of, wait_until)

FAKE = os.environ["POSTERN_BUILD"] + "/tests/support/posternd_fake"


def start(folder, daemons, ready=True, **options):
    d = Daemon(FAKE, folder, **options)
    daemons.append(d)
    if ready:
        d.wait_ready()
    return d


def assert_equal(got, want, what):
    assert got == want, "%s: got %r, want %r" % (what, got, want)


def assert_refused(folder, daemons, pattern, status=78, **options):
    d = start(folder, daemons, ready=False, **options)
    assert_equal(d.wait_exit(), status, "exit status")
    assert re.search(pattern, d.log()), "log does not say /%s/" % pattern
    return d


ROLES = ["audit", "control", "door", "helper", "issuer"]  # all that there are, sorted
LASTING = ("audit", "door")
# Each line: who hears whom over it once both have their ends (the door runs two loops, so two lines to audit).
LINES = {("audit", "helper"): 1, ("audit", "door"): 2, ("audit", "control"): 1, ("issuer", "helper"): 1, ("issuer", "door"): 1,
         ("control", "helper"): 1, ("control", "door"): 1}


def start_with_door(folder, daemons, **options):
    folder.add_door()
    d = start(folder, daemons, **options)
    wait_linked(d)
    return d


def count_log(d, pattern):
    return len(re.findall(pattern, d.log(), re.M))


def heard(d):
    """{(who, whom): how often}: greetings that came over lines."""
    found = {}
    for pair in re.findall(r"^posternd (\w+): fake: heard (\w+)$", d.log(), re.M):
        found[pair] = found.get(pair, 0) + 1
    return found


def wait_linked(d, since=None, lines=None):
    """Until a greeting has come both ways over each of these lines, after the state `since`."""
    since = since or {}
    wanted = {}
    for (a, b), count in (LINES if lines is None else lines).items():
        wanted[a, b] = since.get((a, b), 0) + count
        wanted[b, a] = since.get((b, a), 0) + count

    def is_so():
        now = heard(d)
        return all(now.get(pair, 0) >= count for pair, count in wanted.items())
    wait_until(is_so, "greetings over the lines: %r" % wanted)


def children_of(d, wanted=ROLES):
    """Its children, when there is one of each role: while one ends, the kernel's list may lack another."""
    return wait_until(lambda: (lambda found: found if sorted(found) == sorted(wanted) else None)(d.children()), "a child of each role")


def wait_refused(port):
    def is_refused():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) != 0
    wait_until(is_refused, "nobody listens on port %d any more" % port)


def wait_gone(pids):
    wait_until(lambda: not any(is_alive(p) for p in pids), "the end of old children")


def reload(d, count):
    d.signal(signal.SIGHUP)
    d.wait_ready(count)


def wait_reload_failed(d, count=1):
    d.wait_log("reload failed: a new child did not start", count)


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)
    return s


# ---- start ----

def the_issuer_starts_before_the_helper_and_both_before_ready(folder, daemons):
    log = start(folder, daemons).log()
    steps = re.findall(r"^posternd: (issuer|helper) \d+ (started|is ready)$", log, re.M)
    assert_equal(steps, [("issuer", "started"), ("issuer", "is ready"), ("helper", "started"), ("helper", "is ready")], "steps")


def audit_starts_first_and_is_told_its_file(folder, daemons):
    folder.add_door()
    d = start(folder, daemons)
    d.wait_log("^posternd audit: fake: MESSAGE writer")
    log = d.log()
    assert_equal(re.findall(r"^posternd: (\w+) \d+ started$", log, re.M), ["audit", "issuer", "door", "control", "helper"], "starts")
    told = [m for m in re.findall(r"^posternd audit: fake: MESSAGE (.*)$", log, re.M) if not m.startswith("writer")]
    assert_equal(told, ["tally descriptor=yes", "checkpoint_key descriptor=yes", "file descriptor=yes"], "messages before its writers")
    assert log.index("audit: fake: MESSAGE file ") < log.index("audit: fake: MESSAGE writer"), "a line before the file"
    assert_equal(sorted(re.findall(r"^posternd: (\w+) \d+ is ready$", log[:log.index("posternd: ready\n")], re.M)), ROLES, "ready")


def a_door_gets_listeners_files_and_policies_and_then_is_asked(folder, daemons):
    cert, key = put_key_files(folder)
    address = folder.add_door(tls_cert_file=cert, tls_key_file=key)
    d = start(folder, daemons)
    d.wait_log("door: fake: MESSAGE commit")
    steps = [m for m in re.findall(r"^posternd door: fake: MESSAGE (.*)$", d.log(), re.M) if not re.match("audit|issuer|control", m)]
    assert_equal(steps, ["tally descriptor=yes", "rates descriptor=yes", "abandon descriptor=no", "args_key descriptor=yes",
                         "listener door=cache address=%s loop=0 descriptor=yes" % address,
                         "listener door=cache address=%s loop=1 descriptor=yes" % address,
                         "file door=cache key=tls_cert_file descriptor=yes", "file door=cache key=tls_key_file descriptor=yes",
                         "policy name=all descriptor=yes", "prepare loops=2 descriptor=yes", "commit descriptor=no"], "messages")


def put_key_files(folder):
    paths = []
    for name, mode in (("cert.pem", 0o644), ("key.pem", 0o600)):
        path = folder.path + "/" + name
        with open(path, "w") as f:
            f.write("PEM")
        os.chmod(path, mode)
        paths.append(path)
    return paths


def a_door_s_files_that_others_could_change_or_read_are_refused(folder, daemons):
    cert, key = put_key_files(folder)
    folder.add_door(tls_cert_file=cert, tls_key_file=key)
    line = {"tls_cert_file": 6, "tls_key_file": 7}
    for path, name, spoil, mend, want in (
            (key, "tls_key_file", lambda: os.chmod(key, 0o604), lambda: os.chmod(key, 0o640), "can be read by everybody"),
            (key, "tls_key_file", lambda: os.chmod(key, 0o620), lambda: os.chmod(key, 0o600), "can be written by others"),
            (key, "tls_key_file", lambda: os.chown(key, OTHER_UID, 0), lambda: os.chown(key, 0, 0), "belongs neither to root"),
            (cert, "tls_cert_file", lambda: os.chmod(cert, 0o666), lambda: os.chmod(cert, 0o644), "can be written by others"),
            (cert, "tls_cert_file", lambda: os.chown(cert, OTHER_UID, 0), lambda: os.chown(cert, 0, 0), "belongs neither to root"),
            (key, "tls_key_file", lambda: os.rename(key, key + ".away"), lambda: os.rename(key + ".away", key), "No such file"),
            (cert, "tls_cert_file", lambda: (os.rename(cert, cert + ".away"), os.mkdir(cert)),
             lambda: (os.rmdir(cert), os.rename(cert + ".away", cert)), "is no regular file")):
        spoil()
        pattern = r"doors/cache\.conf:%d: %s.* %s" % (line[name], re.escape(path), want)
        r = run_fake("--check", "--config", folder.path + "/etc")
        assert_equal(r.returncode, 78, want)
        assert re.search(pattern, r.stderr), "%s\nin: %s" % (pattern, r.stderr)
        assert_refused(folder, daemons, pattern)
        mend()
    r = run_fake("--check", "--config", folder.path + "/etc")
    assert_equal(r.returncode, 0, r.stderr)
    assert_equal(start(folder, daemons).stop(), 0, "exit status")


def lines_of_each_pair_arrive_at_both_ends(folder, daemons):
    d = start_with_door(folder, daemons)
    got = heard(d)
    for (a, b), count in LINES.items():
        assert_equal((got.get((a, b)), got.get((b, a))), (count, count), "%s - %s" % (a, b))
    assert_equal(len(got), 2 * len(LINES), "pairs that talk")
    log = d.log()
    assert_equal(sorted(re.findall("audit: fake: MESSAGE writer role=(\\w+) descriptor=yes", log)), ["control", "door", "door", "helper"], "writers")
    assert_equal(sorted(re.findall(r"door: fake: MESSAGE audit loop=(\d) descriptor=yes", log)), ["0", "1"], "loops")


def the_five_users_are_distinct(folder, daemons):
    folder.add_door()
    for one, other in itertools.combinations(ROLES, 2):
        folder.set(**{one + "_user": str(UIDS[other])})
        assert_refused(folder, daemons, "(%s_user and %s_user|%s_user and %s_user) are one user; give each role its own"
                       % (one, other, other, one))
        folder.set(**{one + "_user": str(UIDS[one])})
    folder.remove_door()
    folder.set(door_user=str(HELPER_UID))  # a role that does not run needs no user
    assert_equal(start(folder, daemons).stop(), 0, "exit status")


def the_start_log_names_users_sockets_and_files(folder, daemons):
    log = start(folder, daemons).log()
    for line in ("helper runs as 64801 (uid 64801, gid 64801)", "issuer runs as 64802 (uid 64802, gid 64802)",
                 "helper answers at %s/run/helper.sock" % folder.path, "issuer listens on 127.0.0.1:%d" % folder.port,
                 "issuer is administered at %s/run/issuer-admin.sock" % folder.path,
                 "audit records go to %s/log/audit.jsonl" % folder.path):
        assert "posternd: " + line + "\n" in log, line


def each_child_has_its_own_user_and_nothing_else(folder, daemons):
    d = start_with_door(folder, daemons)
    for role, uid in UIDS.items():
        pid = d.child(role)
        st = status_of(pid)
        assert_equal(st["Uid"].split(), [str(uid)] * 4, "uids of " + role)
        assert_equal(st["Gid"].split(), [str(uid)] * 4, "gids of " + role)
        assert_equal(st["Groups"].strip(), "", "groups of " + role)
        assert_equal(st["NoNewPrivs"], "1", "no_new_privs of " + role)
        assert_equal(st["CapEff"], "0" * 16, "capabilities of " + role)
        assert_equal(st["CapPrm"], "0" * 16, "capabilities of " + role)
        assert_equal(st["Umask"], "0077", "umask of " + role)
        assert_equal(os.readlink("/proc/%d/cwd" % pid), "/", "folder of " + role)
        assert_equal(os.stat("/proc/%d/mem" % pid).st_uid, 0, "dumpable " + role)
        with open("/proc/%d/limits" % pid) as f:
            core = [line for line in f if line.startswith("Max core file size")][0]
        assert_equal(core.split()[4:6], ["0", "0"], "core limit of " + role)


def each_child_has_its_own_descriptors_only(folder, daemons):
    d = start_with_door(folder, daemons)

    def kinds():
        found = {}
        for role in ROLES:
            links = descriptors_of(d.child(role))
            assert_equal(links[0], "/dev/null", "standard input of " + role)
            found[role] = sorted(re.sub(r":\[\d+\]", "", link) for fd, link in links.items() if fd > 2)
        return found
    # each: supervisor and its lines; helper: listener; issuer: store, HTTP, administration; control: socket, folder of blocks.
    # The fake closes what comes by message, when it has read it; that is asserted by the messages.
    want = {"audit": ["socket"] * 5, "door": ["socket"] * 5, "helper": ["socket"] * 5,
            "issuer": sorted([folder.path + "/state/issuer"] + ["socket"] * 5),
            "control": sorted([folder.path + "/state/control"] + ["socket"] * 5)}
    wait_until(lambda: kinds() == want, "descriptors: %r" % want)
    folder.set(status_listen="127.0.0.1:%d" % free_port())
    reload(d, 2)
    wait_until(lambda: len([link for fd, link in descriptors_of(d.child("control")).items() if fd > 2
                            and link.startswith("socket:")]) == 6, "the status listener in control")


def files_have_their_owners_and_modes(folder, daemons):
    start(folder, daemons)
    for name, uid, mode in (("run", 0, 0o755), ("run/helper.sock", 0, 0o666), ("run/issuer-admin.sock", 0, 0o666),
                            ("run/jwks.json", 0, 0o644), ("log", 0, 0o750), ("log/audit.jsonl", 0, 0o640),
                            ("run/control.sock", 0, 0o666), ("state", 0, 0o755), ("state/issuer", ISSUER_UID, 0o700),
                            ("state/control", CONTROL_UID, 0o700)):
        st = os.stat(folder.path + "/" + name)
        assert_equal((st.st_uid, oct(stat.S_IMODE(st.st_mode))), (uid, oct(mode)), name)


def nothing_listens_beyond_loopback(folder, daemons):
    d = start(folder, daemons)
    inodes = {re.search(r"\d+", link).group() for pid in list(d.children().values()) + [d.process.pid]
              for link in descriptors_of(pid).values() if link.startswith("socket:")}
    seen = 0
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with open("/proc/net/" + table) as f:
            for line in f.readlines()[1:]:
                fields = line.split()
                if fields[9] in inodes:
                    seen += 1
                    assert fields[1].startswith("0100007F:"), line
    assert_equal(seen, 1, "internet sockets")


def a_public_address_is_a_start_error(folder, daemons):
    for address in ("0.0.0.0:8414", "[::]:8414", "192.0.2.1:8414"):
        folder.set(listen=address)
        assert_refused(folder, daemons, "not loopback")
    assert not os.path.exists(folder.path + "/run"), "something was made before the refusal"


def a_missing_user_is_a_start_error_that_says_what_to_do(folder, daemons):
    folder.set(helper_user="no-such-user-here")
    assert_refused(folder, daemons, "helper_user: there is no user .*useradd")
    folder.set(helper_user="root")
    assert_refused(folder, daemons, "never runs as root")
    folder.set(helper_user=str(ISSUER_UID))
    assert_refused(folder, daemons, "give each role its own")


def a_folder_that_others_can_write_is_a_start_error(folder, daemons):
    os.mkdir(folder.path + "/run")
    os.chmod(folder.path + "/run", 0o777)
    assert_refused(folder, daemons, "can be written by others: chmod go-w")
    os.chmod(folder.path + "/run", 0o755)
    os.chown(folder.path + "/run", OTHER_UID, OTHER_UID)
    assert_refused(folder, daemons, "must belong to root")


def a_state_folder_of_another_user_is_a_start_error(folder, daemons):
    os.makedirs(folder.path + "/state/issuer", 0o700)
    assert_refused(folder, daemons, "state_dir: .* belongs to uid 0: chown")
    os.chown(folder.path + "/state/issuer", ISSUER_UID, ISSUER_UID)
    os.chmod(folder.path + "/state/issuer", 0o755)
    assert_refused(folder, daemons, "state_dir: .* is open to others")


def a_folder_of_blocks_that_root_owns_is_taken_as_it_is(folder, daemons):
    os.makedirs(folder.path + "/state/control", 0o755)
    os.chmod(folder.path + "/state/control", 0o555)
    d = start(folder, daemons)
    st = os.stat(folder.path + "/state/control")
    assert_equal((st.st_uid, stat.S_IMODE(st.st_mode)), (0, 0o555), "owner and mode")
    assert folder.path + "/state/control" in descriptors_of(d.child("control")).values()
    assert_equal(d.stop(), 0, "exit status")


def a_folder_of_blocks_that_others_own_or_write_is_a_start_error(folder, daemons):
    path = folder.path + "/state/control"
    os.makedirs(path, 0o700)
    os.chown(path, OTHER_UID, OTHER_UID)
    assert_refused(folder, daemons, "blocks_file: .* belongs to uid %d: chown" % OTHER_UID)
    os.chown(path, CONTROL_UID, CONTROL_UID)
    for mode in (0o770, 0o702):
        os.chmod(path, mode)
        assert_refused(folder, daemons, "blocks_file: .* can be written by others: chmod go-w")
    os.rmdir(path)
    os.symlink("/tmp", path)
    assert_refused(folder, daemons, "blocks_file: ")
    os.unlink(path)
    os.mkdir(path, 0o700)
    os.chown(path, CONTROL_UID, CONTROL_UID)
    assert_equal(start(folder, daemons).stop(), 0, "exit status")


def a_link_that_a_service_may_change_leads_no_socket_elsewhere(folder, daemons):
    spool, elsewhere = folder.path + "/chroot/spool", folder.path + "/elsewhere"
    os.makedirs(spool)
    os.mkdir(elsewhere)
    os.symlink(elsewhere, spool + "/run")
    folder.set(helper_socket=folder.path + "/run/helper.sock " + spool + "/run/postern/helper.sock")
    assert_equal(start(folder, daemons).stop(), 0, "exit status where all are root's")
    assert_equal(os.listdir(elsewhere), ["postern"], "what was made behind the link")
    os.unlink(elsewhere + "/postern/helper.sock")
    os.rmdir(elsewhere + "/postern")
    os.chown(spool, OTHER_UID, OTHER_UID)
    assert_refused(folder, daemons, "socket .*/spool/run/postern/helper.sock: .*/spool belongs to uid %d" % OTHER_UID)
    assert_equal(os.listdir(elsewhere), [], "what was made behind the link")


def a_file_in_the_socket_s_place_is_not_removed(folder, daemons):
    os.mkdir(folder.path + "/run")
    with open(folder.path + "/run/helper.sock", "w") as f:
        f.write("precious")
    assert_refused(folder, daemons, "is no socket")
    assert_equal(open(folder.path + "/run/helper.sock").read(), "precious", "the file")


def a_child_that_cannot_start_stops_the_start(folder, daemons):
    folder.order("helper", "exit")
    assert_refused(folder, daemons, r"helper \d+ exited with status 3\n(.*\n)*posternd: start failed", status=1)
    os.unlink(folder.path + "/run/jwks.json")
    folder.order("helper", "ok")
    folder.order("issuer", "private")
    assert_refused(folder, daemons, "private member \"d\"", status=1)
    assert not os.path.exists(folder.path + "/run/jwks.json"), "a private key was written"


def the_capabilities_of_the_unit_file_are_enough(folder, daemons):
    d = start_with_door(folder, daemons, prefix=["setpriv", "--no-new-privs", "--bounding-set",
                                      "-all,+setuid,+setgid,+chown,+dac_override,+kill,+net_bind_service"])
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    os.kill(d.child("helper"), signal.SIGKILL)
    d.wait_log(r"helper \d+ is ready", 3)
    assert_equal(d.stop(), 0, "exit status")


def without_root_all_roles_share_a_user_and_the_log_says_so(folder, daemons):
    os.chown(folder.path, OTHER_UID, OTHER_UID)
    folder.add_door()
    d = start(folder, daemons, prefix=["setpriv", "--reuid", str(OTHER_UID), "--regid", str(OTHER_UID), "--clear-groups"])
    assert "all roles share uid 64803" in d.log()
    children_of(d)
    for role in ROLES:
        st = status_of(d.child(role))
        assert_equal(st["Uid"].split(), [str(OTHER_UID)] * 4, "uids of " + role)
        assert_equal(st["NoNewPrivs"], "1", "no_new_privs of " + role)
        assert_equal(os.stat("/proc/%d/mem" % d.child(role)).st_uid, 0, "dumpable " + role)
    assert_equal(d.stop(), 0, "exit status")


# ---- life ----

def a_killed_child_is_started_again_and_linked_again(folder, daemons):
    d = start_with_door(folder, daemons)
    for role in ROLES:
        before, greetings = children_of(d), heard(d)
        os.kill(before[role], signal.SIGKILL)
        d.wait_log(r"posternd: %s \d+ is ready" % role, 2)
        wait_linked(d, greetings, {pair: count for pair, count in LINES.items() if role in pair})
        after = children_of(d)
        assert after[role] != before[role], role
        assert_equal({r: p for r, p in after.items() if r != role}, {r: p for r, p in before.items() if r != role},
                     "the others after the death of " + role)
        assert re.search(r"%s %d died of signal 9 \(Killed\)" % (role, before[role]), d.log())
        assert "%s starts again in 100 ms" % role in d.log()
    assert_equal(count_log(d, "audit: fake: MESSAGE file"), 2, "files to audit")
    assert_equal(count_log(d, "door: fake: MESSAGE commit"), 2, "commits")
    assert "starts again in 200 ms" not in d.log()


def a_child_that_keeps_dying_is_started_less_and_less_often(folder, daemons):
    d = start_with_door(folder, daemons)
    before = children_of(d)
    folder.order("control", "exit")
    os.kill(d.child("control"), signal.SIGKILL)
    d.wait_log("control starts again in 800 ms")
    assert_equal(re.findall(r"control starts again in (\d+) ms", d.log())[:4], ["100", "200", "400", "800"], "backoff")
    folder.order("control", "ok")
    d.wait_log(r"control \d+ is ready", 2)
    after = children_of(d)
    assert_equal([r for r in ROLES if after[r] != before[r]], ["control"], "replaced")


def a_child_that_breaks_the_rules_is_killed(folder, daemons):
    folder.add_door()
    for role, word, why in (("helper", "garbage", "sent what is no message"), ("helper", "steal", "not its to send"),
                            ("control", "steal", "not its to send"), ("audit", "steal", "not its to send"),
                            ("door", "steal", "not its to send"), ("door", "key", "sent what is no certificate"),
                            ("door", "unready", "cannot use its configuration"), ("door", "twice", "answers what it was not asked"),
                            ("door", "committed", "confirms what it was not told"),
                            ("audit", "garbage", "sent what is no message"),
                            ("issuer", "early", "ready before its key set"), ("issuer", "private", "cannot be used")):
        for r in ROLES:
            folder.order(r, "ok")
        d = start(folder, daemons)
        with open(folder.path + "/run/jwks.json") as f:
            keys = f.read()
        folder.order(role, word)
        os.kill(d.child(role), signal.SIGKILL)
        d.wait_log(why)
        d.wait_log(r"%s \d+ died of signal 9" % role, 2)
        folder.order(role, "ok")
        d.wait_log(r"%s \d+ is ready" % role, 2)
        assert_equal(open(folder.path + "/run/jwks.json").read(), keys, "the key set after " + word)
        assert not os.path.exists(folder.path + "/run/door-cert.pem"), "a certificate after " + word
        d.stop()


def a_child_that_closes_its_channel_is_replaced(folder, daemons):
    folder.set(drain_timeout="1s")
    d = start(folder, daemons)
    folder.order("helper", "close")
    os.kill(d.child("helper"), signal.SIGKILL)
    d.wait_log("helper .* closed its channel and stays")
    folder.order("helper", "ok")
    d.wait_log(r"helper \d+ is ready", 2)


def a_broken_line_between_the_roles_is_made_anew_once_a_second(folder, daemons):
    folder.order("helper", "link")
    folder.add_door()
    began = time.monotonic()
    d = start(folder, daemons)
    # helper and issuer are linked at the start, and once more for the five messages; never more often in its first two seconds
    d.wait_log("helper: fake: heard issuer", 2)
    d.wait_log("helper: fake: heard control", 2)
    d.wait_log("helper: fake: heard audit", 2)
    folder.order("helper", "ok")
    reload(d, 2)
    late_s = max(0, time.monotonic() - began - 2)
    assert count_log(d, "helper: fake: MESSAGE issuer") <= 5 + late_s, "linked at each message"
    d.wait_log("door: fake: MESSAGE control", 2)
    assert_equal(count_log(d, "door: fake: MESSAGE control"), 2, "lines of others")  # at the start and at the reload


def a_dead_end_that_asked_for_lines_costs_no_work(folder, daemons):
    """It asked for lines that are granted once a second, and ended before: nothing is due for a process that is none."""
    folder.order("helper", "link")
    d = start(folder, daemons)
    folder.order("helper", "exit")
    d.wait_log("helper: fake: heard issuer")
    os.kill(d.child("helper"), signal.SIGKILL)
    d.wait_log("helper starts again in 1600 ms")
    before = sum(map(int, status_times(d.process.pid)))
    folder.order("helper", "ok")
    d.wait_log(r"helper \d+ is ready", 2)
    spent_ms = (sum(map(int, status_times(d.process.pid))) - before) * 1000 // os.sysconf("SC_CLK_TCK")
    assert spent_ms < 500, "the supervisor worked for %d ms of 1600" % spent_ms


def status_times(pid):
    """User and system time of a process, in ticks."""
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rsplit(")", 1)[1].split()[11:13]


def children_die_with_the_supervisor(folder, daemons):
    d = start_with_door(folder, daemons)
    pids = children_of(d)
    d.process.kill()
    d.process.wait()
    wait_until(lambda: not any(is_alive(p) for p in pids.values()), "the children's end")


def the_service_manager_is_told(folder, daemons):
    path = folder.path + "/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(20)
        d = start(folder, daemons, env={"NOTIFY_SOCKET": path})
        assert_equal(s.recv(256), b"READY=1", "first")
        d.signal(signal.SIGHUP)
        assert s.recv(256).startswith(b"RELOADING=1\nMONOTONIC_USEC="), "second"
        assert_equal(s.recv(256), b"READY=1", "third")
        d.signal(signal.SIGTERM)
        assert_equal(s.recv(256), b"STOPPING=1", "last")
        d.wait_exit()


# ---- reload ----

def a_reload_replaces_the_children_and_keeps_the_sockets(folder, daemons):
    d = start_with_door(folder, daemons)
    before, greetings = children_of(d), heard(d)
    inode = os.stat(folder.path + "/run/helper.sock").st_ino
    os.rename(folder.path + "/log/audit.jsonl", folder.path + "/log/audit.jsonl.1")
    reload(d, 2)
    wait_gone(pid for role, pid in before.items() if role not in LASTING)
    assert_equal(os.stat(folder.path + "/run/helper.sock").st_ino, inode, "socket file")
    assert os.path.exists(folder.path + "/log/audit.jsonl"), "the audit file was not opened anew"
    d.wait_log("audit: fake: MESSAGE file descriptor=yes", 2)
    assert_equal(count_log(d, "audit: fake: MESSAGE file descriptor=yes"), 2, "files to audit")
    after = children_of(d)
    assert_equal(sorted(role for role in ROLES if before[role] == after[role]), sorted(LASTING), "those that stay")
    # the store is read again by the new issuer, so its lines are made once more after the old issuer's end
    wait_linked(d, greetings, {pair: 1 for pair in LINES if pair != ("audit", "door")})
    d.wait_log("helper: fake: MESSAGE issuer descriptor=yes", 3)
    d.wait_log("door: fake: MESSAGE issuer descriptor=yes", 3)
    d.wait_log("door: fake: MESSAGE control descriptor=yes", 2)
    assert_equal(heard(d)["door", "audit"], greetings["door", "audit"], "the door's lines to audit stay as they are")
    assert_equal(d.stop(), 0, "exit status")


def a_door_that_lasts_prepares_and_then_commits(folder, daemons):
    d = start_with_door(folder, daemons)
    d.wait_log("door: fake: MESSAGE commit")
    address = folder.add_door("more")
    seen = len(d.log())
    reload(d, 2)
    d.wait_log("door: fake: MESSAGE commit", 2)
    steps = [m for m in re.findall(r"^posternd door: fake: MESSAGE (.*)$", d.log()[seen:], re.M)]
    at = steps.index("prepare loops=2 descriptor=yes")
    assert "listener door=more address=%s loop=1 descriptor=yes" % address in steps[:at], steps
    assert "commit descriptor=no" in steps[at:], steps
    # issuer and control of before keep their lines to the door until the new ones serve
    assert not [m for m in steps[:at] if re.match("issuer|control", m)], steps
    wait_until(lambda: "door: fake: MESSAGE control" in d.log()[seen:], "the new control child's line")
    steps = [m for m in re.findall(r"^posternd door: fake: MESSAGE (.*)$", d.log()[seen:], re.M)]
    commit = steps.index("commit descriptor=no", at)
    assert not [m for m in steps[at:commit] if re.match("issuer|control", m)], "lines too early: %r" % steps
    with socket.create_connection(address.split(":"), 5):
        pass


def a_door_that_cannot_use_the_configuration_fails_the_reload(folder, daemons):
    d = start_with_door(folder, daemons)
    before = children_of(d)
    for n, word in enumerate(("unready", "silent", "unready"), 1):
        folder.order("door", word)
        abandons = count_log(d, "door: fake: MESSAGE abandon")
        d.signal(signal.SIGHUP)
        wait_reload_failed(d, n)
        d.wait_log("door: fake: MESSAGE abandon", abandons + 2)  # before the set, and of it
        wait_until(lambda: d.children() == before, "the old children alone")
    assert_equal(count_log(d, r"^posternd: door: fake: no good$"), 2, "the door's words")
    assert_equal(count_log(d, "door: no word on the new configuration"), 1, "silences")
    assert_equal(count_log(d, "door: fake: MESSAGE commit"), 1, "commits")
    folder.order("door", "ok")
    reload(d, 2)
    d.wait_log("door: fake: MESSAGE commit", 2)
    after = children_of(d)
    assert_equal(sorted(role for role in ROLES if before[role] == after[role]), sorted(LASTING), "those that stay")


def a_late_word_counts_for_the_question_that_it_answers(folder, daemons):
    """The door answers "unready" for a reload that was given up, after it was asked about the next one."""
    d = start_with_door(folder, daemons)
    before = children_of(d)
    folder.order("door", "silent")
    d.signal(signal.SIGHUP)
    wait_reload_failed(d)
    folder.order("door", "ok")
    reload(d, 2)
    d.wait_log("door: fake: MESSAGE commit", 2)
    assert_equal(d.child("door"), before["door"], "the door")
    assert_equal(count_log(d, "reload failed"), 1, "failures")


def a_word_that_comes_after_the_reload_failed_kills_no_door(folder, daemons):
    """The helper cannot start while the door still thinks: its "unready" comes when nobody waits for it any more."""
    d = start_with_door(folder, daemons)
    before = children_of(d)
    folder.order("door", "slow_unready")
    folder.order("helper", "exit")
    d.signal(signal.SIGHUP)
    wait_reload_failed(d)
    d.wait_log("door: fake: says unready")
    folder.order("door", "ok")
    folder.order("helper", "ok")
    reload(d, 2)
    assert_equal(d.child("door"), before["door"], "the door")


def a_door_that_dies_while_it_is_asked_fails_the_reload(folder, daemons):
    d = start_with_door(folder, daemons)
    before = children_of(d)
    folder.order("door", "die")
    d.signal(signal.SIGHUP)
    wait_reload_failed(d)
    d.wait_log("door: ended while it was asked")
    folder.order("door", "ok")
    d.wait_log(r"door \d+ is ready", 2)
    d.wait_log("door: fake: MESSAGE commit", 2)
    after = children_of(d)
    assert_equal([r for r in ROLES if after[r] != before[r]], ["door"], "replaced")
    reload(d, 2)
    d.wait_log("door: fake: MESSAGE commit", 3)


def a_door_that_dies_after_its_word_does_not_serve_by_the_old_configuration(folder, daemons):
    """Its successor was started by the configuration before; a commit would mean nothing to it."""
    d = start_with_door(folder, daemons)
    folder.order("issuer", "stall")  # the reload waits for the new issuer
    prepares = count_log(d, "door: fake: MESSAGE prepare")
    d.signal(signal.SIGHUP)
    d.wait_log("door: fake: MESSAGE prepare", prepares + 1)
    os.kill(d.child("door"), signal.SIGKILL)
    wait_reload_failed(d)
    folder.order("issuer", "ok")
    d.wait_log("door: fake: MESSAGE commit", 2)
    reload(d, 2)
    d.wait_log("door: fake: MESSAGE commit", 3)


def a_reload_mends_a_door_that_cannot_start(folder, daemons):
    d = start_with_door(folder, daemons)
    folder.order("door", "unready")
    os.kill(d.child("door"), signal.SIGKILL)
    d.wait_log("door starts again in 400 ms")
    folder.order("door", "ok")
    reload(d, 2)
    wait_until(lambda: sorted(d.children()) == ROLES, "one of each role")
    d.wait_log("door: fake: MESSAGE commit", 2)
    assert_equal(d.stop(), 0, "exit status")


def a_reload_that_removes_all_doors_drains_the_door(folder, daemons):
    address = folder.add_door()
    d = start(folder, daemons)
    wait_linked(d)
    door = d.child("door")
    folder.remove_door()
    reload(d, 2)
    wait_gone([door])
    d.wait_log(r"door %d drained, exited with status 0" % door)  # the supervisor says so when it has seen its end
    wait_until(lambda: sorted(d.children()) == ["audit", "control", "helper", "issuer"], "the others")
    wait_refused(int(address.split(":")[1]))


def a_door_that_has_served_for_long_is_told_before_it_has_to_go(folder, daemons):
    """What it was told at its start is no reason to end it later."""
    folder.add_door()
    folder.order("issuer", "deaf")
    d = start(folder, daemons)
    wait_linked(d)
    door, issuer = d.child("door"), d.child("issuer")
    time.sleep(16)  # longer than it has for leaving
    folder.order("issuer", "ok")
    folder.remove_door()
    d.signal(signal.SIGHUP)
    d.wait_log("issuer: fake: MESSAGE drain")
    os.kill(issuer, signal.SIGKILL)
    d.wait_ready(2)
    d.wait_log(r"door %d drained, exited with status 0" % door)
    assert_equal(count_log(d, "has not left"), 0, "children that were ended")


def a_reload_that_adds_the_first_door_starts_one(folder, daemons):
    d = start(folder, daemons)
    before = children_of(d, ["audit", "control", "helper", "issuer"])
    address = folder.add_door()
    reload(d, 2)
    wait_until(lambda: sorted(d.children()) == ROLES, "a door")
    d.wait_log("door: fake: MESSAGE commit")
    wait_linked(d, lines={pair: count for pair, count in LINES.items() if "door" in pair})
    assert_equal(d.child("audit"), before["audit"], "audit")
    with socket.create_connection(address.split(":"), 5):
        pass


def at_no_time_there_are_two_audit_children(folder, daemons):
    d = start_with_door(folder, daemons)
    folder.order("issuer", "stall")
    d.signal(signal.SIGHUP)
    d.wait_log("issuer: fake: stalls")
    os.kill(d.child("audit"), signal.SIGKILL)  # in the middle of the reload
    d.wait_log(r"audit \d+ is ready", 2)
    folder.order("issuer", "go")
    d.wait_ready(2)
    os.kill(d.child("audit"), signal.SIGKILL)
    d.signal(signal.SIGHUP)  # while it waits for its next start
    d.wait_ready(3)
    d.wait_log(r"audit \d+ is ready", 3)
    wait_until(lambda: sorted(d.children()) == ROLES, "one of each role")
    alive = 0
    for event in re.findall(r"^posternd: audit \d+ (started|died|drained|exited)", d.log(), re.M):
        alive += 1 if event == "started" else -1
        assert alive <= 1, "two audit children"
    assert_equal(alive, 1, "audit children")
    assert_equal(count_log(d, r"audit \d+ started"), 3, "starts of audit")


def a_certificate_of_the_door_is_written_for_clients(folder, daemons):
    folder.order("door", "certificate")
    start_with_door(folder, daemons)
    path = folder.path + "/run/door-cert.pem"
    wait_until(lambda: os.path.exists(path), "the certificate")
    st = os.stat(path)
    assert_equal((st.st_uid, stat.S_IMODE(st.st_mode)), (0, 0o644), "owner and mode")
    assert open(path).read().startswith("-----BEGIN CERTIFICATE-----\n")
    d = daemons[0]
    folder.set(door_cert_file=folder.path + "/run/another.pem")  # the word of the new configuration counts
    reload(d, 2)
    wait_until(lambda: os.path.exists(folder.path + "/run/another.pem"), "the certificate, where it is now")


def settled_descriptors(d):
    """{role: how many}, when they were the same for a while."""
    seen = []

    def is_settled():
        seen.append({role: len(descriptors_of(pid)) for role, pid in dict(children_of(d), supervisor=d.process.pid).items()})
        return len(seen) >= 8 and all(s == seen[-1] for s in seen[-8:])
    wait_until(is_settled, "as many descriptors for a while")
    return seen[-1]


def fifty_reloads_cost_no_descriptor(folder, daemons):
    folder.add_door()
    d = start(folder, daemons)
    wait_linked(d)
    n, counts, memory = 1, [], []
    for round_ in range(3):
        for _ in range(2 if round_ == 0 else 24):
            n += 1
            reload(d, n)
        wait_until(lambda: sorted(d.children()) == ROLES and
                   count_log(d, r"\d+ started$") - count_log(d, "drained, exited with status 0") == 5, "the old children's ends")
        wait_until(lambda: count_log(d, "line gone: writer") == 2 * n - 2, "the ends of old lines")
        counts.append(settled_descriptors(d))
        if round_ > 0:  # what is on its way to be read may be there once more
            wait_until(lambda: settled_descriptors(d) == counts[0], "as few descriptors as after the first two reloads: %r, not %r" % (
                counts[0], counts[-1]))
        memory.append(int(status_of(d.process.pid)["VmRSS"].split()[0]))
    if "address" not in os.environ.get("POSTERN_SANITIZED", ""):
        assert memory[2] - memory[1] < 512, "memory grows: %r KiB" % memory
    failed = 0
    for word in ("unready",) * 10:  # failed ones cost nothing either
        folder.order("door", word)
        failed += 1
        d.signal(signal.SIGHUP)
        wait_reload_failed(d, failed)
        wait_until(lambda: len(d.children()) == 5, "the old children alone")
    wait_until(lambda: len(descriptors_of(d.process.pid)) == counts[0]["supervisor"], "the same descriptors")
    assert_equal(d.stop(), 0, "exit status")


def a_child_s_user_cannot_become_another_s_by_a_reload(folder, daemons):
    d = start_with_door(folder, daemons)
    before = children_of(d)
    folder.set(helper_user=str(UIDS["audit"]), audit_user=str(HELPER_UID))
    d.signal(signal.SIGHUP)
    d.wait_log("reload failed, .*helper_user is the user of the audit child.*restart posternd")
    assert_equal(d.children(), before, "children")
    folder.set(helper_user=str(HELPER_UID), audit_user=str(OTHER_UID))
    reload(d, 2)
    d.wait_log("audit_user: takes effect when posternd is restarted")
    assert_equal(status_of(d.child("audit"))["Uid"].split()[0], str(UIDS["audit"]), "audit's user")


def reloads_in_a_row_leave_one_set_of_children(folder, daemons):
    d = start_with_door(folder, daemons)
    for n in range(2, 7):
        d.signal(signal.SIGHUP)
        d.wait_ready(n)
    for _ in range(5):
        d.signal(signal.SIGHUP)
    wait_until(lambda: len(re.findall(r"\d+ started$", d.log(), re.M)) == len(re.findall(r"\d+ is ready$", d.log(), re.M))
               and len(re.findall("drained, exited with status 0", d.log())) ==
               len(re.findall(r"\d+ started$", d.log(), re.M)) - 5
               and sorted(d.children()) == ROLES,  # between two of the reloads others are being born
               "the old children's ends, and one child of each role")


def a_reload_of_a_wrong_configuration_changes_nothing(folder, daemons):
    d = start(folder, daemons)
    before = d.children()
    for key, value, want in (("helper_sokcet", "/x", r"postern\.conf:\d+:\d+.*helper_socket"),
                             ("drain_timeout", "5", r"postern\.conf:\d+:\d+")):
        folder.set(**{key: value})
        count = d.log().count("reload failed")
        d.signal(signal.SIGHUP)
        wait_until(lambda: d.log().count("reload failed") > count, "the refusal")
        assert re.search("reload failed, the configuration before stays in force: .*" + want, d.log()), want
        del folder.daemon_keys[key]
    folder.set(drain_timeout="5s", listen="0.0.0.0:80")
    d.signal(signal.SIGHUP)
    d.wait_log("reload failed, .*not loopback")
    assert_equal(d.children(), before, "children")
    folder.set(listen="127.0.0.1:%d" % folder.port)
    d.signal(signal.SIGHUP)
    d.wait_ready(2)


def a_reload_whose_children_cannot_start_keeps_the_old_ones(folder, daemons):
    d = start(folder, daemons)
    before = d.children()
    folder.order("helper", "exit")
    folder.set(helper_socket=folder.path + "/run/helper.sock " + folder.path + "/run/more.sock")
    d.signal(signal.SIGHUP)
    d.wait_log("reload failed: a new child did not start")
    wait_until(lambda: d.children() == before, "the old children alone")
    wait_until(lambda: not os.path.exists(folder.path + "/run/more.sock"), "no socket file stays behind")
    connect(folder.path + "/run/helper.sock").close()


def a_reload_makes_new_sockets_and_takes_old_ones_away(folder, daemons):
    d = start(folder, daemons)
    old = folder.path + "/run/helper.sock"
    folder.set(helper_socket=folder.path + "/chroot/run/helper.sock")
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    connect(folder.path + "/chroot/run/helper.sock").close()
    wait_until(lambda: not os.path.exists(old), "the end of the old socket file")


def a_unix_door_s_socket_file_goes_with_its_door(folder, daemons):
    path = folder.path + "/run/cache.sock"
    folder.add_door(listen="unix:" + path)
    folder.add_door("other", listen="unix:%s/run/other.sock" % folder.path)
    d = start(folder, daemons)
    assert_equal(stat.S_IMODE(os.stat(path).st_mode), 0o666, "mode")
    inode = os.stat(folder.path + "/run/other.sock").st_ino
    folder.remove_door()
    reload(d, 2)
    wait_until(lambda: not os.path.exists(path), "the end of the socket file")
    assert_equal(os.stat(folder.path + "/run/other.sock").st_ino, inode, "the other's socket file")
    assert_equal(d.stop(), 0, "exit status")
    assert os.path.exists(folder.path + "/run/other.sock"), "a stop leaves it"


def a_reload_that_fails_while_it_listens_leaves_no_socket_file(folder, daemons):
    d = start_with_door(folder, daemons)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        folder.add_door("aaa", listen="unix:%s/run/new.sock" % folder.path)
        folder.add_door("zzz", listen="127.0.0.1:%d" % s.getsockname()[1])
        d.signal(signal.SIGHUP)
        d.wait_log("reload failed, .*Address already in use")
    wait_until(lambda: not os.path.exists(folder.path + "/run/new.sock"), "no socket file stays behind")
    assert stat.S_ISSOCK(os.stat(folder.path + "/run/helper.sock").st_mode)
    reload(d, 2)


def two_listeners_for_one_address_are_refused(folder, daemons):
    port = free_port()
    for one, other in (("127.0.0.1:%d" % port, "127.0.0.1:%d" % port),
                       ("unix:%s/run/x.sock" % folder.path, "unix:%s/run/x.sock" % folder.path),
                       ("[::1]:%d" % port, "[0:0:0:0:0:0:0:1]:%d" % port)):
        folder.add_door("one", listen=one)
        folder.add_door("two", listen=other)
        assert_refused(folder, daemons, r"doors/\w+\.conf:1")
    folder.remove_door("two")
    folder.add_door("one", listen="127.0.0.1:%d" % port)
    for keys in ({"status_listen": "127.0.0.1:%d" % port}, {"listen": "127.0.0.1:%d" % port}):
        folder.set(**keys)
        assert_refused(folder, daemons, "two listeners want 127.0.0.1:%d" % port)
        folder.set(status_listen="off", listen="127.0.0.1:%d" % folder.port)
    folder.add_door("one", listen="unix:%s/run/control.sock" % folder.path)
    assert_refused(folder, daemons, "two listeners want .*control.sock")
    folder.add_door("one", listen="[::1]:%d" % port)
    folder.set(status_listen="[0::1]:%d" % port)  # another spelling
    assert_refused(folder, daemons, "two listeners want ")
    assert not os.path.exists(folder.path + "/run"), "something was made before the refusal"


# ---- ready: the settings before are over ----

SWITCHES = "reloaded, the children before are draining"
BEHIND = r"%s %d has not left the settings before in time; it is killed"


def start_reload(d, count):
    d.signal(signal.SIGHUP)
    d.wait_log(SWITCHES, count)


def assert_not_ready(d, count):
    assert_equal(count_log(d, "^posternd: ready$"), count, "lines that say ready")


def stop_at_once(d):
    """Who still drains is not waited for."""
    d.signal(signal.SIGTERM)
    d.wait_log("posternd: stopping")
    d.signal(signal.SIGTERM)
    assert_equal(d.wait_exit(), 0, "exit status")


def ready_waits_for_no_child_that_has_retired(folder, daemons):
    folder.set(drain_timeout="10m")
    folder.order("helper", "linger")
    d = start_with_door(folder, daemons)
    old = d.child("helper")
    reload(d, 2)
    assert is_alive(old), "it finishes what was begun"
    assert not re.search(BEHIND % ("helper", old), d.log())
    stop_at_once(d)


def ready_is_said_when_who_does_not_leave_the_settings_before_was_ended(folder, daemons):
    folder.set(drain_timeout="10m")
    folder.order("helper", "deaf")
    d = start_with_door(folder, daemons)
    old, door = d.child("helper"), d.child("door")
    folder.order("helper", "ok")
    folder.order("door", "uncommitted")
    start_reload(d, 1)
    begin = time.monotonic()
    d.wait_log("helper: fake: MESSAGE drain")
    folder.order("door", "ok")
    d.signal(signal.SIGHUP)  # waits until that is over
    assert_not_ready(d, 1)
    d.wait_ready(2)
    waited_s = time.monotonic() - begin
    assert waited_s > 14, "after %.1f s" % waited_s
    first = d.log()[:[m.start() for m in re.finditer("^posternd: ready$", d.log(), re.M)][1]]
    for role, pid in (("helper", old), ("door", door)):
        assert re.search(BEHIND % (role, pid), first), role
        assert re.search(r"%s %d (drained, )?(died of signal 9|exited with status 0)" % (role, pid), first), role
    assert_equal(first.count("new configuration read"), 1, "reloads begun by then")
    d.wait_ready(3)
    d.wait_log("new configuration read", 2)
    assert_equal(len(re.findall("has not left", d.log())), 2, "children that were ended")
    children_of(d)
    assert_equal(d.stop(), 0, "exit status")


def nobody_is_ended_who_was_not_told_to_leave_the_settings_before(folder, daemons):
    """The issuer goes first, and holds up the others."""
    folder.set(drain_timeout="10m")
    folder.order("issuer", "deaf")
    folder.order("helper", "linger")
    d = start_with_door(folder, daemons)
    issuer, helper = d.child("issuer"), d.child("helper")
    folder.order("issuer", "ok")
    folder.order("helper", "ok")
    reload(d, 2)
    assert re.search(BEHIND % ("issuer", issuer), d.log()), "the issuer"
    assert_equal(count_log(d, "has not left"), 1, "children that were ended")
    assert is_alive(helper), "it finishes what was begun"
    stop_at_once(d)


def who_dies_meanwhile_has_left_the_settings_before(folder, daemons):
    folder.set(drain_timeout="10m")
    folder.order("helper", "deaf")
    d = start_with_door(folder, daemons)
    old = d.child("helper")
    folder.order("helper", "ok")
    folder.order("door", "uncommitted")
    start_reload(d, 1)
    d.wait_log("helper: fake: MESSAGE drain")
    d.wait_log("door: fake: MESSAGE commit", 2)
    folder.order("door", "ok")
    os.kill(old, signal.SIGKILL)
    d.wait_log(r"helper %d drained, died of signal 9" % old)
    assert_not_ready(d, 1)
    os.kill(d.child("door"), signal.SIGKILL)
    d.wait_ready(2)
    d.wait_log("door: fake: MESSAGE commit", 3)  # its successor knows the new settings only
    assert_equal(count_log(d, "has not left"), 0, "children that were ended")
    children_of(d)
    reload(d, 3)
    assert_equal(d.stop(), 0, "exit status")


def a_new_child_that_dies_meanwhile_is_started_again(folder, daemons):
    folder.set(drain_timeout="10m")
    folder.order("helper", "deaf")
    d = start_with_door(folder, daemons)
    old = d.child("helper")
    folder.order("helper", "ok")
    start_reload(d, 1)
    d.wait_log("helper: fake: MESSAGE drain")
    new = [int(p) for p in re.findall(r"helper (\d+) is ready", d.log()) if int(p) != old][0]
    os.kill(new, signal.SIGKILL)
    d.wait_log(r"helper \d+ is ready", 3)
    assert_not_ready(d, 1)
    os.kill(old, signal.SIGKILL)
    d.wait_ready(2)
    children_of(d)


def a_stop_before_ready_says_ready_no_more(folder, daemons):
    folder.order("helper", "deaf")
    folder.set(drain_timeout="1s")
    d = start_with_door(folder, daemons)
    folder.order("door", "uncommitted")
    start_reload(d, 1)
    assert_equal(d.stop(), 0, "exit status")
    assert_not_ready(d, 1)


def control_just_ends_and_does_not_say_that_it_has_retired(folder, daemons):
    folder.order("control", "linger")
    d = start_with_door(folder, daemons)
    old = d.child("control")
    folder.order("control", "ok")
    reload(d, 2)
    assert re.search(r"control %d sent a message that is not its to send; it is killed" % old, d.log())
    assert not is_alive(old), "it may answer still"
    assert_equal(d.stop(), 0, "exit status")


def a_reload_without_issuer_conf_ends_the_issuer(folder, daemons):
    d = start(folder, daemons)
    os.unlink(folder.path + "/etc/issuer.conf")
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    wait_until(lambda: sorted(d.children()) == ["audit", "control", "helper"], "the issuer's end")
    wait_refused(folder.port)


# ---- stop ----

def a_stop_leaves_the_socket_files_and_the_next_start_takes_them(folder, daemons):
    d = start(folder, daemons)
    assert_equal(d.stop(), 0, "exit status")
    assert "drained, exited with status 0" in d.log() and "posternd: stopped\n" in d.log()
    assert stat.S_ISSOCK(os.stat(folder.path + "/run/helper.sock").st_mode)
    assert_equal(sorted(os.listdir(folder.path + "/run")), ["control.sock", "helper.sock", "issuer-admin.sock", "jwks.json"], "files")
    second = start(folder, daemons)
    connect(folder.path + "/run/helper.sock").close()
    assert_equal(second.stop(), 0, "exit status")


def a_second_posternd_on_the_same_sockets_is_refused(folder, daemons):
    d = start(folder, daemons)
    assert_refused(folder, daemons, "another posternd running|somebody answers")
    connect(folder.path + "/run/helper.sock").close()
    children_of(d, ["audit", "control", "helper", "issuer"])


def a_port_that_somebody_else_holds_is_worth_another_attempt(folder, daemons):
    with socket.socket() as s:
        s.bind(("127.0.0.1", folder.port))
        s.listen()
        assert_refused(folder, daemons, "listen: .*: Address already in use", status=1)  # 78 would end systemd's attempts
    start(folder, daemons)


def a_door_s_port_that_somebody_else_holds_is_worth_another_attempt(folder, daemons):
    address = folder.add_door().split(":")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as a door of another posternd
        s.bind((address[0], int(address[1])))
        s.listen()
        assert_refused(folder, daemons, "listen: .*: Address already in use", status=1)
    d = start(folder, daemons)
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reload(d, 2)  # it takes its own over
    assert_equal(d.stop(), 0, "exit status")


def end_order(d):
    return re.findall(r"^posternd (\w+): fake: goes$", d.log(), re.M)


def audit_is_the_last_to_go(folder, daemons):
    for slow in (None, "door", "helper", "control"):
        if slow:
            folder.order(slow, "slow")
        d = start_with_door(folder, daemons)
        assert_equal(d.stop(), 0, "exit status")
        order = end_order(d)
        assert_equal((sorted(order), order[-1]), (ROLES, "audit"), "who goes, with a slow %s" % slow)
        log = d.log()
        ends = re.findall(r"^posternd: (\w+) \d+ drained, exited with status 0$", log, re.M)
        assert_equal(ends[-1], "audit", "the last end")
        last_other = max(log.index("posternd: %s %s" % (r, m)) for r, m in re.findall(r"posternd: (\w+) (\d+ drained)", log) if r != "audit")
        assert log.index("posternd audit: fake: MESSAGE drain") > last_other, "audit was told to go before others had gone"
        if slow:
            folder.order(slow, "ok")


def an_audit_child_that_dies_while_others_drain_is_started_again(folder, daemons):
    folder.set(drain_timeout="10s")
    d = start_with_door(folder, daemons)
    folder.order("door", "deaf")
    reload(d, 2)  # it reads its orders when it is asked
    d.wait_log("door: fake: MESSAGE commit", 2)
    d.signal(signal.SIGTERM)
    d.wait_log("door: fake: MESSAGE drain")
    os.kill(d.child("audit"), signal.SIGKILL)
    d.wait_log(r"audit \d+ is ready", 2)
    d.signal(signal.SIGTERM)
    assert_equal(d.wait_exit(), 0, "exit status")


def a_stop_in_the_middle_of_a_reload_ends_everybody(folder, daemons):
    d = start_with_door(folder, daemons)
    folder.order("door", "silent")
    folder.order("issuer", "stall")
    d.signal(signal.SIGHUP)
    d.wait_log("door: fake: MESSAGE prepare", 2)
    d.wait_log("issuer: fake: stalls")
    pids = list(d.children().values())
    assert_equal(d.stop(), 0, "exit status")
    assert not any(is_alive(p) for p in pids)
    assert "no word on the new" not in d.log()
    assert_equal(end_order(d)[-1], "audit", "the last to go")


# ---- sockets that a service manager made ----

def activation(addresses, pid=None):
    """Arguments for Daemon(): sockets from 3 on, as systemd passes them.  They block, as systemd's do."""
    sockets = []
    for host, port in addresses:
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, port))
        s.listen(5)
        sockets.append(s)
    # A program that puts them from 3 on and becomes posternd under the same number.
    code = ("import fcntl, os, sys\n"
            "fds = [int(x) for x in sys.argv[1].split(',')]\n"
            "high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]\n"
            "for i, fd in enumerate(high): os.dup2(fd, 3 + i, True)\n"
            "os.closerange(3 + len(fds), 4096)\n"
            "os.environ['LISTEN_PID'] = sys.argv[2] or str(os.getpid())\n"
            "os.environ['LISTEN_FDS'] = str(len(fds))\n"
            "os.execv(sys.argv[3], sys.argv[3:])\n")
    numbers = ",".join(str(s.fileno()) for s in sockets)
    return sockets, dict(prefix=[sys.executable, "-c", code, numbers, pid or ""], pass_fds=[s.fileno() for s in sockets])


def inode_of(s):
    return "socket:[%d]" % os.fstat(s.fileno()).st_ino


def sockets_of_the_service_manager_are_used(folder, daemons):
    port, status, other = free_port(), free_port(), free_port()
    folder.add_door(listen="127.0.0.1:%d [::1]:%d" % (port, other))
    folder.set(status_listen="127.0.0.1:%d" % status)
    # without SO_REUSEPORT on them: posternd could not have bound these addresses itself
    sockets, options = activation([("127.0.0.1", status), ("127.0.0.1", port), ("::1", other)])
    d = start(folder, daemons, **options)
    inodes = [inode_of(s) for s in sockets]
    for s in sockets:
        flags = fcntl.fcntl(s.fileno(), fcntl.F_GETFL)
        assert flags & os.O_NONBLOCK, "a socket that blocks: whoever loses the race for a connection waits for the next"
        s.close()
    held = list(descriptors_of(d.process.pid).values())
    assert all(inode in held for inode in inodes)
    assert inodes[0] in descriptors_of(d.child("control")).values(), "the status listener in control"
    assert_equal(count_log(d, r"door: fake: MESSAGE listener .* descriptor=yes"), 4, "two addresses on two loops")
    for n in (2, 3):
        reload(d, n)
        assert inodes[0] in descriptors_of(d.child("control")).values(), "after a reload"
    for host, p in (("127.0.0.1", port), ("127.0.0.1", status), ("::1", other)):
        socket.create_connection((host, p), 5).close()
    for role in ROLES:
        if role != "control":  # a door reads what it is given in its time
            wait_until(lambda: not set(inodes) & set(descriptors_of(d.child(role)).values()), "none is left over in " + role)
    assert_equal(d.stop(), 0, "exit status")


def sockets_for_another_process_are_left_alone(folder, daemons):
    port = free_port()
    folder.add_door(listen="127.0.0.1:%d" % port)
    sockets, options = activation([("127.0.0.1", port)], pid="1")
    assert_refused(folder, daemons, "Address already in use", status=1, **options)
    for s in sockets:
        s.close()


def a_deaf_child_is_killed_after_drain_timeout(folder, daemons):
    folder.set(drain_timeout="1s")
    folder.order("helper", "deaf")
    d = start(folder, daemons)
    assert_equal(d.stop(), 0, "exit status")
    assert re.search(r"helper \d+ did not drain within drain_timeout; it is killed", d.log())


def a_second_signal_kills_at_once(folder, daemons):
    folder.set(drain_timeout="10m")
    folder.order("helper", "deaf")
    d = start(folder, daemons)
    d.signal(signal.SIGTERM)
    d.wait_log("posternd: stopping")
    d.signal(signal.SIGINT)
    assert_equal(d.wait_exit(), 0, "exit status")


def children_ignore_the_terminal_s_signals(folder, daemons):
    d = start(folder, daemons)
    before = d.children()
    for pid in before.values():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    assert "died of signal" not in d.log()


# ---- the command line ----

def run_fake(*arguments):
    return subprocess.run([FAKE] + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, FAKE_ORDERS="/"), universal_newlines=True, timeout=60)


def check_says_good_or_what_is_wrong_and_touches_nothing(folder, daemons):
    del daemons
    r = run_fake("--check", "--config", folder.path + "/etc")
    assert_equal(r.returncode, 0, r.stderr)
    for key, value, want in (("helper_sokcet", "/x", r"postern\.conf:\d+:\d+"), ("listen", "0.0.0.0:80", "not loopback"),
                             ("helper_user", "no-such-user-here", "there is no user")):
        folder.set(**{key: value})
        r = run_fake("-t", "-c", folder.path + "/etc")
        assert_equal(r.returncode, 78, key)
        assert re.search(want, r.stderr), r.stderr
        folder.daemon_keys.pop("helper_sokcet", None)
        folder.set(listen="127.0.0.1:%d" % folder.port, helper_user=str(HELPER_UID))
    assert_equal(sorted(os.listdir(folder.path)), ["etc", "orders"], "files")
    r = run_fake("-t", "-c", folder.path + "/nowhere")
    assert_equal(r.returncode, 78, "a missing folder")
    assert re.search(r"nowhere: No such file or directory; make it .*postern init.* --config", r.stderr), r.stderr
    with open(folder.path + "/file", "w"):
        pass
    r = run_fake("-t", "-c", folder.path + "/file/etc")
    assert_equal(r.returncode, 78, "a folder in a file")
    assert "postern init" not in r.stderr, r.stderr


def a_policy_that_is_not_there_is_named_with_the_line_that_wants_it(folder, daemons):
    del daemons
    folder.add_door(policy="all team")
    r = run_fake("--check", "--config", folder.path + "/etc")
    assert_equal(r.returncode, 78, r.stderr)
    assert re.search(r"doors/cache\.conf:\d+: policy: policies/team\.rules: No such file", r.stderr), r.stderr
    with open(folder.path + "/etc/policies/team.rules", "w") as f:
        f.write("alow anyone to raw:connect\n")
    r = run_fake("--check", "--config", folder.path + "/etc")
    assert "policies/team.rules:1:1: " in r.stderr and "doors/cache.conf" not in r.stderr, r.stderr
    with open(folder.path + "/etc/policies/team.rules", "w") as f:
        f.write("deny anyone to raw:connect\n")
    os.chmod(folder.path + "/etc/policies/team.rules", 0o646)
    r = run_fake("--check", "--config", folder.path + "/etc")
    assert "policies/team.rules can be written by everybody (mode 0646): chmod o-w" in r.stderr, r.stderr


def dump_config_prints_values_with_their_origin(folder, daemons):
    del daemons
    r = run_fake("--dump-config", "--config", folder.path + "/etc")
    assert_equal(r.returncode, 0, r.stderr)
    assert "helper_max_connections: 1024" in r.stdout and "default" in r.stdout
    assert "postern.conf:" in r.stdout


def a_wrong_command_line_is_a_usage_error(folder, daemons):
    del folder, daemons
    r = run_fake("--nonsense")
    assert_equal(r.returncode, 2, "unknown option")
    assert "--nonsense" in r.stderr and "posternd --help" in r.stderr, r.stderr
    assert_equal(run_fake("start").returncode, 2, "argument")
    assert_equal(run_fake("--help").returncode, 0, "help")
    assert run_fake("--version").stdout.startswith("posternd ")


TESTS = [f for name, f in list(globals().items())
         if callable(f) and getattr(f, "__module__", "") == "__main__" and f.__code__.co_varnames[:2] == ("folder", "daemons")
         and f.__code__.co_argcount == 2 and name not in ("start", "start_with_door")]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    sys.exit(run_tests([t for t in TESTS if not wanted or t.__name__ in wanted]))
