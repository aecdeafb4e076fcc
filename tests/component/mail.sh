# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # lib.sh's and room.sh's variables; functions for wait_for
# SPDX-License-Identifier: BSD-2-Clause
# What tests of mail hosts share, beside lib.sh and tests/hosts/room.sh: the hosts of examples/hosts in a room, an issuer whose keys come by
# HTTP so that it can be stopped, a certificate for mail.example.org, logins by mail_client.py and what hosts log of them.

# mail_room HOST...: the room with these folders of examples/hosts, syslog, an issuer and posternd.
mail_room() {
    : "${POSTERN_HOSTS:?a tree of tests/hosts/bookworm}"
    room_open "$POSTERN_HOSTS"
    room_config
    mail_issuer
    mail_certificate
    mail_examples "$@"
    room_syslog /var/spool/postfix
    room_posternd
}

# mail_examples HOST...: examples/hosts/HOST as examples/hosts/README says; lines are added to what the package brought.
mail_examples() {
    local e f to
    for e; do
        while read -r f; do
            to=$ROOM/$f
            f=$TOP/examples/hosts/$e/$f
            mkdir -p "$(dirname "$to")"
            case $f in
            *.add)
                to=${to%.add}
                cat "$POSTERN_HOSTS/${to#"$ROOM"/}" "$f" >"$to" || { echo "not ok - $f is for a file that is not there"; exit 1; }
                ;;
            *) cp "$f" "$to" ;;
            esac
        done < <(cd "$TOP/examples/hosts/$e" && find . -mindepth 2 -type f -printf '%P\n')
    done
}

# mail_issuer: serves the keys of the test issuer at http://127.0.0.1:8414.  Sets ISSUER_PID.
mail_issuer() {
    mkdir -p "$T/issuer"
    mv "$ROOM/etc/postern/test-jwks.json" "$T/issuer/jwks.json"
    printf '%s\n' "issuer: $ISSUER" 'jwks_uri: http://127.0.0.1:8414/jwks.json' 'allow_loopback_http: yes' 'clock_skew: 0s' \
        >"$ROOM/etc/postern/issuers/test.conf"
    mail_issuer_start
}
mail_issuer_start() {
    python3 -m http.server --bind 127.0.0.1 --directory "$T/issuer" 8414 >>"$T/issuer.log" 2>&1 &
    ISSUER_PID=$!
    pids+=("$ISSUER_PID")
    wait_for 20 mail_listens 8414 || { echo "not ok - the issuer starts"; exit 1; }
}
mail_listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# mail_certificate: for mail.example.org, by an authority in $T/ca.pem; where the examples say.
mail_certificate() {
    local e=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
    openssl req -x509 "${e[@]}" -subj '/CN=Test authority' -keyout "$T/ca.key" -out "$T/ca.pem" 2>/dev/null &&
        openssl req "${e[@]}" -subj /CN=mail.example.org -keyout "$ROOM/etc/ssl/mail.example.org.key" -out "$T/mail.csr" 2>/dev/null &&
        openssl x509 -req -in "$T/mail.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -days 2 -out "$ROOM/etc/ssl/mail.example.org.pem" \
            -extfile <(echo 'subjectAltName=DNS:mail.example.org,DNS:localhost') 2>/dev/null || exit 1
    chgrp mail "$ROOM/etc/ssl/mail.example.org.key" && chmod 640 "$ROOM/etc/ssl/mail.example.org.key"
    cp "$T/ca.pem" "$ROOM/etc/ssl/test-authority.pem"
}

