/* SPDX-License-Identifier: MIT */
/*
 * returns_assert_test.c - who takes a P and when, and the ways back after the call, said with the
 * assertion library. What must happen at a known moment is done by the observer, in a predicate, while
 * no goroutine runs: sysmon's rules by the pass, with a clock of the test's own, are in retake_test.c.
 */
#include "assert_test.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>

#define PROCS 2
#ifdef GRT_STRESS
#define LEFT_ALONE_NS 20000 /* there it is this, so that Ps are taken more often */
#else
#define LEFT_ALONE_NS 10000000 /* a P in a call that nobody needs */
#endif
#define SPINNERS 2
#define FATAL 2

static int busy, stop[SPINNERS];

static void read_a_pipe(void *arg)
{
	struct blocking_pipe *p = arg;
	char c;

	EXPECT_EQ(grt_read(p->fd[0], &c, 1), 1);
}

/*
 * One return in the scope, caused while so many goroutines run and none looks for work. While both Ps
 * are busy this test's own goroutine does not get one either: all is done by the observer.
 */
struct round {
	struct blocking_pipe p;
	unsigned running;
	int *free_when_busy; /* NULL: no P is to get free */
	bool is_written;
	uint64_t returns; /* wanted, of the whole scope */
};

static bool comes_back(gotrace_scope *s, void *arg)
{
	struct gotrace_now now = gotrace_look(s);
	struct gotrace_returns r = gotrace_returned(s);
	struct round *round = arg;

	if (round->free_when_busy && __atomic_load_n(&busy, __ATOMIC_SEQ_CST) == SPINNERS)
		__atomic_store_n(round->free_when_busy, 1, __ATOMIC_RELEASE);
	if (round->free_when_busy && !__atomic_load_n(round->free_when_busy, __ATOMIC_RELAXED))
		return false;
	if (!round->is_written && now.blocked == 1 && now.spinning == 0 && now.procs_idle == 1 &&
	    now.running == round->running) {
		EXPECT_EQ(write(round->p.fd[1], "x", 1), 1);
		round->is_written = true;
	}
	return r.old_p + r.idle_p + r.queued == round->returns;
}

RUNTIME_TEST(after_a_call_the_old_p_is_taken_back_if_it_idles, 1)
{
	struct round round = { .p = blocking_pipe_new(), .returns = 1 };
	gotrace_scope *s = scope_of_self();
	struct gotrace_returns r;

	/* given a blocked call, and the only P idle, */
	EXPECT_EQ(grt_go(read_a_pipe, &round.p), 0);
	/* when the call returns */
	EXPECT(gotrace_wait_for(s, comes_back, &round, DEADLINE_NS), "it never came back");

	r = gotrace_returned(s);
	EXPECT(r.old_p == 1, "the old P idles and was not taken back: %d other P, %d queued",
	       (int)r.idle_p, (int)r.queued);
	gotrace_scope_end(s);
}

/* Stays on its P: nobody takes it from a goroutine that calls nothing. */
static void spin(void *arg)
{
	__atomic_add_fetch(&busy, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE))
		;
	__atomic_sub_fetch(&busy, 1, __ATOMIC_SEQ_CST);
}

static bool is_quiet(gotrace_scope *s, void *unused)
{
	(void)s;
	(void)unused;
	return __atomic_load_n(&busy, __ATOMIC_SEQ_CST) == 0;
}

/* Both Ps are busy; one of them, by lot, gets free; then the call returns. */
static void return_beside_a_busy_p(gotrace_scope *s, uint64_t nr)
{
	int freed = rand() % SPINNERS;
	struct round round = { .p = blocking_pipe_new(),
			       .running = 1,
			       .free_when_busy = &stop[freed],
			       .returns = nr };

	EXPECT_EQ(grt_go(read_a_pipe, &round.p), 0);
	EXPECT_BLOCKED(s, 1);
	for (int i = 0; i < SPINNERS; i++) {
		__atomic_store_n(&stop[i], 0, __ATOMIC_RELEASE);
		EXPECT_EQ(grt_go(spin, &stop[i]), 0);
	}
	EXPECT(gotrace_wait_for(s, comes_back, &round, DEADLINE_NS), "it never came back");
	__atomic_store_n(&stop[!freed], 1, __ATOMIC_RELEASE);
	EXPECT(gotrace_wait_for(s, is_quiet, NULL, DEADLINE_NS), "%d of them run", busy);
	close(round.p.fd[0]);
	close(round.p.fd[1]);
}

