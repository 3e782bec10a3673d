/* SPDX-License-Identifier: MIT */
/*
 * explain.c - failures that read by themselves: which M, which G, in which call, on what descriptor, for
 * how long, who had the P, with stacks and the last events.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../model/brief.h"
#include "../model/growth.h"
#include "../syscalls.h"
#include "../view/call.h"
#include "../view/fmt.h"
#include "../view/handoff.h"
#include "evidence.h"

#define THREADS_SHOWN 5
#define FRAMES_SHOWN 6
#define NAME_BYTES 32
#define NAMES_BYTES 128 /* of the arguments of a probe */

void explain_reset(struct evidence *e)
{
	e->text[0] = '\0';
}

void explain(struct evidence *e, const char *fmt, ...)
{
	size_t n = strlen(e->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->text + n, sizeof(e->text) - n, fmt, ap);
	va_end(ap);
}

const char *explain_call_name(int32_t nr)
{
	static __thread char unknown[NAME_BYTES];
	const struct syscall_desc *d = syscall_desc(nr);

	if (nr == GRT_NR_FOREIGN)
		return "a foreign function";
	if (d)
		return d->name;
	snprintf(unknown, sizeof(unknown), nr < 0 ? "a call" : "system call %d", nr);
	return unknown;
}

static void put_stack(struct evidence *e, const struct model_frame *f, size_t n)
{
	char where[BRIEF_BYTES];

	/* libgrt's own frames are no news. */
	for (size_t i = 0, shown = 0; i < n && shown < FRAMES_SHOWN; i++) {
		if (f[i].flags & GRT_FRAME_SYSTEM)
			continue;
		shown++;
		brief_pc(where, e->model, f[i].pc);
		explain(e, "      %s\n", where);
	}
}

static void put_heir(struct evidence *e, const struct model_thread *t)
{
	char after[FMT_BYTES];
	uint64_t after_ns;
	int64_t m;

	if (!model_heir(e->model, t, &m, &after_ns))
		return;
	if (m < 0)
		explain(e, "; its P idles");
	else
		explain(e, "; M%" PRId64 " got its P after %s", m, fmt_duration(after, after_ns));
}

/* As of that time. */
static void put_thread(struct evidence *e, const struct model_thread *t, uint64_t now)
{
	char call[CALL_BYTES], since[FMT_BYTES];

	call_text(call, sizeof(call), e->model, t);
	explain(e, "  M%" PRId64 " (tid %u)", t->m, t->tid);
	if (t->g)
		explain(e, ", G%" PRIu64, t->g);
	explain(e, " in %s", call[0] ? call : explain_call_name(t->nr));
	if (t->since_ns && now > t->since_ns)
		explain(e, " for %s%s", t->attr & GRT_MA_SINCE_AT_LEAST ? "at least " : "",
			fmt_duration(since, now - t->since_ns));
	if (t->p >= 0)
		explain(e, "; it holds P%" PRId64, t->p);
	put_heir(e, t);
	explain(e, "\n");
}

void explain_thread(struct evidence *e, const struct model_thread *t)
{
	const struct model_frame *f;
	size_t n = model_stack(e->model, t, GRT_STACK_USER, &f);

	put_thread(e, t, model_snap(e->model)->time_ns);
	put_stack(e, f, n);
}

void explain_hostage(struct evidence *e)
{
	put_thread(e, &e->hostage, e->hostage_seen_ns);
	put_stack(e, e->hostage_frame, e->hostage_nframes);
}

void explain_blocked(struct evidence *e)
{
	const struct model_thread *t;
	size_t n = model_threads(e->model, &t), shown = 0, left = 0;

	for (size_t i = 0; i < n; i++) {
		if (t[i].state != GRT_MS_blocked && t[i].state != GRT_MS_syscall)
			continue;
		if (shown < THREADS_SHOWN)
			explain_thread(e, &t[i]);
		left += shown++ >= THREADS_SHOWN;
	}
	if (left)
		explain(e, "  and %zu more\n", left);
	if (shown == 0)
		explain(e, "  no M is in a call now\n");
}

void explain_past(struct evidence *e)
{
	const struct evidence_past *p = &e->longest;
	char took[FMT_BYTES];

	if (!p->ns)
		return;
	explain(e, "  the longest that is over: M%" PRIu64 ", G%" PRIu64 " in %s for %s\n", p->m,
		p->g, p->call[0] ? p->call : explain_call_name(p->nr), fmt_duration(took, p->ns));
	if (p->where[0])
		explain(e, "      %s\n", p->where);
}

