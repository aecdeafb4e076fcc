#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `postern audit show|follow|verify`: what is printed, exit status, several files, rotation under `follow`.
set -u
postern=${top_builddir:-.}/postern
if [ ! -x "$postern" ]; then echo "ok - postern is not built here"; exit 0; fi
failed=0
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
report() { # STATUS NAME
    if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; fi
}
# check NAME STATUS PART ARGUMENT...: exit status, and PART in what is printed
check() {
    local name=$1 want=$2 part=$3 out status
    shift 3
    out=$("$postern" audit "$@" 2>&1)
    status=$?
    [ $status = "$want" ] && [[ $out == *"$part"* ]]
    report $? "$name"
    if [ $status != "$want" ] || [[ $out != *"$part"* ]]; then echo "# status $status, want $want: $out"; fi
}

# chain RECORD...: lines of a chain that goes on from $seq and $prev
seq=0 prev=$(printf %064d 0)
chain() {
    local record line
    for record; do
        seq=$((seq + 1))
        line="${record%\}},\"seq\":$seq,\"prev\":\"$prev\"}"
        prev=$(printf %s "$line" | sha256sum | cut -d' ' -f1)
        printf '%s\n' "$line"
    done
}
begin='{"time":"2025-11-24T16:00:00.000Z","event":"chain","reason":"new"}'
login='{"time":"2025-11-24T16:00:01.000Z","ref":"R-1","event":"login","service":"cache","outcome":"proved","session":"S-1","agent":"agent-7","human":"alice"}'
refused='{"time":"2025-11-24T16:00:02.000Z","ref":"R-2","event":"login","service":"cache","outcome":"rejected","reason":"blocked","agent":"agent-8"}'
chain "$begin" "$login" >"$folder/audit.1"
old_head=$prev old_seq=$seq
chain "$refused" "$login" >"$folder/audit"
printf '%s\n' "audit_file: $folder/audit" "audit_key_dir: $folder/keys" >"$folder/postern.conf"

# ---- verify ----
check "a chain is whole" 0 "2 records, chain whole since 1 (2025-11-24T16:00:00.000Z), head $old_head, number 2" verify "$folder/audit.1"
check "over two files" 0 "4 records, chain whole since 1 " verify "$folder/audit.1" "$folder/audit"
check "the younger alone is whole since its beginning" 0 "chain whole since 3 (2025" verify "$folder/audit"
check "the configured file" 0 "chain whole since 3 " verify --config "$folder"
check "files in the wrong order" 1 "audit.1:1: a new chain begins" verify "$folder/audit" "$folder/audit.1"
check "an exported head" 0 "whole" verify --head "$old_head" "$folder/audit.1" "$folder/audit"
check "with its number" 0 "whole" verify --head "$old_head" --seq "$old_seq" "$folder/audit"
check "with another number" 1 "not in it" verify --head "$old_head" --seq 4 "$folder/audit.1" "$folder/audit"
check "a head of something else" 1 "not in it" verify --head "$(printf %064d 5)" "$folder/audit"
check "a head that is no hash" 2 usage verify --head 1234 "$folder/audit"
check "a number that is none" 2 usage verify --head "$old_head" --seq 1x "$folder/audit"
check "a number without a head" 2 usage verify --seq 1 "$folder/audit"
check "no such file" 3 "No such file" verify "$folder/missing"
check "a folder is no file" 3 "directory" verify "$folder"
sed 's/"agent-7"/"agent-9"/' "$folder/audit.1" >"$folder/changed"
check "a changed record" 1 "changed:2: this record was changed" verify "$folder/changed" "$folder/audit"
tail -n +2 "$folder/audit" | cat "$folder/audit.1" - >"$folder/missing-one"
check "a removed record" 1 "missing-one:3: record 4 follows record 2: 1 are missing" verify "$folder/missing-one"
printf 'x' | cat "$folder/audit" - >"$folder/piece"
check "a piece at the end" 1 "piece:3: this is not a whole record" verify "$folder/piece"
printf '{"old":1}\n' >"$folder/older"
check "no chain at all" 1 "no chain: 1 records" verify "$folder/older"
"$postern" audit verify - <"$folder/audit" | grep -q 'whole since 3 '
report $? "standard input"

