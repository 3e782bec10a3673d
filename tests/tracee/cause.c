/* SPDX-License-Identifier: MIT */
/*
 * cause.c - a libgrt program that is sick in one way.
 *
 *   cause NAME DIR MORE
 *
 * A goroutine makes the guilty call and stays in it, or makes it again and again. Then the program
 * says "ready LINE FUNCTION", of the guilty call in this file, and lets a further goroutine make
 * it every few ms, MORE times. Beside that a goroutine computes now and then, and others sleep by
 * timer.
 *
 * In DIR, made by whoever starts it: `fifo`, `lock`; `slow`, mounted by causefuse.
 */
#include <errno.h>
#include <fcntl.h>
#include <grt/grt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS 10000000
#define MORE_NS 30000000 /* whoever attaches must see it go on */
#define LOG_BYTES 4000
#define LOGGERS 100
#define MANY 20
#define SLEEP_SECONDS 3600
#define TIMERS 10

static const char *dir;
static atomic_int entered; /* goroutines at their guilty call */
static int guilty_line, shared_fd = -1;
static const char *guilty_function;
static volatile long result; /* of guilty calls: none is the last act of its function */

/* On one line, so that the line that is told is that of the call. */
#define GUILTY(call) (mark(__func__, __LINE__), result = (call))

static void mark(const char *function, int line)
{
	guilty_function = function;
	guilty_line = line;
	atomic_fetch_add(&entered, 1);
}

static char *in_dir(char *buf, const char *name)
{
	snprintf(buf, 256, "%s/%s", dir, name);
	return buf;
}

static void die(const char *what)
{
	printf("cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_or_die(const char *name, int flags)
{
	char path[256];
	int fd = open(in_dir(path, name), flags | O_CLOEXEC);

	if (fd < 0)
		die(name);
	return fd;
}

/* --- the sick ones --- */

__attribute__((noinline)) static void page_read(void *arg)
{
	int fd = open_or_die("slow/f", O_RDONLY);
	char buf[512];

	(void)arg;
	for (;;)
		GUILTY(grt_pread(fd, buf, sizeof(buf), 0));
}

__attribute__((noinline)) static void fifo_read(void *arg)
{
	int fd = open_or_die("fifo", O_RDWR);
	char c;

	(void)arg;
	for (;;)
		GUILTY(grt_read(fd, &c, 1));
}

__attribute__((noinline)) static void wal_sync(void *arg)
{
	int fd = open_or_die("slow/f", O_RDWR);

	(void)arg;
	for (;;)
		GUILTY(grt_fsync(fd));
}

__attribute__((noinline)) static void hung_look(void *arg)
{
	char path[256];

	(void)arg;
	in_dir(path, "slow/hung");
	for (;;)
		GUILTY(grt_open(path, O_RDONLY, 0));
}

__attribute__((noinline)) static void lock_take(void *arg)
{
	int fd = open_or_die("lock", O_RDWR);

	(void)arg;
	for (;;)
		GUILTY(grt_flock(fd, LOCK_EX));
}

__attribute__((noinline)) static long foreign_sleep(void *arg)
{
	struct timespec ts = { .tv_sec = SLEEP_SECONDS };

	(void)arg;
	GUILTY(nanosleep(&ts, NULL));
	return result;
}

__attribute__((noinline)) static void sleep_abroad(void *arg)
{
	for (;;)
		result = grt_blocking_call(foreign_sleep, arg);
}

__attribute__((noinline)) static void socket_read(void *arg)
{
	char c;

	(void)arg;
	for (;;)
		GUILTY(grt_read(shared_fd, &c, 1));
}

static grt_mutex log_mutex;

/* One holds the mutex and is stuck; all others wait for the mutex and cost no thread. */
__attribute__((noinline)) static void log_line(void *arg)
{
	static char line[LOG_BYTES];

	(void)arg;
	for (;;) {
		grt_mutex_lock(&log_mutex);
		GUILTY(grt_write(shared_fd, line, sizeof(line)));
		grt_mutex_unlock(&log_mutex);
	}
}

__attribute__((noinline)) static void child_wait(void *arg)
{
	siginfo_t info;

	(void)arg;
	for (;;)
		GUILTY(grt_syscall(SYS_waitid, P_PIDFD, shared_fd, (long)&info, WEXITED, 0, 0));
}

__attribute__((noinline)) static void fifo_open(void *arg)
{
	char path[256];

	(void)arg;
	in_dir(path, "fifo");
	for (;;) {
		GUILTY(grt_open(path, O_RDONLY, 0));
		if (result >= 0)
			return; /* a writer has come */
	}
}

/* Each waits in a set of its own that nothing is ever ready in. */
__attribute__((noinline)) static void own_epoll(void *arg)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e;

	(void)arg;
	for (;;)
		GUILTY(grt_syscall(SYS_epoll_wait, fd, (long)&e, 1, -1, 0, 0));
}

/* --- what some need first --- */

static void lock_hold(void)
{
	if (flock(open_or_die("lock", O_RDWR), LOCK_EX) < 0)
		die("flock");
}

static void socket_make(void)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		die("socketpair");
	shared_fd = fd[0];
}

