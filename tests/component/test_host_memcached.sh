#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# memcached -S as packaged, in a room, with examples/hosts/memcached, and a client of its binary protocol (tests/hosts/memcached.py).
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/hosts/cases.sh
. "$(dirname "$0")/../hosts/cases.sh"
SERVICE=memcached AUDIENCE=https://cache.example.org/memcached
room_open "$POSTERN_HOSTS"
issuer_config
host_files memcached
issuer_start
room_posternd

# As its unit starts it; what the packaged file calls its log is standard output and error.
room_host_exec /usr/share/memcached/scripts/systemd-memcached-wrapper /etc/memcached.conf >"$T/memcached.log" 2>&1 &
HOST_PID=$!
pids+=("$HOST_PID")
HOST_LOG=("$T/memcached.log")
memcached_listens() { (exec 3<>/dev/tcp/127.0.0.1/11211) 2>/dev/null; }
wait_for 20 memcached_listens || { echo "not ok - memcached starts"; exit 1; }

client() { "$TOP/tests/hosts/memcached.py" "$@"; }
SAID_IN='service=memcached outcome=proved.* user=%u' SAID_NO='sasl result code: +-1[34]' SAID_LATER='sasl result code: +-24'
HEARD_NO='^0x20 Auth failure' HEARD_LATER='^0x20 Auth failure'
SAID_LONG='sasl result code: +-13' HEARD_LONG='^0x20 Auth failure'
login() { printf '%s\n' "$2" | client login "$1"; }
is_in() { [ "$2" = in ]; }
logins() { [ "$(printf '%s\n' "$ALICE" | client many alice "$1")" = in ]; }

offered=$(client mechanisms)
if [ "$offered" = OAUTHBEARER ]; then ok "OAUTHBEARER is offered"; else not_ok "OAUTHBEARER is offered: $offered"; fi
cases_login
mark
answer=$(login alice "$(host_token alice "exp=$(($(date +%s) - 1))")")
case $answer in '0x20 '*'{"status":"invalid_token"'*) ok "the client is shown the error JSON" ;; *) not_ok "the client is shown the error JSON: $answer" ;; esac
mark
answer=$(head -c 1200000 /dev/zero | tr '\0' x | client raw 2>&1)
case $answer in in*) not_ok "a message of 1.2 MB is not taken" ;; *) ok "a message of 1.2 MB is not taken" ;; esac
cases_concurrent
cases_many

# An event loop with four threads: while the helper sleeps, nobody waits longer than for the deadline of one question, five seconds; two were ten.
helper=$(pgrep -P "$POSTERND_PID" -x posternd-helper)
mkfifo "$T/go"
{ printf '%s\n' "$ALICE"; cat "$T/go"; } | client others alice 8 >"$T/others" 2>&1 &
others_pid=$!
exec 4>"$T/go"
others_ready() { grep -q ready "$T/others"; }
check "eight clients are logged in" wait_for 20 others_ready
stop_process "$helper"
mark
echo >&4
exec 4>&-
wait "$others_pid"
kill -CONT "$helper"
read -r slowest login_took status text < <(tail -n 1 "$T/others")
if [ "$status" = 0x20 ] && wait_for 20 says 'outcome=undecided reason=timeout'; then ok "slow helper: undecided"; else not_ok "slow helper: undecided: $text"; show "$(cat "$T/others")"; fi
if awk "BEGIN { exit !($login_took >= 1 && $login_took < 9.8) }"; then ok "slow helper: after the deadline of 5 s ($login_took s)"; else not_ok "slow helper: after the deadline of 5 s ($login_took s)"; fi
if awk "BEGIN { exit !($slowest < 9.8) }"; then ok "slow helper: other clients wait no longer ($slowest s)"; else not_ok "slow helper: other clients wait no longer ($slowest s)"; fi
host_accepts "and the next login comes in" alice "$ALICE"

cases_away
cases_end
done_testing
