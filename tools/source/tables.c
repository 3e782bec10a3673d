/* SPDX-License-Identifier: MIT */
/* tables.c - see tables.h. */
#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MAX (1u << 21) /* a damaged length must not take our memory */

static bool grow(void *array, uint32_t n, size_t bytes)
{
	void *p = realloc(*(void **)array, (size_t)n * bytes);

	if (!p)
		return false;
	*(void **)array = p;
	return true;
}

int tables_open(struct tables *t, const struct target *target)
{
	memset(t, 0, sizeof(*t));
	t->target = target;
	t->layout = &target->layout;
	t->m.bytes = target->layout.m_size;
	t->p.bytes = target->layout.p_size;
	t->sched = calloc(1, target->layout.sched_size);
	if (target->layout.observers)
		t->nobservers = target->layout.observers_size / sizeof(*t->observer);
	t->observer = calloc(t->nobservers + 1, sizeof(*t->observer));
	return t->sched && t->observer ? 0 : -ENOMEM;
}

void tables_close(struct tables *t)
{
	free(t->sched);
	free(t->m.addr);
	free(t->m.copy);
	free(t->p.addr);
	free(t->p.copy);
	free(t->view);
	free(t->reads);
	free(t->goids);
	free(t->observer);
	memset(t, 0, sizeof(*t));
}

static int read_one(struct tables *t, uint64_t addr, void *buf, uint32_t bytes)
{
	struct target_read r = { .addr = addr, .buf = buf, .bytes = bytes };
	int n = target_read_many(t->target, &r, 1);

	if (n < 0)
		return n;
	if (n == 0) {
		t->lost++;
		return -EFAULT;
	}
	return 0;
}

/* Make room for n structs and read the addresses of those that are new. */
static int table_extend(struct tables *t, struct table *tab, uint64_t global, uint64_t n)
{
	uint64_t array;
	int rc;

	if (n <= tab->n)
		return 0;
	if (n > TABLE_MAX)
		return -EPROTO;
	if (n > tab->cap) {
		uint32_t cap = (uint32_t)n + (uint32_t)n / 2 + 16;

		if (!grow(&tab->addr, cap, sizeof(uint64_t)) || !grow(&tab->copy, cap, tab->bytes))
			return -ENOMEM;
		tab->cap = cap;
	}
	rc = read_one(t, global, &array, sizeof(array));
	if (rc == 0 && array != 0)
		rc = read_one(t, array + tab->n * sizeof(uint64_t), tab->addr + tab->n,
			      (uint32_t)((n - tab->n) * sizeof(uint64_t)));
	if (rc == 0 && array != 0)
		tab->n = (uint32_t)n;
	return rc;
}

static int reserve_reads(struct tables *t)
{
	uint32_t n = t->m.cap > t->p.cap ? t->m.cap : t->p.cap;

	if (n <= t->reads_cap)
		return 0;
	if (!grow(&t->reads, n, sizeof(*t->reads)) || !grow(&t->goids, n, sizeof(*t->goids)) ||
	    !grow(&t->view, n, sizeof(*t->view)))
		return -ENOMEM;
	t->reads_cap = n;
	return 0;
}

static int table_read(struct tables *t, struct table *tab)
{
	int n;

	for (uint32_t i = 0; i < tab->n; i++)
		t->reads[i] = (struct target_read){ .addr = tab->addr[i],
						    .buf = tab->copy + (size_t)i * tab->bytes,
						    .bytes = tab->bytes };
	if (tab->n == 0)
		return 0;
	n = target_read_many(t->target, t->reads, (int)tab->n);
	if (n < 0)
		return n;
	t->lost += tab->n - (uint32_t)n;
	return 0;
}

static int p_index(const struct tables *t, uint64_t addr)
{
	for (uint32_t i = 0; addr && i < t->p.n; i++)
		if (t->p.addr[i] == addr)
			return (int)i;
	return -1;
}

/* The call word is read before and after the rest by the snapshot as a whole, not here. */
static void view_fill(const struct tables *t, const char *m, struct m_view *v)
{
	const struct layout *l = t->layout;

	v->id = layout_get(&l->m_id, m);
	v->tid = (uint32_t)layout_get(&l->m_tid, m);
	v->status = (uint32_t)layout_get(&l->m_status, m);
	v->status_since_ns = layout_get(&l->m_status_since, m);
	v->call = layout_get(&l->m_call, m);
	v->take = layout_get(&l->m_take, m);
	v->nr = layout_get_signed(&l->m_call_nr, m);
	v->call_arg = layout_get(&l->m_call_arg, m);
	v->p_addr = layout_get(&l->m_p, m);
	v->g_addr = layout_get(&l->m_curg, m);
	v->p = p_index(t, v->p_addr);
	v->g = 0;
}

/*
 * Ids of the Gs that the Ms run. An M in the call in which it was seen before runs the same G: its
 * id is known, and a process full of blocked Ms costs no further read.
 */
static int read_goids(struct tables *t, struct m_view *view, const struct m_view *known)
{
	const struct layout_field *f = &t->layout->g_id;
	int n = 0, got;

	if (!f->known)
		return 0;
	memset(t->goids, 0, t->m.n * sizeof(*t->goids));
	for (uint32_t i = 0; i < t->m.n; i++)
		if (known && view[i].g_addr == known[i].g_addr && view[i].call == known[i].call)
			t->goids[i] = known[i].g;
		else if (view[i].g_addr)
			t->reads[n++] = (struct target_read){ .addr = view[i].g_addr + f->off,
							      .buf = &t->goids[i],
							      .bytes = f->width };
	got = n ? target_read_many(t->target, t->reads, n) : 0;
	if (got < 0)
		return got;
	t->lost += (uint32_t)(n - got);
	for (uint32_t i = 0; i < t->m.n; i++)
		view[i].g = t->goids[i];
	return 0;
}

int tables_reread_ms(struct tables *t, struct m_view *ret)
{
	int rc = table_read(t, &t->m);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < t->m.n; i++)
		view_fill(t, t->m.copy + (size_t)i * t->m.bytes, &ret[i]);
	return read_goids(t, ret, ret == t->view ? NULL : t->view);
}

int tables_read(struct tables *t)
{
	const struct layout *l = t->layout;
	int rc = read_one(t, l->sched, t->sched, l->sched_size);

	if (rc == 0 && t->nobservers)
		rc = read_one(t, l->observers, t->observer,
			      t->nobservers * (uint32_t)sizeof(*t->observer));
	if (rc == 0)
		rc = table_extend(t, &t->p, l->allp, tables_sched(t, &l->sched_gomaxprocs));
	if (rc == 0)
		rc = table_extend(t, &t->m, l->allm, tables_sched(t, &l->sched_allm_len));
	if (rc == 0)
		rc = reserve_reads(t);
	if (rc == 0)
		rc = table_read(t, &t->p);
	return rc == 0 ? tables_reread_ms(t, t->view) : rc;
}

bool tables_observes(const struct tables *t, uint32_t ns_tid)
{
	for (uint32_t i = 0; ns_tid && i < t->nobservers; i++)
		if ((uint32_t)t->observer[i] == ns_tid)
			return true;
	return false;
}

uint64_t tables_sched(const struct tables *t, const struct layout_field *f)
{
	return layout_get(f, t->sched);
}

uint64_t tables_p(const struct tables *t, uint32_t i, const struct layout_field *f)
{
	return layout_get(f, t->p.copy + (size_t)i * t->p.bytes);
}
