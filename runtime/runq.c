/* SPDX-License-Identifier: MIT */
/*
 * runq.c - see runq.h.
 *
 * The ring: the owner alone stores tail (release, after the slot); head moves by CAS, by the owner and
 * by thieves (acquire-release: pairs with the owner's acquire of head before it reuses a slot). A thief
 * copies slots first and then moves head: if the CAS fails, what it copied was not its own.
 *
 *   owner puts against thief:  slot = g; tail = t + 1 (release)  |  reads tail (acquire), slot
 *   false "empty" (runq_is_empty): the owner kicks X out of runnext into the ring
 *
 *     owner: next = Y (was X)              | reader: reads head, tail: equal    (ring empty)
 *     owner: slot = X; tail + 1            |
 *     owner: gets Y: next = NULL, runs it  | reader: reads next: NULL           -> "empty", X is there
 *
 *   so the reader reads tail again after next: it has moved, look again.
 */
#include "runq.h"

#include <time.h>

#include "fatal.h"

#include "fatal.h"

#define MASK (RUNQ_SIZE - 1)
_Static_assert((RUNQ_SIZE & MASK) == 0, "RUNQ_SIZE is a power of two");

void gqueue_push(struct gqueue *q, struct g *g)
{
	g->schedlink = NULL;
	if (q->tail)
		q->tail->schedlink = g;
	else
		q->head = g;
	q->tail = g;
	__atomic_store_n(&q->size, q->size + 1, __ATOMIC_RELAXED);
}

void gqueue_push_front(struct gqueue *q, struct g *g)
{
	g->schedlink = q->head;
	q->head = g;
	if (!q->tail)
		q->tail = g;
	__atomic_store_n(&q->size, q->size + 1, __ATOMIC_RELAXED);
}

struct g *gqueue_pop(struct gqueue *q)
{
	struct g *g = q->head;

	if (!g)
		return NULL;
	q->head = g->schedlink;
	if (!q->head)
		q->tail = NULL;
	g->schedlink = NULL;
	__atomic_store_n(&q->size, q->size - 1, __ATOMIC_RELAXED);
	return g;
}

void gqueue_append(struct gqueue *q, struct gqueue *from)
{
	if (!from->head)
		return;
	if (q->tail)
		q->tail->schedlink = from->head;
	else
		q->head = from->head;
	q->tail = from->tail;
	__atomic_store_n(&q->size, q->size + from->size, __ATOMIC_RELAXED);
	*from = (struct gqueue){ 0 };
}

static u32 load_head(const struct runq *q)
{
	return __atomic_load_n(&q->head, __ATOMIC_ACQUIRE);
}

static u32 load_tail(const struct runq *q)
{
	return __atomic_load_n(&q->tail, __ATOMIC_ACQUIRE);
}

static struct g *load_slot(const struct runq *q, u32 at)
{
	return __atomic_load_n(&q->ring[at & MASK], __ATOMIC_RELAXED);
}

