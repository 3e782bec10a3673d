/* SPDX-License-Identifier: MIT */
/*
 * run.c - start and end of the runtime, and the small public calls of grt/run.h.
 *
 * The thread that calls grt_run becomes sysmon (M0, marked system): it needs no thread of its own, and
 * the main goroutine can end on any other M without that thread having to be fetched out of a call.
 * Rejected: M0 as an ordinary M (main could not return while M0 blocks in another goroutine's call);
 * the main goroutine locked to M0 (each of its switches would be a futex wake).
 */
#include "include/grt/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fatal.h"
#include "fault.h"
#include "forked.h"
#include "gs.h"
#include "lock.h"
#include "loop.h"
#include "mset.h"
#include "netpoll.h"
#include "poller.h"
#include "procs.h"
#include "pset.h"
#include "sched.h"
#include "schedtrace.h"
#include "sysmon.h"
#include "take.h"
#include "timer.h"

struct main_call {
	int (*fn)(void *);
	void *arg;
};

static u32 has_started;

static void main_goroutine(void *arg)
{
	struct main_call *call = arg;
	int value = call->fn(call->arg);

	sched.main_value = value;
	__atomic_store_n(&sched.main_done, 1, __ATOMIC_RELEASE);
	sysmon_finish();
}

static void init(const struct grt_options *o)
{
	sched.start_ns = clock_ns();
	sched.lastpoll = sched.start_ns;
	sched.maxmcount = o->max_threads ? o->max_threads : THREADS_MAX_DEFAULT;
	sched.idle_exit_ns = o->idle_thread_ns ? o->idle_thread_ns : IDLE_EXIT_NS;
	lock_init(&sched.lock, RANK_SCHED);
	take_init();
	fault_init();
	schedtrace_init(getenv("GODEBUG"));
	gs_init(o->stack_bytes);
	mset_init(sched_loop);
	pset_init(o->procs ? (o->procs > PROCS_MAX ? PROCS_MAX : o->procs) : procs_default());
	m_adopt_system();
	if (netpoll_init() != 0)
		throw_("grt_run: no netpoller");
	forked_init();
}

int grt_run_opts(const struct grt_options *opts, int (*fn)(void *), void *arg)
{
	struct main_call call = { fn, arg };
	struct grt_options o = { 0 };

	if (opts)
		memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
	forked_check();
	if (__atomic_exchange_n(&has_started, 1, __ATOMIC_SEQ_CST))
		return -EBUSY;
	init(&o);
	__atomic_store_n(&sched.is_running, 1, __ATOMIC_RELEASE);
	/* Made by a thread without a P, like those of foreign callers. */
	if (sched_go(main_goroutine, &call) != 0)
		fatal_("grt_run: no memory for the main goroutine");
	sysmon_run();
	__atomic_store_n(&sched.is_running, 0, __ATOMIC_RELEASE);
	return sched.main_value;
}

int grt_run(int (*fn)(void *), void *arg)
{
	return grt_run_opts(NULL, fn, arg);
}

int grt_go(void (*fn)(void *), void *arg)
{
	int rc;

	forked_check();
	if (!__atomic_load_n(&sched.is_running, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	rc = sched_go(fn, arg);
	sched_yield_if_asked();
	return rc;
}

int grt_yield(void)
{
	if (!sched_self())
		return -EPERM;
	sched_yield_self();
	return 0;
}

static void sleep_over(void *arg, u64 seq, i64 now_ns)
{
	(void)seq;
	(void)now_ns;
	sched_ready(arg);
}

/* Armed only once g is waiting: the timer may fire at once on another M. */
static bool sleep_commit(struct g *g, void *arg)
{
	i64 when = *(i64 *)arg;

	if (timer_start(m_p(m_self()), &g->timer, when))
		poller_tell(when);
	return true;
}

int grt_sleep_until(int64_t deadline_ns)
{
	struct g *g = sched_self();
	i64 when = deadline_ns;

	if (!g)
		return -EPERM;
	if (when <= clock_ns()) {
		sched_yield_self();
		return 0;
	}
	g->timer.fn = sleep_over;
	g->timer.arg = g;
	sched_park(sleep_commit, &when, WAIT_SLEEP);
	return 0;
}

int grt_sleep(int64_t ns)
{
	i64 now = clock_ns();

	if (ns > INT64_MAX - now)
		ns = INT64_MAX - now;
	return grt_sleep_until(ns <= 0 ? now : now + ns);
}

int64_t grt_now(void)
{
	return clock_ns();
}

uint64_t grt_self(void)
{
	struct g *g = sched_self();

	return g ? g->goid : 0;
}

unsigned grt_procs(void)
{
	return sched.gomaxprocs;
}

unsigned grt_set_max_threads(unsigned n)
{
	unsigned old;

	lock_acquire(&sched.lock);
	old = (unsigned)sched.maxmcount;
	sched.maxmcount = n;
	lock_release(&sched.lock);
	return old;
}

int grt_lock_os_thread(void)
{
	struct g *g = sched_self();

	if (!g)
		return -EPERM;
	mset_template_start();
	g->nlocked++;
	g->lockedm = g->m;
	g->m->lockedg = g;
	return 0;
}

int grt_unlock_os_thread(void)
{
	struct g *g = sched_self();

	if (!g)
		return -EPERM;
	if (g->nlocked == 0)
		return -EINVAL;
	if (--g->nlocked == 0) {
		g->m->lockedg = NULL;
		g->lockedm = NULL;
	}
	return 0;
}
