/* SPDX-License-Identifier: MIT */
/*
 * errno_test.c - I23: errno belongs to the goroutine, whatever thread it is on.
 *
 * Each test forces goroutines from thread to thread between a call that failed and the look at
 * errno, and counts only the looks that came after a change of thread. Compiled with optimization:
 * it is the compiler that keeps the address of another thread's errno. GRT_LONG=1: ten million
 * changes.
 */
#include "runtime_test.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define MOVERS 8

static uint64_t moved_wanted(void)
{
	return getenv("GRT_LONG") ? 10000000 : 1000;
}

static uint64_t moved, wrong;
static int ended;

static bool is_over(void)
{
	return __atomic_load_n(&moved, __ATOMIC_RELAXED) >= moved_wanted();
}

static long thread_id(void)
{
	return grt_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* A read that fails by the C library: EAGAIN is in errno of the thread that made it. */
static void read_nothing(int fd)
{
	char c;

	errno = 0;
	EXPECT(read(fd, &c, 1) == -1, "the pipe is empty");
}

/* Read, move, look. Between two looks the thread's errno is made something else. */
static void fail_and_move(int fd, void (*move)(int), int mover)
{
	long before;
	int seen;

	before = thread_id();
	read_nothing(fd);
	move(mover);
	seen = errno;
	if (thread_id() != before)
		__atomic_add_fetch(&moved, 1, __ATOMIC_RELAXED);
	if (seen != EAGAIN)
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	errno = E2BIG;
}

static void by_yield(int mover)
{
	(void)mover;
	grt_yield();
}

/*
 * Each mover shares a mutex with a goroutine that yields while it has it, and so goes from thread
 * to thread; who waits for the mutex is woken, and goes on, where that one runs. With one mutex for
 * all they would stand in one queue, and a thread would wait for each that moves.
 */
static grt_mutex shared[MOVERS];

static void by_park(int mover)
{
	grt_mutex_lock(&shared[mover]);
	grt_mutex_unlock(&shared[mover]);
}

static void hog(void *arg)
{
	grt_mutex *mutex = arg;

	while (!is_over()) {
		grt_mutex_lock(mutex);
		grt_yield();
		grt_mutex_unlock(mutex);
	}
}

/* The P is given up at once, so that the goroutine comes back on whatever P there is. */
static void by_call(int mover)
{
	(void)mover;
	grt_syscall_block(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	grt_yield();
}

static void (*move_with)(int);

static void mover(void *arg)
{
	int fd[2];

	EXPECT_EQ(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
	while (!is_over())
		fail_and_move(fd[0], move_with, (int)(intptr_t)arg);
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void move_all(void (*move)(int))
{
	move_with = move;
	for (int i = 0; i < MOVERS; i++)
		EXPECT_EQ(grt_go(mover, (void *)(intptr_t)i), 0);
	while (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) < MOVERS)
		grt_sleep(1000000);
	EXPECT_EQ(wrong, 0);
	EXPECT(moved >= moved_wanted(), "%lu changes of thread", (unsigned long)moved);
}

RUNTIME_TEST(i23_errno_survives_a_yield_to_another_thread, 2)
{
	move_all(by_yield);
}

RUNTIME_TEST(i23_errno_survives_a_park, 2)
{
	for (int i = 0; i < MOVERS; i++)
		EXPECT_EQ(grt_go(hog, &shared[i]), 0);
	move_all(by_park);
}

RUNTIME_TEST(i23_errno_survives_a_call_that_lost_its_p, 2)
{
	move_all(by_call);
}

/*
 * Waiting for a descriptor: the errno of before is there when data has come. A thread of its own feeds
 * many lines, so that the poller finds several goroutines at once and any M takes them.
 */
#define LINES 64
static struct line {
	int fd[2];
	uint64_t sent, got;
} lines[LINES];

static void *feed(void *unused)
{
	while (!is_over())
		for (int i = 0; i < LINES; i++) {
			struct line *l = &lines[i];

			if (__atomic_load_n(&l->got, __ATOMIC_ACQUIRE) != l->sent)
				continue;
			l->sent++;
			if (write(l->fd[1], "x", 1) != 1)
				return unused;
		}
	for (int i = 0; i < LINES; i++)
		shutdown(lines[i].fd[1], SHUT_WR);
	return NULL;
}

static void ask(void *arg)
{
	struct line *l = arg;
	bool is_open = true;
	char c;

	while (is_open) {
		long before = thread_id();

		if (read(l->fd[0], &c, 1) == 1) {
			__atomic_add_fetch(&l->got, 1, __ATOMIC_RELEASE);
			continue;
		}
		is_open = errno == EAGAIN && grt_read(l->fd[0], &c, 1) == 1;
		if (errno != EAGAIN && is_open)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
		if (thread_id() != before)
			__atomic_add_fetch(&moved, 1, __ATOMIC_RELAXED);
		errno = E2BIG;
		__atomic_add_fetch(&l->got, 1, __ATOMIC_RELEASE);
	}
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

RUNTIME_TEST(i23_errno_survives_waiting_for_the_network, 2)
{
	pthread_t feeder;

	for (int i = 0; i < LINES; i++) {
		EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lines[i].fd), 0);
		EXPECT_EQ(grt_fd_pollable(lines[i].fd[0]), 0);
		EXPECT_EQ(grt_go(ask, &lines[i]), 0);
	}
	EXPECT_EQ(pthread_create(&feeder, NULL, feed, NULL), 0);
	while (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) < LINES)
		grt_sleep(1000000);
	EXPECT_EQ(pthread_join(feeder, NULL), 0);
	EXPECT_EQ(wrong, 0);
	EXPECT(moved >= moved_wanted(), "%lu changes of thread", (unsigned long)moved);
}

static long leave_errno(void *arg)
{
	errno = *(int *)arg;
	return -1;
}

RUNTIME_TEST(foreign_code_leaves_its_errno_to_the_goroutine, 1)
{
	int want = ENOTTY;

	errno = 0;
	EXPECT_EQ(grt_blocking_call(leave_errno, &want), -1);
	EXPECT_EQ(errno, ENOTTY);
}

RUNTIME_TEST(calls_on_descriptors_return_errors_and_leave_errno_alone, 1)
{
	char c;

	errno = E2BIG;
	EXPECT_EQ(grt_read(-1, &c, 1), -EBADF);
	EXPECT_EQ(grt_write(-1, &c, 1), -EBADF);
	EXPECT_EQ(grt_pread(-1, &c, 1, 0), -EBADF);
	EXPECT_EQ(grt_open("/nowhere/at/all", O_RDONLY, 0), -ENOENT);
	EXPECT_EQ(grt_close(-1), -EBADF);
	EXPECT_EQ(errno, E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i23_errno_survives_a_yield_to_another_thread),
		cmocka_unit_test(i23_errno_survives_a_park),
		cmocka_unit_test(i23_errno_survives_a_call_that_lost_its_p),
		cmocka_unit_test(i23_errno_survives_waiting_for_the_network),
		cmocka_unit_test(foreign_code_leaves_its_errno_to_the_goroutine),
		cmocka_unit_test(calls_on_descriptors_return_errors_and_leave_errno_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
