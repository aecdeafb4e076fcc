#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`postern doctor` beside a real posternd, with our plugin in a folder of slapd's kind, really loaded by libsasl: first all is well, then each
thing that it can tell is made to go wrong, and it must say so, and what to do.  TAP output; needs root."""
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from email.utils import formatdate

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + "/../support"]
from daemon import Daemon, OTHER_UID, free_port, run_tests, wait_until  # noqa: E402
from issuer_keys import Authority, Key  # noqa: E402
from misbehaving_issuer import KEYS, METADATA, Issuer, http as answer  # noqa: E402

BUILD = os.environ["POSTERN_BUILD"]
POSTERND, POSTERN, TOKEN_TOOL = BUILD + "/posternd", BUILD + "/postern", BUILD + "/tests/support/token_tool"
ISSUER, AUDIENCE, HOST_UID = "https://sso.test.example", "https://localhost/ldap", OTHER_UID


def built(*names):
    return next(p for n in names for p in (BUILD + "/.libs/" + n, BUILD + "/%s/.libs/" % names[-1] + n) if os.path.exists(p))


PLUGIN, MODULE = built("liboauthbearer.so", "sasl-plugin"), built("pam_postern.so", "pam-module")


class Rig:
    """posternd that trusts a test issuer for ldap; the host's user is nobody whom root's rights help."""

    def __init__(self, folder, daemons, start=True):
        self.folder, self.path, self.daemons = folder, folder.path, daemons
        self.key, self.jwks = folder.path + "/issuer.pem", folder.path + "/test-jwks.json"
        with open(self.key, "w") as f:
            subprocess.run([TOKEN_TOOL, "key"], stdout=f, check=True)
        with open(self.jwks, "w") as f:
            subprocess.run([TOKEN_TOOL, "jwks", self.key], stdout=f, check=True)
        self.issuer(issuer=ISSUER, jwks_file=self.jwks)
        self.service()
        os.makedirs(self.path + "/plug")
        os.makedirs(self.path + "/sasl")
        shutil.copy(PLUGIN, self.path + "/plug/liboauthbearer.so")
        self.conf("OAUTHBEARER")
        if start:
            self.start()

    def issuer(self, **keys):
        self.folder.write("issuers/test.conf", dict({"clock_skew": "5s"}, **keys))

    def service(self, name="ldap", **more):
        self.folder.write("services/%s.conf" % name, dict({"audience": "https://localhost/" + name, "issuers": "test",
                                                           "helper_peers": str(HOST_UID), "username_chars": "a-z0-9._@-"}, **more))

    def conf(self, mechs, name="slapd.conf", prefix=""):
        with open(self.path + "/sasl/" + name, "w") as f:
            f.write("%smech_list: %s\n%spostern_helper_socket: %s/run/helper.sock\n" % (prefix, mechs, prefix, self.path))

    def start(self):
        self.daemon = Daemon(POSTERND, self.folder)
        self.daemons.append(self.daemon)
        self.daemon.wait_ready()

    def token(self, **more):
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": "alice", "client_id": "agent-7", "aud": AUDIENCE, "iat": now, "exp": now + 300,
                  "jti": os.urandom(6).hex()}
        claims.update(more)
        return subprocess.run([TOKEN_TOOL, "sign", self.key, "at+jwt"], input=json.dumps(claims).encode(), stdout=subprocess.PIPE,
                              check=True).stdout.decode().strip()

    def doctor(self, *words, service="ldap", token=None, text=False, module_dir="plug", conf_dir="sasl", env=None):
        """(exit status, {check: [(state, what, advice)]}); text: what is printed for people."""
        command = [POSTERN, "doctor"] + ([service] if service else []) + ["--config", self.path + "/etc"]
        if module_dir:
            command += ["--module-dir", self.path + "/" + module_dir]
        if conf_dir:
            command += ["--conf-dir", self.path + "/" + conf_dir]
        done = subprocess.run(command + ([] if text else ["--json"]) + list(words), input=token or "", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, env=dict(os.environ, **(env or {})), timeout=60)
        assert not done.stderr, done.stderr
        if token:
            for piece in token.split("."):
                assert piece not in done.stdout, "the token is printed"
        if text:
            return done.returncode, done.stdout
        said, found = json.loads(done.stdout), {}
        for row in said["checks"]:
            found.setdefault(row["check"], []).append((row["state"], row["what"], row.get("advice", "")))
        problems = [r for r in said["checks"] if r["state"] == "problem"]
        assert said["ok"] == (not problems) and said["problems"] == len(problems), said
        assert done.returncode == (1 if problems else 0), (done.returncode, said)
        assert all(r.get("advice") for r in problems if r["check"] != "configuration"), problems
        return done.returncode, found


def expect(found, check, state, *pieces):
    rows = found.get(check, [])
    assert any(s == state and all(p in what + " " + advice for p in pieces) for s, what, advice in rows), (check, state, pieces, found)


def none_but(found, *checks):
    """Nothing else is a problem."""
    others = {c: r for c, r in found.items() if c not in checks and any(s == "problem" for s, _, _ in r)}
    assert not others, others


def test_all_is_well(folder, daemons):
    rig = Rig(folder, daemons)
    status, found = rig.doctor()
    assert status == 0, found
    expect(found, "configuration", "ok", "posternd --check")
    expect(found, "plugin", "ok", rig.path + "/plug/liboauthbearer.so")
    expect(found, "mechanism", "ok", "OAUTHBEARER", "slapd")
    expect(found, "socket", "ok", "%s may ask" % HOST_UID)
    expect(found, "keys", "ok", "test: 1 (", rig.jwks, "written")
    assert "token" not in found, found
    status, found = rig.doctor(token=rig.token() + "\n")
    assert status == 0, found
    expect(found, "token", "ok", "logs in as alice, for agent-7")
    status, out = rig.doctor(text=True)
    assert status == 0 and "0 problems, 0 warnings" in out and "  ok       mechanism" in out, out
    # SASL_PATH as the host has it, where no folder is said; the same service without a name.
    status, found = rig.doctor(module_dir=None, service=None, env={"SASL_PATH": "/nowhere:%s/plug" % rig.path})
    assert status == 0, found
    # XOAUTH2 as well, once posternd and the host both want it.
    rig.service(mech_list="OAUTHBEARER XOAUTH2")
    status, found = rig.doctor()
    expect(found, "mechanism", "problem", "does not offer XOAUTH2", "it offers: OAUTHBEARER")
    none_but(found, "mechanism")


def test_the_plugin(folder, daemons):
    rig = Rig(folder, daemons)
    plugin = rig.path + "/plug/liboauthbearer.so"
    os.makedirs(rig.path + "/empty")
    found = rig.doctor(module_dir="empty")[1]
    expect(found, "plugin", "problem", "liboauthbearer.so is not in %s/empty" % rig.path, "Install")
    expect(found, "mechanism", "problem", "does not offer OAUTHBEARER")
    none_but(found, "plugin", "mechanism")
    os.chmod(plugin, 0o600)
    found = rig.doctor()[1]
    expect(found, "plugin", "problem", "may not read it", "chmod 644")
    os.chmod(plugin, 0o644)
    with open(plugin, "r+b") as f:  # e_machine of another architecture (SPARC)
        f.seek(18)
        f.write(b"\x02\x00")
    found = rig.doctor()[1]
    expect(found, "plugin", "problem", "liboauthbearer.so", "another machine")
    # What crashes whoever loads it takes its host along, not the doctor.
    source = rig.path + "/crash.c"
    with open(source, "w") as f:
        f.write("#include <stdlib.h>\n__attribute__((constructor)) static void die(void) { abort(); }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", plugin, source], check=True)
    found = rig.doctor()[1]
    expect(found, "plugin", "problem", "ended by signal 6")
    expect(found, "mechanism", "problem", "ended by signal 6")
    none_but(found, "plugin", "mechanism")


def test_the_hosts_sasl_file(folder, daemons):
    rig = Rig(folder, daemons)
    rig.conf("EXTERNAL SCRAM-SHA-256")
    found = rig.doctor()[1]
    expect(found, "mechanism", "problem", "slapd.conf", "mech_list")
    none_but(found, "mechanism")
    rig.conf("OAUTHBEARER")
    with open(rig.path + "/sasl/slapd.conf", "a") as f:
        f.write("postern_service: another\n")
    found = rig.doctor()[1]
    expect(found, "mechanism", "problem", "does not offer OAUTHBEARER")


def test_settings_among_the_hosts_own(folder, daemons):
    rig = Rig(folder, daemons, start=False)
    rig.service("imap", service_names="imap pop sieve")
    rig.start()
    rig.conf("PLAIN OAUTHBEARER", "imapd.conf", "sasl_")
    status, found = rig.doctor(service="imap", conf_dir="sasl/imapd.conf")
    assert status == 0, found
    expect(found, "mechanism", "ok", "Cyrus IMAP")
    rig.conf("PLAIN", "imapd.conf", "sasl_")
    found = rig.doctor(service="imap", conf_dir="sasl/imapd.conf")[1]
    expect(found, "mechanism", "problem", "imapd.conf")
    none_but(found, "mechanism")
    os.chmod(rig.path + "/sasl/imapd.conf", 0)  # what libsasl offers without its settings says nothing
    found = rig.doctor(service="imap", conf_dir="sasl/imapd.conf")[1]
    expect(found, "mechanism", "problem", "imapd.conf", "cannot be read by the host's user")
    none_but(found, "mechanism")


def test_the_socket(folder, daemons):
    rig = Rig(folder, daemons)
    found = rig.doctor("--peer", "64899")[1]
    expect(found, "socket", "problem", "64899", "helper_peers")
    none_but(found, "socket", "mechanism")
    rig.service("late")
    rig.conf("OAUTHBEARER", "late.conf")
    found = rig.doctor(service="late")[1]
    expect(found, "socket", "problem", "64803", "knows no service late", "reload it")
    os.chown(rig.path + "/run", HOST_UID, 0)
    found = rig.doctor()[1]
    expect(found, "socket", "problem", "belongs to uid %d" % HOST_UID, "must belong to root")
    none_but(found, "socket", "mechanism")
    assert rig.doctor("--helper-uid", str(HOST_UID))[1]["socket"][0][0] == "ok"
    os.chown(rig.path + "/run", 0, 0)
    os.chmod(rig.path + "/run", 0o777)
    expect(rig.doctor()[1], "socket", "problem", "writable by others")
    os.chmod(rig.path + "/run", 0o755)
    rig.service(helper_peers="nobody-here")
    found = rig.doctor()[1]
    expect(found, "socket", "problem", "nobody-here is not on this machine")
    rig.service(helper_peers="group:%d" % HOST_UID)
    rig.daemon.signal(1)
    rig.daemon.wait_ready(2)
    expect(rig.doctor()[1], "socket", "ok", "group:%d may ask" % HOST_UID)


def test_posternd_is_down(folder, daemons):
    rig = Rig(folder, daemons)
    rig.daemon.stop()
    found = rig.doctor()[1]
    expect(found, "socket", "problem", "helper.sock", "Start posternd")
    expect(found, "mechanism", "ok")  # an undecided plugin goes on offering, so that clients try again
    none_but(found, "socket")
    shutil.rmtree(rig.path + "/run")
    expect(rig.doctor()[1], "socket", "problem", "No such file", "Start posternd")
    expect(rig.doctor(token=rig.token())[1], "token", "ok")  # judged without posternd


class OffClock(http.server.BaseHTTPRequestHandler):
    off_s, keys = 0, None

    def log_message(self, *words):
        pass

    def date_time_string(self, timestamp=None):
        return formatdate(time.time() + self.off_s, usegmt=True)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(self.keys)


def test_the_issuer(folder, daemons):
    rig = Rig(folder, daemons)
    folder_ = Authority(rig.path)
    server = Issuer(folder_, keys=[Key(rig.path, "k-1")])
    rig.issuer(issuer=server.url, tls_ca_file=folder_.file)
    found = rig.doctor()[1]
    expect(found, "keys", "ok", "test: 1 (ES256)", "fetched just now")
    server.behave(KEYS, answer({"keys": []}), times=1)
    found = rig.doctor()[1]
    expect(found, "keys", "problem", "holds no key that can be used, of 0", "must publish")
    server.behave(METADATA, answer({"issuer": server.url + "/", "jwks_uri": server.url + "/keys"}), times=1)
    expect(rig.doctor()[1], "keys", "problem", "is of issuer")
    server.behave(KEYS, answer(status=503), times=1)
    expect(rig.doctor()[1], "keys", "problem", "cannot be reached")
    rig.issuer(issuer=server.url)
    expect(rig.doctor()[1], "keys", "problem", "certificate")
    server.stop()
    rig.issuer(issuer=server.url, tls_ca_file=folder_.file)
    found = rig.doctor()[1]
    expect(found, "keys", "problem", "cannot be reached")
    none_but(found, "keys")


def test_the_clock(folder, daemons):
    rig = Rig(folder, daemons)
    port = free_port()
    with open(rig.jwks, "rb") as f:
        OffClock.keys = f.read()
    server = http.server.HTTPServer(("127.0.0.1", port), OffClock)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rig.issuer(issuer="http://127.0.0.1:%d" % port, jwks_uri="http://127.0.0.1:%d/keys" % port, allow_loopback_http="yes")
    # What the server says is as old as the machine is slow.
    wait_until(lambda: any(s == "ok" and "agree" in what for s, what, _ in rig.doctor()[1].get("clock", [])), "both clocks agree")
    OffClock.off_s = 3600
    found = rig.doctor()[1]
    expect(found, "clock", "problem", "behind that of issuer test", "allows 5 s", "timedatectl")
    none_but(found, "clock")
    OffClock.off_s = -3600
    expect(rig.doctor()[1], "clock", "problem", "ahead of that of issuer test")
    OffClock.off_s = -4
    status, found = rig.doctor()
    assert status == 0, found
    expect(found, "clock", "warning", "ahead of")
    server.shutdown()
    server.server_close()


def test_key_files(folder, daemons):
    rig = Rig(folder, daemons)
    with open(rig.jwks, "w") as f:
        f.write('{"keys":[]}')
    found = rig.doctor()[1]
    expect(found, "keys", "problem", "holds no key that can be used")
    none_but(found, "keys")
    os.unlink(rig.jwks)
    expect(rig.doctor()[1], "keys", "problem", "test-jwks.json")
    rig.service(issuers="local")  # the embedded issuer's own file, which posternd wrote
    status, found = rig.doctor()
    assert status == 0, found
    expect(found, "keys", "ok", "local: 1 (", "written")


def test_tokens(folder, daemons):
    rig = Rig(folder, daemons)
    now = int(time.time())
    cases = [({"aud": "https://localhost/imap"}, "audience", "(aud)"), ({"exp": now - 600}, "times", "(expired)"),
             ({"iss": "https://evil.example"}, "issuer", "(iss)"), ({"sub": "root"}, "user", "(user_denied)")]
    for claims, check, reason in cases:
        found = rig.doctor(token=rig.token(**claims))[1]
        expect(found, "token", "problem", '"%s"' % check, reason)
        none_but(found, "token")
    token = rig.token()
    found = rig.doctor(token=token[:-10] + "A" * 10)[1]
    expect(found, "token", "problem", '"signature"')
    expect(rig.doctor(token="no token at all")[1], "token", "problem", '"form"')
    expect(rig.doctor(token="x" * 20000)[1], "token", "problem", "more than 16384 bytes")
    rig.service(required_scopes="ldap.write")
    expect(rig.doctor(token=token)[1], "token", "problem", '"scope"', "insufficient_scope")
    os.makedirs(rig.path + "/etc/policies", exist_ok=True)
    with open(rig.path + "/etc/policies/nobody.rules", "w") as f:
        f.write("deny anyone to ldap:login\n")
    rig.service(policy="nobody")  # it would be refused, and that is not promised away
    expect(rig.doctor(token=token)[1], "token", "ok", "unless the policy refuses", "postern policy explain")


def test_doors(folder, daemons):
    rig = Rig(folder, daemons, start=False)
    os.unlink(rig.path + "/etc/services/ldap.conf")
    status, found = rig.doctor(service=None)
    assert status == 0, found
    expect(found, "file", "warning", "no service and no door", "postern init", "doors/")
    listen = folder.add_door("cache", issuers="test", required_scopes="cache.use")
    rig.start()
    status, found = rig.doctor(service=None)
    assert status == 0 and not any(s == "warning" for s, _, _ in found["file"]), found
    expect(found, "file", "ok", "doors/cache.conf, raw at %s before 127.0.0.1:9" % listen)
    expect(found, "keys", "ok", "test: 1 (")
    assert "token" not in found and "plugin" not in found and "socket" not in found, found
    good = rig.token(aud="https://localhost/cache", scope="cache.use")
    status, found = rig.doctor(service="cache", token=good)
    assert status == 0, found
    expect(found, "token", "ok", "it logs in as alice, for agent-7", "unless the policy refuses")
    for token, check in ((rig.token(scope="cache.use"), '"audience"'), (rig.token(aud="https://localhost/cache"), '"scope"')):
        status, found = rig.doctor(service="cache", token=token)
        assert status == 1, found
        expect(found, "token", "problem", check)
        none_but(found, "token")
    expect(rig.doctor(service="cash")[1], "file", "problem", "no file of services/ or doors/ answers to cash", "doors/")


def test_pam(folder, daemons):
    rig = Rig(folder, daemons, start=False)
    rig.service("sshd", require_tls="host")
    rig.start()
    os.makedirs(rig.path + "/pam.d")
    found = rig.doctor(service="sshd", conf_dir="pam.d")[1]
    expect(found, "module", "problem", "/plug/pam_postern.so is not there")
    expect(found, "pam", "problem", "no PAM service sshd")
    none_but(found, "module", "pam")
    shutil.copy(MODULE, rig.path + "/plug/pam_postern.so")
    with open(rig.path + "/pam.d/sshd", "w") as f:
        f.write("auth required pam_unix.so\n")
    found = rig.doctor(service="sshd", conf_dir="pam.d")[1]
    expect(found, "module", "ok", "and it loads")
    expect(found, "pam", "problem", "does not name pam_postern.so")
    with open(rig.path + "/pam.d/sshd", "w") as f:
        f.write("auth required pam_postern.so\n")
    status, found = rig.doctor(service="sshd", conf_dir="pam.d")
    assert status == 0, found
    rig.service("sshd")
    expect(rig.doctor(service="sshd", conf_dir="pam.d")[1], "tls", "warning", "require_tls: host")
    os.unlink(rig.path + "/pam.d/sshd")
    os.mkfifo(rig.path + "/pam.d/sshd")  # whoever may write to that folder cannot keep it waiting
    expect(rig.doctor(service="sshd", conf_dir="pam.d")[1], "pam", "problem", "does not name pam_postern.so")


def test_names_of_both_cases(folder, daemons):
    rig = Rig(folder, daemons, start=False)
    assert "case" not in rig.doctor()[1]
    for chars in ("a-zA-Z0-9._@-", "a-z0-9A"):
        rig.service(username_chars=chars)
        status, found = rig.doctor()
        expect(found, "case", "warning", "OpenLDAP slapd", "username_chars: a-z0-9._@-", "username_map_file")
    rig.service("sshd", require_tls="host", username_chars="a-zA-Z")  # which tells ALICE from alice
    assert "case" not in rig.doctor(service="sshd")[1]
    rig.service(username_chars="a-zA-Z")
    rig.issuer(issuer=ISSUER, jwks_file=rig.jwks, username_chars="a-z")  # the issuer's counts too
    assert "case" not in rig.doctor()[1]


def test_configuration(folder, daemons):
    rig = Rig(folder, daemons)
    expect(rig.doctor(service="nosuch")[1], "file", "problem", "nosuch", "postern init")
    done = subprocess.run([POSTERN, "doctor", "--json", "--config", rig.path + "/nowhere"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    rows = json.loads(done.stdout)["checks"]
    assert done.returncode == 1 and len(rows) == 1 and rows[0]["what"] == "there is no folder %s/nowhere" % rig.path, rows
    assert "postern init" in rows[0]["advice"], rows
    rig.service(audiance="x")
    status, found = rig.doctor()
    assert status == 1 and list(found) == ["configuration"], found
    expect(found, "configuration", "problem", "services/ldap.conf:5", "audience")
    rig.service()
    rig.folder.set(audit_user="no-such-user-here")
    expect(rig.doctor()[1], "configuration", "problem", "would not start", "no-such-user-here")
    for words in (["../x"], ["ldap", "more"], ["--config"], ["--modul-dir", "x"]):
        done = subprocess.run([POSTERN, "doctor"] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 2 and done.stderr, (words, done)


def test_who_is_not_root_sees_less_and_is_told(folder, daemons):
    rig = Rig(folder, daemons)

    def become():
        os.setgroups([])
        os.setgid(HOST_UID)
        os.setuid(HOST_UID)
    done = subprocess.run([POSTERN, "doctor", "ldap", "--json", "--config", rig.path + "/etc", "--module-dir", rig.path + "/plug",
                           "--conf-dir", rig.path + "/sasl"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=become,
                          universal_newlines=True)
    rows = {r["check"]: r for r in json.loads(done.stdout)["checks"]}
    assert rows["user"]["state"] == "note" and rows["socket"]["state"] == "ok" and rows["mechanism"]["state"] == "ok", rows
    # What only root may read is no fault of the configuration; what is wrong for everybody is.
    assert rows["configuration"]["state"] == "note" and "Permission denied" in rows["configuration"]["what"], rows["configuration"]
    rig.folder.set(audit_user="no-such-user-here", helper_sokcet="/x")
    done = subprocess.run([POSTERN, "doctor", "--json", "--config", rig.path + "/etc"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          preexec_fn=become, universal_newlines=True)
    rows = {r["check"]: r for r in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1 and rows["configuration"]["state"] == "problem", rows


if __name__ == "__main__":
    sys.exit(run_tests([test_all_is_well, test_the_plugin, test_the_hosts_sasl_file, test_settings_among_the_hosts_own,
                        test_the_socket, test_posternd_is_down, test_the_issuer, test_the_clock, test_key_files, test_tokens, test_doors, test_pam,
                        test_names_of_both_cases, test_configuration, test_who_is_not_root_sees_less_and_is_told]))
