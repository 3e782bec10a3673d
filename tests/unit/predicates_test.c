/* SPDX-License-Identifier: MIT */
/* predicates_test.c - the three answers, from synthetic records: what holds, what is violated, and
 * above all what cannot be told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "../../tools/assert/evidence.h"
#include "records.h"

#define T0 (1000 * SEC_NS)

static struct evidence e;

static void put(uint64_t t, uint16_t kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		uint64_t f, uint64_t g)
{
	struct grt_rec rec = {
		.time_ns = t, .tid = 4711, .kind = kind, .arg = { a, b, c, d, f, g }
	};

	evidence_apply(&e, &rec);
}

static void snapshot(uint64_t t, const struct row *rows, size_t n)
{
	static const struct counts none;

	rec_snapshot(e.model, t, 2, 1, rows, n, &none);
	evidence_tick(&e, t + MODEL_WINDOW_NS);
}

static const struct row idle[] = {
	{ .m = 0, .tid = 4711, .p = 0, .g = 1, .state = GRT_MS_running }
};

static int given(void **state)
{
	(void)state;
	assert_true(evidence_init(&e));
	e.has_events = true;
	e.via = "the sink";
	snapshot(T0, idle, 1);
	return 0;
}

static int over(void **state)
{
	(void)state;
	evidence_fini(&e);
	return 0;
}

/* M5 loses P0 in a read at t, and M6 has it us later. */
static void hand_off(uint64_t t, uint64_t us)
{
	put(t, GRT_K_retake, 0, 5, 7, 20000, GRT_BY_SYSMON, SYS_read);
	put(t + 1, GRT_K_handoff, 0, 5, 7, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);
	put(t + us * 1000 - 20000, GRT_K_handoff_done, 0, 5, 6, 0, 0, 0);
	put(t + us * 1000, GRT_K_exitsyscall_slow, 7, 5, 0, GRT_EXIT_QUEUED, 0, 0);
}

static void nothing_blocked_holds(void **state)
{
	(void)state;
	assert_int_equal(predicate_no_blocked_m(&e), GOTRACE_HOLDS);
	assert_int_equal(predicate_blocked_at_most(&e, 0), GOTRACE_HOLDS);
}

static void a_block_between_two_looks_is_seen_and_named(void **state)
{
	(void)state;
	hand_off(T0 + MS_NS, 100);
	snapshot(T0 + SEC_NS, idle, 1);
	assert_int_equal(predicate_no_blocked_m(&e), GOTRACE_VIOLATED);
	assert_non_null(strstr(e.text, "M5, which lost P0 while G7 was in read"));
	assert_non_null(strstr(e.text, "last 4 events"));
	assert_non_null(strstr(e.text, "retake p=0 m=5 g=7 in_call_ns=20us by=sysmon nr=read\n"));
	assert_non_null(
		strstr(e.text, "handoff p=0 from_m=5 g=7 cause=retake outcome=woke to_m=6\n"));
	assert_non_null(strstr(e.text, "the longest that is over: M5, G7 in read for 100us\n"));
	assert_int_equal(predicate_blocked_at_most(&e, 1), GOTRACE_HOLDS);
	assert_int_equal(predicate_blocked_at_most(&e, 0), GOTRACE_VIOLATED);
}

static void what_was_before_the_scope_is_not_in_it(void **state)
{
	(void)state;
	evidence_fini(&e);
	assert_true(evidence_init(&e));
	e.has_events = true;
	hand_off(T0 - MS_NS, 100);
	snapshot(T0, idle, 1);
	assert_int_equal(predicate_no_blocked_m(&e), GOTRACE_HOLDS);
}

static void a_thread_that_waited_for_a_cpu_is_no_proof_of_blocking(void **state)
{
	static struct evidence_delay delay = { .m = 5, .run_delay_ns = 30000 };

	(void)state;
	hand_off(T0 + MS_NS, 100);
	snapshot(T0 + SEC_NS, idle, 1);
	e.delay = calloc(1, sizeof(delay));
	*e.delay = delay;
	e.ndelays = 1;
	e.has_delays = true;
	assert_int_equal(predicate_no_blocked_m(&e), GOTRACE_INCONCLUSIVE);
	assert_non_null(strstr(e.text, "too busy to tell"));
}

