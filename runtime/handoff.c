/* SPDX-License-Identifier: MIT */
/* handoff.c - see handoff.h. */
#include "handoff.h"

#include "lock.h"
#include "mset.h"
#include "netpoll.h"
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

/* The last step, under the lock: work that came meanwhile, or the network nobody watches; else idle. */
static enum grt_handoff_outcome idle_or_not(struct p *p, i64 *ret_when)
{
	enum grt_handoff_outcome outcome = GRT_HANDOFF_IDLED;

	lock_acquire(&sched.lock);
	if (sched.runq.size != 0) {
		outcome = GRT_HANDOFF_WOKE;
	} else if (sched_npidle() == sched.gomaxprocs - 1 &&
		   __atomic_load_n(&sched.lastpoll, __ATOMIC_SEQ_CST) != 0 &&
		   netpoll_any_waiters()) {
		outcome = GRT_HANDOFF_POLLER;
	} else {
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
	} else if (when != 0) {
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
