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
same "so is the one of a Redis door" "" "$("$postern" policy check "$examples/guardrails.rules" "$examples/cache.rules" 2>&1)"
same "so is the one of an MCP door" "" "$("$postern" policy check "$examples/guardrails.rules" "$examples/files.rules" 2>&1)"
same "so are all of them as one" "" "$("$postern" policy check "$examples"/guardrails.rules "$examples"/{cache,files,logins,team-data}.rules 2>&1)"
same "and no expect of theirs fails" "" "$("$postern" policy test "$examples"/guardrails.rules "$examples"/{cache,files,logins,team-data}.rules | grep '^not ok')"
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
printf 'allow agent a to raw:connect on x\ndeny agent a to raw:connect on x\nallow agent b to * if scope has x and not scope has x\nallow agent c to * if time until 2020-01-31\n' >"$folder/doubtful.rules"
check "a deny that contradicts an allow above" 0 "doubtful.rules:2:1: warning: doubtful:2 contradicts doubtful:1" check "$folder/doubtful.rules"
check "tests that cannot all hold" 0 "doubtful.rules:3:1: warning: doubtful:3 never matches: it wants scope has x and not scope has x" check "$folder/doubtful.rules"
check "a right that is over" 0 "doubtful.rules:4:1: warning: doubtful:4 is over" check "$folder/doubtful.rules"
same "each once" 3 "$("$postern" policy check "$folder/doubtful.rules" 2>&1 | wc -l)"
printf 'deny anyone to mcp:resources/read on "https://h/doc"\ndeny anyone to mcp:resources/read on "https://h/far*"\n' >"$folder/bare.rules"
check "a URI that is denied without its queries" 0 'bare.rules:1:1: warning: bare:1 denies https://h/doc and nothing with a query' check "$folder/bare.rules"
same "and one that ends with a star is not" 1 "$("$postern" policy check "$folder/bare.rules" 2>&1 | wc -l)"
# A path with colons, and a door of the configuration.
mkdir -p "$folder/a:1:2" "$folder/etc/doors" "$folder/etc/services" "$folder/etc/issuers" "$folder/etc/policies"
cp "$folder/bad.rules" "$folder/a:1:2/bad.rules"
check "a path with colons is a path" 1 "{\"errors\":[{\"file\":\"$folder/a:1:2/bad.rules\",\"line\":2,\"column\":1," check --json "$folder/a:1:2/bad.rules"
printf 'issuer: https://as.example\njwks_file: %s\n' "$folder/etc/keys.json" >"$folder/etc/issuers/as.conf"
printf '{"keys":[]}\n' >"$folder/etc/keys.json"
printf 'listen: 127.0.0.1:1\nprotocol: raw\nbackend: 127.0.0.1:2\naudience: https://c.example/cache\nissuers: as\npolicy: cache\n' >"$folder/etc/doors/cache.conf"
printf 'audience: https://c.example/imap\nissuers: as\nhelper_peers: root\npolicy: cache\n' >"$folder/etc/services/imap.conf"
cat >"$folder/etc/policies/cache.rules" <<'END'
in:   allow agent bot to raw:connect on cache
mail: allow agent bot for anyone to imap:login on x
far:  allow agent bot for anyone to smtp:login on x
expect allow agent bot to raw:connect on cache
END
check "a door's policy, and a service that is not there" 0 "policies/cache.rules:3:1: warning: cache:far is about nothing: there is no services/smtp.conf" check --config "$folder/etc" cache
same "and nothing else" 1 "$("$postern" policy check --config "$folder/etc" --door cache 2>&1 | wc -l)"
check "a service's policy" 0 "" check --config "$folder/etc" imap
check "files beside a configuration" 0 "cache:far is about nothing" check --config "$folder/etc" "$folder/logins.rules" "$folder/etc/policies/cache.rules"
check "no such door" 3 "pop: no door or service of that name, and no rules file" check --config "$folder/etc" pop
check "no such configuration" 3 "No such file" check --config "$folder/nowhere" cache
check "a door or files" 2 "postern policy --help" check --door cache "$good"
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
check "what was near" 1 "near: good:read ($good:3) would allow, but: not so: scope has cache.read" "${ask[@]}" "$good"
check "near is one part, not two" 1 '"near":[]' explain --json --agent other --on cache "$good"
check "JSON of what was near" 1 "\"near\":[{\"rule\":\"good:read\",\"file\":\"$good\",\"line\":3,\"verdict\":\"allow\",\"why\":\"not so: scope has cache.read\"}]" "${ask[@]}" --json "$good"
printf 'a: allow agent bot to raw:connect on a,b\n' >"$folder/two.rules"
check "several resources, all allowed" 0 "allow
on a: allow
  allow by two:a" explain --agent bot --on a --resource b "$folder/two.rules"
