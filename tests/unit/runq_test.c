/* SPDX-License-Identifier: MIT */
/* runq_test.c - the local run queue: order, overflow, and an owner against two thieves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/runq.h"

static struct g *gs_new(size_t n)
{
	struct g *g = calloc(n, sizeof(*g));

	assert_non_null(g);
	for (size_t i = 0; i < n; i++)
		g[i].goid = i;
	return g;
}

static void test_i20_fifo_but_for_runnext(void **state)
{
	struct gqueue overflow = { 0 };
	struct runq q = { 0 };
	struct g *g = gs_new(4);
	bool inherit;

	(void)state;
	runq_put(&q, &g[0], false, &overflow);
	runq_put(&q, &g[1], false, &overflow);
	runq_put(&q, &g[2], true, &overflow);
	runq_put(&q, &g[3], true, &overflow); /* kicks 2 to the tail */

	assert_ptr_equal(runq_get(&q, &inherit), &g[3]);
	assert_true(inherit);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(runq_get(&q, &inherit), &g[i]);
		assert_false(inherit);
	}
	assert_null(runq_get(&q, &inherit));
	assert_true(runq_is_empty(&q));
	free(g);
}

static void test_a_full_ring_gives_half_of_itself_away(void **state)
{
	struct gqueue overflow = { 0 };
	struct runq q = { 0 };
	struct g *g = gs_new(RUNQ_SIZE + 1);

	(void)state;
	for (u32 i = 0; i < RUNQ_SIZE; i++)
		assert_int_equal(runq_put(&q, &g[i], false, &overflow), 0);

	assert_int_equal(runq_put(&q, &g[RUNQ_SIZE], false, &overflow), RUNQ_SIZE / 2 + 1);
	assert_int_equal(overflow.size, RUNQ_SIZE / 2 + 1);
	assert_int_equal(runq_len(&q), RUNQ_SIZE / 2);
	assert_ptr_equal(gqueue_pop(&overflow), &g[0]);
	assert_ptr_equal(overflow.tail, &g[RUNQ_SIZE]);
	free(g);
}

static void test_a_thief_takes_half_rounded_up(void **state)
{
	struct runq victim = { 0 }, own = { 0 };
	struct gqueue overflow = { 0 };
	struct g *g = gs_new(3);

	(void)state;
	for (int i = 0; i < 3; i++)
		runq_put(&victim, &g[i], false, &overflow);

	assert_ptr_equal(runq_steal(&own, &victim, false), &g[1]);
	assert_int_equal(runq_len(&own), 1);
	assert_int_equal(runq_len(&victim), 1);
	free(g);
}

static void test_runnext_is_stolen_only_if_asked(void **state)
{
	struct runq victim = { 0 }, own = { 0 };
	struct gqueue overflow = { 0 };
	struct g *g = gs_new(1);

	(void)state;
	runq_put(&victim, g, true, &overflow);

	assert_null(runq_steal(&own, &victim, false));
	assert_ptr_equal(runq_steal(&own, &victim, true), g);
	assert_true(runq_is_empty(&victim));
	free(g);
}

static void test_queues_join(void **state)
{
	struct gqueue a = { 0 }, b = { 0 };
	struct g *g = gs_new(3);

	(void)state;
	gqueue_push(&a, &g[1]);
	gqueue_push_front(&a, &g[0]);
	gqueue_push(&b, &g[2]);
	gqueue_append(&a, &b);

	assert_int_equal(a.size, 3);
	assert_int_equal(b.size, 0);
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(gqueue_pop(&a), &g[i]);
	assert_null(gqueue_pop(&a));
	free(g);
}

/* Owner and thieves: every G is got by exactly one of them. */
#define STRESS_GS 200000
#define THIEVES 2

static struct {
	struct runq q;
	u32 *seen; /* by goid: how many got it */
	u32 is_done;
} stress;

static void got(struct g *g)
{
	__atomic_add_fetch(&stress.seen[g->goid], 1, __ATOMIC_RELAXED);
}

static void *thief(void *arg)
{
	struct runq own = { 0 };
	bool inherit;

	(void)arg;
	while (!__atomic_load_n(&stress.is_done, __ATOMIC_ACQUIRE) || !runq_is_empty(&stress.q)) {
		struct g *g = runq_steal(&own, &stress.q, false);

		for (; g; g = runq_get(&own, &inherit))
			got(g);
	}
	return NULL;
}

static void drain(struct gqueue *q)
{
	struct g *g;

	while ((g = gqueue_pop(q)))
		got(g);
}

static void test_i7_owner_and_thieves_lose_and_double_nothing(void **state)
{
	struct gqueue overflow = { 0 };
	struct g *g = gs_new(STRESS_GS), *mine;
	pthread_t t[THIEVES];
	bool inherit;

	(void)state;
	stress.seen = calloc(STRESS_GS, sizeof(*stress.seen));
	for (int i = 0; i < THIEVES; i++)
		assert_int_equal(pthread_create(&t[i], NULL, thief, NULL), 0);

	for (int i = 0; i < STRESS_GS; i++) {
		runq_put(&stress.q, &g[i], i % 3 == 0, &overflow);
		drain(&overflow);
		if (i % 2 && (mine = runq_get(&stress.q, &inherit)))
			got(mine);
	}
	while ((mine = runq_get(&stress.q, &inherit)))
		got(mine);
	__atomic_store_n(&stress.is_done, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < THIEVES; i++)
		pthread_join(t[i], NULL);

	for (int i = 0; i < STRESS_GS; i++)
		assert_int_equal(stress.seen[i], 1);
	free(stress.seen);
	free(g);
}

/* Whoever watches a queue from outside sees a length that a queue can have. */
static u32 is_watched;

static void *watch(void *arg)
{
	u64 *wrong = arg;

	while (!__atomic_load_n(&stress.is_done, __ATOMIC_ACQUIRE)) {
		*wrong += runq_len(&stress.q) > RUNQ_SIZE;
		__atomic_store_n(&is_watched, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_a_length_seen_from_outside_is_possible(void **state)
{
	struct gqueue overflow = { 0 };
	struct g *g = gs_new(1);
	u64 wrong = 0;
	bool inherit;
	pthread_t t;

	(void)state;
	memset(&stress, 0, sizeof(stress));
	assert_int_equal(pthread_create(&t, NULL, watch, &wrong), 0);
	for (int i = 0; i < STRESS_GS || !__atomic_load_n(&is_watched, __ATOMIC_RELAXED); i++) {
		runq_put(&stress.q, g, false, &overflow);
		assert_ptr_equal(runq_get(&stress.q, &inherit), g);
	}
	__atomic_store_n(&stress.is_done, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);

	assert_int_equal(wrong, 0);
	free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_i20_fifo_but_for_runnext),
		cmocka_unit_test(test_a_full_ring_gives_half_of_itself_away),
		cmocka_unit_test(test_a_thief_takes_half_rounded_up),
		cmocka_unit_test(test_runnext_is_stolen_only_if_asked),
		cmocka_unit_test(test_queues_join),
		cmocka_unit_test(test_i7_owner_and_thieves_lose_and_double_nothing),
		cmocka_unit_test(test_a_length_seen_from_outside_is_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
