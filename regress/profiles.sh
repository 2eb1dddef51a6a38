# What tests with profiles share, behind lib.sh and make_users: a home in $H,
# a directory for profiles in $P, both the services' user's.
H=$T/home
P=$H/profiles
mkdir -p "$P"
chown -R _updagent "$H"

# As that user makes one.
profile() {	# name [state file]
	as_user mkdir "$P/$1"
	[ $# = 1 ] || printf '%s' "$2" | as_user tee "$P/$1/gw_state.json" \
	    >/dev/null
	as_user touch "$P/$1/SOUL.md"
}

# p0 and on, wanted up.
many_profiles() {	# how many
	i=0
	while [ $i -lt "$1" ]; do
		mkdir "$P/p$i"
		echo '{"gw_state":"running"}' >"$P/p$i/gw_state.json"
		: >"$P/p$i/SOUL.md"
		i=$((i + 1))
	done
	chown -R _updagent "$H"
}

# Every kind of state file there is, whole and broken.  What is named after
# what becomes of it begins as one that runs.
state_file() {	# kind file
	case $1 in
	draining|degraded|starting|stopped)
		echo "{\"gw_state\":\"$1\",\"timestamp\":1}" >"$2";;
	failed)	echo '{"gw_state":"startup_failed"}' >"$2";;
	wanted)	echo '{"gw_state":"startup_failed",
		    "desired_state":"running"}' >"$2";;
	unwanted) echo '{"gw_state":"running",
		    "desired_state":"stopped"}' >"$2";;
	missing) ;;
	nojson)	echo 'gw_state: running' >"$2";;
	array)	echo '[]' >"$2";;
	bom)	printf '\357\273\277{"gw_state":"running"}' >"$2";;
	dir)	mkdir "$2";;
	fifo)	mkfifo "$2";;
	link)	# to what is not its user's
		echo '{"gw_state":"running","desired_state":"running"}' \
		    >"$T/secret.json"
		ln -s "$T/secret.json" "$2";;
	huge)	echo '{"gw_state":"running"}' >"$2"
		truncate -s 1G "$2";;
	crlf)	printf '{\r\n"gw_state":\r\n"running"}\r\n' >"$2";;
	utf8)	printf '{"x":"\377","gw_state":"running"}' >"$2";;
	newline) printf '{"gw_state":"running\\n%s"}' \
		    "profile=x action=started" >"$2";;
	number)	echo '{"gw_state":1}' >"$2";;
	running) echo '{"gw_state":"running","timestamp":1}' >"$2";;
	*)	echo '{"gw_state":"running"}' >"$2";;
	esac
}
