/* SPDX-License-Identifier: MIT */
/*
 * sleeper.c - a libgrt program that is there and does nothing: says "ready" from its main goroutine
 * and sleeps until it is killed.
 *
 *   sleeper            runs the runtime on the main thread
 *   sleeper --thread   runs it on another thread, and the main thread exits
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <grt/grt.h>

#define NAP_NS 1000000000ll

static int main_fn(void *arg)
{
	(void)arg;
	puts("ready");
	fflush(stdout);
	for (;;)
		grt_sleep(NAP_NS);
	return 0;
}

static void *run(void *arg)
{
	grt_run(main_fn, arg);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 2 || strcmp(argv[1], "--thread"))
		return grt_run(main_fn, NULL);
	if (pthread_create(&thread, NULL, run, NULL))
		return 1;
	pthread_exit(NULL);
}
