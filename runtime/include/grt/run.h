/* SPDX-License-Identifier: MIT */
/* run.h - start the runtime, start goroutines, calls that block a thread. */
#ifndef GRT_RUN_H
#define GRT_RUN_H

#include <grt/api.h>
#include <stddef.h>
#include <stdint.h>

GRT_BEGIN

/*
 * Options of grt_run_opts. Set size to sizeof(struct grt_options), the rest to 0 for defaults.
 * Fields are only ever appended.
 */
struct grt_options {
	size_t size;
	unsigned procs;         /* GOMAXPROCS; 0: environment, else CPUs allowed by affinity and
				    cgroup quota */
	unsigned max_threads;   /* limit of threads, runtime's own included; 0: 10,000 */
	size_t stack_bytes;     /* usable stack of a goroutine; 0: 64 KiB */
	int64_t idle_thread_ns; /* idle threads beyond GOMAXPROCS + 4 leave after this; 0: 5 s,
				    -1: never */
};

/*
 * Run main_fn(arg) as the first goroutine and schedule until it returns.
 *
 * The calling thread becomes the runtime's monitor (sysmon) and runs no goroutine. When main_fn
 * returns, so does grt_run; as in Go, nobody waits for the other goroutines: those that run go on
 * until they wait, yield or lose their P in a call, and stop there. Once per process.
 *
 * Returns what main_fn returned, or -EBUSY if the runtime has been started before.
 * Blocks the calling thread. Any thread, once.
 * A deadlock, too many threads, or a failure to make one ends the process as in Go: a message on
 * stderr, exit status 2. Environment: GOMAXPROCS, GODEBUG=schedtrace=MS,scheddetail=1.
 */
GRT_API int grt_run(int (*main_fn)(void *arg), void *arg);
GRT_API int grt_run_opts(const struct grt_options *opts, int (*main_fn)(void *arg), void *arg);

/*
 * Start a goroutine that runs fn(arg); it ends when fn returns.
 * 0, -EAGAIN if the runtime does not run, -ENOMEM if there is no memory for its stack.
 * Does not park, block or release. Any thread.
 */
GRT_API int grt_go(void (*fn)(void *arg), void *arg);

/*
 * Let others run: the goroutine goes to the end of the global queue. 0, or -EPERM off a goroutine.
 * Parks the G (it stays runnable).
 */
GRT_API int grt_yield(void);

/*
 * Sleep for ns nanoseconds (<= 0: yield), or until deadline_ns. 0, or -EPERM off a goroutine.
 * Parks the G.
 */
GRT_API int grt_sleep(int64_t ns);
GRT_API int grt_sleep_until(int64_t deadline_ns);

/* CLOCK_MONOTONIC in ns: what deadlines are made of. Any thread. */
GRT_API int64_t grt_now(void);

/* Id of the calling goroutine (1 is main; never reused), 0 off a goroutine. Any thread. */
GRT_API uint64_t grt_self(void);

/* GOMAXPROCS in force, 0 before grt_run. Any thread. */
GRT_API unsigned grt_procs(void);

/* Set the limit of threads; returns the old one. Takes effect at the next thread. Any thread. */
GRT_API unsigned grt_set_max_threads(unsigned n);

/*
 * Tie the calling goroutine to its thread, and the thread to it, until as many unlocks. A goroutine
 * that ends locked takes its thread with it. 0, -EPERM off a goroutine; unlock: -EINVAL if not locked.
 */
GRT_API int grt_lock_os_thread(void);
GRT_API int grt_unlock_os_thread(void);

/*
 * Call foreign C code that may block or needs a large stack: fn(arg) runs on the thread's system
 * stack (1 MiB). It must not call grt_ functions that park (they return -EPERM there).
 * Returns fn's value; errno is what fn left.
 * Blocks the M for as long as fn takes; releases the P if that is long. On a foreign thread: plain
 * call.
 */
GRT_API long grt_blocking_call(long (*fn)(void *arg), void *arg);

/*
 * Any system call that may block: number and up to six arguments as for syscall(2).
 * Returns its result or -errno. Blocks the M; releases the P when sysmon sees it block.
 * grt_syscall_block is for calls that surely block: releases the P at once. Any thread.
 */
GRT_API long grt_syscall(long nr, long a1, long a2, long a3, long a4, long a5, long a6);
GRT_API long grt_syscall_block(long nr, long a1, long a2, long a3, long a4, long a5, long a6);

GRT_END

#endif
