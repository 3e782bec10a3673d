/* SPDX-License-Identifier: MIT */
/*
 * naps.h - goroutines in calls of all sorts, for tests of who has what: each counts itself while it runs
 * outside of one.
 */
#ifndef NAPS_H
#define NAPS_H

#include "assert_test.h"

#include <sys/syscall.h>
#include <time.h>

#define WORKERS 12
#define ROUNDS 60
#define NAP_NS 50000 /* about when sysmon looks again: it and the return race for the P */

static grt_waitgroup done;
static int inside, most_inside;

static inline long nap_foreign(void *ts)
{
	return nanosleep(ts, NULL);
}

/* By turns a call that may block, one known to block, and a foreign function that sleeps. */
static inline void nap(int kind, long ns)
{
	struct timespec ts = { .tv_nsec = ns };

	if (kind % 3 == 0)
		EXPECT_EQ(grt_syscall(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0), 0);
	else if (kind % 3 == 1)
		EXPECT_EQ(grt_syscall_block(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0), 0);
	else
		EXPECT_EQ(grt_blocking_call(nap_foreign, &ts), 0);
}

static inline void note_inside(int now)
{
	int most = __atomic_load_n(&most_inside, __ATOMIC_SEQ_CST);

	while (now > most && !__atomic_compare_exchange_n(&most_inside, &most, now, false,
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static inline void run_a_little(void)
{
	note_inside(__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST));
	for (volatile int i = 0; i < 2000; i++)
		;
	__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
}

static inline void work_and_nap(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		run_a_little();
		nap(i, NAP_NS);
	}
	run_a_little();
	grt_waitgroup_done(&done);
}

static inline void all_work_and_nap(void)
{
	grt_waitgroup_add(&done, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(grt_go(work_and_nap, NULL), 0);
	grt_waitgroup_wait(&done);
}

static inline void nap_eagerly(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++)
		nap(1, NAP_NS);
	grt_waitgroup_done(&done);
}

static inline void spin(void *stop)
{
	while (!__atomic_load_n((int *)stop, __ATOMIC_ACQUIRE))
		;
}

static inline void read_a_pipe(void *arg)
{
	struct blocking_pipe *p = arg;
	char c;

	EXPECT_EQ(grt_read(p->fd[0], &c, 1), 1);
	grt_waitgroup_done(&done);
}

#endif
