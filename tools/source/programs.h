/* SPDX-License-Identifier: MIT */
/*
 * programs.h - bpf/, loaded into the kernel. One object for all that a source wants of it: libbpf reads the
 * kernel's types once an object, and that is the longest part of an attach. Who attaches them: iter.c
 * and events.c.
 */
#ifndef GOTRACE_PROGRAMS_H
#define GOTRACE_PROGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "../target/target.h"

struct programs_want {
	const struct target *target;
	/* The iterator, without and with kernel stacks. With both, it can be without only. */
	bool threads, threads_deep;
	bool events;          /* probes, ends of threads, exec: */
	bool switches;        /* sched_switch, too */
	bool by_perf;         /* probes by perf events, not by uprobe_multi */
	uint32_t map_entries; /* of maps of threads; 0: as many as the target may have, and a margin */
};

struct programs {
	struct gotrace_bpf *skel;
	int events_error; /* 0, or -errno: events were wanted, and the kernel takes the rest only */
};

/* 0 or -errno; nothing is loaded then. */
int programs_load(struct programs *p, const struct programs_want *want);
/* After the links are gone. Nothing to do for one that is zeroed. */
void programs_unload(struct programs *p);

#endif
