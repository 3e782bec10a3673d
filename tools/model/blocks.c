/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - which M is blocked in what, between snapshots too: events say when it began and ended,
 * snapshots say in which call, on what and from where.
 *
 *   retake, entersyscallblock   the M is blocked
 *   exitsyscall_slow            its goroutine is back; m_exit: the M is gone
 *   snapshot                    what it is blocked in; also Ms that were blocked before we came,
 *                               and those that wait for a goroutine locked to them
 *
 * A snapshot is known at once and events only when they have settled. So a snapshot may open a
 * block whose retake is still to come, and fill one that has ended by then:
 *
 *   snapshot: M5 blocked, G7      ... settles later: retake (m5, g7): the same block, it goes on
 *   snapshot: M5 blocked, G9      ... settles later: exitsyscall_slow (m5, g7): not of this block
 *
 * Whatever happens to a block, its share of the threads made meanwhile is charged first: no share
 * is lost, and causes add up. One that neither ends nor is shown by several snapshots in a row has
 * lost its end.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define MISSED_MAX 3 /* snapshots */

static struct block *block_of(struct model *m, uint64_t id)
{
	struct blocks *b = &m->blocks;
	uint32_t cap = b->cap ? b->cap : 64;
	struct block *bigger;

	if (id >= BLOCKS_MAX)
		return NULL;
	if (id < b->cap)
		return &b->slot[id];
	while (cap <= id)
		cap *= 2;
	bigger = reallocarray(b->slot, cap, sizeof(*bigger));
	if (!bigger)
		return NULL;
	memset(bigger + b->cap, 0, (cap - b->cap) * sizeof(*bigger));
	b->slot = bigger;
	b->cap = cap;
	return &b->slot[id];
}

/* The share of the threads that were made since it was charged last. */
static void charge(struct model *m, struct block *b)
{
	double share = m->ledger.shares - b->from;

	b->from = m->ledger.shares;
	if (share <= 0)
		return;
	if (b->cause == CAUSE_NONE)
		ledger_charge(m, ledger_row_of_call(m, b->nr, b->has_arg, b->arg), share);
	else
		ledger_charge(m, b->cause, share);
}

static void block_close(struct model *m, struct block *b)
{
	if (!b->is_open)
		return;
	charge(m, b);
	b->is_open = false;
	m->blocks.open--;
}

static void block_open(struct model *m, struct block *b, uint64_t g, uint64_t time_ns, int32_t nr)
{
	block_close(m, b);
	*b = (struct block){
		.g = g,
		.start_ns = time_ns,
		.from = m->ledger.shares,
		.heir = -1,
		.nr = nr,
		.cause = CAUSE_NONE,
		.is_open = true,
	};
	m->blocks.open++;
}

/* m, g, nr: the event that a snapshot may already have told of. */
static void began(struct model *m, const struct grt_rec *rec, uint64_t of_m, uint64_t g, int32_t nr)
{
	struct block *b = block_of(m, of_m);
	bool is_told;

	if (!b)
		return;
	is_told = b->is_open && b->g == g && b->nr == nr && b->start_ns >= rec->time_ns;
	if (is_told)
		b->start_ns = rec->time_ns;
	else
		block_open(m, b, g, rec->time_ns, nr);
	b->lost_ns = rec->time_ns;
	b->heir_ns = 0;
	if (rec->kind == GRT_K_retake && m->call.time_ns == rec->time_ns &&
	    m->call.arg[0] == of_m) {
		b->has_arg = true;
		b->arg = m->call.arg[3];
	}
}

/* Of those whose begin an event has told: lost_ns is set. */
static void note_longest(struct model *m, uint64_t of_m, const struct block *b, uint64_t end_ns)
{
	struct blocks *all = &m->blocks;
	uint64_t longest_ns = all->longest.end_ns - all->longest.start_ns;

	if (!b->lost_ns || end_ns <= b->lost_ns || end_ns - b->lost_ns <= longest_ns)
		return;
	all->longest.m = of_m;
	all->longest.g = b->g;
	all->longest.start_ns = b->lost_ns;
	all->longest.end_ns = end_ns;
	all->longest.nr = b->nr;
	all->longest.cause = b->cause;
}

