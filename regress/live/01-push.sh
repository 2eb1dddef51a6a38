#!/bin/sh
# Goal: with curl alone, a release is pushed, found unchanged, forced, tried
# dry, listed and remembered; what answers is what the design promises.
. "${0%/*}/../lib.sh"
setup
mk_release r1
mk_release r2

is "$(api GET /health)" 200 "health before the first release"
is "$(body '.status + " " + .role')" "ok updater" "health says who it is"
is "$(push r1)" 200 "first push"
is "$(body .status)" updated "its answer says updated"
is "$(body .release.sha)" r1 "and which release"
is "$(body .release.slot)" active "which is active"
is "$(body .release.sha256)" "$(cat "$T/r1.sha256")" "with the digest"
is "$(body '.probe | fromjson | .version')" r1 "and the health body"
like "$(body '.timings | type')" object "and timings"
is "$(serving)" r1 "the service serves it"
t "the tree is complete" complete r1
is "$(stat -c '%u %a' "$C_ROOT/current/bin/agent")" "0 755" "owned by root"
is "$(stat -c '%u %a' "$C_ROOT/current/VERSION")" "0 644" "modes are fixed"
is "$(staging)" "" "nothing is left of the staging"
t "no journal is left" test ! -e "$C_ROOT/update.json"
before=$(service pid)
is "$(push r1)" 200 "the same archive again"
is "$(body .unchanged)" true "is unchanged"
is "$(service pid)" "$before" "and touches nothing"
is "$(push r1 -F force=true)" 200 "forced"
is "$(body .status)" updated "it is installed again"
t "by a new process" test "$(service pid)" != "$before"
before=$(service pid)
is "$(push r2 -F dry_run=true)" 200 "dry run"
is "$(body .status)" dry_run "says so"
like "$(body '.changed | tostring')" VERSION "and what would change"
is "$(service pid) $(serving)" "$before r1" "and changes nothing"
t "and leaves nothing" wait_for 5 clean_staging
is "$(push r2)" 200 "second push"
is "$(serving)" r2 "serves"
is "$(api GET /releases)" 200 "releases"
is "$(body '[.releases[0,1] | .slot] | join(" ")')" "active prev" \
    "active comes first, then prev"
is "$(body '[.releases[0,1] | .sha] | join(" ")')" "r2 r1" "and their names"
is "$(body '.releases[0] | [has("slot","sha","installed_at","id","sha256",
    "signer","size","files")] | all')" true "R has all its fields"
like "$(body .releases[0].installed_at)" \
    '^20[0-9-]+T[0-9:]+\.[0-9]{6}\+00:00$' "the time has its form"
is "$(api GET /manifest)" 200 "manifest"
like "$(cat "$T/body")" 'bin/agent .*sha256digest=[0-9a-f]{64}' "is an mtree"
is "$(api GET /agents/default/releases)" 200 "by the agent's name"
is "$(api GET /agents/nosuch/releases)" 404 "an unknown agent"
t "history" sh -c "'$UPDATERCTL' -s '$T/updaterd.sock' -j history >'$T/h'"
is "$(jq -r '.history[0].sha' "$T/h")" r2 "has the newest first"
is "$(jq -r '.history[0].by' "$T/h")" updater-master "and who pushed it"
t "the operator's status" sh -c \
    "'$UPDATERCTL' -s '$T/updaterd.sock' status | grep -q agent"
finish
