/* SPDX-License-Identifier: MIT */
/*
 * netpoll_test.c - who waits for a descriptor, who wakes it and by what: event, deadline, close.
 * After each test nobody is counted as waiting (I16).
 */
#include "runtime_test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "books.h"

#define MS 1000000ll

static int counter;
static struct collected got;

static int seen(void)
{
	return __atomic_load_n(&counter, __ATOMIC_SEQ_CST);
}

static void count(void)
{
	__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

/* A goroutine that waits for one byte, and what came of it. */
struct reader {
	int fd;
	int64_t deadline_ns;
	uint64_t id;
	ssize_t result;
	char byte;
	bool is_done;
};

static void read_byte(void *arg)
{
	struct reader *r = arg;

	__atomic_store_n(&r->id, grt_self(), __ATOMIC_SEQ_CST);
	r->result = grt_read_dl(r->fd, &r->byte, 1, r->deadline_ns);
	__atomic_store_n(&r->is_done, true, __ATOMIC_SEQ_CST);
	count();
}

static bool is_done(const struct reader *r)
{
	return __atomic_load_n(&r->is_done, __ATOMIC_SEQ_CST);
}

static void start(struct reader *r, int fd, int64_t deadline_ns)
{
	*r = (struct reader){ .fd = fd, .deadline_ns = deadline_ns };
	EXPECT_EQ(grt_go(read_byte, r), 0);
}

#define CONNECTIONS 1000

/*
 * Whatever the number of connections: idle ones that may stay, the one that runs this, the one that
 * polls, the first thread, and a sanitizer's own. On a machine that is busy a short call may lose
 * its P, and a thread is made that leaves after a while.
 */
static int threads_max(void)
{
	return (int)grt_procs() + IDLE_M_SPARE + 4;
}

static void many_files(void)
{
	struct rlimit l;

	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	EXPECT(l.rlim_cur > 2 * CONNECTIONS + 50, "%lu descriptors", (unsigned long)l.rlim_cur);
}

RUNTIME_TEST(a_thousand_parked_connections_cost_no_thread, 2)
{
	static struct reader r[CONNECTIONS];
	static int pair[CONNECTIONS][2];

	/* given a goroutine each on a thousand sockets without data */
	many_files();
	for (int i = 0; i < CONNECTIONS; i++) {
		EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]), 0);
		EXPECT_EQ(grt_fd_pollable(pair[i][0]), 0);
		start(&r[i], pair[i][0], 0);
	}
	AWAIT(waiters() == CONNECTIONS);
	AWAIT(count_threads() <= threads_max());

	/* when data comes on all at once */
	for (int i = 0; i < CONNECTIONS; i++)
		EXPECT_EQ(write(pair[i][1], "x", 1), 1);
	AWAIT(seen() == CONNECTIONS);

	for (int i = 0; i < CONNECTIONS; i++)
		EXPECT_EQ(r[i].result, 1);
	AWAIT(count_threads() <= threads_max());
	AWAIT(waiters() == 0);
}

/* Who told the reader: GRT_POLL_*; it is told of once. */
static unsigned woken_by(const struct reader *r)
{
	const struct grt_rec *found = NULL;

	collect(&got);
	for (size_t i = 0; i < got.n; i++) {
		if (got.rec[i].kind != GRT_K_netpoll_ready || got.rec[i].arg[0] != r->id)
			continue;
		EXPECT(!found, "G%lu is told to be ready twice", (unsigned long)r->id);
		found = &got.rec[i];
	}
	EXPECT(found, "G%lu is told to be ready", (unsigned long)r->id);
	EXPECT_EQ(found->arg[1], r->fd);
	EXPECT_EQ(found->arg[2], GRT_MODE_READ);
	return (unsigned)found->arg[3];
}

/* When an M polls and all others sleep: then everything is idle but for this thread. */
static void *write_when_all_sleep(void *arg)
{
	int fd = *(int *)arg;

	while (__atomic_load_n(&sched.lastpoll, __ATOMIC_SEQ_CST) != 0 || waiters() == 0 ||
	       __atomic_load_n(&sched.npidle, __ATOMIC_SEQ_CST) != sched.gomaxprocs)
		usleep(200);
	EXPECT_EQ(write(fd, "i", 1), 1);
	return NULL;
}

