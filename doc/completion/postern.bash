# SPDX-License-Identifier: BSD-2-Clause
# bash completion for postern(1): commands, their options, and files where an option takes one.
_postern() {
    local command='' sub='' i
    local current=${COMP_WORDS[COMP_CWORD]} previous=''
    [ "$COMP_CWORD" -lt 1 ] || previous=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -*) ;;
        *)
            if [ -z "$command" ]; then command=${COMP_WORDS[i]}; elif [ -z "$sub" ]; then sub=${COMP_WORDS[i]}; fi
            ;;
        esac
    done
    case $previous in
    --secret-file | --tls-ca-file | --jwks | --audit-file | --client | --socket | --file)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --config)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --loopback-user)
        mapfile -t COMPREPLY < <(compgen -u -- "$current")
        return
        ;;
    --for-host)
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
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
        mapfile -t COMPREPLY < <(compgen -W 'verify describe login renew end refused block unblock kill chain' -- "$current")
        return
        ;;
    --issuer | --client-id | --resource | --scope | --for-service | --service | --audience | --required-scope | --now | \
        --server-host | --server-port | --agent | --human | --session | --since | --head | --seq)
        return
        ;;
    esac
    local words=
    case $command in
    '') words='audit client parse token verify why --help --version' ;;
    audit)
        case $sub in
        show | follow)
            words='--file --config --agent --human --service --session --event --since --denied --json --help'
            ;;
        verify)
            words='--head --seq --config --help'
            if [[ $current != -* ]]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                return
            fi
            ;;
        *) words='show follow verify --help' ;;
        esac
        ;;
    client)
        case $sub in
        add) words='--resource --scope --secret-file --config --socket' ;;
        list) words='--json --config --socket' ;;
        remove) words='--config --socket' ;;
        *) words='add list remove --help' ;;
        esac
        ;;
    parse) words='--mech --server-host --server-port --step --wire --help' ;;
    token)
        words='--client --issuer --client-id --secret-file --resource --scope --for-host --for-service --allow-loopback-http
            --loopback-user --tls-ca-file --json --no-cache --quiet --help'
        ;;
    verify) words='--service --config --issuer --audience --jwks --required-scope --now --help' ;;
    why) words='--audit-file --config --json --help' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _postern postern
