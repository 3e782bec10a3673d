/* SPDX-License-Identifier: MIT */
/*
 * take.h - who gets the P of a call: the M that returns, or one that takes it.
 *
 * The M pays two plain stores and two loads; a taker pays a membarrier. Words:
 *
 *   m.call   tick << 2 | IN | FENCED                     its M only
 *   m.take   0 (free), ticket << 2 | CLAIM,              takers by CAS, its M back to free
 *            time << 2 | TAKEN
 *   m.p      the P it runs on                            its M only
 *   p.m      the M that owns it                          the P's owner only
 *
 * Enter: publish the fields for outside readers, then call = tick | IN. From here on the P may be
 * gone at any moment and must not be touched.
 * Leave: call = tick without IN, then look at take. Free: the P was never lost. A claim: contest it
 * by CAS to free. TAKEN: the P is gone.
 * Take: read m = p.m and its call word; claim; membarrier; read call and m.p again; same call, same
 * P: commit (CAS claim -> TAKEN), else withdraw (CAS claim -> free).
 *
 * Why it suffices: between the M's store of "not IN" and its load of take
 *
 *     M                                     taker                              outcome
 *     call = tick            (A)
 *                                           claim; membarrier; reads call      (A) has reached memory
 *                                           sees: not IN                       taker backs off
 *     reads take: free or a claim           CAS claim -> free                  kept
 *
 *     call = tick            (A, buffered)
 *                                           claim; membarrier                  runs in M before the load:
 *     reads take: claim                     reads call                         M sees the claim, and (A)
 *     CAS claim -> free                     CAS fails or withdraws             has drained: kept
 *
 *                                           claim; membarrier; reads IN        M is before (A):
 *                                           CAS claim -> TAKEN                 the call still runs
 *     call = tick; reads take: TAKEN                                           lost
 *
 * There is no fourth order. Tickets are unique per taker: with one ticket for all, a taker could
 * commit a claim that another made after the M had cancelled its own. The tick is compared because
 * the M may have left and entered another call meanwhile; m.p because it may have another P there.
 * tests/model/take.pml checks this exhaustively, and that each of these details is needed.
 *
 * Where membarrier is not to be had (seccomp, old kernels) or fails once, take_fenced is set for
 * ever: Ms then enter and leave with a locked instruction and mark the call FENCED, and takers leave
 * calls alone that lack the mark until they return. Thread sanitizer cannot see a membarrier:
 * builds with GRT_FENCED start in that mode.
 *
 * Rejected: a CAS each way on the goroutine's status (8 to 14 ns a pair); a status of the P (the P
 * must then be written on entry, and a lost P re-read on exit); stamping the time of the take in a
 * word of its own (an outside reader can pair it with the wrong call).
 */
#ifndef GRT_TAKE_H
#define GRT_TAKE_H

#include "types.h"

extern u32 take_fenced; /* A  0 -> 1 once */

/* Register for membarrier. Before the first M. */
void take_init(void);

/* Contest claims, or accept the loss: clears m.p, puts it into m.oldp, frees m.take. True: kept. */
bool take_leave_slow(struct m *m);

/*
 * Take p from m, whose call word was read as `call` (with IN). ticket: TAKE_TICKET_*. True: the caller
 * owns p, p->m is cleared. The caller must not hold another claim.
 */
bool take_p(struct p *p, struct m *m, u64 call, u64 ticket, i64 now_ns);
#define TAKE_TICKET_SYSMON 1ull
#define TAKE_TICKET_M(m) ((u64)(m)->index + 2)

/* For an M that has unwired its P by itself: the call it enters next starts without one. */
void take_give_up(struct m *m, i64 now_ns);

static inline bool call_word_is_in(u64 call)
{
	return (call & GRT_CALL_IN) != 0;
}

static inline u64 m_call(const struct m *m)
{
	return __atomic_load_n(&m->call, __ATOMIC_ACQUIRE);
}

/* Is this M's G in a call? For its own thread. */
static inline bool m_is_in_call(const struct m *m)
{
	return call_word_is_in(__atomic_load_n(&m->call, __ATOMIC_RELAXED));
}

/* What an outside reader is told; each a release, behind the last call's "not IN". */
static inline void take_publish(struct m *m, i64 nr, u64 arg, u64 pc, u64 sp, u64 fp)
{
	__atomic_store_n(&m->call_nr, nr, __ATOMIC_RELEASE);
	__atomic_store_n(&m->call_arg, arg, __ATOMIC_RELEASE);
	__atomic_store_n(&m->call_pc, pc, __ATOMIC_RELEASE);
	__atomic_store_n(&m->call_sp, sp, __ATOMIC_RELEASE);
	__atomic_store_n(&m->call_fp, fp, __ATOMIC_RELEASE);
}

static inline void take_enter(struct m *m)
{
	u64 word = m->call + (1ull << GRT_CALL_TICK_SHIFT) + GRT_CALL_IN;

	if (__builtin_expect(__atomic_load_n(&take_fenced, __ATOMIC_RELAXED), 0))
		__atomic_exchange_n(&m->call, word | GRT_CALL_FENCED, __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(&m->call, word,
				 __ATOMIC_RELEASE); /* pairs with m_call in take_p */
}

static inline bool take_leave(struct m *m)
{
	u64 word = m->call;

	if (__builtin_expect((word & GRT_CALL_FENCED) != 0, 0))
		__atomic_exchange_n(&m->call, word & ~3ull, __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(&m->call, word & ~3ull, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* the taker's membarrier does the rest */
	if (__builtin_expect(__atomic_load_n(&m->take, __ATOMIC_ACQUIRE) == GRT_TAKE_FREE, 1))
		return true;
	return take_leave_slow(m);
}

#endif
