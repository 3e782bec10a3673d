/* SPDX-License-Identifier: MIT */
/*
 * predicates.c - the checks, over evidence only: no clock, no I/O. Three answers; a violation that was
 * seen stays one whatever was lost, but nothing holds where something was lost.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "../view/fmt.h"
#include "evidence.h"

#define PERCENT 100u
#define PENDING_NS 1000000000ull /* a P that nobody has for so long is not on its way any more */

static enum gotrace_answer violated(struct evidence *e)
{
	explain_blocked(e);
	explain_past(e);
	explain_events(e);
	return GOTRACE_VIOLATED;
}

/* It was not seen. Could it have been? */
static enum gotrace_answer holds_if_seen(struct evidence *e, bool needs_events)
{
	uint64_t lost = model_lost(e->model, 0);

	explain_reset(e);
	if (lost) {
		explain(e, "%" PRIu64 " records were lost in the scope: it cannot be told", lost);
		return GOTRACE_INCONCLUSIVE;
	}
	if (e->cut) {
		explain(e, "%s: what came afterwards was not seen", e->cut);
		return GOTRACE_INCONCLUSIVE;
	}
	if (needs_events && !e->has_events) {
		explain(e, "no probe is armed: between two looks anything may have happened");
		return GOTRACE_INCONCLUSIVE;
	}
	if (e->out_of_memory) {
		explain(e, "out of memory");
		return GOTRACE_INCONCLUSIVE;
	}
	if (!model_has_snapshot(e->model)) {
		explain(e, "nothing was seen of the process");
		return GOTRACE_INCONCLUSIVE;
	}
	explain(e, "holds");
	return GOTRACE_HOLDS;
}

/* How long the thread of an M was runnable without a CPU, in all of the scope. */
static uint64_t run_delay_ns(const struct evidence *e, int64_t m)
{
	for (size_t i = 0; i < e->ndelays; i++)
		if ((int64_t)e->delay[i].m == m)
			return e->delay[i].run_delay_ns;
	return 0;
}

static void tell_first_block(struct evidence *e)
{
	const struct evidence_block *b = &e->first;
	char at[FMT_BYTES];

	explain(e,
		": the first was M%" PRIu64 ", which lost P%" PRIu64 " while G%" PRIu64
		" was in %s, %s after the scope began",
		b->m, b->p, b->g, explain_call_name(b->nr),
		fmt_duration(at, b->taken_ns > e->first_ns ? b->taken_ns - e->first_ns : 0));
}

enum gotrace_answer predicate_no_blocked_m(struct evidence *e)
{
	uint64_t waited = run_delay_ns(e, (int64_t)e->first.m);
	char wait[FMT_BYTES];

	explain_reset(e);
	if (e->blocked_total == 0 && e->blocked_max == 0)
		return holds_if_seen(e, true);
	explain(e, "%" PRIu64 " M%s blocked in the scope", e->blocked_total,
		e->blocked_total == 1 ? "" : "s");
	if (e->blocked_total)
		tell_first_block(e);
	else
		explain(e, ", and %zu were blocked when it began", e->blocked_max);
	/* A thread that is off its CPU in a short call looks like one that waits. */
	if (e->blocked_total == 1 && e->nblocks == 0 && e->has_delays &&
	    waited >= e->first.in_call_ns) {
		explain(e,
			"; but its thread was runnable and waited for a CPU (%s in the scope): the "
			"machine was too busy to tell",
			fmt_duration(wait, waited));
		return GOTRACE_INCONCLUSIVE;
	}
	explain(e, "\n");
	return violated(e);
}

enum gotrace_answer predicate_blocked_at_most(struct evidence *e, unsigned n)
{
	explain_reset(e);
	if (e->blocked_max <= n)
		return holds_if_seen(e, true);
	explain(e, "%zu Ms were blocked at once, at most %u may be\n", e->blocked_max, n);
	return violated(e);
}

