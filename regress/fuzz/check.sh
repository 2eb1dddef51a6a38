#!/bin/sh
# Goal: each fuzz harness comes through its checked-in seeds and through
# every input that once broke something, without a fuzzer.
#
# With CFLAGS of a sanitizer build that is what looks on; `make fuzz` runs
# the harnesses in earnest.  Called by run.sh of `make check`.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC:=cc}" "${CFLAGS:=}" "${LDFLAGS:=}" "${MAKE:=make}"
if [ -z "${TEST_CFLAGS:-}" ]; then
	pkgs="libbsd-overlay libevent jansson libarchive libcrypto libzstd"
	TEST_CFLAGS="-std=gnu11 -D_GNU_SOURCE -g -Icommon -Icommon/compat
	    -Iupdaterd $(pkg-config --cflags $pkgs)"
	TEST_LIBS="-Wl,--as-needed $(pkg-config --libs $pkgs)"
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

line() {	# file keyword: the words behind it
	sed -n "s|^ *[/*]* *$2: *\(.*[^ ]\) *\*/.*|\1|p" "$1" | head -n 1
}

names= objects=
for src in regress/fuzz/fuzz_*.c; do
	# what is compared with fetched sources is for `make fuzz` only
	[ -z "$(line "$src" ORACLE)" ] || continue
	name=${src##*/fuzz_}
	names="$names ${name%.c}"
	objects="$objects $(line "$src" LINK)"
done
objects=$(printf '%s\n' $objects | sort -u)
# shellcheck disable=SC2086
$MAKE CC="$CC" CFLAGS="$CFLAGS" LDFLAGS="$LDFLAGS" \
    ${DEFLATE:+DEFLATE="$DEFLATE"} $objects >/dev/null || exit 1

set -- $names
echo "1..$#"
n=0
for name in "$@"; do
	n=$((n + 1)) src=regress/fuzz/fuzz_$name.c inputs=
	link=$(line "$src" LINK)
	inc=$(printf '%s\n' $link | sed -n 's|^\(updaterd/.*\)/.*|-I\1|p;
	    s|^\(updatermaster\)/.*|-I\1|p' | sort -u)
	for i in regress/fuzz/corpus/$name regress/fuzz/crash/$name-*; do
		[ ! -e "$i" ] || inputs="$inputs $i"
	done
	# shellcheck disable=SC2086
	if [ -z "$inputs" ]; then
		echo "not ok $n - $name: no seeds"
	elif $CC $TEST_CFLAGS $inc -o "$tmp/$name" "$src" \
	    regress/fuzz/main.c $link ${TEST_LIBS:-} \
	    $(line "$src" LIBS) >"$tmp/log" 2>&1 &&
	    "$tmp/$name" $inputs >"$tmp/log" 2>&1; then
		echo "ok $n - $name: $(tail -n 1 "$tmp/log")"
	else
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n - $name"
	fi
done
