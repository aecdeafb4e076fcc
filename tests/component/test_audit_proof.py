#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The audit log of the real posternd against somebody who can write its file: keys made at the first start, checkpoints signed by the
audit child and kept elsewhere, kill -9, rotation, and what `postern audit verify` says of each attempt."""
import base64
import hashlib
import hmac
import json
import os
import shutil
import stat
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from door_rig import POSTERN, assert_equal, auth_line, check, run_door_tests, wait_until  # noqa: E402


def _start(rig, **more):
    rig.kept = rig.path + "/log/checkpoints.jsonl"
    rig.keys = rig.path + "/audit-keys"
    rig.set(audit_checkpoint="1s", audit_checkpoint_file=rig.kept, **more)
    backend = rig.echo_door()
    rig.start()
    return backend


def _lines(path):
    """Whole lines: the last may be on its way."""
    if not os.path.exists(path):
        return []
    with open(path, "rb") as f:
        return f.read().split(b"\n")[:-1]


def _kept(rig):
    return [json.loads(line) for line in _lines(rig.kept) if line]


def _login(rig):
    answer = rig.login()
    answer.talk()
    answer.close()


def _wait_proved(rig):
    """Until a checkpoint covers a record that a login just now wrote."""
    _login(rig)
    last = max(r["seq"] for r in rig.records(event="login"))
    wait_until(lambda: any(c["record"] >= last for c in _kept(rig)), "a checkpoint of record %d" % last)
    return last


def _verify(rig, *arguments, status=0):
    r = subprocess.run([POSTERN, "audit", "verify"] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    text = r.stdout.decode()
    assert_equal(r.returncode, status, "exit status of verify %s: %s" % (" ".join(arguments), text))
    return text


def _copies(rig):
    """What an administrator has elsewhere: the public key and the checkpoints up to now; and the log at rest."""
    rig.daemon.stop()
    for name, path in (("pub", rig.keys + "/checkpoint.pub"), ("kept", rig.kept), ("log", rig.audit_path)):
        shutil.copy(path, "%s/copy.%s" % (rig.path, name))
    return rig.path + "/copy.log", rig.path + "/copy.pub", rig.path + "/copy.kept"


def keys_are_made_once_and_are_each_ones_own(rig):
    _start(rig)
    modes = {n: stat.S_IMODE(os.stat(rig.keys + "/" + n).st_mode) for n in ("args.key", "checkpoint.key")}
    assert_equal(modes, {"args.key": 0o600, "checkpoint.key": 0o600}, "modes")
    assert_equal({os.stat(rig.keys + "/" + n).st_uid for n in modes}, {0}, "owners")
    pub = rig.keys + "/checkpoint.pub"
    wait_until(lambda: os.path.exists(pub), "the public key")
    assert_equal(stat.S_IMODE(os.stat(pub).st_mode), 0o644, "mode of the public key")
    want = subprocess.run(["openssl", "pkey", "-in", rig.keys + "/checkpoint.key", "-pubout"], check=True, stdout=subprocess.PIPE).stdout
    with open(pub, "rb") as f:
        assert_equal(f.read().strip(), want.strip(), "public key")
    printed = rig.postern("audit", "key", "--config", rig.path + "/etc").stdout
    printed = printed if isinstance(printed, str) else printed.decode()
    check(printed.startswith("# key ") and want.decode().strip() in printed, printed)
    before = {n: open(rig.keys + "/" + n, "rb").read() for n in modes}
    assert_equal(len(before["args.key"]), 32, "bytes of args.key")
    # The counters are mapped by those who count and by who writes, and by nobody else.
    children = rig.daemon.children()
    mapped = {role for role, pid in children.items() if "postern-tally" in open("/proc/%d/maps" % pid).read()}
    assert_equal(mapped, {"audit", "door"}, "who maps the counters")
    rig.kill_child("door")()
    check("postern-tally" in open("/proc/%d/maps" % rig.child("door")).read(), "the new door counts too")
    rig.daemon.stop()
    rig.start()
    assert_equal({n: open(rig.keys + "/" + n, "rb").read() for n in modes}, before, "keys after a restart")


def another_key_of_digests_waits_for_a_restart_and_says_so(rig):
    _start(rig)
    with open(rig.keys + "/new", "wb") as f:
        f.write(os.urandom(32))
    os.chmod(rig.keys + "/new", 0o600)
    rig.reload()
    check("another args.key" not in rig.daemon.log(), "the same key is no news")
    os.rename(rig.keys + "/new", rig.keys + "/args.key")
    rig.reload()
    rig.daemon.wait_log("door: another args.key in audit_key_dir takes effect when posternd is restarted")
    with open(rig.keys + "/args.key", "wb") as f:
        f.write(b"short")
    rig.reload()
    rig.daemon.wait_log("door: args.key of audit_key_dir has not the 32 bytes of a key")
    _login(rig)  # nothing of a raw door needs a digest


def a_key_that_others_can_read_is_refused(rig):
    _start(rig)
    rig.daemon.stop()
    os.chmod(rig.keys + "/args.key", 0o644)
    d = rig.start(ready=False)
    assert_equal(d.wait_exit(), 78, "exit status")
    d.wait_log("args.key can be read by everybody")
    os.chmod(rig.keys + "/args.key", 0o600)
    rig.start()


def the_log_is_proved_up_to_the_last_checkpoint_and_by_hand(rig):
    _start(rig)
    last = _wait_proved(rig)
    log, pub, kept = _copies(rig)
    said = _verify(rig, "--config", rig.path + "/etc")
    check("proved from record 1 to " in said, said)
    check(int(said.split("proved from record 1 to ")[1].split()[0]) >= last, said)
    said = _verify(rig, "--key", pub, "--checkpoints", kept, log)
    check(" at " in said.split("by the checkpoint of ")[1], said)
    check("none verified: name their public key with --key" in _verify(rig, log), "without a key")
    # One line by hand, as postern(1) says.
    c = json.loads(_lines(kept)[0])
    text = "postern audit checkpoint 1\ntime: %(time)s\nhost: %(host)s\nrecord: %(record)d\nhead: %(head)s\n" % c
    with open(rig.path + "/text", "w") as f:
        f.write(text)
    with open(rig.path + "/signature", "wb") as f:
        f.write(base64.urlsafe_b64decode(c["signature"] + "=" * (-len(c["signature"]) % 4)))
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", pub, "-signature", rig.path + "/signature", rig.path + "/text"],
                   check=True, stdout=subprocess.PIPE)
    assert_equal(hashlib.sha256(_lines(log)[c["record"] - 1]).hexdigest(), c["head"], "the line that it names")
    # And posternd's own log has the same lines.
    for line in _lines(kept):
        check(line.decode() in rig.daemon.log(), line)


def killed_children_leave_a_log_that_is_proved_all_the_same(rig):
    _start(rig)
    _wait_proved(rig)
    for role in ("audit", "door", "audit"):
        rig.kill_child(role)()
        wait_until(lambda: rig.send("cache", auth_line(rig.token("cache"))).is_granted, "a login")
        _wait_proved(rig)
    log, pub, kept = _copies(rig)
    check("proved from record 1 to" in _verify(rig, "--key", pub, "--checkpoints", kept, log), "after kills")


def rotation_keeps_the_proof_over_both_files(rig):
    _start(rig)
    _wait_proved(rig)
    older = rig.audit_path + ".1"
    os.rename(rig.audit_path, older)
    rig.reload()
    _wait_proved(rig)
    log, pub, kept = _copies(rig)
    check("proved from record 1 to" in _verify(rig, "--key", pub, "--checkpoints", kept, older, log), "both files")
    first = json.loads(_lines(log)[0])["seq"]
    check("proved from record %d to" % first in _verify(rig, "--key", pub, "--checkpoints", kept, log), "the younger one")
    # The older one ends with a checkpoint, and alone it lacks what came later.
    assert_equal(json.loads(_lines(older)[-1])["event"], "checkpoint", "last record of the older file")
    check("the end was cut off" in _verify(rig, "--key", pub, "--checkpoints", kept, older, status=1), "the older one")
    with open(older, "ab") as both, open(rig.audit_path, "rb") as younger:
        both.write(younger.read())
    os.rename(older, rig.audit_path)  # the whole chain, for what is looked at after each test


def whoever_can_write_the_file_is_found(rig):
    _start(rig)
    for _ in range(3):
        last = _wait_proved(rig)
    log, pub, kept = _copies(rig)
    lines = _lines(log)
    other = rig.path + "/other"

    def tampered(text):
        with open(other, "wb") as f:
            f.write(b"".join(line + b"\n" for line in text))
        return other

    def forge(first):
        """All of the chain anew from there on, without a key."""
        text, digest = list(lines[:first]), hashlib.sha256(lines[first - 1]).hexdigest()
        for line in lines[first:]:
            record = json.loads(line)
            if record["event"] == "checkpoint":
                record["event"] = "chain"
            record.update(prev=digest, agent="agent-666")
            record = {k: v for k, v in record.items() if k not in ("seq", "prev")} | {"seq": len(text) + 1, "prev": digest}
            text.append(json.dumps(record, separators=(",", ":")).encode())
            digest = hashlib.sha256(text[-1]).hexdigest()
        return tampered(text)

    with_all = ("--key", pub, "--checkpoints", kept)
    check("the end was cut off" in _verify(rig, *with_all, tampered(lines[:last - 1]), status=1), "truncated")
    check("was changed" in _verify(rig, *with_all, tampered([line.replace(b"agent-7", b"agent-8") for line in lines]), status=1), "changed")
    forged = forge(1)
    check("no checkpoint proves it" in _verify(rig, "--key", pub, forged), "a chain of his own")
    check("as it was at" in _verify(rig, *with_all, forged, status=1), "a chain of his own, and ours kept")
    # A key of his own.
    theirs = rig.path + "/theirs.pub"
    key = subprocess.run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout"], check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["openssl", "pkey", "-pubout", "-out", theirs], input=key, check=True)
    check("not among those of --key" in _verify(rig, "--key", theirs, log, status=1), "a foreign key")
    # One of the checkpoints that were kept is taken away.
    with open(kept, "rb") as f:
        all_kept = f.read().splitlines(True)
    inside = {json.loads(line)["record"] for line in lines if b'"event":"checkpoint"' in line}
    middle = [i for i in range(1, len(all_kept) - 1) if json.loads(all_kept[i])["record"] in inside][0]
    with open(kept, "wb") as f:
        f.write(b"".join(all_kept[:middle] + all_kept[middle + 1:]))
    check("missing among those" in _verify(rig, *with_all, log, status=1), "a missing one")

    # A chain of his own behind what was kept, as if the files before it were elsewhere.
    def begun_anew(first, digest="ab" * 32):
        text = []
        for seq in range(first, first + 3):
            text.append(json.dumps({"event": "verify", "agent": "agent-666", "seq": seq, "prev": digest}, separators=(",", ":")).encode())
            digest = hashlib.sha256(text[-1]).hexdigest()
        return tampered(text)
    number = json.loads(all_kept[middle])["record"]
    with open(kept, "wb") as f:
        f.write(b"".join(all_kept[:middle + 1]))
    for first in (number + 1, number + 2, number + 3, number + 100):
        said = _verify(rig, *with_all, begun_anew(first), status=1)
        check("nothing binds it to record %d" % number in said or "as it was at" in said, said)
    # Files before it may be elsewhere: what was kept leads to its first record, or to the checkpoint's own before that.
    for first in (number + 1, number + 2):
        check("chain whole since %d " % first in _verify(rig, *with_all, tampered(lines[first - 1:])), "from record %d on" % first)
    check("nothing binds" in _verify(rig, *with_all, tampered(lines[number + 2:]), status=1), "a record is missing before")
    with open(kept, "wb") as f:  # as it stands in the chain, and with a blank more
        f.write(lines[number] + b"\n")
    check("chain whole" in _verify(rig, *with_all, tampered(lines[number + 1:])), "kept from the chain")
    with open(kept, "wb") as f:
        f.write(all_kept[middle].replace(b'"event"', b' "event"'))
    check("nothing binds" in _verify(rig, *with_all, tampered(lines[number + 1:]), status=1), "not as it was handed out")


def a_new_key_needs_both_public_keys(rig):
    _start(rig)
    _wait_proved(rig)
    rig.daemon.stop()
    shutil.copy(rig.keys + "/checkpoint.pub", rig.path + "/old.pub")
    os.unlink(rig.keys + "/checkpoint.key")
    rig.start()
    _wait_proved(rig)
    log, pub, kept = _copies(rig)
    check("not among those of --key" in _verify(rig, "--key", pub, log, status=1), "the new one alone")
    check("not among those of --key" in _verify(rig, "--key", rig.path + "/old.pub", log, status=1), "the old one alone")
    both = rig.path + "/both.pub"
    with open(both, "wb") as f:
        for path in (rig.path + "/old.pub", pub):
            with open(path, "rb") as one:
                f.write(one.read())
    check("proved from record 1 to" in _verify(rig, "--key", both, "--checkpoints", kept, log), "both")


def a_digest_can_be_made_again_by_whoever_has_the_key(rig):
    _start(rig)
    with open(rig.keys + "/args.key", "rb") as f:
        key = f.read()

    def want(action, *pieces):
        message = b"postern args 1" + struct.pack(">Q", len(action)) + action + struct.pack(">Q", len(pieces))
        message += b"".join(struct.pack(">Q", len(p)) + p for p in pieces)
        return base64.urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).rstrip(b"=").decode()

    def digest(*arguments, text=b""):
        r = subprocess.run([POSTERN, "audit", "digest", "--config", rig.path + "/etc"] + list(arguments), input=text, check=True,
                           stdout=subprocess.PIPE, timeout=60)
        return r.stdout.decode().strip()
    assert_equal(digest("redis:SET", "a", "1"), want(b"redis:SET", b"a", b"1"), "two arguments")
    assert_equal(digest("redis:DEL", "--", "-x"), want(b"redis:DEL", b"--", b"-x"), "arguments that look like options")
    assert_equal(digest("--json-args", '{"path":"/srv"}', "mcp:tools/call"), want(b"mcp:tools/call", b'{"path":"/srv"}'), "JSON")
    assert_equal(digest("--json-args", "-", "mcp:tools/call", text=b"{}\n"), want(b"mcp:tools/call", b"{}\n"), "standard input")
    r = subprocess.run([POSTERN, "audit", "digest", "--key", rig.keys + "/checkpoint.pub", "x"], stderr=subprocess.PIPE, timeout=60)
    assert_equal(r.returncode, 3, "a key that is none")


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
