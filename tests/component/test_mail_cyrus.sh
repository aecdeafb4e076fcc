#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Cyrus IMAP as Debian installs it, with the files of examples/hosts/cyrus-*: imapd, pop3d and timsieved under TLS, each with its own log line,
# and the clients that people have.  test_cyrus.sh has imapd's reasons to refuse one by one.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/component/mail.sh
. "$(dirname "$0")/mail.sh"
: "${POSTERN_PEERS:?what tests/peers/fetch has fetched}"
tokens=()

# cyrus_with EXAMPLE PORT...: its files, and a test's wishes: no pause after a login that was refused, none between two of pop3d.
cyrus_with() {
    [ -z "${CYRUS_PID:-}" ] || server_stop "$CYRUS_PID"
    mail_examples "$1"
    shift
    printf '%s\n' 'failedloginpause: 0' 'pop3_popminpoll: 0' 'pop3s_popminpoll: 0' 'many_tls_session_timeout: 0' >>"$ROOM/etc/imapd.conf"
    kill -HUP "$POSTERND_PID"
    cyrus_run "$@"
}

# host PROTOCOL PROGRAM SERVICE TLS...: what every host must do, on each kind of TLS.
host() {
    local protocol=$1 program=$2 service=$3 tls mech good other
    shift 3
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
    refuses_login "$protocol: another user" "$program" 'badlogin: .*OAUTHBEARER' authzid "$good" "$protocol" alice
    refuses_login "$protocol: another user by XOAUTH2" "$program" 'badlogin: .*XOAUTH2' authzid "$good" "$protocol" alice --mech XOAUTH2
    refuses_oversize "$protocol" "$program" "$good" "$protocol" agent-7
    together "$protocol" "$program" 'login: .* user-[0-9]+ OAUTHBEARER\+TLS User logged in' "$service" "$protocol"
    without_issuer "$protocol" "$program" 'badlogin: .*(unavailable|OAUTHBEARER)' "$good" "$protocol" agent-7
}

# sasl_test NAME WANT PROGRAM COMMANDS ARGUMENTS...: imtest and its sisters with our client plugin and the token in /tmp/token.  Ours alone:
# where KDE's is installed too, libsasl takes that for XOAUTH2.
sasl_test() {
    local name=$1 want=$2 program=$3 commands=$4
    shift 4
    { sleep 0.5; printf '%b' "$commands"; } | room_host SASL_PATH=/tmp/ours BEARER_TOKEN_FILE=/tmp/token timeout 20 "/usr/lib/cyrus/bin/$program" "$@" >"$T/sasl_test.out" 2>&1
    if grep -q Authenticated "$T/sasl_test.out" && grep -qE "$want" "$T/sasl_test.out"; then ok "$name"; else
        not_ok "$name"
        grep -v '^C:' "$T/sasl_test.out" | tail -n 15 | sed 's/^/# /'
    fi
}
curl_mail() { # USER TOKEN URL [ARGUMENTS]
    local user=$1 bearer=$2
    shift 2
    printf 'user = "%s"\noauth2-bearer = "%s"\n' "$user" "$bearer" | curl -sS -K - --max-time 20 --cacert "$T/ca.pem" --ssl-reqd "$@"
}

mail_room cyrus-imap
mkdir "$ROOM/tmp/ours" && cp "$ROOM/usr/lib/x86_64-linux-gnu/sasl2/liboauthbearer.so" "$ROOM/tmp/ours/"
cyrus_with cyrus-imap 143 993
host imap 'cyrus/imaps?' imap starttls ssl
good=$(mail_token imap)
tokens+=("$good")
token_file token "$good"
printf 'From: alice@example.net\r\nTo: agent-7@mail.example.org\r\nSubject: Sent to a robot\r\nMessage-Id: <1@example.net>\r\n\r\nHello.\r\n' >"$T/message"
check "imap: curl stores a message over TLS" curl_mail agent-7 "$good" -T "$T/message" imaps://mail.example.org/INBOX
curl_mail agent-7 "$good" 'imap://mail.example.org/INBOX;MAILINDEX=1' >"$T/curl.out" 2>&1
check "imap: curl fetches it with STARTTLS" grep -q 'Sent to a robot' "$T/curl.out"
for mech in OAUTHBEARER XOAUTH2; do
    sasl_test "imap: imtest with our client plugin, $mech, STARTTLS" INBOX imtest '. list "" "*"\r\n. logout\r\n' -m $mech -u agent-7 -a agent-7 -t '' mail.example.org
