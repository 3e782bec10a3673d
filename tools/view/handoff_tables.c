/* SPDX-License-Identifier: MIT */
/*
 * handoff_tables.c - the tables at the end of `gotrace handoff`, by call and by who took the P:
 *
 *	CALL      BY               n    p50    p90    p99    max
 *	read      sysmon  detect  997   31us   52us   81us  1.2ms
 *	                  dispatch 980    9us   14us   33us  210us
 *	                  total   980   41us   66us  114us  1.3ms
 *
 * After the rows of a taker that took from several calls stands one of all its calls together.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fmt.h"
#include "handoff.h"
#include "latency.h"

#define LINE_BYTES 512

static void put_key(struct grid_row *r, const struct model_handoff_sum *s)
{
	handoff_call_word(r->cell[0], s->nr);
	snprintf(r->cell[1], GRID_CELL_BYTES, "%s", handoff_by_word((enum model_by)s->by));
}

/* Rows of a table from one sum; returns how many, at most 3. */
typedef unsigned int (*table_rows_fn)(struct grid_row *r, const struct model_handoff_sum *s);

struct table {
	const char *title;
	const struct grid_column *columns;
	unsigned int ncolumns;
	table_rows_fn rows;
};

static const struct grid_column latency_columns[] = {
	{ "CALL", NULL, NULL, 8, 20, true }, { "BY", NULL, NULL, 7, 17, true },
	{ "", NULL, "which", 8, 19, true },  { "n", NULL, "how many", 4, 15, false },
	{ "p50", NULL, NULL, 6, 16, false }, { "p90", NULL, NULL, 6, 12, false },
	{ "p99", NULL, NULL, 6, 18, false }, { "max", NULL, NULL, 6, 13, false },
};

static unsigned int latency_rows(struct grid_row *r, const struct model_handoff_sum *s)
{
	const struct hist *const h[3] = { &s->detect, &s->dispatch, &s->total };
	static const char *const word[3] = { "detect", "dispatch", "total" };
	unsigned int n = 0;

	for (int i = 0; i < 3; i++) {
		if (h[i]->n == 0)
			continue;
		memset(&r[n], 0, sizeof(r[n]));
		if (n == 0)
			put_key(&r[n], s);
		strcpy(r[n].cell[2], word[i]);
		count_cell(r[n].cell[3], h[i]->n);
		latency_cell(r[n].cell[4], h[i], 0.5);
		latency_cell(r[n].cell[5], h[i], 0.9);
		latency_cell(r[n].cell[6], h[i], 0.99);
		latency_cell(r[n].cell[7], h[i], LATENCY_MAX);
		n++;
	}
	return n;
}

static const struct grid_column outcome_columns[] = {
	{ "CALL", NULL, NULL, 8, 20, true },
	{ "BY", NULL, NULL, 7, 17, true },
	{ "taken", NULL, NULL, 5, 16, false },
	{ "all", "hand-offs", "hand-offs", 5, 18, false },
	{ "woke", "hand-offs", NULL, 5, 13, false },
	{ "made", "hand-offs", NULL, 5, 14, false },
	{ "spinning", "hand-offs", NULL, 5, 11, false },
	{ "poller", "hand-offs", NULL, 5, 10, false },
	{ "idled", "hand-offs", NULL, 5, 15, false },
	{ "early", "hand-offs", NULL, 5, 12, false },
};

static unsigned int outcome_rows(struct grid_row *r, const struct model_handoff_sum *s)
{
	static const int order[] = { GRT_HANDOFF_WOKE, GRT_HANDOFF_MADE, GRT_HANDOFF_SPINNING,
				     GRT_HANDOFF_POLLER, GRT_HANDOFF_IDLED };

	memset(r, 0, sizeof(*r));
	put_key(r, s);
	count_cell(r->cell[2], s->taken);
	count_cell(r->cell[3], s->handoffs);
	for (int i = 0; i < 5; i++)
		count_cell(r->cell[4 + i], s->outcome[order[i]]);
	count_cell(r->cell[9], s->handoffs ? s->needless : 0);
	return 1;
}

static const struct grid_column return_columns[] = {
	{ "CALL", NULL, NULL, 8, 20, true },
	{ "BY", NULL, NULL, 7, 16, true },
	{ "all", "back", "back", 5, 18, false },
	{ "old P", "back", NULL, 5, 13, false },
	{ "idle P", "back", NULL, 5, 14, false },
	{ "queued", "back", NULL, 5, 17, false },
	{ "p50", "queued for", "queued p50", 6, 12, false },
	{ "p90", "queued for", "queued p90", 6, 10, false },
	{ "p99", "queued for", "queued p99", 6, 15, false },
	{ "max", "queued for", "queued max", 6, 11, false },
};

static unsigned int return_rows(struct grid_row *r, const struct model_handoff_sum *s)
{
	if (s->returned == 0)
		return 0;
	memset(r, 0, sizeof(*r));
	put_key(r, s);
	count_cell(r->cell[2], s->returned);
	count_cell(r->cell[3], s->back[GRT_EXIT_OLD_P]);
	count_cell(r->cell[4], s->back[GRT_EXIT_IDLE_P]);
	count_cell(r->cell[5], s->back[GRT_EXIT_QUEUED]);
	latency_cell(r->cell[6], &s->queued, 0.5);
	latency_cell(r->cell[7], &s->queued, 0.9);
	latency_cell(r->cell[8], &s->queued, 0.99);
	latency_cell(r->cell[9], &s->queued, LATENCY_MAX);
	return 1;
}

