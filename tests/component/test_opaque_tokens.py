#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Opaque tokens of the embedded issuer (access_token_format: opaque) in a real posternd: at the helper, at a raw door, at the packaged
sshd, whose prompt holds 1,023 bytes, and at Cyrus SASL's sample server, by our plugin and by saslauthd's protocol (slapd:
test_two_issuers.sh); what they open and what not, how they end, and what becomes of logins while the issuer child is away."""
import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import free_port  # noqa: E402
from door_rig import BUILD, IS_SANITIZED, POSTERN, assert_equal, auth_line, check, message, plain_only, run_door_tests, wait_until, with_options  # noqa: E402
from test_grants import ACCESS, EXCHANGE, form, post  # noqa: E402
from test_posternd import ask  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FORM = re.compile(r"pot_[A-Za-z0-9_-]{43}\Z")
NOBODYS = "pot_" + 43 * "A"
TOGETHER = 20
MANY = 200


class World:
    """A door and two services that want opaque tokens, one that does not, and two agents for all of them."""

    def __init__(self, rig):
        self.rig, rig.port = rig, rig.issuer_port
        rig.echo_door("cache", issuers="local", access_token_format="opaque")
        for name, wanted in (("sshd", "opaque"), ("imap", "opaque"), ("plain", None)):
            rig.write("services/%s.conf" % name, {"audience": rig.audience(name), "issuers": "local", "helper_peers": "root",
                                                  "require_tls": "host", "access_token_format": wanted})
        rig.start()
        for agent in ("agent-7", "agent-8"):
            rig.add_agent(agent, ("cache", "sshd", "imap", "plain"))

    def secret(self, agent):
        with open("%s/%s.secret" % (self.rig.path, agent)) as f:
            return f.read().strip()

    def post(self, path, agent, **more):
        status, _, body = post(self.rig, path, form(agent, self.secret(agent), **more))
        return status, json.loads(body or b"{}")

    def keep(self, answer):
        status, members = answer
        assert_equal(status, 200, members)
        token = members["access_token"]
        self.rig.secrets.append(token if FORM.match(token) else token.split(".")[2])
        # what finds it in the store is nobody's business either
        digest = hashlib.sha256(token.encode())
        self.rig.secrets += [digest.hexdigest(), base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")]
        return token

    def token(self, service, agent="agent-7"):
        return self.keep(self.post("/oauth/token", agent, grant_type="client_credentials", resource=self.rig.audience(service)))

    def exchange(self, token, service, agent="agent-8"):
        return self.keep(self.post("/oauth/token", agent, grant_type=EXCHANGE, subject_token=token, subject_token_type=ACCESS,
                                   resource=self.rig.audience(service)))

    def revoke(self, token, agent="agent-7"):
        assert_equal(self.post("/oauth/revoke", agent, token=token)[0], 200, "status of a revocation")

    def assert_helper(self, token, service, *wanted):
        def is_decided():
            """On a busy machine the issuer's word may come too late; behind a reload the helper of before may still accept."""
            answers.append(ask(self.rig, token, service))
            return answers[-1][0] != "undecided" or wanted[0] == "undecided"
        answers = []
        wait_until(is_decided, "a verdict at " + service)
        got = answers[-1]
        assert_equal(got[:2] if got[0] != "proved" else got[:1], wanted, service)

    def change(self, sql, *values):
        with sqlite3.connect(self.rig.path + "/state/issuer/clients.db", timeout=20) as db:
            changed = db.execute(sql, values).rowcount
        db.close()
        check(changed > 0, "nothing in the store to change")

    def let_expire(self, token):
        """As if it had been issued earlier."""
        now = int(time.time())
        claims = json.loads(self.introspect(token))
        self.change("UPDATE opaque SET claims = replace(replace(claims, ?, ?), ?, ?)", '"exp":%d' % claims["exp"], '"exp":%d' % (now - 1),
                    '"iat":%d' % claims["iat"], '"iat":%d' % (now - 300))

    def introspect(self, token, agent="agent-7"):
        status, _, body = post(self.rig, "/oauth/introspect", form(agent, self.secret(agent), token=token))
        assert_equal(status, 200, body)
        return body


