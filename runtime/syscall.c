/* SPDX-License-Identifier: MIT */
/*
 * syscall.c - into and out of calls that may block: who owns the P in between, and the ways back.
 *
 * Entering costs five plain stores and leaving two loads (take.h). Only when the P was taken does
 * leaving become work: get the old P if it is merely lent to another call, or any idle P, else queue
 * the goroutine and let the thread sleep.
 *
 * From IN on the P is not touched (I9); exactly one of {returning M, taker} gets it (I10).
 */
#include "syscall.h"

#include <errno.h>

#include "fatal.h"
#include "find.h"
#include "forked.h"
#include "handoff.h"
#include "include/grt/errno.h"
#include "include/grt/run.h"
#include "lock.h"
#include "loop.h"
#include "mset.h"
#include "probes.h"
#include "pset.h"
#include "sanitize.h"
#include "sched.h"
#include "state.h"
#include "take.h"

#define CALLER_PC ((u64)(uintptr_t)__builtin_return_address(0))
#define CALLER_FP ((u64)(uintptr_t)__builtin_frame_address(0))

static bool is_outside(const struct m *m)
{
	if (!m)
		forked_check();
	return !m || !m->curg;
}

/* pc, fp: of the call's own entry point, so that what is published is its caller. */
static inline void enter_from(struct m *m, i64 nr, u64 arg, u64 pc, u64 fp)
{
	take_publish(m, nr, arg, pc, fp + 16, fp);
	DEBUG_ONLY(m->p_words = p_owner_words(m->p);)
	take_enter(m);
}

static void enter_told(struct m *m, i64 nr, u64 arg, u64 pc, u64 fp)
{
	PROBE_FIRE(entersyscall, m->curg->goid, m->id, m->p->id, (u64)nr, pc);
	enter_from(m, nr, arg, pc, fp);
}

/* Inline: of the entry point are the frame and the return address. */
static inline __attribute__((always_inline)) void enter(struct m *m, i64 nr, u64 arg)
{
	enter_told(m, nr, arg, CALLER_PC, CALLER_FP);
}

void call_enter(i64 nr, u64 arg)
{
	struct m *m = m_self();

	if (is_outside(m))
		return;
	if (m_is_in_call(m)) {
		m->call_nested++;
		return;
	}
	enter(m, nr, arg);
}

void call_enter_block(i64 nr, u64 arg)
{
	struct m *m = m_self();
	struct p *p;

	if (is_outside(m))
		return;
	if (m_is_in_call(m)) {
		m->call_nested++;
		return;
	}
	p = p_unwire(m);
	p->syscalltick++;
	__atomic_add_fetch(&sched.count.block, 1, __ATOMIC_RELAXED);
	PROBE_FIRE(entersyscallblock, m->curg->goid, m->id, p->id, (u64)nr);
	take_publish(m, nr, arg, CALLER_PC, CALLER_FP + 16, CALLER_FP);
	take_give_up(m, clock_ns());
	take_enter(m);
	handoff_p(p, m->id, m->curg->goid, GRT_HANDOFF_SELF);
}

/* The P that was lost, if it is at this moment in another M's call. */
static bool steal_old_p(struct m *m, struct p *old)
{
	struct m *other = old ? p_m(old) : NULL;
	u64 call = other && other != m ? m_call(other) : 0;
	struct g *g = other ? __atomic_load_n(&other->curg, __ATOMIC_ACQUIRE) : NULL;

	if (!call_word_is_in(call) || !take_p(old, other, call, TAKE_TICKET_M(m), clock_ns()))
		return false;
	p_taken(old);
	__atomic_add_fetch(&sched.count.retake, 1, __ATOMIC_RELAXED);
	PROBE_FIRE(retake, old->id, other->id, g ? g->goid : 0, 0, GRT_BY_EXIT_STEAL,
		   (u64)__atomic_load_n(&other->call_nr, __ATOMIC_RELAXED));
	p_wire(m, old);
	return true;
}

static bool get_idle_p(struct m *m)
{
	struct p *p;

	if (sched_npidle() == 0)
		return false;
	lock_acquire(&sched.lock);
	p = pidle_get();
	lock_release(&sched.lock);
	if (!p)
		return false;
	p_wire(m, p);
	return true;
}

/* On the system stack: no P was to be had. The goroutine is queued, the thread sleeps. */
static struct g *exit_queue(struct m *m, struct g *g)
{
	bool is_locked = g->lockedm != NULL;
	struct p *p;

	g_queued(m, g);
	lock_acquire(&sched.lock);
	p = pidle_get();
	if (!p)
		queue_global_locked(g);
	lock_release(&sched.lock);
	if (p) {
		p_wire(m, p);
		return g;
	}
	if (is_locked) {
		m_stop_locked(m);
		return g;
	}
	/* No P, no G: the loop sleeps. */
	return NULL;
}

