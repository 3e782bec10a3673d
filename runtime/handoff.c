/* SPDX-License-Identifier: MIT */
/* handoff.c - see handoff.h. */
#include "handoff.h"

#include "fatal.h"
#include "lock.h"
#include "mset.h"
#include "netpoll.h"
#include "order.h"
#include "poller.h"
#include "probes.h"
#include "pset.h"
#include "runq.h"
#include "timer.h"

/* Claim the one place of a spinning M if nobody spins and no P is idle. */
static bool claim_first_spinner(void)
{
	u32 none = 0;

	if (sched_nmspinning() + sched_npidle() != 0 ||
	    !__atomic_compare_exchange_n(&sched.nmspinning, &none, 1, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&sched.needspinning, 0, __ATOMIC_SEQ_CST);
	return true;
}

#ifdef GRT_DEBUG
/*
 * The sources of find_runnable in its own order, but for the Gs of other Ps: whoever makes one of those and
 * finds nobody who looks for it sees this P idle, or leaves needspinning, at which handoff_p looks next.
 */
const char *handoff_would_find(const struct p *p, i64 lastpoll)
{
	u32 idle = 0;

	for (const struct p *q = sched.pidle; q; q = q->link)
		idle++;
	if (sched.runq.head)
		return "the global queue";
	if (p_has_work(p))
		return "a G of its own";
	if (idle == sched.gomaxprocs - 1 && lastpoll != 0 && netpoll_any_waiters())
		return "the network, and nobody to watch it";
	return NULL;
}

/*
 * I13 as it can be held in one moment: P goes idle only where an M would find nothing. Its timers are no
 * exception, since the poller is told of them next; work that comes later wakes an M by itself.
 */
static void check_idle(const struct p *p, i64 lastpoll)
{
	const char *what = handoff_would_find(p, lastpoll);

	INVARIANT(13, !what, "P%u is put on the idle list beside %s", p->id, what);
}
#endif

/* The last step, under the lock: work that came meanwhile, or the network nobody watches; else idle. */
static enum grt_handoff_outcome idle_or_not(struct p *p, i64 *ret_when)
{
	enum grt_handoff_outcome outcome = GRT_HANDOFF_IDLED;
	i64 lastpoll;

	lock_acquire(&sched.lock);
	lastpoll = __atomic_load_n(&sched.lastpoll, __ATOMIC_SEQ_CST);
	if (sched.runq.size != 0) {
		outcome = GRT_HANDOFF_WOKE;
	} else if (sched_npidle() == sched.gomaxprocs - 1 && lastpoll != 0 &&
		   netpoll_any_waiters()) {
		outcome = GRT_HANDOFF_POLLER;
	} else {
		DEBUG_ONLY(check_idle(p, lastpoll);)
		*ret_when = timer_first(&p->timers);
		pidle_put(p);
	}
	lock_release(&sched.lock);
	return outcome;
}

void handoff_p(struct p *p, u64 from, u64 g, enum grt_handoff_cause cause)
{
	struct m_started to = { .m = GRT_NO_ID };
	enum grt_handoff_outcome outcome = GRT_HANDOFF_WOKE;
	bool spinning = false;
	u32 id = p->id;
	i64 when = 0;

	__atomic_add_fetch(&sched.count.handoff, 1, __ATOMIC_RELAXED);
	if (!p_has_work(p) && __atomic_load_n(&sched.runq.size, __ATOMIC_RELAXED) == 0) {
		spinning = claim_first_spinner();
		outcome = spinning ? GRT_HANDOFF_SPINNING : idle_or_not(p, &when);
	}
	if (outcome != GRT_HANDOFF_IDLED) {
		to = m_start(p, spinning, from, GRT_MNEW_HANDOFF);
		if (to.made && outcome == GRT_HANDOFF_WOKE)
			outcome = GRT_HANDOFF_MADE;
	} else {
		/* (B) of m_wake: whoever spun and found work since the first look saw no idle P. */
		fence_full();
		if (__atomic_load_n(&sched.needspinning, __ATOMIC_SEQ_CST))
			m_wake();
		if (when != 0)
			poller_tell(when);
	}
	PROBE_FIRE(handoff, id, from, g, cause, outcome, to.m);
}

enum retake_verdict retake_decide(struct p *p, const struct retake_view *v, bool *ret_preempt)
{
	bool is_long = false;

	*ret_preempt = false;
	if (!v->m)
		return RETAKE_LEAVE;
	if (p->seen.schedtick != v->schedtick) {
		p->seen.schedtick = v->schedtick;
		p->seen.sched_ns = v->now_ns;
	} else if (p->seen.sched_ns + SLICE_NS <= v->now_ns) {
		is_long = true;
	}
	if (!(v->call & GRT_CALL_IN)) {
		*ret_preempt = is_long;
		return RETAKE_LEAVE;
	}
	if (p->seen.m != v->m || p->seen.call != v->call) {
		p->seen.m = v->m;
		p->seen.call = v->call;
		p->seen.call_ns = v->now_ns;
		return is_long ? RETAKE_TAKE : RETAKE_LEAVE;
	}
	if (!v->has_work && v->has_takers && p->seen.call_ns + RETAKE_IDLE_NS > v->now_ns)
		return RETAKE_LEAVE;
	return RETAKE_TAKE;
}

#ifdef GRT_DEBUG
/* First sight of a call, or of a time slice, is pass 1 of it. */
static void watch(struct p *p, const struct retake_view *v)
{
	if (p->watched.schedtick != v->schedtick || p->watched.sched_ns == 0) {
		p->watched.schedtick = v->schedtick;
		p->watched.sched_ns = v->now_ns;
		p->watched.is_asked = false;
	}
	if (p->watched.m != v->m || p->watched.call != v->call) {
		p->watched.m = v->m;
		p->watched.call = v->call;
		p->watched.call_ns = v->now_ns;
		p->watched.call_passes = 0;
	}
	p->watched.call_passes++;
}

/*
 * I12 stops at the verdict: a take that fails has met the end of the call or the claim of another taker. I21
 * goes on in sysmon.c, once the G has been asked.
 */
void retake_check(struct p *p, const struct retake_view *v, enum retake_verdict verdict,
		  bool preempt)
{
	bool is_in_call = (v->call & GRT_CALL_IN) != 0, is_due;

	if (!v->m)
		return;
	watch(p, v);
	is_due = p->watched.call_passes >= 2 &&
		 (v->has_work || v->now_ns - p->watched.call_ns >= RETAKE_IDLE_NS);
	INVARIANT(12, !is_in_call || !is_due || verdict == RETAKE_TAKE,
		  "P%u is left to a call that pass %u sees, %ld us after the first", p->id,
		  p->watched.call_passes, (long)(v->now_ns - p->watched.call_ns) / 1000);
	INVARIANT(21, is_in_call || preempt || v->now_ns - p->watched.sched_ns < SLICE_NS,
		  "a G has had P%u for %ld us and is not asked to yield", p->id,
		  (long)(v->now_ns - p->watched.sched_ns) / 1000);
}
#endif
