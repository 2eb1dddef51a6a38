# bash completion for updaterd(8)
_updaterd()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}

	case $prev in
	-f)	COMPREPLY=($(compgen -f -- "$cur"))
		return;;
	-D)	return;;
	esac
	COMPREPLY=($(compgen -W '-D -d -f -h -n -R -V -v' -- "$cur"))
}
complete -o filenames -F _updaterd updaterd
