# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh's and room.sh's variables; the tests'
# SPDX-License-Identifier: BSD-2-Clause
# What every host in a room is asked, in one place, so that no host is asked less than another.  Sourced after room.sh and lib.sh by a test
# that then defines
#
#   login USER TOKEN     a client's login as USER; what the client said, on stdout
#   is_in USER ANSWER    the answer is that of a login as USER (or, where clients do not hear who they are, of a login)
#   AUDIENCE             of the service file
#   SERVICE              its name, as the log has it
#   HOST_LOG             files in which the host's lines are (an array)
#   SAID_IN              the host's own line of a login, an extended regular expression in which %u stands for the user
#   SAID_NO SAID_LATER   the host's own line of a refusal, and of a login that could not be decided; empty: the plugin's line is all it has
#   HEARD_NO HEARD_LATER what the client said then
#   SAID_OTHER HEARD_OTHER the same where the token is another user's or nobody's here, if that is another error
#   SAID_LONG HEARD_LONG the same for a token that is too long: more than 16 KiB, which our client plugin does not even send, or OVERSIZE
#   long_login USER TOKEN  where the client does not send a token that is too long: one that does, with the answer of `login`; and
#   SAID_SENT HEARD_SENT   what is said and heard then, if not the plugin's line with reason=limit and SAID_NO, and HEARD_NO
#   LONG_TOKEN           bytes of a token that the host does take, if not 12000
#   FOLDS=yes            it takes ALICE for alice: then a token for ALICE must not come in
#   HOST_PID             the host's process (children and grandchildren are counted with it)

# host_files NAME...: the files of examples/hosts/NAME, as an administrator puts them on a machine, and the users that they name.
host_files() {
    local name f
    for name; do
        [ -e "$TOP/examples/hosts/$name/about" ] || { echo "not ok - there is no example for $name"; exit 1; }
        while read -r f; do
            case $f in
            about) ;;
            *.add) mkdir -p "$(dirname "$ROOM/$f")" && cat "$TOP/examples/hosts/$name/$f" >>"$ROOM/${f%.add}" || exit 1 ;;
            *) install -D -m 644 "$TOP/examples/hosts/$name/$f" "$ROOM/$f" || exit 1 ;;
            esac
        done < <(cd "$TOP/examples/hosts/$name" && find . -type f -printf '%P\n' | sort)
    done
    systemd-sysusers --root="$ROOM" >"$T/sysusers.log" 2>&1 || { cat "$T/sysusers.log"; exit 1; }
}

# The issuer `test` publishes its keys by http on the room's loopback, so that it can be away.
ISSUER=http://127.0.0.1:9000
issuer_config() {
    "$token_tool" key >"$T/issuer.pem"
    "$token_tool" jwks "$T/issuer.pem" >"$T/jwks"
    printf '%s\n' "issuer: $ISSUER" 'allow_loopback_http: yes' 'clock_skew: 0s' >"$ROOM/etc/postern/issuers/test.conf"
    [ -e "$ROOM/etc/postern/postern.conf" ] || : >"$ROOM/etc/postern/postern.conf"
    mkdir -p "$ROOM/var/log/postern"
    AUDIT=$ROOM/var/log/postern/audit.jsonl
    ln -s "$AUDIT" "$T/audit.jsonl" # where lib.sh looks
}
# A test that has no room, and no loopback of its own, sets ISSUER to another port.
issuer_answers() { (exec 3<>"/dev/tcp/127.0.0.1/${ISSUER##*:}") 2>/dev/null; }
issuer_start() {
    python3 - "$ISSUER" "$T/jwks" <<'P' >>"$T/issuer.log" 2>&1 &
import http.server, sys
keys = open(sys.argv[2]).read().encode()
metadata = b'{"issuer":"%s","jwks_uri":"%s/jwks"}' % ((sys.argv[1].encode(),) * 2)
class Issuer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = keys if self.path == "/jwks" else metadata
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1].rpartition(":")[2])), Issuer).serve_forever()
P
    ISSUER_PID=$!
    pids+=("$ISSUER_PID")
    wait_for 20 issuer_answers || { echo "not ok - the issuer starts"; exit 1; }
}

