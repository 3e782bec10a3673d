/* SPDX-License-Identifier: MIT */
/* handoff.h - words of the report on hand-offs, shared by its two formats; for this room only. */
#ifndef GOTRACE_VIEW_HANDOFF_H
#define GOTRACE_VIEW_HANDOFF_H

#include "view.h"

#define HANDOFF_CALL_BYTES 32
#define HANDOFF_NR_ALL INT32_MIN /* in a row that sums up others */

/* "read", "foreign C", "syscall 999", "-". */
char *handoff_call_word(char buf[HANDOFF_CALL_BYTES], int32_t nr);
const char *handoff_by_word(enum model_by by);
const char *handoff_outcome_word(int outcome);
const char *handoff_start_word(enum model_start start);
/*
 * Rows of the tables, most hand-offs first: indexes into model_handoff_sums. The caller frees.
 * NULL: no memory, or no row.
 */
size_t *handoff_rows_sorted(const struct model *m, size_t *ret_n);

void handoff_text_totals(struct view *v, const struct model *m, const struct view_end *e);
void handoff_json(struct view *v, struct json *j, const struct model *m);
void handoff_json_totals(struct view *v, struct json *j, const struct model *m,
			 const struct view_end *e);

#endif
