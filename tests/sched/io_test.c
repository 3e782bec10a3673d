/* SPDX-License-Identifier: MIT */
/*
 * io_test.c - files, FIFOs, pipes: what blocks the M and is handed off, what parks, what is written
 * wholly, and what a signal may interrupt.
 */
#include "runtime_test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "books.h"

#define MS 1000000ll
#define BIG (1 << 20)

static struct collected got;
static int finished;

static size_t times(unsigned kind)
{
	collect(&got);
	return collected_count(&got, kind);
}

static bool is_finished(int n)
{
	return __atomic_load_n(&finished, __ATOMIC_SEQ_CST) == n;
}

static void finish(void)
{
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

/* A file of a directory of its own, removed at once: only its descriptor is left. */
static void temp_path(char dir[32], char path[48])
{
	strcpy(dir, "/tmp/grt-io-XXXXXX");
	EXPECT(mkdtemp(dir), "a directory");
	snprintf(path, 48, "%s/x", dir);
}

static int temp_fifo(void)
{
	char dir[32], path[48];
	int fd;

	temp_path(dir, path);
	EXPECT_EQ(mkfifo(path, 0600), 0);
	fd = grt_open(path, O_RDWR, 0);
	EXPECT(fd >= 0, "open: %d", fd);
	unlink(path);
	rmdir(dir);
	return fd;
}

static int temp_file(void)
{
	char dir[32], path[48];
	int fd;

	temp_path(dir, path);
	fd = grt_open(path, O_RDWR | O_CREAT, 0600);
	EXPECT(fd >= 0, "open: %d", fd);
	unlink(path);
	rmdir(dir);
	return fd;
}

struct call {
	int fd;
	long tid;
	ssize_t result;
	char byte;
};

static void read_byte(void *arg)
{
	struct call *c = arg;

	__atomic_store_n(&c->tid, grt_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0), __ATOMIC_SEQ_CST);
	c->result = grt_read(c->fd, &c->byte, 1);
	finish();
}

RUNTIME_TEST(a_fifo_read_blocks_its_m_and_hands_the_p_off, 1)
{
	struct call c = { .fd = temp_fifo() };

	EXPECT_EQ(grt_sink_open(KIND(retake) | KIND(netpoll_park), 0), 0);
	EXPECT_EQ(grt_go(read_byte, &c), 0);

	/* this goroutine goes on although the only P was the reader's */
	AWAIT(times(GRT_K_retake) >= 1);
	EXPECT_EQ(times(GRT_K_netpoll_park), 0);
	EXPECT_EQ(grt_write(c.fd, "f", 1), 1);
	AWAIT(is_finished(1));
	EXPECT_EQ(c.byte, 'f');
}

RUNTIME_TEST(a_fifo_made_pollable_parks, 1)
{
	struct call c = { .fd = temp_fifo() };

	EXPECT_EQ(grt_sink_open(KIND(netpoll_park), 0), 0);
	EXPECT_EQ(grt_fd_pollable(c.fd), 0);
	EXPECT_EQ(grt_fd_pollable(c.fd), -EEXIST);
	EXPECT_EQ(grt_go(read_byte, &c), 0);

	/* when it waits, nobody is inside a call without a P */
	AWAIT(times(GRT_K_netpoll_park) == 1);
	AWAIT(waiters() == 1);
	EXPECT_EQ(blocked_ms(), 0);
	EXPECT_EQ(grt_write(c.fd, "p", 1), 1);
	AWAIT(is_finished(1));
	EXPECT_EQ(c.byte, 'p');
}

