/* SPDX-License-Identifier: MIT */
/* grid.c - see grid.h. */
#include "grid.h"

#include <string.h>

#include "fmt.h"

#define LINE_BYTES 1024
#define HEADS_EVERY 20 /* rows, where there is no screen that could be full */
#define TEXT_MIN 12    /* of the last column, before others go for it */

void grid_init(struct grid *g, const struct grid_column *column, unsigned int n,
	       unsigned int screen)
{
	memset(g, 0, sizeof(*g));
	g->column = column;
	g->n = n < GRID_COLUMNS ? n : GRID_COLUMNS;
	g->screen = screen;
	for (unsigned int i = 0; i < g->n; i++) {
		unsigned int head = (unsigned int)strlen(column[i].head);

		g->width[i] = head > column[i].width ? head : column[i].width;
		g->is_shown[i] = true;
	}
}

/* The last column, if it is text, takes what is left. */
static bool is_elastic(const struct grid *g, unsigned int i)
{
	return i == g->n - 1 && g->column[i].is_left;
}

bool grid_holds(const struct grid *g, const struct grid_row *r)
{
	for (unsigned int i = 0; i < g->n; i++)
		if (g->is_shown[i] && !is_elastic(g, i) && strlen(r->cell[i]) > g->width[i])
			return false;
	return true;
}

void grid_widen(struct grid *g, const struct grid_row *r)
{
	for (unsigned int i = 0; i < g->n; i++) {
		unsigned int n = (unsigned int)strlen(r->cell[i]);

		if (n > g->width[i])
			g->width[i] = n;
	}
}

static unsigned int total_width(const struct grid *g)
{
	unsigned int total = 0;

	for (unsigned int i = 0; i < g->n; i++) {
		unsigned int width = g->width[i];

		if (!g->is_shown[i])
			continue;
		if (is_elastic(g, i) && width > TEXT_MIN)
			width = TEXT_MIN;
		total += width + (total != 0);
	}
	return total;
}

static bool drop_least(struct grid *g)
{
	int least = -1;

	for (unsigned int i = 0; i < g->n; i++)
		if (g->is_shown[i] &&
		    (least < 0 || g->column[i].importance < g->column[least].importance))
			least = (int)i;
	if (least < 0)
		return false;
	g->is_shown[least] = false;
	return true;
}

void grid_fit(struct grid *g)
{
	for (unsigned int i = 0; i < g->n; i++)
		g->is_shown[i] = true;
	while (total_width(g) > g->screen && drop_least(g))
		;
}

/* "--- detect ---", as wide as the columns below; cut where not even the word fits. */
static void put_group(const char *name, unsigned int width, FILE *out)
{
	unsigned int n = (unsigned int)strlen(name), dashes;

	if (n + 3 > width) {
		fprintf(out, "%*.*s", (int)width, (int)width, name);
		return;
	}
	dashes = width - n - 2;
	for (unsigned int i = 0; i < dashes / 2; i++)
		fputc('-', out);
	fprintf(out, " %s ", name);
	for (unsigned int i = dashes / 2; i < dashes; i++)
		fputc('-', out);
}

static bool is_same_group(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Spaces are put before what follows them: no line ends with one. */
static void put_groups(const struct grid *g, FILE *out)
{
	unsigned int blank = 0;

	for (unsigned int i = 0; i < g->n;) {
		const char *group = g->column[i].group;
		unsigned int width = 0;

		for (; i < g->n && is_same_group(g->column[i].group, group); i++)
			if (g->is_shown[i])
				width += g->width[i] + (width != 0);
		if (!width)
			continue;
		if (group) {
			fprintf(out, "%*s", (int)blank, "");
			put_group(group, width, out);
			blank = 1;
		} else {
			blank += width + 1;
		}
	}
	fputc('\n', out);
}

static bool has_groups(const struct grid *g)
{
	for (unsigned int i = 0; i < g->n; i++)
		if (g->is_shown[i] && g->column[i].group)
			return true;
	return false;
}

static void put_cells(const struct grid *g, const char *const *text, FILE *out)
{
	unsigned int at = 0, blank = 0;

	for (unsigned int i = 0; i < g->n; i++) {
		unsigned int width = g->width[i], room = g->screen > at ? g->screen - at : 1;
		char cut[GRID_CELL_BYTES];
		unsigned int n;

		if (!g->is_shown[i])
			continue;
		if (is_elastic(g, i) && width > room)
			width = room;
		fmt_clean(cut, sizeof(cut), text[i], width);
		n = (unsigned int)strlen(cut);
		if (g->column[i].is_left) {
			if (n)
				fprintf(out, "%*s%s", (int)blank, "", cut);
			blank = n ? width - n + 1 : blank + width + 1;
		} else {
			fprintf(out, "%*s%*s", (int)blank, "", (int)width, cut);
			blank = 1;
		}
		at += width + 1;
	}
	fputc('\n', out);
}

void grid_put_heads(const struct grid *g, FILE *out)
{
	const char *text[GRID_COLUMNS] = { 0 };

	if (has_groups(g))
		put_groups(g, out);
	for (unsigned int i = 0; i < g->n; i++)
		text[i] = g->column[i].head;
	put_cells(g, text, out);
}

void grid_put_row(const struct grid *g, const struct grid_row *r, FILE *out)
{
	const char *text[GRID_COLUMNS] = { 0 };

	for (unsigned int i = 0; i < g->n; i++)
		text[i] = r->cell[i];
	put_cells(g, text, out);
}

void grid_tell_hidden(const struct grid *g, FILE *out)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof(line), "no room in %u columns for: ", g->screen), all = 0;

	for (unsigned int i = 0; i < g->n && n < LINE_BYTES; i++)
		if (!g->is_shown[i])
			n += snprintf(line + n, (size_t)(LINE_BYTES - n), "%s%s", all++ ? ", " : "",
				      g->column[i].name ? g->column[i].name : g->column[i].head);
	if (all)
		fmt_wrapped(out, line, g->screen);
}

unsigned int grid_room(const struct grid *g)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i + 1 < g->n; i++)
		used += g->is_shown[i] ? g->width[i] + 1 : 0;
	return used < g->screen ? g->screen - used : 0;
}

void grid_lines_begin(struct grid_lines *l, const struct grid_column *column, unsigned int n,
		      unsigned int screen)
{
	if (!l->grid.column)
		grid_init(&l->grid, column, n, screen);
}

void grid_lines_put(struct grid_lines *l, const struct grid_row *r, unsigned int lines, FILE *out)
{
	unsigned int most = lines > 6 ? lines - 3 : HEADS_EVERY;

	if (!l->has_heads || l->rows >= most || !grid_holds(&l->grid, r)) {
		grid_widen(&l->grid, r);
		grid_fit(&l->grid);
		if (!l->has_heads)
			grid_tell_hidden(&l->grid, out);
		grid_put_heads(&l->grid, out);
		l->has_heads = true;
		l->rows = 0;
	}
	grid_put_row(&l->grid, r, out);
	l->rows++;
}
