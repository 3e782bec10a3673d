/* SPDX-License-Identifier: MIT */
/*
 * wakes_assert_test.c - who is woken, and by whom: the invariants of wake-ups, the netpoller, time and the
 * end (I6, I8, I14 to I17, I22 to I24), as somebody outside the scheduler sees them, said with the
 * assertion library.
 */
#include "naps.h"

#include "../sched/books.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#define PROCS 4
#define PARKED 64
#define SHORT_NS 5000000ll
#define LONG_NS 40000000000ll
#define SLEEP_NS 20000
#define FATAL 2

static int ran[PARKED];

static bool all_idle(gotrace_scope *s, void *procs)
{
	struct gotrace_now now = gotrace_look(s);

	return now.procs_idle == *(unsigned *)procs && now.spinning == 0;
}

static void expect_quiet(gotrace_scope *s, unsigned procs)
{
	EXPECT(gotrace_wait_for(s, all_idle, &procs, DEADLINE_NS), "%u of %u Ps idle, %u Ms spin",
	       gotrace_look(s).procs_idle, procs, gotrace_look(s).spinning);
}

static bool is_set(gotrace_scope *s, void *flag)
{
	(void)s;
	return __atomic_load_n((int *)flag, __ATOMIC_SEQ_CST) != 0;
}

static void set(void *flag)
{
	__atomic_store_n((int *)flag, 1, __ATOMIC_SEQ_CST);
}

/* This goroutine never lets go of its P: another M must be woken for what it starts. */
RUNTIME_TEST(i06_what_becomes_runnable_gets_an_idle_p, 2)
{
	gotrace_scope *s = scope_of_self();

	for (int i = 0; i < PARKED; i++) {
		int64_t until;

		grt_sleep(SLEEP_NS); /* the other P idles, or looks for work: either will do */
		until = grt_now() + DEADLINE_NS;
		EXPECT_EQ(grt_go(set, &ran[i]), 0);
		while (!is_set(s, &ran[i]))
			EXPECT(grt_now() < until, "runnable beside an idle P for 20 s");
	}
	EXPECT_HOLDS(s, gotrace_check_no_blocked_m(s));
	gotrace_scope_end(s);
}

struct reader {
	int fd[2], waits;
	uint64_t bytes, late;
};

/* An event and a deadline, each of which may be first. */
static void read_with_deadlines(void *arg)
{
	struct reader *r = arg;
	char c;

	for (int i = 0; i < ROUNDS; i++) {
		ssize_t n = grt_read_dl(r->fd[0], &c, 1, grt_now() + NAP_NS);

		r->waits++;
		r->bytes += n == 1;
		r->late += n == -ETIMEDOUT;
	}
	grt_waitgroup_done(&done);
}

static void write_now_and_then(void *arg)
{
	struct reader *r = arg;

	for (int i = 0; i < ROUNDS / 2; i++) {
		EXPECT_EQ(grt_write(r->fd[1], "x", 1), 1);
		EXPECT_EQ(grt_sleep(NAP_NS), 0);
	}
	grt_waitgroup_done(&done);
}

RUNTIME_TEST(i08_an_event_or_a_deadline_ends_a_wait_never_both, PROCS)
{
	static struct reader r[WORKERS];
	gotrace_scope *s = scope_of_self();

	grt_waitgroup_add(&done, 2 * WORKERS);
	for (int i = 0; i < WORKERS; i++) {
		EXPECT_EQ(grt_pipe(r[i].fd), 0);
		EXPECT_EQ(grt_go(read_with_deadlines, &r[i]), 0);
		EXPECT_EQ(grt_go(write_now_and_then, &r[i]), 0);
	}
	grt_waitgroup_wait(&done);

	for (int i = 0; i < WORKERS; i++)
		EXPECT(r[i].bytes + r[i].late == ROUNDS, "%d waits: %d with data, %d too late",
		       ROUNDS, (int)r[i].bytes, (int)r[i].late);
	EXPECT_EQ(gotrace_look(s).netpoll_parked, 0);
	EXPECT_EQ(gotrace_look(s).goroutines, 1);
	gotrace_scope_end(s);
}

static void read_one(void *arg)
{
	char c;

	EXPECT_EQ(grt_read(*(int *)arg, &c, 1), 1);
	grt_waitgroup_done(&done);
}

static bool one_polls(gotrace_scope *s, void *procs)
{
	struct gotrace_now now = gotrace_look(s);

	return all_idle(s, procs) && now.polling == 1;
}

