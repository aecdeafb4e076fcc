#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What can happen to the helper under a host's feet, on a real slapd and in the real libsasl (sasl_pair): it dies, reloads, stalls, is full, is
# not there, is not ours, speaks another version; the host forks, has 200 threads, or sits in an empty chroot.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
: "${R:?}" "${HELPER:?}" "${posternd:?}"
pair=$POSTERN_BUILD/tests/support/sasl_pair logins=$TOP/tests/component/logins.py
PORT=$(free_port) JAIL=$T/jail/run/postern/helper.sock
servers_fetch && servers_prepare && config_base
sed -i "s|^helper_socket:.*|& $JAIL|" "$T/etc/postern.conf"
mkdir "$T/jail"
service ldap "helper_peers: $SERVER_USER" 'required_scopes: ldap.read'
service imap "helper_peers: $SERVER_USER" 'required_scopes: mail.read'
posternd_start
slapd_start "$PORT" || exit 1
pids+=("$SLAPD_PID")
mkdir "$T/conf"
export SASL_CONF_PATH=$T/conf SASL_PATH=$T/plug SASL_PAIR_SOCKET=$HELPER
for i in $(seq 0 19); do printf 'user%d %s\n' "$i" "$(token ldap "sub=\"user$i\"")"; done >"$T/users"
good=$(token imap)

child() { # ROLE: the pid of posternd's newest child of that name
    pgrep -n -P "$POSTERND_PID" -x "posternd-$1"
}
lines() { grep -cE "$1" "$T/posternd.log"; }
# await PATTERN COUNT: until posternd's log has that many lines of it
await() { wait_for "${3:-20}" eval "[ \$(lines '$1') -ge $2 ]"; }
count_of() { sed -n "s/.*\"$2\": \([0-9]*\).*/\1/p" "$T/$1.tally"; }
tally_is() { # FILE NAME WORDS...: these answers and no others
    local file=$1 name=$2 extra
    shift 2
    extra=$(tr -d '{}" ' <"$T/$file.tally" | tr , '\n' | grep -vE "^($(IFS='|'; echo "$*")|longest_ms):|:0$")
    if [ -s "$T/$file.tally" ] && [ -z "$extra" ] && [ "$(count_of "$file" ok)" -gt 0 ]; then ok "$name: $(cat "$T/$file.tally")"; else
        not_ok "$name"
        sed 's/^/# /' "$T/$file.tally"
    fi
}
begin() { # NAME KIND WHERE CLIENTS: logins in the background until `end`, the first of which has been answered
    "$logins" "$2" "$3" 0 "$4" <"$T/users" >"$T/$1.tally" 2>"$T/$1.err" &
    loads+=($!)
    pids+=($!)
    wait_for 20 grep -q begun "$T/$1.err" || not_ok "$1: the logins begin"
}
end() {
    kill "${loads[@]}"
    wait "${loads[@]}"
    loads=()
}
loads=()
login() { printf '%s\n' "$good" | "$pair" login OAUTHBEARER imap >"$T/pair.log" 2>&1; }
logs_in() { # NAME
    if wait_for 20 login; then ok "$1"; else not_ok "$1"; sed 's/^/# /' "$T/pair.log"; fi
}
# undecided NAME REASON WORDS MAX_MS: unavailable to the host, with the reason and a sentence in its log, within that time
undecided() {
    local start took
    start=$(date +%s%N)
    login
    took=$((($(date +%s%N) - start) / 1000000))
    if grep -q '^server -24 ' "$T/pair.log" && grep -F "outcome=undecided reason=$2 " "$T/pair.log" | grep -qE "$3" && [ $took -lt "$4" ]; then
        ok "$1: undecided ($2) after $took ms"
    else
        not_ok "$1: undecided ($2) after $took ms"
        sed 's/^/# /' "$T/pair.log"
    fi
}

# ---- reload, death ----
once() { "$logins" "$1" "$2" 1 1 <"$T/users" | tee "$T/once.tally" | grep -q '"ok": 1'; }
check "slapd logs in" once ldap "$PORT"
begin reload helper "$HELPER" 20
begin reload-slapd ldap "$PORT" 4
reloads=$(posternd_readies)
for i in $(seq 20); do
    kill -HUP "$POSTERND_PID"
    wait_for 20 posternd_is_ready $((reloads + i - 1)) || not_ok "reload $i"
done
end
tally_is reload "20 clients and 20 reloads, no login lost and none wrong" ok
tally_is reload-slapd "slapd beside them" ok

begin kill-slapd ldap "$PORT" 8
for i in $(seq 5); do
    ready=$(lines 'posternd: helper [0-9]+ is ready')
    kill -KILL "$(child helper)"
    await 'posternd: helper [0-9]+ is ready' $((ready + 1)) 30 || not_ok "a new helper after death $i"
