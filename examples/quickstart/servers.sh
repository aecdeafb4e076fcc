# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Real servers without installing them: fetch Debian packages, unpack with dpkg -x, start slapd and Cyrus IMAP from there.  Sourced by
# examples/quickstart/run and by tests/component; sets nothing up by itself.
#
# Needs: T (work folder), R (folder of the unpacked packages), PLUGIN (liboauthbearer.so), HELPER (helper socket).
# POSTERN_HOST_PRELOAD names a library for every program that runs the plugin (tests: a sanitizer's runtime).
# Gives: servers_fetch, servers_prepare, slapd_start, cyrus_start, cyrus_stop, redis_start, server_stop, eventually, in_root (prefix for unpacked programs).

# Packages that exist on Debian 12 and what the portable list of `apt-get -s` is checked against.
SERVERS_FIXED="slapd ldap-utils cyrus-imapd cyrus-common cyrus-clients libltdl7 libwrap0 libpcre3 libicu72
    libxapian30 libxml2 libical3 libsqlite3-0 libpq5 redis-server redis-tools libatomic1 libjemalloc2 liblzf1
    libhiredis0.14 liblua5.1-0 lua-cjson lua-bitop"

# Which packages the servers need here: asked of apt in a simulation, so that nothing is configured or removed.
servers_list() {
    local list
    list=$(apt-get -s -o Dir::Log="$T" -o Debug::NoLocking=1 --reinstall --no-install-recommends install \
        slapd ldap-utils cyrus-imapd cyrus-common cyrus-clients redis-server redis-tools 2>/dev/null |
        awk '$1 == "Inst" { print $2 }' | grep -E '^(slapd|ldap-utils|cyrus-|redis-|lib|lua)') || list=
    case "$list" in
    *slapd*cyrus-imapd* | *cyrus-imapd*slapd*) ;;
    *) list=$SERVERS_FIXED ;;
    esac
    case "$list" in *redis-server*) ;; *) list=$SERVERS_FIXED ;; esac
    echo "$list"
}

