#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Postfix's smtpd in its chroot as Debian installs it, with the files of examples/hosts/postfix: submission under STARTTLS and TLS, what its
# limits do to long tokens, its own log lines, and the clients that people have.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/component/mail.sh
. "$(dirname "$0")/mail.sh"

mail_room postfix
room postconf -e "default_transport=discard:" # nothing leaves the room
mail_senders
postfix_run 587 465
program='postfix/submissions?/smtpd'
good=$(mail_token smtp) other=$(mail_token imap)
long=$(mail_padded smtp 4000) longer=$(mail_padded smtp 8000)
tokens=("$good" "$other" "$long" "$longer")
token_file token "$good"
token_file other "$other"

# smtpd_is_in_its_chroot: some smtpd of ours has gone there; one that was just started opens its files before it goes.
smtpd_is_in_its_chroot() {
    local smtpd
    for smtpd in $(pgrep -x smtpd); do
        [ "$(readlink "/proc/$smtpd/root")" = "$ROOM/var/spool/postfix" ] && return 0
    done
    return 1
}
check "smtp: smtpd is in its chroot" wait_for 20 smtpd_is_in_its_chroot
mail_login "$good" smtp agent-7 --tls no --offers >"$T/offers"
if grep -q OAUTH "$T/offers"; then not_ok "smtp: nothing is offered without TLS"; else ok "smtp: nothing is offered without TLS"; fi
mail_login "$good" smtp agent-7 --offers >"$T/offers"
check "smtp: both mechanisms are offered with STARTTLS" grep -q 'AUTH=OAUTHBEARER AUTH=XOAUTH2' "$T/offers"
for tls in starttls ssl; do
    for mech in OAUTHBEARER XOAUTH2; do
        for steps in '' --two-steps; do
            accepts "smtp: $mech sends, $tls${steps:+, two steps}" "$program" "sasl_method=$mech, sasl_username=agent-7" "$good" smtp agent-7 --send --mech $mech --tls $tls $steps
        done
    done
done
accepts "smtp: a token of some 6 KB on the line of AUTH" "$program" 'sasl_username=agent-7' "$long" smtp agent-7 --send
accepts "smtp: a token of some 6 KB in two steps" "$program" 'sasl_username=agent-7' "$long" smtp agent-7 --send --two-steps

refuses_sender "smtp: agent-7 may not send as alice" "$program" agent-7 alice@mail.example.org "$good"
refuses_sender "smtp: nor by TLS" "$program" agent-7 alice@mail.example.org "$good" --tls ssl
refuses_sender "smtp: nor from an address that is nobody's" "$program" agent-7 boss@example.net "$good"
refuses_sender "smtp: nor user-1 as agent-7" "$program" user-1 agent-7@mail.example.org "$(mail_token smtp 'sub="user-1"')"

refused='warning: .*: SASL OAUTHBEARER authentication failed'
refuses_login "smtp: wrong audience" "$program" "$refused" aud "$other" smtp agent-7
refuses_login "smtp: wrong audience by XOAUTH2" "$program" "${refused/OAUTHBEARER/XOAUTH2}" aud "$other" smtp agent-7 --mech XOAUTH2
refuses_login "smtp: expired" "$program" "$refused" expired "$(mail_token smtp exp=$(($(date +%s) - 1)))" smtp agent-7
refuses_login "smtp: another user" "$program" "$refused" authzid "$good" smtp alice
refuses_login "smtp: a token for AGENT-7, who would be agent-7 in a map" "$program" "$refused" no_mapping "$(mail_token smtp 'sub="AGENT-7"')" smtp AGENT-7
refuses_login "smtp: a scope is missing" "$program" "$refused" insufficient_scope "$(token smtp 'aud="https://mail.example.org/smtp"')" smtp agent-7
# Postfix limits an answer to 12288 bytes of base64, and the line of AUTH by line_length_limit alone.
accepts "smtp: a token of some 11 KB on the line of AUTH" "$program" 'sasl_username=agent-7' "$longer" smtp agent-7 --send
status=0
mail_login "$longer" smtp agent-7 --two-steps >"$T/login.out" 2>&1 || status=$?
check "smtp: in two steps it fails cleanly: $(cat "$T/login.out")" test "$status $(cat "$T/login.out")" = '1 refused 500 5.5.6 SASL response limit exceeded'
refuses_oversize smtp "$program" "$refused" "$good" smtp agent-7
refuses_oversize "smtp, two steps" "$program" 'warning: .*: request longer than 12288' "$good" smtp agent-7 --two-steps
together smtp "$program" 'sasl_method=OAUTHBEARER, sasl_username=user-[0-9]+' smtp smtp --send
without_issuer smtp "$program" "$refused" "$good" smtp agent-7
check "smtp: the temporary failure is 454" grep -q '^temporary 454 4.7.0' "$T/postponed"
server_stop "$POSTERND_PID"
mail_login "$good" smtp agent-7 >"$T/login.out" 2>&1
check "smtp: without posternd too: $(tail -n 1 "$T/login.out")" grep -q '^temporary 454 4.7.0' "$T/login.out"
room_posternd
check "smtp: posternd is back" mail_login "$good" smtp agent-7

