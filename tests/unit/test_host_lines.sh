#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The lines that `postern init` prints and writes (cli/hosts.def) are those of the examples: each file of examples/hosts/FOLDER (or FILE.add, what is
# added to one) has them all.
set -u
table=$("${top_builddir:-.}/tests/unit/test_hosts" --print) || exit 1
examples=${top_srcdir:-.}/examples
failed=0
report() { # STATUS NAME
    if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; fi
}
squeeze() { sed -E 's/[[:blank:]]+/ /g; s/^ //; s/ $//'; }
settings() { grep -v '^[[:blank:]]*\(#\|$\)' "$1" | squeeze; }
# lines HOST FILE: of the table, blanks as one.
lines() {
    awk -F '\t' -v host="$1" -v file="$2" '/^\t/ { if (on) print substr($0, 2); next } { on = $1 == host && $3 == file }' <<<"$table" | squeeze
}
# has FILE LINE: a word in @ stands for anything.
has() {
    local want
    # shellcheck disable=SC2016 # a pattern
    want=$(printf '%s' "$2" | sed -E 's/[][\.*^$()+?{}|]/\\&/g; s/@[A-Z]+@/.+/g')
    settings "$1" | grep -qxE -- "$want"
}

compared=0
# What is typed to a command stands in the example as a comment.
typed_as_told() { # HOST FOLDER COMMAND
    local line
    while read -r line; do
        grep -rqxF -- "# $line" "$examples/hosts/$2/etc"
        report $? "hosts/$2 has in a comment: $line"
        compared=$((compared + 1))
    done < <(lines "$1" "$3")
}

while IFS=$'\t' read -r host folder file; do
    [[ $file != '$ '* ]] || typed_as_told "$host" "$folder" "$file"
    example=$examples/hosts/$folder$file
    [ -e "$example" ] || example=$example.add
    [[ $file = /* && -e $example ]] || continue
    while read -r line; do
        has "$example" "$line"
        report $? "${example#"$examples/"} has: $line"
        compared=$((compared + 1))
    done < <(lines "$host" "$file")
done < <(grep -v $'^\t' <<<"$table")
[ $compared -ge 2 ]
report $? "examples were compared"
exit $failed
