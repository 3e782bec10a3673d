/* SPDX-License-Identifier: MIT */
/*
 * sanitize.h - tells sanitizers and Valgrind which stack runs. Empty in ordinary builds.
 *
 * Pairs, in the order in which they happen:
 *
 *   sanitize_switch_to_g(m, g)         on the system stack, before the switch to g
 *   sanitize_entered_g(m)              on g, first thing after any switch to it
 *   sanitize_switch_to_g0(m, dying)    on g, before the switch back
 *   sanitize_entered_g0(m)             on the system stack, after it
 *
 * sanitize_fiber_new/free: a goroutine begins and ends, each on the system stack or another
 * goroutine.
 * sanitize_call_on: a call from a goroutine to its M's system stack and back, on the same M.
 */
#ifndef GRT_SANITIZE_H
#define GRT_SANITIZE_H

#include "types.h"

#if defined(__SANITIZE_ADDRESS__)

#include <sanitizer/common_interface_defs.h>

static inline void sanitize_fiber_new(struct g *g)
{
	g->fiber = NULL;
}

static inline void sanitize_fiber_free(struct g *g)
{
	(void)g;
}

static inline void sanitize_switch_to_g(struct m *m, struct g *g)
{
	__sanitizer_start_switch_fiber(&m->g0_fiber, g->stack.lo,
				       (size_t)(g->stack.hi - g->stack.lo));
}

/* The G's own fake stack, kept while it was away. */
static inline void sanitize_entered_g(struct m *m)
{
	__sanitizer_finish_switch_fiber(m->curg->fiber, NULL, NULL);
}

static inline void sanitize_switch_to_g0(struct m *m, bool g_is_dying)
{
	__sanitizer_start_switch_fiber(g_is_dying ? NULL : &m->curg->fiber, m->g0_stack_lo,
				       m->g0_stack_size);
}

static inline void sanitize_entered_g0(struct m *m)
{
	__sanitizer_finish_switch_fiber(m->g0_fiber, NULL, NULL);
}

struct sanitize_call {
	struct m *m;
	long (*fn)(void *);
	void *arg;
};

/* On the system stack. */
static inline long sanitize_called(void *arg)
{
	struct sanitize_call *c = arg;
	struct g *g = c->m->curg;
	long r;

	sanitize_entered_g0(c->m);
	r = c->fn(c->arg);
	sanitize_switch_to_g(c->m, g);
	return r;
}

static inline long sanitize_call_on(struct m *m, long (*fn)(void *), void *arg)
{
	struct sanitize_call c = { m, fn, arg };
	long r;

	sanitize_switch_to_g0(m, false);
	r = context_call_on(&m->g0, sanitize_called, &c);
	sanitize_entered_g(m);
	return r;
}

#elif defined(__SANITIZE_THREAD__)

#include <sanitizer/tsan_interface.h>

static inline void sanitize_fiber_new(struct g *g)
{
	if (!g->fiber)
		g->fiber = __tsan_create_fiber(0);
}

/* Kept with the dead G: its next incarnation runs on the same stack. */
static inline void sanitize_fiber_free(struct g *g)
{
	(void)g;
}

static inline void sanitize_switch_to_g(struct m *m, struct g *g)
{
	if (!m->g0_fiber)
		m->g0_fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(g->fiber, 0);
}

static inline void sanitize_entered_g(struct m *m)
{
	(void)m;
}

static inline void sanitize_switch_to_g0(struct m *m, bool g_is_dying)
{
	(void)g_is_dying;
	__tsan_switch_to_fiber(m->g0_fiber, 0);
}

static inline void sanitize_entered_g0(struct m *m)
{
	(void)m;
}

#else

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(lo, hi) 0ul
#endif

/*
 * Valgrind must know a stack to see that a switch is one. It gives an id, which stays with the
 * stack; outside of it this is a handful of instructions without effect, and the id is 0.
 */
static inline void sanitize_fiber_new(struct g *g)
{
	if (!g->fiber)
		g->fiber = (void *)(uintptr_t)VALGRIND_STACK_REGISTER(g->stack.lo, g->stack.hi - 1);
}

static inline void sanitize_fiber_free(struct g *g)
{
	(void)g;
}

static inline void sanitize_switch_to_g(struct m *m, struct g *g)
{
	(void)m;
	(void)g;
}

static inline void sanitize_entered_g(struct m *m)
{
	(void)m;
}

static inline void sanitize_switch_to_g0(struct m *m, bool g_is_dying)
{
	(void)m;
	(void)g_is_dying;
}

static inline void sanitize_entered_g0(struct m *m)
{
	(void)m;
}

#endif

#ifndef __SANITIZE_ADDRESS__
/* To these it is a call like any other. */
static inline long sanitize_call_on(struct m *m, long (*fn)(void *), void *arg)
{
	return context_call_on(&m->g0, fn, arg);
}
#endif

#endif
