/* SPDX-License-Identifier: MIT */
/*
 * cost.h - what watching costs the target, and when it costs too much: probes are shed then, the hottest
 * group first, and armed again when the share since the attach has fallen.
 *
 * The order is fixed: hot probes, warm probes, sched_switch, cold probes.
 */
#ifndef GOTRACE_COST_H
#define GOTRACE_COST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../runtime/trace_abi.h"

/* All since the attach. */
struct cost {
	uint64_t hits, hits_ns,
		bpf_ns;     /* hits_ns: by the trap's calibrated cost, without the programs */
	uint64_t target_ns; /* CPU time */
	uint64_t wall_ns;
};

struct governor {
	uint32_t limit_ppm;     /* of the target's CPU time; 0: no limit */
	uint32_t wanted, armed; /* groups: enum grt_temperature bits */
	uint64_t last_ns;
	uint64_t changed_ns, changed_paid_ns, changed_target_ns; /* at the last change */
	uint64_t armed_ns[4]; /* per group, for the share of time that it was armed */
	uint64_t observed_ns;
};

/* What the target has paid, in ns of its CPU time. */
uint64_t cost_ns(const struct cost *c);
/* CPU time of a process, ns; 0: not known. */
uint64_t cost_cpu_ns(pid_t pid);

void governor_init(struct governor *g, uint32_t wanted, uint32_t limit_ppm, uint64_t now_ns);
/* A tick: which groups shall be armed from now on. */
uint32_t governor_tick(struct governor *g, const struct cost *c, uint64_t now_ns);
/* Of the group that was armed least, in 1/1000 of the time. */
uint32_t governor_armed_permill(const struct governor *g);

#endif
