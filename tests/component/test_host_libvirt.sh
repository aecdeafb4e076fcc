#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# plain only: libvirtd and virsh stand still with a preloaded runtime; test_sasl.sh has the plugin under one, test_valgrind_hosts.sh this under memcheck
# libvirtd 9.0 as packaged, in a room, with examples/hosts/libvirt, on its unix socket; virsh with our client plugin and a file of credentials.
set -uo pipefail
# shellcheck source=tests/hosts/room.sh
. "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/hosts/cases.sh
. "$(dirname "$0")/../hosts/cases.sh"
SERVICE=libvirt AUDIENCE=https://virt.example.org/libvirt
room_open "$POSTERN_HOSTS"
issuer_config
host_files libvirt
# What libvirt-daemon-system would bring (with a hypervisor, a firewall and D-Bus): users and folders.
room groupadd --system libvirt && room groupadd --system libvirt-qemu
room useradd --system --no-create-home --gid libvirt-qemu libvirt-qemu
mkdir -p "$ROOM/var/log/libvirt"
room_syslog
issuer_start
room_posternd

room_host_exec /usr/sbin/libvirtd >"$T/libvirtd.log" 2>&1 &
HOST_PID=$!
pids+=("$HOST_PID")
HOST_LOG=("$ROOM/var/log/libvirt/libvirtd.log" "$T/syslog.log")
libvirtd_listens() { python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$ROOM/run/libvirt/libvirt-sock"; }
wait_for 20 libvirtd_listens || { echo "not ok - libvirtd starts"; exit 1; }

SAID_IN='service=libvirt outcome=proved.* user=%u' SAID_NO='authentication failed: ' SAID_LATER='SASL negotiation: -24'
HEARD_NO='authentication failed' HEARD_LATER='authentication failed'
SAID_LONG='End of file while reading' HEARD_LONG='SASL\(-7\).*too long'
# credentials USER TOKEN: a file of them; its name in the room.
credentials() {
    local f
    f=$(mktemp "$ROOM/tmp/auth.XXXXXX")
    printf '%s\n' '[credentials-x]' "authname=$1" "username=$1" "password=$2" '[auth-libvirt-default]' 'credentials=x' >"$f"
    echo "${f#"$ROOM"}"
}
uri_with() { echo "test+unix:///default?socket=/run/libvirt/libvirt-sock&authfile=$1"; }
login() { room_host virsh -q -c "$(uri_with "$(credentials "$1" "$2")")" list --all --name </dev/null; }
is_in() { [ "$(head -n 1 <<<"$2")" = test ]; }
long_login() { printf '%s\n' "$2" | "$TOP/tests/hosts/libvirt_login.py" "$ROOM/run/libvirt/libvirt-sock" "$1"; }
# One virsh that connects again and again.
logins() {
    local uri
    uri=$(uri_with "$(credentials alice "$ALICE")")
    [ "$(for ((i = 0; i < $1; i++)); do printf '%s\n' "connect '$uri'" 'list --all --name'; done | room_host virsh -q 2>&1 | grep -cx test)" = "$1" ]
}

cases_login
cases_concurrent
cases_many
cases_away
cases_end
done_testing
