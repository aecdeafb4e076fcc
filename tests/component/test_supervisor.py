#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""posternd's supervisor with roles that misbehave on command (tests/support/posternd_fake.c): privileges, restarts, reload, stop."""
import os
import re
import signal
import socket
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import (Daemon, HELPER_UID, ISSUER_UID, OTHER_UID, descriptors_of, is_alive, run_tests, status_of,  # noqa: E402
                    wait_until)

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


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)
    return s


# ---- start ----

def the_issuer_starts_before_the_helper_and_both_before_ready(folder, daemons):
    log = start(folder, daemons).log()
    steps = re.findall(r"^posternd: (issuer|helper) \d+ (started|is ready)$", log, re.M)
    assert_equal(steps, [("issuer", "started"), ("issuer", "is ready"), ("helper", "started"), ("helper", "is ready")], "steps")


def the_start_log_names_users_sockets_and_files(folder, daemons):
    log = start(folder, daemons).log()
    for line in ("helper runs as 64801 (uid 64801, gid 64801)", "issuer runs as 64802 (uid 64802, gid 64802)",
                 "helper answers at %s/run/helper.sock" % folder.path, "issuer listens on 127.0.0.1:%d" % folder.port,
                 "issuer is administered at %s/run/issuer-admin.sock" % folder.path,
                 "audit records go to %s/log/audit.jsonl" % folder.path):
        assert "posternd: " + line + "\n" in log, line


def each_child_has_its_own_user_and_nothing_else(folder, daemons):
    d = start(folder, daemons)
    for role, uid in (("helper", HELPER_UID), ("issuer", ISSUER_UID)):
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
    d = start(folder, daemons)
    d.wait_log("fake: linked", 2)
    kinds = {}
    for role in ("helper", "issuer"):
        links = descriptors_of(d.child(role))
        assert_equal(links[0], "/dev/null", "standard input of " + role)
        kinds[role] = sorted(re.sub(r":\[\d+\]", "", link) for fd, link in links.items() if fd > 2)
    audit, state = folder.path + "/log/audit.jsonl", folder.path + "/state/issuer"
    # the helper: audit file, listener, supervisor, issuer; the issuer: store, HTTP, administration, supervisor, helper
    assert_equal(kinds["helper"], sorted([audit] + ["socket"] * 3), "helper")
    assert_equal(kinds["issuer"], sorted([state] + ["socket"] * 4), "issuer")


def files_have_their_owners_and_modes(folder, daemons):
    start(folder, daemons)
    for name, uid, mode in (("run", 0, 0o755), ("run/helper.sock", 0, 0o666), ("run/issuer-admin.sock", 0, 0o666),
                            ("run/jwks.json", 0, 0o644), ("log", 0, 0o750), ("log/audit.jsonl", 0, 0o640),
                            ("state", 0, 0o755), ("state/issuer", ISSUER_UID, 0o700)):
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
    d = start(folder, daemons, prefix=["setpriv", "--no-new-privs", "--bounding-set",
                                      "-all,+setuid,+setgid,+chown,+dac_override,+kill,+net_bind_service"])
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    os.kill(d.child("helper"), signal.SIGKILL)
    d.wait_log(r"helper \d+ is ready", 3)
    assert_equal(d.stop(), 0, "exit status")


def without_root_all_roles_share_a_user_and_the_log_says_so(folder, daemons):
    os.chown(folder.path, OTHER_UID, OTHER_UID)
    d = start(folder, daemons, prefix=["setpriv", "--reuid", str(OTHER_UID), "--regid", str(OTHER_UID), "--clear-groups"])
    assert "all roles share uid 64803" in d.log()
    for role in ("helper", "issuer"):
        st = status_of(d.child(role))
        assert_equal(st["Uid"].split(), [str(OTHER_UID)] * 4, "uids of " + role)
        assert_equal(st["NoNewPrivs"], "1", "no_new_privs of " + role)
        assert_equal(os.stat("/proc/%d/mem" % d.child(role)).st_uid, 0, "dumpable " + role)
    assert_equal(d.stop(), 0, "exit status")


# ---- life ----

def a_killed_child_is_started_again_and_linked_again(folder, daemons):
    d = start(folder, daemons)
    for n, role in ((2, "helper"), (2, "issuer")):
        before = d.children()
        os.kill(before[role], signal.SIGKILL)
        d.wait_log(r"posternd: %s \d+ is ready" % role, n)
        after = d.children()
        assert after[role] != before[role]
        other = "issuer" if role == "helper" else "helper"
        assert_equal(after[other], before[other], "the other child")
    assert "died of signal 9 (Killed)" in d.log()
    assert "starts again in 100 ms" in d.log()
    d.wait_log(r"helper: fake: linked, descriptor came", 3)
    d.wait_log(r"issuer: fake: linked, descriptor came", 3)


def a_child_that_breaks_the_rules_is_killed(folder, daemons):
    for role, word, why in (("helper", "garbage", "sent what is no message"), ("helper", "steal", "not its to send"),
                            ("issuer", "early", "ready before its key set"), ("issuer", "private", "cannot be used")):
        folder.order("helper", "ok")
        folder.order("issuer", "ok")
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
    d = start(folder, daemons)
    d.wait_log("issuer: fake: linked, descriptor came", 2)
    d.wait_log("helper: fake: linked, descriptor came", 2)
    d.signal(signal.SIGHUP)  # a reload takes longer than the messages that were sent at once
    d.wait_ready(2)
    assert len(re.findall("helper: fake: linked", d.log())) <= 5, "linked at each message"


