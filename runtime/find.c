/* SPDX-License-Identifier: MIT */
/*
 * find.c - find_runnable: where the next G comes from.
 *
 * Order: own timers; every 61st time the global queue (I20) and, if it has not been looked at for a
 * while, the network; own queue; global queue; network without waiting; steal from others (at most
 * half of the busy Ps' Ms look at the same time); then the P is given up, everything is looked at once
 * more by an M that span, and one M waits in the netpoller (I14), the others on their notes.
 *
 * Rejected: one global queue (contended lock at each switch); waking an M for each new G (threads
 * thrash: they are woken only to find nothing); never spinning (a new G then waits for a futex wake of
 * 30 to 50 us while an M has just gone to sleep).
 */
#include "find.h"

#include "fatal.h"
#include "lock.h"
#include "mset.h"
#include "netpoll.h"
#include "order.h"
#include "poller.h"
#include "pset.h"
#include "runq.h"
#include "state.h"
#include "timer.h"

void queue_global_locked(struct g *g)
{
	gqueue_push(&sched.runq, g);
}

void queue_g(struct p *p, struct g *g, bool next)
{
	struct gqueue overflow = { 0 };

	INVARIANT(7, g->status == GRT_G_RUNNABLE && !g->m && !g->schedlink,
		  "G%lu goes to a queue while it is elsewhere", (unsigned long)g->goid);
	if (p && runq_put(&p->runq, g, next, &overflow) == 0)
		return;
	if (!p)
		gqueue_push(&overflow, g);
	lock_acquire(&sched.lock);
	gqueue_append(&sched.runq, &overflow);
	lock_release(&sched.lock);
}

static void start_for(u32 n)
{
	while (n-- > 0 && sched_npidle() != 0)
		m_start(NULL, false, GRT_NO_ID, GRT_MNEW_WAKEP);
}

void queue_list(struct p *p, struct gqueue *list)
{
	u32 n = list->size, idle = sched_npidle(), for_others = p && n > idle ? idle : n;
	struct gqueue global = { 0 };

	if (n == 0)
		return;
	for (u32 i = 0; i < for_others; i++)
		gqueue_push(&global, gqueue_pop(list));
	if (global.size != 0) {
		lock_acquire(&sched.lock);
		gqueue_append(&sched.runq, &global);
		lock_release(&sched.lock);
		start_for(for_others);
	}
	while (p && list->size != 0)
		queue_g(p, gqueue_pop(list), false);
	/* A hedge where no P was idle a moment ago. */
	m_wake();
}

/* A fair share of the global queue: the first to run, the rest into the own ring. sched.lock held. */
static struct g *global_get(struct p *p, u32 max)
{
	u32 n = sched.runq.size / sched.gomaxprocs + 1;
	struct gqueue overflow = { 0 };
	struct g *g;

	if (n > max)
		n = max;
	if (n > RUNQ_SIZE / 2)
		n = RUNQ_SIZE / 2;
	g = gqueue_pop(&sched.runq);
	for (u32 i = 1; i < n && sched.runq.head; i++)
		runq_put(&p->runq, gqueue_pop(&sched.runq), false, &overflow);
	gqueue_append(&sched.runq, &overflow);
	return g;
}

static struct g *find_global(struct p *p, u32 max)
{
	struct g *g;

	DEBUG_ONLY(p->unfair = 0;)
	if (__atomic_load_n(&sched.runq.size, __ATOMIC_RELAXED) == 0)
		return NULL;
	lock_acquire(&sched.lock);
	g = global_get(p, max);
	lock_release(&sched.lock);
	return g;
}

i32 find_poll(i64 delay_ns, struct gqueue *ret, enum grt_netpoll_by by)
{
	i32 delta = netpoll_poll(delay_ns, ret, by);

	for (struct g *g = ret->head; g; g = g->schedlink)
		g_readied(g);
	return delta;
}

/* Look at the network without waiting, unless somebody does or blocks in it. */
static struct g *find_net(struct p *p)
{
	i64 last = __atomic_load_n(&sched.lastpoll, __ATOMIC_RELAXED);
	struct gqueue list = { 0 };
	struct g *g;
	i32 delta;

	if (!netpoll_any_waiters() || last == 0 ||
	    __atomic_exchange_n(&sched.polling_net, 1, __ATOMIC_ACQUIRE) != 0)
		return NULL;
	delta = find_poll(0, &list, GRT_POLL_SCHEDULER);
	__atomic_store_n(&sched.polling_net, 0, __ATOMIC_RELEASE);
	/* Unless somebody has begun to wait in the poll meanwhile, which 0 says. */
	__atomic_compare_exchange_n(&sched.lastpoll, &last, clock_ns(), false, __ATOMIC_SEQ_CST,
				    __ATOMIC_RELAXED);
	g = gqueue_pop(&list);
	queue_list(p, &list);
	netpoll_adjust(delta);
	return g;
}

