/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - a libgrt program that gives its P up a number of times and says so: "blocks: N". Each
 * is one hand-off of cause self, whatever the machine is doing. Then it sleeps until it is killed.
 *
 *   blocks N
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include <grt/grt.h>

#define CALL_NS 100000
#define NAP_NS 1000000000ll

static int main_fn(void *arg)
{
	static struct timespec ts = { .tv_nsec = CALL_NS };
	long n = *(long *)arg;

	for (long i = 0; i < n; i++)
		grt_syscall_block(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0);
	printf("blocks: %ld\n", n);
	fflush(stdout);
	for (;;)
		grt_sleep(NAP_NS);
	return 0;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1;

	return grt_run(main_fn, &n);
}