# Download and unpack into $R, once.
servers_fetch() {
    local deb list
    [ ! -e "$R/.complete" ] || return 0
    mkdir -p "$T/debs" "$R"
    list=$(servers_list)
    # shellcheck disable=SC2086
    (cd "$T/debs" && apt-get -q -o APT::Sandbox::User=root download $list) >"$T/download.log" 2>&1 || {
        cat "$T/download.log" >&2
        echo "Could not download the servers' packages: $list" >&2
        return 1
    }
    for deb in "$T"/debs/*.deb; do
        dpkg -x "$deb" "$R" || return 1
    done
    rm -rf "$T/debs"
    : >"$R/.complete"
}

# Users, folders, and the prefix under which unpacked programs find their libraries and our plugin.
servers_prepare() {
    local m
    m=$(gcc -print-multiarch)
    if [ "$(id -u)" = 0 ]; then
        SERVER_USER=daemon SERVER_GROUP=daemon # not nobody, who may be anybody in another namespace: POSTERN_SERVER_USER
    else
        SERVER_USER=$(id -un) SERVER_GROUP=$(id -gn)
    fi
    mkdir -p "$T"/{plug,ldap,sasl,spool/stage.} "$T"/var/{db,proc,lock,socket,user,quota,log,msg,ptclient}
    cp "$PLUGIN" "$T/plug/liboauthbearer.so"
    in_root=(env "LD_LIBRARY_PATH=$R/usr/lib/$m:$R/lib/$m" "SASL_PATH=$T/plug")
    if [ -n "${POSTERN_HOST_PRELOAD:-}" ]; then # their own leaks are not ours to report
        in_root+=("LD_PRELOAD=$POSTERN_HOST_PRELOAD" ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1)
    fi
    [ "$(id -u)" != 0 ] || chown -R "$SERVER_USER:$SERVER_GROUP" "$T/var" "$T/spool" "$T/ldap"
    # imapd logs to syslog only; this makes it a file that people and tests can read (its stderr becomes the client's connection).
    cat >"$T/log-to-file.c" <<'C'
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
void openlog(const char *i, int o, int f) { (void)i, (void)o, (void)f; }
void closelog(void) {}
void vsyslog(int p, const char *f, va_list a)
{
    char b[4096];
    int fd = open(getenv("LOG_FILE"), O_WRONLY | O_APPEND | O_CLOEXEC), n = vsnprintf(b, sizeof b - 1, f, a);
    if (n > (int)sizeof b - 2) n = sizeof b - 2;
    if (n > 0) { b[n++] = '\n'; if (write(fd, b, (size_t)n) < 0) _exit(1); }
    close(fd);
    (void)p;
}
void syslog(int p, const char *f, ...) { va_list a; va_start(a, f); vsyslog(p, f, a); va_end(a); }
void __vsyslog_chk(int p, int g, const char *f, va_list a) { (void)g; vsyslog(p, f, a); }
void __syslog_chk(int p, int g, const char *f, ...) { (void)g; va_list a; va_start(a, f); vsyslog(p, f, a); va_end(a); }
C
    gcc -w -fno-builtin -shared -fPIC -o "$T/log-to-file.so" "$T/log-to-file.c"
    : >"$T/imap.log"
    [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$T/imap.log"
}

# eventually COMMAND...: until it succeeds, half a minute at most.
eventually() {
    local end=$((SECONDS + 31))
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}
# port_wait PORT PID: until something accepts there and PID lives.
port_wait() {
    local end=$((SECONDS + 31))
    while port_is_free "$1"; do
        if ! kill -0 "$2" 2>/dev/null || [ $SECONDS -ge $end ]; then return 1; fi
        sleep 0.05
    done
}
port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# redis_start PORT: an empty Redis on loopback.  Sets REDIS_PID.
redis_start() {
    mkdir -p "$T/redis"
    (cd "$T/redis" && exec "${in_root[@]}" "$R/usr/bin/redis-server" --port "$1" --bind 127.0.0.1 --save '' --appendonly no \
        --daemonize no >"$T/redis.log" 2>&1) &
    REDIS_PID=$!
    port_wait "$1" "$REDIS_PID" || { cat "$T/redis.log" >&2; return 1; }
}
redis_cli() { "${in_root[@]}" "$R/usr/bin/redis-cli" "$@"; }

# slapd_start PORT [URLS]: dc=example,dc=org with the token's user mapped to uid=USER,dc=example,dc=org.  Sets SLAPD_PID.
# SLAPD_GLOBAL and SLAPD_DATABASE: lines more for either part of its configuration; SLAPD_SASL: for its SASL file.
slapd_start() {
    local as=()
    [ "$(id -u)" != 0 ] || as=(-u "$SERVER_USER" -g "$SERVER_GROUP")
    port_is_free "$1" || { echo "port $1 is in use; the demo needs it for slapd" >&2; return 1; }
    printf '%s\n' 'mech_list: OAUTHBEARER XOAUTH2' 'postern_service: ldap' "postern_helper_socket: $HELPER" \
        "postern_helper_user: $(id -u)" "${SLAPD_SASL:-# none more}" >"$T/sasl/slapd.conf"
    cat >"$T/slapd.conf" <<X
include $R/etc/ldap/schema/core.schema
include $R/etc/ldap/schema/cosine.schema
include $R/etc/ldap/schema/inetorgperson.schema
modulepath $R/usr/lib/ldap
moduleload back_mdb
pidfile $T/ldap/slapd.pid
sasl-secprops none
sasl-host localhost
authz-regexp "uid=([^,]+),cn=[^,]+,cn=auth" "uid=\$1,dc=example,dc=org"
${SLAPD_GLOBAL:-}
database mdb
maxsize 10485760
suffix "dc=example,dc=org"
directory $T/ldap
${SLAPD_DATABASE:-}
X
    # slapd reads its SASL options from /etc/ldap/sasl2 only: a copy that looks into its working folder instead (same length).
    sed 's#/etc/ldap/sasl2#/proc/self/cwd/#' "$R/usr/sbin/slapd" >"$T/slapd"
    chmod 755 "$T/slapd"
    cd "$T/sasl" || return 1
    "${in_root[@]}" "$T/slapd" "${as[@]}" -d 256 -f "$T/slapd.conf" \
        -h "${2:-ldap://127.0.0.1:$1/}" >"$T/slapd.log" 2>&1 &
    SLAPD_PID=$!
    cd "$OLDPWD" || return 1
    port_wait "$1" "$SLAPD_PID" || { cat "$T/slapd.log" >&2; return 1; }
}

# cyrus_start PORT: Cyrus IMAP with INBOXes below user/NAME.  Sets CYRUS_PID.  CYRUS_LINES: lines more for imapd.conf.
# CYRUS_IMAPD_OPTIONS and CYRUS_SERVICE: words more for imapd's command and for its line in cyrus.conf.
cyrus_start() {
    local c=$R/usr/lib/cyrus/bin
    port_is_free "$1" || { echo "port $1 is in use; the demo needs it for Cyrus IMAP" >&2; return 1; }
    printf '%s\n' "configdirectory: $T/var" "partition-default: $T/spool" 'defaultpartition: default' \
        'servername: localhost' 'syslog_prefix: demo' 'admins: mailadmin' "cyrus_user: $SERVER_USER" \
        "cyrus_group: $SERVER_GROUP" 'allowplaintext: yes' 'failedloginpause: 0' 'unixhierarchysep: yes' \
        'altnamespace: yes' 'sasl_mech_list: OAUTHBEARER XOAUTH2' "sasl_postern_helper_socket: $HELPER" \
        "sasl_postern_helper_user: $(id -u)" "${CYRUS_LINES:-# none more}" >"$T/imapd.conf"
    printf '%s\n' 'START {' " recover cmd=\"$c/ctl_cyrusdb -C $T/imapd.conf -r\"" '}' 'SERVICES {' \
        " imap cmd=\"$c/imapd -C $T/imapd.conf ${CYRUS_IMAPD_OPTIONS:-}\" listen=\"127.0.0.1:$1\" proto=\"tcp4\" prefork=0 ${CYRUS_SERVICE:-}" \
        '}' 'EVENTS {' '}' >"$T/cyrus.conf"
    # setsid: master ends with kill(0, SIGTERM), which would take this script along.
    "${in_root[@]}" "LD_PRELOAD=${POSTERN_HOST_PRELOAD:+$POSTERN_HOST_PRELOAD:}$T/log-to-file.so" "LOG_FILE=$T/imap.log" \
        setsid "$c/master" -C "$T/imapd.conf" -M "$T/cyrus.conf" -p "$T/var/master.pid" -D >>"$T/imap.log" 2>&1 &
    CYRUS_PID=$!
    port_wait "$1" "$CYRUS_PID" || { cat "$T/imap.log" >&2; return 1; }
}

ports_are_free() { local p; for p; do port_is_free "$p" || return 1; done; }
# cyrus_stop PORT...: and wait until they are free: master tells its processes to end and does not wait for them.  They too have five seconds.
cyrus_stop() {
    local group=$CYRUS_PID
    server_stop "$CYRUS_PID"
    for _ in $(seq 100); do
        if ports_are_free "$@"; then return; fi
        sleep 0.05
    done
    kill -KILL -- "-$group" 2>/dev/null || :
    eventually ports_are_free "$@"
}

# server_stop PID...: end processes that we started, wait for them and strike them from pids, five seconds at most: a host with a preloaded library may hang
# in another library's destructor when it exits.
server_stop() {
    local p q i left
    for p; do kill "$p" 2>/dev/null || :; done
    for p; do
        for i in $(seq 100); do
            kill -0 "$p" 2>/dev/null || break
            [ "$i" != 100 ] || kill -KILL -- "-$p" 2>/dev/null || kill -KILL "$p" 2>/dev/null || :
            sleep 0.05
        done
        wait "$p" 2>/dev/null || :
        left=()
        for q in "${pids[@]}"; do [ "$q" = "$p" ] || left+=("$q"); done
        pids=("${left[@]}")
    done
}