def children_die_with_the_supervisor(folder, daemons):
    d = start(folder, daemons)
    pids = d.children()
    assert_equal(sorted(pids), ["helper", "issuer"], "children")
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
    d = start(folder, daemons)
    before = d.children()
    inode = os.stat(folder.path + "/run/helper.sock").st_ino
    os.rename(folder.path + "/log/audit.jsonl", folder.path + "/log/audit.jsonl.1")
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    wait_until(lambda: not any(is_alive(p) for p in before.values()), "the old children's end")
    assert_equal(os.stat(folder.path + "/run/helper.sock").st_ino, inode, "socket file")
    assert os.path.exists(folder.path + "/log/audit.jsonl"), "the audit file was not opened anew"
    assert_equal(sorted(d.children()), ["helper", "issuer"], "children")
    assert len(set(before.values()) | set(d.children().values())) == 4
    # the store is read again by the new issuer, so the new helper is linked to it once more after the old issuer's end
    d.wait_log("issuer: fake: linked", 3)
    assert_equal(d.stop(), 0, "exit status")


def reloads_in_a_row_leave_one_set_of_children(folder, daemons):
    d = start(folder, daemons)
    for n in range(2, 7):
        d.signal(signal.SIGHUP)
        d.wait_ready(n)
    for _ in range(5):
        d.signal(signal.SIGHUP)
    wait_until(lambda: len(re.findall(r"\d+ started$", d.log(), re.M)) == len(re.findall(r"\d+ is ready$", d.log(), re.M))
               and len(re.findall("drained, exited with status 0", d.log())) ==
               len(re.findall(r"\d+ started$", d.log(), re.M)) - 2, "the old children's ends")
    assert_equal(sorted(d.children()), ["helper", "issuer"], "children")


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
    wait_until(lambda: len(d.children()) == 2 and d.children() == before, "the old children alone")
    assert not os.path.exists(folder.path + "/run/more.sock"), "a socket file stayed behind"
    connect(folder.path + "/run/helper.sock").close()


def a_reload_makes_new_sockets_and_takes_old_ones_away(folder, daemons):
    d = start(folder, daemons)
    old = folder.path + "/run/helper.sock"
    folder.set(helper_socket=folder.path + "/chroot/run/helper.sock")
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    connect(folder.path + "/chroot/run/helper.sock").close()
    wait_until(lambda: not os.path.exists(old), "the end of the old socket file")


def a_reload_without_issuer_conf_ends_the_issuer(folder, daemons):
    d = start(folder, daemons)
    os.unlink(folder.path + "/etc/issuer.conf")
    d.signal(signal.SIGHUP)
    d.wait_ready(2)
    wait_until(lambda: list(d.children()) == ["helper"], "the helper alone")
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", folder.port)) != 0, "somebody listens on the issuer's port"


# ---- stop ----

def a_stop_leaves_the_socket_files_and_the_next_start_takes_them(folder, daemons):
    d = start(folder, daemons)
    assert_equal(d.stop(), 0, "exit status")
    assert "drained, exited with status 0" in d.log() and "posternd: stopped\n" in d.log()
    assert stat.S_ISSOCK(os.stat(folder.path + "/run/helper.sock").st_mode)
    assert_equal(sorted(os.listdir(folder.path + "/run")), ["helper.sock", "issuer-admin.sock", "jwks.json"], "files")
    second = start(folder, daemons)
    connect(folder.path + "/run/helper.sock").close()
    assert_equal(second.stop(), 0, "exit status")


def a_second_posternd_on_the_same_sockets_is_refused(folder, daemons):
    d = start(folder, daemons)
    assert_refused(folder, daemons, "another posternd running|somebody answers")
    connect(folder.path + "/run/helper.sock").close()
    assert_equal(sorted(d.children()), ["helper", "issuer"], "children of the first")


def a_port_that_somebody_else_holds_is_worth_another_attempt(folder, daemons):
    with socket.socket() as s:
        s.bind(("127.0.0.1", folder.port))
        s.listen()
        assert_refused(folder, daemons, "listen: .*: Address already in use", status=1)  # 78 would end systemd's attempts
    start(folder, daemons)


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
                          env=dict(os.environ, FAKE_ORDERS="/"), universal_newlines=True, timeout=20)


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
    assert_equal(run_fake("-t", "-c", folder.path + "/nowhere").returncode, 78, "a missing folder")


def dump_config_prints_values_with_their_origin(folder, daemons):
    del daemons
    r = run_fake("--dump-config", "--config", folder.path + "/etc")
    assert_equal(r.returncode, 0, r.stderr)
    assert "helper_max_connections: 1024" in r.stdout and "default" in r.stdout
    assert "postern.conf:" in r.stdout


def a_wrong_command_line_is_a_usage_error(folder, daemons):
    del folder, daemons
    assert_equal(run_fake("--nonsense").returncode, 2, "unknown option")
    assert_equal(run_fake("start").returncode, 2, "argument")
    assert_equal(run_fake("--help").returncode, 0, "help")
    assert run_fake("--version").stdout.startswith("posternd ")


TESTS = [f for name, f in list(globals().items())
         if callable(f) and getattr(f, "__module__", "") == "__main__" and f.__code__.co_varnames[:2] == ("folder", "daemons")
         and f.__code__.co_argcount == 2 and name != "start"]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    sys.exit(run_tests([t for t in TESTS if not wanted or t.__name__ in wanted]))
