/* SPDX-License-Identifier: MIT */
/*
 * tables.h - copies of a runtime's own tables: sched, every M, every P, the ids of the Gs that Ms
 * run. Read in bulk through target_read_many; addresses are kept, since structs never move.
 */
#ifndef GOTRACE_TABLES_H
#define GOTRACE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../target/target.h"

struct table {
	uint64_t *addr; /* of each struct in the target */
	char *copy;     /* one after the other */
	uint32_t n, cap, bytes;
};

/* What of an M tells whether it moved between two readings, and what rows are made of. */
struct m_view {
	uint64_t id, call, take, p_addr, g_addr, call_arg, status_since_ns;
	int64_t nr;
	uint32_t tid, status;
	int p;      /* index in allp, -1: none */
	uint64_t g; /* id, 0: none */
};

struct tables {
	const struct target *target;
	const struct layout *layout;
	char *sched;
	struct table m, p;
	struct m_view *view; /* of each M, as of the last tables_read or tables_reread_ms */
	struct target_read *reads;
	uint64_t *goids;
	uint32_t reads_cap;
	int32_t *observer; /* tids of threads that only watch, 0: none */
	uint32_t nobservers;
	uint32_t lost; /* places that could not be read, ever */
};

int tables_open(struct tables *t, const struct target *target);
/* Everything. 0, -ESRCH, -errno. A runtime that has not started yet: 0 Ms, 0 Ps. */
int tables_read(struct tables *t);
/* The Ms again, into `ret` (t->m.n views): for the second look of a snapshot. */
int tables_reread_ms(struct tables *t, struct m_view *ret);
void tables_close(struct tables *t);

/* A thread that its runtime knows to watch only; ns_tid: as the thread knows it. */
bool tables_observes(const struct tables *t, uint32_t ns_tid);
uint64_t tables_sched(const struct tables *t, const struct layout_field *f);
uint64_t tables_p(const struct tables *t, uint32_t i, const struct layout_field *f);

#endif
