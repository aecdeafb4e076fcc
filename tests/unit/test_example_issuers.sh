#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# examples/issuers: each file is one that posternd takes as it stands, and with every commented setting too; a slip is named.
set -u
posternd=${top_builddir:-.}/posternd
examples=${top_srcdir:-.}/examples/issuers
if [ ! -x "$posternd" ]; then echo "ok - posternd is not built here"; exit 0; fi
failed=0
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -r "$work"' EXIT

# folder NAME: $work/NAME as a configuration with issuers/NAME.conf, its service, and what the commented settings name
folder() {
    local f=$work/$1 issuer
    mkdir -p "$f/issuers" "$f/services" "$f/clients"
    cp "$examples/$1.conf" "$f/issuers/"
    issuer=$(sed -n 's/^issuer: *//p' "$examples/$1.conf")
    if [ -e "$examples/$1.map" ]; then cp "$examples/$1.map" "$f/"; fi
    printf 'audience: %s\nrequired_scopes: mail.read\nhelper_peers: root\n' "$2" >"$f/services/imap.conf"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=sso -keyout "$f/key.pem" \
        -out "$f/sso-ca.pem" 2>/dev/null
    printf 'secret' >"$f/secret"
    chmod 600 "$f/secret"
    for client in keycloak okta sso; do
        printf 'issuer: %s\nclient_id: postern\nclient_credential_file: %s\n' "$issuer" "$f/secret" >"$f/clients/$client.conf"
    done
    printf '%s: %s\n' helper_user 64801 issuer_user 64802 audit_user 64804 door_user 64805 control_user 64806 >"$f/postern.conf"
    chmod -R go-w "$f"
}
# check WHY STATUS PART NAME
check() {
    local out status
    out=$("$posternd" --check --config "$work/$4" 2>&1)
    status=$?
    if [ $status != "$2" ]; then
        echo "not ok - $1: status $status, want $2: $out"; failed=1
    elif [[ $out != *"$3"* ]]; then
        echo "not ok - $1: \"$3\" is not in $out"; failed=1
    else
        echo "ok - $1"
    fi
}

seen=
while read -r name audience; do
    seen="$seen $name.conf"
    folder "$name" "$audience"
    check "$name: as it stands" 0 "" "$name"
    dump=$("$posternd" --dump-config --config "$work/$name" 2>&1)
    if grep -q "^provider: $name$" <<<"$dump" && grep -q '^jwks_file:' <<<"$dump"; then
        echo "not ok - $name: its keys come from a file"; failed=1
    elif grep -q "^provider: $name$" <<<"$dump"; then
        echo "ok - $name: the provider is in force, keys are found by metadata"
    else
        echo "not ok - $name: the provider is in force"; failed=1
    fi
    sed -i -e "s|^#\\([a-z_]*: \\)|\\1|" -e "s|/etc/postern/sso-ca.pem|$work/$name/sso-ca.pem|" "$work/$name/issuers/$name.conf"
    check "$name: with the settings that stand there as comments" 0 "" "$name"
    echo 'provder: none' >>"$work/$name/issuers/$name.conf"
    check "$name: a slip is named" 78 'did you mean "provider"' "$name"
done <<END
keycloak https://mail.example.org/imap
entra 15cb020f-3984-482a-864d-1d92265e8268
okta api://default
rfc9068 https://mail.example.org/imap
END
for f in "$examples"/*.conf; do
    if [[ $seen != *" ${f##*/}"* ]]; then echo "not ok - ${f##*/} is checked"; failed=1; fi
done
rm "$work/entra/entra.map"
sed -i '$d' "$work/entra/issuers/entra.conf"
check "entra: without its map" 78 "entra.map" entra
exit $failed
