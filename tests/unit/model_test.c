/* SPDX-License-Identifier: MIT */
/* model_test.c - records in, threads, hand-offs, loss and laws out; no process, no clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "records.h"

#define T0 (10 * SEC_NS)
#define PRIME 97u

static int model_setup(void **state)
{
	*state = model_new();
	return *state ? 0 : -1;
}

static int model_teardown(void **state)
{
	model_free(*state);
	return 0;
}

static const struct counts no_counts;

static void snapshot_is_swapped_in_whole(void **state)
{
	const struct row row = { .m = 1, .tid = 11, .p = 0, .state = GRT_MS_running };
	const struct model_thread *threads;
	struct model *m = *state;

	rec_snapshot(m, T0, 2, 1, &row, 1, &no_counts);

	rec_apply(m, T0 + 1, GRT_K_SNAP_BEGIN, 2, 1, 0, 0, 0, 0);
	rec_row(m, T0 + 1, &row);
	rec_row(m, T0 + 1, &row);

	assert_true(model_has_snapshot(m));
	assert_int_equal(model_threads(m, &threads), 1);
	assert_int_equal(model_snap(m)->time_ns, T0);
	assert_null(model_snap_before(m));
	rec_apply(m, T0 + 1, GRT_K_SNAP_END, 2, 2, 0, 0, 0, 0);
	assert_int_equal(model_threads(m, &threads), 2);
	assert_int_equal(model_snap_before(m)->time_ns, T0);
	assert_int_equal(model_lost(m, 0), 0);
}

static void counts_add_up_to_the_threads(void **state)
{
	struct row rows[GRT_MS_COUNT + 1];
	struct model *m = *state;
	uint32_t sum = 0;

	for (int i = 0; i <= GRT_MS_COUNT; i++)
		rows[i] = (struct row){ .m = i,
					.tid = 20u + (unsigned int)i,
					.p = -1,
					.state = (enum grt_mstate)(i % GRT_MS_COUNT) };

	rec_snapshot(m, T0, 4, 1, rows, GRT_MS_COUNT + 1, &no_counts);

	for (int i = 0; i < GRT_MS_COUNT; i++)
		sum += model_snap(m)->count[i];
	assert_int_equal(sum, GRT_MS_COUNT + 1);
	assert_int_equal(model_snap(m)->threads, sum);
	assert_int_equal(model_snap(m)->count[GRT_MS_foreign], 2);
	assert_int_equal(model_snap(m)->procs_busy, 3);
	assert_int_equal(model_snap(m)->procs_idle, 1);
	assert_int_equal(model_snap(m)->runq, 3);
}

static void rows_keep_what_the_record_says(void **state)
{
	static const uint64_t args[6] = { 7, 1, 65536, 0, 0, 0 };
	const struct row row = { .m = 12,
				 .p = -1,
				 .tid = 48121,
				 .g = 17,
				 .state = GRT_MS_blocked,
				 .kernel_state = 'S',
				 .attr = GRT_MA_SINCE_AT_LEAST,
				 .nr = -2,
				 .since_ns = T0 - 5,
				 .arg = 7,
				 .args = args };
	const struct model_thread *t;
	struct model *m = *state;

	rec_snapshot(m, T0, 2, 0, &row, 1, &no_counts);

	assert_int_equal(model_threads(m, &t), 1);
	assert_int_equal(t->m, 12);
	assert_int_equal(t->p, -1);
	assert_int_equal(t->tid, 48121);
	assert_int_equal(t->g, 17);
	assert_int_equal(t->kernel_state, 'S');
	assert_int_equal(t->attr, GRT_MA_SINCE_AT_LEAST);
	assert_int_equal(t->nr, GRT_NR_NONE);
	assert_int_equal(t->since_ns, T0 - 5);
	assert_true(t->has_args);
	assert_int_equal(t->args[2], 65536);
}

static void a_cut_snapshot_is_dropped_and_counted(void **state)
{
	const struct row row = { .m = 1, .tid = 11, .p = -1, .state = GRT_MS_idle };
	struct model *m = *state;

	rec_apply(m, T0, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	rec_row(m, T0, &row);
	rec_apply(m, T0, GRT_K_SNAP_END, 2, 2, 0, 0, 0, 0);

	assert_false(model_has_snapshot(m));
	assert_int_equal(model_lost(m, GRT_LOSS_CUT), 1);
}

static void a_prime_number_of_handoffs_is_counted_exactly(void **state)
{
	struct model *m = *state;

	for (uint64_t i = 0; i < PRIME; i++) {
		uint64_t t = T0 + i * 1000000;

		rec_retake(m, t, 0, i, 20000, GRT_BY_SYSMON, 0);
		rec_handoff(m, t + 5000, 0, i, GRT_HANDOFF_RETAKE, GRT_HANDOFF_MADE, i + 1);
		rec_done(m, t + 60000, 0, i, i + 1);
	}

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_rates(m)->handoffs, PRIME);
	assert_int_equal(model_rates(m)->retakes, PRIME);
	assert_int_equal(model_rates(m)->handoff_ns.n, PRIME);
	assert_int_equal(model_rates(m)->handoff_ns.max,
			 80000); /* 20 us in the call, 60 us after */
	model_tick(m, T0 + 2 * SEC_NS);
	assert_int_equal(model_rates(m)->handoffs, 0);
	assert_int_equal(model_totals(m)->handoffs, PRIME);
}

