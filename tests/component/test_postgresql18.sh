#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The packaged PostgreSQL 18 with postern_validator.so and the lines of examples/postgresql18, each verdict with the server's own line in its
# log.  Clients: pg_wire.py, for what libpq does not do; test_psql.sh has the real psql.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
ISSUER=https://sso.example.org PARTNER=https://partner.example.org GONE=http://127.0.0.1:8499
room_open "${POSTERN_FORKY:?the tree of tests/hosts/forky}"
room_config
: "${AUDIT:?}"
"$token_tool" key >"$T/partner.pem"
"$token_tool" jwks "$T/partner.pem" >"$ROOM/etc/postern/partner-jwks.json"
printf '%s\n' "issuer: $PARTNER" 'jwks_file: /etc/postern/partner-jwks.json' "username_claim: partner-\${sub}" >"$ROOM/etc/postern/issuers/partner.conf"
printf '%s\n' "issuer: $GONE" 'allow_loopback_http: yes' "username_claim: gone-\${sub}" >"$ROOM/etc/postern/issuers/gone.conf"
echo "username_claim: \${sub}" >>"$ROOM/etc/postern/issuers/test.conf"

# ---- the server, as its package made it, and the examples as they are ----

pg_etc=$ROOM/etc/postgresql/18/main
cp "$TOP/examples/postgresql18/service.conf" "$ROOM/etc/postern/services/postgresql.conf"
cp "$TOP/examples/postgresql18/postgresql.conf" "$pg_etc/conf.d/postern.conf"
{
    echo "hostssl partner all all oauth issuer=\"$PARTNER\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "hostssl gone all all oauth issuer=\"$GONE\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "hostssl document all all oauth issuer=\"$ISSUER/.well-known/openid-configuration\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "hostssl greedy all all oauth issuer=\"$ISSUER\" scope=\"a b c d e f g h i j k l m n o p q\" delegate_ident_mapping=1"
    cat "$TOP/examples/postgresql18/pg_hba.conf"
    echo "host all all 127.0.0.1/32 oauth issuer=\"$ISSUER\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "host all all 192.0.2.0/24 oauth issuer=\"$ISSUER\" scope=\"db.connect\" delegate_ident_mapping=1"
} >"$pg_etc/pg_hba.conf"
cp "$TOP/examples/postgresql18/pg_ident.conf" "$pg_etc/pg_ident.conf"
printf '%s\n' "log_connections = 'all'" 'fsync = off' "listen_addresses = '*'" 'log_line_prefix = '"'%p '" 'max_connections = 60' >"$pg_etc/conf.d/test.conf"
: >"$T/pg.log"
as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups --)
pg_start() {
    mkdir -p "$ROOM/run/postgresql"
    chroot "$ROOM" chown postgres: /run/postgresql
    room_host "${as_postgres[@]}" /usr/lib/postgresql/18/bin/postgres -D /var/lib/postgresql/18/main -c config_file=/etc/postgresql/18/main/postgresql.conf \
        >>"$T/pg.log" 2>&1 &
    PG_PID=$!
    pids+=("$PG_PID")
}
sql() { room "${as_postgres[@]}" /usr/lib/postgresql/18/bin/psql -X -q -A -t -d postgres -c "$1" 2>&1; }
pg_is_ready() { [ "$(sql 'SELECT 1')" = 1 ]; }
pg_reload() { # and wait until a new backend has it: SETTING VALUE
    sql 'SELECT pg_reload_conf()' >/dev/null
    # shellcheck disable=SC2317
    has_it() { [ "$(sql "SHOW $1")" = "$2" ]; }
    wait_for 5 has_it "$1" "$2" || { not_ok "PostgreSQL reads its configuration again: $1"; exit 1; }
}
room_posternd
pg_start
wait_for 20 pg_is_ready || { echo "not ok - PostgreSQL starts"; exit 1; }
ok "PostgreSQL $(sql 'SHOW server_version' | cut -d' ' -f1) with the lines of examples/postgresql18"
[ "$(sql 'SHOW oauth_validator_libraries')" = postern_validator ] || not_ok "the example configures the validator"
check "roles" test -z "$(sql 'CREATE ROLE agents NOLOGIN; CREATE ROLE alice LOGIN IN ROLE agents; CREATE ROLE bob LOGIN IN ROLE agents; CREATE ROLE reports LOGIN;
    CREATE ROLE "partner-alice" LOGIN; CREATE ROLE "gone-alice" LOGIN')"

# ---- one login ----

