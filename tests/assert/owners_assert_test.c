/* SPDX-License-Identifier: MIT */
/*
 * owners_assert_test.c - who has what: the invariants of Ps, Ms and goroutines (I1 to I5, I7,
 * I18, I19), as somebody outside the scheduler sees them, said with the assertion library. What happens is caused
 * by goroutines of all sorts at once; what is expected does not depend on who was faster.
 */
#include "naps.h"

#include <pthread.h>
#include <sys/syscall.h>

#define PROCS 4
#define SPAWNED 400
#define BLOCKED 40

static int ran[SPAWNED], is_over;

RUNTIME_TEST(i01_no_more_goroutines_run_at_once_than_there_are_ps, PROCS)
{
	gotrace_scope *s = scope_of_self();

	all_work_and_nap();

	EXPECT(most_inside <= PROCS, "%d goroutines ran at once on %d Ps", most_inside, PROCS);
	EXPECT_HOLDS(s, gotrace_check_handed_off(s, SYS_nanosleep));
	gotrace_scope_end(s);
}

static void stay_runnable(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST))
		grt_yield();
	grt_waitgroup_done(&done);
}

static int by_loss(const void *a, const void *b)
{
	const struct gotrace_handoff *x = a, *y = b;

	return (x->taken_ns > y->taken_ns) - (x->taken_ns < y->taken_ns);
}

/* In the order in which the P was lost; they are told as they end. */
static size_t handoffs_of(gotrace_scope *s, struct gotrace_handoff *ret, size_t max)
{
	const struct gotrace_handoff *h;
	size_t n = gotrace_handoffs(s, &h);

	EXPECT(n <= max, "%zu hand-offs", n);
	memcpy(ret, h, n * sizeof(*h));
	qsort(ret, n, sizeof(*h), by_loss);
	return n;
}

/* The only P never idles: it has one M after the other. */
RUNTIME_TEST(i02_who_loses_a_p_is_who_was_given_it, 1)
{
	static struct gotrace_handoff h[4 * ROUNDS];
	gotrace_scope *s = scope_of_self();
	size_t n;

	/* given somebody who always wants to run, and three who give the P up */
	grt_waitgroup_add(&done, 3);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(grt_go(nap_eagerly, NULL), 0);
	EXPECT_EQ(grt_go(stay_runnable, NULL), 0);
	grt_waitgroup_wait(&done);
	grt_waitgroup_add(&done, 1);
	__atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
	grt_waitgroup_wait(&done);

	/* then each hand-off goes on where the one before it had ended */
	EXPECT_HOLDS(s, gotrace_check_handed_off(s, SYS_nanosleep));
	n = handoffs_of(s, h, 4 * ROUNDS);
	EXPECT(n >= ROUNDS, "%zu hand-offs", n);
	for (size_t i = 1; i < n; i++)
		EXPECT(h[i].from_m == h[i - 1].to_m, "M%lld lost P%lld, which M%lld had been given",
		       (long long)h[i].from_m, (long long)h[i].p, (long long)h[i - 1].to_m);
	gotrace_scope_end(s);
}

/* This goroutine is parked while the observer looks. */
static bool owners_are(gotrace_scope *s, void *running)
{
	struct gotrace_now now = gotrace_look(s);

	return now.running == *(unsigned *)running && now.spinning == 0 &&
	       now.procs_idle == PROCS - *(unsigned *)running;
}

RUNTIME_TEST(i03_each_p_is_owned_by_one_or_idle, PROCS)
{
	static struct blocking_pipe p[BLOCKED];
	gotrace_scope *s = scope_of_self();
	int stop[PROCS - 1] = { 0 };

	/* given many calls whose Ps were taken */
	grt_waitgroup_add(&done, BLOCKED);
	for (int i = 0; i < BLOCKED; i++) {
		p[i] = blocking_pipe_new();
		EXPECT_EQ(grt_go(read_a_pipe, &p[i]), 0);
	}
	EXPECT_BLOCKED(s, BLOCKED);

	/* then as many Ps are idle as no goroutine runs on, up and down */
	for (unsigned running = 1; running < PROCS; running++) {
		EXPECT_EQ(grt_go(spin, &stop[running - 1]), 0);
		EXPECT(gotrace_wait_for(s, owners_are, &running, DEADLINE_NS),
		       "%u run, and %u of %d Ps idle", gotrace_look(s).running,
		       gotrace_look(s).procs_idle, PROCS);
	}
	for (unsigned running = PROCS - 1; running-- > 0;) {
		__atomic_store_n(&stop[running], 1, __ATOMIC_RELEASE);
		EXPECT(gotrace_wait_for(s, owners_are, &running, DEADLINE_NS),
		       "%u run, and %u of %d Ps idle", gotrace_look(s).running,
		       gotrace_look(s).procs_idle, PROCS);
	}
	for (int i = 0; i < BLOCKED; i++)
		EXPECT_EQ(write(p[i].fd[1], "x", 1), 1);
	grt_waitgroup_wait(&done);
	gotrace_scope_end(s);
}

