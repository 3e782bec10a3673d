/* SPDX-License-Identifier: MIT */
/* poller.h - the M that waits for network and timers must not sleep past a new timer (I15). */
#ifndef GRT_POLLER_H
#define GRT_POLLER_H

#include "types.h"

/* timer_start said "earliest" of its heap: whoever polls learns of it, or somebody is woken to poll. */
void poller_tell(i64 when_ns);
#ifdef GRT_DEBUG
/* The poller is about to sleep until then (0: no limit); breaks: sched.breaks of before it said so. */
void poller_check(i64 until_ns, u32 breaks);
#endif

#endif
