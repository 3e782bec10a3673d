/* SPDX-License-Identifier: MIT */
/*
 * sched.c - schedule and execute: the loop of every M.
 *
 * An M alternates between its system stack, where sched_loop runs, and the stacks of goroutines. A G
 * leaves by naming what shall be done with it (m.after) and switching to the system stack: only there
 * may it become waiting or runnable, since from that moment another M may run it.
 *
 *   park against ready (I8): the G must not be resumed while it still stands on its stack
 *
 *     M1, on G's stack             M1, system stack            M2
 *     leaves
 *                                  status = waiting    (A)
 *                                  unlock(): publishes G
 *                                                              sees G; CAS waiting -> runnable (B)
 *                                                              runs G
 *   (A) comes before the unlock that lets M2 find G, and M1 is off G's stack by then.
 *
 * Rejected: switching from G to G without the system stack (saves 4 ns; the park callbacks would run
 * on a stack that another thread may already use); timers and polling by a thread of their own (an
 * extra wake-up per event).
 */
#include "sched.h"

#include <errno.h>

#include "fatal.h"
#include "find.h"
#include "forked.h"
#include "gs.h"
#include "handoff.h"
#include "include/grt/errno.h"
#include "loop.h"
#include "lock.h"
#include "mset.h"
#include "probes.h"
#include "pset.h"
#include "sanitize.h"
#include "state.h"
#include "take.h"

const char *const waitreason_text[WAIT_REASONS] = {
	[WAIT_NONE] = "",
	[WAIT_IO] = "IO wait",
	[WAIT_SLEEP] = "sleep",
	[WAIT_MUTEX] = "sync.Mutex.Lock",
	[WAIT_WAITGROUP] = "sync.WaitGroup.Wait",
};

/* The P the calling thread may use, NULL on foreign threads and inside a call. */
static struct p *own_p(struct m *m)
{
	if (!m && !__atomic_load_n(&sched.has_foreign_caller, __ATOMIC_RELAXED))
		__atomic_store_n(&sched.has_foreign_caller, 1, __ATOMIC_SEQ_CST);
	return m && !m_is_in_call(m) ? m_p(m) : NULL;
}

/* Run g until it leaves; returns a G to go on with at once, or NULL. */
static struct g *execute(struct m *m, struct g *g, bool inherit)
{
	struct p *p = m->p;

	INVARIANT(1, p != NULL && p->m == m, "M%lu runs G%lu without a P", (unsigned long)m->id,
		  (unsigned long)g->goid);
	INVARIANT(2, m->take == GRT_TAKE_FREE || GRT_TAKE_KIND(m->take) == GRT_TAKE_CLAIM,
		  "M%lu runs G%lu on a P that was taken", (unsigned long)m->id,
		  (unsigned long)g->goid);
	INVARIANT(18, g->lockedm ? g->lockedm == m && m->lockedg == g : !m->lockedg,
		  "G%lu on M%lu: one of them is locked to another", (unsigned long)g->goid,
		  (unsigned long)m->id);
	g_runs(m, g);
	if (!inherit) {
		__atomic_store_n(&p->schedtick, p->schedtick + 1, __ATOMIC_RELAXED);
		__atomic_store_n(&p->preempt, 0, __ATOMIC_RELAXED);
		DEBUG_ONLY(INVARIANT(20, ++p->unfair <= SCHED_FAIR_TICK,
				     "P%u gave %u time slices without a look at the global queue",
				     p->id, p->unfair);)
	}
	PROBE_FIRE(g_run, g->goid, m->id, p->id);
	*grt_errno_location() = g->saved_errno;
	sanitize_switch_to_g(m, g);
	context_switch(&m->g0, &g->ctx);
	sanitize_entered_g0(m);
	g = m->curg;
	g->saved_errno = *grt_errno_location();
	return m->after(m, g);
}

void g_leave(struct g *g, struct g *(*after)(struct m *, struct g *))
{
	struct m *m = m_self();
	DEBUG_ONLY(i32 saved_errno = *grt_errno_location();)

	m->after = after;
	sanitize_switch_to_g0(m, false);
	context_switch(&g->ctx, &m->g0);
	sanitize_entered_g(m_self());
	DEBUG_ONLY(INVARIANT(23, *grt_errno_location() == saved_errno,
			     "G%lu left with errno %d and is back with %d", (unsigned long)g->goid,
			     saved_errno, *grt_errno_location());)
}

static struct g *park_commit(struct m *m, struct g *g)
{
	bool (*unlock)(struct g *, void *) = m->park_unlock;
	void *arg = m->park_arg;

	g_parked(m, g);
	if (!unlock || unlock(g, arg))
		return NULL;
	g_readied(g);
	return g;
}

void sched_park(bool (*unlock)(struct g *, void *), void *arg, enum waitreason why)
{
	struct m *m = m_self();
	struct g *g = m->curg;

	MUST(m->nlocks <= (unlock != NULL), "G%lu parks with runtime locks held",
	     (unsigned long)g->goid);
	m->park_unlock = unlock;
	m->park_arg = arg;
	g->waitreason = why;
	g_leave(g, park_commit);
}

