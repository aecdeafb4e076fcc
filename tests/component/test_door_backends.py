#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Real servers behind a raw door, and real clients before it: through `postern connect` and straight.  None of them knows of tokens."""
import glob
import hashlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import free_port  # noqa: E402
from door_rig import (AGENT_UID, DEADLINE_S, IS_SANITIZED, POSTERN, Backend, assert_equal, check, message,  # noqa: E402
                      receive, run_door_tests, wait_until, with_options)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOBODY = pwd.getpwnam("nobody")
TRANSFER = (128 << 20) if IS_SANITIZED else (1 << 30)
BLOCK = 1 << 20


def _become(uid, gid):
    return lambda: (os.setgroups([]), os.setresgid(gid, gid, gid), os.setresuid(uid, uid, uid))


def _run(*arguments, status=0, **options):
    options.setdefault("timeout", 60)
    options.setdefault("input", b"")
    r = subprocess.run(list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if status is not None:
        assert_equal(r.returncode, status, "status of %s: %r %r" % (" ".join(arguments), r.stdout[-2000:], r.stderr[-2000:]))
    return r


def _answers(port):
    def ask():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    return ask


def _as_agent(rig):
    return {"env": rig.agent_environment(), "preexec_fn": rig.as_agent, "cwd": "/"}


def _place(rig, *doors, **keys):
    """A door of the embedded issuer for each, a running posternd, an agent with a client file for each."""
    for name, backend in doors:
        rig.door(name, backend, issuers="local", **keys)
    rig.start()
    rig.add_agent("agent-7", [name for name, _ in doors])
    for name, _ in doors:
        rig.write_client(name, name)


def _redis(rig):
    port, folder = free_port(), rig.path + "/redis"
    os.mkdir(folder)
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    rig.spawn("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no",
              preexec_fn=_become(NOBODY.pw_uid, NOBODY.pw_gid), cwd=folder)
    wait_until(_answers(port), "redis")
    return port


@with_options(has_issuer=True)
def redis_is_reached_through_the_connector_and_a_block_ends_it(rig):
    port = _redis(rig)
    _place(rig, ("redis", "127.0.0.1:%d" % port))
    tcp, unix = rig.connector("redis", "127.0.0.1:0"), rig.connector("redis", "unix:%s/home/run/redis.sock" % rig.path)
    host, local_port = tcp.where.rsplit(":", 1)
    by_tcp = ["redis-cli", "-h", host, "-p", local_port]
    by_unix = ["redis-cli", "-s", rig.path + "/home/run/redis.sock"]
    assert_equal(_run(*by_tcp, "SET", "colour", "red", **_as_agent(rig)).stdout, b"OK\n", "SET")
    assert_equal(_run(*by_unix, "GET", "colour", **_as_agent(rig)).stdout, b"red\n", "GET")
    value = os.urandom(200000).hex()
    _run(*by_unix, "-x", "SET", "big", **dict(_as_agent(rig), input=value.encode()))
    assert_equal(_run(*by_tcp, "STRLEN", "big", **_as_agent(rig)).stdout, b"400000\n", "STRLEN")
    check(_run(*by_unix, "GET", "big", **_as_agent(rig)).stdout.strip() == value.encode(), "a big value comes back")
    # A thousand commands at once, pipelined.
    pipe = "".join("INCR n\r\n" for _ in range(1000)).encode()
    check(b"errors: 0, replies: 1000" in _run(*by_tcp, "--pipe", **dict(_as_agent(rig), input=pipe)).stdout, "a pipeline")
    # One that listens, when the block comes.
    listener = rig.spawn(*by_tcp, "SUBSCRIBE", "news", **_as_agent(rig))
    wait_until(lambda: b"subscribe" in open(listener.log, "rb").read(), "a subscription")
    r = _run("redis-cli", "-p", str(port), "PUBLISH", "news", "hello")
    assert_equal(r.stdout, b"1\n", "listeners")
    wait_until(lambda: b"hello" in open(listener.log, "rb").read(), "the news")
    rig.control("block", "agent-7", "--reason", "in the middle")
    wait_until(lambda: _run("redis-cli", "-p", str(port), "PUBSUB", "NUMSUB", "news").stdout == b"news\n0\n", "nobody listens any more")
    r = _run(*by_tcp, "GET", "colour", status=None, **_as_agent(rig))
    check(b"red" not in r.stdout, r)
    def says_why():
        with open(tcp.log) as f:
            said = f.read()
        return "blocked" in said and "in the middle" in said and "ask platform@example.org" in said
    wait_until(says_why, "the connector says why")
    wait_until(lambda: len({r["session"] for r in rig.records(event="end")}) >= 6, "ends")


@with_options(has_issuer=True)
def postgresql_is_reached_over_the_connectors_socket(rig):
    programs = sorted(glob.glob("/usr/lib/postgresql/15/bin"))
    check(programs, "postgresql-15 is installed")
    folder, port = rig.path + "/pg", free_port()
    os.mkdir(folder)
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    become = {"preexec_fn": _become(NOBODY.pw_uid, NOBODY.pw_gid), "cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}}
    _run(programs[0] + "/initdb", "-D", folder + "/data", "-U", "owner", "-A", "trust", "-N", **become)
    server = rig.spawn(programs[0] + "/postgres", "-D", folder + "/data", "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c",
                       "unix_socket_directories=" + folder, "-c", "fsync=off", "-c", "shared_buffers=16MB", **become)
    wait_until(lambda: _run("pg_isready", "-q", "-h", folder, "-p", str(port), "-U", "owner", status=None).returncode == 0, "postgres")
    _place(rig, ("db", "127.0.0.1:%d" % port), ("local", "unix:%s/.s.PGSQL.%d" % (folder, port)), policy="db",
           rules="in: allow agent agent-* to raw:connect on db,local")
    for door, local_port in (("db", 5432), ("local", 5433)):
        rig.connector(door, "unix:%s/home/run/.s.PGSQL.%d" % (rig.path, local_port))
        psql = ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", rig.path + "/home/run", "-p", str(local_port), "-U", "owner",
                "-d", "postgres"]
        assert_equal(_run(*psql, "-c", "SELECT 6 * 7", **_as_agent(rig)).stdout, b"42\n", "SELECT")
        rows = _run(*psql, "-c", "SELECT repeat('x', 1000) FROM generate_series(1, 20000)", **_as_agent(rig)).stdout
        assert_equal(len(rows), 20000 * 1001, "bytes of a large result")
    # COPY goes up: both ways are used.
    numbers = b"".join(b"%d\n" % n for n in range(100000))
    script = b"CREATE TABLE t(n int);\nCOPY t FROM STDIN;\n" + numbers + b"\\.\nSELECT sum(n) FROM t;\n"
    assert_equal(_run(*psql, **dict(_as_agent(rig), input=script)).stdout.split()[-1], b"4999950000", "sum of what was copied")
    # A query that runs for ever ends at the server when the session is taken back.
    query = rig.spawn(*psql, "-c", "SELECT pg_sleep(600)", **_as_agent(rig))
    count = ["psql", "-X", "-A", "-t", "-h", folder, "-p", str(port), "-U", "owner", "-d", "postgres", "-c",
             "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = 'active' AND pid <> pg_backend_pid()"]
    wait_until(lambda: _run(*count).stdout == b"1\n", "the query runs")
    rig.control("kill", "--agent", "agent-7")
    query.wait(DEADLINE_S)
    check(query.returncode != 0, "psql was cut off")
    rig.stop_process(server, 3)


@with_options(has_issuer=True)
def ssh_goes_through_the_connector_as_its_proxy_command(rig):
    """sshd as an unprivileged user lets that user in, and no one else."""
    user = next((u for u in pwd.getpwall() if u.pw_name == "postgres"), None)
    check(user and os.access(user.pw_shell, os.X_OK), "a user that has a shell and is not root")
    folder, port = rig.path + "/ssh", free_port()
    os.mkdir(folder)
    for name in ("host", "client"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder + "/" + name)
    shutil.copy(folder + "/client.pub", folder + "/authorized")
    with open(folder + "/config", "w") as f:
        f.write("Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nPidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"
                "AuthorizedKeysFile %s/authorized\nSubsystem sftp internal-sftp\n" % (port, folder, folder))
    _run("chown", "-R", "%d:%d" % (user.pw_uid, user.pw_gid), folder)
    client_key = rig.path + "/ssh-client-key"
    shutil.copy(folder + "/client", client_key)
    rig.spawn("/usr/sbin/sshd", "-D", "-e", "-f", folder + "/config", preexec_fn=_become(user.pw_uid, user.pw_gid), cwd="/",
              env={"PATH": os.environ["PATH"]})
    wait_until(_answers(port), "sshd")
    _place(rig, ("ssh", "127.0.0.1:%d" % port))
    home = rig.path + "/home"
    # ssh wants an account for whoever calls it, so that root calls it; the connector is the agent's.
    proxy = "setpriv --reuid %d --regid %d --clear-groups env HOME=%s XDG_RUNTIME_DIR=%s/run %s connect --stdio ssh" % (
        AGENT_UID, AGENT_UID, home, home, POSTERN)
    ssh = ["ssh", "-F", "none", "-i", client_key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
           "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ProxyCommand=" + proxy, user.pw_name + "@build.example.org"]
    options = {"env": rig.agent_environment(), "cwd": "/"}
    assert_equal(_run(*ssh, "echo through the door", **options).stdout, b"through the door\n", "ssh")
    data = os.urandom(8 << 20)
    r = _run(*ssh, "cat", **dict(options, input=data))
    assert_equal(hashlib.sha256(r.stdout).hexdigest(), hashlib.sha256(data).hexdigest(), "8 MiB there and back")
    assert_equal(_run(*ssh, "exit 7", status=None, **options).returncode, 7, "the status of the far command")
    wait_until(lambda: len(rig.records(event="end")) == 3, "three ends")
    wait_until(lambda: rig.sessions() == [], "no session is left")


@with_options(has_issuer=True)
def ldap_is_searched_through_the_connector(rig):
    root = os.environ.get("POSTERN_SERVERS") or rig.path + "/servers"
    _run("bash", "-c", '. "$0"; servers_fetch', TOP + "/examples/quickstart/servers.sh",
         env=dict(os.environ, T=rig.path, R=root), timeout=250)
    folder, port = rig.path + "/ldap", free_port()
    os.makedirs(folder + "/db")
    machine = _run("gcc", "-print-multiarch").stdout.decode().strip()
    environment = {"LD_LIBRARY_PATH": "%s/usr/lib/%s:%s/lib/%s" % (root, machine, root, machine), "PATH": os.environ["PATH"],
                   "LDAPNOINIT": "1"}
    with open(folder + "/slapd.conf", "w") as f:
        f.write("include %s/etc/ldap/schema/core.schema\nmodulepath %s/usr/lib/ldap\nmoduleload back_mdb\npidfile %s/slapd.pid\n"
                'database mdb\nmaxsize 10485760\nsuffix "dc=example,dc=org"\nrootdn "cn=admin,dc=example,dc=org"\nrootpw open\n'
                "directory %s/db\n" % (root, root, folder, folder))
    os.chmod(folder, 0o755)
    _run("chown", "-R", "%d:%d" % (NOBODY.pw_uid, NOBODY.pw_gid), folder)
    rig.spawn(root + "/usr/sbin/slapd", "-d", "0", "-f", folder + "/slapd.conf", "-h", "ldap://127.0.0.1:%d/" % port, env=environment,
              preexec_fn=_become(NOBODY.pw_uid, NOBODY.pw_gid), cwd="/")
    wait_until(_answers(port), "slapd")
    _place(rig, ("ldap", "127.0.0.1:%d" % port))
    connector = rig.connector("ldap", "127.0.0.1:0")
    run = dict(_as_agent(rig), env=dict(environment))
    uri = ["-x", "-H", "ldap://" + connector.where, "-D", "cn=admin,dc=example,dc=org", "-w", "open"]
    ldif = "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n"
    ldif += "".join("\ndn: cn=p%d,dc=example,dc=org\nobjectClass: person\ncn: p%d\nsn: s%d\n" % (n, n, n) for n in range(200))
    _run(root + "/usr/bin/ldapadd", *uri, **dict(run, input=ldif.encode()))
    found = _run(root + "/usr/bin/ldapsearch", *uri, "-LLL", "-b", "dc=example,dc=org", "(sn=s1*)", "cn", **run).stdout
    assert_equal(len(re.findall(rb"^cn: p1\d*$", found, re.M)), 111, "people whose name begins so")


# ---- straight clients ----

def s_client_logs_in_by_hand_in_tls(rig):
    rig.echo_door()
    rig.start()
    text = b"AUTH OAUTHBEARER %s\r\nhello by hand\n" % message(rig.token("cache")).encode()
    s_client = ["openssl", "s_client", "-quiet", "-no_ign_eof", "-verify_return_error", "-CAfile", rig.path + "/run/door.pem",
                "-verify_hostname", "localhost", "-connect", "127.0.0.1:%d" % rig.ports["cache"]]
    p = subprocess.Popen(s_client, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        p.stdin.write(text)
        p.stdin.flush()
        check(p.stdout.readline().startswith(b"OK {"), "the answer")
        assert_equal(p.stdout.readline(), b"hello by hand\n", "what came back")
        p.stdin.write(b"and again\n")
        p.stdin.flush()
        assert_equal(p.stdout.readline(), b"and again\n", "what came back")
        p.stdin.close()
        p.wait(DEADLINE_S)
    finally:
        p.kill()
        p.wait()
        p.stdout.close()
    for version in ("-tls1", "-tls1_1"):
        r = _run(*s_client, version, "-cipher", "ALL:@SECLEVEL=0", status=None)
        check(b"OK {" not in r.stdout and r.returncode != 0, "TLS of before 1.2: %r" % r.stdout)
    assert_equal(rig.wait_record(event="end")["up"], 24, "bytes up")


def curl_tunnels_to_a_web_server_with_a_bearer_token(rig):
    web, port = rig.path + "/web", free_port()
    os.mkdir(web)
    with open(web + "/page", "wb") as f:
        f.write(os.urandom(3 << 20))
    rig.spawn("/usr/bin/python3", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", web)
    wait_until(_answers(port), "a web server")
    rig.door("web", "127.0.0.1:%d" % port, server_names="web.example.org")
    rig.start()
    door = "localhost:%d" % rig.ports["web"]

    def curl(proxy, header, target="http://web.example.org/page", status=0, *more):
        config = rig.path + "/curl.conf"
        with open(config, "w") as f:
            f.write('proxy-header = "%s"\n' % header)
        return _run("curl", "-sS", "-K", config, "-p", "-x", proxy, "--proxy-cacert", rig.path + "/run/door.pem", "--noproxy", "-", *more,
                    target, status=status, env={"PATH": os.environ["PATH"]})
    want = hashlib.sha256(open(web + "/page", "rb").read()).hexdigest()
    for proxy in ("http://" + door, "https://" + door):
        for name in ("Authorization", "Proxy-Authorization"):
            r = curl(proxy, "%s: Bearer %s" % (name, rig.token("web")))
            assert_equal(hashlib.sha256(r.stdout).hexdigest(), want, "the page by %s, %s" % (proxy, name))
    r = curl("https://" + door, "Authorization: Bearer " + rig.token("web", "mallory"), status=None)
    check(r.returncode != 0 and b"403" in r.stderr, r.stderr)
    r = curl("https://" + door, "Authorization: Bearer " + rig.token("web"), "http://169.254.169.254/latest/meta-data", status=None)
    check(r.returncode != 0 and b"421" in r.stderr, "a door is no open proxy: %r" % r.stderr)
    wait_until(lambda: len(rig.records(event="end")) == 4, "four ends")


def ncat_gets_in_with_the_token_as_a_password(rig):
    rig.echo_door(server_names="cache.example.org")
    rig.start()
    ncat = ["ncat", "--proxy", "127.0.0.1:%d" % rig.ports["cache"], "--proxy-type", "http", "cache.example.org", "6380", "--proxy-auth"]
    assert_equal(_run(*ncat, ":" + rig.token("cache"), input=b"through a proxy").stdout, b"through a proxy", "ncat")
    r = _run(*ncat, "agent-7:hunter2", input=b"through a proxy", status=None)
    assert_equal((r.stdout, r.returncode != 0), (b"", True), "a password is no token")


# ---- a gibibyte ----

def _piece(n):
    """The n-th mebibyte: no two are the same, and none is made twice at full cost."""
    return n.to_bytes(8, "big") + _piece.noise[8 + n % 4096:][:BLOCK - 8]


_piece.noise = os.urandom(BLOCK + 4096)


def _send(sock, size, digest):
    for n in range(size // BLOCK):
        piece = _piece(n)
        digest.update(piece)
        sock.sendall(piece)


def _receive_all(sock, size, digest):
    buffer = bytearray(BLOCK)
    view, left = memoryview(buffer), size
    while left:
        n = sock.recv_into(view, min(BLOCK, left))
        check(n, "cut off %d bytes early" % left)
        digest.update(view[:n])
        left -= n


def _transfer(rig, size, how, is_duplex):
    """There and back; both ends know what they sent and got."""
    up, down, got_up, got_down = (hashlib.sha256() for _ in range(4))
    done = threading.Event()

    def serve(call):
        call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sender = threading.Thread(target=_send, args=(call.sock, size, down))
        if is_duplex:
            sender.start()
        _receive_all(call.sock, size, got_up)
        if not is_duplex:
            sender.start()
        sender.join()
        done.set()
        receive(call)  # until the client ends it
    rig.door("big", Backend(serve))
    rig.reload() if rig.daemons else rig.start()
    answer = rig.login("big", how=how)
    answer.sock.settimeout(60)
    sender = threading.Thread(target=_send, args=(answer.sock, size, up))
    sender.start()
    if not is_duplex:
        sender.join()
    _receive_all(answer.sock, size, got_down)
    sender.join()
    done.wait(60)
    answer.close()
    assert_equal((got_up.hexdigest(), got_down.hexdigest()), (up.hexdigest(), down.hexdigest()), "SHA-256 of what came")
    record = wait_until(lambda: rig.records(event="end", service="big"), "an end")[-1]
    assert_equal((record["up"], record["down"]), (size, size), "bytes in the record")


def a_gibibyte_goes_through_plain_both_ways_at_once(rig):
    _transfer(rig, TRANSFER, "plain", True)


def a_gibibyte_goes_through_tls_there_and_back(rig):
    _transfer(rig, TRANSFER, "tls", False)


def _kernel_room():
    """Bytes that both ends of one TCP connection may come to hold: by this machine's settings, and it tunes them as it likes."""
    room = 0
    for name in ("tcp_rmem", "tcp_wmem"):
        with open("/proc/sys/net/ipv4/" + name) as f:
            room += int(f.read().split()[2])
    return room


def a_slow_reader_holds_up_nobody_but_itself(rig):
    """Back-pressure: what one client does not read stops at its backend, and does not gather in the door."""
    def pour(call):
        while True:
            call.received += call.sock.send(b"x" * 65536)
    pouring = Backend(pour)
    rig.door("pour", pouring)
    rig.echo_door()
    rig.start()
    slow, tls = rig.login("pour"), rig.login("pour", how="tls")
    check(slow.sock.recv(1) and tls.sock.recv(1), "first bytes")

    def is_still():
        before = pouring.received()
        time.sleep(0.3)  # what must not move is watched for a while
        return before == pouring.received()
    wait_until(is_still, "the backend is held up")
    # Two readers, each with two connections of the kernel's on its way; in the door no more than a turn.
    check(pouring.received() <= 2 * (2 * _kernel_room() + (1 << 20)), "%d bytes wait for readers that do not read" % pouring.received())
    rig.login().talk(b"z" * 100000)
    for answer in (slow, tls):
        left = 1 << 20
        while left > 0:
            left -= len(answer.sock.recv(65536))


if __name__ == "__main__":
    sys.exit(run_door_tests(sys.modules[__name__], sys.argv[1:]))
