/* SPDX-License-Identifier: MIT */
/*
 * columns.h - the columns of `gotrace threads`: what each shows, its long and its short head, and
 * how they fit a screen. The same for every row until a number grows out of its column.
 */
#ifndef GOTRACE_COLUMNS_H
#define GOTRACE_COLUMNS_H

#include <stdbool.h>
#include <stdio.h>

#include "fmt.h"
#include "view.h"

#define COLUMNS_MAX 24

struct columns {
	unsigned int screen; /* width */
	bool is_long;        /* long heads */
	bool is_shown[COLUMNS_MAX];
	unsigned int width[COLUMNS_MAX];
};

/* Texts of one row, by column. */
struct cells {
	char text[COLUMNS_MAX][FMT_BYTES];
};

void columns_read(struct cells *c, const struct model *m, const struct view_head *h);
bool columns_hold(const struct columns *c, const struct cells *cells);
/* Widths only grow; long heads if they fit, else short ones, else the least important go. */
void columns_fit(struct columns *c, const struct cells *cells);
void columns_put_heads(const struct columns *c, FILE *out);
void columns_put_row(const struct columns *c, const struct cells *cells, FILE *out);
/* Long names of what is not shown, separated by commas. Returns how many. */
unsigned int columns_hidden(const struct columns *c, char *buf, size_t bytes);

#endif
