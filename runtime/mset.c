/* SPDX-License-Identifier: MIT */
/* mset.c - see mset.h. */
#include "mset.h"

#include "fatal.h"
#include "lock.h"
#include "order.h"
#include "probes.h"
#include "pset.h"
#include "runq.h"
#include "thread.h"
#include "timer.h"

#ifdef __SANITIZE_THREAD__
unsigned fence_word; /* order.h */
#endif

void mset_init(void (*loop)(struct m *))
{
	thread_init(loop);
}

struct m *m_adopt_system(void)
{
	struct m *m;

	lock_acquire(&sched.lock);
	m = thread_reserve();
	sched.nmsys++;
	lock_release(&sched.lock);
	__atomic_store_n(&m->status, GRT_M_SYSTEM, __ATOMIC_RELEASE);
	thread_enter(m, NULL);
	return m;
}

void m_status_set(struct m *m, enum grt_m_status st)
{
	bool is_timed = st == GRT_M_IDLE || st == GRT_M_POLLING || st == GRT_M_LOCKED;

	__atomic_store_n(&m->status_since_ns, is_timed ? clock_ns() : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&m->status, st, __ATOMIC_RELEASE);
}

/* A long list is walked now and then only. sched.lock held. */
static void midle_check(void)
{
#ifdef GRT_DEBUG
	static u32 changes;
	u32 n = 0;

	if (sched.nmidle > MIDLE_WALK && ++changes % MIDLE_WALK != 0)
		return;
	for (const struct m *m = sched.midle, *prev = NULL; m; prev = m, m = m->schedlink) {
		INVARIANT(19, m->schedprev == prev, "M%lu is not where its neighbour is",
			  (unsigned long)m->id);
		n++;
	}
	INVARIANT(19, n == sched.nmidle, "%u idle Ms are counted and %u on the list", sched.nmidle,
		  n);
#endif
}

/* The idle list. sched.lock held. */
static void midle_push(struct m *m)
{
	m->idle_since_ns = m->status_since_ns;
	m->schedprev = NULL;
	m->schedlink = sched.midle;
	if (sched.midle)
		sched.midle->schedprev = m;
	else
		sched.midle_tail = m;
	sched.midle = m;
	sched.nmidle++;
	midle_check();
}

static void midle_remove(struct m *m)
{
	*(m->schedprev ? &m->schedprev->schedlink : &sched.midle) = m->schedlink;
	*(m->schedlink ? &m->schedlink->schedprev : &sched.midle_tail) = m->schedprev;
	m->schedlink = m->schedprev = NULL;
	sched.nmidle--;
	midle_check();
}

static void start_idle(struct m *m, struct p *p, bool spinning, u64 from)
{
	MUST(m->nextp == NULL && !m->spinning, "m_start: M%lu is not idle", (unsigned long)m->id);
	m->spinning = spinning;
	m->nextp = p;
	m->handoff_from = from;
	note_wake(&m->park);
}

struct m_started m_start(struct p *p, bool spinning, u64 from, enum grt_m_new_cause cause)
{
	struct m_started ret = { .m = GRT_NO_ID };
	struct m *m;

	lock_acquire(&sched.lock);
	if (!p) {
		p = spinning ? pidle_get_spinning() : pidle_get();
		if (!p) {
			if (spinning)
				__atomic_sub_fetch(&sched.nmspinning, 1, __ATOMIC_SEQ_CST);
			lock_release(&sched.lock);
			return ret;
		}
	}
	INVARIANT(4, !spinning || !p_has_work(p), "spinning M for a P with work");
	m = sched.midle;
	if (m)
		midle_remove(m);
	else
		m = thread_reserve();
	ret.m = m->id;
	ret.made = m->status == GRT_M_STARTING;
	lock_release(&sched.lock);
	if (!ret.made) {
		start_idle(m, p, spinning, from);
		return ret;
	}
	m->spinning = spinning;
	m->nextp = p;
	m->handoff_from = from;
	PROBE_FIRE(m_new, ret.m, p->id, cause);
	thread_make(m);
	return ret;
}

/*
 * Without the lock where nothing is to be done. Nobody idle: whoever is about to drop its P must look
 * again, which needspinning tells it:
 *
 *     producer                          M that drops a P (find.c, handoff.c)
 *     publishes work                    finds nothing
 *     needspinning = 1   (A)            npidle++              (B)
 *     fence                             fence
 *     reads npidle: 0 -> done           reads needspinning: 1 -> takes a P again
 *
 * One of the two sees the other's store.
 */
