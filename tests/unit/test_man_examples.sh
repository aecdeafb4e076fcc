#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The examples of files below /etc/postern in README.md and the manual pages: what one example shows is a configuration that posternd reads, and rules that have no mistake.
set -u
postern=${top_builddir:-.}/postern posternd=${top_builddir:-.}/posternd
pages=${top_srcdir:-.}/doc/man
if [ ! -x "$posternd" ] || [ ! -x "$postern" ]; then echo "ok - posternd or postern is not built here"; exit 0; fi
failed=0 count=0
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
report() { # STATUS NAME SAID
    if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2: $3"; failed=1; fi
}

# Each example is a folder: PAGE.N.  A file begins with a comment that names it, or its name stands before the example; a blank line ends it.
for page in "$pages"/*.[1-8] "$pages/../../README.md"; do
    awk -v out="$work/${page##*/}" '
        function begin(path) {
            sub(/^(\/etc|~\/.config|~)\/postern\//, "", path)
            file = out "." n "/" path
            dir = file; sub(/\/[^\/]*$/, "", dir)
            system("mkdir -p " dir)
        }
        /^\.Pa \/etc\/postern\/[a-z\/-]+\.(conf|rules)/ { named = $2; next }
        /^\.Bd -literal/ { in_example = 1; n++; file = ""; if (named != "") begin(named); named = ""; next }
        /^```/ { in_example = !in_example; n += in_example; file = ""; next }
        /^\.Ed/ { in_example = 0; next }
        !in_example { next }
        /^# (\/etc|~\/.config|~)\/postern\/[a-z\/-]+\.(conf|rules)/ { path = $2; sub(/[;:]$/, "", path); begin(path); next }
        /^$/ { file = ""; next }
        file != "" { gsub(/\\e/, "\\"); print >file }' "$page"
done

# What an example leaves to another one: issuers that it names, or any.
complete() { # FOLDER
    local name
    mkdir -p "$1/issuers"
    # shellcheck disable=SC2013 # words are wanted
    for name in $(sed -n 's/^issuers: *//p' "$1"/services/*.conf "$1"/doors/*.conf 2>/dev/null); do
        [ -e "$1/issuers/$name.conf" ] || printf '%s\n' "issuer: https://$name.example.org" "username_claim: $name-\${sub}" >"$1/issuers/$name.conf"
    done
    [ -n "$(ls "$1/issuers")" ] || echo 'issuer: https://sso.example.org' >"$1/issuers/sso.conf"
}
for folder in "$work"/*; do
    complete "$folder"
    said=$("$posternd" --dump-config --config "$folder" 2>&1 >/dev/null)
    report $? "the example ${folder##*/} is read" "$said"
    count=$((count + 1))
    for rules in "$folder"/policies/*.rules; do
        [ -e "$rules" ] || continue
        said=$("$postern" policy check "$rules" 2>&1)
        report $? "its ${rules##*/} have no mistake" "$said"
    done
done
[ $count -ge 8 ]
report $? "examples were found" "$count"

# And a slip is one.
slip=$(ls -d "$work"/postern-redis.7.*)
sed -i 's/^protocol:/protcol:/' "$slip/doors/cache.conf"
said=$("$posternd" --dump-config --config "$slip" 2>&1 >/dev/null)
[[ $? != 0 && $said == *'did you mean "protocol"'* ]]
report $? "a slip in a setting would be found" "$said"
sed -i 's/redis:SET,/redis:SETT,/' "$slip/policies/cache.rules"
! "$postern" policy check "$slip/policies/cache.rules" >/dev/null 2>&1
report $? "a slip in a rule would be found" ""
exit $failed