/* Nobody has looked at the network for a while, and somebody waits for it. */
static bool is_net_due(void)
{
	i64 last = __atomic_load_n(&sched.lastpoll, __ATOMIC_RELAXED);

	return netpoll_any_waiters() && last != 0 && last + NETPOLL_FAIR_NS < clock_ns();
}

/*
 * Every SCHED_FAIR_TICK schedules: what a busy local queue would starve. The global queue is never empty
 * where Gs yield all the time: the network has its turn all the same.
 */
static struct g *find_fair(struct p *p)
{
	struct g *g, *ready;

	if (p->schedtick % SCHED_FAIR_TICK != 0)
		return NULL;
	g = find_global(p, 1);
	ready = is_net_due() ? find_net(p) : NULL;
	if (!g)
		return ready;
	if (ready)
		queue_g(p, ready, false);
	return g;
}

static u64 rng_next(struct m *m)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return m->rng;
}

static u32 gcd(u32 a, u32 b)
{
	while (b != 0) {
		u32 r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* One victim. The last round also runs its timers and takes what it is about to run. */
static struct g *steal_from(struct m *m, struct p *victim, bool is_last, bool *ret_ran_timers)
{
	i64 next;

	if (victim == m->p)
		return NULL;
	if (is_last && timer_first(&victim->timers) != 0 &&
	    timer_run(&victim->timers, clock_ns(), &next) != 0) {
		*ret_ran_timers = true;
		return NULL;
	}
	if (__atomic_load_n(&victim->status, __ATOMIC_RELAXED) == GRT_P_IDLE)
		return NULL;
	return runq_steal(&m->p->runq, &victim->runq, is_last);
}

/* All others in a random order, STEAL_TRIES times. *ret_again: timers ran and may have made work. */
static struct g *find_steal(struct m *m, bool *ret_again)
{
	u32 n = sched.gomaxprocs, busy = n - sched_npidle();

	if (!m->spinning) {
		if (2 * sched_nmspinning() >= busy)
			return NULL;
		m_spin_start(m);
	}
	for (u32 try = 0; try < STEAL_TRIES; try++) {
		u32 at = (u32)(rng_next(m) % n), step = (u32)(rng_next(m) % n) + 1;

		while (gcd(step, n) != 1)
			step = step % n + 1;
		for (u32 i = 0; i < n; i++, at = (at + step) % n) {
			struct g *g = steal_from(m, allp[at], try == STEAL_TRIES - 1, ret_again);

			if (g || *ret_again)
				return g;
		}
	}
	return NULL;
}

/*
 * A slice is over that Gs share by waking each other: the next of them goes behind all others, or neither
 * the rest of the queue nor anything that goes by schedticks would ever get a turn (I20, I21).
 */
static void end_slice(struct p *p)
{
	struct g *next = runq_get_next(&p->runq);

	if (next)
		queue_g(NULL, next, false);
}

/* What can be had with a P in hand. */
static bool find_busy(struct m *m, struct found *ret)
{
	bool again = true;

	while (again) {
		struct p *p = m->p;
		bool is_over;
		i64 next;

		again = false;
		ret->inherit = false;
		if (timer_first(&p->timers) != 0)
			timer_run(&p->timers, clock_ns(), &next);
		is_over = __atomic_load_n(&p->preempt, __ATOMIC_RELAXED) != 0;
		if (__builtin_expect(is_over, 0))
			end_slice(p);
		ret->g = find_fair(p);
		if (!ret->g)
			ret->g = runq_get(&p->runq, &ret->inherit);
		INVARIANT(21, !is_over || !ret->inherit, "a G of P%u inherits a slice that is over",
			  p->id);
		if (!ret->g)
			ret->g = find_global(p, RUNQ_SIZE);
		if (!ret->g)
			ret->g = find_net(p);
		if (!ret->g)
			ret->g = find_steal(m, &again);
	}
	return ret->g != NULL;
}

/* Give the P up, unless work came meanwhile (then true: ret->g, or look again if it is NULL). */
static bool give_up_p(struct m *m, struct found *ret)
{
	lock_acquire(&sched.lock);
	DEBUG_ONLY(m->p->unfair = 0;)
	if (sched.runq.size != 0) {
		ret->g = global_get(m->p, RUNQ_SIZE);
		lock_release(&sched.lock);
		return true;
	}
	if (!m->spinning && __atomic_load_n(&sched.needspinning, __ATOMIC_SEQ_CST)) {
		lock_release(&sched.lock);
		m_spin_start(m);
		return true;
	}
	pidle_put(p_unwire(m));
	/* (B) of m_wake: a producer that saw no idle P has left its wish here. */
	fence_full();
	if (!m->spinning && __atomic_load_n(&sched.needspinning, __ATOMIC_SEQ_CST)) {
		struct p *p = pidle_get();

		lock_release(&sched.lock);
		p_wire(m, p);
		m_spin_start(m);
		return true;
	}
	lock_release(&sched.lock);
	return false;
}

static bool get_idle_p(struct m *m)
{
	struct p *p;

	lock_acquire(&sched.lock);
	p = pidle_get_spinning();
	lock_release(&sched.lock);
	if (!p)
		return false;
	p_wire(m, p);
	m_spin_start(m);
	return true;
}

/* The consumer's half of the protocol in mset.h. True: the M has a P again and must look. */
static bool recheck(struct m *m)
{
	m_spin_stop(m);
	fence_full(); /* pairs with the fence in m_wake */
	if (__atomic_load_n(&sched.runq.size, __ATOMIC_RELAXED) != 0)
		return get_idle_p(m);
	for (u32 i = 0; i < sched.gomaxprocs; i++)
		if (p_has_work(allp[i]))
			return get_idle_p(m);
	return false;
}

/* With what a blocking poll brought: get a P for it, or leave it to others. True: the M has a P. */
static bool after_poll(struct m *m, struct gqueue *list, i32 delta, bool was_spinning,
		       struct found *ret)
{
	struct p *p;

	lock_acquire(&sched.lock);
	p = pidle_get();
	lock_release(&sched.lock);
	if (!p) {
		queue_list(NULL, list);
		netpoll_adjust(delta);
		return false;
	}
	p_wire(m, p);
	m_status_set(m, GRT_M_RUNNING);
	ret->g = gqueue_pop(list);
	queue_list(p, list);
	netpoll_adjust(delta);
	if (!ret->g && was_spinning)
		m_spin_start(m);
	return true;
}

/* How many Ms wait in the netpoller; counted in debug builds only. */
static void pollers_add(i32 n)
{
#ifdef GRT_DEBUG
	static i32 pollers;
	i32 now = __atomic_add_fetch(&pollers, n, __ATOMIC_SEQ_CST);

	INVARIANT(14, now >= 0 && now <= 1, "%d Ms wait in the netpoller", now);
#else
	(void)n;
#endif
}

/* Be the one M that waits for the network and the earliest timer. True: the M has a P. */
static bool poll_idle(struct m *m, bool was_spinning, struct found *ret)
{
	struct gqueue list = { 0 };
	i64 until = pset_first_timer(), again, delay = -1;
	DEBUG_ONLY(u32 breaks;)
	i32 delta;

	if (!netpoll_is_inited() || (!netpoll_any_waiters() && until == 0))
		return false;
	if (__atomic_exchange_n(&sched.lastpoll, 0, __ATOMIC_SEQ_CST) == 0) {
		i64 theirs = __atomic_load_n(&sched.poll_until, __ATOMIC_SEQ_CST);

		if (until != 0 && (theirs == 0 || theirs > until))
			netpoll_break(); /* I15: the one who polls would sleep too long */
		return false;
	}
	DEBUG_ONLY(breaks = __atomic_load_n(&sched.breaks, __ATOMIC_SEQ_CST);)
	__atomic_store_n(&sched.poll_until, until, __ATOMIC_SEQ_CST);
	/*
	 * Whoever armed an earlier timer before it could see poll_until is seen here (I15). If what
	 * was promised there has gone, the promise holds all the same: who arms a later timer than
	 * that tells nobody, since a look is due before.
	 */
	again = pset_first_timer();
	if (until == 0 || (again != 0 && again < until))
		until = again;
	if (until != 0) {
		delay = until - clock_ns();
		delay = delay < 0 ? 0 : delay;
	}
	DEBUG_ONLY(poller_check(until, breaks);)
	m_status_set(m, GRT_M_POLLING);
	pollers_add(+1);
	delta = find_poll(delay, &list, GRT_POLL_IDLE_M);
	pollers_add(-1);
	__atomic_store_n(&sched.poll_until, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&sched.lastpoll, clock_ns(), __ATOMIC_SEQ_CST);
	return after_poll(m, &list, delta, was_spinning, ret);
}

bool find_runnable(struct m *m, struct found *ret)
{
	for (;;) {
		bool was_spinning;

		if (find_busy(m, ret))
			return true;
		if (give_up_p(m, ret)) {
			if (ret->g)
				return true;
			continue;
		}
		was_spinning = m->spinning;
		if (was_spinning && recheck(m))
			continue;
		if (poll_idle(m, was_spinning, ret)) {
			if (ret->g)
				return true;
			continue;
		}
		if (!m_stop(m))
			return false;
	}
}
