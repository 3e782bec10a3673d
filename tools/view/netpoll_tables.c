/* SPDX-License-Identifier: MIT */
/*
 * netpoll_tables.c - the tables at the end of `gotrace netpoll`: waits by who polled, waits by
 * descriptor, and who waits now.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fmt.h"
#include "latency.h"
#include "netpoll.h"

#define LINE_BYTES 512
#define REUSED "reused: "

static int waits_compare(const void *a, const void *b, void *arg)
{
	const struct model_netpoll_sum *all = arg;
	const struct model_netpoll_sum *x = &all[*(const size_t *)a], *y = &all[*(const size_t *)b];

	if (x->waits != y->waits)
		return x->waits > y->waits ? -1 : 1;
	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

size_t *netpoll_rows_sorted(const struct model *m, size_t *ret_n)
{
	const struct model_netpoll_sum *all;
	size_t n = model_netpoll_fds(m, &all);
	size_t *order = n ? calloc(n, sizeof(*order)) : NULL;

	*ret_n = order ? n : 0;
	if (!order)
		return NULL;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), waits_compare, (void *)(uintptr_t)all);
	return order;
}

static void grid_put(struct view *v, struct grid *g, const char *title, const struct grid_row *rows,
		     size_t n)
{
	for (size_t i = 0; i < n; i++)
		grid_widen(g, &rows[i]);
	grid_fit(g);
	fputc('\n', v->out);
	fmt_wrapped(v->out, title, v->columns);
	grid_tell_hidden(g, v->out);
	grid_put_heads(g, v->out);
	for (size_t i = 0; i < n; i++)
		grid_put_row(g, &rows[i], v->out);
}

static void put_fd(char *cell, int32_t fd)
{
	if (fd == NETPOLL_FD_OTHER)
		strcpy(cell, "other");
	else
		snprintf(cell, GRID_CELL_BYTES, "%d", fd);
}

/* Names of the target's are cleaned when the row is printed. */
static void put_name(char *cell, const struct model *m, int32_t fd, const char *before)
{
	const char *name = fd >= 0 ? model_text(m, GRT_TEXT_FD, (uint64_t)fd) : NULL;

	snprintf(cell, GRID_CELL_BYTES, "%s%s", before, name ? name : "-");
}

static const struct grid_column by_columns[] = {
	{ "POLLED BY", NULL, NULL, 9, 20, true },
	{ "waits", NULL, NULL, 5, 19, false },
	{ "p50", "parked", "parked p50", 6, 14, false },
	{ "p90", "parked", "parked p90", 6, 10, false },
	{ "p99", "parked", "parked p99", 6, 15, false },
	{ "max", "parked", "parked max", 6, 12, false },
	{ "p50", "queued", "queued p50", 6, 17, false },
	{ "p90", "queued", "queued p90", 6, 11, false },
	{ "p99", "queued", "queued p99", 6, 18, false },
	{ "max", "queued", "queued max", 6, 16, false },
};

static void by_row(struct grid_row *r, const char *word, const struct model_netpoll_sum *s)
{
	static const double quantile[4] = { 0.5, 0.9, 0.99, LATENCY_MAX };

	memset(r, 0, sizeof(*r));
	strcpy(r->cell[0], word);
	count_cell(r->cell[1], s->waits);
	for (int i = 0; i < 4; i++) {
		latency_cell(r->cell[2 + i], &s->parked, quantile[i]);
		latency_cell(r->cell[6 + i], &s->queued, quantile[i]);
	}
}

static void put_by(struct view *v, const struct model *m)
{
	static const char *const word[NETPOLL_BYS] = { "not known", "an idle M", "scheduler",
						       "sysmon" };
	const struct model_netpoll_sum *by = model_netpoll_by(m);
	struct grid_row rows[NETPOLL_BYS];
	struct grid g;
	size_t n = 0;

	for (int i = 0; i < NETPOLL_BYS; i++)
		if (by[i].waits)
			by_row(&rows[n++], word[i], &by[i]);
	if (!n)
		return;
	grid_init(&g, by_columns, sizeof(by_columns) / sizeof(by_columns[0]), v->columns);
	grid_put(v, &g, "waits that ended, by who polled the descriptor ready:", rows, n);
}

static const struct grid_column fd_columns[] = {
	{ "FD", NULL, NULL, 4, 20, false },
	{ "waits", NULL, NULL, 5, 18, false },
	{ "p50", "parked", "parked p50", 5, 13, false },
	{ "p99", "parked", "parked p99", 5, 14, false },
	{ "p50", "queued", "queued p50", 5, 12, false },
	{ "p99", "queued", "queued p99", 5, 16, false },
	{ "sysmon", NULL, "by sysmon", 5, 15, false },
	{ "NAME", NULL, NULL, 4, 17, true },
};

static void fd_row(struct grid_row *r, const struct model *m, const struct model_netpoll_sum *s)
{
	memset(r, 0, sizeof(*r));
	put_fd(r->cell[0], s->fd);
	count_cell(r->cell[1], s->waits);
	latency_cell(r->cell[2], &s->parked, 0.5);
	latency_cell(r->cell[3], &s->parked, 0.99);
	latency_cell(r->cell[4], &s->queued, 0.5);
	latency_cell(r->cell[5], &s->queued, 0.99);
	count_cell(r->cell[6], s->by[GRT_POLL_SYSMON]);
	put_name(r->cell[7], m, s->fd, model_netpoll_is_reused(m, s) ? REUSED : "");
}