of() { token postgresql aud='"https://db.example.org/postgresql"' scope='"db.connect"' "$@"; }
log_lines() { wc -l <"$T/pg.log"; }
log_has() { tail -n "+$(($1 + 1))" "$T/pg.log" | grep -qE -- "$2"; }
records() { wc -l <"$AUDIT"; }
last_record() { tail -n 1 "$AUDIT"; }
# log_says BEFORE PATTERN...: each within a moment, since the server writes its lines when the client may be gone.
log_says() {
    local before=$1 p
    shift
    for p; do wait_for 2 log_has "$before" "$p" || { tail -n "+$((before + 1))" "$T/pg.log" | sed 's/^/# log: /'; echo "# not there: $p"; return 1; }; done
}
wire() { # TOKEN ARGUMENTS...
    local t=$1
    shift
    printf %s "$t" | "$TOP/tests/component/pg_wire.py" "$@" 2>&1
}
accepts() { # NAME ROLE DATABASE TOKEN IDENTITY [OPTION...]
    local name=$1 role=$2 db=$3 t=$4 who=$5 before out
    shift 5
    before=$(log_lines)
    out=$(wire "$t" "$@" "$role" "$db")
    [ "$out" = ok ] || { not_ok "$name"; printf '%s\n' "$out" | sed 's/^/# /'; tail -n "+$((before + 1))" "$T/pg.log" | sed 's/^/# log: /'; return; }
    if log_says "$before" "postern: service=postgresql outcome=proved ref=R-[0-9A-Z]{10} user=$who\$" "connection authenticated: identity=\"$who\" method=oauth" \
        "connection authorized: user=$role "; then ok "$name"; else not_ok "$name"; fi
}
refuses() { # NAME ROLE DATABASE TOKEN REASON [OPTION...]
    local name=$1 role=$2 db=$3 t=$4 reason=$5 before out
    shift 5
    before=$(log_lines)
    out=$(wire "$t" "$@" "$role" "$db")
    case $out in
    'challenge {'*'"status": "invalid_token"}'*"28000 OAuth bearer authentication failed for user \"$role\"") ;;
    *) not_ok "$name"; printf '%s\n' "$out" | sed 's/^/# /'; return ;;
    esac
    log_says "$before" "LOG:  postern: service=postgresql outcome=rejected reason=$reason ref=(R-[0-9A-Z]{10}|-): " \
        "LOG:  OAuth bearer authentication failed for user \"$role\"" 'Validator failed to authorize the provided token' \
        "FATAL:  OAuth bearer authentication failed for user \"$role\"" || { not_ok "$name ($reason)"; return; }
    ok "$name ($reason)"
}
undecided() { # NAME ROLE DATABASE TOKEN REASON [OPTION...]
    local name=$1 role=$2 db=$3 t=$4 reason=$5 before out
    shift 5
    before=$(log_lines)
    out=$(wire "$t" "$@" "$role" "$db")
    case $out in
    '57P03 OAuth login could not be decided'*) ;;
    *) not_ok "$name"; printf '%s\n' "$out" | sed 's/^/# /'; return ;;
    esac
    log_says "$before" "LOG:  postern: service=postgresql outcome=undecided reason=$reason ref=(R-[0-9A-Z]{10}|-): " \
        'FATAL:  OAuth login could not be decided' || { not_ok "$name ($reason)"; return; }
    ok "$name ($reason)"
}

alice=$(of sub='"alice"')
accepts "a token opens the role of its user" alice postgres "$alice" alice
accepts "bob's opens his" bob postgres "$(of sub='"bob"')" bob
accepts "in clear on loopback, where a line allows it" alice postgres "$alice" alice --plain
refuses "bob's token never opens alice's role" alice postgres "$(of sub='"bob"')" authzid
case $(last_record) in *'"reason":"authzid"'*) ok "as the helper's record says" ;; *) not_ok "as the helper's record says"; last_record | sed 's/^/# /' ;; esac
refuses "nor the administrator's" postgres postgres "$alice" authzid --plain
refuses "nor is a name another one in upper case" ALICE postgres "$alice" authzid --plain
refuses "a token for another audience" alice postgres "$(token ldap sub='"alice"' scope='"db.connect"')" aud
refuses "an expired token" alice postgres "$(of sub='"alice"' exp=$(($(date +%s) - 1)))" expired
refuses "a token without the service's scope" alice postgres "$(of sub='"alice"' scope='"db.read"')" insufficient_scope
refuses "a token with another's signature" alice postgres "$(of sub='"alice"' key="$T/partner.pem")" unknown_kid
refuses "what is no token" alice postgres "Hunter2-Geheimnis" malformed

# ---- map=, and what the line of pg_hba.conf asks ----

both='"db.connect db.read"'
accepts "map=: agent-7 may take the role reports" reports postgres "$(of scope="$both")" agent-7
accepts "map=: who fits the expression, too" reports postgres "$(of sub='"report-42"' scope="$both")" report-42
refuses "a token without the scope of the line" reports postgres "$(of)" insufficient_scope
before=$(log_lines)
out=$(wire "$(of sub='"alice"' scope="$both")" reports postgres)
case $out in *'28000 OAuth bearer authentication failed for user "reports"'*) ok "map=: alice may not" ;; *) not_ok "map=: alice may not"; echo "# $out" ;; esac
if log_says "$before" 'outcome=proved .* user=alice' 'no match in usermap "agents" for user "reports" authenticated as "alice"'; then
    ok "map=: and the server says whom the token named"
else
    not_ok "map=: and the server says whom the token named"
fi
partner=$(of iss="\"$PARTNER\"" sub='"alice"' key="$T/partner.pem")
accepts "the other issuer's token, on its line" partner-alice partner "$partner" partner-alice 2>/dev/null || :
