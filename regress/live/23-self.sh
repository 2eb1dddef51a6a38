#!/bin/sh
# Goal: updaterd updates itself and comes back from each of SELF_KINDS of
# broken updaters, as it is started by rc (in the background) or by somebody
# who starts it again: within its limit, without a hand.  Services do not
# notice; a client in a tight loop is never refused; what is installed is
# never written to.
#
# FULL=1 tries all kinds in both ways.
. "${0%/*}/../lib.sh"
. "$HERE/self.sh"

[ -x "$OTHER" ] && [ -x "$FAULTY" ] ||
    skip_all "make regress/self/updaterd regress/fault/updaterd first"
SELF_WITHIN=${SELF_WITHIN:-6s}
setup_self
V1=$("$UPDATERD" -V | cut -d' ' -f2)
V2=$("$OTHER" -V | cut -d' ' -f2)
unlike "$V1" "^$V2\$" "there are two versions"
start_self
mk_release r1
mk_self a "$UPDATERD"
mk_self b "$OTHER"
is "$(push r1)" 200 "a service"
pid=$(service pid) main=$(status .pid)

# --- what is refused changes nothing
is "$(request -F "sha256=$(cat "$T/b.sha256")" -F "tarball=@$T/b.tgz" \
    "https://127.0.0.1:$PORT/update-self")" 400 "confirm_self is needed"
is "$(push_self b -F confirm_self=false)" 400 "and must be true"
is "$(push b -F confirm_self=true)" 400 "it belongs to /update-self"
is "$(CERT=controller api POST /agents/self/rollback)" 403 "role self is needed"
is "$(push_self r1)" 500 "no updater in it"
like "$(body .detail.error)" 'new updaterd' "the reason"
like "$(ctl update self "$T/r1.tgz" 2>&1)" "installed serves on" \
    "what serves is said"
printf '#!/bin/sh\n[ "$1" = -V ] && exec echo updaterd 9\necho "conf:7: no" >&2\nexit 1\n' > "$T/picky.in"
mk_self picky "$T/picky.in"
is "$(push_self picky)" 500 "-n does not like the live configuration"
like "$(body .detail.stderr)" 'conf:7: no' "what it says is passed on"
printf '#!/bin/sh\necho hello\n' > "$T/hello.in"
mk_self hello "$T/hello.in"
is "$(push_self hello)" 500 "a program that is no updaterd"
like "$(body .detail.error)" 'sbin/updaterd of the release is no updaterd' \
    "and that is said"
cp "$UPDATERD" "$T/arch.in"
printf '\377\377' | dd of="$T/arch.in" bs=1 seek=18 conv=notrunc 2>/dev/null
mk_self arch "$T/arch.in"
is "$(push_self arch)" 500 "another machine's program"
is "$(push_self b -F dry_run=true)" 200 "a dry run"
is "$(body .status)" dry_run "says so"
is "$(status 'has("self")') $(status '.self.id') $(status .pid)" \
    "true null $main" "all that changed nothing"

for f in crt key; do
	cp "$T/certs/updater.$f" "$T/updater.$f"
	cp "$T/certs/server-only.$f" "$T/certs/updater.$f"
done
t "a certificate for servers only" ctl reload
is "$(push_self b)" 500 "with which we could not ask ourselves"
like "$(body .detail.error)" 'be fit for a server and for a client' "and why"
is "$(status '.self.id') $(status .pid)" "null $main" "nothing has changed"
for f in crt key; do
	cp "$T/updater.$f" "$T/certs/updater.$f"
done
t "the right one again" ctl reload

# --- there and back, under the eyes of a client
loop_client
is "$(push_self b)" 200 "a new updaterd"
is "$(body .status)" self_update_queued "is queued"
t "it runs" wait_for 10 version_is "$V2"
is "$(status .pid) $(service pid)" "$main $pid" "in the same process"
is "$(readlink "/proc/$main/exe")" \
    "$T/self/$(readlink "$T/self/current")/sbin/updaterd" "from its release"