# cyrus_run PORT...: as cyrus-imapd.service does, whose tmpfiles.d makes the folders below /run.
cyrus_run() {
    local p
    room install -d -o cyrus -g mail -m 755 /run/cyrus && room install -d -o cyrus -g mail -m 750 /run/cyrus/socket || exit 1
    # setsid: master ends with kill(0, SIGTERM), which would take this script along.
    room_host_exec setsid /usr/sbin/cyrmaster -l 32 -C /etc/imapd.conf -M /etc/cyrus.conf >"$T/cyrmaster.log" 2>&1 &
    CYRUS_PID=$!
    CYRUS_PORTS=("$@")
    pids+=("$CYRUS_PID")
    for p; do wait_for 20 mail_listens "$p" || { echo "not ok - cyrmaster listens on $p"; exit 1; }; done
}
# cyrus_end: its processes are told to end by the first one, which does not wait for them; until the last is gone its port is taken.
cyrus_end() {
    [ -n "${CYRUS_PID:-}" ] || return 0
    cyrus_stop "${CYRUS_PORTS[@]}" || { echo "not ok - Cyrus leaves its ports"; exit 1; }
    CYRUS_PID=
}

# mail_senders: beside the example's line of agent-7, those of the users that `together` logs in, and one of alice.
mail_senders() {
    local n
    for n in alice user-{0..19}; do echo "$n@mail.example.org $n"; done >>"$ROOM/etc/postfix/senders"
}
# refuses_sender NAME PROGRAM OWNER ADDRESS TOKEN [OPTIONS]: OWNER logs in and may not send from ADDRESS, as smtpd says to him and in its log.
refuses_sender() {
    local name=$1 program=$2 user=$3 address=$4 token=$5 status=0 no
    shift 5
    no="<$address>: Sender address rejected: not owned by user $user"
    mail_mark
    mail_login "$token" smtp "$user" --send --sender "$address" "$@" >"$T/login.out" 2>&1 || status=$?
    if [ $status = 1 ] && grep -qF "refused 553 5.7.1 $no" "$T/login.out" && wait_for 20 mail_says "$program" "NOQUEUE: reject: .*$no"; then ok "$name"; else
        not_ok "$name"
        { echo "status $status"; cat "$T/login.out"; tail -n +$((MARK + 1)) "$T/syslog.log"; } | sed 's/^/# /'
    fi
}

# postfix_run PORT...: as postfix@-.service does.
postfix_run() {
    local p
    if [ "${POSTERN_SANITIZED:-}" = address ]; then # smtpd gets what its configuration names, and the runtime must be there
        room postconf -e 'import_environment=MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS'
    fi
    if ! { room /usr/lib/postfix/configure-instance.sh - && room_host /usr/sbin/postmulti -i - -p start; } >"$T/postfix-start.log" 2>&1; then
        echo "not ok - postfix starts"
        exit 1
    fi
    for p; do wait_for 20 mail_listens "$p" || { echo "not ok - postfix listens on $p"; exit 1; }; done
}

# mail_token SERVICE [CLAIM=JSON ...]: for https://mail.example.org/SERVICE, with every scope of the examples.
mail_token() {
    local service=$1
    shift
    token "$service" "aud=\"https://mail.example.org/$service\"" 'scope="mail.read mail.send mail.filter"' "$@"
}
mail_padded() { mail_token "$1" "pad=\"$(head -c "$2" /dev/zero | tr '\0' x)\""; }

# mail_login TOKEN PROTOCOL USER [OPTIONS of mail_client.py]
mail_login() {
    local token=$1
    shift
    printf '%s' "$token" | python3 "$TOP/tests/component/mail_client.py" "$@" --ca "$T/ca.pem"
}

# What came to syslog since mail_mark, from the program PROGRAM.
mail_mark() { MARK=$(wc -l <"$T/syslog.log"); }
mail_said() { tail -n +$((MARK + 1)) "$T/syslog.log" | grep -aE " ($1)\[[0-9]+\]: "; }
mail_says() { grep -aqE -- "$2" < <(mail_said "$1"); } # PROGRAM REGEX

