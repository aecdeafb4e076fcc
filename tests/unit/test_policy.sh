#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `postern policy check|explain`: exit status, places, JSON; and the example policy, whose expects are its test.
set -u
postern=${top_builddir:-.}/postern
examples=${top_srcdir:-.}/examples/policies
if [ ! -x "$postern" ]; then echo "ok - postern is not built here"; exit 0; fi
failed=0
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

# check WHY STATUS PART ARGUMENT...
check() {
    local why=$1 want=$2 part=$3 out status
    shift 3
    out=$("$postern" policy "$@" 2>&1)
    status=$?
    if [ $status != "$want" ]; then
        echo "not ok - $why: status $status, want $want: $out"; failed=1
    elif [[ $out != *"$part"* ]]; then
        echo "not ok - $why: \"$part\" is not in $out"; failed=1
    else
        echo "ok - $why"
    fi
}
same() { # WHY WANT GOT
    if [ "$2" = "$3" ]; then echo "ok - $1"; else echo "not ok - $1"; diff <(echo "$2") <(echo "$3") | sed 's/^/# /'; failed=1; fi
}

cat >"$folder/good.rules" <<'END'
set $bots = worker-*
no-chains: deny anyone to * if chain > 2 because "no chains"
read: allow agent $bots to raw:connect on cache if scope has cache.read and claim.level >= 3 with lease 15m
END
# shellcheck disable=SC2016 # ${user} is the policy's
printf '%s\n' 'no: deny anyone to imap:login on root because "no root"' \
    'mine: allow agent bot for anyone to imap:login on "${user}" if source in (10.0.0.0/8)' >"$folder/logins.rules"
printf 'allow anyone to im*p:login\n' >"$folder/glob.rules"
printf 'allow agent a to *\nallow agent a to raw:connect\n' >"$folder/shadow.rules"
printf '\nalow anyone to *\n' >"$folder/bad.rules"
printf 'deny anyone to *\nexpect allow agent a to raw:connect\n' >"$folder/expect.rules"
printf 'judge agent and user\nallow agent bot to *\nallow user alice to * with lease 1h\n' >"$folder/both.rules"
good=$folder/good.rules

same "the examples are fine and say nothing" "" "$("$postern" policy check "$examples/guardrails.rules" "$examples/team-data.rules" 2>&1)"
same "so is the one of logins" "" "$("$postern" policy check "$examples/guardrails.rules" "$examples/logins.rules" 2>&1)"
same "a fine file says nothing" "" "$("$postern" policy check "$good" 2>&1)"
check "a mistake is named by file, line and column" 1 "$folder/bad.rules:2:1: \"alow\" is no statement; did you mean \"allow\"?" check "$folder/bad.rules"
check "an expect that fails is named" 1 "$folder/expect.rules:2:1: expected allow, and expect:1 ($folder/expect.rules:1) says deny" check "$folder/expect.rules"
same "each faulty file is named" 2 "$("$postern" policy check "$folder/bad.rules" "$good" "$folder/missing.rules" 2>&1 | wc -l)"
check "a file that is not there is no verdict" 3 "missing.rules: No such file" check "$folder/missing.rules"
check "a folder is no file" 3 "Is a directory" check "$folder"
check "a rule that can never decide is a warning" 0 "$folder/shadow.rules:2:1: warning: shadow:2 is never reached: shadow:1" check "$folder/shadow.rules"
check "one name stands once" 3 "two files of one policy are named good.rules" check "$good" "$good"
head -c 2097153 /dev/zero | tr '\0' '#' >"$folder/large.rules"
check "a file that is too large" 1 "2097153 bytes, at most 2097152" check "$folder/large.rules"
check "JSON says what is fine" 0 '{"errors":[],"warnings":[],"ok":true}' check --json "$good"
check "JSON names the place" 1 "{\"errors\":[{\"file\":\"$folder/bad.rules\",\"line\":2,\"column\":1,\"message\":\"\\\"alow\\\" is no" check --json "$folder/bad.rules"
check "JSON has warnings" 0 "\"warnings\":[{\"file\":\"$folder/shadow.rules\",\"line\":2,\"column\":1,\"message\":\"warning: shadow:2" check --json "$folder/shadow.rules"
check "JSON without a place" 3 "\"errors\":[{\"message\":\"$folder/missing.rules: No such file" check --json "$folder/missing.rules"
"$postern" policy check --print "$good" >"$folder/printed.rules"
same "what is printed is a policy with the same text" "$(cat "$folder/printed.rules")" "$("$postern" policy check --print "$folder/printed.rules")"
check "check wants files" 2 "postern policy --help" check
check "check knows its options" 2 "postern policy --help" check --scope x "$good"
check "a verb is wanted" 2 "usage: postern policy check"
check "another verb" 2 "usage: postern policy check" chekc "$good"