void explain_handoff(struct evidence *e, const struct gotrace_handoff *h)
{
	char taken[FMT_BYTES], had[FMT_BYTES];

	explain(e,
		"  the slowest: P%" PRId64 " of M%" PRId64 ", G%" PRIu64
		" in %s; taken by %s after %s, M%" PRId64 " had it after %s\n",
		h->p, h->from_m, h->g, explain_call_name(h->nr),
		handoff_by_word((enum model_by)h->by),
		fmt_duration(taken, h->taken_ns > h->start_ns ? h->taken_ns - h->start_ns : 0),
		h->to_m, fmt_duration(had, h->done_ns - h->start_ns));
}

/* Its name, and those of its arguments: "(p, m, g)". */
static const char *probe_of(uint16_t kind, const char **ret_args)
{
	switch (kind) {
#define PROBE(nr, name, temp, n, args, doc) \
	case nr:                            \
		*ret_args = #args;          \
		return #name;
#include "../../runtime/probes.def"
#undef PROBE
	}
	*ret_args = "";
	return "?";
}

static const char *word_of(const char *const *word, size_t n, uint64_t value)
{
	return value < n && word[value] ? word[value] : "?";
}

#define WORD(words, value) word_of(words, sizeof(words) / sizeof((words)[0]), value)

static const char *how_word(uint64_t how)
{
	static const char *const word[] = {
		[GRT_EXIT_KEPT] = "kept",
		[GRT_EXIT_OLD_P] = "old-p",
		[GRT_EXIT_IDLE_P] = "idle-p",
		[GRT_EXIT_QUEUED] = "queued",
	};

	return WORD(word, how);
}

static const char *cause_word(uint16_t kind, uint64_t cause)
{
	static const char *const of_handoff[] = {
		[GRT_HANDOFF_RETAKE] = "retake",
		[GRT_HANDOFF_SELF] = "self",
		[GRT_HANDOFF_LOCKED] = "locked",
		[GRT_HANDOFF_EXIT] = "exit",
	};
	static const char *const of_m[] = {
		[GRT_MNEW_HANDOFF] = "handoff",   [GRT_MNEW_WAKEP] = "wake",
		[GRT_MNEW_TEMPLATE] = "template", [GRT_MNEW_LOCK] = "lock",
		[GRT_MNEW_START] = "start",
	};

	return kind == GRT_K_m_new ? WORD(of_m, cause) : WORD(of_handoff, cause);
}

/* A word where the number is one of a list. NULL: it is a number. */
static const char *value_word(uint16_t kind, const char *name, uint64_t v)
{
	if (!strcmp(name, "nr"))
		return explain_call_name((int32_t)v);
	if (v == GRT_NO_ID)
		return "-";
	if (!strcmp(name, "by") && kind == GRT_K_retake)
		return handoff_by_word((enum model_by)v);
	if (!strcmp(name, "outcome") && v < HANDOFF_OUTCOMES)
		return handoff_outcome_word((int)v);
	if (!strcmp(name, "cause"))
		return cause_word(kind, v);
	return !strcmp(name, "how") ? how_word(v) : NULL;
}

static void put_value(struct evidence *e, uint16_t kind, const char *name, uint64_t v)
{
	const char *word = value_word(kind, name, v);
	size_t n = strlen(name);
	char ns[FMT_BYTES];

	if (!word && n > 3 && !strcmp(name + n - 3, "_ns"))
		word = fmt_duration(ns, v);
	if (word)
		explain(e, " %s=%s", name, word);
	else if (n > 4 && !strcmp(name + n - 4, "_ptr"))
		explain(e, " %s=0x%" PRIx64, name, v);
	else
		explain(e, " %s=%" PRIu64, name, v);
}

static void put_event(struct evidence *e, const struct grt_rec *r)
{
	char names[NAMES_BYTES], *save = NULL;
	const char *args;
	int a = 0;

	explain(e, "%s", probe_of(r->kind, &args));
	snprintf(names, sizeof(names), "%s", args);
	for (char *n = strtok_r(names, "(, )", &save); n && a < GRT_REC_ARGS;
	     n = strtok_r(NULL, "(, )", &save))
		put_value(e, r->kind, n, r->arg[a++]);
	explain(e, "\n");
}

void explain_events(struct evidence *e)
{
	uint64_t n = e->nevents < EVIDENCE_EVENTS ? e->nevents : EVIDENCE_EVENTS;
	uint64_t first = e->nevents - n, zero = n ? e->event[first % EVIDENCE_EVENTS].time_ns : 0;

	if (n)
		explain(e, "last %" PRIu64 " event%s:\n", n, n == 1 ? "" : "s");
	for (uint64_t i = first; i < e->nevents; i++) {
		const struct grt_rec *r = &e->event[i % EVIDENCE_EVENTS];

		explain(e, "  %+9.3f ms  tid %u  ", (double)(int64_t)(r->time_ns - zero) / 1e6,
			r->tid);
		put_event(e, r);
	}
}
