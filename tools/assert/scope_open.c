/* SPDX-License-Identifier: MIT */
/* scope_open.c - see scope_open.h. What gotrace would tell its user is kept for gotrace_why. */
#include "scope_open.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "../diag.h"
#include "sink_source.h"

#define WHY_BYTES 512
#define KIND(name) (1ull << GRT_K_##name)
#define KINDS                                                                          \
	(KIND(m_new) | KIND(m_start) | KIND(m_exit) | KIND(exitsyscall_slow) |         \
	 KIND(entersyscallblock) | KIND(retake) | KIND(handoff) | KIND(handoff_done) | \
	 KIND(procs_change))

static __thread char why[WHY_BYTES];

void scope_why(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
}

const char *gotrace_why(void)
{
	return why;
}

struct gotrace_target gotrace_self(void)
{
	return (struct gotrace_target){ .via = GOTRACE_VIA_SINK, .pid = getpid() };
}

struct gotrace_target gotrace_process(pid_t pid)
{
	return (struct gotrace_target){ .via = GOTRACE_VIA_BPF, .pid = pid };
}

struct gotrace_target gotrace_recording(const char *path)
{
	return (struct gotrace_target){ .via = GOTRACE_VIA_FILE, .path = path };
}

static struct source *open_bpf(struct target *t)
{
	const struct source_opts o = { .kinds = KINDS,
				       .want_switches = true,
				       .want_goroutines = true,
				       .want_names = true,
				       .want_stacks = true };
	int code;

	return source_live_open(t, &o, &code);
}

static bool open_live(struct scope_source *s, const struct gotrace_target *t)
{
	int code;

	s->pid = t->pid;
	s->target = target_open(t->pid, &code);
	if (!s->target)
		return false;
	s->source = s->via == GOTRACE_VIA_SINK
			    ? sink_source_open(s->target, KINDS, why, sizeof(why))
			    : open_bpf(s->target);
	return s->source != NULL;
}

/* Is what was opened good for what the test needs? */
static bool suffices(const struct scope_source *s, struct evidence *e, unsigned needs)
{
	struct source_status st;

	s->source->ops->status(s->source, &st);
	e->has_events = s->via == GOTRACE_VIA_SINK || (st.wanted && st.armed == st.wanted);
	e->has_kernel = s->via != GOTRACE_VIA_SINK && st.has_iterator;
	if (s->via == GOTRACE_VIA_BPF && !e->has_events) {
		const char *why_not = st.why_not_higher[0] ? st.why_not_higher
							   : "the kernel did not say why";

		if (st.wanted)
			scope_why("%d of %d probes are armed: %s", st.armed, st.wanted, why_not);
		else
			scope_why("no probe can be armed: %s", why_not);
		return false;
	}
	if ((needs & GOTRACE_NEEDS_KERNEL) && !e->has_kernel) {
		/* Of the sink it says only that it was not asked for more. */
		const char *more = s->via == GOTRACE_VIA_SINK ? "" : st.why_not_higher;

		scope_why("the kernel's view is needed and %s has none%s%s", e->via,
			  more[0] ? ": " : "", more);
		return false;
	}
	return true;
}

bool scope_source_open(struct scope_source *s, struct evidence *e, const struct gotrace_target *t,
		       unsigned needs)
{
	static const char *const via[] = { [GOTRACE_VIA_SINK] = "libgrt's sink",
					   [GOTRACE_VIA_BPF] = "BPF",
					   [GOTRACE_VIA_FILE] = "the recording" };
	int code;

	*s = (struct scope_source){ .via = t->via };
	if (t->via < GOTRACE_VIA_SINK || t->via > GOTRACE_VIA_FILE) {
		scope_why("no such target");
		return false;
	}
	e->via = via[t->via];
	why[0] = '\0';
	diag_capture(why, sizeof(why));
	if (t->via == GOTRACE_VIA_FILE)
		s->source = source_file_open(t->path, &code);
	else
		open_live(s, t);
	diag_capture(NULL, 0);
	if (s->source && suffices(s, e, needs))
		return true;
	scope_source_close(s);
	return false;
}

void scope_source_close(struct scope_source *s)
{
	if (s->source)
		s->source->ops->close(s->source);
	if (s->target)
		target_close(s->target);
	s->source = NULL;
	s->target = NULL;
}
