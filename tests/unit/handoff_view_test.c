/* SPDX-License-Identifier: MIT */
/*
 * handoff_view_test.c - the report of `gotrace handoff` on a process whose Ps were lost in every
 * way there is: compared with tests/golden, and with its schema.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scene.h"
#include "screen.h"

#define US 1000ull

struct lost_p {
	uint64_t n;
	int32_t nr;
	uint64_t by; /* enum grt_retake_by; 0: the M gives it up */
	uint64_t asleep_ns, first_sight_ns, dispatch_ns; /* first two 0: not known */
	uint64_t outcome, back, away_ns, queued_ns;      /* back 0: still in its call */
};

static const struct lost_p lost_ps[] = {
	{ 97, SYS_read, GRT_BY_SYSMON, 31 * US, 20 * US, 9 * US, GRT_HANDOFF_WOKE, GRT_EXIT_OLD_P,
	  4 * MS_NS, 0 },
	{ 13, SYS_read, GRT_BY_SYSMON, 0, 22 * US, 40 * US, GRT_HANDOFF_MADE, GRT_EXIT_QUEUED,
	  5 * MS_NS, 700 * US },
	{ 11, SYS_fsync, GRT_BY_SYSMON, 45 * US, 20 * US, 0, GRT_HANDOFF_IDLED, GRT_EXIT_IDLE_P,
	  12 * US, 0 },
	{ 7, GRT_NR_FOREIGN, GRT_BY_KERNEL, 3 * US, 0, 5 * US, GRT_HANDOFF_SPINNING, 0, 0, 0 },
	{ 53, SYS_read, 0, 0, 0, 4 * US, GRT_HANDOFF_WOKE, GRT_EXIT_OLD_P, 90 * US, 0 },
	{ 3, SYS_read, GRT_BY_EXIT_STEAL, 0, 0, 0, 0, GRT_EXIT_QUEUED, 1 * MS_NS, 2 * MS_NS },
	{ 1, 999, GRT_BY_SYSMON, 0, 0, 5 * US, GRT_HANDOFF_POLLER, GRT_EXIT_OLD_P, 1 * US, 0 },
};

static void begin_loss(struct model *m, const struct lost_p *l, uint64_t t, uint64_t id)
{
	if (l->by == 0) {
		rec_apply(m, t, GRT_K_entersyscallblock, id, id, 0, (uint64_t)l->nr, 0, 0);
		return;
	}
	if (l->asleep_ns)
		rec_apply(m, t, GRT_K_SWITCH_OUT, id, GRT_CALL_IN, (uint64_t)l->nr, 7,
			  t - l->asleep_ns, 0);
	rec_apply(m, t, GRT_K_retake, 0, id, id, l->first_sight_ns, l->by,
		  (uint64_t)(int64_t)l->nr);
}

static void tell_loss(struct model *m, const struct lost_p *l, uint64_t t, uint64_t id)
{
	uint64_t cause = l->by ? GRT_HANDOFF_RETAKE : GRT_HANDOFF_SELF;
	bool is_idled = l->outcome == GRT_HANDOFF_IDLED;

	begin_loss(m, l, t, id);
	if (l->outcome)
		rec_apply(m, t + 1 * US, GRT_K_handoff, 0, id, id, cause, l->outcome,
			  is_idled ? GRT_NO_ID : 1);
	if (l->outcome && !is_idled)
		rec_apply(m, t + l->dispatch_ns, GRT_K_handoff_done, 0, id, 1, 0, 0, 0);
	if (l->back)
		rec_apply(m, t + l->away_ns + l->queued_ns, GRT_K_exitsyscall_slow, id, id, 0,
			  l->back, l->queued_ns, 0);
}

/* All of them between the two ticks of the scene, and what the runtime counts of them. */
static void second_tick(struct model *m, bool with_events)
{
	static const struct counts c = { .handoffs = 40 + 182,
					 .retakes = 30 + 132,
					 .slow_exits = 27 + 178,
					 .self_blocks = 53,
					 .made = 20 };
	uint64_t t = SCENE_T0 + 100 * MS_NS, id = 100;

	for (size_t k = 0; with_events && k < sizeof(lost_ps) / sizeof(lost_ps[0]); k++)
		for (uint64_t i = 0; i < lost_ps[k].n; i++, id++, t += MS_NS / 10)
			tell_loss(m, &lost_ps[k], t, id);
	if (with_events)
		rec_apply(m, t, GRT_K_handoff, 1, 900, 0, GRT_HANDOFF_LOCKED, GRT_HANDOFF_WOKE, 1);
	rec_snapshot(m, SCENE_T0 + SEC_NS, 2, 0, scene_rows, SCENE_ROWS, &c);
	model_tick(m, SCENE_T0 + SEC_NS);
}

static void show(struct screen *s, struct view *v, const struct view_head *h)
{
	const struct view_end e = { .why = VIEW_EXITED, .rows = 2, .observed_ns = SEC_NS };

	assert_non_null(v);
	scene_first(s->model);
	view_begin(v, s->model, h);
	view_row(v, s->model);
	second_tick(s->model, h->armed != 0);
	view_row(v, s->model);
	view_totals(v, s->model, &e);
	view_free(v);
	fflush(s->out);
}

static void show_text(unsigned int columns, const struct view_head *h, const char *golden)
{
	struct screen s;

	screen_open(&s);
	show(&s, text_new(&s, &report_handoff, columns, 0), h);
	assert_true(longest_line(s.text) <= columns);
	screen_is(&s, golden);
}

static void tables_fit_80_columns(void **state)
{
	(void)state;
	show_text(80, &scene_head, "handoff_80.txt");
}

static void on_40_columns_they_say_what_has_no_room(void **state)
{
	(void)state;
	show_text(40, &scene_head, "handoff_40.txt");
}

static void without_probes_only_the_counters_are_known(void **state)
{
	(void)state;
	show_text(80, &scene_head_sampled, "handoff_level_0.txt");
}

static void show_json(const struct view_head *h, const char *golden)
{
	struct screen s;

	screen_open(&s);
	show(&s, json_new(&s, &report_handoff), h);
	screen_is(&s, golden);
	if (schema_can_judge())
		assert_true(golden_fits("handoff", golden));
}

static void json_has_the_same_content(void **state)
{
	(void)state;
	show_json(&scene_head, "handoff.json");
}

static void json_without_probes_has_nulls(void **state)
{
	(void)state;
	show_json(&scene_head_sampled, "handoff_level_0.json");
}

static void nothing_lost_is_said_in_words(void **state)
{
	const struct view_end e = { .why = VIEW_ASKED, .rows = 1, .observed_ns = SEC_NS };
	struct screen s;
	struct view *v;

	(void)state;
	screen_open(&s);
	v = text_new(&s, &report_handoff, 80, 0);
	scene_first(s.model);
	view_begin(v, s.model, &scene_head);
	view_totals(v, s.model, &e);
	view_free(v);
	fclose(s.out);
	model_free(s.model);
	assert_non_null(strstr(s.text, "no P was lost to a call"));
	free(s.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_fit_80_columns),
		cmocka_unit_test(on_40_columns_they_say_what_has_no_room),
		cmocka_unit_test(without_probes_only_the_counters_are_known),
		cmocka_unit_test(json_has_the_same_content),
		cmocka_unit_test(json_without_probes_has_nulls),
		cmocka_unit_test(nothing_lost_is_said_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
