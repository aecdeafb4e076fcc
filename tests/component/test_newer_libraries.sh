#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What was built here runs with the libraries of Debian's next release: OpenSSL, whose errors say whom to blame for a signature that does not
# verify, json-c, libevent, libcurl.  Unit tests of keys, signatures, TLS and sockets, and what `postern verify` says of a token that was forged.
# plain only: a sanitizer's runtime wants the libc that it was built with
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
ISSUER=https://sso.example.org
room_open "${POSTERN_FORKY:?the tree of tests/hosts/forky}"
room_config
# Another OpenSSL than the one that it was built with, or nothing is shown.
openssl_of() { strings "$1"/usr/lib/*/libcrypto.so.3 | sed -n 's/^OpenSSL \(3[0-9.]*\) .*/\1/p' | head -n 1; }
is_newer() { [ -n "$ours" ] && [ -n "$theirs" ] && [ "$(printf '%s\n' "$ours" "$theirs" | sort -V | tail -n 1)" = "$theirs" ] && [ "$ours" != "$theirs" ]; }
ours=$(openssl_of "") theirs=$(openssl_of "$ROOM")
check "OpenSSL is a newer one: ${theirs:-none}, not ${ours:-none}" is_newer

# ---- unit tests, as `make check` runs them ----

for f in "$TOP" "$POSTERN_BUILD"; do mkdir -p "$ROOM$f" && mount --bind "$f" "$ROOM$f" || exit 1; done
vectors=${POSTERN_WYCHEPROOF:-$TOP/../shared/vectors/wycheproof-jws.jsonl}
mkdir -p "$ROOM/vectors" && cp "$vectors" /usr/lib/*/libcmocka.so.0 "$ROOM/vectors/" || exit 1
unit() { # NAME
    room /usr/bin/env -C "$POSTERN_BUILD" srcdir="$TOP" top_srcdir="$TOP" top_builddir=. POSTERN_WYCHEPROOF="/vectors/${vectors##*/}" LD_LIBRARY_PATH=/vectors \
        "tests/unit/test_$1"
}
for t in jwk jwks jws jwt jose_vectors jose_nomem wycheproof sign validate attack_table client_auth issuer_assertion audit_checkpoint keyring tls upstream listen; do
    make -s -C "$POSTERN_BUILD" "tests/unit/test_$t" CFLAGS='-g1 -O0 -U_FORTIFY_SOURCE' >"$T/make.log" 2>&1 || cat "$T/make.log"
    check "unit test $t" unit "$t"
done

# ---- verdicts, as an administrator sees them ----

verdict() { # TOKEN REASON STATUS
    local status
    room postern verify --issuer "$ISSUER" --audience https://localhost/ldap --jwks /etc/postern/test-jwks.json <<<"$1" >"$T/verdict" 2>&1
    status=$?
    echo "status $status:"
    cat "$T/verdict"
    [ $status = "$3" ] && grep -qF "\"reason\":\"$2\"" "$T/verdict"
}
"$token_tool" key >"$T/evil.pem"
good=$(token ldap) evil=$(token ldap key="$T/evil.pem")
check "a token is proved" verdict "$good" ok 0
check "signed by another key" verdict "${good%%.*}.${evil#*.}" bad_signature 1
check "with another's signature" verdict "${good%.*}.${evil##*.}" bad_signature 1
check "of a key that nobody knows" verdict "$evil" unknown_kid 1
done_testing
