/* SPDX-License-Identifier: MIT */
/*
 * field.c - a libgrt program in a state that was reported from the field.
 *
 *   field dns N          N look-ups of names in C code, whose server never answers
 *   field locked N       N goroutines locked to their threads; a line makes them end, still locked
 *   field unlocked N     the same, but they unlock first
 *   field sockets N      N goroutines read a connection each, in the netpoller
 *   field dup N          the same, after foreign code has made a duplicate of each blocking; a line closes
 *                        the first of them
 *   field pty            reads of a pty master with a deadline, said with their results; then one without
 *   field raw N          two Ps, N goroutines in a read that the runtime is not told of
 *   field fault N        two Ps, N goroutines touch a page of a file that does not come
 *   field fault_call N   the same of anonymous memory, within calls of C code
 *   field yield N        one P, 4 goroutines that always yield, N that echo on sockets, 1 that asks them
 *
 * Says "ready: PID" once it is so, and then sleeps until it is killed; after a line of stdin, if it waits
 * for one, it says "ended" or "closed", and is ready again. `fault` says "page ADDRESS" first: what is touched; and for
 * each goroutine "touched TIME", by CLOCK_MONOTONIC.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <grt/grt.h>

#define NAP_NS 10000000ll
#define DEADLINE_NS 300000000ll
#define N_MAX 1000
#define TIMERS 50
#define YIELDERS 4
#define TOUCHED 0x123 /* of the page */

static int n;
static atomic_int begun, ended;
static int fds[N_MAX];
static int is_locked_at_end;
static int pipe_fd[2];
static volatile char *page;

static void die(const char *what)
{
	printf("cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static void start(void (*fn)(void *), long first, long count)
{
	for (long i = first; i < first + count; i++)
		if (grt_go(fn, (void *)i))
			die("start a goroutine");
}

static void await(atomic_int *what, int count)
{
	while (atomic_load(what) < count)
		grt_sleep(NAP_NS);
}

static void ready(void)
{
	printf("ready: %d\n", getpid());
	fflush(stdout);
}

/* The next line of stdin, a pipe: no thread is blocked for it. */
static void line_await(void)
{
	char c = 0;

	if (grt_fd_pollable(STDIN_FILENO))
		die("wait for stdin");
	while (c != '\n' && grt_read(STDIN_FILENO, &c, 1) == 1)
		;
}

static void timer_tick(void *arg)
{
	(void)arg;
	for (;;)
		grt_sleep(NAP_NS);
}

/* --- C07 --- */

static long lookup_abroad(void *arg)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	char name[32];

	snprintf(name, sizeof(name), "host-%ld.test", (long)arg);
	atomic_fetch_add(&begun, 1);
	return getaddrinfo(name, NULL, &hints, &found);
}

static void lookup(void *arg)
{
	grt_blocking_call(lookup_abroad, arg);
}

/* --- C09 --- */

/* The main thread is sysmon's: no goroutine can lock itself to it, end there and leave it to others. */
static void hold_thread(void *arg)
{
	(void)arg;
	grt_lock_os_thread();
	if (gettid() == getpid())
		die("run on another thread than the main thread");
	atomic_fetch_add(&begun, 1);
	while (!atomic_load(&ended))
		grt_sleep(NAP_NS);
	if (!is_locked_at_end)
		grt_unlock_os_thread();
	atomic_fetch_add(&ended, 1);
}

/* --- C11 --- */

static void connection_read(void *arg)
{
	char c;

	atomic_fetch_add(&begun, 1);
	if (grt_read(fds[(long)arg], &c, 1) <= 0)
		atomic_fetch_add(&ended, 1);
}

static void connections_make(bool is_blocking)
{
	struct sockaddr_in at = { 0 };
	socklen_t bytes = sizeof(at);
	int listener = grt_listen("tcp4", "127.0.0.1:0");
	char address[32];

	if (listener < 0 || getsockname(listener, (struct sockaddr *)&at, &bytes))
		die("listen");
	snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(at.sin_port));
	for (int i = 0; i < n; i++) {
		fds[i] = grt_dial("tcp4", address);
		if (fds[i] < 0 || grt_accept(listener, NULL, NULL) < 0)
			die("connect");
		if (is_blocking) {
			int copy = dup(fds[i]);

			fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) & ~O_NONBLOCK);
			close(copy);
		}
	}
}

/* --- C13 --- */

static void pty_read(bool is_pollable)
{
	int fd = grt_open("/dev/ptmx", O_RDWR | O_NOCTTY, 0);
	char c;

	if (fd < 0 || (is_pollable && grt_fd_pollable(fd)))
		die("open /dev/ptmx");
	printf("pty: %s %zd\n", is_pollable ? "pollable" : "plain",
	       grt_read_dl(fd, &c, 1, grt_now() + DEADLINE_NS));
	fds[0] = fd;
}

/* --- C17 --- */

static void read_unseen(void *arg)
{
	char c;

	(void)arg;
	atomic_fetch_add(&begun, 1);
	if (read(pipe_fd[0], &c, 1) < 0)
		die("read");
}

/* --- C19 --- */

