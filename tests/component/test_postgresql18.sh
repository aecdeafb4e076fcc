#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The packaged PostgreSQL 18 with postern_validator.so and the lines of examples/hosts/postgresql18, each verdict with the server's own line in its
# log.  Clients: pg_wire.py, for what libpq does not do, and the packaged psql 18 through `postern psql`.
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
printf '%s %s\n' alice alice bob bob agent-7 agent-7 report-42 report-42 >"$ROOM/etc/postern/people.map"
echo 'username_map_file: /etc/postern/people.map' >>"$ROOM/etc/postern/issuers/test.conf"
printf '%s\n' 'audience: https://db.example.org/federated' 'issuers: test partner gone' 'helper_peers: postgres' 'required_scopes: db.connect' \
    >"$ROOM/etc/postern/services/federated.conf"
OWN=http://127.0.0.1:8414
printf '%s\n' "issuer: $OWN" 'jwks_file: /run/postern/jwks.json' >"$ROOM/etc/postern/issuer.conf"
printf '%s\n' "issuer: $OWN" 'jwks_file: /run/postern/jwks.json' 'allow_loopback_http: yes' >"$ROOM/etc/postern/issuers/own.conf"
printf '%s\n' 'audience: https://db.example.org/own' 'issuers: own' 'helper_peers: postgres' 'required_scopes: db.connect' \
    >"$ROOM/etc/postern/services/own.conf"

# ---- the server, as its package made it, and the examples as they are ----

pg_etc=$ROOM/etc/postgresql/18/main
example=$TOP/examples/hosts/postgresql18
cp "$example/etc/postern/services/postgresql.conf" "$ROOM/etc/postern/services/"
cp "$example/etc/postgresql/18/main/conf.d/postern.conf" "$pg_etc/conf.d/"
cat "$example/etc/postgresql/18/main/pg_ident.conf.add" >>"$pg_etc/pg_ident.conf"
{
    echo "hostssl partner all all oauth issuer=\"$PARTNER\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "hostssl gone all all oauth issuer=\"$GONE\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "hostssl document all all oauth issuer=\"$ISSUER/.well-known/openid-configuration\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "host own all all oauth issuer=\"$OWN\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "local own all oauth issuer=\"$OWN\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "hostssl greedy all all oauth issuer=\"$ISSUER\" scope=\"a b c d e f g h i j k l m n o p q\" delegate_ident_mapping=1"
    cat "$example/etc/postgresql/18/main/pg_hba.conf"
    echo "host all all 127.0.0.1/32 oauth issuer=\"$ISSUER\" scope=\"db.connect\" delegate_ident_mapping=1"
    echo "host all all 192.0.2.0/24 oauth issuer=\"$ISSUER\" scope=\"db.connect\" delegate_ident_mapping=1"
} >"$pg_etc/pg_hba.conf"
printf '%s\n' "log_connections = 'all'" 'fsync = off' 'log_hostname = on' "listen_addresses = '*'" 'log_line_prefix = '"'%p '" 'max_connections = 60' >"$pg_etc/conf.d/test.conf"
: >"$T/pg.log"
as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups --)
pg_start() {
    mkdir -p "$ROOM/run/postgresql"
    chroot "$ROOM" chown postgres: /run/postgresql
    room_host_exec "${as_postgres[@]}" /usr/lib/postgresql/18/bin/postgres -D /var/lib/postgresql/18/main -c config_file=/etc/postgresql/18/main/postgresql.conf \
        >>"$T/pg.log" 2>&1 &
    PG_PID=$!
    pids+=("$PG_PID")
}
sql() { room "${as_postgres[@]}" /usr/lib/postgresql/18/bin/psql -X -q -A -t -d postgres -c "$1" 2>&1; }
pg_is_ready() { [ "$(sql 'SELECT 1')" = 1 ]; }
pg_reload() { # and wait until a new backend has it: SETTING VALUE
    # shellcheck disable=SC2317 # asked again, since authentication_timeout may have ended the one who asks
    has_it() { [ "$(sql "SHOW $1")" = "$2" ] || { sql 'SELECT pg_reload_conf()'; return 1; }; }
    wait_for 20 has_it "$1" "$2" || { not_ok "PostgreSQL reads its configuration again: $1"; exit 1; }
}
room_posternd
pg_start
wait_for 20 pg_is_ready || { echo "not ok - PostgreSQL starts"; exit 1; }
ok "PostgreSQL $(sql 'SHOW server_version' | cut -d' ' -f1) with the files of examples/hosts/postgresql18"
[ "$(sql 'SHOW oauth_validator_libraries')" = postern_validator ] || not_ok "the example configures the validator"
check "roles" test -z "$(sql 'CREATE ROLE agents NOLOGIN; CREATE ROLE alice LOGIN IN ROLE agents; CREATE ROLE bob LOGIN IN ROLE agents; CREATE ROLE reports LOGIN;
    CREATE ROLE "partner-alice" LOGIN; CREATE ROLE "gone-alice" LOGIN;
    CREATE ROLE "agent-7" LOGIN')"
