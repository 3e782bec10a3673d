/* SPDX-License-Identifier: MIT */
/*
 * slow.c - calls that end with EINTR when anything signals the process: goroutines in nanosleep, pipe
 * reads and foreign C code that does not retry. Says "ready", and at SIGTERM how many calls ended well and
 * how many were interrupted.
 */
#include <errno.h>
#include <grt/grt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EACH 6
#define NAP_NS 3000000

static long calls, interrupted;
static volatile sig_atomic_t should_end;

static void count(long result)
{
	__atomic_add_fetch(result == -EINTR ? &interrupted : &calls, 1, __ATOMIC_RELAXED);
}

static void napper(void *arg)
{
	struct timespec nap = { 0, NAP_NS };

	(void)arg;
	for (;;)
		count(grt_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0));
}

static long foreign_nap(void *arg)
{
	struct timespec nap = { 0, NAP_NS };

	(void)arg;
	return nanosleep(&nap, NULL) ? -errno : 0;
}

static void foreigner(void *arg)
{
	for (;;)
		count(grt_blocking_call(foreign_nap, arg));
}

static void reader(void *arg)
{
	int fd[2];
	char c;

	(void)arg;
	if (pipe(fd) == 0)
		count(grt_syscall(SYS_read, fd[0], (long)&c, 1, 0, 0, 0));
}

static int run(void *arg)
{
	for (int i = 0; i < EACH; i++) {
		grt_go(napper, arg);
		grt_go(foreigner, arg);
		grt_go(reader, arg);
	}
	while (__atomic_load_n(&calls, __ATOMIC_RELAXED) < EACH)
		grt_sleep(NAP_NS);
	puts("ready");
	while (!should_end)
		grt_sleep(NAP_NS);
	printf("%ld calls, %ld interrupted\n", __atomic_load_n(&calls, __ATOMIC_RELAXED),
	       __atomic_load_n(&interrupted, __ATOMIC_RELAXED));
	return 0;
}

static void on_term(int nr)
{
	(void)nr;
	should_end = 1;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM,
	       on_term); /* SA_RESTART; sysmon's thread is the process's first, and gets it */
	return grt_run(run, NULL);
}
