/* SPDX-License-Identifier: MIT */
/*
 * threads_assert_test.c - what hand-offs cost: few threads, little time; and that who is woken from
 * outside runs. Said with the assertion library.
 */
#include "assert_test.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "../sched/rest.h"

#define PROCS 2
#define CALLS 200
#define HANDOFF_US 25000 /* sysmon's longest sleep, twice, and some */

static int finished, is_inside;

/* With one P each call hands it to another M, which finds nothing and goes to sleep. */
RUNTIME_TEST(one_call_after_the_other_needs_few_threads, 1)
{
	struct timespec nap = { 0, 1000 };
	gotrace_scope *s = scope_of_self();

	for (int i = 0; i < CALLS; i++)
		EXPECT_EQ(grt_syscall_block(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0), 0);

	EXPECT_HOLDS(s, gotrace_check_threads_at_most(s, 1 + 6 + SANITIZER_THREADS));
	gotrace_scope_end(s);
}

static void read_a_pipe(void *arg)
{
	struct blocking_pipe *p = arg;
	char c;

	EXPECT_EQ(grt_read(p->fd[0], &c, 1), 1);
}

RUNTIME_TEST(hand_offs_are_quick, PROCS)
{
	static struct blocking_pipe p[CALLS];
	gotrace_scope *s = scope_of_self();
	enum gotrace_answer answer;

	for (int i = 0; i < CALLS; i++) {
		p[i] = blocking_pipe_new();
		EXPECT_EQ(grt_go(read_a_pipe, &p[i]), 0);
	}
	EXPECT_BLOCKED(s, CALLS);

	/* On a machine that is busy with others it cannot be told. */
	answer = gotrace_check_handoff_within_us(s, 50, HANDOFF_US);
	EXPECT(answer != GOTRACE_VIOLATED, "check_handoff_within_us is %d: %s", answer,
	       gotrace_text(s));
	gotrace_scope_end(s);
}

static grt_mutex held = GRT_MUTEX_INIT;

static void lock_it(void *unused)
{
	(void)unused;
	EXPECT_EQ(grt_mutex_lock(&held), 0);
	__atomic_store_n(&finished, 1, __ATOMIC_SEQ_CST);
}

/* When nothing runs any more nobody looks for work by himself: not even who only counts as looking. */
static void *unlock_it(void *unused)
{
	int64_t until = grt_now() + DEADLINE_NS;
	u32 spinning;

	(void)unused;
	while (!__atomic_load_n(&is_inside, __ATOMIC_SEQ_CST))
		sched_yield();
	while ((sched_npidle() != PROCS || sched_nmspinning() != 0) && grt_now() < until) {
		if (nobody_is_awake_but(1, &spinning))
			EXPECT(spinning == 0, "%u Ms count as spinning while every P idles",
			       spinning);
		sched_yield();
	}
	EXPECT(sched_npidle() != PROCS || sched_nmspinning() == 0,
	       "%u Ms count as spinning while every P idles", sched_nmspinning());
	grt_mutex_unlock(&held);
	/* Who was made ready has an M on its way before unlock returns, or nobody ever will be. */
	while (!__atomic_load_n(&finished, __ATOMIC_SEQ_CST) && grt_now() < until + DEADLINE_NS) {
		if (nobody_is_awake_but(1, &spinning))
			EXPECT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 1,
			       "the wake-up is lost");
		sched_yield();
	}
	return NULL;
}

static long until_finished(void *unused)
{
	int64_t until = grt_now() + 2 * DEADLINE_NS;

	(void)unused;
	__atomic_store_n(&is_inside, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&finished, __ATOMIC_SEQ_CST) && grt_now() < until)
		sched_yield();
	return 0;
}

static size_t parked(void)
{
	static struct collected got;

	collect(&got);
	return collected_count(&got, GRT_K_g_park);
}

/* While this goroutine is in foreign code, both Ps idle: what the thread readies must run there. */
RUNTIME_TEST(a_foreign_thread_wakes_a_goroutine, PROCS)
{
	pthread_t t;

	EXPECT_EQ(grt_sink_open(KIND(g_park), 0), 0);
	EXPECT_EQ(grt_mutex_lock(&held), 0);
	EXPECT_EQ(grt_go(lock_it, NULL), 0);
	AWAIT(parked() == 1);
	EXPECT_EQ(pthread_create(&t, NULL, unlock_it, NULL), 0);
	EXPECT_EQ(grt_blocking_call(until_finished, NULL), 0);
	EXPECT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 1, "the wake-up is lost");
	pthread_join(t, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_call_after_the_other_needs_few_threads),
		cmocka_unit_test(hand_offs_are_quick),
		cmocka_unit_test(a_foreign_thread_wakes_a_goroutine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