/* Is an M in such a call, with its P? */
static const struct model_thread *still_holding(const struct evidence *e, int nr)
{
	const struct model_thread *t;
	size_t n = model_threads(e->model, &t);

	for (size_t i = 0; i < n; i++)
		if (t[i].nr == nr && t[i].state == GRT_MS_syscall)
			return &t[i];
	return NULL;
}

static const struct evidence_block *find_pending(const struct evidence *e, int nr)
{
	uint64_t now_ns = model_snap(e->model)->time_ns;

	for (size_t i = 0; i < e->npending; i++)
		if (e->pending[i].nr == nr && now_ns < e->pending[i].taken_ns + PENDING_NS)
			return &e->pending[i];
	return NULL;
}

bool predicate_handoff_is_pending(const struct evidence *e, int nr)
{
	return find_pending(e, nr) != NULL;
}

enum gotrace_answer predicate_handed_off(struct evidence *e, int nr)
{
	const struct evidence_block *pending;
	const struct model_thread *t;

	for (size_t i = 0; i < e->nhandoffs; i++)
		if (e->handoff[i].nr == nr) {
			explain_reset(e);
			explain(e, "holds: M%" PRId64 " lost P%" PRId64 " in %s",
				e->handoff[i].from_m, e->handoff[i].p, explain_call_name(nr));
			return GOTRACE_HOLDS;
		}
	if (holds_if_seen(e, true) == GOTRACE_INCONCLUSIVE)
		return GOTRACE_INCONCLUSIVE;
	explain_reset(e);
	pending = find_pending(e, nr);
	if (pending) {
		explain(e, "P%" PRIu64 " was taken from M%" PRIu64 " in %s, and nobody has it yet",
			pending->p, pending->m, explain_call_name(nr));
		return GOTRACE_INCONCLUSIVE;
	}
	explain(e, "no P was handed off from %s", explain_call_name(nr));
	t = still_holding(e, nr);
	if (t)
		explain(e, ": M%" PRId64 " is in it and keeps P%" PRId64, t->m, t->p);
	explain(e, "; %zu hand-off%s from other calls\n", e->nhandoffs,
		e->nhandoffs == 1 ? "" : "s");
	return violated(e);
}

struct latencies {
	uint64_t *ns; /* sorted */
	size_t n;
	size_t over;    /* above the bound */
	size_t excused; /* of those: the taker waited for a CPU at least as long as it was late */
	uint64_t waited_ns;
	const struct gotrace_handoff *slowest;
};

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool latencies_make(struct latencies *l, const struct evidence *e, uint64_t bound_ns)
{
	*l = (struct latencies){ .ns = calloc(e->nhandoffs + 1, sizeof(*l->ns)) };
	if (!l->ns)
		return false;
	for (size_t i = 0; i < e->nhandoffs; i++) {
		const struct gotrace_handoff *h = &e->handoff[i];
		uint64_t ns, delay;

		if (!h->start_ns || h->done_ns <= h->start_ns)
			continue;
		l->ns[l->n++] = ns = h->done_ns - h->start_ns;
		if (!l->slowest || ns > l->slowest->done_ns - l->slowest->start_ns)
			l->slowest = h;
		if (ns <= bound_ns)
			continue;
		delay = run_delay_ns(e, h->to_m);
		l->over++;
		l->excused += e->has_delays && delay >= ns - bound_ns;
		l->waited_ns = delay > l->waited_ns ? delay : l->waited_ns;
	}
	qsort(l->ns, l->n, sizeof(*l->ns), compare);
	return true;
}

