/* SPDX-License-Identifier: MIT */
/*
 * growth.h - why each thread exists: the ledger of threads that were made while we watched, and
 * what became of the Ps of the Ms that are blocked now. Made by blocks.c and growth.c from events
 * and snapshots; views read it through const pointers.
 *
 * A thread is made since every other M was unable to run goroutines: each blocked M of that moment
 * is to blame for an equal share. So the shares of all causes add up to the threads made.
 */
#ifndef GOTRACE_GROWTH_H
#define GOTRACE_GROWTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model;
struct model_thread;
struct model_frame;

#define CAUSE_FRAMES 32u
#define GROWTH_MADE_BYS 6 /* enum grt_m_new_cause goes on */

/* What Ms were doing when threads were made, or do now. */
struct model_cause {
	const char *call;    /* "fsync(/data/wal)"; of the two special rows: words */
	const char *where;   /* "wal_sync files.c:41"; NULL: not known */
	const char *kind;    /* "FIFO": what the call is made on; NULL: nothing, or not known */
	double threads;      /* made meanwhile: its share of them */
	uint64_t now;        /* Ms in it at the newest snapshot */
	const uint64_t *pcs; /* user frames, innermost first */
	size_t npcs;
	bool is_other; /* what has no row of its own, or threads made when nothing was blocked */
};

struct model_growth {
	uint64_t made, gone;               /* since the first snapshot */
	uint64_t made_by[GROWTH_MADE_BYS]; /* by enum grt_m_new_cause; [0]: another one */
	uint64_t threads_at_first;
	uint64_t since_ns; /* of the first snapshot */
	/* Growth of late: the number of threads over at most the last GROWTH_LATE_NS. */
	int64_t late_threads;
	uint64_t late_ns;
};
#define GROWTH_LATE_NS 60000000000ull

/* Limits of threads; MODEL_NO_LIMIT: none, or not known. */
#define MODEL_NO_LIMIT (~0ull)
struct model_limits {
	bool is_known;
	uint64_t runtime;             /* threads */
	uint64_t nproc, nproc_used;   /* RLIMIT_NPROC; threads of its user */
	uint64_t cgroup, cgroup_used; /* pids.max, pids.current */
};

/* A time that an M was without its P in a call, from the taking to the end of the call. */
struct model_block {
	int64_t m;
	uint64_t g, start_ns, end_ns;
	int32_t nr;               /* of the call, GRT_NR_FOREIGN, GRT_NR_NONE */
	const char *call, *where; /* as in struct model_cause; NULL: no snapshot saw it */
};

/* The longest that ended in the interval before the newest tick; false: none whose begin was seen. */
bool model_block_ended(const struct model *m, struct model_block *ret);
const struct model_growth *model_growth(const struct model *m);
const struct model_limits *model_limits(const struct model *m);
/* Most threads made first, then most Ms now; valid until the next record or tick. */
size_t model_causes(const struct model *m, const struct model_cause **ret);
/*
 * Who got the P of a blocked M. False: not seen. *ret_m -1: nobody, the P idled.
 * *ret_after_ns: from when it was lost to when the other M had it.
 */
bool model_heir(const struct model *m, const struct model_thread *t, int64_t *ret_m,
		uint64_t *ret_after_ns);

#endif
