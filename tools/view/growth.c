/* SPDX-License-Identifier: MIT */
/*
 * growth.c - the report of `gotrace growth` for people. At first what the threads that were there
 * before us do now, and the limits; then a line a tick; at the end the ledger:
 *
 *	88 threads made: 79 % fsync(/data/wal) ← wal_sync wal.c:41, 12 % flock(/run/x.lock), 9 % ...
 *	SHARE  MADE  NOW  CAUSE
 *	 79 %    70   69  fsync(/data/wal) ← wal_sync wal.c:41
 *
 * MADE: threads that were made while Ms were blocked there, by equal shares. NOW: Ms in it now.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../model/brief.h"
#include "fmt.h"
#include "formats.h"
#include "grid.h"
#include "growth_view.h"
#include "modules.h"
#include "pprof.h"
#include "wrap.h"

#define LINE_BYTES 4096
#define LEADING_CAUSES 3
#define CAUSE_ROWS 20 /* the last of them is the rest */
#define WHERE_INDENT 5
#define CAUSE_BYTES (2 * BRIEF_BYTES + 32)
#define ARROW "\u2190"
#define NS_PER_SEC 1000000000ull

struct screen {
	struct grid_lines lines;
	uint64_t made, gone; /* told */
	bool has_begun;
};

static void cause_text(char *buf, size_t bytes, const struct growth_cause *c)
{
	growth_call(buf, bytes, c);
	if (c->first->where)
		snprintf(buf + strlen(buf), bytes - strlen(buf), " " ARROW " %s", c->first->where);
}

/* "96 in ..." now, or "79 % ..." of those made: the leading causes in one line. */
static void put_leading(struct view *v, const struct model *m, char *line, size_t n, bool is_now)
{
	struct growth_cause *c;
	size_t causes = growth_causes(&c, m, is_now), told = 0;
	char text[CAUSE_BYTES];

	for (size_t i = 0; i < causes && told < LEADING_CAUSES; i++) {
		const char *comma = told ? ", " : ": ";

		if (is_now ? !c[i].now : c[i].threads <= 0)
			continue;
		cause_text(text, sizeof(text), &c[i]);
		if (is_now)
			n += (size_t)snprintf(line + n, LINE_BYTES - n, "%s%" PRIu64 " in %s",
					      comma, c[i].now, text);
		else
			n += (size_t)snprintf(line + n, LINE_BYTES - n, "%s%.0f %% %s", comma,
					      100 * growth_share(m, c[i].threads), text);
		told++;
	}
	free(c);
	wrap_put(v->out, line, 0, v->columns);
}

static void put_limits(struct view *v, const struct model *m)
{
	char line[LINE_BYTES], eta_text[FMT_BYTES];
	size_t n = 0;

	for (int i = 0; i < GROWTH_LIMITS; i++) {
		struct growth_eta eta;

		if (!growth_eta(&eta, m, (enum growth_limit)i))
			continue;
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%s: %" PRIu64 " of %" PRIu64,
				      n ? "; " : "limits: ", eta.name, eta.used, eta.limit);
		if (eta.has_eta)
			n += (size_t)snprintf(line + n, sizeof(line) - n, ", reached in %s",
					      fmt_duration(eta_text, eta.eta_ns));
	}
	if (n)
		wrap_put(v->out, line, 0, v->columns);
}

/* What the threads do that were there before we came. */
static void put_first(struct view *v, const struct model *m)
{
	const struct model_snap *s = model_snap(m);
	char line[LINE_BYTES];
	size_t n;

	n = (size_t)snprintf(line, sizeof(line), "%u threads were there before", s->threads);
	for (int i = 0; i < GRT_MS_COUNT; i++)
		if (s->count[i])
			n += (size_t)snprintf(line + n, sizeof(line) - n, ", %u %s", s->count[i],
					      view_state_word((enum grt_mstate)i));
	put_leading(v, m, line, n, true);
	put_limits(v, m);
}

