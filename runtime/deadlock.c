/* SPDX-License-Identifier: MIT */
/*
 * deadlock.c - "all goroutines are asleep": no thread runs, none is in a call, none polls, no timer is
 * armed, and so nothing can ever happen again (I22).
 *
 * A thread that blocks in a call or in the netpoller counts as running; a thread that is on its way to
 * a queue is counted by mset_pretend_running. A thread that the runtime does not own may call in at any
 * time: while there is one, or once one has called, there is no verdict. One that is marked as an
 * observer promised not to.
 */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "fatal.h"
#include "lock.h"
#include "mset.h"
#include "netpoll.h"
#include "observer.h"
#include "pset.h"

static u64 count_waiting(void)
{
	u64 waiting = 0, n = __atomic_load_n(&sched.allg_len, __ATOMIC_ACQUIRE);

	for (u64 i = 0; i < n; i++) {
		struct g *g = allgs[i];
		u32 status = __atomic_load_n(&g->status, __ATOMIC_ACQUIRE);

		MUST(status != GRT_G_RUNNABLE && status != GRT_G_RUNNING,
		     "checkdead: G%lu is %s and no thread runs", (unsigned long)g->goid,
		     status == GRT_G_RUNNABLE ? "runnable" : "running");
		waiting += status == GRT_G_WAITING && !g->is_system;
	}
	return waiting;
}

/* Threads of the process that are no Ms and no observers. The caller may be an M that is just about to end. */
static bool has_foreign_threads(void)
{
	i64 known = mset_count() + (m_self() == NULL), there = 0;
	DIR *d = opendir("/proc/self/task");

	/* No descriptor left, no /proc: then there may be some. */
	if (!d)
		return true;
	for (struct dirent *e; (e = readdir(d));)
		there += e->d_name[0] != '.' && !observer_is(atoi(e->d_name));
	closedir(d);
	return there > known;
}

static void print_goroutines(void)
{
	for (u64 i = 0; i < sched.allg_len; i++) {
		struct g *g = allgs[i];

		if (g->status == GRT_G_WAITING)
			warn_("\ngoroutine %lu [%s]:", (unsigned long)g->goid,
			      waitreason_text[g->waitreason]);
	}
}

void mset_check_deadlock(void)
{
	i64 run = mset_count() - (i64)sched.nmidle - sched.nmidlelocked - sched.nmsys;

	if (run > 0 || __atomic_load_n(&sched.main_done, __ATOMIC_RELAXED))
		return;
	MUST(run == 0, "checkdead: inconsistent counts: M made %ld freed %ld idle %u locked %d",
	     (long)sched.mnext, (long)sched.nmfreed, sched.nmidle, sched.nmidlelocked);
	/* An M that polls is not idle. Of Gs that were made runnable the count goes down before it is. */
	INVARIANT(14, !netpoll_any_waiters(), "Gs wait in the netpoller, and no M does");
	/* Before the Gs are looked at: a foreign thread may be making one runnable right now. */
	if (has_foreign_threads() || __atomic_load_n(&sched.has_foreign_caller, __ATOMIC_SEQ_CST))
		return;
	if (count_waiting() != 0 && pset_first_timer() != 0)
		return;
	lock_release(&sched.lock);
	warn_("fatal error: all goroutines are asleep - deadlock!");
	print_goroutines();
	_exit(FATAL_EXIT);
}
