#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Cyrus pop3d and timsieved as Debian installs them, with the files of examples/hosts/cyrus-pop3 and cyrus-sieve: under TLS, with their own
# log lines for each outcome, curl, pop3test and sivtest as clients.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/component/mail.sh
. "$(dirname "$0")/mail.sh"
tokens=()

mail_room cyrus-imap
plugin_alone
# Mailboxes and a message: imapd makes an INBOX at the first login.
cyrus_with cyrus-imap 143 993
printf 'From: alice@example.net\r\nTo: agent-7@mail.example.org\r\nSubject: Sent to a robot\r\nMessage-Id: <1@example.net>\r\n\r\nHello.\r\n' >"$T/message"
check "imap: curl stores a message" curl_mail agent-7 "$(mail_token imap)" -T "$T/message" imaps://mail.example.org/INBOX
together imap 'cyrus/imaps?' 'login: .* user-[0-9]+ OAUTHBEARER\+TLS User logged in' imap imap

cyrus_with cyrus-pop3 110 995
cyrus_host pop3 'cyrus/pop3s?' pop starttls ssl
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
# 500 logins in four processes of pop3d, as of imapd in test_mail_cyrus.sh.
sed -i 's/^SERVICES {/&\n\tmany\tcmd="pop3d -s -U 1000 -T 120" listen="127.0.0.1:9950" prefork=0 maxchild=4/' "$ROOM/etc/cyrus.conf"
cyrus_end
cyrus_run 110 9950
pop3d() { pgrep -f '^pop3d -s -U 1000'; }
five_hundred pop3 4 pop3d "$good" pop3 agent-7 --tls ssl --port 9950

cyrus_with cyrus-sieve 4190
cyrus_host sieve 'cyrus/sieve' sieve starttls
good=$(mail_token sieve)
tokens+=("$good")
token_file token "$good"
for mech in OAUTHBEARER XOAUTH2; do
    sasl_test "sieve: sivtest with our client plugin, $mech, STARTTLS" '^OK' sivtest 'LISTSCRIPTS\r\nLOGOUT\r\n' -m $mech -u agent-7 -a agent-7 -t '' mail.example.org
done
# timsieved ends with its client: what could grow is cyrmaster.
cyrmaster() { echo "$CYRUS_PID"; }
five_hundred "sieve: cyrmaster" 1 cyrmaster "$good" sieve agent-7
no_token_said "${tokens[@]}"
done_testing
