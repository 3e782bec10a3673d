/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the scheduler's doors to calls and start-up: leaving the goroutine's stack, and the loop.
 */
#ifndef GRT_LOOP_H
#define GRT_LOOP_H

#include "types.h"

/*
 * The calling goroutine g leaves; after(m, g) runs on the system stack and decides what becomes of it.
 * It may return a runnable G that this M, which has a P, runs at once. Returns when g runs again,
 * perhaps on another M.
 */
void g_leave(struct g *g, struct g *(*after)(struct m *, struct g *));

/* What every M runs, from its first P to its end. */
void sched_loop(struct m *m);

#endif
