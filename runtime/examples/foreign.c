/* SPDX-License-Identifier: MIT */
/*
 * foreign.c - C code that knows nothing of goroutines blocks in it, and the others run on.
 *
 *   foreign [--callers 8] [--seconds 3]
 *
 * Each caller sleeps in a foreign function for 100 ms at a time; two goroutines count meanwhile.
 * With the runtime told (grt_blocking_call), the P of a sleeper goes to another thread.
 *
 *   $ foreign --callers 8 --seconds 3
 *   ready: 8 in foreign_nap, pid 4711
 *   done: 8 callers slept 232 times, others made 31876341 steps
 */
#include <grt/grt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNTERS 2
#define STEPS_PER_YIELD 1000

static int callers = 8, seconds = 3;
static long naps, steps, inside;

/* Any C library's function could stand here. */
static long foreign_nap(void *arg)
{
	struct timespec nap = { 0, 100000000 };

	(void)arg;
	__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
	return nanosleep(&nap, NULL);
}

static void caller(void *arg)
{
	for (;;) {
		grt_blocking_call(foreign_nap, arg);
		__atomic_add_fetch(&naps, 1, __ATOMIC_RELAXED);
	}
}

static void counter(void *arg)
{
	(void)arg;
	for (;;) {
		for (volatile int i = 0; i < STEPS_PER_YIELD; i++)
			;
		__atomic_add_fetch(&steps, STEPS_PER_YIELD, __ATOMIC_RELAXED);
		grt_yield();
	}
}

static int run(void *arg)
{
	(void)arg;
	for (int i = 0; i < callers; i++)
		grt_go(caller, NULL);
	for (int i = 0; i < COUNTERS; i++)
		grt_go(counter, NULL);
	while (__atomic_load_n(&inside, __ATOMIC_SEQ_CST) < callers)
		grt_sleep(1000000);
	printf("ready: %d in foreign_nap, pid %d\n", callers, getpid());
	grt_sleep(seconds * 1000000000ll);
	printf("done: %d callers slept %ld times, others made %ld steps\n", callers,
	       __atomic_load_n(&naps, __ATOMIC_RELAXED), __atomic_load_n(&steps, __ATOMIC_RELAXED));
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		int *option = i + 1 == argc                       ? NULL
			      : strcmp(argv[i], "--callers") == 0 ? &callers
			      : strcmp(argv[i], "--seconds") == 0 ? &seconds
								  : NULL;

		if (!option) {
			fprintf(stderr, "usage: foreign [--callers N] [--seconds S]\n");
			return 2;
		}
		*option = atoi(argv[i + 1]);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	return grt_run(run, NULL);
}