# host_token USER [CLAIM=JSON ...]: lib.sh's token for this host.
host_token() {
    local user=$1
    shift
    token "$SERVICE" "sub=\"$user\"" "aud=\"$AUDIENCE\"" "$@"
}
# host_token_of BYTES USER: a little longer, since base64 makes 4 bytes of 3.
host_token_of() { host_token "$2" "pad=\"$(head -c $(($1 * 3 / 4)) /dev/zero | tr '\0' x)\""; }

# Lines that the host wrote since `mark`.
marks=()
mark() {
    local f
    marks=()
    for f in "${HOST_LOG[@]}"; do marks+=("$(stat -c %s "$f" 2>/dev/null || echo 0)"); done
}
said() {
    local i
    for i in "${!HOST_LOG[@]}"; do tail -c "+$((marks[i] + 1))" "${HOST_LOG[i]}" 2>/dev/null; done
}
says() { grep -qaE -- "$1" <(said); } # no pipe: it would fail by SIGPIPE where grep has seen enough

show() { # what a failed case had to say
    echo "# client: ${1:0:400}"
    said | tail -n 12 | cut -c 1-300 | sed 's/^/# host: /'
    tail -n 1 "$AUDIT" | cut -c 1-600 | sed 's/^/# audit: /'
}
# host_accepts NAME USER TOKEN
host_accepts() {
    local answer
    mark
    answer=$(login "$2" "$3" 2>&1)
    if is_in "$2" "$answer" && wait_for 20 says "${SAID_IN//%u/$2}"; then ok "$1"; else not_ok "$1"; show "$answer"; fi
}
# host_rejects NAME REASON USER TOKEN: the client hears no, the host has its own line and the plugin's with reason and ref, the audit has it.
host_rejects() {
    local answer ref
    mark
    answer=$(login "$3" "$4" 2>&1)
    if ! is_in "$3" "$answer" && grep -qE -- "$HEARD_NO" <<<"$answer" && wait_for 20 says "service=$SERVICE outcome=rejected reason=$2 ref=R-" &&
        { [ -z "$SAID_NO" ] || wait_for 20 says "${SAID_NO//%u/$3}"; }; then
        ref=$(said | grep -aF "outcome=rejected reason=$2 " | grep -ao 'R-[0-9A-Z]\{10\}' | tail -n 1)
        if audited "$ref" reason "$2"; then ok "$1 ($2)"; else not_ok "$1 ($2): the audit has it"; show "$answer"; fi
    else
        not_ok "$1 ($2)"
        show "$answer"
    fi
}
# host_oversize NAME TOKEN
host_oversize() {
    local answer
    mark
    answer=$(login alice "$2" 2>&1)
    if ! is_in alice "$answer" && grep -qE -- "$HEARD_LONG" <<<"$answer" && { [ -z "$SAID_LONG" ] || wait_for 20 says "$SAID_LONG"; }; then ok "$1"; else not_ok "$1"; show "$answer"; fi
}
# host_takes_none_sent NAME TOKEN: a token that is too long from a client that sends it; the helper is not asked.
host_takes_none_sent() {
    local answer before line=${SAID_SENT:-service=$SERVICE outcome=rejected reason=limit ref=-}
    mark
    before=$(records)
    answer=$(long_login alice "$2" 2>&1)
    if ! is_in alice "$answer" && grep -qE -- "${HEARD_SENT:-$HEARD_NO}" <<<"$answer" && wait_for 20 says "$line" &&
        { [ -n "${SAID_SENT:-}" ] || [ -z "$SAID_NO" ] || wait_for 20 says "${SAID_NO//%u/alice}"; } && [ "$(records)" = "$before" ]; then ok "$1"; else not_ok "$1"; show "$answer"; fi
}
# host_undecided NAME REASON USER TOKEN: the host's temporary failure, and no word of bad credentials.
host_undecided() {
    local answer
    mark
    answer=$(login "$3" "$4" 2>&1)
    if ! is_in "$3" "$answer" && grep -qE -- "$HEARD_LATER" <<<"$answer" && wait_for 20 says "service=$SERVICE outcome=undecided reason=$2" &&
        { [ -z "$SAID_LATER" ] || wait_for 20 says "${SAID_LATER//%u/$3}"; }; then
        ok "$1 ($2)"
    else
        not_ok "$1 ($2)"
        show "$answer"
    fi
}

