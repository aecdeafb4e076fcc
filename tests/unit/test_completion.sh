#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# doc/completion/postern.bash: offers each command and each option that --help of it names, and nothing that it does not.
set -u
postern=${top_builddir:-.}/postern
completion=${top_srcdir:-.}/doc/completion/postern.bash
failed=0
report() { # STATUS NAME
    if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; fi
}
# shellcheck source=/dev/null
. "$completion"
report $? "bash sources the file"

# offer WORD...: what is offered for the last word, one a line, sorted
offer() {
    COMP_WORDS=(postern "$@") COMP_CWORD=$#
    _postern
    printf '%s\n' "${COMPREPLY[@]}" | sort
}
same() { # NAME WANT GOT
    [ "$2" = "$3" ]
    report $? "$1"
    [ "$2" = "$3" ] || diff <(echo "$2") <(echo "$3") | sed 's/^/# /'
}

same "a beginning is completed" "token" "$(offer to)"
same "client has six verbs" "$(printf '%s\n' add invite list remove rotate-secret show)" "$(offer client '' | grep -v '^--')"
same "keys has two verbs" "$(printf '%s\n' list rotate)" "$(offer keys '' | grep -v '^--')"
same "user has three verbs" "$(printf '%s\n' add list remove)" "$(offer user '' | grep -v '^--')"
same "policy has six verbs" "$(printf '%s\n' actions check explain show test who-can)" "$(offer policy '' | grep -v '^--')"
same "audit has five verbs" "$(printf '%s\n' digest follow key show verify)" "$(offer audit '' | grep -v '^--')"
same "hosts to set up" "$(printf '%s\n' sieve smtp sshd svn)" "$(offer init s | grep -v saslauthd)"
same "providers" "keycloak" "$(offer init ldap --provider k)"
same "mechanisms" "XOAUTH2" "$(offer parse --mech X)"
same "a free value has no offer" "" "$(offer token --issuer '')"
same "an option of another command is not offered" "" "$(offer why --mech | grep -x -e --mech)"
folder=$(mktemp -d)
: >"$folder/agent.secret"
same "files where a file is wanted" "$folder/agent.secret" "$(offer token --secret-file "$folder/ag")"
same "files to verify" "$folder/agent.secret" "$(offer audit verify "$folder/ag")"
same "folders where a folder is wanted" "$folder" "$(offer verify --config "$folder")"
same "actions where who-can wants one" "imap:login" "$(offer policy who-can im)"
same "protocols where actions wants one" "redis" "$(offer policy actions re)"
same "files where policies are shown" "$folder/agent.secret" "$(offer policy show --agent a "$folder/ag")"
same "files where policies are checked" "$folder/agent.secret" "$(offer policy check "$folder/ag")"
mkdir "$folder/doors" "$folder/services" "$folder/clients"
: >"$folder/doors/cache.conf"; : >"$folder/doors/.cash.conf.swp"; : >"$folder/services/imap.conf"; : >"$folder/services/notes"; : >"$folder/clients/tools.conf"
same "doctor takes services and doors" "$(printf '%s\n' cache imap)" "$(offer doctor --config "$folder" '')"
same "and none that does not begin so" "" "$(offer doctor --config "$folder" to)"
same "a service to verify for" "imap" "$(offer verify --config "$folder" --service i)"
same "a door of sessions" "cache" "$(offer sessions --config "$folder" --door c)"
same "a door in place of files" "cache" "$(offer policy test --config "$folder" cac)"
same "a client by its name" "tools" "$(XDG_CONFIG_HOME=$folder/none offer token --config "$folder" --client to)"
mkdir "$folder/xdg" && ln -s "$folder" "$folder/xdg/postern"
same "and the user's own" "tools" "$(XDG_CONFIG_HOME=$folder/xdg offer connect --client to)"
same "an OAuth client is no file" "" "$(XDG_CONFIG_HOME=$folder/xdg offer kill --client to)"
rm -r "$folder"

if [ ! -x "$postern" ]; then exit $failed; fi # the command line is not built here
commands=$("$postern" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | sort)
same "every command, and no other" "$commands" "$(offer '' | grep -v '^--')"
for command in $commands; do
    case $command in client | policy | audit | user) continue ;; esac
    same "every option of $command" "$("$postern" "$command" --help | grep -oE -e '--[a-z-]+' | sort -u)" \
        "$(offer "$command" -- | grep -vx -e --help)"
done
hosts=$("$postern" init --help | sed -n 's/^Services with lines of their own: \(.*\)\.$/\1/p' | tr ' ' '\n' | sort)
same "every host of init" "$hosts" "$(offer init '')"
client_options=$(for verb in add invite list remove rotate-secret show; do offer client $verb --; done | sort -u)
same "every option of client" "$("$postern" client --help | grep -oE -e '--[a-z-]+' | sort -u)" "$client_options"
for verb in actions check explain show test who-can; do
    same "every option of policy $verb" "$("$postern" policy $verb --help | grep -oE -e '--[a-z-]+' | sort -u)" \
        "$(offer policy $verb -- | grep -vx -e --help)"
done
for verb in show follow verify; do
    same "every option of audit $verb" "$("$postern" audit $verb --help | grep -oE -e '--[a-z-]+' | sort -u | grep -vx -e --help)" \
        "$(offer audit $verb -- | grep -vx -e --help)"
done
exit $failed
