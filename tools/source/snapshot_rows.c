/* SPDX-License-Identifier: MIT */
/*
 * snapshot_rows.c - see snapshot_rows.h. One row a thread, so that the states add up to the
 * threads: an M whose thread has not said its tid yet claims one thread that no M owns, and any
 * other thread that no M owns is foreign.
 */
#include "snapshot_rows.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bpf/mstate.h"
#include "../hash.h"
#include "../syscalls.h"
#include "cost.h"
#include "stacks.h"
#include "waits.h"

static uint64_t taken_ns(uint64_t take)
{
	return GRT_TAKE_KIND(take) == GRT_TAKE_TAKEN ? take >> GRT_TAKE_SHIFT : 0;
}

/* A thread that goes to sleep may be charged until a little later (delayed dequeue). */
#define SLEEP_LAG_NS 10000000ull

/*
 * Since when it is in this state. Blocked: asleep since about the time when the P was taken, or
 * before, is one sleep, and the call began to wait then; awake, or asleep since later, it has slept
 * several times, and only the take is known to lie inside the call.
 */
static uint64_t since_ns(enum grt_mstate state, const struct m_view *m, const struct thread_row *t,
			 uint32_t *attr)
{
	uint64_t taken = m ? taken_ns(m->take) : 0;

	switch (state) {
	case GRT_MS_blocked:
		if (t->asleep_since_ns &&
		    (t->asleep_since_ns <= taken + SLEEP_LAG_NS || taken == 0))
			return taken && taken < t->asleep_since_ns ? taken : t->asleep_since_ns;
		*attr |= GRT_MA_SINCE_AT_LEAST;
		return taken;
	case GRT_MS_idle:
	case GRT_MS_polling:
	case GRT_MS_locked:
		return m ? m->status_since_ns : 0;
	case GRT_MS_syscall:
	case GRT_MS_hostage:
	case GRT_MS_foreign:
	case GRT_MS_system:
		if (t->asleep_since_ns)
			*attr |= GRT_MA_SINCE_AT_LEAST;
		return t->asleep_since_ns;
	default:
		return 0;
	}
}

/* The call it is in, and whose word that is. */
static int64_t call_nr(enum grt_mstate state, const struct m_view *m, const struct thread_row *t,
		       uint32_t *attr)
{
	if (m && (state == GRT_MS_blocked || state == GRT_MS_syscall))
		return m->nr;
	if (state != GRT_MS_hostage && state != GRT_MS_foreign)
		return GRT_NR_NONE;
	*attr |= GRT_MA_KERNEL_NR;
	return thread_is_asleep(t) && t->nr >= 0 ? t->nr : GRT_NR_NONE;
}

/* The kernel's registers belong to the call that is named. */
static bool has_arguments(int64_t nr, const struct thread_row *t)
{
	if (!t->has_args)
		return false;
	return nr == GRT_NR_FOREIGN ? thread_is_asleep(t) && t->nr >= 0 : nr >= 0 && nr == t->nr;
}

void snapshot_row(struct grt_rec *ret, const struct m_view *m, const struct thread_row *t,
		  bool is_torn)
{
	struct mstate_in in = { 0 };
	enum grt_mstate state;
	uint32_t attr = 0;
	bool owns_p;
	int64_t nr;

	if (m)
		mstate_from_grt(&in, m->status, m->call, m->take, m->p_addr);
	in.asleep = !is_torn && thread_is_asleep(t);
	state = mstate_of(&in);
	owns_p = m && in.owns_p && m->p >= 0;
	memset(ret, 0, sizeof(*ret));
	ret->kind = GRT_K_SNAP_M;
	ret->tid = t->tid;
	ret->flags = is_torn ? GRT_RF_TORN : 0;
	nr = call_nr(state, m, t, &attr);
	ret->arg[3] = since_ns(state, m, t, &attr);
	if (!in.asleep && !t->is_on_cpu && t->state == 'R')
		attr |= GRT_MA_WAITING | (t->is_throttled ? GRT_MA_THROTTLED : 0);
	if (has_arguments(nr, t))
		attr |= GRT_MA_HAS_CALL;
	ret->arg[0] = (m ? m->id + 1 : 0) | (uint64_t)(owns_p ? m->p + 1 : 0) << 32;
	ret->arg[1] = m ? m->g : 0;
	ret->arg[2] = (uint64_t)state | (uint64_t)(uint8_t)t->state << 8 | (uint64_t)attr << 16 |
		      (uint64_t)(uint32_t)(int32_t)nr << 32;
	ret->arg[4] = t->asleep_since_ns;
	ret->arg[5] = m && in.in_call ? m->call_arg : 0;
}

struct out {
	source_emit_fn emit;
	void *arg;
	uint64_t now_ns;
};

