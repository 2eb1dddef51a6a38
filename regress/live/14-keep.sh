#!/bin/sh
# Goal: `keep` good releases survive; a failed one never pushes a good one
# out, and stays for the post-mortem until the next update.
. "${0%/*}/../lib.sh"
C_KEEP=2
setup
for r in r1 r2 r3 r4; do
	mk_release $r
done
mk_release bad exit-at-once
mk_release worse exit-at-once=4
slots() {
	api GET /releases >/dev/null
	body '[.releases[] | .slot + ":" + .sha] | sort | join(" ")'
}
trees() {
	find "$C_ROOT/releases" -mindepth 1 -maxdepth 1 -type d \
	    ! -name '.*' | wc -l
}
for r in r1 r2 r3; do
	is "$(push $r)" 200 "$r"
done
t "swept" wait_for 10 clean_staging
is "$(slots)" "active:r3 prev:r2" "two are kept"
is "$(trees)" 2 "on disk, too"
is "$(push bad)" 409 "a failing one"
is "$(slots)" "active:r3 failed:bad prev:r2" "is kept beside them"
t "its tree is there" sh -c "ls $C_ROOT/releases/*-bad/bin/agent"
is "$(push worse)" 409 "another one"
is "$(slots)" "active:r3 failed:worse prev:r2" "takes its place"
is "$(api POST /rollback)" 200 "rollback"
is "$(serving)" r2 "is to the last good one"
is "$(push r4)" 200 "a good one"
t "swept" wait_for 10 clean_staging
is "$(slots)" "active:r4 prev:r2" "the failure and the oldest are gone"
is "$(trees)" 2 "on disk, too"
t "and their metadata" sh -c \
    "test \$(ls $C_ROOT/releases/*.json | wc -l) = 2 &&
     test \$(ls $C_ROOT/releases/*.mtree | wc -l) = 2"
finish
