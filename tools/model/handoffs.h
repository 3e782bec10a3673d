/* SPDX-License-Identifier: MIT */
/*
 * handoffs.h - what became of the Ps that Ms lost in calls: sums by call and by who took the P, how
 * long each step took, how the goroutines came back. Made by handoffs.c and returns.c from events;
 * views read it through const pointers.
 */
#ifndef GOTRACE_HANDOFFS_H
#define GOTRACE_HANDOFFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../runtime/trace_abi.h"
#include "hist.h"

struct model;

/* Who took a P from its M: the numbers of enum grt_retake_by go on. */
enum model_by {
	MODEL_BY_UNKNOWN = 0, /* the taking came before the first snapshot */
	MODEL_BY_SYSMON = GRT_BY_SYSMON,
	MODEL_BY_KERNEL = GRT_BY_KERNEL,
	MODEL_BY_EXIT_STEAL = GRT_BY_EXIT_STEAL,
	MODEL_BY_PROCS = GRT_BY_PROCS,
	MODEL_BY_SELF,   /* the M gave it up before a call known to block */
	MODEL_BY_LOCKED, /* no call: its M runs one locked G only */
	MODEL_BY_EXIT,   /* no call: its M ends */
	MODEL_BYS
};

/* Where *detect* starts, from the vaguest to the best. */
enum model_start {
	MODEL_START_UNKNOWN = 0,
	MODEL_START_FIRST_SIGHT, /* sysmon saw the call: it may have begun a pass earlier */
	MODEL_START_ASLEEP,      /* the thread went off the CPU inside the call */
	MODEL_START_CALL,        /* the call itself: hot probes, or given up at its door */
	MODEL_STARTS
};

#define HANDOFF_OUTCOMES (GRT_HANDOFF_POLLER + 1)
#define HANDOFF_BACKS (GRT_EXIT_QUEUED + 1)
#define HANDOFF_NEEDLESS_NS \
	20000u /* a call that is back so soon after its P was taken: sysmon's
				    * shortest pass */

struct model_handoff_sum {
	int32_t nr; /* of the call, GRT_NR_FOREIGN, GRT_NR_NONE */
	uint8_t by; /* enum model_by */
	uint64_t taken;
	uint64_t start[MODEL_STARTS]; /* of the taken ones */
	uint64_t handoffs, outcome[HANDOFF_OUTCOMES];
	uint64_t returned, back[HANDOFF_BACKS]; /* by enum grt_exit_how */
	uint64_t needless;                      /* of those returned */
	struct hist detect, dispatch, total, queued;
};

/* All calls together, in the interval before the newest tick. */
const struct model_handoff_sum *model_handoff_interval(const struct model *m);
/*
 * By (call, who took it), since the first snapshot, in order of appearance. What has no row of its
 * own is in the one of (GRT_NR_NONE, MODEL_BY_UNKNOWN).
 */
size_t model_handoff_sums(const struct model *m, const struct model_handoff_sum **ret);
/* Ps taken since the first snapshot whose goroutine is still in its call. */
uint64_t model_handoff_out(const struct model *m);
/* Goroutines that came back from a call that lost its P before the first snapshot. */
uint64_t model_handoff_older(const struct model *m);
/* Adds counts and histograms; leaves nr and by of `into` alone. */
void handoff_sum_merge(struct model_handoff_sum *into, const struct model_handoff_sum *from);

#endif
