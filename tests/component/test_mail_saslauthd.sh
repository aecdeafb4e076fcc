#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Cyrus IMAP and Postfix without our plugin: `pwcheck_method: saslauthd` leads to posternd, and a token or a handle comes as the password of
# PLAIN, with the files of examples/hosts/*-saslauthd; smtpd reaches the socket from its chroot.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/component/mail.sh
. "$(dirname "$0")/mail.sh"
PASSWORD=correct-horse-battery-staple-7

is_last() { # MEMBER VALUE ...: of the newest record, which is the login's that was just told
    local record
    record=$(last_record)
    while [ $# != 0 ]; do
        case $record in *"\"$1\":\"$2\""*) shift 2 ;; *) return 1 ;; esac
    done
}
accepts_password() { # NAME LINE TOKEN [OPTIONS]
    local name="$protocol: $1" line=$2 token=$3
    shift 3
    mail_mark
    if mail_login "$token" "$protocol" agent-7 --mech PLAIN "${more[@]}" "$@" >"$T/login.out" 2>&1 && wait_for 20 mail_says "$program" "$line" &&
        is_last outcome proved carrier password user agent-7; then ok "$name"; else
        not_ok "$name"
        { cat "$T/login.out"; tail -n +$((MARK + 1)) "$T/syslog.log"; last_record; } | sed 's/^/# /'
    fi
}
refuses_password() { # NAME REASON TOKEN [USER]
    local name="$protocol: $1 ($2)" reason=$2 status=0
    mail_mark
    mail_login "$3" "$protocol" "${4:-agent-7}" --mech PLAIN >"$T/login.out" 2>&1 || status=$?
    if [ $status = 1 ] && wait_for 20 mail_says "$program" "$badlogin" && is_last outcome rejected reason "$reason" carrier password; then ok "$name"; else
        not_ok "$name"
        { echo "status $status"; cat "$T/login.out"; tail -n +$((MARK + 1)) "$T/syslog.log"; last_record; } | sed 's/^/# /'
    fi
}
# handle TOKEN USER: what postern handle prints for the process of that host.
handle() { printf '%s' "$1" | room setpriv --reuid="$2" --regid=mail --clear-groups postern handle --service "$service"; }

# host PEER: both hosts must do this.  By the variables protocol, program, service, login and badlogin (their own log lines), more (options).
host() {
    local peer=$1 good handle
    good=$(mail_token "$service")
    tokens+=("$good")
    mail_login "$good" "$protocol" agent-7 --tls no --offers >"$T/offers"
    if grep -qE 'PLAIN|LOGIN$' "$T/offers"; then not_ok "$protocol: no password without TLS"; else ok "$protocol: no password without TLS"; fi
    mail_login "$good" "$protocol" agent-7 --offers >"$T/offers"
    if grep -q OAUTH "$T/offers"; then not_ok "$protocol: there is no plugin of ours"; else ok "$protocol: there is no plugin of ours"; fi
    accepts_password "a token is the password, STARTTLS" "$login" "$good"
    accepts_password "a token is the password, TLS" "$login" "$good" --tls ssl
    handle=$(handle "$good" "$peer")
    tokens+=("$handle")
    check "$protocol: a handle is made" test ${#handle} = 36
    accepts_password "a handle is the password" "$login" "$handle"
    refuses_password "once" handle "$handle"
    refuses_password "wrong audience" aud "$(mail_token ldap)"
    refuses_password "expired" expired "$(mail_token "$service" exp=$(($(date +%s) - 1)))"
    refuses_password "another user" authzid "$good" alice
    refuses_password "a token for AGENT-7, who would be agent-7 here" no_mapping "$(mail_token "$service" 'sub="AGENT-7"')" AGENT-7
    refuses_password "a person's password" malformed "$PASSWORD" alice
    refuses_oversize "$protocol" "$program" "$badlogin" "$good" "$protocol" agent-7 --mech PLAIN
    together "$protocol" "$program" "${login//agent-7/user-[0-9]+}" "$service" "$protocol" --mech PLAIN "${more[@]}"
    server_stop "$ISSUER_PID"
    posternd_again
    mail_mark
    mail_login "$good" "$protocol" agent-7 --mech PLAIN >"$T/login.out" 2>&1
    check "$protocol: the issuer is down: $(tail -n 1 "$T/login.out")" grep -qE "$undecided" "$T/login.out"
    check "$protocol: undecided in the record" is_last outcome undecided reason keys_unavailable
    check "$protocol: the host's own line" wait_for 20 mail_says "$program" "$badlogin"
    mail_issuer_start
    check "$protocol: the issuer is back" wait_for 40 mail_login "$good" "$protocol" agent-7 --mech PLAIN
}

mail_room cyrus-imap-saslauthd
rm "$ROOM"/usr/lib/x86_64-linux-gnu/sasl2/liboauthbearer.so
cyrus_wishes
cyrus_run 143 993
tokens=()
protocol=imap program='cyrus/imaps?' service=imap more=() undecided='^temporary generic failure'
login='login: .* agent-7 PLAIN\+TLS User logged in' badlogin='badlogin: .*PLAIN'
host cyrus
curl_login() { # PASSWORD
    printf 'user = "agent-7:%s"\n' "$1" | curl -sS -K - --max-time 60 --cacert "$T/ca.pem" --login-options AUTH=PLAIN imaps://mail.example.org/
}
check "imap: curl with the token as its password" curl_login "$(mail_token imap)"
cyrus_end

# The same machine becomes the other host: its socket is in smtpd's chroot.
mail_examples postfix-saslauthd
room postconf -e 'default_transport=discard:'
rm "$ROOM/etc/postern/services/imap.conf"
posternd_again
mail_senders
postfix_run 587 465
check "smtp: the socket is in the chroot" test -S "$ROOM/var/spool/postfix/run/postern/saslauthd/mux"
protocol=smtp program='postfix/submissions?/smtpd' service=smtp more=(--send) undecided='^temporary 454 4.7.0'
login='sasl_method=PLAIN, sasl_username=agent-7' badlogin='warning: .*: SASL PLAIN authentication failed'
host postfix
refuses_sender "smtp: agent-7 may not send as alice" "$program" agent-7 alice@mail.example.org "$(mail_token smtp)" --mech PLAIN
refuses_sender "smtp: nor from an address that is nobody's, by TLS" "$program" agent-7 boss@example.net "$(mail_token smtp)" --mech PLAIN --tls ssl
room sh -c 'umask 077; cat >/tmp/password' <<<"$(mail_token smtp)"
check "smtp: msmtp with the token as its password" room msmtp --host=mail.example.org --port=587 --tls=on --tls-trust-file=/etc/ssl/test-authority.pem \
    --auth=plain --user=agent-7 --passwordeval='cat /tmp/password' --from=agent-7@mail.example.org alice@example.net <<<"Subject: From a robot"

no_token_said "${tokens[@]}"
# A person's password is nowhere, in no form.
for form in "$PASSWORD" "$(printf '\0alice\0%s' "$PASSWORD" | base64 -w0)" "$(printf '%s' "$PASSWORD" | sha256sum | cut -c1-64)"; do
    if grep -rqF -- "$form" "$T"/*.log "$T/audit.jsonl" "$ROOM/var/log"; then not_ok "a person's password is in no log"; else ok "a person's password is in no log"; fi
done
done_testing
