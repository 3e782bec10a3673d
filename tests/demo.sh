#!/bin/sh
# demo.sh BUILD_DIR - a process whose goroutines block, and what gotrace says about it.
set -eu
dir=$1
out=$(mktemp)
"$dir/examples/growth" --fifos 97 --urandom 3 --seconds 50 >"$out" &
pid=$!
trap 'kill $pid 2>/dev/null || true; wait $pid 2>/dev/null || true; rm -f "$out"' EXIT

i=0
until grep -q '^ready' "$out"; do
	i=$((i + 1))
	if [ $i -gt 100 ] || ! kill -0 $pid 2>/dev/null; then
		echo "demo: the example did not get ready" >&2
		exit 1
	fi
	sleep 0.1
done

echo
echo "== A process of 100 goroutines: 97 read FIFOs that nobody writes, 3 read /dev/urandom. Each blocks"
echo "== a thread, and each time the P it had goes to another. Ten rows, one a second:"
echo "\$ gotrace threads $pid -i 1s -n 10"
"$dir/gotrace" threads "$pid" -i 1s -n 10
echo
echo "== Which thread is in which call, for how long, on what descriptor (the first 12 lines):"
echo "\$ gotrace threads $pid --by-m --once"
"$dir/gotrace" threads "$pid" --by-m --once >"$out.by_m"
sed -n 1,12p "$out.by_m"
echo "   ... $(wc -l <"$out.by_m") lines in all"
rm -f "$out.by_m"
