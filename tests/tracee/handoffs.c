/* SPDX-License-Identifier: MIT */
/*
 * handoffs.c - a libgrt program that loses its P in calls a number of times that it knows exactly.
 *
 *   handoffs one READS POLLS FOREIGN EAGER_READS EAGER_POLLS
 *	One P, and one more goroutine that is always runnable. Each call ends only when that other
 *	one has seen the caller's thread inside it, which with one P means that the P was handed
 *	off. So each call is one hand-off: of the first three by sysmon, of the eager ones by the M.
 *   handoffs load MS
 *	Two Ps, goroutines that sleep in short calls of both kinds and read a device, for so long.
 *
 * Says "books: PID HANDOFFS" (load: 0) when all is done, and then sleeps until it is killed.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <grt/grt.h>

#define NAP_NS 1000000000ll
#define WORKERS 6
#define DEVICE_BYTES 65536

static int pipe_fd[2];
static pid_t caller;        /* thread that is about to make a call; 0: none */
static long caller_nr;      /* which */
static int is_over, ncalls; /* A */

/* "0 0x3 ..." : the number of the call that a thread is in. -1: it runs. */
static long call_of(pid_t tid)
{
	char path[64], text[64] = "";
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	return n > 0 && text[0] >= '0' && text[0] <= '9' ? strtol(text, NULL, 10) : -1;
}

/* The other goroutine. That it runs while the caller is in its call is the hand-off. */
static void waker(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
		pid_t tid = __atomic_load_n(&caller, __ATOMIC_ACQUIRE);

		if (tid && call_of(tid) == caller_nr) {
			__atomic_store_n(&caller, 0, __ATOMIC_RELEASE);
			if (write(pipe_fd[1], "x", 1) != 1)
				exit(1);
		}
		grt_yield();
	}
}

static void announce(long nr)
{
	ncalls++;
	caller_nr = nr;
	__atomic_store_n(&caller, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
}

static void drain(void)
{
	char c;

	if (read(pipe_fd[0], &c, 1) != 1)
		exit(1);
}

static long read_plainly(void *arg)
{
	drain();
	return (long)arg;
}

static void make_calls(const long *n)
{
	struct pollfd p = { .fd = pipe_fd[0], .events = POLLIN };
	char c;

	for (long i = 0; i < n[0]; i++) {
		announce(SYS_read);
		grt_read(pipe_fd[0], &c, 1);
	}
	for (long i = 0; i < n[1]; i++) {
		announce(SYS_poll);
		grt_syscall(SYS_poll, (long)&p, 1, -1, 0, 0, 0);
		drain();
	}
	for (long i = 0; i < n[2]; i++) {
		announce(SYS_read);
		grt_blocking_call(read_plainly, NULL);
	}
	for (long i = 0; i < n[3]; i++) {
		announce(SYS_read);
		grt_syscall_block(SYS_read, pipe_fd[0], (long)&c, 1, 0, 0, 0);
	}
	for (long i = 0; i < n[4]; i++) {
		announce(SYS_poll);
		grt_syscall_block(SYS_poll, (long)&p, 1, -1, 0, 0, 0);
		drain();
	}
}

static int rest(int handoffs)
{
	printf("books: %d %d\n", getpid(), handoffs);
	fflush(stdout);
	for (;;)
		grt_sleep(NAP_NS);
	return 0;
}

static int main_one(void *arg)
{
	if (pipe2(pipe_fd, O_CLOEXEC) || grt_go(waker, NULL))
		return 1;
	make_calls(arg);
	__atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
	return rest(ncalls);
}

static grt_waitgroup workers;

static void worker(void *arg)
{
	int64_t end_ns = *(int64_t *)arg;
	char *room = malloc(DEVICE_BYTES);
	struct timespec ts = { .tv_nsec = 60000 };
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

	while (room && fd >= 0 && grt_now() < end_ns) {
		grt_syscall(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0);
		grt_syscall_block(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0);
		grt_read(fd, room, DEVICE_BYTES);
	}
	close(fd);
	free(room);
	grt_waitgroup_done(&workers);
}

static int main_load(void *arg)
{
	int64_t end_ns = grt_now() + *(long *)arg * 1000000;

	grt_waitgroup_add(&workers, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		if (grt_go(worker, &end_ns))
			return 1;
	grt_waitgroup_wait(&workers);
	return rest(0);
}

int main(int argc, char **argv)
{
	struct grt_options o = { .size = sizeof(o), .idle_thread_ns = -1 };
	bool is_load = argc > 2 && !strcmp(argv[1], "load");
	long n[5] = { 0 };

	for (int i = 0; i < 5 && i + 2 < argc; i++)
		n[i] = strtol(argv[i + 2], NULL, 10);
	o.procs = is_load ? 2 : 1;
	return grt_run_opts(&o, is_load ? main_load : main_one, n);
}