for name in partner document own; do check "a database for the line with $name" test -z "$(sql "CREATE DATABASE $name")"; done

# ---- one login ----

service=postgresql
of() { token postgresql aud='"https://db.example.org/postgresql"' scope='"db.connect"' "$@"; }
log_lines() { wc -l <"$T/pg.log"; }
log_has() { grep -qE -- "$2" < <(tail -n "+$(($1 + 1))" "$T/pg.log"); }
# log_says BEFORE PATTERN...: each within a moment, since the server writes its lines when the client may be gone.
log_says() {
    local before=$1 p
    shift
    for p; do wait_for 20 log_has "$before" "$p" || { tail -n "+$((before + 1))" "$T/pg.log" | sed 's/^/# log: /'; echo "# not there: $p"; return 1; }; done
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
    if log_says "$before" "postern: service=$service outcome=proved ref=R-[0-9A-Z]{10} user=$who\$" "connection authenticated: identity=\"$who\" method=oauth" \
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
    log_says "$before" "LOG:  postern: service=$service outcome=rejected reason=$reason ref=(R-[0-9A-Z]{10}|-): " \
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
    log_says "$before" "LOG:  postern: service=$service outcome=undecided reason=$reason ref=(R-[0-9A-Z]{10}|-): " \
        'FATAL:  OAuth login could not be decided' || { not_ok "$name ($reason)"; return; }
    ok "$name ($reason)"
}

alice=$(of sub='"alice"')
accepts "a token opens the role of its user" alice postgres "$alice" alice
case $(last_record) in *'"peer":"127.0.0.1"'*) ok "as the client's address stands in the record, though the server looks up names" ;; *) not_ok "the client's address in the record"; last_record | sed 's/^/# /' ;; esac
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

# ---- several issuers: each line of pg_hba.conf has its own ----

echo "postern.service = 'federated'" >"$pg_etc/conf.d/federated.conf"
pg_reload postern.service federated
service=federated
of() { token postgresql aud='"https://db.example.org/federated"' scope='"db.connect"' "$@"; }
one=$(of sub='"alice"')
partner=$(of iss="\"$PARTNER\"" sub='"alice"' key="$T/partner.pem")
accepts "the other issuer's token, on its line" partner-alice partner "$partner" partner-alice
refuses "but never on the first one's" partner-alice postgres "$partner" iss --plain
refuses "nor the first one's on its" alice partner "$one" iss
accepts "an issuer that the line names by its document" alice document "$one" alice
refuses "nor does another's count there" partner-alice document "$partner" iss
refuses "a token for the other service" alice postgres "$alice" aud
undecided "a line that asks more than can be asked" alice greedy "$one" config_value
undecided "an issuer whose keys cannot be fetched is no bad token" gone-alice gone "$(of iss="\"$GONE\"" sub='"alice"' key="$T/partner.pem")" keys_unavailable
echo "postern.service = 'postgresql'" >"$pg_etc/conf.d/federated.conf"
pg_reload postern.service postgresql
service=postgresql
of() { token postgresql aud='"https://db.example.org/postgresql"' scope='"db.connect"' "$@"; }

# ---- probes and sizes ----