static void loss_lets_nothing_hold_and_keeps_violations(void **state)
{
	(void)state;
	rec_lost(e.model, GRT_LOSS_RING, 3);
	assert_int_equal(predicate_no_blocked_m(&e), GOTRACE_INCONCLUSIVE);
	assert_non_null(strstr(e.text, "3 records were lost"));
	assert_int_equal(predicate_threads_at_most(&e, 9), GOTRACE_INCONCLUSIVE);
	hand_off(T0 + MS_NS, 100);
	snapshot(T0 + SEC_NS, idle, 1);
	assert_int_equal(predicate_no_blocked_m(&e), GOTRACE_VIOLATED);
}

static void without_events_a_look_proves_no_absence(void **state)
{
	(void)state;
	e.has_events = false;
	assert_int_equal(predicate_no_blocked_m(&e), GOTRACE_INCONCLUSIVE);
}

static void a_call_that_kept_its_p_is_named(void **state)
{
	static const struct row rows[] = {
		{ .m = 0, .tid = 4711, .p = 0, .g = 1, .state = GRT_MS_running },
		{ .m = 3,
		  .tid = 4712,
		  .p = 1,
		  .g = 9,
		  .state = GRT_MS_syscall,
		  .nr = SYS_fsync,
		  .arg = 7 },
	};

	(void)state;
	snapshot(T0 + SEC_NS, rows, 2);
	assert_int_equal(predicate_handed_off(&e, SYS_fsync), GOTRACE_VIOLATED);
	assert_non_null(strstr(e.text, "M3 is in it and keeps P1"));
}

/* The look was asked for while its end was on the way: then it is not violated, and the next one knows. */
static void a_hand_off_that_ends_during_a_look_is_not_missed(void **state)
{
	static const struct counts none;
	uint64_t asked = T0 + SEC_NS, done = asked + 2 * MODEL_WINDOW_NS;

	(void)state;
	put(asked - MS_NS, GRT_K_retake, 0, 5, 7, 20000, GRT_BY_SYSMON, SYS_read);
	put(asked - MS_NS + 1, GRT_K_handoff, 0, 5, 7, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);
	put(done, GRT_K_handoff_done, 0, 5, 6, 0, 0, 0);
	rec_snapshot(e.model, asked, 2, 1, idle, 1, &none);
	evidence_tick(&e, asked + MODEL_WINDOW_NS);
	assert_int_equal(predicate_handed_off(&e, SYS_read), GOTRACE_INCONCLUSIVE);
	assert_true(predicate_handoff_is_pending(&e, SYS_read));
	evidence_tick(&e, done + MODEL_WINDOW_NS);
	assert_int_equal(predicate_handed_off(&e, SYS_read), GOTRACE_HOLDS);
	assert_false(predicate_handoff_is_pending(&e, SYS_read));
}

static void a_handed_off_call_holds(void **state)
{
	(void)state;
	hand_off(T0 + MS_NS, 100);
	snapshot(T0 + SEC_NS, idle, 1);
	assert_int_equal(predicate_handed_off(&e, SYS_read), GOTRACE_HOLDS);
	assert_int_equal(predicate_handed_off(&e, SYS_write), GOTRACE_VIOLATED);
}

