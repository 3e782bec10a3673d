/* SPDX-License-Identifier: MIT */
/* scope_open.h - which source a scope has: the sink, BPF or a recording, and what it can tell. */
#ifndef GOTRACE_SCOPE_OPEN_H
#define GOTRACE_SCOPE_OPEN_H

#include "../source/source.h"
#include "evidence.h"

struct scope_source {
	enum gotrace_via via;
	struct target *target; /* NULL: a recording */
	struct source *source;
	pid_t pid;
};

/* Says of the evidence what this source can tell. False after scope_why. */
bool scope_source_open(struct scope_source *ret, struct evidence *e, const struct gotrace_target *t,
		       unsigned needs);
void scope_source_close(struct scope_source *s);
/* For gotrace_why. */
__attribute__((format(printf, 1, 2))) void scope_why(const char *fmt, ...);

#endif
