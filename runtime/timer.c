/* SPDX-License-Identifier: MIT */
/*
 * timer.c - see timer.h.
 *
 * A timer is armed iff t->p is set; t->p changes only under that P's heap lock. Stop against a firing
 * on another thread:
 *
 *     timer_stop                             timer_run (any M)
 *     reads p (acquire), locks p's heap
 *     t->p == p: removes it, true            finds it gone
 *                                       or
 *                                            removes it, t->p = NULL, unlocks, calls fn
 *     reads p: NULL -> false                 fn compares seq
 *     or locks, sees t->p != p -> looks again
 *
 * Who stops a timer must therefore be able to tell a stale firing from its seq; who frees the memory
 * of a timer must have stopped it with "true" or have seen its fn done.
 */
#include "timer.h"

#include <stdlib.h>

#include "fatal.h"
#include "lock.h"

#define ARITY 4u
#define HEAP_MIN 64u

void timer_heap_init(struct timer_heap *h)
{
	*h = (struct timer_heap){ 0 };
	lock_init(&h->lock, RANK_TIMERS);
}

static void place(struct timer_heap *h, u32 at, struct timer *t)
{
	h->slot[at] = t;
	t->slot = at;
}

static void sift_up(struct timer_heap *h, u32 at, struct timer *t)
{
	while (at > 0) {
		u32 parent = (at - 1) / ARITY;

		if (h->slot[parent]->when_ns <= t->when_ns)
			break;
		place(h, at, h->slot[parent]);
		at = parent;
	}
	place(h, at, t);
}

static u32 earliest_child(const struct timer_heap *h, u32 at)
{
	u32 first = at * ARITY + 1, best = first;

	for (u32 c = first + 1; c < first + ARITY && c < h->len; c++)
		if (h->slot[c]->when_ns < h->slot[best]->when_ns)
			best = c;
	return best;
}

static void sift_down(struct timer_heap *h, u32 at, struct timer *t)
{
	while (at * ARITY + 1 < h->len) {
		u32 child = earliest_child(h, at);

		if (t->when_ns <= h->slot[child]->when_ns)
			break;
		place(h, at, h->slot[child]);
		at = child;
	}
	place(h, at, t);
}

static void publish_first(struct timer_heap *h)
{
	__atomic_store_n(&h->first_ns, h->len ? h->slot[0]->when_ns : 0, __ATOMIC_SEQ_CST);
}

static void grow(struct timer_heap *h)
{
	h->cap = h->cap ? h->cap * 2 : HEAP_MIN;
	h->slot = realloc(h->slot, h->cap * sizeof(h->slot[0]));
	MUST(h->slot != NULL, "timer_start: no memory for %u timers", h->cap);
}

static void remove_at(struct timer_heap *h, u32 at)
{
	struct timer *gone = h->slot[at], *last = h->slot[--h->len];

	if (last != gone) {
		if (at > 0 && last->when_ns < h->slot[(at - 1) / ARITY]->when_ns)
			sift_up(h, at, last);
		else
			sift_down(h, at, last);
	}
	publish_first(h);
	__atomic_store_n(&gone->p, NULL, __ATOMIC_RELEASE);
}

/* The calling M is about to show an earliest timer: until it calls poller_tell, I15 waits for it. */
static inline void owe_telling(struct m *m)
{
#ifdef GRT_DEBUG
	if (!m || m->untold)
		return;
	m->untold = true;
	__atomic_add_fetch(&sched.timers_untold, 1, __ATOMIC_SEQ_CST);
#else
	(void)m;
#endif
}

bool timer_start(struct p *p, struct timer *t, i64 when_ns)
{
	struct timer_heap *h = &p->timers;
	bool is_first;

	MUST(__atomic_load_n(&t->p, __ATOMIC_RELAXED) == NULL, "timer_start: armed already");
	lock_acquire(&h->lock);
	if (h->len == h->cap)
		grow(h);
	t->when_ns = when_ns;
	h->len++;
	sift_up(h, h->len - 1, t);
	is_first = t->slot == 0;
	if (is_first)
		owe_telling(m_self());
	publish_first(h);
	__atomic_store_n(&t->p, p, __ATOMIC_RELEASE);
	lock_release(&h->lock);
	return is_first;
}

bool timer_stop(struct timer *t)
{
	struct p *p;

	while ((p = __atomic_load_n(&t->p, __ATOMIC_ACQUIRE))) {
		bool is_here;

		lock_acquire(&p->timers.lock);
		is_here = __atomic_load_n(&t->p, __ATOMIC_RELAXED) == p;
		if (is_here)
			remove_at(&p->timers, t->slot);
		lock_release(&p->timers.lock);
		if (is_here)
			return true;
	}
	return false;
}

/* Take the first timer if it is due; what to call is copied, since the timer may be armed again. */
static bool take_due(struct timer_heap *h, i64 now_ns, struct timer *ret_copy, i64 *ret_next)
{
	bool is_due;

	lock_acquire(&h->lock);
	is_due = h->len > 0 && h->slot[0]->when_ns <= now_ns;
	if (is_due) {
		ret_copy->fn = h->slot[0]->fn;
		ret_copy->arg = h->slot[0]->arg;
		ret_copy->seq = h->slot[0]->seq;
		remove_at(h, 0);
	}
	*ret_next = h->len ? h->slot[0]->when_ns : 0;
	lock_release(&h->lock);
	return is_due;
}

u32 timer_run(struct timer_heap *h, i64 now_ns, i64 *ret_next)
{
	struct timer copy;
	u32 ran = 0;

	*ret_next = timer_first(h);
	while (*ret_next != 0 && *ret_next <= now_ns && take_due(h, now_ns, &copy, ret_next)) {
		copy.fn(copy.arg, copy.seq, now_ns);
		ran++;
	}
	return ran;
}

i64 timer_first(const struct timer_heap *h)
{
	return __atomic_load_n(&h->first_ns, __ATOMIC_SEQ_CST);
}
