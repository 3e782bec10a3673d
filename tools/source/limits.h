/* SPDX-License-Identifier: MIT */
/*
 * limits.h - how many threads a process may have, and how near it is: SNAP_LIMITS rows. The
 * runtime's own limit comes from its tables, RLIMIT_NPROC from /proc/PID/limits, pids.max from its
 * cgroup and those above it. What cannot be read is not known; nothing here is an error.
 */
#ifndef GOTRACE_LIMITS_H
#define GOTRACE_LIMITS_H

#include "source.h"
#include "tables.h"

#define LIMITS_NONE (~0ull) /* no limit, or not known */

struct limits;

/* NULL: no memory. */
struct limits *limits_new(const struct target *t);
void limits_free(struct limits *l);
void limits_emit(struct limits *l, const struct tables *t, source_emit_fn emit, void *arg);

/* The pure parts. "Max processes" of a /proc/PID/limits. */
uint64_t limits_nproc_parse(const char *text);
/*
 * Of a cgroup and all above it, the pids.max that is nearest to being reached. root: where the
 * hierarchy is mounted; path: "/a/b".
 */
void limits_cgroup_read(const char *root, const char *path, uint64_t *ret_max, uint64_t *ret_used);

#endif