/* end_ns: of the call; its goroutine may have waited for a P since. */
static void ended(struct model *m, uint64_t of_m, uint64_t g, uint64_t end_ns)
{
	struct block *b = block_of(m, of_m);

	if (!b || !b->is_open || b->g != g)
		return;
	note_longest(m, of_m, b, end_ns);
	block_close(m, b);
}

void blocks_apply(struct model *m, const struct grt_rec *rec)
{
	struct block *b;

	switch (rec->kind) {
	case GRT_K_retake: /* p, m, g, in_call_ns, by, nr; an exit steal finds its call over */
		if (rec->arg[4] != GRT_BY_EXIT_STEAL)
			began(m, rec, rec->arg[1], rec->arg[2], (int32_t)rec->arg[5]);
		break;
	case GRT_K_entersyscallblock: /* g, m, p, nr */
		began(m, rec, rec->arg[1], rec->arg[0], (int32_t)rec->arg[3]);
		break;
	case GRT_K_exitsyscall_slow: /* g, m, old_p, how, queued_ns */
		ended(m, rec->arg[1], rec->arg[0], rec->time_ns - rec->arg[4]);
		break;
	case GRT_K_m_exit:
		b = block_of(m, rec->arg[0]);
		if (b)
			block_close(m, b);
		ledger_gone(m);
		break;
	case GRT_K_m_new: /* m, for_p, cause */
		ledger_made(m, rec->arg[2], m->blocks.open);
		break;
	}
}

/* A blocked M as the newest snapshot shows it. */
static void see(struct model *m, const struct model_thread *t)
{
	struct block *b = block_of(m, (uint64_t)t->m);
	bool is_same;
	int32_t row;

	if (!b)
		return;
	is_same = b->is_open && b->g == t->g && (b->nr == t->nr || b->nr == GRT_NR_NONE);
	if (!is_same)
		block_open(m, b, t->g, m->now.snap.time_ns, t->nr);
	row = ledger_row_of_thread(m, t);
	/* No look has stacks but when they are asked for. Where an event has told the beginning, one
	 * will tell the end, and until then it is the call that was seen. */
	if (is_same && b->lost_ns && ledger_row_knows_less(m, row, b->cause))
		row = b->cause;
	/* What was made before anybody knew more goes to what is known now. */
	b->nr = t->nr;
	b->cause = row;
	b->is_seen = true;
	b->missed = 0;
	ledger_note_now(m, row);
}

void blocks_note_snapshot(struct model *m)
{
	const struct snapshot *s = &m->now;

	ledger_begin_snapshot(m);
	if (!m->has_before) {
		m->blocks.made = s->snap.threads_made;
		m->blocks.gone = s->snap.threads_gone;
	}
	for (uint32_t i = 0; i < m->blocks.cap; i++)
		m->blocks.slot[i].is_seen = false;
	for (size_t i = 0; i < s->nthreads; i++) {
		const struct model_thread *t = &s->threads[i];

		if (t->m >= 0 && (t->state == GRT_MS_blocked || t->state == GRT_MS_locked))
			see(m, t);
	}
	for (uint32_t i = 0; i < m->blocks.cap; i++) {
		struct block *b = &m->blocks.slot[i];

		if (b->is_open && !b->is_seen && ++b->missed >= MISSED_MAX)
			block_close(m, b);
	}
}

void model_note_stacks(struct model *m)
{
	for (size_t i = 0; i < m->now.nthreads; i++) {
		const struct model_thread *t = &m->now.threads[i];
		struct block *b = t->m >= 0 ? block_of(m, (uint64_t)t->m) : NULL;

		/* It may have ended since, by events that have settled. */
		if (b && b->is_open && b->start_ns <= m->now.snap.time_ns && b->g == t->g &&
		    b->nr == t->nr && t->state == GRT_MS_blocked && t->stack[GRT_STACK_USER - 1].n)
			b->cause = ledger_row_of_thread(m, t);
	}
}

