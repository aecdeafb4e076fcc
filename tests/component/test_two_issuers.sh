#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A real slapd that trusts two issuers: the embedded one, and one whose keys are a file.  Each one's tokens are its own people, and
# nothing of the one counts for the other; also when the embedded one's are opaque.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
: "${R:?}"
servers_fetch && servers_prepare && config_base
port=$(free_port) LDAP_PORT=$(free_port)
OWN=http://127.0.0.1:$port
mkdir -p "$T/agent" "$T/state"
printf '%s\n' "issuer: $OWN" "listen: 127.0.0.1:$port" "state_dir: $T/state/issuer" "admin_socket: $T/run/issuer-admin.sock" \
    "jwks_file: $T/run/jwks.json" >"$T/etc/issuer.conf"
printf '%s\n' "issuer: $OWN" "jwks_file: $T/run/jwks.json" 'allow_loopback_http: yes' "username_claim: own-\${sub}" \
    >"$T/etc/issuers/own.conf"
echo "username_claim: test-\${sub}" >>"$T/etc/issuers/test.conf"
both() { # LINES...: services/ldap.conf of both issuers
    printf '%s\n' 'audience: https://localhost/ldap' 'issuers: own test' "helper_peers: $SERVER_USER" 'required_scopes: ldap.read' "$@" \
        >"$T/etc/services/ldap.conf"
}
both
posternd_start
slapd_start "$LDAP_PORT" || exit 1
pids+=("$SLAPD_PID")

bind() { # USER TOKEN
    "${in_root[@]}" "$R/usr/bin/ldapwhoami" -Q -H "ldap://127.0.0.1:$LDAP_PORT" -O none -Y OAUTHBEARER -U "$1" -y <(printf '%s' "$2")
}
accepts() { # NAME USER TOKEN
    if out=$(bind "$2" "$3" 2>&1) && [ "$out" = "dn:uid=$2,dc=example,dc=org" ]; then ok "$1"; else not_ok "$1"; echo "# $out"; fi
}
rejects() { # NAME REASON TOKEN
    local before ref out
    before=$(wc -l <"$T/slapd.log")
    if out=$(bind x "$3" 2>&1); then not_ok "$1"; echo "# accepted: $out"; return; fi
    tail -n +$((before + 1)) "$T/slapd.log" >"$T/slapd.new"
    ref=$(last_ref "$T/slapd.new")
    if audited "$ref" reason "$2"; then ok "$1 ($2)"; else not_ok "$1 ($2)"; grep -F "\"ref\":\"$ref\"" "$T/audit.jsonl" | sed 's/^/# audit: /'; fi
}

"$postern" client add agent-7 --scope ldap.read --resource https://localhost/ldap --secret-file "$T/agent/secret" --config "$T/etc" >"$T/client.log" 2>&1 ||
    { not_ok "a client of the embedded issuer"; cat "$T/client.log"; exit 1; }
own_token() {
    "$postern" token --issuer "$OWN" --client-id agent-7 --client-auth secret --secret-file "$T/agent/secret" --allow-loopback-http \
        --loopback-user "$(id -u)" --resource https://localhost/ldap --quiet --no-cache
}
own=$(own_token)
other=$(token ldap)
accepts "the embedded issuer's agent-7 is own-agent-7" own-agent-7 "$own"
accepts "the other issuer's agent-7 is test-agent-7" test-agent-7 "$other"
accepts "each again, from what was proved" own-agent-7 "$own"
accepts "each again, from what was proved: the other" test-agent-7 "$other"
rejects "the embedded issuer's name, signed by the other" unknown_kid "$(token ldap iss="\"$OWN\"")"
rejects "a third issuer" iss "$(token ldap iss='"https://third.example"')"
rejects "no issuer at all" iss "$(token ldap iss=)"
printf '%s' "$other" | "$postern" verify --service ldap --config "$T/etc" --explain >"$T/explain.txt" 2>&1
check "verify --explain says whose token it is" grep -q "whose.*it says $ISSUER: issuers/test.conf" "$T/explain.txt"
if [ "$(python3 -c 'import json,sys,urllib.request as u; print(*json.load(u.urlopen(sys.argv[1]))["authorization_servers"])' \
    "$OWN/.well-known/oauth-protected-resource/ldap")" = "$OWN $ISSUER" ]; then
    ok "the service's metadata names both issuers"
else
    not_ok "the service's metadata names both issuers"
fi

# From now on short ones; those from before count as they did.
both 'access_token_format: opaque'
check "the reload is done" posternd_reload
short=$(own_token)
if [[ $short =~ ^pot_[A-Za-z0-9_-]{43}$ ]]; then ok "the embedded issuer gives an opaque token"; else not_ok "the embedded issuer gives an opaque token"; fi
accepts "slapd takes it" own-agent-7 "$short"
accepts "and a signed one from before" own-agent-7 "$own"
accepts "and the other issuer's" test-agent-7 "$other"
rejects "a guess" inactive "pot_$(printf %043d 0)"

"$postern" client remove agent-7 --config "$T/etc" >>"$T/client.log" 2>&1
is_removed() { ! bind own-agent-7 "$own"; } # at once, but for a helper that does not confirm it in two seconds
wait_for 20 is_removed
rejects "removed at the embedded issuer: its tokens are taken back" revoked "$own"
rejects "the opaque one too" inactive "$short"
accepts "and the other issuer's agent of that name is another" test-agent-7 "$other"

# A configuration in which the two could be one is not taken, and what it was before goes on.
both 'username_strip_domain: x'
sed -i "s/^username_claim:.*/username_claim: own-test-\${sub}/" "$T/etc/issuers/own.conf"
check "names that differ in front are apart" "$posternd" --config "$T/etc" --check
sed -i "s/^username_claim:.*/username_claim: test-x-\${sub}/" "$T/etc/issuers/own.conf"
"$posternd" --config "$T/etc" --check >"$T/refusal.txt" 2>&1 && not_ok "names of which one begins as the other are refused"
check "names of which one begins as the other are refused, with the place and what to write" grep -q \
    'services/ldap.conf:2:10: issuers: own and test may name one local user; give each a username_claim' "$T/refusal.txt"
secret_too "$own" "$other" "$short"
canary
done_testing
