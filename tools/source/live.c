/* SPDX-License-Identifier: MIT */
/*
 * live.c - a live process as a source. The privilege ladder is climbed by trial:
 *
 *   level 0  memory and /proc: sampled
 *   level 1  + task iterator, sched_switch, probes by uprobe_multi
 *   level 2  probes by perf events, where the kernel has no uprobe_multi
 *
 * Attach first, snapshot second, last event wins: what happens in between is in both, and no
 * hand-off is missed. A snapshot is preceded by the events that came before it.
 */
#include <errno.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bpf/events.h"
#include "../diag.h"
#include "cost.h"
#include "events.h"
#include "programs.h"
#include "snapshot.h"
#include "source.h"
#include "stacks.h"
#include "waits.h"

#define DRAIN_MS 100 /* how long records may wait in the ring */
#define NS_PER_MS 1000000

struct live {
	struct source base;
	struct target *target;
	struct programs programs;
	struct threads_iter *iter;
	struct events *events;
	struct snapshot snapshot;
	struct source_opts opts;
	struct source_status status;
	uint64_t lost_told[8];
	struct governor governor;
	struct cost at_open; /* clocks when the watching began */
	bool is_gone, has_execed;
	source_emit_fn emit; /* while draining */
	void *arg;
};

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* THREAD_GONE and EXEC are told by the kernel; the leader's own end ends nothing. */
static void on_event(void *arg, const struct grt_rec *rec)
{
	struct live *l = arg;

	if (rec->kind == GRT_K_EXEC)
		l->has_execed = true;
	if (rec->kind == GRT_K_netpoll_run && l->snapshot.goroutines)
		goroutines_note_fd(l->snapshot.goroutines, rec->arg[1]);
	l->emit(l->arg, rec);
}

static void drain(struct live *l, source_emit_fn emit, void *arg)
{
	if (!l->events)
		return;
	l->emit = emit;
	l->arg = arg;
	events_drain(l->events, on_event, l);
}

/* Loss is a record like any other, as soon as it is known. */
static void tell_losses(struct live *l, source_emit_fn emit, void *arg)
{
	uint64_t memory = l->snapshot.tables.lost;

	if (l->events) {
		l->status.lost[GRT_LOSS_RING] = events_counter(l->events, BPF_COUNT_LOST_RING);
		l->status.lost[GRT_LOSS_MAP] = events_counter(l->events, BPF_COUNT_LOST_MAP);
		memory += events_counter(l->events, BPF_COUNT_LOST_MEMORY);
	}
	/* Memory that went away with its image was not lost. Asked last: what was counted is older. */
	if (memory != l->status.lost[GRT_LOSS_MEMORY] && target_is_same_image(l->target) &&
	    !target_is_ending(l->target))
		l->status.lost[GRT_LOSS_MEMORY] = memory;
	for (unsigned reason = 0; reason < 8; reason++) {
		struct grt_rec rec = { .kind = GRT_K_LOST, .time_ns = threads_now_ns() };

		if (l->status.lost[reason] <= l->lost_told[reason])
			continue;
		rec.arg[0] = reason;
		rec.arg[1] = l->status.lost[reason] - l->lost_told[reason];
		l->lost_told[reason] = l->status.lost[reason];
		emit(arg, &rec);
	}
}

/* Threads that BPF has not seen start. */
static void name_threads(struct live *l)
{
	struct snapshot *s = &l->snapshot;

	for (uint32_t i = 0; l->events && i < s->tables.m.n; i++) {
		const struct m_view *v = &s->tables.view[i];
		struct thread_row *row = v->tid ? thread_list_find(&s->threads, v->tid) : NULL;

		if (row && row->init_tid && v->status != GRT_M_DEAD)
			events_note_thread(l->events, row->init_tid, s->tables.m.addr[i], v->id);
	}
}

/* The image that was opened is no more: with its process, or before it. */
static int ended(const struct live *l)
{
	return target_has_execed(l->target) ? -ESTALE : -ESRCH;
}

static void cost_read(const struct live *l, struct cost *ret)
{
	*ret = (struct cost){
		.target_ns = cost_cpu_ns(l->target->pid) - l->at_open.target_ns,
		.wall_ns = threads_now_ns() - l->at_open.wall_ns,
	};
	if (!l->events)
		return;
	ret->hits = events_hits(l->events);
	ret->hits_ns = ret->hits * events_trap_ns(l->events);
	ret->bpf_ns = events_run_ns(l->events);
}

/* For the snapshot that is about to be taken; and probes that cost too much are shed. */
static void govern(struct live *l)
{
	struct governor *g = &l->governor;
	struct cost c;

	cost_read(l, &c);
	if (l->events && l->status.level == 1)
		g->armed = events_arm(l->events, governor_tick(g, &c, threads_now_ns()));
	l->snapshot.has_cost = true;
	l->snapshot.cost[0] = c.hits;
	l->snapshot.cost[1] = c.hits_ns;
	l->snapshot.cost[2] = c.bpf_ns;
	l->snapshot.cost[3] = c.target_ns;
	l->snapshot.cost[5] = (g->wanted & ~g->armed) | (uint64_t)governor_armed_permill(g) << 32;
}

