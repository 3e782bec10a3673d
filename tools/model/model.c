/* SPDX-License-Identifier: MIT */
/*
 * model.c - the doors of the model: records in, time in, const views out. See model.h and state.h.
 *
 * A record whose time lies before what a tick has settled is not applied: it would be counted in
 * the wrong interval and matched with the wrong hand-off. It is counted as lost (GRT_LOSS_REORDER).
 * Events from before the first snapshot are left out: probes are armed one after the other, and a
 * retake without its hand-off is no news.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define PENDING_MAX 131072u /* records that wait to be ordered: 9 MB, 13 million a second */

bool array_reserve(void **array, size_t *cap, size_t n, size_t bytes)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *bigger;

	if (n < *cap)
		return true;
	bigger = reallocarray(*array, more, bytes);
	if (!bigger)
		return false;
	*array = bigger;
	*cap = more;
	return true;
}

struct model *model_new(void)
{
	return calloc(1, sizeof(struct model));
}

static void snapshot_fini(struct snapshot *s)
{
	free(s->threads);
	free(s->ps);
	free(s->frames);
	free(s->gs);
}

void model_free(struct model *m)
{
	if (!m)
		return;
	snapshot_fini(&m->now);
	snapshot_fini(&m->next);
	texts_fini(&m->texts);
	sums_fini(&m->handoff_sums);
	returns_fini(&m->returns);
	netpoll_sums_fini(&m->netpoll);
	blocks_fini(&m->blocks);
	ledger_fini(&m->ledger);
	free(m->pending);
	free(m->done);
	free(m);
}

static void lost_add(struct model *m, uint64_t reason, uint64_t n)
{
	if (reason == 0 || reason >= MODEL_LOSSES)
		reason = GRT_LOSS_RING;
	m->lost[reason] += n;
}

