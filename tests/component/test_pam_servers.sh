#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# plain only: sshd's own sandbox admits no sanitizer's runtime; test_pam.sh has the module under one, test_valgrind_hosts.sh this under memcheck
# The packaged sshd (keyboard-interactive) and PostgreSQL 15 (pam) with pam_postern.so, each with its own log line for what happened.  They run
# with the files of examples/hosts/sshd, examples/hosts/postgresql15 and examples/pam/mixed, in a mount namespace in which alice, bob and
# carol have accounts.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/hosts/cases.sh
. "$(dirname "$0")/../hosts/cases.sh" # of it only the issuer and AT_ONCE
ISSUER=https://sso.test.example # with its keys in a file, until it is to be away
SSH_AT_ONCE=10
[ -z "${POSTERN_VALGRIND:-}" ] || AT_ONCE=4 SSH_AT_ONCE=6 # both have more of the other cases than other hosts
[ "$(id -u)" = 0 ] || { echo "ok - pam at real servers # skip needs root"; exit 0; }
config_base
MODULE=$POSTERN_BUILD/pam-module/.libs/pam_postern.so
[ -e "$MODULE" ] || MODULE=$POSTERN_BUILD/.libs/pam_postern.so
hosts=$TOP/examples/hosts
cp "$hosts/sshd/etc/postern/services/sshd.conf" "$hosts/postgresql15/etc/postern/services/postgresql.conf" "$T/etc/services/"
posternd_start
token_for() { # SERVICE [CLAIM=JSON ...]: for the audiences that those files name
    case $1 in
    sshd) token sshd 'aud="https://shell.example.org/sshd"' "${@:2}" ;;
    postgresql) token postgresql 'aud="https://db.example.org/postgresql"' 'scope="db.connect"' "${@:2}" ;;
    esac
}

# ---- a namespace of their own ----

mkdir -p "$T"/{pam.d,home,pg,ssh,names}
chmod 777 "$T/home"
example_stack() { sed "s#pam_postern\.so#$MODULE helper_socket=$HELPER#" "$1"; }
for name in sshd postgresql15; do # the examples as they are, but for places of this tree
    for f in "$hosts/$name"/etc/pam.d/*; do example_stack "$f" >"$T/pam.d/${f##*/}"; done
done
example_stack "$TOP/examples/pam/mixed" | sed "s#$MODULE#& service=sshd#" >"$T/pam.d/mixed"
printf '%s\n' 'auth required pam_deny.so' 'account required pam_deny.so' >"$T/pam.d/other"
cp /etc/passwd /etc/group /etc/shadow "$T/names/"
for user in alice:64731 bob:64732 carol:64733; do
    echo "${user%:*}:x:${user#*:}:65534::$T/home:/bin/sh" >>"$T/names/passwd"
    echo "${user%:*}:*:20000:0:99999:7:::" >>"$T/names/shadow"
