/* SPDX-License-Identifier: MIT */
/*
 * trace_abi.h - the one record that feeds every consumer, and the numbers in it.
 *
 * The in-process sink, the BPF programs, the snapshot reader and recorded files all produce
 * struct grt_rec; the model of gotrace and the assertion library consume nothing else. The same
 * header compiles for both sides of BPF. Fixed widths only; sizes are asserted; numbers are never
 * reused. Whoever changes the meaning of a number raises GRT_TRACE_VERSION.
 *
 * Time is CLOCK_MONOTONIC in ns. "tid" is the thread id as the *producer* knows it: the sink writes
 * the id in the process's innermost pid namespace, BPF and snapshots the one in the observer's.
 */
#ifndef GRT_TRACE_ABI_H
#define GRT_TRACE_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define GRT_TRACE_VERSION 1
#define GRT_REC_ARGS 6

struct grt_rec {
	__u64 time_ns;
	__u32 tid;
	__u16 kind;  /* enum grt_kind */
	__u16 flags; /* GRT_RF_* */
	__u64 arg[GRT_REC_ARGS];
};
_Static_assert(sizeof(struct grt_rec) == 64, "grt_rec is an ABI");

/* Record flags. */
#define GRT_RF_RETRIED 0x0001 /* snapshot row: moved while it was read, and was read again */
#define GRT_RF_TORN 0x0002    /* snapshot row: still moving after the last retry: treat as on-CPU */
#define GRT_RF_SAME_CALL 0x0004 /* snapshot row: in the call that it was in at the look before */
#define GRT_RF_ANOTHER 0x0008   /* text: of another thing than the older name of this key */
#define GRT_RF_CALL_SHIFT 4 /* SNAP_CALL of a foreign function: from here the call's number + 1 */

enum grt_kind {
	GRT_K_NONE = 0,
#define PROBE(nr, name, temp, n, args, doc) GRT_K_##name = (nr),
#include "probes.def"
#undef PROBE
	/*
	 * Kernel kinds. SWITCH_OUT comes with the retake of the same M, before it, and tells of the
	 * call that the P was lost to: m, call word, nr (signed), first argument or foreign function,
	 * asleep since (ns, 0: never slept).
	 */
	GRT_K_SWITCH_OUT = 0x100,
	GRT_K_THREAD_BORN = 0x101, /* new tid, start_time_ns */
	GRT_K_THREAD_GONE = 0x102, /* tid */
	GRT_K_EXEC = 0x103,        /* the process replaced its image */
	GRT_K_PROCESS_GONE = 0x104,
	/* Loss: args are the reason (enum grt_loss) and how many. */
	GRT_K_LOST = 0x180,
	/*
	 * Snapshot kinds: BEGIN, SCHED, P rows, then per thread M and perhaps CALL and STACKs, G rows,
	 * COUNT, COST, WAIT, LIMITS, END.
	 */
	GRT_K_SNAP_BEGIN = 0x200, /* sequence, level (0 memory + /proc, 1 BPF), target's start time,
				     settle_ns: all events up to then have been handed over */
	GRT_K_SNAP_SCHED = 0x201, /* see grt_snap_sched_* below */
	GRT_K_SNAP_P = 0x202,     /* p, status, m + 1 or 0, runq length, schedtick, reserved */
	GRT_K_SNAP_M = 0x203,     /* see grt_snap_m_* below; one per thread, foreign ones too */
	GRT_K_SNAP_CALL =
		0x204, /* kernel's view of the thread of the M row before: six arguments; of a
				 foreign function: of the call that it has made, see GRT_RF_CALL_SHIFT */
	GRT_K_SNAP_G = 0x205,      /* g, status | wait reason << 8 | poll mode << 16, fd (-1: none),
				 since_ns (0: not known), m + 1 or 0, fn_ptr */
	GRT_K_SNAP_COUNT = 0x206,  /* totals kept by the runtime: handoffs, retakes, slow exits,
				     self (given up at once), threads made, threads gone */
	GRT_K_SNAP_END = 0x207,    /* threads listed, Ms listed, rows torn, duration_ns,
				     observers left out */
	GRT_K_SNAP_STACK = 0x208,  /* frames of the thread of the M row before, see below */
	GRT_K_SNAP_COST = 0x209,   /* what watching cost so far, see below */
	GRT_K_SNAP_LIMITS = 0x20a, /* how many threads there may be, see below */
	GRT_K_SNAP_WAIT = 0x20b,   /* how long Ps waited for a CPU, see below */
	GRT_K_SNAP_FAULT = 0x20c,  /* the thread of the M row before sleeps in a page fault: the
				 address that it touched */
	/* A name, in pieces of up to GRT_TEXT_PIECE bytes; see below. Anywhere in the stream. */
	GRT_K_TEXT = 0x280,
	/* Last record of a recording that was ended in order: why (enum grt_end). */
	GRT_K_FILE_END = 0x2f0,
};

