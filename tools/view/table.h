/* SPDX-License-Identifier: MIT */
/* table.h - the view for people, in two files: table.c has the rows over time, by_m.c a row per M.
 */
#ifndef GOTRACE_TABLE_H
#define GOTRACE_TABLE_H

#include "columns.h"

#define TABLE_COLUMNS_MIN 20
#define TABLE_HEADER_EVERY 20 /* rows, where there is no screen that could be full */

struct table {
	struct view v; /* first: a view is a table */
	struct columns columns;
	unsigned int lines;  /* of the screen, 0: none */
	unsigned int rows;   /* since the heads were printed */
	unsigned int hidden; /* columns, when last told */
	uint64_t lost_told;
	bool has_heads, has_tables;
};

void table_by_m(struct view *v, const struct model *m);

#endif