# ---- verify with checkpoints; what they prove is tests/unit/test_audit_checkpoint.c's and tests/component/test_audit_proof.py's ----
mark='{"time":"2025-11-24T16:00:03.000Z","event":"checkpoint","host":"h","record":2,"head":"'$old_head'","key":"00","signature":"AAAA"}'
(cat "$folder/audit"; chain "$mark") >"$folder/marked"
# A public key like any other: nobody has the other half.
cat >"$folder/key.pub" <<'X'
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2JS/kM0fXadcpZat3skXpV2DDBgk
n07oxbfwRVhE7s/DgUCEEOtgc27oULM+BLNQfguxsiqjiBRoYqArPRy06w==
-----END PUBLIC KEY-----
X
check "checkpoints without a key" 0 "1 checkpoints in it, none verified" verify "$folder/marked"
check "a chain without checkpoints" 0 "no checkpoint proves it" verify --key "$folder/key.pub" "$folder/audit"
check "a checkpoint of a foreign key" 1 "marked:3: this checkpoint is signed by a key that is not among those of --key: 00" \
    verify --key "$folder/key.pub" "$folder/marked"
printf '%s\n' "$mark" >"$folder/kept"
check "the same where it was kept" 1 "kept:1: this checkpoint is signed by a key" \
    verify --key "$folder/key.pub" --checkpoints "$folder/kept" "$folder/audit"
check "lines that are no checkpoints are told" 0 "2 lines of --checkpoints are none" \
    verify --key "$folder/key.pub" --checkpoints "$folder/audit" "$folder/audit"
check "checkpoints want a key" 2 usage verify --checkpoints "$folder/kept" "$folder/audit"
check "a key that is none" 3 "there is no public key in it" verify --key "$folder/kept" "$folder/audit"
check "no such key" 3 "No such file" verify --key "$folder/missing" "$folder/audit"
check "no such file of checkpoints" 3 "No such file" verify --key "$folder/key.pub" --checkpoints "$folder/missing" "$folder/audit"

# ---- key, digest ----
check "a key has a name" 0 "# key " key "$folder/key.pub"
check "and is printed" 0 "$(cat "$folder/key.pub")" key "$folder/key.pub"
check "a key that posternd has not made" 3 "keys/checkpoint.pub: No such file" key --config "$folder"
check "two files are one too many" 2 usage key "$folder/key.pub" "$folder/key.pub"
mkdir "$folder/keys"
for i in $(seq 0 31); do printf '%b' "\\0$(printf %03o "$i")"; done >"$folder/keys/args.key"
check "a digest by the configured key" 0 "ssycPwj4jRi9MW6qSssSw8slc3zssE2rzXoqQ_c_GjY" digest --config "$folder" redis:SET a 1
check "the first database is as none" 0 "ssycPwj4jRi9MW6qSssSw8slc3zssE2rzXoqQ_c_GjY" digest --config "$folder" --database 0 redis:SET a 1
check "another database has another" 0 "CG5AqKS0Fvwy_fFkuka_7lfhrMHIReeVDu852uKf1c4" digest --config "$folder" --database 3 redis:DEL k
check "a database that doors do not write so" 2 usage digest --config "$folder" --database 03 redis:DEL k
check "a database without a number" 2 usage digest --config "$folder" --database '' redis:DEL k
check "a database of MCP" 2 usage digest --config "$folder" --database 3 --json-args '{}' mcp:tools/call
check "other arguments have another" 0 "$(printf %s 'ab' | "$postern" audit digest --config "$folder" --json-args - redis:SET)" \
    digest --key "$folder/keys/args.key" redis:SET ab
check "a key of another length" 3 "a key has 32 bytes" digest --key "$folder/kept" redis:SET
check "no action" 2 usage digest --config "$folder"
check "arguments in both forms" 2 usage digest --config "$folder" --json-args '{}' mcp:tools/call x

# ---- show ----
check "a line each" 0 "2025-11-24T16:00:02.000Z login    rejected  cache        agent-8, blocked, R-2" show --file "$folder/audit"
check "by the configuration" 0 "R-2" show --config "$folder"
[ "$("$postern" audit show --json --file "$folder/audit.1" --file "$folder/audit")" = "$(cat "$folder/audit.1" "$folder/audit")" ]
report $? "--json gives the lines as they stand, in the order of the files"
count() { "$postern" audit show --file "$folder/audit.1" --file "$folder/audit" "$@" | wc -l; }
[ "$(count --denied)" = 1 ] && [ "$(count --agent agent-7)" = 2 ] && [ "$(count --human alice --session S-1)" = 2 ] &&
    [ "$(count --event chain)" = 1 ] && [ "$(count --service cache --since 2025-11-24T16:00:02)" = 1 ] && [ "$(count --since 1h)" = 0 ]
report $? "filters"
check "damaged lines are told" 0 "1 lines are no records" show --file "$folder/piece"
check "a bad time" 2 usage show --since tomorrow
check "an argument too many" 2 usage show "$folder/audit"
check "no such file" 3 "No such file" show --file "$folder/missing"
check "no verb" 2 usage
check "another verb" 2 usage erase

