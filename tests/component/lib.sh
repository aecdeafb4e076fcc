# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What component tests share: a temporary posternd that trusts a test issuer (tests/support/token_tool signs whatever a test wants), real
# servers from examples/quickstart/servers.sh, and TAP lines.  Environment: POSTERN_BUILD, POSTERN_SERVERS, TOP (tests/run sets them).

: "${POSTERN_BUILD:?the build folder}" "${TOP:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
T=$(mktemp -d "${TMPDIR:-/tmp}/postern-component.XXXXXX")
chmod 755 "$T"
R=${POSTERN_SERVERS:-$T/root}
HELPER=$T/run/helper.sock
AUDIT=$T/audit.jsonl
PLUGIN=$POSTERN_BUILD/.libs/liboauthbearer.so
[ -e "$PLUGIN" ] || PLUGIN=$POSTERN_BUILD/sasl-plugin/.libs/liboauthbearer.so
# shellcheck disable=SC2034 # for the tests
postern=$POSTERN_BUILD/postern posternd=$POSTERN_BUILD/posternd token_tool=$POSTERN_BUILD/tests/support/token_tool
finder=$POSTERN_BUILD/tests/support/canary
ISSUER=https://sso.test.example
pids=()
# Under sanitizers the hosts get clang's runtime preloaded, since our plugin in them needs it.
if [ "${POSTERN_SANITIZED:-}" = address ]; then
    POSTERN_HOST_PRELOAD=$(clang -print-file-name=libclang_rt.asan-x86_64.so)
    export POSTERN_HOST_PRELOAD
fi
# Seconds for a client's program.  With a preloaded runtime some hang when all is said, in a destructor, until they are ended.
# shellcheck disable=SC2034 # for the tests
PATIENCE=60
[ -z "${POSTERN_SANITIZED:-}" ] || PATIENCE=25
# For test_valgrind_hosts.sh a host runs under memcheck, its processes too, with a log for each in the folder POSTERN_VALGRIND.  A module may
# be unloaded before the end, and a leak of it must still have names.  What this slows is waited for longer.
under_valgrind=()
if [ -n "${POSTERN_VALGRIND:-}" ]; then
    # shellcheck disable=SC2034 # for room.sh and the tests
    under_valgrind=(valgrind --tool=memcheck -v --trace-children=yes "--trace-children-skip=/bin/sh,/usr/bin/id" --vgdb=no --leak-check=full
        --show-leak-kinds=definite,indirect --keep-debuginfo=yes --num-callers=40 "--log-file=$POSTERN_VALGRIND/%p.log")
    SLOWER=6
elif [ -n "${POSTERN_SANITIZED:-}" ]; then
    SLOWER=3
fi
# shellcheck source=examples/quickstart/servers.sh
. "$TOP/examples/quickstart/servers.sh"