/* O_NONBLOCK belongs to the open file: whoever has a duplicate can clear it. */
RUNTIME_TEST(made_blocking_by_foreign_code_the_p_is_handed_off, 1)
{
	struct call c = { 0 };
	int fd[2], dup_fd;

	EXPECT_EQ(grt_sink_open(KIND(retake) | KIND(netpoll_park), 0), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	dup_fd = dup(fd[0]);
	EXPECT_EQ(fcntl(dup_fd, F_SETFL, 0), 0);
	c.fd = fd[0];
	EXPECT_EQ(grt_go(read_byte, &c), 0);

	AWAIT(times(GRT_K_retake) >= 1);
	EXPECT_EQ(times(GRT_K_netpoll_park), 0);
	EXPECT_EQ(write(fd[1], "b", 1), 1);
	AWAIT(is_finished(1));
	EXPECT_EQ(c.byte, 'b');
}

static int signals;

static void on_signal(int nr)
{
	(void)nr;
	__atomic_add_fetch(&signals, 1, __ATOMIC_SEQ_CST);
}

static void install_handler(void)
{
	struct sigaction sa = { .sa_handler =
					on_signal }; /* no SA_RESTART: calls are interrupted */

	EXPECT_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
}

RUNTIME_TEST(an_interrupted_read_is_repeated, 1)
{
	struct call c = { .fd = temp_fifo() };

	install_handler();
	EXPECT_EQ(grt_sink_open(KIND(retake), 0), 0);
	EXPECT_EQ(grt_go(read_byte, &c), 0);
	AWAIT(times(GRT_K_retake) >= 1);

	/* when the thread that sleeps in it gets signals */
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(syscall(SYS_tgkill, getpid(), c.tid, SIGUSR1), 0);
		AWAIT(__atomic_load_n(&signals, __ATOMIC_SEQ_CST) == i + 1);
	}
	EXPECT(is_finished(0), "result %zd", c.result);

	EXPECT_EQ(grt_write(c.fd, "e", 1), 1);
	AWAIT(is_finished(1));
	EXPECT_EQ(c.result, 1);
	EXPECT_EQ(c.byte, 'e');
}

#define NAPPERS 40
#define TAKEN_WANTED 50

/* Calls that are not repeated: the runtime itself never interrupts them, whatever it takes from them. */
static void nap_often(void *arg)
{
	struct timespec nap = { 0, 300000 };

	(void)arg;
	while (__atomic_load_n(&sched.count.retake, __ATOMIC_SEQ_CST) < TAKEN_WANTED)
		EXPECT_EQ(grt_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0), 0);
	finish();
}

RUNTIME_TEST(the_runtime_interrupts_no_call, 2)
{
	for (int i = 0; i < NAPPERS; i++)
		EXPECT_EQ(grt_go(nap_often, NULL), 0);
	AWAIT(is_finished(NAPPERS));
}

static void nap_long(void *arg)
{
	struct timespec nap = { 3600, 0 };
	struct call *c = arg;

	__atomic_store_n(&c->tid, grt_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0), __ATOMIC_SEQ_CST);
	c->result = grt_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
	finish();
}

RUNTIME_TEST(a_signal_of_the_users_ends_a_raw_call, 1)
{
	struct call c = { 0 };

	install_handler();
	EXPECT_EQ(grt_sink_open(KIND(retake), 0), 0);
	EXPECT_EQ(grt_go(nap_long, &c), 0);
	AWAIT(times(GRT_K_retake) >= 1);
	/* It may not be asleep yet: again until it is. */
	while (is_finished(0)) {
		EXPECT_EQ(syscall(SYS_tgkill, getpid(), c.tid, SIGUSR1), 0);
		grt_sleep(MS);
	}
	EXPECT_EQ(c.result, -EINTR);
}

struct flow {
	int fd;
	char *data;
	size_t done;
};

static void read_slowly(void *arg)
{
	struct flow *f = arg;
	ssize_t n;

	while (f->done < BIG && (n = grt_read(f->fd, f->data + f->done, 4096)) > 0) {
		f->done += (size_t)n;
		grt_yield();
	}
	finish();
}

static char *pattern(void)
{
	char *p = malloc(BIG);

	EXPECT(p, "memory");
	for (int i = 0; i < BIG; i++)
		p[i] = (char)(i * 31 + (i >> 12));
	return p;
}

RUNTIME_TEST(a_pollable_descriptor_is_written_wholly, 2)
{
	struct flow f = { .data = malloc(BIG) };
	char *want = pattern();
	int fd[2];

	/* given a pipe that holds far less */
	EXPECT_EQ(grt_pipe(fd), 0);
	f.fd = fd[0];
	EXPECT_EQ(grt_go(read_slowly, &f), 0);
	EXPECT_EQ(grt_write(fd[1], want, BIG), BIG);
	AWAIT(is_finished(1));
	EXPECT_EQ(memcmp(f.data, want, BIG), 0);
	AWAIT(waiters() == 0);
}

