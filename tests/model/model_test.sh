#!/bin/sh
# model_test.sh [short|long] - search the models as `cases` lists them, one on each CPU; TAP on stdout.
#
# Whoever finds an error where none is expected is shown the steps that lead to it.
set -u
self=$(realpath "$0")
here=$(dirname "$self")
depth=3000000
limit_mb=12000

# model, options: leaves the verdict of the search in ./out
search() {
	model=$1
	shift
	spin -a "$@" "$here/$model.pml" >out 2>&1 &&
		gcc -O2 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=$limit_mb -o pan pan.c >>out 2>&1 &&
		./pan -m$depth >>out 2>&1
}

# An error, or the whole space and none: anything else (memory, depth, syntax) is neither.
verdict() {
	if grep -q 'errors: [1-9]' out; then
		grep -q -e 'max search depth too small' -e 'out of memory' out && return
		echo bug
	elif grep -q 'errors: 0$' out && ! grep -qi -e 'search not completed' -e 'depth too small' out; then
		echo holds
	fi
}

# number, in a directory of its own with the line in ./case: leaves the line of TAP in ./tap
run_case() {
	number=$1
	line=$(cat case)
	what=${line#*: }
	# shellcheck disable=SC2086
	set -- ${line%%:*}
	want=$1
	shift 2
	search "$@"
	got=$(verdict)
	if [ "$got" = "$want" ]; then
		states=$(awk '/states, stored/ { print $1 }' out)
		echo "ok $number - $want: $* ($what; $states states)" >tap
		return
	fi
	{
		echo "not ok $number - expected $want, got ${got:-no verdict}: $* ($what)"
		tail -n 40 out
		if [ -e "$1.pml.trail" ]; then
			trail=$1.pml.trail
			shift
			spin -k "$trail" -p "$@" "$here/${trail%.trail}" | tail -n 60
		fi
	} >tap
}

if [ "${1:-}" = --case ]; then
	cd "$2/$3" && run_case "$3"
	rm -f pan pan.?
	exit 0
fi
size=${1:-short}
for tool in spin gcc; do
	command -v $tool >/dev/null && continue
	echo "$tool is not installed"
	exit 77
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
grep "^[hb].* $size " "$here/cases" >"$dir/cases"
number=0
while IFS= read -r line; do
	number=$((number + 1))
	mkdir "$dir/$number"
	printf '%s\n' "$line" >"$dir/$number/case"
done <"$dir/cases"
seq "$number" | xargs -r -n 1 -P "$(nproc)" "$self" --case "$dir"
failed=0
for i in $(seq "$number"); do
	grep -q '^ok ' "$dir/$i/tap" 2>/dev/null || failed=$((failed + 1))
	cat "$dir/$i/tap" || echo "not ok $i - it was not run"
done
echo "1..$number"
[ $failed = 0 ] && [ "$number" -gt 0 ]