/*
 * SNAP_SCHED: arg0 gomaxprocs | idle Ps << 32, arg1 global run queue | spinning Ms << 32,
 * arg2 goroutines alive, arg3 Gs parked in netpoll, arg4 sum of local run queues (runnext counted),
 * arg5 Ms by the runtime's books | idle Ms << 32.
 *
 * SNAP_M: arg0 m id + 1 (0: no M) | p id + 1 (0: none) << 32, arg1 g id or 0,
 * arg2 state (enum grt_mstate) | kernel state letter << 8 | attributes << 16 | (__u32) call nr << 32,
 * arg3 since_ns: when the state began (0: not known),
 * arg4 asleep_since_ns: when the thread last left the CPU (0: it is on the CPU, or not known),
 * arg5 call's first argument as the runtime noted it, or the foreign function.
 *
 * SNAP_STACK: arg0 which (enum grt_stack) | frames in this record << 8 | index of its first frame
 * << 16 | flags of those frames << 32 (GRT_FRAME_* of frame i at bit 4 * i), arg1.. their pcs,
 * innermost first. Behind the END: of the thread `tid` of that snapshot, when somebody asked.
 *
 * SNAP_COST: arg0 probe hits, arg1 what these cost the target by calibration (ns), arg2 run time of
 * our BPF programs (ns), arg3 CPU time of the target since the attach (ns), arg4 our own CPU time
 * (ns), arg5 groups of probes shed (bits of enum grt_temperature) | share of the time they were
 * armed, in 1/1000 << 32.
 *
 * SNAP_LIMITS: limits of threads, ~0 where there is none or it is not known: arg0 the runtime's own;
 * arg1 RLIMIT_NPROC (none if the process is exempt) and arg2 the threads that its user has now;
 * arg3 pids.max of the cgroup that comes nearest to it and arg4 its pids.current.
 *
 * SNAP_WAIT: since the watching began, arg0 how long threads that ran goroutines on a P waited for a CPU
 * and arg1 how long they were on one (ns); arg2 throttled time of the cgroup nearest to its quota (ns, of
 * all CPUs), arg3 that quota and arg4 its period (ns; 0: no quota), arg5 how many periods were throttled |
 * periods << 32.
 *
 * TEXT: arg0 what it names (enum grt_text) | bytes in all << 16 | offset of this piece << 32,
 * arg1 key, arg2..arg5 the piece. Pieces of one name follow each other. It replaces an older name
 * of the same key; if it is of another thing (GRT_RF_ANOTHER), calls that go on may still be on the older one.
 */
#define GRT_TEXT_PIECE 32u
#define GRT_TEXT_BYTES_MAX 4096u
#define GRT_STACK_PCS 5u /* frames in one record */

enum grt_stack {
	GRT_STACK_KERNEL = 1,
	GRT_STACK_USER = 2, /* of the thread, from its registers; continues in the goroutine's */
};
#define GRT_FRAME_GUESSED 1u /* not proven by unwind rows */
#define GRT_FRAME_CUT 2u     /* the last one: the stack goes on, but was not followed */
#define GRT_FRAME_SYSTEM 4u  /* of the runtime or a system library: nobody's own code */

enum grt_text {
	GRT_TEXT_FD = 1, /* key fd: "/var/log/x", "pipe:[123]", both ends of a socket */
	GRT_TEXT_FD_NOTE, /* key fd: what is wrong with it: "socket in blocking mode"; empty: nothing */
	/* key address: the string there, an argument of a call now in progress; " (deleted)" behind a
	 * path that leads nowhere any more */
	GRT_TEXT_STRING,
	GRT_TEXT_FUNCTION, /* key pc or function address: "worker_read", "libx.so+0x1f40" */
	GRT_TEXT_LINE,     /* key pc: "files.c:41" */
	/* key kernel address, or a small number that stands for a function whose address is hidden:
	 * "fuse_get_req" */
	GRT_TEXT_KERNEL,
	GRT_TEXT_ABOUT,       /* key enum grt_about: of the process and the session */
	GRT_TEXT_FD_KIND,     /* key fd: "FIFO", "socket", "file", "eventfd"; empty: not known */
	GRT_TEXT_STRING_KIND, /* key address: the same of the file at the path there */
	GRT_TEXT_BUILD_ID,    /* key pc that no symbol names: "libx.so 1f40a7..." */
	GRT_TEXT_MAPPING,     /* key address of a page fault: "/data/index", "anonymous memory" */
};
enum grt_about {
	GRT_ABOUT_COMM = 1,
	GRT_ABOUT_RUNTIME,        /* "libgrt" */
	GRT_ABOUT_WHY_NOT_HIGHER, /* what a higher level of privilege needs */
	GRT_ABOUT_NOTE,           /* what else must be known */
	GRT_ABOUT_WHY_NO_STACKS,  /* why the kernel does not tell where a thread sleeps */
};
enum grt_temperature { GRT_COLD = 1, GRT_WARM = 2, GRT_HOT = 4, GRT_SWITCHES = 8 };
enum grt_end {
	GRT_END_ASKED = 1,    /* time that was asked for is over */
	GRT_END_EXITED = 2,   /* the target has exited */
	GRT_END_REPLACED = 3, /* the target replaced its image */
	GRT_END_SIGNAL = 4,   /* whoever recorded was asked to stop */
	GRT_END_FULL = 5,     /* size that was asked for is reached: anywhere between two records */
};