static void pipe_fill(void)
{
	static char zeros[LOG_BYTES];
	int fd[2];

	if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
		die("pipe");
	while (write(fd[1], zeros, sizeof(zeros)) > 0)
		;
	while (write(fd[1], zeros, 1) > 0)
		;
	fcntl(fd[1], F_SETFL, 0);
	shared_fd = fd[1];
}

static void child_start(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	shared_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pid < 0 || shared_fd < 0)
		die("pidfd_open");
}

/* --- the program --- */

static const struct {
	const char *name;
	void (*prepare)(void);
	void (*run)(void *arg);
	int goroutines, entered; /* before "ready" */
} causes[] = {
	{ "slow_read", NULL, page_read, 1, 1 },
	{ "fifo", NULL, fifo_read, 1, 1 },
	{ "slow_fsync", NULL, wal_sync, 1, 1 },
	{ "hung_fuse", NULL, hung_look, 1, 1 },
	{ "flock", lock_hold, lock_take, 1, 1 },
	{ "foreign_sleep", NULL, sleep_abroad, 1, 1 },
	{ "socket", socket_make, socket_read, 1, 1 },
	{ "full_pipe", pipe_fill, log_line, LOGGERS, 1 },
	{ "pidfd", child_start, child_wait, 1, 1 },
	{ "fifo_open", NULL, fifo_open, MANY, MANY },
	{ "epoll", NULL, own_epoll, MANY, MANY },
};
#define CAUSES (sizeof(causes) / sizeof(causes[0]))

struct run {
	size_t cause;
	int more;
};

static void compute(void *arg)
{
	volatile unsigned long sum = (unsigned long)(uintptr_t)arg;

	for (unsigned long i = 0;; i++) {
		sum += i;
		if (i % 65536 == 0)
			grt_sleep(PERIOD_NS);
	}
}

static void tick(void *arg)
{
	(void)arg;
	for (;;)
		grt_sleep(PERIOD_NS);
}

static int main_fn(void *arg)
{
	const struct run *r = arg;

	grt_go(compute, NULL);
	for (int i = 0; i < TIMERS; i++)
		grt_go(tick, NULL);
	for (int i = 0; i < causes[r->cause].goroutines; i++)
		grt_go(causes[r->cause].run, NULL);
	while (entered < causes[r->cause].entered)
		grt_sleep(PERIOD_NS);
	printf("ready %d %s\n", guilty_line, guilty_function);
	fflush(stdout);
	for (int i = 0; i < r->more; i++) {
		grt_sleep(MORE_NS);
		grt_go(causes[r->cause].run, NULL);
	}
	for (;;)
		grt_sleep(PERIOD_NS);
	return 0;
}

int main(int argc, char **argv)
{
	struct run r = { 0 };

	if (argc != 4)
		return 2;
	while (r.cause < CAUSES && strcmp(causes[r.cause].name, argv[1]))
		r.cause++;
	if (r.cause == CAUSES)
		return 2;
	dir = argv[2];
	r.more = atoi(argv[3]);
	if (causes[r.cause].prepare)
		causes[r.cause].prepare();
	return grt_run(main_fn, &r);
}
