/* SPDX-License-Identifier: MIT */
/* uprobe_multi.c - see uprobe_multi.h. */
#include "uprobe_multi.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What BPF_LINK_CREATE takes for it. */
struct link_create_uprobe_multi {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, reserved;
};

int uprobe_multi_attach(const struct uprobe_multi *u)
{
	struct link_create_uprobe_multi a = {
		.prog_fd = (uint32_t)u->prog_fd,
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)u->path,
		.offsets = (uintptr_t)u->offsets,
		.ref_ctr_offsets = (uintptr_t)u->semaphores,
		.cookies = (uintptr_t)u->cookies,
		.cnt = u->n,
		.pid = (uint32_t)u->pid,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &a, sizeof(a));

	return fd < 0 ? -errno : fd;
}
