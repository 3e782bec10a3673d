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
	s->nthreads = s->nps = s->nframes = s->ngs = s->late_at = 0;
	memset(&s->cost, 0, sizeof(s->cost));
	s->limits = (struct model_limits){ 0 };
	s->has_counts = false;
	s->snap.time_ns = rec->time_ns;
	s->snap.seq = rec->arg[0];
	s->snap.level = (int)rec->arg[1];
	s->snap.settle_ns = rec->arg[3];
	m->is_assembling = true;
	s->look = ++m->looks;
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

static bool m_row(struct snapshot *s, const struct grt_rec *rec, uint64_t look)
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
		.names_look = look,
		.keeps_names = rec->flags & (GRT_RF_SAME_CALL | GRT_RF_TORN),
	};
	s->snap.count[state]++;
	return true;
}

/* The thread of the M row before, if the record is about it. */
static struct model_thread *thread_of(struct snapshot *s, const struct grt_rec *rec)
{
	struct model_thread *t = s->nthreads ? &s->threads[s->nthreads - 1] : NULL;

	return t && t->tid == rec->tid ? t : NULL;
}

static void call_row(struct snapshot *s, const struct grt_rec *rec)
{
	struct model_thread *t = thread_of(s, rec);

	if (!t)
		return;
	t->has_args = true;
	memcpy(t->args, rec->arg, sizeof(t->args));
	t->inner_nr_1 = rec->flags >> GRT_RF_CALL_SHIFT;
}

static void fault_row(struct snapshot *s, const struct grt_rec *rec)
{
	struct model_thread *t = thread_of(s, rec);

	if (t)
		t->fault_addr = rec->arg[0];
}

static bool stack_row(struct snapshot *s, struct model_thread *t, const struct grt_rec *rec)
{
	uint32_t which = rec->arg[0] & 0xff, n = rec->arg[0] >> 8 & 0xff;
	uint32_t first = rec->arg[0] >> 16 & 0xffff;
	struct model_stack *st;

	if (!t || n > GRT_STACK_PCS || (which != GRT_STACK_KERNEL && which != GRT_STACK_USER))
		return true;
	st = &t->stack[which - 1];
	if (first == 0)
		*st = (struct model_stack){ .at = (uint32_t)s->nframes };
	if (first != st->n || st->at + st->n != s->nframes)
		return true;
	for (uint32_t i = 0; i < n; i++) {
		if (!array_reserve((void **)&s->frames, &s->frames_cap, s->nframes,
				   sizeof(*s->frames)))
			return false;
		s->frames[s->nframes++] = (struct model_frame){
			.pc = rec->arg[1 + i],
			.flags = rec->arg[0] >> (32 + 4 * i) & 0xf,
		};
		st->n++;
	}
	return true;
}

/* Stacks that were asked for behind the END of their snapshot: they come in the order of its rows. */
static bool late_stack_row(struct snapshot *s, const struct grt_rec *rec)
{
	for (size_t tried = 0; tried < s->nthreads; tried++) {
		struct model_thread *t = &s->threads[s->late_at];

		if (t->tid == rec->tid)
			return stack_row(s, t, rec);
		s->late_at = (s->late_at + 1) % s->nthreads;
	}
	return true;
}

static bool g_row(struct snapshot *s, const struct grt_rec *rec)
{
	if (!array_reserve((void **)&s->gs, &s->gs_cap, s->ngs, sizeof(*s->gs)))
		return false;
	s->gs[s->ngs++] = (struct model_g){
		.id = rec->arg[0],
		.status = (uint8_t)rec->arg[1],
		.wait_reason = (uint8_t)(rec->arg[1] >> 8),
		.poll_mode = (uint8_t)(rec->arg[1] >> 16),
		.fd = (int32_t)rec->arg[2],
		.since_ns = rec->arg[3],
		.m = (int64_t)rec->arg[4] - 1,
		.fn = rec->arg[5],
	};
	return true;
}

