/* SPDX-License-Identifier: MIT */
/* state.c - see state.h. m.curg and g.m change with the status, in the order that other Ms rely on. */
#include "state.h"

#include "fatal.h"
#include "probes.h"

__attribute__((noreturn, cold)) static void status_bad(const struct g *g, u32 old, int from, int to)
{
	static const char *const text[] = {
		[GRT_G_RUNNABLE] = "runnable",
		[GRT_G_RUNNING] = "running",
		[GRT_G_WAITING] = "waiting",
		[GRT_G_DEAD] = "dead",
	};
	const char *why = "";

	if (from == GRT_G_WAITING && old == GRT_G_RUNNING)
		why = ": it could be found before it was parked";
	else if (from == GRT_G_WAITING && old == GRT_G_RUNNABLE)
		why = ": it is woken twice (I8)";
	else if (from == GRT_G_RUNNABLE)
		why = ": a queue held it twice (I7)";
	throw_("G%lu is %s, not %s, on the way to %s%s", (unsigned long)g->goid,
	       old <= GRT_G_DEAD && text[old] ? text[old] : "nothing known", text[from], text[to],
	       why);
}

/* For the owner of the G. The release pairs with the acquire of whoever takes it from a queue. */
static inline void status_set(struct g *g, enum grt_g_status from, enum grt_g_status to)
{
	u32 old = __atomic_load_n(&g->status, __ATOMIC_RELAXED);

	if (__builtin_expect(old != (u32)from, 0))
		status_bad(g, old, from, to);
	__atomic_store_n(&g->status, to, __ATOMIC_RELEASE);
}

static void status_cas(struct g *g, enum grt_g_status from, enum grt_g_status to)
{
	u32 old = from;

	if (__builtin_expect(!__atomic_compare_exchange_n(&g->status, &old, to, false,
							  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED),
			     0))
		status_bad(g, old, from, to);
}

/* Before the status changes: from then on another M may run it. */
static void detach(struct m *m, struct g *g)
{
	__atomic_store_n(&m->curg, NULL, __ATOMIC_RELEASE);
	g->m = NULL;
}

void g_born(struct g *g)
{
	status_set(g, GRT_G_DEAD, GRT_G_RUNNABLE);
}

void g_runs(struct m *m, struct g *g)
{
	g->m = m;
	__atomic_store_n(&m->curg, g, __ATOMIC_RELEASE);
	status_set(g, GRT_G_RUNNABLE, GRT_G_RUNNING);
}

void g_parked(struct m *m, struct g *g)
{
	PROBE_FIRE(g_park, g->goid, g->waitreason);
	detach(m, g);
	status_set(g, GRT_G_RUNNING, GRT_G_WAITING);
}

void g_readied(struct g *g)
{
	PROBE_FIRE(g_ready, g->goid);
	status_cas(g, GRT_G_WAITING, GRT_G_RUNNABLE);
}

void g_queued(struct m *m, struct g *g)
{
	detach(m, g);
	status_set(g, GRT_G_RUNNING, GRT_G_RUNNABLE);
}

void g_ended(struct m *m, struct g *g)
{
	detach(m, g);
	g->waitreason = WAIT_NONE;
	status_set(g, GRT_G_RUNNING, GRT_G_DEAD);
}