printf 'From: agent-7@mail.example.org\r\nTo: alice@example.net\r\nSubject: From a robot\r\n\r\nHello.\r\n' >"$T/message"
cp "$T/message" "$ROOM/tmp/message"
# sends NAME METHOD COMMAND...: and Postfix has it from agent-7 by that mechanism.
sends() {
    local name=$1 method=$2
    shift 2
    mail_mark
    if "$@" >"$T/send.out" 2>&1 && wait_for 20 mail_says "$program" "sasl_method=$method, sasl_username=agent-7"; then ok "$name"; else
        not_ok "$name"
        { tail -n 15 "$T/send.out"; tail -n +$((MARK + 1)) "$T/syslog.log"; } | sed 's/^/# /'
    fi
}
# sends_not NAME COMMAND...: refused for the audience, in smtpd's log.
sends_not() {
    local name=$1
    shift
    mail_mark
    refuses "$name" "$@"
    check "$name: in the log" wait_for 20 mail_says "$program" 'reason=aud'
}
curl_smtp() { # TOKEN URL [ARGUMENTS]
    local bearer=$1
    shift
    printf 'user = "agent-7"\noauth2-bearer = "%s"\n' "$bearer" | curl -sS -K - --max-time 60 --cacert "$T/ca.pem" --ssl-reqd \
        --mail-from agent-7@mail.example.org --mail-rcpt alice@example.net -T "$T/message" "$@"
}
sends "smtp: curl, STARTTLS" OAUTHBEARER curl_smtp "$good" smtp://mail.example.org:587
sends "smtp: curl, TLS, on the line of AUTH" OAUTHBEARER curl_smtp "$good" --sasl-ir smtps://mail.example.org:465
sends_not "smtp: curl with the wrong token" curl_smtp "$other" smtp://mail.example.org:587
msmtp_send() { # MECH TOKEN-FILE [ARGUMENTS]
    local mech=$1 file=$2
    shift 2
    room msmtp --host=mail.example.org --port=587 --tls=on --tls-trust-file=/etc/ssl/test-authority.pem --auth="$mech" --user=agent-7 \
        --passwordeval="cat $file" --from=agent-7@mail.example.org "$@" alice@example.net <"$T/message"
}
sends "smtp: msmtp, oauthbearer" OAUTHBEARER msmtp_send oauthbearer /tmp/token
sends "smtp: msmtp, xoauth2" XOAUTH2 msmtp_send xoauth2 /tmp/token
sends_not "smtp: msmtp with the wrong token" msmtp_send oauthbearer /tmp/other
for reader in mutt neomutt; do
    cat >"$ROOM/tmp/$reader.rc" <<'C'
set from=agent-7@mail.example.org use_envelope_from=yes realname=agent-7 record="" sendmail=""
set smtp_url=smtp://agent-7@mail.example.org:587/ smtp_authenticators=oauthbearer smtp_oauth_refresh_command="cat /tmp/token"
set ssl_starttls=yes ssl_force_tls=yes certificate_file=/etc/ssl/test-authority.pem
C
    # shellcheck disable=SC2016 # the room's shell's
    sends "smtp: $reader" OAUTHBEARER room TERM=dumb timeout 60 sh -c '"$1" -F "/tmp/$1.rc" -s "From a robot" alice@example.net </tmp/message' sh "$reader"
done
plugin_alone
smtptest_send() { # MECH TOKEN-FILE
    { sleep 0.5; printf 'MAIL FROM:<agent-7@mail.example.org>\r\n'; sleep 0.2; printf 'RCPT TO:<alice@example.net>\r\n'; sleep 0.2; printf 'QUIT\r\n'; } |
        room_host SASL_PATH=/tmp/ours "BEARER_TOKEN_FILE=$2" timeout "$PATIENCE" /usr/lib/cyrus/bin/smtptest -p 587 -m "$1" -u agent-7 -a agent-7 -t '' mail.example.org
}
smtptest_authenticates() {
    smtptest_send "$@" >"$T/smtptest.out" 2>&1
    grep -q '^Authenticated' "$T/smtptest.out"
}
for mech in OAUTHBEARER XOAUTH2; do
    sends "smtp: smtptest with our client plugin, $mech" $mech smtptest_authenticates $mech /tmp/token
done
sends_not "smtp: smtptest with the wrong token" smtptest_authenticates OAUTHBEARER /tmp/other
peer nodemailer "{\"host\":\"mail.example.org\",\"ca\":\"$T/ca.pem\",\"user\":\"agent-7\",\"good\":\"$good\",\"bad\":\"$other\",\"long\":\"$long\"}"
# 500 logins in four processes of smtpd, which would end after a hundred.
check "smtp: processes for more than a hundred" room sh -c 'postconf -e max_use=1000 max_idle=1000s && postconf -F submissions/inet/process_limit=4 && postfix reload'
smtpd() { pgrep -x smtpd; }
none_is_there() { ! smtpd; }
check "smtp: the ones of before are gone" wait_for 20 none_is_there
five_hundred smtp 4 smtpd "$good" smtp agent-7 --tls ssl
no_token_said "${tokens[@]}"
done_testing
