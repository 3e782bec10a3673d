/* SPDX-License-Identifier: MIT */
/*
 * probe_links.h - the probes of one process by uprobe_multi, in groups that can be shed: cold, warm, hot.
 */
#ifndef GOTRACE_PROBE_LINKS_H
#define GOTRACE_PROBE_LINKS_H

#include <stdint.h>

#include "../target/target.h"

#define PROBE_GROUPS 3

struct probe_links {
	const struct target *target;
	uint64_t kinds; /* that are wanted at all */
	int prog_fd;
	uint32_t *is_changing; /* of the program; see bpf/events.h */
	int whole;             /* link of all groups, -1: none */
	int group[PROBE_GROUPS];
	uint32_t armed; /* enum grt_temperature bits */
};

/* No link yet: probe_links_detach has nothing to do. */
void probe_links_init(struct probe_links *l);
/* All of the kinds. 0 or -errno. */
int probe_links_attach(struct probe_links *l);
/* Arm these groups, and shed the others. What the kernel refuses is missing in l->armed afterwards. */
void probe_links_arm(struct probe_links *l, uint32_t wanted);
void probe_links_detach(struct probe_links *l);

#endif
