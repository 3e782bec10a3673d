/* SPDX-License-Identifier: MIT */
/*
 * handoff_model_test.c - sums of hand-offs: by call and by who took the P; how goroutines come
 * back; in every order that the records of three threads can have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "calls.h"

static void primes_are_split_exactly_by_call_and_taker(void **state)
{
	static const struct {
		int32_t nr;
		enum model_by by;
		uint64_t n;
	} want[] = {
		{ SYS_read, MODEL_BY_SYSMON, 97 },       { SYS_fsync, MODEL_BY_SYSMON, 13 },
		{ GRT_NR_FOREIGN, MODEL_BY_SYSMON, 31 }, { SYS_read, MODEL_BY_SELF, 53 },
		{ SYS_read, MODEL_BY_EXIT_STEAL, 7 },
	};
	struct model *m = *state;
	uint64_t t = T0, g = 100;

	for (size_t k = 0; k < sizeof(want) / sizeof(want[0]); k++)
		for (uint64_t i = 0; i < want[k].n; i++, t += 100 * US, g++) {
			bool is_self = want[k].by == MODEL_BY_SELF;

			if (is_self)
				block(m, t, g, g, want[k].nr);
			else
				take(m, t, g, g, 20 * US, want[k].by, want[k].nr);
			if (want[k].by == MODEL_BY_EXIT_STEAL)
				continue;
			rec_handoff(m, t + 5 * US, 0, g,
				    is_self ? GRT_HANDOFF_SELF : GRT_HANDOFF_RETAKE,
				    GRT_HANDOFF_WOKE, 1);
			rec_done(m, t + 9 * US, 0, g, 1);
		}
	model_tick(m, t + SEC_NS);

	for (size_t k = 0; k < sizeof(want) / sizeof(want[0]); k++) {
		const struct model_handoff_sum *r = row_of(m, want[k].nr, want[k].by);

		assert_int_equal(r->taken, want[k].n);
		if (want[k].by == MODEL_BY_EXIT_STEAL) {
			assert_int_equal(r->handoffs, 0);
			continue;
		}
		assert_int_equal(r->handoffs, want[k].n);
		assert_int_equal(r->outcome[GRT_HANDOFF_WOKE], want[k].n);
		assert_int_equal(r->dispatch.n, want[k].n);
		assert_int_equal(r->dispatch.max, 9 * US);
		assert_int_equal(r->total.max, want[k].by == MODEL_BY_SELF ? 9 * US : 29 * US);
		assert_int_equal(r->detect.max, want[k].by == MODEL_BY_SELF ? 0 : 20 * US);
	}
	assert_int_equal(model_handoff_interval(m)->taken, 97 + 13 + 31 + 53 + 7);
	assert_int_equal(model_handoff_interval(m)->handoffs, 97 + 13 + 31 + 53);
	assert_int_equal(model_handoff_out(m), 97 + 13 + 31 + 53 + 7);
	model_tick(m, t + 2 * SEC_NS);
	assert_int_equal(model_handoff_interval(m)->taken, 0);
}

/* C23: the eager path is never booked on sysmon, nor the lazy one on the M. */
static void who_gave_up_and_who_was_robbed_are_kept_apart(void **state)
{
	const struct model_handoff_sum *eager, *lazy;
	struct model *m = *state;
	uint64_t t = T0;

	for (uint64_t i = 0; i < 1000; i++, t += SEC_NS / 100) {
		block(m, t, 1, 5, SYS_read);
		rec_handoff(m, t + 1 * US, 0, 5, GRT_HANDOFF_SELF, GRT_HANDOFF_WOKE, 6);
		rec_done(m, t + 4 * US, 0, 5, 6);
		back(m, t + 900 * US, 1, 5, GRT_EXIT_OLD_P, 0);
		take(m, t + 1000 * US, 1, 5, 30 * US, GRT_BY_SYSMON, SYS_read);
		rec_handoff(m, t + 1001 * US, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 6);
		rec_done(m, t + 1004 * US, 0, 5, 6);
		back(m, t + 1900 * US, 1, 5, GRT_EXIT_IDLE_P, 0);
	}
	model_tick(m, t + SEC_NS);

	eager = row_of(m, SYS_read, MODEL_BY_SELF);
	lazy = row_of(m, SYS_read, MODEL_BY_SYSMON);
	assert_int_equal(eager->handoffs, 1000);
	assert_int_equal(eager->back[GRT_EXIT_OLD_P], 1000);
	assert_int_equal(eager->back[GRT_EXIT_IDLE_P], 0);
	assert_int_equal(eager->detect.max, 0);
	assert_int_equal(lazy->handoffs, 1000);
	assert_int_equal(lazy->back[GRT_EXIT_IDLE_P], 1000);
	assert_int_equal(lazy->detect.n, 1000);
	assert_int_equal(lazy->detect.max, 30 * US);
	assert_int_equal(model_handoff_out(m), 0);
	assert_int_equal(model_handoff_older(m), 0);
}