ask=(explain --agent worker-1 --on cache --claim level=3)
check "an allow" 0 "allow
  allow by good:read ($good:3)
    not good:no-chains ($good:2): not so: chain > 2
  lease: 900 s" "${ask[@]}" --scope "x cache.read" "$good"
check "a deny that a scope would change" 1 "would be allowed with scope: cache.read" "${ask[@]}" "$good"
check "a deny by a rule has its reason" 1 "because: no chains" "${ask[@]}" --chain 3 --scope cache.read "$good"
check "a claim that is too small" 1 "not so: claim.level >= 3" explain --agent worker-1 --on cache --claim level=2 --scope cache.read "$good"
check "a claim that is not there" 1 "claim.level >= 3 is not known" explain --agent worker-1 --on cache --scope cache.read "$good"
# shellcheck disable=SC2016 # the name of a set
check "another agent" 1 'not agent $bots' explain --agent other --on cache "$good"
check "an action that no protocol has" 1 "deny" "${ask[@]}" --action raw:read "$good"
check "two lists" 1 " the agent's list:
  allow by both:2 ($folder/both.rules:2)
 the user's list:
  deny: no rule matches
    not both:3 ($folder/both.rules:3): not user alice" explain --agent bot --user bob "$folder/both.rules"
check "two lists that allow" 0 "lease: 3600 s" explain --agent bot --user alice "$folder/both.rules"
check "JSON of an allow" 0 "{\"verdict\":\"allow\",\"lists\":[{\"judged\":\"agent\",\"verdict\":\"allow\",\"rule\":\"good:read\",\"file\":\"$good\",\"line\":3,\"passed_over\":[{\"rule\":\"good:no-chains\"" "${ask[@]}" --json --scope cache.read "$good"
check "JSON of a deny" 1 '"missing_scope":"cache.read"}' "${ask[@]}" --json "$good"
check "a time and a zone" 0 "reports" explain --agent report-bot --user eve --group finance --at 2026-12-01T10:00+01:00 --on reports-db "$examples/guardrails.rules" "$examples/team-data.rules"
check "outside of the hours" 1 "not so: time mon-fri 07:00-19:00" explain --agent report-bot --user eve --group finance --at 2026-12-01T06:59+01:00 --on reports-db "$examples/guardrails.rules" "$examples/team-data.rules"
check "a faulty policy decides nothing" 3 "did you mean" explain --agent a "$folder/bad.rules"
check "a bad time" 2 "--at is a time like" explain --at yesterday "$good"
check "a bad claim" 2 "a text needs its quotes" explain --claim acr=high "$good"
check "a claim twice" 2 "a name stands twice" explain --claim a=1 --claim a=2 "$good"
check "a bad number of actors" 2 "--chain is a number" explain --chain -1 "$good"
check "an action without a protocol" 2 "--action is PROTOCOL:NAME" explain --action connect "$good"
check "an option that is not there" 2 "bad option or value" explain --agnet a "$good"
check "explain wants files" 2 "explain takes rules files" explain --agent a
# Who may act as whom: imap:login.
login=(explain --agent bot --user alice --action imap:login)
check "a login is explained" 0 "allow by logins:mine ($folder/logins.rules:2)" "${login[@]}" --on alice --source 10.1.2.3 "$folder/logins.rules"
check "with what is not known of it" 1 "source in (10.0.0.0/8) is not known, and that counts against the agent" "${login[@]}" --on alice "$folder/logins.rules"
# shellcheck disable=SC2016 # the rule's own words
check "and as somebody else" 1 '"bob" is not among "${user}"' "${login[@]}" --on bob --source 10.1.2.3 "$folder/logins.rules"
check "a deny sees through another spelling" 1 "because: no root" "${login[@]}" --on ROOT@b --source 10.1.2.3 "$folder/logins.rules"
check "another service has rules of its own" 1 "about other actions" explain --agent bot --action smtp:login --on a "$folder/logins.rules"
check "doors do not log in" 1 "no rule is about an unknown action" explain --agent bot --action raw:login "$folder/logins.rules"
check "a service is no pattern" 1 "glob.rules:1:17: \"im*p\" is no protocol" check "$folder/glob.rules"
exit $failed
