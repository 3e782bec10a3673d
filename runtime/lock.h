/* SPDX-License-Identifier: MIT */
/*
 * lock.h - the two things a thread of the runtime sleeps on: a futex lock and a one-shot note.
 *
 * A lock is held for tens of instructions, on the system stack or on a goroutine's; whoever holds
 * one must not park. In debug builds ranks are checked: a thread acquires in ascending order.
 */
#ifndef GRT_LOCK_H
#define GRT_LOCK_H

#include "types.h"

/* Lock order, lowest first. The order of this enum is the rule. */
enum lock_rank {
	RANK_SYNC = 1, /* waiters of a mutex or wait group */
	RANK_FD,       /* one poll descriptor */
	RANK_TIMERS,   /* one P's timer heap */
	RANK_SCHED,    /* sched.lock */
	RANK_G,        /* list of dead Gs, allgs */
	RANK_STACK,    /* where stacks are carved from */
	RANK_SINK,     /* list of the sink's rings */
};

void lock_init(struct lock *l, enum lock_rank rank);
void lock_acquire(struct lock *l);
void lock_release(struct lock *l);
bool lock_is_held(const struct lock *l); /* debug builds: by this thread; else: by anybody */

/* The same on a bare word that is 0 when free, without a rank: for locks inside user objects. */
void lock_word_acquire(u32 *word);
void lock_word_release(u32 *word);

/* note: clear, then one sleep and one wake in any order. A second wake before a clear is fatal. */
void note_clear(struct note *n);
void note_wake(struct note *n);
void note_sleep(struct note *n);
/* True if woken, false when timeout_ns (relative, >= 0) passed; then a wake may still come. */
bool note_sleep_for(struct note *n, i64 timeout_ns);

i64 clock_ns(void); /* CLOCK_MONOTONIC */

#endif
