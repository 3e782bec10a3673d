/* SPDX-License-Identifier: MIT */
/*
 * events.c - see events.h.
 *
 * The uprobe_multi link is made by bpf(2) itself: Debian 12's libbpf loads such a program but does
 * not know the link. One link for all sites attaches and detaches in tens of ms (one by one: 100 ms
 * each to detach) and needs CAP_BPF and CAP_PERFMON only. The link names the mapped file, not its
 * path.
 */
#include "events.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../bpf/events.h"
#include "events.skel.h"

#define ATTACH_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI: newer than Debian 12's headers */
#define RING_BYTES (4u << 20)

struct events {
	const struct target *target;
	struct events_bpf *skel;
	struct ring_buffer *ring;
	int link; /* uprobe_multi, -1: none */
	struct bpf_link *perf[PROBES_MAX];
	int nperf, wanted, cpus;
	source_emit_fn emit; /* while draining */
	void *arg;
};

/* What BPF_LINK_CREATE takes for uprobe_multi. */
struct link_create_uprobe_multi {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, reserved;
};

static bool is_wanted(const struct events_opts *o, const struct probe_site *s)
{
	return o->kinds >> s->desc->kind & 1;
}

/* Cookie i of the link is index i of the table. */
static void spec_fill(volatile struct probe_spec *spec, const struct probe_site *s)
{
	spec->kind = s->desc->kind;
	spec->nargs = (uint32_t)s->nargs;
	for (int i = 0; i < s->nargs; i++) {
		spec->arg[i].is_imm = s->arg[i].is_imm;
		spec->arg[i].regs_off = s->arg[i].regs_off;
		spec->arg[i].shift = 64 - 8u * s->arg[i].width;
		spec->arg[i].is_signed = s->arg[i].is_signed;
		spec->arg[i].imm = (uint64_t)s->arg[i].imm;
	}
}

static int load(struct events *e, const struct events_opts *o, bool by_perf)
{
	const struct layout *l = &o->target->layout;

	e->skel = events_bpf__open();
	if (!e->skel)
		return -errno;
	e->skel->rodata->target_tgid = o->init_tgid;
	e->skel->rodata->observer_level = o->observer_level;
	e->skel->rodata->m_off.call = l->m_call.off;
	e->skel->rodata->m_off.take = l->m_take.off;
	e->skel->rodata->m_off.id = l->m_id.off;
	e->skel->rodata->m_off.call_nr = l->m_call_nr.off;
	e->skel->rodata->m_off.call_arg = l->m_call_arg.off;
	e->wanted = 0;
	for (int i = 0; i < o->target->nsites && i < PROBES_MAX; i++) {
		spec_fill(&e->skel->rodata->probes[i], &o->target->site[i]);
		e->wanted += is_wanted(o, &o->target->site[i]);
	}
	bpf_map__set_max_entries(e->skel->maps.ring, RING_BYTES);
	bpf_program__set_autoload(e->skel->progs.on_switch, o->want_switches);
	if (!by_perf)
		bpf_program__set_expected_attach_type(e->skel->progs.on_probe,
						      (enum bpf_attach_type)ATTACH_UPROBE_MULTI);
	return events_bpf__load(e->skel);
}

static int attach_multi(struct events *e, const struct events_opts *o)
{
	uint64_t offsets[PROBES_MAX], semaphores[PROBES_MAX], cookies[PROBES_MAX];
	struct link_create_uprobe_multi a = { .attach_type = ATTACH_UPROBE_MULTI };
	const struct target *t = o->target;

	for (int i = 0; i < t->nsites && i < PROBES_MAX; i++) {
		if (!is_wanted(o, &t->site[i]))
			continue;
		offsets[a.cnt] = t->site[i].file_off;
		semaphores[a.cnt] = t->site[i].sem_off;
		cookies[a.cnt++] = (uint64_t)i;
	}
	if (a.cnt == 0)
		return 0;
	a.prog_fd = (uint32_t)bpf_program__fd(e->skel->progs.on_probe);
	a.path = (uintptr_t)t->module.open_path;
	a.offsets = (uintptr_t)offsets;
	a.ref_ctr_offsets = (uintptr_t)semaphores;
	a.cookies = (uintptr_t)cookies;
	/* Without its leader a process cannot be named to the kernel: the program filters by tgid. */
	a.pid = t->is_leader_gone ? 0 : (uint32_t)t->pid;
	e->link = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &a, sizeof(a));
	return e->link < 0 ? -errno : 0;
}

