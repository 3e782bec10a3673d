/* SPDX-License-Identifier: MIT */
/*
 * stale_test.c - I17: an event of an earlier use of a descriptor's number changes nothing.
 *
 * The open file of a closed pipe lives on in a duplicate or in a forked child, and so may its
 * registration with the kernel's poller: data on it gives an event with a number that is another
 * pipe's by then. GRT_LONG=1: 10^5 rounds.
 */
#include "runtime_test.h"

#include <errno.h>

#include "books.h"
#include "rest.h"
#include "../../runtime/netpoll.h"

static struct collected got;

#define LONG_ROUNDS 100000

static int rounds(int n)
{
	return getenv("GRT_LONG") ? LONG_ROUNDS : n;
}

struct reader {
	int fd;
	uint64_t id;
	ssize_t result;
	char byte;
	int is_done;
};

static void read_byte(void *arg)
{
	struct reader *r = arg;

	r->id = grt_self();
	r->result = grt_read(r->fd, &r->byte, 1);
	__atomic_store_n(&r->is_done, 1, __ATOMIC_SEQ_CST);
}

static bool has_reader(int fd)
{
	u64 word = __atomic_load_n(&netpoll_pd(fd)->dir[0].word, __ATOMIC_ACQUIRE);

	return PD_IS_G(word);
}

/*
 * The n-th that waits. Who was woken is counted until after it runs: that must be over first. Who waits is
 * counted before it can be found.
 */
static void start(struct reader *r, int fd, u32 n)
{
	AWAIT(waiters() == n - 1);
	*r = (struct reader){ .fd = fd };
	EXPECT_EQ(grt_go(read_byte, r), 0);
	AWAIT(waiters() == n && has_reader(fd));
}

static bool is_done(struct reader *r)
{
	return __atomic_load_n(&r->is_done, __ATOMIC_SEQ_CST);
}

static size_t times_ready(uint64_t id)
{
	size_t n = 0;

	collect(&got);
	for (size_t i = 0; i < got.n; i++)
		n += got.rec[i].kind == GRT_K_netpoll_ready && got.rec[i].arg[0] == id;
	return n;
}

/* All events before this one have been looked at: the kernel reports in the order of arrival. */
static void await_poll(int marker[2])
{
	struct reader r;

	start(&r, marker[0], 2);
	EXPECT_EQ(write(marker[1], "m", 1), 1);
	AWAIT(is_done(&r));
}

/* number: a closed read end whose open file lives; old_write: its other end. */
static void expect_no_wake_up(int number, int old_write, int marker[2])
{
	struct reader r;
	int fd[2];

	/* given a new pipe by the same number, and a goroutine that waits for it */
	EXPECT_EQ(grt_pipe(fd), 0);
	EXPECT_EQ(fd[0], number);
	start(&r, fd[0], 1);

	/* when data comes on the old one */
	EXPECT_EQ(write(old_write, "old", 3), 3);
	await_poll(marker);

	/* then the goroutine has not been woken, and gets the new one's data */
	EXPECT(!is_done(&r), "a stale event: the read of fd %d ended with %zd '%c'", fd[0],
	       r.result, r.byte);
	EXPECT(times_ready(r.id) == 0, "an event of the closed pipe woke who waits for fd %d",
	       fd[0]);
	EXPECT_EQ(write(fd[1], "n", 1), 1);
	AWAIT(is_done(&r));
	EXPECT_EQ(r.result, 1);
	EXPECT_EQ(r.byte, 'n');
	EXPECT_EQ(times_ready(r.id), 1);
	got.n = 0;
	EXPECT_EQ(grt_close(fd[0]), 0);
	EXPECT_EQ(grt_close(fd[1]), 0);
}

/* The open file outlives its number by a duplicate. */
static void round_of(int marker[2], bool by_grt_close)
{
	int old[2], kept;

	EXPECT_EQ(grt_pipe(old), 0);
	kept = fcntl(old[0], F_DUPFD_CLOEXEC, 500);
	EXPECT(kept >= 500, "a duplicate");
	EXPECT_EQ(by_grt_close ? grt_close(old[0]) : close(old[0]), 0);

	expect_no_wake_up(old[0], old[1], marker);

	EXPECT_EQ(close(kept), 0);
	EXPECT_EQ(grt_close(old[1]), 0);
}

RUNTIME_TEST(i17_a_duplicate_of_a_closed_pipe_wakes_nobody, 2)
{
	int marker[2];

	EXPECT_EQ(grt_sink_open(KIND(netpoll_ready), 0), 0);
	EXPECT_EQ(grt_pipe(marker), 0);
	for (int i = 0; i < rounds(300); i++)
		round_of(marker, true);
	AWAIT(waiters() == 0);
}

