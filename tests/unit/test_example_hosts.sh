#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# examples/hosts: what each folder has for /etc/postern is one configuration that posternd takes, with an issuer named test beside it; a slip is named.
set -u
posternd=${top_builddir:-.}/posternd
examples=${top_srcdir:-.}/examples/hosts
if [ ! -x "$posternd" ]; then echo "ok - posternd is not built here"; exit 0; fi
failed=0
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -r "$work"' EXIT
report() { # STATUS NAME SAID
    if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2: $3"; failed=1; fi
}

# folder NAME: $work/NAME as that machine's /etc/postern; users who are not on this one become root.
folder() {
    local f=$work/$1
    mkdir -p "$f/issuers" "$f/services"
    [ ! -e "$examples/$1/etc/postern" ] || cp -r "$examples/$1/etc/postern/." "$f/"
    [ ! -e "$f/postern.conf.add" ] || mv "$f/postern.conf.add" "$f/postern.conf"
    printf '%s: %s\n' helper_user 64801 issuer_user 64802 audit_user 64804 door_user 64805 control_user 64806 spawner_user 64807 >>"$f/postern.conf"
    printf 'issuer: https://sso.example.org\n' >"$f/issuers/test.conf"
    [ -z "$(ls "$f/services")" ] || sed -i 's/^\(\(helper\|handle\)_peers:\).*/\1 root/' "$f"/services/*.conf
    if [ -e "$f/doors" ]; then
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=cache.example.org -keyout "$f/tls.key" \
            -out "$f/tls.crt" 2>/dev/null
        # A program that is here, as a user who is.
        sed -i -e 's/^\(exec_user:\).*/\1 nobody/' -e 's,exec:/usr/bin/node ,exec:/usr/bin/env ,' -e 's,^\(exec_dir:\).*,\1 /,' "$f"/doors/*.conf
        echo secret >"$f/redis.password"
        chmod 600 "$f/tls.key" "$f/redis.password"
    fi
    chmod -R go-w "$f"
}

count=0
for e in "$examples"/*/; do
    name=$(basename "$e")
    folder "$name"
    said=$("$posternd" --check --config "$work/$name" 2>&1)
    report $? "$name: as it stands" "$said"
    file=$(find "$work/$name/services" "$work/$name/doors" -name '*.conf' 2>/dev/null | head -n 1)
    [ -n "$file" ]
    report $? "$name: has a service or a door" "nothing below etc/postern"
    echo 'audence: x' >>"$file"
    said=$("$posternd" --check --config "$work/$name" 2>&1)
    [ $? = 78 ] && [[ $said = *'did you mean "audience"'* ]]
    report $? "$name: a slip is named" "$said"
    count=$((count + 1))
done
[ $count -ge 18 ]
report $? "all folders were looked at" "$count"
exit $failed
