#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Cyrus SASL's sample server and client as packaged, in a room: the smallest host that libsasl has (test_sasl.sh has what a token may be).
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/hosts/cases.sh
. "$(dirname "$0")/../hosts/cases.sh"
SERVICE=sample AUDIENCE=https://sample.example.org/sample
room_open "$POSTERN_HOSTS"
issuer_config
printf '%s\n' "audience: $AUDIENCE" 'issuers: test' 'helper_peers: nobody' >"$ROOM/etc/postern/services/sample.conf"
mkdir -p "$ROOM/etc/sasl2"
echo 'mech_list: OAUTHBEARER' >"$ROOM/etc/sasl2/sample.conf"
room_syslog
issuer_start
room_posternd
HOST_PID=$POSTERND_PID # a sample server ends with its login
: >"$T/sample.said"
HOST_LOG=("$T/sample.said" "$T/syslog.log")

SAID_IN='service=sample outcome=proved.* user=%u' SAID_NO='Performing SASL negotiation: auth(entication|orization) failure' SAID_LATER='Starting SASL negotiation: .*unavailable'
SAID_LONG="must start with 'C: '" HEARD_LONG="must start with" HEARD_NO='^S: eyJ' HEARD_LATER='SASL\(-24\)|unavailable|negotiation'
as_nobody() { room_host setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"; }
# The two talk by their standard input and output, in lines; the server's messages to people are its log.
client_line() { # USER TOKEN
    printf 'S: T0FVVEhCRUFSRVI=\n%s\n' "$2" | room_host setsid timeout "$PATIENCE" sasl-sample-client -m OAUTHBEARER -s sample -n localhost -u '' -a "$1" 2>/dev/null | grep '^C: '
}
sample_server() { # LINE
    printf '%s\nC: AQ==\n' "$1" | as_nobody timeout "$PATIENCE" sasl-sample-server -m OAUTHBEARER -s sample -i 'local=127.0.0.1;1,remote=127.0.0.1;2' 2>&1
}
login() { sample_server "$(client_line "$1" "$2")" | tee -a "$T/sample.said"; }
is_in() { grep -qi "username: $1" <<<"$2"; }
# What the client says of a token is the same every time.
logins() {
    # shellcheck disable=SC2016 # the room's shell's
    [ "$(client_line alice "$ALICE" | as_nobody sh -c 'read -r line; i=0; while [ $i -lt "$1" ]; do
        printf "%s\n" "$line" | sasl-sample-server -m OAUTHBEARER -s sample -i "local=127.0.0.1;1,remote=127.0.0.1;2"; i=$((i + 1)); done' sh "$1" 2>&1 |
        grep -ci '^username: alice')" = "$1" ]
}
# It reads so many bytes of a line, and the plugin sees a message without its end.
SAID_SENT='service=sample outcome=rejected reason=message_malformed ref=-' HEARD_SENT='Performing SASL negotiation|must start with'
long_login() { sample_server "C: $(printf 'OAUTHBEARER\0n,a=%s,\001auth=Bearer %s\001\001' "$1" "$2" | base64 -w0)" | tee -a "$T/sample.said"; }

LONG_TOKEN=1000
cases_login
cases_concurrent
cases_many
cases_away
HOST_PID=$POSTERND_PID
# What the two said to each other holds challenges, in whose base64 words of a token are that are no secret.
refuses "no signature in what they said" grep -qF -e "${ALICE##*.}" -e "${BOB##*.}" "$T/sample.said"
cases_end
done_testing