def _together(count, act):
    results = [None] * count

    def run(n):
        results[n] = act(n)
    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def _ask_at_one_moment(rig, tokens):
    """All are sent before the helper reads the first."""
    helper, sockets = rig.child("helper"), []
    os.kill(helper, signal.SIGSTOP)
    for n, token in enumerate(tokens):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(60)
        s.connect(rig.path + "/run/helper.sock")
        s.send(json.dumps({"v": 1, "op": "verify", "nonce": "%021dA" % n, "service": "imap", "token": token, "carrier": "sasl",
                           "tls": "local"}).encode())
        sockets.append(s)
    os.kill(helper, signal.SIGCONT)
    replies = [json.loads(s.recv(65536)) for s in sockets]
    for s in sockets:
        s.close()
    return replies


@with_options(has_issuer=True)
def a_short_token_opens_what_it_is_for_and_nothing_else(rig):
    w = World(rig)
    at_door, at_imap, signed = w.token("cache"), w.token("imap"), w.token("plain")
    check(FORM.match(at_door) and FORM.match(at_imap), "two opaque tokens of 47 characters")
    assert_equal(signed.count("."), 2, "dots of a token for a service that wants none")
    rig.login("cache", at_door).talk()
    w.assert_helper(at_imap, "imap", "proved")
    w.assert_helper(signed, "plain", "proved")
    # another resource's, at helper and door, also where signed ones are wanted
    w.assert_helper(at_door, "imap", "rejected", "aud")
    w.assert_helper(at_imap, "plain", "rejected", "aud")
    assert_equal(rig.refused("cache", auth_line(at_imap))["reason"], "aud", "at the door")
    # guesses, and what is nearly one
    w.assert_helper(NOBODYS, "imap", "rejected", "inactive")
    w.assert_helper(at_imap[:-1] + ("A" if at_imap[-1] != "A" else "Q"), "imap", "rejected", "inactive")
    w.assert_helper(at_imap[:-1], "imap", "rejected", "malformed")
    assert_equal(rig.refused("cache", auth_line(NOBODYS))["reason"], "inactive", "at the door")
    record = [r for r in rig.audit() if r.get("service") == "imap" and r["outcome"] == "proved"][-1]
    assert_equal([record[k] for k in ("client_id", "sub", "scope")], ["agent-7", "agent-7", "door.use"], "the record of a login")
    # the issuer's own endpoints know it like any other
    told = json.loads(w.introspect(at_imap))
    assert_equal([told[k] for k in ("active", "client_id", "aud")], [True, "agent-7", rig.audience("imap")], "introspection by HTTP")
    # a command is no part of posternd, and says so
    r = subprocess.run([POSTERN, "verify", "--service", "imap", "--config", rig.path + "/etc"], input=at_imap.encode(),
                       stdout=subprocess.PIPE, timeout=60)
    said = json.loads(r.stdout)
    assert_equal((r.returncode, said["outcome"], said["reason"]), (3, "undecided", "issuer_unreachable"), "postern verify")
    # a handle may stand for it as for any token
    r = subprocess.run([POSTERN, "handle", "--service", "imap", "--socket", rig.path + "/run/helper.sock"], input=at_imap.encode(),
                       stdout=subprocess.PIPE, timeout=60, check=True)
    handle = r.stdout.decode().strip()
    rig.secrets.append(handle)
    w.assert_helper(handle, "imap", "proved")
    # the client's own tool hands it on as it is
    r = subprocess.run([POSTERN, "token", "--issuer", rig.issuer, "--allow-loopback-http", "--client-id", "agent-7", "--secret-file",
                        rig.path + "/agent-7.secret", "--resource", rig.audience("imap"), "--no-cache"], stdout=subprocess.PIPE,
                       timeout=60, check=True, env=rig.agent_environment(), preexec_fn=rig.as_agent, cwd="/")
    token = r.stdout.decode().strip()
    rig.secrets.append(token)
    w.assert_helper(token, "imap", "proved")


