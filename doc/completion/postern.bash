# SPDX-License-Identifier: BSD-2-Clause
# bash completion for postern(1): commands, their options, and files where an option takes one.

# _postern_names CURRENT FOLDER...: files NAME.conf of the configuration's folders, by NAME; of clients the user's own, too.
_postern_names() {
    local current=$1 config=/etc/postern i file
    local -a names=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [ "${COMP_WORDS[i - 1]}" = --config ]; then config=${COMP_WORDS[i]}; fi
    done
    for i in "${@:2}"; do
        for file in "$config/$i"/*.conf "${XDG_CONFIG_HOME:-$HOME/.config}/postern/$i"/*.conf; do
            if [[ -e $file && ($i = clients || $file = "$config"/*) ]]; then
                file=${file##*/}
                names+=("${file%.conf}")
            fi
        done
    done
    mapfile -t COMPREPLY < <(compgen -W "${names[*]}" -- "$current")
}

_postern() {
    local command='' sub='' i
    local current=${COMP_WORDS[COMP_CWORD]} previous=''
    [ "$COMP_CWORD" -lt 1 ] || previous=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -*) ;;
        *)
            if [[ ${COMP_WORDS[i - 1]} = --config ]]; then continue; fi
            if [ -z "$command" ]; then command=${COMP_WORDS[i]}; elif [ -z "$sub" ]; then sub=${COMP_WORDS[i]}; fi
            ;;
        esac
    done
    case $previous in
    --client)
        if [ "$command" = kill ] || [ "$command" = policy ]; then return; fi # an OAuth client, not a file
        _postern_names "$current" clients
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --ca-file | --secret-file | --password-file | --subject-token-file | --actor-token | --tls-ca-file | --door-tls-ca-file | --jwks | \
        --audit-file | --socket | --file | --key | --checkpoints)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --config | --module-dir | --conf-dir)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --loopback-user | --peer)
        mapfile -t COMPREPLY < <(compgen -u -- "$current")
        return
        ;;
    --provider)
        mapfile -t COMPREPLY < <(compgen -W 'rfc9068 keycloak entra okta' -- "$current")
        return
        ;;
    --host)
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
        return
        ;;
    --for-host)
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
        return
        ;;
    --user)
        mapfile -t COMPREPLY < <(compgen -u -- "$current")
        return
        ;;
    --action)
        mapfile -t COMPREPLY < <(compgen -W 'raw:connect imap:login ldap:login smtp:login redis:GET mcp:tools/call' -- "$current")
        return
        ;;
    --client-auth)
        mapfile -t COMPREPLY < <(compgen -W 'secret private_key_jwt none' -- "$current")
        return
        ;;
    --mech)
        mapfile -t COMPREPLY < <(compgen -W 'OAUTHBEARER XOAUTH2' -- "$current")
        return
        ;;
    --step)
        mapfile -t COMPREPLY < <(compgen -W '1 2' -- "$current")
        return
        ;;
    --event)
        mapfile -t COMPREPLY < <(compgen -W 'verify describe handle login action actions held approve renew end refused block unblock kill chain checkpoint' -- "$current")
        return
        ;;
    --service)
        _postern_names "$current" services doors
        return
        ;;
    --door)
        _postern_names "$current" doors services
        return
        ;;
    --issuer | --client-id | --resource | --scope | --for-service | --audience | --required-scope | --now | \
        --agent | --group | --purpose | --claim | --chain | --source | --at | --on | \
        --helper-uid | --server-host | --server-port | --session | --sub | --jti | --reason | --for | \
        --human | --since | --head | --seq | --redirect-uri | --title | --uses | --person | --login-resource | --authorization-details | \
        --port | --timeout | --name)
        return
        ;;
    --listen)
        mapfile -t COMPREPLY < <(compgen -W 'unix: 127.0.0.1: [::1]:' -- "$current")
        return
        ;;
    esac
    local words=
    case $command in
    '') words='approve audit block blocks client connect deny doctor exchange handle held init keys kill login logout parse policy psql sessions status token unblock user verify why
        --help --version' ;;
    block) words='--for --reason --config --socket --help' ;;
    blocks | held) words='--json --config --socket --help' ;;
    approve | deny) words='--reason --json --config --socket --help' ;;
    handle) words='--service --uses --socket --helper-uid --help' ;;
    init)
        words='--issuer --host --audience --scope --peer --provider --name --ca-file --allow-loopback-http --loopback-user --config
            --dry-run --force --help'
        if [[ $current != -* ]]; then
            words='ldap imap pop sieve smtp svn memcached libvirt postgresql sshd mariadb saslauthd'
        fi
        ;;
    keys)
        words='--json --config --socket --help'
        if [ -z "$sub" ]; then words="list rotate $words"; fi
        ;;
    kill) words='--session --sub --client --jti --agent --reason --config --socket --help' ;;
    psql) words='--client --service --help' ;;
    sessions) words='--door --agent --user --json --config --socket --help' ;;
    unblock) words='--config --socket --help' ;;
    audit)
        case $sub in
        show | follow)
            words='--file --config --agent --human --service --door --session --event --action --purpose --grant --since --denied
                --would-deny --json --help'
            ;;
        verify)
            words='--head --seq --key --checkpoints --config --help'
            if [[ $current != -* ]]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                return
            fi
            ;;
        key)
            words='--config --help'
            if [[ $current != -* ]]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                return
            fi
            ;;
        digest) words='--key --json-args --database --config --help' ;;
        *) words='show follow verify key digest --help' ;;
        esac
        ;;
    client)
        case $sub in
        add) words='--resource --scope --secret-file --jwks --public --redirect-uri --title --may-impersonate --may-introspect
            --config --socket' ;;
        invite) words='--uses --for --config --socket' ;;
        list | show) words='--json --config --socket' ;;
        remove) words='--config --socket' ;;
        rotate-secret) words='--secret-file --config --socket' ;;
        *) words='add invite list remove rotate-secret show --help' ;;
        esac
        ;;
    connect)
        words='--stdio --listen --door-tls-ca-file --client --issuer --client-id --client-auth --secret-file --login --person
            --resource --scope --allow-loopback-http --loopback-user --tls-ca-file --no-cache --json --quiet --help'
        ;;
    doctor)
        if [[ $current != -* ]]; then
            _postern_names "$current" services doors
            return
        fi
        words='--peer --module-dir --conf-dir --helper-uid --config --json --help'
        ;;
    exchange)
        words='--resource --scope --purpose --authorization-details --subject-token-file --actor-token --login-resource
            --person --client --issuer --client-id --client-auth --secret-file --allow-loopback-http --loopback-user
            --tls-ca-file --json --quiet --help'
        ;;
    login)
        words='--client --issuer --client-id --client-auth --secret-file --person --resource --scope --browser --no-browser
            --port --timeout --allow-loopback-http --loopback-user --tls-ca-file --quiet --help'
        ;;
    logout)
        words='--resource --person --all --local --client --issuer --client-id --client-auth --secret-file
            --allow-loopback-http --loopback-user --tls-ca-file --quiet --help'
        ;;
    status) words='--json --help' ;;
    parse) words='--mech --server-host --server-port --step --wire --help' ;;
    policy)
        case $sub in
        actions)
            words='--class --json --help'
            if [[ $current != -* ]]; then words='mcp raw redis'; fi
            ;;
        check) words='--json --print --door --config --help' ;;
        explain)
            words='--agent --user --client --issuer --group --scope --purpose --claim --chain --source --at --action --on
                --resource --arg --json --door --config --help'
            ;;
        show) words='--agent --for --at --json --door --config --help' ;;
        test) words='--expect --given --json --door --config --help' ;;
        who-can)
            words='--at --json --door --config --help'
            if [ "$COMP_CWORD" = 3 ] && [[ $current != -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W 'raw:connect imap:login ldap:login smtp:login redis:GET mcp:tools/call' -- "$current")
                return
            fi
            ;;
        *) words='actions check explain show test who-can --help' ;;
        esac
        if [[ $sub = [cestw]* && $current != -* ]]; then
            _postern_names "$current" doors services
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
            return
        fi
        ;;
    token)
        words='--client --issuer --client-id --client-auth --secret-file --login --person --resource --scope --for-host
            --for-service --allow-loopback-http --loopback-user --tls-ca-file --json --no-cache --quiet --help'
        ;;
    user)
        case $sub in
        add) words='--generate --password-file --config --socket' ;;
        list) words='--json --config --socket' ;;
        remove) words='--config --socket' ;;
        *) words='add list remove --help' ;;
        esac
        ;;
    verify) words='--service --config --issuer --audience --jwks --required-scope --explain --json --now --help' ;;
    why) words='--audit-file --config --json --help' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _postern postern
