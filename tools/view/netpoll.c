/* SPDX-License-Identifier: MIT */
/*
 * netpoll.c - the report of `gotrace netpoll` for people. A row an interval:
 *
 *	--- waiting --- ----------- waits/s ------------ -- parked - -- queued -
 *	  Gs fds count   all idle M scheduler sysmon   p50   p99   p50   p99
 *	1000 1000  1000  812    780        32      0 1.2ms 9.8ms   4us  12us
 *
 * and at the end the tables of netpoll_tables.c. Waiting are the goroutines of the newest snapshot;
 * `count` is the runtime's own counter of directions somebody waits for. parked: until somebody's
 * poll found the descriptor ready; queued: from there until the goroutine ran. Waits are named
 * after who polled: an idle M, the scheduler between two goroutines, or sysmon, when nobody had
 * polled for 10 ms.
 */
#include "netpoll.h"

#include <string.h>

#include "fmt.h"
#include "formats.h"
#include "latency.h"

enum line_column {
	L_GS,
	L_FDS,
	L_COUNTER,
	L_ALL,
	L_IDLE_M,
	L_SCHEDULER,
	L_SYSMON,
	L_PARKED50,
	L_PARKED99,
	L_QUEUED50,
	L_QUEUED99,
	L_COUNT
};

static const struct grid_column line_columns[L_COUNT] = {
	[L_GS] = { "Gs", "waiting", "goroutines waiting", 5, 20, false },
	[L_FDS] = { "fds", "waiting", "descriptors waited for", 5, 9, false },
	[L_COUNTER] = { "count", "waiting", "the runtime's counter", 5, 8, false },
	[L_ALL] = { "all", "waits/s", "waits/s", 5, 19, false },
	[L_IDLE_M] = { "idle M", "waits/s", "by idle Ms/s", 5, 12, false },
	[L_SCHEDULER] = { "scheduler", "waits/s", "by the scheduler/s", 5, 11, false },
	[L_SYSMON] = { "sysmon", "waits/s", "by sysmon/s", 5, 17, false },
	[L_PARKED50] = { "p50", "parked", "parked p50", 5, 13, false },
	[L_PARKED99] = { "p99", "parked", "parked p99", 5, 14, false },
	[L_QUEUED50] = { "p50", "queued", "queued p50", 5, 16, false },
	[L_QUEUED99] = { "p99", "queued", "queued p99", 5, 18, false },
};

const char *netpoll_by_word(int by)
{
	static const char *const word[NETPOLL_BYS] = {
		"unknown",
		[GRT_POLL_IDLE_M] = "idle_m",
		[GRT_POLL_SCHEDULER] = "scheduler",
		[GRT_POLL_SYSMON] = "sysmon",
	};

	return word[by];
}

const char *netpoll_mode_word(uint8_t mode)
{
	switch (mode) {
	case GRT_MODE_READ:
		return "read";
	case GRT_MODE_WRITE:
		return "write";
	}
	return "?";
}

static void line_read(struct grid_row *r, const struct model *m, bool is_known)
{
	const struct model_netpoll_sum *s = model_netpoll_interval(m);
	const struct model_snap *now = model_snap(m), *before = model_snap_before(m);
	uint64_t ns = before && now->time_ns > before->time_ns ? now->time_ns - before->time_ns : 0;

	for (int i = 0; i < L_COUNT; i++)
		strcpy(r->cell[i], "?");
	fmt_count(r->cell[L_GS], model_netpoll_waiting_gs(m));
	fmt_count(r->cell[L_FDS], model_netpoll_waiting_fds(m));
	fmt_count(r->cell[L_COUNTER], now->netpoll_parked);
	if (!is_known)
		return;
	rate_cell(r->cell[L_ALL], s->waits, ns);
	rate_cell(r->cell[L_IDLE_M], s->by[GRT_POLL_IDLE_M], ns);
	rate_cell(r->cell[L_SCHEDULER], s->by[GRT_POLL_SCHEDULER], ns);
	rate_cell(r->cell[L_SYSMON], s->by[GRT_POLL_SYSMON], ns);
	latency_cell(r->cell[L_PARKED50], &s->parked, 0.5);
	latency_cell(r->cell[L_PARKED99], &s->parked, 0.99);
	latency_cell(r->cell[L_QUEUED50], &s->queued, 0.5);
	latency_cell(r->cell[L_QUEUED99], &s->queued, 0.99);
}

static void text(struct view *v, const struct model *m)
{
	struct interval_state *s = v->state;
	bool is_known = v->head.armed && interval_is_whole(s, m, GRT_WARM);
	struct grid_row row;

	grid_lines_begin(&s->lines, line_columns, L_COUNT, v->columns);
	line_read(&row, m, is_known);
	grid_lines_put(&s->lines, &row, v->lines, v->out);
}

static const char *const exact[] = { "interval", "by", "descriptors", NULL };
static const char *const sampled[] = { "waiting", NULL };
static const char *const unknown[] = { "interval", "by", "descriptors", NULL };

static const struct report_truth armed = {
	.text = "exact: waits that ended; sampled every %s: who waits",
	.exact = exact,
	.sampled = sampled,
};

static const struct report_truth unarmed = {
	.text = "sampled every %s: who waits; not known: waits that ended",
	.sampled = sampled,
	.unknown = unknown,
};

const struct report report_netpoll = {
	.name = "netpoll",
	.armed = &armed,
	.unarmed = &unarmed,
	.state_bytes = sizeof(struct interval_state),
	.text = text,
	.text_totals = netpoll_text_totals,
	.json_type = "tick",
	.json = netpoll_json,
	.json_totals = netpoll_json_totals,
};