static void records_come_out_of_order(void **state)
{
	const struct model_handoff *h;
	struct model *m = *state;

	rec_done(m, T0 + 60000, 0, 5, 6);
	rec_handoff(m, T0 + 70000, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);
	rec_retake(m, T0, 0, 5, 0, GRT_BY_SYSMON, T0 - 30000);

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_handoffs(m, &h), 1);
	assert_int_equal(h->retake_ns, T0);
	assert_int_equal(h->done_ns, T0 + 60000);
	assert_int_equal(h->start_ns, T0 - 30000);
	assert_int_equal(h->to_m, 6);
	assert_int_equal(model_rates(m)->handoff_ns.max, 90000);
	assert_int_equal(model_lost(m, 0), 0);
}

static void too_late_is_lost_not_misplaced(void **state)
{
	struct model *m = *state;

	model_tick(m, T0 + SEC_NS);
	rec_retake(m, T0, 0, 5, 0, GRT_BY_SYSMON, 0);
	rec_retake(m, T0 + SEC_NS - MODEL_WINDOW_NS + 1, 0, 5, 0, GRT_BY_SYSMON, 0);

	model_tick(m, T0 + 2 * SEC_NS);
	assert_int_equal(model_lost(m, GRT_LOSS_REORDER), 1);
	assert_int_equal(model_rates(m)->retakes, 1);
}

static void the_newest_10_ms_wait_for_the_next_tick(void **state)
{
	struct model *m = *state;

	rec_handoff(m, T0, 0, 5, GRT_HANDOFF_LOCKED, GRT_HANDOFF_IDLED, GRT_NO_ID);

	model_tick(m, T0 + MODEL_WINDOW_NS - 1);
	assert_int_equal(model_rates(m)->handoffs, 0);
	model_tick(m, T0 + MODEL_WINDOW_NS);
	assert_int_equal(model_rates(m)->handoffs, 1);
}

static void an_idled_p_has_no_dispatch(void **state)
{
	const struct model_handoff *h;
	struct model *m = *state;

	rec_retake(m, T0, 0, 5, 20000, GRT_BY_SYSMON, 0);
	rec_handoff(m, T0 + 100, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_IDLED, GRT_NO_ID);

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_handoffs(m, &h), 1);
	assert_int_equal(h->done_ns, 0);
	assert_int_equal(h->to_m, -1);
	assert_int_equal(model_rates(m)->handoff_ns.n, 0);
}

static void a_p_given_up_at_once_starts_at_the_giving(void **state)
{
	const struct model_handoff *h;
	struct model *m = *state;

	rec_block(m, T0, 1, 3);
	rec_handoff(m, T0 + 1000, 1, 3, GRT_HANDOFF_SELF, GRT_HANDOFF_WOKE, 4);
	rec_done(m, T0 + 4000, 1, 3, 4);

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_handoffs(m, &h), 1);
	assert_int_equal(h->start_ns, T0);
	assert_int_equal(h->retake_ns, 0);
	assert_int_equal(model_rates(m)->handoff_ns.max, 4000);
}

/*
 * The waker is off the CPU after it woke M6; M6 takes P0 into a call, gives it up, and M7 has it,
 * all before the first hand-off is told.
 */
static void a_p_handed_on_before_the_first_is_told(void **state)
{
	const struct model_handoff *h;
	struct model *m = *state;

	rec_retake(m, T0, 0, 5, 0, GRT_BY_SYSMON, 0);
	rec_done(m, T0 + 10, 0, 5, 6);
	rec_block(m, T0 + 20, 0, 6);
	rec_handoff(m, T0 + 30, 0, 6, GRT_HANDOFF_SELF, GRT_HANDOFF_WOKE, 7);
	rec_done(m, T0 + 40, 0, 6, 7);
	rec_handoff(m, T0 + 50, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_handoffs(m, &h), 2);
	assert_int_equal(h[0].from_m, 6);
	assert_int_equal(h[0].done_ns, T0 + 40);
	assert_int_equal(h[1].from_m, 5);
	assert_int_equal(h[1].done_ns, T0 + 10);
}

