#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Who may act as whom: the policy of a service (policy: of services/NAME.conf) at a real slapd, with its own log line for each refusal, the
# rule's place in postern why, a reload, a policy with a mistake, and a policy on trial.
set -uo pipefail
# shellcheck source=tests/component/lib.sh
. "$(dirname "$0")/lib.sh"
: "${R:?}"
servers_fetch && servers_prepare && config_base
mkdir "$T/etc/policies"
printf '%s\n' 'no-chains: deny anyone to * if chain > 2 because "too many agents in a row"' >"$T/etc/policies/front.rules"

# rules LINES...: policies/ldap.rules, after a first line of comment.
rules() { printf '%s\n' '# who may act as whom' "$@" >"$T/etc/policies/ldap.rules"; }
ldap_service() { service ldap "helper_peers: $SERVER_USER" 'username_strip_domain: example.org' "$@"; }

# shellcheck disable=SC2016 # ${user} is the policy's
rules 'no-boss: deny anyone to ldap:login on boss because "ask postmaster@example.org"' \
    'itself:  allow agent agent-7 for nobody to ldap:login on agent-7' \
    'hers:    allow agent agent-7 for user alice,boss to ldap:login on "${user}" if source in (127.0.0.0/8)' \
    'away:    allow agent agent-8 to ldap:login if source in (192.0.2.0/24)' \
    'over:    allow agent agent-9 to ldap:login if time until 2026-01-31' \
    'writer:  allow agent agent-6 to ldap:login if scope has ldap.write' \
    'expect allow agent agent-7 to ldap:login on agent-7' \
    'expect deny  agent agent-7 for user Boss to ldap:login on Boss given source = 127.0.0.1'
ldap_service 'policy: front ldap'
check "postern policy check takes these files" "$postern" policy check "$T/etc/policies/front.rules" "$T/etc/policies/ldap.rules"
posternd_start
PORT=$(free_port)
slapd_start "$PORT" || exit 1
pids+=("$SLAPD_PID")

# as AGENT HUMAN [CLAIM=JSON ...]: AGENT acts for HUMAN.
as() {
    local agent=$1 human=$2
    shift 2
    token ldap sub="\"$human\"" client_id="\"$agent\"" act="{\"sub\":\"$agent\"}" "$@"
}
# bind USER TOKEN [AUTHZID]: the token goes by a pipe, never by argv.
bind() {
    "${in_root[@]}" "$R/usr/bin/ldapwhoami" -Q -H "ldap://127.0.0.1:$PORT" -O none -Y OAUTHBEARER -U "$1" ${3:+-X "$3"} -y <(printf '%s' "$2")
}
accepts() { # NAME USER TOKEN [AUTHZID]
    if out=$(bind "$2" "$3" "${4:-}" 2>&1) && [ "$out" = "dn:uid=$2,dc=example,dc=org" ]; then ok "$1"; else not_ok "$1"; echo "# $out"; fi
}
# rejects NAME REASON WORDS USER TOKEN [AUTHZID]: slapd refuses and logs the reason with a reference, by which postern why finds WORDS.
rejects() {
    local before ref out
    before=$(wc -l <"$T/slapd.log")
    if out=$(bind "$4" "$5" "${6:-}" 2>&1); then not_ok "$1"; echo "# accepted: $out"; return; fi
    tail -n +$((before + 1)) "$T/slapd.log" >"$T/slapd.new"
    ref=$(last_ref "$T/slapd.new")
    if grep -qw "reason=$2" <<<"$(grep -F "ref=$ref" "$T/slapd.new")" && audited "$ref" reason "$2" &&
        "$postern" why "$ref" --config "$T/etc" >"$T/why.out" 2>&1 && grep -qF -- "$3" "$T/why.out"; then
        ok "$1 ($2 in slapd's log)"
    else
        not_ok "$1 ($2 in slapd's log)"
        sed 's/^/# slapd: /' "$T/slapd.new"
        sed 's/^/# why: /' "$T/why.out"
    fi
}
alice=$(as agent-7 alice@example.org)
accepts "an agent for itself, as itself" agent-7 "$(token ldap)"
accepts "an agent for alice, as alice, from here" alice "$alice"
check "the record names the rule, the action and as whom" \
    eval 'last_record | grep -F "\"action\":\"ldap:login\",\"resource\":\"alice\",\"rule\":\"ldap:hers\""'