static void a_p_on_its_way_is_no_violation_until_it_takes_too_long(void **state)
{
	(void)state;
	put(T0 + MS_NS, GRT_K_retake, 0, 5, 7, 20000, GRT_BY_SYSMON, SYS_read);
	put(T0 + MS_NS + 1, GRT_K_handoff, 0, 5, 7, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);
	snapshot(T0 + 20 * MS_NS, idle, 1);
	assert_int_equal(predicate_handed_off(&e, SYS_read), GOTRACE_INCONCLUSIVE);
	assert_non_null(strstr(e.text, "P0 was taken from M5 in read, and nobody has it yet"));
	assert_int_equal(predicate_handed_off(&e, SYS_write), GOTRACE_VIOLATED);
	snapshot(T0 + 2 * SEC_NS, idle, 1);
	assert_int_equal(predicate_handed_off(&e, SYS_read), GOTRACE_VIOLATED);
}

static void percentiles_need_their_samples(void **state)
{
	(void)state;
	assert_int_equal(hist_samples_min(50), 2);
	assert_int_equal(hist_samples_min(90), 10);
	assert_int_equal(hist_samples_min(99), 100);
	assert_int_equal(hist_samples_min(100), 1);
	for (int i = 0; i < 99; i++)
		hand_off(T0 + (uint64_t)(i + 1) * MS_NS, 100);
	snapshot(T0 + SEC_NS, idle, 1);
	assert_int_equal(predicate_handoff_within(&e, 99, 500), GOTRACE_INCONCLUSIVE);
	assert_non_null(
		strstr(e.text, "99 hand-offs were measured, the 99th percentile needs 100"));
	assert_int_equal(predicate_handoff_within(&e, 90, 500), GOTRACE_HOLDS);
	assert_int_equal(predicate_handoff_within(&e, 0, 500), GOTRACE_INCONCLUSIVE);
}

static void a_late_percentile_is_violated_and_one_late_of_a_hundred_is_not(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		hand_off(T0 + (uint64_t)(i + 1) * 5 * MS_NS, i == 50 ? 4000 : 100);
	snapshot(T0 + SEC_NS, idle, 1);
	assert_int_equal(predicate_handoff_within(&e, 99, 500), GOTRACE_HOLDS);
	assert_int_equal(predicate_handoff_within(&e, 100, 500), GOTRACE_VIOLATED);
	assert_non_null(strstr(e.text, "4.0ms, at most 500us"));
	assert_non_null(strstr(e.text, "the slowest: P0 of M5, G7 in read; taken by sysmon after "
				       "20us, M6 had it after 4.0ms\n"));
}

static void a_taker_that_waited_for_a_cpu_is_no_proof_of_slowness(void **state)
{
	(void)state;
	hand_off(T0 + MS_NS, 4000);
	snapshot(T0 + SEC_NS, idle, 1);
	e.delay = calloc(1, sizeof(*e.delay));
	e.delay[0] = (struct evidence_delay){ .m = 6, .run_delay_ns = 3900000 };
	e.ndelays = 1;
	e.has_delays = true;
	assert_int_equal(predicate_handoff_within(&e, 100, 500), GOTRACE_INCONCLUSIVE);
	assert_non_null(strstr(e.text, "waited for a CPU"));
	e.delay[0].run_delay_ns = 100000;
	assert_int_equal(predicate_handoff_within(&e, 100, 500), GOTRACE_VIOLATED);
}

static void what_was_not_seen_to_the_end_does_not_hold(void **state)
{
	static const struct row rows[] = {
		{ .m = 0, .tid = 4711, .p = 0, .g = 1, .state = GRT_MS_running }
	};

	(void)state;
	e.cut = "the process replaced its image";
	assert_int_equal(predicate_no_blocked_m(&e), GOTRACE_INCONCLUSIVE);
	assert_non_null(strstr(e.text, "replaced its image: what came afterwards was not seen"));
	assert_int_equal(predicate_threads_at_most(&e, 9), GOTRACE_INCONCLUSIVE);
	snapshot(T0 + SEC_NS, rows, 1);
	assert_int_equal(predicate_threads_at_most(&e, 0), GOTRACE_VIOLATED);
}

