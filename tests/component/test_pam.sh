#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# pam_postern.so in the real libpam, against a real posternd: accepted and refused tokens, who is let in, the account phase, a helper that is
# away, a stack with people's passwords in it, many logins in one process and at a time.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "ok - pam # skip needs root: the module trusts a helper of root's alone"; exit 0; }
servers_prepare && config_base # of the servers only the library that makes a file of syslog(3)
MODULE=$POSTERN_BUILD/pam-module/.libs/pam_postern.so
[ -e "$MODULE" ] || MODULE=$POSTERN_BUILD/.libs/pam_postern.so
service db 'helper_peers: root' 'require_tls: host' 'required_scopes: mail.read' 'service_names: alias'
service opaque 'helper_peers: root' 'require_tls: host' 'opaque_prefix: opq_'
service tls 'helper_peers: root'
service other 'helper_peers: root' 'require_tls: host' 'deny_users: mallory'
service peers 'helper_peers: nobody' 'require_tls: host'
service both 'helper_peers: root' 'require_tls: host' 'login_as: both'
mkdir -p "$T/pam.d"
pam() { # SERVICE LINES...
    local name=$1
    shift
    printf '%s\n' "$@" >"$T/pam.d/$name"
}
pam_line() { echo "$1 $2 $MODULE helper_socket=$HELPER${3:+ $3}"; }
plain() { pam "$1" "$(pam_line auth required "${2:-}")" "$(pam_line account required "${2:-}")"; }
pam other 'auth required pam_deny.so' 'account required pam_deny.so'
for name in db opaque tls unknown peers both; do plain $name; done
plain renamed service=db
plain alias
plain mistyped alwaysok
pam stack "$(pam_line auth sufficient service=db)" 'auth required pam_unix.so try_first_pass' \
    "$(pam_line account sufficient service=db)" 'account required pam_permit.so'
pam opaque_stack "$(pam_line auth sufficient service=opaque)" 'auth required pam_unix.so try_first_pass' 'account required pam_permit.so'
pam opaque_end "$(pam_line auth '[success=done authinfo_unavail=die default=ignore]' service=opaque)" 'auth required pam_unix.so try_first_pass' \
    'account required pam_permit.so'
pam second 'auth optional pam_unix.so nodelay' "$(pam_line auth required 'use_first_pass service=db')" "$(pam_line account required)"
pam third 'auth optional pam_unix.so nodelay' "$(pam_line auth required 'try_first_pass service=db')" "$(pam_line account required)"
pam alone "$(pam_line auth required 'try_first_pass service=db')" "$(pam_line account required)"
pam silent "$(pam_line auth required 'use_first_pass service=db')" "$(pam_line account required)"
pam foreign 'auth required pam_permit.so' "$(pam_line account required service=db)"
pam foreign_too 'auth required pam_permit.so' "$(pam_line account required service=db)" 'account required pam_permit.so'
posternd_start

LOG=$T/pam.log
: >"$LOG"
# host SERVICE USER [OPTIONS]: what a login comes to; the answers to its prompts are stdin's lines, never arguments.
host() { LOG_FILE=$LOG LD_PRELOAD=$T/log-to-file.so "$POSTERN_BUILD/tests/support/pam_host" "$T/pam.d" "$@" 2>>"$T/pam-host.log"; }
# login NAME TOKEN SERVICE USER WANT: WANT is how the line begins that pam_host prints.
login() {
    local name=$1 bearer=$2 out
    shift 2
    out=$(printf '%s\n' "$bearer" | host "$1" "$2")
    case $out in "$3"*) ok "$name" ;; *) not_ok "$name"; echo "# $out"; tail -n 2 "$LOG" | sed 's/^/# /' ;; esac
}
# refused NAME TOKEN SERVICE USER REASON [CODE]: an authentication failure for that reason, in the module's log and in the audit file.
AUTH_ERR=7 UNAVAIL=9 PERM_DENIED=6
refused() {
    login "$1" "$2" "$3" "$4" "auth=${6:-$AUTH_ERR} account=$PERM_DENIED cred=-1"
    check "$1: $5 in the log" tail_has "reason=$5"
    audited "$(last_ref "$LOG")" reason "$5" || not_ok "$1: its record says $5"
}
tail_has() { grep -qF -- "$1" <<<"$(tail -n 1 "$LOG")"; }
alice=$(token db sub='"alice"')

