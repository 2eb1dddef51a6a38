#!/bin/sh
# Goal: what the shells complete is what the programs know, neither more nor
# less: each command and each option that a usage names is offered.
cd "${0%/*}/../.." || exit 1
: "${UPDATERD:=$PWD/updaterd/updaterd}"
: "${UPDATERCTL:=$PWD/updaterctl/updaterctl}"
: "${UPDATERMASTER:=$PWD/updatermaster/updatermaster}"
n=0 bad=0
T=$(mktemp -d "${TMPDIR:-/tmp}/updtest.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT

result() {	# 0 or 1, description
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$T/out"
		bad=1
	fi
}

# complete PROGRAM WORD...: what bash offers for the last word
complete() {
	bash -c '. "etc/completions/$1.bash"
	    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	    "_$1"; printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort
}

commands() {	# program: by its usage
	"$1" -h | sed -n '/^commands:/,$s/^	\([a-z]\{1,\}\).*/\1/p' | sort
}

for p in updaterctl updatermaster; do
	case $p in
	updaterctl)	prog=$UPDATERCTL;;
	*)		prog=$UPDATERMASTER;;
	esac
	commands "$prog" > "$T/want"
	complete $p '' | grep -v '^-' > "$T/have"
	diff "$T/want" "$T/have" > "$T/out"
	result $? "$p: bash offers its commands"
	sed -n "/^commands=/,/^)/s/^	'\([a-z]*\):.*/\1/p" \
	    "etc/completions/_$p" | sort | diff "$T/want" - > "$T/out"
	result $? "$p: zsh offers its commands"
done

# Options: those of the sources' tables.
options() {	# files of sources
	sed -n 's/^.*{ "\([a-z-]*\)",[	 ]*[a-z]*_argument.*/--\1/p' "$@" |
	    sort -u
}
complete updatermaster push -- > "$T/have"
options updatermaster/push.c | diff - "$T/have" > "$T/out"
result $? "push: bash offers its options"
for c in status rollback watch; do
	complete updatermaster $c --
done | sort -u > "$T/have"
options updatermaster/query.c | diff - "$T/have" > "$T/out"
result $? "queries: bash offers their options"
options updatermaster/*.c > "$T/want"
grep -o -e '--[a-z][a-z-]*' etc/completions/_updatermaster |
    grep -v -x -e --list | sort -u | diff "$T/want" - > "$T/out"
result $? "zsh offers all options"

"$UPDATERD" -h 2>&1 | grep -o -e '-[A-Za-z]\{1,8\}' | sed 's/^-//' |
    fold -w 1 | sort -u > "$T/letters"
: > "$T/out"
complete updaterd - | sed 's/^-//' | while read -r l; do
	grep -qx "$l" "$T/letters" || echo "unknown: -$l"
done > "$T/out"
test ! -s "$T/out"
result $? "updaterd: bash offers only what is there"

mkdir "$T/d"
echo 'web1 10.0.0.1 groups=eu,canary
# web9
db1 10.0.0.2 groups=eu' > "$T/d/hosts.conf"
complete updatermaster -d "$T/d" push --host '' > "$T/out"
test "$(tr '\n' ' ' < "$T/out")" = "db1 web1 "
result $? "bash offers the hosts"
complete updatermaster -d "$T/d" push --group '' > "$T/out"
test "$(tr '\n' ' ' < "$T/out")" = "canary eu "
result $? "bash offers the groups"

if command -v zsh >/dev/null 2>&1; then
	for f in etc/completions/_*; do
		zsh -n "$f"
	done > "$T/out" 2>&1
	test ! -s "$T/out"
	result $? "zsh can read its own"
else
	n=$((n + 1))
	echo "ok $n # SKIP no zsh here"
fi
echo "1..$n"
exit $bad
