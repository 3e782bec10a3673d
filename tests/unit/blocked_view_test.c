/* SPDX-License-Identifier: MIT */
/* blocked_view_test.c - the report of `gotrace blocked`, compared with tests/golden and its schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/view/blocked.h"
#include "screen.h"
#include "sick.h"

static const struct blocked_opts all = { .nr = BLOCKED_ANY_NR, .fd = BLOCKED_ANY_FD };

/* Characters, not bytes: arrows are three bytes wide. */
static size_t widest(const char *text)
{
	size_t widest = 0, n = 0;

	for (; *text; text++) {
		n = *text == '\n' ? 0 : n + (((unsigned char)*text & 0xc0) != 0x80);
		widest = n > widest ? n : widest;
	}
	return widest;
}

static struct view *view_of(struct screen *s, enum view_format format, unsigned int columns,
			    const struct blocked_opts *o)
{
	return view_new(
		s->out, &report_blocked,
		&(struct view_opts){ .format = format, .columns = columns, .report_opts = o });
}

static void show(struct screen *s, struct view *v, const struct view_head *h)
{
	const struct view_end e = { .why = VIEW_ASKED, .rows = 1, .observed_ns = SEC_NS };

	assert_non_null(v);
	sick_names(s->model);
	sick_snapshot(s->model, SCENE_T0, 7);
	if (h->armed)
		sick_events(s->model, SCENE_T0 + SEC_NS / 2);
	sick_snapshot(s->model, SCENE_T0 + SEC_NS, 19);
	view_begin(v, s->model, h);
	view_row(v, s->model);
	view_totals(v, s->model, &e);
	view_free(v);
	fflush(s->out);
}

static void screen_of(unsigned int columns, const struct blocked_opts *o, const struct view_head *h,
		      const char *golden)
{
	struct screen s;

	screen_open(&s);
	show(&s, view_of(&s, VIEW_TEXT, columns, o), h);
	assert_true(widest(s.text) <= columns);
	assert_null(strchr(s.text, '\033'));
	screen_is(&s, golden);
}

static void test_longest_first_with_line_and_wait_point(void **state)
{
	(void)state;
	screen_of(80, &all, &scene_head, "blocked_80.txt");
}

static void test_one_look_needs_no_probe(void **state)
{
	(void)state;
	screen_of(80, &all, &scene_head_sampled, "blocked_unarmed.txt");
}

static void test_40_columns_keep_time_and_call(void **state)
{
	(void)state;
	screen_of(40, &all, &scene_head, "blocked_40.txt");
}

static void test_by_stack_tells_how_many_do_the_same(void **state)
{
	struct blocked_opts o = all;

	(void)state;
	o.by_stack = true;
	screen_of(80, &o, &scene_head_sampled, "blocked_by_stack.txt");
}

static void test_by_call_tells_how_many_do_the_same(void **state)
{
	struct blocked_opts o = all;

	(void)state;
	o.by_call = true;
	screen_of(80, &o, &scene_head_sampled, "blocked_by_call.txt");
}

#define FIFOS 97

/* What examples/growth looks like: a FIFO for each reader, three readers of one device. */
static void fifos_snapshot(struct model *m)
{
	static uint64_t args[FIFOS + 3][6];
	char name[32];

	rec_apply(m, SCENE_T0, GRT_K_SNAP_BEGIN, 1, 1, 0, SCENE_T0, 0, 0);
	rec_apply(m, SCENE_T0, GRT_K_SNAP_SCHED, 2, 0, 107, 0, 0, 0);
	for (uint64_t i = 0; i < FIFOS + 3; i++) {
		struct row r =
			sick_row((int64_t)i + 1, SCENE_T0 - 5 * SEC_NS + i, SYS_read, args[i]);
		bool is_fifo = i < FIFOS;

		args[i][0] = 5 + i;
		snprintf(name, sizeof(name), "/run/jobs/fifo-%u", (unsigned int)i);
		rec_text(m, GRT_TEXT_FD, 5 + i, is_fifo ? name : "/dev/urandom");
		rec_text(m, GRT_TEXT_FD_KIND, 5 + i, is_fifo ? "FIFO" : "device");
		rec_text(m, GRT_TEXT_FD_NOTE, 5 + i, is_fifo ? "pipe in blocking mode" : "");
		rec_row(m, SCENE_T0, &r);
		rec_stack(m, SCENE_T0, r.tid, GRT_STACK_USER, 0, 1, is_fifo ? PC_SERVE : PC_WORKER,
			  0, 0);
	}
	rec_apply(m, SCENE_T0, GRT_K_SNAP_END, FIFOS + 3, FIFOS + 3, 0, 0, 0, 0);
	model_tick(m, SCENE_T0);
}

