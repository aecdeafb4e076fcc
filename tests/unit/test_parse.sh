#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `postern parse`: exit status, JSON and silence about the token, for raw and wire input.
set -u
postern=${top_builddir:-.}/postern
if [ ! -x "$postern" ]; then echo "ok - postern is not built here"; exit 0; fi
failed=0 count=0
token=vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==
digest=$(printf %s "$token" | sha256sum | cut -d' ' -f1)
good="n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer $token\1\1"

# check WHY STATUS JSON-PART printf-MESSAGE OPTION...
check() {
    local why=$1 want=$2 part=$3 message=$4 out status
    shift 4
    # shellcheck disable=SC2059 # the message is the format: \1 is a byte of it
    out=$(printf "$message" | "$postern" parse "$@" 2>&1)
    status=$?
    count=$((count + 1))
    if [ $status != "$want" ]; then
        echo "not ok - $why: status $status, want $want: $out"; failed=1
    elif [[ $out != *"$part"* ]]; then
        echo "not ok - $why: \"$part\" is not in $out"; failed=1
    elif [[ $out == *"${token:0:12}"* || $out == *SECRET* ]]; then
        echo "not ok - $why: the token was printed"; failed=1
    else
        echo "ok - $why"
    fi
}
wire() { # shellcheck disable=SC2059
    printf "$1" | base64 -w0
}
ob="--mech OAUTHBEARER"
here="$ob --server-host server.example.com --server-port 143"
# shellcheck disable=SC2086
{
    check "accepted, with the digest" 0 "\"token_sha256\":\"$digest\"" "$good" $ob
    check "accepted, with names" 0 '"authzid":"user@example.com","host":"server.example.com","port":"143"' "$good" $ob
    check "absent names are null" 0 '"authzid":null,"host":null,"port":null' 'n,,\1auth=Bearer T\1\1' $ob
    check "discovery" 2 '{"outcome":"discovery"' 'n,,\1auth=\1\1' $ob
    check "no separator at the end" 1 '"reason":"message_malformed"' 'n,,\1auth=Bearer SECRET\1' $ob
    check "a newline behind is a byte too many" 1 '"reason":"message_malformed"' "$good\n" $ob
    check "bad token is not quoted" 1 '"reason":"message_malformed"' 'n,,\1auth=Bearer SECRET SECRET\1\1' $ob
    check "nothing" 1 '"reason":"message_malformed"' '' $ob
    check "NUL" 1 '"reason":"message_malformed"' 'n,,\1auth=Bearer T\1\1\0' $ob
    check "for this server" 0 '"outcome":"accepted"' "$good" $here
    check "for no server" 0 '"outcome":"accepted"' 'n,,\1auth=Bearer T\1\1' $here
    check "for another host" 1 '"reason":"message_server"' 'n,,\1host=evil.example\1port=143\1auth=Bearer T\1\1' $here
    check "for another port" 1 '"reason":"message_server"' 'n,,\1host=server.example.com\1port=993\1auth=Bearer T\1\1' $here
    check "discovery for another host" 1 '"reason":"message_server"' 'n,,\1host=evil.example\1auth=\1\1' $here
    check "XOAUTH2" 0 '"authzid":"al@example.com"' 'user=al@example.com\1auth=Bearer T\1\1' --mech XOAUTH2
    check "XOAUTH2 as OAUTHBEARER" 1 message_malformed 'user=al@example.com\1auth=Bearer T\1\1' $ob
    check "step 2" 0 '"outcome":"accepted"' '\1' $ob --step 2
    check "step 2, empty" 0 '"outcome":"accepted"' '' --mech XOAUTH2 --step 2
    check "step 2 is no second attempt" 1 message_malformed "$good" $ob --step 2
    check "wire" 0 "$digest" "$(wire "$good")" $ob --wire
    check "wire with LF" 0 "$digest" "$(wire "$good")\n" $ob --wire
    check "wire with CR LF" 0 "$digest" "$(wire "$good")\r\n" $ob --wire
    check "wire with two newlines" 1 message_malformed "$(wire "$good")\n\n" $ob --wire
    check "wire with a blank" 1 message_malformed "$(wire "$good") \n" $ob --wire
    check "wire without padding" 1 message_malformed 'bg' $ob --wire
    check "wire with pad bits" 1 message_malformed 'biwsAWF1dGg9QmVhcmVyIFQBAR==' $ob --wire
    check "wire in base64url" 1 message_malformed 'bi_-' $ob --wire
    check "wire: empty first message" 1 message_malformed '=\r\n' $ob --wire
    check "wire: cancel" 1 cancelled '*\r\n' $ob --wire
    check "wire: step 2" 0 '"outcome":"accepted"' 'AQ==\r\n' $ob --wire --step 2
    check "wire: step 2, empty" 0 '"outcome":"accepted"' '\r\n' $ob --wire --step 2
    check "wire: step 2, '=' is no base64" 1 message_malformed '=\r\n' $ob --wire --step 2
    check "too long" 1 '"reason":"limit"' "$(printf 'n,,\\1x=%030000d\\1auth=Bearer T\\1\\1' 0)" $ob
    check "token too long" 1 '"reason":"limit"' "$(printf 'n,,\\1auth=Bearer %016385d\\1\\1' 0)" $ob
    check "no mechanism" 64 required "$good"
    check "unknown mechanism" 64 "bad option" "$good" --mech OAUTHBEARER-PLUS
    check "unknown step" 64 "bad option" "$good" $ob --step 3
    check "unknown option" 64 "bad option" "$good" $ob --tokens
    check "message as argument" 64 "standard input" "$good" $ob message
    check "a token as argument is not repeated" 64 "standard input" "$good" $ob "$token"
    check "a token as an option's value is not repeated" 64 "bad option" "$good" $ob --token="$token"
    check "a token as a known option's value is not repeated" 64 "bad option" "$good" --mech "$token"
    check "a token as option is not repeated" 64 "bad option" "$good" $ob "-$token"
}
"$postern" parse --help | grep -q '^usage: postern parse' || { echo "not ok - help"; failed=1; }
echo "# $count checks"
exit $failed
