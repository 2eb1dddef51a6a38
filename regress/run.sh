#!/bin/sh
# Build the unit programs and run all tests, or those given, under prove.
# Called by `make check`, which sets CC, TEST_CFLAGS, TEST_LIBS and MAKE.
#
# A unit program says what it links in two comment lines near its top:
#	/* LINK: common/util.o common/log.o */
#	/* LIBS: -ltls */
set -u
cd "$(dirname "$0")/.." || exit 1
export UPDATERD="${UPDATERD:-$PWD/updaterd/updaterd}"
export UPDATERCTL="${UPDATERCTL:-$PWD/updaterctl/updaterctl}"
export UPDATERMASTER="${UPDATERMASTER:-$PWD/updatermaster/updatermaster}"
unset MAKEFLAGS MFLAGS
# With -fsanitize=address; what is set already comes behind and wins.
export LSAN_OPTIONS="suppressions=$PWD/regress/lsan.supp:\
print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}"

line() {	# file keyword: the words behind it
	sed -n "s|^ *[/*]* *$2: *\(.*[^ ]\) *\*/.*|\1|p" "$1" | head -n 1
}

# Compile one unit program unless it is newer than all it depends on.
build() {
	src=$1 bin=${1%.c}
	link=$(line "$src" LINK) libs=$(line "$src" LIBS)
	if [ -x "$bin" ]; then
		newer=$(find "$src" .buildflags $link $headers \
		    -newer "$bin" | head -n 1)
		[ -n "$newer" ] || return 0
	fi
	# A test sees the headers of the folders that it links from.
	inc=$(printf '%s\n' $link | sed -n 's|^\(updaterd/.*\)/.*|-I\1|p;
	    s|^\(updaterctl\)/.*|-I\1|p;
	    s|^\(updatermaster\)/.*|-I\1|p' | sort -u)
	# shellcheck disable=SC2086
	$CC $TEST_CFLAGS $inc -Iregress/unit -o "$bin" "$src" $link \
	    $TEST_LIBS -lcmocka $libs || {
		echo "cannot build $src" >&2
		return 1
	}
}

: "${CC:=cc}" "${CFLAGS:=}" "${LDFLAGS:=}" "${MAKE:=make}"
headers=$(find common updaterd updaterctl updatermaster regress -name '*.h')
unit= objects=
for src in regress/unit/test_*.c; do
	[ -e "$src" ] || continue
	unit="$unit ${src%.c}"
	objects="$objects $(line "$src" LINK)"
done
objects=$(printf '%s\n' $objects | sort -u)
if [ -n "$objects" ]; then
	# shellcheck disable=SC2086
	$MAKE -j2 CC="$CC" CFLAGS="$CFLAGS" LDFLAGS="$LDFLAGS" \
	    DEFLATE="${DEFLATE:-isal}" $objects \
	    >/dev/null || exit 1
fi
# Two lanes, since two cores are the least one may expect.
odd= even=
for u in $unit; do
	t=$odd odd=$even even="$t $u.c"
done
(
	for src in $odd; do build "$src" || exit 1; done
) &
lane=$!
bad=0
for src in $even; do build "$src" || bad=1; done
wait $lane || bad=1
[ $bad = 0 ] || exit 1

if [ $# -gt 0 ]; then
	exec prove -f -e '' "$@"
fi
tests=$unit
for t in regress/unit/*.sh regress/config/run.sh regress/archive/run \
    regress/signed/run \
    regress/fuzz/check.sh regress/live/[0-9]*.sh regress/fault/*.sh; do
	[ -e "$t" ] || continue
	# Left out it would be as if it had passed.
	[ -x "$t" ] || {
		echo "$t is a test, but not executable: chmod +x it" >&2
		exit 1
	}
	tests="$tests $t"
done
# A sample; `make fault` tries them all.
export FAULT_POINTS="${FAULT_POINTS:-25}"
# Two at a time: each has its own directory, ports and name spaces.
# shellcheck disable=SC2086
exec prove -j 2 -f -e '' $tests
