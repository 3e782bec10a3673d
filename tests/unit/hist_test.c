/* SPDX-License-Identifier: MIT */
/* hist_test.c - quantiles are never below the truth and never more than 7 % above it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/model/hist.h"

static void empty_has_no_quantile(void **state)
{
	static const struct hist h;

	(void)state;
	assert_int_equal(hist_quantile(&h, 0.99), 0);
}

static void small_values_are_exact(void **state)
{
	struct hist h = { 0 };

	(void)state;
	for (uint64_t v = 0; v < 16; v++)
		hist_add(&h, v);
	assert_int_equal(hist_quantile(&h, 0), 0);
	assert_int_equal(hist_quantile(&h, 0.5), 7);
	assert_int_equal(hist_quantile(&h, 1), 15);
}

static void quantile_is_an_upper_bound_within_7_percent(void **state)
{
	(void)state;
	for (uint64_t v = 1; v < UINT64_MAX / 3; v = v * 3 + 1) {
		struct hist h = { 0 };
		uint64_t q;

		hist_add(&h, v);
		hist_add(&h, UINT64_MAX);
		q = hist_quantile(&h, 0.5);
		assert_true(q >= v);
		assert_true(q - v <= v / 14);
	}
}

static void never_above_the_largest(void **state)
{
	struct hist h = { 0 };

	(void)state;
	hist_add(&h, 1000001);
	assert_int_equal(hist_quantile(&h, 0.99), 1000001);
}

static void p99_of_a_hundred_leaves_the_worst_one_out(void **state)
{
	struct hist h = { 0 };

	(void)state;
	for (int i = 0; i < 99; i++)
		hist_add(&h, 10);
	hist_add(&h, 1000000);
	assert_int_equal(hist_quantile(&h, 0.99), 10);
	assert_int_equal(hist_quantile(&h, 0.991), 1000000);
}

static void merged_is_as_if_added(void **state)
{
	struct hist a = { 0 }, b = { 0 }, both = { 0 };

	(void)state;
	for (uint64_t v = 1; v < 100000; v += 37) {
		hist_add(v % 2 ? &a : &b, v);
		hist_add(&both, v);
	}
	hist_merge(&a, &b);
	assert_memory_equal(&a, &both, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_has_no_quantile),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(quantile_is_an_upper_bound_within_7_percent),
		cmocka_unit_test(never_above_the_largest),
		cmocka_unit_test(p99_of_a_hundred_leaves_the_worst_one_out),
		cmocka_unit_test(merged_is_as_if_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
