#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The plugin in the real libsasl, without any server around it: sasl_pair (server and client in one process) and Cyrus SASL's own sample
# programs, against a real posternd.  Accept, reject, undecided; threads; a fork between two users' logins.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
: "${PLUGIN:?}" "${postern:?}" "${HELPER:?}"
pair=$POSTERN_BUILD/tests/support/sasl_pair
config_base
service imap 'helper_peers: root' 'required_scopes: mail.read' 'mech_list: OAUTHBEARER XOAUTH2'
service smtp 'helper_peers: root'
posternd_start

mkdir "$T/plug" "$T/conf"
cp "$PLUGIN" "$T/plug/"
printf 'postern_helper_socket: %s\n' "$HELPER" >"$T/conf/sample.conf"
export SASL_PATH=$T/plug SASL_CONF_PATH=$T/conf SASL_PAIR_SOCKET=$HELPER

login() { # TOKEN MECH SERVICE [AUTHZID]: the log lines and the outcome in pair.log
    printf '%s\n' "$1" | "$pair" login "${@:2}" >"$T/pair.log" 2>&1
}
accepts() { # NAME USER TOKEN MECH SERVICE [AUTHZID]
    if login "${@:3}" && grep -q "^server 0 user $2:" "$T/pair.log"; then ok "$1"; else not_ok "$1"; sed 's/^/# /' "$T/pair.log"; fi
}
# rejects NAME REASON CODE TOKEN MECH SERVICE [AUTHZID]: the code, the reason and ref in the host's log, only the ref in errdetail.
rejects() {
    local ref
    login "${@:4}"
    ref=$(grep -F 'outcome=rejected' "$T/pair.log" | grep -o 'R-[0-9A-Z]\{10\}')
    if grep -qE "^server $3 user -: .*ref $ref\$" "$T/pair.log" && grep -qF "log 2 postern: $5 service=$6 outcome=rejected reason=$2 ref=$ref " "$T/pair.log" &&
        audited "$ref" reason "$2"; then
        ok "$1 ($2)"
    else
        not_ok "$1 ($2)"
        sed 's/^/# /' "$T/pair.log"
    fi
}
offers() { # NAME LIST SERVICE
    local list
    list=$("$pair" list "$3" 2>/dev/null)
    if [ "$list" = "$2" ]; then ok "$1"; else not_ok "$1: \"$list\""; fi
}

# Programs of others get the sanitizer's runtime before our plugin.
host() { env ${POSTERN_HOST_PRELOAD:+"LD_PRELOAD=$POSTERN_HOST_PRELOAD" ASAN_OPTIONS=detect_leaks=0} "$@"; }
viewed() { grep -q 'OAUTHBEARER XOAUTH2' <<<"$(host saslpluginviewer "$1")"; }
check "pluginviewer sees both server mechanisms" viewed -s
check "pluginviewer sees both client mechanisms" viewed -c
offers "the service file says which mechanisms are offered" "OAUTHBEARER XOAUTH2" imap
offers "XOAUTH2 is not offered by default" OAUTHBEARER smtp
offers "a host without a service file is offered nothing" "" ldap
SASL_PAIR_SOCKET=$T/run/nowhere offers "without posternd's socket nothing is offered" "" imap

good=$(token imap) alice=$(token imap sub='"alice"')
accepts "OAUTHBEARER" agent-7 "$good" OAUTHBEARER imap
accepts "OAUTHBEARER with the same authzid" agent-7 "$good" OAUTHBEARER imap agent-7
accepts "XOAUTH2" agent-7 "$good" XOAUTH2 imap agent-7
rejects "expired" expired -13 "$(token imap exp=$(($(date +%s) - 1)))" OAUTHBEARER imap
rejects "another audience" aud -13 "$(token smtp)" OAUTHBEARER imap
rejects "a scope is missing" insufficient_scope -13 "$(token imap scope='"x"')" OAUTHBEARER imap
rejects "bob with alice's token" authzid -14 "$alice" OAUTHBEARER imap bob
rejects "bob with alice's token by XOAUTH2" authzid -14 "$alice" XOAUTH2 imap bob
rejects "a user that is denied" user_denied -14 "$(token imap sub='"root"')" OAUTHBEARER imap

# Descriptors and names: neither leaks, neither swaps.
check "1,000 logins of parent and child after a fork" sh -c "printf '%s\n' '$alice' '$good' | SASL_PAIR_QUIET=1 '$pair' fork imap 1000 alice agent-7"
check "eight threads with eight users" sh -c "{ $(for i in 1 2 3 4 5 6 7 8; do printf "echo '%s';" "$(token imap "sub=\"user$i\"")"; done) } |
    SASL_PAIR_QUIET=1 '$pair' threads imap 50 user1 user2 user3 user4 user5 user6 user7 user8"

# Cyrus SASL's sample programs: the client's line is what the server takes.
client_line() { # TOKEN
    printf 'S: T0FVVEhCRUFSRVI=\n%s\n' "$1" | host setsid timeout "$PATIENCE" sasl-sample-client -p "$T/plug" -m OAUTHBEARER -s imap -n localhost -u '' -a agent-7 2>/dev/null | grep '^C: '
}
sample_server() { # LINES
    printf '%s\n' "$1" | host timeout "$PATIENCE" sasl-sample-server -p "$T/plug" -m OAUTHBEARER -s imap -i 'local=127.0.0.1;1,remote=127.0.0.1;2' 2>&1
}
out=$(sample_server "$(client_line "$good")")
case $out in *"Username: agent-7"* | *"sending encrypted message"*) ok "sample client and sample server" ;; *) not_ok "sample client and sample server"; printf '%s\n' "$out" | sed 's/^/# /' ;; esac
out=$(sample_server "$(client_line "$(token smtp)")
C: AQ==")
json=$(printf '%s\n' "$out" | sed -n 's/^S: //p' | tail -n 1 | base64 -d 2>/dev/null)
case $json in '{"status":"invalid_token"'*) ok "sample server sends the error challenge" ;; *) not_ok "sample server sends the error challenge"; printf '%s\n' "$out" | sed 's/^/# /' ;; esac

server_stop "$POSTERND_PID"
login "$good" OAUTHBEARER imap
check "posternd down: undecided, and said so" grep -q '^server -24 ' "$T/pair.log"
check "posternd down: the host's log says why" grep -q 'outcome=undecided reason=helper_unavailable' "$T/pair.log"
posternd_start
accepts "posternd back: logins work again" agent-7 "$good" OAUTHBEARER imap
canary
done_testing