done
end
tally_is kill-slapd "a helper that is killed five times under load: logged in or unavailable" ok 52
check "and the next login works" once ldap "$PORT"

# ---- it stalls, it is full ----
stop_process "$(child helper)"
# Twice five seconds: a new process first asks whether to offer the mechanism.
undecided "a helper that is stopped" timeout 'not done in time: the helper did not answer' 14500
cat >"$T/fill.py" <<'P'
import errno, socket, sys
kept = []
try:
    while len(kept) < 5000:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        s.connect(sys.argv[1])
        kept.append(s)
except OSError as e:
    print("full" if e.errno == errno.EAGAIN else e, flush=True)
sys.stdin.read()
P
(ulimit -n 8192; exec python3 "$T/fill.py" "$HELPER") >"$T/fill.out" < <(exec tail -f /dev/null --pid=$$) &
fill=$!
pids+=("$fill")
check "the backlog is full" wait_for 20 grep -q full "$T/fill.out"
undecided "a full backlog" timeout 'not done in time: the backlog of the helper.s socket was full' 14500
(login; cp "$T/pair.log" "$T/patient.log") &
patient=$!
kill $fill
wait $fill 2>/dev/null
kill -CONT "$(child helper)"
wait $patient
check "who waits while it is full gets in when there is room" grep -q '^server 0 user agent-7:' "$T/patient.log"
logs_in "and the next login works"

# ---- one user has its share ----
cat >"$T/hold.py" <<'P'
import os, select, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
def dial():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    return s
kept = [dial() for _ in range(600)]
one = dial()
try:
    one.send(b"{}")
except OSError:
    pass
try:
    print(one.recv(500).decode(), flush=True)
except ConnectionResetError:
    print(one.recv(500).decode(), flush=True)
# Who says nothing for ten seconds would be sent away, and the flood would be over.
ask = b'{"v":1,"op":"describe","nonce":"AAECAwQFBgcICQoLDA0ODw","service":"imap"}'
while not select.select([sys.stdin], [], [], 2)[0]:
    for s in kept:
        try:
            s.send(ask, socket.MSG_DONTWAIT)
            s.recv(2000)
        except OSError:
            pass
P
python3 "$T/hold.py" "$HELPER" "$(id -u "$SERVER_USER")" >"$T/hold.out" 2>&1 < <(exec tail -f /dev/null --pid=$$) &
hold=$!
pids+=("$hold")
check "who floods is told that it is too much for one user" wait_for 20 grep -q '"reason":"busy","detail":"one user holds the share' "$T/hold.out"
check "others keep theirs" login
refuses "the same user's slapd gets no place" once ldap "$PORT"
check "it is told to come later" grep -q '"52": 1' "$T/once.tally"
check "slapd's log says why" wait_for 20 grep -q 'outcome=undecided reason=busy .*one user holds the share.*try again later' "$T/slapd.log"
kill $hold
wait $hold 2>/dev/null
check "and gets in when the flood is over" wait_for 20 once ldap "$PORT"

# ---- it is not there, it is not ours ----
SASL_PAIR_SOCKET=$T/run/nowhere login
check "no socket: the mechanism is not offered" grep -q '^server -4 ' "$T/pair.log"
server_stop "$POSTERND_PID"
undecided "nobody behind the socket" helper_unavailable 'is posternd running' 4900
posternd_start
logs_in "posternd is back"
chown 64777 "$T/run"
undecided "a folder of another user" helper_untrusted "$T/run" 4900
chown 0 "$T/run"
chmod 0777 "$T/run"
undecided "a folder that all can write" helper_untrusted "$T/run" 4900
chmod 0755 "$T/run"
cat >"$T/fake.py" <<'P'
import json, os, socket, sys
path, uid, version = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(path)
os.chmod(path, 0o666)
if uid:
    os.setuid(uid)
s.listen(8)
print("listening", flush=True)
while True:
    c = s.accept()[0]
    frame = c.recv(40000)
    print("heard %d bytes" % len(frame), flush=True)
    if frame:
        ask = json.loads(frame)
        c.send(json.dumps({"v": version, "op": "verify", "nonce": ask["nonce"], "service": ask["service"], "outcome": "proved",
                           "ref": "R-0000000000"}).encode())
P
fake() { # UID VERSION
    rm -f "$T/run/fake.sock" "$T/fake.out" # what an earlier one said is not this one's
    python3 "$T/fake.py" "$T/run/fake.sock" "$1" "$2" >"$T/fake.out" 2>&1 &
    pids+=($!)
    wait_for 20 grep -q listening "$T/fake.out" || not_ok "a false helper listens"
}
fake 64777 1
SASL_PAIR_SOCKET=$T/run/fake.sock undecided "a socket of another user" helper_untrusted 'served by uid 64777' 4900
check "who hears that somebody was there" wait_for 20 grep -q heard "$T/fake.out"
refuses "and nothing from him" grep -qE 'heard [1-9]' "$T/fake.out"