done
# apart COMMAND...: in that namespace.
# shellcheck disable=SC2016 # the inner shell's
apart() {
    exec unshare --mount sh -c 'T=$1; shift
        for f in passwd group shadow; do mount --bind "$T/names/$f" /etc/$f || exit 1; done
        mount --bind "$T/pam.d" /etc/pam.d && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$@"' sh "$T" "$@"
}
# shadow USER PASSWORD [EXPIRES]: that line of the namespaces' /etc/shadow, EXPIRES in days since 1970; in place, since it is mounted by its inode.
shadow() {
    sed "s#^$1:.*#$1:$2:20000:0:99999:7::${3:-}:#" "$T/names/shadow" >"$T/names/shadow.new" && cat "$T/names/shadow.new" >"$T/names/shadow"
}
port_listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
log_has() { grep -qE -- "$3" < <(tail -n "+$(($1 + 1))" "$2"); }
# of_size SERVICE LEAST: alice's token of so many bytes, or up to two more: a byte of claims is 4/3 of base64.
of_size() {
    local t pad=1
    while t=$(token_for "$1" sub='"alice"' jti='"same"' pad="\"$(head -c $pad /dev/zero | tr '\0' x)\"") && [ ${#t} -lt "$2" ]; do
        pad=$((pad + ($2 - ${#t}) * 3 / 4))
        [ $(($2 - ${#t})) -gt 1 ] || pad=$((pad + 1))
    done
    printf %s "$t"
}

# ---- sshd ----

SSH_PORT=$(free_port)
ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/host"
printf '%s\n' "Port $SSH_PORT" 'ListenAddress 127.0.0.1' "HostKey $T/ssh/host" "PidFile $T/ssh/pid" "Include $hosts/sshd/etc/ssh/sshd_config.d/*.conf" \
    'PubkeyAuthentication no' 'PermitRootLogin yes' 'MaxStartups 100' 'LogLevel DEBUG3' 'PrintMotd no' >"$T/ssh/config"
: >"$T/sshd.log"
under_sshd=() options=()
if [ -n "${POSTERN_VALGRIND:-}" ]; then
    # Its child that speaks with the network, in which no module of ours is, may do what valgrind must; and children are forked of one start.
    cc -shared -fPIC -o "$T/unlocked.so" -x c - <<'C' || exit 1
#include <sys/prctl.h>
#include <sys/resource.h>
int prctl(int option, ...) { (void)option; return 0; }
int setrlimit(__rlimit_resource_t what, const struct rlimit *limit) { (void)what; (void)limit; return 0; }
C
    under_sshd=(env "LD_PRELOAD=$T/unlocked.so" "${under_valgrind[@]}")
    options=(-r -o KexAlgorithms=curve25519-sha256) # the usual one takes a second there
fi
(apart "${under_sshd[@]}" /usr/sbin/sshd -D "${options[@]}" -f "$T/ssh/config" -E "$T/sshd.log") >"$T/sshd-start.log" 2>&1 &
SSHD_PID=$!
pids+=("$SSHD_PID")
wait_for 20 port_listens "$SSH_PORT" || { echo "not ok - sshd starts"; exit 1; }
# shellcheck disable=SC2016
printf '#!/bin/sh\nexec cat "$TOKEN_FILE"\n' >"$T/ssh/askpass"
chmod 755 "$T/ssh/askpass"
# ssh_as USER TOKEN [OPTION...]: who one is there.
ssh_as() {
    local f user=$1
    f=$(mktemp "$T/ssh/token.XXXXXX")
    printf '%s\n' "$2" >"$f"
    shift 2
    TOKEN_FILE=$f SSH_ASKPASS=$T/ssh/askpass SSH_ASKPASS_REQUIRE=force timeout 60 ssh -F none -p "$SSH_PORT" -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o PreferredAuthentications=keyboard-interactive -o NumberOfPasswordPrompts=1 \
        "$@" "$user@127.0.0.1" 'id -un' </dev/null 2>&1
    rm -f "$f"
}
ssh_accepts() { # NAME USER TOKEN
    local before out
    before=$(wc -l <"$T/sshd.log")
    out=$(ssh_as "$2" "$3")
    if [ "$out" = "$2" ] && wait_for 20 log_has "$before" "$T/sshd.log" "Accepted keyboard-interactive/pam for $2 "; then ok "$1"; else not_ok "$1"; echo "# $out"; fi
}
ssh_refuses() { # NAME USER TOKEN REASON [LINE]
    local before out
    before=$(wc -l <"$T/sshd.log")
    out=$(ssh_as "$2" "$3")
    case $out in *denied*) ;; *) not_ok "$1"; echo "# $out"; return ;; esac
    wait_for 20 log_has "$before" "$T/sshd.log" "PAM: ${5:-Authentication failure} for $2 " || { not_ok "$1: sshd's log"; return; }
    [ -z "$4" ] || [[ $(last_record) == *"\"reason\":\"$4\""* ]] || { not_ok "$1 ($4)"; last_record | sed 's/^/# /'; return; }
    ok "$1"
}
UNAVAIL='Authentication service cannot retrieve authentication info'

alice=$(token_for sshd sub='"alice"')
ssh_accepts "sshd: a token opens its account" alice "$alice"
ssh_accepts "sshd: bob's opens his" bob "$(token_for sshd sub='"bob"')"
ssh_refuses "sshd: bob's token never opens alice's account" alice "$(token_for sshd sub='"bob"')" authzid
ssh_refuses "sshd: nor root's" root "$(token_for sshd sub='"root"')" user_denied
ssh_refuses "sshd: a token for another audience" alice "$(token_for postgresql sub='"alice"')" aud
ssh_refuses "sshd: an expired token" alice "$(token_for sshd sub='"alice"' exp=$(($(date +%s) - 1)))" expired
before=$(records)
ssh_refuses "sshd: a person's password" alice 'Hunter2-Geheimnis' ''
if [ "$(records)" = "$before" ]; then ok "sshd: of which the helper has no record"; else not_ok "sshd: of which the helper has no record"; fi
echo "# alice's token has ${#alice} bytes"
long=$(of_size sshd 1021)
ssh_accepts "sshd: a token of ${#long} bytes, of the 1023 that OpenSSH carries" alice "$long"
ssh_refuses "sshd: a longer one is cut, and refused" alice "$(of_size sshd 1026)" ''
if grep -qE '"reason":"(bad_signature|malformed)"' <<<"$(last_record)"; then ok "sshd: for its broken signature"; else not_ok "sshd: for its broken signature"; fi # what is left may be no base64
# What OpenSSH would cut has a handle.
handle_for() { printf %s "$1" | "$POSTERN_BUILD/postern" handle --service sshd --socket "$HELPER"; }
handle=$(handle_for "$(of_size sshd 4000)")
ssh_accepts "sshd: a handle of ${#handle} characters for a token of 4000 bytes" alice "$handle"
ssh_refuses "sshd: it opens no second session" alice "$handle" handle
ssh_refuses "sshd: bob's handle never opens alice's account" alice "$(handle_for "$(token_for sshd sub='"bob"')")" authzid
ssh_refuses "sshd: a handle that nobody made" alice pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA handle

# ---- what the machine says of an account, sshd's and a mixed stack's ----

carol=$(token_for sshd sub='"carol"') TODAY=$(($(date +%s) / 86400))
# account_shuts NAME: carol's token is good, which the helper has a record of, and does not get in.
account_shuts() {
    local before heard out
    before=$(records) heard=$(wc -l <"$T/sshd.log")
    out=$(ssh_as carol "$carol")
    case $out in *denied*) ;; *) not_ok "$1"; echo "# $out"; return ;; esac
    wait_for 20 log_has "$heard" "$T/sshd.log" 'Failed keyboard-interactive/pam for carol ' || { not_ok "$1: sshd's log"; return; }
    if [ "$(records)" = $((before + 1)) ] && [[ $(last_record) == *'"outcome":"proved"'* ]]; then ok "$1"; else not_ok "$1: its record"; last_record | sed 's/^/# /'; fi
}
shadow carol '!*'
ssh_accepts "sshd: a token opens an account whose password is locked" carol "$carol"
shadow carol '!*' 1
account_shuts "sshd: an account that has expired stays shut for a good token"
shadow carol '!*' "$TODAY"
account_shuts "sshd: one that expires today does"
shadow carol '!*' $((TODAY + 2))
ssh_accepts "sshd: one that has not expired yet opens" carol "$carol"
: >"/proc/$SSHD_PID/root/run/nologin"
account_shuts "sshd: none opens while the machine goes down"
rm "/proc/$SSHD_PID/root/run/nologin"

# mixed NAME ANSWER WANT: what a login as carol comes to, by examples/pam/mixed.
mixed() {
    local out
    out=$(printf '%s\n' "$2" | (apart "$POSTERN_BUILD/tests/support/pam_host" "$T/pam.d" mixed carol) 2>&1)
    case $out in "$3"*) ok "$1" ;; *) not_ok "$1"; echo "# $out" ;; esac
}
PASSWORD=Hunter2-Geheimnis ACCT_EXPIRED=13
hash=$(printf '%s' "$PASSWORD" | openssl passwd -6 -stdin)
shadow carol "$hash"
mixed "mixed: a token opens an account" "$carol" 'auth=0 account=0 '
mixed "mixed: so does its password" "$PASSWORD" 'auth=0 account=0 '
mixed "mixed: another password does not" "$PASSWORD." 'auth=7 '
shadow carol "$hash" 1
mixed "mixed: a token does not open one that has expired" "$carol" "auth=0 account=$ACCT_EXPIRED "
mixed "mixed: nor does its password" "$PASSWORD" "auth=0 account=$ACCT_EXPIRED "

# ---- sshd: many ----

# at_once COUNT LOGIN ALICE BOB FOLDER LOG LINE: so many logins by LOGIN at one time, of alice and of bob in turn; each is in as who it is, and LOG has
# LINE, in which %u stands for the user, so often as well.
at_once() {
    local n user running=() before in=0
    before=$(wc -l <"$6")
    for n in $(seq "$1"); do
        if [ $((n % 2)) = 0 ]; then "$2" alice "$3" >"$5/out.$n" & else "$2" bob "$4" >"$5/out.$n" & fi
        running+=($!)
    done
    wait "${running[@]}"
    for n in $(seq "$1"); do
        if [ $((n % 2)) = 0 ]; then user=alice; else user=bob; fi
        if [ "$(cat "$5/out.$n")" = $user ]; then in=$((in + 1)); else sed "s/^/# $user: /" "$5/out.$n"; fi
    done
    # shellcheck disable=SC2317
    said_so_often() {
        [ "$(tail -n "+$((before + 1))" "$2" | grep -c "${3//%u/alice}")" = $(($1 / 2)) ] &&
            [ "$(tail -n "+$((before + 1))" "$2" | grep -c "${3//%u/bob}")" = $((($1 + 1) / 2)) ]
    }
    [ $in = "$1" ] && wait_for 20 said_so_often "$1" "$6" "$7"
}
if at_once $SSH_AT_ONCE ssh_as "$alice" "$(token_for sshd sub='"bob"')" "$T/ssh" "$T/sshd.log" 'Accepted keyboard-interactive/pam for %u '; then
    ok "sshd: $SSH_AT_ONCE at a time, of two users"
else
    not_ok "sshd: $SSH_AT_ONCE at a time, of two users"
    tail -n 8 "$T/sshd.log" | sed 's/^/# /'
fi

# ---- PostgreSQL ----

PG_PORT=$(free_port)
bin=/usr/lib/postgresql/15/bin
chown postgres "$T/pg"
as_postgres() { (cd "$T/pg" && exec setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"); }
check "a cluster of PostgreSQL 15" as_postgres $bin/initdb -D "$T/pg/data" -U owner -A trust -N
echo 'local all owner trust' | cat - "$hosts/postgresql15/etc/postgresql/15/main/pg_hba.conf.add" >"$T/pg/data/pg_hba.conf"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout "$T/pg/server.key" -out "$T/pg/server.crt" \
    >"$T/openssl.log" 2>&1 && chown postgres "$T/pg/server.key" "$T/pg/server.crt" || exit 1
: >"$T/pg.log"
(cd "$T/pg" && apart setpriv --reuid=postgres --regid=postgres --clear-groups -- "${under_valgrind[@]}" $bin/postgres -D "$T/pg/data" -p "$PG_PORT" -c listen_addresses=127.0.0.1 \
    -c "unix_socket_directories=$T/pg" -c fsync=off -c log_connections=on -c shared_buffers=16MB \
    -c ssl=on -c "ssl_cert_file=$T/pg/server.crt" -c "ssl_key_file=$T/pg/server.key") >>"$T/pg.log" 2>&1 &
PG_PID=$!
pids+=("$PG_PID")
pg_is_ready() { $bin/pg_isready -q -h "$T/pg" -p "$PG_PORT" -U owner; }
wait_for 20 pg_is_ready || { echo "not ok - PostgreSQL starts"; exit 1; }
check "roles" $bin/psql -q -h "$T/pg" -p "$PG_PORT" -U owner -d postgres -c 'CREATE ROLE agents; CREATE ROLE alice LOGIN IN ROLE agents; CREATE ROLE bob LOGIN IN ROLE agents'
# pg_as ROLE TOKEN
pg_as() {
    local f
    f=$(mktemp "$T/pg/pass.XXXXXX")
    printf '127.0.0.1:%s:*:*:%s\n' "$PG_PORT" "$2" >"$f"
    PGPASSFILE=$f timeout 60 $bin/psql -w -X -A -t -h 127.0.0.1 -p "$PG_PORT" -U "$1" -d postgres -c 'SELECT current_user' 2>&1
    rm -f "$f"
}
pg_accepts() {
    local before out
    before=$(wc -l <"$T/pg.log")
    out=$(pg_as "$2" "$3")
    if [ "$out" = "$2" ] && wait_for 20 log_has "$before" "$T/pg.log" "connection authorized: user=$2 "; then ok "$1"; else not_ok "$1"; echo "# $out"; fi
}
pg_refuses() { # NAME ROLE TOKEN REASON [LINE]
    local before out
    before=$(wc -l <"$T/pg.log")
    out=$(pg_as "$2" "$3")
    case $out in *"PAM authentication failed for user \"$2\""*) ;; *) not_ok "$1"; echo "# $out"; return ;; esac
    wait_for 20 log_has "$before" "$T/pg.log" "pam_authenticate failed: ${5:-Authentication failure}" || { not_ok "$1: PostgreSQL's log"; return; }
    [ -z "$4" ] || [[ $(last_record) == *"\"reason\":\"$4\""* ]] || { not_ok "$1 ($4)"; last_record | sed 's/^/# /'; return; }
    ok "$1"
}
sql=$(token_for postgresql sub='"alice"')
pg_accepts "PostgreSQL: a token opens its role" alice "$sql"
pg_accepts "PostgreSQL: bob's opens his" bob "$(token_for postgresql sub='"bob"')"
pg_refuses "PostgreSQL: bob's token never opens alice's role" alice "$(token_for postgresql sub='"bob"')" authzid
pg_refuses "PostgreSQL: a token for another audience" alice "$alice" aud
pg_refuses "PostgreSQL: an expired token" alice "$(token_for postgresql sub='"alice"' exp=$(($(date +%s) - 1)))" expired
pg_refuses "PostgreSQL: a token without the scope" alice "$(token_for postgresql sub='"alice"' scope='"x"')" insufficient_scope
pg_accepts "PostgreSQL: a token of 15 KB" alice "$(of_size postgresql 15000)"
before=$(records)
pg_refuses "PostgreSQL: a token of more than 16 KiB" alice "${sql%%.*}.$(head -c 17000 /dev/zero | tr '\0' x).x" ''
pg_refuses "PostgreSQL: a person's password" alice 'Hunter2-Geheimnis' ''
if [ "$(records)" = "$before" ]; then ok "PostgreSQL: of neither the helper has a record"; else not_ok "PostgreSQL: of neither the helper has a record"; fi
if at_once $AT_ONCE pg_as "$sql" "$(token_for postgresql sub='"bob"')" "$T/pg" "$T/pg.log" 'connection authorized: user=%u '; then
    ok "PostgreSQL: $AT_ONCE at a time, of two users"
else
    not_ok "PostgreSQL: $AT_ONCE at a time, of two users"
    tail -n 8 "$T/pg.log" | sed 's/^/# /'
fi
# Any driver: its password is the token.
driver() { # ROLE TOKEN
    printf '%s' "$2" | timeout 60 /usr/bin/python3 -c '
import sys, psycopg2
db = psycopg2.connect(host="127.0.0.1", port=sys.argv[1], user=sys.argv[2], dbname="postgres", password=sys.stdin.read(), sslmode="require")
with db.cursor() as cursor:
    cursor.execute("SELECT current_user")
    print(cursor.fetchone()[0])' "$PG_PORT" "$1" 2>&1
}
pg_as() { driver "$@"; }
pg_accepts "PostgreSQL: psycopg2 logs in with a token" alice "$sql"
pg_refuses "PostgreSQL: and not with one for another audience" alice "$alice" aud

# ---- five hundred of each ----

# Both have a process of its own for each login: what could grow is who starts these, and posternd.
# grew NAME PID KIB COUNT LOGIN...: COUNT logins by LOGIN, of which the first tenth is not looked at.
grew() {
    local name=$1 pid=$2 bound=$3 count=$4 fds kib posternd_fds posternd_kib
    shift 4
    check "$name: $count logins: the first $((count / 10))" "$@" $((count / 10))
    wait_for 20 no_children "$pid" # of whom some may still be ending
    fds=$(family_fds "$pid") kib=$(family_kib "$pid") posternd_fds=$(family_fds "$POSTERND_PID") posternd_kib=$(family_kib "$POSTERND_PID")
    check "$name: $count logins: the others" "$@" $((count - count / 10))
    check "$name: no descriptor more ($fds before)" wait_for 20 few_fds "$pid" "$fds"
    check "$name: nor in posternd ($posternd_fds before)" wait_for 20 few_fds "$POSTERND_PID" $((posternd_fds + MANY_FDS))
    kib=$(($(family_kib "$pid") - kib)) posternd_kib=$(($(family_kib "$POSTERND_PID") - posternd_kib))
    check "$name: no more memory ($kib KiB)" test $kib -le "$bound"
    check "$name: nor in posternd ($posternd_kib KiB)" test $posternd_kib -le $MANY_KIB
}
no_children() { ! pgrep -P "$1" -f "${CHILDREN:-.}" >/dev/null; }
ssh_many() { # COUNT: four at a time; the usual key exchange takes longer than all the rest
    local w i running=()
    for w in 1 2 3 4; do
        for ((i = w; i <= $1; i += 4)); do [ "$(ssh_as alice "$alice" -o KexAlgorithms=curve25519-sha256)" = alice ] || echo "$i"; done >"$T/ssh/many.$w" &
        running+=($!)
    done
    wait "${running[@]}"
    cat "$T"/ssh/many.*
    ! grep -qh . "$T"/ssh/many.*
}
pg_many() { # COUNT: one program, four at a time
    printf '%s' "$sql" | timeout 120 /usr/bin/python3 -c '
import sys, psycopg2
from concurrent.futures import ThreadPoolExecutor
token = sys.stdin.read()
def login(n):
    db = psycopg2.connect(host="127.0.0.1", port=sys.argv[1], user="alice", dbname="postgres", password=token, sslmode="require")
    with db.cursor() as cursor:
        cursor.execute("SELECT current_user")
        who = cursor.fetchone()[0]
    db.close()
    return who
with ThreadPoolExecutor(4) as pool:
    assert set(pool.map(login, range(int(sys.argv[2])))) == {"alice"}' "$PG_PORT" "$1"
}
if [ -z "${POSTERN_VALGRIND:-}" ]; then
    grew sshd "$SSHD_PID" 64 500 ssh_many
    CHILDREN='postgres: alice' grew PostgreSQL "$PG_PID" 512 500 pg_many
fi

# ---- process lists, with all that the servers can log ----

pg_is_wordy() { pg_as alice "$sql" && grep -q 'DEBUG: ' "$T/pg.log"; }
watched() {
    local n
    for n in 1 2 3; do
        [ "$(ssh_as alice "$alice")" = alice ] && [ "$(pg_as alice "$sql")" = alice ] || return 1
        grep -q denied <<<"$(ssh_as alice "$carol")" && grep -q 'PAM authentication failed' <<<"$(pg_as alice "$sqls_bob")" || return 1
    done
}
if [ -z "${POSTERN_VALGRIND:-}" ]; then
    echo "log_min_messages = 'debug5'" >>"$T/pg/data/postgresql.conf"
    kill -HUP "$PG_PID"
    check "PostgreSQL logs all that it can" wait_for 20 pg_is_wordy
    sqls_bob=$(token_for postgresql sub='"bob"')
    unseen "in no process list is a piece of a token" watched
    sed -i '/log_min_messages/d' "$T/pg/data/postgresql.conf"
    kill -HUP "$PG_PID"
fi

# ---- nobody to ask ----

server_stop "$POSTERND_PID"
ssh_refuses "sshd: a helper that is away is no bad password" alice "$alice" '' "$UNAVAIL"
pg_refuses "PostgreSQL: likewise" alice "$sql" '' "$UNAVAIL"
posternd_start
ssh_accepts "sshd: and the next login comes in" alice "$alice"
pg_accepts "PostgreSQL: and the next login comes in" alice "$sql"

# ---- an issuer that is away: the helper has no key of it yet ----

server_stop "$POSTERND_PID"
ISSUER=http://127.0.0.1:$(free_port)
printf '%s\n' "issuer: $ISSUER" 'allow_loopback_http: yes' 'clock_skew: 0s' >"$T/etc/issuers/test.conf"
cp "$T/run/test-jwks.json" "$T/jwks"
alice_there=$(token_for sshd sub='"alice"') sql_there=$(token_for postgresql sub='"alice"')
# pg_together NAME LINE ANSWER: AT_ONCE of them; each client hears ANSWER, and PostgreSQL has LINE for each.
pg_together() {
    local n before running=() heard
    before=$(wc -l <"$T/pg.log")
    for n in $(seq $AT_ONCE); do
        pg_as alice "$sql_there" >"$T/pg/out.$n" &
        running+=($!)
    done
    wait "${running[@]}"
    heard=$(cat "$T"/pg/out.* | grep -cE -- "$3")
    # shellcheck disable=SC2317
    pg_said_all() { [ "$(tail -n "+$((before + 1))" "$T/pg.log" | grep -cE -- "$1")" = $AT_ONCE ]; }
    if [ "$heard" = $AT_ONCE ] && wait_for 20 pg_said_all "$2"; then ok "$1"; else not_ok "$1: $heard"; head -n 3 "$T"/pg/out.*; tail -n 8 "$T/pg.log" | sed 's/^/# /'; fi
}
posternd_start
ssh_refuses "sshd: an issuer that is away is no bad password" alice "$alice_there" keys_unavailable "$UNAVAIL"
pg_refuses "PostgreSQL: likewise" alice "$sql_there" keys_unavailable "$UNAVAIL"
pg_together "PostgreSQL: $AT_ONCE at a time while the issuer is away" "pam_authenticate failed: $UNAVAIL" 'PAM authentication failed for user "alice"'
issuer_start
keys_are_there() { handle_for "$alice_there" | grep -q '^pst_'; }
check "the issuer is back" wait_for 40 keys_are_there
ssh_accepts "sshd: and the next login comes in" alice "$alice_there"
pg_together "PostgreSQL: and $AT_ONCE at a time" 'connection authorized: user=alice ' '^alice$'
secret_too "$handle"
canary
done_testing