# accepts NAME PROGRAM LINE TOKEN PROTOCOL USER [OPTIONS]: logged in, and the host's own log has LINE of it, and the plugin's line where the
# host writes such (Postfix keeps what is neither warning nor error to itself).
accepts() {
    local name=$1 program=$2 line=$3 proved
    shift 3
    mail_mark
    if ! mail_login "$@" >"$T/login.out" 2>&1; then not_ok "$name"; sed 's/^/# /' "$T/login.out"; return 1; fi
    case $program in postfix*) proved=. ;; *) proved='postern: .*outcome=proved' ;; esac
    if wait_for 20 mail_says "$program" "$line" && wait_for 20 mail_says "$program" "$proved"; then ok "$name"; else
        not_ok "$name: in the log of $program"
        tail -n +$((MARK + 1)) "$T/syslog.log" | sed 's/^/# /'
    fi
}
# refuses_login NAME PROGRAM LINE REASON TOKEN PROTOCOL USER [OPTIONS]: refused for REASON, which stands in the host's log, in the audit
# file and behind the reference that the client got; the host's own log has LINE.
refuses_login() {
    local name="$1 ($4)" program=$2 line=$3 reason=$4 ref status
    shift 4
    mail_mark
    mail_login "$@" >"$T/login.out" 2>&1
    status=$?
    if [ $status != 1 ]; then not_ok "$name: refused"; echo "# status $status"; sed 's/^/# /' "$T/login.out"; return; fi
    wait_for 20 mail_says "$program" "$line" || { not_ok "$name: in the log of $program"; tail -n +$((MARK + 1)) "$T/syslog.log" | sed 's/^/# /'; return; }
    mail_said "$program" | grep -a "reason=$reason " >"$T/said" || :
    ref=$(last_ref "$T/said")
    if audited "$ref" reason "$reason"; then ok "$name, in the log of $program"; else
        not_ok "$name, in the log of $program"
        tail -n +$((MARK + 1)) "$T/syslog.log" | sed 's/^/# /'
        return
    fi
    if grep -q "^json .*\"ref\":\"$ref\"" "$T/login.out"; then ok "$name: the client gets the same ref"; else
        not_ok "$name: the client gets the same ref"
        sed 's/^/# /' "$T/login.out"
    fi
}

# postpones NAME PROGRAM LINE TOKEN PROTOCOL USER [OPTIONS]: the host's temporary failure, undecided in its log.  timsieved tells its client
# nothing but "Authentication Error" then.
postpones() {
    local name=$1 program=$2 line=$3 status want=3
    shift 3
    [ "$2" != sieve ] || want=1
    mail_mark
    mail_login "$@" >"$T/login.out" 2>&1
    status=$?
    if [ $status = $want ] && wait_for 20 mail_says "$program" 'postern: .*outcome=undecided' && wait_for 20 mail_says "$program" "$line"; then
        ok "$name: $(tail -n 1 "$T/login.out")"
    else
        not_ok "$name"
        { echo "status $status"; cat "$T/login.out"; tail -n +$((MARK + 1)) "$T/syslog.log"; } | sed 's/^/# /'
    fi
}

# together NAME PROGRAM LINE SERVICE PROTOCOL [OPTIONS]: 20 users at one time, each with its line in the host's log.
together() {
    local name="$1: 20 users at one time" program=$2 line=$3 service=$4 protocol=$5 n
    shift 5
    mail_mark
    for n in {0..19}; do printf "%s\n" "$(mail_token "$service" "sub=\"user-$n\"")"; done >"$T/twenty"
    mail_login "$(cat "$T/twenty")" "$protocol" user-%d "$@" --at-once 20 --hold >"$T/login.out" 2>&1
    n=$(grep -c '^in$' "$T/login.out")
    said_by_all() { [ "$(mail_said "$program" | grep -aE "$line" | grep -oaE 'user-[0-9]+' | sort -u | wc -l)" = 20 ]; }
    if [ "$n" = 20 ] && wait_for 20 said_by_all; then ok "$name"; else
        not_ok "$name ($n)"
        { cat "$T/login.out"; tail -n +$((MARK + 1)) "$T/syslog.log" | tail -n 50; } | sed 's/^/# /'
    fi
}
# without_issuer NAME PROGRAM LINE TOKEN PROTOCOL USER: while the issuer is stopped nothing is decided; afterwards logins work again.
without_issuer() {
    local name=$1
    shift
    server_stop "$ISSUER_PID"
    posternd_again
    postpones "$name: the issuer is down" "$@"
    cp "$T/login.out" "$T/postponed"
    mail_issuer_start
    shift 2
    if wait_for 40 mail_login "$@"; then ok "$name: the issuer is back"; else not_ok "$name: the issuer is back"; fi
}
# refuses_oversize NAME PROGRAM LINE TOKEN PROTOCOL USER [OPTIONS]: tokens above our limit, and far above every limit, fail with LINE in the
# host's own log, nobody decides anything, and the next login works.
refuses_oversize() {
    local name token=$4 program=$2 line=$3 before bytes status host=$1
    shift 4
    for bytes in 17000 60000; do
        name="$host: a token of $bytes bytes fails"
        mail_mark
        before=$(records)
        status=0
        mail_login "$token$(head -c $((bytes - ${#token})) /dev/zero | tr '\0' A)" "$@" >"$T/login.out" 2>&1 || status=$?
        if [ $status != 0 ] && [ $status != 3 ] && wait_for 20 mail_says "$program" "$line" && [ "$(records)" = "$before" ]; then
            ok "$name: $(tail -n 1 "$T/login.out" | cut -c1-120)"
        else
            not_ok "$name"
            { echo "status $status"; cat "$T/login.out"; tail -n +$((MARK + 1)) "$T/syslog.log"; } | cut -c1-200 | sed 's/^/# /'
        fi
    done
    check "$host: and the next login works" mail_login "$token" "$@"
}