# ---- another version ----
fake 0 2
SASL_PAIR_SOCKET=$T/run/fake.sock undecided "a helper of a newer release" helper_protocol 'version 2, this program speaks version 1' 4900
cat >"$T/ask.py" <<'P'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.send(b'{"v":2,"op":"verify","nonce":"AAECAwQFBgcICQoLDA0ODw","service":"imap","colour":"red"}')
print(s.recv(2000).decode())
print("closed" if s.recv(10) == b"" else "open")
P
python3 "$T/ask.py" "$HELPER" >"$T/ask.out" 2>&1
check "a plugin of a newer release is told both versions" \
    grep -q 'is of protocol version 2, this program speaks version 1: plugin and posternd must be of one release' "$T/ask.out"
check "and its connection is closed" grep -q closed "$T/ask.out"
check "and the record says it too" wait_for 20 grep -q 'version 2, this program speaks version 1' "$T/audit.jsonl"

# ---- what hosts do ----
export SASL_PAIR_QUIET=1
tokens() { # COUNT: tokens of user0 …, for imap
    local i
    for i in $(seq 0 $(($1 - 1))); do printf '%s\n' "$(token imap "sub=\"user$i\"")"; done
}
tokens 8 >"$T/imap-tokens"
# shellcheck disable=SC2046
check "a host that forks between its start and the first login" "$pair" prefork imap 50 $(seq -f 'user%g' 0 7) <"$T/imap-tokens"
for i in $(seq 25); do cat "$T/imap-tokens"; done >"$T/imap-200"
# shellcheck disable=SC2046
check "200 threads of one process" "$pair" threads imap 5 $(for i in $(seq 25); do seq -f 'user%g' 0 7; done) <"$T/imap-200"
# No leak checker finds its /proc in there.
ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 SASL_PAIR_SOCKET=/run/postern/helper.sock check "a host in an empty chroot with a socket of its own" \
    "$pair" chroot imap 20 user0 "$T/jail" "$(id -u "$SERVER_USER")" <"$T/imap-tokens"
jailed() { [ "$(cd "$T/jail" && find . | sort | tr '\n' ' ')" = ". ./run ./run/postern ./run/postern/helper.sock " ]; }
check "and nothing else is in there" jailed
unset SASL_PAIR_QUIET

# ---- extra sockets come and go with a reload ----
sed -i "s|^helper_socket:.*|helper_socket: $HELPER $T/other/run/postern/helper.sock|" "$T/etc/postern.conf"
check "a reload with another chroot" posternd_reload
SASL_PAIR_SOCKET=$T/other/run/postern/helper.sock logs_in "its socket is there"
check "and the socket of the one that went is gone" wait_for 20 test ! -e "$JAIL"
logs_in "the first one serves on"
mkdir -p "$T/theirs"
chown 64777 "$T/theirs"
sed -i "s|^helper_socket:.*|helper_socket: $HELPER $T/theirs/run/helper.sock|" "$T/etc/postern.conf"
failed=$(lines 'reload failed')
kill -HUP "$POSTERND_PID"
check "a folder of somebody else's: the reload fails" await 'reload failed' $((failed + 1))
check "and says which socket, and which folder" wait_for 20 grep -q "socket $T/theirs/run/helper.sock: $T/theirs belongs to uid 64777" "$T/posternd.log"
SASL_PAIR_SOCKET=$T/other/run/postern/helper.sock logs_in "all that was served before is served on"
server_stop "$POSTERND_PID"
"$posternd" --config "$T/etc" >"$T/start.out" 2>&1
started=$?
says_which() { [ $started = 78 ] && grep -q "socket $T/theirs/run/helper.sock: $T/theirs belongs" "$T/start.out"; }
check "a start with it is refused as a whole, with the same words" says_which
sed -i "s|^helper_socket:.*|helper_socket: $HELPER $JAIL|" "$T/etc/postern.conf"
posternd_start
logs_in "and starts when it is mended"

# ---- installed and not configured ----
silent() { # as one whose plugin folder has ours and nothing more
    env -u SASL_PAIR_SOCKET "$pair" silent "$1" >"$T/silent.out" 2>&1 && [ "$(cat "$T/silent.out")" = 'offers ""' ]
}
if [ -z "${POSTERN_SANITIZED:-}" ]; then
    echo 'postern_helper_socket: /nonexistent/helper.sock' >"$T/conf/quiet.conf"
    check "a plugin without configuration: no line, no socket, no thread, no descriptor" silent nothing
    SASL_PAIR_SOCKET=$HELPER "$pair" silent imap >"$T/silent.out" 2>&1
    if [ $? = 159 ]; then ok "one that has a socket would have been caught asking"; else not_ok "one that has a socket would have been caught asking"; cat "$T/silent.out"; fi
fi
check "slapd is alive" kill -0 "$SLAPD_PID"
canary
done_testing
