/* SPDX-License-Identifier: MIT */
/* check_formats.h - what the formats of `gotrace check` share; for the files of this room only. */
#ifndef GOTRACE_CHECK_FORMATS_H
#define GOTRACE_CHECK_FORMATS_H

#include "check.h"
#include "formats.h"

const char *check_unit_word(enum check_unit u);
void check_call(char buf[CALL_BYTES], const struct check_thread *t);
/* "1 violated, 0 inconclusive, 2 holds" */
void check_summary(char *buf, size_t bytes, const struct check_results *all);
/* "pid 4711 (growth), libgrt, level 1, 9/9 armed", without terminal control characters. */
void check_subject(char *buf, size_t bytes, const struct view_head *h);

void check_json(struct view *v, struct json *j, const struct model *m);
void check_json_totals(struct view *v, struct json *j, const struct model *m,
		       const struct view_end *e);

#endif
