/* SPDX-License-Identifier: MIT */
/*
 * uprobe_multi.h - one link for many sites of a file, made by bpf(2) itself: Debian 12's libbpf loads
 * such a program but does not know the link. It attaches and detaches in tens of ms (one by one: 100 ms
 * each to detach) and needs CAP_BPF and CAP_PERFMON only.
 */
#ifndef GOTRACE_UPROBE_MULTI_H
#define GOTRACE_UPROBE_MULTI_H

#include <stdint.h>
#include <sys/types.h>

#define ATTACH_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI: newer than Debian 12's headers */

struct uprobe_multi {
	int prog_fd;
	const char *path;
	pid_t pid; /* 0: every process */
	uint32_t n;
	const uint64_t *offsets;    /* in the file */
	const uint64_t *semaphores; /* in the file, or NULL */
	const uint64_t *cookies;    /* or NULL */
};

#define UPROBE_MULTI_MAX 8 /* links that are taken off together */

/* A descriptor that holds the sites until uprobe_multi_detach or our end, or -errno. */
int uprobe_multi_attach(const struct uprobe_multi *u);
/* Those that are < 0 are left out. */
void uprobe_multi_detach(const int *links, int n);

#endif
