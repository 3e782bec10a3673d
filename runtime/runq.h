/* SPDX-License-Identifier: MIT */
/*
 * runq.h - the local run queue of a P: a ring and one slot that runs next.
 *
 *                 put   get   steal   empty      –  may run concurrently
 *      put         x     x      –       –        x  same thread by definition (owner P)
 *      get         x     x      –       –
 *      steal       –     –      –       –
 *
 * FIFO but for runnext. All but runq_steal and runq_is_empty are the owner's.
 */
#ifndef GRT_RUNQ_H
#define GRT_RUNQ_H

#include "types.h"

/* Queue g; next: into runnext, what was there goes to the tail. What does not fit (half the ring
 * and g) is appended to *overflow; returns how many that are. */
u32 runq_put(struct runq *q, struct g *g, bool next, struct gqueue *overflow);
/* *ret_inherit: g came from runnext and shares the time slice. NULL if empty. */
struct g *runq_get(struct runq *q, bool *ret_inherit);
/* Only what would run next and share the time slice. NULL if there is none. */
struct g *runq_get_next(struct runq *q);
/* Take ceil(n/2) of victim's ring into own ring (which must be empty), return one of them to run.
 * runnext too if take_next and the ring was empty. */
struct g *runq_steal(struct runq *own, struct runq *victim, bool take_next);
bool runq_is_empty(const struct runq *q); /* no false "empty" while runnext is being kicked out */
u32 runq_len(const struct runq *q);       /* ring only, as Go prints it */

void gqueue_push(struct gqueue *q, struct g *g);           /* tail */
void gqueue_push_front(struct gqueue *q, struct g *g);     /* head: LIFO use */
struct g *gqueue_pop(struct gqueue *q);                    /* head or NULL */
void gqueue_append(struct gqueue *q, struct gqueue *from); /* empties from */

#endif