static void detect_says_which_start_is_known(void **state)
{
	const struct model_handoff_sum *r;
	const struct model_handoff *h;
	struct model *m = *state;

	take(m, T0, 1, 5, 30 * US, GRT_BY_SYSMON, SYS_read);
	asleep(m, T0 + 1 * MS_NS, 6, T0 + 1 * MS_NS - 40 * US);
	take(m, T0 + 1 * MS_NS, 2, 6, 30 * US, GRT_BY_SYSMON, SYS_read);
	enter(m, T0 + 2 * MS_NS - 60 * US, 3, 7);
	asleep(m, T0 + 2 * MS_NS, 7, T0 + 2 * MS_NS - 40 * US);
	take(m, T0 + 2 * MS_NS, 3, 7, 30 * US, GRT_BY_SYSMON, SYS_read);
	take(m, T0 + 3 * MS_NS, 4, 8, 0, GRT_BY_SYSMON, SYS_read);
	for (uint64_t i = 5; i <= 8; i++) {
		rec_handoff(m, T0 + 4 * MS_NS, 0, i, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 9);
		rec_done(m, T0 + 4 * MS_NS + i, 0, i, 9);
	}
	model_tick(m, T0 + SEC_NS);

	r = row_of(m, SYS_read, MODEL_BY_SYSMON);
	assert_int_equal(r->taken, 4);
	assert_int_equal(r->start[MODEL_START_FIRST_SIGHT], 1);
	assert_int_equal(r->start[MODEL_START_ASLEEP], 1);
	assert_int_equal(r->start[MODEL_START_CALL], 1);
	assert_int_equal(r->start[MODEL_START_UNKNOWN], 1);
	assert_int_equal(r->detect.n, 3);
	assert_int_equal(r->detect.sum, (30 + 40 + 60) * US);
	assert_int_equal(r->total.n, 3);
	assert_int_equal(r->dispatch.n, 4);
	assert_int_equal(model_handoffs(m, &h), 4);
	assert_int_equal(h[2].start, MODEL_START_CALL);
	assert_int_equal(h[3].start, MODEL_START_UNKNOWN);
	assert_int_equal(h[3].start_ns, 0);
}

/* A hot probe's call that kept its P is not the one that loses it later. */
static void a_call_that_is_over_starts_nothing(void **state)
{
	struct model *m = *state;

	enter(m, T0, 1, 5);
	rec_apply(m, T0 + 1, GRT_K_exitsyscall, 1, 5, 0, GRT_EXIT_KEPT, 0, 0);
	take(m, T0 + MS_NS, 1, 5, 20 * US, GRT_BY_SYSMON, SYS_read);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->start[MODEL_START_FIRST_SIGHT], 1);
}

static void idled_ps_have_no_dispatch(void **state)
{
	const struct model_handoff_sum *r;
	struct model *m = *state;

	take(m, T0, 1, 5, 30 * US, GRT_BY_SYSMON, SYS_read);
	rec_handoff(m, T0 + US, 0, 5, GRT_HANDOFF_RETAKE, GRT_HANDOFF_IDLED, GRT_NO_ID);
	model_tick(m, T0 + SEC_NS);

	r = row_of(m, SYS_read, MODEL_BY_SYSMON);
	assert_int_equal(r->outcome[GRT_HANDOFF_IDLED], 1);
	assert_int_equal(r->dispatch.n, 0);
	assert_int_equal(r->total.n, 0);
	assert_int_equal(r->detect.n, 1);
}

static void returns_are_told_with_how_and_how_long_queued(void **state)
{
	const struct model_handoff_sum *r;
	struct model *m = *state;

	for (uint64_t g = 1; g <= 3; g++)
		take(m, T0 + g, g, g, 1, GRT_BY_SYSMON, SYS_read);
	back(m, T0 + 1 * MS_NS, 1, 1, GRT_EXIT_OLD_P, 0);
	back(m, T0 + 2 * MS_NS, 2, 2, GRT_EXIT_IDLE_P, 0);
	back(m, T0 + 3 * MS_NS, 3, 3, GRT_EXIT_QUEUED, 700 * US);
	model_tick(m, T0 + SEC_NS);

	r = row_of(m, SYS_read, MODEL_BY_SYSMON);
	assert_int_equal(r->returned, 3);
	assert_int_equal(r->back[GRT_EXIT_OLD_P], 1);
	assert_int_equal(r->back[GRT_EXIT_IDLE_P], 1);
	assert_int_equal(r->back[GRT_EXIT_QUEUED], 1);
	assert_int_equal(r->queued.n, 1);
	assert_int_equal(r->queued.max, 700 * US);
	assert_int_equal(r->needless, 0);
}

