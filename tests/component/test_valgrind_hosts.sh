#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# plain only: memcheck and a sanitizer's runtime exclude each other
# Hosts that can carry no sanitizer's runtime, under valgrind's memcheck: libvirtd, slapd with certificates, MariaDB's program for PAM, sshd and
# PostgreSQL 15.  Each host's own test runs once more, shortened to some twenty logins of every kind: good ones, wrong audience, expired, wrong
# user, oversize, several at a time, the issuer down, posternd down.  tests/hosts/memcheck.py says which errors are ours: there may be none.
set -uo pipefail
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
[ "$(id -u)" = 0 ] || { echo "not ok - a room needs root"; exit 1; }
command -v valgrind >/dev/null || { echo "not ok - needs valgrind"; exit 1; }
LEAST=20 # logins that issue 6 wants of a host
V=$(mktemp -d "${TMPDIR:-/tmp}/postern-valgrind.XXXXXX")
chmod 755 "$V"
trap 'wait; rm -rf "$V"' EXIT
trap 'exit 130' INT TERM

failures=0
# report OK NAME
report() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failures=$((failures + 1)); fi; }
# run TEST: under memcheck, with a network of its own, since the same test may run beside this one, and with processes that end with it.
run() {
    mkdir -m 1777 "$V/$1"
    # shellcheck disable=SC2016 # the inner shell's
    POSTERN_VALGRIND=$V/$1 unshare --mount --net --pid --fork --kill-child --mount-proc sh -c 'ip link set lo up && exec "$0"' \
        "$TOP/tests/component/$1.sh" >"$V/$1.out" 2>&1
    echo $? >"$V/$1.status"
}
# judge TEST PROCESSES SERVICE...: TEST passed, and so many processes with a module of ours had no error of ours in LEAST logins or more.
judge() {
    local test=$1 processes=$2 logs=$V/$1 service n
    shift 2
    report "$(cat "$V/$test.status")" "$test passes under valgrind"
    grep '^not ok' -A 12 "$V/$test.out" | sed 's/^/# /'
    for service; do
        n=$(grep -c "\"event\":\"verify\".*\"service\":\"$service\"" "$logs/audit")
        [ "$n" -ge $LEAST ]
        report $? "$service: $n logins reached posternd"
    done
    "$TOP/tests/hosts/memcheck.py" "$logs" "$TOP" "$processes" >"$V/judged" 2>&1
    report $? "$(tail -n 1 "$V/judged")"
    head -n -1 "$V/judged" | head -n 60 | sed 's/^/# /'
}
run test_pam_servers & # as long as the other three
for test in test_host_libvirt test_host_slapd test_host_mariadb; do run $test; done
wait
# A process of its own for each login but in libvirtd and slapd.
judge test_host_libvirt 1 libvirt
judge test_host_slapd 1 ldap
judge test_host_mariadb $LEAST mariadb
judge test_pam_servers $((2 * LEAST)) sshd postgresql
[ $failures = 0 ]
