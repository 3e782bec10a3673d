/* SPDX-License-Identifier: MIT */
/*
 * gate.c - a libgrt program that waits, in a plain read that holds its P, until it is told to go on.
 *
 *   gate FD N      then gives its P up N times and says "blocks: N"
 *   gate FD threads   then makes and joins THREADS threads, one after the other; says "threads: N"
 *   gate FD observer  then makes a thread that only watches; says "observer: TID"
 *   gate FD long   then sleeps in one call for long, says "long: TIME" (CLOCK_MONOTONIC) and makes
 *                  another one that never sleeps and takes long; says "over" behind it
 *
 * Afterwards it sleeps until it is killed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <grt/grt.h>

#define CALL_NS 100000
#define NAP_NS 1000000000ll
#define LONG_BYTES (128 << 20)
#define LONG_NS 200000000 /* sysmon looks after 10 ms */
#define THREADS 7

static struct timespec nap = { .tv_nsec = CALL_NS };

static void make_long_call(void)
{
	char *room = malloc(LONG_BYTES);
	struct timespec ts = { .tv_nsec = LONG_NS };

	memset(room, 1, LONG_BYTES); /* no page fault later */
	grt_syscall(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	printf("long: %lld\n", ts.tv_sec * 1000000000ll + ts.tv_nsec);
	fflush(stdout);
	grt_syscall(SYS_getrandom, (long)room, LONG_BYTES, 0, 0, 0, 0);
	puts("over");
	fflush(stdout);
	free(room);
}

static void *nothing(void *arg)
{
	return arg;
}

static void make_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			exit(1);
	printf("threads: %d\n", THREADS);
	fflush(stdout);
}

static void *observe(void *arg)
{
	(void)arg;
	if (grt_observer_mark(1) != 0)
		exit(1);
	printf("observer: %d\n", (int)gettid());
	fflush(stdout);
	for (;;)
		pause();
}

static void make_observer(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, observe, NULL))
		exit(1);
}

static void make_blocks(long n)
{
	for (long i = 0; i < n; i++)
		grt_syscall_block(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
	printf("blocks: %ld\n", n);
	fflush(stdout);
}

static int main_fn(void *arg)
{
	char **argv = arg, c;

	puts("ready");
	fflush(stdout);
	if (read(atoi(argv[1]), &c, 1) != 1)
		return 1;
	if (strcmp(argv[2], "long") == 0)
		make_long_call();
	else if (strcmp(argv[2], "threads") == 0)
		make_threads();
	else if (strcmp(argv[2], "observer") == 0)
		make_observer();
	else
		make_blocks(strtol(argv[2], NULL, 10));
	for (;;)
		grt_sleep(NAP_NS);
	return 0;
}

int main(int argc, char **argv)
{
	return argc == 3 ? grt_run(main_fn, argv) : 2;
}
