/* SPDX-License-Identifier: MIT */
/*
 * goroutines.c - see goroutines.h.
 *
 * Structs of goroutines never move and are reused: addresses are read once, and of each struct only
 * the part that the fields lie in, CHUNK of them at a time. Nobody is stopped: a row is what was
 * there when it was read. That a goroutine is in a call is not stored by the runtime; its M tells.
 */
#include "goroutines.h"

#include <stdlib.h>
#include <string.h>

#include "../target/fdname.h"
#include "threads.h"

#define CHUNK 4096u          /* structs in one read: some 800 KB */
#define TABLE_MAX (1u << 22) /* a damaged length must not take our memory */
#define PART_MAX 1024u       /* of a struct */
#define NAMED_FDS (1u << 16) /* descriptors above it are shown by their number */
#define NAMES_A_TICK 2048u   /* links read in /proc: 2,048 take some 6 ms */
#define NAME_BYTES 512

struct running {
	uint64_t g_addr;
	const struct m_view *m;
};

struct goroutines {
	const struct target *target;
	struct layout part; /* offsets count from the start of the part that is read */
	uint64_t *addr;
	uint32_t n, cap;
	uint32_t part_off, part_bytes; /* 0 bytes: the layout does not say enough */
	char *copy;
	struct target_read reads[CHUNK];
	struct running *running;
	uint32_t nrunning, running_cap;
	struct fdname *fdname;
	uint64_t wanted[NAMED_FDS / 64];
	uint32_t next_fd; /* where the naming goes on when a tick had no time for all */
};

/* From the first to the last field that a row needs. */
static void part_choose(struct goroutines *g, const struct layout *l)
{
	struct layout *p = &g->part;
	struct layout_field *field[] = { &p->g_id, &p->g_status,    &p->g_waitreason, &p->g_wait_fd,
					 &p->g_fn, &p->g_wait_mode, &p->g_net_parked };
	const size_t n = sizeof(field) / sizeof(field[0]);
	uint32_t lo = UINT32_MAX, hi = 0;

	*p = *l;
	for (size_t i = 0; i < n; i++) {
		if (!field[i]->known)
			continue;
		lo = field[i]->off < lo ? field[i]->off : lo;
		hi = field[i]->off + field[i]->width > hi ? field[i]->off + field[i]->width : hi;
	}
	if (!p->g_id.known || !p->g_status.known || hi - lo > PART_MAX)
		return;
	g->part_off = lo;
	g->part_bytes = hi - lo;
	for (size_t i = 0; i < n; i++)
		field[i]->off -= field[i]->known ? lo : 0;
}

struct goroutines *goroutines_new(const struct target *t)
{
	struct goroutines *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->target = t;
	part_choose(g, &t->layout);
	g->copy = calloc(CHUNK, g->part_bytes ? g->part_bytes : 1);
	g->fdname = fdname_new(t->via_tid);
	if (g->copy && g->fdname)
		return g;
	goroutines_free(g);
	return NULL;
}

void goroutines_free(struct goroutines *g)
{
	if (!g)
		return;
	fdname_free(g->fdname);
	free(g->addr);
	free(g->copy);
	free(g->running);
	free(g);
}

void goroutines_note_fd(struct goroutines *g, uint64_t fd)
{
	if (fd < NAMED_FDS)
		g->wanted[fd / 64] |= 1ull << fd % 64;
}

static bool addr_reserve(struct goroutines *g, uint64_t n)
{
	uint64_t *addr;
	uint32_t cap;

	if (n <= g->cap)
		return true;
	cap = (uint32_t)n + (uint32_t)n / 2 + 64;
	addr = reallocarray(g->addr, cap, sizeof(*addr));
	if (!addr)
		return false;
	g->addr = addr;
	g->cap = cap;
	return true;
}

/* Addresses of those that are new. */
static bool table_extend(struct goroutines *g, const struct tables *t)
{
	uint64_t n = tables_sched(t, &t->layout->sched_allg_len), array = 0;
	struct target_read r = { .addr = t->layout->allgs, .buf = &array, .bytes = sizeof(array) };

	if (n <= g->n)
		return true;
	if (!t->layout->allgs || n > TABLE_MAX || !addr_reserve(g, n) ||
	    target_read_many(g->target, &r, 1) != 1 || !array)
		return false;
	r.addr = array + g->n * sizeof(*g->addr);
	r.buf = g->addr + g->n;
	r.bytes = (uint32_t)((n - g->n) * sizeof(*g->addr));
	if (target_read_many(g->target, &r, 1) != 1)
		return false;
	g->n = (uint32_t)n;
	return true;
}

static int running_compare(const void *a, const void *b)
{
	const struct running *x = a, *y = b;

	return x->g_addr < y->g_addr ? -1 : x->g_addr > y->g_addr;
}

