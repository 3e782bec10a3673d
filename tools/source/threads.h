/* SPDX-License-Identifier: MIT */
/*
 * threads.h - the kernel's view of a process's threads, by whichever way is open: the BPF task
 * iterator, or /proc. Both fill the same rows.
 */
#ifndef GOTRACE_THREADS_H
#define GOTRACE_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../target/target.h"
#include "sched_clock.h"

#define THREAD_KERNEL_FRAMES 8

struct thread_row {
	uint32_t tid;             /* as we know it */
	uint32_t ns_tid;          /* as the thread knows it */
	uint32_t init_tid;        /* as the kernel knows it; 0: not known */
	char state;               /* R S D T t Z X I P */
	bool is_on_cpu;           /* false where it is not known */
	uint32_t cpu;             /* where it ran last, and when, by the scheduler's clock of it: */
	uint64_t exec_start_ns;   /* 0: not known */
	uint64_t asleep_since_ns; /* CLOCK_MONOTONIC; 0: awake, or not known */
	bool has_waited;          /* the next four are known */
	uint64_t waited_ns;       /* on run queues, but for what has not ended */
	uint64_t queued_ns;       /* clock of queues: since when it is on one; 0: on none now */
	uint64_t queued_since_ns; /* CLOCK_MONOTONIC; 0: on none now, or not known */
	uint64_t ran_ns;          /* on CPUs */
	bool is_throttled;        /* off the CPU by a quota; false where it is not known */
	int64_t nr;               /* system call, -1: none, or not known */
	uint64_t args[6];
	bool has_args;
	uint64_t sp, ip;
	uint64_t bp, bx, r12, r13, r14, r15; /* where has_registers is set */
	bool has_registers;
	uint64_t call,
		call_before; /* tell the calls of one thread apart, now and at the look before; 0: in none */
	uint8_t nkernel;
	uint64_t kernel[THREAD_KERNEL_FRAMES]; /* where in the kernel it sleeps, innermost first */
	uint64_t fault_addr; /* what it touched, if that is why; 0: in no page fault, or not known */
};

struct thread_list {
	struct thread_row *row;
	size_t n, cap;
};

/* Room for one more row, zeroed; NULL: no memory. */
struct thread_row *thread_list_add(struct thread_list *l);
void thread_list_sort(struct thread_list *l); /* by ns_tid */
struct thread_row *thread_list_find(struct thread_list *l, uint32_t ns_tid);
void thread_list_free(struct thread_list *l);
bool thread_is_asleep(const struct thread_row *t); /* asleep or stopped, not merely off the CPU */

/* /proc/PID/task, with clock as it is. 0; -ESRCH: the process is gone; -errno. */
int threads_read_proc(const struct target *t, struct sched_clock *clock, struct thread_list *ret);

/* One thread, by our tid, in place: for a second look at a few. False: it is gone. */
bool threads_read_one(const struct target *t, const struct sched_clock *clock,
		      struct thread_row *row);

/* The iterator, of those that p was loaded with: is_deep, with kernel stacks. NULL and -errno in *ret_error. */
struct programs;
struct threads_iter;
struct threads_iter *threads_iter_open(const struct programs *p, const struct target *t,
				       bool is_deep, int *ret_error);
/* clock is set on the way; NULL: no times are wanted. */
int threads_iter_read(struct threads_iter *it, struct sched_clock *clock, struct thread_list *ret);
/* The rows of the last read have told nothing of the clocks: it takes sched_clock_refresh. */
bool threads_iter_needs_clock(const struct threads_iter *it);
/* The process as the initial pid namespace numbers it; 0 before the first read. */
uint32_t threads_iter_init_tgid(const struct threads_iter *it);
/* Depth of our own pid namespace; known after the first read. */
uint32_t threads_iter_level(const struct threads_iter *it);
void threads_iter_close(struct threads_iter *it);

uint64_t threads_now_ns(void); /* CLOCK_MONOTONIC */

#endif
