/* SPDX-License-Identifier: MIT */
/*
 * thread.c - see thread.h.
 *
 * Threads are made with all signals blocked and then take the mask that grt_run was called with: no
 * handler runs on a thread that is not yet an M. A thread that is locked to a goroutine may carry odd
 * kernel state (a namespace, a priority, a mask), which a child would inherit: it asks the template
 * thread to make the new one.
 *
 * Rejected: clone() by hand. glibc's TLS, stack cache and cancellation state would have to be
 * imitated, for 5 us that a thread's first run costs anyway.
 */
#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fatal.h"
#include "fault.h"
#include "lock.h"
#include "pset.h"
#include "probes.h"
#include "sink.h"

struct m **allm;

static struct {
	void (*loop)(struct m *);
	sigset_t mask;
	pthread_attr_t attr;
	struct m *wanted; /* S  Ms that locked threads want made, by schedlink */
	struct note wanted_note;
	bool is_signalled; /* S */
	bool has_template; /* S */
} thread;

void thread_init(void (*loop)(struct m *))
{
	thread.loop = loop;
	allm = mmap(NULL, ALLM_MAX * sizeof(struct m *), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	MUST(allm != MAP_FAILED, "thread_init: no address space for allm");
	pthread_sigmask(SIG_SETMASK, NULL, &thread.mask);
	pthread_attr_init(&thread.attr);
	pthread_attr_setdetachstate(&thread.attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&thread.attr, SYSTEM_STACK_SIZE);
	pthread_attr_setguardsize(&thread.attr, STACK_GUARD);
}

static struct m *slot_new(void)
{
	struct m *m = mmap(NULL, (sizeof(*m) + 4095) & ~4095ul, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(m != MAP_FAILED, "thread_reserve: no memory for an M");
	MUST(sched.allm_len < ALLM_MAX, "thread_reserve: allm is full");
	m->index = sched.allm_len;
	allm[m->index] = m;
	return m;
}

static void slot_reset(struct m *m)
{
	/* Ticks of calls go on: an outside reader may still hold an old one. */
	memset(&m->take, 0, offsetof(struct m, sink) - offsetof(struct m, take));
	m->call &= ~3ull;
	m->handoff_from = GRT_NO_ID;
}

struct m *thread_reserve(void)
{
	struct m *m = sched.mfree;

	/* mcount would be one more than now. */
	if (sched.mnext - sched.nmfreed >= sched.maxmcount) {
		lock_release(&sched.lock);
		warn_("runtime: program exceeds %ld-thread limit", (long)sched.maxmcount);
		fatal_("thread exhaustion");
	}
	if (m) {
		sched.mfree = m->schedlink;
	} else {
		m = slot_new();
	}
	slot_reset(m);
	__atomic_store_n(&m->id, (u64)sched.mnext++, __ATOMIC_RELAXED);
	m->rng = m->id * 0x9e3779b97f4a7c15ull + 1;
	__atomic_store_n(&m->status, GRT_M_STARTING, __ATOMIC_RELEASE);
	if (m->index == sched.allm_len)
		__atomic_store_n(&sched.allm_len, m->index + 1, __ATOMIC_RELEASE);
	return m;
}

/* What sanitizers and the overflow handler must know of the system stack. */
static void thread_find_stack(struct m *m)
{
	pthread_attr_t attr;

	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	pthread_attr_getstack(&attr, &m->g0_stack_lo, &m->g0_stack_size);
	pthread_attr_destroy(&attr);
}

void thread_enter(struct m *m, void *signal_stack)
{
	m_self_tls = m;
	m->thread = pthread_self();
	__atomic_store_n(&m->tid, (i32)syscall(SYS_gettid), __ATOMIC_RELEASE);
	thread_find_stack(m);
	fault_thread_init(signal_stack);
	sink_thread_start(m);
}

void thread_leave_locked(struct m *m)
{
	PROBE_FIRE(m_exit, m->id, (u64)m->tid);
	__atomic_add_fetch(&sched.count.m_exit, 1, __ATOMIC_RELAXED);
	fault_thread_init(NULL);
	m_self_tls = NULL;
	__atomic_store_n(&m->tid, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&m->status, GRT_M_DEAD, __ATOMIC_RELEASE);
	sched.nmfreed++;
	m->schedlink = sched.mfree;
	sched.mfree = m;
}

static void *thread_main(void *arg)
{
	/* The frame of the thread's first function is where the handler of a stack overflow runs. */
	char signal_stack[SIGNAL_STACK_SIZE] __attribute__((aligned(64)));
	struct m *m = arg;

	thread_enter(m, signal_stack);
	PROBE_FIRE(m_start, m->id, (u64)m->tid, (u64)(uintptr_t)m);
	pthread_sigmask(SIG_SETMASK, &thread.mask, NULL);
	thread.loop(m);
	return NULL;
}

static int thread_try(struct m *m)
{
	struct timespec ts = { 0 };
	pthread_t id;
	int err = 0;

	for (int ms = 1; ms <= THREAD_RETRIES; ms++) {
		err = pthread_create(&id, &thread.attr, thread_main, m);
		if (err != EAGAIN)
			return err;
		ts.tv_nsec = ms * 1000000l;
		nanosleep(&ts, NULL);
	}
	return err;
}

static void thread_make_here(struct m *m)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = thread_try(m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err == 0)
		return;
	warn_("runtime: failed to create new OS thread (have %ld already; errno=%d)",
	      (long)(sched.mnext - sched.nmfreed - 1), err);
	if (err == EAGAIN)
		warn_("runtime: may need to increase max user processes (ulimit -u)");
	fatal_("newosproc");
}

void thread_make(struct m *m)
{
	struct m *self = m_self();

	m->thread_ns = clock_ns();
	__atomic_add_fetch(&sched.count.m_new, 1, __ATOMIC_RELAXED);
	if (!self || !self->lockedg) {
		thread_make_here(m);
		return;
	}
	lock_acquire(&sched.lock);
	MUST(thread.has_template, "thread_make: a locked M and no template thread");
	m->schedlink = thread.wanted;
	thread.wanted = m;
	if (!thread.is_signalled) {
		thread.is_signalled = true;
		note_wake(&thread.wanted_note);
	}
	lock_release(&sched.lock);
}

static void *template_main(void *arg)
{
	struct m *m = arg;

	thread_enter(m, NULL);
	PROBE_FIRE(m_start, m->id, (u64)m->tid, (u64)(uintptr_t)m);
	for (;;) {
		struct m *list;

		note_sleep(&thread.wanted_note);
		lock_acquire(&sched.lock);
		note_clear(&thread.wanted_note);
		thread.is_signalled = false;
		list = thread.wanted;
		thread.wanted = NULL;
		lock_release(&sched.lock);
		while (list) {
			struct m *next = list->schedlink;

			list->schedlink = NULL;
			thread_make_here(list);
			list = next;
		}
	}
	return NULL;
}

void thread_template_start(void)
{
	sigset_t all, old;
	pthread_t id;
	struct m *m;

	lock_acquire(&sched.lock);
	if (thread.has_template) {
		lock_release(&sched.lock);
		return;
	}
	thread.has_template = true;
	m = thread_reserve();
	__atomic_store_n(&m->status, GRT_M_SYSTEM, __ATOMIC_RELEASE);
	sched.nmsys++;
	lock_release(&sched.lock);
	PROBE_FIRE(m_new, m->id, GRT_NO_ID, GRT_MNEW_TEMPLATE);
	__atomic_add_fetch(&sched.count.m_new, 1, __ATOMIC_RELAXED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&id, &thread.attr, template_main, m) != 0)
		fatal_("newosproc: the template thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
