/* SPDX-License-Identifier: MIT */
/*
 * grid.h - tables of any report: heads in two lines, columns as wide as what is in them; where the
 * screen is too narrow the least important ones go, and grid_tell_hidden says which.
 */
#ifndef GOTRACE_GRID_H
#define GOTRACE_GRID_H

#include <stdbool.h>
#include <stdio.h>

#define GRID_COLUMNS 20
#define GRID_CELL_BYTES 192

struct grid_column {
	const char *head;
	const char *group;       /* above the head; neighbours share it; NULL: nothing */
	const char *name;        /* in the list of what has no room; NULL: the head */
	unsigned int width;      /* at least */
	unsigned int importance; /* the lowest goes first */
	bool is_left;            /* text; the last column is cut where the screen ends */
};

struct grid {
	const struct grid_column *column;
	unsigned int n, screen;
	unsigned int width[GRID_COLUMNS];
	bool is_shown[GRID_COLUMNS];
};

struct grid_row {
	char cell[GRID_COLUMNS][GRID_CELL_BYTES];
};

void grid_init(struct grid *g, const struct grid_column *column, unsigned int n,
	       unsigned int screen);
/* Does the row fit the columns as they are? */
bool grid_holds(const struct grid *g, const struct grid_row *r);
/* Make room for a row; then choose what is shown. */
void grid_widen(struct grid *g, const struct grid_row *r);
void grid_fit(struct grid *g);
void grid_put_heads(const struct grid *g, FILE *out);
void grid_put_row(const struct grid *g, const struct grid_row *r, FILE *out);
/* What is left of the screen for the last column. */
unsigned int grid_room(const struct grid *g);
/* Rows that come one by one: heads come again when the screen is full, or a number too wide. */
struct grid_lines {
	struct grid grid;
	unsigned int rows; /* since the heads */
	bool has_heads;
};
/* lines: of the screen, 0: there is none. */
void grid_lines_begin(struct grid_lines *l, const struct grid_column *column, unsigned int n,
		      unsigned int screen);
void grid_lines_put(struct grid_lines *l, const struct grid_row *r, unsigned int lines, FILE *out);
/* A line that names the columns left out; none if all are shown. */
void grid_tell_hidden(const struct grid *g, FILE *out);

#endif
