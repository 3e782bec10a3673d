/* SPDX-License-Identifier: MIT */
/*
 * config.h - every limit and tick, with its unit and its reason. GRT_STRESS makes rare
 * interleavings likely: tiny queues, retake at first sight, no patience.
 */
#ifndef GRT_CONFIG_H
#define GRT_CONFIG_H

#ifdef GRT_STRESS
#define RUNQ_SIZE 4u         /* overflows to the global queue all the time */
#define SYSMON_MIN_NS 1000   /* one pass after the other */
#define RETAKE_IDLE_NS 20000 /* takes Ps that nobody needs */
#define SCHED_FAIR_TICK 7
#else
#define RUNQ_SIZE 256u          /* power of two; Go's */
#define SYSMON_MIN_NS 20000     /* first sleep of sysmon */
#define RETAKE_IDLE_NS 10000000 /* a P in a call that nobody needs is left for so long */
#define SCHED_FAIR_TICK 61      /* one look at the global queue in so many schedules; a prime */
#endif
#define SYSMON_MAX_NS 10000000 /* sleeps double up to here after SYSMON_PATIENCE idle passes */
#define SYSMON_PATIENCE 50
#define SYSMON_DEEP_NS \
	60000000000ll /* all Ps idle: sleeps until woken, and looks around once a minute */
#define SYSMON_REAP_NS 1000000000ll /* how often it looks for idle Ms to let go */
#define LOST_WORK_NS 5000000000ll   /* debug builds: work beside an idle P for so long is lost */
#define MIDLE_WALK 64               /* debug builds: idle Ms that are counted at each change */
#define SLICE_NS 10000000           /* a G that runs longer is asked to yield */
#define NETPOLL_STALE_NS 10000000   /* sysmon polls the network when nobody has for so long */

#define PROCS_MAX 1024
#define THREADS_MAX_DEFAULT 10000 /* Ms; as in Go */
#define ALLM_MAX (1u << 20)       /* slots reserved, 8 MiB of address space */
#define ALLG_MAX (1u << 26)       /* slots reserved, 512 MiB of address space */
#define IDLE_M_SPARE 4            /* idle Ms beyond gomaxprocs that stay */
#define IDLE_EXIT_NS 5000000000ll /* the others leave after so long */
#define OBSERVERS_MAX 16          /* threads that only watch at once: a scope of a test has one */
#define THREAD_RETRIES 20         /* EAGAIN of pthread_create: 1, 2, ... 20 ms */

#define STACK_SIZE (64u << 10)        /* usable bytes of a goroutine's stack */
#define STACK_GUARD (64u << 10)       /* a frame that large is still caught */
#define SYSTEM_STACK_SIZE (1u << 20)  /* of a thread: scheduler and foreign C code */
#define SIGNAL_STACK_SIZE (32u << 10) /* where the overflow handler runs */
#define GFREE_LOCAL 64                /* dead Gs kept by a P; half is given away beyond */
#define GOID_BATCH 16

#define LOCK_SPINS 40 /* about 1 us */

#define STEAL_TRIES 4
#define STEAL_RUNNEXT_NS 3000   /* patience before a running P's runnext is taken */
#define NETPOLL_FAIR_NS 1000000 /* a busy P looks at the network when nobody has for so long */
#define NETPOLL_EVENTS 128
#define FDS_MAX (1u << 20) /* numbers that can be polled: what an event's word holds */

#endif