login "a token opens its account" "$alice" db alice "auth=0 account=0 cred=0 user=alice prompts=1"
check "and the module's log says so" tail_has "service=db outcome=proved ref=R-"
check "its record is of a password" audited "$(last_ref "$LOG")" carrier password
login "service= names another service file" "$(token db sub='"alice"')" renamed alice "auth=0 account=0"
login "a service file answers to a second PAM name" "$(token db sub='"alice"')" alias alice "auth=0 account=0"
login "an empty user is the token's" "$(token db sub='"alice"')" db '' "auth=0 account=0 cred=0 user=alice "
refused "a token for another audience" "$(token other sub='"alice"')" db alice aud
refused "an expired token" "$(token db sub='"alice"' exp=$(($(date +%s) - 1)))" db alice expired
refused "a token without the scope" "$(token db sub='"alice"' scope='"ldap.read"')" db alice insufficient_scope
refused "bob's token never opens alice's account" "$(token db sub='"bob"')" db alice authzid
refused "nor root's" "$(token db sub='"alice"')" db root authzid
refused "a token that maps to root" "$(token db sub='"root"')" db root user_denied
refused "it does not name an empty user either" "$(token db sub='"root"')" db '' user_denied
refused "a token that nobody signed" "${alice%.*}.$(printf %085d 0)A" db alice bad_signature
refused "a token of another type" "$(token db sub='"alice"' typ=JWT)" db alice typ
refused "a host that leaves TLS to nobody" "$(token tls sub='"alice"')" tls alice tls_required
login "root asks as every service" "$(token peers sub='"alice"')" peers alice "auth=0"
login "a service without a file is undecided" "$alice" unknown alice "auth=$UNAVAIL account=$PERM_DENIED"
check "the log names it" tail_has reason=service_unknown
login "an option that is none is undecided" "$alice" mistyped alice "auth=$UNAVAIL account=$PERM_DENIED"
check "the log names it too" tail_has '"alwaysok"'
login "two names are one too many" "$(token both sub='"alice"' act='{"sub":"agent-7"}')" both alice "auth=$UNAVAIL"
check "the log says so" tail_has reason=config_conflict
login "try_first_pass takes what was asked for" "$(token db sub='"alice"')" third alice "auth=0 account=0 cred=0 user=alice prompts=1"
refused "and judges it" "$(token other sub='"alice"')" third alice aud
login "and asks where nobody has" "$(token db sub='"alice"')" alone alice "auth=0 account=0 cred=0 user=alice prompts=1"
refused "which is judged as well" "$(token db sub='"bob"')" alone alice authzid
login "no prompt with use_first_pass" "$alice" silent alice "auth=$AUTH_ERR account=$PERM_DENIED cred=-1 user=alice prompts=0"

# ---- size ----

too_long() { printf '%s.%s.x' "${alice%%.*}" "$(head -c "$1" /dev/zero | tr '\0' x)"; } # no issuer of ours signs one

login "a token of 15 KB" "$(token db sub='"alice"' pad="\"$(head -c 10900 /dev/zero | tr '\0' x)\"")" db alice "auth=0"
before=$(records)
login "a longer one is refused" "$(too_long 17000)" db alice "auth=$AUTH_ERR"
check "as too long" tail_has reason=limit
login "and one of 64 KiB" "$(too_long 65000)" db alice "auth=$AUTH_ERR"

# ---- people's passwords ----