like "$(ctl metrics)" "updaterd_build_info{version=\"$V2\"}" "the metrics, too"
like "$(ctl status)" 'itself  *[0-9TZ]*-b' "status names it"
is "$(push_self b | tr -d '\n'; body .unchanged)" 200true "once is enough"
is "$(push_self a)" 200 "and back"
t "the first version runs" wait_for 10 version_is "$V1"
t "a rollback" ctl rollback self
t "the second version runs" wait_for 10 version_is "$V2"
is "$(status .pid) $(service pid)" "$main $pid" "in the same process"
t "the client was never refused" end_client
is "$(push r1 -F force=true)" 200 "an agent's push goes in"
pid=$(service pid)
t "no watch is left" wait_for 10 no_watchers
is "$(ctl update self "$T/a.tgz" >"$T/local" 2>&1; echo $?)" 0 \
    "from a file at hand"
t "it runs" wait_for 10 version_is "$V1"
t "and back" ctl rollback self
t "it runs" wait_for 10 version_is "$V2"
like "$(ctl history self | head -n 2)" 'self rollback.*rolled back' "history"

# --- metrics
m() {		# name: its value in the last text
	sed -n "s/^updaterd_self_$1 //p" "$T/m"
}
scrape() {
	ctl metrics >"$T/m"
}
newest_self() {	# state: the second in which its newest was installed
	jq -r "select(.state == \"$1\") | .installed_at / 1000000 | floor" \
	    "$T"/self/releases/*.json | sort -n | tail -n 1
}
scrape
t "metrics are well-formed" python3 "$HERE/promcheck.py" <"$T/m"
is "$(m on_trial) $(m last_failure_timestamp_seconds)" "0 0.000000" \
    "no trial, none failed"
is "$(m 'release_info{.*sha="b"}')" 1 "what runs"
is "$(m last_success_timestamp_seconds | cut -d. -f1)" \
    "$(newest_self good)" "when it was installed"

# --- the host goes down in the middle; the base knows
mk_broken stopped
is "$(push_self stopped)" 200 "one that hangs"
crash
start_self
t "a crash meanwhile: the one before" wait_for 20 back_to b
scrape
is "$(m last_failure_timestamp_seconds | cut -d. -f1)" \
    "$(newest_self failed)" "that, too, is in the metrics"
is "$(m 'release_info{.*sha="b"}')" 1 "and what runs"
t "the service, too" wait_for 10 is_serving r1
main=$(status .pid)
crash
start_self
t "a crash at rest: the same" wait_for 10 runs b
t "the service" wait_for 10 is_serving r1

# --- an orderly stop in the middle of a switch is no verdict
has_become() {	# release
	readlink "/proc/$UPID/exe" | grep -q -e "-$1/"
}
is "$(push_self a)" 200 "another one"
until has_become a; do :; done
stop_self
start_self
t "it is tried again, and serves" wait_for 10 runs a
is "$(status .self.failed)" null "nothing has failed"
is "$(push_self b)" 200 "back"
t "it serves" wait_for 10 runs b
wait_for 15 no_watchers

# --- a base that is older than the configuration
stop_self
cp "$T/conf" "$T/conf.old"
{ echo 'newfangled { thing "x" }'; cat "$T/conf.old"; } > "$T/conf"
"$T/bin/updaterd" -d -f "$T/conf" >>"$T/log" 2>&1 </dev/null
like "$(tail -n 5 "$T/log")" "become updaterd.*-b" \
    "the base passes over what it does not know"
cp "$T/conf.old" "$T/conf"

# --- broken ones
says_why() {	# kind, which an id holds in part
	ctl status | grep -q -e "-$(echo "$1" | cut -c 1-8).* failed: ."
}
try() {		# kind
	mk_broken "$1"
	pid=$(service pid)
	t0=$(now_ms)
	is "$(push_self "$1")" 200 "$MODE: $1"
	case $1 in
	*-state)	t "is back" wait_for 20 serves b;;
	*)		t "is back" wait_for 20 back_to b;;
	esac
	note "after $(($(now_ms) - t0)) ms"
	is "$(service pid)" "$pid" "the service did not notice"
	wait_for 15 no_watchers
	case $1 in
	*-state)	;;
	*)		t "status says why" wait_for 10 says_why "$1";;
	esac
}
for MODE in bare loop; do
	case ${FULL:+all}$MODE in
	all*)	kinds=$KINDS;;
	bare)	kinds="takes-control no-health";;
	loop)	kinds="leaves-child bad-state";;
	esac
	rm -f "$T/self/self.state"
	start_self
	t "$MODE: starts what is current" wait_for 10 runs b
	wait_for 10 is_serving r1
	for k in $kinds; do
		try "$k"
	done
	stop_self
done
is "$(digest "$T/bin/updaterd")" "$base" "what is installed was not touched"
finish