static void a_stolen_p_is_no_handoff(void **state)
{
	struct model *m = *state;
	char why[256];

	rec_retake(m, T0, 0, 5, 0, GRT_BY_EXIT_STEAL, 0);
	rec_retake(m, T0 + 1, 0, 6, 0, GRT_BY_PROCS, 0);

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_rates(m)->retakes, 2);
	assert_false(model_law_broken(m, why, sizeof(why)));
}

static void what_came_before_all_probes_were_armed_does_not_count(void **state)
{
	struct model *m = *state;
	char why[256];

	rec_retake(m, T0 - 2, 0, 5, 0, GRT_BY_SYSMON, 0);
	rec_retake(m, T0 - 1, 0, 6, 0, GRT_BY_SYSMON, 0);
	rec_snapshot(m, T0, 1, 0, NULL, 0, &no_counts);

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_rates(m)->retakes, 0);
	assert_false(model_law_broken(m, why, sizeof(why)));
}

/* The hand-off was told before the first snapshot, its end after it; then the same again, in full.
 */
static void an_end_without_a_beginning_takes_nobody_elses(void **state)
{
	const struct model_handoff *h;
	struct model *m = *state;
	char why[256];

	rec_snapshot(m, T0, 1, 0, NULL, 0, &no_counts);
	rec_done(m, T0 + 10, 0, 5, 6);
	for (uint64_t t = T0 + 1000; t <= T0 + 3000; t += 1000) {
		rec_retake(m, t, 0, 5, 0, GRT_BY_SYSMON, 0);
		rec_handoff(m, t + 20, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);
		rec_done(m, t + 70, 0, 5, 6);
		rec_apply(m, t + 90, GRT_K_exitsyscall_slow, 105, 5, 0, GRT_EXIT_OLD_P, 0, 0);
	}

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_handoffs(m, &h), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(h[i].done_ns - h[i].retake_ns, 70);
	assert_int_equal(model_rates(m)->handoff_ns.max, 70);
	assert_false(model_law_broken(m, why, sizeof(why)));
}

static void a_handoff_whose_retake_was_not_seen_shifts_nothing(void **state)
{
	const struct model_handoff *h;
	struct model *m = *state;
	char why[256];

	rec_snapshot(m, T0, 1, 0, NULL, 0, &no_counts);
	rec_handoff(m, T0 + 10, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);
	rec_retake(m, T0 + 1000, 0, 5, 0, GRT_BY_SYSMON, 0);
	rec_handoff(m, T0 + 1020, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);
	rec_done(m, T0 + 1070, 0, 5, 6);

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_handoffs(m, &h), 1);
	assert_int_equal(h[0].done_ns - h[0].retake_ns, 70);
	assert_false(model_law_broken(m, why, sizeof(why)));
}

/* An M that ends hands its P off without a record of a beginning, and the new M may be first to
 * tell. */
static void a_handoff_of_an_ending_m_needs_no_beginning(void **state)
{
	const struct model_handoff *h;
	struct model *m = *state;

	rec_done(m, T0, 0, 5, 6);
	rec_handoff(m, T0 + 20, 0, 5, GRT_HANDOFF_EXIT, GRT_HANDOFF_WOKE, 6);

	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_handoffs(m, &h), 1);
	assert_int_equal(h[0].cause, GRT_HANDOFF_EXIT);
	assert_int_equal(model_rates(m)->handoff_ns.n, 0);
}

static void a_retake_without_handoff_breaks_a_law(void **state)
{
	struct model *m = *state;
	char why[256];

	rec_retake(m, T0, 0, 5, 0, GRT_BY_SYSMON, 0);
	model_tick(m, T0 + SEC_NS);
	assert_false(model_law_broken(m, why, sizeof(why))); /* it may be under way */

	rec_retake(m, T0 + SEC_NS, 0, 6, 0, GRT_BY_SYSMON, 0);
	model_tick(m, T0 + 2 * SEC_NS);
	assert_true(model_law_broken(m, why, sizeof(why)));
	assert_non_null(strstr(why, "taken again"));
}

