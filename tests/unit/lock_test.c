/* SPDX-License-Identifier: MIT */
/* lock_test.c - locks exclude, count and keep their order; notes carry one wake in any order. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../runtime/fatal.h"
#include "../../runtime/lock.h"

#define THREADS 3
#define ROUNDS 20000

static struct lock lock;
static u32 word;
static u64 plain; /* not atomic: a second holder would lose an increment */

static void *add_under_lock(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		lock_acquire(&lock);
		plain++;
		lock_release(&lock);
	}
	return NULL;
}

static void *add_under_word(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		lock_word_acquire(&word);
		plain++;
		lock_word_release(&word);
	}
	return NULL;
}

static void run_in_threads(void *(*fn)(void *))
{
	pthread_t t[THREADS];

	plain = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, fn, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void test_one_holder_at_a_time(void **state)
{
	(void)state;
	lock_init(&lock, RANK_SCHED);
	run_in_threads(add_under_lock);
	assert_int_equal(plain, THREADS * ROUNDS);
	assert_false(lock_is_held(&lock));

	run_in_threads(add_under_word);
	assert_int_equal(plain, THREADS * ROUNDS);
	assert_int_equal(word, 0);
}

static void test_an_m_counts_the_locks_it_holds(void **state)
{
	static struct m m;
	struct lock outer, inner;

	(void)state;
	m_self_tls = &m;
	lock_init(&outer, RANK_TIMERS);
	lock_init(&inner, RANK_SCHED);

	lock_acquire(&outer);
	lock_acquire(&inner);
	assert_int_equal(m.nlocks, 2);
	assert_true(lock_is_held(&inner));
	lock_release(&inner);
	assert_int_equal(m.nlocks, 1);
	assert_false(lock_is_held(&inner));
	lock_release(&outer);
	assert_int_equal(m.nlocks, 0);
	m_self_tls = NULL;
}

/* A thread that sleeps in the kernel for the lock is woken by the release. */
static void *take_and_give(void *arg)
{
	(void)arg;
	lock_acquire(&lock);
	lock_release(&lock);
	return NULL;
}

/* The word that a contender leaves when it goes to sleep. */
#define HELD_AND_WANTED 2

static void test_release_wakes_who_sleeps(void **state)
{
	pthread_t t;

	(void)state;
	lock_init(&lock, RANK_SCHED);
	lock_acquire(&lock);
	assert_int_equal(pthread_create(&t, NULL, take_and_give, NULL), 0);
	while (__atomic_load_n(&lock.word, __ATOMIC_RELAXED) != HELD_AND_WANTED)
		sched_yield();

	lock_release(&lock);

	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(lock.word, 0);
}

static void test_locks_leave_errno_alone(void **state)
{
	struct note n = { 0 };
	pthread_t t;

	(void)state;
	lock_init(&lock, RANK_SCHED);
	lock_acquire(&lock);
	assert_int_equal(pthread_create(&t, NULL, take_and_give, NULL), 0);
	while (__atomic_load_n(&lock.word, __ATOMIC_RELAXED) != HELD_AND_WANTED)
		sched_yield();

	errno = EXDEV;
	lock_release(&lock);
	assert_int_equal(errno, EXDEV);
	pthread_join(t, NULL);

	assert_false(note_sleep_for(&n, 1000));
	assert_int_equal(errno, EXDEV);
}

/* Runs body in a child and returns what it said; its status must be that of a fatal error. */
static void last_words(void (*body)(void), char *ret, size_t bytes)
{
	ssize_t n, len = 0;
	int out[2], status;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		body();
		_exit(0);
	}
	close(out[1]);
	while ((n = read(out[0], ret + len, bytes - 1 - (size_t)len)) > 0)
		len += n;
	ret[len] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FATAL_EXIT);
}

#ifdef GRT_DEBUG
static void acquire_downward(void)
{
	struct lock low, high;

	lock_init(&low, RANK_TIMERS);
	lock_init(&high, RANK_SCHED);
	lock_acquire(&high);
	lock_acquire(&low);
}

static void test_the_wrong_order_is_fatal_in_debug_builds(void **state)
{
	char said[4096];

	(void)state;
	last_words(acquire_downward, said, sizeof(said));
	assert_non_null(strstr(said, "fatal error: lock of rank 3 acquired while 0x10 are held"));
}

static struct lock others;

static void *hold_it(void *arg)
{
	(void)arg;
	lock_acquire(&others);
	return NULL;
}

static void test_held_means_by_this_thread(void **state)
{
	pthread_t t;

	(void)state;
	lock_init(&others, RANK_SCHED);
	assert_int_equal(pthread_create(&t, NULL, hold_it, NULL), 0);
	pthread_join(t, NULL);
	assert_false(lock_is_held(&others));
}
#endif

static void test_a_wake_before_the_sleep_is_not_lost(void **state)
{
	struct note n;

	(void)state;
	note_clear(&n);
	note_wake(&n);
	note_sleep(&n);
	assert_true(note_sleep_for(&n, 0));
}

static void test_a_note_times_out_and_not_early(void **state)
{
	struct note n;
	i64 start = clock_ns();

	(void)state;
	note_clear(&n);
	assert_false(note_sleep_for(&n, 2000000));
	assert_true(clock_ns() - start >= 2000000);
	note_wake(&n); /* may still come */
	note_sleep(&n);
}

static void wake_twice(void)
{
	struct note n = { 0 };

	note_wake(&n);
	note_wake(&n);
}

static void test_a_second_wake_is_fatal(void **state)
{
	char said[4096];

	(void)state;
	last_words(wake_twice, said, sizeof(said));
	assert_non_null(strstr(said, "fatal error: note_wake: double wake-up\n"));
}

/* Two threads hand a plain counter to and fro by two notes. */
static struct note ball[2];

static void *play(void *arg)
{
	uintptr_t me = (uintptr_t)arg;

	for (int i = 0; i < ROUNDS / 10; i++) {
		note_sleep(&ball[me]);
		note_clear(&ball[me]);
		plain++;
		note_wake(&ball[1 - me]);
	}
	return NULL;
}

static void test_a_note_carries_what_was_written_before(void **state)
{
	pthread_t t[2];

	(void)state;
	plain = 0;
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, play, (void *)i), 0);
	note_wake(&ball[0]);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(plain, 2 * (ROUNDS / 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_holder_at_a_time),
		cmocka_unit_test(test_an_m_counts_the_locks_it_holds),
		cmocka_unit_test(test_release_wakes_who_sleeps),
		cmocka_unit_test(test_locks_leave_errno_alone),
#ifdef GRT_DEBUG
		cmocka_unit_test(test_the_wrong_order_is_fatal_in_debug_builds),
		cmocka_unit_test(test_held_means_by_this_thread),
#endif
		cmocka_unit_test(test_a_wake_before_the_sleep_is_not_lost),
		cmocka_unit_test(test_a_note_times_out_and_not_early),
		cmocka_unit_test(test_a_second_wake_is_fatal),
		cmocka_unit_test(test_a_note_carries_what_was_written_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
