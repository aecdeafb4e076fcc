#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Our client plugin at a server that is not ours: Dovecot's own OAUTHBEARER and XOAUTH2, which asks our issuer about each token (RFC 7662).
# The plugin fetches the token itself, by postern token and client.conf; imtest and mbsync say what Dovecot's error is.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/component/mail.sh
. "$(dirname "$0")/mail.sh"
RESOURCE=https://mail.example.org/imap

: "${POSTERN_HOSTS:?a tree of tests/hosts/bookworm}"
room_open "$POSTERN_HOSTS"
mail_certificate
room_syslog
printf '%s\n' 'issuer: http://127.0.0.1:8414' 'jwks_file: /run/postern/jwks.json' >"$ROOM/etc/postern/issuer.conf"
printf '%s\n' 'issuer: http://127.0.0.1:8414' 'jwks_file: /run/postern/jwks.json' 'allow_loopback_http: yes' >"$ROOM/etc/postern/issuers/local.conf"
# What the issuer gives tokens for: the audience of a service.
printf '%s\n' "audience: $RESOURCE" 'helper_peers: root' >"$ROOM/etc/postern/services/imap.conf"
mkdir -p "$ROOM/var/log/postern" "$ROOM/root/.config/postern"
AUDIT=$ROOM/var/log/postern/audit.jsonl
room_posternd
check "agent-7 is registered" room postern client add agent-7 --resource $RESOURCE --scope mail.read --secret-file /root/agent-7.secret
check "and agent-8" room postern client add agent-8 --resource $RESOURCE --scope mail.read --secret-file /root/agent-8.secret
check "and Dovecot, which may ask" room postern client add dovecot --resource $RESOURCE --secret-file /root/dovecot.secret --may-introspect
# client_file FOLDER AGENT
client_file() {
    mkdir -p "$ROOM$1"
    printf '%s\n' 'issuer: http://127.0.0.1:8414' 'allow_loopback_http: yes' "client_id: $2" "client_credential_file: /root/$2.secret" \
        "resource: $RESOURCE" 'scope: mail.read' 'hosts: mail.example.org localhost' >"$ROOM$1/client.conf"
    chmod 600 "$ROOM$1/client.conf"
}
client_file /root/.config/postern agent-7

# Dovecot is unpacked only, so that its users are made here.
room groupadd -r dovecot && room useradd -r -g dovecot -d /usr/lib/dovecot -s /usr/sbin/nologin dovecot &&
    room groupadd -r dovenull && room useradd -r -g dovenull -d /nonexistent -s /usr/sbin/nologin dovenull &&
    room groupadd vmail && room useradd -g vmail -d /var/vmail -m vmail || exit 1
cat >"$ROOM/etc/dovecot/dovecot.conf" <<'C'
protocols = imap
listen = 127.0.0.1
auth_mechanisms = oauthbearer xoauth2
ssl = required
ssl_cert = </etc/ssl/mail.example.org.pem
ssl_key = </etc/ssl/mail.example.org.key
mail_location = maildir:/var/vmail/%u
passdb {
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = /etc/dovecot/oauth2.conf
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail/%u
}
log_path = /var/log/dovecot.log
auth_verbose = yes
# No growing pause after refusals from one address.
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
C
(umask 077 && cat >"$ROOM/etc/dovecot/oauth2.conf") <<C
introspection_mode = post
introspection_url = http://dovecot:$(cat "$ROOM/root/dovecot.secret")@127.0.0.1:8414/oauth/introspect
username_attribute = sub
active_attribute = active
active_value = true
openid_configuration_url = http://127.0.0.1:8414/.well-known/openid-configuration
C
room_exec /usr/sbin/dovecot -F >"$T/dovecot.out" 2>&1 &
pids+=("$!")
wait_for 20 mail_listens 993 || { echo "not ok - dovecot starts"; cat "$T/dovecot.out"; exit 1; }
log=$ROOM/var/log/dovecot.log
mark() { MARK=$(wc -l <"$log"); }
logged() { grep -qE "$1" < <(tail -n +$((MARK + 1)) "$log"); }

