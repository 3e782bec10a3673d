#!/bin/sh
# regen.sh - write the running kernel's types to vmlinux/ARCH/vmlinux.h.
set -eu
cd "$(dirname "$0")"
arch=$(uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
[ -r /sys/kernel/btf/vmlinux ] || { echo "regen.sh: this kernel has no BTF" >&2; exit 1; }
mkdir -p "$arch"
PATH=$PATH:/usr/sbin bpftool btf dump file /sys/kernel/btf/vmlinux format c >"$arch/vmlinux.h.new"
mv "$arch/vmlinux.h.new" "$arch/vmlinux.h"