/* Closed behind the runtime's back: the registration is still there when the number comes again. */
RUNTIME_TEST(i17_a_pipe_closed_by_foreign_code_wakes_nobody, 2)
{
	int marker[2];

	EXPECT_EQ(grt_sink_open(KIND(netpoll_ready), 0), 0);
	EXPECT_EQ(grt_pipe(marker), 0);
	for (int i = 0; i < rounds(300); i++)
		round_of(marker, false);
	AWAIT(waiters() == 0);
}

/* A child keeps both ends until it is told to go. */
static pid_t child_that_keeps(void)
{
	pid_t pid = fork();

	EXPECT(pid >= 0, "fork");
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

RUNTIME_TEST(i17_a_pipe_that_a_child_still_holds_wakes_nobody, 2)
{
	int marker[2];

	EXPECT_EQ(grt_sink_open(KIND(netpoll_ready), 0), 0);
	EXPECT_EQ(grt_pipe(marker), 0);
	for (int i = 0; i < rounds(10); i++) {
		int old[2];
		pid_t pid;

		EXPECT_EQ(grt_pipe(old), 0);
		pid = child_that_keeps();
		EXPECT_EQ(i % 2 ? grt_close(old[0]) : close(old[0]), 0);
		expect_no_wake_up(old[0], old[1], marker);
		EXPECT_EQ(kill(pid, SIGKILL), 0);
		EXPECT_EQ(waitpid(pid, NULL, 0), pid);
		EXPECT_EQ(grt_close(old[1]), 0);
	}
	AWAIT(waiters() == 0);
}

/* The number is given up while a goroutine waits, and used anew at once. */
RUNTIME_TEST(i17_who_waited_for_the_old_use_is_told_that_it_ended, 2)
{
	struct reader old, new;
	int fd[2], again[2];

	EXPECT_EQ(grt_pipe(fd), 0);
	start(&old, fd[0], 1);
	EXPECT_EQ(close(fd[0]), 0);

	EXPECT_EQ(grt_pipe(again), 0);
	EXPECT_EQ(again[0], fd[0]);
	AWAIT(is_done(&old));
	EXPECT_EQ(old.result, -EBADF);

	start(&new, again[0], 1);
	EXPECT_EQ(write(again[1], "n", 1), 1);
	AWAIT(is_done(&new));
	EXPECT_EQ(new.byte, 'n');
	AWAIT(waiters() == 0);
}

/* The same, but the number becomes a file's, which nobody can wait for. */
static void become_file(int (*open_file)(void))
{
	struct reader r;
	int fd[2], file;
	char c[2];

	EXPECT_EQ(grt_pipe(fd), 0);
	start(&r, fd[0], 1);
	EXPECT_EQ(close(fd[0]), 0);

	file = open_file();
	EXPECT_EQ(file, fd[0]);
	AWAIT_MINE_OR(is_done(&r),
		      "fd %d is a file's, and who waited for the pipe of that number waits on",
		      file);
	EXPECT_EQ(r.result, -EBADF);

	/* then the file is like any other, read from its start */
	EXPECT_EQ(grt_read_dl(file, c, 1, grt_now() + 1000000000ll), -EINVAL);
	EXPECT_EQ(grt_read(file, c, 2), 2);
	EXPECT_EQ(memcmp(c, "Na", 2), 0);
	AWAIT(waiters() == 0);
}

static int open_by_grt(void)
{
	return grt_open("/proc/self/status", O_RDONLY, 0);
}

static int open_by_foreign_code(void)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	EXPECT_EQ(grt_fd_pollable(fd), -EPERM);
	return fd;
}

RUNTIME_TEST(i17_who_waited_is_told_when_the_number_is_opened_as_a_file, 2)
{
	become_file(open_by_grt);
}

RUNTIME_TEST(i17_who_waited_is_told_when_the_number_cannot_be_polled, 2)
{
	become_file(open_by_foreign_code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i17_a_duplicate_of_a_closed_pipe_wakes_nobody),
		cmocka_unit_test(i17_a_pipe_closed_by_foreign_code_wakes_nobody),
		cmocka_unit_test(i17_a_pipe_that_a_child_still_holds_wakes_nobody),
		cmocka_unit_test(i17_who_waited_for_the_old_use_is_told_that_it_ended),
		cmocka_unit_test(i17_who_waited_is_told_when_the_number_is_opened_as_a_file),
		cmocka_unit_test(i17_who_waited_is_told_when_the_number_cannot_be_polled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