# size_of PID...: open files, and KiB of memory of their own, all together.
size_of() {
    local p files=0 kib=0
    for p; do
        files=$((files + $(find "/proc/$p/fd" -mindepth 1 2>/dev/null | wc -l)))
        kib=$((kib + $(awk '/^Anonymous/ { print $2 }' "/proc/$p/smaps_rollup")))
    done
    echo "$files $kib"
}
no_file_more() { # FILES PID...: the connections of clients that have just gone may still be there
    local files
    read -r files _ < <(size_of "${@:2}")
    [ "$files" -le "$1" ]
}
# does_not_grow NAME MAX-KIB FILES KIB PID...: they have no more files than FILES, and less than MAX-KIB of memory beyond KIB.
does_not_grow() {
    local name=$1 max=$2 files=$3 kib=$4 more_files more_kib
    shift 4
    wait_for 20 no_file_more "$files" "$@"
    read -r more_files more_kib < <(size_of "$@")
    check "$name: no file more than before ($files, $more_files)" test "$more_files" -le "$files"
    [ "${POSTERN_SANITIZED:-}" = address ] || # whose quarantine keeps what was freed
        check "$name: less than $max KiB more memory ($kib, $more_kib KiB)" test $((more_kib - kib)) -lt "$max"
}
# five_hundred NAME COUNT PROCESSES TOKEN PROTOCOL USER [OPTIONS]: 52 logins, four at one time, and 452 more, by the same COUNT processes of the
# host, which the command PROCESSES prints; after the first ones neither these nor posternd grow.  A sanitizer's runtime takes its time to start: a fifth there.
five_hundred() {
    local name=$1 count=$2 processes=$3 first=13 more=113 host=() all=() files kib posternd_files posternd_kib
    shift 3
    logins_of() { mail_login "${@:2}" --at-once 4 --hold --rounds "$1" >"$T/many.out" 2>&1; }
    [ "${POSTERN_SANITIZED:-}" != address ] || first=5 more=20
    check "$name: $((4 * first)) logins by four at one time" logins_of $first "$@"
    mapfile -t host < <($processes | sort -n)
    mapfile -t all < <(echo "$POSTERND_PID"; pgrep -P "$POSTERND_PID")
    read -r files kib < <(size_of "${host[@]}")
    read -r posternd_files posternd_kib < <(size_of "${all[@]}")
    check "$name: $((4 * more)) logins more" logins_of $more "$@"
    check "$name: by the same $count processes (${#host[@]})" test "$count ${host[*]}" = "${#host[@]} $($processes | sort -n | paste -sd ' ')"
    # Half a kilobyte lost at each login would show in the host, 2 KB in posternd, whose helper remembers tokens and whose allocators play.
    does_not_grow "$name" 256 "$files" "$kib" "${host[@]}"
    does_not_grow "$name: posternd" 1024 "$posternd_files" "$posternd_kib" "${all[@]}"
}

