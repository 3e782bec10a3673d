/* SPDX-License-Identifier: MIT */
/* close_test.c - a number is given up while others are about to use it, wait for it, or sleep in it. */
#include "runtime_test.h"

#include <errno.h>
#include <sys/socket.h>

#include "books.h"
#include "rest.h"

#define HOUR_NS 3600000000000ll

struct reader {
	int fd;
	int64_t deadline_ns;
	ssize_t result;
	int is_done;
};

static void read_byte(void *arg)
{
	struct reader *r = arg;
	char c;

	r->result = grt_read_dl(r->fd, &c, 1, r->deadline_ns);
	__atomic_store_n(&r->is_done, 1, __ATOMIC_SEQ_CST);
}

static bool is_done(struct reader *r)
{
	return __atomic_load_n(&r->is_done, __ATOMIC_SEQ_CST);
}

/* Whoever comes second sees the other: no EAGAIN of a number half closed, no wait for ever. */
RUNTIME_TEST(a_read_that_races_with_close_ends_with_ebadf, 2)
{
	for (int i = 0; i < 5000; i++) {
		struct reader r = { .deadline_ns = i % 2 ? grt_now() + HOUR_NS : 0 };
		int fd[2];

		EXPECT_EQ(grt_pipe(fd), 0);
		r.fd = fd[0];
		EXPECT_EQ(grt_go(read_byte, &r), 0);
		if (i % 3 == 0)
			grt_yield();
		EXPECT_EQ(grt_close(fd[0]), 0);
		AWAIT_MINE_OR(is_done(&r), "fd %d is closed, and its reader still waits for it",
			      r.fd);
		EXPECT_EQ(r.result, -EBADF);
		EXPECT_EQ(grt_close(fd[1]), 0);
	}
	EXPECT_EQ(waiters(), 0);
}

/* given a socket that foreign code made blocking through a duplicate, and a reader asleep in it */
static int sleep_in_socket(struct reader *r, int pair[2])
{
	static struct collected got;
	int duplicate;

	EXPECT_EQ(grt_sink_open(KIND(retake), 0), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_EQ(grt_fd_pollable(pair[0]), 0);
	duplicate = dup(pair[0]);
	EXPECT_EQ(fcntl(duplicate, F_SETFL, 0), 0);
	*r = (struct reader){ .fd = pair[0] };
	EXPECT_EQ(grt_go(read_byte, r), 0);
	AWAIT((collect(&got), collected_count(&got, GRT_K_retake)) >= 1);
	return duplicate;
}

RUNTIME_TEST(close_ends_a_read_that_sleeps_in_the_kernel, 2)
{
	struct reader r;
	int pair[2];

	sleep_in_socket(&r, pair);
	EXPECT_EQ(grt_close(pair[0]), 0);
	AWAIT(is_done(&r));
	EXPECT_EQ(r.result, -EBADF);
}

RUNTIME_TEST(with_nobody_inside_the_connection_outlives_close, 2)
{
	struct reader r;
	int pair[2], duplicate = sleep_in_socket(&r, pair);
	char c;

	/* when the reader has got its byte */
	EXPECT_EQ(write(pair[1], "x", 1), 1);
	AWAIT(is_done(&r));
	EXPECT_EQ(grt_close(pair[0]), 0);

	/* then who has the duplicate, perhaps another process, still has the connection */
	EXPECT_EQ(write(pair[1], "y", 1), 1);
	EXPECT_EQ(read(duplicate, &c, 1), 1);
	EXPECT_EQ(c, 'y');
}

RUNTIME_TEST(calls_that_fail_leave_errno_alone, 1)
{
	int file = grt_open("/proc/self/status", O_RDONLY, 0);

	errno = E2BIG;
	EXPECT(grt_socket(-1, -1, -1) < 0, "no such socket");
	EXPECT_EQ(grt_fd_pollable(-1), -EBADF);
	EXPECT_EQ(grt_fd_pollable(grt_open("/", O_RDONLY | O_DIRECTORY, 0)), -EPERM);
	EXPECT(grt_listen("unix", "/nowhere/at/all") < 0, "no such directory");
	EXPECT(grt_dial("unix", "/nowhere/at/all") < 0, "no such socket");
	EXPECT_EQ(grt_close(file), 0);
	EXPECT_EQ(errno, E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_that_races_with_close_ends_with_ebadf),
		cmocka_unit_test(close_ends_a_read_that_sleeps_in_the_kernel),
		cmocka_unit_test(with_nobody_inside_the_connection_outlives_close),
		cmocka_unit_test(calls_that_fail_leave_errno_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
