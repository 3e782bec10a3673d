/* SPDX-License-Identifier: MIT */
/*
 * json.c - how every report for programs begins and ends: one object a line, `lost` in every one, null
 * for what is not known. The promise is schema/ (JSON Schema, also `gotrace schema NAME`); whoever
 * changes a member changes it there.
 */
#include "../model/brief.h"
#include "../syscalls.h"
#include "formats.h"

#define SCHEMA_VERSION 1

void json_uint_or_null(struct json *j, const char *key, bool is_known, uint64_t v)
{
	if (is_known)
		json_uint(j, key, v);
	else
		json_null(j, key);
}

static struct json *object_begin(struct view *v, const char *type)
{
	json_open(&v->json, NULL, '{');
	json_text(&v->json, "type", type);
	return &v->json;
}

static void object_end(struct view *v, const struct model *m)
{
	json_uint(&v->json, "lost", model_lost(m, 0));
	json_close(&v->json);
}

static void put_names(struct json *j, const char *key, const char *const *names)
{
	json_open(j, key, '[');
	for (; names && *names; names++)
		json_text(j, NULL, *names);
	json_close(j);
}

static void begin(struct view *v, const struct model *m)
{
	const struct view_head *h = &v->head;
	const struct report_truth *truth = h->armed ? v->report->armed : v->report->unarmed;
	bool has_why = h->why_not_higher && h->why_not_higher[0];
	struct json *j = object_begin(v, "begin");

	json_uint(j, "version", SCHEMA_VERSION);
	json_text(j, "report", v->report->name);
	json_int(j, "pid", h->pid);
	json_text(j, "comm", h->comm);
	json_text(j, "runtime", h->runtime);
	json_int(j, "level", h->level);
	json_text(j, "why_not_higher", has_why ? h->why_not_higher : NULL);
	json_int(j, "armed", h->armed);
	json_int(j, "wanted", h->wanted);
	json_bool(j, "has_iterator", h->has_iterator);
	json_bool(j, "is_recorded", h->is_recorded);
	json_int(j, "interval_ns", h->interval_ns);
	put_names(j, "exact", truth->exact);
	put_names(j, "sampled", truth->sampled);
	put_names(j, "unknown", truth->unknown);
	json_text(j, "note", h->note);
	object_end(v, m);
	fflush(v->out);
}

static void row(struct view *v, const struct model *m)
{
	struct json *j = object_begin(v, v->report->json_type);

	v->report->json(v, j, m);
	object_end(v, m);
}

static void put_fault(struct json *j, const struct model *m, const struct model_thread *t)
{
	if (!t->fault_addr || !brief_is_in_page_fault(m, t)) {
		json_null(j, "fault");
		return;
	}
	json_open(j, "fault", '{');
	json_uint(j, "address", t->fault_addr);
	json_text(j, "mapping", model_text(m, GRT_TEXT_MAPPING, t->fault_addr));
	json_close(j);
}

void json_call(struct json *j, const char *key, const struct model *m, const struct model_thread *t)
{
	const struct syscall_desc *d = syscall_desc(t->nr);
	char text[CALL_BYTES];

	call_text(text, sizeof(text), m, t);
	if (!text[0]) {
		json_null(j, key);
		return;
	}
	json_open(j, key, '{');
	json_text(j, "text", text);
	json_uint_or_null(j, "nr", t->nr >= 0, (uint64_t)t->nr);
	json_text(j, "name", d ? d->name : NULL);
	json_uint_or_null(j, "foreign", t->nr == GRT_NR_FOREIGN, t->call_arg);
	if (t->has_args) {
		json_open(j, "args", '[');
		for (int i = 0; i < GRT_REC_ARGS; i++)
			json_uint(j, NULL, t->args[i]);
		json_close(j);
	} else {
		json_null(j, "args");
	}
	put_fault(j, m, t);
	json_close(j);
}

static void put_times(struct json *j, const struct hist *h)
{
	json_uint_or_null(j, "handoff_p50_ns", h->n, hist_quantile(h, 0.5));
	json_uint_or_null(j, "handoff_p99_ns", h->n, hist_quantile(h, 0.99));
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
	json_uint_or_null(j, "handoff_max_ns", r->handoff_ns.n, r->handoff_ns.max);
	json_close(j);
}

static void put_since_start(struct json *j, const struct model *m)
{
	const struct model_snap *s = model_snap(m);

	if (!model_has_snapshot(m)) {
		json_null(j, "since_start");
		return;
	}
	json_open(j, "since_start", '{');
	json_uint(j, "handoffs", s->handoffs);
	json_uint(j, "retakes", s->retakes);
	json_uint(j, "slow_exits", s->slow_exits);
	json_uint(j, "given_up", s->self_blocks);
	json_uint(j, "threads_made", s->threads_made);
	json_uint(j, "threads_gone", s->threads_gone);
	json_close(j);
}

static void put_cost(struct json *j, const struct model *m)
{
	const struct model_cost *c = model_cost(m);

	if (!c->is_known) {
		json_null(j, "cost");
		return;
	}
	json_open(j, "cost", '{');
	json_uint(j, "probe_hits", c->hits);
	json_uint(j, "probe_hits_ns", c->hits_ns);
	json_uint(j, "bpf_ns", c->bpf_ns);
	json_uint(j, "target_cpu_ns", c->target_ns);
	json_uint(j, "own_cpu_ns", c->own_ns);
	json_uint(j, "shed", c->shed);
	json_uint(j, "armed_permill", c->armed_permill);
	json_close(j);
}

static void totals(struct view *v, const struct model *m, const struct view_end *e)
{
	struct json *j;

	if (v->report->json_totals) {
		v->report->json_totals(v, object_begin(v, "totals"), m, e);
		object_end(v, m);
	}
	j = object_begin(v, "end");
	json_text(j, "why", view_why_word(e->why));
	json_uint(j, "rows", e->rows);
	json_uint(j, "observed_ns", e->observed_ns);
	if (v->head.armed)
		put_seen(j, m);
	else
		json_null(j, "seen");
	put_since_start(j, m);
	json_text(j, "law_broken", e->law_broken);
	json_uint(j, "probe_hits", e->probe_hits);
	put_cost(j, m);
	json_open(j, "lost_by", '{');
	for (int i = 1; i < MODEL_LOSSES; i++)
		json_uint(j, view_loss_word((enum grt_loss)i), model_lost(m, (enum grt_loss)i));
	json_close(j);
	object_end(v, m);
}

const struct format format_json = {
	.begin = begin,
	.row = row,
	.totals = totals,
};