static enum gotrace_answer judge(struct evidence *e, const struct latencies *l, unsigned percentile,
				 uint64_t bound_ns)
{
	uint64_t need = hist_samples_min(percentile);
	size_t rank = (l->n * percentile + PERCENT - 1) / PERCENT, may = l->n - rank;
	char is[FMT_BYTES], bound[FMT_BYTES], waited[FMT_BYTES];

	if (l->n < need || e->handoffs_dropped) {
		explain(e, "%zu hand-off%s measured, the %uth percentile needs %" PRIu64, l->n,
			l->n == 1 ? " was" : "s were", percentile, need);
		if (e->handoffs_dropped)
			explain(e, "; %" PRIu64 " more were not kept", e->handoffs_dropped);
		return GOTRACE_INCONCLUSIVE;
	}
	if (l->over <= may)
		return holds_if_seen(e, true);
	explain(e, "the %uth percentile of %zu hand-offs is %s, at most %s is allowed", percentile,
		l->n, fmt_duration(is, l->ns[rank ? rank - 1 : 0]), fmt_duration(bound, bound_ns));
	if (l->over - l->excused <= may) {
		explain(e,
			"; but %zu of the %zu late ones went to an M that was runnable and waited for a "
			"CPU (up to %s in the scope): the machine was too busy to tell",
			l->excused, l->over, fmt_duration(waited, l->waited_ns));
		return GOTRACE_INCONCLUSIVE;
	}
	explain(e, "; %zu %s later, %zu of them waited for a CPU\n", l->over,
		l->over == 1 ? "was" : "were", l->excused);
	explain_handoff(e, l->slowest);
	return violated(e);
}

enum gotrace_answer predicate_handoff_within(struct evidence *e, unsigned percentile, uint64_t us)
{
	enum gotrace_answer answer;
	struct latencies l;

	explain_reset(e);
	if (percentile < 1 || percentile > PERCENT) {
		explain(e, "a percentile is 1 to 100, not %u", percentile);
		return GOTRACE_INCONCLUSIVE;
	}
	if (!latencies_make(&l, e, us * 1000)) {
		explain(e, "out of memory");
		return GOTRACE_INCONCLUSIVE;
	}
	answer = judge(e, &l, percentile, us * 1000);
	free(l.ns);
	return answer;
}

enum gotrace_answer predicate_threads_at_most(struct evidence *e, unsigned n)
{
	explain_reset(e);
	if (e->threads_max <= n)
		return holds_if_seen(e, true);
	explain(e, "the process had %" PRIu64 " threads, at most %u may be\n", e->threads_max, n);
	return violated(e);
}

enum gotrace_answer predicate_netpoll_parked(struct evidence *e, int fd)
{
	const struct model_g *g;
	size_t n = model_goroutines(e->model, &g);
	uint64_t parked = evidence_netpoll_parked(e);
	const char *name = model_text(e->model, GRT_TEXT_FD, (uint64_t)fd);

	explain_reset(e);
	if (e->is_gone) {
		explain(e, "the process has ended: no goroutine waits for fd %d any more\n", fd);
		explain_events(e);
		return GOTRACE_VIOLATED;
	}
	for (size_t i = 0; i < n; i++)
		if (g[i].status == GRT_G_WAITING && g[i].fd == fd) {
			explain(e, "holds: G%" PRIu64 " waits for fd %d", g[i].id, fd);
			return GOTRACE_HOLDS;
		}
	if (holds_if_seen(e, false) == GOTRACE_INCONCLUSIVE)
		return GOTRACE_INCONCLUSIVE;
	explain_reset(e);
	explain(e,
		"no goroutine waits for fd %d%s%s%s in the netpoller; %" PRIu64
		" wait%s for others\n",
		fd, name ? " (" : "", name ? name : "", name ? ")" : "", parked,
		parked == 1 ? "s" : "");
	return violated(e);
}

enum gotrace_answer predicate_no_hostage(struct evidence *e)
{
	explain_reset(e);
	if (e->hostages) {
		explain(e,
			"an M held a P while it slept outside of any call, in %" PRIu64
			" looks; the first was\n",
			e->hostages);
		explain_hostage(e);
		return violated(e);
	}
	if (!e->has_kernel) {
		explain(e, "a hostage is what the kernel sees; %s does not see it", e->via);
		return GOTRACE_INCONCLUSIVE;
	}
	return holds_if_seen(e, false);
}
