/* SPDX-License-Identifier: MIT */
/*
 * timer.h - timers in a 4-ary heap per P. Absolute CLOCK_MONOTONIC ns. Wakes nobody itself: who
 * arms an earlier timer than before tells the poller (poller.h).
 */
#ifndef GRT_TIMER_H
#define GRT_TIMER_H

#include "types.h"

void timer_heap_init(struct timer_heap *h);
/* Arm a timer that is not armed, on P `p`'s heap. True if it is now the earliest there. */
bool timer_start(struct p *p, struct timer *t, i64 when_ns);
/* Disarm. True: it was armed and will not fire. False: it was not armed, or its fn has been
 * called or is about to be (compare seq in fn). Any thread. */
bool timer_stop(struct timer *t);
/* Run all timers of the heap that are due; fn is called without the lock. Returns how many ran.
 * *ret_next: earliest remaining, 0 if none. */
u32 timer_run(struct timer_heap *h, i64 now_ns, i64 *ret_next);
i64 timer_first(const struct timer_heap *h); /* 0: none; without the lock */

#endif
