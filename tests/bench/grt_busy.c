/* SPDX-License-Identifier: MIT */
/*
 * grt_busy.c - I/O and timers beside goroutines that never rest: four yield for ever on two Ps, 100 echo on
 * sockets of their own, and one wakes every millisecond. Another process asks the echoes in turn and takes the
 * time, so that each answer is one wait in the netpoller; go/main.go has itself asked by the same.
 */
#include <errno.h>
#include <grt/grt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "grt.h"

#define YIELDERS 4
#define ECHOES 100
#define ECHO_ROUNDS 3000
#define ASKS_AT 500 /* descriptors of the one that asks */
#define TICK_NS 1000000ll
#define TICKS_MAX 10000

static struct {
	int served[ECHOES], asks[ECHOES];
	double late_us[TICKS_MAX];
	int ticks;
	bool should_end;
} busy;

static void echo(void *arg)
{
	int fd = busy.served[(long)arg];
	char byte;

	while (grt_read(fd, &byte, 1) == 1 && grt_write(fd, &byte, 1) == 1)
		;
}

static void tick(void *arg)
{
	(void)arg;
	for (int i = 0; i < TICKS_MAX; i++) {
		int64_t due_ns = grt_now() + TICK_NS;

		grt_sleep(TICK_NS);
		busy.late_us[i] = (double)(grt_now() - due_ns) / 1000;
		__atomic_store_n(&busy.ticks, i + 1, __ATOMIC_RELEASE);
	}
}

static void echoes_make(void)
{
	for (long i = 0; i < ECHOES; i++) {
		int fd[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) ||
		    grt_fd_pollable(fd[0]))
			die("make a socket", errno);
		busy.served[i] = fd[0];
		busy.asks[i] = fd[1];
		grt_go(echo, (void *)i);
	}
}

static pid_t asker_start(void)
{
	char at[16], *argv[] = { "grt", "asker", at, NULL };
	pid_t pid = fork();

	if (pid < 0)
		die("fork", errno);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < ECHOES; i++)
		dup2(busy.asks[i], ASKS_AT + i);
	snprintf(at, sizeof(at), "%d", ASKS_AT);
	execv("/proc/self/exe", argv);
	_exit(127);
}

int bench_busy(void *arg)
{
	size_t ticks;
	pid_t asker;
	int status;

	(void)arg;
	echoes_make();
	for (int i = 0; i < YIELDERS; i++)
		grt_go(yield_on, &busy.should_end);
	grt_go(tick, NULL);
	asker = asker_start();
	if (grt_syscall(SYS_wait4, asker, (long)&status, 0, 0, 0, 0) != asker || status)
		die("have somebody ask", ECHILD);
	__atomic_store_n(&busy.should_end, true, __ATOMIC_RELAXED);
	ticks = (size_t)__atomic_load_n(&busy.ticks, __ATOMIC_ACQUIRE);
	out("tick_late_us", quantile(busy.late_us, ticks, 0.99));
	return 0;
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

int bench_asker(int first_fd)
{
	static double us[ECHO_ROUNDS];
	char byte = 'x';

	for (int i = 0; i < ECHO_ROUNDS; i++) {
		int fd = first_fd + i % ECHOES;
		double t0 = now_us();

		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			die("ask", errno);
		us[i] = now_us() - t0;
	}
	out("echo_p99_us", quantile(us, ECHO_ROUNDS, 0.99));
	return 0;
}
