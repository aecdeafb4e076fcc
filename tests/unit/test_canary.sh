#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# tests/support/canary finds what is planted, and nothing else.
canary=./tests/support/canary
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failures=0
# {"canary":"0123456789abcdefghij","sub":"alice-of-wonderland"} and a signature of 32 bytes
payload=eyJjYW5hcnkiOiIwMTIzNDU2Nzg5YWJjZGVmZ2hpaiIsInN1YiI6ImFsaWNlLW9mLXdvbmRlcmxhbmQifQ
signature=_-7dzLuqmYh3ZlVEMyIRAP_-_-7dzLuqmYh3ZlVEMyI
printf '%s\n' "eyJhbGciOiJFUzI1NiJ9.$payload.$signature" pst_AbCdEfGhIjKlMnOpQrStUvWx >"$dir/tokens"

expect() { # STATUS NAME: what is in $dir/text
    "$canary" scan "file:$dir/text" <"$dir/tokens" >"$dir/out" 2>&1
    status=$?
    if [ $status = "$1" ]; then echo "ok - $2"; else
        echo "not ok - $2 ($status)"
        sed 's/^/# /' "$dir/out"
        failures=$((failures + 1))
    fi
}
plant() { printf 'some text before it %b and some behind it\n' "$1" >"$dir/text"; }

plant 'nothing'
expect 0 "nothing is found in nothing"
plant "$(printf %s $payload | cut -c 31-42)"
expect 1 "twelve characters of the payload"
plant "$(printf %s $payload | cut -c 31-41)"
expect 0 "eleven are not enough"
plant "$(printf %s $signature | cut -c 2-13)"
expect 1 "twelve characters of the signature"
plant "$(printf %s $signature | cut -c 1-24 | tr -- '-_' '+/')"
expect 1 "the signature with the letters of the other base64"
plant '\0356\0335\0314\0273\0252\0231\0210\0167\0146\0125\0104\0063'
expect 1 "twelve bytes of the decoded signature"
plant 456789abcdef
expect 1 "twelve bytes of the decoded payload's canary"
plant alice-of-wonderland
expect 0 "who it is about is no secret"
plant eyJhbGciOiJFUzI1NiJ9
expect 0 "nor is the header"
for shift in '' x xy; do
    plant "$(printf '%sn,,auth=Bearer %s' "$shift" "a.$payload.$signature" | base64 | tr -d '\n' | cut -c 51-62)"
    expect 1 "base64 around the token, ${#shift} bytes further"
done
plant AbCdEfGhIjKl
expect 1 "a piece of a handle"
plant "$(head -c 1048560 /dev/zero | tr '\0' x)$(printf %s $payload | cut -c 31-62)"
expect 1 "across the end of what is read at once"

mkfifo "$dir/go"
SECRET=$payload cat "$dir/go" >/dev/null & # never in an argv, of which so much would be said that the rest is not
planted=$!
"$canary" watch <"$dir/tokens" >"$dir/watch" &
watching=$!
n=0
until grep -q "found in /proc/$planted/environ" "$dir/watch" || [ $n = 400 ]; do
    n=$((n + 1))
    sleep 0.05
done
kill -TERM $watching
wait $watching
status=$?
if [ $status = 1 ] && grep -q "found in /proc/$planted/environ" "$dir/watch"; then echo "ok - the environment of a process"; else
    echo "not ok - the environment of a process ($status)"
    failures=$((failures + 1))
fi
if [ "$(id -u)" = 0 ]; then # others may not read memory
    "$canary" scan "pid:$planted" <"$dir/tokens" >"$dir/out" 2>&1
    status=$?
    if [ $status = 1 ] && grep -q "found in memory of $planted" "$dir/out"; then echo "ok - the memory of a process"; else
        echo "not ok - the memory of a process ($status)"
        failures=$((failures + 1))
    fi
fi
: >"$dir/go"
wait $planted
"$canary" scan "file:$dir/missing" <"$dir/tokens" >/dev/null 2>&1
if [ $? = 2 ]; then echo "ok - what cannot be looked at is no success"; else
    echo "not ok - what cannot be looked at is no success"
    failures=$((failures + 1))
fi
"$canary" scan procs </dev/null >/dev/null 2>&1
if [ $? = 2 ]; then echo "ok - nor is no token"; else
    echo "not ok - nor is no token"
    failures=$((failures + 1))
fi
[ $failures = 0 ]
