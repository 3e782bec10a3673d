/* SPDX-License-Identifier: MIT */
/*
 * sysmon.c - one thread without a P: a clock for rules that live elsewhere (handoff.c: retake_decide).
 *
 * It sleeps 20 us between passes; after 50 passes without a take the sleep doubles up to 10 ms. While
 * every P is idle it sleeps until one is taken from the idle list (pidle_get wakes it, under
 * sched.lock, so that no check can be lost). While any P is in use it never sleeps longer than 10 ms.
 * The kernel's default timer slack would turn 20 us into 90: it is set to 1 ns for this thread.
 *
 * Rejected: a signal to the thread in the call (EINTR in foreign code); deep sleep while Ps run
 * without being in a call (needs a check on every entry and its own proof).
 */
#include "sysmon.h"

#include <sys/prctl.h>

#include "fatal.h"
#include "find.h"
#include "handoff.h"
#include "lock.h"
#include "mset.h"
#include "netpoll.h"
#include "order.h"
#include "probes.h"
#include "pset.h"
#include "schedtrace.h"
#include "take.h"

/*
 * While sysmon holds a P that it took, the M that lost it may come back, find nothing and go to sleep:
 * it must not look as if nobody could run any more.
 */
static bool retake_one(struct p *p, struct m *m, u64 call, i64 now_ns)
{
	u64 in_call_ns = p->seen.call == call ? (u64)(now_ns - p->seen.call_ns) : 0;
	struct g *g = __atomic_load_n(&m->curg, __ATOMIC_ACQUIRE);
	u64 goid = g ? g->goid : 0, m_id = m->id, nr;
	bool won;

	mset_pretend_running(+1);
	won = take_p(p, m, call, TAKE_TICKET_SYSMON, now_ns);
	/* Whoever lost its P may be on its way out of the call, hardly in another one already. */
	nr = won ? (u64)__atomic_load_n(&m->call_nr, __ATOMIC_RELAXED) : 0;
	if (won) {
		p_taken(p);
		__atomic_add_fetch(&sched.count.retake, 1, __ATOMIC_RELAXED);
		PROBE_FIRE(retake, p->id, m_id, goid, in_call_ns, GRT_BY_SYSMON, nr);
		handoff_p(p, m_id, goid, GRT_HANDOFF_RETAKE);
	}
	mset_pretend_running(-1);
	return won;
}

/*
 * I21, the asked half: of the yield points that come later the first already sees the wish. One more may have
 * looked just before and not been counted yet.
 */
static void ask_to_yield(struct p *p)
{
	__atomic_store_n(&p->preempt, 1, __ATOMIC_RELAXED);
#ifdef GRT_DEBUG
	u32 passed;

	fence_full(); /* pairs with the count in p_is_asked */
	passed = __atomic_load_n(&p->passed, __ATOMIC_SEQ_CST);
	if (!p->watched.is_asked) {
		p->watched.is_asked = true;
		p->watched.passed_asked = passed;
	}
	INVARIANT(21, (i32)(passed - p->watched.passed_asked) <= 1,
		  "a G on P%u passed %u yield points after it was asked to yield", p->id,
		  passed - p->watched.passed_asked);
#endif
}

u32 sysmon_retake(i64 now_ns)
{
	u32 taken = 0;

	for (u32 i = 0; i < sched.gomaxprocs; i++) {
		struct p *p = allp[i];
		struct m *m = p_m(p);
		struct retake_view v = {
			.now_ns = now_ns,
			.schedtick = __atomic_load_n(&p->schedtick, __ATOMIC_RELAXED),
			.m = m,
			.call = m ? m_call(m) : 0,
			.has_work = p_has_work(p),
			.has_takers = sched_nmspinning() + sched_npidle() != 0,
		};
		bool preempt;
		enum retake_verdict verdict = retake_decide(p, &v, &preempt);

		DEBUG_ONLY(retake_check(p, &v, verdict, preempt);)
		if (preempt)
			ask_to_yield(p);
		if (verdict == RETAKE_TAKE && retake_one(p, m, v.call, now_ns))
			taken++;
	}
	return taken;
}

