#!/bin/sh
# fetch.sh DIR - Go 1.27 from a newer Debian suite, unpacked under DIR; prints its GOROOT.
#
# The machine's own package sources, with another suite: apt runs with lists and configuration of its
# own, verifies signatures as always, and installs nothing. Exit status 77, with the reason, where
# that cannot be had.
set -eu
dir=$1
version=1.27
root=$dir/usr/lib/go-$version
suites='forky sid'

none() {
	echo "$1"
	exit 77
}

if [ ! -x "$root/bin/go" ]; then
	. /etc/os-release
	[ "${ID:-}" = debian ] || none "not a Debian machine"
	# The address from which this machine's own suite comes, whichever way sources are written.
	uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
		2>/dev/null | awk -v own="$VERSION_CODENAME" '
		$1 == "deb" { for (i = 2; i < NF; i++) if ($(i + 1) == own) { print $i; exit } }
		$1 == "URIs:" { uri = $2 }
		$1 == "Suites:" { for (i = 2; i <= NF; i++) if ($i == own && uri) { print uri; exit } }')
	[ -n "$uri" ] || none "no Debian mirror among the package sources"
	rm -rf "$dir"
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/apt/parts"
	for s in $suites; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $s main"
	done >"$dir/apt/sources.list"
	: >"$dir/apt/status"
	set -- -q -o Dir::Etc::sourcelist="$dir/apt/sources.list" -o Dir::Etc::sourceparts="$dir/apt/parts" \
		-o Dir::Etc::preferencesparts="$dir/apt/parts" -o Dir::State="$dir/apt" \
		-o Dir::State::lists="$dir/apt/lists" -o Dir::State::status="$dir/apt/status" \
		-o Dir::Cache="$dir/apt/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root
	apt-get "$@" update >"$dir/apt/log" 2>&1 || true
	arch=$(dpkg --print-architecture)
	cd "$dir"
	apt-get "$@" download "golang-$version-go:$arch" "golang-$version-src" >>"$dir/apt/log" 2>&1 ||
		none "golang-$version-go: $(grep '^[EW]:' "$dir/apt/log" | tail -n 1)"
	for deb in golang-*.deb; do
		dpkg -x "$deb" "$dir"
	done
	rm -f golang-*.deb
	rm -rf "$dir/apt/lists" "$dir/apt/cache"
fi
echo "$root"