# cases_login: whom a host lets in and whom not.
cases_login() {
    local now long
    now=$(date +%s)
    long=$(host_token_of "${LONG_TOKEN:-12000}" alice)
    : "${OVERSIZE:=eyJ0eXAiOiJhdCtqd3QifQ.$(head -c 17000 /dev/zero | tr '\0' x).x}"
    ALICE=$(host_token alice "exp=$((now + 1800))") BOB=$(host_token bob "exp=$((now + 1800))")
    host_accepts "accept: alice's token logs alice in" alice "$ALICE"
    host_accepts "accept: bob's token logs bob in" bob "$BOB"
    host_rejects "wrong audience" aud alice "$(host_token alice 'aud="https://else.example.org/'"$SERVICE"'"')"
    host_rejects "expired" expired alice "$(host_token alice "exp=$((now - 1))")"
    SAID_NO=${SAID_OTHER:-$SAID_NO} HEARD_NO=${HEARD_OTHER:-$HEARD_NO} host_rejects "wrong user: alice with bob's token" authzid alice "$BOB"
    [ "${FOLDS:-}" != yes ] || SAID_NO=${SAID_OTHER:-$SAID_NO} HEARD_NO=${HEARD_OTHER:-$HEARD_NO} host_rejects "a token for ALICE, who would be alice here" no_mapping ALICE "$(host_token ALICE)"
    host_accepts "accept: a token of ${#long} bytes" alice "$long"
    host_oversize "oversize: a token of ${#OVERSIZE} bytes" "$OVERSIZE"
    [ "$(type -t long_login)" != function ] || host_takes_none_sent "oversize: the same from a client that sends it" "$OVERSIZE"
    host_accepts "and the next login comes in" alice "$ALICE"
}