static int pending_compare(const void *a, const void *b)
{
	const struct pending_rec *x = a, *y = b;

	if (x->rec.time_ns != y->rec.time_ns)
		return x->rec.time_ns < y->rec.time_ns ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void event_apply(struct model *m, const struct grt_rec *rec)
{
	if (rec->time_ns < m->first_ns) {
		returns_note_older(m, rec);
		return;
	}
	m->rates.has_events = true;
	switch (rec->kind) {
	case GRT_K_retake:
		m->rates.retakes++;
		break;
	case GRT_K_handoff:
		m->rates.handoffs++;
		break;
	case GRT_K_m_new:
		m->rates.threads_made++;
		break;
	case GRT_K_m_exit:
		m->rates.threads_gone++;
		break;
	case GRT_K_netpoll_run:
		netpoll_apply(m, rec);
		return;
	}
	blocks_apply(m, rec);
	handoffs_apply(m, rec);
}

static void totals_add(struct model_rates *t, const struct model_rates *r)
{
	t->has_events |= r->has_events;
	t->handoffs += r->handoffs;
	t->retakes += r->retakes;
	t->threads_made += r->threads_made;
	t->threads_gone += r->threads_gone;
	hist_merge(&t->handoff_ns, &r->handoff_ns);
}

/* The interval that views have been shown is over when the first record after it is applied. */
static void interval_begin(struct model *m)
{
	if (!m->is_told)
		return;
	m->is_told = false;
	memset(&m->rates, 0, sizeof(m->rates));
	m->ndone = 0;
	sums_begin_interval(&m->handoff_sums);
	netpoll_begin_interval(m);
	blocks_begin_interval(&m->blocks);
}

/* Apply what happened until then, in the order of time. */
static void settle(struct model *m, uint64_t until_ns)
{
	size_t n = 0;

	interval_begin(m);
	if (m->npending)
		qsort(m->pending, m->npending, sizeof(*m->pending), pending_compare);
	while (n < m->npending && m->pending[n].rec.time_ns <= until_ns)
		event_apply(m, &m->pending[n++].rec);
	m->npending -= n;
	if (n && m->npending)
		memmove(m->pending, m->pending + n, m->npending * sizeof(*m->pending));
	if (m->npending)
		m->oldest_ns = m->pending[0].rec.time_ns;
	if (until_ns > m->settled_ns)
		m->settled_ns = until_ns;
}

static void pending_add(struct model *m, const struct grt_rec *rec)
{
	if (rec->time_ns <= m->settled_ns) {
		lost_add(m, GRT_LOSS_REORDER, 1);
		return;
	}
	/* A flood between two ticks: what nothing older can come before is settled now. */
	if (rec->time_ns > m->newest_ns)
		m->newest_ns = rec->time_ns;
	if (m->npending >= PENDING_MAX && m->newest_ns >= m->oldest_ns + MODEL_WINDOW_NS)
		settle(m, m->newest_ns - MODEL_WINDOW_NS);
	if (m->npending >= PENDING_MAX || !array_reserve((void **)&m->pending, &m->pending_cap,
							 m->npending, sizeof(*m->pending))) {
		lost_add(m, GRT_LOSS_RING, 1);
		return;
	}
	if (m->npending == 0 || rec->time_ns < m->oldest_ns)
		m->oldest_ns = rec->time_ns;
	m->pending[m->npending].rec = *rec;
	m->pending[m->npending++].seq = m->seq++;
}

void model_apply(struct model *m, const struct grt_rec *rec)
{
	if (rec->kind == GRT_K_LOST)
		lost_add(m, rec->arg[0], rec->arg[1]);
	else if (rec->kind >= GRT_K_SNAP_BEGIN && rec->kind < GRT_K_TEXT)
		snapshot_apply(m, rec);
	else if (rec->kind == GRT_K_TEXT)
		text_apply(m, rec);
	else if (rec->kind == GRT_K_FILE_END)
		laws_note_full(m);
	else
		pending_add(m, rec);
}

void model_tick(struct model *m, uint64_t time_ns)
{
	settle(m, time_ns > MODEL_WINDOW_NS ? time_ns - MODEL_WINDOW_NS : 0);
	returns_settle(m, m->settled_ns);
	totals_add(&m->totals, &m->rates);
	blocks_tick(m, time_ns == UINT64_MAX);
	m->is_told = true;
}

bool model_has_snapshot(const struct model *m)
{
	return m->has_now;
}

const struct model_snap *model_snap(const struct model *m)
{
	return &m->now.snap;
}

const struct model_snap *model_snap_before(const struct model *m)
{
	return m->has_before ? &m->before : NULL;
}

const struct model_rates *model_rates(const struct model *m)
{
	return &m->rates;
}

const struct model_rates *model_totals(const struct model *m)
{
	return &m->totals;
}

size_t model_handoffs(const struct model *m, const struct model_handoff **ret)
{
	*ret = m->done;
	return m->ndone;
}

size_t model_threads(const struct model *m, const struct model_thread **ret)
{
	*ret = m->now.threads;
	return m->now.nthreads;
}

size_t model_ps(const struct model *m, const struct model_p **ret)
{
	*ret = m->now.ps;
	return m->now.nps;
}

size_t model_stack(const struct model *m, const struct model_thread *t, enum grt_stack which,
		   const struct model_frame **ret)
{
	const struct model_stack *st = &t->stack[which - 1];

	*ret = m->now.frames + st->at;
	return st->n;
}

size_t model_goroutines(const struct model *m, const struct model_g **ret)
{
	*ret = m->now.gs;
	return m->now.ngs;
}

const struct model_cost *model_cost(const struct model *m)
{
	return &m->now.cost;
}

uint64_t model_lost(const struct model *m, enum grt_loss reason)
{
	uint64_t all = 0;

	if (reason != 0)
		return reason < MODEL_LOSSES ? m->lost[reason] : 0;
	for (int i = 1; i < MODEL_LOSSES; i++)
		all += m->lost[i];
	return all;
}
