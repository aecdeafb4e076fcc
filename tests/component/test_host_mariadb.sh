#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# plain only: auth_pam's program is set-user-ID and takes no preloaded runtime; test_pam.sh has the module under one, test_valgrind_hosts.sh this under memcheck
# MariaDB 10.11 as packaged, in a room, with examples/hosts/mariadb: auth_pam and pam_postern.so; the mariadb client.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/hosts/cases.sh
. "$(dirname "$0")/../hosts/cases.sh"
SERVICE=mariadb AUDIENCE=https://db.example.org/mariadb
room_open "$POSTERN_HOSTS"
issuer_config
host_files mariadb
# The certificate that the example names, made as an administrator would.
tls=$ROOM/etc/mysql
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=db.example.org -addext subjectAltName=DNS:db.example.org \
    -keyout "$tls/server-key.pem" -out "$tls/server-cert.pem" >"$T/openssl.log" 2>&1 || exit 1
chmod 640 "$tls/server-key.pem" && room chown root:mysql /etc/mysql/server-key.pem || exit 1
room_syslog
issuer_start
room_posternd

room install -d -o mysql -g mysql /run/mysqld /var/log/mysql
# The data folder is what its package has made.
options=(--user=mysql)
if [ -n "${POSTERN_VALGRIND:-}" ]; then # which takes no program that is set-user-ID: all of it as root, and its program for PAM alone
    tool=$ROOM/usr/lib/mysql/plugin/auth_pam_tool_dir/auth_pam_tool
    mv "$tool" "$tool.real" && chmod u-s "$tool.real"
    printf '#!/bin/sh\nexec %s %s.real "$@"\n' "${under_valgrind[*]}" "${tool#"$ROOM"}" >"$tool"
    chmod 755 "$tool"
    under_valgrind=()
    options=(--user=root --connect-timeout=60) AT_ONCE=6
fi
# What it says of a good login stands in its general log alone, which the package leaves off.
options+=(--general-log --general-log-file=/var/log/mysql/general.log)
room_host_exec mariadbd "${options[@]}" >"$T/mariadbd.log" 2>&1 &
HOST_PID=$!
pids+=("$HOST_PID")
HOST_LOG=("$T/mariadbd.log" "$T/syslog.log" "$ROOM/var/log/mysql/general.log")
owner() { room mariadb -u root "$@"; } # by unix_socket, as packaged
mariadb_answers() { owner -e 'SELECT 1'; }
wait_for 60 mariadb_answers || { echo "not ok - MariaDB starts"; exit 1; }
create=$(sed -n 's/^# \(CREATE USER alice .*\)$/\1/p' "$ROOM/etc/pam.d/mariadb") # as the example says
check "users by pam, and by TLS alone" owner -e "$create ${create/alice/bob}"
check "so MariaDB has them" grep -q 'REQUIRE SSL' <(owner -N -e 'SHOW CREATE USER alice')

