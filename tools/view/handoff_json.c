/* SPDX-License-Identifier: MIT */
/*
 * handoff_json.c - the report of `gotrace handoff` for programs; schema/handoff.json promises it.
 */
#include <stdlib.h>

#include "../syscalls.h"
#include "formats.h"
#include "handoff.h"
#include "latency.h"

static void put_outcomes(struct json *j, const struct model_handoff_sum *s)
{
	json_uint(j, "handoffs", s->handoffs);
	json_open(j, "outcomes", '{');
	for (int i = 1; i < HANDOFF_OUTCOMES; i++)
		json_uint(j, handoff_outcome_word(i), s->outcome[i]);
	json_close(j);
}

static void put_returns(struct json *j, const struct model_handoff_sum *s)
{
	json_uint(j, "returned", s->returned);
	json_open(j, "back", '{');
	json_uint(j, "old_p", s->back[GRT_EXIT_OLD_P]);
	json_uint(j, "idle_p", s->back[GRT_EXIT_IDLE_P]);
	json_uint(j, "queued", s->back[GRT_EXIT_QUEUED]);
	json_close(j);
	json_uint(j, "early", s->needless);
}

static void put_sum(struct json *j, const struct model_handoff_sum *s)
{
	json_uint(j, "taken", s->taken);
	json_open(j, "starts", '{');
	for (int i = 0; i < MODEL_STARTS; i++)
		json_uint(j, handoff_start_word((enum model_start)i), s->start[i]);
	json_close(j);
	put_outcomes(j, s);
	put_returns(j, s);
	json_latency(j, "detect", &s->detect);
	json_latency(j, "dispatch", &s->dispatch);
	json_latency(j, "total", &s->total);
	json_latency(j, "queued", &s->queued);
}

static void put_counters(struct json *j, const struct model *m)
{
	const struct model_snap *s = model_snap(m);

	json_open(j, "counters", '{');
	json_uint(j, "handoffs", s->handoffs);
	json_uint(j, "retakes", s->retakes);
	json_uint(j, "given_up", s->self_blocks);
	json_uint(j, "slow_exits", s->slow_exits);
	json_close(j);
}

void handoff_json(struct view *v, struct json *j, const struct model *m)
{
	bool is_whole = interval_is_whole(v->state, m, GRT_COLD);

	json_uint(j, "time_ns", model_snap(m)->time_ns);
	json_bool(j, "is_whole", v->head.armed && is_whole);
	if (v->head.armed) {
		json_open(j, "interval", '{');
		put_sum(j, model_handoff_interval(m));
		json_close(j);
	} else {
		json_null(j, "interval");
	}
	put_counters(j, m);
}

static void put_row(struct json *j, const struct model_handoff_sum *s)
{
	const struct syscall_desc *d = syscall_desc(s->nr);
	char call[HANDOFF_CALL_BYTES];

	json_open(j, NULL, '{');
	json_text(j, "call", s->nr == GRT_NR_NONE ? NULL : handoff_call_word(call, s->nr));
	json_uint_or_null(j, "nr", s->nr >= 0, (uint64_t)s->nr);
	json_text(j, "name", d ? d->name : NULL);
	json_bool(j, "is_foreign", s->nr == GRT_NR_FOREIGN);
	json_text(j, "by", handoff_by_word((enum model_by)s->by));
	put_sum(j, s);
	json_close(j);
}

void handoff_json_totals(struct view *v, struct json *j, const struct model *m,
			 const struct view_end *e)
{
	const struct model_handoff_sum *all;
	size_t n, *order = handoff_rows_sorted(m, &n);

	(void)e;
	model_handoff_sums(m, &all);
	if (v->head.armed) {
		json_open(j, "rows", '[');
		for (size_t i = 0; i < n; i++)
			put_row(j, &all[order[i]]);
		json_close(j);
	} else {
		json_null(j, "rows");
	}
	json_uint_or_null(j, "out", v->head.armed, model_handoff_out(m));
	json_uint_or_null(j, "older", v->head.armed, model_handoff_older(m));
	put_counters(j, m);
	free(order);
}
