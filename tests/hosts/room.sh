# shellcheck shell=bash disable=SC2317,SC2154,SC2034 # functions for wait_for; lib.sh's variables and the tests'
# SPDX-License-Identifier: BSD-2-Clause
# A room: a machine of its own for one component test.  Its files are a Debian tree (tests/hosts/bookworm or forky) with what `make install`
# puts there, below a writable layer that ends with the test; its network is a loopback of its own, so that hosts listen on their usual
# ports; its processes end with it.  Sourced by tests before lib.sh:
#
#   . "$(dirname "$0")/../hosts/room.sh" && room_apart "$@"     # the test runs again in namespaces of its own
#   . "$(dirname "$0")/lib.sh"                                   # T, POSTERN_BUILD, TAP lines
#   room_open "$POSTERN_HOSTS"                                   # sets ROOM: what is /etc/x for a host is $ROOM/etc/x for the test
#   room postmap /etc/aliases                                    # a command in the room
#   room_host_exec postfix start-fg &                            # a host
#
# Environment: POSTERN_HOSTS, POSTERN_FORKY (trees that tests/run has made), POSTERN_BUILD (configured as README's "Installing it").

# Names that lead to the room's loopback, for hosts and for clients outside of the tree.
ROOM_NAMES="localhost mail.example.org ldap.example.org db.example.org svn.example.org cache.example.org sso.example.org shell.example.org"

# room_apart ARGUMENTS OF THE TEST: comes back in the namespaces only.
room_apart() {
    [ "$(id -u)" = 0 ] || { echo "not ok - a room needs root"; exit 1; }
    if [ "${POSTERN_ROOM:-}" != "$0" ]; then
        POSTERN_ROOM=$0 exec unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc "$0" "$@"
    fi
    unset POSTERN_ROOM
    ip link set lo up || exit 1
    hostname mail.example.org || exit 1
}

# What `make install` writes, made once for a build folder.
room_installed() {
    local d=$POSTERN_BUILD/installed
    (
        flock 9
        [ -e "$d/.complete" ] || {
            rm -rf "$d"
            make -s -C "$POSTERN_BUILD" install DESTDIR="$d" && : >"$d/.complete"
        }
    ) 9>"$POSTERN_BUILD/installed.lock" >"$T/installed.log" 2>&1 || { cat "$T/installed.log"; return 1; }
}

# room_open TREE: the room's files at $ROOM.  The layer is memory: what hosts write goes away with the test.
room_open() {
    local f
    [ -e "${1:?a tree of tests/hosts}/.complete" ] || { echo "not ok - there is no tree in $1"; exit 1; }
    ROOM=$T/room
    HELPER=$ROOM/run/postern/helper.sock
    mkdir -p "$T/layer" "$ROOM"
    room_installed || exit 1
    mount -t tmpfs -o mode=755 tmpfs "$T/layer" && mkdir "$T/layer/upper" "$T/layer/work" &&
        mount -t overlay overlay -o "lowerdir=$POSTERN_BUILD/installed:$1,upperdir=$T/layer/upper,workdir=$T/layer/work" "$ROOM" || exit 1
    mount -t proc proc "$ROOM/proc" && mount -t tmpfs -o mode=755 tmpfs "$ROOM/run" && mount -t tmpfs -o mode=1777 tmpfs "$ROOM/tmp" &&
        mount -t tmpfs -o mode=755 tmpfs "$ROOM/dev" && mkdir -p "$ROOM/dev/pts" "$ROOM/dev/shm" && chmod 1777 "$ROOM/dev/shm" &&
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$ROOM/dev/pts" && ln -s pts/ptmx "$ROOM/dev/ptmx" || exit 1
    for f in null zero full random urandom tty; do
        : >"$ROOM/dev/$f"
        mount --bind "/dev/$f" "$ROOM/dev/$f" || exit 1
    done
    ln -s /proc/self/fd "$ROOM/dev/fd"
    printf '127.0.0.1 %s\n' "$ROOM_NAMES" >"$ROOM/etc/hosts"
    : >"$ROOM/etc/resolv.conf"
    mount --bind "$ROOM/etc/hosts" /etc/hosts || exit 1
    if [ "${POSTERN_SANITIZED:-}" = address ]; then # at the same place in the room
        f=$(clang -print-file-name=libclang_rt.asan-x86_64.so)
        mkdir -p "$ROOM$(dirname "$f")"
        cp "$f" "$ROOM$f"
    fi
    [ -z "${POSTERN_VALGRIND:-}" ] || room_valgrind || exit 1
    # Users of posternd's children, as the package's sysusers file has them.
    systemd-sysusers --root="$ROOM" "$TOP/examples/systemd/postern.sysusers.conf" >"$T/users.log" 2>&1 || { cat "$T/users.log"; exit 1; }
    mkdir -p "$ROOM/etc/postern/issuers" "$ROOM/etc/postern/services"
}

