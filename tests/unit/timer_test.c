/* SPDX-License-Identifier: MIT */
/* timer_test.c - the timer heap: order, stop, and a stop against a run on another thread. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/timer.h"

#define TIMERS 1000

static struct p p;
static struct timer timers[TIMERS];
static i64 fired_when[TIMERS];
static u64 fired_seq[TIMERS];
static u32 nfired;

static void record(void *arg, u64 seq, i64 now_ns)
{
	struct timer *t = arg;

	(void)now_ns;
	fired_when[nfired] = t->when_ns;
	fired_seq[nfired++] = seq;
}

static int given_a_heap(void **state)
{
	(void)state;
	memset(&p, 0, sizeof(p));
	memset(timers, 0, sizeof(timers));
	timer_heap_init(&p.timers);
	nfired = 0;
	for (u32 i = 0; i < TIMERS; i++) {
		timers[i].fn = record;
		timers[i].arg = &timers[i];
		timers[i].seq = i;
	}
	return 0;
}

static int free_the_heap(void **state)
{
	(void)state;
	free(p.timers.slot);
	return 0;
}

static i64 when_of(u32 i)
{
	return 1 + (i64)(i * 7919u % TIMERS);
}

static void test_timers_fire_in_order_and_not_early(void **state)
{
	i64 next;

	(void)state;
	for (u32 i = 0; i < TIMERS; i++)
		timer_start(&p, &timers[i], when_of(i));

	assert_int_equal(timer_first(&p.timers), 1);
	assert_int_equal(timer_run(&p.timers, TIMERS / 2, &next), TIMERS / 2);
	assert_int_equal(next, TIMERS / 2 + 1);
	assert_int_equal(timer_run(&p.timers, TIMERS, &next), TIMERS / 2);
	assert_int_equal(next, 0);
	for (u32 i = 0; i < TIMERS; i++)
		assert_int_equal(fired_when[i], i + 1);
}

static void test_start_tells_when_it_is_the_earliest(void **state)
{
	(void)state;
	assert_true(timer_start(&p, &timers[0], 100));
	assert_false(timer_start(&p, &timers[1], 200));
	assert_true(timer_start(&p, &timers[2], 50));
	assert_int_equal(timer_first(&p.timers), 50);
}

static void test_a_stopped_timer_does_not_fire(void **state)
{
	i64 next;

	(void)state;
	for (u32 i = 0; i < TIMERS; i++)
		timer_start(&p, &timers[i], when_of(i));
	for (u32 i = 0; i < TIMERS; i += 2)
		assert_true(timer_stop(&timers[i]));
	assert_false(timer_stop(&timers[0]));

	assert_int_equal(timer_run(&p.timers, TIMERS, &next), TIMERS / 2);
	for (u32 i = 0; i < TIMERS / 2; i++)
		assert_true(fired_seq[i] % 2 == 1);
	assert_false(timer_stop(&timers[1]));
}

/* Each timer either fires once or is stopped once. */
static u32 fired[TIMERS], stopped[TIMERS], is_over;

static void count(void *arg, u64 seq, i64 now_ns)
{
	(void)arg;
	(void)now_ns;
	__atomic_add_fetch(&fired[seq], 1, __ATOMIC_RELAXED);
}

static void *runner(void *arg)
{
	i64 next;

	(void)arg;
	while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE))
		timer_run(&p.timers, TIMERS, &next);
	return NULL;
}

static void test_i17_stop_and_run_agree(void **state)
{
	pthread_t t;

	(void)state;
	for (u32 i = 0; i < TIMERS; i++)
		timers[i].fn = count;
	assert_int_equal(pthread_create(&t, NULL, runner, NULL), 0);
	for (int round = 1; round <= 50; round++) {
		for (u32 i = 0; i < TIMERS; i++)
			timer_start(&p, &timers[i], when_of(i));
		for (u32 i = 0; i < TIMERS; i++)
			stopped[i] += timer_stop(&timers[i]);
		for (u32 i = 0; i < TIMERS; i++)
			while (__atomic_load_n(&fired[i], __ATOMIC_RELAXED) + stopped[i] <
			       (u32)round)
				;
	}
	__atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);

	for (u32 i = 0; i < TIMERS; i++)
		assert_int_equal(fired[i] + stopped[i], 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_timers_fire_in_order_and_not_early,
						given_a_heap, free_the_heap),
		cmocka_unit_test_setup_teardown(test_start_tells_when_it_is_the_earliest,
						given_a_heap, free_the_heap),
		cmocka_unit_test_setup_teardown(test_a_stopped_timer_does_not_fire, given_a_heap,
						free_the_heap),
		cmocka_unit_test_setup_teardown(test_i17_stop_and_run_agree, given_a_heap,
						free_the_heap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
