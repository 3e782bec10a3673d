/* SPDX-License-Identifier: MIT */
/*
 * procs.h - how many Ps: GOMAXPROCS, else what affinity and the cgroup's quota allow.
 *
 * Reading, parsing and choosing are apart, so that each can be asked alone. Called once, by
 * grt_run, before there is a second thread; what changes later changes nothing.
 */
#ifndef GRT_PROCS_H
#define GRT_PROCS_H

unsigned procs_default(void);

/* gomaxprocs: the variable's text, or NULL. quota: in CPUs, 0 for none. */
unsigned procs_choose(const char *gomaxprocs, unsigned cpus, double quota);

/*
 * The tightest quota of the process's cgroup and those above it, in CPUs; 0: none. root: stands
 * before /proc and before each mount point, "" for the machine itself.
 */
double procs_quota(const char *root);

/* What the files of one cgroup say, in CPUs; 0: no quota, or not the text of such files. */
double quota_parse_v2(const char *cpu_max);
double quota_parse_v1(const char *cfs_quota_us, const char *cfs_period_us);

#endif
