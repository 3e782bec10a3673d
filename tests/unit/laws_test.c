/* SPDX-License-Identifier: MIT */
/* laws_test.c - numbers that contradict each other are told; a process that moves does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "calls.h"

static char why[256];

static void snapshot_counting(struct model *m, uint64_t t, uint64_t handoffs, uint64_t retakes,
			      uint64_t given_up)
{
	struct counts c = { .handoffs = handoffs, .retakes = retakes, .self_blocks = given_up };

	c.slow_exits = retakes + given_up;
	rec_snapshot(m, t, 2, 0, NULL, 0, &c);
	model_tick(m, t);
}

/* n hand-offs by sysmon, each told in full and back again. */
static void handoffs_told(struct model *m, uint64_t t, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++, t += MS_NS) {
		take(m, t, 1, 5, 20 * US, GRT_BY_SYSMON, SYS_read);
		rec_handoff(m, t + 1, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);
		rec_done(m, t + 2, 0, 5, 6);
		back(m, t + 3, 1, 5, GRT_EXIT_OLD_P, 0);
	}
}

static void a_goroutine_that_loses_two_ps_breaks_a_law(void **state)
{
	struct model *m = *state;

	for (uint64_t i = 0; i < 2; i++) {
		take(m, T0 + i * MS_NS, 1, 5, 20 * US, GRT_BY_SYSMON, SYS_read);
		rec_handoff(m, T0 + i * MS_NS + 1, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_IDLED,
			    GRT_NO_ID);
	}
	model_tick(m, T0 + SEC_NS);

	assert_true(model_law_broken(m, why, sizeof(why)));
	assert_non_null(strstr(why, "without having come back, 1 times"));
}

static void what_was_seen_is_what_the_runtime_counted(void **state)
{
	struct model *m = *state;

	snapshot_counting(m, T0, 100, 100, 0);
	handoffs_told(m, T0 + MS_NS, 97);
	snapshot_counting(m, T0 + SEC_NS, 197, 197, 0);
	snapshot_counting(m, T0 + 2 * SEC_NS, 197, 197, 0);

	model_tick(m, UINT64_MAX);
	assert_false(model_law_broken(m, why, sizeof(why)));
}

/* More than the two Ps and sysmon can have had in hand, at both ends. */
static void a_handoff_that_was_not_seen_breaks_a_law(void **state)
{
	struct model *m = *state;

	snapshot_counting(m, T0, 100, 100, 0);
	handoffs_told(m, T0 + MS_NS, 97);
	snapshot_counting(m, T0 + SEC_NS, 197 + 4, 197, 0);
	model_tick(m, UINT64_MAX);

	assert_true(model_law_broken(m, why, sizeof(why)));
	assert_non_null(strstr(why, "97 hand-offs were seen, but the runtime counted 101"));
}

static void one_seen_that_was_not_counted_breaks_a_law(void **state)
{
	struct model *m = *state;

	snapshot_counting(m, T0, 100, 100, 0);
	handoffs_told(m, T0 + MS_NS, 97);
	snapshot_counting(m, T0 + SEC_NS, 197, 197 - 4, 0);
	model_tick(m, UINT64_MAX);

	assert_true(model_law_broken(m, why, sizeof(why)));
	assert_non_null(strstr(why, "97 retakes were seen, but the runtime counted 93"));
}

/* What the runtime counted after the newest reading has been told already: no contradiction. */
static void events_after_the_newest_reading_do_not_count(void **state)
{
	struct model *m = *state;

	snapshot_counting(m, T0, 100, 100, 0);
	handoffs_told(m, T0 + MS_NS, 50);
	snapshot_counting(m, T0 + SEC_NS, 150, 150, 0);
	handoffs_told(m, T0 + SEC_NS + MS_NS, 47);
	model_tick(m, UINT64_MAX);

	assert_false(model_law_broken(m, why, sizeof(why)));
}

/* It ended between a snapshot and the events that the snapshot has counted. */
static void a_recording_without_room_for_the_last_events_is_no_contradiction(void **state)
{
	struct model *m = *state;

	snapshot_counting(m, T0, 100, 100, 0);
	handoffs_told(m, T0 + MS_NS, 97);
	snapshot_counting(m, T0 + SEC_NS, 197 + 40, 197 + 40, 0);
	rec_apply(m, T0 + SEC_NS, GRT_K_FILE_END, GRT_END_FULL, 0, 0, 0, 0, 0);
	model_tick(m, UINT64_MAX);

	assert_false(model_law_broken(m, why, sizeof(why)));
}

/* Later events had room: none that was counted may be missing. */
static void a_recording_without_room_for_later_events_can_be_judged(void **state)
{
	struct model *m = *state;

	snapshot_counting(m, T0, 100, 100, 0);
	handoffs_told(m, T0 + MS_NS, 97);
	snapshot_counting(m, T0 + SEC_NS, 197 + 40, 197 + 40, 0);
	handoffs_told(m, T0 + SEC_NS + 500 * MS_NS, 1);
	rec_apply(m, T0 + 2 * SEC_NS, GRT_K_FILE_END, GRT_END_FULL, 0, 0, 0, 0, 0);
	model_tick(m, UINT64_MAX);

	assert_true(model_law_broken(m, why, sizeof(why)));
}

/* Ticks may come faster than events are settled. */
static void readings_closer_than_the_window_are_no_trouble(void **state)
{
	struct model *m = *state;
	uint64_t t = T0, n = 100;

	snapshot_counting(m, t, n, n, 0);
	for (int i = 0; i < 50; i++, n++) {
		handoffs_told(m, t + MS_NS, 1);
		t += 3 * MS_NS;
		snapshot_counting(m, t, n + 1, n + 1, 0);
	}
	model_tick(m, UINT64_MAX);

	assert_false(model_law_broken(m, why, sizeof(why)));
}

static void probes_that_were_shed_are_no_contradiction(void **state)
{
	struct model *m = *state;

	snapshot_counting(m, T0, 100, 100, 0);
	handoffs_told(m, T0 + MS_NS, 10);
	rec_apply(m, T0 + SEC_NS, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	rec_apply(m, T0 + SEC_NS, GRT_K_SNAP_COUNT, 500, 500, 500, 0, 0, 0);
	rec_apply(m, T0 + SEC_NS, GRT_K_SNAP_COST, 1, 1, 1, 1, 1, GRT_COLD);
	rec_apply(m, T0 + SEC_NS, GRT_K_SNAP_END, 0, 0, 0, 0, 0, 0);
	model_tick(m, UINT64_MAX);

	assert_false(model_law_broken(m, why, sizeof(why)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, model_setup, model_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_goroutine_that_loses_two_ps_breaks_a_law),
		TEST(what_was_seen_is_what_the_runtime_counted),
		TEST(a_handoff_that_was_not_seen_breaks_a_law),
		TEST(one_seen_that_was_not_counted_breaks_a_law),
		TEST(events_after_the_newest_reading_do_not_count),
		TEST(a_recording_without_room_for_the_last_events_is_no_contradiction),
		TEST(a_recording_without_room_for_later_events_can_be_judged),
		TEST(readings_closer_than_the_window_are_no_trouble),
		TEST(probes_that_were_shed_are_no_contradiction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
