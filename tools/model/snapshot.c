/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c - snapshots, put together from BEGIN to END and swapped in whole: a reader of the
 * model never sees half of one. A snapshot that is cut short, or lists fewer rows than its END
 * promises, is dropped and counted as lost (GRT_LOSS_CUT): counts that do not add up are worse than
 * the old ones.
 */
#include <string.h>

#include "state.h"

static void begin(struct model *m, const struct grt_rec *rec)
{
	struct snapshot *s = &m->next;

	if (m->is_assembling)
		m->lost[GRT_LOSS_CUT]++;
	memset(&s->snap, 0, sizeof(s->snap));
	s->nthreads = s->nps = 0;
	s->has_counts = false;
	s->snap.time_ns = rec->time_ns;
	s->snap.seq = rec->arg[0];
	s->snap.level = (int)rec->arg[1];
	m->is_assembling = true;
}

static void sched_row(struct model_snap *snap, const struct grt_rec *rec)
{
	snap->procs = (uint32_t)rec->arg[0];
	snap->procs_idle = (uint32_t)(rec->arg[0] >> 32);
	if (snap->procs_idle > snap->procs)
		snap->procs_idle = snap->procs;
	snap->procs_busy = snap->procs - snap->procs_idle;
	snap->runq = (uint32_t)rec->arg[1] + rec->arg[4];
	snap->spinning = (uint32_t)(rec->arg[1] >> 32);
	snap->goroutines = rec->arg[2];
	snap->netpoll_parked = rec->arg[3];
}

static bool p_row(struct snapshot *s, const struct grt_rec *rec)
{
	if (!array_reserve((void **)&s->ps, &s->ps_cap, s->nps, sizeof(*s->ps)))
		return false;
	s->ps[s->nps++] = (struct model_p){
		.id = (uint32_t)rec->arg[0],
		.status = (uint32_t)rec->arg[1],
		.m = (int64_t)rec->arg[2] - 1,
		.runq_len = (uint32_t)rec->arg[3],
		.schedtick = (uint32_t)rec->arg[4],
	};
	return true;
}

static bool m_row(struct snapshot *s, const struct grt_rec *rec)
{
	uint32_t state = rec->arg[2] & 0xff;

	if (state >= GRT_MS_COUNT)
		return false;
	if (!array_reserve((void **)&s->threads, &s->threads_cap, s->nthreads, sizeof(*s->threads)))
		return false;
	s->threads[s->nthreads++] = (struct model_thread){
		.tid = rec->tid,
		.m = (int64_t)(rec->arg[0] & 0xffffffff) - 1,
		.p = (int64_t)(rec->arg[0] >> 32) - 1,
		.g = rec->arg[1],
		.state = (enum grt_mstate)state,
		.kernel_state = (char)(rec->arg[2] >> 8),
		.attr = (uint16_t)(rec->arg[2] >> 16),
		.nr = (int32_t)(rec->arg[2] >> 32),
		.since_ns = rec->arg[3],
		.asleep_since_ns = rec->arg[4],
		.call_arg = rec->arg[5],
	};
	s->snap.count[state]++;
	return true;
}

static void call_row(struct snapshot *s, const struct grt_rec *rec)
{
	struct model_thread *t = s->nthreads ? &s->threads[s->nthreads - 1] : NULL;

	if (!t || t->tid != rec->tid)
		return;
	t->has_args = true;
	memcpy(t->args, rec->arg, sizeof(t->args));
}

static void count_row(struct snapshot *s, const struct grt_rec *rec)
{
	s->has_counts = true;
	s->snap.handoffs = rec->arg[0];
	s->snap.retakes = rec->arg[1];
	s->snap.slow_exits = rec->arg[2];
	s->snap.self_blocks = rec->arg[3];
	s->snap.threads_made = rec->arg[4];
	s->snap.threads_gone = rec->arg[5];
}

static void end(struct model *m, const struct grt_rec *rec)
{
	struct snapshot old = m->now;

	m->is_assembling = false;
	if (m->next.nthreads != rec->arg[0]) {
		m->lost[GRT_LOSS_CUT]++;
		return;
	}
	m->next.snap.threads = (uint32_t)m->next.nthreads;
	m->next.snap.torn = (uint32_t)rec->arg[2];
	m->next.snap.duration_ns = rec->arg[3];
	m->before = old.snap;
	m->has_before = m->has_now;
	m->now = m->next;
	m->next = old;
	m->has_now = true;
	if (m->first_ns == 0)
		m->first_ns = m->now.snap.time_ns;
	laws_note_snapshot(m);
}

void snapshot_apply(struct model *m, const struct grt_rec *rec)
{
	struct snapshot *s = &m->next;
	bool is_kept = true;

	if (rec->kind == GRT_K_SNAP_BEGIN) {
		begin(m, rec);
		return;
	}
	if (!m->is_assembling) {
		m->lost[GRT_LOSS_CUT]++;
		return;
	}
	switch (rec->kind) {
	case GRT_K_SNAP_SCHED:
		sched_row(&s->snap, rec);
		break;
	case GRT_K_SNAP_P:
		is_kept = p_row(s, rec);
		break;
	case GRT_K_SNAP_M:
		is_kept = m_row(s, rec);
		break;
	case GRT_K_SNAP_CALL:
		call_row(s, rec);
		break;
	case GRT_K_SNAP_COUNT:
		count_row(s, rec);
		break;
	case GRT_K_SNAP_END:
		end(m, rec);
		break;
	}
	if (!is_kept)
		m->lost[GRT_LOSS_RING]++;
}
