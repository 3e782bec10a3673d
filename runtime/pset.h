/* SPDX-License-Identifier: MIT */
/*
 * pset.h - the Ps: who owns which, and the idle ones.
 *
 * A P has exactly one owner (I3): its M, the idle list, an M's nextp, or a taker between a won take and
 * the hand-off. p.m == m iff m.p == p, outside calls whose P was taken (I2). An idle P has an empty
 * queue (I4).
 *
 *   idle -> running     p_wire (by the M that has it)
 *   running -> idle     p_unwire (its M), p_taken (the taker)
 */
#ifndef GRT_PSET_H
#define GRT_PSET_H

#include "fatal.h"
#include "types.h"

void pset_init(u32 n);

void p_wire(struct m *m, struct p *p);
struct p *p_unwire(struct m *m);
/* The taker has won p: status as for a P that an M let go. */
void p_taken(struct p *p);

/* The idle list, LIFO. sched.lock held. Taking the first one wakes sysmon. */
void pidle_put(struct p *p);
struct p *pidle_get(void);
/* The same for somebody who found work: if none is idle, the next M to drop its P is told to look
 * again (needspinning). */
struct p *pidle_get_spinning(void);

bool p_has_work(const struct p *p);
#ifdef GRT_DEBUG
/* A sum of the words of p that nobody but its owner writes: it stands still while the owner keeps off. */
u64 p_owner_words(const struct p *p);
#endif
/* Earliest timer over all Ps, 0: none. Racy. */
i64 pset_first_timer(void);
/* Wake sysmon out of any sleep. sched.lock held. */
void sysmon_kick(void);

static inline struct p *m_p(const struct m *m)
{
	return __atomic_load_n(&m->p, __ATOMIC_RELAXED);
}

static inline struct m *p_m(const struct p *p)
{
	return __atomic_load_n(&p->m, __ATOMIC_ACQUIRE);
}

/* A yield point of the G that runs on p: has sysmon asked for a yield? */
static inline bool p_is_asked(struct p *p)
{
	/* Fence: pairs with ask_to_yield in sysmon.c. Who is counted after its look sees its wish. */
	DEBUG_ONLY(__atomic_add_fetch(&p->passed, 1, __ATOMIC_SEQ_CST);)
	return __atomic_load_n(&p->preempt, __ATOMIC_RELAXED) != 0;
}

static inline u32 sched_npidle(void)
{
	return __atomic_load_n(&sched.npidle, __ATOMIC_SEQ_CST);
}

static inline u32 sched_nmspinning(void)
{
	return __atomic_load_n(&sched.nmspinning, __ATOMIC_SEQ_CST);
}

#endif