static void put(const struct out *o, uint16_t kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		uint64_t e, uint64_t f)
{
	struct grt_rec rec = { .time_ns = o->now_ns, .kind = kind, .arg = { a, b, c, d, e, f } };

	o->emit(o->arg, &rec);
}

static void emit_sched(const struct snapshot *s, const struct out *o)
{
	const struct layout *l = s->tables.layout;
	const struct tables *t = &s->tables;
	uint64_t alive = tables_sched(t, &l->sched_g_made_ext), local = 0;

	for (uint32_t i = 0; i < t->p.n; i++) {
		uint32_t len =
			(uint32_t)(tables_p(t, i, &l->p_runqtail) - tables_p(t, i, &l->p_runqhead));

		alive += tables_p(t, i, &l->p_g_made) - tables_p(t, i, &l->p_g_ended);
		local += len + (tables_p(t, i, &l->p_runnext) != 0);
	}
	put(o, GRT_K_SNAP_SCHED, t->p.n | tables_sched(t, &l->sched_npidle) << 32,
	    tables_sched(t, &l->sched_runqsize) | tables_sched(t, &l->sched_nmspinning) << 32,
	    alive, tables_sched(t, &l->sched_netpoll_waiters), local,
	    (tables_sched(t, &l->sched_mnext) - tables_sched(t, &l->sched_nmfreed)) |
		    tables_sched(t, &l->sched_nmidle) << 32);
	put(o, GRT_K_SNAP_COUNT, tables_sched(t, &l->sched_count_handoff),
	    tables_sched(t, &l->sched_count_retake), tables_sched(t, &l->sched_count_exit_slow),
	    tables_sched(t, &l->sched_count_block), tables_sched(t, &l->sched_count_m_new),
	    tables_sched(t, &l->sched_count_m_exit));
}

/* Whose P it is, as the Ms say. */
static uint64_t owner_plus_1(const struct tables *t, uint32_t p)
{
	for (uint32_t i = 0; i < t->m.n; i++)
		if (t->view[i].p == (int)p && taken_ns(t->view[i].take) == 0 &&
		    t->view[i].status != GRT_M_DEAD)
			return t->view[i].id + 1;
	return 0;
}

static void emit_ps(const struct snapshot *s, const struct out *o)
{
	const struct layout *l = s->tables.layout;
	const struct tables *t = &s->tables;

	for (uint32_t i = 0; i < t->p.n; i++)
		put(o, GRT_K_SNAP_P, i, tables_p(t, i, &l->p_status), owner_plus_1(t, i),
		    (uint32_t)(tables_p(t, i, &l->p_runqtail) - tables_p(t, i, &l->p_runqhead)),
		    tables_p(t, i, &l->p_schedtick), 0);
}

static void emit_fault(const struct snapshot *s, const struct out *o, const struct thread_row *t)
{
	struct grt_rec rec = { .time_ns = o->now_ns, .tid = t->tid, .kind = GRT_K_SNAP_FAULT };

	rec.arg[0] = t->fault_addr;
	o->emit(o->arg, &rec);
	if (s->names)
		names_of_fault(s->names, t->fault_addr, o->emit, o->arg);
}

/* The runtime knows the first argument only: who names another one needs to see the call asleep. */
static bool has_names_behind_first(int64_t nr)
{
	const struct syscall_desc *d = syscall_desc((int32_t)nr);

	return d && d->args[0] && strpbrk(d->args + 1, "afipP");
}

/*
 * A call may sleep several times: the runtime counts calls. What it does not know (other threads, calls within
 * a foreign function, reads that it was not told of) is told apart by its sleeps.
 */
static uint64_t call_of(const struct m_view *m, const struct thread_row *t, bool has_call)
{
	bool is_in_call = m && m->call & GRT_CALL_IN;
	uint64_t h = is_in_call ? hash_mix(1, m->call >> GRT_CALL_TICK_SHIFT) : 2;

	if (!is_in_call && !t->exec_start_ns)
		return 0;
	if (!is_in_call || m->nr == GRT_NR_FOREIGN)
		h = hash_mix(hash_mix(hash_mix(h, (uint64_t)t->nr), t->cpu), t->exec_start_ns);
	else if (has_names_behind_first(m->nr))
		h = hash_mix(h, has_call);
	return h | 1;
}

/* One that moved while it was read may still be in its call. */
static bool is_same_call(struct thread_row *t, const struct m_view *m, bool is_torn, bool has_call)
{
	t->call = is_torn ? t->call_before : call_of(m, t, has_call);
	return !is_torn && t->call && t->call == t->call_before;
}

static void emit_thread(const struct snapshot *s, const struct out *o, const struct m_view *m,
			struct thread_row *t, bool is_torn, bool is_retried)
{
	struct grt_rec rec, call;
	bool has_call;

