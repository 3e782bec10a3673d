/* SPDX-License-Identifier: MIT */
/*
 * mstate.h - the table of thread states. A thread is in exactly one; first match wins:
 *
 *   1  the thread is no M                               foreign
 *   2  the M is marked system                           system
 *   3  its G is in a call and the P is gone             blocked
 *   4  its G is in a call and the M owns its P          syscall
 *   5  it owns a P and is asleep or stopped             hostage
 *   6  else by the M's own status                       running spinning polling idle locked
 *
 * Being asleep does not mean blocked, and a blocked M need not be asleep: "blocked" rests on who
 * owns the P. This header is the only implementation, for BPF programs and for snapshot readers;
 * a runtime (libgrt, Go up to 1.25, Go from 1.26) differs only in how struct mstate_in is filled.
 */
#ifndef GRT_MSTATE_H
#define GRT_MSTATE_H

#include "../runtime/trace_abi.h"

/* MSTATE(number, word for the user). The numbers are in recorded files: append only. */
#define MSTATES(MSTATE)     \
	MSTATE(0, foreign)  \
	MSTATE(1, system)   \
	MSTATE(2, blocked)  \
	MSTATE(3, syscall)  \
	MSTATE(4, hostage)  \
	MSTATE(5, running)  \
	MSTATE(6, spinning) \
	MSTATE(7, polling)  \
	MSTATE(8, idle)     \
	MSTATE(9, locked)

enum grt_mstate {
#define MSTATE_ENUM(nr, word) GRT_MS_##word = (nr),
	MSTATES(MSTATE_ENUM)
#undef MSTATE_ENUM
		GRT_MS_COUNT
};

struct mstate_in {
	__u8 is_m;
	__u8 status;  /* enum grt_m_status */
	__u8 in_call; /* its G is in a syscall or foreign call */
	__u8 owns_p;
	__u8 asleep; /* the kernel says: asleep or stopped, not merely off the CPU */
};

/* Fill the fields that libgrt keeps in three words of its M. */
static inline void mstate_from_grt(struct mstate_in *in, __u32 status, __u64 call, __u64 take,
				   __u64 p)
{
	in->is_m = status != GRT_M_DEAD;
	in->status = (__u8)status;
	in->in_call = (call & GRT_CALL_IN) != 0;
	in->owns_p = p != 0 && GRT_TAKE_KIND(take) != GRT_TAKE_TAKEN;
}

static inline enum grt_mstate mstate_of(const struct mstate_in *in)
{
	if (!in->is_m)
		return GRT_MS_foreign;
	if (in->status == GRT_M_SYSTEM)
		return GRT_MS_system;
	if (in->in_call)
		return in->owns_p ? GRT_MS_syscall : GRT_MS_blocked;
	if (in->owns_p && in->asleep)
		return GRT_MS_hostage;
	switch (in->status) {
	case GRT_M_STARTING:
	case GRT_M_SPINNING:
		return GRT_MS_spinning;
	case GRT_M_POLLING:
		return GRT_MS_polling;
	case GRT_M_IDLE:
		return GRT_MS_idle;
	case GRT_M_LOCKED:
		return GRT_MS_locked;
	default:
		return GRT_MS_running;
	}
}

#endif