# cases_concurrent: twenty at a time, two users, no swap.  Under valgrind it is eight, which with the other cases are twenty.
AT_ONCE=20
[ -z "${POSTERN_VALGRIND:-}" ] || AT_ONCE=8
concurrent_said() {
    [ "$(said | grep -caE -- "${SAID_IN//%u/alice}")" -ge $((AT_ONCE / 2)) ] && [ "$(said | grep -caE -- "${SAID_IN//%u/bob}")" -ge $((AT_ONCE / 2)) ]
}
cases_concurrent() {
    local n running=() user in=0
    mark
    for n in $(seq $AT_ONCE); do
        if [ $((n % 2)) = 0 ]; then login alice "$ALICE" >"$T/at-once.$n" 2>&1 & else login bob "$BOB" >"$T/at-once.$n" 2>&1 & fi
        running+=($!)
    done
    wait "${running[@]}"
    for n in $(seq $AT_ONCE); do
        if [ $((n % 2)) = 0 ]; then user=alice; else user=bob; fi
        if is_in $user "$(cat "$T/at-once.$n")"; then in=$((in + 1)); else sed "s/^/# $user: /" "$T/at-once.$n"; fi
    done
    if [ $in = $AT_ONCE ] && wait_for 20 concurrent_said; then ok "$AT_ONCE at a time, of two users"; else not_ok "$AT_ONCE at a time, of two users: $in"; show ''; fi
}

# Processes below one, with it; their descriptors, and their memory in KiB.
family() {
    local p
    echo "$1"
    for p in $(pgrep -P "$1"); do family "$p"; done
}
family_fds() {
    local p n=0
    for p in $(family "$1"); do n=$((n + $(find "/proc/$p/fd" -mindepth 1 2>/dev/null | wc -l))); done
    echo $n
}
family_kib() { # private and written to: the rest is shared, and counts for more when others end
    local p n=0
    for p in $(family "$1"); do n=$((n + $(awk '/^Private_Dirty:/ { print $2 }' "/proc/$p/smaps_rollup" 2>/dev/null || echo 0))); done
    echo $n
}
# logins N: one after the other, four at a time; a test with a client that is faster has its own.
logins() {
    local i w running=()
    for w in 1 2 3 4; do
        for ((i = w; i <= $1; i += 4)); do is_in alice "$(login alice "$ALICE" 2>&1)" || echo "$i"; done >"$T/logins.$w" &
        running+=($!)
    done
    wait "${running[@]}"
    ! grep -qh . "$T"/logins.[1-4]
}
# cases_many: 500 logins.  After the first 100 a host has what it keeps; 4 KiB a login of the other 400 would be 1600 KiB, which is the
# bound; a descriptor a login would be 400, and 4 is what may be open by chance.  A sanitizer keeps freed memory, so there it is a fifth
# of the logins, and descriptors alone.
MANY_WARM=100 MANY_MORE=400 MANY_KIB=1600 MANY_FDS=4
few_fds() { [ "$(family_fds "$1")" -le "$2" ]; }
cases_many() {
    local fds posternd_fds kib posternd_kib warm=$MANY_WARM more=$MANY_MORE
    [ -z "${POSTERN_VALGRIND:-}" ] || return 0
    [ "${POSTERN_SANITIZED:-}" != address ] || warm=$((warm / 5)) more=$((more / 5))
    check "$((warm + more)) logins: the first $warm" logins $warm
    fds=$(family_fds "$HOST_PID") posternd_fds=$(family_fds "$POSTERND_PID")
    kib=$(family_kib "$HOST_PID") posternd_kib=$(family_kib "$POSTERND_PID")
    check "$((warm + more)) logins: the other $more" logins $more
    check "no descriptor more in the host ($fds before)" wait_for 20 few_fds "$HOST_PID" $((fds + MANY_FDS))
    check "nor in posternd ($posternd_fds before)" wait_for 20 few_fds "$POSTERND_PID" $((posternd_fds + MANY_FDS))
    [ "${POSTERN_SANITIZED:-}" != address ] || return 0
    kib=$(($(family_kib "$HOST_PID") - kib)) posternd_kib=$(($(family_kib "$POSTERND_PID") - posternd_kib))
    if [ $kib -le $MANY_KIB ]; then ok "no more memory in the host ($kib KiB)"; else not_ok "no more memory in the host ($kib KiB)"; fi
    if [ $posternd_kib -le $MANY_KIB ]; then ok "nor in posternd ($posternd_kib KiB)"; else not_ok "nor in posternd ($posternd_kib KiB)"; fi
}

# cases_away: nobody to ask, for posternd first, which has no key yet, and then for the host.
cases_away() {
    server_stop "$ISSUER_PID" "$POSTERND_PID"
    room_posternd
    host_undecided "issuer down" "${ISSUER_DOWN:-keys_unavailable}" alice "$ALICE"
    issuer_start
    wait_for 40 in_again || not_ok "issuer back: logins work again"
    host_accepts "issuer back: logins work again" alice "$ALICE"
    server_stop "$POSTERND_PID"
    host_undecided "posternd down" helper_unavailable alice "$ALICE"
    room_posternd
    wait_for 20 in_again || not_ok "posternd back: logins work again"
    host_accepts "posternd back: logins work again" alice "$ALICE"
}
in_again() { is_in alice "$(login alice "$ALICE" 2>&1)"; }

# cases_end: nothing of a token anywhere.
cases_end() {
    check "the host is alive" kill -0 "$HOST_PID"
    canary
    canary_memory
}
