#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The README's first command on this machine, with the build under test: as root and, where we are root, as an ordinary user.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
servers_fetch

says() { grep -qF -- "$1" "$T/quickstart.out"; }
run_quickstart() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$T/quickstart.out" 2>&1; then ok "$name"; else not_ok "$name"; tail -n 40 "$T/quickstart.out" | sed 's/^/# /'; fi
}
run_quickstart "the quickstart succeeds" env POSTERN_BUILD="$POSTERN_BUILD" POSTERN_SERVERS="$R" TMPDIR="$T" "$TOP/examples/quickstart/run"
check "slapd prints the agent's DN" says 'dn:uid=agent-7,dc=example,dc=org'
check "imtest is authenticated" says 'Authenticated.'
check "curl lists a mailbox" says 'INBOX'
for reason in aud bad_signature expired revoked; do check "it shows a refusal: $reason" says "$reason"; done
check "it shows RFC 7628 error JSON" says '"status":"invalid_token"'
check "nothing is left behind" sh -c "! ls -d '$T'/postern-quickstart.* 2>/dev/null"
refuses "no token in its output" grep -qE 'eyJ[A-Za-z0-9_-]{20}' "$T/quickstart.out"
done_testing