SAID_IN='Connect[[:space:]]+%u@[^ ]+ on ' SAID_NO="Access denied for user '%u'@" SAID_LATER="Access denied for user '%u'@"
HEARD_NO="Access denied for user" HEARD_LATER="Access denied for user"
# A client that insists on TLS and on its host's certificate, as it should.
TLS=(--ssl-ca=/etc/mysql/server-cert.pem --ssl-verify-server-cert)
# login USER TOKEN [OPTION...]: OPTION instead of TLS.
login() {
    local options=("${@:3}")
    [ $# -gt 2 ] || options=("${TLS[@]}")
    # shellcheck disable=SC2016 # the room's shell's
    printf '%s\n' "$2" | room sh -c 'read -r MYSQL_PWD && export MYSQL_PWD && user=$1 && shift &&
        exec mariadb --no-defaults -h db.example.org "$@" -u "$user" -N -e "SELECT CURRENT_USER()"' sh "$1" "${options[@]}"
}
is_in() { [ "${2%%@*}" = "$1" ]; }
# One client that connects again and again.
logins() {
    # shellcheck disable=SC2016 # the room's shell's
    [ "$(printf '%s\n' "$ALICE" | room sh -c 'read -r MYSQL_PWD && export MYSQL_PWD && n=$1 i=0 && shift && { while [ $i -lt "$n" ]; do
        echo "connect information_schema db.example.org"; echo "SELECT CURRENT_USER();"; i=$((i + 1)); done; } |
        mariadb --no-defaults -h db.example.org "$@" -u alice -N -B' sh "$1" "${TLS[@]}" 2>/dev/null | grep -c '^alice@')" = "$1" ]
}

# Its program for PAM has 10 KB for everything that comes; what is longer comes as nothing.
SAID_LONG='conversation failed' HEARD_LONG='Access denied for user'
LONG_TOKEN=9000 OVERSIZE=$(host_token_of 12000 alice)
cases_login
SAID_IN='pam_postern\(mariadb:auth\): service=mariadb outcome=proved.* user=%u' host_accepts "and the module's line is in the log of its program" alice "$ALICE"

# ---- without TLS ----

# A host in between that takes TLS out of what the server offers.
python3 - <<'P' >"$T/between.log" 2>&1 &
import socket, threading
CLIENT_SSL = 0x0800
def pump(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)
def serve(client):
    with client, socket.create_connection(("127.0.0.1", 3306)) as server:
        hello = bytearray(server.recv(65536))
        flags = hello.index(0, 5) + 1 + 4 + 8 + 1  # behind the version: thread, 8 bytes, a filler
        hello[flags + 1] &= ~(CLIENT_SSL >> 8) & 0xff
        client.sendall(hello)
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        pump(server, client)
listener = socket.create_server(("127.0.0.1", 3307))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
P
pids+=("$!")
between_listens() { (exec 3<>/dev/tcp/127.0.0.1/3307) 2>/dev/null; }
wait_for 20 between_listens || { echo "not ok - the host in between starts"; exit 1; }
between=(-P 3307)

# MariaDB looks at TLS when the token was judged, so here it is the door that stays shut; to keep the token back is the client's part.
# shut NAME USER ANSWER OPTION...: a good token of USER does not get in, and the client hears ANSWER.
shut() {
    local answer
    mark
    answer=$(login "$2" "$(host_token "$2")" "${@:4}" 2>&1)
    if ! is_in "$2" "$answer" && grep -qE -- "$3" <<<"$answer"; then ok "$1"; else not_ok "$1"; show "$answer"; fi
}
# unsent NAME OPTION...: nor is it sent: nobody was asked about it.
unsent() {
    local before
    before=$(records)
    shut "$1" alice 'TLS|SSL|[Cc]ertificate' "${@:2}"
    if [ "$(records)" = "$before" ]; then ok "$1: no record"; else not_ok "$1: no record"; show ''; fi
}
check "a user without REQUIRE SSL" owner -e "CREATE USER carol IDENTIFIED VIA pam USING 'mariadb'"
host_accepts "comes in by TLS" carol "$(host_token carol)"
shut "without TLS a good token opens nothing" alice "$HEARD_NO" --skip-ssl
shut "nor for a user without REQUIRE SSL, by require_secure_transport" carol "$HEARD_NO" --skip-ssl
shut "nor where somebody in between takes TLS away" alice "$HEARD_NO" "${between[@]}"
unsent "a client that insists on TLS does not send it to such a one" "${TLS[@]}" "${between[@]}"
unsent "nor to a server whose certificate has another name" "${TLS[@]}" -h localhost --protocol=tcp
host_accepts "and the next login by TLS comes in" alice "$ALICE"
check "ALTER USER ... ACCOUNT LOCK" owner -e 'ALTER USER alice ACCOUNT LOCK'
answer=$(login alice "$ALICE" 2>&1)
if ! is_in alice "$answer" && grep -q 'locked' <<<"$answer"; then ok "shuts a user for tokens"; else not_ok "shuts a user for tokens"; echo "# $answer"; fi
check "and UNLOCK" owner -e 'ALTER USER alice ACCOUNT UNLOCK'
host_accepts "opens it again" alice "$ALICE"

# A handle, for what is longer than that.
handle=$(printf '%s\n' "$OVERSIZE" | room postern handle --service mariadb)
case $handle in pst_*) ok "a handle for a token of ${#OVERSIZE} bytes" ;; *) not_ok "a handle for a token of ${#OVERSIZE} bytes: $handle" ;; esac
host_accepts "the handle logs alice in" alice "$handle"
host_rejects "and opens no second session" handle alice "$handle"
cases_concurrent
cases_many
cases_away
secret_too "$handle"
cases_end
done_testing