RUNTIME_TEST(i14_while_all_ps_idle_one_m_polls_and_one_only, PROCS)
{
	gotrace_scope *s = scope_of_self();
	unsigned procs = PROCS;
	int fd[PARKED][2];

	grt_waitgroup_add(&done, PARKED);
	for (int i = 0; i < PARKED; i++) {
		EXPECT_EQ(grt_pipe(fd[i]), 0);
		EXPECT_EQ(grt_go(read_one, &fd[i][0]), 0);
	}
	for (int i = 0; i < PARKED; i++) {
		EXPECT(gotrace_wait_for(s, one_polls, &procs, DEADLINE_NS),
		       "%u Ms poll the network while all Ps idle", gotrace_look(s).polling);
		EXPECT_EQ(write(fd[i][1], "x", 1), 1);
	}
	grt_waitgroup_wait(&done);
	gotrace_scope_end(s);
}

static void sleep_long(void *flag)
{
	EXPECT_EQ(grt_sleep(LONG_NS), 0);
	set(flag);
}

static void sleep_short(void *flag)
{
	EXPECT_EQ(grt_sleep(SHORT_NS), 0);
	set(flag);
}

RUNTIME_TEST(i15_who_sleeps_until_a_late_timer_is_woken_for_an_earlier_one, PROCS)
{
	gotrace_scope *s = scope_of_self();

	EXPECT_EQ(grt_go(sleep_long, &ran[0]), 0);
	expect_quiet(s, PROCS); /* the poller sleeps, for as long as that */
	EXPECT_EQ(grt_go(sleep_short, &ran[1]), 0);

	EXPECT(gotrace_wait_for(s, is_set, &ran[1], DEADLINE_NS),
	       "a timer of 5 ms has not rung in 20 s");
	EXPECT_EQ(ran[0], 0);
	gotrace_scope_end(s);
}

static bool waiting_is(gotrace_scope *s, void *n)
{
	return gotrace_look(s).netpoll_parked == *(uint64_t *)n;
}

static void expect_waiting(gotrace_scope *s, uint64_t n)
{
	EXPECT(gotrace_wait_for(s, waiting_is, &n, DEADLINE_NS), "%d wait for the network, not %d",
	       (int)gotrace_look(s).netpoll_parked, (int)n);
	EXPECT_EQ(waiters(), n);
}

static void read_until_closed(void *arg)
{
	char c;

	EXPECT_EQ(grt_read(*(int *)arg, &c, 1), -EBADF);
	grt_waitgroup_done(&done);
}

RUNTIME_TEST(i16_who_waits_for_the_network_is_counted, PROCS)
{
	gotrace_scope *s = scope_of_self();
	int fd[PARKED][2];

	grt_waitgroup_add(&done, PARKED);
	for (int i = 0; i < PARKED; i++) {
		EXPECT_EQ(grt_pipe(fd[i]), 0);
		EXPECT_EQ(grt_go(i % 2 ? read_one : read_until_closed, &fd[i][0]), 0);
	}
	expect_waiting(s, PARKED);
	EXPECT_HOLDS(s, gotrace_check_netpoll_parked(s, fd[PARKED - 1][0]));

	for (int i = 0; i < PARKED; i++) {
		if (i % 2)
			EXPECT_EQ(write(fd[i][1], "x", 1), 1);
		else
			EXPECT_EQ(grt_close(fd[i][0]), 0);
		expect_waiting(s, (uint64_t)(PARKED - 1 - i));
	}
	grt_waitgroup_wait(&done);
	gotrace_scope_end(s);
}

static void read_and_tell(void *arg)
{
	int *fd = arg;
	char c = 0;

	EXPECT_EQ(grt_read(fd[0], &c, 1), 1);
	EXPECT(c == 'n', "read '%c' of another pipe", c);
	set(&ran[0]);
}

/* A duplicate keeps the closed pipe's registration; its event carries an old generation. */
RUNTIME_TEST(i17_an_event_of_a_closed_pipe_wakes_nobody, 2)
{
	gotrace_scope *s = scope_of_self();
	int old[2], fd[2], marker[2], kept;

	EXPECT_EQ(grt_pipe(old), 0);
	EXPECT_EQ(grt_pipe(marker), 0);
	kept = fcntl(old[0], F_DUPFD_CLOEXEC, 500);
	EXPECT_EQ(grt_close(old[0]), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	EXPECT_EQ(fd[0], old[0]);
	EXPECT_EQ(grt_go(read_and_tell, fd), 0);
	expect_waiting(s, 1);

	/* when the old one becomes readable, and then another: events come in that order */
	EXPECT_EQ(write(old[1], "old", 3), 3);
	grt_waitgroup_add(&done, 1);
	EXPECT_EQ(grt_go(read_one, &marker[0]), 0);
	EXPECT_EQ(write(marker[1], "m", 1), 1);
	grt_waitgroup_wait(&done);

	/* then who waits by that number still does, and gets what comes on the new one */
	EXPECT_HOLDS(s, gotrace_check_netpoll_parked(s, fd[0]));
	EXPECT_EQ(write(fd[1], "n", 1), 1);
	EXPECT(gotrace_wait_for(s, is_set, &ran[0], DEADLINE_NS), "nobody was woken");
	close(kept);
	gotrace_scope_end(s);
}

static void fork_and_call(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		grt_yield();
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == FATAL,
	       "a call in a forked child ended with 0x%x", (unsigned)status);
}

