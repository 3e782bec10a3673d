#!/bin/sh
# example_test.sh - the manual's example, from an empty folder: install, build, red, repair, green.
set -eu
tree=$GOTRACE_TREE
build=${BUILD_DIR:?}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

make -s -C "$tree" O="$build" PREFIX="$dir/usr" install >"$dir/install.log" 2>&1 || {
	cat "$dir/install.log"
	exit 1
}
export PKG_CONFIG_PATH="$dir/usr/lib/pkgconfig" LD_LIBRARY_PATH="$dir/usr/lib"
mkdir "$dir/service"
cp "$tree"/tools/assert/example/* "$dir/service"
cd "$dir/service"

echo "1..2"
if CFLAGS=-DPINS make -s check >red.log 2>&1; then
	cat red.log
	echo "not ok 1 - the service that pins a thread is red"
	exit 1
fi
for want in "no goroutine waits for fd" "in read(" "serve service.c"; do
	grep -q "$want" red.log || {
		cat red.log
		echo "not ok 1 - the service that pins a thread says: $want"
		exit 1
	}
done
echo "ok 1 - the service that pins a thread is red, and the failure names it"

rm -f service_test
make -s check >green.log 2>&1 || {
	cat green.log
	echo "not ok 2 - the repaired service is green"
	exit 1
}
echo "ok 2 - the repaired service is green"
