#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Command lines of `postern client`, `user`, `sessions`, `kill`, `block`, `unblock` and `blocks`: what is
# wrong is a usage error that nobody is asked about, and a secret in the wrong place is not repeated.
set -u
postern=${top_builddir:-.}/postern
if [ ! -x "$postern" ]; then echo "ok - postern is not built here"; exit 0; fi
failed=0 count=0
secret=vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29t

# refuse WHY PART WORD...: status 2, PART on standard error, and nothing of the secret.
refuse() {
    local why=$1 part=$2 out status
    shift 2
    out=$("$postern" "$@" 2>&1 </dev/null)
    status=$?
    count=$((count + 1))
    if [ $status != 2 ]; then
        echo "not ok - $why: status $status, want 2: $out"; failed=1
    elif [[ $out != *"$part"* ]]; then
        echo "not ok - $why: \"$part\" is not in $out"; failed=1
    elif [[ $out == *"${secret:0:12}"* ]]; then
        echo "not ok - $why: the secret was printed"; failed=1
    else
        echo "ok - $why"
    fi
}
for line in "client remove" "client show" "client rotate-secret" "block" "unblock"; do
    # shellcheck disable=SC2086
    {
        refuse "$line without a name" "name one" $line --socket /nowhere
        refuse "$line with an empty name" "name one" $line "" --socket /nowhere
        refuse "$line with a second word" "no option" $line app "$secret"
        refuse "$line with a second word behind --" "no option" $line app -- "$secret"
    }
done
for line in "client list" "client invite" "sessions" "blocks" "kill --client app"; do
    # shellcheck disable=SC2086
    refuse "$line takes no word" "no option" $line "$secret"
done
for line in "client add app" "client list" "user list" "sessions" "kill" "block app" "unblock app" "blocks"; do
    # shellcheck disable=SC2086
    {
        refuse "$line: an unknown option's value" "bad option, or no value for it: --token;" $line --token="$secret"
        refuse "$line: an abbreviated option" "bad option" $line --sock "$secret"
        refuse "$line: a flag with a value" "bad option, or no value for it: --help;" $line --help="$secret"
        refuse "$line: an empty value" "bad option" $line --socket ""
        refuse "$line: a missing value" "bad option" $line --socket
    }
done
refuse "an option of another verb" "bad option" client list --secret-file "$secret"
refuse "an option of another command" "bad option" sessions --reason "$secret"
refuse "a duration that is none" "bad option, or no value for it: --for;" block app --for "$secret"
refuse "a count that is none" "bad option, or no value for it: --uses;" client invite --uses "$secret"
refuse "two ways to say whose" "bad option" kill --client app --jti "$secret"
refuse "a command that nobody knows" 'no command "frobnicate"; ' frobnicate
refuse "a wrong option is said and nothing else" "postern sessions: bad option, or no value for it: --al; " sessions --al
refuse "nobody said whose" "say whose" kill --reason x
refuse "a secret for a public client" "no secret" client add app --public --secret-file "$secret"
refuse "a client without a secret's file" "--secret-file" client add app
for line in "client list" "sessions" "kill" "block" "unblock" "blocks"; do
    # shellcheck disable=SC2086
    "$postern" $line --help | grep -q '^usage: postern ' || { echo "not ok - $line --help"; failed=1; }
done
echo "# $count checks"
exit $failed