# posternd_again: replaces posternd, which forgets what it remembers of tokens and keys.
posternd_again() {
    server_stop "$POSTERND_PID"
    room_posternd
}

# no_token_said [SECRET...]: no piece of a token in a log of a host, of posternd or in the audit file; see canary of lib.sh.
no_token_said() {
    secret_too "$@"
    canary
    canary_memory
}

# in_terminal NAME TEXT KEYS COMMAND...: the command in the room, on a terminal, shows TEXT and ends by KEYS.
in_terminal() {
    local name=$1 text=$2 keys=$3
    shift 3
    if chroot "$ROOM" true && python3 "$TOP/tests/component/terminal.py" --wait 60 --on "$text" "$keys" -- \
        chroot "$ROOM" env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=xterm "$@" >"$T/terminal.out" 2>&1; then ok "$name"; else
        not_ok "$name"
        tail -c 2000 "$T/terminal.out" | tr -d '\000-\011\013-\037' | sed 's/^/# /'
    fi
}
# token_file NAME TOKEN: at /tmp/NAME in the room, for root alone.
token_file() { (umask 077 && printf '%s' "$2" >"$ROOM/tmp/$1"); }

# peer SCRIPT ORDERS: a script of tests/peers, whose findings are this test's.
peer() {
    cp "$TOP/tests/peers/line.mjs" "$TOP/tests/peers/$1.mjs" "$T/"
    printf '%s\n' "$2" | NODE_NO_WARNINGS=1 timeout 120 "${POSTERN_PEERS:?what tests/peers/fetch has fetched}/node" "$T/$1.mjs" >"$T/$1.out" 2>&1
    failures=$((failures + $(grep -c '^not ok' "$T/$1.out")))
    grep -E '^(not )?ok|^#' "$T/$1.out" || { not_ok "$1 says something"; sed 's/^/# /' "$T/$1.out"; }
}

# What a test wishes of imapd.conf beside the example: no pause after a login that was refused, none between two of pop3d, no TLS sessions
# kept by the service `many`; and no fopen(NULL) for the authorities of clients, which the sanitizer's fopen does not survive.
cyrus_wishes() {
    printf '%s\n' 'failedloginpause: 0' 'pop3_popminpoll: 0' 'pop3s_popminpoll: 0' 'many_tls_session_timeout: 0' 'many_popminpoll: 0' >>"$ROOM/etc/imapd.conf"
    [ "${POSTERN_SANITIZED:-}" != address ] || echo 'tls_client_ca_file: /etc/ssl/test-authority.pem' >>"$ROOM/etc/imapd.conf"
}
# cyrus_with EXAMPLE PORT...: Cyrus anew with the files of an example.
cyrus_with() {
    cyrus_end
    mail_examples "$1"
    shift
    cyrus_wishes
    posternd_reload || { echo "not ok - posternd takes the example's configuration"; exit 1; }
    cyrus_run "$@"
}

