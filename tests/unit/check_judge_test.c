/* SPDX-License-Identifier: MIT */
/*
 * check_judge_test.c - what gotrace check says of a process that is told by records: three answers,
 * and that nothing holds which could not be seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trial.h"

#define assert_answer(result, want)                                                         \
	do {                                                                                \
		const struct check_result *got = (result);                                  \
                                                                                            \
		if (got->answer != (want))                                                  \
			fail_msg("'%s': %s: %s", got->text, check_answer_word(got->answer), \
				 got->why);                                                 \
	} while (0)

#define assert_says(text, want)                                       \
	do {                                                          \
		if (!strstr(text, want))                              \
			fail_msg("\"%s\" is not in: %s", want, text); \
	} while (0)

/* Two looks at the scene, with nothing between them. */
static const struct check_result *scene_judged(const char *text, const struct source_status *st,
					       const struct view_end *e)
{
	struct trial t;

	trial_begin(&t, text, NULL);
	scene_names(t.model);
	look(&t, SCENE_T0, scene_rows, SCENE_ROWS);
	look(&t, SCENE_T0 + SEC_NS, scene_rows, SCENE_ROWS);
	return trial_end(&t, st, e);
}

static void given_levels_when_judged_then_each_look_counts(void **state)
{
	static const struct {
		const char *text;
		enum check_answer answer;
	} rows[] = {
		{ "threads>7", CHECK_VIOLATED },
		{ "threads>8", CHECK_HOLDS },
		{ "threads<9", CHECK_VIOLATED },
		{ "threads<8", CHECK_HOLDS },
		{ "blocked>2", CHECK_VIOLATED },
		{ "blocked>3", CHECK_HOLDS },
		{ "blocked==3", CHECK_VIOLATED },
		{ "hostage>0", CHECK_HOLDS },
		{ "blocked!=3", CHECK_HOLDS },
		{ "hostage.max>1ms", CHECK_HOLDS },
		{ "lost>0", CHECK_HOLDS },
		{ "threads.new>0", CHECK_HOLDS },
		{ "blocked.max>724s", CHECK_VIOLATED },
		{ "blocked.max>727s", CHECK_HOLDS },
		{ "blocked.max<1h", CHECK_VIOLATED },
		{ "goroutines>107", CHECK_HOLDS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_answer(scene_judged(rows[i].text, &armed, &asked), rows[i].answer);
}

static void given_one_look_that_shows_it_when_later_ones_do_not_then_it_is_violated(void **state)
{
	struct trial t;
	const struct check_result *r;

	(void)state;
	trial_begin(&t, "threads>7", NULL);
	look(&t, SCENE_T0, scene_rows, 2);
	look(&t, SCENE_T0 + SEC_NS, scene_rows, SCENE_ROWS);
	look(&t, SCENE_T0 + 2 * SEC_NS, scene_rows, 2);
	assert_true(judge_is_sure(&t.judge));
	r = trial_end(&t, &armed, &asked);

	assert_answer(r, CHECK_VIOLATED);
	assert_int_equal(r->value, 8);
	assert_int_equal(r->after_ns, SEC_NS);
	assert_says(r->why, "it is: 8, 1.0s after the first look");
}

static void given_a_violation_when_it_is_told_then_evidence_names_who_where_and_how_long(
	void **state)
{
	const struct check_result *r = scene_judged("blocked.max>100ms", &armed, &asked);
	char *evidence = check_evidence(r);

	(void)state;
	assert_answer(r, CHECK_VIOLATED);
	assert_int_equal(r->threads, 3);
	assert_says(evidence,
		    "M3 (tid 4714), G19, blocked for at least 12m05s in foreign slow_lookup");
	assert_says(evidence, "M2 (tid 4713), G18, blocked for 4.1s in read(7</var/log/x\\x1b[2J>");
	assert_int_equal(r->thread[1].fd, 7);
	assert_null(strchr(evidence, '\033'));
	free(evidence);
}

/* One M gives its P up, and its call is over before anybody looks. */
static void blocks_between(struct trial *t, uint64_t at, uint64_t ns)
{
	rec_block(t->model, at, 0, 2);
	rec_handoff(t->model, at + 1000, 0, 2, GRT_HANDOFF_SELF, GRT_HANDOFF_WOKE, 5);
	rec_done(t->model, at + 20000, 0, 2, 5);
	/* It has queued for a P for 3 ms since: g, m, old_p, how, queued_ns. */
	rec_apply(t->model, at + ns + 3 * MS_NS, GRT_K_exitsyscall_slow, 102, 2, 0, GRT_EXIT_QUEUED,
		  3 * MS_NS, 0);
	t->handoffs++;
}

static const struct check_result *between_judged(const char *text)
{
	struct trial t;

	trial_begin(&t, text, NULL);
	look(&t, SCENE_T0, scene_rows, 1);
	blocks_between(&t, SCENE_T0 + 100 * MS_NS, 250 * MS_NS);
	look(&t, SCENE_T0 + SEC_NS, scene_rows, 1);
	return trial_end(&t, &armed, &asked);
}

static void given_a_call_between_two_looks_when_judged_then_its_length_is_exact(void **state)
{
	const struct check_result *r;

	(void)state;
	assert_answer(between_judged("blocked.max>250ms"), CHECK_HOLDS);
	r = between_judged("blocked.max>=250ms");
	assert_answer(r, CHECK_VIOLATED);
	assert_int_equal(r->value, 250 * MS_NS);
	assert_int_equal(r->thread[0].m, 2);
	assert_int_equal(r->thread[0].g, 102);
	assert_int_equal(r->thread[0].tid, 0);
	assert_answer(between_judged("blocked.count>0"), CHECK_VIOLATED);
	assert_answer(between_judged("blocked.count>1"), CHECK_HOLDS);
}

static const struct row in_read[] = {
	{ .m = 1, .p = 0, .tid = 4712, .g = 7, .state = GRT_MS_running, .kernel_state = 'R' },
	{ .m = 2,
	  .p = -1,
	  .tid = 4713,
	  .g = 102,
	  .state = GRT_MS_blocked,
	  .kernel_state = 'S',
	  .since_ns = SCENE_T0 },
};

static enum judge_stacks stacks_of(const char *text, bool is_looked_at)
{
	static const struct counts none;
	enum judge_stacks ret;
	struct trial t;

	trial_begin(&t, text, NULL);
	rec_snapshot(t.model, SCENE_T0 + SEC_NS, 2, 1, in_read, 2, &none);
	model_tick(t.model, SCENE_T0 + SEC_NS);
	if (is_looked_at)
		judge_look(&t.judge, t.model);
	ret = judge_stacks(&t.judge, t.model, 100 * MS_NS);
	trial_end(&t, &armed, &asked);
	return ret;
}

/* M2 has been in its call for 1 s, and we look each 100 ms. */
static void given_a_look_when_stacks_are_dear_then_only_what_is_shown_has_them(void **state)
{
	static const struct {
		const char *text;
		enum judge_stacks now, then;
	} rows[] = {
		{ "threads>2", JUDGE_NO_STACKS, JUDGE_NO_STACKS },
		{ "threads>1", JUDGE_STACKS_NOW, JUDGE_NO_STACKS },
		{ "threads<2", JUDGE_NO_STACKS, JUDGE_NO_STACKS },
		{ "blocked>0", JUDGE_STACKS_NOW, JUDGE_NO_STACKS },
		{ "blocked.max>999ms", JUDGE_STACKS_NOW, JUDGE_NO_STACKS },
		{ "blocked.max>1100ms", JUDGE_STACKS_IN_CASE, JUDGE_STACKS_IN_CASE },
		{ "blocked.max>1300ms", JUDGE_NO_STACKS, JUDGE_NO_STACKS },
		{ "handoff.count<1", JUDGE_STACKS_IN_CASE, JUDGE_STACKS_IN_CASE },
		{ "lost<1", JUDGE_NO_STACKS, JUDGE_NO_STACKS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (stacks_of(rows[i].text, false) != rows[i].now ||
		    stacks_of(rows[i].text, true) != rows[i].then)
			fail_msg("'%s': %d, then %d", rows[i].text, stacks_of(rows[i].text, false),
				 stacks_of(rows[i].text, true));
}

/* A stack that came behind one look tells of the call that is over at a later one. */
static void given_a_stack_in_case_when_the_call_ends_between_looks_then_it_is_shown(void **state)
{
	const struct check_result *r;
	struct trial t;

	(void)state;
	trial_begin(&t, "blocked.max>200ms", NULL);
	look(&t, SCENE_T0 - SEC_NS, in_read, 1);
	blocks_between(&t, SCENE_T0, 300 * MS_NS);
	look(&t, SCENE_T0 + 100 * MS_NS, in_read, 2);
	rec_stack(t.model, SCENE_T0 + 101 * MS_NS, 4713, GRT_STACK_USER, 0, 1, 0x1234, 0, 0);
	rec_text(t.model, GRT_TEXT_FUNCTION, 0x1234, "load_index");
	model_note_stacks(t.model);
	look(&t, SCENE_T0 + 200 * MS_NS, in_read, 2);
	look(&t, SCENE_T0 + SEC_NS, in_read, 1);
	assert_true(judge_is_sure(&t.judge));
	r = trial_end(&t, &armed, &asked);
	assert_int_equal(r->value, 300 * MS_NS);
	assert_int_equal(r->thread[0].m, 2);
	assert_int_equal(r->thread[0].frames, 1);
	assert_string_equal(r->thread[0].frame[0], "load_index");
}

/* Whoever comes back finds its P taken at that moment: its call did not block. */
static void given_a_p_stolen_at_the_exit_when_blocks_are_counted_then_it_is_none(void **state)
{
	const struct check_result *r;
	struct trial t;

	(void)state;
	trial_begin(&t, "blocked.count>0", NULL);
	look(&t, SCENE_T0, scene_rows, 1);
	rec_retake(t.model, SCENE_T0 + MS_NS, 0, 2, 1000, GRT_BY_EXIT_STEAL, 0);
	look(&t, SCENE_T0 + SEC_NS, scene_rows, 1);
	r = trial_end(&t, &armed, &asked);
	assert_int_equal(r->value, 0);
	assert_true(r->answer != CHECK_VIOLATED);
}

static void given_what_is_below_a_bound_at_first_when_it_rises_then_only_the_end_counts(void **state)
{
	(void)state;
	assert_answer(between_judged("handoff.count<1"), CHECK_HOLDS);
	assert_answer(between_judged("handoff.count<2"), CHECK_VIOLATED);
	assert_answer(between_judged("handoff.count!=1"), CHECK_HOLDS);
}

static const struct check_result *handoffs_judged(const char *text, unsigned n)
{
	struct trial t;

	trial_begin(&t, text, NULL);
	look(&t, SCENE_T0, scene_rows, 1);
	for (unsigned i = 0; i < n; i++) {
		uint64_t at = SCENE_T0 + 100 * MS_NS + i * MS_NS;

		/* asleep 50 us before the retake; another 20 us, the last one 500 us, until it runs */
		rec_retake(t.model, at, 0, 2, 60000, GRT_BY_SYSMON, at - 50000);
		rec_handoff(t.model, at + 1000, 0, 2, GRT_HANDOFF_RETAKE, GRT_HANDOFF_WOKE, 5);
		rec_done(t.model, at + (i + 1 < n ? 20000 : 500000), 0, 2, 5);
		rec_apply(t.model, at + 600000, GRT_K_exitsyscall_slow, 102, 2, 0, GRT_EXIT_OLD_P,
			  0, 0);
	}
	rec_snapshot(t.model, SCENE_T0 + SEC_NS, 2, 1, scene_rows, 1,
		     &(struct counts){ .handoffs = n, .retakes = n, .slow_exits = n });
	model_tick(t.model, SCENE_T0 + SEC_NS);
	judge_look(&t.judge, t.model);
	return trial_end(&t, &armed, &asked);
}

static void given_too_few_hand_offs_when_a_percentile_is_judged_then_it_is_inconclusive(void **state)
{
	const struct check_result *r = handoffs_judged("handoff.p99>1ns", 99);

	(void)state;
	assert_answer(r, CHECK_INCONCLUSIVE);
	assert_says(r->why, "only 99 measured, the 99th percentile needs 100");
	assert_answer(handoffs_judged("handoff.p99>1s", 99), CHECK_INCONCLUSIVE);
	assert_answer(handoffs_judged("handoff.p90>1s", 10), CHECK_HOLDS);
	assert_answer(handoffs_judged("handoff.p50>1s", 1), CHECK_INCONCLUSIVE);
	assert_answer(handoffs_judged("handoff.p50>1s", 2), CHECK_HOLDS);
}

static void given_enough_hand_offs_when_percentiles_are_judged_then_the_slowest_is_named(
	void **state)
{
	const struct check_result *r;

	(void)state;
	assert_answer(handoffs_judged("handoff.p99>100us", 100), CHECK_HOLDS);
	assert_answer(handoffs_judged("handoff.p50>100us", 100), CHECK_HOLDS);
	r = handoffs_judged("handoff.p90>60us", 100);
	assert_answer(r, CHECK_VIOLATED);
	assert_int_equal(r->samples, 100);
	r = handoffs_judged("handoff.max>500us", 100);
	assert_answer(r, CHECK_VIOLATED);
	assert_int_equal(r->value, 550000);
	assert_true(r->handoff.is_set);
	assert_int_equal(r->handoff.total_ns, 550000);
	assert_int_equal(r->handoff.dispatch_ns, 500000);
	assert_int_equal(r->handoff.from_m, 2);
	assert_int_equal(r->handoff.to_m, 5);
}

static void given_lost_records_when_judged_then_nothing_holds_but_a_violation_stays(void **state)
{
	static const struct {
		const char *text;
		enum check_answer answer;
	} rows[] = {
		{ "threads>64", CHECK_INCONCLUSIVE },
		{ "threads>7", CHECK_VIOLATED },
		{ "lost>0", CHECK_VIOLATED },
		{ "lost>3", CHECK_HOLDS },
		/* There may have been more of them. */
		{ "handoff.count<1", CHECK_INCONCLUSIVE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct check_result *r;
		struct trial t;

		trial_begin(&t, rows[i].text, NULL);
		rec_lost(t.model, GRT_LOSS_RING, 3);
		look(&t, SCENE_T0, scene_rows, SCENE_ROWS);
		r = trial_end(&t, &armed, &asked);
		assert_answer(r, rows[i].answer);
		if (r->answer == CHECK_INCONCLUSIVE)
			assert_says(r->why, "3 records were lost");
	}
}

static void given_no_probe_when_events_are_needed_then_it_is_inconclusive(void **state)
{
	static const struct source_status sampled = { .why_not_higher = "BPF is not permitted" };
	static const struct source_status some = { .armed = 8, .wanted = 9 };
	const struct check_result *r;

	(void)state;
	assert_answer(scene_judged("threads>64", &sampled, &asked), CHECK_HOLDS);
	r = scene_judged("blocked.max>1h", &sampled, &asked);
	assert_answer(r, CHECK_INCONCLUSIVE);
	assert_says(r->why, "no probe is armed");
	assert_says(r->why, "BPF is not permitted");
	assert_answer(scene_judged("blocked.max>1s", &sampled, &asked), CHECK_VIOLATED);
	r = scene_judged("blocked.max>1h", &some, &asked);
	assert_answer(r, CHECK_INCONCLUSIVE);
	assert_says(r->why, "only 8 of 9 probes");
}

static void given_probes_that_were_shed_when_events_are_needed_then_it_is_inconclusive(void **state)
{
	const struct check_result *r;
	struct trial t;

	(void)state;
	trial_begin(&t, "blocked.max>1h", NULL);
	rec_apply(t.model, SCENE_T0, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	/* hits, their ns, BPF ns, target's CPU ns, own ns, shed | permill armed << 32 */
	rec_apply(t.model, SCENE_T0, GRT_K_SNAP_COST, 10, 5000, 5000, 1000000, 0, 750ull << 32);
	rec_apply(t.model, SCENE_T0, GRT_K_SNAP_END, 0, 0, 0, 400000, 0, 0);
	model_tick(t.model, SCENE_T0);
	judge_look(&t.judge, t.model);
	r = trial_end(&t, &armed, &asked);

	assert_answer(r, CHECK_INCONCLUSIVE);
	assert_says(r->why, "probes were off for 25.0 % of the time");
}

static void given_a_broken_law_when_events_are_needed_then_it_is_inconclusive(void **state)
{
	struct view_end e = asked;
	const struct check_result *r;

	(void)state;
	e.law_broken = "3 hand-offs seen, runtime counted 4";
	r = scene_judged("blocked.max>1h", &armed, &e);
	assert_answer(r, CHECK_INCONCLUSIVE);
	assert_says(r->why, "runtime counted 4");
	assert_answer(scene_judged("threads>64", &armed, &e), CHECK_HOLDS);
}

static void given_a_run_that_was_cut_short_when_judged_then_nothing_holds(void **state)
{
	static const struct source_status recorded = { .armed = 9,
						       .wanted = 9,
						       .is_recorded = true };
	struct view_end e = asked;

	(void)state;
	e.why = VIEW_SIGNAL;
	assert_answer(scene_judged("threads>64", &armed, &e), CHECK_INCONCLUSIVE);
	assert_answer(scene_judged("threads>7", &armed, &e), CHECK_VIOLATED);
	/* Its recorder was asked to stop: that is how recordings end. */
	assert_answer(scene_judged("threads>64", &recorded, &e), CHECK_HOLDS);
	e.why = VIEW_REPLACED;
	assert_answer(scene_judged("threads>64", &armed, &e), CHECK_INCONCLUSIVE);
	e.why = VIEW_EXITED;
	assert_answer(scene_judged("threads>64", &armed, &e), CHECK_HOLDS);
	e.has_failed = true;
	assert_answer(scene_judged("threads>64", &armed, &e), CHECK_INCONCLUSIVE);
}

static void given_nothing_seen_when_judged_then_it_is_inconclusive(void **state)
{
	const struct check_result *r;
	struct trial t;

	(void)state;
	trial_begin(&t, "threads<5", NULL);
	r = trial_end(&t, &armed, &asked);
	assert_answer(r, CHECK_INCONCLUSIVE);
	assert_says(r->why, "nothing was seen");
}

/* Its own code ran, and ended: of goroutines nothing was seen. */
static void given_no_runtime_that_started_when_judged_then_nothing_holds(void **state)
{
	static const struct counts none;
	const struct check_result *r;
	struct trial t;

	(void)state;
	trial_begin(&t, "threads>5", NULL);
	rec_snapshot(t.model, SCENE_T0, 0, 0, in_read, 1, &none);
	model_tick(t.model, SCENE_T0);
	judge_look(&t.judge, t.model);
	r = trial_end(&t, &armed, &asked);
	assert_answer(r, CHECK_INCONCLUSIVE);
	assert_says(r->why, "no look has seen its runtime started");
}

static void given_no_cost_when_overhead_is_judged_then_it_is_inconclusive(void **state)
{
	(void)state;
	assert_answer(scene_judged("overhead>1%", &armed, &asked), CHECK_INCONCLUSIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_levels_when_judged_then_each_look_counts),
		cmocka_unit_test(
			given_one_look_that_shows_it_when_later_ones_do_not_then_it_is_violated),
		cmocka_unit_test(
			given_a_violation_when_it_is_told_then_evidence_names_who_where_and_how_long),
		cmocka_unit_test(
			given_a_call_between_two_looks_when_judged_then_its_length_is_exact),
		cmocka_unit_test(
			given_a_look_when_stacks_are_dear_then_only_what_is_shown_has_them),
		cmocka_unit_test(
			given_a_stack_in_case_when_the_call_ends_between_looks_then_it_is_shown),
		cmocka_unit_test(
			given_a_p_stolen_at_the_exit_when_blocks_are_counted_then_it_is_none),
		cmocka_unit_test(
			given_what_is_below_a_bound_at_first_when_it_rises_then_only_the_end_counts),
		cmocka_unit_test(
			given_too_few_hand_offs_when_a_percentile_is_judged_then_it_is_inconclusive),
		cmocka_unit_test(
			given_enough_hand_offs_when_percentiles_are_judged_then_the_slowest_is_named),
		cmocka_unit_test(
			given_lost_records_when_judged_then_nothing_holds_but_a_violation_stays),
		cmocka_unit_test(given_no_probe_when_events_are_needed_then_it_is_inconclusive),
		cmocka_unit_test(
			given_probes_that_were_shed_when_events_are_needed_then_it_is_inconclusive),
		cmocka_unit_test(given_a_broken_law_when_events_are_needed_then_it_is_inconclusive),
		cmocka_unit_test(given_a_run_that_was_cut_short_when_judged_then_nothing_holds),
		cmocka_unit_test(given_nothing_seen_when_judged_then_it_is_inconclusive),
		cmocka_unit_test(given_no_runtime_that_started_when_judged_then_nothing_holds),
		cmocka_unit_test(given_no_cost_when_overhead_is_judged_then_it_is_inconclusive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
