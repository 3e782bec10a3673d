/* SPDX-License-Identifier: MIT */
/* pset.c - see pset.h. */
#include "pset.h"

#include <stdlib.h>

#include "fatal.h"
#include "lock.h"
#include "probes.h"
#include "runq.h"
#include "timer.h"

struct sched sched = { .epfd = -1 };
struct p **allp;

void pset_init(u32 n)
{
	allp = calloc(n, sizeof(struct p *));
	MUST(allp != NULL, "pset_init: out of memory");
	for (u32 i = 0; i < n; i++) {
		struct p *p = aligned_alloc(64, (sizeof(*p) + 63) / 64 * 64);

		MUST(p != NULL, "pset_init: out of memory");
		__builtin_memset(p, 0, sizeof(*p));
		p->id = i;
		p->rng = i * 2654435761u + 1;
		timer_heap_init(&p->timers);
		allp[i] = p;
	}
	sched.gomaxprocs = n;
	lock_acquire(&sched.lock);
	for (u32 i = n; i-- > 0;)
		pidle_put(allp[i]);
	lock_release(&sched.lock);
	PROBE_FIRE(procs_change, 0, n);
}

/* p.m before m.p: a taker that finds the M through p.m checks m.p last. */
void p_wire(struct m *m, struct p *p)
{
	MUST(m->p == NULL && p->m == NULL, "p_wire: M%lu or P%u is taken", (unsigned long)m->id,
	     p->id);
	MUST(p->status == GRT_P_IDLE, "p_wire: P%u is not idle", p->id);
	__atomic_store_n(&p->m, m, __ATOMIC_RELEASE);
	__atomic_store_n(&m->p, p, __ATOMIC_RELEASE);
	__atomic_store_n(&p->status, GRT_P_RUNNING, __ATOMIC_RELEASE);
}

struct p *p_unwire(struct m *m)
{
	struct p *p = m->p;

	MUST(p != NULL && p->m == m, "p_unwire: M%lu does not own its P", (unsigned long)m->id);
	__atomic_store_n(&p->status, GRT_P_IDLE, __ATOMIC_RELEASE);
	__atomic_store_n(&p->m, NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&m->p, NULL, __ATOMIC_RELEASE);
	return p;
}

void p_taken(struct p *p)
{
	INVARIANT(3, p->m == NULL, "taken P%u has an owner", p->id);
	p->syscalltick++;
	__atomic_store_n(&p->status, GRT_P_IDLE, __ATOMIC_RELEASE);
}

void sysmon_kick(void)
{
	sched.sysmonwait = 0;
	if (sched.sysmon_signalled)
		return;
	sched.sysmon_signalled = true;
	note_wake(&sched.sysmon_note);
}

void pidle_put(struct p *p)
{
	MUST(!p_has_work(p), "pidle_put: P%u has work (I4)", p->id);
	MUST(p->m == NULL, "pidle_put: P%u has an owner (I3)", p->id);
	p->link = sched.pidle;
	sched.pidle = p;
	DEBUG_ONLY(p->unfair = 0;) /* who idles a P has just looked at the global queue: I20 */
	__atomic_add_fetch(&sched.npidle, 1, __ATOMIC_SEQ_CST);
	INVARIANT(3, sched.npidle <= sched.gomaxprocs, "more idle Ps than there are");
}

struct p *pidle_get(void)
{
	struct p *p = sched.pidle;

	if (!p)
		return NULL;
	sched.pidle = p->link;
	p->link = NULL;
	__atomic_sub_fetch(&sched.npidle, 1, __ATOMIC_SEQ_CST);
	if (sched.sysmonwait)
		sysmon_kick();
	return p;
}

struct p *pidle_get_spinning(void)
{
	struct p *p = pidle_get();

	if (!p)
		__atomic_store_n(&sched.needspinning, 1, __ATOMIC_SEQ_CST);
	return p;
}

bool p_has_work(const struct p *p)
{
	return !runq_is_empty(&p->runq);
}

#ifdef GRT_DEBUG
u64 p_owner_words(const struct p *p)
{
	const u64 words[] = { p->schedtick, p->syscalltick, p->runq.tail,  p->goid_next,
			      p->g_made,    p->g_ended,     p->gfree.size, p->unfair };
	u64 sum = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		sum = sum * 31 + words[i];
	return sum;
}
#endif

i64 pset_first_timer(void)
{
	i64 first = 0;

	for (u32 i = 0; i < sched.gomaxprocs; i++) {
		i64 when = timer_first(&allp[i]->timers);

		if (when != 0 && (first == 0 || when < first))
			first = when;
	}
	return first;
}
