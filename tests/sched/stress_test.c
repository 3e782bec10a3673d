/* SPDX-License-Identifier: MIT */
/*
 * stress_test.c - everything at once, and then the books must balance. What it looks for: lost
 * goroutines (I7), lost wake-ups (I6, I22: the run would end in a false or a true deadlock), a P with
 * two owners (I3, I10: plain counters per P would drift), double readies (I8).
 *
 * GRT_LONG=1 multiplies the rounds.
 */
#include "runtime_test.h"

#include <sys/syscall.h>

#include "books.h"
#include "../../runtime/gs.h"
#include "../../runtime/pset.h"

static int rounds(int n)
{
	return getenv("GRT_LONG") ? n * 50 : n;
}

static u64 finished;

static void done(void)
{
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

static void tree(void *arg)
{
	intptr_t depth = (intptr_t)arg;

	if (depth > 0) {
		EXPECT_EQ(grt_go(tree, (void *)(depth - 1)), 0);
		EXPECT_EQ(grt_go(tree, (void *)(depth - 1)), 0);
	}
	done();
}

RUNTIME_TEST(i7_no_goroutine_is_lost_in_a_tree_of_spawns, 4)
{
	for (int i = 0; i < rounds(8); i++) {
		u64 want = (1u << 11) - 1;

		finished = 0;
		EXPECT_EQ(grt_go(tree, (void *)10), 0);
		AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == want);
	}
}

/* A different mix per goroutine: nothing, yield, sleep, short call, long call, foreign call, mutex. */
static grt_mutex mutex = GRT_MUTEX_INIT;
static u64 guarded;

static long foreign_nap(void *arg)
{
	return usleep((useconds_t)(intptr_t)arg);
}

static void step(unsigned what)
{
	struct timespec nap = { 0, 30000 };

	switch (what % 8) {
	case 0:
		grt_yield();
		break;
	case 1:
		grt_sleep(what % 100000);
		break;
	case 2:
	case 3:
		grt_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
		break;
	case 4:
		grt_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
		break;
	case 5:
		grt_syscall_block(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
		break;
	case 6:
		grt_blocking_call(foreign_nap, (void *)(intptr_t)(what % 50));
		break;
	default:
		EXPECT_EQ(grt_mutex_lock(&mutex), 0);
		guarded++;
		grt_mutex_unlock(&mutex);
	}
}

static void mixed(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg * 2654435761u + 1;

	for (int i = 0; i < 40; i++) {
		seed = seed * 1103515245u + 12345u;
		step(seed >> 8);
	}
	done();
}

static void run_mixed(int n)
{
	finished = 0;
	for (intptr_t i = 0; i < n; i++)
		EXPECT_EQ(grt_go(mixed, (void *)i), 0);
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == (u64)n);
	/* at rest the tracer's law holds, and nobody is left but this goroutine */
	AWAIT(blocked_ms() == 0);
	AWAIT(gs_alive() == 1);
}

RUNTIME_TEST(i10_mixed_calls_on_one_p, 1)
{
	for (int i = 0; i < rounds(2); i++)
		run_mixed(61);
}

RUNTIME_TEST(i10_mixed_calls_on_two_ps, 2)
{
	for (int i = 0; i < rounds(3); i++)
		run_mixed(97);
}

RUNTIME_TEST(i10_mixed_calls_on_more_ps_than_cpus, 7)
{
	for (int i = 0; i < rounds(3); i++)
		run_mixed(97);
}

/* Two goroutines hand a baton to and fro by a mutex pair: every wake-up is needed (I6). */
struct baton {
	grt_mutex a, b;
	int passes;
};

static void passer(void *arg)
{
	struct baton *baton = arg;

	for (int i = 0; i < baton->passes; i++) {
		grt_mutex_lock(&baton->a);
		grt_mutex_unlock(&baton->b);
	}
	done();
}

RUNTIME_TEST(i6_no_wake_up_is_lost, 2)
{
	struct baton baton = { GRT_MUTEX_INIT, GRT_MUTEX_INIT, rounds(5000) };

	grt_mutex_lock(&baton.a);
	grt_mutex_lock(&baton.b);
	EXPECT_EQ(grt_go(passer, &baton), 0);
	for (int i = 0; i < baton.passes; i++) {
		grt_mutex_unlock(&baton.a);
		grt_mutex_lock(&baton.b);
	}
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 1);
}

