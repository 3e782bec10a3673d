/* SPDX-License-Identifier: MIT */
/*
 * text.c - how every report for people begins and ends: who is watched, with which rights, what is
 * exact; at the end what was seen, what it cost, what was lost.
 */
#include <inttypes.h>
#include <string.h>

#include "fmt.h"
#include "formats.h"

#define LINE_BYTES 1024
#define NS_PER_SEC 1000000000

static const struct report_truth *truth_of(const struct view *v)
{
	return v->head.armed ? v->report->armed : v->report->unarmed;
}

/* The report's sentence, with the time between ticks in its place. */
static void put_truth(struct view *v, char *buf, size_t bytes)
{
	const char *text = truth_of(v)->text, *at = text ? strstr(text, "%s") : NULL;
	int64_t ns = v->head.interval_ns;
	char interval[FMT_BYTES];

	buf[0] = '\0';
	if (!text)
		return;
	if (ns % NS_PER_SEC == 0)
		snprintf(interval, sizeof(interval), "%" PRId64 "s", ns / NS_PER_SEC);
	else
		fmt_duration(interval, (uint64_t)ns);
	if (at)
		snprintf(buf, bytes, "; %.*s%s%s", (int)(at - text), text, interval, at + 2);
	else
		snprintf(buf, bytes, "; %s", text);
}

static void begin(struct view *v, const struct model *m)
{
	const struct view_head *h = &v->head;
	char line[LINE_BYTES], comm[64], armed[48] = "", truth[LINE_BYTES / 2];

	v->lost_told = model_lost(m, 0);
	fmt_clean(comm, sizeof(comm), h->comm, sizeof(comm));
	put_truth(v, truth, sizeof(truth));
	if (h->wanted)
		snprintf(armed, sizeof(armed), ", %d/%d armed", h->armed, h->wanted);
	snprintf(line, sizeof(line), "%spid %d (%s), %s, level %d%s%s",
		 h->is_recorded ? "recording of " : "", h->pid, comm, h->runtime, h->level, armed,
		 truth);
	fmt_wrapped(v->out, line, v->columns);
	if (h->why_not_higher && h->why_not_higher[0]) {
		snprintf(line, sizeof(line), "level %d: %s", h->level, h->why_not_higher);
		fmt_wrapped(v->out, line, v->columns);
	}
	if (h->note)
		fmt_wrapped(v->out, h->note, v->columns);
}

static void lost(struct view *v, const struct model *m)
{
	uint64_t all = model_lost(m, 0);

	fprintf(v->out, "lost: %" PRIu64, all);
	for (int i = 1; all && i < MODEL_LOSSES; i++) {
		uint64_t n = model_lost(m, (enum grt_loss)i);

		if (n)
			fprintf(v->out, ", %s %" PRIu64, view_loss_word((enum grt_loss)i), n);
	}
	fputc('\n', v->out);
	v->lost_told = all;
}

void text_lost_if_new(struct view *v, const struct model *m)
{
	if (model_lost(m, 0) != v->lost_told)
		lost(v, m);
}

static void row(struct view *v, const struct model *m)
{
	text_lost_if_new(v, m);
	v->report->text(v, m);
}

static void put_handoff_times(char *buf, size_t bytes, const struct hist *h)
{
	char p50[FMT_BYTES], p99[FMT_BYTES], max[FMT_BYTES];

	buf[0] = '\0';
	if (h->n == 0)
		return;
	snprintf(buf, bytes, " (p50 %s, p99 %s, max %s)", fmt_duration(p50, hist_quantile(h, 0.5)),
		 fmt_duration(p99, hist_quantile(h, 0.99)), fmt_duration(max, h->max));
}

