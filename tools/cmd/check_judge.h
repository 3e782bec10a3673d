/* SPDX-License-Identifier: MIT */
/*
 * check_judge.h - what a quantity is in the model, and whether an expression is true of it. Three
 * answers: a violation that was seen stays one whatever was lost; nothing holds where something was
 * lost, or was not looked at. Reads the model at each look, and at the end; no clock, no I/O.
 */
#ifndef GOTRACE_CHECK_JUDGE_H
#define GOTRACE_CHECK_JUDGE_H

#include "../source/source.h"
#include "../view/check.h"
#include "check_expr.h"

struct judge {
	const struct check_expr *expr;
	struct check_results results; /* a row for each */
	bool has_first;
	uint64_t first_ns, first_threads_made, first_handoffs;
	/* What the model does not keep. */
	uint64_t blocked_max_ns, hostage_max_ns, runq_max;
	struct check_handoff slowest;
};

/* False: no memory. The expressions and their texts stay the caller's. */
bool judge_init(struct judge *j, const struct check_expr *expr, size_t n);
void judge_fini(struct judge *j);
/*
 * A snapshot is complete and settled, and judge_look comes next. Will it show threads? In case: it may
 * soon, of calls that are over by then, or of a process that is no more. Looks come each interval_ns.
 */
enum judge_stacks { JUDGE_NO_STACKS, JUDGE_STACKS_IN_CASE, JUDGE_STACKS_NOW };
enum judge_stacks judge_stacks(struct judge *j, const struct model *m, uint64_t interval_ns);
/* A snapshot is complete and settled. */
void judge_look(struct judge *j, const struct model *m);
/* Nothing can change any more. */
bool judge_is_sure(const struct judge *j);
/* All is settled: st and e say how it ended. */
void judge_end(struct judge *j, const struct model *m, const struct source_status *st,
	       const struct view_end *e);

/* check_value.c: what it is now; samples only of percentiles and counts of netpoll. */
uint64_t check_value_of(const struct judge *j, const struct check_quantity *q,
			const struct model *m, uint64_t *ret_samples);
uint64_t check_since(uint64_t now, uint64_t first); /* 0: it is before */

/* check_evidence.c: what the model shows now of a violation. */
void violation_threads(struct check_result *r, const struct model *m, enum grt_mstate state);
void violation_block(struct check_result *r, const struct model_block *b);

#endif