accepts "u:alice is alice" alice "$alice" u:alice

rejects "nobody gets in as boss" policy 'rule ldap:no-boss (policies/ldap.rules:2)' boss "$(as agent-7 boss)"
check "why has the words of the rule" grep -qF 'because ask postmaster@example.org' "$T/why.out"
check "and the line that names the policy" grep -qF 'policy, from services/ldap.conf:5' "$T/why.out"
rejects "nor as Boss, which a host may fold" policy 'ldap:no-boss' Boss "$(as agent-7 Boss)"
rejects "nor as boss of another realm, which a host may cut off" policy 'ldap:no-boss' \
    boss@elsewhere.example "$(as agent-7 boss@elsewhere.example)"
rejects "alice's agent cannot ask to be boss" authzid 'wants to be' boss "$alice" u:boss
rejects "boss's agent cannot ask to be alice" authzid 'wants to be' alice "$(as agent-7 boss)" u:alice
rejects "bob is nobody's" policy 'no rule of the policy allows it' bob "$(as agent-7 bob)"
rejects "an agent that no rule names" policy 'no rule of the policy allows it' alice "$(as stranger alice)"
rejects "the inner actor does not act" policy 'no rule of the policy allows it' alice \
    "$(as stranger alice act='{"sub":"stranger","act":{"sub":"agent-7"}}')"
rejects "from elsewhere only" policy 'no rule of the policy allows it' alice "$(as agent-8 alice)"
rejects "a right that has ended" policy 'no rule of the policy allows it' alice "$(as agent-9 alice)"
rejects "the first file counts first" policy 'front:no-chains (policies/front.rules:1)' alice \
    "$(as agent-7 alice act='{"sub":"agent-7","act":{"sub":"b","act":{"sub":"c"}}}')"
rejects "a scope that alone is wanting" insufficient_scope 'ldap.write' alice "$(as agent-6 alice)"
accepts "the same with it" alice "$(as agent-6 alice scope='"ldap.write"')"
rejects "a bad token is a bad token" expired 'exp' alice "$(as agent-7 alice exp=$(($(date +%s) - 1)))"

# reload WORDS: posternd has said them once more.
reload() {
    local lines
    lines=$(grep -cF -- "$1" "$T/posternd.log")
    kill -HUP "$POSTERND_PID"
    # shellcheck disable=SC2317
    has_said() { [ "$(grep -cF -- "$1" "$T/posternd.log")" -gt "$lines" ]; }
    if wait_for 20 has_said "$1"; then ok "reload: $1"; else not_ok "reload: $1"; fi
}

rules 'hers: alow agent agent-7 to *'
reload 'policies/ldap.rules:2:7: "alow" is no verdict; did you mean "allow"?'
accepts "with a mistake in it the policy before goes on" alice "$alice"
refuses "posternd --check refuses it" "$posternd" --check --config "$T/etc"
rules 'all: allow anyone to *' 'expect deny agent agent-7 to ldap:login on root'
reload 'policies/ldap.rules:3:1: expected deny, and ldap:all (policies/ldap.rules:2) says allow'
accepts "and with an expect that fails" alice "$alice"
rules 'his: allow agent agent-7 for user bob to ldap:login on bob'
reload 'posternd: ready'
accepts "after a reload the new rules count" bob "$(as agent-7 bob)"
rejects "and the old ones do not" policy 'no rule of the policy allows it' alice "$alice"

# On trial: nobody is kept out, and the log says who would be.
ldap_service 'policy: front ldap' 'policy_mode: shadow'
reload 'posternd: ready'
check "a policy on trial is named at the start" wait_for 20 grep -qF 'relaxed: services/ldap.conf:6: policy_mode: shadow' "$T/posternd.log"
accepts "in shadow alice's agent comes in" alice "$alice"
check "and its record says that it would not" \
    eval 'last_record | grep -F "\"outcome\":\"proved\"" | grep -F "\"would\":\"deny\"" | grep -F "no rule of the policy allows it"'
rejects "a bad token does not, in shadow either" aud audience alice "$(token imap)"
accepts "who is allowed anyway" bob "$(as agent-7 bob)"
check "of whom nothing is noted" eval 'last_record | grep -F "\"outcome\":\"proved\"" | grep -vF would'

check "slapd is alive" kill -0 "$SLAPD_PID"
canary
done_testing
