#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `postern verify`: both forms, exit status, reason and silence about the token.
set -u
top=$(cd "${top_builddir:-.}" && pwd)
postern=$top/postern
if [ ! -x "$postern" ]; then echo "ok - postern is not built here"; exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 count=0
tool=$top/tests/support/token_tool
"$tool" key >"$work/key.pem"
"$tool" key >"$work/other.pem"
"$tool" jwks "$work/key.pem" >"$work/keys.json"
echo 'not a key set' >"$work/broken.json"

issuer=https://sso.example.org audience=https://mail.example.org/imap now=1800000100
claims() { # MORE: members that are added
    printf '{"iss":"%s","aud":"%s","exp":1800000300,"iat":1800000000,"sub":"alice@example.org","client_id":"agent-7","jti":"t-1","scope":"mail.read mail.write"%s}' \
        "$issuer" "$audience" "${1:-}"
}
sign() { "$tool" sign "$work/${2:-key}.pem" "${3:-at+jwt}" <<<"$1" | tr -d '\n'; }
token=$(sign "$(claims)")
alone=(--issuer "$issuer" --audience "$audience" --jwks "$work/keys.json" --now "$now")

# check WHY STATUS PART OPTION...   the token on standard input; PART must stand in the output
check() {
    local why=$1 want=$2 part=$3 out status
    shift 3
    out=$("$postern" verify "$@" 2>&1)
    status=$?
    count=$((count + 1))
    if [ "$status" != "$want" ]; then
        echo "not ok - $why: status $status, want $want: $out"; failed=1
    elif [[ $out != *"$part"* ]]; then
        echo "not ok - $why: \"$part\" is not in $out"; failed=1
    elif [[ $out == *"${token:0:20}"* || $out == *"${token: -20}"* ]]; then
        echo "not ok - $why: the token was printed"; failed=1
    else
        echo "ok - $why"
    fi
}
{
    check "good" 0 '{"outcome":"proved","reason":"ok","actor":"agent-7","claims":{"iss":"https://sso.example.org"' "${alone[@]}" <<<"$token"
    check "without a newline" 0 '"outcome":"proved"' "${alone[@]}" < <(printf %s "$token")
    check "two newlines" 1 '"reason":"malformed"' "${alone[@]}" < <(printf '%s\n\n' "$token")
    check "carriage return" 1 '"reason":"malformed"' "${alone[@]}" < <(printf '%s\r\n' "$token")
    check "a blank in front" 1 '"reason":"malformed"' "${alone[@]}" < <(printf ' %s' "$token")
    check "Bearer in front" 1 '"reason":"malformed"' "${alone[@]}" < <(printf 'Bearer %s' "$token")
    check "NUL behind" 1 '"reason":"malformed"' "${alone[@]}" < <(printf '%s\0' "$token")
    check "nothing at all" 1 '"outcome":"rejected","reason":"no_token"' "${alone[@]}" </dev/null
    check "only a newline" 1 '"reason":"no_token"' "${alone[@]}" <<<""
    check "16384 bytes are read" 1 '"reason":"malformed"' "${alone[@]}" < <(head -c 16384 /dev/zero | tr '\0' a)
    check "16384 bytes and a newline" 1 '"reason":"malformed"' "${alone[@]}" < <(head -c 16384 /dev/zero | tr '\0' a; echo)
    check "16385 bytes are too many" 1 '"outcome":"rejected","reason":"limit"' "${alone[@]}" < <(head -c 16385 /dev/zero | tr '\0' a)
    check "endless input" 1 '"reason":"limit"' "${alone[@]}" </dev/zero
    check "tampered" 1 '"reason":"bad_signature"' "${alone[@]}" <<<"$(sign "$(claims)" other | sed "s/^[^.]*/${token%%.*}/")"
    check "another key" 1 '"reason":"unknown_kid"' "${alone[@]}" <<<"$(sign "$(claims)" other)"
    check "another type" 1 '"reason":"typ"' "${alone[@]}" <<<"$(sign "$(claims)" key JWT)"
    check "expired" 1 '"reason":"expired"' "${alone[@]}" --now 1800000360 <<<"$token"
    check "last second" 0 '"outcome":"proved"' "${alone[@]}" --now 1800000359 <<<"$token"
    check "before its time" 1 '"reason":"not_yet_valid"' "${alone[@]}" --now 1799999939 <<<"$token"
    check "another audience" 1 '"reason":"aud"' --issuer "$issuer" --audience https://mail.example.org/smtp --jwks "$work/keys.json" --now "$now" <<<"$token"
    check "another issuer" 1 '"reason":"iss"' --issuer "$issuer/" --audience "$audience" --jwks "$work/keys.json" --now "$now" <<<"$token"
    check "http loopback is a name like any other" 1 '"reason":"iss"' --issuer http://127.0.0.1:8414 --audience "$audience" --jwks "$work/keys.json" --now "$now" <<<"$token"
    check "bound to a key" 1 '"reason":"cnf"' "${alone[@]}" <<<"$(sign "$(claims ',"cnf":{"jkt":"x"}')")"
    check "both scopes" 0 '"outcome":"proved"' "${alone[@]}" --required-scope mail.read --required-scope mail.write <<<"$token"
    check "a scope more" 1 '"reason":"insufficient_scope"' "${alone[@]}" --required-scope mail.read --required-scope mail.admin <<<"$token"
    check "half a scope" 1 '"reason":"insufficient_scope"' "${alone[@]}" --required-scope mail <<<"$token"
    check "no key set" 3 '"outcome":"undecided","reason":"keys_unavailable"' --issuer "$issuer" --audience "$audience" --jwks "$work/none.json" --now "$now" <<<"$token"
    check "a broken key set" 3 '"outcome":"undecided","reason":"keys_unavailable"' --issuer "$issuer" --audience "$audience" --jwks "$work/broken.json" --now "$now" <<<"$token"
    check "a folder" 3 '"reason":"keys_unavailable"' --issuer "$issuer" --audience "$audience" --jwks "$work" --now "$now" <<<"$token"
    check "key set from a pipe" 0 '"outcome":"proved"' --issuer "$issuer" --audience "$audience" --jwks <(cat "$work/keys.json") --now "$now" <<<"$token"
    check "unknown kid and a pipe" 1 '"reason":"unknown_kid"' --issuer "$issuer" --audience "$audience" --jwks <("$tool" jwks "$work/other.pem") --now "$now" <<<"$token"

    check "no option" 2 'either --service or all of' <<<"$token"
    check "half a form" 2 'either --service or all of' --issuer "$issuer" --audience "$audience" <<<"$token"
    check "both forms" 2 'either --service or all of' "${alone[@]}" --service imap <<<"$token"
    check "unknown option" 2 'unknown option' "${alone[@]}" --insecure <<<"$token"
    check "option without its value" 2 'unknown option' "${alone[@]}" --required-scope <<<"$token"
    check "an option twice" 2 'unknown option' "${alone[@]}" --issuer x <<<"$token"
    check "an empty value" 2 'unknown option' --issuer "" --audience x --jwks y <<<"$token"
    check "a token as argument" 2 'standard input, not from an argument' "${alone[@]}" "$token" </dev/null
    check "now that is no number" 2 'unknown option' "${alone[@]}" --now tomorrow <<<"$token"
    check "now before 1970" 2 'unknown option' "${alone[@]}" --now -5 <<<"$token"
    check "a blank in the audience" 2 'audience holds a blank' --issuer "$issuer" --audience "a b" --jwks x <<<"$token"
    check "help" 0 'usage: postern verify' --help </dev/null

    mkdir -p "$work/conf/issuers" "$work/conf/services"
    printf 'issuer: %s\njwks_file: ../keys.json\n' "$issuer" >"$work/conf/issuers/sso.conf"
    printf 'audience: %s\nhelper_peers: 0\nusername_strip_domain: example.org\n' "$audience" >"$work/conf/services/imap.conf"
    service=(--config "$work/conf" --service imap --now "$now")
    check "by service" 0 '"outcome":"proved","reason":"ok","user":"alice","actor":"agent-7"' "${service[@]}" <<<"$token"
    check "system account" 1 '"reason":"user_denied"' "${service[@]}" <<<"$(sign "$(claims | sed 's/alice@example.org/daemon/')")"
    check "no mapping" 1 '"reason":"no_mapping"' "${service[@]}" <<<"$(sign "$(claims | sed 's/alice@example.org/a b/')")"
    check "service with one scope more" 1 '"reason":"insufficient_scope"' "${service[@]}" --required-scope x <<<"$token"
    # The way of the checks: where it stopped, with its figures; never a piece of the token.
    explain() { # WHY STATUS PART OPTION...   the token on standard input
        local why=$1 want=$2 part=$3 out status given i
        shift 3
        given=$(cat)
        out=$("$postern" verify --explain "$@" <<<"$given" 2>&1)
        status=$?
        count=$((count + 1))
        if [ "$status" != "$want" ] || [[ $out != *"$part"* ]]; then
            echo "not ok - $why: status $status, want $want and \"$part\": $out"; failed=1
            return
        fi
        for ((i = 0; i + 16 <= ${#given}; i += 4)); do
            if [[ $out == *"${given:i:16}"* ]]; then
                echo "not ok - $why: a piece of the token was printed"; failed=1
                return
            fi
        done
        echo "ok - $why"
    }
    explain "explain: proved" 0 'user         passed: username_claim sub; name "alice@example.org"; stripped "alice"; user "alice"' "${service[@]}" <<<"$token"
    explain "explain: which file and issuer" 0 "service      passed: services/imap.conf; trusts $issuer by issuers/sso.conf" "${service[@]}" <<<"$token"
    explain "explain: times" 1 'times        stopped: now 1800000400, clock_skew 60 s; exp 1800000300 (-100 s); iat 1800000000 (-400 s)' "${service[@]:0:4}" --now 1800000400 <<<"$token"
    explain "explain: early" 1 'times        stopped: now 1799999900' "${service[@]:0:4}" --now 1799999900 <<<"$token"
    explain "explain: scope" 1 'scope        stopped: scope "mail.read mail.write"; wanted "x"' "${service[@]}" --required-scope x <<<"$token"
    explain "explain: audience" 1 'audience     stopped: aud "https://mail.example.org/imap"; wanted "https://other.example"' "${alone[@]:0:2}" --audience https://other.example "${alone[@]:4}" <<<"$token"
    explain "explain: issuer" 1 'issuer       stopped: iss "https://sso.example.org"; wanted "https://x"' --issuer https://x "${alone[@]:2}" <<<"$token"
    explain "explain: type" 1 'type         stopped: typ "JWT"; wanted at+jwt' "${service[@]}" <<<"$(sign "$(claims)" key JWT)"
    explain "explain: unknown key" 1 'signature    stopped: kid "' "${service[@]}" <<<"$(sign "$(claims)" other)"
    explain "explain: signature" 1 'bad_signature' "${service[@]}" <<<"$(sign "$(claims)" other | sed "s/^[^.]*/${token%%.*}/")"
    explain "explain: form" 1 'form         stopped' "${service[@]}" <<<"a.b"
    explain "explain: size" 1 'standard input holds more than 16384 bytes' "${alone[@]}" < <(head -c 16385 /dev/zero | tr '\0' a)
    explain "explain: nothing" 1 'size         stopped' "${alone[@]}" </dev/null
    explain "explain: binding" 1 'binding      stopped: cnf' "${service[@]}" <<<"$(sign "$(claims ',"cnf":{"jkt":"x"}')")"
    explain "explain: actors" 1 'actors       stopped' "${service[@]}" <<<"$(sign "$(claims ',"act":"x"')")"
    explain "explain: who acts" 0 'actors       passed: acts "agent-9"' "${service[@]}" <<<"$(sign "$(claims ',"act":{"sub":"agent-9"}')")"
    explain "explain: lineage" 1 'lineage      stopped' "${service[@]}" <<<"$(sign "$(claims ',"derived_from":"x"')")"
    explain "explain: ID token" 1 'id_token     stopped' "${service[@]}" <<<"$(sign "$(claims ',"at_hash":"x"')")"
    explain "explain: a claim missing" 1 'identities   stopped: required sub; and client_id; and jti; and iat' "${service[@]}" <<<"$(sign "$(claims | sed 's/"jti":"t-1",//')")"
    explain "explain: user" 1 'user         stopped: username_claim sub; name "daemon"' "${service[@]}" <<<"$(sign "$(claims | sed 's/alice@example.org/daemon/')")"
    explain "explain: no keys" 3 'keys         stopped' --issuer "$issuer" --audience "$audience" --jwks "$work/none.json" --now "$now" <<<"$token"
    explain "explain: no service" 3 'service      stopped' --config "$work/conf" --service smtp <<<"$token"
    explain "explain: what was not reached" 1 'authzid      not reached' "${service[@]}" --required-scope x <<<"$token"
    explain "explain: advice" 1 'advice       Ask for a token with every scope' "${service[@]}" --required-scope x <<<"$token"
    explain "explain: JSON" 1 '{"check":"scope","source":"RFC 6750 §3.1","state":"stopped","facts":"scope \"mail.read mail.write\"; wanted \"x\""}' --json "${service[@]}" --required-scope x <<<"$token"
    check "JSON alone" 2 '--json belongs to --explain' "${service[@]}" --json <<<"$token"

    # A provider's preset and a map.
    mkdir -p "$work/conf/maps"
    printf 'issuer: %s\njwks_file: ../keys.json\nprovider: keycloak\n' "$issuer" >"$work/conf/issuers/sso.conf"
    printf '/^service-account-(.*)$ \\1\n' >"$work/conf/maps/roles.map"
    printf 'audience: %s\nhelper_peers: 0\nusername_map_file: maps/roles.map\n' "$audience" >"$work/conf/services/imap.conf"
    kc=$(claims ',"typ":"Bearer","azp":"agent-7","preferred_username":"service-account-agent-7"')
    explain "explain: an agent's own token of Keycloak" 0 'party        passed: provider keycloak; for itself' "${service[@]}" <<<"$(sign "$kc" key JWT)"
    explain "explain: the line of the map" 0 'maps/roles.map:1; mapped "agent-7"; user "agent-7"' "${service[@]}" <<<"$(sign "$kc" key JWT)"
    explain "explain: no line" 1 'no_mapping' "${service[@]}" <<<"$(sign "${kc/service-account-agent-7/alice}" key JWT)"
    explain "explain: no clear party" 1 'party        stopped: provider keycloak' "${service[@]}" <<<"$(sign "${kc/\"jti\"/\"sid\":\"s\",\"jti\"}" key JWT)"
    printf '/(.*) x\n' >"$work/conf/maps/roles.map"
    check "a wrong map" 3 'roles.map:1:2: a pattern begins with ^' "${service[@]}" <<<"$token"
    printf 'issuer: %s\njwks_file: ../keys.json\n' "$issuer" >"$work/conf/issuers/sso.conf"
    printf 'audience: %s\nhelper_peers: 0\n' "$audience" >"$work/conf/services/imap.conf"
    check "unknown service" 3 '"outcome":"undecided","reason":"service_unknown"' --config "$work/conf" --service smtp <<<"$token"
    check "no configuration" 3 '"outcome":"undecided","reason":"config_file"' --config "$work/none" --service imap <<<"$token"
    echo 'audence: x' >"$work/conf/services/imap.conf"
    check "wrong configuration" 3 'services/imap.conf:1:1: unknown key \"audence\"; did you mean \"audience\"?' "${service[@]}" <<<"$token"
}
echo "$count checks"
exit $failed
