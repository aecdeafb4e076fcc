#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A real Cyrus IMAP with our server plugin; imtest with our client plugin, curl with its own implementation: accept and reject, each with
# imapd's own log line.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
: "${R:?}"
servers_fetch && servers_prepare && config_base
service imap "helper_peers: $SERVER_USER" 'required_scopes: mail.read' 'mech_list: OAUTHBEARER XOAUTH2'
posternd_start
PORT=$(free_port)
cyrus_start "$PORT" || exit 1
pids+=("$CYRUS_PID")

# curl_imap USER TOKEN [ARGS]: options by stdin, so that no token is in argv.
curl_imap() {
    local user=$1 bearer=$2
    shift 2
    printf 'user = "%s"\noauth2-bearer = "%s"\n' "$user" "$bearer" | curl -sS -K - --max-time 60 "$@" "imap://127.0.0.1:$PORT/"
}
imtest_login() { # MECH USER TOKEN
    (umask 077 && printf '%s' "$3" >"$T/imtest.token")
    printf '. list "" "*"\r\n. logout\r\n' |
        "${in_root[@]}" "BEARER_TOKEN_FILE=$T/imtest.token" "POSTERN_SERVER_USER=$SERVER_USER" timeout "$PATIENCE" "$R/usr/lib/cyrus/bin/imtest" -m "$1" -u "$2" -a "$2" -p "$PORT" 127.0.0.1
}
rejects() { # NAME REASON USER TOKEN
    local before ref out
    before=$(wc -l <"$T/imap.log")
    if out=$(curl_imap "$3" "$4" --verbose 2>&1); then not_ok "$1"; return; fi
    new_ref() { tail -n +$((before + 1)) "$T/imap.log" >"$T/imap.new" && [ -n "$(last_ref "$T/imap.new")" ]; }
    wait_for 20 new_ref
    ref=$(last_ref "$T/imap.new")
    json=$(printf '%s\n' "$out" | sed -n 's/^< + \(.*\)$/\1/p' | tr -d '\r' | tail -n 1 | base64 -d 2>/dev/null)
    if grep -qw "$2" <<<"$(grep -F "$ref" "$T/imap.new")" && audited "$ref" reason "$2"; then ok "$1 ($2 in imapd's log)"; else
        not_ok "$1 ($2 in imapd's log)"
        sed 's/^/# imapd: /' "$T/imap.new"
        printf '%s\n' "$out" | grep -v 'Bearer\|AUTHENTICATE' | tail -n 12 | sed 's/^/# curl: /'
    fi
    case $json in
    *'"status":'*"\"ref\":\"$ref\""*) ok "$1: the client gets RFC 7628 JSON with the same ref" ;;
    *) not_ok "$1: the client gets RFC 7628 JSON with the same ref"; echo "# $json" ;;
    esac
}

good=$(token imap)
check "the admin's token creates a mailbox" curl_imap mailadmin "$(token imap sub='"mailadmin"')" -X 'CREATE user/agent-7'
out=$(curl_imap agent-7 "$good" 2>&1)
case $out in *'* LIST '*INBOX*) ok "curl logs in and lists INBOX" ;; *) not_ok "curl logs in and lists INBOX"; echo "# $out" ;; esac
for mech in OAUTHBEARER XOAUTH2; do
    out=$(imtest_login $mech agent-7 "$good" 2>&1)
    case $out in *Authenticated.*INBOX*) ok "imtest logs in by $mech and lists INBOX" ;; *) not_ok "imtest logs in by $mech and lists INBOX"; printf '%s\n' "$out" | grep -v '^C:' | sed 's/^/# /' ;; esac
done
check "imapd logs the login" wait_for 20 grep -q 'login:.*agent-7.*OAUTHBEARER' "$T/imap.log"
out=$(curl_imap agent-7 "$(padded imap 9000)" 2>&1)
case $out in *INBOX*) ok "a token of 12 KB logs in" ;; *) not_ok "a token of 12 KB logs in"; echo "# $out" ;; esac

rejects "wrong audience" aud agent-7 "$(token ldap)"
rejects "expired" expired agent-7 "$(token imap exp=$(($(date +%s) - 1)))"
rejects "tampered signature" bad_signature agent-7 "${good%??????????}AAAAAAAAAA"
rejects "another user's mailbox" authzid alice "$good"
rejects "a scope is missing" insufficient_scope agent-7 "$(token imap scope='"ldap.read"')"
rejects "the mail administrator by a denied name" user_denied cyrus "$(token imap sub='"cyrus"')"
out=$(imtest_login OAUTHBEARER agent-7 "$(token ldap)" 2>&1)
case $out in *Authenticated.*) not_ok "imtest is refused with the wrong token" ;; *"Authentication failed"*) ok "imtest is refused with the wrong token" ;; *) not_ok "imtest is refused with the wrong token"; printf '%s\n' "$out" | grep -v '^C:' | sed 's/^/# /' ;; esac

# What hosts do to plugins: cancel, junk, an over-long line, an empty line.
raw() { # LINES: what imapd answers
    local answer
    exec 3<>"/dev/tcp/127.0.0.1/$PORT"
    printf '%b' "$1" >&3
    answer=$(timeout 20 head -c 4000 <&3)
    exec 3>&-
    printf '%s' "$answer"
}
for case in 'cancel|*' 'junk|!!!!' 'empty|' 'not a message|aGVsbG8=' 'p= refused|cD10bHMtZXhwb3J0ZXIsLAFhdXRoPUJlYXJlciBhLmIuYwEB'; do
    out=$(raw "a AUTHENTICATE OAUTHBEARER\r\n${case#*|}\r\nAQ==\r\nb LOGOUT\r\n")
    case $out in *"a NO"* | *"a BAD"*) ok "${case%%|*} ends cleanly" ;; *) not_ok "${case%%|*} ends cleanly"; printf '%s\n' "$out" | sed 's/^/# /' ;; esac
done
# RFC 7628 §4.3: an empty auth is a discovery request.
out=$(raw "a AUTHENTICATE OAUTHBEARER $(printf 'n,,\001auth=\001\001' | base64 -w0)\r\nAQ==\r\nb LOGOUT\r\n")
json=$(printf '%s\n' "$out" | tr -d '\r' | sed -n 's/^+ \(.*\)$/\1/p' | head -n 1 | base64 -d 2>/dev/null)
case $json in *'"openid-configuration":"https://sso.test.example/.well-known/openid-configuration"'*) ok "an empty auth is answered with the issuer's discovery document" ;; *) not_ok "an empty auth is answered with the issuer's discovery document"; echo "# $out / $json" ;; esac

server_stop "$POSTERND_PID"
start=$(date +%s%N) # who asks a helper waits five seconds for it
refuses "helper down: refused" curl_imap agent-7 "$good"
took_ms=$((($(date +%s%N) - start) / 1000000))
if [ $took_ms -lt 4900 ]; then ok "helper down: at once"; else not_ok "helper down: at once (${took_ms} ms)"; fi
posternd_start
check "helper back: logins work again" curl_imap agent-7 "$good"
canary
done_testing
