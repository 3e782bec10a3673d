/* SPDX-License-Identifier: MIT */
/*
 * uprobe_multi.c - see uprobe_multi.h. To take a link off waits for a grace period of the kernel, 33 ms
 * here: those that come while one is under way share the next.
 */
#include "uprobe_multi.h"

#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
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

static void *detach(void *link)
{
	close((int)(intptr_t)link);
	return NULL;
}

void uprobe_multi_detach(const int *links, int n)
{
	pthread_t thread[UPROBE_MULTI_MAX];
	int nthreads = 0, own = -1;

	for (int i = 0; i < n; i++) {
		if (links[i] < 0)
			continue;
		if (own < 0)
			own = links[i];
		else if (nthreads < UPROBE_MULTI_MAX &&
			 pthread_create(&thread[nthreads], NULL, detach,
					(void *)(intptr_t)links[i]) == 0)
			nthreads++;
		else
			close(links[i]);
	}
	if (own >= 0)
		close(own);
	while (nthreads > 0)
		pthread_join(thread[--nthreads], NULL);
}