static void note_run(void *arg)
{
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
}

/* Each spawns the two below it in a heap, so that every P's queue has some. */
static void spawn_below(void *arg)
{
	size_t at = (size_t)((int *)arg - ran);

	for (size_t i = 2 * at + 1; i <= 2 * at + 2 && i < SPAWNED; i++)
		EXPECT_EQ(grt_go(spawn_below, &ran[i]), 0);
	note_run(arg);
}

static int count_ran(void)
{
	int n = 0;

	for (int i = 0; i < SPAWNED; i++)
		n += __atomic_load_n(&ran[i], __ATOMIC_SEQ_CST);
	return n;
}

/* Asked by the observer: nobody runs meanwhile. */
static bool all_idle(gotrace_scope *s, void *unused)
{
	struct gotrace_now now = gotrace_look(s);

	(void)unused;
	return now.procs_idle == PROCS && now.spinning == 0;
}

RUNTIME_TEST(i04_ps_idle_with_nothing_left_to_run, PROCS)
{
	gotrace_scope *s = scope_of_self();

	for (int round = 1; round <= 20; round++) {
		EXPECT_EQ(grt_go(spawn_below, &ran[0]), 0);
		EXPECT(gotrace_wait_for(s, all_idle, NULL, DEADLINE_NS), "the Ps never idled");
		EXPECT(count_ran() == round * SPAWNED,
		       "all Ps idle, and %d of %d goroutines have not run",
		       round * SPAWNED - count_ran(), SPAWNED);
	}
	gotrace_scope_end(s);
}

static void *start_one(void *arg)
{
	EXPECT_EQ(grt_go(note_run, arg), 0);
	return NULL;
}

static bool has_run(gotrace_scope *s, void *arg)
{
	(void)s;
	return __atomic_load_n((int *)arg, __ATOMIC_SEQ_CST) != 0;
}

/* Whoever still counted as spinning would be thought to find what a thread of the program's own starts. */
RUNTIME_TEST(i05_when_all_is_quiet_nobody_counts_as_spinning, PROCS)
{
	gotrace_scope *s = scope_of_self();

	for (int i = 0; i < 20; i++) {
		pthread_t t;

		grt_waitgroup_add(&done, WORKERS);
		for (int k = 0; k < WORKERS; k++)
			EXPECT_EQ(grt_go((void (*)(void *))grt_waitgroup_done, &done), 0);
		grt_waitgroup_wait(&done);
		EXPECT(gotrace_wait_for(s, all_idle, NULL, DEADLINE_NS),
		       "%u Ms spin with nothing to do", gotrace_look(s).spinning);
		EXPECT_EQ(pthread_create(&t, NULL, start_one, &ran[i]), 0);
		EXPECT(gotrace_wait_for(s, has_run, &ran[i], DEADLINE_NS),
		       "nobody ran what a foreign thread started");
		pthread_join(t, NULL);
	}
	gotrace_scope_end(s);
}

RUNTIME_TEST(i07_a_goroutine_runs_once, PROCS)
{
	gotrace_scope *s = scope_of_self();

	EXPECT_EQ(grt_go(spawn_below, &ran[0]), 0);
	EXPECT(gotrace_wait_for(s, all_idle, NULL, DEADLINE_NS), "the Ps never idled");

	for (int i = 0; i < SPAWNED; i++)
		EXPECT(ran[i] == 1, "goroutine %d ran %d times", i, ran[i]);
	EXPECT_EQ(gotrace_look(s).goroutines, 1);
	gotrace_scope_end(s);
}

