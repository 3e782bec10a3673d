/* SPDX-License-Identifier: MIT */
/* programs.c - see programs.h. What is not wanted is not loaded, and its maps are not made. */
#include "programs.h"

#include <bpf/libbpf.h>
#include <errno.h>

#include "../../bpf/events.h"
#include "gotrace.skel.h"
#include "uprobe_multi.h"

#define RING_BYTES (4u << 20)
/* Threads that have left the runtime, but not the kernel yet; those that the first look found and that
 * were gone before BPF was told of them. */
#define ENTRIES_MARGIN 1024u
#define ENTRIES_MAX 65536u     /* 2 maps of 5 MiB, whatever limit was set */
#define ENTRIES_DEFAULT 16384u /* the target does not say */

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

/* 0: not known. */
static uint64_t sched_read(const struct target *t, const struct layout_field *f)
{
	struct layout_field alone = *f;
	char value[sizeof(uint64_t)] = { 0 };
	struct target_read r = { .addr = t->layout.sched + f->off, .buf = value };

	r.bytes = f->width;
	alone.off = 0;
	if (!f->known || f->width > sizeof(value) || target_read_many(t, &r, 1) != 1)
		return 0;
	return layout_get(&alone, value);
}

/* One a thread of the target. A limit that is raised later may be too much: that is told as lost. */
static uint32_t entries_of(const struct programs_want *w)
{
	const struct layout *l = &w->target->layout;
	uint64_t limit = sched_read(w->target, &l->sched_maxmcount);
	uint64_t live =
		sched_read(w->target, &l->sched_mnext) - sched_read(w->target, &l->sched_nmfreed);

	if (!w->switches)
		return 1;
	if (w->map_entries)
		return w->map_entries;
	if (!limit)
		limit = ENTRIES_DEFAULT;
	if (limit < live)
		limit = live;
	return limit < ENTRIES_MAX - ENTRIES_MARGIN ? (uint32_t)limit + ENTRIES_MARGIN
						    : ENTRIES_MAX;
}

/* All but the iterator's are of events, and so are all maps but those of variables. */
static void choose(struct gotrace_bpf *skel, const struct programs_want *w)
{
	struct bpf_program *prog;
	struct bpf_map *map;

	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, w->events);
	bpf_object__for_each_map(map, skel->obj)
		if (!bpf_map__is_internal(map))
			bpf_map__set_autocreate(map, w->events);
	bpf_program__set_autoload(skel->progs.dump_threads, w->threads);
	bpf_program__set_autoload(skel->progs.dump_deep, w->threads_deep);
	if (!w->switches)
		bpf_program__set_autoload(skel->progs.on_switch, false);
	if (w->by_perf)
		bpf_program__set_autoload(skel->progs.on_trap, false);
}

static void set_events(struct gotrace_bpf *skel, const struct programs_want *w)
{
	enum bpf_attach_type multi = (enum bpf_attach_type)ATTACH_UPROBE_MULTI;
	const struct layout *l = &w->target->layout;
	uint32_t entries = entries_of(w);

	skel->rodata->m_off.call = l->m_call.off;
	skel->rodata->m_off.take = l->m_take.off;
	skel->rodata->m_off.id = l->m_id.off;
	skel->rodata->m_off.p = l->m_p.off;
	skel->rodata->m_off.call_nr = l->m_call_nr.off;
	skel->rodata->m_off.call_arg = l->m_call_arg.off;
	for (int i = 0; i < w->target->nsites && i < PROBES_MAX; i++)
		spec_fill(&skel->rodata->probes[i], &w->target->site[i]);
	skel->rodata->want_switches = w->switches;
	bpf_map__set_max_entries(skel->maps.ring, RING_BYTES);
	bpf_map__set_max_entries(skel->maps.thread_m, entries);
	bpf_map__set_max_entries(skel->maps.asleep, entries);
	if (!w->by_perf) {
		bpf_program__set_expected_attach_type(skel->progs.on_probe, multi);
		bpf_program__set_expected_attach_type(skel->progs.on_trap, multi);
	}
}

static int load(struct programs *p, const struct programs_want *w)
{
	int rc;

	p->skel = gotrace_bpf__open();
	if (!p->skel)
		return -errno;
	p->skel->rodata->target_pid = (uint32_t)w->target->pid;
	choose(p->skel, w);
	if (w->events)
		set_events(p->skel, w);
	rc = gotrace_bpf__load(p->skel);
	if (rc < 0)
		programs_unload(p);
	return rc;
}

/* Without kernel stacks rather than not at all, where the iterator has a form without. */
static int load_deep_or_not(struct programs *p, struct programs_want want)
{
	int rc = load(p, &want);

	if (rc == 0 || !want.threads || !want.threads_deep)
		return rc;
	want.threads_deep = false;
	return load(p, &want);
}

/* Kernel stacks are given up before events are, and the iterator never. */
int programs_load(struct programs *p, const struct programs_want *want)
{
	struct programs_want rest = *want;
	int rc = load_deep_or_not(p, *want);

	p->events_error = 0;
	if (rc == 0 || !want->events || !(want->threads || want->threads_deep))
		return rc;
	p->events_error = rc;
	rest.events = false;
	return load_deep_or_not(p, rest);
}

void programs_unload(struct programs *p)
{
	gotrace_bpf__destroy(p->skel);
	p->skel = NULL;
}
