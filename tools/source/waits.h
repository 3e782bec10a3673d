/* SPDX-License-Identifier: MIT */
/*
 * waits.h - how long goroutines that have a P waited for a CPU, and why: SNAP_WAIT rows. The kernel keeps
 * each thread's time on run queues; a cgroup's quota says how much of that was throttling.
 */
#ifndef GOTRACE_WAITS_H
#define GOTRACE_WAITS_H

#include "source.h"
#include "threads.h"

struct waits;

/* NULL: no memory. */
struct waits *waits_new(const struct target *t);
void waits_free(struct waits *w);
/*
 * A look has begun, or another thread of it: has_p: its M owns a P, outside of any call, now. Threads
 * come in the order of the list, which is by ns_tid.
 */
void waits_begin(struct waits *w, uint64_t now_ns);
void waits_note(struct waits *w, const struct thread_row *t, bool has_p);
/* Nothing where the kernel did not tell. */
void waits_emit(struct waits *w, source_emit_fn emit, void *arg);

/* The pure part: the quota nearest to a cgroup of those of itself and above. False: there is none. */
struct quota {
	uint64_t quota_ns, period_ns;        /* CPU time in each period */
	uint64_t throttled_ns;               /* so far, of each CPU's threads */
	uint64_t periods, throttled_periods; /* so far */
};
bool quota_read(const char *root, const char *path, bool is_v1, struct quota *ret);

#endif