before=$(records)
lines=$(log_lines)
want='challenge {"openid-configuration": "https://sso.example.org/.well-known/openid-configuration", "scope": "db.connect db.read", "status": "invalid_token"}'
case $(wire '' --probe reports postgres) in "$want"*'28000 '*) ok "an empty token learns issuer and scope" ;; *) not_ok "an empty token learns issuer and scope" ;; esac
if [ "$(records)" = "$before" ] && ! log_has "$lines" 'postern:'; then ok "and neither module nor helper is asked"; else not_ok "and neither module nor helper is asked"; fi
long=$(of sub='"alice"' pad="\"$(head -c 11000 /dev/zero | tr '\0' x)\"")
accepts "a token of ${#long} bytes" alice postgres "$long" alice
before=$(records)
refuses "one of more than 16 KiB" alice postgres "$long$(head -c 3000 /dev/zero | tr '\0' x)" limit
refuses "one of 60000 bytes" alice postgres "${alice%%.*}.$(head -c 60000 /dev/zero | tr '\0' x).x" limit
if [ "$(records)" = "$before" ]; then ok "of which the helper has no record"; else not_ok "of which the helper has no record"; fi
lines=$(log_lines)
out=$(wire "${alice%%.*}.$(head -c 70000 /dev/zero | tr '\0' x).x" alice postgres)
case $out in
'28000 OAuth bearer authentication failed'*) ;;
'lost: '*) ;; # what it has not read makes its kernel reset, and its last words may be lost by that; its log has them
*) not_ok "one of 70000 bytes"; echo "# $out" ;;
esac
if log_says "$lines" 'invalid message length' && ! log_has "$lines" 'postern:'; then ok "one of 70000 bytes the server itself does not read"; else not_ok "one of 70000 bytes the server itself does not read"; fi

# ---- an agent's psql ----

cat >"$T/far.cnf" <<'X'
[req]
distinguished_name = name
x509_extensions = names
[name]
[names]
subjectAltName = DNS:far.example.org
X
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=far.example.org -config "$T/far.cnf" \
    -keyout "$pg_etc/far.key" -out "$pg_etc/far.crt" >"$T/openssl.log" 2>&1
chroot "$ROOM" chown postgres: /etc/postgresql/18/main/far.key
printf '%s\n' "ssl_cert_file = '/etc/postgresql/18/main/far.crt'" "ssl_key_file = '/etc/postgresql/18/main/far.key'" "postern.service = 'own'" \
    >"$pg_etc/conf.d/federated.conf"
pg_reload postern.service own
ip address add 192.0.2.1/32 dev lo
echo '192.0.2.1 far.example.org elsewhere.example.org' >>"$ROOM/etc/hosts"
mkdir -p "$ROOM/root/.config/postern"
printf '%s\n' "issuer: $OWN" 'client_id: agent-7' 'client_credential_file: /root/.config/postern/secret' 'scope: db.connect' 'resource: https://db.example.org/own' \
    'hosts: db.example.org far.example.org localhost' 'allow_loopback_http: yes' >"$ROOM/root/.config/postern/client.conf"
check "an agent of the embedded issuer" room postern client add agent-7 --scope db.connect --resource https://db.example.org/own \
    --secret-file /root/.config/postern/secret
psql=/usr/lib/postgresql/18/bin/psql by_hand="oauth_issuer=$OWN/.well-known/openid-configuration oauth_client_id=agent-7"
preload=(LD_PRELOAD=/usr/lib/libpostern-libpq.so)
if [ "${POSTERN_SANITIZED:-}" = address ]; then # the runtime goes before the library, and not into programs that have it
    runtime=$(clang -print-file-name=libclang_rt.asan-x86_64.so)
    printf '#!/bin/sh\nunset LD_PRELOAD\nexec /usr/bin/postern "$@"\n' >"$ROOM/usr/local/bin/plain-postern"
    chmod 755 "$ROOM/usr/local/bin/plain-postern"
    preload=("LD_PRELOAD=$runtime:/usr/lib/libpostern-libpq.so" ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 POSTERN_COMMAND=/usr/local/bin/plain-postern)