/* Its last look is not now. */
static void nobody_waits_in_a_process_that_has_ended(void **state)
{
	(void)state;
	rec_apply(e.model, T0, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	rec_apply(e.model, T0, GRT_K_SNAP_G, 7, GRT_G_WAITING, 5, T0, 0, 0);
	rec_apply(e.model, T0, GRT_K_SNAP_END, 0, 0, 0, 400000, 0, 0);
	assert_int_equal(predicate_netpoll_parked(&e, 5), GOTRACE_HOLDS);
	e.is_gone = true;
	assert_int_equal(predicate_netpoll_parked(&e, 5), GOTRACE_VIOLATED);
	assert_non_null(strstr(e.text, "the process has ended"));
	assert_int_equal(predicate_no_blocked_m(&e), GOTRACE_HOLDS);
}

static void threads_are_counted_by_event_and_observers_are_not(void **state)
{
	static const struct row rows[] = {
		{ .m = 0, .tid = 4711, .p = 0, .g = 1, .state = GRT_MS_running },
		{ .m = -1, .tid = 4799, .p = -1, .state = GRT_MS_foreign },
	};

	(void)state;
	e.observer_tid[e.nobservers++] = 4799;
	snapshot(T0 + SEC_NS, rows, 2);
	assert_int_equal(predicate_threads_at_most(&e, 1), GOTRACE_HOLDS);
	/* two come and go between looks */
	put(T0 + SEC_NS + 1, GRT_K_m_new, 7, 0, GRT_MNEW_HANDOFF, 0, 0, 0);
	put(T0 + SEC_NS + 2, GRT_K_m_new, 8, 0, GRT_MNEW_HANDOFF, 0, 0, 0);
	put(T0 + SEC_NS + 3, GRT_K_m_exit, 7, 4712, 0, 0, 0, 0);
	put(T0 + SEC_NS + 4, GRT_K_m_exit, 8, 4713, 0, 0, 0, 0);
	snapshot(T0 + 2 * SEC_NS, rows, 2);
	assert_int_equal(predicate_threads_at_most(&e, 3), GOTRACE_HOLDS);
	assert_int_equal(predicate_threads_at_most(&e, 2), GOTRACE_VIOLATED);
}

static void hostages_need_the_kernel(void **state)
{
	static const struct row rows[] = { { .m = 2,
					     .tid = 4712,
					     .p = 1,
					     .g = 9,
					     .state = GRT_MS_hostage,
					     .kernel_state = 'S',
					     .nr = SYS_read } };

	(void)state;
	assert_int_equal(predicate_no_hostage(&e), GOTRACE_INCONCLUSIVE);
	e.has_kernel = true;
	assert_int_equal(predicate_no_hostage(&e), GOTRACE_HOLDS);
	snapshot(T0 + SEC_NS, rows, 1);
	assert_int_equal(predicate_no_hostage(&e), GOTRACE_VIOLATED);
	assert_non_null(strstr(e.text, "M2 (tid 4712), G9"));
	assert_non_null(strstr(e.text, "it holds P1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given, over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_blocked_holds),
		TEST(a_block_between_two_looks_is_seen_and_named),
		TEST(what_was_before_the_scope_is_not_in_it),
		TEST(a_thread_that_waited_for_a_cpu_is_no_proof_of_blocking),
		TEST(loss_lets_nothing_hold_and_keeps_violations),
		TEST(without_events_a_look_proves_no_absence),
		TEST(a_call_that_kept_its_p_is_named),
		TEST(a_hand_off_that_ends_during_a_look_is_not_missed),
		TEST(a_handed_off_call_holds),
		TEST(a_p_on_its_way_is_no_violation_until_it_takes_too_long),
		TEST(percentiles_need_their_samples),
		TEST(a_late_percentile_is_violated_and_one_late_of_a_hundred_is_not),
		TEST(a_taker_that_waited_for_a_cpu_is_no_proof_of_slowness),
		TEST(what_was_not_seen_to_the_end_does_not_hold),
		TEST(nobody_waits_in_a_process_that_has_ended),
		TEST(threads_are_counted_by_event_and_observers_are_not),
		TEST(hostages_need_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
