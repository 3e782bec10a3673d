/* SPDX-License-Identifier: MIT */
/*
 * busy.c - goroutines that compute for ever, one a P.
 *
 *   busy GATE    GATE: a descriptor; nothing is computed before a byte has come
 *
 * Says "ready" when it waits for that, "busy" when all compute, and what it used when it is told to stop
 * (SIGTERM): "ran_ns: N".
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <grt/grt.h>

#define TICK_NS 1000000

static volatile sig_atomic_t is_over;
static int ended, computing;

static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

/* Never yields: that all have begun shows that each has a P of its own. */
static void compute(void *procs)
{
	if (__atomic_add_fetch(&computing, 1, __ATOMIC_SEQ_CST) == *(int *)procs)
		say("busy");
	while (!is_over)
		;
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void stop(int sig)
{
	(void)sig;
	is_over = 1;
}

static int main_fn(void *gate)
{
	int n = (int)grt_procs();
	struct timespec ts;
	char byte;

	say("ready");
	if (read(*(int *)gate, &byte, 1) != 1)
		return 1;
	for (int i = 0; i < n; i++)
		grt_go(compute, &n);
	while (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) < n)
		grt_sleep(TICK_NS);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	printf("ran_ns: %" PRIu64 "\n", (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec);
	return 0;
}

int main(int argc, char **argv)
{
	int gate = argc > 1 ? atoi(argv[1]) : 0;

	signal(SIGTERM, stop);
	return grt_run(main_fn, &gate);
}
