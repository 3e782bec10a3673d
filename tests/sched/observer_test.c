/* SPDX-License-Identifier: MIT */
/*
 * observer_test.c - a thread that only watches does not keep a deadlock from being found; any other
 * thread that the runtime does not own does.
 */
#include "runtime_test.h"

#include <errno.h>
#include <grt/trace.h>
#include <pthread.h>

#define ALIVE 7 /* exit status of a process that no verdict ended */
#define FATAL 2
#define MARKS_MAX 16
#define LOOKS 3 /* in a row that find everybody else asleep: one look may fall between two steps */

static int may_sleep;

static char thread_state(int tid)
{
	char path[64], line[256], *end;
	int fd, n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : (int)read(fd, line, sizeof(line) - 1);
	if (fd >= 0)
		close(fd);
	line[n > 0 ? n : 0] = '\0';
	end = strrchr(line, ')');
	return end ? end[2] : 'X';
}

static bool all_others_sleep(void)
{
	DIR *d = opendir("/proc/self/task");
	bool sleep = true;

	EXPECT(d, "/proc");
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.' && atoi(e->d_name) != gettid())
			sleep &= thread_state(atoi(e->d_name)) == 'S';
	closedir(d);
	return sleep;
}

/* Watches until everybody else sleeps: who was to find a deadlock has found it by then. */
static void *watch(void *is_marked)
{
	if (is_marked)
		EXPECT_EQ(grt_observer_mark(1), 0);
	__atomic_store_n(&may_sleep, 1, __ATOMIC_RELEASE);
	while (is_marked)
		pause();
	for (int seen = 0; seen < LOOKS; seen = all_others_sleep() ? seen + 1 : 0)
		sched_yield();
	_exit(ALIVE);
}

static int lock_twice(void *is_marked)
{
	static grt_mutex never;
	pthread_t t;

	EXPECT_EQ(pthread_create(&t, NULL, watch, is_marked), 0);
	AWAIT(__atomic_load_n(&may_sleep, __ATOMIC_ACQUIRE));
	grt_mutex_lock(&never);
	grt_mutex_lock(&never);
	return 0;
}

static void deadlock_beside_a_thread(void)
{
	grt_run(lock_twice, NULL);
}

#ifndef __SANITIZE_THREAD__ /* its own thread is one that may call in */
static void deadlock_beside_an_observer(void)
{
	grt_run(lock_twice, (void *)1);
}

static void an_observer_keeps_no_deadlock_from_being_found(void **state)
{
	static struct child c;

	(void)state;
	child_run(&c, deadlock_beside_an_observer);
	assert_true(WIFEXITED(c.status));
	assert_int_equal(WEXITSTATUS(c.status), FATAL);
	assert_non_null(strstr(c.output, "all goroutines are asleep - deadlock!"));
}
#endif

static void any_other_thread_does(void **state)
{
	static struct child c;

	(void)state;
	child_run(&c, deadlock_beside_a_thread);
	assert_true(WIFEXITED(c.status));
	assert_int_equal(WEXITSTATUS(c.status), ALIVE);
}

static void *mark_and_wait(void *barrier)
{
	long rc = grt_observer_mark(1);

	pthread_barrier_wait(barrier);
	if (rc == 0)
		EXPECT_EQ(grt_observer_mark(0), 0);
	return (void *)rc;
}

static void mark_too_many(void)
{
	pthread_t t[MARKS_MAX + 1];
	pthread_barrier_t all;
	int refused = 0;

	pthread_barrier_init(&all, NULL, MARKS_MAX + 1);
	for (int i = 0; i <= MARKS_MAX; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, mark_and_wait, &all), 0);
	for (int i = 0; i <= MARKS_MAX; i++) {
		void *rc;

		pthread_join(t[i], &rc);
		EXPECT((long)rc == 0 || (long)rc == -ENOSPC, "%ld", (long)rc);
		refused += rc != NULL;
	}
	EXPECT_EQ(refused, 1);
	EXPECT_EQ(grt_observer_mark(1), 0);
	EXPECT_EQ(grt_observer_mark(1), 0);
	EXPECT_EQ(grt_observer_mark(0), 0);
	EXPECT_EQ(grt_observer_mark(0), -ESRCH);
}

static void marks_are_few_and_given_back(void **state)
{
	(void)state;
	child_must_pass(mark_too_many);
}

RUNTIME_TEST(a_goroutine_is_no_observer, 1)
{
	EXPECT_EQ(grt_observer_mark(1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(an_observer_keeps_no_deadlock_from_being_found),
#endif
		cmocka_unit_test(any_other_thread_does),
		cmocka_unit_test(marks_are_few_and_given_back),
		cmocka_unit_test(a_goroutine_is_no_observer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