/* clang-format off */
static const struct grid_column tick_columns[] = {
	{ .head = "THREADS", .importance = 9 },
	{ .head = "MADE", .importance = 8 },
	{ .head = "GONE", .importance = 5 },
	{ .head = "BLOCKED", .importance = 7 },
	{ .head = "LIMIT IN", .importance = 6, .width = 6 },
	{ .head = "MOST THREADS FOR", .importance = 10, .is_left = true },
};
static const struct grid_column ledger_columns[] = {
	{ .head = "SHARE", .importance = 8 },
	{ .head = "MADE", .importance = 7 },
	{ .head = "NOW", .importance = 6 },
	{ .head = "CAUSE", .importance = 10, .is_left = true },
};
/* clang-format on */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void text(struct view *v, const struct model *m)
{
	const struct model_growth *g = model_growth(m);
	const struct model_snap *s = model_snap(m);
	struct screen *screen = v->state;
	struct grid_row r = { 0 };
	struct growth_eta eta;
	const struct model_cause *c;
	char number[FMT_BYTES];

	if (!screen->has_begun) {
		screen->has_begun = true;
		put_first(v, m);
	}
	snprintf(r.cell[0], GRID_CELL_BYTES, "%u", s->threads);
	snprintf(r.cell[1], GRID_CELL_BYTES, "%" PRIu64, g->made - screen->made);
	snprintf(r.cell[2], GRID_CELL_BYTES, "%" PRIu64, g->gone - screen->gone);
	snprintf(r.cell[3], GRID_CELL_BYTES, "%u", s->count[GRT_MS_blocked]);
	strcpy(r.cell[4], growth_nearest(&eta, m) ? fmt_duration(number, eta.eta_ns) : "-");
	strcpy(r.cell[5], "-");
	if (model_causes(m, &c) && c[0].threads > 0)
		snprintf(r.cell[5], GRID_CELL_BYTES, "%s", c[0].call);
	screen->made = g->made;
	screen->gone = g->gone;
	grid_lines_begin(&screen->lines, tick_columns, COUNT(tick_columns), v->columns);
	screen->lines.grid.width[COUNT(tick_columns) - 1] = v->columns;
	grid_lines_put(&screen->lines, &r, v->lines, v->out);
}

static void read_cause(struct grid_row *r, const struct model *m, const struct growth_cause *c)
{
	char text[CAUSE_BYTES];

	strcpy(r->cell[0], "-");
	if (model_growth(m)->made)
		snprintf(r->cell[0], GRID_CELL_BYTES, "%.0f %%", 100 * growth_share(m, c->threads));
	snprintf(r->cell[1], GRID_CELL_BYTES, "%.0f", c->threads);
	snprintf(r->cell[2], GRID_CELL_BYTES, "%" PRIu64, c->now);
	growth_call(text, sizeof(text), c);
	snprintf(r->cell[3], GRID_CELL_BYTES, "%.*s", GRID_CELL_BYTES - 1, text);
}

/* The last of `rows` becomes the sum of it and all behind it. */
static void sum_rest(struct growth_cause *c, size_t causes, size_t rows)
{
	static const struct model_cause rest = { .call = "all other causes" };

	for (size_t i = rows; i < causes; i++) {
		c[rows - 1].threads += c[i].threads;
		c[rows - 1].now += c[i].now;
	}
	if (causes > rows)
		c[rows - 1] = (struct growth_cause){
			.first = &rest,
			.threads = c[rows - 1].threads,
			.now = c[rows - 1].now,
			.objects = 1,
		};
}

/* From where: in the row if there is room, else below it. */
static void put_cause(struct view *v, const struct grid *g, struct grid_row *r,
		      const struct growth_cause *c)
{
	char text[CAUSE_BYTES];

	cause_text(text, sizeof(text), c);
	if (strlen(text) <= grid_room(g) && strlen(text) < GRID_CELL_BYTES)
		strcpy(r->cell[3], text);
	grid_put_row(g, r, v->out);
	if (!c->first->where || !strcmp(r->cell[3], text))
		return;
	snprintf(text, sizeof(text), ARROW " %s", c->first->where);
	wrap_put(v->out, text, WHERE_INDENT, v->columns);
}

