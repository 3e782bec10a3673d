/* SPDX-License-Identifier: MIT */
/*
 * mset.h - the Ms: making threads, putting them to sleep, waking them, letting them go.
 *
 * An M is idle (on midle, asleep on its note, no P), or locked-idle (asleep for the one G that is
 * locked to it), or it has a P, or it is in a call, or it blocks in the netpoller, or it is on its way
 * between these. Whoever wakes an M has put the P it shall run into nextp first.
 *
 * At most one M is woken at a time for new work: the woken one spins, and wakes the next when it
 * finds a G. Two recipes keep work from being lost while all Ps go idle (I6):
 *
 *   producer: publish the work; full fence; if nobody spins, m_wake
 *   consumer: stop spinning (nmspinning--); full fence; look at every queue once more
 */
#ifndef GRT_MSET_H
#define GRT_MSET_H

#include "types.h"

/* What a new thread runs: the scheduler's loop, handed down at start. It returns when the M ends. */
void mset_init(void (*loop)(struct m *));

/* The calling thread becomes an M that is marked system (never has a P) and has no loop. */
struct m *m_adopt_system(void);

struct m_started {
	u64 m;     /* its id, GRT_NO_ID if there was no P for it */
	bool made; /* a thread was made */
};
/*
 * Give p to an idle M or a new one. p NULL: an idle P, if there is one. spinning: the M starts looking
 * for work, and the caller has counted it in nmspinning. from: id of the M that lost p, or GRT_NO_ID.
 */
struct m_started m_start(struct p *p, bool spinning, u64 from, enum grt_m_new_cause cause);
/* Work was published: wake an M for it unless one is looking already. Full fence inside. */
void m_wake(void);

/* The calling M, without a P and not spinning, sleeps until it is given one. False: it must end. */
bool m_stop(struct m *m);
/* The calling M, to which a G is locked, hands off nothing and sleeps until that G is given to it. */
void m_stop_locked(struct m *m);
/* Hand the caller's P to the M that g is locked to and wake it there. Caller then stops. */
void m_start_locked(struct m *m, struct g *g);
/* The calling M, without a P, ends: afterwards the thread must return and not touch its M. */
void m_end(struct m *m);
/* Wire nextp, tell about the hand-off. */
void m_take_nextp(struct m *m);

void m_status_set(struct m *m, enum grt_m_status st);
void m_spin_start(struct m *m);
/* Returns true if the caller was the last that spun. */
bool m_spin_stop(struct m *m);

/* Ask idle Ms beyond gomaxprocs + IDLE_M_SPARE to leave that have been idle for idle_exit_ns. Returns
 * when the next one is due (absolute), 0 if none. sysmon only. */
i64 mset_reap(i64 now_ns);
/* Before the first grt_lock_os_thread: a thread in clean kernel state makes others for locked Ms. */
void mset_template_start(void);

/* A locked M is not counted while something is on its way to it, or the count would cry deadlock:
 * +1 before, -1 after. */
void mset_pretend_running(i32 n);
/* sched.lock held; called whenever a thread stops being able to run Gs. */
void mset_check_deadlock(void);

static inline u64 m_id(const struct m *m)
{
	return m ? m->id : GRT_NO_ID;
}

static inline i64 mset_count(void)
{
	return sched.mnext - sched.nmfreed;
}

#endif
