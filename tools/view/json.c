/* SPDX-License-Identifier: MIT */
/*
 * json.c - the view for programs: one object a line, `lost` in every one, null for what is not
 * known. The promise is schema.md (a JSON schema); whoever changes a member changes it there.
 */
#include <stdlib.h>

#include "../json.h"
#include "view.h"

#define SCHEMA_VERSION 1

struct json_view {
	struct view v; /* first */
	struct json j;
};

static struct json *json_of(struct view *v)
{
	return &((struct json_view *)v)->j;
}

static void object_begin(struct json *j, const char *type)
{
	json_open(j, NULL, '{');
	json_text(j, "type", type);
}

static void object_end(struct view *v, const struct model *m)
{
	v->ops->lost(v, m);
	json_close(json_of(v));
	fflush(v->out);
}

static void lost(struct view *v, const struct model *m)
{
	json_uint(json_of(v), "lost", model_lost(m, 0));
}

static void put_names(struct json *j, const char *key, const char *const *names)
{
	json_open(j, key, '[');
	for (; *names; names++)
		json_text(j, NULL, *names);
	json_close(j);
}

static void put_uint_or_null(struct json *j, const char *key, bool is_known, uint64_t v)
{
	if (is_known)
		json_uint(j, key, v);
	else
		json_null(j, key);
}

/* What rests on probes, what on the runtime's own counters, and what is read at each tick. */
static void put_exactness(struct json *j, const struct view_head *h)
{
	static const char *const exact[] = { "states.blocked", "interval", NULL };
	static const char *const exact_sampled[] = { "interval.handoffs", "interval.retakes",
						     "interval.threads_made",
						     "interval.threads_gone", NULL };
	static const char *const sampled[] = { "threads",    "states",         "procs", "run_queue",
					       "goroutines", "netpoll_parked", NULL };
	static const char *const unknown[] = { "interval.handoff_p50_ns", "interval.handoff_p99_ns",
					       NULL };

	put_names(j, "exact", h->armed ? exact : exact_sampled);
	put_names(j, "sampled", sampled);
	put_names(j, "unknown", h->armed ? unknown + 2 : unknown);
}

static void begin(struct view *v, const struct model *m, const struct view_head *h)
{
	struct json *j = json_of(v);
	bool has_why = h->why_not_higher && h->why_not_higher[0];

	v->head = *h;
	object_begin(j, "begin");
	json_uint(j, "version", SCHEMA_VERSION);
	json_int(j, "pid", h->pid);
	json_text(j, "comm", h->comm);
	json_text(j, "runtime", h->runtime);
	json_int(j, "level", h->level);
	json_text(j, "why_not_higher", has_why ? h->why_not_higher : NULL);
	json_int(j, "armed", h->armed);
	json_int(j, "wanted", h->wanted);
	json_bool(j, "has_iterator", h->has_iterator);
	json_int(j, "interval_ns", h->interval_ns);
	put_exactness(j, h);
	json_text(j, "note", h->note);
	object_end(v, m);
}

