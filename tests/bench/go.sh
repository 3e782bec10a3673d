#!/bin/sh
# go.sh TOOLCHAIN_DIR SOURCE_DIR PROGRAM - Go 1.27 of a newer suite of this machine's own mirror, unpacked
# into TOOLCHAIN_DIR and never installed; PROGRAM is built with it.
#
# Prints "go: VERSION", or "skipped: why"; succeeds in both cases.
set -u
PKGS='golang-1.27-go golang-1.27-src'
SUITES='forky sid'
LOG=
skip() {
	echo "skipped: $1"
	[ -n "$LOG" ] && sed 's/^/go.sh: /' "$LOG" | tail -5 >&2
	exit 0
}

build() {
	mkdir -p "$(dirname "$3")"
	LOG=$1/build.log
	env PATH="$1/usr/lib/go-1.27/bin:$PATH" GOROOT="$1/usr/lib/go-1.27" GOTOOLCHAIN=local \
		GOFLAGS=-mod=mod GOPROXY=off GO111MODULE=off GOCACHE="$1/cache" GOPATH="$1/path" CGO_ENABLED=1 \
		"$1/usr/lib/go-1.27/bin/go" build -o "$3" "$2/main.go" >"$LOG" 2>&1 ||
		skip "Go is here but cannot build the program"
	echo "go: $("$1/usr/lib/go-1.27/bin/go" version | cut -d' ' -f3)"
	exit 0
}

# The archive that apt already uses.
mirror_of_apt() {
	apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' \
		'Label: Debian' 2>/dev/null | awk '$2 == "main" { print $1; exit }'
}

fetch() { # toolchain dir, suite, mirror
	apt=$1/apt
	rm -rf "$apt"
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	printf 'deb [signed-by=%s] %s %s main\n' "$key" "$3" "$2" >"$apt/sources.list"
	set -- -qq -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o Dir::State::status=/dev/null \
		-o APT::Sandbox::User=root
	apt-get "$@" update >"$LOG" 2>&1 || return 1
	# shellcheck disable=SC2086
	(cd "$apt" && apt-get "$@" download $PKGS) >"$LOG" 2>&1
}

mkdir -p "$1" "$(dirname "$3")"
dir=$(cd "$1" && pwd)
LOG=$dir/go.log
src=$(cd "$2" && pwd)
prog=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
[ -x "$dir/usr/lib/go-1.27/bin/go" ] && [ -d "$dir/usr/share/go-1.27/src" ] && build "$dir" "$src" "$prog"
command -v apt-get >/dev/null || skip 'no apt on this machine'
[ "$(dpkg --print-architecture)" = amd64 ] || skip 'not amd64'
mirror=$(mirror_of_apt)
[ -n "$mirror" ] || { apt-get -qq update >"$LOG" 2>&1; mirror=$(mirror_of_apt); }
[ -n "$mirror" ] || skip 'apt knows no Debian mirror'
for suite in $SUITES; do
	fetch "$dir" "$suite" "$mirror" || continue
	for deb in "$dir"/apt/*.deb; do
		dpkg -x "$deb" "$dir" >"$LOG" 2>&1 || skip 'a package cannot be unpacked'
	done
	rm -rf "$dir/apt"
	build "$dir" "$src" "$prog"
done
skip "no suite of the mirror has golang-1.27-go ($SUITES)"
