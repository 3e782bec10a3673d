/* SPDX-License-Identifier: MIT */
/*
 * thread.h - slots of allm and the threads in them. Only mset.c and its neighbours call this.
 *
 * A slot is reserved under sched.lock before the thread is made, so that the deadlock check counts it;
 * a thread that ends gives its slot back as its last act, and touches its M no more.
 */
#ifndef GRT_THREAD_H
#define GRT_THREAD_H

#include "types.h"

void thread_init(void (*loop)(struct m *));
/* sched.lock held. Ends the process if there would be more than maxmcount. */
struct m *thread_reserve(void);
/* Make the thread for a reserved M; nextp and what else it starts with are set. */
void thread_make(struct m *m);
/* Per-thread set-up of an M, on its thread: TLS, tid, signal stack, sink. */
void thread_enter(struct m *m, void *signal_stack);
/* sched.lock held: the slot is free; then release the lock and return from the thread. */
void thread_leave_locked(struct m *m);
void thread_template_start(void);

#endif
