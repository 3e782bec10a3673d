#!/bin/sh
# golden_test.sh - two recordings of real programs, through every report: the screens are those in
# tests/golden. A recording of today is read by every later gotrace, or refused by its version.
#
#   growth.rec     growth --fifos 7 --urandom 2, 2 s
#   netwaits.rec   netwaits rounds 97, from its start; every probe armed
#
# GOLDEN_UPDATE=1 writes the screens anew, after a change that is meant: read the difference.
set -eu
golden=$GOTRACE_TREE/tests/golden
n=0
bad=0

# recording, verb and options
screen() {
	n=$((n + 1))
	name=$1_$(echo "$2" | tr -d ' -').txt
	# shellcheck disable=SC2086
	"$GOTRACE" ${2%% *} "$golden/$1.rec" ${2#"${2%% *}"} >screen 2>errors || {
		cat errors
		echo "not ok $n - $2 of $1.rec ended with $?"
		bad=1
		return
	}
	[ -z "${GOLDEN_UPDATE:-}" ] || cp screen "$golden/$name"
	if diff -u "$golden/$name" screen; then
		echo "ok $n - $2 of $1.rec"
	else
		echo "not ok $n - $2 of $1.rec"
		bad=1
	fi
}

echo "1..7"
screen growth "threads"
screen growth "threads --by-m"
screen growth "blocked"
screen growth "blocked --by-stack"
screen growth "handoff"
screen growth "growth"
screen netwaits "netpoll"
exit $bad