static void put_times(struct json *j, const struct hist *h)
{
	put_uint_or_null(j, "handoff_p50_ns", h->n, hist_quantile(h, 0.5));
	put_uint_or_null(j, "handoff_p99_ns", h->n, hist_quantile(h, 0.99));
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

static void header(struct view *v, const struct model *m)
{
	(void)v;
	(void)m;
}

static void row(struct view *v, const struct model *m)
{
	const struct model_snap *s = model_snap(m);
	struct json *j = json_of(v);

	object_begin(j, "tick");
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
	json_uint(j, "rows_torn", s->torn);
	json_uint(j, "snapshot_ns", s->duration_ns);
	object_end(v, m);
}

static void put_call(struct view *v, const struct model_thread *t)
{
	struct json *j = json_of(v);
	char text[CALL_BYTES];

	call_text(text, sizeof(text), t, v->names);
	if (!text[0]) {
		json_null(j, "call");
		return;
	}
	json_open(j, "call", '{');
	json_text(j, "text", text);
	put_uint_or_null(j, "nr", t->nr >= 0, (uint64_t)t->nr);
	json_text(j, "name", call_name(t->nr));
	put_uint_or_null(j, "foreign", t->nr == GRT_NR_FOREIGN, t->call_arg);
	if (t->has_args) {
		json_open(j, "args", '[');
		for (int i = 0; i < GRT_REC_ARGS; i++)
			json_uint(j, NULL, t->args[i]);
		json_close(j);
	} else {
		json_null(j, "args");
	}
	json_close(j);
}

static void put_thread(struct view *v, const struct model_thread *t, uint64_t now_ns)
{
	struct json *j = json_of(v);
	char kernel_state[2] = { t->kernel_state, '\0' };
	uint64_t for_ns = now_ns > t->since_ns ? now_ns - t->since_ns : 0;

	json_open(j, NULL, '{');
	put_uint_or_null(j, "m", t->m >= 0, (uint64_t)t->m);
	json_uint(j, "tid", t->tid);
	json_text(j, "state", view_state_word(t->state));
	put_uint_or_null(j, "for_ns", t->since_ns, for_ns);
	json_bool(j, "for_at_least", t->attr & GRT_MA_SINCE_AT_LEAST);
	put_uint_or_null(j, "g", t->g, t->g);
	put_uint_or_null(j, "p", t->p >= 0, (uint64_t)t->p);
	json_text(j, "kernel_state", t->kernel_state ? kernel_state : NULL);
	json_bool(j, "waits_for_cpu", t->attr & GRT_MA_WAITING);
	put_call(v, t);
	json_close(j);
}

static void by_m(struct view *v, const struct model *m)
{
	uint64_t now_ns = model_snap(m)->time_ns;
	const struct model_thread *all;
	size_t n = model_threads(m, &all), *order = view_threads_sorted(m);
	struct json *j = json_of(v);

	object_begin(j, "by_m");
	json_uint(j, "time_ns", now_ns);
	json_open(j, "ms", '[');
	for (size_t i = 0; order && i < n; i++)
		put_thread(v, &all[order[i]], now_ns);
	json_close(j);
	free(order);
	object_end(v, m);
}

static void put_seen(struct json *j, const struct model *m)
{
	const struct model_rates *r = model_totals(m);

	json_open(j, "seen", '{');
	json_uint(j, "handoffs", r->handoffs);
	json_uint(j, "retakes", r->retakes);
	json_uint(j, "threads_made", r->threads_made);
	json_uint(j, "threads_gone", r->threads_gone);
	put_times(j, &r->handoff_ns);
	put_uint_or_null(j, "handoff_max_ns", r->handoff_ns.n, r->handoff_ns.max);
	json_close(j);
}

static void totals(struct view *v, const struct model *m, const struct view_end *e)
{
	const struct model_snap *s = model_snap(m);
	struct json *j = json_of(v);

	object_begin(j, "end");
	json_text(j, "why", view_why_word(e->why));
	json_uint(j, "rows", e->rows);
	json_uint(j, "observed_ns", e->observed_ns);
	if (v->head.armed)
		put_seen(j, m);
	else
		json_null(j, "seen");
	if (model_has_snapshot(m)) {
		json_open(j, "since_start", '{');
		json_uint(j, "handoffs", s->handoffs);
		json_uint(j, "retakes", s->retakes);
		json_uint(j, "slow_exits", s->slow_exits);
		json_uint(j, "given_up", s->self_blocks);
		json_uint(j, "threads_made", s->threads_made);
		json_uint(j, "threads_gone", s->threads_gone);
		json_close(j);
	} else {
		json_null(j, "since_start");
	}
	json_text(j, "law_broken", e->law_broken);
	json_uint(j, "probe_hits", e->probe_hits);
	json_open(j, "lost_by", '{');
	for (int i = 1; i < MODEL_LOSSES; i++)
		json_uint(j, view_loss_word((enum grt_loss)i), model_lost(m, (enum grt_loss)i));
	json_close(j);
	object_end(v, m);
}

static void end(struct view *v)
{
	fflush(v->out);
	free(v);
}

static const struct view_ops json_ops = {
	.begin = begin,
	.header = header,
	.row = row,
	.by_m = by_m,
	.totals = totals,
	.lost = lost,
	.end = end,
};

struct view *view_json_new(FILE *out, const struct call_names *names)
{
	struct json_view *jv = calloc(1, sizeof(*jv));

	if (!jv)
		return NULL;
	jv->v.ops = &json_ops;
	jv->v.out = out;
	jv->v.names = names;
	json_init(&jv->j, out);
	return &jv->v;
}
