/* SPDX-License-Identifier: MIT */
/*
 * reuse.c - a libgrt program that gives one descriptor number to two files, while a call is still at the
 * first one. The number is FD; whatever it does next it does when it is told by a byte.
 *
 *   reuse GATE calls   one goroutine reads FD, a pipe;
 *                      FD is a socket now, and another goroutine reads it;
 *                      the first one's read ends, and it reads FD again
 *   reuse GATE foreign the same of one goroutine that reads FD in C code, again and again in one call
 *   reuse GATE waits   one goroutine waits for a socket FD in the netpoller; it is served, and so the next
 *                      time, when FD is another socket
 *
 * Says "ready NAME" and behind each byte "next NAME", what FD is then, as /proc has it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <grt/grt.h>

#define FD 50
#define NAP_NS 1000000000ll

static int gate;

static void say(const char *what)
{
	char path[32], name[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", FD);
	if (readlink(path, name, sizeof(name) - 1) < 0)
		exit(1);
	printf("%s %s\n", what, name);
	fflush(stdout);
}

static void await_byte(void)
{
	char c;

	if (grt_syscall(SYS_read, gate, (long)&c, 1, 0, 0, 0) != 1)
		exit(1);
}

/* FD is another one of the ends from now on; returns the other end. */
static int fd_give(int end, int other)
{
	if (dup3(end, FD, O_CLOEXEC) != FD)
		exit(1);
	close(end);
	return other;
}

static int fd_is_socket(void)
{
	int end[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end))
		exit(1);
	return fd_give(end[0], end[1]);
}

static void read_for_ever(void *arg)
{
	char c;

	(void)arg;
	while (grt_syscall(SYS_read, FD, (long)&c, 1, 0, 0, 0) == 1)
		;
}

static long read_in_c(void *arg)
{
	char c;

	(void)arg;
	while (read(FD, &c, 1) == 1)
		;
	return 0;
}

static void call_for_ever(void *arg)
{
	grt_blocking_call(read_in_c, arg);
}

static int fd_is_pipe(void)
{
	int end[2];

	if (pipe2(end, O_CLOEXEC))
		exit(1);
	return fd_give(end[0], end[1]);
}

static void foreign(void)
{
	int first = fd_is_pipe();

	if (grt_go(call_for_ever, NULL))
		exit(1);
	say("ready");
	await_byte();
	fd_is_socket();
	if (write(first, "x", 1) != 1)
		exit(1);
	say("next");
}

static void calls(void)
{
	int first = fd_is_pipe();

	if (grt_go(read_for_ever, NULL))
		exit(1);
	say("ready");
	await_byte();
	fd_is_socket();
	if (grt_go(read_for_ever, NULL))
		exit(1);
	say("next");
	await_byte();
	if (write(first, "x", 1) != 1)
		exit(1);
	say("next");
}

static void serve(void *done)
{
	char c;

	if (grt_read(FD, &c, 1) != 1)
		exit(1);
	__atomic_store_n((int *)done, 1, __ATOMIC_RELEASE);
}

static void waits(void)
{
	const char *what = "ready";

	for (int i = 0; i < 2; i++, what = "next") {
		int done = 0, other = fd_is_socket();

		if (grt_fd_pollable(FD) || grt_go(serve, &done))
			exit(1);
		say(what);
		await_byte();
		if (write(other, "x", 1) != 1)
			exit(1);
		while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
			grt_sleep(1000000);
		grt_close(FD);
	}
}

static int main_fn(void *arg)
{
	char **argv = arg;

	gate = atoi(argv[1]);
	if (!strcmp(argv[2], "calls"))
		calls();
	else if (!strcmp(argv[2], "foreign"))
		foreign();
	else
		waits();
	for (;;)
		grt_sleep(NAP_NS);
	return 0;
}

int main(int argc, char **argv)
{
	return argc == 3 ? grt_run(main_fn, argv) : 2;
}
