#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Cyrus imapd as Debian installs it, with the files of examples/hosts/cyrus-imap: under TLS, with its own log line for each outcome, and
# the clients that people have.  test_cyrus.sh has imapd's reasons to refuse one by one.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/component/mail.sh
. "$(dirname "$0")/mail.sh"
: "${POSTERN_PEERS:?what tests/peers/fetch has fetched}"
tokens=()

mail_room cyrus-imap
plugin_alone
cyrus_with cyrus-imap 143 993
cyrus_host imap 'cyrus/imaps?' imap starttls ssl
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
# It reads as much as there is of what comes: the commands come when it has read the token.
token_then() { # COMMANDS, a token on stdin
    python3 -c 'if True:
        import array, fcntl, os, sys, termios, time
        os.write(1, sys.stdin.buffer.read())
        left = array.array("i", [1])
        while left[0]:
            time.sleep(0.02)
            fcntl.ioctl(1, termios.FIONREAD, left)
        os.write(1, sys.argv[1].encode())' "$@"
}
kde_login() { # TOKEN
    printf '%s\n' "$1" | token_then $'. list "" "*"\r\n. logout\r\n' |
        room SASL_PATH=/tmp/kde setsid -w timeout 60 /usr/lib/cyrus/bin/imtest -m XOAUTH2 -u agent-7 -a agent-7 -t '' mail.example.org >"$T/kde.out" 2>&1
    grep -q Authenticated "$T/kde.out" && grep -q INBOX "$T/kde.out"
}
check "imap: KDE's XOAUTH2 plugin logs in" kde_login "$good"
refuses "imap: KDE's XOAUTH2 plugin is refused with the wrong token" kde_login "$(mail_token ldap)"
check "imap: and ends the exchange, as imtest says" grep -qi 'authentication failed' "$T/kde.out"

mbsync_config
check "imap: mbsync with our client plugin fetches the message" room_host timeout "$PATIENCE" mbsync -c /tmp/mbsyncrc mail
check "imap: it is there" grep -rq 'Sent to a robot' "$ROOM/tmp/maildir/INBOX"
token_file other "$(mail_token ldap)"
sed 's#/tmp/token#/tmp/other#' "$ROOM/tmp/mbsyncrc" >"$ROOM/tmp/mbsyncrc.other"
mail_mark
status=0
room_host timeout "$PATIENCE" mbsync -c /tmp/mbsyncrc.other mail >"$T/mbsync.out" 2>&1 || status=$?
check "imap: mbsync is refused with the wrong token and ends by itself" test $status != 0 -a $status != 124
check "imap: for the reason in imapd's log" wait_for 20 mail_says 'cyrus/imaps' 'reason=aud'
check "imap: mbsync says that imapd refused: $(tail -n 1 "$T/mbsync.out")" grep -q 'authentication failure' "$T/mbsync.out"

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
check "imap: imapflow's reference is in the audit file" audited "$(last_ref "$T/imapflow.out")" reason aud

# 500 logins in four processes of imapd, which keep no TLS sessions (OpenSSL would, 2 KB each).
sed -i 's/^SERVICES {/&\n\tmany\tcmd="imapd -s -U 1000 -T 120" listen="127.0.0.1:9930" prefork=0 maxchild=4/' "$ROOM/etc/cyrus.conf"
cyrus_end
cyrus_run 143 9930
imapd() { pgrep -f '^imapd -s -U 1000'; }
five_hundred imap 4 imapd "$good" imap agent-7 --tls ssl --port 9930

no_token_said "${tokens[@]}"
done_testing