@with_options(has_issuer=True)
def it_ends_by_time_revocation_and_with_its_parent_or_client(rig):
    w = World(rig)
    late = w.token("imap")
    w.let_expire(late)
    w.assert_helper(late, "imap", "rejected", "expired")
    assert_equal(json.loads(w.introspect(late)), {"active": False}, "introspection of what has expired")
    # a revocation ends sessions, here and in what was exchanged from it
    parent = w.token("cache")
    child = w.exchange(parent, "cache")
    check(FORM.match(child), "an exchanged one is opaque too")
    sessions = [rig.login("cache", parent).talk(), rig.login("cache", child).talk()]
    bystander = rig.login("cache", w.token("cache", "agent-8")).talk()
    w.revoke(parent)
    for s in sessions:
        s.wait_end()
    bystander.talk()
    for token in (parent, child):
        check(rig.refused("cache", auth_line(token))["reason"] in ("inactive", "revoked"), "revoked")
    assert_equal(json.loads(w.introspect(parent)), {"active": False}, "introspection of what was revoked")
    # with the client everything goes
    orphan = w.token("imap")
    session = rig.login("cache", w.token("cache")).talk()
    rig.postern("client", "remove", "agent-7", "--config", rig.path + "/etc")
    session.wait_end()
    check(ask(rig, orphan, "imap")[1] in ("inactive", "revoked"), "its client is gone")
    # and a name that comes again has none of it
    wait_until(lambda: subprocess.run([POSTERN, "client", "add", "agent-7", "--config", rig.path + "/etc", "--scope", "door.use",
                                       "--resource", rig.audience("imap"), "--secret-file", rig.path + "/again"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      timeout=60).returncode == 0, "the name is free again")
    check(ask(rig, orphan, "imap")[1] in ("inactive", "revoked"), "its client was another")
    bystander.talk()


@with_options(has_issuer=True)
def many_at_once_and_while_the_issuer_or_the_helper_is_away(rig):
    w = World(rig)
    at_door, at_imap, signed = w.token("cache"), w.token("imap"), w.token("plain")
    assert_equal({r[0] for r in _together(TOGETHER, lambda n: ask(rig, at_imap, "imap"))}, {"proved"}, "one token, twenty logins")
    tokens = [w.token("imap", "agent-8") for _ in range(TOGETHER)]
    assert_equal({r[0] for r in _together(TOGETHER, lambda n: ask(rig, tokens[n], "imap"))}, {"proved"}, "twenty tokens")
    # a whole fleet, from one address
    tokens += [w.token("imap", "agent-8") for _ in range(MANY - TOGETHER)]
    assert_equal({(r["outcome"], r.get("reason", "")) for r in _ask_at_one_moment(rig, tokens)}, {("proved", "")}, "two hundred at one moment")
    live = _together(TOGETHER, lambda n: rig.login("cache", at_door).talk())
    # An issuer that hangs holds up whoever has an opaque token, for three seconds, and nobody else.
    issuer = rig.child("issuer")
    os.kill(issuer, signal.SIGSTOP)
    begin = time.monotonic()
    waiting = threading.Thread(target=lambda: waiting.results.append(_together(3, lambda n: ask(rig, at_imap, "imap"))))
    waiting.results = []
    waiting.start()
    w.assert_helper(signed, "plain", "proved")
    check(IS_SANITIZED or time.monotonic() - begin < 2.8, "a signed token waited")
    waiting.join()
    assert_equal({r[0] for r in waiting.results[0]}, {"undecided"}, "with an issuer that hangs")
    for session in live:
        session.talk()
    # One that dies holds up nobody, and the next one knows the tokens.
    ready = rig.kill_child("issuer")
    ready()
    wait_until(lambda: ask(rig, at_imap, "imap")[0] == "proved", "a login at the issuer's successor")
    wait_until(lambda: rig.send("cache", auth_line(at_door)).is_granted, "the same at the door")
    rig.kill_child("helper")()
    w.assert_helper(at_imap, "imap", "proved")
    # Configuration is read anew: other issuer, other helper, the same door.
    rig.reload()
    w.assert_helper(at_imap, "imap", "proved")
    wait_until(lambda: rig.send("cache", auth_line(at_door)).is_granted, "the door's line to the new issuer")
    rig.login("cache", at_door).talk()
    for session in live:
        session.talk()
    # Of many guesses some are told to wait; an honest one from elsewhere is not in that queue.
    said = [r["outcome"] for r in _ask_at_one_moment(rig, ["pot_" + ("%043d" % n) for n in range(400)])]
    check("proved" not in said, "four hundred guesses from one source")
    rig.login("cache", at_door).talk()


# ---- libsasl ----

def _sample_server(conf, plugins, mechanism, text):
    """What Cyrus SASL's own server says to one message of a client."""
    server = subprocess.Popen(["sasl-sample-server", "-m", mechanism, "-s", "imap", "-i", "local=127.0.0.1;1,remote=127.0.0.1;2"] + plugins,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=dict(os.environ, SASL_CONF_PATH=conf))
    lines = "C: %s\nC: %s\n" % (base64.b64encode(mechanism.encode()).decode(), text)
    return server.communicate(lines.encode(), timeout=60)[0].decode(errors="replace")


def _plain(user, token):
    return base64.b64encode(("\0%s\0%s" % (user, token)).encode()).decode()


@with_options(has_issuer=True)
def libsasl_takes_it_by_our_plugin_and_by_saslauthds_protocol(rig):
    mux = rig.path + "/run/saslauthd/mux"
    rig.set(saslauthd_socket=mux, services="imap")
    w = World(rig)
    token, other = w.token("imap"), w.token("sshd")
    for user, word, is_taken in (("agent-7", token, True), ("agent-8", token, False), ("agent-7", other, False), ("agent-7", NOBODYS, False)):
        r = subprocess.run(["testsaslauthd", "-f", mux, "-s", "imap", "-u", user, "-p", word], stdout=subprocess.PIPE, timeout=60)
        assert_equal((r.returncode == 0, b"OK" in r.stdout), (is_taken, is_taken), "testsaslauthd as " + user)
    if IS_SANITIZED:
        print("# the sample server has no sanitizer's runtime for our plugin")
        return
    conf = rig.path + "/sasl"
    os.makedirs(conf + "/plug")
    plugin = next(p for p in (BUILD + "/sasl-plugin/.libs/liboauthbearer.so", BUILD + "/.libs/liboauthbearer.so") if os.path.exists(p))
    shutil.copy(plugin, conf + "/plug")
    with open(conf + "/sample.conf", "w") as f:
        f.write("postern_helper_socket: %s/run/helper.sock\npwcheck_method: saslauthd\nsaslauthd_path: %s\n" % (rig.path, mux))
    for mechanism, plugins, good, bad in (("OAUTHBEARER", ["-p", conf + "/plug"], message(token), message(other)),
                                          ("PLAIN", [], _plain("agent-7", token), _plain("agent-7", other))):
        said = _sample_server(conf, plugins, mechanism, good)
        check("Username: agent-7" in said or "successful" in said.lower(), said)
        said = _sample_server(conf, plugins, mechanism, bad)
        check("Username: " not in said, said)
        assert_equal(rig.records(service="imap")[-1]["reason"], "aud", "the record")


# ---- sshd ----

class Sshd:
    """In a mount namespace where /etc/pam.d is that of examples/hosts/sshd and the agents have accounts."""

    def __init__(self, rig):
        self.rig, self.port, self.folder, self.count = rig, free_port(), rig.path + "/ssh", 0
        for name in ("pam.d", "home", "names"):
            os.makedirs("%s/%s" % (self.folder, name))
        os.chmod(self.folder + "/home", 0o777)
        module = next(p for p in (BUILD + "/pam-module/.libs/pam_postern.so", BUILD + "/.libs/pam_postern.so") if os.path.exists(p))
        with open(TOP + "/examples/hosts/sshd/etc/pam.d/sshd") as f, open(self.folder + "/pam.d/sshd", "w") as to:
            to.write(f.read().replace("pam_postern.so", "%s helper_socket=%s/run/helper.sock" % (module, rig.path)))
        with open(self.folder + "/pam.d/other", "w") as f:
            f.write("auth required pam_deny.so\naccount required pam_deny.so\n")
        for name in ("passwd", "group", "shadow"):
            shutil.copy("/etc/" + name, self.folder + "/names/" + name)
        for n, agent in enumerate(("agent-7", "agent-8")):
            with open(self.folder + "/names/passwd", "a") as f:
                f.write("%s:x:%d:65534::%s/home:/bin/sh\n" % (agent, 64741 + n, self.folder))
            with open(self.folder + "/names/shadow", "a") as f:
                f.write("%s:*:20000:0:99999:7:::\n" % agent)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder + "/host"], check=True, timeout=60)
        with open(self.folder + "/config", "w") as f:
            f.write("\n".join(["Port %d" % self.port, "ListenAddress 127.0.0.1", "HostKey %s/host" % self.folder, "UsePAM yes",
                               "PidFile %s/pid" % self.folder, "KbdInteractiveAuthentication yes", "PasswordAuthentication no",
                               "PubkeyAuthentication no", "MaxStartups 100", "LogLevel VERBOSE", "PrintMotd no", ""]))
        with open(self.folder + "/askpass", "w") as f:
            f.write('#!/bin/sh\nexec cat "$TOKEN_FILE"\n')
        os.chmod(self.folder + "/askpass", 0o755)
        apart = ('T=$1; shift; for f in passwd group shadow; do mount --bind "$T/names/$f" /etc/$f || exit 1; done; '
                 'mount --bind "$T/pam.d" /etc/pam.d && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$@"')
        self.log_path = self.folder + "/log"
        rig.log_paths.append(self.log_path)
        self.process = rig.spawn("unshare", "--mount", "sh", "-c", apart, "sh", self.folder, "/usr/sbin/sshd", "-D", "-f",
                                 self.folder + "/config", "-E", self.log_path)
        wait_until(lambda: "Server listening on" in self.log(), "sshd listens")

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path) as f:
            return f.read()

    def login(self, user, token):
        """Who one is there."""
        self.count += 1
        path = "%s/token.%d" % (self.folder, self.count)
        with open(path, "w") as f:
            f.write(token + "\n")
        env = dict(os.environ, TOKEN_FILE=path, SSH_ASKPASS=self.folder + "/askpass", SSH_ASKPASS_REQUIRE="force")
        options = [w for o in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "NumberOfPasswordPrompts=1",
                               "PreferredAuthentications=keyboard-interactive") for w in ("-o", o)]
        r = subprocess.run(["ssh", "-F", "none", "-p", str(self.port)] + options + [user + "@127.0.0.1", "id -un"], env=env, timeout=60,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.unlink(path)
        return r.stdout.decode().strip()

    def refuses(self, user, token, reason, line="Authentication failure"):
        count = self.log().count("PAM: %s for %s " % (line, user))
        said = self.login(user, token)
        check("denied" in said, said)
        wait_until(lambda: self.log().count("PAM: %s for %s " % (line, user)) > count, "sshd says: " + line)
        if reason:
            last = [r for r in self.rig.audit() if r.get("service") == "sshd"][-1]
            assert_equal((last["reason"], last["carrier"]), (reason, "password"), "the record")


@plain_only("sshd's own sandbox admits no sanitizer's runtime")
@with_options(has_issuer=True)
def sshd_takes_it_at_its_prompt(rig):
    w = World(rig)
    sshd = Sshd(rig)
    token = w.token("sshd")
    assert_equal(sshd.login("agent-7", token), "agent-7", "who one is at sshd")
    check("Accepted keyboard-interactive/pam for agent-7 " in sshd.log(), sshd.log())
    assert_equal(sshd.login("agent-7", token), "agent-7", "and again: it is no handle")
    sshd.refuses("agent-8", token, "authzid")
    sshd.refuses("agent-7", w.token("imap"), "aud")
    sshd.refuses("agent-7", NOBODYS, "inactive")
    before = len(rig.audit())
    sshd.refuses("agent-7", "pot_Geheimnis", None)
    assert_equal(len(rig.audit()), before, "records of a person's password")
    late = w.token("sshd", "agent-8")
    w.let_expire(late)
    sshd.refuses("agent-8", late, "expired")
    tokens = [w.token("sshd") for _ in range(10)]
    assert_equal(set(_together(10, lambda n: sshd.login("agent-7", tokens[n]))), {"agent-7"}, "ten at a time")
    gone = w.token("sshd")
    w.revoke(gone)
    sshd.refuses("agent-7", gone, "inactive")
    os.kill(rig.child("issuer"), signal.SIGSTOP)
    sshd.refuses("agent-7", tokens[0], "timeout", "Authentication service cannot retrieve authentication info")
    rig.kill_child("issuer")()
    wait_until(lambda: sshd.login("agent-7", tokens[0]) == "agent-7", "a login at the issuer's successor")
    rig.stop_process(sshd.process)


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