static void blocked_ms_must_agree_with_the_counters(void **state)
{
	const struct row row = { .m = 1, .tid = 11, .p = -1, .state = GRT_MS_blocked };
	const struct counts one = { .retakes = 4, .slow_exits = 3 },
			    two = { .retakes = 5, .slow_exits = 3 };
	struct model *m = *state;
	char why[256];

	for (uint64_t i = 0; i < 3; i++)
		rec_snapshot(m, T0 + i, 1, 0, &row, 1, &one);
	assert_false(model_law_broken(m, why, sizeof(why)));

	for (uint64_t i = 3; i < 6; i++)
		rec_snapshot(m, T0 + i, 1, 0, &row, 1, &two);
	assert_true(model_law_broken(m, why, sizeof(why)));
}

static void a_moving_process_does_not_break_the_law(void **state)
{
	const struct row row = { .m = 1, .tid = 11, .p = -1, .state = GRT_MS_blocked };
	struct model *m = *state;
	char why[256];

	for (uint64_t i = 0; i < 20; i++) {
		struct counts c = { .retakes = 7 * i + 1, .slow_exits = 7 * i };

		rec_snapshot(m, T0 + i, 1, 0, &row, i % 4 != 0, &c);
		assert_false(model_law_broken(m, why, sizeof(why)));
	}
}

static void loss_is_counted_by_reason_and_silences_the_laws(void **state)
{
	struct model *m = *state;
	char why[256];

	rec_lost(m, GRT_LOSS_RING, 3);
	rec_lost(m, GRT_LOSS_MEMORY, 2);
	rec_retake(m, T0, 0, 5, 0, GRT_BY_SYSMON, 0);
	rec_retake(m, T0 + 1, 0, 6, 0, GRT_BY_SYSMON, 0);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(model_lost(m, GRT_LOSS_RING), 3);
	assert_int_equal(model_lost(m, 0), 5);
	assert_false(model_law_broken(m, why, sizeof(why)));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, model_setup, model_teardown)

/* Half a million records between two ticks: memory stays bounded, and every one is counted. */
static void a_flood_is_settled_before_it_fills_memory(void **state)
{
	struct model *m = *state;
	enum { FLOOD = 500000 };

	for (uint64_t i = 0; i < FLOOD; i++)
		rec_apply(m, T0 + i * 2000, GRT_K_m_new, i, 0, GRT_MNEW_HANDOFF, 0, 0, 0);
	model_tick(m, T0 + SEC_NS + SEC_NS);
	assert_int_equal(model_rates(m)->threads_made, FLOOD);
	assert_int_equal(model_totals(m)->threads_made, FLOOD);
	assert_int_equal(model_lost(m, 0), 0);
}

/* More at once than can be put in order: what does not fit is counted. */
static void what_a_flood_leaves_no_room_for_is_lost_and_counted(void **state)
{
	struct model *m = *state;
	enum { FLOOD = 200000 };

	for (uint64_t i = 0; i < FLOOD; i++)
		rec_apply(m, T0 + i, GRT_K_m_new, i, 0, GRT_MNEW_HANDOFF, 0, 0, 0);
	model_tick(m, T0 + SEC_NS);
	assert_true(model_lost(m, GRT_LOSS_RING) > 0);
	assert_int_equal(model_totals(m)->threads_made + model_lost(m, 0), FLOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(snapshot_is_swapped_in_whole),
		TEST(counts_add_up_to_the_threads),
		TEST(rows_keep_what_the_record_says),
		TEST(a_cut_snapshot_is_dropped_and_counted),
		TEST(a_prime_number_of_handoffs_is_counted_exactly),
		TEST(records_come_out_of_order),
		TEST(too_late_is_lost_not_misplaced),
		TEST(a_flood_is_settled_before_it_fills_memory),
		TEST(what_a_flood_leaves_no_room_for_is_lost_and_counted),
		TEST(the_newest_10_ms_wait_for_the_next_tick),
		TEST(an_idled_p_has_no_dispatch),
		TEST(a_p_given_up_at_once_starts_at_the_giving),
		TEST(a_p_handed_on_before_the_first_is_told),
		TEST(a_stolen_p_is_no_handoff),
		TEST(what_came_before_all_probes_were_armed_does_not_count),
		TEST(an_end_without_a_beginning_takes_nobody_elses),
		TEST(a_handoff_whose_retake_was_not_seen_shifts_nothing),
		TEST(a_handoff_of_an_ending_m_needs_no_beginning),
		TEST(a_retake_without_handoff_breaks_a_law),
		TEST(blocked_ms_must_agree_with_the_counters),
		TEST(a_moving_process_does_not_break_the_law),
		TEST(loss_is_counted_by_reason_and_silences_the_laws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