# valgrind of this machine, where it is here, and its folder of logs.  It needs the symbols of the very libc that the room has.
room_valgrind() {
    local f
    cmp -s /lib64/ld-linux-x86-64.so.2 "$ROOM/lib64/ld-linux-x86-64.so.2" || { echo "not ok - the room's libc is this machine's, whose symbols valgrind has"; return 1; }
    for f in /usr/bin/valgrind /usr/bin/valgrind.bin; do : >"$ROOM$f" && mount --bind "$f" "$ROOM$f" || return 1; done
    for f in /usr/libexec/valgrind /usr/lib/debug "$POSTERN_VALGRIND"; do mkdir -p "$ROOM$f" && mount --bind "$f" "$ROOM$f" || return 1; done
}

# At the end; lib.sh calls it.
room_close() {
    umount --recursive --lazy "$ROOM" || :
    umount --lazy "$T/layer" || :
}

# room COMMAND...: in the room, with nothing of this test's environment.  What runs in the background is begun by room_exec: its process is
# then the command itself, which can be asked about and ended.
room_exec() { exec chroot "$ROOM" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"; }
room() { (room_exec "$@"); }
# room_host COMMAND..., room_host_exec COMMAND... &: the same for a host, whose processes load the plugin: under sanitizers with the runtime
# preloaded (the host's own leaks are not ours to report).  Under valgrind are hosts alone: room_host is for their clients.
room_host_exec() { room_loads_exec "${under_valgrind[@]}" "$@"; }
room_host() { (room_loads_exec "$@"); }
room_loads_exec() {
    local more=()
    if [ "${POSTERN_SANITIZED:-}" = address ]; then
        more=("LD_PRELOAD=$(clang -print-file-name=libclang_rt.asan-x86_64.so)" ASAN_OPTIONS=detect_leaks=0:abort_on_error=1
            UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1)
    fi
    room_exec "${more[@]}" "$@"
}

# room_syslog: what hosts say to syslog is in $T/syslog.log, from the room and from chroots in it that are named (as rsyslog does).
room_syslog() {
    local d sockets=("$ROOM/dev/log")
    for d; do mkdir -p "$ROOM$d/dev" && sockets+=("$ROOM$d/dev/log"); done
    : >"$T/syslog.log"
    python3 - "$T/syslog.log" "${sockets[@]}" <<'P' &
import os, selectors, socket, sys
out = open(sys.argv[1], "ab", 0)
wait = selectors.DefaultSelector()
os.umask(0)  # whoever sees a socket may write to it
for path in sys.argv[2:]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    wait.register(s, selectors.EVENT_READ)
while True:
    for key, _ in wait.select():
        out.write(key.fileobj.recv(65536).rstrip(b"\0\n") + b"\n")
P
    pids+=("$!")
    room_logs() { [ -S "${sockets[-1]}" ]; }
    wait_for 20 room_logs || { echo "not ok - syslog starts"; exit 1; }
}

# room_config: /etc/postern of the room with the test issuer of lib.sh, whose key it makes.  Services are the test's.
room_config() {
    "$token_tool" key >"$T/issuer.pem"
    "$token_tool" jwks "$T/issuer.pem" >"$ROOM/etc/postern/test-jwks.json"
    printf '%s\n' "issuer: $ISSUER" 'jwks_file: /etc/postern/test-jwks.json' 'clock_skew: 0s' >"$ROOM/etc/postern/issuers/test.conf"
    [ -e "$ROOM/etc/postern/postern.conf" ] || : >"$ROOM/etc/postern/postern.conf"
    mkdir -p "$ROOM/var/log/postern"
    AUDIT=$ROOM/var/log/postern/audit.jsonl
}
# room_posternd: sets POSTERND_PID; its log is $T/posternd.log.
room_posternd() {
    local before
    before=$(posternd_readies)
    room_exec /usr/sbin/posternd >>"$T/posternd.log" 2>&1 &
    POSTERND_PID=$!
    pids+=("$POSTERND_PID")
    wait_for 20 posternd_is_ready "$before" || { echo "not ok - posternd starts"; cat "$T/posternd.log"; exit 1; }
}
