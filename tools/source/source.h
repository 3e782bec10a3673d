/* SPDX-License-Identifier: MIT */
/*
 * source.h - where records come from. A source knows nothing of models or views: it hands struct
 * grt_rec to a callback and tells what it lost and what it cost.
 */
#ifndef GOTRACE_SOURCE_H
#define GOTRACE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../runtime/trace_abi.h"
#include "../target/target.h"

typedef void (*source_emit_fn)(void *arg, const struct grt_rec *rec);

struct source_opts {
	bool sample_only;     /* level 0: memory and /proc, no BPF */
	bool one_by_one;      /* level 2: probes by perf events even where there is uprobe_multi */
	uint32_t map_entries; /* of BPF maps of threads; 0: by the target's limit of threads */
	uint64_t kinds;       /* probe kinds to arm, bit k = kind k; 0: none */
	uint32_t max_overhead_ppm; /* of the target's CPU time: above it probes are shed; 0: never */
	bool want_switches;        /* sched_switch: asleep-since for hand-off latency */
	bool want_goroutines;      /* SNAP_G rows */
	bool want_names;           /* TEXT: of what threads in calls are doing */
	bool want_stacks;          /* SNAP_STACK of threads in calls, and TEXT of their frames: */
	bool stacks_on_demand;     /* not with each snapshot, but when .stacks asks for them */
	bool want_limits;          /* SNAP_LIMITS: how many threads there may be */
	bool want_waits;           /* SNAP_WAIT: how long Ps waited for a CPU */
};

struct source_status {
	/* Who is watched. Texts live as long as the source. */
	int pid;
	const char *comm, *runtime;
	bool is_recorded, is_replaced, is_stopped; /* a file; its own file on disk; SIGSTOP */
	int64_t interval_ns;                       /* of a recording, else 0 */
	int level;         /* 0 same user, 1 BPF + uprobe_multi, 2 perf uprobes */
	int armed, wanted; /* probes */
	bool has_iterator, has_switches;
	char why_not_higher[256]; /* empty at the top; else what is missing and what would raise it */
	uint64_t lost[8];         /* by enum grt_loss */
	uint64_t probe_hits;      /* what the target paid for so far */
	uint64_t attach_ns, snapshot_ns; /* last */
	uint64_t last_ns;                /* of a recording: time of the newest record so far */
};

struct source {
	const struct source_ops *ops;
};
struct source_ops {
	/*
	 * Take a snapshot and emit it (BEGIN .. END), after the events that came before it; a file:
	 * the next one in it. 0; -ESRCH: the target has exited; -ESTALE: it has replaced its image;
	 * -ENODATA: the recording ends; -EINTR: it ends since its recorder was asked to stop; -errno.
	 */
	int (*snapshot)(struct source *s, source_emit_fn emit, void *arg);
	/*
	 * Wait until_ns (CLOCK_MONOTONIC), emitting events that arrive; a file: at once, up to its
	 * next snapshot, those that happened until_ns by the recording's clock. 0: time is up; else
	 * as above, after what the target left behind was emitted. -EINTR: a signal asks us to end.
	 */
	int (*wait)(struct source *s, int64_t until_ns, source_emit_fn emit, void *arg);
	/*
	 * Emit the stacks of the newest snapshot's threads, behind its END: of those that sleep as
	 * they did then. Only with stacks_on_demand; NULL: they are in the snapshot, or nowhere.
	 */
	void (*stacks)(struct source *s, source_emit_fn emit, void *arg);
	void (*status)(struct source *s, struct source_status *ret);
	/* Detach; afterwards nothing of ours is in the target. */
	void (*close)(struct source *s);
};

/* A live process. On failure NULL, *ret_code set, after diag_error. Lower levels are tried, too. */
struct source *source_live_open(struct target *t, const struct source_opts *o, int *ret_code);

/* A recorded file, "-": stdin. On failure NULL, *ret_code set, after diag_error. */
struct source *source_file_open(const char *path, int *ret_code);

/* Ctrl-C, SIGTERM and a closed pipe end a wait. Install once, before opening a source. */
void source_signals_init(void);
bool source_was_signalled(void);

#endif