RUNTIME_TEST(an_idle_m_in_the_poller_wakes_a_reader, 2)
{
	struct reader r = { 0 };
	pthread_t t;
	int fd[2];

	EXPECT_EQ(grt_sink_open(KIND(netpoll_ready), 0), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	r.fd = fd[0];
	EXPECT_EQ(pthread_create(&t, NULL, write_when_all_sleep, &fd[1]), 0);

	/* when this goroutine, the only one, parks */
	read_byte(&r);

	EXPECT_EQ(r.byte, 'i');
	EXPECT_EQ(woken_by(&r), GRT_POLL_IDLE_M);
	AWAIT(waiters() == 0);
	pthread_join(t, NULL);
}

RUNTIME_TEST(a_busy_scheduler_wakes_a_reader, 1)
{
	struct reader r;
	int fd[2];

	EXPECT_EQ(grt_sink_open(KIND(netpoll_ready), 0), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	start(&r, fd[0], 0);
	AWAIT(waiters() == 1);

	/* when there is always a goroutine to run */
	EXPECT_EQ(write(fd[1], "s", 1), 1);
	AWAIT(is_done(&r));

	EXPECT_EQ(r.byte, 's');
	EXPECT(woken_by(&r) == GRT_POLL_SCHEDULER || woken_by(&r) == GRT_POLL_SYSMON, "by %u",
	       woken_by(&r));
	AWAIT(waiters() == 0);
}

RUNTIME_TEST(sysmon_wakes_a_reader_when_all_ps_compute, 1)
{
	struct reader r;
	int fd[2];

	EXPECT_EQ(grt_sink_open(KIND(netpoll_ready), 0), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	start(&r, fd[0], 0);
	AWAIT(waiters() == 1);

	/* when the only P does not come back to the scheduler before somebody polled */
	EXPECT_EQ(write(fd[1], "m", 1), 1);
	while (collect(&got), collected_count(&got, GRT_K_netpoll_ready) == 0)
		;
	EXPECT(!is_done(&r), "there is no P for it");
	AWAIT(is_done(&r));

	EXPECT_EQ(r.byte, 'm');
	EXPECT_EQ(woken_by(&r), GRT_POLL_SYSMON);
	AWAIT(waiters() == 0);
}

/* Has the goroutine gone to sleep, at the word or in the queue? g_park must be collected. */
static bool is_parked(const struct reader *r)
{
	collect(&got);
	for (size_t i = 0; i < got.n; i++)
		if (got.rec[i].kind == GRT_K_g_park &&
		    got.rec[i].arg[0] == __atomic_load_n(&r->id, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

RUNTIME_TEST(a_deadline_ends_a_wait_and_not_before, 2)
{
	int64_t now = grt_now();
	struct reader r[3];
	int fd[2];

	/* given one at the word and two in the queue behind it, the last one due first */
	EXPECT_EQ(grt_sink_open(KIND(g_park), 0), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	start(&r[0], fd[0], now + 60 * MS);
	AWAIT(is_parked(&r[0]));
	start(&r[1], fd[0], 0);
	start(&r[2], fd[0], now + 30 * MS);

	AWAIT(is_done(&r[2]));
	EXPECT(grt_now() >= now + 30 * MS, "not before its time");
	EXPECT_EQ(r[2].result, -ETIMEDOUT);
	AWAIT(is_done(&r[0]));
	EXPECT(grt_now() >= now + 60 * MS, "not before its time");
	EXPECT_EQ(r[0].result, -ETIMEDOUT);

	/* then the one without a deadline is at the word, and gets what comes */
	EXPECT(!is_done(&r[1]), "it has no deadline");
	AWAIT(waiters() == 1);
	EXPECT_EQ(write(fd[1], "d", 1), 1);
	AWAIT(is_done(&r[1]));
	EXPECT_EQ(r[1].byte, 'd');
	AWAIT(waiters() == 0);
}

RUNTIME_TEST(a_deadline_in_the_past_means_do_not_wait, 1)
{
	char c;
	int fd[2];

	EXPECT_EQ(grt_pipe(fd), 0);
	EXPECT_EQ(grt_read_dl(fd[0], &c, 1, 1), -ETIMEDOUT);
	EXPECT_EQ(write(fd[1], "p", 1), 1);
	EXPECT_EQ(grt_read_dl(fd[0], &c, 1, 1), 1);
	AWAIT(waiters() == 0);
}

/* An event and a deadline at the same moment: one of them, never both, never neither. */
RUNTIME_TEST(deadline_and_event_race_for_one_wake_up, 2)
{
	int events = 0, rounds = 300, fd[2];
	char c;

	EXPECT_EQ(grt_pipe(fd), 0);
	for (int i = 0; i < rounds; i++) {
		struct reader r;

		start(&r, fd[0], grt_now() + 50000 + i * 100);
		AWAIT(waiters() == 1 || is_done(&r));
		while (grt_now() < r.deadline_ns - 20000)
			grt_yield();
		EXPECT_EQ(write(fd[1], "r", 1), 1);
		AWAIT(is_done(&r));
		EXPECT(r.result == 1 || r.result == -ETIMEDOUT, "result %zd", r.result);
		events += r.result == 1;
		if (r.result != 1)
			EXPECT_EQ(grt_read(fd[0], &c, 1), 1);
		AWAIT(waiters() == 0);
	}
	printf("%d of %d by event\n", events, rounds);
}

static void fill_pipe(int fd)
{
	static char block[65536];

	while (write(fd, block, sizeof(block)) > 0)
		;
	EXPECT_EQ(errno, EAGAIN);
}

static void write_byte(void *arg)
{
	struct reader *r = arg;

	r->result = grt_write(r->fd, "w", 1);
	__atomic_store_n(&r->is_done, true, __ATOMIC_SEQ_CST);
	count();
}

RUNTIME_TEST(close_wakes_all_who_wait, 2)
{
	struct reader r[4], w = { 0 };
	int fd[2], dead[2];

	/* given three readers of a pipe, one with a deadline, and a writer of a full one */
	EXPECT_EQ(grt_sink_open(KIND(g_park), 0), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	EXPECT_EQ(grt_pipe(dead), 0);
	start(&r[0], fd[0], 0);
	AWAIT(waiters() == 1);
	start(&r[1], fd[0], grt_now() + 3600000 * MS);
	start(&r[2], fd[0], 0);
	fill_pipe(dead[1]);
	w.fd = dead[1];
	EXPECT_EQ(grt_go(write_byte, &w), 0);
	AWAIT(waiters() == 2);
	AWAIT(is_parked(&r[1]) && is_parked(&r[2]));

	EXPECT_EQ(grt_close(fd[0]), 0);
	EXPECT_EQ(grt_close(dead[1]), 0);

	AWAIT(seen() == 4);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(r[i].result, -EBADF);
	EXPECT_EQ(w.result, -EBADF);
	AWAIT(waiters() == 0);
	EXPECT_EQ(grt_close(fd[0]), -EBADF);
}

#define CROWD 64

static int count_done(const struct reader *r, int n)
{
	int done = 0;

	for (int i = 0; i < n; i++)
		done += is_done(&r[i]);
	return done;
}

static size_t parks_of(const struct reader *r, int n)
{
	size_t parks = 0;

	collect(&got);
	for (size_t k = 0; k < got.n; k++)
		for (int i = 0; i < n; i++)
			parks += got.rec[k].arg[0] == r[i].id;
	return parks;
}

/* Who finds nothing stays at the word, and wakes nobody: else they wake each other for ever. */
RUNTIME_TEST(what_comes_for_one_wakes_no_crowd, 2)
{
	static struct reader r[CROWD];
	int fd[2];

	EXPECT_EQ(grt_sink_open(KIND(g_park), 0), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	for (int i = 0; i < CROWD; i++) {
		start(&r[i], fd[0], 0);
		AWAIT(is_parked(&r[i]));
	}
	for (int i = 0; i < CROWD; i++) {
		EXPECT_EQ(write(fd[1], "c", 1), 1);
		AWAIT(count_done(r, CROWD) == i + 1);
	}

	/* then each parked once, and per byte at most the one with the turn by an event that was
	 * late, and the one that got the turn after it */
	EXPECT(parks_of(r, CROWD) <= 3 * CROWD, "%zu parks", parks_of(r, CROWD));
	AWAIT(waiters() == 0);
}

/* Woken, but not running yet: the number is another pipe's by then. */
RUNTIME_TEST(who_was_woken_too_late_reads_no_other_pipe, 1)
{
	struct reader r;
	int fd[2], again[2];
	char c;

	EXPECT_EQ(grt_sink_open(KIND(netpoll_ready), 0), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	start(&r, fd[0], 0);
	AWAIT(waiters() == 1);
	EXPECT_EQ(write(fd[1], "o", 1), 1);
	while (collect(&got), collected_count(&got, GRT_K_netpoll_ready) == 0)
		;

	/* when the only P is not given up before the number has been used anew */
	EXPECT_EQ(grt_close(fd[0]), 0);
	EXPECT_EQ(grt_pipe(again), 0);
	EXPECT_EQ(again[0], fd[0]);
	EXPECT_EQ(write(again[1], "n", 1), 1);
	AWAIT(is_done(&r));

	EXPECT_EQ(r.result, -EBADF);
	EXPECT_EQ(grt_read(again[0], &c, 1), 1);
	EXPECT_EQ(c, 'n');
	AWAIT(waiters() == 0);
}

/* The turn goes on also from one that gives up, and from one that got an error. */
RUNTIME_TEST(a_turn_is_never_lost, 2)
{
	struct reader r[3];
	int fd[2];

	EXPECT_EQ(grt_sink_open(KIND(g_park), 0), 0);
	EXPECT_EQ(grt_pipe(fd), 0);
	start(&r[0], fd[0], grt_now() + 20 * MS);
	AWAIT(is_parked(&r[0]));
	start(&r[1], fd[0], 0);
	AWAIT(is_parked(&r[1]));
	start(&r[2], fd[0], 0);
	AWAIT(is_parked(&r[2]));

	/* when the one with the turn runs out of time, and then the writer goes away */
	AWAIT(is_done(&r[0]));
	EXPECT_EQ(r[0].result, -ETIMEDOUT);
	EXPECT_EQ(grt_close(fd[1]), 0);

	/* then all see the end of the pipe, one after the other */
	AWAIT(count_done(r, 3) == 3);
	EXPECT_EQ(r[1].result, 0);
	EXPECT_EQ(r[2].result, 0);
	AWAIT(waiters() == 0);
}

RUNTIME_TEST(waiting_by_itself_sees_what_was_there_before, 2)
{
	char c[2];
	int fd[2];

	EXPECT_EQ(grt_pipe(fd), 0);
	EXPECT_EQ(grt_fd_wait(fd[0], POLLIN, grt_now() + MS), -ETIMEDOUT);
	EXPECT_EQ(grt_fd_wait(fd[1], POLLOUT, 0), 0);
	EXPECT_EQ(grt_fd_wait(fd[0], POLLIN | POLLOUT, 0), -EINVAL);

	/* when half of the data of one edge is read */
	EXPECT_EQ(write(fd[1], "ab", 2), 2);
	EXPECT_EQ(grt_fd_wait(fd[0], POLLIN, 0), 0);
	EXPECT_EQ(grt_read(fd[0], c, 1), 1);

	/* then the other half is still worth no wait */
	EXPECT_EQ(grt_fd_wait(fd[0], POLLIN, 0), 0);
	EXPECT_EQ(grt_read(fd[0], c, 1), 1);
	EXPECT_EQ(grt_close(fd[0]), 0);
	EXPECT_EQ(grt_fd_wait(fd[0], POLLIN, 0), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_parked_connections_cost_no_thread),
		cmocka_unit_test(an_idle_m_in_the_poller_wakes_a_reader),
		cmocka_unit_test(a_busy_scheduler_wakes_a_reader),
		cmocka_unit_test(sysmon_wakes_a_reader_when_all_ps_compute),
		cmocka_unit_test(a_deadline_ends_a_wait_and_not_before),
		cmocka_unit_test(a_deadline_in_the_past_means_do_not_wait),
		cmocka_unit_test(deadline_and_event_race_for_one_wake_up),
		cmocka_unit_test(close_wakes_all_who_wait),
		cmocka_unit_test(what_comes_for_one_wakes_no_crowd),
		cmocka_unit_test(who_was_woken_too_late_reads_no_other_pipe),
		cmocka_unit_test(a_turn_is_never_lost),
		cmocka_unit_test(waiting_by_itself_sees_what_was_there_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
