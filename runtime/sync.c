/* SPDX-License-Identifier: MIT */
/*
 * sync.c - wait group and mutex: clients of park and ready, and of nothing else.
 *
 * Each object has a word that is a lock for its few fields; waiters are a FIFO of Gs inside it. A
 * mutex is handed over: unlock gives it to the first waiter, which then owns it when it wakes, so
 * that nobody can overtake. Objects are zeroed memory: no initialisation, nothing to free.
 */
#include "include/grt/sync.h"

#include <errno.h>

#include "fatal.h"
#include "lock.h"
#include "sched.h"

static void waiters_push(struct grt_waitlist *l, struct g *g)
{
	struct g *tail = l->tail;

	g->schedlink = NULL;
	if (tail)
		tail->schedlink = g;
	else
		l->head = g;
	l->tail = g;
}

static struct g *waiters_pop(struct grt_waitlist *l)
{
	struct g *g = l->head;

	if (!g)
		return NULL;
	l->head = g->schedlink;
	if (!l->head)
		l->tail = NULL;
	g->schedlink = NULL;
	return g;
}

static bool release_word(struct g *g, void *word)
{
	(void)g;
	lock_word_release(word);
	return true;
}

void grt_waitgroup_add(grt_waitgroup *wg, int n)
{
	struct grt_waitlist woken = { 0 };
	struct g *g;

	lock_word_acquire(&wg->lock_word);
	if (__builtin_add_overflow(wg->count, n, &wg->count) || wg->count < 0) {
		lock_word_release(&wg->lock_word);
		fatal_("sync: negative WaitGroup counter");
	}
	if (wg->count == 0) {
		woken = wg->waiters;
		wg->waiters = (struct grt_waitlist){ 0 };
	}
	lock_word_release(&wg->lock_word);
	/* From the first wake-up on, wg may be gone. */
	while ((g = waiters_pop(&woken)))
		sched_ready(g);
	sched_yield_if_asked();
}

void grt_waitgroup_done(grt_waitgroup *wg)
{
	grt_waitgroup_add(wg, -1);
}

int grt_waitgroup_wait(grt_waitgroup *wg)
{
	struct g *g = sched_self();

	lock_word_acquire(&wg->lock_word);
	if (wg->count == 0 || !g) {
		int rc = wg->count == 0 ? 0 : -EPERM;

		lock_word_release(&wg->lock_word);
		return rc;
	}
	waiters_push(&wg->waiters, g);
	sched_park(release_word, &wg->lock_word, WAIT_WAITGROUP);
	return 0;
}

int grt_mutex_trylock(grt_mutex *mu)
{
	int rc = 0;

	lock_word_acquire(&mu->lock_word);
	if (mu->held)
		rc = -EBUSY;
	else
		mu->held = 1;
	lock_word_release(&mu->lock_word);
	return rc;
}

int grt_mutex_lock(grt_mutex *mu)
{
	struct g *g = sched_self();

	lock_word_acquire(&mu->lock_word);
	if (!mu->held || !g) {
		int rc = mu->held ? -EPERM : 0;

		mu->held = 1;
		lock_word_release(&mu->lock_word);
		return rc;
	}
	waiters_push(&mu->waiters, g);
	sched_park(release_word, &mu->lock_word, WAIT_MUTEX);
	return 0;
}

void grt_mutex_unlock(grt_mutex *mu)
{
	struct g *next;

	lock_word_acquire(&mu->lock_word);
	if (!mu->held) {
		lock_word_release(&mu->lock_word);
		fatal_("sync: unlock of unlocked mutex");
	}
	next = waiters_pop(&mu->waiters);
	if (!next)
		mu->held = 0;
	lock_word_release(&mu->lock_word);
	if (next)
		sched_ready(next);
	sched_yield_if_asked();
}
