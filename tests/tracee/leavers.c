/* SPDX-License-Identifier: MIT */
/*
 * leavers.c - a libgrt program whose threads block and never come back in order. It waits, in a plain read
 * that holds its P, until it is told to go on.
 *
 *   leavers FD N        then N threads, some at a time: each sleeps in a call that gives its P up, and ends
 *                       locked to its goroutine, or, one in KILLED_EVERY, ends by a signal in a call it is
 *                       blocked in; says "left: N", and behind it "again: AGAIN" calls of one that stays
 *   leavers FD crowd=N  may have few threads; then it may have more, and N of them block at once, for good:
 *                       says "crowd: N"
 *
 * Afterwards it sleeps until it is killed.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <grt/grt.h>

#define NAP_NS 1000000ll
#define CALL_NS 20000 /* asleep for certain */
#define AT_ONCE 32
#define KILLED_EVERY 100 /* its stack is lost: glibc does not know that the thread ended */
#define AGAIN 100
#define FEW_THREADS 64
#define STATE_BYTES 512

static struct timespec nap = { .tv_nsec = CALL_NS };
static atomic_long left, begun;
static atomic_int victim;

static void sleep_in_call(void)
{
	grt_syscall_block(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
}

/* A goroutine that ends locked takes its thread along. */
static void leave(void *arg)
{
	(void)arg;
	grt_lock_os_thread();
	sleep_in_call();
	atomic_fetch_add(&left, 1);
}

static void on_signal(int nr)
{
	(void)nr;
	syscall(SYS_exit, 0);
}

static long await_signal(void *arg)
{
	(void)arg;
	atomic_store(&victim, gettid());
	for (;;)
		pause();
	return 0;
}

static void be_killed(void *arg)
{
	grt_lock_os_thread();
	grt_blocking_call(await_signal, arg);
}

static bool is_asleep(int tid)
{
	char path[64], text[STATE_BYTES] = "", *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	at = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	return at && at[2] == 'S';
}

static void kill_one(void)
{
	int tid;

	if (grt_go(be_killed, NULL))
		exit(1);
	while ((tid = atomic_load(&victim)) == 0)
		grt_sleep(NAP_NS);
	while (!is_asleep(tid))
		grt_sleep(NAP_NS);
	syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
	atomic_store(&victim, 0);
	atomic_fetch_add(&left, 1);
}

static void make_leavers(long n)
{
	for (long i = 0; i < n; i++) {
		while (i - atomic_load(&left) >= AT_ONCE)
			grt_sleep(CALL_NS);
		if (i % KILLED_EVERY == 0)
			kill_one();
		else if (grt_go(leave, NULL))
			exit(1);
	}
	while (atomic_load(&left) < n)
		grt_sleep(NAP_NS);
	printf("left: %ld\n", n);
	for (int i = 0; i < AGAIN; i++)
		sleep_in_call();
	printf("again: %d\n", AGAIN);
	fflush(stdout);
}

static void block_for_good(void *arg)
{
	(void)arg;
	atomic_fetch_add(&begun, 1);
	grt_syscall_block(SYS_pause, 0, 0, 0, 0, 0, 0);
}

static void make_crowd(long n)
{
	grt_set_max_threads((unsigned)n + FEW_THREADS);
	for (long i = 0; i < n; i++)
		if (grt_go(block_for_good, NULL))
			exit(1);
	while (atomic_load(&begun) < n)
		grt_sleep(NAP_NS);
	printf("crowd: %ld\n", n);
	fflush(stdout);
}

static int main_fn(void *arg)
{
	char **argv = arg, c;

	puts("ready");
	fflush(stdout);
	if (read(atoi(argv[1]), &c, 1) != 1)
		return 1;
	if (!strncmp(argv[2], "crowd=", 6))
		make_crowd(strtol(argv[2] + 6, NULL, 10));
	else
		make_leavers(strtol(argv[2], NULL, 10));
	for (;;)
		grt_sleep(1000 * NAP_NS);
	return 0;
}

int main(int argc, char **argv)
{
	struct grt_options o = { .size = sizeof(o), .procs = 4 };
	struct sigaction on = { .sa_handler = on_signal };

	if (argc != 3)
		return 2;
	if (!strncmp(argv[2], "crowd=", 6))
		o.max_threads = FEW_THREADS;
	sigaction(SIGUSR1, &on, NULL);
	return grt_run_opts(&o, main_fn, argv);
}