#define TABLE(title, columns, rows)                                          \
	{                                                                    \
		title, columns, sizeof(columns) / sizeof((columns)[0]), rows \
	}
static const struct table tables[] = {
	TABLE("how long a P was without an M, by call and by who took it:", latency_columns,
	      latency_rows),
	TABLE("what became of the Ps:", outcome_columns, outcome_rows),
	TABLE("how the goroutines came back:", return_columns, return_rows),
};

struct sums {
	struct model_handoff_sum *sum;
	size_t n;
	size_t own; /* the first ones are rows of the model, the others sums of these */
};

/* All calls of one taker together, if there are several. */
static void sums_add_all(struct sums *s, enum model_by by)
{
	struct model_handoff_sum *all = &s->sum[s->n];
	size_t rows = 0;

	for (size_t i = 0; i < s->own; i++) {
		if (s->sum[i].by != by)
			continue;
		handoff_sum_merge(all, &s->sum[i]);
		rows++;
	}
	all->nr = HANDOFF_NR_ALL;
	all->by = (uint8_t)by;
	if (rows > 1)
		s->n++;
	else
		memset(all, 0, sizeof(*all));
}

static bool sums_collect(struct sums *ret, const struct model *m)
{
	const struct model_handoff_sum *all;
	size_t n, *order = handoff_rows_sorted(m, &n);

	model_handoff_sums(m, &all);
	*ret = (struct sums){ .own = n };
	ret->sum = order ? calloc(n + MODEL_BYS, sizeof(*ret->sum)) : NULL;
	for (size_t i = 0; ret->sum && i < n; i++)
		ret->sum[ret->n++] = all[order[i]];
	for (int by = 0; ret->sum && by < MODEL_BYS; by++)
		sums_add_all(ret, (enum model_by)by);
	free(order);
	return ret->sum != NULL;
}

static void table_put(struct view *v, const struct table *t, const struct sums *s)
{
	struct grid_row rows[3];
	struct grid g;
	unsigned int any = 0;

	grid_init(&g, t->columns, t->ncolumns, v->columns);
	for (size_t i = 0; i < s->n; i++) {
		unsigned int n = t->rows(rows, &s->sum[i]);

		for (unsigned int k = 0; k < n; k++)
			grid_widen(&g, &rows[k]);
		any += n;
	}
	if (!any)
		return;
	grid_fit(&g);
	fputc('\n', v->out);
	fmt_wrapped(v->out, t->title, v->columns);
	grid_tell_hidden(&g, v->out);
	grid_put_heads(&g, v->out);
	for (size_t i = 0; i < s->n; i++) {
		unsigned int n = t->rows(rows, &s->sum[i]);

		for (unsigned int k = 0; k < n; k++)
			grid_put_row(&g, &rows[k], v->out);
	}
}

/* Adds "N word", with a comma between two; nothing for none. */
static void put_part(char *line, uint64_t n, const char *word)
{
	size_t at = strlen(line);

	if (n)
		snprintf(line + at, LINE_BYTES - at, "%s%" PRIu64 " %s",
			 line[at - 1] == ' ' ? "" : ", ", n, word);
}

static void put_starts(struct view *v, const struct sums *s)
{
	static const char *const word[MODEL_STARTS] = {
		[MODEL_START_CALL] = "the call itself",
		[MODEL_START_ASLEEP] = "where its thread fell asleep",
		[MODEL_START_FIRST_SIGHT] = "sysmon's first sight of the call",
		[MODEL_START_UNKNOWN] = "not known",
	};
	char line[LINE_BYTES] = "detect counts from: ";
	uint64_t start[MODEL_STARTS] = { 0 }, all = 0;

	for (size_t i = 0; i < s->own; i++)
		for (int k = 0; k < MODEL_STARTS; k++) {
			start[k] += s->sum[i].start[k];
			all += s->sum[i].start[k];
		}
	for (int k = MODEL_STARTS; k-- > 0;)
		put_part(line, start[k], word[k]);
	if (all)
		fmt_wrapped(v->out, line, v->columns);
}

static void put_early(struct view *v, const struct model *m, const struct sums *s)
{
	char line[LINE_BYTES];
	uint64_t handoffs = 0, early = 0;

	for (size_t i = 0; i < s->own; i++) {
		handoffs += s->sum[i].handoffs;
		early += s->sum[i].handoffs ? s->sum[i].needless : 0;
	}
	snprintf(line, sizeof(line),
		 "needless (early): %" PRIu64 " of %" PRIu64
		 " hand-offs, whose call was back within 20us",
		 early, handoffs);
	fmt_wrapped(v->out, line, v->columns);
	snprintf(line, sizeof(line),
		 "still in their calls: %" PRIu64 "; back from calls that lost their P before: "
		 "%" PRIu64,
		 model_handoff_out(m), model_handoff_older(m));
	fmt_wrapped(v->out, line, v->columns);
}

void handoff_text_totals(struct view *v, const struct model *m, const struct view_end *e)
{
	struct sums s;

	(void)e;
	if (!v->head.armed) {
		fmt_wrapped(v->out,
			    "which calls, which takers and how long: not known without probes",
			    v->columns);
		return;
	}
	if (!sums_collect(&s, m)) {
		fputs("no P was lost to a call\n", v->out);
		return;
	}
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		table_put(v, &tables[i], &s);
	fputc('\n', v->out);
	put_starts(v, &s);
	put_early(v, m, &s);
	free(s.sum);
}
