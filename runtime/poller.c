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

#include "mset.h"
#include "netpoll.h"

void poller_tell(i64 when_ns)
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