static void put_fds(struct view *v, const struct model *m)
{
	static struct grid_row rows[NETPOLL_TOP];
	const struct model_netpoll_sum *all;
	size_t n, shown, *order = netpoll_rows_sorted(m, &n);
	uint64_t rest = 0;
	bool has_reused = false;
	struct grid g;

	model_netpoll_fds(m, &all);
	shown = n < NETPOLL_TOP ? n : NETPOLL_TOP;
	for (size_t i = 0; i < shown; i++) {
		fd_row(&rows[i], m, &all[order[i]]);
		has_reused |= model_netpoll_is_reused(m, &all[order[i]]);
	}
	for (size_t i = shown; i < n; i++)
		rest += all[order[i]].waits;
	free(order);
	if (!shown)
		return;
	grid_init(&g, fd_columns, sizeof(fd_columns) / sizeof(fd_columns[0]), v->columns);
	grid_put(v, &g, "waits that ended, by descriptor:", rows, shown);
	if (n > shown)
		fprintf(v->out, "and %zu more with %" PRIu64 " waits\n", n - shown, rest);
	if (has_reused)
		fmt_wrapped(v->out,
			    REUSED "others had the number before; the waits are of all of them",
			    v->columns);
}

static const struct grid_column waiting_columns[] = {
	{ "FD", NULL, NULL, 4, 20, false },         { "TO", NULL, NULL, 5, 19, true },
	{ "Gs", NULL, "goroutines", 4, 18, false }, { "for", NULL, NULL, 6, 16, false },
	{ "G", NULL, NULL, 4, 15, false },          { "NAME", NULL, NULL, 4, 17, true },
};

static void waiting_row(struct grid_row *r, const struct model *m, const struct model_waiting *w)
{
	uint64_t now_ns = model_snap(m)->time_ns;

	memset(r, 0, sizeof(*r));
	put_fd(r->cell[0], w->fd);
	strcpy(r->cell[1], netpoll_mode_word(w->mode));
	fmt_count(r->cell[2], w->n);
	strcpy(r->cell[3], "-");
	if (w->since_ns)
		fmt_duration(r->cell[3], now_ns > w->since_ns ? now_ns - w->since_ns : 0);
	strcpy(r->cell[4], "-");
	if (w->n == 1)
		snprintf(r->cell[4], GRID_CELL_BYTES, "%" PRIu64, w->g);
	put_name(r->cell[5], m, w->fd, "");
}

static void put_waiting(struct view *v, const struct model *m)
{
	static struct grid_row rows[NETPOLL_TOP];
	const struct model_waiting *w;
	size_t n = model_netpoll_waiting(m, &w), shown = n < NETPOLL_TOP ? n : NETPOLL_TOP;
	uint64_t rest = model_netpoll_waiting_gs(m);
	struct grid g;

	for (size_t i = 0; i < shown; i++) {
		waiting_row(&rows[i], m, &w[i]);
		rest -= w[i].n;
	}
	if (!shown)
		return;
	grid_init(&g, waiting_columns, sizeof(waiting_columns) / sizeof(waiting_columns[0]),
		  v->columns);
	grid_put(v, &g, "who waits now:", rows, shown);
	if (rest)
		fprintf(v->out, "and %" PRIu64 " more goroutines\n", rest);
}

/* Taken from the goroutines; the counter is only compared. */
static void put_waiting_count(struct view *v, const struct model *m)
{
	const struct model_waiting *w;
	uint64_t directions = model_netpoll_waiting(m, &w);
	uint64_t counter = model_snap(m)->netpoll_parked;
	char line[LINE_BYTES];
	int n;

	n = snprintf(line, sizeof(line),
		     "waiting: %" PRIu64 " goroutines on %" PRIu64 " descriptors",
		     model_netpoll_waiting_gs(m), model_netpoll_waiting_fds(m));
	if (counter != directions)
		snprintf(line + n, sizeof(line) - (size_t)n,
			 "; the runtime's own counter differs: %" PRIu64 ", where %" PRIu64
			 " was expected",
			 counter, directions);
	fmt_wrapped(v->out, line, v->columns);
}

static void put_rescues(struct view *v, const struct model *m)
{
	const struct model_netpoll_sum *by = model_netpoll_by(m);
	uint64_t all = 0, rescued = by[GRT_POLL_SYSMON].waits;
	char line[LINE_BYTES];

	for (int i = 0; i < NETPOLL_BYS; i++)
		all += by[i].waits;
	if (rescued)
		snprintf(line, sizeof(line),
			 "rescued by sysmon: %" PRIu64 " of %" PRIu64
			 " waits, since nobody had polled for 10ms",
			 rescued, all);
	else
		snprintf(line, sizeof(line), "rescued by sysmon: none of %" PRIu64 " waits", all);
	fmt_wrapped(v->out, line, v->columns);
}

void netpoll_text_totals(struct view *v, const struct model *m, const struct view_end *e)
{
	(void)e;
	if (v->head.armed) {
		put_by(v, m);
		put_fds(v, m);
	}
	put_waiting(v, m);
	fputc('\n', v->out);
	if (v->head.armed)
		put_rescues(v, m);
	put_waiting_count(v, m);
}
