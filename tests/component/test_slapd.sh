#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A real slapd with our server plugin, a real ldapwhoami with our client plugin: accept and reject, each with slapd's own log line.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
: "${R:?}"
servers_fetch && servers_prepare && config_base
service ldap "helper_peers: $SERVER_USER" 'required_scopes: ldap.read' 'mech_list: OAUTHBEARER XOAUTH2'
posternd_start
PORT=$(free_port)
slapd_start "$PORT" || exit 1
pids+=("$SLAPD_PID")

# bind MECH USER TOKEN: the token goes by a pipe, never by argv.
bind() {
    "${in_root[@]}" "$R/usr/bin/ldapwhoami" -Q -H "ldap://127.0.0.1:$PORT" -O none -Y "$1" -U "$2" ${4:+-X "$4"} -y <(printf '%s' "$3")
}
accepts() { # NAME MECH USER TOKEN
    if out=$(bind "$2" "$3" "$4" 2>&1) && [ "$out" = "dn:uid=$3,dc=example,dc=org" ]; then ok "$1"; else not_ok "$1"; echo "# $out"; fi
}
# rejects NAME REASON USER TOKEN [AUTHZID]: refused, slapd logs the reason and a ref, the audit has it, postern why explains it.
rejects() {
    local before ref out
    before=$(wc -l <"$T/slapd.log")
    if out=$(bind "${MECH:-OAUTHBEARER}" "$3" "$4" "${5:-}" 2>&1); then not_ok "$1"; echo "# accepted: $out"; return; fi
    tail -n +$((before + 1)) "$T/slapd.log" >"$T/slapd.new"
    ref=$(last_ref "$T/slapd.new")
    if grep -qw "$2" <<<"$(grep -F "$ref" "$T/slapd.new")" && audited "$ref" reason "$2" && grep -qw "$2" <<<"$("$postern" why "$ref" --config "$T/etc")"; then
        ok "$1 ($2 in slapd's log)"
    else
        not_ok "$1 ($2 in slapd's log)"
        sed 's/^/# slapd: /' "$T/slapd.new"
        grep -F "\"ref\":\"$ref\"" "$T/audit.jsonl" | sed 's/^/# audit: /'
    fi
}

good=$(token ldap)
accepts "OAUTHBEARER logs in and the authz-regexp maps the agent" OAUTHBEARER agent-7 "$good"
accepts "XOAUTH2 logs in" XOAUTH2 agent-7 "$good"
accepts "a token of 12 KB logs in" OAUTHBEARER agent-7 "$(padded ldap 9000)"
accepts "another subject becomes another DN" OAUTHBEARER alice "$(token ldap sub='"alice"')"

rejects "wrong audience" aud agent-7 "$(token imap)"
rejects "expired" expired agent-7 "$(token ldap exp=$(($(date +%s) - 1)))"
rejects "not valid yet" not_yet_valid agent-7 "$(token ldap nbf=$(($(date +%s) + 3600)))"
rejects "tampered signature" bad_signature agent-7 "${good%??????????}AAAAAAAAAA"
rejects "another issuer" iss agent-7 "$(token ldap iss='"https://evil.example"')"
"$token_tool" key >"$T/evil.pem"
rejects "a thief of the issuer's port, who signs with a key of his own" unknown_kid agent-7 "$(token ldap key="$T/evil.pem")"
rejects "an ID token" typ agent-7 "$(token ldap typ=JWT)"
rejects "a scope is missing" insufficient_scope agent-7 "$(token ldap scope='"mail.read"')"
rejects "a bound token without its proof" cnf agent-7 "$(token ldap cnf='{"jkt":"x"}')"
rejects "a denied user" user_denied root "$(token ldap sub='"root"')"
rejects "bob's name with alice's token" authzid bob "$(token ldap sub='"alice"')" u:bob
rejects "no expiry" claim_missing agent-7 "$(token ldap exp=)"
rejects "LDAP metacharacters in the subject" no_mapping agent-7 "$(token ldap sub='"a,dc=evil"')"
MECH=XOAUTH2 rejects "wrong audience by XOAUTH2" aud agent-7 "$(token imap)"
refuses "a token over 16 KiB is not even sent" bind OAUTHBEARER agent-7 "$good$(head -c 16384 /dev/zero | tr "\\0" A)"
refuses "no simple bind after a refusal" grep -B12 "method=128" "$T/slapd.log"

# The helper is away: undecided, at once; and back by itself.
server_stop "$POSTERND_PID"
start=$(date +%s%N) # who asks a helper waits five seconds for it
out=$(bind OAUTHBEARER agent-7 "$good" 2>&1)
took_ms=$((($(date +%s%N) - start) / 1000000))
if [[ $out == *"Server is unavailable"* || $out == *"(52)"* ]]; then ok "helper down: LDAP unavailable, not invalid credentials"; else not_ok "helper down: LDAP unavailable, not invalid credentials"; echo "# $out"; fi
if [ $took_ms -lt 4900 ]; then ok "helper down: the answer comes at once"; else not_ok "helper down: the answer comes at once (${took_ms} ms)"; fi
posternd_start
accepts "helper back: logins work again" OAUTHBEARER agent-7 "$good"

# Ten at a time, each its own user.
for i in $(seq 10); do
    (t=$(token ldap sub="\"user$i\""); for _ in 1 2 3 4 5; do bind OAUTHBEARER "user$i" "$t"; done) >"$T/parallel.$i" 2>&1 &
    jobs_pids[i]=$!
done
swapped=0
for i in $(seq 10); do
    wait "${jobs_pids[i]}"
    [ "$(grep -cx "dn:uid=user$i,dc=example,dc=org" "$T/parallel.$i")" = 5 ] || { swapped=1; sed 's/^/# /' "$T/parallel.$i"; }
done
if [ $swapped = 0 ]; then ok "50 concurrent logins of ten users: no swap"; else not_ok "50 concurrent logins of ten users: no swap"; fi
check "slapd is alive" kill -0 "$SLAPD_PID"
canary
done_testing
