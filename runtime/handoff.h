/* SPDX-License-Identifier: MIT */
/*
 * handoff.h - what becomes of a P that has lost its M, and when sysmon may take one.
 *
 * The contract in one sentence: handoff_p starts an M in every case in which find_runnable would find
 * work for that P (I13).
 */
#ifndef GRT_HANDOFF_H
#define GRT_HANDOFF_H

#include "types.h"

/* The caller owns p and has no use for it. from: id of the M that had it; g: goroutine in the call. */
void handoff_p(struct p *p, u64 from, u64 g, enum grt_handoff_cause cause);

#ifdef GRT_DEBUG
/* What find_runnable would find with p at this moment; NULL: nothing. sched.lock held, p the caller's. */
const char *handoff_would_find(const struct p *p, i64 lastpoll);
#endif

/* One P as sysmon sees it in one pass; see retake_decide. */
struct retake_view {
	i64 now_ns;
	u32 schedtick;
	struct m *m;     /* owner, NULL: idle or on its way */
	u64 call;        /* owner's call word */
	bool has_work;   /* P's queue is not empty */
	bool has_takers; /* somebody spins or some P is idle: new work would be seen to */
};
enum retake_verdict { RETAKE_LEAVE, RETAKE_TAKE };

/*
 * Pure but for p->seen, sysmon's memory of the P:
 *   a P whose schedtick stands still for 10 ms is asked to yield, and taken if it is in a call;
 *   a call seen for the first time is remembered and left;
 *   a P without work, while others look for work, is left for 10 ms;
 *   any other P in a call is taken (I12: at the second pass that sees the call).
 * *ret_preempt: ask the running G to yield.
 */
enum retake_verdict retake_decide(struct p *p, const struct retake_view *v, bool *ret_preempt);

#ifdef GRT_DEBUG
/* I12, and the asking half of I21: the verdict against counts of the check's own. Once per P and pass. */
void retake_check(struct p *p, const struct retake_view *v, enum retake_verdict verdict,
		  bool preempt);
#endif

#endif