# cyrus_host PROTOCOL PROGRAM SERVICE TLS...: what each host of Cyrus must do, on each kind of TLS.  Adds to tokens.
cyrus_host() {
    local protocol=$1 program=$2 service=$3 long='badlogin: .*OAUTHBEARER' tls mech good other
    shift 3
    [ "$protocol" != sieve ] || long+='|Lost connection to client' # all that timsieved says of a string that is longer than it reads
    good=$(mail_token "$service") other=$(mail_token ldap)
    tokens+=("$good" "$other")
    mail_login "$good" "$protocol" agent-7 --tls no --offers >"$T/offers"
    if grep -qE 'OAUTH' "$T/offers"; then not_ok "$protocol: nothing is offered without TLS"; else ok "$protocol: nothing is offered without TLS"; fi
    for tls; do
        for mech in OAUTHBEARER XOAUTH2; do
            accepts "$protocol: $mech logs in, $tls" "$program" "login: .* agent-7 $mech\+TLS User logged in" "$good" "$protocol" agent-7 --mech $mech --tls "$tls"
        done
    done
    refuses_login "$protocol: wrong audience" "$program" 'badlogin: .*OAUTHBEARER' aud "$other" "$protocol" agent-7
    refuses_login "$protocol: wrong audience by XOAUTH2" "$program" 'badlogin: .*XOAUTH2' aud "$other" "$protocol" agent-7 --mech XOAUTH2
    refuses_login "$protocol: expired" "$program" 'badlogin: .*OAUTHBEARER' expired "$(mail_token "$service" exp=$(($(date +%s) - 1)))" "$protocol" agent-7
    refuses_login "$protocol: a token for AGENT-7, who would be agent-7 here" "$program" 'badlogin: .*OAUTHBEARER' no_mapping "$(mail_token "$service" 'sub="AGENT-7"')" "$protocol" AGENT-7
    refuses_login "$protocol: the same asks for agent-7, by XOAUTH2" "$program" 'badlogin: .*XOAUTH2' no_mapping "$(mail_token "$service" 'sub="AGENT-7"')" "$protocol" agent-7 --mech XOAUTH2
    refuses_login "$protocol: another user" "$program" 'badlogin: .*OAUTHBEARER' authzid "$good" "$protocol" alice
    refuses_login "$protocol: another user by XOAUTH2" "$program" 'badlogin: .*XOAUTH2' authzid "$good" "$protocol" alice --mech XOAUTH2
    refuses_oversize "$protocol" "$program" "$long" "$good" "$protocol" agent-7
    together "$protocol" "$program" 'login: .* user-[0-9]+ OAUTHBEARER\+TLS User logged in' "$service" "$protocol"
    without_issuer "$protocol" "$program" 'badlogin: .*(unavailable|OAUTHBEARER)' "$good" "$protocol" agent-7
}

# sasl_test NAME WANT PROGRAM COMMANDS ARGUMENTS...: imtest and its sisters with our client plugin and the token in /tmp/token.  Ours alone:
# where KDE's is installed too, libsasl takes that for XOAUTH2.
sasl_test() {
    local name=$1 want=$2 program=$3 commands=$4
    shift 4
    printf '%b' "$commands" | room_host SASL_PATH=/tmp/ours BEARER_TOKEN_FILE=/tmp/token timeout "$PATIENCE" "/usr/lib/cyrus/bin/$program" "$@" >"$T/sasl_test.out" 2>&1
    if grep -q Authenticated "$T/sasl_test.out" && grep -qE "$want" "$T/sasl_test.out"; then ok "$name"; else
        not_ok "$name"
        grep -v '^C:' "$T/sasl_test.out" | tail -n 15 | sed 's/^/# /'
    fi
}
curl_mail() { # USER TOKEN URL [ARGUMENTS]
    local user=$1 bearer=$2
    shift 2
    printf 'user = "%s"\noauth2-bearer = "%s"\n' "$user" "$bearer" | curl -sS -K - --max-time 60 --cacert "$T/ca.pem" --ssl-reqd "$@"
}

# plugin_alone: a folder for SASL_PATH with nothing but our plugin.
plugin_alone() { mkdir "$ROOM/tmp/ours" && cp "$ROOM/usr/lib/x86_64-linux-gnu/sasl2/liboauthbearer.so" "$ROOM/tmp/ours/"; }

# mbsync_config: /tmp/mbsyncrc of the room fetches agent-7's INBOX into /tmp/maildir, by the token in /tmp/token.
mbsync_config() {
    mkdir "$ROOM/tmp/maildir"
    cat >"$ROOM/tmp/mbsyncrc" <<'C'
IMAPAccount mail
Host mail.example.org
User agent-7
PassCmd "cat /tmp/token"
AuthMechs OAUTHBEARER
SSLType IMAPS
DisableExtension SASL-IR
CertificateFile /etc/ssl/test-authority.pem

IMAPStore far
Account mail

MaildirStore near
Path /tmp/maildir/
Inbox /tmp/maildir/INBOX

Channel mail
Far :far:
Near :near:
Patterns INBOX
Create Near
C
}