RUNTIME_TEST(after_a_call_another_p_is_taken_if_the_old_one_is_busy, PROCS)
{
	gotrace_scope *s = scope_of_self();
	uint64_t rounds = 0;

	/* The P that gets free is the old one or the other one, as it comes. */
	while (gotrace_returned(s).idle_p == 0)
		return_beside_a_busy_p(s, ++rounds);

	EXPECT_EQ(gotrace_returned(s).idle_p, 1);
	EXPECT_EQ(gotrace_returned(s).old_p, rounds - 1);
	EXPECT_EQ(gotrace_returned(s).queued, 0);
	gotrace_scope_end(s);
}

struct start {
	struct blocking_pipe p;
	int go_fd;
	bool is_given;
};

static void read_when_told(void *arg)
{
	struct start *start = arg;
	uint64_t n;

	EXPECT_EQ(grt_read(start->go_fd, &n, sizeof(n)), sizeof(n));
	read_a_pipe(&start->p);
}

/* Nobody runs: then it may call, and nobody needs its P. */
static bool blocks_alone(gotrace_scope *s, void *arg)
{
	struct gotrace_now now = gotrace_look(s);
	struct start *start = arg;
	uint64_t one = 1;

	if (!start->is_given && now.running + now.spinning == 0) {
		EXPECT_EQ(write(start->go_fd, &one, sizeof(one)), sizeof(one));
		start->is_given = true;
	}
	return now.blocked == 1;
}

RUNTIME_TEST(sysmon_leaves_a_p_that_nobody_needs_for_10_ms, PROCS)
{
	struct start start = { .p = blocking_pipe_new() };
	gotrace_scope *s = scope_of_self();
	const struct gotrace_handoff *h;
	size_t n;

	start.go_fd = eventfd(0, EFD_CLOEXEC);
	EXPECT_EQ(grt_fd_pollable(start.go_fd), 0);
	EXPECT_EQ(grt_go(read_when_told, &start), 0);
	EXPECT(gotrace_wait_for(s, blocks_alone, &start, DEADLINE_NS), "it never blocked");

	EXPECT_HOLDS(s, gotrace_check_handed_off(s, SYS_read));
	n = gotrace_handoffs(s, &h);
	while (n > 0 && h->nr != SYS_read)
		h++, n--;
	EXPECT(n > 0, "the hand-off is in the list");
	EXPECT_EQ(h->by, GOTRACE_BY_SYSMON);
	EXPECT(h->taken_ns - h->start_ns >= LEFT_ALONE_NS,
	       "sysmon took a P that nobody needs after %llu ns",
	       (unsigned long long)(h->taken_ns - h->start_ns));
	gotrace_scope_end(s);
}

static void set(void *flag)
{
	__atomic_store_n((int *)flag, 1, __ATOMIC_RELEASE);
}

static bool is_set(gotrace_scope *s, void *flag)
{
	(void)s;
	return __atomic_load_n((int *)flag, __ATOMIC_ACQUIRE) != 0;
}

RUNTIME_TEST(who_waits_in_a_goroutine_leaves_its_p_to_others, 1)
{
	gotrace_scope *s = scope_of_self();
	int flag = 0;

	EXPECT_EQ(grt_go(set, &flag), 0);
	EXPECT(gotrace_wait_for(s, is_set, &flag, DEADLINE_NS), "the other one never ran");
	gotrace_scope_end(s);
}

#ifndef __SANITIZE_THREAD__ /* its own thread is one that may call in: there is no verdict */
static int deadlock(void *unused)
{
	static grt_mutex never;
	gotrace_scope *s = scope_of_self();

	(void)unused;
	grt_mutex_lock(&never);
	grt_mutex_lock(&never);
	gotrace_scope_end(s);
	return 0;
}

static void run_deadlock(void)
{
	grt_run(deadlock, NULL);
}

static void an_open_scope_keeps_no_deadlock_from_being_found(void **state)
{
	static struct child c;

	(void)state;
	child_run(&c, run_deadlock);
	assert_true(WIFEXITED(c.status));
	assert_int_equal(WEXITSTATUS(c.status), FATAL);
	assert_non_null(strstr(c.output, "all goroutines are asleep - deadlock!"));
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_a_call_the_old_p_is_taken_back_if_it_idles),
		cmocka_unit_test(after_a_call_another_p_is_taken_if_the_old_one_is_busy),
		cmocka_unit_test(sysmon_leaves_a_p_that_nobody_needs_for_10_ms),
		cmocka_unit_test(who_waits_in_a_goroutine_leaves_its_p_to_others),
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(an_open_scope_keeps_no_deadlock_from_being_found),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