static pid_t locked_tid;

static pid_t tid_now(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void stay_locked(void *arg)
{
	int *fd = arg;
	char c;

	EXPECT_EQ(grt_lock_os_thread(), 0);
	__atomic_store_n(&locked_tid, tid_now(), __ATOMIC_SEQ_CST);
	for (int i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(grt_read(fd[0], &c, 1), 1);
		EXPECT(tid_now() == __atomic_load_n(&locked_tid, __ATOMIC_SEQ_CST),
		       "a locked goroutine ran on another thread");
	}
	__atomic_store_n(&locked_tid, 0, __ATOMIC_SEQ_CST); /* from now on it is anybody's */
	EXPECT_EQ(grt_unlock_os_thread(), 0);
	grt_waitgroup_done(&done);
}

static void expect_another_thread(void *unused)
{
	(void)unused;
	EXPECT(tid_now() != __atomic_load_n(&locked_tid, __ATOMIC_SEQ_CST),
	       "another goroutine ran on the thread of a locked one");
	grt_waitgroup_done(&done);
}

static bool is_locked(gotrace_scope *s, void *unused)
{
	(void)unused;
	return gotrace_look(s).locked == 1 && gotrace_look(s).netpoll_parked == 1;
}

RUNTIME_TEST(i18_a_locked_goroutine_and_its_m_have_only_each_other, 2)
{
	gotrace_scope *s = scope_of_self();
	int fd[2];

	EXPECT_EQ(grt_pipe(fd), 0);
	grt_waitgroup_add(&done, 1 + ROUNDS * WORKERS);
	EXPECT_EQ(grt_go(stay_locked, fd), 0);
	EXPECT(gotrace_wait_for(s, is_locked, NULL, DEADLINE_NS), "%u Ms wait for a locked G",
	       gotrace_look(s).locked);

	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < WORKERS; k++)
			EXPECT_EQ(grt_go(expect_another_thread, NULL), 0);
		EXPECT_EQ(grt_write(fd[1], "x", 1), 1);
	}
	grt_waitgroup_wait(&done);
	EXPECT_EQ(gotrace_look(s).locked, 0);
	gotrace_scope_end(s);
}

/* Reads of BLOCKED pipes at once; returns how many threads there were. */
static unsigned block_many(gotrace_scope *s, struct blocking_pipe *p)
{
	unsigned threads;

	grt_waitgroup_add(&done, BLOCKED);
	for (int i = 0; i < BLOCKED; i++)
		EXPECT_EQ(grt_go(read_a_pipe, &p[i]), 0);
	EXPECT_BLOCKED(s, BLOCKED);
	threads = gotrace_look(s).threads;
	for (int i = 0; i < BLOCKED; i++)
		EXPECT_EQ(write(p[i].fd[1], "x", 1), 1);
	grt_waitgroup_wait(&done);
	return threads;
}

/* One on the list that nobody counts, or the other way round, would not be used again. */
RUNTIME_TEST(i19_idle_ms_are_used_again_before_threads_are_made, 2)
{
	static struct blocking_pipe p[BLOCKED];
	gotrace_scope *s = scope_of_self();
	unsigned threads;

	for (int i = 0; i < BLOCKED; i++)
		p[i] = blocking_pipe_new();
	threads = block_many(s, p);
	EXPECT(threads >= BLOCKED, "%u threads", threads);

	for (int i = 0; i < 5; i++)
		block_many(s, p);

	EXPECT_HOLDS(s, gotrace_check_threads_at_most(s, threads + 2));
	gotrace_scope_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i01_no_more_goroutines_run_at_once_than_there_are_ps),
		cmocka_unit_test(i02_who_loses_a_p_is_who_was_given_it),
		cmocka_unit_test(i03_each_p_is_owned_by_one_or_idle),
		cmocka_unit_test(i04_ps_idle_with_nothing_left_to_run),
		cmocka_unit_test(i05_when_all_is_quiet_nobody_counts_as_spinning),
		cmocka_unit_test(i07_a_goroutine_runs_once),
		cmocka_unit_test(i18_a_locked_goroutine_and_its_m_have_only_each_other),
		cmocka_unit_test(i19_idle_ms_are_used_again_before_threads_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
