/* SPDX-License-Identifier: MIT */
/*
 * find.h - where the next G comes from, and how queues are fed.
 */
#ifndef GRT_FIND_H
#define GRT_FIND_H

#include "types.h"

/* What schedule needs to know about the G it got. */
struct found {
	struct g *g;
	bool inherit; /* shares the time slice of the one before (runnext) */
};

/*
 * The calling M, on its system stack, has a P; on return it has a P (perhaps another) and a G to run.
 * Sleeps until there is one. false: the M must end (it has no P then).
 */
bool find_runnable(struct m *m, struct found *ret);

/* netpoll_poll, and the Gs it found are runnable. Apply the result (netpoll_adjust) once they are queued. */
i32 find_poll(i64 delay_ns, struct gqueue *ret, enum grt_netpoll_by by);

/* Queue a runnable G: on the P (next: it runs next), or the global queue where p is NULL. Wakes nobody. */
void queue_g(struct p *p, struct g *g, bool next);
/* Queue a list of runnable Gs, which is emptied, and start Ms for them. p: the caller's, or NULL. */
void queue_list(struct p *p, struct gqueue *list);
/* At the tail of the global queue. sched.lock held. */
void queue_global_locked(struct g *g);

#endif
