/* SPDX-License-Identifier: MIT */
/* waits.h - how long Ps waited for a CPU, and why: a line of `threads` and a member of its JSON. */
#ifndef GOTRACE_VIEW_WAITS_H
#define GOTRACE_VIEW_WAITS_H

#include "formats.h"

/* Where it was much: beneath the table. */
void waits_text_totals(struct view *v, const struct model *m, const struct view_end *e);
/* Member "cpu"; null where it is not known. */
void waits_json(struct json *j, const struct model *m);

#endif
