/* SPDX-License-Identifier: MIT */
/*
 * check.c - the report of `gotrace check` for people, and what all its formats share:
 *
 *	violated      blocked.max>100ms: it is: 134ms, 200ms after the first look
 *	  M2 (tid 23527), G3, blocked for 134ms in read(5</tmp/x/fifo-1>, 1); M4 got its P after 23us
 *	    read_fifo growth.c:58
 *	holds         threads>64: it was not, at any of 99 looks: 12 at the last
 *	inconclusive  handoff.p99>500us: only 12 measured, the 99th percentile needs 100
 *	1 violated, 1 inconclusive, 1 holds
 */
#include "check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check_formats.h"
#include "fmt.h"
#include "handoff.h"
#include "wrap.h"

#define LINE_BYTES 2048
#define ANSWER_COLUMNS 14 /* "inconclusive", and two blanks; a view has 20 at least */
#define TEXT_COLUMNS 200  /* of the user's own expression, or a reason */

size_t check_count(const struct check_results *all, enum check_answer answer)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += all->row[i].answer == answer;
	return n;
}

const char *check_answer_word(enum check_answer a)
{
	static const char *const word[CHECK_ANSWERS] = {
		[CHECK_HOLDS] = "holds",
		[CHECK_VIOLATED] = "violated",
		[CHECK_INCONCLUSIVE] = "inconclusive",
	};

	return word[a];
}

const char *check_unit_word(enum check_unit u)
{
	static const char *const word[] = {
		[CHECK_COUNT] = "count",
		[CHECK_NS] = "ns",
		[CHECK_PPM] = "ppm",
	};

	return word[u];
}

char *check_value(char buf[FMT_BYTES], enum check_unit unit, uint64_t v)
{
	switch (unit) {
	case CHECK_NS:
		return fmt_duration(buf, v);
	case CHECK_PPM:
		snprintf(buf, FMT_BYTES, "%" PRIu64 ".%02" PRIu64 "%%", v / 10000, v / 100 % 100);
		return buf;
	default:
		snprintf(buf, FMT_BYTES, "%" PRIu64, v);
		return buf;
	}
}

/* In what, with the names; the bare name of the call where no look has seen it. */
void check_call(char buf[CALL_BYTES], const struct check_thread *t)
{
	if (t->call[0])
		snprintf(buf, CALL_BYTES, "%s", t->call);
	else
		handoff_call_word(buf, t->nr);
}

static void put_thread(FILE *out, const struct check_thread *t)
{
	char call[CALL_BYTES], clean[CALL_BYTES * 4], ns[FMT_BYTES];

	fprintf(out, "M%" PRId64, t->m);
	if (t->tid)
		fprintf(out, " (tid %" PRIu32 ")", t->tid);
	if (t->g)
		fprintf(out, ", G%" PRIu64, t->g);
	fprintf(out, ", %s%s", t->tid ? "" : "was ", view_state_word(t->state));
	if (t->has_for)
		fprintf(out, " for %s%s", t->is_least ? "at least " : "",
			fmt_duration(ns, t->for_ns));
	check_call(call, t);
	fmt_clean(clean, sizeof(clean), call, sizeof(clean));
	if (strcmp(call, "-"))
		fprintf(out, " in %s", clean);
	if (t->p >= 0)
		fprintf(out, "; it holds P%" PRId64, t->p);
	if (t->has_heir && t->heir_m < 0)
		fprintf(out, "; its P idles");
	else if (t->has_heir)
		fprintf(out, "; M%" PRId64 " got its P after %s", t->heir_m,
			fmt_duration(ns, t->heir_ns));
	fputc('\n', out);
	for (size_t i = 0; i < t->frames; i++) {
		fmt_clean(clean, sizeof(clean), t->frame[i], sizeof(clean));
		fprintf(out, "  %s\n", clean);
	}
}

static void put_handoff(FILE *out, const struct check_handoff *h)
{
	char total[FMT_BYTES], detect[FMT_BYTES], dispatch[FMT_BYTES], call[HANDOFF_CALL_BYTES];

	fprintf(out,
		"the slowest hand-off: P%" PRId64 " of M%" PRId64 " (G%" PRIu64
		" in %s) to M%" PRId64 " in %s: %s until it was taken, %s until M%" PRId64
		" had it\n",
		h->p, h->from_m, h->g, handoff_call_word(call, h->nr), h->to_m,
		fmt_duration(total, h->total_ns), fmt_duration(detect, h->detect_ns),
		fmt_duration(dispatch, h->dispatch_ns), h->to_m);
}

char *check_evidence(const struct check_result *r)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	if (r->handoff.is_set)
		put_handoff(out, &r->handoff);
	for (size_t i = 0; i < r->threads; i++)
		put_thread(out, &r->thread[i]);
	if (r->threads_more)
		fprintf(out, "and %zu more\n", r->threads_more);
	fclose(out);
	return text;
}

static void text(struct view *v, const struct model *m)
{
	(void)v;
	(void)m;
}

static void put_evidence(struct view *v, const struct check_result *r)
{
	char *all = check_evidence(r), *save = NULL;

	for (char *l = all ? strtok_r(all, "\n", &save) : NULL; l;
	     l = strtok_r(NULL, "\n", &save)) {
		unsigned int indent = (unsigned int)strspn(l, " ");

		wrap_put(v->out, l + indent, 2 + indent, v->columns);
	}
	free(all);
}

void check_summary(char *buf, size_t bytes, const struct check_results *all)
{
	size_t n = 0;

	for (int i = CHECK_ANSWERS; i-- > 0;) {
		static const enum check_answer order[CHECK_ANSWERS] = { CHECK_HOLDS,
									CHECK_INCONCLUSIVE,
									CHECK_VIOLATED };

		n += (size_t)snprintf(buf + n, bytes - n, "%s%zu %s", n ? ", " : "",
				      check_count(all, order[i]), check_answer_word(order[i]));
	}
}

static void text_totals(struct view *v, const struct model *m, const struct view_end *e)
{
	const struct check_results *all = v->opts;
	char line[LINE_BYTES], expression[TEXT_COLUMNS + 1], why[CHECK_WHY_BYTES];

	(void)m;
	(void)e;
	for (size_t i = 0; i < all->n; i++) {
		const struct check_result *r = &all->row[i];

		fmt_clean(expression, sizeof(expression), r->text, TEXT_COLUMNS);
		fmt_clean(why, sizeof(why), r->why, sizeof(why));
		snprintf(line, sizeof(line), "%s: %s", expression, why);
		fprintf(v->out, "%-*s", ANSWER_COLUMNS, check_answer_word(r->answer));
		fmt_wrapped(v->out, line, v->columns - ANSWER_COLUMNS);
		if (r->answer == CHECK_VIOLATED)
			put_evidence(v, r);
	}
	check_summary(line, sizeof(line), all);
	fprintf(v->out, "%s\n", line);
}

static const char *const exact[] = { "checks", NULL };
static const struct report_truth armed = {
	.text = "looked each %s; what begins and ends between two looks is seen by probes",
	.exact = exact,
};
static const struct report_truth unarmed = {
	.text = "looked each %s; not known: what begins and ends between two looks",
	.sampled = exact,
};

const struct report report_check = {
	.name = "check",
	.armed = &armed,
	.unarmed = &unarmed,
	.text = text,
	.text_totals = text_totals,
	.json_type = "look",
	.json = check_json,
	.json_totals = check_json_totals,
};
