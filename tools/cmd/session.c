/* SPDX-License-Identifier: MIT */
/*
 * session.c - see session.h. A tick: snapshot, tell the model the time, show. Between ticks the source
 * hands over events. Nothing here knows whether a source is a process or a file, but for how it is
 * opened.
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "../diag.h"
#include "../view/fmt.h"
#include "start.h"

#define SEC_NS 1000000000ll
#define SCREEN_COLUMNS 80 /* where there is no screen */
#define STACKS_REST 20    /* stacks in case take one part of so many of our time */

struct session_opts session_opts = { .max_overhead_ppm = SESSION_UNSET };

struct session {
	const struct verb *verb;
	struct target *target; /* NULL: a file */
	struct source *source;
	struct model *model;
	struct view *view;
	struct started started; /* pid 0: we did not start it */
	uint64_t rows, begin_ns;
	char note[256];
	bool has_begun;
	bool is_last_row; /* a recording of which only that is shown */
	bool has_stacks;  /* the newest snapshot */
	uint64_t stacks_next_ns;
};

static uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SEC_NS + (uint64_t)ts.tv_nsec;
}

static unsigned int screen_size(unsigned int *ret_lines)
{
	struct winsize w;

	*ret_lines = 0;
	if (!isatty(STDOUT_FILENO))
		return SCREEN_COLUMNS;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return SCREEN_COLUMNS;
	*ret_lines = w.ws_row;
	return w.ws_col;
}

static void emit(void *arg, const struct grt_rec *rec)
{
	struct session *s = arg;

	if (s->verb->tap)
		s->verb->tap->record(s->verb->tap_arg, rec);
	model_apply(s->model, rec);
}

static void note_add(struct session *s, const char *text)
{
	size_t n = strlen(s->note);

	snprintf(s->note + n, sizeof(s->note) - n, "%s%s", n ? "; " : "", text);
}

/* What the first snapshot says of the time before it. */
static void note_missed(struct session *s, const struct source_status *st)
{
	const struct model_snap *snap = model_snap(s->model);
	const char *recorded = model_text(s->model, GRT_TEXT_ABOUT, GRT_ABOUT_NOTE);
	char text[256];

	if (recorded && st->is_recorded) {
		/* Of a file: it may hold anything. */
		fmt_clean(text, sizeof(text), recorded, sizeof(text));
		note_add(s, text);
	}
	if (st->is_replaced)
		note_add(
			s,
			"its file was replaced or deleted on disk: the running image is what is read");
	if (st->is_stopped && !s->started.pid)
		note_add(s, "it is stopped");
	if (!s->started.pid)
		return;
	if (snap->procs == 0) {
		note_add(s, "attached before its runtime started: nothing was missed");
		return;
	}
	snprintf(text, sizeof(text),
		 "attached after its runtime started: %llu hand-offs and %llu threads came before",
		 (unsigned long long)snap->handoffs, (unsigned long long)snap->threads_made);
	note_add(s, text);
}

static void begin(struct session *s)
{
	struct source_status st;
	struct view_head h = { 0 };

	s->source->ops->status(s->source, &st);
	note_missed(s, &st);
	h.pid = st.pid;
	h.comm = st.comm;
	h.runtime = st.runtime;
	h.interval_ns = st.interval_ns ? st.interval_ns : session_opts.interval_ns;
	h.is_recorded = st.is_recorded;
	h.level = st.level;
	h.armed = st.armed;
	h.wanted = st.wanted;
	h.has_iterator = st.has_iterator;
	h.why_not_higher = st.why_not_higher;
	h.note = s->note[0] ? s->note : NULL;
	view_begin(s->view, s->model, &h);
	s->has_begun = true;
}

/* Take a snapshot and settle what came before it, at the time that it says. */
static int snapshot(struct session *s)
{
	int rc = s->source->ops->snapshot(s->source, emit, s);

	s->has_stacks = false;
	if (rc == 0 && model_has_snapshot(s->model))
		model_tick(s->model, model_snap(s->model)->settle_ns);
	return rc;
}

/* Of the newest snapshot, if the judge wants them. */
static void stacks_take(struct session *s, bool is_last)
{
	const struct session_judge *j = s->verb->judge;
	enum session_stacks wanted = SESSION_NO_STACKS;
	uint64_t start_ns = clock_now(), end_ns;

	if (j && j->stacks && s->source->ops->stacks && !s->has_stacks)
		wanted = j->stacks(s->verb->judge_arg, s->model);
	if (wanted == SESSION_NO_STACKS ||
	    (wanted == SESSION_STACKS_IN_CASE && !is_last && start_ns < s->stacks_next_ns))
		return;
	s->source->ops->stacks(s->source, emit, s);
	model_note_stacks(s->model);
	s->has_stacks = true;
	end_ns = clock_now();
	s->stacks_next_ns = end_ns + (end_ns - start_ns) * STACKS_REST;
}

