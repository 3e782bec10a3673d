/* SPDX-License-Identifier: MIT */
/* blocked_json.c - the report of `gotrace blocked` for programs: schema/blocked.json. */
#include "../model/brief.h"
#include "blocked.h"
#include "formats.h"
#include "modules.h"

static void put_text(struct json *j, const char *key, const char *text)
{
	json_text(j, key, text && text[0] ? text : NULL);
}

static void put_for(struct json *j, const char *key, const struct model *m,
		    const struct model_thread *t)
{
	bool is_least, is_known;
	uint64_t ns;

	is_known = blocked_for(m, t, &ns, &is_least);
	json_uint_or_null(j, key, is_known, ns);
	json_bool(j, "at_least", is_known && is_least);
}

static void put_heir(struct json *j, const struct model *m, const struct model_thread *t)
{
	uint64_t ns;
	int64_t heir;

	if (!model_heir(m, t, &heir, &ns)) {
		json_null(j, "heir");
		return;
	}
	json_open(j, "heir", '{');
	json_uint_or_null(j, "m", heir >= 0, (uint64_t)heir);
	json_uint_or_null(j, "after_ns", heir >= 0, ns);
	json_close(j);
}

static void put_descriptor(struct json *j, const struct model *m, const struct model_thread *t)
{
	int fd = blocked_fd(m, t);

	if (fd < 0) {
		json_null(j, "descriptor");
		return;
	}
	json_open(j, "descriptor", '{');
	json_int(j, "fd", fd);
	put_text(j, "name", blocked_fd_text(m, t, GRT_TEXT_FD));
	put_text(j, "kind", blocked_fd_text(m, t, GRT_TEXT_FD_KIND));
	put_text(j, "note", blocked_fd_text(m, t, GRT_TEXT_FD_NOTE));
	json_close(j);
}

static void put_stack(struct json *j, const struct model *m, const struct model_thread *t)
{
	const struct model_frame *f;
	size_t n = model_stack(m, t, GRT_STACK_USER, &f);

	json_open(j, "stack", '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, NULL, '{');
		json_uint(j, "pc", f[i].pc);
		json_text(j, "function", model_text(m, GRT_TEXT_FUNCTION, f[i].pc));
		json_text(j, "line", model_text(m, GRT_TEXT_LINE, f[i].pc));
		json_bool(j, "guessed", f[i].flags & GRT_FRAME_GUESSED);
		json_bool(j, "cut", f[i].flags & GRT_FRAME_CUT);
		json_bool(j, "system", f[i].flags & GRT_FRAME_SYSTEM);
		json_close(j);
	}
	json_close(j);
}

static void put_kernel_stack(struct json *j, const struct model *m, const struct model_thread *t)
{
	const struct model_frame *f;
	size_t n = model_stack(m, t, GRT_STACK_KERNEL, &f);

	json_open(j, "kernel_stack", '[');
	for (size_t i = 0; i < n; i++) {
		const char *name = model_text(m, GRT_TEXT_KERNEL, f[i].pc);

		if (name)
			json_text(j, NULL, name);
	}
	json_close(j);
}

static void put_thread(struct json *j, const struct model *m, const struct model_thread *t)
{
	char kernel_state[2] = { t->kernel_state, '\0' }, where[BRIEF_BYTES];

	brief_where(where, m, t);
	json_open(j, NULL, '{');
	json_uint_or_null(j, "m", t->m >= 0, (uint64_t)t->m);
	json_uint(j, "tid", t->tid);
	json_uint_or_null(j, "g", t->g, t->g);
	json_uint_or_null(j, "p", t->p >= 0, (uint64_t)t->p);
	put_for(j, "for_ns", m, t);
	put_text(j, "kernel_state", kernel_state);
	json_call(j, "call", m, t);
	put_descriptor(j, m, t);
	put_text(j, "wait_point", brief_wait_point(m, t));
	put_text(j, "where", where);
	put_heir(j, m, t);
	put_stack(j, m, t);
	put_kernel_stack(j, m, t);
	json_close(j);
}

static void put_groups(struct json *j, const struct model *m, const struct blocked_list *l)
{
	char call[CALL_BYTES], where[BRIEF_BYTES];

	json_open(j, "groups", '[');
	for (size_t i = 0; i < l->groups.n; i++) {
		const struct group *g = &l->groups.row[i];

		group_call(call, sizeof(call), m, g);
		brief_where(where, m, g->first);
		json_open(j, NULL, '{');
		json_uint(j, "threads", g->n);
		put_text(j, "call", call);
		put_text(j, "where", where);
		json_uint(j, "objects", g->objects);
		put_text(j, "kind", g->kind);
		put_for(j, "longest_ns", m, g->first);
		json_close(j);
	}
	json_close(j);
}

static void put_findings(struct json *j, const struct model *m, const struct blocked_list *l)
{
	json_open(j, "findings", '[');
	for (size_t i = 0; i < l->nfindings; i++) {
		const struct finding *f = &l->finding[i];

		json_open(j, NULL, '{');
		json_text(j, "note", f->note);
		json_uint(j, "threads", f->threads);
		json_uint(j, "longest_tid", f->first->tid);
		json_int(j, "longest_fd", blocked_fd(m, f->first));
		json_close(j);
	}
	json_close(j);
}

static void put_threads(struct json *j, const char *key, const struct model *m,
			const struct model_thread **threads, size_t n)
{
	json_open(j, key, '[');
	for (size_t i = 0; i < n; i++)
		put_thread(j, m, threads[i]);
	json_close(j);
}

void blocked_json(struct view *v, struct json *j, const struct model *m)
{
	struct blocked_list l;

	json_uint(j, "time_ns", model_snap(m)->time_ns);
	if (!blocked_list_make(&l, m, v->opts))
		return;
	json_uint(j, "blocked", l.all_blocked);
	json_uint(j, "goroutines_parked", l.parked);
	json_uint(j, "procs", model_snap(m)->procs);
	json_uint(j, "held_ns", blocked_held_ns(m, &l));
	put_text(j, "why_no_wait_points", blocked_why_no_wait_points(m, &l));
	put_groups(j, m, &l);
	put_threads(j, "ms", m, l.blocked, l.nblocked);
	put_threads(j, "hostages", m, l.hostage, l.nhostages);
	put_findings(j, m, &l);
	modules_json(j, m);
	blocked_list_free(&l);
}
