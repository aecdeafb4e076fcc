#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# slapd as packaged, in a room, with examples/hosts/slapd: StartTLS, ldaps:// and ldapi:// (test_slapd.sh has what a token may be, by ldap://).
# Then the same slapd with examples/hosts/slapd-saslauthd: a token is the password of SASL PLAIN.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/hosts/cases.sh
. "$(dirname "$0")/../hosts/cases.sh"
SERVICE=ldap AUDIENCE=https://ldap.example.org/ldap FOLDS=yes
room_open "$POSTERN_HOSTS"
issuer_config
host_files slapd
room_syslog
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ldap.example.org -addext "subjectAltName=DNS:ldap.example.org,DNS:mail.example.org" \
    -keyout "$ROOM/etc/ldap/tls.key" -out "$ROOM/etc/ldap/tls.crt" >"$T/openssl.log" 2>&1 || exit 1
room chown openldap /etc/ldap/tls.key
room install -d -o openldap -g openldap /run/slapd
issuer_start
room_posternd

# As its init script starts it, and in the foreground, so that its log is a file of ours.
slapd_run() {
    room_host_exec slapd -d stats -h 'ldap:/// ldaps:/// ldapi:///' -g openldap -u openldap -F /etc/ldap/slapd.d >>"$T/slapd.log" 2>&1 &
    HOST_PID=$!
    pids+=("$HOST_PID")
    wait_for 20 slapd_listens || { echo "not ok - slapd starts"; exit 1; }
}
slapd_listens() { room ldapsearch -x -H ldapi:/// -s base -b ''; }
URL=ldaps://ldap.example.org
if [ "${POSTERN_SANITIZED:-}" = address ]; then # with the runtime preloaded slapd stands still as soon as it has a certificate: ldapi:// alone (and memcheck for the rest)
    URL=ldapi:///
    sed -i '/^replace: olcTLS/,/^-$/d' "$ROOM/etc/ldap/postern.ldif"
fi
slapd_run
check "its configuration" room ldapmodify -Q -Y EXTERNAL -H ldapi:/// -f /etc/ldap/postern.ldif
HOST_LOG=("$T/slapd.log" "$T/syslog.log")

# bind URL USER TOKEN [OPTION...]
MECH=OAUTHBEARER
bind() {
    local f
    f=$(mktemp "$ROOM/tmp/token.XXXXXX")
    printf %s "$3" >"$f"
    room_host env LDAPTLS_CACERT=/etc/ldap/tls.crt ldapwhoami -Q -H "$1" -Y "$MECH" -U "$2" -y "/tmp/$(basename "$f")" "${@:4}"
    rm -f "$f"
}
is_in() { [ "$2" = "dn:uid=$1,ou=people,dc=nodomain" ]; }
SAID_IN='BIND dn="uid=%u,ou=people,dc=nodomain" mech=OAUTHBEARER' SAID_NO='RESULT tag=97 err=49' SAID_LATER='RESULT tag=97 err=52'
HEARD_NO='Invalid credentials|\(49\)' HEARD_LATER='unavailable|\(52\)'
SAID_LONG=' UNBIND' HEARD_LONG='SASL\(-7\).*too long'
SAID_OTHER='RESULT tag=97 err=50' HEARD_OTHER='Insufficient access|\(50\)'

long_login() { printf '%s\n' "$2" | "$TOP/tests/hosts/ldap_many.py" "$ROOM/run/slapd/ldapi" 1; }
# The same by each of the ways to it; under valgrind, and where there is one only, by the first.
way=
ok() { echo "ok - $way$*"; }
not_ok() { echo "not ok - $way$*"; failures=$((failures + 1)); }
ways=("$URL")
[ -n "${POSTERN_VALGRIND:-}" ] || [ "$URL" = ldapi:/// ] || ways+=('ldap://ldap.example.org -ZZ' ldapi:///)
by_way() { # CASES...: login() by each of the ways
    local url options c
    for way in "${ways[@]}"; do
        read -r url options <<<"$way"
        # shellcheck disable=SC2086,SC2317 # none or one; the cases'
        login() { bind "$url" "$1" "$2" $options; }
        way="$way: "
        for c; do "$c"; done
    done
    way=
    login() { bind "$URL" "$1" "$2"; }
}
by_way cases_login cases_concurrent
if [ "$URL" != ldapi:/// ]; then
    mark
    answer=$(bind ldap://ldap.example.org alice "$ALICE" -O none 2>&1)
    if ! is_in alice "$answer" && wait_for 20 says 'RESULT tag=97 err=48'; then ok "without TLS there is no such mechanism"; else not_ok "without TLS there is no such mechanism"; show "$answer"; fi
fi
# Ten thousand here, where a client can be as quick as slapd is, within the same bound.
logins() { [ "$(printf '%s\n' "$ALICE" | "$TOP/tests/hosts/ldap_many.py" "$ROOM/run/slapd/ldapi" "$1")" = in ]; }
MANY_WARM=1000 MANY_MORE=9000
cases_many
by_way cases_away
cases_end

# ---- no plugin of ours: saslauthd's protocol ----

[ -z "${POSTERN_VALGRIND:-}" ] || { done_testing; exit; }
server_stop "$HOST_PID" "$POSTERND_PID"
rm "$ROOM/etc/postern/services/ldap.conf" "$ROOM/etc/ldap/sasl2/slapd.conf"
host_files slapd-saslauthd
room_posternd
slapd_run
MECH=PLAIN SAID_IN='BIND dn="uid=%u,ou=people,dc=nodomain" mech=PLAIN'
host_accepts "PLAIN: a token is the password" alice "$ALICE"
host_accepts "PLAIN: a token of 5 KB" alice "$(host_token_of 3500 alice)"
HOST_LOG+=("$T/posternd.log")
plain_rejects() { # NAME REASON USER PASSWORD
    local answer before
    mark
    before=$(records)
    answer=$(login "$3" "$4" 2>&1)
    if grep -qE "$HEARD_NO" <<<"$answer" && wait_for 20 says "$SAID_NO" && [ "$(records)" -gt "$before" ] && [[ $(last_record) = *"\"reason\":\"$2\""* ]]; then ok "$1 ($2)"; else not_ok "$1 ($2)"; show "$answer"; fi
}
plain_rejects "PLAIN: wrong audience" aud alice "$(host_token alice 'aud="https://else.example.org/ldap"')"
plain_rejects "PLAIN: expired" expired alice "$(host_token alice "exp=$(($(date +%s) - 1))")"
plain_rejects "PLAIN: alice with bob's token" authzid alice "$BOB"
plain_rejects "PLAIN: a token for ALICE, who would be alice here" no_mapping ALICE "$(host_token ALICE)"
# libsasl has 8 KB for its question to saslauthd.
before=$(records)
SAID_LONG='saslauthd request too large' HEARD_LONG='generic failure' host_oversize "PLAIN: a token of more than 8 KB" "$(host_token_of 8000 alice)"
if [ "$(records)" = "$before" ]; then ok "PLAIN: of which the helper has no record"; else not_ok "PLAIN: of which the helper has no record"; fi
host_accepts "PLAIN: and the next login comes in" alice "$ALICE"
cases_concurrent
server_stop "$ISSUER_PID" "$POSTERND_PID"
room_posternd
mark
answer=$(login alice "$ALICE" 2>&1)
if grep -q 'generic failure' <<<"$answer" && wait_for 20 says 'RESULT tag=97 err=80 .*generic failure' && [[ $(last_record) = *'"outcome":"undecided","reason":"keys_unavailable"'* ]]; then
    ok "PLAIN: issuer down (keys_unavailable)"
else
    not_ok "PLAIN: issuer down (keys_unavailable)"
    show "$answer"
fi
issuer_start
wait_for 40 in_again || not_ok "PLAIN: issuer back"
host_accepts "PLAIN: issuer back: logins work again" alice "$ALICE"
canary
done_testing