RUNTIME_TEST(i24_a_forked_child_may_not_call_and_harms_nobody, 2)
{
	gotrace_scope *s = scope_of_self();

	fork_and_call();

	EXPECT_EQ(grt_go(set, &ran[0]), 0);
	EXPECT(gotrace_wait_for(s, is_set, &ran[0], DEADLINE_NS), "the parent runs no more");
	expect_quiet(s, 2);
	gotrace_scope_end(s);
}

static int moved; /* goroutines that came back on another thread */

static void keep_errno(void *unused)
{
	struct timespec ts = { .tv_nsec = NAP_NS };
	int64_t until = grt_now() + DEADLINE_NS;

	(void)unused;
	for (int i = 1; i < ROUNDS || !__atomic_load_n(&moved, __ATOMIC_SEQ_CST); i++) {
		long tid = syscall(SYS_gettid);

		EXPECT(grt_now() < until, "no goroutine has changed its M");
		errno = i;
		EXPECT_EQ(grt_syscall_block(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0), 0);
		EXPECT(*grt_errno_location() == i, "errno is %d behind a call, not %d",
		       *grt_errno_location(), i);
		if (syscall(SYS_gettid) != tid)
			__atomic_store_n(&moved, 1, __ATOMIC_SEQ_CST);
	}
	grt_waitgroup_done(&done);
}

RUNTIME_TEST(i23_errno_goes_with_the_goroutine_to_another_m, 2)
{
	gotrace_scope *s = scope_of_self();

	grt_waitgroup_add(&done, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(grt_go(keep_errno, NULL), 0);
	grt_waitgroup_wait(&done);

	EXPECT_HOLDS(s, gotrace_check_handed_off(s, SYS_nanosleep));
	gotrace_scope_end(s);
}

static void *wake_main(void *group)
{
	grt_waitgroup_done(group);
	return NULL;
}

/* Nobody but a thread of the program's own can wake this goroutine. */
RUNTIME_TEST(i22_no_verdict_while_a_foreign_thread_may_call_in, 2)
{
	gotrace_scope *s = scope_of_self();
	pthread_t t;

	for (int i = 0; i < PARKED; i++) {
		grt_waitgroup_add(&done, 1);
		EXPECT_EQ(pthread_create(&t, NULL, wake_main, &done), 0);
		EXPECT_EQ(grt_waitgroup_wait(&done), 0);
		pthread_join(t, NULL);
	}
	EXPECT_EQ(gotrace_look(s).goroutines, 1);
	gotrace_scope_end(s);
}

static void wait_for_ever(void *unused)
{
	grt_mutex m = GRT_MUTEX_INIT;

	(void)unused;
	grt_mutex_lock(&m);
	grt_mutex_lock(&m);
}

/* All other goroutines sleep for ever: who waits for the observer can still become runnable. */
RUNTIME_TEST(i22_no_verdict_while_somebody_can_still_become_runnable, 2)
{
	gotrace_scope *s = scope_of_self();
	int fd[2];

	EXPECT_EQ(grt_pipe(fd), 0);
	grt_waitgroup_add(&done, PARKED);
	for (int i = 0; i < PARKED; i++)
		EXPECT_EQ(grt_go(wait_for_ever, NULL), 0);
	for (int i = 0; i < PARKED; i++) {
		EXPECT_EQ(grt_go(read_one, &fd[0]), 0);
		expect_waiting(s, 1);
		EXPECT_EQ(write(fd[1], "x", 1), 1);
		expect_quiet(s, 2);
	}
	EXPECT_EQ(gotrace_look(s).goroutines, 1 + PARKED);
	gotrace_scope_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i06_what_becomes_runnable_gets_an_idle_p),
		cmocka_unit_test(i08_an_event_or_a_deadline_ends_a_wait_never_both),
		cmocka_unit_test(i14_while_all_ps_idle_one_m_polls_and_one_only),
		cmocka_unit_test(i15_who_sleeps_until_a_late_timer_is_woken_for_an_earlier_one),
		cmocka_unit_test(i16_who_waits_for_the_network_is_counted),
		cmocka_unit_test(i17_an_event_of_a_closed_pipe_wakes_nobody),
		cmocka_unit_test(i22_no_verdict_while_a_foreign_thread_may_call_in),
		cmocka_unit_test(i22_no_verdict_while_somebody_can_still_become_runnable),
		cmocka_unit_test(i23_errno_goes_with_the_goroutine_to_another_m),
		cmocka_unit_test(i24_a_forked_child_may_not_call_and_harms_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
