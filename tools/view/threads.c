/* SPDX-License-Identifier: MIT */
/*
 * threads.c - the report of `gotrace threads`: a row a tick, as vmstat prints it. Heads come again
 * when the screen is full, and when a number has outgrown its column; columns.c shows what a row looks
 * like. "?": cannot be known here; the first lines say why. "-": nothing to make a number from.
 */
#include <string.h>

#include "columns.h"
#include "formats.h"
#include "waits.h"

#define LINE_BYTES 1024
#define HEADER_EVERY 20 /* rows, where there is no screen that could be full */

struct table {
	struct columns columns;
	unsigned int rows;   /* since the heads were printed */
	unsigned int hidden; /* columns, when last told */
	bool has_heads;
};

static void tell_hidden(struct view *v, struct table *t)
{
	char names[LINE_BYTES / 2], line[LINE_BYTES];
	unsigned int n = columns_hidden(&t->columns, names, sizeof(names));

	if (n == t->hidden)
		return;
	t->hidden = n;
	if (n == 0)
		return;
	snprintf(line, sizeof(line), "no room in %u columns for: %s", t->columns.screen, names);
	fmt_wrapped(v->out, line, t->columns.screen);
}

static void put_heads(struct view *v, struct table *t, const struct cells *cells)
{
	columns_fit(&t->columns, cells);
	tell_hidden(v, t);
	columns_put_heads(&t->columns, v->out);
	t->has_heads = true;
	t->rows = 0;
}

static bool is_screen_full(const struct view *v, const struct table *t)
{
	unsigned int rows = v->lines > 6 ? v->lines - 3 : HEADER_EVERY;

	return t->rows >= rows;
}

static void text(struct view *v, const struct model *m)
{
	struct table *t = v->state;
	struct cells cells;

	t->columns.screen = v->columns;
	columns_read(&cells, m, &v->head);
	if (!t->has_heads || is_screen_full(v, t) || !columns_hold(&t->columns, &cells))
		put_heads(v, t, &cells);
	columns_put_row(&t->columns, &cells, v->out);
	t->rows++;
}

static void put_times(struct json *j, const struct hist *h)
{
	json_uint_or_null(j, "handoff_p50_ns", h->n, hist_quantile(h, 0.5));
	json_uint_or_null(j, "handoff_p99_ns", h->n, hist_quantile(h, 0.99));
}

/* What the runtime counted since the tick before, and how long the hand-offs took that were seen.
 */
static void put_interval(struct json *j, const struct model *m)
{
	const struct model_snap *now = model_snap(m), *before = model_snap_before(m);

	if (!before) {
		json_null(j, "interval");
		return;
	}
	json_open(j, "interval", '{');
	json_uint(j, "ns", now->time_ns - before->time_ns);
	json_uint(j, "handoffs", now->handoffs - before->handoffs);
	json_uint(j, "retakes", now->retakes - before->retakes);
	json_uint(j, "threads_made", now->threads_made - before->threads_made);
	json_uint(j, "threads_gone", now->threads_gone - before->threads_gone);
	put_times(j, &model_rates(m)->handoff_ns);
	json_close(j);
}

static void json(struct view *v, struct json *j, const struct model *m)
{
	const struct model_snap *s = model_snap(m);

	(void)v;
	json_uint(j, "time_ns", s->time_ns);
	json_uint(j, "threads", s->threads);
	json_open(j, "states", '{');
	for (int i = 0; i < GRT_MS_COUNT; i++)
		json_uint(j, view_state_word((enum grt_mstate)i), s->count[i]);
	json_close(j);
	json_open(j, "procs", '{');
	json_uint(j, "all", s->procs);
	json_uint(j, "busy", s->procs_busy);
	json_uint(j, "idle", s->procs_idle);
	json_close(j);
	json_uint(j, "run_queue", s->runq);
	json_uint(j, "goroutines", s->goroutines);
	json_uint(j, "netpoll_parked", s->netpoll_parked);
	put_interval(j, m);
	waits_json(j, m);
	json_uint(j, "rows_torn", s->torn);
	json_uint(j, "snapshot_ns", s->duration_ns);
}

static const char *const exact[] = { "states.blocked", "interval", NULL };
static const char *const exact_unarmed[] = { "interval.handoffs", "interval.retakes",
					     "interval.threads_made", "interval.threads_gone",
					     NULL };
static const char *const sampled[] = { "threads",    "states",         "procs", "run_queue",
				       "goroutines", "netpoll_parked", "cpu",   NULL };
static const char *const unknown[] = { "interval.handoff_p50_ns", "interval.handoff_p99_ns", NULL };

const struct report_truth threads_armed = {
	.text = "exact: blocked, hand-offs, p99, new threads; sampled every %s: the rest",
	.exact = exact,
	.sampled = sampled,
};

const struct report_truth threads_unarmed = {
	.text = "exact: hand-offs and new threads (the runtime counts them); sampled every %s: the "
		"rest; not known: hand-off p99",
	.exact = exact_unarmed,
	.sampled = sampled,
	.unknown = unknown,
};

const struct report report_threads = {
	.name = "threads",
	.armed = &threads_armed,
	.unarmed = &threads_unarmed,
	.state_bytes = sizeof(struct table),
	.text = text,
	.text_totals = waits_text_totals,
	.json_type = "tick",
	.json = json,
};