password=Hunter2-Geheimnis
login "a person's password is refused" "$password" db alice "auth=$AUTH_ERR"
login "one with blanks is" "correct horse battery staple" db alice "auth=$AUTH_ERR"
login "one with two dots is" "$password.of.alice" db alice "auth=$AUTH_ERR"
login "an opaque token is none without opaque_prefix" "opq_Zm9vYmFyYmF6" db alice "auth=$AUTH_ERR"
login "a password is none with one" "$password" opaque alice "auth=$AUTH_ERR"
if [ "$(records)" = "$before" ]; then ok "none of this reached the helper's record"; else not_ok "none of this reached the helper's record"; tail -n 3 "$T/audit.jsonl" | sed 's/^/# /'; fi
login "what begins with opaque_prefix is asked about" "opq_Zm9vYmFyYmF6" opaque alice "auth=$AUTH_ERR"
if [ "$(records)" = $((before + 1)) ]; then ok "and only that has a record"; else not_ok "and only that has a record"; fi
if grep -rqF -e "$password" -e 'correct horse' "$T/audit.jsonl" "$T"/*.log; then not_ok "no password in any log"; else ok "no password in any log"; fi
login "a password stays for the next module, without a prompt more" "$password" stack nobody "auth=$AUTH_ERR account=0 cred=-1 user=nobody prompts=1"
login "a token does not: that one asks again" "$(token other sub='"alice"')" stack nobody "auth=$AUTH_ERR account=0 cred=-1 user=nobody prompts=2"
login "nor an opaque one that the helper judged" "opq_Zm9vYmFyYmF6" opaque_stack nobody "auth=$AUTH_ERR account=0 cred=-1 user=nobody prompts=2"
login "in front of people's passwords" "$alice" stack alice "auth=0 account=0"
login "behind them, without a prompt more" "$alice" second alice "auth=0 account=0 cred=0 user=alice prompts=1"

# ---- the account phase ----

login "an account that another module opened is denied where nobody else vouches" x foreign alice "auth=0 account=$PERM_DENIED"
login "and left to who does" x foreign_too alice "auth=0 account=0"
for life_s in 3 12 30; do # longer where it has ended before it came
    out=$(token db sub='"alice"' exp=$(($(date +%s) + life_s)) | host db alice --linger $((life_s + 1)))
    case $out in "auth=0 "*) break ;; esac
done
case $out in "auth=0 account=$AUTH_ERR "*) ok "a token that ends between the phases" ;; *) not_ok "a token that ends between the phases"; echo "# $out" ;; esac

# ---- many ----

out=$(printf '%s\n' "$alice" | host db alice --times 20 | sort | uniq -c | awk '{ $1 = $1 } 1')
if [ "$out" = $'20 auth=0 account=0 cred=0 user=alice prompts=1\n1 fds=0' ]; then ok "20 logins in a process leave nothing open"; else not_ok "20 logins in a process leave nothing open"; echo "# $out"; fi
out=$(printf '%s\n' "$alice" | host db alice --threads 200)
if [ "$out" = "good=200 bad=0 undecided=0" ]; then ok "200 threads come in"; else not_ok "200 threads come in"; echo "# $out"; fi
out=$(token db sub='"bob"' | host db alice --threads 200)
if [ "$out" = "good=0 bad=200 undecided=0" ]; then ok "200 threads are refused"; else not_ok "200 threads are refused"; echo "# $out"; fi
if [ "${POSTERN_SANITIZED:-}" != address ]; then
    if printf '%s\n' "$alice" | LOG_FILE=$LOG LD_PRELOAD=$T/log-to-file.so valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect \
        --trace-children=no "$POSTERN_BUILD/tests/support/pam_host" "$T/pam.d" db alice --times 20 >"$T/check.out" 2>&1 &&
        [ "$(grep -c 'auth=0 account=0' "$T/check.out")" = 20 ]; then ok "20 logins are clean under valgrind"; else not_ok "20 logins are clean under valgrind"; sed 's/^/# /' "$T/check.out"; fi
fi
if [ -s "$T/pam-host.log" ]; then not_ok "and nothing is written to a program's standard error"; else ok "and nothing is written to a program's standard error"; fi

# ---- a helper that is away ----

server_stop "$POSTERND_PID"
login "without a helper a token is undecided" "$alice" db alice "auth=$UNAVAIL account=$PERM_DENIED cred=-1 user=alice"
check "and the log says why" tail_has reason=helper_unavailable
login "so is what may be an opaque one" "opq_Zm9vYmFyYmF6" opaque alice "auth=$UNAVAIL"
# pam_unix asks where nothing was left for it, so a second prompt tells that it was shown nothing.
shown="auth=$AUTH_ERR account=0 cred=-1 user=nobody prompts=1" unshown="auth=$AUTH_ERR account=0 cred=-1 user=nobody prompts=2"
login "then the next module is shown what may be an opaque token" "opq_Zm9vYmFyYmF6" opaque_stack nobody "$shown"
login "and no JWT" "$alice" opaque_stack nobody "$unshown"
login "and no handle" "pst_$(printf %032d 0)" opaque_stack nobody "$unshown"
login "and no opaque token of the embedded issuer" "pot_$(printf %043d 0)" opaque_stack nobody "$unshown"
login "where that ends the stack, it is shown to nobody" "opq_Zm9vYmFyYmF6" opaque_end nobody "auth=$UNAVAIL account=0 cred=-1 user=nobody prompts=1"
login "which leaves a person's password alone" "correct horse battery staple" opaque_end nobody "$shown"
posternd_start
login "and with it the next login comes in" "$alice" db alice "auth=0 account=0"
canary
done_testing