static void put_seen(struct view *v, const struct model *m, const char *took)
{
	const struct model_rates *r = model_totals(m);
	char line[LINE_BYTES], times[128];

	put_handoff_times(times, sizeof(times), &r->handoff_ns);
	snprintf(line, sizeof(line),
		 "seen in %s: hand-offs %" PRIu64 "%s, retakes %" PRIu64 ", threads made %" PRIu64
		 ", gone %" PRIu64,
		 took, r->handoffs, times, r->retakes, r->threads_made, r->threads_gone);
	fmt_wrapped(v->out, line, v->columns);
}

static void put_since_start(struct view *v, const struct model *m)
{
	const struct model_snap *s = model_snap(m);
	char line[LINE_BYTES];

	snprintf(line, sizeof(line),
		 "since its start: hand-offs %" PRIu64 ", retakes %" PRIu64
		 ", threads made %" PRIu64 ", gone %" PRIu64,
		 s->handoffs, s->retakes, s->threads_made, s->threads_gone);
	fmt_wrapped(v->out, line, v->columns);
}

/* "-" where there is nothing to take a share of. */
static void fmt_share(char *buf, size_t bytes, uint64_t part, uint64_t whole)
{
	if (whole)
		snprintf(buf, bytes, "%.2f %%", 100.0 * (double)part / (double)whole);
	else
		snprintf(buf, bytes, "-");
}

static void put_shed(struct view *v, const struct model_cost *c)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} groups[] = { { GRT_HOT, "hot probes" },
		       { GRT_WARM, "warm probes" },
		       { GRT_SWITCHES, "sched_switch" },
		       { GRT_COLD, "cold probes" } };
	char line[LINE_BYTES], names[128] = "";
	size_t n = 0;

	if (c->armed_permill >= 1000)
		return;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (c->shed & groups[i].bit)
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
					      groups[i].word);
	snprintf(line, sizeof(line),
		 "probes were shed where they cost more than --max-overhead: armed %u.%u %% of the "
		 "time; shed now: %s",
		 c->armed_permill / 10, c->armed_permill % 10, n ? names : "none");
	fmt_wrapped(v->out, line, v->columns);
}

static void put_cost(struct view *v, const struct model *m)
{
	const struct model_cost *c = model_cost(m);
	char line[LINE_BYTES], share[32], spent[FMT_BYTES], each[FMT_BYTES], run[FMT_BYTES];
	char own[FMT_BYTES];

	if (!c->is_known)
		return;
	fmt_share(share, sizeof(share), c->hits_ns + c->bpf_ns, c->target_ns);
	fmt_duration(spent, c->target_ns);
	fmt_duration(each, c->hits ? c->hits_ns / c->hits : 0);
	fmt_duration(run, c->bpf_ns);
	fmt_duration(own, c->own_ns);
	snprintf(line, sizeof(line),
		 "cost to the target: %s of its CPU time (%s): %" PRIu64
		 " probe hits of %s, BPF programs %s; gotrace itself: %s",
		 share, spent, c->hits, c->hits_ns ? each : "?", run, own);
	fmt_wrapped(v->out, line, v->columns);
	put_shed(v, c);
}

static void totals(struct view *v, const struct model *m, const struct view_end *e)
{
	static const char *const why[] = {
		[VIEW_EXITED] = "the target exited",
		[VIEW_REPLACED] = "the target replaced its image",
		[VIEW_SIGNAL] = "interrupted",
	};
	char took[FMT_BYTES], line[LINE_BYTES];

	fmt_duration(took, e->observed_ns);
	if (v->report->text_totals)
		v->report->text_totals(v, m, e);
	if (e->why != VIEW_ASKED)
		fprintf(v->out, "%s after %s\n", why[e->why], took);
	if (v->head.armed)
		put_seen(v, m, took);
	if (model_has_snapshot(m))
		put_since_start(v, m);
	if (e->law_broken) {
		snprintf(line, sizeof(line), "these numbers contradict each other: %s",
			 e->law_broken);
		fmt_wrapped(v->out, line, v->columns);
	}
	put_cost(v, m);
	lost(v, m);
}

const struct format format_text = {
	.begin = begin,
	.row = row,
	.totals = totals,
};
