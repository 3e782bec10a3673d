/* SPDX-License-Identifier: MIT */
/*
 * laws.c - what must hold between numbers that come from different places; every report checks it.
 *
 *   L1  retakes + given up - slow exits = blocked Ms
 *   L2  hand-offs of cause retake = retakes, but for those by a returning M or a change of procs
 *   L3  a P is not taken again before it was handed off
 *   L4  a goroutine whose P was lost comes back before it can lose one again
 *   L5  hand-offs, retakes and Ps given up that were seen = those that the runtime counted
 *
 * L1 compares counters of the runtime with rows that were read a moment before or after, so it is
 * checked with the bounds that the snapshots around it give: both sums only grow, hence
 *
 *   taken[k-1] - returned[k+1]  <=  blocked[k]  <=  taken[k+1] - returned[k-1]
 *
 * which is equality in a process that stands still. L5 does the same with the times between which
 * the counters were read: it starts at the second snapshot, since of what happens during the first
 * one some is left out, and allows for threads that have counted and not told yet.
 *
 * L2 and L3 allow for what was under way at the attach. None is checked once records were lost:
 * then they say what `lost` says; those on events not after probes were shed either.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "state.h"

static bool count_of(const struct grt_rec *rec, enum law_count *ret)
{
	switch (rec->kind) {
	case GRT_K_handoff:
		*ret = LAW_HANDOFFS;
		return true;
	case GRT_K_retake:
		*ret = LAW_RETAKES;
		return true;
	case GRT_K_entersyscallblock:
		*ret = LAW_BLOCKS;
		return true;
	}
	return false;
}

/* Time has come to time_ns: what was seen up to the edges before it is known. */
static void reading_advance(struct law_reading *r, const uint64_t *seen, uint64_t time_ns)
{
	if (!r->is_set)
		return;
	if (!r->has_begin && time_ns > r->begin_ns) {
		memcpy(r->at_begin, seen, sizeof(r->at_begin));
		r->has_begin = true;
	}
	if (!r->has_end && time_ns > r->end_ns) {
		memcpy(r->at_end, seen, sizeof(r->at_end));
		r->has_end = true;
	}
}

void laws_note_event(struct model *m, const struct grt_rec *rec)
{
	struct law_events *l = &m->handoff_sums.law;
	enum law_count i;

	reading_advance(&l->base, l->seen, rec->time_ns);
	reading_advance(&l->now, l->seen, rec->time_ns);
	if (count_of(rec, &i))
		l->seen[i]++;
}

static uint64_t moving_threads(const struct snapshot *s)
{
	uint64_t n = s->snap.procs + 1; /* and sysmon */

	for (size_t i = 0; i < s->nthreads; i++)
		n += s->threads[i].kernel_state != 'S';
	return n;
}

static void note_reading(struct law_events *l, const struct snapshot *s, uint64_t settled_ns)
{
	struct law_reading *r = l->base.is_set ? &l->now : &l->base;

	/* An older one whose time has not come yet is not given up for a newer one. */
	reading_advance(&l->now, l->seen, settled_ns + 1);
	if (!s->has_counts || l->snapshots++ == 0 || (l->now.is_set && !l->now.has_end))
		return;
	*r = (struct law_reading){
		.is_set = true,
		.begin_ns = s->snap.time_ns - s->snap.duration_ns,
		.end_ns = s->snap.time_ns,
		.counter = { s->snap.handoffs, s->snap.retakes, s->snap.self_blocks },
		.moving = moving_threads(s),
	};
}

/* Probes that are back were armed before this snapshot: it says what was missed. */
static void note_shedding(struct model *m)
{
	struct law_events *l = &m->handoff_sums.law;
	bool was_shed = l->is_shed;

	l->is_shed = (m->now.cost.shed & GRT_COLD) != 0;
	l->was_shed |= l->is_shed;
	if (l->is_shed)
		returns_forget(&m->returns);
	else if (!m->has_before || was_shed)
		returns_seed(m);
}

void laws_note_snapshot(struct model *m)
{
	const struct snapshot *s = &m->now;

	memmove(&m->law[1], &m->law[0], 2 * sizeof(m->law[0]));
	m->law[0] = (struct law_point){
		.is_set = s->has_counts && s->snap.torn == 0,
		.taken = s->snap.retakes + s->snap.self_blocks,
		.returned = s->snap.slow_exits,
		.blocked = s->snap.count[GRT_MS_blocked],
	};
	note_reading(&m->handoff_sums.law, s, m->settled_ns);
	note_shedding(m);
}