RUNTIME_TEST(vectors_are_written_wholly_and_in_order, 2)
{
	struct flow f = { .data = malloc(BIG) };
	struct iovec iov[64], same[64];
	char *want = pattern();
	size_t at = 0;
	int fd[2];

	/* of odd lengths, empty ones too, the last one large */
	for (int i = 0; i < 64; i++) {
		size_t n = i == 63 ? BIG - at : (size_t)(i % 7) * 1021;

		iov[i] = (struct iovec){ want + at, n };
		at += n;
	}
	memcpy(same, iov, sizeof(iov));
	EXPECT_EQ(grt_pipe(fd), 0);
	f.fd = fd[0];
	EXPECT_EQ(grt_go(read_slowly, &f), 0);
	EXPECT_EQ(grt_writev(fd[1], iov, 64), BIG);
	AWAIT(is_finished(1));
	EXPECT_EQ(memcmp(f.data, want, BIG), 0);
	EXPECT_EQ(memcmp(iov, same, sizeof(iov)), 0);
}

RUNTIME_TEST(a_write_that_runs_out_of_time_says_how_much, 2)
{
	char *data = pattern();
	ssize_t n;
	int fd[2];

	EXPECT_EQ(grt_pipe(fd), 0);
	n = grt_write_dl(fd[1], data, BIG, grt_now() + 5 * MS);
	EXPECT(n > 0 && n < BIG, "%zd", n);
	EXPECT_EQ(grt_write_dl(fd[1], data, BIG, grt_now() + 5 * MS), -ETIMEDOUT);
}

RUNTIME_TEST(files_are_read_and_written_where_asked, 1)
{
	struct iovec iov[2];
	char a[3], b[4];
	int fd = temp_file();

	EXPECT_EQ(grt_pwrite(fd, "0123456789", 10, 0), 10);
	EXPECT_EQ(grt_pread(fd, b, 4, 6), 4);
	EXPECT_EQ(memcmp(b, "6789", 4), 0);
	EXPECT_EQ(grt_pread(fd, b, 4, 10), 0);
	EXPECT_EQ(grt_fsync(fd), 0);
	EXPECT_EQ(grt_fdatasync(fd), 0);
	iov[0] = (struct iovec){ a, 3 };
	iov[1] = (struct iovec){ b, 4 };
	EXPECT_EQ(grt_readv(fd, iov, 2), 7);
	EXPECT_EQ(memcmp(a, "012", 3), 0);
	EXPECT_EQ(memcmp(b, "3456", 4), 0);
	EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	EXPECT_EQ(grt_close(fd), 0);
}

RUNTIME_TEST(what_the_kernel_cannot_poll_is_refused, 1)
{
	char c;
	int fd = temp_file(), flags = fcntl(fd, F_GETFL);

	EXPECT_EQ(grt_fd_pollable(fd), -EPERM);
	EXPECT_EQ(fcntl(fd, F_GETFL), flags);
	EXPECT_EQ(grt_read_dl(fd, &c, 1, grt_now() + 1000 * MS), -EINVAL);
	EXPECT_EQ(grt_fd_pollable(-1), -EBADF);
	EXPECT_EQ(grt_close(fd), 0);
	EXPECT_EQ(grt_fd_pollable(fd), -EBADF);
}

RUNTIME_TEST(a_terminal_keeps_its_deadline, 1)
{
	int fd = grt_open("/dev/ptmx", O_RDWR | O_NOCTTY, 0);
	int64_t deadline = grt_now() + 20 * MS;
	char c;

	if (fd < 0) {
		printf("no /dev/ptmx: %d\n", fd);
		return;
	}
	/* not pollable: the deadline could not be kept, and is refused */
	EXPECT_EQ(grt_read_dl(fd, &c, 1, deadline), -EINVAL);
	EXPECT_EQ(grt_fd_pollable(fd), 0);
	EXPECT_EQ(grt_read_dl(fd, &c, 1, deadline), -ETIMEDOUT);
	EXPECT(grt_now() >= deadline, "not before its time");
}