#define GRT_NR_FOREIGN (-1) /* call nr of a foreign C function */
#define GRT_NR_NONE (-2)    /* no call, or not known */

#define GRT_MA_WAITING 0x0001        /* runnable, but off the CPU */
#define GRT_MA_SINCE_AT_LEAST 0x0002 /* since_ns is an upper bound: "at least" */
#define GRT_MA_KERNEL_NR 0x0004      /* call nr is the kernel's */
#define GRT_MA_HAS_CALL 0x0008       /* a SNAP_CALL row follows */
#define GRT_MA_LEADER 0x0010         /* the thread whose tid is the pid */
#define GRT_MA_THROTTLED 0x0020      /* waiting, by the quota of its cgroup */

enum grt_loss {
	GRT_LOSS_RING = 1,    /* no room in the ring or buffer */
	GRT_LOSS_MEMORY = 2,  /* a read of the target's memory failed */
	GRT_LOSS_MAP = 3,     /* a BPF map was full */
	GRT_LOSS_CUT = 4,     /* a recorded file ends early or is damaged */
	GRT_LOSS_REORDER = 5, /* came later than the ordering window */
};

/* Values of probe arguments. */
enum grt_m_new_cause {
	GRT_MNEW_HANDOFF = 1,
	GRT_MNEW_WAKEP = 2,
	GRT_MNEW_TEMPLATE = 3, /* the template thread itself */
	GRT_MNEW_LOCK = 4,     /* a locked G's M needed a successor */
	GRT_MNEW_START = 5,    /* first M of the process */
};
enum grt_exit_how {
	GRT_EXIT_KEPT = 1,
	GRT_EXIT_OLD_P = 2,
	GRT_EXIT_IDLE_P = 3,
	GRT_EXIT_QUEUED = 4,
};
enum grt_retake_by {
	GRT_BY_SYSMON = 1,
	GRT_BY_KERNEL = 2,
	GRT_BY_EXIT_STEAL = 3,
	GRT_BY_PROCS = 4,
};
enum grt_handoff_cause {
	GRT_HANDOFF_RETAKE = 1,
	GRT_HANDOFF_SELF = 2,
	GRT_HANDOFF_LOCKED = 3,
	GRT_HANDOFF_EXIT = 4,
};
enum grt_handoff_outcome {
	GRT_HANDOFF_WOKE = 1,  /* an idle M was woken for the work of this P */
	GRT_HANDOFF_MADE = 2,  /* a thread was made for it */
	GRT_HANDOFF_IDLED = 3, /* nothing to do: the P is idle */
	GRT_HANDOFF_SPINNING =
		4, /* no work here, but nobody was looking for any: a spinning M got it */
	GRT_HANDOFF_POLLER = 5, /* last busy P and nobody polled the network */
};
enum grt_netpoll_by {
	GRT_POLL_IDLE_M = 1,
	GRT_POLL_SCHEDULER = 2,
	GRT_POLL_SYSMON = 3,
};
enum grt_poll_mode { GRT_MODE_READ = 1, GRT_MODE_WRITE = 2 };
#define GRT_NO_ID (~0ull) /* "no M", "no P" in a probe argument */

/*
 * What an M stores about itself at each cold transition, for outside readers (m.status).
 * Running includes scheduling without spinning.
 */
enum grt_m_status {
	GRT_M_DEAD = 0, /* slot is free: no thread */
	GRT_M_STARTING = 1,
	GRT_M_RUNNING = 2,
	GRT_M_SPINNING = 3,
	GRT_M_POLLING = 4,
	GRT_M_IDLE = 5,
	GRT_M_LOCKED = 6,
	GRT_M_SYSTEM = 7,
};

/* Go's numbers, as scheddetail prints them. */
enum grt_g_status {
	GRT_G_IDLE = 0,
	GRT_G_RUNNABLE = 1,
	GRT_G_RUNNING = 2,
	GRT_G_SYSCALL = 3, /* never stored by libgrt: derived from its M's call word */
	GRT_G_WAITING = 4,
	GRT_G_DEAD = 6,
};
enum grt_p_status { GRT_P_IDLE = 0, GRT_P_RUNNING = 1 };

/*
 * m.call: tick << 2 | IN | FENCED, stored by its M only. The same word read twice with IN set
 * means: the same call, and what was read in between belongs to it.
 * m.take: 0, or a claim (ticket << 2 | CLAIM), or time_ns << 2 | TAKEN; see take.h.
 */
#define GRT_CALL_IN 1ull
#define GRT_CALL_FENCED 2ull
#define GRT_CALL_TICK_SHIFT 2
#define GRT_TAKE_FREE 0ull
#define GRT_TAKE_TAKEN 1ull
#define GRT_TAKE_CLAIM 2ull
#define GRT_TAKE_KIND(word) ((word)&3ull)
#define GRT_TAKE_SHIFT 2

#endif