static int live_snapshot(struct source *base, source_emit_fn emit, void *arg)
{
	struct live *l = (struct live *)base;
	bool is_first = l->snapshot.seq == 0;
	int rc;

	if (l->is_gone || l->has_execed || !target_is_same_image(l->target))
		return ended(l);
	/* Before the drain: none from before that time is still to come. A time taken afterwards would
	 * call late what happens while the snapshot is taken. */
	l->snapshot.settle_ns = threads_now_ns();
	govern(l);
	drain(l, emit, arg);
	rc = snapshot_take(&l->snapshot, l->iter ? 1 : 0, emit, arg);
	/* What happened meanwhile is in the counters that were read, and this may be the last look. */
	drain(l, emit, arg);
	if (rc == 0 && is_first)
		name_threads(l);
	l->status.snapshot_ns = l->snapshot.duration_ns;
	tell_losses(l, emit, arg);
	if (rc < 0 && !target_is_same_image(l->target))
		return ended(l);
	return rc;
}

static int live_wait(struct source *base, int64_t until_ns, source_emit_fn emit, void *arg)
{
	struct live *l = (struct live *)base;

	while (!source_was_signalled()) {
		/* The end of the target; a ring that fills. */
		struct pollfd p[2] = {
			{ .fd = l->target->pidfd, .events = POLLIN },
			{ .fd = l->events ? events_fd(l->events) : -1, .events = POLLIN },
		};
		int64_t left = until_ns - (int64_t)threads_now_ns();
		int ms = (int)(left / NS_PER_MS) + 1;

		if (left <= 0)
			return 0;
		poll(p, 2, ms < DRAIN_MS ? ms : DRAIN_MS);
		drain(l, emit, arg);
		l->is_gone = p[0].fd >= 0 ? (p[0].revents & POLLIN) != 0
					  : !target_is_alive(l->target);
		if (l->is_gone || l->has_execed) {
			drain(l, emit, arg); /* what it did between our look and its end */
			tell_losses(l, emit, arg);
			return ended(l);
		}
	}
	return -EINTR;
}

static void live_stacks(struct source *base, source_emit_fn emit, void *arg)
{
	struct live *l = (struct live *)base;

	if (!l->is_gone && !l->has_execed)
		snapshot_take_stacks(&l->snapshot, emit, arg);
}

static void live_status(struct source *base, struct source_status *ret)
{
	struct live *l = (struct live *)base;

	l->status.pid = l->target->pid;
	l->status.comm = l->target->comm;
	l->status.runtime = "libgrt";
	l->status.is_replaced = l->target->module.is_replaced;
	l->status.is_stopped = l->target->is_stopped;
	if (l->events)
		l->status.probe_hits = events_hits(l->events);
	*ret = l->status;
}

static void close_bpf(struct live *l)
{
	events_close(l->events);
	threads_iter_close(l->iter);
	programs_unload(&l->programs);
	l->events = NULL;
	l->iter = NULL;
}

static void live_close(struct source *base)
{
	struct live *l = (struct live *)base;

	threads_iter_close(l->snapshot.deep);
	close_bpf(l);
	stacks_free(l->snapshot.stacks);
	names_free(l->snapshot.names);
	goroutines_free(l->snapshot.goroutines);
	limits_free(l->snapshot.limits);
	waits_free(l->snapshot.waits);
	snapshot_close(&l->snapshot);
	free(l);
}

static const struct source_ops live_ops = {
	.snapshot = live_snapshot,
	.wait = live_wait,
	.stacks = live_stacks,
	.status = live_status,
	.close = live_close,
};

static bool wants_events(const struct live *l)
{
	return l->opts.kinds || l->opts.want_switches;
}

static int open_iter(struct live *l, bool by_perf)
{
	const struct source_opts *o = &l->opts;
	const struct programs_want want = {
		.target = l->target,
		.threads = !o->want_stacks || o->stacks_on_demand,
		.threads_deep = o->want_stacks,
		.events = wants_events(l),
		.switches = o->want_switches,
		.by_perf = by_perf,
		.map_entries = o->map_entries,
	};
	struct thread_list first = { 0 };
	int rc = programs_load(&l->programs, &want);

	if (rc == 0)
		l->iter = threads_iter_open(&l->programs, l->target, !want.threads, &rc);
	/* The first read tells who we and the target are in the kernel's numbering. */
	if (l->iter)
		rc = threads_iter_read(l->iter, NULL, &first);
	thread_list_free(&first);
	if (rc < 0)
		close_bpf(l);
	return rc;
}

