/* SPDX-License-Identifier: MIT */
/*
 * evidence.c - see evidence.h.
 *
 * Blocked Ms are counted by event, in the order of time that the model settles them in, so that a peak
 * between two snapshots is seen: a retake (or a call that gives its P up) begins one, the return by a
 * slow way ends it. What was blocked before the first snapshot is the base.
 */
#include "evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/growth.h"
#include "../model/handoffs.h"

static bool reserve(void **array, size_t *cap, size_t n, size_t bytes)
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

bool evidence_init(struct evidence *e)
{
	memset(e, 0, sizeof(*e));
	e->own_fd = -1;
	e->model = model_new();
	return e->model != NULL;
}

void evidence_fini(struct evidence *e)
{
	model_free(e->model);
	free(e->block);
	free(e->pending);
	free(e->handoff);
	free(e->delay);
}

static bool block_end(struct evidence *e, uint64_t m)
{
	for (size_t i = 0; i < e->nblocks; i++)
		if (e->block[i].m == m) {
			e->block[i] = e->block[--e->nblocks];
			return true;
		}
	return false;
}

/* m: who lost it; GRT_NO_ID: whoever. */
static void pending_end(struct evidence *e, uint64_t p, uint64_t m)
{
	for (size_t i = 0; i < e->npending; i++)
		if (e->pending[i].p == p && (m == GRT_NO_ID || e->pending[i].m == m))
			e->pending[i--] = e->pending[--e->npending];
}

static void pending_begin(struct evidence *e, const struct evidence_block *b)
{
	pending_end(e, b->p, GRT_NO_ID);
	if (reserve((void **)&e->pending, &e->pending_cap, e->npending, sizeof(*e->pending)))
		e->pending[e->npending++] = *b;
	else
		e->out_of_memory = true;
}

static void block_begin(struct evidence *e, const struct evidence_block *b)
{
	block_end(e, b->m);
	pending_begin(e, b);
	if (!reserve((void **)&e->block, &e->blocks_cap, e->nblocks, sizeof(*e->block))) {
		e->out_of_memory = true;
		return;
	}
	e->block[e->nblocks++] = *b;
	if (e->blocked_total++ == 0)
		e->first = *b;
	if (e->nblocks + e->blocked_base > e->blocked_max)
		e->blocked_max = e->nblocks + e->blocked_base;
}

static void threads_add(struct evidence *e, int n, uint64_t time_ns)
{
	e->threads_now += (uint64_t)n;
	if (e->threads_now > e->threads_max) {
		e->threads_max = e->threads_now;
		e->threads_max_ns = time_ns;
	}
}

static void on_event(struct evidence *e, const struct grt_rec *r)
{
	switch (r->kind) {
	case GRT_K_retake:
		block_begin(e, &(struct evidence_block){ .m = r->arg[1],
							 .g = r->arg[2],
							 .p = r->arg[0],
							 .nr = (int32_t)r->arg[5],
							 .by = (uint8_t)r->arg[4],
							 .in_call_ns = r->arg[3],
							 .taken_ns = r->time_ns });
		break;
	case GRT_K_entersyscallblock:
		block_begin(e, &(struct evidence_block){ .m = r->arg[1],
							 .g = r->arg[0],
							 .p = r->arg[2],
							 .nr = (int32_t)r->arg[3],
							 .by = GOTRACE_BY_SELF,
							 .taken_ns = r->time_ns });
		break;
	case GRT_K_exitsyscall_slow:
		if (!block_end(e, r->arg[1]) && e->blocked_base)
			e->blocked_base--;
		e->returns.old_p += r->arg[3] == GRT_EXIT_OLD_P;
		e->returns.idle_p += r->arg[3] == GRT_EXIT_IDLE_P;
		e->returns.queued += r->arg[3] == GRT_EXIT_QUEUED;
		break;
	case GRT_K_m_new:
		threads_add(e, r->time_ns > e->listed_ns, r->time_ns);
		break;
	case GRT_K_m_exit:
		threads_add(e, r->time_ns > e->listed_ns ? -1 : 0, r->time_ns);
		break;
	}
}

void evidence_apply(struct evidence *e, const struct grt_rec *rec)
{
	bool is_event = rec->kind < GRT_K_SWITCH_OUT && rec->kind != GRT_K_NONE;

	model_apply(e->model, rec);
	if (!is_event || rec->time_ns < e->first_ns || e->first_ns == 0)
		return;
	e->event[e->nevents++ % EVIDENCE_EVENTS] = *rec;
	on_event(e, rec);
}

