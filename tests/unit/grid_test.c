/* SPDX-License-Identifier: MIT */
/* grid_test.c - tables: what goes when there is no room, what is cut, where heads come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/view/grid.h"

static const struct grid_column columns[] = {
	{ "ID", NULL, NULL, 4, 9, false },          { "p50", "wait", "wait p50", 5, 3, false },
	{ "p99", "wait", "wait p99", 5, 7, false }, { "n", NULL, NULL, 3, 5, false },
	{ "NAME", NULL, NULL, 4, 8, true },
};
#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

static const struct grid_row row = { .cell = { "7", "1.2ms", "12ms", "30", "pipe:[123456789]" } };
static const struct grid_row wide = { .cell = { "7", "1.2ms", "12m05s", "30000", "x" } };

struct page {
	char *text;
	size_t bytes;
	FILE *out;
};

static FILE *page_open(struct page *p)
{
	p->out = open_memstream(&p->text, &p->bytes);
	assert_non_null(p->out);
	return p->out;
}

static void page_is(struct page *p, const char *want)
{
	fclose(p->out);
	assert_string_equal(p->text, want);
	free(p->text);
}

static struct grid fitted(unsigned int screen)
{
	struct grid g;

	grid_init(&g, columns, NCOLUMNS, screen);
	grid_widen(&g, &row);
	grid_fit(&g);
	return g;
}

static void print(struct page *p, unsigned int screen)
{
	struct grid g = fitted(screen);

	page_open(p);
	grid_tell_hidden(&g, p->out);
	grid_put_heads(&g, p->out);
	grid_put_row(&g, &row, p->out);
}

static void all_is_shown_where_there_is_room(void **state)
{
	struct page p;

	(void)state;
	print(&p, 80);
	page_is(&p, "     -- wait ---\n"
		    "  ID   p50   p99   n NAME\n"
		    "   7 1.2ms  12ms  30 pipe:[123456789]\n");
}

static void the_name_is_cut_before_columns_go(void **state)
{
	struct page p;

	(void)state;
	print(&p, 33);
	page_is(&p, "     -- wait ---\n"
		    "  ID   p50   p99   n NAME\n"
		    "   7 1.2ms  12ms  30 pipe:[12345~\n");
}

static void the_least_important_goes_first_and_is_named(void **state)
{
	struct page p;

	(void)state;
	print(&p, 28);
	page_is(&p, "no room in 28 columns for:\n"
		    "  wait p50\n"
		    "      wait\n"
		    "  ID   p99   n NAME\n"
		    "   7  12ms  30 pipe:[123456~\n");
}

static void an_empty_cell_leaves_its_place(void **state)
{
	struct grid g = fitted(80);
	struct grid_row r = row;
	struct page p;

	(void)state;
	strcpy(r.cell[4], "");
	strcpy(r.cell[1], "");
	page_open(&p);
	grid_put_row(&g, &r, p.out);
	page_is(&p, "   7        12ms  30\n");
}

static void what_a_target_wrote_reaches_no_terminal(void **state)
{
	struct grid g = fitted(80);
	struct grid_row r = row;
	struct page p;

	(void)state;
	strcpy(r.cell[4], "\033[2Jx");
	page_open(&p);
	grid_put_row(&g, &r, p.out);
	page_is(&p, "   7 1.2ms  12ms  30 \\x1b[2Jx\n");
}

static void a_row_that_does_not_fit_is_known(void **state)
{
	struct grid g = fitted(80);

	(void)state;
	assert_true(grid_holds(&g, &row));
	assert_false(grid_holds(&g, &wide));
	grid_widen(&g, &wide);
	assert_true(grid_holds(&g, &wide));
}

static unsigned int heads_of(unsigned int rows, unsigned int lines, const struct grid_row *last)
{
	struct grid_lines l = { .rows = 0 };
	struct page p;
	unsigned int n = 0;

	page_open(&p);
	for (unsigned int i = 0; i < rows; i++) {
		grid_lines_begin(&l, columns, NCOLUMNS, 80);
		grid_lines_put(&l, i + 1 == rows ? last : &row, lines, p.out);
	}
	fclose(p.out);
	for (const char *at = p.text; (at = strstr(at, "NAME")) != NULL; at++)
		n++;
	free(p.text);
	return n;
}

static void heads_come_again_when_they_are_needed(void **state)
{
	(void)state;
	assert_int_equal(heads_of(20, 0, &row), 1);
	assert_int_equal(heads_of(21, 0, &row), 2);
	assert_int_equal(heads_of(47, 50, &row), 1);
	assert_int_equal(heads_of(48, 50, &row), 2);
	assert_int_equal(heads_of(3, 0, &wide), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_shown_where_there_is_room),
		cmocka_unit_test(the_name_is_cut_before_columns_go),
		cmocka_unit_test(the_least_important_goes_first_and_is_named),
		cmocka_unit_test(an_empty_cell_leaves_its_place),
		cmocka_unit_test(what_a_target_wrote_reaches_no_terminal),
		cmocka_unit_test(a_row_that_does_not_fit_is_known),
		cmocka_unit_test(heads_come_again_when_they_are_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