/* Two that wake each other share a slice: it ends (I20, I21). */
static int should_end;

static void third(void *arg)
{
	(void)arg;
	__atomic_store_n(&should_end, 1, __ATOMIC_SEQ_CST);
}

static void pass_until_told(void *arg)
{
	struct baton *baton = arg;

	while (!__atomic_load_n(&should_end, __ATOMIC_SEQ_CST)) {
		grt_mutex_lock(&baton->a);
		grt_mutex_unlock(&baton->b);
	}
	grt_mutex_unlock(&baton->b);
	done();
}

RUNTIME_TEST(i21_two_that_wake_each_other_starve_nobody, 1)
{
	struct baton baton = { GRT_MUTEX_INIT, GRT_MUTEX_INIT, 0 };

	grt_mutex_lock(&baton.a);
	grt_mutex_lock(&baton.b);
	EXPECT_EQ(grt_go(pass_until_told, &baton), 0);
	grt_yield();
	EXPECT_EQ(grt_go(third, NULL), 0);
	while (!__atomic_load_n(&should_end, __ATOMIC_SEQ_CST)) {
		grt_mutex_unlock(&baton.a);
		grt_mutex_lock(&baton.b);
	}
}

RUNTIME_TEST(i21_a_loop_of_free_locks_lets_others_run, 1)
{
	EXPECT_EQ(grt_go(third, NULL), 0);
	while (!__atomic_load_n(&should_end, __ATOMIC_SEQ_CST)) {
		EXPECT_EQ(grt_mutex_lock(&mutex), 0);
		grt_mutex_unlock(&mutex);
	}
}

/* A thread of the program's own is the only one that can wake main (I22). */
#define PARKED 3000

static grt_waitgroup go_on = GRT_WAITGROUP_INIT;

static void wait_for_ever(void *arg)
{
	grt_mutex_lock(arg);
}

static void *wake_main(void *arg)
{
	usleep((useconds_t)(uintptr_t)arg);
	grt_waitgroup_done(&go_on);
	return NULL;
}

RUNTIME_TEST(i22_no_verdict_while_a_foreign_thread_may_call_in, 1)
{
	static grt_mutex held = GRT_MUTEX_INIT;
	pthread_t t;

	EXPECT_EQ(grt_mutex_lock(&held), 0);
	for (int i = 0; i < PARKED; i++)
		EXPECT_EQ(grt_go(wait_for_ever, &held), 0);
	for (uintptr_t us = 0; us < 300; us += 20) {
		grt_waitgroup_add(&go_on, 1);
		/* each time is the first */
		__atomic_store_n(&sched.has_foreign_caller, 0, __ATOMIC_SEQ_CST);
		EXPECT_EQ(pthread_create(&t, NULL, wake_main, (void *)us), 0);
		EXPECT_EQ(grt_waitgroup_wait(&go_on), 0);
		pthread_join(t, NULL);
	}
}

static void *foreign_thread(void *arg)
{
	for (int i = 0; i < 500; i++)
		EXPECT_EQ(grt_go(tree, arg), 0);
	EXPECT_EQ(grt_yield(), -EPERM);
	EXPECT_EQ(grt_sleep(1), -EPERM);
	return NULL;
}

RUNTIME_TEST(foreign_threads_may_start_goroutines, 2)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, foreign_thread, (void *)1), 0);
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 3 * 500 * 3);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i7_no_goroutine_is_lost_in_a_tree_of_spawns),
		cmocka_unit_test(i10_mixed_calls_on_one_p),
		cmocka_unit_test(i10_mixed_calls_on_two_ps),
		cmocka_unit_test(i10_mixed_calls_on_more_ps_than_cpus),
		cmocka_unit_test(i6_no_wake_up_is_lost),
		cmocka_unit_test(i21_two_that_wake_each_other_starve_nobody),
		cmocka_unit_test(i21_a_loop_of_free_locks_lets_others_run),
		cmocka_unit_test(i22_no_verdict_while_a_foreign_thread_may_call_in),
		cmocka_unit_test(foreign_threads_may_start_goroutines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
