# bash completion for updatermaster(8)

# Names of hosts or groups, from hosts.conf.
_updatermaster_names()
{
	local i dir=${HOME}/.updater

	for ((i = 1; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" != -d ] || dir=${COMP_WORDS[i+1]/#\~/$HOME}
	done
	if [ "$1" = hosts ]; then
		awk '!/^[ \t]*(#|$)/ { print $1 }' "$dir/hosts.conf"
	else
		awk '!/^[ \t]*#/ { for (i = 3; i <= NF; i++)
		    if (sub(/^groups=/, "", $i)) {
			gsub(/,/, "\n", $i); print $i } }' "$dir/hosts.conf" |
		    sort -u
	fi 2>/dev/null
}

_updatermaster()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local commands='init enroll renew revoke hosts pack sign push status
	    releases rollback confirm watch'
	local whom='--all --host --group --agent --inventory --updater-port
	    --parallel --json'
	local command= i at=0 words=

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-d)	((i++));;
		-*)	;;
		*)	command=${COMP_WORDS[i]} at=$i
			break;;
		esac
	done
	case $prev in
	--host)	COMPREPLY=($(compgen -W "$(_updatermaster_names hosts)" \
		    -- "$cur"))
		return;;
	--group)
		COMPREPLY=($(compgen -W "$(_updatermaster_names groups)" \
		    -- "$cur"))
		return;;
	-d|-o|--root)
		COMPREPLY=($(compgen -d -- "$cur"))
		return;;
	--tarball|--report|--inventory|--sign|-k)
		COMPREPLY=($(compgen -f -- "$cur"))
		return;;
	--agent)
		# enroll and renew: a flag, everywhere else it has a name
		[ "$command" = enroll ] || [ "$command" = renew ] || return;;
	--exclude|--include|--sha|--san|--canary|--batch|--max-fail|--pause|\
	--parallel|--retries|--updater-port|--every|--rounds|--to|--confirm)
		return;;
	esac
	case $command in
	'')	words="-d -h -V $commands";;
	init)	words='-e -k';;
	enroll)	words='--agent --san --group -o';;
	renew)	words='--agent --revoke-old --san -o';;
	hosts)	words='--group --json';;
	pack)	words='--root --exclude --include -l -o';;
	sign)	words='-k -o'
		COMPREPLY=($(compgen -f -- "$cur"));;
	push)	words="$whom --root --tarball --sign --sha --exclude --include
		    --dry-run --force --downgrade --include-self --self-root
		    --self-tarball --report --canary --batch --max-fail
		    --pause --rollback-on-fail --resume --retries --confirm
		    --verbose";;
	rollback)
		words="$whom --to";;
	watch)	words="$whom --every --rounds";;
	status|releases|confirm)
		words=$whom;;
	esac
	case $command in
	renew|revoke)
		[ $((COMP_CWORD - at)) != 1 ] ||
		    words="$words $(_updatermaster_names hosts)";;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o filenames -F _updatermaster updatermaster