void m_wake(void)
{
	u32 none = 0;

	fence_full(); /* pairs with the fence after m_spin_stop */
	if (sched_nmspinning() != 0)
		return;
	if (sched_npidle() == 0) {
		if (!__atomic_load_n(&sched.needspinning, __ATOMIC_RELAXED))
			__atomic_store_n(&sched.needspinning, 1, __ATOMIC_SEQ_CST);
		fence_full();
		if (sched_npidle() == 0)
			return;
	}
	if (!__atomic_compare_exchange_n(&sched.nmspinning, &none, 1, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED))
		return;
	/* Granted: the M that starts looks everywhere. Without a P for it, m_start makes it 1 again. */
	__atomic_store_n(&sched.needspinning, 0, __ATOMIC_SEQ_CST);
	m_start(NULL, true, GRT_NO_ID, GRT_MNEW_WAKEP);
}

void m_take_nextp(struct m *m)
{
	struct p *p = m->nextp;

	MUST(p != NULL, "M%lu was woken without a P", (unsigned long)m->id);
	m->nextp = NULL;
	m_status_set(m, m->spinning ? GRT_M_SPINNING : GRT_M_RUNNING);
	p_wire(m, p);
	if (m->handoff_from != GRT_NO_ID)
		PROBE_FIRE(handoff_done, p->id, m->handoff_from, m->id);
	m->handoff_from = GRT_NO_ID;
}

static void m_sleep(struct m *m)
{
	m->blocked_in_note = true;
	note_sleep(&m->park);
	note_clear(&m->park);
	m->blocked_in_note = false;
}

bool m_stop(struct m *m)
{
	MUST(m->nlocks == 0, "m_stop: holding locks");
	MUST(m->p == NULL && !m->spinning, "m_stop: has a P or spins");
	PROBE_FIRE(m_park, m->id);
	m_status_set(m, GRT_M_IDLE);
	lock_acquire(&sched.lock);
	midle_push(m);
	mset_check_deadlock();
	lock_release(&sched.lock);
	m_sleep(m);
	if (m->must_exit)
		return false;
	PROBE_FIRE(m_unpark, m->id, m->nextp->id);
	m_take_nextp(m);
	return true;
}

void m_stop_locked(struct m *m)
{
	MUST(m->p == NULL && !m->spinning, "m_stop_locked: has a P or spins");
	PROBE_FIRE(m_park, m->id);
	m_status_set(m, GRT_M_LOCKED);
	mset_pretend_running(-1);
	m_sleep(m);
	PROBE_FIRE(m_unpark, m->id, m->nextp->id);
	m_take_nextp(m);
}

void m_start_locked(struct m *m, struct g *g)
{
	struct m *to = g->lockedm;

	MUST(to != m && to->nextp == NULL, "m_start_locked: G%lu's M is awake",
	     (unsigned long)g->goid);
	mset_pretend_running(+1);
	to->nextp = p_unwire(m);
	note_wake(&to->park);
}

void m_end(struct m *m)
{
	lock_acquire(&sched.lock);
	thread_leave_locked(m);
	mset_check_deadlock();
	lock_release(&sched.lock);
}

void m_spin_start(struct m *m)
{
	u32 spinning = __atomic_add_fetch(&sched.nmspinning, 1, __ATOMIC_SEQ_CST);

	INVARIANT(5, spinning <= sched.gomaxprocs, "%u Ms spin for %u Ps", spinning,
		  sched.gomaxprocs);
	m->spinning = true;
	__atomic_store_n(&sched.needspinning, 0, __ATOMIC_SEQ_CST);
	m_status_set(m, GRT_M_SPINNING);
}

bool m_spin_stop(struct m *m)
{
	u32 left;

	m->spinning = false;
	left = __atomic_sub_fetch(&sched.nmspinning, 1, __ATOMIC_SEQ_CST);
	MUST((i32)left >= 0, "m_spin_stop: negative nmspinning (I5)");
	m_status_set(m, GRT_M_RUNNING);
	return left == 0;
}

i64 mset_reap(i64 now_ns)
{
	i64 due = 0;

	if (sched.idle_exit_ns < 0)
		return 0;
	lock_acquire(&sched.lock);
	while (sched.nmidle > sched.gomaxprocs + IDLE_M_SPARE) {
		struct m *m = sched.midle_tail;

		if (m->idle_since_ns + sched.idle_exit_ns > now_ns) {
			due = m->idle_since_ns + sched.idle_exit_ns;
			break;
		}
		midle_remove(m);
		m->must_exit = true;
		note_wake(&m->park);
	}
	lock_release(&sched.lock);
	return due;
}

void mset_template_start(void)
{
	thread_template_start();
}

void mset_pretend_running(i32 n)
{
	lock_acquire(&sched.lock);
	sched.nmidlelocked -= n;
	if (n < 0)
		mset_check_deadlock();
	lock_release(&sched.lock);
}
