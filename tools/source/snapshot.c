/* SPDX-License-Identifier: MIT */
/* snapshot.c - see snapshot.h. Taking one; the rows are made in snapshot_rows.c. */
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot_rows.h"

#define FAR_NS 10000000ull /* a beginning that was told later by more than this */
#define FAR_PART 1000      /* and by more than this part of its sleep was told wrong */
#define ROUNDS_MAX 3       /* looks at what moved */
#define FEW 16             /* so many threads are looked at one by one, more by listing all again */

int snapshot_open(struct snapshot *s, const struct target *t, struct threads_iter *iter)
{
	memset(s, 0, sizeof(*s));
	s->target = t;
	s->iter = iter;
	return tables_open(&s->tables, t);
}

void snapshot_close(struct snapshot *s)
{
	tables_close(&s->tables);
	thread_list_free(&s->threads);
	thread_list_free(&s->again);
	thread_list_free(&s->before);
	free(s->second);
	free(s->is_torn);
	free(s->is_retried);
}

static int list_threads(struct snapshot *s, struct thread_list *ret)
{
	return s->iter ? threads_iter_read(s->iter, &s->clock, ret)
		       : threads_read_proc(s->target, &s->clock, ret);
}

static int reserve(struct snapshot *s)
{
	uint32_t n = s->tables.m.n;
	void *second, *torn, *retried;

	if (n <= s->cap)
		return 0;
	n += n / 2 + 16;
	second = realloc(s->second, n * sizeof(*s->second));
	if (second)
		s->second = second;
	torn = realloc(s->is_torn, n * sizeof(*s->is_torn));
	if (torn)
		s->is_torn = torn;
	retried = realloc(s->is_retried, n * sizeof(*s->is_retried));
	if (retried)
		s->is_retried = retried;
	if (!second || !torn || !retried)
		return -ENOMEM;
	s->cap = n;
	return 0;
}

static bool has_moved(const struct m_view *a, const struct m_view *b)
{
	return a->id != b->id || a->call != b->call || a->take != b->take ||
	       a->p_addr != b->p_addr || a->g_addr != b->g_addr || a->g != b->g ||
	       a->status != b->status || a->tid != b->tid;
}

/*
 * Which Ms moved between the two readings; the newer reading is kept. All are compared each time: rows
 * that stood still in the same window belong together, and a goroutine that went from one M to another
 * is not seen on both.
 */
static uint32_t compare(struct snapshot *s, bool is_first)
{
	uint32_t moved = 0;

	for (uint32_t i = 0; i < s->tables.m.n; i++) {
		s->is_retried[i] = !is_first && (s->is_retried[i] || s->is_torn[i]);
		s->is_torn[i] = has_moved(&s->tables.view[i], &s->second[i]);
		s->tables.view[i] = s->second[i];
		moved += s->is_torn[i];
	}
	return moved;
}

/* The threads of Ms that moved, as they are now. */
static int look_at_moved(struct snapshot *s, uint32_t moved)
{
	int rc = moved > FEW ? list_threads(s, &s->again) : 0;

	for (uint32_t i = 0; rc == 0 && i < s->tables.m.n; i++) {
		struct thread_row *now, *old;

		if (!s->is_torn[i])
			continue;
		old = thread_list_find(&s->threads, s->tables.view[i].tid);
		now = moved > FEW ? thread_list_find(&s->again, s->tables.view[i].tid) : NULL;
		if (old && now)
			*old = *now;
		else if (old && moved <= FEW && !threads_read_one(s->target, &s->clock, old))
			old->state = 'R'; /* it has just ended: was on the CPU a moment ago */
	}
	return rc;
}

/*
 * However the clocks are told to differ at this look, one sleep has one beginning: as it was told first, when
 * they were nearest. Their distance is never told too small: what is earlier by far is right.
 */
static void keep_beginning(struct thread_row *t, const struct thread_row *was)
{
	uint64_t then_ns = was->asleep_since_ns, ns = t->asleep_since_ns;

	if (was->cpu != t->cpu || was->exec_start_ns != t->exec_start_ns || !then_ns || !ns)
		return;
	if (ns + FAR_NS > then_ns || ns + (threads_now_ns() - ns) / FAR_PART > then_ns)
		t->asleep_since_ns = then_ns;
}

static void keep_what_was(struct snapshot *s)
{
	const struct thread_row *was = s->before.row, *end = was + s->before.n;

	for (size_t i = 0; i < s->threads.n; i++) {
		struct thread_row *t = &s->threads.row[i];

		while (was < end && was->ns_tid < t->ns_tid)
			was++;
		t->call_before = 0;
		if (was == end || was->ns_tid != t->ns_tid)
			continue;
		t->call_before = was->call;
		keep_beginning(t, was);
	}
}

static bool is_of_an_m(const struct snapshot *s, uint32_t ns_tid)
{
	for (uint32_t i = 0; i < s->tables.m.n; i++)
		if (s->tables.view[i].tid == ns_tid && s->tables.view[i].status != GRT_M_DEAD)
			return true;
	return false;
}

/*
 * Threads that only watch are none of the program's. One that ended without a word has left its id there:
 * an M that has it now is an M.
 */
static void leave_out_observers(struct snapshot *s)
{
	struct thread_list *l = &s->threads;
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!tables_observes(&s->tables, l->row[i].ns_tid) ||
		    is_of_an_m(s, l->row[i].ns_tid))
			l->row[kept++] = l->row[i];
	s->nobservers = (uint32_t)(l->n - kept);
	l->n = kept;
}

/* Tables, threads, tables; then the same for what moved. */
static int look(struct snapshot *s)
{
	int rc = tables_read(&s->tables);
	uint32_t moved;

	if (rc == 0)
		rc = reserve(s);
	if (rc == 0)
		rc = list_threads(s, &s->threads);
	if (rc == 0)
		rc = tables_reread_ms(&s->tables, s->second);
	if (rc < 0)
		return rc;
	moved = compare(s, true);
	for (int round = 1; moved && round < ROUNDS_MAX; round++) {
		rc = look_at_moved(s, moved);
		if (rc == 0)
			rc = tables_reread_ms(&s->tables, s->second);
		if (rc < 0)
			return rc;
		moved = compare(s, false);
	}
	return 0;
}

static void swap_lists(struct snapshot *s)
{
	struct thread_list list = s->before;

	s->before = s->threads;
	s->threads = list;
}

int snapshot_take(struct snapshot *s, int level, source_emit_fn emit, void *arg)
{
	uint64_t start_ns;
	int rc;

	if (!s->iter || threads_iter_needs_clock(s->iter))
		sched_clock_refresh(&s->clock);
	start_ns = threads_now_ns();
	swap_lists(s);
	rc = look(s);
	if (rc < 0) {
		swap_lists(s);
		return rc;
	}
	keep_what_was(s);
	leave_out_observers(s);
	s->duration_ns = threads_now_ns() - start_ns;
	s->seq++;
	snapshot_emit(s, level, emit, arg);
	return 0;
}

void snapshot_take_stacks(struct snapshot *s, source_emit_fn emit, void *arg)
{
	if (s->seq && s->stacks && s->has_late_stacks)
		snapshot_emit_stacks(s, emit, arg);
}