# Hosts have time to look for their leaks, and the logins are left to be counted: all of them, since posternd has ended.
finish_valgrind() {
    # shellcheck disable=SC2317
    none_runs() { for p in "${pids[@]}"; do ! kill -0 "$p" || return 1; done; }
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
    wait_for 10 none_runs
    cp "$T/audit.jsonl" "$POSTERN_VALGRIND/audit"
}
finish() {
    local status=$?
    trap - EXIT
    [ -z "${POSTERN_VALGRIND:-}" ] || finish_valgrind
    [ ${#pids[@]} = 0 ] || server_stop "${pids[@]}"
    [ "$status" = 0 ] || for f in "$T"/*.log; do echo "# --- $f"; tail -n 25 "$f" | sed 's/^/# /'; done
    [ -z "${ROOM:-}" ] || room_close
    rm -rf --one-file-system "$T"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

failures=0
ok() { echo "ok - $*"; }
not_ok() { echo "not ok - $*"; failures=$((failures + 1)); }
# check NAME COMMAND...: passes when the command does; its output is shown when not.
check() {
    local name=$1
    shift
    if "$@" >"$T/check.out" 2>&1; then ok "$name"; else not_ok "$name"; sed 's/^/# /' "$T/check.out"; fi
}
# refuses NAME COMMAND...: passes when the command fails.
refuses() {
    local name=$1
    shift
    if "$@" >"$T/check.out" 2>&1; then not_ok "$name"; sed 's/^/# /' "$T/check.out"; else ok "$name"; fi
}
done_testing() { [ $failures = 0 ]; }

# free_port: one that no other test on this machine has, nor gets while this one runs.
free_port() { python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import daemon; print(daemon.free_port())' "$TOP/tests/component"; }

# wait_for SECONDS COMMAND...: until it succeeds.  What comes is not waited for longer than it takes, so SECONDS are what never is too little,
# also where other tests run beside this one: 20.  A pipe into grep -q is no such COMMAND: with pipefail it fails by SIGPIPE where grep has
# seen enough; `grep -q PATTERN < <(command)` is one.
wait_for() {
    local end=$((SECONDS + $1 * ${SLOWER:-1} + 1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

# config_base: postern.conf, the test issuer and its key.  Services are written by the test.
config_base() {
    mkdir -p "$T/etc/issuers" "$T/etc/services" "$T/run"
    "$token_tool" key >"$T/issuer.pem"
    "$token_tool" jwks "$T/issuer.pem" >"$T/run/test-jwks.json"
    printf '%s\n' "helper_socket: $HELPER" 'helper_user: 64711' 'issuer_user: 64712' 'audit_user: 64713' 'door_user: 64714' \
        'control_user: 64715' "control_socket: $T/run/control.sock" "blocks_file: $T/state/control/blocks" \
        "door_cert_file: $T/run/door-cert.pem" "audit_file: $T/audit.jsonl" "audit_key_dir: $T/state/audit" >"$T/etc/postern.conf"
    printf '%s\n' "issuer: $ISSUER" "jwks_file: $T/run/test-jwks.json" 'clock_skew: 0s' >"$T/etc/issuers/test.conf"
}

# service NAME LINES...: services/NAME.conf with audience https://localhost/NAME.
service() {
    local name=$1
    shift
    printf '%s\n' "audience: https://localhost/$name" 'issuers: test' "$@" >"$T/etc/services/$name.conf"
}

posternd_start() {
    local before
    before=$(posternd_readies)
    "$posternd" --config "$T/etc" >>"$T/posternd.log" 2>&1 &
    POSTERND_PID=$!
    pids+=("$POSTERND_PID")
    wait_for 20 posternd_is_ready "$before" || { echo "not ok - posternd starts"; exit 1; }
}
posternd_readies() { grep -cx 'posternd: ready' "$T/posternd.log" 2>/dev/null || :; }
posternd_is_ready() { [ "$(posternd_readies)" -gt "${1:-0}" ]; } # BEFORE: once more than so often
# posternd_reload: when it is ready, by the configuration as it stands now and by no other.
posternd_reload() {
    local before
    before=$(posternd_readies)
    kill -HUP "$POSTERND_PID"
    wait_for 20 posternd_is_ready "$before"
}
# stop_process PID: it stands still; kill -CONT goes on with it.
stop_process() { kill -STOP "$1" && wait_for 20 stands_still "$1"; }
stands_still() { grep -q '^State:[[:space:]]*T' "/proc/$1/status"; }

# token SERVICE [CLAIM=JSON ...]: claims of RFC 9068 for agent-7; CLAIM= (empty) leaves one out.  Each is noted for `canary`.
token() {
    local service=$1 now claims name made
    shift
    now=$(date +%s)
    declare -A c=([iss]="\"$ISSUER\"" [sub]='"agent-7"' [client_id]='"agent-7"' [aud]="\"https://localhost/$service\"" [iat]=$now
        [exp]=$((now + 300)) [jti]="\"$RANDOM-$RANDOM\"" [scope]='"ldap.read mail.read"')
    local typ=at+jwt key=$T/issuer.pem
    for name; do
        case $name in
        typ=*) typ=${name#*=} ;;
        key=*) key=${name#*=} ;;
        *=) unset "c[${name%=}]" ;;
        *) c[${name%%=*}]=${name#*=} ;;
        esac
    done
    claims=
    for name in "${!c[@]}"; do claims+="${claims:+,}\"$name\":${c[$name]}"; done
    made=$(printf '{%s}' "$claims" | "$token_tool" sign "$key" "$typ") || return
    printf '%s\n' "$made" >>"$T/minted"
    printf %s "$made"
}
# padded TOKEN-SERVICE BYTES: a token of at least that size.
padded() { token "$1" "pad=\"$(head -c "$2" /dev/zero | tr '\0' x)\""; }

last_ref() { grep -o 'R-[0-9A-Z]\{10\}' "$1" | tail -n 1; }
# audited REF MEMBER VALUE: the audit record of REF has "MEMBER":"VALUE".  In a stream it stands in the file some milliseconds after its
# decision was told.
audited() { [ -n "$1" ] && wait_for 20 has_record "$@"; }
has_record() { grep -qF "\"$2\":\"$3\"" <<<"$(grep -F "\"ref\":\"$1\"" "$AUDIT")"; }
# audit_settles: what the helper has decided until now stands in the record.  Records of one process keep their order, so one more is asked
# for and awaited: of a handle that is refused, which is no login, and not counted with them.
audit_settles() {
    local services=("$T"/etc/services/*.conf) ref
    [ -z "${ROOM:-}" ] || services=("$ROOM"/etc/postern/services/*.conf)
    ref=$(token nobody-has-this | "$postern" handle --service "$(basename "${services[0]}" .conf)" --socket "$HELPER" --helper-uid "$(id -u)" 2>&1 |
        grep -o 'R-[0-9A-Z]\{10\}')
    [ -n "$ref" ] && wait_for 20 grep -qF "\"ref\":\"$ref\"" "$AUDIT"
}
# Of logins: how many records there are, and the newest one.
records() { audit_settles || echo "not settled $RANDOM"; grep -c '"event":"verify"' "$AUDIT"; }
last_record() { audit_settles && grep '"event":"verify"' "$AUDIT" | tail -n 1; }
# No piece of any token in any log: every test ends with this.
secret_too() { printf '%s\n' "$@" >>"$T/minted"; } # SECRET...: what came to the test by other ways than `token`
canary() {                                           # twelve bytes of a payload or a signature, as they are or in base64, are a piece
    local f places=()
    while read -r f; do places+=("file:$f"); done < <(find "$T"/*.log "$T/audit.jsonl" ${ROOM:+"$ROOM/var/log"} -type f 2>/dev/null)
    if "$finder" scan "${places[@]}" <"$T/minted" >"$T/canary.out" 2>&1; then ok "no piece of a token in any log (${#places[@]})"; else
        not_ok "no piece of a token in any log"
        sed 's/^/# /' "$T/canary.out"
    fi
}
# unseen NAME COMMAND...: it succeeds, and meanwhile nobody's argv or environment has a piece of a token that was made before.
unseen() {
    local name=$1 watcher did=0 seen=0
    shift
    "$finder" watch <"$T/minted" >"$T/watch.out" 2>&1 &
    watcher=$!
    pids+=("$watcher")
    wait_for 20 grep -q watching "$T/watch.out"
    "$@" >"$T/check.out" 2>&1 || did=$?
    kill "$watcher"
    wait "$watcher" || seen=$?
    if [ $did = 0 ] && [ $seen = 0 ] && [ "$(awk '/rounds/ { print $1 }' "$T/watch.out")" -gt 3 ]; then ok "$name"; else
        not_ok "$name ($did, $seen)"
        sed 's/^/# /' "$T/check.out" "$T/watch.out"
    fi
}
# canary_memory: nor in the memory of posternd's processes, which is what a core of them would hold, some time after the last login.
canary_memory() {
    local p places=()
    [ -z "${POSTERN_SANITIZED:-}" ] || return 0 # a sanitizer keeps what was freed
    for p in "$POSTERND_PID" $(pgrep -P "$POSTERND_PID"); do places+=("pid:$p"); done
    # shellcheck disable=SC2317
    nothing_there() { "$finder" scan "${places[@]}" <"$T/minted" >"$T/canary.out" 2>&1; }
    if wait_for 20 nothing_there; then ok "nor in the memory of posternd (${#places[@]} processes)"; else
        not_ok "nor in the memory of posternd"
        sed 's/^/# /' "$T/canary.out"
        ps -o pid,comm -p "$(IFS=,; echo "${places[*]#pid:}")" | sed 's/^/# /'
    fi
}