/* Which M runs which goroutine, by the Ms' own word. */
static bool list_running(struct goroutines *g, const struct tables *t)
{
	if (t->m.n > g->running_cap) {
		uint32_t cap = t->m.n + t->m.n / 2 + 16;
		struct running *r = reallocarray(g->running, cap, sizeof(*r));

		if (!r)
			return false;
		g->running = r;
		g->running_cap = cap;
	}
	g->nrunning = 0;
	for (uint32_t i = 0; i < t->m.n; i++)
		if (t->view[i].g_addr && t->view[i].status != GRT_M_DEAD)
			g->running[g->nrunning++] =
				(struct running){ t->view[i].g_addr, &t->view[i] };
	if (g->nrunning)
		qsort(g->running, g->nrunning, sizeof(*g->running), running_compare);
	return true;
}

static const struct m_view *m_of(const struct goroutines *g, uint64_t addr)
{
	struct running key = { .g_addr = addr };
	const struct running *r = g->nrunning ? bsearch(&key, g->running, g->nrunning,
							sizeof(*g->running), running_compare)
					      : NULL;

	return r ? r->m : NULL;
}

bool goroutine_row(struct grt_rec *ret, const struct layout *l, const void *copy,
		   const struct m_view *m)
{
	uint64_t status = layout_get(&l->g_status, copy), mode = 0, since_ns = 0;
	uint64_t id = layout_get(&l->g_id, copy);
	int64_t fd = l->g_wait_fd.known ? layout_get_signed(&l->g_wait_fd, copy) : -1;

	if (id == 0 || status == GRT_G_IDLE || status == GRT_G_DEAD)
		return false;
	if (m && m->g != id)
		m = NULL; /* the struct is another goroutine's by now */
	if (m && (m->call & GRT_CALL_IN) && status == GRT_G_RUNNING)
		status = GRT_G_SYSCALL;
	if (fd >= 0) {
		mode = layout_get(&l->g_wait_mode, copy);
		since_ns = layout_get(&l->g_net_parked, copy);
	}
	memset(ret, 0, sizeof(*ret));
	ret->kind = GRT_K_SNAP_G;
	ret->arg[0] = id;
	ret->arg[1] = (status & 0xff) | (layout_get(&l->g_waitreason, copy) & 0xff) << 8 |
		      (mode & 0xff) << 16;
	ret->arg[2] = (uint64_t)fd;
	ret->arg[3] = since_ns;
	ret->arg[4] = m ? m->id + 1 : 0;
	ret->arg[5] = layout_get(&l->g_fn, copy);
	return true;
}

/* One chunk; false: the rest cannot be read either. */
static bool emit_chunk(struct goroutines *g, struct tables *t, uint32_t first, uint32_t n,
		       source_emit_fn emit, void *arg)
{
	int got;

	for (uint32_t i = 0; i < n; i++)
		g->reads[i] = (struct target_read){ g->addr[first + i] + g->part_off,
						    g->copy + (size_t)i * g->part_bytes,
						    g->part_bytes };
	got = target_read_many(g->target, g->reads, (int)n);
	if (got < 0)
		return false;
	t->lost += n - (uint32_t)got;
	for (uint32_t i = 0; i < n; i++) {
		const struct m_view *m = m_of(g, g->addr[first + i]);
		const char *copy = g->copy + (size_t)i * g->part_bytes;
		struct grt_rec rec;

		if (!goroutine_row(&rec, &g->part, copy, m))
			continue;
		rec.time_ns = threads_now_ns();
		if ((int64_t)rec.arg[2] >= 0)
			goroutines_note_fd(g, rec.arg[2]);
		emit(arg, &rec);
	}
	return true;
}

static bool is_wanted(const struct goroutines *g, uint32_t fd)
{
	return g->wanted[fd / 64] >> fd % 64 & 1;
}

/*
 * Names of what was noted since the last time; what a tick has no time for comes first in the next.
 */
static void emit_names(struct goroutines *g, struct names *names, source_emit_fn emit, void *arg)
{
	char text[NAME_BYTES];
	uint32_t left = NAMES_A_TICK, start = g->next_fd;
	uint64_t file;

	fdname_refresh(g->fdname);
	for (uint32_t i = 0; i < NAMED_FDS && left; i++) {
		uint32_t fd = (start + i) % NAMED_FDS;

		if (fd % 64 == 0 && g->wanted[fd / 64] == 0) {
			i += 63;
			continue;
		}
		if (!is_wanted(g, fd))
			continue;
		g->wanted[fd / 64] &= ~(1ull << fd % 64);
		g->next_fd = (fd + 1) % NAMED_FDS;
		left--;
		if (fdname_get(g->fdname, (int)fd, text, sizeof(text), &file))
			names_put_fd(names, (int)fd, text, file, emit, arg);
	}
}

void goroutines_emit(struct goroutines *g, struct tables *t, struct names *names,
		     source_emit_fn emit, void *arg)
{
	bool is_readable = g->part_bytes && table_extend(g, t) && list_running(g, t);

	for (uint32_t i = 0; is_readable && i < g->n; i += CHUNK) {
		uint32_t n = g->n - i < CHUNK ? g->n - i : CHUNK;

		is_readable = emit_chunk(g, t, i, n, emit, arg);
	}
	if (!is_readable && tables_sched(t, &t->layout->sched_allg_len))
		t->lost++;
	if (names)
		emit_names(g, names, emit, arg);
}
