/* SPDX-License-Identifier: MIT */
/*
 * observer.c - see observer.h. A table of thread ids that needs no lock: a slot is claimed by exchange
 * and given back by the thread whose id it holds. A fork's child inherits ids that are not its own;
 * no verdict is ever made there.
 *
 * Rejected: a flag of the thread itself. The verdict counts ids in /proc and sees no thread's storage.
 */
#include "observer.h"

#include <errno.h>
#include <grt/trace.h>
#include <unistd.h>

#include "mset.h"

struct observers observers;

static bool slot_replace(i32 was, i32 is)
{
	for (u32 i = 0; i < OBSERVERS_MAX; i++) {
		i32 seen = was;

		if (__atomic_compare_exchange_n(&observers.tid[i], &seen, is, false,
						__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

bool observer_is(i32 tid)
{
	for (u32 i = 0; i < OBSERVERS_MAX; i++)
		if (__atomic_load_n(&observers.tid[i], __ATOMIC_SEQ_CST) == tid)
			return true;
	return false;
}

int grt_observer_mark(int is_observer)
{
	i32 tid = gettid();

	if (m_self())
		return -EINVAL;
	if (!is_observer)
		return slot_replace(tid, 0) ? 0 : -ESRCH;
	if (observer_is(tid) || slot_replace(0, tid))
		return 0;
	return -ENOSPC;
}
