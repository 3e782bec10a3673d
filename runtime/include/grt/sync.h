/* SPDX-License-Identifier: MIT */
/* sync.h - wait group and mutex for goroutines. Zeroed memory is a valid initial value. */
#ifndef GRT_SYNC_H
#define GRT_SYNC_H

#include <grt/api.h>
#include <stdint.h>

GRT_BEGIN

struct grt_waitlist {
	void *head, *tail;
};

/* Counts work that is not done yet. */
typedef struct grt_waitgroup {
	uint32_t lock_word;
	int32_t count;
	struct grt_waitlist waiters;
	uint64_t reserved[2];
} grt_waitgroup;
#define GRT_WAITGROUP_INIT \
	{                  \
		0          \
	}

/* Add n (may be negative). A count below zero ends the process, as in Go. Any thread. */
GRT_API void grt_waitgroup_add(grt_waitgroup *wg, int n);
GRT_API void grt_waitgroup_done(grt_waitgroup *wg);
/* Until the count is 0. 0, or -EPERM off a goroutine if it would have to wait. Parks the G. */
GRT_API int grt_waitgroup_wait(grt_waitgroup *wg);

/* Mutual exclusion between goroutines; not recursive; may be unlocked by another goroutine. */
typedef struct grt_mutex {
	uint32_t lock_word;
	uint32_t held;
	struct grt_waitlist waiters;
	uint64_t reserved[2];
} grt_mutex;
#define GRT_MUTEX_INIT \
	{              \
		0      \
	}

/* 0, or -EPERM off a goroutine if it would have to wait. Parks the G. FIFO, handed over. */
GRT_API int grt_mutex_lock(grt_mutex *mu);
/* 0, or -EBUSY. Any thread. */
GRT_API int grt_mutex_trylock(grt_mutex *mu);
/* Of a mutex that is not held ends the process, as in Go. Any thread. */
GRT_API void grt_mutex_unlock(grt_mutex *mu);

GRT_END

#endif
