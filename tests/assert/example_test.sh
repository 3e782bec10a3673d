#!/bin/sh
# example_test.sh - the manual's example, from an empty folder: install, write down what the page says, red,
# repair, green.
set -eu
tree=$GOTRACE_TREE
build=${BUILD_DIR:?}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

make -s -C "$tree" O="$build" PREFIX="$dir/usr" install >"$dir/install.log" 2>&1 || {
	cat "$dir/install.log"
	exit 1
}
unset PKG_CONFIG_SYSROOT_DIR
export PKG_CONFIG_PATH="$dir/usr/lib/pkgconfig" LD_LIBRARY_PATH="$dir/usr/lib"
page=$dir/usr/share/man/man3/gotrace_assert.3
example=$(pkg-config --variable=exampledir gotrace-assert)
mkdir "$dir/service"
cd "$dir/service"

# As man shows a file of its page.
from_page() {
	awk -v begin=".\\\\\" begin $1" '$0 == begin { on = 1; next } /^\.\\" end/ { on = 0 } on' "$page" |
		sed 's/\\-/-/g; s/\\e/\\/g; s/^\\&//'
}

echo "1..3"
for f in Makefile service.h service.c service_test.c; do
	from_page $f >$f
	test -s $f && sed '1{/SPDX\|^#/d}' "$example/$f" | expand >$f.installed
	if ! expand $f | diff - $f.installed; then
		echo "not ok 1 - the page shows $f as it is installed"
		exit 1
	fi
done
echo "ok 1 - the files of the page are those that are installed"

if make -s -B check CFLAGS=-DPINS >red.log 2>&1; then
	cat red.log
	echo "not ok 2 - the service that pins a thread is red"
	exit 1
fi
for want in "no goroutine waits for fd" "in read(" "serve service.c"; do
	grep -q "$want" red.log || {
		cat red.log
		echo "not ok 2 - the service that pins a thread says: $want"
		exit 1
	}
done
echo "ok 2 - the service that pins a thread is red, and the failure names it"

make -s -B check >green.log 2>&1 || {
	cat green.log
	echo "not ok 3 - the repaired service is green"
	exit 1
}
echo "ok 3 - the repaired service is green"