/* The time in the queue is not time in the call. */
static void a_call_back_within_20_us_made_it_needless(void **state)
{
	struct model *m = *state;

	take(m, T0, 1, 1, 1, GRT_BY_SYSMON, SYS_read);
	back(m, T0 + 20 * US, 1, 1, GRT_EXIT_OLD_P, 0);
	take(m, T0, 2, 2, 1, GRT_BY_SYSMON, SYS_read);
	back(m, T0 + 20 * US + 1, 2, 2, GRT_EXIT_OLD_P, 0);
	take(m, T0, 3, 3, 1, GRT_BY_SYSMON, SYS_read);
	back(m, T0 + 520 * US, 3, 3, GRT_EXIT_QUEUED, 500 * US);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->needless, 2);
}

/* The M goes on with another goroutine, and loses its P again before the first one is told back. */
static void a_queued_goroutine_is_told_after_its_m_lost_the_next_p(void **state)
{
	struct model *m = *state;

	take(m, T0, 7, 5, 1, GRT_BY_SYSMON, SYS_read);
	take(m, T0 + 2 * MS_NS, 9, 5, 1, GRT_BY_SYSMON, SYS_fsync);
	back(m, T0 + 3 * MS_NS, 7, 5, GRT_EXIT_QUEUED, 2 * MS_NS);
	back(m, T0 + 4 * MS_NS, 9, 5, GRT_EXIT_OLD_P, 0);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->back[GRT_EXIT_QUEUED], 1);
	assert_int_equal(row_of(m, SYS_fsync, MODEL_BY_SYSMON)->back[GRT_EXIT_OLD_P], 1);
	assert_int_equal(model_handoff_out(m), 0);
}

static void a_return_may_be_told_before_the_taking(void **state)
{
	struct model *m = *state;

	back(m, T0, 1, 5, GRT_EXIT_OLD_P, 0);
	take(m, T0 + 3 * US, 1, 5, 30 * US, GRT_BY_SYSMON, SYS_read);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->returned, 1);
	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->needless, 1);
	assert_int_equal(model_handoff_out(m), 0);
	assert_int_equal(model_handoff_older(m), 0);
}

/* Whatever lies between: the taker was off the CPU for long before it told. */
static void a_taking_may_be_told_long_after(void **state)
{
	struct model *m = *state;

	back(m, T0, 1, 5, GRT_EXIT_OLD_P, 0);
	asleep(m, T0 + 90 * MS_NS, 5, T0 + 50 * MS_NS); /* of its next call already */
	take(m, T0 + 90 * MS_NS, 1, 5, 10 * US, GRT_BY_SYSMON, SYS_read);
	back(m, T0 + 91 * MS_NS, 1, 5, GRT_EXIT_IDLE_P, 0);
	take(m, T0 + 92 * MS_NS, 1, 5, 10 * US, GRT_BY_SYSMON, SYS_read);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->returned, 2);
	assert_int_equal(model_handoff_out(m), 0);
	assert_int_equal(model_handoff_older(m), 0);
}

/* By then its goroutine has given up a P, on another M, which is never told late. */
static void a_late_taking_does_not_take_the_next_call_for_its_own(void **state)
{
	struct model *m = *state;

	back(m, T0, 1, 5, GRT_EXIT_QUEUED, 0);
	block(m, T0 + 10 * US, 1, 7, SYS_fsync);
	take(m, T0 + 20 * US, 1, 5, 10 * US, GRT_BY_EXIT_STEAL, SYS_read);
	back(m, T0 + 900 * US, 1, 7, GRT_EXIT_IDLE_P, 0);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_EXIT_STEAL)->back[GRT_EXIT_QUEUED], 1);
	assert_int_equal(row_of(m, SYS_fsync, MODEL_BY_SELF)->back[GRT_EXIT_IDLE_P], 1);
	assert_int_equal(row_of(m, SYS_fsync, MODEL_BY_SELF)->needless, 0);
	assert_int_equal(model_handoff_out(m), 0);
	assert_int_equal(model_handoff_older(m), 0);
}