static int attach_perf(struct events *e, const struct events_opts *o)
{
	const struct target *t = o->target;

	for (int i = 0; i < t->nsites && i < PROBES_MAX; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .ref_ctr_offset = t->site[i].sem_off,
			    .bpf_cookie = (uint64_t)i);
		struct bpf_link *link;

		if (!is_wanted(o, &t->site[i]))
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

static int attach_kernel_events(struct events *e, bool want_switches)
{
	e->skel->links.on_fork = bpf_program__attach(e->skel->progs.on_fork);
	e->skel->links.on_exit = bpf_program__attach(e->skel->progs.on_exit);
	e->skel->links.on_exec = bpf_program__attach(e->skel->progs.on_exec);
	if (want_switches)
		e->skel->links.on_switch = bpf_program__attach(e->skel->progs.on_switch);
	return e->skel->links.on_fork && e->skel->links.on_exit && e->skel->links.on_exec ? 0
											  : -errno;
}

static int on_record(void *arg, void *data, size_t bytes)
{
	struct events *e = arg;

	if (bytes == sizeof(struct grt_rec))
		e->emit(e->arg, data);
	return 0;
}

static int try_open(struct events *e, const struct events_opts *o, bool by_perf)
{
	int rc = load(e, o, by_perf);

	if (rc == 0)
		rc = by_perf ? attach_perf(e, o) : attach_multi(e, o);
	if (rc == 0)
		rc = attach_kernel_events(e, o->want_switches);
	if (rc == 0) {
		e->ring = ring_buffer__new(bpf_map__fd(e->skel->maps.ring), on_record, e, NULL);
		rc = e->ring ? 0 : -errno;
	}
	return rc;
}

static void detach(struct events *e)
{
	if (e->link >= 0)
		close(e->link);
	e->link = -1;
	for (int i = 0; i < e->nperf; i++)
		bpf_link__destroy(e->perf[i]);
	e->nperf = 0;
	ring_buffer__free(e->ring);
	e->ring = NULL;
	events_bpf__destroy(e->skel);
	e->skel = NULL;
}

struct events *events_open(const struct events_opts *o, int *ret_level, char *why, size_t why_bytes)
{
	struct events *e = calloc(1, sizeof(*e));
	int rc, multi;

	if (!e) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	e->target = o->target;
	e->link = -1;
	e->cpus = libbpf_num_possible_cpus();
	*ret_level = 1;
	multi = rc = try_open(e, o, false);
	if (rc < 0) {
		detach(e);
		*ret_level = 2;
		rc = try_open(e, o, true);
	}
	if (rc == 0)
		return e;
	snprintf(why, why_bytes, "probes: %s", strerror(-multi));
	events_close(e);
	return NULL;
}

void events_note_thread(struct events *e, uint32_t init_tid, uint64_t m_addr)
{
	bpf_map_update_elem(bpf_map__fd(e->skel->maps.thread_m), &init_tid, &m_addr, BPF_ANY);
}

int events_drain(struct events *e, source_emit_fn emit, void *arg)
{
	e->emit = emit;
	e->arg = arg;
	return ring_buffer__consume(e->ring);
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
	uint64_t values[e->cpus], sum = 0;

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

void events_close(struct events *e)
{
	if (!e)
		return;
	detach(e);
	free(e);
}
