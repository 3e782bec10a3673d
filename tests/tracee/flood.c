/* SPDX-License-Identifier: MIT */
/*
 * flood.c - a libgrt program that makes as many probe hits as its CPUs can: goroutines that enter and
 * leave calls for ever. Says "ready", and how many calls it made when it is told to stop (SIGTERM).
 *
 *   flood [GATE]   GATE: a descriptor; nothing is called before a byte has come
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <grt/grt.h>

#define CALLERS 2
#define LOOK_NS 10000000ll

static volatile sig_atomic_t is_over;
static uint64_t calls[CALLERS];
static int ended;

static void call(void *arg)
{
	uint64_t *n = arg;

	while (!is_over) {
		grt_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
		(*n)++;
	}
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void stop(int sig)
{
	(void)sig;
	is_over = 1;
}

static int main_fn(void *arg)
{
	int *gate = arg;
	char byte;

	puts("ready");
	fflush(stdout);
	if (gate && read(*gate, &byte, 1) != 1)
		return 1;
	for (int i = 0; i < CALLERS; i++)
		grt_go(call, &calls[i]);
	while (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) < CALLERS)
		grt_sleep(LOOK_NS);
	printf("calls: %" PRIu64 "\n", calls[0] + calls[1]);
	return 0;
}

int main(int argc, char **argv)
{
	int gate = argc > 1 ? atoi(argv[1]) : -1;

	signal(SIGTERM, stop);
	return grt_run(main_fn, argc > 1 ? &gate : NULL);
}