plugin_alone
# The command that the plugin starts has a sanitizer's runtime of its own and must not get the preloaded one.
printf '%s\n' '#!/bin/sh' 'unset LD_PRELOAD' 'exec /usr/bin/postern "$@"' >"$ROOM/tmp/postern"
chmod 755 "$ROOM/tmp/postern"
command=X=
[ "${POSTERN_SANITIZED:-}" != address ] || command=POSTERN_COMMAND=/tmp/postern
imtest() { # MECH USER [NAME=VALUE]
    printf '. list "" "*"\r\n. logout\r\n' | room_host SASL_PATH=/tmp/ours "$command" "${3:-X=}" timeout "$PATIENCE" /usr/lib/cyrus/bin/imtest -m "$1" -u "$2" -a "$2" -s \
        mail.example.org >"$T/imtest.out" 2>&1
    grep -q '^Authenticated' "$T/imtest.out" && grep -q INBOX "$T/imtest.out"
}
for mech in OAUTHBEARER XOAUTH2; do
    mark
    if imtest $mech agent-7; then ok "imtest logs in by $mech with a token that the plugin fetched"; else
        not_ok "imtest logs in by $mech with a token that the plugin fetched"
        grep -v '^C:' "$T/imtest.out" | tail -n 12 | sed 's/^/# /'
    fi
    check "Dovecot's log has it ($mech)" wait_for 20 logged "imap-login: Info: Login: user=<agent-7>, method=$mech"
done
# shown: what Dovecot's JSON says, as imtest shows it.
shown() { sed -n 's/^S: + \(.*\)$/\1/p' "$T/imtest.out" | tr -d '\r' | tail -n 1 | base64 -d 2>/dev/null; }
json_is() { [ "$(shown)" = '{"status":"invalid_token","openid-configuration":"http://127.0.0.1:8414/.well-known/openid-configuration"}' ]; }
# imtest_refused NAME MECH USER NAME=VALUE: by Dovecot, which tells why, and our plugin ends the exchange as RFC 7628 says.
imtest_refused() {
    mark
    refuses "imtest is refused: $1, $2" imtest "$2" "$3" "$4"
    if grep -q '^S: A01 NO \[AUTHENTICATIONFAILED\]' "$T/imtest.out"; then ok "$1, $2: the exchange ends"; else not_ok "$1, $2: the exchange ends"; sed 's/^/# /' "$T/imtest.out"; fi
}
client_file /root/agent-8 agent-8
issued=$(room postern token --client /root/.config/postern/client.conf)
token_file wrong "${issued}x"
token_file token "$issued"
token_file revoked "$(room postern token --client /root/agent-8/client.conf)"
check "agent-8 logs in while it is registered" imtest OAUTHBEARER agent-8 BEARER_TOKEN_FILE=/tmp/revoked
room postern client remove agent-8 >/dev/null
for mech in OAUTHBEARER XOAUTH2; do
    imtest_refused "a token that nobody issued" $mech agent-7 BEARER_TOKEN_FILE=/tmp/wrong
    check "$mech: Dovecot's log says so" wait_for 20 logged 'oauth2\(agent-7.*oauth2 failed: Introspection failed: Provided token is not valid'
done
imtest_refused "a token that was taken back" OAUTHBEARER agent-8 BEARER_TOKEN_FILE=/tmp/revoked
check "its JSON is shown" json_is
imtest_refused "another user" OAUTHBEARER alice BEARER_TOKEN_FILE=/tmp/token
check "Dovecot's log names the other" wait_for 20 logged 'oauth2\(alice.*(username|Username|user)'

mbsync_config
mbsync() { room_host timeout "$PATIENCE" mbsync -c "/tmp/$1" mail >"$T/mbsync.out" 2>&1; }
mark
check "mbsync logs in" mbsync mbsyncrc
check "Dovecot's log has it" wait_for 20 logged 'imap-login: Info: Login: user=<agent-7>, method=OAUTHBEARER'
check "mbsync has nothing to complain of" test "$(grep -vc '^Maildir notice' "$T/mbsync.out")" = 0
sed 's#/tmp/token#/tmp/wrong#' "$ROOM/tmp/mbsyncrc" >"$ROOM/tmp/mbsyncrc.wrong"
mbsync mbsyncrc.wrong
status=$?
check "mbsync is refused and ends by itself" test $status != 0 -a $status != 124
check "mbsync shows Dovecot's answer: $(tail -n 1 "$T/mbsync.out")" grep -q 'AUTHENTICATIONFAILED' "$T/mbsync.out"
# With an initial response it would print the whole command that failed, token and all.
check "mbsync does not print the token" test "$(wc -c <"$T/mbsync.out")" -lt 300

# Without its issuer Dovecot decides nothing, and the client hears that it is a matter of time.
server_stop "$POSTERND_PID"
refuses "imtest while the issuer is away" imtest OAUTHBEARER agent-7 BEARER_TOKEN_FILE=/tmp/token
check "the issuer is away: $(grep '^S: A01 NO' "$T/imtest.out" | tr -d '\r')" grep -q '^S: A01 NO \[UNAVAILABLE\]' "$T/imtest.out"
cp "$log" "$T/dovecot.log"
secret_too "$issued"
canary
done_testing