fi
with_library() { room "${preload[@]}" POSTERN_PSQL_SERVICE=own PGOAUTHDEBUG=UNSAFE $psql -X -A -t -w -d "$1 $by_hand" -c "$2" 2>&1; }
# agent CONNINFO SQL: psql as an agent has it.
agent() {
    if [ "${POSTERN_SANITIZED:-}" = address ]; then # Debian's psql is a script in Perl: that carries no runtime
        with_library "$@"
    else
        room postern psql --service own -X -A -t -w -d "$1" -c "$2" 2>&1
    fi
}
psql_accepts() { # NAME CONNINFO
    local out
    out=$(agent "$2" 'SELECT system_user')
    if [ "$out" = oauth:agent-7 ]; then ok "$1"; else not_ok "$1"; printf '%s\n' "$out" | sed 's/^/# /'; fi
}
psql_refuses() { # NAME CONNINFO WORDS: and no token went anywhere
    local before out lines
    before=$(records) lines=$(log_lines)
    out=$(agent "$2" 'SELECT system_user')
    case $out in *"$3"*) ;; *) not_ok "$1"; printf '%s\n' "$out" | sed 's/^/# /'; return ;; esac
    if [ "$(records)" = "$before" ] && ! log_has "$lines" 'postern:'; then ok "$1"; else not_ok "$1: a token went there"; fi
}
psql_accepts "postern psql logs in with a token fetched on the spot" "host=localhost user=agent-7 dbname=own"
psql_accepts "over TLS whose certificate libpq checked" "host=far.example.org user=agent-7 dbname=own sslmode=verify-full sslrootcert=/etc/postgresql/18/main/far.crt"
out=$(agent "host=localhost user=agent-7 dbname=own" '\connect -reuse-previous=on "host=localhost"' 2>&1)
if grep -q 'You are now connected' <<<"$out"; then ok "psql connects anew with a token anew"; else not_ok "psql connects anew with a token anew"; echo "# $out"; fi
cp "$ROOM/root/.config/postern/client.conf" "$ROOM/root/here.conf"
moves() { # VARIABLE=FILE OPTION...: psql that changes its folder between two logins
    # shellcheck disable=SC2016
    room env "$1" sh -c 'cd /root && exec postern psql "$@" --service own -X -A -t -w -d "host=localhost user=agent-7 dbname=own" -c "\\cd /tmp" \
        -c "\\connect -reuse-previous=on \"host=localhost\""' sh "${@:2}" 2>&1
}
if [ "${POSTERN_SANITIZED:-}" != address ]; then
    for how in 'POSTERN_CLIENT= --client ./here.conf' POSTERN_CLIENT=./here.conf; do
        # shellcheck disable=SC2086
        out=$(moves $how)
        if grep -q 'You are now connected' <<<"$out"; then ok "a client file is the same one in another folder (${how%% *})"; else
            not_ok "a client file is the same one in another folder (${how%% *})"
            echo "# $out"
        fi
    done
fi
rm "$ROOM/root/here.conf"
psql_refuses "no token goes over TLS that nobody checked" "host=far.example.org user=agent-7 dbname=own sslmode=require" "sslmode=verify-full only"
psql_refuses "nor to a name that led here, for want of a certificate" "host=db.example.org user=agent-7 dbname=own" "sslmode=verify-full only"
psql_refuses "nor with an address of this machine" "host=db.example.org hostaddr=127.0.0.1 user=agent-7 dbname=own sslmode=require" "sslmode=verify-full only"
psql_refuses "nor to a host that the client file does not name" "host=127.0.0.1 user=agent-7 dbname=own" 'no token: see `postern token'
psql_accepts "at its unix socket, which is localhost" "host=/run/postgresql user=agent-7 dbname=own"
out=$(agent "host=localhost user=agent-7 dbname=partner sslmode=require" 'SELECT 1')
case $out in *"$PARTNER/.well-known/openid-configuration"*) ok "a line of another issuer is no login, and psql says whose it is" ;; *) not_ok "a line of another issuer is no login, and psql says whose it is"; echo "# $out" ;; esac
out=$(agent "host=localhost user=alice dbname=own" 'SELECT 1')
case $out in *'OAuth bearer authentication failed for user "alice"'*) ok "an agent's token opens nobody else's role" ;; *) not_ok "an agent's token opens nobody else's role"; echo "# $out" ;; esac
out=$(with_library "host=localhost user=agent-7 dbname=own" 'SELECT system_user')
if [ "$out" = oauth:agent-7 ]; then ok "the library alone does it, where the connection names issuer and client"; else not_ok "the library alone does it"; echo "# $out"; fi
session_says() { # NAME SQL WORDS [MORE-CONNINFO]
    local out
    out=$(with_library "host=localhost user=agent-7 dbname=own ${4:-}" "$2")
    case $out in *"$3"*) ok "$1" ;; *) not_ok "$1"; echo "# $out" ;; esac
}
session_says "a session cannot choose by whose rules tokens count" "SET postern.service = 'federated'" 'cannot be changed now'
session_says "nor at its start" 'SELECT 1' 'cannot be changed now' "options='-c postern.service=federated'"
session_says "nor for a role's next ones" "ALTER ROLE CURRENT_USER SET postern.helper_socket = '/tmp/s'" 'cannot be changed now'
session_says "nor for the server" "ALTER SYSTEM SET postern.helper_user = 'nobody'" 'permission denied'
session_says "parallel workers of such a session load the module too" "SET debug_parallel_query = on; SELECT count(*) > 0 FROM pg_class" t
# A process of another user in the place of PostgreSQL, at a port and at a unix socket.
cat >"$T/impostor.py" <<'P'
import os, selectors, socket, struct, sys
folder, uid = sys.argv[1], int(sys.argv[2])
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
tcp = socket.create_server(("127.0.0.1", 5499))
unix = socket.socket(socket.AF_UNIX)
unix.bind(folder + "/.s.PGSQL.5499")
unix.listen()
wait = selectors.DefaultSelector()
wait.register(tcp, selectors.EVENT_READ)
wait.register(unix, selectors.EVENT_READ)
def take(c, n):
    data = b""
    while len(data) < n:
        more = c.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data
