/* SPDX-License-Identifier: MIT */
/*
 * modules.h - modules with addresses on the shown stacks that no symbol names, with their build-ids: for
 * who names the addresses later, or elsewhere.
 */
#ifndef GOTRACE_VIEW_MODULES_H
#define GOTRACE_VIEW_MODULES_H

#include "formats.h"

/* A line each. */
void modules_text(struct view *v, const struct model *m);
/* Member "unnamed_modules". */
void modules_json(struct json *j, const struct model *m);

#endif