# ---- actions, and why ----
cat >"$folder/actions" <<'END'
{"time":"2026-11-28T16:00:00.000Z","ref":"A-1","event":"action","service":"cache","outcome":"rejected","reason":"policy","agent":"bot","action":"redis:SET","resource":"a","rule":"cache:no"}
{"time":"2026-11-28T16:00:01.000Z","ref":"A-2","event":"action","service":"cache","outcome":"rejected","reason":"insufficient_scope","agent":"bot","action":"redis:DEL","detail":"cache.write"}
{"time":"2026-11-28T16:00:02.000Z","ref":"A-3","event":"action","service":"files","outcome":"proved","agent":"bot","action":"mcp:tools/call","resource":"t","rule":"files:x","would":"deny"}
{"time":"2026-11-28T16:00:03.000Z","ref":"A-4","event":"held","service":"files","outcome":"rejected","reason":"held","agent":"bot","action":"mcp:tools/call"}
{"time":"2026-11-28T16:00:04.000Z","event":"actions","service":"cache","outcome":"proved","agent":"bot","action":"redis:GET","rule":"cache:read","count":1200}
{"time":"2026-11-28T16:00:05.000Z","ref":"A-5","event":"approve","service":"files","outcome":"proved","agent":"bot","action":"mcp:tools/call","approver":"eve"}
{"time":"2026-11-28T16:00:06.000Z","ref":"A-6","event":"action","service":"cache","outcome":"rejected","reason":"rate","agent":"bot","action":"redis:SET","rule":"cache:write"}
END
count() { "$postern" audit show --file "$folder/actions" "$@" | wc -l; }
[ "$(count --agent bot --denied)" = 4 ] && [ "$(count --agent bot --denied --door cache --action 'redis:SET')" = 2 ] && [ "$(count --action 'mcp:*')" = 3 ] &&
    [ "$(count --would-deny)" = 1 ] && [ "$(count --event actions)" = 1 ] && [ "$(count --denied --since 2026-11-28T16:00:03)" = 2 ]
report $? "actions are filtered"
check "actions that were counted" 0 "redis:GET, rule cache:read, count 1200" show --file "$folder/actions"
check "who approved" 0 "mcp:tools/call, by eve, A-5" show --event approve --file "$folder/actions"
why() { # NAME REF PART
    local out
    out=$("$postern" why --audit-file "$folder/actions" "$2" 2>&1) && [[ $out == *"$3"* ]]
    report $? "$1"
}
why "why the policy refused an action" A-1 "policy   redis:SET, on a, rule cache:no"
why "what to do about it" A-1 "advice   The door's policy does not allow this action."
why "why a scope was wanting" A-2 "advice   Ask for a token that also has the scopes"
why "what would have been denied" A-3 "advice   It was let through because the policy is on trial"
why "a held action was not refused" A-4 "A-4: held at 2026-11-28T16:00:03.000Z"
why "a refused one was" A-6 "A-6: refused at"
why "an approved one was accepted" A-5 "A-5: accepted at"
why "why an action is held" A-4 "with this reference. Where the client was refused"
why "who approved it" A-5 "judged by eve"
why "why it was too often" A-6 "The agent did this more often"

# ---- follow ----
cp "$folder/audit" "$folder/live"
mkfifo "$folder/out"
"$postern" audit follow --json --file "$folder/live" >"$folder/out" &
follower=$!
exec 3<"$folder/out"
next() { # NAME WANT: the next line has WANT
    local line=
    IFS= read -r -t 60 line <&3
    [[ $line == *"$2"* ]]
    report $? "$1"
    [[ $line == *"$2"* ]] || echo "# $line"
}
next "follow begins with what stands there" '"seq":3'
next "and its second line" '"seq":4'
chain "$login" >>"$folder/live"
next "then what comes" '"seq":5'
printf '%s' '{"half":' >>"$folder/live"
printf '1}\n' >>"$folder/live"
next "a line that comes in pieces is one" '{"half":1}'
mv "$folder/live" "$folder/live.1"
: >"$folder/live"
chain "$login" >>"$folder/live.1" # the writer has not changed yet
next "behind a rename the old file is read on" '"seq":6'
chain "$login" "$login" >>"$folder/live"
next "and then the new one" '"seq":7'
next "and its second line" '"seq":8'
: >"$folder/live"
chain "$login" >>"$folder/live" # shorter than what was read
next "a file that was emptied is read from its beginning" '"seq":9'
kill $follower
exec 3<&-
wait $follower 2>/dev/null
timeout 60 "$postern" audit follow --file "$folder/audit" | head -1 >"$folder/first"
[ "${PIPESTATUS[0]}" != 124 ]
report $? "follow ends when nobody reads it"
grep -q R-2 "$folder/first"
report $? "and what was read is there"
exit $failed
