/* SPDX-License-Identifier: MIT */
/*
 * handoff.c - the report of `gotrace handoff` for people. A row an interval:
 *
 *	---- hand-offs/s ---- -- detect - - dispatch -- -- total -- ------ back/s -------
 *	 all idled made early   p50   p99   p50   p99   p50   p99  old idle queued   p99
 *	 980    12    0     1  31us  52us   9us  33us  41us  83us  940   30     10 110us
 *
 * and at the end the tables of handoff_tables.c. detect: from the start of the call, as far as it
 * is known, until its P was taken. dispatch: until another M has that P. early: the call was back
 * so soon that nobody gained by it. "-": none; "?": cannot be known here.
 */
#include "handoff.h"

#include <stdlib.h>
#include <string.h>

#include "../syscalls.h"
#include "fmt.h"
#include "formats.h"
#include "latency.h"

char *handoff_call_word(char buf[HANDOFF_CALL_BYTES], int32_t nr)
{
	const struct syscall_desc *d = syscall_desc(nr);

	if (d)
		snprintf(buf, HANDOFF_CALL_BYTES, "%s", d->name);
	else if (nr == GRT_NR_FOREIGN)
		strcpy(buf, "foreign C");
	else if (nr == HANDOFF_NR_ALL)
		strcpy(buf, "all");
	else if (nr == GRT_NR_NONE)
		strcpy(buf, "-");
	else
		snprintf(buf, HANDOFF_CALL_BYTES, "syscall %d", nr);
	return buf;
}

const char *handoff_by_word(enum model_by by)
{
	static const char *const word[MODEL_BYS] = {
		[MODEL_BY_UNKNOWN] = "unknown", [MODEL_BY_SYSMON] = "sysmon",
		[MODEL_BY_KERNEL] = "kernel",   [MODEL_BY_EXIT_STEAL] = "steal",
		[MODEL_BY_PROCS] = "procs",     [MODEL_BY_SELF] = "itself",
		[MODEL_BY_LOCKED] = "locked",   [MODEL_BY_EXIT] = "exit",
	};

	return (unsigned int)by < MODEL_BYS ? word[by] : "?";
}

const char *handoff_outcome_word(int outcome)
{
	static const char *const word[HANDOFF_OUTCOMES] = {
		"unknown",
		[GRT_HANDOFF_WOKE] = "woke",
		[GRT_HANDOFF_MADE] = "made",
		[GRT_HANDOFF_IDLED] = "idled",
		[GRT_HANDOFF_SPINNING] = "spinning",
		[GRT_HANDOFF_POLLER] = "poller",
	};

	return word[outcome];
}

const char *handoff_start_word(enum model_start start)
{
	static const char *const word[MODEL_STARTS] = {
		[MODEL_START_UNKNOWN] = "unknown",
		[MODEL_START_FIRST_SIGHT] = "first_sight",
		[MODEL_START_ASLEEP] = "asleep",
		[MODEL_START_CALL] = "call",
	};

	return word[start];
}

static int sum_compare(const void *a, const void *b, void *arg)
{
	const struct model_handoff_sum *all = arg;
	const struct model_handoff_sum *x = &all[*(const size_t *)a], *y = &all[*(const size_t *)b];

	if (x->handoffs != y->handoffs)
		return x->handoffs > y->handoffs ? -1 : 1;
	if (x->taken != y->taken)
		return x->taken > y->taken ? -1 : 1;
	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	return x->by < y->by ? -1 : x->by > y->by;
}

size_t *handoff_rows_sorted(const struct model *m, size_t *ret_n)
{
	const struct model_handoff_sum *all;
	size_t n = model_handoff_sums(m, &all);
	size_t *order = n ? calloc(n, sizeof(*order)) : NULL;

	*ret_n = order ? n : 0;
	if (!order)
		return NULL;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), sum_compare, (void *)(uintptr_t)all);
	return order;
}

enum line_column {
	L_ALL,
	L_IDLED,
	L_MADE,
	L_EARLY,
	L_DETECT50,
	L_DETECT99,
	L_DISPATCH50,
	L_DISPATCH99,
	L_TOTAL50,
	L_TOTAL99,
	L_OLD,
	L_IDLE,
	L_QUEUED,
	L_QUEUED99,
	L_COUNT
};

