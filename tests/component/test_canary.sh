#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Logins at slapd, imapd, libsasl and by saslauthd's protocol, good and bad, with all that their SASL layer can log: then no piece of a token is
# in a log, in what a host is told, in the record, in anybody's argv or environment, or in the memory of posternd's children.  The finder is
# tests/support/canary; doors and the embedded issuer have test_canary_children.py.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
: "${R:?}" "${HELPER:?}" "${postern:?}" "${finder:?}"
pair=$POSTERN_BUILD/tests/support/sasl_pair logins=$TOP/tests/component/logins.py
PORT=$(free_port) IMAP_PORT=$(free_port)
servers_fetch && servers_prepare && config_base
service ldap "helper_peers: $SERVER_USER" 'required_scopes: ldap.read'
service imap "helper_peers: $SERVER_USER" 'required_scopes: mail.read' 'mech_list: OAUTHBEARER XOAUTH2'
printf '%s\n' "saslauthd_socket: $T/run/saslauthd/mux" 'services: imap' >>"$T/etc/postern.conf"
sed -i 's/^required_scopes: mail.read/&\nrequire_tls: host/' "$T/etc/services/imap.conf"
posternd_start
# slapd's own trace of packets (-d 2) holds everything by its nature; of our side it logs what there is.
CYRUS_LINES='sasl_log_level: 7' cyrus_start "$IMAP_PORT" || exit 1
pids+=("$CYRUS_PID")
SLAPD_SASL='log_level: 7' slapd_start "$PORT" || exit 1
pids+=("$SLAPD_PID")
mkdir "$T/conf"
printf '%s\n' 'log_level: 7' >"$T/conf/sample.conf"

# What proved tokens said is remembered for the next login; that it is forgotten in time is looked at by the other test.
: >"$T/tokens"
# add NAME SERVICE [CLAIM=JSON ...]: a user's line, and the token for the finder
add() {
    local t
    t=$(token "${@:2}")
    printf '%s\n' "$t" >>"$T/tokens"
    printf '%s %s\n' "$1" "$t"
}
for host in ldap imap; do
    {
        add agent-7 $host
        add alice $host 'sub="alice"'
        add agent-7 other
        add agent-7 $host exp=1
        add bob $host 'sub="alice"' 'scope="x"'
        t=$(token $host jti='"x"')
        add agent-7 $host jti='"y"' | sed "s/\.[^.]*\$/.${t##*.}/" # another's signature
    } >"$T/$host-users"
done
"$finder" watch <"$T/tokens" >"$T/watch.out" 2>&1 &
watcher=$!
pids+=("$watcher")
wait_for 20 grep -q watching "$T/watch.out"

"$logins" ldap "$PORT" 5 6 <"$T/ldap-users" >"$T/tally-ldap.log"
"$logins" imap "$IMAP_PORT" 3 6 <"$T/imap-users" >"$T/tally-imap.log"
check "slapd took some and refused some" grep -q '"ok": 10' "$T/tally-ldap.log"
check "imapd too" grep -q '"ok": [69]' "$T/tally-imap.log"
export SASL_PATH=$T/plug SASL_CONF_PATH=$T/conf SASL_PAIR_SOCKET=$HELPER
while read -r user bearer; do
    for mech in OAUTHBEARER XOAUTH2; do printf '%s\n' "$bearer" | "$pair" login $mech imap "$user"; done
done <"$T/imap-users" >"$T/pair-out.log" 2>&1
check "libsasl took some" grep -q '^server 0 ' "$T/pair-out.log"
check "libsasl refused some, and said why" grep -q '^server -1[34] .*ref R-' "$T/pair-out.log"
cat >"$T/mux.py" <<'P'
import socket, struct, sys
for line in open(sys.argv[2]):
    user, token = line.split()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sys.argv[1])
        s.sendall(b"".join(struct.pack(">H", len(f)) + f.encode() for f in (user, token, "imap", "")))
        print(user, s.recv(10))
P
python3 "$T/mux.py" "$T/run/saslauthd/mux" "$T/imap-users" >"$T/mux.log" 2>&1
check "saslauthd's protocol took some and refused some" sh -c "grep -q OK '$T/mux.log' && grep -q NO '$T/mux.log'"
# A handle: its token stays for its minute, or until it is used.
handle=$(head -n 1 "$T/tokens" | "$postern" handle --service ldap --socket "$HELPER" 2>"$T/handle.log")
printf '%s\n' "$handle" >>"$T/tokens"
printf 'agent-7 %s\n' "$handle" >"$T/handle-user"
"$logins" ldap "$PORT" 2 1 <"$T/handle-user" >"$T/tally-handle.log"
check "a handle logs in once" grep -q '"ok": 1[,}]' "$T/tally-handle.log"

kill "$watcher"
wait "$watcher"
watched=$?
looked_and_found_nothing() { [ $watched = 0 ] && [ "$(awk '/rounds/ { print $1 }' "$T/watch.out")" -gt 3 ]; }
check "argv and environment of all processes, again and again: nothing" looked_and_found_nothing
sed 's/^/# /' "$T/watch.out"
places=()
for f in "$T"/*.log "$T/audit.jsonl" "$T/state/control"/*; do [ ! -f "$f" ] || places+=("file:$f"); done
check "logs, answers and the record: nothing" "$finder" scan "${places[@]}" <"$T/tokens"
children=$(cat "/proc/$POSTERND_PID/task/$POSTERND_PID/children")
if [ -z "${POSTERN_SANITIZED:-}" ]; then # a sanitizer keeps what was freed
    for p in $children $POSTERND_PID; do
        memory() { "$finder" scan "pid:$p" <"$T/tokens"; }
        check "the memory of $(cat "/proc/$p/comm"): nothing" wait_for 20 memory
        memory | sed 's/^/# /'
    done
fi
done_testing
