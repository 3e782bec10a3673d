/* SPDX-License-Identifier: MIT */
/*
 * events.c - see events.h. Links of probes are probe_links.c's; sched_switch has one of its own. A link
 * names the mapped file, not its path.
 */
#include "events.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bpf/events.h"
#include "gotrace.skel.h"
#include "probe_links.h"
#include "trap.h"

#define SWITCH_ENTRY_NS 60 /* to a program at sched_switch and back: 40 to 80 here */
/* CPUs take their times a little before they get their places in the ring. */
#define DRAIN_AHEAD_NS 10000000u

struct run_time {
	uint64_t runs, ns;
};

struct events {
	struct gotrace_bpf *skel; /* of opts.programs */
	struct ring_buffer *ring;
	struct events_opts opts;
	struct probe_links links;
	struct trap *trap;
	struct bpf_link *perf[PROBES_MAX];
	int nperf, wanted, cpus;
	struct run_time on_probe, on_sleep;
	uint64_t notes_lost;
	source_emit_fn emit; /* while draining */
	void *arg;
	uint64_t until_ns;
};

static bool is_wanted(const struct events_opts *o, const struct probe_site *s)
{
	return o->kinds >> s->desc->kind & 1;
}

static int attach_multi(struct events *e)
{
	e->links.target = e->opts.target;
	e->links.kinds = e->opts.kinds;
	e->links.prog_fd = bpf_program__fd(e->skel->progs.on_probe);
	e->links.is_changing = &e->skel->bss->is_changing;
	return probe_links_attach(&e->links);
}

static int attach_perf(struct events *e)
{
	const struct target *t = e->opts.target;

	for (int i = 0; i < t->nsites && i < PROBES_MAX; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .ref_ctr_offset = t->site[i].sem_off,
			    .bpf_cookie = (uint64_t)i);
		struct bpf_link *link;

		if (!is_wanted(&e->opts, &t->site[i]))
			continue;
		link = bpf_program__attach_uprobe_opts(e->skel->progs.on_probe,
						       t->is_leader_gone ? -1 : t->pid,
						       t->module.open_path, t->site[i].file_off,
						       &opts);
		if (!link)
			return -errno;
		e->perf[e->nperf++] = link;
	}
	return 0;
}

static int attach_kernel_events(struct events *e)
{
	e->skel->links.on_fork = bpf_program__attach(e->skel->progs.on_fork);
	e->skel->links.on_exit = bpf_program__attach(e->skel->progs.on_exit);
	e->skel->links.on_exec = bpf_program__attach(e->skel->progs.on_exec);
	if (e->opts.want_switches)
		e->skel->links.on_switch = bpf_program__attach(e->skel->progs.on_switch);
	return e->skel->links.on_fork && e->skel->links.on_exit && e->skel->links.on_exec ? 0
											  : -errno;
}

static void detach_kernel_events(struct gotrace_bpf *skel)
{
	struct bpf_link **const links[] = { &skel->links.on_fork, &skel->links.on_exit,
					    &skel->links.on_exec, &skel->links.on_switch };

	for (unsigned int i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		bpf_link__destroy(*links[i]);
		*links[i] = NULL;
	}
}

static int on_record(void *arg, void *data, size_t bytes)
{
	struct events *e = arg;
	const struct grt_rec *rec = data;

	if (bytes != sizeof(*rec))
		return 0;
	e->emit(e->arg, rec);
	return rec->time_ns > e->until_ns ? -EAGAIN : 0;
}

static int attach(struct events *e)
{
	int rc;

	e->skel->bss->target_tgid = e->opts.init_tgid;
	e->skel->bss->observer_level = e->opts.observer_level;
	rc = e->opts.by_perf ? attach_perf(e) : attach_multi(e);
	if (rc == 0)
		rc = attach_kernel_events(e);
	if (rc == 0) {
		e->ring = ring_buffer__new(bpf_map__fd(e->skel->maps.ring), on_record, e, NULL);
		rc = e->ring ? 0 : -errno;
	}
	return rc;
}

struct events *events_open(const struct events_opts *o, int *ret_error)
{
	struct events *e = calloc(1, sizeof(*e));

