/* SPDX-License-Identifier: MIT */
/* growth_view_test.c - the report of `gotrace growth`, compared with tests/golden and its schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/view/growth_view.h"
#include "screen.h"
#include "sick.h"

static void show(struct screen *s, struct view *v, const struct view_head *h)
{
	const struct view_end e = { .why = VIEW_EXITED, .rows = 2, .observed_ns = SEC_NS };

	assert_non_null(v);
	sick_names(s->model);
	sick_snapshot(s->model, SCENE_T0, 7);
	view_begin(v, s->model, h);
	view_row(v, s->model);
	if (h->armed)
		sick_events(s->model, SCENE_T0 + SEC_NS / 2);
	sick_snapshot(s->model, SCENE_T0 + SEC_NS, 19);
	view_row(v, s->model);
	model_tick(s->model, UINT64_MAX);
	view_totals(v, s->model, &e);
	view_free(v);
	fflush(s->out);
}

static void screen_of(unsigned int columns, const struct view_head *h, const char *golden)
{
	struct screen s;

	screen_open(&s);
	show(&s, text_new(&s, &report_growth, columns, 0), h);
	assert_null(strchr(s.text, '\033'));
	screen_is(&s, golden);
}

static void test_the_ledger_names_causes_and_limits(void **state)
{
	(void)state;
	screen_of(80, &scene_head, "growth_80.txt");
}

static void test_without_probes_new_threads_are_still_counted(void **state)
{
	(void)state;
	screen_of(80, &scene_head_sampled, "growth_unarmed.txt");
}

static void test_on_40_columns_the_cause_stays(void **state)
{
	(void)state;
	screen_of(40, &scene_head, "growth_40.txt");
}

static void test_json_has_the_same_content(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show(&s, json_new(&s, &report_growth), &scene_head);
	screen_is(&s, "growth.json");
	if (schema_can_judge())
		assert_true(golden_fits("growth", "growth.json"));
}

static struct model *growing(uint64_t limit, uint64_t from, uint64_t to)
{
	static struct row rows[200];
	static const struct counts none;
	struct model *m = model_new();

	for (unsigned int i = 0; i < 200; i++)
		rows[i] = (struct row){ .m = i, .tid = 1 + i, .p = -1, .state = GRT_MS_idle };
	rec_snapshot(m, SCENE_T0, 1, 0, rows, from, &none);
	model_tick(m, SCENE_T0);
	rec_apply(m, SCENE_T0 + SEC_NS, GRT_K_SNAP_BEGIN, 2, 1, 0, 0, 0, 0);
	for (uint64_t i = 0; i < to; i++)
		rec_row(m, SCENE_T0 + SEC_NS, &rows[i]);
	rec_apply(m, SCENE_T0 + SEC_NS, GRT_K_SNAP_LIMITS, limit, 1000, 300, 10000, 9990, 0);
	rec_apply(m, SCENE_T0 + SEC_NS, GRT_K_SNAP_END, to, to, 0, 1, 0, 0);
	model_tick(m, SCENE_T0 + SEC_NS);
	return m;
}

static void test_when_limits_are_reached(void **state)
{
	struct model *m = growing(200, 50, 100);
	struct growth_eta eta;

	(void)state;
	assert_true(growth_eta(&eta, m, LIMIT_RUNTIME));
	assert_true(eta.has_eta);
	assert_int_equal(eta.used, 100);
	assert_int_equal(eta.eta_ns, 2 * SEC_NS);
	assert_true(growth_eta(&eta, m, LIMIT_NPROC));
	assert_int_equal(eta.eta_ns, 14 * SEC_NS);
	assert_true(growth_nearest(&eta, m));
	assert_int_equal(eta.limit, 10000);
	assert_int_equal(eta.eta_ns, 200 * MS_NS);
	model_free(m);
}

static void test_who_does_not_grow_reaches_no_limit(void **state)
{
	struct model *m = growing(200, 100, 100);
	struct growth_eta eta;

	(void)state;
	assert_true(growth_eta(&eta, m, LIMIT_RUNTIME));
	assert_false(eta.has_eta);
	assert_false(growth_nearest(&eta, m));
	model_free(m);
	m = growing(MODEL_NO_LIMIT, 10, 20);
	assert_false(growth_eta(&eta, m, LIMIT_RUNTIME));
	model_free(m);
	m = growing(15, 10, 20);
	assert_true(growth_eta(&eta, m, LIMIT_RUNTIME));
	assert_int_equal(eta.eta_ns, 0);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_ledger_names_causes_and_limits),
		cmocka_unit_test(test_without_probes_new_threads_are_still_counted),
		cmocka_unit_test(test_on_40_columns_the_cause_stays),
		cmocka_unit_test(test_json_has_the_same_content),
		cmocka_unit_test(test_when_limits_are_reached),
		cmocka_unit_test(test_who_does_not_grow_reaches_no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