static void put_ledger(struct view *v, const struct model *m)
{
	struct growth_cause *c;
	size_t causes = growth_causes(&c, m, false);
	size_t rows = causes < CAUSE_ROWS ? causes : CAUSE_ROWS;
	struct grid_row *r = calloc(1, sizeof(*r));
	struct grid g;

	grid_init(&g, ledger_columns, COUNT(ledger_columns), v->columns);
	sum_rest(c, causes, rows);
	for (int pass = 0; r && pass < 2; pass++) {
		for (size_t i = 0; i < rows; i++) {
			read_cause(r, m, &c[i]);
			if (pass)
				put_cause(v, &g, r, &c[i]);
			else
				grid_widen(&g, r);
		}
		if (pass || !rows)
			break;
		g.width[COUNT(ledger_columns) - 1] = v->columns;
		grid_fit(&g);
		grid_put_heads(&g, v->out);
	}
	free(r);
	free(c);
}

static void put_rate(struct view *v, const struct model *m)
{
	const struct model_growth *g = model_growth(m);
	char line[LINE_BYTES], took[FMT_BYTES];

	if (!g->late_ns)
		return;
	snprintf(line, sizeof(line),
		 "%+.1f threads/s over the last %s; threads made for: hand-off "
		 "%" PRIu64 ", waking a P %" PRIu64 ", other %" PRIu64,
		 (double)g->late_threads * (double)NS_PER_SEC / (double)g->late_ns,
		 fmt_duration(took, g->late_ns), g->made_by[GRT_MNEW_HANDOFF],
		 g->made_by[GRT_MNEW_WAKEP],
		 g->made - g->made_by[GRT_MNEW_HANDOFF] - g->made_by[GRT_MNEW_WAKEP]);
	wrap_put(v->out, line, 0, v->columns);
}

static void put_pprof(struct view *v, const struct model *m)
{
	const struct growth_opts *o = v->opts;

	if (o && o->pprof)
		*o->ret_pprof_failed = !pprof_write(o->pprof, m, v->head.comm);
}

static void text_totals(struct view *v, const struct model *m, const struct view_end *e)
{
	const struct model_growth *g = model_growth(m);
	char line[LINE_BYTES];
	size_t n;

	(void)e;
	n = (size_t)snprintf(line, sizeof(line), "%" PRIu64 " thread%s made", g->made,
			     g->made == 1 ? "" : "s");
	put_leading(v, m, line, n, false);
	put_ledger(v, m);
	put_rate(v, m);
	put_limits(v, m);
	modules_text(v, m);
	put_pprof(v, m);
}

static void json_totals(struct view *v, struct json *j, const struct model *m,
			const struct view_end *e)
{
	(void)e;
	growth_json(v, j, m);
	put_pprof(v, m);
}

static const char *const exact[] = { "made", "gone", "made_by", "causes.threads_milli", NULL };
static const char *const exact_unarmed[] = { "made", "gone", NULL };
static const char *const sampled[] = { "threads", "states", "late", "limits", "causes.now", NULL };
static const char *const sampled_unarmed[] = { "threads", "states",     "late",
					       "limits",  "causes.now", "causes.threads_milli",
					       NULL };
static const char *const unknown[] = { "made_by", NULL };

static const struct report_truth armed = {
	.text = "exact: threads made, and what was blocked then; sampled every %s: the rest",
	.exact = exact,
	.sampled = sampled,
};
static const struct report_truth unarmed = {
	.text = "exact: threads made (the runtime counts them); sampled every %s: the rest, also what "
		"was blocked then",
	.exact = exact_unarmed,
	.sampled = sampled_unarmed,
	.unknown = unknown,
};

const struct report report_growth = {
	.name = "growth",
	.armed = &armed,
	.unarmed = &unarmed,
	.state_bytes = sizeof(struct screen),
	.text = text,
	.text_totals = text_totals,
	.json_type = "growth",
	.json = growth_json,
	.json_totals = json_totals,
};
