/* SPDX-License-Identifier: MIT */
/*
 * netpoll.h - waits of goroutines on descriptors: how long parked, how long runnable before they
 * ran, and who polled them ready; made by netpoll.c from netpoll_run events. Who waits now comes
 * from the goroutines of the newest snapshot (model_goroutines), not from events.
 */
#ifndef GOTRACE_MODEL_NETPOLL_H
#define GOTRACE_MODEL_NETPOLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../runtime/trace_abi.h"
#include "hist.h"

struct model;

#define NETPOLL_BYS (GRT_POLL_SYSMON + 1)
#define NETPOLL_FDS_MAX 1024u /* rows: 8 KB of histograms each */
#define NETPOLL_FD_OTHER (-1) /* of the row of all that is not kept apart */

struct model_netpoll_sum {
	int32_t fd;
	uint64_t first_ns;        /* when the first one ended */
	uint64_t waits;           /* that ended with "ready" */
	uint64_t by[NETPOLL_BYS]; /* enum grt_netpoll_by */
	struct hist parked, queued;
};

/* Goroutines that wait on one descriptor and direction at the newest snapshot. */
struct model_waiting {
	int32_t fd;
	uint8_t mode;      /* enum grt_poll_mode, 0: not known */
	uint64_t n;        /* goroutines */
	uint64_t since_ns; /* of the one that waits longest; 0: not known */
	uint64_t g;        /* that one, or the lowest id */
};

/* All descriptors together, in the interval before the newest tick. */
const struct model_netpoll_sum *model_netpoll_interval(const struct model *m);
/* By who polled, since the first snapshot: NETPOLL_BYS sums. */
const struct model_netpoll_sum *model_netpoll_by(const struct model *m);
/* By descriptor, since the first snapshot; one row may be NETPOLL_FD_OTHER. */
size_t model_netpoll_fds(const struct model *m, const struct model_netpoll_sum **ret);
/* A look has seen the descriptor with another name before: the waits are of all that had its number. */
bool model_netpoll_is_reused(const struct model *m, const struct model_netpoll_sum *row);
/* Most goroutines first; valid until the next snapshot. */
size_t model_netpoll_waiting(const struct model *m, const struct model_waiting **ret);
/* Goroutines in them. */
uint64_t model_netpoll_waiting_gs(const struct model *m);
/*
 * Descriptors in them. The runtime's own counter, model_snap(m)->netpoll_parked, is of directions.
 */
uint64_t model_netpoll_waiting_fds(const struct model *m);

#endif