static void two_takings_may_be_late_at_once(void **state)
{
	struct model *m = *state;

	back(m, T0, 1, 5, GRT_EXIT_OLD_P, 0);
	back(m, T0 + 30 * US, 1, 5, GRT_EXIT_OLD_P, 0);
	take(m, T0 + 50 * US, 1, 5, 10 * US, GRT_BY_EXIT_STEAL, SYS_read);
	take(m, T0 + 60 * US, 1, 5, 10 * US, GRT_BY_SYSMON, SYS_read);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_EXIT_STEAL)->returned, 1);
	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->returned, 1);
	assert_int_equal(model_handoff_out(m), 0);
	assert_int_equal(model_handoff_older(m), 0);
}

/* Its P was gone at the first snapshot: the return is nobody's, and the next call another one. */
static void an_older_return_is_nobodys(void **state)
{
	const struct row blocked = {
		.m = 5, .tid = 11, .p = -1, .g = 1, .state = GRT_MS_blocked, .kernel_state = 'S'
	};
	struct model *m = model_new();

	(void)state;
	rec_snapshot(m, T0, 2, 0, &blocked, 1, &no_counts);
	model_tick(m, T0);
	back(m, T0 + 1 * MS_NS, 1, 5, GRT_EXIT_OLD_P, 0);
	take(m, T0 + 2 * MS_NS, 1, 5, 30 * US, GRT_BY_SYSMON, SYS_read);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->returned, 0);
	assert_int_equal(model_handoff_out(m), 1);
	assert_int_equal(model_handoff_older(m), 1);
	model_free(m);
}

/* Events from before the first snapshot are not counted, but say whose return will be nobody's. */
static void what_was_lost_while_the_first_snapshot_was_taken_is_older(void **state)
{
	struct model *m = model_new();

	(void)state;
	take(m, T0 - 3, 1, 5, 1, GRT_BY_SYSMON, SYS_read);
	block(m, T0 - 2, 2, 6, SYS_read);
	take(m, T0 - 2, 3, 7, 1, GRT_BY_SYSMON, SYS_read);
	back(m, T0 - 1, 3, 7, GRT_EXIT_OLD_P, 0);
	rec_snapshot(m, T0, 2, 0, NULL, 0, &no_counts);
	model_tick(m, T0);
	back(m, T0 + 1 * MS_NS, 1, 5, GRT_EXIT_OLD_P, 0);
	back(m, T0 + 1 * MS_NS, 2, 6, GRT_EXIT_OLD_P, 0);
	take(m, T0 + 2 * MS_NS, 3, 7, 1, GRT_BY_SYSMON, SYS_read);
	back(m, T0 + 3 * MS_NS, 3, 7, GRT_EXIT_OLD_P, 0);
	/* Was back before the first snapshot, and queued. */
	back(m, T0 + 4 * MS_NS, 4, 8, GRT_EXIT_QUEUED, 5 * MS_NS);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(model_handoff_interval(m)->taken, 1);
	assert_int_equal(model_handoff_interval(m)->returned, 1);
	assert_int_equal(model_handoff_older(m), 3);
	assert_int_equal(model_handoff_out(m), 0);
	model_free(m);
}

