/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - what blocks.c and growth.c keep; for the files of this room only. Bounded: what finds
 * no row is counted in one for the rest.
 */
#ifndef GOTRACE_LEDGER_H
#define GOTRACE_LEDGER_H

#include "../../runtime/trace_abi.h"
#include "growth.h"

#define BLOCKS_MAX (1u << 17) /* ids of Ms: a runtime's limit of threads is 10,000 as a rule */
#define CAUSES_MAX 16384u     /* a limit of 10,000 threads, each in a call of its own */
#define LATE_POINTS 64u
#define CAUSE_NONE (-1)

/* What one M is blocked in. */
struct block {
	uint64_t g, arg, start_ns;
	double from;               /* ledger.shares when it began, or was last charged */
	int64_t heir;              /* who got its P, -1: nobody */
	uint64_t lost_ns, heir_ns; /* the P; heir_ns 0: not seen */
	int32_t nr;
	int32_t cause;  /* row of the ledger, as a snapshot has seen it; CAUSE_NONE */
	uint8_t missed; /* snapshots in a row that did not show it */
	bool is_open, has_arg, is_seen; /* seen: by the newest snapshot */
};

struct blocks {
	struct block *slot; /* by M id */
	uint32_t cap;
	uint64_t open;
	uint64_t made, gone; /* by the runtime's count, where no event tells */
	struct {
		uint64_t m, g, start_ns, end_ns; /* end_ns 0: none */
		int32_t nr, cause;
	} longest; /* of those that ended in this interval */
};

struct cause {
	struct model_cause c;
	uint64_t hash, arg;
	uint64_t renamed_ns; /* arg, if it is a descriptor: see text_renamed_ns */
	uint64_t pcs[CAUSE_FRAMES];
	int32_t nr;
	bool has_arg;
};

struct ledger {
	struct cause *row;
	size_t n, cap;
	uint32_t *slot; /* row + 1 by hash; 0: free */
	double shares;  /* sum over threads made of 1 / blocked Ms of that moment */
	struct model_growth growth;
	struct {
		uint64_t time_ns, threads;
	} late[LATE_POINTS]; /* a ring */
	uint64_t nlate;
	struct model_cause *sorted; /* for views */
	size_t nsorted, sorted_cap;
};

/* blocks.c: one settled event, in order of time. */
void blocks_apply(struct model *m, const struct grt_rec *rec);
/* A snapshot is complete: what is blocked, and in what. */
void blocks_note_snapshot(struct model *m);
/* All settled events are applied; is_last: there is none still to come. */
void blocks_tick(struct model *m, bool is_last);
void blocks_begin_interval(struct blocks *b);
void blocks_fini(struct blocks *b);

/* growth.c: the row of what a thread of the newest snapshot does. CAUSE_NONE: no memory. */
int32_t ledger_row_of_thread(struct model *m, const struct model_thread *t);
/* Is this the same call, with nothing known of from where? */
bool ledger_row_knows_less(const struct model *m, int32_t row, int32_t than);
/* The same of a call that no snapshot has shown. */
int32_t ledger_row_of_call(struct model *m, int32_t nr, bool has_arg, uint64_t arg);
void ledger_charge(struct model *m, int32_t row, double threads);
/* A thread is made while `blocked` Ms are blocked. */
void ledger_made(struct model *m, uint64_t cause, uint64_t blocked);
void ledger_gone(struct model *m);
void ledger_begin_snapshot(struct model *m);
void ledger_note_now(struct model *m, int32_t row);
/* Everything is charged: make the list that views read. */
void ledger_settle(struct model *m);
void ledger_fini(struct ledger *l);

#endif