/* Of what the newest reading counts, events may have had no room any more, unless later ones had. */
void laws_note_full(struct model *m)
{
	struct law_reading *now = &m->handoff_sums.law.now;

	if (!now->has_end && m->newest_ns <= now->end_ns + MODEL_WINDOW_NS)
		*now = (struct law_reading){ 0 };
}

static bool blocked_law_broken(const struct model *m, char *why, size_t bytes)
{
	const struct law_point *after = &m->law[0], *at = &m->law[1], *before = &m->law[2];
	int64_t least, most;

	if (!after->is_set || !at->is_set || !before->is_set)
		return false;
	least = (int64_t)(before->taken - after->returned);
	most = (int64_t)(after->taken - before->returned);
	if ((int64_t)at->blocked >= least && (int64_t)at->blocked <= most)
		return false;
	snprintf(why, bytes,
		 "%" PRIu64 " Ms are blocked, but Ps taken + given up - slow exits make %" PRId64
		 " to %" PRId64,
		 at->blocked, least, most);
	return true;
}

static size_t retakes_waiting(const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nopen; i++)
		if (m->open[i].has_begin && !m->open[i].is_block && !m->open[i].has_handoff)
			n++;
	return n;
}

static bool handoff_law_broken(const struct model *m, char *why, size_t bytes)
{
	const struct event_sums *s = &m->sums;
	size_t waiting = retakes_waiting(m);

	if (s->begun_twice) {
		snprintf(why, bytes,
			 "a P was taken again before it was handed off, %" PRIu64 " times",
			 s->begun_twice);
		return true;
	}
	if (s->handoffs_of_retake + waiting == s->retakes_to_hand_off &&
	    s->handoffs_orphaned <= m->now.snap.procs)
		return false;
	snprintf(why, bytes,
		 "%" PRIu64 " retakes must be handed off, but %" PRIu64
		 " were, %zu are under way and %" PRIu64 " hand-offs have no retake",
		 s->retakes_to_hand_off, s->handoffs_of_retake, waiting, s->handoffs_orphaned);
	return true;
}

static bool return_law_broken(const struct model *m, char *why, size_t bytes)
{
	if (m->returns.twice == 0)
		return false;
	snprintf(why, bytes,
		 "a goroutine lost its P again without having come back, %" PRIu64 " times",
		 m->returns.twice);
	return true;
}

/* Between the two readings: surely seen <= counted <= perhaps seen, but for what was under way. */
static bool count_law_broken(const struct model *m, char *why, size_t bytes)
{
	static const char *const word[LAW_COUNTS] = { "hand-offs", "retakes", "Ps given up" };
	const struct law_events *l = &m->handoff_sums.law;
	struct law_reading base = l->base, now = l->now;

	reading_advance(&base, l->seen, m->settled_ns + 1);
	reading_advance(&now, l->seen, m->settled_ns + 1);
	if (!base.has_end || !now.has_end)
		return false;
	for (int i = 0; i < LAW_COUNTS; i++) {
		uint64_t counted = now.counter[i] - base.counter[i];
		uint64_t most = now.at_end[i] - base.at_begin[i] + now.moving;

		/* None at all: that probe is not armed. */
		if (l->seen[i] == 0 ||
		    (counted <= most && counted + base.moving + base.at_end[i] >= now.at_begin[i]))
			continue;
		snprintf(why, bytes, "%" PRIu64 " %s were seen, but the runtime counted %" PRIu64,
			 now.at_end[i] - base.at_end[i], word[i], counted);
		return true;
	}
	return false;
}

bool model_law_broken(const struct model *m, char *why, size_t bytes)
{
	if (bytes)
		why[0] = '\0';
	if (model_lost(m, 0))
		return false;
	if (blocked_law_broken(m, why, bytes))
		return true;
	if (m->handoff_sums.law.was_shed)
		return false;
	return handoff_law_broken(m, why, bytes) || return_law_broken(m, why, bytes) ||
	       count_law_broken(m, why, bytes);
}
