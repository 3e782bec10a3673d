/* SPDX-License-Identifier: MIT */
/* cost_test.c - which probes are shed when watching costs too much, in which order, and when again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/source/cost.h"

#define SEC 1000000000ull
#define PERCENT 10000u
#define ALL (GRT_HOT | GRT_WARM | GRT_SWITCHES | GRT_COLD)

/* One CPU busy in the target; `paid` of it is our doing. */
static struct cost spent(uint64_t ns, uint64_t paid)
{
	return (struct cost){
		.target_ns = ns, .wall_ns = ns, .hits_ns = paid / 2, .bpf_ns = paid / 2
	};
}

static void nothing_is_shed_below_the_limit(void **state)
{
	struct governor g;

	(void)state;
	governor_init(&g, ALL, PERCENT, 0);
	for (uint64_t t = 1; t <= 10; t++) {
		struct cost c = spent(t * SEC, t * SEC / 101);

		assert_int_equal(governor_tick(&g, &c, t * SEC), ALL);
	}
	assert_int_equal(governor_armed_permill(&g), 1000);
}

static void the_hottest_group_goes_first_and_the_cold_last(void **state)
{
	static const uint32_t left[] = { GRT_WARM | GRT_SWITCHES | GRT_COLD,
					 GRT_SWITCHES | GRT_COLD, GRT_COLD, 0, 0 };
	struct governor g;

	(void)state;
	governor_init(&g, ALL, PERCENT, 0);
	for (uint64_t t = 1; t <= 5; t++) {
		struct cost c = spent(t * SEC, t * SEC / 10);

		assert_int_equal(governor_tick(&g, &c, t * SEC), left[t - 1]);
	}
}

static void what_was_shed_comes_back_when_the_share_has_fallen(void **state)
{
	struct governor g;
	uint64_t paid = 0, armed_s = 0;

	(void)state;
	governor_init(&g, GRT_COLD | GRT_WARM, PERCENT, 0);
	/* Warm probes cost 4 % while they are armed: on the whole it must be about 1 %. */
	for (uint64_t t = 1; t <= 1000; t++) {
		struct cost c;

		if (g.armed & GRT_WARM) {
			paid += SEC * 4 / 100;
			armed_s++;
		}
		c = spent(t * SEC, paid);
		assert_true(governor_tick(&g, &c, t * SEC) & GRT_COLD);
	}
	assert_in_range(paid * 1000 / (1000 * SEC), 5, 10);
	assert_in_range(armed_s, 125, 250);
	assert_in_range(governor_armed_permill(&g), armed_s - 2, armed_s + 2);
}

static void an_idle_target_loses_no_probe(void **state)
{
	struct governor g;
	/* 2 % of hardly anything. */
	struct cost c = { .target_ns = SEC / 1000, .wall_ns = 10 * SEC, .hits_ns = SEC / 50000 };

	(void)state;
	governor_init(&g, ALL, PERCENT, 0);
	assert_int_equal(governor_tick(&g, &c, 10 * SEC), ALL);
}

static void no_limit_sheds_nothing(void **state)
{
	struct governor g;
	struct cost c = spent(10 * SEC, 9 * SEC);

	(void)state;
	governor_init(&g, ALL, 0, 0);
	assert_int_equal(governor_tick(&g, &c, 10 * SEC), ALL);
}

static void changes_are_at_least_a_second_apart(void **state)
{
	struct governor g;
	struct cost c = spent(SEC / 2, SEC / 4);

	(void)state;
	governor_init(&g, ALL, PERCENT, 0);
	assert_int_equal(governor_tick(&g, &c, SEC / 2), ALL);
	assert_int_equal(governor_tick(&g, &c, SEC), ALL & ~GRT_HOT);
	assert_int_equal(governor_tick(&g, &c, SEC + SEC / 2), ALL & ~GRT_HOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_shed_below_the_limit),
		cmocka_unit_test(the_hottest_group_goes_first_and_the_cold_last),
		cmocka_unit_test(what_was_shed_comes_back_when_the_share_has_fallen),
		cmocka_unit_test(an_idle_target_loses_no_probe),
		cmocka_unit_test(no_limit_sheds_nothing),
		cmocka_unit_test(changes_are_at_least_a_second_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
