/* SPDX-License-Identifier: MIT */
/* procs.h - how many Ps: GOMAXPROCS, else what affinity and the cgroup's quota allow. */
#ifndef GRT_PROCS_H
#define GRT_PROCS_H

unsigned procs_default(void);

#endif