static void test_97_fifos_are_one_line_by_call(void **state)
{
	const struct view_end e = { .why = VIEW_ASKED, .rows = 1 };
	struct blocked_opts o = all;
	struct screen s;
	struct view *v;

	(void)state;
	o.by_call = true;
	screen_open(&s);
	v = view_of(&s, VIEW_TEXT, 80, &o);
	sick_names(s.model);
	fifos_snapshot(s.model);
	view_begin(v, s.model, &scene_head_sampled);
	view_row(v, s.model);
	view_totals(v, s.model, &e);
	view_free(v);
	fflush(s.out);
	assert_true(widest(s.text) <= 80);
	screen_is(&s, "blocked_by_call_fifos.txt");
}

static void test_why_no_wait_point_is_known_is_said(void **state)
{
	struct screen s;
	struct view *v;

	(void)state;
	screen_open(&s);
	v = view_of(&s, VIEW_TEXT, 80, &all);
	rec_text(s.model, GRT_TEXT_ABOUT, GRT_ABOUT_WHY_NO_STACKS, "it is hidden");
	fifos_snapshot(s.model);
	view_begin(v, s.model, &scene_head_sampled);
	view_row(v, s.model);
	view_free(v);
	fclose(s.out);
	assert_non_null(
		strstr(s.text, "\nwhere in the kernel they wait is not known: it is hidden\n"));
	model_free(s.model);
	free(s.text);
}

static void shown(const struct blocked_opts *o, size_t blocked, size_t hostages)
{
	struct model *m = model_new();
	struct blocked_list l;

	sick_names(m);
	sick_snapshot(m, SCENE_T0, 7);
	assert_true(blocked_list_make(&l, m, o));
	assert_int_equal(l.nblocked, blocked);
	assert_int_equal(l.nhostages, hostages);
	assert_int_equal(l.all_blocked, 5);
	blocked_list_free(&l);
	model_free(m);
}

static void test_only_what_was_asked_for(void **state)
{
	struct blocked_opts o = all;

	(void)state;
	shown(&o, 5, 1);
	o.min_ns = SEC_NS;
	shown(&o, 4, 0);
	o.nr = SYS_read;
	shown(&o, 3, 0);
	o.fd = 12;
	shown(&o, 1, 0);
	o.fd = 13;
	shown(&o, 0, 0);
	o = all;
	o.nr = GRT_NR_FOREIGN;
	shown(&o, 1, 0);
}

static void test_nothing_blocked_is_said_in_a_line(void **state)
{
	static const struct counts none;
	struct screen s;
	struct view *v;

	(void)state;
	screen_open(&s);
	v = view_of(&s, VIEW_TEXT, 80, &all);
	rec_snapshot(s.model, SCENE_T0, 1, 1, NULL, 0, &none);
	view_begin(v, s.model, &scene_head);
	view_row(v, s.model);
	view_free(v);
	fclose(s.out);
	assert_non_null(strstr(s.text, "\n0 blocked; "));
	assert_null(strstr(s.text, "CALL"));
	model_free(s.model);
	free(s.text);
}

static void test_json_has_the_same_content(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show(&s, view_of(&s, VIEW_JSON, 80, &all), &scene_head);
	screen_is(&s, "blocked.json");
	if (schema_can_judge())
		assert_true(golden_fits("blocked", "blocked.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_first_with_line_and_wait_point),
		cmocka_unit_test(test_one_look_needs_no_probe),
		cmocka_unit_test(test_40_columns_keep_time_and_call),
		cmocka_unit_test(test_by_stack_tells_how_many_do_the_same),
		cmocka_unit_test(test_by_call_tells_how_many_do_the_same),
		cmocka_unit_test(test_97_fifos_are_one_line_by_call),
		cmocka_unit_test(test_why_no_wait_point_is_known_is_said),
		cmocka_unit_test(test_only_what_was_asked_for),
		cmocka_unit_test(test_nothing_blocked_is_said_in_a_line),
		cmocka_unit_test(test_json_has_the_same_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
