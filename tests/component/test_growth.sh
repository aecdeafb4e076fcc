#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Thousands of logins cost a host no memory and no descriptor: the plugin in libsasl (sasl_pair) and in slapd 10,000 each, one imapd 500;
# and posternd's helper, which answers them all.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
: "${R:?}" "${HELPER:?}"
pair=$POSTERN_BUILD/tests/support/sasl_pair logins=$TOP/tests/component/logins.py
PORT=$(free_port) IMAP_PORT=$(free_port)
# What malloc(3) gives and takes on the way: of one lost allocation a login (24 bytes at least) 10,000 cost 240 KiB.
BOUND_KIB=200
# Of 500 logins a lost descriptor shows as well; of memory, what is lost in pieces of 1 KiB or more.
IMAP_BOUND_KIB=400
COUNT=10000 WARM=1000 IMAP_COUNT=500 IMAP_WARM=50
if [ -n "${POSTERN_SANITIZED:-}" ]; then # there the allocator keeps what is freed; leaks are its own to tell
    COUNT=500 WARM=50 IMAP_COUNT=100 IMAP_WARM=20 BOUND_KIB=$((1 << 20)) IMAP_BOUND_KIB=$((1 << 20))
fi
servers_fetch && servers_prepare && config_base
service ldap "helper_peers: $SERVER_USER" 'required_scopes: ldap.read'
service imap "helper_peers: $SERVER_USER" 'required_scopes: mail.read'
posternd_start
# Two threads, which both have worked in the first thousand logins: a thread that begins later brings stack and heap of its own.
SLAPD_GLOBAL='threads 2' slapd_start "$PORT" || exit 1
pids+=("$SLAPD_PID")
CYRUS_IMAPD_OPTIONS='-U 100000' CYRUS_SERVICE='maxchild=1' cyrus_start "$IMAP_PORT" || exit 1
pids+=("$CYRUS_PID")
printf 'agent-7 %s\n' "$(token ldap)" >"$T/ldap-user"
printf 'agent-7 %s\n' "$(token imap)" >"$T/imap-user"
helper=$(pgrep -P "$POSTERND_PID" -x posternd-helper)

size_of() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"; }
count_of() { find "/proc/$1/fd" -mindepth 1 | wc -l; }
all_ok() { "$logins" "$1" "$2" "$3" 1 <"$4" >"$T/tally" && grep -q "\"ok\": $3}" "$T/tally"; }
# steady NAME PID KIB KIND WHERE WARM COUNT USERS
steady() {
    local name=$1 pid=$2 bound=$3 size descriptors grown left
    if ! all_ok "$4" "$5" "$6" "$8"; then not_ok "$name: the first $6"; cat "$T/tally"; return; fi
    size=$(size_of "$pid") descriptors=$(count_of "$pid")
    helper_size=$(size_of "$helper") helper_descriptors=$(count_of "$helper")
    if ! all_ok "$4" "$5" "$7" "$8"; then not_ok "$name: $7 logins"; cat "$T/tally"; return; fi
    # The connection of the client that has just gone may still be there.
    settled() { [ "$(count_of "$pid")" -le "$descriptors" ]; }
    wait_for 20 settled
    grown=$(($(size_of "$pid") - size)) left=$(($(count_of "$pid") - descriptors))
    if [ $grown -le "$bound" ] && [ $left -le 0 ]; then ok "$name: $7 logins, grown by $grown KiB of $size (at most $bound), $left descriptors more"; else
        not_ok "$name: $7 logins, grown by $grown KiB of $size (at most $bound), $left descriptors more"
    fi
}

if printf '%s\n' "$(token imap)" | SASL_PATH=$T/plug SASL_PAIR_SOCKET=$HELPER SASL_PAIR_QUIET=1 "$pair" grow imap $COUNT agent-7 >"$T/grow.out" 2>&1 ||
    { [ -n "${POSTERN_SANITIZED:-}" ] && grep -q ' 0 failed, 0 descriptors left' "$T/grow.out"; }; then ok "libsasl: $(tr '\n' ' ' <"$T/grow.out")"; else
    not_ok "libsasl"
    sed 's/^/# /' "$T/grow.out"
fi
steady slapd "$SLAPD_PID" $BOUND_KIB ldap "$PORT" $WARM $COUNT "$T/ldap-user"
helper_settled() { [ "$(count_of "$helper")" -le $((helper_descriptors + 2)) ]; }
wait_for 20 helper_settled
grown=$(($(size_of "$helper") - helper_size)) left=$(($(count_of "$helper") - helper_descriptors))
if [ $grown -le $BOUND_KIB ] && [ $left -le 2 ]; then ok "the helper: grown by $grown KiB of $helper_size (at most $BOUND_KIB), $left descriptors more"; else
    not_ok "the helper: grown by $grown KiB of $helper_size (at most $BOUND_KIB), $left descriptors more"
fi
# One imapd serves one connection after the other.
all_ok imap "$IMAP_PORT" 1 "$T/imap-user"
imapd=$(pgrep -P "$CYRUS_PID" -x imapd)
check "there is one imapd" test "$(wc -w <<<"$imapd")" = 1
steady imapd "$imapd" $IMAP_BOUND_KIB imap "$IMAP_PORT" $IMAP_WARM $IMAP_COUNT "$T/imap-user"
check "and it is the same at the end" test "$(pgrep -P "$CYRUS_PID" -x imapd)" = "$imapd"
canary
done_testing
