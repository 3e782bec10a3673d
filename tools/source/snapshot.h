/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - the runtime's tables and the kernel's view of the same threads, made one: SNAP_BEGIN
 * to SNAP_END, one SNAP_M a thread, states by bpf/mstate.h.
 *
 * Nobody is stopped, so that both views are read while they change: tables, threads, tables again.
 * An M that is the same before and after was what the threads' view says; one that moved is looked
 * at again, and if it still moves it is flagged and taken as on the CPU. A blocked M does not move.
 */
#ifndef GOTRACE_SNAPSHOT_H
#define GOTRACE_SNAPSHOT_H

#include "goroutines.h"
#include "limits.h"
#include "names.h"
#include "source.h"
#include "tables.h"
#include "threads.h"

struct snapshot {
	const struct target *target;
	struct tables tables;
	struct threads_iter *iter;     /* NULL: /proc */
	struct threads_iter *deep;     /* for stacks on demand: the other has no kernel stacks */
	struct names *names;           /* NULL: not wanted */
	struct stacks *stacks;         /* NULL: not wanted */
	bool has_late_stacks;          /* they come when asked for */
	struct goroutines *goroutines; /* NULL: not wanted */
	struct limits *limits;         /* NULL: not wanted */
	struct waits *waits;           /* NULL: not wanted */
	struct sched_clock clock;
	struct thread_list threads, again;
	struct thread_list before; /* the threads of the look before */
	struct m_view *second;
	bool *is_torn;
	bool *is_retried;
	uint32_t cap;
	uint64_t seq, duration_ns;
	uint32_t nobservers; /* threads left out of the newest one */
	uint64_t settle_ns;  /* for its BEGIN */
	bool has_cost;
	uint64_t cost[GRT_REC_ARGS]; /* of its COST row; our own time is asked when the look is done */
	uint64_t own_at_open_ns;     /* of our CPU time */
};

int snapshot_open(struct snapshot *s, const struct target *t, struct threads_iter *iter);
/* Take one and emit it. level: for its BEGIN. 0, -ESRCH, -errno (then nothing was emitted). */
int snapshot_take(struct snapshot *s, int level, source_emit_fn emit, void *arg);
/* The stacks of the one that was taken last. */
void snapshot_take_stacks(struct snapshot *s, source_emit_fn emit, void *arg);
void snapshot_close(struct snapshot *s);

/* The pure part: one thread's row from both views; m NULL: the runtime does not own it. */
void snapshot_row(struct grt_rec *ret, const struct m_view *m, const struct thread_row *t,
		  bool is_torn);

#endif