check "one of several is denied" 1 "deny
on a: allow" explain --agent bot --on a --on c "$folder/two.rules"
check "JSON of several" 1 '{"verdict":"deny","resources":[{"resource":"a","verdict":"allow"' explain --json --agent bot --on a --on c "$folder/two.rules"
check "an argument without a name" 2 "--arg is NAME=VALUE: x" explain --agent bot --arg x "$folder/two.rules"
check "an argument twice" 2 "a name stands twice" explain --agent bot --arg x=1 --arg x=2 "$folder/two.rules"
check "arguments of a command have numbers" 2 "here 1=VALUE" explain --agent bot --action redis:GET --arg 0=a --arg 2=b "$folder/two.rules"
check "a door is explained" 0 "allow by cache:in (policies/cache.rules:1)" explain --config "$folder/etc" --agent bot --on cache cache
# test: each expect by itself.
check "expects that hold" 0 "1..21" test "$examples/guardrails.rules" "$examples/team-data.rules" --expect "allow agent worker-3 to raw:connect on stream-worker-3"
check "and by which rule" 0 "team-data.rules:20: expect deny agent worker-3 to raw:connect on cache, by no rule" test "$examples/guardrails.rules" "$examples/team-data.rules"
check "one that fails is told with the others" 1 "not ok 1 - $folder/expect.rules:2: expect allow agent a to raw:connect, by expect:1
# expected allow, got deny
# 1 expects, 1 failed" test "$folder/expect.rules"
check "one of the command line" 1 "not ok 1 - --expect:1: expect allow agent z to raw:connect, by no rule" test --expect "allow agent z to raw:connect" "$good"
check "beside a file of the same name" 1 "not ok 2 - --expect:1: expect allow agent z" test --expect "allow agent z to raw:connect" "$folder/expect.rules"
check "a mistake in it" 1 "--expect:1:8: \"alow\" is no verdict" test --expect "alow agent z to raw:connect" "$good"
check "JSON of a test" 1 "{\"expects\":[{\"ok\":false,\"file\":\"$folder/expect.rules\",\"line\":2,\"expect\":\"expect allow agent a to raw:connect\",\"expected\":\"allow\",\"verdict\":\"deny\",\"rule\":\"expect:1\"}],\"count\":1,\"failed\":1,\"ok\":false}" test --json "$folder/expect.rules"
check "two lists are two rules" 0 "ok 1 - --expect:1: expect allow agent bot for user alice to raw:connect, by both:2 and both:3" test --expect "allow agent bot for user alice to raw:connect" "$folder/both.rules"
check "a faulty file is no test" 1 "did you mean" test "$folder/bad.rules"
check "a door's expects" 0 "ok 1 - policies/cache.rules:4: expect allow agent bot to raw:connect on cache, by cache:in" test --config "$folder/etc" cache
printf '%s\n' 'in: allow agent bot to raw:connect on cache if scope has cache.read and time 10:00-11:00' 'expect allow agent bot to raw:connect on cache given scope = cache.read, time = 2026-12-01T10:30Z' \
    'expect deny agent bot to raw:connect on cache given scope = cache.read' >"$folder/given.rules"
check "expects at no time" 0 "2 expects, 0 failed" test "$folder/given.rules"
check "expects at another time" 1 "1..2
# given time = 2026-12-01T10:59Z
ok 1 - $folder/given.rules:2: expect allow agent bot to raw:connect on cache given scope = \"cache.read\", time = \"2026-12-01T10:30Z\", by given:in
not ok 2 - $folder/given.rules:3: expect deny agent bot to raw:connect on cache given scope = \"cache.read\", by given:in" test --given "time = 2026-12-01T10:59Z" "$folder/given.rules"
check "a scope that a line says itself" 1 "# 2 expects, 1 failed" test --given "scope = none" --given "time = 2026-12-01T10:59Z" "$folder/given.rules"
check "JSON of what was given" 1 '{"given":["time = 2026-12-01T10:59Z"],"expects":[{"ok":true' test --json --given "time = 2026-12-01T10:59Z" "$folder/given.rules"
check "an attribute that there is none of" 1 "--given:1:1: \"tme\" is no attribute; did you mean \"time\"?" test --given "tme = 1" "$folder/given.rules"
check "an argument is no condition for all" 1 "--given:1:1: arguments are those of one action" test --given "arg.path = x" "$folder/given.rules"
check "test wants files" 2 "postern policy --help" test
# who-can
printf 'allow agent fixer to raw:connect on db if time until 2027-01-31\n' >"$folder/over.rules"
check "who can" 0 "agent cache-bot,worker-*
  by team-data:cache ($examples/team-data.rules:7)
  on cache
  if scope has cache.read
  with lease 15m
  unless it is anyone if chain > 2: guardrails:no-chains ($examples/guardrails.rules:5) denies it
  unless it is group leavers: guardrails:no-leavers ($examples/guardrails.rules:6) denies it" who-can raw:connect on cache "$examples/guardrails.rules" "$examples/team-data.rules"