def take_words(c):
    return take(c, struct.unpack("!I", take(c, 4))[0] - 4)
def is_given_a_token(c):
    c.settimeout(20)
    while struct.unpack("!I", take_words(c)[:4])[0] != 196608:
        c.sendall(b"N") # neither TLS nor GSS
    names = b"OAUTHBEARER\0\0"
    c.sendall(b"R" + struct.pack("!II", 8 + len(names), 10) + names)
    return take(c, 1) == b"p" and b"auth=Bearer " in take_words(c)
print("ready", flush=True)
while True:
    for key, _ in wait.select():
        with key.fileobj.accept()[0] as c:
            try:
                print("token" if is_given_a_token(c) else "none", flush=True)
            except (EOFError, OSError):
                print("none", flush=True)
P
mkdir "$ROOM/tmp/impostor"
chown 1 "$ROOM/tmp/impostor"
python3 - "$ROOM/tmp/impostor" 1 <"$T/impostor.py" >"$T/impostor.log" 2>"$T/impostor.err" &
impostor=$!
pids+=("$impostor")
wait_for 20 grep -q ready "$T/impostor.log" || { not_ok "an impostor listens"; sed 's/^/# /' "$T/impostor.err"; }
is_given() { # NAME token|none CONNINFO WORDS
    local out before
    before=$(wc -l <"$T/impostor.log")
    # shellcheck disable=SC2317 # wait_for calls it
    has_seen() { [ "$(wc -l <"$T/impostor.log")" -gt "$before" ]; }
    out=$(agent "$3 port=5499 user=agent-7 dbname=own" 'SELECT 1')
    wait_for 20 has_seen
    case $out in *"$4"*) ;; *) not_ok "$1"; printf '%s\n' "$out" | sed 's/^/# /'; return ;; esac
    if [ "$(tail -n 1 "$T/impostor.log")" = "$2" ]; then ok "$1"; else not_ok "$1"; printf '%s\n' "$out" | sed 's/^/# /'; fi
}
stranger='uid 1 answers there, not root, you or'
is_given "who took PostgreSQL's port is given no token" none "host=127.0.0.1" "$stranger postgres"
is_given "nor by the name of this machine" none "host=localhost" "$stranger postgres"
is_given "nor at a unix socket" none "host=/tmp/impostor" "$stranger postgres"
is_given "nor where requirepeer names somebody else" none "host=localhost requirepeer=bin" "$stranger bin"
is_given "but the user whom requirepeer names" token "host=localhost requirepeer=daemon" ''
is_given "at a unix socket too" token "host=/tmp/impostor requirepeer=daemon" ''
kill "$impostor"
wait "$impostor" 2>/dev/null
# A program that loads libpq by itself, as Python's drivers do: 0 when a hook is there.
cat >"$T/late.c" <<'X'
#include <dlfcn.h>
int main(void)
{
    void *libpq = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    void *(*get)(void) = libpq ? (void *(*)(void))dlsym(libpq, "PQgetAuthDataHook") : 0;
    return get == 0 ? 2 : get() == dlsym(libpq, "PQdefaultAuthDataHook");
}
X
check "a program that loads libpq late" gcc -o "$ROOM/tmp/late" "$T/late.c"
late() { # "" or :LIBRARY
    room "${preload[0]}$1" "${preload[@]:1}" /tmp/late
}
check "has the hook where both are preloaded" late :libpq.so.5
if late ""; then not_ok "and not where the library alone is"; else ok "and not where the library alone is"; fi
out=$(room PGSERVICE=mine postern psql -l 2>&1)
case $out in *'PGSERVICE is set'*) ok "with a service file of one's own it says what to write there" ;; *) not_ok "with a service file of one's own it says what to write there"; echo "# $out" ;; esac
out=$(room HOME=/nonexistent postern psql -l 2>&1)
case $out in *'client'*) ok "without a client file it says so" ;; *) not_ok "without a client file it says so"; echo "# $out" ;; esac
room postern client remove agent-7 >"$T/client.log" 2>&1
rm -rf "$ROOM/root/.cache" "$ROOM/root/.local"
psql_refuses "an agent whose issuer gives it none has none" "host=localhost user=agent-7 dbname=own" 'no token: see `postern token'
rm "$ROOM/root/.config/postern/client.conf"
printf '%s\n' "postern.service = 'postgresql'" >"$pg_etc/conf.d/federated.conf"
pg_reload postern.service postgresql

