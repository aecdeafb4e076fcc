#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# svnserve as packaged, in a room, with examples/hosts/svnserve; svn with our client plugin.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/hosts/cases.sh
. "$(dirname "$0")/../hosts/cases.sh"
SERVICE=svn AUDIENCE=https://svn.example.org/svn
room_open "$POSTERN_HOSTS"
issuer_config
mkdir -p "$ROOM/srv/svn" "$ROOM/var/log/svn"
check "a repository" room svnadmin create /srv/svn/repo
host_files svnserve
room chown -R svn:svn /srv/svn /var/log/svn
room_syslog
issuer_start
room_posternd

room_host_exec setpriv --reuid=svn --regid=svn --clear-groups -- svnserve -d --foreground --listen-host 127.0.0.1 -r /srv/svn \
    --log-file /var/log/svn/svnserve.log >"$T/svnserve.log" 2>&1 &
HOST_PID=$!
pids+=("$HOST_PID")
HOST_LOG=("$ROOM/var/log/svn/svnserve.log" "$T/syslog.log")
svnserve_listens() { (exec 3<>/dev/tcp/127.0.0.1/3690) 2>/dev/null; }
wait_for 20 svnserve_listens || { echo "not ok - svnserve starts"; exit 1; }

# What libsasl says of a login goes to syslog, in svnserve's name; its own file says who opened what.  svn hears a refusal as that, in words
# of its own: it takes no step after its first answer.
SAID_IN=' %u repo (open|get-latest-rev|stat|reparent)' SAID_NO='' SAID_LATER='' HEARD_NO='Authentication error|E170001' HEARD_LATER='SASL\(-24\)'
SAID_LONG='Network connection closed' HEARD_LONG='SASL\(-7\).*too long'
login() {
    printf '%s\n' "$2" | room_host svn info --non-interactive --no-auth-cache --config-dir "/tmp/svn-$BASHPID" --username "$1" --password-from-stdin \
        svn://svn.example.org/repo
}
is_in() { grep -q '^Repository Root: ' <<<"$2"; }
logins() { [ "$(printf '%s\n' "$ALICE" | "$TOP/tests/hosts/svn_many.py" "$1")" = in ]; }
HEARD_SENT='\( failure .*SASL\(-13\)'
long_login() { printf '%s\n' "$2" | "$TOP/tests/hosts/svn_many.py" 1; }

cases_login
host_accepts "alice@example.org is alice: the domain is svnserve's realm" alice "$(host_token alice@example.org)"
host_rejects "alice@else.example is nobody here" authzid alice "$(host_token alice@else.example)"
host_accepts "ALICE is another than alice: svnserve folds no case" ALICE "$(host_token ALICE)"
cases_concurrent
cases_many
cases_away
cases_end
done_testing