# shellcheck disable=SC2016 # the rule's own words
check "a resource that depends on who asks" 0 'on "stream-${agent}"' who-can raw:connect on stream-worker-3 "$examples/team-data.rules"
check "nobody can" 1 "nobody" who-can raw:connect on other "$good"
check "a right that is over is none" 1 '"who":[]}],"somebody":false}' who-can raw:connect on db --at 2027-02-01T00:00Z --json "$folder/over.rules"
check "and one that is not" 0 "agent fixer" who-can raw:connect on db --at 2027-01-31T22:59Z "$folder/over.rules"
check "two lists of people" 0 "The agent's list (both must allow):
agent bot
  by both:2 ($folder/both.rules:2)

The user's list:
user alice
  by both:3" who-can raw:connect "$folder/both.rules"
check "JSON of who can" 0 "{\"action\":\"raw:connect\",\"resource\":\"a\",\"lists\":[{\"judged\":\"agent\",\"who\":[{\"rule\":\"two:a\",\"file\":\"$folder/two.rules\",\"line\":1,\"verdict\":\"allow\",\"who\":\"agent bot\",\"action\":\"raw:connect\",\"resources\":\"a,b\",\"tests\":[],\"duties\":\"\",\"unless\":[]}]}],\"somebody\":true}" who-can --json raw:connect on a "$folder/two.rules"
check "an action is wanted" 2 "who-can takes an action" who-can
check "a known action is wanted" 2 "there is no such action" who-can raw:read "$good"
check "who-can wants files" 2 "who-can takes rules files" who-can raw:connect on a
# show
check "what an agent may do" 0 "bot may:
  imap:login
    by logins:mine ($folder/logins.rules:2), as agent bot for anyone
    on \"\${user}\"
    if source in (10.0.0.0/8)
    unless denied by logins:no
bot is denied:
  imap:login
    by logins:no ($folder/logins.rules:1), as anyone
    on root
    because no root
Whatever is not listed is denied, but for what every client says first (@session)." show --agent bot "$folder/logins.rules"
check "when it acts for somebody" 1 "a may do nothing" show --agent a --for alice "$folder/logins.rules"
check "when rights end, and which are over" 0 "ends 2027-01-31T23:00:00Z" show --agent fixer --at 2026-12-01T10:00Z "$examples/team-data.rules"
check "a right that is over" 1 "c could, until it was over:
  *
    by doubtful:4" show --agent c "$folder/doubtful.rules"
check "JSON of what it may do" 0 "{\"agent\":\"bot\",\"allowed\":[{\"rule\":\"two:a\"" show --json --agent bot "$folder/two.rules"
check "show wants an agent" 2 "show wants --agent" show "$good"
# actions
check "protocols" 0 "mcp
raw
redis" actions
check "actions of Redis, with their classes and resources" 0 "
redis:GET  on key  @" actions redis
check "classes of Redis" 0 "redis:@read  " actions redis
check "actions of a class" 0 "mcp:resources/read  on URI  @read" actions mcp --class @read
same "and no others" "" "$("$postern" policy actions mcp --class @read | grep -v @read)"
check "what clients say first needs no rule" 0 "anyone who came in
  by @session" who-can redis:PING "$examples/cache.rules"
printf 'no: deny agent bot to redis:PING\n' >"$folder/ping.rules"
check "but a rule can name it" 0 "unless it is agent bot: ping:no (" who-can redis:ping "$folder/ping.rules"
check "JSON of what clients say first" 0 '{"rule":"@session","verdict":"allow","who":"anyone","unless":[{"rule":"ping:no"' who-can --json redis:PING "$folder/ping.rules"
check "who can once somebody approves" 0 "agent report-bot for group finance
  by files:change ($examples/files.rules:9), once somebody approves
  on write_file,move_file
  if arg.path under /srv/reports
  with approver group oncall and wait 10m
  unless it is anyone if chain > 2: guardrails:no-chains" who-can mcp:tools/call on write_file "$examples/guardrails.rules" "$examples/files.rules"
