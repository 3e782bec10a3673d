/* SPDX-License-Identifier: MIT */
/*
 * view_test.c - one scene through every view, compared byte by byte with tests/golden. After a
 * change that is meant: run it with GOLDEN_UPDATE=1, and read the difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scene.h"
#include "screen.h"

static void show_rows(struct screen *s, struct view *v, const struct view_head *h)
{
	const struct view_end e = { .why = VIEW_EXITED, .rows = 2, .observed_ns = SEC_NS };

	assert_non_null(v);
	scene_first(s->model);
	view_begin(v, s->model, h);
	view_row(v, s->model);
	scene_second(s->model, h->armed != 0);
	view_row(v, s->model);
	view_totals(v, s->model, &e);
	view_free(v);
	fflush(s->out);
}

static void table_of_columns(unsigned int columns, const char *name)
{
	struct screen s;

	screen_open(&s);
	show_rows(&s, text_new(&s, &report_threads, columns, 0), &scene_head);
	assert_true(longest_line(s.text) <= columns);
	screen_is(&s, name);
}

static void table_fits_80_columns(void **state)
{
	(void)state;
	table_of_columns(80, "threads_80.txt");
}

static void table_on_40_columns_says_what_is_missing(void **state)
{
	(void)state;
	table_of_columns(40, "threads_40.txt");
}

static void wide_table_has_whole_words(void **state)
{
	(void)state;
	table_of_columns(160, "threads_160.txt");
}

static void level_0_says_what_is_sampled_and_what_would_raise_it(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show_rows(&s, text_new(&s, &report_threads, 80, 0), &scene_head_sampled);
	screen_is(&s, "level_0.txt");
}

static void json_has_the_same_content(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show_rows(&s, json_new(&s, &report_threads), &scene_head);
	screen_is(&s, "threads.json");
}

static void json_of_level_0_has_nulls_not_zeros(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show_rows(&s, json_new(&s, &report_threads), &scene_head_sampled);
	screen_is(&s, "level_0.json");
}

static void show_by_m(struct screen *s, struct view *v)
{
	const struct view_end e = { .why = VIEW_ASKED, .rows = 1, .observed_ns = 2 * MS_NS };

	assert_non_null(v);
	scene_first(s->model);
	view_begin(v, s->model, &scene_head);
	view_row(v, s->model);
	view_totals(v, s->model, &e);
	view_free(v);
	fflush(s->out);
}

static void by_m_longest_blocked_first(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show_by_m(&s, text_new(&s, &report_by_m, 80, 0));
	assert_true(longest_line(s.text) <= 80);
	screen_is(&s, "by_m_80.txt");
}

static void by_m_on_40_columns_keeps_state_and_call(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show_by_m(&s, text_new(&s, &report_by_m, 40, 0));
	assert_true(longest_line(s.text) <= 40);
	screen_is(&s, "by_m_40.txt");
}

static void at_least_nothing_is_not_known(void **state)
{
	static const struct counts none;
	struct row row = { .m = 0,
			   .tid = 4711,
			   .p = -1,
			   .state = GRT_MS_system,
			   .nr = GRT_NR_NONE,
			   .since_ns = SCENE_T0,
			   .attr = GRT_MA_SINCE_AT_LEAST };
	struct screen s;
	struct view *v;

	(void)state;
	screen_open(&s);
	v = text_new(&s, &report_by_m, 80, 0);
	rec_snapshot(s.model, SCENE_T0, 1, 0, &row, 1, &none);
	view_row(v, s.model);
	view_free(v);
	fclose(s.out);
	model_free(s.model);
	assert_null(strstr(s.text, ">"));
	assert_non_null(strstr(s.text, "system    -  -  -"));
	free(s.text);
}

static void by_m_as_json(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show_by_m(&s, json_new(&s, &report_by_m));
	screen_is(&s, "by_m.json");
}

static void show_loss(struct screen *s, struct view *v)
{
	const struct view_end e = { .why = VIEW_SIGNAL, .rows = 2, .observed_ns = SEC_NS };

	scene_first(s->model);
	view_begin(v, s->model, &scene_head);
	view_row(v, s->model);
	rec_lost(s->model, GRT_LOSS_RING, 31);
	rec_lost(s->model, GRT_LOSS_MEMORY, 2);
	scene_second(s->model, true);
	view_row(v, s->model);
	view_totals(v, s->model, &e);
	view_free(v);
	fflush(s->out);
}

static void loss_is_told_at_once_and_at_the_end(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show_loss(&s, text_new(&s, &report_threads, 80, 0));
	screen_is(&s, "lost.txt");
}

static void loss_is_in_the_json(void **state)
{
	struct screen s;

	(void)state;
	screen_open(&s);
	show_loss(&s, json_new(&s, &report_threads));
	screen_is(&s, "lost.json");
}

static unsigned int count_of(const char *text, const char *word)
{
	unsigned int n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

static unsigned int heads_in(unsigned int lines, unsigned int rows)
{
	struct screen s;
	struct view *v;
	unsigned int heads;

	screen_open(&s);
	v = text_new(&s, &report_threads, 80, lines);
	scene_first(s.model);
	view_begin(v, s.model, &scene_head);
	for (unsigned int i = 0; i < rows; i++)
		view_row(v, s.model);
	view_free(v);
	fclose(s.out);
	model_free(s.model);
	heads = count_of(s.text, "blk");
	free(s.text);
	return heads;
}

static void heads_come_again_when_the_screen_is_full(void **state)
{
	(void)state;
	assert_int_equal(heads_in(0, 20), 1);
	assert_int_equal(heads_in(0, 21), 2);
	assert_int_equal(heads_in(50, 47), 1);
	assert_int_equal(heads_in(50, 48), 2);
}

static void heads_come_again_when_a_number_outgrows_its_column(void **state)
{
	static struct row rows[10007];
	static const struct counts none;
	struct screen s;
	struct view *v;

	(void)state;
	for (unsigned int i = 0; i < 10007; i++)
		rows[i] = (struct row){ .m = i, .tid = 1000 + i, .p = -1, .state = GRT_MS_blocked };
	screen_open(&s);
	v = text_new(&s, &report_threads, 80, 0);
	scene_first(s.model);
	view_begin(v, s.model, &scene_head);
	view_row(v, s.model);
	rec_snapshot(s.model, SCENE_T0 + SEC_NS, 2, 0, rows, 1009, &none);
	view_row(v, s.model);
	rec_snapshot(s.model, SCENE_T0 + 2 * SEC_NS, 2, 0, rows, 10007, &none);
	view_row(v, s.model);
	view_free(v);
	fclose(s.out);
	model_free(s.model);
	assert_int_equal(count_of(s.text, "blk"), 2);
	assert_int_equal(count_of(s.text, "1009"), 2);
	assert_int_equal(count_of(s.text, " 10k"), 2);
	assert_true(longest_line(s.text) <= 80);
	free(s.text);
}

static void every_state_has_a_word(void **state)
{
	(void)state;
	for (int i = 0; i < GRT_MS_COUNT; i++)
		assert_true(strlen(view_state_word((enum grt_mstate)i)) > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_fits_80_columns),
		cmocka_unit_test(table_on_40_columns_says_what_is_missing),
		cmocka_unit_test(wide_table_has_whole_words),
		cmocka_unit_test(level_0_says_what_is_sampled_and_what_would_raise_it),
		cmocka_unit_test(json_has_the_same_content),
		cmocka_unit_test(json_of_level_0_has_nulls_not_zeros),
		cmocka_unit_test(by_m_longest_blocked_first),
		cmocka_unit_test(by_m_on_40_columns_keeps_state_and_call),
		cmocka_unit_test(at_least_nothing_is_not_known),
		cmocka_unit_test(by_m_as_json),
		cmocka_unit_test(loss_is_told_at_once_and_at_the_end),
		cmocka_unit_test(loss_is_in_the_json),
		cmocka_unit_test(heads_come_again_when_the_screen_is_full),
		cmocka_unit_test(heads_come_again_when_a_number_outgrows_its_column),
		cmocka_unit_test(every_state_has_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
