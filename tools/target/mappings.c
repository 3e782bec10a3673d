/* SPDX-License-Identifier: MIT */
/* mappings.c - see mappings.h. All is read at the first question: who asks for one, asks for many. */
#include "mappings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

#define ANONYMOUS "anonymous memory"

struct mapping {
	uint64_t start, end;
	char *name; /* NULL: anonymous */
};

struct mappings {
	pid_t tid;
	bool is_read;
	struct mapping *row; /* by address, as the kernel lists them */
	size_t n, cap;
};

struct mappings *mappings_new(pid_t tid)
{
	struct mappings *m = calloc(1, sizeof(*m));

	if (m)
		m->tid = tid;
	return m;
}

void mappings_refresh(struct mappings *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->row[i].name);
	m->n = 0;
	m->is_read = false;
}

void mappings_free(struct mappings *m)
{
	if (!m)
		return;
	mappings_refresh(m);
	free(m->row);
	free(m);
}

/* False: no memory. */
static bool add(struct mappings *m, const struct proc_map *p)
{
	struct mapping row = { .start = p->start, .end = p->end };

	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 64;
		struct mapping *more = reallocarray(m->row, cap, sizeof(*more));

		if (!more)
			return false;
		m->row = more;
		m->cap = cap;
	}
	if (p->path[0]) {
		row.name = strdup(p->path);
		if (!row.name)
			return false;
		proc_text_tame(row.name);
	}
	m->row[m->n++] = row;
	return true;
}

static void read_all(struct mappings *m)
{
	struct proc_maps it;
	struct proc_map p;

	m->is_read = true;
	if (proc_maps_open(&it, m->tid) < 0)
		return;
	while (proc_maps_next(&it, &p) && add(m, &p))
		;
	proc_maps_close(&it);
}

static int compare(const void *key, const void *row)
{
	uint64_t addr = *(const uint64_t *)key;
	const struct mapping *r = row;

	return addr < r->start ? -1 : addr >= r->end;
}

const char *mappings_name(struct mappings *m, uint64_t addr)
{
	const struct mapping *r;

	if (!m->is_read)
		read_all(m);
	r = m->n ? bsearch(&addr, m->row, m->n, sizeof(*r), compare) : NULL;
	if (!r)
		return NULL;
	return r->name ? r->name : ANONYMOUS;
}
