/* SPDX-License-Identifier: MIT */
/* check_judge.c - see check_judge.h. */
#include "check_judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../view/blocked.h"
#include "../view/fmt.h"

#define PERMILL 1000

bool judge_init(struct judge *j, const struct check_expr *expr, size_t n)
{
	*j = (struct judge){ .expr = expr };
	j->results.row = calloc(n ? n : 1, sizeof(*j->results.row));
	if (!j->results.row)
		return false;
	j->results.n = n;
	for (size_t i = 0; i < n; i++) {
		struct check_result *r = &j->results.row[i];

		r->text = expr[i].text;
		r->quantity = expr[i].quantity->name;
		r->op = check_op_text(expr[i].op);
		r->unit = expr[i].quantity->unit;
		r->bound = expr[i].bound;
		r->has_samples = expr[i].quantity->percentile != 0;
		r->answer = CHECK_INCONCLUSIVE; /* until it is known better */
	}
	return true;
}

void judge_fini(struct judge *j)
{
	free(j->results.row);
	j->results = (struct check_results){ 0 };
}

/* The longest now, of threads as they are shown; 0: there is none. */
static uint64_t longest_of(const struct model *m, enum grt_mstate state)
{
	const struct model_thread *all;
	size_t n = model_threads(m, &all);
	uint64_t max_ns = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_least;
		uint64_t ns;

		if (all[i].state != state || !blocked_for(m, &all[i], &ns, &is_least))
			continue;
		max_ns = ns > max_ns ? ns : max_ns;
	}
	return max_ns;
}

static void max_note(uint64_t *max, uint64_t is)
{
	*max = is > *max ? is : *max;
}

static void slowest_note(struct judge *j, const struct model *m)
{
	const struct model_handoff *h;
	size_t n = model_handoffs(m, &h);

	for (size_t i = 0; i < n; i++) {
		bool has_total = h[i].start_ns && h[i].done_ns > h[i].start_ns;
		uint64_t total_ns = has_total ? h[i].done_ns - h[i].start_ns : 0;

		if (!has_total || (j->slowest.is_set && total_ns <= j->slowest.total_ns))
			continue;
		j->slowest = (struct check_handoff){
			.is_set = true,
			.p = h[i].p,
			.from_m = h[i].from_m,
			.to_m = h[i].to_m,
			.g = h[i].g,
			.detect_ns = check_since(h[i].retake_ns, h[i].start_ns),
			.dispatch_ns = check_since(h[i].done_ns, h[i].retake_ns),
			.total_ns = total_ns,
			.nr = h[i].nr,
		};
	}
}

/* What was seen at this look: kept for the quantities that are the greatest so far. */
static void maxima_note(struct judge *j, const struct model *m, struct model_block *ret_block)
{
	const struct model_snap *s = model_snap(m);

	max_note(&j->blocked_max_ns, longest_of(m, GRT_MS_blocked));
	max_note(&j->hostage_max_ns, longest_of(m, GRT_MS_hostage));
	max_note(&j->runq_max, s->runq);
	slowest_note(j, m);
	*ret_block = (struct model_block){ 0 };
	if (model_block_ended(m, ret_block))
		max_note(&j->blocked_max_ns, ret_block->end_ns - ret_block->start_ns);
}

static bool is_about_hostages(enum check_id id)
{
	return id == CHECK_Q_HOSTAGE || id == CHECK_Q_HOSTAGE_MAX;
}

static bool is_about_handoffs(enum check_id id)
{
	return id >= CHECK_Q_HANDOFF_P50 && id <= CHECK_Q_HANDOFF_MAX;
}

static bool shows_threads(enum check_id id)
{
	return id != CHECK_Q_LOST && id != CHECK_Q_OVERHEAD;
}

/* Who is to blame, as far as it can be seen now. */
static void violation_take(struct judge *j, struct check_result *r, enum check_id id,
			   const struct model *m, const struct model_block *ended)
{
	bool is_over = id == CHECK_Q_BLOCKED_MAX && ended->end_ns &&
		       ended->end_ns - ended->start_ns == r->value;

	if (is_about_handoffs(id))
		r->handoff = j->slowest;
	if (!shows_threads(id))
		return;
	if (is_over)
		violation_block(r, ended);
	else
		violation_threads(r, m, is_about_hostages(id) ? GRT_MS_hostage : GRT_MS_blocked);
}

