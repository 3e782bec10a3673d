/* SPDX-License-Identifier: MIT */
/*
 * netwait.c - see netwait.h.
 *
 * Turns: per direction one goroutine has the turn; others queue behind it. It keeps the turn when
 * it is woken and tries its call: EAGAIN, and it is at the word again; anything else, and the next
 * one gets the turn and tries, for one edge may stand for more than one goroutine's worth of data
 * or connections. So a burst is served wholly by any number of acceptors, however few edges the
 * kernel made of it, and what comes for one wakes two: the second finds nothing and stays at the
 * word. Passing the turn on before the call is tried was given up: a few waiters then wake each
 * other for ever.
 *
 * Deadlines: one timer per direction, in the type-stable pd, for the goroutine at the word; those
 * in the queue use the timer of their own G. A firing may come late, for a wait that is over:
 *
 *     timer thread                        goroutine
 *     takes the timer off the heap
 *                                         wait 5 ends by an event; wait 6 begins
 *     fn(seq 5): lock; wait_seq is 6: ignores it
 */
#include "netwait.h"

#include <errno.h>

#include "fatal.h"
#include "lock.h"
#include "netpoll.h"
#include "poller.h"
#include "probes.h"
#include "pset.h"
#include "runq.h"
#include "sched.h"
#include "timer.h"

static void wake_all(struct gqueue *list)
{
	sched_ready_list(list);
}

int netwait_open(int fd)
{
	struct gqueue list = { 0 };
	int rc = netpoll_open(fd, &list);

	wake_all(&list);
	return rc;
}

int netwait_close(int fd)
{
	struct gqueue list = { 0 };
	int rc = netpoll_close(fd, &list);

	wake_all(&list);
	return rc;
}

static void deadline_passed(void *arg, u64 seq, i64 now_ns)
{
	struct pd_dir *d = arg;
	struct g *g = NULL;

	(void)now_ns;
	lock_acquire(&d->pd->lock);
	if (d->wait_seq == seq) {
		d->expired_seq = seq;
		g = netpoll_unblock(d, WOKEN_EXPIRED);
	}
	lock_release(&d->pd->lock);
	if (g) {
		sched_ready(g);
		netpoll_adjust(-1);
	}
}

/* lock held. True: the poller must be told. */
static bool arm(struct pd_dir *d, i64 deadline_ns)
{
	d->timer.fn = deadline_passed;
	d->timer.arg = d;
	d->timer.seq = d->wait_seq;
	return timer_start(m_p(m_self()), &d->timer, deadline_ns);
}