done
sasl_test "imap: imtest with our client plugin, imaps" INBOX imtest '. list "" "*"\r\n. logout\r\n' -m OAUTHBEARER -u agent-7 -a agent-7 -s mail.example.org

# KDE's plugin for XOAUTH2, which knows nothing of us, as the client's only one.  imtest asks for its password where there is no terminal.
mkdir "$ROOM/tmp/kde" && cp "$ROOM"/usr/lib/x86_64-linux-gnu/sasl2/libkdexoauth2.so.3 "$ROOM/tmp/kde/libkdexoauth2.so"
kde_login() { # TOKEN
    { printf '%s\n' "$1"; sleep 0.5; printf '. list "" "*"\r\n. logout\r\n'; } |
        room SASL_PATH=/tmp/kde setsid -w timeout 20 /usr/lib/cyrus/bin/imtest -m XOAUTH2 -u agent-7 -a agent-7 -t '' mail.example.org >"$T/kde.out" 2>&1
    grep -q Authenticated "$T/kde.out" && grep -q INBOX "$T/kde.out"
}
check "imap: KDE's XOAUTH2 plugin logs in" kde_login "$good"
refuses "imap: KDE's XOAUTH2 plugin is refused with the wrong token" kde_login "$(mail_token ldap)"
check "imap: and ends the exchange, as imtest says" grep -qi 'authentication failed' "$T/kde.out"

cat >"$ROOM/tmp/mbsyncrc" <<'C'
IMAPAccount mail
Host mail.example.org
User agent-7
PassCmd "cat /tmp/token"
AuthMechs OAUTHBEARER
SSLType IMAPS
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
mkdir "$ROOM/tmp/maildir"
check "imap: mbsync with our client plugin fetches the message" room_host timeout 30 mbsync -c /tmp/mbsyncrc mail
check "imap: it is there" grep -rq 'Sent to a robot' "$ROOM/tmp/maildir/INBOX"
token_file other "$(mail_token ldap)"
sed 's#/tmp/token#/tmp/other#' "$ROOM/tmp/mbsyncrc" >"$ROOM/tmp/mbsyncrc.other"
mail_mark
refuses "imap: mbsync is refused with the wrong token" room_host timeout 30 mbsync -c /tmp/mbsyncrc.other mail
check "imap: for the reason in imapd's log" wait_for 5 mail_says 'cyrus/imaps' 'reason=aud'

for reader in mutt neomutt; do
    cat >"$ROOM/tmp/$reader.rc" <<'C'
set imap_user=agent-7
set imap_authenticators=oauthbearer
set imap_oauth_refresh_command="cat /tmp/token"
set ssl_starttls=yes ssl_force_tls=yes ssl_verify_dates=yes
set certificate_file=/etc/ssl/test-authority.pem
set folder=imaps://mail.example.org/
set header_cache="" message_cachedir=""
C
    in_terminal "imap: $reader shows the message" 'Sent to a robot' q "$reader" -F "/tmp/$reader.rc" -f imaps://mail.example.org/INBOX
done

peer imapflow "{\"host\":\"mail.example.org\",\"ca\":\"$T/ca.pem\",\"user\":\"agent-7\",\"good\":\"$good\",\"bad\":\"$(mail_token ldap)\",\"status\":\"invalid_token\"}"
check "imap: imapflow's reference is in the audit file" mail_audited "$(last_ref "$T/imapflow.out")" reason aud

