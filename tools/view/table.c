/* SPDX-License-Identifier: MIT */
/*
 * table.c - a row a tick, as vmstat prints it. Heads come again when the screen is full, and when a
 * number has outgrown its column; columns.c shows what a row looks like.
 * "?": cannot be known here; the first lines say why. "-": nothing to make a number from.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define LINE_BYTES 1024
#define NS_PER_SEC 1000000000

static struct table *table_of(struct view *v)
{
	return (struct table *)v;
}

static void put_counted(char *buf, size_t bytes, const struct view_head *h)
{
	char interval[FMT_BYTES];

	if (h->interval_ns % NS_PER_SEC == 0)
		snprintf(interval, sizeof(interval), "%" PRId64 "s", h->interval_ns / NS_PER_SEC);
	else
		fmt_duration(interval, (uint64_t)h->interval_ns);
	if (h->armed)
		snprintf(buf, bytes,
			 "exact: blocked, hand-offs, p99, new threads; sampled every %s: the rest",
			 interval);
	else
		snprintf(buf, bytes,
			 "exact: hand-offs and new threads (the runtime counts them); sampled "
			 "every %s: "
			 "the rest; not known: hand-off p99",
			 interval);
}

static void begin(struct view *v, const struct model *m, const struct view_head *h)
{
	char line[LINE_BYTES], comm[64], counted[256];
	unsigned int columns = table_of(v)->columns.screen;
	size_t n;

	v->head = *h;
	table_of(v)->lost_told = model_lost(m, 0);
	fmt_clean(comm, sizeof(comm), h->comm, sizeof(comm));
	put_counted(counted, sizeof(counted), h);
	n = (size_t)snprintf(line, sizeof(line), "pid %d (%s), %s, level %d", h->pid, comm,
			     h->runtime, h->level);
	if (h->wanted)
		n += (size_t)snprintf(line + n, sizeof(line) - n, ", %d/%d armed", h->armed,
				      h->wanted);
	snprintf(line + n, sizeof(line) - n, "; %s", counted);
	fmt_wrapped(v->out, line, columns);
	if (h->why_not_higher && h->why_not_higher[0]) {
		snprintf(line, sizeof(line), "level %d: %s", h->level, h->why_not_higher);
		fmt_wrapped(v->out, line, columns);
	}
	if (h->note)
		fmt_wrapped(v->out, h->note, columns);
}

static void tell_hidden(struct table *t)
{
	char names[LINE_BYTES / 2], line[LINE_BYTES];
	unsigned int n = columns_hidden(&t->columns, names, sizeof(names));

	if (n == t->hidden)
		return;
	t->hidden = n;
	if (n == 0)
		return;
	snprintf(line, sizeof(line), "no room in %u columns for: %s", t->columns.screen, names);
	fmt_wrapped(t->v.out, line, t->columns.screen);
}

static void put_heads(struct table *t, const struct cells *cells)
{
	columns_fit(&t->columns, cells);
	tell_hidden(t);
	columns_put_heads(&t->columns, t->v.out);
	t->has_heads = true;
	t->rows = 0;
}

static void header(struct view *v, const struct model *m)
{
	struct cells cells;

	columns_read(&cells, m, &v->head);
	put_heads(table_of(v), &cells);
}

static bool is_screen_full(const struct table *t)
{
	unsigned int rows = t->lines > 6 ? t->lines - 3 : TABLE_HEADER_EVERY;

	return t->rows >= rows;
}

static void lost(struct view *v, const struct model *m)
{
	uint64_t all = model_lost(m, 0);

	fprintf(v->out, "lost: %" PRIu64, all);
	for (int i = 1; all && i < MODEL_LOSSES; i++) {
		uint64_t n = model_lost(m, (enum grt_loss)i);

		if (n)
			fprintf(v->out, ", %s %" PRIu64, view_loss_word((enum grt_loss)i), n);
	}
	fputc('\n', v->out);
	table_of(v)->lost_told = all;
}

static void row(struct view *v, const struct model *m)
{
	struct table *t = table_of(v);
	struct cells cells;

	columns_read(&cells, m, &v->head);
	if (model_lost(m, 0) != t->lost_told)
		lost(v, m);
	if (!t->has_heads || is_screen_full(t) || !columns_hold(&t->columns, &cells))
		put_heads(t, &cells);
	columns_put_row(&t->columns, &cells, v->out);
	t->rows++;
	fflush(v->out);
}

static void by_m(struct view *v, const struct model *m)
{
	struct table *t = table_of(v);

	if (t->has_tables)
		fputc('\n', v->out);
	t->has_tables = true;
	if (model_lost(m, 0) != t->lost_told)
		lost(v, m);
	table_by_m(v, m);
	fflush(v->out);
}

static void put_handoff_times(char *buf, size_t bytes, const struct hist *h)
{
	char p50[FMT_BYTES], p99[FMT_BYTES], max[FMT_BYTES];

	buf[0] = '\0';
	if (h->n == 0)
		return;
	snprintf(buf, bytes, " (p50 %s, p99 %s, max %s)", fmt_duration(p50, hist_quantile(h, 0.5)),
		 fmt_duration(p99, hist_quantile(h, 0.99)), fmt_duration(max, h->max));
}

static void totals(struct view *v, const struct model *m, const struct view_end *e)
{
	static const char *const why[] = {
		[VIEW_EXITED] = "the target exited",
		[VIEW_REPLACED] = "the target replaced its image",
		[VIEW_SIGNAL] = "interrupted",
	};
	const struct model_rates *r = model_totals(m);
	unsigned int columns = table_of(v)->columns.screen;
	char took[FMT_BYTES], line[LINE_BYTES], times[128];

	fmt_duration(took, e->observed_ns);
	if (e->why != VIEW_ASKED)
		fprintf(v->out, "%s after %s\n", why[e->why], took);
	if (v->head.armed) {
		put_handoff_times(times, sizeof(times), &r->handoff_ns);
		snprintf(line, sizeof(line),
			 "seen in %s: hand-offs %" PRIu64 "%s, retakes %" PRIu64
			 ", threads made %" PRIu64 ", gone %" PRIu64,
			 took, r->handoffs, times, r->retakes, r->threads_made, r->threads_gone);
		fmt_wrapped(v->out, line, columns);
	}
	if (model_has_snapshot(m)) {
		const struct model_snap *s = model_snap(m);

		snprintf(line, sizeof(line),
			 "since its start: hand-offs %" PRIu64 ", retakes %" PRIu64
			 ", threads made %" PRIu64 ", gone %" PRIu64,
			 s->handoffs, s->retakes, s->threads_made, s->threads_gone);
		fmt_wrapped(v->out, line, columns);
	}
	if (e->law_broken) {
		snprintf(line, sizeof(line), "these numbers contradict each other: %s",
			 e->law_broken);
		fmt_wrapped(v->out, line, columns);
	}
	v->ops->lost(v, m);
}

static void end(struct view *v)
{
	fflush(v->out);
	free(v);
}

static const struct view_ops table_ops = {
	.begin = begin,
	.header = header,
	.row = row,
	.by_m = by_m,
	.totals = totals,
	.lost = lost,
	.end = end,
};

struct view *view_table_new(FILE *out, const struct call_names *names, unsigned int columns,
			    unsigned int lines)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->v.ops = &table_ops;
	t->v.out = out;
	t->v.names = names;
	t->lines = lines;
	t->columns.screen = columns > TABLE_COLUMNS_MIN ? columns : TABLE_COLUMNS_MIN;
	return &t->v;
}