check "what needs an approval" 0 "report-bot may, once somebody approves:
  mcp:tools/call
    by files:change" show --agent report-bot "$examples/guardrails.rules" "$examples/files.rules"
call=(explain --agent report-bot --action mcp:tools/call --on read_file)
check "arguments of a tool" 0 "allow by files:look" "${call[@]}" --arg path=/srv/reports/q3.csv "$examples/files.rules"
check "an argument too many is near" 1 "near: files:look ($examples/files.rules:6) would allow, but: not so: args only" "${call[@]}" --arg path=/srv/reports/q3.csv --arg 'x={"y":1}' "$examples/files.rules"
check "arguments that are not told count against the agent" 1 "arg.path under /srv/reports is not known" "${call[@]}" "$examples/files.rules"
pay=(explain --agent pay-bot --user alice --purpose invoice-1 --action mcp:tools/call --on create_payment --arg currency=EUR)
check "a number is a number" 0 "allow by files:pay" "${pay[@]}" --arg amount=500 "$examples/files.rules"
check "and a text is none" 1 "arg.amount <= 500" "${pay[@]}" --arg 'amount="500"' "$examples/files.rules"
check "several keys of a command" 1 "deny
on cache:1: allow
  allow by cache:read ($examples/cache.rules:9)" explain --agent worker-3 --action redis:mget --on cache:1 --on session:1 "$examples/cache.rules"
check "duties are told" 0 "  rate: 100 in 1 s" explain --agent cache-bot --scope cache.write --action redis:SET --on cache:1 "$examples/cache.rules"
check "JSON of duties" 0 '"rate":{"count":100,"period_s":1}' explain --json --agent cache-bot --scope cache.write --action redis:SET --on cache:1 "$examples/cache.rules"
check "a hold is no allow" 1 "hold
  hold by cache:flush" explain --agent cache-bot --action redis:UNLINK --on cache:1 "$examples/cache.rules"
cat >"$folder/pay.rules" <<'END'
pay: hold agent a to mcp:tools/call on pay if arg.amount > 100
rest: allow agent a to mcp:tools/call on pay
expect hold agent a to mcp:tools/call on pay given arg.amount = 200
expect allow agent a to mcp:tools/call on pay given arg.amount = 100
expect hold agent a to mcp:tools/call on pay given arg.amount = "200"
END
check "a hold that is not known takes the place of an allow" 1 "hold by pay:pay ($folder/pay.rules:1): arg.amount > 100 is not known: it is held where a rule below allows it" explain --agent a --action mcp:tools/call --on pay "$folder/pay.rules"
check "JSON of such a one" 1 '"line":1,"why":"arg.amount > 100 is not known' explain --json --agent a --action mcp:tools/call --on pay "$folder/pay.rules"
check "its expects" 0 "" check "$folder/pay.rules"
{ sed -n 2p "$folder/pay.rules"; sed -n 1p "$folder/pay.rules"; } >"$folder/payed.rules"
check "a hold below an allow has what that one cannot see" 0 "pay contradicts payed:rest" check "$folder/payed.rules"
check "actions of one" 0 "raw:connect  on " actions raw
check "JSON of actions" 0 '"raw":[{"action":"connect","classes":[' actions --json
check "no such protocol" 1 "no such protocol or class" actions gopher
check "no such class" 1 "no such protocol or class" actions raw --class @read
check "one protocol" 2 "postern policy --help" actions raw raw
# A terminal is not steered: neither by a file's text nor by a path.
printf 'no: deny anyone to * because "\xe2\x80\xae"\n' >"$folder/steer.rules"
typed=$(script -qec "$postern policy explain --agent a $folder/steer.rules; $postern policy check --print $folder/steer.rules; $postern policy show --json --agent a $folder/steer.rules" /dev/null </dev/null)
same "a terminal gets no byte of a stranger's" 0 "$(LC_ALL=C grep -c $'\xe2' <<<"$typed")"
same "it gets what stands for them" 3 "$(grep -cF -e '\xe2\x80\xae' -e '\u202e' <<<"$typed")"
same "a pipe gets them as they are" 1 "$("$postern" policy explain --agent a "$folder/steer.rules" | LC_ALL=C grep -c $'\xe2\x80\xae')"
check "a service is no pattern" 1 "glob.rules:1:17: \"im*p\" is no protocol" check "$folder/glob.rules"
exit $failed
