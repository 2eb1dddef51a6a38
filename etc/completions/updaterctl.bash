# bash completion for updaterctl(8)

# Names of agents (1) or services (2), if the daemon may be asked.
_updaterctl_names()
{
	local filter=.agents[].name

	[ "$1" = agents ] || filter=.agents[].services[].name
	updaterctl -j status 2>/dev/null | jq -r "$filter" 2>/dev/null
}

_updaterctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local commands='status releases rollback update start stop restart
	    history monitor metrics reload log confirm reconcile profiles verify'
	local command= i at=0

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s)	((i++));;
		-*)	;;
		*)	command=${COMP_WORDS[i]} at=$i
			break;;
		esac
	done
	if [ "$prev" = -s ]; then
		COMPREPLY=($(compgen -f -- "$cur"))
		return
	fi
	case $command in
	'')	COMPREPLY=($(compgen -W "-h -j -s $commands" -- "$cur"));;
	start|stop|restart)
		COMPREPLY=($(compgen -W "$(_updaterctl_names services)" \
		    -- "$cur"));;
	releases|rollback|history|confirm|verify)
		[ $((COMP_CWORD - at)) != 1 ] ||
		    COMPREPLY=($(compgen -W "$(_updaterctl_names agents)" \
		    -- "$cur"));;
	update)
		COMPREPLY=($(compgen -W "-D -f -n $(_updaterctl_names agents)" \
		    -- "$cur") $(compgen -f -- "$cur"));;
	log)	COMPREPLY=($(compgen -W 'brief verbose' -- "$cur"));;
	reconcile)
		COMPREPLY=($(compgen -W '-n' -- "$cur"));;
	esac
}
complete -o filenames -F _updaterctl updaterctl
