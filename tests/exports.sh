#!/bin/sh
# exports.sh LIBRARY INCLUDE_DIR MACRO - what the library exports is what its public headers declare.
set -eu
declared=$(grep -hv '^#' "$2"/*.h | tr '\n' ' ' | grep -oE "$3 [^;(]*\\(" |
	sed -E 's/.*[ *]([a-z_0-9]+)\($/\1/' | sort -u)
exported=$(nm -D --defined-only "$1" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort -u)
[ "$declared" = "$exported" ] && exit 0
echo "$1: exports and headers differ (< declared, > exported):" >&2
printf '%s\n' "$declared" >"$1.declared"
printf '%s\n' "$exported" | diff "$1.declared" - >&2 || true
exit 1
