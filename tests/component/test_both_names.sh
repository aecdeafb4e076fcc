#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# login_as: both, at a real slapd and a real Cyrus IMAP: the host logs the agent in, in the human's name, by its own proxy policy, and its
# own log and access rules show both; without that policy it refuses.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
: "${R:?}"
servers_fetch && servers_prepare && config_base
PORT=$(free_port) IMAP_PORT=$(free_port)
service ldap "helper_peers: $SERVER_USER" 'login_as: both' 'username_strip_domain: example.org'
service imap "helper_peers: $SERVER_USER" 'login_as: both' 'username_strip_domain: example.org'
posternd_start

# on_behalf SERVICE HUMAN AGENT [CLAIM=JSON ...]: a token of HUMAN with which AGENT acts, got by a planner before it.
on_behalf() {
    local service=$1 human=$2 agent=$3
    shift 3
    token "$service" sub="\"$human\"" client_id="\"$agent\"" act="{\"sub\":\"$agent\",\"act\":{\"sub\":\"planner\"}}" \
        purpose='"quarterly report"' grant_id="\"grant-of-$human\"" "$@"
}

# ---- slapd ----

# slapd_both POLICY: agent-7 may act for alice and nobody else; her diary is hers alone.
slapd_both() {
    export SLAPD_GLOBAL="authz-policy $1
access to dn.base=\"cn=diary,dc=example,dc=org\" by dn.exact=\"uid=alice,dc=example,dc=org\" read by * none
access to * by * read"
    export SLAPD_DATABASE="rootdn \"cn=root,dc=example,dc=org\"
rootpw test"
    slapd_start "$PORT" || exit 1
    pids+=("$SLAPD_PID")
    "${in_root[@]}" "$R/usr/bin/ldapadd" -x -H "ldap://127.0.0.1:$PORT" -D cn=root,dc=example,dc=org -w test >/dev/null 2>"$T/ldapadd.err" <<'X'
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: uid=alice,dc=example,dc=org
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Alice

dn: uid=bob,dc=example,dc=org
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: Bob

dn: uid=agent-7,dc=example,dc=org
objectClass: inetOrgPerson
uid: agent-7
cn: agent-7
sn: agent-7
authzTo: dn.exact:uid=alice,dc=example,dc=org

dn: cn=diary,dc=example,dc=org
objectClass: device
cn: diary
description: a secret
X
}
slapd_end() {
    server_stop "$SLAPD_PID"
    rm -rf "${T:?}"/ldap/*
}
# ldap COMMAND TOKEN NAME [ARGS]: as NAME, or as u:NAME by -X.  The token goes by a pipe, never by argv.
ldap() {
    local command=$1 bearer=$2 name=$3 as=()
    shift 3
    case $name in u:*) as=(-X "$name") ;; esac
    "${in_root[@]}" "$R/usr/bin/$command" -Q -H "ldap://127.0.0.1:$PORT" -O none -Y OAUTHBEARER -U "${name#u:}" "${as[@]}" \
        -y <(printf '%s' "$bearer") "$@"
}
whoami_is() { # NAME DN TOKEN USER
    if out=$(ldap ldapwhoami "$3" "$4" 2>&1) && [ "$out" = "dn:$2" ]; then ok "$1"; else not_ok "$1"; echo "# $out"; fi
}
diary() { ldap ldapsearch "$1" "$2" -LLL -b cn=diary,dc=example,dc=org -s base description 2>&1; }
# slapd_rejects NAME TOKEN USER REASON: the bind fails, slapd's log says why.
slapd_rejects() {
    local before out
    before=$(wc -l <"$T/slapd.log")
    if out=$(ldap ldapwhoami "$2" "$3" 2>&1); then not_ok "$1"; echo "# accepted: $out"; return; fi
    slapd_said() { tail -n +$((before + 1)) "$T/slapd.log" >"$T/slapd.new"; grep -q -- "$1" "$T/slapd.new"; }
    if [[ $out == *$4* ]] || wait_for 20 slapd_said "$4"; then ok "$1"; else not_ok "$1 ($4)"; echo "# $out"; sed 's/^/# slapd: /' "$T/slapd.new"; fi
}

slapd_both to
alice=$(on_behalf ldap alice@example.org agent-7)
whoami_is "slapd: the agent stands for alice" uid=alice,dc=example,dc=org "$alice" alice
check "slapd's own log has both names" wait_for 20 grep -qE 'BIND authcid="agent-7(@[^"]*)?" authzid="u:alice' "$T/slapd.log"
check "slapd's log says by whom the connection was made" wait_for 20 grep -q 'BIND dn="uid=agent-7,dc=example,dc=org" mech=OAUTHBEARER' "$T/slapd.log"
whoami_is "slapd: an LDAP client may ask for u:alice" uid=alice,dc=example,dc=org "$alice" u:alice
if diary "$alice" alice | grep 'description: a secret' >"$T/check.out"; then ok "slapd: her access rules count"; else not_ok "slapd: her access rules count"; fi
whoami_is "slapd: an agent for itself stands under its own name" uid=agent-7,dc=example,dc=org "$(token ldap)" agent-7
if diary "$(token ldap)" agent-7 | grep 'description' >"$T/check.out"; then not_ok "slapd: and her diary is closed to it"; else ok "slapd: and her diary is closed to it"; fi
slapd_rejects "slapd: no authzTo for bob" "$(on_behalf ldap bob agent-7)" bob 'not authorized'
slapd_rejects "slapd: another agent has no authzTo at all" "$(on_behalf ldap alice agent-8)" alice 'not authorized'
slapd_rejects "slapd: bob's agent cannot ask to be alice" "$(on_behalf ldap bob agent-7)" u:alice authzid
slapd_rejects "slapd: alice's agent cannot ask to be itself" "$alice" u:agent-7 authzid
slapd_rejects "slapd: an agent that calls itself alice" "$(on_behalf ldap alice@example.org alice)" alice user_denied
slapd_rejects "slapd: an agent that calls itself root" "$(on_behalf ldap alice agent-7 act='{"sub":"root"}')" alice user_denied
slapd_end
slapd_both none
slapd_rejects "slapd without a proxy policy refuses" "$alice" alice 'not authorized'
whoami_is "slapd without a proxy policy: an agent for itself comes in" uid=agent-7,dc=example,dc=org "$(token ldap)" agent-7
slapd_end

# ---- Cyrus IMAP ----

imap() { # TOKEN LINE...: what imapd answers to curl
    local bearer=$1
    shift
    printf 'user = "%s"\noauth2-bearer = "%s"\n' "${IMAP_USER:-alice}" "$bearer" | curl -sS -K - --max-time 60 "$@" 2>&1
}
mailbox() { imap "$1" "imap://127.0.0.1:$IMAP_PORT/" -X 'STATUS INBOX (MESSAGES)'; }
imap_rejects() { # NAME TOKEN WORD-IN-LOG
    local before
    before=$(wc -l <"$T/imap.log")
    if mailbox "$2" >"$T/check.out"; then not_ok "$1"; sed 's/^/# /' "$T/check.out"; return; fi
    new_word() { grep -q -- "$1" < <(tail -n +$((before + 1)) "$T/imap.log"); }
    if wait_for 20 new_word "$3"; then ok "$1"; else not_ok "$1 ($3)"; tail -n +$((before + 1)) "$T/imap.log" | sed 's/^/# imapd: /'; fi
}

export CYRUS_LINES='proxyservers: agent-7'
cyrus_start "$IMAP_PORT" || exit 1
pids+=("$CYRUS_PID")
for user in alice agent-7; do
    IMAP_USER=mailadmin check "the admin's token creates user/$user" imap "$(token imap sub='"mailadmin"' client_id='"mailadmin"')" \
        "imap://127.0.0.1:$IMAP_PORT/" -X "CREATE user/$user"
done
printf 'Subject: for alice alone\r\n\r\nhello\r\n' >"$T/mail"
alice=$(on_behalf imap alice@example.org agent-7)
check "imapd: the agent brings alice a mail" imap "$alice" -T "$T/mail" "imap://127.0.0.1:$IMAP_PORT/INBOX"
out=$(mailbox "$alice")
case $out in *'MESSAGES 1'*) ok "imapd: the agent sees alice's INBOX" ;; *) not_ok "imapd: the agent sees alice's INBOX"; echo "# $out" ;; esac
check "imapd logs alice's login" wait_for 20 grep -q 'login:.*alice.*OAUTHBEARER' "$T/imap.log"
check "imapd's log has both names" wait_for 20 grep -q 'outcome=proved .*user=alice agent=agent-7' "$T/imap.log"
out=$(IMAP_USER=agent-7 mailbox "$(token imap)")
case $out in *'MESSAGES 0'*) ok "imapd: for itself it sees its own INBOX" ;; *) not_ok "imapd: for itself it sees its own INBOX"; echo "# $out" ;; esac
imap_rejects "imapd: an agent that is no proxy" "$(on_behalf imap alice agent-8)" 'badlogin'
IMAP_USER=bob imap_rejects "imapd: alice's agent cannot ask to be bob" "$alice" authzid
imap_rejects "imapd: bob's agent cannot ask to be alice" "$(on_behalf imap bob agent-7)" authzid
cyrus_stop "$IMAP_PORT"
export CYRUS_LINES=
cyrus_start "$IMAP_PORT" || exit 1
pids+=("$CYRUS_PID")
imap_rejects "imapd without proxyservers refuses" "$alice" 'badlogin'

# ---- the audit log ----

show() { audit_settles; "$postern" audit show --file "$T/audit.jsonl" "$@"; }
audit_has() { # NAME LEAST MOST ARGS: how many records there are
    local name=$1 least=$2 most=$3 have
    shift 3
    have=$(show "$@" | wc -l)
    if [ "$have" -ge "$least" ] && [ "$have" -le "$most" ]; then ok "$name"; else not_ok "$name ($have records)"; fi
}
audit_has "postern audit show --human alice has her logins" 5 99 --human alice
audit_has "and none of bob's or of agents for themselves" 0 0 --human alice --agent nobody
audit_has "by the subject of her token too" 3 99 --human alice@example.org
audit_has "postern audit show --purpose" 5 99 --purpose 'quarterly report'
audit_has "postern audit show --grant" 1 99 --grant grant-of-bob
line=$(show --json --human alice --service ldap | head -n 1)
case $line in
*'"user":"alice"'*'"purpose":"quarterly report"'*'"grant_id":"grant-of-alice@example.org"'*'"act":["agent-7","planner"]'*'"agent":"agent-7"'*'"human":"alice"'*'"authcid":"agent-7"'*)
    ok "a record has human, agent, chain, purpose and authorization" ;;
*) not_ok "a record has human, agent, chain, purpose and authorization"; echo "# $line" ;;
esac
if show --agent agent-7 --json | grep -v '"human"' | grep '"sub":"agent-7"' >"$T/check.out"; then ok "an agent for itself has no human"; else not_ok "an agent for itself has no human"; fi
canary
done_testing
