#!/bin/sh
# A child that has been taken over lies to the parent in every way that the
# wire has room for (liar.c).  After each lie the parent must still serve: a
# new net, probe, inflate or unpack is started and the next one lies.  At
# the end an honest push succeeds, nothing of the lies was installed or is
# left in staging, and the parent holds no more descriptors and memory than
# it did before.
# FULL=1: every lie, three times each for net; else every LIE_STEPth.
C_LIMITS='limits { connections 64 per-address 16 header 16K body 1M idle 1s
    rate 200K }'
. "${0%/*}/../lib.sh"
FAULT=$HERE/fault
export UPDATERD="$FAULT/updaterd"
export UPDATERD_TEST_DIR="$T/lies"
for p in NET PROBE INFLATE UNPACK; do
	export "UPDATERD_TEST_$p=$FAULT/liar"
done
LIES=$T/lies
C_HEALTH="$(printf 'health none')"
mkdir -p "$LIES"
ln -s "$UPDATERD" "$LIES/updaterd"

setup
mk_release one
mk_release two
is "$(push one)" 200 "an honest push"
before=$(current)
cp "$T/two.tgz" "$LIES/archive"

fds() {
	ls "/proc/$UPID/fd" | wc -l
}
memory() {	# KB
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$UPID/status"
}
lies() {	# type: how many there are
	"$FAULT/liar" -n | sed -n "s/^$1 //p"
}
caught_up() {	# type: the table is through, and the honest one is back
	read -r at last _ <"$LIES/$1.next" && [ "$at" -ge "$last" ]
}
# What did not go as the table says: a lie that was to be the end of the
# liar and was not, or the other way round.
wrong() {	# type
	awk '$3 == "die" || $3 == "live" { want[$1] = $3; name[$1] = $2; next }
	    { got[$1] = $3 }
	    END { for (i in want) {
		g = got[i] == "" ? "died" : got[i]
		if (want[i] == "die" && g != "died" ||
		    want[i] == "live" && g != "lived")
			printf "%s %s: wanted to %s, %s\n", i, name[i],
			    want[i], g
	    } }' "$LIES/$1.log" | sort -n
}
told() {	# type
	grep -cE ' (die|live)$' "$LIES/$1.log"
}

if [ -n "${FULL-}" ]; then
	step=1 rounds=3
else
	step=${LIE_STEP:-11} rounds=1
fi

# --- net and probe: started again by themselves -------------------------

liar_lives() {	# type rounds
	rm -f "$LIES/$1.log"
	echo "0 $(($(lies "$1") * $2)) $step" >"$LIES/$1.next"
	kill9 "$(process "$1")"
	wait_for 900 caught_up "$1"
	wait_for 30 listening
	rm "$LIES/$1.next"
	is "$(wrong "$1")" "" "$1: $(told "$1") lies, all as they should end"
	t "$1: the parent is the same" alive "$UPID"
	wait_for 20 idle
	is "$(current)" "$before" "$1: nothing was installed"
	t "$1: nothing is left in staging" wait_for 10 clean_staging
}
# Once for what is allocated once.
wait_for 20 idle
fd0=$(fds)
liar_lives net $rounds
m0=$(memory)
liar_lives probe 1

# --- inflate and unpack: one a push --------------------------------------

liar_pushes() {	# type
	rm -f "$LIES/$1.log"
	all=$(lies "$1") n=0 odd=
	while [ "$n" -lt "$all" ]; do
		echo "$n $((n + 1)) 1" >"$LIES/$1.next"
		s=$(push two)
		case $s in
		400|408|413|422|500|507) ;;
		*) odd="$odd $n:$s";;
		esac
		n=$((n + step))
	done
	rm "$LIES/$1.next"
	is "$(wrong "$1")" "" "$1: $(told "$1") lies, all as they should end"
	is "$odd" "" "$1: none of the pushes succeeds"
	wait_for 20 idle
	is "$(current)" "$before" "$1: nothing was installed"
	t "$1: nothing is left in staging" wait_for 10 clean_staging
}
liar_pushes inflate
liar_pushes unpack

# --- and then ------------------------------------------------------------

wait_for 20 idle
t "the parent is the same" alive "$UPID"
is "$(fds)" "$fd0" "it holds the same number of descriptors"
m1=$(memory)
note "memory: $m0 KB after the lies of net, $m1 KB at the end"
t "its memory has not grown by more than 4 MB" [ $((m1 - m0)) -lt 4096 ]
t "and is under 24 MB" [ "$m1" -lt 24576 ]
unlike "$(cat "$T/log")" "$(printf '[\001-\010\013-\037\177]|^forged')" \
    "nothing was forged in the log"
is "$(ctl -j status | jq -r .processes[0].name)" parent "status can be read"
t "history is valid" sh -c "jq -e . <'$C_ROOT/history.jsonl' >/dev/null"
is "$(push two)" 200 "an honest push succeeds"
finish
