/* SPDX-License-Identifier: MIT */
/*
 * order.h - the one full fence, by name. Pairs: m_wake (mset.c) with recheck and give_up_p
 * (find.c) and handoff_p (handoff.c).
 *
 * Thread sanitizer does not understand fences; there, an atomic operation on a common word orders the
 * same two threads.
 */
#ifndef GRT_ORDER_H
#define GRT_ORDER_H

#ifdef __SANITIZE_THREAD__
static inline void fence_full(void)
{
	extern unsigned fence_word;

	__atomic_fetch_add(&fence_word, 1, __ATOMIC_SEQ_CST);
}
#else
static inline void fence_full(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
#endif

#endif
