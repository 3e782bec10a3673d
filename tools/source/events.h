/* SPDX-License-Identifier: MIT */
/*
 * events.h - bpf/events.bpf.c, attached to one process: probes by one uprobe_multi link
 * (or, where the kernel has none, by perf events), sched_switch, ends of threads, exec.
 */
#ifndef GOTRACE_EVENTS_H
#define GOTRACE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "programs.h"
#include "source.h"
#include "threads.h"

struct events;

struct events_opts {
	const struct target *target;
	const struct programs *programs; /* loaded so; they outlive these */
	bool by_perf;
	uint64_t kinds;
	bool want_switches;
	uint32_t init_tgid;      /* of the target in the initial pid namespace */
	uint32_t observer_level; /* of our pid namespace */
};

/*
 * Attach. NULL: *ret_error is -errno. sched_switch may be refused while the rest works: events_has_switches
 * tells.
 */
struct events *events_open(const struct events_opts *o, int *ret_error);
/* Tell BPF which M a thread is, for threads older than the attach. What finds no room is counted as lost. */
void events_note_thread(struct events *e, uint32_t init_tid, uint64_t m_addr, uint64_t m_id);
/*
 * Hand on what has arrived. What a target puts there meanwhile may stay for the next call: one that is faster
 * than we are would else hold us here for ever.
 */
void events_drain(struct events *e, source_emit_fn emit, void *arg);
int events_fd(const struct events *e); /* readable when a lot has arrived */
int events_wanted(const struct events *e);
bool events_has_switches(const struct events *e);
/* Sum over CPUs of a counter of bpf/events.h. */
uint64_t events_counter(const struct events *e, uint32_t index);
uint64_t events_hits(const struct events *e);
/* Groups that are armed: enum grt_temperature bits. By perf events (level 2) none can be told apart. */
uint32_t events_groups(const struct events *e);
/* Arm these, and shed the others. Returns those that are armed: the kernel may have refused one. */
uint32_t events_arm(struct events *e, uint32_t wanted);
uint64_t events_trap_ns(
	const struct events *e); /* one hit of a probe, without its program; 0: not known */
uint64_t events_run_ns(struct events *e); /* run time of our programs; 0: not counted */
void events_close(struct events *e);

#endif