/* 0, or why there are no events. */
static int open_events(struct live *l, bool by_perf)
{
	const struct events_opts o = {
		.target = l->target,
		.programs = &l->programs,
		.by_perf = by_perf,
		.kinds = l->opts.kinds,
		.want_switches = l->opts.want_switches,
		.init_tgid = threads_iter_init_tgid(l->iter),
		.observer_level = threads_iter_level(l->iter),
	};
	int rc = l->programs.events_error;

	if (rc == 0)
		l->events = events_open(&o, &rc);
	return rc;
}

/*
 * By uprobe_multi, or else all of it once more by perf events: what was loaded for the one cannot be attached as
 * the other, and would only lie in the kernel.
 */
static int open_level(struct live *l)
{
	int rc = open_iter(l, l->opts.one_by_one), refused = -EOPNOTSUPP;

	if (rc == 0)
		l->status.level = 1;
	if (rc < 0 || !wants_events(l))
		return rc;
	if (!l->opts.one_by_one) {
		refused = open_events(l, false);
		if (refused == 0)
			return 0;
		close_bpf(l);
		rc = open_iter(l, true);
	}
	if (rc == 0 && open_events(l, true) == 0)
		l->status.level = 2;
	else
		snprintf(l->status.why_not_higher, sizeof(l->status.why_not_higher), "probes: %s",
			 strerror(-refused));
	return rc;
}

static void open_bpf(struct live *l)
{
	uint64_t start_ns = threads_now_ns(), armed = 0;
	int rc = open_level(l);

	l->status.has_iterator = l->iter != NULL;
	if (!l->iter) {
		l->status.level = 0;
		snprintf(l->status.why_not_higher, sizeof(l->status.why_not_higher),
			 "task iterator: %s; needs root, or CAP_BPF and CAP_PERFMON",
			 strerror(-rc));
	}
	if (!l->events)
		return;
	l->status.attach_ns = threads_now_ns() - start_ns;
	governor_init(&l->governor, events_groups(l->events), l->opts.max_overhead_ppm,
		      threads_now_ns());
	l->status.wanted = events_wanted(l->events);
	target_read_armed(l->target, &armed);
	for (int i = 0; i < l->target->nsites; i++)
		l->status.armed += (l->opts.kinds >> l->target->site[i].desc->kind & 1) &&
				   (armed >> i & 1);
	l->status.has_switches = events_has_switches(l->events);
}

static int open_stacks(struct live *l)
{
	int rc;

	l->snapshot.stacks = stacks_new(l->target, l->snapshot.names);
	l->snapshot.has_late_stacks = l->opts.stacks_on_demand;
	/* Without it, stacks end where the kernel begins. */
	if (l->iter && l->opts.stacks_on_demand)
		l->snapshot.deep = threads_iter_open(&l->programs, l->target, true, &rc);
	return l->snapshot.stacks ? 0 : -ENOMEM;
}

struct source *source_live_open(struct target *t, const struct source_opts *o, int *ret_code)
{
	struct live *l = calloc(1, sizeof(*l));
	int rc = l ? 0 : -ENOMEM;

	libbpf_set_print(quiet);
	if (l) {
		l->base.ops = &live_ops;
		l->target = t;
		l->opts = *o;
		if (o->sample_only)
			snprintf(l->status.why_not_higher, sizeof(l->status.why_not_higher),
				 "--sample");
		else
			open_bpf(l);
		rc = snapshot_open(&l->snapshot, t, l->iter);
		if (rc == 0 && (o->want_names || o->want_stacks)) {
			l->snapshot.names = names_new(t);
			rc = l->snapshot.names ? 0 : -ENOMEM;
		}
		if (rc == 0 && o->want_stacks) {
			rc = open_stacks(l);
		}
		if (rc == 0 && o->want_goroutines) {
			l->snapshot.goroutines = goroutines_new(t);
			rc = l->snapshot.goroutines ? 0 : -ENOMEM;
		}
		if (rc == 0 && o->want_waits) {
			l->snapshot.waits = waits_new(t);
			rc = l->snapshot.waits ? 0 : -ENOMEM;
		}
		if (rc == 0 && o->want_limits) {
			l->snapshot.limits = limits_new(t);
			rc = l->snapshot.limits ? 0 : -ENOMEM;
		}
	}
	if (rc < 0) {
		*ret_code =
			diag_error(EXIT_SYSTEM, "cannot watch pid %d: %s", t->pid, strerror(-rc));
		if (l)
			live_close(&l->base);
		return NULL;
	}
	l->at_open = (struct cost){
		.target_ns = cost_cpu_ns(t->pid),
		.wall_ns = threads_now_ns(),
	};
	l->snapshot.own_at_open_ns = cost_cpu_ns(getpid());
	*ret_code = EXIT_FINE;
	return &l->base;
}