/* Nobody has polled for 10 ms: all Ps are busy. */
static void poll_stale(i64 now_ns)
{
	i64 last = __atomic_load_n(&sched.lastpoll, __ATOMIC_SEQ_CST);
	struct gqueue list = { 0 };
	i32 delta;

	if (last == 0 || last + NETPOLL_STALE_NS > now_ns || !netpoll_any_waiters())
		return;
	if (!__atomic_compare_exchange_n(&sched.lastpoll, &last, now_ns, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED))
		return;
	delta = find_poll(0, &list, GRT_POLL_SYSMON);
	if (list.size == 0) {
		netpoll_adjust(delta);
		return;
	}
	mset_pretend_running(+1);
	queue_list(NULL, &list);
	mset_pretend_running(-1);
	netpoll_adjust(delta);
}

/* Timers of Ps whose Ms compute or block: whoever has a P runs them, so one must be woken. */
static void timers_stale(i64 now_ns)
{
	i64 first = pset_first_timer();

	if (first != 0 && first + NETPOLL_STALE_NS < now_ns && sched_npidle() != 0)
		m_start(NULL, false, GRT_NO_ID, GRT_MNEW_WAKEP);
}

/*
 * I6, seen from outside: a runnable G on the global queue, an idle P, and nobody who spins. On a loaded
 * machine the M that was woken for it may wait for a CPU: only if it lasts is a wake-up lost.
 */
static void check_work_conserved(i64 now_ns)
{
#ifdef GRT_DEBUG
	static i64 since_ns;
	bool is_idle_beside_work = __atomic_load_n(&sched.runq.size, __ATOMIC_RELAXED) != 0 &&
				   sched_npidle() != 0 && sched_nmspinning() == 0;

	if (!is_idle_beside_work)
		since_ns = 0;
	else if (since_ns == 0)
		since_ns = now_ns;
	INVARIANT(6, since_ns == 0 || now_ns - since_ns < LOST_WORK_NS,
		  "%u runnable Gs and %u idle Ps for %ld ms", sched.runq.size, sched_npidle(),
		  (long)((now_ns - since_ns) / 1000000));
#else
	(void)now_ns;
#endif
}

static void sleep_until_signalled(i64 ns)
{
	note_sleep_for(&sched.sysmon_note, ns);
	lock_acquire(&sched.lock);
	sched.sysmonwait = 0;
	if (sched.sysmon_signalled) {
		sched.sysmon_signalled = false;
		note_sleep(&sched.sysmon_note); /* set already: returns at once */
		note_clear(&sched.sysmon_note);
	}
	lock_release(&sched.lock);
}

/* All Ps idle: sleep until one is not. True if it slept. */
static bool deep_sleep(i64 now_ns)
{
	i64 ns = SYSMON_DEEP_NS, reap = mset_reap(now_ns);
	bool may;

	if (schedtrace_is_on() || sched_npidle() != sched.gomaxprocs)
		return false;
	if (reap != 0 && reap - now_ns < ns)
		ns = reap - now_ns;
	lock_acquire(&sched.lock);
	may = sched_npidle() == sched.gomaxprocs && !sched.main_done;
	if (may)
		sched.sysmonwait = 1;
	lock_release(&sched.lock);
	if (!may)
		return false;
	PROBE_FIRE(sysmon_sleep, (u64)ns);
	sleep_until_signalled(ns);
	lock_acquire(&sched.lock);
	mset_check_deadlock(); /* a thread that was just ending may have hidden one */
	lock_release(&sched.lock);
	PROBE_FIRE(sysmon_wake, sched_npidle() != sched.gomaxprocs);
	return true;
}

void sysmon_run(void)
{
	int slack = prctl(PR_GET_TIMERSLACK);
	i64 delay = SYSMON_MIN_NS, reaped_ns = 0;
	u32 idle = 0;

	prctl(PR_SET_TIMERSLACK, 1ul);
	while (!__atomic_load_n(&sched.main_done, __ATOMIC_ACQUIRE)) {
		i64 now;

		if (idle == 0)
			delay = SYSMON_MIN_NS;
		else if (idle > SYSMON_PATIENCE && delay < SYSMON_MAX_NS)
			delay *= 2;
		sleep_until_signalled(delay < SYSMON_MAX_NS ? delay : SYSMON_MAX_NS);
		now = clock_ns();
		if (deep_sleep(now)) {
			idle = 0;
			continue;
		}
		poll_stale(now);
		timers_stale(now);
		check_work_conserved(now);
		idle = sysmon_retake(now) > 0 ? 0 : idle + 1;
		if (reaped_ns + SYSMON_REAP_NS < now) {
			reaped_ns = now;
			mset_reap(now);
		}
		schedtrace_tick(now);
	}
	prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
}

void sysmon_finish(void)
{
	lock_acquire(&sched.lock);
	sysmon_kick();
	lock_release(&sched.lock);
}