/* The P was taken meanwhile. */
static enum grt_exit_how exit_slow(struct m *m)
{
	struct g *g = m->curg;
	struct p *old = m->oldp;
	u64 old_id = old ? old->id : GRT_NO_ID, m_id = m->id, queued_ns = 0;
	enum grt_exit_how how;

	m->oldp = NULL;
	__atomic_add_fetch(&sched.count.exit_slow, 1, __ATOMIC_RELAXED);
	if (steal_old_p(m, old)) {
		how = GRT_EXIT_OLD_P;
	} else if (get_idle_p(m)) {
		how = m->p == old ? GRT_EXIT_OLD_P : GRT_EXIT_IDLE_P;
	} else {
		how = GRT_EXIT_QUEUED;
		g->ready_ns = clock_ns();
		g_leave(g, exit_queue);
		queued_ns = (u64)(clock_ns() - g->ready_ns);
		g->ready_ns = 0;
	}
	PROBE_FIRE(exitsyscall_slow, g->goid, m_id, old_id, how, queued_ns);
	return how;
}

/* m: the calling thread's M; after a slow exit the goroutine may be on another. */
static inline enum grt_exit_how leave(struct m *m)
{
	enum grt_exit_how how = GRT_EXIT_KEPT;
	struct p *p;
	DEBUG_ONLY(i32 saved_errno = *grt_errno_location();)

	if (__builtin_expect(!take_leave(m), 0)) {
		how = exit_slow(m);
		m = m_self();
	}
	p = m->p;
	INVARIANT(10, p && p->m == m, "M%lu is back from a call without a P of its own",
		  (unsigned long)m->id);
	/* A P that was kept was nobody else's in between, so that who wrote to it was in the call. */
	DEBUG_ONLY(INVARIANT(9, how != GRT_EXIT_KEPT || p_owner_words(p) == m->p_words,
			     "M%lu used P%u from inside a call", (unsigned long)m->id, p->id);)
	p->syscalltick++;
	PROBE_FIRE(exitsyscall, m->curg->goid, m->id, p->id, how);
	if (__builtin_expect(p_is_asked(p), 0))
		sched_yield_self();
	DEBUG_ONLY(INVARIANT(23, *grt_errno_location() == saved_errno,
			     "the way out of a call made errno %d of %d", *grt_errno_location(),
			     saved_errno);)
	return how;
}

void call_exit(void)
{
	struct m *m = m_self();

	if (is_outside(m))
		return;
	if (m->call_nested) {
		m->call_nested--;
		return;
	}
	leave(m);
}

/* Outside of goroutines, in a call already, or watched. */
static __attribute__((noinline)) long syscall_seldom(long nr, long a, long b, long c, long d,
						     long e, long f, u64 pc, u64 fp)
{
	struct m *m = m_self();
	long r;

	if (is_outside(m) || m_is_in_call(m))
		return call_raw(nr, a, b, c, d, e, f);
	enter_told(m, nr, (u64)a, pc, fp);
	r = call_raw(nr, a, b, c, d, e, f);
	leave(m);
	return r;
}

/*
 * Inline, and nothing called in front of the instruction: a function more is a return more that is
 * mispredicted behind the kernel, and arguments that must survive a call are registers to restore.
 */
static inline __attribute__((always_inline)) long syscall_run(long nr, long a, long b, long c,
							      long d, long e, long f)
{
	struct m *m = m_self();
	long r;

	if (__builtin_expect(!m || !m->curg || m_is_in_call(m) || PROBE_ON(entersyscall), 0))
		return syscall_seldom(nr, a, b, c, d, e, f, CALLER_PC, CALLER_FP);
	enter_from(m, nr, (u64)a, CALLER_PC, CALLER_FP);
	r = call_raw(nr, a, b, c, d, e, f);
	leave(m);
	return r;
}

long call_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	return syscall_run(nr, a, b, c, d, e, f);
}

long grt_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	return syscall_run(nr, a, b, c, d, e, f);
}

long grt_syscall_block(long nr, long a, long b, long c, long d, long e, long f)
{
	long r;

	call_enter_block(nr, (u64)a);
	r = call_raw(nr, a, b, c, d, e, f);
	call_exit();
	return r;
}

long grt_blocking_call(long (*fn)(void *), void *arg)
{
	struct m *m = m_self();
	enum grt_exit_how how;
	long r;

	if (is_outside(m) || m_is_in_call(m))
		return fn(arg);
	PROBE_FIRE(cgo_call, m->curg->goid, m->id, (u64)(uintptr_t)fn);
	enter(m, GRT_NR_FOREIGN, (u64)(uintptr_t)fn);
	r = sanitize_call_on(m, fn, arg);
	how = leave(m);
	PROBE_FIRE(cgo_return, m_self()->curg->goid, m_self()->id, how);
	return r;
}
