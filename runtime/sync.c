/* SPDX-License-Identifier: MIT */
/*
 * sync.c - wait group and mutex.
 *
 * lock_word guards the few words of an object; who finds that it must wait queues itself under it and
 * parks, and the park releases it, so that no wake-up can fall between the look and the sleep:
 *
 *     waiter                                  waker
 *     lock; count is 1; queues itself
 *     leaves its stack, is waiting
 *     unlock (on the system stack)
 *                                             lock; count is 0; takes the queue; unlock
 *                                             readies all it took
 *
 * The waker touches the object no more once it has unlocked: the one it wakes may free it. Both objects
 * are fair: a mutex is handed to the goroutine that has waited longest.
 *
 * Rejected: a mutex that running goroutines may grab past the queue (as Go's in its normal mode). It is
 * faster under contention and starves the queue; Go then needs a second mode to end that.
 */
#include "include/grt/sync.h"

#include <errno.h>

#include "fatal.h"
#include "lock.h"
#include "runq.h"
#include "sched.h"

static void waitlist_push(struct grt_waitlist *l, struct g *g)
{
	g->schedlink = NULL;
	if (l->tail)
		((struct g *)l->tail)->schedlink = g;
	else
		l->head = g;
	l->tail = g;
}

static struct g *waitlist_pop(struct grt_waitlist *l)
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

static bool word_unlock(struct g *g, void *word)
{
	(void)g;
	lock_word_release(word);
	return true;
}

/* Queue the caller and park it. The word is held; released. 0, or -EPERM off a goroutine. */
static int wait_on(struct grt_waitlist *l, uint32_t *word, enum waitreason why)
{
	struct g *g = sched_self();

	if (!g) {
		lock_word_release(word);
		return -EPERM;
	}
	waitlist_push(l, g);
	sched_park(word_unlock, word, why);
	return 0;
}

void grt_waitgroup_add(grt_waitgroup *wg, int n)
{
	struct gqueue woken = { 0 };
	struct g *g;

	lock_word_acquire(&wg->lock_word);
	wg->count += n;
	if (wg->count < 0)
		fatal_("sync: negative WaitGroup counter");
	while (wg->count == 0 && (g = waitlist_pop(&wg->waiters)))
		gqueue_push(&woken, g);
	lock_word_release(&wg->lock_word);
	sched_ready_list(&woken);
}

void grt_waitgroup_done(grt_waitgroup *wg)
{
	grt_waitgroup_add(wg, -1);
}

int grt_waitgroup_wait(grt_waitgroup *wg)
{
	lock_word_acquire(&wg->lock_word);
	if (wg->count != 0)
		return wait_on(&wg->waiters, &wg->lock_word, WAIT_WAITGROUP);
	lock_word_release(&wg->lock_word);
	return 0;
}

int grt_mutex_lock(grt_mutex *mu)
{
	lock_word_acquire(&mu->lock_word);
	if (mu->held)
		return wait_on(&mu->waiters, &mu->lock_word, WAIT_MUTEX);
	mu->held = 1;
	lock_word_release(&mu->lock_word);
	return 0;
}

int grt_mutex_trylock(grt_mutex *mu)
{
	int rc = -EBUSY;

	lock_word_acquire(&mu->lock_word);
	if (!mu->held) {
		mu->held = 1;
		rc = 0;
	}
	lock_word_release(&mu->lock_word);
	return rc;
}

/* With a waiter it stays held: it is that one's now. */
void grt_mutex_unlock(grt_mutex *mu)
{
	struct g *next;

	lock_word_acquire(&mu->lock_word);
	if (!mu->held)
		fatal_("sync: unlock of unlocked mutex");
	next = waitlist_pop(&mu->waiters);
	if (!next)
		mu->held = 0;
	lock_word_release(&mu->lock_word);
	if (next)
		sched_ready(next);
}