static void why(struct check_result *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void why(struct check_result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
}

static void violated(struct judge *j, size_t i, const struct model *m,
		     const struct model_block *ended)
{
	const struct check_quantity *q = j->expr[i].quantity;
	struct check_result *r = &j->results.row[i];
	char is[FMT_BYTES], after[FMT_BYTES];

	r->answer = CHECK_VIOLATED;
	r->after_ns = check_since(model_snap(m)->time_ns, j->first_ns);
	check_value(is, q->unit, r->value);
	fmt_duration(after, r->after_ns);
	if (q->percentile)
		why(r, "it is: %s, of %" PRIu64 " measured in %s", is, r->samples, after);
	else if (r->after_ns)
		why(r, "it is: %s, %s after the first look", is, after);
	else
		why(r, "it is: %s, at the first look", is);
	violation_take(j, r, q->id, m, ended);
}

/* Is it too early for this one to be judged? */
static bool is_early(const struct check_expr *e)
{
	if (e->quantity->when == CHECK_SO_FAR)
		return e->op != CHECK_GT && e->op != CHECK_GE;
	return e->quantity->when == CHECK_END;
}

/* Too few, for a percentile. */
static bool is_meagre(const struct check_quantity *q, uint64_t samples)
{
	return q->percentile && samples < hist_samples_min(q->percentile);
}

static bool is_true(struct judge *j, size_t i, const struct model *m)
{
	const struct check_expr *e = &j->expr[i];
	struct check_result *r = &j->results.row[i];

	r->value = check_value_of(j, e->quantity, m, &r->samples);
	r->has_value = true;
	return check_op_is_true(e->op, r->value, e->bound);
}

/* Of a snapshot. More than once does no harm. */
static void note(struct judge *j, const struct model *m, struct model_block *ret_ended)
{
	const struct model_snap *s = model_snap(m);

	if (!j->has_first) {
		j->has_first = true;
		j->first_ns = s->time_ns;
		j->first_threads_made = s->threads_made;
		j->first_handoffs = s->handoffs;
	}
	maxima_note(j, m, ret_ended);
}

/* A call that goes on now may be over, and too long, when we look next: or the time after. */
static bool is_near(const struct check_expr *e, uint64_t longest_ns, uint64_t interval_ns)
{
	return e->quantity->id == CHECK_Q_BLOCKED_MAX && longest_ns &&
	       check_op_is_true(e->op, longest_ns + 2 * interval_ns, e->bound);
}

enum judge_stacks judge_stacks(struct judge *j, const struct model *m, uint64_t interval_ns)
{
	uint64_t longest_ns = longest_of(m, GRT_MS_blocked);
	enum judge_stacks ret = JUDGE_NO_STACKS;
	struct model_block ended;

	note(j, m, &ended);
	for (size_t i = 0; i < j->results.n; i++) {
		const struct check_expr *e = &j->expr[i];
		bool is_so;

		if (j->results.row[i].answer == CHECK_VIOLATED || !shows_threads(e->quantity->id))
			continue;
		is_so = is_true(j, i, m);
		if (is_so && !is_early(e))
			return JUDGE_STACKS_NOW;
		if (is_so || is_near(e, longest_ns, interval_ns))
			ret = JUDGE_STACKS_IN_CASE;
	}
	return ret;
}

/* What one moment is enough for. */
static void look(struct judge *j, const struct model *m, struct model_block *ret_ended)
{
	note(j, m, ret_ended);
	for (size_t i = 0; i < j->results.n; i++)
		if (j->results.row[i].answer != CHECK_VIOLATED && !is_early(&j->expr[i]) &&
		    is_true(j, i, m))
			violated(j, i, m, ret_ended);
}

void judge_look(struct judge *j, const struct model *m)
{
	struct model_block ended;

	j->results.looks++;
	look(j, m, &ended);
}

bool judge_is_sure(const struct judge *j)
{
	return check_count(&j->results, CHECK_VIOLATED) == j->results.n;
}

/* Why nothing can be said of events. */
static bool events_are_missing(struct check_result *r, const struct model *m,
			       const struct source_status *st, const struct view_end *e)
{
	const struct model_cost *c = model_cost(m);

	if (!st->armed) {
		why(r, "no probe is armed: between two looks anything may have happened%s%.200s%s",
		    st->why_not_higher[0] ? " (" : "", st->why_not_higher,
		    st->why_not_higher[0] ? ")" : "");
		return true;
	}
	if (st->armed < st->wanted) {
		why(r, "only %d of %d probes are armed", st->armed, st->wanted);
		return true;
	}
	if (c->is_known && c->armed_permill < PERMILL) {
		why(r,
		    "probes were off for %u.%u %% of the time, since they cost more than "
		    "--max-overhead allows",
		    (PERMILL - c->armed_permill) / 10, (PERMILL - c->armed_permill) % 10);
		return true;
	}
	if (e->law_broken) {
		why(r, "the numbers contradict each other: %s", e->law_broken);
		return true;
	}
	return false;
}

/* Was it looked at until the end? */
static bool is_cut_short(struct check_result *r, const struct source_status *st,
			 const struct view_end *e)
{
	char took[FMT_BYTES];

	fmt_duration(took, e->observed_ns);
	if (e->has_failed)
		why(r, "it could not be read any more after %s", took);
	else if (e->why == VIEW_REPLACED)
		why(r, "the process replaced its image after %s, and was not watched further",
		    took);
	else if (e->why == VIEW_SIGNAL && !st->is_recorded)
		why(r, "interrupted after %s", took);
	else
		return false;
	return true;
}

/* A command may end, or go on as another process, before it starts goroutines. */
static bool has_run(const struct model *m)
{
	return model_snap(m)->procs != 0;
}

static bool is_open(struct check_result *r, const struct check_quantity *q, const struct model *m,
		    const struct source_status *st, const struct view_end *e)
{
	uint64_t lost = model_lost(m, 0);

	if (!model_has_snapshot(m)) {
		why(r, "nothing was seen of the process");
		return true;
	}
	if (lost && q->id != CHECK_Q_LOST) {
		why(r, "%" PRIu64 " records were lost: it cannot be told", lost);
		return true;
	}
	if (is_cut_short(r, st, e))
		return true;
	if ((q->needs & CHECK_EVENTS) && events_are_missing(r, m, st, e))
		return true;
	if ((q->needs & CHECK_COST) && (!model_cost(m)->is_known || !model_cost(m)->target_ns)) {
		why(r, "the CPU time of the process is not known, or none");
		return true;
	}
	if (!has_run(m) && !((q->needs & CHECK_EVENTS) && model_totals(m)->has_events)) {
		why(r, "no look has seen its runtime started");
		return true;
	}
	if (is_meagre(q, r->samples)) {
		why(r, "%s%" PRIu64 " measured, the %uth percentile needs %" PRIu64,
		    r->samples ? "only " : "", r->samples, q->percentile,
		    hist_samples_min(q->percentile));
		return true;
	}
	return false;
}

static void holds(struct check_result *r, const struct check_quantity *q, uint64_t looks)
{
	char is[FMT_BYTES];

	r->answer = CHECK_HOLDS;
	check_value(is, q->unit, r->value);
	if (q->percentile)
		why(r, "it is not: %s, of %" PRIu64 " measured", is, r->samples);
	else if (q->when == CHECK_NOW)
		why(r, "it was not, at any of %" PRIu64 " looks: %s at the last", looks, is);
	else
		why(r, "it is not: %s", is);
}

/* What is below a bound, or a percentile, is told of all that was, or not at all. */
void judge_end(struct judge *j, const struct model *m, const struct source_status *st,
	       const struct view_end *e)
{
	struct model_block ended = { 0 };

	if (model_has_snapshot(m))
		look(j, m, &ended);
	for (size_t i = 0; i < j->results.n; i++) {
		const struct check_expr *x = &j->expr[i];
		struct check_result *r = &j->results.row[i];
		bool is_so;

		if (r->answer == CHECK_VIOLATED)
			continue;
		is_so = model_has_snapshot(m) && is_true(j, i, m);
		if (is_open(r, x->quantity, m, st, e))
			continue;
		if (is_so && is_early(x))
			violated(j, i, m, &ended);
		else
			holds(r, x->quantity, j->results.looks);
	}
}
