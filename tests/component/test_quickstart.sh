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
    if "$@" >"$T/quickstart.out" 2>&1; then
        ok "$name"
    else # why it gave up stands before the logs that it prints at its end; here it comes last, where it is looked for
        not_ok "$name"
        { sed -n '/^--- /,$p' "$T/quickstart.out" | tail -n 60; sed '/^--- /,$d' "$T/quickstart.out" | tail -n 15; } | sed 's/^/# /'
        grep '^quickstart: ' "$T/quickstart.out" | sed 's/^/# /'
    fi
}
run_quickstart "the quickstart succeeds" env POSTERN_BUILD="$POSTERN_BUILD" POSTERN_SERVERS="$R" TMPDIR="$T" "$TOP/examples/quickstart/run"
check "slapd prints the agent's DN" says 'dn:uid=agent-7,dc=example,dc=org'
check "imtest is authenticated" says 'Authenticated.'
check "curl lists a mailbox" says 'INBOX'
for reason in aud bad_signature expired revoked; do check "it shows a refusal: $reason" says "$reason"; done
check "it shows RFC 7628 error JSON" says '"status":"invalid_token"'
# The story of a person: what it promises, line by line.
line() { grep -qE -- "$1" "$T/quickstart.out"; }
check "alice is a person with a password of her own" says 'user alice may log in'
check "agent-7 prints an address for her browser" line '\| http://127\.0\.0\.1:18414/oauth/authorize\?response_type=code&client_id=agent-7&'
check "she reads who asks" says 'You are alice. The agent is known here as agent-7.'
check "she reads what for, and where" sh -c "grep -qF '[x] Read mail mail.read' '$T/quickstart.out' && grep -qF '[x] imap https://localhost/imap' '$T/quickstart.out'"
check "an hour is what she allows" says '[x] 1 hour [ ] 8 hours'
check "agent-7 hears of it" says 'agent-7 may now act for alice, with mail.read.'
check "the exchanged token is alice's, for IMAP, with agent-7 as actor" \
    line '"user":"alice","actor":"agent-7".*"sub":"alice","client_id":"agent-7","aud":"https://localhost/imap".*"act":\{"sub":"agent-7"\},"purpose":"find the invoice"'
check "agent-7 reads her mail" says '| Subject: Your invoice 4711'
check "Cyrus's log has both names" line 'outcome=proved ref=R-[0-9A-Z]{10} user=alice agent=agent-7'
check "Cyrus logs alice in" line '\| login: .* alice OAUTHBEARER User logged in'
check "the door's session is agent-7's, for alice" line '\| S-[0-9A-Z]{10} agent-7 +alice +redis '
check "her page names the agent and offers to end it" sh -c "grep -qF 'Mail helper agent-7' '$T/quickstart.out' && grep -qF '( End )' '$T/quickstart.out'"
ms=$(sed -n 's/.*The session at the door was over \([0-9]*\) ms after that.*/\1/p' "$T/quickstart.out")
# A second or so; a machine that stands still meanwhile is no fault of the door's, and whoever waited for the token's end would wait for minutes.
check "the door's session dies within seconds of her ending it" test "${ms:-99999}" -lt 10000
check "the next IMAP login is refused" says 'curl: (67) Login denied'
check "postern why says that she ended it" line 'detail +the authorization "[A-Za-z0-9_-]+" that it came from was ended'
check "agent-7 gets no new token" line '\| postern exchange: authorization server refused to issue a token'
check "and reads what to do" line '\|   to do:  Of an exchange: .*postern login'
check "the audit log has both names at IMAP, and the purpose" line 'verify +proved +imap +agent-7 for alice, .*purpose find the invoice'
check "and at the door" line 'login +proved +redis +agent-7 for alice, .*rule cache:alices'
check "and that the session was revoked" line 'end +rejected +redis +agent-7 for alice, end: revoked'
check "the audit chain is proved by its checkpoints" line '\| proved from record 1 to [0-9]+ by the checkpoint of '
check "nothing is left behind" sh -c "! ls -d '$T'/postern-quickstart.* 2>/dev/null"
refuses "no token in its output" grep -qE 'eyJ[A-Za-z0-9_-]{20}' "$T/quickstart.out"

# As somebody with a name and no rights at all, from a tree that others may read: this one, or the copy that tests/run builds from.
if [ "$(id -u)" = 0 ]; then
    as_games=(setpriv --reuid games --regid games --clear-groups)
    mkdir "$T/games" && chown games "$T/games"
    for tree in "$TOP" "$POSTERN_BUILD/../source"; do
        "${as_games[@]}" test -r "$tree/examples/quickstart/run" && break
    done
    run_quickstart "the quickstart succeeds as an ordinary user" "${as_games[@]}" env HOME="$T/games" POSTERN_BUILD="$POSTERN_BUILD" \
        POSTERN_SERVERS="$R" TMPDIR="$T/games" "$tree/examples/quickstart/run"
    check "and tells the story of a person" line 'end +rejected +redis +agent-7 for alice, end: revoked'
fi
done_testing