/* One tick. 0, or -errno of the source. */
static int tick(struct session *s)
{
	int rc = snapshot(s);
	bool is_first;

	if (rc < 0)
		return rc;
	is_first = !s->has_begun;
	if (is_first)
		begin(s);
	if (s->verb->tap)
		s->verb->tap->tick(s->verb->tap_arg, is_first && s->note[0] ? s->note : NULL);
	if (!model_has_snapshot(s->model))
		return 0;
	stacks_take(s, false);
	if (s->verb->judge)
		s->verb->judge->look(s->verb->judge_arg, s->model);
	if (!session_opts.is_silent && !s->is_last_row)
		view_row(s->view, s->model);
	s->rows++;
	return 0;
}

static bool is_enough(const struct session *s)
{
	if (s->verb->tap && s->verb->tap->is_enough(s->verb->tap_arg))
		return true;
	/* A command that we started is seen to its end. */
	if (s->verb->judge && !s->started.pid && s->verb->judge->is_sure(s->verb->judge_arg))
		return true;
	return session_opts.rows && s->rows >= session_opts.rows && !s->is_last_row;
}

/* When the time that was asked for is over; a recording's own time counts, not ours. */
static bool is_over(const struct session *s, uint64_t next_ns)
{
	uint64_t for_ns = (uint64_t)session_opts.for_ns;

	if (!for_ns)
		return false;
	if (!s->target)
		return model_snap(s->model)->time_ns >= s->begin_ns + for_ns;
	return next_ns > s->begin_ns + for_ns;
}

/* Ticks until asked to stop; ticks that could not be kept are left out, not caught up with. */
static int watch(struct session *s)
{
	uint64_t next_ns = clock_now(), interval_ns = (uint64_t)session_opts.interval_ns;
	uint64_t end_ns = s->begin_ns + (uint64_t)session_opts.for_ns;
	int rc;

	for (;;) {
		rc = tick(s);
		if (s->started.pid && s->rows <= 1)
			start_release(&s->started);
		if (!s->target && s->rows <= 1)
			s->begin_ns = model_snap(s->model)->time_ns;
		if (rc < 0 || is_enough(s))
			return rc;
		if (ferror(stdout))
			return source_was_signalled() ? -EINTR : 0;
		next_ns += interval_ns;
		if (next_ns < clock_now())
			next_ns = clock_now() + interval_ns;
		if (s->target && is_over(s, next_ns) && next_ns - interval_ns < end_ns)
			next_ns = end_ns; /* a last, shorter one */
		else if (is_over(s, next_ns))
			return 0;
		rc = s->source->ops->wait(s->source, s->target ? (int64_t)next_ns : INT64_MAX, emit,
					  s);
		if (rc < 0)
			return rc;
	}
}

/* A recording has its own clock. */
static uint64_t observed_ns(const struct session *s, const struct source_status *st)
{
	uint64_t now = s->target ? clock_now() : st->last_ns;

	return now > s->begin_ns ? now - s->begin_ns : 0;
}

static void show_last_row(struct session *s)
{
	view_row(s->view, s->model);
	s->rows = 1;
}

static void finish(struct session *s, enum view_why why, bool has_failed)
{
	char law[256];
	struct source_status st;
	struct view_end e = { .why = why, .has_failed = has_failed };

	/* What happened since the last tick belongs to the totals, too. */
	if (why == VIEW_SIGNAL && s->target)
		snapshot(s);
	/* Events that the last snapshot has counted stand behind it. */
	if (why == VIEW_ASKED && !s->target && model_has_snapshot(s->model))
		s->source->ops->wait(s->source, (int64_t)model_snap(s->model)->time_ns, emit, s);
	if (s->verb->tap)
		s->verb->tap->end(s->verb->tap_arg, why);
	if (s->is_last_row && s->rows)
		show_last_row(s);
	e.rows = s->rows;
	/* Nothing more will come: what is held back for ordering is settled. */
	model_tick(s->model, UINT64_MAX);
	s->source->ops->status(s->source, &st);
	e.observed_ns = observed_ns(s, &st);
	if (model_law_broken(s->model, law, sizeof(law)))
		e.law_broken = law;
	e.probe_hits = st.probe_hits;
	/* What is judged at the end is shown as of the last look, if that can still be asked. */
	if (!has_failed && (why == VIEW_ASKED || why == VIEW_SIGNAL) &&
	    model_has_snapshot(s->model))
		stacks_take(s, true);
	if (s->verb->judge)
		s->verb->judge->end(s->verb->judge_arg, s->model, &st, &e);
	if (s->has_begun)
		view_totals(s->view, s->model, &e);
}

