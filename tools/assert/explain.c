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
#include "evidence.h"

#define THREADS_SHOWN 5
#define FRAMES_SHOWN 6
#define NAME_BYTES 32

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

static const char *kind_name(uint16_t kind)
{
	switch (kind) {
#define PROBE(nr, name, temp, n, args, doc) \
	case nr:                            \
		return #name #args;
#include "../../runtime/probes.def"
#undef PROBE
	}
	return "?";
}

void explain_events(struct evidence *e)
{
	uint64_t n = e->nevents < EVIDENCE_EVENTS ? e->nevents : EVIDENCE_EVENTS;
	uint64_t first = e->nevents - n, zero = n ? e->event[first % EVIDENCE_EVENTS].time_ns : 0;

	if (n)
		explain(e, "last %" PRIu64 " events:\n", n);
	for (uint64_t i = first; i < e->nevents; i++) {
		const struct grt_rec *r = &e->event[i % EVIDENCE_EVENTS];

		explain(e, "  %+9.3f ms  tid %u  %s =", (double)(int64_t)(r->time_ns - zero) / 1e6,
			r->tid, kind_name(r->kind));
		for (int a = 0; a < GRT_REC_ARGS; a++) {
			if (r->arg[a] == GRT_NO_ID)
				explain(e, " -");
			else
				explain(e, " %" PRId64, (int64_t)r->arg[a]);
		}
		explain(e, "\n");
	}
}