# ---- many ----

postmaster() { # descriptors, and KiB that are its own
    echo "$(find "/proc/$PG_PID/fd" | wc -l) $(awk '/^RssAnon/ { print $2 }' "/proc/$PG_PID/status")"
}
before=$(log_lines)
wire "$(of sub='"bob"')" --count 10 --together 10 bob postgres >"$T/of-bob.out" &
out=$(wire "$alice" --count 10 --together 10 alice postgres)
wait $!
said_by_each() { # so often each of the server's lines
    local who
    for who in alice bob; do
        [ "$(tail -n "+$((before + 1))" "$T/pg.log" | grep -c "connection authenticated: identity=\"$who\" method=oauth")" = 10 ] &&
            [ "$(tail -n "+$((before + 1))" "$T/pg.log" | grep -c "connection authorized: user=$who ")" = 10 ] || return 1
    done
}
if [ "$(cat - "$T/of-bob.out" <<<"$out" | grep -cx ok)" = 20 ] && wait_for 20 said_by_each; then ok "twenty at a time, of two users"; else
    not_ok "twenty at a time, of two users"
    cat - "$T/of-bob.out" <<<"$out" | sort | uniq -c | sed 's/^/# /'
    tail -n "+$((before + 1))" "$T/pg.log" | tail -n 8 | sed 's/^/# log: /'
fi
read -r fds_before kib_before < <(postmaster)
out=$(wire "$alice" --plain --count 500 --together 4 alice postgres)
if [ "$(grep -cx ok <<<"$out")" = 500 ]; then ok "five hundred logins"; else not_ok "five hundred logins"; sort <<<"$out" | uniq -c | sed 's/^/# /'; fi
read -r fds kib < <(postmaster)
if [ "$fds" -le "$fds_before" ] && [ $((kib - kib_before)) -lt 512 ]; then
    ok "after which the postmaster holds no more ($fds_before and $fds descriptors, $kib_before and $kib KiB)"
else
    not_ok "after which the postmaster holds no more ($fds_before and $fds descriptors, $kib_before and $kib KiB)"
fi

# ---- a helper that says nothing ----

