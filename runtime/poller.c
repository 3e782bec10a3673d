/* SPDX-License-Identifier: MIT */
/*
 * poller.c - see poller.h.
 *
 *     who arms                              who is about to poll (find.c: poll_idle)
 *     arms the timer                        lastpoll = 0; poll_until = what it has seen   (A)
 *     lastpoll == 0, poll_until is later    looks at the timers once more
 *     -> break                              sleeps until the earliest
 *
 * Either the armer sees (A) and breaks the poll, before or after it began, or the second look sees the
 * timer.
 */
#include "poller.h"

#include "fatal.h"
#include "mset.h"
#include "netpoll.h"
#include "pset.h"

static void tell(i64 when_ns)
{
	i64 until;

	if (__atomic_load_n(&sched.lastpoll, __ATOMIC_SEQ_CST) != 0) {
		m_wake();
		return;
	}
	until = __atomic_load_n(&sched.poll_until, __ATOMIC_SEQ_CST);
	if (until == 0 || until > when_ns)
		netpoll_break();
}

#ifdef GRT_DEBUG
static void tell_checked(struct m *m, i64 when_ns)
{
	tell(when_ns);
	if (!m || !m->untold)
		return;
	m->untold = false;
	__atomic_sub_fetch(&sched.timers_untold, 1, __ATOMIC_SEQ_CST);
}

/*
 * Whoever arms an earlier timer after the poller's last look is still counted as untold, or has broken the
 * poll, or found poll_until early enough. So the order: the timer, then who is untold, then the breaks.
 */
void poller_check(i64 until_ns, u32 breaks)
{
	i64 first = pset_first_timer();
	bool is_early = first == 0 || (until_ns != 0 && until_ns <= first);

	INVARIANT(15,
		  is_early || __atomic_load_n(&sched.timers_untold, __ATOMIC_SEQ_CST) != 0 ||
			  __atomic_load_n(&sched.breaks, __ATOMIC_SEQ_CST) != breaks,
		  "the poller sleeps until %ld, a timer is due at %ld", (long)until_ns,
		  (long)first);
}
#endif

void poller_tell(i64 when_ns)
{
#ifdef GRT_DEBUG
	tell_checked(m_self(), when_ns);
#else
	tell(when_ns);
#endif
}
