/* SPDX-License-Identifier: MIT */
/* retake_test.c - sysmon's rules as a pure function, counted in passes of an injected clock (I12). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "../../runtime/handoff.h"

#define PASS_NS 20000
#define CALL(tick) ((tick) << GRT_CALL_TICK_SHIFT | GRT_CALL_IN)

struct fixture {
	struct p p;
	struct m m;
	struct retake_view v;
};

/* A P in a call, with work queued, that sysmon has never looked at. */
static struct fixture given_a_p_in_a_call(void)
{
	struct fixture f;

	memset(&f, 0, sizeof(f));
	f.v.now_ns = 1000000000;
	f.v.schedtick = 7;
	f.v.call = CALL(5ull);
	f.v.has_work = true;
	return f;
}

static enum retake_verdict pass(struct fixture *f, bool *preempt)
{
	bool unused;

	f->v.m = &f->m;
	f->v.now_ns += PASS_NS;
	return retake_decide(&f->p, &f->v, preempt ? preempt : &unused);
}

static void test_i12_a_call_is_taken_at_the_second_pass(void **state)
{
	struct fixture f = given_a_p_in_a_call();

	(void)state;
	assert_int_equal(pass(&f, NULL), RETAKE_LEAVE);
	assert_int_equal(pass(&f, NULL), RETAKE_TAKE);
}

static void test_another_call_is_seen_for_the_first_time(void **state)
{
	struct fixture f = given_a_p_in_a_call();

	(void)state;
	pass(&f, NULL);
	f.v.call = CALL(6ull);

	assert_int_equal(pass(&f, NULL), RETAKE_LEAVE);
	assert_int_equal(pass(&f, NULL), RETAKE_TAKE);
}

static void test_the_same_tick_on_another_m_is_another_call(void **state)
{
	struct fixture f = given_a_p_in_a_call();
	struct m other;
	bool preempt;

	(void)state;
	pass(&f, NULL);
	f.v.m = &other;

	assert_int_equal(retake_decide(&f.p, &f.v, &preempt), RETAKE_LEAVE);
}

static void test_i12_without_work_and_with_takers_it_is_left_for_10_ms(void **state)
{
	struct fixture f = given_a_p_in_a_call();
	int passes = 0;

	(void)state;
	f.v.has_work = false;
	f.v.has_takers = true;
	while (f.v.schedtick++, pass(&f, NULL) == RETAKE_LEAVE)
		assert_true(++passes < 1000);

	/* First sight plus 10 ms of passes. */
	assert_int_equal(passes, 1 + RETAKE_IDLE_NS / PASS_NS - 1);
}

static void test_without_work_but_without_takers_it_is_taken_at_once(void **state)
{
	struct fixture f = given_a_p_in_a_call();

	(void)state;
	f.v.has_work = false;
	pass(&f, NULL);

	assert_int_equal(pass(&f, NULL), RETAKE_TAKE);
}

static void test_a_p_outside_a_call_is_never_taken(void **state)
{
	struct fixture f = given_a_p_in_a_call();

	(void)state;
	f.v.call = 5ull << GRT_CALL_TICK_SHIFT;
	for (int i = 0; i < 2000; i++)
		assert_int_equal(pass(&f, NULL), RETAKE_LEAVE);
}

static void test_i21_after_10_ms_a_running_g_is_asked_to_yield(void **state)
{
	struct fixture f = given_a_p_in_a_call();
	bool preempt = false;
	int passes = 0;

	(void)state;
	f.v.call = 5ull << GRT_CALL_TICK_SHIFT;
	while (!preempt) {
		assert_int_equal(pass(&f, &preempt), RETAKE_LEAVE);
		passes++;
	}
	assert_int_equal(passes, 1 + SLICE_NS / PASS_NS);
}

static void test_a_chain_of_short_calls_within_one_slice_is_taken_too(void **state)
{
	struct fixture f = given_a_p_in_a_call();
	int passes = 1;

	(void)state;
	/* Each pass sees another call, but the same schedtick: one G, longer than its slice. */
	while (pass(&f, NULL) == RETAKE_LEAVE) {
		f.v.call = CALL((u64)(5 + passes));
		passes++;
	}
	assert_int_equal(passes, 1 + SLICE_NS / PASS_NS);
}

static void test_a_p_without_owner_is_left(void **state)
{
	struct fixture f = given_a_p_in_a_call();
	bool preempt;

	(void)state;
	f.v.m = NULL;
	assert_int_equal(retake_decide(&f.p, &f.v, &preempt), RETAKE_LEAVE);
	assert_false(preempt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_i12_a_call_is_taken_at_the_second_pass),
		cmocka_unit_test(test_another_call_is_seen_for_the_first_time),
		cmocka_unit_test(test_the_same_tick_on_another_m_is_another_call),
		cmocka_unit_test(test_i12_without_work_and_with_takers_it_is_left_for_10_ms),
		cmocka_unit_test(test_without_work_but_without_takers_it_is_taken_at_once),
		cmocka_unit_test(test_a_p_outside_a_call_is_never_taken),
		cmocka_unit_test(test_i21_after_10_ms_a_running_g_is_asked_to_yield),
		cmocka_unit_test(test_a_chain_of_short_calls_within_one_slice_is_taken_too),
		cmocka_unit_test(test_a_p_without_owner_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
