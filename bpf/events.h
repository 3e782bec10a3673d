/* SPDX-License-Identifier: MIT */
/*
 * events.h - what the BPF programs and gotrace say to each other: rows of the task iterator, where
 * a probe's arguments are, counters. Fixed widths, sizes asserted, one copy for both sides. Events
 * themselves are struct grt_rec of runtime/trace_abi.h.
 */
#ifndef GRT_BPF_EVENTS_H
#define GRT_BPF_EVENTS_H

#include "../runtime/trace_abi.h"

#define KERNEL_FRAMES 8 /* where it sleeps: what lies above is the way there from the call */

/* One thread, as the iterator saw it. */
struct task_row {
	__u32 tid;            /* in the pid namespace of the observer */
	__u32 ns_tid;         /* in the thread's own, innermost one: what the runtime knows */
	__u32 tgid;           /* in the initial pid namespace */
	__u32 init_tid;       /* in the initial pid namespace: what BPF maps are keyed by */
	__u32 observer_level; /* depth of the reader's pid namespace */
	__u32 state;          /* task->__state: 0 runnable or running */
	__u32 exit_state;
	__u32 is_on_cpu;     /* executes at this moment */
	__u32 cpu;           /* where it runs or ran last: whose clock exec_start is of */
	__u32 nkernel;       /* of kernel[] */
	__u64 exec_start_ns; /* clock of tasks: last time it was charged, i.e. ran */
	__u64 start_ns;      /* CLOCK_BOOTTIME */
	__s64 nr;            /* system call it is in, -1: none */
	__u64 args[6];
	__u64 ip, sp, bp; /* user registers */
	__u64 bx, r12, r13, r14, r15;
	__u64 run_delay_ns;  /* on run queues so far, but for what has not ended */
	__u64 queued_ns;     /* clock of queues: since when it is on one; 0: on none */
	__u64 exec_ns;       /* on CPUs so far */
	__u64 task_lag_ns;   /* a CPU's clock of tasks lags behind that of queues */
	__u64 queue_lag_ns;  /* the clock of queues behind CLOCK_MONOTONIC: at most, this time */
	__u64 task_moved_ns; /* the clock of tasks, meanwhile: not 0, and its lag may be wrong */
	__u32 has_run_delay; /* this kernel keeps it */
	__u32 is_throttled;  /* off the CPU by its cgroup's quota */
	__u32 has_lags;
	__u32 lag_cpu; /* of task_lag_ns: the thread may move on meanwhile */
	/* Only from dump_deep: else the row ends before. */
	__u64 kernel[KERNEL_FRAMES];
	__u64 fault_addr; /* sleeps because it touched this; 0: in no page fault, or not known */
};
_Static_assert(sizeof(struct task_row) == 248 + 8 * KERNEL_FRAMES, "task_row is an ABI");

/* Where one argument of a probe is, at its site. */
struct probe_arg_spec {
	__u32 is_imm;
	__u32 regs_off; /* byte offset in struct pt_regs */
	__u32 shift;    /* 64 - bits: sign or zero extend */
	__u32 is_signed;
	__u64 imm;
};
struct probe_spec {
	__u32 kind; /* enum grt_kind */
	__u32 nargs;
	struct probe_arg_spec arg[GRT_REC_ARGS];
};
_Static_assert(sizeof(struct probe_spec) == 8 + 6 * 24, "probe_spec is an ABI");

/*
 * Cookie of a site: its index in the table, and whether the link is one of a group or that of all. The first
 * are made while the other is still there, with is_changing set: then both run at each hit, in the order
 * of a consumer list that new ones are put in front of. The first says that it has told of the hit.
 */
#define COOKIE_OF_GROUP (1u << 16)
#define COOKIE_INDEX (COOKIE_OF_GROUP - 1)

#define TIMED_EVERY 16 /* runs of a program; a power of two */
#define PROBES_MAX 64  /* sites, and kinds below GRT_K_SWITCH_OUT */

/* Where the runtime keeps what sched_switch reads: offsets in an M, widths are 8. */
struct m_offsets {
	__u32 call, take, id;
	__u32 call_nr, call_arg, p;
};

/* Per-CPU counters by index; never lost. */
enum bpf_counter {
	BPF_COUNT_KIND0 = 0, /* + kind: records of that kind, sent or not */
	BPF_COUNT_LOST_RING = PROBES_MAX,
	BPF_COUNT_LOST_MEMORY,
	BPF_COUNT_LOST_MAP,
	BPF_COUNT_SWITCHES, /* to sleep, of the target's threads: the machine's others are not its cost */
	BPF_COUNT_SLEEPS, /* of these, those that may be in a call */
	BPF_COUNT_SLEEP_TIMED,
	BPF_COUNT_SLEEP_NS, /* of the timed ones */
	BPF_COUNT_PROBE_TIMED,
	BPF_COUNT_PROBE_NS,
	BPF_COUNTERS
};

/* Of a thread. */
struct thread_m {
	__u64 m_ptr, id;
};

/* An M's last sleep inside a call: by M id. */
struct m_asleep {
	__u64 since_ns;
	__u64 call;  /* the call word it belongs to */
	__u64 m_ptr; /* where the M's call word can be read again */
};

#endif