static _Atomic int64_t touched_ns[N_MAX];

static long page_touch(void *arg)
{
	atomic_fetch_add(&begun, 1);
	touched_ns[(long)arg] = grt_now();
	return page[TOUCHED];
}

/* By a thread of its own: no goroutine may be able to. */
static void *touches_tell(void *arg)
{
	struct timespec nap = { .tv_nsec = 1000000 };

	for (int i = 0; i < n; i++) {
		while (!touched_ns[i])
			nanosleep(&nap, NULL);
		printf("touched %" PRId64 "\n", touched_ns[i]);
	}
	fflush(stdout);
	return arg;
}

static void touch(void *arg)
{
	page_touch(arg);
}

static void touch_in_call(void *arg)
{
	grt_blocking_call(page_touch, arg);
}

static int file_make(void)
{
	int fd = memfd_create("field-page", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sysconf(_SC_PAGESIZE)))
		die("make a file in memory");
	return fd;
}

/* Who touches it sleeps until somebody copies a page there, which nobody does. file: -1: anonymous memory. */
static void page_make(int file)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	long bytes = sysconf(_SC_PAGESIZE);
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	page = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
		    file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, file, 0);
	reg.range.start = (unsigned long)page;
	reg.range.len = (unsigned long)bytes;
	if (fd < 0 || page == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &reg))
		die("make a page that is not there");
	printf("page %p\n", (const void *)(page + TOUCHED));
	fflush(stdout);
}

/* --- C27 --- */

static int peers[N_MAX];

static void yield_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		grt_yield();
}

static void echo(void *arg)
{
	int fd = fds[(long)arg];
	char c;

	atomic_fetch_add(&begun, 1);
	while (grt_read(fd, &c, 1) == 1 && grt_write(fd, &c, 1) == 1)
		;
}

static void ask_each(void *arg)
{
	char c = 'x';

	(void)arg;
	for (int i = 0;; i = (i + 1) % n) {
		if (grt_write(peers[i], &c, 1) != 1 || grt_read(peers[i], &c, 1) != 1)
			die("ask");
		atomic_fetch_add(&ended, 1);
	}
}

static void echoes_make(void)
{
	for (int i = 0; i < n; i++) {
		int fd[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) ||
		    grt_fd_pollable(fd[0]) || grt_fd_pollable(fd[1]))
			die("make sockets");
		fds[i] = fd[0];
		peers[i] = fd[1];
	}
}

/* --- the program --- */

static void run_dns(void)
{
	start(lookup, 0, n);
	await(&begun, n);
}

static void run_locked(void)
{
	start(hold_thread, 0, n);
	await(&begun, n);
	ready();
	line_await();
	atomic_fetch_add(&ended, 1);
	await(&ended, n + 1);
	printf("ended\n");
}

static void run_sockets(bool is_blocking)
{
	connections_make(is_blocking);
	start(connection_read, 0, n);
	await(&begun, n);
	ready();
	line_await();
	grt_close(fds[0]);
	await(&ended, 1);
	printf("closed\n");
}

static void run_pty(void)
{
	pty_read(true);
	pty_read(false);
	start(connection_read, 0, 1);
	await(&begun, 1);
}

static void run_raw(void)
{
	if (pipe2(pipe_fd, O_CLOEXEC))
		die("make a pipe");
	start(read_unseen, 0, n);
}

static void run_fault(void (*fn)(void *), int file)
{
	pthread_t thread;

	page_make(file);
	if (pthread_create(&thread, NULL, touches_tell, NULL))
		die("make a thread");
	start(timer_tick, 0, TIMERS);
	start(fn, 0, n);
}

static void run_yield(void)
{
	echoes_make();
	start(yield_for_ever, 0, YIELDERS);
	start(echo, 0, n);
	await(&begun, n);
	start(ask_each, 0, 1);
	await(&ended, 1);
}

static int main_fn(void *arg)
{
	const char *mode = arg;

	is_locked_at_end = !strcmp(mode, "locked");
	if (!strcmp(mode, "dns"))
		run_dns();
	else if (is_locked_at_end || !strcmp(mode, "unlocked"))
		run_locked();
	else if (!strcmp(mode, "sockets") || !strcmp(mode, "dup"))
		run_sockets(!strcmp(mode, "dup"));
	else if (!strcmp(mode, "pty"))
		run_pty();
	else if (!strcmp(mode, "raw"))
		run_raw();
	else if (!strcmp(mode, "fault"))
		run_fault(touch, file_make());
	else if (!strcmp(mode, "fault_call"))
		run_fault(touch_in_call, -1);
	else if (!strcmp(mode, "yield"))
		run_yield();
	else
		return 2;
	ready();
	for (;;)
		grt_sleep(NAP_NS);
	return 0;
}

int main(int argc, char **argv)
{
	struct grt_options o = { .size = sizeof(o), .procs = 2 };

	n = argc > 2 ? atoi(argv[2]) : 1;
	if (argc < 2 || n < 1 || n > N_MAX)
		return 2;
	if (!strcmp(argv[1], "yield"))
		o.procs = 1;
	return grt_run_opts(&o, main_fn, argv[1]);
}