# 500 logins, one process of imapd for all of them, which keeps no TLS sessions (OpenSSL would, 2 KB each).
sed -i 's/^SERVICES {/&\n\tmany\tcmd="imapd -s -U 1000 -T 120" listen="127.0.0.1:9930" prefork=0 maxchild=1/' "$ROOM/etc/cyrus.conf"
server_stop "$CYRUS_PID"
cyrus_run 143 9930
children() { ps -o pid= --ppid "$1"; }
# size PID...: open files and KiB of memory of their own, all together.
size() {
    local p files=0 kib=0
    for p; do
        files=$((files + $(find "/proc/$p/fd" -mindepth 1 | wc -l)))
        kib=$((kib + $(awk '/^Anonymous/ { print $2 }' "/proc/$p/smaps_rollup")))
    done
    echo "$files $kib"
}
many() { mail_login "$good" imap agent-7 --tls ssl --port 9930 --rounds "$1" >"$T/many.out" 2>&1; }
many 50
imapd=$(ps -eo pid=,args= | awk '/imapd -s -U 1000/ && !/awk/ { print $1 }')
read -r posternd_files posternd_kib < <(size "$POSTERND_PID" $(children "$POSTERND_PID"))
read -r imapd_files imapd_kib < <(size $imapd)
check "imap: 450 logins more in one process" many 450
check "imap: it is the same process" test "$imapd" = "$(ps -eo pid=,args= | awk '/imapd -s -U 1000/ && !/awk/ { print $1 }')"
read -r more_files more_kib < <(size "$POSTERND_PID" $(children "$POSTERND_PID"))
check "posternd: no file more than before ($posternd_files, $more_files)" test "$more_files" -le "$posternd_files"
read -r imapd_more_files imapd_more_kib < <(size $imapd)
check "imapd: no file more than before ($imapd_files, $imapd_more_files)" test "$imapd_more_files" -le "$imapd_files"
if [ "${POSTERN_SANITIZED:-}" != address ]; then # whose quarantine keeps what was freed
    # Half a kilobyte lost at each login would show in imapd, 2 KB in posternd, whose helper remembers tokens and whose allocators play.
    check "posternd: less than 1 MiB more memory ($posternd_kib, $more_kib KiB)" test $((more_kib - posternd_kib)) -lt 1024
    check "imapd: less than 256 KiB more memory ($imapd_kib, $imapd_more_kib KiB)" test $((imapd_more_kib - imapd_kib)) -lt 256
fi

cyrus_with cyrus-pop3 110 995
host pop3 'cyrus/pop3s?' pop starttls ssl
good=$(mail_token pop)
tokens+=("$good")
token_file token "$good"
curl_mail agent-7 "$good" pop3s://mail.example.org/1 >"$T/curl.out" 2>&1
check "pop3: curl fetches the message over TLS" grep -q 'Sent to a robot' "$T/curl.out"
curl_mail agent-7 "$good" --sasl-ir pop3://mail.example.org/1 >"$T/curl.out" 2>&1
check "pop3: curl fetches it with STLS and an initial response" grep -q 'Sent to a robot' "$T/curl.out"
refuses "pop3: curl is refused with the wrong token" curl_mail agent-7 "$(mail_token imap)" pop3s://mail.example.org/1
for mech in OAUTHBEARER XOAUTH2; do
    sasl_test "pop3: pop3test with our client plugin, $mech, STLS" '^\+OK' pop3test 'STAT\r\nQUIT\r\n' -m $mech -u agent-7 -a agent-7 -t '' mail.example.org
done

cyrus_with cyrus-sieve 4190
host sieve 'cyrus/sieve' sieve starttls
good=$(mail_token sieve)
tokens+=("$good")
token_file token "$good"
for mech in OAUTHBEARER XOAUTH2; do
    sasl_test "sieve: sivtest with our client plugin, $mech, STARTTLS" '^OK' sivtest 'LISTSCRIPTS\r\nLOGOUT\r\n' -m $mech -u agent-7 -a agent-7 -t '' mail.example.org
done
no_token_said "${tokens[@]}"
done_testing
