#!/bin/sh
#
# Configurations and what updaterd -nv says to them.  Each NN-name.conf has
# a .ok beside it, the configuration printed back (which must parse to the
# very same text), or a .err, what stands on standard error, with exit 1.
# A first line "# run: ..." in a .conf (or .inc, mode only) may say
# "mode NNN" and "-D macro=value".
#
# usage: run.sh [-u]	-u writes the .ok and .err files afresh: look at
#			the difference before you believe it.
# UPDATERD names the program.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
top=$(cd "$here/../.." && pwd) || exit 1
prog=${UPDATERD:-$top/updaterd/updaterd}
case $prog in
/*)	;;
*)	prog=$(pwd)/$prog ;;
esac
update=0
[ "$1" = "-u" ] && update=1
[ -x "$prog" ] || { echo "Bail out! no program $prog"; exit 1; }

# The files are copied: their modes and owner are part of the test, those
# of a check-out are anybody's.
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
cp "$here"/*.conf "$here"/*.inc* "$tmp" && cd "$tmp" || exit 1
chmod 644 ./*

n=0
failed=0
result() {		# 0 or not, name, file with details
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=$((failed + 1))
		[ -n "$3" ] && sed 's/^/# /' "$3"
	fi
}

# Expect exit 1 and a text on standard error.
refused() {		# name, text, file
	timeout 20 "$prog" -nv -f "$3" >out 2>err
	status=$?
	[ $status -eq 1 ] && [ ! -s out ] && grep -q -F -e "$2" err
	result $? "$1" err
}

for f in *.conf *.inc*; do
	mode=$(sed -n '1s/^# run:.*mode \([0-7]*\).*/\1/p' "$f" 2>/dev/null)
	[ -n "$mode" ] && chmod "$mode" "$f"
done

for f in *.conf; do
	case $f in out*) continue ;; esac
	name=${f%.conf}
	args=$(sed -n '1s/^# run: *\(-D.*\)/\1/p' "$f")
	# shellcheck disable=SC2086
	timeout 20 "$prog" $args -nv -f "$f" >out 2>err
	status=$?
	if [ $update -eq 1 ]; then
		rm -f "$here/$name.ok" "$here/$name.err"
		if [ $status -eq 0 ]; then
			cp out "$here/$name.ok"
		else
			cp err "$here/$name.err"
		fi
	fi
	if [ -f "$here/$name.ok" ]; then
		diff -u "$here/$name.ok" out >diffs 2>&1
		same=$?
		cat err >>diffs
		[ $status -eq 0 ] && [ $same -eq 0 ] && [ ! -s err ]
		result $? "$name" diffs

		cp out again.txt
		timeout 20 "$prog" -nv -f again.txt >out2 2>err
		status=$?
		diff -u out out2 >diffs 2>&1
		same=$?
		cat err >>diffs
		[ $status -eq 0 ] && [ $same -eq 0 ]
		result $? "$name: printed, parses to the same" diffs
	else
		diff -u "$here/$name.err" err >diffs 2>&1
		same=$?
		echo "exit $status" >>diffs
		[ $status -eq 1 ] && [ $same -eq 0 ] && [ ! -s out ]
		result $? "$name" diffs
	fi
done

cp "$top/etc/updaterd.conf" shipped.txt && chmod 644 shipped.txt
"$prog" -n -f shipped.txt >out 2>err
result $? "the shipped etc/updaterd.conf" err

# Of the README the block that begins with a listener, of the manual those
# that hold whole agents.
awk '/^```/ { on = !on; if (!on && text ~ /^listen/) printf "%s", text
    text = ""; next } on { text = text $0 "\n" }' "$top/README.md" >readme.txt
[ -s readme.txt ] && "$prog" -n -f readme.txt >out 2>err
result $? "what README.md has one write" err
awk '/^\.Bd/ { on = 1; text = ""; next }
    /^\.Ed/ { if (on && text ~ /(^|\n)agent .*service /)
	printf "%s", text > ("manual" n++ ".txt"); on = 0; next }
    on { text = text $0 "\n" }' "$top/updaterd/updaterd.conf.5"
status=1
for f in manual*.txt; do
	[ -s "$f" ] && "$prog" -n -f "$f" >out 2>err
	status=$?
	[ $status -eq 0 ] || break
done
result $status "the examples in updaterd.conf(5)" err

refused "a missing file" "cannot open" nowhere.txt
mkdir dir
refused "a directory" "not a regular file" dir
mkfifo fifo
refused "a FIFO, without waiting for it" "not a regular file" fifo
ln -s 01-minimal.conf link.txt
"$prog" -n -f link.txt >out 2>err
result $? "a symbolic link to a good file" err
if [ "$(id -u)" -eq 0 ]; then
	cp 01-minimal.conf theirs.txt && chown 65534 theirs.txt
	refused "a file of somebody else" "must belong to root" theirs.txt
else
	n=$((n + 1))
	echo "ok $n - a file of somebody else # SKIP needs root"
fi
head -c 1100000 /dev/zero | tr '\0' '\n' >big.txt
refused "a file of over a megabyte" "cannot read" big.txt

echo "1..$n"
[ $failed -eq 0 ]