static const struct grid_column line_columns[L_COUNT] = {
	[L_ALL] = { "all", "hand-offs/s", "hand-offs/s", 4, 20, false },
	[L_IDLED] = { "idled", "hand-offs/s", "idled/s", 4, 13, false },
	[L_MADE] = { "made", "hand-offs/s", "threads made/s", 4, 11, false },
	[L_EARLY] = { "early", "hand-offs/s", "early/s", 4, 12, false },
	[L_DETECT50] = { "p50", "detect", "detect p50", 5, 15, false },
	[L_DETECT99] = { "p99", "detect", "detect p99", 5, 16, false },
	[L_DISPATCH50] = { "p50", "dispatch", "dispatch p50", 5, 14, false },
	[L_DISPATCH99] = { "p99", "dispatch", "dispatch p99", 5, 17, false },
	[L_TOTAL50] = { "p50", "total", "total p50", 5, 18, false },
	[L_TOTAL99] = { "p99", "total", "total p99", 5, 19, false },
	[L_OLD] = { "old", "back/s", "back on old P/s", 4, 8, false },
	[L_IDLE] = { "idle", "back/s", "back on idle P/s", 4, 7, false },
	[L_QUEUED] = { "queued", "back/s", "back queued/s", 4, 10, false },
	[L_QUEUED99] = { "p99", "back/s", "queued p99", 5, 9, false },
};

static uint64_t interval_ns(const struct model *m)
{
	const struct model_snap *now = model_snap(m), *before = model_snap_before(m);

	return before && now->time_ns > before->time_ns ? now->time_ns - before->time_ns : 0;
}

static void line_read(struct grid_row *r, const struct model *m)
{
	const struct model_handoff_sum *s = model_handoff_interval(m);
	uint64_t ns = interval_ns(m);

	rate_cell(r->cell[L_ALL], s->handoffs, ns);
	rate_cell(r->cell[L_IDLED], s->outcome[GRT_HANDOFF_IDLED], ns);
	rate_cell(r->cell[L_MADE], s->outcome[GRT_HANDOFF_MADE], ns);
	rate_cell(r->cell[L_EARLY], s->needless, ns);
	latency_cell(r->cell[L_DETECT50], &s->detect, 0.5);
	latency_cell(r->cell[L_DETECT99], &s->detect, 0.99);
	latency_cell(r->cell[L_DISPATCH50], &s->dispatch, 0.5);
	latency_cell(r->cell[L_DISPATCH99], &s->dispatch, 0.99);
	latency_cell(r->cell[L_TOTAL50], &s->total, 0.5);
	latency_cell(r->cell[L_TOTAL99], &s->total, 0.99);
	rate_cell(r->cell[L_OLD], s->back[GRT_EXIT_OLD_P], ns);
	rate_cell(r->cell[L_IDLE], s->back[GRT_EXIT_IDLE_P], ns);
	rate_cell(r->cell[L_QUEUED], s->back[GRT_EXIT_QUEUED], ns);
	latency_cell(r->cell[L_QUEUED99], &s->queued, 0.99);
}

/* Without probes, or when they were off for a while, the runtime's own counter is all there is. */
static void line_read_unarmed(struct grid_row *r, const struct model *m)
{
	const struct model_snap *now = model_snap(m), *before = model_snap_before(m);

	for (int i = 0; i < L_COUNT; i++)
		strcpy(r->cell[i], "?");
	rate_cell(r->cell[L_ALL], before ? now->handoffs - before->handoffs : 0, interval_ns(m));
}

static void text(struct view *v, const struct model *m)
{
	struct interval_state *s = v->state;
	bool is_known = v->head.armed && interval_is_whole(s, m, GRT_COLD);
	struct grid_row row;

	grid_lines_begin(&s->lines, line_columns, L_COUNT, v->columns);
	if (is_known)
		line_read(&row, m);
	else
		line_read_unarmed(&row, m);
	grid_lines_put(&s->lines, &row, v->lines, v->out);
}

static const char *const exact[] = { "interval", "rows", "out", NULL };
static const char *const exact_unarmed[] = { "counters", NULL };
static const char *const unknown[] = { "interval", "rows", "out", "older", NULL };

static const struct report_truth armed = {
	.text = "exact: everything",
	.exact = exact,
};

static const struct report_truth unarmed = {
	.text = "exact: hand-offs (the runtime counts them); not known: the rest",
	.exact = exact_unarmed,
	.unknown = unknown,
};

const struct report report_handoff = {
	.name = "handoff",
	.armed = &armed,
	.unarmed = &unarmed,
	.state_bytes = sizeof(struct interval_state),
	.text = text,
	.text_totals = handoff_text_totals,
	.json_type = "tick",
	.json = handoff_json,
	.json_totals = handoff_json_totals,
};
