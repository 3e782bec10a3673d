/* SPDX-License-Identifier: MIT */
/*
 * handoff_sums.c - a row for each (system call, who took the P), and one sum over all calls for the
 * interval. Rows appear with their first hand-off and stay. Their number is bounded: a process that
 * makes every call there is shares the last row, (GRT_NR_NONE, unknown).
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define ROWS_MAX 256u /* 17 KB each; 350 system calls, of which a program blocks in a few */

void handoff_sum_merge(struct model_handoff_sum *into, const struct model_handoff_sum *from)
{
	into->taken += from->taken;
	into->handoffs += from->handoffs;
	into->returned += from->returned;
	into->needless += from->needless;
	for (int i = 0; i < MODEL_STARTS; i++)
		into->start[i] += from->start[i];
	for (int i = 0; i < HANDOFF_OUTCOMES; i++)
		into->outcome[i] += from->outcome[i];
	for (int i = 0; i < HANDOFF_BACKS; i++)
		into->back[i] += from->back[i];
	hist_merge(&into->detect, &from->detect);
	hist_merge(&into->dispatch, &from->dispatch);
	hist_merge(&into->total, &from->total);
	hist_merge(&into->queued, &from->queued);
}

static struct model_handoff_sum *row_find(struct handoff_sums *s, int32_t nr, uint8_t by)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->row[i].nr == nr && s->row[i].by == by)
			return &s->row[i];
	return NULL;
}

static struct model_handoff_sum *row_add(struct handoff_sums *s, int32_t nr, uint8_t by)
{
	struct model_handoff_sum *row;

	if (!array_reserve((void **)&s->row, &s->cap, s->n, sizeof(*s->row)))
		return NULL;
	row = &s->row[s->n++];
	memset(row, 0, sizeof(*row));
	row->nr = nr;
	row->by = by;
	return row;
}

/* NULL: no memory; the interval has it all the same. */
static struct model_handoff_sum *row_of(struct handoff_sums *s, int32_t nr, enum model_by by)
{
	struct model_handoff_sum *row = row_find(s, nr, by);

	if (row)
		return row;
	if (s->n + 1 < ROWS_MAX)
		return row_add(s, nr, by);
	row = row_find(s, GRT_NR_NONE, MODEL_BY_UNKNOWN);
	return row ? row : row_add(s, GRT_NR_NONE, MODEL_BY_UNKNOWN);
}

static void add_taken(struct model_handoff_sum *s, enum model_start start, uint64_t detect_ns)
{
	s->taken++;
	s->start[start]++;
	if (start != MODEL_START_UNKNOWN)
		hist_add(&s->detect, detect_ns);
}

void sums_add_taken(struct model *m, int32_t nr, enum model_by by, enum model_start start,
		    uint64_t detect_ns)
{
	struct model_handoff_sum *row = row_of(&m->handoff_sums, nr, by);

	add_taken(&m->handoff_sums.interval, start, detect_ns);
	if (row)
		add_taken(row, start, detect_ns);
}

static void add_handoff(struct model_handoff_sum *s, uint64_t outcome)
{
	s->handoffs++;
	s->outcome[outcome < HANDOFF_OUTCOMES ? outcome : 0]++;
}

void sums_add_handoff(struct model *m, int32_t nr, enum model_by by, uint64_t outcome)
{
	struct model_handoff_sum *row = row_of(&m->handoff_sums, nr, by);

	add_handoff(&m->handoff_sums.interval, outcome);
	if (row)
		add_handoff(row, outcome);
}

static void add_done(struct model_handoff_sum *s, uint64_t dispatch_ns, bool has_total,
		     uint64_t total_ns)
{
	hist_add(&s->dispatch, dispatch_ns);
	if (has_total)
		hist_add(&s->total, total_ns);
}

void sums_add_done(struct model *m, int32_t nr, enum model_by by, uint64_t dispatch_ns,
		   bool has_total, uint64_t total_ns)
{
	struct model_handoff_sum *row = row_of(&m->handoff_sums, nr, by);

	add_done(&m->handoff_sums.interval, dispatch_ns, has_total, total_ns);
	if (row)
		add_done(row, dispatch_ns, has_total, total_ns);
}

static void add_return(struct model_handoff_sum *s, enum grt_exit_how how, uint64_t queued_ns,
		       bool is_needless)
{
	s->returned++;
	s->back[(unsigned int)how < HANDOFF_BACKS ? how : 0]++;
	s->needless += is_needless;
	if (how == GRT_EXIT_QUEUED)
		hist_add(&s->queued, queued_ns);
}

void sums_add_return(struct model *m, int32_t nr, enum model_by by, enum grt_exit_how how,
		     uint64_t queued_ns, bool is_needless)
{
	struct model_handoff_sum *row = row_of(&m->handoff_sums, nr, by);

	add_return(&m->handoff_sums.interval, how, queued_ns, is_needless);
	if (row)
		add_return(row, how, queued_ns, is_needless);
}

void sums_begin_interval(struct handoff_sums *s)
{
	memset(&s->interval, 0, sizeof(s->interval));
	s->interval.nr = GRT_NR_NONE;
}

void sums_fini(struct handoff_sums *s)
{
	free(s->row);
}

const struct model_handoff_sum *model_handoff_interval(const struct model *m)
{
	return &m->handoff_sums.interval;
}

size_t model_handoff_sums(const struct model *m, const struct model_handoff_sum **ret)
{
	*ret = m->handoff_sums.row;
	return m->handoff_sums.n;
}
