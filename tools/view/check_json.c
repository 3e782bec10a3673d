/* SPDX-License-Identifier: MIT */
/* check_json.c - the report of `gotrace check` for programs: schema/check.json. */
#include "check_formats.h"
#include "handoff.h"

static void put_text(struct json *j, const char *key, const char *text)
{
	json_text(j, key, text[0] ? text : NULL);
}

static void put_heir(struct json *j, const struct check_thread *t)
{
	if (!t->has_heir) {
		json_null(j, "heir");
		return;
	}
	json_open(j, "heir", '{');
	json_uint_or_null(j, "m", t->heir_m >= 0, (uint64_t)t->heir_m);
	json_uint_or_null(j, "after_ns", t->heir_m >= 0, t->heir_ns);
	json_close(j);
}

static void put_thread(struct json *j, const struct check_thread *t)
{
	char call[CALL_BYTES];

	check_call(call, t);
	json_open(j, NULL, '{');
	json_uint_or_null(j, "m", t->m >= 0, (uint64_t)t->m);
	json_uint_or_null(j, "tid", t->tid, t->tid);
	json_uint_or_null(j, "g", t->g, t->g);
	json_uint_or_null(j, "p", t->p >= 0, (uint64_t)t->p);
	json_text(j, "state", view_state_word(t->state));
	json_bool(j, "is_over", !t->tid);
	json_uint_or_null(j, "for_ns", t->has_for, t->for_ns);
	json_bool(j, "at_least", t->has_for && t->is_least);
	json_text(j, "call", call);
	json_uint_or_null(j, "fd", t->fd >= 0, (uint64_t)t->fd);
	put_text(j, "fd_name", t->fd_name);
	put_heir(j, t);
	json_open(j, "stack", '[');
	for (size_t i = 0; i < t->frames; i++)
		json_text(j, NULL, t->frame[i]);
	json_close(j);
	json_close(j);
}

static void put_handoff(struct json *j, const struct check_handoff *h)
{
	char call[HANDOFF_CALL_BYTES];

	if (!h->is_set) {
		json_null(j, "slowest");
		return;
	}
	json_open(j, "slowest", '{');
	json_int(j, "p", h->p);
	json_int(j, "from_m", h->from_m);
	json_int(j, "to_m", h->to_m);
	json_uint_or_null(j, "g", h->g, h->g);
	json_text(j, "call", handoff_call_word(call, h->nr));
	json_uint(j, "detect_ns", h->detect_ns);
	json_uint(j, "dispatch_ns", h->dispatch_ns);
	json_uint(j, "total_ns", h->total_ns);
	json_close(j);
}

static void put_check(struct json *j, const struct check_result *r)
{
	bool is_violated = r->answer == CHECK_VIOLATED;

	json_open(j, NULL, '{');
	json_text(j, "expression", r->text);
	json_text(j, "quantity", r->quantity);
	json_text(j, "operator", r->op);
	json_text(j, "unit", check_unit_word(r->unit));
	json_uint(j, "bound", r->bound);
	json_text(j, "answer", check_answer_word(r->answer));
	json_text(j, "why", r->why);
	json_uint_or_null(j, "value", r->has_value, r->value);
	json_uint_or_null(j, "samples", r->has_samples, r->samples);
	json_uint_or_null(j, "after_ns", is_violated, r->after_ns);
	json_open(j, "threads", '[');
	for (size_t i = 0; i < r->threads; i++)
		put_thread(j, &r->thread[i]);
	json_close(j);
	json_uint(j, "threads_more", r->threads_more);
	put_handoff(j, &r->handoff);
	json_close(j);
}

/* A document has no rows. */
void check_json(struct view *v, struct json *j, const struct model *m)
{
	(void)v;
	(void)j;
	(void)m;
}

void check_json_totals(struct view *v, struct json *j, const struct model *m,
		       const struct view_end *e)
{
	const struct check_results *all = v->opts;

	(void)m;
	(void)e;
	json_uint(j, "looks", all->looks);
	for (int i = 0; i < CHECK_ANSWERS; i++)
		json_uint(j, check_answer_word((enum check_answer)i),
			  check_count(all, (enum check_answer)i));
	json_open(j, "checks", '[');
	for (size_t i = 0; i < all->n; i++)
		put_check(j, &all->row[i]);
	json_close(j);
}