static bool move_head(struct runq *q, u32 head, u32 n)
{
	return __atomic_compare_exchange_n(&q->head, &head, head + n, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/*
 * I20: places are given out upwards at the tail and taken upwards at the head, so the ring is FIFO if who
 * comes out at a place was put there. For whoever has just taken g out.
 */
static inline void check_place(const struct g *g, u32 at)
{
	DEBUG_ONLY(INVARIANT(20, g->runq_at == at, "G%lu comes out at place %u, was put at %u",
			     (unsigned long)g->goid, at, g->runq_at);)
	(void)g;
	(void)at;
}

static inline void set_place(struct g *g, u32 at)
{
	DEBUG_ONLY(g->runq_at = at;)
	(void)g;
	(void)at;
}

/* The ring is full: half of it and g go to *overflow. False: a thief made room meanwhile. */
static bool put_slow(struct runq *q, struct g *g, u32 head, struct gqueue *overflow)
{
	struct g *batch[RUNQ_SIZE / 2];

	for (u32 i = 0; i < RUNQ_SIZE / 2; i++)
		batch[i] = load_slot(q, head + i);
	if (!move_head(q, head, RUNQ_SIZE / 2))
		return false;
	for (u32 i = 0; i < RUNQ_SIZE / 2; i++) {
		check_place(batch[i], head + i);
		gqueue_push(overflow, batch[i]);
	}
	gqueue_push(overflow, g);
	return true;
}

u32 runq_put(struct runq *q, struct g *g, bool next, struct gqueue *overflow)
{
	if (next) {
		g = __atomic_exchange_n(&q->next, g, __ATOMIC_ACQ_REL);
		if (!g)
			return 0;
	}
	for (;;) {
		u32 head = load_head(q), tail = q->tail;

		if (tail - head < RUNQ_SIZE) {
			set_place(g, tail);
			__atomic_store_n(&q->ring[tail & MASK], g, __ATOMIC_RELAXED);
			__atomic_store_n(&q->tail, tail + 1, __ATOMIC_RELEASE);
			return 0;
		}
		if (put_slow(q, g, head, overflow))
			return RUNQ_SIZE / 2 + 1;
	}
}

struct g *runq_get_next(struct runq *q)
{
	struct g *next = __atomic_load_n(&q->next, __ATOMIC_RELAXED);

	/* Only a thief can take it away meanwhile. */
	if (next && __atomic_compare_exchange_n(&q->next, &next, NULL, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
		return next;
	return NULL;
}

struct g *runq_get(struct runq *q, bool *ret_inherit)
{
	struct g *next = runq_get_next(q);

	if (next) {
		*ret_inherit = true;
		return next;
	}
	*ret_inherit = false;
	for (;;) {
		u32 head = load_head(q);
		struct g *g;

		if (head == q->tail)
			return NULL;
		g = load_slot(q, head);
		if (move_head(q, head, 1)) {
			check_place(g, head);
			return g;
		}
	}
}

#ifdef GRT_DEBUG
/* n Gs have come from places `from` of another ring to places `at` of this one. */
static void rename_places(struct runq *own, u32 at, u32 from, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		struct g *g = load_slot(own, at + i);

		check_place(g, from + i);
		set_place(g, at + i);
	}
}
#endif

/*
 * A runnext is about to run on its P within a few hundred ns; taking it at once makes two goroutines
 * that wake each other bounce between threads.
 */
static struct g *steal_next(struct runq *victim)
{
	struct timespec ts = { 0, STEAL_RUNNEXT_NS };
	struct g *next = __atomic_load_n(&victim->next, __ATOMIC_ACQUIRE);

	if (!next)
		return NULL;
	nanosleep(&ts, NULL);
	if (__atomic_compare_exchange_n(&victim->next, &next, NULL, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return next;
	return NULL;
}

struct g *runq_steal(struct runq *own, struct runq *victim, bool take_next)
{
	for (;;) {
		u32 head = load_head(victim), n = load_tail(victim) - head, at = own->tail;

		n = n - n / 2;
		if (n == 0)
			return take_next ? steal_next(victim) : NULL;
		if (n > RUNQ_SIZE / 2)
			continue; /* head and tail were not read at one moment */
		for (u32 i = 0; i < n; i++)
			__atomic_store_n(&own->ring[(at + i) & MASK], load_slot(victim, head + i),
					 __ATOMIC_RELAXED);
		if (!move_head(victim, head, n))
			continue;
		DEBUG_ONLY(rename_places(own, at, head, n);)
		__atomic_store_n(&own->tail, at + n - 1, __ATOMIC_RELEASE);
		return load_slot(own, at + n - 1);
	}
}

bool runq_is_empty(const struct runq *q)
{
	for (;;) {
		u32 head = load_head(q), tail = load_tail(q);
		struct g *next = __atomic_load_n(&q->next, __ATOMIC_ACQUIRE);

		if (tail == load_tail(q))
			return head == tail && !next;
	}
}

/* Head first: read the other way round it may have passed the tail that was read. */
u32 runq_len(const struct runq *q)
{
	u32 head = load_head(q), n = load_tail(q) - head;

	return n < RUNQ_SIZE ? n : RUNQ_SIZE;
}