/* Runs when g is waiting: from here on an event may wake it. */
static bool commit(struct g *g, void *arg)
{
	u64 want = g->wait_word, *word = arg;

	netpoll_adjust(+1);
	if (__atomic_compare_exchange_n(word, &want, (u64)(uintptr_t)g, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		return true;
	netpoll_adjust(-1);
	return false;
}

enum begun { BEGUN, BEGUN_READY, BEGUN_CLOSED, BEGUN_EXPIRED };

static bool word_cas(struct pd_dir *d, u64 from, u64 to)
{
	return __atomic_compare_exchange_n(&d->word, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* nil -> wait, unless there is nothing to wait for. lock held. */
static enum begun begin(struct pd_dir *d, u64 seq, u64 wait_seq)
{
	if (d->pd->seq != seq)
		return BEGUN_CLOSED;
	if (word_cas(d, PD_READY, PD_NIL))
		return BEGUN_READY;
	if (d->expired_seq == wait_seq)
		return BEGUN_EXPIRED;
	if (word_cas(d, PD_NIL, PD_WAIT(seq)))
		return BEGUN;
	/* An event came between the two looks; it is the only one who may. */
	MUST(word_cas(d, PD_READY, PD_NIL), "netwait: two goroutines at the word of fd %d (I17)",
	     d->pd->fd);
	return BEGUN_READY;
}

/* One probe for a whole wait, with both its times: a tracer pays for one hit, not for three. */
static void tell_run(const struct g *g, int fd, u32 mode)
{
	i64 now = clock_ns(), parked = g->net_parked_ns, polled = g->net_polled_ns;

	if (g->wake_value != WOKEN_READY || polled == 0)
		return;
	probe_netpoll_run(g->goid, (u64)fd, mode, g->net_polled_by,
			  parked && polled > parked ? (u64)(polled - parked) : GRT_NO_ID,
			  (u64)(now - polled));
}

/* Park at the word, which says "wait". lock held, released, and held again. */
static void park_at_word(struct pd_dir *d, u32 mode, u64 seq, i64 arm_ns)
{
	struct g *g = sched_self();
	bool is_first = arm_ns && arm(d, arm_ns);

	lock_release(&d->pd->lock);
	if (is_first)
		poller_tell(arm_ns);
	g->wait_word = PD_WAIT(seq);
	g->wake_value = 0;
	PROBE_FIRE(netpoll_park, g->goid, (u64)d->pd->fd, mode);
	g->net_parked_ns = PROBE_ON(netpoll_run) ? clock_ns() : 0;
	g->net_polled_ns = 0;
	sched_park(commit, &d->word, WAIT_IO);
	if (PROBE_ON(netpoll_run))
		tell_run(g, d->pd->fd, mode);
	lock_acquire(&d->pd->lock);
}

/* It is our turn. lock held, and released. */
static int wait_at_word(struct pd_dir *d, u32 mode, u64 seq, i64 deadline_ns)
{
	struct g *g = sched_self();
	u64 wait_seq = ++d->wait_seq;
	i64 arm_ns = deadline_ns;
	enum begun begun;

	while ((begun = begin(d, seq, wait_seq)) == BEGUN) {
		park_at_word(d, mode, seq, arm_ns);
		arm_ns = 0;
		if (g->wake_value == WOKEN_READY) {
			begun = BEGUN_READY;
			break;
		}
	}
	/* After a close the timer, like the turn, may be another generation's. */
	if (d->pd->seq == seq) {
		d->wait_seq++;
		timer_stop(&d->timer);
	}
	lock_release(&d->pd->lock);
	return begun == BEGUN_READY ? 0 : begun == BEGUN_CLOSED ? -EBADF : -ETIMEDOUT;
}

/* Leave the queue because the deadline has passed. */
static void queue_deadline(void *arg, u64 seq, i64 now_ns)
{
	struct g *g = arg;
	struct pd_dir *d = __atomic_load_n((struct pd_dir **)&g->wait_dir, __ATOMIC_ACQUIRE);
	struct gqueue kept = { 0 };
	bool found = false;

	(void)now_ns;
	lock_acquire(&d->pd->lock);
	for (struct g *it; (it = gqueue_pop(&d->queue));) {
		if (it == g && g->timer.seq == seq)
			found = true;
		else
			gqueue_push(&kept, it);
	}
	d->queue = kept;
	if (found)
		g->wake_value = WOKEN_EXPIRED;
	lock_release(&d->pd->lock);
	if (found)
		sched_ready(g);
}

static bool queue_commit(struct g *g, void *lock)
{
	i64 when = g->timer.when_ns;

	if (when && timer_start(m_p(m_self()), &g->timer, when))
		poller_tell(when);
	lock_release(lock);
	return true;
}

/* Behind another goroutine. lock held, and released. */
static int wait_in_queue(struct pd_dir *d, i64 deadline_ns)
{
	struct g *g = sched_self();

	g->wake_value = 0;
	g->timer.fn = queue_deadline;
	g->timer.arg = g;
	g->timer.seq++;
	g->timer.when_ns = deadline_ns;
	__atomic_store_n((struct pd_dir **)&g->wait_dir, d, __ATOMIC_RELEASE);
	gqueue_push(&d->queue, g);
	sched_park(queue_commit, &d->pd->lock, WAIT_IO);
	if (deadline_ns)
		timer_stop(&g->timer);
	if (g->wake_value == WOKEN_CLOSED)
		return -EBADF;
	return g->wake_value == WOKEN_EXPIRED ? -ETIMEDOUT : 0;
}

/* Of the goroutine that has the turn: to the first in the queue, which tries its call. */
static void turn_give(struct pd_dir *d)
{
	struct g *next = NULL, *self = sched_self();

	lock_acquire(&d->pd->lock);
	/* A close may have ended all turns of the generation. */
	if (d->turn == self) {
		next = gqueue_pop(&d->queue);
		__atomic_store_n(&d->turn, next, __ATOMIC_RELAXED);
		if (next)
			next->wake_value = WOKEN_READY;
	}
	lock_release(&d->pd->lock);
	if (next)
		sched_ready(next);
}

static struct pd_dir *dir_of(struct pd *pd, u32 mode)
{
	return &pd->dir[mode == GRT_MODE_WRITE];
}

/* Without the lock: only the caller itself takes or keeps the turn in its name. */
static bool has_turn(const struct pd_dir *d, const struct g *g)
{
	return __atomic_load_n(&d->turn, __ATOMIC_RELAXED) == g;
}

void netwait_done(int fd, u32 mode)
{
	struct pd *pd = netpoll_pd(fd);
	struct g *g = sched_self();

	if (pd && g && has_turn(dir_of(pd, mode), g))
		turn_give(dir_of(pd, mode));
}

/* lock held, and released. */
static int wait_in_turn(struct pd_dir *d, u64 seq, u32 mode, i64 deadline_ns)
{
	struct g *g = sched_self();

	if (d->turn && d->turn != g)
		return wait_in_queue(d, deadline_ns);
	__atomic_store_n(&d->turn, g, __ATOMIC_RELAXED);
	return wait_at_word(d, mode, seq, deadline_ns);
}

/*
 * Woken is not yet running; the number may be another descriptor's by then, whose data is not for
 * us:
 *
 *     waiter                   poller            another
 *                              G -> nil, wakes
 *                                                close; a new pipe by the same number
 *     runs: seq has changed
 */
static bool has_ended(const struct pd *pd, u64 seq)
{
	return __atomic_load_n(&pd->seq, __ATOMIC_ACQUIRE) != seq;
}

int netwait(int fd, u64 seq, u32 mode, i64 deadline_ns)
{
	struct pd *pd = netpoll_pd(fd);
	struct g *g = sched_self();
	int rc;

	if (!g)
		return -EPERM;
	if (!pd)
		return -EBADF;
	lock_acquire(&pd->lock);
	if (!(seq & 1) || pd->seq != seq) {
		lock_release(&pd->lock);
		return -EBADF;
	}
	g->wait_fd = fd;
	g->wait_mode = mode;
	rc = wait_in_turn(dir_of(pd, mode), seq, mode, deadline_ns);
	g->wait_fd = -1;
	if (rc == 0 && has_ended(pd, seq))
		rc = -EBADF;
	if (rc < 0)
		netwait_done(fd, mode);
	return rc;
}