void sched_ready(struct g *g)
{
	struct p *p = own_p(m_self()); /* tells of a foreign thread before g is runnable */

	g_readied(g);
	queue_g(p, g, true);
	m_wake();
}

void sched_ready_list(struct gqueue *list)
{
	struct p *p = own_p(m_self());

	for (struct g *g = list->head; g; g = g->schedlink)
		g_readied(g);
	queue_list(p, list);
}

struct g *sched_self(void)
{
	struct m *m = m_self();

	if (!m)
		forked_check();
	return m && !m_is_in_call(m) ? m->curg : NULL;
}

#ifdef GRT_DEBUG
/* The yield point that p_is_asked counted was heeded. */
static void not_passed(struct p *p)
{
	if (__atomic_load_n(&p->preempt, __ATOMIC_RELAXED))
		__atomic_sub_fetch(&p->passed, 1, __ATOMIC_SEQ_CST);
}
#endif

static struct g *yield_commit(struct m *m, struct g *g)
{
	DEBUG_ONLY(not_passed(m->p);)
	g_queued(m, g);
	lock_acquire(&sched.lock);
	queue_global_locked(g);
	lock_release(&sched.lock);
	if (sched_npidle() != 0)
		m_wake();
	return NULL;
}

void sched_yield_if_asked(void)
{
	struct m *m = m_self();
	struct p *p = m && m->curg && !m_is_in_call(m) ? m_p(m) : NULL;

	if (p && __builtin_expect(p_is_asked(p), 0))
		sched_yield_self();
}

void sched_yield_self(void)
{
	g_leave(sched_self(), yield_commit);
}

/* The end of a goroutine, on the system stack. */
static struct g *g_end(struct m *m, struct g *g)
{
	struct p *p = m->p;

	g->fn = NULL;
	if (g->lockedm) {
		m->lockedg = NULL;
		g->lockedm = NULL;
		g->nlocked = 0;
		m->must_exit = true; /* its kernel state may be odd: nobody else shall run here */
	}
	g_ended(m, g);
	sanitize_fiber_free(g);
	__atomic_store_n(&p->g_ended, p->g_ended + 1, __ATOMIC_RELAXED);
	g_put(p, g);
	return NULL;
}

static void g_main(void *arg)
{
	struct g *g = arg;
	struct m *m;

	sanitize_entered_g(m_self());
	g->fn(g->arg);
	g = sched_self();
	PROBE_FIRE(g_exit, g->goid);
	m = m_self();
	m->after = g_end;
	sanitize_switch_to_g0(m, true);
	context_switch(&g->ctx, &m->g0);
	throw_("G%lu ran after its end", (unsigned long)g->goid);
}

int sched_go(void (*fn)(void *), void *arg)
{
	struct p *p = own_p(m_self());
	struct g *g = g_get(p);

	if (!g)
		return -ENOMEM;
	g->fn = fn;
	g->arg = arg;
	context_make(&g->ctx, g->stack.hi, g_main, g);
	sanitize_fiber_new(g);
	if (p)
		__atomic_store_n(&p->g_made, p->g_made + 1, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(&sched.g_made_ext, 1, __ATOMIC_RELAXED);
	PROBE_FIRE(g_new, g->goid, (u64)(uintptr_t)fn);
	g_born(g);
	queue_g(p, g, true);
	m_wake();
	return 0;
}

/* The program's main function has returned: nothing runs any more. */
static void stop_for_ever(struct m *m)
{
	for (;;) {
		note_sleep(&m->park);
		note_clear(&m->park);
	}
}

/* The thread's G is locked to it: wait until somebody hands G and a P over. */
static struct g *schedule_locked(struct m *m)
{
	if (m->p) {
		struct p *p = p_unwire(m);

		handoff_p(p, m->id, m->lockedg->goid, GRT_HANDOFF_LOCKED);
	}
	m_stop_locked(m);
	return m->lockedg;
}

/* The next G to run on this M; NULL: the M must end. */
static struct g *schedule(struct m *m, bool *ret_inherit)
{
	struct found f = { 0 };

	for (;;) {
		if (__atomic_load_n(&sched.main_done, __ATOMIC_ACQUIRE))
			stop_for_ever(m);
		*ret_inherit = false;
		if (m->must_exit)
			return NULL;
		if (m->lockedg)
			return schedule_locked(m);
		if (!m->p && !m_stop(m))
			return NULL;
		if (!find_runnable(m, &f))
			return NULL;
		if (m->spinning) {
			m_spin_stop(m);
			m_wake();
		}
		if (!f.g->lockedm) {
			*ret_inherit = f.inherit;
			return f.g;
		}
		m_start_locked(m, f.g);
	}
}

/* The M ends: its P goes to another, the thread leaves. */
static void loop_end(struct m *m)
{
	if (m->p) {
		struct p *p = p_unwire(m);

		handoff_p(p, m->id, 0, GRT_HANDOFF_EXIT);
	}
	m_end(m);
}

void sched_loop(struct m *m)
{
	if (m->nextp)
		m_take_nextp(m);
	for (;;) {
		bool inherit;
		struct g *g = schedule(m, &inherit);

		if (!g)
			break;
		while (g) {
			struct p *p = m->p;

			g = execute(m, g, inherit);
			inherit = m->p == p;
		}
	}
	loop_end(m);
}
