/* SPDX-License-Identifier: MIT */
/*
 * sched.h - the doors of the scheduler to the rooms above it: park, ready, yield, calls, timers.
 */
#ifndef GRT_SCHED_H
#define GRT_SCHED_H

#include "types.h"

/*
 * Park the calling goroutine. unlock(g, arg) runs on the system stack once g is waiting: false means
 * "not after all" and g goes on at once. From the moment g is waiting another thread may ready it,
 * unless a lock that unlock releases forbids. Must not be called with runtime locks held but that one.
 */
void sched_park(bool (*unlock)(struct g *, void *), void *arg, enum waitreason why);

/* Make a parked G runnable, exactly once per park. Any thread, with or without a P, foreign too. */
void sched_ready(struct g *g);
/* The same for a list, which it empties. */
void sched_ready_list(struct gqueue *list);

/* The goroutine that calls, NULL on foreign threads and on system stacks. */
struct g *sched_self(void);
void sched_yield_self(void);
/* Yield if sysmon has asked for it (I21). For calls of the API that hold nothing; nothing off a goroutine. */
void sched_yield_if_asked(void);

/* A new goroutine, runnable. Any thread. */
int sched_go(void (*fn)(void *), void *arg); /* 0 or -ENOMEM */

#endif