static void cost_row(struct snapshot *s, const struct grt_rec *rec)
{
	s->cost = (struct model_cost){
		.is_known = true,
		.hits = rec->arg[0],
		.hits_ns = rec->arg[1],
		.bpf_ns = rec->arg[2],
		.target_ns = rec->arg[3],
		.own_ns = rec->arg[4],
		.shed = (uint32_t)rec->arg[5],
		.armed_permill = (uint32_t)(rec->arg[5] >> 32),
	};
}

static void limits_row(struct snapshot *s, const struct grt_rec *rec)
{
	s->limits = (struct model_limits){
		.is_known = true,
		.runtime = rec->arg[0],
		.nproc = rec->arg[1],
		.nproc_used = rec->arg[2],
		.cgroup = rec->arg[3],
		.cgroup_used = rec->arg[4],
	};
}

/* The cgroup's time is of all that is in it: more than waited at all was not ours. */
static void wait_row(struct model_wait *w, const struct grt_rec *rec)
{
	*w = (struct model_wait){
		.is_known = true,
		.waited_ns = rec->arg[0],
		.ran_ns = rec->arg[1],
		.throttled_ns = rec->arg[2] < rec->arg[0] ? rec->arg[2] : rec->arg[0],
		.quota_ns = rec->arg[3],
		.period_ns = rec->arg[4],
		.throttled_periods = (uint32_t)rec->arg[5],
		.periods = (uint32_t)(rec->arg[5] >> 32),
	};
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

/*
 * A call that goes on keeps its names; one that moved while it was read may be the same. Rows come in the same
 * order in each snapshot. Behind one that was dropped nothing is known of before.
 */
static void keep_names(struct model *m)
{
	const struct model_thread *was = m->now.threads;
	size_t n = m->now.nthreads, at = 0;

	if (m->now.look + 1 != m->looks)
		return;
	for (size_t i = 0; i < m->next.nthreads; i++) {
		struct model_thread *t = &m->next.threads[i];
		size_t tried = 0;

		if (!t->keeps_names)
			continue;
		for (; tried < n && was[at].tid != t->tid; tried++)
			at = (at + 1) % n;
		if (tried < n)
			t->names_look = was[at].names_look;
	}
}

static void end(struct model *m, const struct grt_rec *rec)
{
	struct snapshot old = m->now;

	m->is_assembling = false;
	if (m->next.nthreads != rec->arg[0]) {
		m->lost[GRT_LOSS_CUT]++;
		return;
	}
	keep_names(m);
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
	texts_forget(m);
	laws_note_snapshot(m);
	netpoll_note_snapshot(m);
	blocks_note_snapshot(m);
}

void snapshot_apply(struct model *m, const struct grt_rec *rec)
{
	struct snapshot *s = &m->next;
	bool is_kept = true;

	if (rec->kind == GRT_K_SNAP_BEGIN) {
		begin(m, rec);
		return;
	}
	if (!m->is_assembling && rec->kind == GRT_K_SNAP_STACK && m->has_now) {
		if (!late_stack_row(&m->now, rec))
			m->lost[GRT_LOSS_RING]++;
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
		is_kept = m_row(s, rec, m->looks);
		break;
	case GRT_K_SNAP_CALL:
		call_row(s, rec);
		break;
	case GRT_K_SNAP_FAULT:
		fault_row(s, rec);
		break;
	case GRT_K_SNAP_STACK:
		is_kept = stack_row(s, thread_of(s, rec), rec);
		break;
	case GRT_K_SNAP_G:
		is_kept = g_row(s, rec);
		break;
	case GRT_K_SNAP_COST:
		cost_row(s, rec);
		break;
	case GRT_K_SNAP_LIMITS:
		limits_row(s, rec);
		break;
	case GRT_K_SNAP_WAIT:
		wait_row(&s->snap.wait, rec);
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
