/* SPDX-License-Identifier: MIT */
/* child_test.c - C15: a child gets one end of a pipe whose other end is the netpoller's. */
#include "runtime_test.h"

#include <poll.h>
#include <spawn.h>

#include "books.h"

#define CHILD_BYTES 620000
#define PIECE 4096

extern char **environ;

struct output {
	int fd;
	size_t bytes;
	int is_at_end;
};

static void read_all(void *arg)
{
	struct output *o = arg;
	char buf[PIECE];
	ssize_t n;

	while ((n = grt_read(o->fd, buf, sizeof(buf))) > 0)
		__atomic_add_fetch(&o->bytes, (size_t)n, __ATOMIC_SEQ_CST);
	EXPECT_EQ(n, 0);
	__atomic_store_n(&o->is_at_end, 1, __ATOMIC_SEQ_CST);
}

static pid_t spawn_writer(int fd)
{
	char bytes[16], *argv[] = { "head", "-c", bytes, "/dev/zero", NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	snprintf(bytes, sizeof(bytes), "%d", CHILD_BYTES);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	EXPECT_EQ(posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static long wait_for(void *arg)
{
	int status;
	pid_t pid = *(pid_t *)arg;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static bool is_full(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 0;
}

RUNTIME_TEST(c15_a_child_writes_to_a_full_pipe_and_loses_nothing, 2)
{
	struct output o = { 0 };
	int fd[2];
	pid_t pid;

	/* given a pipe of which only our end is made pollable */
	EXPECT_EQ(pipe2(fd, O_CLOEXEC), 0);
	EXPECT_EQ(grt_fd_pollable(fd[0]), 0);
	EXPECT(fcntl(fd[0], F_GETFL) & O_NONBLOCK, "ours is non-blocking");
	EXPECT_EQ(fcntl(fd[1], F_GETFL) & O_NONBLOCK, 0);

	/* when the child has filled it before anybody reads */
	pid = spawn_writer(fd[1]);
	AWAIT(is_full(fd[1]));
	EXPECT_EQ(close(fd[1]), 0);
	o.fd = fd[0];
	EXPECT_EQ(grt_go(read_all, &o), 0);

	AWAIT(__atomic_load_n(&o.is_at_end, __ATOMIC_SEQ_CST));
	EXPECT_EQ(o.bytes, CHILD_BYTES);
	EXPECT_EQ(grt_blocking_call(wait_for, &pid), 0);
	AWAIT(waiters() == 0);
}

RUNTIME_TEST(c15_waiting_for_a_child_blocks_no_m, 1)
{
	struct output o = { 0 };
	int fd[2];
	pid_t pid;

	EXPECT_EQ(pipe2(fd, O_CLOEXEC), 0);
	EXPECT_EQ(grt_fd_pollable(fd[0]), 0);
	o.fd = fd[0];
	EXPECT_EQ(grt_go(read_all, &o), 0);

	/* when nothing has been written yet */
	AWAIT(waiters() == 1);
	EXPECT_EQ(blocked_ms(), 0);

	pid = spawn_writer(fd[1]);
	EXPECT_EQ(close(fd[1]), 0);
	AWAIT(__atomic_load_n(&o.is_at_end, __ATOMIC_SEQ_CST));
	EXPECT_EQ(o.bytes, CHILD_BYTES);
	EXPECT_EQ(grt_blocking_call(wait_for, &pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c15_a_child_writes_to_a_full_pipe_and_loses_nothing),
		cmocka_unit_test(c15_waiting_for_a_child_blocks_no_m),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
