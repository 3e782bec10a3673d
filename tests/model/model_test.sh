#!/bin/sh
# model_test.sh [short|long] - search the models as `cases` lists them; TAP on stdout.
#
# Whoever finds an error where none is expected is shown the steps that lead to it.
set -u
here=$(dirname "$(realpath "$0")")
size=${1:-short}
for tool in spin gcc; do
	command -v $tool >/dev/null && continue
	echo "$tool is not installed"
	exit 77
done
dir=$(mktemp -d)
trap 'rm -rf "$dir" "$dir.cases"' EXIT
grep "^[hb].* $size " "$here/cases" >"$dir.cases"
cd "$dir" || exit 1
depth=3000000
limit_mb=12000

# model, options: leaves the verdict of the search in ./out
search() {
	rm -f ./*
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

number=0
failed=0
while IFS= read -r line; do
	what=${line#*: }
	# shellcheck disable=SC2086
	set -- ${line%%:*}
	want=$1
	shift 2
	search "$@"
	got=$(verdict)
	number=$((number + 1))
	if [ "$got" = "$want" ]; then
		states=$(awk '/states, stored/ { print $1 }' out)
		echo "ok $number - $want: $* ($what; $states states)"
		continue
	fi
	failed=$((failed + 1))
	echo "not ok $number - expected $want, got ${got:-no verdict}: $* ($what)"
	tail -n 40 out
	if [ -e "$1.pml.trail" ]; then
		trail=$1.pml.trail
		shift
		spin -k "$trail" -p "$@" "$here/${trail%.trail}" | tail -n 60
	fi
done <"$dir.cases"
echo "1..$number"
[ $failed = 0 ] && [ $number -gt 0 ]
