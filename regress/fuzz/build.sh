#!/bin/sh
# Build fuzz harnesses, all that is linked with them included, with the
# sanitizers, apart from the ordinary build.
#	build.sh libfuzzer|afl directory [name ...]
# Called by run.sh.  Of the environment: FUZZ_CFLAGS, FUZZ_LIBS, YACC.
set -eu
cd "$(dirname "$0")/../.."
engine=$1 out=$2
shift 2
: "${YACC:=byacc}" "${FUZZ_CFLAGS:=}" "${FUZZ_LIBS:=}"
base="-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
    -U_FORTIFY_SOURCE"
case $engine in
libfuzzer)
	cc=${FUZZ_CC:-clang} main=
	flags="$base -fsanitize=fuzzer-no-link,address,undefined"
	link="-fsanitize=fuzzer,address,undefined"
	;;
afl)
	cc=${FUZZ_CC:-afl-clang-fast} main=regress/fuzz/afl.o
	flags="$base -fsanitize=address,undefined"
	link="-fsanitize=address,undefined"
	;;
*)
	sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac

line() {	# file keyword: the words behind it
	sed -n "s|^ *[/*]* *$2: *\(.*[^ ]\) *\*/.*|\1|p" "$1" | head -n 1
}
newest=$(find common updaterd updatermaster regress/fuzz -name '*.h' -newer "$out/.built" \
    2>/dev/null | head -n 1)
[ -e "$out/.built" ] && [ -z "$newest" ] || rm -rf "$out/obj"

compile() {	# object flags: out of the source beside it
	c=${1%.o}.c o=$out/obj/$1
	shift
	mkdir -p "${o%/*}"
	if [ "$c" = updaterd/parse.c ]; then
		c=$out/obj/updaterd/parse.c
		[ "$c" -nt updaterd/parse.y ] || $YACC -o "$c" updaterd/parse.y
	fi
	# shellcheck disable=SC2086
	[ "$o" -nt "$c" ] || $cc $FUZZ_CFLAGS $flags "$@" -c -o "$o" "$c"
}

# What others wrote is followed, not examined.
oracle() {	# name: out of what its get.sh fetched
	inc="$inc -I$out/$1"
	for c in "$out/$1"/*.c; do
		[ "${c%.c}.o" -nt "$c" ] ||
		    $cc -O1 -w "-I$out/$1" -c -o "${c%.c}.o" "$c"
		linked="$linked ${c%.c}.o"
	done
}

[ $# -gt 0 ] || set -- $(ls regress/fuzz/fuzz_*.c |
    sed 's|.*/fuzz_\(.*\)\.c|\1|')
mkdir -p "$out/bin"
[ -z "$main" ] || compile "$main"
for name in "$@"; do
	src=regress/fuzz/fuzz_$name.c
	objects="$(line "$src" LINK) $main" libs=$(line "$src" LIBS)
	inc=$(printf '%s\n' $objects | sed -n 's|^\(updaterd/.*\)/.*|-I\1|p;
	    s|^\(updatermaster\)/.*|-I\1|p' | sort -u)
	linked=
	for object in $objects; do
		compile "$object"
		linked="$linked $out/obj/$object"
	done
	for o in $(line "$src" ORACLE); do
		oracle "$o"
	done
	# it may include any of our sources
	rm -f "$out/obj/${src%.c}.o"
	# shellcheck disable=SC2086
	compile "${src%.c}.o" $inc
	# shellcheck disable=SC2086
	$cc $link -o "$out/bin/$name" "$out/obj/${src%.c}.o" $linked \
	    $FUZZ_LIBS $libs
done
touch "$out/.built"