	*ret_error = -ENOMEM;
	if (!e)
		return NULL;
	e->opts = *o;
	e->skel = o->programs->skel;
	probe_links_init(&e->links);
	e->cpus = libbpf_num_possible_cpus();
	for (int i = 0; i < o->target->nsites && i < PROBES_MAX; i++)
		e->wanted += is_wanted(o, &o->target->site[i]);
	*ret_error = attach(e);
	if (*ret_error < 0) {
		events_close(e);
		return NULL;
	}
	/* It may be refused: then that part of the cost is not known. */
	if (!o->by_perf)
		e->trap = trap_open(bpf_program__fd(e->skel->progs.on_trap));
	return e;
}

void events_note_thread(struct events *e, uint32_t init_tid, uint64_t m_addr, uint64_t m_id)
{
	struct thread_m m = { .m_ptr = m_addr, .id = m_id };

	if (e->opts.want_switches &&
	    bpf_map_update_elem(bpf_map__fd(e->skel->maps.thread_m), &init_tid, &m, BPF_ANY) != 0)
		e->notes_lost++;
}

void events_drain(struct events *e, source_emit_fn emit, void *arg)
{
	e->emit = emit;
	e->arg = arg;
	e->until_ns = threads_now_ns() + DRAIN_AHEAD_NS;
	ring_buffer__consume(e->ring);
}

int events_fd(const struct events *e)
{
	return ring_buffer__epoll_fd(e->ring);
}

int events_wanted(const struct events *e)
{
	return e->wanted;
}

bool events_has_switches(const struct events *e)
{
	return e->skel->links.on_switch != NULL;
}

uint64_t events_counter(const struct events *e, uint32_t index)
{
	uint64_t values[e->cpus], sum = index == BPF_COUNT_LOST_MAP ? e->notes_lost : 0;

	if (bpf_map_lookup_elem(bpf_map__fd(e->skel->maps.counters), &index, values) != 0)
		return 0;
	for (int i = 0; i < e->cpus; i++)
		sum += values[i];
	return sum;
}

uint64_t events_hits(const struct events *e)
{
	uint64_t hits = 0;

	for (uint32_t kind = 1; kind < PROBES_MAX; kind++)
		hits += events_counter(e, BPF_COUNT_KIND0 + kind);
	return hits;
}

uint64_t events_trap_ns(const struct events *e)
{
	return trap_cost_ns(e->trap);
}

/* Those since the last look at what the timed ones took; so the sum only grows. */
static void runs_add(const struct events *e, struct run_time *r, uint64_t runs, uint32_t timed)
{
	uint64_t n = events_counter(e, timed);

	if (n == 0)
		return;
	r->ns += (uint64_t)((double)events_counter(e, timed + 1) / (double)n *
			    (double)(runs - r->runs));
	r->runs = runs;
}

/*
 * As the programs themselves measured it, and the entry to that on sched_switch (a probe's is part of
 * the trap's cost). Not the kernel's own count: while that is on, each program of the machine looks at
 * the clock twice a run.
 */
uint64_t events_run_ns(struct events *e)
{
	runs_add(e, &e->on_probe, events_hits(e), BPF_COUNT_PROBE_TIMED);
	runs_add(e, &e->on_sleep, events_counter(e, BPF_COUNT_SLEEPS), BPF_COUNT_SLEEP_TIMED);
	return e->on_probe.ns + e->on_sleep.ns +
	       events_counter(e, BPF_COUNT_SWITCHES) * SWITCH_ENTRY_NS;
}

uint32_t events_groups(const struct events *e)
{
	return e->links.armed | (e->skel->links.on_switch ? GRT_SWITCHES : 0);
}

uint32_t events_arm(struct events *e, uint32_t wanted)
{
	uint32_t armed = events_groups(e);

	probe_links_arm(&e->links, wanted);
	if ((armed & ~wanted) & GRT_SWITCHES) {
		bpf_link__destroy(e->skel->links.on_switch);
		e->skel->links.on_switch = NULL;
	} else if ((wanted & ~armed) & GRT_SWITCHES) {
		e->skel->links.on_switch = bpf_program__attach(e->skel->progs.on_switch);
	}
	return events_groups(e);
}

void events_close(struct events *e)
{
	if (!e)
		return;
	probe_links_detach(&e->links);
	trap_close(e->trap);
	for (int i = 0; i < e->nperf; i++)
		bpf_link__destroy(e->perf[i]);
	ring_buffer__free(e->ring);
	detach_kernel_events(e->skel);
	free(e);
}
