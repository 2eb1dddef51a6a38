#!/bin/sh
# Build drive.c and pipeline.c, the parent's part of some tests, as $DRIVE.
set -eu
cd "$(dirname "$0")/../.."
: "${CC:=cc}"
if [ -z "${TEST_CFLAGS:-}" ]; then
	pkgs="libbsd-overlay libevent"
	TEST_CFLAGS="-std=gnu11 -D_GNU_SOURCE -g -Icommon -Icommon/compat
	    -Iupdaterd $(pkg-config --cflags $pkgs)"
	TEST_LIBS=$(pkg-config --libs $pkgs)
fi
# shellcheck disable=SC2086
$CC $TEST_CFLAGS -Iregress/archive -o "$DRIVE" \
    regress/archive/drive.c regress/archive/pipeline.c \
    common/error.c common/imsgev.c common/log.c common/proto.c \
    common/relkey.c common/util.c $(ls common/compat/imsg.c 2>/dev/null) \
    updaterd/proc.c ${TEST_LIBS:-}
