/* SPDX-License-Identifier: MIT */
/* books.h - what the runtime itself counts, read while it goes on. */
#ifndef TEST_BOOKS_H
#define TEST_BOOKS_H

#include "../../runtime/types.h"

/* Goroutines that wait for the network. */
static inline u32 waiters(void)
{
	return __atomic_load_n(&sched.netpoll_waiters, __ATOMIC_SEQ_CST);
}

/* Ms in calls whose P is gone. Who comes back is counted last and read first: never one too few. */
static inline u64 blocked_ms(void)
{
	u64 back = __atomic_load_n(&sched.count.exit_slow, __ATOMIC_SEQ_CST);

	return __atomic_load_n(&sched.count.retake, __ATOMIC_SEQ_CST) +
	       __atomic_load_n(&sched.count.block, __ATOMIC_SEQ_CST) - back;
}

#endif
