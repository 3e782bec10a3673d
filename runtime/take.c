/* SPDX-License-Identifier: MIT */
/* take.c - the slow sides of take.h: claims, commits, and the membarrier that makes them safe. */
#include "take.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fatal.h"

#ifdef GRT_FENCED
u32 take_fenced = 1;
#else
u32 take_fenced;
#endif

static long membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

void take_init(void)
{
	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0)
		__atomic_store_n(&take_fenced, 1, __ATOMIC_SEQ_CST);
}

static bool take_cas(struct m *m, u64 from, u64 to)
{
	return __atomic_compare_exchange_n(&m->take, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_ACQUIRE);
}

static void take_lost(struct m *m)
{
	m->oldp = m->p;
	__atomic_store_n(&m->p, NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&m->take, GRT_TAKE_FREE, __ATOMIC_RELEASE);
}

bool take_leave_slow(struct m *m)
{
	for (u32 looks = 0;; looks++) {
		u64 word = __atomic_load_n(&m->take, __ATOMIC_ACQUIRE);

		INVARIANT(11, looks < 64, "M%lu cannot leave its call", (unsigned long)m->id);
		if (word == GRT_TAKE_FREE)
			return true;
		if (GRT_TAKE_KIND(word) == GRT_TAKE_TAKEN) {
			take_lost(m);
			return false;
		}
		if (take_cas(m, word, GRT_TAKE_FREE))
			return true;
		/* That taker resolved its claim. Each can disturb a leaving M a bounded number of times. */
	}
}

/* Every store that other threads of the process had buffered has now reached memory. */
static bool take_barrier(u64 call)
{
	if (call & GRT_CALL_FENCED)
		return true; /* the M paid on its side, the claim's CAS on ours */
	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
		return true;
	__atomic_store_n(&take_fenced, 1, __ATOMIC_SEQ_CST);
	return false;
}

bool take_p(struct p *p, struct m *m, u64 call, u64 ticket, i64 now_ns)
{
	u64 claim = ticket << GRT_TAKE_SHIFT | GRT_TAKE_CLAIM;
	u64 taken = (u64)now_ns << GRT_TAKE_SHIFT | GRT_TAKE_TAKEN;

	if (__atomic_load_n(&take_fenced, __ATOMIC_ACQUIRE) && !(call & GRT_CALL_FENCED))
		return false;
	if (!take_cas(m, GRT_TAKE_FREE, claim))
		return false;
	if (take_barrier(call) && m_call(m) == call &&
	    __atomic_load_n(&m->p, __ATOMIC_ACQUIRE) == p && take_cas(m, claim, taken)) {
		__atomic_store_n(&p->m, NULL, __ATOMIC_RELEASE);
		return true;
	}
	take_cas(m, claim, GRT_TAKE_FREE); /* the M may have cancelled it already */
	return false;
}

/*
 * A stale claim may stand (its taker read an earlier call): overwriting it is right, since that taker
 * can then neither commit nor withdraw, and finds another call when it looks again.
 */
void take_give_up(struct m *m, i64 now_ns)
{
	__atomic_store_n(&m->take, (u64)now_ns << GRT_TAKE_SHIFT | GRT_TAKE_TAKEN,
			 __ATOMIC_RELEASE);
}