static enum view_why why_of(int rc)
{
	switch (rc) {
	case -EINTR:
		return VIEW_SIGNAL;
	case -ESRCH:
		return VIEW_EXITED;
	case -ESTALE:
		return VIEW_REPLACED;
	}
	return VIEW_ASKED;
}

/* Who is opened again after an exec is looked at then. */
static bool is_opened_again(const struct verb *v, enum view_why why)
{
	return why == VIEW_REPLACED && !v->tap && !v->judge;
}

/* There was no first look: that must not look like a process of which there is nothing to say. */
static int never_seen(const struct session *s, enum view_why why)
{
	if (why == VIEW_SIGNAL || is_opened_again(s->verb, why))
		return EXIT_FINE;
	/* Of a damaged one that was said. */
	if (!s->target && model_lost(s->model, 0))
		return EXIT_FINE;
	if (!s->target)
		return diag_error(EXIT_NO_TARGET,
				  "cannot show the recording: it ends before the first look");
	return diag_error(EXIT_NO_TARGET,
			  "cannot watch pid %d (%s): it has %s before the first look",
			  s->target->pid, s->target->comm,
			  why == VIEW_REPLACED ? "started another program" : "ended");
}

/* One image of the process, from attach to detach; or a recording. */
static int session_run(struct session *s, enum view_why *ret_why)
{
	int code = EXIT_FINE, rc;

	s->begin_ns = clock_now();
	rc = watch(s);
	*ret_why = why_of(rc);
	if (rc < 0 && *ret_why == VIEW_ASKED && rc != -ENODATA)
		code = diag_error(EXIT_SYSTEM, "cannot read pid %d: %s",
				  s->target ? s->target->pid : 0, strerror(-rc));
	finish(s, *ret_why, code != EXIT_FINE);
	if (code == EXIT_FINE && !s->has_begun)
		code = never_seen(s, *ret_why);
	if (code == EXIT_FINE && model_lost(s->model, 0))
		code = EXIT_LOST;
	return code;
}

static bool session_init(struct session *s)
{
	struct view_opts o = {
		.format = session_opts.json ? VIEW_JSON : s->verb->format,
		.report_opts = s->verb->report_opts,
	};

	o.columns = screen_size(&o.lines);
	s->model = model_new();
	s->view = view_new(stdout, s->verb->report, &o);
	return s->model && s->view;
}

static int tap_begin(struct session *s)
{
	struct source_status st;

	if (!s->verb->tap)
		return EXIT_FINE;
	s->source->ops->status(s->source, &st);
	return s->verb->tap->begin(s->verb->tap_arg, s->target, &st);
}

static int source_open(struct session *s)
{
	struct source_opts want = s->verb->want;
	int code = EXIT_FINE;

	want.max_overhead_ppm = session_opts.max_overhead_ppm;
	/* One look needs no event. */
	if (session_opts.sample || (session_opts.rows == 1 && !s->verb->needs_events)) {
		want.sample_only = session_opts.sample;
		want.kinds = 0;
		want.want_switches = false;
	}
	s->source = source_live_open(s->target, &want, &code);
	return code;
}

/* Of a process, or (t is NULL) of a recording. */
static int session_of(const struct verb *v, struct target *t, struct source *recording,
		      struct started *started, enum view_why *ret_why)
{
	struct session s = {
		.verb = v,
		.target = t,
		.source = recording,
		.is_last_row = recording && v->is_last_row && session_opts.rows == 1,
	};
	int code = EXIT_FINE;

	if (started)
		s.started = *started;
	if (!session_init(&s))
		code = diag_error(EXIT_SYSTEM, "out of memory");
	else if (t)
		code = source_open(&s);
	if (code == EXIT_FINE)
		code = tap_begin(&s);
	if (code == EXIT_FINE)
		code = session_run(&s, ret_why);
	if (s.source)
		s.source->ops->close(s.source);
	view_free(s.view);
	model_free(s.model);
	if (t)
		target_close(t);
	return code;
}

/* An exec starts over with the new image. What was lost of the old one stays lost. */
int session_study(const struct verb *v, struct target *t, struct started *started)
{
	enum view_why why = VIEW_ASKED;
	bool has_lost = false;
	pid_t pid = t->pid;
	int code;

	for (;;) {
		code = session_of(v, t, NULL, started, &why);
		has_lost |= code == EXIT_LOST;
		if (!is_opened_again(v, why) || (code != EXIT_FINE && code != EXIT_LOST))
			break;
		why = VIEW_ASKED;
		started = NULL;
		t = target_open(pid, &code);
		if (!t)
			break;
	}
	return code == EXIT_FINE && has_lost ? EXIT_LOST : code;
}

int session_replay(const struct verb *v, struct source *recording)
{
	enum view_why why = VIEW_ASKED;

	return session_of(v, NULL, recording, NULL, &why);
}
