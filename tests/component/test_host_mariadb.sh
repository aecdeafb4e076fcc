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
room_syslog
issuer_start
room_posternd

room install -d -o mysql -g mysql /run/mysqld
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
room_host_exec mariadbd "${options[@]}" >"$T/mariadbd.log" 2>&1 &
HOST_PID=$!
pids+=("$HOST_PID")
HOST_LOG=("$T/mariadbd.log" "$T/syslog.log")
owner() { room mariadb -u root "$@"; } # by unix_socket, as packaged
mariadb_answers() { owner -e 'SELECT 1'; }
wait_for 60 mariadb_answers || { echo "not ok - MariaDB starts"; exit 1; }
check "users by pam" owner -e "CREATE USER alice IDENTIFIED VIA pam USING 'mariadb'; CREATE USER bob IDENTIFIED VIA pam USING 'mariadb'"

SAID_IN='pam_postern\(mariadb:auth\): service=mariadb outcome=proved.* user=%u' SAID_NO="Access denied for user '%u'@" SAID_LATER="Access denied for user '%u'@"
HEARD_NO="Access denied for user" HEARD_LATER="Access denied for user"
login() {
    # shellcheck disable=SC2016 # the room's shell's
    printf '%s\n' "$2" | room sh -c 'read -r MYSQL_PWD && export MYSQL_PWD && exec mariadb --no-defaults -h 127.0.0.1 -u "$1" -N -e "SELECT CURRENT_USER()"' sh "$1"
}
is_in() { [ "${2%%@*}" = "$1" ]; }
# One client that connects again and again.
logins() {
    # shellcheck disable=SC2016 # the room's shell's
    [ "$(printf '%s\n' "$ALICE" | room sh -c 'read -r MYSQL_PWD && export MYSQL_PWD && { i=0; while [ $i -lt "$1" ]; do
        echo "connect information_schema 127.0.0.1"; echo "SELECT CURRENT_USER();"; i=$((i + 1)); done; } |
        mariadb --no-defaults -h 127.0.0.1 -u alice -N -B' sh "$1" 2>/dev/null | grep -c '^alice@')" = "$1" ]
}

# Its program for PAM has 10 KB for everything that comes; what is longer comes as nothing.
SAID_LONG='conversation failed' HEARD_LONG='Access denied for user'
LONG_TOKEN=9000 OVERSIZE=$(host_token_of 12000 alice)
cases_login
# A handle, for what is longer than that.
handle=$(printf '%s\n' "$OVERSIZE" | room postern handle --service mariadb)
case $handle in pst_*) ok "a handle for a token of ${#OVERSIZE} bytes" ;; *) not_ok "a handle for a token of ${#OVERSIZE} bytes: $handle" ;; esac
host_accepts "the handle logs alice in" alice "$handle"
host_rejects "and opens no second session" handle alice "$handle"
cases_concurrent
cases_many
cases_away
cases_end
done_testing