/* Hand-offs that have ended: who got the P of whom. */
static void note_heirs(struct model *m)
{
	for (size_t i = 0; i < m->ndone; i++) {
		const struct model_handoff *h = &m->done[i];
		struct block *b = h->from_m >= 0 ? block_of(m, (uint64_t)h->from_m) : NULL;
		uint64_t end_ns = h->done_ns;

		if (!b || !b->is_open || b->g != h->g || !b->lost_ns)
			continue;
		if (h->outcome != GRT_HANDOFF_IDLED && end_ns < b->lost_ns)
			continue; /* of an earlier call of the same goroutine */
		b->heir = h->outcome == GRT_HANDOFF_IDLED ? -1 : h->to_m;
		b->heir_ns = end_ns > b->lost_ns ? end_ns : b->lost_ns;
	}
}

/*
 * Where no event tells of new threads, the runtime's own count does; they are put down to what is
 * blocked now, not to what was at their time. Up to the snapshot before the newest one: had there
 * been an event by then, it would have settled.
 */
static void note_unseen(struct model *m, bool is_last)
{
	const struct model_snap *until = is_last ? &m->now.snap : &m->before;
	struct blocks *b = &m->blocks;

	if (m->totals.has_events || !m->has_before)
		return;
	for (; b->made < until->threads_made; b->made++)
		ledger_made(m, 0, b->open);
	for (; b->gone < until->threads_gone; b->gone++)
		ledger_gone(m);
}

/* Blocks whose beginning has just settled, and that the newest snapshot has shown. */
static void resolve(struct model *m)
{
	for (size_t i = 0; i < m->now.nthreads; i++) {
		const struct model_thread *t = &m->now.threads[i];
		struct block *b = t->m >= 0 ? block_of(m, (uint64_t)t->m) : NULL;

		if (b && b->is_open && b->cause == CAUSE_NONE && b->g == t->g && b->nr == t->nr &&
		    t->state == GRT_MS_blocked && b->start_ns <= m->now.snap.time_ns)
			b->cause = ledger_row_of_thread(m, t);
	}
}

void blocks_tick(struct model *m, bool is_last)
{
	note_heirs(m);
	note_unseen(m, is_last);
	resolve(m);
	for (uint32_t i = 0; i < m->blocks.cap; i++)
		if (m->blocks.slot[i].is_open)
			charge(m, &m->blocks.slot[i]);
	ledger_settle(m);
}

void blocks_begin_interval(struct blocks *b)
{
	memset(&b->longest, 0, sizeof(b->longest));
}

bool model_block_ended(const struct model *m, struct model_block *ret)
{
	const struct blocks *b = &m->blocks;
	const struct model_cause *c;

	if (!b->longest.end_ns)
		return false;
	*ret = (struct model_block){
		.m = (int64_t)b->longest.m,
		.g = b->longest.g,
		.start_ns = b->longest.start_ns,
		.end_ns = b->longest.end_ns,
		.nr = b->longest.nr,
	};
	if (b->longest.cause == CAUSE_NONE)
		return true;
	c = &m->ledger.row[b->longest.cause].c;
	ret->call = c->is_other ? NULL : c->call;
	ret->where = c->is_other ? NULL : c->where;
	return true;
}

void blocks_fini(struct blocks *b)
{
	free(b->slot);
}

bool model_heir(const struct model *m, const struct model_thread *t, int64_t *ret_m,
		uint64_t *ret_after_ns)
{
	const struct block *b;

	if (t->m < 0 || (uint64_t)t->m >= m->blocks.cap)
		return false;
	b = &m->blocks.slot[t->m];
	if (!b->is_open || b->g != t->g || !b->heir_ns)
		return false;
	*ret_m = b->heir;
	*ret_after_ns = b->heir_ns - b->lost_ns;
	return true;
}