static bool is_observer(const struct evidence *e, uint32_t tid)
{
	for (size_t i = 0; i < e->nobservers; i++)
		if (e->observer_tid[i] == tid)
			return true;
	return false;
}

uint64_t evidence_threads(const struct evidence *e)
{
	const struct model_thread *t;
	size_t n = model_threads(e->model, &t), others = 0;

	for (size_t i = 0; i < n; i++)
		others += !is_observer(e, t[i].tid);
	return others;
}

uint64_t evidence_netpoll_parked(const struct evidence *e)
{
	const struct model_g *g;
	size_t n = model_goroutines(e->model, &g);
	uint64_t parked = 0;

	if (n == 0)
		return model_snap(e->model)->netpoll_parked;
	for (size_t i = 0; i < n; i++)
		parked += g[i].status == GRT_G_WAITING && g[i].fd >= 0 && g[i].fd != e->own_fd;
	return parked;
}

static void keep_handoffs(struct evidence *e)
{
	const struct model_handoff *h;
	size_t n = model_handoffs(e->model, &h);

	for (size_t i = 0; i < n; i++, h++) {
		/* Not when its record comes: until the model has settled it, it is in no list. */
		pending_end(e, (uint64_t)h->p, (uint64_t)h->from_m);
		if (e->nhandoffs >= EVIDENCE_HANDOFFS_MAX ||
		    !reserve((void **)&e->handoff, &e->handoffs_cap, e->nhandoffs,
			     sizeof(*e->handoff))) {
			e->handoffs_dropped++;
			continue;
		}
		e->handoff[e->nhandoffs++] = (struct gotrace_handoff){
			.start_ns = h->start_ns,
			.taken_ns = h->retake_ns ? h->retake_ns : h->start_ns,
			.done_ns = h->done_ns,
			.p = h->p,
			.from_m = h->from_m,
			.to_m = h->to_m,
			.g = h->g,
			.nr = h->nr,
			.by = h->cause == GRT_HANDOFF_SELF ? GOTRACE_BY_SELF : h->by,
			.outcome = h->outcome,
			.made_thread = h->made_thread,
		};
	}
}

static void keep_hostage(struct evidence *e, const struct model_thread *t, uint64_t time_ns)
{
	const struct model_frame *f;
	size_t n = model_stack(e->model, t, GRT_STACK_USER, &f);

	e->hostage = *t;
	e->hostage_seen_ns = time_ns;
	e->hostage_nframes = n < EVIDENCE_FRAMES ? n : EVIDENCE_FRAMES;
	for (size_t i = 0; i < e->hostage_nframes; i++)
		e->hostage_frame[i] = f[i];
}

/* Texts are the model's, until it hears of the next record. */
static void keep_longest(struct evidence *e)
{
	struct evidence_past *l = &e->longest;
	struct model_block b;

	if (!model_block_ended(e->model, &b) || b.end_ns - b.start_ns <= l->ns)
		return;
	*l = (struct evidence_past){
		.m = (uint64_t)b.m,
		.g = b.g,
		.nr = b.nr,
		.ns = b.end_ns - b.start_ns,
	};
	snprintf(l->call, sizeof(l->call), "%s", b.call ? b.call : "");
	snprintf(l->where, sizeof(l->where), "%s", b.where ? b.where : "");
}

static void look_at_threads(struct evidence *e)
{
	const struct model_snap *s = model_snap(e->model);
	const struct model_thread *t;
	size_t n = model_threads(e->model, &t);
	uint64_t threads = evidence_threads(e);

	/* Events count Ms; the listing counts foreign threads, too, and puts right what drifted. What came
	 * before it is in it. */
	e->threads_now = threads;
	e->listed_ns = s->time_ns;
	threads_add(e, 0, s->time_ns);
	for (size_t i = 0; i < n; i++)
		if (t[i].state == GRT_MS_hostage && e->hostages++ == 0)
			keep_hostage(e, &t[i], s->time_ns);
	if (!e->has_events && s->count[GRT_MS_blocked] > e->blocked_max)
		e->blocked_max = s->count[GRT_MS_blocked];
}

void evidence_tick(struct evidence *e, uint64_t settle_ns)
{
	if (!model_has_snapshot(e->model))
		return;
	if (e->first_ns == 0) {
		e->first_ns = model_snap(e->model)->time_ns;
		e->blocked_base = e->blocked_max = model_snap(e->model)->count[GRT_MS_blocked];
	}
	model_tick(e->model, settle_ns);
	keep_handoffs(e);
	keep_longest(e);
	look_at_threads(e);
}