	snapshot_row(&rec, m, t, is_torn);
	if (s->waits)
		waits_note(s->waits, t, rec.arg[0] >> 32 && (rec.arg[2] & 0xff) != GRT_MS_syscall);
	rec.flags |= is_retried ? GRT_RF_RETRIED : 0;
	if (t->tid == (uint32_t)s->target->pid)
		rec.arg[2] |= (uint64_t)GRT_MA_LEADER << 16;
	rec.time_ns = o->now_ns;
	call = rec;
	call.kind = GRT_K_SNAP_CALL;
	memcpy(call.arg, t->args, sizeof(call.arg));
	if (t->nr >= 0 && (int32_t)(rec.arg[2] >> 32) == GRT_NR_FOREIGN)
		call.flags |= (uint16_t)((t->nr + 1) << GRT_RF_CALL_SHIFT);
	has_call = (rec.arg[2] >> 16) & GRT_MA_HAS_CALL;
	if (is_same_call(t, m, is_torn, has_call))
		rec.flags |= GRT_RF_SAME_CALL;
	o->emit(o->arg, &rec);
	if (has_call)
		o->emit(o->arg, &call);
	if (s->names)
		names_of_row(s->names, &rec, has_call ? &call : NULL, o->emit, o->arg);
	if (t->fault_addr && !is_torn)
		emit_fault(s, o, t);
	if (s->stacks && !s->has_late_stacks)
		stacks_emit(s->stacks, t, o->now_ns, o->emit, o->arg);
}

/* Index of the M of each thread, by tid; -1 for none. */
static int *match(const struct snapshot *s)
{
	const struct tables *t = &s->tables;
	size_t bytes = (s->threads.n + 1) * sizeof(int);
	int *m_of = malloc(bytes);
	uint32_t unnamed = 0;

	if (!m_of)
		return NULL;
	memset(m_of, 0xff, bytes);
	for (uint32_t i = 0; i < t->m.n; i++) {
		const struct m_view *v = &t->view[i];
		struct thread_row *row;

		if (v->status == GRT_M_DEAD)
			continue;
		row = v->tid ? thread_list_find((struct thread_list *)&s->threads, v->tid) : NULL;
		if (row)
			m_of[row - s->threads.row] = (int)i;
	}
	for (size_t i = 0; i < s->threads.n; i++) {
		if (m_of[i] >= 0)
			continue;
		while (unnamed < t->m.n &&
		       (t->view[unnamed].tid != 0 || t->view[unnamed].status == GRT_M_DEAD))
			unnamed++;
		if (unnamed < t->m.n)
			m_of[i] = (int)unnamed++;
	}
	return m_of;
}

void snapshot_emit(struct snapshot *s, int level, source_emit_fn emit, void *arg)
{
	struct out o = { emit, arg, threads_now_ns() };
	uint32_t ms = 0, torn = 0;
	int *m_of = match(s);

	if (!m_of)
		return;
	if (s->names)
		names_begin(s->names);
	if (s->waits)
		waits_begin(s->waits, o.now_ns);
	if (s->stacks && !s->has_late_stacks)
		stacks_take(s->stacks, s, m_of);
	put(&o, GRT_K_SNAP_BEGIN, s->seq, (uint64_t)level, s->target->start_time_ns, s->settle_ns,
	    0, 0);
	emit_sched(s, &o);
	emit_ps(s, &o);
	for (size_t i = 0; i < s->threads.n; i++) {
		const struct m_view *m = m_of[i] >= 0 ? &s->tables.view[m_of[i]] : NULL;
		bool is_torn = m && s->is_torn[m_of[i]];

		emit_thread(s, &o, m, &s->threads.row[i], is_torn, m && s->is_retried[m_of[i]]);
		ms += m != NULL;
		torn += is_torn;
	}
	if (s->goroutines)
		goroutines_emit(s->goroutines, &s->tables, s->names, emit, arg);
	if (s->has_cost)
		put(&o, GRT_K_SNAP_COST, s->cost[0], s->cost[1], s->cost[2], s->cost[3],
		    cost_cpu_ns(getpid()) - s->own_at_open_ns, s->cost[5]);
	if (s->waits)
		waits_emit(s->waits, emit, arg);
	if (s->limits)
		limits_emit(s->limits, &s->tables, emit, arg);
	put(&o, GRT_K_SNAP_END, s->threads.n, ms, torn, s->duration_ns, s->nobservers, 0);
	free(m_of);
}

void snapshot_emit_stacks(struct snapshot *s, source_emit_fn emit, void *arg)
{
	uint64_t now_ns = threads_now_ns();
	int *m_of = match(s);

	if (!m_of)
		return;
	stacks_take(s->stacks, s, m_of);
	for (size_t i = 0; i < s->threads.n; i++)
		stacks_emit(s->stacks, &s->threads.row[i], now_ns, emit, arg);
	free(m_of);
}
