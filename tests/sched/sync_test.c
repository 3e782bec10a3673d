/* SPDX-License-Identifier: MIT */
/* sync_test.c - wait group and mutex: who waits, who is woken, in which order, and what is a mistake. */
#include "runtime_test.h"

#include <pthread.h>

#include "rest.h"

#define WORKERS 50

static struct child child;
static int counter;

static int seen(void)
{
	return __atomic_load_n(&counter, __ATOMIC_SEQ_CST);
}

static void count(void)
{
	__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

static void work_once(void *arg)
{
	grt_yield();
	count();
	grt_waitgroup_done(arg);
}

RUNTIME_TEST(a_wait_group_waits_for_all, 2)
{
	grt_waitgroup wg = GRT_WAITGROUP_INIT;

	/* given work that is not done yet */
	grt_waitgroup_add(&wg, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(grt_go(work_once, &wg), 0);

	EXPECT_EQ(grt_waitgroup_wait(&wg), 0);

	EXPECT_EQ(seen(), WORKERS);
	/* and it can be used again */
	EXPECT_EQ(grt_waitgroup_wait(&wg), 0);
}

static void wait_then_count(void *arg)
{
	EXPECT_EQ(grt_waitgroup_wait(arg), 0);
	count();
}

static size_t parked(void)
{
	static struct collected got;

	collect(&got);
	return collected_count(&got, GRT_K_g_park);
}

RUNTIME_TEST(the_last_one_done_wakes_every_waiter, 1)
{
	grt_waitgroup wg = GRT_WAITGROUP_INIT;

	EXPECT_EQ(grt_sink_open(KIND(g_park), 0), 0);
	grt_waitgroup_add(&wg, 2);
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(grt_go(wait_then_count, &wg), 0);
	AWAIT(parked() >= WORKERS);

	/* when one of two is done nobody goes on */
	grt_waitgroup_done(&wg);
	grt_yield();
	EXPECT_EQ(seen(), 0);

	grt_waitgroup_done(&wg);
	AWAIT_MINE_OR(seen() == WORKERS, "the wait group is done and has woken %d of %d waiters",
		      seen(), WORKERS);
}

RUNTIME_TEST(a_wait_group_may_be_freed_when_its_wait_returns, 2)
{
	for (int i = 0; i < 500; i++) {
		grt_waitgroup *wg = calloc(1, sizeof(*wg));

		EXPECT(wg, "memory");
		grt_waitgroup_add(wg, 2);
		EXPECT_EQ(grt_go(work_once, wg), 0);
		EXPECT_EQ(grt_go(work_once, wg), 0);
		EXPECT_EQ(grt_waitgroup_wait(wg), 0);
		memset(wg, 0xff, sizeof(*wg));
		free(wg);
	}
	EXPECT_EQ(seen(), 1000);
}

static int negative(void *arg)
{
	grt_waitgroup wg = GRT_WAITGROUP_INIT;

	(void)arg;
	grt_waitgroup_done(&wg);
	return 0;
}

static int unlock_unlocked(void *arg)
{
	grt_mutex mu = GRT_MUTEX_INIT;

	(void)arg;
	grt_mutex_unlock(&mu);
	return 0;
}

static void negative_child(void)
{
	grt_run(negative, NULL);
}

static void unlock_child(void)
{
	grt_run(unlock_unlocked, NULL);
}

static void assert_dies_saying(void (*body)(void), const char *words)
{
	child_run(&child, body);
	assert_true(WIFEXITED(child.status));
	assert_int_equal(WEXITSTATUS(child.status), 2);
	if (!strstr(child.output, words))
		fail_msg("said:\n%s\nexpected: %s", child.output, words);
}

static void mistakes_end_the_process_as_in_go(void **state)
{
	(void)state;
	assert_dies_saying(negative_child, "sync: negative WaitGroup counter");
	assert_dies_saying(unlock_child, "sync: unlock of unlocked mutex");
}

struct guarded {
	grt_mutex mu;
	grt_waitgroup wg;
	int inside, entered;
};

static void enter_often(void *arg)
{
	struct guarded *x = arg;

	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(grt_mutex_lock(&x->mu), 0);
		EXPECT(++x->inside == 1, "%d goroutines hold the mutex", x->inside);
		/* Others get every chance to come in. */
		if (i % 3 == 0)
			grt_yield();
		x->entered++;
		EXPECT_EQ(--x->inside, 0);
		grt_mutex_unlock(&x->mu);
	}
	grt_waitgroup_done(&x->wg);
}

RUNTIME_TEST(one_goroutine_at_a_time_holds_a_mutex, 4)
{
	struct guarded x = { 0 };

	grt_waitgroup_add(&x.wg, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(grt_go(enter_often, &x), 0);
	EXPECT_EQ(grt_waitgroup_wait(&x.wg), 0);
	EXPECT_EQ(x.entered, WORKERS * 100);
}

struct queued {
	grt_mutex mu;
	int order[WORKERS], n;
};
static struct queued queued;

static void lock_and_sign(void *arg)
{
	EXPECT_EQ(grt_mutex_lock(&queued.mu), 0);
	queued.order[queued.n++] = (int)(intptr_t)arg;
	grt_mutex_unlock(&queued.mu);
	count();
}

RUNTIME_TEST(a_mutex_goes_to_who_has_waited_longest, 1)
{
	/* given goroutines that queued one after the other */
	EXPECT_EQ(grt_sink_open(KIND(g_park), 0), 0);
	EXPECT_EQ(grt_mutex_lock(&queued.mu), 0);
	for (intptr_t i = 0; i < WORKERS; i++) {
		size_t before = parked();

		EXPECT_EQ(grt_go(lock_and_sign, (void *)i), 0);
		AWAIT(parked() > before);
	}

	/* when the mutex is let go and asked for again at once */
	grt_mutex_unlock(&queued.mu);
	EXPECT_EQ(grt_mutex_trylock(&queued.mu), -EBUSY);

	/* then they got it in the order in which they came, and the last one freed it */
	AWAIT(seen() == WORKERS);
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(queued.order[i], i);
	EXPECT_EQ(grt_mutex_trylock(&queued.mu), 0);
}

static void unlock_for_another(void *arg)
{
	grt_mutex_unlock(arg);
}

RUNTIME_TEST(another_goroutine_may_unlock, 1)
{
	grt_mutex mu = GRT_MUTEX_INIT;

	EXPECT_EQ(grt_mutex_lock(&mu), 0);
	EXPECT_EQ(grt_go(unlock_for_another, &mu), 0);
	EXPECT_EQ(grt_mutex_lock(&mu), 0);
}

struct outside {
	grt_mutex taken, free;
	grt_waitgroup pending, done;
};

/* While it runs nobody can be told that all are asleep: the thread has not called in yet. */
static void stay_awake(void *arg)
{
	while (!__atomic_load_n((int *)arg, __ATOMIC_SEQ_CST))
		grt_yield();
}

static void *from_a_thread(void *arg)
{
	struct outside *x = arg;

	EXPECT_EQ(grt_mutex_lock(&x->taken), -EPERM);
	EXPECT_EQ(grt_mutex_trylock(&x->taken), -EBUSY);
	EXPECT_EQ(grt_mutex_lock(&x->free), 0);
	EXPECT_EQ(grt_waitgroup_wait(&x->pending), -EPERM);
	EXPECT_EQ(grt_waitgroup_wait(&x->done), 0);
	/* and what wakes others is for anybody */
	grt_mutex_unlock(&x->taken);
	grt_waitgroup_done(&x->pending);
	return NULL;
}

RUNTIME_TEST(a_foreign_thread_wakes_but_does_not_wait, 1)
{
	struct outside x = { 0 };
	int may_sleep = 0;
	pthread_t t;

	EXPECT_EQ(grt_go(stay_awake, &may_sleep), 0);
	EXPECT_EQ(grt_mutex_lock(&x.taken), 0);
	grt_waitgroup_add(&x.pending, 1);
	EXPECT_EQ(pthread_create(&t, NULL, from_a_thread, &x), 0);

	EXPECT_EQ(grt_waitgroup_wait(&x.pending), 0);
	EXPECT_EQ(grt_mutex_lock(&x.taken), 0);
	EXPECT_EQ(grt_mutex_trylock(&x.free), -EBUSY);
	__atomic_store_n(&may_sleep, 1, __ATOMIC_SEQ_CST);
	pthread_join(t, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_group_waits_for_all),
		cmocka_unit_test(the_last_one_done_wakes_every_waiter),
		cmocka_unit_test(a_wait_group_may_be_freed_when_its_wait_returns),
		cmocka_unit_test(mistakes_end_the_process_as_in_go),
		cmocka_unit_test(one_goroutine_at_a_time_holds_a_mutex),
		cmocka_unit_test(a_mutex_goes_to_who_has_waited_longest),
		cmocka_unit_test(another_goroutine_may_unlock),
		cmocka_unit_test(a_foreign_thread_wakes_but_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