static void snapshot_shedding(struct model *m, uint64_t t, uint64_t shed, const struct row *blocked)
{
	rec_apply(m, t, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	if (blocked)
		rec_row(m, t, blocked);
	rec_apply(m, t, GRT_K_SNAP_COST, 1, 1, 1, 1, 1, shed);
	rec_apply(m, t, GRT_K_SNAP_END, blocked != NULL, 0, 0, 0, 0, 0);
	model_tick(m, t + 2 * MODEL_WINDOW_NS);
}

/* What was known when probes were taken off is not believed when they are back. */
static void after_probes_were_off_the_snapshot_says_who_is_out(void **state)
{
	const struct row blocked = {
		.m = 6, .tid = 11, .p = -1, .g = 2, .state = GRT_MS_blocked, .kernel_state = 'S'
	};
	struct model *m = *state;

	take(m, T0, 1, 5, 1, GRT_BY_SYSMON, SYS_read);
	model_tick(m, T0 + SEC_NS);
	assert_int_equal(model_handoff_out(m), 1);
	snapshot_shedding(m, T0 + SEC_NS, GRT_COLD, NULL);
	assert_int_equal(model_handoff_out(m), 0);
	snapshot_shedding(m, T0 + 2 * SEC_NS, 0, &blocked);
	back(m, T0 + 3 * SEC_NS, 2, 6, GRT_EXIT_OLD_P, 0);
	take(m, T0 + 3 * SEC_NS + MS_NS, 2, 6, 1, GRT_BY_SYSMON, SYS_read);
	model_tick(m, T0 + 4 * SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->returned, 0);
	assert_int_equal(model_handoff_older(m), 1);
	assert_int_equal(model_handoff_out(m), 1);
}

/* Nobody ever told of the taking. */
static void a_return_that_waits_in_vain_is_given_up(void **state)
{
	struct model *m = *state;

	back(m, T0, 2, 6, GRT_EXIT_OLD_P, 0);
	model_tick(m, T0 + SEC_NS / 2);
	assert_int_equal(model_handoff_older(m), 0);
	model_tick(m, T0 + 3 * SEC_NS);
	assert_int_equal(model_handoff_older(m), 1);
}

/* 10,000 blocked at once, back in another order: the table of calls grows and shrinks. */
static void ten_thousand_at_once_all_come_back(void **state)
{
	struct model *m = *state;
	const uint64_t n = 10007;

	for (uint64_t i = 0; i < n; i++)
		take(m, T0 + i, 1 + i * 64, i, 1, GRT_BY_SYSMON, SYS_read);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t k = i * 7919 % n;

		back(m, T0 + MS_NS + i, 1 + k * 64, k, GRT_EXIT_OLD_P, 0);
	}
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, SYS_read, MODEL_BY_SYSMON)->returned, n);
	assert_int_equal(model_handoff_out(m), 0);
	assert_int_equal(model_handoff_older(m), 0);
	assert_int_equal(model_lost(m, 0), 0);
}

/* Every call there is, by four takers: the rest shares a row, and the sum is right. */
static void more_calls_than_rows_share_one(void **state)
{
	const struct model_handoff_sum *rows;
	struct model *m = *state;
	uint64_t sum = 0;
	size_t n;

	for (uint64_t i = 0; i < 1200; i++)
		take(m, T0 + i, i + 1, i, 1, 1 + i % 4, (int32_t)(i / 4));
	model_tick(m, T0 + SEC_NS);

	n = model_handoff_sums(m, &rows);
	assert_int_equal(n, 256);
	assert_int_equal(rows[n - 1].nr, GRT_NR_NONE);
	assert_int_equal(rows[n - 1].taken, 1200 - 255);
	for (size_t i = 0; i < n; i++)
		sum += rows[i].taken;
	assert_int_equal(sum, 1200);
}

/* Whatever a damaged recording says, nothing is written beside the tables. */
static void numbers_out_of_range_are_survived(void **state)
{
	struct model *m = *state;

	take(m, T0, ~0ull, ~0ull, ~0ull, 77, -77);
	take(m, T0 + 1, 0, 0, ~0ull, ~0ull, SYS_read);
	rec_handoff(m, T0 + 2, 0, ~0ull, 99, 99, ~0ull);
	back(m, T0 + 3, ~0ull, ~0ull, 99, ~0ull);
	back(m, T0 + 4, 0, 0, 99, ~0ull);
	block(m, T0 + 5, 0, 0, -9);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(model_handoff_interval(m)->taken, 3);
	assert_int_equal(model_handoff_interval(m)->returned, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, model_setup, model_teardown)
	const struct CMUnitTest tests[] = {
		TEST(primes_are_split_exactly_by_call_and_taker),
		TEST(who_gave_up_and_who_was_robbed_are_kept_apart),
		TEST(detect_says_which_start_is_known),
		TEST(a_call_that_is_over_starts_nothing),
		TEST(idled_ps_have_no_dispatch),
		TEST(returns_are_told_with_how_and_how_long_queued),
		TEST(a_call_back_within_20_us_made_it_needless),
		TEST(a_queued_goroutine_is_told_after_its_m_lost_the_next_p),
		TEST(a_return_may_be_told_before_the_taking),
		TEST(a_taking_may_be_told_long_after),
		TEST(a_late_taking_does_not_take_the_next_call_for_its_own),
		TEST(two_takings_may_be_late_at_once),
		TEST(an_older_return_is_nobodys),
		TEST(what_was_lost_while_the_first_snapshot_was_taken_is_older),
		TEST(after_probes_were_off_the_snapshot_says_who_is_out),
		TEST(a_return_that_waits_in_vain_is_given_up),
		TEST(ten_thousand_at_once_all_come_back),
		TEST(more_calls_than_rows_share_one),
		TEST(numbers_out_of_range_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
