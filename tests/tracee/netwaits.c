/* SPDX-License-Identifier: MIT */
/*
 * netwaits.c - a libgrt program whose goroutines wait on descriptors as often as it knows.
 *
 *   netwaits parked N
 *	N goroutines, each parked in a read of a socket of its own.
 *   netwaits rounds N
 *	One P; one goroutine reads a byte N times. Each byte is written when it is parked: it has
 *	had the P since it said that it would read, and no thread is awake that could be in its
 *	call. N waits.
 *   netwaits rescue N
 *	The same, but whoever wrote computes for RESCUE_NS without a call: only sysmon can poll.
 *
 * Says "ready: PID N" when all of it is done, and then sleeps until it is killed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <grt/grt.h>

#define NAP_NS 1000000000ll
#define RESCUE_NS 100000000 /* sysmon polls when nobody has for 10 ms */

static const char *mode;
static long n;
static long begun, done; /* reads */

static int connection(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return -1;
	return grt_fd_pollable(fd[0]);
}

static void read_for_ever(void *arg)
{
	int fd = (int)(long)arg;
	char c;

	begun++;
	while (grt_read(fd, &c, 1) == 1)
		;
}

/* One P: they all have begun when nobody else is runnable, and are parked. */
static int park_all(void)
{
	int fd[2];

	for (long i = 0; i < n; i++)
		if (connection(fd) || grt_go(read_for_ever, (void *)(long)fd[0]))
			return -1;
	while (begun < n)
		grt_yield();
	grt_yield();
	return 0;
}

static void reader(void *arg)
{
	int fd = (int)(long)arg;
	char c;

	for (long i = 0; i < n; i++) {
		begun++;
		if (grt_read(fd, &c, 1) != 1)
			exit(1);
		done++;
	}
}

static void compute(int64_t ns)
{
	int64_t end_ns = grt_now() + ns;

	while (grt_now() < end_ns)
		;
}

/* The letter of a thread; '?': it has ended. */
static char state_of(const char *tid)
{
	char path[64], text[512], *end;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%s/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	return end ? end[2] : '?';
}

/* Are all threads asleep but for this one, and sysmon, which runs no goroutine? */
static bool is_alone(void)
{
	DIR *d = opendir("/proc/self/task");
	bool is_alone = d != NULL;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid > 0 && tid != getpid() && tid != gettid())
			is_alone &= state_of(e->d_name) == 'S';
	}
	if (d)
		closedir(d);
	return is_alone;
}

/*
 * It may have been asked to yield on its way to the read; and sysmon may have taken its P in the
 * read itself, so that it is in a call while others run. Both twice, since one may follow the
 * other.
 */
static void await_parked(void)
{
	for (int times = 0; times < 2; times++) {
		grt_yield();
		grt_yield();
		if (!is_alone())
			times = -1;
	}
}

static int exchange(void)
{
	int fd[2];

	if (connection(fd) || grt_go(reader, (void *)(long)fd[0]))
		return -1;
	for (long i = 0; i < n; i++) {
		while (begun <= i)
			grt_yield();
		await_parked();
		if (write(fd[1], "x", 1) != 1)
			return -1;
		if (!strcmp(mode, "rescue"))
			compute(RESCUE_NS);
		while (done <= i)
			grt_sleep(1000);
	}
	return 0;
}

static int main_fn(void *arg)
{
	(void)arg;
	if (!strcmp(mode, "parked") ? park_all() : exchange())
		return 1;
	printf("ready: %d %ld\n", getpid(), n);
	fflush(stdout);
	for (;;)
		grt_sleep(NAP_NS);
	return 0;
}

int main(int argc, char **argv)
{
	struct grt_options o = { .size = sizeof(o), .procs = 1 };
	struct rlimit files;

	if (argc < 3)
		return 2;
	mode = argv[1];
	n = strtol(argv[2], NULL, 10);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return grt_run_opts(&o, main_fn, NULL);
}