RUNTIME_TEST(a_file_is_sent_to_a_socket, 2)
{
	struct flow f = { .data = malloc(BIG) };
	char *want = pattern();
	int fd = temp_file(), pair[2];
	off_t at = 0;

	EXPECT_EQ(grt_pwrite(fd, want, BIG, 0), BIG);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_EQ(grt_fd_pollable(pair[0]), 0);
	EXPECT_EQ(grt_fd_pollable(pair[1]), 0);
	f.fd = pair[0];
	EXPECT_EQ(grt_go(read_slowly, &f), 0);
	while (at < BIG)
		EXPECT(grt_sendfile(pair[1], fd, &at, (size_t)(BIG - at)) > 0, "at %ld", (long)at);
	AWAIT(is_finished(1));
	EXPECT_EQ(memcmp(f.data, want, BIG), 0);
}

static void lock_file(void *arg)
{
	struct call *c = arg;

	c->result = grt_flock(c->fd, LOCK_EX);
	finish();
}

RUNTIME_TEST(a_file_lock_blocks_its_m_and_hands_the_p_off, 1)
{
	struct call c = { 0 };
	char path[64];
	int fd = temp_file();

	/* given two open files of one inode, one of them locked */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	c.fd = grt_open(path, O_RDWR, 0);
	EXPECT(c.fd >= 0, "open: %d", c.fd);
	EXPECT_EQ(grt_flock(fd, LOCK_EX), 0);
	EXPECT_EQ(grt_flock(c.fd, LOCK_EX | LOCK_NB), -EWOULDBLOCK);

	EXPECT_EQ(grt_sink_open(KIND(retake), 0), 0);
	EXPECT_EQ(grt_go(lock_file, &c), 0);
	AWAIT(times(GRT_K_retake) >= 1);
	EXPECT(is_finished(0), "it waits");
	EXPECT_EQ(grt_flock(fd, LOCK_UN), 0);
	AWAIT(is_finished(1));
	EXPECT_EQ(c.result, 0);
}

static void *read_from_a_thread(void *arg)
{
	char c;

	EXPECT_EQ(grt_read(*(int *)arg, &c, 1), -EAGAIN);
	EXPECT_EQ(grt_fd_wait(*(int *)arg, POLLIN, 0), -EPERM);
	finish();
	return NULL;
}

RUNTIME_TEST(a_foreign_thread_uses_descriptors_as_the_kernel_has_them, 1)
{
	pthread_t t;
	int fd[2];

	EXPECT_EQ(grt_pipe(fd), 0);
	EXPECT_EQ(pthread_create(&t, NULL, read_from_a_thread, &fd[0]), 0);
	AWAIT(is_finished(1));
	pthread_join(t, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fifo_read_blocks_its_m_and_hands_the_p_off),
		cmocka_unit_test(a_fifo_made_pollable_parks),
		cmocka_unit_test(made_blocking_by_foreign_code_the_p_is_handed_off),
		cmocka_unit_test(an_interrupted_read_is_repeated),
		cmocka_unit_test(the_runtime_interrupts_no_call),
		cmocka_unit_test(a_signal_of_the_users_ends_a_raw_call),
		cmocka_unit_test(a_pollable_descriptor_is_written_wholly),
		cmocka_unit_test(vectors_are_written_wholly_and_in_order),
		cmocka_unit_test(a_write_that_runs_out_of_time_says_how_much),
		cmocka_unit_test(files_are_read_and_written_where_asked),
		cmocka_unit_test(what_the_kernel_cannot_poll_is_refused),
		cmocka_unit_test(a_terminal_keeps_its_deadline),
		cmocka_unit_test(a_file_is_sent_to_a_socket),
		cmocka_unit_test(a_file_lock_blocks_its_m_and_hands_the_p_off),
		cmocka_unit_test(a_foreign_thread_uses_descriptors_as_the_kernel_has_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