cat >"$T/silent.py" <<'P'
import selectors, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
s.listen(64)
wait = selectors.DefaultSelector()
wait.register(s, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in wait.select():
        if key.fileobj is s:
            wait.register(s.accept()[0], selectors.EVENT_READ)
        elif key.fileobj.recv(65536):
            print("asked", flush=True)
        else:
            print("closed", flush=True)
            wait.unregister(key.fileobj)
            key.fileobj.close()
P
python3 "$T/silent.py" "$ROOM/run/postern/silent.sock" >"$T/silent.log" 2>&1 &
pids+=("$!")
wait_for 20 grep -q ready "$T/silent.log"
chmod 666 "$ROOM/run/postern/silent.sock"
echo "postern.helper_socket = '/run/postern/silent.sock'" >"$pg_etc/conf.d/silent.conf"
pg_reload postern.helper_socket /run/postern/silent.sock
closed() { grep -c closed "$T/silent.log"; }
is_closed() { [ "$(closed)" -gt "$before" ]; }
waits() { sql "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PosternHelper'" | grep -x '[0-9][0-9]*'; }
# a_login_waits: for the helper, five seconds at most; where this machine stood still so long, the next one does.  Sets backend.
a_login_waits() {
    for _ in 1 2 3; do
        lines=$(log_lines) before=$(closed)
        wire "$alice" alice postgres >"$T/ended.out" &
        waiting=$!
        while kill -0 $waiting 2>/dev/null; do
            if backend=$(waits); then return; fi
        done
    done
    return 1
}
is_too_late() { grep -q '^57P03 OAuth login could not be decided' "$T/ended.out"; } # the five seconds are over
# ends NAME COMMAND...: the server ends a login by COMMAND, long before the helper's time is over, and says nothing more to the client.
ends() {
    local name=$1 start took
    shift
    for _ in 1 2 3; do
        a_login_waits || break
        start=$(date +%s%N)
        "$@"
        wait "$waiting"
        took=$((($(date +%s%N) - start) / 1000000))
        is_too_late || break
    done
    if [ "${took:-9999}" -lt 4000 ] && grep -q '^lost: the server closed' "$T/ended.out" && log_says "$lines" 'FATAL:  canceling authentication due to timeout'; then
        ok "$name"
    else
        not_ok "$name (${took:-?} ms)"
        sed 's/^/# /' "$T/ended.out"
    fi
}
backend=
by_hand() { sql "SELECT pg_terminate_backend($backend)" >/dev/null; }
ends "pg_terminate_backend ends it at once" by_hand
check "pg_stat_activity shows that a login waits for the helper" test -n "$backend"
if wait_for 20 is_closed && ! log_has "$lines" 'postern:'; then ok "with its connection to the helper, and no verdict"; else not_ok "with its connection to the helper, and no verdict"; fi
echo "authentication_timeout = '3s'" >>"$pg_etc/conf.d/silent.conf"
pg_reload authentication_timeout 3s
ends "authentication_timeout ends it" :
sed -i '/authentication_timeout/d' "$pg_etc/conf.d/silent.conf"
pg_reload authentication_timeout 1min
undecided "without any of it the login is undecided in five seconds" alice postgres "$alice" timeout

# ---- settings, and nobody to ask ----

printf '%s\n' "postern.service = 'nobody'" >"$pg_etc/conf.d/silent.conf"
pg_reload postern.service nobody
service=nobody
undecided "a service without a file decides nothing" alice postgres "$alice" service_unknown
printf '%s\n' "postern.service = '../postgresql'" >"$pg_etc/conf.d/silent.conf"
pg_reload postern.service ../postgresql
service=-
undecided "a name that is none does not fall back to another service's rules" alice postgres "$alice" config_value
printf '%s\n' "postern.service = 'postgresql'" "postern.helper_user = 'root'" >"$pg_etc/conf.d/silent.conf"
pg_reload postern.service postgresql
service=postgresql
server_stop "$POSTERND_PID"
undecided "a helper that is away is no bad token" alice postgres "$alice" helper_unavailable
room_posternd
accepts "and the next login comes in" alice postgres "$alice" alice
before=$(records)
refuses "a role whose name has a control character" $'ali\ace' postgres "$alice" authzid --plain
if [ "$(records)" = "$before" ]; then ok "of which the helper has no record"; else not_ok "of which the helper has no record"; fi
# All that the server can say of a login, for `canary`.
echo "log_min_messages = 'debug5'" >"$pg_etc/conf.d/debug.conf"
pg_reload log_min_messages debug5
ldap=$(token ldap sub='"alice"' scope='"db.connect"')
accepts "a login with all that the server can log" alice postgres "$alice" alice
refuses "and one for another audience" alice postgres "$ldap" aud
watched() { [ "$(wire "$alice" --count 20 alice postgres | grep -cx ok)" = 20 ] && wire "$ldap" --count 20 alice postgres | grep -c 28000 | grep -qx 20; }
unseen "and in no process list is a piece of a token" watched
check "which it did log" grep -q 'DEBUG: .*postern' "$T/pg.log"
rm "$pg_etc/conf.d/debug.conf"
pg_reload log_min_messages warning
echo "postern.helper_socket = '/run/postern/silent.sock'" >>"$pg_etc/conf.d/silent.conf"
pg_reload postern.helper_socket /run/postern/silent.sock
a_login_waits || not_ok "a login waits"
start=$(date +%s%N)
kill -INT "$PG_PID"
wait "$waiting"
took=$((($(date +%s%N) - start) / 1000000))
if [ "$took" -lt 4000 ] && ! is_too_late && wait_for 20 is_closed; then ok "the end of the server does not wait for the helper"; else not_ok "the end of the server does not wait for the helper ($took ms)"; fi
canary
canary_memory
done_testing
