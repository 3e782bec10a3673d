#!/bin/sh
# doors.sh - the rooms' doors are one-way, and the rooms are small.
#
#   runtime -> nothing    bpf -> runtime/{trace_abi.h,probes.def}    tools -> bpf headers, skeletons,
#   runtime/{trace_abi.h,probes.def,layout.def}; inside tools: diag, json, heap <- target <- source; model;
#   view <- model; cmd -> all; sources and views never meet. No room looks into tests.
set -eu
cd "$(dirname "$0")/.."
bad=0

# file, the directory of what it includes, what it includes
includes() {
	git ls-files '*.c' '*.h' '*.def' | grep -v '^vmlinux/' | while read -r f; do
		sed -n 's/^#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$f" | while read -r inc; do
			dir=$(dirname "$f")
			[ -e "$dir/$inc" ] || continue
			echo "$f $(realpath -s --relative-to=. "$dir/$inc")"
		done
	done
}

includes | awk '
function room(p,    a, n) { n = split(p, a, "/"); return a[1] == "tools" && n > 2 ? a[1] "/" a[2] : a[1] }
BEGIN {
	ok["bpf", "bpf"] = ok["runtime", "runtime"] = 1
	split("target source model view cmd assert", rooms)
	for (i in rooms) ok["tools/" rooms[i], "tools/" rooms[i]] = ok["tools/" rooms[i], "tools"] = 1
	ok["tools", "tools"] = ok["tools", "tools/cmd"] = ok["tools/target", "tools/target"] = 1
	ok["tools/source", "tools/target"] = ok["tools/view", "tools/model"] = 1
	for (i in rooms) { ok["tools/cmd", "tools/" rooms[i]] = ok["tools/assert", "tools/" rooms[i]] = 1 }
}
{
	from = room($1); to = room($2)
	if (from == "tests" || ok[from, to]) next
	if (to == "runtime" && $2 ~ /^runtime\/(trace_abi.h|probes.def|layout.def)$/) next
	if (to == "bpf" && $2 ~ /\.h$/ && from ~ /^tools/) next
	print $1 " looks into " $2; bad = 1
}
END { exit bad }' || bad=1

# Inside runtime a file includes only what stands before it here, and its own header.
order="config trace_abi context types order backtrace fatal lock probes sink sanitize stack fault runq
timer state take pset thread forked mset observer netpoll poller handoff gs find loop sched schedtrace syscall
sysmon netwait io addr procs"
includes | awk -v order="$order" '
BEGIN { n = split(order, names); for (i = 1; i <= n; i++) rank[names[i]] = i }
function name(p) { sub(/.*\//, "", p); sub(/\..*/, "", p); return p }
$1 ~ /^runtime\/[a-z_0-9]*\.[ch]$/ && $2 ~ /^runtime\/[a-z_0-9]*\.h$/ {
	from = name($1); to = name($2)
	if (!(to in rank)) { print $2 " has no place in the order of runtime"; bad = 1 }
	else if ((from in rank) && from != to && rank[to] >= rank[from]) {
		print $1 " includes " $2 ", which is above it"; bad = 1 }
}
END { exit bad }' || bad=1

git ls-files '*.c' '*.h' '*.S' '*.sh' ':!vmlinux' | while read -r f; do
	[ -e "$f" ] && [ "$(wc -l <"$f")" -gt 500 ] && echo "$f: more than 500 lines"
	true
done | grep . && bad=1

# A function body in kernel style starts and ends with a brace in column 0.
git ls-files '*.c' ':!vmlinux' | while read -r f; do
	[ -e "$f" ] && awk -v f="$f" '/^{/ { start = NR } /^}/ && start {
		if (NR - start > 61) printf "%s:%d: function of %d lines\n", f, start, NR - start - 1
		start = 0 }' "$f"
done | grep . && bad=1
exit $bad
