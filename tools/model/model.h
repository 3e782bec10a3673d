/* SPDX-License-Identifier: MIT */
/*
 * model.h - apply(record) -> threads, Ms, Ps, hand-offs, loss. No clock, no I/O; no allocation per
 * event once the process has stopped growing. Records may come out of order within 10 ms: they are
 * held back and sorted by time; model_tick(time) is the only clock the model knows.
 * Views and checks read it through const pointers and never write.
 */
#ifndef GOTRACE_MODEL_H
#define GOTRACE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/mstate.h"
#include "../../runtime/trace_abi.h"
#include "growth.h"
#include "handoffs.h"
#include "hist.h"
#include "netpoll.h"

#define MODEL_WINDOW_NS 10000000ull /* records may come so much out of order */

struct model;

/* One thread of the process in the newest complete snapshot. */
struct model_thread {
	uint32_t tid;
	int64_t m;  /* M id, -1: foreign thread */
	int64_t p;  /* P id, -1: none */
	uint64_t g; /* goroutine id, 0: none */
	enum grt_mstate state;
	char kernel_state; /* R S D T Z ... */
	uint16_t attr;     /* GRT_MA_* */
	int32_t nr;        /* syscall, GRT_NR_FOREIGN, GRT_NR_NONE */
	uint64_t since_ns; /* 0 = not known */
	uint64_t asleep_since_ns;
	uint64_t call_arg; /* first argument, or foreign function */
	uint64_t names_look; /* its descriptors are those of this look, when its call was seen first */
	bool keeps_names;    /* that of the look before */
	bool has_args;
	uint64_t args[6];
	uint64_t fault_addr; /* sleeps because it touched this; 0: in no page fault, or not known */
	uint16_t inner_nr_1; /* whose args these are, of a foreign function: number + 1; 0: none */
	struct model_stack {
		uint32_t at, n; /* in the frames of the snapshot: model_stack() */
	} stack[2];             /* by enum grt_stack - 1 */
};

struct model_frame {
	uint64_t pc;
	uint8_t flags; /* GRT_FRAME_* */
};

/* A goroutine that is not dead. */
struct model_g {
	uint64_t id, fn, since_ns; /* since_ns 0: not known */
	int64_t m;                 /* -1: none */
	int32_t fd;                /* waited for, -1: none */
	uint8_t status, wait_reason, poll_mode;
};

/* What watching has cost so far. */
struct model_cost {
	bool is_known;
	uint64_t hits, hits_ns, bpf_ns, target_ns, own_ns;
	uint32_t shed;          /* enum grt_temperature bits */
	uint32_t armed_permill; /* of the time */
};

/*
 * How long goroutines with a P waited for a CPU, since the first look: because a quota of their cgroup was
 * used up, or because others had the CPUs.
 */
struct model_wait {
	bool is_known;
	uint64_t waited_ns, ran_ns;   /* together the time that they ran, as the runtime sees it */
	uint64_t throttled_ns;        /* of waited_ns */
	uint64_t quota_ns, period_ns; /* 0: no quota */
	uint32_t periods, throttled_periods;
};

struct model_p {
	uint32_t id, status, runq_len, schedtick;
	int64_t m;
};

/* Totals at the newest snapshot. Counters are since the runtime started. */
struct model_snap {
	uint64_t seq, time_ns, duration_ns;
	uint64_t settle_ns; /* all events up to then have been handed over: time of the tick */
	int level;
	uint32_t count[GRT_MS_COUNT]; /* Ms by state: sums up to threads */
	uint32_t threads, procs, procs_busy, procs_idle, spinning;
	uint32_t torn;
	uint64_t runq; /* global + local */
	uint64_t goroutines, netpoll_parked;
	uint64_t handoffs, retakes, slow_exits, self_blocks, threads_made, threads_gone;
	struct model_wait wait;
};

/* What happened between ticks, from events. Zero and has_events false if only sampled. */
struct model_rates {
	bool has_events;
	uint64_t handoffs, retakes, threads_made, threads_gone; /* since the tick before */
	struct hist handoff_ns; /* total latency of the hand-offs that ended in this interval */
};

/* The central object: one hand-off of a P. */
struct model_handoff {
	uint64_t retake_ns, done_ns, asleep_since_ns, in_call_ns;
	int64_t p, from_m, to_m;
	uint64_t g;
	uint8_t by, cause, outcome, made_thread;
	int32_t nr;        /* of the call, GRT_NR_FOREIGN, GRT_NR_NONE */
	bool has_call_arg; /* first argument or foreign function is known: */
	uint64_t call_arg;
	uint64_t start_ns; /* of the call, its sleep or its giving up: what is known; 0: nothing is
			    */
	uint8_t start;     /* enum model_start: which of these */
};

struct model *model_new(void);
void model_free(struct model *m);
void model_apply(struct model *m, const struct grt_rec *rec);
/*
 * Time has passed: records older than time - 10 ms are settled. Ends an interval, whose rates and
 * hand-offs are there until the next record is applied.
 */
void model_tick(struct model *m, uint64_t time_ns);

bool model_has_snapshot(const struct model *m);
const struct model_snap *model_snap(const struct model *m);
const struct model_snap *model_snap_before(const struct model *m); /* NULL at the first */
const struct model_rates *model_rates(const struct model *m);
const struct model_rates *model_totals(const struct model *m);
/* Hand-offs that ended in the interval before the newest tick, oldest first. */
size_t model_handoffs(const struct model *m, const struct model_handoff **ret);
size_t model_threads(const struct model *m, const struct model_thread **ret);
size_t model_ps(const struct model *m, const struct model_p **ret);
/* Innermost frame first; 0: not known. t is a row of model_threads. */
size_t model_stack(const struct model *m, const struct model_thread *t, enum grt_stack which,
		   const struct model_frame **ret);
/* Stacks that were asked for behind a snapshot have come, all of them. */
void model_note_stacks(struct model *m);
size_t model_goroutines(const struct model *m, const struct model_g **ret);
const struct model_cost *model_cost(const struct model *m);
/* A name that came with the records, valid until the next model_apply; NULL: none came. */
const char *model_text(const struct model *m, enum grt_text what, uint64_t key);
/* The same as it was at a thread's names_look: the number of a descriptor may be another file's by now. */
const char *model_text_at(const struct model *m, enum grt_text what, uint64_t key, uint64_t look);
#define MODEL_LOSSES (GRT_LOSS_REORDER + 1)
/* reason 0: all reasons together. */
uint64_t model_lost(const struct model *m, enum grt_loss reason);
/* Does a law of the design not hold? Writes a sentence; false if all hold. */
bool model_law_broken(const struct model *m, char *why, size_t bytes);

#endif
