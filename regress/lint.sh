#!/bin/sh
# `make lint`: what can be seen without running it.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
complain() {
	echo "$*" >&2
	bad=1
}
sources=$(find common updaterd updaterctl updatermaster regress -name '*.[ch]' \
    ! -name parse.c ! -path 'regress/fuzz/build/*' | sort)
os=$(uname -s)
case $os in Linux) other=openbsd;; *) other=linux;; esac
native=$(printf '%s\n' $sources | grep '\.c$' | grep -v -e "-$other\.c" \
    -e '^regress/')

# The folder is the privilege: none includes anything of another's.
for d in parent net probe inflate unpack profile; do
	for o in parent net probe inflate unpack profile; do
		[ $d = $o ] && continue
		grep -nE "#include \"([^\"]*/)?$o/" updaterd/$d/*.[ch] \
		    2>/dev/null && complain "updaterd/$d includes of $o"
	done
done
grep -nE '#include "[^"]*(net|probe|inflate|unpack|profile|parent)/' common/*.[ch] &&
    complain "common includes of updaterd"

# Platform differences are files.
grep -nE '#[[:space:]]*if.*(__linux__|__OpenBSD__)' $sources &&
    complain "platform #ifdef: make it a file in common/compat"

# style(9); what a test links stands in one line.
for f in $sources updaterd/parse.y; do
	expand "$f" | awk -v f="$f" 'length($0) > 80 &&
	    !/^\/\* (LINK|LIBS):/ { print f ":" NR; bad = 1 }
	    END { exit bad }' >&2 || complain "$f: more than 80 columns"
	grep -nE '[[:space:]]+$' "$f" && complain "$f: space at an end of line"
done

# What the compiler cannot count.
python3 regress/packcheck.py $(printf '%s\n' $sources | grep '\.c$') >&2 ||
    complain "json_pack: a value that is lost, or one that is not there"

# The Makefile names every file.
for f in $(printf '%s\n' $sources | grep '\.c$' | grep -v -e ^regress/ \
    -e deflate_) updaterd/parse.c; do
	grep -qF " ${f%.c}.o" Makefile common/*.mk ||
	    grep -qE "	${f%.c}\.o" Makefile common/*.mk ||
	    complain "$f is not in the Makefile"
done

# A function of ours with the name of a library's is called by that
# library, and by all that meant the library's: json_string() did it once.
libs=$(ldd updaterd/updaterd updatermaster/updatermaster 2>/dev/null |
    awk '/=> \// { print $3 }' | sort -u)
if [ -n "$libs" ]; then
	theirs=$(mktemp)
	for l in $libs; do
		nm -D --defined-only "$l" | sed 's/@.*//; s/.* //'
	done | sort -u > "$theirs"
	for s in $(find common updaterd updaterctl updatermaster -name '*.o' -exec \
	    nm -g --defined-only {} + | awk 'NF == 3 { print $3 }' | sort -u |
	    comm -12 - "$theirs"); do
		complain "$s: also a library's name"
	done
	rm -f "$theirs"
fi

for f in $sources; do
	n=$(wc -l < "$f") max=620
	case $f in regress/*) max=900;; esac	# tables of cases
	[ "$n" -le $max ] || complain "$f: $n lines; split it by noun"
done

# A number is a subject's: 30-profiles and 30-profiles-turns, but no 30-other.
ls regress/live | sed -n 's/^\([0-9]*\)-\([a-z0-9]*\).*/\1 \2/p' | sort -u |
    awk '$1 == n { print "regress/live: " n "-" word " and " $0; bad = 1 }
    { n = $1; word = $2 } END { exit bad }' >&2 ||
    complain "give each live test of another subject its own number"

for f in $(find . -path ./.git -prune -o -name '*.sh' -print) .ci/run \
    regress/archive/run regress/signed/run; do
	[ -f "$f" ] || continue
	case $(head -n 1 "$f") in
	*bash*)	bash -n "$f" || complain "$f: syntax";;
	*sh*)	sh -n "$f" || complain "$f: syntax";;
	esac
done

man=$(find updaterd updaterctl updatermaster -name '*.[1-9]')
if [ -n "$man" ]; then
	mandoc -Tlint -Wwarning $man || bad=1
fi

# One thread a process: *Called asks for the _r functions.
# For TAILQ_FOREACH and its like: without them it sees phantoms.
CPP_DIRS=
[ ! -d /usr/include/bsd ] || CPP_DIRS="-I/usr/include/bsd -DLIBBSD_OVERLAY"
cppcheck --quiet --std=c11 --language=c --inline-suppr --error-exitcode=1 \
    --enable=warning,portability --suppress=missingIncludeSystem \
    --suppress=unknownMacro --suppress=varFuncNullUB \
    --suppress=autoVariables --library=posix \
    --suppress=getpwnamCalled --suppress=getpwuidCalled \
    --suppress=getgrnamCalled --suppress=readdirCalled --suppress=getgrgidCalled \
    --library=regress/cppcheck.cfg '-D__attribute__(x)=' -D_GNU_SOURCE \
    $CPP_DIRS -Icommon -Icommon/compat -Iupdaterd \
    $native || bad=1

if command -v clang-tidy >/dev/null 2>&1; then
	# What is left out fires on things that are meant: sockets as ints,
	# argument pairs of one type, assignments in conditions.
	checks='-*,bugprone-*,cert-fio38-c,cert-pos*,
	    -bugprone-easily-swappable-parameters,
	    -bugprone-assignment-in-if-condition,
	    -bugprone-reserved-identifier,-bugprone-narrowing-conversions,
	    -bugprone-implicit-widening-of-multiplication-result,
	    -bugprone-multi-level-implicit-pointer-conversion,
	    -bugprone-misplaced-widening-cast,
	    -bugprone-not-null-terminated-result,
	    -bugprone-branch-clone,-bugprone-signal-handler,
	    -bugprone-macro-parentheses,-bugprone-suspicious-include'
	checks=$(printf %s "$checks" | tr -d ' \t\n')
	printf '%s\n' $native | xargs -P 2 -n 4 sh -c '
		out=$(clang-tidy --quiet --checks="$0" \
		    --warnings-as-errors="*" "$@" -- '"$TIDY_CFLAGS"' 2>&1)
		r=$?
		[ $r = 0 ] || printf "%s\n" "$out"
		exit $r' "$checks" || bad=1
fi
[ $bad = 0 ] && echo "lint: clean"
exit $bad
