/* SPDX-License-Identifier: MIT */
/*
 * laws.c - what must hold between numbers that come from different places; every report checks it.
 *
 *   L1  retakes + given up - slow exits = blocked Ms
 *   L2  hand-offs of cause retake = retakes, but for those by a returning M or a change of procs
 *   L3  a P is not taken again before it was handed off
 *
 * L1 compares counters of the runtime with rows that were read a moment before or after, so it is
 * checked with the bounds that the snapshots around it give: both sums only grow, hence
 *
 *   taken[k-1] - returned[k+1]  <=  blocked[k]  <=  taken[k+1] - returned[k-1]
 *
 * which is equality in a process that stands still. L2 and L3 allow for what was under way at the
 * attach. None is checked once records were lost: then they say what `lost` says.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "state.h"

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

bool model_law_broken(const struct model *m, char *why, size_t bytes)
{
	if (bytes)
		why[0] = '\0';
	if (model_lost(m, 0))
		return false;
	return blocked_law_broken(m, why, bytes) || handoff_law_broken(m, why, bytes);
}
