/* SPDX-License-Identifier: MIT */
/*
 * many.c - a libgrt program with as many blocked threads as wanted, whose stacks are known.
 *
 *   many THREADS read|foreign
 *
 * Each goroutine reads from a pipe of its own that nobody writes to: innermost -> middle ->
 * outermost; or sleeps in C code that the runtime was told of. "ready" when all are in their call,
 * or soon will be.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <grt/grt.h>

#define SPARE 100
#define NAP_NS 1000000000ll

static atomic_int entered;
static int threads = 1, is_foreign, ends[2];

static long foreign_pause(void *arg)
{
	(void)arg;
	return pause();
}

static __attribute__((noinline)) long innermost(int fd)
{
	char byte;
	long r;

	atomic_fetch_add(&entered, 1);
	r = is_foreign ? grt_blocking_call(foreign_pause, NULL) : grt_read(fd, &byte, 1);
	return r + byte; /* no tail call */
}

static __attribute__((noinline)) long middle(int fd)
{
	return innermost(fd) + 1;
}

static void outermost(void *arg)
{
	int fd = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);

	(void)arg;
	if (middle(fd) < 0)
		puts("woken");
}

static int main_fn(void *arg)
{
	(void)arg;
	grt_set_max_threads((unsigned int)threads + SPARE);
	for (int i = 0; i < threads; i++)
		grt_go(outermost, NULL);
	while (atomic_load(&entered) < threads)
		grt_sleep(NAP_NS / 1000);
	puts("ready");
	fflush(stdout);
	for (;;)
		grt_sleep(NAP_NS);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc > 1)
		threads = atoi(argv[1]);
	is_foreign = argc > 2 && !strcmp(argv[2], "foreign");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (threads < 1 || pipe(ends) < 0)
		return 2;
	return grt_run(main_fn, NULL);
}
