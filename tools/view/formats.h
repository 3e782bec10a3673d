/* SPDX-License-Identifier: MIT */
/* formats.h - how reports begin and end, and what they share; for the files of this room only. */
#ifndef GOTRACE_FORMATS_H
#define GOTRACE_FORMATS_H

#include "view.h"

struct format {
	void (*begin)(struct view *v, const struct model *m);
	void (*row)(struct view *v, const struct model *m);
	void (*totals)(struct view *v, const struct model *m, const struct view_end *e);
};

extern const struct format format_text, format_json;
/* check_tap.c, check_junit.c */
extern const struct format format_tap, format_junit;

/* threads.c: of both reports of that verb. */
extern const struct report_truth threads_armed, threads_unarmed;

/* A line of what was lost, if that is more than was told. */
void text_lost_if_new(struct view *v, const struct model *m);
/* A call of a thread: object, or null. */
void json_call(struct json *j, const char *key, const struct model *m,
	       const struct model_thread *t);
void json_uint_or_null(struct json *j, const char *key, bool is_known, uint64_t v);

#endif
